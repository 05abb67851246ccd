/* data_check.c - what the target would refuse, found before anything is copied: keys twice, NULL, types, references, conditions.
 * In: the mapping, the rules of the target's tables (those that stand, else those that would be made).  Out: a diagnostic for each row
 * (the first of each kind), numbers for all, and how many rows were looked at.  Rows are read through the mapping; memory is bounded.
 * A new rule is told by rules(), and held against the rows in one_row().
 * SPDX-License-Identifier: Apache-2.0 */
#include "data_digests.h"
#include "data_impl.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define MEND "Mend the source, the mapping or the table before anything is copied."
enum {
	MOST_NAMED = 10,
	MOST_LISTED = 6,
	MOST_COLUMNS = 64,
	QUICK_ROWS = 10000,
	QUICK_ALL = 100000,
	QUICK_TABLES = 100,
	COLLATE_NOCASE = 1,
	COLLATE_RTRIM
};
enum kind { TWICE, IS_NULL, TYPE, ORPHAN, CONDITION, KINDS };
static const char *const kinds[KINDS] = { "values that stand twice", "NULL where none may be",
	"values of another type", "references that lead nowhere", "rows against a condition" };

struct rule {
	size_t at[MOST_COLUMNS], n;
	int collation[MOST_COLUMNS];
	char text[200];
};
struct checking {
	struct wbl_call *call;
	struct data_ends *e;
	const struct data_map *m;
	struct data_table *t;
	const struct wbl_node *shape; /* of the table in the target */
	struct wbl_doc *made;         /* owns the shape of one that does not stand */
	struct rule rule;             /* at work */
	struct data_digests *digests;
	struct wbl_rows scratch;
	struct wbl_cell *cells;
	uint64_t rows, unread, most, found[KINDS], total, left_out;
	int quick; /* only the first rows are read, and nothing is refused */
	int planning, first, filling, orphans; /* first: also what needs one look only */
	int64_t position;
	struct wbl_out *list; /* the first ones in words */
	struct data_limit limit;
};

/* ---- telling ---- */

/* A plan keeps findings, a check its diagnostics. Every run begins with a quick look, whose report says nothing of what is in order. */
static void note(struct checking *c, const char *text)
{
	const struct wbl_diag_service *diag = wbl_service(c->call, "wbl.diag/1");
	const struct wbl_plan_service *plan = wbl_service(c->call, "wbl.plan/1");
	struct wbl_diag d = { .size = sizeof d, .severity = 3, .where = c->t->to, .text = text };
	struct wbl_out o = { 0 };

	if (c->quick && !c->total)
		return;
	if (!c->planning) {
		if (diag)
			diag->report(c->call, &d);
		return;
	}
	wbl_out_open(&o, NULL, '{');
	wbl_out_text(&o, "kind", "precheck");
	wbl_out_text(&o, "severity", "note");
	wbl_out_text(&o, "where", c->t->to);
	wbl_out_text(&o, "text", text);
	wbl_out_close(&o, '}');
	if (plan && plan->finding)
		plan->finding(c->call, o.s);
	wbl_out_clear(&o);
}

/* Where rows may be left out, that is no fault as long as the limit bears it: the copy counts exactly. */
static void tell_left_out(struct checking *c, enum kind kind, const char *where, const char *text)
{
	struct wbl_out o = { 0 };

	c->left_out++;
	if (c->found[kind]++ < MOST_NAMED) {
		wbl_out_fmt(&o, "%s: %s: the row would be left out", where, text);
		note(c, o.s);
	}
	wbl_out_clear(&o);
}

static void tell(struct checking *c, enum kind kind, const char *where, const char *text)
{
	if (kind != ORPHAN && data_limit_any(&c->limit)) {
		tell_left_out(c, kind, where, text);
		return;
	}
	if (c->total++ < MOST_LISTED)
		wbl_out_fmt(c->list, "%s%s: %s", c->list->len ? "; " : "", where, text);
	if (c->found[kind]++ >= MOST_NAMED)
		return;
	if (c->quick)
		wbl_warning_report(c->call, where, MEND, "table \"%s\": %s", c->t->to, text);
	else
		wbl_error_report(
			c->call, WBL_E_MISMATCH, where, MEND, "table \"%s\": %s", c->t->to, text);
}

static void tell_row(struct checking *c, enum kind kind, struct wbl_bytes cells, const char *what)
{
	struct wbl_out key = { 0 }, where = { 0 }, text = { 0 };

	data_key_json(c->t, cells, &key);
	wbl_out_fmt(&where, "%s %s", c->t->from, key.s);
	wbl_out_fmt(&text, "%s", what);
	if (c->position >= 0)
		wbl_out_fmt(&text, " (%s %lld)", wbl_node_str(c->t->source, "position") ?: "row",
			(long long)c->position);
	tell(c, kind, where.s, text.s);
	wbl_out_clear(&key);
	wbl_out_clear(&where);
	wbl_out_clear(&text);
}

static void tell_all(struct checking *c)
{
	struct wbl_out o = { 0 };

	for (int k = 0; k < KINDS; k++)
		if (c->found[k] > MOST_NAMED) {
			wbl_out_reset(&o);
			wbl_out_fmt(&o, "%llu %s in all, the first %d of them are named",
				(unsigned long long)c->found[k], kinds[k], MOST_NAMED);
			note(c, o.s);
		}
	if (!c->quick && data_limit_any(&c->limit) &&
		data_limit_beyond(&c->limit, c->left_out, c->rows + c->unread)) {
		wbl_out_fmt(c->list, "%s%s: more rows would be left out than may be",
			c->list->len ? "; " : "", c->t->from);
		c->total += c->left_out;
	}
	wbl_out_reset(&o);
	wbl_out_fmt(&o, "%llu rows of %s looked at%s", (unsigned long long)(c->rows + c->unread),
		c->t->from,
		c->rows == c->most ? ", the first ones only: --level strict looks at all" : "");
	note(c, o.s);
	wbl_out_clear(&o);
}

/* ---- rules ---- */

static const struct wbl_node *column_of(const struct checking *c, const char *name)
{
	const struct wbl_node *x = wbl_node_at(c->shape, "columns.0");

	while (x && strcasecmp(wbl_node_str(x, "name"), name) != 0)
		x = x->next;
	return x;
}

static int collation_of(const struct checking *c, const char *name)
{
	const char *collation = wbl_node_str(column_of(c, name), "collation");

	return !collation                         ? 0
	       : !strcasecmp(collation, "NOCASE") ? COLLATE_NOCASE
	       : !strcasecmp(collation, "RTRIM")  ? COLLATE_RTRIM
						  : 0;
}

/* 0: not all of the columns come with the rows. */
static int rule_of(struct checking *c, const struct data_table *t, const struct wbl_node *list)
{
	struct wbl_out text = { 0 };
	struct rule *r = &c->rule;

	*r = (struct rule){ 0 };
	for (const struct wbl_node *x = list ? list->child : NULL; x; x = x->next) {
		size_t i = 0;

		while (i < t->ncols && strcasecmp(t->cols[i].name, x->text.s) != 0)
			i++;
		if (i == t->ncols || r->n == MOST_COLUMNS) {
			wbl_out_clear(&text);
			return 0;
		}
		r->collation[r->n] = t == c->t ? collation_of(c, x->text.s) : 0;
		wbl_out_fmt(&text, "%s%s%s", r->n ? ", " : "", x->text.s,
			r->collation[r->n] == COLLATE_NOCASE  ? " without case"
			: r->collation[r->n] == COLLATE_RTRIM ? " without blanks at its end"
							      : "");
		r->at[r->n++] = i;
	}
	snprintf(r->text, sizeof r->text, "%s", text.s ? text.s : "");
	wbl_out_clear(&text);
	return r->n > 0;
}

/* ---- one row ---- */

static void take_cell(struct wbl_rows *to, const struct wbl_cell *c, int collation)
{
	struct wbl_cell text = *c;
	double d = c->tag == WBL_CELL_REAL ? wbl_cell_get_real(c) : 0.5;
	char *copy;

	if (c->tag == WBL_CELL_REAL && d >= -9e15 && d <= 9e15 && d == (double)(int64_t)d) {
		wbl_cell_int(to, (int64_t)d); /* 1.0 and 1 are one key */
		return;
	}
	if (c->tag != WBL_CELL_TEXT || !collation) {
		wbl_cell_copy(to, c->at, c->whole);
		return;
	}
	while (collation == COLLATE_RTRIM && text.len && text.data[text.len - 1] == ' ')
		text.len--;
	copy = wbl_sdk_alloc(text.len + 1);
	for (uint32_t i = 0; i < text.len; i++)
		copy[i] = collation == COLLATE_NOCASE && text.data[i] >= 'A' && text.data[i] <= 'Z'
				  ? (char)(text.data[i] + 32)
				  : (char)text.data[i];
	wbl_cell_blob(to, WBL_CELL_TEXT, copy, text.len);
	free(copy);
}

/* 0: a NULL is among them, which is like no other. */
static int digest_of(struct checking *c, const struct rule *r, uint64_t *lo, uint64_t *hi)
{
	wbl_rows_reset(&c->scratch);
	for (size_t k = 0; k < r->n; k++) {
		if (c->cells[r->at[k]].tag == WBL_CELL_NULL)
			return 0;
		take_cell(&c->scratch, &c->cells[r->at[k]], r->collation[k]);
	}
	wbl_digest_128(c->scratch.data, c->scratch.len, WBL_KEY_SEED, lo, hi);
	return 1;
}

static void look_twice(struct checking *c, struct wbl_bytes cells)
{
	int64_t before = c->position;
	uint64_t lo, hi;
	char text[300];

	if (!digest_of(c, &c->rule, &lo, &hi) || !data_digests_put(c->digests, lo, hi, &before))
		return;
	snprintf(text, sizeof text, "the value of (%s) is there already", c->rule.text);
	if (before >= 0)
		snprintf(text + strlen(text), sizeof text - strlen(text), ", first at %lld",
			(long long)before);
	tell_row(c, TWICE, cells, text);
}

static void look_reference(struct checking *c, struct wbl_bytes cells)
{
	int64_t position = c->position;
	uint64_t lo, hi;
	char text[300];

	if (!digest_of(c, &c->rule, &lo, &hi))
		return;
	if (c->filling) {
		data_digests_put(c->digests, lo, hi, &position);
	} else if (!data_digests_has(c->digests, lo, hi)) {
		snprintf(text, sizeof text, "(%s) leads to no row", c->rule.text);
		tell_row(c, ORPHAN, cells, text);
	}
}

/* Tables whose columns take no other type: a text of digits still becomes a number there. */
static int misfits(const struct wbl_node *column, const struct wbl_cell *cell)
{
	const char *type = wbl_node_str(column, "type");
	int32_t want = type ? wbl_type_by_name(type) : WBL_TYPE_ANY;
	struct wbl_rows r = { 0 };
	const char *why;
	int bad;

	if (want <= WBL_TYPE_ANY || cell->tag == WBL_CELL_NULL)
		return 0;
	if (want == WBL_TYPE_BYTES)
		return cell->tag != WBL_CELL_BYTES;
	if (cell->tag == WBL_CELL_BYTES)
		return 1;
	wbl_row_begin(&r, WBL_ROW_PUT);
	bad = wbl_cell_cast(&r, cell, want, &why);
	wbl_rows_clear(&r);
	return bad;
}

static void look_once(struct checking *c, struct wbl_bytes cells)
{
	int strict = wbl_node_bool(c->shape, "strict", 0);
	size_t i = 0;
	char text[300];

	for (; i < c->t->ncols; i++) {
		const struct wbl_node *column = column_of(c, c->t->cols[i].name);

		if (c->cells[i].tag == WBL_CELL_NULL && wbl_node_bool(column, "not_null", 0)) {
			snprintf(
				text, sizeof text, "NULL in column \"%.200s\"", c->t->cols[i].name);
			tell_row(c, IS_NULL, cells, text);
		} else if (strict && misfits(column, &c->cells[i])) {
			snprintf(text, sizeof text,
				"column \"%.100s\" takes no value of this type, but %.60s",
				c->t->cols[i].name, wbl_node_str(column, "declared") ?: "its own");
			tell_row(c, TYPE, cells, text);
		}
	}
}

static void one_row(struct checking *c, const struct data_table *t, struct wbl_bytes cells)
{
	struct wbl_bytes rest = cells;

	for (size_t i = 0; i < t->ncols; i++)
		if (wbl_cell_next(&rest, &c->cells[i]) != 1)
			return;
	if (c->orphans)
		look_reference(c, cells);
	else if (c->rule.n)
		look_twice(c, cells);
	if (c->first)
		look_once(c, cells);
}

/* A row that the mapping cannot take. */
static void refused(void *arg, int64_t position, const char *column, const struct wbl_cell *value,
	const char *why)
{
	struct checking *c = arg;
	struct wbl_out text = { 0 }, where = { 0 };

	if (!c->first)
		return;
	c->unread++;
	wbl_out_fmt(&text, "column \"%s\": %s%s", column ? column : "?", why, value ? ": " : "");
	if (value)
		wbl_cell_show(&text, value);
	data_text_cut(&text, 300);
	wbl_out_fmt(&where, "%s", c->t->from);
	if (position >= 0)
		wbl_out_fmt(&where, ", %s %lld", wbl_node_str(c->t->source, "position") ?: "row",
			(long long)position);
	tell(c, TYPE, where.s, text.s);
	wbl_out_clear(&text);
	wbl_out_clear(&where);
}

/* ---- all rows of a table ---- */

static void rows_of(struct checking *c, struct data_flow *f, const struct data_table *t,
	const struct wbl_batch *b, uint64_t *seen)
{
	uint64_t at = 0, n = 0;
	struct wbl_row row;

	for (; *seen < c->most && wbl_batch_next(b, &at, &row) == 1; n++, ++*seen) {
		c->position = b->data == f->out.data && f->origins ? f->origins[n].position : -1;
		one_row(c, t, row.cells);
	}
}

static int32_t walk_part(struct checking *c, struct data_table *t, uint64_t *seen)
{
	struct data_ends *e = c->e;
	struct wbl_scan scan = { .size = sizeof scan,
		.range = WBL_RANGE_ALL,
		.set = t->from,
		.columns = data_scan_columns(t),
		.filter = t->where };
	struct wbl_batch in = { .size = sizeof in }, out;
	struct data_flow f;
	void *cursor = NULL;
	int32_t rc = e->src->scan(e->source.self, c->call, &scan, &cursor);

	if (rc)
		return rc;
	data_flow_init(&f, c->call, t, 0);
	f.quiet = 1;
	f.refused = refused;
	f.refused_arg = c;
	free(c->cells);
	c->cells = wbl_sdk_alloc((t->ncols + 1) * sizeof *c->cells);
	while (!(rc = wbl_stop_asked(c->call)) && *seen < c->most &&
		!(rc = e->src->read(cursor, c->call, &in))) {
		rc = data_flow_convert(&f, &in, &out);
		if (rc)
			break;
		rows_of(c, &f, t, &out, seen);
		wbl_progress_tell(c->call, t->from, *seen, 0, 0);
	}
	e->src->scan_end(cursor);
	data_flow_clear(&f);
	return rc == WBL_END ? WBL_OK : rc;
}

static int32_t walk(struct checking *c, struct data_table *t)
{
	uint64_t seen = 0;
	int32_t rc = WBL_OK;

	for (size_t i = 0; !rc && i < data_parts(t); i++)
		rc = walk_part(c, data_part(t, i), &seen);
	if (t == c->t && !c->filling)
		c->rows = seen;
	return rc;
}

static int32_t rows_there(struct checking *c, struct data_table *t, uint64_t *ret)
{
	int32_t rc = WBL_OK;

	*ret = 0;
	for (size_t i = 0; !rc && i < data_parts(t); i++) {
		struct wbl_scan all = { .size = sizeof all,
			.range = WBL_RANGE_ALL,
			.set = data_part(t, i)->from,
			.filter = data_part(t, i)->where };
		struct wbl_totals n = { .size = sizeof n };

		rc = c->e->src->count(c->e->source.self, c->call, &all, 1, &n);
		*ret += n.items;
	}
	return rc;
}

static int32_t check_unique(struct checking *c, const struct wbl_node *list)
{
	struct data_digests digests;
	uint64_t rows;
	int32_t rc;

	if (!rule_of(c, c->t, list))
		return WBL_OK;
	rc = rows_there(c, c->t, &rows);
	if (rc)
		return rc;
	data_digests_begin(&digests, rows < c->most ? rows : c->most);
	c->digests = &digests;
	for (uint64_t pass = 0; !rc && pass < digests.passes; pass++) {
		data_digests_pass(&digests, pass);
		rc = walk(c, c->t);
		c->first = 0;
	}
	if (digests.full)
		note(c, "there were more rows than the source had said: not all keys were "
			"compared");
	data_digests_end(&digests);
	c->rule.n = 0;
	return rc;
}

static int32_t check_reference(struct checking *c, const struct wbl_node *fk)
{
	const char *to = wbl_node_str(fk, "to");
	struct data_table *parent = data_map_find((struct data_map *)(uintptr_t)c->m, to);
	const struct wbl_node *columns = wbl_node_at(fk, "to_columns");
	struct data_digests digests;
	struct rule child, led;
	uint64_t rows = 0;
	int32_t rc;

	if (columns && !columns->count)
		columns = NULL;
	if (!parent || !rule_of(c, c->t, wbl_node_at(fk, "columns"))) {
		note(c, "a reference to a table that does not come along was not looked at");
		return WBL_OK;
	}
	child = c->rule;
	if (!columns)
		columns = wbl_node_at(parent->target ? parent->target : parent->source, "key");
	rc = rows_there(c, parent, &rows);
	if (rc || !rule_of(c, parent, columns) || c->rule.n != child.n || rows > c->most) {
		note(c, "a reference was not looked at");
		return rc;
	}
	led = c->rule;
	data_digests_begin(&digests, rows);
	c->digests = &digests;
	c->orphans = 1;
	for (uint64_t pass = 0; !rc && pass < digests.passes; pass++) {
		data_digests_pass(&digests, pass);
		c->filling = 1;
		c->rule = led;
		rc = walk(c, parent);
		c->filling = 0;
		c->rule = child;
		rc = rc ? rc : walk(c, c->t);
	}
	c->orphans = 0;
	c->rule.n = 0;
	data_digests_end(&digests);
	return rc;
}

/* The source itself finds the rows against a condition, when it speaks the language and the columns have their names. */
static int32_t check_condition(struct checking *c, const char *condition)
{
	struct wbl_out filter = { 0 }, text = { 0 };
	struct wbl_scan scan = { .size = sizeof scan,
		.range = WBL_RANGE_ALL,
		.set = c->t->from,
		.columns = c->t->scan };
	struct wbl_totals n = { .size = sizeof n };
	struct wbl_batch b = { .size = sizeof b };
	void *cursor = NULL;
	struct wbl_row row;
	uint64_t at = 0;
	int32_t rc;

	if (c->t->where && *c->t->where)
		wbl_out_fmt(&filter, "(%s\n) AND ", c->t->where);
	wbl_out_fmt(&filter, "NOT (%s\n)", condition);
	wbl_out_fmt(&text, "it is against the condition: %.200s", condition);
	scan.filter = filter.s;
	rc = c->e->src->count(c->e->source.self, c->call, &scan, 1, &n);
	if (!rc && n.items)
		rc = c->e->src->scan(c->e->source.self, c->call, &scan, &cursor);
	if (!rc && cursor)
		rc = c->e->src->read(cursor, c->call, &b);
	c->position = -1;
	while (!rc && cursor && wbl_batch_next(&b, &at, &row) == 1 &&
		c->found[CONDITION] < MOST_NAMED && n.items) {
		tell_row(c, CONDITION, row.cells, text.s);
		n.items--;
	}
	c->found[CONDITION] += n.items;
	c->total += n.items;
	if (cursor)
		c->e->src->scan_end(cursor);
	wbl_out_clear(&filter);
	wbl_out_clear(&text);
	return rc == WBL_END ? WBL_OK : rc;
}

static int32_t check_conditions(struct checking *c)
{
	const struct wbl_node *x = wbl_node_at(c->shape, "checks.0");
	int32_t rc = WBL_OK;

	if (x && (!c->m->same_dialect || !c->t->entire || !c->t->straight || data_parts(c->t) > 1 ||
			 !(c->e->source.capabilities & WBL_CAN_SQL))) {
		note(c, "conditions (CHECK) were not looked at: the mapping changes the rows");
		return WBL_OK;
	}
	for (; !rc && x; x = x->next)
		rc = check_condition(c, x->text.s);
	return rc;
}

static void shape_of(struct checking *c)
{
	struct wbl_out o = { 0 };

	c->shape = c->t->target ? c->t->target : c->t->definition ? c->t->source : NULL;
	if (c->shape)
		return;
	data_table_json(c->m, c->t, NULL, NULL, &o);
	c->made = wbl_doc_parse(o.s, o.len, NULL);
	c->shape = wbl_doc_root(c->made);
	wbl_out_clear(&o);
}

static int32_t check_table(struct checking *c)
{
	const struct wbl_node *ix = c->t->indexes ? c->t->indexes->child : NULL;
	int32_t rc;

	shape_of(c);
	c->first = 1;
	rc = check_unique(c, wbl_node_at(c->shape, "key"));
	for (const struct wbl_node *u = wbl_node_at(c->shape, "uniques.0"); !rc && u; u = u->next)
		rc = check_unique(c, u);
	if (c->t->target)
		ix = wbl_node_at(c->t->target, "indexes.0");
	for (; !rc && ix; ix = ix->next)
		if (wbl_node_bool(ix, "unique", 0) && wbl_node_bool(ix, "special", 0))
			note(c, "a unique index with a condition, an expression or a collation was "
				"not looked at");
		else if (wbl_node_bool(ix, "unique", 0))
			rc = check_unique(c, wbl_node_at(ix, "columns"));
	if (!rc && c->first)
		rc = walk(c, c->t);
	c->first = 0;
	for (const struct wbl_node *f = wbl_node_at(c->shape, "foreign_keys.0"); !rc && f;
		f = f->next)
		rc = check_reference(c, f);
	rc = rc ? rc : check_conditions(c);
	if (!rc)
		tell_all(c);
	wbl_doc_free(c->made);
	wbl_rows_clear(&c->scratch);
	free(c->cells);
	return rc;
}

int32_t data_check_rows(struct data_ends *e, struct data_map *m, int all, int planning)
{
	struct wbl_out list = { 0 };
	uint64_t total = 0, looked = 0;
	int32_t rc = WBL_OK;

	for (size_t i = 0; !rc && i < m->ntables; i++) {
		struct checking c = { .call = e->call,
			.e = e,
			.m = m,
			.t = &m->tables[i],
			.list = &list,
			.planning = planning,
			.quick = !all,
			.most = all ? UINT64_MAX : QUICK_ROWS };

		if (!all && (looked >= QUICK_ALL || i >= QUICK_TABLES)) {
			note(&c, "this table and those behind it were not looked at: --level "
				 "strict looks at all");
			break;
		}
		data_limit_read(e->call, c.t, &c.limit);
		rc = check_table(&c);
		looked += c.rows;
		total += c.total;
	}
	if (!rc && total && !all)
		wbl_warning_report(e->call, "tables", MEND,
			"the target would refuse %llu row%s of those looked at, the first: %s",
			(unsigned long long)total, total == 1 ? "" : "s", list.s);
	else if (!rc && total)
		rc = wbl_error_report(e->call, WBL_E_MISMATCH, "tables",
			"Mend them, or allow rejected rows by `reject_limit`.",
			"the target would refuse %llu row%s, the first: %s",
			(unsigned long long)total, total == 1 ? "" : "s", list.s);
	wbl_out_clear(&list);
	return rc;
}

int32_t data_check(void *self, struct wbl_call *call, const struct wbl_work *work, int32_t level)
{
	struct data_ends e;
	struct data_map m;
	int32_t rc;

	data_call_begins(call, self, work);
	rc = data_open(call, WBL_OPEN_READ, &e);
	if (rc)
		return rc;
	rc = data_map_build(&e, &m);
	rc = rc ? rc : data_check_rows(&e, &m, level >= 3, 0);
	data_map_clear(&m);
	data_close(&e);
	return rc;
}
