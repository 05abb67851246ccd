/* cli/cmd_plan.c - the verbs around a plan: plan, show, validate, rehearse, apply, run.
 * SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "core/cli/cli.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/file.h"
#include "core/cli/input.h"
#include "core/cli/render.h"

static json_t *request_plan(struct wbl_cli *c, const char *spec)
{
	struct wbl_input in = { 0 };
	struct wbl_error err = { 0 };
	json_t *result = NULL;

	if (wbl_input_spec(spec, &in, &err))
		wbl_cli_fail(c, &err);
	else
		result = wbl_cli_call(c, "plan", wbl_input_spec_args(&in, c->opt[WBL_OPT_ENV]));
	wbl_input_clear(&in);
	return result;
}

/* The document in a result, parsed; NULL: reported. */
static json_t *document_of(struct wbl_cli *c, const json_t *result)
{
	const char *text = wbl_value_str(result, "document");
	struct wbl_error err = { 0 };
	json_t *plan = wbl_json_parse(text, strlen(text), "plan", &err);

	if (!plan)
		wbl_cli_fail(c, &err);
	return plan;
}

static int print_plan(struct wbl_cli *c, const json_t *result, bool next)
{
	struct wbl_paper p = wbl_cli_paper(stdout);
	json_t *plan = document_of(c, result);
	int exit = plan ? 0 : c->exit;

	if (plan) {
		wbl_render_plan(&p, plan, wbl_json_str(result, "digest"),
			json_object_get(result, "used_by"), next);
		exit = wbl_cli_print(&p, stdout, exit);
	}
	wbl_paper_clear(&p);
	json_decref(plan);
	return exit;
}

static int write_plan(struct wbl_cli *c, const json_t *result)
{
	const char *file = c->opt[WBL_OPT_OUT], *text = wbl_value_str(result, "document");
	struct wbl_error err = { 0 };
	mode_t mask = umask(0);

	umask(mask);
	if (!file || !wbl_file_replace(file, text, strlen(text), 0644 & ~mask, &err))
		return 0;
	err.code = WBL_E_USAGE;
	return wbl_cli_fail(c, &err);
}

int wbl_cmd_plan(struct wbl_cli *c)
{
	json_t *result = request_plan(c, c->args[0]);
	int exit = result ? write_plan(c, result) : c->exit;

	if (result && !exit && c->events)
		exit = wbl_cli_print_events(c, result);
	else if (result && !exit)
		exit = c->json ? wbl_cli_print_json(result, 0) : print_plan(c, result, true);
	json_decref(result);
	return exit;
}

static int show_file(struct wbl_cli *c, const struct wbl_input *in)
{
	struct wbl_paper p = wbl_cli_paper(stdout);
	int exit;

	if (c->json) {
		wbl_buf_add(&p.buf, in->text.data, in->text.len);
	} else {
		wbl_render_plan(&p, in->document, in->digest, NULL, false);
		wbl_paper_head(&p, "Next");
		wbl_paper_line(&p, "  whimbrel apply %s", in->name);
	}
	exit = wbl_cli_print(&p, stdout, 0);
	wbl_paper_clear(&p);
	return exit;
}

static int show_id(struct wbl_cli *c, const char *id)
{
	json_t *result = wbl_cli_call(c, "show", json_pack("{s:s}", "plan", id));
	int exit = c->exit;

	if (result && c->json) {
		/* exact bytes: the digest is of these */
		fputs(wbl_value_str(result, "document"), stdout);
		exit = fflush(stdout) ? 1 : 0;
	} else if (result) {
		exit = print_plan(c, result, true);
	}
	json_decref(result);
	return exit;
}

static int not_a_plan(struct wbl_cli *c, const char *name)
{
	struct wbl_error err = { 0 };

	wbl_fail(&err, WBL_E_USAGE, name, "A plan is made by: whimbrel plan SPEC.",
		"is no plan: expected an id, a digest or a plan file");
	return wbl_cli_fail(c, &err);
}

int wbl_cmd_show(struct wbl_cli *c)
{
	struct wbl_input in = { 0 };
	struct wbl_error err = { 0 };
	int exit;

	if (wbl_input_read(c->args[0], &in, &err))
		exit = wbl_cli_fail(c, &err);
	else if (in.kind == WBL_INPUT_PLAN_ID)
		exit = show_id(c, in.name);
	else if (in.kind == WBL_INPUT_PLAN_FILE)
		exit = show_file(c, &in);
	else
		exit = not_a_plan(c, in.name);
	wbl_input_clear(&in);
	return exit;
}

/* {"plan": ...} for an id or a file of a plan which the engine knows. */
static json_t *plan_args(const struct wbl_input *in)
{
	return json_pack("{s:s}", "plan", in->kind == WBL_INPUT_PLAN_ID ? in->name : in->digest);
}

static int print_findings(struct wbl_cli *c, json_t *result)
{
	bool ok = wbl_json_bool(result, "ok", false);
	int exit = ok ? 0 : (int)wbl_json_int(result, "exit", 2);
	struct wbl_paper p = wbl_cli_paper(stdout);

	if (c->json) {
		exit = wbl_cli_print_json(result, exit);
	} else {
		wbl_render_findings(&p, json_object_get(result, "findings"));
		wbl_paper_tint(&p, ok ? WBL_TINT_GREEN : WBL_TINT_RED);
		wbl_paper_line(&p, "%s at level %s", ok ? "good" : "not good",
			wbl_value_str(result, "level"));
		wbl_paper_tint(&p, WBL_TINT_NONE);
		exit = wbl_cli_print(&p, stdout, exit);
	}
	wbl_paper_clear(&p);
	json_decref(result);
	return exit;
}

int wbl_cmd_validate(struct wbl_cli *c)
{
	const char *level = c->opt[WBL_OPT_LEVEL];
	struct wbl_input in = { 0 };
	struct wbl_error err = { 0 };
	json_t *args, *result = NULL;

	if (wbl_input_read(c->args[0], &in, &err)) {
		wbl_cli_fail(c, &err);
	} else {
		args = in.kind == WBL_INPUT_SPEC ? wbl_input_spec_args(&in, c->opt[WBL_OPT_ENV])
						 : plan_args(&in);
		wbl_json_put(args, "level", level);
		result = wbl_cli_call(c, "validate", args);
	}
	wbl_input_clear(&in);
	return result ? print_findings(c, result) : c->exit;
}

/* Starts the verb and leaves. */
static int detach(struct wbl_cli *c, const char *verb, json_t *args)
{
	json_t *result = wbl_cli_call(c, verb, args);
	struct wbl_paper p = wbl_cli_paper(stdout);
	int exit = c->exit;

	if (result && (c->json || c->events)) {
		exit = wbl_cli_print_json(result, 0);
	} else if (result) {
		const char *run = wbl_value_str(result, "run");

		wbl_paper_line(&p, "%s has begun; whimbrel watch %s follows it", run, run);
		exit = wbl_cli_print(&p, stdout, 0);
	}
	wbl_paper_clear(&p);
	json_decref(result);
	return exit;
}

static int begin(struct wbl_cli *c, const char *verb, json_t *args)
{
	if (c->opt[WBL_OPT_DETACH])
		return detach(c, verb, args);
	json_object_set_new(args, "watch", json_true());
	return wbl_cli_follow_run(c, verb, args, WBL_FOLLOW_MINE, NULL);
}

int wbl_cmd_rehearse(struct wbl_cli *c)
{
	struct wbl_input in = { 0 };
	struct wbl_error err = { 0 };
	json_t *args = NULL, *planned;

	if (wbl_input_read(c->args[0], &in, &err)) {
		wbl_cli_fail(c, &err);
	} else if (in.kind != WBL_INPUT_SPEC) {
		args = plan_args(&in);
	} else {
		planned = wbl_cli_call(c, "plan", wbl_input_spec_args(&in, c->opt[WBL_OPT_ENV]));
		if (planned)
			args = json_pack("{s:s}", "plan", wbl_value_str(planned, "plan"));
		json_decref(planned);
	}
	wbl_input_clear(&in);
	return args ? begin(c, "rehearse", args) : c->exit;
}

static void put_overrides(const struct wbl_cli *c, json_t *args)
{
	wbl_json_put(args, "validation", c->opt[WBL_OPT_VALIDATION]);
	wbl_json_put(args, "on_failure", c->opt[WBL_OPT_ON_FAILURE]);
}

int wbl_cmd_apply(struct wbl_cli *c)
{
	struct wbl_input in = { 0 };
	struct wbl_error err = { 0 };
	json_t *args = NULL;

	if (wbl_input_read(c->args[0], &in, &err))
		wbl_cli_fail(c, &err);
	else if (in.kind == WBL_INPUT_PLAN_ID)
		args = plan_args(&in);
	else if (in.kind == WBL_INPUT_PLAN_FILE)
		args = json_pack("{s:s%}", "document", in.text.data, in.text.len);
	else
		not_a_plan(c, in.name);
	wbl_input_clear(&in);
	if (!args)
		return c->exit;
	put_overrides(c, args);
	if (!wbl_cli_limits(c, args, &err))
		return begin(c, "apply", args);
	json_decref(args);
	return wbl_cli_fail(c, &err);
}

/* A line from the terminal, without its end; NULL at the end of input. */
static char *prompt(const char *text)
{
	struct wbl_paper p = wbl_cli_paper(stderr);
	char *line = NULL;
	size_t cap = 0;
	ssize_t n;

	wbl_paper_add(&p, "%s", text);
	wbl_cli_print(&p, stderr, 0);
	wbl_paper_clear(&p);
	n = getline(&line, &cap, stdin);
	if (n < 0) {
		free(line);
		return NULL;
	}
	line[strcspn(line, "\n")] = '\0';
	return line;
}

/* Puts the open questions of a plan to the person; the plan as it is then, or NULL. */
static json_t *ask_questions(struct wbl_cli *c, json_t *result)
{
	json_t *plan = document_of(c, result);
	const json_t *q;
	bool asked = false;
	size_t i;

	json_array_foreach(json_object_get(plan, "questions"), i, q)
	{
		const char *id = wbl_value_str(q, "id"), *proposal = wbl_value_str(q, "proposal");
		WBL_AUTOFREE char *text = wbl_strf(
			"%s%s%s%s ", id, *proposal ? " [" : "", proposal, *proposal ? "]:" : ":");
		WBL_AUTOFREE char *answer = NULL;
		json_t *done;

		if (json_is_string(json_object_get(q, "answer")))
			continue;
		answer = prompt(text);
		if (!answer || (!*answer && !*proposal))
			break;
		done = wbl_cli_call(c, "answer",
			json_pack("{s:s, s:s, s:s}", "plan", wbl_value_str(plan, "id"), "question",
				id, "answer", *answer ? answer : proposal));
		if (!done)
			break;
		json_decref(done);
		asked = true;
	}
	if (asked) {
		json_t *again = wbl_cli_call(
			c, "show", json_pack("{s:s}", "plan", wbl_value_str(plan, "id")));

		json_decref(result);
		result = again;
		if (result)
			print_plan(c, result, false);
	}
	json_decref(plan);
	return result;
}

/* 0: go on; else the exit code. */
static int agree(struct wbl_cli *c, const json_t *plan)
{
	struct wbl_error err = { 0 };
	WBL_AUTOFREE char *answer = NULL;
	WBL_AUTOFREE char *text = NULL;

	if (!wbl_json_bool(plan, "applyable", true)) {
		wbl_fail(&err, WBL_E_BLOCKED, wbl_value_str(plan, "id"),
			"The plan says why, above.", "the plan cannot be applied");
		return wbl_cli_fail(c, &err);
	}
	if (c->opt[WBL_OPT_YES])
		return 0;
	text = wbl_strf("\nApply %s? [y/N] ", wbl_value_str(plan, "id"));
	answer = prompt(text);
	if (answer && (!strcasecmp(answer, "y") || !strcasecmp(answer, "yes")))
		return 0;
	fprintf(stderr, "nothing was changed\n");
	return 12;
}

int wbl_cmd_run(struct wbl_cli *c)
{
	bool person = isatty(STDIN_FILENO) && !c->json && !c->events;
	struct wbl_error err = { 0 };
	json_t *result, *plan, *args;
	int exit;

	if (!c->opt[WBL_OPT_YES] && !person) {
		wbl_fail(&err, WBL_E_USAGE, NULL,
			"Use --yes, or whimbrel plan and later whimbrel apply.",
			"there is no terminal to ask on");
		return wbl_cli_fail(c, &err);
	}
	result = request_plan(c, c->args[0]);
	if (result && !c->json && !c->events)
		print_plan(c, result, false);
	if (result && person && !c->opt[WBL_OPT_YES])
		result = ask_questions(c, result);
	plan = result ? document_of(c, result) : NULL;
	exit = plan ? agree(c, plan) : c->exit;
	if (!plan || exit) {
		json_decref(plan);
		json_decref(result);
		return exit;
	}
	args = json_pack("{s:s}", "plan", wbl_value_str(result, "plan"));
	put_overrides(c, args);
	json_decref(plan);
	json_decref(result);
	return begin(c, "apply", args);
}
