/* engine/recover.c - a run that nobody carries on: taken up again after a crash, or after it stopped part-way.
 * In: the run as its journal tells it, a strategy.  Out: a decision with its reason, recorded; a higher epoch, so
 * that nothing of the former attempt can still land. What reached the target is then asked of the handlers (probe).
 * SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <stdlib.h>
#include <string.h>

#include "core/engine/run.h"
#include "core/engine/upgrade.h"

static const char *policy_of(const struct wbl_run *run)
{
	const char *strictest = "resume", *own;
	const json_t *m;
	size_t i;

	json_array_foreach(json_object_get(run->plan, "migrations"), i, m)
	{
		own = wbl_json_str(json_object_get(m, "policy"), "recovery");
		if (own && (!strcmp(own, "ask") ||
				   (!strcmp(own, "rollback") && !strcmp(strictest, "resume"))))
			strictest = own;
	}
	return strictest;
}

/* Steps whose last word is missing. */
static size_t count_open(const struct wbl_run *run)
{
	size_t i, n = 0;

	for (i = 0; i < run->nsteps; i++)
		if (run->steps[i].open || run->steps[i].state == WBL_STEP_EXECUTING ||
			run->steps[i].state == WBL_STEP_UP)
			n++;
	return n;
}

/* The engine ended in the middle: what was open is of unknown outcome; background steps and chunks are resumed. */
static void close_open(struct wbl_run *run)
{
	size_t i;

	for (i = 0; i < run->nsteps; i++) {
		struct wbl_run_step *s = &run->steps[i];

		if (s->state == WBL_STEP_UP ||
			(s->state == WBL_STEP_EXECUTING && (s->flags & WBL_STEP_PARTITIONED) &&
				!s->listed)) {
			wbl_step_set_state(s, WBL_STEP_SUSPENDED, WBL_E_RETRY, NULL);
		} else if (s->state == WBL_STEP_EXECUTING && !(s->flags & WBL_STEP_PARTITIONED)) {
			static const char body[] =
				"{\"note\":\"the engine ended while this was under way\"}";

			wbl_step_append(s, &(struct wbl_entry){ .kind = WBL_KIND_STEP_RESULT,
						   .name = wbl_call_name(WBL_CALL_EXECUTE),
						   .attempt = s->attempt,
						   .status = WBL_E_INDETERMINATE,
						   .body = { body, sizeof body - 1 } });
			wbl_step_set_state(s, WBL_STEP_SUSPENDED, WBL_E_INDETERMINATE, NULL);
		}
	}
}

/* The rate is of what this engine does, not of what was there before. */
static void begin_reckoning(struct wbl_run *run)
{
	size_t i, j;

	run->began_live = wbl_now_mono();
	run->items_at_start = run->bytes_at_start = 0;
	for (i = 0; i < run->nsteps; i++) {
		const struct wbl_run_step *s = &run->steps[i];
		bool whole = !s->listed || s->state == WBL_STEP_VERIFIED;

		run->items_at_start += whole ? s->sums.items : 0;
		run->bytes_at_start += whole ? s->sums.bytes : 0;
		for (j = 0; !whole && j < s->nchunks; j++) {
			run->items_at_start += s->chunks[j].sums.items;
			run->bytes_at_start += s->chunks[j].sums.bytes;
		}
	}
}

void wbl_run_take_up(struct wbl_run *run)
{
	if (run->held) {
		begin_reckoning(run);
		run->held = false;
		wbl_run_raise_epoch(run, "take-over");
		close_open(run);
	}
	wbl_run_upgrade(run);
}

static bool is_under_way_back(const struct wbl_run *run)
{
	size_t i;

	for (i = 0; i < run->nsteps; i++)
		if (run->steps[i].state == WBL_STEP_UNDOING ||
			(run->steps[i].is_compensation && run->steps[i].touched))
			return true;
	return run->cancelled || run->rollback_asked;
}

/* A run at rest on which nothing is decided, but which is served: a copy that is paused, a way back that is open. */
static bool is_served(const struct wbl_run *run)
{
	size_t i;

	if (run->state != WBL_RUN_PAUSED && run->state != WBL_RUN_WAITING &&
		run->state != WBL_RUN_FAILED && run->state != WBL_RUN_REVERSIBLE)
		return false;
	for (i = 0; i < run->nsteps; i++) {
		const struct wbl_run_step *s = &run->steps[i];

		if ((s->flags & WBL_STEP_BACKGROUND) && s->was_up &&
			(s->state == WBL_STEP_UP || s->state == WBL_STEP_EXECUTING ||
				s->state == WBL_STEP_SUSPENDED))
			return !is_under_way_back(run);
	}
	return false;
}

void wbl_runs_bring_back(struct wbl_engine *e)
{
	struct wbl_run *run;
	struct wbl_error err;

	for (run = e->runs; run; run = run->next) {
		WBL_AUTOFREE char *text = NULL;

		if (!run->held || !is_served(run))
			continue;
		if (wbl_run_is_alone(run, &err) || wbl_run_fits(run, &err)) {
			text = wbl_strf("the background steps are not started again: %s", err.text);
			wbl_run_note(run, NULL, "recovery", text);
			continue;
		}
		wbl_run_note(run, NULL, "recovery",
			"the engine began anew: the background steps, which serve a run at rest "
			"too, are started again");
		wbl_run_take_up(run);
		wbl_engine_touch(e, run);
	}
}

static void retry_failed(struct wbl_run *run)
{
	size_t i;

	for (i = 0; i < run->nsteps; i++) {
		struct wbl_run_step *s = &run->steps[i];

		s->tries = s->undo_tries = s->not_before = 0;
		s->restarts = 0;
		for (size_t j = 0; j < s->nchunks; j++)
			s->chunks[j].tries = s->chunks[j].not_before = 0;
		if (s->state == WBL_STEP_FAILED) {
			if ((s->flags & WBL_STEP_PARTITIONED) && s->listed)
				wbl_step_set_state(s, WBL_STEP_EXECUTING, 0, NULL);
			else
				wbl_step_set_state(s, WBL_STEP_SUSPENDED, s->status, NULL);
		} else if (s->state == WBL_STEP_UNDO_FAILED) {
			wbl_step_append(s, &(struct wbl_entry){ .kind = WBL_KIND_STEP_INTENT,
						   .name = wbl_call_name(WBL_CALL_ROLLBACK),
						   .attempt = s->undo_attempt + 1 });
		}
	}
}

static void note(struct wbl_run *run, const char *decision, const char *reason, char **ret_decision)
{
	WBL_AUTOFREE char *text = wbl_strf("%s: %s", decision, reason);

	wbl_run_note(run, NULL, "recovery", text);
	*ret_decision = wbl_strdup(text);
}

static int32_t go_back(struct wbl_run *run, const char *reason, char **ret_decision)
{
	static const char body[] = "{}";

	note(run, "roll back", reason, ret_decision);
	wbl_engine_append(run->engine, run,
		&(struct wbl_entry){ .kind = WBL_KIND_RUN_REQUEST,
			.name = run->rehearse ? "cancel" : "rollback",
			.actor = "recovery",
			.body = { body, 2 } });
	if (run->rehearse)
		return 0; /* it has changed nothing: it ends where it is */
	if (run->state == WBL_RUN_FAILED || run->state == WBL_RUN_PAUSED ||
		run->state == WBL_RUN_WAITING || run->state == WBL_RUN_ROLLBACK_FAILED)
		wbl_run_set_state(run, WBL_RUN_ROLLING_BACK, run->status, reason);
	return 0;
}

static int32_t go_on(struct wbl_run *run, bool was_held, char **ret_decision)
{
	switch (run->state) {
	case WBL_RUN_FAILED:
		note(run, "resume", "the steps that failed are tried again", ret_decision);
		wbl_run_set_state(run, WBL_RUN_EXECUTING, 0, "recovered");
		break;
	case WBL_RUN_PAUSED:
		note(run, "resume", "it was paused; it goes on", ret_decision);
		wbl_run_set_state(run, WBL_RUN_EXECUTING, 0, "recovered");
		break;
	case WBL_RUN_ROLLBACK_FAILED:
		note(run, "roll back", "the rollback is taken up where it stopped", ret_decision);
		wbl_run_set_state(run, WBL_RUN_ROLLING_BACK, run->status, "recovered");
		break;
	case WBL_RUN_ROLLING_BACK:
		note(run, "roll back", "the rollback was under way; it goes on", ret_decision);
		break;
	case WBL_RUN_REVERSIBLE:
		note(run, "resume", "the background steps that keep the way back are started again",
			ret_decision);
		wbl_run_set_state(run, WBL_RUN_EXECUTING, 0, "recovered");
		break;
	default:
		note(run, "resume",
			was_held ? "the policy says resume; handlers are asked what was done"
				 : "as asked",
			ret_decision);
	}
	return 0;
}

static void end_calls(struct wbl_run *run)
{
	size_t i, j;

	for (i = 0; i < run->nsteps; i++) {
		struct wbl_run_step *s = &run->steps[i];

		if (s->call)
			wbl_call_kill(s->call, "the run was accepted as it is");
		for (j = 0; j < s->nchunks; j++)
			if (s->chunks[j].call)
				wbl_call_kill(s->chunks[j].call, "the run was accepted as it is");
	}
}

int32_t wbl_run_accept(
	struct wbl_run *run, const char *actor, const char *why, struct wbl_error *err)
{
	WBL_AUTOFREE char *reason = wbl_strf("accepted as it is by %s: %s", actor, why),
			  *text = NULL;
	json_t *body;

	if (run->state != WBL_RUN_ROLLBACK_FAILED &&
		!(run->state == WBL_RUN_FAILED && wbl_run_no_way_back(run, NULL)))
		return wbl_fail(err, WBL_E_STATE, run->id,
			run->state == WBL_RUN_FAILED
				? "Take it back first: whimbrel rollback RUN."
				: "whimbrel status RUN shows what is possible.",
			"only a run whose rollback failed, or that failed past its point of no "
			"return, is accepted as it is; this one is %s",
			wbl_run_state_name(run->state));
	if (wbl_run_is_alone(run, err))
		return err->code;
	body = json_pack("{s:s, s:s}", "strategy", "accept", "text", why);
	text = wbl_json_text(body);
	json_decref(body);
	wbl_engine_append(run->engine, run,
		&(struct wbl_entry){ .kind = WBL_KIND_RUN_REQUEST,
			.name = "accept",
			.actor = actor,
			.body = { text, strlen(text) } });
	run->held = false;
	wbl_run_raise_epoch(run, "accept"); /* nothing of it lands any more */
	wbl_run_note(run, NULL, "recovery", reason);
	wbl_run_set_state(run, WBL_RUN_ACCEPTED, run->status, reason);
	end_calls(run);
	return 0;
}

/* Past the point of no return a policy that says "rollback" can only mean: on. */
static const char *strategy_of(struct wbl_run *run)
{
	const char *policy = policy_of(run);

	if (run->state == WBL_RUN_ROLLING_BACK ||
		(!strcmp(policy, "rollback") && wbl_run_no_way_back(run, NULL)))
		return "resume";
	return policy;
}

int32_t wbl_run_recover(
	struct wbl_run *run, const char *strategy, char **ret_decision, struct wbl_error *err)
{
	const struct wbl_run_step *point = wbl_run_no_way_back(run, NULL);
	bool was_held = run->held;
	size_t open = count_open(run);

	if (!strcmp(strategy, "auto"))
		strategy = strategy_of(run);
	if (wbl_run_is_over(run) || (run->state == WBL_RUN_REVERSIBLE && (!was_held || !open)))
		return wbl_fail(err, WBL_E_STATE, run->id, "There is nothing to recover.",
			"the run is %s", wbl_run_state_name(run->state));
	if (!was_held && !wbl_run_at_rest(run))
		return wbl_fail(err, WBL_E_STATE, run->id, "Look at it with whimbrel watch.",
			"the run is under way");
	if (!strcmp(strategy, "ask")) {
		*ret_decision = wbl_strf("ask: %zu step%s of unknown outcome; say --strategy "
					 "resume or --strategy rollback",
			open, open == 1 ? " is" : "s are");
		return 0;
	}
	if (!strcmp(strategy, "rollback") && point && !run->rehearse)
		return wbl_fail(err, WBL_E_STATE, run->id,
			"Take up the way that it was on: whimbrel recover RUN --strategy resume.",
			"it cannot be rolled back: it is past its point of no return (%s)",
			point->id);
	if (wbl_run_is_alone(run, err) || wbl_run_fits(run, err))
		return err->code;
	wbl_run_take_up(run);
	if (!was_held)
		wbl_run_raise_epoch(run, "take-over");
	wbl_engine_touch(run->engine, run);
	if (!strcmp(strategy, "rollback"))
		return go_back(run,
			was_held ? "as the policy or the operator says, after a crash"
				 : "on request",
			ret_decision);
	retry_failed(run);
	return go_on(run, was_held, ret_decision);
}
