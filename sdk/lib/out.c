/* sdk/lib/out.c - a growing text, and JSON written into it.
 * In: pieces.  Out: one NUL-terminated text.
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include <whimbrel/sdk.h>

static void no_memory(void)
{
	fputs("out of memory\n", stderr);
	abort();
}

void *wbl_sdk_alloc(size_t n)
{
	void *p = calloc(1, n ? n : 1);

	if (!p)
		no_memory();
	return p;
}

void *wbl_sdk_grow(void *p, size_t n)
{
	p = realloc(p, n ? n : 1);
	if (!p)
		no_memory();
	return p;
}

char *wbl_sdk_strdup(const char *s)
{
	size_t n = strlen(s) + 1;

	return memcpy(wbl_sdk_alloc(n), s, n);
}

void wbl_out_clear(struct wbl_out *o)
{
	free(o->s);
	*o = (struct wbl_out){ 0 };
}

void wbl_out_reset(struct wbl_out *o)
{
	o->len = 0;
	o->comma = 0;
	wbl_out_add(o, "", 0);
}

void wbl_out_add(struct wbl_out *o, const void *data, size_t len)
{
	if (o->cap - o->len <= len) {
		o->cap = (o->cap + len + 64) * 2;
		o->s = wbl_sdk_grow(o->s, o->cap);
	}
	if (len)
		memcpy(o->s + o->len, data, len);
	o->len += len;
	o->s[o->len] = 0;
}

void wbl_out_fmt(struct wbl_out *o, const char *fmt, ...)
{
	char small[512], *big = NULL;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(small, sizeof small, fmt, ap);
	va_end(ap);
	if (n < 0)
		return;
	if ((size_t)n < sizeof small) {
		wbl_out_add(o, small, (size_t)n);
		return;
	}
	big = wbl_sdk_alloc((size_t)n + 1);
	va_start(ap, fmt);
	vsnprintf(big, (size_t)n + 1, fmt, ap);
	va_end(ap);
	wbl_out_add(o, big, (size_t)n);
	free(big);
}

/* Length of the UTF-8 sequence at s, 0 when it is none. */
static size_t sequence(const uint8_t *s, size_t left)
{
	uint32_t c;
	size_t n;

	if (s[0] < 0x80)
		return 1;
	n = s[0] >= 0xf0 ? 4 : s[0] >= 0xe0 ? 3 : 2;
	if (s[0] < 0xc2 || s[0] > 0xf4 || left < n)
		return 0;
	c = s[0] & (0x7fu >> n);
	for (size_t i = 1; i < n; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 0;
		c = c << 6 | (s[i] & 0x3f);
	}
	if (n == 3 && (c < 0x800 || (c >= 0xd800 && c <= 0xdfff)))
		return 0;
	if (n == 4 && (c < 0x10000 || c > 0x10ffff))
		return 0;
	return n;
}

static int eight_plain(const uint8_t *s)
{
	uint64_t w;

	memcpy(&w, s, 8);
	return !((w | ((w - UINT64_C(0x0101010101010101)) & ~w)) & UINT64_C(0x8080808080808080));
}

/* Most text is ASCII and short: no high bit, no zero byte; the last step overlaps the one before. */
static int plain(const uint8_t *s, size_t len)
{
	size_t i = 0;

	if (len < 8) {
		while (i < len && s[i] && s[i] < 0x80)
			i++;
		return i == len;
	}
#ifdef __SSE2__
	for (; len - i >= 16; i += 16) {
		__m128i v = _mm_loadu_si128((const __m128i *)(const void *)(s + i));

		if (_mm_movemask_epi8(_mm_or_si128(v, _mm_cmpeq_epi8(v, _mm_setzero_si128()))))
			return 0;
	}
#endif
	for (; len - i >= 8; i += 8)
		if (!eight_plain(s + i))
			return 0;
	return i == len || eight_plain(s + len - 8);
}

int wbl_utf8_ok(const void *data, size_t len)
{
	const uint8_t *s = data;
	size_t i = 0, n;
	uint64_t w;

	if (plain(s, len))
		return 1;

	while (i < len) {
		/* Eight plain characters at once: no high bit, no zero byte. */
		while (len - i >= 8) {
			memcpy(&w, s + i, 8);
			if ((w & UINT64_C(0x8080808080808080)) ||
				((w - UINT64_C(0x0101010101010101)) & ~w &
					UINT64_C(0x8080808080808080)))
				break;
			i += 8;
		}
		if (i == len)
			break;
		n = s[i] ? sequence(s + i, len - i) : 0;
		if (!n)
			return 0;
		i += n;
	}
	return 1;
}

static void quoted(struct wbl_out *o, const uint8_t *s, size_t len)
{
	size_t from = 0, n;

	wbl_out_add(o, "\"", 1);
	for (size_t i = 0; i < len; i += n ? n : 1) {
		n = sequence(s + i, len - i);
		if (n && s[i] >= 0x20 && s[i] != '"' && s[i] != '\\')
			continue;
		wbl_out_add(o, s + from, i - from);
		from = i + 1;
		if (!n)
			wbl_out_add(o, "\xef\xbf\xbd", 3);
		else if (s[i] < 0x20)
			wbl_out_fmt(o, "\\u%04x", s[i]);
		else
			wbl_out_fmt(o, "\\%c", s[i]);
	}
	wbl_out_add(o, s + from, len - from);
	wbl_out_add(o, "\"", 1);
}

static void before(struct wbl_out *o, const char *key)
{
	if (o->comma)
		wbl_out_add(o, ",", 1);
	o->comma = 1;
	if (key) {
		quoted(o, (const uint8_t *)key, strlen(key));
		wbl_out_add(o, ":", 1);
	}
}

void wbl_out_open(struct wbl_out *o, const char *key, char bracket)
{
	before(o, key);
	wbl_out_add(o, &bracket, 1);
	o->comma = 0;
}

void wbl_out_close(struct wbl_out *o, char bracket)
{
	wbl_out_add(o, &bracket, 1);
	o->comma = 1;
}

void wbl_out_text(struct wbl_out *o, const char *key, const char *s)
{
	if (s)
		wbl_out_textn(o, key, s, strlen(s));
	else
		wbl_out_json(o, key, "null");
}

void wbl_out_textn(struct wbl_out *o, const char *key, const char *s, size_t len)
{
	before(o, key);
	quoted(o, (const uint8_t *)s, len);
}

void wbl_out_int(struct wbl_out *o, const char *key, int64_t n)
{
	before(o, key);
	wbl_out_fmt(o, "%lld", (long long)n);
}

void wbl_out_bool(struct wbl_out *o, const char *key, int yes)
{
	wbl_out_json(o, key, yes ? "true" : "false");
}

void wbl_out_hex(struct wbl_out *o, const char *key, const void *data, size_t len)
{
	before(o, key);
	wbl_out_add(o, "\"", 1);
	for (size_t i = 0; i < len; i++)
		wbl_out_fmt(o, "%02x", ((const uint8_t *)data)[i]);
	wbl_out_add(o, "\"", 1);
}

void wbl_out_json(struct wbl_out *o, const char *key, const char *json)
{
	before(o, key);
	wbl_out_add(o, json, strlen(json));
}
