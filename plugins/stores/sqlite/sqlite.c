/* sqlite.c - the store "sqlite": a database file opened, its errors told, its table of functions.
 * In: path, busy timeout.  Out: a store that reads and writes; the journal mode stays as the operator has it.  A file that
 * does not exist is described as absent and comes into being by the schema change "create_store", never by opening.
 * SPDX-License-Identifier: Apache-2.0 */
#include "sqlite_impl.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static int32_t status_of(int rc)
{
	switch (rc & 0xff) {
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return WBL_E_RETRY;
	case SQLITE_CORRUPT:
		return WBL_E_CORRUPT;
	case SQLITE_FULL:
	case SQLITE_NOMEM:
	case SQLITE_TOOBIG:
		return WBL_E_RESOURCES;
	case SQLITE_CANTOPEN:
	case SQLITE_PERM:
	case SQLITE_READONLY:
	case SQLITE_AUTH:
	case SQLITE_IOERR:
		return WBL_E_UNAVAILABLE;
	case SQLITE_CONSTRAINT:
	case SQLITE_MISMATCH:
	case SQLITE_NOTADB:
		return WBL_E_PARAM;
	case SQLITE_SCHEMA:
		return WBL_E_STALE;
	default:
		return WBL_E_FAILED;
	}
}

static const char *hint_of(int rc)
{
	switch (rc & 0xff) {
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return "Close other programs that write to this database, or raise busy_timeout.";
	case SQLITE_CORRUPT:
		return "Check the database with PRAGMA integrity_check and restore it from a "
		       "backup.";
	case SQLITE_FULL:
		return "Make room on this disk.";
	case SQLITE_CANTOPEN:
	case SQLITE_PERM:
	case SQLITE_READONLY:
	case SQLITE_IOERR:
		return "Check the path, the modes of the file and its folder, and the engine's "
		       "user.";
	case SQLITE_NOTADB:
		return "Name a SQLite 3 database file.";
	default:
		return NULL;
	}
}

int32_t sqlite_fail(struct sqlite_self *s, int rc, const char *what)
{
	size_t shown = strnlen(what, 200); /* the SQL of a wide table would hide the message */

	while (what[shown] && ((unsigned char)what[shown] & 0xc0) == 0x80)
		shown--;
	if (rc == SQLITE_BUSY && wbl_stop_asked(s->call))
		return WBL_E_CANCELLED;
	return wbl_error_report(s->call, status_of(rc), s->path, hint_of(rc), "%.*s%s: %s",
		(int)shown, what, what[shown] ? " ..." : "",
		s->db ? sqlite3_errmsg(s->db) : sqlite3_errstr(rc));
}

int32_t sqlite_prepare(struct sqlite_self *s, const char *sql, sqlite3_stmt **ret)
{
	const char *tail = NULL;
	int rc = sqlite3_prepare_v3(s->db, sql, -1, SQLITE_PREPARE_PERSISTENT, ret, &tail);

	if (rc == SQLITE_ERROR)
		return wbl_error_report(s->call, WBL_E_PARAM, s->path,
			"Compare the names in `where`, `expr` and the like with those of the "
			"database.",
			"%s, in: %.400s", sqlite3_errmsg(s->db), sql);
	if (rc)
		return sqlite_fail(s, rc, sql);
	if (!*ret || tail[strspn(tail, " \t\r\n;")]) {
		sqlite3_finalize(*ret);
		*ret = NULL;
		return wbl_error_report(s->call, WBL_E_PARAM, s->path,
			"Give one statement or expression only.",
			"one SQL statement was expected: %s", sql);
	}
	return WBL_OK;
}

int32_t sqlite_run(struct sqlite_self *s, const char *sql)
{
	int rc = sqlite3_exec(s->db, sql, NULL, NULL, NULL);

	return rc ? sqlite_fail(s, rc, sql) : WBL_OK;
}

void sqlite_name(struct wbl_out *o, const char *name)
{
	wbl_out_add(o, "\"", 1);
	for (; *name; name++) {
		if (*name == '"')
			wbl_out_add(o, "\"", 1);
		wbl_out_add(o, name, 1);
	}
	wbl_out_add(o, "\"", 1);
}

static int64_t monotonic(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* Waits 1 to 25 ms between tries, and no longer than asked, or until somebody wants the step to stop. */
static int on_busy(void *arg, int tries)
{
	static _Thread_local int64_t since;
	struct sqlite_self *s = arg;
	int ms = tries < 5 ? 1 << tries : 25;

	if (!tries)
		since = monotonic();
	if (monotonic() - since > s->busy_ns || wbl_stop_asked(s->call))
		return 0;
	nanosleep(&(struct timespec){ .tv_nsec = ms * 1000000L }, NULL);
	return 1;
}

static int32_t set_up(struct sqlite_self *s)
{
	sqlite3_stmt *st;
	int32_t rc;

	sqlite3_busy_handler(s->db, on_busy, s);
	sqlite3_extended_result_codes(s->db, 1);
	sqlite3_db_config(s->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	sqlite3_db_config(s->db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
	/* EXTRA, not FULL: a journal whose removal is not synced comes back after a loss of power, and takes back what was committed. */
	rc = sqlite3_exec(s->db,
		"PRAGMA synchronous=EXTRA; PRAGMA cache_size=-8000; PRAGMA foreign_keys=OFF", NULL,
		NULL, NULL);
	rc = rc ? sqlite_fail(s, rc, "cannot open the database")
		: sqlite_prepare(s, "PRAGMA encoding", &st);
	if (rc)
		return rc;
	if (sqlite3_step(st) == SQLITE_ROW)
		s->utf16 = strcmp((const char *)sqlite3_column_text(st, 0), "UTF-8") != 0;
	sqlite3_finalize(st);
	return WBL_OK;
}

/* What a transaction left that died with its process or the power (a journal to be played back) must go before anybody can read, and a
 * read-only connection cannot do that. Any program which opens the file does the same. */
static void play_back(const char *path)
{
	sqlite3 *db = NULL;
	sqlite3_stmt *st = NULL;
	int rc = sqlite3_open_v2(path, &db, SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX, NULL);

	sqlite3_extended_result_codes(db, 1);
	rc = rc ? rc : sqlite3_exec(db, "PRAGMA schema_version", NULL, NULL, NULL);
	sqlite3_close_v2(db);
	db = NULL;
	if (rc != SQLITE_READONLY_ROLLBACK && rc != SQLITE_READONLY_RECOVERY)
		return;
	if (!sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL) &&
		!sqlite3_prepare_v2(db, "SELECT 1 FROM sqlite_schema", -1, &st, NULL))
		sqlite3_step(st);
	sqlite3_finalize(st);
	sqlite3_close_v2(db);
}

int32_t sqlite_connect(struct sqlite_self *s, int flags)
{
	struct stat st;
	char *real = NULL;
	int32_t status;
	int rc;

	/* SQLite would wait for ever on a pipe, and write into a device. */
	if (!stat(s->path, &st) && !S_ISREG(st.st_mode))
		return wbl_error_report(s->call, WBL_E_PARAM, s->path,
			"Name a SQLite 3 database file.", "not a regular file");
	if (flags & SQLITE_OPEN_READONLY)
		play_back(s->path);
	rc = sqlite3_open_v2(s->path, &s->db, flags | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_URI, NULL);
	if (rc)
		status = sqlite_fail(s, rc, "cannot open the database");
	else
		status = set_up(s);
	if (status) {
		sqlite3_close_v2(s->db);
		s->db = NULL;
		return status;
	}
	if (!stat(s->path, &st)) {
		s->device = (uint64_t)st.st_dev;
		s->inode = (uint64_t)st.st_ino;
	}
	real = realpath(s->path, NULL);
	if (real) {
		free(s->real);
		s->real = real;
	}
	return WBL_OK;
}

/* A store may stay open for long: is what bears its name now still the file that was opened? */
static int moved(struct sqlite_self *s)
{
	struct stat st;

	return stat(s->path, &st) || (uint64_t)st.st_dev != s->device ||
	       (uint64_t)st.st_ino != s->inode;
}

int32_t sqlite_look(struct sqlite_self *s, struct wbl_call *call)
{
	s->call = call;
	if (s->db && sqlite3_get_autocommit(s->db) && !sqlite3_next_stmt(s->db, NULL) && moved(s)) {
		sqlite3_close_v2(s->db);
		s->db = NULL;
		sqlite_lane_free(s);
		free(s->last_set);
		s->last_set = NULL;
	}
	if (s->db || access(s->path, F_OK))
		return WBL_OK;
	return sqlite_connect(s, s->write ? SQLITE_OPEN_READWRITE : SQLITE_OPEN_READONLY);
}

int32_t sqlite_ready(struct sqlite_self *s, struct wbl_call *call)
{
	int32_t rc = sqlite_look(s, call);

	if (rc || s->db)
		return rc;
	return wbl_error_report(call, WBL_E_UNAVAILABLE, s->path,
		"Check the path; a target database is made by the run itself.",
		"there is no such database");
}

/* The name under which a claim is taken: the folder behind its links, and the file's name when it is not there yet. */
static char *real_name(const char *path)
{
	char *real = realpath(path, NULL), *folder, *dir;
	const char *base = strrchr(path, '/');
	struct wbl_out o = { 0 };

	if (real || !base)
		return real ? real : wbl_sdk_strdup(path);
	dir = wbl_sdk_strdup(path);
	dir[base == path ? 1 : base - path] = 0;
	folder = realpath(dir, NULL);
	wbl_out_fmt(&o, "%s/%s", folder ? folder : dir, base + 1);
	free(folder);
	free(dir);
	return o.s;
}

static void sqlite_close_store(void *self)
{
	struct sqlite_self *s = self;

	if (!s)
		return;
	sqlite3_close_v2(s->db);
	sqlite_lane_free(s);
	free(s->path);
	free(s->real);
	free(s->last_set);
	wbl_out_clear(&s->last);
	wbl_out_clear(&s->text);
	free(s);
}

static int32_t sqlite_open_store(const struct wbl_store *me, struct wbl_call *own, uint32_t flags,
	void **ret_self, uint64_t *ret_capabilities)
{
	struct sqlite_self *s = wbl_sdk_alloc(sizeof *s);
	int32_t rc = WBL_OK;

	(void)me;
	s->call = own;
	s->path = wbl_sdk_strdup(wbl_param_text(own, "path").s);
	s->real = real_name(s->path);
	s->busy_ns = wbl_param_int(own, "busy_timeout", INT64_C(30000000000));
	s->write = (flags & WBL_OPEN_WRITE) != 0;
	if (!access(s->path, F_OK))
		rc = sqlite_connect(s, s->write ? SQLITE_OPEN_READWRITE : SQLITE_OPEN_READONLY);
	else if (errno != ENOENT)
		rc = wbl_error_report(own, WBL_E_UNAVAILABLE, s->path, hint_of(SQLITE_CANTOPEN),
			"cannot reach the database: %s", strerror(errno));
	if (rc) {
		sqlite_close_store(s);
		return rc;
	}
	*ret_self = s;
	*ret_capabilities = WBL_CAN_RANGES | WBL_CAN_SQL;
	if (s->write)
		*ret_capabilities |=
			WBL_CAN_WRITE | WBL_CAN_TRANSACTION | WBL_CAN_SCHEMA | WBL_CAN_SETS;
	return WBL_OK;
}

static int32_t sqlite_now(void *self, struct wbl_call *call, int64_t *ret_ns)
{
	struct timespec t;

	(void)self, (void)call;
	clock_gettime(CLOCK_REALTIME, &t);
	*ret_ns = (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
	return WBL_OK;
}

/* A view of this connection only: another process cannot join it, so it has no name, and the capability is not claimed. */
static int32_t sqlite_snapshot(
	void *self, struct wbl_call *call, const char **ret_name, const char **ret_position)
{
	struct sqlite_self *s = self;
	int32_t rc = sqlite_ready(s, call);

	if (!rc && !s->in_view)
		rc = sqlite_run(s, "BEGIN; SELECT count(*) FROM sqlite_schema");
	if (rc)
		return rc;
	s->in_view = 1;
	*ret_name = "";
	*ret_position = "";
	return WBL_OK;
}

static const struct wbl_store sqlite_store = {
	.size = sizeof sqlite_store,
	.revision = 1,
	.name = "sqlite",
	.open = sqlite_open_store,
	.close = sqlite_close_store,
	.describe = sqlite_describe,
	.count = sqlite_count,
	.now = sqlite_now,
	.snapshot = sqlite_snapshot,
	.split = sqlite_split,
	.scan = sqlite_scan,
	.fetch = sqlite_fetch,
	.read = sqlite_read,
	.scan_end = sqlite_scan_end,
	.write = sqlite_write,
	.append = sqlite_append,
	.commit = sqlite_commit,
	.abort = sqlite_abort,
	.receipt = sqlite_receipt,
	.schema = sqlite_schema,
	.sql = sqlite_sql,
	.sums = sqlite_sums,
};
WBL_MODULE(sqlite, "org.whimbrel.store.sqlite", "0.1.0", WBL_STORE(&sqlite_store))
