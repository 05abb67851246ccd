/* state/db.h - one open state folder from inside: the database handle, its statements, the head of the chain.
 * Only files of this folder include it.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef WBL_CORE_STATE_DB_H
#define WBL_CORE_STATE_DB_H
#include <sqlite3.h>

#include "core/state/journal.h"

enum {
	WBL_CHAIN_LEN = 32,
	WBL_QUERY_SHAPES = 128, /* which members a query names, and its direction: journal.c */
};

struct wbl_state {
	char *dir, *path; /* the folder, and history.db in it; absolute */
	char uuid[37];
	bool read_only;
	int lock_fd;
	sqlite3 *db;
	sqlite3_stmt *begin, *commit, *insert, *queries[WBL_QUERY_SHAPES];
	bool dirty;                        /* a transaction is open and holds entries */
	int64_t last;                      /* seq of the newest entry */
	unsigned char head[WBL_CHAIN_LEN]; /* its hash; of the empty chain: wbl_chain_start */
	struct wbl_error failed; /* code not 0: the first failure, which every later call repeats */
	struct wbl_buf kinds;    /* test hook: names of the kinds in the open transaction */
};

/* The columns of an entry, in the order that wbl_entry_read expects. */
#define WBL_ENTRY_COLUMNS                                                                          \
	"seq, at, kind, run, step, chunk, name, actor, pass, attempt, epoch, status, len, body"
enum { WBL_ENTRY_COLUMN_COUNT = 14 };
/* Fills *e from a row; texts and body are valid until the statement is stepped or reset. */
void wbl_entry_read(sqlite3_stmt *row, struct wbl_entry *e);

/* What the first entry stands on: a digest of the state's uuid, so that a chain belongs to one state. */
void wbl_chain_start(const char *uuid, unsigned char out[WBL_CHAIN_LEN]);
/* The hash of an entry whose body has the digest `sum`. `prev` and `out` may be the same. */
void wbl_chain_link(const unsigned char prev[WBL_CHAIN_LEN], const struct wbl_entry *e,
	const unsigned char sum[WBL_CHAIN_LEN], unsigned char out[WBL_CHAIN_LEN]);

/* Opens (or makes) history.db of the folder whose lock is held; reads uuid and head. */
int32_t wbl_db_open(struct wbl_state *s, struct wbl_error *err);
void wbl_db_close(struct wbl_state *s);
/* The error of the last SQLite call: disk, damaged, locked ..., with path, reason and hint. */
int32_t wbl_db_fail(const struct wbl_state *s, struct wbl_error *err, const char *doing);
int32_t wbl_db_prepare(
	struct wbl_state *s, const char *sql, sqlite3_stmt **ret, struct wbl_error *err);
int32_t wbl_db_damaged(const struct wbl_state *s, struct wbl_error *err, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* 0, or the failure that this state had before. */
int32_t wbl_state_usable(const struct wbl_state *s, struct wbl_error *err);

/* Makes the folder if it may, refuses a foreign or open one, takes `lock`. */
int32_t wbl_folder_hold(struct wbl_state *s, struct wbl_error *err);
/* mkdir with a durable name; a folder that stands there already is fine. */
int32_t wbl_folder_make(const char *path, struct wbl_error *err);

/* The test hooks of the environment, read once for the process: journal.c. */
void wbl_journal_hooks(void);
#endif
