/* type_table.h - the table of types in a store's page, read row by row, so that a test can hold each row against the store.
 * In: a page (path below the source tree) and the head line of a table in it, for most stores TYPE_TABLE_HEAD.  Out: its rows, cells
 * without blanks at the ends and without one pair of backticks; `\|` is a bar.  A cell that is read is told by type_table_show.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef WBL_TEST_TYPE_TABLE_H
#define WBL_TEST_TYPE_TABLE_H
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <whimbrel/sdk.h>

/* written: as the system itself writes the value (an SQL literal, a field, a JSON text). column: what it stands in (declared type, type of
 * the mapping). read as: the canonical cell. written back: what a writer of the store makes of this cell. */
#define TYPE_TABLE_HEAD "| written | column | read as | written back |"

enum { TYPE_TABLE_CELLS = 8, TYPE_TABLE_TEXT = 256 };
struct type_table_row {
	char cell[TYPE_TABLE_CELLS][TYPE_TABLE_TEXT];
	int cells, line;
};

/* 0 when the line is no row of a table. */
static inline int type_table_split(const char *line, struct type_table_row *ret)
{
	const char *p = line + (*line == '|');
	size_t n = 0;

	memset(ret->cell, 0, sizeof ret->cell);
	ret->cells = 0;
	if (*line != '|')
		return 0;
	for (; *p && *p != '\n' && ret->cells < TYPE_TABLE_CELLS; p++) {
		char *to = ret->cell[ret->cells];

		if (*p != '|') {
			p += *p == '\\' && p[1] == '|';
			if ((n || *p != ' ') && n < TYPE_TABLE_TEXT - 1)
				to[n++] = *p;
			continue;
		}
		while (n && to[n - 1] == ' ')
			to[--n] = 0;
		if (n > 1 && to[0] == '`' && to[n - 1] == '`') {
			memmove(to, to + 1, n - 2);
			to[n - 2] = 0;
		}
		ret->cells++;
		n = 0;
	}
	return ret->cells > 0;
}

/* Calls `each` with every row; the number of rows, or -1 when there is no such page or table in it. */
static inline int type_table_read(const char *page, const char *head,
	void (*each)(void *arg, const struct type_table_row *row), void *arg)
{
	const char *src = getenv("WBL_SRC");
	char path[512], line[4096];
	struct type_table_row row = { 0 };
	int inside = 0, n = -1;
	FILE *f;

	snprintf(path, sizeof path, "%s/%s", src ? src : ".", page);
	f = fopen(path, "r");
	while (f && fgets(line, sizeof line, f)) {
		row.line++;
		if (!inside && !strncmp(line, head, strlen(head))) {
			inside = 1;
			n = 0;
		} else if (inside && !type_table_split(line, &row)) {
			break;
		} else if (inside && inside++ > 1) { /* 1: the line of dashes */
			each(arg, &row);
			n++;
		}
	}
	if (f)
		fclose(f);
	return n;
}

/* "int 5", "text abc", "bytes x'00ff'", "NULL". */
static inline void type_table_show(const struct wbl_cell *c, char out[TYPE_TABLE_TEXT])
{
	static const struct {
		char tag;
		const char *name;
	} names[] = { { 'I', "int " }, { 'D', "decimal " }, { 'F', "real " }, { 'f', "real32 " },
		{ 'T', "text " }, { 't', "raw " }, { 'B', "bytes " }, { 'S', "instant " },
		{ 'L', "local " }, { 'd', "date " }, { 'U', "uuid " }, { 'A', "list " },
		{ 'J', "json " } };
	struct wbl_out text = { 0 };
	const char *name = "";

	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if (names[i].tag == c->tag)
			name = names[i].name;
	wbl_out_add(&text, "", 0);
	wbl_cell_show(&text, c);
	snprintf(out, TYPE_TABLE_TEXT, "%s%s", name, text.s);
	wbl_out_clear(&text);
}
#endif
