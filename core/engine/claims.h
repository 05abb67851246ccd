/* engine/claims.h - who holds what, within a run and between runs.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef WBL_CORE_ENGINE_CLAIMS_H
#define WBL_CORE_ENGINE_CLAIMS_H
#include "core/engine/run.h"

void wbl_claims_make(struct wbl_run *run); /* once its steps are made */
void wbl_claims_clear(struct wbl_run *run);
/* Steps of the run that are on their way; background ones do not count, and hold nothing against others. */
size_t wbl_claims_running(struct wbl_run *run);
bool wbl_claims_taken(const struct wbl_run_step *s); /* does one of those hold what `s` needs? */
bool wbl_claims_clash(const struct wbl_run *a, const struct wbl_run *b, char **ret_what);
#endif
