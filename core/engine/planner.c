/* engine/planner.c - one plan call for each migration, and the document that comes of them.
 * In: a checked spec, or a document to be planned again.  Out: a plan document.
 * SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "core/engine/planner.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/engine/host_service.h"
#include "core/engine/learn.h"
#include "core/engine/names.h"
#include "core/engine/plan.h"
#include "core/engine/run.h"

#define PLAN_LIFE INT64_C(604800000000000) /* 7 days */
#define PLAN_TIMEOUT INT64_C(600000000000)

struct wbl_planner {
	struct wbl_engine *engine;
	json_t *doc;
	json_t *old_questions; /* with answers, when planned again */
	json_t *known;         /* ids of steps */
	struct wbl_instance **instances;
	size_t count, open;
	bool bind;
	int32_t rc;
	struct wbl_error err;
	json_t *errors;
	wbl_planner_done *done;
	void *ctx;
};

const json_t *wbl_planner_document(const struct wbl_planner *p)
{
	return p->doc;
}

/* --- what the handler says --- */

static int32_t refuse(struct wbl_call_request *call, const char *where, const char *what)
{
	json_t *d = json_object();

	wbl_json_puti(d, "severity", 1);
	wbl_json_puti(d, "code", WBL_E_ABI);
	wbl_json_put(d, "where", where);
	wbl_json_put(d, "text", what);
	wbl_json_put(d, "hint", "Tell the handler's author.");
	wbl_serve_keep_diagnostic(call, d);
	return WBL_E_ABI;
}

static bool id_is_good(const char *s)
{
	size_t n = s ? strlen(s) : 0, i;

	if (!n || n > 200)
		return false;
	for (i = 0; i < n; i++)
		if ((unsigned char)s[i] <= ' ' || s[i] == '/' || s[i] == 127)
			return false;
	return true;
}

static json_t *qualified(const char *migration, const char *id)
{
	WBL_AUTOFREE char *full = wbl_strf("%s/%s", migration, id);

	return json_string(full);
}

static void qualify(json_t *step, const json_t *from, const char *migration, const char *key)
{
	const char *id = wbl_json_str(from, key);

	if (id && *id)
		json_object_set_new(step, key, qualified(migration, id));
}

static void copy_present(json_t *to, const json_t *from, const char *const *keys)
{
	for (; *keys; keys++) {
		json_t *v = json_object_get(from, *keys);

		if (v && !json_is_null(v) && (json_is_string(v) || strcmp(*keys, "barrier")))
			json_object_set(to, *keys, v);
	}
}

static json_t *claims_of(const json_t *from)
{
	json_t *out = json_array(), *c;
	size_t i;

	json_array_foreach(json_object_get(from, "claims"), i, c)
	{
		json_t *claim = json_object();
		const char *mode = wbl_claim_mode_name(wbl_json_int(c, "mode", 0));

		if (!mode || !wbl_json_str(c, "kind") || !wbl_json_str(c, "name")) {
			json_decref(claim);
			json_decref(out);
			return NULL;
		}
		wbl_json_put(claim, "mode", mode);
		wbl_json_put(claim, "kind", wbl_json_str(c, "kind"));
		wbl_json_put(claim, "name", wbl_json_str(c, "name"));
		json_array_append_new(out, claim);
	}
	return out;
}

static bool step_known(const struct wbl_planner *p, const json_t *step)
{
	return json_object_get(p->known, wbl_json_str(step, "id")) != NULL;
}

static int32_t params_ok(const char *params)
{
	json_t *j = params ? wbl_json_parse(params, strlen(params), NULL, NULL) : NULL;
	bool ok = !params || json_is_object(j);

	json_decref(j);
	return ok;
}

static int32_t add_step(struct wbl_call_request *call, const json_t *f)
{
	static const char *const same[] = { "title", "op", "risks", "estimate", "limits", "manual",
		"params", "barrier", NULL };
	struct wbl_planner *p = call->instance->planner;
	const char *migration = call->instance->name, *id = wbl_json_str(f, "id");
	uint32_t flags = (uint32_t)wbl_json_int(f, "flags", 0), unknown;
	const char *kind = wbl_step_kind_name(wbl_json_int(f, "kind", 0));
	const char *inverse = wbl_inverse_name(wbl_json_int(f, "inverse", 0));
	json_t *s, *claims, *after = json_array(), *dep;
	size_t i;

	if (!id_is_good(id) || !kind || !inverse || !(claims = claims_of(f))) {
		json_decref(after);
		return refuse(call, id,
			!id_is_good(id)
				? "the step's id is not 1 to 200 printable characters without \"/\""
			: !kind    ? "the step has no known kind"
			: !inverse ? "the step has no known inverse"
				   : "a claim needs a known mode, a kind and a name");
	}
	s = json_object();
	json_object_set_new(s, "id", qualified(migration, id));
	wbl_json_put(s, "migration", migration);
	wbl_json_put(s, "step", id);
	wbl_json_put(s, "kind", kind);
	json_object_set_new(s, "flags", wbl_step_flags_json(flags, &unknown));
	wbl_json_put(s, "inverse", inverse);
	json_array_foreach(json_object_get(f, "after"), i, dep)
		json_array_append_new(after, qualified(migration, json_string_value(dep)));
	json_object_set_new(s, "after", after);
	json_object_set_new(s, "claims", claims);
	copy_present(s, f, same);
	qualify(s, f, migration, "finishes");
	qualify(s, f, migration, "retry_from");
	if (!strcmp(inverse, "step"))
		qualify(s, f, migration, "inverse_arg");
	else
		wbl_json_put(s, "inverse_arg", wbl_json_str(f, "inverse_arg"));
	if ((unknown >> 16) || step_known(p, s) || !params_ok(wbl_json_str(f, "params")) ||
		(!strcmp(inverse, "none") && !wbl_json_str(f, "inverse_arg"))) {
		json_decref(s);
		return refuse(call, id,
			unknown >> 16
				? "the step has a critical flag that this engine does not know"
			: !params_ok(wbl_json_str(f, "params"))
				? "the step's params are not a JSON object"
			: !strcmp(inverse, "none") && !wbl_json_str(f, "inverse_arg")
				? "a step without an inverse needs a reason"
				: "the plan has two steps of this id");
	}
	json_object_set_new(p->known, wbl_json_str(s, "id"), json_true());
	json_array_append_new(json_object_get(p->doc, "steps"), s);
	return 0;
}

static int32_t add_observation(struct wbl_call_request *call, const json_t *f)
{
	const char *rule = wbl_rule_name(wbl_json_int(f, "rule", 0));
	json_t *o;

	if (!rule || !wbl_json_str(f, "key") || !wbl_json_str(f, "value"))
		return refuse(call, wbl_json_str(f, "key"),
			"an observation needs a known rule, a key and a value");
	o = json_object();
	wbl_json_put(o, "migration", call->instance->name);
	wbl_json_put(o, "rule", rule);
	wbl_json_puti(o, "tolerance", wbl_json_int(f, "tolerance", 0));
	wbl_json_put(o, "key", wbl_json_str(f, "key"));
	wbl_json_put(o, "value", wbl_json_str(f, "value"));
	wbl_json_put(o, "meaning", wbl_json_str(f, "meaning"));
	json_array_append_new(json_object_get(call->instance->planner->doc, "observations"), o);
	return 0;
}

static int32_t add_omission(struct wbl_call_request *call, const json_t *f)
{
	json_t *o = json_object();

	wbl_json_put(o, "migration", call->instance->name);
	wbl_json_put(o, "what", wbl_json_str(f, "what"));
	wbl_json_puti(o, "count", wbl_json_int(f, "count", 0));
	wbl_json_put(o, "why", wbl_json_str(f, "why"));
	json_array_append_new(json_object_get(call->instance->planner->doc, "omissions"), o);
	return 0;
}

static int32_t add_finding(struct wbl_call_request *call, const json_t *f)
{
	const char *text = wbl_json_str(f, "json");
	json_t *j = text ? wbl_json_parse(text, strlen(text), NULL, NULL) : NULL;

	if (!j)
		return refuse(call, "finding", "the finding is not JSON");
	json_array_append_new(call->instance->planner
				      ? json_object_get(call->instance->planner->doc, "findings")
				      : call->findings,
		j);
	return 0;
}

int32_t wbl_planner_frame(struct wbl_call_request *call, const struct wbl_frame *f)
{
	if (!call->instance->planner)
		return f->type == WBL_WIRE_FINDING ? add_finding(call, f->json) : WBL_E_ABI;
	switch (f->type) {
	case WBL_WIRE_STEP:
		return add_step(call, f->json);
	case WBL_WIRE_OBSERVE:
		return add_observation(call, f->json);
	case WBL_WIRE_OMIT:
		return add_omission(call, f->json);
	default:
		return add_finding(call, f->json);
	}
}

const char *wbl_planner_ask(struct wbl_call_request *call, const struct wbl_frame *f)
{
	struct wbl_planner *p = call->instance->planner;
	const char *answer = NULL, *id = wbl_json_str(f->json, "id");
	json_t *q, *fresh;
	size_t i;

	if (!p || !id)
		return NULL;
	json_array_foreach(p->old_questions, i,
		q) if (!strcmp(wbl_json_str(q, "id"), id) &&
		       !strcmp(wbl_json_str(q, "migration"), call->instance->name)) answer =
		wbl_json_str(q, "answer");
	fresh = json_copy(f->json);
	wbl_json_put(fresh, "migration", call->instance->name);
	json_object_set_new(fresh, "answer", answer ? json_string(answer) : json_null());
	json_array_append_new(json_object_get(p->doc, "questions"), fresh);
	return answer;
}

void wbl_planner_saw_state(
	struct wbl_call_request *call, const char *name, const struct wbl_buf *value)
{
	char hex[WBL_SHA256_HEX] = "none";
	json_t *o;

	if (!call->instance->planner)
		return;
	if (value)
		wbl_sha256_hex(value->data ? value->data : "", value->len, hex);
	o = json_pack("{s:i, s:s, s:s, s:s}", "rule", WBL_RULE_EQUAL, "key", name, "value", hex,
		"meaning", "a value kept from an earlier run");
	add_observation(call, o);
	json_decref(o);
}

/* --- the document --- */

static bool has_flag(const json_t *step, const char *name)
{
	json_t *flag;
	size_t i;

	json_array_foreach(json_object_get(step, "flags"), i,
		flag) if (!strcmp(json_string_value(flag), name)) return true;
	return false;
}

static bool depends_on_own(const json_t *step)
{
	return json_array_size(json_object_get(step, "after")) > 0;
}

/* Migrations that follow others begin when those are done. */
static void order_migrations(json_t *doc)
{
	json_t *steps = json_object_get(doc, "steps"), *m, *s, *other, *name;
	size_t i, j, k, n;

	json_array_foreach(json_object_get(doc, "migrations"), i, m) json_array_foreach(
		json_object_get(m, "after"), j, name) json_array_foreach(steps, k, s)
	{
		if (!json_equal(json_object_get(s, "migration"), json_object_get(m, "name")) ||
			depends_on_own(s))
			continue;
		json_object_set_new(s, "_first", json_true());
	}
	json_array_foreach(json_object_get(doc, "migrations"), i, m) json_array_foreach(
		json_object_get(m, "after"), j, name) json_array_foreach(steps, k, s)
	{
		if (!json_object_get(s, "_first") ||
			!json_equal(json_object_get(s, "migration"), json_object_get(m, "name")))
			continue;
		json_array_foreach(steps, n,
			other) if (json_equal(json_object_get(other, "migration"), name) &&
				   !has_flag(other, "finalize"))
			json_array_append(
				json_object_get(s, "after"), json_object_get(other, "id"));
	}
	json_array_foreach(steps, k, s) json_object_del(s, "_first");
}

/* Those of the spec in its order, then others as they come; without those that no step has. */
static void list_barriers(json_t *doc)
{
	json_t *all = json_object_get(doc, "barriers"), *listed = json_array(),
	       *used = json_object(), *s, *b;
	const char *name;
	size_t i;

	json_array_foreach(
		json_object_get(doc, "steps"), i, s) if ((name = wbl_json_str(s, "barrier")))
		json_object_set_new(used, name, json_true());
	json_array_foreach(all, i, b) if (json_object_del(used, json_string_value(b)) == 0)
		json_array_append(listed, b);
	json_array_foreach(json_object_get(doc, "steps"), i,
		s) if ((name = wbl_json_str(s, "barrier")) && json_object_del(used, name) == 0)
		json_array_append_new(listed, json_string(name));
	json_decref(used);
	json_object_set_new(doc, "barriers", listed);
}

static int64_t estimate_of(const struct wbl_run_step *s, const char *key)
{
	return wbl_json_int(json_object_get(s->def, "estimate"), key, 0);
}

/* The longest chain of dependencies. */
static int64_t chain(const struct wbl_run *run, const char *key)
{
	WBL_AUTOFREE int64_t *end = wbl_alloc((run->nsteps + 1) * sizeof *end);
	int64_t longest = 0;
	size_t i, j;

	for (i = 0; i < run->nsteps; i++) {
		const struct wbl_run_step *s = &run->steps[run->order[i]];
		int64_t start = 0;

		for (j = 0; j < s->nafter; j++)
			start = end[s->after[j]] > start ? end[s->after[j]] : start;
		end[s->index] = start + (s->is_compensation ? 0 : estimate_of(s, key));
		longest = end[s->index] > longest ? end[s->index] : longest;
	}
	return longest;
}

static void add_timeline(json_t *doc, const struct wbl_run *run)
{
	size_t i, without = 0;
	json_t *t = json_object();

	for (i = 0; i < run->nsteps; i++)
		without += !json_object_get(run->steps[i].def, "estimate");
	wbl_json_puti(t, "p50_ns", chain(run, "p50_ns"));
	wbl_json_puti(t, "p90_ns", chain(run, "p90_ns"));
	if (without) {
		WBL_AUTOFREE char *basis =
			wbl_strf("longest chain of steps; %zu of %zu gave no estimate", without,
				run->nsteps);

		wbl_json_put(t, "basis", basis);
	} else {
		wbl_json_put(t, "basis", "longest chain of steps");
	}
	json_object_set_new(doc, "timeline", t);
}

static void add_rollback(json_t *doc, const struct wbl_run *run)
{
	json_t *r = json_object(), *order = json_array(), *never = json_array(), *m;
	const char *point = NULL;
	bool automatic = true;
	size_t i;

	for (i = run->nsteps; i-- > 0;) {
		const struct wbl_run_step *s = &run->steps[run->order[i]];
		bool harmless = s->kind == WBL_KIND_VALIDATION ||
				s->kind == WBL_KIND_VERIFICATION || s->kind == WBL_KIND_BACKUP;

		if (s->flags & WBL_STEP_NO_RETURN)
			point = s->id;
		if (s->is_compensation || (s->inverse == WBL_INVERSE_NONE && harmless))
			continue;
		if (s->inverse == WBL_INVERSE_NONE)
			json_array_append_new(never, json_pack("{s:s, s:s}", "step", s->id, "why",
							     wbl_json_str(s->def, "inverse_arg")));
		else
			json_array_append_new(order, json_string(s->id));
	}
	json_array_foreach(json_object_get(doc, "migrations"), i, m) automatic &=
		strcmp(wbl_json_str(json_object_get(m, "policy"), "rollback"), "manual") != 0;
	json_object_set_new(r, "order", order);
	json_object_set_new(r, "point_of_no_return", point ? json_string(point) : json_null());
	json_object_set_new(r, "irreversible", never);
	json_object_set_new(r, "automatic", json_boolean(automatic));
	json_object_set_new(doc, "rollback", r);
}

static void add_risk(json_t *doc, const struct wbl_run *run)
{
	static const char *const words[] = { "low", "low", "medium", "high" };
	const json_t *risk;
	int64_t worst = 0, claims = 0, processes = 1;
	size_t i, j;

	for (i = 0; i < run->nsteps; i++) {
		const struct wbl_run_step *s = &run->steps[i];

		json_array_foreach(json_object_get(s->def, "risks"), j, risk)
		{
			int64_t level = wbl_json_int(risk, "level", 1);

			worst = level > worst ? level : worst;
		}
		claims += (int64_t)json_array_size(json_object_get(s->def, "claims"));
		if ((s->flags & WBL_STEP_PARTITIONED) && s->processes_max > processes)
			processes = s->processes_max;
		if (s->inverse == WBL_INVERSE_NONE && s->kind == WBL_KIND_MIGRATION)
			worst = 3;
	}
	wbl_json_put(doc, "risk", words[worst < 0 ? 0 : worst > 3 ? 3 : worst]);
	json_object_set_new(doc, "resources",
		json_pack("{s:I, s:I}", "processes", (json_int_t)processes, "claims",
			(json_int_t)claims));
}

static void add_blockers(json_t *doc)
{
	json_t *blockers = json_array(), *q;
	size_t i;

	json_array_foreach(json_object_get(doc, "questions"), i, q) if (!wbl_json_str(q, "answer"))
	{
		WBL_AUTOFREE char *text =
			wbl_strf("question %s is not answered: whimbrel answer PLAN %s ANSWER",
				wbl_json_str(q, "id"), wbl_json_str(q, "id"));

		json_array_append_new(blockers, json_string(text));
	}
	json_object_set_new(doc, "applyable", json_boolean(!json_array_size(blockers)));
	json_object_set_new(doc, "blockers", blockers);
}

/* Migrations are planned side by side; the document does not show who was faster. */
static void sort_by_migration(json_t *doc, const char *key)
{
	json_t *all = json_object_get(doc, key), *sorted = json_array(), *m, *o;
	size_t i, k;

	json_array_foreach(json_object_get(doc, "migrations"), i, m) json_array_foreach(all, k,
		o) if (json_equal(json_object_get(o, "migration"), json_object_get(m, "name")))
		json_array_append(sorted, o);
	if (json_array_size(sorted) == json_array_size(all))
		json_object_set(doc, key, sorted);
	json_decref(sorted);
}

/* In the order in which they can be done. */
static void sort_steps(json_t *doc, const struct wbl_run *run)
{
	json_t *sorted = json_array();
	size_t i;

	for (i = 0; i < run->nsteps; i++)
		json_array_append(
			sorted, json_array_get(json_object_get(doc, "steps"), run->order[i]));
	json_object_set_new(doc, "steps", sorted);
}

static int32_t assemble(struct wbl_planner *p)
{
	char digest[WBL_SHA256_HEX];
	struct wbl_run *run;

	sort_by_migration(p->doc, "steps");
	sort_by_migration(p->doc, "observations");
	sort_by_migration(p->doc, "omissions");
	order_migrations(p->doc);
	list_barriers(p->doc);
	if (!p->bind)
		wbl_learn_apply(p->engine, p->doc);
	run = wbl_run_new(p->engine, "plan", p->doc, &p->err);
	if (!run)
		return p->err.code;
	add_timeline(p->doc, run);
	add_rollback(p->doc, run);
	add_risk(p->doc, run);
	add_blockers(p->doc);
	sort_steps(p->doc, run);
	wbl_run_free(p->engine, run);
	wbl_plan_change_digest(p->doc, digest);
	wbl_json_put(p->doc, "change_digest", digest);
	json_object_set_new(p->doc, "success",
		json_pack("[s]",
			"every step is verified, and what it skipped is named in the report"));
	return 0;
}

void wbl_planner_give_hosts(struct wbl_planner *p, struct wbl_run *run)
{
	size_t i, j;

	for (i = 0; i < p->count; i++)
		for (j = 0; j < run->ninstances; j++)
			if (!strcmp(p->instances[i]->name, run->instances[j]->name))
				wbl_instance_adopt(p->engine, run->instances[j], p->instances[i]);
}

/* --- the calls --- */

static void finish(struct wbl_planner *p)
{
	size_t i;

	if (p->open)
		return;
	if (!p->rc)
		p->rc = assemble(p);
	if (p->rc && !json_array_size(p->errors))
		json_array_append_new(p->errors, wbl_json_error(&p->err));
	p->done(p->ctx, p->rc, p->doc, p->errors, &p->err);
	for (i = 0; i < p->count; i++)
		wbl_instance_free(p->engine, p->instances[i]);
	free(p->instances);
	json_decref(p->doc);
	json_decref(p->old_questions);
	json_decref(p->errors);
	json_decref(p->known);
	free(p);
}

/* What else was told on the way to a failure: often its cause. */
static void keep_told(struct wbl_planner *p, const char *name, const struct wbl_outcome_of_call *o)
{
	const json_t *d;
	size_t i;

	json_array_foreach(o->diagnostics, i, d)
	{
		const char *text = wbl_json_str(d, "text");
		struct wbl_error e = { 0 };
		json_t *error;

		if (wbl_json_int(d, "severity", 1) > 1 || !text || !strcmp(text, o->error.text))
			continue;
		wbl_fail(&e, (int32_t)wbl_json_int(d, "code", o->status), wbl_json_str(d, "where"),
			wbl_json_str(d, "hint"), "%s", text);
		error = wbl_json_error(&e);
		wbl_json_put(error, "migration", name);
		json_array_append_new(p->errors, error);
	}
}

static void on_planned(struct wbl_call_request *call, const struct wbl_outcome_of_call *o)
{
	struct wbl_planner *p = call->instance->planner;
	json_t *error, *d;
	size_t i;

	json_array_foreach(o->diagnostics, i, d) if (wbl_json_int(d, "severity", 1) > 1)
		json_array_append(json_object_get(p->doc, "warnings"), d);
	if (o->status) {
		if (!p->rc) {
			p->rc = o->status < 0 ? o->status : WBL_E_ABI;
			p->err = o->error;
			if (!p->err.code)
				wbl_fail(&p->err, WBL_E_ABI, call->instance->name,
					"Tell the handler's author.", "plan returned %d",
					o->status);
		}
		error = wbl_step_error_json(o);
		wbl_json_put(error, "migration", call->instance->name);
		json_array_append_new(p->errors, error);
		keep_told(p, call->instance->name, o);
	}
	p->open--;
	finish(p);
}

static void start_call(struct wbl_planner *p, struct wbl_instance *in, const json_t *m)
{
	struct wbl_call_request *call = wbl_alloc(sizeof *call);
	int64_t timeout = wbl_json_int(json_object_get(m, "policy"), "timeout_ns", 0);

	call->engine = p->engine;
	call->instance = in;
	call->kind = WBL_CALL_PLAN;
	call->work = json_object();
	wbl_json_puti(call->work, "flags", p->bind ? WBL_WORK_BIND : 0);
	wbl_json_puti(call->work, "attempt", 1);
	call->timeout_ns = timeout ? timeout : PLAN_TIMEOUT;
	call->done = on_planned;
	p->open++;
	wbl_call_start(call);
}

static void on_begun(struct wbl_engine *e, void *ctx)
{
	struct wbl_planner *p = ctx;

	p->open--;
	finish(p);
}

static struct wbl_planner *start(
	struct wbl_engine *e, json_t *doc, bool bind, wbl_planner_done *done, void *ctx)
{
	static const char *const lists[] = { "steps", "observations", "omissions", "questions",
		"findings", "warnings" };
	json_t *migrations = json_object_get(doc, "migrations"), *m;
	struct wbl_planner *p = wbl_alloc(sizeof *p);
	size_t i;

	p->engine = e;
	p->doc = doc;
	p->bind = bind;
	p->done = done;
	p->ctx = ctx;
	p->errors = json_array();
	p->known = json_object();
	p->old_questions = json_incref(json_object_get(doc, "questions"));
	for (i = 0; i < WBL_COUNT(lists); i++)
		json_object_set_new(doc, lists[i], json_array());
	p->instances = wbl_alloc((json_array_size(migrations) + 1) * sizeof *p->instances);
	p->open = 1;
	json_array_foreach(migrations, i, m)
	{
		struct wbl_instance *in = wbl_instance_new("plan", m, e->registry, false);

		in->planner = p;
		p->instances[p->count++] = in;
		start_call(p, in, m);
	}
	wbl_engine_after(e, on_begun, p, NULL);
	return p;
}

static json_t *module_json(const struct wbl_module_entry *m)
{
	return json_pack("{s:s, s:s, s:s, s:s, s:s}", "name", m->name, "path", m->path, "sha256",
		m->sha256, "id", m->manifest->id, "version", m->manifest->version);
}

static json_t *policy_json(const struct wbl_policy *p)
{
	return json_pack("{s:s, s:s, s:s, s:I, s:I, s:I, s:I, s:I}", "validation", p->validation,
		"rollback", p->rollback, "recovery", p->recovery, "timeout_ns",
		(json_int_t)p->timeout_ns, "grace_ns", (json_int_t)p->grace_ns, "backoff_ns",
		(json_int_t)p->backoff_ns, "attempts", (json_int_t)p->attempts, "processes",
		(json_int_t)p->processes);
}

json_t *wbl_migration_json(const struct wbl_migration *m)
{
	json_t *j = json_object(), *after = json_array();
	char **name;

	wbl_json_put(j, "name", m->name);
	wbl_json_put(j, "handler", m->handler);
	wbl_json_put(j, "family", m->provides->family);
	json_object_set_new(j, "module", module_json(m->module));
	json_object_set_new(j, "peers", m->peers ? json_deep_copy(m->peers) : json_array());
	json_object_set_new(j, "params", json_deep_copy(m->params));
	for (name = m->after; name && *name; name++)
		json_array_append_new(after, json_string(*name));
	json_object_set_new(j, "after", after);
	json_object_set_new(
		j, "connections", m->connections ? json_deep_copy(m->connections) : json_object());
	json_object_set_new(j, "policy", policy_json(&m->policy));
	return j;
}

static void put_head(struct wbl_engine *e, json_t *doc, const char *author)
{
	int64_t now = wbl_now_real();
	char id[32], at[32];

	snprintf(id, sizeof id, "p-%06lld", (long long)++e->next_plan);
	wbl_json_put(doc, "format", "whimbrel.plan");
	wbl_json_puti(doc, "version", 1);
	wbl_json_put(doc, "id", id);
	wbl_json_put(doc, "state", wbl_state_uuid(e->state));
	wbl_time_text(now, at);
	wbl_json_put(doc, "made", at);
	wbl_time_text(now + PLAN_LIFE, at);
	wbl_json_put(doc, "expires", at);
	wbl_json_put(doc, "author", author);
	wbl_json_put(doc, "engine", PACKAGE_VERSION);
	wbl_json_put(doc, "abi", "1.0");
}

struct wbl_planner *wbl_planner_start(struct wbl_engine *e, const struct wbl_spec *spec,
	const char *author, wbl_planner_done *done, void *ctx)
{
	json_t *doc = json_object(), *migrations = json_array(), *barriers = json_array();
	char **b;
	size_t i;

	put_head(e, doc, author);
	wbl_json_put(doc, "environment", spec->environment ? spec->environment : "default");
	wbl_json_put(doc, "name", spec->name);
	json_object_set_new(doc, "spec",
		json_pack("{s:s, s:s, s:s}", "name", spec->file ? spec->file : "", "dir",
			spec->dir ? spec->dir : "", "sha256", spec->sha256));
	for (i = 0; i < spec->count; i++)
		json_array_append_new(migrations, wbl_migration_json(&spec->migrations[i]));
	json_object_set_new(doc, "migrations", migrations);
	for (b = spec->barriers; b && *b; b++)
		json_array_append_new(barriers, json_string(*b));
	json_object_set_new(doc, "barriers", barriers);
	return start(e, doc, false, done, ctx);
}

struct wbl_planner *wbl_planner_again(struct wbl_engine *e, const json_t *plan, bool bind,
	const char *author, wbl_planner_done *done, void *ctx)
{
	json_t *doc = json_deep_copy(plan);

	if (!bind)
		put_head(e, doc, author);
	return start(e, doc, bind, done, ctx);
}
