/* conform/fixture.c - fixture files, and commands in their world.
 * SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "core/conform/fixture.h"

#include <libconfig.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/base/file.h"
#include "core/conform/world.h"
#include "core/module/conf_json.h"

/* In a group beside a migration, or on their own with the spec as a text. */
static const struct wbl_conf_key keys[] = { { "kind", WBL_CONF_TEXT, false },
	{ "make", WBL_CONF_TEXT, false }, { "digest", WBL_CONF_TEXT, false },
	{ "tamper", WBL_CONF_TEXT, false }, { "spec", WBL_CONF_TEXT, false },
	{ NULL, WBL_CONF_ANY, false } };

static char *copy_of(const json_t *j, const char *key)
{
	const char *s = wbl_json_str(j, key);

	return s && *s ? wbl_strdup(s) : NULL;
}

/* The kit waits for nothing that an engine would wait for between attempts, unless the author wants it. */
static void hurry(config_setting_t *migration)
{
	config_setting_t *b;

	if (!migration || config_setting_type(migration) != CONFIG_TYPE_GROUP ||
		config_setting_get_member(migration, "backoff"))
		return;
	b = config_setting_add(migration, "backoff", CONFIG_TYPE_STRING);
	if (b)
		config_setting_set_string(b, "1ms");
}

/* The spec without the group `fixture`, as libconfig writes it. */
static int32_t read_spec(struct wbl_fixture *f, const char *text, struct wbl_error *err)
{
	char *out = NULL;
	size_t len = 0;
	FILE *stream = open_memstream(&out, &len);
	config_setting_t *list;
	config_t c;
	int32_t rc = 0;
	int i;

	config_init(&c);
	if (!stream || config_read_string(&c, text) != CONFIG_TRUE)
		rc = wbl_fail(err, WBL_E_USAGE, f->file, NULL,
			"its spec cannot be read: line %d: %s", config_error_line(&c),
			config_error_text(&c));
	if (!rc) {
		config_setting_remove(config_root_setting(&c), "fixture");
		hurry(config_lookup(&c, "migration"));
		list = config_lookup(&c, "migrations");
		for (i = 0; list && i < config_setting_length(list); i++)
			hurry(config_setting_get_elem(list, (unsigned)i));
		config_write(&c, stream);
	}
	if (stream)
		fclose(stream);
	config_destroy(&c);
	free(f->spec);
	f->spec = out;
	return rc;
}

static int32_t read_group(struct wbl_fixture *f, const struct wbl_conf *c, struct wbl_error *err)
{
	static const char *const kinds[] = { "files", "directory", "sqlite", "none" };
	const json_t *group = json_object_get(c->json, "fixture");
	bool alone = !group && !json_object_get(c->json, "migration") &&
		     !json_object_get(c->json, "migrations");
	size_t i;
	int32_t rc;

	if (!alone && !json_is_object(group))
		return wbl_fail(err, WBL_E_USAGE, f->file,
			"Write fixture: { make = \"...\"; }; beside the migration.",
			"has no group \"fixture\"");
	group = alone ? c->json : group;
	rc = wbl_conf_check(c, group, alone ? "" : "fixture", keys, err);
	if (rc)
		return rc;
	f->kind = copy_of(group, "kind");
	f->make = copy_of(group, "make");
	f->digest = copy_of(group, "digest");
	f->tamper = copy_of(group, "tamper");
	f->spec = copy_of(group, "spec");
	if (!f->kind)
		f->kind = wbl_strdup("files");
	for (i = 0; i < WBL_COUNT(kinds) && strcmp(kinds[i], f->kind); i++)
		;
	if (i == WBL_COUNT(kinds))
		return wbl_conf_fail(c, alone ? "kind" : "fixture.kind",
			"Write files, directory, sqlite or none.", err,
			"\"%s\" is no kind of fixture", f->kind);
	if (alone && !f->spec && strcmp(f->kind, "none"))
		return wbl_fail(err, WBL_E_USAGE, f->file,
			"Write the migration beside a group \"fixture\", or as the text \"spec\".",
			"says no migration");
	return 0;
}

int32_t wbl_fixture_load(const char *path, struct wbl_fixture **ret, struct wbl_error *err)
{
	struct wbl_fixture *f = wbl_alloc(sizeof *f);
	struct wbl_conf *c = NULL;
	struct wbl_buf text = { 0 };
	char real[PATH_MAX];
	int32_t rc;

	f->file = wbl_strdup(path);
	if (!realpath(path, real)) {
		rc = wbl_fail_errno(err, WBL_E_USAGE, path, NULL, "the fixture cannot be read");
	} else {
		*strrchr(real, '/') = '\0';
		f->dir = wbl_strdup(*real ? real : "/");
		rc = wbl_file_read(path, 1 << 20, &text, err);
	}
	if (!rc)
		rc = wbl_conf_parse(
			text.data ? text.data : "", text.len, path, WBL_SCAN_SPEC, &c, err);
	if (!rc)
		rc = read_group(f, c, err);
	if (!rc && f->spec)
		rc = wbl_libconfig_scan(f->spec, strlen(f->spec), path, WBL_SCAN_SPEC, err);
	if (!rc && (f->spec || strcmp(f->kind, "none")))
		rc = read_spec(f, f->spec ? f->spec : text.data, err);
	wbl_conf_free(c);
	wbl_buf_clear(&text);
	if (rc)
		wbl_fixture_free(f);
	else
		*ret = f;
	return rc;
}

void wbl_fixture_free(struct wbl_fixture *f)
{
	if (!f)
		return;
	free(f->file);
	free(f->dir);
	free(f->kind);
	free(f->make);
	free(f->digest);
	free(f->tamper);
	free(f->spec);
	free(f);
}

char *wbl_fixture_folder(const struct wbl_kit *k)
{
	return wbl_strf("%s/fixture", k->scratch);
}

char *wbl_fixture_spec(const struct wbl_kit *k)
{
	WBL_AUTOFREE char *folder = wbl_fixture_folder(k);
	const char *s = k->fixture->spec;
	struct wbl_buf b = { 0 };

	while (*s) {
		if (!strncmp(s, "$FIXTURE", 8)) {
			wbl_buf_adds(&b, folder);
			s += 8;
		} else if (!strncmp(s, "$DIR", 4)) {
			wbl_buf_adds(&b, k->fixture->dir);
			s += 4;
		} else {
			wbl_buf_add(&b, s++, 1);
		}
	}
	return wbl_buf_take(&b);
}

int32_t wbl_fixture_command(
	const struct wbl_kit *k, const char *command, struct wbl_buf *out, struct wbl_error *err)
{
	WBL_AUTOFREE char *folder = wbl_fixture_folder(k);
	WBL_AUTOFREE char *fixture = wbl_strf("FIXTURE=%s", folder);
	WBL_AUTOFREE char *dir = wbl_strf("DIR=%s", k->fixture->dir);
	const char *const argv[] = { "/bin/sh", "-ec", command, NULL };
	const char *const env[] = { fixture, dir, NULL };
	struct wbl_buf said = { 0 };
	int status = wbl_world_spawn(k, argv, env, folder, &said);
	int32_t rc = 0;

	if (status)
		rc = wbl_fail(err, WBL_E_FAILED, k->fixture->file, NULL,
			"its command \"%s\" ended with status %d: %.300s", command, status,
			said.data ? said.data : "");
	if (!rc && out)
		wbl_buf_add(out, said.data, said.len);
	wbl_buf_clear(&said);
	return rc;
}

/* The first line of `a` that is not in `b`; both are sorted. Its length in *ret_len. */
static const char *first_missing(const char *a, const char *b, size_t *ret_len)
{
	while (*a) {
		size_t la = strcspn(a, "\n"), lb = strcspn(b, "\n"), n = la < lb ? la : lb;
		int order = *b ? strncmp(a, b, n) : -1;

		if (!order)
			order = la < lb ? -1 : la > lb;
		if (order < 0) {
			*ret_len = la;
			return a;
		}
		if (!order)
			a += la + (a[la] == '\n');
		b += lb + (b[lb] == '\n');
	}
	return NULL;
}

char *wbl_fixture_difference(const char *before, const char *now)
{
	const char *gone, *come;
	size_t ngone = 0, ncome = 0;

	before = before ? before : "";
	now = now ? now : "";
	if (!strcmp(before, now))
		return NULL;
	gone = first_missing(before, now, &ngone);
	come = first_missing(now, before, &ncome);
	if (!gone && !come)
		return wbl_strdup("the order of its lines");
	return wbl_strf("%s%.*s%s%s%.*s%s", gone ? "expected \"" : "",
		(int)(ngone < 200 ? ngone : 200), gone ? gone : "", gone ? "\"" : "",
		come ? gone ? ", found \"" : "found \"" : "", (int)(ncome < 200 ? ncome : 200),
		come ? come : "", come ? "\"" : "");
}
