/* data_compare.c - both sides of a table read into buckets by the digest of the key, and what differs counted exactly.
 * In: two walks, each in its own order: no sort, no index, no key needed (then the whole row is the key).  Out: how many rows are
 * missing, extra, changed, and their keys.  Memory does not grow with the rows nor with what differs: buckets that differ are read
 * again, as many at a time as there is room for.
 * SPDX-License-Identifier: Apache-2.0 */
#include "data_verify.h"

#include <stdlib.h>
#include <string.h>

enum { LEAST_BUCKETS = 1 << 10, ROWS_IN_BUCKET = 256 };

/* What the source has more than the target, as sums; rows of both sides, for the room they need. */
struct bucket {
	uint64_t row_lo, row_hi, count, rows;
};
/* One row of a key, or many equal ones. more: how many more of them the source has. */
struct record {
	uint64_t key_lo, key_hi, row_lo, row_hi;
	int64_t more;
};
struct passing {
	struct data_compare *c;
	struct bucket *buckets;
	size_t nbuckets;
	struct record *records;
	size_t nrecords, room;
	size_t from, to; /* the buckets of this window */
	struct wbl_rows scratch;
	int target, second;
};

static int differs(const struct bucket *b)
{
	return b->count || b->row_lo || b->row_hi;
}

static void into_bucket(struct passing *p, struct bucket *b, uint64_t lo, uint64_t hi)
{
	uint64_t before = b->row_lo;

	if (p->target) {
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

static void add_sum(struct wbl_sum *s, uint64_t key_lo, uint64_t key_hi, uint64_t lo, uint64_t hi)
{
	struct wbl_sum one = { 1, lo, hi, key_lo, key_hi };

	wbl_sum_add(s, &one);
}

static int by_key_and_row(const void *a, const void *b)
{
	return memcmp(a, b, offsetof(struct record, more));
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
			r.more += p->records[k].more;
		if (r.more)
			p->records[n++] = r;
	}
	p->nrecords = n;
}

static void into_records(
	struct passing *p, uint64_t key_lo, uint64_t key_hi, struct wbl_bytes cells)
{
	struct record *r;

	if (p->nrecords == p->room) {
		fold_records(p);
		if (p->nrecords > p->room - p->room / 8) {
			p->room += p->room / 2 + 64;
			p->records = wbl_sdk_grow(p->records, p->room * sizeof *p->records);
		}
	}
	r = &p->records[p->nrecords++];
	*r = (struct record){ key_lo, key_hi, 0, 0, p->target ? -1 : 1 };
	wbl_digest_128(cells.data, cells.len, 0, &r->row_lo, &r->row_hi);
}

static int32_t take_batch(void *arg, const struct wbl_batch *b)
{
	struct passing *p = arg;
	struct data_compare *c = p->c;
	struct wbl_row row;
	uint64_t at = 0, key_lo, key_hi, lo, hi;

	while (wbl_batch_next(b, &at, &row) == 1) {
		size_t n;

		data_key_digest(c->table, row.cells, &p->scratch, &key_lo, &key_hi);
		n = (size_t)(key_lo & (p->nbuckets - 1));
		if (!p->second)
			c->all[p->target]++;
		if (!data_sample_takes(c->sample, key_lo, key_hi))
			continue;
		if (!p->second) {
			wbl_digest_128(row.cells.data, row.cells.len, 0, &lo, &hi);
			add_sum(&c->looked[p->target], key_lo, key_hi, lo, hi);
			into_bucket(p, &p->buckets[n], lo, hi);
		} else if (n >= p->from && n < p->to && differs(&p->buckets[n])) {
			into_records(p, key_lo, key_hi, row.cells);
		}
	}
	return WBL_OK;
}

static int32_t both_sides(struct passing *p)
{
	int32_t rc = WBL_OK;

	for (p->target = 0; !rc && p->target < 2; p->target++)
		rc = data_walk(p->c->ends, p->c->table, p->target, take_batch, p);
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

static int32_t tell_window(struct passing *p, data_bad_key *each, void *arg)
{
	struct data_compare *c = p->c;
	int32_t rc = WBL_OK;

	fold_records(p);
	for (size_t i = 0, k; !rc && i < p->nrecords; i = k) {
		const struct record *r = &p->records[i];
		struct data_counts n;

		for (k = i + 1; k < p->nrecords && same_key(r, &p->records[k]);)
			k++;
		n = count_key(r, k - i, c->table->nkey > 0);
		if (!n.missing && !n.extra && !n.changed)
			continue;
		c->counts.missing += n.missing;
		c->counts.extra += n.extra;
		c->counts.changed += n.changed;
		rc = each ? each(arg, &(struct data_key){ r->key_lo, r->key_hi }, &n) : WBL_OK;
	}
	return rc;
}

/* As many buckets as there is room for, one at least. */
static int next_window(struct passing *p, uint64_t room)
{
	uint64_t rows = 0;

	p->from = p->to;
	for (; p->to < p->nbuckets; p->to++) {
		const struct bucket *b = &p->buckets[p->to];

		if (!differs(b))
			continue;
		if (rows && rows + b->rows > room)
			break;
		rows += b->rows;
	}
	p->room = (size_t)(rows < room ? rows + rows / 4 + 64 : room);
	p->nrecords = 0;
	return rows > 0;
}

static int32_t windows(struct passing *p, data_bad_key *each, void *arg)
{
	uint64_t room = p->c->sample->memory / 2 / sizeof *p->records;
	int32_t rc = WBL_OK;

	p->second = 1;
	for (p->to = 0; !rc && next_window(p, room);) {
		free(p->records);
		p->records = wbl_sdk_alloc(p->room * sizeof *p->records);
		p->c->windows++;
		rc = both_sides(p);
		rc = rc ? rc : tell_window(p, each, arg);
	}
	return rc;
}

static size_t how_many(uint64_t rows, size_t memory)
{
	size_t n = LEAST_BUCKETS;

	while (n < rows / ROWS_IN_BUCKET && n * 2 * sizeof(struct bucket) <= memory / 4)
		n *= 2;
	return n;
}

int32_t data_compare_run(struct data_compare *c, data_bad_key *each, void *arg)
{
	struct passing p = { .c = c };
	int32_t rc;

	p.nbuckets = how_many(c->rows, c->sample->memory);
	p.buckets = wbl_sdk_alloc(p.nbuckets * sizeof *p.buckets);
	memset(c->looked, 0, sizeof c->looked);
	memset(&c->counts, 0, sizeof c->counts);
	c->all[0] = c->all[1] = c->windows = 0;
	rc = both_sides(&p);
	rc = rc ? rc : windows(&p, each, arg);
	wbl_rows_clear(&p.scratch);
	free(p.buckets);
	free(p.records);
	return rc;
}
