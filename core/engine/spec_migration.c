/* engine/spec_migration.c - one migration of a spec: its handler, parameters, policy.
 * In: a group as JSON, with the places of its settings.  Out: struct wbl_migration, or complaints.
 * Settings: spec_keys.def. Policy is checked as a handler's parameters are, with the same messages.
 * SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/engine/spec_load.h"
#include "core/engine/spec_refs.h"
#include "core/module/conf_json.h"
#include "core/module/environment.h"
#include "core/module/registry.h"

#define SECOND INT64_C(1000000000)
#define HOUR (3600 * SECOND)
#define DAY (24 * HOUR)

static const char *const migration_keys[] = {
#define WBL_SPEC_KEY(key) key,
#define WBL_SPEC_CHOICE(key, ...) key,
#define WBL_SPEC_TIME(key, ...) key,
#define WBL_SPEC_NUMBER(key, ...) key,
#include "core/engine/spec_keys.def"
	NULL,
};

static const struct policy_key {
	struct wbl_param param;
	size_t member;
	const char *text; /* default of a choice */
	int64_t number;   /* of the others */
} policy_keys[] = {
#define MEMBER(member) offsetof(struct wbl_policy, member)
#define BOUNDED(key, kind, least, most)                                                            \
	{                                                                                          \
		.name = key, .type = kind, .has_min = true, .min = least, .has_max = true,         \
		.max = most                                                                        \
	}
#define WBL_SPEC_CHOICE(key, member, fallback, ...)                                                \
	{ { .name = key,                                                                           \
		  .type = WBL_PARAM_ENUM,                                                          \
		  .values = (const char *[]){ __VA_ARGS__, NULL } },                               \
		MEMBER(member), fallback, 0 },
#define WBL_SPEC_TIME(key, member, least, most, fallback)                                          \
	{ BOUNDED(key, WBL_PARAM_DURATION, least, most), MEMBER(member), NULL, fallback },
#define WBL_SPEC_NUMBER(key, member, least, most, fallback)                                        \
	{ BOUNDED(key, WBL_PARAM_INT, least, most), MEMBER(member), NULL, fallback },
#include "core/engine/spec_keys.def"
};

/* One migration while it is read. */
struct reading {
	struct wbl_spec_load *l;
	struct wbl_migration *m;
	const json_t *given;
	const char *path; /* "migration" or "migrations[2]" */
	struct wbl_spec_refs refs;
	struct wbl_places places;
};

/* The places of a migration's parameters, which wbl_params_check sees as one object: from the environment, beside
 * `options`, or in it. The caller frees. */
static char *written_path(const struct reading *r, const char *path)
{
	size_t n = strlen(r->path);
	const char *rest = path + n + 1;
	WBL_AUTOFREE char *first = NULL;

	if (strncmp(path, r->path, n) || path[n] != '.')
		return wbl_strdup(path);
	first = wbl_strndup(rest, strcspn(rest, ".["));
	if ((!strcmp(first, "source") || !strcmp(first, "target")) &&
		json_object_get(r->given, first))
		return wbl_strdup(path);
	return wbl_strf("%s.options.%s", r->path, rest);
}

static const char *place_of(const struct wbl_places *me, const char *path)
{
	const struct reading *r =
		(const void *)((const char *)me - offsetof(struct reading, places));
	const char *place = wbl_spec_refs_place(&r->refs, path);
	WBL_AUTOFREE char *written = NULL;

	if (place)
		return place;
	written = written_path(r, path);
	return wbl_conf_place(r->l->conf, written);
}

static void refs_complain(void *context, const char *path, const char *hint, const char *text)
{
	struct reading *r = context;
	WBL_AUTOFREE char *written = written_path(r, path);
	struct wbl_error e;
	char where[sizeof e.where];

	snprintf(where, sizeof where, "%s: %s", place_of(&r->places, path), written);
	wbl_fail(&e, WBL_E_PARAM, where, hint, "%s", text);
	wbl_spec_add_error(r->l, &e, written);
}

/* An error of wbl_params_check, with the path as the operator wrote it. */
static void adopt_error(struct reading *r, const json_t *j)
{
	const char *path = wbl_json_str(j, "path"), *text = wbl_json_str(j, "text");
	WBL_AUTOFREE char *written = NULL;
	struct wbl_error e;
	char where[sizeof e.where];

	if (json_object_get(r->refs.failed, path))
		return;
	if (!strcmp(path, r->path) && strncmp(text, "the parameter \"source\"", 22) &&
		strncmp(text, "the parameter \"target\"", 22))
		written = wbl_strf("%s.options", path); /* where what is missing belongs */
	else
		written = written_path(r, path);
	if (strcmp(path, r->path))
		snprintf(where, sizeof where, "%s: %s", place_of(&r->places, path), written);
	else
		snprintf(where, sizeof where, "%s: %s", wbl_conf_place(r->l->conf, written),
			written);
	wbl_fail(&e, (int32_t)wbl_json_int(j, "code", WBL_E_PARAM), where, wbl_json_str(j, "hint"),
		"%s", text);
	wbl_spec_add_error(r->l, &e, written);
}

static void adopt_warning(struct reading *r, json_t *j)
{
	const char *path = wbl_json_str(j, "path");
	WBL_AUTOFREE char *written = written_path(r, path);
	WBL_AUTOFREE char *where = wbl_strf("%s: %s", place_of(&r->places, path), written);

	wbl_json_put(j, "where", where);
	wbl_json_put(j, "path", written);
	json_array_append(r->l->spec->warnings, j);
}

static const struct wbl_param *find_param(const struct wbl_provides *p, const char *name)
{
	size_t i;

	for (i = 0; i < p->nparams; i++)
		if (!strcmp(p->params[i].name, name))
			return &p->params[i];
	return NULL;
}

static void params_hint(const struct wbl_provides *p, char out[400])
{
	size_t i, at = (size_t)snprintf(
			  out, 400, p->nparams ? "Its parameters: " : "It has no parameters.");

	for (i = 0; i < p->nparams && at < 400; i++)
		at += (size_t)snprintf(out + at, 400 - at, "%s%s", p->params[i].name,
			i + 1 < p->nparams ? ", " : ".");
}

/* source, target: into the parameters under their own names. */
static void take_end(struct reading *r, const char *key, json_t *into)
{
	const json_t *j = json_object_get(r->given, key);
	const struct wbl_param *p = find_param(r->m->provides, key);
	WBL_AUTOFREE char *path = wbl_strf("%s.%s", r->path, key);
	bool name = json_is_string(j) && *json_string_value(j) == '@';
	char hint[400];

	if (!j)
		return;
	if (!p) {
		params_hint(r->m->provides, hint);
		wbl_spec_complain(
			r->l, path, hint, "the handler \"%s\" takes no %s", r->m->handler, key);
	} else if ((p->type == WBL_PARAM_PEER || p->type == WBL_PARAM_GROUP) &&
		   !json_is_object(j) && !name) {
		wbl_spec_complain_type(r->l, path, j, "a group or the name of a connection",
			"Write { store = \"...\"; ... } or \"@name\", a connection of the "
			"environment.");
		json_object_set_new(r->refs.failed, path, json_true());
		json_object_set(into, key, (json_t *)j);
	} else {
		json_object_set(into, key, (json_t *)j);
	}
}

static json_t *merged(struct reading *r)
{
	const json_t *options = json_object_get(r->given, "options");
	WBL_AUTOFREE char *path = wbl_strf("%s.options", r->path);
	json_t *into = json_object(), *m;
	const char *key;

	take_end(r, "source", into);
	take_end(r, "target", into);
	if (options && !json_is_object(options))
		wbl_spec_complain_type(
			r->l, path, options, "a group", "Write options = { name = value; ... };");
	json_object_foreach((json_t *)options, key, m)
	{
		WBL_AUTOFREE char *inner = wbl_strf("%s.%s", path, key);
		bool end = !strcmp(key, "source") || !strcmp(key, "target");

		if (end && json_object_get(r->given, key))
			wbl_spec_complain(r->l, inner, "Keep one of them.",
				"\"%s\" stands beside options already", key);
		else
			json_object_set(into, key, m);
	}
	return into;
}

static void read_params(struct reading *r)
{
	json_t *given = merged(r), *whole, *errors = NULL, *warnings = NULL, *j;
	size_t i;

	whole = wbl_spec_refs_resolve(&r->refs, r->m->provides, given, r->path);
	wbl_params_check(r->m->provides, r->l->registry, r->l->purpose, whole, r->path, &r->places,
		&r->m->params, &errors, &warnings, NULL);
	json_array_foreach(errors, i, j) adopt_error(r, j);
	json_array_foreach(warnings, i, j) adopt_warning(r, j);
	if (r->m->params)
		r->m->peers = wbl_spec_peers(r->l->registry, r->m->provides, r->m->params);
	r->m->connections = json_incref(r->refs.connections);
	json_decref(given);
	json_decref(whole);
	json_decref(errors);
	json_decref(warnings);
}

static void handlers_hint(const struct wbl_registry *registry, const char *wanted, char out[400])
{
	struct wbl_buf names = { 0 };
	const struct wbl_provides *p, **all = NULL;
	const char **list = wbl_alloc(sizeof *list), *near;
	size_t i, k, n = 0;

	for (i = 0; i < registry->count; i++)
		for (k = 0; registry->entries[i].manifest &&
			    k < registry->entries[i].manifest->nprovides;
			k++) {
			p = &registry->entries[i].manifest->provides[k];
			if (strcmp(p->interface, "wbl.handler/1") ||
				registry->entries[i].refused.code || !registry->entries[i].enabled)
				continue;
			wbl_buf_addf(&names, "%s%s (%s)", n ? ", " : "", p->name, p->family);
			all = wbl_realloc(all, (n + 1) * sizeof *all);
			list = wbl_realloc(list, (n + 2) * sizeof *list);
			all[n] = p;
			list[n++] = p->name;
		}
	list[n] = NULL;
	near = wanted ? wbl_nearest(wanted, list) : NULL;
	for (i = 0; near && strcmp(list[i], near);)
		i++;
	if (near)
		snprintf(out, 400, "Did you mean \"%s\" (family %s)?", near, all[i]->family);
	else
		snprintf(out, 400,
			n ? "There are: %s." : "There are none: whimbrel handler list says why.",
			names.data ? names.data : "");
	wbl_buf_clear(&names);
	free(list);
	free(all);
}

/* What else has this name: "store"; NULL nothing. */
static const char *other_kind(const struct wbl_registry *registry, const char *name)
{
	static const char *const kinds[][2] = { { "wbl.store/1", "store" },
		{ "wbl.router/1", "router" }, { "wbl.transform/1", "transform" } };
	const struct wbl_provides *found;
	size_t n;

	for (n = 0; n < WBL_COUNT(kinds); n++)
		if (!wbl_registry_find(registry, kinds[n][0], name, &found, NULL, NULL))
			return kinds[n][1];
	return NULL;
}

static void unknown_handler(
	struct reading *r, const char *path, const char *name, const struct wbl_error *why)
{
	const char *other = other_kind(r->l->registry, name);
	char hint[400];

	handlers_hint(r->l->registry, name, hint);
	if (*why->where) /* it is there, but refused or disabled */
		wbl_spec_complain(r->l, path, why->hint, "%s (%s)", why->text, why->where);
	else if (other)
		wbl_spec_complain(r->l, path, hint, "\"%s\" is a %s, not a handler", name, other);
	else
		wbl_spec_complain(r->l, path, hint, "there is no handler \"%.100s\"", name);
}

static void read_handler(struct reading *r)
{
	const json_t *j = json_object_get(r->given, "handler");
	WBL_AUTOFREE char *path = wbl_strf("%s.handler", r->path);
	const char *name = json_string_value(j);
	struct wbl_error why = { 0 };
	char hint[400];

	handlers_hint(r->l->registry, NULL, hint);
	if (!j)
		wbl_spec_complain(r->l, r->path, hint, "the setting \"handler\" is missing");
	else if (!name)
		wbl_spec_complain_type(r->l, path, j, "the name of a handler", hint);
	else if (wbl_registry_find(r->l->registry, "wbl.handler/1", name, &r->m->provides,
			 &r->m->module, &why))
		unknown_handler(r, path, name, &why);
	if (r->m->provides)
		r->m->handler = wbl_strdup(r->m->provides->name);
}

static int64_t number_default(const struct policy_key *k)
{
	long cpus;

	if (k->number != -1)
		return k->number;
	cpus = sysconf(_SC_NPROCESSORS_ONLN);
	return cpus < 1 ? 1 : cpus > 4 ? 4 : cpus;
}

static const char *of_environment(const struct wbl_environment *env, const char *key)
{
	if (env && !strcmp(key, "validation"))
		return env->validation;
	return env && !strcmp(key, "rollback") ? env->rollback : NULL;
}

void wbl_spec_check_defaults(struct wbl_spec_load *l)
{
	struct wbl_error e;
	size_t i;

	for (i = 0; i < WBL_COUNT(policy_keys); i++) {
		const struct wbl_param *p = &policy_keys[i].param;
		const char *text = of_environment(l->env, p->name);
		json_t *given = text ? json_string(text) : NULL, *value = NULL;

		if (given && wbl_param_value(p, given, p->name, l->env->places, &value, &e))
			wbl_spec_add_error(l, &e, NULL);
		json_decref(given);
		json_decref(value);
	}
}

static const char *text_default(const struct reading *r, const struct policy_key *k)
{
	const char *text = of_environment(r->l->env, k->param.name);

	return text ? text : k->text;
}

static void read_policy(struct reading *r)
{
	struct wbl_error e;
	size_t i;

	for (i = 0; i < WBL_COUNT(policy_keys); i++) {
		const struct policy_key *k = &policy_keys[i];
		const json_t *given = json_object_get(r->given, k->param.name);
		WBL_AUTOFREE char *path = wbl_strf("%s.%s", r->path, k->param.name);
		char *at = (char *)&r->m->policy + k->member;
		json_t *value = NULL;

		if (given &&
			wbl_param_value(&k->param, given, path, &r->l->conf->lookup, &value, &e))
			wbl_spec_add_error(r->l, &e, path);
		if (k->text)
			*(char **)at =
				wbl_strdup(value ? json_string_value(value) : text_default(r, k));
		else
			*(int64_t *)at = value ? json_integer_value(value) : number_default(k);
		json_decref(value);
	}
}

static void read_migration_name(struct reading *r, bool single)
{
	const json_t *j = json_object_get(r->given, "name");
	WBL_AUTOFREE char *path = wbl_strf("%s.name", r->path);
	struct wbl_spec *spec = r->l->spec;
	size_t i;

	if (!j && single)
		r->m->name = wbl_spec_name_of_file(spec->file);
	else if (!j)
		wbl_spec_complain(r->l, r->path,
			"Add name = \"...\"; where there are several, each has one.",
			"the setting \"name\" is missing");
	r->m->name = j ? wbl_spec_read_name(r->l, j, path) : r->m->name;
	for (i = 0; r->m->name && &spec->migrations[i] < r->m; i++)
		if (spec->migrations[i].name && !strcmp(spec->migrations[i].name, r->m->name)) {
			WBL_AUTOFREE char *first = wbl_strf("migrations[%zu].name", i);

			wbl_spec_complain(r->l, path, "Give each migration a name of its own.",
				"the name \"%s\" is taken by the migration at %s", r->m->name,
				wbl_conf_place(r->l->conf, first));
			return;
		}
}

void wbl_spec_read_migration(struct wbl_spec_load *l, struct wbl_migration *m, const json_t *given,
	const char *path, bool single)
{
	const json_t *after = json_object_get(given, "after");
	WBL_AUTOFREE char *after_path = wbl_strf("%s.after", path);
	WBL_AUTOFREE char *text_path = wbl_strf("%s.description", path);
	struct reading r = { .l = l,
		.m = m,
		.given = given,
		.path = path,
		.places = { .of = place_of, .dir = l->spec->dir } };

	if (!json_is_object(given)) {
		wbl_spec_complain_type(l, path, given, "a group",
			"Write { name = \"...\"; handler = \"...\"; ... }.");
		return;
	}
	r.refs = (struct wbl_spec_refs){
		.registry = l->registry, .env = l->env, .complain = refs_complain, .context = &r
	};
	wbl_spec_refs_init(&r.refs);
	wbl_spec_refuse_unknown(l, given, path, migration_keys, "a migration");
	read_migration_name(&r, single);
	wbl_spec_check_text(l, json_object_get(given, "description"), text_path);
	read_handler(&r);
	if (m->provides)
		read_params(&r);
	read_policy(&r);
	m->after = after ? wbl_spec_read_names(l, after, after_path, WBL_SPEC_MIGRATIONS) : NULL;
	if (!m->after)
		m->after = wbl_alloc(sizeof *m->after);
	wbl_spec_refs_clear(&r.refs);
}
