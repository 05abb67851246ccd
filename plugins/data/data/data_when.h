/* data_when.h - dates and times in declared formats and zones, without the C library's locale or clock.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef WBL_DATA_WHEN_H
#define WBL_DATA_WHEN_H
#include <whimbrel/sdk.h>

/* A moment as it is written: seconds of its own clock since 1970-01-01 00:00, and what is known of that clock. */
struct data_time {
	int64_t secs;
	int32_t ns, digits;
	int has_time, has_zone;
	int32_t east; /* seconds, with has_zone */
};

int64_t data_days_of(int64_t y, int m, int d);
void data_date_of(int64_t days, int64_t *y, int *m, int *d);
int data_month_days(int64_t y, int m);
/* ISO: a date, a time without a zone, or with one. 0 or -1. */
int data_time_iso(const char *s, size_t len, struct data_time *ret);
/* Back to ISO, of the same kind. The instant is written in UTC. -1: beyond the years 1678 to 2261. */
int data_time_show(const struct data_time *t, struct wbl_out *o);
int data_time_cell(const struct data_time *t, int32_t type, struct wbl_rows *r, const char **why);

/* NULL, or what is wrong with it (static). zone: does it name one (%z, %s)? */
const char *data_format_check(const char *format, int output, int *ret_zone);
/* Strict: every character counts. 0 or -1. */
int data_format_parse(const char *format, const char *s, size_t len, struct data_time *ret);
void data_format_show(const char *format, const struct data_time *t, struct wbl_out *o);

/* Hours that a change of the clock doubles or leaves out. */
enum data_change { CHANGE_REJECT, CHANGE_EARLIER, CHANGE_LATER };
struct data_zone;
/* IANA's name. Kept for the life of the process. NULL: there is none. */
const struct data_zone *data_zone_find(const char *name);
int32_t data_zone_east(const struct data_zone *z, int64_t utc);
/* The clock of the zone to UTC. 0; -1 and why. */
int data_zone_utc(const struct data_zone *z, int64_t local, enum data_change how, int64_t *ret_utc,
	const char **why);
/* The rules themselves, for the plan. */
void data_zone_digest(const struct data_zone *z, char out[33]);
/* Of a time without a zone; of one with a zone the clock of `z`. */
int data_time_to_instant(
	struct data_time *t, const struct data_zone *z, enum data_change how, const char **why);
void data_time_to_clock(struct data_time *t, const struct data_zone *z);
#endif
