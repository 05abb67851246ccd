/* tests of the store sqlite: rows and receipt together or not at all, epochs, ranges over gaps, what is refused.
 * req: D7 D8 D9 X6 X9
 * SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <sqlite3.h>

#include <whimbrel/sdk.h>

#include "bench_host.h"
#include "type_table.h"

static struct bench *b;
static char path[300], params[400];

static int set_up(void **state)
{
	b = bench_new();
	snprintf(path, sizeof path, "%s/t.db", b->dir);
	snprintf(params, sizeof params,
		"{\"store\":\"sqlite\",\"path\":\"%s\",\"busy_timeout\":100000000}", path);
	return 0;
}

static int tear_down(void **state)
{
	bench_free(b);
	return 0;
}

static void sql(const char *text)
{
	sqlite3 *db;
	char *why = NULL;

	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	if (sqlite3_exec(db, text, NULL, NULL, &why))
		fail_msg("%s: %s", text, why);
	sqlite3_close(db);
}

static int number(const char *text)
{
	sqlite3 *db;
	sqlite3_stmt *st;
	int n = -1;

	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_prepare_v2(db, text, -1, &st, NULL), SQLITE_OK);
	if (sqlite3_step(st) == SQLITE_ROW)
		n = sqlite3_column_int(st, 0);
	sqlite3_finalize(st);
	sqlite3_close(db);
	return n;
}

static const char *const columns[] = { "k", "v", NULL };

static void row(struct wbl_rows *r, int kind, int64_t k, double v)
{
	wbl_row_begin(r, kind);
	wbl_cell_int(r, k);
	if (kind == WBL_ROW_PUT)
		wbl_cell_real(r, v);
	wbl_row_end(r);
}

static int32_t append(struct bench_store *s, void *w, struct wbl_rows *r, uint64_t *bad)
{
	struct wbl_batch batch;

	wbl_rows_batch(r, "t", columns, &batch);
	return s->table->append(w, s->call, &batch, bad);
}

static int32_t begin(struct bench_store *s, int32_t mode, uint64_t epoch, void **w)
{
	struct wbl_write write = { .size = sizeof write,
		.mode = mode,
		.epoch = epoch,
		.set = "t",
		.columns = columns,
		.origin = "run" };

	return s->table->write(s->self, s->call, &write, w);
}

static int32_t commit(struct bench_store *s, void *w, const char *key, uint64_t epoch)
{
	struct wbl_receipt r = {
		.size = sizeof r, .key = key, .epoch = epoch, .body = { "body", 4 }
	};
	/* As a caller of an older ABI has it: no room behind `written`. */
	struct wbl_outcome out = { .size = offsetof(struct wbl_outcome, kept), .kept = 77 };
	int32_t rc = s->table->commit(w, s->call, &r, &out);

	assert_int_equal(out.size, offsetof(struct wbl_outcome, kept));
	assert_int_equal(out.kept, 77);
	return rc;
}

static void test_receipts(void **state)
{
	struct bench_store s;
	struct wbl_rows r = { 0 };
	struct wbl_bytes body;
	uint64_t bad = 99;
	void *w;

	sql("CREATE TABLE t(k INTEGER PRIMARY KEY, v)");
	assert_int_equal(bench_open(b, params, WBL_OPEN_WRITE, &s), 0);
	assert_int_equal(s.table->receipt(s.self, s.call, "a", &body), WBL_END);
	row(&r, WBL_ROW_PUT, 1, 1);
	row(&r, WBL_ROW_PUT, 2, 2);
	assert_int_equal(begin(&s, WBL_MODE_INSERT, 5, &w), 0);
	assert_int_equal(append(&s, w, &r, &bad), 0);
	s.table->abort(w);
	assert_int_equal(number("SELECT count(*) FROM t"), 0);
	assert_int_equal(begin(&s, WBL_MODE_INSERT, 5, &w), 0);
	assert_int_equal(append(&s, w, &r, &bad), 0);
	/* The second batch is wrong in its second row: nothing of it stays, the first one does. */
	wbl_rows_reset(&r);
	row(&r, WBL_ROW_PUT, 3, 3);
	row(&r, WBL_ROW_PUT, 1, 3);
	assert_int_equal(append(&s, w, &r, &bad), WBL_E_PARAM);
	assert_int_equal(bad, 1);
	assert_int_equal(commit(&s, w, "a", 5), 0);
	assert_int_equal(number("SELECT count(*) FROM t"), 2);
	assert_int_equal(s.table->receipt(s.self, s.call, "a", &body), 0);
	assert_memory_equal(body.data, "body", 4);
	/* The receipt stands: the same key cannot commit again, and takes its rows along. */
	wbl_rows_reset(&r);
	row(&r, WBL_ROW_PUT, 9, 9);
	assert_int_equal(begin(&s, WBL_MODE_INSERT, 5, &w), 0);
	assert_int_equal(append(&s, w, &r, &bad), 0);
	assert_true(commit(&s, w, "a", 5) < 0);
	assert_int_equal(number("SELECT count(*) FROM t"), 2);
	assert_int_equal(begin(&s, WBL_MODE_INSERT, 4, &w), WBL_E_FENCED);
	wbl_rows_clear(&r);
	bench_close(&s);
}

static void test_modes(void **state)
{
	struct bench_store s;
	struct wbl_rows r = { 0 };
	uint64_t bad;
	void *w;

	sql("CREATE TABLE t(k INTEGER PRIMARY KEY, v); INSERT INTO t VALUES(1,1),(2,2)");
	assert_int_equal(bench_open(b, params, WBL_OPEN_WRITE, &s), 0);
	row(&r, WBL_ROW_PUT, 1, 10);
	row(&r, WBL_ROW_DELETE, 2, 0);
	row(&r, WBL_ROW_PUT, 3, 30);
	assert_int_equal(begin(&s, WBL_MODE_BY_KIND, 1, &w), 0);
	assert_int_equal(append(&s, w, &r, &bad), 0);
	assert_int_equal(commit(&s, w, "m", 1), 0);
	assert_int_equal(number("SELECT sum(k*1000+v) FROM t"), 4040);
	assert_int_equal(begin(&s, WBL_MODE_NEWER, 1, &w), WBL_E_UNSUPPORTED);
	wbl_rows_reset(&r);
	row(&r, WBL_ROW_PUT, 5, NAN);
	assert_int_equal(begin(&s, WBL_MODE_INSERT, 1, &w), 0);
	assert_int_equal(append(&s, w, &r, &bad), WBL_E_PARAM);
	s.table->abort(w);
	wbl_rows_clear(&r);
	bench_close(&s);
}

static void count_ranges(const char *set, uint64_t each, uint64_t want_rows)
{
	struct bench_store s;
	struct wbl_scan whole = { .size = sizeof whole, .range = WBL_RANGE_ALL, .set = set }, last,
			next;
	struct wbl_batch batch = { .size = sizeof batch };
	uint64_t n = 0, rows = 0;
	void *cursor;

	assert_int_equal(bench_open(b, params, WBL_OPEN_READ, &s), 0);
	while (s.table->split(s.self, s.call, &whole, n ? &last : NULL, each, &next) == WBL_OK) {
		struct wbl_scan copy = next;
		char low[100], high[100];
		uint64_t in = 0;

		memcpy(low, next.low.len ? next.low.data : "", next.low.len);
		memcpy(high, next.high.len ? next.high.data : "", next.high.len);
		copy.low.data = low;
		copy.high.data = high;
		assert_int_equal(s.table->scan(s.self, s.call, &copy, &cursor), 0);
		while (s.table->read(cursor, s.call, &batch) == WBL_OK)
			in += batch.rows;
		s.table->scan_end(cursor);
		assert_true(in <= each);
		rows += in;
		last = next;
		assert_true(++n < 10000);
	}
	assert_int_equal(rows, want_rows);
	assert_true(n <= want_rows / each + 1);
	bench_close(&s);
}

static void test_ranges_over_gaps(void **state)
{
	sql("CREATE TABLE gap(id INTEGER PRIMARY KEY, x); CREATE TABLE wide(a TEXT, b, x, PRIMARY "
	    "KEY(a,b)) WITHOUT ROWID;"
	    "CREATE TABLE hides(rowid, _rowid_, oid);"
	    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<500) INSERT INTO "
	    "gap SELECT i*i*i-9000, i "
	    "FROM n; INSERT INTO gap VALUES(9223372036854775807,0),(-9223372036854775808,0);"
	    "INSERT INTO wide SELECT 'k'||(x%7), CASE x%3 WHEN 0 THEN x WHEN 1 THEN x+0.5 ELSE "
	    "'t'||x END, x FROM gap WHERE x>0;"
	    "INSERT INTO hides SELECT x,x,x FROM gap");
	for (uint64_t each = 1; each < 700; each = each * 2 + 1) {
		count_ranges("gap", each, 502);
		count_ranges("wide", each, 500);
	}
	count_ranges("hides", 1000, 502);
}

static void test_locked(void **state)
{
	struct bench_store s;
	sqlite3 *db;
	void *w;

	sql("CREATE TABLE t(k INTEGER PRIMARY KEY, v)");
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
	assert_int_equal(bench_open(b, params, WBL_OPEN_WRITE, &s), 0);
	assert_int_equal(begin(&s, WBL_MODE_INSERT, 1, &w), WBL_E_RETRY);
	assert_non_null(strstr(b->notes[b->nnotes - 1].text, "locked"));
	b->signals = WBL_SIGNAL_STOP;
	assert_int_equal(begin(&s, WBL_MODE_INSERT, 1, &w), WBL_E_CANCELLED);
	sqlite3_close(db);
	bench_close(&s);
}

static void test_not_a_database(void **state)
{
	struct bench_store s = { 0 };
	FILE *f = fopen(path, "w");

	for (int i = 0; i < 200; i++)
		fputs("this is no database ", f);
	fclose(f);
	assert_int_equal(bench_open(b, params, WBL_OPEN_READ, &s), WBL_E_PARAM);
	assert_non_null(strstr(b->notes[0].text, "not a database"));
}

static void test_schema_once(void **state)
{
	struct bench_store s;
	struct wbl_receipt r = { .size = sizeof r, .key = "step", .epoch = 1 };
	struct wbl_schema c = { .size = sizeof c,
		.receipt = &r,
		.change_json = "{\"create_table\":{\"name\":\"x\",\"origin\":\"run\",\"columns\":[{"
			       "\"name\":\"a\","
			       "\"type\":\"decimal\",\"not_null\":true}],\"key\":[\"a\"]}}" };
	struct wbl_sql q = { .size = sizeof q, .receipt = &r, .text = "UPDATE n SET i=i+1" };
	const char *text;

	sql("CREATE TABLE n(i); INSERT INTO n VALUES(0)");
	assert_int_equal(bench_open(b, params, WBL_OPEN_WRITE, &s), 0);
	assert_int_equal(s.table->schema(s.self, s.call, &c, &text), 0);
	assert_non_null(strstr(text, "\"a\" TEXT NOT NULL"));
	assert_int_equal(s.table->schema(s.self, s.call, &c, &text), WBL_END);
	r.key = "sql";
	assert_int_equal(s.table->sql(s.self, s.call, &q, &text), 0);
	assert_int_equal(s.table->sql(s.self, s.call, &q, &text), WBL_END);
	assert_int_equal(number("SELECT i FROM n"), 1);
	q.text = "SELECT 1; DROP TABLE n";
	q.receipt = NULL;
	assert_int_equal(s.table->sql(s.self, s.call, &q, &text), WBL_E_PARAM);
	q.flags = 1;
	q.text = "DELETE FROM n";
	assert_int_equal(s.table->sql(s.self, s.call, &q, &text), WBL_E_PARAM);
	assert_int_equal(number("SELECT i FROM n"), 1);
	bench_close(&s);
}

static void test_utf16(void **state)
{
	struct bench_store s;
	struct wbl_scan scan = { .size = sizeof scan, .range = WBL_RANGE_ALL, .set = "t" };
	struct wbl_batch batch = { .size = sizeof batch };
	void *cursor;

	sql("PRAGMA encoding='UTF-16le'; CREATE TABLE t(k INTEGER PRIMARY KEY, v); INSERT INTO t "
	    "VALUES(1,'g\xc3\xbc')");
	assert_int_equal(bench_open(b, params, WBL_OPEN_READ, &s), 0);
	assert_int_equal(s.table->scan(s.self, s.call, &scan, &cursor), 0);
	assert_int_equal(s.table->read(cursor, s.call, &batch), 0);
	assert_memory_equal(batch.data + batch.len - 3, "g\xc3\xbc", 3);
	s.table->scan_end(cursor);
	bench_close(&s);
	sql("INSERT INTO t VALUES(2, CAST(x'00d8' AS TEXT))");
	assert_int_equal(bench_open(b, params, WBL_OPEN_READ, &s), 0);
	assert_int_equal(s.table->scan(s.self, s.call, &scan, &cursor), 0);
	assert_int_equal(s.table->read(cursor, s.call, &batch), WBL_E_PARAM);
	s.table->scan_end(cursor);
	bench_close(&s);
}

/* Rows by key, as they are within the transaction of the writer that is open; two tables in that one. */
static void test_fetch(void **state)
{
	static const char *const key[] = { "k", NULL }, *const note[] = { "id", "text", NULL };
	struct bench_store s;
	struct wbl_rows r = { 0 }, keys = { 0 };
	struct wbl_batch batch, got = { .size = sizeof got };
	struct wbl_write write = {
		.size = sizeof write, .mode = WBL_MODE_BY_KIND, .origin = "run"
	};
	struct wbl_row found;
	struct wbl_cell cell;
	uint64_t at = 0, bad = 9;
	void *w, *c;

	sql("CREATE TABLE t(k INTEGER PRIMARY KEY, twice AS (k * 2), v, more DEFAULT 'm');"
	    "INSERT INTO t(k,v) VALUES(1,1.5),(3,3.5),(5,5.5);"
	    "CREATE TABLE note(id TEXT PRIMARY KEY, text)");
	assert_int_equal(bench_open(b, params, WBL_OPEN_WRITE, &s), 0);
	assert_true(s.capabilities & WBL_CAN_SETS);
	for (int k = 1; k < 5; k++)
		row(&keys, WBL_ROW_DELETE, k, 0);
	assert_int_equal(s.table->write(s.self, s.call, &write, &w), 0);
	row(&r, WBL_ROW_PUT, 4, 4.5);
	row(&r, WBL_ROW_DELETE, 3, 0);
	assert_int_equal(append(&s, w, &r, &bad), 0);
	wbl_rows_reset(&r);
	wbl_row_begin(&r, WBL_ROW_PUT);
	wbl_cell_text(&r, "a", 1);
	wbl_cell_text(&r, "b", 1);
	wbl_row_end(&r);
	wbl_rows_batch(&r, "note", note, &batch);
	assert_int_equal(s.table->append(w, s.call, &batch, &bad), 0);
	wbl_rows_batch(&keys, "t", key, &batch);
	assert_int_equal(s.table->fetch(s.self, s.call, &batch, &c), 0);
	wbl_rows_reset(&keys); /* it is a copy that is read */
	row(&keys, WBL_ROW_DELETE, 77, 0);
	assert_int_equal(s.table->read(c, s.call, &got), 0);
	assert_int_equal(got.rows, 2);
	assert_string_equal(got.columns[1], "v");
	assert_string_equal(got.columns[2], "more");
	assert_null(got.columns[3]);
	for (int n = 0; n < 2; n++) {
		assert_int_equal(wbl_batch_next(&got, &at, &found), 1);
		assert_int_equal(wbl_cell_next(&found.cells, &cell), 1);
		assert_int_equal(wbl_cell_get_int(&cell), n ? 4 : 1);
		assert_int_equal(wbl_cell_next(&found.cells, &cell), 1);
		assert_true(wbl_cell_get_real(&cell) == (n ? 4.5 : 1.5));
	}
	assert_int_equal(s.table->read(c, s.call, &got), WBL_END);
	s.table->scan_end(c);
	assert_int_equal(commit(&s, w, "sets", 1), 0);
	assert_int_equal(number("SELECT count(*) FROM t WHERE k IN (1,4,5)"), 3);
	assert_int_equal(number("SELECT count(*) FROM note"), 1);
	wbl_rows_batch(&keys, "gone", key, &batch);
	assert_int_equal(s.table->fetch(s.self, s.call, &batch, &c), WBL_E_PARAM);
	wbl_rows_batch(&keys, "t", note, &batch);
	assert_int_equal(s.table->fetch(s.self, s.call, &batch, &c), WBL_E_PARAM);
	wbl_rows_clear(&r);
	wbl_rows_clear(&keys);
	bench_close(&s);
}

/* ---- the tables of types in sqlite.md ---- */

static void text_of(const char *query, char out[TYPE_TABLE_TEXT])
{
	sqlite3 *db;
	sqlite3_stmt *st;

	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_prepare_v2(db, query, -1, &st, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_step(st), SQLITE_ROW);
	snprintf(out, TYPE_TABLE_TEXT, "%s", (const char *)sqlite3_column_text(st, 0));
	sqlite3_finalize(st);
	sqlite3_close(db);
}

/* The cells of one row into one row of `set`. */
static void write_row(struct bench_store *s, const char *set, struct wbl_bytes cells)
{
	static const char *const v[] = { "v", NULL };
	struct wbl_write write = { .size = sizeof write,
		.mode = WBL_MODE_INSERT,
		.epoch = 1,
		.set = set,
		.columns = v,
		.origin = "run" };
	struct wbl_outcome out = { .size = sizeof out };
	struct wbl_rows rows = { 0 };
	struct wbl_batch batch;
	void *w;

	wbl_row_begin(&rows, WBL_ROW_PUT);
	wbl_cell_copy(&rows, cells.data, cells.len);
	wbl_row_end(&rows);
	wbl_rows_batch(&rows, set, v, &batch);
	assert_int_equal(s->table->write(s->self, s->call, &write, &w), 0);
	assert_int_equal(s->table->append(w, s->call, &batch, NULL), 0);
	assert_int_equal(s->table->commit(w, s->call, NULL, &out), 0);
	wbl_rows_clear(&rows);
}

static void each_type(void *arg, const struct type_table_row *r)
{
	static const char *const v[] = { "v", NULL };
	struct wbl_scan scan = {
		.size = sizeof scan, .range = WBL_RANGE_ALL, .set = "t", .columns = v
	};
	char text[1200], found[TYPE_TABLE_TEXT];
	struct wbl_batch batch = { .size = sizeof batch };
	struct bench_store s;
	struct wbl_bytes cells;
	struct wbl_cell c;
	struct wbl_row row;
	uint64_t at = 0;
	void *cursor;

	snprintf(text, sizeof text,
		"DROP TABLE IF EXISTS t; DROP TABLE IF EXISTS u; CREATE TABLE t(v %s); "
		"CREATE TABLE u(v %s); INSERT INTO t VALUES(%s)",
		r->cell[1], r->cell[1], r->cell[0]);
	sql(text);
	assert_int_equal(bench_open(b, params, WBL_OPEN_WRITE, &s), 0);
	assert_int_equal(s.table->scan(s.self, s.call, &scan, &cursor), 0);
	assert_int_equal(s.table->read(cursor, s.call, &batch), 0);
	assert_int_equal(wbl_batch_next(&batch, &at, &row), 1);
	cells = row.cells;
	assert_int_equal(wbl_cell_next(&cells, &c), 1);
	type_table_show(&c, found);
	if (strcmp(found, r->cell[2]) != 0)
		fail_msg("sqlite.md:%d: read as \"%s\"", r->line, found);
	write_row(&s, "u", row.cells);
	s.table->scan_end(cursor);
	bench_close(&s);
	text_of("SELECT quote(v) FROM u", found);
	if (strcmp(found, r->cell[3]) != 0)
		fail_msg("sqlite.md:%d: written back as %s", r->line, found);
}

static void each_made(void *arg, const struct type_table_row *r)
{
	struct wbl_schema change = { .size = sizeof change };
	struct wbl_rows in = { 0 }, out = { 0 };
	struct wbl_bytes cells;
	struct wbl_cell c;
	struct bench_store s;
	char text[600], found[TYPE_TABLE_TEXT];
	const char *why = "";

	sql("DROP TABLE IF EXISTS t");
	snprintf(text, sizeof text,
		"{\"create_table\":{\"name\":\"t\",\"columns\":[{\"name\":\"v\",\"type\":\"%s\"}]}"
		"}",
		r->cell[0]);
	change.change_json = text;
	assert_int_equal(bench_open(b, params, WBL_OPEN_WRITE, &s), 0);
	assert_int_equal(s.table->schema(s.self, s.call, &change, NULL), 0);
	wbl_row_begin(&in, WBL_ROW_PUT);
	wbl_cell_text(&in, r->cell[2], strlen(r->cell[2]));
	cells = wbl_row_end(&in);
	wbl_cell_next(&cells, &c);
	wbl_row_begin(&out, WBL_ROW_PUT);
	if (wbl_cell_cast(&out, &c, wbl_type_by_name(r->cell[0]), &why))
		fail_msg("sqlite.md:%d: %s", r->line, why);
	write_row(&s, "t", wbl_row_end(&out));
	bench_close(&s);
	text_of("SELECT type FROM pragma_table_info('t')", found);
	assert_string_equal(found, r->cell[1]);
	text_of("SELECT quote(v) FROM t", found);
	if (strcmp(found, r->cell[3]) != 0)
		fail_msg("sqlite.md:%d: kept as %s", r->line, found);
	wbl_rows_clear(&in);
	wbl_rows_clear(&out);
}

static void test_types(void **state)
{
	const char *page = "plugins/stores/sqlite/sqlite.md";

	assert_true(type_table_read(page, TYPE_TABLE_HEAD, each_type, NULL) >= 20);
	sql("DROP TABLE t; DROP TABLE u");
	assert_true(type_table_read(
			    page, "| type of the mapping | column made |", each_made, NULL) >= 12);
}

/* The same rows by the lane and as rows: the same table, the same sums. */
static void test_lane(void **state)
{
	static const char *const c[] = { "k", "v", "=k*2", NULL },
				 *const to[] = { "k", "v", "w", NULL },
				 *const key[] = { "v", "k", NULL };
	char there[300], other[420];
	struct wbl_scan scan = { .size = sizeof scan,
		.range = WBL_RANGE_ALL,
		.set = "t",
		.columns = c,
		.filter = "k<>3",
		.lane = "sqlite.attach" };
	struct wbl_write write = { .size = sizeof write,
		.mode = WBL_MODE_INSERT,
		.epoch = 1,
		.set = "n",
		.columns = to,
		.origin = "run",
		.lane = "sqlite.attach",
		.key = key };
	struct wbl_digest d = { .size = sizeof d };
	struct wbl_outcome out = { .size = sizeof out };
	struct wbl_batch batch = { .size = sizeof batch };
	struct wbl_sum sum = { 0 };
	struct wbl_rows scratch = { 0 };
	struct bench_store s, t;
	struct wbl_row row;
	uint64_t bytes = 0, at = 0;
	void *cursor, *w;

	sql("CREATE TABLE t(k INTEGER PRIMARY KEY, v); INSERT INTO t "
	    "VALUES(1,'a'),(2,2.5),(3,NULL),"
	    "(4,x'00'),(5,NULL),(6,'')");
	snprintf(there, sizeof there, "%s", path);
	snprintf(path, sizeof path, "%s/n.db", b->dir);
	sql("CREATE TABLE n(k INTEGER PRIMARY KEY, v, w)");
	snprintf(other, sizeof other, "{\"store\":\"sqlite\",\"path\":\"%s\"}", path);
	assert_int_equal(bench_open(b, params, WBL_OPEN_READ, &s), 0);
	assert_int_equal(bench_open(b, other, WBL_OPEN_WRITE, &t), 0);
	assert_int_equal(s.table->scan(s.self, s.call, &scan, &cursor), 0);
	assert_int_equal(s.table->read(cursor, s.call, &batch), 0);
	assert_int_equal(t.table->write(t.self, t.call, &write, &w), 0);
	assert_int_equal(t.table->append(w, t.call, &batch, NULL), 0);
	assert_int_equal(t.table->sums(w, t.call, &d, &bytes), 0);
	assert_int_equal(t.table->commit(w, t.call, NULL, &out), 0);
	assert_int_equal(out.written, 5);
	assert_int_equal(s.table->read(cursor, s.call, &batch), WBL_END);
	s.table->scan_end(cursor);
	scan.lane = NULL;
	assert_int_equal(s.table->scan(s.self, s.call, &scan, &cursor), 0);
	assert_int_equal(s.table->read(cursor, s.call, &batch), 0);
	while (wbl_batch_next(&batch, &at, &row) == 1) {
		struct wbl_bytes cells = row.cells;
		struct wbl_cell k, v;

		wbl_cell_next(&cells, &k);
		wbl_cell_next(&cells, &v);
		wbl_rows_reset(&scratch);
		wbl_cell_copy(&scratch, v.at, v.whole);
		wbl_cell_copy(&scratch, k.at, k.whole);
		wbl_sum_row(&sum, row.cells.data, row.cells.len);
		wbl_sum_key(&sum, scratch.data, scratch.len);
	}
	s.table->scan_end(cursor);
	assert_int_equal(d.count, sum.count);
	assert_true(d.row_lo == sum.row_lo && d.row_hi == sum.row_hi);
	assert_true(d.key_lo == sum.key_lo && d.key_hi == sum.key_hi);
	assert_int_equal(bytes, batch.len);
	assert_int_equal(number("SELECT sum(w) FROM n"), 36);
	/* A key that is there: nothing is kept, and rows can be sent. */
	scan.lane = "sqlite.attach";
	assert_int_equal(s.table->scan(s.self, s.call, &scan, &cursor), 0);
	assert_int_equal(s.table->read(cursor, s.call, &batch), 0);
	assert_int_equal(t.table->write(t.self, t.call, &write, &w), 0);
	assert_int_equal(t.table->append(w, t.call, &batch, NULL), WBL_E_PARAM);
	t.table->abort(w);
	s.table->scan_end(cursor);
	/* What could mean another table there, or another value the second time, is no matter of a lane. */
	scan.filter = "k IN (SELECT k FROM t)";
	assert_int_equal(s.table->scan(s.self, s.call, &scan, &cursor), WBL_E_UNSUPPORTED);
	scan.filter = "k > random()";
	assert_int_equal(s.table->scan(s.self, s.call, &scan, &cursor), WBL_E_UNSUPPORTED);
	wbl_rows_clear(&scratch);
	bench_close(&s);
	bench_close(&t);
	snprintf(path, sizeof path, "%s", there);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_fetch, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_receipts, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_modes, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_ranges_over_gaps, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_locked, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_not_a_database, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_schema_once, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_utf16, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_types, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_lane, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
