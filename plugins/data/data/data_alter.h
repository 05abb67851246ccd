/* data_alter.h - what becomes of a column's value beyond a cast: computed, generated, looked up, mapped, dated, masked.
 * Read from the options by data_alter.c, carried out for each row by data_cell.c.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef WBL_DATA_ALTER_H
#define WBL_DATA_ALTER_H
#include "data_expr.h"
#include "data_impl.h"
#include "data_when.h"

enum data_otherwise { OTHERWISE_REJECT, OTHERWISE_NULL, OTHERWISE_KEEP, OTHERWISE_VALUE };
enum data_generate { GENERATE_NONE, GENERATE_SEQUENCE, GENERATE_UUID, GENERATE_HASH };
enum data_mask {
	MASK_NONE,
	MASK_NULL,
	MASK_FIXED,
	MASK_HASH,
	MASK_PARTIAL,
	MASK_EMAIL,
	MASK_SHIFT
};
enum { MASK_KEY = 32 };

/* An expression and where its columns stand in the scan. */
struct data_formula {
	struct data_expr *expr;
	int *at;
};
struct data_pair {
	char *from;
	struct wbl_rows to; /* one cell */
};
struct data_alter {
	const struct wbl_node *spec;
	struct data_formula compute;
	enum data_generate generate;
	int64_t start, step;
	uint8_t space[16]; /* namespace of UUIDs */
	int *of;           /* places in the scan of what is hashed */
	size_t nof;
	const char **formats; /* of the options */
	size_t nformats;
	int show; /* the format is that of the result */
	const struct data_zone *zone;
	enum data_change change;
	struct data_pair *pairs; /* sorted */
	size_t npairs;
	enum data_otherwise otherwise, missing;
	struct wbl_rows other, none; /* cells; len 0: none */
	char *lookup;                /* its place in the options; NULL: none */
	int veiled_lookup;
	struct wbl_rows fallback;
	enum data_mask mask;
	int64_t keep, days;
	char *mask_path;
	struct wbl_rows fixed;
	int by; /* place in the scan; -1: the value itself */
};
/* The expressions of a table and what they stand on. */
struct data_filters {
	struct data_names names;
	const char **list;
	int32_t *types;
	struct data_formula own;     /* no expr: all rows */
	struct data_formula *others; /* of the entries with the same source */
	size_t nothers;
	enum { REST_UNSEEN, REST_DROP, REST_REJECT } rest;
};

/* ---- reading ---- */

/* The names of the source's columns, for expressions: made once for a table. */
const struct data_names *data_table_names(struct data_table *t);
/* Properties of a column beyond those of data_map.c; c->from, c->type and others are set. PARAM names the place. */
int32_t data_alter_read(struct data_ends *e, struct data_table *t, size_t column,
	const struct wbl_node *spec, const char *path);
/* How many columns of the source may be asked for beyond the mapped ones, and then which. */
size_t data_alter_room(const struct data_table *t);
/* Is its value made here, and not read? */
int data_alter_makes(const struct data_column *c);
int32_t data_alter_ask(struct data_ends *e, struct data_table *t, const char *path);
/* All of a table. */
void data_alter_free(struct data_table *t);
/* filter and rest of a table. */
int32_t data_filter_read(
	struct data_ends *e, struct data_table *t, const struct wbl_node *spec, const char *path);
/* One line for people: what each column becomes. */
void data_alter_tell(const struct data_table *t, struct wbl_out *o);
/* Observations (digests of looked-up tables, zones, the mapping itself) and what is masked, for the plan. */
int32_t data_alter_plan(struct data_ends *e, struct data_table *t);

/* ---- rows ---- */

struct data_state;
/* What the rows need: statements, looked-up tables, keys of masks. */
int32_t data_state_begin(struct data_flow *f);
void data_state_free(struct data_state *s);
/* 1: the row is taken; 0: it is not; -1: refused, and why; below that a status. */
int32_t data_state_takes(struct data_flow *f, const char **why);
/* Appends the cell of this column to f->out. 0; 1 refused, and why; below 0 a status. */
int32_t data_state_cell(struct data_flow *f, size_t column, int64_t position, const char **why);
/* What the column is made from, before it is altered, for a message. 0: there is none. */
int data_state_value(struct data_flow *f, size_t column, int64_t position, struct wbl_cell *ret);

/* ---- parts of it ---- */

void data_key_of_value(
	const struct wbl_cell *c, struct wbl_out *o); /* as the tables of look-ups know it */
void data_sha1(const void *data, size_t len, uint8_t out[20]);
int data_uuid_read(const char *s, uint8_t out[16]);
/* 0, or -1 and why. NULL among the columns: refused. */
int data_generate_cell(const struct data_table *t, const struct data_alter *a,
	const struct wbl_cell *cells, int64_t position, struct wbl_rows *r, const char **why);
int32_t data_mask_key(struct wbl_call *call, const char *path, uint8_t key[MASK_KEY]);
/* The cell is of the column's type, and not NULL. */
int data_mask_cell(const struct data_alter *a, int32_t type, const uint8_t key[MASK_KEY],
	const struct wbl_cell *in, const struct wbl_cell *cells, struct wbl_rows *r,
	const char **why);

struct data_lookup;
int32_t data_lookup_open(
	struct data_ends *e, const char *path, int veiled, struct data_lookup **ret);
void data_lookup_close(struct data_lookup *l);
/* The value is appended: 0; END: there is no such key. */
int32_t data_lookup_get(struct data_lookup *l, const struct wbl_cell *key, struct wbl_rows *r);
const char *data_lookup_digest(const struct data_lookup *l);
/* Adds what the stores say of themselves that are looked up in, other than the source. */
int32_t data_lookups_identify(struct data_ends *e, struct wbl_out *o);
/* Are table and columns there? */
int32_t data_lookup_check(struct data_ends *e, const char *path);
#endif
