/* data_find.c - what a table has of some keys: rows fetched, brought into canonical form, found again by the digest of their key.
 * In: key cells.  Out: digests of the mapped cells, and whole rows as they are kept there.  Knows no mapping: the way back has none.
 * SPDX-License-Identifier: Apache-2.0 */
#include "data_sync.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

void data_finder_init(struct data_finder *f, struct wbl_call *call, const struct wbl_store *store,
	void *self, const struct data_shape *shape)
{
	*f = (struct data_finder){ .call = call, .store = store, .self = self, .shape = *shape };
}

static void forget_names(struct data_finder *f)
{
	for (size_t i = 0; i < f->nwhole; i++)
		free(f->whole[i]);
	free(f->whole);
	free(f->at);
	f->whole = NULL;
	f->at = NULL;
	f->nwhole = 0;
}

void data_finder_clear(struct data_finder *f)
{
	forget_names(f);
	wbl_rows_clear(&f->cells);
	wbl_rows_clear(&f->key);
	wbl_rows_clear(&f->found.raw);
	free(f->found.rows);
	memset(f, 0, sizeof *f);
}

struct data_key data_digest_of(struct wbl_bytes cells)
{
	struct data_key k;

	wbl_digest_128(cells.data, cells.len, 0, &k.lo, &k.hi);
	return k;
}

struct data_key data_digest_of_key(struct wbl_bytes key)
{
	struct data_key k;

	wbl_digest_128(key.data, key.len, WBL_KEY_SEED, &k.lo, &k.hi);
	return k;
}

static size_t place(const struct data_finder *f, const char *name)
{
	size_t i = 0;

	while (i < f->nwhole && strcasecmp(f->whole[i], name) != 0)
		i++;
	return i;
}

static int same_names(const struct data_finder *f, const char *const *columns)
{
	size_t n = 0;

	while (columns && columns[n] && n < f->nwhole && !strcmp(columns[n], f->whole[n]))
		n++;
	return n == f->nwhole && columns && !columns[n];
}

int32_t data_finder_names(struct data_finder *f, const char *const *columns)
{
	const struct data_shape *s = &f->shape;
	size_t n = 0;

	if (f->whole)
		return same_names(f, columns)
			       ? WBL_OK
			       : wbl_error_report(f->call, WBL_E_STALE, s->set,
					 "Bring the table back into its form, then go on.",
					 "table \"%s\" of the target has other columns than before",
					 s->set);
	while (columns && columns[n])
		n++;
	f->whole = wbl_sdk_alloc((n + 1) * sizeof *f->whole);
	f->at = wbl_sdk_alloc((s->nmapped + 1) * sizeof *f->at);
	for (f->nwhole = 0; f->nwhole < n; f->nwhole++)
		f->whole[f->nwhole] = wbl_sdk_strdup(columns[f->nwhole]);
	f->markat = s->mark ? place(f, s->mark) : n;
	for (size_t i = 0; i < s->nmapped; i++)
		if ((f->at[i] = place(f, s->mapped[i])) == n)
			return wbl_error_report(f->call, WBL_E_STALE, s->set, "Plan again.",
				"table \"%s\" of the target has no column \"%s\" any more", s->set,
				s->mapped[i]);
	if (s->mark && f->markat == n)
		return wbl_error_report(f->call, WBL_E_STALE, s->set, "Plan again.",
			"table \"%s\" of the target has no column \"%s\"", s->set, s->mark);
	return WBL_OK;
}

static int cells_of(struct wbl_bytes raw, struct wbl_cell *to, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (wbl_cell_next(&raw, &to[i]) != 1)
			return -1;
	return 0;
}

/* The digests of one row that was found. */
static void take_digests(struct data_finder *f, const struct wbl_cell *all, struct data_row *r)
{
	const struct data_shape *s = &f->shape;
	size_t *starts = wbl_sdk_alloc((s->nmapped + 1) * sizeof *starts);

	wbl_rows_reset(&f->cells);
	wbl_row_begin(&f->cells, WBL_ROW_PUT);
	for (size_t i = 0; i < s->nmapped; i++) {
		starts[i] = f->cells.len;
		data_back_cell(&f->cells, &all[f->at[i]], &s->cols[i]);
	}
	starts[s->nmapped] = f->cells.len;
	r->digest = data_digest_of(
		(struct wbl_bytes){ f->cells.data + starts[0], starts[s->nmapped] - starts[0] });
	wbl_rows_reset(&f->key);
	for (size_t k = 0; k < s->nkey; k++)
		wbl_cell_copy(&f->key, f->cells.data + starts[s->keyat[k]],
			starts[s->keyat[k] + 1] - starts[s->keyat[k]]);
	r->key = data_digest_of_key((struct wbl_bytes){ f->key.data, f->key.len });
	r->marked = s->mark && all[f->markat].tag != WBL_CELL_NULL;
	free(starts);
}

static int32_t take_row(struct data_finder *f, const struct wbl_row *row)
{
	struct wbl_cell *all = wbl_sdk_alloc((f->nwhole + 1) * sizeof *all);
	struct data_row *r;
	int32_t rc = WBL_OK;

	if (f->found.n == f->found.cap) {
		f->found.cap = f->found.cap * 2 + 256;
		f->found.rows = wbl_sdk_grow(f->found.rows, f->found.cap * sizeof *f->found.rows);
	}
	r = &f->found.rows[f->found.n];
	*r = (struct data_row){ .at = f->found.raw.len, .len = (uint32_t)row->cells.len };
	if (cells_of(row->cells, all, f->nwhole)) {
		rc = wbl_error_report(f->call, WBL_E_ABI, f->shape.set, NULL,
			"the store gave a row that cannot be read");
	} else {
		take_digests(f, all, r);
		wbl_cell_copy(&f->found.raw, row->cells.data, row->cells.len);
		f->found.n++;
	}
	free(all);
	return rc;
}

static int by_key(const void *a, const void *b)
{
	const struct data_row *x = a, *y = b;

	if (x->key.hi != y->key.hi)
		return x->key.hi < y->key.hi ? -1 : 1;
	return x->key.lo < y->key.lo ? -1 : x->key.lo > y->key.lo;
}

const struct data_row *data_found_row(const struct data_finder *f, struct data_key key)
{
	struct data_row want = { .key = key };

	if (!f->found.n)
		return NULL;
	return bsearch(&want, f->found.rows, f->found.n, sizeof want, by_key);
}

static int32_t fetch(struct data_finder *f, const struct wbl_rows *keys)
{
	struct wbl_batch batch, got = { .size = sizeof got };
	struct wbl_row row;
	void *cursor = NULL;
	uint64_t at;
	int32_t rc;

	f->found.n = 0;
	wbl_rows_reset(&f->found.raw);
	wbl_rows_batch(keys, f->shape.set, f->shape.key, &batch);
	rc = f->store->fetch(f->self, f->call, &batch, &cursor);
	while (!rc && !(rc = f->store->read(cursor, f->call, &got))) {
		rc = data_finder_names(f, got.columns);
		for (at = 0; !rc && wbl_batch_next(&got, &at, &row) == 1;)
			rc = take_row(f, &row);
	}
	f->store->scan_end(cursor);
	if (f->found.n)
		qsort(f->found.rows, f->found.n, sizeof *f->found.rows, by_key);
	return rc == WBL_END ? WBL_OK : rc;
}

/* Which of the keys found a row that has another: a collation took them for one. */
static int32_t find_strange(struct data_finder *f, const struct wbl_rows *keys, int64_t *ret)
{
	struct wbl_rows one = { 0 };
	struct wbl_batch all;
	struct wbl_row row;
	uint64_t at = 0;
	int64_t n = 0;
	int32_t rc = WBL_OK;

	wbl_rows_batch(keys, NULL, NULL, &all);
	for (*ret = -1; !rc && *ret < 0 && wbl_batch_next(&all, &at, &row) == 1; n++) {
		wbl_rows_reset(&one);
		wbl_row_begin(&one, WBL_ROW_DELETE);
		wbl_cell_copy(&one, row.cells.data, row.cells.len);
		wbl_row_end(&one);
		rc = fetch(f, &one);
		if (!rc && f->found.n && !data_found_row(f, data_digest_of_key(row.cells)))
			*ret = n;
	}
	wbl_rows_clear(&one);
	return rc;
}

int32_t data_find(struct data_finder *f, const struct wbl_rows *keys, int64_t *ret_strange)
{
	struct wbl_batch all;
	struct wbl_row row;
	uint64_t at = 0;
	size_t matched = 0;
	int32_t rc = WBL_OK;

	*ret_strange = -1;
	f->found.n = 0;
	if (!keys->rows)
		return WBL_OK;
	rc = fetch(f, keys);
	if (rc || !f->found.n)
		return rc;
	wbl_rows_batch(keys, NULL, NULL, &all);
	while (wbl_batch_next(&all, &at, &row) == 1)
		matched += data_found_row(f, data_digest_of_key(row.cells)) != NULL;
	return matched >= f->found.n ? WBL_OK : find_strange(f, keys, ret_strange);
}

void data_pick(struct data_finder *f, struct wbl_bytes raw, struct wbl_rows *to)
{
	struct wbl_cell *all = wbl_sdk_alloc((f->nwhole + 1) * sizeof *all);

	if (!cells_of(raw, all, f->nwhole))
		for (size_t i = 0; i < f->shape.nmapped; i++)
			wbl_cell_copy(to, all[f->at[i]].at, all[f->at[i]].whole);
	free(all);
}

static size_t mapped_at(const struct data_finder *f, size_t whole)
{
	size_t i = 0;

	while (i < f->shape.nmapped && f->at[i] != whole)
		i++;
	return i;
}

void data_splice(struct data_finder *f, struct wbl_bytes raw, const struct wbl_bytes *mapped,
	int mark, const char *mark_value, struct wbl_rows *to, int kind)
{
	size_t n = f->shape.nmapped, m;
	struct wbl_cell *all = wbl_sdk_alloc((f->nwhole + n + 1) * sizeof *all),
			*new = all + f->nwhole;

	wbl_row_begin(to, kind);
	if (!cells_of(raw, all, f->nwhole) && (!mapped || !cells_of(*mapped, new, n)))
		for (size_t i = 0; i < f->nwhole; i++) {
			m = mapped ? mapped_at(f, i) : n;
			if (m < n)
				wbl_cell_copy(to, new[m].at, new[m].whole);
			else if (i != f->markat || mark < 0)
				wbl_cell_copy(to, all[i].at, all[i].whole);
			else if (mark)
				wbl_cell_text(to, mark_value, strlen(mark_value));
			else
				wbl_cell_null(to);
		}
	wbl_row_end(to);
	free(all);
}

void data_restore(
	struct data_finder *f, struct wbl_bytes now, struct wbl_bytes old, struct wbl_rows *to)
{
	struct wbl_cell *all = wbl_sdk_alloc((f->nwhole * 2 + 1) * sizeof *all),
			*was = all + f->nwhole;

	wbl_row_begin(to, WBL_ROW_PUT);
	if (!cells_of(now, all, f->nwhole) && !cells_of(old, was, f->nwhole))
		for (size_t i = 0; i < f->nwhole; i++) {
			const struct wbl_cell *c =
				i == f->markat || mapped_at(f, i) < f->shape.nmapped ? &was[i]
										     : &all[i];

			wbl_cell_copy(to, c->at, c->whole);
		}
	wbl_row_end(to);
	free(all);
}
