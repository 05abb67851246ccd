/* cli/main.c - the command: finds the verb, the folders, and calls.
 * SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "core/cli/cli.h"

#include <errno.h>
#include <fcntl.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/base/file.h"
#include "core/cli/client.h"

static char *absolute(const char *path)
{
	WBL_AUTOFREE char *cwd = *path == '/' ? NULL : getcwd(NULL, 0);

	return wbl_path_absolute(cwd ? cwd : "/", path);
}

static const char *given(const char *option, const char *variable)
{
	const char *env = getenv(variable);

	if (option && *option)
		return option;
	return env && *env ? env : NULL;
}

static char *state_folder(const struct wbl_cli *c)
{
	const char *dir = given(c->opt[WBL_OPT_STATE], "WHIMBREL_STATE"),
		   *xdg = getenv("XDG_STATE_HOME"), *home = getenv("HOME");
	WBL_AUTOFREE char *made = NULL;

	if (dir)
		return absolute(dir);
	if (geteuid() == 0)
		return wbl_strdup(WBL_LOCALSTATEDIR "/lib/whimbrel");
	if (xdg && *xdg == '/')
		made = wbl_strf("%s/whimbrel", xdg);
	else if (home && *home == '/')
		made = wbl_strf("%s/.local/state/whimbrel", home);
	else
		return NULL;
	return absolute(made);
}

static int32_t set_folders(struct wbl_cli *c, struct wbl_error *err)
{
	const char *config = given(c->opt[WBL_OPT_CONFIG], "WHIMBREL_CONFIG");

	c->config_named = config != NULL;
	c->state = state_folder(c);
	c->config = absolute(config ? config : WBL_SYSCONFDIR "/whimbrel");
	if (!c->state && c->verb->state != WBL_STATE_NONE)
		return wbl_fail(err, WBL_E_USAGE, NULL, "Say --state DIR, or set $WHIMBREL_STATE.",
			"there is no home folder to keep the state in");
	return 0;
}

/* Standard descriptors that are closed would be taken by the socket or the journal. */
static void open_standard(void)
{
	int fd;

	do
		fd = open("/dev/null", O_RDWR);
	while (fd >= 0 && fd <= 2);
	if (fd > 2)
		close(fd);
}

static int help(const struct wbl_cli *c, FILE *out, int exit)
{
	struct wbl_paper p = wbl_cli_paper(out);

	if (c->verb)
		wbl_help_verb(&p, c->verb);
	else
		wbl_help_all(&p);
	exit = wbl_cli_print(&p, out, exit);
	wbl_paper_clear(&p);
	return exit;
}

static int dispatch(struct wbl_cli *c)
{
	struct wbl_error err = { 0 };

	if (c->opt[WBL_OPT_HELP])
		return help(c, stdout, 0);
	if (c->opt[WBL_OPT_VERSION])
		return wbl_cmd_version(c);
	if (!c->verb)
		return help(c, stderr, 2);
	if (set_folders(c, &err))
		return wbl_cli_fail(c, &err);
	return c->verb->run(c);
}

int main(int argc, char **argv)
{
	struct wbl_error err = { 0 };
	struct wbl_cli c = { 0 };
	int exit;

	open_standard();
	setlocale(LC_CTYPE, "C.UTF-8"); /* column widths; our texts are always UTF-8 */
	exit = wbl_cli_parse(&c, argc, argv, &err) ? wbl_cli_fail(&c, &err) : dispatch(&c);
	wbl_client_free(c.client);
	free(c.state);
	free(c.config);
	return exit;
}
