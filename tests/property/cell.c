/* property/cell.c - values at the edges of each type: as they stand in the source, and what must become of them.
 * In: numbers that are drawn.  Out: cells. What must come out is made here by other means than those of the product. A new edge
 * is one more case of its type.
 * SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <float.h>
#include <math.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "property.h"

static const char *const names[TYPES] = { "any", "int", "decimal", "real", "real32", "text",
	"bytes", "bool", "instant", "local", "date", "uuid", "json" };

const char *type_name(int type)
{
	return names[type];
}

/* splitmix64 */
uint64_t draw_next(struct draw *d)
{
	uint64_t z = d->state += 0x9e3779b97f4a7c15u;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return z ^ (z >> 31);
}

size_t draw_below(struct draw *d, size_t n)
{
	return (size_t)(draw_next(d) % n);
}

struct block {
	struct block *next;
	max_align_t data[];
};
static struct block *blocks;

void *draw_alloc(size_t n)
{
	struct block *b = wbl_alloc(sizeof *b + n);

	b->next = blocks;
	blocks = b;
	return b->data;
}

void draw_forget(void)
{
	struct block *b;

	while ((b = blocks)) {
		blocks = b->next;
		free(b);
	}
}

static struct value of_int(int64_t i)
{
	return (struct value){ .class = SQLITE_INTEGER, .i = i };
}

static struct value of_real(double r)
{
	return (struct value){ .class = SQLITE_FLOAT, .r = r };
}

static struct value of_bytes(int class, const void *p, size_t n)
{
	struct value v = { .class = class, .n = n, .s = draw_alloc(n + 1) };

	if (n)
		memcpy(v.s, p, n);
	v.s[n] = 0;
	return v;
}

static struct value of_text(const char *s)
{
	return of_bytes(SQLITE_TEXT, s, strlen(s));
}

void cell_null(struct cell *ret)
{
	*ret = (struct cell){ .has.class = SQLITE_NULL, .want.class = SQLITE_NULL };
}

static void draw_int(struct draw *d, struct cell *c)
{
	static const int64_t edges[] = { 0, 1, -1, INT64_MAX, INT64_MIN, INT64_MAX - 1,
		(1LL << 53) + 1, -(1LL << 53) - 1, 1LL << 53, 1LL << 31, -(1LL << 31), 255,
		4294967296 };
	int64_t v = draw_below(d, 3) ? (int64_t)draw_next(d) >> draw_below(d, 63)
				     : edges[draw_below(d, WBL_COUNT(edges))];
	char text[64];

	c->has = c->want = of_int(v);
	if (draw_below(d, 4))
		return;
	if (v >= 0)
		snprintf(text, sizeof text, "%s%s%lld", draw_below(d, 2) ? "+" : "",
			draw_below(d, 2) ? "000" : "", (long long)v);
	else
		snprintf(text, sizeof text, "%lld", (long long)v);
	c->has = of_text(text);
}

static void draw_decimal(struct draw *d, struct cell *c)
{
	static const size_t longest[] = { 1, 3, 18, 19, 20, 40, 300 };
	size_t whole = draw_below(d, longest[draw_below(d, WBL_COUNT(longest))] + 1),
	       part = draw_below(d, 2) ? draw_below(d, whole < 90 ? 99 : 9) : 0, i;
	struct wbl_buf has = { 0 }, want = { 0 };
	bool minus = draw_below(d, 2), zero = true;

	for (i = 0; i < whole; i++)
		wbl_buf_addf(&want, "%d", (int)(i ? draw_below(d, 10) : 1 + draw_below(d, 9)));
	zero = !whole;
	if (!whole)
		wbl_buf_adds(&want, "0");
	if (part) {
		wbl_buf_adds(&want, ".");
		for (i = 1; i < part; i++)
			wbl_buf_addf(&want, "%d", draw_below(d, 3) ? (int)draw_below(d, 10) : 0);
		wbl_buf_addf(&want, "%d", (int)(1 + draw_below(d, 9)));
		zero = false;
	}
	if (minus)
		wbl_buf_adds(&has, "-");
	if (draw_below(d, 3) == 0)
		wbl_buf_adds(&has, "00");
	wbl_buf_adds(&has, want.data);
	if (draw_below(d, 3) == 0)
		wbl_buf_adds(&has, part ? "000" : ".00");
	c->has = of_text(has.data);
	wbl_buf_clear(&has);
	if (minus && !zero)
		wbl_buf_adds(&has, "-");
	wbl_buf_adds(&has, want.data);
	c->want = of_text(has.data);
	wbl_buf_clear(&has);
	wbl_buf_clear(&want);
}

static double draw_double(struct draw *d)
{
	static const double edges[] = { 0.0, -0.0, 1.0, -1.0, 5.0, 0.1, 1.0 / 3, DBL_MAX, -DBL_MAX,
		DBL_MIN, 4.9e-324, -4.9e-324, 1e22, 1e23, 9007199254740993.0, 9223372036854775808.0,
		1e300, 1e-300, 123456789012345680.0, -4.0124458363401457e18, 9007199254740994.0,
		-9223372036854775808.0, 1e15, 1e17, 0.30000000000000004 };
	union {
		uint64_t u;
		double r;
	} any;

	if (!draw_below(d, 2))
		return edges[draw_below(d, WBL_COUNT(edges))];
	do
		any.u = draw_next(d);
	while (!isfinite(any.r));
	return any.r;
}

static void draw_real(struct draw *d, struct cell *c)
{
	double r = draw_double(d);
	char text[64];

	if (!draw_below(d, 12)) {
		r = draw_below(d, 2) ? INFINITY : -INFINITY;
		c->no = NO_CSV | NO_JSONL;
	}
	c->has = c->want = of_real(r);
	if (c->no || draw_below(d, 4))
		return;
	snprintf(text, sizeof text, "%.17g", r);
	c->has = of_text(text);
}

static void draw_real32(struct draw *d, struct cell *c)
{
	static const float edges[] = { 0, -0.0F, 1, FLT_MAX, -FLT_MAX, FLT_MIN, FLT_TRUE_MIN, 0.1F,
		16777217, 1e10F };
	union {
		uint32_t u;
		float r;
	} any = { .r = edges[draw_below(d, WBL_COUNT(edges))] };

	if (draw_below(d, 2))
		do
			any.u = (uint32_t)draw_next(d);
		while (!isfinite(any.r));
	c->has = c->want = of_real((double)any.r);
}

static void add_char(struct wbl_buf *b, uint32_t u)
{
	char s[4];
	size_t n = 0;

	if (u < 0x80) {
		s[n++] = (char)u;
	} else if (u < 0x800) {
		s[n++] = (char)(0xc0 | u >> 6);
		s[n++] = (char)(0x80 | (u & 63));
	} else if (u < 0x10000) {
		s[n++] = (char)(0xe0 | u >> 12);
		s[n++] = (char)(0x80 | (u >> 6 & 63));
		s[n++] = (char)(0x80 | (u & 63));
	} else {
		s[n++] = (char)(0xf0 | u >> 18);
		s[n++] = (char)(0x80 | (u >> 12 & 63));
		s[n++] = (char)(0x80 | (u >> 6 & 63));
		s[n++] = (char)(0x80 | (u & 63));
	}
	wbl_buf_add(b, s, n);
}

static uint32_t draw_char(struct draw *d)
{
	static const uint32_t edges[] = { '"', '\'', ',', ';', '\t', '|', '\n', '\r', '\\', ' ',
		0x7f, 0x80, 0x7ff, 0x800, 0xfffd, 0xfffe, 0xffff, 0xfeff, 0xd7ff, 0xe000, 0x10000,
		0x1f600, 0x10ffff, 0x2028, 0x85, 0xa0, 1, 0x1b, 0x1f, '#', '{', '}', '[', '$',
		0x301 };

	return draw_below(d, 2) ? 'a' + (uint32_t)draw_below(d, 26)
				: edges[draw_below(d, WBL_COUNT(edges))];
}

static void draw_text(struct draw *d, struct cell *c)
{
	static const char *const edges[] = { "", " ", "NULL", "null", "\\N", "N", "\\x00ff", "\\x",
		"base64:AP8=", "base64:", "0", "-0", "1e5", "5", "5.0", "007", "+1", "1.50", "NaN",
		"Infinity", "-Infinity", "true", "#", "#x", "\"", "\"\"", "'", "''", "\r", "\n",
		"\r\n", "a\r\nb", "\xef\xbb\xbf", "\xef\xbb\xbfx", " x ", "x\t", ",", ";", "|",
		"\\", "\\\\", "\\n", "{\"$base64\":\"AA==\"}", "{}", "[]", "\x1a", ".", "-", "e5",
		"0x10", "9223372036854775808", "2026-11-21", "\xcc\x81" };
	static const char *const broken[] = { "\xff", "a\xc3", "\xed\xa0\x80", "\xc0\x80",
		"ok\xf4\x90\x80\x80", "\xe2\x82", "\x80z" };
	struct wbl_buf b = { 0 };
	size_t n, i;

	switch (draw_below(d, 24)) {
	case 0:
		c->has = c->want = of_text(broken[draw_below(d, WBL_COUNT(broken))]);
		c->no = NO_CSV | NO_JSONL;
		return;
	case 1:
		wbl_buf_adds(&b, "nul");
		wbl_buf_add(&b, "\0", 1);
		if (draw_below(d, 2))
			wbl_buf_adds(&b, "behind");
		c->no = NO_CSV;
		break;
	case 2:
		n = draw_below(d, 40) ? 3000 : 1 << 20;
		for (i = 0; b.len < n; i++)
			add_char(&b, i % 97 ? 'a' + (uint32_t)(i % 26) : draw_char(d));
		break;
	case 3:
	case 4:
	case 5:
	case 6:
	case 7:
	case 8:
	case 9:
	case 10:
		n = draw_below(d, 12);
		for (i = 0; i < n; i++)
			add_char(&b, draw_char(d));
		break;
	default:
		wbl_buf_adds(&b, edges[draw_below(d, WBL_COUNT(edges))]);
	}
	c->has = c->want = of_bytes(SQLITE_TEXT, b.data, b.len);
	wbl_buf_clear(&b);
}

static void draw_bytes(struct draw *d, struct cell *c)
{
	static const char *const edges[] = { "", "a", "\\x", "\xff\xfe", "5", "\n", "\"" };
	uint8_t b[300];
	size_t n = draw_below(d, draw_below(d, 4) ? 8 : sizeof b), i;
	const char *e = edges[draw_below(d, WBL_COUNT(edges))];

	for (i = 0; i < n; i++)
		b[i] = (uint8_t)(draw_below(d, 4) ? draw_next(d) : 0);
	c->has = draw_below(d, 3) ? of_bytes(SQLITE_BLOB, b, n)
				  : of_bytes(SQLITE_BLOB, e, strlen(e));
	c->want = c->has;
}

static void draw_bool(struct draw *d, struct cell *c)
{
	static const char *const words[] = { "0", "false", "f", "no", "n", "off", "1", "true", "t",
		"yes", "Y", "ON" };
	size_t k = draw_below(d, WBL_COUNT(words));

	c->want = of_int(k >= 6);
	c->has = draw_below(d, 2) ? of_text(words[k]) : c->want;
}

/* Year, month and day of a number of days since 1970: counted, not computed. */
static void civil(int64_t days, int *y, int *m, int *day)
{
	static const int lengths[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };

	for (*y = 1970; days < 0; days += (*y % 4 == 0 && (*y % 100 || *y % 400 == 0)) ? 366 : 365)
		--*y;
	for (;;) {
		int leap = *y % 4 == 0 && (*y % 100 || *y % 400 == 0);

		if (days < 365 + leap)
			break;
		days -= 365 + leap;
		++*y;
	}
	for (*m = 1;; ++*m) {
		int leap = *y % 4 == 0 && (*y % 100 || *y % 400 == 0),
		    len = lengths[*m - 1] + (*m == 2 && leap);

		if (days < len)
			break;
		days -= len;
	}
	*day = (int)days + 1;
}

static void show_time(char out[64], int64_t seconds, const char *fraction, char between)
{
	int64_t days = seconds / 86400, rest = seconds % 86400;
	int y, m, day;

	if (rest < 0) {
		rest += 86400;
		days--;
	}
	civil(days, &y, &m, &day);
	snprintf(out, 64, "%04d-%02d-%02d%c%02d:%02d:%02d%s", y, m, day, between,
		(int)(rest / 3600), (int)(rest / 60 % 60), (int)(rest % 60), fraction);
}

static void draw_time(struct draw *d, int type, struct cell *c)
{
	/* The first and last whole seconds that 64 bits of nanoseconds hold, and others. */
	static const int64_t edges[] = { -9223372036, 9223372036, 0, -1, 1, 951782400, 4107542399,
		-2208988800, 253402300799 };
	int64_t at = draw_below(d, 3) ? (int64_t)draw_below(d, 18446744071) - 9223372035
				      : edges[draw_below(d, WBL_COUNT(edges) - 1)];
	int digits = (int)draw_below(d, 10), offset = 0, i;
	char fraction[16] = "", text[64], zone[16] = "";

	if (at == 9223372036 || at == -9223372036)
		digits = 0;
	if (digits)
		fraction[0] = '.';
	for (i = 1; i <= digits; i++)
		fraction[i] = (char)('0' + (draw_below(d, 3) ? draw_below(d, 10) : 0));
	show_time(text, at, fraction, 'T');
	if (type == T_INSTANT) {
		char utc[70];

		snprintf(utc, sizeof utc, "%sZ", text);
		c->want = of_text(utc);
		offset = draw_below(d, 2) ? 0 : (int)draw_below(d, 57) * 15 - 12 * 60;
		snprintf(zone, sizeof zone, "%c%02d:%02d", offset < 0 ? '-' : '+', abs(offset) / 60,
			abs(offset) % 60);
		if (!offset && draw_below(d, 2))
			snprintf(zone, sizeof zone, "Z");
	} else {
		c->want = of_text(text);
	}
	show_time(text, at + offset * 60, fraction, draw_below(d, 2) ? 'T' : ' ');
	strcat(text, zone);
	c->has = of_text(text);
}

static void draw_date(struct draw *d, struct cell *c)
{
	static const int64_t edges[] = { 0, -1, -106751, 106751, 11016, 19782, -719162, 2932896 };
	int y, m, day;
	char text[32];

	civil(draw_below(d, 2) ? (int64_t)draw_below(d, 213502) - 106751
			       : edges[draw_below(d, WBL_COUNT(edges))],
		&y, &m, &day);
	snprintf(text, sizeof text, "%04d-%02d-%02d", y, m, day);
	c->has = c->want = of_text(text);
}

static void draw_uuid(struct draw *d, struct cell *c)
{
	uint8_t raw[16];
	char text[48], *p = text;
	size_t i;
	int how = (int)draw_below(d, 4);

	for (i = 0; i < 16; i++) {
		raw[i] = draw_below(d, 20) ? (uint8_t)draw_next(d) : 0;
		p += sprintf(p, "%s%02x", i == 4 || i == 6 || i == 8 || i == 10 ? "-" : "", raw[i]);
	}
	c->has = c->want = of_text(text);
	if (how == 0) {
		c->has = of_bytes(SQLITE_BLOB, raw, 16);
	} else if (how < 3) {
		struct wbl_buf b = { 0 };

		for (p = text; *p; p++)
			if (*p != '-' || how == 1)
				wbl_buf_addf(&b, "%c", how == 1 && *p >= 'a' ? *p - 32 : *p);
		c->has = of_text(b.data);
		wbl_buf_clear(&b);
	}
}

static void json_blank(struct draw *d, struct wbl_buf *b)
{
	if (!draw_below(d, 4))
		wbl_buf_adds(b, draw_below(d, 2) ? " " : "\n\t");
}

static void json_draw(struct draw *d, int depth, struct wbl_buf *has, struct wbl_buf *want)
{
	static const char *const numbers[][2] = { { "0", "0" }, { "-0", "0" }, { "1.50", "1.5" },
		{ "12345678901234567890.10", "12345678901234567890.1" },
		{ "-9007199254740993", "-9007199254740993" }, { "0.000", "0" } };
	static const char *const texts[][2] = { { "\"\"", "\"\"" }, { "\"a\"", "\"a\"" },
		{ "\"\\u00e9\"", "\"\xc3\xa9\"" }, { "\"\\\"\\\\\"", "\"\\\"\\\\\"" },
		{ "\"\\ud83d\\ude00\"", "\"\xf0\x9f\x98\x80\"" }, { "\"\\/\"", "\"/\"" },
		{ "\"$base64\"", "\"$base64\"" } };
	static const char *const keys[][2] = { { "$base64", "$base64" }, { "", "" }, { "B", "B" },
		{ "a", "a" }, { "a.b", "a.b" }, { "\\u00e9", "\xc3\xa9" } };
	static const char *const words[] = { "null", "true", "false" };
	size_t k, n, i;

	json_blank(d, has);
	switch (draw_below(d, depth ? 6 : 4)) {
	case 0:
		k = draw_below(d, WBL_COUNT(words));
		wbl_buf_adds(has, words[k]);
		wbl_buf_adds(want, words[k]);
		break;
	case 1:
		k = draw_below(d, WBL_COUNT(numbers));
		wbl_buf_adds(has, numbers[k][0]);
		wbl_buf_adds(want, numbers[k][1]);
		break;
	case 2:
	case 3:
		k = draw_below(d, WBL_COUNT(texts));
		wbl_buf_adds(has, texts[k][0]);
		wbl_buf_adds(want, texts[k][1]);
		break;
	case 4:
		n = draw_below(d, 4);
		wbl_buf_adds(has, "[");
		wbl_buf_adds(want, "[");
		for (i = 0; i < n; i++) {
			if (i) {
				wbl_buf_adds(has, ",");
				wbl_buf_adds(want, ",");
			}
			json_draw(d, depth - 1, has, want);
		}
		wbl_buf_adds(has, "]");
		wbl_buf_adds(want, "]");
		break;
	default: {
		/* Members in the order of their bytes are wanted; they are written from the last to the first. */
		static const int order[] = { 1, 0, 2, 3, 4, 5 };
		struct wbl_buf h[6] = { { 0 } }, w[6] = { { 0 } };
		unsigned in = (unsigned)draw_below(d, 64);
		bool first = true;

		for (i = 0; i < 6; i++)
			if (in & 1u << i)
				json_draw(d, depth - 1, &h[i], &w[i]);
		wbl_buf_adds(has, "{");
		wbl_buf_adds(want, "{");
		for (i = 6; i-- > 0;) {
			if (!(in & 1u << i))
				continue;
			wbl_buf_addf(has, "%s\"%s\" :%s", first ? "" : ", ", keys[order[i]][0],
				h[i].data);
			first = false;
		}
		for (i = 0, first = true; i < 6; i++) {
			if (in & 1u << i) {
				wbl_buf_addf(want, "%s\"%s\":%s", first ? "" : ",",
					keys[order[i]][1], w[i].data);
				first = false;
			}
			wbl_buf_clear(&h[i]);
			wbl_buf_clear(&w[i]);
		}
		wbl_buf_adds(has, "}");
		wbl_buf_adds(want, "}");
	}
	}
	json_blank(d, has);
}

static void draw_json(struct draw *d, struct cell *c)
{
	struct wbl_buf has = { 0 }, want = { 0 };

	json_draw(d, 3, &has, &want);
	c->has = of_text(has.data);
	c->want = of_text(want.data);
	wbl_buf_clear(&has);
	wbl_buf_clear(&want);
}

static void draw_any(struct draw *d, struct cell *c)
{
	switch (draw_below(d, 4)) {
	case 0:
		draw_int(d, c);
		c->want = c->has;
		break;
	case 1:
		c->has = c->want = of_real(draw_double(d));
		break;
	case 2:
		draw_text(d, c);
		break;
	default:
		draw_bytes(d, c);
	}
}

void cell_draw(struct draw *d, int type, bool key, struct cell *c)
{
	cell_null(c);
	if (!key && !draw_below(d, 8))
		return;
	switch (type) {
	case T_INT:
		draw_int(d, c);
		break;
	case T_DECIMAL:
		draw_decimal(d, c);
		break;
	case T_REAL:
		draw_real(d, c);
		break;
	case T_REAL32:
		draw_real32(d, c);
		break;
	case T_TEXT:
		draw_text(d, c);
		break;
	case T_BYTES:
		draw_bytes(d, c);
		break;
	case T_BOOL:
		draw_bool(d, c);
		break;
	case T_INSTANT:
	case T_LOCAL:
		draw_time(d, type, c);
		break;
	case T_DATE:
		draw_date(d, c);
		break;
	case T_UUID:
		draw_uuid(d, c);
		break;
	case T_JSON:
		draw_json(d, c);
		break;
	default:
		draw_any(d, c);
	}
}

bool cell_simplify(struct cell *c)
{
	if (c->has.class == SQLITE_NULL)
		return false;
	cell_null(c);
	return true;
}

void cell_identity(const struct cell *c, int type, struct wbl_buf *b)
{
	const struct value *v = &c->want;

	/* Times are points in time, however many digits they are written with. */
	if (type == T_INSTANT || type == T_LOCAL) {
		size_t n = strcspn(v->s, ".Z");
		const char *f = v->s + n, *end;

		wbl_buf_add(b, v->s, n);
		end = f + strcspn(f, "Z");
		while (end > f && (end[-1] == '0' || end[-1] == '.'))
			end--;
		wbl_buf_add(b, f, (size_t)(end - f));
	} else if (v->class == SQLITE_INTEGER) {
		wbl_buf_addf(b, "%lld", (long long)v->i);
	} else {
		wbl_buf_add(b, v->s, v->n);
	}
	wbl_buf_add(b, "\xff\xff", 2);
}
