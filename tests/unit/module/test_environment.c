/* tests of core/module/environment.c: connections are found by name, with their place; wrong files name theirs.
 * req: E1 E2 C6
 * SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/base/file.h"
#include "core/module/environment.h"
#include "tests/unit/module/said.h"

static char dir[64];

static int set_up(void **state)
{
	strcpy(dir, "/tmp/wbl-env-XXXXXX");
	return mkdtemp(dir) ? 0 : -1;
}

static int tear_down(void **state)
{
	char command[128];

	snprintf(command, sizeof command, "rm -rf %s", dir);
	return system(command);
}

static void put(const char *name, const char *text)
{
	char path[256];
	struct wbl_error err;

	snprintf(path, sizeof path, "%s/%s", dir, name);
	assert_int_equal(wbl_file_replace(path, text, strlen(text), 0600, &err), 0);
}

static void test_loaded(void **state)
{
	struct wbl_environment *e;
	struct wbl_error err;
	char place[128];
	const json_t *j;

	put("live.conf", "profile = \"production\"; rollback = \"auto\"; validation = "
			 "\"strict\";\nconnections = {\n"
			 "  crm = { store = \"sqlite\";\n    path = \"/x\"; };\n  lb = { router = "
			 "\"command\"; };\n};\n");
	assert_int_equal(wbl_environment_load(dir, "live", &e, &err), 0);
	assert_string_equal(e->name, "live");
	assert_string_equal(e->profile, "production");
	assert_string_equal(e->rollback, "auto");
	assert_string_equal(e->validation, "strict");
	assert_string_equal(e->places->dir, dir);
	j = wbl_environment_connection(e, "crm", &err);
	assert_string_equal(wbl_json_str(j, "path"), "/x");
	snprintf(place, sizeof place, "%s/live.conf:4", dir);
	assert_string_equal(wbl_environment_place(e, "crm", "path"), place);
	snprintf(place, sizeof place, "%s/live.conf:3", dir);
	assert_string_equal(wbl_environment_place(e, "crm", ""), place);
	assert_null(wbl_environment_place(e, "crn", "path"));
	assert_null(wbl_environment_connection(e, "crn", &err));
	assert_string_equal(said(&err, dir), "DIR/live.conf | the environment \"live\" has no "
					     "connection \"crn\" | Did you mean \"crm\"?");
	assert_null(wbl_environment_connection(e, "warehouse", &err));
	assert_string_equal(err.hint, "Known: crm, lb.");
	wbl_environment_free(e);
}

static void test_absent(void **state)
{
	struct wbl_environment *e;
	struct wbl_error err;

	assert_int_equal(wbl_environment_load(dir, "default", &e, &err), 0);
	assert_null(e->file);
	assert_null(wbl_environment_connection(e, "crm", &err));
	assert_string_equal(said(&err, dir),
		" | the environment \"default\" has no connection \"crm\" | There are none.");
	assert_null(wbl_environment_place(e, "crm", "path"));
	wbl_environment_free(e);
	assert_int_equal(wbl_environment_load(dir, "staging", &e, &err), WBL_E_NOT_FOUND);
	assert_string_equal(said(&err, dir), "DIR/staging.conf | there is no environment "
					     "\"staging\" | Make the file DIR/staging.conf.");
	put("live.conf", "");
	assert_int_equal(wbl_environment_load(dir, "staging", &e, &err), WBL_E_NOT_FOUND);
	assert_string_equal(err.hint, "There are: live.");
	assert_int_equal(wbl_environment_load(dir, "../live", &e, &err), WBL_E_USAGE);
	assert_string_equal(said(&err, dir),
		" | \"../live\" is not the name of an environment | Use letters, digits, _ and -.");
}

static const struct {
	const char *text, *said;
} bad[] = {
	{ "profil = \"x\";", "DIR/default.conf:1: profil | the setting \"profil\" is not known "
			     "here | Did you mean \"profile\"?" },
	{ "profile = 1;", "DIR/default.conf:1: profile | expected a text, found the number 1 | "
			  "Write profile = \"...\";" },
	{ "connections = ( );", "DIR/default.conf:1: connections | expected a group, found a list "
				"| Write connections = { ... };" },
	{ "connections = {\n crm = \"x\"; };",
		"DIR/default.conf:2: connections.crm | a connection is a group of parameters | "
		"Write { store = \"NAME\"; ... }." },
	{ "connections = {\n crm = { path = \"x\"; }; };",
		"DIR/default.conf:2: connections.crm | a connection names exactly one store, "
		"router or transform, this one 0 | Write { "
		"store = \"NAME\"; ... }." },
	{ "connections = { crm = { store = \"a\"; router = \"b\"; }; };",
		"DIR/default.conf:1: connections.crm | a connection names exactly one store, "
		"router or transform, this one 2 | Write { "
		"store = \"NAME\"; ... }." },
	{ "connections = { crm = { store = \"a\"; port = 5000000000; }; };",
		"DIR/default.conf:1:45 | the integer 5000000000 does not fit into 32 bits and has "
		"no L behind it | Write an L behind "
		"it." },
};

static void test_refused(void **state)
{
	struct wbl_environment *e;
	struct wbl_error err;
	size_t i;

	for (i = 0; i < WBL_COUNT(bad); i++) {
		put("default.conf", bad[i].text);
		assert_int_equal(wbl_environment_load(dir, "default", &e, &err), WBL_E_USAGE);
		assert_string_equal(said(&err, dir), bad[i].said);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_loaded, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_absent, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_refused, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
