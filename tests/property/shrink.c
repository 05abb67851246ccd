/* property/shrink.c - a failure is made small: fewer tables, rows, columns, and NULL for values, as long as it still fails.
 * In: tables with which a walk went wrong.  Out: the least that was found, with the specs beside it.
 * SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <stdlib.h>
#include <string.h>

#include "property.h"

enum { TRIALS = 120 };

struct shrinking {
	const struct walk *walk;
	const char *dir;
	int last, trials;
};

static bool fails(struct shrinking *s, const struct table *const *t, size_t n)
{
	int hop, table;
	char *why;
	size_t i, k;

	/* Files of lines have columns by their rows only. */
	for (i = 0; i < n; i++) {
		for (k = 0; k < t[i]->nrows && row_refused(t[i], t[i]->rows[k]);)
			k++;
		if (k == t[i]->nrows)
			return false;
	}
	if (s->trials++ >= TRIALS)
		return false;
	why = walk_go(s->walk, t, n, s->dir, s->last, &hop, &table);
	free(why);
	return why != NULL;
}

/* One that fails alone, by halves; n when none does. */
static size_t guilty(struct shrinking *s, const struct table *const *t, size_t n)
{
	size_t from = 0, len = n;

	while (len > 1) {
		size_t half = len / 2;

		if (fails(s, t + from, half)) {
			len = half;
		} else if (fails(s, t + from + half, len - half)) {
			from += half;
			len -= half;
		} else {
			return n;
		}
	}
	return from;
}

static void fewer_rows(struct shrinking *s, struct table *t)
{
	size_t part, from;

	for (part = (t->nrows + 1) / 2; part; part = part > 1 ? (part + 1) / 2 : 0)
		for (from = 0; from < t->nrows && t->nrows > 1;) {
			struct table less = *t;
			size_t n = from + part > t->nrows ? t->nrows - from : part;

			if (n == t->nrows)
				break;
			less.rows = draw_alloc(t->nrows * sizeof *less.rows);
			memcpy(less.rows, t->rows, from * sizeof *less.rows);
			memcpy(less.rows + from, t->rows + from + n,
				(t->nrows - from - n) * sizeof *less.rows);
			less.nrows = t->nrows - n;
			if (fails(s, (const struct table *[]){ &less }, 1))
				*t = less;
			else
				from += n;
		}
}

static void fewer_columns(struct shrinking *s, struct table *t)
{
	int i;

	for (i = t->ncols; i-- > t->nkeys && t->ncols > 1;) {
		struct table less = *t;
		size_t k;

		less.rows = draw_alloc(t->nrows * sizeof *less.rows);
		for (k = 0; k < t->nrows; k++) {
			less.rows[k] = draw_alloc(MAX_COLUMNS * sizeof **less.rows);
			memcpy(less.rows[k], t->rows[k], MAX_COLUMNS * sizeof **less.rows);
			memmove(&less.rows[k][i], &less.rows[k][i + 1],
				(size_t)(t->ncols - i - 1) * sizeof **less.rows);
		}
		memmove(&less.cols[i], &less.cols[i + 1],
			(size_t)(t->ncols - i - 1) * sizeof *less.cols);
		less.ncols--;
		if (fails(s, (const struct table *[]){ &less }, 1))
			*t = less;
	}
}

static void simpler_values(struct shrinking *s, struct table *t)
{
	size_t k;
	int i;

	for (k = 0; k < t->nrows; k++)
		for (i = t->nkeys; i < t->ncols; i++) {
			struct cell was = t->rows[k][i];

			if (cell_simplify(&t->rows[k][i]) &&
				!fails(s, (const struct table *const[]){ t }, 1))
				t->rows[k][i] = was;
		}
}

void shrink(const struct walk *w, struct table *t, size_t n, const char *dir, int hop, int table)
{
	struct shrinking s = { .walk = w, .dir = dir, .last = hop + 1 };
	const struct table **list = wbl_alloc(n * sizeof *list);
	char *why = NULL;
	size_t one = n, i;

	for (i = 0; i < n; i++)
		list[i] = &t[i];
	if (table >= 0 && fails(&s, list + table, 1))
		one = (size_t)table;
	if (one == n)
		one = guilty(&s, list, n);
	if (one < n) {
		struct table least = t[one];

		fewer_rows(&s, &least);
		fewer_columns(&s, &least);
		simpler_values(&s, &least);
		table_print(stdout, &least);
		why = walk_go(w, (const struct table *[]){ &least }, 1, dir, s.last, &hop, &table);
	}
	printf("# after %d trials: %s\n", s.trials, why ? why : "fails with all tables only");
	if (one == n)
		free(walk_go(w, list, n, dir, s.last, &hop, &table));
	printf("# kept, with the specs: %s\n", dir);
	free(why);
	free(list);
}
