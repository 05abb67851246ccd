/* engine/plan.h - plan documents: finding, reading, digests (docs/control.md has their members).
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef WBL_CORE_ENGINE_PLAN_H
#define WBL_CORE_ENGINE_PLAN_H
#include "core/state/journal.h"

/* The document of a plan id; *ret_text (may be NULL) its exact bytes, caller frees. NULL and err otherwise. */
json_t *wbl_plan_load(struct wbl_state *s, const char *id, char **ret_text, struct wbl_error *err);
/* Id, "last", or at least 8 digits of the digest -> the id; caller frees. NULL and err otherwise. */
char *wbl_plan_resolve(struct wbl_state *s, const char *text, struct wbl_error *err);
/* The run that has used the plan; caller frees; NULL: none. */
char *wbl_plan_used_by(struct wbl_state *s, const char *id);
/* SHA-256 over what would be done, without times, counts and estimates. */
void wbl_plan_change_digest(const json_t *plan, char out[WBL_SHA256_HEX]);
/* Shape of a document that is not known to be ours: every member that the engine reads has its type, versions are
 * known, references resolve. WBL_E_OLD_PLAN. */
int32_t wbl_plan_check(const json_t *plan, struct wbl_error *err);
/* The policy of a run: what `apply` was told in place of what the plan says. The document on record stays as it is. */
void wbl_plan_override(json_t *plan, const json_t *args);
#endif
