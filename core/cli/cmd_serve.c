/* cli/cmd_serve.c - the command as the engine.
 * SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "core/cli/cli.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/base/file.h"
#include "core/service/service.h"

/* Makes each path of a list (colons between) absolute, as the working folder is about to change. */
static void fix_list(const char *variable)
{
	const char *value = secure_getenv(variable);
	WBL_AUTOFREE char *copy = wbl_strdup(value);
	WBL_AUTOFREE char *cwd = getcwd(NULL, 0);
	struct wbl_buf b = { 0 };
	char *save = NULL, *part;

	if (!value || !cwd)
		return;
	for (part = strtok_r(copy, ":", &save); part; part = strtok_r(NULL, ":", &save)) {
		WBL_AUTOFREE char *path = wbl_path_absolute(cwd, part);

		wbl_buf_addf(&b, "%s%s", b.len ? ":" : "", path);
	}
	if (b.len)
		setenv(variable, b.data, 1);
	wbl_buf_clear(&b);
}

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
	if (o.on_demand) {
		/* started from wherever the command was typed: that folder must stay free to go */
		fix_list("WHIMBREL_HANDLERS");
		fix_list("WHIMBREL_HOST");
		if (chdir("/"))
			return 1;
	}
	return wbl_service_main(&o);
}
