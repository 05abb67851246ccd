/* tests of core/state/artefact.c: made, sealed, trusted only as sealed.
 * req: X7 C7 U1 D11 H5
 * SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "kit.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/state/artefact.h"

struct art {
	struct wbl_state *s;
	char *file, path[400];
	int fd;
};

static struct art make(struct kit *k, const char *step, const char *name, const char *text)
{
	struct art a = { .s = kit_open(k, 0) };

	if (wbl_artefact_create(a.s, "run-1", step, 1, name, &a.file, &a.fd, &k->err))
		fail_msg("%s: %s", k->err.where, k->err.text);
	assert_int_equal(wbl_write_all(a.fd, text, strlen(text)), 0);
	snprintf(a.path, sizeof a.path, "%s/artefacts/run-1/%s", k->dir, a.file);
	return a;
}

static void drop(struct art *a)
{
	close(a->fd);
	free(a->file);
	wbl_state_close(a->s);
}

static json_t *seal(struct kit *k, struct art *a)
{
	json_t *body = NULL;

	if (wbl_artefact_seal(a->s, "run-1", a->file, a->fd, &body, &k->err))
		fail_msg("%s: %s", k->err.where, k->err.text);
	return body;
}

static void expect_corrupt(struct kit *k, struct art *a, const json_t *body, const char *text)
{
	int fd = -1;

	assert_int_equal(wbl_artefact_open(a->s, "run-1", body, &fd, &k->err), WBL_E_CORRUPT);
	assert_int_equal(fd, -1);
	if (!strstr(k->err.text, text))
		fail_msg("expected \"%s\" in: %s", text, k->err.text);
}

static void test_whole_way(void **state)
{
	struct kit *k = *state;
	struct art a = make(k, "copy/it now", "../../etc/passwd \xc3\xbc", "hello");
	json_t *body = seal(k, &a);
	char text[8] = "", sum[WBL_SHA256_HEX];
	struct stat st;
	int fd = -1;

	assert_null(strchr(a.file, '/'));
	assert_null(strchr(a.file, ' '));
	assert_int_equal(stat(a.path, &st), 0);
	assert_int_equal(st.st_mode & 077, 0);
	wbl_sha256_hex("hello", 5, sum);
	assert_string_equal(wbl_json_str(body, "sha256"), sum);
	assert_string_equal(wbl_json_str(body, "file"), a.file);
	assert_int_equal(wbl_json_int(body, "bytes", 0), 5);
	assert_int_equal(wbl_artefact_open(a.s, "run-1", body, &fd, &k->err), 0);
	assert_int_equal(read(fd, text, sizeof text), 5);
	assert_string_equal(text, "hello");
	close(fd);
	json_decref(body);
	drop(&a);
}

static void test_names_kept_apart(void **state)
{
	struct kit *k = *state;
	struct wbl_state *s = kit_open(k, 0);
	static const struct {
		const char *step;
		int64_t pass;
		const char *name;
	} list[] = { { "a", 1, "b" }, { "a", 2, "b" }, { "a-1", 1, "b" }, { "a", 1, "1-b" },
		{ "a", 1, "" }, { "", 1, "a" }, { "a b", 1, "c" }, { "a_b", 1, "c" },
		{ "a", 1, "." }, { "a", 1, ".." } };
	char *files[WBL_COUNT(list)];
	size_t i, j;
	int fd;

	for (i = 0; i < WBL_COUNT(list); i++) {
		assert_int_equal(wbl_artefact_create(s, "r", list[i].step, list[i].pass,
					 list[i].name, &files[i], &fd, &k->err),
			0);
		close(fd);
		for (j = 0; j < i; j++)
			assert_string_not_equal(files[i], files[j]);
	}
	for (i = 0; i < WBL_COUNT(list); i++)
		free(files[i]);
	wbl_state_close(s);
}

static void test_bad_run(void **state)
{
	static const char *const runs[] = { "", ".", "..", "a/b", "../x", "a b" };
	struct kit *k = *state;
	struct wbl_state *s = kit_open(k, 0);
	json_t *body = json_pack("{s:s,s:s,s:i}", "file", "../lock", "sha256", "00", "bytes", 1);
	char *file = NULL;
	size_t i;
	int fd = -1;

	for (i = 0; i < WBL_COUNT(runs); i++)
		assert_int_equal(wbl_artefact_create(s, runs[i], "a", 1, "b", &file, &fd, &k->err),
			WBL_E_CORRUPT);
	assert_int_equal(wbl_artefact_open(s, "r", body, &fd, &k->err), WBL_E_CORRUPT);
	json_decref(body);
	wbl_state_close(s);
}

/* an unsealed one is made anew, and who still holds the old descriptor cannot reach it */
static void test_made_anew(void **state)
{
	struct kit *k = *state;
	struct art a = make(k, "copy", "backup", "half");
	char *file;
	json_t *body;
	int fd, again;

	assert_int_equal(
		wbl_artefact_create(a.s, "run-1", "copy", 1, "backup", &file, &fd, &k->err), 0);
	assert_string_equal(file, a.file);
	assert_int_equal(wbl_write_all(fd, "whole", 5), 0);
	assert_int_equal(wbl_write_all(a.fd, "orphan", 6), 0);
	assert_int_equal(
		wbl_artefact_seal(a.s, "run-1", file, a.fd, &body, &k->err), WBL_E_CORRUPT);
	assert_int_equal(wbl_artefact_seal(a.s, "run-1", file, fd, &body, &k->err), 0);
	assert_int_equal(wbl_json_int(body, "bytes", 0), 5);
	assert_int_equal(wbl_artefact_open(a.s, "run-1", body, &again, &k->err), 0);
	close(again);
	json_decref(body);
	free(file);
	close(fd);
	drop(&a);
}

static void test_sealed_stays(void **state)
{
	struct kit *k = *state;
	struct art a = make(k, "copy", "backup", "whole");
	json_t *body = seal(k, &a);
	char *text = wbl_json_text(body), *file = NULL;
	int fd = -1;

	kit_put(a.s, WBL_KIND_ARTEFACT_SEAL, "run-1", "backup", text);
	assert_int_equal(
		wbl_artefact_create(a.s, "run-1", "copy", 1, "backup", &file, &fd, &k->err),
		WBL_E_STATE);
	assert_null(file);
	assert_int_equal(
		wbl_artefact_create(a.s, "run-1", "copy", 2, "backup", &file, &fd, &k->err), 0);
	close(fd);
	free(file);
	free(text);
	json_decref(body);
	drop(&a);
}

static void test_changed_after_seal(void **state)
{
	struct kit *k = *state;
	struct art a = make(k, "copy", "backup", "whole");
	json_t *body = seal(k, &a);

	assert_int_equal(pwrite(a.fd, "W", 1, 0), 1);
	expect_corrupt(k, &a, body, wbl_json_str(body, "sha256"));
	assert_string_equal(k->err.where, a.path);
	assert_int_equal(pwrite(a.fd, "w", 1, 0), 1);
	assert_int_equal(pwrite(a.fd, "!", 1, 5), 1);
	expect_corrupt(k, &a, body, "6 bytes");
	assert_int_equal(ftruncate(a.fd, 4), 0);
	expect_corrupt(k, &a, body, "4 bytes");
	assert_int_equal(unlink(a.path), 0);
	expect_corrupt(k, &a, body, "cannot be opened");
	assert_int_equal(symlink("/etc/hostname", a.path), 0);
	expect_corrupt(k, &a, body, "cannot be opened");
	assert_int_equal(unlink(a.path), 0);
	assert_int_equal(mkfifo(a.path, 0600), 0);
	expect_corrupt(k, &a, body, "cannot be opened");
	json_decref(body);
	body = json_pack("{s:s}", "file", a.file);
	expect_corrupt(k, &a, body, "names no file or digest");
	json_decref(body);
	drop(&a);
}

static void test_replaced_before_seal(void **state)
{
	struct kit *k = *state;
	struct art a = make(k, "copy", "backup", "whole");
	char other[500];
	json_t *body = NULL;
	int fd;

	snprintf(other, sizeof other, "%s/other", k->root);
	assert_int_equal(wbl_file_replace(other, "whole", 5, 0600, &k->err), 0);
	fd = open(other, O_RDWR);
	assert_int_equal(
		wbl_artefact_seal(a.s, "run-1", a.file, fd, &body, &k->err), WBL_E_CORRUPT);
	assert_int_equal(rename(other, a.path), 0);
	assert_int_equal(
		wbl_artefact_seal(a.s, "run-1", a.file, a.fd, &body, &k->err), WBL_E_CORRUPT);
	assert_null(body);
	assert_non_null(strstr(k->err.text, "not the file that was made"));
	assert_int_equal(unlink(a.path), 0);
	assert_int_equal(
		wbl_artefact_seal(a.s, "run-1", a.file, a.fd, &body, &k->err), WBL_E_CORRUPT);
	close(fd);
	drop(&a);
}

#define T(f) cmocka_unit_test_setup_teardown(f, kit_setup, kit_teardown)
int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_whole_way),
		T(test_names_kept_apart),
		T(test_bad_run),
		T(test_made_anew),
		T(test_sealed_stays),
		T(test_changed_after_seal),
		T(test_replaced_before_seal),
	};

	return cmocka_run_group_tests_name("artefact", tests, NULL, NULL);
}
