/* cli/amounts.c - single values for people: times, sizes, counts, states.
 * In: JSON values, perhaps absent or of another type.  Out: short texts.
 * SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "core/cli/render.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

void wbl_value_when(const json_t *time, char out[32])
{
	const char *s = json_string_value(time);
	char text[32];

	if (json_is_integer(time)) {
		wbl_time_text(json_integer_value(time), text);
		s = text;
	}
	if (!s || strlen(s) < 19 || s[10] != 'T') {
		snprintf(out, 32, "%.31s", s && *s ? s : "-");
		return;
	}
	snprintf(out, 32, "%.10s %.8sZ", s, s + 11);
}

bool wbl_value_ns(const json_t *time, int64_t *ret_ns)
{
	const char *s = json_string_value(time), *rest;
	int64_t fraction = 0, unit = 100000000;
	struct tm tm = { 0 };

	if (json_is_integer(time)) {
		*ret_ns = json_integer_value(time);
		return true;
	}
	rest = s ? strptime(s, "%Y-%m-%dT%H:%M:%S", &tm) : NULL;
	if (!rest)
		return false;
	if (*rest == '.')
		for (rest++; *rest >= '0' && *rest <= '9' && unit; rest++, unit /= 10)
			fraction += (*rest - '0') * unit;
	return !__builtin_mul_overflow((int64_t)timegm(&tm), 1000000000, ret_ns) &&
	       !__builtin_add_overflow(*ret_ns, fraction, ret_ns);
}

char *wbl_value_list(const json_t *array, const char *none)
{
	struct wbl_buf b = { 0 };
	const json_t *v;
	size_t i;

	json_array_foreach((json_t *)array, i, v)
	{
		WBL_AUTOFREE char *text = wbl_value_text(v);

		wbl_buf_addf(&b, "%s%s", i ? ", " : "", text);
	}
	if (!b.len)
		wbl_buf_adds(&b, none);
	return wbl_buf_take(&b);
}

char *wbl_value_count(const json_t *obj, const char *key)
{
	int64_t n = wbl_json_int(obj, key, -1);
	char text[32];

	if (n < 0)
		return wbl_strdup("");
	wbl_count_text((uint64_t)n, text);
	return wbl_strdup(text);
}

char *wbl_value_size(const json_t *obj, const char *key)
{
	int64_t n = wbl_json_int(obj, key, -1);
	char text[24];

	if (n < 0)
		return wbl_strdup("");
	wbl_size_text((uint64_t)n, text);
	return wbl_strdup(text);
}

char *wbl_value_some(
	const json_t *obj, const char *key, char *(*value)(const json_t *, const char *))
{
	return wbl_json_int(obj, key, 0) > 0 ? value(obj, key) : wbl_strdup("");
}

char *wbl_value_span(const json_t *obj, const char *key)
{
	int64_t n = wbl_json_int(obj, key, -1);
	char text[24];

	if (n < 0)
		return wbl_strdup("");
	wbl_duration_text(n, text);
	return wbl_strdup(text);
}

char *wbl_value_amount(const json_t *obj)
{
	int64_t items = wbl_json_int(obj, "items", 0), bytes = wbl_json_int(obj, "bytes", 0);
	WBL_AUTOFREE char *count = wbl_value_count(obj, "items");
	WBL_AUTOFREE char *size = wbl_value_size(obj, "bytes");

	if (items <= 0 && bytes <= 0)
		return wbl_strdup("");
	return wbl_strf("%s%s%s%s", items > 0 ? count : "",
		items > 0 ? (items == 1 ? " item" : " items") : "",
		items > 0 && bytes > 0 ? ", " : "", bytes > 0 ? size : "");
}

char *wbl_value_text(const json_t *v)
{
	if (!v || json_is_null(v))
		return wbl_strdup("");
	if (json_is_string(v))
		return wbl_strdup(json_string_value(v));
	return wbl_json_text(v);
}

const char *wbl_value_str(const json_t *obj, const char *key)
{
	const char *s = wbl_json_str(obj, key);

	return s ? s : "";
}

enum wbl_tint wbl_value_tint(const char *state)
{
	static const char *const good[] = { "completed", "verified", "reversible", "up", NULL };
	static const char *const bad[] = { "failed", "rollback_failed", "undo_failed", "error",
		NULL };
	static const char *const odd[] = { "waiting", "paused", "rolling_back", "rolled_back",
		"cancelled", "undoing", "undone", "passed_over", "suspended", "warning", "accepted",
		NULL };
	size_t i;

	for (i = 0; good[i]; i++)
		if (!strcmp(state, good[i]))
			return WBL_TINT_GREEN;
	for (i = 0; bad[i]; i++)
		if (!strcmp(state, bad[i]))
			return WBL_TINT_RED;
	for (i = 0; odd[i]; i++)
		if (!strcmp(state, odd[i]))
			return WBL_TINT_YELLOW;
	return WBL_TINT_NONE;
}

char *wbl_value_words(const char *state)
{
	char *s = wbl_strdup(state), *c;

	for (c = s; *c; c++)
		if (*c == '_')
			*c = ' ';
	return s;
}
