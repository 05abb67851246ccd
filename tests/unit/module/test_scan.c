/* tests of core/module/scan.c and conf_json.c: what libconfig would misread is refused with its place; what it
 * reads keeps its place.
 * req: H3 C6 U4
 * SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/base/file.h"
#include "core/module/conf_json.h"
#include "tests/unit/module/said.h"

#define QUOTE "Give a number, or put a text in double quotes."

static const struct {
	const char *text, *said;
} bad[] = {
	{ "a = 5000000000;", "f:1:5 | the integer 5000000000 does not fit into 32 bits and has no "
			     "L behind it | Write an L behind it." },
	{ "a = -2147483649;", "f:1:5 | the integer -2147483649 does not fit into 32 bits and has "
			      "no L behind it | Write an L behind it." },
	{ "a =\n  0xFFFFFFFF;", "f:2:3 | the integer 0xFFFFFFFF does not fit into 32 bits and has "
				"no L behind it | Write an L behind it." },
	{ "a = 9223372036854775808L;", "f:1:5 | the integer 9223372036854775808L does not fit into "
				       "64 bits | Use a number that fits." },
	{ "a = 99999999999999999999;", "f:1:5 | the integer 99999999999999999999 does not fit into "
				       "64 bits | Use a number that fits." },
	{ "a = [1, 2, 3000000000];", "f:1:12 | the integer 3000000000 does not fit into 32 bits "
				     "and has no L behind it | Write an L behind it." },
	{ "a = 5000000000b = 1;", "f:1:5 | \"5000000000b\" is not a number | " QUOTE },
	{ "a = 1.5.5;", "f:1:5 | \"1.5.5\" is not a number | " QUOTE },
	{ "a = .;", "f:1:5 | \".\" is not a number | " QUOTE },
	{ "a = 1e999;", "f:1:5 | \"1e999\" is not a number | " QUOTE },
	{ "a = -0x5;", "f:1:5 | \"-0x5\" is not a number | " QUOTE },
	{ "# one\n/* two\n */ @include \"x\"",
		"f:3:5 | @include is not allowed here | Put all settings into one file." },
	{ "a = @b;", "f:1:5 | unexpected \"@\" | Put texts in double quotes." },
	{ "a = 1; /* never", "f:1:8 | this comment is never closed | Close it with */." },
	{ "a = \"x\" // \"\n  \"yz;\n",
		"f:2:3 | this string is never closed | Close it with a double quote." },
	{ "a = \"x\\\"", "f:1:5 | this string is never closed | Close it with a double quote." },
	{ "a = \"x\\x00y\";",
		"f:1:7 | \\x00 would be dropped from the text | Texts cannot hold NUL bytes." },
	{ "a = \"\n\xff\";", "f:2:1 | a byte that is not UTF-8 | Save the file as UTF-8 text." },
	{ "a = \"\xe2\x82\xac\xc0\xaf\";",
		"f:1:9 | a byte that is not UTF-8 | Save the file as UTF-8 text." },
	{ "a=((((((((((((((((({}))))))))))))))))));",
		"f:1:19 | nested deeper than 16 | Make it flatter." },
};

static const char *const good[] = {
	"",
	"a = 2147483647; b = -2147483648; c = 0x7fffffff; d = 5000000000L; e = "
	"-9223372036854775808L;",
	"a = 1.5; b = -.5; c = 1e5; d = +3;",
	"# 5000000000 @include \"\n// /* \" \n/* 5000000000 \" @ */ a = 1;",
	"a = \"5000000000 @include # // /* \\\" \\\\\" \"(((((((((((((((((((((((((\";",
	"a9 = 1; b_5000000000 = 2; c-5000000000 = 3;",
	"a = (1, (2, (3)), { b = [4]; });",
};

static void test_refused(void **state)
{
	struct wbl_error err;
	size_t i;

	for (i = 0; i < WBL_COUNT(bad); i++) {
		assert_int_equal(wbl_libconfig_scan(bad[i].text, strlen(bad[i].text), "f", 0, &err),
			WBL_E_USAGE);
		assert_string_equal(said(&err, NULL), bad[i].said);
	}
}

static void test_accepted(void **state)
{
	struct wbl_error err = { 0 };
	size_t i;

	for (i = 0; i < WBL_COUNT(good); i++) {
		if (wbl_libconfig_scan(good[i], strlen(good[i]), "f", 0, &err))
			fail_msg("%s: %s", good[i], said(&err, NULL));
	}
}

static void test_sizes(void **state)
{
	size_t n = (1u << 20) + 1, i;
	char *big = malloc(n);
	struct wbl_error err;

	assert_int_equal(wbl_libconfig_scan("a = 1\0;", 7, "f", 0, &err), WBL_E_USAGE);
	assert_string_equal(said(&err, NULL), "f:1:6 | a NUL byte | Save the file as UTF-8 text.");
	memset(big, ' ', n);
	assert_int_equal(wbl_libconfig_scan(big, 262144, "f", 0, &err), 0);
	assert_int_equal(wbl_libconfig_scan(big, 262145, "f", 0, &err), WBL_E_USAGE);
	assert_string_equal(said(&err, NULL),
		"f | is larger than the 262144 bytes that are allowed | Make it smaller.");
	assert_int_equal(wbl_libconfig_scan(big, n - 1, "f", WBL_SCAN_SPEC, &err), 0);
	assert_int_equal(wbl_libconfig_scan(big, n, "f", WBL_SCAN_SPEC, &err), WBL_E_USAGE);
	for (i = 4; i < n; i++) /* many short strings, which libconfig joins to a long one */
		big[i] = i % 64 == 63 ? '\n' : i % 64 == 0 || i % 64 == 62 ? '"' : 'x';
	memcpy(big, "a = \"", 5);
	assert_int_equal(wbl_libconfig_scan(big, n - 1, "f", WBL_SCAN_SPEC, &err), WBL_E_USAGE);
	assert_non_null(strstr(err.text, "this string is longer than 262144 bytes"));
	free(big);
}

static void put(const char *dir, const char *name, const char *text)
{
	char path[512];
	FILE *f;

	snprintf(path, sizeof path, "%s/%s", dir, name);
	f = fopen(path, "w");
	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static const struct {
	const char *spec, *said; /* said NULL: accepted */
} includes[] = {
	{ "@include \"inc/a.conf\"\nz = 1;", NULL },
	{ "z = 1; @include \"inc/a.conf\"",
		"DIR/spec:1:8 | @include must begin its line | Put it on a line of its own." },
	{ "@include \"/etc/passwd\"",
		"DIR/spec:1:1 | @include \"/etc/passwd\": an absolute path is not allowed | Name a "
		"file below the folder of the spec." },
	{ "@include \"../../../../etc/passwd\"",
		"DIR/spec:1:1 | @include \"../../../../etc/passwd\": the file lies outside DIR | "
		"Name a file below the folder of the spec." },
	{ "@include \"out\"", "DIR/spec:1:1 | @include \"out\": the file lies outside DIR | Name a "
			      "file below the folder of the spec." },
	{ "@include \"inc\"", "DIR/spec:1:1 | @include \"inc\": is not a regular file | Name a "
			      "regular file that can be read." },
	{ "\n @include \"none\"", "DIR/spec:2:2 | @include \"none\": No such file or directory | "
				  "Check the name; it is looked up in the folder of the spec." },
	{ "@include \"wide.conf\"", "DIR/wide.conf:2:5 | the integer 5000000000 does not fit into "
				    "32 bits and has no L behind it | Write an L behind it." },
	{ "@include \"loop.conf\"", "DIR/loop.conf:1:1 | files are included deeper than 4 | Does a "
				    "file include itself?" },
	{ "@include 5",
		"DIR/spec:1:1 | @include needs a file name | Write @include \"file.conf\"." },
	{ "@include \"a\\b\"", "DIR/spec:1:1 | the file name of @include is not a plain one | "
			       "Write @include \"file.conf\"." },
};

static void test_includes(void **state)
{
	char dir[] = "/tmp/wbl-scan-XXXXXX", path[600];
	struct wbl_conf *c;
	struct wbl_error err;
	size_t i;

	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof path, "%s/inc", dir);
	assert_int_equal(mkdir(path, 0755), 0);
	snprintf(path, sizeof path, "%s/out", dir);
	assert_int_equal(symlink("/etc/passwd", path), 0);
	put(dir, "inc/a.conf", "\nq = { r = 1; };\n");
	put(dir, "wide.conf", "\nw = 5000000000;\n");
	put(dir, "loop.conf", "@include \"loop.conf\"\n");
	snprintf(path, sizeof path, "%s/spec", dir);
	for (i = 0; i < WBL_COUNT(includes); i++) {
		int32_t rc = wbl_libconfig_scan(includes[i].spec, strlen(includes[i].spec), path,
			WBL_SCAN_SPEC | WBL_SCAN_INCLUDE, &err);

		assert_int_equal(rc, includes[i].said ? WBL_E_USAGE : 0);
		if (rc)
			assert_string_equal(said(&err, dir), includes[i].said);
	}
	put(dir, "spec", "@include \"inc/a.conf\"\nz = 1;\n");
	assert_int_equal(wbl_conf_load(path, WBL_SCAN_SPEC | WBL_SCAN_INCLUDE, &c, &err), 0);
	assert_non_null(strstr(wbl_conf_place(c, "q.r"), "/inc/a.conf:2"));
	assert_non_null(strstr(wbl_conf_place(c, "z"), "/spec:2"));
	wbl_conf_free(c);
	snprintf(path, sizeof path, "rm -rf %s", dir);
	assert_int_equal(system(path), 0);
}

static void test_json_and_places(void **state)
{
	static const char text[] = "n = 1;\nbig = 5000000000L;\nx = 1.5;\nyes = TRUE;\n"
				   "t = \"a\"\n \"b\\x41\";\ng = {\n  list = ( 1,\n { k = \"v\"; } "
				   ");\n arr = [ 2 ]; };\n";
	struct wbl_conf *c;
	struct wbl_error err;
	char *json;

	assert_int_equal(wbl_conf_parse(text, sizeof text - 1, "d/f", 0, &c, &err), 0);
	json = wbl_json_text(c->json);
	assert_string_equal(json,
		"{\"n\":1,\"big\":5000000000,\"x\":1.5,\"yes\":true,\"t\":\"abA\","
		"\"g\":{\"list\":[1,{\"k\":\"v\"}],\"arr\":[2]}}");
	free(json);
	assert_string_equal(wbl_conf_place(c, "big"), "d/f:2");
	assert_string_equal(wbl_conf_place(c, "g.list[1].k"), "d/f:9");
	assert_string_equal(wbl_conf_place(c, "g.list[1].absent.deep"), "d/f:9");
	assert_string_equal(wbl_conf_place(c, "g.arr[0]"), "d/f:10");
	assert_string_equal(wbl_conf_place(c, "absent"), "d/f");
	assert_string_equal(c->lookup.of(&c->lookup, "x"), "d/f:3");
	wbl_conf_free(c);
}

static void test_syntax(void **state)
{
	static const struct {
		const char *text, *said;
	} rows[] = {
		{ "a = 1;\na = 2;",
			"f:2 | a setting with this name stands here already | Keep one of them." },
		{ "a = 1;\nb = ;", "f:2 | not valid libconfig text: syntax error | Look at this "
				   "line and the one before it: "
				   "a setting is name = value; and brackets come in pairs." },
		{ "a = { b = 1;", "f:1 | not valid libconfig text: syntax error | Look at this "
				  "line and the one before it: "
				  "a setting is name = value; and brackets come in pairs." },
		{ "a = (\n\"\\xff\");", "f:2 | a[0]: the text is not UTF-8 after its escapes | "
					"Correct the value." },
	};
	struct wbl_conf *c;
	struct wbl_error err;
	size_t i;

	for (i = 0; i < WBL_COUNT(rows); i++) {
		assert_int_equal(
			wbl_conf_parse(rows[i].text, strlen(rows[i].text), "f", 0, &c, &err),
			WBL_E_USAGE);
		assert_string_equal(said(&err, NULL), rows[i].said);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_accepted),
		cmocka_unit_test(test_sizes),
		cmocka_unit_test(test_includes),
		cmocka_unit_test(test_json_and_places),
		cmocka_unit_test(test_syntax),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
