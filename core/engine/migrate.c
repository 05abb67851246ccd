/* engine/migrate.c - the flow on one page: spec -> plan -> (validate, rehearse) -> bind -> run.
 *
 *   plan      spec.c checks the spec, planner.c asks the handlers, the document is recorded (plan.made)
 *   apply     the document must be one that we recorded, unused, unexpired, of these modules; planner.c asks the
 *             handlers again and bind.c compares; then a run is made (run.created)
 *   the run   advance.c: validating (validate.c) -> executing (step.c) -> completed or reversible
 *             rollback.c: rolling_back -> rolled_back, cancelled; recover.c: after a crash
 *
 * What a run is at any time is the fold of its journal entries (fold.c); loop.c says when entries become durable.
 * SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "core/engine/migrate.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/engine/plan.h"
#include "core/engine/planner.h"
#include "core/engine/run.h"
#include "core/engine/spec.h"
#include "core/engine/validate.h"
#include "core/module/environment.h"

enum then { THEN_RECORD, THEN_VALIDATE };

struct request {
	struct wbl_engine *engine;
	json_t *args, *plan;
	char *actor, *text;
	enum then then;
	bool rehearse;
	json_t *reasons, *result, *errors;
	struct wbl_error err;
	int32_t rc;
	struct wbl_planner *planner; /* that binds */
	wbl_answer *done;
	void *ctx;
};

static struct request *request_new(
	struct wbl_engine *e, const json_t *args, const char *actor, wbl_answer *done, void *ctx)
{
	struct request *r = wbl_alloc(sizeof *r);

	r->engine = e;
	r->args = json_deep_copy(args);
	r->actor = wbl_strdup(actor);
	r->reasons = json_array();
	r->done = done;
	r->ctx = ctx;
	return r;
}

static void request_free(void *ctx)
{
	struct request *r = ctx;

	json_decref(r->args);
	json_decref(r->plan);
	json_decref(r->reasons);
	json_decref(r->result);
	json_decref(r->errors);
	free(r->actor);
	free(r->text);
	free(r);
}

static void let_answer_out(struct wbl_engine *e, void *ctx)
{
	struct request *r = ctx;
	json_t *result = r->result;

	r->result = NULL;
	r->done(r->ctx, r->rc, result, r->errors, &r->err);
	request_free(r);
}

static void answer(struct request *r, int32_t rc, json_t *result, json_t *errors)
{
	r->rc = rc;
	r->result = result;
	r->errors = json_incref(errors);
	wbl_engine_after(r->engine, let_answer_out, r, request_free);
}

/* --- plan --- */

static void record_plan(struct request *r, json_t *document)
{
	WBL_AUTOFREE char *text = wbl_json_pretty(document);
	char digest[WBL_SHA256_HEX];
	json_t *result = json_object();

	wbl_engine_append(r->engine, NULL,
		&(struct wbl_entry){ .kind = WBL_KIND_PLAN_MADE,
			.name = wbl_json_str(document, "id"),
			.actor = r->actor,
			.body = { text, strlen(text) } });
	wbl_sha256_hex(text, strlen(text), digest);
	json_object_set(result, "plan", json_object_get(document, "id"));
	wbl_json_put(result, "digest", digest);
	wbl_json_put(result, "document", text);
	json_object_set(result, "warnings", json_object_get(document, "warnings"));
	answer(r, 0, result, NULL);
}

static void on_checked(void *ctx, bool ok, json_t *findings)
{
	struct request *r = ctx;

	answer(r, 0,
		json_pack("{s:s, s:b, s:O}", "level",
			wbl_json_str(r->args, "level") ? wbl_json_str(r->args, "level") : "full",
			"ok", ok, "findings", findings),
		NULL);
}

static void validate(struct request *r, const json_t *plan)
{
	const char *level = wbl_json_str(r->args, "level");

	wbl_check_start(r->engine, plan, level ? level : "full", on_checked, r);
}

static void on_planned(
	void *ctx, int32_t rc, json_t *document, json_t *errors, const struct wbl_error *err)
{
	struct request *r = ctx;

	if (rc) {
		r->err = *err;
		answer(r, rc, NULL, errors);
	} else if (r->then == THEN_VALIDATE) {
		validate(r, document);
	} else {
		record_plan(r, document);
	}
}

static int32_t load_spec(struct request *r, struct wbl_environment *env, struct wbl_spec **ret)
{
	const json_t *spec = json_object_get(r->args, "spec");
	const char *name = wbl_json_str(spec, "name"), *dir = wbl_json_str(spec, "dir"),
		   *text = wbl_json_str(spec, "text");

	if (!name || !dir || !text || *dir != '/')
		return wbl_fail(&r->err, WBL_E_USAGE, "spec", NULL,
			"a request to plan needs spec: {name, dir, text}");
	return wbl_spec_load(name, dir, text, json_string_length(json_object_get(spec, "text")),
		r->engine->registry, env, WBL_PARAMS_FOR_RUN, ret, &r->errors, &r->err);
}

static void plan_spec(struct request *r)
{
	WBL_AUTOFREE char *dir = wbl_strf("%s/environments.d", r->engine->options.config_dir);
	const char *name = wbl_json_str(r->args, "env");
	struct wbl_environment *env = NULL;
	struct wbl_spec *spec = NULL;
	json_t *errors = NULL;
	int32_t rc = wbl_engine_reload(r->engine, &r->err);

	if (!rc)
		rc = wbl_environment_load(dir, name ? name : "default", &env, &r->err);
	if (!rc)
		rc = load_spec(r, env, &spec);
	if (rc) {
		errors = r->errors;
		r->errors = NULL;
		answer(r, rc, NULL, errors);
		json_decref(errors);
	} else {
		json_decref(r->errors);
		r->errors = NULL;
		wbl_planner_start(r->engine, spec, r->actor, on_planned, r);
	}
	wbl_spec_free(spec);
	wbl_environment_free(env);
}

void wbl_migrate_plan(
	struct wbl_engine *e, const json_t *args, const char *actor, wbl_answer *done, void *ctx)
{
	plan_spec(request_new(e, args, actor, done, ctx));
}

/* --- finding a plan --- */

/* By id or digest, or by its bytes: those must be exactly what we recorded. */
static json_t *find_plan(struct request *r)
{
	const json_t *doc = json_object_get(r->args, "document");
	const char *text = json_string_value(doc), *which = wbl_json_str(r->args, "plan");
	WBL_AUTOFREE char *id = NULL;
	char digest[WBL_SHA256_HEX];

	if (text) {
		wbl_sha256_hex(text, json_string_length(doc), digest);
		id = wbl_plan_resolve(r->engine->state, digest, &r->err);
		if (!id)
			wbl_fail(&r->err, WBL_E_OLD_PLAN, digest,
				"Plan again here; plans are not edited, specs are.",
				"this document is not one that this state folder has recorded: it "
				"was changed, if only by a byte, or made elsewhere");
	} else if (which) {
		id = wbl_plan_resolve(r->engine->state, which, &r->err);
	} else {
		wbl_fail(&r->err, WBL_E_USAGE, "plan", NULL, "a plan must be named");
	}
	return id ? wbl_plan_load(r->engine->state, id, &r->text, &r->err) : NULL;
}

/* An unknown document may still tell why: made for another state, or of another form. */
static void explain_unknown(struct request *r)
{
	const json_t *doc = json_object_get(r->args, "document");
	struct wbl_error err = { 0 };
	json_t *plan;

	json_array_append_new(r->reasons, wbl_json_error(&r->err));
	if (!json_string_value(doc))
		return;
	plan = wbl_json_parse(json_string_value(doc), json_string_length(doc), "plan", &err);
	if (!plan || wbl_plan_check(plan, &err)) {
		json_array_append_new(r->reasons, wbl_json_error(&err));
	} else if (strcmp(wbl_json_str(plan, "state"), wbl_state_uuid(r->engine->state))) {
		wbl_fail(&err, WBL_E_OLD_PLAN, wbl_json_str(plan, "id"),
			"Apply it with the state folder that made it, or plan again here.",
			"it was made for another state folder (%s)", wbl_json_str(plan, "state"));
		json_array_append_new(r->reasons, wbl_json_error(&err));
	}
	json_decref(plan);
}

/* --- bind --- */

static void add_reason(
	struct request *r, int32_t code, const char *where, const char *hint, char *text)
{
	struct wbl_error err;
	json_t *reason, *other;
	bool known = false;
	size_t i;

	wbl_fail(&err, code, where, hint, "%s", text);
	reason = wbl_json_error(&err);
	json_array_foreach(r->reasons, i, other) /* two migrations may use the same module */
		known |= json_equal(reason, other);
	if (!known)
		json_array_append(r->reasons, reason);
	json_decref(reason);
	free(text);
}

/* False when it cannot be used at all. Another file is a reason to refuse; what else has changed is then found out with
 * the module as it is now, so that all reasons are told at once. */
static bool check_module(struct request *r, json_t *module, const char *interface, const char *name)
{
	const struct wbl_provides *provides;
	const struct wbl_module_entry *entry;
	struct wbl_error err;

	if (wbl_registry_find(r->engine->registry, interface, name, &provides, &entry, &err)) {
		add_reason(r, WBL_E_OLD_PLAN, name, err.hint,
			wbl_strf("the module is not usable any more: %s", err.text));
		return false;
	}
	if (strcmp(entry->sha256, wbl_json_str(module, "sha256"))) {
		add_reason(r, WBL_E_OLD_PLAN, entry->path,
			"Plan again with the module as it is now.",
			wbl_strf("the module's file is another one: its digest was %.12s..., is "
				 "%.12s...",
				wbl_json_str(module, "sha256"), entry->sha256));
		wbl_json_put(module, "path", entry->path);
		wbl_json_put(module, "sha256", entry->sha256);
		wbl_json_put(module, "id", entry->manifest->id);
		wbl_json_put(module, "version", entry->manifest->version);
	}
	return true;
}

static bool check_peers(struct request *r, const json_t *peers)
{
	bool usable = true;
	const json_t *p;
	size_t i;

	json_array_foreach(peers, i, p)
	{
		usable &= check_module(r, json_object_get(p, "module"),
			wbl_json_str(p, "interface"), wbl_json_str(p, "name"));
		usable &= check_peers(r, json_object_get(p, "peers"));
	}
	return usable;
}

static bool check_modules(struct request *r)
{
	bool usable = true;
	const json_t *m;
	size_t i;

	json_array_foreach(json_object_get(r->plan, "migrations"), i, m)
	{
		usable &= check_module(r, json_object_get(m, "module"), "wbl.handler/1",
			wbl_json_str(m, "handler"));
		usable &= check_peers(r, json_object_get(m, "peers"));
	}
	return usable;
}

static bool being_applied(struct request *r)
{
	return json_object_get(r->engine->binding, wbl_json_str(r->plan, "id")) != NULL;
}

static void check_document(struct request *r)
{
	const char *id = wbl_json_str(r->plan, "id");
	WBL_AUTOFREE char *used = r->rehearse ? NULL : wbl_plan_used_by(r->engine->state, id);
	char now[32];

	if (strcmp(wbl_json_str(r->plan, "state"), wbl_state_uuid(r->engine->state)))
		add_reason(r, WBL_E_OLD_PLAN, id, "Plan again here.",
			wbl_strf("the plan was made for another state folder"));
	if (used)
		add_reason(r, WBL_E_OLD_PLAN, id,
			"A plan is used once. Plan again, or carry its run on: whimbrel recover.",
			wbl_strf("the plan was used by %s", used));
	else if (!r->rehearse && being_applied(r))
		add_reason(r, WBL_E_OLD_PLAN, id, "A plan is used once.",
			wbl_strf("the plan is being applied just now"));
	wbl_time_text(wbl_now_real(), now);
	if (strcmp(wbl_json_str(r->plan, "expires"), now) < 0)
		add_reason(r, WBL_E_OLD_PLAN, id, "Plan again.",
			wbl_strf("the plan expired at %s", wbl_json_str(r->plan, "expires")));
}

/* --- run --- */

static void make_run(struct request *r, const json_t *notes)
{
	struct wbl_engine *e = r->engine;
	struct wbl_run *run;
	const json_t *n;
	char id[32];
	size_t i;
	WBL_AUTOFREE char *body = NULL;
	json_t *options = json_pack(
		"{s:O, s:b}", "name", json_object_get(r->plan, "name"), "rehearse", r->rehearse);

	wbl_plan_override(r->plan, r->args);
	json_object_set(options, "args", r->args);
	json_object_del(json_object_get(options, "args"), "document");
	body = wbl_json_text(options);
	json_decref(options);
	snprintf(id, sizeof id, "r-%06lld", (long long)e->next_run + 1);
	run = wbl_run_new(e, id, r->plan, &r->err);
	if (!run) {
		answer(r, r->err.code, NULL, NULL);
		return;
	}
	e->next_run++;
	run->rehearse = r->rehearse;
	run->next = e->runs;
	e->runs = run;
	if (!r->rehearse)
		wbl_planner_give_hosts(r->planner, run);
	wbl_engine_append(e, run,
		&(struct wbl_entry){ .kind = WBL_KIND_RUN_CREATED,
			.name = run->plan_id,
			.actor = r->actor,
			.epoch = 1,
			.body = { body, strlen(body) } });
	wbl_run_set_state(run, WBL_RUN_VALIDATING, 0, NULL);
	json_array_foreach(notes, i, n)
	{
		WBL_AUTOFREE char *text = wbl_strf("%s (%s)", wbl_json_str(n, "text"),
			wbl_json_str(n, "where") ? wbl_json_str(n, "where") : "");

		wbl_run_note(run, NULL, "bind", text);
	}
	answer(r, 0, json_pack("{s:s}", "run", id), NULL);
}

static void refuse(struct request *r)
{
	const json_t *first = json_array_get(r->reasons, 0);
	json_t *reasons = json_incref(r->reasons);

	wbl_fail(&r->err, (int32_t)wbl_json_int(first, "code", WBL_E_OLD_PLAN),
		wbl_json_str(first, "where"), wbl_json_str(first, "hint"), "%s",
		wbl_json_str(first, "text"));
	answer(r, r->err.code, NULL, reasons);
	json_decref(reasons);
}

static void on_bound(
	void *ctx, int32_t rc, json_t *document, json_t *errors, const struct wbl_error *err)
{
	struct request *r = ctx;
	json_t *notes = NULL, *reasons;

	json_object_del(r->engine->binding, wbl_json_str(r->plan, "id"));
	if (rc) {
		add_reason(r, WBL_E_OLD_PLAN, err->where, err->hint,
			wbl_strf("the handler cannot plan this any more: %s", err->text));
	} else {
		reasons = wbl_plan_compare(r->plan, document, &notes);
		json_array_extend(r->reasons, reasons);
		json_decref(reasons);
	}
	if (json_array_size(r->reasons))
		refuse(r);
	else
		make_run(r, notes);
	json_decref(notes);
}

static void apply(struct request *r)
{
	int32_t rc = wbl_engine_reload(r->engine, &r->err);

	r->plan = rc ? NULL : find_plan(r);
	if (rc) {
		answer(r, rc, NULL, NULL);
		return;
	}
	if (!r->plan) {
		if (r->err.code == WBL_E_OLD_PLAN)
			explain_unknown(r);
		if (json_array_size(r->reasons))
			refuse(r);
		else
			answer(r, r->err.code, NULL, NULL);
		return;
	}
	check_document(r);
	if (!check_modules(r)) {
		refuse(r);
		return;
	}
	if (!json_array_size(r->reasons) && !wbl_json_bool(r->plan, "applyable", false)) {
		const char *why =
			json_string_value(json_array_get(json_object_get(r->plan, "blockers"), 0));

		wbl_fail(&r->err, WBL_E_BLOCKED, wbl_json_str(r->plan, "id"),
			"Answer it; that makes a new plan.", "%s",
			why ? why : "the plan cannot be applied");
		answer(r, WBL_E_BLOCKED, NULL, NULL);
		return;
	}
	json_object_set_new(r->engine->binding, wbl_json_str(r->plan, "id"), json_true());
	r->planner = wbl_planner_again(r->engine, r->plan, true, r->actor, on_bound, r);
}

void wbl_migrate_apply(
	struct wbl_engine *e, const json_t *args, const char *actor, wbl_answer *done, void *ctx)
{
	apply(request_new(e, args, actor, done, ctx));
}

void wbl_migrate_rehearse(
	struct wbl_engine *e, const json_t *args, const char *actor, wbl_answer *done, void *ctx)
{
	struct request *r = request_new(e, args, actor, done, ctx);

	r->rehearse = true;
	apply(r);
}

void wbl_migrate_validate(
	struct wbl_engine *e, const json_t *args, const char *actor, wbl_answer *done, void *ctx)
{
	struct request *r = request_new(e, args, actor, done, ctx);
	const char *level = wbl_json_str(args, "level");

	r->then = THEN_VALIDATE;
	if (level && strcmp(level, "basic") && strcmp(level, "full") && strcmp(level, "strict")) {
		wbl_fail(&r->err, WBL_E_USAGE, level, "Use basic, full or strict.",
			"there is no such validation level");
		answer(r, WBL_E_USAGE, NULL, NULL);
		return;
	}
	if (json_object_get(args, "spec")) {
		plan_spec(r);
		return;
	}
	r->plan = find_plan(r);
	if (r->plan)
		validate(r, r->plan);
	else
		answer(r, r->err.code, NULL, NULL);
}

/* --- answers --- */

void wbl_migrate_answer_plan(
	struct wbl_engine *e, const json_t *args, const char *actor, wbl_answer *done, void *ctx)
{
	struct request *r = request_new(e, args, actor, done, ctx);
	const char *id = wbl_json_str(args, "question"), *text = wbl_json_str(args, "answer");
	bool found = false;
	json_t *q;
	size_t i;

	r->plan = find_plan(r);
	json_array_foreach(json_object_get(r->plan, "questions"), i,
		q) if (id && text && !strcmp(wbl_json_str(q, "id"), id))
	{
		wbl_json_put(q, "answer", text);
		found = true;
	}
	if (r->plan && !found)
		wbl_fail(&r->err, WBL_E_USAGE, id, "whimbrel show PLAN lists its questions.",
			"the plan does not ask this");
	if (!found) {
		answer(r, r->err.code, NULL, NULL);
		return;
	}
	wbl_planner_again(e, r->plan, false, actor, on_planned, r);
}
