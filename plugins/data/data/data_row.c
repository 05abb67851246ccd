/* data_row.c - one batch of the source becomes one of the target: columns picked, trimmed, cast; rows that cannot be taken named.
 * In: a batch in the order of table->scan (or, reading back, of table->names).  Out: a batch in target form, and sums over it.
 * SPDX-License-Identifier: Apache-2.0 */
#include "data_alter.h"

#include <stdlib.h>
#include <string.h>

void data_flow_init(
	struct data_flow *f, struct wbl_call *call, struct data_table *t, int check_only)
{
	memset(f, 0, sizeof *f);
	f->call = call;
	f->table = t;
	f->check_only = check_only;
	if (check_only)
		data_back_begin(t);
	f->cells = wbl_sdk_alloc((t->nscan + t->ncols + 1) * sizeof *f->cells);
}

void data_flow_clear(struct data_flow *f)
{
	wbl_rows_clear(&f->out);
	data_state_free(f->state);
	free(f->origins);
	free(f->cells);
	memset(f, 0, sizeof *f);
}

static int32_t damaged(struct data_flow *f)
{
	return wbl_error_report(f->call, WBL_E_ABI, f->table->from, NULL,
		"the store gave a batch that cannot be read");
}

static int take_cells(struct wbl_bytes cells, struct wbl_cell *to, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (wbl_cell_next(&cells, &to[i]) != 1)
			return -1;
	return cells.len ? -1 : 0;
}

void data_key_json(const struct data_table *t, struct wbl_bytes cells, struct wbl_out *o)
{
	struct wbl_cell *all = wbl_sdk_alloc(t->ncols * sizeof *all);
	struct wbl_out text = { 0 };
	size_t n = t->nkey ? t->nkey : t->ncols;

	wbl_out_reset(o);
	wbl_out_open(o, NULL, '{');
	if (!take_cells(cells, all, t->ncols))
		for (size_t i = 0; i < n; i++) {
			size_t at = t->nkey ? t->key[i] : i;

			wbl_out_reset(&text);
			wbl_cell_show(&text, &all[at]);
			wbl_out_textn(o, t->cols[at].name, text.s, text.len > 200 ? 200 : text.len);
		}
	wbl_out_close(o, '}');
	wbl_out_clear(&text);
	free(all);
}

static struct wbl_cell trimmed(struct wbl_cell c)
{
	while (c.len && (c.data[0] == ' ' || c.data[0] == '\t')) {
		c.data++;
		c.len--;
	}
	while (c.len && (c.data[c.len - 1] == ' ' || c.data[c.len - 1] == '\t'))
		c.len--;
	return c;
}

/* 0, or -1 with a reason: nothing of the cell is kept then. */
static int one_cell(struct data_flow *f, const struct data_column *c, const struct wbl_cell *in,
	const char **why)
{
	struct wbl_cell cell = *in;
	int text = cell.tag == WBL_CELL_TEXT;

	if (f->check_only) {
		data_back_cell(&f->out, &cell, c);
		return 0;
	}
	if (text && c->trim)
		cell = trimmed(cell);
	if ((text && c->null_if && cell.len == strlen(c->null_if) &&
		    !memcmp(cell.data, c->null_if, cell.len)) ||
		cell.tag == WBL_CELL_NULL) {
		if (c->not_null) {
			*why = "NULL where none may be";
			return -1;
		}
		wbl_cell_null(&f->out);
		return 0;
	}
	/* The trimmed text is no longer the cell as it was encoded. */
	if (cell.len != in->len && (c->type == WBL_TYPE_TEXT || c->type == WBL_TYPE_ANY)) {
		wbl_cell_blob(&f->out, WBL_CELL_TEXT, cell.data, cell.len);
		return 0;
	}
	return wbl_cell_cast(&f->out, &cell, c->type, why);
}

/* 0; 1 refused, and why; below 0 a status. */
static int32_t any_cell(struct data_flow *f, size_t i, int64_t position, const char **why)
{
	const struct data_column *c = &f->table->cols[i];

	if (f->check_only)
		return one_cell(f, c, &f->cells[i], why) ? 1 : 0;
	if (c->alter)
		return data_state_cell(f, i, position, why);
	if (c->at >= 0)
		return one_cell(f, c, &f->cells[c->at], why) ? 1 : 0;
	wbl_cell_copy(&f->out, c->constant.data, c->constant.len);
	return 0;
}

static int32_t refuse(struct data_flow *f, size_t i, int64_t position, const char *why)
{
	const struct data_column *c = &f->table->cols[i];
	const struct wbl_cell *in = f->check_only ? &f->cells[i]
				    : c->at >= 0  ? &f->cells[c->at]
						  : NULL;
	struct wbl_cell made;

	wbl_row_drop(&f->out);
	if (!in && !c->veiled && data_state_value(f, i, position, &made))
		in = &made;
	return data_flow_reject(f, position, c->name, c->veiled ? NULL : in, why);
}

static int32_t one_row(struct data_flow *f, const struct wbl_row *row)
{
	struct data_table *t = f->table;
	size_t n = f->check_only ? t->ncols : t->nscan;
	const char *why = "";
	int64_t position = -1;
	int32_t rc;

	if (take_cells(row->cells, f->cells, n))
		return damaged(f);
	if (!f->check_only && t->position >= 0 && f->cells[t->position].tag == WBL_CELL_INT)
		position = wbl_cell_get_int(&f->cells[t->position]);
	if (row->kind == WBL_ROW_BAD)
		return data_flow_reject(
			f, position, "(the row)", NULL, "no whole record stands there");
	if (!f->check_only && t->filters) {
		rc = data_state_takes(f, &why);
		if (rc <= 0)
			return rc ? data_flow_reject(f, position, "(the row)", NULL, why) : WBL_OK;
	}
	wbl_row_begin(&f->out, WBL_ROW_PUT);
	for (size_t i = 0; i < t->ncols; i++) {
		rc = any_cell(f, i, position, &why);
		if (rc > 0)
			return refuse(f, i, position, why);
		if (rc) {
			wbl_row_drop(&f->out);
			return rc;
		}
	}
	data_flow_origin(f, f->out.rows, position, f->row_at);
	wbl_row_end(&f->out);
	return WBL_OK;
}

void data_flow_origin(struct data_flow *f, uint64_t n, int64_t position, uint64_t at)
{
	if (n >= f->norigins) {
		f->norigins = f->norigins * 2 + 1024;
		f->origins = wbl_sdk_grow(f->origins, f->norigins * sizeof *f->origins);
	}
	f->origins[n] = (struct data_origin){ position, at };
}

static int plain(const struct data_table *t)
{
	for (size_t i = 0; i < t->ncols; i++)
		if (t->cols[i].type != WBL_TYPE_ANY && t->cols[i].type != WBL_TYPE_TEXT)
			return 0;
	return 1;
}

int32_t data_flow_convert(struct data_flow *f, const struct wbl_batch *in, struct wbl_batch *ret)
{
	struct wbl_batch made;
	uint64_t at = 0;
	struct wbl_row row;
	int32_t rc = WBL_OK;
	int more;

	if (!f->state && !f->check_only && f->table->veiled && (rc = data_state_begin(f)))
		return rc;
	f->bytes += in->len;
	if (f->table->transform && !f->check_only && !f->ready) {
		rc = data_transform_batch(f, in, &made);
		if (rc)
			return rc;
		in = &made;
	}
	/* Text that is text already is cast to itself: reading a target back copies nothing then. */
	if (f->table->straight || (f->check_only && plain(f->table))) {
		*ret = *in;
		ret->set = f->table->to;
		ret->columns = f->table->names;
		return WBL_OK;
	}
	wbl_rows_reset(&f->out);
	f->in = *in;
	for (f->row_at = 0; !rc && (more = wbl_batch_next(in, &at, &row)) != 0; f->row_at = at)
		rc = more < 0 ? damaged(f) : one_row(f, &row);
	if (!rc)
		wbl_rows_batch(&f->out, f->table->to, f->table->names, ret);
	return rc;
}

struct wbl_bytes data_key_cells(
	const struct data_table *t, struct wbl_bytes cells, struct wbl_rows *scratch)
{
	struct wbl_bytes rest = cells;
	struct wbl_cell c;
	size_t last = 0, leading = 0;

	if (!t->nkey)
		return cells;
	while (leading < t->nkey && t->key[leading] == leading)
		leading++;
	if (leading == t->nkey) {
		for (size_t i = 0; i < t->nkey; i++)
			if (wbl_cell_next(&rest, &c) != 1)
				return cells;
		return (struct wbl_bytes){ cells.data, cells.len - rest.len };
	}
	wbl_rows_reset(scratch);
	for (size_t k = 0; k < t->nkey; k++) {
		rest = cells;
		for (last = 0; last <= t->key[k]; last++)
			if (wbl_cell_next(&rest, &c) != 1)
				return cells;
		wbl_cell_copy(scratch, c.at, c.whole);
	}
	return (struct wbl_bytes){ scratch->data, scratch->len };
}

int32_t data_flow_sum(struct data_flow *f, const struct wbl_batch *b)
{
	struct wbl_rows scratch = { 0 };
	struct wbl_bytes key;
	struct wbl_row row;
	uint64_t at = 0;
	int more;

	while ((more = wbl_batch_next(b, &at, &row)) == 1) {
		wbl_sum_row(&f->sum, row.cells.data, row.cells.len);
		key = data_key_cells(f->table, row.cells, &scratch);
		wbl_sum_key(&f->sum, key.data, key.len);
	}
	wbl_rows_clear(&scratch);
	return more < 0 ? damaged(f) : WBL_OK;
}
