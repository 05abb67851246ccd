/* observe/report.c - what a run did, step by step, from its journal; and what to do when it went wrong.
 * SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <stdlib.h>
#include <string.h>

#include "core/engine/rehearse.h"
#include "core/observe/summary.h"

enum { DIFFERENCES_SHOWN = 100 };

struct collecting {
	struct wbl_run *run;
	json_t *steps; /* id -> object */
	json_t *differences, *recovery, *artefacts, *findings;
	json_t *good; /* the last attempt of execute that ended well, of each step or chunk */
	int64_t undo, reversed, ndifferences;
	int64_t after, limit; /* the page of differences */
	json_t *kinds;        /* how many of each */
};

static json_t *step_of(struct collecting *c, const char *id)
{
	json_t *s = json_object_get(c->steps, id);

	if (!s) {
		s = json_object();
		json_object_set_new(c->steps, id, s);
	}
	return s;
}

static json_t *list_of(json_t *obj, const char *key)
{
	json_t *l = json_object_get(obj, key);

	if (!l) {
		l = json_array();
		json_object_set_new(obj, key, l);
	}
	return l;
}

static json_t *body_of(const struct wbl_entry *e)
{
	return e->body.data ? wbl_json_parse(e->body.data, e->body.len, NULL, NULL) : NULL;
}

static char *work_key(const struct wbl_entry *e)
{
	return wbl_strf("%s\x1f%s", e->step, e->chunk ? e->chunk : "");
}

static char *attempt_key(const struct wbl_entry *e)
{
	return wbl_strf("%lld\x1f%lld", (long long)e->pass, (long long)e->attempt);
}

static void see_difference(struct collecting *c, const struct wbl_entry *e)
{
	uint32_t len;
	json_t *d;

	if (!e->body.data || e->body.len < sizeof len)
		return;
	memcpy(&len, e->body.data, sizeof len);
	if (len > e->body.len - sizeof len)
		return;
	d = wbl_json_parse((const char *)e->body.data + sizeof len, len, NULL, NULL);
	if (!d)
		return;
	wbl_json_put(d, "step", e->step);
	wbl_json_put(d, "kind", e->name);
	wbl_json_puti(d, "_seq", e->seq);
	if (e->status == WBL_END) {
		WBL_AUTOFREE char *work = work_key(e), *attempt = attempt_key(e);

		wbl_json_put(d, "_work", work);
		wbl_json_put(d, "_attempt", attempt);
	}
	json_array_append_new(c->differences, d);
}

/* A later verify looks at everything anew. */
static void forget_look(struct collecting *c, const char *step)
{
	size_t i = json_array_size(c->differences);

	while (i--) {
		const json_t *d = json_array_get(c->differences, i);

		if (!wbl_json_str(d, "_attempt") && !strcmp(wbl_json_str(d, "step"), step))
			json_array_remove(c->differences, i);
	}
}

/* A reject that was corrected later. */
static void forget_settled(struct collecting *c, int64_t seq)
{
	size_t i = json_array_size(c->differences);

	while (i--)
		if (wbl_json_int(json_array_get(c->differences, i), "_seq", 0) == seq)
			json_array_remove(c->differences, i);
}

static void count_kind(struct collecting *c, const char *kind)
{
	wbl_json_puti(c->kinds, kind, wbl_json_int(c->kinds, kind, 0) + 1);
}

/* What earlier attempts of execute said was said anew by the last one that ended well. */
static void keep_good_differences(struct collecting *c)
{
	json_t *kept = json_array(), *d;
	size_t i;

	json_array_foreach(c->differences, i, d)
	{
		const char *attempt = wbl_json_str(d, "_attempt"),
			   *good = attempt ? wbl_json_str(c->good, wbl_json_str(d, "_work")) : NULL;

		if (attempt && (!good || strcmp(good, attempt)))
			continue;
		json_object_del(d, "_attempt");
		json_object_del(d, "_work");
		json_object_del(d, "_seq");
		count_kind(c, wbl_json_str(d, "kind"));
		if (c->ndifferences++ >= c->after && (int64_t)json_array_size(kept) < c->limit)
			json_array_append(kept, d);
	}
	json_decref(c->differences);
	c->differences = kept;
}

/* A process that died under the work is named even when the work was then done well. */
static void see_crash(struct collecting *c, const struct wbl_entry *e, const json_t *body)
{
	const char *text = wbl_json_str(json_object_get(body, "error"), "text");
	json_t *n = json_object();
	char at[32];

	wbl_time_text(e->at, at);
	wbl_json_put(n, "time", at);
	wbl_json_put(n, "step", e->step);
	wbl_json_put(n, "subject",
		e->chunk ? "a process died under a part of the work"
			 : "a process died under the work");
	wbl_json_put(n, "text", text);
	json_array_append_new(c->recovery, n);
}

static void see_good_attempt(struct collecting *c, const struct wbl_entry *e)
{
	WBL_AUTOFREE char *work = work_key(e), *attempt = attempt_key(e);

	wbl_json_put(c->good, work, attempt);
}

/* What the last verify of a step saw, and who asked for it. */
static void see_verified(struct collecting *c, const struct wbl_entry *e, const json_t *body)
{
	bool lasting = strcmp(e->name, wbl_call_name(WBL_CALL_VERIFY)) != 0;
	json_t *v = json_object();
	char at[32];

	wbl_time_text(e->at, at);
	wbl_json_put(v, "at", at);
	wbl_json_put(v, "by", e->actor ? e->actor : c->run->actor);
	json_object_set_new(v, "ok", json_boolean(!e->status));
	json_object_set_new(v, "lasting", json_boolean(lasting));
	json_object_set(v, "digests", json_object_get(json_object_get(body, "totals"), "digests"));
	json_object_set_new(step_of(c, e->step), "verified", v);
}

static void see_result(struct collecting *c, const struct wbl_entry *e)
{
	json_t *s = step_of(c, e->step), *body = body_of(e), *d;
	size_t i;

	if (!e->status && (e->kind == WBL_KIND_CHUNK_RESULT ||
				  !strcmp(e->name, wbl_call_name(WBL_CALL_EXECUTE))))
		see_good_attempt(c, e);
	if (e->status == WBL_E_CRASHED)
		see_crash(c, e, body);
	json_array_foreach(json_object_get(body, "diagnostics"), i, d)
	{
		json_t *own = json_copy(d);

		wbl_json_put(own, "call", e->name);
		wbl_json_puti(own, "attempt", e->attempt);
		json_array_append_new(list_of(s, "diagnostics"), own);
	}
	if (e->kind == WBL_KIND_STEP_RESULT && !strncmp(e->name, "verify", 6))
		see_verified(c, e, body);
	if (wbl_json_str(body, "output"))
		json_object_set(s, "output", json_object_get(body, "output"));
	json_decref(body);
}

/* A later look at a set replaces the earlier one. */
static void see_covered(struct collecting *c, const struct wbl_entry *e)
{
	json_t *list = list_of(step_of(c, e->step), "covered"), *body = body_of(e), *old;
	size_t i;

	if (!body)
		return;
	json_array_foreach(list, i, old)
	{
		const char *set = wbl_json_str(old, "set");

		if (set && e->name && !strcmp(set, e->name)) {
			json_array_set_new(list, i, body);
			return;
		}
	}
	json_array_append_new(list, body);
}

static void see_note(struct collecting *c, const struct wbl_entry *e)
{
	char at[32];
	json_t *n = json_object();

	wbl_time_text(e->at, at);
	wbl_json_put(n, "time", at);
	wbl_json_put(n, "step", e->step);
	wbl_json_put(n, "subject", e->name);
	if (e->body.data) {
		WBL_AUTOFREE char *text = wbl_strndup(e->body.data, e->body.len);

		wbl_json_put(n, "text", text);
	}
	json_array_append_new(c->recovery, n);
}

/* How far a rehearsal went with a step: the highest level, all that was said, and the calls that were really made. */
static void see_rehearsed(struct collecting *c, const struct wbl_entry *e)
{
	json_t *step = step_of(c, e->step), *r = json_object_get(step, "rehearsed"),
	       *trial = wbl_trial_read(e);
	const char *said = wbl_json_str(r, "what");
	WBL_AUTOFREE char *what =
		wbl_strf("%s%s%s", said ? said : "", said ? "; " : "", e->name ? e->name : "");

	if (!r) {
		r = json_object();
		json_object_set_new(step, "rehearsed", r);
	}
	if (e->status > wbl_json_int(r, "level", 0) || !json_object_get(r, "level"))
		wbl_json_puti(r, "level", e->status);
	wbl_json_put(r, "what", what);
	if (trial) {
		json_object_set(r, "tried", json_object_get(trial, "tried"));
		wbl_json_put(r, "failed", wbl_json_str(trial, "failed"));
	}
	json_decref(trial);
}

/* Of every step of a rehearsal it is said what was tried. */
static void finish_rehearsed(struct collecting *c, const struct wbl_run_step *s)
{
	json_t *step = step_of(c, s->id), *r = json_object_get(step, "rehearsed"),
	       *tried = json_pack("[s]", "plan");

	if (!r) {
		r = json_pack("{s:i, s:s}", "level", 0, "what", "");
		json_object_set_new(step, "rehearsed", r);
	}
	json_array_extend(tried, json_object_get(r, "tried"));
	if (s->state == WBL_STEP_VERIFIED)
		json_array_append_new(tried, json_string("dry run"));
	json_object_set_new(r, "tried", tried);
}

static int32_t see(void *ctx, const struct wbl_entry *e)
{
	struct collecting *c = ctx;
	json_t *body;

	switch (e->kind) {
	case WBL_KIND_STEP_INTENT:
		/* What stood in for a probe found the work half done: it was resumed. */
		if (!strcmp(e->name, wbl_call_name(WBL_CALL_VERIFY)) ||
			!strcmp(e->name, wbl_call_name(WBL_CALL_EXECUTE)))
			forget_look(c, e->step);
		break;
	case WBL_KIND_STEP_RESULT:
	case WBL_KIND_CHUNK_RESULT:
		see_result(c, e);
		break;
	case WBL_KIND_CHUNK_SPLIT:
		see_good_attempt(c, e);
		break;
	case WBL_KIND_RUN_NOTE:
		see_note(c, e);
		break;
	case WBL_KIND_DIFFERENCE:
		see_difference(c, e);
		break;
	case WBL_KIND_DIFFERENCE_DONE:
		forget_settled(c, e->attempt);
		break;
	case WBL_KIND_COVERED:
		see_covered(c, e);
		break;
	case WBL_KIND_REHEARSED:
		see_rehearsed(c, e);
		break;
	case WBL_KIND_ARTEFACT_SEAL:
		body = c->run->rehearse ? NULL : body_of(e); /* those went with the copies */
		if (!body)
			break;
		wbl_json_put(body, "step", e->step);
		wbl_json_put(body, "name", e->name);
		json_array_append_new(c->artefacts, body);
		break;
	case WBL_KIND_FINDING:
		body = body_of(e);
		if (body)
			json_array_append_new(c->findings, body);
		break;
	case WBL_KIND_UNDO_PUT:
		c->undo++;
		break;
	case WBL_KIND_UNDO_DONE:
		c->reversed++;
		break;
	default:
		break;
	}
	return 0;
}

static void put_time(json_t *j, const char *key, int64_t ns)
{
	char at[32];

	if (!ns)
		return;
	wbl_time_text(ns, at);
	wbl_json_put(j, key, at);
}

static json_t *steps_json(struct collecting *c)
{
	json_t *list = json_array();
	size_t i;

	for (i = 0; i < c->run->nsteps; i++) {
		const struct wbl_run_step *s = &c->run->steps[c->run->order[i]];
		json_t *j = step_of(c, s->id);

		if (s->is_compensation && s->state == WBL_STEP_PENDING)
			continue;
		if (c->run->rehearse)
			finish_rehearsed(c, s);
		wbl_json_put(j, "id", s->id);
		wbl_json_put(j, "title", s->title ? s->title : s->own_id);
		wbl_json_put(j, "state", wbl_step_state_name(s->state));
		wbl_json_puti(j, "attempts", s->attempt);
		wbl_json_puti(j, "pass", s->pass);
		put_time(j, "started", s->began);
		put_time(j, "ended", s->ended);
		wbl_json_puti(j, "elapsed_ns", s->began && s->ended ? s->ended - s->began : 0);
		json_object_set_new(j, "totals", wbl_sums_json(&s->sums));
		if (s->mended.items)
			json_object_set_new(j, "mended", wbl_sums_json(&s->mended));
		wbl_json_puti(j, "differences", s->differences);
		if (s->error)
			json_object_set(j, "error", s->error);
		json_array_append(list, j);
	}
	return list;
}

static uint64_t left_out(const struct wbl_run *run)
{
	uint64_t n = 0;
	size_t i;

	for (i = 0; i < run->nsteps; i++)
		n += run->steps[i].sums.rejected - run->steps[i].mended.items;
	return n;
}

/* Differences that are no left out items: conflicts, and what a later verification has found. */
static uint64_t told(const struct wbl_run *run)
{
	uint64_t n = 0;
	size_t i;

	for (i = 0; i < run->nsteps; i++) {
		const struct wbl_run_step *s = &run->steps[i];
		int64_t rejected = s->sums.rejected - s->mended.items;

		n += s->differences > rejected ? (uint64_t)(s->differences - rejected) : 0;
	}
	return n;
}

/* What was skipped, or waits for people, is said wherever success is said. */
static char *migrated(const struct wbl_run *run, const char *text)
{
	uint64_t out = left_out(run), differ = told(run);
	struct wbl_buf b = { 0 };

	wbl_buf_adds(&b, text);
	if (out)
		wbl_buf_addf(&b, "; %llu item%s left out, as the spec allows",
			(unsigned long long)out, out == 1 ? " was" : "s were");
	if (differ)
		wbl_buf_addf(&b, "; %llu difference%s told", (unsigned long long)differ,
			differ == 1 ? " is" : "s are");
	if (out || differ)
		wbl_buf_addf(&b, ": whimbrel report %s", run->id);
	return b.data;
}

static char *outcome(const struct wbl_run *run)
{
	const char *text = wbl_json_str(run->error, "text"),
		   *where = wbl_json_str(run->error, "where");

	switch (run->state) {
	case WBL_RUN_COMPLETED:
		if (!run->nsteps)
			return wbl_strdup("there was nothing to do");
		return migrated(run, run->rehearse
					     ? "rehearsed from end to end; nothing was changed"
					     : "migrated, and every step verified");
	case WBL_RUN_REVERSIBLE:
		return migrated(run,
			"migrated and verified; the way back is still open until it is finalized");
	case WBL_RUN_ROLLED_BACK:
	case WBL_RUN_CANCELLED:
		return wbl_strf("%s%s%s%s%s",
			run->reason ? run->reason : "everything is as it was before",
			text ? "; because: " : "", where && *where ? where : "",
			where && *where ? ": " : "", text ? text : "");
	default:
		return wbl_strf("%s%s%s%s%s", wbl_run_state_name(run->state),
			run->reason ? ": " : "", run->reason ? run->reason : "", text ? ": " : "",
			text ? text : "");
	}
}

static bool is_past_return(const struct wbl_run *run)
{
	return wbl_run_no_way_back((struct wbl_run *)run, NULL) != NULL;
}

static json_t *way_back(const struct wbl_run *run)
{
	const json_t *r = json_object_get(run->plan, "rollback"), *m, *s;
	const char *point = wbl_json_str(r, "point_of_no_return");
	struct wbl_buf how = { 0 };
	bool possible = true;
	json_t *j;
	size_t i;

	if (run->rehearse || run->state == WBL_RUN_ROLLED_BACK || run->state == WBL_RUN_CANCELLED) {
		possible = false;
		wbl_buf_adds(&how, "nothing is left to be taken back");
	} else if (run->state == WBL_RUN_ROLLBACK_FAILED || run->state == WBL_RUN_ACCEPTED) {
		possible = run->state == WBL_RUN_ROLLBACK_FAILED;
		wbl_buf_addf(&how, possible
					   ? "the rollback stopped; by hand, in this order: "
					   : "it was accepted as it is; this was not taken back: ");
		for (i = run->nsteps; i-- > 0;) {
			s = run->steps[run->order[i]].def;
			m = json_object_get(s, "title");
			if (run->steps[run->order[i]].touched)
				wbl_buf_addf(&how, "take back \"%s\" (%s); ",
					m ? json_string_value(m) : "", wbl_json_str(s, "id"));
		}
		if (possible)
			wbl_buf_addf(&how,
				"or mend what is named above and type: whimbrel recover %s",
				run->id);
	} else if (is_past_return(run)) {
		possible = false;
		wbl_buf_addf(&how, "it is past %s, the point of no return: it can only go on",
			point ? point : "a step that is");
	} else {
		wbl_buf_addf(&how, "whimbrel rollback %s", run->id);
		if (point)
			wbl_buf_addf(&how, " (not past %s, the point of no return)", point);
	}
	j = json_pack("{s:b, s:s}", "possible", possible, "how", how.data);
	wbl_buf_clear(&how);
	return j;
}

static struct collecting collecting_new(struct wbl_run *run, int64_t after, int64_t limit)
{
	return (struct collecting){
		.run = run,
		.steps = json_object(),
		.differences = json_array(),
		.recovery = json_array(),
		.artefacts = json_array(),
		.findings = json_array(),
		.good = json_object(),
		.after = after,
		.limit = limit,
		.kinds = json_object(),
	};
}

static void collecting_clear(struct collecting *c)
{
	json_decref(c->steps);
	json_decref(c->differences);
	json_decref(c->recovery);
	json_decref(c->artefacts);
	json_decref(c->findings);
	json_decref(c->good);
	json_decref(c->kinds);
}

static json_t *differences_json(const struct collecting *c)
{
	return json_pack("{s:I, s:O, s:O}", "total", (json_int_t)c->ndifferences, "kinds", c->kinds,
		"shown", c->differences);
}

json_t *wbl_run_differences(
	struct wbl_run *run, int64_t after, int64_t limit, struct wbl_error *err)
{
	struct collecting c = collecting_new(run, after, limit);
	struct wbl_query q = { .run = run->id };
	json_t *j = NULL;
	int64_t seen;

	if (wbl_journal_each(run->engine->state, &q, see, &c, err) >= 0) {
		keep_good_differences(&c);
		seen = after + (int64_t)json_array_size(c.differences);
		j = differences_json(&c);
		wbl_json_put(j, "run", run->id);
		json_object_set_new(
			j, "next", seen < c.ndifferences ? json_integer(seen) : json_null());
	}
	collecting_clear(&c);
	return j;
}

json_t *wbl_run_report(struct wbl_run *run, struct wbl_error *err)
{
	struct collecting c = collecting_new(run, 0, DIFFERENCES_SHOWN);
	struct wbl_query q = { .run = run->id };
	WBL_AUTOFREE char *said = outcome(run);
	char head[WBL_SHA256_HEX], digest[WBL_SHA256_HEX];
	json_t *j = json_object();

	if (wbl_journal_each(run->engine->state, &q, see, &c, err) < 0) {
		json_decref(j);
		j = NULL;
	} else {
		keep_good_differences(&c);
		json_object_set_new(j, "run", wbl_run_summary(run, true));
		json_object_set_new(j, "plan",
			json_pack("{s:s, s:O}", "id", run->plan_id, "change_digest",
				json_object_get(run->plan, "change_digest")));
		wbl_run_plan_digest(run, digest);
		wbl_json_put(json_object_get(j, "plan"), "digest", digest);
		json_object_set(j, "spec", json_object_get(run->plan, "spec"));
		wbl_json_put(j, "outcome", said);
		json_object_set_new(j, "steps", steps_json(&c));
		json_object_set_new(j, "verification", wbl_run_proof(run, c.steps));
		json_object_set_new(j, "differences", differences_json(&c));
		json_object_set(j, "omissions", json_object_get(run->plan, "omissions"));
		json_object_set(j, "recovery", c.recovery);
		json_object_set(j, "findings", c.findings);
		json_object_set_new(j, "undo",
			json_pack("{s:I, s:I}", "records", (json_int_t)c.undo, "reversed",
				(json_int_t)c.reversed));
		json_object_set(j, "artefacts", c.artefacts);
		json_object_set_new(j, "rollback", way_back(run));
		wbl_journal_head(run->engine->state, head);
		json_object_set_new(j, "audit",
			json_pack("{s:s, s:I}", "head", head, "seq",
				(json_int_t)wbl_journal_last(run->engine->state)));
		json_object_set(j, "environment", json_object_get(run->plan, "environment"));
		wbl_json_put(j, "actor", run->actor);
	}
	collecting_clear(&c);
	return j;
}

/* --- explain --- */

static void cause(json_t *list, const char *text, const char *hint)
{
	json_t *c;

	if (!text || !*text)
		return;
	c = json_object();
	wbl_json_put(c, "text", text);
	wbl_json_put(c, "hint", hint);
	wbl_json_puti(c, "rank", (int64_t)json_array_size(list) + 1);
	json_array_append_new(list, c);
}

static void next(json_t *list, char *text)
{
	json_array_append_new(list, json_string(text));
	free(text);
}

static void add_next(json_t *list, const struct wbl_run *run)
{
	const char *env;
	bool other;

	if (run->held && !wbl_run_at_rest(run)) {
		next(list, wbl_strf("whimbrel recover %s", run->id));
		next(list, wbl_strf("whimbrel recover %s --strategy rollback", run->id));
		return;
	}
	switch (run->state) {
	case WBL_RUN_FAILED:
		next(list, wbl_strf("whimbrel report %s", run->id));
		next(list, wbl_strf("whimbrel recover %s", run->id));
		next(list, wbl_strf(is_past_return(run) ? "whimbrel recover %s --strategy accept "
							  "--text WHY"
							: "whimbrel rollback %s",
				   run->id));
		break;
	case WBL_RUN_ROLLBACK_FAILED:
		next(list, wbl_strf("whimbrel report %s", run->id));
		next(list, wbl_strf("whimbrel recover %s", run->id));
		next(list, wbl_strf("whimbrel recover %s --strategy accept --text WHY", run->id));
		break;
	case WBL_RUN_PAUSED:
		next(list, wbl_strf("whimbrel resume %s", run->id));
		break;
	case WBL_RUN_REVERSIBLE:
		next(list, wbl_strf("whimbrel finalize %s", run->id));
		next(list, wbl_strf("whimbrel rollback %s", run->id));
		break;
	case WBL_RUN_COMPLETED:
		if (run->rehearse)
			next(list, wbl_strf("whimbrel apply %s", wbl_json_str(run->plan, "id")));
		else
			next(list, wbl_strf("whimbrel verify %s", run->id));
		break;
	case WBL_RUN_ACCEPTED:
	case WBL_RUN_ROLLED_BACK:
	case WBL_RUN_CANCELLED:
		env = wbl_json_str(run->plan, "environment");
		other = env && strcmp(env, "default") != 0;
		next(list, wbl_strf("whimbrel plan %s%s%s",
				   wbl_json_str(json_object_get(run->plan, "spec"), "name"),
				   other ? " --env " : "", other ? env : ""));
		break;
	default:
		next(list, wbl_strf("whimbrel status %s", run->id));
	}
}

json_t *wbl_run_explain(struct wbl_run *run)
{
	json_t *causes = json_array(), *commands = json_array(), *w,
	       *list = wbl_run_waiting_for(run), *j;
	WBL_AUTOFREE char *said = outcome(run);
	size_t i;

	for (i = 0; i < run->nsteps; i++) {
		const json_t *e = run->steps[i].error;
		WBL_AUTOFREE char *text = NULL;

		if (!e)
			continue;
		text = wbl_strf("%s: %s%s%s", run->steps[i].id,
			wbl_json_str(e, "where") ? wbl_json_str(e, "where") : "",
			wbl_json_str(e, "where") ? ": " : "",
			wbl_json_str(e, "text") ? wbl_json_str(e, "text") : "");
		cause(causes, text,
			wbl_json_str(e, "hint") ? wbl_json_str(e, "hint")
						: wbl_json_str(e, "actions"));
	}
	if (run->status == WBL_E_LOCKED && run->error) /* no step's own */
		cause(causes, wbl_json_str(run->error, "text"), wbl_json_str(run->error, "hint"));
	if (run->held && !wbl_run_at_rest(run))
		cause(causes, "the engine ended while this run was under way",
			"whimbrel recover asks the handlers what was done, and goes on or back.");
	json_array_foreach(list, i, w)
	{
		cause(causes, wbl_json_str(w, "text"), wbl_json_str(w, "next"));
		json_array_append(commands, json_object_get(w, "next"));
	}
	add_next(commands, run);
	j = json_object();
	wbl_json_put(j, "run", run->id);
	wbl_json_put(j, "state", wbl_run_state_name(run->state));
	wbl_json_put(j, "headline", said);
	json_object_set_new(j, "causes", causes);
	json_object_set_new(j, "next", commands);
	json_decref(list);
	return j;
}
