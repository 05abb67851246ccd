/* engine/orphans.c - finding and ending processes that must not work beside their successors.
 * A host and its helpers inherit a shared lock (descriptor 4). Who holds it is found in /proc/PID/fd, and who
 * closed it by the mark in its environment. An engine that is not root may see neither in a host, which is not
 * dumpable: it finds it, and what it forked, by the arguments. At the engine's start every file in locks/ belongs to
 * the dead.
 * SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "core/engine/orphans.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "core/engine/host_process.h"
#include "core/engine/run.h"

static bool is_free(const char *lock)
{
	int fd = open(lock, O_RDWR | O_CLOEXEC);
	bool is;

	if (fd < 0)
		return true;
	is = !flock(fd, LOCK_EX | LOCK_NB);
	close(fd);
	return is;
}

static bool has_descriptor(const char *pid, const char *lock)
{
	WBL_AUTOFREE char *dir = wbl_strf("/proc/%s/fd", pid);
	DIR *d = opendir(dir);
	struct dirent *de;
	bool found = false;

	if (!d)
		return false;
	while (!found && (de = readdir(d))) {
		WBL_AUTOFREE char *link = wbl_strf("%s/%s", dir, de->d_name);
		char target[4096];
		ssize_t n = readlink(link, target, sizeof target - 1);

		if (n < 0)
			continue;
		target[n] = '\0';
		found = !strcmp(target, lock);
	}
	closedir(d);
	return found;
}

/* Is `mark` among the NUL-ended texts of a file in /proc, right after `before` (NULL: anywhere)? */
static bool has_text(const char *pid, const char *name, const char *before, const char *mark)
{
	WBL_AUTOFREE char *path = wbl_strf("/proc/%s/%s", pid, name);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct wbl_buf b = { 0 };
	bool found = false, due = !before;
	char part[4096];
	ssize_t n;
	size_t at;

	if (fd < 0)
		return false;
	while ((n = read(fd, part, sizeof part)) > 0 && b.len < (1 << 20))
		wbl_buf_add(&b, part, (size_t)n);
	close(fd);
	for (at = 0; at < b.len && !found; at += strlen(b.data + at) + 1) {
		found = due && !strcmp(b.data + at, mark);
		due = !before || !strcmp(b.data + at, before);
	}
	wbl_buf_clear(&b);
	return found;
}

static bool has_mark(const char *pid, const char *lock)
{
	WBL_AUTOFREE char *mark = wbl_strf("WBL_HOST=%s", lock);

	return has_text(pid, "environ", NULL, mark) || has_text(pid, "cmdline", "--lock", lock);
}

/* Returns how many were found. */
static int kill_holders(const char *lock)
{
	DIR *d = opendir("/proc");
	struct dirent *de;
	int n = 0;

	if (!d)
		return 0;
	while ((de = readdir(d))) {
		long pid = strtol(de->d_name, NULL, 10);

		if (!isdigit((unsigned char)de->d_name[0]) || pid <= 1 || pid == (long)getpid())
			continue;
		if (has_descriptor(de->d_name, lock) || has_mark(de->d_name, lock)) {
			kill((pid_t)pid, SIGKILL);
			n++;
		}
	}
	closedir(d);
	return n;
}

static bool end_holders(const char *lock)
{
	struct timespec wait = { .tv_nsec = 2000000 };
	int i;

	for (i = 0; i < 1000; i++) {
		if (!kill_holders(lock) && is_free(lock))
			return true;
		nanosleep(&wait, NULL);
	}
	return false;
}

/* Children that are no hosts came to us because their parent ended. Those of hosts that live are left to them. */
static void end_strangers(struct wbl_engine *e)
{
	WBL_AUTOFREE char *path = wbl_strf("/proc/self/task/%ld/children", (long)getpid());
	int round;

	for (round = 0; round < 1000; round++) {
		FILE *f = fopen(path, "re");
		bool found = false;
		long pid;

		if (!f)
			return;
		while (fscanf(f, "%ld", &pid) == 1) {
			char number[24];

			snprintf(number, sizeof number, "%ld", pid);
			if (wbl_host_is(e, (pid_t)pid) || wbl_host_owns(e, number, has_mark))
				continue;
			kill((pid_t)pid, SIGKILL);
			waitpid((pid_t)pid, NULL, 0);
			found = true;
		}
		fclose(f);
		if (!found)
			return;
	}
}

void wbl_orphans_end(struct wbl_engine *e, const char *lock_path)
{
	end_strangers(e);
	if (!is_free(lock_path))
		end_holders(lock_path);
}

int32_t wbl_hosts_end_orphans(struct wbl_engine *e, struct wbl_error *err)
{
	WBL_AUTOFREE char *dir = wbl_strf("%s/locks", wbl_state_dir(e->state));
	int32_t rc = wbl_mkdirs(dir, 0700, err);
	struct dirent *de;
	DIR *d;

	if (rc)
		return rc;
	d = opendir(dir);
	if (!d)
		return wbl_fail_errno(err, WBL_E_DISK, dir, NULL, "the folder cannot be read");
	while (!rc && (de = readdir(d))) {
		WBL_AUTOFREE char *lock = wbl_strf("%s/%s", dir, de->d_name);

		if (de->d_name[0] == '.')
			continue;
		if (!end_holders(lock))
			rc = wbl_fail(err, WBL_E_LOCKED, lock,
				"End the processes that hold this file (fuser), then try again.",
				"a process of an earlier run cannot be ended");
		else
			unlink(lock);
	}
	closedir(d);
	return rc;
}
