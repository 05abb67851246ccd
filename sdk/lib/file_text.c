/* sdk/lib/file_text.c - bytes and numbers as text in files of records: hex, reals.
 * SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <whimbrel/sdk_files.h>

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
