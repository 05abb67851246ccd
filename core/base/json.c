/* base/json.c - idioms around jansson.
 * SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "core/base/json.h"

#include <stdlib.h>
#include <string.h>

enum { MAX_DEPTH = 64 };

/* jansson's own limit is 2048 and recursion there costs stack; ours is small enough for any thread. */
static bool depth_ok(const char *s, size_t len)
{
	int depth = 0;
	bool in_text = false;
	size_t i;

	for (i = 0; i < len; i++) {
		if (in_text) {
			if (s[i] == '\\')
				i++;
			else if (s[i] == '"')
				in_text = false;
		} else if (s[i] == '"') {
			in_text = true;
		} else if (s[i] == '{' || s[i] == '[') {
			if (++depth > MAX_DEPTH)
				return false;
		} else if (s[i] == '}' || s[i] == ']') {
			depth--;
		}
	}
	return true;
}

json_t *wbl_json_parse(const char *text, size_t len, const char *where, struct wbl_error *err)
{
	json_error_t je;
	json_t *j;

	if (!depth_ok(text, len)) {
		wbl_fail(err, WBL_E_USAGE, where, NULL, "the JSON is nested deeper than %d",
			MAX_DEPTH);
		return NULL;
	}
	j = json_loadb(text, len, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &je);
	if (!j)
		wbl_fail(err, WBL_E_USAGE, where, NULL, "not valid JSON: line %d, column %d: %s",
			je.line, je.column, je.text);
	return j;
}

char *wbl_json_text(const json_t *j)
{
	char *s = json_dumps(j, JSON_COMPACT | JSON_ENCODE_ANY);

	if (!s)
		abort();
	return s;
}

char *wbl_json_pretty(const json_t *j)
{
	WBL_AUTOFREE char *s = json_dumps(j, JSON_INDENT(2) | JSON_ENCODE_ANY);

	if (!s)
		abort();
	return wbl_strf("%s\n", s);
}

const char *wbl_json_str(const json_t *obj, const char *key)
{
	return json_string_value(json_object_get(obj, key));
}

int64_t wbl_json_int(const json_t *obj, const char *key, int64_t otherwise)
{
	const json_t *j = json_object_get(obj, key);

	return json_is_integer(j) ? json_integer_value(j) : otherwise;
}

bool wbl_json_bool(const json_t *obj, const char *key, bool otherwise)
{
	const json_t *j = json_object_get(obj, key);

	return json_is_boolean(j) ? json_is_true(j) : otherwise;
}

static char *clean_utf8(const char *s)
{
	size_t len = strlen(s), i = 0;
	struct wbl_buf b = { 0 };

	while (i < len) {
		size_t n;

		for (n = 1; n <= 4 && i + n <= len; n++)
			if (wbl_utf8_valid(s + i, n))
				break;
		if (n <= 4 && i + n <= len) {
			wbl_buf_add(&b, s + i, n);
			i += n;
		} else {
			wbl_buf_adds(&b, "\xef\xbf\xbd");
			i++;
		}
	}
	return wbl_buf_take(&b);
}

void wbl_json_put(json_t *obj, const char *key, const char *text)
{
	if (!text)
		return;
	if (wbl_utf8_valid(text, strlen(text))) {
		json_object_set_new(obj, key, json_string(text));
	} else {
		WBL_AUTOFREE char *clean = clean_utf8(text);

		json_object_set_new(obj, key, json_string(clean));
	}
}

void wbl_json_puti(json_t *obj, const char *key, int64_t n)
{
	json_object_set_new(obj, key, json_integer(n));
}

json_t *wbl_json_error(const struct wbl_error *err)
{
	json_t *j = json_object();

	wbl_json_puti(j, "code", err->code);
	wbl_json_put(j, "name", wbl_code_name(err->code));
	wbl_json_put(j, "where", err->where[0] ? err->where : NULL);
	wbl_json_put(j, "text", err->text);
	wbl_json_put(j, "hint", err->hint[0] ? err->hint : NULL);
	wbl_json_put(j, "actions", wbl_code_actions(err->code));
	wbl_json_puti(j, "exit", wbl_code_exit(err->code));
	return j;
}
