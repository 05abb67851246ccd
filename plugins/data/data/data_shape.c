/* data_shape.c - what a table of the target is to look like: the change that makes it, and how one that stands differs from it.
 * In: the mapping, the description of source and target.  Out: {"create_table": ...}; differences, all of them at once.
 * A new property of a table is told in shape(), compared in data_shape_compare(), and read by the stores.
 * SPDX-License-Identifier: Apache-2.0 */
#include "data_impl.h"

#include <string.h>
#include <strings.h>

static const struct wbl_node *column_of(const struct wbl_node *set, const char *name)
{
	const struct wbl_node *c = name ? wbl_node_at(set, "columns.0") : NULL;

	while (c && strcasecmp(wbl_node_str(c, "name"), name) != 0)
		c = c->next;
	return c;
}

/* ---- the change ---- */

static void add_column(const struct data_map *m, const struct data_table *t,
	const struct data_column *c, struct wbl_out *o)
{
	const struct wbl_node *src = m->same_dialect ? column_of(t->source, c->from) : NULL;

	wbl_out_open(o, NULL, '{');
	wbl_out_text(o, "name", c->name);
	wbl_out_text(o, "type", wbl_type_name(c->type));
	if (m->same_dialect && c->declared)
		wbl_out_text(o, "declared", c->declared);
	if (m->same_dialect && c->fallback)
		wbl_out_text(o, "default", c->fallback);
	if (wbl_node_str(src, "collation"))
		wbl_out_text(o, "collation", wbl_node_str(src, "collation"));
	wbl_out_bool(o, "not_null", c->not_null);
	wbl_out_close(o, '}');
}

static void add_generated(const struct wbl_node *c, struct wbl_out *o)
{
	wbl_out_open(o, NULL, '{');
	wbl_out_text(o, "name", wbl_node_str(c, "name"));
	wbl_out_text(o, "type", "any");
	wbl_out_text(o, "declared", wbl_node_str(c, "declared"));
	wbl_out_text(o, "expression", wbl_node_str(c, "expression"));
	wbl_out_bool(o, "stored", wbl_node_bool(c, "stored", 0));
	wbl_out_bool(o, "not_null", wbl_node_bool(c, "not_null", 0));
	wbl_out_close(o, '}');
}

static void add_references(const struct data_map *m, const struct data_table *t, struct wbl_out *o)
{
	const struct wbl_node *f = wbl_node_at(t->source, "foreign_keys.0");
	struct wbl_out one = { 0 };

	wbl_out_open(o, "foreign_keys", '[');
	if (t->foreign_keys && t->foreign_keys->count)
		f = NULL;
	for (; f; f = f->next)
		if (data_reference_goes(m, t, f, &one))
			wbl_out_json(o, NULL, one.s);
	f = t->foreign_keys ? t->foreign_keys->child : NULL;
	for (; f; f = f->next) {
		wbl_out_open(o, NULL, '{');
		for (const char *key = "columns"; key;
			key = !strcmp(key, "columns") ? "to_columns" : NULL) {
			wbl_out_open(o, key, '[');
			for (const struct wbl_node *c = wbl_node_at(wbl_node_at(f, key), "0"); c;
				c = c->next)
				wbl_out_text(o, NULL, c->text.s);
			wbl_out_close(o, ']');
		}
		wbl_out_text(o, "to", wbl_node_str(f, "to"));
		wbl_out_text(o, "on_delete", wbl_node_str(f, "on_delete"));
		wbl_out_close(o, '}');
	}
	wbl_out_close(o, ']');
	wbl_out_clear(&one);
}

static void add_rules(const struct data_map *m, const struct data_table *t, struct wbl_out *o)
{
	int all = m->same_dialect && t->entire;
	struct wbl_out one = { 0 };

	wbl_out_open(o, "uniques", '[');
	for (const struct wbl_node *u = wbl_node_at(t->source, "uniques.0"); u; u = u->next) {
		wbl_out_reset(&one);
		if (data_names_there(t, u, &one))
			wbl_out_json(o, NULL, one.s);
	}
	wbl_out_close(o, ']');
	wbl_out_open(o, "checks", '[');
	for (const struct wbl_node *c = wbl_node_at(t->source, "checks.0"); all && c; c = c->next)
		wbl_out_text(o, NULL, c->text.s);
	wbl_out_close(o, ']');
	if (all) {
		wbl_out_bool(o, "without_rowid", wbl_node_bool(t->source, "without_rowid", 0));
		wbl_out_bool(o, "strict", wbl_node_bool(t->source, "strict", 0));
	}
	wbl_out_bool(o, "autoincrement",
		t->autoincrement && t->nkey == 1 && t->cols[t->key[0]].from &&
			wbl_node_at(t->source, "key.0") &&
			!strcasecmp(
				t->cols[t->key[0]].from, wbl_node_at(t->source, "key.0")->text.s));
	add_references(m, t, o);
	wbl_out_clear(&one);
}

static void shape(const struct data_map *m, const struct data_table *t, struct wbl_out *o)
{
	const struct wbl_node *c = wbl_node_at(t->source, "columns.0");

	wbl_out_open(o, "columns", '[');
	for (size_t i = 0; i < t->ncols; i++)
		add_column(m, t, &t->cols[i], o);
	for (; m->same_dialect && t->entire && c; c = c->next)
		if (wbl_node_bool(c, "generated", 0) && wbl_node_str(c, "expression"))
			add_generated(c, o);
	wbl_out_close(o, ']');
	wbl_out_open(o, "key", '[');
	for (size_t i = 0; i < t->nkey; i++)
		wbl_out_text(o, NULL, t->cols[t->key[i]].name);
	wbl_out_close(o, ']');
	add_rules(m, t, o);
}

void data_table_json(const struct data_map *m, const struct data_table *t, const char *verb,
	const char *origin, struct wbl_out *o)
{
	if (verb) {
		wbl_out_open(o, NULL, '{');
		wbl_out_open(o, verb, '{');
		wbl_out_text(o, "origin", origin);
	} else {
		wbl_out_open(o, NULL, '{');
	}
	wbl_out_text(o, "name", t->to);
	if (t->definition)
		wbl_out_text(o, "definition", t->definition);
	else
		shape(m, t, o);
	wbl_out_close(o, '}');
	if (verb)
		wbl_out_close(o, '}');
}

/* ---- one that stands ---- */

struct comparing {
	const struct data_map *m;
	const struct data_table *t;
	data_shape_differs *each;
	void *arg;
};

static void tell(struct comparing *c, int severity, const char *column, const char *what,
	const char *expected, const char *found)
{
	c->each(c->arg, severity, c->t, column, what, expected ? expected : "none",
		found ? found : "none");
}

static int same_text(const char *a, const char *b)
{
	return !strcasecmp(a ? a : "", b ? b : "");
}

static void compare_type(
	struct comparing *c, const struct data_column *col, const struct wbl_node *there)
{
	const char *type = wbl_node_str(there, "type"), *declared = wbl_node_str(there, "declared");

	if (c->m->same_dialect && col->declared) {
		if (!same_text(col->declared, declared))
			tell(c, WBL_SEVERITY_WARNING, col->name, "type", col->declared, declared);
	} else if (col->type != WBL_TYPE_ANY && type && strcmp(type, "any") != 0 &&
		   strcmp(type, wbl_type_name(col->type)) != 0) {
		tell(c, WBL_SEVERITY_WARNING, col->name, "type", wbl_type_name(col->type), type);
	}
}

static void compare_column(struct comparing *c, const struct data_column *col)
{
	const struct wbl_node *there = column_of(c->t->target, col->name),
			      *src = column_of(c->t->source, col->from);
	int strict;

	if (!there) {
		tell(c, WBL_SEVERITY_ERROR, col->name, "column", "a column", NULL);
		return;
	}
	if (wbl_node_bool(there, "generated", 0))
		tell(c, WBL_SEVERITY_ERROR, col->name, "generated", "a column to be filled",
			"one that the target computes");
	compare_type(c, col, there);
	strict = wbl_node_bool(there, "not_null", 0);
	if (strict && !col->not_null && !wbl_node_bool(src, "not_null", 0))
		tell(c, WBL_SEVERITY_WARNING, col->name, "nullability", "NULL allowed", "NOT NULL");
	else if (!strict && col->not_null)
		tell(c, WBL_SEVERITY_NOTE, col->name, "nullability", "NOT NULL", "NULL allowed");
	if (!c->m->same_dialect || !src)
		return;
	if (!same_text(wbl_node_str(src, "default"), wbl_node_str(there, "default")))
		tell(c, WBL_SEVERITY_NOTE, col->name, "default", wbl_node_str(src, "default"),
			wbl_node_str(there, "default"));
	if (!same_text(wbl_node_str(src, "collation"), wbl_node_str(there, "collation")))
		tell(c, WBL_SEVERITY_WARNING, col->name, "collation",
			wbl_node_str(src, "collation"), wbl_node_str(there, "collation"));
}

static int fills(const struct data_table *t, const char *name)
{
	for (size_t i = 0; i < t->ncols; i++)
		if (!strcasecmp(t->cols[i].name, name))
			return 1;
	return 0;
}

/* Columns of the target that the mapping leaves alone. */
static void compare_rest(struct comparing *c)
{
	const struct wbl_node *src = wbl_node_at(c->t->source, "columns.0"),
			      *x = wbl_node_at(c->t->target, "columns.0");

	for (; x; x = x->next) {
		const char *name = wbl_node_str(x, "name");

		if (wbl_node_bool(x, "generated", 0) || fills(c->t, name))
			continue;
		if (wbl_node_bool(x, "not_null", 0) && !wbl_node_str(x, "default"))
			tell(c, WBL_SEVERITY_ERROR, name, "column",
				"no column, or one with a default",
				"one that may not be NULL, and the mapping does not fill it");
		else
			tell(c, WBL_SEVERITY_NOTE, name, "column", NULL, "one that is not filled");
	}
	for (; src && c->t->entire && c->m->same_dialect; src = src->next) {
		x = column_of(c->t->target, wbl_node_str(src, "name"));
		if (wbl_node_bool(src, "generated", 0) &&
			(!x || !same_text(wbl_node_str(x, "expression"),
				       wbl_node_str(src, "expression"))))
			tell(c, WBL_SEVERITY_WARNING, wbl_node_str(src, "name"), "generated",
				wbl_node_str(src, "expression"), wbl_node_str(x, "expression"));
	}
}

static int has_list(const struct wbl_node *lists, const char *json)
{
	struct wbl_out o = { 0 };
	int found = 0;

	for (const struct wbl_node *l = lists; l && !found; l = l->next) {
		wbl_out_reset(&o);
		wbl_out_open(&o, NULL, '[');
		for (const struct wbl_node *c = l->child; c; c = c->next)
			wbl_out_text(&o, NULL, c->text.s);
		wbl_out_close(&o, ']');
		found = !strcasecmp(o.s, json);
	}
	wbl_out_clear(&o);
	return found;
}

static void list_json(const struct wbl_node *list, struct wbl_out *o)
{
	wbl_out_reset(o);
	wbl_out_open(o, NULL, '[');
	for (const struct wbl_node *c = list ? list->child : NULL; c; c = c->next)
		wbl_out_text(o, NULL, c->text.s);
	wbl_out_close(o, ']');
}

static void compare_key(struct comparing *c)
{
	struct wbl_out want = { 0 }, have = { 0 };

	wbl_out_open(&want, NULL, '[');
	for (size_t i = 0; i < c->t->nkey; i++)
		wbl_out_text(&want, NULL, c->t->cols[c->t->key[i]].name);
	wbl_out_close(&want, ']');
	list_json(wbl_node_at(c->t->target, "key"), &have);
	if (strcasecmp(want.s, have.s) != 0)
		tell(c, WBL_SEVERITY_WARNING, NULL, "key", want.s, have.s);
	wbl_out_clear(&want);
	wbl_out_clear(&have);
}

static void compare_uniques(struct comparing *c)
{
	const struct wbl_node *there = wbl_node_at(c->t->target, "uniques.0"), *u;
	struct wbl_out one = { 0 }, wanted = { 0 };
	struct wbl_doc *doc;

	wbl_out_open(&wanted, NULL, '[');
	for (u = wbl_node_at(c->t->source, "uniques.0"); u; u = u->next) {
		wbl_out_reset(&one);
		if (!data_names_there(c->t, u, &one))
			continue;
		wbl_out_json(&wanted, NULL, one.s);
		if (!has_list(there, one.s))
			tell(c, WBL_SEVERITY_WARNING, NULL, "unique", one.s, NULL);
	}
	wbl_out_close(&wanted, ']');
	doc = wbl_doc_parse(wanted.s, wanted.len, NULL);
	for (u = there; u; u = u->next) {
		list_json(u, &one);
		if (!has_list(wbl_node_at(wbl_doc_root(doc), "0"), one.s))
			tell(c, WBL_SEVERITY_WARNING, NULL, "unique", NULL, one.s);
	}
	wbl_doc_free(doc);
	wbl_out_clear(&one);
	wbl_out_clear(&wanted);
}

/* "[columns] -> table [columns]" of a reference of either side. */
static void reference_text(const struct wbl_node *f, struct wbl_out *o)
{
	struct wbl_out list = { 0 };

	wbl_out_reset(o);
	list_json(wbl_node_at(f, "columns"), &list);
	wbl_out_fmt(o, "%s to %s ", list.s, wbl_node_str(f, "to"));
	list_json(wbl_node_at(f, "to_columns"), &list);
	wbl_out_fmt(o, "%s", list.s);
	wbl_out_clear(&list);
}

static int has_reference(const struct wbl_node *list, const char *text)
{
	struct wbl_out o = { 0 };
	int found = 0;

	for (; list && !found; list = list->next) {
		reference_text(list, &o);
		found = !strcasecmp(o.s, text);
	}
	wbl_out_clear(&o);
	return found;
}

static void compare_references(struct comparing *c)
{
	const struct wbl_node *there = wbl_node_at(c->t->target, "foreign_keys.0"), *f, *wanted;
	struct wbl_out all = { 0 }, text = { 0 };
	struct wbl_doc *doc;

	wbl_out_open(&all, NULL, '{');
	add_references(c->m, c->t, &all);
	wbl_out_close(&all, '}');
	doc = wbl_doc_parse(all.s, all.len, NULL);
	wanted = wbl_node_at(wbl_doc_root(doc), "foreign_keys.0");
	for (f = wanted; f; f = f->next) {
		reference_text(f, &text);
		if (!has_reference(there, text.s))
			tell(c, WBL_SEVERITY_WARNING, NULL, "foreign key", text.s, NULL);
	}
	for (f = there; f; f = f->next) {
		reference_text(f, &text);
		if (!has_reference(wanted, text.s))
			tell(c, WBL_SEVERITY_WARNING, NULL, "foreign key", NULL, text.s);
	}
	wbl_doc_free(doc);
	wbl_out_clear(&all);
	wbl_out_clear(&text);
}

void data_shape_compare(
	const struct data_map *m, const struct data_table *t, data_shape_differs *each, void *arg)
{
	struct comparing c = { m, t, each, arg };

	for (size_t i = 0; i < t->ncols; i++)
		compare_column(&c, &t->cols[i]);
	compare_rest(&c);
	compare_key(&c);
	compare_uniques(&c);
	compare_references(&c);
}
