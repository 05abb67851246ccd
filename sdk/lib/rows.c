/* sdk/lib/rows.c - canonical rows: written into a batch, read out of one.
 * In: values.  Out: bytes as whimbrel/store.h lays them down; readers never look past the end.  Little-endian hosts only, as the
 * rows are.
 * SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <whimbrel/sdk.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "canonical rows are little-endian");

static uint8_t *room(struct wbl_rows *r, size_t n)
{
	uint8_t *p;

	if (r->cap - r->len < n) {
		r->cap = (r->len + n) * 2 + 4096;
		r->data = wbl_sdk_grow(r->data, r->cap);
	}
	p = r->data + r->len;
	r->len += n;
	return p;
}

void wbl_rows_reset(struct wbl_rows *r)
{
	r->len = r->row = 0;
	r->rows = 0;
}

void wbl_rows_clear(struct wbl_rows *r)
{
	free(r->data);
	*r = (struct wbl_rows){ 0 };
}

void wbl_row_begin(struct wbl_rows *r, int kind)
{
	uint8_t *p;

	r->row = r->len;
	p = room(r, 6);
	p[4] = (uint8_t)kind;
	p[5] = 0;
}

void wbl_row_drop(struct wbl_rows *r)
{
	r->len = r->row;
}

struct wbl_bytes wbl_row_end(struct wbl_rows *r)
{
	uint32_t len = (uint32_t)(r->len - r->row - 4);

	memcpy(r->data + r->row, &len, 4);
	r->rows++;
	return (struct wbl_bytes){ r->data + r->row + 6, len - 2 };
}

/* Both begin with their size: the caller's says how much it has room for, and stays. */
void wbl_struct_give(void *ret, const void *own)
{
	uint32_t room, size;

	if (!ret)
		return;
	memcpy(&room, ret, sizeof room);
	memcpy(&size, own, sizeof size);
	size = size < room ? size : room;
	if (size > sizeof size)
		memcpy((char *)ret + sizeof size, (const char *)own + sizeof size,
			size - sizeof size);
}

void wbl_rows_batch(const struct wbl_rows *r, const char *set, const char *const *columns,
	struct wbl_batch *ret)
{
	*ret = (struct wbl_batch){
		.size = sizeof *ret,
		.rows = r->rows,
		.len = r->len,
		.data = r->data,
		.set = set,
		.columns = columns,
	};
}

void wbl_cell_null(struct wbl_rows *r)
{
	*room(r, 1) = WBL_CELL_NULL;
}

static void fixed(struct wbl_rows *r, int tag, const void *data, size_t n)
{
	uint8_t *p = room(r, n + 1);

	p[0] = (uint8_t)tag;
	memcpy(p + 1, data, n);
}

void wbl_cell_int(struct wbl_rows *r, int64_t v)
{
	fixed(r, WBL_CELL_INT, &v, 8);
}

void wbl_cell_real(struct wbl_rows *r, double v)
{
	uint64_t bits;

	memcpy(&bits, &v, 8);
	if (isnan(v))
		bits = UINT64_C(0x7ff8000000000000);
	else if (v == 0)
		bits = 0;
	fixed(r, WBL_CELL_REAL, &bits, 8);
}

void wbl_cell_real32(struct wbl_rows *r, float v)
{
	uint32_t bits;

	memcpy(&bits, &v, 4);
	if (isnan(v))
		bits = UINT32_C(0x7fc00000);
	else if (v == 0)
		bits = 0;
	fixed(r, WBL_CELL_REAL32, &bits, 4);
}

void wbl_cell_date(struct wbl_rows *r, int32_t days)
{
	fixed(r, WBL_CELL_DATE, &days, 4);
}

void wbl_cell_time(struct wbl_rows *r, int tag, int64_t ns, int digits)
{
	uint8_t b[9];

	memcpy(b, &ns, 8);
	b[8] = (uint8_t)digits;
	fixed(r, tag, b, 9);
}

void wbl_cell_uuid(struct wbl_rows *r, const uint8_t uuid[16])
{
	fixed(r, WBL_CELL_UUID, uuid, 16);
}

void wbl_cell_blob(struct wbl_rows *r, int tag, const void *data, size_t len)
{
	uint8_t *p = room(r, len + 5);
	uint32_t n = (uint32_t)len;

	p[0] = (uint8_t)tag;
	memcpy(p + 1, &n, 4);
	if (len)
		memcpy(p + 5, data, len);
}

void wbl_cell_text(struct wbl_rows *r, const void *data, size_t len)
{
	wbl_cell_blob(r, wbl_utf8_ok(data, len) ? WBL_CELL_TEXT : WBL_CELL_RAW, data, len);
}

void wbl_cell_copy(struct wbl_rows *r, const void *cells, size_t len)
{
	uint8_t *p = room(r, len);

	if (len)
		memcpy(p, cells, len);
}

int wbl_batch_next(const struct wbl_batch *b, uint64_t *at, struct wbl_row *ret)
{
	const uint8_t *p = b->data + *at;
	uint64_t left = b->len - *at, skip = 2;
	uint32_t len;

	if (*at >= b->len)
		return *at == b->len ? 0 : -1;
	if (left < 6)
		return -1;
	memcpy(&len, p, 4);
	if (len < 2 || len > left - 4)
		return -1;
	*ret = (struct wbl_row){ .kind = p[4], .bits = p[5] };
	p += 4;
	if (ret->bits & ~(WBL_ROW_VERSION | WBL_ROW_DEADLINE))
		return -1;
	if (ret->bits & WBL_ROW_VERSION) {
		if (len - skip < 8)
			return -1;
		memcpy(&ret->version, p + skip, 8);
		skip += 8;
	}
	if (ret->bits & WBL_ROW_DEADLINE) {
		if (len - skip < 8)
			return -1;
		memcpy(&ret->deadline_ns, p + skip, 8);
		skip += 8;
	}
	ret->cells = (struct wbl_bytes){ p + skip, len - skip };
	*at += 4 + (uint64_t)len;
	return 1;
}

/* Bytes behind the tag; LENGTH: its length stands in front; LENGTH - 1: none; 0: an unknown tag. */
enum { LENGTH = 64 };
static const uint8_t payloads[256] = {
	[WBL_CELL_NULL] = LENGTH - 1,
	[WBL_CELL_INT] = 8,
	[WBL_CELL_REAL] = 8,
	[WBL_CELL_REAL32] = 4,
	[WBL_CELL_DATE] = 4,
	[WBL_CELL_INSTANT] = 9,
	[WBL_CELL_LOCAL] = 9,
	[WBL_CELL_UUID] = 16,
	[WBL_CELL_DECIMAL] = LENGTH,
	[WBL_CELL_TEXT] = LENGTH,
	[WBL_CELL_RAW] = LENGTH,
	[WBL_CELL_BYTES] = LENGTH,
	[WBL_CELL_LIST] = LENGTH,
	[WBL_CELL_JSON] = LENGTH,
};

int wbl_cell_next(struct wbl_bytes *cells, struct wbl_cell *ret)
{
	const uint8_t *p = cells->data;
	uint64_t left = cells->len, head = 1;
	uint32_t n;

	if (!left)
		return 0;
	n = payloads[p[0]];
	if (n == LENGTH) {
		if (left < 5)
			return -1;
		memcpy(&n, p + 1, 4);
		head = 5;
	} else if (n == LENGTH - 1) {
		n = 0;
	} else if (!n) {
		return -1;
	}
	if (n > left - head)
		return -1;
	ret->tag = p[0];
	ret->len = n;
	ret->at = p;
	ret->data = p + head;
	ret->whole = (uint32_t)head + n;
	cells->data = p + ret->whole;
	cells->len = left - ret->whole;
	return 1;
}

int64_t wbl_cell_get_int(const struct wbl_cell *c)
{
	int64_t v = 0;
	int32_t days;

	if (c->tag == WBL_CELL_DATE) {
		memcpy(&days, c->data, 4);
		return days;
	}
	if (c->len >= 8)
		memcpy(&v, c->data, 8);
	return v;
}

double wbl_cell_get_real(const struct wbl_cell *c)
{
	double v = 0;
	float f;

	if (c->tag == WBL_CELL_REAL32) {
		memcpy(&f, c->data, 4);
		return f;
	}
	if (c->tag == WBL_CELL_INT)
		return (double)wbl_cell_get_int(c);
	if (c->len == 8)
		memcpy(&v, c->data, 8);
	return v;
}
