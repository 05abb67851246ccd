/* sqlite_describe.c - what is in a database: tables, columns, keys, indexes, and marks by which a change is noticed.
 * In: the schema tables.  Out: the describe document of docs/data.md, and struct sqlite_table for the other parts.
 * SPDX-License-Identifier: Apache-2.0 */
#include "sqlite_impl.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

/* The rules of SQLite's own affinity, in their order; a numeric column may hold anything. */
static const char *logical(const char *declared)
{
	if (strcasestr(declared, "INT"))
		return "int";
	if (strcasestr(declared, "CHAR") || strcasestr(declared, "CLOB") ||
		strcasestr(declared, "TEXT"))
		return "text";
	if (strcasestr(declared, "BLOB"))
		return "bytes";
	if (strcasestr(declared, "REAL") || strcasestr(declared, "FLOA") ||
		strcasestr(declared, "DOUB"))
		return "real";
	return "any";
}

static void tell_column(const struct sqlite_table *t, size_t i, struct wbl_out *o)
{
	const struct sqlite_column *c = &t->cols[i];

	wbl_out_open(o, NULL, '{');
	wbl_out_text(o, "name", c->name);
	wbl_out_text(o, "type", logical(c->declared));
	wbl_out_text(o, "declared", c->declared);
	wbl_out_bool(
		o, "not_null", c->not_null || ((int)i == t->alias) || (t->without_rowid && c->pk));
	if (c->fallback)
		wbl_out_text(o, "default", c->fallback);
	if (c->collation)
		wbl_out_text(o, "collation", c->collation);
	if (c->generated) {
		wbl_out_bool(o, "generated", 1);
		wbl_out_bool(o, "stored", c->stored);
		wbl_out_text(o, "expression", c->expression);
	}
	wbl_out_close(o, '}');
}

static void tell_columns(const struct sqlite_table *t, struct wbl_out *o)
{
	wbl_out_open(o, "columns", '[');
	for (size_t i = 0; i < t->ncols; i++)
		if (!t->cols[i].hidden)
			tell_column(t, i, o);
	wbl_out_close(o, ']');
	wbl_out_open(o, "key", '[');
	for (int k = 1; k <= (int)t->nkey; k++)
		for (size_t i = 0; i < t->ncols; i++)
			if (t->cols[i].pk == k)
				wbl_out_text(o, NULL, t->cols[i].name);
	wbl_out_close(o, ']');
	wbl_out_open(o, "checks", '[');
	for (size_t i = 0; i < t->nchecks; i++)
		wbl_out_text(o, NULL, t->checks[i]);
	wbl_out_close(o, ']');
}

static void end_reference(struct wbl_out *o, struct wbl_out *to, sqlite3_stmt *st)
{
	wbl_out_close(o, ']');
	wbl_out_text(o, "to", sqlite_column_str(st, 2));
	wbl_out_json(o, "to_columns", to->s);
	wbl_out_text(o, "on_update", sqlite_column_str(st, 5));
	wbl_out_text(o, "on_delete", sqlite_column_str(st, 6));
	wbl_out_close(o, '}');
}

/* In the order of their definition; a key of several columns is several rows of the pragma. */
static int32_t tell_references(
	struct sqlite_self *s, const struct sqlite_table *t, struct wbl_out *o)
{
	struct wbl_out to = { 0 };
	sqlite3_stmt *st;
	int32_t rc = sqlite_prepare(s,
		"SELECT id,seq,\"table\",\"from\",\"to\",on_update,on_delete,max(seq) OVER "
		"(PARTITION BY id) FROM pragma_foreign_key_list(?1) ORDER BY id DESC,seq",
		&st);

	if (rc)
		return rc;
	sqlite3_bind_text(st, 1, t->name, -1, SQLITE_STATIC);
	wbl_out_open(o, "foreign_keys", '[');
	while (sqlite3_step(st) == SQLITE_ROW) {
		if (!sqlite3_column_int(st, 1)) {
			wbl_out_open(o, NULL, '{');
			wbl_out_open(o, "columns", '[');
			wbl_out_reset(&to);
			wbl_out_open(&to, NULL, '[');
		}
		wbl_out_text(o, NULL, sqlite_column_str(st, 3));
		if (sqlite3_column_type(st, 4) != SQLITE_NULL)
			wbl_out_text(&to, NULL, sqlite_column_str(st, 4));
		if (sqlite3_column_int(st, 1) == sqlite3_column_int(st, 7)) {
			wbl_out_close(&to, ']');
			end_reference(o, &to, st);
		}
	}
	wbl_out_close(o, ']');
	wbl_out_clear(&to);
	sqlite3_finalize(st);
	return WBL_OK;
}

/* Definitions of indexes, in the order of their tables: one statement for all, because the schema table has no index of its own. */
struct definitions {
	sqlite3_stmt *st;
	int more;
};

static int32_t definitions_open(struct sqlite_self *s, const char *set, struct definitions *d)
{
	int32_t rc = sqlite_prepare(s,
		"SELECT tbl_name,name,sql FROM sqlite_schema WHERE type='index' AND sql IS NOT "
		"NULL AND (?1 IS NULL OR tbl_name=?1 COLLATE NOCASE) ORDER BY tbl_name,name",
		&d->st);

	if (rc)
		return rc;
	sqlite3_bind_text(d->st, 1, set, -1, SQLITE_TRANSIENT);
	d->more = sqlite3_step(d->st) == SQLITE_ROW;
	return WBL_OK;
}

static void tell_index(const struct sqlite_index *x, const char *definition, struct wbl_out *o)
{
	wbl_out_open(o, NULL, '{');
	wbl_out_text(o, "name", x->name);
	wbl_out_bool(o, "unique", x->unique);
	wbl_out_bool(o, "special", x->special);
	wbl_out_open(o, "columns", '[');
	for (size_t k = 0; k < x->ncols; k++)
		wbl_out_text(o, NULL, x->cols[k]);
	wbl_out_close(o, ']');
	wbl_out_text(o, "definition", definition);
	wbl_out_close(o, '}');
}

static void tell_uniques(const struct sqlite_index *list, size_t n, struct wbl_out *o)
{
	wbl_out_open(o, "uniques", '[');
	for (size_t i = 0; i < n; i++) {
		if (list[i].origin != 'u')
			continue;
		wbl_out_open(o, NULL, '[');
		for (size_t k = 0; k < list[i].ncols; k++)
			wbl_out_text(o, NULL, list[i].cols[k]);
		wbl_out_close(o, ']');
	}
	wbl_out_close(o, ']');
}

/* indexes: those that were made by CREATE INDEX; the others come with the table. */
static int32_t tell_indexes(struct sqlite_self *s, const struct sqlite_table *t,
	struct definitions *d, struct wbl_out *o)
{
	struct sqlite_index *list;
	size_t n;
	int32_t rc = sqlite_indexes_load(s, t->name, &list, &n);
	int order;

	wbl_out_open(o, "indexes", '[');
	while (!rc && d->more && (order = strcmp(sqlite_column_str(d->st, 0), t->name)) <= 0) {
		const char *name = sqlite_column_str(d->st, 1);

		for (size_t i = 0; !order && i < n; i++)
			if (!strcmp(list[i].name, name))
				tell_index(&list[i], sqlite_column_str(d->st, 2), o);
		d->more = sqlite3_step(d->st) == SQLITE_ROW;
	}
	wbl_out_close(o, ']');
	tell_uniques(list, n, o);
	sqlite_indexes_free(list, n);
	return rc;
}

/* Where the counter of an AUTOINCREMENT key stands. */
static int32_t tell_sequence(struct sqlite_self *s, const struct sqlite_table *t, struct wbl_out *o)
{
	sqlite3_stmt *st;
	int32_t rc;

	wbl_out_bool(o, "autoincrement", t->autoincrement);
	if (!t->autoincrement)
		return WBL_OK;
	rc = sqlite_prepare(s, "SELECT seq FROM sqlite_sequence WHERE name=?1", &st);
	if (rc)
		return rc;
	sqlite3_bind_text(st, 1, t->name, -1, SQLITE_STATIC);
	if (sqlite3_step(st) == SQLITE_ROW)
		wbl_out_int(o, "sequence", sqlite3_column_int64(st, 0));
	sqlite3_finalize(st);
	return WBL_OK;
}

/* The head of `t` is there. */
static int32_t tell_set(
	struct sqlite_self *s, struct sqlite_table *t, struct definitions *d, struct wbl_out *o)
{
	int32_t rc = sqlite_columns_load(s, t);

	if (rc)
		return rc;
	wbl_out_open(o, NULL, '{');
	wbl_out_text(o, "name", t->name);
	wbl_out_text(o, "kind", t->kind);
	wbl_out_text(o, "position", t->rowid ? "rowid" : NULL);
	wbl_out_bool(o, "ranges", t->rowid || t->without_rowid);
	wbl_out_bool(o, "without_rowid", t->without_rowid);
	wbl_out_bool(o, "strict", t->strict);
	wbl_out_open(o, "lanes", '[');
	if (sqlite_lane_bears(s, t))
		wbl_out_text(o, NULL, SQLITE_LANE);
	wbl_out_close(o, ']');
	rc = tell_sequence(s, t, o);
	tell_columns(t, o);
	rc = rc ? rc : tell_references(s, t, o);
	rc = rc ? rc : tell_indexes(s, t, d, o);
	wbl_out_text(o, "definition", t->sql);
	wbl_out_close(o, '}');
	return rc;
}

/* set NULL: all. */
static int32_t tell_sets(struct sqlite_self *s, const char *set, struct wbl_out *o)
{
	struct definitions d = { 0 };
	struct sqlite_table t;
	sqlite3_stmt *st;
	uint64_t n = 0;
	int32_t rc = sqlite_prepare(s,
		"SELECT " SQLITE_HEAD_COLUMNS
		" FROM pragma_table_list(?1) l LEFT JOIN sqlite_schema m ON m.name=l.name AND "
		"m.type='table' WHERE l.schema='main' AND l.type IN ('table','virtual') AND "
		"l.name NOT LIKE 'sqlite\\_%' ESCAPE '\\' AND l.name<>'" SQLITE_RECEIPTS
		"' AND (?1 IS NULL OR l.name=?1 COLLATE NOCASE) ORDER BY l.name",
		&st);

	if (rc)
		return rc;
	sqlite3_bind_text(st, 1, set, -1, SQLITE_TRANSIENT);
	rc = definitions_open(s, set, &d);
	wbl_out_open(o, "sets", '[');
	for (; !rc && sqlite3_step(st) == SQLITE_ROW; n++) {
		sqlite_head_take(st, &t);
		rc = tell_set(s, &t, &d, o);
		sqlite_table_clear(&t);
	}
	wbl_out_close(o, ']');
	sqlite3_finalize(d.st);
	sqlite3_finalize(st);
	return !rc && set && !n ? WBL_END : rc;
}

/* set NULL: all; else its triggers. */
static int32_t tell_others(struct sqlite_self *s, const char *set, struct wbl_out *o)
{
	sqlite3_stmt *st;
	int32_t rc = sqlite_prepare(s,
		"SELECT type,name,tbl_name,sql FROM sqlite_schema WHERE type IN ('view','trigger') "
		"AND (?1 IS NULL OR tbl_name=?1 COLLATE NOCASE) ORDER BY type,name",
		&st);

	if (rc)
		return rc;
	sqlite3_bind_text(st, 1, set, -1, SQLITE_TRANSIENT);
	wbl_out_open(o, "others", '[');
	while (sqlite3_step(st) == SQLITE_ROW) {
		wbl_out_open(o, NULL, '{');
		wbl_out_text(o, "kind", sqlite_column_str(st, 0));
		wbl_out_text(o, "name", sqlite_column_str(st, 1));
		wbl_out_text(o, "set", sqlite_column_str(st, 2));
		wbl_out_text(o, "definition", sqlite_column_str(st, 3));
		wbl_out_close(o, '}');
	}
	wbl_out_close(o, ']');
	sqlite3_finalize(st);
	return WBL_OK;
}

static int32_t schema_digest(struct sqlite_self *s, struct wbl_out *o)
{
	struct wbl_out all = { 0 };
	char hex[33];
	sqlite3_stmt *st;
	int32_t rc = sqlite_prepare(s,
		"SELECT type,name,tbl_name,sql FROM sqlite_schema WHERE name NOT LIKE 'sqlite\\_%' "
		"ESCAPE "
		"'\\' AND tbl_name<>'" SQLITE_RECEIPTS "' ORDER BY type,name",
		&st);

	if (rc)
		return rc;
	wbl_out_add(&all, "", 0);
	while (sqlite3_step(st) == SQLITE_ROW)
		for (int i = 0; i < 4; i++)
			wbl_out_text(&all, NULL, (const char *)sqlite3_column_text(st, i));
	sqlite3_finalize(st);
	wbl_digest_hex(all.s, all.len, hex);
	wbl_out_text(o, "schema_digest", hex);
	wbl_out_clear(&all);
	return WBL_OK;
}

/* Through the library's own descriptor: to close another one of the same file would give up the locks which this process holds. */
static void change_counter(struct sqlite_self *s, struct wbl_out *o)
{
	sqlite3_file *file = NULL;
	char buf[4], hex[33];
	int ok = !sqlite3_file_control(s->db, "main", SQLITE_FCNTL_FILE_POINTER, &file) &&
		 file->pMethods && !file->pMethods->xRead(file, buf, sizeof buf, 24);

	wbl_digest_hex(buf, ok ? sizeof buf : 0, hex);
	wbl_out_fmt(o, "/%.16s", hex);
}

/* In WAL mode every transaction changes the head of the log's index (number and checksum of the last frame). */
static void log_head(struct sqlite_self *s, struct wbl_out *o)
{
	enum { REGION = 32768, HEAD = 48 };
	sqlite3_file *file = NULL;
	void volatile *map = NULL;
	char head[HEAD], hex[33];

	if (sqlite3_file_control(s->db, "main", SQLITE_FCNTL_FILE_POINTER, &file) ||
		!file->pMethods || file->pMethods->iVersion < 2 ||
		file->pMethods->xShmMap(file, 0, REGION, 0, &map) || !map)
		return;
	for (int i = 0; i < HEAD; i++)
		head[i] = ((volatile char *)map)[i];
	wbl_digest_hex(head, sizeof head, hex);
	wbl_out_fmt(o, "/%.16s", hex);
}

/* Any write moves the size, the time or the change counter of the file; in WAL mode those of the log, or the head of its index. Files are
 * looked at, never locked. */
static void identity(struct sqlite_self *s, struct wbl_out *o)
{
	struct wbl_out id = { 0 }, side = { 0 };
	struct stat st;

	if (!stat(s->real, &st))
		wbl_out_fmt(&id, "%llu:%lld:%lld.%09ld", (unsigned long long)st.st_ino,
			(long long)st.st_size, (long long)st.st_mtim.tv_sec, st.st_mtim.tv_nsec);
	change_counter(s, &id);
	wbl_out_fmt(&side, "%s-wal", s->real);
	if (!stat(side.s, &st) && st.st_size) {
		wbl_out_fmt(&id, "/%lld:%lld.%09ld", (long long)st.st_size,
			(long long)st.st_mtim.tv_sec, st.st_mtim.tv_nsec);
		log_head(s, &id);
	}
	wbl_out_text(o, "identity", id.s);
	wbl_out_clear(&id);
	wbl_out_clear(&side);
}

static void tell_store(struct sqlite_self *s, struct wbl_out *o)
{
	wbl_out_text(o, "store", "sqlite");
	wbl_out_text(o, "dialect", "sqlite");
	wbl_out_bool(o, "exists", s->db != NULL);
	wbl_out_open(o, "claims", '[');
	wbl_out_open(o, NULL, '{');
	wbl_out_text(o, "kind", "path");
	wbl_out_text(o, "name", s->real);
	wbl_out_close(o, '}');
	wbl_out_close(o, ']');
	wbl_out_open(o, "limits", '{');
	wbl_out_int(o, "writers", 1);
	wbl_out_int(o, "tables_at_once", 64);
	wbl_out_close(o, '}');
	wbl_out_bool(o, "stays_open", 1);
	wbl_out_text(o, "snapshot", "one process: each chunk reads a view of its own");
	wbl_out_text(o, "reference_check",
		"SELECT \"table\", rowid, parent FROM pragma_foreign_key_check");
}

/* Said when it is planned, not found out in the first step. An earlier migration may still make it. */
static void warn_of_folder(struct sqlite_self *s)
{
	char *copy = wbl_sdk_strdup(s->path);

	if (access(dirname(copy), W_OK | X_OK))
		wbl_warning_report(s->call, s->path,
			errno == ENOENT ? "Make the folder before the plan is applied."
					: "Give the engine's user the right to write there.",
			"its folder cannot be written: %s", strerror(errno));
	free(copy);
}

static int64_t schema_version(struct sqlite_self *s)
{
	sqlite3_stmt *st;
	int64_t version = -1;

	if (sqlite_prepare(s, "PRAGMA schema_version", &st))
		return -1;
	if (sqlite3_step(st) == SQLITE_ROW)
		version = sqlite3_column_int64(st, 0);
	sqlite3_finalize(st);
	return version;
}

/* A step asks for its table many times; the schema's own counter says whether the answer still holds. Not where a counter is part of it. */
static int32_t describe_one(struct sqlite_self *s, const char *set)
{
	int64_t version = schema_version(s);
	int32_t rc;

	if (!s->last_set || version < 0 || version != s->last_schema || strcmp(s->last_set, set)) {
		free(s->last_set);
		s->last_set = NULL;
		wbl_out_reset(&s->last);
		wbl_out_open(&s->last, NULL, '{');
		rc = tell_sets(s, set, &s->last);
		rc = rc ? rc : tell_others(s, set, &s->last);
		if (rc)
			return rc;
		s->last_set = wbl_sdk_strdup(set);
		s->last_schema = strstr(s->last.s, "\"autoincrement\":true") ? -1 : version;
	}
	/* Its members become members of the whole. */
	wbl_out_add(&s->text, ",", 1);
	wbl_out_add(&s->text, s->last.s + 1, s->last.len - 1);
	return WBL_OK;
}

int32_t sqlite_describe(void *self, struct wbl_call *call, const char *set, const char **ret_json)
{
	struct sqlite_self *s = self;
	int32_t rc = sqlite_look(s, call);

	if (rc)
		return rc;
	wbl_out_reset(&s->text);
	wbl_out_open(&s->text, NULL, '{');
	tell_store(s, &s->text);
	if (s->db && set) {
		identity(s, &s->text);
		rc = describe_one(s, set);
	} else if (s->db) {
		rc = schema_digest(s, &s->text);
		identity(s, &s->text);
		rc = rc ? rc : tell_sets(s, NULL, &s->text);
		rc = rc ? rc : tell_others(s, NULL, &s->text);
	} else if (set) {
		return WBL_END;
	} else {
		warn_of_folder(s);
	}
	wbl_out_close(&s->text, '}');
	if (!rc)
		*ret_json = s->text.s;
	return rc;
}
