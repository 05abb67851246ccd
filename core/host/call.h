/* host/call.h - one CALL of the engine: the handler's function is called with the work, and its status goes back.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef WBL_CORE_HOST_CALL_H
#define WBL_CORE_HOST_CALL_H
#include "core/host/instance.h"
#include "core/module/wire.h"

/* Calls create, when the handler has one. */
int32_t wbl_call_create(struct wbl_instance *handler, struct wbl_error *err);
void wbl_call_destroy(struct wbl_instance *handler);
/* Runs the CALL and sends RETURN. false: a newer epoch rules, the process must end. */
bool wbl_call_run(struct wbl_instance *handler, struct wbl_frame *call);
/* The names of the calls which the handler has beyond the mandatory ones. */
json_t *wbl_call_optional(const struct wbl_instance *handler);
#endif
