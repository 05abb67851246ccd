/* engine/assess.c - handlers look at their sources, without a plan.
 * In: a spec, a path or a connection.  Out: an assessment, kept in the journal: what each handler found, and what the
 * same source held when it was looked at before.
 * SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "core/engine/assess.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/engine/planner.h"
#include "core/engine/run.h"
#include "core/engine/spec.h"
#include "core/module/environment.h"

/* How long a look at a source is good for. */
#define ASSESS_LIFE INT64_C(3600000000000)
#define ASSESS_TIMEOUT INT64_C(21600000000000)

struct look {
	struct wbl_assess *assess;
	struct wbl_instance *instance;
	struct wbl_call_request *call; /* while it is under way */
	json_t *subject;               /* of the document */
};

struct wbl_assess {
	struct wbl_engine *engine;
	json_t *args, *doc, *errors;
	char *actor;
	struct look *looks;
	size_t count, open;
	bool stopped;
	int32_t rc;
	struct wbl_error err;
	wbl_answer *done;
	void *ctx;
};

static void assess_free(void *ctx)
{
	struct wbl_assess *a = ctx;
	size_t i;

	for (i = 0; i < a->count; i++)
		wbl_instance_free(a->engine, a->looks[i].instance);
	free(a->looks);
	json_decref(a->args);
	json_decref(a->doc);
	json_decref(a->errors);
	free(a->actor);
	free(a);
}

static void let_answer_out(struct wbl_engine *e, void *ctx)
{
	struct wbl_assess *a = ctx;

	a->done(a->ctx, a->rc, a->rc ? NULL : json_incref(a->doc), a->errors, &a->err);
	assess_free(a);
}

static void answer(struct wbl_assess *a, int32_t rc)
{
	a->rc = rc;
	wbl_engine_after(a->engine, let_answer_out, a, assess_free);
}

/* --- what was seen before --- */

/* The same source, looked at by the same handler in the same way; a newer module is no other source. */
static void subject_key(const json_t *migration, bool with_module, char out[WBL_SHA256_HEX])
{
	json_t *j = json_pack("{s:O, s:O}", "handler", json_object_get(migration, "handler"),
		"params", json_object_get(migration, "params"));
	WBL_AUTOFREE char *text = NULL;

	if (with_module) {
		json_object_set(j, "module", json_object_get(migration, "module"));
		json_object_set(j, "peers", json_object_get(migration, "peers"));
	}
	text = wbl_json_text(j); /* keys sorted: one text for equal objects */
	wbl_sha256_hex(text, strlen(text), out);
	json_decref(j);
}

struct seeking {
	const char *member, *want; /* of the document, or of one of its subjects ("key") */
	int64_t not_before, next;
	json_t *doc, *subject; /* found */
};

static int32_t see_kept(void *ctx, const struct wbl_entry *e)
{
	struct seeking *s = ctx;
	json_t *doc, *subject;
	size_t i;

	if (e->at < s->not_before)
		return WBL_END;
	doc = e->body.data ? wbl_json_parse(e->body.data, e->body.len, NULL, NULL) : NULL;
	if (!doc)
		return 0;
	if (strcmp(s->member, "key") != 0) {
		const char *have = wbl_json_str(doc, s->member);

		if (!s->want || (have && !strcmp(have, s->want)))
			s->doc = json_incref(doc);
	} else {
		json_array_foreach(json_object_get(doc, "subjects"), i, subject)
		{
			const char *key = wbl_json_str(subject, "key");

			if (s->doc || !key || strcmp(key, s->want) != 0 ||
				!wbl_json_bool(subject, "ok", false))
				continue;
			s->doc = json_incref(doc);
			s->subject = subject;
		}
	}
	json_decref(doc);
	return s->doc ? WBL_END : 0;
}

static void seek(struct wbl_engine *e, struct seeking *s)
{
	struct wbl_query q = { .kind = WBL_KIND_ASSESSED, .newest_first = true };

	wbl_journal_each(e->state, &q, see_kept, s, NULL);
}

/* {"customers": {"rows": 5, "bytes": 9}} */
static json_t *sets_of(const json_t *subject)
{
	json_t *sets = json_object(), *f;
	size_t i;

	json_array_foreach(json_object_get(subject, "findings"), i, f)
	{
		const char *kind = wbl_json_str(f, "kind"), *set = wbl_json_str(f, "set");

		if (!kind || strcmp(kind, "set") || !set)
			continue;
		json_object_set_new(sets, set,
			json_pack("{s:I, s:I}", "rows", (json_int_t)wbl_json_int(f, "rows", 0),
				"bytes", (json_int_t)wbl_json_int(f, "bytes", 0)));
	}
	return sets;
}

static void add_before(struct wbl_assess *a, json_t *subject)
{
	struct seeking s = { .member = "key", .want = wbl_json_str(subject, "key") };

	seek(a->engine, &s);
	if (!s.doc)
		return;
	json_object_set_new(subject, "before",
		json_pack("{s:O, s:O, s:o}", "assessment", json_object_get(s.doc, "assessment"),
			"made", json_object_get(s.doc, "made"), "sets", sets_of(s.subject)));
	json_decref(s.doc);
}

static int32_t see_number(void *ctx, const struct wbl_entry *e)
{
	int64_t *ret = ctx;

	if (e->name && !strncmp(e->name, "a-", 2))
		*ret = strtoll(e->name + 2, NULL, 10);
	return WBL_END;
}

static void put_id(struct wbl_assess *a)
{
	struct wbl_query q = { .kind = WBL_KIND_ASSESSED, .newest_first = true, .limit = 1 };
	int64_t last = 0;
	char id[32], at[32];

	wbl_journal_each(a->engine->state, &q, see_number, &last, NULL);
	snprintf(id, sizeof id, "a-%06lld", (long long)last + 1);
	wbl_json_put(a->doc, "assessment", id);
	wbl_time_text(wbl_now_real(), at);
	wbl_json_put(a->doc, "made", at);
}

/* --- the calls --- */

static void keep(struct wbl_assess *a)
{
	WBL_AUTOFREE char *text = NULL;
	json_t *subject;
	size_t i;

	json_array_foreach(json_object_get(a->doc, "subjects"), i, subject) add_before(a, subject);
	put_id(a);
	text = wbl_json_text(a->doc);
	wbl_engine_append(a->engine, NULL,
		&(struct wbl_entry){ .kind = WBL_KIND_ASSESSED,
			.name = wbl_json_str(a->doc, "assessment"),
			.actor = a->actor,
			.body = { text, strlen(text) } });
	json_object_set_new(a->doc, "reused", json_false());
}

/* One source that cannot be read does not hide the others; when none could, that is the answer. */
static void settle(struct wbl_assess *a)
{
	const json_t *subject;
	bool any = false;
	size_t i;

	if (a->open)
		return;
	json_array_foreach(json_object_get(a->doc, "subjects"), i, subject) any |=
		wbl_json_bool(subject, "ok", false);
	if (a->stopped && !a->err.code)
		wbl_fail(&a->err, WBL_E_CANCELLED, NULL, NULL, "the assessment was stopped");
	if (!any || a->stopped) {
		answer(a, a->err.code ? a->err.code : WBL_E_FAILED);
		return;
	}
	keep(a);
	answer(a, 0);
}

static void on_assessed(struct wbl_call_request *call, const struct wbl_outcome_of_call *o)
{
	struct look *l = call->ctx;
	struct wbl_assess *a = l->assess;
	json_t *error;

	json_object_set(l->subject, "findings", call->findings);
	json_object_set(l->subject, "diagnostics", o->diagnostics);
	wbl_json_puti(l->subject, "elapsed_ns", o->elapsed_ns);
	json_object_set_new(l->subject, "ok", json_boolean(o->status == 0));
	if (o->status) {
		struct wbl_error err = o->error;

		if (!err.code)
			wbl_fail(&err, WBL_E_ABI, l->instance->name, "Tell the handler's author.",
				"assess returned %d", (int)o->status);
		if (err.code == WBL_E_UNSUPPORTED)
			wbl_fail(&err, WBL_E_UNSUPPORTED, wbl_json_str(l->subject, "handler"), NULL,
				"the handler assesses nothing");
		if (!a->err.code)
			a->err = err;
		error = wbl_json_error(&err);
		json_object_set(l->subject, "error", error);
		json_array_append_new(a->errors, error);
	}
	l->call = NULL;
	a->open--;
	settle(a);
}

static void start_call(struct look *l, const json_t *migration)
{
	struct wbl_call_request *call = wbl_alloc(sizeof *call);
	int64_t timeout = wbl_json_int(json_object_get(migration, "policy"), "timeout_ns", 0);

	call->engine = l->assess->engine;
	call->instance = l->instance;
	call->kind = WBL_CALL_ASSESS;
	call->timeout_ns = timeout ? timeout : ASSESS_TIMEOUT;
	call->done = on_assessed;
	call->ctx = l;
	l->call = call;
	l->assess->open++;
	wbl_call_start(call);
}

void wbl_assess_stop(struct wbl_assess *a)
{
	size_t i;

	a->stopped = true;
	for (i = 0; i < a->count; i++)
		if (a->looks[i].call)
			wbl_call_signal(a->looks[i].call, WBL_SIGNAL_STOP);
}

/* Where it is, for people. */
static char *place_of(const json_t *migration)
{
	const json_t *peer = json_array_get(json_object_get(migration, "peers"), 0);
	const json_t *params = json_object_get(peer, "params"),
		     *connection = json_object_get(json_object_get(migration, "connections"),
			     wbl_json_str(peer, "param"));
	const char *where = wbl_json_str(params, "path");

	if (json_string_value(connection))
		return wbl_strdup(json_string_value(connection));
	return wbl_strdup(where ? where : wbl_json_str(migration, "name"));
}

static json_t *subject_of(const json_t *migration)
{
	char key[WBL_SHA256_HEX];
	WBL_AUTOFREE char *place = place_of(migration);
	json_t *s = json_object();

	subject_key(migration, false, key);
	json_object_set(s, "migration", json_object_get(migration, "name"));
	json_object_set(s, "handler", json_object_get(migration, "handler"));
	json_object_set(s, "module", json_object_get(migration, "module"));
	wbl_json_put(s, "source", place);
	wbl_json_put(s, "store",
		wbl_json_str(json_array_get(json_object_get(migration, "peers"), 0), "name"));
	wbl_json_put(s, "key", key);
	return s;
}

static void on_begun(struct wbl_engine *e, void *ctx)
{
	struct wbl_assess *a = ctx;

	a->open--;
	settle(a);
}

static void look_at(struct wbl_assess *a, const json_t *migrations)
{
	json_t *subjects = json_array();
	const json_t *m;
	size_t i;

	json_object_set_new(a->doc, "subjects", subjects);
	a->looks = wbl_alloc((json_array_size(migrations) + 1) * sizeof *a->looks);
	a->open = 1;
	json_array_foreach((json_t *)migrations, i, m)
	{
		struct look *l = &a->looks[a->count++];

		l->assess = a;
		l->instance = wbl_instance_new("assess", m, a->engine->registry, false);
		l->subject = subject_of(m);
		json_array_append_new(subjects, l->subject);
		start_call(l, m);
	}
	wbl_engine_after(a->engine, on_begun, a, NULL);
}

/* --- the request --- */

static void request_key(const json_t *migrations, char out[WBL_SHA256_HEX])
{
	struct wbl_buf all = { 0 };
	char key[WBL_SHA256_HEX];
	const json_t *m;
	size_t i;

	json_array_foreach((json_t *)migrations, i, m)
	{
		subject_key(m, true, key);
		wbl_buf_adds(&all, key);
	}
	wbl_sha256_hex(all.data ? all.data : "", all.len, out);
	wbl_buf_clear(&all);
}

static bool reuse(struct wbl_assess *a, const char *key)
{
	struct seeking s = {
		.member = "request", .want = key, .not_before = wbl_now_real() - ASSESS_LIFE
	};

	if (wbl_json_bool(a->args, "anew", false))
		return false;
	seek(a->engine, &s);
	if (!s.doc)
		return false;
	json_decref(a->doc);
	a->doc = s.doc;
	json_object_set_new(a->doc, "reused", json_true());
	return true;
}

static int32_t load(struct wbl_assess *a, struct wbl_spec **ret)
{
	WBL_AUTOFREE char *envs = wbl_strf("%s/environments.d", a->engine->options.config_dir);
	const json_t *spec = json_object_get(a->args, "spec"),
		     *source = json_object_get(a->args, "source");
	const char *env = wbl_json_str(a->args, "env"), *name = wbl_json_str(spec, "name"),
		   *dir = wbl_json_str(spec, "dir"), *given = wbl_json_str(spec, "text");
	struct wbl_environment *environment = NULL;
	struct wbl_buf text = { 0 };
	json_t *passed = NULL;
	int32_t rc = wbl_engine_reload(a->engine, &a->err);

	if (!rc)
		rc = wbl_environment_load(envs, env ? env : "default", &environment, &a->err);
	if (!rc && source) {
		rc = wbl_assess_spec_text(a->engine->registry, source, &text, &passed, &a->err);
		name = "the assessment";
		dir = "/";
	} else if (!rc && name && given && dir && *dir == '/') {
		wbl_buf_add(&text, given, json_string_length(json_object_get(spec, "text")));
	} else if (!rc) {
		rc = wbl_fail(&a->err, WBL_E_USAGE, "spec", NULL,
			"a request to assess needs source: {path or connection} or spec: {name, "
			"dir, text}");
	}
	if (!rc) {
		json_decref(a->errors);
		a->errors = NULL;
		rc = wbl_spec_load(name, dir, text.data ? text.data : "", text.len,
			a->engine->registry, environment, WBL_PARAMS_FOR_ASSESS, ret, &a->errors,
			&a->err);
	}
	if (!rc && json_array_size(passed))
		json_object_set(a->doc, "passed_over", passed);
	json_decref(passed);
	wbl_buf_clear(&text);
	wbl_environment_free(environment);
	return rc;
}

struct wbl_assess *wbl_assess_start(
	struct wbl_engine *e, const json_t *args, const char *actor, wbl_answer *done, void *ctx)
{
	struct wbl_assess *a = wbl_alloc(sizeof *a);
	struct wbl_spec *spec = NULL;
	json_t *migrations = json_array();
	char key[WBL_SHA256_HEX];
	size_t i;
	int32_t rc;

	a->engine = e;
	a->args = json_deep_copy(args);
	a->doc = json_object();
	a->errors = json_array();
	a->actor = wbl_strdup(actor);
	a->done = done;
	a->ctx = ctx;
	rc = load(a, &spec);
	for (i = 0; !rc && i < spec->count; i++)
		json_array_append_new(migrations, wbl_migration_json(&spec->migrations[i]));
	wbl_spec_free(spec);
	if (!rc) {
		request_key(migrations, key);
		wbl_json_put(a->doc, "request", key);
	}
	if (rc || reuse(a, key)) {
		answer(a, rc);
		a = NULL;
	} else {
		look_at(a, migrations);
	}
	json_decref(migrations);
	return a;
}

/* --- what is kept --- */

struct listing {
	json_t *list;
	int64_t limit;
};

static int32_t list_kept(void *ctx, const struct wbl_entry *e)
{
	struct listing *l = ctx;
	json_t *doc = e->body.data ? wbl_json_parse(e->body.data, e->body.len, NULL, NULL) : NULL,
	       *sources = json_array(), *subject;
	size_t i;

	json_array_foreach(json_object_get(doc, "subjects"), i, subject)
		json_array_append(sources, json_object_get(subject, "source"));
	if (doc)
		json_array_append_new(
			l->list, json_pack("{s:O, s:O, s:s, s:O}", "assessment",
					 json_object_get(doc, "assessment"), "made",
					 json_object_get(doc, "made"), "actor",
					 e->actor ? e->actor : "", "sources", sources));
	json_decref(sources);
	json_decref(doc);
	return (int64_t)json_array_size(l->list) >= l->limit ? WBL_END : 0;
}

json_t *wbl_assess_list(struct wbl_engine *e, int64_t limit)
{
	struct wbl_query q = { .kind = WBL_KIND_ASSESSED, .newest_first = true };
	struct listing l = { json_array(), limit };

	wbl_journal_each(e->state, &q, list_kept, &l, NULL);
	return l.list;
}

json_t *wbl_assess_find(struct wbl_engine *e, const char *id)
{
	struct seeking s = { .member = "assessment", .want = strcmp(id, "last") ? id : NULL };

	seek(e, &s);
	return s.doc;
}
