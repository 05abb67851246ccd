/* tests of what a loss of power leaves of the history, by a SQLite VFS.
 * req: X9 U1 Q1 T2
 * A state folder is made, filled by single and by group commits, checkpointed in each of SQLite's ways, closed, opened
 * again, with artefacts in between. Before every write, truncation, sync, rename and removal the power fails in several
 * ways. Each folder found must open; its chain must hold; each acknowledged entry and sealed artefact must be there; a
 * commit must be there whole or not at all; and what is written next must be kept.
 * SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "tests/unit/state/kit.h"

#include <ftw.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include <sqlite3.h>

#include "core/state/artefact.h"
#include "vfs.h"

enum { SEEDS = 2 };

struct power {
	struct kit kit;
	char root[96], out[96];
	struct vfs_disk disk;
	struct wbl_state *live;
	int64_t acked,
		under_way; /* the newest acknowledged entry; that of the commit that may be under way */
	char head[WBL_SHA256_HEX], uuid[37];
	bool had;        /* a state was acknowledged */
	bool tell, stop; /* say what is wrong; stop looking after the first that is */
	long moments, looked, bad, lost, unwell;
	struct wbl_error err;
};

static int setup(void **state)
{
	void *kit;
	struct power *p = wbl_alloc(sizeof *p);

	/* memory where there is some: thousands of folders are made and looked at */
	if (!getenv("TMPDIR") && !access("/dev/shm", W_OK))
		setenv("TMPDIR", "/dev/shm", 1);
	if (kit_setup(&kit))
		return -1;
	p->kit = *(struct kit *)kit;
	free(kit);
	snprintf(p->root, sizeof p->root, "%s/disk", p->kit.root);
	snprintf(p->out, sizeof p->out, "%s/found", p->kit.root);
	*state = p;
	return mkdir(p->root, 0700);
}

static int teardown(void **state)
{
	struct power *p = *state;
	void *kit = wbl_alloc(sizeof p->kit);

	unsetenv("WBL_TEST_SYNC_OFF");
	memcpy(kit, &p->kit, sizeof p->kit);
	free(p);
	return kit_teardown(&kit);
}

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *at)
{
	return remove(path);
}

/* --- what was found --- */

static int32_t check_seal(void *ctx, const struct wbl_entry *e)
{
	json_t *body = wbl_json_parse(e->body.data, e->body.len, NULL, NULL);
	int fd = -1;
	int32_t rc = wbl_artefact_open(ctx, e->run, body, &fd, NULL);

	if (fd >= 0)
		close(fd);
	json_decref(body);
	return rc;
}

/* The power is back: what is written now must be there when it is opened once more. */
static const char *go_on(struct wbl_state *s, const char *dir, struct wbl_error *err)
{
	struct wbl_entry e = { .kind = WBL_KIND_LOG, .run = "r", .name = "after" };
	struct wbl_audit_report r;
	const char *bad = NULL;
	int64_t last;

	if (wbl_journal_append(s, &e, err) || wbl_journal_commit(s, err)) {
		wbl_state_close(s);
		return "cannot be written";
	}
	last = wbl_journal_last(s);
	wbl_state_close(s);
	s = NULL;
	if (wbl_state_open(dir, 0, &s, err))
		return "does not open a second time";
	if (wbl_journal_last(s) != last || wbl_audit_verify(s, NULL, &r, err))
		bad = "has lost what was written after";
	wbl_state_close(s);
	return bad;
}

static const char *look(struct power *p, bool *ret_lost)
{
	WBL_AUTOFREE char *dir = wbl_strf("%s/state", p->out);
	struct wbl_query seals = { .kind = WBL_KIND_ARTEFACT_SEAL };
	struct wbl_audit_report r;
	struct wbl_state *s = NULL;
	const char *bad = NULL;
	int64_t last;

	if (wbl_state_open(dir, 0, &s, &p->err))
		return "does not open";
	last = wbl_journal_last(s);
	*ret_lost = last < p->acked || (p->had && strcmp(wbl_state_uuid(s), p->uuid));
	if (*ret_lost)
		bad = "has lost what was acknowledged";
	else if (last != p->acked && last != p->under_way)
		bad = "has a half commit";
	else if (wbl_audit_verify(s, p->acked ? p->head : NULL, &r, &p->err))
		bad = "has another chain";
	else if (r.entries != last)
		bad = "has gaps";
	else if (wbl_journal_each(s, &seals, check_seal, s, &p->err))
		bad = "has a sealed artefact that is not whole";
	if (!bad)
		return go_on(s, dir, &p->err);
	wbl_state_close(s);
	return bad;
}

static void fail_power(struct power *p, enum vfs_loss how, uint64_t seed)
{
	const char *off = getenv("WBL_TEST_SYNC_OFF"), *wrong;
	bool lost = false;

	vfs_lose_power(p->out, how, seed);
	p->err = (struct wbl_error){ 0 };
	if (off)
		unsetenv("WBL_TEST_SYNC_OFF");
	wrong = look(p, &lost);
	if (off)
		setenv("WBL_TEST_SYNC_OFF", "1", 1);
	if (wrong && p->tell && !p->bad)
		print_message("# moment %ld, loss %d, seed %llu: the folder %s: %s: %s\n",
			p->moments, how, (unsigned long long)seed, wrong, p->err.where,
			p->err.text);
	p->looked++;
	p->bad += wrong != NULL;
	p->lost += lost;
	p->unwell += wrong && !lost;
	nftw(p->out, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static void at_moment(void *ctx)
{
	struct power *p = ctx;
	uint64_t seed = (uint64_t)++p->moments * 16;
	int i;

	if (p->stop && p->lost)
		return;
	fail_power(p, VFS_DROP, seed);
	fail_power(p, VFS_KEEP, seed);
	fail_power(p, VFS_TORN, seed);
	for (i = 0; i < SEEDS; i++) {
		fail_power(p, VFS_SOME, seed + 1 + (uint64_t)i);
		fail_power(p, VFS_JUNK, seed + 8 + (uint64_t)i);
	}
}

/* --- a life of a state folder --- */

static void commit(struct power *p)
{
	assert_int_equal(wbl_journal_commit(p->live, &p->err), 0);
	p->acked = p->under_way = wbl_journal_last(p->live);
	wbl_journal_head(p->live, p->head);
}

static void append(struct power *p, struct wbl_entry e)
{
	assert_int_equal(wbl_journal_append(p->live, &e, &p->err), 0);
	p->under_way = wbl_journal_last(p->live);
}

/* Entries of several runs go out in one commit. */
static void add(struct power *p, int commits, int per_commit, size_t size)
{
	static char body[20000];
	static const char *const runs[] = { "r-000001", "r-000002", "r-000003" };
	int i, j;

	memset(body, 'b', sizeof body);
	for (i = 0; i < commits; i++) {
		for (j = 0; j < per_commit; j++)
			append(p, (struct wbl_entry){ .kind = WBL_KIND_CHUNK_RESULT,
					  .run = runs[j % 3],
					  .step = "copy",
					  .body = { body, size } });
		commit(p);
	}
}

static void keep_artefact(struct power *p, const char *name)
{
	struct wbl_entry e = {
		.kind = WBL_KIND_ARTEFACT_SEAL, .run = "r-000001", .step = "backup", .name = name
	};
	char *file, *text;
	json_t *body;
	int fd;

	assert_int_equal(
		wbl_artefact_create(p->live, "r-000001", "backup", 1, name, &file, &fd, &p->err),
		0);
	assert_int_equal(wbl_write_all(fd, "before image of ", 16), 0);
	assert_int_equal(wbl_write_all(fd, name, strlen(name)), 0);
	assert_int_equal(wbl_artefact_seal(p->live, "r-000001", file, fd, &body, &p->err), 0);
	text = wbl_json_text(body);
	e.body = (struct wbl_bytes){ text, strlen(text) };
	append(p, e);
	commit(p);
	free(text);
	json_decref(body);
	free(file);
	close(fd);
}

static void checkpoint(struct power *p, const char *how)
{
	WBL_AUTOFREE char *path = wbl_strf("%s/history.db", wbl_state_dir(p->live));
	WBL_AUTOFREE char *sql = wbl_strf("PRAGMA synchronous=%s; PRAGMA wal_checkpoint(%s)",
		getenv("WBL_TEST_SYNC_OFF") ? "OFF" : "FULL", how);
	sqlite3 *db;

	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

static void begin(struct power *p)
{
	WBL_AUTOFREE char *dir = wbl_strf("%s/state", p->root);

	if (wbl_state_open(dir, 0, &p->live, &p->err))
		fail_msg("%s: %s", p->err.where, p->err.text);
	/* who was told of this state finds this state again */
	snprintf(p->uuid, sizeof p->uuid, "%s", wbl_state_uuid(p->live));
	p->had = true;
}

static void end(struct power *p)
{
	wbl_state_close(p->live);
	p->live = NULL;
}

static void live(struct power *p)
{
	p->disk.root = p->root;
	p->disk.moment = at_moment;
	p->disk.ctx = p;
	vfs_install(&p->disk);
	begin(p); /* the first time: schema and all */
	add(p, 3, 1, 100);
	keep_artefact(p, "one");
	add(p, 2, 5, 1500);
	checkpoint(p, "PASSIVE");
	add(p, 2, 1, 300);
	checkpoint(p, "RESTART"); /* the next commit writes over the log from its start */
	add(p, 2, 3, 700);
	keep_artefact(p, "two");
	checkpoint(p, "TRUNCATE");
	add(p, 1, 2, 20000); /* pages of overflow */
	end(p);              /* checkpoints, and removes the log */
	begin(p);
	add(p, 2, 2, 1500);
	end(p);
	vfs_remove();
	print_message(
		"# %llu writes, %llu syncs, %llu renames and removals; power failed at %ld "
		"moments; "
		"%ld folders looked at, %ld of them wrong (%ld had lost acknowledged entries)\n",
		(unsigned long long)p->disk.writes, (unsigned long long)p->disk.syncs,
		(unsigned long long)p->disk.names, p->moments, p->looked, p->bad, p->lost);
}

static void test_common_disk(void **state)
{
	struct power *p = *state;

	p->disk.sector = 512;
	p->disk.safe_overwrite = true;
	p->tell = true;
	live(p);
	assert_true(p->disk.writes > 150 && p->looked > 1000);
	assert_int_equal(p->bad, 0);
}

/* Sectors as large as pages, and a torn write takes its neighbours with it. */
static void test_harsh_disk(void **state)
{
	struct power *p = *state;

	p->disk.sector = 4096;
	p->tell = true;
	live(p);
	assert_int_equal(p->bad, 0);
}

/* The proof that the test can find a loss: the same without SQLite's syncs. */
static void test_synchronous_off_is_found(void **state)
{
	struct power *p = *state;

	p->disk.sector = 512;
	p->disk.safe_overwrite = true;
	p->stop = true;
	setenv("WBL_TEST_SYNC_OFF", "1", 1);
	live(p);
	assert_true(p->lost > 0);
}

/* And with them, on a disk that only says that it has synced. */
static void test_lying_disk_is_found(void **state)
{
	struct power *p = *state;

	p->disk.sector = 512;
	p->disk.safe_overwrite = p->disk.lies = true;
	p->stop = true;
	live(p);
	assert_true(p->lost > 0);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_common_disk),
		T(test_harsh_disk),
		T(test_synchronous_off_is_found),
		T(test_lying_disk_is_found),
	};

	return cmocka_run_group_tests_name("vfs", tests, NULL, NULL);
}
