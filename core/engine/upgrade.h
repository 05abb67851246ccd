/* engine/upgrade.h - modules whose file has changed since a run began.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef WBL_CORE_ENGINE_UPGRADE_H
#define WBL_CORE_ENGINE_UPGRADE_H
#include "core/base/error.h"

struct wbl_run;
struct wbl_upgrade;

/* May the run go on with the module files that are there now? Reads the module folders anew. WBL_E_OLD_PLAN. */
int32_t wbl_run_fits(struct wbl_run *run, struct wbl_error *err);
/* Takes over from the old files what has to be; until that is done the run does not advance. When it cannot be
 * done, the run is held again, with a note that says why. */
void wbl_run_upgrade(struct wbl_run *run);
void wbl_upgrade_free(struct wbl_upgrade *u); /* NULL is fine */
/* It rose while the call was under way; u may be NULL. */
void wbl_upgrade_tell_epoch(struct wbl_upgrade *u, int64_t epoch);
#endif
