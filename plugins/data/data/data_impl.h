/* data_impl.h - the mapping of one run, both ends open, and what the parts of the handler do with them.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef WBL_DATA_IMPL_H
#define WBL_DATA_IMPL_H
#include <whimbrel/sdk.h>

struct data_column {
	const char *name, *from, *expr, *null_if;
	const char *declared, *fallback; /* from a source of the same dialect, word for word */
	struct wbl_rows constant;        /* one encoded cell; len 0: none */
	int32_t type,
		held; /* held: what the target says it holds there, set when it is read back */
	int trim, not_null, at;   /* at: place in the scan, -1 constant or made here */
	struct data_alter *alter; /* what else becomes of it; NULL: nothing */
	int veiled; /* its value is in no message: it, or what it is made from, is masked */
};
/* How rows come into a table that may hold some; data_modes.c reads it, the values are in data_sync.h. */
struct data_manner {
	int mode, by, deletes, conflicts, others;
	const char *column, *overlap, *mark, *mark_value, *decisions;
	const char *base,
		*gone;       /* conditions of the source: for all rows, for those that are gone */
	uint64_t definition; /* digest of what the mapping says */
	int nothing;         /* set at plan: neither side can have changed */
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
	const struct wbl_node *foreign_keys; /* of the options; array, or NULL */
	int autoincrement, entire;           /* entire: all columns, under their own names */
	struct data_transform *transform;    /* NULL: none */
	int corrected;                       /* what was corrected by repair counts as read */
	struct data_filters *filters;        /* filter and rest; NULL: none */
	uint8_t *veiled; /* of each column of the scan: not to be told; NULL: nothing is altered */
	/* Several sources of one target (from_all): data_part(t, n). nparts: 0 or 1 with one. */
	struct data_table *parts;
	size_t nparts;
	int part;        /* which of them this is */
	size_t of_parts; /* of how many */
	struct data_manner manner;
};
struct data_map {
	struct data_table *tables;
	size_t ntables;
	struct wbl_doc *source, *target;              /* descriptions */
	const struct wbl_node *source_at, *target_at; /* the sets found last */
	int whole, same_dialect;                      /* whole: all tables, as they are */
	void **owned;
	size_t nowned;
};
struct data_ends {
	struct wbl_call *call;
	const struct wbl_peer_service *peers;
	struct wbl_peer source, target;
	const struct wbl_store *src, *dst;
	/* May they stay open for the next call? Whoever takes a snapshot of one sets this to 0. */
	int source_stays, target_stays;
};

/* Before anything else in a call: stores that stayed open are those of this instance. */
void data_call_begins(struct wbl_call *call, const void *self, const struct wbl_work *work);
void data_instance_ends(const void *self); /* the host closes what is open */

int32_t data_open(struct wbl_call *call, uint32_t target_flags, struct data_ends *ret);
/* The way back needs no source: it may be gone or another one by then. */
int32_t data_open_target(struct wbl_call *call, uint32_t target_flags, struct data_ends *ret);
/* set NULL: everything; else, where there is such a table, that one and what the store says of itself. */
int32_t data_describe_source(struct data_ends *e, const char *set, struct wbl_doc **ret);
int32_t data_describe_target(struct data_ends *e, const char *set, struct wbl_doc **ret);
/* [name, digest of its definition, name, ...] of all tables, indexes, views and triggers. */
void data_objects_tell(const struct wbl_doc *target, const char *key, struct wbl_out *o);
void data_close(struct data_ends *e);
/* Reads both descriptions and the options. PARAM names the place in the options. */
int32_t data_map_build(struct data_ends *e, struct data_map *ret);
/* Only what the table `to` needs: it costs the same however many others there are. */
int32_t data_map_build_one(struct data_ends *e, struct data_map *ret, const char *to);
void data_map_clear(struct data_map *m);
/* Freed with the map. */
void *data_map_own(struct data_map *m, void *p);
struct data_table *data_map_find(struct data_map *m, const char *to);
size_t data_parts(const struct data_table *t); /* at least 1 */
struct data_table *data_part(struct data_table *t, size_t n);
const struct wbl_node *data_set(const struct wbl_doc *description, const char *name);
/* One schema change of the target; change is {"verb":{...}}. `part` makes the receipt's key of work->key; NULL: no receipt. */
int32_t data_change(
	struct data_ends *e, const struct wbl_work *work, const char *change, const char *part);
/* The same with a change that has only a name, and the run as its origin. */
int32_t data_change_named(struct data_ends *e, const struct wbl_work *work, const char *verb,
	const char *name, const char *part);
int32_t data_change_keyed(
	struct data_ends *e, const struct wbl_work *work, const char *change, const char *key);
int32_t data_with_map(
	struct wbl_call *call, uint32_t flags, struct data_ends *e, struct data_map *m);
/* Tells one difference; MISMATCH. */
int32_t data_differs(struct wbl_call *call, int32_t kind, const char *set, const char *expected,
	const char *found);

/* data_shape.c. The change that makes the table: {"verb":{...}}; verb NULL: the inner object alone. */
void data_table_json(const struct data_map *m, const struct data_table *t, const char *verb,
	const char *origin, struct wbl_out *o);
enum { WBL_SEVERITY_ERROR = 1, WBL_SEVERITY_WARNING, WBL_SEVERITY_NOTE };
typedef void data_shape_differs(void *arg, int severity, const struct data_table *t,
	const char *column, const char *what, const char *expected, const char *found);
/* How the table that stands differs from what the mapping would make; column may be NULL. */
void data_shape_compare(
	const struct data_map *m, const struct data_table *t, data_shape_differs *each, void *arg);

/* data_carry.c */
int data_names_word(const char *text, const char *word);
/* What the source's column is called in the target; NULL: it does not go there as it is. */
const char *data_name_there(const struct data_table *t, const char *from);
/* The same of a list, as a JSON array; 0 when not all of them go. */
int data_names_there(const struct data_table *t, const struct wbl_node *list, struct wbl_out *o);
int data_object_goes(const struct data_map *m, const struct wbl_node *x); /* a view or trigger */
/* Of a table without indexes in the options: *columns is set to a JSON array. */
int data_index_goes(const struct data_map *m, const struct data_table *t, const struct wbl_node *ix,
	struct wbl_out *columns);
int data_reference_goes(const struct data_map *m, const struct data_table *t,
	const struct wbl_node *fk, struct wbl_out *o);
/* What is left to people: kind and name of an object, the table it belongs to, why, and its text. */
typedef int32_t data_by_hand(void *arg, const char *kind, const char *name, const char *of,
	const char *why, const char *text);
int32_t data_by_hand_tell(const struct data_map *m, data_by_hand *each, void *arg);
/* Where the target has an index, view or trigger of that name; NULL. */
const char *data_holder(const struct wbl_doc *target, const char *name);
int data_objects_follow(const struct data_map *m); /* is anything to be made after the load? */

/* data_lane.c. NULL: none. */
const char *data_lane(
	const struct data_ends *e, const struct data_table *t, const struct data_table *part);
const char **data_lane_key(const struct data_table *t); /* for wbl_write; the caller frees */
/* PARAM, UNSUPPORTED: abort the writer and send rows. */
struct data_flow;
int32_t data_lane_pass(struct data_flow *f, struct data_ends *e, void *writer, void *cursor);

/* data_omit.c */
int32_t data_omit(struct wbl_call *call, const struct data_map *m);
int32_t data_find_by_hand(struct wbl_call *call, const struct data_map *m); /* for the report */

/* What the source looks like now; compares it with what the schema step saw. STALE. `set`: any table of it, so that not all are described. */
int32_t data_source_same(struct data_ends *e, const char *set);
int32_t data_identity(struct data_ends *e, const char *set, struct wbl_out *ret);

int32_t data_plan(void *self, struct wbl_call *call, const struct wbl_work *work);
/* data_ask.c: names and conditions that neither end knows, while the plan is made. PARAM. */
int32_t data_ask(struct data_ends *e, const struct data_map *m, struct data_table *t);
/* data_check.c: what the target would refuse. all 0: only the first rows of each table. MISMATCH. */
int32_t data_check_rows(struct data_ends *e, struct data_map *m, int all, int planning);
int32_t data_check(void *self, struct wbl_call *call, const struct wbl_work *work, int32_t level);

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

/* How many rows of a table may be left out; data_reject.c. */
struct data_limit {
	int64_t most, percent; /* -1: no such limit; percent in millionths */
	uint64_t rows;         /* there are at most so many; 0 not known before the end */
	uint64_t before;       /* rejected in chunks that are done */
};
struct data_letters;
struct data_origin {
	int64_t position; /* -1 unknown */
	uint64_t at;      /* where its row begins in the batch of the source */
};
enum { DATA_ID = 480 };

/* In the totals of a copy: a digest that only counts, the rows that no entry of `tables` takes. */
#define DATA_REST "(rest)"
void data_rest_tell(
	struct wbl_call *call, const struct data_table *t, const struct wbl_totals *all);

/* Rows on their way: one batch of the source becomes one of the target. */
struct data_flow {
	struct wbl_call *call;
	struct data_table *table;
	int check_only; /* reading the target back: only the types are brought into form */
	struct data_limit limit;
	struct data_letters *letters; /* where rejects are kept; NULL: nowhere */
	struct wbl_rows out;
	struct wbl_batch in;         /* what out is made of, in the order of table->scan */
	uint64_t row_at;             /* where the row at work begins in it */
	struct data_origin *origins; /* of each row of out */
	size_t norigins;
	struct wbl_cell *cells;
	struct wbl_sum sum;
	uint64_t rejected, bytes;
	struct data_state *state; /* of columns that are altered; made with the first row */
	uint64_t rest;            /* rows that no entry of `tables` takes */
	int quiet;                /* rejects are counted and not told (they were told before) */
	int enough;               /* no more differences are kept */
	int ready;                /* the transform has seen these rows */
	/* With quiet: each of them is told here. NULL: to nobody. */
	void (*refused)(void *arg, int64_t position, const char *column,
		const struct wbl_cell *value, const char *why);
	void *refused_arg;
	const char *place; /* where the row comes from when not from the source: file and line */
};
void data_flow_init(
	struct data_flow *f, struct wbl_call *call, struct data_table *t, int check_only);
void data_flow_clear(struct data_flow *f);
/* *ret is `in` itself when nothing is to be changed. */
int32_t data_flow_convert(struct data_flow *f, const struct wbl_batch *in, struct wbl_batch *ret);
/* Adds the rows of a batch in target form to f->sum. */
int32_t data_flow_sum(struct data_flow *f, const struct wbl_batch *b);
/* Row number n of f->out comes from there. */
void data_flow_origin(struct data_flow *f, uint64_t n, int64_t position, uint64_t at);
/* A row that cannot be taken (the one at f->row_at): told, and kept as a dead letter, while the limits allow, else PARAM. */
int32_t data_flow_reject(struct data_flow *f, int64_t position, const char *column,
	const struct wbl_cell *value, const char *why);
/* Appends a batch in target form; rows that the target refuses (a key twice, NULL, a rule of the table) are named and, if
 * so many may be, left out of it. */
int32_t data_flow_append(
	struct data_flow *f, struct data_ends *e, void *writer, struct wbl_batch *b);
int32_t data_reject_tell(struct wbl_call *call, const struct data_table *t, const char *where,
	const char *column, const char *why, const char *value, const char *id);
/* The table's entry in `tables`; NULL: it has none. */
const struct wbl_node *data_table_options(struct wbl_call *call, const struct data_table *t);
int data_limit_beyond(const struct data_limit *l, uint64_t rejected, uint64_t of);
void data_limit_read(struct wbl_call *call, const struct data_table *t, struct data_limit *ret);
int data_limit_any(const struct data_limit *l); /* may any row be left out? */
/* How many rows the source has at most, where a limit asks for it; 0 not known. */
uint64_t data_limit_rows(struct data_ends *e, const struct data_table *t);
/* Before the first row of a chunk. PARAM: the chunks before have left out too many. */
int32_t data_limit_begin(struct data_flow *f, const struct wbl_work *work, uint64_t rows);
/* At the end, over the whole table. MISMATCH. */
int32_t data_limit_check(
	struct wbl_call *call, const struct data_table *t, const struct wbl_totals *all);

/* Dead letters: the rejected rows of a chunk as lines of JSON in an artefact of its attempt; data_letters.c. */
struct data_letters *data_letters_new(const struct wbl_work *work);
void data_letters_free(struct data_letters *l);
/* The source's row at f->row_at. id: room for DATA_ID bytes, the name of this letter. */
int32_t data_letters_add(struct data_letters *l, struct data_flow *f, int64_t position,
	const char *where, const char *column, const char *why, const char *value, char *id);
/* Durable on return; before the chunk's receipt. */
int32_t data_letters_seal(struct data_letters *l, struct wbl_call *call);
/* The chunk was done by that attempt, which could not say so: its rejects are told in its place. */
int32_t data_letters_retell(struct wbl_call *call, const struct wbl_work *work,
	const struct data_table *t, uint64_t attempt);
/* Each line of a file with its number, from 1; the bytes may be changed. One that is too long: PARAM. */
typedef int32_t data_line(void *arg, char *line, size_t len, uint64_t number);
int32_t data_lines(struct wbl_call *call, int fd, const char *name, data_line *each, void *arg);
/* All of it to a descriptor, which is named for errors; *o is empty then. */
int32_t data_write_all(struct wbl_call *call, int fd, const char *name, struct wbl_out *o);
/* The body of a receipt over rows that no chunk has written. */
void data_receipt_body(const struct wbl_sum *sum, struct wbl_out *ret);
/* A table's `transform`; data_transform.c. t->source is the source's table as it is behind it from then on. */
int32_t data_transform_open(
	struct data_ends *e, struct data_table *t, const struct wbl_node *spec, const char *path);
int32_t data_transform_ready(struct data_table *t); /* when t->scan stands */
void data_transform_close(struct data_table *t);
/* What is to be asked of the source. */
const char *const *data_scan_columns(const struct data_table *t);
/* A batch of these becomes one in the order of t->scan. */
int32_t data_transform_batch(
	struct data_flow *f, const struct wbl_batch *in, struct wbl_batch *ret);
/* Which attempt of the chunk with this key counts: what its receipt says; 0: none. */
int32_t data_receipt_attempt(struct data_ends *e, const char *key, uint64_t *ret);
/* The artefact with all of the run, in the step "rejects". */
#define DATA_REJECTS "rejects.jsonl"
/* The step that puts them together, where rows may be left out. *ret_planned: is there one? */
int32_t data_letters_plan(struct wbl_call *call, const struct data_map *m, char *const *copies,
	const struct wbl_claim *const *claims, int *ret_planned);
int32_t data_letters_execute(struct wbl_call *call, const struct wbl_work *work);
int32_t data_letters_verify(struct wbl_call *call, const struct wbl_work *work);
int32_t data_letters_rollback(struct wbl_call *call, const struct wbl_work *work);

/* Key of a row as JSON, for people. */
void data_key_json(const struct data_table *t, struct wbl_bytes cells, struct wbl_out *o);
/* At most so many bytes, whole characters, and bad ones replaced: for people and reports. */
void data_text_cut(struct wbl_out *o, size_t most);
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
/* repair with work->file. */
int32_t data_resubmit(struct wbl_call *call, const struct wbl_work *work);
/* The rows of this step that were corrected and are in the target, in target form. [verify, repair of a copy] */
int32_t data_corrections_each(
	struct data_ends *e, struct data_table *t, data_each *each, void *arg);
int32_t data_walk(
	struct data_ends *e, struct data_table *t, int target, data_each *each, void *arg);
/* Before a target is read back, and each cell of it: in the form of the mapping, else as it stands. */
void data_back_begin(struct data_table *t);
void data_back_cell(struct wbl_rows *to, const struct wbl_cell *c, const struct data_column *col);
#endif
