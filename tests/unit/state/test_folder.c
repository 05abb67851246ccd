/* tests of core/state/folder.c: whose folder it is, and who holds it.
 * req: X9 U4 U5 K1
 * SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "kit.h"

#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static void test_made(void **state)
{
	static const char *const names[] = { "", "/history.db", "/lock", "/artefacts", "/locks" };
	struct kit *k = *state;
	struct wbl_state *s;
	char path[160], uuid[37];
	struct stat st;
	size_t i;

	strcat(k->dir, "/deep/er");
	s = kit_open(k, 0);
	assert_string_equal(wbl_state_dir(s), k->dir);
	assert_int_equal(strlen(wbl_state_uuid(s)), 36);
	memcpy(uuid, wbl_state_uuid(s), sizeof uuid);
	for (i = 0; i < WBL_COUNT(names); i++) {
		snprintf(path, sizeof path, "%s%s", k->dir, names[i]);
		assert_int_equal(stat(path, &st), 0);
		assert_int_equal(st.st_mode & 077, 0);
	}
	wbl_state_close(s);
	s = kit_open(k, 0);
	assert_string_equal(wbl_state_uuid(s), uuid);
	wbl_state_close(s);
}

static void test_relative(void **state)
{
	struct kit *k = *state;
	struct wbl_state *s = NULL;
	char was[512];

	assert_non_null(getcwd(was, sizeof was));
	assert_int_equal(chdir(k->root), 0);
	assert_int_equal(wbl_state_open("./x/../state", 0, &s, &k->err), 0);
	assert_string_equal(wbl_state_dir(s), k->dir);
	wbl_state_close(s);
	assert_int_equal(chdir(was), 0);
}

static pid_t hold_elsewhere(struct kit *k)
{
	struct wbl_state *s;
	int ready[2];
	char c = 0;
	pid_t pid;

	assert_int_equal(pipe(ready), 0);
	pid = fork();
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL); /* should the test fail first */
		if (wbl_state_open(k->dir, 0, &s, NULL) || write(ready[1], "y", 1) != 1)
			_exit(1);
		for (;;)
			pause();
	}
	close(ready[1]);
	assert_int_equal(read(ready[0], &c, 1), 1);
	close(ready[0]);
	return pid;
}

static void test_held(void **state)
{
	struct kit *k = *state;
	pid_t pid = hold_elsewhere(k);
	char text[64];
	struct wbl_state *s;

	snprintf(text, sizeof text, "held by another engine, pid %ld", (long)pid);
	kit_refused(k, 0, WBL_E_LOCKED, text);
	s = kit_open(k, WBL_STATE_READ_ONLY); /* a reader needs no lock */
	wbl_state_close(s);
	kit_refused(k, 0, WBL_E_LOCKED, text);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	s = kit_open(k, 0); /* the lock dies with its holder, however that ended */
	kit_refused(k, 0, WBL_E_LOCKED, "held by");
	wbl_state_close(s);
}

static void test_open_to_others(void **state)
{
	struct kit *k = *state;

	kit_fill(k, 1, NULL);
	assert_int_equal(chmod(k->dir, 0777), 0);
	kit_refused(k, 0, WBL_E_USAGE, "can be written by others (mode 0777)");
	assert_int_equal(chmod(k->dir, 0720), 0);
	kit_refused(k, 0, WBL_E_USAGE, "can be written by others");
	assert_int_equal(chmod(k->dir, 0750), 0);
	kit_fill(k, 1, NULL);
	assert_int_equal(chmod(k->db, 0602), 0);
	kit_refused(k, 0, WBL_E_USAGE, "can be written by others");
}

/* ownership can only be given away by root; others cannot even write where somebody else's folder would be */
static void test_foreign(void **state)
{
	struct kit *k = *state;
	int status;
	pid_t pid;

	if (geteuid())
		skip();
	kit_fill(k, 1, NULL);
	assert_int_equal(chown(k->dir, 12345, 12345), 0);
	kit_refused(k, 0, WBL_E_USAGE, "belongs to user 12345");
	assert_int_equal(chown(k->dir, 0, 0), 0);
	assert_int_equal(chmod(k->dir, 0755) | chmod(k->root, 0755), 0);
	pid = fork();
	if (!pid) {
		struct wbl_state *s;

		_exit(setuid(12345) || wbl_state_open(k->dir, 0, &s, NULL) != WBL_E_USAGE);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static void test_no_folder(void **state)
{
	struct kit *k = *state;

	assert_int_equal(wbl_file_replace(k->dir, "x", 1, 0600, &k->err), 0);
	kit_refused(k, 0, WBL_E_USAGE, "is not a folder");
	assert_int_equal(unlink(k->dir), 0);
	kit_refused(k, WBL_STATE_READ_ONLY, WBL_E_NOT_FOUND, "no history");
	assert_int_not_equal(access(k->dir, F_OK), 0);
}

#define T(f) cmocka_unit_test_setup_teardown(f, kit_setup, kit_teardown)
int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_made),
		T(test_relative),
		T(test_held),
		T(test_open_to_others),
		T(test_foreign),
		T(test_no_folder),
	};

	return cmocka_run_group_tests_name("folder", tests, NULL, NULL);
}
