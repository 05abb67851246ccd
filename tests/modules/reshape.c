/* reshape.c - transforms for tests, as an author outside would write them: "unfold" makes a row of each part of a list, "address" one
 * column of several, "odd" goes wrong in the way its parameter says.
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <whimbrel/sdk.h>

struct reshape {
	struct wbl_call *own;
	struct wbl_out columns;
	struct wbl_rows rows;
	struct wbl_cell *cells;
	size_t n, at;   /* columns that come in; the one with the list */
	size_t part[8]; /* of the address, in its order */
	size_t nparts;
	char *separator, *act;
};

static struct reshape *begin(
	struct wbl_call *own, const char *columns_in, struct wbl_doc **ret_columns)
{
	struct reshape *r = wbl_sdk_alloc(sizeof *r);

	*ret_columns = wbl_doc_parse(columns_in, strlen(columns_in), NULL);
	r->own = own;
	r->n = wbl_doc_root(*ret_columns)->count;
	r->cells = wbl_sdk_alloc((r->n + 1) * sizeof *r->cells);
	return r;
}

static void reshape_close(void *self)
{
	struct reshape *r = self;

	wbl_out_clear(&r->columns);
	wbl_rows_clear(&r->rows);
	free(r->cells);
	free(r->separator);
	free(r->act);
	free(r);
}

static size_t place(const struct wbl_node *columns, const char *name)
{
	size_t i = 0;

	for (const struct wbl_node *c = columns->child; c; c = c->next, i++)
		if (!strcmp(wbl_node_str(c, "name"), name))
			return i;
	return columns->count;
}

static int32_t cells_of(struct reshape *r, const struct wbl_row *row)
{
	struct wbl_bytes rest = row->cells;

	for (size_t i = 0; i < r->n; i++)
		if (wbl_cell_next(&rest, &r->cells[i]) != 1)
			return WBL_E_PARAM;
	return WBL_OK;
}

static void put_text(struct wbl_out *columns, const char *name, const char *type)
{
	wbl_out_open(columns, NULL, '{');
	wbl_out_text(columns, "name", name);
	wbl_out_text(columns, "type", type);
	wbl_out_close(columns, '}');
}

/* ---- unfold ---- */

static int32_t unfold_open(const struct wbl_transform *me, struct wbl_call *own,
	const char *columns_in, const char **ret_columns_out, void **ret_self)
{
	struct wbl_doc *doc;
	struct reshape *r = begin(own, columns_in, &doc);
	const char *column = wbl_param_text(own, "column").s;
	int32_t rc = WBL_OK;

	(void)me;
	r->separator = wbl_sdk_strdup(wbl_param_text(own, "separator").s);
	r->at = place(wbl_doc_root(doc), column);
	if (r->at == r->n)
		rc = wbl_error_report(own, WBL_E_PARAM, "column", "Name a column of the source.",
			"there is no column \"%s\"", column);
	wbl_out_open(&r->columns, NULL, '[');
	for (const struct wbl_node *c = wbl_doc_root(doc)->child; c; c = c->next)
		wbl_out_node(&r->columns, NULL, c);
	put_text(&r->columns, "part", "int");
	wbl_out_close(&r->columns, ']');
	wbl_doc_free(doc);
	*ret_columns_out = r->columns.s;
	*ret_self = r;
	if (rc)
		reshape_close(r);
	return rc;
}

static void put_part(struct reshape *r, const char *s, size_t len, int64_t number)
{
	wbl_row_begin(&r->rows, WBL_ROW_PUT);
	for (size_t i = 0; i < r->n; i++)
		if (i == r->at)
			wbl_cell_text(&r->rows, s, len);
		else
			wbl_cell_copy(&r->rows, r->cells[i].at, r->cells[i].whole);
	wbl_cell_int(&r->rows, number);
	wbl_row_end(&r->rows);
}

static int32_t unfold_apply(
	void *self, struct wbl_call *call, const struct wbl_batch *in, struct wbl_batch *ret)
{
	struct reshape *r = self;
	struct wbl_row row;
	uint64_t at = 0;

	(void)call;
	wbl_rows_reset(&r->rows);
	while (wbl_batch_next(in, &at, &row) == 1) {
		const struct wbl_cell *list;
		const char *s, *end, *next;
		int64_t n = 0;

		if (cells_of(r, &row))
			return wbl_error_report(call, WBL_E_PARAM, NULL, NULL, "a row is damaged");
		list = &r->cells[r->at];
		if (list->tag != WBL_CELL_TEXT)
			continue; /* nothing in it, no row */
		s = (const char *)list->data;
		end = s + list->len;
		for (; s < end; s = next + 1) {
			next = memchr(s, *r->separator, (size_t)(end - s));
			next = next ? next : end;
			put_part(r, s, (size_t)(next - s), ++n);
		}
	}
	wbl_rows_batch(&r->rows, NULL, NULL, ret);
	return WBL_OK;
}

/* ---- address ---- */

static int32_t address_open(const struct wbl_transform *me, struct wbl_call *own,
	const char *columns_in, const char **ret_columns_out, void **ret_self)
{
	struct wbl_doc *doc;
	struct reshape *r = begin(own, columns_in, &doc);
	const struct wbl_node *parts = wbl_param_json(own, "parts");

	(void)me;
	for (const struct wbl_node *p = parts ? parts->child : NULL; p && r->nparts < 8;
		p = p->next)
		r->part[r->nparts++] = place(wbl_doc_root(doc), p->text.s);
	wbl_out_open(&r->columns, NULL, '[');
	for (const struct wbl_node *c = wbl_doc_root(doc)->child; c; c = c->next)
		wbl_out_node(&r->columns, NULL, c);
	put_text(&r->columns, "address", "text");
	wbl_out_close(&r->columns, ']');
	wbl_doc_free(doc);
	*ret_columns_out = r->columns.s;
	*ret_self = r;
	return WBL_OK;
}

static int32_t address_apply(
	void *self, struct wbl_call *call, const struct wbl_batch *in, struct wbl_batch *ret)
{
	struct reshape *r = self;
	struct wbl_out text = { 0 };
	struct wbl_row row;
	uint64_t at = 0;

	(void)call;
	wbl_rows_reset(&r->rows);
	while (wbl_batch_next(in, &at, &row) == 1 && !cells_of(r, &row)) {
		wbl_out_reset(&text);
		for (size_t i = 0; i < r->nparts; i++) {
			const struct wbl_cell *c = &r->cells[r->part[i]];

			if (r->part[i] == r->n || c->tag == WBL_CELL_NULL || !c->len)
				continue;
			wbl_out_fmt(&text, "%s", text.len ? ", " : "");
			wbl_cell_show(&text, c);
		}
		wbl_row_begin(&r->rows, WBL_ROW_PUT);
		wbl_cell_copy(&r->rows, row.cells.data, row.cells.len);
		wbl_cell_text(&r->rows, text.s, text.len);
		wbl_row_end(&r->rows);
	}
	wbl_out_clear(&text);
	wbl_rows_batch(&r->rows, NULL, NULL, ret);
	return WBL_OK;
}

/* ---- odd ---- */

static int is(const struct reshape *r, const char *act)
{
	return !strcmp(r->act, act);
}

static int32_t odd_open(const struct wbl_transform *me, struct wbl_call *own,
	const char *columns_in, const char **ret_columns_out, void **ret_self)
{
	struct wbl_doc *doc;
	struct reshape *r = begin(own, columns_in, &doc);

	(void)me;
	wbl_doc_free(doc);
	r->act = wbl_sdk_strdup(wbl_param_text(own, "act").s);
	wbl_out_fmt(&r->columns, "%s",
		is(r, "no json")    ? "[{"
		: is(r, "none")     ? "[]"
		: is(r, "no list")  ? "{}"
		: is(r, "nameless") ? "[{\"type\":\"int\"}]"
		: is(r, "twice")    ? "[{\"name\":\"id\"},{\"name\":\"ID\"}]"
		: is(r, "bad type") ? "[{\"name\":\"id\",\"type\":\"number\"}]"
				    : "[{\"name\":\"id\"},{\"name\":\"s\"}]");
	*ret_columns_out = is(r, "silent") ? NULL : r->columns.s;
	*ret_self = r;
	if (is(r, "open status"))
		return 77;
	return WBL_OK;
}

static int32_t odd_apply(
	void *self, struct wbl_call *call, const struct wbl_batch *in, struct wbl_batch *ret)
{
	static const uint8_t garbage[] = { 200, 0, 0, 0, 0, 0, 'T', 9, 9, 9, 9 };
	struct reshape *r = self;

	(void)call, (void)in;
	wbl_rows_reset(&r->rows);
	wbl_row_begin(&r->rows, is(r, "deletes") ? WBL_ROW_DELETE : WBL_ROW_PUT);
	wbl_cell_int(&r->rows, 1);
	if (is(r, "not utf-8"))
		wbl_cell_blob(&r->rows, WBL_CELL_TEXT, "\xff\xfe", 2);
	else if (is(r, "no decimal"))
		wbl_cell_blob(&r->rows, WBL_CELL_DECIMAL, "1e9", 3);
	else if (!is(r, "few"))
		wbl_cell_text(&r->rows, "x", 1);
	if (is(r, "many"))
		wbl_cell_null(&r->rows);
	wbl_row_end(&r->rows);
	wbl_rows_batch(&r->rows, NULL, NULL, ret);
	if (is(r, "miscounts"))
		ret->rows = 3;
	if (is(r, "lane"))
		ret->lane = "own.binary";
	if (is(r, "nothing"))
		ret->data = NULL;
	if (is(r, "huge"))
		ret->rows = UINT64_MAX;
	if (is(r, "garbage")) {
		ret->data = garbage;
		ret->len = sizeof garbage;
	}
	if (is(r, "dies"))
		abort();
	for (; is(r, "never ends");)
		sleep(1);
	return is(r, "status") ? 77 : is(r, "end") ? WBL_END : WBL_OK;
}

static const struct wbl_transform unfold = { sizeof unfold, 1, "unfold", unfold_open, reshape_close,
	unfold_apply };
static const struct wbl_transform address = { sizeof address, 1, "address", address_open,
	reshape_close, address_apply };
static const struct wbl_transform odd = { sizeof odd, 1, "odd", odd_open, reshape_close,
	odd_apply };
WBL_MODULE(reshape, "org.whimbrel.test.reshape", "1.0.0", WBL_TRANSFORM(&unfold),
	WBL_TRANSFORM(&address), WBL_TRANSFORM(&odd))
