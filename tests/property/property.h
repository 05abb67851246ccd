/* property/property.h - tables that are drawn, walked through stores, judged and made smaller.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef PROPERTY_H
#define PROPERTY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <sqlite3.h>

#include "core/base/util.h"

enum { MAX_COLUMNS = 12, NO_CSV = 1, NO_JSONL = 2, HOPS = 9 };

/* The mapping's types, in the order of their names in cell.c. */
enum {
	T_ANY,
	T_INT,
	T_DECIMAL,
	T_REAL,
	T_REAL32,
	T_TEXT,
	T_BYTES,
	T_BOOL,
	T_INSTANT,
	T_LOCAL,
	T_DATE,
	T_UUID,
	T_JSON,
	TYPES
};

/* As SQLite has it: class is SQLITE_INTEGER ... SQLITE_NULL. */
struct value {
	int class;
	int64_t i;
	double r;
	char *s;
	size_t n;
};

/* What stands in the source, what must stand at the end, and which stores must refuse it. */
struct cell {
	struct value has, want;
	unsigned no;
};

struct column {
	const char *name;
	int type;
	const char *declared;
};

struct table {
	char name[32];
	int id, ncols, nkeys; /* the first nkeys columns are the key */
	struct column cols[MAX_COLUMNS];
	bool without_rowid;
	size_t nrows;
	struct cell **rows;
};

struct draw {
	uint64_t state;
};

/* How a batch goes: nine moves between the stores, and how the files are written. */
struct walk {
	const char *order; /* "SSCCJJSJCS" */
	const char *separator, *quote, *escape, *null, *bytes, *quoting, *line_end, *encoding,
		*jsonl_encoding, *packed, *jsonl_packed;
	bool nonfinite;
	int chunk_rows, processes;
};

/* All that is drawn lives until it is forgotten, at the end of a batch. */
void *draw_alloc(size_t n); /* zeroed */
void draw_forget(void);
uint64_t draw_next(struct draw *d);
size_t draw_below(struct draw *d, size_t n);
void cell_draw(struct draw *d, int type, bool key, struct cell *ret);
void cell_null(struct cell *ret);
/* NULL, the simplest; false when it is that already. */
bool cell_simplify(struct cell *c);
const char *type_name(int type);
/* What makes a key's value another one than all others. */
void cell_identity(const struct cell *c, int type, struct wbl_buf *b);

/* loose: are there columns of type any? */
void table_draw(struct draw *d, int id, bool loose, struct table *ret);
void table_write(sqlite3 *db, const struct table *t);
void table_print(FILE *f, const struct table *t);
unsigned row_refused(const struct table *t, const struct cell *row);
/* NULL when `db` has these rows, as they are wanted; else what differs, to be freed. */
char *table_judge(const struct table *t, sqlite3 *db);

void walk_draw(struct draw *d, int batch, struct walk *ret);
/* NULL when all is well; else what is wrong, to be freed, with the hop and the table (or -1) where it was seen. */
char *walk_go(const struct walk *w, const struct table *const *t, size_t n, const char *dir,
	int last, int *ret_hop, int *ret_table);

/* As its own test, the second; not 0 when something was wrong. */
int mappings(const char *dir, uint64_t seed, long count);

/* Ends the engine of that folder. */
void walk_end(const char *dir);

/* Makes the tables fewer and smaller as long as the walk goes wrong; prints what is left. */
void shrink(const struct walk *w, struct table *t, size_t n, const char *dir, int hop, int table);

#endif
