/* tests/fuzz/plan.c - plan documents: any JSON, and a good one with members changed, moved and taken away.
 * What is accepted must be whole: every reference resolved, every step in the order after those it waits for.
 * req: Q4 P3
 * SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <event2/event.h>

#include "core/engine/plan.h"
#include "core/engine/planner.h"
#include "core/engine/run.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char good[] =
	"{\"format\":\"whimbrel.plan\",\"version\":1,\"id\":\"p-000001\",\"state\":\"s\",\"made\":"
	"\"2026-01-01T00:00:00Z\","
	"\"expires\":\"2026-01-08T00:00:00Z\",\"name\":\"n\",\"applyable\":true,\"blockers\":[],"
	"\"migrations\":["
	"{\"name\":\"a\",\"handler\":\"h\",\"module\":{\"name\":\"m\",\"path\":\"/"
	"m\",\"sha256\":\"0\"},\"peers\":["
	"{\"param\":\"p\",\"interface\":\"wbl.store/"
	"1\",\"name\":\"s\",\"module\":{\"sha256\":\"0\"},\"params\":{},\"peers\":[]}],"
	"\"params\":{},\"after\":[],\"connections\":{},\"policy\":{\"validation\":\"full\","
	"\"rollback\":\"auto\","
	"\"recovery\":\"resume\",\"attempts\":3,\"timeout_ns\":5}},"
	"{\"name\":\"b\",\"handler\":\"h\",\"module\":{\"sha256\":\"0\"},\"params\":{},\"policy\":{"
	"\"validation\":\"full\","
	"\"rollback\":\"auto\",\"recovery\":\"resume\"}}],\"barriers\":[\"fence\",\"switch\"],"
	"\"observations\":[{\"migration\":\"a\",\"rule\":\"equal\",\"key\":\"k\",\"value\":\"v\"}],"
	"\"questions\":[],"
	"\"steps\":[{\"id\":\"a/"
	"1\",\"migration\":\"a\",\"step\":\"1\",\"kind\":\"migration\",\"inverse\":\"rollback\","
	"\"flags\":[\"background\"],\"after\":[],\"claims\":[{\"mode\":\"shared\",\"kind\":"
	"\"path\",\"name\":\"/x\"}],"
	"\"limits\":{\"attempts\":1,\"backoff_ns\":1},\"params\":\"{}\"},"
	"{\"id\":\"a/"
	"2\",\"migration\":\"a\",\"step\":\"2\",\"kind\":\"backup\",\"inverse\":\"step\",\"inverse_"
	"arg\":\"a/3\","
	"\"flags\":[],\"after\":[\"a/1\"],\"claims\":[],\"finishes\":\"a/"
	"1\",\"barrier\":\"fence\"},"
	"{\"id\":\"a/"
	"3\",\"migration\":\"a\",\"step\":\"3\",\"kind\":\"cleanup\",\"inverse\":\"none\","
	"\"inverse_arg\":\"why\","
	"\"flags\":[\"optional\"],\"after\":[],\"claims\":[]},"
	"{\"id\":\"b/"
	"1\",\"migration\":\"b\",\"step\":\"1\",\"kind\":\"migration\",\"inverse\":\"rollback\","
	"\"flags\":[],"
	"\"after\":[\"a/2\"],\"claims\":[],\"barrier\":\"switch\",\"retry_from\":\"b/1\"}]}";

static const char *const values[] = { "null", "true", "0", "-1", "9223372036854775807", "\"\"",
	"[]", "{}", "[7]", "\"a/1\"", "\"a/2\"", "\"a/3\"", "\"b/1\"", "\"switch\"", "\"step\"",
	"[\"a/1\",\"a/2\"]", "[null]", "\"none\"", "[\"no_return\"]" };

static struct wbl_engine engine;

static void start(void)
{
	static const char *const no_dirs[] = { NULL };
	struct wbl_registry_options o = { no_dirs, no_dirs, true };

	engine.base = event_base_new();
	engine.last = &engine.first;
	if (wbl_registry_load(&o, &engine.registry, NULL))
		abort();
}

/* The n-th node below; its parent and place. */
static json_t *find(
	json_t *from, unsigned *n, json_t **ret_parent, const char **ret_key, size_t *ret_at)
{
	const char *key;
	json_t *v, *found;
	size_t i;

	json_object_foreach(from, key, v)
	{
		*ret_parent = from;
		*ret_key = key;
		if (!(*n)--)
			return v;
		found = find(v, n, ret_parent, ret_key, ret_at);
		if (found)
			return found;
	}
	json_array_foreach(from, i, v)
	{
		*ret_parent = from;
		*ret_at = i;
		if (!(*n)--)
			return v;
		found = find(v, n, ret_parent, ret_key, ret_at);
		if (found)
			return found;
	}
	return NULL;
}

static void change(json_t *doc, const uint8_t *what)
{
	unsigned n = what[0], m = what[2];
	const char *key = NULL, *other_key;
	json_t *parent = NULL, *other_parent, *value;
	size_t at = 0, other_at;

	if (!find(doc, &n, &parent, &key, &at))
		return;
	if (what[1] & 1)
		value = json_loads(values[what[1] / 2 % WBL_COUNT(values)], JSON_DECODE_ANY, NULL);
	else
		value = json_deep_copy(find(doc, &m, &other_parent, &other_key, &other_at));
	if (json_is_object(parent)) {
		if (what[1] >= 250)
			json_object_del(parent, key);
		else
			json_object_set(parent, key, value);
	} else if (what[1] >= 250) {
		json_array_remove(parent, at);
	} else if (what[1] & 2) {
		json_array_append(parent, value);
	} else {
		json_array_set(parent, at, value);
	}
	json_decref(value);
}

static json_t *document(const uint8_t *data, size_t size)
{
	json_t *doc;
	size_t i;

	if (size && data[0] == '{')
		return wbl_json_parse((const char *)data, size, "plan", NULL);
	doc = json_loads(good, 0, NULL);
	for (i = 0; i + 3 <= size && i < 60; i += 3)
		change(doc, data + i);
	return doc;
}

static void check(const struct wbl_run *run)
{
	WBL_AUTOFREE char *placed = wbl_alloc(run->nsteps + 1);
	size_t i, j;

	for (i = 0; i < run->nsteps; i++) {
		const struct wbl_run_step *s = &run->steps[run->order[i]];

		if (!s->instance || !s->id || !s->own_id || !s->kind || !s->inverse ||
			placed[s->index])
			abort();
		for (j = 0; j < s->nafter; j++)
			if (s->after[j] >= run->nsteps || !placed[s->after[j]])
				abort();
		placed[s->index] = 1;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct wbl_error err = { 0 };
	char digest[WBL_SHA256_HEX];
	struct wbl_run *run;
	json_t *doc, *notes = NULL;

	if (!engine.base)
		start();
	doc = document(data, size);
	if (!doc)
		return 0;
	if (wbl_plan_check(doc, &err)) {
		if (!err.code || !*err.text)
			abort();
	} else if ((run = wbl_run_new(&engine, "r-000001", doc, &err))) {
		check(run);
		wbl_plan_change_digest(doc, digest);
		json_decref(wbl_plan_compare(doc, doc, &notes));
		json_decref(notes);
		wbl_run_free(&engine, run);
	} else if (!err.code || !*err.text) {
		abort();
	}
	json_decref(doc);
	return 0;
}
