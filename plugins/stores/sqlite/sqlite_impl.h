/* sqlite_impl.h - one open database and the words its parts share.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef WBL_STORE_SQLITE_IMPL_H
#define WBL_STORE_SQLITE_IMPL_H
#include <sqlite3.h>

#include <whimbrel/sdk.h>

#define SQLITE_RECEIPTS "_whimbrel_receipt"

struct sqlite_self {
	sqlite3 *db;           /* NULL: opened for reading, and there is no file yet */
	char *path, *real;     /* as given; behind links (the same while absent) */
	struct wbl_call *call; /* the one that runs: busy waits listen to its signals */
	int64_t busy_ns;
	int write, utf16, in_view;
	struct sqlite_lane *lane; /* NULL until it is used */
	uint64_t device, inode;   /* of the file that is open */
	struct wbl_out text;      /* what the last call returned */
	struct wbl_out last;      /* the set described last, as JSON, */
	char *last_set;           /* its name as asked for, */
	int64_t last_schema;      /* and the schema's version then */
};

struct sqlite_column {
	char *name, *declared, *fallback;
	char *collation, *expression; /* NULL: BINARY; none */
	int not_null, pk;             /* pk: place in the key from 1, 0 none */
	int generated, stored, hidden;
};
struct sqlite_table {
	char *name, *kind, *sql; /* kind: table, view, virtual */
	struct sqlite_column *cols;
	char **checks; /* CHECK conditions, also those of columns */
	size_t ncols, nkey, nchecks;
	int without_rowid, strict, autoincrement;
	const char *rowid; /* a name that reaches the rowid; NULL when there is none */
	int alias;         /* column that is the rowid, -1 none */
};

struct sqlite_index {
	char *name, **cols; /* "": an expression */
	size_t ncols;
	int unique, origin; /* origin: c CREATE INDEX, u UNIQUE, p PRIMARY KEY */
	int special;        /* partial, descending, with an expression or a collation */
};

struct sqlite_writer {
	struct sqlite_self *self;
	struct sqlite_writer *parts, *next;
	struct sqlite_table table;
	sqlite3_stmt *put, *del;
	char *origin, *set, **columns; /* columns: of a part, by which it is found again */
	uint64_t epoch, attempt, written, kept;
	int ncols, nkey, mode;
	int lane; /* batches are those of sqlite_lane.c */
};
struct sqlite_lane;

/* Reports what the library says about `what` and returns the WBL_* status that fits. */
int32_t sqlite_fail(struct sqlite_self *s, int rc, const char *what);
/* One statement, nothing behind it. */
int32_t sqlite_prepare(struct sqlite_self *s, const char *sql, sqlite3_stmt **ret);
int32_t sqlite_run(struct sqlite_self *s, const char *sql);
/* Before anything else in a call: the file that now bears the name is open, or there is none and db is NULL. */
int32_t sqlite_look(struct sqlite_self *s, struct wbl_call *call);
/* Opens the file when it came into being after open. UNAVAILABLE when it still is not there. */
int32_t sqlite_ready(struct sqlite_self *s, struct wbl_call *call);
int32_t sqlite_connect(struct sqlite_self *s, int flags);
void sqlite_name(struct wbl_out *o, const char *name);   /* quoted */
const char *sqlite_column_str(sqlite3_stmt *st, int at); /* never NULL */
/* WBL_END: no such set. */
int32_t sqlite_table_load(struct sqlite_self *s, const char *name, struct sqlite_table *ret);
/* The same in two steps, for many tables: `st` gives these columns of pragma_table_list l and sqlite_schema m. */
#define SQLITE_HEAD_COLUMNS "l.name,l.type,l.wr,l.strict,m.sql"
void sqlite_head_take(sqlite3_stmt *st, struct sqlite_table *ret);
int32_t sqlite_columns_load(struct sqlite_self *s, struct sqlite_table *t);
int32_t sqlite_indexes_load(
	struct sqlite_self *s, const char *table, struct sqlite_index **ret, size_t *ret_n);
void sqlite_indexes_free(struct sqlite_index *list, size_t n);
/* column -1: a CHECK condition; else the expression in brackets behind AS in that column's definition. */
typedef void sqlite_text_found(void *arg, int column, struct wbl_bytes text);
void sqlite_text_read(const char *sql, sqlite_text_found *found, void *arg);
void sqlite_table_clear(struct sqlite_table *t);
const struct sqlite_column *sqlite_table_column(const struct sqlite_table *t, const char *name);
int sqlite_has_table(struct sqlite_self *s, const char *name); /* quick, only tables and views */
int sqlite_exists(
	struct sqlite_self *s, const char *name); /* a table, index, view or trigger by that name */

int32_t sqlite_describe(void *self, struct wbl_call *call, const char *set, const char **ret_json);

int32_t sqlite_count(void *self, struct wbl_call *call, const struct wbl_scan *scan, int32_t exact,
	struct wbl_totals *ret);
int32_t sqlite_split(void *self, struct wbl_call *call, const struct wbl_scan *whole,
	const struct wbl_scan *last, uint64_t rows, struct wbl_scan *ret_next);
int32_t sqlite_scan(
	void *self, struct wbl_call *call, const struct wbl_scan *scan, void **ret_cursor);
int32_t sqlite_fetch(
	void *self, struct wbl_call *call, const struct wbl_batch *keys, void **ret_cursor);
/* For fetch: takes the statement, the table and the list of names. */
void *sqlite_cursor_of_keys(struct sqlite_self *s, sqlite3_stmt *st, struct sqlite_table *table,
	const char **names, const struct wbl_batch *keys);
int32_t sqlite_read(void *cursor, struct wbl_call *call, struct wbl_batch *ret);
void sqlite_scan_end(void *cursor);

void sqlite_scan_where(
	const struct sqlite_table *t, const struct wbl_scan *scan, struct wbl_out *o);
int32_t sqlite_scan_column(
	struct sqlite_self *s, const struct sqlite_table *t, const char *name, struct wbl_out *o);
size_t sqlite_key_width(const struct sqlite_table *t); /* of the bounds of a range */
int32_t sqlite_bind_key(
	struct sqlite_self *s, sqlite3_stmt *st, struct wbl_bytes key, int first, size_t n);

/* The lane. UNSUPPORTED: rows have to go as rows. */
#define SQLITE_LANE "sqlite.attach"
int sqlite_lane_bears(const struct sqlite_self *s, const struct sqlite_table *t);
int32_t sqlite_lane_scan(struct sqlite_self *s, const struct sqlite_table *t,
	const struct wbl_scan *scan, struct wbl_rows *ret);
int32_t sqlite_lane_begin(struct sqlite_writer *w, const struct wbl_write *write);
int32_t sqlite_lane_append(struct sqlite_writer *w, const struct wbl_batch *batch);
void sqlite_lane_free(struct sqlite_self *s);
int32_t sqlite_sums(
	void *writer, struct wbl_call *call, struct wbl_digest *ret, uint64_t *ret_bytes);

/* Binds a cell. PARAM with a static reason when SQLite cannot hold the value as it is. */
int32_t sqlite_bind(struct sqlite_self *s, sqlite3_stmt *stmt, int at, const struct wbl_cell *c,
	const char **ret_why);
int32_t sqlite_write(
	void *self, struct wbl_call *call, const struct wbl_write *w, void **ret_writer);
int32_t sqlite_append(
	void *writer, struct wbl_call *call, const struct wbl_batch *batch, uint64_t *ret_bad);
int32_t sqlite_commit(void *writer, struct wbl_call *call, const struct wbl_receipt *receipt,
	struct wbl_outcome *ret);
void sqlite_abort(void *writer);
int32_t sqlite_receipt(void *self, struct wbl_call *call, const char *key, struct wbl_bytes *ret);
/* In an open transaction. Begin: END when the receipt stands, FENCED when a newer epoch of this origin does. */
int32_t sqlite_receipt_begin(
	struct sqlite_self *s, const struct wbl_receipt *r, const char *origin);
int32_t sqlite_receipt_put(struct sqlite_self *s, const struct wbl_receipt *r, const char *origin,
	const char *set, uint64_t written);
/* FENCED when a receipt of this origin with a newer epoch stands. */
int32_t sqlite_epoch_check(struct sqlite_self *s, const char *origin, uint64_t epoch);

int32_t sqlite_schema(
	void *self, struct wbl_call *call, const struct wbl_schema *change, const char **ret_text);
int32_t sqlite_sql(
	void *self, struct wbl_call *call, const struct wbl_sql *sql, const char **ret_json);
#endif
