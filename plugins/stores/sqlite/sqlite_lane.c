/* sqlite_lane.c - the lane "sqlite.attach": rows go from file to file inside the library, in the target's transaction.
 * In: on the source's side a scan; on the target's the batch that it gave.  Out: INSERT ... SELECT from the attached source, read-only, and
 * the sums over the canonical rows, taken by a function in the SELECT.
 * The batch is one row: path, inode, the text of the SELECT, then width of the key and both bounds of the range.
 * SPDX-License-Identifier: Apache-2.0 */
#include "sqlite_impl.h"

#include <ctype.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#define SOURCE "whimbrel_source"
#define TAKE "whimbrel_take"
enum { MOST_COLUMNS = 100 }; /* arguments of one function: at most 127 */

struct sqlite_lane {
	struct wbl_rows row, key;
	struct wbl_sum sum;
	uint64_t bytes;
	size_t *at, nkey;
	char *attached;
	uint64_t inode;
};

/* ---- the source's side ---- */

/* A text may name another table, which would be looked for in the target first, or give another value when it is evaluated twice. */
static int plain_text(const char *text)
{
	static const char *const words[] = { "SELECT", "RANDOM", "RANDOMBLOB", "CHANGES",
		"TOTAL_CHANGES", "LAST_INSERT_ROWID", "TABLE", "VALUES" };

	for (size_t i = 0; text && i < sizeof words / sizeof *words; i++)
		for (const char *p = text; (p = strcasestr(p, words[i])) != NULL; p++) {
			size_t n = strlen(words[i]);

			if (!isalnum((unsigned char)p[n]) && p[n] != '_' &&
				(p == text || (!isalnum((unsigned char)p[-1]) && p[-1] != '_')))
				return 0;
		}
	return 1;
}

int sqlite_lane_bears(const struct sqlite_self *s, const struct sqlite_table *t)
{
	return !s->utf16 && !strcmp(t->kind, "table") && t->ncols <= MOST_COLUMNS;
}

int32_t sqlite_lane_scan(struct sqlite_self *s, const struct sqlite_table *t,
	const struct wbl_scan *scan, struct wbl_rows *ret)
{
	struct wbl_out list = { 0 }, sql = { 0 };
	struct stat st;
	size_t n = 0;
	int keys = scan->range == WBL_RANGE_KEYS;
	int32_t rc = WBL_OK;

	if (strcmp(scan->lane, SQLITE_LANE) != 0 || !sqlite_lane_bears(s, t) || !scan->columns ||
		!plain_text(scan->filter) || stat(s->real, &st))
		return WBL_E_UNSUPPORTED;
	wbl_out_fmt(&sql, "SELECT " TAKE "(");
	for (; !rc && scan->columns[n]; n++) {
		struct wbl_out one = { 0 };

		rc = plain_text(scan->columns[n]) ? sqlite_scan_column(s, t, scan->columns[n], &one)
						  : WBL_E_UNSUPPORTED;
		wbl_out_fmt(&sql, n ? "," : "");
		wbl_out_add(&sql, one.s ? one.s : "", one.len);
		wbl_out_fmt(&list, n ? "," : "");
		if (n)
			wbl_out_add(&list, one.s ? one.s : "", one.len);
		wbl_out_clear(&one);
	}
	if (!rc && (!n || n > MOST_COLUMNS))
		rc = WBL_E_UNSUPPORTED;
	if (!rc) {
		wbl_out_fmt(&sql, ")");
		wbl_out_add(&sql, list.s, list.len);
		wbl_out_fmt(&sql, " FROM " SOURCE ".");
		sqlite_name(&sql, t->name);
		sqlite_scan_where(t, scan, &sql);
		wbl_row_begin(ret, WBL_ROW_PUT);
		wbl_cell_text(ret, s->real, strlen(s->real));
		wbl_cell_int(ret, (int64_t)st.st_ino);
		wbl_cell_blob(ret, WBL_CELL_TEXT, sql.s, sql.len);
		wbl_cell_int(ret, (int64_t)sqlite_key_width(t));
		wbl_cell_blob(ret, WBL_CELL_BYTES, scan->low.data, keys ? scan->low.len : 0);
		wbl_cell_blob(ret, WBL_CELL_BYTES, scan->high.data, keys ? scan->high.len : 0);
		wbl_row_end(ret);
	}
	wbl_out_clear(&list);
	wbl_out_clear(&sql);
	return rc;
}

/* ---- the target's side ---- */

static void take_value(struct sqlite_lane *l, sqlite3_value *v)
{
	const void *data;

	switch (sqlite3_value_type(v)) {
	case SQLITE_INTEGER:
		wbl_cell_int(&l->row, sqlite3_value_int64(v));
		break;
	case SQLITE_FLOAT:
		wbl_cell_real(&l->row, sqlite3_value_double(v));
		break;
	case SQLITE_TEXT:
		data = sqlite3_value_text(v);
		wbl_cell_text(&l->row, data, (size_t)sqlite3_value_bytes(v));
		break;
	case SQLITE_BLOB:
		data = sqlite3_value_blob(v);
		wbl_cell_blob(&l->row, WBL_CELL_BYTES, data, (size_t)sqlite3_value_bytes(v));
		break;
	default:
		wbl_cell_null(&l->row);
	}
}

/* Its value is that of the first argument, so it is evaluated once for each row that is written. */
static void take(sqlite3_context *ctx, int n, sqlite3_value **v)
{
	struct sqlite_lane *l = sqlite3_user_data(ctx);
	struct wbl_bytes cells;
	size_t from[MOST_COLUMNS + 1];

	wbl_rows_reset(&l->row);
	wbl_row_begin(&l->row, WBL_ROW_PUT);
	for (int i = 0; i < n && i < MOST_COLUMNS; i++) {
		from[i] = l->row.len;
		take_value(l, v[i]);
		from[i + 1] = l->row.len;
	}
	cells = wbl_row_end(&l->row);
	l->bytes += l->row.len;
	wbl_sum_row(&l->sum, cells.data, cells.len);
	if (!l->nkey) {
		wbl_sum_key(&l->sum, cells.data, cells.len);
	} else if (l->nkey == 1) {
		wbl_sum_key(
			&l->sum, l->row.data + from[l->at[0]], from[l->at[0] + 1] - from[l->at[0]]);
	} else {
		wbl_rows_reset(&l->key);
		for (size_t k = 0; k < l->nkey; k++)
			wbl_cell_copy(&l->key, l->row.data + from[l->at[k]],
				from[l->at[k] + 1] - from[l->at[k]]);
		wbl_sum_key(&l->sum, l->key.data, l->key.len);
	}
	sqlite3_result_value(ctx, v[0]);
}

void sqlite_lane_free(struct sqlite_self *s)
{
	struct sqlite_lane *l = s->lane;

	if (!l)
		return;
	wbl_rows_clear(&l->row);
	wbl_rows_clear(&l->key);
	free(l->at);
	free(l->attached);
	free(l);
	s->lane = NULL;
}

int32_t sqlite_lane_begin(struct sqlite_writer *w, const struct wbl_write *write)
{
	struct sqlite_self *s = w->self;
	const char *const *key = write->size >= offsetof(struct wbl_write, key) + sizeof write->key
					 ? write->key
					 : NULL;
	struct sqlite_lane *l = s->lane;

	if (strcmp(write->lane, SQLITE_LANE) != 0 || w->mode != WBL_MODE_INSERT || !write->set ||
		!sqlite_lane_bears(s, &w->table) || w->ncols > MOST_COLUMNS)
		return WBL_E_UNSUPPORTED;
	if (!l) {
		l = s->lane = wbl_sdk_alloc(sizeof *l);
		if (sqlite3_create_function_v2(s->db, TAKE, -1, SQLITE_UTF8 | SQLITE_DIRECTONLY, l,
			    take, NULL, NULL, NULL)) {
			sqlite_lane_free(s);
			return WBL_E_UNSUPPORTED;
		}
	}
	l->nkey = 0;
	l->bytes = 0;
	l->sum = (struct wbl_sum){ 0 };
	for (size_t k = 0; key && key[k]; k++) {
		size_t i = 0;

		while (write->columns[i] && strcasecmp(write->columns[i], key[k]) != 0)
			i++;
		if (!write->columns[i])
			return WBL_E_UNSUPPORTED;
		l->at = wbl_sdk_grow(l->at, (l->nkey + 1) * sizeof *l->at);
		l->at[l->nkey++] = i;
	}
	w->lane = 1;
	return WBL_OK;
}

static void uri_of(const char *path, struct wbl_out *o)
{
	wbl_out_fmt(o, "file:");
	for (; *path; path++)
		if (isalnum((unsigned char)*path) || strchr("/._-", *path))
			wbl_out_add(o, path, 1);
		else
			wbl_out_fmt(o, "%%%02X", (unsigned char)*path);
	wbl_out_fmt(o, "?mode=ro");
}

static int32_t attach(struct sqlite_self *s, const char *path, uint64_t inode)
{
	struct sqlite_lane *l = s->lane;
	struct wbl_out uri = { 0 };
	struct stat st;
	char *sql;
	int rc;

	if (stat(path, &st) || (uint64_t)st.st_ino != inode)
		return WBL_E_UNSUPPORTED;
	if (l->attached)
		return !strcmp(l->attached, path) && l->inode == inode ? WBL_OK : WBL_E_UNSUPPORTED;
	uri_of(path, &uri);
	sql = sqlite3_mprintf("ATTACH %Q AS " SOURCE, uri.s);
	rc = sqlite3_exec(s->db, sql, NULL, NULL, NULL);
	sqlite3_free(sql);
	wbl_out_clear(&uri);
	if (rc)
		return WBL_E_UNSUPPORTED;
	l->attached = wbl_sdk_strdup(path);
	l->inode = inode;
	return WBL_OK;
}

enum { PATH, INODE, TEXT, WIDTH, LOW, HIGH, CELLS };

static struct wbl_bytes bytes_of(const struct wbl_cell *c)
{
	return (struct wbl_bytes){ c->data, c->len };
}

static int32_t insert(struct sqlite_writer *w, const struct wbl_cell c[CELLS])
{
	struct sqlite_self *s = w->self;
	struct wbl_out sql = { 0 };
	sqlite3_stmt *st = NULL;
	const char *into = sqlite3_sql(w->put), *values = strstr(into, ") VALUES(");
	size_t n = (size_t)wbl_cell_get_int(&c[WIDTH]);
	int32_t rc = WBL_OK;
	int step;

	wbl_out_add(&sql, into, values ? (size_t)(values - into) + 1 : 0);
	wbl_out_add(&sql, " ", 1);
	wbl_out_add(&sql, c[TEXT].data, c[TEXT].len);
	if (!values || sqlite3_prepare_v2(s->db, sql.s, -1, &st, NULL) || !st)
		rc = WBL_E_UNSUPPORTED;
	wbl_out_clear(&sql);
	rc = rc ? rc : sqlite_bind_key(s, st, bytes_of(&c[LOW]), 1, n);
	rc = rc ? rc : sqlite_bind_key(s, st, bytes_of(&c[HIGH]), 1 + (int)n, n);
	if (!rc) {
		step = sqlite3_step(st);
		if (step == SQLITE_DONE)
			w->written += (uint64_t)sqlite3_changes64(s->db);
		else if ((step & 0xff) == SQLITE_CONSTRAINT || (step & 0xff) == SQLITE_MISMATCH ||
			 (step & 0xff) == SQLITE_ERROR)
			rc = WBL_E_PARAM;
		else
			rc = sqlite_fail(s, step, w->set);
	}
	sqlite3_finalize(st);
	return rc;
}

/* PARAM, UNSUPPORTED: nothing of it may be kept, and no more is said: the caller sends rows instead, and learns which of them is refused. */
int32_t sqlite_lane_append(struct sqlite_writer *w, const struct wbl_batch *batch)
{
	struct wbl_cell c[CELLS];
	struct wbl_bytes cells;
	struct wbl_out path = { 0 };
	struct wbl_row row;
	uint64_t at = 0;
	int32_t rc;

	if (!batch->lane || strcmp(batch->lane, SQLITE_LANE) != 0 ||
		wbl_batch_next(batch, &at, &row) != 1)
		return WBL_E_UNSUPPORTED;
	cells = row.cells;
	for (int i = 0; i < CELLS; i++)
		if (wbl_cell_next(&cells, &c[i]) != 1)
			return WBL_E_ABI;
	wbl_out_add(&path, c[PATH].data, c[PATH].len);
	rc = attach(w->self, path.s, (uint64_t)wbl_cell_get_int(&c[INODE]));
	wbl_out_clear(&path);
	return rc ? rc : insert(w, c);
}

int32_t sqlite_sums(
	void *writer, struct wbl_call *call, struct wbl_digest *ret, uint64_t *ret_bytes)
{
	struct sqlite_writer *w = writer;
	struct sqlite_lane *l = w->self->lane;
	struct wbl_digest d;

	(void)call;
	if (!w->lane || !l)
		return WBL_E_UNSUPPORTED;
	wbl_sum_digest(&l->sum, w->set, &d);
	wbl_struct_give(ret, &d);
	*ret_bytes = l->bytes;
	return WBL_OK;
}
