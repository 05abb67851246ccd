/* tests of loading: the true reason of each refusal, and --check.
 * req: H1 H3 H5 U6
 * SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/base/file.h"
#include "play.h"

/* Takes hello. */
static void refused(json_t *hello, int code, const char *word)
{
	struct wbl_play *p = play_start(hello);
	const char *text = wbl_json_str(p->back.json, "text");

	if (p->back.type != WBL_WIRE_REFUSED)
		fail_msg("was not refused: %s", word);
	if (!text || !strstr(text, word))
		fail_msg("\"%s\" is not in: %s", word, text);
	assert_int_equal(wbl_json_int(p->back.json, "code", 0), code);
	assert_true(*wbl_json_str(p->back.json, "where"));
	assert_int_equal(wbl_play_stop(p, NULL), 0);
}

static json_t *with(json_t *hello, const char *key, const char *value)
{
	wbl_json_put(json_object_get(hello, "module"), key, value);
	return hello;
}

static json_t *bad(const char *file)
{
	json_t *hello = play_hello(file, "bad");

	return with(hello, "id", "org.example.bad");
}

static void test_loader_messages(void **state)
{
	char path[4096], sha[WBL_SHA256_HEX];

	refused(bad("undefined"), WBL_E_UNAVAILABLE, "undefined symbol: wbl_nobody_has_this");
	refused(bad("no_entry"), WBL_E_ABI,
		"has no entry: neither no_entry_LTX_wbl_module_entry_v1");
	refused(bad("newer"), WBL_E_ABI, "newer handler ABI than 1");
	refused(bad("refuses"), WBL_E_UNSUPPORTED, "the module refused to be loaded");
	refused(bad("short_one"), WBL_E_ABI, "the size of struct wbl_module is 16");
	refused(bad("not_there"), WBL_E_UNAVAILABLE, "No such file or directory");
	refused(with(bad("bare"), "path", "bare.so"), WBL_E_UNAVAILABLE, "must be absolute");
	snprintf(path, sizeof path, "%s/tests/bin/mods/text.so", getenv("WBL_BUILD"));
	assert_int_equal(wbl_file_replace(path, "not an elf", 10, 0644, NULL), 0);
	wbl_sha256_hex("not an elf", 10, sha);
	refused(with(with(bad("bare"), "path", path), "sha256", sha), WBL_E_UNAVAILABLE,
		"too short");
	unlink(path);
}

static void test_a_polite_refusal_says_why(void **state)
{
	struct wbl_play *p = play_start(bad("refuses"));

	assert_non_null(wbl_play_diag(p, "engine of the year 2030"));
	wbl_play_stop(p, NULL);
}

static void test_bare_symbol(void **state)
{
	struct wbl_play *p = play_start(bad("bare"));

	assert_true(wbl_play_is_ready(p));
	assert_int_equal(play_call(p, "execute", NULL, NULL, NULL), 0);
	assert_int_equal(wbl_play_stop(p, NULL), 0);
}

static void test_another_file(void **state)
{
	refused(with(play_hello("tester", "tester"), "sha256",
			"0000000000000000000000000000000000000000000000000000000000000000"),
		WBL_E_STALE, "is not the file that was expected: its SHA-256 is");
	refused(with(play_hello("tester", "tester"), "id", "org.example.other"), WBL_E_ABI,
		"its id is \"org.example.tester\", its manifest says \"org.example.other\"");
	refused(with(play_hello("tester", "tester"), "version", "9"), WBL_E_ABI,
		"its version is \"0.1.0\"");
}

static void test_tables(void **state)
{
	refused(play_hello("tester", "lame"), WBL_E_ABI, "the handler has no execute");
	refused(play_hello("tester", "stub"), WBL_E_ABI, "the size of wbl.handler/1 is 40");
	refused(play_hello("tester", "huge"), WBL_E_ABI, "the size of wbl.handler/1 is 1048576");
	refused(play_hello("tester", "nobody"), WBL_E_ABI,
		"has no wbl.handler/1 called \"nobody\"");
}

static void test_create_refuses(void **state)
{
	json_t *hello = play_hello("tester", "tester");

	json_object_set_new(hello, "params", json_pack("{s:b}", "refuse", 1));
	refused(hello, WBL_E_UNAVAILABLE, "could not be created");
	hello = play_hello("tester", "tester");
	json_object_set_new(hello, "params", json_pack("{s:b}", "oddly", 1));
	refused(hello, WBL_E_ABI, "create returned 77");
}

static void test_hello(void **state)
{
	json_t *hello = play_hello("tester", "tester");
	struct wbl_play *p;

	wbl_json_put(hello, "build", "0.0.1/other");
	refused(hello, WBL_E_WIRE, "the engine is of build \"0.0.1/other\"");
	p = play_spawn();
	wbl_wire_send(p->sock, WBL_WIRE_CALL, 1, NULL, NULL, 0, -1, NULL);
	assert_int_equal(wbl_wire_read(p->sock, &p->back, NULL), 0);
	assert_int_equal(p->back.type, WBL_WIRE_REFUSED);
	assert_non_null(strstr(wbl_json_str(p->back.json, "text"), "began with \"call\""));
	wbl_play_stop(p, NULL);
	p = play_spawn();
	assert_int_equal(wbl_play_stop(p, NULL), 0); /* the engine dies before it says anything */
}

static void test_writable_by_others(void **state)
{
	json_t *hello = play_hello("tester", "tester");
	char path[4096];
	struct wbl_buf b = { 0 };
	char sha[WBL_SHA256_HEX];

	snprintf(path, sizeof path, "%s/tests/bin/mods/open_one.so", getenv("WBL_BUILD"));
	assert_int_equal(wbl_file_read(play_module("tester"), 1 << 26, &b, NULL), 0);
	assert_int_equal(wbl_file_replace(path, b.data, b.len, 0644, NULL), 0);
	assert_int_equal(chmod(path, 0666), 0);
	wbl_sha256_hex(b.data, b.len, sha);
	json_object_del(hello, "trust_any_owner");
	refused(with(with(hello, "path", path), "sha256", sha), WBL_E_USAGE,
		"can be written by anybody");
	wbl_buf_clear(&b);
	unlink(path);
}

static void test_limits(void **state)
{
	json_t *hello = play_hello("tester", "tester");
	struct wbl_play *p;

	json_object_set_new(hello, "limits",
		json_pack("{s:i, s:i, s:i}", "nofile", 64, "core", 0, "cpu_s", 100));
	p = play_start(hello);
	assert_true(wbl_play_is_ready(p));
	assert_int_equal(wbl_play_stop(p, NULL), 0);
	hello = play_hello("tester", "tester");
	json_object_set_new(hello, "limits", json_pack("{s:s}", "run_as", "no-such-user-here"));
	refused(hello, WBL_E_USAGE, "there is no user \"no-such-user-here\"");
}

static void test_run_as(void **state)
{
	json_t *hello = play_hello("tester", "tester");
	struct wbl_play *p;
	char line[256], path[64];
	bool found = false;
	FILE *f;

	if (geteuid())
		skip();
	json_object_set_new(hello, "limits", json_pack("{s:s}", "run_as", "nobody"));
	p = play_start(hello);
	if (!wbl_play_is_ready(p))
		fail_msg("%s", wbl_json_str(p->back.json, "text"));
	snprintf(path, sizeof path, "/proc/%d/status", p->pid);
	f = fopen(path, "re");
	assert_non_null(f);
	while (fgets(line, sizeof line, f)) {
		if (!strncmp(line, "Uid:", 4))
			found = strncmp(line, "Uid:\t65534\t65534\t65534", 22) == 0;
		if (!strncmp(line, "NoNewPrivs:", 11))
			assert_string_equal(line, "NoNewPrivs:\t1\n");
		if (!strncmp(line, "Groups:", 7))
			assert_null(strpbrk(line, "0123456789"));
	}
	fclose(f);
	assert_true(found);
	assert_int_equal(wbl_play_stop(p, NULL), 0);
}

static char *run_check(const char *path, int *ret_status)
{
	WBL_AUTOFREE char *command =
		wbl_strf("'%s/whimbrel-host' --check '%s'", getenv("WBL_BUILD"), path);
	struct wbl_buf b = { 0 };
	FILE *f = popen(command, "re");
	char part[4096];
	size_t n;

	assert_non_null(f);
	while ((n = fread(part, 1, sizeof part, f)))
		wbl_buf_add(&b, part, n);
	*ret_status = pclose(f);
	return wbl_buf_take(&b);
}

static void test_check(void **state)
{
	int status;
	char *text = run_check(play_module("twins"), &status);

	assert_int_equal(status, 0);
	assert_string_equal(text,
		"{\"ok\":true,\"id\":\"org.example.twins\",\"version\":\"0.1.0\",\"interfaces\":["
		"{\"interface\":\"wbl.handler/1\",\"name\":\"opener\",\"revision\":1},"
		"{\"interface\":\"wbl.store/1\",\"name\":\"castor\",\"revision\":1},"
		"{\"interface\":\"wbl.store/1\",\"name\":\"pollux\",\"revision\":1},"
		"{\"interface\":\"wbl.router/1\",\"name\":\"turn\",\"revision\":1},"
		"{\"interface\":\"wbl.transform/"
		"1\",\"name\":\"same\",\"revision\":1}],\"strange\":[]}\n");
	free(text);
	text = run_check(play_module("undefined"), &status);
	assert_int_not_equal(status, 0);
	assert_non_null(strstr(text, "\"ok\":false"));
	assert_non_null(strstr(text, "undefined symbol"));
	free(text);
	text = run_check(play_module("tester"), &status);
	assert_non_null(strstr(text, "the handler has no execute"));
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_loader_messages),
		cmocka_unit_test(test_a_polite_refusal_says_why),
		cmocka_unit_test(test_bare_symbol),
		cmocka_unit_test(test_another_file),
		cmocka_unit_test(test_tables),
		cmocka_unit_test(test_create_refuses),
		cmocka_unit_test(test_hello),
		cmocka_unit_test(test_writable_by_others),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_run_as),
		cmocka_unit_test(test_check),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
