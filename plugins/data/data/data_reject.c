/* data_reject.c - rows that cannot be taken: named while the limit allows, else the reason why the copy stops.
 * In: a row that the mapping or the target refuses.  Out: a difference, or PARAM with the row's place, column and reason.
 * SPDX-License-Identifier: Apache-2.0 */
#include "data_impl.h"

#include <stdlib.h>
#include <string.h>

static void place_of(const struct data_table *t, int64_t position, struct wbl_out *o)
{
	const char *what = wbl_node_str(t->source, "position");

	wbl_out_reset(o);
	if (position < 0)
		wbl_out_fmt(o, "%s", t->from);
	else if (what && !strcmp(what, "line"))
		wbl_out_fmt(o, "%s:%lld", t->from, (long long)position);
	else
		wbl_out_fmt(o, "%s, %s %lld", t->from, what ? what : "row", (long long)position);
}

static int32_t tell_reject(struct data_flow *f, const char *where, const char *column,
	const char *why, const char *value)
{
	const struct wbl_check_service *check = wbl_service(f->call, "wbl.check/1");
	struct wbl_out key = { 0 };
	struct wbl_difference d = {
		.size = sizeof d,
		.kind = WBL_DIFF_REJECTED,
		.set = f->table->to,
		.field = column,
		.expected = why,
		.found = value,
	};
	int32_t rc = WBL_OK;

	wbl_out_open(&key, NULL, '{');
	wbl_out_text(&key, "source", where);
	wbl_out_close(&key, '}');
	d.key = key.s;
	if (check)
		rc = check->difference(f->call, &d);
	wbl_out_clear(&key);
	return rc < 0 ? rc : WBL_OK;
}

int32_t data_flow_reject(struct data_flow *f, int64_t position, const char *column,
	const struct wbl_cell *value, const char *why)
{
	struct wbl_out where = { 0 }, text = { 0 }, in = { 0 };
	int whole = column && column[0] == '(', quote = value && !whole;
	int32_t rc = WBL_OK;

	f->rejected++;
	if (f->quiet)
		return WBL_OK;
	place_of(f->table, position, &where);
	wbl_out_reset(&text);
	wbl_out_reset(&in);
	if (!whole)
		wbl_out_fmt(&in, "column \"%s\": ", column ? column : "?");
	if (value)
		wbl_cell_show(&text, value);
	if (text.len > 200)
		text.s[200] = 0;
	if (f->rejected <= (uint64_t)f->reject_limit)
		rc = tell_reject(f, where.s, column, why, text.s);
	else
		rc = wbl_error_report(f->call, WBL_E_PARAM, where.s,
			"Mend the source or the mapping, or allow some rejected rows by "
			"`reject_limit`.",
			"the row cannot go to table \"%s\": %s%s%s%s%s", f->table->to, in.s, why,
			quote   ? ": \""
			: value ? ": "
				: "",
			text.s, quote ? "\"" : "");
	wbl_out_clear(&where);
	wbl_out_clear(&text);
	wbl_out_clear(&in);
	return rc;
}

static void without_row(struct data_flow *f, uint64_t bad)
{
	struct wbl_rows kept = { 0 };
	struct wbl_batch b;
	struct wbl_row row;
	uint64_t at = 0, n = 0, k = 0;

	wbl_rows_batch(&f->out, NULL, NULL, &b);
	for (; wbl_batch_next(&b, &at, &row) == 1; n++) {
		if (n == bad)
			continue;
		wbl_row_begin(&kept, row.kind);
		wbl_cell_copy(&kept, row.cells.data, row.cells.len);
		wbl_row_end(&kept);
		f->positions[k++] = f->positions[n];
	}
	wbl_rows_clear(&f->out);
	f->out = kept;
}

static int32_t name_refused(struct data_flow *f, const struct wbl_batch *b, uint64_t bad)
{
	struct wbl_out key = { 0 };
	struct wbl_row row;
	uint64_t at = 0, n = 0;
	int64_t position = -1;
	int32_t rc = WBL_E_PARAM;
	struct wbl_cell none = { .tag = WBL_CELL_TEXT };

	while (wbl_batch_next(b, &at, &row) == 1 && n < bad)
		n++;
	data_key_json(f->table, row.cells, &key);
	if (b->data == f->out.data)
		position = f->positions[bad];
	none.data = (const uint8_t *)key.s;
	none.len = (uint32_t)key.len;
	rc = data_flow_reject(f, position, "(the row)", &none, "the target refuses it");
	wbl_out_clear(&key);
	return rc;
}

int32_t data_flow_append(
	struct data_flow *f, struct data_ends *e, void *writer, struct wbl_batch *b)
{
	uint64_t bad = 0;
	int32_t rc;

	for (;;) {
		rc = e->dst->append(writer, f->call, b, &bad);
		if (rc != WBL_E_PARAM || bad >= b->rows)
			return rc;
		rc = name_refused(f, b, bad);
		if (rc)
			return rc;
		if (b->data != f->out.data) {
			wbl_rows_reset(&f->out);
			wbl_cell_copy(&f->out, b->data, b->len);
			f->out.rows = b->rows;
			f->npositions = b->rows;
			f->positions = wbl_sdk_grow(f->positions, b->rows * sizeof(int64_t));
			memset(f->positions, 0xff, b->rows * sizeof(int64_t));
		}
		without_row(f, bad);
		wbl_rows_batch(&f->out, f->table->to, f->table->names, b);
	}
}
