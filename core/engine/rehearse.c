/* engine/rehearse.c - trying a step and its way back on copies, in a rehearsal.
 * In: a step with the flag "scratch" that is about to be rehearsed.  Out: calls, and one entry `rehearsed`.
 * A call more to try is a line in tries[].
 * SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "core/engine/rehearse.h"

#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const struct trial_call {
	enum wbl_call_kind kind;
	uint32_t flags;
	const char *name;
} tries[] = {
	{ WBL_CALL_EXECUTE, 0, "execute" },
	{ WBL_CALL_VERIFY, 0, "verify" },
	{ WBL_CALL_ROLLBACK, 0, "rollback" },
	{ WBL_CALL_VERIFY, WBL_WORK_BEFORE, "verify as before" },
};

static void start(struct wbl_run_step *s, size_t nth);

/* --- the folder --- */

static char *scratch_of(const struct wbl_run *run)
{
	return wbl_strf("%s/scratch/%s", wbl_state_dir(run->engine->state), run->id);
}

static char *scratch_of_step(const struct wbl_run_step *s)
{
	WBL_AUTOFREE char *of_run = scratch_of(s->run);

	return wbl_strf("%s/%zu", of_run, s->index + 1);
}

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *at)
{
	remove(path); /* what cannot go now goes when the engine starts */
	return 0;
}

static void remove_tree(const char *path)
{
	nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
}

static int32_t make_folder(const struct wbl_run_step *s, struct wbl_error *err)
{
	WBL_AUTOFREE char *path = scratch_of_step(s);

	remove_tree(path);
	return wbl_mkdirs(path, 0700, err);
}

void wbl_rehearsal_clean(const struct wbl_run *run)
{
	WBL_AUTOFREE char *scratch = scratch_of(run);
	WBL_AUTOFREE char *kept =
		wbl_strf("%s/artefacts/%s", wbl_state_dir(run->engine->state), run->id);
	WBL_AUTOFREE char *all = wbl_strf("%s/scratch", wbl_state_dir(run->engine->state));

	remove_tree(scratch);
	remove_tree(kept);
	rmdir(all);
}

void wbl_rehearsals_clean(const struct wbl_engine *e)
{
	WBL_AUTOFREE char *all = wbl_strf("%s/scratch", wbl_state_dir(e->state));

	remove_tree(all);
}

/* --- what came of it --- */

static void tell(struct wbl_run_step *s, size_t done, const char *what, json_t *body)
{
	json_t *list = json_array();
	WBL_AUTOFREE char *text = NULL;
	size_t i;

	for (i = 0; i < done; i++)
		json_array_append_new(list, json_string(tries[i].name));
	json_object_set_new(body, "tried", list);
	text = wbl_json_text(body);
	wbl_step_append(s, &(struct wbl_entry){ .kind = WBL_KIND_REHEARSED,
				   .name = what,
				   .status = done == WBL_COUNT(tries) ? 4 : 0,
				   .body = { text, strlen(text) } });
	json_decref(body);
}

json_t *wbl_trial_read(const struct wbl_entry *e)
{
	json_t *body = e->body.data && e->body.len
			       ? wbl_json_parse(e->body.data, e->body.len, NULL, NULL)
			       : NULL;

	if (json_is_array(json_object_get(body, "tried")))
		return body;
	json_decref(body);
	return NULL;
}

static void end(struct wbl_run_step *s)
{
	WBL_AUTOFREE char *path = scratch_of_step(s);

	remove_tree(path);
}

static void go_on(struct wbl_run_step *s)
{
	end(s);
	s->tried = true;
	wbl_step_start(s);
}

static void not_tried(struct wbl_run_step *s, const char *why)
{
	json_t *body = json_object();

	wbl_json_put(body, "why", why);
	tell(s, 0, why, body);
	go_on(s);
}

/* The step's own failure: its headline says where it happened. */
static void fail(struct wbl_run_step *s, const struct wbl_call_request *call, size_t nth,
	const struct wbl_outcome_of_call *outcome)
{
	struct wbl_outcome_of_call o = *outcome;
	WBL_AUTOFREE char *text = wbl_strf("tried on a copy, %s failed: %s", tries[nth].name,
		*outcome->error.text ? outcome->error.text : wbl_code_text(outcome->status));
	struct wbl_call_request executed = *call;
	json_t *body = json_object(), *error;

	wbl_json_put(body, "failed", tries[nth].name);
	wbl_json_put(body, "text", text);
	tell(s, nth, text, body);
	end(s);
	if (o.status >= 0)
		o.status = WBL_E_ABI;
	o.error.code = o.status;
	snprintf(o.error.text, sizeof o.error.text, "%s", text);
	executed.kind = WBL_CALL_EXECUTE;
	wbl_step_result(s, &executed, &o);
	error = wbl_step_error_json(&o);
	wbl_step_set_state(s, s->flags & WBL_STEP_OPTIONAL ? WBL_STEP_PASSED_OVER : WBL_STEP_FAILED,
		o.status, error);
	json_decref(error);
}

/* --- the calls --- */

static bool asked_to_stop(const struct wbl_call_request *call)
{
	const struct wbl_run *run = call->step->run;

	return call->told_to_stop || run->stopping || run->pause_asked || run->cancelled;
}

static void ended(struct wbl_call_request *call, const struct wbl_outcome_of_call *o)
{
	struct wbl_run_step *s = call->step;
	size_t nth = s->trial;

	if (!o->status && nth + 1 < WBL_COUNT(tries) && !asked_to_stop(call)) {
		start(s, nth + 1);
	} else if (!o->status && nth + 1 == WBL_COUNT(tries)) {
		tell(s, nth + 1, "really done on a copy, verified, taken back, and as before",
			json_object());
		go_on(s);
	} else if (asked_to_stop(call)) {
		end(s);
		wbl_step_set_state(s, WBL_STEP_SUSPENDED, WBL_E_CANCELLED, NULL);
	} else if (o->status == WBL_E_WAIT) {
		not_tried(s, "not tried on a copy: the step asks a person first");
	} else {
		fail(s, call, nth, o);
	}
}

static void start(struct wbl_run_step *s, size_t nth)
{
	WBL_AUTOFREE char *path = scratch_of_step(s);
	struct wbl_call_request *call =
		wbl_step_call_new(s, tries[nth].kind, tries[nth].flags | WBL_WORK_REHEARSE);

	s->trial = nth;
	wbl_json_put(call->work, "scratch", path);
	call->done = ended;
	wbl_call_start(call);
}

bool wbl_trial_is_due(const struct wbl_run_step *s)
{
	return s->run->rehearse && (s->flags & WBL_STEP_SCRATCH) && !s->tried &&
	       !(s->flags & (WBL_STEP_BACKGROUND | WBL_STEP_MANUAL));
}

bool wbl_trial_was_last(const struct wbl_run_step *s)
{
	return s->tried && s->pass == s->trial_pass;
}

static bool runs_as_another(const struct wbl_run_step *s)
{
	return wbl_json_str(json_object_get(s->instance->hello, "limits"), "run_as") != NULL;
}

void wbl_trial_start(struct wbl_run_step *s)
{
	struct wbl_outcome_of_call o = { 0 };

	wbl_step_append(s, &(struct wbl_entry){ .kind = WBL_KIND_STEP_INTENT,
				   .name = wbl_call_name(WBL_CALL_EXECUTE),
				   .pass = s->pass + 1,
				   .attempt = 1 });
	s->trial_pass = s->pass;
	if (runs_as_another(s)) {
		not_tried(s, "not tried on a copy: the handler runs as another user, who cannot "
			     "reach a folder of the engine");
		return;
	}
	o.status = make_folder(s, &o.error);
	if (o.status)
		fail(s, &(struct wbl_call_request){ .step = s, .pass = s->pass, .attempt = 1 }, 0,
			&o);
	else
		start(s, 0);
}
