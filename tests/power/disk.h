/* tests/power/disk.h - what a disk may hold after a loss of power.
 * A model of one folder, fed by a recorder's log record by record. It keeps what programs saw, what was synced
 * (contents by fsync of the file, names by fsync of their folder), and what was still under way between the two.
 * Folders do not become durable by syncing what is in them. One thread.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef WBL_TESTS_DISK_H
#define WBL_TESTS_DISK_H
#include <stdbool.h>
#include <stdint.h>

#include "core/base/error.h"

enum disk_variant {
	DISK_DROP, /* what was not synced is lost */
	DISK_KEEP, /* nothing is lost: as after kill -9 */
	DISK_SOME, /* by seed: of each file and of the names a prefix or a random part arrived, the last write torn */
};

struct disk;

int32_t disk_open(const char *log, struct disk **ret, struct wbl_error *err);
void disk_free(struct disk *d);
int64_t disk_count(const struct disk *d); /* records in the log */
uint64_t disk_position(
	const struct disk *d, int64_t n);           /* length of the log after its n-th record */
bool disk_is_sync(const struct disk *d, int64_t n); /* is the n-th record (from 1) a sync? */
/* Goes forward to after the n-th record (never back). */
int32_t disk_advance(struct disk *d, int64_t n, struct wbl_error *err);
/* Makes `out` (which must not exist) as the folder could be found. The same seed gives the same folder. */
int32_t disk_write(const struct disk *d, const char *out, enum disk_variant how, uint64_t seed,
	struct wbl_error *err);
#endif
