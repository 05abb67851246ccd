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

static const char *column_text(sqlite3_stmt *st, int at)
{
	const char *s = (const char *)sqlite3_column_text(st, at);

	return s ? s : "";
}

void sqlite_table_clear(struct sqlite_table *t)
{
	for (size_t i = 0; i < t->ncols; i++) {
		free(t->cols[i].name);
		free(t->cols[i].declared);
		free(t->cols[i].fallback);
	}
	free(t->cols);
	free(t->name);
	free(t->kind);
	free(t->sql);
	memset(t, 0, sizeof *t);
}

const struct sqlite_column *sqlite_table_column(const struct sqlite_table *t, const char *name)
{
	for (size_t i = 0; i < t->ncols; i++)
		if (!strcasecmp(t->cols[i].name, name))
			return &t->cols[i];
	return NULL;
}

int sqlite_exists(struct sqlite_self *s, const char *name)
{
	sqlite3_stmt *st;
	int found = 0;

	if (sqlite_prepare(s, "SELECT 1 FROM sqlite_schema WHERE name=?1 COLLATE NOCASE", &st))
		return 0;
	sqlite3_bind_text(st, 1, name, -1, SQLITE_STATIC);
	found = sqlite3_step(st) == SQLITE_ROW;
	sqlite3_finalize(st);
	return found;
}

static int32_t load_head(struct sqlite_self *s, const char *name, struct sqlite_table *t)
{
	sqlite3_stmt *st;
	int32_t rc = sqlite_prepare(s,
		"SELECT l.name,l.type,l.wr,l.strict,m.sql FROM pragma_table_list(?1) l LEFT JOIN "
		"sqlite_schema m "
		"ON m.name=l.name AND m.type IN ('table','view') WHERE l.schema='main' AND "
		"l.name=?1 COLLATE NOCASE",
		&st);

	if (rc)
		return rc;
	sqlite3_bind_text(st, 1, name, -1, SQLITE_STATIC);
	if (sqlite3_step(st) == SQLITE_ROW) {
		t->name = wbl_sdk_strdup(column_text(st, 0));
		t->kind = wbl_sdk_strdup(column_text(st, 1));
		t->without_rowid = sqlite3_column_int(st, 2);
		t->strict = sqlite3_column_int(st, 3);
		t->sql = wbl_sdk_strdup(column_text(st, 4));
		t->autoincrement = strcasestr(t->sql, "AUTOINCREMENT") != NULL;
	} else {
		rc = WBL_END;
	}
	sqlite3_finalize(st);
	return rc;
}

static void load_column(sqlite3_stmt *st, struct sqlite_table *t)
{
	struct sqlite_column *c;

	t->cols = wbl_sdk_grow(t->cols, (t->ncols + 1) * sizeof *t->cols);
	c = &t->cols[t->ncols++];
	*c = (struct sqlite_column){
		.name = wbl_sdk_strdup(column_text(st, 1)),
		.declared = wbl_sdk_strdup(column_text(st, 2)),
		.not_null = sqlite3_column_int(st, 3),
		.pk = sqlite3_column_int(st, 5),
		.generated = sqlite3_column_int(st, 6) >= 2,
		.hidden = sqlite3_column_int(st, 6) == 1,
	};
	if (sqlite3_column_type(st, 4) != SQLITE_NULL)
		c->fallback = wbl_sdk_strdup(column_text(st, 4));
	t->nkey += c->pk > 0;
}

/* The rowid has three names; a column may hide each of them. */
static void find_rowid(struct sqlite_table *t)
{
	static const char *const names[] = { "rowid", "_rowid_", "oid" };

	t->alias = -1;
	if (t->without_rowid || strcmp(t->kind, "table") != 0)
		return;
	for (size_t i = 0; i < 3 && !t->rowid; i++)
		if (!sqlite_table_column(t, names[i]))
			t->rowid = names[i];
	for (size_t i = 0; i < t->ncols && t->nkey == 1; i++)
		if (t->cols[i].pk && !strcasecmp(t->cols[i].declared, "INTEGER") &&
			!strcasestr(t->sql, "DESC"))
			t->alias = (int)i;
}

int32_t sqlite_table_load(struct sqlite_self *s, const char *name, struct sqlite_table *t)
{
	sqlite3_stmt *st;
	int32_t rc;
	int step;

	memset(t, 0, sizeof *t);
	rc = load_head(s, name, t);
	if (rc)
		return rc;
	rc = sqlite_prepare(s, "SELECT * FROM pragma_table_xinfo(?1)", &st);
	if (!rc) {
		sqlite3_bind_text(st, 1, t->name, -1, SQLITE_STATIC);
		while ((step = sqlite3_step(st)) == SQLITE_ROW)
			load_column(st, t);
		sqlite3_finalize(st);
		if (step != SQLITE_DONE)
			rc = sqlite_fail(s, step, "cannot read the columns");
	}
	if (rc)
		sqlite_table_clear(t);
	else
		find_rowid(t);
	return rc;
}

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

static void tell_columns(const struct sqlite_table *t, struct wbl_out *o)
{
	wbl_out_open(o, "columns", '[');
	for (size_t i = 0; i < t->ncols; i++) {
		const struct sqlite_column *c = &t->cols[i];

		if (c->hidden)
			continue;
		wbl_out_open(o, NULL, '{');
		wbl_out_text(o, "name", c->name);
		wbl_out_text(o, "type", logical(c->declared));
		wbl_out_text(o, "declared", c->declared);
		wbl_out_bool(o, "not_null",
			c->not_null || ((int)i == t->alias) || (t->without_rowid && c->pk));
		if (c->fallback)
			wbl_out_text(o, "default", c->fallback);
		if (c->generated)
			wbl_out_bool(o, "generated", 1);
		wbl_out_close(o, '}');
	}
	wbl_out_close(o, ']');
	wbl_out_open(o, "key", '[');
	for (int k = 1; k <= (int)t->nkey; k++)
		for (size_t i = 0; i < t->ncols; i++)
			if (t->cols[i].pk == k)
				wbl_out_text(o, NULL, t->cols[i].name);
	wbl_out_close(o, ']');
}

static int32_t tell_index_columns(struct sqlite_self *s, const char *index, struct wbl_out *o)
{
	sqlite3_stmt *st;
	int32_t rc =
		sqlite_prepare(s, "SELECT name FROM pragma_index_info(?1) ORDER BY seqno", &st);

	if (rc)
		return rc;
	sqlite3_bind_text(st, 1, index, -1, SQLITE_STATIC);
	wbl_out_open(o, "columns", '[');
	while (sqlite3_step(st) == SQLITE_ROW)
		wbl_out_text(o, NULL, (const char *)sqlite3_column_text(st, 0));
	wbl_out_close(o, ']');
	sqlite3_finalize(st);
	return WBL_OK;
}

/* Those that were made by CREATE INDEX; the others come with the table. */
static int32_t tell_indexes(struct sqlite_self *s, const struct sqlite_table *t, struct wbl_out *o)
{
	sqlite3_stmt *st;
	int32_t rc = sqlite_prepare(s,
		"SELECT l.name,l.\"unique\",m.sql FROM pragma_index_list(?1) l JOIN sqlite_schema "
		"m "
		"ON m.name=l.name AND m.type='index' WHERE l.origin='c' ORDER BY l.name",
		&st);

	if (rc)
		return rc;
	sqlite3_bind_text(st, 1, t->name, -1, SQLITE_STATIC);
	wbl_out_open(o, "indexes", '[');
	while (!rc && sqlite3_step(st) == SQLITE_ROW) {
		wbl_out_open(o, NULL, '{');
		wbl_out_text(o, "name", column_text(st, 0));
		wbl_out_bool(o, "unique", sqlite3_column_int(st, 1));
		rc = tell_index_columns(s, column_text(st, 0), o);
		wbl_out_text(o, "definition", column_text(st, 2));
		wbl_out_close(o, '}');
	}
	wbl_out_close(o, ']');
	sqlite3_finalize(st);
	return rc;
}

static int32_t tell_set(struct sqlite_self *s, const char *name, struct wbl_out *o)
{
	struct sqlite_table t;
	int32_t rc = sqlite_table_load(s, name, &t);

	if (rc)
		return rc;
	wbl_out_open(o, NULL, '{');
	wbl_out_text(o, "name", t.name);
	wbl_out_text(o, "kind", t.kind);
	wbl_out_text(o, "position", t.rowid ? "rowid" : NULL);
	wbl_out_bool(o, "ranges", t.rowid || t.without_rowid);
	wbl_out_bool(o, "autoincrement", t.autoincrement);
	tell_columns(&t, o);
	rc = tell_indexes(s, &t, o);
	wbl_out_text(o, "definition", t.sql);
	wbl_out_close(o, '}');
	sqlite_table_clear(&t);
	return rc;
}

static int32_t tell_sets(struct sqlite_self *s, struct wbl_out *o)
{
	sqlite3_stmt *st;
	int32_t rc = sqlite_prepare(s,
		"SELECT name FROM pragma_table_list WHERE schema='main' AND type IN "
		"('table','virtual') AND "
		"name NOT LIKE 'sqlite\\_%' ESCAPE '\\' AND name<>'" SQLITE_RECEIPTS
		"' ORDER BY name",
		&st);

	if (rc)
		return rc;
	wbl_out_open(o, "sets", '[');
	while (!rc && sqlite3_step(st) == SQLITE_ROW)
		rc = tell_set(s, column_text(st, 0), o);
	wbl_out_close(o, ']');
	sqlite3_finalize(st);
	return rc;
}

static int32_t tell_others(struct sqlite_self *s, struct wbl_out *o)
{
	sqlite3_stmt *st;
	int32_t rc = sqlite_prepare(s,
		"SELECT type,name,tbl_name,sql FROM sqlite_schema WHERE type IN ('view','trigger') "
		"ORDER BY type,name",
		&st);

	if (rc)
		return rc;
	wbl_out_open(o, "others", '[');
	while (sqlite3_step(st) == SQLITE_ROW) {
		wbl_out_open(o, NULL, '{');
		wbl_out_text(o, "kind", column_text(st, 0));
		wbl_out_text(o, "name", column_text(st, 1));
		wbl_out_text(o, "set", column_text(st, 2));
		wbl_out_text(o, "definition", column_text(st, 3));
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

static void piece(const char *path, off_t at, size_t len, struct wbl_out *o)
{
	char buf[64], hex[33];
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : pread(fd, buf, len, at);

	if (fd >= 0)
		close(fd);
	wbl_digest_hex(buf, n > 0 ? (size_t)n : 0, hex);
	wbl_out_fmt(o, "/%.16s", hex);
}

/* Any write moves the size, the time or the change counter of the file; in WAL mode those of the log, or the head of its index (number and
 * checksum of the last frame). Files are looked at, never locked. */
static void identity(struct sqlite_self *s, struct wbl_out *o)
{
	struct wbl_out id = { 0 }, side = { 0 };
	struct stat st;

	if (!stat(s->real, &st))
		wbl_out_fmt(&id, "%llu:%lld:%lld.%09ld", (unsigned long long)st.st_ino,
			(long long)st.st_size, (long long)st.st_mtim.tv_sec, st.st_mtim.tv_nsec);
	piece(s->real, 24, 4, &id);
	wbl_out_fmt(&side, "%s-wal", s->real);
	if (!stat(side.s, &st) && st.st_size) {
		wbl_out_fmt(&id, "/%lld:%lld.%09ld", (long long)st.st_size,
			(long long)st.st_mtim.tv_sec, st.st_mtim.tv_nsec);
		wbl_out_reset(&side);
		wbl_out_fmt(&side, "%s-shm", s->real);
		piece(side.s, 0, 48, &id);
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
	wbl_out_close(o, '}');
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

int32_t sqlite_describe(void *self, struct wbl_call *call, const char *set, const char **ret_json)
{
	struct sqlite_self *s = self;
	int32_t rc = WBL_OK;

	s->call = call;
	wbl_out_reset(&s->text);
	wbl_out_open(&s->text, NULL, '{');
	tell_store(s, &s->text);
	if (s->db) {
		rc = schema_digest(s, &s->text);
		identity(s, &s->text);
		if (!rc && set) {
			wbl_out_open(&s->text, "sets", '[');
			rc = tell_set(s, set, &s->text);
			wbl_out_close(&s->text, ']');
		} else if (!rc) {
			rc = tell_sets(s, &s->text);
			rc = rc ? rc : tell_others(s, &s->text);
		}
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
