/* tests of what a loss of power leaves: the recorder and the model of a disk, and with them the history.
 * req: X9 U1 Q1 T2
 * Every prefix of all that a writer did to its state folder is cut off, in several ways. Each time the folder must
 * open, its chain must hold, and all that was acknowledged before the cut must be there, artefacts included.
 * SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "tests/unit/state/kit.h"

#include <ftw.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/state/artefact.h"
#include "disk.h"

enum { SEEDS = 3, MAX_ACKS = 64 };

struct power {
	struct kit kit;
	char root[96], log[96], acks[96];
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
	snprintf(p->log, sizeof p->log, "%s/log", p->kit.root);
	snprintf(p->acks, sizeof p->acks, "%s/acks", p->kit.root);
	*state = p;
	return mkdir(p->root, 0700);
}

static int teardown(void **state)
{
	struct power *p = *state;
	void *kit = wbl_alloc(sizeof p->kit);

	memcpy(kit, &p->kit, sizeof p->kit);
	free(p);
	return kit_teardown(&kit);
}

static const char *built(const char *name, char buf[512])
{
	const char *build = getenv("WBL_BUILD");

	snprintf(buf, 512, "%s/tests/bin/%s", build ? build : ".", name);
	if (access(buf, R_OK))
		fail_msg("%s is missing", buf);
	return buf;
}

static int run(struct power *p, bool recorded, const char *const argv[], const char *setting)
{
	char program[512], recorder[512];
	int status;
	pid_t pid;

	built(argv[0], program);
	built(".libs/recorder.so", recorder);
	pid = fork();
	if (!pid) {
		if (recorded) {
			setenv("WBL_POWER_ROOT", p->root, 1);
			setenv("WBL_POWER_LOG", p->log, 1);
			setenv("LD_PRELOAD", recorder, 1);
			setenv("ASAN_OPTIONS", "verify_asan_link_order=0", 1);
		}
		unsetenv("WBL_TEST_SYNC_OFF");
		if (setting)
			setenv(setting, "1", 1);
		execv(program, (char *const *)argv);
		_exit(127);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

static struct disk *load(struct power *p)
{
	struct disk *d = NULL;

	if (disk_open(p->log, &d, &p->err))
		fail_msg("%s: %s", p->err.where, p->err.text);
	return d;
}

static void advance(struct power *p, struct disk *d, int64_t n)
{
	if (disk_advance(d, n, &p->err))
		fail_msg("%s", p->err.text);
}

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *at)
{
	return remove(path);
}

static void remove_tree(const char *path)
{
	assert_int_equal(nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS), 0);
}

/* What stands at out/name is this text; "-": nothing stands there. */
static void expect_file(const char *out, const char *name, const char *want)
{
	WBL_AUTOFREE char *path = wbl_strf("%s/%s", out, name);
	struct wbl_buf b = { 0 };
	const char *got = wbl_file_read(path, 1000, &b, NULL) ? "-" : b.data;

	if (strcmp(got, want))
		fail_msg("%s holds \"%s\", expected \"%s\"", name, got, want);
	wbl_buf_clear(&b);
}

/* --- the tools --- */

static void test_all_calls_seen(void **state)
{
	struct power *p = *state;
	const char *writer[] = { "writer", "calls", p->root, NULL };
	const char *compare[] = { "replay", p->log, "--compare", p->root, NULL };
	WBL_AUTOFREE char *other = wbl_strf("%s/a", p->root);

	assert_int_equal(run(p, true, writer, NULL), 0);
	assert_int_equal(run(p, false, compare, NULL), 0);
	assert_int_equal(wbl_file_replace(other, "not recorded", 12, 0600, &p->err), 0);
	assert_int_not_equal(run(p, false, compare, NULL), 0);
}

static void check_variants(struct power *p, struct disk *d, const char *out)
{
	assert_int_equal(disk_write(d, out, DISK_DROP, 0, &p->err), 0);
	expect_file(out, "renamed-after", "text");
	expect_file(out, "content-synced-name-not", "-");
	expect_file(out, "folder-synced/file", "text");
	expect_file(out, "name-synced-content-not", "");
	expect_file(out, "both", "text");
	expect_file(out, "moved", "text");
	expect_file(out, "moved-away", "-");
	expect_file(out, "kept", "text");
	remove_tree(out);
	assert_int_equal(disk_write(d, out, DISK_KEEP, 0, &p->err), 0);
	expect_file(out, "name-synced-content-not", "text");
	expect_file(out, "both", "te");
	expect_file(out, "moved", "-");
	expect_file(out, "moved-away", "text");
	expect_file(out, "kept", "-");
	remove_tree(out);
}

static void test_what_syncs_keep(void **state)
{
	struct power *p = *state;
	const char *writer[] = { "writer", "synced", p->root, NULL };
	WBL_AUTOFREE char *out = wbl_strf("%s/out", p->kit.root),
			  *again = wbl_strf("%s/again", p->kit.root);
	WBL_AUTOFREE char *diff = wbl_strf("diff -r '%s' '%s' >/dev/null", out, again);
	struct disk *d;
	int lost = 0, i;

	assert_int_equal(run(p, true, writer, NULL), 0);
	d = load(p);
	advance(p, d, 3); /* before any folder was synced */
	assert_int_equal(disk_write(d, out, DISK_DROP, 0, &p->err), 0);
	expect_file(out, "content-synced-name-not", "-");
	remove_tree(out);
	advance(p, d, disk_count(d));
	check_variants(p, d, out);
	for (i = 0; i < 16; i++) { /* by seed, and the same seed again */
		assert_int_equal(disk_write(d, out, DISK_SOME, (uint64_t)i, &p->err), 0);
		assert_int_equal(disk_write(d, again, DISK_SOME, (uint64_t)i, &p->err), 0);
		assert_int_equal(system(diff), 0);
		expect_file(out, "folder-synced/file", "text");
		remove_tree(again);
		assert_int_equal(disk_write(d, again, DISK_SOME, (uint64_t)i + 1, &p->err), 0);
		lost += system(diff) != 0;
		remove_tree(out);
		remove_tree(again);
	}
	assert_true(lost > 4);
	disk_free(d);
}

static void test_command(void **state)
{
	struct power *p = *state;
	const char *writer[] = { "writer", "synced", p->root, NULL };
	WBL_AUTOFREE char *out = wbl_strf("%s/out", p->kit.root);
	const char *keep[] = { "replay", p->log, out, "--cut", "999", "--variant", "keep", "--seed",
		"1", NULL };
	const char *wrong[] = { "replay", p->log, out, "--variant", "none", NULL };

	assert_int_equal(run(p, true, writer, NULL), 0);
	assert_int_equal(run(p, false, keep, NULL), 0);
	expect_file(out, "both", "te");
	assert_int_not_equal(run(p, false, keep, NULL), 0); /* the folder stands already */
	assert_int_not_equal(run(p, false, wrong, NULL), 0);
}

/* --- the history --- */

struct ack {
	long long seq, position;
	char head[WBL_SHA256_HEX];
};

static int read_acks(struct power *p, struct ack list[MAX_ACKS])
{
	FILE *f = fopen(p->acks, "r");
	int n = 0;

	assert_non_null(f);
	while (n < MAX_ACKS &&
		fscanf(f, "%lld %lld %64s", &list[n].seq, &list[n].position, list[n].head) == 3)
		n++;
	fclose(f);
	return n;
}

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

/* NULL, or what is wrong with the folder found after the cut */
static const char *look(const char *out, const struct ack *ack, struct wbl_error *err)
{
	WBL_AUTOFREE char *dir = wbl_strf("%s/state", out);
	struct wbl_query seals = { .kind = WBL_KIND_ARTEFACT_SEAL };
	struct wbl_audit_report r;
	struct wbl_state *s = NULL;
	const char *bad = NULL;

	if (wbl_state_open(dir, 0, &s, err))
		return "does not open";
	if (ack && wbl_journal_last(s) < ack->seq)
		bad = "has lost what was acknowledged";
	else if (wbl_audit_verify(s, ack ? ack->head : NULL, &r, err))
		bad = "has another chain";
	else if (wbl_journal_each(s, &seals, check_seal, s, err))
		bad = "has a sealed artefact that is not whole";
	wbl_state_close(s);
	return bad;
}

/* the number of folders in which something is wrong; the first one is told when none is expected */
static int cut_everywhere(struct power *p, bool tell)
{
	WBL_AUTOFREE char *out = wbl_strf("%s/out", p->kit.root);
	struct disk *d = load(p);
	struct ack acks[MAX_ACKS];
	int count = read_acks(p, acks), known = 0, bad = 0, how, looked = 0;
	int64_t n;

	assert_true(count > 15);
	for (n = 0; n <= disk_count(d); n++) {
		advance(p, d, n);
		while (known < count && (uint64_t)acks[known].position <= disk_position(d, n))
			known++;
		for (how = 0; how < 2 + SEEDS; how++, looked++) {
			enum disk_variant variant =
				how < DISK_SOME ? (enum disk_variant)how : DISK_SOME;
			const char *wrong;

			p->err = (struct wbl_error){ 0 };
			assert_int_equal(
				disk_write(d, out, variant, (uint64_t)(n * SEEDS + how), &p->err),
				0);
			wrong = look(out, known ? &acks[known - 1] : NULL, &p->err);
			if (wrong && tell && !bad)
				print_message("# record %lld, variant %d: the folder %s: %s: %s\n",
					(long long)n, how, wrong, p->err.where, p->err.text);
			bad += wrong != NULL;
			remove_tree(out);
		}
	}
	assert_int_equal(known, count);
	print_message(
		"# %lld records, %d acknowledged commits, %d folders looked at, %d of them wrong\n",
		(long long)disk_count(d), count, looked, bad);
	disk_free(d);
	return bad;
}

static void record_journal(struct power *p, const char *setting)
{
	WBL_AUTOFREE char *dir = wbl_strf("%s/state", p->root);
	const char *writer[] = { "writer", "journal", dir, p->acks, NULL };
	const char *compare[] = { "replay", p->log, "--compare", p->root, NULL };

	assert_int_equal(run(p, true, writer, setting), 0);
	assert_int_equal(run(p, false, compare, NULL), 0);
	setenv("WBL_TEST_SYNC_OFF", "1",
		1); /* only for those who look at the folders: it is quicker */
}

static void test_history_survives(void **state)
{
	struct power *p = *state;

	record_journal(p, NULL);
	assert_int_equal(cut_everywhere(p, true), 0);
}

/* The proof that the test can find a loss: the same without SQLite's syncs. */
static void test_loss_is_found(void **state)
{
	struct power *p = *state;

	record_journal(p, "WBL_TEST_SYNC_OFF");
	assert_true(cut_everywhere(p, false) > 0);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_all_calls_seen),
		T(test_what_syncs_keep),
		T(test_command),
		T(test_history_survives),
		T(test_loss_is_found),
	};

	return cmocka_run_group_tests_name("power", tests, NULL, NULL);
}
