/* property/walk.c - tables go through nine moves between three stores, so that each store is left for each, and come back.
 * In: tables, and a folder to work in.  Out: NULL, or what went wrong, in which move, at which table. Each move must end completed;
 * every row that the target can hold is there, every other one is a reject with its reason; digests stay the same all the way.
 * SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <jansson.h>

#include "property.h"

static const char *pick(struct draw *d, const char *const *list, size_t n)
{
	return list[draw_below(d, n)];
}

#define PICK(d, ...)                                                                               \
	pick(d, (const char *const[]){ __VA_ARGS__ },                                              \
		sizeof((const char *const[]){ __VA_ARGS__ }) / sizeof(const char *))

void walk_draw(struct draw *d, int batch, struct walk *w)
{
	/* Both begin and end in SQLite and take every pair once; what csv refuses is still there for jsonl in the second. */
	w->order = batch % 2 ? "SSJJCCSCJS" : "SSCCJJSJCS";
	w->separator = PICK(d, ",", ";", "tab", "|");
	w->quote = PICK(d, "\"", "\"", "'");
	w->escape = PICK(d, "doubled", "doubled", "backslash");
	w->null = PICK(d, "", "", "\\N", "NULL");
	w->bytes = PICK(d, "hex", "hex", "base64");
	w->quoting = PICK(d, "minimal", "all", "nonnumeric");
	w->line_end = PICK(d, "lf", "crlf");
	w->encoding = PICK(d, "utf-8", "utf-8", "utf-8", "utf-16", "utf-32le");
	w->jsonl_encoding = PICK(d, "utf-8", "utf-8", "utf-16be");
	w->packed = PICK(d, "none", "none", "gzip", "zstd");
	w->jsonl_packed = PICK(d, "none", "gzip", "zstd");
	w->nonfinite = !draw_below(d, 3);
	w->chunk_rows = (int)draw_below(d, 3) * 7;
	w->processes = 1 + (int)draw_below(d, 2);
}

static void add_store(
	struct wbl_buf *b, const struct walk *w, const char *dir, int place, bool source)
{
	char kind = w->order[place];

	wbl_buf_addf(b, "{ store = \"%s\"; path = \"%s/%d%s\";",
		kind == 'S'   ? "sqlite"
		: kind == 'C' ? "csv"
			      : "jsonl",
		dir, place, kind == 'S' ? ".db" : "");
	if (kind == 'C') {
		wbl_buf_addf(b,
			" as = \"tables\"; separator = \"%s\"; escape = \"%s\"; bytes = \"%s\"; "
			"encoding = \"%s\"; quote = ",
			w->separator, w->escape, w->bytes, w->encoding);
		wbl_buf_quote(b, w->quote);
		wbl_buf_adds(b, "; null = ");
		wbl_buf_quote(b, w->null);
		wbl_buf_addf(b, "; nonfinite = \"%s\";", w->nonfinite ? "text" : "refuse");
		if (source)
			wbl_buf_adds(b, " marks = true;");
		else
			wbl_buf_addf(b,
				" quoting = \"%s\"; line_end = \"%s\"; compression = \"%s\";",
				w->quoting, w->line_end, w->packed);
	} else if (kind == 'J') {
		wbl_buf_addf(b, " as = \"tables\"; encoding = \"%s\";", w->jsonl_encoding);
		if (!source)
			wbl_buf_addf(b, " compression = \"%s\";", w->jsonl_packed);
	}
	wbl_buf_adds(b, " };\n");
}

static void add_table(struct wbl_buf *b, const struct table *t, bool first)
{
	int i;

	wbl_buf_adds(b, first ? "{ to = " : ",\n{ to = ");
	wbl_buf_quote(b, t->name);
	wbl_buf_adds(b, "; from = ");
	wbl_buf_quote(b, t->name);
	for (i = 0; i < t->nkeys; i++) {
		wbl_buf_adds(b, i ? ", " : "; key = ( ");
		wbl_buf_quote(b, t->cols[i].name);
	}
	wbl_buf_addf(b, "%s; columns = (", t->nkeys ? " )" : "");
	for (i = 0; i < t->ncols; i++) {
		wbl_buf_adds(b, i ? ", { name = " : " { name = ");
		wbl_buf_quote(b, t->cols[i].name);
		wbl_buf_addf(b, "; type = \"%s\"; }", type_name(t->cols[i].type));
	}
	wbl_buf_adds(b, " ); }");
}

static void write_spec(
	const struct walk *w, const struct table *const *t, size_t n, const char *dir, int hop)
{
	WBL_AUTOFREE char *path = wbl_strf("%s/%d.conf", dir, hop);
	struct wbl_buf b = { 0 };
	FILE *f = fopen(path, "we");
	size_t i;

	wbl_buf_addf(&b,
		"migration: { name = \"hop%d\"; handler = \"data\"; processes = %d; source = ", hop,
		w->processes);
	add_store(&b, w, dir, hop, true);
	wbl_buf_adds(&b, "target = ");
	add_store(&b, w, dir, hop + 1, false);
	wbl_buf_addf(&b,
		"options = { chunk_rows = %d; reject_percent = 100.0; rejects = \"%s/%d.rejects\"; "
		"tables = (\n",
		w->chunk_rows, dir, hop);
	for (i = 0; i < n; i++)
		add_table(&b, t[i], !i);
	wbl_buf_adds(&b, " ); }; };\n");
	if (!f || fwrite(b.data, 1, b.len, f) != b.len || fclose(f)) {
		perror(path);
		exit(2);
	}
	wbl_buf_clear(&b);
}

/* What stores that have been met until now refuse: bits of cells; after `hop`, or before it. */
static unsigned refusing(const struct walk *w, int places)
{
	unsigned no = 0;
	int i;

	for (i = 0; i < places; i++)
		no |= w->order[i] == 'C' ? NO_CSV : w->order[i] == 'J' ? NO_JSONL : 0;
	return no;
}

/* Infinity is refused by csv only when it is not told to write it. */
static bool refused(
	const struct walk *w, const struct table *t, const struct cell *row, unsigned by)
{
	unsigned no = 0;
	int i;

	for (i = 0; i < t->ncols; i++)
		no |= w->nonfinite && row[i].has.class == SQLITE_FLOAT
			      ? row[i].no & ~(unsigned)NO_CSV
			      : row[i].no;
	return no & by;
}

static size_t rows_left(const struct walk *w, const struct table *t, int places)
{
	size_t k, n = 0;

	for (k = 0; k < t->nrows; k++)
		n += !refused(w, t, t->rows[k], refusing(w, places));
	return n;
}

static int run(const char *dir, int hop)
{
	WBL_AUTOFREE char *cmd =
		wbl_strf("cd '%s' && exec timeout 120 whimbrel run -q --yes %d.conf >%d.log 2>&1",
			dir, hop, hop);

	return system(cmd);
}

static char *log_end(const char *dir, int hop)
{
	WBL_AUTOFREE char *cmd = wbl_strf(
		"cd '%s' && grep -v '^$' %d.log | tail -8 | cut -c1-300 | tr '\\n' ' '", dir, hop);
	char *text = wbl_alloc(4096);
	FILE *f = popen(cmd, "re");

	if (f) {
		text[fread(text, 1, 4095, f)] = 0;
		pclose(f);
	}
	return text;
}

static json_t *report(const char *dir, int hop)
{
	WBL_AUTOFREE char *cmd =
		wbl_strf("cd '%s' && whimbrel -o json report last >%d.json", dir, hop);
	WBL_AUTOFREE char *path = wbl_strf("%s/%d.json", dir, hop);

	return system(cmd) ? NULL : json_load_file(path, 0, NULL);
}

static const char *text_of(const json_t *j, const char *key)
{
	const char *s = json_string_value(json_object_get(j, key));

	return s ? s : "";
}

static char *judge_set(const struct walk *w, const struct table *t, const json_t *set, int hop,
	char (*digests)[40])
{
	long long rows = (long long)rows_left(w, t, hop + 2),
		  out = (long long)rows_left(w, t, hop + 1) - rows,
		  found = json_integer_value(json_object_get(set, "rows_target")),
		  rejected = json_integer_value(json_object_get(set, "rejected"));
	const char *digest = text_of(set, "digest_target");

	if (found != rows || rejected != out)
		return wbl_strf("%lld rows arrived and %lld were rejected, not %lld and %lld",
			found, rejected, rows, out);
	if (!json_is_true(json_object_get(set, "equal")) ||
		strcmp(digest, text_of(set, "digest_source")))
		return wbl_strf(
			"digests differ: %s", json_string_value(json_object_get(set, "said")));
	if (hop && !out && strcmp(digest, *digests))
		return wbl_strf("the digest was %s and is %s now", *digests, digest);
	snprintf(*digests, sizeof *digests, "%s", digest);
	return NULL;
}

static char *judge_report(const struct walk *w, const struct table *const *t, size_t n,
	const char *dir, int hop, char (*digests)[40], int *ret_table)
{
	json_t *j = report(dir, hop),
	       *sets = json_object_get(json_object_get(j, "verification"), "sets"), *set = NULL;
	char *why = NULL;
	size_t i, k;

	for (i = 0; i < n && !why; i++) {
		*ret_table = (int)i;
		json_array_foreach(
			sets, k, set) if (!strcmp(text_of(set, "set"), t[i]->name)) break;
		why = k < json_array_size(sets) ? judge_set(w, t[i], set, hop, &digests[i])
						: wbl_strf("the report has no such table");
	}
	json_decref(j);
	return why;
}

/* Each reject says where, why, and the whole record. */
static char *judge_rejects(const struct walk *w, const struct table *const *t, size_t n,
	const char *dir, int hop, int *ret_table)
{
	WBL_AUTOFREE char *path = wbl_strf("%s/%d.rejects", dir, hop);
	FILE *f = fopen(path, "re");
	long long want = 0, got = 0;
	size_t i;
	json_t *j;

	for (i = 0; i < n; i++)
		want += (long long)(rows_left(w, t[i], hop + 1) - rows_left(w, t[i], hop + 2));
	*ret_table = -1;
	while (f && (j = json_loadf(f,
			     JSON_DISABLE_EOF_CHECK | JSON_ALLOW_NUL | JSON_DECODE_INT_AS_REAL,
			     NULL))) {
		bool whole = *text_of(j, "source") && *text_of(j, "reason") && *text_of(j, "to") &&
			     json_object_size(json_object_get(j, "record"));

		got++;
		json_decref(j);
		if (!whole)
			break;
	}
	if (f)
		fclose(f);
	return got == want ? NULL : wbl_strf("%lld whole dead letters, not %lld", got, want);
}

static char *judge_rows(const struct walk *w, const struct table *const *t, size_t n,
	const char *dir, int hop, int *ret_table)
{
	WBL_AUTOFREE char *path = wbl_strf("%s/%d.db", dir, hop + 1);
	char *why = NULL;
	sqlite3 *db;
	size_t i;

	if (sqlite3_open_v2(path, &db, SQLITE_OPEN_READONLY, NULL))
		return wbl_strf("%s: %s", path, sqlite3_errmsg(db));
	for (i = 0; i < n && !why; i++) {
		struct table left = *t[i];
		size_t k, m = 0;

		left.rows = wbl_alloc((left.nrows + 1) * sizeof *left.rows);
		for (k = 0; k < t[i]->nrows; k++)
			if (!refused(w, t[i], t[i]->rows[k], refusing(w, hop + 2)))
				left.rows[m++] = t[i]->rows[k];
		left.nrows = m;
		*ret_table = (int)i;
		why = table_judge(&left, db);
		free(left.rows);
	}
	sqlite3_close(db);
	return why;
}

void walk_end(const char *dir)
{
	WBL_AUTOFREE char *path = wbl_strf("%s/state/lock", dir);
	FILE *f = fopen(path, "re");
	long pid = 0;
	int i;

	if (f && fscanf(f, "%ld", &pid) == 1 && pid > 1)
		kill((pid_t)pid, SIGTERM);
	if (f)
		fclose(f);
	for (i = 0; pid > 1 && i < 200 && !kill((pid_t)pid, 0); i++)
		usleep(10000);
}

static void begin(const struct table *const *t, size_t n, const char *dir)
{
	WBL_AUTOFREE char *cmd = wbl_strf("cd '%s' && rm -rf [0-9]*", dir);
	WBL_AUTOFREE char *path = wbl_strf("%s/0.db", dir);
	sqlite3 *db;
	size_t i;

	if (system(cmd) || sqlite3_open(path, &db))
		exit(2);
	sqlite3_exec(db, "PRAGMA synchronous = off; BEGIN", NULL, NULL, NULL);
	for (i = 0; i < n; i++)
		table_write(db, t[i]);
	if (sqlite3_exec(db, "COMMIT", NULL, NULL, NULL))
		exit(2);
	sqlite3_close(db);
}

char *walk_go(const struct walk *w, const struct table *const *t, size_t n, const char *dir,
	int last, int *ret_hop, int *ret_table)
{
	char(*digests)[40] = wbl_alloc((n + 1) * sizeof *digests), *why = NULL;
	static bool failed;
	int hop;

	/* What a run that failed still holds is no concern of the next. */
	if (failed) {
		WBL_AUTOFREE char *cmd = wbl_strf("rm -rf '%s/state'", dir);

		walk_end(dir);
		failed = system(cmd) != 0;
	}
	begin(t, n, dir);
	for (hop = 0; hop < last && !why; hop++) {
		*ret_hop = hop;
		*ret_table = -1;
		write_spec(w, t, n, dir, hop);
		if (run(dir, hop)) {
			WBL_AUTOFREE char *end = log_end(dir, hop);

			why = wbl_strf("the run failed: %s", end);
			break;
		}
		why = judge_report(w, t, n, dir, hop, digests, ret_table);
		if (!why)
			why = judge_rejects(w, t, n, dir, hop, ret_table);
		if (!why && w->order[hop + 1] == 'S')
			why = judge_rows(w, t, n, dir, hop, ret_table);
	}
	free(digests);
	failed = why != NULL;
	return why;
}
