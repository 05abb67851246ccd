/* host/serve.h - the services which a module finds by id; one table each, in serve_*.c.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef WBL_CORE_HOST_SERVE_H
#define WBL_CORE_HOST_SERVE_H
#include "core/base/json.h"
#include "whimbrel/services.h"

struct wbl_service_options {
	bool fault, rehearse, trust_any_owner;
	int64_t clock_offset_ns;
	const json_t *only; /* ids that are offered; NULL: all */
};
extern struct wbl_service_options wbl_service_options; /* set before the first module is loaded */

const struct wbl_host *wbl_service_host(void);

extern const struct wbl_log_service wbl_service_log;
extern const struct wbl_diag_service wbl_service_diag;
extern const struct wbl_params_service wbl_service_params;
extern const struct wbl_plan_service wbl_service_plan;
extern const struct wbl_ask_service wbl_service_ask;
extern const struct wbl_run_service wbl_service_run;
extern const struct wbl_chunk_service wbl_service_chunk;
extern const struct wbl_state_service wbl_service_state;
extern const struct wbl_undo_service wbl_service_undo;
extern const struct wbl_artefact_service wbl_service_artefact;
extern const struct wbl_check_service wbl_service_check;
extern const struct wbl_clock_service wbl_service_clock;
extern const struct wbl_fault_service wbl_service_fault;
extern const struct wbl_peer_service wbl_service_peer;
#endif
