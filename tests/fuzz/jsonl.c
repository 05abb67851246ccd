/* fuzz target: any bytes as a file of JSON lines, whole and in ranges: the same rows or the same refusal, and every row well-formed.
 * req: D7 D6
 * SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "plugins/stores/jsonl/jsonl_impl.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int32_t walk(struct jsonl_self *s, const struct wbl_scan *scan, struct wbl_out *ret)
{
	struct wbl_batch batch = { .size = sizeof batch };
	struct wbl_bytes cells;
	struct wbl_row row;
	struct wbl_cell c;
	void *cursor;
	uint64_t at;
	int32_t rc = jsonl_scan(s, NULL, scan, &cursor);

	if (rc)
		abort();
	while (!(rc = jsonl_read(cursor, NULL, &batch)))
		for (at = 0; wbl_batch_next(&batch, &at, &row) == 1;) {
			size_t n = 0;

			wbl_out_add(ret, row.cells.data, row.cells.len);
			for (cells = row.cells; wbl_cell_next(&cells, &c) == 1; n++)
				if (c.tag == WBL_CELL_TEXT && !wbl_utf8_ok(c.data, c.len))
					abort();
			if (cells.len || n != s->ncols)
				abort();
		}
	jsonl_scan_end(cursor);
	return rc;
}

static void compare(struct jsonl_self *s, uint64_t rows)
{
	struct wbl_scan whole = { .size = sizeof whole,
		.range = WBL_RANGE_ALL,
		.set = s->set,
		.batch_rows = 1 },
			last, next;
	struct wbl_out all = { 0 }, parts = { 0 };
	int32_t rc, want = walk(s, &whole, &all), got = WBL_END;

	for (int n = 0;; n++) {
		uint64_t bounds[4];

		rc = jsonl_split(s, NULL, &whole, n ? &last : NULL, rows, &next);
		if (rc)
			break;
		memcpy(bounds, next.low.data, 16);
		memcpy(bounds + 2, next.high.data, 16);
		if (bounds[2] <= bounds[0])
			abort();
		last = next;
		last.low = (struct wbl_bytes){ bounds, 16 };
		got = walk(s, &last, &parts);
		if (got < 0)
			break;
		last = next;
	}
	if ((want < 0) != (got < 0) || all.len != parts.len ||
		(all.len && memcmp(all.s, parts.s, all.len) != 0))
		abort();
	wbl_out_clear(&all);
	wbl_out_clear(&parts);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char path[64], id[] = "id", deep[] = "a.b.0";
	struct jsonl_column cols[] = { { .name = id }, { .name = deep } };
	struct jsonl_self s = { .set = id, .cols = cols, .ncols = 2, .given = 1 };

	if (size < 2)
		return 0;
	s.refuse_missing = data[0] & 1;
	s.fd = memfd_create("in", MFD_CLOEXEC);
	if (s.fd < 0 || write(s.fd, data + 1, size - 1) != (ssize_t)(size - 1) ||
		fstat(s.fd, &s.seen))
		abort();
	s.size = size - 1;
	s.marks = data[0] >> 7;
	snprintf(path, sizeof path, "/proc/self/fd/%d", s.fd);
	s.path = path;
	compare(&s, 1 + data[0] / 2 % 8);
	wbl_out_clear(&s.text);
	close(s.fd);
	return 0;
}
