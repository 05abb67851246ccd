/* data_assess.c - a source looked at before anything is planned.
 * In: the source alone.  Out: findings in the forms of docs/control.md: tables and columns as they are, what will give
 * trouble, how hard and how long the migration will be, advice, a mapping to begin with. Each table is read once; how
 * much memory that takes does not depend on how much there is.
 * A new thing to look for is a line in troubles_of_column or troubles_of_set.
 * SPDX-License-Identifier: Apache-2.0 */
#include "data_assess.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

enum { ROOM = 1 << 20, MOST_CELLS = 1 << 20, SPEC_TABLES = 200 };

struct assess {
	struct wbl_call *call;
	const struct wbl_plan_service *plan;
	const struct wbl_peer_service *peers;
	struct wbl_peer peer;
	const struct wbl_store *store;
	struct wbl_doc *doc;
	int64_t most_rows; /* of a table; 0: all */
	uint64_t rows, bytes, views, triggers, generated, keyless, mixed, tables, errors, warnings;
	int64_t read_ns;
	uint64_t read_rows;
	struct wbl_out spec; /* the list of tables */
	size_t spec_tables;
	int plain; /* no table needs a mapping of its own */
	int32_t rc;
};

struct table {
	const struct wbl_node *set;
	const char *name;
	struct assess_column *cols;
	size_t ncols, room;
	const char **scan;
	uint64_t read, count, bytes;
	struct assess_seen rows;
	uint64_t rows_again;
	char first_again[80];
	int sampled;
};

static int64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static void tell(struct assess *a, struct wbl_out *o)
{
	int32_t rc;

	wbl_out_close(o, '}');
	rc = a->rc ? a->rc : a->plan->finding(a->call, o->s);
	a->rc = rc < 0 ? rc : a->rc;
	wbl_out_clear(o);
}

static void finding(struct wbl_out *o, const char *kind, const char *set, const char *column)
{
	*o = (struct wbl_out){ 0 };
	wbl_out_open(o, NULL, '{');
	wbl_out_text(o, "kind", kind);
	if (set)
		wbl_out_text(o, "set", set);
	if (column)
		wbl_out_text(o, "column", column);
}

static void trouble(struct assess *a, const char *severity, const char *set, const char *column,
	uint64_t count, const char *example, const char *advice, const char *fmt, ...)
	__attribute__((format(printf, 8, 9)));

static void trouble(struct assess *a, const char *severity, const char *set, const char *column,
	uint64_t count, const char *example, const char *advice, const char *fmt, ...)
{
	char text[512];
	struct wbl_out o;
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	a->errors += !strcmp(severity, "error");
	a->warnings += !strcmp(severity, "warning");
	finding(&o, "trouble", set, column);
	wbl_out_text(&o, "severity", severity);
	wbl_out_text(&o, "text", text);
	if (count)
		wbl_out_int(&o, "count", (int64_t)count);
	if (example && *example) {
		wbl_out_open(&o, "examples", '[');
		wbl_out_text(&o, NULL, example);
		wbl_out_close(&o, ']');
	}
	if (advice)
		wbl_out_text(&o, "advice", advice);
	tell(a, &o);
}

/* --- what a column has to say --- */

static unsigned long long u(uint64_t n)
{
	return (unsigned long long)n;
}

static const struct wbl_node *declared_column(const struct table *t, const char *name)
{
	const struct wbl_node *c = wbl_node_at(t->set, "columns.0");

	for (; c; c = c->next)
		if (!strcmp(wbl_node_str(c, "name"), name))
			return c;
	return NULL;
}

static void add_bound(struct wbl_out *o, const char *key, const struct wbl_rows *r)
{
	struct wbl_bytes bytes = { r->data, r->len };
	struct assess_value v = { { 0 } };
	struct wbl_cell cell;

	if (!r->len || wbl_cell_next(&bytes, &cell) != 1)
		return;
	assess_show(&cell, &v);
	wbl_out_text(o, key, v.text);
}

static void tell_column(struct assess *a, const struct table *t, const struct assess_column *c)
{
	const struct wbl_node *d = declared_column(t, c->name);
	struct wbl_out o;
	int exact, i;

	finding(&o, "column", t->name, c->name);
	wbl_out_text(&o, "declared", wbl_node_str(d, "declared"));
	wbl_out_open(&o, "found", '{');
	for (i = 1; i < ASSESS_COUNT; i++)
		if (c->classes[i])
			wbl_out_int(&o, assess_class_names[i], (int64_t)c->classes[i]);
	wbl_out_close(&o, '}');
	if (c->classes[ASSESS_TEXT]) {
		wbl_out_open(&o, "texts", '{');
		for (i = 0; i < LOOKS_COUNT; i++)
			if (c->looks[i])
				wbl_out_int(&o, assess_look_names[i], (int64_t)c->looks[i]);
		wbl_out_close(&o, '}');
	}
	wbl_out_int(&o, "nulls", (int64_t)c->classes[ASSESS_NULL_]);
	wbl_out_int(&o, "distinct", (int64_t)assess_column_distinct(c, &exact));
	wbl_out_bool(&o, "distinct_exact", exact);
	add_bound(&o, "least", &c->least);
	add_bound(&o, "greatest", &c->greatest);
	if (c->longest)
		wbl_out_int(&o, "longest", (int64_t)c->longest);
	if (c->beyond_binary)
		wbl_out_int(&o, "beyond_2_53", (int64_t)c->beyond_binary);
	tell(a, &o);
}

/* Do the values have the class which the column's type promises? */
static void check_declared(struct assess *a, const struct table *t, const struct assess_column *c)
{
	const char *type = wbl_node_str(declared_column(t, c->name), "type"),
		   *declared = wbl_node_str(declared_column(t, c->name), "declared");
	uint64_t good = c->classes[ASSESS_NULL_], bad;
	const char *example = c->odd[LOOKS_WORDS].text;

	if (!type || !strcmp(type, "any") || !declared || !*declared)
		return;
	if (!strcmp(type, "int"))
		good += c->classes[ASSESS_INT];
	else if (!strcmp(type, "real"))
		good += c->classes[ASSESS_REAL] + c->classes[ASSESS_INT];
	else if (!strcmp(type, "decimal"))
		good += c->classes[ASSESS_DECIMAL] + c->classes[ASSESS_INT];
	else if (!strcmp(type, "text"))
		good += c->classes[ASSESS_TEXT];
	else if (!strcmp(type, "bytes"))
		good += c->classes[ASSESS_BYTES];
	else
		return;
	bad = c->rows - good - c->classes[ASSESS_RAW];
	if (!bad)
		return;
	a->mixed++;
	trouble(a, "warning", t->name, c->name, bad, example,
		"Map it with the type that the target shall have: rows which do not fit are then "
		"named and "
		"rejected, never changed.",
		"declared %s, but %llu of %llu values are of another kind", declared, u(bad),
		u(c->rows));
}

static void check_text(struct assess *a, const struct table *t, const struct assess_column *c)
{
	int look = assess_column_look(c);
	uint64_t texts = c->classes[ASSESS_TEXT];
	char advice[200];

	if (look >= 0 && assess_look_types[look]) {
		snprintf(advice, sizeof advice, "Map it with type = \"%s\".",
			assess_look_types[look]);
		trouble(a, "note", t->name, c->name, texts, c->odd[look].text, advice,
			"kept as text, and all of them are %s", assess_look_names[look]);
	} else if (look == LOOKS_DOT_DATE || look == LOOKS_SLASH_DATE) {
		trouble(a, "warning", t->name, c->name, texts, c->odd[look].text,
			look == LOOKS_DOT_DATE
				? "Map it with type = \"date\" and format = \"%d.%m.%Y\"."
				: "Find out which of day and month comes first, then map it with "
				  "type = \"date\" and format = \"%m/%d/%Y\" or \"%d/%m/%Y\".",
			"%s, in text", assess_look_names[look]);
	} else if (look == LOOKS_COMMA) {
		trouble(a, "warning", t->name, c->name, texts, c->odd[look].text,
			"Map it with compute, replacing the comma by a point, and type = "
			"\"decimal\".",
			"%s", assess_look_names[look]);
	} else if (c->looks[LOOKS_INT] > 9 * (texts / 10) && texts > 10 &&
		   c->looks[LOOKS_INT] < texts) {
		trouble(a, "note", t->name, c->name, texts - c->looks[LOOKS_INT],
			c->odd[LOOKS_WORDS].text,
			"Keep it as text, or map it with type = \"int\" and see which rows are "
			"rejected.",
			"nearly all texts are whole numbers, %llu are not",
			u(texts - c->looks[LOOKS_INT]));
	}
	if (c->looks[LOOKS_CODE])
		trouble(a, "note", t->name, c->name, c->looks[LOOKS_CODE], c->odd[LOOKS_CODE].text,
			"Keep it as text: as a number it would lose them.",
			"digits with zeros in front: %llu of the values", u(c->looks[LOOKS_CODE]));
	if (c->looks[LOOKS_NOTHING])
		trouble(a, "note", t->name, c->name, c->looks[LOOKS_NOTHING],
			c->odd[LOOKS_NOTHING].text, "If it means nothing, map it with null_if.",
			"a word for nothing: %llu of the values", u(c->looks[LOOKS_NOTHING]));
	if (c->looks[LOOKS_EMPTY] && c->classes[ASSESS_NULL_])
		trouble(a, "note", t->name, c->name, c->looks[LOOKS_EMPTY], NULL,
			"Decide which of them is meant; null_if = \"\" makes one of both.",
			"both NULL (%llu) and empty text (%llu)", u(c->classes[ASSESS_NULL_]),
			u(c->looks[LOOKS_EMPTY]));
	if (c->blanks)
		trouble(a, "note", t->name, c->name, c->blanks, c->blank.text,
			"Map it with trim = true.", "blanks at an end: %llu of the values",
			u(c->blanks));
}

static void troubles_of_column(
	struct assess *a, const struct table *t, const struct assess_column *c)
{
	int kinds = 0, i;

	for (i = 1; i < ASSESS_COUNT; i++)
		kinds += c->classes[i] != 0;
	if (c->classes[ASSESS_RAW])
		trouble(a, "error", t->name, c->name, c->classes[ASSESS_RAW], c->raw.text,
			"Only some stores can hold them. Find out how they are encoded, and "
			"correct them at the "
			"source.",
			"not UTF-8, or with a NUL inside: %llu of %llu texts",
			u(c->classes[ASSESS_RAW]),
			u(c->classes[ASSESS_RAW] + c->classes[ASSESS_TEXT]));
	check_declared(a, t, c);
	if (c->classes[ASSESS_TEXT])
		check_text(a, t, c);
	if (c->beyond_binary)
		trouble(a, "note", t->name, c->name, c->beyond_binary, NULL,
			"Keep them whole numbers or decimals; JavaScript and spreadsheets round "
			"them.",
			"whole numbers beyond 2^53: %llu of the values", u(c->beyond_binary));
	if (c->rows && c->classes[ASSESS_NULL_] == c->rows)
		trouble(a, "note", t->name, c->name, c->rows, NULL, "Perhaps it need not be taken.",
			"never filled");
}

/* --- what a table has to say --- */

static int is_key(const struct table *t, const char *column)
{
	const struct wbl_node *k = wbl_node_at(t->set, "key.0");

	return k && !k->next && !strcmp(k->text.s, column);
}

/* Leading columns of an index, or of the key. */
static int begins_with(const struct wbl_node *have, const struct wbl_node *want)
{
	for (; want; want = want->next, have = have->next)
		if (!have || strcasecmp(have->text.s, want->text.s) != 0)
			return 0;
	return 1;
}

static int has_index_for(const struct table *t, const struct wbl_node *columns)
{
	const struct wbl_node *i = wbl_node_at(t->set, "indexes.0");

	for (; i; i = i->next)
		if (begins_with(wbl_node_at(i, "columns.0"), columns))
			return 1;
	return begins_with(wbl_node_at(t->set, "key.0"), columns);
}

static void list_names(const struct wbl_node *names, struct wbl_out *o)
{
	wbl_out_fmt(o, "%s", "");
	for (; names; names = names->next)
		wbl_out_fmt(o, "%s%s", o->len ? ", " : "", names->text.s);
}

static void check_references(struct assess *a, const struct table *t)
{
	const struct wbl_node *r = wbl_node_at(t->set, "foreign_keys.0");

	for (; r; r = r->next) {
		const struct wbl_node *columns = wbl_node_at(r, "columns.0");
		struct wbl_out names = { 0 };

		list_names(columns, &names);
		if (!has_index_for(t, columns))
			trouble(a, "note", t->name, names.s, 0, NULL,
				"An index on it makes deletes in that table, and checks, quick.",
				"refers to %s, and no index begins with it",
				wbl_node_str(r, "to") ? wbl_node_str(r, "to") : "another table");
		wbl_out_clear(&names);
	}
}

/* customer_id, where there is a table customer or customers and no reference is declared. */
static void check_unsaid_reference(struct assess *a, const struct table *t, const char *column)
{
	size_t n = strlen(column);
	const struct wbl_node *s = wbl_node_at(wbl_doc_root(a->doc), "sets.0"),
			      *r = wbl_node_at(t->set, "foreign_keys.0");

	if (n < 4 || strcasecmp(column + n - 3, "_id") != 0 || is_key(t, column))
		return;
	for (; r; r = r->next)
		for (const struct wbl_node *c = wbl_node_at(r, "columns.0"); c; c = c->next)
			if (!strcasecmp(c->text.s, column))
				return;
	for (; s; s = s->next) {
		const char *name = wbl_node_str(s, "name");
		size_t k = strlen(name);

		if (strncasecmp(name, column, n - 3) != 0 ||
			(k != n - 3 && !(k == n - 2 && tolower((unsigned char)name[k - 1]) == 's')))
			continue;
		trouble(a, "note", t->name, column, 0, NULL,
			"If it is one, give foreign_keys in the mapping; validate finds values "
			"that lead "
			"nowhere.",
			"looks like a reference to %s, but none is declared", name);
		return;
	}
}

static void check_key(struct assess *a, const struct table *t)
{
	size_t i;

	if (wbl_node_at(t->set, "key.0") || !t->read)
		return;
	a->keyless++;
	for (i = 0; i < t->ncols; i++) {
		const struct assess_column *c = &t->cols[i];
		int exact;

		if (t->read < 2 || c->classes[ASSESS_NULL_] || c->again || c->looks[LOOKS_EMPTY] ||
			assess_column_distinct(c, &exact) != t->read || !exact)
			continue;
		trouble(a, "note", t->name, c->name, 0, NULL, "Give it as key in the mapping.",
			"the table has no key; this column has no value twice%s",
			t->sampled ? ", in the rows that were looked at" : "");
		return;
	}
	trouble(a, "warning", t->name, NULL, 0, NULL,
		"Rows are then compared as a whole. Name columns that tell them apart as key in "
		"the mapping.",
		"the table has no key, and no single column could be one");
}

static void troubles_of_set(struct assess *a, const struct table *t)
{
	const struct wbl_node *c = wbl_node_at(t->set, "columns.0");
	uint64_t generated = 0;

	check_key(a, t);
	if (t->rows_again)
		trouble(a, "warning", t->name, NULL, t->rows_again, t->first_again,
			"Find out whether they are meant. They are copied as often as they are "
			"there.",
			"rows that are there already: %llu", u(t->rows_again));
	check_references(a, t);
	for (; c; c = c->next) {
		generated += (uint64_t)wbl_node_bool(c, "generated", 0);
		check_unsaid_reference(a, t, wbl_node_str(c, "name"));
	}
	a->generated += generated;
	if (generated)
		trouble(a, "note", t->name, NULL, generated, NULL,
			"The target computes them itself where it speaks the same language.",
			"generated columns: %llu", u(generated));
}

/* --- reading --- */

static int32_t take_batch(struct assess *a, struct table *t, const struct wbl_batch *b)
{
	uint64_t at = 0, lo, hi;
	struct wbl_row row;
	int more;

	while ((more = wbl_batch_next(b, &at, &row)) == 1) {
		struct wbl_bytes cells = row.cells;
		struct wbl_cell cell;

		if (t->sampled && t->read >= (uint64_t)a->most_rows)
			return WBL_END;
		t->read++;
		wbl_digest_128(cells.data, cells.len, 0, &lo, &hi);
		if (assess_seen_add(&t->rows, lo, &t->room) && !t->rows_again++)
			snprintf(t->first_again, sizeof t->first_again, "row %llu", u(t->read));
		for (size_t i = 0; i < t->ncols; i++) {
			if (wbl_cell_next(&cells, &cell) != 1)
				return wbl_error_report(a->call, WBL_E_ABI, t->name, NULL,
					"the store gave a row that cannot be read");
			assess_column_add(&t->cols[i], &cell, &t->room);
		}
	}
	return more < 0 ? wbl_error_report(a->call, WBL_E_ABI, t->name, NULL,
				  "the store gave a batch that cannot be read")
			: WBL_OK;
}

static int32_t read_table(struct assess *a, struct table *t)
{
	struct wbl_scan scan = {
		.size = sizeof scan, .range = WBL_RANGE_ALL, .set = t->name, .columns = t->scan
	};
	struct wbl_batch b = { .size = sizeof b };
	void *cursor = NULL;
	int64_t from = now_ns();
	int32_t rc = a->store->scan(a->peer.self, a->call, &scan, &cursor);

	while (!rc && !(rc = wbl_stop_asked(a->call)) &&
		!(rc = a->store->read(cursor, a->call, &b))) {
		rc = take_batch(a, t, &b);
		wbl_progress_tell(a->call, t->name, t->read, t->count, 0);
	}
	if (cursor)
		a->store->scan_end(cursor);
	a->read_ns += now_ns() - from;
	a->read_rows += t->read;
	return rc == WBL_END ? WBL_OK : rc;
}

static void tell_set(struct assess *a, const struct table *t)
{
	const struct wbl_node *k = wbl_node_at(t->set, "key.0");
	struct wbl_out o;

	finding(&o, "set", t->name, NULL);
	wbl_out_int(&o, "rows", (int64_t)t->count);
	wbl_out_int(&o, "bytes", (int64_t)t->bytes);
	wbl_out_int(&o, "columns", (int64_t)t->ncols);
	wbl_out_open(&o, "key", '[');
	for (; k; k = k->next)
		wbl_out_text(&o, NULL, k->text.s);
	wbl_out_close(&o, ']');
	if (t->sampled && t->read < t->count)
		wbl_out_int(&o, "sampled", (int64_t)t->read);
	tell(a, &o);
}

/* --- a mapping to begin with --- */

static void quoted(struct wbl_out *o, const char *s)
{
	wbl_out_add(o, "\"", 1);
	for (; *s; s++) {
		if (*s == '"' || *s == '\\')
			wbl_out_add(o, "\\", 1);
		if ((unsigned char)*s < ' ')
			wbl_out_fmt(o, "\\x%02x", (unsigned char)*s);
		else
			wbl_out_add(o, s, 1);
	}
	wbl_out_add(o, "\"", 1);
}

/* Every text column whose values are all of another type: there is something to map. */
static int wants_mapping(const struct table *t)
{
	for (size_t i = 0; i < t->ncols; i++) {
		int look = assess_column_look(&t->cols[i]);

		if (look >= 0 && assess_look_types[look])
			return 1;
	}
	return 0;
}

static void spec_column(struct assess *a, const struct assess_column *c)
{
	int look = assess_column_look(c);
	const char *type = look >= 0 ? assess_look_types[look] : NULL;

	wbl_out_fmt(&a->spec, "\n          { name = ");
	quoted(&a->spec, c->name);
	if (type)
		wbl_out_fmt(&a->spec, "; type = \"%s\"", type);
	/* Where other values are of the type, these would be rejected by it. */
	if (type && c->looks[LOOKS_EMPTY])
		wbl_out_fmt(&a->spec, "; null_if = \"\"");
	wbl_out_fmt(&a->spec, "; }");
}

static void spec_table(struct assess *a, const struct table *t)
{
	const struct wbl_node *k = wbl_node_at(t->set, "key.0");
	const char *dot = strrchr(t->name, '.');
	char to[256];

	if (a->spec_tables++ >= SPEC_TABLES)
		return;
	snprintf(to, sizeof to, "%.*s",
		(int)(dot && dot > t->name && dot - t->name < 250 ? dot - t->name
								  : (long)strlen(t->name)),
		t->name);
	wbl_out_fmt(&a->spec, "%s\n        { from = ", a->spec.len ? "," : "");
	quoted(&a->spec, t->name);
	wbl_out_fmt(&a->spec, "; to = ");
	quoted(&a->spec, to);
	if (k) {
		wbl_out_fmt(&a->spec, "; key = ( ");
		for (const struct wbl_node *c = k; c; c = c->next) {
			if (c != k)
				wbl_out_fmt(&a->spec, ", ");
			quoted(&a->spec, c->text.s);
		}
		wbl_out_fmt(&a->spec, " )");
	}
	if (wants_mapping(t) || strcmp(to, t->name) != 0)
		a->plain = 0;
	if (wants_mapping(t)) {
		wbl_out_fmt(&a->spec, ";\n          columns = (");
		for (size_t i = 0; i < t->ncols; i++) {
			spec_column(a, &t->cols[i]);
			if (i + 1 < t->ncols)
				wbl_out_fmt(&a->spec, ",");
		}
		wbl_out_fmt(&a->spec, " )");
	}
	wbl_out_fmt(&a->spec, "; }");
}

/* "/srv/crm.db" -> "crm-db-new.db": each source of a folder gets its own. */
static void new_name(struct assess *a, struct wbl_out *o)
{
	const char *where = wbl_node_str(wbl_doc_root(a->doc), "claims.0.name"),
		   *slash = where ? strrchr(where, '/') : NULL;

	for (const char *s = slash ? slash + 1 : ""; *s; s++)
		wbl_out_add(o, *s == '.' ? "-" : s, 1);
	wbl_out_fmt(o, "%snew.db", o->len ? "-" : "");
}

static void tell_spec(struct assess *a)
{
	struct wbl_out text = { 0 }, name = { 0 }, o;

	if (!a->spec.len || a->spec_tables > SPEC_TABLES)
		return;
	new_name(a, &name);
	wbl_out_fmt(&text, "target = { store = \"sqlite\"; path = ");
	quoted(&text, name.s);
	wbl_out_fmt(&text, "; };\n");
	if (!a->plain)
		wbl_out_fmt(&text, "    options = {\n      tables = (%s\n      );\n    };\n",
			a->spec.s);
	finding(&o, "spec", NULL, NULL);
	wbl_out_text(&o, "text", text.s);
	tell(a, &o);
	wbl_out_clear(&text);
	wbl_out_clear(&name);
}

/* --- the whole --- */

static void reason(
	struct wbl_out *o, int64_t *score, uint64_t n, int64_t each, int64_t most, const char *text)
{
	int64_t points = (int64_t)n * each;
	char line[160];

	if (!n)
		return;
	points = points > most ? most : points;
	*score += points;
	snprintf(line, sizeof line, "%s: %llu", text, u(n));
	wbl_out_open(o, NULL, '{');
	wbl_out_text(o, "text", line);
	wbl_out_int(o, "points", points);
	wbl_out_close(o, '}');
}

static void tell_complexity(struct assess *a)
{
	int64_t score = 0;
	struct wbl_out o;

	finding(&o, "complexity", NULL, NULL);
	wbl_out_open(&o, "reasons", '[');
	reason(&o, &score, a->errors, 5, 50, "errors, to be corrected first");
	reason(&o, &score, a->warnings, 2, 30, "warnings, to be decided on");
	reason(&o, &score, a->triggers, 3, 30, "triggers, logic inside the source");
	reason(&o, &score, a->views, 1, 15, "views");
	reason(&o, &score, a->generated, 1, 10, "generated columns");
	reason(&o, &score, a->keyless, 2, 20, "tables without a key");
	reason(&o, &score, a->tables / 25, 1, 20, "tables, in steps of 25");
	reason(&o, &score, a->bytes >> 33, 1, 20, "size, in steps of 8 GB");
	wbl_out_close(&o, ']');
	wbl_out_int(&o, "score", score);
	wbl_out_text(&o, "level", score < 6 ? "low" : score < 25 ? "medium" : "high");
	tell(a, &o);
}

/* A copy reads the source, writes the target and reads that back. */
static void tell_estimate(struct assess *a)
{
	int64_t per_row = a->read_rows ? a->read_ns / (int64_t)a->read_rows + 1 : 2000;
	int64_t likely = 50000000 + (int64_t)a->rows * (per_row * 2 + 1000);
	char basis[160];
	struct wbl_out o;

	snprintf(basis, sizeof basis,
		"measured: %llu rows looked at in %lld ms; writing and reading back assumed to "
		"cost as much "
		"again, and 1 us a row",
		u(a->read_rows), (long long)(a->read_ns / 1000000));
	finding(&o, "estimate", NULL, NULL);
	wbl_out_int(&o, "p50_ns", likely);
	wbl_out_int(&o, "p90_ns", likely * 3);
	wbl_out_text(&o, "basis", basis);
	wbl_out_bool(&o, "downtime", !(a->peer.capabilities & WBL_CAN_FEED));
	wbl_out_text(&o, "why",
		a->peer.capabilities & WBL_CAN_FEED
			? "the store tells its changes, which can be followed until the switch"
			: "the store does not tell its changes: writers stop for the last copy, "
			  "which is "
			  "short when it takes only what has changed (option changes)");
	tell(a, &o);
}

static void tell_advice(struct assess *a, const char *text)
{
	struct wbl_out o;

	finding(&o, "advice", NULL, NULL);
	wbl_out_text(&o, "text", text);
	tell(a, &o);
}

static void tell_advices(struct assess *a)
{
	if (a->errors)
		tell_advice(a,
			"Correct what is called an error at the source, or map it; assess again.");
	if (a->triggers)
		tell_advice(a,
			"Triggers are logic. Read them; a copy of the whole database takes them to "
			"a target of the same kind, any other needs them written anew.");
	if (a->rows > 1000000)
		tell_advice(a, "Rehearse before you apply: it reads and converts all rows and "
			       "writes none.");
	if (!a->rc && a->tables)
		tell_advice(a, "whimbrel assess ... --spec FILE writes a spec to begin with; then "
			       "whimbrel "
			       "plan FILE.");
}

static int32_t one_table(struct assess *a, const struct wbl_node *set)
{
	const struct wbl_node *c = wbl_node_at(set, "columns.0");
	struct wbl_scan all = { .size = sizeof all, .range = WBL_RANGE_ALL };
	struct wbl_totals n = { .size = sizeof n };
	struct table t = { .set = set, .name = wbl_node_str(set, "name"), .room = ROOM };
	int32_t rc;
	size_t i;

	all.set = t.name;
	rc = a->store->count(a->peer.self, a->call, &all, 1, &n);
	if (rc)
		return rc;
	t.count = n.items;
	t.bytes = n.bytes ? n.bytes : (uint64_t)wbl_node_int(set, "bytes", 0);
	t.sampled = a->most_rows > 0;
	for (; c; c = c->next)
		t.ncols++;
	t.cols = wbl_sdk_alloc((t.ncols + 1) * sizeof *t.cols);
	t.scan = wbl_sdk_alloc((t.ncols + 1) * sizeof *t.scan);
	for (i = 0, c = wbl_node_at(set, "columns.0"); c; c = c->next, i++) {
		t.scan[i] = wbl_node_str(c, "name");
		assess_column_init(&t.cols[i], t.scan[i]);
	}
	rc = t.ncols ? read_table(a, &t) : WBL_OK;
	if (!rc) {
		if (!t.sampled)
			t.count = t.read;
		a->tables++;
		a->rows += t.count;
		a->bytes += t.bytes;
		tell_set(a, &t);
		for (i = 0; i < t.ncols; i++)
			tell_column(a, &t, &t.cols[i]);
		troubles_of_set(a, &t);
		for (i = 0; i < t.ncols; i++)
			troubles_of_column(a, &t, &t.cols[i]);
		spec_table(a, &t);
	}
	for (i = 0; i < t.ncols; i++)
		assess_column_clear(&t.cols[i]);
	assess_seen_clear(&t.rows);
	free(t.cols);
	free(t.scan);
	return rc;
}

static void look_at_others(struct assess *a)
{
	const struct wbl_node *o = wbl_node_at(wbl_doc_root(a->doc), "others.0");

	for (; o; o = o->next) {
		int trigger = !strcmp(wbl_node_str(o, "kind"), "trigger");

		a->triggers += (uint64_t)trigger;
		a->views += (uint64_t)!trigger;
		trouble(a, "note", trigger ? wbl_node_str(o, "set") : wbl_node_str(o, "name"), NULL,
			0, NULL,
			trigger ? "See whether the target shall do the same, and when: it must not "
				  "run for "
				  "rows that are copied."
				: "It is copied with the whole database between stores of one "
				  "kind, else made "
				  "by hand.",
			"%s %s", wbl_node_str(o, "kind"), wbl_node_str(o, "name"));
	}
}

/* One line for each pair of tables; the rows come in the store's order. */
static void tell_orphans(struct assess *a, const struct wbl_doc *doc)
{
	const struct wbl_node *r = wbl_node_at(wbl_doc_root(doc), "rows.0");
	int more = wbl_node_bool(wbl_doc_root(doc), "more", 0);

	while (r) {
		const char *from = wbl_node_str(r, "0"), *to = wbl_node_str(r, "2");
		uint64_t n = 0;

		for (; r && from && to && wbl_node_str(r, "0") && wbl_node_str(r, "2") &&
			!strcmp(wbl_node_str(r, "0"), from) && !strcmp(wbl_node_str(r, "2"), to);
			r = r->next)
			n++;
		if (!n)
			return;
		trouble(a, "error", from, NULL, n, NULL,
			"Correct them at the source: a target which checks references refuses "
			"them.",
			"rows that refer to rows of %s which are not there: %s%llu", to,
			more && !r ? "at least " : "", u(n));
	}
}

/* What the store can check itself, in its own language: references that lead nowhere. */
static void look_at_orphans(struct assess *a)
{
	const char *check = wbl_node_str(wbl_doc_root(a->doc), "reference_check"), *json = NULL;
	struct wbl_sql sql = { .size = sizeof sql, .flags = 1, .text = check };
	struct wbl_doc *doc;

	if (!check || !(a->peer.capabilities & WBL_CAN_SQL) ||
		a->store->sql(a->peer.self, a->call, &sql, &json) || !json)
		return;
	doc = wbl_doc_parse(json, strlen(json), NULL);
	tell_orphans(a, doc);
	wbl_doc_free(doc);
}

static int32_t look(struct assess *a)
{
	const struct wbl_node *root = wbl_doc_root(a->doc), *s = wbl_node_at(root, "sets.0");
	int32_t rc = WBL_OK;

	if (!wbl_node_bool(root, "exists", 0))
		return wbl_error_report(a->call, WBL_E_UNAVAILABLE,
			wbl_node_str(root, "claims.0.name"), "Check the path.",
			"the source does not exist");
	for (; !rc && s; s = s->next)
		if (strcmp(wbl_node_str(s, "kind"), "virtual") != 0)
			rc = one_table(a, s);
	if (rc)
		return rc;
	look_at_others(a);
	look_at_orphans(a);
	tell_complexity(a);
	tell_estimate(a);
	tell_advices(a);
	tell_spec(a);
	return a->rc;
}

int32_t data_assess(void *self, struct wbl_call *call, const struct wbl_work *work)
{
	struct assess a = { .call = call,
		.plan = wbl_service(call, "wbl.plan/1"),
		.peers = wbl_service(call, "wbl.peer/1"),
		.peer = { .size = sizeof a.peer },
		.most_rows = wbl_param_int(call, "assess_rows", 0),
		.plain = 1 };
	const char *json = NULL, *why = "";
	int32_t rc;

	(void)self, (void)work;
	if (!a.plan || !a.peers)
		return wbl_error_report(
			call, WBL_E_ABI, NULL, NULL, "the host takes no findings here");
	rc = a.peers->open(call, "source", "wbl.store/1", WBL_OPEN_READ, &a.peer);
	if (rc)
		return rc;
	a.store = a.peer.table;
	rc = a.store->describe(a.peer.self, call, NULL, &json);
	if (!rc && !(a.doc = wbl_doc_parse(json, strlen(json), &why)))
		rc = wbl_error_report(call, WBL_E_ABI, a.store->name, NULL,
			"the store's description cannot be read: %s", why);
	rc = rc ? rc : look(&a);
	wbl_doc_free(a.doc);
	wbl_out_clear(&a.spec);
	a.peers->close(call, &a.peer);
	return rc;
}
