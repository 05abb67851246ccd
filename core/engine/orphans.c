/* engine/orphans.c - finding and ending processes that must not work beside their successors.
 * A host and its helpers inherit a shared lock (descriptor 4). Who holds it is found in /proc/PID/fd, and who
 * closed it by the mark in its environment. An engine that is not root may see neither in a host, which is not
 * dumpable: it finds it, and what it forked, by the arguments. At the engine's start every file in locks/ belongs to
 * the dead; its content is the run (or plan) that the host worked for. Who cannot be ended keeps that run from going on.
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

#include "core/engine/host_inside.h"
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

static bool is_owner(const char *lock, const char *run)
{
	char said[64];
	int fd = open(lock, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? 0 : read(fd, said, sizeof said - 1);

	if (fd >= 0)
		close(fd);
	said[n < 0 ? 0 : n] = '\0';
	return !strcmp(said, run);
}

/* Ends one, and remembers it: it may not go. */
static void end_one(const char *number, struct wbl_orphan *ret)
{
	WBL_AUTOFREE char *path = wbl_strf("/proc/%s/cmdline", number);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? 0 : read(fd, ret->command, sizeof ret->command - 1), i;

	if (fd >= 0)
		close(fd);
	n = n < 0 ? 0 : n;
	while (n && !ret->command[n - 1])
		n--;
	ret->command[n] = '\0';
	for (i = 0; i < n; i++)
		if (!ret->command[i])
			ret->command[i] = ' ';
	ret->pid = (pid_t)strtol(number, NULL, 10);
	kill(ret->pid, SIGKILL);
}

/* True when nobody was found. */
static bool end_holders(const char *lock, struct wbl_orphan *ret)
{
	DIR *d = opendir("/proc");
	struct dirent *de;
	bool none = true;

	if (!d)
		return true;
	while ((de = readdir(d))) {
		long pid = strtol(de->d_name, NULL, 10);

		if (!isdigit((unsigned char)de->d_name[0]) || pid <= 1 || pid == (long)getpid())
			continue;
		if (has_descriptor(de->d_name, lock) || has_mark(de->d_name, lock)) {
			end_one(de->d_name, ret);
			none = false;
		}
	}
	closedir(d);
	return none;
}

static bool is_known(const struct wbl_engine *e, pid_t pid)
{
	const struct wbl_run *run;

	for (run = e->runs; run; run = run->next)
		if (run->beside.pid == pid)
			return true;
	return false;
}

/* Children that are no hosts came to us because their parent ended. Those of hosts that live are left to them, and
 * one that stopped another run already stops no second one. True when there was none. */
static bool end_strangers(struct wbl_engine *e, struct wbl_orphan *ret)
{
	WBL_AUTOFREE char *path = wbl_strf("/proc/self/task/%ld/children", (long)getpid());
	FILE *f = fopen(path, "re");
	bool none = true;
	long pid;

	if (!f)
		return true;
	while (fscanf(f, "%ld", &pid) == 1) {
		char number[24];

		snprintf(number, sizeof number, "%ld", pid);
		if (wbl_host_is(e, (pid_t)pid) || is_known(e, (pid_t)pid) ||
			wbl_host_owns(e, number, has_mark))
			continue;
		end_one(number, ret);
		none &= waitpid((pid_t)pid, NULL, WNOHANG) == (pid_t)pid;
	}
	fclose(f);
	return none;
}

static void pause_a_little(void)
{
	struct timespec wait = { .tv_nsec = 2000000 };

	nanosleep(&wait, NULL);
}

bool wbl_orphans_end(struct wbl_engine *e, const char *lock_path, struct wbl_orphan *ret)
{
	bool none = end_strangers(e, ret);

	return (is_free(lock_path) || (end_holders(lock_path, ret) && is_free(lock_path))) && none;
}

/* Nobody was watching meanwhile: also those are looked for that have closed the lock and lost their parent. */
static bool end_unwatched(
	struct wbl_engine *e, const char *lock_path, int64_t ns, struct wbl_orphan *ret)
{
	int64_t until = wbl_now_mono() + ns;

	while (!end_holders(lock_path, ret) || !wbl_orphans_end(e, lock_path, ret)) {
		if (wbl_now_mono() > until)
			return false;
		pause_a_little();
	}
	return true;
}

bool wbl_orphans_end_within(
	struct wbl_engine *e, const char *lock_path, int64_t ns, struct wbl_orphan *ret)
{
	int64_t until = wbl_now_mono() + ns;

	while (!wbl_orphans_end(e, lock_path, ret)) {
		if (wbl_now_mono() > until)
			return false;
		pause_a_little();
	}
	return true;
}

int32_t wbl_orphan_fail(
	const struct wbl_orphan *o, const char *run, const char *verb, struct wbl_error *err)
{
	char hint[200];

	snprintf(hint, sizeof hint,
		"End it as its user or as root (kill -9 %ld); then: whimbrel %s %s.", (long)o->pid,
		verb, run);
	return wbl_fail(err, WBL_E_LOCKED, run, hint,
		"process %ld (%s) is left of a process of this run and cannot be ended: nothing "
		"may go on beside it",
		(long)o->pid, o->command[0] ? o->command : "its command is not known");
}

static bool is_of_living(const struct wbl_engine *e, const char *lock)
{
	const struct wbl_host_process *h;

	for (h = e->hosts; h; h = h->next)
		if (!strcmp(h->lock_path, lock))
			return true;
	return false;
}

/* Is it still our child? Then its number is nobody else's. */
static bool is_child(pid_t pid)
{
	WBL_AUTOFREE char *path = wbl_strf("/proc/%ld/stat", (long)pid);
	FILE *f = fopen(path, "re");
	char line[512] = "";
	const char *end;
	long parent = 0;

	if (f) {
		end = fgets(line, sizeof line, f) ? strrchr(line, ')') : NULL;
		if (end && sscanf(end, ") %*c %ld", &parent) != 1)
			parent = 0;
		fclose(f);
	}
	return parent == (long)getpid();
}

#define A_MOMENT INT64_C(100000000)

int32_t wbl_run_is_alone(struct wbl_run *run, struct wbl_error *err)
{
	WBL_AUTOFREE char *dir = wbl_strf("%s/locks", wbl_state_dir(run->engine->state));
	struct wbl_orphan o = { 0 };
	DIR *d = opendir(dir);
	struct dirent *de;
	int32_t rc = 0;

	while (!rc && d && (de = readdir(d))) {
		WBL_AUTOFREE char *lock = wbl_strf("%s/%s", dir, de->d_name);

		if (de->d_name[0] == '.' || !is_owner(lock, run->id) ||
			is_of_living(run->engine, lock))
			continue;
		if (end_unwatched(run->engine, lock, A_MOMENT, &o))
			unlink(lock);
		else
			rc = wbl_orphan_fail(&o, run->id, "recover", err);
	}
	if (d)
		closedir(d);
	if (!rc && run->beside.pid && is_child(run->beside.pid))
		rc = wbl_orphan_fail(&run->beside, run->id, "recover", err);
	if (!rc)
		run->beside = (struct wbl_orphan){ 0 };
	return rc;
}

#define START_WAIT INT64_C(2000000000)

/* Those that stay keep their files: the runs which they are of do not go on before they are gone. */
int32_t wbl_hosts_end_orphans(struct wbl_engine *e, struct wbl_error *err)
{
	WBL_AUTOFREE char *dir = wbl_strf("%s/locks", wbl_state_dir(e->state));
	int64_t until = wbl_now_mono() + START_WAIT;
	int32_t rc = wbl_mkdirs(dir, 0700, err);
	struct wbl_orphan o;
	struct dirent *de;
	DIR *d;

	if (rc)
		return rc;
	d = opendir(dir);
	if (!d)
		return wbl_fail_errno(err, WBL_E_DISK, dir, NULL, "the folder cannot be read");
	while ((de = readdir(d))) {
		WBL_AUTOFREE char *lock = wbl_strf("%s/%s", dir, de->d_name);

		if (de->d_name[0] != '.' && end_unwatched(e, lock, until - wbl_now_mono(), &o))
			unlink(lock);
	}
	closedir(d);
	return 0;
}
