/* conform/look.c - a folder as sorted lines: names, modes, contents; databases by their rows.
 * Two looks at equal worlds are equal texts, so that a difference can be named.
 * SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <fcntl.h>
#include <ftw.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <sqlite3.h>

#include "core/base/file.h"
#include "core/conform/fixture.h"

enum look { FILES, DIRECTORY, SQLITE };

/* nftw has no argument of its own; a test process looks in one thread. */
static struct {
	enum look how;
	size_t root; /* length of the folder's name */
	char **lines;
	size_t count;
	struct wbl_error *err;
	int32_t rc;
} at;

static void add(char *line)
{
	at.lines = wbl_grow(at.lines, at.count, sizeof *at.lines);
	at.lines[at.count++] = line;
}

static bool is_database(const char *path)
{
	char head[16] = { 0 };
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	bool yes = fd >= 0 && read(fd, head, sizeof head) == sizeof head &&
		   !memcmp(head, "SQLite format 3", 16);

	if (fd >= 0)
		close(fd);
	return yes;
}

static bool is_side_file(const char *path)
{
	static const char *const ends[] = { "-wal", "-shm", "-journal" };
	size_t n = strlen(path), i;

	for (i = 0; i < WBL_COUNT(ends); i++)
		if (n > strlen(ends[i]) && !strcmp(path + n - strlen(ends[i]), ends[i]))
			return true;
	return false;
}

static void add_row(const char *name, const char *table, sqlite3_stmt *s)
{
	struct wbl_buf b = { 0 };
	int i;

	wbl_buf_addf(&b, "%s %s:", name, table);
	for (i = 0; i < sqlite3_column_count(s); i++) {
		int type = sqlite3_column_type(s, i);
		char sha[WBL_SHA256_HEX];

		if (type == SQLITE_BLOB) {
			wbl_sha256_hex(
				sqlite3_column_blob(s, i), (size_t)sqlite3_column_bytes(s, i), sha);
			wbl_buf_addf(&b, " blob:%s", sha);
		} else {
			wbl_buf_addf(&b, " %d:%s", type,
				type == SQLITE_NULL ? "" : (const char *)sqlite3_column_text(s, i));
		}
	}
	add(wbl_buf_take(&b));
}

static int32_t add_query(sqlite3 *db, const char *name, const char *what, const char *sql)
{
	sqlite3_stmt *s = NULL;
	int rc = sqlite3_prepare_v2(db, sql, -1, &s, NULL);

	while (rc == SQLITE_OK && sqlite3_step(s) == SQLITE_ROW)
		add_row(name, what, s);
	if (sqlite3_finalize(s) != SQLITE_OK || rc != SQLITE_OK)
		return wbl_fail(
			at.err, WBL_E_FAILED, name, NULL, "cannot be read: %s", sqlite3_errmsg(db));
	return 0;
}

static int32_t add_tables(sqlite3 *db, const char *name)
{
	sqlite3_stmt *s = NULL;
	int32_t rc = add_query(db, name, "schema",
		"SELECT type, name, tbl_name, sql FROM sqlite_master WHERE name NOT LIKE "
		"'sqlite_%'");

	if (rc || sqlite3_prepare_v2(db, "SELECT name FROM sqlite_master WHERE type = 'table'", -1,
			  &s, NULL) != SQLITE_OK)
		return rc;
	while (!rc && sqlite3_step(s) == SQLITE_ROW) {
		const char *table = (const char *)sqlite3_column_text(s, 0);
		char *sql = sqlite3_mprintf("SELECT * FROM \"%w\"", table);

		rc = add_query(db, name, table, sql);
		sqlite3_free(sql);
	}
	sqlite3_finalize(s);
	return rc;
}

/* Opened for writing where that is allowed: a WAL that a killed process left belongs to the database. */
static int32_t add_database(const char *path, const char *name)
{
	sqlite3 *db = NULL;
	int32_t rc;

	if (sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, NULL) != SQLITE_OK) {
		sqlite3_close(db);
		if (sqlite3_open_v2(path, &db, SQLITE_OPEN_READONLY, NULL) != SQLITE_OK) {
			rc = wbl_fail(at.err, WBL_E_FAILED, path, NULL, "cannot be opened: %s",
				sqlite3_errmsg(db));
			sqlite3_close(db);
			return rc;
		}
	}
	sqlite3_busy_timeout(db, 5000);
	rc = add_tables(db, name);
	sqlite3_close(db);
	return rc;
}

static int32_t add_file(const char *path, const char *name, const struct stat *st)
{
	char sha[WBL_SHA256_HEX];
	struct wbl_buf b = { 0 };
	int32_t rc;

	if (at.how == SQLITE && is_database(path))
		return add_database(path, name);
	if (at.how == SQLITE && is_side_file(path))
		return 0;
	rc = wbl_sha256_file(path, sha, at.err);
	if (rc)
		return rc;
	wbl_buf_addf(&b, "%s file %04o %jd bytes %s", name, (unsigned)st->st_mode & 07777,
		(intmax_t)st->st_size, sha);
	if (at.how == DIRECTORY)
		wbl_buf_addf(&b, " %ld:%ld %jd.%09ld", (long)st->st_uid, (long)st->st_gid,
			(intmax_t)st->st_mtim.tv_sec, st->st_mtim.tv_nsec);
	add(wbl_buf_take(&b));
	return 0;
}

static int visit(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	const char *name = path + at.root + (path[at.root] == '/');
	char link[4096];
	ssize_t n;

	(void)ftw;
	if (type == FTW_SL || type == FTW_SLN) {
		n = readlink(path, link, sizeof link - 1);
		link[n > 0 ? n : 0] = '\0';
		add(wbl_strf("%s link %s", name, link));
	} else if (type == FTW_F && S_ISREG(st->st_mode)) {
		at.rc = add_file(path, name, st);
	} else if (type == FTW_D || type == FTW_DNR) {
		add(wbl_strf("%s folder %04o", *name ? name : ".", (unsigned)st->st_mode & 07777));
	} else {
		add(wbl_strf("%s special %06o", name, (unsigned)st->st_mode));
	}
	return at.rc ? 1 : 0;
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static int32_t walk(const char *folder, enum look how, struct wbl_buf *ret, struct wbl_error *err)
{
	size_t i;

	memset(&at, 0, sizeof at);
	at.how = how;
	at.root = strlen(folder);
	at.err = err;
	if (nftw(folder, visit, 64, FTW_PHYS) && !at.rc)
		at.rc = wbl_fail_errno(err, WBL_E_FAILED, folder, NULL, "cannot be looked at");
	if (at.count)
		qsort(at.lines, at.count, sizeof *at.lines, by_text);
	for (i = 0; i < at.count; i++) {
		if (!at.rc)
			wbl_buf_addf(ret, "%s\n", at.lines[i]);
		free(at.lines[i]);
	}
	free(at.lines);
	return at.rc;
}

int32_t wbl_fixture_list(const char *folder, struct wbl_buf *ret, struct wbl_error *err)
{
	wbl_buf_clear(ret);
	return walk(folder, FILES, ret, err);
}

int32_t wbl_fixture_look(const struct wbl_kit *k, struct wbl_buf *ret, struct wbl_error *err)
{
	const char *kind = k->fixture->kind;
	WBL_AUTOFREE char *folder = wbl_fixture_folder(k);

	wbl_buf_clear(ret);
	if (k->fixture->digest)
		return wbl_fixture_command(k, k->fixture->digest, ret, err);
	return walk(folder,
		!strcmp(kind, "sqlite")      ? SQLITE
		: !strcmp(kind, "directory") ? DIRECTORY
					     : FILES,
		ret, err);
}
