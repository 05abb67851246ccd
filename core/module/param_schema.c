/* module/param_schema.c - reads the parameter schema of a manifest, and refuses schemas that make no sense.
 * In: the JSON of `params` lists.  Out: struct wbl_param trees.
 * A new type: enum wbl_param_type, the table `types` here, check_value() in params.c, docs/manifest.md.
 * SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "core/module/param_schema.h"

#include <regex.h>
#include <stdlib.h>
#include <string.h>

#include "core/module/conf_json.h"
#include "core/module/params.h"

#define PATTERN_MAX 512
#define REPEAT_MAX 1000

enum { BOUNDS = 1, PATTERN = 2, SECRET = 4, DEFAULT = 8 };

static const struct {
	const char *name;
	unsigned may;     /* which settings make sense */
	const char *must; /* the setting that it cannot do without */
} types[] = {
	[WBL_PARAM_STRING] = { "string", BOUNDS | PATTERN | SECRET | DEFAULT, NULL },
	[WBL_PARAM_INT] = { "int", BOUNDS | DEFAULT, NULL },
	[WBL_PARAM_FLOAT] = { "float", BOUNDS | DEFAULT, NULL },
	[WBL_PARAM_BOOL] = { "bool", DEFAULT, NULL },
	[WBL_PARAM_ENUM] = { "enum", DEFAULT, "values" },
	[WBL_PARAM_SIZE] = { "size", BOUNDS | DEFAULT, NULL },
	[WBL_PARAM_DURATION] = { "duration", BOUNDS | DEFAULT, NULL },
	[WBL_PARAM_PATH] = { "path", PATTERN | DEFAULT, NULL },
	[WBL_PARAM_URL] = { "url", PATTERN | SECRET | DEFAULT, NULL },
	[WBL_PARAM_SECRET] = { "secret", SECRET, NULL },
	[WBL_PARAM_LIST] = { "list", BOUNDS | DEFAULT, "items" },
	[WBL_PARAM_GROUP] = { "group", DEFAULT, "params" },
	[WBL_PARAM_MAP] = { "map", BOUNDS | DEFAULT, "items" },
	[WBL_PARAM_PEER] = { "peer", 0, "interface" },
};
static const struct wbl_conf_key keys[] = {
	{ "name", WBL_CONF_TEXT, false },
	{ "type", WBL_CONF_TEXT, true },
	{ "required", WBL_CONF_BOOL, false },
	{ "secret", WBL_CONF_BOOL, false },
	{ "description", WBL_CONF_TEXT, false },
	{ "example", WBL_CONF_ANY, false },
	{ "deprecated", WBL_CONF_TEXT, false },
	{ "pattern", WBL_CONF_TEXT, false },
	{ "since", WBL_CONF_TEXT, false },
	{ "default", WBL_CONF_ANY, false },
	{ "min", WBL_CONF_ANY, false },
	{ "max", WBL_CONF_ANY, false },
	{ "values", WBL_CONF_TEXTS, false },
	{ "interface", WBL_CONF_TEXT, false },
	{ "items", WBL_CONF_GROUP, false },
	{ "params", WBL_CONF_GROUPS, false },
	{ NULL, WBL_CONF_ANY, false },
};

const char *wbl_param_type_name(enum wbl_param_type type)
{
	return (size_t)type < WBL_COUNT(types) ? types[type].name : "unknown";
}

static void *keep(struct wbl_schema *s, size_t n)
{
	s->blocks = wbl_grow(s->blocks, s->nblocks, sizeof *s->blocks);
	return s->blocks[s->nblocks++] = wbl_alloc(n);
}

static json_t *keep_value(struct wbl_schema *s, json_t *j)
{
	if (!s->values)
		s->values = json_array();
	json_array_append_new(s->values, j);
	return j;
}

const char **wbl_schema_texts(struct wbl_schema *s, const json_t *list)
{
	const char **texts = keep(s, (json_array_size(list) + 1) * sizeof *texts);
	size_t i;

	for (i = 0; i < json_array_size(list); i++)
		texts[i] = json_string_value(json_array_get(list, i));
	return texts;
}

void wbl_schema_clear(struct wbl_schema *s)
{
	size_t i;

	for (i = 0; i < s->nblocks; i++)
		free(s->blocks[i]);
	free(s->blocks);
	json_decref(s->values);
	*s = (struct wbl_schema){ 0 };
}

/* One parameter while it is read. */
struct reading {
	struct wbl_schema *s;
	const json_t *j;
	const char *path;
	struct wbl_param *p;
	struct wbl_error *err;
};

static int32_t refuse(const struct reading *r, const char *key, const char *hint, const char *fmt,
	...) __attribute__((format(printf, 4, 5)));

static int32_t refuse(
	const struct reading *r, const char *key, const char *hint, const char *fmt, ...)
{
	WBL_AUTOFREE char *path = wbl_strf("%s.%s", r->path, key), *text = NULL;
	va_list ap;

	va_start(ap, fmt);
	if (vasprintf(&text, fmt, ap) < 0)
		text = NULL;
	va_end(ap);
	return wbl_conf_fail(r->s->conf, json_object_get(r->j, key) ? path : r->path, hint, r->err,
		"%s", text ? text : fmt);
}

static int32_t read_type(const struct reading *r)
{
	const char *name = wbl_json_str(r->j, "type"), *known[WBL_COUNT(types) + 1] = { NULL };
	char hint[400];
	size_t i;

	for (i = 0; i < WBL_COUNT(types); i++) {
		known[i] = types[i].name;
		if (!strcmp(types[i].name, name)) {
			r->p->type = (enum wbl_param_type)i;
			return 0;
		}
	}
	return refuse(r, "type", wbl_suggest(name, known, hint), "\"%s\" is not a type", name);
}

/* Settings that this type does not have are refused: they would promise a check that is never made. */
static int32_t check_settings(const struct reading *r)
{
	static const struct {
		const char *key;
		unsigned bit;
	} optional[] = { { "min", BOUNDS }, { "max", BOUNDS }, { "pattern", PATTERN },
		{ "secret", SECRET }, { "default", DEFAULT } };
	static const char *const owned[] = { "values", "items", "params", "interface" };
	const char *must = types[r->p->type].must, *type = types[r->p->type].name;
	size_t i;

	for (i = 0; i < WBL_COUNT(optional); i++)
		if (json_object_get(r->j, optional[i].key) &&
			!(types[r->p->type].may & optional[i].bit))
			return refuse(r, optional[i].key, "Take it away, or choose another type.",
				"a parameter of type %s has no \"%s\"", type, optional[i].key);
	for (i = 0; i < WBL_COUNT(owned); i++)
		if (json_object_get(r->j, owned[i]) && !(must && !strcmp(must, owned[i])))
			return refuse(r, owned[i], "Take it away, or choose another type.",
				"a parameter of type %s has no \"%s\"", type, owned[i]);
	if (must && !json_object_get(r->j, must))
		return refuse(r, must, "docs/manifest.md lists what each type needs.",
			"a parameter of type %s needs \"%s\"", type, must);
	return 0;
}

static int32_t read_bound(const struct reading *r, const char *key, bool *ret_has, int64_t *ret)
{
	const json_t *j = json_object_get(r->j, key);
	const char *text = json_string_value(j);
	char what[96];
	uint64_t n;
	bool ok = json_is_integer(j);

	if (!j)
		return 0;
	*ret = json_integer_value(j);
	if (r->p->type == WBL_PARAM_DURATION) {
		if (ok)
			ok = !__builtin_mul_overflow(*ret, INT64_C(1000000000), ret);
		else
			ok = text && wbl_duration_parse(text, ret);
	} else if (r->p->type == WBL_PARAM_SIZE && text) {
		ok = wbl_size_parse(text, &n) && n <= INT64_MAX;
		*ret = ok ? (int64_t)n : 0;
	}
	*ret_has = ok;
	return ok ? 0
		  : refuse(r, key,
			    "Write a whole number; for sizes and durations also \"64M\" or \"2h\".",
			    "expected a bound of type %s, found %s", types[r->p->type].name,
			    wbl_json_what(j, what));
}

static int32_t read_bounds(const struct reading *r)
{
	struct wbl_param *p = r->p;
	int32_t rc = read_bound(r, "min", &p->has_min, &p->min);

	if (!rc)
		rc = read_bound(r, "max", &p->has_max, &p->max);
	if (!rc && p->has_min && p->has_max && p->min > p->max)
		return refuse(r, "max", "Exchange them.", "\"max\" is smaller than \"min\"");
	return rc;
}

/* The C library unrolls (a{1000}){1000} in memory, and needs exponential time for back-references. */
static bool is_tame(const char *pattern)
{
	unsigned long long product = 1, n, m;
	char *end;

	for (; *pattern; pattern++) {
		if (*pattern == '\\' && pattern[1] >= '0' && pattern[1] <= '9')
			return false;
		if (*pattern != '{')
			continue;
		n = strtoull(pattern + 1, &end, 10);
		m = *end == ',' ? strtoull(end + 1, &end, 10) : 0;
		n = n > m ? n : m;
		if (n > REPEAT_MAX)
			return false;
		product *= n ? n : 1;
		if (product > REPEAT_MAX)
			return false;
	}
	return true;
}

static int32_t read_pattern(const struct reading *r)
{
	char why[128];
	regex_t re;
	int bad;

	r->p->pattern = wbl_json_str(r->j, "pattern");
	if (!r->p->pattern)
		return 0;
	if (strlen(r->p->pattern) > PATTERN_MAX)
		return refuse(r, "pattern", "Make it simpler.",
			"the pattern is longer than %d characters", PATTERN_MAX);
	if (!is_tame(r->p->pattern))
		return refuse(r, "pattern", "Make it simpler.",
			"the pattern repeats more than %d times, or has a back-reference",
			REPEAT_MAX);
	bad = regcomp(&re, r->p->pattern, REG_EXTENDED | REG_NOSUB);
	if (!bad) {
		regfree(&re);
		return 0;
	}
	regerror(bad, &re, why, sizeof why);
	return refuse(r, "pattern", "Write a POSIX extended regular expression.",
		"the pattern cannot be read: %s", why);
}

static int32_t read_values(const struct reading *r)
{
	const json_t *list = json_object_get(r->j, "values");

	if (!list)
		return 0;
	if (!json_array_size(list))
		return refuse(
			r, "values", "Write values = ( \"a\", \"b\" );", "there are no values");
	r->p->values = wbl_schema_texts(r->s, list);
	return 0;
}

static int32_t read_interface(const struct reading *r)
{
	static const char *const known[] = { "wbl.store/1", "wbl.router/1", "wbl.transform/1",
		NULL };
	const char *const *k;
	char hint[400];

	r->p->interface = wbl_json_str(r->j, "interface");
	if (!r->p->interface)
		return 0;
	for (k = known; *k; k++)
		if (!strcmp(*k, r->p->interface))
			return 0;
	return refuse(r, "interface", wbl_suggest(r->p->interface, known, hint),
		"\"%s\" is not an interface that a parameter can name", r->p->interface);
}

/* A number or truth as an example reads better without quotes: its text is made here. */
static int32_t read_example(const struct reading *r)
{
	const json_t *j = json_object_get(r->j, "example");

	r->p->example = json_string_value(j);
	if (!j || r->p->example)
		return 0;
	WBL_AUTOFREE char *text = wbl_json_text(j);
	r->p->example = json_string_value(keep_value(r->s, json_string(text)));
	return 0;
}

static int32_t read_default(const struct reading *r)
{
	const json_t *j = json_object_get(r->j, "default");
	struct wbl_error why;
	json_t *value;

	if (!j)
		return 0;
	if (r->p->required)
		return refuse(r, "default", "Keep one of them.",
			"a required parameter cannot have a default");
	if (r->p->secret)
		return refuse(r, "default", "Take it away.", "a secret cannot have a default");
	if (wbl_param_value(r->p, j, "default", NULL, &value, &why))
		return refuse(r, "default", why.hint, "the default does not fit: %s", why.text);
	r->p->fallback = keep_value(r->s, value);
	return 0;
}

static int32_t read_param(struct wbl_schema *s, const json_t *j, const char *path,
	struct wbl_param *p, struct wbl_error *err);

static int32_t read_inner(const struct reading *r)
{
	const json_t *items = json_object_get(r->j, "items");
	WBL_AUTOFREE char *path = wbl_strf("%s.%s", r->path, items ? "items" : "params");

	if (items) {
		if (json_object_get(items, "name"))
			return wbl_conf_fail(r->s->conf, path, "Take the name away.", r->err,
				"elements have no name");
		r->p->items = keep(r->s, sizeof *r->p->items);
		return read_param(r->s, items, path, r->p->items, r->err);
	}
	return wbl_schema_params(r->s, json_object_get(r->j, "params"), path, NULL, &r->p->params,
		&r->p->nparams, r->err);
}

static int32_t read_param(struct wbl_schema *s, const json_t *j, const char *path,
	struct wbl_param *p, struct wbl_error *err)
{
	static int32_t (*const parts[])(const struct reading *) = { read_type, check_settings,
		read_bounds, read_pattern, read_values, read_interface, read_example, read_inner,
		read_default };
	struct reading r = { .s = s, .j = j, .path = path, .p = p, .err = err };
	int32_t rc = wbl_conf_check(s->conf, j, path, keys, err);
	size_t i;

	if (rc)
		return rc;
	p->name = wbl_json_str(j, "name");
	p->name = p->name ? p->name : "";
	p->required = wbl_json_bool(j, "required", false);
	p->secret = wbl_json_bool(j, "secret", false) || !strcmp(wbl_json_str(j, "type"), "secret");
	p->description = wbl_json_str(j, "description");
	p->deprecated = wbl_json_str(j, "deprecated");
	p->since = wbl_json_str(j, "since");
	for (i = 0; i < WBL_COUNT(parts) && !rc; i++)
		rc = parts[i](&r);
	if (!rc && p->required && p->deprecated)
		return refuse(&r, "deprecated", "Make it optional first.",
			"a required parameter cannot be deprecated");
	return rc;
}

static int32_t check_name(struct wbl_schema *s, const struct wbl_param *all, size_t at,
	const char *path, const char *reserved, struct wbl_error *err)
{
	const char *name = all[at].name;
	WBL_AUTOFREE char *inner = wbl_strf("%s.name", path);
	size_t i;

	if (!*name)
		return wbl_conf_fail(s->conf, path, "Add name = \"...\";", err,
			"the setting \"name\" is missing");
	if (!wbl_name_valid(name))
		return wbl_conf_fail(s->conf, inner,
			"Use a small letter, then up to 31 of a-z, 0-9 and _.", err,
			"\"%s\" is not a valid name", name);
	if (reserved && !strcmp(name, reserved))
		return wbl_conf_fail(s->conf, inner, "Choose another name.", err,
			"the name \"%s\" is taken: with it a spec says what to open", name);
	for (i = 0; i < at; i++)
		if (!strcmp(all[i].name, name))
			return wbl_conf_fail(s->conf, inner, "Give each its own name.", err,
				"there are two parameters \"%s\"", name);
	return 0;
}

int32_t wbl_schema_params(struct wbl_schema *s, const json_t *list, const char *path,
	const char *reserved, struct wbl_param **ret, size_t *ret_count, struct wbl_error *err)
{
	size_t count = json_array_size(list), i;
	struct wbl_param *p = keep(s, count * sizeof *p);
	int32_t rc = 0;

	for (i = 0; i < count && !rc; i++) {
		WBL_AUTOFREE char *inner = wbl_strf("%s[%zu]", path, i);

		rc = read_param(s, json_array_get(list, i), inner, &p[i], err);
		if (!rc)
			rc = check_name(s, p, i, inner, reserved, err);
	}
	if (rc)
		return rc;
	*ret = p;
	*ret_count = count;
	return 0;
}

static json_t *param_json(const struct wbl_param *p)
{
	json_t *j = json_object();
	size_t i;

	wbl_json_put(j, "name", *p->name ? p->name : NULL);
	wbl_json_put(j, "type", wbl_param_type_name(p->type));
	json_object_set_new(j, "required", json_boolean(p->required));
	if (p->secret)
		json_object_set_new(j, "secret", json_true());
	wbl_json_put(j, "description", p->description);
	wbl_json_put(j, "example", p->example);
	wbl_json_put(j, "deprecated", p->deprecated);
	wbl_json_put(j, "pattern", p->pattern);
	wbl_json_put(j, "since", p->since);
	if (p->fallback)
		json_object_set(j, "default", p->fallback);
	if (p->has_min)
		wbl_json_puti(j, "min", p->min);
	if (p->has_max)
		wbl_json_puti(j, "max", p->max);
	if (p->values) {
		json_t *values = json_array();

		for (i = 0; p->values[i]; i++)
			json_array_append_new(values, json_string(p->values[i]));
		json_object_set_new(j, "values", values);
	}
	wbl_json_put(j, "interface", p->interface);
	if (p->items)
		json_object_set_new(j, "items", param_json(p->items));
	if (p->type == WBL_PARAM_GROUP)
		json_object_set_new(j, "params", wbl_schema_json(p->params, p->nparams));
	return j;
}

json_t *wbl_schema_json(const struct wbl_param *params, size_t count)
{
	json_t *j = json_array();
	size_t i;

	for (i = 0; i < count; i++)
		json_array_append_new(j, param_json(&params[i]));
	return j;
}
