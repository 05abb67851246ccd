/* sqlite_table.c - one table of a database: columns, keys, rules, indexes, references.
 * In: pragmas, and the text of the definition where no pragma tells.  Out: struct sqlite_table, struct sqlite_index.
 * SPDX-License-Identifier: Apache-2.0 */
#include "sqlite_impl.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

const char *sqlite_column_str(sqlite3_stmt *st, int at)
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
		free(t->cols[i].collation);
		free(t->cols[i].expression);
	}
	for (size_t i = 0; i < t->nchecks; i++)
		free(t->checks[i]);
	free(t->checks);
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

/* Without a search in the schema table: that has no index, and there may be thousands of tables. A look-up in what this connection knows
 * would not do: another process may have made the table since. */
int sqlite_has_table(struct sqlite_self *s, const char *name)
{
	struct wbl_out sql = { 0 };
	sqlite3_stmt *st = NULL;
	int found;

	wbl_out_fmt(&sql, "SELECT 1 FROM ");
	sqlite_name(&sql, name);
	wbl_out_fmt(&sql, " LIMIT 0");
	found = !sqlite3_prepare_v2(s->db, sql.s, -1, &st, NULL) && sqlite3_step(st) == SQLITE_DONE;
	sqlite3_finalize(st);
	wbl_out_clear(&sql);
	return found;
}

void sqlite_head_take(sqlite3_stmt *st, struct sqlite_table *t)
{
	memset(t, 0, sizeof *t);
	t->name = wbl_sdk_strdup(sqlite_column_str(st, 0));
	t->kind = wbl_sdk_strdup(sqlite_column_str(st, 1));
	t->without_rowid = sqlite3_column_int(st, 2);
	t->strict = sqlite3_column_int(st, 3);
	t->sql = wbl_sdk_strdup(sqlite_column_str(st, 4));
}

static int32_t load_head(struct sqlite_self *s, const char *name, struct sqlite_table *t)
{
	sqlite3_stmt *st;
	int32_t rc = sqlite_prepare(s,
		"SELECT " SQLITE_HEAD_COLUMNS " FROM pragma_table_list(?1) l LEFT JOIN "
		"sqlite_schema m ON m.name=l.name AND m.type IN ('table','view') "
		"WHERE l.schema='main' AND l.name=?1 COLLATE NOCASE",
		&st);

	if (rc)
		return rc;
	sqlite3_bind_text(st, 1, name, -1, SQLITE_STATIC);
	if (sqlite3_step(st) == SQLITE_ROW)
		sqlite_head_take(st, t);
	else
		rc = WBL_END;
	sqlite3_finalize(st);
	return rc;
}

static void load_column(struct sqlite_self *s, sqlite3_stmt *st, struct sqlite_table *t)
{
	const char *collation = NULL;
	int hidden = sqlite3_column_int(st, 6), autoincrement = 0;
	struct sqlite_column *c;

	t->cols = wbl_sdk_grow(t->cols, (t->ncols + 1) * sizeof *t->cols);
	c = &t->cols[t->ncols++];
	*c = (struct sqlite_column){
		.name = wbl_sdk_strdup(sqlite_column_str(st, 1)),
		.declared = wbl_sdk_strdup(sqlite_column_str(st, 2)),
		.not_null = sqlite3_column_int(st, 3),
		.pk = sqlite3_column_int(st, 5),
		.generated = hidden >= 2,
		.stored = hidden == 3,
		.hidden = hidden == 1,
	};
	if (sqlite3_column_type(st, 4) != SQLITE_NULL)
		c->fallback = wbl_sdk_strdup(sqlite_column_str(st, 4));
	t->nkey += c->pk > 0;
	if (strcmp(t->kind, "table") != 0 ||
		sqlite3_table_column_metadata(s->db, "main", t->name, c->name, NULL, &collation,
			NULL, NULL, &autoincrement))
		return;
	t->autoincrement |= autoincrement;
	if (collation && strcasecmp(collation, "BINARY") != 0)
		c->collation = wbl_sdk_strdup(collation);
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

static char *copy_of(struct wbl_bytes text)
{
	const char *p = text.data, *end = p + text.len;
	char *to;

	while (p < end && (*p == ' ' || *p == '\n' || *p == '\t' || *p == '\r'))
		p++;
	while (end > p && (end[-1] == ' ' || end[-1] == '\n' || end[-1] == '\t' || end[-1] == '\r'))
		end--;
	to = wbl_sdk_alloc((size_t)(end - p) + 1);
	memcpy(to, p, (size_t)(end - p));
	return to;
}

/* Columns of the text stand in the order of the pragma; rules of the table come behind all of them. */
static void found_text(void *arg, int column, struct wbl_bytes text)
{
	struct sqlite_table *t = arg;

	if (column < 0) {
		t->checks = wbl_sdk_grow(t->checks, (t->nchecks + 1) * sizeof *t->checks);
		t->checks[t->nchecks++] = copy_of(text);
	} else if ((size_t)column < t->ncols && t->cols[column].generated &&
		   !t->cols[column].expression) {
		t->cols[column].expression = copy_of(text);
	}
}

int32_t sqlite_columns_load(struct sqlite_self *s, struct sqlite_table *t)
{
	sqlite3_stmt *st;
	int32_t rc = sqlite_prepare(s, "SELECT * FROM pragma_table_xinfo(?1)", &st);
	int step;

	if (!rc) {
		sqlite3_bind_text(st, 1, t->name, -1, SQLITE_STATIC);
		while ((step = sqlite3_step(st)) == SQLITE_ROW)
			load_column(s, st, t);
		sqlite3_finalize(st);
		if (step != SQLITE_DONE)
			rc = sqlite_fail(s, step, "cannot read the columns");
	}
	if (rc) {
		sqlite_table_clear(t);
		return rc;
	}
	find_rowid(t);
	if (!strcmp(t->kind, "table"))
		sqlite_text_read(t->sql, found_text, t);
	return WBL_OK;
}

int32_t sqlite_table_load(struct sqlite_self *s, const char *name, struct sqlite_table *t)
{
	int32_t rc;

	memset(t, 0, sizeof *t);
	rc = load_head(s, name, t);
	return rc ? rc : sqlite_columns_load(s, t);
}

/* ---- indexes ---- */

void sqlite_indexes_free(struct sqlite_index *list, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		for (size_t k = 0; k < list[i].ncols; k++)
			free(list[i].cols[k]);
		free(list[i].cols);
		free(list[i].name);
	}
	free(list);
}

static int32_t load_index_columns(struct sqlite_self *s, struct sqlite_index *x)
{
	sqlite3_stmt *st;
	int32_t rc = sqlite_prepare(s,
		"SELECT name,\"desc\",coll FROM pragma_index_xinfo(?1) WHERE \"key\" ORDER BY "
		"seqno",
		&st);

	if (rc)
		return rc;
	sqlite3_bind_text(st, 1, x->name, -1, SQLITE_STATIC);
	while (sqlite3_step(st) == SQLITE_ROW) {
		const char *name = (const char *)sqlite3_column_text(st, 0);

		/* An expression has no name. */
		if (!name || sqlite3_column_int(st, 1) ||
			strcasecmp(sqlite_column_str(st, 2), "BINARY") != 0)
			x->special = 1;
		x->cols = wbl_sdk_grow(x->cols, (x->ncols + 1) * sizeof *x->cols);
		x->cols[x->ncols++] = wbl_sdk_strdup(name ? name : "");
	}
	sqlite3_finalize(st);
	return WBL_OK;
}

int32_t sqlite_indexes_load(
	struct sqlite_self *s, const char *table, struct sqlite_index **ret, size_t *ret_n)
{
	sqlite3_stmt *st;
	int32_t rc = sqlite_prepare(s,
		"SELECT name,\"unique\",origin,partial FROM pragma_index_list(?1) ORDER BY seq "
		"DESC",
		&st);

	*ret = NULL;
	*ret_n = 0;
	if (rc)
		return rc;
	sqlite3_bind_text(st, 1, table, -1, SQLITE_STATIC);
	while (!rc && sqlite3_step(st) == SQLITE_ROW) {
		struct sqlite_index *x;

		*ret = wbl_sdk_grow(*ret, (*ret_n + 1) * sizeof **ret);
		x = &(*ret)[(*ret_n)++];
		*x = (struct sqlite_index){
			.name = wbl_sdk_strdup(sqlite_column_str(st, 0)),
			.unique = sqlite3_column_int(st, 1),
			.origin = *sqlite_column_str(st, 2),
			.special = sqlite3_column_int(st, 3),
		};
		rc = load_index_columns(s, x);
	}
	sqlite3_finalize(st);
	return rc;
}
