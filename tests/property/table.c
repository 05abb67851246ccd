/* property/table.c - tables that are drawn, written into SQLite, printed, and judged there.
 * In: a generator of numbers; a database that has been filled.  Out: tables; what differs. The judge knows nothing of the product:
 * classes and bytes of SQLite's own values, as multisets.
 * SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "property.h"

static void stop(sqlite3 *db, const char *what)
{
	fprintf(stderr, "%s: %s\n", what, sqlite3_errmsg(db));
	exit(2);
}

static void quote_name(struct wbl_buf *b, const char *s)
{
	wbl_buf_adds(b, "\"");
	for (; *s; s++)
		wbl_buf_add(b, "\"\"", *s == '"' ? 2 : 0),
			*s != '"' ? wbl_buf_add(b, s, 1) : (void)0;
	wbl_buf_adds(b, "\"");
}

static const char *const odd_names[] = { "id", "a b", "select", "q\"uote", "it's",
	"\xc3\xa9t\xc3\xa9", "x.y", "x", "comma,semi;", "#", "rowid", "1", "$base64", "back\\slash",
	"\xef\xbb\xbf"
	"bom",
	"N", " lead", "NULL", "order",
	"very_long_name_of_a_column_that_goes_on_and_on_for_as_long_as_it_is_wanted", "_rowid_",
	"oid", "tab\there" };

static void draw_columns(struct draw *d, bool loose, struct table *t)
{
	size_t from = draw_below(d, WBL_COUNT(odd_names)), step = 1 + draw_below(d, 4);
	int i;

	t->ncols = (int)(1 + draw_below(d, MAX_COLUMNS));
	if (draw_below(d, 2))
		t->ncols = (t->ncols + 2) / 3;
	t->nkeys = (int)draw_below(d, 4);
	t->nkeys = t->nkeys > t->ncols ? 0 : t->nkeys == 3 ? 2 : t->nkeys;
	if (t->nkeys > t->ncols)
		t->nkeys = 1;
	for (i = 0; i < t->ncols; i++) {
		static const int of_keys[] = { T_INT, T_INT, T_TEXT, T_DECIMAL, T_BYTES, T_INSTANT,
			T_LOCAL, T_DATE, T_UUID };
		struct column *c = &t->cols[i];

		/* 23 names, and steps that share no factor with them. */
		c->name = odd_names[(from + (size_t)i * step) % WBL_COUNT(odd_names)];
		c->type = i < t->nkeys ? of_keys[draw_below(d, WBL_COUNT(of_keys))]
				       : (int)draw_below(d, TYPES);
		if (c->type == T_ANY && !loose)
			c->type = T_TEXT;
		c->declared = "";
		if (draw_below(d, 2) && (c->type == T_TEXT || c->type == T_DECIMAL ||
						c->type == T_DATE || c->type == T_JSON))
			c->declared = "TEXT";
		else if (draw_below(d, 2) && c->type == T_REAL)
			c->declared = "DOUBLE PRECISION";
	}
	t->without_rowid = t->nkeys && !draw_below(d, 3);
}

static bool same_key(const struct table *t, const struct cell *a, const struct cell *b)
{
	struct wbl_buf x = { 0 }, y = { 0 };
	bool same;
	int i;

	for (i = 0; i < t->nkeys; i++) {
		cell_identity(&a[i], t->cols[i].type, &x);
		cell_identity(&b[i], t->cols[i].type, &y);
	}
	same = x.len == y.len && !memcmp(x.data, y.data, x.len);
	wbl_buf_clear(&x);
	wbl_buf_clear(&y);
	return same;
}

unsigned row_refused(const struct table *t, const struct cell *row)
{
	unsigned no = 0;
	int i;

	for (i = 0; i < t->ncols; i++)
		no |= row[i].no;
	return no;
}

static bool fits(const struct table *t, const struct cell *row)
{
	size_t i;

	/* The first is one that every store can hold: a file of lines without a line has no columns. */
	if (!t->nrows && row_refused(t, row))
		return false;
	for (i = 0; t->nkeys && i < t->nrows; i++)
		if (same_key(t, t->rows[i], row))
			return false;
	return true;
}

static struct cell *draw_row(struct draw *d, struct table *t)
{
	struct cell *row = draw_alloc(MAX_COLUMNS * sizeof *row);
	int i, tries;

	for (tries = 0; tries < 100; tries++) {
		for (i = 0; i < t->ncols; i++)
			cell_draw(d, t->cols[i].type, i < t->nkeys, &row[i]);
		/* SQLite would make a number of the text by itself, and not always the nearest one. */
		for (i = 0; i < t->ncols; i++)
			if (t->cols[i].type == T_REAL && *t->cols[i].declared)
				row[i].has = row[i].want;
		if (fits(t, row))
			return row;
	}
	return NULL;
}

void table_draw(struct draw *d, int id, bool loose, struct table *t)
{
	static const char *const forms[] = { "t%d", "t %d", "select%d", "\xc3\xa9t%d", "it's%d",
		"T%d" };
	size_t want = 1 + draw_below(d, draw_below(d, 3) ? 12 : 90);

	*t = (struct table){ .id = id };
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
	snprintf(t->name, sizeof t->name, forms[draw_below(d, WBL_COUNT(forms))], id);
#pragma GCC diagnostic pop
	draw_columns(d, loose, t);
	t->rows = draw_alloc(want * sizeof(struct cell *));
	while (t->nrows < want) {
		struct cell *row;

		/* Without a key rows may be equal. */
		if (t->nrows && !t->nkeys && !draw_below(d, 5))
			row = t->rows[draw_below(d, t->nrows)];
		else if (!(row = draw_row(d, t)))
			break;
		t->rows[t->nrows++] = row;
	}
}

static void add_definition(struct wbl_buf *b, const struct table *t)
{
	int i;

	wbl_buf_adds(b, "CREATE TABLE ");
	quote_name(b, t->name);
	for (i = 0; i < t->ncols; i++) {
		wbl_buf_adds(b, i ? ", " : " (");
		quote_name(b, t->cols[i].name);
		wbl_buf_addf(b, " %s", t->cols[i].declared);
	}
	for (i = 0; i < t->nkeys; i++) {
		wbl_buf_adds(b, i ? ", " : ", PRIMARY KEY (");
		quote_name(b, t->cols[i].name);
	}
	wbl_buf_addf(b, "%s)%s", t->nkeys ? ")" : "", t->without_rowid ? " WITHOUT ROWID" : "");
}

static void bind(sqlite3_stmt *s, int at, const struct value *v)
{
	switch (v->class) {
	case SQLITE_INTEGER:
		sqlite3_bind_int64(s, at, v->i);
		break;
	case SQLITE_FLOAT:
		sqlite3_bind_double(s, at, v->r);
		break;
	case SQLITE_TEXT:
		sqlite3_bind_text(s, at, v->s, (int)v->n, SQLITE_STATIC);
		break;
	case SQLITE_BLOB:
		sqlite3_bind_blob(s, at, v->s, (int)v->n, SQLITE_STATIC);
		break;
	default:
		sqlite3_bind_null(s, at);
	}
}

void table_write(sqlite3 *db, const struct table *t)
{
	struct wbl_buf b = { 0 };
	sqlite3_stmt *s;
	size_t k;
	int i;

	add_definition(&b, t);
	if (sqlite3_exec(db, b.data, NULL, NULL, NULL))
		stop(db, b.data);
	wbl_buf_clear(&b);
	wbl_buf_adds(&b, "INSERT INTO ");
	quote_name(&b, t->name);
	for (i = 0; i < t->ncols; i++)
		wbl_buf_adds(&b, i ? ", ?" : " VALUES (?");
	wbl_buf_adds(&b, ")");
	if (sqlite3_prepare_v2(db, b.data, -1, &s, NULL))
		stop(db, b.data);
	for (k = 0; k < t->nrows; k++) {
		for (i = 0; i < t->ncols; i++)
			bind(s, i + 1, &t->rows[k][i].has);
		if (sqlite3_step(s) != SQLITE_DONE)
			stop(db, t->name);
		sqlite3_reset(s);
	}
	sqlite3_finalize(s);
	wbl_buf_clear(&b);
}

/* Exact, also of reals; one text for one value. */
static void add_value(struct wbl_buf *b, const struct value *v, bool cut)
{
	size_t i, n = cut && v->n > 200 ? 200 : v->n;

	switch (v->class) {
	case SQLITE_INTEGER:
		wbl_buf_addf(b, "%lld", (long long)v->i);
		break;
	case SQLITE_FLOAT:
		if (isinf(v->r))
			wbl_buf_adds(b, v->r < 0 ? "-9e999" : "9e999");
		else
			wbl_buf_addf(b, "%.17e", v->r == 0 ? 0 : v->r);
		break;
	case SQLITE_NULL:
		wbl_buf_adds(b, "NULL");
		break;
	default:
		wbl_buf_adds(b, v->class == SQLITE_TEXT ? "CAST(x'" : "x'");
		for (i = 0; i < n; i++)
			wbl_buf_addf(b, "%02x", (uint8_t)v->s[i]);
		wbl_buf_addf(b, "%s%s", v->class == SQLITE_TEXT ? "' AS TEXT)" : "'",
			n < v->n ? " /* cut */" : "");
	}
}

void table_print(FILE *f, const struct table *t)
{
	struct wbl_buf b = { 0 };
	size_t k;
	int i;

	add_definition(&b, t);
	fprintf(f, "# %s;\n", b.data);
	for (i = 0; i < t->ncols; i++)
		fprintf(f, "#   column %d: type \"%s\"\n", i + 1, type_name(t->cols[i].type));
	for (k = 0; k < t->nrows && k < 20; k++) {
		wbl_buf_clear(&b);
		for (i = 0; i < t->ncols; i++) {
			wbl_buf_adds(&b, i ? ", " : "");
			add_value(&b, &t->rows[k][i].has, true);
		}
		fprintf(f, "# INSERT INTO \"%s\" VALUES (%s);\n", t->name, b.data);
	}
	wbl_buf_clear(&b);
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static struct value column_of(sqlite3_stmt *s, int i)
{
	struct value v = { .class = sqlite3_column_type(s, i) };

	if (v.class == SQLITE_INTEGER) {
		v.i = sqlite3_column_int64(s, i);
	} else if (v.class == SQLITE_FLOAT) {
		v.r = sqlite3_column_double(s, i);
	} else if (v.class != SQLITE_NULL) {
		v.s = (char *)(uintptr_t)sqlite3_column_blob(s, i);
		v.n = (size_t)sqlite3_column_bytes(s, i);
	}
	return v;
}

static char **found_rows(const struct table *t, sqlite3 *db, size_t *ret_n, char **ret_why)
{
	struct wbl_buf b = { 0 };
	char **list = NULL;
	sqlite3_stmt *s;
	size_t room = 0;
	int i;

	*ret_n = 0;
	for (i = 0; i < t->ncols; i++) {
		wbl_buf_adds(&b, i ? ", " : "SELECT ");
		quote_name(&b, t->cols[i].name);
	}
	wbl_buf_adds(&b, " FROM ");
	quote_name(&b, t->name);
	if (sqlite3_prepare_v2(db, b.data, -1, &s, NULL)) {
		*ret_why = wbl_strf("%s", sqlite3_errmsg(db));
		wbl_buf_clear(&b);
		return NULL;
	}
	wbl_buf_clear(&b);
	while (sqlite3_step(s) == SQLITE_ROW) {
		struct wbl_buf row = { 0 };

		for (i = 0; i < t->ncols; i++) {
			struct value v = column_of(s, i);

			wbl_buf_adds(&row, i ? ", " : "");
			add_value(&row, &v, false);
		}
		if (*ret_n == room)
			list = realloc(list, (room = room * 2 + 16) * sizeof *list);
		list[(*ret_n)++] = wbl_buf_take(&row);
	}
	sqlite3_finalize(s);
	return list;
}

static char **wanted_rows(const struct table *t, size_t *ret_n)
{
	char **list = wbl_alloc((t->nrows + 1) * sizeof *list);
	size_t k;
	int i;

	*ret_n = 0;
	for (k = 0; k < t->nrows; k++) {
		struct wbl_buf row = { 0 };

		for (i = 0; i < t->ncols; i++) {
			wbl_buf_adds(&row, i ? ", " : "");
			add_value(&row, &t->rows[k][i].want, false);
		}
		list[(*ret_n)++] = wbl_buf_take(&row);
	}
	return list;
}

static void free_rows(char **list, size_t n)
{
	while (n)
		free(list[--n]);
	free(list);
}

char *table_judge(const struct table *t, sqlite3 *db)
{
	char *why = NULL, **got, **want;
	size_t ngot, nwant, i;

	got = found_rows(t, db, &ngot, &why);
	if (why)
		return why;
	want = wanted_rows(t, &nwant);
	if (ngot)
		qsort(got, ngot, sizeof *got, by_text);
	if (nwant)
		qsort(want, nwant, sizeof *want, by_text);
	for (i = 0; i < ngot && i < nwant && !strcmp(got[i], want[i]);)
		i++;
	if (i < ngot || i < nwant)
		why = wbl_strf("table %s: %zu rows, wanted %zu; the first that differs is %.600s, "
			       "wanted %.600s",
			t->name, ngot, nwant, i < ngot ? got[i] : "none",
			i < nwant ? want[i] : "none");
	free_rows(got, ngot);
	free_rows(want, nwant);
	return why;
}
