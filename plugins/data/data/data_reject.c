/* data_reject.c - rows that cannot be taken: left out, told and kept as dead letters while the limits allow, else the reason why the
 * copy stops.
 * In: a row that the mapping or the target refuses; `reject_limit`, `reject_percent`.  Out: a difference and a line in the chunk's
 * dead letters, or PARAM with the row's place, column and reason.  The limits are of the whole table: chunks know what those before them
 * have left out.
 * SPDX-License-Identifier: Apache-2.0 */
#include "data_impl.h"

#include <stdlib.h>
#include <string.h>

enum { SHOWN = 200 };

/* ---- limits ---- */

const struct wbl_node *data_table_options(struct wbl_call *call, const struct data_table *t)
{
	const struct wbl_node *list = wbl_param_json(call, "tables");

	for (const struct wbl_node *n = list ? list->child : NULL; n; n = n->next) {
		const char *to = wbl_node_str(n, "to");

		to = to ? to : wbl_node_str(n, "from");
		if (to ? !strcmp(to, t->to) : !n->next && n == list->child)
			return n;
	}
	return NULL;
}

static const struct wbl_node *option(
	struct wbl_call *call, const struct data_table *t, const char *name)
{
	const struct wbl_node *n = wbl_node_at(data_table_options(call, t), name);

	if (!n || n->kind != WBL_NODE_NUMBER)
		n = wbl_param_json(call, name);
	return n && n->kind == WBL_NODE_NUMBER ? n : NULL;
}

void data_limit_read(struct wbl_call *call, const struct data_table *t, struct data_limit *ret)
{
	const struct wbl_node *most = option(call, t, "reject_limit"),
			      *percent = option(call, t, "reject_percent");

	*ret = (struct data_limit){ .most = -1, .percent = -1 };
	if (percent)
		ret->percent = (int64_t)(strtod(percent->text.s, NULL) * 1e6 + 0.5);
	if (most || !percent)
		ret->most = most ? strtoll(most->text.s, NULL, 10) : 0;
}

int data_limit_any(const struct data_limit *l)
{
	return l->most > 0 || l->percent > 0;
}

/* Is `rejected` more than may be of `of` rows? Exactly the limit is allowed. */
int data_limit_beyond(const struct data_limit *l, uint64_t rejected, uint64_t of)
{
	if (l->most >= 0 && rejected > (uint64_t)l->most)
		return 1;
	return l->percent >= 0 && of &&
	       (unsigned __int128)rejected * 100000000u >
		       (unsigned __int128)of * (uint64_t)l->percent;
}

static void percent_text(uint64_t millionths, struct wbl_out *o)
{
	wbl_out_fmt(o, "%llu.%06llu", (unsigned long long)(millionths / 1000000),
		(unsigned long long)(millionths % 1000000));
	while (o->s[o->len - 1] == '0')
		o->s[--o->len] = 0;
	if (o->s[o->len - 1] == '.')
		o->s[--o->len] = 0;
}

static int32_t too_many(struct wbl_call *call, const struct data_table *t,
	const struct data_limit *l, int32_t code, const char *where, uint64_t rejected, uint64_t of,
	const char *what)
{
	struct wbl_out text = { 0 };
	int32_t rc;

	wbl_out_fmt(&text, "%llu", (unsigned long long)rejected);
	if (of)
		wbl_out_fmt(&text, " of %s%llu", what, (unsigned long long)of);
	wbl_out_fmt(&text, " rows %s rejected", rejected == 1 ? "was" : "were");
	if (l->most >= 0 && rejected > (uint64_t)l->most) {
		wbl_out_fmt(&text, ", at most %lld may be", (long long)l->most);
	} else {
		wbl_out_fmt(&text, ", at most ");
		percent_text((uint64_t)l->percent, &text);
		wbl_out_fmt(&text, " %% (%llu) may be",
			(unsigned long long)((unsigned __int128)of * (uint64_t)l->percent /
					     100000000u));
	}
	rc = wbl_error_report(call, code, where ? where : t->to,
		"Mend the source or the mapping, or raise `reject_limit` or `reject_percent`.",
		"table \"%s\": %s", t->to, text.s);
	wbl_out_clear(&text);
	return rc;
}

int32_t data_limit_check(
	struct wbl_call *call, const struct data_table *t, const struct wbl_totals *all)
{
	struct data_limit l;
	uint64_t of;

	if (!all || !all->rejected)
		return WBL_OK;
	data_limit_read(call, t, &l);
	of = all->items + all->rejected;
	return data_limit_beyond(&l, all->rejected, of)
		       ? too_many(call, t, &l, WBL_E_MISMATCH, NULL, all->rejected, of, "")
		       : WBL_OK;
}

uint64_t data_limit_rows(struct data_ends *e, const struct data_table *t)
{
	struct wbl_scan all = {
		.size = sizeof all, .range = WBL_RANGE_ALL, .set = t->from, .filter = t->where
	};
	struct wbl_totals n = { .size = sizeof n };
	struct data_limit l;

	data_limit_read(e->call, t, &l);
	/* What makes rows of its own makes as many as it likes. */
	if (l.percent < 0 || t->transform ||
		wbl_node_at(data_table_options(e->call, t), "from_all.0"))
		return 0;
	return e->src->count(e->source.self, e->call, &all, 1, &n) ? 0 : n.items;
}

int32_t data_limit_begin(struct data_flow *f, const struct wbl_work *work, uint64_t rows)
{
	data_limit_read(f->call, f->table, &f->limit);
	f->limit.rows = rows;
	if ((work->flags & WBL_WORK_CHUNK) && work->totals)
		f->limit.before = work->totals->rejected;
	if (f->limit.before && data_limit_beyond(&f->limit, f->limit.before, rows))
		return too_many(f->call, f->table, &f->limit, WBL_E_PARAM, NULL, f->limit.before,
			rows, "at most ");
	return WBL_OK;
}

/* ---- one reject ---- */

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

int32_t data_reject_tell(struct wbl_call *call, const struct data_table *t, const char *where,
	const char *column, const char *why, const char *value, const char *id)
{
	const struct wbl_check_service *check = wbl_service(call, "wbl.check/1");
	struct wbl_out key = { 0 };
	struct wbl_difference d = {
		.size = sizeof d,
		.kind = WBL_DIFF_REJECTED,
		.set = t->to,
		.field = column,
		.expected = why,
		.found = value,
		.ref = { id, id ? strlen(id) : 0 },
	};
	int32_t rc = WBL_OK;

	wbl_out_open(&key, NULL, '{');
	wbl_out_text(&key, "source", where);
	wbl_out_close(&key, '}');
	d.key = key.s;
	if (check)
		rc = check->difference(call, &d);
	wbl_out_clear(&key);
	return rc;
}

/* The one row that is too many is a cause; how many there were is the headline, unless none may be. */
static int32_t stop_at(struct data_flow *f, const char *where, const char *column, const char *why,
	const char *text, int quote)
{
	uint64_t n = f->limit.before + f->rejected;
	struct wbl_out in = { 0 };
	int32_t rc;

	wbl_out_reset(&in);
	if (column)
		wbl_out_fmt(&in, "column \"%s\": ", column);
	rc = wbl_error_report(f->call, WBL_E_PARAM, where,
		f->place ? "Correct the line; nothing was written."
			 : "Mend the source or the mapping, or allow some rejected rows by "
			   "`reject_limit` or `reject_percent`.",
		"the row cannot go to table \"%s\": %s%s%s%s%s", f->table->to, in.s, why,
		text ? quote ? ": \"" : ": " : "", text ? text : "", text && quote ? "\"" : "");
	wbl_out_clear(&in);
	if (!data_limit_any(&f->limit))
		return rc;
	return too_many(
		f->call, f->table, &f->limit, WBL_E_PARAM, where, n, f->limit.rows, "at most ");
}

int32_t data_flow_reject(struct data_flow *f, int64_t position, const char *column,
	const struct wbl_cell *value, const char *why)
{
	struct wbl_out where = { 0 }, text = { 0 };
	int whole = column && column[0] == '(';
	int32_t rc = WBL_OK;
	char id[DATA_ID] = "";

	f->rejected++;
	if (f->quiet) {
		if (f->refused)
			f->refused(f->refused_arg, position, column, value, why);
		return WBL_OK;
	}
	if (f->place)
		wbl_out_fmt(&where, "%s", f->place);
	else
		place_of(f->table, position, &where);
	wbl_out_reset(&text);
	if (value)
		wbl_cell_show(&text, value);
	data_text_cut(&text, SHOWN);
	if (data_limit_beyond(&f->limit, f->limit.before + f->rejected, f->limit.rows)) {
		rc = stop_at(f, where.s,
			whole    ? NULL
			: column ? column
				 : "?",
			why, value ? text.s : NULL, value && !whole);
	} else {
		if (f->letters)
			rc = data_letters_add(
				f->letters, f, position, where.s, column, why, text.s, id);
		if (!rc && !f->enough)
			rc = data_reject_tell(
				f->call, f->table, where.s, column, why, text.s, *id ? id : NULL);
		f->enough |= rc == WBL_END;
		rc = rc < 0 ? rc : WBL_OK;
	}
	wbl_out_clear(&where);
	wbl_out_clear(&text);
	return rc;
}

/* ---- rows that the target refuses ---- */

/* A batch that passed as it was becomes one of ours: its rows are where they stand in it. */
static void take_over(struct data_flow *f, const struct wbl_batch *b)
{
	uint64_t at = 0, from = 0, n = 0;
	struct wbl_row row;

	for (; wbl_batch_next(b, &at, &row) == 1; from = at)
		data_flow_origin(f, n++, -1, from);
	wbl_rows_reset(&f->out);
	wbl_cell_copy(&f->out, b->data, b->len);
	f->out.rows = n;
	f->in = *b;
}

struct sifting {
	struct data_flow *flow;
	struct data_ends *ends;
	void *writer;
	uint64_t *at; /* where each row of flow->out begins; its end behind the last */
	struct wbl_rows kept;
};

static int32_t name_refused(struct sifting *s, uint64_t bad)
{
	struct data_flow *f = s->flow;
	struct wbl_batch b = { .size = sizeof b, .data = f->out.data, .len = s->at[bad + 1] };
	struct wbl_cell shown = { .tag = WBL_CELL_TEXT };
	struct wbl_out key = { 0 };
	uint64_t at = s->at[bad];
	struct wbl_row row;
	int32_t rc;

	wbl_batch_next(&b, &at, &row);
	data_key_json(f->table, row.cells, &key);
	shown.data = (const uint8_t *)key.s;
	shown.len = (uint32_t)key.len;
	f->row_at = f->origins[bad].at;
	rc = data_flow_reject(
		f, f->origins[bad].position, "(the row)", &shown, "the target refuses it");
	wbl_out_clear(&key);
	return rc;
}

/* Rows lo to hi, each offered about twice however many of them are bad. */
static int32_t sift(struct sifting *s, uint64_t lo, uint64_t hi)
{
	struct data_flow *f = s->flow;
	int32_t rc = WBL_OK;
	uint64_t bad;

	while (!rc && lo < hi) {
		struct wbl_batch b;

		wbl_rows_batch(&f->out, f->table->to, f->table->names, &b);
		b.data += s->at[lo];
		b.len = s->at[hi] - s->at[lo];
		b.rows = hi - lo;
		bad = hi;
		rc = s->ends->dst->append(s->writer, f->call, &b, &bad);
		if (!rc) {
			wbl_cell_copy(&s->kept, b.data, b.len);
			s->kept.rows += b.rows;
			return WBL_OK;
		}
		if (rc != WBL_E_PARAM || bad >= b.rows)
			return rc;
		rc = sift(s, lo, lo + bad);
		rc = rc ? rc : name_refused(s, lo + bad);
		lo += bad + 1;
	}
	return rc;
}

int32_t data_flow_append(
	struct data_flow *f, struct data_ends *e, void *writer, struct wbl_batch *b)
{
	struct sifting s = { .flow = f, .ends = e, .writer = writer };
	uint64_t bad = b->rows, n = 0, at = 0;
	struct wbl_row row;
	int32_t rc = e->dst->append(writer, f->call, b, &bad);

	if (rc != WBL_E_PARAM || bad >= b->rows)
		return rc;
	if (b->data != f->out.data)
		take_over(f, b);
	wbl_rows_batch(&f->out, f->table->to, f->table->names, b);
	s.at = wbl_sdk_alloc((b->rows + 1) * sizeof *s.at);
	for (; n < b->rows && wbl_batch_next(b, &at, &row) == 1; n++)
		s.at[n + 1] = at;
	rc = sift(&s, 0, n);
	free(s.at);
	wbl_rows_clear(&f->out);
	f->out = s.kept;
	wbl_rows_batch(&f->out, f->table->to, f->table->names, b);
	return rc;
}
