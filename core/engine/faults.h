/* engine/faults.h - where tests make processes die. Inert unless the environment asks:
 * WBL_TEST_FAULT="host:N"    the N-th fault point reached kills its host; "engine:N" kills the engine there
 *               "commit-host:N" all hosts are killed right after the N-th commit
 *               "count"       nothing is killed
 * WBL_TEST_FAULTS=FILE       each fault point reached adds a line with its name
 * WBL_TEST_CLOCK=NS          the real clock that handlers are shown is off by so much (wbl.clock/1)
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef WBL_CORE_ENGINE_FAULTS_H
#define WBL_CORE_ENGINE_FAULTS_H
#include "core/engine/host_process.h"

/* True when the host is to be killed instead of being answered. */
bool wbl_fault_point(struct wbl_engine *e, const char *name);
void wbl_fault_commit(struct wbl_engine *e);
#endif
