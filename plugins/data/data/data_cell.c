/* data_cell.c - one value on its way: computed or read, trimmed, dated, mapped, looked up, cast, masked; in this order.
 * In: the cells of a row of the source.  Out: the cell of the target, or a reason (never with a masked value in it).
 * What a flow needs for it is made with the first row: flows without such columns pay nothing.
 * SPDX-License-Identifier: Apache-2.0 */
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "data_alter.h"

struct data_state {
	struct data_eval *eval;
	sqlite3_stmt **computes, *filter, **others;
	size_t ncols, nothers;
	struct data_lookup **lookups;
	uint8_t (*keys)[MASK_KEY];
	struct wbl_rows a, b; /* the value, and the one that it becomes */
};

void data_state_free(struct data_state *s)
{
	if (!s)
		return;
	for (size_t i = 0; i < s->ncols; i++) {
		sqlite3_finalize(s->computes[i]);
		data_lookup_close(s->lookups[i]);
	}
	for (size_t i = 0; i < s->nothers; i++)
		sqlite3_finalize(s->others[i]);
	sqlite3_finalize(s->filter);
	data_eval_free(s->eval);
	if (s->keys)
		sodium_memzero(s->keys, s->ncols * MASK_KEY);
	free(s->computes);
	free(s->others);
	free(s->lookups);
	free(s->keys);
	wbl_rows_clear(&s->a);
	wbl_rows_clear(&s->b);
	free(s);
}

static int32_t prepare(
	struct data_flow *f, struct data_state *s, const struct data_formula *x, sqlite3_stmt **ret)
{
	struct data_expr_error err;

	if (!x->expr)
		return WBL_OK;
	if (!s->eval)
		s->eval = data_eval_new();
	if (!s->eval)
		return wbl_error_report(f->call, WBL_E_RESOURCES, NULL, NULL,
			"the evaluator of expressions cannot be opened");
	*ret = data_eval_prepare(s->eval, x->expr, &err);
	return *ret ? WBL_OK
		    : wbl_error_report(
			      f->call, WBL_E_PARAM, f->table->to, err.hint, "%s", err.text);
}

static int32_t begin_column(struct data_flow *f, struct data_state *s, size_t i)
{
	struct data_ends e = { .call = f->call, .peers = wbl_service(f->call, "wbl.peer/1") };
	const struct data_alter *a = f->table->cols[i].alter;
	int32_t rc;

	if (!a)
		return WBL_OK;
	rc = prepare(f, s, &a->compute, &s->computes[i]);
	if (!rc && a->lookup)
		rc = data_lookup_open(&e, a->lookup, f->table->cols[i].veiled, &s->lookups[i]);
	if (!rc && (a->mask == MASK_HASH || a->mask == MASK_EMAIL || a->mask == MASK_SHIFT))
		rc = data_mask_key(f->call, a->mask_path, s->keys[i]);
	return rc;
}

int32_t data_state_begin(struct data_flow *f)
{
	const struct data_table *t = f->table;
	struct data_state *s = f->state = wbl_sdk_alloc(sizeof *s);
	const struct data_filters *x = t->filters;
	int32_t rc = WBL_OK;

	s->ncols = t->ncols;
	s->computes = wbl_sdk_alloc((t->ncols + 1) * sizeof *s->computes);
	s->lookups = wbl_sdk_alloc((t->ncols + 1) * sizeof *s->lookups);
	s->keys = wbl_sdk_alloc((t->ncols + 1) * sizeof *s->keys);
	s->others = wbl_sdk_alloc(((x ? x->nothers : 0) + 1) * sizeof *s->others);
	for (size_t i = 0; !rc && i < t->ncols; i++)
		rc = begin_column(f, s, i);
	if (!rc && x)
		rc = prepare(f, s, &x->own, &s->filter);
	for (size_t i = 0; !rc && x && i < x->nothers; i++) {
		rc = prepare(f, s, &x->others[i], &s->others[i]);
		s->nothers++;
	}
	return rc;
}

static int taken_elsewhere(struct data_flow *f, const char **why)
{
	const struct data_filters *x = f->table->filters;
	struct data_state *s = f->state;
	int yes;

	for (size_t i = 0; i < x->nothers; i++) {
		yes = data_eval_truth(
			s->eval, x->others[i].expr, s->others[i], f->cells, x->others[i].at, why);
		/* One that refuses the row names it in its own table. */
		if (yes)
			return 1;
	}
	return 0;
}

void data_rest_tell(struct wbl_call *call, const struct data_table *t, const struct wbl_totals *all)
{
	const struct wbl_digest *const *d = all ? all->digests : NULL;

	if (!t->filters || !t->filters->rest)
		return;
	for (; d && *d; d++)
		if ((*d)->set && !strcmp((*d)->set, DATA_REST) && (*d)->count)
			wbl_warning_report(call, t->from, "Look whether a `filter` is missing.",
				"%llu rows are taken by no entry of `tables`, and were %s, as "
				"`rest` of \"%s\" says",
				(unsigned long long)(*d)->count,
				t->filters->rest == REST_REJECT ? "rejected" : "left out", t->to);
}

int32_t data_state_takes(struct data_flow *f, const char **why)
{
	const struct data_filters *x = f->table->filters;
	struct data_state *s = f->state;
	int yes;

	if (!x || !x->own.expr)
		return 1;
	yes = data_eval_truth(s->eval, x->own.expr, s->filter, f->cells, x->own.at, why);
	if (yes || x->rest == REST_UNSEEN || taken_elsewhere(f, why))
		return yes;
	f->rest++;
	*why = "no entry of `tables` takes it";
	return x->rest == REST_REJECT ? -1 : 0;
}

/* ---- the steps: each takes *c and leaves it, or puts another value into s->b ---- */

static void adopt(struct data_state *s, struct wbl_cell *c)
{
	struct wbl_rows was = s->a;
	struct wbl_bytes at;

	s->a = s->b;
	s->b = was;
	at = (struct wbl_bytes){ s->a.data, s->a.len };
	wbl_cell_next(&at, c);
}

static struct wbl_rows *fresh(struct data_state *s)
{
	wbl_rows_reset(&s->b);
	return &s->b;
}

static void take(struct data_state *s, struct wbl_cell *c, const struct wbl_rows *cell)
{
	wbl_cell_copy(fresh(s), cell->data, cell->len);
	adopt(s, c);
}

static void be_null(struct data_state *s, struct wbl_cell *c)
{
	wbl_cell_null(fresh(s));
	adopt(s, c);
}

static int source_value(
	struct data_flow *f, size_t i, int64_t position, struct wbl_cell *c, const char **why)
{
	const struct data_column *col = &f->table->cols[i];
	const struct data_alter *a = col->alter;
	struct data_state *s = f->state;
	int bad = 0;

	if (a->compute.expr)
		bad = data_eval_cell(s->eval, a->compute.expr, s->computes[i], f->cells,
			a->compute.at, fresh(s), why);
	else if (a->generate)
		bad = data_generate_cell(f->table, a, f->cells, position, fresh(s), why);
	else if (col->at < 0)
		wbl_cell_copy(fresh(s), col->constant.data, col->constant.len);
	else {
		*c = f->cells[col->at];
		return 0;
	}
	if (!bad)
		adopt(s, c);
	return bad;
}

static void trim(struct data_state *s, const struct data_column *col, struct wbl_cell *c)
{
	const uint8_t *p = c->data, *end = c->data + c->len;

	if (c->tag != WBL_CELL_TEXT)
		return;
	while (col->trim && p < end && (*p == ' ' || *p == '\t'))
		p++;
	while (col->trim && end > p && (end[-1] == ' ' || end[-1] == '\t'))
		end--;
	if (col->null_if && (size_t)(end - p) == strlen(col->null_if) &&
		!memcmp(p, col->null_if, (size_t)(end - p))) {
		be_null(s, c);
	} else if ((size_t)(end - p) != c->len) {
		wbl_cell_blob(fresh(s), WBL_CELL_TEXT, p, (size_t)(end - p));
		adopt(s, c);
	}
}

static int read_time(const struct data_alter *a, const struct wbl_cell *c, struct data_time *t)
{
	char b[40];
	size_t n;

	if (c->tag == WBL_CELL_TEXT && a->nformats && !a->show) {
		for (size_t i = 0; i < a->nformats; i++)
			if (!data_format_parse(a->formats[i], (const char *)c->data, c->len, t))
				return 0;
		return -1;
	}
	if (c->tag == WBL_CELL_TEXT)
		return data_time_iso((const char *)c->data, c->len, t);
	if (c->tag == WBL_CELL_DATE)
		n = wbl_date_show((int32_t)wbl_cell_get_int(c), b);
	else if (c->tag == WBL_CELL_INSTANT || c->tag == WBL_CELL_LOCAL)
		n = wbl_time_show(wbl_cell_get_int(c), c->data[8], c->tag == WBL_CELL_INSTANT, b);
	else
		return -1;
	return data_time_iso(b, n, t);
}

static int dated(
	struct data_state *s, const struct data_column *col, struct wbl_cell *c, const char **why)
{
	const struct data_alter *a = col->alter;
	struct wbl_out o = { 0 };
	struct data_time t;

	if (!a->nformats && !a->zone)
		return 0;
	if (read_time(a, c, &t)) {
		*why = a->nformats && !a->show ? "a date in none of the declared formats"
					       : "no date or time";
		return -1;
	}
	if (a->show) {
		if (a->zone)
			data_time_to_clock(&t, a->zone);
		data_format_show(a->formats[0], &t, &o);
		wbl_cell_text(fresh(s), o.s ? o.s : "", o.len);
		wbl_out_clear(&o);
		adopt(s, c);
		return 0;
	}
	if (a->zone && col->type == WBL_TYPE_INSTANT &&
		data_time_to_instant(&t, a->zone, a->change, why))
		return -1;
	if (a->zone && col->type == WBL_TYPE_LOCAL && t.has_zone) {
		data_time_to_clock(&t, a->zone);
		t.has_zone = t.east = 0;
	}
	if (data_time_cell(&t, col->type, fresh(s), why))
		return -1;
	adopt(s, c);
	return 0;
}

static int by_text(const void *key, const void *pair)
{
	return strcmp(key, ((const struct data_pair *)pair)->from);
}

/* 0 done; -1 refused. */
static int other_value(struct data_state *s, enum data_otherwise how, const struct wbl_rows *value,
	struct wbl_cell *c)
{
	if (how == OTHERWISE_REJECT)
		return -1;
	if (how == OTHERWISE_NULL)
		be_null(s, c);
	else if (how == OTHERWISE_VALUE)
		take(s, c, value);
	return 0;
}

static int mapped(
	struct data_state *s, const struct data_alter *a, struct wbl_cell *c, const char **why)
{
	struct wbl_out o = { 0 };
	const struct data_pair *p;

	if (!a->npairs)
		return 0;
	wbl_out_reset(&o);
	wbl_cell_show(&o, c);
	p = !memchr(o.s ? o.s : "", 0, o.len)
		    ? bsearch(o.s ? o.s : "", a->pairs, a->npairs, sizeof *p, by_text)
		    : NULL;
	wbl_out_clear(&o);
	if (p) {
		take(s, c, &p->to);
		return 0;
	}
	*why = "a value that `map` does not know";
	return other_value(s, a->otherwise, &a->other, c);
}

static int32_t looked_up(struct data_flow *f, size_t i, struct wbl_cell *c, const char **why)
{
	const struct data_alter *a = f->table->cols[i].alter;
	struct data_state *s = f->state;
	int32_t rc;

	if (!a->lookup)
		return 0;
	rc = data_lookup_get(s->lookups[i], c, fresh(s));
	if (!rc)
		adopt(s, c);
	else if (rc == WBL_END) {
		*why = "a key that the table does not have which it is looked up in";
		rc = other_value(s, a->missing, &a->none, c) ? 1 : 0;
	} else {
		rc = wbl_error_report(f->call, rc, a->lookup,
			"Make room in the folder for temporary files (TMPDIR).",
			"the table that is looked up in cannot be read");
	}
	return rc;
}

static int finished(struct data_flow *f, size_t i, struct wbl_cell *c, const char **why)
{
	const struct data_column *col = &f->table->cols[i];
	const struct data_alter *a = col->alter;
	struct data_state *s = f->state;

	if (c->tag == WBL_CELL_NULL && a->fallback.len)
		take(s, c, &a->fallback);
	if (c->tag == WBL_CELL_NULL) {
		*why = "NULL where none may be";
		if (!col->not_null)
			wbl_cell_null(&f->out);
		return col->not_null ? -1 : 0;
	}
	if (!a->mask)
		return wbl_cell_cast(&f->out, c, col->type, why);
	/* Hashes of int and uuid columns are made from what stands there, whatever it is. */
	if (a->mask != MASK_FIXED && a->mask != MASK_NULL) {
		if (wbl_cell_cast(fresh(s), c, col->type, why))
			return -1;
		adopt(s, c);
	}
	if (data_mask_cell(a, col->type, s->keys[i], c, f->cells, fresh(s), why))
		return -1;
	adopt(s, c);
	if (c->tag == WBL_CELL_NULL && col->not_null) {
		*why = "NULL where none may be";
		return -1;
	}
	return wbl_cell_cast(&f->out, c, col->type, why);
}

int32_t data_state_cell(struct data_flow *f, size_t i, int64_t position, const char **why)
{
	const struct data_column *col = &f->table->cols[i];
	struct data_state *s = f->state;
	struct wbl_cell c;
	int32_t rc;

	if (source_value(f, i, position, &c, why))
		return 1;
	trim(s, col, &c);
	if (c.tag != WBL_CELL_NULL) {
		if (dated(s, col, &c, why) || mapped(s, col->alter, &c, why))
			return 1;
		rc = c.tag == WBL_CELL_NULL ? 0 : looked_up(f, i, &c, why);
		if (rc)
			return rc;
	}
	return finished(f, i, &c, why) ? 1 : 0;
}

int data_state_value(struct data_flow *f, size_t i, int64_t position, struct wbl_cell *ret)
{
	const char *why = "";

	return f->table->cols[i].alter && !source_value(f, i, position, ret, &why);
}
