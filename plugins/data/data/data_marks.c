/* data_marks.c - how far both sides were in step after the last run: marks, kept from run to run.
 * In: `changes`, "wbl.state/1".  Out: a range of the source by its column; "nothing to do" where a mark says so; the marks of this run.
 * The state of a table is {v, definition, mark, low, window, source, target, held}; a further member is added in tell_state.
 * SPDX-License-Identifier: Apache-2.0 */
#include "data_look.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void data_window_clear(struct data_window *w)
{
	wbl_out_clear(&w->mark);
	wbl_out_clear(&w->low);
	memset(w, 0, sizeof *w);
}

/* ---- values of the column ---- */

static int32_t wrong_mark(struct data_ends *e, const struct data_table *t, const char *hint,
	const char *what, const char *value)
{
	return wbl_error_report(e->call, WBL_E_PARAM, t->from, hint,
		"column \"%s\" of \"%s\": %s%s%s", t->manner.column, t->from, what,
		value ? ": " : "", value ? value : "");
}

static void quoted(const char *s, size_t n, struct wbl_out *o)
{
	wbl_out_add(o, "'", 1);
	for (size_t i = 0; i < n; i++)
		wbl_out_fmt(o, s[i] == '\'' ? "''" : "%c", s[i]);
	wbl_out_add(o, "'", 1);
}

static int literal(const struct wbl_cell *c, struct wbl_out *o)
{
	switch (c->tag) {
	case WBL_CELL_INT:
		wbl_out_fmt(o, "%" PRId64, wbl_cell_get_int(c));
		return 0;
	case WBL_CELL_REAL:
		wbl_out_fmt(o, "%.17g", wbl_cell_get_real(c));
		return 0;
	case WBL_CELL_DECIMAL:
		wbl_out_add(o, c->data, c->len);
		return 0;
	case WBL_CELL_TEXT:
		if (memchr(c->data, '\\', c->len))
			return -1;
		quoted((const char *)c->data, c->len, o);
		return 0;
	case WBL_CELL_INSTANT:
	case WBL_CELL_LOCAL:
	case WBL_CELL_DATE: {
		struct wbl_out shown = { 0 };

		wbl_cell_show(&shown, c);
		quoted(shown.s, shown.len, o);
		wbl_out_clear(&shown);
		return 0;
	}
	default:
		return -1;
	}
}

/* "90", "5m", "36h", "2d": a number, and how many seconds one of it is; 0: no unit. */
static int overlap_of(const char *text, int64_t *ret_n, int64_t *ret_unit)
{
	char unit = 0;
	int used = 0;

	if (sscanf(text, "%" SCNd64 "%n%c", ret_n, &used, &unit) < 1 || *ret_n < 0 ||
		(unit && text[used + 1]))
		return -1;
	*ret_unit = !unit         ? 0
		    : unit == 's' ? 1
		    : unit == 'm' ? 60
		    : unit == 'h' ? 3600
		    : unit == 'd' ? 86400
				  : -1;
	return *ret_unit < 0 || *ret_n > INT64_MAX / 100000 ? -1 : 0;
}

int data_overlap_check(const char *text)
{
	int64_t n, unit;

	return overlap_of(text, &n, &unit);
}

static int two(const char *s)
{
	return s[0] >= '0' && s[0] <= '9' && s[1] >= '0' && s[1] <= '9'
		       ? (s[0] - '0') * 10 + s[1] - '0'
		       : -1;
}

/* A time as text, earlier by so many seconds, in the very form that it has: so that it compares with the others. */
static int earlier(const char *s, size_t n, int64_t seconds, struct wbl_out *o)
{
	char day[16] = "";
	int32_t days;
	int h = 0, m = 0, sec = 0, whole = n == 10;
	int64_t at;

	if (n < 10 || n > 100 || wbl_date_parse(s, 10, &days))
		return -1;
	if (!whole) {
		if (n < 19 || s[13] != ':' || s[16] != ':')
			return -1;
		h = two(s + 11);
		m = two(s + 14);
		sec = two(s + 17);
		if (h < 0 || m < 0 || sec < 0)
			return -1;
	}
	at = (int64_t)days * 86400 + h * 3600 + m * 60 + sec - seconds;
	days = (int32_t)(at >= 0 ? at / 86400 : -((-at + 86399) / 86400));
	at -= (int64_t)days * 86400;
	wbl_date_show(days, day);
	wbl_out_fmt(o, "'%s", day);
	if (!whole) {
		wbl_out_fmt(o, "%c%02d:%02d:%02d", s[10], (int)(at / 3600), (int)(at / 60 % 60),
			(int)(at % 60));
		wbl_out_add(o, s + 19, n - 19);
	}
	wbl_out_add(o, "'", 1);
	return 0;
}

static int32_t lower(
	struct data_ends *e, struct data_table *t, const struct wbl_cell *c, struct wbl_out *o)
{
	const char *overlap = t->manner.overlap;
	int64_t n, unit;

	if (!overlap || !*overlap) {
		literal(c, o);
		return WBL_OK;
	}
	if (overlap_of(overlap, &n, &unit))
		return wrong_mark(
			e, t, "Write 90, 30s, 5m, 36h or 2d.", "an overlap that is none", overlap);
	if (c->tag == WBL_CELL_TEXT && unit && !earlier((const char *)c->data, c->len, n * unit, o))
		return WBL_OK;
	if (c->tag == WBL_CELL_INT && !unit) {
		wbl_out_fmt(o, "%" PRId64, wbl_cell_get_int(c) - n);
		return WBL_OK;
	}
	if (c->tag == WBL_CELL_REAL && !unit) {
		wbl_out_fmt(o, "%.17g", wbl_cell_get_real(c) - (double)n);
		return WBL_OK;
	}
	return wrong_mark(e, t,
		"Give a number in the column's own unit, or a time where the column holds text "
		"like "
		"2026-11-21 13:14:15.",
		"the overlap does not fit what the column holds", overlap);
}

/* ---- questions to the source ---- */

static void base_where(const struct data_table *t, struct wbl_out *o)
{
	if (t->manner.base)
		wbl_out_fmt(o, "(%s\n) AND ", t->manner.base);
}

/* The first cell of the first row, within the scan's batch: until *cursor is ended. */
static int32_t first_cell(struct data_ends *e, const struct data_table *t, const char *column,
	const char *filter, void **cursor, struct wbl_cell *ret)
{
	const char *columns[] = { column, NULL };
	struct wbl_scan scan = {
		.size = sizeof scan,
		.range = WBL_RANGE_ALL,
		.set = t->from,
		.columns = columns,
		.filter = filter,
	};
	struct wbl_batch batch = { .size = sizeof batch };
	struct wbl_row row;
	uint64_t at = 0;
	int32_t rc = e->src->scan(e->source.self, e->call, &scan, cursor);

	rc = rc ? rc : e->src->read(*cursor, e->call, &batch);
	if (!rc && (wbl_batch_next(&batch, &at, &row) != 1 || wbl_cell_next(&row.cells, ret) != 1))
		rc = wbl_error_report(e->call, WBL_E_ABI, t->from, NULL, "the store gave no value");
	return rc == WBL_END ? wbl_error_report(
				       e->call, WBL_E_ABI, t->from, NULL, "the store gave no row")
			     : rc;
}

/* A row without a value would never be seen. */
static int32_t refuse_nulls(struct data_ends *e, struct data_table *t)
{
	struct wbl_out where = { 0 };
	struct wbl_cell n = { 0 };
	void *cursor = NULL;
	char count[24];
	int32_t rc;

	base_where(t, &where);
	wbl_out_fmt(&where, "(%s) IS NULL", t->manner.column);
	rc = first_cell(e, t, "=count(*)", where.s, &cursor, &n);
	if (!rc && wbl_cell_get_int(&n)) {
		snprintf(count, sizeof count, "%" PRId64, wbl_cell_get_int(&n));
		rc = wrong_mark(e, t,
			"Fill the column, leave these rows out by `where`, or give an expression "
			"like coalesce(updated, created).",
			"rows have no value there and would never be seen", count);
	}
	e->src->scan_end(cursor);
	wbl_out_clear(&where);
	return rc;
}

int32_t data_window_now(struct data_ends *e, struct data_table *t, struct data_window *w)
{
	struct wbl_out column = { 0 }, where = { 0 };
	struct wbl_cell c = { 0 };
	void *cursor = NULL;
	int32_t rc;

	memset(w, 0, sizeof *w);
	rc = refuse_nulls(e, t);
	wbl_out_fmt(&column, "=max(%s)", t->manner.column);
	base_where(t, &where);
	wbl_out_fmt(&where, "1 = 1");
	rc = rc ? rc : first_cell(e, t, column.s, where.s, &cursor, &c);
	if (!rc && c.tag != WBL_CELL_NULL) {
		w->any = 1;
		if (literal(&c, &w->mark))
			rc = wrong_mark(e, t, "Choose a column of numbers or times.",
				"its values cannot be compared", NULL);
		rc = rc ? rc : lower(e, t, &c, &w->low);
		rc = rc ? rc : data_window_sum(e, t, w->low.s, w->mark.s, &w->sum);
	}
	e->src->scan_end(cursor);
	wbl_out_clear(&column);
	wbl_out_clear(&where);
	if (rc)
		data_window_clear(w);
	return rc;
}

/* Columns as they are scanned for the mapping, and whether the row is gone; places move without a change. */
static const char **window_columns(struct data_table *t, const char *gone)
{
	const char **list = wbl_sdk_alloc((t->nscan + 2) * sizeof *list);
	size_t n = 0;

	for (size_t i = 0; i < t->nscan; i++)
		if ((int)i != t->position)
			list[n++] = t->scan[i];
	if (gone)
		list[n] = gone;
	return list;
}

int32_t data_window_sum(struct data_ends *e, struct data_table *t, const char *low, const char *up,
	struct wbl_sum *ret)
{
	struct wbl_out where = { 0 }, gone = { 0 };
	const char **columns;
	struct wbl_scan scan = { .size = sizeof scan, .range = WBL_RANGE_ALL, .set = t->from };
	struct wbl_batch batch = { .size = sizeof batch };
	struct wbl_row row;
	void *cursor = NULL;
	int32_t rc;

	memset(ret, 0, sizeof *ret);
	if (t->manner.gone)
		wbl_out_fmt(&gone, "=CASE WHEN (%s\n) THEN 1 ELSE 0 END", t->manner.gone);
	columns = window_columns(t, gone.s);
	base_where(t, &where);
	wbl_out_fmt(&where, "(%s) >= %s", t->manner.column, low);
	if (up)
		wbl_out_fmt(&where, " AND (%s) <= %s", t->manner.column, up);
	scan.columns = columns;
	scan.filter = where.s;
	rc = e->src->scan(e->source.self, e->call, &scan, &cursor);
	while (!rc && !(rc = e->src->read(cursor, e->call, &batch)))
		for (uint64_t at = 0; wbl_batch_next(&batch, &at, &row) == 1;)
			wbl_sum_row(ret, row.cells.data, row.cells.len);
	e->src->scan_end(cursor);
	wbl_out_clear(&where);
	wbl_out_clear(&gone);
	free(columns);
	return rc == WBL_END ? WBL_OK : rc;
}

/* ---- what is kept from run to run ---- */

static char *state_name(const struct data_table *t)
{
	struct wbl_out o = { 0 };

	wbl_out_fmt(&o, "sync:%s", t->to);
	return o.s;
}

static int32_t load(struct wbl_call *call, const struct data_table *t, struct wbl_doc **ret)
{
	const struct wbl_state_service *state = wbl_service(call, "wbl.state/1");
	struct wbl_bytes body = { 0 };
	char *name = state_name(t);
	int32_t rc = state ? state->get(call, name, &body) : WBL_END;

	free(name);
	*ret = rc ? NULL : wbl_doc_parse(body.data, body.len, NULL);
	return rc == WBL_END ? WBL_OK : rc;
}

static void definition(const struct data_table *t, char out[24])
{
	snprintf(out, 24, "%016" PRIx64, t->manner.definition);
}

static int holds(const struct data_table *t, const struct wbl_node *kept)
{
	const char *was = wbl_node_str(kept, "definition");
	char now[24];

	definition(t, now);
	return was && !strcmp(was, now);
}

const char *data_marks_low(struct data_ends *e, const struct data_table *t, struct wbl_doc **ret)
{
	const struct wbl_node *kept;

	*ret = NULL;
	if (load(e->call, t, ret))
		return NULL;
	kept = wbl_doc_root(*ret);
	return holds(t, kept) ? wbl_node_str(kept, "low") : NULL;
}

static int same_text(const char *a, const char *b)
{
	return a && b && *a && !strcmp(a, b);
}

static void window_text(const struct wbl_sum *s, char out[80])
{
	snprintf(out, 80, "%" PRIu64 ":%016" PRIx64 "%016" PRIx64, s->count, s->row_hi, s->row_lo);
}

/* Has no row come, changed or gone above the low mark? */
static int32_t window_same(
	struct data_ends *e, struct data_table *t, const struct wbl_node *kept, int *ret)
{
	const char *low = wbl_node_str(kept, "low"), *was = wbl_node_str(kept, "window");
	struct wbl_sum sum;
	char now[80];
	int32_t rc;

	if (!low || !was)
		return WBL_OK;
	rc = data_window_sum(e, t, low, NULL, &sum);
	if (rc)
		return rc;
	window_text(&sum, now);
	*ret = !strcmp(was, now);
	return WBL_OK;
}

int32_t data_marks_plan(struct data_ends *e, const struct data_map *m, struct data_table *t)
{
	const struct wbl_node *s = wbl_doc_root(m->source), *d = wbl_doc_root(m->target), *kept;
	struct wbl_doc *doc;
	int32_t rc = load(e->call, t, &doc);
	int same = 0;

	kept = wbl_doc_root(doc);
	if (!rc && doc && t->target && holds(t, kept) && !wbl_node_bool(kept, "held", 0)) {
		same = same_text(wbl_node_str(kept, "source"), wbl_node_str(s, "identity")) &&
		       same_text(wbl_node_str(kept, "target"), wbl_node_str(d, "identity"));
		if (!same && t->manner.by == DATA_BY_COLUMN)
			rc = window_same(e, t, kept, &same);
	}
	t->manner.nothing = same;
	wbl_doc_free(doc);
	return rc;
}

/* ---- the step at the end ---- */

/* Both ends are what they were when this run looked at them: neither of them needs to be read again before it changes. */
static void tell_quiet(const struct data_map *m, const struct wbl_node *look, struct wbl_out *o)
{
	const char *source = wbl_node_str(wbl_doc_root(m->source), "identity"),
		   *target = wbl_node_str(wbl_doc_root(m->target), "identity");

	if (!same_text(source, wbl_node_str(look, "source")) ||
		!same_text(target, wbl_node_str(look, "target")))
		return;
	wbl_out_text(o, "source", source);
	wbl_out_text(o, "target", target);
}

static void tell_state(const struct data_map *m, const struct data_table *t,
	const struct wbl_node *look, int held, struct wbl_out *o)
{
	const char *mark = wbl_node_str(look, "mark");
	char text[24];

	definition(t, text);
	wbl_out_open(o, NULL, '{');
	wbl_out_int(o, "v", 1);
	wbl_out_text(o, "definition", text);
	if (mark) {
		wbl_out_text(o, "mark", mark);
		/* A conflict that nobody has settled is to be met again. */
		wbl_out_text(
			o, "low", held ? wbl_node_str(look, "from") : wbl_node_str(look, "low"));
		wbl_out_text(o, "window", held ? NULL : wbl_node_str(look, "window"));
	}
	wbl_out_bool(o, "held", held);
	if (!held)
		tell_quiet(m, look, o);
	wbl_out_close(o, '}');
}

/* merge: the id of the step, "copy:..."; that of its look differs before the colon. */
static int32_t step_output(struct wbl_call *call, const char *kind, const char *merge,
	const char *name, struct wbl_bytes *ret)
{
	const struct wbl_run_service *run = wbl_service(call, "wbl.run/1");
	const char *colon = merge ? strchr(merge, ':') : NULL;
	struct wbl_out id = { 0 };
	uint64_t generation;
	int32_t rc = WBL_END;

	wbl_out_fmt(&id, "%s%s", kind, colon ? colon : "");
	if (run && colon)
		rc = run->input(call, id.s, name, ret, &generation);
	wbl_out_clear(&id);
	return rc;
}

static int32_t mark_table(struct data_ends *e, struct data_map *m, const struct wbl_node *x)
{
	const struct wbl_state_service *state = wbl_service(e->call, "wbl.state/1");
	struct data_table *t = data_map_find(m, wbl_node_str(x, "to"));
	const char *merge = wbl_node_str(x, "merge");
	struct wbl_bytes body = { 0 }, held = { 0 };
	struct wbl_out o = { 0 };
	struct wbl_doc *look = NULL;
	char *name;
	int32_t rc;

	if (!t)
		return WBL_OK;
	rc = step_output(e->call, "look", merge, "look", &body);
	if (rc)
		return rc == WBL_END ? WBL_OK : rc;
	look = wbl_doc_parse(body.data, body.len, NULL);
	rc = step_output(e->call, "copy", merge, "held", &held);
	if (rc >= 0) {
		tell_state(m, t, wbl_doc_root(look), rc == WBL_OK, &o);
		name = state_name(t);
		rc = state ? state->put(e->call, name, (struct wbl_bytes){ o.s, o.len })
			   : WBL_E_ABI;
		free(name);
	}
	wbl_out_clear(&o);
	wbl_doc_free(look);
	return rc;
}

int32_t data_marks_execute(struct wbl_call *call, const struct wbl_work *work)
{
	struct wbl_doc *doc = wbl_doc_parse(work->params, strlen(work->params), NULL);
	const struct wbl_node *x = wbl_node_at(wbl_doc_root(doc), "tables.0");
	struct data_ends e = { 0 };
	struct data_map m = { 0 };
	int32_t rc = WBL_OK;

	if (!(work->flags & WBL_WORK_REHEARSE)) {
		rc = data_open(call, WBL_OPEN_READ, &e);
		rc = rc ? rc : data_map_build(&e, &m);
		for (; !rc && x; x = x->next) {
			rc = mark_table(&e, &m, x);
			WBL_FAULT(call, "marked");
		}
		data_map_clear(&m);
		data_close(&e);
	}
	wbl_doc_free(doc);
	return rc;
}
