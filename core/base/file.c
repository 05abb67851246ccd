/* base/file.c - read whole, replace safely, make durable, digest.
 * SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "core/base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <sodium.h>

int wbl_write_all(int fd, const void *data, size_t len)
{
	const char *p = data;

	while (len) {
		ssize_t n = write(fd, p, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return -1;
		p += n;
		len -= (size_t)n;
	}
	return 0;
}

int32_t wbl_file_read(const char *path, size_t max, struct wbl_buf *ret, struct wbl_error *err)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat st;
	int32_t rc = 0;
	char part[16384];

	wbl_buf_clear(ret);
	if (fd < 0)
		return wbl_fail_errno(err, WBL_E_USAGE, path, "Check the path and its permissions.",
			"cannot be opened");
	if (fstat(fd, &st) || !S_ISREG(st.st_mode))
		rc = wbl_fail(
			err, WBL_E_USAGE, path, "Name a regular file.", "is not a regular file");
	while (!rc) {
		ssize_t n = read(fd, part, sizeof part);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			rc = wbl_fail_errno(err, WBL_E_USAGE, path, NULL, "cannot be read");
		else if (n == 0)
			break;
		else if (ret->len + (size_t)n > max)
			rc = wbl_fail(err, WBL_E_USAGE, path, "Make it smaller.",
				"is larger than the %zu bytes that are allowed", max);
		else
			wbl_buf_add(ret, part, (size_t)n);
	}
	close(fd);
	if (rc)
		wbl_buf_clear(ret);
	else if (!ret->data)
		wbl_buf_add(ret, "", 0);
	return rc;
}

int32_t wbl_sync_parent(const char *path, struct wbl_error *err)
{
	const char *slash = strrchr(path, '/');
	WBL_AUTOFREE char *dir = slash == path ? wbl_strdup("/")
				 : slash       ? wbl_strndup(path, (size_t)(slash - path))
					       : wbl_strdup(".");
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC), bad = fd < 0 || fsync(fd);

	if (bad)
		wbl_fail_errno(err, WBL_E_DISK, dir, NULL, "the folder cannot be synced");
	if (fd >= 0)
		close(fd);
	return bad ? WBL_E_DISK : 0;
}

int32_t wbl_file_replace(
	const char *path, const void *data, size_t len, unsigned mode, struct wbl_error *err)
{
	WBL_AUTOFREE char *tmp = wbl_strf("%s.%ld.tmp", path, (long)getpid());
	int fd = open(tmp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, mode);
	int32_t rc = 0;

	if (fd < 0)
		return wbl_fail_errno(err, WBL_E_DISK, tmp, NULL, "cannot be made");
	if (wbl_write_all(fd, data, len) || fsync(fd))
		rc = wbl_fail_errno(err, WBL_E_DISK, tmp, NULL, "cannot be written");
	close(fd);
	if (!rc && rename(tmp, path))
		rc = wbl_fail_errno(err, WBL_E_DISK, path, NULL, "cannot be replaced");
	if (rc) {
		unlink(tmp);
		return rc;
	}
	return wbl_sync_parent(path, err);
}

int32_t wbl_mkdirs(const char *path, unsigned mode, struct wbl_error *err)
{
	WBL_AUTOFREE char *p = wbl_strdup(path);
	struct stat st;
	int32_t rc = 0;
	char *s;

	for (s = p + 1;; s++) {
		char c = *s;

		if (c && c != '/')
			continue;
		*s = '\0';
		if (!mkdir(p, mode))
			rc = wbl_sync_parent(p, err);
		else if (errno != EEXIST)
			return wbl_fail_errno(err, WBL_E_DISK, p,
				"Make the folder, or choose another place.",
				"the folder cannot be made");
		/* A parent that we may write but not read cannot be synced by us. */
		if (rc && errno != EACCES)
			return rc;
		rc = 0;
		*s = c;
		if (!c)
			break;
	}
	if (stat(path, &st) || !S_ISDIR(st.st_mode))
		return wbl_fail(err, WBL_E_USAGE, path, "Name a folder.", "is not a folder");
	return 0;
}

char *wbl_path_absolute(const char *dir, const char *path)
{
	WBL_AUTOFREE char *joined = *path == '/' ? wbl_strdup(path) : wbl_strf("%s/%s", dir, path);
	struct wbl_buf out = { 0 };
	char *save, *part;

	for (part = strtok_r(joined, "/", &save); part; part = strtok_r(NULL, "/", &save)) {
		if (!strcmp(part, "."))
			continue;
		if (!strcmp(part, "..")) {
			while (out.len && out.data[--out.len] != '/')
				;
			continue;
		}
		wbl_buf_addf(&out, "/%s", part);
	}
	if (!out.len)
		wbl_buf_adds(&out, "/");
	out.data[out.len] = '\0';
	return wbl_buf_take(&out);
}

static void to_hex(const unsigned char sum[32], char out[WBL_SHA256_HEX])
{
	sodium_bin2hex(out, WBL_SHA256_HEX, sum, 32);
}

void wbl_sha256_hex(const void *data, size_t len, char out[WBL_SHA256_HEX])
{
	unsigned char sum[32];

	crypto_hash_sha256(sum, data, len);
	to_hex(sum, out);
}

int32_t wbl_sha256_fd(int fd, char out[WBL_SHA256_HEX], struct wbl_error *err)
{
	crypto_hash_sha256_state state;
	unsigned char sum[32];
	char part[65536];
	off_t at = 0;

	crypto_hash_sha256_init(&state);
	for (;;) {
		ssize_t n = pread(fd, part, sizeof part, at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return wbl_fail_errno(err, WBL_E_UNAVAILABLE, NULL, NULL, "cannot be read");
		if (!n)
			break;
		crypto_hash_sha256_update(&state, (unsigned char *)part, (unsigned long long)n);
		at += n;
	}
	crypto_hash_sha256_final(&state, sum);
	to_hex(sum, out);
	return 0;
}

int32_t wbl_sha256_file(const char *path, char out[WBL_SHA256_HEX], struct wbl_error *err)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	int32_t rc;

	if (fd < 0)
		return wbl_fail_errno(err, WBL_E_UNAVAILABLE, path, NULL, "cannot be opened");
	rc = wbl_sha256_fd(fd, out, err);
	if (rc)
		wbl_error_at(err, path);
	close(fd);
	return rc;
}
