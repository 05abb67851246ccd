/* cli/cmd_serve.c - the command as the engine.
 * SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "core/cli/cli.h"

#include <stdlib.h>

#if __has_include("core/service/service.h")
#include "core/service/service.h"

int wbl_cmd_serve(struct wbl_cli *c)
{
	struct wbl_service_options o = {
		.state = c->state,
		.config = c->config,
		.on_demand = c->opt[WBL_OPT_ON_DEMAND],
		.ready_fd = -1,
	};
	struct wbl_error err = { 0 };
	int64_t fd;

	if (wbl_cli_number(c, WBL_OPT_READY_FD, -1, &fd, &err))
		return wbl_cli_fail(c, &err);
	o.ready_fd = (int)fd;
	return wbl_service_main(&o);
}
#else
int wbl_cmd_serve(struct wbl_cli *c)
{
	struct wbl_error err = { 0 };

	wbl_fail(&err, WBL_E_UNSUPPORTED, NULL, NULL, "this build has no engine");
	return wbl_cli_fail(c, &err);
}
#endif
