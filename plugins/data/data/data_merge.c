/* data_merge.c - one chunk of a merge: rows held against those of the same keys, and written where they differ.
 * In: a range of the source, or a part of the ledger to look for rows that are gone.  Out: changed rows, the ledger and a receipt in one
 * transaction of the target, after what was there is kept.  A chunk that finds nothing to do writes nothing.
 * SPDX-License-Identifier: Apache-2.0 */
#include "data_conflict.h"
#include "data_pace.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Stored in targets: append, never change. The first members are those of a copy's receipt. */
struct receipt_body {
	uint32_t version, reserved;
	struct wbl_sum sum;
	uint64_t rejected, bytes, attempt, rest;
	struct data_counted counts;
	char kept[96];
};

/* One key of a batch. */
struct one {
	struct data_key key, digest, base;
	struct wbl_bytes cells, key_cells; /* key_cells: in merge->keys, once all are collected */
	size_t key_at;
	struct data_origin origin;
	const struct data_row *now;
	int has_base;
	struct data_verdict v;
};

struct seen {
	struct data_key *slots;
	size_t cap, n;
};

struct merge {
	struct wbl_call *call;
	const struct wbl_work *work;
	struct data_ends ends;
	struct data_map map;
	struct data_table *table, *part; /* part: the source of this chunk */
	struct data_look look;
	struct data_flow flow;
	struct data_pace pace;
	struct data_finder finder;
	struct data_ledger ledger;
	struct data_decisions *decisions;
	struct data_keep *keep;
	struct seen seen;
	struct wbl_rows keys, rows, notes, scratch;
	struct one *list;
	size_t n, cap;
	void *writer, *cursor;
	struct wbl_scan range;
	uint64_t limit_rows; /* of the whole table, when a limit in percent asks for it */
	int32_t page;        /* -1: a range */
	struct wbl_sum sum;
	struct data_counted counts;
	int rehearse;
};

static uint32_t is_mark(const struct merge *m)
{
	return m->table->manner.deletes == DATA_DELETES_MARK;
}

void data_counted_tell(const struct data_counted *n, struct wbl_out *o)
{
	static const char *const names[] = { "added", "changed", "taken away", "as they were",
		"in conflict", "waiting for a decision" };
	const uint64_t values[] = { n->added, n->changed, n->removed, n->same, n->conflicts,
		n->held };
	int any = 0;

	for (size_t i = 0; i < sizeof values / sizeof *values; i++)
		if (values[i])
			wbl_out_fmt(o, "%s%llu %s", any++ ? ", " : "",
				(unsigned long long)values[i], names[i]);
	if (!any)
		wbl_out_fmt(o, "no rows");
}

/* ---- keys that this chunk has met ---- */

/* 1: it was there already. */
static int seen_add(struct seen *s, struct data_key k)
{
	size_t at;

	if (s->n * 2 >= s->cap) {
		struct seen more = { .cap = s->cap ? s->cap * 2 : 4096 };

		more.slots = wbl_sdk_alloc(more.cap * sizeof *more.slots);
		for (size_t i = 0; i < s->cap; i++)
			if (s->slots[i].lo || s->slots[i].hi)
				seen_add(&more, s->slots[i]);
		free(s->slots);
		*s = more;
	}
	for (at = k.lo & (s->cap - 1); s->slots[at].lo || s->slots[at].hi;
		at = (at + 1) & (s->cap - 1))
		if (s->slots[at].lo == k.lo && s->slots[at].hi == k.hi)
			return 1;
	s->slots[at] = k;
	s->n++;
	return 0;
}

/* ---- a batch is taken apart ---- */

static int has_null(struct wbl_bytes cells)
{
	struct wbl_cell c;

	while (wbl_cell_next(&cells, &c) == 1)
		if (c.tag == WBL_CELL_NULL)
			return 1;
	return 0;
}

static int32_t refuse(struct merge *m, const struct one *o, const char *why)
{
	struct wbl_out key = { 0 };
	struct wbl_cell shown = { .tag = WBL_CELL_TEXT };
	int32_t rc;

	if (!o->cells.len)
		return wbl_error_report(m->call, WBL_E_FAILED, m->table->to, NULL,
			"a row that is gone in the source cannot be taken away: %s", why);
	m->flow.row_at = o->origin.at;
	data_key_json(m->table, o->cells, &key);
	shown.data = (const uint8_t *)key.s;
	shown.len = (uint32_t)key.len;
	rc = data_flow_reject(&m->flow, o->origin.position, "(the row)", &shown, why);
	wbl_out_clear(&key);
	return rc;
}

static struct one *add_one(struct merge *m)
{
	if (m->n == m->cap) {
		m->cap = m->cap * 2 + 256;
		m->list = wbl_sdk_grow(m->list, m->cap * sizeof *m->list);
	}
	memset(&m->list[m->n], 0, sizeof *m->list);
	return &m->list[m->n++];
}

static void add_key(struct merge *m, struct one *o, struct wbl_bytes key)
{
	wbl_row_begin(&m->keys, WBL_ROW_DELETE);
	o->key_at = m->keys.len;
	wbl_cell_copy(&m->keys, key.data, key.len);
	wbl_row_end(&m->keys);
	o->key_cells.len = key.len;
}

static int32_t collect(struct merge *m, const struct wbl_batch *b, int here)
{
	int mine = b->data == m->flow.out.data;
	struct wbl_row row;
	int32_t rc = WBL_OK;
	uint64_t n = 0, began = 0;

	m->n = 0;
	wbl_rows_reset(&m->keys);
	for (uint64_t at = 0; !rc && wbl_batch_next(b, &at, &row) == 1; n++, began = at) {
		struct wbl_bytes key = data_key_cells(m->table, row.cells, &m->scratch);
		struct data_key k = data_digest_of_key(key);
		struct one *o;

		if (!data_look_takes(&m->look, k.lo)) {
			m->counts.same++;
			continue;
		}
		o = add_one(m);
		o->key = k;
		o->cells = row.cells;
		o->origin = mine ? m->flow.origins[n] : (struct data_origin){ -1, began };
		o->digest = data_digest_of(row.cells);
		if (has_null(key))
			rc = refuse(m, o, "its key has a NULL: it could not be found again");
		else if (seen_add(&m->seen, k))
			rc = here ? refuse(m, o, "its key occurs twice in the source") : WBL_OK;
		else
			add_key(m, o, key);
		if (!o->key_cells.len)
			m->n--;
	}
	for (size_t i = 0; i < m->n; i++)
		m->list[i].key_cells.data = m->keys.data + m->list[i].key_at;
	return rc;
}

static void drop_one(struct merge *m, size_t at)
{
	struct wbl_rows kept = { 0 };

	memmove(&m->list[at], &m->list[at + 1], (m->n - at - 1) * sizeof *m->list);
	m->n--;
	for (size_t i = 0; i < m->n; i++) {
		struct wbl_bytes key = m->list[i].key_cells;

		wbl_row_begin(&kept, WBL_ROW_DELETE);
		m->list[i].key_at = kept.len;
		wbl_cell_copy(&kept, key.data, key.len);
		wbl_row_end(&kept);
	}
	wbl_rows_clear(&m->keys);
	m->keys = kept;
	for (size_t i = 0; i < m->n; i++)
		m->list[i].key_cells.data = m->keys.data + m->list[i].key_at;
}

static int32_t find(struct merge *m)
{
	int64_t strange = -1;
	int32_t rc = WBL_OK;

	for (; m->table->target && !rc; drop_one(m, (size_t)strange)) {
		rc = data_find(&m->finder, &m->keys, &strange);
		if (rc || strange < 0)
			break;
		rc = refuse(
			m, &m->list[strange], "the target takes its key for that of another row");
	}
	if (!rc && m->ledger.name && !(m->rehearse && m->look.ledger_new))
		rc = data_ledger_find(&m->ledger, &m->keys);
	for (size_t i = 0; !rc && i < m->n; i++) {
		struct one *o = &m->list[i];

		o->now = data_found_row(&m->finder, o->key);
		o->has_base = data_ledger_get(&m->ledger, o->key_cells, &o->base);
	}
	return rc;
}

/* ---- decisions ---- */

static struct wbl_bytes raw_of(const struct merge *m, const struct one *o)
{
	if (!o->now)
		return (struct wbl_bytes){ 0 };
	return (struct wbl_bytes){ m->finder.found.raw.data + o->now->at, o->now->len };
}

static void show_sides(struct merge *m, const struct one *o, int here, struct wbl_out *source,
	struct wbl_out *target)
{
	struct wbl_rows picked = { 0 };

	wbl_out_reset(source);
	wbl_out_reset(target);
	if (here)
		data_row_json(m->table, o->cells, source);
	else
		wbl_out_fmt(source, "no such row");
	if (o->now) {
		wbl_row_begin(&picked, WBL_ROW_PUT);
		data_pick(&m->finder, raw_of(m, o), &picked);
		data_row_json(m->table, wbl_row_end(&picked), target);
	} else {
		wbl_out_fmt(target, "no such row");
	}
	wbl_rows_clear(&picked);
}

static void key_json(const struct merge *m, const struct one *o, struct wbl_out *out)
{
	struct wbl_bytes cells = o->key_cells;
	struct wbl_out text = { 0 };
	struct wbl_cell c;

	wbl_out_reset(out);
	wbl_out_open(out, NULL, '{');
	for (size_t k = 0; k < m->table->nkey && wbl_cell_next(&cells, &c) == 1; k++) {
		wbl_out_reset(&text);
		wbl_cell_show(&text, &c);
		wbl_out_textn(out, m->table->cols[m->table->key[k]].name, text.s,
			text.len > 200 ? 200 : text.len);
	}
	wbl_out_close(out, '}');
	wbl_out_clear(&text);
}

static void decide(struct merge *m, struct one *o, int here)
{
	struct data_case c = {
		.here = here,
		.digest = o->digest,
		.now = o->now,
		.base = o->has_base ? &o->base : NULL,
	};
	struct wbl_out key = { 0 }, source = { 0 }, target = { 0 };

	o->v = data_decide(&m->table->manner, m->ledger.name != NULL, &c);
	if (!o->v.conflict)
		return;
	key_json(m, o, &key);
	show_sides(m, o, here, &source, &target);
	c.decided = data_decisions_find(m->decisions, m->table->to, key.s, target.s);
	if (c.decided)
		o->v = data_decide(&m->table->manner, m->ledger.name != NULL, &c);
	m->counts.conflicts++;
	m->counts.held += o->v.act == DATA_HELD;
	data_conflict_tell(m->call, m->table, key.s, source.s, target.s, o->key_cells);
	wbl_out_clear(&key);
	wbl_out_clear(&source);
	wbl_out_clear(&target);
}

/* ---- writing ---- */

static void build(struct merge *m, const struct one *o)
{
	const char *mark = m->table->manner.mark_value;

	switch (o->v.act) {
	case DATA_ADD:
		wbl_row_begin(&m->rows, WBL_ROW_PUT);
		wbl_cell_copy(&m->rows, o->cells.data, o->cells.len);
		wbl_row_end(&m->rows);
		break;
	case DATA_CHANGE:
		data_splice(&m->finder, raw_of(m, o), &o->cells, is_mark(m) ? 0 : -1, mark,
			&m->rows, WBL_ROW_PUT);
		break;
	default:
		if (is_mark(m)) {
			data_splice(&m->finder, raw_of(m, o), NULL, 1, mark, &m->rows, WBL_ROW_PUT);
			break;
		}
		wbl_row_begin(&m->rows, WBL_ROW_DELETE);
		wbl_cell_copy(&m->rows, o->key_cells.data, o->key_cells.len);
		wbl_row_end(&m->rows);
	}
}

static const char *const *columns_for(const struct merge *m, enum data_act act)
{
	if (act == DATA_ADD)
		return m->table->names;
	if (act == DATA_REMOVE && !is_mark(m))
		return m->finder.shape.key;
	return (const char *const *)m->finder.whole;
}

/* The row number `bad` among those of this kind is refused and left out. */
static int32_t leave_out(struct merge *m, enum data_act act, uint64_t bad)
{
	for (size_t i = 0; i < m->n; i++) {
		if (m->list[i].v.act != act || bad--)
			continue;
		m->list[i].v = (struct data_verdict){ .act = DATA_SAME };
		return refuse(m, &m->list[i], "the target refuses it");
	}
	return WBL_E_ABI;
}

static int32_t write_kind(struct merge *m, enum data_act act)
{
	struct wbl_batch batch;
	uint64_t bad = 0;
	int32_t rc;

	do {
		wbl_rows_reset(&m->rows);
		for (size_t i = 0; i < m->n; i++)
			if (m->list[i].v.act == act)
				build(m, &m->list[i]);
		if (!m->rows.rows || !m->writer)
			return WBL_OK;
		wbl_rows_batch(&m->rows, m->table->to, columns_for(m, act), &batch);
		rc = m->ends.dst->append(m->writer, m->call, &batch, &bad);
		if (rc != WBL_E_PARAM || bad >= batch.rows)
			return rc;
		rc = leave_out(m, act, bad);
	} while (!rc);
	return rc;
}

/* What the ledger is to say of it: 1 the digest, 0 nothing any more, -1 it stays. */
static int note_of(const struct merge *m, const struct one *o)
{
	if (!m->ledger.name)
		return -1;
	if (o->v.settle || o->v.act == DATA_ADD || o->v.act == DATA_CHANGE)
		return 1;
	return o->v.act == DATA_REMOVE ? (o->has_base ? 0 : -1) : o->v.forget ? 0 : -1;
}

static int32_t write_notes(struct merge *m)
{
	struct wbl_batch batch;
	int note;

	wbl_rows_reset(&m->notes);
	for (size_t i = 0; i < m->n; i++) {
		struct one *o = &m->list[i];

		note = note_of(m, o);
		if (note > 0)
			data_ledger_put(&m->notes, o->key_cells, &o->digest);
		else if (!note)
			data_ledger_drop(&m->notes, o->key_cells);
	}
	if (!m->notes.rows || !m->writer)
		return WBL_OK;
	wbl_rows_batch(&m->notes, m->ledger.name, data_ledger_columns, &batch);
	return m->ends.dst->append(m->writer, m->call, &batch, NULL);
}

static void keep_one(struct merge *m, const struct one *o)
{
	struct data_kept k = {
		.key = o->key,
		.now = o->digest,
		.noted = o->base,
		.key_cells = o->key_cells,
	};

	if (o->v.act == DATA_ADD || o->v.act == DATA_CHANGE || o->v.act == DATA_REMOVE)
		k.flags = DATA_KEPT_ROW;
	if (o->v.act == DATA_ADD || o->v.act == DATA_CHANGE)
		k.flags |= DATA_KEPT_PUT;
	if (k.flags && o->now) {
		k.flags |= DATA_KEPT_OLD | (o->now->marked ? DATA_KEPT_WAS_MARKED : 0);
		k.old = o->now->digest;
		k.raw = raw_of(m, o);
	}
	if (o->v.act == DATA_REMOVE && is_mark(m))
		k.flags |= DATA_KEPT_MARK;
	if (note_of(m, o) >= 0)
		k.flags |= DATA_KEPT_LEDGER | (o->has_base ? DATA_KEPT_NOTED : 0);
	if (k.flags && m->keep)
		data_keep_add(m->keep, &m->finder, &k);
}

static void count_one(struct merge *m, const struct one *o)
{
	m->counts.added += o->v.act == DATA_ADD;
	m->counts.changed += o->v.act == DATA_CHANGE;
	m->counts.removed += o->v.act == DATA_REMOVE;
	m->counts.same += o->v.act == DATA_SAME || o->v.act == DATA_NOTE;
	if (o->v.act == DATA_ADD || o->v.act == DATA_CHANGE) {
		wbl_sum_row(&m->sum, o->cells.data, o->cells.len);
		wbl_sum_key(&m->sum, o->key_cells.data, o->key_cells.len);
	}
}

static int32_t refuse_all(struct merge *m)
{
	int32_t rc = WBL_OK;

	for (size_t i = 0; !rc && i < m->n; i++)
		if (m->list[i].v.act == DATA_REFUSE) {
			m->list[i].v = (struct data_verdict){ .act = DATA_SAME };
			rc = refuse(m, &m->list[i], "the target has a row of this key already");
		}
	return rc;
}

/* Those that go first make room for what is unique. */
static int32_t process(struct merge *m, int here)
{
	int32_t rc = find(m);

	for (size_t i = 0; !rc && i < m->n; i++)
		decide(m, &m->list[i], here);
	rc = rc ? rc : refuse_all(m);
	rc = rc ? rc : write_kind(m, DATA_REMOVE);
	rc = rc ? rc : write_kind(m, DATA_CHANGE);
	rc = rc ? rc : write_kind(m, DATA_ADD);
	rc = rc ? rc : write_notes(m);
	for (size_t i = 0; !rc && i < m->n; i++) {
		count_one(m, &m->list[i]);
		keep_one(m, &m->list[i]);
	}
	WBL_FAULT(m->call, "batch_merged");
	return rc;
}

/* ---- rows of the source ---- */

static int32_t pump(struct merge *m, int here)
{
	const struct wbl_run_service *run = wbl_service(m->call, "wbl.run/1");
	struct wbl_batch in = { .size = sizeof in }, out;
	int64_t waited;
	int32_t rc;

	for (;;) {
		rc = wbl_stop_asked(m->call);
		rc = rc ? rc : m->ends.src->read(m->cursor, m->call, &in);
		if (rc)
			return rc == WBL_END ? WBL_OK : rc;
		rc = data_flow_convert(&m->flow, &in, &out);
		rc = rc ? rc : collect(m, &out, here);
		rc = rc ? rc : process(m, here);
		if (rc)
			return rc;
		wbl_progress_tell(
			m->call, m->table->to, m->counts.same + m->sum.count, 0, m->flow.bytes);
		waited = run ? run->throttle(m->call, in.rows, in.len) : 0;
		/* What was told of this chunk would be told again by its parts. */
		if (data_pace_step(&m->pace, in.rows, in.len, waited) && !m->flow.rejected &&
			!m->counts.conflicts)
			rc = data_pace_split(
				&m->pace, &m->ends, m->work, m->part, &m->range, m->limit_rows);
		if (rc)
			return rc;
	}
}

static int32_t read_range(
	struct merge *m, const struct wbl_scan *range, const char *filter, int here)
{
	struct wbl_scan scan = *range;
	int32_t rc;

	scan.set = m->part->from;
	scan.columns = data_scan_columns(m->part);
	scan.filter = filter;
	scan.batch_bytes = 1 << 18;
	scan.batch_rows = 4096;
	rc = m->ends.src->scan(m->ends.source.self, m->call, &scan, &m->cursor);
	rc = rc ? rc : pump(m, here);
	m->ends.src->scan_end(m->cursor);
	m->cursor = NULL;
	return rc;
}

/* ---- rows that are gone: in the ledger, not in the source ---- */

struct page {
	struct merge *m;
	uint64_t low, high; /* buckets */
	struct data_keys keys;
	struct wbl_rows gone; /* key cells */
};

static int in_page(const struct page *p, uint64_t lo)
{
	uint64_t b = lo % p->m->look.buckets;

	return b >= p->low && b < p->high && data_look_takes(&p->m->look, lo);
}

static int32_t take_keys(void *arg, const struct wbl_batch *b)
{
	struct page *p = arg;
	struct wbl_row row;
	struct data_key k;

	for (uint64_t at = 0; wbl_batch_next(b, &at, &row) == 1;) {
		data_key_digest(p->m->table, row.cells, &p->m->scratch, &k.lo, &k.hi);
		if (in_page(p, k.lo))
			data_keys_add(&p->keys, k.lo, k.hi);
	}
	return WBL_OK;
}

static int32_t find_gone(struct page *p)
{
	struct merge *m = p->m;
	static const char *const columns[] = { "key", NULL };
	struct wbl_scan scan = {
		.size = sizeof scan,
		.range = WBL_RANGE_ALL,
		.set = m->ledger.name,
		.columns = columns,
	};
	struct wbl_batch batch = { .size = sizeof batch };
	struct wbl_row row;
	struct wbl_cell c;
	void *cursor = NULL;
	int32_t rc = m->ends.dst->scan(m->ends.target.self, m->call, &scan, &cursor);

	while (!rc && !(rc = wbl_stop_asked(m->call)) &&
		!(rc = m->ends.dst->read(cursor, m->call, &batch)))
		for (uint64_t at = 0; wbl_batch_next(&batch, &at, &row) == 1;) {
			struct data_key k;

			if (wbl_cell_next(&row.cells, &c) != 1)
				continue;
			k = data_digest_of_key((struct wbl_bytes){ c.data, c.len });
			if (!in_page(p, k.lo) || data_keys_find(&p->keys, k.lo, k.hi) >= 0)
				continue;
			wbl_row_begin(&p->gone, WBL_ROW_DELETE);
			wbl_cell_copy(&p->gone, c.data, c.len);
			wbl_row_end(&p->gone);
		}
	m->ends.dst->scan_end(cursor);
	return rc == WBL_END ? WBL_OK : rc;
}

static int32_t process_gone(struct page *p)
{
	enum { AT_ONCE = 1000 };
	struct merge *m = p->m;
	struct wbl_batch all;
	struct wbl_row row;
	int32_t rc = WBL_OK;

	wbl_rows_batch(&p->gone, NULL, NULL, &all);
	m->n = 0;
	wbl_rows_reset(&m->keys);
	for (uint64_t at = 0; !rc && wbl_batch_next(&all, &at, &row) == 1;) {
		struct one *o = add_one(m);

		o->key = data_digest_of_key(row.cells);
		add_key(m, o, row.cells);
		if (m->n < AT_ONCE && at < all.len)
			continue;
		for (size_t i = 0; i < m->n; i++)
			m->list[i].key_cells.data = m->keys.data + m->list[i].key_at;
		rc = process(m, 0);
		m->n = 0;
		wbl_rows_reset(&m->keys);
	}
	return rc;
}

static int32_t read_page(struct merge *m, uint32_t number)
{
	struct page p = { .m = m };
	uint64_t pages = m->look.pages > 0 ? (uint64_t)m->look.pages : 1;
	int32_t rc;

	p.low = m->look.buckets * number / pages;
	p.high = m->look.buckets * (number + 1) / pages;
	rc = data_walk(&m->ends, m->table, 0, take_keys, &p);
	data_keys_sort(&p.keys);
	rc = rc ? rc : find_gone(&p);
	rc = rc ? rc : process_gone(&p);
	data_keys_clear(&p.keys);
	wbl_rows_clear(&p.gone);
	return rc;
}

/* ---- the chunk ---- */

static int32_t tell_totals(struct merge *m, const struct receipt_body *b)
{
	const struct wbl_run_service *run = wbl_service(m->call, "wbl.run/1");
	struct wbl_digest digest, rest;
	const struct wbl_digest *list[] = { &digest, b->rest ? &rest : NULL, NULL };
	struct wbl_totals t = {
		.size = sizeof t,
		.items = b->counts.added + b->counts.changed + b->counts.removed,
		.bytes = b->bytes,
		.rejected = b->rejected,
		.chunks = 1,
		.digests = list,
	};
	int32_t rc = WBL_OK;

	wbl_sum_digest(&b->sum, m->table->to, &digest);
	wbl_sum_digest(&(struct wbl_sum){ .count = b->rest }, DATA_REST, &rest);
	if (b->counts.held && run)
		rc = run->output(m->call, "held", (struct wbl_bytes){ "1", 1 });
	return rc || !run ? rc : run->result(m->call, &t);
}

static void fill_body(struct merge *m, struct receipt_body *b)
{
	memset(b, 0, sizeof *b);
	b->version = 1;
	b->attempt = m->work->attempt;
	b->sum = m->sum;
	b->rejected = m->flow.rejected;
	b->bytes = m->flow.bytes;
	b->rest = m->flow.rest;
	b->counts = m->counts;
	if (m->keep)
		snprintf(b->kept, sizeof b->kept, "%s", data_keep_name(m->keep));
}

static int32_t already_there(struct merge *m)
{
	struct wbl_bytes body = { 0 };
	struct receipt_body b;
	int32_t rc = m->ends.dst->receipt(m->ends.target.self, m->call, m->work->key, &body);

	if (rc)
		return rc;
	if (body.len < sizeof b || (memcpy(&b, body.data, sizeof b), b.version != 1))
		return wbl_error_report(m->call, WBL_E_CORRUPT, m->work->key, NULL,
			"the receipt of this chunk cannot be read");
	rc = b.rejected ? data_letters_retell(m->call, m->work, m->part, b.attempt) : WBL_OK;
	return rc ? rc : tell_totals(m, &b);
}

int32_t data_merge_receipt(
	struct data_ends *e, const char *key, struct data_counted *ret, char kept[96])
{
	struct wbl_bytes body = { 0 };
	struct receipt_body b;
	int32_t rc = e->dst->receipt(e->target.self, e->call, key, &body);

	if (rc)
		return rc;
	if (body.len < sizeof b || (memcpy(&b, body.data, sizeof b), b.version != 1))
		return wbl_error_report(e->call, WBL_E_CORRUPT, key, NULL,
			"the receipt of this chunk cannot be read");
	snprintf(kept, 96, "%.*s", (int)sizeof b.kept - 1, b.kept);
	*ret = b.counts;
	return WBL_OK;
}

static int32_t begin_write(struct merge *m)
{
	struct wbl_write write = {
		.size = sizeof write,
		.mode = WBL_MODE_BY_KIND,
		.epoch = m->work->epoch,
		.attempt = m->work->attempt,
		.origin = m->work->run_id,
	};
	int32_t rc;

	if (m->rehearse)
		return WBL_OK;
	if (!(m->ends.target.capabilities & WBL_CAN_SETS) ||
		!(m->ends.target.capabilities & WBL_CAN_TRANSACTION))
		return wbl_error_report(m->call, WBL_E_UNSUPPORTED, "target", NULL,
			"the target cannot write rows and what is noted of them together");
	rc = data_keep_begin(m->call, m->work, &m->finder, m->ledger.name, &m->keep);
	return rc ? rc : m->ends.dst->write(m->ends.target.self, m->call, &write, &m->writer);
}

static int32_t finish(struct merge *m)
{
	struct receipt_body body;
	struct wbl_receipt receipt = {
		.size = sizeof receipt,
		.epoch = m->work->epoch,
		.attempt = m->work->attempt,
		.key = m->work->key,
		.body = { &body, sizeof body },
	};
	struct wbl_outcome outcome = { .size = sizeof outcome };
	void *writer = m->writer;
	struct data_keep *keep = m->keep;
	int32_t rc;

	fill_body(m, &body);
	if (!writer || (!data_keep_rows(keep) && !m->flow.rejected && !m->counts.held))
		return tell_totals(m, &body);
	rc = m->table->manner.by ? WBL_OK : data_source_same(&m->ends, m->table->from);
	if (!rc && m->flow.letters)
		rc = data_letters_seal(m->flow.letters, m->call);
	if (rc)
		return rc;
	m->keep = NULL;
	rc = data_keep_seal(keep, m->work);
	WBL_FAULT(m->call, "rows_kept");
	if (rc)
		return rc;
	m->writer = NULL;
	WBL_FAULT(m->call, "before_commit");
	rc = m->ends.dst->commit(writer, m->call, &receipt, &outcome);
	if (rc)
		return rc;
	WBL_FAULT(m->call, "committed");
	return tell_totals(m, &body);
}

static int32_t tell_done(struct merge *m)
{
	const struct wbl_check_service *check = wbl_service(m->call, "wbl.check/1");
	const struct wbl_run_service *run = wbl_service(m->call, "wbl.run/1");
	struct data_counted *n = &m->counts;
	uint64_t all = n->added + n->changed + n->removed + n->same + n->held;
	struct wbl_out text = { 0 };
	int32_t rc = WBL_OK;

	data_counted_tell(n, &text);
	if (m->rehearse) {
		wbl_out_fmt(&text, "; held against the target, none written");
		rc = run ? run->rehearsed(m->call, 3, text.s) : WBL_OK;
	} else if (check) {
		rc = check->covered(m->call, m->table->to, all, all, text.s);
	}
	wbl_out_clear(&text);
	return rc;
}

void data_shape_of(struct data_table *t, struct data_shape *s)
{
	*s = (struct data_shape){
		.set = t->to,
		.key = wbl_sdk_alloc((t->nkey + 1) * sizeof *s->key),
		.mapped = t->names,
		.cols = t->cols,
		.nkey = t->nkey,
		.nmapped = t->ncols,
		.keyat = t->key,
		.mark = t->manner.mark,
	};
	if (t->target)
		data_back_begin(t);
	for (size_t k = 0; k < t->nkey; k++)
		s->key[k] = t->cols[t->key[k]].name;
}

/* Which rows of which source. */
static int32_t find_range(struct merge *m)
{
	uint64_t part = 0;

	m->part = m->table;
	m->page = -1;
	m->range = (struct wbl_scan){ .size = sizeof m->range, .range = WBL_RANGE_ALL };
	if ((m->work->flags & WBL_WORK_CHUNK) &&
		(data_range_decode(m->work->chunk, &m->range, &m->limit_rows, &part, &m->page) ||
			part >= data_parts(m->table)))
		return wbl_error_report(m->call, WBL_E_ABI, m->work->chunk_id, NULL,
			"the chunk's range cannot be read");
	m->part = data_part(m->table, part);
	return WBL_OK;
}

static int32_t open_all(struct merge *m)
{
	struct data_shape shape;
	int32_t rc =
		data_open_table(m->call, m->work, WBL_OPEN_WRITE, &m->ends, &m->map, &m->table);

	if (rc)
		return rc;
	rc = find_range(m);
	data_flow_init(&m->flow, m->call, m->part, 0);
	data_shape_of(m->table, &shape);
	data_finder_init(&m->finder, m->call, m->ends.dst, m->ends.target.self, &shape);
	rc = rc ? rc : data_look_read(m->call, m->work, &m->look);
	data_ledger_init(&m->ledger, &m->ends, m->look.ledger);
	return rc ? rc : data_decisions_read(m->call, m->table->manner.decisions, &m->decisions);
}

static int32_t run_chunk(struct merge *m)
{
	const struct data_manner *n = &m->table->manner;
	int32_t rc = WBL_OK;

	if (m->look.nothing)
		return WBL_OK;
	rc = data_limit_begin(&m->flow, m->work, m->limit_rows);
	if (rc)
		return rc;
	if (!m->rehearse)
		m->flow.letters = data_letters_new(m->work);
	data_pace_begin(&m->pace, m->call, m->work);
	rc = begin_write(m);
	WBL_FAULT(m->call, "chunk_open");
	if (rc || m->page >= 0)
		return rc ? rc : read_page(m, (uint32_t)m->page);
	rc = read_range(m, &m->range, m->look.where, 1);
	if (!rc && m->look.gone && n->deletes != DATA_DELETES_KEEP)
		rc = read_range(m, &m->range, m->look.gone, 0);
	return rc;
}

int32_t data_merge_execute(struct wbl_call *call, const struct wbl_work *work)
{
	struct merge m = {
		.call = call, .work = work, .rehearse = (work->flags & WBL_WORK_REHEARSE) != 0
	};
	int32_t rc = open_all(&m);

	if (!rc) {
		rc = m.rehearse ? WBL_END : already_there(&m);
		if (rc == WBL_END) {
			rc = m.rehearse || m.table->manner.by
				     ? WBL_OK
				     : data_source_same(&m.ends, m.table->from);
			rc = rc ? rc : run_chunk(&m);
			rc = rc ? rc : tell_done(&m);
			rc = rc ? rc : finish(&m);
		}
	}
	if (m.writer)
		m.ends.dst->abort(m.writer);
	data_keep_drop(m.keep);
	free(m.finder.shape.key);
	data_finder_clear(&m.finder);
	data_ledger_clear(&m.ledger);
	data_decisions_free(m.decisions);
	data_letters_free(m.flow.letters);
	data_flow_clear(&m.flow);
	data_look_clear(&m.look);
	wbl_rows_clear(&m.keys);
	wbl_rows_clear(&m.rows);
	wbl_rows_clear(&m.notes);
	wbl_rows_clear(&m.scratch);
	free(m.seen.slots);
	free(m.list);
	data_map_clear(&m.map);
	data_close(&m.ends);
	return rc;
}
