/* sdk/lib/put.h - one file as it stands or as it was kept, and putting content in its place.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef WBL_SDK_PUT_H
#define WBL_SDK_PUT_H
#include <sys/types.h>

#include <whimbrel/sdk.h>

struct wbl_sdk_file {
	char *path; /* behind all symbolic links */
	int fd;     /* -1 when absent or only remembered */
	int absent;
	mode_t mode;
	uid_t uid;
	gid_t gid;
	uint64_t size, links;
};
/* A path that does not exist is no error (absent). */
int32_t wbl_sdk_file_open(struct wbl_call *call, const char *path, struct wbl_sdk_file *ret);
void wbl_sdk_file_close(struct wbl_sdk_file *f);
void wbl_sdk_file_json(const struct wbl_sdk_file *f, struct wbl_out *ret);
/* Borrows `path`; not to be closed. */
struct wbl_sdk_file wbl_sdk_file_kept(const struct wbl_node *n, const char *path);
/* Content from `fd`, or from data when fd is -1; mode and owner of *f. */
int32_t wbl_sdk_put(struct wbl_call *call, const struct wbl_sdk_file *f, int fd, const char *data,
	uint64_t len);
void wbl_sdk_remove_leftover(const char *path);
int32_t wbl_sdk_sync_folder(struct wbl_call *call, const char *path);
int wbl_sdk_copy_fd(int from, int to);
#endif
