/* data_merge_back.c - a merge looked at again, and taken back: both by what its chunks have kept.
 * In: kept files, newest first.  Out: rows that are not what was written, named; on the way back rows as they were before, but for those
 * which others have changed since: these are told and left.  Every row is decided by its digest now, so the way back can be killed
 * and taken again anywhere.
 * SPDX-License-Identifier: Apache-2.0 */
#include "data_conflict.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { AT_ONCE = 1000, MOST_NAMED = 50 };

static int same(const struct data_key *a, const struct data_key *b)
{
	return a->lo == b->lo && a->hi == b->hi;
}

/* Records of one kept file, some at a time, with what the target has of them now. */
struct part {
	struct data_ends *ends;
	struct data_reader *reader;
	struct data_finder finder;
	const char *ledger, *name;
	struct data_kept *list; /* key_cells and raw point into bytes */
	struct wbl_rows keys, bytes;
	size_t n;
	int32_t end;
};

static int32_t part_begin(struct part *p, struct data_ends *e, const char *name)
{
	struct data_shape shape;
	int32_t rc;

	memset(p, 0, sizeof *p);
	p->ends = e;
	p->name = name;
	rc = data_reader_begin(e->call, name, &p->reader, &shape, &p->ledger);
	if (rc)
		return rc == WBL_END ? wbl_error_report(e->call, WBL_E_CORRUPT, name, NULL,
					       "what was kept of the rows that were there is gone")
				     : rc;
	data_finder_init(&p->finder, e->call, e->dst, e->target.self, &shape);
	p->list = wbl_sdk_alloc(AT_ONCE * sizeof *p->list);
	return WBL_OK;
}

static void part_end(struct part *p)
{
	data_finder_clear(&p->finder);
	data_reader_end(p->reader);
	wbl_rows_clear(&p->keys);
	wbl_rows_clear(&p->bytes);
	free(p->list);
	memset(p, 0, sizeof *p);
}

static size_t keep_bytes(struct part *p, struct wbl_bytes b)
{
	size_t at = p->bytes.len;

	wbl_cell_copy(&p->bytes, b.data, b.len);
	return at;
}

/* The next records; p->n is 0 at the end. */
static int32_t part_next(struct part *p)
{
	enum { MOST_BYTES = 4 << 20 };
	size_t at[AT_ONCE][2];
	struct data_kept k;
	int32_t rc = 1;
	int64_t strange;

	p->n = 0;
	wbl_rows_reset(&p->bytes);
	wbl_rows_reset(&p->keys);
	while (p->n < AT_ONCE && p->bytes.len < MOST_BYTES &&
		(rc = data_reader_next(p->reader, &k)) == 1) {
		wbl_row_begin(&p->keys, WBL_ROW_DELETE);
		wbl_cell_copy(&p->keys, k.key_cells.data, k.key_cells.len);
		wbl_row_end(&p->keys);
		at[p->n][0] = keep_bytes(p, k.key_cells);
		at[p->n][1] = keep_bytes(p, k.raw);
		p->list[p->n++] = k;
	}
	if (rc < 0)
		return rc;
	for (size_t i = 0; i < p->n; i++) {
		p->list[i].key_cells.data = p->bytes.data + at[i][0];
		p->list[i].raw.data = p->bytes.data + at[i][1];
	}
	if (!p->n)
		return WBL_OK;
	if (data_reader_names(p->reader)) {
		rc = data_finder_names(&p->finder, data_reader_names(p->reader));
		if (rc)
			return rc;
	}
	return data_find(&p->finder, &p->keys, &strange);
}

static struct wbl_bytes raw_now(const struct part *p, const struct data_row *r)
{
	return (struct wbl_bytes){ p->finder.found.raw.data + r->at, r->len };
}

/* Is the row what this record says was written? */
static int is_written(const struct data_kept *k, const struct data_row *now)
{
	if (k->flags & DATA_KEPT_PUT)
		return now && !now->marked && same(&now->digest, &k->now);
	if (k->flags & DATA_KEPT_MARK)
		return now && now->marked && same(&now->digest, &k->old);
	return !now;
}

/* Columns that the mapping does not fill are none of ours. */
static int is_old(const struct data_kept *k, const struct data_row *now)
{
	if (!(k->flags & DATA_KEPT_OLD))
		return !now;
	return now && same(&now->digest, &k->old) &&
	       now->marked == ((k->flags & DATA_KEPT_WAS_MARKED) != 0);
}

static void show_key(const struct part *p, const struct data_kept *k, struct wbl_out *o)
{
	struct wbl_bytes cells = k->key_cells;
	struct wbl_out text = { 0 };
	struct wbl_cell c;

	wbl_out_reset(o);
	wbl_out_open(o, NULL, '{');
	for (size_t i = 0; i < p->finder.shape.nkey && wbl_cell_next(&cells, &c) == 1; i++) {
		wbl_out_reset(&text);
		wbl_cell_show(&text, &c);
		wbl_out_textn(o, p->finder.shape.key[i], text.s, text.len > 200 ? 200 : text.len);
	}
	wbl_out_close(o, '}');
	wbl_out_clear(&text);
}

/* ---- looked at again ---- */

struct check {
	struct data_ends *ends;
	struct data_table *table;
	struct wbl_sum old, now; /* whole rows: before, and as they are */
	struct wbl_sum found;    /* mapped cells of those that were put */
	struct data_counted counted;
	uint64_t looked, bad;
	int enough;
};

static void differ(
	struct check *c, int32_t kind, const char *key, const char *expected, const char *found)
{
	const struct wbl_check_service *check = wbl_service(c->ends->call, "wbl.check/1");
	struct wbl_difference d = {
		.size = sizeof d,
		.kind = kind,
		.set = c->table->to,
		.key = key,
		.expected = expected,
		.found = found,
	};

	c->bad++;
	if (!c->enough && check && check->difference(c->ends->call, &d) == WBL_END)
		c->enough = 1;
}

static void add(uint64_t *lo, uint64_t *hi, const struct data_key *more)
{
	*lo += more->lo;
	*hi += more->hi + (*lo < more->lo);
}

static void check_one(struct check *c, const struct part *p, const struct data_kept *k)
{
	const struct data_row *now = data_found_row(&p->finder, k->key);
	struct wbl_out key = { 0 };
	int put = (k->flags & DATA_KEPT_PUT) != 0;

	if (k->flags & DATA_KEPT_OLD)
		wbl_sum_row(&c->old, k->raw.data, k->raw.len);
	if (now)
		wbl_sum_row(&c->now, raw_now(p, now).data, raw_now(p, now).len);
	c->looked++;
	if (put && now) {
		add(&c->found.row_lo, &c->found.row_hi, &now->digest);
		add(&c->found.key_lo, &c->found.key_hi, &now->key);
		c->found.count++;
	}
	if (is_written(k, now))
		return;
	show_key(p, k, &key);
	differ(c,
		!put  ? WBL_DIFF_EXTRA
		: now ? WBL_DIFF_CHANGED
		      : WBL_DIFF_MISSING,
		key.s, put ? "the row that was written" : "no such row",
		!now  ? "none"
		: put ? "another content, or the same key written twice"
		      : "a row");
	wbl_out_clear(&key);
}

static int32_t check_file(struct check *c, const char *name)
{
	struct part p;
	int32_t rc = part_begin(&p, c->ends, name);

	if (rc)
		return rc;
	while (!(rc = wbl_stop_asked(c->ends->call)) && !(rc = part_next(&p)) && p.n)
		for (size_t i = 0; i < p.n; i++)
			if (p.list[i].flags & DATA_KEPT_ROW)
				check_one(c, &p, &p.list[i]);
	part_end(&p);
	return rc;
}

static void add_counted(struct data_counted *to, const struct data_counted *n)
{
	to->added += n->added;
	to->changed += n->changed;
	to->removed += n->removed;
	to->conflicts += n->conflicts;
	to->held += n->held;
}

/* Only what an attempt has committed: the receipt of its chunk names what was kept for it. */
static int32_t check_kept(struct check *c)
{
	struct data_undo *list;
	size_t n;
	int32_t rc = data_undo_list(c->ends->call, &list, &n);

	for (size_t i = 0; !rc && i < n; i++) {
		struct wbl_doc *doc = wbl_doc_parse(list[i].body, strlen(list[i].body), NULL);
		const char *key = wbl_node_str(wbl_doc_root(doc), "key");
		struct data_counted done;
		char kept[96] = "";

		rc = key ? data_merge_receipt(c->ends, key, &done, kept) : WBL_E_CORRUPT;
		if (!rc && !strcmp(kept, list[i].id)) {
			add_counted(&c->counted, &done);
			rc = check_file(c, list[i].id);
		}
		rc = rc == WBL_END ? WBL_OK : rc;
		wbl_doc_free(doc);
	}
	data_undo_free(list, n);
	return rc;
}

static void subtract(struct wbl_sum *from, const struct wbl_sum *part)
{
	uint64_t before = from->row_lo;

	from->count -= part->count;
	from->row_lo -= part->row_lo;
	from->row_hi -= part->row_hi + (part->row_lo > before);
}

/* Rows that were none of ours are what they were before. */
static int32_t check_others(struct check *c, const struct data_look *look)
{
	const char *others = wbl_node_str(wbl_doc_root(look->doc), "others");
	struct wbl_sum was = { 0 }, is;
	int32_t rc;

	if (!others || sscanf(others, "%" SCNu64 ":%16" SCNx64 "%16" SCNx64, &was.count,
			       &was.row_hi, &was.row_lo) != 3)
		return WBL_OK;
	rc = data_sum_whole(c->ends, c->table->to, &is);
	if (rc)
		return rc;
	subtract(&was, &c->old);
	subtract(&is, &c->now);
	if (was.count == is.count && was.row_lo == is.row_lo && was.row_hi == is.row_hi)
		return WBL_OK;
	return wbl_error_report(c->ends->call, WBL_E_MISMATCH, c->table->to,
		"Find out who writes to the table; where others may, set others = \"none\".",
		"table \"%s\": rows that are none of this run's were %" PRIu64 " and are %" PRIu64
		", and their digests differ",
		c->table->to, was.count, is.count);
}

/* What the target has of the rows that were written, and what was done in all. */
static int32_t tell_found(struct check *c, int others)
{
	const struct wbl_check_service *check = wbl_service(c->ends->call, "wbl.check/1");
	const struct wbl_run_service *run = wbl_service(c->ends->call, "wbl.run/1");
	struct wbl_digest digest;
	const struct wbl_digest *list[] = { &digest, NULL };
	struct wbl_totals t = { .size = sizeof t, .items = c->found.count, .digests = list };
	struct wbl_out text = { 0 };
	int32_t rc;

	wbl_sum_digest(&c->found, c->table->to, &digest);
	rc = run ? run->result(c->ends->call, &t) : WBL_OK;
	if (!rc && check)
		rc = check->covered(c->ends->call, c->table->to, c->looked,
			c->looked + c->counted.held,
			others ? "every row that was written, by key and XXH3-128; all others by a "
				 "sum before and after"
			       : "every row that was written, by key and XXH3-128; others were not "
				 "looked at");
	if (!rc && c->looked + c->counted.conflicts) {
		wbl_out_fmt(&text, "table %s: ", c->table->to);
		data_counted_tell(&c->counted, &text);
		rc = data_finding(c->ends->call, "merge", c->table->to, text.s);
	}
	wbl_out_clear(&text);
	return rc;
}

static int32_t check_written(struct check *c, const struct data_look *look)
{
	int others = wbl_node_str(wbl_doc_root(look->doc), "others") != NULL;
	int32_t rc = look->nothing ? WBL_OK : check_kept(c);

	rc = rc ? rc : tell_found(c, others);
	if (rc)
		return rc;
	if (!c->bad)
		return check_others(c, look);
	return wbl_error_report(c->ends->call, WBL_E_MISMATCH, c->table->to,
		"Look for other writers, or for a key that occurs twice in the source.",
		"table \"%s\": %" PRIu64 " of %" PRIu64 " rows are not what was written",
		c->table->to, c->bad, c->looked);
}

/* ---- the whole, long after: is the target in step with the source? ---- */

struct whole {
	struct check check;
	struct data_finder finder;
	struct data_ledger ledger;
	struct wbl_rows keys, scratch;
	uint64_t own, found;
};

static int own_change(struct whole *w, struct wbl_bytes key, const struct data_row *now)
{
	struct data_key base;

	if (w->check.table->manner.conflicts < DATA_CONFLICTS_TARGET ||
		!data_ledger_get(&w->ledger, key, &base))
		return 0;
	return !now || !same(&now->digest, &base);
}

static void tell_columns(
	struct whole *w, struct wbl_bytes want, struct wbl_bytes have, const char *key)
{
	const struct wbl_check_service *check = wbl_service(w->check.ends->call, "wbl.check/1");
	const struct data_table *t = w->check.table;
	struct wbl_out x = { 0 }, y = { 0 };
	struct wbl_cell a, b;

	for (size_t i = 0; i < t->ncols && !w->check.enough; i++) {
		struct wbl_difference d = { .size = sizeof d,
			.kind = WBL_DIFF_CHANGED,
			.set = t->to,
			.key = key,
			.field = t->cols[i].name };

		if (wbl_cell_next(&want, &a) != 1 || wbl_cell_next(&have, &b) != 1)
			break;
		if (a.whole == b.whole && !memcmp(a.at, b.at, a.whole))
			continue;
		wbl_out_reset(&x);
		wbl_out_reset(&y);
		data_show_pair(&a, &b, &x, &y);
		d.expected = x.s;
		d.found = y.s;
		if (check && check->difference(w->check.ends->call, &d) == WBL_END)
			w->check.enough = 1;
	}
	w->check.bad++;
	wbl_out_clear(&x);
	wbl_out_clear(&y);
}

/* The mapped cells of the target in canonical form. */
static struct wbl_bytes canonical(struct whole *w, const struct data_row *now, struct wbl_rows *to)
{
	struct data_table *t = w->check.table;
	struct wbl_rows picked = { 0 };
	struct wbl_bytes cells;
	struct wbl_cell c;

	wbl_row_begin(&picked, WBL_ROW_PUT);
	data_pick(&w->finder, (struct wbl_bytes){ w->finder.found.raw.data + now->at, now->len },
		&picked);
	cells = wbl_row_end(&picked);
	wbl_rows_reset(to);
	wbl_row_begin(to, WBL_ROW_PUT);
	for (size_t i = 0; i < t->ncols && wbl_cell_next(&cells, &c) == 1; i++)
		data_back_cell(to, &c, &t->cols[i]);
	wbl_rows_clear(&picked);
	return wbl_row_end(to);
}

static int32_t hold_one(struct whole *w, struct wbl_bytes cells)
{
	struct data_table *t = w->check.table;
	struct wbl_bytes key = data_key_cells(t, cells, &w->scratch);
	const struct data_row *now = data_found_row(&w->finder, data_digest_of_key(key));
	struct data_key digest = data_digest_of(cells);
	struct wbl_out text = { 0 };
	struct wbl_rows back = { 0 };

	w->check.looked++;
	w->found += now && !now->marked;
	if (now && !now->marked && same(&now->digest, &digest))
		return WBL_OK;
	if (own_change(w, key, now)) {
		w->own++;
		return WBL_OK;
	}
	data_key_json(t, cells, &text);
	if (now && !now->marked)
		tell_columns(w, cells, canonical(w, now, &back), text.s);
	else
		differ(&w->check, WBL_DIFF_MISSING, text.s, "this row",
			now ? "marked as gone" : "none");
	wbl_rows_clear(&back);
	wbl_out_clear(&text);
	return WBL_OK;
}

static int32_t hold_batch(void *arg, const struct wbl_batch *b)
{
	struct whole *w = arg;
	struct wbl_row row;
	int64_t strange;
	int32_t rc;

	wbl_rows_reset(&w->keys);
	for (uint64_t at = 0; wbl_batch_next(b, &at, &row) == 1;) {
		struct wbl_bytes key = data_key_cells(w->check.table, row.cells, &w->scratch);

		wbl_row_begin(&w->keys, WBL_ROW_DELETE);
		wbl_cell_copy(&w->keys, key.data, key.len);
		wbl_row_end(&w->keys);
	}
	rc = data_find(&w->finder, &w->keys, &strange);
	if (!rc && w->ledger.name)
		rc = data_ledger_find(&w->ledger, &w->keys);
	for (uint64_t at = 0; !rc && wbl_batch_next(b, &at, &row) == 1;)
		rc = hold_one(w, row.cells);
	return rc;
}

/* Rows that the ledger knows and the source has no more. */
static int32_t count_ledger(struct whole *w, uint64_t *ret)
{
	struct wbl_scan all = { .size = sizeof all, .range = WBL_RANGE_ALL, .set = w->ledger.name };
	struct wbl_totals n = { .size = sizeof n };
	struct data_ends *e = w->check.ends;
	int32_t rc = e->dst->count(e->target.self, e->call, &all, 1, &n);

	*ret = n.items;
	return rc;
}

static int32_t check_whole(struct data_ends *e, struct data_table *t, const char *ledger)
{
	const struct wbl_check_service *check = wbl_service(e->call, "wbl.check/1");
	struct whole w = { .check = { .ends = e, .table = t } };
	struct data_shape shape;
	struct wbl_out how = { 0 };
	uint64_t known = 0;
	int32_t rc;

	data_shape_of(t, &shape);
	data_finder_init(&w.finder, e->call, e->dst, e->target.self, &shape);
	data_ledger_init(&w.ledger, e, ledger);
	rc = data_walk(e, t, 0, hold_batch, &w);
	if (!rc && ledger && t->manner.deletes != DATA_DELETES_KEEP)
		rc = count_ledger(&w, &known);
	wbl_out_fmt(&how, "every row of the source, by key and XXH3-128");
	if (w.own)
		wbl_out_fmt(&how, "; %" PRIu64 " rows stand as the target has changed them", w.own);
	if (!rc && check)
		check->covered(e->call, t->to, w.check.looked, w.check.looked, how.s);
	if (!rc && w.check.bad)
		rc = wbl_error_report(e->call, WBL_E_MISMATCH, t->to,
			"Run the migration again; it brings them into step.",
			"table \"%s\": %" PRIu64 " of %" PRIu64
			" rows of the source are not in step",
			t->to, w.check.bad, w.check.looked);
	else if (!rc && known > w.check.looked)
		rc = wbl_error_report(e->call, WBL_E_MISMATCH, t->to,
			t->manner.by == DATA_BY_COLUMN
				? "A column cannot show them: say it by deleted_when, or run once "
				  "with by = \"digest\"."
				: "Run the migration again; it brings them into step.",
			"table \"%s\": %" PRIu64 " rows are gone in the source and not yet here",
			t->to, known - w.check.looked);
	wbl_out_clear(&how);
	free(shape.key);
	data_finder_clear(&w.finder);
	data_ledger_clear(&w.ledger);
	wbl_rows_clear(&w.keys);
	wbl_rows_clear(&w.scratch);
	return rc;
}

/* After the way back nothing can be held against anything but what was kept: rows others changed were told there. */
int32_t data_merge_verify(struct wbl_call *call, const struct wbl_work *work)
{
	struct check c = { 0 };
	struct data_ends e;
	struct data_map m;
	struct data_look look = { 0 };
	int32_t rc;

	if (work->flags & WBL_WORK_BEFORE)
		return data_merge_before(call);
	rc = data_open_table(call, work, WBL_OPEN_READ, &e, &m, &c.table);
	if (rc)
		return rc;
	c.ends = &e;
	rc = data_look_read(call, work, &look);
	if (!rc && !c.table->target)
		rc = wbl_error_report(
			call, WBL_E_MISMATCH, c.table->to, NULL, "the table is not there");
	else if (!rc && (work->flags & WBL_WORK_LASTING))
		rc = check_whole(&e, c.table, look.ledger);
	else if (!rc)
		rc = check_written(&c, &look);
	rc = rc ? rc : data_limit_check(call, c.table, work->totals);
	data_look_clear(&look);
	data_map_clear(&m);
	data_close(&e);
	return rc;
}

/* ---- the way back ---- */

struct back {
	struct data_ends *ends;
	const struct wbl_work *work;
	void *writer;
	struct wbl_rows del, whole, notes;
	uint64_t left;
};

/* Whoever changed the row after us has the last word; it is told. */
static void leave(struct back *b, const struct part *p, const struct data_kept *k)
{
	struct wbl_out key = { 0 };

	if (++b->left <= MOST_NAMED) {
		show_key(p, k, &key);
		wbl_warning_report(b->ends->call, p->finder.shape.set,
			"Decide what it should be; the run wrote it and others have changed it "
			"since.",
			"row %s was changed by others since and stays as it is", key.s);
	}
	wbl_out_clear(&key);
}

static void put_back(
	struct back *b, struct part *p, const struct data_kept *k, const struct data_row *now)
{
	if (!(k->flags & DATA_KEPT_OLD)) {
		wbl_row_begin(&b->del, WBL_ROW_DELETE);
		wbl_cell_copy(&b->del, k->key_cells.data, k->key_cells.len);
		wbl_row_end(&b->del);
	} else if (!now) {
		wbl_row_begin(&b->whole, WBL_ROW_PUT);
		wbl_cell_copy(&b->whole, k->raw.data, k->raw.len);
		wbl_row_end(&b->whole);
	} else {
		data_restore(&p->finder, raw_now(p, now), k->raw, &b->whole);
	}
}

static void back_one(struct back *b, struct part *p, const struct data_kept *k)
{
	const struct data_row *now = data_found_row(&p->finder, k->key);

	if (k->flags & DATA_KEPT_LEDGER) {
		if (k->flags & DATA_KEPT_NOTED)
			data_ledger_put(&b->notes, k->key_cells, &k->noted);
		else
			data_ledger_drop(&b->notes, k->key_cells);
	}
	if (!(k->flags & DATA_KEPT_ROW) || is_old(k, now))
		return;
	if (is_written(k, now))
		put_back(b, p, k, now);
	else
		leave(b, p, k);
}

static int32_t append(
	struct back *b, struct wbl_rows *rows, const char *set, const char *const *columns)
{
	struct wbl_batch batch;
	int32_t rc = WBL_OK;

	wbl_rows_batch(rows, set, columns, &batch);
	if (rows->rows)
		rc = b->ends->dst->append(b->writer, b->ends->call, &batch, NULL);
	wbl_rows_reset(rows);
	return rc;
}

static int32_t back_some(struct back *b, struct part *p)
{
	const struct data_shape *s = &p->finder.shape;
	int32_t rc;

	for (size_t i = 0; i < p->n; i++)
		back_one(b, p, &p->list[i]);
	rc = append(b, &b->del, s->set, s->key);
	rc = rc ? rc : append(b, &b->whole, s->set, (const char *const *)p->finder.whole);
	if (p->ledger)
		rc = rc ? rc : append(b, &b->notes, p->ledger, data_ledger_columns);
	wbl_rows_reset(&b->notes);
	return rc;
}

static int32_t begin_write(struct back *b)
{
	struct wbl_write write = {
		.size = sizeof write,
		.mode = WBL_MODE_BY_KIND,
		.epoch = b->work->epoch,
		.attempt = b->work->attempt,
		.origin = b->work->run_id,
	};

	return b->ends->dst->write(b->ends->target.self, b->ends->call, &write, &b->writer);
}

/* One file in one transaction; what it finds done already it leaves. */
static int32_t back_file(struct back *b, const char *name)
{
	struct wbl_outcome outcome = { .size = sizeof outcome };
	struct part p;
	void *writer;
	int32_t rc = part_begin(&p, b->ends, name);

	if (rc)
		return rc;
	rc = begin_write(b);
	while (!rc && !(rc = wbl_stop_asked(b->ends->call)) && !(rc = part_next(&p)) && p.n)
		rc = back_some(b, &p);
	part_end(&p);
	WBL_FAULT(b->ends->call, "rows_back");
	writer = b->writer;
	b->writer = NULL;
	if (rc && writer)
		b->ends->dst->abort(writer);
	else if (!rc)
		rc = b->ends->dst->commit(writer, b->ends->call, NULL, &outcome);
	WBL_FAULT(b->ends->call, "back_committed");
	return rc;
}

static int32_t back_all(struct back *b, struct data_undo *list, size_t n)
{
	const struct wbl_undo_service *undo = wbl_service(b->ends->call, "wbl.undo/1");
	int32_t rc = data_change_named(b->ends, b->work, "raise_epoch", NULL, NULL);

	WBL_FAULT(b->ends->call, "epoch_raised");
	for (size_t i = 0; !rc && i < n; i++) {
		if (list[i].reversed)
			continue;
		rc = back_file(b, list[i].id);
		rc = rc ? rc : undo->done(b->ends->call, list[i].id);
	}
	if (b->left > MOST_NAMED)
		wbl_warning_report(b->ends->call, "target", NULL,
			"%" PRIu64 " rows in all were changed by others since and stay as they are",
			b->left);
	return rc;
}

int32_t data_merge_rollback(struct wbl_call *call, const struct wbl_work *work)
{
	struct data_undo *list;
	struct data_ends e = { 0 };
	struct back b = { .ends = &e, .work = work };
	size_t n, open = 0;
	int32_t rc = data_undo_list(call, &list, &n);

	for (size_t i = 0; !rc && i < n; i++)
		open += !list[i].reversed;
	if (!rc && open) {
		rc = data_open_target(call, WBL_OPEN_WRITE, &e);
		if (!rc) {
			rc = back_all(&b, list, n);
			data_close(&e);
		}
	}
	wbl_rows_clear(&b.del);
	wbl_rows_clear(&b.whole);
	wbl_rows_clear(&b.notes);
	data_undo_free(list, n);
	return rc;
}

/* ---- after the way back ---- */

static int32_t before_file(struct check *c, const char *name)
{
	struct part p;
	int32_t rc = part_begin(&p, c->ends, name);
	struct wbl_out key = { 0 };

	if (rc)
		return rc;
	while (!(rc = part_next(&p)) && p.n)
		for (size_t i = 0; i < p.n; i++) {
			const struct data_kept *k = &p.list[i];
			const struct data_row *now = data_found_row(&p.finder, k->key);

			/* What was written by us must not be there; what others made of it is theirs. */
			if (!(k->flags & DATA_KEPT_ROW) || is_old(k, now) || !is_written(k, now) ||
				same(&k->now, &k->old))
				continue;
			show_key(&p, k, &key);
			differ(c, WBL_DIFF_CHANGED, key.s, "the row of before",
				"the one of this run");
		}
	wbl_out_clear(&key);
	part_end(&p);
	return rc;
}

int32_t data_merge_before(struct wbl_call *call)
{
	struct check c = { 0 };
	struct data_table none = { .to = "target" };
	struct data_undo *list;
	struct data_ends e;
	size_t n;
	int32_t rc = data_undo_list(call, &list, &n);

	if (!rc && n) {
		rc = data_open_target(call, WBL_OPEN_READ, &e);
		c.ends = &e;
		c.table = &none;
		for (size_t i = 0; !rc && i < n; i++)
			rc = before_file(&c, list[i].id);
		data_close(&e);
	}
	data_undo_free(list, n);
	if (!rc && c.bad)
		rc = wbl_error_report(call, WBL_E_MISMATCH, "target", NULL,
			"%" PRIu64 " rows are still those of this run", c.bad);
	return rc;
}
