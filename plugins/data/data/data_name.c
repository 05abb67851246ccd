/* data_name.c - rows that differ, named by key and column with both values.
 * In: the rows of one key.  Out: a difference for each row that is missing or too many, and for each column that is changed.
 * SPDX-License-Identifier: Apache-2.0 */
#include "data_verify.h"

#include <string.h>

static void tell(struct data_namer *n, int32_t kind, const struct data_bad *bad,
	const struct data_bad_row *row, const char *field, const char *expected, const char *found)
{
	const struct wbl_check_service *check = wbl_service(n->call, "wbl.check/1");
	struct data_ref ref = { .version = 1, .key = bad->key, .seen = n->seen };
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

	data_key_json(n->table, row->cells, &key);
	d.key = key.s;
	if (check && check->difference(n->call, &d) == WBL_END)
		n->enough = 1;
	else
		n->told++;
	wbl_out_clear(&key);
}

static void tell_changed(struct data_namer *n, const struct data_bad *bad,
	const struct data_bad_row *want, const struct data_bad_row *have)
{
	struct wbl_bytes a = want->cells, b = have->cells;
	struct wbl_out x = { 0 }, y = { 0 };
	struct wbl_cell p, q;

	for (size_t i = 0; i < n->table->ncols && !n->enough; i++) {
		if (wbl_cell_next(&a, &p) != 1 || wbl_cell_next(&b, &q) != 1)
			break;
		if (p.whole == q.whole && !memcmp(p.at, q.at, p.whole))
			continue;
		data_show_pair(&p, &q, &x, &y);
		tell(n, WBL_DIFF_CHANGED, bad, want, n->table->cols[i].name, x.s, y.s);
	}
	wbl_out_clear(&x);
	wbl_out_clear(&y);
}

/* The next row of which this side has more; *left counts how often it is still to be told. */
static const struct data_bad_row *next_row(
	const struct data_bad *bad, int target, size_t *at, int64_t *left)
{
	for (; *at < bad->nrows; ++*at, *left = 0) {
		int64_t more = target ? -bad->rows[*at].more : bad->rows[*at].more;

		if (more <= 0)
			continue;
		if (!*left)
			*left = more + 1;
		if (--*left > 0)
			return &bad->rows[*at];
	}
	return NULL;
}

/* Rows of one key on both sides are the same row, changed; what is left over is missing or too many. */
void data_name_key(struct data_namer *n, const struct data_bad *bad)
{
	size_t want_at = 0, have_at = 0;
	int64_t want_left = 0, have_left = 0;

	for (uint64_t i = 0; i < bad->n.changed && !n->enough; i++) {
		const struct data_bad_row *want = next_row(bad, 0, &want_at, &want_left),
					  *have = next_row(bad, 1, &have_at, &have_left);

		tell_changed(n, bad, want, have);
	}
	for (uint64_t i = 0; i < bad->n.missing && !n->enough; i++)
		tell(n, WBL_DIFF_MISSING, bad, next_row(bad, 0, &want_at, &want_left), NULL,
			"this row", "none");
	for (uint64_t i = 0; i < bad->n.extra && !n->enough; i++)
		tell(n, WBL_DIFF_EXTRA, bad, next_row(bad, 1, &have_at, &have_left), NULL,
			"no such row", "one more");
}
