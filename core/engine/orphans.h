/* engine/orphans.h - processes that outlived the host that started them, or the engine that started it.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef WBL_CORE_ENGINE_ORPHANS_H
#define WBL_CORE_ENGINE_ORPHANS_H
#include "core/engine/engine.h"

/* A host has ended: ends whoever still holds its lock, and children that came to us (we are the subreaper) though
 * they closed everything. Cheap when there are none. */
void wbl_orphans_end(struct wbl_engine *e, const char *lock_path);
#endif
