/* engine/advance.c - what is due in a run: looked up anew after every change, so no order of events is special.
 * In: the picture of a run.  Out: entries and calls.  Rolling back is in rollback.c, one step's calls in step.c.
 * SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <event2/event.h>

#include "core/engine/claims.h"
#include "core/engine/rehearse.h"
#include "core/engine/run.h"
#include "core/engine/upgrade.h"
#include "core/engine/values.h"
#include "core/engine/validate.h"

/* --- small words --- */

static void append_json(struct wbl_run *run, struct wbl_entry *e, json_t *body)
{
	WBL_AUTOFREE char *text = wbl_json_text(body);

	e->body = (struct wbl_bytes){ text, strlen(text) };
	wbl_engine_append(run->engine, run, e);
	json_decref(body);
}

static void set_state_with(struct wbl_run *run, enum wbl_run_state to, int32_t status,
	const char *reason, const json_t *error)
{
	json_t *body = json_object();

	assert(wbl_run_change_legal(run->state, to));
	wbl_json_put(body, "reason", reason);
	if (error)
		json_object_set(body, "error", (json_t *)error);
	append_json(run,
		&(struct wbl_entry){ .kind = WBL_KIND_RUN_STATE,
			.name = wbl_run_state_name(to),
			.status = status },
		body);
	run->stopping = false;
	if (wbl_run_is_over(run))
		run->has_claims = false;
	if (wbl_run_is_over(run) && run->rehearse)
		wbl_rehearsal_clean(run);
	if (wbl_run_at_rest(run)) {
		struct wbl_run *other;
		size_t i;

		for (i = 0; i < run->ninstances; i++)
			wbl_instance_rest(run->engine, run->instances[i]);
		for (other = run->engine->runs; other; other = other->next)
			if (other->state == WBL_RUN_WAITING)
				wbl_engine_touch(run->engine, other);
	}
}

void wbl_run_set_state(
	struct wbl_run *run, enum wbl_run_state to, int32_t status, const char *reason)
{
	set_state_with(run, to, status, reason, NULL);
}

void wbl_run_note(struct wbl_run *run, const char *step, const char *subject, const char *text)
{
	wbl_engine_append(run->engine, run,
		&(struct wbl_entry){ .kind = WBL_KIND_RUN_NOTE,
			.step = step,
			.name = subject,
			.body = { text, strlen(text) } });
}

void wbl_run_raise_epoch(struct wbl_run *run, const char *why)
{
	size_t i, j;

	wbl_engine_append(run->engine, run,
		&(struct wbl_entry){
			.kind = WBL_KIND_RUN_EPOCH, .epoch = run->epoch + 1, .name = why });
	wbl_upgrade_tell_epoch(run->upgrade, run->epoch);
	for (i = 0; i < run->nsteps; i++) {
		struct wbl_run_step *s = &run->steps[i];

		if (s->call)
			wbl_call_send_epoch(s->call, run->epoch);
		for (j = 0; j < s->nchunks; j++)
			if (s->chunks[j].call)
				wbl_call_send_epoch(s->chunks[j].call, run->epoch);
	}
}

void wbl_run_wake_at(struct wbl_run *run, int64_t mono_ns)
{
	int64_t wait = mono_ns - wbl_now_mono();
	struct timeval tv, pending;

	if (wait < 1000000)
		wait = 1000000;
	tv = (struct timeval){ .tv_sec = wait / 1000000000, .tv_usec = wait % 1000000000 / 1000 };
	if (event_pending(run->timer, EV_TIMEOUT, &pending)) {
		struct timeval now, due;

		event_base_gettimeofday_cached(run->engine->base, &now);
		evutil_timeradd(&now, &tv, &due);
		if (evutil_timercmp(&pending, &due, <))
			return;
	}
	event_add(run->timer, &tv);
}

void wbl_hosts_wake_waiting(struct wbl_engine *e)
{
	struct wbl_run *run;

	for (run = e->runs; run; run = run->next)
		if (run->wants_host) {
			run->wants_host = false;
			wbl_engine_touch(e, run);
		}
}

/* --- claims --- */

bool wbl_run_waits_for_claims(const struct wbl_run *run)
{
	return run->state == WBL_RUN_WAITING && run->status == WBL_E_LOCKED && !run->has_claims;
}

/* A run takes the claims of all its steps at once and keeps them until it is over: what it must be able to take
 * back must not be changed by another meanwhile. */
bool wbl_run_take_claims(struct wbl_run *run, char **ret_holder)
{
	const struct wbl_run *other;

	if (run->has_claims || run->rehearse)
		return true;
	for (other = run->engine->runs; other; other = other->next)
		if (other != run && other->has_claims && wbl_claims_clash(run, other, ret_holder))
			return false;
	return run->has_claims = true;
}

/* --- stopping --- */

static bool failed(const struct wbl_run *run, const struct wbl_run_step **ret)
{
	size_t i;

	for (i = 0; i < run->nsteps; i++)
		if (run->steps[i].state == WBL_STEP_FAILED) {
			*ret = &run->steps[i];
			return true;
		}
	return false;
}

static void signal_step(struct wbl_run_step *s, uint32_t bit)
{
	size_t i;

	if (s->call && !s->call->background) {
		s->call->told_to_stop = true;
		wbl_call_signal(s->call, bit);
	}
	for (i = 0; i < s->nchunks; i++)
		if (s->chunks[i].call) {
			s->chunks[i].call->told_to_stop = true;
			wbl_call_signal(s->chunks[i].call, bit);
		}
}

/* True when no call but those of background steps is left. */
static bool stopped(struct wbl_run *run, uint32_t bit)
{
	bool quiet = true;
	size_t i;

	for (i = 0; i < run->nsteps; i++) {
		struct wbl_run_step *s = &run->steps[i];

		if (s->ncalls && !(s->call && s->call->background)) {
			quiet = false;
			if (!run->stopping)
				signal_step(s, bit);
		}
	}
	run->stopping = !quiet;
	return quiet;
}

static bool anything_done(const struct wbl_run *run)
{
	size_t i;

	for (i = 0; i < run->nsteps; i++)
		if (run->steps[i].touched)
			return true;
	return false;
}

static const struct wbl_run_step *no_return_passed(const struct wbl_run *run)
{
	size_t i;

	for (i = 0; i < run->nsteps; i++)
		if (run->steps[i].touched && (run->steps[i].flags & WBL_STEP_NO_RETURN))
			return &run->steps[i];
	return NULL;
}

static void begin_rollback(
	struct wbl_run *run, int32_t status, const char *reason, const json_t *error)
{
	set_state_with(run, WBL_RUN_ROLLING_BACK, status, reason, error);
	wbl_run_raise_epoch(run, "rollback");
}

static bool rollback_is_automatic(const struct wbl_run *run, const struct wbl_run_step *s)
{
	const json_t *m;
	size_t i;

	json_array_foreach(json_object_get(run->plan, "migrations"), i,
		m) if (!strcmp(wbl_json_str(m, "name"),
			       s->instance->name)) return strcmp(wbl_json_str(json_object_get(m,
										      "policy"),
									 "rollback"),
		"manual") != 0;
	return true;
}

static void ask_rollback(struct wbl_run *run, const char *verb, const char *to)
{
	json_t *body = json_object();

	wbl_json_put(body, "to", to);
	append_json(run,
		&(struct wbl_entry){
			.kind = WBL_KIND_RUN_REQUEST, .name = verb, .actor = "engine" },
		body);
}

/* A step says from where it is to be tried again. A background step whose view is gone (STALE) takes those that
 * relied on it with it: they are taken back, and begun again on a new one. */
static const struct wbl_run_step *tried_again_from(const struct wbl_run_step *s, int32_t status)
{
	if ((s->flags & WBL_STEP_BACKGROUND) && status == WBL_E_STALE)
		return s;
	return s->flags & WBL_STEP_RETRY_FROM ? s->retry_from : NULL;
}

static void decide_failure(struct wbl_run *run, const struct wbl_run_step *s)
{
	WBL_AUTOFREE char *reason = wbl_strf("step %s failed", s->id);
	const struct wbl_run_step *past = no_return_passed(run);
	int32_t status =
		s->error ? (int32_t)wbl_json_int(s->error, "code", WBL_E_FAILED) : WBL_E_FAILED;
	const struct wbl_run_step *again_from = tried_again_from(s, status);

	if (run->rehearse) {
		set_state_with(run, WBL_RUN_FAILED, status, reason, s->error);
		set_state_with(run, WBL_RUN_ROLLING_BACK, status, reason, s->error);
		set_state_with(run, WBL_RUN_ROLLED_BACK, status,
			"the rehearsal failed; nothing was changed", s->error);
		return;
	}
	if (again_from && again_from->pass < s->retries_max && !past) {
		ask_rollback(run, "retry_from", again_from->id);
		begin_rollback(run, status, reason, s->error);
	} else if (past && s != past) {
		free(reason);
		reason = wbl_strf(
			"step %s failed after the point of no return (%s)", s->id, past->id);
		set_state_with(run, WBL_RUN_FAILED, status, reason, s->error);
	} else if (status == WBL_E_CORRUPT || rollback_is_automatic(run, s)) {
		begin_rollback(run, status, reason, s->error);
	} else {
		set_state_with(run, WBL_RUN_FAILED, status, reason, s->error);
	}
}

/* Cancelled, or rolled back on request; nothing is under way but background steps. */
static void go_back(struct wbl_run *run)
{
	const struct wbl_run_step *past;

	if (run->cancelled && (!anything_done(run) || run->rehearse)) {
		if (run->state == WBL_RUN_EXECUTING)
			wbl_run_set_state(run, WBL_RUN_PAUSED, 0, "cancelled on request");
		wbl_run_set_state(run, WBL_RUN_CANCELLED, WBL_E_CANCELLED,
			"cancelled before anything was changed");
	} else if ((past = wbl_run_no_way_back(run, run->rollback_to))) {
		WBL_AUTOFREE char *reason = wbl_strf("stopped on request, but after the point of "
						     "no return (%s): it can only go on",
			past->id);

		if (run->state != WBL_RUN_EXECUTING)
			wbl_run_set_state(run, WBL_RUN_EXECUTING, 0, NULL);
		wbl_run_set_state(run, WBL_RUN_FAILED, WBL_E_STATE, reason);
	} else {
		begin_rollback(run, run->cancelled ? WBL_E_CANCELLED : 0,
			run->cancelled ? "cancelled on request" : "rolled back on request", NULL);
	}
}

/* True when the run is being stopped: nothing else is to be begun. */
static bool stop_if_wanted(struct wbl_run *run)
{
	const struct wbl_run_step *s = NULL;
	bool has_failed = failed(run, &s),
	     leave = has_failed || run->cancelled || run->rollback_asked;

	if (!leave && !run->pause_asked) {
		run->stopping = false; /* resumed before all had stopped */
		return false;
	}
	if (!stopped(run, leave ? WBL_SIGNAL_STOP : WBL_SIGNAL_PAUSE))
		return true;
	if (has_failed && !run->rollback_asked && !run->cancelled)
		decide_failure(run, s);
	else if (!leave)
		wbl_run_set_state(run, WBL_RUN_PAUSED, 0, "paused on request");
	else
		go_back(run);
	return true;
}

/* --- starting steps --- */

static bool done(const struct wbl_run_step *s)
{
	return s->state == WBL_STEP_VERIFIED || s->state == WBL_STEP_PASSED_OVER;
}

static bool dependencies_met(const struct wbl_run_step *s)
{
	size_t i;

	for (i = 0; i < s->nafter; i++) {
		const struct wbl_run_step *on = &s->run->steps[s->after[i]];

		if (on->is_compensation) /* done on the way back only */
			continue;
		if (!done(on) && !(on->state == WBL_STEP_UP && (on->flags & WBL_STEP_BACKGROUND)))
			return false;
	}
	return true;
}

static bool barrier_is_open(const struct wbl_run *run, const char *name)
{
	size_t i;

	for (i = 0; i < run->nbarriers; i++)
		if (!strcmp(run->barriers[i], name))
			return true;
	return false;
}

/* One opens when all of its steps could begin; every earlier barrier's steps are among their dependencies. */
static bool barrier_opens(struct wbl_run *run, const char *name)
{
	size_t i;

	if (barrier_is_open(run, name))
		return true;
	for (i = 0; i < run->nsteps; i++)
		if (run->steps[i].barrier && !strcmp(run->steps[i].barrier, name) &&
			!dependencies_met(&run->steps[i]))
			return false;
	wbl_engine_append(
		run->engine, run, &(struct wbl_entry){ .kind = WBL_KIND_BARRIER, .name = name });
	if (!strcmp(name, "switch"))
		wbl_run_raise_epoch(run, "cut-over");
	return true;
}

static bool waits_for_time(struct wbl_run_step *s)
{
	if (s->not_before <= wbl_now_mono())
		return false;
	wbl_run_wake_at(s->run, s->not_before);
	return true;
}

static size_t parallel_steps(void)
{
	static size_t n;

	if (!n)
		n = (size_t)(2 * sysconf(_SC_NPROCESSORS_ONLN));
	return n < 4 ? 4 : n;
}

static void try_start(struct wbl_run_step *s)
{
	struct wbl_run *run = s->run;

	if (s->is_compensation || !dependencies_met(s) || waits_for_time(s))
		return;
	if ((s->flags & WBL_STEP_FINALIZE) && !run->finalized && !run->rehearse)
		return;
	if (wbl_claims_taken(s) ||
		(!(s->flags & WBL_STEP_BACKGROUND) && wbl_claims_running(run) >= parallel_steps()))
		return;
	if (s->barrier && !barrier_opens(run, s->barrier))
		return;
	if (!(s->flags & WBL_STEP_BACKGROUND) && !wbl_host_free(run->engine) &&
		!s->instance->idle) {
		run->wants_host = true;
		wbl_hosts_make_room(run->engine);
		return;
	}
	wbl_step_start(s);
}

static void advance_suspended(struct wbl_run_step *s)
{
	if (waits_for_time(s))
		return;
	if (wbl_step_wants_probe(s))
		wbl_step_probe(s);
	else
		try_start(s);
}

/* Has the person said what the step waits for? */
bool wbl_step_is_answered(const struct wbl_run_step *s)
{
	size_t i;

	if (s->flags & WBL_STEP_MANUAL)
		return s->confirmed;
	for (i = 0; i < s->run->nquestions; i++)
		if (!strcmp(s->run->questions[i].step, s->id) && !s->run->questions[i].answer)
			return false;
	return true;
}

static void advance_waiting(struct wbl_run_step *s)
{
	if (!wbl_step_is_answered(s))
		return;
	if (s->flags & WBL_STEP_MANUAL) {
		wbl_step_set_state(s, WBL_STEP_EXECUTED, 0, NULL);
		return;
	}
	wbl_step_set_state(s, WBL_STEP_SUSPENDED, WBL_E_WAIT, NULL);
	s->tries = 0;
	try_start(s);
}

/* A background step that this one finishes comes down before this one counts as done. */
static bool finished_one_is_down(struct wbl_run_step *s)
{
	struct wbl_run_step *b = s->finishes;

	if (!b || s->run->rehearse || done(b))
		return true;
	if (b->state == WBL_STEP_UP)
		wbl_step_finish_background(b);
	return false;
}

static void advance_step(struct wbl_run_step *s)
{
	switch (s->state) {
	case WBL_STEP_PENDING:
	case WBL_STEP_UNDONE:
		try_start(s);
		break;
	case WBL_STEP_SUSPENDED:
		if (wbl_step_idle(s))
			advance_suspended(s);
		break;
	case WBL_STEP_WAITING:
		advance_waiting(s);
		break;
	case WBL_STEP_EXECUTING:
		if ((s->flags & WBL_STEP_PARTITIONED) && s->listed && !s->call)
			wbl_step_feed_chunks(s);
		break;
	case WBL_STEP_EXECUTED:
		if (wbl_step_idle(s) && finished_one_is_down(s) && !waits_for_time(s))
			wbl_step_verify(s, 0);
		break;
	default:
		break;
	}
}

/* --- the end --- */

/* By a step that is under way; one that failed and was passed over finishes nothing. */
static bool will_be_finished(const struct wbl_run_step *s)
{
	return s->finished_by && s->finished_by->state != WBL_STEP_PENDING &&
	       s->finished_by->state != WBL_STEP_PASSED_OVER;
}

static bool all_done(const struct wbl_run *run, bool *ret_finalize_left, bool *ret_up_left)
{
	size_t i;

	*ret_finalize_left = *ret_up_left = false;
	for (i = 0; i < run->nsteps; i++) {
		const struct wbl_run_step *s = &run->steps[i];

		if (s->ncalls && !(s->call && s->call->background))
			return false;
		if (s->is_compensation || done(s))
			continue;
		if (s->state == WBL_STEP_UP && !will_be_finished(s)) {
			*ret_up_left = true;
			continue;
		}
		if (s->state != WBL_STEP_PENDING && s->state != WBL_STEP_UNDONE)
			return false;
		*ret_finalize_left = true;
		if (s->flags & WBL_STEP_FINALIZE)
			continue;
		if (dependencies_met(s))
			return false;
	}
	return true;
}

static bool finalize_blocks(const struct wbl_run *run)
{
	size_t i;

	if (run->finalized || run->rehearse)
		return false;
	for (i = 0; i < run->nsteps; i++)
		if ((run->steps[i].flags & WBL_STEP_FINALIZE) && !done(&run->steps[i]))
			return true;
	return false;
}

static void complete(struct wbl_run *run, bool finalize_left, bool up_left)
{
	size_t i;

	if (finalize_left && finalize_blocks(run)) {
		wbl_run_set_state(run, WBL_RUN_REVERSIBLE, 0,
			"done and verified; whimbrel finalize gives up the way back");
		return;
	}
	if (finalize_left)
		return;
	if (up_left) {
		for (i = 0; i < run->nsteps; i++)
			if (run->steps[i].state == WBL_STEP_UP)
				wbl_step_finish_background(&run->steps[i]);
		return;
	}
	if (!run->rehearse)
		wbl_run_hold_values(run);
	wbl_run_set_state(run, WBL_RUN_COMPLETED, 0,
		run->rehearse ? "rehearsed; nothing was changed" : "done and verified");
}

static bool a_person_is_asked(const struct wbl_run *run)
{
	bool asked = false;
	size_t i;

	for (i = 0; i < run->nsteps; i++) {
		const struct wbl_run_step *s = &run->steps[i];

		if (s->ncalls && !(s->call && s->call->background))
			return false;
		if (s->not_before > wbl_now_mono() ||
			(s->state == WBL_STEP_EXECUTING && (s->flags & WBL_STEP_PARTITIONED)))
			return false; /* between attempts, of the step or of its chunks */
		asked |= s->state == WBL_STEP_WAITING;
	}
	return asked;
}

static void advance_executing(struct wbl_run *run)
{
	bool finalize_left, up_left;
	size_t i;

	if (stop_if_wanted(run))
		return;
	for (i = 0; i < run->nsteps && run->state == WBL_RUN_EXECUTING; i++)
		advance_step(&run->steps[run->order[i]]);
	if (run->state != WBL_RUN_EXECUTING)
		return;
	if (all_done(run, &finalize_left, &up_left))
		complete(run, finalize_left, up_left);
	else if (!run->wants_host && a_person_is_asked(run))
		wbl_run_set_state(run, WBL_RUN_WAITING, 0, "a person is asked");
}

/* --- states that are not executing --- */

static void enter_executing(struct wbl_run *run)
{
	WBL_AUTOFREE char *holder = NULL;

	if (wbl_run_take_claims(run, &holder))
		wbl_run_set_state(run, WBL_RUN_EXECUTING, 0, NULL);
	else if (run->state != WBL_RUN_WAITING)
		wbl_run_set_state(run, WBL_RUN_WAITING, WBL_E_LOCKED, holder);
}

static void advance_validating(struct wbl_run *run)
{
	int32_t rc;

	if (run->cancelled) {
		wbl_run_set_state(run, WBL_RUN_CANCELLED, WBL_E_CANCELLED,
			"cancelled before anything was changed");
		return;
	}
	rc = wbl_run_validate(run);
	if (rc == WBL_E_RETRY)
		return;
	if (!rc)
		enter_executing(run);
	else
		set_state_with(run, WBL_RUN_ROLLED_BACK, rc,
			"validation failed; nothing was changed", run->validation_error);
}

static bool undo_waits(const struct wbl_run_step *s)
{
	return (s->state == WBL_STEP_UNDOING && (s->flags & WBL_STEP_MANUAL)) ||
	       (s->is_compensation && s->state == WBL_STEP_WAITING);
}

static bool is_undoing(const struct wbl_run *run)
{
	size_t i;

	for (i = 0; i < run->nsteps; i++)
		if (run->steps[i].state == WBL_STEP_UNDOING || undo_waits(&run->steps[i]))
			return true;
	return false;
}

/* On the way back only what is said of the way back moves the run. */
static bool answered(const struct wbl_run *run, bool undoing)
{
	size_t i;

	for (i = 0; i < run->nsteps; i++) {
		const struct wbl_run_step *s = &run->steps[i];

		if ((undoing ? undo_waits(s) : s->state == WBL_STEP_WAITING) &&
			wbl_step_is_answered(s))
			return true;
	}
	return false;
}

/* At rest the background steps serve on: a copy that is paused, and a way back that is kept open, stand on them.
 * On the way back they do until their own turn. */
void wbl_run_keep_background_up(struct wbl_run *run)
{
	size_t i;

	for (i = 0; i < run->nsteps; i++) {
		struct wbl_run_step *s = &run->steps[i];

		if (!(s->flags & WBL_STEP_BACKGROUND))
			continue;
		if (s->state == WBL_STEP_SUSPENDED && s->was_up && wbl_step_idle(s) &&
			!waits_for_time(s))
			wbl_step_start(s);
		if (s->state == WBL_STEP_FAILED && run->state == WBL_RUN_REVERSIBLE) {
			WBL_AUTOFREE char *reason = wbl_strf(
				"step %s failed: the way back is not kept open any more", s->id);

			wbl_run_set_state(run, WBL_RUN_EXECUTING, 0, NULL);
			set_state_with(run, WBL_RUN_FAILED,
				(int32_t)wbl_json_int(s->error, "code", WBL_E_FAILED), reason,
				s->error);
		}
	}
}

static void advance_run_waiting(struct wbl_run *run)
{
	wbl_run_keep_background_up(run);
	if (wbl_run_waits_for_claims(run)) {
		if (run->cancelled)
			wbl_run_set_state(run, WBL_RUN_CANCELLED, WBL_E_CANCELLED,
				"cancelled before anything was changed");
		else
			enter_executing(run);
		return;
	}
	if (is_undoing(run)) {
		if (answered(run, true))
			wbl_run_set_state(run, WBL_RUN_ROLLING_BACK, 0, "a person has confirmed");
		return;
	}
	if (run->cancelled || run->rollback_asked)
		go_back(run);
	else if (answered(run, false))
		wbl_run_set_state(run, WBL_RUN_EXECUTING, 0, NULL);
}

/* --- does it move? --- */

/* Will the call end without anything else happening to the run? One that serves will not. */
static bool ends_by_itself(const struct wbl_call_request *call)
{
	return call && (!call->background || !call->ready ||
			       (call->signals & (WBL_SIGNAL_FINISH | WBL_SIGNAL_STOP)));
}

static bool has_call(const struct wbl_run *run)
{
	size_t i;

	for (i = 0; run->ncalls && i < run->nsteps; i++) {
		const struct wbl_run_step *s = &run->steps[i];

		if (s->ncalls > (s->call != NULL) || ends_by_itself(s->call))
			return true;
	}
	return false;
}

bool wbl_run_moves(const struct wbl_run *run)
{
	return run->held || run->touched || run->upgrade || run->check || run->wants_host ||
	       wbl_run_at_rest(run) || has_call(run) || event_pending(run->timer, EV_TIMEOUT, NULL);
}

void wbl_run_stand_still(struct wbl_run *run)
{
	struct wbl_buf b = { 0 };
	struct wbl_error err;
	json_t *error;
	size_t i;

	wbl_buf_addf(&b, "the run is %s and nothing moves it:", wbl_run_state_name(run->state));
	for (i = 0; i < run->nsteps && b.len < 400; i++)
		wbl_buf_addf(
			&b, " %s %s,", run->steps[i].id, wbl_step_state_name(run->steps[i].state));
	b.data[b.len - 1] = '\0';
	wbl_fail(&err, WBL_E_INTERNAL, run->id,
		"This is a fault of the engine: report it with whimbrel audit list. whimbrel "
		"recover RUN looks at the run anew.",
		"%s", b.data);
	fprintf(stderr, "whimbrel: %s: %s\n", run->id, b.data);
	wbl_run_note(run, NULL, "standstill", b.data);
	wbl_buf_clear(&b);
	error = wbl_json_error(&err);
	set_state_with(run,
		run->state == WBL_RUN_ROLLING_BACK ? WBL_RUN_ROLLBACK_FAILED : WBL_RUN_FAILED,
		WBL_E_INTERNAL, "nothing moved it any more", error);
	json_decref(error);
}

static void close_idle_hosts(struct wbl_run *run)
{
	size_t i;

	for (i = 0; i < run->ninstances; i++)
		wbl_instance_rest(run->engine, run->instances[i]);
}

/* Something of the run works on and cannot be ended: the run stops where it is, whatever it was about to do. */
static void stop_beside(struct wbl_run *run)
{
	static const char reason[] = "stopped where it is";
	struct wbl_error err;
	json_t *error;

	if (wbl_run_at_rest(run) || !stopped(run, WBL_SIGNAL_STOP))
		return;
	wbl_orphan_fail(&run->beside, run->id, "recover", &err);
	error = wbl_json_error(&err);
	if (run->state == WBL_RUN_ROLLING_BACK)
		set_state_with(run, WBL_RUN_ROLLBACK_FAILED, WBL_E_LOCKED, reason, error);
	else
		set_state_with(run, WBL_RUN_FAILED, WBL_E_LOCKED, reason, error);
	json_decref(error);
}

void wbl_run_advance(struct wbl_engine *e, struct wbl_run *run)
{
	if (run->held || run->upgrade)
		return;
	if (run->beside.pid && !run->check) {
		stop_beside(run);
		return;
	}
	switch (run->state) {
	case WBL_RUN_VALIDATING:
		advance_validating(run);
		break;
	case WBL_RUN_WAITING:
		advance_run_waiting(run);
		break;
	case WBL_RUN_EXECUTING:
		advance_executing(run);
		break;
	case WBL_RUN_ROLLING_BACK:
		wbl_run_advance_rollback(run);
		break;
	case WBL_RUN_PAUSED:
		if (run->cancelled || run->rollback_asked)
			go_back(run);
		else
			wbl_run_keep_background_up(run);
		break;
	case WBL_RUN_FAILED:
	case WBL_RUN_REVERSIBLE:
		wbl_run_keep_background_up(run);
		if (!run->ncalls)
			close_idle_hosts(run);
		break;
	default:
		if (!run->ncalls)
			close_idle_hosts(run);
	}
}
