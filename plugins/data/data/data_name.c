/* data_name.c - rows that differ, named by key and column with both values, as people can tell them apart.
 * In: digests of keys.  Out: one difference for each row that is missing or too many, and for each column that is changed.
 * Rows are read again, as many at a time as there is room for.
 * SPDX-License-Identifier: Apache-2.0 */
#include "data_verify.h"

#include <stdlib.h>
#include <string.h>

enum { LONG_CELL = 4 * DATA_HEAD };

struct kept {
	size_t key, at;
	uint64_t digest;
	uint32_t len;
	int32_t target;
};
struct naming {
	struct data_ends *e;
	struct data_table *table;
	struct data_keys *keys;
	const struct data_seen *source;
	size_t from, to; /* keys of this pass */
	size_t *seen; /* of each key: when it was first seen, so that the source's order is kept; 0 not yet */
	int64_t *more; /* without a key: how many more of these rows the source has */
	size_t nseen, memory;
	struct kept *rows;
	size_t nrows, cap;
	struct wbl_rows bytes, scratch;
	uint64_t told;
	int target, full, enough;
};

/* A long value is kept as its head and its digest: enough to see that it differs, and in what when it is in the head. */
static void keep_cell(struct wbl_rows *to, const struct wbl_cell *c)
{
	struct data_long l = { .len = c->len, .tag = (uint32_t)c->tag };

	if (c->whole <= LONG_CELL) {
		wbl_cell_copy(to, c->at, c->whole);
		return;
	}
	memcpy(l.head, c->data, sizeof l.head);
	wbl_digest_128(c->data, c->len, 0, &l.lo, &l.hi);
	wbl_cell_blob(to, WBL_CELL_LIST, &l, sizeof l);
}

static void keep_row(struct naming *n, struct wbl_bytes cells, size_t key)
{
	size_t before = n->bytes.len;
	struct wbl_cell c;
	uint64_t hi;

	/* Equal rows of a table without a key are counted: there may be any number of them. */
	n->more[key] += n->target ? -1 : 1;
	if (!n->table->nkey && n->seen[key])
		return;
	if (n->nrows == n->cap) {
		n->cap = n->cap * 2 + 64;
		n->rows = wbl_sdk_grow(n->rows, n->cap * sizeof *n->rows);
	}
	n->rows[n->nrows] = (struct kept){ .key = key, .at = before, .target = n->target };
	wbl_digest_128(cells.data, cells.len, 0, &n->rows[n->nrows].digest, &hi);
	while (wbl_cell_next(&cells, &c) == 1)
		keep_cell(&n->bytes, &c);
	n->rows[n->nrows++].len = (uint32_t)(n->bytes.len - before);
	if (!n->seen[key])
		n->seen[key] = ++n->nseen;
	n->full = n->bytes.len + n->nrows * sizeof *n->rows > n->memory && n->to - n->from > 1;
}

static int32_t take_batch(void *arg, const struct wbl_batch *b)
{
	struct naming *n = arg;
	struct wbl_row row;
	uint64_t at = 0, lo, hi;

	while (!n->full && wbl_batch_next(b, &at, &row) == 1) {
		ptrdiff_t key;

		data_key_digest(n->table, row.cells, &n->scratch, &lo, &hi);
		key = data_keys_find(n->keys, lo, hi);
		if (key >= (ptrdiff_t)n->from && key < (ptrdiff_t)n->to)
			keep_row(n, row.cells, (size_t)key);
	}
	return n->full ? WBL_END : WBL_OK;
}

static int by_key(const void *a, const void *b, void *arg)
{
	const struct kept *x = a, *y = b;
	const struct naming *n = arg;

	if (x->key != y->key)
		return n->seen[x->key] < n->seen[y->key] ? -1 : 1;
	if (x->digest != y->digest)
		return x->digest < y->digest ? -1 : 1;
	return x->target - y->target;
}

static struct wbl_bytes cells_of(const struct naming *n, const struct kept *k)
{
	return (struct wbl_bytes){ n->bytes.data + k->at, k->len };
}

static void tell(struct naming *n, int32_t kind, const struct kept *row, const char *field,
	const char *expected, const char *found)
{
	const struct wbl_check_service *check = wbl_service(n->e->call, "wbl.check/1");
	struct data_ref ref = { .version = 1, .key = n->keys->list[row->key], .seen = *n->source };
	struct wbl_out key = { 0 };
	struct wbl_difference d = {
		.size = sizeof d,
		.kind = kind,
		.set = n->table->to,
		.field = field,
		.expected = expected,
		.found = found,
		.ref = { &ref, sizeof ref },
	};

	data_key_json(n->table, cells_of(n, row), &key);
	d.key = key.s;
	if (check && check->difference(n->e->call, &d) == WBL_END)
		n->enough = 1;
	else
		n->told++;
	wbl_out_clear(&key);
}

static void tell_changed(struct naming *n, const struct kept *want, const struct kept *have)
{
	struct wbl_bytes a = cells_of(n, want), b = cells_of(n, have);
	struct wbl_out x = { 0 }, y = { 0 };
	struct wbl_cell p, q;

	for (size_t i = 0; i < n->table->ncols && !n->enough; i++) {
		if (wbl_cell_next(&a, &p) != 1 || wbl_cell_next(&b, &q) != 1)
			break;
		if (p.whole == q.whole && !memcmp(p.at, q.at, p.whole))
			continue;
		data_show_pair(&p, &q, &x, &y);
		tell(n, WBL_DIFF_CHANGED, want, n->table->cols[i].name, x.s, y.s);
	}
	wbl_out_clear(&x);
	wbl_out_clear(&y);
}

/* Equal rows of both sides stand beside each other, and go out in pairs. */
static size_t drop_pairs(struct kept *rows, size_t n)
{
	size_t left = 0;

	for (size_t i = 0; i < n; i++) {
		size_t k = left;

		while (k > 0 && rows[k - 1].digest == rows[i].digest &&
			rows[k - 1].target == rows[i].target)
			k--;
		if (k > 0 && rows[k - 1].digest == rows[i].digest) {
			memmove(&rows[k - 1], &rows[k], (left - k) * sizeof *rows);
			left--;
		} else {
			rows[left++] = rows[i];
		}
	}
	return left;
}

static void tell_missing(struct naming *n, const struct kept *row)
{
	tell(n, WBL_DIFF_MISSING, row, NULL, "this row", "none");
}

static void tell_extra(struct naming *n, const struct kept *row)
{
	tell(n, WBL_DIFF_EXTRA, row, NULL, "no such row", "one more");
}

static void tell_equal_rows(struct naming *n, const struct kept *row)
{
	int64_t more = n->more[row->key];

	for (; more > 0 && !n->enough; more--)
		tell_missing(n, row);
	for (; more < 0 && !n->enough; more++)
		tell_extra(n, row);
}

static void tell_key(struct naming *n, struct kept *rows, size_t count)
{
	size_t left = drop_pairs(rows, count), want = 0, have = 0;

	while (!n->enough) {
		while (want < left && rows[want].target)
			want++;
		while (have < left && !rows[have].target)
			have++;
		if (want == left && have == left)
			break;
		if (want < left && have < left)
			tell_changed(n, &rows[want++], &rows[have++]);
		else if (want < left)
			tell_missing(n, &rows[want++]);
		else
			tell_extra(n, &rows[have++]);
	}
}

static void tell_all(struct naming *n)
{
	if (n->nrows)
		qsort_r(n->rows, n->nrows, sizeof *n->rows, by_key, n);
	for (size_t i = 0, k; i < n->nrows && !n->enough; i = k) {
		for (k = i + 1; k < n->nrows && n->rows[k].key == n->rows[i].key;)
			k++;
		if (n->table->nkey)
			tell_key(n, &n->rows[i], k - i);
		else
			tell_equal_rows(n, &n->rows[i]);
	}
}

static int32_t one_pass(struct naming *n)
{
	int32_t rc = WBL_OK;

	n->full = 0;
	n->nrows = n->nseen = 0;
	memset(n->seen, 0, n->keys->n * sizeof *n->seen);
	memset(n->more, 0, n->keys->n * sizeof *n->more);
	wbl_rows_reset(&n->bytes);
	for (n->target = 0; !rc && n->target < 2; n->target++)
		rc = data_walk(n->e, n->table, n->target, take_batch, n);
	if (!rc && !n->full)
		tell_all(n);
	return rc;
}

int32_t data_name_rows(struct data_ends *e, struct data_table *t, struct data_keys *keys,
	const struct data_seen *seen, size_t memory, uint64_t *ret_told)
{
	struct naming n = {
		.e = e, .table = t, .keys = keys, .source = seen, .memory = memory / 4
	};
	size_t step = keys->n;
	int32_t rc = WBL_OK;

	data_keys_sort(keys);
	n.seen = wbl_sdk_alloc((keys->n + 1) * sizeof *n.seen);
	n.more = wbl_sdk_alloc((keys->n + 1) * sizeof *n.more);
	while (!rc && !n.enough && n.from < keys->n) {
		n.to = n.from + step < keys->n ? n.from + step : keys->n;
		rc = one_pass(&n);
		if (n.full)
			step = (n.to - n.from) / 2;
		else
			n.from = n.to;
	}
	*ret_told = n.told;
	wbl_rows_clear(&n.bytes);
	wbl_rows_clear(&n.scratch);
	free(n.rows);
	free(n.seen);
	free(n.more);
	return rc;
}
