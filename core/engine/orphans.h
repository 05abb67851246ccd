/* engine/orphans.h - processes that outlived the host that started them, or the engine that started it.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef WBL_CORE_ENGINE_ORPHANS_H
#define WBL_CORE_ENGINE_ORPHANS_H
#include <sys/types.h>

#include "core/engine/engine.h"

struct wbl_orphan {
	pid_t pid; /* 0: none */
	char command[160];
};

/* A host has ended: SIGKILL to whoever still holds its lock, and to children that came to us (we are the subreaper)
 * though they closed everything. True when nobody is left; else one of them, and it is to be asked again soon: a
 * process takes a moment to go, and some do not go. Cheap when there are none. */
bool wbl_orphans_end(struct wbl_engine *e, const char *lock_path, struct wbl_orphan *ret);
/* The same again and again, for so long; blocks. */
bool wbl_orphans_end_within(
	struct wbl_engine *e, const char *lock_path, int64_t ns, struct wbl_orphan *ret);
/* WBL_E_LOCKED: who it is, and what a person can do. */
int32_t wbl_orphan_fail(
	const struct wbl_orphan *o, const char *run, const char *verb, struct wbl_error *err);
/* Before a run is taken up: WBL_E_LOCKED while something of it is left that cannot be ended. */
int32_t wbl_run_is_alone(struct wbl_run *run, struct wbl_error *err);
#endif
