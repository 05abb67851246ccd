/* engine/spec.c - an operator's request read and held against what there is, before anything is loaded.
 * In: libconfig text.  Out: struct wbl_spec, or every mistake, each with its place in the operator's files.
 * Settings: spec_keys.def. Included files: spec_text.c. One migration: spec_migration.c; its connections and
 * peers: spec_refs.c. What a handler's own parameters may be: its manifest.
 * SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "core/engine/spec.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/file.h"
#include "core/engine/spec_load.h"
#include "core/module/conf_json.h"
#include "core/module/environment.h"

enum { BARRIERS_MAX = 64, CIRCLES_MAX = 16 };

static const char *const top_keys[] = {
#define WBL_SPEC_TOP(key) key,
#include "core/engine/spec_keys.def"
	NULL,
};

static void free_names(char **names)
{
	size_t i;

	for (i = 0; names && names[i]; i++)
		free(names[i]);
	free(names);
}

static void read_list(struct wbl_spec_load *l, const json_t *list)
{
	size_t count = json_array_size(list), i;

	if (!json_is_array(list)) {
		wbl_spec_complain_type(l, "migrations", list, "a list of groups",
			"Write migrations = ( { ... }, { ... } ); or migration: { ... }; for a "
			"single one.");
	} else if (!count) {
		wbl_spec_complain(
			l, "migrations", "Add a migration: { ... }.", "the list is empty");
	} else if (count > WBL_SPEC_MIGRATIONS) {
		wbl_spec_complain(l, "migrations", "Make several specs of it.",
			"%zu migrations, at most %d are allowed", count, WBL_SPEC_MIGRATIONS);
	} else {
		l->spec->migrations = wbl_alloc(count * sizeof *l->spec->migrations);
		for (i = 0; i < count; i++) {
			WBL_AUTOFREE char *path = wbl_strf("migrations[%zu]", i);

			l->spec->count = i + 1;
			wbl_spec_read_migration(l, &l->spec->migrations[i], json_array_get(list, i),
				path, count == 1);
		}
	}
}

static void read_migrations(struct wbl_spec_load *l)
{
	const json_t *one = json_object_get(l->conf->json, "migration");
	const json_t *list = json_object_get(l->conf->json, "migrations");

	if (one && list) {
		wbl_spec_complain(l, "migrations", "Put all of them into migrations = ( ... ).",
			"both \"migration\" and \"migrations\" are given");
	} else if (one) {
		l->spec->migrations = wbl_alloc(sizeof *l->spec->migrations);
		l->spec->count = 1;
		wbl_spec_read_migration(l, l->spec->migrations, one, "migration", true);
	} else if (list) {
		read_list(l, list);
	} else {
		wbl_spec_complain(l, "", "Add migration: { handler = \"...\"; ... };",
			"there is no migration in it");
	}
}

static size_t index_of(const struct wbl_spec *spec, const char *name)
{
	size_t i;

	for (i = 0; i < spec->count; i++)
		if (spec->migrations[i].name && !strcmp(spec->migrations[i].name, name))
			break;
	return i;
}

static char *path_of(const struct wbl_spec_load *l, size_t i, const char *key)
{
	if (json_object_get(l->conf->json, "migration"))
		return wbl_strf("migration.%s", key);
	return wbl_strf("migrations[%zu].%s", i, key);
}

static void check_after_names(struct wbl_spec_load *l, size_t i)
{
	struct wbl_spec *spec = l->spec;
	const char *names[WBL_SPEC_MIGRATIONS + 1];
	WBL_AUTOFREE char *path = path_of(l, i, "after");
	size_t k, n = 0;
	char hint[400];

	for (k = 0; k < spec->count; k++)
		if (k != i && spec->migrations[k].name)
			names[n++] = spec->migrations[k].name;
	names[n] = NULL;
	for (k = 0; spec->migrations[i].after && spec->migrations[i].after[k]; k++) {
		const char *name = spec->migrations[i].after[k];

		if (index_of(spec, name) < spec->count)
			continue;
		/* when nobody will read it, its suggestion is not worth the search */
		wbl_spec_complain(l, path, l->unseen ? NULL : wbl_suggest(name, names, hint),
			"there is no migration \"%s\" in this spec", name);
	}
}

struct order {
	struct wbl_spec_load *l;
	char seen[WBL_SPEC_MIGRATIONS];    /* 1: on the trail, 2: done */
	size_t trail[WBL_SPEC_MIGRATIONS]; /* the way to where we are */
	size_t depth, circles;
};

/* From `next` along the trail, and back to it. */
static void tell_circle(struct order *o, size_t next)
{
	const struct wbl_migration *m = o->l->spec->migrations;
	WBL_AUTOFREE char *path = path_of(o->l, o->trail[o->depth - 1], "after");
	struct wbl_buf names = { 0 };
	size_t i = 0;

	while (o->trail[i] != next)
		i++;
	for (; i < o->depth; i++)
		wbl_buf_addf(&names, "%s waits for ", m[o->trail[i]].name);
	wbl_spec_complain(o->l, path, "Take one of them out of an after = [ ... ].",
		"these migrations could never begin: %s%s", names.data, m[next].name);
	wbl_buf_clear(&names);
}

/* Depth first. */
static void find_circles(struct order *o, size_t i)
{
	const struct wbl_spec *spec = o->l->spec;
	char **after = spec->migrations[i].after;
	size_t next;

	o->seen[i] = 1;
	o->trail[o->depth++] = i;
	for (; after && *after; after++) {
		next = index_of(spec, *after);
		if (next < spec->count && !o->seen[next])
			find_circles(o, next);
		else if (next < spec->count && o->seen[next] == 1 && o->circles++ < CIRCLES_MAX)
			tell_circle(o, next);
	}
	o->depth--;
	o->seen[i] = 2;
}

static void check_order(struct wbl_spec_load *l)
{
	struct order o = { .l = l };
	size_t i;

	for (i = 0; i < l->spec->count; i++)
		check_after_names(l, i);
	for (i = 0; i < l->spec->count; i++)
		if (!o.seen[i] && l->spec->migrations[i].name)
			find_circles(&o, i);
}

static void read_barriers(struct wbl_spec_load *l)
{
	static const char *const usual[] = { "fence", "drain", "switch", "unfence" };
	const json_t *j = json_object_get(l->conf->json, "barriers");
	size_t i;

	l->spec->barriers = j ? wbl_spec_read_names(l, j, "barriers", BARRIERS_MAX) : NULL;
	if (l->spec->barriers)
		return;
	l->spec->barriers = wbl_alloc((WBL_COUNT(usual) + 1) * sizeof *l->spec->barriers);
	for (i = 0; i < WBL_COUNT(usual); i++)
		l->spec->barriers[i] = wbl_strdup(usual[i]);
}

static void read_environment(struct wbl_spec_load *l)
{
	const json_t *j = json_object_get(l->conf->json, "environment");
	const char *used = l->env ? l->env->name : "default";
	WBL_AUTOFREE char *wanted = wbl_spec_read_name(l, j, "environment"), *hint = NULL;

	l->spec->environment = wbl_strdup(used);
	if (!wanted || !strcmp(wanted, used))
		return;
	hint = wbl_strf("Add --env %s, or change the spec.", wanted);
	wbl_spec_complain(l, "environment", hint,
		"the spec is for the environment \"%s\", in use is \"%s\"", wanted, used);
}

static void read_spec(struct wbl_spec_load *l)
{
	struct wbl_spec *spec = l->spec;
	const json_t *root = l->conf->json;

	wbl_spec_refuse_unknown(l, root, "", top_keys, "a spec");
	spec->name = wbl_spec_read_name(l, json_object_get(root, "name"), "name");
	wbl_spec_check_text(l, json_object_get(root, "description"), "description");
	read_environment(l);
	wbl_spec_check_defaults(l);
	read_barriers(l);
	read_migrations(l);
	check_order(l);
	if (!spec->name && spec->count == 1)
		spec->name = wbl_strdup(spec->migrations[0].name);
	if (!spec->name)
		spec->name = wbl_spec_name_of_file(spec->file);
}

/* libconfig saw the flat text: lines are turned into those of the files it was made from. */
static int32_t parse(struct wbl_spec_load *l, struct wbl_error *err)
{
	int32_t rc = wbl_conf_parse(l->text.flat.data ? l->text.flat.data : "", l->text.flat.len,
		"spec", WBL_SCAN_SPEC, &l->conf, err);
	WBL_AUTOFREE char *place = NULL;
	const char *path;
	json_t *flat;
	void *next;

	if (rc) {
		place = wbl_spec_text_place(&l->text, err->where);
		snprintf(err->where, sizeof err->where, "%s", place);
		return rc;
	}
	free(l->conf->where);
	l->conf->where = wbl_strdup(l->spec->file);
	json_object_foreach_safe(l->conf->places, next, path, flat)
	{
		WBL_AUTOFREE char *real = wbl_spec_text_place(&l->text, json_string_value(flat));

		wbl_json_put(l->conf->places, path, real);
	}
	return 0;
}

static int32_t load(struct wbl_spec_load *l, const char *text, size_t len)
{
	struct wbl_error e = { 0 };
	int32_t rc = wbl_spec_text_expand(l->spec->file, l->spec->dir, text, len, &l->text, &e);

	if (!rc)
		rc = parse(l, &e);
	if (rc) {
		wbl_spec_add_error(l, &e, NULL);
		return rc;
	}
	wbl_sha256_hex(l->text.flat.data, l->text.flat.len, l->spec->sha256);
	read_spec(l);
	return (int32_t)wbl_json_int(json_array_get(l->errors, 0), "code", 0);
}

static void tell_first(struct wbl_spec_load *l, struct wbl_error *err)
{
	const json_t *first = json_array_get(l->errors, 0);
	struct wbl_error more;

	if (l->unseen) {
		wbl_fail(&more, WBL_E_USAGE, l->spec->file, "Correct these first.",
			"%zu more mistakes are not listed", l->unseen);
		json_array_append_new(l->errors, wbl_json_error(&more));
	}
	wbl_fail(err, (int32_t)wbl_json_int(first, "code", 0), wbl_json_str(first, "where"),
		wbl_json_str(first, "hint"), "%s", wbl_json_str(first, "text"));
}

int32_t wbl_spec_load(const char *name, const char *dir, const char *text, size_t len,
	const struct wbl_registry *registry, const struct wbl_environment *env,
	enum wbl_params_for purpose, struct wbl_spec **ret, json_t **ret_errors,
	struct wbl_error *err)
{
	struct wbl_spec_load l = { .spec = wbl_alloc(sizeof *l.spec),
		.registry = registry,
		.env = env,
		.purpose = purpose,
		.errors = json_array() };
	int32_t rc;

	l.spec->file = wbl_strdup(name);
	l.spec->dir = wbl_strdup(dir);
	l.spec->warnings = json_array();
	rc = load(&l, text, len);
	if (rc) {
		tell_first(&l, err);
		wbl_spec_free(l.spec);
	} else {
		*ret = l.spec;
	}
	wbl_spec_text_clear(&l.text);
	wbl_conf_free(l.conf);
	if (ret_errors)
		*ret_errors = l.errors;
	else
		json_decref(l.errors);
	return rc;
}

static void clear_migration(struct wbl_migration *m)
{
	free(m->name);
	free(m->handler);
	json_decref(m->params);
	json_decref(m->peers);
	json_decref(m->connections);
	free_names(m->after);
	free(m->policy.validation);
	free(m->policy.rollback);
	free(m->policy.recovery);
}

void wbl_spec_free(struct wbl_spec *spec)
{
	size_t i;

	if (!spec)
		return;
	for (i = 0; i < spec->count; i++)
		clear_migration(&spec->migrations[i]);
	free(spec->migrations);
	free_names(spec->barriers);
	free(spec->name);
	free(spec->file);
	free(spec->dir);
	free(spec->environment);
	json_decref(spec->warnings);
	free(spec);
}
