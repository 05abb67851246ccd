/* engine/spec.h - the operator's request: libconfig text in, checked migrations out.
 * In: text, its name and folder, the registry of modules, the environment.  Out: for each migration the handler,
 * its parameters with defaults filled in, its peers, its policy; or all errors, each with file:line, path,
 * expected, nearest right name. No module code runs.
 * New members of a migration go into spec_keys.def.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef WBL_CORE_ENGINE_SPEC_H
#define WBL_CORE_ENGINE_SPEC_H
#include "core/base/json.h"
#include "core/module/params.h"

struct wbl_registry;
struct wbl_provides;
struct wbl_module_entry;
struct wbl_environment;

struct wbl_policy {
	char *validation;   /* "basic" "full" "strict"; default "full" */
	char *rollback;     /* "auto" (on failure) or "manual"; default "auto" */
	char *recovery;     /* "resume" "rollback" "ask"; default "resume" */
	int64_t timeout_ns; /* of each step's attempt; 0 none */
	int64_t grace_ns;   /* between a stop signal and the kill; default 10 s */
	int64_t backoff_ns; /* before the second attempt, doubled each time; default 1 s */
	int64_t attempts;   /* default 3 */
	int64_t processes;  /* for partitioned steps; default: processors, at most 4 */
};

struct wbl_migration {
	char *name; /* ^[a-z0-9][a-z0-9_-]{0,63}$, unique in the spec */
	char *handler;
	const struct wbl_provides *provides;   /* borrowed from the registry */
	const struct wbl_module_entry *module; /* likewise */
	json_t *params; /* source, target and options merged into one checked object */
	json_t *peers; /* array as in HELLO of wire.def: [{param, interface, name, module, params, peers}] */
	json_t *connections; /* {"source": "@crm"}: which parameters came from the environment */
	char **after;        /* names of migrations of this spec; NULL-ended */
	struct wbl_policy policy;
};

struct wbl_spec {
	char *name; /* of the spec: `name` at top level, else the only migration's name, else the file's */
	char *file, *dir, *environment;
	char sha256[65]; /* of the text, with included files in their place */
	struct wbl_migration *migrations;
	size_t count;
	char **barriers;  /* operator's order; NULL-ended; default fence drain switch unfence */
	json_t *warnings; /* array of wbl_json_error objects */
};

/* `name` is the file as the operator typed it, `dir` its absolute folder. *ret_errors gets an array with every error
 * found, each with its "path" (the caller decrefs; it is empty after success), err the first. WBL_E_USAGE or
 * WBL_E_PARAM; *ret is written on success only. `env` may be NULL: none, called "default". Files named by @include
 * are read here, below `dir` only. */
int32_t wbl_spec_load(const char *name, const char *dir, const char *text, size_t len,
	const struct wbl_registry *registry, const struct wbl_environment *env,
	enum wbl_params_for purpose, struct wbl_spec **ret, json_t **ret_errors,
	struct wbl_error *err);
void wbl_spec_free(struct wbl_spec *spec);
#endif
