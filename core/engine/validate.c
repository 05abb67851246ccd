/* engine/validate.c - readiness, before anything is changed.
 * In: a plan, a level.  Out: findings, each with what to do; an error (strict: a warning too) fails the level.
 * SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "core/engine/validate.h"

#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>

#include "core/engine/plan.h"
#include "core/engine/rehearse.h"

enum { SPACE_LEAST = 64 << 20 };

struct wbl_check {
	struct wbl_engine *engine;
	struct wbl_instance **instances;
	size_t count, open;
	bool strict;
	json_t *findings;
	void (*done)(void *ctx, bool ok, json_t *findings);
	void *ctx;
};

static void finding(struct wbl_check *c, const char *severity, const char *where, const char *text,
	const char *hint)
{
	json_t *f = json_object();

	wbl_json_put(f, "severity", severity);
	wbl_json_put(f, "where", where);
	wbl_json_put(f, "text", text);
	wbl_json_put(f, "hint", hint);
	json_array_append_new(c->findings, f);
}

/* A warning that strict validation says, and lets pass. */
static void tolerated(struct wbl_check *c, const char *where, const char *text, const char *hint)
{
	finding(c, "warning", where, text, hint);
	json_object_set_new(json_array_get(c->findings, json_array_size(c->findings) - 1),
		"tolerated", json_true());
}

static void check_space(struct wbl_check *c, const json_t *plan)
{
	const char *dir = wbl_state_dir(c->engine->state);
	int64_t need = SPACE_LEAST;
	struct statvfs st;
	char have[24], want[24];
	const json_t *s;
	size_t i;

	json_array_foreach(json_object_get(plan, "steps"), i,
		s) if (!strcmp(wbl_json_str(s, "kind"), "backup")) need +=
		wbl_json_int(json_object_get(s, "estimate"), "bytes", 0);
	if (statvfs(dir, &st))
		return;
	wbl_size_text((uint64_t)st.f_bavail * st.f_frsize, have);
	wbl_size_text((uint64_t)need, want);
	if ((uint64_t)st.f_bavail * st.f_frsize < (uint64_t)need) {
		WBL_AUTOFREE char *text = wbl_strf(
			"only %s are free for the journal and back-ups, %s are wanted", have, want);

		finding(c, "error", dir, text,
			"Free space, or use another state folder with --state.");
	}
}

static void check_irreversible(struct wbl_check *c, const json_t *plan)
{
	const json_t *s;
	size_t i;

	json_array_foreach(json_object_get(plan, "steps"), i, s)
	{
		const char *kind = wbl_json_str(s, "kind");

		if (strcmp(wbl_json_str(s, "inverse"), "none") || !strcmp(kind, "validation") ||
			!strcmp(kind, "verification") || !strcmp(kind, "backup"))
			continue;
		finding(c, "warning", wbl_json_str(s, "id"),
			wbl_json_str(s, "inverse_arg") ? wbl_json_str(s, "inverse_arg")
						       : "this step cannot be taken back",
			"Make sure that you can live without a way back from here.");
	}
}

/* --- strict: has this change been rehearsed, and its way back tried? --- */

struct rehearsal {
	struct wbl_check *check;
	const json_t *plan;
	char *run;               /* the newest that came to an end of its own */
	json_t *levels, *trials; /* step -> level the handler told; -> what the engine tried */
	enum wbl_run_state state;
};

static int32_t see_rehearsed(void *ctx, const struct wbl_entry *e)
{
	struct rehearsal *r = ctx;
	json_t *trial;

	if (e->kind == WBL_KIND_RUN_STATE) {
		r->state = wbl_run_state_parse(e->name);
	} else if (e->kind == WBL_KIND_REHEARSED) {
		trial = wbl_trial_read(e);
		if (trial)
			json_object_set_new(r->trials, e->step, trial);
		else
			wbl_json_puti(r->levels, e->step, e->status);
	}
	return 0;
}

static int32_t see_run(void *ctx, const struct wbl_entry *e)
{
	struct rehearsal *r = ctx;
	struct wbl_query q = { .run = e->run };
	json_t *body = e->body.data ? wbl_json_parse(e->body.data, e->body.len, NULL, NULL) : NULL;
	json_t *plan = wbl_json_bool(body, "rehearse", false)
			       ? wbl_plan_load(r->check->engine->state, e->name, NULL, NULL)
			       : NULL;
	bool same = plan && json_equal(json_object_get(plan, "change_digest"),
				    json_object_get(r->plan, "change_digest"));

	json_decref(body);
	json_decref(plan);
	if (!same)
		return 0;
	json_object_clear(r->levels);
	json_object_clear(r->trials);
	r->state = WBL_RUN_VALIDATING;
	wbl_journal_each(r->check->engine->state, &q, see_rehearsed, r, NULL);
	if (r->state != WBL_RUN_COMPLETED && r->state != WBL_RUN_ROLLED_BACK)
		return 0; /* cancelled, or still under way */
	r->run = wbl_strdup(e->run);
	return WBL_END;
}

static void check_that_it_was(struct wbl_check *c, const struct rehearsal *r)
{
	WBL_AUTOFREE char *text = NULL, *hint = NULL;

	if (!r->run) {
		finding(c, "error", wbl_json_str(r->plan, "id"),
			"strict validation wants this change rehearsed first",
			"Type: whimbrel rehearse PLAN. It changes nothing and does not use the "
			"plan up.");
	} else if (r->state != WBL_RUN_COMPLETED) {
		text = wbl_strf("strict validation wants a rehearsal of this change that went "
				"well, the newest failed: %s",
			r->run);
		hint = wbl_strf("Type: whimbrel report %s; mend what it names, and rehearse again.",
			r->run);
		finding(c, "error", wbl_json_str(r->plan, "id"), text, hint);
	}
}

static bool claims_a_way_back(const json_t *step)
{
	const char *kind = wbl_json_str(step, "kind");

	return strcmp(wbl_json_str(step, "inverse"), "none") && strcmp(kind, "validation") &&
	       strcmp(kind, "verification") && strcmp(kind, "backup");
}

static bool offers_a_trial(const json_t *step)
{
	json_t *flag;
	size_t i;

	json_array_foreach(json_object_get(step, "flags"), i,
		flag) if (!strcmp(json_string_value(flag), "scratch")) return true;
	return false;
}

/* Its handler can try the way back on a copy: then it must have been tried, and have gone well. A step that could not
 * be tried where it ran is no worse than one whose handler does not offer it. */
static void check_trial(struct wbl_check *c, const struct rehearsal *r, const json_t *step)
{
	const char *id = wbl_json_str(step, "id"), *failed, *why;
	const json_t *trial = json_object_get(r->trials, id);
	WBL_AUTOFREE char *text = NULL;

	failed = wbl_json_str(trial, "failed");
	why = wbl_json_str(trial, "why");
	if (trial && !failed && !why)
		return;
	text = wbl_strf("its way back was %s in rehearsal %s%s%s",
		failed ? "tried and failed" : "not tried", r->run, failed || why ? ": " : "",
		failed ? wbl_json_str(trial, "text")
		: why  ? why
		       : "");
	if (why)
		tolerated(c, id, text, NULL);
	else
		finding(c, "error", id, text,
			failed ? "Mend what it names, and rehearse again."
			       : "Rehearse again: whimbrel rehearse PLAN.");
}

enum { NAMED = 20 };

static void check_untried(struct wbl_check *c, const struct rehearsal *r, const char *migration)
{
	struct wbl_buf names = { 0 };
	WBL_AUTOFREE char *text = NULL;
	size_t i, n = 0;
	const json_t *s;

	json_array_foreach(json_object_get(r->plan, "steps"), i, s)
	{
		if (strcmp(wbl_json_str(s, "migration"), migration) || !claims_a_way_back(s) ||
			offers_a_trial(s))
			continue;
		if (n++ < NAMED)
			wbl_buf_addf(&names, "%s%s", n > 1 ? ", " : "", wbl_json_str(s, "id"));
	}
	if (n > NAMED)
		wbl_buf_addf(&names, " and %zu more", n - NAMED);
	if (n) {
		text = wbl_strf("the way back was not tried in rehearsal %s, because the handler "
				"does not offer it: %s",
			r->run, names.data);
		tolerated(c, migration, text,
			"Make sure that you could live with a rollback that needs a person.");
	}
	wbl_buf_clear(&names);
}

static void check_levels(struct wbl_check *c, const struct rehearsal *r)
{
	static const char *const words[] = { "not at all", "listed only",
		"checked without the live world", "checked on the live world, read-only" };
	const json_t *s;
	size_t i;

	json_array_foreach(json_object_get(r->plan, "steps"), i, s)
	{
		int64_t level = wbl_json_int(r->levels, wbl_json_str(s, "id"), 0);
		WBL_AUTOFREE char *text = NULL;

		if (json_object_get(r->trials, wbl_json_str(s, "id")) || level > 2 || level < 0)
			continue;
		text = wbl_strf("in rehearsal %s the step was %s", r->run, words[level]);
		finding(c, "note", wbl_json_str(s, "id"), text, NULL);
	}
}

static void check_rehearsal(struct wbl_check *c, const json_t *plan)
{
	struct rehearsal r = { c, plan, NULL, json_object(), json_object(), WBL_RUN_VALIDATING };
	struct wbl_query q = { .kind = WBL_KIND_RUN_CREATED, .newest_first = true };
	const json_t *s, *m;
	size_t i;

	wbl_journal_each(c->engine->state, &q, see_run, &r, NULL);
	check_that_it_was(c, &r);
	if (r.run) {
		json_array_foreach(json_object_get(plan, "steps"), i, s)
		{
			if (claims_a_way_back(s) && offers_a_trial(s))
				check_trial(c, &r, s);
		}
		json_array_foreach(json_object_get(plan, "migrations"), i, m)
			check_untried(c, &r, wbl_json_str(m, "name"));
		check_levels(c, &r);
	}
	json_decref(r.levels);
	json_decref(r.trials);
	free(r.run);
}

static void settle(struct wbl_check *c)
{
	bool ok = true;
	json_t *f;
	size_t i;

	if (c->open)
		return;
	json_array_foreach(c->findings, i, f)
	{
		const char *severity = wbl_json_str(f, "severity");

		if (!strcmp(severity, "error") || (c->strict && !strcmp(severity, "warning") &&
							  !json_object_get(f, "tolerated")))
			ok = false;
	}
	c->done(c->ctx, ok, c->findings);
	for (i = 0; i < c->count; i++)
		wbl_instance_free(c->engine, c->instances[i]);
	json_decref(c->findings);
	free(c->instances);
	free(c);
}

static void run_checked(void *ctx, bool ok, json_t *findings);

static void on_checked(struct wbl_call_request *call, const struct wbl_outcome_of_call *o)
{
	static const char *const words[] = { "error", "error", "warning", "note" };
	struct wbl_check *c = call->ctx;
	bool said = false;
	json_t *d;
	size_t i;

	json_array_foreach(o->diagnostics, i, d)
	{
		int64_t severity = wbl_json_int(d, "severity", 1);

		said |= severity == 1;

		finding(c, words[severity < 0 || severity > 3 ? 1 : severity],
			wbl_json_str(d, "where"), wbl_json_str(d, "text"), wbl_json_str(d, "hint"));
	}
	json_array_foreach(call->findings, i, d)
	{
		const char *text = wbl_json_str(d, "text");

		finding(c, "note", call->instance->name, text ? text : "the handler's own finding",
			NULL);
		json_object_set(json_array_get(c->findings, json_array_size(c->findings) - 1),
			"finding", d);
	}
	if (o->status < 0 && (o->died || o->status != WBL_E_UNSUPPORTED) && (o->died || !said))
		finding(c, "error", call->instance->name, o->error.text, o->error.hint);
	else if (o->status == WBL_E_UNSUPPORTED && c->done != run_checked)
		finding(c, "note", call->instance->name,
			"the handler offers no checks beyond what its plan reads", NULL);
	c->open--;
	settle(c);
}

static void nothing_to_call(struct wbl_engine *e, void *ctx)
{
	struct wbl_check *c = ctx;

	c->open--;
	settle(c);
}

static void start_call(struct wbl_check *c, struct wbl_instance *in, const json_t *migration)
{
	struct wbl_call_request *call = wbl_alloc(sizeof *call);
	int64_t timeout = wbl_json_int(json_object_get(migration, "policy"), "timeout_ns", 0);

	call->engine = c->engine;
	call->instance = in;
	call->kind = WBL_CALL_CHECK;
	call->extra = json_object();
	wbl_json_puti(call->extra, "level", c->strict ? 3 : 2);
	call->timeout_ns = timeout ? timeout : INT64_C(120000000000);
	call->done = on_checked;
	call->ctx = c;
	c->open++;
	wbl_call_start(call);
}

struct wbl_check *wbl_check_start(struct wbl_engine *e, const json_t *plan, const char *level,
	void (*done)(void *ctx, bool ok, json_t *findings), void *ctx)
{
	json_t *migrations = json_object_get(plan, "migrations"), *m;
	struct wbl_check *c = wbl_alloc(sizeof *c);
	size_t i;

	c->engine = e;
	c->strict = !strcmp(level, "strict");
	c->findings = json_array();
	c->done = done;
	c->ctx = ctx;
	c->open = 1;
	c->instances = wbl_alloc((json_array_size(migrations) + 1) * sizeof *c->instances);
	if (strcmp(level, "basic")) {
		check_space(c, plan);
		check_irreversible(c, plan);
		if (c->strict)
			check_rehearsal(c, plan);
		json_array_foreach(migrations, i, m)
		{
			c->instances[c->count] =
				wbl_instance_new(wbl_json_str(plan, "id"), m, e->registry, false);
			c->instances[c->count]->plan = json_incref((json_t *)plan);
			start_call(c, c->instances[c->count++], m);
		}
	}
	wbl_engine_after(e, nothing_to_call, c, NULL);
	return c;
}

/* --- in a run --- */

static const char *level_of(const struct wbl_run *run)
{
	const char *level = "basic", *own;
	const json_t *m;
	size_t i;

	json_array_foreach(json_object_get(run->plan, "migrations"), i, m)
	{
		own = wbl_json_str(json_object_get(m, "policy"), "validation");
		if (own && (!strcmp(own, "strict") ||
				   (!strcmp(own, "full") && !strcmp(level, "basic"))))
			level = own;
	}
	/* A rehearsal cannot want one before it. */
	return run->rehearse && !strcmp(level, "strict") ? "full" : level;
}

static void run_checked(void *ctx, bool ok, json_t *findings)
{
	struct wbl_run *run = ctx;
	struct wbl_error err;
	json_t *f;
	size_t i;
	int worst = 0;

	run->check = NULL;
	run->checking = true;
	json_array_foreach(findings, i, f)
	{
		WBL_AUTOFREE char *text = wbl_json_text(f);
		const char *severity = wbl_json_str(f, "severity");
		int rank = !strcmp(severity, "error")        ? 2
			   : json_object_get(f, "tolerated") ? 0
							     : !strcmp(severity, "warning");

		wbl_engine_append(run->engine, run,
			&(struct wbl_entry){ .kind = WBL_KIND_FINDING,
				.name = "validation",
				.body = { text, strlen(text) } });
		if (!ok && rank > worst) {
			worst = rank;
			wbl_fail(&err, WBL_E_PARAM, wbl_json_str(f, "where"),
				wbl_json_str(f, "hint"), "%s",
				wbl_json_str(f, "text") ? wbl_json_str(f, "text") : "");
			json_decref(run->validation_error);
			run->validation_error = wbl_json_error(&err);
		}
	}
	wbl_engine_touch(run->engine, run);
}

int32_t wbl_run_validate(struct wbl_run *run)
{
	if (run->checking)
		return run->validation_error ? WBL_E_PARAM : 0;
	if (!run->check)
		run->check =
			wbl_check_start(run->engine, run->plan, level_of(run), run_checked, run);
	return WBL_E_RETRY;
}
