/* service/verbs.c - what each request does. Plans and applications go to engine/migrate.c; the rest is short.
 * New verbs go into verbs.def, here, and into docs/control.md.
 * SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/engine/assess.h"
#include "core/engine/migrate.h"
#include "core/engine/plan.h"
#include "core/engine/run.h"
#include "core/engine/upgrade.h"
#include "core/observe/summary.h"
#include "core/service/control.h"
#include "core/service/verbs.h"

static const char *arg(const struct wbl_control_request *r, const char *key)
{
	return wbl_json_str(r->args, key);
}

static void refuse(struct wbl_control_request *r, int32_t code, const char *where, const char *hint,
	const char *text)
{
	struct wbl_error err;

	wbl_fail(&err, code, where, hint, "%s", text);
	wbl_control_refuse(r, &err, NULL);
}

/* The run that is named; answers by itself when there is none: then the request is gone. */
static struct wbl_run *run_of(struct wbl_control_request *r)
{
	struct wbl_run *run = wbl_run_find(r->control->engine, arg(r, "run"));

	if (!run)
		refuse(r, WBL_E_NOT_FOUND, arg(r, "run"), "whimbrel history lists the runs.",
			arg(r, "run") ? "there is no such run in this state folder"
				      : "a run must be named");
	return run;
}

static void record(struct wbl_control_request *r, struct wbl_run *run, const char *verb)
{
	WBL_AUTOFREE char *text = wbl_json_text(r->args);

	wbl_engine_append(r->control->engine, run,
		&(struct wbl_entry){ .kind = WBL_KIND_RUN_REQUEST,
			.name = verb,
			.actor = r->actor,
			.body = { text, strlen(text) } });
}

static void answer_summary(struct wbl_control_request *r, struct wbl_run *run)
{
	wbl_control_answer(r, json_pack("{s:o}", "run", wbl_run_summary(run, true)));
}

static void refuse_state(struct wbl_control_request *r, const struct wbl_run *run, const char *what)
{
	WBL_AUTOFREE char *text =
		wbl_strf("%s: the run is %s%s", what, wbl_run_state_name(run->state),
			run->held && !wbl_run_at_rest(run) ? ", and no engine carries it on" : "");
	WBL_AUTOFREE char *hint =
		run->held && !wbl_run_at_rest(run)
			? wbl_strf("whimbrel recover %s takes it up.", run->id)
			: wbl_strf("whimbrel status %s shows what it waits for.", run->id);

	refuse(r, WBL_E_STATE, run->id, hint, text);
}

/* --- the engine --- */

static void verb_hello(struct wbl_control_request *r)
{
	struct wbl_engine *e = r->control->engine;
	char at[32];

	wbl_time_text(e->started, at);
	wbl_control_answer(
		r, json_pack("{s:s, s:s, s:i, s:s, s:s, s:s, s:s, s:s}", "version", PACKAGE_VERSION,
			   "build", wbl_wire_build(), "pid", (int)getpid(), "uuid",
			   wbl_state_uuid(e->state), "dir", wbl_state_dir(e->state), "config",
			   e->options.config_dir, "started", at, "mode",
			   r->control->on_demand ? "on-demand" : "serve"));
}

/* A host that waits for its next call is no work; it ends with the engine. */
static bool runs_are_under_way(const struct wbl_engine *e)
{
	const struct wbl_run *run;

	for (run = e->runs; run; run = run->next)
		if (!run->held && !wbl_run_at_rest(run))
			return true;
	return false;
}

static void verb_stop(struct wbl_control_request *r)
{
	if (runs_are_under_way(r->control->engine)) {
		refuse(r, WBL_E_STATE, NULL,
			"Wait for the runs to end, or pause or cancel them: whimbrel status.",
			"a run is under way");
		return;
	}
	r->control->stopping = true;
	wbl_control_answer(r, NULL);
}

/* --- plans --- */

static void on_answer(
	void *ctx, int32_t rc, json_t *result, json_t *errors, const struct wbl_error *err)
{
	struct wbl_control_request *r = ctx;

	if (rc)
		wbl_control_refuse(r, err, errors);
	else
		wbl_control_answer(r, result);
}

/* {"run": id} at once, or the run's events until it is at rest. */
static void on_run_made(
	void *ctx, int32_t rc, json_t *result, json_t *errors, const struct wbl_error *err)
{
	struct wbl_control_request *r = ctx;
	struct wbl_run *run;

	if (rc || !wbl_json_bool(r->args, "watch", false)) {
		on_answer(ctx, rc, result, errors, err);
		return;
	}
	run = wbl_run_find(r->control->engine, wbl_json_str(result, "run"));
	json_decref(result);
	wbl_control_watch(r, run, 0);
}

static void verb_plan(struct wbl_control_request *r)
{
	wbl_migrate_plan(r->control->engine, r->args, r->actor, on_answer, r);
}

static void lose_assess(void *ctx)
{
	wbl_assess_stop(ctx);
}

static void on_assessed(
	void *ctx, int32_t rc, json_t *result, json_t *errors, const struct wbl_error *err)
{
	struct wbl_control_request *r = ctx;

	r->lost = NULL;
	on_answer(ctx, rc, result, errors, err);
}

static void verb_assess(struct wbl_control_request *r)
{
	struct wbl_engine *e = r->control->engine;
	const char *op = arg(r, "op"), *id = arg(r, "assessment");
	json_t *kept;

	if (op && !strcmp(op, "list")) {
		wbl_control_answer(
			r, json_pack("{s:o}", "assessments",
				   wbl_assess_list(e, wbl_json_int(r->args, "limit", 50))));
	} else if (op && !strcmp(op, "show")) {
		kept = wbl_assess_find(e, id ? id : "last");
		if (kept)
			wbl_control_answer(r, kept);
		else
			refuse(r, WBL_E_NOT_FOUND, id, "whimbrel assess --list shows them.",
				"there is no such assessment in this state folder");
	} else {
		r->lost_ctx = wbl_assess_start(e, r->args, r->actor, on_assessed, r);
		r->lost = r->lost_ctx ? lose_assess : NULL;
	}
}

static void verb_validate(struct wbl_control_request *r)
{
	wbl_migrate_validate(r->control->engine, r->args, r->actor, on_answer, r);
}

static void verb_rehearse(struct wbl_control_request *r)
{
	wbl_migrate_rehearse(r->control->engine, r->args, r->actor, on_run_made, r);
}

static void verb_apply(struct wbl_control_request *r)
{
	wbl_migrate_apply(r->control->engine, r->args, r->actor, on_run_made, r);
}

static void verb_show(struct wbl_control_request *r)
{
	struct wbl_state *s = r->control->engine->state;
	WBL_AUTOFREE char *id = NULL, *text = NULL, *used = NULL;
	char digest[WBL_SHA256_HEX];
	struct wbl_error err;
	json_t *plan = NULL;

	if (!arg(r, "plan")) {
		refuse(r, WBL_E_USAGE, "plan", NULL, "a plan must be named");
		return;
	}
	id = wbl_plan_resolve(s, arg(r, "plan"), &err);
	if (id)
		plan = wbl_plan_load(s, id, &text, &err);
	if (!plan) {
		wbl_control_refuse(r, &err, NULL);
		return;
	}
	json_decref(plan);
	used = wbl_plan_used_by(s, id);
	wbl_sha256_hex(text, strlen(text), digest);
	wbl_control_answer(
		r, json_pack("{s:s, s:s, s:s, s:o}", "plan", id, "digest", digest, "document", text,
			   "used_by", used ? json_string(used) : json_null()));
}

/* --- runs --- */

static void verb_watch(struct wbl_control_request *r)
{
	struct wbl_run *run = run_of(r);

	if (run)
		wbl_control_watch(r, run, wbl_json_int(r->args, "after", 0));
}

static void verb_status(struct wbl_control_request *r)
{
	struct wbl_engine *e = r->control->engine;
	json_t *runs = json_array();
	struct wbl_run *run;

	if (arg(r, "run")) {
		run = run_of(r);
		if (!run) {
			json_decref(runs);
			return;
		}
		json_array_append_new(runs, wbl_run_summary(run, true));
	} else {
		for (run = e->runs; run; run = run->next)
			if (!wbl_run_is_over(run))
				json_array_insert_new(runs, 0, wbl_run_summary(run, false));
	}
	wbl_control_answer(r,
		json_pack("{s:o, s:{s:s, s:i, s:s, s:s, s:I}}", "runs", runs, "engine", "version",
			PACKAGE_VERSION, "pid", (int)getpid(), "dir", wbl_state_dir(e->state),
			"mode", r->control->on_demand ? "on-demand" : "serve", "hosts",
			(json_int_t)e->nhosts));
}

static void verb_pause(struct wbl_control_request *r)
{
	struct wbl_run *run = run_of(r);

	if (!run)
		return;
	if (run->held || run->state != WBL_RUN_EXECUTING) {
		refuse_state(r, run, "it cannot be paused");
		return;
	}
	record(r, run, "pause");
	answer_summary(r, run);
}

/* False when the request was refused: the module files are others, and nobody can take over. */
static bool take_up(struct wbl_control_request *r, struct wbl_run *run)
{
	struct wbl_error err;

	if (!run->held && !wbl_run_at_rest(run))
		return true; /* its processes have the files that it began with */
	if (wbl_run_is_alone(run, &err) || wbl_run_fits(run, &err)) {
		wbl_control_refuse(r, &err, NULL);
		return false;
	}
	wbl_run_take_up(run);
	return true;
}

static void verb_resume(struct wbl_control_request *r)
{
	struct wbl_run *run = run_of(r);

	if (!run)
		return;
	if (run->state != WBL_RUN_PAUSED &&
		!(run->state == WBL_RUN_EXECUTING && run->pause_asked && !run->held)) {
		refuse_state(r, run, "it cannot be resumed");
		return;
	}
	if (!take_up(r, run))
		return;
	record(r, run, "resume");
	if (run->state == WBL_RUN_PAUSED)
		wbl_run_set_state(run, WBL_RUN_EXECUTING, 0, "resumed on request");
	answer_summary(r, run);
}

/* True when the request was refused: what it wants would cross the point of no return. */
static bool no_way_back(
	struct wbl_control_request *r, struct wbl_run *run, const char *what, const char *to)
{
	const struct wbl_run_step *point = wbl_run_no_way_back(run, to);
	WBL_AUTOFREE char *text = NULL;

	if (!point)
		return false;
	text = wbl_strf("%s: it is past its point of no return (%s)", what, point->id);
	refuse_state(r, run, text);
	return true;
}

static void verb_cancel(struct wbl_control_request *r)
{
	struct wbl_run *run = run_of(r);

	if (!run)
		return;
	if ((run->held && !wbl_run_at_rest(run)) || wbl_run_is_over(run) ||
		run->state == WBL_RUN_ROLLING_BACK || run->state == WBL_RUN_ROLLBACK_FAILED ||
		run->state == WBL_RUN_REVERSIBLE) {
		refuse_state(r, run, "it cannot be cancelled");
		return;
	}
	if (no_way_back(r, run, "it can be paused, not cancelled", NULL))
		return;
	if (!take_up(r, run))
		return;
	record(r, run, "cancel");
	if (run->state == WBL_RUN_FAILED) {
		wbl_run_set_state(
			run, WBL_RUN_ROLLING_BACK, WBL_E_CANCELLED, "cancelled on request");
		wbl_run_raise_epoch(run, "rollback");
	}
	answer_summary(r, run);
}

static void verb_finalize(struct wbl_control_request *r)
{
	struct wbl_run *run = run_of(r);

	if (!run)
		return;
	if (run->state != WBL_RUN_REVERSIBLE) {
		refuse_state(r, run, "it cannot be finalized");
		return;
	}
	if (!take_up(r, run))
		return;
	record(r, run, "finalize");
	wbl_run_set_state(run, WBL_RUN_EXECUTING, 0, "finalized on request");
	answer_summary(r, run);
}

static void watch_or_answer(struct wbl_control_request *r, struct wbl_run *run, json_t *result)
{
	if (wbl_json_bool(r->args, "watch", false)) {
		json_decref(result);
		wbl_control_watch(r, run, wbl_journal_last(r->control->engine->state));
	} else {
		wbl_control_answer(r, result);
	}
}

static const char *cannot_roll_back(const struct wbl_run *run)
{
	if (run->rehearse)
		return "a rehearsal has nothing to be taken back";
	if (run->held && !wbl_run_at_rest(run))
		return "it cannot be rolled back yet";
	if (run->state == WBL_RUN_ROLLED_BACK || run->state == WBL_RUN_CANCELLED ||
		run->state == WBL_RUN_ACCEPTED || run->state == WBL_RUN_ROLLING_BACK)
		return "it cannot be rolled back";
	return NULL;
}

static void verb_rollback(struct wbl_control_request *r)
{
	struct wbl_run *run = run_of(r);
	const char *why, *to;
	WBL_AUTOFREE char *holder = NULL;
	struct wbl_run_step *s = NULL;

	if (!run)
		return;
	to = arg(r, "to");
	why = cannot_roll_back(run);
	if (why) {
		refuse_state(r, run, why);
		return;
	}
	if (to && !(s = wbl_run_step(run, to))) {
		refuse(r, WBL_E_NOT_FOUND, to, "whimbrel status RUN lists its steps.",
			"the run has no such step");
		return;
	}
	if (no_way_back(r, run, to ? "it cannot be rolled back so far" : "it cannot be rolled back",
		    to))
		return;
	if (!wbl_run_take_claims(run, &holder)) {
		refuse(r, WBL_E_LOCKED, run->id, "Wait for that run, or end it.", holder);
		return;
	}
	if (!take_up(r, run)) {
		run->has_claims &= !wbl_run_is_over(run);
		return;
	}
	record(r, run, "rollback");
	if (run->state == WBL_RUN_COMPLETED || run->state == WBL_RUN_REVERSIBLE ||
		run->state == WBL_RUN_FAILED || run->state == WBL_RUN_ROLLBACK_FAILED) {
		wbl_run_set_state(run, WBL_RUN_ROLLING_BACK, 0, "rolled back on request");
		wbl_run_raise_epoch(run, "rollback");
	}
	watch_or_answer(r, run, json_pack("{s:s}", "run", run->id));
}

static const char *strategy_of(struct wbl_control_request *r)
{
	static const char *const known[] = { "auto", "resume", "rollback", "ask", "accept", NULL };
	const char *s = arg(r, "strategy");
	size_t i;

	if (!s)
		return "auto";
	for (i = 0; known[i]; i++)
		if (!strcmp(s, known[i]))
			return known[i];
	refuse(r, WBL_E_USAGE, s, "Use auto, resume, rollback, ask or accept.",
		"there is no such recovery strategy");
	return NULL;
}

/* "roll back: why" as {run, decision: "rollback", reason: "why"}. */
static json_t *decision_json(const struct wbl_run *run, const char *text)
{
	size_t word = strcspn(text, ":");
	const char *reason = text[word] ? text + word + 1 + strspn(text + word + 1, " ") : "";
	bool back = !strncmp(text, "roll back", word);

	return json_pack("{s:s, s:s%, s:s}", "run", run->id, "decision", back ? "rollback" : text,
		back ? (size_t)8 : word, "reason", reason);
}

static void accept_as_it_is(struct wbl_control_request *r, struct wbl_run *run)
{
	const char *why = arg(r, "text");
	struct wbl_error err;

	if (!run || !why || !*why)
		refuse(r, WBL_E_USAGE, run ? run->id : NULL,
			"whimbrel recover RUN --strategy accept --text \"why it may stay so\".",
			"one run and a reason must be named: what is accepted stays as it is");
	else if (wbl_run_accept(run, r->actor, why, &err))
		wbl_control_refuse(r, &err, NULL);
	else
		wbl_control_answer(r, json_pack("{s:[{s:s, s:s, s:s}]}", "runs", "run", run->id,
					      "decision", "accept", "reason", run->reason));
}

static void verb_recover(struct wbl_control_request *r)
{
	const char *strategy = strategy_of(r);
	struct wbl_run *run, *one = NULL;
	json_t *runs = json_array();
	struct wbl_error err;
	char *decision;

	if (!strategy || (arg(r, "run") && !(one = run_of(r)))) {
		json_decref(runs);
		return;
	}
	if (!strcmp(strategy, "accept")) {
		json_decref(runs);
		accept_as_it_is(r, one);
		return;
	}
	for (run = r->control->engine->runs; run; run = run->next) {
		if (one ? run != one
			: !run->held || (wbl_run_at_rest(run) && !wbl_run_waits_for_claims(run)))
			continue;
		decision = NULL;
		if (wbl_run_recover(run, strategy, &decision, &err)) {
			if (one) {
				json_decref(runs);
				wbl_control_refuse(r, &err, NULL);
				return;
			}
			continue;
		}
		record(r, run, "recover");
		json_array_append_new(runs, decision_json(run, decision));
		free(decision);
	}
	run = one                          ? one
	      : json_array_size(runs) == 1 ? wbl_run_find(r->control->engine,
						     wbl_json_str(json_array_get(runs, 0), "run"))
					   : NULL;
	if (run && !run->held)
		watch_or_answer(r, run, json_pack("{s:o}", "runs", runs));
	else
		wbl_control_answer(r, json_pack("{s:o}", "runs", runs));
}

static void verb_confirm(struct wbl_control_request *r)
{
	struct wbl_run *run = run_of(r);
	struct wbl_run_step *s;
	const char *text;

	if (!run)
		return;
	s = arg(r, "step") ? wbl_run_step(run, arg(r, "step")) : NULL;
	text = arg(r, "text") ? arg(r, "text") : "";
	if (!s || !(s->flags & WBL_STEP_MANUAL) ||
		(s->state != WBL_STEP_WAITING && s->state != WBL_STEP_UNDOING)) {
		refuse(r, WBL_E_STATE, arg(r, "step"),
			"whimbrel status RUN shows what the run waits for.",
			"the run does not wait for this step to be confirmed");
		return;
	}
	if (!take_up(r, run))
		return;
	wbl_step_append(s, &(struct wbl_entry){ .kind = WBL_KIND_CONFIRM,
				   .actor = r->actor,
				   .body = { text, strlen(text) } });
	answer_summary(r, run);
}

static void verb_answer(struct wbl_control_request *r)
{
	const char *id = arg(r, "question"), *text = arg(r, "answer");
	struct wbl_run *run;
	size_t i;

	if (arg(r, "plan") && !arg(r, "run")) {
		wbl_migrate_answer_plan(r->control->engine, r->args, r->actor, on_answer, r);
		return;
	}
	run = run_of(r);
	if (!run)
		return;
	for (i = 0; id && text && i < run->nquestions; i++)
		if (!strcmp(run->questions[i].id, id) && !run->questions[i].answer) {
			if (!take_up(r, run))
				return;
			wbl_engine_append(r->control->engine, run,
				&(struct wbl_entry){ .kind = WBL_KIND_ANSWER,
					.name = id,
					.step = run->questions[i].step,
					.actor = r->actor,
					.body = { text, strlen(text) } });
			answer_summary(r, run);
			return;
		}
	refuse(r, WBL_E_STATE, id, "whimbrel status RUN shows what the run asks.",
		"the run does not ask this");
}

static void verb_throttle(struct wbl_control_request *r)
{
	struct wbl_run *run = run_of(r);
	size_t i, j;

	if (!run)
		return;
	record(r, run, "throttle");
	for (i = 0; i < run->nsteps; i++) {
		if (run->steps[i].call)
			wbl_call_signal(run->steps[i].call, 0);
		for (j = 0; j < run->steps[i].nchunks; j++)
			if (run->steps[i].chunks[j].call)
				wbl_call_signal(run->steps[i].chunks[j].call, 0);
	}
	answer_summary(r, run);
}

static void verb_report(struct wbl_control_request *r)
{
	struct wbl_run *run = run_of(r);
	struct wbl_error err;
	json_t *report;

	if (!run)
		return;
	report = wbl_run_report(run, &err);
	if (report)
		wbl_control_answer(r, report);
	else
		wbl_control_refuse(r, &err, NULL);
}

static void verb_explain(struct wbl_control_request *r)
{
	struct wbl_run *run = run_of(r);

	if (run)
		wbl_control_answer(r, wbl_run_explain(run));
}

/* --- history and audit --- */

struct listing {
	struct wbl_engine *e;
	json_t *list;
};

enum { LISTED_MAX = 100000 };

static int64_t limit_of(const struct wbl_control_request *r, int64_t otherwise)
{
	int64_t n = wbl_json_int(r->args, "limit", otherwise);

	return n < 1 ? otherwise : n > LISTED_MAX ? LISTED_MAX : n;
}

static int32_t list_run(void *ctx, const struct wbl_entry *e)
{
	struct listing *l = ctx;
	const struct wbl_run *newest = l->e->runs;
	struct wbl_run *run = wbl_run_find(l->e, e->run);

	if (run)
		json_array_append_new(l->list, wbl_run_summary(run, false));
	if (run && run == l->e->runs && run != newest) { /* loaded for this: a history is long */
		l->e->runs = run->next;
		wbl_run_free(l->e, run);
	}
	return 0;
}

static void verb_history(struct wbl_control_request *r)
{
	struct listing l = { r->control->engine, json_array() };
	struct wbl_query q = { .kind = WBL_KIND_RUN_CREATED,
		.newest_first = true,
		.limit = limit_of(r, 50),
		.after = wbl_json_int(r->args, "before", 0) };

	wbl_journal_each(l.e->state, &q, list_run, &l, NULL);
	wbl_control_answer(r, json_pack("{s:o}", "runs", l.list));
}

static void verb_differences(struct wbl_control_request *r)
{
	struct wbl_run *run = run_of(r);
	int64_t after = wbl_json_int(r->args, "after", 0);
	struct wbl_error err;
	json_t *page;

	if (!run)
		return;
	page = wbl_run_differences(run, after < 0 ? 0 : after, limit_of(r, 100), &err);
	if (page)
		wbl_control_answer(r, page);
	else
		wbl_control_refuse(r, &err, NULL);
}

static int32_t list_entry(void *ctx, const struct wbl_entry *e)
{
	json_array_append_new(ctx, wbl_entry_json(e));
	return 0;
}

static void verb_audit(struct wbl_control_request *r)
{
	struct wbl_state *s = r->control->engine->state;
	const char *op = arg(r, "op") ? arg(r, "op") : "verify";
	struct wbl_query q = { .after = wbl_json_int(r->args, "after", 0),
		.limit = limit_of(r, 100),
		.run = arg(r, "run") };
	struct wbl_audit_report a = { 0 };
	char head[WBL_SHA256_HEX];
	struct wbl_error err;
	json_t *list;

	wbl_journal_head(s, head);
	if (!strcmp(op, "head")) {
		wbl_control_answer(r, json_pack("{s:s, s:I}", "head", head, "seq",
					      (json_int_t)wbl_journal_last(s)));
	} else if (!strcmp(op, "list")) {
		list = json_array();
		wbl_journal_each(s, &q, list_entry, list, NULL);
		wbl_control_answer(r, json_pack("{s:o}", "entries", list));
	} else if (strcmp(op, "verify")) {
		refuse(r, WBL_E_USAGE, op, "Use verify, head or list.",
			"there is no such audit operation");
	} else if (wbl_audit_verify(s, arg(r, "anchor"), &a, &err)) {
		wbl_control_refuse(r, &err, NULL);
	} else {
		wbl_control_answer(r,
			json_pack("{s:I, s:s, s:b, s:I, s:I, s:I, s:b}", "entries",
				(json_int_t)a.entries, "head", head, "anchored", a.anchored,
				"anchor_seq", (json_int_t)a.anchor_seq, "unanchored",
				(json_int_t)a.unanchored, "purged", (json_int_t)a.purged, "ok", 1));
	}
}

static void verb_verify(struct wbl_control_request *r)
{
	wbl_verb_verify(r, run_of(r), WBL_CALL_VERIFY);
}

static void verb_repair(struct wbl_control_request *r)
{
	wbl_verb_verify(r, run_of(r), WBL_CALL_REPAIR);
}

static void verb_handler(struct wbl_control_request *r)
{
	wbl_verb_handler(r);
}

static void verb_doctor(struct wbl_control_request *r)
{
	wbl_verb_doctor(r);
}

void wbl_verb_run(struct wbl_control_request *r)
{
	static const struct {
		const char *name;
		void (*fn)(struct wbl_control_request *r);
	} verbs[] = {
#define WBL_VERB(name, fn) { name, fn },
#include "core/service/verbs.def"
#undef WBL_VERB
	};
	size_t i;

	for (i = 0; i < WBL_COUNT(verbs); i++)
		if (!strcmp(verbs[i].name, r->verb)) {
			verbs[i].fn(r);
			return;
		}
	refuse(r, WBL_E_USAGE, r->verb, "docs/control.md lists the requests.",
		"there is no such request");
}
