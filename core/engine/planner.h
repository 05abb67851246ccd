/* engine/planner.h - asking handlers for their plans: to make a plan document, and again to bind one at apply.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef WBL_CORE_ENGINE_PLANNER_H
#define WBL_CORE_ENGINE_PLANNER_H
#include "core/engine/host_process.h"
#include "core/engine/spec.h"

struct wbl_planner;

/* `done` is called once, in a later turn. On success `document` is the plan: made, checked, not yet recorded, without
 * id when binding. `errors`: array of wbl_json_error objects. All are the planner's, valid during the call. */
typedef void wbl_planner_done(
	void *ctx, int32_t rc, json_t *document, json_t *errors, const struct wbl_error *err);

/* Makes a plan for a checked spec. The spec is only read during the call. */
struct wbl_planner *wbl_planner_start(struct wbl_engine *e, const struct wbl_spec *spec,
	const char *author, wbl_planner_done *done, void *ctx);
/* Plans again from a document: with bind, for comparison; else to make a new plan of it (after an answer). */
struct wbl_planner *wbl_planner_again(struct wbl_engine *e, const json_t *plan, bool bind,
	const char *author, wbl_planner_done *done, void *ctx);
/* In `done`, after a bind: the handlers' processes go on in the run, instead of being started again. */
void wbl_planner_give_hosts(struct wbl_planner *p, struct wbl_run *run);
/* A migration of a spec as it stands in a plan document. */
json_t *wbl_migration_json(const struct wbl_migration *m);
/* What differs between a stored plan and the one that would be made now: an array of error objects, each a reason
 * for refusal; growth within the rules goes to *ret_notes. */
json_t *wbl_plan_compare(const json_t *stored, const json_t *fresh, json_t **ret_notes);

/* host_services.c: a frame of the plan service; the status for its answer. */
int32_t wbl_planner_frame(struct wbl_call_request *call, const struct wbl_frame *f);
const char *wbl_planner_ask(
	struct wbl_call_request *call, const struct wbl_frame *f); /* the answer or NULL */
void wbl_planner_saw_state(
	struct wbl_call_request *call, const char *name, const struct wbl_buf *value);
const json_t *wbl_planner_document(const struct wbl_planner *p);
#endif
