/* data_verify.c - the target read back and held against what was copied; the rows that differ named.
 * In: sums of the chunks (or the source, read again).  Out: MISMATCH with differences by key and column.  Both sides are read in their own
 * order into buckets by the digest of the key: no sort, no index; only buckets that differ are read a second time.
 * SPDX-License-Identifier: Apache-2.0 */
#include "data_impl.h"

#include <stdlib.h>
#include <string.h>

enum { BUCKETS = 1 << 14, MOST_ROWS = 20000, MOST_BYTES = 8 << 20 };

int32_t data_walk(struct data_ends *e, struct data_table *t, int target, data_each *each, void *arg)
{
	const struct wbl_store *store = target ? e->dst : e->src;
	void *self = target ? e->target.self : e->source.self, *cursor = NULL;
	struct wbl_scan scan = {
		.size = sizeof scan,
		.range = WBL_RANGE_ALL,
		.set = target ? t->to : t->from,
		.columns = target ? t->names : t->scan,
		.filter = target ? NULL : t->where,
	};
	struct wbl_batch in = { .size = sizeof in }, out;
	struct data_flow f;
	int32_t rc = store->scan(self, e->call, &scan, &cursor);

	if (rc)
		return rc;
	data_flow_init(&f, e->call, t, target);
	f.quiet = 1;
	while (!(rc = wbl_stop_asked(e->call)) && !(rc = store->read(cursor, e->call, &in))) {
		rc = data_flow_convert(&f, &in, &out);
		rc = rc ? rc : each(arg, &out);
		if (rc)
			break;
	}
	/* A value of the target that has not the type of the mapping is no row to pass over. */
	if (rc == WBL_END && target && f.rejected)
		rc = wbl_error_report(e->call, WBL_E_MISMATCH, t->to, NULL,
			"%llu rows of the target hold values that are not of their column's type",
			(unsigned long long)f.rejected);
	store->scan_end(cursor);
	data_flow_clear(&f);
	return rc == WBL_END ? WBL_OK : rc;
}

static int32_t sum_batch(void *arg, const struct wbl_batch *b)
{
	return data_flow_sum(arg, b);
}

static int32_t sum_side(struct data_ends *e, struct data_table *t, int target, struct wbl_sum *ret)
{
	struct data_flow f;
	int32_t rc;

	data_flow_init(&f, e->call, t, 1);
	rc = data_walk(e, t, target, sum_batch, &f);
	*ret = f.sum;
	data_flow_clear(&f);
	return rc;
}

/* ---- the rows that differ ---- */

struct bucket {
	uint64_t count, row_lo, row_hi;
};
struct kept {
	uint64_t key_lo, key_hi;
	size_t at;
	uint32_t len;
	int32_t target;
};
struct compare {
	struct data_ends *e;
	struct data_table *table;
	struct bucket *buckets;
	struct wbl_rows scratch, bytes;
	struct kept *rows;
	size_t nrows;
	uint64_t bad_buckets, found;
	int target, second, full, enough;
};

static void key_digest(struct compare *c, struct wbl_bytes cells, uint64_t *lo, uint64_t *hi)
{
	struct wbl_bytes key = data_key_cells(c->table, cells, &c->scratch);

	wbl_digest_128(key.data, key.len, WBL_KEY_SEED, lo, hi);
}

static void keep(struct compare *c, struct wbl_bytes cells, uint64_t lo, uint64_t hi)
{
	if (c->nrows >= MOST_ROWS || c->bytes.len + cells.len > MOST_BYTES) {
		c->full = 1;
		return;
	}
	if ((c->nrows & (c->nrows + 1)) == 0)
		c->rows = wbl_sdk_grow(c->rows, (c->nrows * 2 + 2) * sizeof *c->rows);
	c->rows[c->nrows++] = (struct kept){ lo, hi, c->bytes.len, (uint32_t)cells.len, c->target };
	wbl_cell_copy(&c->bytes, cells.data, cells.len);
}

static void into_bucket(struct compare *c, struct wbl_bytes cells, struct bucket *b)
{
	uint64_t lo, hi, before = b->row_lo;

	wbl_digest_128(cells.data, cells.len, 0, &lo, &hi);
	if (c->target) {
		b->row_lo -= lo;
		b->row_hi -= hi + (lo > before);
		b->count--;
	} else {
		b->row_lo += lo;
		b->row_hi += hi + (b->row_lo < before);
		b->count++;
	}
}

static int32_t sort_out(void *arg, const struct wbl_batch *b)
{
	struct compare *c = arg;
	struct wbl_row row;
	uint64_t at = 0, lo, hi;
	struct bucket *bucket;

	while (wbl_batch_next(b, &at, &row) == 1) {
		key_digest(c, row.cells, &lo, &hi);
		bucket = &c->buckets[lo % BUCKETS];
		if (!c->second)
			into_bucket(c, row.cells, bucket);
		else if (bucket->count || bucket->row_lo || bucket->row_hi)
			keep(c, row.cells, lo, hi);
	}
	return WBL_OK;
}

static int by_key(const void *a, const void *b, void *arg)
{
	const struct kept *x = a, *y = b;
	const struct compare *c = arg;
	uint32_t n = x->len < y->len ? x->len : y->len;
	int d;

	if (x->key_hi != y->key_hi)
		return x->key_hi < y->key_hi ? -1 : 1;
	if (x->key_lo != y->key_lo)
		return x->key_lo < y->key_lo ? -1 : 1;
	d = memcmp(c->bytes.data + x->at, c->bytes.data + y->at, n);
	if (d || x->len != y->len)
		return d ? d : x->len < y->len ? -1 : 1;
	return x->target - y->target;
}

static struct wbl_bytes cells_of(const struct compare *c, const struct kept *k)
{
	return (struct wbl_bytes){ c->bytes.data + k->at, k->len };
}

static void tell(struct compare *c, int32_t kind, const struct kept *row, const char *field,
	const char *expected, const char *found)
{
	const struct wbl_check_service *check = wbl_service(c->e->call, "wbl.check/1");
	struct wbl_out key = { 0 };
	struct wbl_bytes cells = cells_of(c, row);
	struct wbl_difference d = {
		.size = sizeof d,
		.kind = kind,
		.set = c->table->to,
		.field = field,
		.expected = expected,
		.found = found,
		.ref = data_key_cells(c->table, cells, &c->scratch),
	};

	data_key_json(c->table, cells, &key);
	d.key = key.s;
	c->found++;
	if (d.ref.len > 32768)
		d.ref.len = 0;
	if (check && check->difference(c->e->call, &d) == WBL_END)
		c->enough = 1;
	wbl_out_clear(&key);
}

static void cut(struct wbl_out *o)
{
	if (o->len > 500)
		memcpy(o->s + 497, "...", 4);
}

static void tell_changed(struct compare *c, const struct kept *want, const struct kept *have)
{
	struct wbl_bytes a = cells_of(c, want), b = cells_of(c, have);
	struct wbl_out x = { 0 }, y = { 0 };
	struct wbl_cell p, q;

	for (size_t i = 0; i < c->table->ncols && !c->enough; i++) {
		if (wbl_cell_next(&a, &p) != 1 || wbl_cell_next(&b, &q) != 1)
			break;
		if (p.whole == q.whole && !memcmp(p.at, q.at, p.whole))
			continue;
		wbl_out_reset(&x);
		wbl_out_reset(&y);
		wbl_cell_show(&x, &p);
		wbl_cell_show(&y, &q);
		cut(&x);
		cut(&y);
		tell(c, WBL_DIFF_CHANGED, want, c->table->cols[i].name, x.s, y.s);
	}
	wbl_out_clear(&x);
	wbl_out_clear(&y);
}

static int same_row(const struct compare *c, const struct kept *a, const struct kept *b)
{
	return a->len == b->len && !memcmp(c->bytes.data + a->at, c->bytes.data + b->at, a->len);
}

/* One key: equal rows of both sides pair up; what is left over is changed, missing or extra. */
static void tell_group(struct compare *c, struct kept *rows, size_t n)
{
	const struct kept *want = NULL, *have = NULL;

	for (size_t i = 0; i < n && !c->enough; i++) {
		if (i + 1 < n && rows[i].target != rows[i + 1].target &&
			same_row(c, &rows[i], &rows[i + 1])) {
			i++;
			continue;
		}
		if (rows[i].target)
			have = &rows[i];
		else
			want = &rows[i];
		if (n != 2 || !c->table->nkey)
			tell(c, rows[i].target ? WBL_DIFF_EXTRA : WBL_DIFF_MISSING, &rows[i], NULL,
				rows[i].target ? "no such row" : "this row",
				rows[i].target ? "one more" : "none");
	}
	if (n == 2 && c->table->nkey && want && have)
		tell_changed(c, want, have);
	else if (n == 2 && c->table->nkey)
		for (size_t i = 0; i < n; i++)
			if (want || have)
				tell(c, rows[i].target ? WBL_DIFF_EXTRA : WBL_DIFF_MISSING,
					&rows[i], NULL, "one row", "the key twice");
}

static void tell_all(struct compare *c)
{
	size_t from = 0;

	if (c->nrows)
		qsort_r(c->rows, c->nrows, sizeof *c->rows, by_key, c);
	for (size_t i = 1; i <= c->nrows && !c->enough; i++) {
		if (i < c->nrows && c->rows[i].key_lo == c->rows[from].key_lo &&
			c->rows[i].key_hi == c->rows[from].key_hi)
			continue;
		tell_group(c, &c->rows[from], i - from);
		from = i;
	}
}

int32_t data_compare(struct data_ends *e, struct data_table *t)
{
	struct compare c = { .e = e, .table = t };
	int32_t rc = WBL_OK;

	c.buckets = wbl_sdk_alloc(BUCKETS * sizeof *c.buckets);
	for (c.second = 0; !rc && c.second < 2; c.second++)
		for (c.target = 0; !rc && c.target < 2; c.target++)
			rc = data_walk(e, t, c.target, sort_out, &c);
	if (!rc)
		tell_all(&c);
	if (!rc && c.full)
		wbl_warning_report(e->call, t->to, "Mend what is named and verify again.",
			"too many rows differ: only some of them are named");
	wbl_rows_clear(&c.scratch);
	wbl_rows_clear(&c.bytes);
	free(c.buckets);
	free(c.rows);
	if (!rc && !c.found)
		wbl_warning_report(e->call, t->to, "Look for writers of the source or the target.",
			"the sums differ, and both sides agree when they are read again");
	return rc;
}

/* ---- the verify call of a copy ---- */

static int kept_sum(const struct wbl_work *work, const char *set, struct wbl_sum *ret)
{
	const struct wbl_digest *const *d = work->totals ? work->totals->digests : NULL;

	for (; d && *d; d++) {
		if (!(*d)->set || strcmp((*d)->set, set) != 0)
			continue;
		*ret = (struct wbl_sum){ (*d)->count, (*d)->row_lo, (*d)->row_hi, (*d)->key_lo,
			(*d)->key_hi };
		return 1;
	}
	return 0;
}

static int32_t check_sums(struct data_ends *e, struct data_table *t, const struct wbl_work *work)
{
	const struct wbl_check_service *check = wbl_service(e->call, "wbl.check/1");
	int kept = kept_sum(work, t->to, &(struct wbl_sum){ 0 });
	struct wbl_sum want = { 0 }, found = { 0 };
	int32_t rc = kept ? WBL_OK : sum_side(e, t, 0, &want);

	kept_sum(work, t->to, &want);
	rc = rc ? rc : sum_side(e, t, 1, &found);
	if (rc)
		return rc;
	if (check)
		check->covered(e->call, t->to, found.count, found.count,
			kept ? "every row and key by XXH3-128, against the sums taken during the "
			       "copy"
			     : "every row and key by XXH3-128, against the source read again");
	if (wbl_sum_equal(&want, &found))
		return WBL_OK;
	rc = data_compare(e, t);
	if (rc < 0 && rc != WBL_E_MISMATCH)
		return rc;
	return wbl_error_report(e->call, WBL_E_MISMATCH, t->to,
		"Look at the differences; repair them or roll back.",
		"table \"%s\": %llu rows copied, %llu found, and their digests differ", t->to,
		(unsigned long long)want.count, (unsigned long long)found.count);
}

static int32_t check_empty(struct wbl_call *call, const char *to)
{
	struct wbl_scan all = { .size = sizeof all, .range = WBL_RANGE_ALL, .set = to };
	struct wbl_totals n = { .size = sizeof n };
	struct wbl_doc *target = NULL;
	struct data_ends e;
	int32_t rc = data_open_target(call, WBL_OPEN_READ, &e);

	if (rc)
		return rc;
	rc = data_describe_target(&e, &target);
	if (!rc && data_set(target, to))
		rc = e.dst->count(e.target.self, call, &all, 1, &n);
	if (!rc && n.items)
		rc = wbl_error_report(call, WBL_E_MISMATCH, to, NULL,
			"table \"%s\" was empty and holds %llu rows", to,
			(unsigned long long)n.items);
	wbl_doc_free(target);
	data_close(&e);
	return rc;
}

int32_t data_copy_verify(struct wbl_call *call, const struct wbl_work *work)
{
	struct wbl_doc *doc = wbl_doc_parse(work->params, strlen(work->params), NULL);
	const char *to = wbl_node_str(wbl_doc_root(doc), "to");
	int64_t limit = wbl_param_int(call, "reject_limit", 0);
	struct data_table *t = NULL;
	struct data_ends e;
	struct data_map m;
	int32_t rc;

	if (work->flags & WBL_WORK_BEFORE) {
		rc = check_empty(call, to);
		wbl_doc_free(doc);
		return rc;
	}
	rc = data_open(call, WBL_OPEN_READ, &e);
	if (!rc) {
		rc = data_map_build(&e, &m);
		t = rc ? NULL : data_map_find(&m, to);
		if (t && t->target)
			rc = check_sums(&e, t, work);
		else if (!rc)
			rc = wbl_error_report(
				call, WBL_E_MISMATCH, to, NULL, "the table is not there");
		if (!rc && work->totals && work->totals->rejected > (uint64_t)limit)
			rc = wbl_error_report(call, WBL_E_MISMATCH, to,
				"Mend the source or the mapping, or raise `reject_limit`.",
				"%llu rows were rejected in all, %lld may be",
				(unsigned long long)work->totals->rejected, (long long)limit);
		data_map_clear(&m);
		data_close(&e);
	}
	wbl_doc_free(doc);
	return rc;
}

/* ---- the step that looks at the whole ---- */

static int32_t ask(struct data_ends *e, int target, const char *before, const char *check,
	const char *behind, struct wbl_doc **ret)
{
	struct wbl_out text = { 0 };
	struct wbl_sql sql = { .size = sizeof sql, .flags = 1 };
	const struct wbl_store *store = target ? e->dst : e->src;
	const char *json;
	int32_t rc;

	wbl_out_fmt(&text, "%s%s%s", before, check, behind);
	sql.text = text.s;
	rc = store->sql(target ? e->target.self : e->source.self, e->call, &sql, &json);
	if (!rc)
		*ret = wbl_doc_parse(json, strlen(json), NULL);
	wbl_out_clear(&text);
	return rc;
}

static int32_t count_of(struct data_ends *e, int target, const char *check, uint64_t *ret)
{
	struct wbl_doc *doc;
	int32_t rc = ask(e, target, "SELECT count(*) FROM (", check, ")", &doc);

	if (rc)
		return rc;
	*ret = (uint64_t)wbl_node_int(wbl_doc_root(doc), "rows.0.0", 0);
	wbl_doc_free(doc);
	return WBL_OK;
}

/* After the run has been taken back nobody can look any more: so one of them is named. */
static int32_t tell_broken(struct data_ends *e, const char *check, uint64_t broken)
{
	struct wbl_doc *doc;
	const struct wbl_node *n;
	const char *table, *parent;
	int32_t rc = ask(e, 1, "", check, " LIMIT 1", &doc);

	if (rc)
		return rc;
	n = wbl_doc_root(doc);
	table = wbl_node_str(n, "rows.0.0");
	parent = wbl_node_str(n, "rows.0.2");
	rc = wbl_error_report(e->call, WBL_E_MISMATCH, "target",
		"Copy the table that they lead to as well, or leave their rows out by `where`.",
		"%llu reference%s nowhere, the first from table \"%s\" (row %lld) to table \"%s\"",
		(unsigned long long)broken, broken == 1 ? " leads" : "s lead", table ? table : "?",
		(long long)wbl_node_int(n, "rows.0.1", -1), parent ? parent : "?");
	wbl_doc_free(doc);
	return rc;
}

/* References are checked once everything is there. Those that were broken before are told and not blamed on the copy. */
static int32_t check_references(struct data_ends *e, const struct data_map *m)
{
	const char *check = wbl_node_str(wbl_doc_root(m->target), "reference_check");
	uint64_t broken = 0, before = 0;
	int32_t rc;

	if (!check || !e->dst->sql)
		return WBL_OK;
	rc = count_of(e, 1, check, &broken);
	if (!rc && broken && m->whole && m->same_dialect)
		rc = count_of(e, 0, check, &before);
	if (rc || !broken)
		return rc;
	if (broken <= before) {
		wbl_warning_report(e->call, "target", "Mend them in the source some day.",
			"%llu references lead nowhere, as they do in the source",
			(unsigned long long)broken);
		return WBL_OK;
	}
	return tell_broken(e, check, broken);
}

int32_t data_verify_execute(struct wbl_call *call, const struct wbl_work *work)
{
	struct data_ends e;
	struct data_map m;
	int32_t rc;

	if (work->flags & WBL_WORK_REHEARSE)
		return WBL_OK;
	rc = data_open(call, WBL_OPEN_READ, &e);
	if (rc)
		return rc;
	rc = data_map_build(&e, &m);
	if (!rc)
		rc = check_references(&e, &m);
	data_map_clear(&m);
	data_close(&e);
	return rc;
}
