/* engine/validate.h - checks before the first change: our own, and each handler's `check` on the live world.
 * Levels: basic (spec and modules, done when the plan was made), full (permissions, space, versions, live and
 * read-only), strict (warnings fail too).
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef WBL_CORE_ENGINE_VALIDATE_H
#define WBL_CORE_ENGINE_VALIDATE_H
#include "core/engine/run.h"

struct wbl_check;

/* Checks a plan document. `done` is called once, in a later turn: ok, and findings as in docs/control.md. */
struct wbl_check *wbl_check_start(struct wbl_engine *e, const json_t *plan, const char *level,
	void (*done)(void *ctx, bool ok, json_t *findings), void *ctx);
/* Within a run: WBL_E_RETRY while under way, 0 when it is good, else the code; run->validation_error says why. */
int32_t wbl_run_validate(struct wbl_run *run);
#endif
