/* files.h - what the fuzz targets of files of records share: any bytes as a file, opened by the store as if a host did, read as a whole
 * and in ranges: the same rows or the same refusal, and every row well-formed.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef WBL_FUZZ_FILES_H
#define WBL_FUZZ_FILES_H
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <zlib.h>

#include <whimbrel/sdk_files.h>

struct fuzz_call {
	struct wbl_call call;
	char params[1024];
};

static const char *fuzz_params(struct wbl_call *c)
{
	return ((struct fuzz_call *)c)->params;
}

static const struct wbl_params_service fuzz_service = { sizeof fuzz_service, 1, fuzz_params, NULL };

static const void *fuzz_find(const struct wbl_host *host, const char *id)
{
	return strcmp(id, "wbl.params/1") ? NULL : &fuzz_service;
}

static const struct wbl_host fuzz_host = { sizeof fuzz_host, WBL_ABI_MINOR, "0", fuzz_find };

static int32_t fuzz_walk(const struct wbl_store *t, void *self, struct wbl_call *call,
	const struct wbl_scan *scan, struct wbl_out *ret)
{
	struct wbl_batch batch = { .size = sizeof batch };
	struct wbl_bytes cells;
	struct wbl_row row;
	struct wbl_cell c;
	void *cursor;
	uint64_t at;
	int32_t rc = t->scan(self, call, scan, &cursor);

	if (rc)
		return rc;
	while (!(rc = t->read(cursor, call, &batch)))
		for (at = 0; wbl_batch_next(&batch, &at, &row) == 1;) {
			wbl_out_add(ret, row.cells.data, row.cells.len);
			for (cells = row.cells; wbl_cell_next(&cells, &c) == 1;)
				if (c.tag == WBL_CELL_TEXT && !wbl_utf8_ok(c.data, c.len))
					abort();
			if (cells.len)
				abort();
		}
	t->scan_end(cursor);
	return rc;
}

/* The same bytes, one row in a batch: what was read before an error is the same, however it was cut. */
static void fuzz_compare(
	const struct wbl_store *t, void *self, struct wbl_call *call, uint64_t rows)
{
	struct wbl_scan whole = { .size = sizeof whole, .range = WBL_RANGE_ALL, .batch_rows = 1 },
			last, next;
	struct wbl_out all = { 0 }, parts = { 0 };
	struct wbl_totals n = { .size = sizeof n };
	int32_t rc, want, got = WBL_END;
	uint64_t bounds[8];

	want = fuzz_walk(t, self, call, &whole, &all);
	t->count(self, call, &whole, 0, &n);
	for (int i = 0;; i++) {
		rc = t->split(self, call, &whole, i ? &last : NULL, rows, &next);
		if (rc)
			break;
		if (next.low.len > 32)
			abort();
		memcpy(bounds, next.low.data, next.low.len);
		memcpy(bounds + 4, next.high.data, next.high.len);
		last = next;
		last.low.data = bounds;
		last.high.data = bounds + 4;
		got = fuzz_walk(t, self, call, &last, &parts);
		if (got < 0)
			break;
	}
	if ((want < 0) != (got < 0 || rc < 0) || (want == WBL_END && all.len != parts.len) ||
		parts.len > all.len || (parts.len && memcmp(all.s, parts.s, parts.len) != 0))
		abort();
	wbl_out_clear(&all);
	wbl_out_clear(&parts);
}

/* Two members of gzip, which no chance would make of any bytes. */
static void fuzz_pack(int fd, const uint8_t *data, size_t size)
{
	size_t half = size / 2, at = 0;

	for (int i = 0; i < 2; i++) {
		z_stream z = { .next_in = (Bytef *)(uintptr_t)(data + at),
			.avail_in = (uInt)(i ? size - half : half) };
		uLong room;
		Bytef *out;

		if (deflateInit2(&z, 1, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) != Z_OK)
			abort();
		room = deflateBound(&z, z.avail_in);
		out = malloc(room);
		z.next_out = out;
		z.avail_out = (uInt)room;
		if (!out || deflate(&z, Z_FINISH) != Z_STREAM_END ||
			write(fd, out, z.total_out) != (ssize_t)z.total_out)
			abort();
		deflateEnd(&z);
		free(out);
		at = half;
	}
}

static void fuzz_file(const struct wbl_store *t, const char *options, const void *data, size_t size,
	uint64_t rows, int pack)
{
	struct fuzz_call call = { .call = { sizeof call.call, 0, &fuzz_host } };
	int fd = memfd_create("in", MFD_CLOEXEC);
	uint64_t can;
	void *self;

	if (fd < 0 || (!pack && write(fd, data, size) != (ssize_t)size))
		abort();
	if (pack)
		fuzz_pack(fd, data, size);
	snprintf(call.params, sizeof call.params, "{\"path\":\"/proc/self/fd/%d\"%s}", fd, options);
	if (!t->open(t, &call.call, WBL_OPEN_READ, &self, &can)) {
		fuzz_compare(t, self, &call.call, rows);
		t->close(self);
	}
	close(fd);
}
#endif
