/* jsonl.c - the store "jsonl": a file of JSON objects opened and described.
 * In: path, table, columns, missing, marks.  Out: a store that reads, and writes new files.  Columns and their types are those of the first lines, unless columns are named; a
 * line that does not fit them later is an error with its number, never half a row.
 * SPDX-License-Identifier: Apache-2.0 */
#include "jsonl_impl.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void store_close(void *self)
{
	struct jsonl_self *s = self;

	if (!s)
		return;
	if (s->fd >= 0)
		close(s->fd);
	for (size_t i = 0; i < s->ncols; i++)
		free(s->cols[i].name), free(s->cols[i].type);
	free(s->cols);
	side_clear(&s->side);
	free(s->path);
	free(s->real);
	free(s->set);
	wbl_out_clear(&s->text);
	free(s);
}

static struct jsonl_column *find(struct jsonl_self *s, const struct wbl_text *name)
{
	for (size_t i = 0; i < s->ncols; i++)
		if (strlen(s->cols[i].name) == name->len &&
			!memcmp(s->cols[i].name, name->s, name->len))
			return &s->cols[i];
	return NULL;
}

static struct jsonl_column *add(struct jsonl_self *s, const struct wbl_text *name)
{
	s->cols = wbl_sdk_grow(s->cols, (s->ncols + 1) * sizeof *s->cols);
	s->cols[s->ncols] = (struct jsonl_column){ .name = wbl_sdk_strdup(name->s) };
	return &s->cols[s->ncols++];
}

static int usable_name(const struct wbl_text *name)
{
	return name->len && name->s[0] != '#' && name->s[0] != '=' &&
	       wbl_utf8_ok(name->s, name->len);
}

static unsigned kind_of(const struct wbl_node *n)
{
	switch (n->kind) {
	case WBL_NODE_NULL:
		return 0;
	case WBL_NODE_FALSE:
	case WBL_NODE_TRUE:
		return JSONL_BOOL;
	case WBL_NODE_NUMBER:
		return strpbrk(n->text.s, ".eE") ? JSONL_DECIMAL : JSONL_INT;
	case WBL_NODE_TEXT:
		return JSONL_TEXT;
	default:
		return JSONL_JSON;
	}
}

/* A whole number of more than 64 bits is a decimal. */
static unsigned kind_exact(const struct wbl_node *n)
{
	unsigned kind = kind_of(n);
	char *end;

	if (kind != JSONL_INT)
		return kind;
	errno = 0;
	(void)!strtoll(n->text.s, &end, 10);
	return errno ? JSONL_DECIMAL : JSONL_INT;
}

static int32_t learn_names(struct jsonl_self *s, struct jsonl_lines *r, const struct wbl_node *o)
{
	for (const struct wbl_node *c = o->child; c; c = c->next) {
		if (find(s, &c->key))
			continue;
		if (!usable_name(&c->key))
			return jsonl_bad(r, "Name the columns to be taken by `columns`.",
				"the key \"%.100s\" cannot be the name of a column", c->key.s);
		add(s, &c->key);
	}
	return WBL_OK;
}

static int32_t learn_line(struct jsonl_self *s, struct jsonl_lines *r)
{
	const struct wbl_node **values;
	struct wbl_doc *d = NULL;
	int32_t rc = jsonl_object(r, &d);

	if (rc)
		return rc;
	if (!s->given)
		rc = learn_names(s, r, wbl_doc_root(d));
	values = wbl_sdk_alloc((s->ncols + 1) * sizeof(*values));
	rc = rc ? rc : jsonl_place(r, wbl_doc_root(d), values);
	for (size_t i = 0; !rc && i < s->ncols; i++)
		if (values[i])
			s->cols[i].kinds |= kind_exact(values[i]);
	free(values);
	wbl_doc_free(d);
	return rc;
}

static int32_t learn(struct jsonl_self *s, struct wbl_call *own)
{
	int refuse = s->refuse_missing;
	struct jsonl_lines r;
	char bom[3];
	int32_t rc = WBL_OK;

	if (pread(s->fd, bom, 3, 0) == 3 && !memcmp(bom, "\xef\xbb\xbf", 3))
		s->data_start = 3;
	jsonl_lines_init(&r, s, own, s->data_start, 1);
	/* What a column is must be known before it can be missed. */
	s->refuse_missing = 0;
	for (int n = 0; !rc && n < JSONL_SAMPLE_LINES && r.offset < JSONL_SAMPLE_BYTES; n++) {
		rc = jsonl_lines_next(&r);
		rc = rc ? rc : learn_line(s, &r);
	}
	s->refuse_missing = refuse;
	jsonl_lines_clear(&r);
	/* What is written here may hold no row yet. */
	if (rc >= 0 && !s->ncols && !(s->write && !s->size))
		rc = wbl_error_report(own, WBL_E_PARAM, s->path,
			"Check the path, or name the columns by `columns`.",
			"no line of the file has a key");
	return rc == WBL_END ? WBL_OK : rc;
}

static int32_t columns(struct jsonl_self *s, struct wbl_call *own)
{
	const struct wbl_node *list = wbl_param_json(own, "columns");

	for (const struct wbl_node *c = list ? list->child : NULL; c; c = c->next) {
		if (!usable_name(&c->text) || find(s, &c->text))
			return wbl_error_report(own, WBL_E_PARAM, "columns",
				"Give names that differ and begin with neither # nor =.",
				"\"%s\" cannot be the name of a column here", c->text.s);
		add(s, &c->text);
		s->given = 1;
	}
	return WBL_OK;
}

/* A file that is being written knows its columns from the journal beside it. */
static void columns_written(struct jsonl_self *s)
{
	struct wbl_doc *d = wbl_doc_parse(s->side.columns.s, s->side.columns.len, NULL);

	while (s->ncols--)
		free(s->cols[s->ncols].name);
	s->ncols = 0;
	for (const struct wbl_node *c = d ? wbl_doc_root(d)->child : NULL; c; c = c->next)
		add(s, &wbl_node_at(c, "name")->text)->type =
			wbl_sdk_strdup(wbl_node_str(c, "type"));
	s->given = 0;
	wbl_doc_free(d);
}

static int32_t open_side(struct jsonl_self *s, struct wbl_call *own)
{
	int32_t rc = side_load(&s->side, own);

	if (!rc && s->side.table)
		columns_written(s);
	return rc;
}

static int32_t open_file(struct jsonl_self *s, struct wbl_call *own)
{
	/* Without a table on record the file is not there yet, whatever a dead process left. */
	if (s->side.exists && !s->side.table)
		return WBL_OK;
	s->fd = open(s->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (s->fd < 0 && errno == ENOENT)
		return WBL_OK;
	if (s->fd < 0 || fstat(s->fd, &s->seen))
		return wbl_error_report(own, WBL_E_UNAVAILABLE, s->path,
			"Check the file's mode and the engine's user.", "cannot read: %s",
			strerror(errno));
	if (!S_ISREG(s->seen.st_mode))
		return wbl_error_report(own, WBL_E_PARAM, s->path, NULL, "not a regular file");
	s->size = (uint64_t)s->seen.st_size;
	if (s->side.open && s->size > s->side.length)
		s->size = s->side.length;
	if (s->side.table)
		return WBL_OK;
	posix_fadvise(s->fd, 0, 0, POSIX_FADV_SEQUENTIAL);
	return learn(s, own);
}

static int32_t store_open(const struct wbl_store *me, struct wbl_call *own, uint32_t flags,
	void **ret_self, uint64_t *ret_capabilities)
{
	struct jsonl_self *s;
	const char *base;
	int32_t rc;

	(void)me;
	s = wbl_sdk_alloc(sizeof *s);
	s->fd = -1;
	s->path = wbl_sdk_strdup(wbl_param_text(own, "path").s);
	s->real = realpath(s->path, NULL);
	base = strrchr(s->path, '/');
	s->write = (flags & WBL_OPEN_WRITE) != 0;
	s->marks = wbl_param_bool(own, "marks", 1);
	side_init(&s->side, s->path);
	s->set = wbl_sdk_strdup(*wbl_param_text(own, "table").s ? wbl_param_text(own, "table").s
				: base                          ? base + 1
								: s->path);
	s->refuse_missing = !strcmp(wbl_param_text(own, "missing").s, "refuse");
	rc = columns(s, own);
	rc = rc ? rc : open_side(s, own);
	rc = rc ? rc : open_file(s, own);
	if (rc) {
		store_close(s);
		return rc;
	}
	*ret_self = s;
	*ret_capabilities = WBL_CAN_BYTES | WBL_CAN_WRITE | WBL_CAN_SCHEMA;
	return WBL_OK;
}

/* Size, time, and what stands at the beginning, in the middle and at the end. */
static void identity(struct jsonl_self *s, struct wbl_out *o)
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

/* Where the lines have values of several kinds, only "any" keeps a number and its text apart. */
static const char *type_of(unsigned kinds)
{
	switch (kinds) {
	case JSONL_INT:
		return "int";
	case JSONL_DECIMAL:
	case JSONL_DECIMAL | JSONL_INT:
		return "decimal";
	case JSONL_BOOL:
		return "bool";
	case JSONL_TEXT:
		return "text";
	case JSONL_JSON:
		return "json";
	default:
		return "any";
	}
}

static void tell_set(struct jsonl_self *s, struct wbl_out *o)
{
	wbl_out_open(o, NULL, '{');
	wbl_out_text(o, "name", s->set);
	wbl_out_text(o, "kind", "file");
	wbl_out_text(o, "position", "line");
	wbl_out_int(o, "bytes", (int64_t)s->size);
	wbl_out_open(o, "columns", '[');
	for (size_t i = 0; i < s->ncols; i++) {
		wbl_out_open(o, NULL, '{');
		wbl_out_text(o, "name", s->cols[i].name);
		wbl_out_text(
			o, "type", s->cols[i].type ? s->cols[i].type : type_of(s->cols[i].kinds));
		wbl_out_bool(o, "not_null", 0);
		wbl_out_close(o, '}');
	}
	wbl_out_close(o, ']');
	wbl_out_open(o, "key", '[');
	wbl_out_close(o, ']');
	wbl_out_open(o, "indexes", '[');
	wbl_out_close(o, ']');
	wbl_out_close(o, '}');
}

static int32_t store_describe(
	void *self, struct wbl_call *call, const char *set, const char **ret_json)
{
	struct jsonl_self *s = self;
	struct wbl_out *o = &s->text;

	(void)call;
	if (set && (s->fd < 0 || strcmp(set, s->set) != 0))
		return WBL_END;
	wbl_out_reset(o);
	wbl_out_open(o, NULL, '{');
	wbl_out_text(o, "store", "jsonl");
	wbl_out_text(o, "dialect", "jsonl");
	wbl_out_bool(o, "exists", s->fd >= 0 || s->side.exists);
	wbl_out_open(o, "limits", '{');
	wbl_out_int(o, "writers", 1);
	wbl_out_close(o, '}');
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

static const struct wbl_store jsonl_store = {
	.size = sizeof jsonl_store,
	.revision = 1,
	.name = "jsonl",
	.open = store_open,
	.close = store_close,
	.describe = store_describe,
	.count = jsonl_count,
	.split = jsonl_split,
	.scan = jsonl_scan,
	.read = jsonl_read,
	.scan_end = jsonl_scan_end,
	.write = jsonl_write,
	.append = jsonl_append,
	.commit = jsonl_commit,
	.abort = jsonl_abort,
	.receipt = jsonl_receipt,
	.schema = jsonl_schema,
};
WBL_MODULE(jsonl, "org.whimbrel.store.jsonl", "0.1.0", WBL_STORE(&jsonl_store))
