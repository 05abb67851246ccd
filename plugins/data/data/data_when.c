/* data_when.c - dates and times read and written in declared formats.
 * In: a format (%Y %m %d ...) and a text.  Out: seconds and nanoseconds of the clock that wrote it; exactly what stands there, or nothing.
 * A new directive is a case in read_one() and in write_one(), and a letter in data_format_check().
 * SPDX-License-Identifier: Apache-2.0 */
#include "data_when.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

static const char *const months[] = { "January", "February", "March", "April", "May", "June",
	"July", "August", "September", "October", "November", "December" };
static const char *const weekdays[] = { "Monday", "Tuesday", "Wednesday", "Thursday", "Friday",
	"Saturday", "Sunday" };

int64_t data_days_of(int64_t y, int m, int d)
{
	int64_t era, yoe, doy;

	y -= m <= 2;
	era = (y >= 0 ? y : y - 399) / 400;
	yoe = y - era * 400;
	doy = (153 * (m + (m > 2 ? -3 : 9)) + 2) / 5 + d - 1;
	return era * 146097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719468;
}

void data_date_of(int64_t days, int64_t *y, int *m, int *d)
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

int data_month_days(int64_t y, int m)
{
	static const int length[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };

	return length[m - 1] + (m == 2 && ((y % 4 == 0 && y % 100 != 0) || y % 400 == 0));
}

static int64_t floor_div(int64_t a, int64_t b)
{
	return a / b - (a % b < 0);
}

int data_time_iso(const char *s, size_t len, struct data_time *ret)
{
	int64_t ns;
	int32_t days;
	int digits;

	memset(ret, 0, sizeof *ret);
	if (!wbl_date_parse(s, len, &days)) {
		ret->secs = (int64_t)days * 86400;
		return 0;
	}
	ret->has_time = 1;
	if (wbl_time_parse(s, len, 0, &ns, &digits)) {
		if (wbl_time_parse(s, len, 1, &ns, &digits))
			return -1;
		ret->has_zone = 1;
	}
	ret->secs = floor_div(ns, 1000000000);
	ret->ns = (int32_t)(ns - ret->secs * 1000000000);
	ret->digits = digits;
	return 0;
}

static int ns_of(const struct data_time *t, int64_t *ret)
{
	int64_t secs = t->secs - (t->has_zone ? t->east : 0);

	return __builtin_mul_overflow(secs, INT64_C(1000000000), ret) ||
			       __builtin_add_overflow(*ret, t->ns, ret)
		       ? -1
		       : 0;
}

int data_time_show(const struct data_time *t, struct wbl_out *o)
{
	char b[40];
	int64_t ns;

	if (!t->has_time) {
		wbl_out_add(o, b, wbl_date_show((int32_t)floor_div(t->secs, 86400), b));
		return 0;
	}
	if (ns_of(t, &ns))
		return -1;
	wbl_out_add(o, b, wbl_time_show(ns, t->digits, t->has_zone, b));
	return 0;
}

int data_time_cell(const struct data_time *t, int32_t type, struct wbl_rows *r, const char **why)
{
	int64_t ns;

	*why = type == WBL_TYPE_INSTANT ? "a time without a zone: say which by `zone`"
	       : type == WBL_TYPE_LOCAL ? "a time with a zone where one without is wanted"
					: "a time of day where only a date is wanted";
	if (type == WBL_TYPE_DATE) {
		if (t->has_zone || t->ns || t->secs % 86400)
			return -1;
		wbl_cell_date(r, (int32_t)(t->secs / 86400));
		return 0;
	}
	if ((type == WBL_TYPE_INSTANT) != t->has_zone)
		return -1;
	if (ns_of(t, &ns)) {
		*why = "a time beyond the years 1678 to 2261";
		return -1;
	}
	wbl_cell_time(
		r, type == WBL_TYPE_INSTANT ? WBL_CELL_INSTANT : WBL_CELL_LOCAL, ns, t->digits);
	return 0;
}

/* ---- formats ---- */

const char *data_format_check(const char *format, int output, int *ret_zone)
{
	int date = 0;

	*ret_zone = 0;
	for (const char *p = format; *p; p++) {
		if (*p != '%')
			continue;
		p++;
		if (*p == '-' && p[1] && strchr("mdHIMSj", p[1]))
			p++;
		if (!*p || !strchr("YymdeHIMSfjbBaApzsTF%", *p))
			return "the directives are %Y %y %m %d %e %j %b %B %a %A %H %I %p %M %S %f "
			       "%z %s %T %F and %%";
		*ret_zone |= *p == 'z' || *p == 's';
		date |= *p == 'Y' || *p == 'y' || *p == 'F' || *p == 's';
	}
	return output || date ? NULL : "a format without a year (%Y, %y, %F or %s)";
}

struct fields {
	int64_t year, epoch;
	int month, day, hour, minute, second, pm, yearday, weekday, has_epoch, has_hour, twelve,
		has_date;
	int32_t ns, digits, east;
	int has_zone;
};
struct reader {
	const char *s, *end;
	struct fields f;
};

static int digits(struct reader *r, int least, int most, int *ret)
{
	int n = 0;

	*ret = 0;
	while (n < most && r->s < r->end && *r->s >= '0' && *r->s <= '9') {
		*ret = *ret * 10 + (*r->s++ - '0');
		n++;
	}
	return n >= least ? 0 : -1;
}

static int one_of(struct reader *r, const char *const *list, int n, int *ret)
{
	for (int whole = 1; whole >= 0; whole--)
		for (int i = 0; i < n; i++) {
			size_t len = whole ? strlen(list[i]) : 3;

			if ((size_t)(r->end - r->s) >= len && !strncasecmp(r->s, list[i], len)) {
				r->s += len;
				*ret = i + 1;
				return 0;
			}
		}
	return -1;
}

static int fraction(struct reader *r)
{
	int32_t unit = 100000000;

	while (r->f.digits < 9 && r->s < r->end && *r->s >= '0' && *r->s <= '9') {
		r->f.ns += (*r->s++ - '0') * unit;
		unit /= 10;
		r->f.digits++;
	}
	return r->f.digits ? 0 : -1;
}

static int zone(struct reader *r)
{
	int h, m = 0, sign;

	r->f.has_zone = 1;
	if (r->s < r->end && (*r->s == 'Z' || *r->s == 'z')) {
		r->s++;
		return 0;
	}
	if (r->s >= r->end || (*r->s != '+' && *r->s != '-'))
		return -1;
	sign = *r->s++ == '+' ? 1 : -1;
	if (digits(r, 2, 2, &h))
		return -1;
	if (r->s < r->end && *r->s == ':')
		r->s++;
	if (r->s < r->end && *r->s >= '0' && *r->s <= '9' && digits(r, 2, 2, &m))
		return -1;
	r->f.east = sign * (h * 3600 + m * 60);
	return h > 23 || m > 59 ? -1 : 0;
}

static int epoch(struct reader *r)
{
	int minus = r->s < r->end && *r->s == '-', n = 0;

	r->s += minus;
	for (; r->s < r->end && *r->s >= '0' && *r->s <= '9' && n < 12; n++)
		r->f.epoch = r->f.epoch * 10 + (*r->s++ - '0');
	if (minus)
		r->f.epoch = -r->f.epoch;
	r->f.has_epoch = r->f.has_zone = 1;
	return n ? 0 : -1;
}

static int parse(struct reader *r, const char *format);

static int read_one(struct reader *r, char c, int loose)
{
	int least = loose ? 1 : 2, v;

	switch (c) {
	case 'Y':
		r->f.has_date = 1;
		if (digits(r, 4, 4, &v))
			return -1;
		r->f.year = v;
		return 0;
	case 'y':
		r->f.has_date = 1;
		if (digits(r, 2, 2, &v))
			return -1;
		r->f.year = v + (v < 69 ? 2000 : 1900);
		return 0;
	case 'm':
		return digits(r, least, 2, &r->f.month);
	case 'd':
		return digits(r, least, 2, &r->f.day);
	case 'e':
		if (r->s < r->end && *r->s == ' ')
			r->s++;
		return digits(r, 1, 2, &r->f.day);
	case 'j':
		return digits(r, loose ? 1 : 3, 3, &r->f.yearday);
	case 'b':
	case 'B':
		return one_of(r, months, 12, &r->f.month);
	case 'a':
	case 'A':
		return one_of(r, weekdays, 7, &r->f.weekday);
	case 'H':
	case 'I':
		r->f.has_hour = 1;
		r->f.twelve = c == 'I';
		return digits(r, least, 2, &r->f.hour);
	case 'p':
		if (r->end - r->s < 2 || (r->s[1] | 32) != 'm' ||
			((*r->s | 32) != 'a' && (*r->s | 32) != 'p'))
			return -1;
		r->f.pm = (*r->s | 32) == 'p' ? 2 : 1;
		r->s += 2;
		return 0;
	case 'M':
		r->f.has_hour = 1;
		return digits(r, least, 2, &r->f.minute);
	case 'S':
		r->f.has_hour = 1;
		return digits(r, least, 2, &r->f.second);
	case 'f':
		return fraction(r);
	case 'z':
		return zone(r);
	case 's':
		return epoch(r);
	case 'T':
		return parse(r, "%H:%M:%S");
	case 'F':
		return parse(r, "%Y-%m-%d");
	default:
		return r->s < r->end && *r->s == c ? (r->s++, 0) : -1;
	}
}

static int parse(struct reader *r, const char *p)
{
	for (; *p; p++) {
		int loose = 0;

		if (*p != '%') {
			if (r->s >= r->end || *r->s++ != *p)
				return -1;
			continue;
		}
		if (*++p == '-') {
			loose = 1;
			p++;
		}
		if (!*p || read_one(r, *p, loose))
			return -1;
	}
	return 0;
}

static int date_secs(struct fields *f, int64_t *ret)
{
	int64_t days;

	if (f->yearday) {
		days = data_days_of(f->year, 1, 1) + f->yearday - 1;
		if (f->month || f->day || f->yearday > 365 + (data_month_days(f->year, 2) == 29))
			return -1;
	} else {
		f->month = f->month ? f->month : 1;
		f->day = f->day ? f->day : 1;
		if (f->month > 12 || f->day > data_month_days(f->year, f->month))
			return -1;
		days = data_days_of(f->year, f->month, f->day);
	}
	if (f->weekday && ((days + 3) % 7 + 7) % 7 + 1 != f->weekday)
		return -1;
	*ret = days * 86400;
	return 0;
}

/* A month or day of 0 is none at all, not one that was left out. */
static int zeroes(const char *format, const struct fields *f)
{
	for (const char *p = format; *p; p++)
		if (*p == '%' && *++p) {
			p += *p == '-';
			if ((strchr("mbBF", *p) && !f->month) || (strchr("deF", *p) && !f->day) ||
				(*p == 'j' && !f->yearday))
				return 1;
		}
	return 0;
}

int data_format_parse(const char *format, const char *s, size_t len, struct data_time *ret)
{
	struct reader r = { .s = s, .end = s + len };
	struct fields *f = &r.f;

	if (parse(&r, format) || r.s != r.end || zeroes(format, f))
		return -1;
	if (f->twelve || f->pm) {
		if (f->hour < 1 || f->hour > 12 || !f->pm || !f->twelve)
			return -1;
		f->hour = f->hour % 12 + (f->pm == 2 ? 12 : 0);
	}
	if (f->hour > 23 || f->minute > 59 || f->second > 59 || (!f->has_date && !f->has_epoch))
		return -1;
	memset(ret, 0, sizeof *ret);
	if (f->has_epoch)
		ret->secs = f->epoch;
	else if (date_secs(f, &ret->secs))
		return -1;
	ret->secs += f->hour * 3600 + f->minute * 60 + f->second;
	ret->ns = f->ns;
	ret->digits = f->digits;
	ret->has_zone = f->has_zone;
	ret->has_time = f->has_hour || f->has_epoch || f->has_zone || f->digits;
	ret->east = f->has_epoch ? 0 : f->east;
	return 0;
}

static void write_one(struct wbl_out *o, char c, int loose, const struct data_time *t)
{
	int64_t days = floor_div(t->secs, 86400), y;
	int in_day = (int)(t->secs - days * 86400), m, d, hour = in_day / 3600, w = loose ? 1 : 2;
	int weekday = (int)(((days + 3) % 7 + 7) % 7), twelve = hour % 12 ? hour % 12 : 12;
	char frac[16];

	data_date_of(days, &y, &m, &d);
	switch (c) {
	case 'Y':
		wbl_out_fmt(o, "%04" PRId64, y);
		return;
	case 'y':
		wbl_out_fmt(o, "%02d", (int)(y % 100));
		return;
	case 'm':
		wbl_out_fmt(o, "%0*d", w, m);
		return;
	case 'd':
		wbl_out_fmt(o, "%0*d", w, d);
		return;
	case 'e':
		wbl_out_fmt(o, "%2d", d);
		return;
	case 'j':
		wbl_out_fmt(o, "%0*d", loose ? 1 : 3, (int)(days - data_days_of(y, 1, 1)) + 1);
		return;
	case 'b':
		wbl_out_fmt(o, "%.3s", months[m - 1]);
		return;
	case 'B':
		wbl_out_fmt(o, "%s", months[m - 1]);
		return;
	case 'a':
		wbl_out_fmt(o, "%.3s", weekdays[weekday]);
		return;
	case 'A':
		wbl_out_fmt(o, "%s", weekdays[weekday]);
		return;
	case 'H':
		wbl_out_fmt(o, "%0*d", w, hour);
		return;
	case 'I':
		wbl_out_fmt(o, "%0*d", w, twelve);
		return;
	case 'p':
		wbl_out_fmt(o, hour < 12 ? "AM" : "PM");
		return;
	case 'M':
		wbl_out_fmt(o, "%0*d", w, in_day / 60 % 60);
		return;
	case 'S':
		wbl_out_fmt(o, "%0*d", w, in_day % 60);
		return;
	case 'f':
		snprintf(frac, sizeof frac, "%09d", t->ns);
		wbl_out_fmt(o, "%.*s", t->digits ? t->digits : 1, frac);
		return;
	case 'z':
		wbl_out_fmt(o, "%c%02d:%02d", t->east < 0 ? '-' : '+',
			(t->east < 0 ? -t->east : t->east) / 3600,
			(t->east < 0 ? -t->east : t->east) / 60 % 60);
		return;
	case 's':
		wbl_out_fmt(o, "%" PRId64, t->secs - t->east);
		return;
	default:
		wbl_out_add(o, &c, 1);
	}
}

void data_format_show(const char *format, const struct data_time *t, struct wbl_out *o)
{
	for (const char *p = format; *p; p++) {
		int loose = 0;

		if (*p != '%') {
			wbl_out_add(o, p, 1);
			continue;
		}
		if (*++p == '-') {
			loose = 1;
			p++;
		}
		if (*p == 'T')
			data_format_show("%H:%M:%S", t, o);
		else if (*p == 'F')
			data_format_show("%Y-%m-%d", t, o);
		else if (*p)
			write_one(o, *p, loose, t);
		else
			return;
	}
}
