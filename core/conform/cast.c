/* conform/cast.c - who plays: the handler, its parameters, its peers.
 * SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "core/conform/cast.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "core/base/file.h"
#include "core/conform/fixture.h"
#include "core/module/conf_json.h"

/* The example of a parameter as a value: it is written as in a spec. NULL: it cannot be used without a fixture. */
static json_t *example_of(const struct wbl_kit *k, const struct wbl_param *p)
{
	WBL_AUTOFREE char *text = NULL, *path = NULL;
	const char *base;
	struct wbl_conf *c = NULL;
	json_t *value = NULL, *parsed = NULL;

	if (p->type == WBL_PARAM_PEER || !p->example)
		return NULL;
	if (p->type == WBL_PARAM_PATH) {
		base = strrchr(p->example, '/');
		path = wbl_strf("%s/fixture/%s", k->scratch, base ? base + 1 : p->example);
		return json_string(path);
	}
	if (p->secret || p->type == WBL_PARAM_SECRET)
		return json_pack("{s:s}", "$secret", "env:WBL_CONFORM_SECRET");
	if (p->type == WBL_PARAM_STRING || p->type == WBL_PARAM_URL || p->type == WBL_PARAM_ENUM)
		return json_string(p->example);
	text = wbl_strf("value = %s;", p->example);
	if (wbl_conf_parse(text, strlen(text), "example", 0, &c, NULL))
		return NULL;
	value = json_incref(json_object_get(c->json, "value"));
	wbl_conf_free(c);
	if (p->type == WBL_PARAM_LIST || p->type == WBL_PARAM_GROUP || p->type == WBL_PARAM_MAP)
		return value;
	if (wbl_param_value(p, value, p->name, NULL, &parsed, NULL))
		parsed = NULL;
	json_decref(value);
	return parsed;
}

static json_t *params_of(struct wbl_kit *k, const struct wbl_provides *h)
{
	json_t *params = json_object(), *value;
	size_t i;

	for (i = 0; i < h->nparams; i++) {
		const struct wbl_param *p = &h->params[i];

		if (p->fallback)
			value = json_deep_copy(p->fallback);
		else if (!p->required)
			continue;
		else if (p->type == WBL_PARAM_ENUM)
			value = json_string(p->values[0]);
		else
			value = example_of(k, p);
		if (!value) {
			json_decref(params);
			wbl_kit_skip(k,
				"the parameter \"%s\" cannot be made from its example: "
				"give a fixture",
				p->name);
			return NULL;
		}
		json_object_set_new(params, p->name, value);
	}
	return params;
}

/* HELLO from the manifest alone; NULL: it was said why. */
static json_t *hello_of(struct wbl_kit *k)
{
	const struct wbl_provides *h = wbl_kit_handler(k);
	WBL_AUTOFREE char *folder = wbl_fixture_folder(k);
	json_t *j, *module, *params;

	if (!h) {
		wbl_kit_skip(k, k->manifest ? "it provides no handler: give a fixture that uses it"
					    : "it has no manifest");
		return NULL;
	}
	wbl_mkdirs(folder, 0755, NULL);
	params = params_of(k, h);
	if (!params)
		return NULL;
	j = json_object();
	module = json_object();
	wbl_json_put(module, "path", k->copy);
	wbl_json_put(module, "id", k->manifest->id);
	wbl_json_put(module, "version", k->manifest->version);
	wbl_json_put(j, "migration", "conform");
	wbl_json_put(j, "interface", "wbl.handler/1");
	wbl_json_put(j, "name", h->name);
	json_object_set_new(j, "module", module);
	json_object_set_new(j, "params", params);
	json_object_set_new(j, "peers", json_array());
	return j;
}

bool wbl_cast_open(
	struct wbl_kit *k, struct wbl_stage *s, struct wbl_world *w, enum wbl_verdict *ret)
{
	json_t *hello;

	*w = (struct wbl_world){ 0 };
	if (k->fixture && wbl_world_open(k, w, ret)) {
		wbl_stage_open(s, k, wbl_stage_hello(w->plan));
		return true;
	}
	*w = (struct wbl_world){ 0 };
	hello = hello_of(k);
	if (!hello) {
		*ret = WBL_SKIP;
		return false;
	}
	wbl_stage_open(s, k, hello);
	return true;
}

void wbl_cast_close(struct wbl_kit *k, struct wbl_stage *s, struct wbl_world *w)
{
	wbl_stage_close(s);
	wbl_world_close(k, w);
}

enum wbl_verdict wbl_cast_failed(
	struct wbl_kit *k, const struct wbl_stage *s, const char *what, int32_t status)
{
	enum wbl_verdict v = wbl_kit_fail(k, "%s: %s %s%s%s", what, s->where,
		status == WBL_STAGE_DEAD      ? "did not come back"
		: status == WBL_STAGE_REFUSED ? "was refused"
					      : wbl_code_name(status),
		*s->why ? ": " : "", *s->why ? s->why : "");

	return status == WBL_STAGE_DEAD && s->wait_status != -1 && WIFSIGNALED(s->wait_status) &&
			       WTERMSIG(s->wait_status) != SIGKILL
		       ? WBL_CRASH
		       : v;
}

bool wbl_cast_open_world(
	struct wbl_kit *k, struct wbl_stage *s, struct wbl_world *w, enum wbl_verdict *ret)
{
	const char *why = NULL;
	int32_t status;

	if (!wbl_world_open(k, w, ret))
		return false;
	wbl_stage_open(s, k, wbl_stage_hello(w->plan));
	if (json_array_size(json_object_get(w->plan, "migrations")) != 1) {
		*ret = wbl_kit_skip(k, "the fixture has several migrations");
		wbl_cast_close(k, s, w);
		return false;
	}
	status = wbl_stage_plan(s);
	if (status)
		*ret = wbl_cast_failed(k, s, "planned by the kit", status);
	else if (!wbl_stage_can(s, &why))
		*ret = wbl_kit_skip(k, "the kit cannot play it: %s", why);
	if (!status && !why)
		return true;
	wbl_cast_close(k, s, w);
	return false;
}

void wbl_cast_reset(struct wbl_stage *s)
{
	wbl_stage_forget(s);
	wbl_world_reset(s->k, "planned");
}

enum wbl_verdict wbl_cast_judge(
	struct wbl_kit *k, struct wbl_stage *s, struct wbl_world *w, const char *what, char *how)
{
	enum wbl_verdict v = how ? wbl_kit_fail(k, "%s: %s", what, how) : WBL_PASS;

	free(how);
	wbl_cast_close(k, s, w);
	return v;
}
