/* base/file.h - files: read whole, replace safely, make durable; digests of bytes and files.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef WBL_CORE_BASE_FILE_H
#define WBL_CORE_BASE_FILE_H
#include "core/base/error.h"
#include "core/base/util.h"

#define WBL_SHA256_HEX 65

/* Reads at most `max` bytes; a longer file is WBL_E_USAGE. *ret is cleared first. */
int32_t wbl_file_read(const char *path, size_t max, struct wbl_buf *ret, struct wbl_error *err);
/* Temporary file beside it, write, fsync, rename, fsync of the folder. mode e.g. 0600. */
int32_t wbl_file_replace(
	const char *path, const void *data, size_t len, unsigned mode, struct wbl_error *err);
int32_t wbl_mkdirs(
	const char *path, unsigned mode, struct wbl_error *err);  /* like mkdir -p, names synced */
int32_t wbl_sync_parent(const char *path, struct wbl_error *err); /* fsync of the folder of path */
int wbl_write_all(int fd, const void *data, size_t len);          /* 0 or -1 with errno */
/* Absolute, without "." "..", "//"; symbolic links stay. `dir` is for relative ones. Caller frees. */
char *wbl_path_absolute(const char *dir, const char *path);

void wbl_sha256_hex(const void *data, size_t len, char out[WBL_SHA256_HEX]);
int32_t wbl_sha256_file(const char *path, char out[WBL_SHA256_HEX], struct wbl_error *err);
int32_t wbl_sha256_fd(
	int fd, char out[WBL_SHA256_HEX], struct wbl_error *err); /* from offset 0 to the end */
#endif
