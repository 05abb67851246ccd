/* data_pace.c - chunks that were cut by an average turn out too large: by bytes where rows are long, by time where a side is slow.
 * In: rows, bytes and time of the chunk so far.  Out: smaller chunks in its place, sized by the rate that was seen.  Nothing of the chunk has
 * been committed then, so that what is done twice is at most what was read until it was noticed.
 * SPDX-License-Identifier: Apache-2.0 */
#include "data_pace.h"

#include <stdlib.h>
#include <string.h>

enum { LEAST_ROWS = 64 };

static int64_t now(struct wbl_call *call)
{
	const struct wbl_clock_service *clock = wbl_service(call, "wbl.clock/1");

	return clock ? clock->now(call, 2) : 0;
}

void data_pace_begin(struct data_pace *p, struct wbl_call *call, const struct wbl_work *work)
{
	*p = (struct data_pace){
		.most_bytes = 2 * (uint64_t)wbl_param_int(call, "chunk_bytes", 8 << 20),
		.most_ns = wbl_param_int(call, "chunk_time", INT64_C(10000000000)),
		.call = call,
		.began_ns = now(call),
		.fixed = !(work->flags & WBL_WORK_CHUNK) || (work->flags & WBL_WORK_REHEARSE),
	};
	p->last_ns = p->began_ns;
	if (wbl_param_int(call, "chunk_rows", 0) > 0)
		p->most_bytes = UINT64_MAX;
}

int data_pace_step(struct data_pace *p, uint64_t rows, uint64_t bytes, int64_t waited_ns)
{
	int64_t at = now(p->call), took = at - p->last_ns - waited_ns;
	double rate = took > 0 ? (double)rows * 1e9 / (double)took : 0;

	p->last_ns = at;
	p->waited_ns += waited_ns;
	p->rows += rows;
	p->bytes += bytes;
	if (took > 0)
		p->rate = p->rate > 0 ? 0.8 * p->rate + 0.2 * rate : rate;
	if (p->fixed || p->rows < 2 * LEAST_ROWS)
		return 0;
	return p->bytes > p->most_bytes ||
	       (p->most_ns > 0 && at - p->began_ns - p->waited_ns > p->most_ns);
}

/* As many rows as fit into half of what was too much, by the lengths and the rate that were seen. */
static uint64_t fitting(const struct data_pace *p)
{
	uint64_t rows = p->rows / 2, by_time;

	if (p->bytes > p->most_bytes && p->bytes)
		rows = (uint64_t)((double)p->rows * ((double)p->most_bytes / 2) / (double)p->bytes);
	by_time = (uint64_t)(p->rate * ((double)p->most_ns / 2e9));
	if (p->most_ns > 0 && by_time && by_time < rows)
		rows = by_time;
	return rows < LEAST_ROWS ? LEAST_ROWS : rows;
}

static int same_bound(struct wbl_bytes a, struct wbl_bytes b)
{
	return a.len == b.len && (!a.len || !memcmp(a.data, b.data, a.len));
}

int32_t data_pace_split(struct data_pace *p, struct data_ends *e, const struct wbl_work *work,
	const struct data_table *part, const struct wbl_scan *range, uint64_t all)
{
	struct wbl_scan whole = *range, last = whole, next = whole;
	uint64_t rows = fitting(p);
	struct wbl_out id = { 0 };
	unsigned n = 0;
	int32_t rc = WBL_OK;

	p->fixed = 1;
	whole.set = part->from;
	whole.columns = NULL;
	whole.filter = whole.lane = NULL;
	if (!e->src->split || range->range == WBL_RANGE_ALL)
		return WBL_OK;
	while (!rc) {
		rc = e->src->split(e->source.self, e->call, &whole, n ? &last : NULL, rows, &next);
		/* What cannot be cut comes back whole. */
		if (rc || (!n && same_bound(next.low, whole.low) &&
				  same_bound(next.high, whole.high)))
			break;
		wbl_out_reset(&id);
		wbl_out_fmt(&id, "%s.%u", work->chunk_id, ++n);
		rc = data_chunk_add(e->call, id.s, &next, rows, all, part->part);
		last = next;
	}
	wbl_out_clear(&id);
	if (rc < 0)
		return rc;
	return n ? WBL_E_SPLIT : WBL_OK;
}
