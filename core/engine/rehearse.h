/* engine/rehearse.h - trying a step and its way back on copies, in a rehearsal.
 * A step whose plan has the flag "scratch" is called four times before its dry run, each time with a folder of its own
 * in which the handler works on copies: execute, verify, rollback, verify "as before". Entries of kind `rehearsed` tell
 * what was tried and what came of it; a failure fails the step. The folder, and what the step kept as artefacts, are
 * removed.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef WBL_CORE_ENGINE_REHEARSE_H
#define WBL_CORE_ENGINE_REHEARSE_H
#include "core/engine/run.h"

/* Is a trial due before the dry run? */
bool wbl_trial_is_due(const struct wbl_run_step *s);
/* Has nothing of the step been called since it? Then a new pass is due. */
bool wbl_trial_was_last(const struct wbl_run_step *s);
/* Begins it, in a new pass. When it is over the step is started anew, has failed, or was stopped. */
void wbl_trial_start(struct wbl_run_step *s);
/* Removes what a rehearsal that is over has left in the state folder. */
void wbl_rehearsal_clean(const struct wbl_run *run);
/* At the engine's start: no trial goes on. */
void wbl_rehearsals_clean(const struct wbl_engine *e);

/* Body of an entry `rehearsed` of the engine itself: {tried: [calls], failed: call, text, why}. `failed`: what went
 * wrong, why: it could not be tried. */
json_t *wbl_trial_read(const struct wbl_entry *e); /* NULL: the handler's own word */
#endif
