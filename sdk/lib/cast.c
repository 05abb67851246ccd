/* sdk/lib/cast.c - one cell becomes a value of a logical type, exactly or not at all; and cells shown to people.
 * In: a cell of any tag.  Out: a cell whose tag follows from the type, or a reason.  A cast of its own result changes nothing: so
 * what was written and what is read back are brought into one form by the same call.
 * SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <whimbrel/sdk.h>

static const char *const names[] = { "any", "int", "decimal", "real", "real32", "text", "bytes",
	"bool", "instant", "local", "date", "uuid", "json" };

int32_t wbl_type_by_name(const char *name)
{
	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if (!strcmp(name, names[i]))
			return (int32_t)i;
	return -1;
}

const char *wbl_type_name(int32_t type)
{
	return type >= 0 && (size_t)type < sizeof names / sizeof *names ? names[type] : "?";
}

static int no(const char **ret_why, const char *why)
{
	*ret_why = why;
	return -1;
}

static int is_text(const struct wbl_cell *c)
{
	return c->tag == WBL_CELL_TEXT || c->tag == WBL_CELL_DECIMAL || c->tag == WBL_CELL_JSON;
}

static int int_of(const char *s, size_t len, int64_t *ret)
{
	uint64_t v = 0, most;
	size_t i = len && (*s == '-' || *s == '+');
	int minus = i && *s == '-';

	most = (uint64_t)INT64_MAX + (uint64_t)minus;
	if (i == len)
		return -1;
	for (; i < len; i++) {
		unsigned d = (unsigned char)s[i] - '0';

		if (d > 9 || v > most / 10 || (v == most / 10 && d > most % 10))
			return -1;
		v = v * 10 + d;
	}
	*ret = minus ? (int64_t)-v : (int64_t)v;
	return 0;
}

static int to_int(struct wbl_rows *r, const struct wbl_cell *c, const char **why)
{
	int64_t v;
	double d;

	if (c->tag == WBL_CELL_REAL || c->tag == WBL_CELL_REAL32) {
		d = wbl_cell_get_real(c);
		if (!(d >= -9223372036854775808.0 && d < 9223372036854775808.0) || d != trunc(d))
			return no(why, "not a whole number");
		v = (int64_t)d;
	} else if (!is_text(c) || int_of((const char *)c->data, c->len, &v)) {
		return no(why, "not a whole number of 64 bits");
	}
	wbl_cell_int(r, v);
	return 0;
}

static int to_decimal(struct wbl_rows *r, const struct wbl_cell *c, const char **why)
{
	char out[512];
	size_t n;
	int64_t v;

	if (!is_text(c) || wbl_decimal_canon((const char *)c->data, c->len, out, &n))
		return no(why, c->tag == WBL_CELL_REAL ? "a binary number is no exact decimal"
						       : "not a decimal number");
	if (!int_of(out, n, &v))
		wbl_cell_int(r, v);
	else
		wbl_cell_blob(r, WBL_CELL_DECIMAL, out, n);
	return 0;
}

static int to_real(struct wbl_rows *r, const struct wbl_cell *c, int narrow, const char **why)
{
	char b[400], *end;
	double d;

	if (c->tag == WBL_CELL_INT) {
		d = wbl_cell_get_real(c);
		if (d >= 9223372036854775808.0 || (int64_t)d != wbl_cell_get_int(c))
			return no(why, "a whole number that binary64 cannot hold");
	} else if (c->tag == WBL_CELL_REAL || c->tag == WBL_CELL_REAL32) {
		d = wbl_cell_get_real(c);
	} else {
		if (!is_text(c) || !c->len || c->len >= sizeof b)
			return no(why, "not a number");
		memcpy(b, c->data, c->len);
		b[c->len] = 0;
		if (strspn(b, "+-.0123456789eE") < c->len)
			return no(why, "not a number");
		errno = 0;
		d = strtod(b, &end);
		/* ERANGE is also said of numbers so near to zero that they have fewer digits. */
		if (*end || isinf(d) || (errno && d == 0))
			return no(why, "not a number that binary64 can hold");
	}
	if (!narrow)
		wbl_cell_real(r, d);
	else if (!isnan(d) && (double)(float)d != d && c->tag != WBL_CELL_TEXT)
		return no(why, "binary32 cannot hold it");
	else
		wbl_cell_real32(r, (float)d);
	return 0;
}

static int to_bool(struct wbl_rows *r, const struct wbl_cell *c, const char **why)
{
	static const char *const words[] = { "0", "false", "f", "no", "n", "off", "1", "true", "t",
		"yes", "y", "on" };

	if (c->tag == WBL_CELL_INT && (uint64_t)wbl_cell_get_int(c) <= 1) {
		wbl_cell_copy(r, c->at, c->whole);
		return 0;
	}
	for (size_t i = 0; is_text(c) && i < 12; i++) {
		if (strlen(words[i]) != c->len ||
			strncasecmp(words[i], (const char *)c->data, c->len))
			continue;
		wbl_cell_int(r, i >= 6);
		return 0;
	}
	return no(why, "neither true nor false");
}

static int to_time(struct wbl_rows *r, const struct wbl_cell *c, int zone, const char **why)
{
	int64_t ns;
	int digits;

	if (!is_text(c) || wbl_time_parse((const char *)c->data, c->len, zone, &ns, &digits))
		return no(why, zone ? "not a time with a zone (2026-11-21T13:14:15Z)"
				    : "not a time without a zone (2026-11-21T13:14:15)");
	wbl_cell_time(r, zone ? WBL_CELL_INSTANT : WBL_CELL_LOCAL, ns, digits);
	return 0;
}

static int to_date(struct wbl_rows *r, const struct wbl_cell *c, const char **why)
{
	int32_t days;

	if (!is_text(c) || wbl_date_parse((const char *)c->data, c->len, &days))
		return no(why, "not a date (2026-11-21)");
	wbl_cell_date(r, days);
	return 0;
}

static int nibble(uint8_t c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 32;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static int to_uuid(struct wbl_rows *r, const struct wbl_cell *c, const char **why)
{
	uint8_t out[16];
	size_t n = 0;

	if (c->tag == WBL_CELL_BYTES && c->len == 16) {
		wbl_cell_uuid(r, c->data);
		return 0;
	}
	if (!is_text(c) || (c->len != 36 && c->len != 32))
		return no(why, "not a UUID");
	for (uint32_t i = 0; i < c->len && n < 32; i++) {
		int v = nibble(c->data[i]);

		if (c->len == 36 && (i == 8 || i == 13 || i == 18 || i == 23)) {
			if (c->data[i] != '-')
				return no(why, "not a UUID");
			continue;
		}
		if (v < 0)
			return no(why, "not a UUID");
		out[n / 2] = (uint8_t)(n % 2 ? out[n / 2] | v : v << 4);
		n++;
	}
	wbl_cell_uuid(r, out);
	return 0;
}

/* Canonical JSON */

static int by_key(const void *a, const void *b)
{
	const struct wbl_node *x = *(const struct wbl_node *const *)a,
			      *y = *(const struct wbl_node *const *)b;
	size_t n = x->key.len < y->key.len ? x->key.len : y->key.len;
	int d = memcmp(x->key.s, y->key.s, n);

	return d ? d : (x->key.len > y->key.len) - (x->key.len < y->key.len);
}

static void canonical(struct wbl_out *o, const char *key, const struct wbl_node *n);

static void canonical_object(struct wbl_out *o, const struct wbl_node *n)
{
	const struct wbl_node **list = wbl_sdk_alloc(n->count * sizeof *list);
	const struct wbl_node *c;
	uint32_t i = 0;

	for (c = n->child; c; c = c->next)
		list[i++] = c;
	if (i)
		qsort(list, i, sizeof *list, by_key);
	for (uint32_t k = 0; k < i; k++) {
		if (o->comma)
			wbl_out_add(o, ",", 1);
		o->comma = 0;
		wbl_out_textn(o, NULL, list[k]->key.s, list[k]->key.len);
		wbl_out_add(o, ":", 1);
		o->comma = 0;
		canonical(o, NULL, list[k]);
	}
	free(list);
}

static void canonical(struct wbl_out *o, const char *key, const struct wbl_node *n)
{
	char number[512];
	size_t len;

	switch (n->kind) {
	case WBL_NODE_OBJECT:
		wbl_out_open(o, key, '{');
		canonical_object(o, n);
		wbl_out_close(o, '}');
		break;
	case WBL_NODE_ARRAY:
		wbl_out_open(o, key, '[');
		for (const struct wbl_node *c = n->child; c; c = c->next)
			canonical(o, NULL, c);
		wbl_out_close(o, ']');
		break;
	case WBL_NODE_TEXT:
		wbl_out_textn(o, key, n->text.s, n->text.len);
		break;
	case WBL_NODE_NUMBER:
		wbl_out_json(o, key,
			wbl_decimal_canon(n->text.s, n->text.len, number, &len) ? n->text.s
										: number);
		break;
	default:
		wbl_out_json(o, key,
			n->kind == WBL_NODE_NULL   ? "null"
			: n->kind == WBL_NODE_TRUE ? "true"
						   : "false");
	}
}

static int to_json(struct wbl_rows *r, const struct wbl_cell *c, const char **why)
{
	struct wbl_doc *d = is_text(c) ? wbl_doc_parse((const char *)c->data, c->len, NULL) : NULL;
	struct wbl_out o = { 0 };

	if (!d)
		return no(why, "not JSON");
	canonical(&o, NULL, wbl_doc_root(d));
	wbl_cell_blob(r, WBL_CELL_JSON, o.s, o.len);
	wbl_out_clear(&o);
	wbl_doc_free(d);
	return 0;
}

static int to_text(struct wbl_rows *r, const struct wbl_cell *c, const char **why)
{
	struct wbl_out o = { 0 };

	if (c->tag == WBL_CELL_BYTES || c->tag == WBL_CELL_LIST)
		return no(why, "bytes are no text");
	if (c->tag == WBL_CELL_RAW) {
		wbl_cell_copy(r, c->at, c->whole);
		return 0;
	}
	wbl_cell_show(&o, c);
	wbl_cell_text(r, o.s, o.len);
	wbl_out_clear(&o);
	return 0;
}

static int to_bytes(struct wbl_rows *r, const struct wbl_cell *c, const char **why)
{
	if (c->tag != WBL_CELL_TEXT && c->tag != WBL_CELL_RAW)
		return no(why, "only text and bytes become bytes");
	wbl_cell_blob(r, WBL_CELL_BYTES, c->data, c->len);
	return 0;
}

static int tag_of(int32_t type)
{
	static const int tags[] = { 0, WBL_CELL_INT, WBL_CELL_DECIMAL, WBL_CELL_REAL,
		WBL_CELL_REAL32, WBL_CELL_TEXT, WBL_CELL_BYTES, 0, WBL_CELL_INSTANT, WBL_CELL_LOCAL,
		WBL_CELL_DATE, WBL_CELL_UUID, WBL_CELL_JSON };

	return tags[type];
}

int wbl_cell_cast(struct wbl_rows *r, const struct wbl_cell *c, int32_t type, const char **ret_why)
{
	if (type == WBL_TYPE_ANY || c->tag == WBL_CELL_NULL || c->tag == tag_of(type) ||
		(type == WBL_TYPE_DECIMAL && c->tag == WBL_CELL_INT)) {
		wbl_cell_copy(r, c->at, c->whole);
		return 0;
	}
	switch (type) {
	case WBL_TYPE_INT:
		return to_int(r, c, ret_why);
	case WBL_TYPE_DECIMAL:
		return to_decimal(r, c, ret_why);
	case WBL_TYPE_REAL:
	case WBL_TYPE_REAL32:
		return to_real(r, c, type == WBL_TYPE_REAL32, ret_why);
	case WBL_TYPE_TEXT:
		return to_text(r, c, ret_why);
	case WBL_TYPE_BYTES:
		return to_bytes(r, c, ret_why);
	case WBL_TYPE_BOOL:
		return to_bool(r, c, ret_why);
	case WBL_TYPE_INSTANT:
	case WBL_TYPE_LOCAL:
		return to_time(r, c, type == WBL_TYPE_INSTANT, ret_why);
	case WBL_TYPE_DATE:
		return to_date(r, c, ret_why);
	case WBL_TYPE_UUID:
		return to_uuid(r, c, ret_why);
	case WBL_TYPE_JSON:
		return to_json(r, c, ret_why);
	default:
		return no(ret_why, "an unknown logical type");
	}
}

static void show_real(struct wbl_out *o, double d, int narrow)
{
	char b[40];

	/* The shortest text that reads back as the same number. */
	for (int p = narrow ? 6 : 15; p <= 17; p++) {
		snprintf(b, sizeof b, "%.*g", p, d);
		if (narrow ? strtof(b, NULL) == (float)d : strtod(b, NULL) == d)
			break;
	}
	wbl_out_add(o, b, strlen(b));
}

static void show_hex(struct wbl_out *o, const uint8_t *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		wbl_out_fmt(o, "%02x", p[i]);
}

static void show_uuid(struct wbl_out *o, const uint8_t *p)
{
	static const int part[] = { 4, 2, 2, 2, 6 };

	for (int i = 0; i < 5; p += part[i++]) {
		if (i)
			wbl_out_add(o, "-", 1);
		show_hex(o, p, (size_t)part[i]);
	}
}

void wbl_cell_show(struct wbl_out *o, const struct wbl_cell *c)
{
	char b[40];

	switch (c->tag) {
	case WBL_CELL_NULL:
		wbl_out_add(o, "NULL", 4);
		break;
	case WBL_CELL_INT:
		wbl_out_fmt(o, "%lld", (long long)wbl_cell_get_int(c));
		break;
	case WBL_CELL_REAL:
	case WBL_CELL_REAL32:
		show_real(o, wbl_cell_get_real(c), c->tag == WBL_CELL_REAL32);
		break;
	case WBL_CELL_INSTANT:
	case WBL_CELL_LOCAL:
		wbl_out_add(o, b,
			wbl_time_show(
				wbl_cell_get_int(c), c->data[8], c->tag == WBL_CELL_INSTANT, b));
		break;
	case WBL_CELL_DATE:
		wbl_out_add(o, b, wbl_date_show((int32_t)wbl_cell_get_int(c), b));
		break;
	case WBL_CELL_UUID:
		show_uuid(o, c->data);
		break;
	case WBL_CELL_BYTES:
	case WBL_CELL_LIST:
		wbl_out_add(o, "x'", 2);
		show_hex(o, c->data, c->len);
		wbl_out_add(o, "'", 1);
		break;
	default:
		wbl_out_add(o, c->data, c->len);
	}
}
