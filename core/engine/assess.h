/* engine/assess.h - looking at a source without a plan: handlers' findings, kept in the journal and compared with the
 * ones before.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef WBL_CORE_ENGINE_ASSESS_H
#define WBL_CORE_ENGINE_ASSESS_H
#include "core/engine/migrate.h"

struct wbl_assess;

/* args: as in docs/control.md (assess). NULL: answered already (in a later turn); else the request under way, which
 * wbl_assess_stop ends early. Not to be used after `done`. */
struct wbl_assess *wbl_assess_start(
	struct wbl_engine *e, const json_t *args, const char *actor, wbl_answer *done, void *ctx);
/* Nobody waits for it any more. `done` still comes. */
void wbl_assess_stop(struct wbl_assess *a);

/* The assessments of this state folder, newest first: [{assessment, made, sources: [text], reused: false}]. */
json_t *wbl_assess_list(struct wbl_engine *e, int64_t limit);
/* One as it was kept; NULL: none of this id ("last": the newest). */
json_t *wbl_assess_find(struct wbl_engine *e, const char *id);

/* assess_source.c: a path or a connection becomes the text of a spec. Which store takes a file its first bytes or its
 * name's end tell. *ret_passed: names in a folder that no store takes. WBL_E_USAGE, WBL_E_NOT_FOUND,
 * WBL_E_UNAVAILABLE. */
int32_t wbl_assess_spec_text(const struct wbl_registry *registry, const json_t *source,
	struct wbl_buf *ret, json_t **ret_passed, struct wbl_error *err);
#endif
