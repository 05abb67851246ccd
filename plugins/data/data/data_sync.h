/* data_sync.h - rows into tables that hold rows already: found by key, merged, kept for the way back, brought into step again and again.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef WBL_DATA_SYNC_H
#define WBL_DATA_SYNC_H
#include "data_verify.h"

/* manner.mode, by, deletes, conflicts, others: in the order of the texts in data_modes.c */
enum { DATA_MODE_REFUSE, DATA_MODE_EMPTY, DATA_MODE_APPEND, DATA_MODE_MERGE };
enum { DATA_BY_NONE, DATA_BY_COLUMN, DATA_BY_DIGEST };
enum { DATA_DELETES_KEEP, DATA_DELETES_APPLY, DATA_DELETES_MARK };
enum { DATA_CONFLICTS_NONE, DATA_CONFLICTS_SOURCE, DATA_CONFLICTS_TARGET, DATA_CONFLICTS_MANUAL };
enum { DATA_OTHERS_AUTO, DATA_OTHERS_DIGEST, DATA_OTHERS_NONE };

struct data_counted { /* stands in receipts: append, never change */
	uint64_t added, changed, removed, same, conflicts, held;
};

/* ---- data_modes.c ---- */

/* Fills t->manner from the table's entry and the options. PARAM names the place. */
int32_t data_manner_read(struct data_ends *e, struct data_map *m, struct data_table *t,
	const struct wbl_node *spec, const char *path);
/* Do rows go between others (steps "look" and "merge"), not into a new or empty table? */
int data_merges(const struct data_table *t);
int data_keeps_ledger(const struct data_table *t);
char *data_ledger_name(const struct data_table *t); /* free it */
/* At plan: can the target do it? */
int32_t data_merge_check(struct data_ends *e, const struct data_table *t);
/* Plans the look and the merge. merge: all but op, params, title; its after becomes that of the look. */
int32_t data_merge_steps(struct data_ends *e, struct data_map *m, const struct data_table *t,
	struct wbl_step *merge);
/* Parameters of the step "verify". */
void data_verify_params(const struct data_map *m, char *const *ids, struct wbl_out *o);
/* The step at the end that notes how far both sides are in step, where any table asks for it. */
int32_t data_marks_step(struct data_ends *e, const struct data_map *m, char *const *ids,
	const char *const *after, const struct wbl_claim *const *claims);
int data_overlap_check(const char *text); /* 0: one that can be understood */
int32_t data_marks_plan(struct data_ends *e, const struct data_map *m, struct data_table *t);
/* Of all tables: is there nothing to be done? */
int data_nothing(const struct data_map *m);

/* ---- data_find.c: what a table has of some keys ---- */

/* What is looked at, without the mapping: the way back has none. */
struct data_shape {
	const char *set;
	const char **key, **mapped; /* NULL-ended; the key's columns are among the mapped */
	struct data_column *cols;   /* type and held of the mapped */
	size_t nkey, nmapped, *keyat;
	const char *mark; /* column that says "gone", or NULL */
};
struct data_row {
	struct data_key key, digest; /* of the mapped cells in canonical form */
	int marked;
	size_t at; /* in raw */
	uint32_t len;
};
struct data_found {
	struct data_row *rows; /* by key */
	size_t n, cap;
	struct wbl_rows raw; /* whole rows as they are kept there, one behind the other */
};
struct data_finder {
	struct wbl_call *call;
	const struct wbl_store *store;
	void *self;
	struct data_shape shape;
	char **whole; /* columns of whole rows, NULL-ended; known after the first row */
	size_t nwhole, *at;
	size_t markat;
	struct wbl_rows cells, key;
	struct data_found found;
};
void data_finder_init(struct data_finder *f, struct wbl_call *call, const struct wbl_store *store,
	void *self, const struct data_shape *shape);
void data_finder_clear(struct data_finder *f);
/* Columns of whole rows, from a store or from what was kept. STALE when they are not what they were. */
int32_t data_finder_names(struct data_finder *f, const char *const *columns);
/* f->found: what is there of these keys. A row found under another key than asked for is in *ret_strange (-1: none): that place in `keys`. */
int32_t data_find(struct data_finder *f, const struct wbl_rows *keys, int64_t *ret_strange);
const struct data_row *data_found_row(const struct data_finder *f, struct data_key key);
/* Of mapped cells in canonical form. */
struct data_key data_digest_of(struct wbl_bytes cells);
struct data_key data_digest_of_key(struct wbl_bytes key);
/* The row at `raw` with other mapped cells; mark: 0 not marked, 1 marked, -1 as it is. */
void data_splice(struct data_finder *f, struct wbl_bytes raw, const struct wbl_bytes *mapped,
	int mark, const char *mark_value, struct wbl_rows *to, int kind);
/* `now` with the mapped cells and the mark of `old`, as a row of *to. */
void data_restore(
	struct data_finder *f, struct wbl_bytes now, struct wbl_bytes old, struct wbl_rows *to);
/* The mapped cells of a raw row, as they are kept there. */
void data_pick(struct data_finder *f, struct wbl_bytes raw, struct wbl_rows *to);

/* ---- data_kept.c: what a chunk is about to change, in an artefact ---- */

#define DATA_KEPT_OLD 1u    /* there was a row */
#define DATA_KEPT_PUT 2u    /* a row is written; else it is taken away */
#define DATA_KEPT_MARK 4u   /* it is marked as gone */
#define DATA_KEPT_LEDGER 8u /* the ledger is written for this key ... */
#define DATA_KEPT_NOTED 16u /* ... and said `noted` before */
#define DATA_KEPT_ROW 32u   /* the table is written, not the ledger alone */
#define DATA_KEPT_WAS_MARKED 64u
struct data_kept {
	uint32_t flags, reserved;
	struct data_key key, now, old, noted; /* now, old: digests of the mapped cells */
	struct wbl_bytes key_cells, raw;      /* raw: the whole row that was there */
};
struct data_keep;
/* What the file says of itself, for the way back. */
int32_t data_keep_begin(struct wbl_call *call, const struct wbl_work *work,
	const struct data_finder *f, const char *ledger, struct data_keep **ret);
void data_keep_add(struct data_keep *k, const struct data_finder *f, const struct data_kept *row);
uint64_t data_keep_rows(const struct data_keep *k);
const char *data_keep_name(const struct data_keep *k);
/* Durable on return, with its undo record. Takes k. */
int32_t data_keep_seal(struct data_keep *k, const struct wbl_work *work);
void data_keep_drop(struct data_keep *k);

struct data_reader;
/* Opens a kept file; *ret_shape lives until data_reader_end. END: none. */
int32_t data_reader_begin(struct wbl_call *call, const char *name, struct data_reader **ret,
	struct data_shape *ret_shape, const char **ret_ledger);
/* Columns of the whole rows in it; NULL before the first of them. */
const char *const *data_reader_names(const struct data_reader *r);
/* 1, 0 at the end, negative: CORRUPT. Valid until the next call. */
int32_t data_reader_next(struct data_reader *r, struct data_kept *ret);
void data_reader_end(struct data_reader *r);

/* ---- steps ---- */

int32_t data_open_table(struct wbl_call *call, const struct wbl_work *work, uint32_t flags,
	struct data_ends *e, struct data_map *m, struct data_table **ret);
/* A chunk of a merge: a range of the source, or a page of buckets (then *ret_page is not -1). */
int data_range_decode(struct wbl_bytes body, struct wbl_scan *s, uint64_t *ret_rows,
	uint64_t *ret_part, int32_t *ret_page);
int32_t data_look_execute(struct wbl_call *call, const struct wbl_work *work);
int32_t data_look_rollback(struct wbl_call *call, const struct wbl_work *work);
int32_t data_merge_execute(struct wbl_call *call, const struct wbl_work *work);
int32_t data_merge_verify(struct wbl_call *call, const struct wbl_work *work);
int32_t data_merge_rollback(struct wbl_call *call, const struct wbl_work *work);
int32_t data_merge_before(struct wbl_call *call);
int32_t data_marks_execute(struct wbl_call *call, const struct wbl_work *work);
/* What the receipt of this chunk says, and the kept file that it names ("": none). END: no receipt. */
int32_t data_merge_receipt(
	struct data_ends *e, const char *key, struct data_counted *ret, char kept[96]);
/* "3 added, 1 in conflict". */
void data_counted_tell(const struct data_counted *n, struct wbl_out *o);
/* One entry of the report. */
int32_t data_finding(struct wbl_call *call, const char *what, const char *set, const char *text);
/* shape->key is to be freed. */
void data_shape_of(struct data_table *t, struct data_shape *ret);
/* Whole rows of the target. */
int32_t data_sum_whole(struct data_ends *e, const char *set, struct wbl_sum *ret);
/* How many references of the target lead nowhere. */
int32_t data_references_broken(struct data_ends *e, const struct data_map *m, uint64_t *ret);
#endif
