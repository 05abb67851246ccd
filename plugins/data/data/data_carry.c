/* data_carry.c - what of the source's own objects goes along with its tables, and what people have to make by hand.
 * In: the mapping and the source's description.  Out: yes or no for each view and trigger; indexes, rules and references in the target's
 * names; the rest told with its text.
 * SPDX-License-Identifier: Apache-2.0 */
#include "data_impl.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

enum { DEEPEST = 32 }; /* views upon views */

static int is_word(char c)
{
	return isalnum((unsigned char)c) || c == '_' || (unsigned char)c >= 0x80;
}

int data_names_word(const char *text, const char *word)
{
	size_t len = strlen(word);

	for (const char *at = text; text && *at; at++)
		if (!strncasecmp(at, word, len) && !is_word(at[len]) &&
			(at == text || !is_word(at[-1])))
			return 1;
	return 0;
}

const char *data_name_there(const struct data_table *t, const char *from)
{
	for (size_t i = 0; from && i < t->ncols; i++)
		if (t->cols[i].from && !strcasecmp(t->cols[i].from, from) && !t->cols[i].alter)
			return t->cols[i].name;
	return NULL;
}

int data_names_there(const struct data_table *t, const struct wbl_node *list, struct wbl_out *o)
{
	int all = 1;

	wbl_out_open(o, NULL, '[');
	for (const struct wbl_node *c = list ? list->child : NULL; c; c = c->next) {
		const char *name = data_name_there(t, c->text.s);

		all = all && name;
		wbl_out_text(o, NULL, name ? name : c->text.s);
	}
	wbl_out_close(o, ']');
	return all;
}

/* ---- views and triggers ---- */

/* The table with its own name and definition, so that a text about it holds in the target too. */
static int goes_as_it_is(const struct data_map *m, const char *set)
{
	for (size_t i = 0; i < m->ntables; i++)
		if (!strcasecmp(m->tables[i].from, set))
			return m->tables[i].definition != NULL;
	return 0;
}

static int goes(const struct data_map *m, const struct wbl_node *x, int depth)
{
	const struct wbl_node *root = wbl_doc_root(m->source), *set = wbl_node_at(root, "sets.0"),
			      *other = wbl_node_at(root, "others.0");
	const char *text = wbl_node_str(x, "definition"), *name = wbl_node_str(x, "name");
	int needs = 0;

	if (depth > DEEPEST)
		return 0;
	for (; set; set = set->next)
		if (data_names_word(text, wbl_node_str(set, "name"))) {
			if (!goes_as_it_is(m, wbl_node_str(set, "name")))
				return 0;
			needs++;
		}
	for (; other; other = other->next)
		if (!strcmp(wbl_node_str(other, "kind"), "view") &&
			strcasecmp(wbl_node_str(other, "name"), name) != 0 &&
			data_names_word(text, wbl_node_str(other, "name"))) {
			if (!goes(m, other, depth + 1))
				return 0;
			needs++;
		}
	return needs > 0;
}

int data_object_goes(const struct data_map *m, const struct wbl_node *x)
{
	return m->same_dialect && (m->whole || goes(m, x, 0));
}

/* ---- indexes ---- */

int data_index_goes(const struct data_map *m, const struct data_table *t, const struct wbl_node *ix,
	struct wbl_out *columns)
{
	wbl_out_reset(columns);
	if (t->indexes && t->indexes->count)
		return 0;
	return !wbl_node_bool(ix, "special", 0) &&
	       data_names_there(t, wbl_node_at(ix, "columns"), columns) &&
	       !data_holder(m->target, wbl_node_str(ix, "name"));
}

/* ---- references ---- */

static const struct data_table *target_of(const struct data_map *m, const char *set)
{
	for (size_t i = 0; i < m->ntables; i++)
		if (!strcasecmp(m->tables[i].from, set))
			return &m->tables[i];
	return NULL;
}

int data_reference_goes(const struct data_map *m, const struct data_table *t,
	const struct wbl_node *fk, struct wbl_out *o)
{
	const char *to = wbl_node_str(fk, "to");
	const struct data_table *there = to ? target_of(m, to) : NULL;
	const struct wbl_node *columns = wbl_node_at(fk, "to_columns");
	struct wbl_out here = { 0 }, led = { 0 };
	int all = there && data_names_there(t, wbl_node_at(fk, "columns"), &here) &&
		  data_names_there(there, columns, &led);

	/* Without columns it leads to the key, which must be the same one. */
	if (all && !columns->count)
		all = there->source && wbl_node_at(there->source, "key") &&
		      wbl_node_at(there->source, "key")->count == there->nkey;
	if (all) {
		wbl_out_reset(o);
		wbl_out_open(o, NULL, '{');
		wbl_out_json(o, "columns", here.s);
		wbl_out_text(o, "to", there->to);
		wbl_out_json(o, "to_columns", led.s);
		wbl_out_text(o, "on_update", wbl_node_str(fk, "on_update"));
		wbl_out_text(o, "on_delete", wbl_node_str(fk, "on_delete"));
		wbl_out_close(o, '}');
	}
	wbl_out_clear(&here);
	wbl_out_clear(&led);
	return all;
}

/* ---- by hand ---- */

struct telling {
	const struct data_map *m;
	data_by_hand *each;
	void *arg;
	int32_t rc;
};

static void tell(struct telling *w, const char *kind, const char *name, const char *of,
	const char *why, const char *text)
{
	if (!w->rc)
		w->rc = w->each(w->arg, kind, name, of, why, text);
}

static void tell_indexes(struct telling *w, const struct data_table *t)
{
	struct wbl_out columns = { 0 };

	for (const struct wbl_node *ix = wbl_node_at(t->source, "indexes.0"); ix; ix = ix->next) {
		const char *name = wbl_node_str(ix, "name"), *why;

		if (t->indexes == wbl_node_at(t->source, "indexes") ||
			data_index_goes(w->m, t, ix, &columns))
			continue;
		why = t->indexes && t->indexes->count ? "the mapping has indexes of its own"
		      : wbl_node_bool(ix, "special", 0)
			      ? "it has a condition, an expression, an order or a collation"
		      : data_holder(w->m->target, name) ? "the target has something by its name"
							: "not all of its columns go there";
		tell(w, "index", name, t->to, why, wbl_node_str(ix, "definition"));
	}
	wbl_out_clear(&columns);
}

static void tell_column(struct telling *w, const struct data_table *t, const struct wbl_node *c)
{
	const char *name = wbl_node_str(c, "name");
	int same = w->m->same_dialect;

	if (wbl_node_bool(c, "generated", 0)) {
		if (!same || !t->entire)
			tell(w, "generated column", name, t->to,
				same ? "the mapping names its columns"
				     : "the other system has another language",
				wbl_node_str(c, "expression"));
	} else if (!same && data_name_there(t, name)) {
		if (wbl_node_str(c, "default"))
			tell(w, "default of column", name, t->to,
				"the other system has another language",
				wbl_node_str(c, "default"));
		if (wbl_node_str(c, "collation"))
			tell(w, "collation of column", name, t->to,
				"the other system has other ones", wbl_node_str(c, "collation"));
	}
}

static void tell_rules(struct telling *w, const struct data_table *t)
{
	struct wbl_out o = { 0 }, list = { 0 };
	int own = t->foreign_keys && t->foreign_keys->count;

	for (const struct wbl_node *c = wbl_node_at(t->source, "checks.0"); c; c = c->next)
		if (!w->m->same_dialect || !t->entire)
			tell(w, "check", "", t->to, "its text is about the source's columns",
				c->text.s);
	for (const struct wbl_node *u = wbl_node_at(t->source, "uniques.0"); u; u = u->next) {
		wbl_out_reset(&o);
		wbl_out_reset(&list);
		if (data_names_there(t, u, &o))
			continue;
		for (const struct wbl_node *c = u->child; c; c = c->next)
			wbl_out_fmt(&list, "%s%s", c == u->child ? "" : ", ", c->text.s);
		tell(w, "unique", list.s, t->to, "not all of its columns go there", list.s);
	}
	for (const struct wbl_node *f = wbl_node_at(t->source, "foreign_keys.0"); f; f = f->next) {
		const char *to = wbl_node_str(f, "to");

		wbl_out_reset(&list);
		for (const struct wbl_node *c = wbl_node_at(f, "columns.0"); c; c = c->next)
			wbl_out_fmt(&list, "%s%s", *list.s ? ", " : "", c->text.s);
		if (!own && !data_reference_goes(w->m, t, f, &o))
			tell(w, "foreign key", to, t->to, "one of its ends does not go there",
				list.s);
	}
	wbl_out_clear(&o);
	wbl_out_clear(&list);
}

int32_t data_by_hand_tell(const struct data_map *m, data_by_hand *each, void *arg)
{
	struct telling w = { m, each, arg, WBL_OK };
	const struct wbl_node *root = wbl_doc_root(m->source);

	for (size_t i = 0; i < m->ntables && !w.rc; i++) {
		const struct data_table *t = &m->tables[i];

		if (t->definition)
			continue;
		for (const struct wbl_node *c = wbl_node_at(t->source, "columns.0"); c; c = c->next)
			tell_column(&w, t, c);
		tell_rules(&w, t);
		tell_indexes(&w, t);
	}
	for (const struct wbl_node *x = wbl_node_at(root, "others.0"); x; x = x->next)
		if (!data_object_goes(m, x))
			tell(&w, wbl_node_str(x, "kind"), wbl_node_str(x, "name"),
				wbl_node_str(x, "set"),
				m->same_dialect ? "not all that it names goes there as it is"
						: "the other system has another language",
				wbl_node_str(x, "definition"));
	for (const struct wbl_node *s = wbl_node_at(root, "sets.0"); s; s = s->next)
		if (!strcmp(wbl_node_str(s, "kind"), "virtual"))
			tell(&w, "virtual table", wbl_node_str(s, "name"), "",
				"it has no rows of its own", wbl_node_str(s, "definition"));
	return w.rc;
}
