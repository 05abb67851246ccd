/* host/row.c - one row, one cell at a time; nothing is copied.
 * SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "core/host/row.h"

#include <stdbool.h>
#include <string.h>

#include "core/base/util.h"
#include "whimbrel/store.h"

enum { DEEPEST_LIST = 16 };

static uint32_t u32_at(const uint8_t *p)
{
	return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static int64_t i64_at(const uint8_t *p)
{
	return (int64_t)((uint64_t)u32_at(p) | (uint64_t)u32_at(p + 4) << 32);
}

static bool header_i64(const uint8_t **p, const uint8_t *end, int64_t *ret)
{
	if (end - *p < 8)
		return false;
	*ret = i64_at(*p);
	*p += 8;
	return true;
}

const char *wbl_canon_row(const uint8_t **p, const uint8_t *end, struct wbl_row *ret)
{
	const uint8_t *at = *p, *last;
	uint32_t len;

	*ret = (struct wbl_row){ 0 };
	if (end - at < 4)
		return "the row is cut off in its length";
	len = u32_at(at);
	at += 4;
	if (len < 2 || len > (size_t)(end - at))
		return "the row's length does not fit the batch";
	last = at + len;
	ret->kind = *at++;
	ret->header = *at++;
	if (ret->kind > WBL_ROW_DELETE)
		return "the kind of the row is not known";
	if (ret->header & ~(WBL_ROW_VERSION | WBL_ROW_DEADLINE))
		return "the row's header has unknown bits";
	if ((ret->header & WBL_ROW_VERSION && !header_i64(&at, last, &ret->version)) ||
		(ret->header & WBL_ROW_DEADLINE && !header_i64(&at, last, &ret->deadline)))
		return "the row is cut off in its header";
	ret->cells = at;
	ret->len = (size_t)(last - at);
	*p = last;
	return NULL;
}

/* The length of a fixed payload; -1: a length of 4 bytes stands before it; -2: not known. */
static int payload_of(uint8_t tag)
{
	switch (tag) {
	case WBL_CELL_NULL:
		return 0;
	case WBL_CELL_INT:
	case WBL_CELL_REAL:
		return 8;
	case WBL_CELL_REAL32:
	case WBL_CELL_DATE:
		return 4;
	case WBL_CELL_INSTANT:
	case WBL_CELL_LOCAL:
		return 9;
	case WBL_CELL_UUID:
		return 16;
	case WBL_CELL_DECIMAL:
	case WBL_CELL_TEXT:
	case WBL_CELL_RAW:
	case WBL_CELL_BYTES:
	case WBL_CELL_LIST:
	case WBL_CELL_JSON:
		return -1;
	default:
		return -2;
	}
}

static bool decimal_ok(const uint8_t *s, size_t len)
{
	size_t i = len && s[0] == '-', digits = 0, points = 0;

	for (; i < len; i++) {
		if (s[i] >= '0' && s[i] <= '9')
			digits++;
		else if (s[i] != '.' || !digits || points++)
			return false;
	}
	return digits && s[len - 1] != '.';
}

static const char *cell_next(
	const uint8_t **p, const uint8_t *end, struct wbl_cell *ret, int depth);

static const char *check_list(const uint8_t *p, const uint8_t *end, int depth)
{
	const char *wrong = depth > DEEPEST_LIST ? "a list is nested too deep" : NULL;
	struct wbl_cell c;

	while (!wrong && p < end)
		wrong = cell_next(&p, end, &c, depth);
	return wrong;
}

static const char *check_payload(const struct wbl_cell *c, int depth)
{
	const char *s = (const char *)c->data;

	switch (c->tag) {
	case WBL_CELL_TEXT:
		return !wbl_utf8_valid(s, c->len) || memchr(s, 0, c->len)
			       ? "a text is not UTF-8, or has a NUL"
			       : NULL;
	case WBL_CELL_JSON:
		return wbl_utf8_valid(s, c->len) ? NULL : "a JSON text is not UTF-8";
	case WBL_CELL_DECIMAL:
		return decimal_ok(c->data, c->len) ? NULL : "a decimal is not written as one";
	case WBL_CELL_INSTANT:
	case WBL_CELL_LOCAL:
		return c->data[8] <= 9 ? NULL : "an instant has more than 9 fractional digits";
	case WBL_CELL_LIST:
		return check_list(c->data, c->data + c->len, depth + 1);
	default:
		return NULL;
	}
}

static const char *cell_next(const uint8_t **p, const uint8_t *end, struct wbl_cell *ret, int depth)
{
	const uint8_t *at = *p;
	int fixed = payload_of(*at);
	size_t len;

	*ret = (struct wbl_cell){ .tag = *at, .whole = at };
	at++;
	if (fixed == -2)
		return "the tag of a cell is not known";
	if (fixed == -1 && end - at < 4)
		return "a cell is cut off in its length";
	len = fixed == -1 ? u32_at(at) : (size_t)fixed;
	if (fixed == -1)
		at += 4;
	if (len > (size_t)(end - at))
		return "a cell is longer than its row";
	ret->data = at;
	ret->len = len;
	*p = at + len;
	ret->whole_len = (size_t)(*p - ret->whole);
	return check_payload(ret, depth);
}

const char *wbl_canon_cell(const uint8_t **p, const uint8_t *end, struct wbl_cell *ret)
{
	return cell_next(p, end, ret, 0);
}
