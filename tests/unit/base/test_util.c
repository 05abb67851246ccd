/* tests of core/base: text, durations, nearest names, paths, strict JSON.
 * req: X6 H3
 * SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/base/file.h"
#include "core/base/json.h"

static void test_durations(void **state)
{
	int64_t ns;

	assert_true(wbl_duration_parse("90s", &ns));
	assert_int_equal(ns, INT64_C(90000000000));
	assert_true(wbl_duration_parse("2h", &ns));
	assert_int_equal(ns, INT64_C(7200000000000));
	assert_true(wbl_duration_parse("250ms", &ns));
	assert_int_equal(ns, 250000000);
	assert_false(wbl_duration_parse("", &ns));
	assert_false(wbl_duration_parse("-1s", &ns));
	assert_false(wbl_duration_parse("3 fortnights", &ns));
	assert_false(wbl_duration_parse("99999999999999999999d", &ns));
	assert_false(wbl_duration_parse("18446744073709551d", &ns));
}

static void test_utf8(void **state)
{
	assert_true(wbl_utf8_valid("gr\xc3\xbc\xc3\x9f", 6));
	assert_false(wbl_utf8_valid("\xc0\x80", 2));
	assert_false(wbl_utf8_valid("\xed\xa0\x80", 3));
	assert_false(wbl_utf8_valid("\xf4\x90\x80\x80", 4));
	assert_false(wbl_utf8_valid("\xe2\x82", 2));
}

static void test_nearest(void **state)
{
	static const char *const names[] = { "source", "target", "options", NULL };

	assert_string_equal(wbl_nearest("sorce", names), "source");
	assert_string_equal(wbl_nearest("Target", names), "target");
	assert_null(wbl_nearest("zebra", names));
}

static void test_paths(void **state)
{
	char *p = wbl_path_absolute("/a/b", "../c/./d//e");

	assert_string_equal(p, "/a/c/d/e");
	free(p);
	p = wbl_path_absolute("/a", "/../../x");
	assert_string_equal(p, "/x");
	free(p);
}

static void test_json_is_strict(void **state)
{
	struct wbl_error err;
	json_t *j;
	char deep[300];

	assert_null(wbl_json_parse("{\"a\":1,\"a\":2}", 13, "x", &err));
	assert_null(wbl_json_parse("{} trailing", 11, "x", &err));
	assert_null(wbl_json_parse("\"\xff\"", 3, "x", &err));
	memset(deep, '[', sizeof deep);
	assert_null(wbl_json_parse(deep, sizeof deep, "x", &err));
	assert_int_equal(err.code, WBL_E_USAGE);
	j = wbl_json_parse("{\"n\":9007199254740993}", 22, "x", &err);
	assert_int_equal(wbl_json_int(j, "n", 0), INT64_C(9007199254740993));
	json_decref(j);
}

static void test_error_table(void **state)
{
	struct wbl_error err;

	assert_int_equal(wbl_fail(&err, WBL_E_OLD_PLAN, "p-1", "Plan again.", "used by %s", "r-1"),
		WBL_E_OLD_PLAN);
	assert_string_equal(err.text, "used by r-1");
	assert_int_equal(wbl_code_exit(WBL_E_OLD_PLAN), 4);
	assert_string_equal(wbl_code_name(WBL_E_CORRUPT), "data_corruption");
	assert_string_equal(wbl_code_name(-4711), "unknown");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_durations),
		cmocka_unit_test(test_utf8),
		cmocka_unit_test(test_nearest),
		cmocka_unit_test(test_paths),
		cmocka_unit_test(test_json_is_strict),
		cmocka_unit_test(test_error_table),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
