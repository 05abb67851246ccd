/* fuzz target: any text as an expression and as a format, over any values; masks and generated values of them.
 * In: the expression, a NUL, a format, a NUL, then the values of a row.
 * What is computed is computed twice, and is the same both times; what a format writes it reads again.
 * req: D5 X4
 * SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "plugins/data/data/data_alter.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { COLUMNS = 7 };

static void put_value(struct wbl_rows *r, unsigned kind, const uint8_t *p, size_t n)
{
	static const int32_t types[] = { WBL_TYPE_INT, WBL_TYPE_REAL, WBL_TYPE_DECIMAL,
		WBL_TYPE_INSTANT, WBL_TYPE_DATE, WBL_TYPE_JSON, WBL_TYPE_UUID };
	struct wbl_rows text = { 0 };
	struct wbl_bytes at;
	struct wbl_cell c;
	const char *why;

	wbl_cell_text(&text, p, n);
	at = (struct wbl_bytes){ text.data, text.len };
	wbl_cell_next(&at, &c);
	if (kind == 8)
		wbl_cell_null(r);
	else if (kind == 9)
		wbl_cell_blob(r, WBL_CELL_BYTES, p, n);
	else if (kind > 6 || wbl_cell_cast(r, &c, types[kind], &why))
		wbl_cell_copy(r, c.at, c.whole);
	wbl_rows_clear(&text);
}

static void make_row(struct wbl_rows *r, struct wbl_cell *cells, const uint8_t *p, size_t n)
{
	struct wbl_bytes at;

	for (int i = 0; i < COLUMNS; i++) {
		size_t len = n > 1 ? p[1] % 24u : 0;
		unsigned kind = n ? p[0] % 12u : 8;

		n -= n > 1 ? 2 : n;
		p += n ? 2 : 0;
		if (len > n)
			len = n;
		put_value(r, kind, p, len);
		p += len;
		n -= len;
	}
	at = (struct wbl_bytes){ r->data, r->len };
	for (int i = 0; i < COLUMNS; i++)
		if (wbl_cell_next(&at, &cells[i]) != 1)
			abort();
}

static void compute(const char *text, const struct wbl_cell *cells, int condition)
{
	static const char *const names[] = { "a", "b", "d", "at", "day", "j", "x y" };
	static const int32_t types[] = { WBL_TYPE_INT, WBL_TYPE_ANY, WBL_TYPE_DECIMAL,
		WBL_TYPE_INSTANT, WBL_TYPE_DATE, WBL_TYPE_JSON, WBL_TYPE_TEXT };
	struct data_names n = { names, types, COLUMNS, "t" };
	struct data_expr_error err;
	struct data_expr *x = data_expr_new(text, &n, condition, &err);
	struct data_eval *v = x ? data_eval_new() : NULL;
	sqlite3_stmt *st = v ? data_eval_prepare(v, x, &err) : NULL;
	struct wbl_rows one = { 0 }, two = { 0 };
	const char *why = NULL;
	int a, b;

	if (!x && !*err.text)
		abort();
	if (st && condition) {
		data_eval_truth(v, x, st, cells, x->used, &why);
	} else if (st) {
		a = data_eval_cell(v, x, st, cells, x->used, &one, &why);
		b = data_eval_cell(v, x, st, cells, x->used, &two, &why);
		if (a != b || one.len != two.len ||
			(one.len && memcmp(one.data, two.data, one.len) != 0))
			abort();
		if (a && !why)
			abort();
	}
	wbl_rows_clear(&one);
	wbl_rows_clear(&two);
	sqlite3_finalize(st);
	data_eval_free(v);
	data_expr_free(x);
}

static void dates(const char *format, const struct wbl_cell *c)
{
	struct wbl_out o = { 0 }, again = { 0 };
	struct data_time t, u;
	int zone;

	wbl_cell_show(&o, c);
	if (!data_format_check(format, 0, &zone) && o.s &&
		!data_format_parse(format, o.s, o.len, &t)) {
		wbl_out_reset(&o);
		data_format_show(format, &t, &o);
		if (!data_format_parse(format, o.s ? o.s : "", o.len, &u)) {
			data_format_show(format, &u, &again);
			if (again.len != o.len || (o.len && memcmp(again.s, o.s, o.len) != 0))
				abort();
		}
	}
	wbl_out_clear(&o);
	wbl_out_clear(&again);
}

static void masks(const struct wbl_cell *cells, unsigned seed)
{
	static const uint8_t key[MASK_KEY] = { 1, 2, 3 };
	struct data_alter a = { .keep = seed % 5, .days = 1 + seed % 400, .by = -1 };
	struct wbl_rows r = { 0 }, again = { 0 };
	const char *why = "";

	for (int i = 0; i < COLUMNS; i++) {
		int dated = cells[i].tag == WBL_CELL_DATE || cells[i].tag == WBL_CELL_INSTANT;
		int bad;

		if (cells[i].tag == WBL_CELL_NULL)
			continue;
		a.mask = dated ? MASK_SHIFT : (enum data_mask)(MASK_HASH + seed % 3);
		wbl_rows_reset(&r);
		wbl_rows_reset(&again);
		bad = data_mask_cell(&a, WBL_TYPE_TEXT, key, &cells[i], cells, &r, &why);
		if (bad != data_mask_cell(&a, WBL_TYPE_TEXT, key, &cells[i], cells, &again, &why) ||
			r.len != again.len || (r.len && memcmp(r.data, again.data, r.len) != 0))
			abort();
	}
	wbl_rows_clear(&r);
	wbl_rows_clear(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *end = size ? memchr(data, 0, size) : NULL, *more;
	struct wbl_cell cells[COLUMNS];
	struct wbl_rows row = { 0 };

	if (!end)
		return 0;
	more = memchr(end + 1, 0, size - (size_t)(end + 1 - data));
	if (!more)
		return 0;
	make_row(&row, cells, more + 1, size - (size_t)(more + 1 - data));
	compute((const char *)data, cells, 0);
	compute((const char *)data, cells, 1);
	for (int i = 0; i < COLUMNS; i++)
		dates((const char *)end + 1, &cells[i]);
	masks(cells, (unsigned)size);
	wbl_rows_clear(&row);
	return 0;
}
