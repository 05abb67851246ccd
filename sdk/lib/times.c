/* sdk/lib/times.c - dates, times and decimals as text, without the C library's clock, locale or floating point.
 * In: ISO 8601 and plain decimal notation.  Out: numbers, and the one canonical text back.
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include <whimbrel/sdk.h>

/* Days since 1970-01-01 of a proleptic Gregorian date; years begin in March so that leap days come last. */
static int64_t days_of(int64_t y, int m, int d)
{
	int64_t era;
	int64_t yoe, doy;

	y -= m <= 2;
	era = (y >= 0 ? y : y - 399) / 400;
	yoe = y - era * 400;
	doy = (153 * (m + (m > 2 ? -3 : 9)) + 2) / 5 + d - 1;
	return era * 146097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719468;
}

static void date_of(int64_t days, int64_t *y, int *m, int *d)
{
	int64_t era, doe, yoe, doy, mp;

	days += 719468;
	era = (days >= 0 ? days : days - 146096) / 146097;
	doe = days - era * 146097;
	yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
	doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
	mp = (5 * doy + 2) / 153;
	*d = (int)(doy - (153 * mp + 2) / 5 + 1);
	*m = (int)(mp < 10 ? mp + 3 : mp - 9);
	*y = yoe + era * 400 + (*m <= 2);
}

static int number(const char **s, const char *end, int n, int *ret)
{
	int v = 0;

	if (end - *s < n)
		return -1;
	while (n--) {
		if (**s < '0' || **s > '9')
			return -1;
		v = v * 10 + (*(*s)++ - '0');
	}
	*ret = v;
	return 0;
}

static int literal(const char **s, const char *end, char c)
{
	if (*s >= end || **s != c)
		return -1;
	(*s)++;
	return 0;
}

static int date(const char **s, const char *end, int64_t *ret)
{
	static const int length[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
	int y, m, d, leap;

	if (number(s, end, 4, &y) || literal(s, end, '-') || number(s, end, 2, &m) ||
		literal(s, end, '-') || number(s, end, 2, &d))
		return -1;
	leap = (y % 4 == 0 && y % 100 != 0) || y % 400 == 0;
	if (m < 1 || m > 12 || d < 1 || d > length[m - 1] + (m == 2 && leap))
		return -1;
	*ret = days_of(y, m, d);
	return 0;
}

int wbl_date_parse(const char *s, size_t len, int32_t *ret_days)
{
	const char *end = s + len;
	int64_t days;

	if (date(&s, end, &days) || s != end)
		return -1;
	*ret_days = (int32_t)days;
	return 0;
}

static int fraction(const char **s, const char *end, int64_t *ns, int *digits)
{
	int64_t unit = 100000000;

	*ns = 0;
	*digits = 0;
	if (*s >= end || **s != '.')
		return 0;
	for ((*s)++; *s < end && **s >= '0' && **s <= '9'; (*s)++, unit /= 10) {
		if (*digits == 9)
			return -1;
		*ns += (**s - '0') * unit;
		(*digits)++;
	}
	return *digits ? 0 : -1;
}

/* Z, +02:00, -0530 or +02, in seconds. */
static int offset(const char **s, const char *end, int64_t *ret)
{
	int sign, h, m = 0;

	*ret = 0;
	if (*s < end && (**s | 32) == 'z') {
		(*s)++;
		return 0;
	}
	if (*s >= end || (**s != '+' && **s != '-'))
		return -1;
	sign = *(*s)++ == '+' ? 1 : -1;
	if (number(s, end, 2, &h))
		return -1;
	if (*s < end) {
		if (**s == ':')
			(*s)++;
		if (number(s, end, 2, &m))
			return -1;
	}
	if (h > 23 || m > 59)
		return -1;
	*ret = sign * (h * 3600 + m * 60);
	return 0;
}

int wbl_time_parse(const char *s, size_t len, int zone, int64_t *ret_ns, int *ret_digits)
{
	const char *end = s + len;
	int64_t days, ns, east = 0, secs;
	int h, m, sec = 0, digits = 0;

	ns = 0;
	if (date(&s, end, &days) || s >= end || (*s != 'T' && *s != 't' && *s != ' '))
		return -1;
	s++;
	if (number(&s, end, 2, &h) || literal(&s, end, ':') || number(&s, end, 2, &m))
		return -1;
	if (s < end && *s == ':' &&
		(s++, number(&s, end, 2, &sec) || fraction(&s, end, &ns, &digits)))
		return -1;
	if (zone && offset(&s, end, &east))
		return -1;
	if (s != end || h > 23 || m > 59 || sec > 59)
		return -1;
	secs = days * 86400 + h * 3600 + m * 60 + sec - east;
	if (__builtin_mul_overflow(secs, INT64_C(1000000000), &secs) ||
		__builtin_add_overflow(secs, ns, ret_ns))
		return -1;
	*ret_digits = digits;
	return 0;
}

size_t wbl_date_show(int32_t days, char out[16])
{
	int64_t y;
	int m, d;

	date_of(days, &y, &m, &d);
	return (size_t)snprintf(out, 16, "%04lld-%02d-%02d", (long long)y % 100000000, m, d);
}

size_t wbl_time_show(int64_t ns, int digits, int zone, char out[40])
{
	int64_t secs = ns / 1000000000, rest = ns % 1000000000, days, in_day, y;
	int m, d, n;
	char frac[16];

	if (rest < 0) {
		rest += 1000000000;
		secs--;
	}
	days = secs / 86400;
	in_day = secs % 86400;
	if (in_day < 0) {
		in_day += 86400;
		days--;
	}
	date_of(days, &y, &m, &d);
	n = snprintf(out, 40, "%04d-%02d-%02dT%02d:%02d:%02d", (int)y, m, d, (int)(in_day / 3600),
		(int)(in_day / 60 % 60), (int)(in_day % 60));
	snprintf(frac, sizeof frac, ".%09lld", (long long)rest);
	if (digits > 0 && digits <= 9)
		n += snprintf(out + n, 40 - (size_t)n, "%.*s", digits + 1, frac);
	if (zone)
		n += snprintf(out + n, 40 - (size_t)n, "Z");
	return (size_t)n;
}

int wbl_decimal_canon(const char *s, size_t len, char out[512], size_t *ret_len)
{
	const char *end = s + len, *digits, *point = NULL, *last;
	size_t n = 0;
	int minus = 0;

	if (s < end && (*s == '-' || *s == '+'))
		minus = *s++ == '-';
	digits = s;
	for (; s < end; s++) {
		if (*s == '.' && !point)
			point = s;
		else if (*s < '0' || *s > '9')
			return -1;
	}
	if (end - digits == (point != NULL) || end - digits > 400)
		return -1;
	last = end;
	while (point && last > point && (last[-1] == '0' || last[-1] == '.'))
		if (*--last == '.')
			break;
	while (digits < (point ? point : end) && *digits == '0')
		digits++;
	if (minus)
		out[n++] = '-';
	if (digits >= last || *digits == '.')
		out[n++] = '0';
	if (digits < last) {
		memcpy(out + n, digits, (size_t)(last - digits));
		n += (size_t)(last - digits);
	}
	if (n == 2 && minus && out[1] == '0') {
		out[0] = '0';
		n = 1;
	}
	out[n] = 0;
	*ret_len = n;
	return 0;
}
