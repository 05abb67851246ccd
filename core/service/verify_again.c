/* service/verify_again.c - asking the steps of a finished run whether what they did still holds, and mending what does
 * not: only the recorded differences.
 * SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "core/service/verbs.h"

#include <stdlib.h>
#include <string.h>

struct again {
	struct wbl_control_request *request;
	struct wbl_run *run;
	enum wbl_call_kind kind;
	const char *file; /* corrections, in the request; NULL: none */
	size_t open, asked, bad;
	int64_t corrected;
	json_t *findings;
	int64_t differences;
};

/* Rows that are still left out. */
static int64_t left_out(const struct wbl_run *run)
{
	int64_t n = 0;
	size_t i;

	for (i = 0; i < run->nsteps; i++)
		n += run->steps[i].sums.rejected - run->steps[i].mended.items;
	return n;
}

static void settle(struct again *a)
{
	struct wbl_run *run = a->run;
	json_t *j;
	size_t i;

	if (a->open)
		return;
	run->verifying = false;
	for (i = 0; i < run->ninstances; i++)
		wbl_instance_rest(run->engine, run->instances[i]);
	if (a->file)
		j = json_pack("{s:s, s:I, s:I, s:I, s:I, s:O}", "run", run->id, "repaired",
			(json_int_t)(a->asked - a->bad), "remaining", (json_int_t)a->bad,
			"corrected", (json_int_t)a->corrected, "rejected",
			(json_int_t)left_out(run), "findings", a->findings);
	else if (a->kind == WBL_CALL_REPAIR)
		j = json_pack("{s:s, s:I, s:I, s:O}", "run", run->id, "repaired",
			(json_int_t)(a->asked - a->bad), "remaining", (json_int_t)a->bad,
			"findings", a->findings);
	else
		j = json_pack("{s:s, s:b, s:I, s:I, s:O}", "run", run->id, "ok", a->bad == 0,
			"steps", (json_int_t)a->asked, "differences", (json_int_t)a->differences,
			"findings", a->findings);
	wbl_control_answer(a->request, j);
	json_decref(a->findings);
	free(a);
}

static void add_finding(struct again *a, const struct wbl_run_step *s, const struct wbl_error *err)
{
	json_t *f = json_object();

	wbl_json_put(f, "severity", "error");
	wbl_json_put(f, "step", s->id);
	wbl_json_put(f, "where", err->where);
	wbl_json_put(f, "text", err->text);
	wbl_json_put(f, "hint", err->hint);
	json_array_append_new(a->findings, f);
}

static void record(
	struct again *a, const struct wbl_call_request *call, const struct wbl_outcome_of_call *o)
{
	struct wbl_run_step *s = call->step;
	json_t *body = json_object();
	WBL_AUTOFREE char *text = NULL;

	if (o->status < 0)
		json_object_set_new(body, "error", wbl_step_error_json(o));
	if (call->totals)
		json_object_set(body, "totals", call->totals);
	text = wbl_json_text(body);
	json_decref(body);
	wbl_step_append(
		s, &(struct wbl_entry){ .kind = WBL_KIND_STEP_RESULT,
			   .name = call->kind == WBL_CALL_REPAIR ? "repair" : "verify.lasting",
			   .actor = a->request->actor,
			   .status = o->status,
			   .body = { text, strlen(text) } });
}

static void on_verified(struct wbl_call_request *call, const struct wbl_outcome_of_call *o)
{
	struct again *a = call->ctx;
	struct wbl_run_step *s = call->step;

	record(a, call, o);
	a->differences += s->differences;
	if (o->status) {
		a->bad++;
		add_finding(a, s, &o->error);
	}
	a->open--;
	settle(a);
}

/* Repaired means verified after the repair. */
static void on_repaired(struct wbl_call_request *call, const struct wbl_outcome_of_call *o)
{
	struct again *a = call->ctx;
	struct wbl_call_request *verify;

	if (o->status) {
		on_verified(call, o);
		return;
	}
	a->corrected -= call->step->mended.items;
	record(a, call, o);
	a->corrected += call->step->mended.items;
	wbl_step_look_anew(call->step);
	verify = wbl_step_call_new(call->step, WBL_CALL_VERIFY, WBL_WORK_LASTING);
	verify->done = on_verified;
	verify->ctx = a;
	wbl_call_start(verify);
}

static bool is_asked(const struct wbl_run_step *s, const struct again *a)
{
	enum wbl_call_kind kind = a->kind;

	if (s->state != WBL_STEP_VERIFIED && s->state != WBL_STEP_FAILED)
		return false;
	if (a->file)
		return s->state == WBL_STEP_VERIFIED && s->sums.rejected > 0;
	return kind == WBL_CALL_REPAIR
		       ? s->differences > 0
		       : (s->flags & WBL_STEP_LASTING) && s->state == WBL_STEP_VERIFIED;
}

static void begin(struct wbl_engine *e, void *ctx)
{
	struct again *a = ctx;

	a->open--;
	settle(a);
}

static bool rejected(const struct wbl_run *run)
{
	size_t i;

	for (i = 0; i < run->nsteps; i++)
		if (run->steps[i].state == WBL_STEP_VERIFIED && run->steps[i].sums.rejected > 0)
			return true;
	return false;
}

void wbl_verb_verify(struct wbl_control_request *r, struct wbl_run *run, enum wbl_call_kind kind)
{
	struct wbl_error err;
	struct again *a;
	size_t i;

	if (!run)
		return;
	if (run->verifying || !wbl_run_at_rest(run) || run->rehearse) {
		wbl_fail(&err, WBL_E_STATE, run->id, "Wait until the run is at rest.",
			run->rehearse    ? "a rehearsal changed nothing"
			: run->verifying ? "this is being done already"
					 : "the run is under way");
		wbl_control_refuse(r, &err, NULL);
		return;
	}
	if (kind == WBL_CALL_REPAIR && wbl_json_str(r->args, "from") && !rejected(run)) {
		wbl_fail(&err, WBL_E_STATE, run->id,
			"whimbrel report RUN says what a run left out.",
			"no step of it has left anything out that could be corrected");
		wbl_control_refuse(r, &err, NULL);
		return;
	}
	a = wbl_alloc(sizeof *a);
	a->request = r;
	a->run = run;
	a->kind = kind;
	a->file = kind == WBL_CALL_REPAIR ? wbl_json_str(r->args, "from") : NULL;
	a->findings = json_array();
	a->open = 1;
	run->verifying = true;
	for (i = 0; i < run->nsteps; i++) {
		struct wbl_run_step *s = &run->steps[i];
		struct wbl_call_request *call;

		if (!is_asked(s, a))
			continue;
		if (kind == WBL_CALL_VERIFY)
			wbl_step_look_anew(s);
		call = wbl_step_call_new(s, kind, kind == WBL_CALL_VERIFY ? WBL_WORK_LASTING : 0);
		call->done = kind == WBL_CALL_REPAIR ? on_repaired : on_verified;
		wbl_json_put(call->work, "file", a->file);
		call->ctx = a;
		a->open++;
		a->asked++;
		wbl_call_start(call);
	}
	wbl_engine_after(run->engine, begin, a, NULL);
}
