/* csv.c - the store "csv": a file of records opened and described.
 * In: path, separator, quote, header, columns, null, encoding.  Out: a store that reads; every cell is text or NULL, the
 * mapping says what it means.
 * SPDX-License-Identifier: Apache-2.0 */
#include "csv_impl.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void csv_close(void *self)
{
	struct csv_self *s = self;

	if (!s)
		return;
	if (s->fd >= 0)
		close(s->fd);
	for (size_t i = 0; i < s->ncols; i++)
		free(s->names[i]);
	free(s->names);
	free(s->path);
	free(s->real);
	free(s->set);
	free(s->null_text);
	wbl_out_clear(&s->text);
	free(s);
}

static int32_t one_char(struct wbl_call *own, const char *param, int *ret)
{
	struct wbl_text t = wbl_param_text(own, param);

	if (t.len == 1 && *t.s != '\n' && *t.s != '\r') {
		*ret = (unsigned char)*t.s;
		return WBL_OK;
	}
	if (!strcmp(t.s, "tab") || !strcmp(t.s, "none")) {
		*ret = *t.s == 't' ? '\t' : -1;
		return WBL_OK;
	}
	return wbl_error_report(own, WBL_E_PARAM, param,
		"Give one ASCII character, or \"tab\" or \"none\".",
		"one character was expected, found \"%s\"", t.s);
}

static int32_t options(struct csv_self *s, struct wbl_call *own)
{
	const struct wbl_node *null_text = wbl_param_json(own, "null");
	int32_t rc;

	s->sep = ',';
	s->quote = '"';
	rc = wbl_param_json(own, "separator") ? one_char(own, "separator", &s->sep) : WBL_OK;
	if (!rc && wbl_param_json(own, "quote"))
		rc = one_char(own, "quote", &s->quote);
	if (rc)
		return rc;
	if (s->sep < 0 || s->sep == s->quote)
		return wbl_error_report(own, WBL_E_PARAM, "separator",
			"Choose two different characters.",
			"fields cannot be told apart with this separator and quote");
	if (null_text && null_text->kind == WBL_NODE_TEXT) {
		s->null_text = wbl_sdk_strdup(null_text->text.s);
		s->null_len = null_text->text.len;
	}
	return WBL_OK;
}

/* `quote`: two of them stand for one; -1: none do. */
static void add_name(struct csv_self *s, const char *name, size_t len, int quote)
{
	char *copy = wbl_sdk_alloc(len + 1);

	for (size_t i = 0, n = 0; i < len; i++) {
		copy[n++] = name[i];
		if (quote >= 0 && name[i] == (char)quote)
			i++;
	}
	s->names = wbl_sdk_grow(s->names, (s->ncols + 1) * sizeof *s->names);
	s->names[s->ncols++] = copy;
}

static int32_t check_names(struct csv_self *s, struct wbl_call *own)
{
	for (size_t i = 0; i < s->ncols; i++) {
		if (!*s->names[i] || !wbl_utf8_ok(s->names[i], strlen(s->names[i])))
			return wbl_error_report(own, WBL_E_PARAM, s->path,
				"Give the names by `columns` and set `header = false`, or mend the "
				"header.",
				"column %zu has no usable name", i + 1);
		for (size_t k = 0; k < i; k++)
			if (!strcmp(s->names[i], s->names[k]))
				return wbl_error_report(own, WBL_E_PARAM, s->path,
					"Give names that differ.", "two columns are called \"%s\"",
					s->names[i]);
	}
	return WBL_OK;
}

static void names_from_record(struct csv_self *s, const struct csv_reader *r, int header)
{
	char name[32];

	for (size_t i = 0; i < r->nfields; i++) {
		snprintf(name, sizeof name, "c%zu", i + 1);
		if (header)
			add_name(s, r->record + r->fields[i].at, r->fields[i].len,
				r->fields[i].doubled ? s->quote : -1);
		else
			add_name(s, name, strlen(name), -1);
	}
}

/* Column names: from `columns`, else the header, else c1, c2 ... */
static int32_t read_names(struct csv_self *s, struct wbl_call *own)
{
	const struct wbl_node *given = wbl_param_json(own, "columns");
	int header = wbl_param_bool(own, "header", 1);
	struct csv_reader r;
	char bom[3];
	int32_t rc = WBL_OK;

	if (pread(s->fd, bom, 3, 0) == 3 && !memcmp(bom, "\xef\xbb\xbf", 3))
		s->data_start = 3;
	s->data_line = 1;
	if (given && given->count)
		for (const struct wbl_node *c = given->child; c; c = c->next)
			add_name(s, c->text.s, c->text.len, -1);
	if (header || !s->ncols) {
		csv_reader_init(&r, s, own, s->data_start, 1);
		rc = csv_reader_next(&r);
		if (rc == WBL_OK && !s->ncols)
			names_from_record(s, &r, header);
		if (rc == WBL_OK && header) {
			rc = csv_ragged(&r);
			s->data_start = r.offset;
			s->data_line = r.line;
		}
		csv_reader_clear(&r);
	}
	if (rc == WBL_END)
		return wbl_error_report(
			own, WBL_E_PARAM, s->path, "Check the path.", "the file is empty");
	return rc ? rc : check_names(s, own);
}

static int32_t open_file(struct csv_self *s, struct wbl_call *own)
{
	s->fd = open(s->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (s->fd < 0 && errno == ENOENT)
		return WBL_OK;
	if (s->fd < 0 || fstat(s->fd, &s->seen))
		return wbl_error_report(own, WBL_E_UNAVAILABLE, s->path,
			"Check the file's mode and the engine's user.", "cannot read: %s",
			strerror(errno));
	if (!S_ISREG(s->seen.st_mode))
		return wbl_error_report(own, WBL_E_PARAM, s->path, NULL, "not a regular file");
	posix_fadvise(s->fd, 0, 0, POSIX_FADV_SEQUENTIAL);
	return read_names(s, own);
}

static int32_t csv_open(const struct wbl_store *me, struct wbl_call *own, uint32_t flags,
	void **ret_self, uint64_t *ret_capabilities)
{
	struct csv_self *s;
	const char *base;
	int32_t rc;

	(void)me;
	if (flags & WBL_OPEN_WRITE)
		return wbl_error_report(own, WBL_E_UNSUPPORTED, "csv",
			"Use another store as the target.", "this store only reads");
	s = wbl_sdk_alloc(sizeof *s);
	s->fd = -1;
	s->path = wbl_sdk_strdup(wbl_param_text(own, "path").s);
	s->real = realpath(s->path, NULL);
	base = strrchr(s->path, '/');
	s->set = wbl_sdk_strdup(base ? base + 1 : s->path);
	rc = options(s, own);
	rc = rc ? rc : open_file(s, own);
	if (rc) {
		csv_close(s);
		return rc;
	}
	*ret_self = s;
	*ret_capabilities = WBL_CAN_BYTES;
	return WBL_OK;
}

/* Size, time, and what stands at the beginning, in the middle and at the end. */
static void identity(struct csv_self *s, struct wbl_out *o)
{
	enum { SAMPLE = 1 << 16 };
	char *buf = wbl_sdk_alloc(3 * SAMPLE), hex[33];
	off_t size = s->seen.st_size;
	off_t at[3] = { 0, size / 2, size > SAMPLE ? size - SAMPLE : 0 };
	size_t n = 0;
	struct wbl_out id = { 0 };

	for (int i = 0; i < 3; i++) {
		ssize_t got = pread(s->fd, buf + n, SAMPLE, at[i]);

		n += got > 0 ? (size_t)got : 0;
	}
	wbl_digest_hex(buf, n, hex);
	wbl_out_fmt(&id, "%lld:%lld.%09ld:%s", (long long)size, (long long)s->seen.st_mtim.tv_sec,
		s->seen.st_mtim.tv_nsec, hex);
	wbl_out_text(o, "identity", id.s);
	wbl_out_clear(&id);
	free(buf);
}

static void tell_set(struct csv_self *s, struct wbl_out *o)
{
	wbl_out_open(o, NULL, '{');
	wbl_out_text(o, "name", s->set);
	wbl_out_text(o, "kind", "file");
	wbl_out_text(o, "position", "line");
	wbl_out_int(o, "bytes", (int64_t)s->seen.st_size);
	wbl_out_open(o, "columns", '[');
	for (size_t i = 0; i < s->ncols; i++) {
		wbl_out_open(o, NULL, '{');
		wbl_out_text(o, "name", s->names[i]);
		wbl_out_text(o, "type", "text");
		wbl_out_bool(o, "not_null", !s->null_text);
		wbl_out_close(o, '}');
	}
	wbl_out_close(o, ']');
	wbl_out_open(o, "key", '[');
	wbl_out_close(o, ']');
	wbl_out_open(o, "indexes", '[');
	wbl_out_close(o, ']');
	wbl_out_close(o, '}');
}

static int32_t csv_describe(
	void *self, struct wbl_call *call, const char *set, const char **ret_json)
{
	struct csv_self *s = self;
	struct wbl_out *o = &s->text;

	(void)call;
	if (set && (s->fd < 0 || strcmp(set, s->set) != 0))
		return WBL_END;
	wbl_out_reset(o);
	wbl_out_open(o, NULL, '{');
	wbl_out_text(o, "store", "csv");
	wbl_out_text(o, "dialect", "csv");
	wbl_out_bool(o, "exists", s->fd >= 0);
	wbl_out_open(o, "claims", '[');
	wbl_out_open(o, NULL, '{');
	wbl_out_text(o, "kind", "path");
	wbl_out_text(o, "name", s->real ? s->real : s->path);
	wbl_out_close(o, '}');
	wbl_out_close(o, ']');
	if (s->fd >= 0)
		identity(s, o);
	wbl_out_open(o, "sets", '[');
	if (s->fd >= 0)
		tell_set(s, o);
	wbl_out_close(o, ']');
	wbl_out_close(o, '}');
	*ret_json = o->s;
	return WBL_OK;
}

static const struct wbl_store csv_store = {
	.size = sizeof csv_store,
	.revision = 1,
	.name = "csv",
	.open = csv_open,
	.close = csv_close,
	.describe = csv_describe,
	.count = csv_count,
	.split = csv_split,
	.scan = csv_scan,
	.read = csv_read,
	.scan_end = csv_scan_end,
};
WBL_MODULE(csv, "org.whimbrel.store.csv", "0.1.0", WBL_STORE(&csv_store))
