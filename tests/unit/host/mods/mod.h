/* tests/unit/host/mods/mod.h - what the small test modules share; no SDK, so that each breach stands in plain sight.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef WBL_TESTS_MOD_H
#define WBL_TESTS_MOD_H
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "whimbrel/router.h"

#define EXPORTED __attribute__((visibility("default")))
#define SVC(call, type, id) ((const struct type *)(call)->host->service((call)->host, id))
#define LOG(call) SVC(call, wbl_log_service, "wbl.log/1")
#define DIAG(call) SVC(call, wbl_diag_service, "wbl.diag/1")
#define PARAMS(call) SVC(call, wbl_params_service, "wbl.params/1")
#define PLAN(call) SVC(call, wbl_plan_service, "wbl.plan/1")
#define ASK(call) SVC(call, wbl_ask_service, "wbl.ask/1")
#define RUN(call) SVC(call, wbl_run_service, "wbl.run/1")
#define CHUNK(call) SVC(call, wbl_chunk_service, "wbl.chunk/1")
#define STATE(call) SVC(call, wbl_state_service, "wbl.state/1")
#define UNDO(call) SVC(call, wbl_undo_service, "wbl.undo/1")
#define ARTEFACT(call) SVC(call, wbl_artefact_service, "wbl.artefact/1")
#define CHECK(call) SVC(call, wbl_check_service, "wbl.check/1")
#define CLOCK(call) SVC(call, wbl_clock_service, "wbl.clock/1")
#define FAULT(call) SVC(call, wbl_fault_service, "wbl.fault/1")
#define PEER(call) SVC(call, wbl_peer_service, "wbl.peer/1")

__attribute__((format(printf, 2, 3), unused)) static void say(
	struct wbl_call *call, const char *fmt, ...)
{
	char text[4096];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	LOG(call)->write(call, 1, text);
}
#endif
