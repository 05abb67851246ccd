/* engine/values.h - wbl.state/1: small values that outlive a run (cursors, positions, merge bases).
 * A value is put in a run, holds for its spec, handler and environment when that run completes, and goes with its
 * rollback. Scope and name are one text in the journal.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef WBL_CORE_ENGINE_VALUES_H
#define WBL_CORE_ENGINE_VALUES_H
#include "core/engine/run.h"

/* What holds now; in a run, what it put itself comes first. WBL_END when there is none. ret is cleared first. */
int32_t wbl_value_get(struct wbl_engine *e, const json_t *plan, struct wbl_run *run,
	const char *migration, const char *name, struct wbl_buf *ret, struct wbl_error *err);
char *wbl_value_scope(
	const json_t *plan, const char *migration, const char *name); /* caller frees */
void wbl_run_hold_values(struct wbl_run *run);                        /* the run completes */
void wbl_run_restore_values(struct wbl_run *run);                     /* the run was rolled back */
#endif
