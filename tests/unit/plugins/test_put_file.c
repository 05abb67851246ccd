/* tests of the handler put_file: owner, mode and links stay; killed anywhere, rolled back byte for byte.
 * req: V3 X7 X9 C7 H2
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

#include "bench_host.h"

static struct bench *b;
static char path[300], link_path[300], params[800];

static int set_up(void **state)
{
	b = bench_new();
	b->fork = true;
	snprintf(path, sizeof path, "%s/motd", b->dir);
	snprintf(link_path, sizeof link_path, "%s/link", b->dir);
	snprintf(params, sizeof params, "{\"path\":\"%s\",\"content\":\"new\\n\"}", link_path);
	assert_int_equal(symlink("motd", link_path), 0);
	return 0;
}

static int tear_down(void **state)
{
	bench_free(b);
	return 0;
}

static void put(const char *text)
{
	FILE *f = fopen(path, "w");

	fputs(text, f);
	fclose(f);
	assert_int_equal(chmod(path, 04751), 0);
}

static const char *get(void)
{
	static char text[100];
	FILE *f = fopen(path, "r");
	size_t n = f ? fread(text, 1, 99, f) : 0;

	text[n] = 0;
	if (f)
		fclose(f);
	return f ? text : "(none)";
}

static void as_before(const char *text)
{
	struct stat st;

	assert_string_equal(get(), text);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 04751);
	assert_int_equal(lstat(link_path, &st), 0);
	assert_true(S_ISLNK(st.st_mode));
}

static int leftovers(void)
{
	char cmd[400];

	snprintf(cmd, sizeof cmd, "ls -A %s | grep -q whimbrel-new", b->dir);
	return system(cmd) == 0;
}

static void test_kill_everywhere(void **state)
{
	long n;

	for (n = 1;; n++) {
		bench_reset(b);
		b->fork = true;
		put("old");
		assert_int_equal(bench_plan(b, "put_file", params), 0);
		b->kill_at = n;
		assert_int_equal(bench_apply(b, "put_file", params), 0);
		if (!*b->killed_at)
			break;
		as_before("new\n");
		b->faults = 0;
		b->kill_at = 1 + n % 4;
		assert_int_equal(bench_rollback(b, "put_file", params), 0);
		as_before("old");
		assert_false(leftovers());
	}
	assert_int_equal(n, 6);
}

static void test_killed_then_back(void **state)
{
	for (long n = 1; n < 6; n++) {
		bench_reset(b);
		b->fork = true;
		put("old");
		assert_int_equal(bench_plan(b, "put_file", params), 0);
		b->kill_at = n;
		assert_int_equal(
			bench_call(b, "put_file", params, "put", "execute", 0, NULL), 1000);
		assert_int_equal(bench_rollback(b, "put_file", params), 0);
		as_before("old");
		assert_false(leftovers());
	}
}

/* Executed, rolled back, edited, executed, rolled back: the edit is what stays. */
static void test_again(void **state)
{
	put("old");
	assert_int_equal(bench_plan(b, "put_file", params), 0);
	assert_int_equal(bench_apply(b, "put_file", params), 0);
	assert_int_equal(bench_rollback(b, "put_file", params), 0);
	put("edited");
	b->pass = 2;
	b->steps[0].done = false;
	assert_int_equal(bench_apply(b, "put_file", params), 0);
	as_before("new\n");
	assert_int_equal(bench_rollback(b, "put_file", params), 0);
	as_before("edited");
}

static void test_absent(void **state)
{
	char p[800];

	snprintf(p, sizeof p, "{\"path\":\"%s\",\"content\":\"new\\n\"}", path);
	assert_int_equal(bench_plan(b, "put_file", p), 0);
	assert_int_equal(bench_apply(b, "put_file", p), 0);
	assert_string_equal(get(), "new\n");
	assert_int_equal(bench_rollback(b, "put_file", p), 0);
	assert_string_equal(get(), "(none)");
	/* A link to nothing is refused: which file would it be? */
	assert_int_equal(bench_plan(b, "put_file", params), WBL_E_PARAM);
}

static void test_verify_sees(void **state)
{
	put("old");
	assert_int_equal(bench_plan(b, "put_file", params), 0);
	assert_int_equal(bench_apply(b, "put_file", params), 0);
	put("New\n");
	assert_int_equal(
		bench_call(b, "put_file", params, "put", "verify", 0, NULL), WBL_E_MISMATCH);
	assert_int_equal(bench_call(b, "put_file", params, "put", "verify", WBL_WORK_BEFORE, NULL),
		WBL_E_MISMATCH);
	assert_int_equal(bench_rollback(b, "put_file", params), 0);
	assert_int_equal(chmod(path, 0600), 0);
	assert_int_equal(bench_call(b, "put_file", params, "put", "verify", WBL_WORK_BEFORE, NULL),
		WBL_E_MISMATCH);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_kill_everywhere, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_killed_then_back, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_again, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_absent, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_verify_sees, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
