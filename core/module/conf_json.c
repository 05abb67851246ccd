/* module/conf_json.c - from libconfig's tree to jansson's, remembering where everything stood.
 * SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "core/module/conf_json.h"

#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/base/file.h"

struct conversion {
	const char *where;
	json_t *places;
	struct wbl_error *err;
};

/* `file` is the included one as @include names it, relative to the folder of `where`; NULL: `where` itself. */
static char *place_at(const char *where, const char *file, int line)
{
	const char *slash = strrchr(where, '/');

	if (!file)
		return wbl_strf("%s:%d", where, line);
	return wbl_strf("%.*s%s:%d", slash ? (int)(slash - where + 1) : 0, where, file, line);
}

static char *place_of(const struct conversion *c, const config_setting_t *s)
{
	return place_at(c->where, config_setting_source_file(s), config_setting_source_line(s));
}

static int32_t refuse(
	const struct conversion *c, const config_setting_t *s, const char *path, const char *what)
{
	WBL_AUTOFREE char *place = place_of(c, s);

	return wbl_fail(c->err, WBL_E_USAGE, place, "Correct the value.", "%s: %s", path, what);
}

static int32_t convert(
	const struct conversion *c, const config_setting_t *s, const char *path, json_t **ret);

static int32_t convert_members(
	const struct conversion *c, const config_setting_t *s, const char *path, json_t *into)
{
	int n = config_setting_length(s), i;
	int32_t rc = 0;

	for (i = 0; i < n && !rc; i++) {
		const config_setting_t *m = config_setting_get_elem(s, (unsigned)i);
		const char *name = config_setting_name(m);
		WBL_AUTOFREE char *inner = !json_is_object(into) ? wbl_strf("%s[%d]", path, i)
					   : *path               ? wbl_strf("%s.%s", path, name)
								 : wbl_strdup(name);
		json_t *j = NULL;

		rc = convert(c, m, inner, &j);
		if (!rc && json_is_object(into))
			json_object_set_new(into, name, j);
		else if (!rc)
			json_array_append_new(into, j);
	}
	return rc;
}

static int32_t convert_scalar(
	const struct conversion *c, const config_setting_t *s, const char *path, json_t **ret)
{
	const char *text;
	double x;

	switch (config_setting_type(s)) {
	case CONFIG_TYPE_INT:
	case CONFIG_TYPE_INT64:
		*ret = json_integer(config_setting_get_int64(s));
		return 0;
	case CONFIG_TYPE_FLOAT:
		x = config_setting_get_float(s);
		if (!isfinite(x))
			return refuse(c, s, path, "the number is not finite");
		*ret = json_real(x);
		return 0;
	case CONFIG_TYPE_BOOL:
		*ret = json_boolean(config_setting_get_bool(s));
		return 0;
	case CONFIG_TYPE_STRING:
		text = config_setting_get_string(s);
		if (!text || !wbl_utf8_valid(text, strlen(text)))
			return refuse(c, s, path, "the text is not UTF-8 after its escapes");
		*ret = json_string(text);
		return 0;
	default:
		return refuse(c, s, path, "the setting has no value");
	}
}

static int32_t convert(
	const struct conversion *c, const config_setting_t *s, const char *path, json_t **ret)
{
	bool group = config_setting_is_group(s);
	int32_t rc;

	if (c->places && *path) {
		WBL_AUTOFREE char *place = place_of(c, s);

		wbl_json_put(c->places, path, place);
	}
	if (!group && !config_setting_is_list(s) && !config_setting_is_array(s))
		return convert_scalar(c, s, path, ret);
	*ret = group ? json_object() : json_array();
	rc = convert_members(c, s, path, *ret);
	if (rc) {
		json_decref(*ret);
		*ret = NULL;
	}
	return rc;
}

int32_t wbl_libconfig_json(const config_setting_t *s, const char *where, const char *base,
	json_t *places, json_t **ret, struct wbl_error *err)
{
	struct conversion c = { .where = where, .places = places, .err = err };
	json_t *j = NULL;
	int32_t rc = convert(&c, s, base ? base : "", &j);

	if (!rc)
		*ret = j;
	return rc;
}

const char *wbl_conf_place(const struct wbl_conf *c, const char *path)
{
	WBL_AUTOFREE char *p = wbl_strdup(path);
	const char *found;
	char *cut;

	for (;;) {
		found = wbl_json_str(c->places, p);
		if (found)
			return found;
		for (cut = p + strlen(p); cut > p && *cut != '.' && *cut != '[';)
			cut--;
		if (cut == p)
			return c->where;
		*cut = '\0';
	}
}

static const char *lookup(const struct wbl_places *me, const char *path)
{
	return wbl_conf_place(
		(const struct wbl_conf *)((const char *)me - offsetof(struct wbl_conf, lookup)),
		path);
}

static int32_t syntax(const config_t *cfg, const char *where, struct wbl_error *err)
{
	const char *file = config_error_file(cfg);
	WBL_AUTOFREE char *place = place_at(where, file, config_error_line(cfg));
	bool twice =
		config_error_text(cfg) && !strcmp(config_error_text(cfg), "duplicate setting name");

	if (twice)
		return wbl_fail(err, WBL_E_USAGE, place, "Keep one of them.",
			"a setting with this name stands here already");
	return wbl_fail(err, WBL_E_USAGE, place,
		"Look at this line and the one before it: a setting is name = value; and brackets "
		"come in pairs.",
		"not valid libconfig text: %s",
		config_error_text(cfg) ? config_error_text(cfg) : "unknown");
}

static int32_t parse(const char *text, unsigned flags, struct wbl_conf *c, struct wbl_error *err)
{
	config_t cfg;
	int32_t rc;

	config_init(&cfg);
	config_set_include_dir(&cfg, c->dir);
	if (!config_read_string(&cfg, text))
		rc = syntax(&cfg, c->where, err);
	else
		rc = wbl_libconfig_json(config_root_setting(&cfg), c->where, "",
			flags & WBL_CONF_NO_PLACES ? NULL : c->places, &c->json, err);
	config_destroy(&cfg);
	return rc;
}

int32_t wbl_conf_parse(const char *text, size_t len, const char *where, unsigned flags,
	struct wbl_conf **ret, struct wbl_error *err)
{
	int32_t rc = wbl_libconfig_scan(text, len, where, flags, err);
	WBL_AUTOFREE char *ended = NULL;
	const char *slash = strrchr(where, '/');
	char here[PATH_MAX];
	struct wbl_conf *c;

	if (rc)
		return rc;
	c = wbl_alloc(sizeof *c);
	c->where = wbl_strdup(where);
	c->places = json_object();
	if (!getcwd(here, sizeof here))
		snprintf(here, sizeof here, "/");
	ended = slash ? wbl_strndup(where, (size_t)(slash - where) + 1) : wbl_strdup(".");
	c->dir = wbl_path_absolute(here, ended);
	c->lookup = (struct wbl_places){ .of = lookup, .dir = c->dir };
	free(ended);
	ended = wbl_strndup(text, len);
	rc = parse(ended, flags, c, err);
	if (rc)
		wbl_conf_free(c);
	else
		*ret = c;
	return rc;
}

int32_t wbl_conf_load(
	const char *path, unsigned flags, struct wbl_conf **ret, struct wbl_error *err)
{
	struct wbl_buf text = { 0 };
	int32_t rc = wbl_file_read(path, 1u << 20, &text, err);

	if (!rc)
		rc = wbl_conf_parse(text.data, text.len, path, flags, ret, err);
	wbl_buf_clear(&text);
	return rc;
}

void wbl_conf_free(struct wbl_conf *c)
{
	if (!c)
		return;
	json_decref(c->json);
	json_decref(c->places);
	free(c->where);
	free(c->dir);
	free(c);
}
