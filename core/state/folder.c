/* state/folder.c - the state folder: made, looked at, held.
 * In: a path.  Out: a folder of ours that nobody else may write, and its `lock` held for this process with the
 * pid inside. What else has to stand in the folder is made in db.c.
 * SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "core/state/db.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define HINT_DISK "Free space or make it writable, then whimbrel recover."

/* The names of new folders must survive a power loss, or the whole state is lost with them. A parent that we
 * may not read cannot be synced by us; it was there before. */
int32_t wbl_folder_make(const char *path, struct wbl_error *err)
{
	WBL_AUTOFREE char *parent = wbl_strdup(path);
	char *slash = strrchr(parent, '/');
	struct stat st;
	int32_t rc;

	if (!stat(path, &st)) {
		if (S_ISDIR(st.st_mode))
			return 0;
		return wbl_fail(err, WBL_E_USAGE, path, "Name a folder.", "is not a folder");
	}
	if (slash && slash != parent) {
		*slash = '\0';
		rc = wbl_folder_make(parent, err);
		if (rc)
			return rc;
	}
	if (mkdir(path, 0700) && errno != EEXIST)
		return wbl_fail_errno(
			err, WBL_E_DISK, path, HINT_DISK, "the folder cannot be made");
	errno = 0;
	rc = wbl_sync_parent(path, err);
	return rc && errno == EACCES ? 0 : rc;
}

static int32_t check_modes(const char *path, struct wbl_error *err)
{
	struct stat st;

	if (stat(path, &st))
		return wbl_fail_errno(err, WBL_E_DISK, path, HINT_DISK, "cannot be looked at");
	if (st.st_uid != geteuid())
		return wbl_fail(err, WBL_E_USAGE, path,
			"Run as its owner, or choose another state folder with --state.",
			"belongs to user %u, not to user %u who runs this", (unsigned)st.st_uid,
			(unsigned)geteuid());
	if (st.st_mode & 022)
		return wbl_fail(err, WBL_E_USAGE, path, "Take the permission away: chmod go-w.",
			"can be written by others (mode %04o)", (unsigned)st.st_mode & 07777);
	return 0;
}

static int32_t fail_held(int fd, const char *path, struct wbl_error *err)
{
	char pid[24] = "";
	ssize_t n = pread(fd, pid, sizeof pid - 1, 0);

	pid[n > 0 ? n : 0] = '\0';
	pid[strcspn(pid, "\n")] = '\0';
	return wbl_fail(err, WBL_E_LOCKED, path,
		"Use the engine that runs, or end it and try again.",
		"the state folder is held by another engine, pid %s", *pid ? pid : "unknown");
}

static int32_t take_lock(struct wbl_state *s, const char *path, struct wbl_error *err)
{
	char pid[24];
	int len = snprintf(pid, sizeof pid, "%ld\n", (long)getpid());

	s->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (s->lock_fd < 0)
		return wbl_fail_errno(err, WBL_E_DISK, path, HINT_DISK, "cannot be opened");
	while (flock(s->lock_fd, LOCK_EX | LOCK_NB)) {
		if (errno == EINTR)
			continue;
		if (errno == EWOULDBLOCK)
			return fail_held(s->lock_fd, path, err);
		return wbl_fail_errno(err, WBL_E_DISK, path, HINT_DISK, "cannot be locked");
	}
	if (ftruncate(s->lock_fd, 0) || pwrite(s->lock_fd, pid, (size_t)len, 0) != len)
		return wbl_fail_errno(err, WBL_E_DISK, path, HINT_DISK, "cannot be written");
	return 0;
}

int32_t wbl_folder_hold(struct wbl_state *s, struct wbl_error *err)
{
	WBL_AUTOFREE char *lock = wbl_strf("%s/lock", s->dir);
	struct stat st;
	int32_t rc;

	if (s->read_only) {
		if (stat(s->path, &st))
			return wbl_fail_errno(err, WBL_E_NOT_FOUND, s->path,
				"Name the state folder with --state or $WHIMBREL_STATE.",
				"there is no history here");
		return 0;
	}
	rc = wbl_folder_make(s->dir, err);
	if (!rc)
		rc = check_modes(s->dir, err);
	if (!rc && !stat(s->path, &st))
		rc = check_modes(s->path, err);
	return rc ? rc : take_lock(s, lock, err);
}
