/* observe/summary.c - a run in one object: state, progress, rate, estimated completion, what it waits for.
 * SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "core/observe/summary.h"

#include <stdlib.h>
#include <string.h>

struct amounts {
	int64_t items, items_of, bytes, bytes_of;
};

static void put_time(json_t *j, const char *key, int64_t ns)
{
	char text[32];

	if (!ns) {
		json_object_set_new(j, key, json_null());
		return;
	}
	wbl_time_text(ns, text);
	wbl_json_put(j, key, text);
}

static void add_call(struct amounts *a, const struct wbl_call_request *call)
{
	a->items += call->progress.items;
	a->bytes += call->progress.bytes;
	a->items_of += call->progress.items_of;
	a->bytes_of += call->progress.bytes_of;
}

static bool is_done(const struct wbl_run_step *s)
{
	return s->state == WBL_STEP_VERIFIED || s->state == WBL_STEP_PASSED_OVER ||
	       s->state == WBL_STEP_EXECUTED;
}

static struct amounts amounts_of(const struct wbl_run_step *s)
{
	const json_t *estimate = json_object_get(s->def, "estimate");
	struct amounts a = { 0 };
	size_t i;

	if (is_done(s)) {
		a.items = s->sums.items;
		a.bytes = s->sums.bytes;
	} else if (s->listed) {
		for (i = 0; i < s->nchunks; i++) {
			const struct wbl_chunk_state *c = &s->chunks[i];

			if (c->phase == WBL_CHUNK_SPLIT || c->phase == WBL_CHUNK_STAGED)
				continue;
			a.items_of += c->items;
			a.bytes_of += c->bytes;
			if (c->phase == WBL_CHUNK_DONE) {
				a.items += c->sums.items;
				a.bytes += c->sums.bytes;
			} else if (c->call) {
				a.items += c->call->progress.items;
				a.bytes += c->call->progress.bytes;
			}
		}
	} else if (s->call) {
		add_call(&a, s->call);
	}
	if (!a.items_of)
		a.items_of = wbl_json_int(estimate, "items", 0);
	if (!a.bytes_of)
		a.bytes_of = wbl_json_int(estimate, "bytes", 0);
	if (is_done(s) || a.items > a.items_of)
		a.items_of = a.items;
	if (is_done(s) || a.bytes > a.bytes_of)
		a.bytes_of = a.bytes;
	return a;
}

static void put_amounts(json_t *j, const struct amounts *a)
{
	wbl_json_puti(j, "items", a->items);
	wbl_json_puti(j, "items_of", a->items_of);
	wbl_json_puti(j, "bytes", a->bytes);
	wbl_json_puti(j, "bytes_of", a->bytes_of);
}

static json_t *step_json(const struct wbl_run_step *s)
{
	struct amounts a = amounts_of(s);
	json_t *j = json_object();
	int64_t end = s->ended && !s->ncalls ? s->ended : s->began ? wbl_now_real() : 0;

	wbl_json_put(j, "id", s->id);
	wbl_json_put(j, "title", s->title ? s->title : s->own_id);
	json_object_set(j, "kind", json_object_get(s->def, "kind"));
	wbl_json_put(j, "state", wbl_step_state_name(s->state));
	wbl_json_puti(j, "attempt", s->attempt);
	wbl_json_puti(j, "pass", s->pass);
	put_amounts(j, &a);
	if (s->call && s->call->progress.phase[0])
		wbl_json_put(j, "phase", s->call->progress.phase);
	else if (s->call && s->call->kind != WBL_CALL_EXECUTE)
		wbl_json_put(j, "phase", wbl_call_name(s->call->kind));
	wbl_json_puti(j, "chunks_done", (int64_t)s->chunks_done);
	wbl_json_puti(j, "chunks", (int64_t)s->nchunks);
	wbl_json_puti(j, "elapsed_ns", s->began ? end - s->began : 0);
	if (s->error)
		json_object_set(j, "error", s->error);
	return j;
}

static void next_command(json_t *w, char *text)
{
	wbl_json_put(w, "next", text);
	free(text);
}

static void add_question(
	json_t *list, const struct wbl_run *run, const struct wbl_question_state *q)
{
	json_t *w = json_object();

	wbl_json_put(w, "kind", "answer");
	wbl_json_put(w, "step", q->step);
	wbl_json_put(w, "question", q->id);
	json_object_set(w, "text", json_object_get(q->body, "text"));
	if (json_object_get(q->body, "choices"))
		json_object_set(w, "choices", json_object_get(q->body, "choices"));
	if (json_object_get(q->body, "proposal"))
		json_object_set(w, "proposal", json_object_get(q->body, "proposal"));
	next_command(w, wbl_strf("whimbrel answer %s %s ANSWER", run->id, q->id));
	json_array_append_new(list, w);
}

static void add_manual(json_t *list, const struct wbl_run_step *s)
{
	const json_t *manual = json_object_get(s->def, "manual");
	json_t *w = json_object();
	bool back = s->state == WBL_STEP_UNDOING;

	wbl_json_put(w, "kind", "confirm");
	wbl_json_put(w, "step", s->id);
	if (back) {
		WBL_AUTOFREE char *text = wbl_strf("take this back: %s",
			wbl_json_str(manual, "instructions") ? wbl_json_str(manual, "instructions")
							     : s->id);

		wbl_json_put(w, "text", text);
	} else {
		json_object_set(w, "text", json_object_get(manual, "instructions"));
	}
	wbl_json_put(w, "assignee", wbl_json_str(manual, "assignee"));
	wbl_json_put(w, "deliverable", wbl_json_str(manual, "deliverable"));
	next_command(w, wbl_strf("whimbrel confirm %s %s", s->run->id, s->id));
	json_array_append_new(list, w);
}

json_t *wbl_run_waiting_for(const struct wbl_run *run)
{
	json_t *list = json_array(), *w;
	size_t i;

	for (i = 0; i < run->nquestions; i++)
		if (!run->questions[i].answer && !wbl_run_is_over(run))
			add_question(list, run, &run->questions[i]);
	for (i = 0; i < run->nsteps; i++) {
		const struct wbl_run_step *s = &run->steps[i];

		if ((s->flags & WBL_STEP_MANUAL) && !s->confirmed && !wbl_run_is_over(run) &&
			(s->state == WBL_STEP_WAITING || s->state == WBL_STEP_UNDOING))
			add_manual(list, s);
	}
	if (run->state == WBL_RUN_REVERSIBLE ||
		(run->state == WBL_RUN_WAITING && run->status == WBL_E_LOCKED)) {
		w = json_object();
		wbl_json_put(w, "kind", run->state == WBL_RUN_REVERSIBLE ? "finalize" : "claim");
		wbl_json_put(w, "text", run->reason);
		next_command(w, wbl_strf(run->state == WBL_RUN_REVERSIBLE ? "whimbrel finalize %s"
									  : "whimbrel watch %s",
					run->id));
		json_array_append_new(list, w);
	}
	return list;
}

/* Weight of a step in the whole: its estimated time, else one part. */
static double weight(const struct wbl_run_step *s)
{
	int64_t ns = wbl_json_int(json_object_get(s->def, "estimate"), "p50_ns", 0);

	return ns > 0 ? (double)ns : 1e6;
}

static double fraction_of_chunks(const struct wbl_run_step *s)
{
	double part = 0;
	size_t i, n = 0;

	for (i = 0; i < s->nchunks; i++) {
		const struct wbl_chunk_state *c = &s->chunks[i];

		if (c->phase == WBL_CHUNK_SPLIT || c->phase == WBL_CHUNK_STAGED)
			continue;
		n++;
		if (c->phase == WBL_CHUNK_DONE)
			part += 1;
		else if (c->call && c->items > 0 && c->call->progress.items < c->items)
			part += (double)c->call->progress.items / (double)c->items;
	}
	return n ? part / (double)n : 0;
}

/* A total that is only what was done so far says nothing. */
static double fraction(const struct wbl_run_step *s, const struct amounts *a)
{
	if (is_done(s))
		return 1;
	if (s->listed)
		return fraction_of_chunks(s);
	if (a->bytes_of > a->bytes && a->bytes > 0)
		return (double)a->bytes / (double)a->bytes_of;
	return a->items_of > a->items ? (double)a->items / (double)a->items_of : 0;
}

static void put_progress(json_t *j, struct wbl_run *run, const struct amounts *sum, double part)
{
	double seconds = (double)(wbl_now_mono() - run->began_live) / 1e9;
	bool moving = run->state == WBL_RUN_EXECUTING && !run->held;

	wbl_json_puti(j, "percent",
		run->state == WBL_RUN_COMPLETED || run->state == WBL_RUN_REVERSIBLE
			? 100
			: (int64_t)(part * 100 > 99 ? 99 : part * 100));
	if (moving && seconds > 0.2) {
		wbl_json_puti(j, "rate_items",
			(int64_t)((double)(sum->items - run->items_at_start) / seconds));
		wbl_json_puti(j, "rate_bytes",
			(int64_t)((double)(sum->bytes - run->bytes_at_start) / seconds));
	}
	if (moving && part > 0.02)
		wbl_json_puti(j, "eta_ns",
			(int64_t)((double)(wbl_now_real() - run->created) * (1 - part) / part));
	else
		json_object_set_new(j, "eta_ns", json_null());
}

static void put_amounts_and_steps(json_t *j, struct wbl_run *run, bool with_steps)
{
	struct amounts sum = { 0 };
	json_t *steps = json_array();
	double total = 0, part = 0;
	int64_t count = 0, finished = 0;
	size_t i;

	for (i = 0; i < run->nsteps; i++) {
		const struct wbl_run_step *s = &run->steps[run->order[i]];
		struct amounts a = amounts_of(s);

		if (with_steps && (!s->is_compensation || s->state != WBL_STEP_PENDING))
			json_array_append_new(steps, step_json(s));
		if (s->is_compensation)
			continue;
		count++;
		finished += s->state == WBL_STEP_VERIFIED || s->state == WBL_STEP_PASSED_OVER;
		total += weight(s);
		part += weight(s) * fraction(s, &a);
		if (s->kind == WBL_KIND_VERIFICATION)
			continue;
		sum.items += a.items;
		sum.items_of += a.items_of;
		sum.bytes += a.bytes;
		sum.bytes_of += a.bytes_of;
	}
	wbl_json_puti(j, "steps_done", finished);
	wbl_json_puti(j, "steps_total", count);
	put_amounts(j, &sum);
	put_progress(j, run, &sum, total > 0 ? part / total : 0);
	if (with_steps)
		json_object_set(j, "steps", steps);
	json_decref(steps);
}

json_t *wbl_run_summary(struct wbl_run *run, bool with_steps)
{
	json_t *j = json_object();
	bool rest = wbl_run_at_rest(run);

	wbl_json_put(j, "run", run->id);
	wbl_json_put(j, "plan", run->plan_id);
	wbl_json_put(j, "name", run->name);
	wbl_json_put(j, "mode", run->rehearse ? "rehearse" : "apply");
	wbl_json_put(j, "state", wbl_run_state_name(run->state));
	json_object_set_new(j, "live", json_boolean(!run->held || rest));
	wbl_json_put(j, "reason", run->reason ? run->reason : wbl_run_state_text(run->state));
	put_time(j, "created", run->created);
	put_time(j, "ended", run->ended);
	wbl_json_put(j, "actor", run->actor);
	wbl_json_puti(j, "epoch", run->epoch);
	put_amounts_and_steps(j, run, with_steps);
	wbl_json_puti(j, "elapsed_ns", (run->ended ? run->ended : wbl_now_real()) - run->created);
	json_object_set_new(j, "waiting_for", wbl_run_waiting_for(run));
	json_object_set_new(j, "error", run->error ? json_incref(run->error) : json_null());
	json_object_set_new(j, "exit", rest ? json_integer(wbl_run_exit(run)) : json_null());
	return j;
}
