/* host/row.h - canonical rows taken apart, every length checked (include/whimbrel/store.h).
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef WBL_CORE_HOST_ROW_H
#define WBL_CORE_HOST_ROW_H
#include <stddef.h>
#include <stdint.h>

struct wbl_row {
	uint8_t kind, header;
	int64_t version, deadline;
	const uint8_t *cells;
	size_t len;
};
struct wbl_cell {
	uint8_t tag;
	const uint8_t *whole; /* from the tag on */
	size_t whole_len;
	const uint8_t *data; /* the payload, without its length */
	size_t len;
};

/* NULL and *p moved on, or what is wrong, in words. The caller asks only while *p < end. */
const char *wbl_canon_row(const uint8_t **p, const uint8_t *end, struct wbl_row *ret);
const char *wbl_canon_cell(const uint8_t **p, const uint8_t *end, struct wbl_cell *ret);
#endif
