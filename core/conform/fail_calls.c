/* conform/fail_calls.c - LD_PRELOAD into a host: one call that changes a file fails, or does half.
 * In: $WBL_CONFORM_FAULT ("enospc:12": the twelfth such call; also eio, short, eintr, count), $WBL_CONFORM_COUNT (a file
 * of 8 bytes in which the calls of all processes are counted).
 * Only calls which go through the C library's names are seen: stdio writes past them.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#define OUT __attribute__((visibility("default")))
#define REAL(name)                                                                                 \
	static __typeof__(&name) real;                                                             \
	if (!real)                                                                                 \
	*(void **)&real = dlsym(RTLD_NEXT, #name)

static _Atomic long *count;
static long at;
static int error; /* 0: short */
static bool on;

__attribute__((constructor)) static void start(void)
{
	const char *fault = getenv("WBL_CONFORM_FAULT"), *file = getenv("WBL_CONFORM_COUNT");
	int fd = file ? (int)syscall(SYS_openat, AT_FDCWD, file, O_RDWR | O_CLOEXEC, 0) : -1;
	void *page;

	if (!fault || fd < 0)
		return;
	page = mmap(NULL, sizeof *count, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	if (page == MAP_FAILED)
		return;
	count = page;
	error = !strncmp(fault, "enospc", 6)  ? ENOSPC
		: !strncmp(fault, "eio", 3)   ? EIO
		: !strncmp(fault, "eintr", 5) ? EINTR
					      : 0;
	at = strchr(fault, ':') ? strtol(strchr(fault, ':') + 1, NULL, 10) : 0;
	on = true;
}

static bool is_file(int fd)
{
	char path[64], to[16];
	struct stat st;
	ssize_t n;

	if (!on || fstat(fd, &st) || !S_ISREG(st.st_mode))
		return false;
	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	n = readlink(path, to, sizeof to - 1);
	to[n > 0 ? n : 0] = '\0';
	return strncmp(to, "/memfd:", 7);
}

/* Is this the call that fails? Only writes are cut short or interrupted. */
static bool is_due(bool write)
{
	long n;

	if (!on || (!write && (!error || error == EINTR)))
		return false;
	n = ++*count;
	return n == at;
}

static bool fails(bool write)
{
	if (!is_due(write))
		return false;
	errno = error;
	return true;
}

/* True: *ret is the answer. */
static bool cut(int fd, size_t *n, ssize_t *ret)
{
	if (!is_file(fd) || !is_due(true))
		return false;
	if (error) {
		errno = error;
		*ret = -1;
		return true;
	}
	if (*n > 1)
		*n /= 2;
	return false;
}

OUT ssize_t write(int fd, const void *data, size_t n)
{
	REAL(write);
	ssize_t ret;

	return cut(fd, &n, &ret) ? ret : real(fd, data, n);
}

OUT ssize_t pwrite(int fd, const void *data, size_t n, off_t where)
{
	REAL(pwrite);
	ssize_t ret;

	return cut(fd, &n, &ret) ? ret : real(fd, data, n, where);
}

OUT ssize_t pwrite64(int fd, const void *data, size_t n, off64_t where)
{
	REAL(pwrite64);
	ssize_t ret;

	return cut(fd, &n, &ret) ? ret : real(fd, data, n, where);
}

OUT ssize_t writev(int fd, const struct iovec *list, int count_of)
{
	REAL(writev);
	size_t whole = 1;
	ssize_t ret;

	return cut(fd, &whole, &ret) ? ret : real(fd, list, count_of);
}

OUT ssize_t copy_file_range(
	int in, off64_t *at_in, int out, off64_t *at_out, size_t n, unsigned flags)
{
	REAL(copy_file_range);
	ssize_t ret;

	return cut(out, &n, &ret) ? ret : real(in, at_in, out, at_out, n, flags);
}

OUT int fsync(int fd)
{
	REAL(fsync);

	return is_file(fd) && fails(false) ? -1 : real(fd);
}

OUT int fdatasync(int fd)
{
	REAL(fdatasync);

	return is_file(fd) && fails(false) ? -1 : real(fd);
}

OUT int ftruncate(int fd, off_t n)
{
	REAL(ftruncate);

	return is_file(fd) && fails(false) ? -1 : real(fd, n);
}

OUT int ftruncate64(int fd, off64_t n)
{
	REAL(ftruncate64);

	return is_file(fd) && fails(false) ? -1 : real(fd, n);
}

OUT int rename(const char *from, const char *to)
{
	REAL(rename);

	return fails(false) ? -1 : real(from, to);
}

OUT int renameat(int a, const char *from, int b, const char *to)
{
	REAL(renameat);

	return fails(false) ? -1 : real(a, from, b, to);
}

OUT int mkdir(const char *path, mode_t mode)
{
	REAL(mkdir);

	return fails(false) ? -1 : real(path, mode);
}

static bool makes(int flags)
{
	return (flags & O_CREAT) && (flags & O_ACCMODE) != O_RDONLY;
}

static mode_t mode_of(int flags, va_list ap)
{
	return flags & (O_CREAT | O_TMPFILE) ? va_arg(ap, mode_t) : 0;
}

#define OPEN(name)                                                                                 \
	OUT int name(const char *path, int flags, ...)                                             \
	{                                                                                          \
		REAL(name);                                                                        \
		va_list ap;                                                                        \
		mode_t mode;                                                                       \
                                                                                                   \
		va_start(ap, flags);                                                               \
		mode = mode_of(flags, ap);                                                         \
		va_end(ap);                                                                        \
		return makes(flags) && fails(false) ? -1 : real(path, flags, mode);                \
	}
#define OPENAT(name)                                                                               \
	OUT int name(int dir, const char *path, int flags, ...)                                    \
	{                                                                                          \
		REAL(name);                                                                        \
		va_list ap;                                                                        \
		mode_t mode;                                                                       \
                                                                                                   \
		va_start(ap, flags);                                                               \
		mode = mode_of(flags, ap);                                                         \
		va_end(ap);                                                                        \
		return makes(flags) && fails(false) ? -1 : real(dir, path, flags, mode);           \
	}
OPEN(open)
OPEN(open64)
OPENAT(openat)
OPENAT(openat64)
