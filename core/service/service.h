/* service/service.h - the engine as a process: one for each state folder.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef WBL_CORE_SERVICE_SERVICE_H
#define WBL_CORE_SERVICE_SERVICE_H
#include <stdbool.h>

struct wbl_service_options {
	const char *state;  /* folder, made when it is missing */
	const char *config; /* handlers.d, environments.d */
	bool on_demand;     /* ends when nothing is left to do and nobody is connected */
	int ready_fd; /* -1, or gets "ok\n", or one line {"error": {...}} when it cannot start */
};

/* Serves until told to stop. Returns the exit code of the process.
 * WHIMBREL_HANDLERS (module folders, separated by colons) and WHIMBREL_HOST (path of whimbrel-host) are for trees
 * that are not installed; modules found through it may belong to anybody. */
int wbl_service_main(const struct wbl_service_options *o);
#endif
