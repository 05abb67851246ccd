/* service/verbs.h - the longer verbs.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef WBL_CORE_SERVICE_VERBS_H
#define WBL_CORE_SERVICE_VERBS_H
#include "core/engine/run.h"
#include "core/service/control.h"

/* verify_again.c: long after, what the lasting steps claim (verify), or mending the recorded differences (repair).
 * `run` NULL: already refused. */
void wbl_verb_verify(struct wbl_control_request *r, struct wbl_run *run, enum wbl_call_kind kind);
/* doctor.c */
void wbl_verb_handler(struct wbl_control_request *r);
void wbl_verb_doctor(struct wbl_control_request *r);
#endif
