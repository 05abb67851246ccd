/* sqlite_scan.c - rows read by key range, split into ranges, counted.
 * In: struct wbl_scan.  Out: batches of canonical rows, each value with the type that it is stored with.  Ranges follow the rowid
 * where there is one (the order in which the table lies on disk), else the primary key of a WITHOUT ROWID table.
 * SPDX-License-Identifier: Apache-2.0 */
#include "sqlite_impl.h"

#include <stdlib.h>
#include <string.h>

enum { BATCH_ROWS = 4096, BATCH_BYTES = 1 << 19 };

struct sqlite_cursor {
	struct sqlite_self *self;
	sqlite3_stmt *st;
	struct sqlite_table table;
	struct wbl_rows rows;
	char *set;
	uint64_t batch_rows, batch_bytes;
	int lane, ncols, done;
	/* of fetch: the keys that are asked for one by one, and what the columns are called */
	struct wbl_batch keys;
	const char **names;
	uint64_t at;
	int bound, own_view; /* own_view: one transaction for all look-ups, not one for each */
};

static void key_names(const struct sqlite_table *t, struct wbl_out *o)
{
	if (t->rowid) {
		wbl_out_add(o, t->rowid, strlen(t->rowid));
		return;
	}
	for (int k = 1; k <= (int)t->nkey; k++)
		for (size_t i = 0; i < t->ncols; i++)
			if (t->cols[i].pk == k) {
				if (k > 1)
					wbl_out_add(o, ",", 1);
				sqlite_name(o, t->cols[i].name);
			}
}

size_t sqlite_key_width(const struct sqlite_table *t)
{
	return t->rowid ? 1 : t->without_rowid ? t->nkey : 0;
}

static void bound(const struct sqlite_table *t, struct wbl_out *o, const char *op, int first)
{
	size_t n = sqlite_key_width(t);

	wbl_out_fmt(o, " AND (");
	key_names(t, o);
	wbl_out_fmt(o, ")%s(", op);
	for (size_t i = 0; i < n; i++)
		wbl_out_fmt(o, "%s?%d", i ? "," : "", first + (int)i);
	wbl_out_add(o, ")", 1);
}

void sqlite_scan_where(const struct sqlite_table *t, const struct wbl_scan *scan, struct wbl_out *o)
{
	wbl_out_fmt(o, " WHERE 1");
	if (scan->range == WBL_RANGE_KEYS && scan->low.len)
		bound(t, o, scan->low_open ? ">" : ">=", 1);
	if (scan->range == WBL_RANGE_KEYS && scan->high.len)
		bound(t, o, scan->low_open ? "<=" : "<", 1 + (int)sqlite_key_width(t));
	/* On a line of its own: a comment at the end of the filter must not swallow the bracket. */
	if (scan->filter && *scan->filter)
		wbl_out_fmt(o, " AND (%s\n)", scan->filter);
}

int32_t sqlite_bind_key(
	struct sqlite_self *s, sqlite3_stmt *st, struct wbl_bytes key, int first, size_t n)
{
	struct wbl_cell c;
	const char *why = "";
	int32_t rc = WBL_OK;

	for (size_t i = 0; !rc && key.len && i < n; i++) {
		if (wbl_cell_next(&key, &c) != 1)
			rc = WBL_E_ABI;
		else
			rc = sqlite_bind(s, st, first + (int)i, &c, &why);
	}
	if (rc || key.len)
		return wbl_error_report(s->call, WBL_E_ABI, s->path, NULL,
			"a range bound does not fit the key of the table");
	return WBL_OK;
}

static int32_t bind_range(struct sqlite_self *s, sqlite3_stmt *st, const struct sqlite_table *t,
	const struct wbl_scan *scan)
{
	size_t n = sqlite_key_width(t);
	int32_t rc;

	if (scan->range != WBL_RANGE_KEYS)
		return WBL_OK;
	rc = sqlite_bind_key(s, st, scan->low, 1, n);
	return rc ? rc : sqlite_bind_key(s, st, scan->high, 1 + (int)n, n);
}

static int32_t load(struct sqlite_self *s, const struct wbl_scan *scan, struct sqlite_table *t)
{
	int32_t rc = sqlite_table_load(s, scan->set, t);

	if (rc == WBL_END)
		return wbl_error_report(s->call, WBL_E_PARAM, s->path,
			"Look at the names that the database has.", "there is no table \"%s\"",
			scan->set);
	if (rc)
		return rc;
	if (scan->range != WBL_RANGE_ALL &&
		(scan->range != WBL_RANGE_KEYS || !sqlite_key_width(t))) {
		sqlite_table_clear(t);
		return wbl_error_report(s->call, WBL_E_UNSUPPORTED, s->path, NULL,
			"\"%s\" cannot be read by this kind of range", scan->set);
	}
	return WBL_OK;
}

int32_t sqlite_scan_column(
	struct sqlite_self *s, const struct sqlite_table *t, const char *name, struct wbl_out *o)
{
	const struct sqlite_column *c;

	if (name[0] == '=') {
		wbl_out_fmt(o, "(%s\n)", name + 1);
		return WBL_OK;
	}
	if (!strcmp(name, "#position")) {
		wbl_out_fmt(o, "%s", t->rowid ? t->rowid : "NULL");
		return WBL_OK;
	}
	c = sqlite_table_column(t, name);
	if (!c)
		return wbl_error_report(s->call, WBL_E_PARAM, s->path, NULL,
			"table \"%s\" has no column \"%s\"", t->name, name);
	sqlite_name(o, c->name);
	return WBL_OK;
}

static int32_t columns(struct sqlite_self *s, const struct sqlite_table *t,
	const struct wbl_scan *scan, struct wbl_out *o)
{
	int32_t rc = WBL_OK;

	if (scan->columns) {
		for (size_t i = 0; !rc && scan->columns[i]; i++) {
			wbl_out_fmt(o, i ? "," : "");
			rc = sqlite_scan_column(s, t, scan->columns[i], o);
		}
		return rc;
	}
	for (size_t i = 0, n = 0; i < t->ncols; i++) {
		if (t->cols[i].hidden)
			continue;
		wbl_out_fmt(o, n++ ? "," : "");
		sqlite_name(o, t->cols[i].name);
	}
	return WBL_OK;
}

int32_t sqlite_scan(
	void *self, struct wbl_call *call, const struct wbl_scan *scan, void **ret_cursor)
{
	struct sqlite_self *s = self;
	struct sqlite_cursor *c;
	struct wbl_out sql = { 0 };
	int32_t rc = sqlite_ready(s, call);

	if (rc)
		return rc;
	c = wbl_sdk_alloc(sizeof *c);
	c->self = s;
	rc = load(s, scan, &c->table);
	if (!rc) {
		wbl_out_fmt(&sql, "SELECT ");
		rc = columns(s, &c->table, scan, &sql);
	}
	if (!rc) {
		wbl_out_fmt(&sql, " FROM ");
		sqlite_name(&sql, c->table.name);
		sqlite_scan_where(&c->table, scan, &sql);
		rc = sqlite_prepare(s, sql.s, &c->st);
	}
	wbl_out_clear(&sql);
	rc = rc ? rc : bind_range(s, c->st, &c->table, scan);
	if (!rc && !sqlite3_stmt_readonly(c->st))
		rc = wbl_error_report(call, WBL_E_PARAM, s->path, NULL, "a filter must not write");
	if (rc) {
		sqlite_scan_end(c);
		return rc;
	}
	c->set = wbl_sdk_strdup(scan->set);
	if (scan->lane) {
		rc = sqlite_lane_scan(s, &c->table, scan, &c->rows);
		c->lane = 1;
	}
	if (rc) {
		sqlite_scan_end(c);
		return rc;
	}
	c->ncols = sqlite3_column_count(c->st);
	c->batch_rows = scan->batch_rows ? scan->batch_rows : BATCH_ROWS;
	c->batch_bytes = scan->batch_bytes ? scan->batch_bytes : BATCH_BYTES;
	*ret_cursor = c;
	return WBL_OK;
}

/* Half of a surrogate pair becomes U+FFFD on the way to UTF-8: such a text is told, not changed. */
static int halved(sqlite3_stmt *st, int at)
{
	const uint16_t *w = sqlite3_column_text16(st, at);
	int n = sqlite3_column_bytes16(st, at) / 2;

	for (int i = 0; i < n; i++) {
		if (w[i] < 0xd800 || w[i] > 0xdfff)
			continue;
		if (w[i] > 0xdbff || i + 1 == n || w[i + 1] < 0xdc00 || w[i + 1] > 0xdfff)
			return 1;
		i++;
	}
	return 0;
}

static int32_t cell(struct sqlite_cursor *c, int at)
{
	sqlite3_stmt *st = c->st;
	const void *data;

	switch (sqlite3_column_type(st, at)) {
	case SQLITE_INTEGER:
		wbl_cell_int(&c->rows, sqlite3_column_int64(st, at));
		break;
	case SQLITE_FLOAT:
		wbl_cell_real(&c->rows, sqlite3_column_double(st, at));
		break;
	case SQLITE_TEXT:
		if (c->self->utf16 && halved(st, at))
			return wbl_error_report(c->self->call, WBL_E_PARAM, c->self->path,
				"Mend the text in the source, or leave the row out by `where`.",
				"table \"%s\": a UTF-16 text with half of a surrogate pair",
				c->set);
		data = sqlite3_column_text(st, at);
		wbl_cell_text(&c->rows, data, (size_t)sqlite3_column_bytes(st, at));
		break;
	case SQLITE_BLOB:
		data = sqlite3_column_blob(st, at);
		wbl_cell_blob(&c->rows, WBL_CELL_BYTES, data, (size_t)sqlite3_column_bytes(st, at));
		break;
	default:
		wbl_cell_null(&c->rows);
	}
	return WBL_OK;
}

void *sqlite_cursor_of_keys(struct sqlite_self *s, sqlite3_stmt *st, struct sqlite_table *table,
	const char **names, const struct wbl_batch *keys)
{
	struct sqlite_cursor *c = wbl_sdk_alloc(sizeof *c);
	uint8_t *data = wbl_sdk_alloc(keys->len + 1);

	memcpy(data, keys->data, keys->len);
	*c = (struct sqlite_cursor){
		.self = s,
		.st = st,
		.table = *table,
		.set = wbl_sdk_strdup(table->name),
		.batch_rows = BATCH_ROWS,
		.batch_bytes = BATCH_BYTES,
		.ncols = sqlite3_column_count(st),
		.keys = { .size = sizeof c->keys,
			.rows = keys->rows,
			.len = keys->len,
			.data = data },
		.names = names,
	};
	if (sqlite3_get_autocommit(s->db))
		c->own_view = !sqlite3_exec(s->db, "BEGIN", NULL, NULL, NULL);
	return c;
}

/* The next row, of a scan or of the next key that has one. */
static int next_row(struct sqlite_cursor *c)
{
	struct wbl_row key;
	int step;

	if (!c->names)
		return sqlite3_step(c->st);
	for (;;) {
		step = c->bound ? sqlite3_step(c->st) : SQLITE_DONE;
		if (step != SQLITE_DONE || wbl_batch_next(&c->keys, &c->at, &key) != 1)
			return step;
		sqlite3_reset(c->st);
		if (sqlite_bind_key(c->self, c->st, key.cells, 1,
			    (size_t)sqlite3_bind_parameter_count(c->st)))
			return SQLITE_MISUSE;
		c->bound = 1;
	}
}

int32_t sqlite_read(void *cursor, struct wbl_call *call, struct wbl_batch *ret)
{
	struct sqlite_cursor *c = cursor;
	struct wbl_batch b;
	int32_t rc = WBL_OK;
	int step = SQLITE_DONE;

	c->self->call = call;
	if (c->lane && !c->done) {
		c->done = 1;
		wbl_rows_batch(&c->rows, c->set, NULL, &b);
		b.lane = SQLITE_LANE;
		wbl_struct_give(ret, &b);
		return WBL_OK;
	}
	wbl_rows_reset(&c->rows);
	if (c->done)
		return WBL_END;
	while (c->rows.rows < c->batch_rows && c->rows.len < c->batch_bytes &&
		(step = next_row(c)) == SQLITE_ROW) {
		wbl_row_begin(&c->rows, WBL_ROW_PUT);
		for (int i = 0; !rc && i < c->ncols; i++)
			rc = cell(c, i);
		if (rc)
			return rc;
		wbl_row_end(&c->rows);
	}
	if (step != SQLITE_ROW && step != SQLITE_DONE)
		return sqlite_fail(c->self, step, c->set);
	c->done = step == SQLITE_DONE;
	if (!c->rows.rows)
		return WBL_END;
	wbl_rows_batch(&c->rows, c->set, c->names, &b);
	wbl_struct_give(ret, &b);
	return WBL_OK;
}

void sqlite_scan_end(void *cursor)
{
	struct sqlite_cursor *c = cursor;

	if (!c)
		return;
	sqlite3_finalize(c->st);
	if (c->own_view && !sqlite3_get_autocommit(c->self->db))
		sqlite3_exec(c->self->db, "COMMIT", NULL, NULL, NULL);
	sqlite_table_clear(&c->table);
	wbl_rows_clear(&c->rows);
	free(c->set);
	free(c->names);
	free((void *)(uintptr_t)c->keys.data);
	free(c);
}

/* What a row takes in the file, at least: its place, length, number, header and one byte of it. */
enum { LEAST_ROW = 6 };

/* Without an exact answer wanted, the span of the rowids is told, but no more than the file can hold: no page of the table
 * is read for it. */
int32_t sqlite_count(void *self, struct wbl_call *call, const struct wbl_scan *scan, int32_t exact,
	struct wbl_totals *ret)
{
	struct sqlite_self *s = self;
	struct sqlite_table t;
	struct wbl_out sql = { 0 };
	sqlite3_stmt *st = NULL;
	int32_t rc = sqlite_ready(s, call);
	int step;

	rc = rc ? rc : load(s, scan, &t);
	if (rc)
		return rc;
	if (!exact && t.rowid && !scan->filter)
		wbl_out_fmt(&sql,
			"SELECT min(coalesce(max(%s)-min(%s)+1,0),(SELECT page_count*page_size/%d "
			"FROM pragma_page_count(),pragma_page_size())) FROM ",
			t.rowid, t.rowid, LEAST_ROW);
	else
		wbl_out_fmt(&sql, "SELECT count(*) FROM ");
	sqlite_name(&sql, t.name);
	sqlite_scan_where(&t, scan, &sql);
	rc = sqlite_prepare(s, sql.s, &st);
	rc = rc ? rc : bind_range(s, st, &t, scan);
	if (!rc && (step = sqlite3_step(st)) == SQLITE_ROW)
		ret->items = (uint64_t)sqlite3_column_int64(st, 0);
	else if (!rc)
		rc = sqlite_fail(s, step, sql.s);
	sqlite3_finalize(st);
	wbl_out_clear(&sql);
	sqlite_table_clear(&t);
	return rc;
}

static void encode_key(sqlite3_stmt *st, struct wbl_out *o)
{
	struct wbl_rows r = { 0 };

	for (int i = 0; i < sqlite3_column_count(st); i++) {
		int n = sqlite3_column_bytes(st, i);

		switch (sqlite3_column_type(st, i)) {
		case SQLITE_INTEGER:
			wbl_cell_int(&r, sqlite3_column_int64(st, i));
			break;
		case SQLITE_FLOAT:
			wbl_cell_real(&r, sqlite3_column_double(st, i));
			break;
		case SQLITE_TEXT:
			wbl_cell_text(&r, sqlite3_column_text(st, i), (size_t)n);
			break;
		default:
			wbl_cell_blob(&r, WBL_CELL_BYTES, sqlite3_column_blob(st, i), (size_t)n);
		}
	}
	wbl_out_reset(o);
	wbl_out_add(o, r.data, r.len);
	wbl_rows_clear(&r);
}

/* The key of the row number `rows` behind `low`: read from the table itself, so gaps cost nothing. */
static int32_t next_bound(struct sqlite_self *s, const struct sqlite_table *t, struct wbl_bytes low,
	struct wbl_bytes high, uint64_t rows, int *ret_found)
{
	struct wbl_scan from = {
		.size = sizeof from,
		.range = WBL_RANGE_KEYS,
		.low_open = 1,
		.low = low,
		.high = high,
	};
	struct wbl_out sql = { 0 };
	sqlite3_stmt *st = NULL;
	int32_t rc;
	int step;

	wbl_out_fmt(&sql, "SELECT ");
	key_names(t, &sql);
	wbl_out_fmt(&sql, " FROM ");
	sqlite_name(&sql, t->name);
	sqlite_scan_where(t, &from, &sql);
	wbl_out_fmt(&sql, " ORDER BY ");
	key_names(t, &sql);
	wbl_out_fmt(&sql, " LIMIT 1 OFFSET %llu", (unsigned long long)rows - 1);
	rc = sqlite_prepare(s, sql.s, &st);
	rc = rc ? rc : bind_range(s, st, t, &from);
	if (!rc) {
		step = sqlite3_step(st);
		*ret_found = step == SQLITE_ROW;
		if (step == SQLITE_ROW)
			encode_key(st, &s->text);
		else if (step != SQLITE_DONE)
			rc = sqlite_fail(s, step, sql.s);
	}
	sqlite3_finalize(st);
	wbl_out_clear(&sql);
	return rc;
}

int32_t sqlite_split(void *self, struct wbl_call *call, const struct wbl_scan *whole,
	const struct wbl_scan *last, uint64_t rows, struct wbl_scan *ret_next)
{
	struct sqlite_self *s = self;
	struct sqlite_table t;
	struct wbl_out low = { 0 };
	/* A range that split has given before can be cut further. */
	int part = whole->range == WBL_RANGE_KEYS && whole->low_open;
	struct wbl_bytes high = part ? whole->high : (struct wbl_bytes){ 0 };
	int32_t rc = sqlite_ready(s, call);
	int found = 0;

	if (!rc && last &&
		(last->range == WBL_RANGE_ALL || !last->high.len ||
			(last->high.len == high.len &&
				!memcmp(last->high.data, high.data, high.len))))
		return WBL_END;
	rc = rc ? rc : sqlite_table_load(s, whole->set, &t);
	if (rc)
		return rc;
	*ret_next = *whole;
	if (!sqlite_key_width(&t) || !rows) {
		ret_next->range = WBL_RANGE_ALL;
	} else {
		/* The bounds of *last lie in s->text, which the next look-up overwrites. */
		if (last)
			wbl_out_add(&low, last->high.data, last->high.len);
		else if (part)
			wbl_out_add(&low, whole->low.data, whole->low.len);
		rc = next_bound(s, &t, (struct wbl_bytes){ low.s, low.len }, high, rows, &found);
		ret_next->range = WBL_RANGE_KEYS;
		ret_next->low_open = 1;
		if (!found) {
			wbl_out_reset(&s->text);
			wbl_out_add(&s->text, high.data, high.len);
		}
		ret_next->high.len = s->text.len;
		wbl_out_add(&s->text, low.s, low.len);
		ret_next->high.data = s->text.s;
		ret_next->low = (struct wbl_bytes){ s->text.s + ret_next->high.len, low.len };
	}
	wbl_out_clear(&low);
	sqlite_table_clear(&t);
	return rc;
}
