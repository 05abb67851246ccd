/* cli/table.c - columns as wide as they must be, one of them wrapped.
 * In: cells, row by row.  Out: aligned lines on a paper.
 * SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "core/cli/paper.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_COLUMNS = 12, LEAST_WRAP = 16, WIDEST = 64 };

struct cell {
	char *text; /* harmless */
	enum wbl_tint tint;
};

struct wbl_table {
	char columns[MAX_COLUMNS + 1];
	size_t ncolumns, ncells;
	struct cell *cells;
	int width[MAX_COLUMNS];
};

struct wbl_table *wbl_table_new(const char *columns)
{
	struct wbl_table *t = wbl_alloc(sizeof *t);

	snprintf(t->columns, sizeof t->columns, "%s", columns);
	t->ncolumns = strlen(t->columns);
	return t;
}

void wbl_table_cell(struct wbl_table *t, enum wbl_tint tint, const char *fmt, ...)
{
	WBL_AUTOFREE char *text = NULL;
	struct wbl_buf safe = { 0 };
	size_t column = t->ncells % t->ncolumns;
	int w;
	va_list ap;

	va_start(ap, fmt);
	if (vasprintf(&text, fmt, ap) < 0)
		abort();
	va_end(ap);
	wbl_text_safe(&safe, text);
	t->cells = wbl_grow(t->cells, t->ncells, sizeof *t->cells);
	t->cells[t->ncells++] = (struct cell){ wbl_buf_take(&safe), tint };
	w = wbl_text_width(t->cells[t->ncells - 1].text);
	if (w > WIDEST && islower((unsigned char)t->columns[column])) {
		char *s = t->cells[t->ncells - 1].text;

		s[wbl_text_fit(s, WIDEST)] = '\0';
		w = WIDEST;
	}
	if (w > t->width[column])
		t->width[column] = w;
}

/* The wrapped column gets what the others leave. */
static void fit(struct wbl_table *t, int room)
{
	int used = 0, flex = -1;
	size_t i;

	for (i = 0; i < t->ncolumns; i++) {
		if (isupper((unsigned char)t->columns[i]))
			flex = (int)i;
		else
			used += t->width[i];
		if (t->width[i])
			used += 2;
	}
	if (flex < 0)
		return;
	if (room - used + 2 < LEAST_WRAP)
		used = room + 2 - LEAST_WRAP;
	if (t->width[flex] > room - used + 2)
		t->width[flex] = room - used + 2;
}

/* How many bytes of s go on a line of `room` columns: whole words where there are any. */
static size_t take(const char *s, int room)
{
	size_t n = wbl_text_fit(s, room), i;

	if (!s[n])
		return n;
	for (i = n; i > 0; i--)
		if (s[i] == ' ')
			return i;
	return n ? n : 1;
}

static void pad(struct wbl_paper *p, int n)
{
	wbl_buf_addf(&p->buf, "%*s", n > 0 ? n : 0, "");
}

/* One line of a row; rest[i] moves on. Returns whether anything is left for another line. */
static bool print_line(
	const struct wbl_table *t, const struct cell *row, const char **rest, struct wbl_paper *p)
{
	bool more = false;
	int gap = 0;
	size_t i;

	for (i = 0; i < t->ncolumns; i++) {
		size_t n = take(rest[i], t->width[i]);
		WBL_AUTOFREE char *text = wbl_strndup(rest[i], n);
		int w = wbl_text_width(text);
		bool right = tolower((unsigned char)t->columns[i]) == 'r';

		if (!t->width[i])
			continue;
		gap += right ? t->width[i] - w : 0;
		if (n) {
			pad(p, gap);
			gap = 0;
			if (row[i].tint)
				wbl_paper_tint(p, row[i].tint);
			wbl_buf_adds(&p->buf, text);
			if (row[i].tint)
				wbl_paper_tint(p, WBL_TINT_NONE);
		}
		gap += 2 + (right ? 0 : t->width[i] - w);
		rest[i] += n;
		while (*rest[i] == ' ')
			rest[i]++;
		more |= *rest[i] != '\0';
	}
	wbl_paper_end(p);
	return more;
}

void wbl_table_print(struct wbl_table *t, struct wbl_paper *p, int indent)
{
	const char *rest[MAX_COLUMNS];
	size_t r, i;

	fit(t, p->width - indent);
	for (r = 0; r + t->ncolumns <= t->ncells; r += t->ncolumns) {
		for (i = 0; i < t->ncolumns; i++)
			rest[i] = t->cells[r + i].text;
		do
			pad(p, indent);
		while (print_line(t, t->cells + r, rest, p));
	}
	for (i = 0; i < t->ncells; i++)
		free(t->cells[i].text);
	free(t->cells);
	free(t);
}
