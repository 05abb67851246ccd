/* data_pace.h - how large a chunk turns out to be while it is read, and into what it is cut when it is too large.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef WBL_DATA_PACE_H
#define WBL_DATA_PACE_H
#include "data_impl.h"

struct data_pace {
	struct wbl_call *call;
	uint64_t most_bytes, rows, bytes;
	int64_t most_ns, began_ns, last_ns, waited_ns;
	double rate; /* rows in a second, a moving average */
	int fixed;   /* it stays as it is */
};
/* fixed: nothing that was told so far may be told again. */
void data_pace_begin(struct data_pace *p, struct wbl_call *call, const struct wbl_work *work);
/* After a batch; waited_ns: asleep for the limits of the run. 1: this chunk should be cut. */
int data_pace_step(struct data_pace *p, uint64_t rows, uint64_t bytes, int64_t waited_ns);
/* Names smaller chunks of this range. SPLIT, or OK when it cannot be cut: then it goes on. `all`, `part`: as in the chunk's body. */
int32_t data_pace_split(struct data_pace *p, struct data_ends *e, const struct wbl_work *work,
	const struct data_table *part, const struct wbl_scan *range, uint64_t all);
/* data_copy.c: one chunk more of the step. */
int32_t data_chunk_add(struct wbl_call *call, const char *id, const struct wbl_scan *s,
	uint64_t rows, uint64_t all, int part);
#endif
