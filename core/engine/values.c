/* engine/values.c - values between runs, in the journal like everything else.
 * SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "core/engine/values.h"

#include <stdlib.h>
#include <string.h>

static char *scope_of(const json_t *plan, const char *migration, const char *name)
{
	const json_t *m;
	const char *handler = "";
	size_t i;

	json_array_foreach(json_object_get(plan, "migrations"), i,
		m) if (!strcmp(wbl_json_str(m, "name"), migration)) handler =
		wbl_json_str(m, "handler");
	return wbl_strf("%s\x1f%s\x1f%s\x1f%s\x1f%s", wbl_json_str(plan, "name"), migration,
		handler, wbl_json_str(plan, "environment") ? wbl_json_str(plan, "environment") : "",
		name);
}

struct found {
	struct wbl_buf value;
	int32_t status;
	bool any;
};

static int32_t take(void *ctx, const struct wbl_entry *e)
{
	struct found *f = ctx;

	f->any = true;
	f->status = e->status;
	wbl_buf_clear(&f->value);
	wbl_buf_add(&f->value, e->body.data, e->body.len);
	return 0;
}

int32_t wbl_value_get(struct wbl_engine *e, const json_t *plan, struct wbl_run *run,
	const char *migration, const char *name, struct wbl_buf *ret, struct wbl_error *err)
{
	WBL_AUTOFREE char *scope = scope_of(plan, migration, name);
	struct found f = { { 0 }, 0, false };
	struct wbl_query q = {
		.kind = WBL_KIND_STATE_PUT, .name = scope, .newest_first = true, .limit = 1
	};
	int32_t rc = 0;

	wbl_buf_clear(ret);
	if (run) {
		q.run = run->id;
		rc = wbl_journal_each(e->state, &q, take, &f, err);
		q.run = NULL;
	}
	q.kind = WBL_KIND_STATE_HOLD;
	if (!rc && !f.any)
		rc = wbl_journal_each(e->state, &q, take, &f, err);
	if (rc || !f.any || f.status == WBL_END) {
		wbl_buf_clear(&f.value);
		return rc ? rc : WBL_END;
	}
	*ret = f.value;
	return 0;
}

char *wbl_value_scope(const json_t *plan, const char *migration, const char *name)
{
	return scope_of(plan, migration, name);
}

static int32_t collect(void *ctx, const struct wbl_entry *e)
{
	json_t *names = ctx;

	json_object_set_new(names, e->name, json_true());
	return 0;
}

static json_t *put_names(struct wbl_run *run)
{
	struct wbl_query q = { .run = run->id, .kind = WBL_KIND_STATE_PUT };
	json_t *names = json_object();

	wbl_journal_each(run->engine->state, &q, collect, names, NULL);
	return names;
}

static void hold(struct wbl_run *run, const char *scope, const struct found *f)
{
	wbl_engine_append(run->engine, run,
		&(struct wbl_entry){ .kind = WBL_KIND_STATE_HOLD,
			.name = scope,
			.status = f->any && f->status != WBL_END ? 0 : WBL_END,
			.body = { f->value.data, f->value.len } });
}

void wbl_run_hold_values(struct wbl_run *run)
{
	json_t *names = put_names(run), *yes;
	const char *scope;

	json_object_foreach(names, scope, yes)
	{
		struct wbl_query q = { .run = run->id,
			.kind = WBL_KIND_STATE_PUT,
			.name = scope,
			.newest_first = true,
			.limit = 1 };
		struct found f = { { 0 }, 0, false };

		wbl_journal_each(run->engine->state, &q, take, &f, NULL);
		hold(run, scope, &f);
		wbl_buf_clear(&f.value);
	}
	json_decref(names);
}

struct before {
	const char *run;
	struct found found;
	bool held;
};

static int32_t take_before(void *ctx, const struct wbl_entry *e)
{
	struct before *b = ctx;

	if (e->run && !strcmp(e->run, b->run)) {
		b->held = true;
		return 0;
	}
	take(&b->found, e);
	return WBL_END;
}

void wbl_run_restore_values(struct wbl_run *run)
{
	json_t *names = put_names(run), *yes;
	const char *scope;

	json_object_foreach(names, scope, yes)
	{
		struct wbl_query q = {
			.kind = WBL_KIND_STATE_HOLD, .name = scope, .newest_first = true
		};
		struct before b = { run->id, { { 0 }, 0, false }, false };

		wbl_journal_each(run->engine->state, &q, take_before, &b, NULL);
		if (b.held)
			hold(run, scope, &b.found);
		wbl_buf_clear(&b.found.value);
	}
	json_decref(names);
}
