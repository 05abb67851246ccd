/* conform/verdicts.c - what the kit found: TAP for build systems, JSON for programs, text for people.
 * SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "core/conform/conform.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/file.h"

static bool is(const struct wbl_kit *k, const char *format)
{
	return !strcmp(k->format, format);
}

static bool is_bad(enum wbl_verdict v)
{
	return v == WBL_FAIL || v == WBL_CRASH;
}

void wbl_kit_tell_begin(const struct wbl_kit *k, size_t tests)
{
	if (is(k, "tap"))
		printf("1..%zu\n# %s, level %d, seed %" PRIu64 "\n", tests, k->path, k->level,
			k->seed);
	fflush(stdout);
}

static void tell_tap(size_t nth, const struct wbl_kit_result *r)
{
	const char *why = r->why ? r->why : "";

	printf("%s %zu - %s", is_bad(r->verdict) ? "not ok" : "ok", nth, r->test->name);
	if (r->verdict == WBL_SKIP)
		printf(" # SKIP %s\n", why);
	else if (r->verdict == WBL_WARN)
		printf(" # WARN %s\n", why);
	else
		printf("\n");
	if (is_bad(r->verdict))
		printf("# %s: %s\n", wbl_verdict_name(r->verdict), why);
	else if (r->verdict == WBL_PASS && *why)
		printf("# %s\n", why);
}

static void tell_text(const struct wbl_kit_result *r)
{
	char took[24];

	wbl_duration_text(r->elapsed_ns, took);
	printf("%-5s  %-28s %8s  %s\n", wbl_verdict_name(r->verdict), r->test->name, took,
		is_bad(r->verdict) || !r->why || !*r->why ? r->test->what : r->why);
	if (is_bad(r->verdict))
		printf("       %s\n", r->why);
}

void wbl_kit_tell(const struct wbl_kit *k, size_t nth, const struct wbl_kit_result *r)
{
	if (is(k, "tap"))
		tell_tap(nth, r);
	else if (is(k, "text"))
		tell_text(r);
	fflush(stdout);
}

static size_t count(const struct wbl_kit_result *all, size_t n, enum wbl_verdict v)
{
	size_t i, found = 0;

	for (i = 0; i < n; i++)
		found += all[i].verdict == v;
	return found;
}

/* The highest level below which nothing is bad; 0: none. */
static int reached(const struct wbl_kit *k, const struct wbl_kit_result *all, size_t n)
{
	int level = k->fixture || k->level < 2 ? k->level : 2;
	size_t i;

	for (i = 0; i < n; i++)
		if (is_bad(all[i].verdict) && all[i].test->level <= level)
			level = all[i].test->level - 1;
	return level;
}

static json_t *module_json(const struct wbl_kit *k)
{
	char sha[WBL_SHA256_HEX] = "";
	json_t *j = json_object();

	wbl_json_put(j, "name", k->name);
	wbl_json_put(j, "path", k->path);
	if (!wbl_sha256_file(k->path, sha, NULL))
		wbl_json_put(j, "sha256", sha);
	if (k->manifest) {
		wbl_json_put(j, "id", k->manifest->id);
		wbl_json_put(j, "version", k->manifest->version);
	}
	return j;
}

static void tell_json(
	const struct wbl_kit *k, const struct wbl_kit_result *all, size_t n, const char *badge)
{
	json_t *j = json_object(), *tests = json_array(), *counts = json_object();
	WBL_AUTOFREE char *text = NULL;
	size_t i;
	int v;

	wbl_json_put(j, "format", "whimbrel.conform");
	wbl_json_puti(j, "version", 1);
	wbl_json_put(j, "kit", PACKAGE_VERSION);
	json_object_set_new(j, "module", module_json(k));
	wbl_json_puti(j, "level", k->level);
	wbl_json_puti(j, "reached", reached(k, all, n));
	wbl_json_puti(j, "seed", (int64_t)k->seed);
	wbl_json_put(j, "conforms", badge);
	for (i = 0; i < n; i++) {
		json_t *t = json_object();

		wbl_json_put(t, "name", all[i].test->name);
		wbl_json_puti(t, "level", all[i].test->level);
		wbl_json_put(t, "what", all[i].test->what);
		wbl_json_put(t, "verdict", wbl_verdict_name(all[i].verdict));
		wbl_json_put(t, "why", all[i].why);
		wbl_json_puti(t, "elapsed_ns", all[i].elapsed_ns);
		json_array_append_new(tests, t);
	}
	for (v = WBL_PASS; v <= WBL_CRASH; v++)
		wbl_json_puti(counts, wbl_verdict_name((enum wbl_verdict)v),
			(int64_t)count(all, n, (enum wbl_verdict)v));
	json_object_set_new(j, "counts", counts);
	json_object_set_new(j, "tests", tests);
	text = wbl_json_pretty(j);
	fputs(text, stdout);
	json_decref(j);
}

void wbl_kit_tell_end(const struct wbl_kit *k, const struct wbl_kit_result *all, size_t n)
{
	size_t bad = count(all, n, WBL_FAIL) + count(all, n, WBL_CRASH);
	/* Without a fixture nothing was migrated; a part of the tests proves no level. */
	int level = k->fixture || k->level < 2 ? k->level : 2;
	WBL_AUTOFREE char *stride = k->stride > 1 ? wbl_strf(", stride %d", k->stride) : NULL;
	WBL_AUTOFREE char *badge =
		bad || k->only ? NULL
			       : wbl_strf("handler-abi %d.%d level %d (kit " PACKAGE_VERSION "%s)",
					 WBL_ABI_MAJOR, WBL_ABI_MINOR, level, stride ? stride : "");

	if (is(k, "json"))
		tell_json(k, all, n, badge);
	else if (is(k, "text"))
		printf("\n%s: %zu passed, %zu failed, %zu crashed, %zu warned, %zu skipped\n",
			k->name, count(all, n, WBL_PASS), count(all, n, WBL_FAIL),
			count(all, n, WBL_CRASH), count(all, n, WBL_WARN), count(all, n, WBL_SKIP));
	if (is(k, "text") && badge)
		printf("conforms %s\n", badge);
	if (is(k, "tap") && badge)
		printf("# conforms %s\n", badge);
	if (bad && !is(k, "json"))
		printf("%sagain: --only NAME --reproduce %" PRIu64 " --keep\n",
			is(k, "tap") ? "# " : "", k->seed);
	fflush(stdout);
}
