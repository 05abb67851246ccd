/* data_zone.c - time zones from the system's own files (TZif), and what a clock meant when it was changed.
 * In: IANA's names.  Out: offsets; the instant of a local time, with doubled and missing hours by a declared policy.
 * SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "data_when.h"

enum { FILE_MAX = 1 << 20, CHANGES_MAX = 100000 };

struct rule { /* of a POSIX TZ text: Mm.w.d, Jn or n; at secs of that day */
	char kind;
	int month, week, day, secs;
};
struct data_zone {
	struct data_zone *next;
	char *name;
	size_t n;
	int64_t *at;
	int32_t *east; /* from at[i] on; before[0]: first */
	int32_t first;
	int has_tail, has_summer;
	int32_t winter, summer;
	struct rule begins, ends;
	char digest[33];
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct data_zone *all;

static void zone_free(struct data_zone *z)
{
	free(z->name);
	free(z->at);
	free(z->east);
	free(z);
}

__attribute__((destructor)) static void forget(void)
{
	struct data_zone *z;

	while ((z = all)) {
		all = z->next;
		zone_free(z);
	}
}

static uint32_t be32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static int64_t be64(const uint8_t *p)
{
	return (int64_t)((uint64_t)be32(p) << 32 | be32(p + 4));
}

/* ---- the rule behind the last change: CET-1CEST,M3.5.0,M10.5.0/3 ---- */

static int number(const char **s, int *ret)
{
	int n = 0;

	for (*ret = 0; **s >= '0' && **s <= '9' && n < 6; n++)
		*ret = *ret * 10 + (*(*s)++ - '0');
	return n ? 0 : -1;
}

static int clock_of(const char **s, int *ret)
{
	int sign = 1, h, m = 0, sec = 0;

	if (**s == '-' || **s == '+')
		sign = *(*s)++ == '-' ? -1 : 1;
	if (number(s, &h) || (**s == ':' && ((*s)++, number(s, &m))) ||
		(**s == ':' && ((*s)++, number(s, &sec))))
		return -1;
	*ret = sign * (h * 3600 + m * 60 + sec);
	return h > 167 || m > 59 || sec > 59 ? -1 : 0;
}

static int abbreviation(const char **s)
{
	size_t n;

	if (**s == '<') {
		n = strcspn(*s, ">");
		*s += n;
		return *(*s) ? ((*s)++, 0) : -1;
	}
	for (n = 0; (**s >= 'A' && **s <= 'Z') || (**s >= 'a' && **s <= 'z'); n++)
		(*s)++;
	return n >= 3 ? 0 : -1;
}

static int rule_of(const char **s, struct rule *r)
{
	r->secs = 7200;
	r->kind = 'N';
	if (**s == 'M' || **s == 'J')
		r->kind = *(*s)++;
	if (r->kind == 'M') {
		if (number(s, &r->month) || *(*s)++ != '.' || number(s, &r->week) ||
			*(*s)++ != '.' || number(s, &r->day) || r->month < 1 || r->month > 12 ||
			r->week < 1 || r->week > 5 || r->day > 6)
			return -1;
	} else if (number(s, &r->day) || r->day > 366) {
		return -1;
	}
	return **s == '/' ? ((*s)++, clock_of(s, &r->secs)) : 0;
}

static int tail_of(struct data_zone *z, const char *s)
{
	int secs;

	if (abbreviation(&s) || clock_of(&s, &secs))
		return -1;
	z->winter = -secs;
	z->has_tail = 1;
	if (!*s)
		return 0;
	if (abbreviation(&s))
		return -1;
	z->summer = z->winter + 3600;
	if (*s != ',') {
		if (clock_of(&s, &secs))
			return -1;
		z->summer = -secs;
	}
	if (*s++ != ',' || rule_of(&s, &z->begins) || *s++ != ',' || rule_of(&s, &z->ends) || *s)
		return -1;
	z->has_summer = 1;
	return 0;
}

/* Seconds of the local clock at which the rule strikes in that year. */
static int64_t strikes(const struct rule *r, int64_t year)
{
	int64_t days = data_days_of(year, 1, 1), first;
	int length, d, leap = data_month_days(year, 2) == 29;

	if (r->kind == 'M') {
		first = data_days_of(year, r->month, 1);
		length = data_month_days(year, r->month);
		d = (int)((r->day - ((first + 4) % 7 + 7) % 7 + 7) % 7) + (r->week - 1) * 7;
		while (d >= length)
			d -= 7;
		days = first + d;
	} else if (r->kind == 'J') {
		days += r->day - 1 + (leap && r->day >= 60);
	} else {
		days += r->day;
	}
	return days * 86400 + r->secs;
}

static int32_t east_by_rule(const struct data_zone *z, int64_t utc)
{
	int64_t year, begins, ends, days = utc / 86400 - (utc % 86400 < 0);
	int m, d;

	if (!z->has_summer)
		return z->winter;
	data_date_of(days, &year, &m, &d);
	begins = strikes(&z->begins, year) - z->winter;
	ends = strikes(&z->ends, year) - z->summer;
	if (begins < ends)
		return utc >= begins && utc < ends ? z->summer : z->winter;
	return utc >= ends && utc < begins ? z->winter : z->summer;
}

int32_t data_zone_east(const struct data_zone *z, int64_t utc)
{
	size_t low = 0, high = z->n, mid;

	while (low < high) {
		mid = low + (high - low) / 2;
		if (z->at[mid] <= utc)
			low = mid + 1;
		else
			high = mid;
	}
	if (low == z->n && z->has_tail)
		return east_by_rule(z, utc);
	return low ? z->east[low - 1] : z->first;
}

/* ---- the file ---- */

static size_t block_size(const uint8_t *h, size_t time)
{
	size_t gmt = be32(h + 20), std = be32(h + 24), leap = be32(h + 28), n = be32(h + 32),
	       types = be32(h + 36), chars = be32(h + 40);

	return gmt + std + leap * (time + 4) + n * (time + 1) + types * 6 + chars;
}

static int read_block(struct data_zone *z, const uint8_t *h, const uint8_t *p)
{
	size_t types = be32(h + 36);
	const uint8_t *index, *type;

	z->n = be32(h + 32);
	if (!types || types > 256 || z->n > CHANGES_MAX)
		return -1;
	index = p + z->n * 8;
	type = index + z->n;
	z->at = wbl_sdk_alloc((z->n + 1) * sizeof *z->at);
	z->east = wbl_sdk_alloc((z->n + 1) * sizeof *z->east);
	z->first = (int32_t)be32(type);
	for (size_t i = 0; i < z->n; i++) {
		if (index[i] >= types)
			return -1;
		z->at[i] = be64(p + i * 8);
		z->east[i] = (int32_t)be32(type + (size_t)index[i] * 6);
	}
	return 0;
}

static int decode(struct data_zone *z, const uint8_t *p, size_t len)
{
	const uint8_t *end = p + len;
	char tail[128];
	size_t size, n;

	wbl_digest_hex(p, len, z->digest);
	if (len < 44 || memcmp(p, "TZif", 4) != 0 || p[4] < '2')
		return -1;
	size = 44 + block_size(p, 4);
	if (size > len || len - size < 44)
		return -1;
	p += size;
	size = block_size(p, 8);
	if (memcmp(p, "TZif", 4) != 0 || size > (size_t)(end - p) - 44 || read_block(z, p, p + 44))
		return -1;
	p += 44 + size;
	n = (size_t)(end - p);
	if (n < 2 || n > sizeof tail || *p != '\n' || end[-1] != '\n')
		return -1;
	memcpy(tail, p + 1, n - 2);
	tail[n - 2] = 0;
	return *tail ? tail_of(z, tail) : 0;
}

static uint8_t *read_file(const char *name, size_t *ret_len)
{
	char path[300];
	struct stat st;
	uint8_t *ret = NULL;
	ssize_t got = 0;
	int fd;

	snprintf(path, sizeof path, "/usr/share/zoneinfo/%s", name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return NULL;
	if (!fstat(fd, &st) && S_ISREG(st.st_mode) && st.st_size > 0 && st.st_size <= FILE_MAX) {
		ret = wbl_sdk_alloc((size_t)st.st_size);
		got = read(fd, ret, (size_t)st.st_size);
	}
	close(fd);
	*ret_len = got > 0 ? (size_t)got : 0;
	return ret;
}

static int good_name(const char *s)
{
	size_t n = strlen(s);

	return n && n < 100 && s[0] != '/' && s[0] != '.' && !strstr(s, "..") &&
	       strspn(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_+-/") == n;
}

static struct data_zone *load(const char *name)
{
	struct data_zone *z = wbl_sdk_alloc(sizeof *z);
	size_t len = 0;
	uint8_t *bytes = NULL;
	int bad = 0;

	z->name = wbl_sdk_strdup(name);
	if (!strcmp(name, "UTC")) {
		wbl_digest_hex("UTC", 3, z->digest);
		return z;
	}
	bytes = good_name(name) ? read_file(name, &len) : NULL;
	bad = !bytes || decode(z, bytes, len);
	free(bytes);
	if (!bad)
		return z;
	zone_free(z);
	return NULL;
}

const struct data_zone *data_zone_find(const char *name)
{
	struct data_zone *z;

	pthread_mutex_lock(&lock);
	for (z = all; z && strcmp(z->name, name); z = z->next)
		;
	if (!z && (z = load(name)) != NULL) {
		z->next = all;
		all = z;
	}
	pthread_mutex_unlock(&lock);
	return z;
}

void data_zone_digest(const struct data_zone *z, char out[33])
{
	memcpy(out, z->digest, 33);
}

int data_zone_utc(const struct data_zone *z, int64_t local, enum data_change how, int64_t *ret,
	const char **why)
{
	int32_t before = data_zone_east(z, local - 86400), after = data_zone_east(z, local + 86400);
	int64_t a = local - before, b = local - after;
	int first = data_zone_east(z, a) == before, second = data_zone_east(z, b) == after;

	if (first != second || before == after) {
		*ret = first ? a : b;
		return 0;
	}
	*why = first ? "an hour that the zone has twice" : "an hour that the zone leaves out";
	if (how == CHANGE_REJECT)
		return -1;
	*ret = (how == CHANGE_EARLIER) == (a < b) ? a : b;
	return 0;
}

int data_time_to_instant(
	struct data_time *t, const struct data_zone *z, enum data_change how, const char **why)
{
	int64_t utc;

	if (t->has_zone)
		return 0;
	if (data_zone_utc(z, t->secs, how, &utc, why))
		return -1;
	t->east = (int32_t)(t->secs - utc);
	t->has_zone = t->has_time = 1;
	return 0;
}

void data_time_to_clock(struct data_time *t, const struct data_zone *z)
{
	int64_t utc = t->secs - t->east;

	if (!t->has_zone)
		return;
	t->east = data_zone_east(z, utc);
	t->secs = utc + t->east;
}
