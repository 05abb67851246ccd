/* conform/cast.h - a stage with the module's handler on it: from the fixture's plan, else from the examples of its manifest.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef WBL_CORE_CONFORM_CAST_H
#define WBL_CORE_CONFORM_CAST_H
#include "core/conform/stage.h"
#include "core/conform/world.h"

/* False: the test is over with *ret. w->plan is NULL when there is no world: then plan is all that can be called. */
bool wbl_cast_open(
	struct wbl_kit *k, struct wbl_stage *s, struct wbl_world *w, enum wbl_verdict *ret);
/* The same, and the migration can be played: it is planned, and the stage knows all its steps. */
bool wbl_cast_open_world(
	struct wbl_kit *k, struct wbl_stage *s, struct wbl_world *w, enum wbl_verdict *ret);
void wbl_cast_close(struct wbl_kit *k, struct wbl_stage *s, struct wbl_world *w);
/* Everything as before the first step; the steps are known. */
void wbl_cast_reset(struct wbl_stage *s);
/* A call failed: the verdict with where and why; a crash is told as one. */
enum wbl_verdict wbl_cast_failed(
	struct wbl_kit *k, const struct wbl_stage *s, const char *what, int32_t status);
/* Closes all and ends the test with what `how` says, if anything; takes `how`. */
enum wbl_verdict wbl_cast_judge(
	struct wbl_kit *k, struct wbl_stage *s, struct wbl_world *w, const char *what, char *how);
#endif
