/* data_show.c - two values that differ, written so that people can tell them apart.
 * In: two cells.  Out: two texts that are never alike to the eye: what cannot be seen is escaped, equal words get their type.
 * SPDX-License-Identifier: Apache-2.0 */
#include "data_verify.h"

#include <string.h>

enum { SHOWN = 300, BEFORE = 60 };

/* One value as it was kept. */
struct shown {
	int32_t tag;
	const uint8_t *s;
	size_t len, whole; /* bytes at hand, bytes of the value */
	struct wbl_out text;
};

static int is_text(int32_t tag)
{
	return tag == WBL_CELL_TEXT || tag == WBL_CELL_RAW || tag == WBL_CELL_JSON;
}

static struct shown shown_of(const struct wbl_cell *c)
{
	struct shown v = { .tag = c->tag, .s = c->data, .len = c->len, .whole = c->len };
	struct data_long l;

	if (c->tag == WBL_CELL_LIST && c->len == sizeof l) {
		memcpy(&l, c->data, sizeof l);
		v.tag = (int32_t)l.tag;
		v.s += offsetof(struct data_long, head);
		v.len = DATA_HEAD;
		v.whole = l.len;
	} else if (!is_text(c->tag)) {
		wbl_cell_show(&v.text, c);
		v.s = (const uint8_t *)v.text.s;
		v.len = v.whole = v.text.len;
	}
	return v;
}

static const char *type_of(int32_t tag)
{
	switch (tag) {
	case WBL_CELL_NULL:
		return "no value";
	case WBL_CELL_INT:
		return "whole number";
	case WBL_CELL_DECIMAL:
		return "decimal";
	case WBL_CELL_REAL:
	case WBL_CELL_REAL32:
		return "binary number";
	case WBL_CELL_TEXT:
		return "text";
	case WBL_CELL_RAW:
		return "text that is not UTF-8";
	case WBL_CELL_BYTES:
		return "bytes";
	case WBL_CELL_JSON:
		return "JSON";
	default:
		return "another type";
	}
}

/* Decodes one; a byte that is none stands for itself, marked. *len: how many bytes. */
static uint32_t code_point(const uint8_t *s, size_t left, size_t *len)
{
	uint32_t c = s[0];
	size_t n = c < 0x80 ? 1 : c >= 0xf0 ? 4 : c >= 0xe0 ? 3 : c >= 0xc2 ? 2 : 0;

	*len = 1;
	if (n == 1)
		return c;
	if (!n || n > left)
		return UINT32_MAX;
	c &= 0xffu >> (n + 1);
	for (size_t i = 1; i < n; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return UINT32_MAX;
		c = c << 6 | (s[i] & 0x3f);
	}
	*len = n;
	return c;
}

/* Blanks, controls, marks that join the letter before them, and what has no width. */
static int unseen(uint32_t c)
{
	static const struct {
		uint32_t from, to;
	} list[] = { { 0, 0x20 }, { 0x7f, 0xa0 }, { 0xad, 0xad }, { 0x300, 0x36f },
		{ 0x61c, 0x61c }, { 0x1ab0, 0x1aff }, { 0x2000, 0x200f }, { 0x2028, 0x202f },
		{ 0x205f, 0x206f }, { 0x20d0, 0x20ff }, { 0x3000, 0x3000 }, { 0xfe00, 0xfe0f },
		{ 0xfe20, 0xfe2f }, { 0xfeff, 0xfeff }, { 0xfff0, 0xffff },
		{ 0xe0000, UINT32_MAX } };

	for (size_t i = 0; i < sizeof list / sizeof *list; i++)
		if (c >= list[i].from && c <= list[i].to)
			return 1;
	return 0;
}

static size_t first_difference(const struct shown *a, const struct shown *b)
{
	size_t i = 0;

	while (i < a->len && i < b->len && a->s[i] == b->s[i])
		i++;
	while (i > 0 && ((i < a->len && (a->s[i] & 0xc0) == 0x80) ||
				(i < b->len && (b->s[i] & 0xc0) == 0x80)))
		i--;
	return i;
}

/* Is what stands there, or behind it, something that the eye does not see? The end of the text counts when the other goes on with it. */
static int hides(const struct shown *v, size_t at)
{
	size_t len;

	for (int i = 0; i < 2 && at < v->len; i++, at += len)
		if (unseen(code_point(v->s + at, v->len - at, &len)))
			return 1;
	return 0;
}

static void escaped(struct wbl_out *o, const uint8_t *s, size_t len)
{
	size_t n;

	for (size_t i = 0; i < len; i += n) {
		uint32_t c = code_point(s + i, len - i, &n);

		if (c == UINT32_MAX)
			wbl_out_fmt(o, "\\x%02x", s[i]);
		else if (c == '"' || c == '\\')
			wbl_out_fmt(o, "\\%c", (char)c);
		else if (c >= 0x20 && c < 0x7f)
			wbl_out_add(o, s + i, 1);
		else
			wbl_out_fmt(o, c > 0xffff ? "\\U%08x" : "\\u%04x", c);
	}
}

/* The part around `at`. */
static void write_part(struct wbl_out *o, const struct shown *v, size_t at, int escape)
{
	size_t from = at > SHOWN - BEFORE ? at - BEFORE : 0, to = v->len;

	if (from > v->len)
		from = v->len;
	while (from > 0 && from < v->len && (v->s[from] & 0xc0) == 0x80)
		from--;
	if (to - from > SHOWN)
		to = from + SHOWN;
	while (to > from && to < v->len && (v->s[to] & 0xc0) == 0x80)
		to--;
	if (from)
		wbl_out_fmt(o, "(from byte %zu) ", from);
	if (escape) {
		wbl_out_add(o, "\"", 1);
		escaped(o, v->s + from, to - from);
		wbl_out_add(o, "\"", 1);
	} else {
		wbl_out_add(o, v->s + from, to - from);
	}
	if (to < v->whole)
		wbl_out_fmt(o, "... (%zu bytes)", v->whole);
}

void data_show_pair(const struct wbl_cell *want, const struct wbl_cell *have, struct wbl_out *x,
	struct wbl_out *y)
{
	struct shown a = shown_of(want), b = shown_of(have);
	size_t at = first_difference(&a, &b);
	int alike = a.len == b.len && at == a.len;
	int texts = is_text(a.tag) || is_text(b.tag);
	int escape = texts && !alike && (hides(&a, at) || hides(&b, at));

	wbl_out_reset(x);
	wbl_out_reset(y);
	write_part(x, &a, at, is_text(a.tag) && (escape || !a.len));
	write_part(y, &b, at, is_text(b.tag) && (escape || !b.len));
	/* Beyond the head only the digests say that they differ. */
	if (alike && a.tag == b.tag) {
		wbl_out_fmt(x, ", as copied");
		wbl_out_fmt(y, ", another further on");
	} else if (alike) {
		wbl_out_fmt(x, " (%s)", type_of(a.tag));
		wbl_out_fmt(y, " (%s)", type_of(b.tag));
	}
	wbl_out_clear(&a.text);
	wbl_out_clear(&b.text);
}

void data_text_cut(struct wbl_out *o, size_t most)
{
	struct wbl_out clean = { 0 };
	size_t len = o->len, n;

	if (len > most)
		for (len = most; len && ((uint8_t)o->s[len] & 0xc0) == 0x80;)
			len--;
	if (!o->s || (len == o->len && wbl_utf8_ok(o->s, len)))
		return;
	wbl_out_reset(&clean);
	for (size_t i = 0; i < len; i += n) {
		for (n = 1; n < 4 && i + n < len && !wbl_utf8_ok(o->s + i, n);)
			n++;
		if (wbl_utf8_ok(o->s + i, n)) {
			wbl_out_add(&clean, o->s + i, n);
			continue;
		}
		n = 1;
		wbl_out_add(&clean, "\xef\xbf\xbd", 3);
	}
	wbl_out_reset(o);
	wbl_out_add(o, clean.s, clean.len);
	wbl_out_clear(&clean);
}
