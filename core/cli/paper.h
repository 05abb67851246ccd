/* cli/paper.h - text for people: neutralised, tinted, wrapped, in tables.
 * Whatever is written to a paper goes through one gate: control characters, escape sequences, line
 * breaks and marks that turn the direction of writing are made visible, so that nothing which a
 * handler or a data set says can move the cursor or look like a line of ours. Tints and line
 * breaks are calls of their own.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef WBL_CORE_CLI_PAPER_H
#define WBL_CORE_CLI_PAPER_H
#include "core/base/util.h"

enum wbl_tint {
	WBL_TINT_NONE,
	WBL_TINT_BOLD,
	WBL_TINT_DIM,
	WBL_TINT_RED,
	WBL_TINT_GREEN,
	WBL_TINT_YELLOW
};

struct wbl_paper {
	struct wbl_buf buf;
	bool colour, utf8; /* utf8: the terminal shows more than ASCII; texts are UTF-8 anyway */
	int width;         /* columns to fill; at least 40 */
	int64_t now;       /* real time in ns, for "in 3 h" */
};

/* Appends `s` to `b`, made harmless. Bytes that are not UTF-8 become \xNN. */
void wbl_text_safe(struct wbl_buf *b, const char *s);
/* Appends JSON text; the same characters become \uNNNN escapes, which a parser reads back
 * unchanged. */
void wbl_text_safe_json(struct wbl_buf *b, const char *json);
int wbl_text_width(const char *s); /* columns of a harmless text */
size_t wbl_text_fit(
	const char *s, int room); /* bytes of a harmless text that fit into room columns */

void wbl_paper_clear(struct wbl_paper *p);
void wbl_paper_tint(struct wbl_paper *p, enum wbl_tint tint);
void wbl_paper_add(struct wbl_paper *p, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void wbl_paper_line(struct wbl_paper *p, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
void wbl_paper_end(struct wbl_paper *p);                     /* a line break */
void wbl_paper_head(struct wbl_paper *p, const char *title); /* an empty line and a bold one */
/* Words, wrapped: each line after `indent` blanks. Line breaks in the text are kept. */
void wbl_paper_wrap(struct wbl_paper *p, int indent, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* What a program printed: its last `lines` lines, each behind "| ", cut to the width. */
void wbl_paper_output(struct wbl_paper *p, int indent, const char *text, int lines);

/* A table. `columns`: one letter a column, l or r; the one in capitals takes what room is left and
 * wraps. */
struct wbl_table;
struct wbl_table *wbl_table_new(const char *columns);
void wbl_table_cell(struct wbl_table *t, enum wbl_tint tint, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* Writes the table, each line after `indent` blanks, and frees it. Columns that are empty are left
 * out. */
void wbl_table_print(struct wbl_table *t, struct wbl_paper *p, int indent);
#endif
