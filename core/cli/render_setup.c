/* cli/render_setup.c - the installation: checks, modules, manifests; and the audit chain.
 * SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "core/cli/render.h"

#include <stdlib.h>
#include <string.h>

void wbl_render_checks(struct wbl_paper *p, const json_t *checks)
{
	const json_t *c;
	size_t i;

	json_array_foreach((json_t *)checks, i, c)
	{
		bool ok = wbl_json_bool(c, "ok", false);
		const char *text = wbl_value_str(c, "text");

		wbl_paper_tint(p, ok ? WBL_TINT_GREEN : WBL_TINT_RED);
		wbl_paper_add(p, ok ? "  ok   " : "  BAD  ");
		wbl_paper_tint(p, WBL_TINT_NONE);
		wbl_paper_line(p, "%s%s%s", wbl_value_str(c, "what"), *text ? ": " : "", text);
		if (!ok && *wbl_value_str(c, "hint"))
			wbl_paper_wrap(p, 9, "%s", wbl_value_str(c, "hint"));
	}
}

/* What the module says of itself; the engine's own members stand beside it. */
static const json_t *own_words(const json_t *m)
{
	const json_t *manifest = json_object_get(m, "manifest");

	return json_is_object(manifest) ? manifest : m;
}

static void provides_cells(struct wbl_table *t, const json_t *m)
{
	const json_t *all = json_object_get(m, "provides"), *x;
	struct wbl_buf b = { 0 };
	size_t i;

	json_array_foreach((json_t *)all, i, x)
	{
		const char *name =
			json_is_object(x) ? wbl_value_str(x, "name") : json_string_value(x);
		const char *interface = wbl_value_str(x, "interface");

		if (!strncmp(interface, "wbl.", 4))
			interface += 4;
		wbl_buf_addf(&b, "%s%.*s%s%s", b.len ? ", " : "", (int)strcspn(interface, "/"),
			interface, *interface ? " " : "", name ? name : "");
	}
	wbl_table_cell(t, WBL_TINT_NONE, "%s", b.len ? b.data : "");
	wbl_buf_clear(&b);
}

/* One line for each file that has a word in it: what it says about the module. */
static void settings(struct wbl_paper *p, const json_t *m)
{
	static const struct {
		const char *setting, *member;
	} all[] = { { "enabled", "status" }, { "reason", "reason" }, { "sha256", "pin" },
		{ "limits.memory", "memory_max" }, { "limits.cpu", "cpu_max_ns" },
		{ "limits.processes", "processes_max" }, { "allow_setuid", "allow_setuid" },
		{ "run_as", "run_as" } };
	const json_t *places = json_object_get(m, "places");
	size_t i;

	for (i = 0; i < WBL_COUNT(all); i++) {
		const char *place = wbl_json_str(places, all[i].setting);
		const json_t *value = json_object_get(m, all[i].member);
		WBL_AUTOFREE char *text = wbl_value_text(value);
		char said[40] = "";

		if (!place)
			continue;
		if (!strcmp(all[i].member, "memory_max"))
			wbl_size_text((uint64_t)json_integer_value(value), said);
		else if (!strcmp(all[i].member, "cpu_max_ns"))
			wbl_duration_text(json_integer_value(value), said);
		wbl_paper_wrap(p, 6, "%s %s, by %s", all[i].setting,
			!strcmp(all[i].setting, "enabled")
				? (strcmp(wbl_value_str(m, "status"), "disabled") ? "true"
										  : "false")
			: *said ? said
				: text,
			place);
	}
}

/* Folder by folder, in the order in which they count: what came from there, and by whose word it is as it is. */
static void origins(struct wbl_paper *p, const json_t *result)
{
	const json_t *folder, *m, *modules = json_object_get(result, "modules");
	size_t i, k;

	json_array_foreach(json_object_get(result, "folders"), i, folder)
	{
		const char *dir = json_string_value(folder);
		size_t len = strlen(dir);
		bool any = false;

		json_array_foreach((json_t *)modules, k, m)
		{
			const char *path = wbl_value_str(m, "path"), *why;

			if (strncmp(path, dir, len) || path[len] != '/' ||
				strchr(path + len + 1, '/'))
				continue;
			if (!any)
				wbl_paper_head(p, dir);
			any = true;
			why = wbl_value_str(json_object_get(m, "refused"), "text");
			wbl_paper_line(p, "  %s", path + len + 1);
			if (*why)
				wbl_paper_wrap(p, 6, "refused: %s", why);
			settings(p, m);
		}
	}
}

void wbl_render_handlers(struct wbl_paper *p, const json_t *result)
{
	const json_t *modules = json_object_get(result, "modules"), *m;
	const json_t *problems = json_object_get(result, "problems"), *e;
	struct wbl_table *t = wbl_table_new("lllLL");
	size_t i;

	json_array_foreach((json_t *)modules, i, m)
	{
		const char *state = wbl_value_str(m, "state");

		if (!*state)
			state = wbl_value_str(m, "status");
		if (!strcmp(state, "enabled"))
			state = "";
		if (!*state && !wbl_json_bool(m, "enabled", true))
			state = "disabled";
		wbl_table_cell(t, WBL_TINT_BOLD, "%s",
			*wbl_value_str(m, "module") ? wbl_value_str(m, "module")
						    : wbl_value_str(m, "name"));
		m = own_words(m);
		wbl_table_cell(t, WBL_TINT_NONE, "%s", wbl_value_str(m, "version"));
		wbl_table_cell(t, WBL_TINT_YELLOW, "%s", state);
		provides_cells(t, m);
		wbl_table_cell(t, WBL_TINT_DIM, "%s", wbl_value_str(m, "description"));
	}
	if (!json_array_size(modules))
		wbl_paper_line(p, "no module was found");
	wbl_table_print(t, p, 0);
	origins(p, result);
	if (json_array_size(problems))
		wbl_paper_head(p, "Refused");
	json_array_foreach((json_t *)problems, i, e)
	{
		wbl_paper_tint(p, WBL_TINT_RED);
		wbl_paper_wrap(p, 2, "%s%s%s", wbl_value_str(e, "where"),
			*wbl_value_str(e, "where") ? ": " : "", wbl_value_str(e, "text"));
		wbl_paper_tint(p, WBL_TINT_NONE);
		if (*wbl_value_str(e, "hint"))
			wbl_paper_wrap(p, 6, "%s", wbl_value_str(e, "hint"));
	}
}

static void params(struct wbl_paper *p, const json_t *all, int indent)
{
	const json_t *x;
	size_t i;

	json_array_foreach((json_t *)all, i, x)
	{
		const json_t *fallback = json_object_get(x, "default");
		WBL_AUTOFREE char *text = wbl_value_text(fallback);

		wbl_paper_add(p, "%*s", indent, "");
		wbl_paper_tint(p, WBL_TINT_BOLD);
		wbl_paper_add(p, "%s", wbl_value_str(x, "name"));
		wbl_paper_tint(p, WBL_TINT_NONE);
		wbl_paper_line(p, "  %s%s%s%s", wbl_value_str(x, "type"),
			wbl_json_bool(x, "required", false) ? ", required" : "",
			*text ? ", else " : "", text);
		if (*wbl_value_str(x, "description"))
			wbl_paper_wrap(p, indent + 4, "%s", wbl_value_str(x, "description"));
		if (*wbl_value_str(x, "deprecated"))
			wbl_paper_wrap(
				p, indent + 4, "deprecated: %s", wbl_value_str(x, "deprecated"));
		if (*wbl_value_str(x, "example"))
			wbl_paper_wrap(p, indent + 4, "example: %s", wbl_value_str(x, "example"));
		params(p, json_object_get(x, "params"), indent + 4);
		params(p, json_object_get(json_object_get(x, "items"), "params"), indent + 4);
	}
}

void wbl_render_manifest(struct wbl_paper *p, const json_t *entry)
{
	static const char *const rows[] = { "version", "id", "license", "vendor", "homepage" };
	static const char *const of_file[] = { "path", "sha256" };
	const json_t *m = own_words(entry), *x;
	size_t i;

	wbl_paper_tint(p, WBL_TINT_BOLD);
	wbl_paper_add(p, "%s",
		*wbl_value_str(m, "module") ? wbl_value_str(m, "module")
					    : wbl_value_str(m, "name"));
	wbl_paper_tint(p, WBL_TINT_NONE);
	wbl_paper_end(p);
	if (*wbl_value_str(m, "description"))
		wbl_paper_wrap(p, 2, "%s", wbl_value_str(m, "description"));
	for (i = 0; i < WBL_COUNT(rows); i++)
		if (*wbl_value_str(m, rows[i]))
			wbl_paper_line(p, "  %s: %s", rows[i], wbl_value_str(m, rows[i]));
	for (i = 0; i < WBL_COUNT(of_file); i++)
		if (*wbl_value_str(entry, of_file[i]))
			wbl_paper_line(p, "  %s: %s", of_file[i], wbl_value_str(entry, of_file[i]));
	json_array_foreach(json_object_get(m, "provides"), i, x)
	{
		WBL_AUTOFREE char *capabilities =
			wbl_value_list(json_object_get(x, "capabilities"), "");
		const char *family = wbl_value_str(x, "family");
		WBL_AUTOFREE char *title = wbl_strf("%s %s%s%s%s", wbl_value_str(x, "interface"),
			wbl_value_str(x, "name"), *family ? " (" : "", family, *family ? ")" : "");

		wbl_paper_head(p, title);
		if (*wbl_value_str(x, "description"))
			wbl_paper_wrap(p, 2, "%s", wbl_value_str(x, "description"));
		if (*capabilities)
			wbl_paper_wrap(p, 2, "can: %s", capabilities);
		params(p, json_object_get(x, "params"), 2);
	}
}

void wbl_render_audit_verify(struct wbl_paper *p, const json_t *r)
{
	bool ok = wbl_json_bool(r, "ok", false);
	WBL_AUTOFREE char *entries = wbl_value_count(r, "entries");
	WBL_AUTOFREE char *behind = wbl_value_count(r, "unanchored");
	int64_t upto = wbl_json_int(r, "anchor_seq", 0);

	wbl_paper_tint(p, ok ? WBL_TINT_GREEN : WBL_TINT_RED);
	wbl_paper_line(p,
		ok ? "the chain is whole: %s entries" : "THE CHAIN IS BROKEN: %s entries were read",
		*entries ? entries : "0");
	wbl_paper_tint(p, WBL_TINT_NONE);
	wbl_paper_line(p, "  head %s", wbl_value_str(r, "head"));
	if (wbl_json_bool(r, "anchored", false))
		wbl_paper_line(p, "  proved by the anchor up to entry %lld; %s came later",
			(long long)upto, *behind ? behind : "0");
	else
		wbl_paper_wrap(p, 2,
			"no anchor was given: whoever can write this folder could have made all %s "
			"anew; note "
			"the head elsewhere, and later: whimbrel audit verify --anchor HEAD",
			*behind ? behind : entries);
	if (wbl_json_int(r, "purged", 0) > 0)
		wbl_paper_line(p, "  %lld payloads were purged; their digests are in the chain",
			(long long)wbl_json_int(r, "purged", 0));
}

void wbl_render_audit_list(struct wbl_paper *p, const json_t *r)
{
	struct wbl_table *t = wbl_table_new("rlllllL");
	const json_t *e;
	size_t i;

	json_array_foreach(json_object_get(r, "entries"), i, e)
	{
		WBL_AUTOFREE char *actor = wbl_value_text(json_object_get(e, "actor"));
		char when[32];

		wbl_value_when(json_object_get(e, "time"), when);
		wbl_table_cell(t, WBL_TINT_DIM, "%lld", (long long)wbl_json_int(e, "seq", 0));
		wbl_table_cell(t, WBL_TINT_NONE, "%s", when);
		wbl_table_cell(t, WBL_TINT_NONE, "%s", actor);
		wbl_table_cell(t, WBL_TINT_NONE, "%s", wbl_value_str(e, "run"));
		wbl_table_cell(t, WBL_TINT_BOLD, "%s", wbl_value_str(e, "kind"));
		wbl_table_cell(t, WBL_TINT_NONE, "%s", wbl_value_str(e, "step"));
		wbl_table_cell(t, WBL_TINT_NONE, "%s", wbl_value_str(e, "name"));
	}
	wbl_table_print(t, p, 0);
}
