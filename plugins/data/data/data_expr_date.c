/* data_expr_date.c - dates and times in expressions: ISO texts in and out, never the clock of the machine.
 * In: `2026-11-21`, `2026-11-21T13:14:15.5`, the same with Z or an offset.  Out: the same kind, with its digits.
 * SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "data_expr.h"
#include "data_when.h"

static int time_of(sqlite3_context *ctx, sqlite3_value *v, struct data_time *ret)
{
	const char *s =
		sqlite3_value_type(v) == SQLITE_TEXT ? (const char *)sqlite3_value_text(v) : NULL;

	if (s && !data_time_iso(s, (size_t)sqlite3_value_bytes(v), ret))
		return 0;
	data_fn_refuse(ctx,
		"no date or time as 2026-11-21T13:14:15 where one should stand; use date_parse");
	return -1;
}

static void give(sqlite3_context *ctx, const struct data_time *t)
{
	struct wbl_out o = { 0 };

	if (data_time_show(t, &o))
		data_fn_refuse(ctx, "a time beyond the years 1678 to 2261");
	else
		data_fn_text(ctx, o.s, o.len);
	wbl_out_clear(&o);
}

static const struct unit {
	const char *name;
	int64_t secs; /* 0: months */
	int months;
} units[] = { { "second", 1, 0 }, { "minute", 60, 0 }, { "hour", 3600, 0 }, { "day", 86400, 0 },
	{ "week", 604800, 0 }, { "month", 0, 1 }, { "year", 0, 12 } };

static const struct unit *unit_of(sqlite3_context *ctx, sqlite3_value *v)
{
	const char *s = (const char *)sqlite3_value_text(v);
	size_t n = s ? strlen(s) : 0;

	for (size_t i = 0; i < sizeof units / sizeof *units; i++)
		if (n >= strlen(units[i].name) && n <= strlen(units[i].name) + 1 &&
			!strncmp(s, units[i].name, strlen(units[i].name)) &&
			(!s[strlen(units[i].name)] || s[n - 1] == 's'))
			return &units[i];
	data_fn_refuse(ctx, "the unit is one of second, minute, hour, day, week, month, year");
	return NULL;
}

static int64_t day_number(int64_t secs)
{
	return secs / 86400 - (secs % 86400 < 0);
}

/* The last day of a shorter month stands for those it has not. */
static int add_months(struct data_time *t, int64_t n)
{
	int64_t days = day_number(t->secs), in_day = t->secs - days * 86400, y;
	int m, d, length;

	if (n > 120000 || n < -120000)
		return -1;
	data_date_of(days, &y, &m, &d);
	n += y * 12 + m - 1;
	y = n / 12 - (n % 12 < 0);
	m = (int)(n - y * 12) + 1;
	length = data_month_days(y, m);
	t->secs = data_days_of(y, m, d < length ? d : length) * 86400 + in_day;
	return y < 1 || y > 9999 ? -1 : 0;
}

static void date_add(sqlite3_context *ctx, int n, sqlite3_value **v)
{
	const struct unit *u;
	struct data_time t;
	int64_t by;
	int bad;

	if (data_fn_null(ctx, 3, v) || time_of(ctx, v[0], &t) || !(u = unit_of(ctx, v[2])))
		return;
	by = sqlite3_value_int64(v[1]);
	if (sqlite3_value_type(v[1]) != SQLITE_INTEGER ||
		(u->secs && !t.has_time && u->secs < 86400)) {
		data_fn_refuse(ctx, "date_add takes a whole number, and a date knows no hours");
		return;
	}
	if (!u->secs)
		bad = __builtin_mul_overflow(by, u->months, &by) || add_months(&t, by);
	else
		bad = __builtin_mul_overflow(by, u->secs, &by) ||
		      __builtin_add_overflow(t.secs, by, &t.secs) ||
		      t.secs > INT64_C(253402300799) || t.secs < INT64_C(-62135596800);
	if (bad)
		data_fn_refuse(ctx, "the date is beyond the years 1 to 9999");
	else
		give(ctx, &t);
}

/* Whole months from b to a. */
static int64_t months_between(const struct data_time *a, const struct data_time *b)
{
	int64_t y, z, n;
	int m, d, k, e;
	struct data_time t = *b;

	data_date_of(day_number(a->secs), &y, &m, &d);
	data_date_of(day_number(b->secs), &z, &k, &e);
	n = (y - z) * 12 + m - k;
	add_months(&t, n);
	if (n > 0 && (t.secs > a->secs || (t.secs == a->secs && t.ns > a->ns)))
		n--;
	else if (n < 0 && (t.secs < a->secs || (t.secs == a->secs && t.ns < a->ns)))
		n++;
	return n;
}

static int same_kind(
	sqlite3_context *ctx, sqlite3_value **v, struct data_time *a, struct data_time *b)
{
	if (data_fn_null(ctx, 2, v) || time_of(ctx, v[0], a) || time_of(ctx, v[1], b))
		return 0;
	if (a->has_time == b->has_time && a->has_zone == b->has_zone)
		return 1;
	data_fn_refuse(ctx, "a date, a time without a zone and one with a zone are no pair");
	return 0;
}

static void date_diff(sqlite3_context *ctx, int n, sqlite3_value **v)
{
	const struct unit *u;
	struct data_time a, b;
	int64_t secs;

	if (!same_kind(ctx, v, &a, &b) || data_fn_null(ctx, 3, v) || !(u = unit_of(ctx, v[2])))
		return;
	if (!u->secs) {
		sqlite3_result_int64(ctx, months_between(&a, &b) / u->months);
		return;
	}
	secs = a.secs - b.secs;
	if (secs > 0 && a.ns < b.ns)
		secs--;
	else if (secs < 0 && a.ns > b.ns)
		secs++;
	sqlite3_result_int64(ctx, secs / u->secs);
}

static void op_time(sqlite3_context *ctx, int n, sqlite3_value **v)
{
	struct data_time a, b;

	if (!same_kind(ctx, v, &a, &b))
		return;
	if (a.secs != b.secs)
		sqlite3_result_int(ctx, a.secs < b.secs ? -1 : 1);
	else
		sqlite3_result_int(ctx, a.ns < b.ns ? -1 : a.ns > b.ns);
}

static void date_part(sqlite3_context *ctx, int n, sqlite3_value **v)
{
	static const char *const names[] = { "year", "month", "day", "hour", "minute", "second",
		"weekday", "yearday" };
	struct data_time t;
	int64_t days, y, in_day, part[8];
	const char *want;
	int m, d;

	if (data_fn_null(ctx, 2, v) || time_of(ctx, v[0], &t))
		return;
	days = day_number(t.secs);
	in_day = t.secs - days * 86400;
	data_date_of(days, &y, &m, &d);
	part[0] = y;
	part[1] = m;
	part[2] = d;
	part[3] = in_day / 3600;
	part[4] = in_day / 60 % 60;
	part[5] = in_day % 60;
	part[6] = ((days + 3) % 7 + 7) % 7 + 1;
	part[7] = days - data_days_of(y, 1, 1) + 1;
	want = (const char *)sqlite3_value_text(v[1]);
	for (int i = 0; want && i < 8; i++)
		if (!strcmp(names[i], want)) {
			sqlite3_result_int64(ctx, part[i]);
			return;
		}
	data_fn_refuse(
		ctx, "the part is one of year, month, day, hour, minute, second, weekday, yearday");
}

static void date_of(sqlite3_context *ctx, int n, sqlite3_value **v)
{
	struct data_time t;

	if (data_fn_null(ctx, 1, v) || time_of(ctx, v[0], &t))
		return;
	t.secs = day_number(t.secs) * 86400;
	t.ns = t.digits = t.has_time = t.has_zone = 0;
	give(ctx, &t);
}

static const char *format_of(sqlite3_context *ctx, sqlite3_value *v, int output)
{
	const char *s = (const char *)sqlite3_value_text(v), *why;
	int zone;

	why = s ? data_format_check(s, output, &zone) : "no format";
	if (!why)
		return s;
	data_fn_refuse(ctx, "%s", why);
	return NULL;
}

static void date_format(sqlite3_context *ctx, int n, sqlite3_value **v)
{
	struct wbl_out o = { 0 };
	struct data_time t;
	const char *format;

	if (data_fn_null(ctx, 2, v) || time_of(ctx, v[0], &t) ||
		!(format = format_of(ctx, v[1], 1)))
		return;
	data_format_show(format, &t, &o);
	data_fn_text(ctx, o.s, o.len);
	wbl_out_clear(&o);
}

static void date_parse(sqlite3_context *ctx, int n, sqlite3_value **v)
{
	struct data_time t;
	const char *format, *s;

	if (data_fn_null(ctx, 2, v) || !(format = format_of(ctx, v[1], 0)))
		return;
	s = (const char *)sqlite3_value_text(v[0]);
	if (s && !data_format_parse(format, s, (size_t)sqlite3_value_bytes(v[0]), &t))
		give(ctx, &t);
	else
		data_fn_refuse(ctx, "a text that is not in the declared format of a date");
}

static const struct data_zone *zone_of(sqlite3_context *ctx, sqlite3_value *v)
{
	const char *s = (const char *)sqlite3_value_text(v);
	const struct data_zone *z = s ? data_zone_find(s) : NULL;

	if (!z)
		data_fn_refuse(ctx, "no time zone of that name is known here");
	return z;
}

static void to_instant(sqlite3_context *ctx, int n, sqlite3_value **v)
{
	static const char *const policies[] = { "reject", "earlier", "later" };
	const struct data_zone *z;
	struct data_time t;
	const char *policy, *why = "";
	int how = n < 3 ? 0 : -1;

	if (data_fn_null(ctx, n, v) || time_of(ctx, v[0], &t) || !(z = zone_of(ctx, v[1])))
		return;
	policy = n > 2 ? (const char *)sqlite3_value_text(v[2]) : NULL;
	for (int i = 0; policy && i < 3; i++)
		if (!strcmp(policy, policies[i]))
			how = i;
	if (how < 0)
		data_fn_refuse(ctx, "the policy is one of reject, earlier, later");
	else if (data_time_to_instant(&t, z, (enum data_change)how, &why))
		data_fn_refuse(ctx, "%s", why);
	else
		give(ctx, &t);
}

static void to_local(sqlite3_context *ctx, int n, sqlite3_value **v)
{
	const struct data_zone *z;
	struct data_time t;

	if (data_fn_null(ctx, 2, v) || time_of(ctx, v[0], &t) || !(z = zone_of(ctx, v[1])))
		return;
	if (!t.has_zone) {
		data_fn_refuse(ctx, "a time without a zone where one with a zone should stand");
		return;
	}
	data_time_to_clock(&t, z);
	t.has_zone = t.east = 0;
	give(ctx, &t);
}

const struct data_fn data_fn_date[] = {
	{ "op_time", 2, 2, FN_TIMES, KIND_NUMBER, op_time, NULL, 1, 0 },
	{ "date_add", 3, 3, FN_TIMES, KIND_ANY, date_add, NULL, 0, 0 },
	{ "date_diff", 3, 3, FN_TIMES, KIND_NUMBER, date_diff, NULL, 0, 0 },
	{ "date_part", 2, 2, FN_TIMES, KIND_NUMBER, date_part, NULL, 0, 0 },
	{ "date_of", 1, 1, FN_TIMES, KIND_TEXT, date_of, NULL, 0, 0 },
	{ "date_format", 2, 2, FN_TIMES, KIND_TEXT, date_format, NULL, 0, 0 },
	{ "date_parse", 2, 2, FN_TIMES, KIND_ANY, date_parse, NULL, 0, 0 },
	{ "to_instant", 2, 3, FN_TIMES, KIND_TIME, to_instant, NULL, 0, 0 },
	{ "to_local", 2, 2, FN_TIMES, KIND_TIME, to_local, NULL, 0, 0 },
	{ NULL, 0, 0, 0, KIND_ANY, NULL, NULL, 0, 0 },
};
