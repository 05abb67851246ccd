/* engine/spec_refs.h - what a migration's parameters refer to: connections of the environment, peers of modules.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef WBL_CORE_ENGINE_SPEC_REFS_H
#define WBL_CORE_ENGINE_SPEC_REFS_H
#include "core/base/json.h"

struct wbl_environment;
struct wbl_param;
struct wbl_provides;
struct wbl_registry;

/* Init by hand: registry, env, complain, context; the rest empty objects by _init. */
struct wbl_spec_refs {
	const struct wbl_registry *registry;
	const struct wbl_environment *env; /* NULL: none */
	void (*complain)(void *context, const char *path, const char *hint, const char *text);
	void *context;
	json_t *connections; /* parameter -> "@name", as the spec wrote them */
	json_t *routes; /* path in the spec -> path in the environment file, for values that came from there */
	json_t *failed; /* paths of names that were not found: already complained of */
	int depth;      /* of connections within connections */
};

void wbl_spec_refs_init(struct wbl_spec_refs *r);
void wbl_spec_refs_clear(struct wbl_spec_refs *r);
/* The parameters with each "@name" replaced by the environment's connection of that name, wherever `p` wants a
 * peer (and a group, for `source` and `target` themselves). Paths and secret files of a connection hang on the
 * environment's folder. `base` is the path of `given`. What cannot be found stays as it is. A new object. */
json_t *wbl_spec_refs_resolve(struct wbl_spec_refs *r, const struct wbl_provides *p,
	const json_t *given, const char *base);
/* The place of a path below a route, "file:line", or NULL. Borrowed. */
const char *wbl_spec_refs_place(const struct wbl_spec_refs *r, const char *path);

/* The peers found in checked parameters: [{param, interface, name, module{path,sha256,id,version,name}, params,
 * peers}] as HELLO of wire.def has it. A new array. */
json_t *wbl_spec_peers(
	const struct wbl_registry *registry, const struct wbl_provides *p, const json_t *checked);
#endif
