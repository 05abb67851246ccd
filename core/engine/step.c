/* engine/step.c - the calls of one step: first and further attempts, chunks, probe, verification.
 * In: a step that advance.c or rollback.c found due.  Out: entries; what follows from them is decided there.
 * SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <stdlib.h>
#include <string.h>

#include "core/engine/learn.h"
#include "core/engine/rehearse.h"
#include "core/engine/run.h"

void wbl_step_append(struct wbl_run_step *s, struct wbl_entry *e)
{
	e->step = s->id;
	if (!e->pass)
		e->pass = s->pass;
	wbl_engine_append(s->run->engine, s->run, e);
}

static void append_json(struct wbl_run_step *s, struct wbl_entry *e, json_t *body)
{
	WBL_AUTOFREE char *text = wbl_json_text(body);

	e->body = (struct wbl_bytes){ text, strlen(text) };
	wbl_step_append(s, e);
	json_decref(body);
}

void wbl_step_set_state(
	struct wbl_run_step *s, enum wbl_step_state state, int32_t status, const json_t *error)
{
	json_t *body = json_object();

	if (error)
		json_object_set(body, "error", (json_t *)error);
	append_json(s,
		&(struct wbl_entry){ .kind = WBL_KIND_STEP_STATE,
			.name = wbl_step_state_name(state),
			.status = status },
		body);
}

bool wbl_step_idle(const struct wbl_run_step *s)
{
	return !s->ncalls;
}

void wbl_step_call_began(struct wbl_call_request *call)
{
	call->engine->nbackground += call->background;
	call->step->ncalls++;
	call->step->run->ncalls++;
	if (call->chunk)
		call->chunk->call = call;
	else
		call->step->call = call;
}

void wbl_step_call_ended(struct wbl_call_request *call)
{
	wbl_call_forget_drains(call);
	call->engine->nbackground -= call->background;
	call->step->ncalls--;
	call->step->run->ncalls--;
	if (call->chunk)
		call->chunk->call = NULL;
	else
		call->step->call = NULL;
	wbl_engine_touch(call->engine, call->step->run);
}

/* --- making calls --- */

/* What a handler writes into a target as the run's name must not be that of any other run: every state
 * folder has an r-000001, and a copied folder has the uuid of its original. */
static char *run_name(const struct wbl_run *run)
{
	return wbl_strf("%s.%s.%llx", run->id, wbl_state_uuid(run->engine->state),
		(unsigned long long)run->created);
}

static json_t *work_json(const struct wbl_run_step *s, uint32_t flags, const char *chunk)
{
	WBL_AUTOFREE char *name = run_name(s->run);
	WBL_AUTOFREE char *key =
		chunk ? wbl_strf("%s/%s/%s/%lld", name, s->id, chunk, (long long)s->pass)
		      : wbl_strf("%s/%s/%lld", name, s->id, (long long)s->pass);
	json_t *w = json_object();

	wbl_json_puti(w, "flags", flags);
	wbl_json_put(w, "run_id", name);
	wbl_json_put(w, "step_id", s->own_id);
	wbl_json_put(w, "op", s->op);
	wbl_json_put(w, "params", s->params ? s->params : "{}");
	wbl_json_put(w, "key", key);
	wbl_json_puti(w, "attempt", s->attempt ? s->attempt : 1);
	wbl_json_puti(w, "pass", s->pass ? s->pass : 1);
	wbl_json_puti(w, "epoch", s->run->epoch);
	wbl_json_put(w, "chunk_id", chunk);
	return w;
}

static json_t *with_mended(const struct wbl_run_step *s)
{
	struct wbl_sums all = { 0 };
	json_t *j;

	wbl_sums_add(&all, &s->sums);
	wbl_sums_add(&all, &s->mended);
	j = wbl_sums_json(&all);
	wbl_sums_clear(&all);
	return j;
}

struct wbl_call_request *wbl_step_call_new(
	struct wbl_run_step *s, enum wbl_call_kind kind, uint32_t flags)
{
	struct wbl_call_request *call = wbl_alloc(sizeof *call);
	const struct wbl_buf *executed = &s->checkpoint[WBL_CALL_EXECUTE];

	if (s->run->rehearse)
		flags |= WBL_WORK_REHEARSE;
	call->engine = s->run->engine;
	call->instance = s->instance;
	call->kind = kind;
	call->step = s;
	call->work = work_json(s, flags, NULL);
	call->grace_ns = s->grace_ns;
	call->timeout_ns = s->timeout_ns;
	call->epoch = s->run->epoch;
	call->pass = s->pass;
	call->attempt = s->attempt;
	wbl_buf_add(&call->parts[0], s->checkpoint[kind].data, s->checkpoint[kind].len);
	if (kind == WBL_CALL_VERIFY || kind == WBL_CALL_PROBE || kind == WBL_CALL_ROLLBACK)
		wbl_buf_add(&call->parts[1], executed->data, executed->len);
	if (kind == WBL_CALL_VERIFY && (s->flags & WBL_STEP_PARTITIONED))
		json_object_set_new(call->work, "totals", with_mended(s));
	return call;
}

json_t *wbl_step_error_json(const struct wbl_outcome_of_call *o)
{
	json_t *j = wbl_json_error(&o->error);

	wbl_json_put(j, "output", o->output);
	return j;
}

/* The entry that a call ended, with all that a report needs. */
void wbl_step_result(struct wbl_run_step *s, const struct wbl_call_request *call,
	const struct wbl_outcome_of_call *o)
{
	json_t *body = json_object();

	if (json_array_size(o->diagnostics))
		json_object_set(body, "diagnostics", o->diagnostics);
	if (o->status < 0)
		json_object_set_new(body, "error", wbl_step_error_json(o));
	wbl_json_put(body, "output", o->output);
	if (call->totals)
		json_object_set(body, "totals", call->totals);
	wbl_json_puti(body, "ns", o->elapsed_ns);
	append_json(s,
		&(struct wbl_entry){ .kind = WBL_KIND_STEP_RESULT,
			.name = wbl_call_name(call->kind),
			.pass = call->pass,
			.attempt = call->attempt,
			.status = o->status },
		body);
}

static bool unknown_outcome(int32_t status)
{
	return status == WBL_E_INDETERMINATE || status == WBL_E_CRASHED ||
	       status == WBL_E_TIMEOUT || status == WBL_E_WIRE;
}

static void back_off(struct wbl_run_step *s, int64_t *not_before, int64_t tries)
{
	int64_t wait = s->backoff_ns;

	while (tries-- > 1 && wait < INT64_C(60000000000))
		wait *= 2;
	*not_before = wbl_now_mono() + wait;
	wbl_run_wake_at(s->run, *not_before);
}

static void fail_step(struct wbl_run_step *s, int32_t status, const struct wbl_outcome_of_call *o)
{
	json_t *error = wbl_step_error_json(o);

	wbl_step_set_state(s, s->flags & WBL_STEP_OPTIONAL ? WBL_STEP_PASSED_OVER : WBL_STEP_FAILED,
		status, error);
	json_decref(error);
}

static bool was_asked_to_stop(const struct wbl_call_request *call)
{
	const struct wbl_run *run = call->step->run;

	return call->told_to_stop ||
	       (run->state == WBL_RUN_EXECUTING && (run->stopping || run->pause_asked ||
							   run->cancelled || run->rollback_asked));
}

/* A call that came back "cancelled" though nobody but its deadline asked it to stop has timed out. */
static int32_t settle_status(const struct wbl_call_request *call, struct wbl_outcome_of_call *o)
{
	char limit[24];

	if (o->status != WBL_E_CANCELLED || was_asked_to_stop(call))
		return o->status;
	wbl_duration_text(call->timeout_ns ? call->timeout_ns : WBL_READY_TIMEOUT, limit);
	if (call->late)
		o->status = wbl_fail(&o->error, WBL_E_TIMEOUT, call->step->id,
			wbl_code_actions(WBL_E_TIMEOUT),
			"the background step was not ready within %s", limit);
	else if (call->stopping)
		o->status = wbl_fail(&o->error, WBL_E_TIMEOUT, call->step->id,
			wbl_code_actions(WBL_E_TIMEOUT), "did not end within its time limit");
	else
		o->status =
			wbl_fail(&o->error, WBL_E_ABI, call->step->id, "Tell the handler's author.",
				"returned \"cancelled\" though nobody asked it to stop");
	return o->status;
}

/* Who waits without having asked would wait for ever. */
static int32_t settle_wait(
	const struct wbl_call_request *call, struct wbl_outcome_of_call *o, int32_t status)
{
	if (status == WBL_E_WAIT && !call->asked)
		o->status = status =
			wbl_fail(&o->error, WBL_E_ABI, call->step->id, "Tell the handler's author.",
				"returned \"wait\" though it asked nothing that has no answer yet");
	return status;
}

/* What was stopped is no attempt that failed. */
static void stopped_on_request(
	struct wbl_run_step *s, int32_t status, const struct wbl_outcome_of_call *o)
{
	if (status == WBL_E_WAIT) {
		wbl_step_set_state(s, WBL_STEP_WAITING, status, NULL);
	} else if (status == WBL_E_CANCELLED || status == WBL_E_RETRY || unknown_outcome(status)) {
		wbl_step_set_state(s, WBL_STEP_SUSPENDED, status, NULL);
		if (status == WBL_E_CANCELLED && s->tries)
			s->tries--;
	} else {
		fail_step(s, status, o);
	}
}

static void execute_done(struct wbl_call_request *call, const struct wbl_outcome_of_call *outcome)
{
	struct wbl_outcome_of_call o = *outcome;
	struct wbl_run_step *s = call->step;
	int32_t status = settle_wait(call, &o, settle_status(call, &o));
	bool more = s->tries < s->attempts_max && !s->run->rehearse;

	wbl_step_result(s, call, &o);
	if (!status) {
		wbl_step_refuse_drains(s);
		return;
	}
	if (status == WBL_E_CANCELLED || was_asked_to_stop(call)) {
		stopped_on_request(s, status, &o);
	} else if (status == WBL_E_WAIT) {
		wbl_step_set_state(s, WBL_STEP_WAITING, status, NULL);
	} else if (status == WBL_E_RETRY && more) {
		back_off(s, &s->not_before, s->tries);
		wbl_step_set_state(s, WBL_STEP_SUSPENDED, status, NULL);
	} else if (call->background && (outcome->died || status == WBL_E_RETRY || call->late) &&
		   s->restarts < s->restarts_max) {
		back_off(s, &s->not_before, s->restarts + 1);
		wbl_step_set_state(s, WBL_STEP_SUSPENDED, status, NULL);
	} else if (unknown_outcome(status) && !s->run->rehearse && !call->background) {
		wbl_step_set_state(s, WBL_STEP_SUSPENDED, status, NULL);
	} else {
		fail_step(s, status, &o);
	}
	if (call->background && s->state != WBL_STEP_SUSPENDED)
		wbl_step_refuse_drains(s);
}

/* --- chunks --- */

static size_t chunk_calls(const struct wbl_run_step *s)
{
	return s->ncalls - (s->call != NULL);
}

static void chunk_result(struct wbl_run_step *s, const struct wbl_call_request *call,
	const struct wbl_outcome_of_call *o)
{
	json_t *body = json_object();

	if (json_array_size(o->diagnostics))
		json_object_set(body, "diagnostics", o->diagnostics);
	if (o->status < 0)
		json_object_set_new(body, "error", wbl_step_error_json(o));
	if (call->totals)
		json_object_set(body, "totals", call->totals);
	wbl_json_puti(body, "ns", o->elapsed_ns);
	append_json(s,
		&(struct wbl_entry){ .kind = WBL_KIND_CHUNK_RESULT,
			.chunk = call->chunk->id,
			.attempt = call->chunk->attempt,
			.pass = call->pass,
			.status = o->status },
		body);
}

/* Nobody else stops what is left of an optional step that failed. */
static void stop_chunks(struct wbl_run_step *s)
{
	size_t i;

	for (i = 0; i < s->nchunks; i++)
		if (s->chunks[i].call)
			wbl_call_signal(s->chunks[i].call, WBL_SIGNAL_STOP);
}

static void chunk_done(struct wbl_call_request *call, const struct wbl_outcome_of_call *outcome)
{
	struct wbl_outcome_of_call o = *outcome;
	struct wbl_run_step *s = call->step;
	struct wbl_chunk_state *c = call->chunk;
	int32_t status = settle_status(call, &o);

	if (status == WBL_E_SPLIT && !call->added)
		status = o.status =
			wbl_fail(&o.error, WBL_E_ABI, c->id, "Tell the handler's author.",
				"the chunk was said to be split, but no smaller ones were added");
	if (status == WBL_E_SPLIT) {
		wbl_step_append(s, &(struct wbl_entry){ .kind = WBL_KIND_CHUNK_SPLIT,
					   .chunk = c->id,
					   .attempt = call->attempt });
		return;
	}
	chunk_result(s, call, &o);
	if (status == WBL_E_CANCELLED && c->tries)
		c->tries--;
	if (!status || status == WBL_E_CANCELLED || s->state != WBL_STEP_EXECUTING)
		return;
	if (was_asked_to_stop(call) && (status == WBL_E_RETRY || unknown_outcome(status)))
		return;
	if ((status == WBL_E_RETRY || unknown_outcome(status)) && c->tries < s->attempts_max &&
		!s->run->rehearse)
		back_off(s, &c->not_before, c->tries);
	else
		fail_step(s, status, &o);
	if (s->state == WBL_STEP_PASSED_OVER)
		stop_chunks(s);
}

static void start_chunk(struct wbl_run_step *s, struct wbl_chunk_state *c)
{
	uint32_t flags = WBL_WORK_CHUNK | (c->attempt ? WBL_WORK_RESUME : 0);
	struct wbl_call_request *call;

	c->tries++;
	if (c->tries >= s->attempts_max)
		flags |= WBL_WORK_LAST;
	wbl_step_append(s,
		&(struct wbl_entry){
			.kind = WBL_KIND_CHUNK_INTENT, .chunk = c->id, .attempt = c->attempt + 1 });
	call = wbl_step_call_new(s, WBL_CALL_EXECUTE, flags);
	json_decref(call->work);
	call->work = work_json(s, flags | (s->run->rehearse ? WBL_WORK_REHEARSE : 0), c->id);
	wbl_json_puti(call->work, "attempt", c->attempt);
	json_object_set_new(call->work, "totals", wbl_sums_json(&s->so_far));
	wbl_buf_clear(&call->parts[0]);
	wbl_buf_add(&call->parts[0], c->checkpoint.data, c->checkpoint.len);
	wbl_buf_add(&call->parts[2], c->body.data, c->body.len);
	call->chunk = c;
	call->attempt = c->attempt;
	call->done = chunk_done;
	wbl_call_start(call);
}

static void finish_partitioned(struct wbl_run_step *s)
{
	struct wbl_sums all = { 0 };
	json_t *body = json_object();
	size_t i;

	for (i = 0; i < s->nchunks; i++)
		if (s->chunks[i].phase == WBL_CHUNK_DONE)
			wbl_sums_add(&all, &s->chunks[i].sums);
	json_object_set_new(body, "totals", wbl_sums_json(&all));
	wbl_json_puti(body, "ns", wbl_now_real() - s->began);
	wbl_sums_clear(&all);
	append_json(s,
		&(struct wbl_entry){ .kind = WBL_KIND_STEP_RESULT,
			.name = wbl_call_name(WBL_CALL_EXECUTE),
			.attempt = s->attempt },
		body);
}

static size_t staged(const struct wbl_run_step *s)
{
	size_t i, n = 0;

	for (i = 0; i < s->nchunks; i++)
		n += s->chunks[i].phase == WBL_CHUNK_STAGED;
	return n;
}

void wbl_step_feed_chunks(struct wbl_run_step *s)
{
	int64_t now = wbl_now_mono(), soonest = INT64_MAX;
	size_t i;

	if (s->chunks_done + staged(s) == s->nchunks && !s->ncalls) {
		finish_partitioned(s);
		return;
	}
	for (i = 0; i < s->nchunks && chunk_calls(s) < (size_t)s->processes_max; i++) {
		struct wbl_chunk_state *c = &s->chunks[i];

		if (c->call || (c->phase != WBL_CHUNK_READY && c->phase != WBL_CHUNK_OPEN))
			continue;
		if (c->not_before > now) {
			soonest = c->not_before < soonest ? c->not_before : soonest;
			continue;
		}
		if (!wbl_host_free(s->run->engine) && !s->instance->idle) {
			s->run->wants_host = true;
			wbl_hosts_make_room(s->run->engine);
			return;
		}
		start_chunk(s, c);
	}
	if (soonest != INT64_MAX)
		wbl_run_wake_at(s->run, soonest);
}

static void partition_done(struct wbl_call_request *call, const struct wbl_outcome_of_call *o)
{
	struct wbl_run_step *s = call->step;

	if (!o->status) {
		wbl_step_append(s, &(struct wbl_entry){ .kind = WBL_KIND_CHUNK_LIST,
					   .status = (int32_t)s->nchunks });
		return;
	}
	wbl_step_result(s, call, o);
	if (was_asked_to_stop(call))
		wbl_step_set_state(s, WBL_STEP_SUSPENDED, WBL_E_CANCELLED, NULL);
	else if ((o->status == WBL_E_RETRY || o->died) && s->tries < s->attempts_max) {
		back_off(s, &s->not_before, s->tries);
		wbl_step_set_state(s, WBL_STEP_SUSPENDED, WBL_E_RETRY, NULL);
	} else {
		fail_step(s, o->status, o);
	}
}

/* --- execute --- */

static void begin(struct wbl_run_step *s, enum wbl_call_kind kind, int64_t pass, int64_t attempt,
	uint32_t flags, void (*done)(struct wbl_call_request *, const struct wbl_outcome_of_call *))
{
	struct wbl_call_request *call;

	wbl_step_append(s, &(struct wbl_entry){ .kind = WBL_KIND_STEP_INTENT,
				   .name = wbl_call_name(kind),
				   .pass = pass,
				   .attempt = attempt });
	call = wbl_step_call_new(s, kind, flags);
	call->attempt = attempt;
	call->background =
		kind == WBL_CALL_EXECUTE && (s->flags & WBL_STEP_BACKGROUND) && !s->run->rehearse;
	call->done = done;
	wbl_call_start(call);
	if (call->background && s->demand > s->demand_done)
		wbl_call_signal(call, WBL_SIGNAL_DRAIN);
}

/* A compensating step that was done for an earlier pass is done again for this one. */
static bool compensates_anew(const struct wbl_run_step *s)
{
	return s->is_compensation &&
	       (s->state == WBL_STEP_VERIFIED || s->state == WBL_STEP_PASSED_OVER);
}

void wbl_step_start(struct wbl_run_step *s)
{
	bool again = s->state == WBL_STEP_UNDONE || compensates_anew(s) || wbl_trial_was_last(s);
	int64_t pass = again     ? s->pass + 1
		       : s->pass ? s->pass
				 : 1,
		attempt = again ? 1 : s->attempt + 1;
	uint32_t flags = attempt > 1 ? WBL_WORK_RESUME : 0;

	if (again)
		s->tries = s->restarts = 0;
	s->tries++;
	s->probed = false;
	if (s->tries >= s->attempts_max)
		flags |= WBL_WORK_LAST;
	if (s->flags & WBL_STEP_BACKGROUND && attempt > 1)
		s->restarts++;
	if (s->flags & WBL_STEP_MANUAL && !s->run->rehearse)
		wbl_step_append(s, &(struct wbl_entry){ .kind = WBL_KIND_STEP_INTENT,
					   .name = wbl_call_name(WBL_CALL_EXECUTE),
					   .pass = pass,
					   .attempt = attempt }),
			wbl_step_set_state(s, WBL_STEP_WAITING, WBL_E_WAIT, NULL);
	else if (s->flags & WBL_STEP_MANUAL)
		wbl_step_set_state(s, WBL_STEP_VERIFIED, 0, NULL);
	else if (wbl_trial_is_due(s))
		wbl_trial_start(s);
	else if ((s->flags & WBL_STEP_PARTITIONED) && (again || !s->listed))
		begin(s, WBL_CALL_PARTITION, pass, attempt, flags & ~WBL_WORK_RESUME,
			partition_done);
	else if (s->flags & WBL_STEP_PARTITIONED)
		wbl_step_set_state(s, WBL_STEP_EXECUTING, 0, NULL);
	else
		begin(s, WBL_CALL_EXECUTE, pass, attempt, flags, execute_done);
}

/* --- probe --- */

static void settle_probe(struct wbl_run_step *s, int32_t state, const char *how)
{
	struct wbl_outcome_of_call o = { 0 };
	json_t *body;

	if (state == WBL_PROBE_DONE) {
		body = json_object();
		wbl_json_put(body, "note", how);
		append_json(s,
			&(struct wbl_entry){ .kind = WBL_KIND_STEP_RESULT,
				.name = wbl_call_name(WBL_CALL_EXECUTE),
				.attempt = s->attempt },
			body);
	} else if ((state == WBL_PROBE_NOT_STARTED || state == WBL_PROBE_PARTLY) &&
		   s->tries < s->attempts_max) {
		back_off(s, &s->not_before, s->tries);
	} else {
		o.status = s->status;
		o.output = wbl_json_str(s->error, "output");
		wbl_fail(&o.error, s->status, s->id, wbl_code_actions(WBL_E_INDETERMINATE), "%s",
			state == WBL_PROBE_UNKNOWN
				? "the handler cannot tell what reached the target"
			: wbl_json_str(s->error, "text") ? wbl_json_str(s->error, "text")
							 : "no attempt is left");
		fail_step(s, s->status, &o);
	}
	wbl_run_note(s->run, s->id, "probe", how);
}

static void verify_as_probe_done(struct wbl_call_request *call, const struct wbl_outcome_of_call *o)
{
	struct wbl_run_step *s = call->step;

	if (was_asked_to_stop(call))
		s->probed = false;
	else if (!o->status)
		settle_probe(s, WBL_PROBE_DONE, "verify found the work done: it is not repeated");
	else if (o->status == WBL_E_MISMATCH)
		settle_probe(s, WBL_PROBE_PARTLY, "verify found the work not done: it is resumed");
	else
		settle_probe(s, WBL_PROBE_UNKNOWN, "verify could not tell what was done");
}

static void probe_done(struct wbl_call_request *call, const struct wbl_outcome_of_call *o)
{
	static const char *const words[] = { "", "probe: nothing was done, it is begun again",
		"probe: part was done, it is resumed", "probe: all was done, it is not repeated" };
	struct wbl_run_step *s = call->step;

	if (was_asked_to_stop(call)) {
		s->probed = false;
	} else if (o->status == WBL_E_UNSUPPORTED && !o->died) {
		struct wbl_call_request *verify =
			wbl_step_call_new(s, WBL_CALL_VERIFY, WBL_WORK_RESUME);

		verify->done = verify_as_probe_done;
		wbl_call_start(verify);
	} else if (!o->status && o->probe >= WBL_PROBE_NOT_STARTED && o->probe <= WBL_PROBE_DONE) {
		settle_probe(s, o->probe, words[o->probe]);
	} else {
		settle_probe(s, WBL_PROBE_UNKNOWN, "probe could not tell what was done");
	}
}

bool wbl_step_wants_probe(const struct wbl_run_step *s)
{
	return s->state == WBL_STEP_SUSPENDED && unknown_outcome(s->status) && !s->probed &&
	       !(s->flags & (WBL_STEP_BACKGROUND | WBL_STEP_PARTITIONED));
}

void wbl_step_probe(struct wbl_run_step *s)
{
	struct wbl_call_request *call = wbl_step_call_new(s, WBL_CALL_PROBE, WBL_WORK_RESUME);

	s->probed = true;
	call->done = probe_done;
	wbl_call_start(call);
}

/* --- verify --- */

static void verify_done(struct wbl_call_request *call, const struct wbl_outcome_of_call *outcome)
{
	struct wbl_outcome_of_call o = *outcome;
	struct wbl_run_step *s = call->step;
	int32_t status = settle_status(call, &o);

	if (status == WBL_E_CANCELLED)
		return;
	wbl_step_result(s, call, &o);
	if (!status) {
		wbl_learn_step(s);
		return;
	}
	if ((status == WBL_E_RETRY || outcome->died) && s->tries++ < s->attempts_max)
		back_off(s, &s->not_before, s->tries);
	else if (s->state == WBL_STEP_UNDOING) {
		json_t *error = wbl_step_error_json(&o);

		wbl_step_set_state(s, WBL_STEP_UNDO_FAILED, status, error);
		json_decref(error);
	} else {
		fail_step(s, status, &o);
	}
}

void wbl_step_look_anew(struct wbl_run_step *s)
{
	if (s->differences > s->rejects)
		wbl_step_append(s, &(struct wbl_entry){ .kind = WBL_KIND_STEP_INTENT,
					   .name = wbl_call_name(WBL_CALL_VERIFY) });
}

void wbl_step_verify(struct wbl_run_step *s, uint32_t flags)
{
	struct wbl_call_request *call;

	if (!(flags & WBL_WORK_BEFORE)) /* what made the run go back stays in the report */
		wbl_step_look_anew(s);
	call = wbl_step_call_new(s, WBL_CALL_VERIFY, flags);
	call->done = verify_done;
	wbl_call_start(call);
}

/* --- background --- */

int64_t wbl_deadline(int64_t wait_ns)
{
	int64_t now = wbl_now_mono();

	return wait_ns <= 0 || wait_ns > INT64_MAX - now ? 0 : now + wait_ns;
}

void wbl_step_finish_background(struct wbl_run_step *s)
{
	if (!s->call || (s->call->signals & WBL_SIGNAL_FINISH))
		return;
	wbl_step_append(s, &(struct wbl_entry){
				   .kind = WBL_KIND_DEMAND, .attempt = s->demand + 1, .name = "" });
	s->demand_deadline = wbl_deadline(s->timeout_ns);
	wbl_call_signal(s->call, WBL_SIGNAL_DRAIN | WBL_SIGNAL_FINISH);
}
