/* data_repair.c - rows of a target that a verification found wrong are brought back to what the source has.
 * In: the recorded differences (or, when there are more than are recorded, the comparison made anew).  Out: exactly those rows written
 * or deleted, in one transaction for each round.  Nothing is remembered between attempts: both sides are read first, and only what
 * still differs is written.  So it may be killed at any point and done again, and leaves no receipt.
 * SPDX-License-Identifier: Apache-2.0 */
#include "data_verify.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { ENOUGH_RECORDED = 1000, BATCH_BYTES = 1 << 20 };

/* What both sides have of one key. */
struct found {
	uint64_t row[2]; /* digest of the last one */
	int64_t count[2];
	size_t chain; /* in mending.keycells: the target's key of its last row there, from 1 */
};
struct mending {
	struct data_ends *e;
	struct data_table *table;
	const struct wbl_work *work;
	struct data_sample all; /* no sample: everything */
	struct data_seen seen;
	size_t *key, nkey; /* the key by which the target finds rows: columns of the mapping */
	struct data_keys keys;
	struct found *found;
	struct wbl_rows keycells, scratch, batch;
	struct wbl_sum source; /* of all its rows */
	void *writer;
	uint64_t put, gone, twice;
	int target, delete_first, recorded;
};

/* ---- what is to be mended ---- */

static int32_t take_recorded(struct mending *m)
{
	const struct wbl_check_service *check = wbl_service(m->e->call, "wbl.check/1");
	int32_t rc = check ? WBL_OK : WBL_END;

	while (!rc) {
		struct wbl_difference d = { .size = sizeof d };
		struct data_ref ref = { 0 };

		rc = check->next(m->e->call, &d);
		m->recorded += !rc;
		if (!rc && d.kind <= WBL_DIFF_CHANGED && d.ref.len == sizeof ref &&
			!strcmp(d.set, m->table->to))
			memcpy(&ref, d.ref.data, sizeof ref);
		if (ref.version != 1)
			continue;
		m->seen = ref.seen;
		data_keys_add(&m->keys, ref.key.lo, ref.key.hi);
	}
	return rc == WBL_END ? WBL_OK : rc;
}

static int32_t refuse_moved(struct mending *m)
{
	return wbl_error_report(m->e->call, WBL_E_STALE, m->table->from,
		"Mend the target by hand, or migrate what is new; verify says when it holds again.",
		"the source is not what was %s any more: its rows cannot be put into table \"%s\" "
		"as a repair",
		m->seen.moved ? "copied" : "compared", m->table->to);
}

static int has_trigger(const struct data_map *map, const char *table)
{
	const struct wbl_node *o = wbl_node_at(wbl_doc_root(map->target), "others.0");

	for (; o; o = o->next)
		if (!strcmp(wbl_node_str(o, "kind"), "trigger") && wbl_node_str(o, "set") &&
			!strcasecmp(wbl_node_str(o, "set"), table))
			return 1;
	return 0;
}

/* Rows are found by the target's own key, which the mapping must fill. */
static void find_key(struct mending *m)
{
	const struct data_table *t = m->table;
	const struct wbl_node *k = wbl_node_at(t->target, "key.0");

	m->key = wbl_sdk_alloc((t->ncols + 1) * sizeof *m->key);
	for (; k; k = k->next) {
		size_t i = 0;

		while (i < t->ncols && strcasecmp(t->cols[i].name, k->text.s) != 0)
			i++;
		if (i == t->ncols) {
			m->nkey = 0;
			return;
		}
		m->key[m->nkey++] = i;
	}
}

/* Does the mapping fill every column? Then a row may be deleted and written anew. */
static int fills_all(const struct data_table *t)
{
	const struct wbl_node *c = wbl_node_at(t->target, "columns.0");
	size_t n = 0;

	for (; c; c = c->next)
		n += !wbl_node_bool(c, "generated", 0);
	return n == t->ncols;
}

/* ---- both sides of the keys ---- */

struct link {
	size_t before, len; /* chain; the cells follow */
};

static void keep_key(struct mending *m, struct found *f, struct wbl_bytes cells)
{
	struct wbl_cell *all = wbl_sdk_alloc((m->table->ncols + 1) * sizeof *all);
	struct link link = { .before = f->chain };
	size_t n = 0, at = m->keycells.len;

	while (n < m->table->ncols && wbl_cell_next(&cells, &all[n]) == 1)
		n++;
	wbl_cell_copy(&m->keycells, &link, sizeof link);
	for (size_t k = 0; n == m->table->ncols && k < m->nkey; k++)
		wbl_cell_copy(&m->keycells, all[m->key[k]].at, all[m->key[k]].whole);
	link.len = m->keycells.len - at - sizeof link;
	memcpy(m->keycells.data + at, &link, sizeof link);
	f->chain = at + 1;
	free(all);
}

static int32_t look_batch(void *arg, const struct wbl_batch *b)
{
	struct mending *m = arg;
	struct wbl_row row;
	uint64_t at = 0, lo, hi;

	while (wbl_batch_next(b, &at, &row) == 1) {
		ptrdiff_t key;
		struct found *f;

		if (!m->target)
			wbl_sum_row(&m->source, row.cells.data, row.cells.len);
		data_key_digest(m->table, row.cells, &m->scratch, &lo, &hi);
		key = data_keys_find(&m->keys, lo, hi);
		if (key < 0)
			continue;
		f = &m->found[key];
		wbl_digest_128(row.cells.data, row.cells.len, 0, &f->row[m->target], &hi);
		f->count[m->target]++;
		if (m->target && m->nkey)
			keep_key(m, f, row.cells);
	}
	return WBL_OK;
}

static int32_t look(struct mending *m)
{
	int32_t rc = WBL_OK;

	data_keys_sort(&m->keys);
	free(m->found);
	m->found = wbl_sdk_alloc((m->keys.n + 1) * sizeof *m->found);
	m->source = (struct wbl_sum){ 0 };
	wbl_rows_reset(&m->keycells);
	for (m->target = 0; !rc && m->target < 2; m->target++)
		rc = data_walk(m->e, m->table, m->target, look_batch, m);
	if (!rc && m->seen.whole &&
		(m->source.row_lo != m->seen.row_lo || m->source.row_hi != m->seen.row_hi))
		rc = refuse_moved(m);
	return rc;
}

/* ---- writing ---- */

static int is_as_wanted(const struct found *f)
{
	return f->count[0] == f->count[1] && (!f->count[0] || f->row[0] == f->row[1]);
}

/* A key that the source has twice, with other rows, names no row that could be brought back. */
static int is_twice(const struct mending *m, const struct found *f)
{
	return m->table->nkey && f->count[0] > 1;
}

static int goes_first(const struct mending *m, const struct found *f)
{
	if (is_as_wanted(f) || is_twice(m, f) || !f->count[1])
		return 0;
	return f->count[1] > f->count[0] || m->delete_first;
}

static int32_t flush(struct mending *m)
{
	struct wbl_batch b;
	uint64_t bad = 0;
	int32_t rc;

	if (!m->batch.rows)
		return WBL_OK;
	wbl_rows_batch(&m->batch, m->table->to, m->table->names, &b);
	rc = m->e->dst->append(m->writer, m->e->call, &b, &bad);
	wbl_rows_reset(&m->batch);
	WBL_FAULT(m->e->call, "repair_written");
	return rc;
}

static void delete_key(struct mending *m, struct found *f)
{
	struct link link;

	for (size_t at = f->chain; at; at = link.before) {
		memcpy(&link, m->keycells.data + at - 1, sizeof link);
		wbl_row_begin(&m->batch, WBL_ROW_DELETE);
		wbl_cell_copy(&m->batch, m->keycells.data + at - 1 + sizeof link, link.len);
		wbl_row_end(&m->batch);
	}
	m->gone += !f->count[0];
	f->count[1] = 0;
}

static int32_t delete_rows(struct mending *m)
{
	int32_t rc = WBL_OK;

	for (size_t i = 0; !rc && i < m->keys.n; i++)
		if (goes_first(m, &m->found[i])) {
			delete_key(m, &m->found[i]);
			rc = m->batch.len > BATCH_BYTES ? flush(m) : WBL_OK;
		}
	return rc ? rc : flush(m);
}

static int32_t put_batch(void *arg, const struct wbl_batch *b)
{
	struct mending *m = arg;
	struct wbl_row row;
	uint64_t at = 0, lo, hi;
	int32_t rc = WBL_OK;

	while (!rc && wbl_batch_next(b, &at, &row) == 1) {
		ptrdiff_t key;
		struct found *f;

		data_key_digest(m->table, row.cells, &m->scratch, &lo, &hi);
		key = data_keys_find(&m->keys, lo, hi);
		f = key < 0 ? NULL : &m->found[key];
		if (!f || is_as_wanted(f) || is_twice(m, f) || f->count[1] > f->count[0])
			continue;
		wbl_row_begin(&m->batch, WBL_ROW_PUT);
		wbl_cell_copy(&m->batch, row.cells.data, row.cells.len);
		wbl_row_end(&m->batch);
		m->put++;
		f->row[1] = f->row[0];
		f->count[1] = m->table->nkey ? f->count[0] : f->count[1] + 1;
		rc = m->batch.len > BATCH_BYTES ? flush(m) : WBL_OK;
	}
	return rc;
}

static int32_t write_all(struct mending *m)
{
	struct wbl_write w = {
		.size = sizeof w,
		.mode = m->nkey ? WBL_MODE_BY_KIND : WBL_MODE_INSERT,
		.epoch = m->work->epoch,
		.attempt = m->work->attempt,
		.set = m->table->to,
		.columns = m->table->names,
		.origin = m->work->run_id,
	};
	struct wbl_outcome outcome = { .size = sizeof outcome };
	void *writer;
	int32_t rc = m->e->dst->write(m->e->target.self, m->e->call, &w, &m->writer);

	if (rc)
		return rc;
	WBL_FAULT(m->e->call, "repair_open");
	wbl_rows_reset(&m->batch);
	rc = delete_rows(m);
	rc = rc ? rc : data_walk(m->e, m->table, 0, put_batch, m);
	rc = rc ? rc : flush(m);
	writer = m->writer;
	m->writer = NULL;
	if (rc) {
		m->e->dst->abort(writer);
		return rc;
	}
	rc = m->e->dst->commit(writer, m->e->call, NULL, &outcome);
	WBL_FAULT(m->e->call, "repair_committed");
	return rc;
}

/* Without a key of its own the target only takes further rows. */
static int32_t check_possible(struct mending *m)
{
	uint64_t more = 0;

	for (size_t i = 0; i < m->keys.n; i++) {
		const struct found *f = &m->found[i];

		m->twice += !is_as_wanted(f) && is_twice(m, f);
		more += f->count[1] > f->count[0] ||
			(f->count[0] && f->count[1] && f->row[0] != f->row[1]);
	}
	if (!more || m->nkey)
		return WBL_OK;
	return wbl_error_report(m->e->call, WBL_E_UNSUPPORTED, m->table->to,
		"Delete or mend them by hand: the report names them. Or roll back and copy again.",
		"%llu rows are changed or too many, and table \"%s\" has no key by which a single "
		"row could be found",
		(unsigned long long)more, m->table->to);
}

/* A value that moves from one row to another may be refused while both have it: then the rows go first, and are written anew. */
static int32_t mend_keys(struct mending *m)
{
	uint64_t put = m->put, gone = m->gone;
	int32_t rc = look(m);

	rc = rc ? rc : check_possible(m);
	rc = rc ? rc : write_all(m);
	if (rc != WBL_E_PARAM || m->delete_first || !m->nkey || !fills_all(m->table))
		return rc;
	m->put = put;
	m->gone = gone;
	m->delete_first = 1;
	rc = look(m);
	return rc ? rc : write_all(m);
}

/* ---- more than are recorded ---- */

static int32_t add_key(void *arg, const struct data_bad *bad)
{
	struct mending *m = arg;

	if (m->keys.n < m->all.memory / 256)
		data_keys_add(&m->keys, bad->key.lo, bad->key.hi);
	return WBL_OK;
}

static int32_t mend_all(struct mending *m)
{
	uint64_t before = UINT64_MAX, left;
	int32_t rc;

	for (;;) {
		struct data_compare c = {
			.ends = m->e, .table = m->table, .sample = &m->all, .rows = m->source.count
		};

		data_keys_clear(&m->keys);
		rc = data_compare_run(&c, add_key, m);
		left = c.counts.missing + c.counts.extra + c.counts.changed;
		if (rc || !left || left >= before)
			return rc;
		before = left;
		m->source.count = c.all[0];
		m->twice = 0;
		rc = mend_keys(m);
		if (rc)
			return rc;
	}
}

static int32_t mend(struct mending *m, const struct data_map *map)
{
	int32_t rc = take_recorded(m);

	if (rc || (!m->keys.n && m->recorded < ENOUGH_RECORDED))
		return rc;
	if (m->seen.moved)
		return refuse_moved(m);
	if (has_trigger(map, m->table->to))
		return wbl_error_report(m->e->call, WBL_E_UNSUPPORTED, m->table->to,
			"Drop it for the time of the repair, or mend the rows by hand.",
			"a trigger of table \"%s\" would run for every row that is mended",
			m->table->to);
	find_key(m);
	data_sample_read(m->e->call, 0, &m->all);
	m->all.on = 0;
	rc = m->recorded < ENOUGH_RECORDED ? mend_keys(m) : mend_all(m);
	if (!rc && m->twice)
		wbl_warning_report(m->e->call, m->table->to, "Mend the source or these rows.",
			"%llu keys are in the source more than once: their rows stay as they are",
			(unsigned long long)m->twice);
	wbl_log_text(m->e->call, 3, "%s: %llu rows written, %llu deleted", m->table->to,
		(unsigned long long)m->put, (unsigned long long)m->gone);
	return rc;
}

int32_t data_copy_repair(struct wbl_call *call, const struct wbl_work *work)
{
	struct wbl_doc *doc = wbl_doc_parse(work->params, strlen(work->params), NULL);
	const char *to = wbl_node_str(wbl_doc_root(doc), "to");
	struct data_ends e;
	struct data_map map;
	struct mending m = { .e = &e, .work = work };
	int32_t rc = data_open(call, WBL_OPEN_WRITE, &e);

	if (!rc) {
		rc = data_map_build(&e, &map);
		m.table = rc ? NULL : data_map_find(&map, to);
		if (m.table)
			m.table->corrected = 1;
		if (m.table && m.table->target)
			rc = mend(&m, &map);
		else if (!rc)
			rc = wbl_error_report(call, WBL_E_MISMATCH, to, "Roll back and copy again.",
				"the table is not there");
		data_map_clear(&map);
		data_close(&e);
	}
	data_keys_clear(&m.keys);
	wbl_rows_clear(&m.keycells);
	wbl_rows_clear(&m.scratch);
	wbl_rows_clear(&m.batch);
	free(m.found);
	free(m.key);
	wbl_doc_free(doc);
	return rc;
}
