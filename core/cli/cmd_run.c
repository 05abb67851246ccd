/* cli/cmd_run.c - the verbs around a run: looking at it, steering it.
 * SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "core/cli/cli.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/cli/input.h"
#include "core/cli/render.h"

static json_t *run_args(const struct wbl_cli *c)
{
	return json_pack("{s:s}", "run", c->args[0] ? c->args[0] : "last");
}

/* Prints a result by `render`, or as JSON. Takes it; NULL was reported. */
static int print_result(
	struct wbl_cli *c, json_t *result, void (*render)(struct wbl_paper *, const json_t *))
{
	struct wbl_paper p = wbl_cli_paper(stdout);
	int exit = c->exit;

	if (result && (c->json || c->events)) {
		exit = wbl_cli_print_json(result, 0);
	} else if (result) {
		render(&p, result);
		exit = wbl_cli_print(&p, stdout, 0);
	}
	wbl_paper_clear(&p);
	json_decref(result);
	return exit;
}

static void render_summary(struct wbl_paper *p, const json_t *result)
{
	const json_t *run = json_object_get(result, "run");
	WBL_AUTOFREE char *words = wbl_value_words(wbl_value_str(run, "state"));

	wbl_paper_line(p, "%s: recorded; the run %s %s", wbl_value_str(run, "run"),
		wbl_json_bool(run, "live", true) ? "is" : "was interrupted while", words);
	wbl_render_waiting(p, run);
}

int wbl_cmd_status(struct wbl_cli *c)
{
	json_t *args = c->args[0] ? run_args(c) : NULL;

	return print_result(c, wbl_cli_call(c, "status", args), wbl_render_status);
}

int wbl_cmd_history(struct wbl_cli *c)
{
	struct wbl_error err = { 0 };
	int64_t limit;
	json_t *args;

	if (wbl_cli_number(c, WBL_OPT_LIMIT, 20, &limit, &err))
		return wbl_cli_fail(c, &err);
	args = json_pack("{s:I}", "limit", (json_int_t)limit);
	return print_result(c, wbl_cli_call(c, "history", args), wbl_render_history);
}

static json_t *difference_page(struct wbl_cli *c, int64_t after, int64_t limit)
{
	json_t *args = run_args(c);

	wbl_json_puti(args, "after", after);
	wbl_json_puti(args, "limit", limit);
	return wbl_cli_call(c, "differences", args);
}

/* Page by page, unless one page was asked for. */
static int report_differences(struct wbl_cli *c)
{
	enum { PAGE = 500 };
	struct wbl_error err = { 0 };
	int64_t after, limit;
	json_t *all, *page, *next;

	if (wbl_cli_number(c, WBL_OPT_AFTER, 0, &after, &err) ||
		wbl_cli_number(c, WBL_OPT_LIMIT, 0, &limit, &err))
		return wbl_cli_fail(c, &err);
	all = difference_page(c, after, limit > 0 ? limit : PAGE);
	while (all && !limit && json_is_integer(next = json_object_get(all, "next"))) {
		page = difference_page(c, json_integer_value(next), PAGE);
		if (!page)
			break;
		json_array_extend(json_object_get(all, "shown"), json_object_get(page, "shown"));
		json_object_set(all, "next", json_object_get(page, "next"));
		json_decref(page);
	}
	return print_result(c, all, wbl_render_difference_list);
}

int wbl_cmd_report(struct wbl_cli *c)
{
	if (c->opt[WBL_OPT_DIFFERENCES])
		return report_differences(c);
	return print_result(c, wbl_cli_call(c, "report", run_args(c)), wbl_render_report);
}

int wbl_cmd_explain(struct wbl_cli *c)
{
	return print_result(c, wbl_cli_call(c, "explain", run_args(c)), wbl_render_explained);
}

int wbl_cmd_watch(struct wbl_cli *c)
{
	struct wbl_error err = { 0 };
	json_t *args = run_args(c);
	int64_t after;

	if (wbl_cli_number(c, WBL_OPT_AFTER, 0, &after, &err)) {
		json_decref(args);
		return wbl_cli_fail(c, &err);
	}
	wbl_json_puti(args, "after", after);
	return wbl_cli_follow_run(c, "watch", args, 0, NULL);
}

int wbl_cmd_pause(struct wbl_cli *c)
{
	return print_result(c, wbl_cli_call(c, "pause", run_args(c)), render_summary);
}

/* Verbs that answer when the request is recorded: what follows is watched. */
static int steer(struct wbl_cli *c, const char *verb, const char *goal)
{
	json_t *result, *args;
	const char *run;

	if (c->opt[WBL_OPT_DETACH])
		return print_result(c, wbl_cli_call(c, verb, run_args(c)), render_summary);
	result = wbl_cli_call(c, verb, run_args(c));
	if (!result)
		return c->exit;
	run = wbl_value_str(json_object_get(result, "run"), "run");
	args = json_pack("{s:s, s:i}", "run", *run ? run : c->args[0], "after", 0);
	json_decref(result);
	return wbl_cli_follow_run(c, "watch", args, WBL_FOLLOW_NEW, goal);
}

int wbl_cmd_resume(struct wbl_cli *c)
{
	return steer(c, "resume", NULL);
}

int wbl_cmd_cancel(struct wbl_cli *c)
{
	return steer(c, "cancel", "cancelled");
}

int wbl_cmd_finalize(struct wbl_cli *c)
{
	return steer(c, "finalize", NULL);
}

static void render_begun(struct wbl_paper *p, const json_t *result)
{
	const char *run = wbl_value_str(result, "run");

	wbl_paper_line(p, "%s is being rolled back; whimbrel watch %s follows it", run, run);
}

int wbl_cmd_rollback(struct wbl_cli *c)
{
	json_t *args = run_args(c);

	wbl_json_put(args, "to", c->opt[WBL_OPT_TO]);
	if (c->opt[WBL_OPT_DETACH])
		return print_result(c, wbl_cli_call(c, "rollback", args), render_begun);
	json_object_set_new(args, "watch", json_true());
	return wbl_cli_follow_run(c, "rollback", args, WBL_FOLLOW_NEW, "rolled_back");
}

static void render_decisions(struct wbl_paper *p, const json_t *result)
{
	const json_t *runs = json_object_get(result, "runs"), *r;
	size_t i;

	if (!json_array_size(runs))
		wbl_paper_line(p, "there is nothing to recover");
	json_array_foreach((json_t *)runs, i, r) wbl_paper_wrap(p, 0, "%s: %s%s%s",
		wbl_value_str(r, "run"), wbl_value_str(r, "decision"),
		*wbl_value_str(r, "reason") ? ": " : "", wbl_value_str(r, "reason"));
}

/* Follows a run that was taken up. For JSON its end becomes a member of the decision. */
static int follow_recovered(struct wbl_cli *c, json_t *decision)
{
	json_t *args = json_pack("{s:s, s:i}", "run", wbl_value_str(decision, "run"), "after", 0),
	       *end;
	const char *goal =
		strcmp(wbl_value_str(decision, "decision"), "rollback") ? NULL : "rolled_back";

	if (!c->json || c->events)
		return wbl_cli_follow_run(c, "watch", args, WBL_FOLLOW_NEW, goal);
	end = wbl_cli_follow(c, "watch", args, WBL_FOLLOW_NEW);
	if (!end)
		return c->exit;
	json_object_set_new(decision, "end", end);
	return goal && !strcmp(wbl_value_str(json_object_get(end, "run"), "state"), goal)
		       ? 0
		       : (int)wbl_json_int(end, "exit", 0);
}

int wbl_cmd_recover(struct wbl_cli *c)
{
	json_t *args = c->args[0] ? run_args(c) : json_object(), *result, *r;
	struct wbl_paper p;
	int worst = 0;
	size_t i;

	wbl_json_put(args, "strategy", c->opt[WBL_OPT_STRATEGY]);
	wbl_json_put(args, "text", c->opt[WBL_OPT_TEXT]);
	result = wbl_cli_call(c, "recover", args);
	if (!result || c->opt[WBL_OPT_DETACH])
		return print_result(c, result, render_decisions);
	if (!c->json && !c->events) {
		p = wbl_cli_paper(stdout);
		render_decisions(&p, result);
		wbl_cli_print(&p, stdout, 0);
		wbl_paper_clear(&p);
	}
	json_array_foreach(json_object_get(result, "runs"), i, r)
	{
		bool is_over = !strcmp(wbl_value_str(r, "decision"), "accept");
		int exit = is_over ? 0 : follow_recovered(c, r);

		if (exit > worst)
			worst = exit;
		if (exit > 128)
			break;
	}
	if (c->json && !c->events)
		worst = wbl_cli_print_json(result, worst);
	json_decref(result);
	return worst;
}

int wbl_cmd_verify(struct wbl_cli *c)
{
	json_t *args = run_args(c), *result;
	struct wbl_paper p = wbl_cli_paper(stdout);
	bool ok;
	int exit;

	json_object_set_new(args, "watch", json_true());
	result = wbl_cli_follow(c, "verify", args, WBL_FOLLOW_NEW);
	if (!result)
		return c->exit;
	ok = wbl_json_bool(result, "ok", false);
	exit = ok ? 0 : (int)wbl_json_int(result, "exit", 10);
	if (c->json || c->events) {
		exit = wbl_cli_print_json(result, exit);
	} else {
		wbl_render_verified(&p, result);
		exit = wbl_cli_print(&p, stdout, exit);
	}
	wbl_paper_clear(&p);
	json_decref(result);
	return exit;
}

static void render_repaired(struct wbl_paper *p, const json_t *r)
{
	WBL_AUTOFREE char *done = wbl_value_text(json_object_get(r, "repaired"));
	WBL_AUTOFREE char *left = wbl_value_text(json_object_get(r, "remaining"));

	if (json_is_integer(json_object_get(r, "corrected")))
		wbl_paper_line(p, "%s: %lld rows corrected and taken, %lld are still left out",
			wbl_value_str(r, "run"), (long long)wbl_json_int(r, "corrected", 0),
			(long long)wbl_json_int(r, "rejected", 0));
	else
		wbl_paper_line(p, "%s: %s repaired, %s remain", wbl_value_str(r, "run"),
			*done ? done : "0", *left ? left : "0");
	wbl_render_findings(p, json_object_get(r, "findings"));
}

int wbl_cmd_repair(struct wbl_cli *c)
{
	json_t *args = run_args(c), *result;
	WBL_AUTOFREE char *file = NULL;
	struct wbl_error err = { 0 };
	int64_t left;
	int exit;

	if (c->opt[WBL_OPT_FROM]) {
		/* The engine has another working folder. */
		file = realpath(c->opt[WBL_OPT_FROM], NULL);
		if (!file) {
			json_decref(args);
			wbl_fail(&err, WBL_E_USAGE, c->opt[WBL_OPT_FROM],
				"Name the file with the corrected rejects.", "%s", strerror(errno));
			return wbl_cli_fail(c, &err);
		}
		wbl_json_put(args, "from", file);
	}
	result = wbl_cli_call(c, "repair", args);
	left = wbl_json_int(result, "remaining", 0);
	exit = print_result(c, result, render_repaired);
	return exit ? exit : left > 0 ? 10 : 0;
}

int wbl_cmd_confirm(struct wbl_cli *c)
{
	json_t *args = run_args(c);

	wbl_json_put(args, "step", c->args[1]);
	wbl_json_put(args, "text", c->opt[WBL_OPT_TEXT]);
	return print_result(c, wbl_cli_call(c, "confirm", args), render_summary);
}

static void render_answered(struct wbl_paper *p, const json_t *result)
{
	const char *plan = wbl_value_str(result, "plan");

	wbl_paper_add(p, "the answer is recorded");
	if (*plan)
		wbl_paper_add(p, "; whimbrel show %s", plan);
	wbl_paper_end(p);
}

int wbl_cmd_answer(struct wbl_cli *c)
{
	bool plan = !strcmp(c->args[0], "last") ? false : wbl_input_is_plan_id(c->args[0]);
	json_t *args = json_pack("{s:s, s:s, s:s}", plan ? "plan" : "run", c->args[0], "question",
		c->args[1], "answer", c->args[2]);

	return print_result(c, wbl_cli_call(c, "answer", args), render_answered);
}

int32_t wbl_cli_limits(const struct wbl_cli *c, json_t *args, struct wbl_error *err)
{
	const char *size = c->opt[WBL_OPT_BYTES];
	uint64_t bytes = 0;
	int64_t items;

	if (size && (!wbl_size_parse(size, &bytes) || bytes > INT64_MAX))
		return wbl_fail(err, WBL_E_USAGE, "--bytes", "Write it as 4096, 64K, 20M or 2G.",
			"\"%s\" is not a size", size);
	wbl_cli_number(c, WBL_OPT_ITEMS, 0, &items, err);
	if (err->code)
		return err->code;
	if (c->opt[WBL_OPT_ITEMS])
		wbl_json_puti(args, "items_per_s", items);
	if (size)
		wbl_json_puti(args, "bytes_per_s", (int64_t)bytes);
	return 0;
}

int wbl_cmd_throttle(struct wbl_cli *c)
{
	struct wbl_error err = { 0 };
	json_t *args = run_args(c);

	if (!c->opt[WBL_OPT_BYTES] && !c->opt[WBL_OPT_ITEMS])
		wbl_fail(&err, WBL_E_USAGE, NULL,
			"Say --items N, --bytes SIZE, or both; 0 means no limit.",
			"no limit was given");
	else
		wbl_cli_limits(c, args, &err);
	if (err.code) {
		json_decref(args);
		return wbl_cli_fail(c, &err);
	}
	return print_result(c, wbl_cli_call(c, "throttle", args), render_summary);
}
