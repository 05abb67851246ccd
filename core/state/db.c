/* state/db.c - history.db: made, opened, checked, brought to the newest schema.
 * In: a state folder that is held.  Out: an open database with uuid and head of the chain read.
 * A new schema version is one more text at the end of schema[]; texts that were released stay as they are.
 * SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "core/state/db.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	APPLICATION_ID = 0x57424c31, /* "WBL1" */
	CHEAP_CHECK = 256 * 1024, /* a database up to this size is looked through at every open */
	BUSY_MS = 10000,
};

#define HINT_DISK "Free space or make it writable, then whimbrel recover."
#define HINT_DAMAGED                                                                               \
	"Restore the state folder from a backup; whimbrel audit verify names the place."

/* schema[n] brings version n to n + 1. Entries are only ever inserted; the one exception is a body that is
 * purged, which `sum` and `len` outlive. */
static const char *const schema[] = {
	"CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;"
	"CREATE TABLE entry (seq INTEGER PRIMARY KEY, at INTEGER NOT NULL, kind INTEGER NOT NULL,"
	" run TEXT, step TEXT, chunk TEXT, name TEXT, actor TEXT, pass INTEGER NOT NULL,"
	" attempt INTEGER NOT NULL, epoch INTEGER NOT NULL, status INTEGER NOT NULL,"
	" len INTEGER NOT NULL, sum BLOB NOT NULL, hash BLOB NOT NULL, body BLOB) STRICT;"
	"CREATE INDEX by_run ON entry (run) WHERE run IS NOT NULL;"
	"CREATE INDEX by_kind ON entry (kind, run);"
	"CREATE INDEX by_name ON entry (kind, name) WHERE name IS NOT NULL;",
};

enum { NEWEST = WBL_COUNT(schema) };

static int32_t code_of(int rc)
{
	if (rc == SQLITE_IOERR_SHORT_READ || rc == SQLITE_IOERR_CORRUPTFS)
		return WBL_E_DAMAGED;
	switch (rc & 0xff) {
	case SQLITE_FULL:
	case SQLITE_IOERR:
	case SQLITE_READONLY:
	case SQLITE_CANTOPEN:
	case SQLITE_PERM:
	case SQLITE_AUTH:
		return WBL_E_DISK;
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
	case SQLITE_PROTOCOL:
		return WBL_E_LOCKED;
	case SQLITE_NOMEM:
	case SQLITE_TOOBIG:
		return WBL_E_RESOURCES;
	case SQLITE_MISUSE:
	case SQLITE_INTERNAL:
		return WBL_E_INTERNAL;
	default:
		return WBL_E_DAMAGED;
	}
}

static const char *hint_of(int32_t code)
{
	switch (code) {
	case WBL_E_DISK:
		return HINT_DISK;
	case WBL_E_DAMAGED:
		return HINT_DAMAGED;
	case WBL_E_LOCKED:
		return "Another program holds the database: end it, then try again.";
	default:
		return NULL;
	}
}

int32_t wbl_db_fail(const struct wbl_state *s, struct wbl_error *err, const char *doing)
{
	int rc = sqlite3_extended_errcode(s->db), os = sqlite3_system_errno(s->db);
	int32_t code = code_of(rc);
	bool say_os = code == WBL_E_DISK && os;

	return wbl_fail(err, code, s->path, hint_of(code), "%s: %s%s%s", doing,
		sqlite3_errmsg(s->db), say_os ? ": " : "", say_os ? strerror(os) : "");
}

int32_t wbl_db_damaged(const struct wbl_state *s, struct wbl_error *err, const char *fmt, ...)
{
	char text[256];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	return wbl_fail(err, WBL_E_DAMAGED, s->path, HINT_DAMAGED, "%s", text);
}

int32_t wbl_state_usable(const struct wbl_state *s, struct wbl_error *err)
{
	if (s->failed.code && err)
		*err = s->failed;
	return s->failed.code;
}

int32_t wbl_db_prepare(
	struct wbl_state *s, const char *sql, sqlite3_stmt **ret, struct wbl_error *err)
{
	if (sqlite3_prepare_v3(s->db, sql, -1, SQLITE_PREPARE_PERSISTENT, ret, NULL))
		return wbl_db_fail(s, err, "the history cannot be read");
	return 0;
}

static int32_t run_sql(
	struct wbl_state *s, const char *sql, const char *doing, struct wbl_error *err)
{
	return sqlite3_exec(s->db, sql, NULL, NULL, NULL) ? wbl_db_fail(s, err, doing) : 0;
}

/* The first column of the first row, as a number and (when asked) as a copied text. */
static int32_t ask_sql(
	struct wbl_state *s, const char *sql, int64_t *ret, char **ret_text, struct wbl_error *err)
{
	sqlite3_stmt *q = NULL;
	int32_t rc = wbl_db_prepare(s, sql, &q, err);

	if (rc)
		return rc;
	switch (sqlite3_step(q)) {
	case SQLITE_ROW:
		if (ret)
			*ret = sqlite3_column_int64(q, 0);
		if (ret_text)
			*ret_text = wbl_strdup((const char *)sqlite3_column_text(q, 0));
		break;
	case SQLITE_DONE:
		break;
	default:
		rc = wbl_db_fail(s, err, "the history cannot be read");
	}
	sqlite3_finalize(q);
	return rc;
}

static int32_t upgrade(struct wbl_state *s, int64_t from, struct wbl_error *err)
{
	WBL_AUTOFREE char *last = wbl_strf("PRAGMA user_version=%d; COMMIT", (int)NEWEST);
	static const char doing[] = "the history cannot be brought to the schema of this version";
	int32_t rc = run_sql(s, "BEGIN IMMEDIATE", doing, err);
	int64_t v;

	for (v = from; v < NEWEST && !rc; v++)
		rc = run_sql(s, schema[v], doing, err);
	return rc ? rc : run_sql(s, last, doing, err);
}

static int32_t connect_db(struct wbl_state *s, const char *path, int flags, struct wbl_error *err)
{
	int rc = sqlite3_open_v2(
		path, &s->db, flags | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE, NULL);

	if (!s->db)
		return wbl_fail(
			err, WBL_E_RESOURCES, s->path, NULL, "no memory to open the history");
	if (rc)
		return wbl_db_fail(s, err, "the history cannot be opened");
	sqlite3_busy_timeout(s->db, BUSY_MS);
	return 0;
}

static int32_t fill_new(struct wbl_state *s, const char *path, struct wbl_error *err)
{
	char uuid[37], now[32];
	WBL_AUTOFREE char *sql = NULL;
	int32_t rc = connect_db(s, path, SQLITE_OPEN_READWRITE, err);

	wbl_uuid(uuid);
	wbl_time_text(wbl_now_real(), now);
	sql = wbl_strf("PRAGMA application_id=%d;"
		       "INSERT INTO meta VALUES ('uuid', '%s'), ('created', '%s');"
		       "PRAGMA journal_mode=WAL",
		(int)APPLICATION_ID, uuid, now);
	/* It is synced as a whole before it gets its name. */
	if (!rc)
		rc = run_sql(s, "PRAGMA synchronous=OFF; PRAGMA journal_mode=MEMORY",
			"the history cannot be made", err);
	if (!rc)
		rc = upgrade(s, 0, err);
	if (!rc)
		rc = run_sql(s, sql, "the history cannot be made", err);
	if (sqlite3_close(s->db) && !rc)
		rc = wbl_fail(err, WBL_E_INTERNAL, path, NULL, "the new history cannot be closed");
	s->db = NULL;
	return rc;
}

/* Under another name until it is whole: a history.db that is empty or half is damage, never "new". */
static int32_t make_db(struct wbl_state *s, struct wbl_error *err)
{
	WBL_AUTOFREE char *path = wbl_strf("%s.new", s->path),
			  *wal = wbl_strf("%s.new-wal", s->path);
	int fd, bad;
	int32_t rc;

	/* Whoever made our folder may have died before its name was durable: all of this would be lost with it. */
	errno = 0;
	rc = wbl_sync_parent(s->dir, err);
	if (rc && errno != EACCES)
		return rc;
	unlink(path);
	unlink(wal);
	fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return wbl_fail_errno(err, WBL_E_DISK, path, HINT_DISK, "cannot be made");
	close(fd);
	rc = fill_new(s, path, err);
	if (rc)
		return rc;
	fd = open(path, O_RDWR | O_CLOEXEC);
	bad = fd < 0 || fsync(fd) || rename(path, s->path);
	if (bad)
		rc = wbl_fail_errno(err, WBL_E_DISK, path, HINT_DISK, "cannot be made durable");
	if (fd >= 0)
		close(fd);
	return rc ? rc : wbl_sync_parent(s->path, err);
}

/* Makes what is not there yet. The artefacts' folder comes after the database, so that one without the other
 * tells of a loss. */
static int32_t make_missing(struct wbl_state *s, struct wbl_error *err)
{
	WBL_AUTOFREE char *art = wbl_strf("%s/artefacts", s->dir),
			  *locks = wbl_strf("%s/locks", s->dir);
	struct stat st;
	int32_t rc = 0;

	if (s->read_only)
		return 0;
	if (stat(s->path, &st)) {
		if (errno != ENOENT)
			return wbl_fail_errno(
				err, WBL_E_DISK, s->path, HINT_DISK, "cannot be looked at");
		if (!stat(art, &st))
			return wbl_db_damaged(
				s, err, "is missing, though its artefacts stand beside it");
		rc = make_db(s, err);
	}
	if (!rc)
		rc = wbl_folder_make(art, err);
	return rc ? rc : wbl_folder_make(locks, err);
}

static char *immutable_uri(const char *path)
{
	struct wbl_buf b = { 0 };

	wbl_buf_adds(&b, "file:");
	for (; *path; path++)
		if (strchr("%?#", *path))
			wbl_buf_addf(&b, "%%%02x", (unsigned char)*path);
		else
			wbl_buf_add(&b, path, 1);
	wbl_buf_adds(&b, "?immutable=1");
	return wbl_buf_take(&b);
}

/* A reader who may not write beside the database still reads one that was closed cleanly. */
static int32_t connect_reader(struct wbl_state *s, struct wbl_error *err)
{
	WBL_AUTOFREE char *wal = wbl_strf("%s-wal", s->path), *uri = immutable_uri(s->path);
	int32_t rc = connect_db(s, s->path, SQLITE_OPEN_READONLY, err);
	struct stat st;

	if (!rc)
		rc = ask_sql(s, "SELECT count(*) FROM sqlite_schema", NULL, NULL, err);
	if (rc != WBL_E_DISK || (!stat(wal, &st) && st.st_size))
		return rc;
	sqlite3_close(s->db);
	s->db = NULL;
	return connect_db(s, uri, SQLITE_OPEN_READONLY | SQLITE_OPEN_URI, err);
}

static int32_t check_version(struct wbl_state *s, struct wbl_error *err)
{
	int64_t id = 0, version = 0;
	int32_t rc = ask_sql(s, "PRAGMA application_id", &id, NULL, err);

	if (!rc)
		rc = ask_sql(s, "PRAGMA user_version", &version, NULL, err);
	if (rc)
		return rc;
	if (id != APPLICATION_ID)
		return wbl_db_damaged(s, err, "is not a history of Whimbrel");
	if (version > NEWEST)
		return wbl_fail(err, WBL_E_DAMAGED, s->path,
			"Use that version, or restore the backup that was made before the upgrade.",
			"made by a newer Whimbrel (schema %lld, this one knows up to %d)",
			(long long)version, (int)NEWEST);
	if (version < 1)
		return wbl_db_damaged(s, err, "has no schema");
	if (version < NEWEST && s->read_only)
		return wbl_fail(err, WBL_E_DAMAGED, s->path,
			"Let an engine of this version open it once.",
			"has the older schema %lld, this version reads %d", (long long)version,
			(int)NEWEST);
	return version < NEWEST ? upgrade(s, version, err) : 0;
}

static int32_t check_pages(struct wbl_state *s, bool unclean, struct wbl_error *err)
{
	WBL_AUTOFREE char *answer = NULL;
	struct stat st;
	int32_t rc;

	if (s->read_only)
		return 0;
	if (!unclean && !stat(s->path, &st) && st.st_size > CHEAP_CHECK)
		return 0;
	rc = ask_sql(s, "PRAGMA quick_check(1)", NULL, &answer, err);
	if (!rc && (!answer || strcmp(answer, "ok")))
		return wbl_db_damaged(s, err, "is damaged: %s", answer ? answer : "no answer");
	return rc;
}

static bool is_link(sqlite3_stmt *row, int column)
{
	return sqlite3_column_bytes(row, column) == WBL_CHAIN_LEN;
}

static bool head_fits(const struct wbl_state *s, sqlite3_stmt *row, const struct wbl_entry *e)
{
	enum { SUM = WBL_ENTRY_COLUMN_COUNT, HASH, PREV };
	const void *prev = e->seq == 1 ? s->head : sqlite3_column_blob(row, PREV);
	unsigned char link[WBL_CHAIN_LEN];

	if (!is_link(row, SUM) || !is_link(row, HASH) || (e->seq != 1 && !is_link(row, PREV)))
		return false;
	wbl_chain_link(prev, e, sqlite3_column_blob(row, SUM), link);
	return !memcmp(link, sqlite3_column_blob(row, HASH), WBL_CHAIN_LEN);
}

/* The newest entry must fit on the one before it: what we append next stands on its hash. A reader is let in
 * nevertheless: it may be there to find out what happened. */
static int32_t read_head(struct wbl_state *s, struct wbl_error *err)
{
	static const char sql[] = "SELECT " WBL_ENTRY_COLUMNS ", sum, hash,"
				  " (SELECT hash FROM entry AS b WHERE b.seq = a.seq - 1)"
				  " FROM entry AS a ORDER BY seq DESC LIMIT 1";
	sqlite3_stmt *row = NULL;
	struct wbl_entry e;
	int32_t rc = wbl_db_prepare(s, sql, &row, err);
	int step;

	if (rc)
		return rc;
	wbl_chain_start(s->uuid, s->head);
	step = sqlite3_step(row);
	if (step == SQLITE_ROW) {
		wbl_entry_read(row, &e);
		s->last = e.seq;
		if (!s->read_only && !head_fits(s, row, &e))
			rc = wbl_db_damaged(
				s, err, "the newest entry %lld was changed", (long long)e.seq);
		else if (is_link(row, WBL_ENTRY_COLUMN_COUNT + 1))
			memcpy(s->head, sqlite3_column_blob(row, WBL_ENTRY_COLUMN_COUNT + 1),
				WBL_CHAIN_LEN);
	} else if (step != SQLITE_DONE) {
		rc = wbl_db_fail(s, err, "the history cannot be read");
	}
	sqlite3_finalize(row);
	return rc;
}

static int32_t read_uuid(struct wbl_state *s, struct wbl_error *err)
{
	WBL_AUTOFREE char *uuid = NULL;
	int32_t rc = ask_sql(s, "SELECT value FROM meta WHERE key = 'uuid'", NULL, &uuid, err);

	if (rc)
		return rc;
	if (!uuid || strlen(uuid) != 36)
		return wbl_db_damaged(s, err, "has lost the id of this state");
	memcpy(s->uuid, uuid, sizeof s->uuid);
	return 0;
}

static int32_t set_writer(struct wbl_state *s, struct wbl_error *err)
{
	static const char doing[] = "the history cannot be written";
	const char *off = secure_getenv("WBL_TEST_SYNC_OFF");
	WBL_AUTOFREE char *mode = NULL;
	int32_t rc;

	rc = ask_sql(s, "PRAGMA journal_mode=WAL", NULL, &mode, err);
	if (!rc && (!mode || strcmp(mode, "wal")))
		return wbl_fail(err, WBL_E_DISK, s->path,
			"Put the state folder on a local file system.",
			"this file system has no shared memory for a write-ahead log");
	if (!rc)
		rc = run_sql(s,
			off && *off == '1' ? "PRAGMA synchronous=OFF" : "PRAGMA synchronous=FULL",
			doing, err);
	if (!rc)
		rc = run_sql(s,
			"PRAGMA wal_autocheckpoint=4000; PRAGMA cache_size=-8000;"
			"PRAGMA temp_store=MEMORY",
			doing, err);
	if (!rc)
		rc = wbl_db_prepare(s, "BEGIN IMMEDIATE", &s->begin, err);
	if (!rc)
		rc = wbl_db_prepare(s, "COMMIT", &s->commit, err);
	if (!rc)
		rc = wbl_db_prepare(s,
			"INSERT INTO entry (" WBL_ENTRY_COLUMNS ", sum, hash) VALUES"
			" (?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13,?14,?15,?16)",
			&s->insert, err);
	return rc;
}

int32_t wbl_db_open(struct wbl_state *s, struct wbl_error *err)
{
	WBL_AUTOFREE char *wal = wbl_strf("%s-wal", s->path);
	struct stat st;
	bool unclean = !stat(wal, &st) && st.st_size; /* the last close takes it away */
	int32_t rc = make_missing(s, err);

	if (!rc)
		rc = s->read_only ? connect_reader(s, err)
				  : connect_db(s, s->path, SQLITE_OPEN_READWRITE, err);
	if (!rc)
		rc = check_version(s, err);
	if (!rc)
		rc = check_pages(s, unclean, err);
	if (!rc)
		rc = read_uuid(s, err);
	if (!rc)
		rc = read_head(s, err);
	if (!rc && !s->read_only)
		rc = set_writer(s, err);
	return rc;
}

void wbl_db_close(struct wbl_state *s)
{
	size_t i;

	sqlite3_finalize(s->begin);
	sqlite3_finalize(s->commit);
	sqlite3_finalize(s->insert);
	for (i = 0; i < WBL_QUERY_SHAPES; i++)
		sqlite3_finalize(s->queries[i]);
	sqlite3_close(s->db);
	s->db = NULL;
}

int32_t wbl_state_open(
	const char *dir, unsigned flags, struct wbl_state **ret, struct wbl_error *err)
{
	WBL_AUTOFREE char *cwd = *dir == '/' ? NULL : getcwd(NULL, 0);
	struct wbl_state *s = wbl_alloc(sizeof *s);
	int32_t rc;

	s->dir = wbl_path_absolute(cwd ? cwd : "/", dir);
	s->path = wbl_strf("%s/history.db", s->dir);
	s->read_only = flags & WBL_STATE_READ_ONLY;
	s->lock_fd = -1;
	wbl_journal_hooks();
	rc = wbl_folder_hold(s, err);
	if (!rc)
		rc = wbl_db_open(s, err);
	if (rc) {
		wbl_state_close(s);
		return rc;
	}
	*ret = s;
	return 0;
}

void wbl_state_close(struct wbl_state *s)
{
	if (!s)
		return;
	wbl_db_close(s);
	if (s->lock_fd >= 0)
		close(s->lock_fd);
	wbl_buf_clear(&s->kinds);
	free(s->path);
	free(s->dir);
	free(s);
}

const char *wbl_state_dir(const struct wbl_state *s)
{
	return s->dir;
}

const char *wbl_state_uuid(const struct wbl_state *s)
{
	return s->uuid;
}
