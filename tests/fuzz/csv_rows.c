/* fuzz target: any bytes as a file of records, with any separator and quote, whole and in ranges: the same rows or the same refusal.
 * req: D7 D6
 * SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "plugins/stores/csv/csv_impl.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint64_t walk(
	struct csv_self *s, uint64_t from, uint64_t line, uint64_t end, int32_t *ret_rc)
{
	struct csv_reader r;
	uint64_t n = 0;
	int32_t rc = WBL_OK;

	csv_reader_init(&r, s, NULL, from, line);
	while (r.offset < end && !(rc = csv_reader_next(&r))) {
		n++;
		for (size_t i = 0; i < r.nfields; i++)
			if (r.fields[i].at + (uint64_t)r.fields[i].len > r.to ||
				r.fields[i].len > r.record_len)
				abort();
		if (csv_ragged(&r))
			break;
	}
	*ret_rc = rc;
	csv_reader_clear(&r);
	return n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char path[64];
	struct csv_self s = { .set = "in", .sep = ',', .quote = '"', .ncols = 2 };
	struct wbl_scan whole = { .size = sizeof whole, .range = WBL_RANGE_ALL, .set = s.set },
			next;
	int32_t rc;

	if (size < 2)
		return 0;
	s.sep = data[0] ? data[0] : ',';
	s.quote = data[1] & 1 ? -1 : '"';
	s.ncols = 1 + data[1] / 2 % 4;
	s.fd = memfd_create("in", MFD_CLOEXEC);
	if (s.fd < 0 || write(s.fd, data + 2, size - 2) != (ssize_t)(size - 2) ||
		fstat(s.fd, &s.seen))
		abort();
	snprintf(path, sizeof path, "/proc/self/fd/%d", s.fd);
	s.path = path;
	s.data_line = 1;
	walk(&s, 0, 1, size - 2, &rc);
	if (!csv_split(&s, NULL, &whole, NULL, 3, &next)) {
		uint64_t bounds[2];

		memcpy(&bounds[0], next.low.data, 8);
		memcpy(&bounds[1], next.high.data, 8);
		if (bounds[0] != 0 || bounds[1] > size - 2 || walk(&s, 0, 1, bounds[1], &rc) > 3 ||
			rc < 0)
			abort();
	}
	wbl_out_clear(&s.text);
	close(s.fd);
	return 0;
}
