/* sqlite_fetch.c - rows found by their key, one look-up each.
 * In: a batch of key cells.  Out: batches of whole rows (no generated columns), as they are now; with a writer of the same store open,
 * within its transaction.  Absent keys give no row.
 * SPDX-License-Identifier: Apache-2.0 */
#include "sqlite_impl.h"

#include <stdlib.h>
#include <string.h>

static int32_t keys_where(struct sqlite_self *s, const struct sqlite_table *t,
	const char *const *columns, struct wbl_out *sql)
{
	for (int i = 0; columns[i]; i++) {
		const struct sqlite_column *c = sqlite_table_column(t, columns[i]);

		if (!c)
			return wbl_error_report(s->call, WBL_E_PARAM, s->path, NULL,
				"table \"%s\" has no column \"%s\"", t->name, columns[i]);
		wbl_out_fmt(sql, i ? " AND " : " WHERE ");
		sqlite_name(sql, c->name);
		wbl_out_fmt(sql, " IS ?%d", i + 1);
	}
	return WBL_OK;
}

static int32_t fetch_sql(struct sqlite_self *s, const struct sqlite_table *t,
	const char *const *columns, struct wbl_out *sql)
{
	int n = 0;

	wbl_out_fmt(sql, "SELECT ");
	for (size_t i = 0; i < t->ncols; i++) {
		if (t->cols[i].hidden || t->cols[i].generated)
			continue;
		wbl_out_fmt(sql, n++ ? "," : "");
		sqlite_name(sql, t->cols[i].name);
	}
	wbl_out_fmt(sql, " FROM ");
	sqlite_name(sql, t->name);
	return keys_where(s, t, columns, sql);
}

/* Of the columns that fetch_sql asks for; NULL-ended. They live as long as the table does. */
static const char **names_of(const struct sqlite_table *t)
{
	const char **names = wbl_sdk_alloc((t->ncols + 1) * sizeof *names);
	size_t n = 0;

	for (size_t i = 0; i < t->ncols; i++)
		if (!t->cols[i].hidden && !t->cols[i].generated)
			names[n++] = t->cols[i].name;
	return names;
}

int32_t sqlite_fetch(
	void *self, struct wbl_call *call, const struct wbl_batch *keys, void **ret_cursor)
{
	struct sqlite_self *s = self;
	struct sqlite_table t;
	struct wbl_out sql = { 0 };
	sqlite3_stmt *st = NULL;
	int32_t rc = sqlite_ready(s, call);

	if (!rc && (!keys->set || !keys->columns || !keys->columns[0] || keys->lane))
		rc = wbl_error_report(call, WBL_E_PARAM, s->path, NULL,
			"rows are fetched by the name of their table and the columns of its key");
	rc = rc ? rc : sqlite_table_load(s, keys->set, &t);
	if (rc == WBL_END)
		return wbl_error_report(
			call, WBL_E_PARAM, s->path, NULL, "there is no table \"%s\"", keys->set);
	if (rc)
		return rc;
	rc = fetch_sql(s, &t, keys->columns, &sql);
	rc = rc ? rc : sqlite_prepare(s, sql.s, &st);
	wbl_out_clear(&sql);
	if (rc) {
		sqlite_table_clear(&t);
		return rc;
	}
	*ret_cursor = sqlite_cursor_of_keys(s, st, &t, names_of(&t), keys);
	return WBL_OK;
}
