/* observe/summary.h - what people and programs are shown of a run (docs/control.md has the members).
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef WBL_CORE_OBSERVE_SUMMARY_H
#define WBL_CORE_OBSERVE_SUMMARY_H
#include "core/engine/run.h"

json_t *wbl_run_summary(struct wbl_run *run, bool with_steps);
json_t *wbl_run_waiting_for(const struct wbl_run *run);
json_t *wbl_run_report(struct wbl_run *run, struct wbl_error *err);
json_t *wbl_run_explain(struct wbl_run *run);
#endif
