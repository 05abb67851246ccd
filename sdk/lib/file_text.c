/* sdk/lib/file_text.c - bytes and numbers as text in files of records: hex, base64, reals.
 * SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <whimbrel/sdk_files.h>

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void wbl_base64_write(struct wbl_out *o, const void *data, size_t n)
{
	const uint8_t *p = data;

	for (size_t i = 0; i < n; i += 3) {
		uint32_t v = (uint32_t)p[i] << 16 | (uint32_t)(i + 1 < n ? p[i + 1] : 0) << 8 |
			     (i + 2 < n ? p[i + 2] : 0);
		char four[4] = { digits[v >> 18], digits[v >> 12 & 63], digits[v >> 6 & 63],
			digits[v & 63] };

		memset(four + (n - i >= 3 ? 4 : n - i + 1), '=', n - i >= 3 ? 0 : 3 - (n - i));
		wbl_out_add(o, four, 4);
	}
}

static int digit(char c)
{
	const char *at = c ? strchr(digits, c) : NULL;

	return at ? (int)(at - digits) : -1;
}

/* Bits that stand for nothing must be zero: one value has one text. */
int wbl_base64_read(struct wbl_out *o, const char *s, size_t len)
{
	size_t pad = len >= 4 && s[len - 1] == '=' ? 1 + (s[len - 2] == '=') : 0;

	if (len % 4)
		return -1;
	for (size_t i = 0; i < len; i += 4) {
		size_t missing = i + 4 == len ? pad : 0;
		uint32_t v = 0;
		char three[3];

		for (size_t k = 0; k < 4; k++) {
			int d = k < 4 - missing ? digit(s[i + k]) : 0;

			if (d < 0)
				return -1;
			v = v << 6 | (uint32_t)d;
		}
		if (v & ((1u << 8 * missing) - 1))
			return -1;
		three[0] = (char)(v >> 16);
		three[1] = (char)(v >> 8);
		three[2] = (char)v;
		wbl_out_add(o, three, 3 - missing);
	}
	return 0;
}

void wbl_hex_write(struct wbl_out *o, const void *data, size_t n)
{
	static const char hex[] = "0123456789abcdef";
	const uint8_t *p = data;

	for (size_t i = 0; i < n; i++) {
		char two[2] = { hex[p[i] >> 4], hex[p[i] & 15] };

		wbl_out_add(o, two, 2);
	}
}

static int nibble(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 32;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

int wbl_hex_read(struct wbl_out *o, const char *s, size_t len)
{
	if (len % 2)
		return -1;
	for (size_t i = 0; i < len; i += 2) {
		int high = nibble(s[i]), low = nibble(s[i + 1]);
		char byte = (char)((unsigned)high << 4 | (unsigned)low);

		if (high < 0 || low < 0)
			return -1;
		wbl_out_add(o, &byte, 1);
	}
	return 0;
}

size_t wbl_real_show(const struct wbl_cell *c, char out[40])
{
	double d = wbl_cell_get_real(c);
	int narrow = c->tag == WBL_CELL_REAL32, n = 0;

	/* Seventeen digits are always enough, of a binary32 too: it is a binary64 with zeros behind. */
	for (int p = narrow ? 6 : 15; p <= 17; p++) {
		double back;

		n = snprintf(out, 40, "%.*g", p, d);
		back = strtod(out, NULL);
		if (narrow ? (float)back == (float)d : back == d)
			break;
	}
	return (size_t)n;
}
