/* engine/validate.c - readiness, before anything is changed.
 * In: a plan, a level.  Out: findings, each with what to do; an error (strict: a warning too) fails the level.
 * SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "core/engine/validate.h"

#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>

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

		if (!strcmp(severity, "error") || (c->strict && !strcmp(severity, "warning")))
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
		json_array_foreach(migrations, i, m)
		{
			c->instances[c->count] =
				wbl_instance_new(wbl_json_str(plan, "id"), m, e->registry, false);
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
	return level;
}

static void run_checked(void *ctx, bool ok, json_t *findings)
{
	struct wbl_run *run = ctx;
	struct wbl_error err;
	json_t *f;
	size_t i;

	run->check = NULL;
	run->checking = true;
	json_array_foreach(findings, i, f)
	{
		WBL_AUTOFREE char *text = wbl_json_text(f);
		bool bad = !strcmp(wbl_json_str(f, "severity"), "error");

		wbl_engine_append(run->engine, run,
			&(struct wbl_entry){ .kind = WBL_KIND_FINDING,
				.name = "validation",
				.body = { text, strlen(text) } });
		if (!ok && (bad || !run->validation_error)) {
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
