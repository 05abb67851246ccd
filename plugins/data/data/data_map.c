/* data_map.c - which tables and columns go where: the options held against what both ends say of themselves.
 * In: `tables`, the descriptions of source and target.  Out: struct data_map; every name in it exists, or the place in the options is
 * told.  A new property of a column is read here, and used in data_row.c.
 * SPDX-License-Identifier: Apache-2.0 */
#include "data_alter.h"
#include "data_sync.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

static void *own(struct data_map *m, void *p)
{
	m->owned = wbl_sdk_grow(m->owned, (m->nowned + 1) * sizeof *m->owned);
	m->owned[m->nowned++] = p;
	return p;
}

void *data_map_own(struct data_map *m, void *p)
{
	return own(m, p);
}

static void table_clear(struct data_table *t)
{
	for (size_t i = 1; i < t->nparts; i++)
		table_clear(&t->parts[i - 1]);
	free(t->parts);
	data_transform_close(t);
	data_alter_free(t);
	for (size_t k = 0; k < t->ncols; k++)
		wbl_rows_clear(&t->cols[k].constant);
	free(t->cols);
	free(t->key);
	free(t->scan);
	free(t->names);
}

void data_map_clear(struct data_map *m)
{
	for (size_t i = 0; i < m->ntables; i++)
		table_clear(&m->tables[i]);
	for (size_t i = 0; i < m->nowned; i++)
		free(m->owned[i]);
	free(m->owned);
	free(m->tables);
	wbl_doc_free(m->source);
	wbl_doc_free(m->target);
	memset(m, 0, sizeof *m);
}

size_t data_parts(const struct data_table *t)
{
	return t->nparts ? t->nparts : 1;
}

struct data_table *data_part(struct data_table *t, size_t n)
{
	return n ? &t->parts[n - 1] : t;
}

static const struct wbl_node *column_of(const struct wbl_node *set, const char *name)
{
	const struct wbl_node *cols = wbl_node_at(set, "columns");

	for (const struct wbl_node *c = cols ? cols->child : NULL; c; c = c->next)
		if (!strcasecmp(wbl_node_str(c, "name"), name))
			return c;
	return NULL;
}

struct data_table *data_map_find(struct data_map *m, const char *to)
{
	for (size_t i = 0; to && i < m->ntables; i++)
		if (!strcmp(m->tables[i].to, to))
			return &m->tables[i];
	return NULL;
}

static int32_t wrong_hint(
	struct data_ends *e, const char *path, const char *hint, const char *what, const char *name)
{
	return wbl_error_report(e->call, WBL_E_PARAM, path, hint, "%s \"%s\"", what, name);
}

static int32_t wrong(struct data_ends *e, const char *path, const char *what, const char *name)
{
	return wrong_hint(e, path, "Compare the mapping with the tables and columns of the source.",
		what, name);
}

/* With the names that there are, as far as they fit into one line. */
static int32_t no_table(struct data_ends *e, struct data_map *m, const char *name, const char *path)
{
	const struct wbl_node *s = wbl_node_at(wbl_doc_root(m->source), "sets.0");
	struct wbl_out hint = { 0 };
	int32_t rc;

	wbl_out_fmt(&hint, "It has:");
	for (; s && hint.len < 150; s = s->next)
		wbl_out_fmt(&hint, " \"%s\"%s", wbl_node_str(s, "name"), s->next ? "," : ".");
	if (s)
		wbl_out_fmt(&hint, " and more.");
	rc = wrong_hint(e, path, hint.s, "the source has no table", name);
	wbl_out_clear(&hint);
	return rc;
}

static struct data_column *add_column(struct data_table *t)
{
	struct data_column *c;

	t->cols = wbl_sdk_grow(t->cols, (t->ncols + 1) * sizeof *t->cols);
	c = &t->cols[t->ncols++];
	memset(c, 0, sizeof *c);
	return c;
}

/* As the source has it. A value keeps the class that it is stored with when both ends speak one dialect. */
static void take_column(struct data_map *m, struct data_table *t, const struct wbl_node *src)
{
	struct data_column *c = add_column(t);
	const char *type = wbl_node_str(src, "type");

	c->name = c->from = wbl_node_str(src, "name");
	c->type = m->same_dialect ? WBL_TYPE_ANY : wbl_type_by_name(type ? type : "any");
	c->not_null = wbl_node_bool(src, "not_null", 0);
	if (m->same_dialect) {
		c->declared = wbl_node_str(src, "declared");
		c->fallback = wbl_node_str(src, "default");
	}
}

static int32_t constant(
	struct data_ends *e, struct data_column *c, const char *value, const char *path)
{
	struct wbl_rows text = { 0 };
	struct wbl_bytes cells;
	struct wbl_cell cell;
	const char *why = "";
	int bad;

	wbl_row_begin(&text, WBL_ROW_PUT);
	wbl_cell_text(&text, value, strlen(value));
	cells = wbl_row_end(&text);
	wbl_cell_next(&cells, &cell);
	bad = wbl_cell_cast(&c->constant, &cell, c->type, &why);
	wbl_rows_clear(&text);
	return bad ? wrong_hint(e, path, "Write `value` as its `type` wants it.", why, value)
		   : WBL_OK;
}

static int32_t type_of(struct data_ends *e, struct data_map *m, struct data_column *c,
	const struct wbl_node *spec, const struct wbl_node *src, const char *path)
{
	const char *type = wbl_node_str(spec, "type");

	/* "any" is every parameter's default and means: as the source says. */
	if ((!type || !strcmp(type, "any")) && src && !m->same_dialect)
		type = wbl_node_str(src, "type");
	c->type = wbl_type_by_name(type ? type : "any");
	if (c->type < 0)
		return wrong(e, path, "there is no type", type);
	if (c->type == WBL_TYPE_ANY && src && m->same_dialect)
		c->declared = wbl_node_str(src, "declared");
	return WBL_OK;
}

static int32_t no_column(
	struct data_ends *e, struct data_table *t, const char *name, const char *path)
{
	const struct data_names *names = data_table_names(t);
	const char *near = data_name_near(name, names->names, names->n);
	struct wbl_out what = { 0 };
	int32_t rc;

	wbl_out_fmt(&what, "the source has no column \"%s\"; is it", name);
	rc = near ? wrong(e, path, what.s, near) : wrong(e, path, "the source has no column", name);
	wbl_out_clear(&what);
	return rc;
}

static int32_t map_column(struct data_ends *e, struct data_map *m, struct data_table *t,
	const struct wbl_node *spec, const char *path)
{
	struct data_column *c = add_column(t);
	const char *value = wbl_node_str(spec, "value");
	const struct wbl_node *src = NULL;
	int32_t rc;
	int made;

	c->name = wbl_node_str(spec, "name");
	c->from = wbl_node_str(spec, "from");
	c->expr = wbl_node_str(spec, "expr");
	c->null_if = wbl_node_str(spec, "null_if");
	c->trim = wbl_node_bool(spec, "trim", 0);
	c->not_null = wbl_node_bool(spec, "not_null", 0);
	if (!c->name)
		return wrong(e, path, "a column without a", "name");
	made = wbl_node_str(spec, "compute") || wbl_node_at(spec, "generate.kind");
	if ((c->from != NULL) + (c->expr != NULL) + (value != NULL) + made > 1)
		return wrong_hint(e, path, "Leave one of them.",
			"only one of from, expr, compute, generate and value for column", c->name);
	if (!c->from && !c->expr && !value && !made)
		c->from = c->name;
	if (c->from && !(src = column_of(t->source, c->from)))
		return no_column(e, t, c->from, path);
	if (c->expr && !(e->source.capabilities & WBL_CAN_SQL))
		return wrong_hint(e, path, "Use `compute`, which works for every store.",
			"the source evaluates no expressions:", c->expr);
	for (size_t i = 0; i + 1 < t->ncols; i++)
		if (!strcasecmp(t->cols[i].name, c->name))
			return wrong_hint(e, path, "Give one of them another name.",
				"two columns of the target are called", c->name);
	rc = type_of(e, m, c, spec, src, path);
	rc = rc || !value ? rc : constant(e, c, value, path);
	return rc ? rc : data_alter_read(e, t, t->ncols - 1, spec, path);
}

static int32_t columns(struct data_ends *e, struct data_map *m, struct data_table *t,
	const struct wbl_node *spec, const char *path)
{
	const struct wbl_node *list = wbl_node_at(spec, "columns"),
			      *src = wbl_node_at(t->source, "columns");
	struct wbl_out at = { 0 };
	int32_t rc = WBL_OK;
	int n = 0;

	if (!list || !list->count) {
		for (const struct wbl_node *c = src ? src->child : NULL; c; c = c->next)
			if (!wbl_node_bool(c, "generated", 0))
				take_column(m, t, c);
		t->entire = 1;
		if (m->same_dialect && !strcmp(t->from, t->to) && !wbl_node_at(spec, "key.0") &&
			!wbl_node_at(spec, "foreign_keys.0"))
			t->definition = wbl_node_str(t->source, "definition");
		return WBL_OK;
	}
	for (const struct wbl_node *c = list->child; !rc && c; c = c->next) {
		wbl_out_reset(&at);
		wbl_out_fmt(&at, "%s.columns.%d", path, n++);
		rc = map_column(e, m, t, c, at.s);
	}
	wbl_out_clear(&at);
	return rc;
}

static int32_t key(
	struct data_ends *e, struct data_table *t, const struct wbl_node *spec, const char *path)
{
	const struct wbl_node *list = wbl_node_at(spec, "key"),
			      *cols = wbl_node_at(spec, "columns");

	if ((!list || !list->count) && (!cols || !cols->count))
		list = wbl_node_at(t->source, "key");
	t->key = wbl_sdk_alloc((list ? list->count + 1 : 1) * sizeof *t->key);
	for (const struct wbl_node *k = list ? list->child : NULL; k; k = k->next) {
		size_t i = 0;

		while (i < t->ncols && strcasecmp(t->cols[i].name, k->text.s) != 0)
			i++;
		if (i == t->ncols)
			return wrong(
				e, path, "the key names a column that is not mapped:", k->text.s);
		/* SQLite lets NULL into a primary key that is no rowid; a key of a migration finds its row. */
		if (!t->definition)
			t->cols[i].not_null = 1;
		t->key[t->nkey++] = i;
	}
	return WBL_OK;
}

/* Stores would take it for something else than the name of a column (whimbrel/store.h). */
static int reserved(const char *name)
{
	return name && (*name == '=' || !strcmp(name, "#position"));
}

static int32_t ask_for(
	struct data_ends *e, struct data_map *m, struct data_table *t, const char *path)
{
	int32_t rc;

	t->scan = wbl_sdk_alloc((t->ncols + data_alter_room(t) + 2) * sizeof *t->scan);
	t->names = wbl_sdk_alloc((t->ncols + 1) * sizeof *t->names);
	t->position = -1;
	t->straight = 1;
	for (size_t i = 0; i < t->ncols; i++) {
		struct data_column *c = &t->cols[i];

		t->names[i] = c->name;
		if (reserved(c->name) || reserved(c->from))
			return wbl_error_report(e->call, WBL_E_PARAM, path,
				"Name the columns to be copied by `columns`, without this one or, "
				"where the source has SQL, with it by `expr` and another `name`.",
				"\"%s\" cannot be the name of a column here",
				reserved(c->name) ? c->name : c->from);
		c->at = c->constant.len || data_alter_makes(c) ? -1 : (int)t->nscan;
		if (c->constant.len || c->type != WBL_TYPE_ANY || c->trim || c->null_if ||
			(c->not_null && !t->definition))
			t->straight = 0;
		if (c->expr) {
			struct wbl_out text = { 0 };

			wbl_out_fmt(&text, "=%s", c->expr);
			t->scan[t->nscan++] = own(m, text.s);
		} else if (c->at >= 0) {
			t->scan[t->nscan++] = c->from;
		}
	}
	rc = data_alter_ask(e, t, path);
	if (!t->straight) {
		t->position = (int)t->nscan;
		t->scan[t->nscan++] = "#position";
	}
	return rc;
}

/* Tables are mostly looked for in the order in which they stand: from the last one found on. */
static const struct wbl_node *find_set(
	const struct wbl_doc *description, const struct wbl_node **last, const char *name)
{
	const struct wbl_node *next =
		*last ? (*last)->next : wbl_node_at(wbl_doc_root(description), "sets.0");

	if (!next || strcasecmp(wbl_node_str(next, "name"), name) != 0)
		next = data_set(description, name);
	if (next)
		*last = next;
	return next;
}

/* One source of one target. */
static int32_t map_pair(struct data_ends *e, struct data_map *m, struct data_table *t,
	const char *from, const struct wbl_node *spec, const char *path)
{
	int32_t rc;

	t->source = find_set(m->source, &m->source_at, from);
	if (!t->source)
		return no_table(e, m, from, path);
	t->from = wbl_node_str(t->source, "name");
	rc = data_transform_open(e, t, spec, path);
	if (rc)
		return rc;
	t->target = find_set(m->target, &m->target_at, t->to);
	t->autoincrement = wbl_node_bool(t->source, "autoincrement", 0);
	t->where = wbl_node_str(spec, "where");
	if (t->where && *t->where && !(e->source.capabilities & WBL_CAN_SQL))
		return wrong_hint(e, path, "Use `filter`, which works for every store.",
			"the source evaluates no conditions:", t->where);
	t->indexes = wbl_node_at(spec, "indexes");
	t->foreign_keys = wbl_node_at(spec, "foreign_keys");
	if (!wbl_node_bool(wbl_doc_root(m->target), "limits.indexes", 1) &&
		(wbl_node_at(spec, "indexes.0") || wbl_node_at(spec, "foreign_keys.0")))
		return wrong_hint(e, path, "Leave `indexes` and `foreign_keys` out.",
			"the target has neither indexes nor references between tables:", t->to);
	if ((!t->indexes || !t->indexes->count) && !wbl_node_at(spec, "columns.0") &&
		m->same_dialect && !strcmp(t->from, t->to))
		t->indexes = wbl_node_at(t->source, "indexes");
	rc = columns(e, m, t, spec, path);
	rc = rc ? rc : key(e, t, spec, path);
	rc = rc ? rc : data_manner_read(e, m, t, spec, path);
	rc = rc ? rc : data_filter_read(e, t, spec, path);
	rc = rc ? rc : ask_for(e, m, t, path);
	return rc ? rc : data_transform_ready(t);
}

static int32_t same_columns(struct data_ends *e, const struct data_table *t,
	const struct data_table *part, const char *path)
{
	size_t i = 0;

	while (i < t->ncols && i < part->ncols &&
		!strcasecmp(t->cols[i].name, part->cols[i].name) &&
		t->cols[i].type == part->cols[i].type)
		i++;
	if (i == t->ncols && i == part->ncols)
		return WBL_OK;
	return wrong(e, path,
		"say by `columns` and `type` what the target has: the first table is unlike",
		part->from);
}

/* Several sources of one target: the first is the table itself. */
static int32_t map_parts(struct data_ends *e, struct data_map *m, size_t at,
	const struct wbl_node *list, const struct wbl_node *spec, const char *path)
{
	struct data_table *t = &m->tables[at];
	int32_t rc = WBL_OK;

	t->parts = wbl_sdk_alloc(list->count * sizeof *t->parts);
	for (const struct wbl_node *n = list->child->next; !rc && n; n = n->next) {
		struct data_table *part = &t->parts[t->nparts++ - 1];

		part->to = t->to;
		part->part = (int)t->nparts - 1;
		part->of_parts = t->of_parts;
		rc = map_pair(e, m, part, n->text.s, spec, path);
		rc = rc ? rc : same_columns(e, t, part, path);
	}
	for (size_t i = 0; !rc && i < t->nparts; i++)
		for (size_t k = 0; !rc && k < i; k++)
			if (data_part(t, i)->source == data_part(t, k)->source)
				rc = wrong(e, path,
					"from_all names a table twice:", data_part(t, i)->from);
	return rc;
}

static int32_t map_table(
	struct data_ends *e, struct data_map *m, const struct wbl_node *spec, const char *path)
{
	struct data_table *t;
	const struct wbl_node *all = wbl_node_at(spec, "from_all");
	const char *from = wbl_node_str(spec, "from"), *to = wbl_node_str(spec, "to");
	int32_t rc;

	if (all && (all->kind != WBL_NODE_ARRAY || !all->count))
		all = NULL;
	if (all && from)
		return wrong_hint(e, path, "Leave one of them.",
			"only one of from and from_all, beside", from);
	if (all)
		from = all->child->text.s;
	if (!from)
		from = wbl_node_str(wbl_doc_root(m->source), "sets.0.name");
	if (!from)
		return wrong(e, path, "the source has no", "table");
	to = to ? to : from;
	if (data_map_find(m, to))
		return wrong_hint(e, path,
			"Name them together by `from_all`, or give one another name by `to`.",
			"two tables go to", to);
	m->tables = wbl_sdk_grow(m->tables, (m->ntables + 1) * sizeof *m->tables);
	t = &m->tables[m->ntables++];
	memset(t, 0, sizeof *t);
	t->to = to;
	t->nparts = all ? 1 : 0;
	t->of_parts = all ? all->count : 1;
	rc = map_pair(e, m, t, from, spec, path);
	if (rc || !all)
		return rc;
	t->definition = NULL;
	return map_parts(e, m, m->ntables - 1, all, spec, path);
}

static int32_t map_all(struct data_ends *e, struct data_map *m)
{
	const struct wbl_node *sets = wbl_node_at(wbl_doc_root(m->source), "sets");
	struct wbl_out spec = { 0 };
	int32_t rc = WBL_OK;

	m->whole = 1;
	for (const struct wbl_node *s = sets ? sets->child : NULL; !rc && s; s = s->next) {
		struct wbl_doc *doc;

		if (!strcmp(wbl_node_str(s, "kind"), "virtual"))
			continue;
		wbl_out_reset(&spec);
		wbl_out_open(&spec, NULL, '{');
		wbl_out_text(&spec, "from", wbl_node_str(s, "name"));
		wbl_out_close(&spec, '}');
		doc = wbl_doc_parse(spec.s, spec.len, NULL);
		rc = map_table(e, m, wbl_doc_root(doc), "tables");
		/* What the table took from this small document is the name, which the description has too. */
		if (!rc)
			m->tables[m->ntables - 1].to = m->tables[m->ntables - 1].from;
		wbl_doc_free(doc);
	}
	wbl_out_clear(&spec);
	return rc;
}

/* from, to: of one table; NULL: of all. */
static int32_t look(struct data_ends *e, struct data_map *m, const char *from, const char *to)
{
	const struct wbl_node *s, *t;
	int32_t rc = data_describe_source(e, from, &m->source);

	rc = rc ? rc : data_describe_target(e, to, &m->target);
	if (rc)
		return rc;
	s = wbl_doc_root(m->source);
	t = wbl_doc_root(m->target);
	m->same_dialect = !strcmp(wbl_node_str(s, "dialect"), wbl_node_str(t, "dialect"));
	if (!wbl_node_bool(s, "exists", 0))
		return wbl_error_report(e->call, WBL_E_UNAVAILABLE,
			wbl_node_str(s, "claims.0.name"), "Check the path of the source.",
			"the source does not exist");
	if (!strcmp(wbl_node_str(s, "claims.0.name"), wbl_node_str(t, "claims.0.name")))
		return wbl_error_report(e->call, WBL_E_PARAM, wbl_node_str(s, "claims.0.name"),
			"Give the target another place.", "source and target are the same");
	return WBL_OK;
}

static const char *goes_to(const struct wbl_node *spec)
{
	const char *to = wbl_node_str(spec, "to");

	return to ? to : wbl_node_str(spec, "from");
}

/* The entry of the options that fills this table, when the description of one table of the source is enough for it. */
static const struct wbl_node *entry_alone(const struct wbl_node *tables, const char *only)
{
	const struct wbl_node *found = NULL;

	for (const struct wbl_node *t = tables->child; t; t = t->next) {
		if (!wbl_node_str(t, "from") || wbl_node_at(t, "from_all.0"))
			return NULL;
		if (!strcmp(goes_to(t), only))
			found = t;
	}
	return found;
}

/* only: this table of the target, NULL: all. */
static int32_t map_tables(struct data_ends *e, struct data_map *m, const char *only)
{
	const struct wbl_node *tables = wbl_param_json(e->call, "tables"), *alone = NULL;
	struct wbl_out path = { 0 };
	int32_t rc;
	int n = 0;

	if (only && tables && tables->count)
		alone = entry_alone(tables, only);
	if (only && (!tables || !tables->count))
		rc = look(e, m, only, only);
	else
		rc = look(e, m, alone ? wbl_node_str(alone, "from") : NULL, alone ? only : NULL);
	if (!rc && (!tables || !tables->count))
		rc = map_all(e, m);
	for (const struct wbl_node *t = tables ? tables->child : NULL; !rc && t; t = t->next, n++) {
		if (alone && t != alone)
			continue;
		wbl_out_reset(&path);
		wbl_out_fmt(&path, "tables.%d", n);
		rc = map_table(e, m, t, path.s);
	}
	wbl_out_clear(&path);
	return rc;
}

static int32_t build(struct data_ends *e, struct data_map *m, const char *only)
{
	int32_t rc;

	memset(m, 0, sizeof *m);
	rc = map_tables(e, m, only);
	if (!rc && !m->ntables)
		rc = wbl_error_report(e->call, WBL_E_PARAM, "tables", "Check the source.",
			"the source has no table to copy");
	if (rc)
		data_map_clear(m);
	return rc;
}

int32_t data_map_build(struct data_ends *e, struct data_map *m)
{
	return build(e, m, NULL);
}

int32_t data_map_build_one(struct data_ends *e, struct data_map *m, const char *to)
{
	return build(e, m, to);
}
