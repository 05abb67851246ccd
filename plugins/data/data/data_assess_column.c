/* data_assess_column.c - one column, value by value: what it holds, what its texts look like, how many different ones.
 * In: cells.  Out: struct assess_column, in memory that does not grow with the rows. How many different values there
 * are is counted while their digests fit, then estimated (HyperLogLog: P. Flajolet and others, 2007).
 * SPDX-License-Identifier: Apache-2.0 */
#include "data_assess.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* Whole numbers beyond it have no exact binary64. */
#define WIDEST INT64_C(9007199254740992)

#define X(symbol, name) name,
const char *const assess_class_names[] = { ASSESS_CLASSES };
#undef X
#define X(symbol, name, type) name,
const char *const assess_look_names[] = { ASSESS_LOOKS };
#undef X
#define X(symbol, name, type) type,
const char *const assess_look_types[] = { ASSESS_LOOKS };
#undef X

void assess_column_init(struct assess_column *c, const char *name)
{
	memset(c, 0, sizeof *c);
	c->name = name;
	c->registers = wbl_sdk_alloc(ASSESS_REGISTERS);
}

void assess_seen_clear(struct assess_seen *s)
{
	free(s->slots);
	memset(s, 0, sizeof *s);
}

void assess_column_clear(struct assess_column *c)
{
	assess_seen_clear(&c->seen);
	free(c->registers);
	wbl_rows_clear(&c->least);
	wbl_rows_clear(&c->greatest);
	memset(c, 0, sizeof *c);
}

/* --- different values --- */

static int put(uint64_t *slots, size_t cap, uint64_t digest)
{
	size_t i = digest & (cap - 1);

	while (slots[i]) {
		if (slots[i] == digest)
			return 1;
		i = (i + 1) & (cap - 1);
	}
	slots[i] = digest;
	return 0;
}

static int grow(struct assess_seen *s, size_t *room)
{
	size_t cap = s->cap ? s->cap * 2 : ASSESS_EXACT * 2, i;
	uint64_t *slots;

	if (s->cap && cap > *room) {
		assess_seen_clear(s);
		s->given_up = 1;
		return -1;
	}
	if (s->cap)
		*room -= s->cap;
	slots = wbl_sdk_alloc(cap * sizeof *slots);
	for (i = 0; i < s->cap; i++)
		if (s->slots[i])
			put(slots, cap, s->slots[i]);
	free(s->slots);
	s->slots = slots;
	s->cap = cap;
	return 0;
}

int assess_seen_add(struct assess_seen *s, uint64_t digest, size_t *room)
{
	if (s->given_up || (s->used * 2 >= s->cap && grow(s, room)))
		return 0;
	if (put(s->slots, s->cap, digest ? digest : 1))
		return 1;
	s->used++;
	return 0;
}

static void estimate(struct assess_column *c, uint64_t digest)
{
	uint64_t rest = digest >> 12 | UINT64_C(1) << 52;
	uint8_t rank = (uint8_t)(__builtin_ctzll(rest) + 1);
	uint8_t *reg = &c->registers[digest % ASSESS_REGISTERS];

	if (rank > *reg)
		*reg = rank;
}

uint64_t assess_column_distinct(const struct assess_column *c, int *ret_exact)
{
	double sum = 0, m = ASSESS_REGISTERS, e;
	size_t empty = 0, i;

	*ret_exact = !c->seen.given_up;
	if (*ret_exact)
		return c->seen.used;
	for (i = 0; i < ASSESS_REGISTERS; i++) {
		sum += ldexp(1, -(int)c->registers[i]);
		empty += !c->registers[i];
	}
	e = 0.7213 / (1 + 1.079 / m) * m * m / sum;
	if (e <= 2.5 * m && empty)
		e = m * log(m / (double)empty);
	return (uint64_t)(e + 0.5);
}

/* --- what a text looks like --- */

struct text {
	const char *s;
	size_t len;
};

static size_t digits(struct text t, size_t at)
{
	size_t n = 0;

	while (at + n < t.len && isdigit((unsigned char)t.s[at + n]))
		n++;
	return n;
}

static int is_word(struct text t, const char *word)
{
	return t.len == strlen(word) && !strncasecmp(t.s, word, t.len);
}

static int is_nothing(struct text t)
{
	static const char *const words[] = { "null", "n/a", "na", "-", "--", "none", "nil", "nan",
		"\\N", "?" };
	size_t i;

	for (i = 0; i < sizeof words / sizeof *words; i++)
		if (is_word(t, words[i]))
			return 1;
	return 0;
}

/* [-]digits, then nothing, or a mark and digits. */
static enum assess_look number_look(struct text t)
{
	size_t at = t.s[0] == '-' || t.s[0] == '+', whole = digits(t, at), part;

	if (!whole)
		return LOOKS_WORDS;
	if (at + whole == t.len)
		return whole > 1 && t.s[at] == '0' ? LOOKS_CODE
		       : whole > 18                ? LOOKS_DECIMAL
						   : LOOKS_INT;
	if (t.s[at + whole] != '.' && t.s[at + whole] != ',')
		return LOOKS_WORDS;
	part = digits(t, at + whole + 1);
	if (!part || at + whole + 1 + part != t.len)
		return LOOKS_WORDS;
	return t.s[at + whole] == '.' ? LOOKS_DECIMAL : LOOKS_COMMA;
}

static enum assess_look short_date(struct text t)
{
	size_t a = digits(t, 0), b;
	char mark = a < t.len ? t.s[a] : 0;

	if (a < 1 || a > 2 || (mark != '.' && mark != '/'))
		return LOOKS_WORDS;
	b = digits(t, a + 1);
	if (b < 1 || b > 2 || a + b + 1 >= t.len || t.s[a + b + 1] != mark ||
		digits(t, a + b + 2) != 4 || t.len != a + b + 6)
		return LOOKS_WORDS;
	return mark == '.' ? LOOKS_DOT_DATE : LOOKS_SLASH_DATE;
}

static enum assess_look time_look(struct text t)
{
	int64_t ns;
	int32_t days;
	int fraction;

	if (t.len < 8 || t.len > 40)
		return LOOKS_WORDS;
	if (!wbl_date_parse(t.s, t.len, &days))
		return LOOKS_ISO_DATE;
	if (!wbl_time_parse(t.s, t.len, 1, &ns, &fraction))
		return LOOKS_ISO_TIME;
	if (!wbl_time_parse(t.s, t.len, 0, &ns, &fraction))
		return LOOKS_ISO_LOCAL;
	return short_date(t);
}

static int is_uuid(struct text t)
{
	size_t i;

	if (t.len != 36)
		return 0;
	for (i = 0; i < 36; i++)
		if (i == 8 || i == 13 || i == 18 || i == 23 ? t.s[i] != '-'
							    : !isxdigit((unsigned char)t.s[i]))
			return 0;
	return 1;
}

static int is_json(struct text t)
{
	struct wbl_doc *doc;

	if (t.len < 2 || t.len > 65536 || !strchr("{[", t.s[0]) || !strchr("}]", t.s[t.len - 1]))
		return 0;
	doc = wbl_doc_parse(t.s, t.len, NULL);
	wbl_doc_free(doc);
	return doc != NULL;
}

static enum assess_look look_of(struct text t)
{
	enum assess_look look;

	if (!t.len)
		return LOOKS_EMPTY;
	if (is_nothing(t))
		return LOOKS_NOTHING;
	look = isdigit((unsigned char)t.s[0]) || strchr("+-", t.s[0]) ? number_look(t)
								      : LOOKS_WORDS;
	if (look == LOOKS_WORDS && isdigit((unsigned char)t.s[0]))
		look = time_look(t);
	if (look == LOOKS_WORDS && is_uuid(t))
		look = LOOKS_UUID;
	if (look == LOOKS_WORDS && is_json(t))
		look = LOOKS_JSON;
	return look;
}

/* --- one value --- */

void assess_show(const struct wbl_cell *cell, struct assess_value *ret)
{
	struct wbl_cell part = *cell;
	struct wbl_out o = { 0 };
	int cut;

	if (part.tag == WBL_CELL_TEXT || part.tag == WBL_CELL_RAW || part.tag == WBL_CELL_BYTES)
		part.len = part.len > ASSESS_KEPT ? ASSESS_KEPT : part.len;
	wbl_out_fmt(&o, "%s", "");
	wbl_cell_show(&o, &part);
	cut = part.len < cell->len || o.len > ASSESS_KEPT;
	if (o.len > ASSESS_KEPT)
		o.len = ASSESS_KEPT;
	/* no half character */
	while (cut && o.len && ((unsigned char)o.s[o.len - 1] & 0xc0) == 0x80)
		o.len--;
	if (cut && o.len && (unsigned char)o.s[o.len - 1] >= 0xc0)
		o.len--;
	snprintf(ret->text, sizeof ret->text, "%.*s%s", (int)o.len, o.s, cut ? "..." : "");
	wbl_out_clear(&o);
}

static void remember(struct assess_value *v, const struct wbl_cell *cell)
{
	if (!v->text[0])
		assess_show(cell, v);
}

static enum assess_class class_of(const struct wbl_cell *cell)
{
	switch (cell->tag) {
	case WBL_CELL_NULL:
		return ASSESS_NULL_;
	case WBL_CELL_INT:
		return ASSESS_INT;
	case WBL_CELL_DECIMAL:
		return ASSESS_DECIMAL;
	case WBL_CELL_REAL:
	case WBL_CELL_REAL32:
		return ASSESS_REAL;
	case WBL_CELL_TEXT:
		return ASSESS_TEXT;
	case WBL_CELL_RAW:
		return ASSESS_RAW;
	case WBL_CELL_BYTES:
		return ASSESS_BYTES;
	case WBL_CELL_INSTANT:
	case WBL_CELL_LOCAL:
		return ASSESS_TIME;
	case WBL_CELL_DATE:
		return ASSESS_DATE;
	case WBL_CELL_UUID:
		return ASSESS_UUID;
	default:
		return ASSESS_JSON;
	}
}

static void look_at_text(struct assess_column *c, const struct wbl_cell *cell)
{
	struct text t = { (const char *)cell->data, cell->len };
	enum assess_look look;
	size_t i;

	if (t.len && (isspace((unsigned char)t.s[0]) || isspace((unsigned char)t.s[t.len - 1]))) {
		c->blanks++;
		remember(&c->blank, cell);
	}
	for (i = 0; i < t.len && (unsigned char)t.s[i] < 0x80; i++)
		;
	c->not_ascii += i < t.len;
	look = look_of(t);
	c->looks[look]++;
	remember(&c->odd[look], cell);
}

/* NULL and what cannot be compared gives 0. */
static int compare(const struct wbl_cell *a, const struct wbl_cell *b)
{
	uint32_t n = a->len < b->len ? a->len : b->len;
	int d;

	if (class_of(a) != class_of(b))
		return (int)class_of(a) - (int)class_of(b);
	switch (class_of(a)) {
	case ASSESS_INT:
	case ASSESS_TIME:
	case ASSESS_DATE: {
		int64_t x = wbl_cell_get_int(a), y = wbl_cell_get_int(b);

		return x < y ? -1 : x > y;
	}
	case ASSESS_REAL: {
		double x = wbl_cell_get_real(a), y = wbl_cell_get_real(b);

		return x < y ? -1 : x > y;
	}
	case ASSESS_DECIMAL:
	case ASSESS_JSON:
		return 0;
	default:
		d = memcmp(a->data, b->data, n);
		return d ? d : a->len < b->len ? -1 : a->len > b->len;
	}
}

static void keep(struct wbl_rows *r, const struct wbl_cell *cell)
{
	wbl_rows_reset(r);
	wbl_cell_copy(r, cell->at, cell->whole);
}

static void bound(struct wbl_rows *r, const struct wbl_cell *cell, int sign)
{
	struct wbl_bytes bytes = { r->data, r->len };
	struct wbl_cell have;

	if (cell->len > 4096)
		return;
	if (!r->len || (wbl_cell_next(&bytes, &have) == 1 && compare(cell, &have) * sign > 0))
		keep(r, cell);
}

void assess_column_add(struct assess_column *c, const struct wbl_cell *cell, size_t *room)
{
	enum assess_class class = class_of(cell);
	uint64_t lo, hi;

	c->rows++;
	c->classes[class]++;
	if (class == ASSESS_NULL_)
		return;
	if (cell->len > c->longest && (class == ASSESS_TEXT || class == ASSESS_BYTES ||
					      class == ASSESS_RAW || class == ASSESS_JSON))
		c->longest = cell->len;
	if (class == ASSESS_TEXT)
		look_at_text(c, cell);
	if (class == ASSESS_RAW)
		remember(&c->raw, cell);
	if (class == ASSESS_INT)
		c->beyond_binary +=
			wbl_cell_get_int(cell) > WIDEST || wbl_cell_get_int(cell) < -WIDEST;
	bound(&c->least, cell, -1);
	bound(&c->greatest, cell, 1);
	wbl_digest_128(cell->at, cell->whole, 0, &lo, &hi);
	estimate(c, hi);
	if (assess_seen_add(&c->seen, lo, room)) {
		c->again++;
		remember(&c->twice, cell);
	}
}

int assess_column_look(const struct assess_column *c)
{
	uint64_t texts = c->classes[ASSESS_TEXT] - c->looks[LOOKS_EMPTY] - c->looks[LOOKS_NOTHING];
	int i;

	if (!texts || c->classes[ASSESS_TEXT] + c->classes[ASSESS_NULL_] != c->rows)
		return -1;
	for (i = LOOKS_INT; i < LOOKS_WORDS; i++)
		if (c->looks[i] == texts)
			return i;
	if (c->looks[LOOKS_INT] + c->looks[LOOKS_DECIMAL] == texts)
		return LOOKS_DECIMAL;
	return -1;
}
