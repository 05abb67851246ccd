/* cli/start.c - an engine on demand.
 * In: a state folder.  Out: a connection to its engine, which is started when none runs: this very
 * program as `serve --on-demand`, in a session of its own. Of several that start at once one gets
 * the folder; the others' commands connect to it.
 * SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "core/cli/client.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "core/base/file.h"

extern char **environ;

enum { READY_FD = 3, TRIES = 5, LOG_LIMIT = 4 << 20, SAY_AFTER_MS = 3000, LOSER_WAITS_MS = 20000 };

static int32_t log_open(const char *path, int *ret, off_t *ret_size, struct wbl_error *err)
{
	struct stat st;

	if (!stat(path, &st) && st.st_size > LOG_LIMIT) {
		WBL_AUTOFREE char *old = wbl_strf("%s.1", path);

		rename(path, old);
	}
	*ret = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (*ret < 0)
		return wbl_fail_errno(err, WBL_E_DISK, path,
			"Free space, or make the folder writable for this user.",
			"cannot be opened");
	*ret_size = fstat(*ret, &st) ? 0 : st.st_size;
	return 0;
}

/* The engine gets nothing of ours but the log and the pipe: an inherited descriptor or a blocked
 * signal would tie it to whoever started the command. */
static int spawn(const char *dir, const char *config, int log, int ready, pid_t *ret)
{
	char *argv[] = { "whimbrel", "serve", "--on-demand", "--state", (char *)dir, "--config",
		(char *)config, "--ready-fd", "3", NULL };
	posix_spawn_file_actions_t fa;
	posix_spawnattr_t at;
	sigset_t none, all;
	int rc;

	sigemptyset(&none);
	sigfillset(&all);
	posix_spawn_file_actions_init(&fa);
	posix_spawnattr_init(&at);
	posix_spawnattr_setflags(
		&at, POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
	posix_spawnattr_setsigmask(&at, &none);
	posix_spawnattr_setsigdefault(&at, &all);
	rc = posix_spawn_file_actions_addopen(&fa, 0, "/dev/null", O_RDONLY, 0);
	if (!rc)
		rc = posix_spawn_file_actions_adddup2(&fa, log, 1);
	if (!rc)
		rc = posix_spawn_file_actions_adddup2(&fa, log, 2);
	if (!rc)
		rc = posix_spawn_file_actions_adddup2(&fa, ready, READY_FD);
	if (!rc)
		rc = posix_spawn_file_actions_addclosefrom_np(&fa, READY_FD + 1);
	if (!rc)
		rc = posix_spawn(ret, "/proc/self/exe", &fa, &at, argv, environ);
	posix_spawnattr_destroy(&at);
	posix_spawn_file_actions_destroy(&fa);
	return rc;
}

/* All the engine writes until it says "ok" or ends. */
static void await(int fd, struct wbl_buf *said)
{
	int64_t began = wbl_now_mono();
	bool told = false;
	char part[4096];

	for (;;) {
		struct pollfd p = { .fd = fd, .events = POLLIN };
		ssize_t n = poll(&p, 1, told ? -1 : 500);

		if (n == 0 && !told && wbl_now_mono() - began > SAY_AFTER_MS * INT64_C(1000000)) {
			fputs("whimbrel: waiting for the engine to start ...\n", stderr);
			told = true;
		}
		if (n <= 0)
			continue;
		n = read(fd, part, sizeof part);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return;
		wbl_buf_add(said, part, (size_t)n);
		if (said->data[said->len - 1] == '\n')
			return;
	}
}

/* The engine's own words on why it refused: the object on the pipe, else what it printed last. */
static int32_t refused(
	const char *log, off_t from, const struct wbl_buf *said, struct wbl_error *err)
{
	json_t *j = said->len ? wbl_json_parse(said->data, said->len, NULL, NULL) : NULL;
	const json_t *e = json_object_get(j, "error");
	const char *text = wbl_json_str(e, "text");
	int32_t rc = (int32_t)wbl_json_int(e, "code", WBL_E_INTERNAL);

	if (text) {
		wbl_fail(err, rc, wbl_json_str(e, "where"), wbl_json_str(e, "hint"), "%s", text);
	} else {
		struct wbl_buf b = { 0 };
		size_t keep = 700;
		WBL_AUTOFREE char *hint = wbl_strf("The whole log is %s.", log);

		wbl_file_read(log, LOG_LIMIT * 2, &b, NULL);
		if (b.len > (size_t)from + keep)
			from = (off_t)(b.len - keep);
		while (b.len && b.len > (size_t)from && b.data[b.len - 1] == '\n')
			b.data[--b.len] = '\0';
		rc = wbl_fail(err, WBL_E_INTERNAL, NULL, hint,
			"the engine could not be started; it printed:\n%s",
			b.len > (size_t)from ? b.data + from : "nothing");
		wbl_buf_clear(&b);
	}
	json_decref(j);
	return rc;
}

static int32_t launch(const char *dir, const char *config, struct wbl_error *err)
{
	WBL_AUTOFREE char *path = wbl_strf("%s/engine.log", dir);
	struct wbl_buf said = { 0 };
	int log = -1, ready[2], bad;
	off_t size = 0;
	pid_t pid;
	int32_t rc = log_open(path, &log, &size, err);

	if (rc)
		return rc;
	if (pipe2(ready, O_CLOEXEC)) {
		close(log);
		return wbl_fail_errno(err, WBL_E_INTERNAL, NULL, NULL, "no pipe");
	}
	bad = spawn(dir, config, log, ready[1], &pid);
	close(ready[1]);
	close(log);
	if (bad) {
		errno = bad;
		rc = wbl_fail_errno(
			err, WBL_E_INTERNAL, dir, NULL, "the engine could not be started");
	} else {
		await(ready[0], &said);
		if (said.len < 3 || memcmp(said.data, "ok\n", 3)) {
			rc = refused(path, size, &said, err);
			waitpid(pid, NULL, 0);
		}
	}
	close(ready[0]);
	wbl_buf_clear(&said);
	return rc;
}

/* Another command's engine has the folder but may not listen yet. */
static int32_t open_late(const char *dir, struct wbl_client **ret, struct wbl_error *err)
{
	int64_t until = wbl_now_mono() + LOSER_WAITS_MS * INT64_C(1000000);
	int32_t rc;

	while ((rc = wbl_client_open(dir, ret, NULL)) == WBL_E_UNAVAILABLE &&
		wbl_now_mono() < until)
		nanosleep(&(struct timespec){ .tv_nsec = 20000000 }, NULL);
	return rc ? wbl_client_open(dir, ret, err) : 0;
}

int32_t wbl_client_start(const char *dir, const char *config, bool make, struct wbl_client **ret,
	struct wbl_error *err)
{
	struct wbl_error quiet;
	int32_t rc = WBL_E_UNAVAILABLE;
	int i;

	if (make && access(dir, F_OK)) {
		rc = wbl_mkdirs(dir, 0700, err);
		if (rc)
			return rc;
	}
	/* An engine that is about to end takes a connection and drops it: then another one is
	 * started. */
	for (i = 0; i < TRIES; i++) {
		rc = wbl_client_open(dir, ret, err);
		if (rc != WBL_E_UNAVAILABLE)
			return rc;
		rc = launch(dir, config, &quiet);
		if (rc == WBL_E_LOCKED && !open_late(dir, ret, err))
			return 0;
		if (rc) {
			*err = quiet;
			return rc;
		}
	}
	return wbl_client_open(dir, ret, err);
}
