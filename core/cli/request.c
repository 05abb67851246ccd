/* cli/request.c - one request, one answer.
 * SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "core/cli/cli.h"

#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/cli/client.h"

/* After an upgrade the old engine goes on until it is idle or stopped. */
static void note_other_version(const struct wbl_cli *c)
{
	const char *version = wbl_json_str(wbl_client_hello(c->client), "version");
	struct wbl_paper p = wbl_cli_paper(stderr);

	if (version && strcmp(version, PACKAGE_VERSION) && !c->quiet)
		wbl_paper_line(&p,
			"whimbrel: the engine that runs is %s, this command is %s; "
			"whimbrel stop ends it when nothing runs",
			version, PACKAGE_VERSION);
	wbl_cli_print(&p, stderr, 0);
	wbl_paper_clear(&p);
}

static bool same_folder(const char *a, const char *b)
{
	struct stat sa, sb;

	return !strcmp(a, b) ||
	       (!stat(a, &sa) && !stat(b, &sb) && sa.st_dev == sb.st_dev && sa.st_ino == sb.st_ino);
}

/* An engine reads the configuration folder that it was started with. Who names another one must not
 * be answered from the first, as if it had been read. */
static int32_t check_config(const struct wbl_cli *c, struct wbl_error *err)
{
	static const char *const readers[] = { "plan", "validate", "rehearse", "apply", "run",
		"handler", "doctor" };
	const char *theirs = wbl_json_str(wbl_client_hello(c->client), "config");
	size_t i;

	if (!c->config_named || !theirs || same_folder(c->config, theirs))
		return 0;
	for (i = 0; i < WBL_COUNT(readers); i++)
		if (!strcmp(c->verb->name, readers[i]))
			return wbl_fail(err, WBL_E_STATE, c->config,
				"End that engine first, when nothing runs: whimbrel stop.",
				"the engine of this state folder runs with another configuration "
				"folder, %s",
				theirs);
	return 0;
}

struct wbl_client *wbl_cli_client(struct wbl_cli *c)
{
	struct wbl_error err = { 0 };
	int32_t rc = 0;

	if (c->client)
		return c->client;
	if (c->verb->state == WBL_STATE_NEEDS && access(c->state, F_OK))
		rc = wbl_fail(&err, WBL_E_NOT_FOUND, NULL,
			"Name another with --state DIR or $WHIMBREL_STATE, or make a plan.",
			"there is no state folder at %s yet; whimbrel plan makes it", c->state);
	else
		rc = wbl_client_start(
			c->state, c->config, c->verb->state == WBL_STATE_MAKES, &c->client, &err);
	rc = rc ? rc : check_config(c, &err);
	if (rc) {
		wbl_cli_fail(c, &err);
		return NULL;
	}
	note_other_version(c);
	return c->client;
}

/* NULL and rc 0: the engine said no, which is in *ret_reply. */
static json_t *ask(struct wbl_client *client, const char *verb, json_t *args, json_t **ret_reply,
	int32_t *rc, struct wbl_error *err)
{
	int64_t id = wbl_client_send(client, verb, args, err);
	json_t *reply = NULL, *result;

	*rc = id < 0 ? (int32_t)id : 0;
	while (!*rc) {
		*rc = wbl_client_next(client, true, &reply, err);
		if (*rc)
			break;
		if (wbl_json_int(reply, "id", 0) == id && !json_object_get(reply, "event"))
			break;
		json_decref(reply);
		reply = NULL;
	}
	if (*rc || !wbl_json_bool(reply, "ok", false)) {
		*ret_reply = reply;
		return NULL;
	}
	result = json_incref(json_object_get(reply, "result"));
	json_decref(reply);
	return result ? result : json_object();
}

json_t *wbl_cli_call(struct wbl_cli *c, const char *verb, json_t *args)
{
	struct wbl_client *client = wbl_cli_client(c);
	struct wbl_error err = { 0 };
	json_t *reply = NULL, *result;
	int32_t rc;

	if (!client) {
		json_decref(args);
		return NULL;
	}
	result = ask(client, verb, args, &reply, &rc, &err);
	if (rc)
		wbl_cli_fail(c, &err);
	else if (!result)
		wbl_cli_fail_json(
			c, json_object_get(reply, "error"), json_object_get(reply, "errors"));
	json_decref(reply);
	return result;
}

json_t *wbl_cli_try(struct wbl_cli *c, const char *verb, json_t *args)
{
	struct wbl_error err;
	json_t *reply = NULL, *result = NULL;
	int32_t rc;

	if (c->client)
		result = ask(c->client, verb, args, &reply, &rc, &err);
	else
		json_decref(args);
	json_decref(reply);
	return result;
}
