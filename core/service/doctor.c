/* service/doctor.c - which handlers there are and why one is not; is this installation fit to work.
 * SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "core/service/verbs.h"

#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

static void check(json_t *list, bool ok, const char *what, const char *text, const char *hint)
{
	json_t *c = json_object();

	json_object_set_new(c, "ok", json_boolean(ok));
	wbl_json_put(c, "what", what);
	wbl_json_put(c, "text", text);
	wbl_json_put(c, "hint", ok ? NULL : hint);
	json_array_append_new(list, c);
}

static void check_error(json_t *list, const char *what, int32_t rc, const struct wbl_error *err)
{
	check(list, !rc, what, rc ? err->text : "good", rc ? err->hint : NULL);
}

static const struct wbl_module_entry *entry_named(const struct wbl_registry *reg, const char *name)
{
	size_t i, k;

	for (i = 0; i < reg->count; i++) {
		const struct wbl_module_entry *m = &reg->entries[i];

		if (!strcmp(m->name, name) || !strcmp(m->path, name))
			return m;
		for (k = 0; m->manifest && k < m->manifest->nprovides; k++)
			if (!strcmp(m->manifest->provides[k].name, name))
				return m;
	}
	return NULL;
}

/* whimbrel-host loads it in a process of its own and tells the loader's true words. */
static void check_loading(const struct wbl_engine *e, json_t *list, const char *path)
{
	WBL_AUTOFREE char *command =
		wbl_strf("'%s' --check '%s' 2>&1", e->options.host_program, path);
	char text[4096];
	size_t n;
	json_t *j;
	FILE *f;

	if (strchr(path, '\'') || strchr(e->options.host_program, '\'')) {
		check(list, false, "loads", "the path has a quote in it", "Rename it.");
		return;
	}
	f = popen(command, "re");
	n = f ? fread(text, 1, sizeof text - 1, f) : 0;
	text[n] = '\0';
	if (f)
		pclose(f);
	j = wbl_json_parse(text, n, "whimbrel-host", NULL);
	if (!j)
		check(list, false, "loads", n ? text : "whimbrel-host did not answer",
			"Install whimbrel-host beside the command.");
	else
		check(list, wbl_json_bool(j, "ok", false), "loads",
			wbl_json_bool(j, "ok", false) ? "the loader takes it"
			: wbl_json_str(j, "error")    ? wbl_json_str(j, "error")
						      : "it was refused",
			"Install what is missing, or build it again.");
	json_decref(j);
}

/* The kernel counts the processes of a user, and never those of root. */
static void check_processes(json_t *list, const struct wbl_module_entry *m)
{
	WBL_AUTOFREE char *text = wbl_strf("at most %lld of the user %s",
		(long long)m->processes_max, m->run_as ? m->run_as : "of the engine");
	struct passwd *p = m->run_as ? getpwnam(m->run_as) : NULL;
	bool holds = p ? p->pw_uid : geteuid();

	check(list, holds, "processes",
		holds ? text : "limits.processes does not hold: the kernel never counts root's",
		"Name a user beside it: run_as.");
}

static void diagnose(struct wbl_control_request *r, const char *name)
{
	struct wbl_engine *e = r->control->engine;
	const struct wbl_module_entry *m = entry_named(e->registry, name);
	json_t *list = json_array();
	struct wbl_manifest *manifest = NULL;
	struct wbl_error err = { 0 };
	const char *path = m ? m->path : name;
	int32_t rc;
	FILE *f;
	size_t i;

	if (!m && !strchr(name, '/')) {
		for (i = 0; e->registry->dirs && e->registry->dirs[i]; i++)
			check(list, false, "found", e->registry->dirs[i],
				"No module of this name is in that folder; install it there.");
		wbl_control_answer(r, json_pack("{s:s, s:o}", "module", name, "checks", list));
		return;
	}
	f = fopen(path, "re");
	check(list, f != NULL, "found", path, "Name an existing file, or install the module.");
	rc = f ? wbl_module_vet(path, e->options.trust_any_owner, &err) : 0;
	if (f)
		check_error(list, "trusted", rc, &err);
	rc = f ? wbl_manifest_read(fileno(f), path, &manifest, &err) : 0;
	if (f) {
		check_error(list, "manifest", rc, &err);
		fclose(f);
	}
	if (m)
		check(list, m->enabled, "enabled",
			m->enabled                       ? "enabled"
			: wbl_module_place(m, "enabled") ? wbl_module_place(m, "enabled")
							 : "disabled",
			"Set enabled = true in that file.");
	if (m)
		check_error(list, "accepted", m->refused.code, &m->refused);
	if (m && m->processes_max)
		check_processes(list, m);
	if (!rc && f)
		check_loading(e, list, path);
	wbl_manifest_free(manifest);
	wbl_control_answer(r, json_pack("{s:s, s:o}", "module", path, "checks", list));
}

static json_t *info(const struct wbl_module_entry *m)
{
	json_t *j = json_object();

	wbl_json_put(j, "path", m->path);
	json_object_set_new(j, "enabled", json_boolean(m->enabled));
	wbl_json_put(j, "set_by", m->set_by);
	if (m->places)
		json_object_set(j, "places", m->places);
	if (m->manifest)
		json_object_set_new(j, "manifest", wbl_manifest_json(m->manifest));
	if (m->refused.code)
		json_object_set_new(j, "refused", wbl_json_error(&m->refused));
	return j;
}

void wbl_verb_handler(struct wbl_control_request *r)
{
	const char *op = wbl_json_str(r->args, "op"), *name = wbl_json_str(r->args, "name");
	struct wbl_engine *e = r->control->engine;
	const struct wbl_module_entry *m;
	struct wbl_error err;

	if (!name)
		name = wbl_json_str(r->args, "path");
	if (wbl_engine_reload(e, &err)) {
		wbl_control_refuse(r, &err, NULL);
		return;
	}
	if (!op || !strcmp(op, "list") || (!strcmp(op, "doctor") && !name)) {
		wbl_control_answer(r, wbl_registry_json(e->registry));
	} else if (!strcmp(op, "doctor")) {
		diagnose(r, name);
	} else if (!strcmp(op, "info") && name) {
		m = entry_named(e->registry, name);
		if (m) {
			wbl_control_answer(r, info(m));
			return;
		}
		if (!wbl_registry_find(e->registry, "wbl.handler/1", name, NULL, NULL, &err))
			wbl_fail(&err, WBL_E_NOT_FOUND, name, NULL, "there is no such module");
		wbl_control_refuse(r, &err, NULL);
	} else {
		wbl_fail(&err, WBL_E_USAGE, op, "Use list, info NAME or doctor NAME.",
			"this needs a known operation and a name");
		wbl_control_refuse(r, &err, NULL);
	}
}

void wbl_verb_doctor(struct wbl_control_request *r)
{
	struct wbl_engine *e = r->control->engine;
	json_t *list = json_array();
	struct wbl_audit_report a = { 0 };
	struct wbl_error err = { 0 };
	char text[128], space[24];
	struct statvfs st;
	size_t i, usable = 0, held = 0;
	struct wbl_run *run;
	int32_t rc;

	check(list, !access(e->options.host_program, X_OK), "host program", e->options.host_program,
		"Install whimbrel-host; without it no handler can run.");
	for (i = 0; i < e->registry->count; i++) {
		const struct wbl_module_entry *m = &e->registry->entries[i];

		usable += !m->refused.code && m->enabled;
		if (m->refused.code)
			check(list, false, m->path, m->refused.text, m->refused.hint);
	}
	for (i = 0; i < e->registry->nproblems; i++)
		check(list, false, e->registry->problems[i].where, e->registry->problems[i].text,
			e->registry->problems[i].hint);
	snprintf(text, sizeof text, "%zu usable", usable);
	check(list, usable > 0, "modules", text,
		"Install a handler package, or see whimbrel handler doctor.");
	if (!statvfs(wbl_state_dir(e->state), &st)) {
		wbl_size_text((uint64_t)st.f_bavail * st.f_frsize, space);
		snprintf(text, sizeof text, "%s free in %.60s", space, wbl_state_dir(e->state));
		check(list, (uint64_t)st.f_bavail * st.f_frsize > (64u << 20), "space", text,
			"Free space in the state folder.");
	}
	rc = wbl_audit_verify(e->state, NULL, &a, &err);
	snprintf(text, sizeof text, "%lld entries, the chain holds", (long long)a.entries);
	check(list, !rc, "audit chain", rc ? err.text : text, err.hint);
	for (run = e->runs; run; run = run->next)
		held += run->held && !wbl_run_at_rest(run);
	snprintf(text, sizeof text, held ? "%zu run(s) were interrupted" : "no run is interrupted",
		held);
	check(list, !held, "runs", text, "whimbrel recover takes them up.");
	wbl_control_answer(r, json_pack("{s:o}", "checks", list));
}
