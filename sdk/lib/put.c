/* sdk/lib/put.c - content put in place of a file: temporary file beside it, fsync, rename, fsync of the folder.
 * In: where, what, whose.  Out: the new file, or the old one untouched.
 * SPDX-License-Identifier: Apache-2.0 */
#include "put.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

/* A file that is not there yet may still be named by a link whose folder exists; a dangling link is refused. */
static int32_t resolve(struct wbl_call *call, const char *path, char **ret, int *ret_absent)
{
	struct stat st;

	*ret = realpath(path, NULL);
	*ret_absent = 0;
	if (*ret)
		return WBL_OK;
	if (errno != ENOENT)
		return wbl_error_report(
			call, WBL_E_UNAVAILABLE, path, NULL, "cannot open: %s", strerror(errno));
	if (!lstat(path, &st))
		return wbl_error_report(call, WBL_E_PARAM, path,
			"Name the file itself, or make the link's file first.",
			"a symbolic link to a file that does not exist");
	*ret = wbl_sdk_strdup(path);
	*ret_absent = 1;
	return WBL_OK;
}

int32_t wbl_sdk_file_open(struct wbl_call *call, const char *path, struct wbl_sdk_file *ret)
{
	struct stat st;
	int32_t rc;

	*ret = (struct wbl_sdk_file){ .fd = -1, .mode = 0644, .uid = geteuid(), .gid = getegid() };
	rc = resolve(call, path, &ret->path, &ret->absent);
	if (rc || ret->absent)
		return rc;
	ret->fd = open(ret->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (ret->fd < 0 || fstat(ret->fd, &st)) {
		rc = wbl_error_report(call, WBL_E_UNAVAILABLE, path,
			"Check the file's mode and the engine's user.", "cannot read: %s",
			strerror(errno));
		wbl_sdk_file_close(ret);
		return rc;
	}
	if (!S_ISREG(st.st_mode)) {
		wbl_sdk_file_close(ret);
		return wbl_error_report(call, WBL_E_PARAM, path, NULL, "not a regular file");
	}
	ret->mode = st.st_mode & 07777;
	ret->uid = st.st_uid;
	ret->gid = st.st_gid;
	ret->size = (uint64_t)st.st_size;
	ret->links = st.st_nlink;
	return WBL_OK;
}

void wbl_sdk_file_close(struct wbl_sdk_file *f)
{
	if (f->fd >= 0)
		close(f->fd);
	free(f->path);
	f->fd = -1;
	f->path = NULL;
}

void wbl_sdk_file_json(const struct wbl_sdk_file *f, struct wbl_out *o)
{
	char digest[33];

	wbl_out_open(o, NULL, '{');
	wbl_out_text(o, "path", f->path);
	if (f->absent) {
		wbl_out_bool(o, "absent", 1);
	} else {
		wbl_out_int(o, "mode", f->mode);
		wbl_out_int(o, "uid", f->uid);
		wbl_out_int(o, "gid", f->gid);
		wbl_out_int(o, "size", (int64_t)f->size);
		if (!wbl_digest_fd(f->fd, digest))
			wbl_out_text(o, "digest", digest);
	}
	wbl_out_close(o, '}');
}

struct wbl_sdk_file wbl_sdk_file_kept(const struct wbl_node *n, const char *path)
{
	const char *kept = wbl_node_str(n, "path");

	return (struct wbl_sdk_file){
		.path = (char *)(uintptr_t)(kept ? kept : path),
		.fd = -1,
		.absent = wbl_node_bool(n, "absent", 0),
		.mode = (mode_t)wbl_node_int(n, "mode", 0600),
		.uid = (uid_t)wbl_node_int(n, "uid", 0),
		.gid = (gid_t)wbl_node_int(n, "gid", 0),
		.size = (uint64_t)wbl_node_int(n, "size", 0),
	};
}

static int write_all(int fd, const char *p, size_t n)
{
	while (n) {
		ssize_t w = write(fd, p, n);

		if (w < 0 && errno != EINTR)
			return -1;
		if (w > 0) {
			p += w;
			n -= (size_t)w;
		}
	}
	return 0;
}

int wbl_sdk_copy_fd(int from, int to)
{
	enum { PIECE = 1 << 16 };
	char buf[PIECE];
	off_t at = 0;
	ssize_t n;

	while ((n = pread(from, buf, PIECE, at)) != 0) {
		if (n < 0 && errno != EINTR)
			return -1;
		if (n > 0 && write_all(to, buf, (size_t)n))
			return -1;
		at += n > 0 ? n : 0;
	}
	return 0;
}

/* The name is always the same: what a killed attempt left is found and taken over by the next one. */
static void leftover(const char *path, char out[PATH_MAX])
{
	const char *base = strrchr(path, '/');
	int folder = base ? (int)(base - path + 1) : 0;

	snprintf(out, PATH_MAX, "%.*s.%s.whimbrel-new", folder, path, path + folder);
}

void wbl_sdk_remove_leftover(const char *path)
{
	char tmp[PATH_MAX];

	leftover(path, tmp);
	unlink(tmp);
}

int32_t wbl_sdk_sync_folder(struct wbl_call *call, const char *path)
{
	char *copy = wbl_sdk_strdup(path);
	int fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	/* EINVAL: this kind of file system has nothing to sync in a folder. */
	int bad = fd < 0 || (fsync(fd) && errno != EINVAL);

	if (bad)
		wbl_error_report(call, WBL_E_RESOURCES, path, NULL, "cannot sync the folder: %s",
			strerror(errno));
	if (fd >= 0)
		close(fd);
	free(copy);
	return bad ? WBL_E_RESOURCES : WBL_OK;
}

static int fill(int out, const struct wbl_sdk_file *f, int fd, const char *data, uint64_t len)
{
	if (fd >= 0 ? wbl_sdk_copy_fd(fd, out) : write_all(out, data, len))
		return -1;
	/* Owner first: chown clears set-uid bits. Only root may give files away, and need not when it is ours. */
	if ((f->uid != geteuid() || f->gid != getegid()) && fchown(out, f->uid, f->gid))
		return -1;
	return fchmod(out, f->mode) || fsync(out) ? -1 : 0;
}

int32_t wbl_sdk_put(
	struct wbl_call *call, const struct wbl_sdk_file *f, int fd, const char *data, uint64_t len)
{
	char tmp[PATH_MAX];
	int out, bad;

	leftover(f->path, tmp);
	unlink(tmp);
	out = open(tmp, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (out < 0)
		return wbl_error_report(call, WBL_E_UNAVAILABLE, f->path,
			"Give the engine's user the right to write into this folder.",
			"cannot write beside it: %s", strerror(errno));
	bad = fill(out, f, fd, data, len);
	bad = close(out) || bad;
	WBL_FAULT(call, "sdk_put_written");
	if (bad || rename(tmp, f->path)) {
		int32_t rc = wbl_error_report(call, WBL_E_RESOURCES, f->path,
			"Check the room on this disk and the file's owner.",
			"cannot put the new content in place: %s", strerror(errno));

		unlink(tmp);
		return rc;
	}
	WBL_FAULT(call, "sdk_put_renamed");
	return wbl_sdk_sync_folder(call, f->path);
}

int32_t wbl_observe_file(struct wbl_call *call, const char *path)
{
	struct wbl_sdk_file f;
	struct wbl_out value = { 0 }, key = { 0 };
	int32_t rc = wbl_sdk_file_open(call, path, &f);

	if (rc)
		return rc;
	if (f.absent) {
		char *folder = wbl_sdk_strdup(path);

		if (access(dirname(folder), W_OK | X_OK))
			wbl_warning_report(call, path,
				errno == ENOENT
					? "Make the folder before the plan is applied."
					: "Give the engine's user the right to write there.",
				"its folder cannot be written: %s", strerror(errno));
		free(folder);
	}
	wbl_sdk_file_json(&f, &value);
	wbl_out_fmt(&key, "file:%s", path);
	rc = wbl_plan_observe(call, WBL_RULE_EQUAL, 0, key.s, value.s, "the file and its content");
	wbl_out_clear(&key);
	wbl_out_clear(&value);
	wbl_sdk_file_close(&f);
	return rc;
}

char *wbl_work_path(const struct wbl_work *work, const char *path)
{
	const char *base = strrchr(path, '/');
	char digest[33], *copy;
	struct wbl_out o = { 0 };

	if (!WBL_HAS(work, scratch) || !work->scratch)
		return wbl_sdk_strdup(path);
	wbl_digest_hex(path, strlen(path), digest); /* two folders may have files of one name */
	wbl_out_fmt(&o, "%s/%.8s-%s", work->scratch, digest, base ? base + 1 : path);
	copy = wbl_sdk_strdup(o.s);
	wbl_out_clear(&o);
	return copy;
}

int32_t wbl_scratch_file(struct wbl_call *call, const struct wbl_work *work, const char *path)
{
	struct wbl_sdk_file f;
	int32_t rc;

	if (!WBL_HAS(work, scratch) || !work->scratch)
		return WBL_OK;
	rc = wbl_sdk_file_open(call, path, &f);
	if (rc)
		return rc;
	if (!f.absent) {
		free(f.path);
		f.path = wbl_work_path(work, path);
		rc = wbl_sdk_put(call, &f, f.fd, NULL, 0);
	}
	wbl_sdk_file_close(&f);
	return rc;
}

int32_t wbl_rehearse_file(struct wbl_call *call, const char *path)
{
	const struct wbl_run_service *run = wbl_service(call, "wbl.run/1");
	struct wbl_sdk_file f;
	struct statvfs fs;
	char *copy, *folder;
	int32_t rc = wbl_sdk_file_open(call, path, &f);

	if (rc)
		return rc;
	copy = wbl_sdk_strdup(f.path);
	folder = dirname(copy);
	if (access(folder, W_OK | X_OK))
		rc = wbl_error_report(call, WBL_E_UNAVAILABLE, path,
			"Give the engine's user the right to write into this folder.",
			"the folder cannot be written: %s", strerror(errno));
	else if (!statvfs(folder, &fs) && fs.f_bavail * fs.f_frsize < f.size + (1u << 16))
		rc = wbl_error_report(call, WBL_E_RESOURCES, path, "Make room on this disk.",
			"no room for a second copy of the file");
	else if (run)
		rc = run->rehearsed(call, 3, "the folder can be written and has room");
	free(copy);
	wbl_sdk_file_close(&f);
	return rc;
}
