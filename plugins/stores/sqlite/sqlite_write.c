/* sqlite_write.c - rows written in one transaction together with their receipt.
 * In: batches of canonical rows.  Out: all of them and the receipt, or nothing.  The receipts are a table of the target,
 * _whimbrel_receipt, so that the target itself knows what reached it.
 * SPDX-License-Identifier: Apache-2.0 */
#include "sqlite_impl.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* One table's statements; without a set of its own it holds one such for each set that its batches name. */
static void show_bound(struct sqlite_self *s, sqlite3_stmt *st, int at, const struct wbl_cell *c)
{
	struct wbl_out o = { 0 };

	wbl_cell_show(&o, c);
	sqlite3_bind_text(st, at, o.s, (int)o.len, SQLITE_TRANSIENT);
	wbl_out_clear(&o);
}

int32_t sqlite_bind(struct sqlite_self *s, sqlite3_stmt *st, int at, const struct wbl_cell *c,
	const char **ret_why)
{
	double d;

	switch (c->tag) {
	case WBL_CELL_NULL:
		sqlite3_bind_null(st, at);
		return WBL_OK;
	case WBL_CELL_INT:
		sqlite3_bind_int64(st, at, wbl_cell_get_int(c));
		return WBL_OK;
	case WBL_CELL_REAL:
	case WBL_CELL_REAL32:
		d = wbl_cell_get_real(c);
		if (isnan(d)) {
			*ret_why = "SQLite keeps no NaN, it would become NULL";
			return WBL_E_PARAM;
		}
		sqlite3_bind_double(st, at, d);
		return WBL_OK;
	case WBL_CELL_RAW:
		if (s->utf16) {
			*ret_why = "a text that is not UTF-8 cannot be kept in a UTF-16 database";
			return WBL_E_PARAM;
		}
		/* fall through */
	case WBL_CELL_TEXT:
	case WBL_CELL_DECIMAL:
	case WBL_CELL_JSON:
		sqlite3_bind_text64(
			st, at, (const char *)c->data, c->len, SQLITE_STATIC, SQLITE_UTF8);
		return WBL_OK;
	case WBL_CELL_BYTES:
		sqlite3_bind_blob64(st, at, c->data, c->len, SQLITE_STATIC);
		return WBL_OK;
	case WBL_CELL_INSTANT:
	case WBL_CELL_LOCAL:
	case WBL_CELL_DATE:
	case WBL_CELL_UUID:
		show_bound(s, st, at, c);
		return WBL_OK;
	default:
		*ret_why = "SQLite has no lists";
		return WBL_E_PARAM;
	}
}

/* ---- receipts ---- */

static int32_t make_receipts(struct sqlite_self *s)
{
	return sqlite_run(s, "CREATE TABLE IF NOT EXISTS " SQLITE_RECEIPTS
			     "(key TEXT PRIMARY KEY NOT NULL, epoch INTEGER NOT "
			     "NULL, attempt INTEGER NOT NULL, origin TEXT, \"set\" TEXT, written "
			     "INTEGER NOT NULL, body BLOB) "
			     "WITHOUT ROWID");
}

int32_t sqlite_epoch_check(struct sqlite_self *s, const char *origin, uint64_t epoch)
{
	sqlite3_stmt *st;
	int64_t newest = 0;
	int32_t rc;

	if (!sqlite_has_table(s, SQLITE_RECEIPTS))
		return WBL_OK;
	rc = sqlite_prepare(
		s, "SELECT max(epoch) FROM " SQLITE_RECEIPTS " WHERE origin IS ?1", &st);
	if (rc)
		return rc;
	sqlite3_bind_text(st, 1, origin, -1, SQLITE_STATIC);
	if (sqlite3_step(st) == SQLITE_ROW)
		newest = sqlite3_column_int64(st, 0);
	sqlite3_finalize(st);
	if (newest <= (int64_t)epoch)
		return WBL_OK;
	return wbl_error_report(s->call, WBL_E_FENCED, s->path, NULL,
		"epoch %lld of this run has written here, this process has epoch %llu",
		(long long)newest, (unsigned long long)epoch);
}

int32_t sqlite_receipt(void *self, struct wbl_call *call, const char *key, struct wbl_bytes *ret)
{
	struct sqlite_self *s = self;
	sqlite3_stmt *st;
	int32_t rc;
	int step;

	rc = sqlite_look(s, call);
	if (rc || !s->db || !sqlite_has_table(s, SQLITE_RECEIPTS))
		return rc ? rc : WBL_END;
	rc = sqlite_prepare(s, "SELECT body FROM " SQLITE_RECEIPTS " WHERE key=?1", &st);
	if (rc)
		return rc;
	sqlite3_bind_text(st, 1, key, -1, SQLITE_STATIC);
	step = sqlite3_step(st);
	if (step == SQLITE_ROW) {
		wbl_out_reset(&s->text);
		wbl_out_add(
			&s->text, sqlite3_column_blob(st, 0), (size_t)sqlite3_column_bytes(st, 0));
		*ret = (struct wbl_bytes){ s->text.s, s->text.len };
	} else {
		rc = step == SQLITE_DONE ? WBL_END
					 : sqlite_fail(s, step, "cannot read the receipt");
	}
	sqlite3_finalize(st);
	return rc;
}

int32_t sqlite_receipt_begin(struct sqlite_self *s, const struct wbl_receipt *r, const char *origin)
{
	struct wbl_bytes standing;
	int32_t rc;

	if (!r)
		return WBL_OK;
	rc = sqlite_epoch_check(s, origin, r->epoch);
	if (rc)
		return rc;
	rc = sqlite_receipt(s, s->call, r->key, &standing);
	return rc == WBL_OK ? WBL_END : rc == WBL_END ? WBL_OK : rc;
}

int32_t sqlite_receipt_put(struct sqlite_self *s, const struct wbl_receipt *r, const char *origin,
	const char *set, uint64_t written)
{
	sqlite3_stmt *st = NULL;
	int32_t rc;
	int step;

	if (!r)
		return WBL_OK;
	rc = make_receipts(s);
	rc = rc ? rc
		: sqlite_prepare(
			  s, "INSERT INTO " SQLITE_RECEIPTS " VALUES(?1,?2,?3,?4,?5,?6,?7)", &st);
	if (rc)
		return rc;
	sqlite3_bind_text(st, 1, r->key, -1, SQLITE_STATIC);
	sqlite3_bind_int64(st, 2, (int64_t)r->epoch);
	sqlite3_bind_int64(st, 3, (int64_t)r->attempt);
	sqlite3_bind_text(st, 4, origin, -1, SQLITE_STATIC);
	sqlite3_bind_text(st, 5, set, -1, SQLITE_STATIC);
	sqlite3_bind_int64(st, 6, (int64_t)written);
	sqlite3_bind_blob64(st, 7, r->body.data, r->body.len, SQLITE_STATIC);
	step = sqlite3_step(st);
	if (step != SQLITE_DONE)
		rc = sqlite_fail(s, step, "cannot write the receipt");
	sqlite3_finalize(st);
	return rc;
}

/* ---- the writer ---- */

static void add_columns(const struct sqlite_writer *w, const char *const *columns,
	struct wbl_out *sql, const char *form)
{
	for (int i = 0; columns[i]; i++) {
		wbl_out_fmt(sql, i ? "," : "");
		sqlite_name(sql, columns[i]);
		if (*form) {
			wbl_out_fmt(sql, "%s", form);
			sqlite_name(sql, columns[i]);
		}
	}
}

static int32_t prepare_put(struct sqlite_writer *w, const char *const *columns)
{
	struct wbl_out sql = { 0 };
	int32_t rc;

	wbl_out_fmt(&sql, "INSERT INTO ");
	sqlite_name(&sql, w->table.name);
	wbl_out_add(&sql, "(", 1);
	add_columns(w, columns, &sql, "");
	wbl_out_fmt(&sql, ") VALUES(");
	for (int i = 0; i < w->ncols; i++)
		wbl_out_fmt(&sql, i ? ",?" : "?");
	wbl_out_add(&sql, ")", 1);
	if (w->mode != WBL_MODE_INSERT && w->nkey) {
		wbl_out_fmt(&sql, " ON CONFLICT(");
		for (int k = 1, n = 0; k <= w->nkey; k++)
			for (size_t i = 0; i < w->table.ncols; i++)
				if (w->table.cols[i].pk == k) {
					wbl_out_fmt(&sql, n++ ? "," : "");
					sqlite_name(&sql, w->table.cols[i].name);
				}
		wbl_out_fmt(&sql, ") DO UPDATE SET ");
		add_columns(w, columns, &sql, "=excluded.");
	}
	rc = sqlite_prepare(w->self, sql.s, &w->put);
	wbl_out_clear(&sql);
	return rc;
}

/* Deletes name their key only: the cells are those of the primary key, in its order. */
static int32_t prepare_delete(struct sqlite_writer *w)
{
	struct wbl_out sql = { 0 };
	int32_t rc;

	wbl_out_fmt(&sql, "DELETE FROM ");
	sqlite_name(&sql, w->table.name);
	wbl_out_fmt(&sql, " WHERE ");
	for (int k = 1, n = 0; k <= w->nkey; k++)
		for (size_t i = 0; i < w->table.ncols; i++)
			if (w->table.cols[i].pk == k) {
				wbl_out_fmt(&sql, n++ ? " AND " : "");
				sqlite_name(&sql, w->table.cols[i].name);
				wbl_out_fmt(&sql, " IS ?");
			}
	rc = sqlite_prepare(w->self, sql.s, &w->del);
	wbl_out_clear(&sql);
	return rc;
}

static int32_t check_columns(struct sqlite_writer *w, const char *const *columns)
{
	for (int i = 0; columns[i]; i++, w->ncols++)
		if (!sqlite_table_column(&w->table, columns[i]))
			return wbl_error_report(w->self->call, WBL_E_PARAM, w->self->path, NULL,
				"table \"%s\" has no column \"%s\"", w->table.name, columns[i]);
	return WBL_OK;
}

static int32_t prepare(struct sqlite_writer *w, const struct wbl_write *write)
{
	struct sqlite_self *s = w->self;
	int32_t rc;

	if (!write->set || !write->columns)
		return wbl_error_report(s->call, WBL_E_UNSUPPORTED, s->path, NULL,
			"rows are written by the name of their table and columns");
	rc = sqlite_table_load(s, write->set, &w->table);
	if (rc == WBL_END)
		return wbl_error_report(s->call, WBL_E_STALE, s->path, NULL,
			"there is no table \"%s\" any more", write->set);
	w->nkey = (int)w->table.nkey;
	rc = rc ? rc : check_columns(w, write->columns);
	if (!rc && w->mode != WBL_MODE_INSERT && !w->nkey)
		rc = wbl_error_report(s->call, WBL_E_UNSUPPORTED, s->path,
			"Give the table a primary key, or insert into an empty one.",
			"table \"%s\" has no primary key by which rows could be found",
			w->table.name);
	if (!rc && w->mode != WBL_MODE_DELETE)
		rc = prepare_put(w, write->columns);
	if (!rc && (w->mode == WBL_MODE_DELETE || w->mode == WBL_MODE_BY_KIND))
		rc = prepare_delete(w);
	return rc;
}

int32_t sqlite_write(
	void *self, struct wbl_call *call, const struct wbl_write *write, void **ret_writer)
{
	struct sqlite_self *s = self;
	struct sqlite_writer *w;
	int32_t rc = sqlite_ready(s, call);

	if (!rc && (!s->write || write->mode == WBL_MODE_NEWER || write->mode < WBL_MODE_INSERT ||
			   write->mode > WBL_MODE_BY_KIND))
		rc = wbl_error_report(call, WBL_E_UNSUPPORTED, s->path, NULL,
			s->write ? "rows have no versions here" : "opened for reading");
	rc = rc ? rc : sqlite_run(s, "BEGIN IMMEDIATE");
	if (rc)
		return rc;
	w = wbl_sdk_alloc(sizeof *w);
	w->self = s;
	w->mode = write->mode;
	w->epoch = write->epoch;
	w->attempt = write->attempt;
	w->origin = write->origin ? wbl_sdk_strdup(write->origin) : NULL;
	w->set = write->set ? wbl_sdk_strdup(write->set) : NULL;
	rc = sqlite_epoch_check(s, w->origin, w->epoch);
	if (write->set)
		rc = rc ? rc : prepare(w, write);
	if (!rc && write->lane)
		rc = sqlite_lane_begin(w, write);
	if (rc) {
		sqlite_abort(w);
		return rc;
	}
	*ret_writer = w;
	return WBL_OK;
}

static int32_t bad_row(struct sqlite_writer *w, uint64_t row, const char *why)
{
	return wbl_error_report(w->self->call, WBL_E_PARAM, w->self->path, NULL,
		"table \"%s\", row %llu of the batch: %s", w->set, (unsigned long long)row, why);
}

static int32_t one(struct sqlite_writer *w, const struct wbl_row *row, uint64_t at)
{
	int del = w->mode == WBL_MODE_DELETE ||
		  (w->mode == WBL_MODE_BY_KIND && row->kind == WBL_ROW_DELETE);
	sqlite3_stmt *st = del ? w->del : w->put;
	int n = del ? w->nkey : w->ncols, step;
	struct wbl_bytes cells = row->cells;
	struct wbl_cell c;
	const char *why = "";
	int32_t rc;

	for (int i = 1; i <= n; i++) {
		if (wbl_cell_next(&cells, &c) != 1)
			return bad_row(w, at, "it has too few cells");
		rc = sqlite_bind(w->self, st, i, &c, &why);
		if (rc)
			return bad_row(w, at, why);
	}
	if (cells.len)
		return bad_row(w, at, "it has too many cells");
	step = sqlite3_step(st);
	sqlite3_reset(st);
	if (step == SQLITE_DONE) {
		w->written++;
		return WBL_OK;
	}
	if ((step & 0xff) == SQLITE_CONSTRAINT || (step & 0xff) == SQLITE_MISMATCH)
		return bad_row(w, at, sqlite3_errmsg(w->self->db));
	return sqlite_fail(w->self, step, w->set);
}

static void writer_free(struct sqlite_writer *w)
{
	while (w->parts) {
		struct sqlite_writer *part = w->parts;

		w->parts = part->next;
		writer_free(part);
	}
	for (int i = 0; w->columns && i < w->ncols; i++)
		free(w->columns[i]);
	free(w->columns);
	sqlite3_finalize(w->put);
	sqlite3_finalize(w->del);
	sqlite_table_clear(&w->table);
	free(w->origin);
	free(w->set);
	free(w);
}

static int same_columns(const struct sqlite_writer *part, const char *const *columns)
{
	int n = 0;

	while (columns && columns[n] && n < part->ncols && !strcmp(columns[n], part->columns[n]))
		n++;
	return columns && n == part->ncols && !columns[n];
}

static int32_t part_of(
	struct sqlite_writer *w, const struct wbl_batch *batch, struct sqlite_writer **ret)
{
	struct wbl_write write = {
		.size = sizeof write, .set = batch->set, .columns = batch->columns
	};
	struct sqlite_writer *part = w->parts;
	int32_t rc;

	*ret = w;
	if (w->set)
		return WBL_OK;
	while (part && batch->set &&
		(strcmp(part->set, batch->set) != 0 || !same_columns(part, batch->columns)))
		part = part->next;
	*ret = part;
	if (part && batch->set)
		return WBL_OK;
	part = wbl_sdk_alloc(sizeof *part);
	part->self = w->self;
	part->mode = w->mode;
	part->set = wbl_sdk_strdup(batch->set ? batch->set : "");
	rc = prepare(part, &write);
	if (rc) {
		writer_free(part);
		return rc;
	}
	part->columns = wbl_sdk_alloc(((size_t)part->ncols + 1) * sizeof *part->columns);
	for (int i = 0; i < part->ncols; i++)
		part->columns[i] = wbl_sdk_strdup(batch->columns[i]);
	part->next = w->parts;
	*ret = w->parts = part;
	return WBL_OK;
}

int32_t sqlite_append(
	void *writer, struct wbl_call *call, const struct wbl_batch *batch, uint64_t *ret_bad)
{
	struct sqlite_writer *w = writer, *part;
	uint64_t at = 0, n = 0, before;
	struct wbl_row row;
	int32_t rc;
	int more;

	w->self->call = call;
	if (w->lane)
		return sqlite_lane_append(w, batch);
	rc = part_of(w, batch, &part);
	rc = rc ? rc : sqlite_run(w->self, "SAVEPOINT batch");
	if (rc)
		return rc;
	before = part->written;
	while (!rc && (more = wbl_batch_next(batch, &at, &row)) != 0)
		rc = more < 0 ? bad_row(part, n, "the batch is damaged") : one(part, &row, n++);
	if (!rc) {
		if (part != w)
			w->written += part->written - before;
		return sqlite_run(w->self, "RELEASE batch");
	}
	if (rc == WBL_E_PARAM && ret_bad)
		*ret_bad = n ? n - 1 : 0;
	part->written = before;
	if (sqlite3_get_autocommit(w->self->db) ||
		sqlite3_exec(w->self->db, "ROLLBACK TO batch; RELEASE batch", NULL, NULL, NULL))
		return rc == WBL_E_PARAM ? WBL_E_FAILED : rc;
	return rc;
}

int32_t sqlite_commit(void *writer, struct wbl_call *call, const struct wbl_receipt *receipt,
	struct wbl_outcome *ret)
{
	struct sqlite_writer *w = writer;
	struct sqlite_self *s = w->self;
	int32_t rc = WBL_OK;
	int step;

	s->call = call;
	if (sqlite3_get_autocommit(s->db))
		rc = wbl_error_report(call, WBL_E_FAILED, s->path, NULL,
			"the transaction was rolled back by an earlier error");
	rc = rc ? rc : sqlite_receipt_put(s, receipt, w->origin, w->set, w->written);
	if (rc) {
		sqlite_abort(w);
		return rc;
	}
	/* Busy here means readers of a rollback-journal database. commit does not answer to STOP: wait it out, within limits. */
	for (int tries = 0;
		(step = sqlite3_exec(s->db, "COMMIT", NULL, NULL, NULL)) == SQLITE_BUSY;)
		if (++tries > 3)
			break;
	if (step == SQLITE_OK) {
		wbl_struct_give(
			ret, &(struct wbl_outcome){ .size = sizeof *ret, .written = w->written });
		writer_free(w);
		return WBL_OK;
	}
	rc = wbl_error_report(call,
		(step & 0xff) == SQLITE_IOERR  ? WBL_E_INDETERMINATE
		: (step & 0xff) == SQLITE_BUSY ? WBL_E_RETRY
					       : WBL_E_RESOURCES,
		s->path, NULL, "cannot commit: %s", sqlite3_errmsg(s->db));
	sqlite_abort(w);
	return rc;
}

void sqlite_abort(void *writer)
{
	struct sqlite_writer *w = writer;

	if (!w)
		return;
	if (!sqlite3_get_autocommit(w->self->db))
		sqlite3_exec(w->self->db, "ROLLBACK", NULL, NULL, NULL);
	writer_free(w);
}
