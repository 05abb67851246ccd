/* engine/spec_load.c - the mistakes of a spec, and its plain values: names, texts, lists of names.
 * SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "core/engine/spec_load.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/module/conf_json.h"

enum { ERRORS_MAX = 1000 };

void wbl_spec_add_error(struct wbl_spec_load *l, const struct wbl_error *e, const char *path)
{
	json_t *j;

	if (json_array_size(l->errors) >= ERRORS_MAX) {
		l->unseen++;
		return;
	}
	j = wbl_json_error(e);
	wbl_json_put(j, "path", path);
	json_array_append_new(l->errors, j);
}

void wbl_spec_complain(
	struct wbl_spec_load *l, const char *path, const char *hint, const char *fmt, ...)
{
	struct wbl_error e;
	char text[sizeof e.text];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	wbl_conf_fail(l->conf, path, hint, &e, "%s", text);
	wbl_spec_add_error(l, &e, *path ? path : NULL);
}

void wbl_spec_complain_type(struct wbl_spec_load *l, const char *path, const json_t *found,
	const char *expected, const char *hint)
{
	char what[96];

	wbl_spec_complain(
		l, path, hint, "expected %s, found %s", expected, wbl_json_what(found, what));
}

static bool is_name(const char *s)
{
	size_t n = strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789_-");

	return n >= 1 && n <= 64 && !s[n] && *s != '-' && *s != '_';
}

char *wbl_spec_read_name(struct wbl_spec_load *l, const json_t *j, const char *path)
{
	const char *s = json_string_value(j);

	if (!j)
		return NULL;
	if (s && is_name(s))
		return wbl_strdup(s);
	wbl_spec_complain_type(l, path, j, "a name",
		"Write up to 64 of a-z, 0-9, _ and -, beginning with a letter or digit: "
		"\"crm-to-new\".");
	return NULL;
}

void wbl_spec_check_text(struct wbl_spec_load *l, const json_t *j, const char *path)
{
	if (j && !json_is_string(j))
		wbl_spec_complain_type(l, path, j, "a text", "Put it in double quotes.");
}

void wbl_spec_refuse_unknown(struct wbl_spec_load *l, const json_t *group, const char *path,
	const char *const *keys, const char *of)
{
	const char *key, *const *k;
	char hint[400];
	json_t *m;

	json_object_foreach((json_t *)group, key, m)
	{
		WBL_AUTOFREE char *inner = wbl_strf("%s%s%s", path, *path ? "." : "", key);

		for (k = keys; *k && strcmp(*k, key);)
			k++;
		if (!*k)
			wbl_spec_complain(l, inner, wbl_suggest(key, keys, hint),
				"\"%s\" is not a setting of %s", key, of);
	}
}

char **wbl_spec_read_names(
	struct wbl_spec_load *l, const json_t *list, const char *path, size_t most)
{
	char **names, *name;
	size_t count = 0, i, k;
	json_t *m;

	if (!json_is_array(list)) {
		wbl_spec_complain_type(
			l, path, list, "a list of names", "Write [ \"first\", \"second\" ].");
		return NULL;
	}
	if (json_array_size(list) > most) {
		wbl_spec_complain(l, path, "Name fewer.", "%zu names, at most %zu are allowed",
			json_array_size(list), most);
		return NULL;
	}
	names = wbl_alloc((json_array_size(list) + 1) * sizeof *names);
	json_array_foreach((json_t *)list, i, m)
	{
		WBL_AUTOFREE char *inner = wbl_strf("%s[%zu]", path, i);

		name = wbl_spec_read_name(l, m, inner);
		for (k = 0; name && k < count; k++)
			if (!strcmp(names[k], name)) {
				wbl_spec_complain(
					l, inner, "Name it once.", "\"%s\" is named twice", name);
				free(name);
				name = NULL;
			}
		if (name)
			names[count++] = name;
	}
	return names;
}

char *wbl_spec_name_of_file(const char *file)
{
	const char *slash = strrchr(file, '/'), *base = slash ? slash + 1 : file,
		   *dot = strrchr(base, '.');
	size_t len = dot && dot > base ? (size_t)(dot - base) : strlen(base), i, n = 0;
	char name[65];

	for (i = 0; i < len && n < 64; i++) {
		char c = base[i];

		if (c >= 'A' && c <= 'Z')
			c = (char)(c - 'A' + 'a');
		if (!strchr("abcdefghijklmnopqrstuvwxyz0123456789_-", c))
			c = '-';
		if (n || (c != '-' && c != '_'))
			name[n++] = c;
	}
	while (n && name[n - 1] == '-')
		n--;
	name[n] = '\0';
	return wbl_strdup(n ? name : "migration");
}
