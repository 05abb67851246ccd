/* sdk/lib/file_side.c - the journal beside files that are being written.
 * In: records, each a line: its XXH3-128 and a JSON object.  Out: what they add up to.  Files have no transactions: rows are made
 * durable first and the record that makes them count last, so that after a death the rest is cut off.  A last record which is
 * torn never was.
 * SPDX-License-Identifier: Apache-2.0 */
#include "file_side.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

struct wbl_side *wbl_side_new(const char *log)
{
	struct wbl_side *s = wbl_sdk_alloc(sizeof *s);

	s->fd = -1;
	s->log = wbl_sdk_strdup(log);
	return s;
}

static void forget_receipt(struct wbl_side *s, size_t i)
{
	struct wbl_side_receipt *r = &s->receipts[i];

	free(r->key);
	free(r->origin);
	free(r->set);
	wbl_out_clear(&r->body);
	*r = s->receipts[--s->nreceipts];
}

static void reset(struct wbl_side *s)
{
	while (s->nreceipts)
		forget_receipt(s, s->nreceipts - 1);
	while (s->ntables) {
		free(s->tables[--s->ntables].set);
		free(s->tables[s->ntables].by);
		wbl_out_clear(&s->tables[s->ntables].columns);
	}
	s->exists = 0;
	s->end = 0;
}

void wbl_side_unlock(struct wbl_side *s)
{
	if (s->fd >= 0)
		close(s->fd);
	s->fd = -1;
}

void wbl_side_free(struct wbl_side *s)
{
	if (!s)
		return;
	reset(s);
	wbl_side_unlock(s);
	free(s->receipts);
	free(s->tables);
	free(s->log);
	free(s);
}

const struct wbl_side_receipt *wbl_side_find(const struct wbl_side *s, const char *key)
{
	for (size_t i = 0; i < s->nreceipts; i++)
		if (!strcmp(s->receipts[i].key, key))
			return &s->receipts[i];
	return NULL;
}

struct wbl_side_table *wbl_side_table(const struct wbl_side *s, const char *set)
{
	for (size_t i = 0; i < s->ntables; i++)
		if (!strcmp(s->tables[i].set, set))
			return &s->tables[i];
	return NULL;
}

static char *copy(const struct wbl_node *n, const char *path)
{
	const char *text = wbl_node_str(n, path);

	return text ? wbl_sdk_strdup(text) : NULL;
}

static void take_receipt(struct wbl_side *s, const struct wbl_node *n)
{
	const char *hex = wbl_node_str(n, "body"), *key = wbl_node_str(n, "key");
	struct wbl_side_receipt *r;

	if (!key)
		return;
	s->receipts = wbl_sdk_grow(s->receipts, (s->nreceipts + 1) * sizeof *s->receipts);
	r = &s->receipts[s->nreceipts++];
	*r = (struct wbl_side_receipt){
		.key = wbl_sdk_strdup(key),
		.origin = copy(n, "origin"),
		.set = copy(n, "set"),
		.epoch = (uint64_t)wbl_node_int(n, "epoch", 0),
		.attempt = (uint64_t)wbl_node_int(n, "attempt", 0),
		.written = (uint64_t)wbl_node_int(n, "written", 0),
	};
	if (hex)
		wbl_hex_read(&r->body, hex, strlen(hex));
}

/* set NULL: all of the origin; else those of rows of this table. */
static void forget(struct wbl_side *s, const char *origin, const char *set)
{
	for (size_t i = s->nreceipts; i--;) {
		const struct wbl_side_receipt *r = &s->receipts[i];

		if (!r->origin || strcmp(r->origin, origin) != 0)
			continue;
		if (!set || (r->set && !strcmp(r->set, set)))
			forget_receipt(s, i);
	}
}

void wbl_side_tell_columns(struct wbl_out *o, const char *key, const struct wbl_node *list)
{
	wbl_out_open(o, key, '[');
	for (const struct wbl_node *c = list ? list->child : NULL; c; c = c->next) {
		wbl_out_open(o, NULL, '{');
		wbl_out_text(o, "name", wbl_node_str(c, "name"));
		wbl_out_text(o, "type", wbl_node_str(c, "type"));
		wbl_out_close(o, '}');
	}
	wbl_out_close(o, ']');
}

static struct wbl_side_table *need(struct wbl_side *s, const char *set)
{
	struct wbl_side_table *t = wbl_side_table(s, set);

	if (t)
		return t;
	s->tables = wbl_sdk_grow(s->tables, (s->ntables + 1) * sizeof *s->tables);
	t = &s->tables[s->ntables++];
	*t = (struct wbl_side_table){ .set = wbl_sdk_strdup(set) };
	return t;
}

static void take_table(struct wbl_side *s, const struct wbl_node *n)
{
	const char *set = wbl_node_str(n, "set"), *emptied = wbl_node_str(n, "emptied");
	const struct wbl_node *columns = wbl_node_at(n, "table");
	struct wbl_side_table *t;

	if (!set)
		return;
	t = need(s, set);
	t->making = wbl_node_bool(n, "making", 0);
	t->open = wbl_node_bool(n, "open", t->open);
	t->length = (uint64_t)wbl_node_int(n, "length", (int64_t)t->length);
	t->head = (uint64_t)wbl_node_int(n, "head", (int64_t)t->head);
	if (columns) {
		t->made = 1;
		free(t->by);
		t->by = copy(n, "by");
		wbl_out_reset(&t->columns);
		wbl_side_tell_columns(&t->columns, NULL, columns);
	}
	if (wbl_node_bool(n, "drop", 0))
		t->made = t->open = 0;
	if (emptied)
		forget(s, emptied, set);
}

/* What one record does to the state. */
static void replay(struct wbl_side *s, const struct wbl_node *n)
{
	const struct wbl_node *x;

	if (wbl_node_str(n, "forget"))
		forget(s, wbl_node_str(n, "forget"), NULL);
	for (x = wbl_node_at(n, "tables.0"); x; x = x->next)
		take_table(s, x);
	for (x = wbl_node_at(n, "receipts.0"); x; x = x->next)
		take_receipt(s, x);
}

static int32_t corrupt(struct wbl_side *s, struct wbl_call *call)
{
	return wbl_error_report(call, WBL_E_CORRUPT, s->log,
		"Bring the journal back from a backup, or remove it and the file.",
		"a record of the journal beside the file is damaged");
}

static int record(struct wbl_side *s, const char *line, size_t len)
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

static int32_t read_all(struct wbl_side *s, struct wbl_call *call, int fd)
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

static int32_t no_open(const struct wbl_side *s, struct wbl_call *call)
{
	return wbl_error_report(call, WBL_E_UNAVAILABLE, s->log,
		"Check the file's mode and the engine's user.", "cannot open: %s", strerror(errno));
}

int32_t wbl_side_load(struct wbl_side *s, struct wbl_call *call)
{
	int fd = open(s->log, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	int32_t rc;

	if (fd < 0 && (errno == ENOENT || errno == ENOTDIR)) {
		reset(s);
		return WBL_OK;
	}
	if (fd < 0)
		return no_open(s, call);
	rc = read_all(s, call, fd);
	close(fd);
	return rc;
}

static int32_t wait_for(struct wbl_side *s, struct wbl_call *call, int fd)
{
	static const struct timespec pause = { .tv_nsec = 20000000 };

	for (int tries = 0; flock(fd, LOCK_EX | LOCK_NB); tries++) {
		int why = errno;
		int32_t rc = wbl_stop_asked(call);

		if (rc)
			return rc;
		if ((why != EWOULDBLOCK && why != EINTR) || tries > 1500)
			return wbl_error_report(call, WBL_E_RETRY, s->log,
				"Look for another process that writes the file.",
				"the journal stays locked");
		nanosleep(&pause, NULL);
	}
	return WBL_OK;
}

int32_t wbl_side_lock(struct wbl_side *s, struct wbl_call *call)
{
	struct stat here, there;
	int32_t rc;

	for (;;) {
		s->fd = open(s->log, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
		if (s->fd < 0 && (errno == ENOENT || errno == ENOTDIR)) {
			reset(s);
			return WBL_END;
		}
		if (s->fd < 0)
			return no_open(s, call);
		rc = wait_for(s, call, s->fd);
		/* Taken away while we waited: then it is another one, or none. */
		if (!rc && !fstat(s->fd, &here) && !stat(s->log, &there) &&
			here.st_ino == there.st_ino && here.st_dev == there.st_dev)
			break;
		wbl_side_unlock(s);
		if (rc)
			return rc;
	}
	rc = read_all(s, call, s->fd);
	if (rc)
		wbl_side_unlock(s);
	return rc;
}

int32_t wbl_side_create(struct wbl_side *s, struct wbl_call *call)
{
	int fd = open(s->log, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0666);

	if (fd < 0 && errno != EEXIST)
		return wbl_error_report(call, WBL_E_UNAVAILABLE, s->log,
			"Check the folder's mode and the engine's user.", "cannot create: %s",
			strerror(errno));
	if (fd >= 0)
		close(fd);
	return WBL_OK;
}

/* A write may take less than it was given, and that is no error yet. */
static int write_whole(int fd, const char *data, size_t left, off_t at)
{
	while (left) {
		ssize_t n = pwrite(fd, data, left, at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return -1;
		data += n;
		at += n;
		left -= (size_t)n;
	}
	return 0;
}

int32_t wbl_side_add(struct wbl_side *s, struct wbl_call *call, const char *text)
{
	struct wbl_out line = { 0 };
	char hex[33];
	int bad;

	wbl_digest_hex(text, strlen(text), hex);
	wbl_out_fmt(&line, "%s ", hex);
	wbl_out_add(&line, text, strlen(text));
	wbl_out_add(&line, "\n", 1);
	bad = ftruncate(s->fd, (off_t)s->end) ||
	      write_whole(s->fd, line.s, line.len, (off_t)s->end) || fdatasync(s->fd);
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

int32_t wbl_side_fenced(
	const struct wbl_side *s, struct wbl_call *call, const char *origin, uint64_t epoch)
{
	uint64_t newest = 0;

	for (size_t i = 0; i < s->nreceipts; i++)
		if (origin && s->receipts[i].origin && !strcmp(s->receipts[i].origin, origin) &&
			s->receipts[i].epoch > newest)
			newest = s->receipts[i].epoch;
	if (newest <= epoch)
		return WBL_OK;
	return wbl_error_report(call, WBL_E_FENCED, s->log, NULL,
		"epoch %llu of this run has written here, this process has epoch %llu",
		(unsigned long long)newest, (unsigned long long)epoch);
}

void wbl_side_tell_receipt(struct wbl_out *o, const struct wbl_receipt *r, const char *origin,
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

void wbl_side_record(struct wbl_out *o, const char *set)
{
	wbl_out_reset(o);
	wbl_out_open(o, NULL, '{');
	wbl_out_open(o, "tables", '[');
	wbl_out_open(o, NULL, '{');
	wbl_out_text(o, "set", set);
}

void wbl_side_record_end(struct wbl_out *o, const struct wbl_receipt *r, const char *origin,
	const char *set, uint64_t written)
{
	wbl_out_close(o, '}');
	wbl_out_close(o, ']');
	if (r)
		wbl_side_tell_receipt(o, r, origin, set, written);
	wbl_out_close(o, '}');
}
