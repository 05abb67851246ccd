/* module/conf_json.h - libconfig files as JSON, with the place of every setting.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef WBL_CORE_MODULE_CONF_JSON_H
#define WBL_CORE_MODULE_CONF_JSON_H
#include <libconfig.h>

#include "core/base/json.h"
#include "core/module/params.h"
#include "core/module/scan.h"

/* Group -> object (in the order of the file), array and list -> array, integers, floats, booleans, texts.
 * Every setting's place goes into `places` (an object, may be NULL): "base.tables[2].name" -> "file:line";
 * `base` "" for none. `where` is the file, unless a setting came from an included one. A text that is not UTF-8
 * after its escapes, and a number that is not finite, are refused (WBL_E_USAGE). The caller owns *ret. */
int32_t wbl_libconfig_json(const config_setting_t *s, const char *where, const char *base,
	json_t *places, json_t **ret, struct wbl_error *err);

/* A whole file as JSON. Not thread-safe per object; all is the object's until wbl_conf_free. */
struct wbl_conf {
	json_t *json;   /* the root group */
	json_t *places; /* path -> "file:line" */
	struct wbl_places
		lookup;    /* of wbl_params_check: the place of a path, or of what holds it */
	char *where, *dir; /* the file as it was named; its folder, absolute */
};

#define WBL_CONF_NO_PLACES                                                                         \
	4u /* flag: places is empty; faster, for text that is parsed again when it is wrong */

/* Scan, parse, convert. WBL_E_USAGE with file, line and what is wrong. */
int32_t wbl_conf_parse(const char *text, size_t len, const char *where, unsigned flags,
	struct wbl_conf **ret, struct wbl_error *err);
int32_t wbl_conf_load(
	const char *path, unsigned flags, struct wbl_conf **ret, struct wbl_error *err);
void wbl_conf_free(struct wbl_conf *c);

/* What a group may hold: a table ended by a NULL name. */
enum wbl_conf_kind {
	WBL_CONF_ANY,
	WBL_CONF_TEXT,
	WBL_CONF_BOOL,
	WBL_CONF_INT,
	WBL_CONF_TEXTS,
	WBL_CONF_GROUP,
	WBL_CONF_GROUPS
};
struct wbl_conf_key {
	const char *name;
	enum wbl_conf_kind kind;
	bool required;
};
/* Refuses unknown names (with the nearest right one), wrong types and missing settings of one group. */
int32_t wbl_conf_check(const struct wbl_conf *c, const json_t *group, const char *path,
	const struct wbl_conf_key *keys, struct wbl_error *err);
/* WBL_E_USAGE with where "file:line: path". */
int32_t wbl_conf_fail(const struct wbl_conf *c, const char *path, const char *hint,
	struct wbl_error *err, const char *fmt, ...) __attribute__((format(printf, 5, 6)));
/* What a value is, for messages: `the text "x"`, `the number 5`, `a list`. Long texts are cut. */
const char *wbl_json_what(const json_t *j, char out[96]);
/* "Did you mean \"x\"?", or a list of the names when none is near; `known` is NULL-ended. */
const char *wbl_suggest(const char *name, const char *const *known, char out[400]);
/* "file:line" of the path, else of the nearest setting that holds it, else the file. Never NULL; borrowed. */
const char *wbl_conf_place(const struct wbl_conf *c, const char *path);
#endif
