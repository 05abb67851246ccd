/* engine/rollback.c - going back: one step after the other, in reverse order, each proved to be as before.
 * In: a run in state rolling_back.  Out: entries and calls; at the end rolled back, cancelled, tried again, stopped at
 * the step asked for, or stopped with a procedure for a person.
 * SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <stdlib.h>
#include <string.h>

#include "core/engine/run.h"
#include "core/engine/values.h"

/* In topological order once: with many ways from one step to the other, following each would take for ever. */
static bool comes_after(
	const struct wbl_run *run, const struct wbl_run_step *s, const struct wbl_run_step *base)
{
	WBL_AUTOFREE char *after = wbl_alloc(run->nsteps + 1);
	size_t i, j;

	for (i = 0; i < run->nsteps; i++) {
		const struct wbl_run_step *t = &run->steps[run->order[i]];

		for (j = 0; j < t->nafter && !after[t->index]; j++)
			after[t->index] = t->after[j] == base->index || after[t->after[j]];
		if (t == s)
			break;
	}
	return after[s->index];
}

static const struct wbl_run_step *step_that_stays(struct wbl_run *run, const char *to)
{
	return to ? wbl_run_step(run, to) : NULL;
}

/* Does this step go, when only a part is taken back? */
static bool goes(struct wbl_run *run, const struct wbl_run_step *s)
{
	const struct wbl_run_step *to = step_that_stays(run, run->rollback_to);

	if (to && run->retrying)
		return s == to || comes_after(run, s, to);
	return !to || (s != to && !comes_after(run, to, s));
}

/* One that failed is still its own way back; of one that ended nobody knows how, it must be asked first. */
static bool may_be_passed(const struct wbl_run_step *s)
{
	switch (s->state) {
	case WBL_STEP_EXECUTED:
	case WBL_STEP_VERIFIED:
		return true;
	case WBL_STEP_EXECUTING:
		return s->run->held;
	default:
		return wbl_step_wants_probe(s);
	}
}

const struct wbl_run_step *wbl_run_no_way_back(struct wbl_run *run, const char *to)
{
	const struct wbl_run_step *stays = step_that_stays(run, to);
	size_t i;

	for (i = 0; i < run->nsteps; i++) {
		const struct wbl_run_step *s = &run->steps[i];

		if ((s->flags & WBL_STEP_NO_RETURN) && s->touched && may_be_passed(s) &&
			(!stays || (s != stays && !comes_after(run, stays, s))))
			return s;
	}
	return NULL;
}

static void fail(struct wbl_run_step *s, int32_t status, const struct wbl_outcome_of_call *o)
{
	json_t *error = wbl_step_error_json(o);

	wbl_step_set_state(s, WBL_STEP_UNDO_FAILED, status, error);
	json_decref(error);
}

static void rollback_done(struct wbl_call_request *call, const struct wbl_outcome_of_call *o)
{
	struct wbl_run_step *s = call->step;
	bool late = o->status == WBL_E_CANCELLED && call->stopping;
	bool again =
		(o->status == WBL_E_RETRY || o->status == WBL_E_UNAVAILABLE || o->died || late) &&
		s->undo_tries < s->attempts_max;

	wbl_step_result(s, call, o);
	if (!o->status)
		return;
	if (again) {
		s->not_before = wbl_now_mono() + s->backoff_ns;
		wbl_run_wake_at(s->run, s->not_before);
	} else {
		fail(s, o->status, o);
	}
}

static void call_rollback(struct wbl_run_step *s)
{
	int64_t attempt = s->undo_attempt + 1;
	uint32_t flags = attempt > 1 ? WBL_WORK_RESUME : 0;
	struct wbl_call_request *call;

	s->undo_tries++;
	if (s->undo_tries >= s->attempts_max)
		flags |= WBL_WORK_LAST;
	wbl_step_append(s, &(struct wbl_entry){ .kind = WBL_KIND_STEP_INTENT,
				   .name = wbl_call_name(WBL_CALL_ROLLBACK),
				   .attempt = attempt });
	call = wbl_step_call_new(s, WBL_CALL_ROLLBACK, flags);
	wbl_json_puti(call->work, "attempt", attempt);
	call->attempt = attempt;
	call->done = rollback_done;
	wbl_call_start(call);
}

static bool changes_nothing(const struct wbl_run_step *s)
{
	return s->kind == WBL_KIND_VALIDATION || s->kind == WBL_KIND_VERIFICATION ||
	       s->kind == WBL_KIND_BACKUP;
}

static void undo_without_inverse(struct wbl_run_step *s)
{
	if (changes_nothing(s)) {
		wbl_step_set_state(s, WBL_STEP_UNDONE, 0, NULL);
		return;
	}
	/* It may have been stopped before it did anything: its own word on "as before" decides. */
	wbl_step_append(s, &(struct wbl_entry){ .kind = WBL_KIND_STEP_INTENT,
				   .name = wbl_call_name(WBL_CALL_ROLLBACK),
				   .attempt = s->undo_attempt + 1 });
	wbl_step_append(s, &(struct wbl_entry){ .kind = WBL_KIND_STEP_RESULT,
				   .name = wbl_call_name(WBL_CALL_ROLLBACK),
				   .attempt = s->undo_attempt });
}

static void wait_for_person(struct wbl_run *run)
{
	wbl_run_set_state(run, WBL_RUN_WAITING, 0, "a person is asked before the way back goes on");
}

/* As on the way forward, but for what it would have to wait for there. */
static void go_on_compensating(struct wbl_run_step *c)
{
	if (c->state == WBL_STEP_EXECUTING && (c->flags & WBL_STEP_PARTITIONED) && c->listed) {
		if (!c->call)
			wbl_step_feed_chunks(c);
	} else if (!wbl_step_idle(c)) {
		return;
	} else if (c->not_before > wbl_now_mono()) {
		wbl_run_wake_at(c->run, c->not_before);
	} else if (c->state == WBL_STEP_EXECUTED) {
		wbl_step_verify(c, 0);
	} else if (c->state == WBL_STEP_WAITING) {
		if (!wbl_step_is_answered(c))
			wait_for_person(c->run);
		else if (c->flags & WBL_STEP_MANUAL)
			wbl_step_set_state(c, WBL_STEP_EXECUTED, 0, NULL);
		else
			wbl_step_start(c);
	} else if (wbl_step_wants_probe(c)) {
		wbl_step_probe(c);
	} else {
		wbl_step_start(c);
	}
}

/* True when the compensating step has been executed and verified. */
static bool compensated(struct wbl_run_step *s)
{
	struct wbl_run_step *c = s->compensation;

	if ((c->state == WBL_STEP_VERIFIED || c->state == WBL_STEP_PASSED_OVER) &&
		c->began > s->began)
		return wbl_step_idle(c);
	if (c->state != WBL_STEP_FAILED)
		go_on_compensating(c);
	else if (wbl_step_idle(c))
		wbl_step_set_state(s, WBL_STEP_UNDO_FAILED, c->status, c->error);
	return false;
}

/* A background step stays up until its own turn, so that what was written meanwhile is drained before it goes. */
static bool background_is_down(struct wbl_run_step *s)
{
	if (!(s->flags & WBL_STEP_BACKGROUND) || s->state == WBL_STEP_EXECUTED ||
		s->state == WBL_STEP_VERIFIED || s->state == WBL_STEP_FAILED ||
		s->state == WBL_STEP_PASSED_OVER)
		return wbl_step_idle(s);
	if (s->call) {
		if (s->was_up)
			wbl_step_finish_background(s);
		else if (!s->call->stopping)
			wbl_call_signal(s->call, WBL_SIGNAL_STOP);
		return false;
	}
	if (!s->was_up)
		return wbl_step_idle(s);
	if (s->not_before > wbl_now_mono()) {
		wbl_run_wake_at(s->run, s->not_before);
		return false;
	}
	wbl_step_start(s);
	return false;
}

static void take_back(struct wbl_run_step *s)
{
	switch (s->inverse) {
	case WBL_INVERSE_NONE:
		undo_without_inverse(s);
		break;
	case WBL_INVERSE_STEP:
		if (compensated(s))
			wbl_step_set_state(s, WBL_STEP_UNDONE, 0, NULL);
		break;
	default:
		call_rollback(s);
	}
}

static void begin_undo(struct wbl_run_step *s)
{
	s->undo_tries = 0;
	if (!background_is_down(s) || !wbl_step_idle(s))
		return;
	if (s->flags & WBL_STEP_MANUAL) {
		wbl_step_append(s, &(struct wbl_entry){ .kind = WBL_KIND_STEP_INTENT,
					   .name = wbl_call_name(WBL_CALL_ROLLBACK),
					   .attempt = s->undo_attempt + 1 });
		wbl_run_set_state(
			s->run, WBL_RUN_WAITING, 0, "a person is asked to take a manual step back");
		return;
	}
	take_back(s);
}

static void go_on_with(struct wbl_run_step *s)
{
	if (!wbl_step_idle(s))
		return;
	if (s->not_before > wbl_now_mono()) {
		wbl_run_wake_at(s->run, s->not_before);
		return;
	}
	if (s->flags & WBL_STEP_MANUAL && !s->confirmed)
		wbl_run_set_state(
			s->run, WBL_RUN_WAITING, 0, "a person is asked to take a manual step back");
	else if ((s->flags & WBL_STEP_MANUAL) && s->open)
		wbl_step_append(s, &(struct wbl_entry){ .kind = WBL_KIND_STEP_RESULT,
					   .name = wbl_call_name(WBL_CALL_ROLLBACK),
					   .attempt = s->undo_attempt });
	else if (!(s->flags & WBL_STEP_MANUAL) && (s->open || s->status < 0))
		take_back(s);
	else
		wbl_step_verify(s, WBL_WORK_BEFORE);
}

static void undo(struct wbl_run_step *s)
{
	if (!wbl_host_free(s->run->engine) && !s->instance->idle) {
		s->run->wants_host = true;
		wbl_hosts_make_room(s->run->engine);
	} else if (s->state == WBL_STEP_UNDOING) {
		go_on_with(s);
	} else {
		begin_undo(s);
	}
}

static void all_undone(struct wbl_run *run)
{
	if (run->retrying) {
		wbl_run_set_state(run, WBL_RUN_EXECUTING, 0, "taken back; tried again");
	} else if (run->rollback_to) {
		WBL_AUTOFREE char *reason =
			wbl_strf("rolled back as far as %s, on request", run->rollback_to);

		wbl_run_set_state(run, WBL_RUN_FAILED, WBL_E_CANCELLED, reason);
	} else {
		wbl_run_restore_values(run);
		if (run->cancelled)
			wbl_run_set_state(run, WBL_RUN_CANCELLED, WBL_E_CANCELLED,
				"cancelled; everything is as it was before");
		else
			wbl_run_set_state(
				run, WBL_RUN_ROLLED_BACK, 0, "everything is as it was before");
	}
}

void wbl_run_advance_rollback(struct wbl_run *run)
{
	size_t i;

	wbl_run_keep_background_up(run);
	for (i = run->nsteps; i-- > 0;) {
		struct wbl_run_step *s = &run->steps[run->order[i]];

		if (s->state == WBL_STEP_UNDO_FAILED) {
			WBL_AUTOFREE char *reason =
				wbl_strf("step %s could not be taken back", s->id);

			wbl_run_set_state(run, WBL_RUN_ROLLBACK_FAILED, WBL_E_CORRUPT, reason);
			return;
		}
		if (!s->touched || s->is_compensation || !goes(run, s))
			continue;
		undo(s);
		if (s->touched)
			return;
	}
	all_undone(run);
}
