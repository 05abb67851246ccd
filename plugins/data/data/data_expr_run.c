/* data_expr_run.c - the evaluator: one SQLite connection in memory that can do nothing but evaluate.
 * In: checked expressions and rows.  Out: cells.  A row costs a bind of the columns that are used, one step and one reset.
 * SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "data_expr.h"

enum { VALUE_MAX = 64 << 20, TICK = 100000, TICKS_MAX = 2 };

struct data_eval {
	sqlite3 *db;
	int ticks;
	char why[256];
};

static int authorize(
	void *arg, int action, const char *a, const char *b, const char *db, const char *trigger)
{
	const struct data_fn *f;

	if (action == SQLITE_SELECT)
		return SQLITE_OK;
	if (action != SQLITE_FUNCTION || !b)
		return SQLITE_DENY;
	f = data_fn_find(b, strlen(b));
	return f || !strcmp(b, "->") || !sqlite3_stricmp(b, "like") || !sqlite3_stricmp(b, "glob")
		       ? SQLITE_OK
		       : SQLITE_DENY;
}

/* Counted, not timed: the same row has the same end on every machine. */
static int tick(void *arg)
{
	struct data_eval *v = arg;

	return ++v->ticks > TICKS_MAX;
}

static int add_functions(sqlite3 *db, const struct data_fn *f)
{
	int rc = SQLITE_OK;

	for (; !rc && f->name; f++)
		if (f->call)
			rc = sqlite3_create_function_v2(db, f->name, f->min == f->max ? f->min : -1,
				SQLITE_UTF8 | SQLITE_DETERMINISTIC | SQLITE_SUBTYPE, NULL, f->call,
				NULL, NULL, NULL);
	return rc;
}

struct data_eval *data_eval_new(void)
{
	static const struct {
		int id, value;
	} limits[] = { { SQLITE_LIMIT_LENGTH, VALUE_MAX }, { SQLITE_LIMIT_SQL_LENGTH, 1 << 20 },
		{ SQLITE_LIMIT_ATTACHED, 0 }, { SQLITE_LIMIT_LIKE_PATTERN_LENGTH, 1000 },
		{ SQLITE_LIMIT_TRIGGER_DEPTH, 0 }, { SQLITE_LIMIT_COMPOUND_SELECT, 1 },
		{ SQLITE_LIMIT_WORKER_THREADS, 0 } };
	struct data_eval *v = wbl_sdk_alloc(sizeof *v);

	if (sqlite3_open_v2(":memory:", &v->db,
		    SQLITE_OPEN_READWRITE | SQLITE_OPEN_MEMORY | SQLITE_OPEN_NOMUTEX |
			    SQLITE_OPEN_PRIVATECACHE,
		    NULL) ||
		add_functions(v->db, data_fn_plain) || add_functions(v->db, data_fn_decimal) ||
		add_functions(v->db, data_fn_date)) {
		data_eval_free(v);
		return NULL;
	}
	for (size_t i = 0; i < sizeof limits / sizeof *limits; i++)
		sqlite3_limit(v->db, limits[i].id, limits[i].value);
	sqlite3_db_config(v->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	sqlite3_db_config(v->db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
	sqlite3_db_config(v->db, SQLITE_DBCONFIG_DQS_DML, 0, NULL);
	sqlite3_db_config(v->db, SQLITE_DBCONFIG_DQS_DDL, 0, NULL);
	sqlite3_set_authorizer(v->db, authorize, NULL);
	sqlite3_progress_handler(v->db, TICK, tick, v);
	return v;
}

void data_eval_free(struct data_eval *v)
{
	if (!v)
		return;
	sqlite3_close_v2(v->db);
	free(v);
}

sqlite3_stmt *data_eval_prepare(
	struct data_eval *v, const struct data_expr *x, struct data_expr_error *err)
{
	sqlite3_stmt *st = NULL;
	const char *tail = "";

	if (!sqlite3_prepare_v3(v->db, x->sql, -1, SQLITE_PREPARE_PERSISTENT, &st, &tail) && st &&
		!*tail && sqlite3_stmt_readonly(st) && sqlite3_column_count(st) == 1)
		return st;
	data_expr_wrong(err, "docs/data.md says what expressions know.",
		"SQLite refuses the expression: %s", sqlite3_errmsg(v->db));
	sqlite3_finalize(st);
	return NULL;
}

static int no(const char **ret_why, const char *why)
{
	*ret_why = why;
	return -1;
}

static int bind_shown(sqlite3_stmt *st, int at, const struct wbl_cell *c)
{
	struct wbl_out o = { 0 };
	int rc;

	wbl_cell_show(&o, c);
	rc = sqlite3_bind_text64(st, at, o.s, o.len, SQLITE_TRANSIENT, SQLITE_UTF8);
	wbl_out_clear(&o);
	return rc;
}

static int bind(sqlite3_stmt *st, int at, const struct wbl_cell *c, uint8_t plain, const char **why)
{
	int rc = SQLITE_OK;

	switch (c->tag) {
	case WBL_CELL_NULL:
		rc = sqlite3_bind_null(st, at);
		break;
	case WBL_CELL_INT:
		rc = sqlite3_bind_int64(st, at, wbl_cell_get_int(c));
		break;
	case WBL_CELL_REAL:
	case WBL_CELL_REAL32:
		if (isnan(wbl_cell_get_real(c)))
			return no(why, "NaN is no value of an expression");
		rc = sqlite3_bind_double(st, at, wbl_cell_get_real(c));
		break;
	case WBL_CELL_BYTES:
		rc = c->len ? sqlite3_bind_blob64(st, at, c->data, c->len, SQLITE_STATIC)
			    : sqlite3_bind_zeroblob(st, at, 0);
		break;
	case WBL_CELL_LIST:
		return no(why, "a list is no value of an expression");
	case WBL_CELL_RAW:
		if (plain & 2)
			return no(why, "a text that is not UTF-8, or has a NUL inside, is no "
				       "argument of this function");
		rc = sqlite3_bind_text64(
			st, at, (const char *)c->data, c->len, SQLITE_STATIC, SQLITE_UTF8);
		break;
	case WBL_CELL_DECIMAL:
		if (plain & 1)
			return no(why, "a decimal where the expression reckons with plain numbers "
				       "or texts; use the "
				       "functions dec_");
		rc = sqlite3_bind_text64(
			st, at, (const char *)c->data, c->len, SQLITE_STATIC, SQLITE_UTF8);
		break;
	case WBL_CELL_TEXT:
	case WBL_CELL_JSON:
		rc = sqlite3_bind_text64(
			st, at, (const char *)c->data, c->len, SQLITE_STATIC, SQLITE_UTF8);
		break;
	default:
		rc = bind_shown(st, at, c);
	}
	return rc ? no(why, "the value is too great for an expression") : 0;
}

static int step(struct data_eval *v, const struct data_expr *x, sqlite3_stmt *st,
	const struct wbl_cell *cells, const int *at, const char **why)
{
	int rc;

	for (size_t i = 0; i < x->nused; i++)
		if (bind(st, (int)i + 1, &cells[at[i]], x->plain[i], why))
			return -1;
	v->ticks = 0;
	rc = sqlite3_step(st);
	if (rc == SQLITE_ROW)
		return 0;
	/* The one message of SQLite's own with a value in it. */
	snprintf(v->why, sizeof v->why, "%s",
		rc == SQLITE_INTERRUPT                       ? "the expression takes too long"
		: strstr(sqlite3_errmsg(v->db), "JSON path") ? "a wrong path into JSON"
							     : sqlite3_errmsg(v->db));
	return no(why, v->why);
}

int data_eval_cell(struct data_eval *v, const struct data_expr *x, sqlite3_stmt *st,
	const struct wbl_cell *cells, const int *at, struct wbl_rows *out, const char **why)
{
	const void *p;
	int rc = step(v, x, st, cells, at, why);

	if (!rc)
		switch (sqlite3_column_type(st, 0)) {
		case SQLITE_INTEGER:
			wbl_cell_int(out, sqlite3_column_int64(st, 0));
			break;
		case SQLITE_FLOAT:
			wbl_cell_real(out, sqlite3_column_double(st, 0));
			break;
		case SQLITE_TEXT:
			p = sqlite3_column_text(st, 0);
			wbl_cell_text(out, p, (size_t)sqlite3_column_bytes(st, 0));
			break;
		case SQLITE_BLOB:
			p = sqlite3_column_blob(st, 0);
			wbl_cell_blob(out, WBL_CELL_BYTES, p ? p : "",
				(size_t)sqlite3_column_bytes(st, 0));
			break;
		default:
			wbl_cell_null(out);
		}
	sqlite3_reset(st);
	return rc;
}

int data_eval_truth(struct data_eval *v, const struct data_expr *x, sqlite3_stmt *st,
	const struct wbl_cell *cells, const int *at, const char **why)
{
	int rc = step(v, x, st, cells, at, why);

	if (!rc)
		rc = sqlite3_column_int(st, 0) != 0;
	sqlite3_reset(st);
	return rc;
}
