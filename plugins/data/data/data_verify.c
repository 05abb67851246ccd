/* data_verify.c - the target read back and held against what was copied.
 * In: sums of the chunks (or the source, read again).  Out: MISMATCH, how many rows are missing, extra and changed, and the first of them
 * named.  How two sides are compared is in data_compare.c, how rows are named in data_name.c.
 * SPDX-License-Identifier: Apache-2.0 */
#include "data_verify.h"

#include <strings.h>
#include <string.h>

enum { MOST_NAMED = 1000 /* the engine keeps as many */, UNKNOWN_ROWS = 1 << 20 };

/* ---- reading back ---- */

static const struct wbl_node *column_node(const struct wbl_node *set, const char *name)
{
	const struct wbl_node *c = wbl_node_at(set, "columns.0");

	while (c && strcasecmp(wbl_node_str(c, "name"), name) != 0)
		c = c->next;
	return c;
}

void data_back_begin(struct data_table *t)
{
	for (size_t i = 0; i < t->ncols; i++) {
		const char *type = wbl_node_str(column_node(t->target, t->cols[i].name), "type");

		t->cols[i].held = type ? wbl_type_by_name(type) : WBL_TYPE_ANY;
	}
}

/* Where the store holds the type itself, a value of another class is not what was written, however alike it reads. */
static int foreign(const struct data_column *col, int32_t tag)
{
	switch (col->held) {
	case WBL_TYPE_INT:
		return (col->type == WBL_TYPE_INT || col->type == WBL_TYPE_BOOL) &&
		       tag != WBL_CELL_INT;
	case WBL_TYPE_REAL:
		return col->type == WBL_TYPE_REAL && tag != WBL_CELL_REAL && tag != WBL_CELL_INT;
	case WBL_TYPE_TEXT:
		return col->type == WBL_TYPE_TEXT && tag != WBL_CELL_TEXT && tag != WBL_CELL_RAW;
	case WBL_TYPE_BYTES:
		return col->type == WBL_TYPE_BYTES && tag != WBL_CELL_BYTES;
	default:
		return 0;
	}
}

void data_back_cell(struct wbl_rows *to, const struct wbl_cell *c, const struct data_column *col)
{
	const char *why;

	if (c->tag == WBL_CELL_NULL || foreign(col, c->tag) ||
		wbl_cell_cast(to, c, col->type, &why))
		wbl_cell_copy(to, c->at, c->whole);
}

static int32_t walk(
	struct data_ends *e, struct data_table *t, int target, data_each *each, void *arg)
{
	const struct wbl_store *store = target ? e->dst : e->src;
	void *self = target ? e->target.self : e->source.self, *cursor = NULL;
	struct wbl_scan scan = {
		.size = sizeof scan,
		.range = WBL_RANGE_ALL,
		.set = target ? t->to : t->from,
		.columns = target ? t->names : data_scan_columns(t),
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
	store->scan_end(cursor);
	data_flow_clear(&f);
	if (rc == WBL_END && !target && t->corrected)
		rc = data_corrections_each(e, t, each, arg);
	return rc == WBL_END ? WBL_OK : rc;
}

int32_t data_walk(struct data_ends *e, struct data_table *t, int target, data_each *each, void *arg)
{
	int32_t rc = WBL_OK;

	for (size_t i = 0; !rc && i < (target ? 1 : data_parts(t)); i++)
		rc = walk(e, data_part(t, i), target, each, arg);
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

struct verifying {
	struct data_ends *e;
	struct data_table *table;
	const struct wbl_work *work;
	struct data_sample sample;
	struct wbl_sum want, found;
	int kept; /* want is what was copied, not what the source has now */
	struct data_compare compare;
	struct data_namer namer;
	uint64_t bad_keys;
	struct data_keys later; /* rows that there was no room for */
};

static int32_t bad_key(void *arg, const struct data_bad *bad)
{
	struct verifying *v = arg;

	if (v->namer.enough || v->bad_keys++ >= MOST_NAMED)
		return WBL_OK;
	if (bad->whole)
		data_name_key(&v->namer, bad);
	else
		data_keys_add(&v->later, bad->key.lo, bad->key.hi);
	return WBL_OK;
}

static int32_t later_key(void *arg, const struct data_bad *bad)
{
	struct verifying *v = arg;

	if (!v->namer.enough)
		data_name_key(&v->namer, bad);
	return WBL_OK;
}

static uint64_t left_out(const struct wbl_work *work)
{
	return work->totals ? work->totals->rejected : 0;
}

/* Rows that the target refused are in the source still: those may be there beyond what was copied. */
static int source_moved(const struct verifying *v)
{
	const struct wbl_sum *now = &v->compare.looked[0];

	if (!v->kept || v->sample.on || wbl_sum_equal(now, &v->want))
		return 0;
	return now->count <= v->want.count || now->count - v->want.count > left_out(v->work);
}

/* Both sides are in the buckets: what differs is counted, and the first of it named. */
static int32_t compare(struct verifying *v)
{
	const struct wbl_sum *source = &v->compare.looked[0];
	int32_t rc;

	v->namer = (struct data_namer){ .call = v->e->call,
		.table = v->table,
		.seen = { .moved = (uint32_t)source_moved(v),
			.whole = !v->sample.on,
			.row_lo = source->row_lo,
			.row_hi = source->row_hi } };
	rc = data_compare_rows(&v->compare, bad_key, v);
	if (!rc && v->later.n && !v->namer.enough)
		rc = data_compare_keys(&v->compare, &v->later, later_key, v);
	return rc;
}

static void tell_found(struct verifying *v, uint64_t seen, uint64_t of, const char *how)
{
	const struct wbl_check_service *check = wbl_service(v->e->call, "wbl.check/1");
	const struct wbl_run_service *run = wbl_service(v->e->call, "wbl.run/1");
	struct wbl_digest digest;
	const struct wbl_digest *list[] = { &digest, NULL };
	struct wbl_totals t = { .size = sizeof t, .items = v->found.count, .digests = list };

	wbl_sum_digest(&v->found, v->table->to, &digest);
	if (run && !v->sample.on)
		run->result(v->e->call, &t);
	if (check)
		check->covered(v->e->call, v->table->to, seen, of, how);
}

static int32_t tell_mismatch(struct verifying *v)
{
	const struct data_counts *n = &v->compare.counts;
	struct wbl_out text = { 0 };
	int32_t rc;

	data_count_text(v->want.count, &text);
	wbl_out_fmt(&text, v->kept ? " rows copied, " : " rows in the source, ");
	data_count_text(v->found.count, &text);
	wbl_out_fmt(&text, " found, and their digests differ: ");
	data_counts_tell(n, &text);
	if (v->namer.enough || v->bad_keys > MOST_NAMED) {
		wbl_out_fmt(&text, "; ");
		data_count_text(v->namer.told, &text);
		wbl_out_fmt(&text, " differences are named");
	}
	if (v->namer.seen.moved)
		wbl_warning_report(v->e->call, v->table->from,
			"Mend the target by hand, or migrate what is new.",
			"the source is not what was copied any more: differences are told "
			"against it as it is now, and cannot be repaired from it");
	rc = wbl_error_report(v->e->call, WBL_E_MISMATCH, v->table->to,
		"Look at the differences; repair them or roll back.", "table \"%s\": %s",
		v->table->to, text.s);
	wbl_out_clear(&text);
	return rc;
}

static int none(const struct data_counts *n)
{
	return !n->missing && !n->extra && !n->changed;
}

static int32_t check_all(struct verifying *v)
{
	int32_t rc = v->kept ? WBL_OK : data_compare_side(&v->compare, 0);

	if (!v->kept)
		v->want = v->compare.looked[0];
	rc = rc ? rc : data_compare_side(&v->compare, 1);
	if (rc)
		return rc;
	v->found = v->compare.looked[1];
	tell_found(v, v->found.count, v->found.count,
		v->kept ? "every row and key by XXH3-128, against the sums taken during the copy"
			: "every row and key by XXH3-128, against the source read again");
	if (wbl_sum_equal(&v->want, &v->found))
		return WBL_OK;
	rc = v->kept ? data_compare_side(&v->compare, 0) : WBL_OK;
	rc = rc ? rc : compare(v);
	if (rc)
		return rc;
	if (none(&v->compare.counts))
		wbl_warning_report(v->e->call, v->table->to,
			"Look for writers of the source or the target.",
			"the sums differ, and both sides agree when they are read again");
	return tell_mismatch(v);
}

/* A sample knows nothing of the sums of the copy: both sides are read, and the rows of the sample compared. */
static int32_t check_sample(struct verifying *v)
{
	struct wbl_out how = { 0 };
	uint64_t want;
	int32_t rc = data_compare_side(&v->compare, 0);

	rc = rc ? rc : data_compare_side(&v->compare, 1);
	rc = rc ? rc : compare(v);
	if (rc)
		return rc;
	want = v->kept ? v->want.count : v->compare.all[0];
	v->found.count = v->compare.all[1];
	data_sample_tell(&v->sample, v->compare.looked[1].count, v->found.count, &how);
	tell_found(v, v->compare.looked[1].count, v->found.count, how.s);
	wbl_out_clear(&how);
	v->want.count = want;
	if (!none(&v->compare.counts))
		return tell_mismatch(v);
	if (want == v->found.count)
		return WBL_OK;
	return wbl_error_report(v->e->call, WBL_E_MISMATCH, v->table->to,
		"Verify in full: the rows of the sample are all as they were copied.",
		"table \"%s\": %llu rows copied, %llu found", v->table->to,
		(unsigned long long)want, (unsigned long long)v->found.count);
}

static int32_t check_sums(struct data_ends *e, struct data_table *t, const struct wbl_work *work)
{
	struct verifying v = { .e = e, .table = t, .work = work };
	int32_t rc;

	v.kept = kept_sum(work, t->to, &v.want);
	data_sample_read(e->call, v.want.count, &v.sample);
	v.compare = (struct data_compare){ .ends = e,
		.table = t,
		.sample = &v.sample,
		.rows = v.kept ? v.want.count : UNKNOWN_ROWS,
		.cells_room = v.sample.memory / 4 };
	data_compare_begin(&v.compare);
	rc = v.sample.on ? check_sample(&v) : check_all(&v);
	data_compare_end(&v.compare);
	data_keys_clear(&v.later);
	return rc;
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
	rc = data_describe_target(&e, to, &target);
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
		rc = data_map_build_one(&e, &m, to);
		t = rc ? NULL : data_map_find(&m, to);
		if (t)
			t->corrected = left_out(work) > 0;
		if (t && t->target)
			rc = check_sums(&e, t, work);
		else if (!rc)
			rc = wbl_error_report(
				call, WBL_E_MISMATCH, to, NULL, "the table is not there");
		rc = rc ? rc : data_limit_check(call, t, work->totals);
		if (!rc)
			data_rest_tell(call, t, work->totals);
		data_map_clear(&m);
		data_close(&e);
	}
	wbl_doc_free(doc);
	return rc;
}
