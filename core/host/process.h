/* host/process.h - what a host process may and what it sees: limits, user, environment, locale.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef WBL_CORE_HOST_PROCESS_H
#define WBL_CORE_HOST_PROCESS_H
#include "core/base/json.h"

/* Independent of what the engine asks for: environment, locale, umask, SIGPIPE, not dumpable, descriptors. */
void wbl_process_scrub(void);
/* `limits`: {nofile, as, fsize, cpu_s, core, nproc, allow_setuid, run_as}; absent: unchanged. */
int32_t wbl_process_limit(const json_t *limits, struct wbl_error *err);
#endif
