/* sqlite_schema.c - tables, indexes and receipts made and dropped, and SQL run, each once: the receipt commits with it.
 * In: one change as JSON (docs/data.md lists them).  Out: the change and its receipt, or neither; END when the receipt stands.
 * A new change is a function and a line in `changes`.
 * SPDX-License-Identifier: Apache-2.0 */
#include "sqlite_impl.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

struct sqlite_change {
	struct sqlite_self *s;
	const struct wbl_node *n; /* the value of the change's key */
	struct wbl_out sql;       /* what is to be run */
	int only_say;
};

static const char *need(struct sqlite_change *c, const char *key)
{
	const char *text = wbl_node_str(c->n, key);

	if (!text)
		wbl_error_report(c->s->call, WBL_E_PARAM, c->s->path, NULL,
			"a schema change without \"%s\"", key);
	return text;
}

static void names(struct wbl_out *o, const struct wbl_node *list)
{
	int n = 0;

	for (const struct wbl_node *k = list ? list->child : NULL; k; k = k->next) {
		wbl_out_fmt(o, n++ ? ", " : "");
		sqlite_name(o, k->text.s);
	}
}

/* What the mapping calls a value is kept by the mapping; the column only must not alter it. So everything that SQLite has no
 * class for is text, whose affinity leaves digits alone. */
static const char *declared(const char *type)
{
	switch (wbl_type_by_name(type)) {
	case WBL_TYPE_INT:
	case WBL_TYPE_BOOL:
		return "INTEGER";
	case WBL_TYPE_REAL:
	case WBL_TYPE_REAL32:
		return "REAL";
	case WBL_TYPE_BYTES:
		return "BLOB";
	case WBL_TYPE_ANY:
		return "";
	default:
		return "TEXT";
	}
}

static void add_column(struct wbl_out *o, const struct wbl_node *col, int strict)
{
	const char *as = wbl_node_str(col, "declared"), *type = wbl_node_str(col, "type");

	sqlite_name(o, wbl_node_str(col, "name"));
	if (!as)
		as = declared(type ? type : "any");
	if (*as || strict)
		wbl_out_fmt(o, " %s", *as ? as : "ANY");
	if (wbl_node_str(col, "collation")) {
		wbl_out_fmt(o, " COLLATE ");
		sqlite_name(o, wbl_node_str(col, "collation"));
	}
	if (wbl_node_bool(col, "not_null", 0))
		wbl_out_fmt(o, " NOT NULL");
	if (wbl_node_str(col, "default"))
		wbl_out_fmt(o, " DEFAULT (%s)", wbl_node_str(col, "default"));
	if (wbl_node_str(col, "expression"))
		wbl_out_fmt(o, " AS (%s\n)%s", wbl_node_str(col, "expression"),
			wbl_node_bool(col, "stored", 0) ? " STORED" : "");
}

static int32_t action(struct sqlite_change *c, const struct wbl_node *fk, const char *on)
{
	static const char *const known[] = { "NO ACTION", "RESTRICT", "SET NULL", "SET DEFAULT",
		"CASCADE" };
	const char *what = wbl_node_str(fk, on);

	for (size_t i = 0; what && i < sizeof known / sizeof *known; i++)
		if (!strcasecmp(known[i], what)) {
			if (i)
				wbl_out_fmt(&c->sql, " ON %s %s",
					!strcmp(on, "on_delete") ? "DELETE" : "UPDATE", known[i]);
			return WBL_OK;
		}
	return !what ? WBL_OK
		     : wbl_error_report(c->s->call, WBL_E_PARAM, c->s->path, NULL,
			       "no such action of a foreign key: %s", what);
}

static int32_t add_reference(struct sqlite_change *c, const struct wbl_node *fk)
{
	const struct wbl_node *to = wbl_node_at(fk, "to_columns");
	int32_t rc;

	if (!wbl_node_at(fk, "columns.0") || !wbl_node_str(fk, "to"))
		return wbl_error_report(c->s->call, WBL_E_PARAM, c->s->path, NULL,
			"a foreign key without columns or a table");
	wbl_out_fmt(&c->sql, ",\n  FOREIGN KEY (");
	names(&c->sql, wbl_node_at(fk, "columns"));
	wbl_out_fmt(&c->sql, ") REFERENCES ");
	sqlite_name(&c->sql, wbl_node_str(fk, "to"));
	if (to && to->count) {
		wbl_out_fmt(&c->sql, " (");
		names(&c->sql, to);
		wbl_out_fmt(&c->sql, ")");
	}
	rc = action(c, fk, "on_update");
	return rc ? rc : action(c, fk, "on_delete");
}

/* Rules of the table behind its columns. */
static int32_t add_rules(struct sqlite_change *c, const struct wbl_node *t)
{
	const struct wbl_node *key = wbl_node_at(t, "key"), *x;
	int32_t rc = WBL_OK;

	if (key && key->count) {
		wbl_out_fmt(&c->sql, ",\n  PRIMARY KEY (");
		names(&c->sql, key);
		wbl_out_fmt(&c->sql, wbl_node_bool(t, "autoincrement", 0) && key->count == 1
					     ? " AUTOINCREMENT)"
					     : ")");
	}
	for (x = wbl_node_at(t, "uniques.0"); x; x = x->next) {
		wbl_out_fmt(&c->sql, ",\n  UNIQUE (");
		names(&c->sql, x);
		wbl_out_fmt(&c->sql, ")");
	}
	for (x = wbl_node_at(t, "checks.0"); x; x = x->next)
		wbl_out_fmt(&c->sql, ",\n  CHECK (%s\n)", x->text.s);
	for (x = wbl_node_at(t, "foreign_keys.0"); !rc && x; x = x->next)
		rc = add_reference(c, x);
	return rc;
}

/* A definition of our own dialect is taken word for word; it must be what it says it is. */
static int32_t definition(struct sqlite_change *c, const struct wbl_node *of, const char *begins)
{
	const char *text = wbl_node_str(of, "definition"), *dialect = wbl_node_str(of, "dialect");

	if (!text)
		return WBL_END;
	if ((dialect && strcmp(dialect, "sqlite") != 0) ||
		strncasecmp(text, begins, strlen(begins)) != 0)
		return wbl_error_report(c->s->call, WBL_E_PARAM, c->s->path, NULL,
			"a definition that is no %s of SQLite: %.60s", begins, text);
	wbl_out_fmt(&c->sql, "%s", text);
	return WBL_OK;
}

static int32_t one_table(struct sqlite_change *c, const struct wbl_node *t)
{
	const struct wbl_node *cols = wbl_node_at(t, "columns");
	const char *name = wbl_node_str(t, "name");
	int strict = wbl_node_bool(t, "strict", 0), n = 0;
	int32_t rc = definition(c, t, "CREATE");

	if (rc != WBL_END)
		return rc;
	if (!name || !cols || !cols->count)
		return wbl_error_report(c->s->call, WBL_E_PARAM, c->s->path, NULL,
			"table \"%s\" has no columns", name ? name : "");
	wbl_out_fmt(&c->sql, "CREATE TABLE ");
	sqlite_name(&c->sql, name);
	wbl_out_fmt(&c->sql, " (");
	for (const struct wbl_node *col = cols->child; col; col = col->next) {
		wbl_out_fmt(&c->sql, n++ ? ",\n  " : "\n  ");
		if (!wbl_node_str(col, "name"))
			return WBL_E_PARAM;
		add_column(&c->sql, col, strict);
	}
	rc = add_rules(c, t);
	wbl_out_fmt(&c->sql, "\n)");
	if (wbl_node_bool(t, "without_rowid", 0))
		wbl_out_fmt(&c->sql, strict ? " WITHOUT ROWID, STRICT" : " WITHOUT ROWID");
	else if (strict)
		wbl_out_fmt(&c->sql, " STRICT");
	return rc;
}

static int32_t create_table(struct sqlite_change *c)
{
	return need(c, "name") ? one_table(c, c->n) : WBL_E_PARAM;
}

static int32_t create_tables(struct sqlite_change *c)
{
	const struct wbl_node *t = wbl_node_at(c->n, "tables.0");
	int32_t rc = t ? WBL_OK : WBL_E_PARAM;

	for (; !rc && t; t = t->next) {
		rc = one_table(c, t);
		wbl_out_fmt(&c->sql, ";\n");
	}
	return rc;
}

static int32_t drop_tables(struct sqlite_change *c)
{
	for (const struct wbl_node *t = wbl_node_at(c->n, "names.0"); t; t = t->next) {
		wbl_out_fmt(&c->sql, "DROP TABLE IF EXISTS ");
		sqlite_name(&c->sql, t->text.s);
		wbl_out_fmt(&c->sql, ";\n");
	}
	return WBL_OK;
}

/* The counter of an AUTOINCREMENT key. It only goes on, but for the way back (exact). */
static int32_t set_sequence(struct sqlite_change *c)
{
	const char *name = need(c, "name");
	const struct wbl_node *value = wbl_node_at(c->n, "value");
	int exact = wbl_node_bool(c->n, "exact", 0);
	char *quoted;

	if (!name || !sqlite_has_table(c->s, name) || !sqlite_has_table(c->s, "sqlite_sequence"))
		return name ? WBL_OK : WBL_E_PARAM;
	quoted = sqlite3_mprintf("%Q", name);
	if (value && !exact)
		wbl_out_fmt(&c->sql,
			"INSERT INTO sqlite_sequence SELECT %s,0 WHERE NOT EXISTS (SELECT 1 FROM "
			"sqlite_sequence WHERE name=%s); UPDATE sqlite_sequence SET seq=%lld WHERE "
			"name=%s AND seq<%lld",
			quoted, quoted, (long long)wbl_node_int(value, "", 0), quoted,
			(long long)wbl_node_int(value, "", 0));
	if (exact)
		wbl_out_fmt(&c->sql, "DELETE FROM sqlite_sequence WHERE name=%s", quoted);
	if (exact && value)
		wbl_out_fmt(&c->sql, "; INSERT INTO sqlite_sequence VALUES(%s,%lld)", quoted,
			(long long)wbl_node_int(value, "", 0));
	sqlite3_free(quoted);
	return WBL_OK;
}

static int32_t drop(struct sqlite_change *c, const char *what)
{
	const char *name = need(c, "name");

	if (!name)
		return WBL_E_PARAM;
	wbl_out_fmt(&c->sql, "DROP %s IF EXISTS ", what);
	sqlite_name(&c->sql, name);
	return WBL_OK;
}

static int32_t drop_table(struct sqlite_change *c)
{
	return drop(c, "TABLE");
}

static int32_t drop_index(struct sqlite_change *c)
{
	return drop(c, "INDEX");
}

static int32_t drop_object(struct sqlite_change *c)
{
	const char *kind = need(c, "kind");

	if (!kind)
		return WBL_E_PARAM;
	return drop(c, !strcmp(kind, "view") ? "VIEW" : "TRIGGER");
}

static int32_t create_index(struct sqlite_change *c)
{
	const char *name = need(c, "name"), *set = wbl_node_str(c->n, "set");
	const struct wbl_node *cols = wbl_node_at(c->n, "columns");
	int32_t rc;

	if (!name)
		return WBL_E_PARAM;
	/* A killed attempt may have made it. The same name with another definition fails at verification. */
	if (sqlite_exists(c->s, name))
		return WBL_OK;
	rc = definition(c, c->n, "CREATE");
	if (rc != WBL_END)
		return rc;
	if (!set || !cols || !cols->count)
		return wbl_error_report(c->s->call, WBL_E_PARAM, c->s->path, NULL,
			"index \"%s\" names no table or no columns", name);
	wbl_out_fmt(&c->sql, "CREATE %sINDEX ", wbl_node_bool(c->n, "unique", 0) ? "UNIQUE " : "");
	sqlite_name(&c->sql, name);
	wbl_out_fmt(&c->sql, " ON ");
	sqlite_name(&c->sql, set);
	wbl_out_fmt(&c->sql, " (");
	names(&c->sql, cols);
	wbl_out_add(&c->sql, ")", 1);
	return WBL_OK;
}

static int32_t create_object(struct sqlite_change *c)
{
	const char *name = need(c, "name");

	if (!name)
		return WBL_E_PARAM;
	return sqlite_exists(c->s, name) ? WBL_OK : definition(c, c->n, "CREATE");
}

static int32_t number(
	struct sqlite_change *c, const char *sql, const char *a, const char *b, int64_t *ret)
{
	sqlite3_stmt *st;
	int32_t rc = sqlite_prepare(c->s, sql, &st);
	int step;

	if (rc)
		return rc;
	if (a)
		sqlite3_bind_text(st, 1, a, -1, SQLITE_STATIC);
	if (b)
		sqlite3_bind_text(st, 2, b, -1, SQLITE_STATIC);
	step = sqlite3_step(st);
	if (step == SQLITE_ROW)
		*ret = sqlite3_column_int64(st, 0);
	else
		rc = sqlite_fail(c->s, step, sql);
	sqlite3_finalize(st);
	return rc;
}

static int32_t forget(struct sqlite_self *s, const char *set, const char *origin)
{
	sqlite3_stmt *st;
	int32_t rc = sqlite_prepare(
		s, "DELETE FROM " SQLITE_RECEIPTS " WHERE \"set\"=?1 AND origin=?2", &st);
	int step;

	if (rc)
		return rc;
	sqlite3_bind_text(st, 1, set, -1, SQLITE_STATIC);
	sqlite3_bind_text(st, 2, origin, -1, SQLITE_STATIC);
	step = sqlite3_step(st);
	if (step != SQLITE_DONE)
		rc = sqlite_fail(s, step, "cannot drop the receipts");
	sqlite3_finalize(st);
	return rc;
}

/* Takes back what one run wrote into a table that was empty. Rows of somebody else are not ours to delete; that some of ours are gone
 * (a target that was damaged is rolled back too) is no reason to stay. */
static int32_t empty_table(struct sqlite_change *c)
{
	const char *name = need(c, "name"), *origin = need(c, "origin");
	struct wbl_out sql = { 0 };
	int64_t rows = 0, ours = 0;
	int32_t rc = WBL_OK;

	if (!name || !origin)
		return WBL_E_PARAM;
	if (!sqlite_exists(c->s, name))
		return WBL_OK;
	wbl_out_fmt(&sql, "SELECT count(*) FROM ");
	sqlite_name(&sql, name);
	rc = number(c, sql.s, NULL, NULL, &rows);
	wbl_out_clear(&sql);
	if (!rc && sqlite_has_table(c->s, SQLITE_RECEIPTS))
		rc = number(c,
			"SELECT coalesce(sum(written),0) FROM " SQLITE_RECEIPTS
			" WHERE \"set\"=?1 AND origin=?2",
			name, origin, &ours);
	if (!rc && rows > ours)
		rc = wbl_error_report(c->s->call, WBL_E_FAILED, c->s->path,
			"Decide about the rows that others wrote, then roll back again.",
			"table \"%s\" holds %lld rows and this run wrote %lld: they are not all "
			"its own",
			name, (long long)rows, (long long)ours);
	if (rc)
		return rc;
	/* Zeroing each page needs as much room again in the journal, on a disk that may be full: the reason to go back. */
	rc = sqlite_run(c->s, "PRAGMA secure_delete=FAST");
	wbl_out_fmt(&c->sql, "DELETE FROM ");
	sqlite_name(&c->sql, name);
	if (!rc && ours)
		rc = forget(c->s, name, origin);
	return rc;
}

/* The mark by which a process of an older epoch finds out that it must not write any more. */
static int32_t raise_epoch(struct sqlite_change *c)
{
	const char *origin = need(c, "origin");
	struct wbl_receipt mark = {
		.size = sizeof mark,
		.epoch = (uint64_t)wbl_node_int(c->n, "epoch", 0),
	};
	struct wbl_out key = { 0 };
	int32_t rc;

	if (!origin)
		return WBL_E_PARAM;
	rc = sqlite_epoch_check(c->s, origin, mark.epoch);
	wbl_out_fmt(&key, "%s#epoch#%llu", origin, (unsigned long long)mark.epoch);
	mark.key = key.s;
	if (!rc)
		rc = sqlite_receipt_begin(c->s, &mark, origin);
	if (!rc)
		rc = sqlite_receipt_put(c->s, &mark, origin, NULL, 0);
	wbl_out_clear(&key);
	return rc == WBL_END ? WBL_OK : rc;
}

/* What is to go, as the change that brings it back: rows are added up by set, because only their number is asked for later. */
static int32_t say_receipts(struct sqlite_change *c, const char *origin)
{
	sqlite3_stmt *st;
	struct wbl_out *o = &c->sql;
	int32_t rc = sqlite_prepare(c->s,
		"SELECT key,max(epoch),NULL,0 FROM " SQLITE_RECEIPTS
		" WHERE origin IS ?1 AND \"set\" IS NULL GROUP BY key UNION ALL "
		"SELECT 'rows:'||\"set\",max(epoch),\"set\",sum(written) FROM " SQLITE_RECEIPTS
		" WHERE origin IS ?1 AND \"set\" IS NOT NULL GROUP BY \"set\"",
		&st);

	if (rc)
		return rc;
	sqlite3_bind_text(st, 1, origin, -1, SQLITE_STATIC);
	wbl_out_open(o, NULL, '{');
	wbl_out_open(o, "restore_receipts", '{');
	wbl_out_text(o, "origin", origin);
	wbl_out_open(o, "receipts", '[');
	while (sqlite3_step(st) == SQLITE_ROW) {
		wbl_out_open(o, NULL, '{');
		wbl_out_text(o, "key", (const char *)sqlite3_column_text(st, 0));
		wbl_out_int(o, "epoch", sqlite3_column_int64(st, 1));
		wbl_out_text(o, "set", (const char *)sqlite3_column_text(st, 2));
		wbl_out_int(o, "written", sqlite3_column_int64(st, 3));
		wbl_out_close(o, '}');
	}
	wbl_out_close(o, ']');
	wbl_out_close(o, '}');
	wbl_out_close(o, '}');
	sqlite3_finalize(st);
	return WBL_OK;
}

static int32_t delete_receipts(struct sqlite_change *c, const char *origin)
{
	sqlite3_stmt *st;
	int32_t rc;

	if (!sqlite_has_table(c->s, SQLITE_RECEIPTS))
		return WBL_OK;
	rc = sqlite_prepare(c->s, "DELETE FROM " SQLITE_RECEIPTS " WHERE origin IS ?1", &st);
	if (rc)
		return rc;
	sqlite3_bind_text(st, 1, origin, -1, SQLITE_STATIC);
	if (sqlite3_step(st) != SQLITE_DONE)
		rc = sqlite_fail(c->s, SQLITE_ERROR, "cannot drop the receipts");
	sqlite3_finalize(st);
	return rc;
}

static int32_t drop_receipts(struct sqlite_change *c)
{
	const char *origin = need(c, "origin");
	int64_t left = 1;
	int32_t rc;

	if (!origin)
		return WBL_E_PARAM;
	if (!sqlite_has_table(c->s, SQLITE_RECEIPTS))
		return WBL_OK;
	if (c->only_say)
		return say_receipts(c, origin);
	rc = delete_receipts(c, origin);
	rc = rc ? rc : number(c, "SELECT count(*) FROM " SQLITE_RECEIPTS, NULL, NULL, &left);
	if (!rc && !left)
		wbl_out_fmt(&c->sql, "DROP TABLE " SQLITE_RECEIPTS);
	return rc;
}

/* Whether they were dropped or a death came before that: afterwards they are there once. */
static int32_t restore_receipts(struct sqlite_change *c)
{
	const struct wbl_node *r = wbl_node_at(c->n, "receipts.0");
	const char *origin = need(c, "origin");
	int32_t rc = WBL_OK;

	if (origin && !wbl_node_bool(c->n, "later", 0))
		rc = delete_receipts(c, origin);
	for (; !rc && origin && r; r = r->next) {
		struct wbl_out key = { 0 };
		struct wbl_receipt receipt = {
			.size = sizeof receipt,
			.epoch = (uint64_t)wbl_node_int(r, "epoch", 0),
		};
		struct wbl_bytes body;
		const char *set = wbl_node_str(r, "set");

		wbl_out_fmt(
			&key, "%s%s%s", set ? origin : "", set ? "#" : "", wbl_node_str(r, "key"));
		receipt.key = key.s;
		if (sqlite_receipt(c->s, c->s->call, key.s, &body) == WBL_END)
			rc = sqlite_receipt_put(c->s, &receipt, origin, set,
				(uint64_t)wbl_node_int(r, "written", 0));
		wbl_out_clear(&key);
	}
	return rc;
}

static const struct {
	const char *name;
	int32_t (*make)(struct sqlite_change *);
} changes[] = {
	{ "create_table", create_table },
	{ "create_tables", create_tables },
	{ "drop_table", drop_table },
	{ "drop_tables", drop_tables },
	{ "set_sequence", set_sequence },
	{ "create_index", create_index },
	{ "drop_index", drop_index },
	{ "create_object", create_object },
	{ "drop_object", drop_object },
	{ "empty_table", empty_table },
	{ "raise_epoch", raise_epoch },
	{ "drop_receipts", drop_receipts },
	{ "restore_receipts", restore_receipts },
};

static int32_t create_store(struct sqlite_self *s)
{
	int32_t rc = WBL_OK;

	if (!s->db)
		rc = sqlite_connect(s, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE);
	/* An empty file is no database yet; one written page makes its being there durable. */
	return rc ? rc : sqlite_run(s, "BEGIN IMMEDIATE; PRAGMA user_version=0; COMMIT");
}

/* Only a database that holds nothing goes: whatever somebody else put into it stays, and so does the file. */
static int32_t drop_store(struct sqlite_self *s)
{
	struct sqlite_change c = { .s = s };
	int64_t objects = 0;
	int32_t rc;

	if (!s->db)
		return WBL_OK;
	rc = number(&c,
		"SELECT count(*) FROM sqlite_schema WHERE name NOT LIKE 'sqlite\\_%' ESCAPE '\\'",
		NULL, NULL, &objects);
	if (rc || objects)
		return rc;
	sqlite3_close_v2(s->db);
	s->db = NULL;
	sqlite_lane_free(s);
	return wbl_remove_file(s->call, s->path);
}

static int32_t run_change(
	struct sqlite_self *s, const struct wbl_node *change, const struct wbl_schema *in)
{
	struct sqlite_change c = { .s = s, .n = change, .only_say = (in->flags & 1) != 0 };
	const char *origin = wbl_node_str(change, "origin");
	int32_t rc = WBL_E_PARAM;
	size_t i = 0;

	while (i < sizeof changes / sizeof *changes && strcmp(changes[i].name, change->key.s) != 0)
		i++;
	if (i == sizeof changes / sizeof *changes)
		return wbl_error_report(s->call, WBL_E_UNSUPPORTED, s->path, NULL,
			"no schema change is called \"%s\"", change->key.s);
	rc = sqlite_run(s, c.only_say ? "BEGIN" : "BEGIN IMMEDIATE");
	if (rc)
		return rc;
	rc = c.only_say ? WBL_OK : sqlite_receipt_begin(s, in->receipt, origin);
	rc = rc ? rc : changes[i].make(&c);
	if (!rc && c.sql.len && !c.only_say)
		rc = sqlite_run(s, c.sql.s);
	if (!rc && !c.only_say)
		rc = sqlite_receipt_put(s, in->receipt, origin, NULL, 0);
	if (!rc && !c.only_say)
		rc = sqlite_run(s, "COMMIT");
	if (!sqlite3_get_autocommit(s->db))
		sqlite3_exec(s->db, "ROLLBACK", NULL, NULL, NULL);
	wbl_out_reset(&s->text);
	wbl_out_add(&s->text, c.sql.s ? c.sql.s : "", c.sql.len);
	wbl_out_clear(&c.sql);
	return rc;
}

int32_t sqlite_schema(
	void *self, struct wbl_call *call, const struct wbl_schema *in, const char **ret_text)
{
	struct sqlite_self *s = self;
	const char *why = "", *name;
	struct wbl_doc *doc;
	const struct wbl_node *root;
	int32_t rc = sqlite_look(s, call);

	if (rc)
		return rc;
	doc = wbl_doc_parse(in->change_json, strlen(in->change_json), &why);
	root = wbl_doc_root(doc);
	if (!root || root->kind != WBL_NODE_OBJECT || root->count != 1) {
		wbl_doc_free(doc);
		return wbl_error_report(call, WBL_E_PARAM, s->path, NULL,
			"a schema change is an object with one member: %s", why);
	}
	name = root->child->key.s;
	wbl_out_reset(&s->text);
	if (!s->write && !(in->flags & 1))
		rc = wbl_error_report(call, WBL_E_UNSUPPORTED, s->path, NULL, "opened for reading");
	else if (!strcmp(name, "create_store"))
		rc = in->flags & 1 ? WBL_OK : create_store(s);
	else if (!strcmp(name, "drop_store"))
		rc = in->flags & 1 ? WBL_OK : drop_store(s);
	else if (!s->db && !strncmp(name, "drop", 4))
		rc = WBL_OK;
	else if (!(rc = sqlite_ready(s, call)))
		rc = run_change(s, root->child, in);
	wbl_doc_free(doc);
	if (ret_text)
		*ret_text = s->text.s;
	return rc;
}

/* ---- SQL ---- */

static void bind_args(sqlite3_stmt *st, const struct wbl_node *args)
{
	int at = 1;

	for (const struct wbl_node *a = args ? args->child : NULL; a; a = a->next, at++) {
		int64_t v = wbl_node_int(a, "", INT64_MIN);

		if (a->kind == WBL_NODE_NUMBER && v != INT64_MIN)
			sqlite3_bind_int64(st, at, v);
		else if (a->kind == WBL_NODE_NUMBER)
			sqlite3_bind_double(st, at, strtod(a->text.s, NULL));
		else if (a->kind == WBL_NODE_TEXT)
			sqlite3_bind_text(st, at, a->text.s, (int)a->text.len, SQLITE_STATIC);
		else if (a->kind == WBL_NODE_TRUE || a->kind == WBL_NODE_FALSE)
			sqlite3_bind_int(st, at, a->kind == WBL_NODE_TRUE);
	}
}

static void tell_value(sqlite3_stmt *st, int i, struct wbl_out *o)
{
	size_t n = (size_t)sqlite3_column_bytes(st, i);

	switch (sqlite3_column_type(st, i)) {
	case SQLITE_INTEGER:
		wbl_out_int(o, NULL, sqlite3_column_int64(st, i));
		break;
	case SQLITE_NULL:
		wbl_out_json(o, NULL, "null");
		break;
	case SQLITE_BLOB:
		wbl_out_hex(o, NULL, sqlite3_column_blob(st, i), n);
		break;
	default:
		wbl_out_textn(o, NULL, (const char *)sqlite3_column_text(st, i), n);
	}
}

static int32_t tell_rows(struct sqlite_self *s, sqlite3_stmt *st)
{
	struct wbl_out *o = &s->text;
	int step, n = 0;

	wbl_out_reset(o);
	wbl_out_open(o, NULL, '{');
	wbl_out_open(o, "columns", '[');
	for (int i = 0; i < sqlite3_column_count(st); i++)
		wbl_out_text(o, NULL, sqlite3_column_name(st, i));
	wbl_out_close(o, ']');
	wbl_out_open(o, "rows", '[');
	while ((step = sqlite3_step(st)) == SQLITE_ROW && n++ < 1000) {
		wbl_out_open(o, NULL, '[');
		for (int i = 0; i < sqlite3_column_count(st); i++)
			tell_value(st, i, o);
		wbl_out_close(o, ']');
	}
	wbl_out_close(o, ']');
	wbl_out_bool(o, "more", step == SQLITE_ROW);
	wbl_out_int(o, "changed", sqlite3_changes(s->db));
	wbl_out_close(o, '}');
	return step == SQLITE_ROW || step == SQLITE_DONE ? WBL_OK
							 : sqlite_fail(s, step, "SQL failed");
}

static int32_t run_sql(
	struct sqlite_self *s, const struct wbl_sql *sql, const struct wbl_node *args)
{
	sqlite3_stmt *st;
	int32_t rc = sqlite_prepare(s, sql->text, &st);

	if (rc)
		return rc;
	if ((sql->flags & 1) && !sqlite3_stmt_readonly(st))
		rc = wbl_error_report(
			s->call, WBL_E_PARAM, s->path, NULL, "this SQL writes: %s", sql->text);
	bind_args(st, args);
	rc = rc ? rc : tell_rows(s, st);
	sqlite3_finalize(st);
	return rc;
}

int32_t sqlite_sql(
	void *self, struct wbl_call *call, const struct wbl_sql *sql, const char **ret_json)
{
	struct sqlite_self *s = self;
	struct wbl_doc *doc = NULL;
	struct wbl_out answer;
	int32_t rc = sqlite_ready(s, call);

	if (rc)
		return rc;
	if (sql->args_json)
		doc = wbl_doc_parse(sql->args_json, strlen(sql->args_json), NULL);
	rc = sqlite_run(s, sql->flags & 1 ? "BEGIN" : "BEGIN IMMEDIATE");
	if (!rc && !(sql->flags & 1))
		rc = sqlite_receipt_begin(s, sql->receipt, NULL);
	rc = rc ? rc : run_sql(s, sql, wbl_doc_root(doc));
	answer = s->text;
	s->text = (struct wbl_out){ 0 };
	if (!rc && !(sql->flags & 1))
		rc = sqlite_receipt_put(s, sql->receipt, NULL, NULL, 0);
	rc = rc ? rc : sqlite_run(s, "COMMIT");
	if (!sqlite3_get_autocommit(s->db))
		sqlite3_exec(s->db, "ROLLBACK", NULL, NULL, NULL);
	wbl_out_clear(&s->text);
	s->text = answer;
	wbl_doc_free(doc);
	if (!rc)
		*ret_json = s->text.s;
	return rc;
}
