/* module/environment.c - reads environments.d/NAME.conf.
 * New settings: `keys`, docs/manifest.md.
 * SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "core/module/environment.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/module/conf_json.h"

static const struct wbl_conf_key keys[] = {
	{ "profile", WBL_CONF_TEXT, false },
	{ "rollback", WBL_CONF_TEXT, false },
	{ "validation", WBL_CONF_TEXT, false },
	{ "connections", WBL_CONF_GROUP, false },
	{ NULL, WBL_CONF_ANY, false },
};
static const char *const peers[] = { "store", "router", "transform", NULL };

struct owned {
	struct wbl_environment e;
	struct wbl_conf *conf; /* NULL: no file */
	char *name;
};

static bool is_name(const char *s)
{
	size_t n = strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-");

	return n && n <= 64 && !s[n] && *s != '-';
}

static int32_t check_connections(const struct owned *o, struct wbl_error *err)
{
	const char *name;
	size_t i;
	json_t *j;

	json_object_foreach((json_t *)o->e.connections, name, j)
	{
		WBL_AUTOFREE char *path = wbl_strf("connections.%s", name);
		size_t kinds = 0;

		if (!json_is_object(j))
			return wbl_conf_fail(o->conf, path, "Write { store = \"NAME\"; ... }.", err,
				"a connection is a group of parameters");
		for (i = 0; peers[i]; i++)
			kinds += json_is_string(json_object_get(j, peers[i]));
		if (kinds != 1)
			return wbl_conf_fail(o->conf, path, "Write { store = \"NAME\"; ... }.", err,
				"a connection names exactly one store, router or transform, this "
				"one %zu",
				kinds);
	}
	return 0;
}

/* The names of the environments in the folder, for a message. */
static void list_names(const char *dir, struct wbl_buf *out)
{
	DIR *d = opendir(dir);
	struct dirent *f;

	while (d && (f = readdir(d))) {
		size_t n = strlen(f->d_name);

		if (n > 5 && f->d_name[0] != '.' && !strcmp(f->d_name + n - 5, ".conf"))
			wbl_buf_addf(out, "%s%.*s", out->len ? ", " : "", (int)(n - 5), f->d_name);
	}
	if (d)
		closedir(d);
}

static int32_t no_file(const char *file, const char *dir, const char *name, struct wbl_error *err)
{
	struct wbl_buf names = { 0 };
	WBL_AUTOFREE char *hint = NULL;

	list_names(dir, &names);
	hint = names.len ? wbl_strf("There are: %s.", names.data)
			 : wbl_strf("Make the file %s.", file);
	wbl_buf_clear(&names);
	return wbl_fail(err, WBL_E_NOT_FOUND, file, hint, "there is no environment \"%s\"", name);
}

static int32_t read_conf(struct owned *o, struct wbl_error *err)
{
	const json_t *j = o->conf->json;
	int32_t rc = wbl_conf_check(o->conf, j, "", keys, err);

	if (rc)
		return rc;
	o->e.file = o->conf->where;
	o->e.profile = wbl_json_str(j, "profile");
	o->e.rollback = wbl_json_str(j, "rollback");
	o->e.validation = wbl_json_str(j, "validation");
	o->e.connections = json_object_get(j, "connections");
	o->e.places = &o->conf->lookup;
	return check_connections(o, err);
}

int32_t wbl_environment_load(
	const char *dir, const char *name, struct wbl_environment **ret, struct wbl_error *err)
{
	WBL_AUTOFREE char *file = wbl_strf("%s/%s.conf", dir, name);
	struct owned *o;
	int32_t rc = 0;

	if (!is_name(name))
		return wbl_fail(err, WBL_E_USAGE, NULL, "Use letters, digits, _ and -.",
			"\"%s\" is not the name of an environment", name);
	o = wbl_alloc(sizeof *o);
	o->name = wbl_strdup(name);
	o->e.name = o->name;
	if (!access(file, F_OK) || (errno != ENOENT && errno != ENOTDIR)) {
		rc = wbl_conf_load(file, WBL_SCAN_SPEC, &o->conf, err);
		if (!rc)
			rc = read_conf(o, err);
	} else if (strcmp(name, "default")) {
		rc = no_file(file, dir, name, err);
	}
	if (rc)
		wbl_environment_free(&o->e);
	else
		*ret = &o->e;
	return rc;
}

void wbl_environment_free(struct wbl_environment *e)
{
	struct owned *o = (struct owned *)e; /* its first member */

	if (!e)
		return;
	wbl_conf_free(o->conf);
	free(o->name);
	free(o);
}

const json_t *wbl_environment_connection(
	const struct wbl_environment *e, const char *name, struct wbl_error *err)
{
	const json_t *found = json_object_get(e->connections, name);
	const char **names, *key;
	char hint[400];
	size_t count = 0;
	json_t *j;

	if (found)
		return found;
	names = wbl_alloc((json_object_size(e->connections) + 1) * sizeof *names);
	json_object_foreach((json_t *)e->connections, key, j) names[count++] = key;
	wbl_suggest(name, names, hint);
	free(names);
	wbl_fail(err, WBL_E_NOT_FOUND, e->file, hint,
		"the environment \"%s\" has no connection \"%s\"", e->name, name);
	return NULL;
}

const char *wbl_environment_place(
	const struct wbl_environment *e, const char *connection, const char *path)
{
	bool whole = !path || !*path;
	WBL_AUTOFREE char *full =
		wbl_strf("connections.%s%s%s", connection, whole ? "" : ".", whole ? "" : path);

	if (!e->places || !json_object_get(e->connections, connection))
		return NULL;
	return e->places->of(e->places, full);
}
