/* cli/cmd_setup.c - the verbs around the installation and the audit chain.
 * SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "core/cli/cli.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/base/file.h"
#include "core/cli/client.h"
#include "core/cli/render.h"
#include "core/cli/scaffold.h"
#include "core/state/journal.h"

/* Prints a result; `good` decides between exit 0 and `bad`. Takes the result; NULL was reported. */
static int finish(struct wbl_cli *c, json_t *result,
	void (*render)(struct wbl_paper *, const json_t *), bool good, int bad)
{
	struct wbl_paper p = wbl_cli_paper(stdout);
	int exit = good ? 0 : bad;

	if (!result)
		return c->exit;
	if (c->json || c->events) {
		exit = wbl_cli_print_json(result, exit);
	} else {
		render(&p, result);
		exit = wbl_cli_print(&p, stdout, exit);
	}
	wbl_paper_clear(&p);
	json_decref(result);
	return exit;
}

static int wrong_word(struct wbl_cli *c, const char *word, const char *const *words)
{
	const char *near = wbl_nearest(word, words);
	WBL_AUTOFREE char *hint =
		near ? wbl_strf("Did you mean \"whimbrel %s %s\"?", c->verb->name, near)
		     : wbl_strf("Usage: whimbrel %s %s", c->verb->name, c->verb->args);
	struct wbl_error err = { 0 };

	wbl_fail(&err, WBL_E_USAGE, word, hint, "is not known to whimbrel %s", c->verb->name);
	return wbl_cli_fail(c, &err);
}

static void render_head(struct wbl_paper *p, const json_t *r)
{
	wbl_paper_line(p, "%s", wbl_value_str(r, "head"));
}

/* Without the engine: a chain that is damaged keeps it from starting, and an auditor need not trust it. */
static int verify_chain(struct wbl_cli *c)
{
	struct wbl_audit_report a = { 0 };
	struct wbl_error err = { 0 };
	struct wbl_state *s = NULL;
	char head[WBL_SHA256_HEX];
	int32_t rc = wbl_state_open(c->state, WBL_STATE_READ_ONLY, &s, &err);

	if (!rc)
		rc = wbl_audit_verify(s, c->opt[WBL_OPT_ANCHOR], &a, &err);
	if (rc) {
		wbl_state_close(s);
		return wbl_cli_fail(c, &err);
	}
	wbl_journal_head(s, head);
	wbl_state_close(s);
	return finish(c,
		json_pack("{s:I, s:s, s:b, s:I, s:I, s:I, s:b}", "entries", (json_int_t)a.entries,
			"head", head, "anchored", a.anchored, "anchor_seq",
			(json_int_t)a.anchor_seq, "unanchored", (json_int_t)a.unanchored, "purged",
			(json_int_t)a.purged, "ok", 1),
		wbl_render_audit_verify, true, 0);
}

int wbl_cmd_audit(struct wbl_cli *c)
{
	static const char *const words[] = { "verify", "head", "list", NULL };
	const char *op = c->args[0];
	struct wbl_error err = { 0 };
	json_t *args, *result;
	int64_t limit, after;

	if (strcmp(op, "verify") && strcmp(op, "head") && strcmp(op, "list"))
		return wrong_word(c, op, words);
	if (wbl_cli_number(c, WBL_OPT_LIMIT, 50, &limit, &err) ||
		wbl_cli_number(c, WBL_OPT_AFTER, 0, &after, &err))
		return wbl_cli_fail(c, &err);
	if (!strcmp(op, "verify"))
		return verify_chain(c);
	args = json_pack("{s:s}", "op", op);
	if (!strcmp(op, "list")) {
		wbl_json_puti(args, "after", after);
		wbl_json_puti(args, "limit", limit);
	}
	result = wbl_cli_call(c, "audit", args);
	if (!strcmp(op, "head"))
		return finish(c, result, render_head, true, 0);
	return finish(c, result, wbl_render_audit_list, true, 0);
}

static bool all_ok(const json_t *checks)
{
	const json_t *check;
	size_t i;

	json_array_foreach(
		(json_t *)checks, i, check) if (!wbl_json_bool(check, "ok", false)) return false;
	return true;
}

static void render_doctor(struct wbl_paper *p, const json_t *result)
{
	if (*wbl_value_str(result, "module"))
		wbl_paper_line(p, "%s", wbl_value_str(result, "module"));
	wbl_render_checks(p, json_object_get(result, "checks"));
}

static void put_subject(json_t *args, const char *name)
{
	WBL_AUTOFREE char *cwd = NULL;
	WBL_AUTOFREE char *path = NULL;

	if (!name)
		return;
	if (!strchr(name, '/')) {
		wbl_json_put(args, "name", name);
		return;
	}
	cwd = getcwd(NULL, 0);
	path = wbl_path_absolute(cwd ? cwd : "/", name);
	wbl_json_put(args, "path", path);
}

static void render_new(struct wbl_paper *p, const json_t *result)
{
	WBL_AUTOFREE char *files = wbl_value_list(json_object_get(result, "files"), "");

	wbl_paper_line(p, "%s is there: %s", wbl_value_str(result, "dir"), files);
	wbl_paper_head(p, "Next");
	wbl_paper_line(p, "  cd %s", wbl_value_str(result, "dir"));
	wbl_paper_line(p, "  %s", wbl_value_str(result, "next"));
}

static int make_new(struct wbl_cli *c)
{
	struct wbl_scaffold what = {
		.family = c->opt[WBL_OPT_FAMILY],
		.id = c->opt[WBL_OPT_ID],
		.build = c->opt[WBL_OPT_BUILD] ? c->opt[WBL_OPT_BUILD] : "make",
		.example = c->opt[WBL_OPT_EXAMPLE] != NULL,
		.dir = c->args[1],
	};
	struct wbl_error err = { 0 };
	json_t *files = NULL;
	char *dir = NULL;
	int exit;

	if (!what.family || !what.id || (what.example && c->opt[WBL_OPT_BARE])) {
		wbl_fail(&err, WBL_E_USAGE, NULL,
			"Type: whimbrel handler new --family custom --id org.example.tidy_up",
			what.family && what.id ? "--bare and --example exclude each other"
			: what.family          ? "--id is missing: who the module is"
					       : "--family is missing: what kind of module it is");
		return wbl_cli_fail(c, &err);
	}
	if (wbl_scaffold_make(&what, &dir, &files, &err))
		return wbl_cli_fail(c, &err);
	exit = finish(c,
		json_pack("{s:s, s:o, s:s}", "dir", dir, "files", files, "next",
			!strcmp(what.build, "make") ? "make check"
						    : "./bootstrap && ./configure && make check"),
		render_new, true, 0);
	free(dir);
	return exit;
}

/* The kit is a program of its own, beside this one or where it is installed; this process becomes it. */
static int check_module(struct wbl_cli *c)
{
	const char *argv[] = { "whimbrel-conform", "-o", c->json ? "json" : "text",
		c->args[1] ? c->args[1] : "--help", c->args[2] ? "--fixture" : NULL, c->args[2],
		NULL };
	struct wbl_error err = { 0 };
	char self[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
	char *slash = n > 0 ? memrchr(self, '/', (size_t)n) : NULL;
	WBL_AUTOFREE char *beside =
		slash ? wbl_strf("%.*s/%s", (int)(slash - self), self, argv[0]) : NULL;

	if (beside)
		execv(beside, (char *const *)argv);
	execv(WBL_BINDIR "/whimbrel-conform", (char *const *)argv);
	wbl_fail_errno(&err, WBL_E_NOT_FOUND, "whimbrel-conform",
		"Install it: it comes with the files for authors of handlers.",
		"cannot be started");
	return wbl_cli_fail(c, &err);
}

int wbl_cmd_handler(struct wbl_cli *c)
{
	static const char *const words[] = { "list", "info", "doctor", "check", "new", NULL };
	const char *op = c->args[0];
	struct wbl_error err = { 0 };
	json_t *args, *result;

	if (!strcmp(op, "new"))
		return make_new(c);
	if (!strcmp(op, "check"))
		return check_module(c);
	if (strcmp(op, "list") && strcmp(op, "info") && strcmp(op, "doctor"))
		return wrong_word(c, op, words);
	if (!strcmp(op, "info") && !c->args[1]) {
		wbl_fail(&err, WBL_E_USAGE, NULL, "whimbrel handler list shows the names.",
			"whimbrel handler info wants a name");
		return wbl_cli_fail(c, &err);
	}
	args = json_pack("{s:s}", "op", op);
	put_subject(args, c->args[1]);
	result = wbl_cli_call(c, "handler", args);
	if (!strcmp(op, "list"))
		return finish(c, result, wbl_render_handlers, true, 0);
	if (!strcmp(op, "info"))
		return finish(c, result, wbl_render_manifest, true, 0);
	if (!json_object_get(result, "checks"))
		return finish(c, result, wbl_render_handlers,
			!json_array_size(json_object_get(result, "problems")), 2);
	return finish(c, result, render_doctor, all_ok(json_object_get(result, "checks")), 2);
}

int wbl_cmd_doctor(struct wbl_cli *c)
{
	json_t *result = wbl_cli_call(c, "doctor", NULL);

	return finish(c, result, render_doctor, all_ok(json_object_get(result, "checks")), 2);
}

static void render_stopped(struct wbl_paper *p, const json_t *result)
{
	wbl_paper_line(p,
		wbl_json_bool(result, "stopped", true) ? "the engine has ended" : "no engine runs");
}

/* The engine's end is the end of the connection: only then the folder is free. An answer before it
 * is a refusal or its promise to end. */
static int32_t await_end(struct wbl_cli *c, json_t **ret_reply)
{
	struct wbl_error err;
	json_t *reply = NULL;
	int64_t id = wbl_client_send(c->client, "stop", NULL, &err);
	int32_t rc = id < 0 ? (int32_t)id : 0;

	while (!rc && !(rc = wbl_client_next(c->client, true, &reply, &err))) {
		if (!wbl_json_bool(reply, "ok", true)) {
			*ret_reply = reply;
			return 0;
		}
		json_decref(reply);
	}
	return rc;
}

int wbl_cmd_stop(struct wbl_cli *c)
{
	struct wbl_error err = { 0 };
	json_t *refusal = NULL;
	int32_t rc = wbl_client_open(c->state, &c->client, &err);
	int exit;

	if (rc == WBL_E_UNAVAILABLE || rc == WBL_E_NOT_FOUND)
		return finish(c, json_pack("{s:b}", "stopped", 0), render_stopped, true, 0);
	if (rc)
		return wbl_cli_fail(c, &err);
	await_end(c, &refusal);
	if (!refusal)
		return finish(c, json_pack("{s:b}", "stopped", 1), render_stopped, true, 0);
	exit = wbl_cli_fail_json(c, json_object_get(refusal, "error"), NULL);
	json_decref(refusal);
	return exit;
}

static void render_version(struct wbl_paper *p, const json_t *result)
{
	wbl_paper_line(p, "whimbrel %s", wbl_value_str(result, "version"));
}

int wbl_cmd_version(struct wbl_cli *c)
{
	return finish(c, json_pack("{s:s}", "version", PACKAGE_VERSION), render_version, true, 0);
}

int wbl_cmd_help(struct wbl_cli *c)
{
	struct wbl_paper p = wbl_cli_paper(stdout);
	const struct wbl_verb *v = c->args[0] ? wbl_verb_find(c->args[0]) : NULL;
	struct wbl_error err = { 0 };
	int exit;

	if (c->args[0] && !v) {
		wbl_verb_unknown(c->args[0], &err);
		return wbl_cli_fail(c, &err);
	}
	if (c->opt[WBL_OPT_WORDS]) {
		wbl_help_words(stdout, c->args[0]);
		return 0;
	}
	if (v)
		wbl_help_verb(&p, v);
	else
		wbl_help_all(&p);
	exit = wbl_cli_print(&p, stdout, 0);
	wbl_paper_clear(&p);
	return exit;
}
