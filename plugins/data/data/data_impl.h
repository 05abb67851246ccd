/* data_impl.h - the mapping of one run, both ends open, and what the parts of the handler do with them.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef WBL_DATA_IMPL_H
#define WBL_DATA_IMPL_H
#include <whimbrel/sdk.h>

struct data_column {
	const char *name, *from, *expr, *null_if;
	const char *declared, *fallback; /* from a source of the same dialect, word for word */
	struct wbl_rows constant;        /* one encoded cell; len 0: none */
	int32_t type, held; /* held: what the target says it holds there, set when it is read back */
	int trim, not_null, at; /* at: place in the scan, -1 constant */
};
struct data_table {
	const char *from, *to, *where;
	const char *definition; /* the source's own, when the table is taken as it is */
	struct data_column *cols;
	size_t ncols;
	size_t *key, nkey;  /* columns of the key, in its order */
	const char **scan;  /* source columns to ask for, NULL-ended */
	const char **names; /* target columns, NULL-ended */
	size_t nscan;
	int position;                   /* place of "#position" in the scan, -1 none */
	int straight;                   /* batches pass as they are */
	const struct wbl_node *indexes; /* array, or NULL */
	const struct wbl_node *source;  /* its entry in the source's description */
	const struct wbl_node *target;  /* its entry in the target's description; NULL: not there */
	int autoincrement;
};
struct data_map {
	struct data_table *tables;
	size_t ntables;
	struct wbl_doc *source, *target; /* descriptions */
	int whole, same_dialect;         /* whole: all tables, as they are */
	void **owned;
	size_t nowned;
};
struct data_ends {
	struct wbl_call *call;
	const struct wbl_peer_service *peers;
	struct wbl_peer source, target;
	const struct wbl_store *src, *dst;
};

int32_t data_open(struct wbl_call *call, uint32_t target_flags, struct data_ends *ret);
/* The way back needs no source: it may be gone or another one by then. */
int32_t data_open_target(struct wbl_call *call, uint32_t target_flags, struct data_ends *ret);
int32_t data_describe_target(struct data_ends *e, struct wbl_doc **ret);
/* [name, digest of its definition, name, ...] of all tables, indexes, views and triggers. */
void data_objects_tell(const struct wbl_doc *target, const char *key, struct wbl_out *o);
void data_close(struct data_ends *e);
/* Reads both descriptions and the options. PARAM names the place in the options. */
int32_t data_map_build(struct data_ends *e, struct data_map *ret);
void data_map_clear(struct data_map *m);
struct data_table *data_map_find(struct data_map *m, const char *to);
const struct wbl_node *data_set(const struct wbl_doc *description, const char *name);
/* One schema change of the target; change is {"verb":{...}}. `part` makes the receipt's key of work->key; NULL: no receipt. */
int32_t data_change(
	struct data_ends *e, const struct wbl_work *work, const char *change, const char *part);
/* The same with a change that has only a name, and the run as its origin. */
int32_t data_change_named(struct data_ends *e, const struct wbl_work *work, const char *verb,
	const char *name, const char *part);
/* The change that makes the table. */
void data_table_json(
	const struct data_table *t, int same_dialect, const char *origin, struct wbl_out *o);
/* What the source looks like now; compares it with what the schema step saw. STALE. */
int32_t data_source_same(struct data_ends *e);
int32_t data_identity(struct data_ends *e, struct wbl_out *ret);

int32_t data_plan(void *self, struct wbl_call *call, const struct wbl_work *work);

int32_t data_schema_execute(struct wbl_call *call, const struct wbl_work *work);
int32_t data_schema_verify(struct wbl_call *call, const struct wbl_work *work);
int32_t data_schema_rollback(struct wbl_call *call, const struct wbl_work *work);
int32_t data_indexes_execute(struct wbl_call *call, const struct wbl_work *work);
int32_t data_indexes_verify(struct wbl_call *call, const struct wbl_work *work);
int32_t data_indexes_rollback(struct wbl_call *call, const struct wbl_work *work);
int32_t data_tidy_execute(struct wbl_call *call, const struct wbl_work *work);
int32_t data_tidy_rollback(struct wbl_call *call, const struct wbl_work *work);

/* Undo records of this step, copied; newest first. */
struct data_undo {
	char *id, *body;
	int reversed;
};
int32_t data_undo_list(struct wbl_call *call, struct data_undo **ret, size_t *ret_n);
void data_undo_free(struct data_undo *list, size_t n);
/* Durable on return. END: it stood already. */
int32_t data_undo_put(struct wbl_call *call, const char *id, const char *body);

/* Rows on their way: one batch of the source becomes one of the target. */
struct data_flow {
	struct wbl_call *call;
	struct data_table *table;
	int check_only; /* reading the target back: only the types are brought into form */
	int64_t reject_limit;
	struct wbl_rows out;
	int64_t *positions; /* of each row of out; -1 unknown */
	size_t npositions;
	struct wbl_cell *cells;
	struct wbl_sum sum;
	uint64_t rejected, bytes;
	int quiet; /* rejects are counted and not told (they were told before) */
};
void data_flow_init(
	struct data_flow *f, struct wbl_call *call, struct data_table *t, int check_only);
void data_flow_clear(struct data_flow *f);
/* *ret is `in` itself when nothing is to be changed. */
int32_t data_flow_convert(struct data_flow *f, const struct wbl_batch *in, struct wbl_batch *ret);
/* Adds the rows of a batch in target form to f->sum. */
int32_t data_flow_sum(struct data_flow *f, const struct wbl_batch *b);
/* A row that cannot be taken: told as a difference while the limit allows, else PARAM. `row`: in f->out. */
int32_t data_flow_reject(struct data_flow *f, int64_t position, const char *column,
	const struct wbl_cell *value, const char *why);
/* Appends a batch in target form; rows that the target refuses (a key twice, NULL, a rule of the table) are named and, if
 * so many may be, left out of it. */
int32_t data_flow_append(
	struct data_flow *f, struct data_ends *e, void *writer, struct wbl_batch *b);
/* Key of a row as JSON, for people. */
void data_key_json(const struct data_table *t, struct wbl_bytes cells, struct wbl_out *o);
/* Cells of the key, one behind the other; the whole row when there is no key. */
struct wbl_bytes data_key_cells(
	const struct data_table *t, struct wbl_bytes cells, struct wbl_rows *scratch);

int32_t data_partition(void *self, struct wbl_call *call, const struct wbl_work *work);
int32_t data_copy_execute(struct wbl_call *call, const struct wbl_work *work);
int32_t data_copy_rollback(struct wbl_call *call, const struct wbl_work *work);
int32_t data_copy_verify(struct wbl_call *call, const struct wbl_work *work);
int32_t data_verify_execute(struct wbl_call *call, const struct wbl_work *work);
/* Every row of one side, in target form, to `each`; quiet about rejects. */
typedef int32_t data_each(void *arg, const struct wbl_batch *batch);
int32_t data_walk(
	struct data_ends *e, struct data_table *t, int target, data_each *each, void *arg);
/* Before a target is read back, and each cell of it: in the form of the mapping, else as it stands. */
void data_back_begin(struct data_table *t);
void data_back_cell(struct wbl_rows *to, const struct wbl_cell *c, const struct data_column *col);
#endif
