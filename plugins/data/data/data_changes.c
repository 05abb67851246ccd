/* data_changes.c - the look before a merge: which rows may have to be written, found by a column or by digests of buckets.
 * In: both sides.  Out: the output "look" ({nothing, where, gone, from, mark, low, window, pages, source, target, others, broken}) and the bitmap
 * "buckets"; the ledger's table, made where it is wanted and absent.  Nothing else is changed.
 * SPDX-License-Identifier: Apache-2.0 */
#include "data_conflict.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LEAST = 1 << 10, MOST = 1 << 18, ROWS_EACH = 64, PAGE_ROWS = 200000 };

struct bucket { /* source minus target */
	uint64_t row_lo, row_hi, key;
	uint32_t rows, reserved; /* of both */
};
struct look {
	struct wbl_call *call;
	const struct wbl_work *work;
	struct data_ends ends;
	struct data_map map;
	struct data_table *table;
	struct data_look read;
	struct bucket *buckets;
	uint64_t nbuckets;
	struct wbl_rows scratch;
	int target;
	uint8_t *bits;
	uint64_t bad, rows_in_bad;
	int keys_differ;
};

/* ---- buckets ---- */

static int32_t sort_out(void *arg, const struct wbl_batch *b)
{
	struct look *l = arg;
	struct wbl_row row;
	struct data_key key, digest;

	for (uint64_t at = 0; wbl_batch_next(b, &at, &row) == 1;) {
		struct bucket *k;
		uint64_t before;

		data_key_digest(l->table, row.cells, &l->scratch, &key.lo, &key.hi);
		digest = data_digest_of(row.cells);
		k = &l->buckets[key.lo % l->nbuckets];
		before = k->row_lo;
		if (l->target) {
			k->row_lo -= digest.lo;
			k->row_hi -= digest.hi + (digest.lo > before);
			k->key -= key.hi;
		} else {
			k->row_lo += digest.lo;
			k->row_hi += digest.hi + (k->row_lo < before);
			k->key += key.hi;
		}
		k->rows++;
	}
	return WBL_OK;
}

static uint64_t how_many(struct look *l)
{
	struct wbl_scan all = { .size = sizeof all, .range = WBL_RANGE_ALL, .set = l->table->from };
	struct wbl_totals n = { .size = sizeof n };
	uint64_t buckets = LEAST;

	if (l->ends.src->count(l->ends.source.self, l->call, &all, 0, &n))
		return LEAST;
	while (buckets < MOST && buckets * ROWS_EACH < n.items)
		buckets *= 2;
	return buckets;
}

static void find_bad(struct look *l)
{
	l->bits = wbl_sdk_alloc(l->nbuckets / 8 + 1);
	for (uint64_t i = 0; i < l->nbuckets; i++) {
		const struct bucket *b = &l->buckets[i];

		if (!b->row_lo && !b->row_hi && !b->key)
			continue;
		l->bits[i >> 3] |= (uint8_t)(1u << (i & 7));
		l->bad++;
		l->rows_in_bad += b->rows;
		l->keys_differ |= b->key != 0;
	}
}

static int32_t by_digest(struct look *l)
{
	int32_t rc;

	l->nbuckets = how_many(l);
	l->buckets = wbl_sdk_alloc(l->nbuckets * sizeof *l->buckets);
	l->target = 0;
	rc = data_walk(&l->ends, l->table, 0, sort_out, l);
	l->target = 1;
	if (!rc && l->table->target)
		rc = data_walk(&l->ends, l->table, 1, sort_out, l);
	if (!rc)
		find_bad(l);
	return rc;
}

/* ---- the rest of the target ---- */

int32_t data_sum_whole(struct data_ends *e, const char *set, struct wbl_sum *ret)
{
	struct wbl_scan scan = { .size = sizeof scan, .range = WBL_RANGE_ALL, .set = set };
	struct wbl_batch batch = { .size = sizeof batch };
	struct wbl_row row;
	void *cursor = NULL;
	int32_t rc = e->dst->scan(e->target.self, e->call, &scan, &cursor);

	memset(ret, 0, sizeof *ret);
	while (!rc && !(rc = wbl_stop_asked(e->call)) &&
		!(rc = e->dst->read(cursor, e->call, &batch)))
		for (uint64_t at = 0; wbl_batch_next(&batch, &at, &row) == 1;)
			wbl_sum_row(ret, row.cells.data, row.cells.len);
	e->dst->scan_end(cursor);
	return rc == WBL_END ? WBL_OK : rc;
}

static int wants_others(const struct data_table *t)
{
	return t->target && (t->manner.others == DATA_OTHERS_DIGEST ||
				    (t->manner.others == DATA_OTHERS_AUTO && !t->manner.by));
}

/* ---- what is told ---- */

static void hex_sum(struct wbl_out *o, const char *key, const struct wbl_sum *s)
{
	char text[80];

	snprintf(text, sizeof text, "%" PRIu64 ":%016" PRIx64 "%016" PRIx64, s->count, s->row_hi,
		s->row_lo);
	wbl_out_text(o, key, text);
}

static int32_t tell_others(struct look *l, struct wbl_out *o)
{
	struct wbl_sum sum;
	int32_t rc;

	if (!wants_others(l->table))
		return WBL_OK;
	rc = data_sum_whole(&l->ends, l->table->to, &sum);
	if (!rc)
		hex_sum(o, "others", &sum);
	return rc;
}

static char *ranged(const char *where, const struct data_table *t, const char *from, const char *to)
{
	struct wbl_out o = { 0 };

	if (where)
		wbl_out_fmt(&o, "(%s\n) AND ", where);
	if (from)
		wbl_out_fmt(&o, "(%s) >= %s AND ", t->manner.column, from);
	wbl_out_fmt(&o, "(%s) <= %s", t->manner.column, to);
	return o.s;
}

static int32_t tell_column(struct look *l, struct wbl_out *o)
{
	struct data_table *t = l->table;
	struct data_window w = { 0 };
	struct wbl_doc *kept = NULL;
	const char *from = NULL;
	int fresh = l->read.ledger_new || wbl_node_bool(wbl_doc_root(l->read.params), "fresh", 0);
	int32_t rc = data_window_now(&l->ends, t, &w);

	from = data_marks_low(&l->ends, t, &kept);
	from = fresh ? NULL : from;
	if (!rc && !w.any) {
		wbl_out_bool(o, "nothing", 1);
	} else if (!rc) {
		char *where = ranged(t->where, t, from, w.mark.s),
		     *gone = t->manner.gone ? ranged(t->manner.gone, t, from, w.mark.s) : NULL;

		wbl_out_text(o, "where", where);
		wbl_out_text(o, "gone", gone);
		wbl_out_text(o, "from", from);
		wbl_out_text(o, "mark", w.mark.s);
		wbl_out_text(o, "low", w.low.s);
		hex_sum(o, "window", &w.sum);
		free(where);
		free(gone);
	}
	data_window_clear(&w);
	wbl_doc_free(kept);
	return rc;
}

static int32_t tell_digest(struct look *l, struct wbl_out *o)
{
	const struct wbl_run_service *run = wbl_service(l->call, "wbl.run/1");
	const struct data_manner *n = &l->table->manner;
	int32_t rc = WBL_OK;

	wbl_out_text(o, "where", l->table->where);
	wbl_out_text(o, "gone", n->gone);
	if (n->by != DATA_BY_DIGEST || l->read.ledger_new)
		return WBL_OK;
	rc = by_digest(l);
	if (rc)
		return rc;
	if (!l->bad)
		wbl_out_bool(o, "nothing", 1);
	if (l->keys_differ && n->deletes != DATA_DELETES_KEEP)
		wbl_out_int(o, "pages", (int64_t)(1 + l->rows_in_bad / PAGE_ROWS));
	wbl_out_int(o, "buckets", (int64_t)l->nbuckets);
	return run->output(l->call, "buckets", (struct wbl_bytes){ l->bits, l->nbuckets / 8 + 1 });
}

static int32_t tell_nothing(struct look *l, const char *found)
{
	struct wbl_doc *doc = wbl_doc_parse(found, strlen(found), NULL);
	struct wbl_out text = { 0 };
	int32_t rc = WBL_OK;

	if (wbl_node_bool(wbl_doc_root(doc), "nothing", 0)) {
		wbl_out_fmt(&text, "table %s: nothing to do, both sides are in step", l->table->to);
		rc = data_finding(l->call, "nothing", l->table->to, text.s);
	}
	wbl_out_clear(&text);
	wbl_doc_free(doc);
	return rc;
}

static int32_t tell(struct look *l)
{
	const struct wbl_run_service *run = wbl_service(l->call, "wbl.run/1");
	struct wbl_out o = { 0 };
	uint64_t broken = 0;
	int32_t rc;

	wbl_out_open(&o, NULL, '{');
	wbl_out_text(&o, "source", wbl_node_str(wbl_doc_root(l->map.source), "identity"));
	wbl_out_text(&o, "target", wbl_node_str(wbl_doc_root(l->map.target), "identity"));
	if (wbl_node_bool(wbl_doc_root(l->read.params), "nothing", 0)) {
		wbl_out_bool(&o, "nothing", 1);
		rc = WBL_OK;
	} else {
		rc = l->table->manner.by == DATA_BY_COLUMN ? tell_column(l, &o)
							   : tell_digest(l, &o);
		rc = rc ? rc : tell_others(l, &o);
	}
	if (wbl_node_bool(wbl_doc_root(l->read.params), "first", 0))
		rc = rc ? rc : data_references_broken(&l->ends, &l->map, &broken);
	wbl_out_int(&o, "broken", (int64_t)broken);
	wbl_out_close(&o, '}');
	rc = rc ? rc : run->output(l->call, "look", (struct wbl_bytes){ o.s, o.len });
	rc = rc ? rc : tell_nothing(l, o.s);
	wbl_out_clear(&o);
	return rc;
}

/* ---- the step ---- */

static int32_t make_ledger(struct look *l)
{
	struct wbl_out change = { 0 }, back = { 0 };
	int32_t rc;

	wbl_out_open(&back, NULL, '{');
	wbl_out_text(&back, "ledger", l->read.ledger);
	wbl_out_text(&back, "key", l->work->key);
	wbl_out_close(&back, '}');
	rc = data_undo_put(l->call, "ledger", back.s);
	WBL_FAULT(l->call, "ledger_recorded");
	data_ledger_json(l->read.ledger, l->work->run_id, &change);
	rc = rc < 0 ? rc : data_change(&l->ends, l->work, change.s, "ledger");
	WBL_FAULT(l->call, "ledger_made");
	wbl_out_clear(&change);
	wbl_out_clear(&back);
	return rc;
}

int32_t data_look_execute(struct wbl_call *call, const struct wbl_work *work)
{
	int rehearse = (work->flags & WBL_WORK_REHEARSE) != 0;
	struct look l = { .call = call, .work = work };
	int32_t rc = data_look_params(work, &l.read);
	int make = l.read.ledger && l.read.ledger_new && !rehearse;

	rc = rc ? rc
		: data_open_table(call, work, make ? WBL_OPEN_WRITE : WBL_OPEN_READ, &l.ends,
			  &l.map, &l.table);
	if (rc) {
		data_look_clear(&l.read);
		return rc;
	}
	rc = make ? make_ledger(&l) : WBL_OK;
	rc = rc ? rc : tell(&l);
	WBL_FAULT(call, "looked");
	wbl_rows_clear(&l.scratch);
	free(l.buckets);
	free(l.bits);
	data_look_clear(&l.read);
	data_map_clear(&l.map);
	data_close(&l.ends);
	return rc;
}

static int32_t drop_ledger(struct data_ends *e, const struct wbl_work *work, const char *body)
{
	struct wbl_doc *doc = wbl_doc_parse(body, strlen(body), NULL);
	const char *name = wbl_node_str(wbl_doc_root(doc), "ledger"),
		   *key = wbl_node_str(wbl_doc_root(doc), "key");
	struct wbl_out part = { 0 };
	struct wbl_bytes receipt;
	int32_t rc = WBL_E_CORRUPT;

	if (name && key) {
		wbl_out_fmt(&part, "%s/ledger", key);
		rc = e->dst->receipt(e->target.self, e->call, part.s, &receipt);
		if (rc == WBL_OK)
			rc = data_change_named(e, work, "drop_table", name, NULL);
	}
	wbl_out_clear(&part);
	wbl_doc_free(doc);
	return rc == WBL_END ? WBL_OK : rc;
}

int32_t data_look_rollback(struct wbl_call *call, const struct wbl_work *work)
{
	const struct wbl_undo_service *undo = wbl_service(call, "wbl.undo/1");
	struct data_undo *list;
	struct data_ends e = { 0 };
	size_t n;
	int32_t rc = data_undo_list(call, &list, &n);

	if (!rc && n && !list[0].reversed) {
		rc = data_open_target(call, WBL_OPEN_WRITE, &e);
		if (!rc) {
			rc = drop_ledger(&e, work, list[0].body);
			WBL_FAULT(call, "ledger_dropped");
			data_close(&e);
		}
		rc = rc ? rc : undo->done(call, list[0].id);
	}
	data_undo_free(list, n);
	return rc;
}

/* ---- read by the steps that follow ---- */

int32_t data_look_params(const struct wbl_work *work, struct data_look *l)
{
	const struct wbl_node *p;

	memset(l, 0, sizeof *l);
	l->params = wbl_doc_parse(work->params, strlen(work->params), NULL);
	p = wbl_doc_root(l->params);
	l->step = wbl_node_str(p, "look");
	l->ledger = wbl_node_str(p, "ledger");
	l->ledger_new = wbl_node_bool(p, "ledger_new", 0);
	return WBL_OK;
}

int32_t data_look_read(struct wbl_call *call, const struct wbl_work *work, struct data_look *l)
{
	const struct wbl_run_service *run = wbl_service(call, "wbl.run/1");
	struct wbl_bytes body = { 0 };
	const struct wbl_node *n;
	uint64_t generation;
	int32_t rc = data_look_params(work, l);

	rc = rc ? rc : run->input(call, l->step, "look", &body, &generation);
	if (!rc)
		l->doc = wbl_doc_parse(body.data, body.len, NULL);
	if (rc == WBL_END || (!rc && !l->doc))
		rc = wbl_error_report(
			call, WBL_E_ABI, l->step, NULL, "what the look has found out is not there");
	n = wbl_doc_root(l->doc);
	l->nothing = wbl_node_bool(n, "nothing", 0);
	l->pages = (int)wbl_node_int(n, "pages", 0);
	l->where = wbl_node_str(n, "where");
	l->gone = wbl_node_str(n, "gone");
	l->buckets = (uint64_t)wbl_node_int(n, "buckets", 0);
	if (rc || !l->buckets)
		return rc;
	rc = run->input(call, l->step, "buckets", &body, &generation);
	if (rc || body.len < l->buckets / 8 + 1)
		return rc < 0 ? rc
			      : wbl_error_report(call, WBL_E_ABI, l->step, NULL,
					"the buckets of the look are not there");
	l->bits = wbl_sdk_alloc(body.len);
	memcpy(l->bits, body.data, body.len);
	return WBL_OK;
}

void data_look_clear(struct data_look *l)
{
	wbl_doc_free(l->doc);
	wbl_doc_free(l->params);
	free(l->bits);
	memset(l, 0, sizeof *l);
}
