/* module/module_conf.c - enabling, pinning, limiting and disabling a module.
 * In: a file of handlers.d.  Out: fields of the module's entry, or a reason with file and line.
 * New settings: `keys`, apply(), docs/manifest.md.
 * SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "core/module/module_conf.h"

#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/module/conf_json.h"
#include "core/module/vet.h"

static const struct wbl_conf_key keys[] = {
	{ "module", WBL_CONF_TEXT, true },
	{ "enabled", WBL_CONF_BOOL, false },
	{ "sha256", WBL_CONF_TEXT, false },
	{ "limits", WBL_CONF_GROUP, false },
	{ "allow_setuid", WBL_CONF_BOOL, false },
	{ "run_as", WBL_CONF_TEXT, false },
	{ "reason", WBL_CONF_TEXT, false },
	{ NULL, WBL_CONF_ANY, false },
};
static const struct wbl_conf_key limit_keys[] = {
	{ "memory", WBL_CONF_ANY, false },
	{ "cpu", WBL_CONF_ANY, false },
	{ "processes", WBL_CONF_ANY, false },
	{ NULL, WBL_CONF_ANY, false },
};
static const struct wbl_param limit_params[] = {
	{ .name = "memory", .type = WBL_PARAM_SIZE, .has_min = true, .min = 1 << 20 },
	{ .name = "cpu", .type = WBL_PARAM_DURATION, .has_min = true, .min = INT64_C(1000000000) },
	{ .name = "processes",
		.type = WBL_PARAM_INT,
		.has_min = true,
		.min = 1,
		.has_max = true,
		.max = 65535 },
};

static int32_t read_limits(
	const struct wbl_conf *c, int64_t ret[WBL_COUNT(limit_params)], struct wbl_error *err)
{
	const json_t *limits = json_object_get(c->json, "limits");
	int32_t rc = limits ? wbl_conf_check(c, limits, "limits", limit_keys, err) : 0;
	size_t i;

	for (i = 0; i < WBL_COUNT(limit_params) && !rc; i++) {
		const json_t *given = json_object_get(limits, limit_params[i].name);
		WBL_AUTOFREE char *path = wbl_strf("limits.%s", limit_params[i].name);
		json_t *value = NULL;

		ret[i] = 0;
		if (given &&
			wbl_param_value(&limit_params[i], given, path, &c->lookup, &value, err))
			rc = err ? (err->code = WBL_E_USAGE) : WBL_E_USAGE;
		ret[i] = json_integer_value(value);
		json_decref(value);
	}
	return rc;
}

static int32_t check(const struct wbl_conf *c, struct wbl_error *err)
{
	int32_t rc = wbl_conf_check(c, c->json, "", keys, err);
	const char *module = wbl_json_str(c->json, "module"),
		   *pin = wbl_json_str(c->json, "sha256");
	const char *user = wbl_json_str(c->json, "run_as");

	if (rc)
		return rc;
	if (!wbl_name_valid(module))
		return wbl_conf_fail(c, "module", "Give the file name of the module without .so.",
			err, "\"%s\" is not the name of a module", module);
	if (pin && (strlen(pin) != 64 || strspn(pin, "0123456789abcdef") != 64))
		return wbl_conf_fail(c, "sha256", "Copy it from: sha256sum FILE.", err,
			"expected 64 of 0-9 and a-f");
	if (user && !getpwnam(user))
		return wbl_conf_fail(c, "run_as", "Make the user first, or name another.", err,
			"there is no user \"%s\" on this machine", user);
	return 0;
}

static void replace(char **field, const char *text)
{
	if (!text)
		return;
	free(*field);
	*field = wbl_strdup(text);
}

/* Which file and line each setting comes from: the last one that mentions it. */
static void note_places(const struct wbl_conf *c, struct wbl_module_entry *e)
{
	static const char *const settings[] = { "enabled", "sha256", "allow_setuid", "run_as",
		"reason" };
	size_t i;

	if (!e->places)
		e->places = json_object();
	for (i = 0; i < WBL_COUNT(settings); i++)
		if (json_object_get(c->json, settings[i]))
			wbl_json_put(e->places, settings[i], wbl_conf_place(c, settings[i]));
	for (i = 0; i < WBL_COUNT(limit_params); i++) {
		WBL_AUTOFREE char *path = wbl_strf("limits.%s", limit_params[i].name);

		if (json_object_get(json_object_get(c->json, "limits"), limit_params[i].name))
			wbl_json_put(e->places, path, wbl_conf_place(c, path));
	}
}

static void apply(const struct wbl_conf *c, const int64_t limits[WBL_COUNT(limit_params)],
	struct wbl_module_entry *e)
{
	const json_t *j = c->json;

	e->enabled = wbl_json_bool(j, "enabled", e->enabled);
	e->allow_setuid = wbl_json_bool(j, "allow_setuid", e->allow_setuid);
	replace(&e->pin, wbl_json_str(j, "sha256"));
	replace(&e->run_as, wbl_json_str(j, "run_as"));
	replace(&e->reason, wbl_json_str(j, "reason"));
	replace(&e->set_by,
		wbl_conf_place(c, json_object_get(j, "enabled") ? "enabled" : "module"));
	note_places(c, e);
	if (limits[0])
		e->memory_max = (uint64_t)limits[0];
	if (limits[1])
		e->cpu_max_ns = limits[1];
	if (limits[2])
		e->processes_max = limits[2];
}

static struct wbl_module_entry *find_entry(struct wbl_registry *r, const char *name)
{
	size_t i;

	for (i = 0; name && i < r->count; i++)
		if (!strcmp(r->entries[i].name, name))
			return &r->entries[i];
	return NULL;
}

/* "20-data.conf" is about "data", if nothing else tells. */
static char *name_of_file(const char *path)
{
	const char *base = strrchr(path, '/') ? strrchr(path, '/') + 1 : path;
	size_t digits = strspn(base, "0123456789"), len;

	if (digits && (base[digits] == '-' || base[digits] == '_'))
		base += digits + 1;
	len = strlen(base);
	return wbl_strndup(base, len > 5 ? len - 5 : len);
}

static void refuse_module(struct wbl_registry *r, const char *path, const struct wbl_conf *c,
	const struct wbl_error *why)
{
	WBL_AUTOFREE char *by_file = name_of_file(path);
	struct wbl_module_entry *e = find_entry(r, c ? wbl_json_str(c->json, "module") : NULL);

	if (!e)
		e = find_entry(r, by_file);
	if (e && !e->refused.code)
		wbl_fail(&e->refused, WBL_E_USAGE, why->where, why->hint,
			"the settings of this module are wrong, so it is not used: %s", why->text);
}

static int32_t unknown_module(
	const struct wbl_registry *r, const struct wbl_conf *c, struct wbl_error *err)
{
	const char **names = wbl_alloc((r->count + 1) * sizeof *names);
	const char *name = wbl_json_str(c->json, "module");
	char hint[400];
	size_t i;

	for (i = 0; i < r->count; i++)
		names[i] = r->entries[i].name;
	wbl_conf_fail(c, "module", wbl_suggest(name, names, hint), err,
		"there is no module \"%s\" in the module folders", name);
	free(names);
	return err ? (err->code = WBL_E_NOT_FOUND) : WBL_E_NOT_FOUND;
}

int32_t wbl_module_conf_apply(
	const char *path, struct wbl_registry *r, bool trust_any_owner, struct wbl_error *err)
{
	int64_t limits[WBL_COUNT(limit_params)] = { 0 };
	struct wbl_module_entry *e;
	struct wbl_conf *c = NULL;
	struct wbl_error why;
	int32_t rc = wbl_file_vet(path, trust_any_owner, &why);

	if (!rc)
		rc = wbl_conf_load(path, 0, &c, &why);
	if (!rc)
		rc = check(c, &why);
	if (!rc)
		rc = read_limits(c, limits, &why);
	e = rc ? NULL : find_entry(r, wbl_json_str(c->json, "module"));
	if (rc)
		refuse_module(r, path, c, &why);
	else if (e)
		apply(c, limits, e);
	else if (wbl_json_bool(c->json, "enabled", true))
		rc = unknown_module(r, c, &why);
	wbl_conf_free(c);
	if (rc && err)
		*err = why;
	return rc;
}
