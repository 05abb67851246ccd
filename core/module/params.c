/* module/params.c - what an operator wrote, held against what the module asked for.
 * In: a JSON object, a schema, places in the operator's file.  Out: the canonical object, or every mistake at once.
 * A new type: check_value() here, and param_schema.c.  A message says what was expected and what was found; the
 * content of a secret never appears in one.
 * SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "core/module/params.h"

#include <ctype.h>
#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/file.h"
#include "core/module/conf_json.h"
#include "core/module/registry.h"

#define SECOND INT64_C(1000000000)
#define NAMES_MAX 256

struct check {
	const struct wbl_registry *registry;
	const struct wbl_places *places;
	json_t *errors, *warnings;
	struct wbl_error *err; /* takes the first */
	size_t failed;
	const struct wbl_provides *assessed; /* only what its assess reads must be there */
};

static const struct {
	const char *interface, *key;
} peers[] = { { "wbl.store/1", "store" }, { "wbl.router/1", "router" },
	{ "wbl.transform/1", "transform" } };

static void locate(const struct check *c, const char *path, char out[512])
{
	const char *place = c->places && c->places->of ? c->places->of(c->places, path) : NULL;

	snprintf(out, 512, "%s%s%s", place ? place : "", place ? ": " : "", path);
}

/* Records one mistake. NULL, so that it can be returned for a value. */
static json_t *wrong(struct check *c, const char *path, const char *hint, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

static json_t *wrong(struct check *c, const char *path, const char *hint, const char *fmt, ...)
{
	struct wbl_error e;
	char text[sizeof e.text], where[512];
	json_t *j;
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	locate(c, path, where);
	wbl_fail(&e, WBL_E_PARAM, where, hint, "%s", text);
	if (!c->failed++ && c->err)
		*c->err = e;
	if (c->errors) {
		j = wbl_json_error(&e);
		wbl_json_put(j, "path", path);
		json_array_append_new(c->errors, j);
	}
	return NULL;
}

static json_t *wrong_type(struct check *c, const char *path, const json_t *given,
	const char *expected, const char *hint)
{
	char what[96];

	return wrong(c, path, hint, "expected %s, found %s", expected, wbl_json_what(given, what));
}

static void amount_text(enum wbl_param_type type, int64_t n, char out[32])
{
	if (type == WBL_PARAM_DURATION && n % SECOND == 0)
		snprintf(out, 32, "%llds", (long long)(n / SECOND));
	else if (type == WBL_PARAM_DURATION)
		snprintf(out, 32, "%lldns", (long long)n);
	else
		snprintf(out, 32, "%lld", (long long)n);
}

/* `what`: "the number", "the length" ... */
static bool within(
	struct check *c, const struct wbl_param *p, const char *path, int64_t n, const char *what)
{
	char bound[32], found[32];

	amount_text(p->type, n, found);
	if (p->has_min && n < p->min) {
		amount_text(p->type, p->min, bound);
		wrong(c, path, "Give a larger one.", "%s is %s, the smallest allowed is %s", what,
			found, bound);
		return false;
	}
	if (p->has_max && n > p->max) {
		amount_text(p->type, p->max, bound);
		wrong(c, path, "Give a smaller one.", "%s is %s, the largest allowed is %s", what,
			found, bound);
		return false;
	}
	return true;
}

static size_t characters(const char *s)
{
	size_t n = 0;

	for (; *s; s++)
		n += ((unsigned char)*s & 0xc0) != 0x80;
	return n;
}

static bool matches(struct check *c, const struct wbl_param *p, const char *path, const char *s)
{
	char hint[512];
	regex_t re;
	bool ok;

	if (!p->pattern)
		return true;
	if (regcomp(&re, p->pattern, REG_EXTENDED | REG_NOSUB)) {
		wrong(c, path, "Tell the module's author.", "the pattern \"%s\" cannot be read",
			p->pattern);
		return false;
	}
	ok = !regexec(&re, s, 0, NULL, 0);
	regfree(&re);
	snprintf(hint, sizeof hint, "For example: %s", p->example ? p->example : "");
	if (!ok)
		wrong(c, path, p->example ? hint : p->description,
			"the text \"%.200s\" does not match %s", s, p->pattern);
	return ok;
}

static json_t *check_string(
	struct check *c, const struct wbl_param *p, const json_t *given, const char *path)
{
	const char *s = json_string_value(given);

	if (!s)
		return wrong_type(c, path, given, "a text", "Put it in double quotes.");
	if (!within(c, p, path, (int64_t)characters(s), "the length") || !matches(c, p, path, s))
		return NULL;
	return json_string(s);
}

static json_t *check_int(
	struct check *c, const struct wbl_param *p, const json_t *given, const char *path)
{
	if (!json_is_integer(given))
		return wrong_type(c, path, given, "a whole number",
			json_is_string(given) ? "Write it without quotes." : NULL);
	if (!within(c, p, path, json_integer_value(given), "the number"))
		return NULL;
	return json_integer(json_integer_value(given));
}

static json_t *check_float(
	struct check *c, const struct wbl_param *p, const json_t *given, const char *path)
{
	double x = json_number_value(given);

	if (!json_is_number(given))
		return wrong_type(c, path, given, "a number",
			json_is_string(given) ? "Write it without quotes." : NULL);
	if (p->has_min && x < (double)p->min)
		return wrong(c, path, "Give a larger one.",
			"the number is %g, the smallest allowed is %lld", x, (long long)p->min);
	if (p->has_max && x > (double)p->max)
		return wrong(c, path, "Give a smaller one.",
			"the number is %g, the largest allowed is %lld", x, (long long)p->max);
	return json_real(x);
}

static json_t *check_enum(
	struct check *c, const struct wbl_param *p, const json_t *given, const char *path)
{
	const char *s = json_string_value(given);
	struct wbl_buf list = { 0 };
	char hint[400];
	size_t i;

	for (i = 0; s && p->values[i]; i++)
		if (!strcmp(s, p->values[i]))
			return json_string(s);
	for (i = 0; p->values[i]; i++)
		wbl_buf_addf(&list, "%s\"%s\"", i ? ", " : "", p->values[i]);
	if (!s)
		wrong_type(c, path, given, list.data, "Choose one of these texts.");
	else
		wrong(c, path, wbl_suggest(s, p->values, hint), "expected %s, found \"%.100s\"",
			list.data, s);
	wbl_buf_clear(&list);
	return NULL;
}

static json_t *check_size(
	struct check *c, const struct wbl_param *p, const json_t *given, const char *path)
{
	const char *s = json_string_value(given),
		   *hint = "Write bytes, or a text such as \"64M\" or \"2G\".";
	uint64_t n = (uint64_t)json_integer_value(given);
	bool ok = s ? wbl_size_parse(s, &n)
		    : json_is_integer(given) && json_integer_value(given) >= 0;

	if (!ok || n > INT64_MAX)
		return wrong_type(c, path, given, "a size", hint);
	return within(c, p, path, (int64_t)n, "the size") ? json_integer((json_int_t)n) : NULL;
}

static json_t *check_duration(
	struct check *c, const struct wbl_param *p, const json_t *given, const char *path)
{
	const char *s = json_string_value(given);
	int64_t ns = json_integer_value(given);
	bool ok = s ? wbl_duration_parse(s, &ns)
		    : json_is_integer(given) && ns >= 0 && !__builtin_mul_overflow(ns, SECOND, &ns);

	if (!ok)
		return wrong_type(c, path, given, "a duration",
			"Write seconds, or a text such as \"250ms\", \"90s\", \"2h\" or \"7d\".");
	return within(c, p, path, ns, "the duration") ? json_integer(ns) : NULL;
}

/* What relative paths of this value hang on; NULL: nothing is known. */
static const char *folder(const struct check *c, const char *path)
{
	const char *dir =
		c->places && c->places->dir_of ? c->places->dir_of(c->places, path) : NULL;

	return dir ? dir : c->places ? c->places->dir : NULL;
}

static json_t *absolute(const struct check *c, const char *path, const char *s)
{
	const char *dir = folder(c, path);
	WBL_AUTOFREE char *whole = dir ? wbl_path_absolute(dir, s) : wbl_strdup(s);

	return json_string(whole);
}

static json_t *check_path(
	struct check *c, const struct wbl_param *p, const json_t *given, const char *path)
{
	const char *s = json_string_value(given);

	if (!s)
		return wrong_type(c, path, given, "a path", "Put it in double quotes.");
	if (!*s)
		return wrong(c, path, "Name a file or folder.", "the path is empty");
	if (*s == '~')
		return wrong(c, path, "Write the whole path.",
			"the path begins with \"~\", which only a shell knows");
	return matches(c, p, path, s) ? absolute(c, path, s) : NULL;
}

static bool has_scheme(const char *s)
{
	size_t n = strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+.-");

	return isalpha((unsigned char)*s) && s[n] == ':' && s[n + 1];
}

static bool has_password(const char *s)
{
	const char *authority = strstr(s, "://"), *at, *colon;
	size_t n;

	if (!authority && !strncmp(s, "mailto:", 7))
		return false;
	authority = authority ? authority + 3 : s; /* "user:password@host", its scheme forgotten */
	n = strcspn(authority, "/?#");
	at = memrchr(authority, '@', n);
	colon = at ? memchr(authority, ':', (size_t)(at - authority)) : NULL;
	return colon && at - colon > 1;
}

static json_t *check_url(
	struct check *c, const struct wbl_param *p, const json_t *given, const char *path)
{
	const char *s = json_string_value(given);
	unsigned char ch = 0;
	size_t i;

	if (!s)
		return wrong_type(c, path, given, "a URL", "Put it in double quotes.");
	if (has_password(s))
		return wrong(c, path, "Take it out, and use the parameter for the secret.",
			"the URL carries a password");
	for (i = 0; s[i] && ch != ' '; i++)
		ch = (unsigned char)s[i] <= ' ' || s[i] == 0x7f ? ' ' : 0;
	if (!has_scheme(s) || ch == ' ')
		return wrong_type(
			c, path, given, "a URL", "Write it whole: \"https://host/path\".");
	return matches(c, p, path, s) ? json_string(s) : NULL;
}

static bool is_env_name(const char *s)
{
	if (!isalpha((unsigned char)*s) && *s != '_')
		return false;
	while (isalnum((unsigned char)*s) || *s == '_')
		s++;
	return !*s;
}

static json_t *check_secret(
	struct check *c, const struct wbl_param *p, const json_t *given, const char *path)
{
	const json_t *inner =
		json_object_size(given) == 1 ? json_object_get(given, "$secret") : NULL;
	const char *s = json_string_value(inner ? inner : given), *dir = folder(c, path);
	char what[96];
	const char *hint = "Put the secret into a file that only you can read and write "
			   "\"file:/path\", or \"env:NAME\".";

	if (!s) /* a number may be the secret itself, written without quotes */
		return wrong(c, path, hint, "expected a reference to a secret, found %s",
			json_is_number(given) ? "a number" : wbl_json_what(given, what));
	if (!strncmp(s, "env:", 4) && is_env_name(s + 4))
		return json_pack("{s:s}", "$secret", s);
	if (!strncmp(s, "file:", 5) && s[5] && (s[5] == '/' || dir)) {
		WBL_AUTOFREE char *file = wbl_path_absolute(dir ? dir : "/", s + 5);
		WBL_AUTOFREE char *reference = wbl_strf("file:%s", file);

		return json_pack("{s:s}", "$secret", reference);
	}
	return wrong(c, path, hint,
		"a secret must not stand in the text itself; expected \"file:/path\" or "
		"\"env:NAME\"");
}

static json_t *check_value(
	struct check *c, const struct wbl_param *p, const json_t *given, const char *path);

static json_t *check_list(
	struct check *c, const struct wbl_param *p, const json_t *given, const char *path)
{
	size_t before = c->failed, i;
	json_t *ret, *m;

	if (!json_is_array(given))
		return wrong_type(c, path, given, "a list", "Write ( ... ) around its elements.");
	if (!within(c, p, path, (int64_t)json_array_size(given), "the number of elements"))
		return NULL;
	ret = json_array();
	json_array_foreach((json_t *)given, i, m)
	{
		WBL_AUTOFREE char *inner = wbl_strf("%s[%zu]", path, i);
		json_t *value = check_value(c, p->items, m, inner);

		if (value)
			json_array_append_new(ret, value);
	}
	if (c->failed == before)
		return ret;
	json_decref(ret);
	return NULL;
}

static json_t *check_map(
	struct check *c, const struct wbl_param *p, const json_t *given, const char *path)
{
	size_t before = c->failed;
	const char *key;
	json_t *ret, *m;

	if (!json_is_object(given))
		return wrong_type(c, path, given, "a group", "Write { name = value; ... }.");
	if (!within(c, p, path, (int64_t)json_object_size(given), "the number of settings"))
		return NULL;
	ret = json_object();
	json_object_foreach((json_t *)given, key, m)
	{
		WBL_AUTOFREE char *inner = wbl_strf("%s.%s", path, key);
		json_t *value = check_value(c, p->items, m, inner);

		if (value)
			json_object_set_new(ret, key, value);
	}
	if (c->failed == before)
		return ret;
	json_decref(ret);
	return NULL;
}

/* Where a schema is used, and by whom. */
struct owner {
	const char *what, *name; /* "handler" "put_file"; "group" "" */
	const char *skip;        /* the key that names a peer */
};

static json_t *check_params(struct check *c, const struct wbl_param *params, size_t count,
	const json_t *given, const char *path, const struct owner *owner);

static json_t *check_group(
	struct check *c, const struct wbl_param *p, const json_t *given, const char *path)
{
	struct owner owner = { .what = "this group", .name = "" };

	if (!json_is_object(given))
		return wrong_type(c, path, given, "a group", "Write { name = value; ... }.");
	return check_params(c, p->params, p->nparams, given, path, &owner);
}

static json_t *check_peer(
	struct check *c, const struct wbl_param *p, const json_t *given, const char *path)
{
	const struct wbl_provides *provides;
	const char *key = peers[0].key, *name;
	WBL_AUTOFREE char *inner = NULL;
	struct owner owner;
	struct wbl_error why;
	char hint[96];
	json_t *ret;
	size_t i;

	for (i = 0; i < WBL_COUNT(peers); i++)
		if (!strcmp(peers[i].interface, p->interface))
			key = peers[i].key;
	snprintf(hint, sizeof hint,
		"Write { %s = \"NAME\"; ... }; whimbrel handler list shows the names.", key);
	if (!json_is_object(given))
		return wrong_type(c, path, given, "a group that names its kind", hint);
	name = wbl_json_str(given, key);
	if (!name)
		return wrong(c, path, hint, "the setting \"%s\" is missing", key);
	inner = wbl_strf("%s.%s", path, key);
	if (!c->registry)
		return wrong(c, inner, NULL, "no modules are known here");
	if (wbl_registry_find(c->registry, p->interface, name, &provides, NULL, &why))
		return wrong(c, inner, why.hint, "%s", why.text);
	owner = (struct owner){ .what = key, .name = name, .skip = key };
	ret = check_params(c, provides->params, provides->nparams, given, path, &owner);
	if (ret)
		json_object_set_new(ret, key, json_string(name));
	return ret;
}

static json_t *check_value(
	struct check *c, const struct wbl_param *p, const json_t *given, const char *path)
{
	if (p->secret)
		return check_secret(c, p, given, path);
	switch (p->type) {
	case WBL_PARAM_STRING:
		return check_string(c, p, given, path);
	case WBL_PARAM_INT:
		return check_int(c, p, given, path);
	case WBL_PARAM_FLOAT:
		return check_float(c, p, given, path);
	case WBL_PARAM_BOOL:
		if (json_is_boolean(given))
			return json_boolean(json_is_true(given));
		return wrong_type(c, path, given, "true or false",
			json_is_string(given) ? "Write it without quotes."
					      : "Write true or false, without quotes.");
	case WBL_PARAM_ENUM:
		return check_enum(c, p, given, path);
	case WBL_PARAM_SIZE:
		return check_size(c, p, given, path);
	case WBL_PARAM_DURATION:
		return check_duration(c, p, given, path);
	case WBL_PARAM_PATH:
		return check_path(c, p, given, path);
	case WBL_PARAM_URL:
		return check_url(c, p, given, path);
	case WBL_PARAM_SECRET:
		return check_secret(c, p, given, path);
	case WBL_PARAM_LIST:
		return check_list(c, p, given, path);
	case WBL_PARAM_GROUP:
		return check_group(c, p, given, path);
	case WBL_PARAM_MAP:
		return check_map(c, p, given, path);
	case WBL_PARAM_PEER:
		return check_peer(c, p, given, path);
	}
	return wrong(c, path, NULL, "the type of this parameter is not known");
}

/* A default is canonical but for its paths, which hang on the folder of the spec. */
static json_t *take_default(
	const struct check *c, const struct wbl_param *p, const json_t *value, const char *path)
{
	const char *key;
	json_t *ret, *m;
	size_t i;

	switch (p->type) {
	case WBL_PARAM_PATH:
		return absolute(c, path, json_string_value(value));
	case WBL_PARAM_LIST:
		ret = json_array();
		json_array_foreach((json_t *)value, i, m)
			json_array_append_new(ret, take_default(c, p->items, m, path));
		return ret;
	case WBL_PARAM_MAP:
		ret = json_object();
		json_object_foreach((json_t *)value, key, m)
			json_object_set_new(ret, key, take_default(c, p->items, m, path));
		return ret;
	case WBL_PARAM_GROUP:
		ret = json_object();
		for (i = 0; i < p->nparams; i++) {
			m = json_object_get(value, p->params[i].name);
			if (m)
				json_object_set_new(ret, p->params[i].name,
					take_default(c, &p->params[i], m, path));
		}
		return ret;
	default:
		return json_deep_copy(value);
	}
}

static const struct wbl_param *find_param(
	const struct wbl_param *params, size_t count, const char *name)
{
	size_t i;

	for (i = 0; i < count; i++)
		if (!strcmp(params[i].name, name))
			return &params[i];
	return NULL;
}

static void refuse_unknown(struct check *c, const struct wbl_param *params, size_t count,
	const json_t *given, const char *path, const struct owner *owner)
{
	const char *names[NAMES_MAX + 1], *key;
	char hint[400];
	size_t i;
	json_t *m;

	for (i = 0; i < count && i < NAMES_MAX; i++)
		names[i] = params[i].name;
	names[i] = NULL;
	json_object_foreach((json_t *)given, key, m)
	{
		WBL_AUTOFREE char *inner = wbl_strf("%s%s%s", path, *path ? "." : "", key);

		if ((owner->skip && !strcmp(owner->skip, key)) || find_param(params, count, key))
			continue;
		wrong(c, inner, wbl_suggest(key, names, hint),
			"\"%s\" is not a parameter of %s%s%s", key, owner->what,
			*owner->name ? " " : "", owner->name);
	}
}

/* What stands behind "name =" in a hint. */
static const char *sample(const struct wbl_param *p)
{
	if (p->type == WBL_PARAM_PEER || p->type == WBL_PARAM_GROUP || p->type == WBL_PARAM_MAP)
		return "{ ... }";
	if (p->example)
		return p->example;
	if (p->type == WBL_PARAM_LIST)
		return "( ... )";
	if (p->secret)
		return "file:/...";
	return p->values ? p->values[0] : "...";
}

static void missing(
	struct check *c, const struct wbl_param *p, const char *path, const struct owner *owner)
{
	bool bare = p->type == WBL_PARAM_INT || p->type == WBL_PARAM_FLOAT ||
		    p->type == WBL_PARAM_BOOL || (p->type >= WBL_PARAM_LIST && !p->secret);
	const char *quote = bare ? "" : "\"";
	char hint[512];

	snprintf(hint, sizeof hint, "Add %s = %s%s%s;", p->name, quote, sample(p), quote);
	wrong(c, path, hint, "the parameter \"%s\" (%s) of %s%s%s is missing", p->name,
		wbl_param_type_name(p->type), owner->what, *owner->name ? " " : "", owner->name);
}

static void warn_deprecated(struct check *c, const struct wbl_param *p, const char *path)
{
	char where[512];
	json_t *j;

	if (!p->deprecated || !c->warnings)
		return;
	locate(c, path, where);
	j = json_object();
	wbl_json_put(j, "where", where);
	wbl_json_put(j, "path", path);
	wbl_json_put(j, "text", "this parameter is deprecated");
	wbl_json_put(j, "hint", p->deprecated);
	json_array_append_new(c->warnings, j);
}

/* An assessment of a source needs no target. */
static bool is_wanted(const struct check *c, const struct wbl_param *params, const char *name)
{
	size_t i;

	if (!c->assessed || params != c->assessed->params)
		return true;
	for (i = 0; c->assessed->assess[i]; i++)
		if (!strcmp(c->assessed->assess[i], name))
			return true;
	return false;
}

static json_t *check_params(struct check *c, const struct wbl_param *params, size_t count,
	const json_t *given, const char *path, const struct owner *owner)
{
	size_t before = c->failed, i;
	json_t *ret = json_object();

	refuse_unknown(c, params, count, given, path, owner);
	for (i = 0; i < count; i++) {
		const struct wbl_param *p = &params[i];
		WBL_AUTOFREE char *inner = wbl_strf("%s%s%s", path, *path ? "." : "", p->name);
		const json_t *value = json_object_get(given, p->name);
		json_t *canonical = NULL;

		if (value) {
			warn_deprecated(c, p, inner);
			canonical = check_value(c, p, value, inner);
		} else if (p->fallback) {
			canonical = take_default(c, p, p->fallback, inner);
		} else if (p->required && is_wanted(c, params, p->name)) {
			missing(c, p, path, owner);
		}
		if (canonical)
			json_object_set_new(ret, p->name, canonical);
	}
	if (c->failed == before)
		return ret;
	json_decref(ret);
	return NULL;
}

static const char *kind_of(const struct wbl_provides *p)
{
	size_t i;

	for (i = 0; i < WBL_COUNT(peers); i++)
		if (!strcmp(p->interface, peers[i].interface))
			return peers[i].key;
	return "handler";
}

int32_t wbl_params_check(const struct wbl_provides *p, const struct wbl_registry *registry,
	enum wbl_params_for purpose, const json_t *given, const char *base,
	const struct wbl_places *places, json_t **ret, json_t **ret_errors, json_t **ret_warnings,
	struct wbl_error *err)
{
	struct check c = { .registry = registry,
		.assessed = purpose == WBL_PARAMS_FOR_ASSESS ? p : NULL,
		.places = places,
		.errors = json_array(),
		.warnings = json_array(),
		.err = err };
	const char *kind = kind_of(p);
	struct owner owner = {
		.what = kind, .name = p->name, .skip = strcmp(kind, "handler") ? kind : NULL
	};
	json_t *value = NULL;

	if (!json_is_object(given))
		wrong(&c, base, "Write { name = value; ... }.", "expected a group of parameters");
	else
		value = check_params(&c, p->params, p->nparams, given, base, &owner);
	if (ret_errors)
		*ret_errors = json_incref(c.errors);
	if (ret_warnings)
		*ret_warnings = json_incref(c.warnings);
	json_decref(c.errors);
	json_decref(c.warnings);
	if (!value)
		return WBL_E_PARAM;
	if (owner.skip && json_object_get(given, owner.skip))
		json_object_set(value, owner.skip, json_object_get(given, owner.skip));
	*ret = value;
	return 0;
}

int32_t wbl_param_value(const struct wbl_param *p, const json_t *given, const char *path,
	const struct wbl_places *places, json_t **ret, struct wbl_error *err)
{
	struct check c = { .places = places, .err = err };
	json_t *value = check_value(&c, p, given, path);

	if (!value)
		return WBL_E_PARAM;
	*ret = value;
	return 0;
}
