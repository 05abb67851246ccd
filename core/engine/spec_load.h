/* engine/spec_load.h - what the files that read a spec share; private to them.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef WBL_CORE_ENGINE_SPEC_LOAD_H
#define WBL_CORE_ENGINE_SPEC_LOAD_H
#include "core/engine/spec.h"
#include "core/engine/spec_text.h"

struct wbl_conf;

#define WBL_SPEC_MIGRATIONS 256

struct wbl_spec_load {
	struct wbl_spec *spec;
	struct wbl_spec_text text;
	struct wbl_conf *conf;
	const struct wbl_registry *registry;
	const struct wbl_environment *env;
	json_t *errors;
	size_t unseen;
	enum wbl_params_for purpose;
};

/* Each adds one mistake; the reading goes on. `path`: "" for the whole spec. */
void wbl_spec_add_error(struct wbl_spec_load *l, const struct wbl_error *e, const char *path);
void wbl_spec_complain(struct wbl_spec_load *l, const char *path, const char *hint, const char *fmt,
	...) __attribute__((format(printf, 4, 5)));
/* "expected EXPECTED, found ..." */
void wbl_spec_complain_type(struct wbl_spec_load *l, const char *path, const json_t *found,
	const char *expected, const char *hint);

/* A copy, or NULL when it is absent or after a complaint. */
char *wbl_spec_read_name(struct wbl_spec_load *l, const json_t *j, const char *path);
/* A list of different names, NULL-ended; NULL after a complaint about the whole. */
char **wbl_spec_read_names(
	struct wbl_spec_load *l, const json_t *list, const char *path, size_t most);
void wbl_spec_check_text(struct wbl_spec_load *l, const json_t *j, const char *path);
void wbl_spec_refuse_unknown(struct wbl_spec_load *l, const json_t *group, const char *path,
	const char *const *keys, const char *of);
/* "Crm to New.conf" -> "crm-to-new" */
char *wbl_spec_name_of_file(const char *file);

/* `m` is an element of l->spec->migrations, zeroed; those before it have been read. `single`: it needs no name. */
void wbl_spec_read_migration(struct wbl_spec_load *l, struct wbl_migration *m, const json_t *given,
	const char *path, bool single);
/* The environment's defaults for the policy of migrations. */
void wbl_spec_check_defaults(struct wbl_spec_load *l);
#endif
