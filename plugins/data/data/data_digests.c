/* data_digests.c - see data_digests.h. Open addressing, 12 MiB, at most three quarters full.
 * SPDX-License-Identifier: Apache-2.0 */
#include "data_digests.h"

#include <stdlib.h>
#include <string.h>

#include <whimbrel/sdk.h>

enum { ROOM = 1 << 19, MOST = ROOM / 4 * 3 };

void data_digests_begin(struct data_digests *s, uint64_t expected)
{
	memset(s, 0, sizeof *s);
	s->at = wbl_sdk_alloc(ROOM * sizeof *s->at);
	s->passes = expected / (MOST / 10 * 9) + 1;
}

void data_digests_pass(struct data_digests *s, uint64_t pass)
{
	memset(s->at, 0, ROOM * sizeof *s->at);
	s->used = 0;
	s->pass = pass;
}

void data_digests_end(struct data_digests *s)
{
	free(s->at);
	memset(s, 0, sizeof *s);
}

static struct data_digest *place(const struct data_digests *s, uint64_t lo, uint64_t hi)
{
	uint64_t i = lo & (ROOM - 1);

	while ((s->at[i].lo || s->at[i].hi) && (s->at[i].lo != lo || s->at[i].hi != hi))
		i = (i + 1) & (ROOM - 1);
	return &s->at[i];
}

int data_digests_put(struct data_digests *s, uint64_t lo, uint64_t hi, int64_t *position)
{
	struct data_digest *d;

	lo |= !lo && !hi;
	if (hi % s->passes != s->pass)
		return 0;
	d = place(s, lo, hi);
	if (d->lo || d->hi) {
		*position = d->position;
		return 1;
	}
	if (s->used >= MOST) {
		s->full = 1;
		return 0;
	}
	s->used++;
	*d = (struct data_digest){ lo, hi, *position };
	return 0;
}

int data_digests_has(const struct data_digests *s, uint64_t lo, uint64_t hi)
{
	const struct data_digest *d;

	lo |= !lo && !hi;
	if (hi % s->passes != s->pass)
		return 1;
	d = place(s, lo, hi);
	return d->lo || d->hi;
}
