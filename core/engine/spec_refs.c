/* engine/spec_refs.c - walks along a handler's schema and what the operator gave, twice: before the check, to put
 * connections into their places; after it, to list the peers.
 * SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "core/engine/spec_refs.h"

#include <stdio.h>
#include <string.h>

#include "core/base/file.h"
#include "core/module/environment.h"
#include "core/module/registry.h"

enum { CONNECTION_DEPTH = 8 };

void wbl_spec_refs_init(struct wbl_spec_refs *r)
{
	r->connections = json_object();
	r->routes = json_object();
	r->failed = json_object();
	r->depth = 0;
}

void wbl_spec_refs_clear(struct wbl_spec_refs *r)
{
	json_decref(r->connections);
	json_decref(r->routes);
	json_decref(r->failed);
	r->connections = r->routes = r->failed = NULL;
}

/* "wbl.store/1" -> "store" */
static void kind_of(const char *interface, char out[32])
{
	const char *dot = strchr(interface, '.');
	size_t n;

	dot = dot ? dot + 1 : interface;
	n = strcspn(dot, "/");
	snprintf(out, 32, "%.*s", (int)(n < 31 ? n : 31), dot);
}

static const struct wbl_provides *find_peer(const struct wbl_registry *registry,
	const struct wbl_param *p, const json_t *value, const struct wbl_module_entry **ret_entry)
{
	const struct wbl_provides *found;
	const char *name;
	char kind[32];

	kind_of(p->interface, kind);
	name = wbl_json_str(value, kind);
	if (!name || wbl_registry_find(registry, p->interface, name, &found, ret_entry, NULL))
		return NULL;
	return found;
}

/* Two names for one place: `path` in the spec as people read it, `rel` below the parameters, dots only. */
struct at {
	const char *path, *rel;
	bool top; /* source or target itself */
};

static json_t *resolve(struct wbl_spec_refs *r, const struct wbl_param *p, const json_t *given,
	const struct at *at);

static json_t *resolve_member(struct wbl_spec_refs *r, const struct wbl_param *p,
	const json_t *given, const struct at *outer, const char *key, bool top)
{
	WBL_AUTOFREE char *path = wbl_strf("%s.%s", outer->path, key);
	WBL_AUTOFREE char *rel = wbl_strf("%s%s%s", outer->rel, *outer->rel ? "." : "", key);
	struct at at = { path, rel, top };

	return p ? resolve(r, p, given, &at) : json_deep_copy(given);
}

static const struct wbl_param *find(const struct wbl_param *params, size_t count, const char *name)
{
	size_t i;

	for (i = 0; i < count; i++)
		if (!strcmp(params[i].name, name))
			return &params[i];
	return NULL;
}

static json_t *resolve_members(struct wbl_spec_refs *r, const struct wbl_param *params,
	size_t count, const struct wbl_param *items, const json_t *given, const struct at *at)
{
	json_t *ret = json_object(), *m;
	const char *key;

	json_object_foreach((json_t *)given, key, m)
	{
		const struct wbl_param *p = items ? items : find(params, count, key);
		bool top = !*at->rel && (!strcmp(key, "source") || !strcmp(key, "target"));

		json_object_set_new(ret, key, resolve_member(r, p, m, at, key, top));
	}
	return ret;
}

static json_t *resolve_list(struct wbl_spec_refs *r, const struct wbl_param *p, const json_t *given,
	const struct at *outer)
{
	json_t *ret = json_array(), *m;
	size_t i;

	json_array_foreach((json_t *)given, i, m)
	{
		WBL_AUTOFREE char *path = wbl_strf("%s[%zu]", outer->path, i);
		WBL_AUTOFREE char *rel = wbl_strf("%s.%zu", outer->rel, i);
		struct at at = { path, rel, false };

		json_array_append_new(ret, resolve(r, p->items, m, &at));
	}
	return ret;
}

static json_t *not_found(struct wbl_spec_refs *r, const json_t *given, const struct at *at,
	const char *hint, const char *text)
{
	r->complain(r->context, at->path, hint, text);
	json_object_set_new(r->failed, at->path, json_true());
	return json_deep_copy(given);
}

static json_t *connection(struct wbl_spec_refs *r, const struct wbl_param *p, const json_t *given,
	const struct at *at)
{
	const char *name = json_string_value(given) + 1;
	WBL_AUTOFREE char *route = wbl_strf("connections.%s", name), *text = NULL;
	const json_t *found;
	struct wbl_error err = { 0 };
	json_t *ret;

	if (r->depth >= CONNECTION_DEPTH)
		return not_found(r, given, at, "Break the circle in the environment.",
			"the connections refer to each other");
	if (!r->env)
		return not_found(r, given, at, "Name an environment, or write the connection here.",
			"there is no environment to take connections from");
	found = wbl_environment_connection(r->env, name, &err);
	if (!found && !r->env->file)
		return not_found(r, given, at,
			"Define it in environments.d, or write the store here.", err.text);
	if (!found) {
		text = wbl_strf("%s in %s", err.text, r->env->file);
		return not_found(r, given, at, err.hint, text);
	}
	if (!r->depth)
		json_object_set(r->connections, at->rel, (json_t *)given);
	json_object_set_new(r->routes, at->path, json_string(route));
	r->depth++;
	ret = resolve(r, p, found, at);
	r->depth--;
	return ret;
}

/* Of a connection: relative to the folder of the file that defines it, not of the spec. */
static json_t *anchor(const struct wbl_spec_refs *r, const struct wbl_param *p, const json_t *given)
{
	const char *s = json_string_value(given), *rest = s;
	bool secret = p->secret || p->type == WBL_PARAM_SECRET;
	WBL_AUTOFREE char *path = NULL, *text = NULL;

	if (!r->depth || !s || (!secret && p->type != WBL_PARAM_PATH))
		return json_deep_copy(given);
	if (secret && strncmp(s, "file:", 5))
		return json_deep_copy(given);
	rest += secret ? 5 : 0;
	if (!*rest || *rest == '/' || *rest == '~' || !r->env->places)
		return json_deep_copy(given);
	path = wbl_path_absolute(r->env->places->dir, rest);
	text = wbl_strf("%s%s", secret ? "file:" : "", path);
	return json_string(text);
}

static json_t *resolve(struct wbl_spec_refs *r, const struct wbl_param *p, const json_t *given,
	const struct at *at)
{
	bool refers = json_is_string(given) && *json_string_value(given) == '@';
	const struct wbl_provides *peer;

	if (refers && !p->secret &&
		(p->type == WBL_PARAM_PEER || (at->top && p->type == WBL_PARAM_GROUP)))
		return connection(r, p, given, at);
	if (p->secret)
		return anchor(r, p, given);
	if (p->type == WBL_PARAM_LIST && json_is_array(given))
		return resolve_list(r, p, given, at);
	if (!json_is_object(given))
		return anchor(r, p, given);
	if (p->type == WBL_PARAM_GROUP)
		return resolve_members(r, p->params, p->nparams, NULL, given, at);
	if (p->type == WBL_PARAM_MAP)
		return resolve_members(r, NULL, 0, p->items, given, at);
	peer = p->type == WBL_PARAM_PEER ? find_peer(r->registry, p, given, NULL) : NULL;
	if (peer)
		return resolve_members(r, peer->params, peer->nparams, NULL, given, at);
	return json_deep_copy(given);
}

json_t *wbl_spec_refs_resolve(struct wbl_spec_refs *r, const struct wbl_provides *p,
	const json_t *given, const char *base)
{
	struct at at = { base, "", false };

	return resolve_members(r, p->params, p->nparams, NULL, given, &at);
}

const char *wbl_spec_refs_place(const struct wbl_spec_refs *r, const char *path)
{
	WBL_AUTOFREE char *prefix = wbl_strdup(path), *there = NULL;
	const char *to;
	char *cut;

	for (;;) {
		to = wbl_json_str(r->routes, prefix);
		if (to)
			break;
		for (cut = prefix + strlen(prefix); cut > prefix && *cut != '.' && *cut != '[';)
			cut--;
		if (cut == prefix)
			return NULL;
		*cut = '\0';
	}
	if (!r->env->places)
		return NULL;
	there = wbl_strf("%s%s", to, path + strlen(prefix));
	return r->env->places->of(r->env->places, there);
}

static void collect(const struct wbl_registry *registry, const struct wbl_param *p,
	const json_t *value, const char *rel, json_t *into);

static void collect_members(const struct wbl_registry *registry, const struct wbl_param *params,
	size_t count, const json_t *value, const char *rel, json_t *into)
{
	size_t i;

	for (i = 0; i < count; i++) {
		WBL_AUTOFREE char *inner = wbl_strf("%s%s%s", rel, *rel ? "." : "", params[i].name);

		collect(registry, &params[i], json_object_get(value, params[i].name), inner, into);
	}
}

static json_t *module_json(const struct wbl_module_entry *entry)
{
	json_t *j = json_object();

	wbl_json_put(j, "name", entry->name);
	wbl_json_put(j, "path", entry->path);
	wbl_json_put(j, "sha256", entry->sha256);
	wbl_json_put(j, "id", entry->manifest->id);
	wbl_json_put(j, "version", entry->manifest->version);
	return j;
}

static void collect_peer(const struct wbl_registry *registry, const struct wbl_param *p,
	const json_t *value, const char *rel, json_t *into)
{
	const struct wbl_module_entry *entry = NULL;
	const struct wbl_provides *peer = find_peer(registry, p, value, &entry);
	json_t *j;

	if (!peer || !entry)
		return;
	j = json_object();
	wbl_json_put(j, "param", rel);
	wbl_json_put(j, "interface", p->interface);
	wbl_json_put(j, "name", peer->name);
	json_object_set_new(j, "module", module_json(entry));
	json_object_set_new(j, "params", json_deep_copy(value));
	json_object_set_new(j, "peers", wbl_spec_peers(registry, peer, value));
	json_array_append_new(into, j);
}

static void collect(const struct wbl_registry *registry, const struct wbl_param *p,
	const json_t *value, const char *rel, json_t *into)
{
	const char *key;
	json_t *m;
	size_t i;

	if (!value)
		return;
	if (p->type == WBL_PARAM_PEER) {
		collect_peer(registry, p, value, rel, into);
	} else if (p->type == WBL_PARAM_GROUP) {
		collect_members(registry, p->params, p->nparams, value, rel, into);
	} else if (p->type == WBL_PARAM_LIST) {
		json_array_foreach((json_t *)value, i, m)
		{
			WBL_AUTOFREE char *inner = wbl_strf("%s.%zu", rel, i);

			collect(registry, p->items, m, inner, into);
		}
	} else if (p->type == WBL_PARAM_MAP) {
		json_object_foreach((json_t *)value, key, m)
		{
			WBL_AUTOFREE char *inner = wbl_strf("%s.%s", rel, key);

			collect(registry, p->items, m, inner, into);
		}
	}
}

json_t *wbl_spec_peers(
	const struct wbl_registry *registry, const struct wbl_provides *p, const json_t *checked)
{
	json_t *into = json_array();

	collect_members(registry, p->params, p->nparams, checked, "", into);
	return into;
}
