/* tests of core/module/params.c and secret.c: every mistake in a spec is named with its place and path, all at once;
 * what is right comes out canonical; secrets stay references.
 * req: C6 P1 U5 V3 X1
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
#include "core/module/params.h"
#include "core/module/registry.h"
#include "tests/unit/module/said.h"

static const char text[] =
	"manifest = 1; module = \"m\"; id = \"org.example.m\"; version = \"1.0\"; abi = { major = "
	"1; };\n"
	"handlers = ( { name = \"h\"; params = (\n"
	"  { name = \"path\"; type = \"path\"; required = true; example = \"/etc/motd\"; },\n"
	"  { name = \"name\"; type = \"string\"; min = 2; max = 5; pattern = \"^[a-z\xc3\xa4]+$\"; "
	"example = \"abc\"; },\n"
	"  { name = \"rows\"; type = \"int\"; min = 1; max = 10; default = 5; },\n"
	"  { name = \"rate\"; type = \"float\"; min = 0; max = 2; },\n"
	"  { name = \"deep\"; type = \"bool\"; default = false; },\n"
	"  { name = \"mode\"; type = \"enum\"; values = ( \"copy\", \"move\" ); default = "
	"\"copy\"; },\n"
	"  { name = \"room\"; type = \"size\"; min = \"1K\"; max = \"1G\"; },\n"
	"  { name = \"wait\"; type = \"duration\"; min = \"1s\"; max = \"2h\"; },\n"
	"  { name = \"site\"; type = \"url\"; },\n"
	"  { name = \"key\"; type = \"secret\"; },\n"
	"  { name = \"token\"; type = \"string\"; secret = true; },\n"
	"  { name = \"old\"; type = \"int\"; deprecated = \"Use rows.\"; },\n"
	"  { name = \"log\"; type = \"path\"; default = \"run.log\"; },\n"
	"  { name = \"tables\"; type = \"list\"; min = 1; max = 3; items = { type = \"group\"; "
	"params = (\n"
	"    { name = \"name\"; type = \"string\"; required = true; }, { name = \"keep\"; type = "
	"\"duration\"; default = \"7d\"; } ); }; },\n"
	"  { name = \"labels\"; type = \"map\"; max = 2; items = { type = \"string\"; }; },\n"
	"  { name = \"source\"; type = \"peer\"; interface = \"wbl.store/1\"; } ); } );\n"
	"stores = ( { name = \"sqlite\"; params = (\n"
	"  { name = \"path\"; type = \"path\"; required = true; }, { name = \"busy\"; type = "
	"\"duration\"; default = \"5s\"; },\n"
	"  { name = \"inner\"; type = \"peer\"; interface = \"wbl.store/1\"; } ); } );\n";

static struct wbl_manifest *manifest;
static struct wbl_module_entry entry = {
	.name = (char *)"m", .path = (char *)"/m.so", .enabled = true
};
static struct wbl_registry registry = { .entries = &entry, .count = 1 };

static int set_up(void **state)
{
	struct wbl_error err;

	if (wbl_manifest_parse(text, sizeof text - 1, "m", &manifest, &err)) {
		print_error("%s\n", said(&err, NULL));
		return -1;
	}
	entry.manifest = manifest;
	return 0;
}

static int tear_down(void **state)
{
	wbl_manifest_free(manifest);
	return 0;
}

/* The spec is "options = {\n ... };" in /d/spec: line 2 holds what is given. */
static int32_t check(
	const char *given, json_t **ret, json_t **errors, json_t **warnings, struct wbl_error *err)
{
	char *spec = wbl_strf("options = {\n%s };", given);
	struct wbl_conf *c;
	int32_t rc = wbl_conf_parse(spec, strlen(spec), "/d/spec", WBL_SCAN_SPEC, &c, err);

	assert_int_equal(rc, 0);
	rc = wbl_params_check(&manifest->provides[0], &registry, WBL_PARAMS_FOR_RUN,
		json_object_get(c->json, "options"), "options", &c->lookup, ret, errors, warnings,
		err);
	wbl_conf_free(c);
	free(spec);
	return rc;
}

static void expect(const char *given, const char *canonical)
{
	json_t *ret = NULL, *errors = NULL;
	struct wbl_error err = { 0 };
	char *json;

	if (check(given, &ret, &errors, NULL, &err))
		fail_msg("%s: %s", given, said(&err, NULL));
	assert_int_equal(json_array_size(errors), 0);
	json_object_del(ret, "rows");
	json_object_del(ret, "deep");
	json_object_del(ret, "mode");
	json_object_del(ret, "log");
	json_object_del(ret, "path");
	json = wbl_json_text(ret);
	assert_string_equal(json, canonical);
	free(json);
	json_decref(ret);
	json_decref(errors);
}

static void test_canonical(void **state)
{
	json_t *ret, *warnings;
	struct wbl_error err;
	char *json;

	assert_int_equal(check("path = \"../x//y\"; old = 1;", &ret, NULL, &warnings, &err), 0);
	json = wbl_json_text(ret);
	assert_string_equal(json, "{\"path\":\"/x/"
				  "y\",\"rows\":5,\"deep\":false,\"mode\":\"copy\",\"old\":1,"
				  "\"log\":\"/d/run.log\"}");
	free(json);
	json_decref(ret);
	json = wbl_json_text(warnings);
	assert_string_equal(json,
		"[{\"where\":\"/d/spec:2: options.old\",\"path\":\"options.old\","
		"\"text\":\"this parameter is deprecated\",\"hint\":\"Use rows.\"}]");
	free(json);
	json_decref(warnings);
	expect("path = \"/x\"; name = \"\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\";",
		"{\"name\":\"\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\"}");
	expect("path = \"/x\"; rate = 1;", "{\"rate\":1.0}");
	expect("path = \"/x\"; room = \"64M\"; wait = \"90s\";",
		"{\"room\":67108864,\"wait\":90000000000}");
	expect("path = \"/x\"; room = 4096; wait = 90;", "{\"room\":4096,\"wait\":90000000000}");
	expect("path = \"/x\"; site = \"http://u@h:80/?q=a:b@c\";",
		"{\"site\":\"http://u@h:80/?q=a:b@c\"}");
	expect("path = \"/x\"; site = \"mailto:ops@example.org\";",
		"{\"site\":\"mailto:ops@example.org\"}");
	expect("path = \"/x\"; key = \"file:k\"; token = \"env:TOKEN_1\";",
		"{\"key\":{\"$secret\":\"file:/d/k\"},\"token\":{\"$secret\":\"env:TOKEN_1\"}}");
	expect("path = \"/x\"; tables = ( { name = \"a\"; }, { name = \"b\"; keep = 1; } );",
		"{\"tables\":[{\"name\":\"a\",\"keep\":604800000000000},{\"name\":\"b\",\"keep\":"
		"1000000000}]}");
	expect("path = \"/x\"; labels = { A-1 = \"x\"; };", "{\"labels\":{\"A-1\":\"x\"}}");
	expect("path = \"/x\"; source = { store = \"sqlite\"; path = \"n.db\"; inner = { store = "
	       "\"sqlite\"; path = \"/z\"; }; };",
		"{\"source\":{\"path\":\"/d/n.db\",\"busy\":5000000000,\"inner\":{\"path\":\"/"
		"z\",\"busy\":5000000000,"
		"\"store\":\"sqlite\"},\"store\":\"sqlite\"}}");
}

#define AT "/d/spec:2: options."
#define DURATION "Write seconds, or a text such as \"250ms\", \"90s\", \"2h\" or \"7d\"."
#define SECRET_HINT                                                                                \
	"Put the secret into a file that only you can read and write \"file:/path\", or "          \
	"\"env:NAME\"."

static const struct {
	const char *given, *said;
} bad[] = {
	{ "", "/d/spec:1: options | the parameter \"path\" (path) of handler h is missing | Add "
	      "path = \"/etc/motd\";" },
	{ "path = 5;", AT "path | expected a path, found the number 5 | Put it in double quotes." },
	{ "path = \"\";", AT "path | the path is empty | Name a file or folder." },
	{ "path = \"~/x\";", AT "path | the path begins with \"~\", which only a shell knows | "
				"Write the whole path." },
	{ "path = \"/x\"; nam = \"abc\";",
		AT "nam | \"nam\" is not a parameter of handler h | Did you mean \"name\"?" },
	{ "path = \"/x\"; name = true;",
		AT "name | expected a text, found true | Put it in double quotes." },
	{ "path = \"/x\"; name = \"a\";",
		AT "name | the length is 1, the smallest allowed is 2 | Give a larger one." },
	{ "path = \"/x\"; name = \"abcdef\";",
		AT "name | the length is 6, the largest allowed is 5 | Give a smaller one." },
	{ "path = \"/x\"; name = \"ABC\";",
		AT "name | the text \"ABC\" does not match ^[a-z\xc3\xa4]+$ | For example: abc" },
	{ "path = \"/x\"; rows = \"5\";", AT
		"rows | expected a whole number, found the text \"5\" | Write it without quotes." },
	{ "path = \"/x\"; rows = 1.5;",
		AT "rows | expected a whole number, found the number 1.5 | " },
	{ "path = \"/x\"; rows = 0;",
		AT "rows | the number is 0, the smallest allowed is 1 | Give a larger one." },
	{ "path = \"/x\";\n\nrows = 11L;", "/d/spec:4: options.rows | the number is 11, the "
					   "largest allowed is 10 | Give a smaller one." },
	{ "path = \"/x\"; rate = 2.5;",
		AT "rate | the number is 2.5, the largest allowed is 2 | Give a smaller one." },
	{ "path = \"/x\"; rate = -1;",
		AT "rate | the number is -1, the smallest allowed is 0 | Give a larger one." },
	{ "path = \"/x\"; rate = \"fast\";",
		AT "rate | expected a number, found the text \"fast\" | Write it without quotes." },
	{ "path = \"/x\"; deep = \"yes\";", AT "deep | expected true or false, found the text "
					       "\"yes\" | Write it without quotes." },
	{ "path = \"/x\"; mode = \"mvoe\";",
		AT "mode | expected \"copy\", \"move\", found \"mvoe\" | Did you mean \"move\"?" },
	{ "path = \"/x\"; mode = 1;", AT "mode | expected \"copy\", \"move\", found the number 1 | "
					 "Choose one of these texts." },
	{ "path = \"/x\"; room = \"64Q\";",
		AT "room | expected a size, found the text \"64Q\" | Write bytes, or a text such "
		   "as \"64M\" or \"2G\"." },
	{ "path = \"/x\"; room = -1;", AT "room | expected a size, found the number -1 | Write "
					  "bytes, or a text such as \"64M\" or \"2G\"." },
	{ "path = \"/x\"; room = \"2G\";", AT "room | the size is 2147483648, the largest allowed "
					      "is 1073741824 | Give a smaller one." },
	{ "path = \"/x\"; wait = \"3 fortnights\";",
		AT "wait | expected a duration, found the text \"3 fortnights\" | " DURATION },
	{ "path = \"/x\"; wait = 9223372036854775807L;",
		AT "wait | expected a duration, found the number 9223372036854775807 | " DURATION },
	{ "path = \"/x\"; wait = \"1ms\";", AT "wait | the duration is 1000000ns, the smallest "
					       "allowed is 1s | Give a larger one." },
	{ "path = \"/x\"; site = \"example.org\";",
		AT "site | expected a URL, found the text \"example.org\" | Write it whole: "
		   "\"https://host/path\"." },
	{ "path = \"/x\"; site = \"u:hunter2@h\";",
		AT "site | the URL carries a password | Take it out, and use the parameter for the "
		   "secret." },
	{ "path = \"/x\"; site = \"redis://:pw@h/0\";",
		AT "site | the URL carries a password | Take it out, and use the parameter for the "
		   "secret." },
	{ "path = \"/x\"; key = \"hunter2\";",
		AT "key | a secret must not stand in the text itself; expected \"file:/path\" or "
		   "\"env:NAME\" | " SECRET_HINT },
	{ "path = \"/x\"; token = \"hunter2\";",
		AT "token | a secret must not stand in the text itself; expected \"file:/path\" or "
		   "\"env:NAME\" | " SECRET_HINT },
	{ "path = \"/x\"; key = \"env:A B\";",
		AT "key | a secret must not stand in the text itself; expected \"file:/path\" or "
		   "\"env:NAME\" | " SECRET_HINT },
	{ "path = \"/x\"; key = 5;",
		AT "key | expected a reference to a secret, found a number | " SECRET_HINT },
	{ "path = \"/x\"; tables = \"a\";", AT "tables | expected a list, found the text \"a\" | "
					       "Write ( ... ) around its elements." },
	{ "path = \"/x\"; tables = ( );", AT "tables | the number of elements is 0, the smallest "
					     "allowed is 1 | Give a larger one." },
	{ "path = \"/x\"; tables = ( \"a\" );", AT "tables[0] | expected a group, found the text "
						   "\"a\" | Write { name = value; ... }." },
	{ "path = \"/x\"; tables = ( { name = \"a\"; },\n { nam = \"b\"; } );",
		"/d/spec:3: options.tables[1].nam | \"nam\" is not a parameter of this group | Did "
		"you mean \"name\"?" },
	{ "path = \"/x\"; tables = ( { } );", AT "tables[0] | the parameter \"name\" (string) of "
						 "this group is missing | Add name = \"...\";" },
	{ "path = \"/x\"; labels = { a = 1; };",
		AT "labels.a | expected a text, found the number 1 | Put it in double quotes." },
	{ "path = \"/x\"; labels = { a = \"\"; b = \"\"; c = \"\"; };",
		AT "labels | the number of settings is 3, the largest allowed is 2 | Give a "
		   "smaller one." },
	{ "path = \"/x\"; source = \"@crm\";",
		AT "source | expected a group that names its kind, found the text \"@crm\" | Write "
		   "{ store = \"NAME\"; ... }; whimbrel "
		   "handler list shows the names." },
	{ "path = \"/x\"; source = { path = \"x\"; };",
		AT "source | the setting \"store\" is missing | Write { store = \"NAME\"; ... }; "
		   "whimbrel handler list shows the names." },
	{ "path = \"/x\"; source = { store = \"sqlit\"; };",
		AT "source.store | there is no store \"sqlit\" | Did you mean \"sqlite\"?" },
	{ "path = \"/x\"; source = { store = \"sqlite\"; };",
		AT "source | the parameter \"path\" (path) of store sqlite is missing | Add path = "
		   "\"...\";" },
	{ "path = \"/x\"; source = { store = \"sqlite\"; path = \"x\"; bussy = 1; };",
		AT "source.bussy | \"bussy\" is not a parameter of store sqlite | Did you mean "
		   "\"busy\"?" },
};

static void test_refused(void **state)
{
	struct wbl_error err;
	json_t *ret, *errors;
	size_t i;

	for (i = 0; i < WBL_COUNT(bad); i++) {
		char *all;

		if (check(bad[i].given, &ret, &errors, NULL, &err) != WBL_E_PARAM)
			fail_msg("accepted: %s", bad[i].given);
		assert_string_equal(said(&err, NULL), bad[i].said);
		assert_true(json_array_size(errors) >= 1);
		all = wbl_json_text(errors);
		assert_null(strstr(all, "hunter2"));
		free(all);
		json_decref(errors);
	}
}

static void test_all_at_once(void **state)
{
	struct wbl_error err;
	json_t *ret, *errors;

	assert_int_equal(check("name = 1; rows = 99; nope = 1; tables = ( { }, { name = 1; } ); "
			       "source = { store = \"x\"; };",
				 &ret, &errors, NULL, &err),
		WBL_E_PARAM);
	assert_int_equal(json_array_size(errors), 7);
	assert_string_equal(wbl_json_str(json_array_get(errors, 0), "path"), "options.nope");
	assert_string_equal(
		wbl_json_str(json_array_get(errors, 5), "path"), "options.tables[1].name");
	assert_string_equal(wbl_json_str(json_array_get(errors, 6), "name"), "validation_failed");
	json_decref(errors);
}

static void test_without_places(void **state)
{
	json_t *once, *twice, *given = json_pack("{s:s, s:s}", "path", "/x", "key", "env:K");
	struct wbl_error err;

	assert_int_equal(wbl_params_check(&manifest->provides[0], &registry, WBL_PARAMS_FOR_RUN,
				 given, "", NULL, &once, NULL, NULL, &err),
		0);
	assert_int_equal(wbl_params_check(&manifest->provides[0], &registry, WBL_PARAMS_FOR_RUN,
				 once, "", NULL, &twice, NULL, NULL, &err),
		0);
	assert_true(json_equal(once, twice));
	assert_string_equal(wbl_json_str(once, "log"), "run.log");
	json_decref(given);
	given = json_pack("{s:s, s:i}", "path", "/x", "rows", 0);
	assert_int_equal(wbl_params_check(&manifest->provides[0], &registry, WBL_PARAMS_FOR_RUN,
				 given, "", NULL, &twice, NULL, NULL, &err),
		WBL_E_PARAM);
	assert_string_equal(err.where, "rows");
	json_decref(given);
	json_decref(once);
	json_decref(twice);
}

static void test_store_itself(void **state)
{
	json_t *ret, *given = json_pack("{s:s, s:s}", "store", "sqlite", "path", "/x");
	struct wbl_error err;

	assert_int_equal(wbl_params_check(&manifest->provides[1], &registry, WBL_PARAMS_FOR_RUN,
				 given, "target", NULL, &ret, NULL, NULL, &err),
		0);
	assert_string_equal(wbl_json_str(ret, "store"), "sqlite");
	json_decref(ret);
	json_decref(given);
}

static void test_secrets(void **state)
{
	char dir[] = "/tmp/wbl-secret-XXXXXX", file[64], reference[80];
	struct wbl_buf b = { 0 };
	struct wbl_error err;

	assert_non_null(mkdtemp(dir));
	snprintf(file, sizeof file, "%s/key", dir);
	snprintf(reference, sizeof reference, "file:%s", file);
	assert_int_equal(wbl_file_replace(file, "p w\r\n", 5, 0640, &err), 0);
	assert_int_equal(wbl_secret_read(reference, &b, &err), 0);
	assert_string_equal(b.data, "p w");
	assert_int_equal(chmod(file, 0644), 0);
	assert_int_equal(wbl_secret_read(reference, &b, &err), WBL_E_PARAM);
	assert_string_equal(said(&err, dir),
		"DIR/key | the file of the secret can be read or written by anybody | "
		"Take the rights of others away: chmod o-rwx.");
	unlink(file);
	assert_int_equal(wbl_secret_read(reference, &b, &err), WBL_E_UNAVAILABLE);
	assert_string_equal(said(&err, dir),
		"DIR/key | the file of the secret cannot be opened: No such file or directory | "
		"Make the file, readable by the user who runs Whimbrel.");
	snprintf(reference, sizeof reference, "file:%s", dir);
	assert_int_equal(wbl_secret_read(reference, &b, &err), WBL_E_PARAM);
	rmdir(dir);
	setenv("WBL_TEST_SECRET", "s3", 1);
	assert_int_equal(wbl_secret_read("env:WBL_TEST_SECRET", &b, &err), 0);
	assert_string_equal(b.data, "s3");
	unsetenv("WBL_TEST_SECRET");
	assert_int_equal(wbl_secret_read("env:WBL_TEST_SECRET", &b, &err), WBL_E_UNAVAILABLE);
	assert_int_equal(wbl_secret_read("hunter2", &b, &err), WBL_E_PARAM);
	assert_null(strstr(err.text, "hunter2"));
	wbl_buf_clear(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_canonical),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_all_at_once),
		cmocka_unit_test(test_without_places),
		cmocka_unit_test(test_store_itself),
		cmocka_unit_test(test_secrets),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
