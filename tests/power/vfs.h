/* tests/power/vfs.h - a SQLite VFS below which the power can fail.
 * What SQLite writes to a file below the root stays in memory until that file is synced; only then the file on the disk
 * has it. Names (made, renamed, removed) are durable when their folder was synced. Files that others write below the
 * root count as synced up to their last fsync. Before each change, and each sync, `moment` is called: there the power may
 * fail, as often as it likes, each time into another folder.
 * Where this stands in for the system: rename, unlink, fsync and fdatasync of this program, SQLite's included, are ours.
 * One thread.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef WBL_TESTS_VFS_H
#define WBL_TESTS_VFS_H
#include <stdbool.h>
#include <stdint.h>

enum vfs_loss {
	VFS_DROP, /* all that was not synced is lost */
	VFS_KEEP, /* nothing is lost */
	VFS_TORN, /* of each file all but the last write arrived, and of that one the first sectors */
	VFS_SOME, /* by seed: any sectors of any writes, in any order; the names up to some change */
	VFS_JUNK, /* the same, and sectors under way may hold rubbish */
};

struct vfs_disk {
	const char *root;          /* absolute; exists */
	uint32_t sector;           /* a multiple of 512 */
	bool safe_overwrite;       /* a write that is torn harms no byte beside it */
	bool lies;                 /* a sync does nothing, and says that it did */
	void (*moment)(void *ctx); /* power may fail now */
	void *ctx;
	uint64_t writes, syncs, names; /* what was seen */
};

/* Becomes SQLite's default. `disk` stays the caller's, and is used until vfs_remove. */
void vfs_install(struct vfs_disk *disk);
void vfs_remove(void);
/* Makes `out` (which must not exist) as the root could be found. The same seed gives the same folder. */
void vfs_lose_power(const char *out, enum vfs_loss how, uint64_t seed);
#endif
