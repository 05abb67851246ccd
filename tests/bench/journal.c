/* bench/journal.c - what a durable record costs: one entry per commit beside one write and fdatasync on the same
 * file system, and groups of entries per commit.
 * In: a folder to work in (default: $TMPDIR or /tmp), rounds (default 7).  Out: medians over interleaved rounds,
 * and ratios. Another way of recording is another lane.
 * SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "core/state/journal.h"

enum { MAX_ROUNDS = 99, BODY = 200, WARM = 4000 };

struct lane {
	const char *name;
	int group, commits; /* group 0: a plain file */
	bool preallocated;
	double us[MAX_ROUNDS]; /* per commit */
};

static struct lane lanes[] = {
	{ "write + fdatasync, file grows", 0, 200, false },
	{ "write + fdatasync, in place", 0, 200, true },
	{ "journal, 1 entry a commit", 1, 200, false },
	{ "journal, 4 entries a commit", 4, 200, false },
	{ "journal, 16 entries a commit", 16, 100, false },
	{ "journal, 64 entries a commit", 64, 100, false },
	{ "journal, 4096 entries a commit", 4096, 4, false },
};

static void stop(const struct wbl_error *err)
{
	fprintf(stderr, "%s: %s\n", err->where, err->text);
	exit(1);
}

static void run_plain(const struct lane *l, const char *dir)
{
	WBL_AUTOFREE char *path = wbl_strf("%s/plain-%d", dir, l->preallocated);
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | (l->preallocated ? 0 : O_APPEND), 0600),
	    i;
	char block[4096] = { 0 };

	for (i = 0; i < l->commits; i++)
		if ((l->preallocated ? pwrite(fd, block, sizeof block, (i % 64) * 4096)
				     : write(fd, block, BODY)) < 0 ||
			fdatasync(fd)) {
			perror(path);
			exit(1);
		}
	close(fd);
}

static void run_journal(const struct lane *l, struct wbl_state *s)
{
	char body[BODY];
	struct wbl_entry e = { .kind = WBL_KIND_CHUNK_RESULT,
		.run = "20261121-crm-to-new-1",
		.step = "copy",
		.pass = 1,
		.attempt = 1,
		.epoch = 1,
		.actor = "uid:1000",
		.body = { body, sizeof body } };
	struct wbl_error err;
	char chunk[16];
	int i, j;

	memset(body, 'x', sizeof body);
	e.chunk = chunk;
	for (i = 0; i < l->commits; i++) {
		for (j = 0; j < l->group; j++) {
			snprintf(chunk, sizeof chunk, "%d", i * l->group + j);
			if (wbl_journal_append(s, &e, &err))
				stop(&err);
		}
		if (wbl_journal_commit(s, &err))
			stop(&err);
	}
}

static int by_size(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static double median(struct lane *l, int rounds)
{
	qsort(l->us, (size_t)rounds, sizeof *l->us, by_size);
	return l->us[rounds / 2];
}

static void print(int rounds)
{
	double base = median(&lanes[0], rounds);
	struct rusage use;
	size_t i;

	printf("%-32s %12s %12s %8s\n", "lane", "us/commit", "entries/s", "ratio");
	for (i = 0; i < WBL_COUNT(lanes); i++) {
		double us = median(&lanes[i], rounds);
		int n = lanes[i].group ? lanes[i].group : 1;

		printf("%-32s %12.1f %12.0f %8.2f\n", lanes[i].name, us, n * 1e6 / us, us / base);
	}
	getrusage(RUSAGE_SELF, &use);
	printf("medians of %d interleaved rounds; peak memory %ld KiB\n", rounds, use.ru_maxrss);
}

static void remove_folder(const char *dir)
{
	WBL_AUTOFREE char *cmd = wbl_strf("rm -rf '%s'", dir);

	if (system(cmd))
		fprintf(stderr, "%s stays\n", dir);
}

int main(int argc, char **argv)
{
	const char *tmp = getenv("TMPDIR");
	WBL_AUTOFREE char *dir = wbl_strf("%s/wbl-bench-XXXXXX", argc > 1 ? argv[1]
								 : tmp    ? tmp
									  : "/tmp");
	int rounds = argc > 2 ? atoi(argv[2]) : 7, r;
	WBL_AUTOFREE char *folder = NULL;
	struct wbl_state *s;
	struct wbl_error err;
	size_t i;

	if (rounds < 1 || rounds > MAX_ROUNDS || !mkdtemp(dir))
		return 2;
	folder = wbl_strf("%s/state", dir);
	if (wbl_state_open(folder, 0, &s, &err))
		stop(&err);
	run_journal(&(struct lane){ .group = WARM, .commits = 1 }, s);
	for (r = 0; r < rounds; r++)
		for (i = 0; i < WBL_COUNT(lanes); i++) {
			int64_t start = wbl_now_mono();

			if (lanes[i].group)
				run_journal(&lanes[i], s);
			else
				run_plain(&lanes[i], dir);
			lanes[i].us[r] = (double)(wbl_now_mono() - start) / 1e3 / lanes[i].commits;
		}
	wbl_state_close(s);
	print(rounds);
	remove_folder(dir);
	return 0;
}
