/* engine/learn.h - estimates from what earlier runs of this state folder took.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef WBL_CORE_ENGINE_LEARN_H
#define WBL_CORE_ENGINE_LEARN_H
#include "core/engine/run.h"

/* After a step was verified: keeps how long it took, when that says something. */
void wbl_learn_step(struct wbl_run_step *s);
/* Puts times and basis into the estimates of a plan document, where something was learnt. */
void wbl_learn_apply(struct wbl_engine *e, json_t *plan);
#endif
