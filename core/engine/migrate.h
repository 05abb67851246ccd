/* engine/migrate.h - the verbs that make plans and runs, each ending in one answer.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef WBL_CORE_ENGINE_MIGRATE_H
#define WBL_CORE_ENGINE_MIGRATE_H
#include "core/engine/engine.h"

/* Called once, in a later turn than the request, after what it reports is durable. `result` is stolen by the callee
 * (NULL on failure), `errors` (may be NULL) and err are valid during the call. */
typedef void wbl_answer(
	void *ctx, int32_t rc, json_t *result, json_t *errors, const struct wbl_error *err);

/* args: as in docs/control.md. `actor` is copied. */
void wbl_migrate_plan(
	struct wbl_engine *e, const json_t *args, const char *actor, wbl_answer *done, void *ctx);
void wbl_migrate_apply(
	struct wbl_engine *e, const json_t *args, const char *actor, wbl_answer *done, void *ctx);
void wbl_migrate_rehearse(
	struct wbl_engine *e, const json_t *args, const char *actor, wbl_answer *done, void *ctx);
void wbl_migrate_validate(
	struct wbl_engine *e, const json_t *args, const char *actor, wbl_answer *done, void *ctx);
/* An answer to a plan's question makes a new plan with it. */
void wbl_migrate_answer_plan(
	struct wbl_engine *e, const json_t *args, const char *actor, wbl_answer *done, void *ctx);
#endif
