/* module/params.h - parameters held against the manifest's schema, before anything is loaded.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef WBL_CORE_MODULE_PARAMS_H
#define WBL_CORE_MODULE_PARAMS_H
#include "core/module/manifest.h"

struct wbl_registry;

/* A place in the operator's file for a value: "file:line". Returns NULL when unknown. Borrowed. */
struct wbl_places {
	const char *(*of)(
		const struct wbl_places *me, const char *path); /* path: "migration.target.path" */
	const char *dir;                                        /* relative paths are below it */
	/* The same for one value, which came from another file (an environment's); NULL, or returns NULL: dir. */
	const char *(*dir_of)(const struct wbl_places *me, const char *path);
};

/* Checks `given` (a JSON object) against the schema and makes *ret: defaults filled in, sizes and durations as
 * integers (bytes, ns), paths absolute, secrets as {"$secret":"file:/..." or "env:NAME"}, never their value.
 * A peer ({"store":"sqlite", ...}; {"router":...}; {"transform":...}) is checked against the manifest of the
 * module that provides it, found in `registry`. All errors are collected: *ret_errors (a JSON array of
 * wbl_json_error objects) and the first one in err. `base` is the path of the object in the spec.
 * Is not to be given in again: a duration in *ret is in ns, an integer in `given` means seconds.
 * WBL_E_PARAM when anything is wrong. Deprecated parameters become entries of *ret_warnings. */
enum wbl_params_for { WBL_PARAMS_FOR_RUN, WBL_PARAMS_FOR_ASSESS };
/* FOR_ASSESS: of a handler only what its manifest's `assess` names must be there. */
int32_t wbl_params_check(const struct wbl_provides *p, const struct wbl_registry *registry,
	enum wbl_params_for purpose, const json_t *given, const char *base,
	const struct wbl_places *places, json_t **ret, json_t **ret_errors, json_t **ret_warnings,
	struct wbl_error *err);

/* One value against one parameter (not a peer): bounds, pattern, canonical form. places NULL: paths stay relative.
 * WBL_E_PARAM; *ret is the caller's. */
int32_t wbl_param_value(const struct wbl_param *p, const json_t *given, const char *path,
	const struct wbl_places *places, json_t **ret, struct wbl_error *err);

/* Reads the secret that a reference names into buf. The value is never logged. "file:" must not be readable by
 * others than owner and group. WBL_E_UNAVAILABLE, WBL_E_PARAM. */
int32_t wbl_secret_read(const char *reference, struct wbl_buf *ret, struct wbl_error *err);
#endif
