/* observe/summary.h - what people and programs are shown of a run (docs/control.md has the members).
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef WBL_CORE_OBSERVE_SUMMARY_H
#define WBL_CORE_OBSERVE_SUMMARY_H
#include "core/engine/run.h"

json_t *wbl_run_summary(struct wbl_run *run, bool with_steps);
json_t *wbl_run_waiting_for(const struct wbl_run *run);
json_t *wbl_run_report(struct wbl_run *run, struct wbl_error *err);
/* proof.c: the member "verification"; steps: id -> what report.c has collected of it. */
json_t *wbl_run_proof(const struct wbl_run *run, const json_t *steps);
/* A page of what counts now: {run, total, kinds, shown, next: what to give as `after` for the page behind it}. */
json_t *wbl_run_differences(
	struct wbl_run *run, int64_t after, int64_t limit, struct wbl_error *err);
json_t *wbl_run_explain(struct wbl_run *run);
#endif
