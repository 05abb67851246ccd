/* tests of core/state/db.c: a damaged, foreign or newer history is refused; a full or read-only disk is an error
 * that leaves what was committed.
 * req: X9 T2 U1 Q1
 * SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "kit.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static void overwrite(const char *path, off_t at, const char *data, size_t len)
{
	int fd = open(path, O_WRONLY);

	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, data, len, at), len);
	close(fd);
}

static off_t size_of(const char *path)
{
	struct stat st;

	assert_int_equal(stat(path, &st), 0);
	return st.st_size;
}

static void test_newer(void **state)
{
	struct kit *k = *state;

	kit_fill(k, 3, NULL);
	kit_sql(k, "PRAGMA user_version = 77");
	kit_refused(k, 0, WBL_E_DAMAGED, "made by a newer Whimbrel (schema 77");
	kit_refused(k, WBL_STATE_READ_ONLY, WBL_E_DAMAGED, "made by a newer Whimbrel");
	assert_int_equal(kit_ask(k, "PRAGMA user_version"), 77);
	assert_int_equal(kit_ask(k, "SELECT count(*) FROM entry"), 3);
}

static void test_not_ours(void **state)
{
	struct kit *k = *state;

	kit_fill(k, 3, NULL);
	kit_sql(k, "PRAGMA application_id = 1");
	kit_refused(k, 0, WBL_E_DAMAGED, "is not a history of Whimbrel");
	kit_sql(k, "PRAGMA application_id = 0x57424c31; PRAGMA user_version = 0");
	kit_refused(k, 0, WBL_E_DAMAGED, "has no schema");
	kit_sql(k, "PRAGMA user_version = 1; DELETE FROM meta");
	kit_refused(k, 0, WBL_E_DAMAGED, "has lost the id");
	kit_sql(k, "DROP TABLE meta");
	kit_refused(k, 0, WBL_E_DAMAGED, "no such table");
}

static void test_garbage_header(void **state)
{
	struct kit *k = *state;

	kit_fill(k, 3, NULL);
	overwrite(k->db, 0, "this is not a database at all", 29);
	kit_refused(k, 0, WBL_E_DAMAGED, "not a database");
	kit_refused(k, WBL_STATE_READ_ONLY, WBL_E_DAMAGED, "not a database");
}

static void test_truncated(void **state)
{
	struct kit *k = *state;
	off_t size;

	kit_fill(k, 4000, NULL);
	size = size_of(k->db);
	assert_true(size > 512 * 1024); /* not only where looking through it is cheap */
	assert_int_equal(truncate(k->db, size / 2), 0);
	kit_refused(k, 0, WBL_E_DAMAGED, "malformed");
	assert_int_equal(truncate(k->db, 1000), 0);
	kit_refused(k, 0, WBL_E_DAMAGED, "");
	assert_int_equal(truncate(k->db, 0), 0);
	kit_refused(k, 0, WBL_E_DAMAGED, "");
	assert_int_equal(size_of(k->db), 0);
	assert_int_equal(unlink(k->db), 0);
	kit_refused(k, 0, WBL_E_DAMAGED, "is missing");
}

static void test_page_damaged(void **state)
{
	struct kit *k = *state;
	char garbage[4096];
	off_t at;
	int bad = 0, all = 0;

	memset(garbage, 0xa5, sizeof garbage);
	kit_fill(k, 200, NULL);
	for (at = 4096; at < size_of(k->db); at += 4096, all++) {
		struct wbl_buf was = { 0 };
		struct wbl_state *s = NULL;

		assert_int_equal(wbl_file_read(k->db, 1 << 20, &was, &k->err), 0);
		overwrite(k->db, at, garbage, sizeof garbage);
		bad += wbl_state_open(k->dir, 0, &s, &k->err) == WBL_E_DAMAGED;
		wbl_state_close(s);
		overwrite(k->db, 0, was.data, was.len);
		wbl_buf_clear(&was);
	}
	assert_true(all > 10);
	assert_int_equal(bad, all);
	wbl_state_close(kit_open(k, 0));
}

/* a large one is not looked through at each open; reading and audit meet the damage */
static void test_page_damaged_later(void **state)
{
	struct kit *k = *state;
	struct wbl_audit_report r;
	struct wbl_state *s;
	char garbage[4096];
	int64_t root;

	memset(garbage, 0xa5, sizeof garbage);
	kit_fill(k, 4000, NULL);
	root = kit_ask(k, "SELECT pageno FROM dbstat WHERE name = 'entry' AND pagetype = 'leaf'"
			  " ORDER BY path LIMIT 1 OFFSET 20");
	overwrite(k->db, (off_t)(root - 1) * 4096, garbage, sizeof garbage);
	s = kit_open(k, 0);
	assert_int_equal(wbl_audit_verify(s, NULL, &r, &k->err), WBL_E_DAMAGED);
	assert_true(r.checked_to > 100 && r.checked_to < 4000);
	wbl_state_close(s);
}

/* a half-made new one is made again; it has no name until it is whole */
static void test_half_made(void **state)
{
	struct kit *k = *state;
	char path[120];

	assert_int_equal(mkdir(k->dir, 0700), 0);
	snprintf(path, sizeof path, "%s.new", k->db);
	assert_int_equal(wbl_file_replace(path, "half", 4, 0600, &k->err), 0);
	kit_fill(k, 1, NULL);
	assert_int_not_equal(access(path, F_OK), 0);
}

/* --- disks --- */

#define CHECK(x)                                                                                   \
	do {                                                                                       \
		if (!(x)) {                                                                        \
			fprintf(stderr, "# %s:%d: %s (%d: %s)\n", __FILE__, __LINE__, #x,          \
				k->err.code, k->err.text);                                         \
			_exit(1);                                                                  \
		}                                                                                  \
	} while (0)

enum { NO_MOUNT = 77 };

/* The work runs in a child with a small file system of its own at root/disk. */
static void on_small_disk(struct kit *k, void (*work)(struct kit *k))
{
	char disk[80];
	int status;
	pid_t pid;

	snprintf(disk, sizeof disk, "%s/disk", k->root);
	assert_int_equal(mkdir(disk, 0700), 0);
	snprintf(k->dir, sizeof k->dir, "%s/disk/state", k->root);
	snprintf(k->db, sizeof k->db, "%s/history.db", k->dir);
	pid = fork();
	if (!pid) {
		if (unshare(CLONE_NEWNS) || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
			mount("none", disk, "tmpfs", 0, "size=1m,mode=0700"))
			_exit(errno == EPERM || errno == EACCES ? NO_MOUNT : 1);
		work(k);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (WIFEXITED(status) && WEXITSTATUS(status) == NO_MOUNT) {
		print_message("# the kernel refuses a private mount\n");
		skip();
	}
	assert_int_equal(status, 0);
}

static void fill_disk(struct kit *k, char path[120])
{
	static const char block[4096];
	int fd;

	snprintf(path, 120, "%s/disk/filler", k->root);
	fd = open(path, O_WRONLY | O_CREAT, 0600);
	while (write(fd, block, sizeof block) > 0)
		;
	CHECK(errno == ENOSPC);
	close(fd);
}

static int32_t add_until_failure(struct kit *k, struct wbl_state *s, int64_t *ret_durable)
{
	static char body[8192];
	int32_t rc = 0;
	int i;

	for (i = 0; i < 1000 && !rc; i++) {
		struct wbl_entry e = {
			.kind = WBL_KIND_CHECKPOINT, .run = "r", .body = { body, sizeof body }
		};

		rc = wbl_journal_append(s, &e, &k->err);
		if (!rc)
			rc = wbl_journal_commit(s, &k->err);
		if (!rc)
			*ret_durable = e.seq;
	}
	return rc;
}

static int32_t nothing(void *ctx, const struct wbl_entry *e)
{
	return 0;
}

static void work_full(struct kit *k)
{
	struct wbl_entry e = { .kind = WBL_KIND_LOG };
	struct wbl_query q = { .run = "r" };
	struct wbl_audit_report r;
	struct wbl_state *s = NULL;
	int64_t durable = 0;
	char filler[120], first[200];

	CHECK(!wbl_state_open(k->dir, 0, &s, &k->err));
	CHECK(add_until_failure(k, s, &durable) == WBL_E_DISK);
	CHECK(durable > 20);
	CHECK(!strcmp(k->err.where, k->db) && strstr(k->err.hint, "Free space"));
	snprintf(first, sizeof first, "%.199s", k->err.text);
	CHECK(wbl_journal_append(s, &e, &k->err) == WBL_E_DISK && !strcmp(first, k->err.text));
	CHECK(wbl_journal_commit(s, &k->err) == WBL_E_DISK);
	CHECK(wbl_journal_each(s, &q, nothing, NULL, &k->err) == WBL_E_DISK);
	CHECK(wbl_audit_verify(s, NULL, &r, &k->err) == WBL_E_DISK);
	wbl_state_close(s);
	s = NULL;
	fill_disk(k, filler);
	CHECK(!wbl_state_open(k->dir, WBL_STATE_READ_ONLY, &s, &k->err) ||
		k->err.code == WBL_E_DISK);
	wbl_state_close(s);
	unlink(filler);
	/* what was said to be durable is there, and work goes on as far as there is room */
	CHECK(!wbl_state_open(k->dir, 0, &s, &k->err));
	CHECK(wbl_journal_last(s) == durable);
	CHECK(!wbl_audit_verify(s, NULL, &r, &k->err) && r.entries == durable);
	wbl_state_close(s);
}

static void work_full_at_start(struct kit *k)
{
	struct wbl_state *s = NULL;
	char filler[120];

	fill_disk(k, filler);
	CHECK(wbl_state_open(k->dir, 0, &s, &k->err) == WBL_E_DISK && !s);
	CHECK(strstr(k->err.where, k->dir) && k->err.hint[0]);
	unlink(filler);
	CHECK(!wbl_state_open(k->dir, 0, &s, &k->err));
	wbl_state_close(s);
	fill_disk(k, filler);
	s = NULL;
	CHECK(wbl_state_open(k->dir, 0, &s, &k->err) == WBL_E_DISK && !s);
	CHECK(strstr(k->err.where, k->dir) && k->err.hint[0]);
}

static void work_read_only(struct kit *k)
{
	struct wbl_state *s = NULL;
	char disk[80];

	snprintf(disk, sizeof disk, "%s/disk", k->root);
	CHECK(!mount("none", disk, NULL, MS_REMOUNT | MS_RDONLY, NULL));
	CHECK(wbl_state_open(k->dir, 0, &s, &k->err) == WBL_E_DISK);
	CHECK(!mount("none", disk, NULL, MS_REMOUNT, NULL));
	CHECK(!wbl_state_open(k->dir, 0, &s, &k->err));
	CHECK(!wbl_journal_append(s, &(struct wbl_entry){ .kind = WBL_KIND_LOG }, &k->err));
	CHECK(!wbl_journal_commit(s, &k->err));
	wbl_state_close(s);
	s = NULL;
	CHECK(!mount("none", disk, NULL, MS_REMOUNT | MS_RDONLY, NULL));
	CHECK(wbl_state_open(k->dir, 0, &s, &k->err) == WBL_E_DISK && !s);
	CHECK(strstr(k->err.text, "Read-only file system"));
	/* reading a folder that cannot be written needs no side files */
	CHECK(!wbl_state_open(k->dir, WBL_STATE_READ_ONLY, &s, &k->err));
	CHECK(wbl_journal_last(s) == 1);
	wbl_state_close(s);
}

static void test_full(void **state)
{
	on_small_disk(*state, work_full);
}

static void test_full_at_start(void **state)
{
	on_small_disk(*state, work_full_at_start);
}

static void test_read_only(void **state)
{
	on_small_disk(*state, work_read_only);
}

#define T(f) cmocka_unit_test_setup_teardown(f, kit_setup, kit_teardown)
int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_newer),
		T(test_not_ours),
		T(test_garbage_header),
		T(test_truncated),
		T(test_page_damaged),
		T(test_page_damaged_later),
		T(test_half_made),
		T(test_full),
		T(test_full_at_start),
		T(test_read_only),
	};

	return cmocka_run_group_tests_name("db", tests, NULL, NULL);
}
