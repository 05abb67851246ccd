/* module/conf_check.c - settings held against a table of what may stand there.
 * In: a group as JSON, its table.  Out: 0, or the first thing that is wrong, with file, line and path.
 * SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "core/module/conf_json.h"

#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define KEYS_MAX 64

static const struct {
	const char *name, *example;
} kinds[] = {
	[WBL_CONF_ANY] = { "a value", "..." },
	[WBL_CONF_TEXT] = { "a text", "\"...\"" },
	[WBL_CONF_BOOL] = { "true or false", "true" },
	[WBL_CONF_INT] = { "a whole number", "1" },
	[WBL_CONF_TEXTS] = { "a list of texts", "( \"...\" )" },
	[WBL_CONF_GROUP] = { "a group", "{ ... }" },
	[WBL_CONF_GROUPS] = { "a list of groups", "( { ... } )" },
};

int32_t wbl_conf_fail(const struct wbl_conf *c, const char *path, const char *hint,
	struct wbl_error *err, const char *fmt, ...)
{
	char where[512], text[1024];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	snprintf(where, sizeof where, "%s%s%s", wbl_conf_place(c, path), *path ? ": " : "", path);
	return wbl_fail(err, WBL_E_USAGE, where, hint, "%s", text);
}

const char *wbl_json_what(const json_t *j, char out[96])
{
	const char *s;
	int n;

	switch (j ? json_typeof(j) : JSON_NULL) {
	case JSON_OBJECT:
		return strcpy(out, "a group");
	case JSON_ARRAY:
		return strcpy(out, "a list");
	case JSON_STRING:
		s = json_string_value(j);
		for (n = (int)strnlen(s, 60);
			n > 0 && s[n] && ((unsigned char)s[n] & 0xc0) == 0x80;)
			n--; /* not within a character */
		snprintf(out, 96, "the text \"%.*s%s\"", n, s, s[n] ? "..." : "");
		return out;
	case JSON_INTEGER:
		snprintf(out, 96, "the number %lld", (long long)json_integer_value(j));
		return out;
	case JSON_REAL:
		snprintf(out, 96, "the number %g", json_real_value(j));
		return out;
	case JSON_TRUE:
		return strcpy(out, "true");
	case JSON_FALSE:
		return strcpy(out, "false");
	default:
		return strcpy(out, "nothing");
	}
}

const char *wbl_suggest(const char *name, const char *const *known, char out[400])
{
	const char *near = wbl_nearest(name, known);
	size_t at;

	if (near) {
		snprintf(out, 400, "Did you mean \"%s\"?", near);
		return out;
	}
	if (!*known)
		return strcpy(out, "There are none.");
	at = (size_t)snprintf(out, 400, "Known: ");
	for (; *known && at < 400; known++)
		at += (size_t)snprintf(out + at, 400 - at, "%s%s", *known, known[1] ? ", " : ".");
	return out;
}

static bool all(const json_t *list, json_type type)
{
	json_t *j;
	size_t i;

	if (!json_is_array(list))
		return false;
	json_array_foreach(list, i, j) if (json_typeof(j) != type) return false;
	return true;
}

static bool is_kind(const json_t *j, enum wbl_conf_kind kind)
{
	switch (kind) {
	case WBL_CONF_TEXT:
		return json_is_string(j);
	case WBL_CONF_BOOL:
		return json_is_boolean(j);
	case WBL_CONF_INT:
		return json_is_integer(j);
	case WBL_CONF_TEXTS:
		return all(j, JSON_STRING);
	case WBL_CONF_GROUP:
		return json_is_object(j);
	case WBL_CONF_GROUPS:
		return all(j, JSON_OBJECT);
	default:
		return true;
	}
}

/* The first element of a list that spoils it, or the value itself. */
static const json_t *culprit(const json_t *j, enum wbl_conf_kind kind)
{
	json_t *m;
	size_t i;

	json_array_foreach(
		j, i, m) if (json_typeof(m) !=
			     (kind == WBL_CONF_TEXTS ? JSON_STRING : JSON_OBJECT)) return m;
	return j;
}

static int32_t check_member(const struct wbl_conf *c, const char *path, const char *name,
	const json_t *j, const struct wbl_conf_key *keys, struct wbl_error *err)
{
	WBL_AUTOFREE char *inner = *path ? wbl_strf("%s.%s", path, name) : wbl_strdup(name);
	const char *names[KEYS_MAX + 1];
	char hint[400], what[96];
	size_t i;

	for (i = 0; keys[i].name; i++) {
		names[i] = keys[i].name;
		if (strcmp(keys[i].name, name))
			continue;
		if (is_kind(j, keys[i].kind))
			return 0;
		snprintf(hint, sizeof hint, "Write %s = %s;", name, kinds[keys[i].kind].example);
		return wbl_conf_fail(c, inner, hint, err, "expected %s, found %s",
			kinds[keys[i].kind].name, wbl_json_what(culprit(j, keys[i].kind), what));
	}
	names[i] = NULL;
	return wbl_conf_fail(c, inner, wbl_suggest(name, names, hint), err,
		"the setting \"%s\" is not known here", name);
}

int32_t wbl_conf_check(const struct wbl_conf *c, const json_t *group, const char *path,
	const struct wbl_conf_key *keys, struct wbl_error *err)
{
	const char *name;
	char hint[128];
	json_t *j;

	json_object_foreach((json_t *)group, name, j)
	{
		int32_t rc = check_member(c, path, name, j, keys, err);

		if (rc)
			return rc;
	}
	for (; keys->name; keys++) {
		if (!keys->required || json_object_get(group, keys->name))
			continue;
		snprintf(hint, sizeof hint, "Add %s = %s;", keys->name, kinds[keys->kind].example);
		return wbl_conf_fail(
			c, path, hint, err, "the setting \"%s\" is missing", keys->name);
	}
	return 0;
}
