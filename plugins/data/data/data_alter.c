/* data_alter.c - the options of columns and tables that change values: read, checked, and told to people.
 * In: `compute`, `generate`, `format`, `zone`, `map`, `lookup`, `default`, `mask` of a column; `filter`, `rest` of a table.
 * Out: struct data_alter and data_filters, or PARAM with the place in the options.  A new option is read here and carried out in
 * data_cell.c.
 * SPDX-License-Identifier: Apache-2.0 */
#include "data_alter.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

struct reading {
	struct data_ends *e;
	struct data_table *t;
	struct data_column *c;
	struct data_alter *a;
	const struct wbl_node *spec;
	const char *path;
};

static int32_t wrong(struct data_ends *e, const char *path, const char *option, const char *hint,
	const char *text, const char *name)
{
	struct wbl_out at = { 0 };
	int32_t rc;

	wbl_out_fmt(&at, "%s%s%s", path, option ? "." : "", option ? option : "");
	rc = wbl_error_report(
		e->call, WBL_E_PARAM, at.s, hint, name ? "%s \"%s\"" : "%s", text, name);
	wbl_out_clear(&at);
	return rc;
}

static int32_t no(struct reading *r, const char *option, const char *text, const char *name)
{
	return wrong(r->e, r->path, option, "docs/data.md says what the options of a column do.",
		text, name);
}

const struct data_names *data_table_names(struct data_table *t)
{
	const struct wbl_node *cols = wbl_node_at(t->source, "columns");
	struct data_filters *f;
	size_t n = 0;

	if (t->filters)
		return &t->filters->names;
	f = t->filters = wbl_sdk_alloc(sizeof *f);
	f->list = wbl_sdk_alloc(((cols ? cols->count : 0) + 1) * sizeof *f->list);
	f->types = wbl_sdk_alloc(((cols ? cols->count : 0) + 1) * sizeof *f->types);
	for (const struct wbl_node *c = cols ? cols->child : NULL; c; c = c->next) {
		const char *type = wbl_node_str(c, "type");

		f->list[n] = wbl_node_str(c, "name");
		f->types[n] = wbl_type_by_name(type ? type : "any");
		n++;
	}
	f->names = (struct data_names){ f->list, f->types, n, t->from };
	return &f->names;
}

static int32_t formula(struct data_ends *e, struct data_table *t, const char *text, int condition,
	const char *path, const char *option, struct data_formula *ret)
{
	const struct data_names *names = data_table_names(t);
	struct data_expr_error err;

	ret->expr = data_expr_new(text, names, condition, &err);
	if (!ret->expr)
		return wrong(e, path, option, *err.hint ? err.hint : NULL, err.text, NULL);
	ret->at = wbl_sdk_alloc((ret->expr->nused + 1) * sizeof *ret->at);
	return WBL_OK;
}

static void formula_free(struct data_formula *f)
{
	data_expr_free(f->expr);
	free(f->at);
}

/* A text of the options as a value of the type. */
static int32_t value_of(
	struct reading *r, const char *text, int32_t type, const char *option, struct wbl_rows *ret)
{
	struct wbl_rows in = { 0 };
	struct wbl_bytes at;
	struct wbl_cell c;
	const char *why = "";
	int bad;

	wbl_cell_text(&in, text, strlen(text));
	at = (struct wbl_bytes){ in.data, in.len };
	wbl_cell_next(&at, &c);
	bad = wbl_cell_cast(ret, &c, type, &why);
	wbl_rows_clear(&in);
	return bad ? no(r, option, why, text) : WBL_OK;
}

/* ---- compute, generate ---- */

static int32_t read_compute(struct reading *r)
{
	const char *text = wbl_node_str(r->spec, "compute");
	struct data_expr_error err;
	int32_t rc;

	if (!text)
		return WBL_OK;
	rc = formula(r->e, r->t, text, 0, r->path, "compute", &r->a->compute);
	if (rc || r->c->type != WBL_TYPE_ANY)
		return rc;
	if (r->a->compute.expr->gives == KIND_DECIMAL)
		r->c->type = WBL_TYPE_DECIMAL;
	else if (data_expr_untyped(r->a->compute.expr, &err))
		return wrong(r->e, r->path, "compute", err.hint, err.text, NULL);
	return WBL_OK;
}

static int32_t read_generate(struct reading *r)
{
	static const char *const kinds[] = { "", "sequence", "uuid", "hash" };
	const struct wbl_node *g = wbl_node_at(r->spec, "generate"), *of = wbl_node_at(g, "of");
	const char *kind = wbl_node_str(g, "kind"), *space = wbl_node_str(g, "namespace");
	struct data_alter *a = r->a;

	if (!g || g->kind != WBL_NODE_OBJECT)
		return WBL_OK;
	for (int i = 1; i < 4; i++)
		if (kind && !strcmp(kind, kinds[i]))
			a->generate = (enum data_generate)i;
	a->start = wbl_node_int(g, "start", 1);
	a->step = wbl_node_int(g, "step", 1);
	a->nof = of ? of->count : 0;
	a->of = wbl_sdk_alloc((a->nof + 1) * sizeof *a->of);
	if (a->generate == GENERATE_NONE)
		return no(r, "generate", "the kind is one of sequence, uuid, hash, not",
			kind ? kind : "");
	if (a->generate == GENERATE_SEQUENCE && !a->step)
		return no(r, "generate", "a sequence with a step of 0", NULL);
	if (a->generate == GENERATE_SEQUENCE && !wbl_node_str(r->t->source, "position"))
		return no(r, "generate",
			"rows of this table have no place that numbers could be made from:",
			r->t->from);
	if (a->generate != GENERATE_SEQUENCE && !a->nof)
		return no(r, "generate", "it is made from columns: name them by `of`", NULL);
	if (a->generate == GENERATE_UUID && (!space || data_uuid_read(space, a->space)))
		return no(
			r, "generate", "the namespace of UUIDs is a UUID, not", space ? space : "");
	if (r->c->type == WBL_TYPE_ANY)
		r->c->type = a->generate == GENERATE_SEQUENCE ? WBL_TYPE_INT
			     : a->generate == GENERATE_UUID   ? WBL_TYPE_UUID
							      : WBL_TYPE_TEXT;
	return WBL_OK;
}

/* ---- dates ---- */

static int32_t read_formats(struct reading *r)
{
	const struct wbl_node *list = wbl_node_at(r->spec, "format");
	struct data_alter *a = r->a;
	int output = r->c->type == WBL_TYPE_TEXT, zoned, all_zoned = 1;
	const char *why;

	a->formats = wbl_sdk_alloc(((list ? list->count : 0) + 1) * sizeof *a->formats);
	for (const struct wbl_node *n = list ? list->child : NULL; n; n = n->next) {
		why = data_format_check(n->text.s, output, &zoned);
		if (why)
			return no(r, "format", why, n->text.s);
		all_zoned &= zoned;
		a->formats[a->nformats++] = n->text.s;
	}
	a->show = output && a->nformats;
	if (a->show && a->nformats > 1)
		return no(r, "format", "a text is written in one format", NULL);
	if (a->nformats && !output && r->c->type != WBL_TYPE_DATE && r->c->type != WBL_TYPE_LOCAL &&
		r->c->type != WBL_TYPE_INSTANT)
		return no(r, "format",
			"a format goes with the types date, local, instant and text, not with",
			wbl_type_name(r->c->type));
	if (a->nformats && r->c->type == WBL_TYPE_INSTANT && !all_zoned &&
		!wbl_node_str(r->spec, "zone"))
		return no(r, "format",
			"a time of a format without %z needs a `zone` to become an instant", NULL);
	return WBL_OK;
}

static int32_t read_zone(struct reading *r)
{
	static const char *const ways[] = { "reject", "earlier", "later" };
	const char *zone = wbl_node_str(r->spec, "zone"),
		   *way = wbl_node_str(r->spec, "zone_change");

	for (int i = 0; way && i < 3; i++)
		if (!strcmp(way, ways[i]))
			r->a->change = (enum data_change)i;
	if (!zone)
		return WBL_OK;
	r->a->zone = data_zone_find(zone);
	if (!r->a->zone)
		return wrong(r->e, r->path, "zone",
			"Names are those of IANA, for example Europe/Berlin; they are read from "
			"/usr/share/zoneinfo (package tzdata).",
			"no time zone is known here as", zone);
	if (r->c->type != WBL_TYPE_INSTANT && r->c->type != WBL_TYPE_LOCAL && !r->a->show)
		return no(r, "zone",
			"a zone goes with the types instant and local, or with a text and its "
			"format, not with",
			wbl_type_name(r->c->type));
	return WBL_OK;
}

/* ---- map, lookup, default ---- */

static int by_from(const void *a, const void *b)
{
	const struct data_pair *x = a, *y = b;

	return strcmp(x->from, y->from);
}

static int32_t otherwise_of(struct reading *r, const char *option, const char *word, int keep,
	int32_t type, enum data_otherwise *ret, struct wbl_rows *value)
{
	*ret = OTHERWISE_REJECT;
	if (!word || !strcmp(word, "reject"))
		return WBL_OK;
	if (!strcmp(word, "null"))
		*ret = OTHERWISE_NULL;
	else if (keep && !strcmp(word, "keep"))
		*ret = OTHERWISE_KEEP;
	else
		*ret = OTHERWISE_VALUE;
	return *ret == OTHERWISE_VALUE ? value_of(r, word, type, option, value) : WBL_OK;
}

static int32_t read_map(struct reading *r)
{
	const struct wbl_node *list = wbl_node_at(r->spec, "map");
	struct data_alter *a = r->a;
	/* What is looked up afterwards is a key, and not yet of the column's type. */
	int32_t type = a->lookup ? WBL_TYPE_ANY : r->c->type, rc = WBL_OK;

	if (!list || !list->count)
		return wbl_node_str(r->spec, "otherwise")
			       ? no(r, "otherwise", "`otherwise` goes with `map`", NULL)
			       : WBL_OK;
	a->pairs = wbl_sdk_alloc(list->count * sizeof *a->pairs);
	for (const struct wbl_node *n = list->child; !rc && n; n = n->next) {
		const char *from = wbl_node_str(n, "from"), *to = wbl_node_str(n, "to");
		struct data_pair *p = &a->pairs[a->npairs];

		if (!from)
			return no(r, "map", "a pair without `from`", NULL);
		a->npairs++;
		p->from = wbl_sdk_strdup(from);
		if (to)
			rc = value_of(r, to, type, "map", &p->to);
		else
			wbl_cell_null(&p->to);
	}
	if (a->npairs)
		qsort(a->pairs, a->npairs, sizeof *a->pairs, by_from);
	for (size_t i = 1; !rc && i < a->npairs; i++)
		if (!strcmp(a->pairs[i].from, a->pairs[i - 1].from))
			rc = no(r, "map", "two pairs begin with", a->pairs[i].from);
	return rc ? rc
		  : otherwise_of(r, "otherwise", wbl_node_str(r->spec, "otherwise"), 1, type,
			    &a->otherwise, &a->other);
}

static int32_t read_lookup(struct reading *r)
{
	const struct wbl_node *l = wbl_node_at(r->spec, "lookup");
	struct wbl_out path = { 0 };
	int32_t rc;

	if (!l || l->kind != WBL_NODE_OBJECT)
		return WBL_OK;
	wbl_out_fmt(&path, "%s.lookup", r->path);
	r->a->lookup = path.s;
	rc = data_lookup_check(r->e, path.s);
	return rc ? rc
		  : otherwise_of(r, "lookup.missing", wbl_node_str(l, "missing"), 0, r->c->type,
			    &r->a->missing, &r->a->none);
}

static int32_t read_default(struct reading *r)
{
	const char *text = wbl_node_str(r->spec, "default");

	return text ? value_of(r, text, r->c->type, "default", &r->a->fallback) : WBL_OK;
}

/* ---- mask ---- */

static const struct {
	const char *name;
	int keyed;
	const char *says;
} mask_ways[] = { { "", 0, "" }, { "null", 0, "masked (null): none of it is taken" },
	{ "fixed", 0, "masked (fixed): one value stands for all" },
	{ "hash", 1, "masked (hash): a keyed digest of it is taken" },
	{ "partial", 0, "masked (partial): only the last characters are taken" },
	{ "email", 1, "masked (email): a keyed digest of the name, and the domain, are taken" },
	{ "shift", 1, "masked (shift): the date is moved by a number of days" } };

static int32_t mask_type(struct reading *r)
{
	int32_t type = r->c->type;

	switch (r->a->mask) {
	case MASK_HASH:
		if (type == WBL_TYPE_ANY)
			r->c->type = WBL_TYPE_TEXT;
		return type == WBL_TYPE_ANY || type == WBL_TYPE_TEXT || type == WBL_TYPE_INT ||
				       type == WBL_TYPE_UUID || type == WBL_TYPE_BYTES
			       ? WBL_OK
			       : no(r, "mask",
					 "hash goes with the types text, int, uuid and bytes, not "
					 "with",
					 wbl_type_name(type));
	case MASK_PARTIAL:
	case MASK_EMAIL:
		if (type == WBL_TYPE_ANY)
			r->c->type = WBL_TYPE_TEXT;
		return type == WBL_TYPE_ANY || type == WBL_TYPE_TEXT
			       ? WBL_OK
			       : no(r, "mask", "it goes with the type text, not with",
					 wbl_type_name(type));
	case MASK_SHIFT:
		return type == WBL_TYPE_DATE || type == WBL_TYPE_LOCAL || type == WBL_TYPE_INSTANT
			       ? WBL_OK
			       : no(r, "mask",
					 "shift goes with the types date, local and instant, not "
					 "with",
					 wbl_type_name(type));
	default:
		return WBL_OK;
	}
}

static int32_t read_mask(struct reading *r)
{
	const struct wbl_node *m = wbl_node_at(r->spec, "mask");
	const char *way = wbl_node_str(m, "how"), *value = wbl_node_str(m, "value");
	struct wbl_out path = { 0 };
	struct data_alter *a = r->a;

	if (!m || m->kind != WBL_NODE_OBJECT)
		return WBL_OK;
	for (int i = 1; i < (int)(sizeof mask_ways / sizeof *mask_ways); i++)
		if (way && !strcmp(way, mask_ways[i].name))
			a->mask = (enum data_mask)i;
	if (a->mask == MASK_NONE)
		return no(r, "mask",
			"the way is one of null, fixed, hash, partial, email, shift, not",
			way ? way : "");
	wbl_out_fmt(&path, "%s.mask", r->path);
	a->mask_path = path.s;
	a->keep = wbl_node_int(m, "keep", 0);
	a->days = wbl_node_int(m, "days", 180);
	a->by = -1;
	if (a->keep < 0 || a->days < 1 || a->days > 36500)
		return no(r, "mask", "keep is at least 0, and days from 1 to 36500", NULL);
	if (mask_ways[a->mask].keyed && !wbl_node_at(m, "key"))
		return no(r, "mask", "it needs a secret `key`:", way);
	if (a->mask == MASK_FIXED && !value)
		return no(r, "mask", "fixed needs a `value`", NULL);
	if (a->mask == MASK_NULL && r->c->not_null)
		return no(r, "mask", "a column that is never NULL cannot be masked as", "null");
	if (a->mask == MASK_FIXED)
		return value_of(r, value, r->c->type, "mask", &a->fixed);
	return mask_type(r);
}

/* ---- a column ---- */

static int any_of(const struct wbl_node *spec)
{
	static const char *const options[] = { "compute", "generate", "format", "zone", "map",
		"otherwise", "lookup", "default", "mask" };

	for (size_t i = 0; i < sizeof options / sizeof *options; i++) {
		const struct wbl_node *n = wbl_node_at(spec, options[i]);

		if (n && n->kind != WBL_NODE_NULL && (n->kind != WBL_NODE_ARRAY || n->count))
			return 1;
	}
	return 0;
}

int32_t data_alter_read(struct data_ends *e, struct data_table *t, size_t column,
	const struct wbl_node *spec, const char *path)
{
	struct reading r = { e, t, &t->cols[column], NULL, spec, path };
	int32_t rc;

	if (!any_of(spec))
		return WBL_OK;
	r.a = r.c->alter = wbl_sdk_alloc(sizeof *r.a);
	r.a->spec = spec;
	r.a->by = -1;
	rc = read_compute(&r);
	rc = rc ? rc : read_generate(&r);
	rc = rc ? rc : read_formats(&r);
	rc = rc ? rc : read_zone(&r);
	rc = rc ? rc : read_lookup(&r);
	rc = rc ? rc : read_map(&r);
	rc = rc ? rc : read_default(&r);
	return rc ? rc : read_mask(&r);
}

int data_alter_makes(const struct data_column *c)
{
	return c->alter && (c->alter->compute.expr || c->alter->generate);
}

static void alter_free(struct data_alter *a)
{
	if (!a)
		return;
	formula_free(&a->compute);
	for (size_t i = 0; i < a->npairs; i++) {
		free(a->pairs[i].from);
		wbl_rows_clear(&a->pairs[i].to);
	}
	free(a->pairs);
	free(a->of);
	free(a->formats);
	free(a->lookup);
	free(a->mask_path);
	wbl_rows_clear(&a->other);
	wbl_rows_clear(&a->none);
	wbl_rows_clear(&a->fallback);
	wbl_rows_clear(&a->fixed);
	free(a);
}

void data_alter_free(struct data_table *t)
{
	struct data_filters *f = t->filters;

	for (size_t i = 0; i < t->ncols; i++)
		alter_free(t->cols[i].alter);
	free(t->veiled);
	if (!f)
		return;
	formula_free(&f->own);
	for (size_t i = 0; i < f->nothers; i++)
		formula_free(&f->others[i]);
	free(f->others);
	free(f->list);
	free(f->types);
	free(f);
	t->filters = NULL;
}

/* ---- filter, rest ---- */

static int same_source(struct data_table *t, const struct wbl_node *entry, const char *first)
{
	const char *from = wbl_node_str(entry, "from");
	const struct wbl_node *all = wbl_node_at(entry, "from_all");

	for (const struct wbl_node *n = all ? all->child : NULL; n; n = n->next)
		if (!strcasecmp(n->text.s, t->from))
			return 1;
	return (!all || !all->count) &&
	       (from ? !strcasecmp(from, t->from) : first && !strcasecmp(first, t->from));
}

static int32_t read_rest(
	struct data_ends *e, struct data_table *t, const struct wbl_node *spec, const char *path)
{
	const struct wbl_node *tables = wbl_param_json(e->call, "tables"), *set = t->source;
	struct data_filters *f = t->filters;
	const char *hint = "Rows that are left over are those which no `filter` of the same source "
			   "takes.",
		   *text;
	int32_t rc = WBL_OK;

	if (!f || !f->own.expr)
		return wrong(e, path, "rest", hint, "`rest` needs a `filter`", NULL);
	f->others = wbl_sdk_alloc((tables ? tables->count : 0) * sizeof *f->others + 1);
	for (const struct wbl_node *n = tables ? tables->child : NULL; !rc && n; n = n->next) {
		if (n == spec || !same_source(t, n, wbl_node_str(set, "name")))
			continue;
		text = wbl_node_str(n, "filter");
		if (!text || wbl_node_str(n, "where"))
			return wrong(e, path, "rest", hint,
				text ? "another entry of this source has a `where`, which only the "
				       "source can judge:"
				     : "another entry of this source has no `filter` and takes "
				       "every row:",
				wbl_node_str(n, "to"));
		if (wbl_node_str(n, "rest"))
			return wrong(e, path, "rest", hint,
				"only one entry of a source says `rest`", NULL);
		rc = formula(e, t, text, 1, path, "rest", &f->others[f->nothers]);
		f->nothers += !rc;
	}
	return rc;
}

int32_t data_filter_read(
	struct data_ends *e, struct data_table *t, const struct wbl_node *spec, const char *path)
{
	const char *text = wbl_node_str(spec, "filter"), *rest = wbl_node_str(spec, "rest");
	int32_t rc = WBL_OK;

	if (text) {
		data_table_names(t);
		rc = formula(e, t, text, 1, path, "filter", &t->filters->own);
	}
	if (rc || !rest)
		return rc;
	if (t->where && *t->where)
		return wrong(e, path, "rest", "Say it by `filter`.",
			"`rest` cannot see the rows that `where` leaves out", NULL);
	rc = read_rest(e, t, spec, path);
	if (!rc)
		t->filters->rest = !strcmp(rest, "reject") ? REST_REJECT : REST_DROP;
	return rc;
}

/* ---- what is asked of the source ---- */

size_t data_alter_room(const struct data_table *t)
{
	const struct wbl_node *cols = wbl_node_at(t->source, "columns");

	return cols ? cols->count : 0;
}

static int place(struct data_table *t, const char *name)
{
	for (size_t i = 0; i < t->nscan; i++)
		if (!strcasecmp(t->scan[i], name))
			return (int)i;
	t->scan[t->nscan] = name;
	return (int)t->nscan++;
}

static void ask_formula(struct data_table *t, struct data_formula *f)
{
	for (size_t i = 0; f->expr && i < f->expr->nused; i++)
		f->at[i] = place(t, f->expr->names.names[f->expr->used[i]]);
}

/* One of the source's columns by the name in the options: the store's own spelling. */
static int32_t ask_column(
	struct data_ends *e, struct data_table *t, const char *name, const char *path, int *ret)
{
	const struct data_names *names = data_table_names(t);
	const char *near;
	struct wbl_out text = { 0 };
	int32_t rc;

	for (size_t i = 0; i < names->n; i++)
		if (!strcasecmp(names->names[i], name)) {
			*ret = place(t, names->names[i]);
			return WBL_OK;
		}
	near = data_name_near(name, names->names, names->n);
	wbl_out_fmt(&text, "the source has no column \"%s\"%s%s%s", name, near ? "; is it \"" : "",
		near ? near : "", near ? "\"" : "");
	rc = wrong(
		e, path, NULL, "Compare the mapping with the columns of the source.", text.s, NULL);
	wbl_out_clear(&text);
	return rc;
}

static int32_t ask_alter(
	struct data_ends *e, struct data_table *t, struct data_alter *a, const char *path)
{
	const struct wbl_node *of = wbl_node_at(a->spec, "generate.of");
	const char *by = wbl_node_str(a->spec, "mask.by");
	int32_t rc = WBL_OK;
	size_t n = 0;

	ask_formula(t, &a->compute);
	for (const struct wbl_node *c = of && a->nof ? of->child : NULL; !rc && c; c = c->next)
		rc = ask_column(e, t, c->text.s, path, &a->of[n++]);
	if (!rc && by && a->mask == MASK_SHIFT)
		rc = ask_column(e, t, by, path, &a->by);
	return rc;
}

static int reads_veiled(const struct data_table *t, const struct data_column *c)
{
	const struct data_alter *a = c->alter;

	if (c->at >= 0 && t->veiled[c->at])
		return 1;
	for (size_t i = 0; a && a->compute.expr && i < a->compute.expr->nused; i++)
		if (t->veiled[a->compute.at[i]])
			return 1;
	for (size_t i = 0; a && i < a->nof; i++)
		if (t->veiled[a->of[i]])
			return 1;
	return 0;
}

/* What is masked in one column is not to be read in a message about another. */
static void veil(struct data_table *t)
{
	t->veiled = wbl_sdk_alloc(t->nscan + 2);
	for (size_t i = 0; i < t->ncols; i++) {
		const struct data_column *c = &t->cols[i];
		const struct data_alter *a = c->alter;

		if (!a || !a->mask)
			continue;
		if (c->at >= 0) {
			t->veiled[c->at] = 1;
			if (c->from)
				t->veiled[place(t, c->from)] = 1;
		}
		for (size_t k = 0; a->compute.expr && k < a->compute.expr->nused; k++)
			t->veiled[a->compute.at[k]] = 1;
	}
	for (size_t i = 0; i < t->nscan; i++)
		for (size_t k = 0; k < t->nscan; k++)
			if (t->veiled[k] && !strcasecmp(t->scan[i], t->scan[k]))
				t->veiled[i] = 1;
	for (size_t i = 0; i < t->ncols; i++)
		t->cols[i].veiled = (t->cols[i].alter && t->cols[i].alter->mask) ||
				    reads_veiled(t, &t->cols[i]);
}

int32_t data_alter_ask(struct data_ends *e, struct data_table *t, const char *path)
{
	struct wbl_out at = { 0 };
	int32_t rc = WBL_OK;
	int any = t->filters != NULL;

	for (size_t i = 0; !rc && i < t->ncols; i++) {
		if (!t->cols[i].alter)
			continue;
		any = 1;
		wbl_out_reset(&at);
		wbl_out_fmt(&at, "%s.columns.%zu", path, i);
		rc = ask_alter(e, t, t->cols[i].alter, at.s);
	}
	wbl_out_clear(&at);
	if (t->filters) {
		ask_formula(t, &t->filters->own);
		for (size_t i = 0; i < t->filters->nothers; i++)
			ask_formula(t, &t->filters->others[i]);
	}
	if (any)
		t->straight = 0;
	if (!rc && any)
		veil(t);
	return rc;
}

/* ---- for people ---- */

static void tell_alter(const struct data_alter *a, struct wbl_out *o)
{
	const char *zone = wbl_node_str(a->spec, "zone");

	if (a->compute.expr)
		wbl_out_fmt(o, " computed: %s", wbl_node_str(a->spec, "compute"));
	if (a->generate)
		wbl_out_fmt(o, " generated (%s)", wbl_node_str(a->spec, "generate.kind"));
	if (a->nformats)
		wbl_out_fmt(o, "%s %s%s", a->show ? " written as" : " read as", a->formats[0],
			a->nformats > 1 ? ", ..." : "");
	if (zone)
		wbl_out_fmt(o, " in %s", zone);
	if (a->npairs)
		wbl_out_fmt(o, " mapped (%zu values)", a->npairs);
	if (a->lookup)
		wbl_out_fmt(o, " looked up in %s",
			wbl_node_str(a->spec, "lookup.table")
				? wbl_node_str(a->spec, "lookup.table")
				: "a file");
	if (a->fallback.len)
		wbl_out_fmt(o, " default %s", wbl_node_str(a->spec, "default"));
	if (a->mask)
		wbl_out_fmt(o, " masked (%s)", mask_ways[a->mask].name);
}

void data_alter_tell(const struct data_table *t, struct wbl_out *o)
{
	for (size_t i = 0; i < t->ncols; i++) {
		const struct data_column *c = &t->cols[i];

		wbl_out_fmt(o, "%s%s:", i ? "; " : "", c->name);
		if (c->from)
			wbl_out_fmt(o, " from %s", c->from);
		if (c->expr)
			wbl_out_fmt(o, " = %s", c->expr);
		if (c->constant.len)
			wbl_out_fmt(o, " a constant");
		if (c->alter)
			tell_alter(c->alter, o);
		if (c->type != WBL_TYPE_ANY)
			wbl_out_fmt(o, " (%s)", wbl_type_name(c->type));
	}
	if (t->filters && t->filters->own.expr)
		wbl_out_fmt(o, "; rows where %s", t->filters->own.expr->text);
}

static int32_t observe(struct data_ends *e, const char *kind, const char *name, const char *value,
	const char *meaning)
{
	struct wbl_out key = { 0 };
	int32_t rc;

	wbl_out_fmt(&key, "%s:%s", kind, name);
	rc = wbl_plan_observe(e->call, WBL_RULE_EQUAL, 0, key.s, value, meaning);
	wbl_out_clear(&key);
	return rc;
}

static int32_t plan_lookup(
	struct data_ends *e, const struct data_table *t, const struct data_column *c)
{
	struct data_lookup *l;
	struct wbl_out name = { 0 }, meaning = { 0 };
	int32_t rc = data_lookup_open(e, c->alter->lookup, c->veiled, &l);

	if (rc)
		return rc;
	wbl_out_fmt(&name, "%s.%s", t->to, c->name);
	wbl_out_fmt(&meaning, "the table that %s.%s is looked up in", t->to, c->name);
	rc = observe(e, "lookup", name.s, data_lookup_digest(l), meaning.s);
	data_lookup_close(l);
	wbl_out_clear(&name);
	wbl_out_clear(&meaning);
	return rc;
}

static int32_t plan_mask(
	struct data_ends *e, const struct data_table *t, const struct data_column *c)
{
	const struct data_alter *a = c->alter;
	struct wbl_out what = { 0 };
	uint8_t key[MASK_KEY];
	int32_t rc = mask_ways[a->mask].keyed ? data_mask_key(e->call, a->mask_path, key) : WBL_OK;

	sodium_memzero(key, sizeof key);
	wbl_out_fmt(&what, "values of %s.%s", t->to, c->name);
	if (!rc && !t->part)
		rc = wbl_plan_omit(e->call, what.s, 0, mask_ways[a->mask].says);
	wbl_out_clear(&what);
	return rc;
}

static int32_t plan_column(
	struct data_ends *e, const struct data_table *t, const struct data_column *c)
{
	const struct data_alter *a = c->alter;
	struct wbl_out what = { 0 };
	char hex[33];
	int32_t rc = WBL_OK;

	wbl_out_fmt(&what, "%s.%s", t->to, c->name);
	if (a->lookup && !t->part)
		rc = plan_lookup(e, t, c);
	if (!rc && a->zone && !t->part) {
		data_zone_digest(a->zone, hex);
		rc = observe(e, "zone", what.s, hex, "the rules of the time zone");
	}
	wbl_out_clear(&what);
	return !rc && a->mask ? plan_mask(e, t, c) : rc;
}

static int32_t try_formula(
	struct data_ends *e, struct data_eval *v, const struct data_formula *f, const char *where)
{
	struct data_expr_error err;
	sqlite3_stmt *st;

	if (!f->expr)
		return WBL_OK;
	st = data_eval_prepare(v, f->expr, &err);
	if (!st)
		return wbl_error_report(e->call, WBL_E_PARAM, where, err.hint, "%s", err.text);
	sqlite3_finalize(st);
	return WBL_OK;
}

/* SQLite itself has a last word, before anything is begun. */
static int32_t try_all(struct data_ends *e, const struct data_table *t)
{
	struct data_eval *v = data_eval_new();
	int32_t rc = v ? WBL_OK
		       : wbl_error_report(e->call, WBL_E_RESOURCES, NULL, NULL,
				 "the evaluator of expressions cannot be opened");

	for (size_t i = 0; !rc && i < t->ncols; i++)
		if (t->cols[i].alter)
			rc = try_formula(e, v, &t->cols[i].alter->compute, t->cols[i].name);
	if (!rc && t->filters)
		rc = try_formula(e, v, &t->filters->own, t->to);
	data_eval_free(v);
	return rc;
}

int32_t data_alter_plan(struct data_ends *e, struct data_table *t)
{
	struct wbl_out text = { 0 }, why = { 0 };
	char hex[33];
	int any = t->filters != NULL;
	int32_t rc = WBL_OK;

	for (size_t i = 0; i < t->ncols; i++)
		any |= t->cols[i].alter != NULL;
	if (!any)
		return WBL_OK;
	rc = try_all(e, t);
	for (size_t i = 0; !rc && i < t->ncols; i++)
		if (t->cols[i].alter)
			rc = plan_column(e, t, &t->cols[i]);
	if (!rc && t->filters && t->filters->own.expr && !t->part) {
		wbl_out_fmt(&text, "rows of %s", t->from);
		wbl_out_fmt(
			&why, "table %s takes those where %s", t->to, t->filters->own.expr->text);
		rc = wbl_plan_omit(e->call, text.s, 0, why.s);
		wbl_out_reset(&text);
	}
	data_alter_tell(t, &text);
	wbl_digest_hex(text.s, text.len, hex);
	wbl_out_reset(&why);
	wbl_out_fmt(&why, "what becomes of the columns of %s: %s", t->to, text.s);
	if (!rc && !t->part)
		rc = observe(e, "mapping", t->to, hex, why.s);
	wbl_out_clear(&text);
	wbl_out_clear(&why);
	return rc;
}
