/* side.c - the journal beside a file that is being written.
 * In: records, each a line: its XXH3-128 and a JSON object.  Out: what they add up to.  The file itself has no transactions: rows are made
 * durable first and the record that makes them count last, so that after a death the rest is cut off.  A last record which is
 * torn never was.
 * SPDX-License-Identifier: Apache-2.0 */
#include "side.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

void side_init(struct side *s, const char *path)
{
	struct wbl_out log = { 0 };

	memset(s, 0, sizeof *s);
	s->fd = s->file = -1;
	s->path = wbl_sdk_strdup(path);
	wbl_out_fmt(&log, "%s.whimbrel", path);
	s->log = log.s;
}

static void forget_receipt(struct side *s, size_t i)
{
	struct side_receipt *r = &s->receipts[i];

	free(r->key);
	free(r->origin);
	free(r->set);
	wbl_out_clear(&r->body);
	*r = s->receipts[--s->nreceipts];
}

static void reset(struct side *s)
{
	while (s->nreceipts)
		forget_receipt(s, s->nreceipts - 1);
	s->table = s->open = s->exists = 0;
	s->length = s->end = 0;
	wbl_out_reset(&s->columns);
}

void side_unlock(struct side *s)
{
	if (s->fd >= 0)
		close(s->fd);
	if (s->file >= 0)
		close(s->file);
	s->fd = s->file = -1;
}

void side_clear(struct side *s)
{
	reset(s);
	side_unlock(s);
	free(s->receipts);
	wbl_out_clear(&s->columns);
	free(s->path);
	free(s->log);
	memset(s, 0, sizeof *s);
	s->fd = s->file = -1;
}

const struct side_receipt *side_find(const struct side *s, const char *key)
{
	for (size_t i = 0; i < s->nreceipts; i++)
		if (!strcmp(s->receipts[i].key, key))
			return &s->receipts[i];
	return NULL;
}

static char *copy(const struct wbl_node *n, const char *path)
{
	const char *text = wbl_node_str(n, path);

	return text ? wbl_sdk_strdup(text) : NULL;
}

static void take_receipt(struct side *s, const struct wbl_node *n)
{
	const char *hex = wbl_node_str(n, "body"), *key = wbl_node_str(n, "key");
	struct side_receipt *r;

	if (!key)
		return;
	s->receipts = wbl_sdk_grow(s->receipts, (s->nreceipts + 1) * sizeof *s->receipts);
	r = &s->receipts[s->nreceipts++];
	*r = (struct side_receipt){
		.key = wbl_sdk_strdup(key),
		.origin = copy(n, "origin"),
		.set = copy(n, "set"),
		.epoch = (uint64_t)wbl_node_int(n, "epoch", 0),
		.attempt = (uint64_t)wbl_node_int(n, "attempt", 0),
		.written = (uint64_t)wbl_node_int(n, "written", 0),
	};
	for (; hex && hex[0] && hex[1]; hex += 2) {
		char pair[3] = { hex[0], hex[1], 0 }, byte = (char)strtol(pair, NULL, 16);

		wbl_out_add(&r->body, &byte, 1);
	}
}

static void forget(struct side *s, const char *origin, int rows_only)
{
	for (size_t i = s->nreceipts; i--;) {
		const struct side_receipt *r = &s->receipts[i];

		if ((!rows_only || r->set) && r->origin && origin && !strcmp(r->origin, origin))
			forget_receipt(s, i);
	}
}

static void write_columns(struct side *s, const struct wbl_node *list)
{
	wbl_out_reset(&s->columns);
	wbl_out_open(&s->columns, NULL, '[');
	for (const struct wbl_node *c = list ? list->child : NULL; c; c = c->next) {
		wbl_out_open(&s->columns, NULL, '{');
		wbl_out_text(&s->columns, "name", wbl_node_str(c, "name"));
		wbl_out_text(&s->columns, "type", wbl_node_str(c, "type"));
		wbl_out_close(&s->columns, '}');
	}
	wbl_out_close(&s->columns, ']');
	s->columns.comma = 0;
}

/* What one record does to the state. */
static void replay(struct side *s, const struct wbl_node *n)
{
	const struct wbl_node *r;

	if ((r = wbl_node_at(n, "table"))) {
		s->table = 1;
		write_columns(s, r);
	}
	s->open = wbl_node_bool(n, "open", 0);
	s->length = (uint64_t)wbl_node_int(n, "length", (int64_t)s->length);
	if (wbl_node_bool(n, "drop", 0))
		s->table = 0;
	if (wbl_node_str(n, "emptied"))
		forget(s, wbl_node_str(n, "emptied"), 1);
	if (wbl_node_str(n, "forget"))
		forget(s, wbl_node_str(n, "forget"), 0);
	for (r = wbl_node_at(n, "receipts.0"); r; r = r->next)
		take_receipt(s, r);
}

static int32_t corrupt(struct side *s, struct wbl_call *call)
{
	return wbl_error_report(call, WBL_E_CORRUPT, s->log,
		"Bring the journal back from a backup, or remove it and the file.",
		"a record of the journal beside the file is damaged");
}

static int record(struct side *s, const char *line, size_t len)
{
	char hex[33];
	struct wbl_doc *d;

	if (len < 34 || line[32] != ' ')
		return -1;
	wbl_digest_hex(line + 33, len - 33, hex);
	if (memcmp(hex, line, 32) != 0)
		return -1;
	d = wbl_doc_parse(line + 33, len - 33, NULL);
	if (!d)
		return -1;
	replay(s, wbl_doc_root(d));
	wbl_doc_free(d);
	return 0;
}

static int32_t read_all(struct side *s, struct wbl_call *call, int fd)
{
	struct wbl_out all = { 0 };
	char buf[16384];
	ssize_t n;
	int32_t rc = WBL_OK;

	reset(s);
	s->exists = 1;
	while ((n = pread(fd, buf, sizeof buf, (off_t)all.len)) > 0)
		wbl_out_add(&all, buf, (size_t)n);
	if (n < 0)
		rc = wbl_error_report(
			call, WBL_E_UNAVAILABLE, s->log, NULL, "cannot read: %s", strerror(errno));
	while (!rc && s->end < all.len) {
		const char *line = all.s + s->end, *nl = memchr(line, '\n', all.len - s->end);

		if (!nl)
			break;
		if (record(s, line, (size_t)(nl - line))) {
			if (nl + 1 < all.s + all.len)
				rc = corrupt(s, call);
			break;
		}
		s->end += (uint64_t)(nl + 1 - line);
	}
	wbl_out_clear(&all);
	return rc;
}

int32_t side_load(struct side *s, struct wbl_call *call)
{
	int fd = open(s->log, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	int32_t rc;

	if (fd < 0 && errno == ENOENT) {
		reset(s);
		return WBL_OK;
	}
	if (fd < 0)
		return wbl_error_report(call, WBL_E_UNAVAILABLE, s->log,
			"Check the file's mode and the engine's user.", "cannot open: %s",
			strerror(errno));
	rc = read_all(s, call, fd);
	close(fd);
	return rc;
}

static int32_t wait_for(struct side *s, struct wbl_call *call, int fd)
{
	static const struct timespec pause = { .tv_nsec = 20000000 };

	for (int tries = 0; flock(fd, LOCK_EX | LOCK_NB); tries++) {
		int32_t rc = wbl_stop_asked(call);

		if (rc)
			return rc;
		if ((errno != EWOULDBLOCK && errno != EINTR) || tries > 1500)
			return wbl_error_report(call, WBL_E_RETRY, s->log,
				"Look for another process that writes the file.",
				"the journal stays locked");
		nanosleep(&pause, NULL);
	}
	return WBL_OK;
}

int32_t side_lock(struct side *s, struct wbl_call *call)
{
	struct stat here, there;
	int32_t rc;

	for (;;) {
		s->fd = open(s->log, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
		if (s->fd < 0 && errno == ENOENT) {
			reset(s);
			return WBL_END;
		}
		if (s->fd < 0)
			return wbl_error_report(call, WBL_E_UNAVAILABLE, s->log,
				"Check the file's mode and the engine's user.", "cannot open: %s",
				strerror(errno));
		rc = wait_for(s, call, s->fd);
		/* Taken away while we waited: then it is another one, or none. */
		if (!rc && !fstat(s->fd, &here) && !stat(s->log, &there) &&
			here.st_ino == there.st_ino && here.st_dev == there.st_dev)
			break;
		side_unlock(s);
		if (rc)
			return rc;
	}
	rc = read_all(s, call, s->fd);
	if (rc)
		side_unlock(s);
	return rc;
}

int32_t side_add(struct side *s, struct wbl_call *call, const char *text)
{
	struct wbl_out line = { 0 };
	char hex[33];
	int bad;

	wbl_digest_hex(text, strlen(text), hex);
	wbl_out_fmt(&line, "%s ", hex);
	wbl_out_add(&line, text, strlen(text));
	wbl_out_add(&line, "\n", 1);
	bad = ftruncate(s->fd, (off_t)s->end) ||
	      pwrite(s->fd, line.s, line.len, (off_t)s->end) != (ssize_t)line.len ||
	      fdatasync(s->fd);
	if (bad) {
		int why = errno;

		bad = ftruncate(s->fd, (off_t)s->end);
		wbl_out_clear(&line);
		return wbl_error_report(call, WBL_E_RESOURCES, s->log, "Make room on the disk.",
			"cannot write the journal beside the file: %s", strerror(why));
	}
	s->end += line.len;
	record(s, line.s, line.len - 1);
	wbl_out_clear(&line);
	return WBL_OK;
}

int32_t side_fenced(const struct side *s, struct wbl_call *call, const char *origin, uint64_t epoch)
{
	uint64_t newest = 0;

	for (size_t i = 0; i < s->nreceipts; i++)
		if (origin && s->receipts[i].origin && !strcmp(s->receipts[i].origin, origin) &&
			s->receipts[i].epoch > newest)
			newest = s->receipts[i].epoch;
	if (newest <= epoch)
		return WBL_OK;
	return wbl_error_report(call, WBL_E_FENCED, s->path, NULL,
		"epoch %llu of this run has written here, this process has epoch %llu",
		(unsigned long long)newest, (unsigned long long)epoch);
}

void side_tell_receipt(struct wbl_out *o, const struct wbl_receipt *r, const char *origin,
	const char *set, uint64_t written)
{
	wbl_out_open(o, "receipts", '[');
	if (r) {
		wbl_out_open(o, NULL, '{');
		wbl_out_text(o, "key", r->key);
		wbl_out_text(o, "origin", origin);
		wbl_out_text(o, "set", set);
		wbl_out_int(o, "epoch", (int64_t)r->epoch);
		wbl_out_int(o, "attempt", (int64_t)r->attempt);
		wbl_out_int(o, "written", (int64_t)written);
		wbl_out_hex(o, "body", r->body.data, r->body.len);
		wbl_out_close(o, '}');
	}
	wbl_out_close(o, ']');
}

int32_t side_open_file(struct side *s, struct wbl_call *call, int flags)
{
	s->file = open(s->path, O_RDWR | O_CLOEXEC | flags, 0666);
	if (s->file >= 0)
		return WBL_OK;
	return wbl_error_report(call, WBL_E_UNAVAILABLE, s->path,
		"Check the folder's mode and the engine's user.", "cannot open for writing: %s",
		strerror(errno));
}
