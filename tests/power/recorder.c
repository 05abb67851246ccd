/* tests/power/recorder.c - LD_PRELOAD: notes every change below a folder, and every sync, in the order in which
 * they happen, over all processes.
 * In: $WBL_POWER_ROOT (a folder that exists), $WBL_POWER_LOG (a file outside of it).  Out: the log, see powerlog.h.
 * Real syncs are left out: the disk of this machine is not what is tested. Changes through mmap are not seen and so
 * never durable. A new call that changes files gets a wrapper here.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "powerlog.h"

#define OUT __attribute__((visibility("default")))

static char root[PATH_MAX], log_path[PATH_MAX];
static dev_t root_dev;

__attribute__((constructor)) static void start(void)
{
	const char *r = getenv("WBL_POWER_ROOT"), *l = getenv("WBL_POWER_LOG");
	struct stat st;

	if (!r || !l || strlen(l) >= sizeof log_path || !realpath(r, root) || stat(root, &st)) {
		root[0] = '\0';
		return;
	}
	root_dev = st.st_dev;
	strcpy(log_path, l);
}

static void give_up(const char *what)
{
	dprintf(2, "power recorder: %s: %s\n", what, strerror(errno));
	_exit(99);
}

/* Held from before a change until it is noted, so that the log has the true order. A new descriptor each time:
 * it excludes threads and forked children too, and no program that closes descriptors can take it away. */
static int hold(void)
{
	int fd = (int)syscall(
		SYS_openat, AT_FDCWD, log_path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);

	if (fd < 0)
		give_up(log_path);
	while (flock(fd, LOCK_EX))
		if (errno != EINTR)
			give_up(log_path);
	return fd;
}

static void release(int fd)
{
	int saved = errno;

	close(fd);
	errno = saved;
}

static void note(int log, enum power_op op, uint64_t ino, uint64_t at, const char *path,
	const char *path2, const void *data, size_t len)
{
	struct power_record r = { .magic = POWER_MAGIC,
		.op = op,
		.ino = ino,
		.at = at,
		.path_len = path ? (uint32_t)strlen(path) : 0,
		.path2_len = path2 ? (uint32_t)strlen(path2) : 0,
		.data_len = len };
	size_t bare = sizeof r + r.path_len + r.path2_len + len, want = POWER_PADDED(bare);
	static const char fill[8];
	struct iovec v[] = { { &r, sizeof r }, { (void *)path, r.path_len },
		{ (void *)path2, r.path2_len }, { (void *)data, len },
		{ (void *)fill, want - bare } };
	int saved = errno;

	if (syscall(SYS_writev, log, v, 5) != (ssize_t)want)
		give_up("the log cannot be written whole");
	errno = saved;
}

/* The part of an absolute path that is below the root; "" for the root itself; NULL for others. */
static const char *below(const char *path)
{
	size_t len = strlen(root);

	if (!len || strncmp(path, root, len) || (path[len] && path[len] != '/'))
		return NULL;
	return path[len] ? path + len + 1 : path + len;
}

static const char *fd_path(int fd, char buf[PATH_MAX])
{
	char name[40];
	ssize_t n;

	snprintf(name, sizeof name, "/proc/self/fd/%d", fd);
	n = readlink(name, buf, PATH_MAX - 1);
	if (n < 0)
		return NULL;
	buf[n] = '\0';
	return below(buf);
}

/* Is it a file or folder of ours? *st is filled then. */
static const char *ours(int fd, struct stat *st, char buf[PATH_MAX])
{
	int saved = errno;
	const char *path = NULL;

	if (*root && !fstat(fd, st) && st->st_dev == root_dev &&
		(S_ISREG(st->st_mode) || S_ISDIR(st->st_mode)))
		path = fd_path(fd, buf);
	errno = saved;
	return path;
}

/* Where a name is, with its folder's links resolved: NULL when not below the root. */
static const char *resolve(int dir, const char *path, char buf[PATH_MAX])
{
	char joined[PATH_MAX], parent[PATH_MAX], link[40];
	const char *found = NULL;
	int saved = errno, n;
	char *slash;
	size_t len;

	if (!*root || !path || !*path)
		return NULL;
	snprintf(link, sizeof link, "/proc/self/fd/%d", dir);
	if (*path == '/')
		n = snprintf(joined, sizeof joined, "%s", path);
	else
		n = snprintf(joined, sizeof joined, "%s/%s", dir == AT_FDCWD ? "." : link, path);
	len = n > 0 && n < PATH_MAX ? (size_t)n : 0;
	while (len > 1 && joined[len - 1] == '/')
		joined[--len] = '\0';
	slash = len ? strrchr(joined, '/') : NULL;
	if (slash) {
		*slash = '\0';
		if (realpath(slash == joined ? "/" : joined, parent) &&
			snprintf(buf, PATH_MAX, "%s/%s", strcmp(parent, "/") ? parent : "",
				slash + 1) < PATH_MAX)
			found = below(buf);
	}
	errno = saved;
	return found;
}

/* --- contents --- */

static void note_write(
	int log, int fd, const struct stat *st, uint64_t at, const void *data, size_t len)
{
	note(log, POWER_WRITE, st->st_ino, at, NULL, NULL, data, len);
	if (fcntl(fd, F_GETFL) & O_DSYNC)
		note(log, POWER_SYNC, st->st_ino, 0, NULL, NULL, NULL, 0);
}

/* What stands in the file now, for calls that bring their bytes from elsewhere. */
static void note_region(int log, int fd, const struct stat *st, off_t at, size_t len)
{
	char name[40], part[65536];
	int own;

	snprintf(name, sizeof name, "/proc/self/fd/%d", fd);
	own = (int)syscall(SYS_openat, AT_FDCWD, name, O_RDONLY | O_CLOEXEC);
	if (own < 0)
		give_up("a changed file cannot be read back");
	while (len) {
		ssize_t n = pread(own, part, len < sizeof part ? len : sizeof part, at);

		if (n <= 0)
			break;
		note_write(log, fd, st, (uint64_t)at, part, (size_t)n);
		at += n;
		len -= (size_t)n;
	}
	close(own);
}

static uint64_t end_of_write(int fd, ssize_t n)
{
	return (uint64_t)(lseek(fd, 0, SEEK_CUR) - n);
}

/* Linux appends with pwrite too when the file was opened for appending. */
static uint64_t place_of_pwrite(int fd, off_t at, ssize_t n)
{
	struct stat st;

	if (fcntl(fd, F_GETFL) & O_APPEND && !fstat(fd, &st))
		return (uint64_t)(st.st_size - n);
	return (uint64_t)at;
}

OUT ssize_t write(int fd, const void *data, size_t len)
{
	char buf[PATH_MAX];
	struct stat st;
	ssize_t n;
	int log;

	if (!ours(fd, &st, buf))
		return syscall(SYS_write, fd, data, len);
	log = hold();
	n = syscall(SYS_write, fd, data, len);
	if (n > 0)
		note_write(log, fd, &st, end_of_write(fd, n), data, (size_t)n);
	release(log);
	return n;
}

static ssize_t write_at(int fd, const void *data, size_t len, off_t at)
{
	char buf[PATH_MAX];
	struct stat st;
	ssize_t n;
	int log;

	if (!ours(fd, &st, buf))
		return syscall(SYS_pwrite64, fd, data, len, at);
	log = hold();
	n = syscall(SYS_pwrite64, fd, data, len, at);
	if (n > 0)
		note_write(log, fd, &st, place_of_pwrite(fd, at, n), data, (size_t)n);
	release(log);
	return n;
}

OUT ssize_t pwrite(int fd, const void *data, size_t len, off_t at)
{
	return write_at(fd, data, len, at);
}

OUT ssize_t pwrite64(int fd, const void *data, size_t len, off64_t at)
{
	return write_at(fd, data, len, at);
}

OUT ssize_t writev(int fd, const struct iovec *v, int count)
{
	char buf[PATH_MAX];
	struct stat st;
	ssize_t n;
	int log;

	if (!ours(fd, &st, buf))
		return syscall(SYS_writev, fd, v, count);
	log = hold();
	n = syscall(SYS_writev, fd, v, count);
	if (n > 0)
		note_region(log, fd, &st, (off_t)end_of_write(fd, n), (size_t)n);
	release(log);
	return n;
}

static ssize_t writev_at(int fd, const struct iovec *v, int count, off_t at)
{
	ssize_t sum = 0, n;
	int i;

	for (i = 0; i < count; i++) {
		n = write_at(fd, v[i].iov_base, v[i].iov_len, at + sum);
		if (n < 0)
			return sum ? sum : n;
		sum += n;
		if ((size_t)n < v[i].iov_len)
			break;
	}
	return sum;
}

OUT ssize_t pwritev(int fd, const struct iovec *v, int count, off_t at)
{
	return writev_at(fd, v, count, at);
}

OUT ssize_t pwritev64(int fd, const struct iovec *v, int count, off64_t at)
{
	return writev_at(fd, v, count, at);
}

static ssize_t copy_in(long call, int out, int in, off_t *from, size_t len)
{
	char buf[PATH_MAX];
	struct stat st;
	ssize_t n;
	int log;

	if (!ours(out, &st, buf))
		return call == SYS_sendfile ? syscall(call, out, in, from, len)
					    : syscall(call, in, from, out, NULL, len, 0);
	log = hold();
	n = call == SYS_sendfile ? syscall(call, out, in, from, len)
				 : syscall(call, in, from, out, NULL, len, 0);
	if (n > 0)
		note_region(log, out, &st, (off_t)end_of_write(out, n), (size_t)n);
	release(log);
	return n;
}

OUT ssize_t sendfile(int out, int in, off_t *from, size_t len)
{
	return copy_in(SYS_sendfile, out, in, from, len);
}

OUT ssize_t sendfile64(int out, int in, off64_t *from, size_t len)
{
	return copy_in(SYS_sendfile, out, in, from, len);
}

OUT ssize_t copy_file_range(int in, off64_t *from, int out, off64_t *to, size_t len, unsigned flags)
{
	char buf[PATH_MAX];
	struct stat st;
	off64_t at;
	ssize_t n;
	int log;

	if (!to)
		return copy_in(SYS_copy_file_range, out, in, from, len);
	if (!ours(out, &st, buf))
		return syscall(SYS_copy_file_range, in, from, out, to, len, flags);
	at = *to;
	log = hold();
	n = syscall(SYS_copy_file_range, in, from, out, to, len, flags);
	if (n > 0)
		note_region(log, out, &st, at, (size_t)n);
	release(log);
	return n;
}

static int cut(int fd, off_t len)
{
	char buf[PATH_MAX];
	struct stat st;
	int log, rc;

	if (!ours(fd, &st, buf))
		return (int)syscall(SYS_ftruncate, fd, len);
	log = hold();
	rc = (int)syscall(SYS_ftruncate, fd, len);
	if (!rc)
		note(log, POWER_TRUNCATE, st.st_ino, (uint64_t)len, NULL, NULL, NULL, 0);
	release(log);
	return rc;
}

OUT int ftruncate(int fd, off_t len)
{
	return cut(fd, len);
}

OUT int ftruncate64(int fd, off64_t len)
{
	return cut(fd, len);
}

static int cut_path(const char *path, off_t len)
{
	int fd = (int)syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_CLOEXEC), rc;

	if (fd < 0)
		return -1;
	rc = cut(fd, len);
	release(fd);
	return rc;
}

OUT int truncate(const char *path, off_t len)
{
	return cut_path(path, len);
}

OUT int truncate64(const char *path, off64_t len)
{
	return cut_path(path, len);
}

static int allocate(int fd, int mode, off_t at, off_t len)
{
	char buf[PATH_MAX];
	struct stat st, after;
	int log, rc;

	if (!ours(fd, &st, buf))
		return (int)syscall(SYS_fallocate, fd, mode, at, len);
	log = hold();
	rc = (int)syscall(SYS_fallocate, fd, mode, at, len);
	if (!rc && !fstat(fd, &after)) {
		if (after.st_size != st.st_size)
			note(log, POWER_TRUNCATE, st.st_ino, (uint64_t)after.st_size, NULL, NULL,
				NULL, 0);
		if (mode & ~1) /* more than room: bytes changed */
			note_region(log, fd, &st, 0, (size_t)after.st_size);
	}
	release(log);
	return rc;
}

OUT int fallocate(int fd, int mode, off_t at, off_t len)
{
	return allocate(fd, mode, at, len);
}

OUT int fallocate64(int fd, int mode, off64_t at, off64_t len)
{
	return allocate(fd, mode, at, len);
}

static int allocate_posix(int fd, off_t at, off_t len)
{
	int saved = errno, rc = allocate(fd, 0, at, len) ? errno : 0;

	errno = saved;
	return rc;
}

OUT int posix_fallocate(int fd, off_t at, off_t len)
{
	return allocate_posix(fd, at, len);
}

OUT int posix_fallocate64(int fd, off64_t at, off64_t len)
{
	return allocate_posix(fd, at, len);
}

/* --- syncs --- */

static int sync_fd(int fd, long call)
{
	char buf[PATH_MAX];
	const char *path;
	struct stat st;
	int log;

	path = ours(fd, &st, buf);
	if (!path)
		return (int)syscall(call, fd);
	log = hold();
	/* a folder is told by its path; the root's own is "." */
	note(log, POWER_SYNC, st.st_ino, 0, S_ISDIR(st.st_mode) ? (*path ? path : ".") : NULL, NULL,
		NULL, 0);
	release(log);
	return 0;
}

OUT int fsync(int fd)
{
	return sync_fd(fd, SYS_fsync);
}

OUT int fdatasync(int fd)
{
	return sync_fd(fd, SYS_fdatasync);
}

/* --- names --- */

/* After a successful open that may have made or emptied the file. */
static void note_opened(int log, int fd, int flags, bool was_there)
{
	char buf[PATH_MAX];
	struct stat st;
	const char *path = ours(fd, &st, buf);

	if (!path || !S_ISREG(st.st_mode))
		return;
	if (!was_there)
		note(log, POWER_CREATE, st.st_ino, 0, path, NULL, NULL, 0);
	else if (flags & O_TRUNC)
		note(log, POWER_TRUNCATE, st.st_ino, 0, NULL, NULL, NULL, 0);
}

static int open_at(int dir, const char *path, int flags, mode_t mode)
{
	char buf[PATH_MAX];
	struct stat st;
	bool was_there;
	int log, fd;

	if (!(flags & (O_CREAT | O_TRUNC)) || !resolve(dir, path, buf))
		return (int)syscall(SYS_openat, dir, path, flags, mode);
	log = hold();
	was_there = !fstatat(dir, path, &st, 0);
	fd = (int)syscall(SYS_openat, dir, path, flags, mode);
	if (fd >= 0)
		note_opened(log, fd, flags, was_there);
	release(log);
	return fd;
}

static mode_t mode_of(int flags, va_list ap)
{
	return flags & (O_CREAT | __O_TMPFILE) ? va_arg(ap, mode_t) : 0;
}

#define OPENS(name, namat)                                                                         \
	OUT int name(const char *path, int flags, ...)                                             \
	{                                                                                          \
		va_list ap;                                                                        \
		mode_t mode;                                                                       \
		va_start(ap, flags);                                                               \
		mode = mode_of(flags, ap);                                                         \
		va_end(ap);                                                                        \
		return open_at(AT_FDCWD, path, flags, mode);                                       \
	}                                                                                          \
	OUT int namat(int dir, const char *path, int flags, ...)                                   \
	{                                                                                          \
		va_list ap;                                                                        \
		mode_t mode;                                                                       \
		va_start(ap, flags);                                                               \
		mode = mode_of(flags, ap);                                                         \
		va_end(ap);                                                                        \
		return open_at(dir, path, flags, mode);                                            \
	}
OPENS(open, openat)
OPENS(open64, openat64)

OUT int creat(const char *path, mode_t mode)
{
	return open_at(AT_FDCWD, path, O_CREAT | O_WRONLY | O_TRUNC, mode);
}

OUT int creat64(const char *path, mode_t mode)
{
	return open_at(AT_FDCWD, path, O_CREAT | O_WRONLY | O_TRUNC, mode);
}

static int temp_file(char *pattern, int suffix, int flags)
{
	static int (*real)(char *, int, int);
	int log, fd;

	if (!real)
		*(void **)&real = dlsym(RTLD_NEXT, "mkostemps");
	log = *root ? hold() : -1;
	fd = real(pattern, suffix, flags);
	if (fd >= 0 && log >= 0)
		note_opened(log, fd, 0, false);
	release(log);
	return fd;
}

OUT int mkstemp(char *pattern)
{
	return temp_file(pattern, 0, 0);
}

OUT int mkstemp64(char *pattern)
{
	return temp_file(pattern, 0, 0);
}

OUT int mkostemp(char *pattern, int flags)
{
	return temp_file(pattern, 0, flags);
}

OUT int mkostemp64(char *pattern, int flags)
{
	return temp_file(pattern, 0, flags);
}

OUT int renameat2(int dir, const char *from, int dir2, const char *to, unsigned flags)
{
	char buf[PATH_MAX], buf2[PATH_MAX];
	const char *a = resolve(dir, from, buf), *b = resolve(dir2, to, buf2);
	int log, rc;

	if (!a && !b)
		return (int)syscall(SYS_renameat2, dir, from, dir2, to, flags);
	if (!a || !b || flags & ~1u) { /* the model has no word for it */
		errno = !a || !b ? EXDEV : EINVAL;
		return -1;
	}
	log = hold();
	rc = (int)syscall(SYS_renameat2, dir, from, dir2, to, flags);
	if (!rc)
		note(log, POWER_RENAME, 0, 0, a, b, NULL, 0);
	release(log);
	return rc;
}

OUT int rename(const char *from, const char *to)
{
	return renameat2(AT_FDCWD, from, AT_FDCWD, to, 0);
}

OUT int renameat(int dir, const char *from, int dir2, const char *to)
{
	return renameat2(dir, from, dir2, to, 0);
}

OUT int unlinkat(int dir, const char *path, int flags)
{
	char buf[PATH_MAX];
	const char *a = resolve(dir, path, buf);
	int log, rc;

	if (!a)
		return (int)syscall(SYS_unlinkat, dir, path, flags);
	log = hold();
	rc = (int)syscall(SYS_unlinkat, dir, path, flags);
	if (!rc)
		note(log, POWER_UNLINK, 0, 0, a, NULL, NULL, 0);
	release(log);
	return rc;
}

OUT int unlink(const char *path)
{
	return unlinkat(AT_FDCWD, path, 0);
}

OUT int rmdir(const char *path)
{
	return unlinkat(AT_FDCWD, path, AT_REMOVEDIR);
}

OUT int remove(const char *path)
{
	int rc = unlink(path);

	return rc && errno == EISDIR ? rmdir(path) : rc;
}

OUT int mkdirat(int dir, const char *path, mode_t mode)
{
	char buf[PATH_MAX];
	const char *a = resolve(dir, path, buf);
	int log, rc;

	if (!a)
		return (int)syscall(SYS_mkdirat, dir, path, mode);
	log = hold();
	rc = (int)syscall(SYS_mkdirat, dir, path, mode);
	if (!rc)
		note(log, POWER_MKDIR, 0, 0, a, NULL, NULL, 0);
	release(log);
	return rc;
}

OUT int mkdir(const char *path, mode_t mode)
{
	return mkdirat(AT_FDCWD, path, mode);
}

OUT char *mkdtemp(char *pattern)
{
	static char *(*real)(char *);
	char buf[PATH_MAX], *made;
	const char *a;
	int log;

	if (!real)
		*(void **)&real = dlsym(RTLD_NEXT, "mkdtemp");
	if (!*root)
		return real(pattern);
	log = hold();
	made = real(pattern);
	a = made ? resolve(AT_FDCWD, made, buf) : NULL;
	if (a)
		note(log, POWER_MKDIR, 0, 0, a, NULL, NULL, 0);
	release(log);
	return made;
}

OUT int linkat(int dir, const char *from, int dir2, const char *to, int flags)
{
	char buf[PATH_MAX], buf2[PATH_MAX];
	const char *a = resolve(dir, from, buf), *b = resolve(dir2, to, buf2);
	int log, rc;

	if (!b)
		return (int)syscall(SYS_linkat, dir, from, dir2, to, flags);
	if (!a) {
		errno = EXDEV;
		return -1;
	}
	log = hold();
	rc = (int)syscall(SYS_linkat, dir, from, dir2, to, flags);
	if (!rc)
		note(log, POWER_LINK, 0, 0, a, b, NULL, 0);
	release(log);
	return rc;
}

OUT int link(const char *from, const char *to)
{
	return linkat(AT_FDCWD, from, AT_FDCWD, to, 0);
}

OUT int symlinkat(const char *target, int dir, const char *path)
{
	char buf[PATH_MAX];
	const char *a = resolve(dir, path, buf);
	int log, rc;

	if (!a)
		return (int)syscall(SYS_symlinkat, target, dir, path);
	log = hold();
	rc = (int)syscall(SYS_symlinkat, target, dir, path);
	if (!rc)
		note(log, POWER_SYMLINK, 0, 0, a, NULL, target, strlen(target));
	release(log);
	return rc;
}

OUT int symlink(const char *target, const char *path)
{
	return symlinkat(target, AT_FDCWD, path);
}

/* --- stdio: libc writes from inside, so the file is noted whole when it is flushed or closed --- */

static int open_flags(const char *mode)
{
	int flags = strchr(mode, '+') ? O_RDWR : *mode == 'r' ? O_RDONLY : O_WRONLY;

	flags |= *mode == 'w' ? O_CREAT | O_TRUNC : *mode == 'a' ? O_CREAT | O_APPEND : 0;
	return flags | (strchr(mode, 'e') ? O_CLOEXEC : 0) | (strchr(mode, 'x') ? O_EXCL : 0);
}

static FILE *open_stream(const char *path, const char *mode)
{
	int fd = open_at(AT_FDCWD, path, open_flags(mode), 0666);
	FILE *f = fd < 0 ? NULL : fdopen(fd, mode);

	if (fd >= 0 && !f)
		release(fd);
	return f;
}

OUT FILE *fopen(const char *path, const char *mode)
{
	return open_stream(path, mode);
}

OUT FILE *fopen64(const char *path, const char *mode)
{
	return open_stream(path, mode);
}

static void note_stream(int fd)
{
	char buf[PATH_MAX];
	struct stat st;
	int log;

	if (fd < 0 || (fcntl(fd, F_GETFL) & O_ACCMODE) == O_RDONLY || !ours(fd, &st, buf) ||
		!S_ISREG(st.st_mode))
		return;
	log = hold();
	note(log, POWER_TRUNCATE, st.st_ino, (uint64_t)st.st_size, NULL, NULL, NULL, 0);
	note_region(log, fd, &st, 0, (size_t)st.st_size);
	release(log);
}

OUT int fflush(FILE *f)
{
	static int (*real)(FILE *);
	int rc;

	if (!real)
		*(void **)&real = dlsym(RTLD_NEXT, "fflush");
	rc = real(f);
	if (f && *root)
		note_stream(fileno(f));
	return rc;
}

OUT int fclose(FILE *f)
{
	static int (*real)(FILE *);

	if (!real)
		*(void **)&real = dlsym(RTLD_NEXT, "fclose");
	if (*root)
		fflush(f);
	return real(f);
}
