/* engine/host_service.h - what the files behind host_services.c share: answering, appending, naming.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef WBL_CORE_ENGINE_HOST_SERVICE_H
#define WBL_CORE_ENGINE_HOST_SERVICE_H
#include "core/engine/host_process.h"

void wbl_serve_reply(struct wbl_call_request *call, const struct wbl_frame *f, int32_t status);
const char *wbl_serve_text(const struct wbl_frame *f, const char *key);
void wbl_serve_append(struct wbl_call_request *call, struct wbl_entry e);
void wbl_serve_append_text(struct wbl_call_request *call, struct wbl_entry e, json_t *body);
const char *wbl_serve_owner(const struct wbl_call_request *call);
const char *wbl_serve_step_id(const struct wbl_call_request *call);
void wbl_serve_refuse(struct wbl_call_request *call, const struct wbl_frame *f, int32_t rc,
	const struct wbl_error *err);
/* d is stolen; beyond a hundred the last one stays, which may be the headline. */
void wbl_serve_keep_diagnostic(struct wbl_call_request *call, json_t *d);
int64_t wbl_serve_not_negative(const struct wbl_frame *f, const char *key);
struct wbl_run_step *wbl_serve_step_named(struct wbl_call_request *call, const char *name);

/* host_drains.c */
void wbl_serve_bg_ready(struct wbl_call_request *call, struct wbl_frame *f);
void wbl_serve_drained(struct wbl_call_request *call, struct wbl_frame *f);
void wbl_serve_drain(struct wbl_call_request *call, struct wbl_frame *f);
void wbl_serve_lag(struct wbl_call_request *call, struct wbl_frame *f);

/* host_keep.c */
void wbl_serve_state_get(struct wbl_call_request *call, struct wbl_frame *f);
void wbl_serve_state_put(struct wbl_call_request *call, struct wbl_frame *f);
void wbl_serve_undo_put(struct wbl_call_request *call, struct wbl_frame *f);
void wbl_serve_undo_each(struct wbl_call_request *call, struct wbl_frame *f);
void wbl_serve_undo_done(struct wbl_call_request *call, struct wbl_frame *f);
void wbl_serve_art_create(struct wbl_call_request *call, struct wbl_frame *f);
void wbl_serve_art_seal(struct wbl_call_request *call, struct wbl_frame *f);
void wbl_serve_art_open(struct wbl_call_request *call, struct wbl_frame *f);
void wbl_serve_art_each(struct wbl_call_request *call, struct wbl_frame *f);
void wbl_serve_diff(struct wbl_call_request *call, struct wbl_frame *f);
void wbl_serve_covered(struct wbl_call_request *call, struct wbl_frame *f);
void wbl_serve_diff_next(struct wbl_call_request *call, struct wbl_frame *f);
void wbl_serve_diff_done(struct wbl_call_request *call, struct wbl_frame *f);
#endif
