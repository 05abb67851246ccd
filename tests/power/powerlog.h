/* tests/power/powerlog.h - the records that recorder.c appends and disk.c reads.
 * A record is this head, then both paths (relative to the root, without NUL), the data,
 * and up to seven bytes that fill it to a multiple of eight.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef WBL_TESTS_POWERLOG_H
#define WBL_TESTS_POWERLOG_H
#include <stddef.h>
#include <stdint.h>

enum { POWER_MAGIC = 0x31525750 };
#define POWER_PADDED(len) (((len) + 7) & ~(size_t)7)

enum power_op {
	POWER_CREATE = 1, /* path, ino */
	POWER_WRITE,      /* ino, at, data */
	POWER_TRUNCATE,   /* ino, at: the new length */
	POWER_RENAME,     /* path to path2 */
	POWER_UNLINK,     /* path: a file or an empty folder */
	POWER_MKDIR,      /* path */
	POWER_LINK,       /* path, and its new name path2 */
	POWER_SYMLINK,    /* path; the target is the data */
	POWER_SYNC,       /* ino: contents of a file; with a path: names in that folder */
};

struct power_record {
	uint32_t magic, op;
	uint64_t ino, at;
	uint32_t path_len, path2_len;
	uint64_t data_len;
};
#endif
