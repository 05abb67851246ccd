/* data_digests.h - a set of row digests in bounded memory: what is asked of many rows is asked in passes, each over a part of them.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef WBL_DATA_DIGESTS_H
#define WBL_DATA_DIGESTS_H
#include <stdint.h>

struct data_digest {
	uint64_t lo, hi;  /* both 0: empty */
	int64_t position; /* of the row; -1 unknown */
};
struct data_digests {
	struct data_digest *at;
	uint64_t used, pass, passes;
	int full; /* some did not find room */
};
/* Passes for so many digests. */
void data_digests_begin(struct data_digests *s, uint64_t expected);
void data_digests_pass(struct data_digests *s, uint64_t pass); /* empties it */
void data_digests_end(struct data_digests *s);
/* 1: it is there, with *position that of the first one; 0: it was put in (or is no matter of this pass). */
int data_digests_put(struct data_digests *s, uint64_t lo, uint64_t hi, int64_t *position);
/* 1: it is there, or no matter of this pass. */
int data_digests_has(const struct data_digests *s, uint64_t lo, uint64_t hi);
#endif
