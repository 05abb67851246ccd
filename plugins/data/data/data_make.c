/* data_make.c - generated values: numbers in a row, UUIDs and digests of columns; the same row has the same value, whoever reads it and
 * however often.
 * In: a row and its place in the source.  Out: a cell.
 * SPDX-License-Identifier: Apache-2.0 */
#include <sodium.h>
#include <string.h>

#include "data_alter.h"

static uint32_t left(uint32_t v, int n)
{
	return v << n | v >> (32 - n);
}

static void sha1_block(uint32_t h[5], const uint8_t *p)
{
	uint32_t w[80], a = h[0], b = h[1], c = h[2], d = h[3], e = h[4], f, k, t;

	for (int i = 0; i < 16; i++)
		w[i] = (uint32_t)p[i * 4] << 24 | (uint32_t)p[i * 4 + 1] << 16 |
		       (uint32_t)p[i * 4 + 2] << 8 | p[i * 4 + 3];
	for (int i = 16; i < 80; i++)
		w[i] = left(w[i - 3] ^ w[i - 8] ^ w[i - 14] ^ w[i - 16], 1);
	for (int i = 0; i < 80; i++) {
		f = i < 20   ? (b & c) | (~b & d)
		    : i < 40 ? b ^ c ^ d
		    : i < 60 ? (b & c) | (b & d) | (c & d)
			     : b ^ c ^ d;
		k = i < 20   ? 0x5a827999u
		    : i < 40 ? 0x6ed9eba1u
		    : i < 60 ? 0x8f1bbcdcu
			     : 0xca62c1d6u;
		t = left(a, 5) + f + e + k + w[i];
		e = d;
		d = c;
		c = left(b, 30);
		b = a;
		a = t;
	}
	h[0] += a;
	h[1] += b;
	h[2] += c;
	h[3] += d;
	h[4] += e;
}

/* For UUIDs of version 5 only, which are made with it; nothing here is to be kept from anybody. */
void data_sha1(const void *data, size_t len, uint8_t out[20])
{
	uint32_t h[5] = { 0x67452301u, 0xefcdab89u, 0x98badcfeu, 0x10325476u, 0xc3d2e1f0u };
	uint8_t last[128] = { 0 };
	const uint8_t *p = data;
	size_t rest = len, n;

	for (; rest >= 64; rest -= 64, p += 64)
		sha1_block(h, p);
	if (rest)
		memcpy(last, p, rest);
	last[rest] = 0x80;
	n = rest < 56 ? 64 : 128;
	for (int i = 0; i < 8; i++)
		last[n - 1 - (size_t)i] = (uint8_t)((uint64_t)len * 8 >> (8 * i));
	sha1_block(h, last);
	if (n == 128)
		sha1_block(h, last + 64);
	for (int i = 0; i < 20; i++)
		out[i] = (uint8_t)(h[i / 4] >> (24 - 8 * (i % 4)));
}

int data_uuid_read(const char *s, uint8_t out[16])
{
	struct wbl_rows in = { 0 }, r = { 0 };
	struct wbl_bytes at;
	struct wbl_cell c;
	const char *why;
	int bad;

	wbl_cell_text(&in, s, strlen(s));
	at = (struct wbl_bytes){ in.data, in.len };
	wbl_cell_next(&at, &c);
	bad = wbl_cell_cast(&r, &c, WBL_TYPE_UUID, &why);
	if (!bad) {
		at = (struct wbl_bytes){ r.data, r.len };
		wbl_cell_next(&at, &c);
		memcpy(out, c.data, 16);
	}
	wbl_rows_clear(&in);
	wbl_rows_clear(&r);
	return bad ? -1 : 0;
}

/* Several columns are kept apart by the unit separator, so that ("a","bc") and ("ab","c") are two. */
static int joined(const struct data_alter *a, const struct wbl_cell *cells, struct wbl_out *o,
	const char **why)
{
	for (size_t i = 0; i < a->nof; i++) {
		if (cells[a->of[i]].tag == WBL_CELL_NULL) {
			*why = "NULL in a column that its value is made from";
			return -1;
		}
		if (i)
			wbl_out_add(o, "\x1f", 1);
		wbl_cell_show(o, &cells[a->of[i]]);
	}
	return 0;
}

static int sequence(const struct data_table *t, const struct data_alter *a, int64_t position,
	struct wbl_rows *r, const char **why)
{
	int64_t n;

	*why = "a number of the sequence that 64 bits do not hold";
	if (position < 0) {
		*why = "a row without a place in the source has no number";
		return -1;
	}
	if (__builtin_mul_overflow(position, (int64_t)(t->of_parts ? t->of_parts : 1), &n) ||
		__builtin_add_overflow(n, t->part, &n) || __builtin_mul_overflow(n, a->step, &n) ||
		__builtin_add_overflow(n, a->start, &n))
		return -1;
	wbl_cell_int(r, n);
	return 0;
}

int data_generate_cell(const struct data_table *t, const struct data_alter *a,
	const struct wbl_cell *cells, int64_t position, struct wbl_rows *r, const char **why)
{
	struct wbl_out o = { 0 };
	uint8_t out[20];
	char hex[33];

	if (a->generate == GENERATE_SEQUENCE)
		return sequence(t, a, position, r, why);
	if (a->generate == GENERATE_UUID)
		wbl_out_add(&o, a->space, 16);
	if (joined(a, cells, &o, why)) {
		wbl_out_clear(&o);
		return -1;
	}
	if (a->generate == GENERATE_UUID) {
		data_sha1(o.s, o.len, out);
		out[6] = (uint8_t)((out[6] & 0x0f) | 0x50);
		out[8] = (uint8_t)((out[8] & 0x3f) | 0x80);
		wbl_cell_uuid(r, out);
	} else {
		crypto_generichash(out, 16, (const uint8_t *)o.s, o.len, NULL, 0);
		sodium_bin2hex(hex, sizeof hex, out, 16);
		wbl_cell_text(r, hex, 32);
	}
	wbl_out_clear(&o);
	return 0;
}
