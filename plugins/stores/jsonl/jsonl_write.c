/* jsonl_write.c - rows appended as objects, a line each.
 * In: batches of canonical rows, columns with their types.  Out: lines which read back as the same cells: what JSON has no form for is an
 * object of one member, {"$base64":"..."}, {"$real":"..."}, {"$json":...}.  Rows are made durable, then the receipt, by
 * which they count.
 * SPDX-License-Identifier: Apache-2.0 */
#include "jsonl_impl.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct jsonl_writer {
	struct jsonl_self *self;
	char **names;
	int32_t *types;
	size_t ncols;
	struct wbl_out lines;
	char *origin, *set;
	uint64_t epoch, at, written;
};

/* ---- one value ---- */

static void base64(struct wbl_out *o, const uint8_t *p, size_t n)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

	for (size_t i = 0; i < n; i += 3) {
		uint32_t v = (uint32_t)p[i] << 16 | (uint32_t)(i + 1 < n ? p[i + 1] : 0) << 8 |
			     (i + 2 < n ? p[i + 2] : 0);
		char four[4] = { digits[v >> 18], digits[v >> 12 & 63], digits[v >> 6 & 63],
			digits[v & 63] };

		memset(four + (n - i >= 3 ? 4 : n - i + 1), '=', n - i >= 3 ? 0 : 3 - (n - i));
		wbl_out_add(o, four, 4);
	}
}

static int clean_text(const struct wbl_cell *c)
{
	const uint8_t *p = c->data, *end = p + c->len, *nul;

	for (; (nul = memchr(p, 0, (size_t)(end - p))); p = nul + 1)
		if (!wbl_utf8_ok(p, (size_t)(nul - p)))
			return 0;
	return wbl_utf8_ok(p, (size_t)(end - p));
}

static const char *marked(struct wbl_out *o, const struct wbl_cell *c, int32_t type)
{
	struct wbl_out name = { 0 }, text = { 0 };

	wbl_out_fmt(&name, "$%s", wbl_type_name(type));
	wbl_cell_show(&text, c);
	wbl_out_open(o, NULL, '{');
	wbl_out_textn(o, name.s, text.s, text.len);
	wbl_out_close(o, '}');
	wbl_out_clear(&name);
	wbl_out_clear(&text);
	return NULL;
}

static const char *shown(struct wbl_out *o, const struct wbl_cell *c, int32_t type, int32_t own)
{
	struct wbl_out text = { 0 };

	if (type != own)
		return marked(o, c, own);
	wbl_cell_show(&text, c);
	wbl_out_textn(o, NULL, text.s, text.len);
	wbl_out_clear(&text);
	return NULL;
}

static const char *real(struct wbl_out *o, const struct wbl_cell *c, int32_t type)
{
	double d = wbl_cell_get_real(c);
	struct wbl_out text = { 0 };

	if (isnan(d) || isinf(d))
		return "JSON has no such number";
	if (fpclassify(d) == FP_SUBNORMAL)
		return "a number so near to zero does not read back exactly";
	if (type != WBL_TYPE_REAL || c->tag != WBL_CELL_REAL)
		return marked(o, c, c->tag == WBL_CELL_REAL ? WBL_TYPE_REAL : WBL_TYPE_REAL32);
	wbl_cell_show(&text, c);
	wbl_out_json(o, NULL, text.s);
	wbl_out_clear(&text);
	return NULL;
}

static const char *json(struct wbl_out *o, const struct wbl_cell *c)
{
	struct wbl_out text = { 0 };
	int wrap = !c->len || (c->data[0] != '{' && c->data[0] != '[') ||
		   (c->len > 2 && !memcmp(c->data, "{\"$", 3));

	wbl_out_add(&text, c->data, c->len);
	if (wrap)
		wbl_out_open(o, NULL, '{');
	wbl_out_json(o, wrap ? "$json" : NULL, text.s);
	if (wrap)
		wbl_out_close(o, '}');
	wbl_out_clear(&text);
	return NULL;
}

static const char *bytes(struct wbl_out *o, const struct wbl_cell *c)
{
	struct wbl_out text = { 0 };

	wbl_out_reset(&text);
	base64(&text, c->data, c->len);
	wbl_out_open(o, NULL, '{');
	wbl_out_textn(o, "$base64", text.len ? text.s : "", text.len);
	wbl_out_close(o, '}');
	wbl_out_clear(&text);
	return NULL;
}

/* NULL, or why the value cannot be kept. */
static const char *value(struct wbl_out *o, const struct wbl_cell *c, int32_t type)
{
	struct wbl_out text = { 0 };

	switch (c->tag) {
	case WBL_CELL_NULL:
		wbl_out_json(o, NULL, "null");
		return NULL;
	case WBL_CELL_INT:
		if (type == WBL_TYPE_BOOL && (uint64_t)wbl_cell_get_int(c) <= 1)
			wbl_out_bool(o, NULL, wbl_cell_get_int(c) != 0);
		else
			wbl_out_int(o, NULL, wbl_cell_get_int(c));
		return NULL;
	case WBL_CELL_DECIMAL:
		if (c->len > JSONL_MOST_DIGITS)
			return "a number of more than 398 digits";
		wbl_out_add(&text, c->data, c->len);
		wbl_out_json(o, NULL, text.s);
		wbl_out_clear(&text);
		return NULL;
	case WBL_CELL_REAL:
	case WBL_CELL_REAL32:
		return real(o, c, type);
	case WBL_CELL_TEXT:
	case WBL_CELL_RAW:
		if (c->tag == WBL_CELL_RAW && !clean_text(c))
			return "a text that is not UTF-8";
		wbl_out_textn(o, NULL, (const char *)c->data, c->len);
		return NULL;
	case WBL_CELL_BYTES:
		return bytes(o, c);
	case WBL_CELL_JSON:
		return json(o, c);
	case WBL_CELL_INSTANT:
		return shown(o, c, type, WBL_TYPE_INSTANT);
	case WBL_CELL_LOCAL:
		return shown(o, c, type, WBL_TYPE_LOCAL);
	case WBL_CELL_DATE:
		return shown(o, c, type, WBL_TYPE_DATE);
	case WBL_CELL_UUID:
		return shown(o, c, type, WBL_TYPE_UUID);
	default:
		return "a list";
	}
}

/* ---- the writer ---- */

static void writer_free(struct jsonl_writer *w)
{
	for (size_t i = 0; i < w->ncols; i++)
		free(w->names[i]);
	free(w->names);
	free(w->types);
	free(w->origin);
	free(w->set);
	wbl_out_clear(&w->lines);
	side_unlock(&w->self->side);
	free(w);
}

static int32_t take_columns(
	struct jsonl_writer *w, struct wbl_call *call, const char *const *columns)
{
	struct side *s = &w->self->side;
	struct wbl_doc *d = wbl_doc_parse(s->columns.s, s->columns.len, NULL);
	const struct wbl_node *c = wbl_doc_root(d);
	int32_t rc = WBL_OK;

	w->names = wbl_sdk_alloc((c ? c->count + 1 : 1) * sizeof *w->names);
	w->types = wbl_sdk_alloc((c ? c->count + 1 : 1) * sizeof *w->types);
	for (c = c ? c->child : NULL; c; c = c->next) {
		const char *type = wbl_node_str(c, "type");

		w->names[w->ncols] = wbl_sdk_strdup(wbl_node_str(c, "name"));
		w->types[w->ncols++] = type ? wbl_type_by_name(type) : WBL_TYPE_ANY;
	}
	for (size_t i = 0; !rc && i <= w->ncols; i++)
		if ((i == w->ncols) != !columns[i] ||
			(columns[i] && strcmp(columns[i], w->names[i]) != 0))
			rc = wbl_error_report(call, WBL_E_PARAM, w->self->path, NULL,
				"the columns are not those with which the file was made");
	wbl_doc_free(d);
	return rc;
}

/* What a dead writer left behind what counts is cut off; until the commit, the tail is on record as ours. */
static int32_t begin(struct jsonl_writer *w, struct wbl_call *call)
{
	struct side *s = &w->self->side;
	struct stat st;
	int32_t rc = side_open_file(s, call, 0);

	if (rc)
		return rc;
	if (fstat(s->file, &st) || (uint64_t)st.st_size < s->length ||
		(!s->open && (uint64_t)st.st_size != s->length))
		return wbl_error_report(call, WBL_E_STALE, w->self->path,
			"Let nobody else write to the file.",
			"the file is not as this run left it");
	rc = side_add(s, call, "{\"open\":true}");
	if (!rc && ftruncate(s->file, (off_t)s->length))
		rc = wbl_error_report(
			call, WBL_E_FAILED, w->self->path, NULL, "cannot cut: %s", strerror(errno));
	w->at = s->length;
	return rc;
}

int32_t jsonl_write(
	void *self, struct wbl_call *call, const struct wbl_write *write, void **ret_writer)
{
	struct jsonl_self *s = self;
	struct jsonl_writer *w;
	int32_t rc;

	if (!s->write || write->mode != WBL_MODE_INSERT || !write->set || !write->columns ||
		strcmp(write->set, s->set) != 0)
		return wbl_error_report(call, WBL_E_UNSUPPORTED, s->path, NULL,
			s->write ? "rows are only added, to the one table \"%s\""
				 : "opened for reading: \"%s\"",
			s->set);
	rc = side_lock(&s->side, call);
	if (rc == WBL_OK && !s->side.table)
		rc = WBL_END;
	if (rc) {
		side_unlock(&s->side);
		return rc < 0 ? rc
			      : wbl_error_report(call, WBL_E_UNSUPPORTED, s->path,
					"Move the file away, or choose another path.",
					"only a new file is written");
	}
	w = wbl_sdk_alloc(sizeof *w);
	w->self = s;
	w->epoch = write->epoch;
	w->origin = write->origin ? wbl_sdk_strdup(write->origin) : NULL;
	w->set = wbl_sdk_strdup(write->set);
	rc = side_fenced(&s->side, call, w->origin, w->epoch);
	rc = rc ? rc : take_columns(w, call, write->columns);
	rc = rc ? rc : begin(w, call);
	if (rc)
		writer_free(w);
	else
		*ret_writer = w;
	return rc;
}

static const char *line(struct jsonl_writer *w, const struct wbl_row *row)
{
	struct wbl_bytes cells = row->cells;
	const char *why = NULL;
	struct wbl_cell c;

	if (row->kind != WBL_ROW_PUT)
		return "only rows to be put are taken";
	w->lines.comma = 0;
	wbl_out_open(&w->lines, NULL, '{');
	for (size_t i = 0; !why && i < w->ncols; i++) {
		if (wbl_cell_next(&cells, &c) != 1)
			return "it has too few cells";
		wbl_out_textn(&w->lines, NULL, w->names[i], strlen(w->names[i]));
		wbl_out_add(&w->lines, ":", 1);
		w->lines.comma = 0;
		why = value(&w->lines, &c, w->types[i]);
	}
	wbl_out_close(&w->lines, '}');
	wbl_out_add(&w->lines, "\n", 1);
	return why || !cells.len ? why : "it has too many cells";
}

static int32_t flush(struct jsonl_writer *w, struct wbl_call *call)
{
	const char *p = w->lines.s;
	size_t left = w->lines.len;

	while (left) {
		ssize_t n = pwrite(w->self->side.file, p, left, (off_t)w->at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return wbl_error_report(call, WBL_E_RESOURCES, w->self->path,
				"Make room on the disk.", "cannot write: %s", strerror(errno));
		p += n;
		left -= (size_t)n;
		w->at += (uint64_t)n;
	}
	return WBL_OK;
}

int32_t jsonl_append(
	void *writer, struct wbl_call *call, const struct wbl_batch *batch, uint64_t *ret_bad)
{
	struct jsonl_writer *w = writer;
	uint64_t at = 0, n = 0;
	const char *why = NULL;
	struct wbl_row row;
	int32_t rc;
	int more;

	wbl_out_reset(&w->lines);
	for (; !why && (more = wbl_batch_next(batch, &at, &row)) != 0; n++)
		why = more < 0 ? "the batch is damaged" : line(w, &row);
	if (why) {
		if (ret_bad)
			*ret_bad = n - 1;
		return wbl_error_report(call, WBL_E_PARAM, w->self->path, NULL,
			"table \"%s\", row %llu of the batch: %s", w->set,
			(unsigned long long)(n - 1), why);
	}
	rc = flush(w, call);
	w->written += rc ? 0 : n;
	return rc;
}

int32_t jsonl_commit(void *writer, struct wbl_call *call, const struct wbl_receipt *receipt,
	struct wbl_outcome *ret)
{
	struct jsonl_writer *w = writer;
	struct wbl_out o = { 0 };
	int32_t rc = WBL_OK;

	if (fdatasync(w->self->side.file))
		rc = wbl_error_report(call, WBL_E_RESOURCES, w->self->path, NULL, "cannot sync: %s",
			strerror(errno));
	WBL_FAULT(call, "rows_written");
	wbl_out_open(&o, NULL, '{');
	wbl_out_int(&o, "length", (int64_t)w->at);
	side_tell_receipt(&o, receipt, w->origin, w->set, w->written);
	wbl_out_close(&o, '}');
	rc = rc ? rc : side_add(&w->self->side, call, o.s);
	wbl_out_clear(&o);
	if (rc) {
		jsonl_abort(w);
		return rc;
	}
	*ret = (struct wbl_outcome){ .size = sizeof *ret, .written = w->written };
	writer_free(w);
	return WBL_OK;
}

void jsonl_abort(void *writer)
{
	struct jsonl_writer *w = writer;
	struct side *s;

	if (!w)
		return;
	s = &w->self->side;
	/* If this fails, the tail stays on record as one that does not count. */
	if (!ftruncate(s->file, (off_t)s->length))
		side_add(s, NULL, "{\"open\":false}");
	writer_free(w);
}

int32_t jsonl_receipt(void *self, struct wbl_call *call, const char *key, struct wbl_bytes *ret)
{
	struct jsonl_self *s = self;
	const struct side_receipt *r;
	int32_t rc = side_load(&s->side, call);

	if (rc)
		return rc;
	r = side_find(&s->side, key);
	if (!r)
		return WBL_END;
	*ret = (struct wbl_bytes){ r->body.s, r->body.len };
	return WBL_OK;
}

int32_t jsonl_schema(
	void *self, struct wbl_call *call, const struct wbl_schema *in, const char **ret_text)
{
	struct jsonl_self *s = self;
	int32_t rc;

	if (!s->write && !(in->flags & 1))
		return wbl_error_report(
			call, WBL_E_UNSUPPORTED, s->path, NULL, "opened for reading");
	rc = side_change(&s->side, call, s->set, in, &s->text);
	if (ret_text)
		*ret_text = s->text.s ? s->text.s : "";
	return rc;
}
