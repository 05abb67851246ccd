/* engine/plan.c - plan documents in the journal.
 * SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "core/engine/plan.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

struct found {
	char *text, *name;
	size_t len;
	const char *prefix;
};

static int32_t take(void *ctx, const struct wbl_entry *e)
{
	struct found *f = ctx;

	f->text = wbl_strndup(e->body.data ? e->body.data : "", e->body.data ? e->body.len : 0);
	f->len = e->body.data ? e->body.len : 0;
	f->name = wbl_strdup(e->name);
	return WBL_END;
}

json_t *wbl_plan_load(struct wbl_state *s, const char *id, char **ret_text, struct wbl_error *err)
{
	struct wbl_query q = { .kind = WBL_KIND_PLAN_MADE, .name = id, .limit = 1 };
	struct found f = { 0 };
	int32_t rc = wbl_journal_each(s, &q, take, &f, err);
	json_t *plan = NULL;

	if (rc < 0)
		return NULL;
	if (!f.text)
		wbl_fail(err, WBL_E_NOT_FOUND, id,
			"Look at whimbrel history, or make a plan: whimbrel plan SPEC.",
			"there is no such plan in this state folder");
	else if (!f.len)
		wbl_fail(err, WBL_E_NOT_FOUND, id, "Make a new plan.",
			"the plan's document was purged");
	else
		plan = wbl_json_parse(f.text, f.len, id, err);
	if (plan && ret_text)
		*ret_text = f.text;
	else
		free(f.text);
	free(f.name);
	return plan;
}

static int32_t match_digest(void *ctx, const struct wbl_entry *e)
{
	struct found *f = ctx;
	char hex[WBL_SHA256_HEX];

	if (!e->body.data)
		return 0;
	wbl_sha256_hex(e->body.data, e->body.len, hex);
	if (strncmp(hex, f->prefix, strlen(f->prefix)))
		return 0;
	f->name = wbl_strdup(e->name);
	return WBL_END;
}

static int32_t take_name(void *ctx, const struct wbl_entry *e)
{
	struct found *f = ctx;

	f->name = wbl_strdup(e->name);
	return WBL_END;
}

char *wbl_plan_resolve(struct wbl_state *s, const char *text, struct wbl_error *err)
{
	struct wbl_query q = { .kind = WBL_KIND_PLAN_MADE, .newest_first = true };
	struct found f = { 0 };
	size_t n = strspn(text, "0123456789abcdef");

	if (!strcmp(text, "last")) {
		wbl_journal_each(s, &q, take_name, &f, err);
	} else if (n >= 8 && !text[n]) {
		f.prefix = text;
		wbl_journal_each(s, &q, match_digest, &f, err);
	} else {
		q.name = text;
		wbl_journal_each(s, &q, take_name, &f, err);
	}
	if (!f.name)
		wbl_fail(err, WBL_E_NOT_FOUND, text,
			"Look at whimbrel history, or make a plan: whimbrel plan SPEC.",
			"there is no such plan in this state folder");
	return f.name;
}

static int32_t take_run(void *ctx, const struct wbl_entry *e)
{
	struct found *f = ctx;
	json_t *body = e->body.data ? wbl_json_parse(e->body.data, e->body.len, NULL, NULL) : NULL;
	bool rehearsal = wbl_json_bool(body, "rehearse", false);

	json_decref(body);
	if (rehearsal)
		return 0;
	f->name = wbl_strdup(e->run);
	return WBL_END;
}

char *wbl_plan_used_by(struct wbl_state *s, const char *id)
{
	struct wbl_query q = { .kind = WBL_KIND_RUN_CREATED, .name = id };
	struct found f = { 0 };

	wbl_journal_each(s, &q, take_run, &f, NULL);
	return f.name;
}

static void copy(json_t *to, const json_t *from, const char *const *keys)
{
	for (; *keys; keys++)
		if (json_object_get(from, *keys))
			json_object_set(to, *keys, json_object_get(from, *keys));
}

void wbl_plan_change_digest(const json_t *plan, char out[WBL_SHA256_HEX])
{
	static const char *const step_keys[] = { "id", "op", "kind", "flags", "inverse",
		"inverse_arg", "after", "claims", "params", "barrier", "finishes", "retry_from",
		NULL };
	static const char *const question_keys[] = { "migration", "id", "answer", NULL };
	static const char *const migration_keys[] = { "name", "handler", "after", "connections",
		NULL };
	json_t *all = json_object(), *list = json_array(), *m;
	WBL_AUTOFREE char *text = NULL;
	size_t i;

	json_array_foreach(json_object_get(plan, "migrations"), i, m)
	{
		json_t *part = json_object(), *params = json_copy(json_object_get(m, "params")),
		       *name;
		const char *key;

		json_object_foreach(json_object_get(m, "connections"), key, name)
			json_object_del(params, key);
		copy(part, m, migration_keys);
		json_object_set_new(part, "params", params);
		json_array_append_new(list, part);
	}
	json_object_set_new(all, "migrations", list);
	list = json_array();
	json_array_foreach(json_object_get(plan, "steps"), i, m)
	{
		json_t *part = json_object();

		copy(part, m, step_keys);
		json_array_append_new(list, part);
	}
	json_object_set_new(all, "steps", list);
	list = json_array();
	json_array_foreach(json_object_get(plan, "questions"), i, m)
	{
		json_t *part = json_object();

		copy(part, m, question_keys);
		json_array_append_new(list, part);
	}
	json_object_set_new(all, "answers", list);
	text = json_dumps(all, JSON_COMPACT | JSON_SORT_KEYS);
	wbl_sha256_hex(text, strlen(text), out);
	json_decref(all);
}

/* --- shape --- */

struct member {
	const char *key;
	json_type type;
	bool required;
};

static int32_t check_members(
	const json_t *j, const char *where, const struct member *m, struct wbl_error *err)
{
	static const char *const names[] = { "an object", "an array", "a text", "an integer",
		"a real", "true", "false", "null" };

	if (!json_is_object(j))
		return wbl_fail(
			err, WBL_E_OLD_PLAN, where, "Plan again.", "an object is expected here");
	for (; m->key; m++) {
		const json_t *v = json_object_get(j, m->key);

		if (!v && !m->required)
			continue;
		if (!v || (json_typeof(v) != m->type &&
				  !(m->type == JSON_TRUE && json_is_boolean(v))))
			return wbl_fail(err, WBL_E_OLD_PLAN, where, "Plan again.",
				"%s: %s is expected%s", m->key,
				m->type == JSON_TRUE ? "true or false" : names[m->type],
				v ? "" : ", and missing");
	}
	return 0;
}

static int32_t check_list(
	const json_t *plan, const char *key, const struct member *m, struct wbl_error *err)
{
	const json_t *v;
	char where[64];
	size_t i;

	json_array_foreach(json_object_get(plan, key), i, v)
	{
		snprintf(where, sizeof where, "%s[%zu]", key, i);
		if (check_members(v, where, m, err))
			return err->code;
	}
	return 0;
}

static const struct member module[] = { { "sha256", JSON_STRING, true },
	{ NULL, JSON_NULL, false } };

/* Peers may have peers. */
static int32_t check_peers(const json_t *of, struct wbl_error *err)
{
	static const struct member peer[] = { { "param", JSON_STRING, true },
		{ "interface", JSON_STRING, true }, { "name", JSON_STRING, true },
		{ "module", JSON_OBJECT, true }, { "params", JSON_OBJECT, true },
		{ "peers", JSON_ARRAY, false }, { NULL, JSON_NULL, false } };
	int32_t rc = check_list(of, "peers", peer, err);
	const json_t *p;
	size_t i;

	json_array_foreach(json_object_get(of, "peers"), i, p)
	{
		if (!rc)
			rc = check_members(json_object_get(p, "module"), "module", module, err);
		if (!rc)
			rc = check_peers(p, err);
	}
	return rc;
}

static int32_t check_parts(const json_t *plan, struct wbl_error *err)
{
	static const struct member policy[] = { { "validation", JSON_STRING, true },
		{ "rollback", JSON_STRING, true }, { "recovery", JSON_STRING, true },
		{ NULL, JSON_NULL, false } };
	static const struct member claim[] = { { "mode", JSON_STRING, true },
		{ "kind", JSON_STRING, true }, { "name", JSON_STRING, true },
		{ NULL, JSON_NULL, false } };
	const json_t *v;
	int32_t rc = 0;
	size_t i;

	json_array_foreach(json_object_get(plan, "migrations"), i, v)
	{
		if (!rc)
			rc = check_members(json_object_get(v, "policy"), "policy", policy, err);
		if (!rc)
			rc = check_members(json_object_get(v, "module"), "module", module, err);
		if (!rc)
			rc = check_peers(v, err);
	}
	json_array_foreach(json_object_get(plan, "steps"), i, v) if (!rc) rc =
		check_list(v, "claims", claim, err);
	return rc;
}

int32_t wbl_plan_check(const json_t *plan, struct wbl_error *err)
{
	static const struct member top[] = { { "format", JSON_STRING, true },
		{ "version", JSON_INTEGER, true }, { "id", JSON_STRING, true },
		{ "state", JSON_STRING, true }, { "made", JSON_STRING, true },
		{ "expires", JSON_STRING, true }, { "name", JSON_STRING, true },
		{ "migrations", JSON_ARRAY, true }, { "steps", JSON_ARRAY, true },
		{ "barriers", JSON_ARRAY, true }, { "observations", JSON_ARRAY, true },
		{ "applyable", JSON_TRUE, true }, { NULL, JSON_NULL, false } };
	static const struct member migration[] = { { "name", JSON_STRING, true },
		{ "handler", JSON_STRING, true }, { "module", JSON_OBJECT, true },
		{ "peers", JSON_ARRAY, false }, { "params", JSON_OBJECT, true },
		{ "policy", JSON_OBJECT, true }, { NULL, JSON_NULL, false } };
	static const struct member step[] = { { "id", JSON_STRING, true },
		{ "migration", JSON_STRING, true }, { "step", JSON_STRING, true },
		{ "kind", JSON_STRING, true }, { "inverse", JSON_STRING, true },
		{ "flags", JSON_ARRAY, true }, { "after", JSON_ARRAY, true },
		{ "claims", JSON_ARRAY, true }, { "params", JSON_STRING, false },
		{ NULL, JSON_NULL, false } };
	static const struct member observation[] = { { "migration", JSON_STRING, true },
		{ "rule", JSON_STRING, true }, { "key", JSON_STRING, true },
		{ "value", JSON_STRING, true }, { NULL, JSON_NULL, false } };

	if (check_members(plan, "plan", top, err))
		return err->code;
	if (strcmp(wbl_json_str(plan, "format"), "whimbrel.plan"))
		return wbl_fail(err, WBL_E_OLD_PLAN, "plan", "Name a plan file.",
			"format is \"%s\", not \"whimbrel.plan\"", wbl_json_str(plan, "format"));
	if (wbl_json_int(plan, "version", 0) != 1)
		return wbl_fail(err, WBL_E_OLD_PLAN, "plan",
			"Use the Whimbrel that made it, or plan again.",
			"the document has version %lld, this engine knows 1",
			(long long)wbl_json_int(plan, "version", 0));
	if (check_list(plan, "migrations", migration, err) || check_list(plan, "steps", step, err))
		return err->code;
	if (check_list(plan, "observations", observation, err))
		return err->code;
	return check_parts(plan, err);
}

void wbl_plan_override(json_t *plan, const json_t *args)
{
	static const char *const keys[][2] = { { "validation", "validation" },
		{ "on_failure", "rollback" } };
	json_t *m;
	size_t i, k;

	json_array_foreach(json_object_get(plan, "migrations"), i,
		m) for (k = 0; k < 2; k++) if (wbl_json_str(args, keys[k][0]))
		wbl_json_put(
			json_object_get(m, "policy"), keys[k][1], wbl_json_str(args, keys[k][0]));
}
