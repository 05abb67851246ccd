/* data_compare.c - both sides of a table read into buckets by the digest of the key, and what differs counted exactly.
 * In: two walks, each in its own order: no sort, no index, no key needed (then the whole row is the key).  Out: how many rows are
 * missing, extra, changed, and their keys.  Memory does not grow with the rows nor with what differs: buckets that differ are read
 * again, as many at a time as there is room for. Rows are kept with their cells while there is room for these, too.
 * SPDX-License-Identifier: Apache-2.0 */
#include "data_verify.h"

#include <stdlib.h>
#include <string.h>

enum { LEAST_BUCKETS = 1 << 10, ROWS_IN_BUCKET = 256 };

/* What the source has more than the target, as sums; rows of both sides, for the room they need. */
struct bucket {
	uint64_t row_lo, row_hi, count, rows;
};
/* One row of a key, or many equal ones. more: how many more of them the source has. at: its cells, from 1; 0 not kept. */
struct record {
	uint64_t key_lo, key_hi, row_lo, row_hi;
	int64_t more;
	size_t at, len;
};
/* The records of one key that differs. */
struct group {
	size_t from, n, at;
};
struct passing {
	struct data_compare *c;
	struct record *records;
	size_t nrecords, room;
	struct wbl_rows cells, scratch;
	const struct data_keys *keys; /* NULL: by buckets */
	size_t from, to;              /* the buckets or keys of this window */
	int target, full;             /* full: some cells were not kept */
};

static int differs(const struct bucket *b)
{
	return b->count || b->row_lo || b->row_hi;
}

static void into_bucket(struct bucket *b, int target, uint64_t lo, uint64_t hi)
{
	uint64_t before = b->row_lo;

	if (target) {
		b->row_lo -= lo;
		b->row_hi -= hi + (lo > before);
		b->count--;
	} else {
		b->row_lo += lo;
		b->row_hi += hi + (b->row_lo < before);
		b->count++;
	}
	b->rows++;
}

static struct bucket *bucket_of(const struct data_compare *c, uint64_t key_lo)
{
	return &c->buckets[key_lo & (c->nbuckets - 1)];
}

/* ---- the first look ---- */

static int32_t first_batch(void *arg, const struct wbl_batch *b)
{
	struct passing *p = arg;
	struct data_compare *c = p->c;
	struct wbl_row row;
	struct wbl_sum one = { .count = 1 };
	uint64_t at = 0;

	while (wbl_batch_next(b, &at, &row) == 1) {
		data_key_digest(c->table, row.cells, &p->scratch, &one.key_lo, &one.key_hi);
		c->all[p->target]++;
		if (!data_sample_takes(c->sample, one.key_lo, one.key_hi))
			continue;
		wbl_digest_128(row.cells.data, row.cells.len, 0, &one.row_lo, &one.row_hi);
		wbl_sum_add(&c->looked[p->target], &one);
		into_bucket(bucket_of(c, one.key_lo), p->target, one.row_lo, one.row_hi);
	}
	return WBL_OK;
}

static size_t how_many(uint64_t rows, size_t memory)
{
	size_t n = LEAST_BUCKETS;

	while (n < rows / ROWS_IN_BUCKET && n * 2 * sizeof(struct bucket) <= memory / 4)
		n *= 2;
	return n;
}

void data_compare_begin(struct data_compare *c)
{
	c->nbuckets = how_many(c->rows, c->sample->memory);
	c->buckets = wbl_sdk_alloc(c->nbuckets * sizeof *c->buckets);
}

void data_compare_end(struct data_compare *c)
{
	free(c->buckets);
	c->buckets = NULL;
}

int32_t data_compare_side(struct data_compare *c, int target)
{
	struct passing p = { .c = c, .target = target };
	int32_t rc = data_walk(c->ends, c->table, target, first_batch, &p);

	wbl_rows_clear(&p.scratch);
	return rc;
}

/* ---- the rows of buckets that differ ---- */

static int by_key_and_row(const void *a, const void *b)
{
	return memcmp(a, b, offsetof(struct record, more));
}

static void join(struct record *r, const struct record *equal)
{
	r->more += equal->more;
	if (equal->at && (!r->at || equal->at < r->at)) {
		r->at = equal->at;
		r->len = equal->len;
	}
}

/* Equal rows become one record, and none when both sides have as many of them. */
static void fold_records(struct passing *p)
{
	size_t n = 0;

	if (p->nrecords)
		qsort(p->records, p->nrecords, sizeof *p->records, by_key_and_row);
	for (size_t i = 0, k; i < p->nrecords; i = k) {
		struct record r = p->records[i];

		for (k = i + 1; k < p->nrecords && !by_key_and_row(&r, &p->records[k]); k++)
			join(&r, &p->records[k]);
		if (r.more)
			p->records[n++] = r;
	}
	p->nrecords = n;
}

/* A long value is kept as its head and its digest: enough to see that it differs, and in what when it is in the head. */
static void keep_cell(struct wbl_rows *to, const struct wbl_cell *c)
{
	struct data_long l = { .len = c->len, .tag = (uint32_t)c->tag };

	if (c->whole <= 4 * DATA_HEAD) {
		wbl_cell_copy(to, c->at, c->whole);
		return;
	}
	memcpy(l.head, c->data, sizeof l.head);
	wbl_digest_128(c->data, c->len, 0, &l.lo, &l.hi);
	wbl_cell_blob(to, WBL_CELL_LIST, &l, sizeof l);
}

static void keep_cells(struct passing *p, struct record *r, struct wbl_bytes cells)
{
	struct wbl_cell c;

	/* One key at least: a window of one is never full. */
	if (p->cells.len > p->c->cells_room && !(p->keys && p->to - p->from == 1)) {
		p->full = 1;
		return;
	}
	r->at = p->cells.len + 1;
	while (wbl_cell_next(&cells, &c) == 1)
		keep_cell(&p->cells, &c);
	r->len = p->cells.len + 1 - r->at;
}

static void into_records(
	struct passing *p, uint64_t key_lo, uint64_t key_hi, struct wbl_bytes cells)
{
	struct record *r;

	if (p->nrecords == p->room) {
		fold_records(p);
		if (p->nrecords >= p->room - p->room / 8) {
			p->room += p->room / 2 + 64;
			p->records = wbl_sdk_grow(p->records, p->room * sizeof *p->records);
		}
	}
	r = &p->records[p->nrecords++];
	*r = (struct record){ key_lo, key_hi, 0, 0, p->target ? -1 : 1, 0, 0 };
	wbl_digest_128(cells.data, cells.len, 0, &r->row_lo, &r->row_hi);
	if (p->c->cells_room)
		keep_cells(p, r, cells);
}

static int is_wanted(const struct passing *p, uint64_t key_lo, uint64_t key_hi)
{
	const struct data_compare *c = p->c;
	ptrdiff_t n;

	if (p->keys) {
		n = data_keys_find(p->keys, key_lo, key_hi);
	} else {
		n = bucket_of(c, key_lo) - c->buckets;
		if (!differs(&c->buckets[n]) || !data_sample_takes(c->sample, key_lo, key_hi))
			return 0;
	}
	return n >= (ptrdiff_t)p->from && n < (ptrdiff_t)p->to;
}

static int32_t again_batch(void *arg, const struct wbl_batch *b)
{
	struct passing *p = arg;
	struct wbl_row row;
	uint64_t at = 0, lo, hi;

	while (wbl_batch_next(b, &at, &row) == 1) {
		data_key_digest(p->c->table, row.cells, &p->scratch, &lo, &hi);
		if (is_wanted(p, lo, hi))
			into_records(p, lo, hi, row.cells);
	}
	return WBL_OK;
}

static int32_t read_again(struct passing *p)
{
	int32_t rc = WBL_OK;

	p->full = 0;
	p->nrecords = 0;
	wbl_rows_reset(&p->cells);
	free(p->records);
	p->records = wbl_sdk_alloc(p->room * sizeof *p->records);
	for (p->target = 0; !rc && p->target < 2; p->target++)
		rc = data_walk(p->c->ends, p->c->table, p->target, again_batch, p);
	fold_records(p);
	p->c->windows++;
	return rc;
}

static int same_key(const struct record *a, const struct record *b)
{
	return a->key_lo == b->key_lo && a->key_hi == b->key_hi;
}

/* Equal rows of both sides pair up; of what is left over, rows of a key of both sides are changed, others missing or extra. */
static struct data_counts count_key(const struct record *r, size_t n, int keyed)
{
	struct data_counts left = { 0 };

	for (size_t i = 0; i < n; i++)
		if (r[i].more > 0)
			left.missing += (uint64_t)r[i].more;
		else
			left.extra += (uint64_t)-r[i].more;
	if (keyed) {
		left.changed = left.missing < left.extra ? left.missing : left.extra;
		left.missing -= left.changed;
		left.extra -= left.changed;
	}
	return left;
}

/* Groups that differ, in the order in which their rows were read. */
static struct group *groups_of(struct passing *p, size_t *ret_n)
{
	struct group *list = NULL;
	size_t n = 0, cap = 0;

	for (size_t i = 0, k; i < p->nrecords; i = k) {
		size_t at = SIZE_MAX;

		for (k = i; k < p->nrecords && same_key(&p->records[i], &p->records[k]); k++)
			if (p->records[k].at && p->records[k].at < at)
				at = p->records[k].at;
		if (n == cap) {
			cap = cap * 2 + 64;
			list = wbl_sdk_grow(list, cap * sizeof *list);
		}
		list[n++] = (struct group){ i, k - i, at };
	}
	*ret_n = n;
	return list;
}

static int by_place(const void *a, const void *b)
{
	const struct group *x = a, *y = b;

	if (x->at != y->at)
		return x->at < y->at ? -1 : 1;
	return (x->from > y->from) - (x->from < y->from);
}

static int32_t tell_group(struct passing *p, const struct group *g, data_bad_key *each, void *arg)
{
	const struct record *r = &p->records[g->from];
	struct data_bad bad = { .key = { r->key_lo, r->key_hi },
		.n = count_key(r, g->n, p->c->table->nkey > 0),
		.whole = 1,
		.nrows = g->n,
		.rows = wbl_sdk_alloc(g->n * sizeof *bad.rows) };
	int32_t rc;

	for (size_t i = 0; i < g->n; i++) {
		bad.rows[i].more = r[i].more;
		if (r[i].at)
			bad.rows[i].cells =
				(struct wbl_bytes){ p->cells.data + r[i].at - 1, r[i].len };
		bad.whole = bad.whole && r[i].at;
	}
	rc = each ? each(arg, &bad) : WBL_OK;
	free(bad.rows);
	return rc;
}

static int32_t tell_window(struct passing *p, data_bad_key *each, void *arg)
{
	size_t n;
	struct group *list = groups_of(p, &n);
	int32_t rc = WBL_OK;

	if (n)
		qsort(list, n, sizeof *list, by_place);
	for (size_t i = 0; !rc && i < n; i++)
		rc = tell_group(p, &list[i], each, arg);
	free(list);
	return rc;
}

/* As many buckets as there is room for, one at least. */
static int next_window(struct passing *p, uint64_t room)
{
	const struct data_compare *c = p->c;
	uint64_t rows = 0;

	p->from = p->to;
	for (; p->to < c->nbuckets; p->to++) {
		const struct bucket *b = &c->buckets[p->to];

		if (!differs(b))
			continue;
		if (rows && rows + b->rows > room)
			break;
		rows += b->rows;
	}
	p->room = (size_t)(rows < room ? rows + rows / 4 + 64 : room);
	return rows > 0;
}

static void passing_clear(struct passing *p)
{
	wbl_rows_clear(&p->cells);
	wbl_rows_clear(&p->scratch);
	free(p->records);
}

struct counting {
	struct data_counts *sum;
	data_bad_key *each;
	void *arg;
};

static int32_t count_one(void *arg, const struct data_bad *bad)
{
	struct counting *c = arg;

	c->sum->missing += bad->n.missing;
	c->sum->extra += bad->n.extra;
	c->sum->changed += bad->n.changed;
	return c->each(c->arg, bad);
}

int32_t data_compare_rows(struct data_compare *c, data_bad_key *each, void *arg)
{
	struct passing p = { .c = c };
	struct counting counting = { &c->counts, each, arg };
	int32_t rc = WBL_OK;

	while (!rc && next_window(&p, c->sample->memory / 3 / sizeof *p.records)) {
		rc = read_again(&p);
		rc = rc ? rc : tell_window(&p, count_one, &counting);
	}
	passing_clear(&p);
	return rc;
}

int32_t data_compare_keys(
	struct data_compare *c, struct data_keys *keys, data_bad_key *each, void *arg)
{
	struct passing p = { .c = c, .keys = keys };
	size_t step = keys->n;
	int32_t rc = WBL_OK;

	data_keys_sort(keys);
	while (!rc && p.from < keys->n) {
		p.to = p.from + step < keys->n ? p.from + step : keys->n;
		p.room = 2 * (p.to - p.from) + 64;
		rc = read_again(&p);
		if (!rc && p.full) {
			step = (p.to - p.from) / 2;
			continue;
		}
		rc = rc ? rc : tell_window(&p, each, arg);
		p.from = p.to;
	}
	passing_clear(&p);
	return rc;
}

int32_t data_compare_run(struct data_compare *c, data_bad_key *each, void *arg)
{
	int32_t rc = WBL_OK;

	data_compare_begin(c);
	for (int target = 0; !rc && target < 2; target++)
		rc = data_compare_side(c, target);
	rc = rc ? rc : data_compare_rows(c, each, arg);
	data_compare_end(c);
	return rc;
}
