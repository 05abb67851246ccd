/* conform/put_back.c - from a kept copy to the place itself, in place.
 * SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "core/conform/put_back.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/file.h"

enum { FILE_MAX = 256 << 20 };

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st, (void)type, (void)ftw;
	return remove(path);
}

static int open_up(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)ftw;
	if (type == FTW_D || type == FTW_DNR)
		chmod(path, st->st_mode | 0700);
	return 0;
}

static bool remove_all(const char *path)
{
	nftw(path, open_up, 32, FTW_PHYS);
	return !nftw(path, remove_one, 32, FTW_PHYS | FTW_DEPTH);
}

static bool dress(const char *path, const struct stat *as)
{
	const struct timespec times[2] = { as->st_atim, as->st_mtim };
	struct stat now;

	if (lstat(path, &now))
		return false;
	if ((now.st_uid != as->st_uid || now.st_gid != as->st_gid) &&
		lchown(path, as->st_uid, as->st_gid))
		return false;
	if (!S_ISLNK(as->st_mode) && (now.st_mode & 07777) != (as->st_mode & 07777) &&
		chmod(path, as->st_mode & 07777))
		return false;
	return !utimensat(AT_FDCWD, path, times, AT_SYMLINK_NOFOLLOW);
}

static bool put_file(const char *from, const char *to, const struct stat *st, bool there)
{
	struct wbl_buf wanted = { 0 }, found = { 0 };
	bool good = st->st_nlink == 1 && !wbl_file_read(from, FILE_MAX, &wanted, NULL);
	int fd = -1;

	if (good && there)
		chmod(to, 0600);
	if (good && there && !wbl_file_read(to, FILE_MAX, &found, NULL) &&
		found.len == wanted.len &&
		(!wanted.len || !memcmp(found.data, wanted.data, wanted.len)))
		goto dress;
	if (good)
		fd = open(to, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
	good = fd >= 0 && !wbl_write_all(fd, wanted.data, wanted.len);
	if (fd >= 0)
		close(fd);
dress:
	wbl_buf_clear(&wanted);
	wbl_buf_clear(&found);
	return good && dress(to, st);
}

static bool put_link(const char *from, const char *to, const struct stat *st, bool there)
{
	char wanted[4096], found[4096];
	ssize_t n = readlink(from, wanted, sizeof wanted - 1),
		m = there ? readlink(to, found, sizeof found - 1) : -1;

	if (n < 0)
		return false;
	wanted[n] = '\0';
	if (m == n && !memcmp(wanted, found, (size_t)n))
		return true;
	if (there && unlink(to))
		return false;
	return !symlink(wanted, to) && dress(to, st);
}

static bool put_folder(const char *from, const char *to, const struct stat *st, bool there);

static bool put_one(const char *from, const char *to)
{
	struct stat st, now;
	bool there = !lstat(to, &now);

	if (lstat(from, &st))
		return false;
	if (S_ISSOCK(st.st_mode))
		return !there || remove_all(to);
	if (there && ((st.st_mode ^ now.st_mode) & S_IFMT || now.st_nlink > 1) &&
		!S_ISDIR(now.st_mode)) {
		if (unlink(to))
			return false;
		there = false;
	} else if (there && (st.st_mode ^ now.st_mode) & S_IFMT) {
		if (!remove_all(to))
			return false;
		there = false;
	}
	if (S_ISDIR(st.st_mode))
		return put_folder(from, to, &st, there);
	if (S_ISLNK(st.st_mode))
		return put_link(from, to, &st, there);
	return S_ISREG(st.st_mode) && put_file(from, to, &st, there);
}

/* What is there and should not be. */
static bool weed(const char *from, const char *to)
{
	DIR *d = opendir(to);
	struct dirent *e;
	bool good = d;

	while (good && (e = readdir(d))) {
		WBL_AUTOFREE char *kept = wbl_strf("%s/%s", from, e->d_name);
		WBL_AUTOFREE char *path = wbl_strf("%s/%s", to, e->d_name);
		struct stat st;

		if (strcmp(e->d_name, ".") && strcmp(e->d_name, "..") && lstat(kept, &st))
			good = remove_all(path);
	}
	if (d)
		closedir(d);
	return good;
}

static bool put_folder(const char *from, const char *to, const struct stat *st, bool there)
{
	struct dirent *e;
	bool good;
	DIR *d;

	if (there ? chmod(to, 0700) : mkdir(to, 0700))
		return false;
	good = weed(from, to);
	d = good ? opendir(from) : NULL;
	good = d;
	while (good && (e = readdir(d))) {
		WBL_AUTOFREE char *a = wbl_strf("%s/%s", from, e->d_name);
		WBL_AUTOFREE char *b = wbl_strf("%s/%s", to, e->d_name);

		if (strcmp(e->d_name, ".") && strcmp(e->d_name, ".."))
			good = put_one(a, b);
	}
	if (d)
		closedir(d);
	return good && dress(to, st);
}

bool wbl_put_back(const char *from, const char *to)
{
	return put_one(from, to);
}
