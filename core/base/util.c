/* base/util.c - memory, growing buffers, time, text, ids.
 * SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "core/base/util.h"

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

static void no_memory(void)
{
	fputs("whimbrel: out of memory\n", stderr);
	abort();
}

void *wbl_alloc(size_t n)
{
	void *p = calloc(1, n ? n : 1);

	if (!p)
		no_memory();
	return p;
}

void *wbl_realloc(void *p, size_t n)
{
	p = realloc(p, n ? n : 1);
	if (!p)
		no_memory();
	return p;
}

char *wbl_strdup(const char *s)
{
	return s ? wbl_strndup(s, strlen(s)) : NULL;
}

char *wbl_strndup(const char *s, size_t n)
{
	char *p = wbl_alloc(n + 1);

	memcpy(p, s, n);
	return p;
}

char *wbl_strf(const char *fmt, ...)
{
	va_list ap;
	char *p;

	va_start(ap, fmt);
	if (vasprintf(&p, fmt, ap) < 0)
		no_memory();
	va_end(ap);
	return p;
}

void wbl_freep(void *p)
{
	free(*(void **)p);
}

void *wbl_grow(void *array, size_t count, size_t n)
{
	if (count & (count - 1))
		return array;
	return wbl_realloc(array, (count ? 2 * count : 1) * n);
}

static void reserve(struct wbl_buf *b, size_t more)
{
	size_t need = b->len + more + 1;

	if (need <= b->cap)
		return;
	b->cap = need < 64 ? 64 : need + need / 2;
	b->data = wbl_realloc(b->data, b->cap);
}

void wbl_buf_add(struct wbl_buf *b, const void *data, size_t len)
{
	reserve(b, len);
	if (len)
		memcpy(b->data + b->len, data, len);
	b->len += len;
	b->data[b->len] = '\0';
}

void wbl_buf_adds(struct wbl_buf *b, const char *s)
{
	wbl_buf_add(b, s, strlen(s));
}

void wbl_buf_addf(struct wbl_buf *b, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	if (n < 0)
		return;
	reserve(b, (size_t)n);
	va_start(ap, fmt);
	vsnprintf(b->data + b->len, (size_t)n + 1, fmt, ap);
	va_end(ap);
	b->len += (size_t)n;
}

void wbl_buf_quote(struct wbl_buf *b, const char *s)
{
	wbl_buf_adds(b, "\"");
	for (; *s; s++)
		if (*s == '"' || *s == '\\')
			wbl_buf_addf(b, "\\%c", *s);
		else if ((unsigned char)*s < ' ')
			wbl_buf_addf(b, "\\x%02x", (unsigned char)*s);
		else
			wbl_buf_add(b, s, 1);
	wbl_buf_adds(b, "\"");
}

void wbl_buf_clear(struct wbl_buf *b)
{
	free(b->data);
	*b = (struct wbl_buf){ 0 };
}

char *wbl_buf_take(struct wbl_buf *b)
{
	char *p = b->data ? b->data : wbl_strdup("");

	*b = (struct wbl_buf){ 0 };
	return p;
}

static int64_t now(clockid_t which)
{
	struct timespec ts;

	clock_gettime(which, &ts);
	return (int64_t)ts.tv_sec * INT64_C(1000000000) + ts.tv_nsec;
}

int64_t wbl_now_real(void)
{
	return now(CLOCK_REALTIME);
}

int64_t wbl_now_mono(void)
{
	return now(CLOCK_MONOTONIC);
}

void wbl_time_text(int64_t ns, char out[32])
{
	time_t sec = (time_t)(ns / 1000000000);
	int ms = (int)(ns % 1000000000 / 1000000);
	struct tm tm;
	size_t n;

	gmtime_r(&sec, &tm);
	n = strftime(out, 32, "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(out + n, 32 - n, ".%03dZ", ms < 0 ? 0 : ms);
}

static bool parse_scaled(
	const char *s, const char *const *units, const uint64_t *factors, uint64_t *ret)
{
	unsigned long long n;
	char *end;

	if (!isdigit((unsigned char)*s))
		return false;
	errno = 0;
	n = strtoull(s, &end, 10);
	if (errno)
		return false;
	while (*end == ' ')
		end++;
	for (; *units; units++, factors++)
		if (!strcmp(end, *units)) {
			if (__builtin_mul_overflow((uint64_t)n, *factors, ret))
				return false;
			return true;
		}
	return false;
}

bool wbl_duration_parse(const char *s, int64_t *ret_ns)
{
	static const char *const units[] = { "", "ns", "us", "ms", "s", "m", "min", "h", "d",
		NULL };
	static const uint64_t factors[] = { 1000000000, 1, 1000, 1000000, 1000000000, 60000000000,
		60000000000, 3600000000000, 86400000000000 };
	uint64_t n;

	if (!parse_scaled(s, units, factors, &n) || n > INT64_MAX)
		return false;
	*ret_ns = (int64_t)n;
	return true;
}

void wbl_duration_text(int64_t ns, char out[24])
{
	int64_t s = ns / 1000000000;

	if (ns < 1000000)
		snprintf(out, 24, "<1 ms");
	else if (s < 1)
		snprintf(out, 24, "%d ms", (int)(ns / 1000000));
	else if (s < 60)
		snprintf(out, 24, "%d.%d s", (int)s, (int)(ns % 1000000000 / 100000000));
	else if (s < 3600)
		snprintf(out, 24, "%dm %02ds", (int)(s / 60), (int)(s % 60));
	else if (s < 86400)
		snprintf(out, 24, "%dh %02dm", (int)(s / 3600), (int)(s % 3600 / 60));
	else
		snprintf(out, 24, "%lldd %02dh", (long long)(s / 86400), (int)(s % 86400 / 3600));
}

bool wbl_size_parse(const char *s, uint64_t *ret)
{
	static const char *const units[] = { "", "B", "K", "KiB", "M", "MiB", "G", "GiB", "T",
		"TiB", NULL };
	static const uint64_t factors[] = { 1, 1, 1 << 10, 1 << 10, 1 << 20, 1 << 20, 1 << 30,
		1 << 30, UINT64_C(1) << 40, UINT64_C(1) << 40 };

	return parse_scaled(s, units, factors, ret);
}

void wbl_size_text(uint64_t bytes, char out[24])
{
	static const char *const units[] = { "kB", "MB", "GB", "TB", "PB" };
	double x = (double)bytes / 1000;
	size_t i = 0;

	if (bytes < 1000) {
		snprintf(out, 24, "%u B", (unsigned)bytes);
		return;
	}
	for (; x >= 1000 && i + 1 < WBL_COUNT(units); i++)
		x /= 1000;
	snprintf(out, 24, x < 10 ? "%.1f %s" : "%.0f %s", x, units[i]);
}

void wbl_count_text(uint64_t n, char out[32])
{
	char digits[24];
	int len = snprintf(digits, sizeof digits, "%llu", (unsigned long long)n), i, o = 0;

	for (i = 0; i < len; i++) {
		if (i && (len - i) % 3 == 0)
			out[o++] = ',';
		out[o++] = digits[i];
	}
	out[o] = '\0';
}

bool wbl_utf8_valid(const char *s, size_t len)
{
	const unsigned char *p = (const unsigned char *)s, *end = p + len;

	while (p < end) {
		unsigned char c = *p++;
		uint32_t cp, least;
		int more;

		if (c < 0x80)
			continue;
		if (c < 0xc2 || c > 0xf4)
			return false;
		more = c < 0xe0 ? 1 : c < 0xf0 ? 2 : 3;
		least = more == 1 ? 0x80 : more == 2 ? 0x800 : 0x10000;
		cp = c & (0x3f >> more);
		while (more--) {
			if (p == end || (*p & 0xc0) != 0x80)
				return false;
			cp = cp << 6 | (*p++ & 0x3f);
		}
		if (cp < least || cp > 0x10ffff || (cp >= 0xd800 && cp < 0xe000))
			return false;
	}
	return true;
}

static size_t distance(const char *a, const char *b)
{
	size_t la = strlen(a), lb = strlen(b), row[65], i, j;

	if (la > 64 || lb > 64)
		return SIZE_MAX;
	for (j = 0; j <= lb; j++)
		row[j] = j;
	for (i = 1; i <= la; i++) {
		size_t diag = row[0];

		row[0] = i;
		for (j = 1; j <= lb; j++) {
			size_t best = diag + (tolower((unsigned char)a[i - 1]) !=
						     tolower((unsigned char)b[j - 1]));

			diag = row[j];
			if (row[j] + 1 < best)
				best = row[j] + 1;
			if (row[j - 1] + 1 < best)
				best = row[j - 1] + 1;
			row[j] = best;
		}
	}
	return row[lb];
}

const char *wbl_nearest(const char *name, const char *const *list)
{
	size_t best = strlen(name) / 3 + 1;
	const char *found = NULL;

	for (; *list; list++) {
		size_t d = distance(name, *list);

		if (d <= best && (!found || d < best)) {
			best = d;
			found = *list;
		}
	}
	return found;
}

bool wbl_name_valid(const char *s)
{
	size_t i;

	if (*s < 'a' || *s > 'z')
		return false;
	for (i = 1; s[i]; i++)
		if (i == 32 || !((s[i] >= 'a' && s[i] <= 'z') || (s[i] >= '0' && s[i] <= '9') ||
				       s[i] == '_'))
			return false;
	return true;
}

void wbl_uuid(char out[37])
{
	unsigned char r[16];

	while (getrandom(r, sizeof r, 0) != (ssize_t)sizeof r)
		;
	r[6] = (r[6] & 0x0f) | 0x40;
	r[8] = (r[8] & 0x3f) | 0x80;
	snprintf(out, 37, "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x",
		r[0], r[1], r[2], r[3], r[4], r[5], r[6], r[7], r[8], r[9], r[10], r[11], r[12],
		r[13], r[14], r[15]);
}
