/* data_expr_calc.c - operators and plain functions of expressions, which refuse where SQLite's would lose something in silence.
 * In: values of SQLite.  Out: exact results, or an error without the value in it (it may be one that is masked).
 * A new function is a function and a line in data_fn_plain.
 * SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "data_expr.h"

void data_fn_refuse(sqlite3_context *ctx, const char *fmt, ...)
{
	char text[200];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	sqlite3_result_error(ctx, text, -1);
}

void data_fn_cell(sqlite3_value *v, struct wbl_rows *r, struct wbl_cell *ret)
{
	struct wbl_bytes at;
	size_t from = r->len;

	switch (sqlite3_value_type(v)) {
	case SQLITE_INTEGER:
		wbl_cell_int(r, sqlite3_value_int64(v));
		break;
	case SQLITE_FLOAT:
		wbl_cell_real(r, sqlite3_value_double(v));
		break;
	case SQLITE_TEXT: {
		const unsigned char *s = sqlite3_value_text(v);

		wbl_cell_text(r, s, (size_t)sqlite3_value_bytes(v));
		break;
	}
	case SQLITE_BLOB: {
		const void *s = sqlite3_value_blob(v);

		wbl_cell_blob(r, WBL_CELL_BYTES, s, (size_t)sqlite3_value_bytes(v));
		break;
	}
	default:
		wbl_cell_null(r);
	}
	at = (struct wbl_bytes){ r->data + from, r->len - from };
	wbl_cell_next(&at, ret);
}

void data_fn_text(sqlite3_context *ctx, const char *s, size_t len)
{
	sqlite3_result_text64(ctx, s ? s : "", len, SQLITE_TRANSIENT, SQLITE_UTF8);
}

void data_fn_result(sqlite3_context *ctx, const struct wbl_cell *c)
{
	struct wbl_out o = { 0 };

	switch (c->tag) {
	case WBL_CELL_NULL:
		sqlite3_result_null(ctx);
		return;
	case WBL_CELL_INT:
		sqlite3_result_int64(ctx, wbl_cell_get_int(c));
		return;
	case WBL_CELL_REAL:
	case WBL_CELL_REAL32:
		sqlite3_result_double(ctx, wbl_cell_get_real(c));
		return;
	case WBL_CELL_BYTES:
		sqlite3_result_blob64(ctx, c->data, c->len, SQLITE_TRANSIENT);
		return;
	default:
		wbl_cell_show(&o, c);
		data_fn_text(ctx, o.s, o.len);
		wbl_out_clear(&o);
	}
}

int data_fn_null(sqlite3_context *ctx, int n, sqlite3_value **v)
{
	for (int i = 0; i < n; i++)
		if (sqlite3_value_type(v[i]) == SQLITE_NULL) {
			sqlite3_result_null(ctx);
			return 1;
		}
	return 0;
}

const char *data_fn_as_text(
	sqlite3_context *ctx, sqlite3_value *v, struct wbl_out *o, size_t *ret_len)
{
	struct wbl_rows r = { 0 };
	struct wbl_cell c;
	const char *s;

	if (sqlite3_value_type(v) == SQLITE_TEXT) {
		s = (const char *)sqlite3_value_text(v);
		*ret_len = (size_t)sqlite3_value_bytes(v);
		return s ? s : "";
	}
	if (sqlite3_value_type(v) == SQLITE_BLOB) {
		data_fn_refuse(ctx, "bytes where a text should stand");
		return NULL;
	}
	data_fn_cell(v, &r, &c);
	wbl_out_reset(o);
	wbl_cell_show(o, &c);
	wbl_rows_clear(&r);
	*ret_len = o->len;
	return o->s;
}

/* ---- numbers ---- */

struct num {
	int real;
	int64_t i;
	double d;
};

static int num_of(sqlite3_context *ctx, sqlite3_value *v, struct num *ret)
{
	switch (sqlite3_value_type(v)) {
	case SQLITE_INTEGER:
		ret->real = 0;
		ret->i = sqlite3_value_int64(v);
		ret->d = (double)ret->i;
		return 0;
	case SQLITE_FLOAT:
		ret->real = 1;
		ret->d = sqlite3_value_double(v);
		return 0;
	default:
		data_fn_refuse(
			ctx, "a text or bytes where a number should stand; say CAST(... AS INT)");
		return -1;
	}
}

static int pair(sqlite3_context *ctx, sqlite3_value **v, struct num *a, struct num *b)
{
	if (data_fn_null(ctx, 2, v) || num_of(ctx, v[0], a) || num_of(ctx, v[1], b))
		return -1;
	if (a->real != b->real && ((!a->real && llabs(a->i) > INT64_C(9007199254740992)) ||
					  (!b->real && llabs(b->i) > INT64_C(9007199254740992)))) {
		data_fn_refuse(ctx, "a whole number that binary64 cannot hold");
		return -1;
	}
	a->real |= b->real;
	return 0;
}

static void give_real(sqlite3_context *ctx, double d, const struct num *a, const struct num *b)
{
	if (isnan(d) || (isinf(d) && !isinf(a->d) && !isinf(b->d)))
		data_fn_refuse(ctx, "the result is no number that binary64 can hold");
	else
		sqlite3_result_double(ctx, d);
}

static void give_int(sqlite3_context *ctx, int overflow, int64_t v)
{
	if (overflow)
		data_fn_refuse(ctx, "the result is greater than a whole number of 64 bits");
	else
		sqlite3_result_int64(ctx, v);
}

static void op_add(sqlite3_context *ctx, int n, sqlite3_value **v)
{
	struct num a, b;
	int64_t r;
	int over;

	if (pair(ctx, v, &a, &b))
		return;
	if (a.real) {
		give_real(ctx, a.d + b.d, &a, &b);
		return;
	}
	over = __builtin_add_overflow(a.i, b.i, &r);
	give_int(ctx, over, r);
}

static void op_sub(sqlite3_context *ctx, int n, sqlite3_value **v)
{
	struct num a, b;
	int64_t r;
	int over;

	if (pair(ctx, v, &a, &b))
		return;
	if (a.real) {
		give_real(ctx, a.d - b.d, &a, &b);
		return;
	}
	over = __builtin_sub_overflow(a.i, b.i, &r);
	give_int(ctx, over, r);
}

static void op_mul(sqlite3_context *ctx, int n, sqlite3_value **v)
{
	struct num a, b;
	int64_t r;
	int over;

	if (pair(ctx, v, &a, &b))
		return;
	if (a.real) {
		give_real(ctx, a.d * b.d, &a, &b);
		return;
	}
	over = __builtin_mul_overflow(a.i, b.i, &r);
	give_int(ctx, over, r);
}

static void op_div(sqlite3_context *ctx, int n, sqlite3_value **v)
{
	struct num a, b;

	if (pair(ctx, v, &a, &b))
		return;
	if (a.real ? b.d == 0 : b.i == 0)
		data_fn_refuse(ctx, "a division by zero");
	else if (a.real)
		give_real(ctx, a.d / b.d, &a, &b);
	else if (b.i == -1)
		give_int(ctx, a.i == INT64_MIN, a.i == INT64_MIN ? 0 : -a.i);
	else
		sqlite3_result_int64(ctx, a.i / b.i);
}

static int whole(sqlite3_context *ctx, const struct num *a, const struct num *b)
{
	if (!a->real && !b->real)
		return 1;
	data_fn_refuse(ctx, "a number that is not whole where a whole one should stand");
	return 0;
}

static void op_mod(sqlite3_context *ctx, int n, sqlite3_value **v)
{
	struct num a, b;

	if (pair(ctx, v, &a, &b) || !whole(ctx, &a, &b))
		return;
	if (!b.i)
		data_fn_refuse(ctx, "a division by zero");
	else
		sqlite3_result_int64(ctx, b.i == -1 ? 0 : a.i % b.i);
}

static void op_neg(sqlite3_context *ctx, int n, sqlite3_value **v)
{
	struct num a;

	if (data_fn_null(ctx, 1, v) || num_of(ctx, v[0], &a))
		return;
	if (a.real)
		sqlite3_result_double(ctx, -a.d);
	else
		give_int(ctx, a.i == INT64_MIN, a.i == INT64_MIN ? 0 : -a.i);
}

static void op_number(sqlite3_context *ctx, int n, sqlite3_value **v)
{
	struct num a;

	if (!data_fn_null(ctx, 1, v) && !num_of(ctx, v[0], &a))
		sqlite3_result_value(ctx, v[0]);
}

static void op_truth(sqlite3_context *ctx, int n, sqlite3_value **v)
{
	struct num a;

	if (!data_fn_null(ctx, 1, v) && !num_of(ctx, v[0], &a))
		sqlite3_result_int(ctx, a.real ? a.d != 0 : a.i != 0);
}

static void op_not(sqlite3_context *ctx, int n, sqlite3_value **v)
{
	struct num a;

	if (!data_fn_null(ctx, 1, v) && !num_of(ctx, v[0], &a) && whole(ctx, &a, &a))
		sqlite3_result_int64(ctx, ~a.i);
}

static void op_and(sqlite3_context *ctx, int n, sqlite3_value **v)
{
	struct num a, b;

	if (!pair(ctx, v, &a, &b) && whole(ctx, &a, &b))
		sqlite3_result_int64(ctx, a.i & b.i);
}

static void op_or(sqlite3_context *ctx, int n, sqlite3_value **v)
{
	struct num a, b;

	if (!pair(ctx, v, &a, &b) && whole(ctx, &a, &b))
		sqlite3_result_int64(ctx, a.i | b.i);
}

static int64_t shifted(int64_t a, int64_t left)
{
	if (left <= -64)
		return a < 0 ? -1 : 0;
	if (left < 0)
		return a < 0 ? ~(~a >> -left) : a >> -left;
	return left >= 64 ? 0 : (int64_t)((uint64_t)a << left);
}

static void op_shl(sqlite3_context *ctx, int n, sqlite3_value **v)
{
	struct num a, b;

	if (!pair(ctx, v, &a, &b) && whole(ctx, &a, &b))
		sqlite3_result_int64(ctx, shifted(a.i, b.i));
}

static void op_shr(sqlite3_context *ctx, int n, sqlite3_value **v)
{
	struct num a, b;

	if (!pair(ctx, v, &a, &b) && whole(ctx, &a, &b))
		sqlite3_result_int64(ctx, shifted(a.i, b.i == INT64_MIN ? 64 : -b.i));
}

/* ---- comparisons ---- */

static int int_against_real(int64_t i, double d)
{
	int64_t t;

	if (d >= 9223372036854775808.0)
		return -1;
	if (d < -9223372036854775808.0)
		return 1;
	t = (int64_t)d;
	if (i != t)
		return i < t ? -1 : 1;
	return (double)t < d ? -1 : (double)t > d;
}

static int numbers(sqlite3_value *a, sqlite3_value *b)
{
	int x = sqlite3_value_type(a) == SQLITE_FLOAT, y = sqlite3_value_type(b) == SQLITE_FLOAT;
	int64_t i, k;
	double d, e;

	if (!x && !y) {
		i = sqlite3_value_int64(a);
		k = sqlite3_value_int64(b);
		return i < k ? -1 : i > k;
	}
	if (x && y) {
		d = sqlite3_value_double(a);
		e = sqlite3_value_double(b);
		return d < e ? -1 : d > e;
	}
	return x ? -int_against_real(sqlite3_value_int64(b), sqlite3_value_double(a))
		 : int_against_real(sqlite3_value_int64(a), sqlite3_value_double(b));
}

static int class_of(sqlite3_value *v)
{
	int type = sqlite3_value_type(v);

	return type == SQLITE_FLOAT ? SQLITE_INTEGER : type;
}

/* 0 and the order in *ret; 1: one is NULL; -1: refused. */
static int compare(sqlite3_context *ctx, sqlite3_value *a, sqlite3_value *b, int *ret)
{
	int x = class_of(a), y = class_of(b), n, m;
	const void *p, *q;

	if (x == SQLITE_NULL || y == SQLITE_NULL)
		return 1;
	if (x != y) {
		data_fn_refuse(ctx,
			"values of different kinds are compared (%s and %s); say CAST on one of "
			"them",
			x == SQLITE_INTEGER ? "a number"
			: x == SQLITE_TEXT  ? "a text"
					    : "bytes",
			y == SQLITE_INTEGER ? "a number"
			: y == SQLITE_TEXT  ? "a text"
					    : "bytes");
		return -1;
	}
	if (x == SQLITE_INTEGER) {
		*ret = numbers(a, b);
		return 0;
	}
	p = x == SQLITE_TEXT ? (const void *)sqlite3_value_text(a) : sqlite3_value_blob(a);
	q = x == SQLITE_TEXT ? (const void *)sqlite3_value_text(b) : sqlite3_value_blob(b);
	n = sqlite3_value_bytes(a);
	m = sqlite3_value_bytes(b);
	*ret = n && m ? memcmp(p, q, (size_t)(n < m ? n : m)) : 0;
	if (!*ret)
		*ret = n < m ? -1 : n > m;
	return 0;
}

#define COMPARISON(name, test)                                                                     \
	static void name(sqlite3_context *ctx, int n, sqlite3_value **v)                           \
	{                                                                                          \
		int d = 0, rc = compare(ctx, v[0], v[1], &d);                                      \
                                                                                                   \
		if (rc == 0)                                                                       \
			sqlite3_result_int(ctx, d test 0);                                         \
	}
COMPARISON(op_eq, ==)
COMPARISON(op_ne, !=)
COMPARISON(op_lt, <)
COMPARISON(op_le, <=)
COMPARISON(op_gt, >)
COMPARISON(op_ge, >=)

static int same(sqlite3_context *ctx, sqlite3_value **v)
{
	int d = 0, rc = compare(ctx, v[0], v[1], &d);

	if (rc < 0)
		return -1;
	return rc ? sqlite3_value_type(v[0]) == sqlite3_value_type(v[1]) : !d;
}

static void op_is(sqlite3_context *ctx, int n, sqlite3_value **v)
{
	int yes = same(ctx, v);

	if (yes >= 0)
		sqlite3_result_int(ctx, yes);
}

static void op_isnot(sqlite3_context *ctx, int n, sqlite3_value **v)
{
	int yes = same(ctx, v);

	if (yes >= 0)
		sqlite3_result_int(ctx, !yes);
}

static void op_in(sqlite3_context *ctx, int n, sqlite3_value **v)
{
	int unknown = 0, d = 0;

	for (int i = 1; i < n; i++) {
		int rc = compare(ctx, v[0], v[i], &d);

		if (rc < 0)
			return;
		if (!rc && !d) {
			sqlite3_result_int(ctx, 1);
			return;
		}
		unknown |= rc;
	}
	if (!unknown)
		sqlite3_result_int(ctx, 0);
}

static void op_between(sqlite3_context *ctx, int n, sqlite3_value **v)
{
	int d = 0, e = 0, low = compare(ctx, v[0], v[1], &d), high;

	if (low < 0 || (high = compare(ctx, v[0], v[2], &e)) < 0)
		return;
	if ((!low && d < 0) || (!high && e > 0))
		sqlite3_result_int(ctx, 0);
	else if (!low && !high)
		sqlite3_result_int(ctx, 1);
}

static void nullif(sqlite3_context *ctx, int n, sqlite3_value **v)
{
	int d = 0, rc = compare(ctx, v[0], v[1], &d);

	if (rc >= 0 && (rc || d))
		sqlite3_result_value(ctx, v[0]);
}

static void extreme(sqlite3_context *ctx, int n, sqlite3_value **v, int sign)
{
	int best = 0, d = 0;

	if (data_fn_null(ctx, n, v))
		return;
	for (int i = 1; i < n; i++) {
		if (compare(ctx, v[i], v[best], &d))
			return;
		if (d * sign > 0)
			best = i;
	}
	sqlite3_result_value(ctx, v[best]);
}

static void greatest(sqlite3_context *ctx, int n, sqlite3_value **v)
{
	extreme(ctx, n, v, 1);
}

static void least(sqlite3_context *ctx, int n, sqlite3_value **v)
{
	extreme(ctx, n, v, -1);
}

/* ---- texts ---- */

static void op_cast(sqlite3_context *ctx, int n, sqlite3_value **v)
{
	struct wbl_rows in = { 0 }, out = { 0 };
	struct wbl_cell c;
	struct wbl_bytes at;
	const char *why = "";
	int32_t type = (int32_t)sqlite3_value_int(v[1]);

	if ((type == WBL_TYPE_TEXT && sqlite3_value_type(v[0]) == SQLITE_TEXT) ||
		(type == WBL_TYPE_INT && sqlite3_value_type(v[0]) == SQLITE_INTEGER)) {
		sqlite3_result_value(ctx, v[0]);
		return;
	}
	data_fn_cell(v[0], &in, &c);
	if (wbl_cell_cast(&out, &c, type, &why)) {
		data_fn_refuse(ctx, "%s", why);
	} else {
		at = (struct wbl_bytes){ out.data, out.len };
		wbl_cell_next(&at, &c);
		data_fn_result(ctx, &c);
	}
	wbl_rows_clear(&in);
	wbl_rows_clear(&out);
}

static void op_text(sqlite3_context *ctx, int n, sqlite3_value **v)
{
	struct wbl_out o = { 0 };
	size_t len;
	const char *s;

	if (data_fn_null(ctx, 1, v))
		return;
	s = data_fn_as_text(ctx, v[0], &o, &len);
	if (s)
		data_fn_text(ctx, s, len);
	wbl_out_clear(&o);
}

/* from: where the texts begin; separator between those that are there. */
static void join(
	sqlite3_context *ctx, int from, int n, sqlite3_value **v, const char *sep, size_t seplen)
{
	struct wbl_out all = { 0 }, one = { 0 };
	const char *s = "";
	int any = 0;
	size_t len;

	for (int i = from; s && i < n; i++) {
		if (sqlite3_value_type(v[i]) == SQLITE_NULL)
			continue;
		if (any++)
			wbl_out_add(&all, sep, seplen);
		s = data_fn_as_text(ctx, v[i], &one, &len);
		if (s)
			wbl_out_add(&all, s, len);
	}
	if (s)
		data_fn_text(ctx, all.s, all.len);
	wbl_out_clear(&all);
	wbl_out_clear(&one);
}

/* A text as it stands, a whole number in `b`; NULL: another kind. */
static const char *short_text(sqlite3_value *v, char b[24], size_t *len)
{
	const char *s = NULL;

	if (sqlite3_value_type(v) == SQLITE_TEXT) {
		s = (const char *)sqlite3_value_text(v);
		*len = (size_t)sqlite3_value_bytes(v);
	} else if (sqlite3_value_type(v) == SQLITE_INTEGER) {
		*len = (size_t)snprintf(b, 24, "%lld", (long long)sqlite3_value_int64(v));
		s = b;
	}
	return s;
}

static void op_join(sqlite3_context *ctx, int n, sqlite3_value **v)
{
	char a[24], b[24], *to;
	size_t len, more;
	const char *s, *t;

	if (data_fn_null(ctx, n, v))
		return;
	s = short_text(v[0], a, &len);
	t = short_text(v[1], b, &more);
	to = s && t ? sqlite3_malloc64(len + more + 1) : NULL;
	if (!to) {
		join(ctx, 0, n, v, "", 0);
		return;
	}
	memcpy(to, s, len);
	memcpy(to + len, t, more);
	sqlite3_result_text64(ctx, to, len + more, sqlite3_free, SQLITE_UTF8);
}

static void concat(sqlite3_context *ctx, int n, sqlite3_value **v)
{
	join(ctx, 0, n, v, "", 0);
}

static void concat_ws(sqlite3_context *ctx, int n, sqlite3_value **v)
{
	struct wbl_out o = { 0 };
	size_t len;
	const char *sep;

	if (data_fn_null(ctx, 1, v))
		return;
	sep = data_fn_as_text(ctx, v[0], &o, &len);
	if (sep)
		join(ctx, 1, n, v, sep, len);
	wbl_out_clear(&o);
}

static const char *find(const char *s, size_t len, const char *what, size_t wlen)
{
	return memmem(s, len, what, wlen);
}

static size_t count_parts(const char *s, size_t len, const char *sep, size_t seplen)
{
	const char *end = s + len;
	size_t n = 1;

	while ((s = find(s, (size_t)(end - s), sep, seplen)) != NULL) {
		s += seplen;
		n++;
	}
	return n;
}

/* part('a/b/c', '/', 2) is 'b'; -1 counts from the end; NULL where there is none. */
static void part(sqlite3_context *ctx, int n, sqlite3_value **v)
{
	struct wbl_out a = { 0 }, b = { 0 };
	const char *s, *sep, *at;
	size_t len, seplen;
	int64_t want;

	if (data_fn_null(ctx, 3, v))
		return;
	s = data_fn_as_text(ctx, v[0], &a, &len);
	sep = s ? data_fn_as_text(ctx, v[1], &b, &seplen) : NULL;
	want = sqlite3_value_int64(v[2]);
	if (!sep || !seplen || !want) {
		if (sep)
			data_fn_refuse(ctx, "part() needs a separator, and a number that is not 0");
		goto out;
	}
	if (want < 0)
		want += (int64_t)count_parts(s, len, sep, seplen) + 1;
	for (; want > 1; want--) {
		at = find(s, len, sep, seplen);
		if (!at)
			goto out;
		len -= (size_t)(at - s) + seplen;
		s = at + seplen;
	}
	if (want == 1) {
		at = find(s, len, sep, seplen);
		data_fn_text(ctx, s, at ? (size_t)(at - s) : len);
	}
out:
	wbl_out_clear(&a);
	wbl_out_clear(&b);
}

/* ---- JSON ---- */

static void op_json(sqlite3_context *ctx, int n, sqlite3_value **v)
{
	unsigned subtype = sqlite3_value_subtype(v[0]);
	char b[40];
	double d;

	if (sqlite3_value_type(v[0]) == SQLITE_FLOAT) {
		d = sqlite3_value_double(v[0]);
		snprintf(b, sizeof b, "%.15g", d);
		if (isinf(d) || strtod(b, NULL) != d) {
			data_fn_refuse(ctx,
				"JSON would not keep this binary number; say CAST(... AS TEXT)");
			return;
		}
	}
	if (sqlite3_value_type(v[0]) == SQLITE_BLOB) {
		data_fn_refuse(ctx, "JSON holds no bytes; say hex(...)");
		return;
	}
	sqlite3_result_value(ctx, v[0]);
	if (subtype)
		sqlite3_result_subtype(ctx, subtype);
}

static const struct wbl_node *member(const struct wbl_node *n, const char *name, size_t len)
{
	if (n->kind != WBL_NODE_OBJECT)
		return NULL;
	for (n = n->child; n; n = n->next)
		if (n->key.len == len && !memcmp(n->key.s, name, len))
			return n;
	return NULL;
}

static const struct wbl_node *element(const struct wbl_node *n, int64_t i)
{
	if (n->kind != WBL_NODE_ARRAY)
		return NULL;
	if (i < 0)
		i += n->count;
	for (n = i < 0 ? NULL : n->child; n && i; n = n->next)
		i--;
	return n;
}

/* $.name."other name"[3][#-1] 0; -1: no path. */
static int walk(const struct wbl_node **n, const char *p)
{
	size_t len;

	for (p++; *p;) {
		if (*p == '.' && p[1] == '"') {
			len = strcspn(p += 2, "\"");
			if (p[len] != '"')
				return -1;
			*n = *n ? member(*n, p, len) : NULL;
			p += len + 1;
		} else if (*p == '.') {
			len = strcspn(++p, ".[");
			if (!len)
				return -1;
			*n = *n ? member(*n, p, len) : NULL;
			p += len;
		} else if (*p == '[') {
			char *end;
			int back = p[1] == '#' && p[2] == '-';
			int64_t i = strtoll(p + 1 + 2 * back, &end, 10);

			if (*end != ']' || end == p + 1 + 2 * back || (!back && i < 0))
				return -1;
			*n = *n ? element(*n, back ? -i : i) : NULL;
			p = end + 1;
		} else {
			return -1;
		}
	}
	return 0;
}

static void write_json(struct wbl_out *o, const char *key, const struct wbl_node *n)
{
	int array = n->kind == WBL_NODE_ARRAY;

	if (array || n->kind == WBL_NODE_OBJECT) {
		wbl_out_open(o, key, array ? '[' : '{');
		for (const struct wbl_node *c = n->child; c; c = c->next)
			write_json(o, array ? NULL : c->key.s, c);
		wbl_out_close(o, array ? ']' : '}');
	} else if (n->kind == WBL_NODE_TEXT) {
		wbl_out_textn(o, key, n->text.s, n->text.len);
	} else {
		wbl_out_json(o, key,
			n->kind == WBL_NODE_NUMBER ? n->text.s
			: n->kind == WBL_NODE_NULL ? "null"
			: n->kind == WBL_NODE_TRUE ? "true"
						   : "false");
	}
}

/* A binary number stands for it when both are written alike. */
static void give_number(sqlite3_context *ctx, const char *s, size_t len)
{
	struct wbl_rows r = { 0 };
	struct wbl_out o = { 0 };
	struct wbl_bytes at;
	struct wbl_cell c;
	char want[512], have[512], *end;
	size_t n, m;
	double d = strtod(s, &end);

	if (!strpbrk(s, ".eE") && !wbl_decimal_canon(s, len, want, &n) && n < 20) {
		struct wbl_rows i = { 0 };
		const char *why = "";

		wbl_cell_text(&r, s, len);
		at = (struct wbl_bytes){ r.data, r.len };
		wbl_cell_next(&at, &c);
		if (!wbl_cell_cast(&i, &c, WBL_TYPE_INT, &why)) {
			at = (struct wbl_bytes){ i.data, i.len };
			wbl_cell_next(&at, &c);
			data_fn_result(ctx, &c);
			wbl_rows_clear(&i);
			wbl_rows_clear(&r);
			return;
		}
		wbl_rows_clear(&i);
	}
	wbl_rows_reset(&r);
	wbl_cell_real(&r, d);
	at = (struct wbl_bytes){ r.data, r.len };
	wbl_cell_next(&at, &c);
	wbl_cell_show(&o, &c);
	if (!isinf(d) && (!strcmp(o.s, s) || (!wbl_decimal_canon(s, len, want, &n) &&
						     !wbl_decimal_canon(o.s, o.len, have, &m) &&
						     !strcmp(want, have))))
		sqlite3_result_double(ctx, d);
	else
		data_fn_refuse(ctx, "a JSON number that no binary one is equal to; use "
				    "json_decimal(json, path)");
	wbl_out_clear(&o);
	wbl_rows_clear(&r);
}

static void give_node(sqlite3_context *ctx, const struct wbl_node *n, int decimal)
{
	struct wbl_out o = { 0 };
	char canon[512];
	size_t len;

	if (!n || n->kind == WBL_NODE_NULL)
		return;
	if (decimal) {
		if ((n->kind == WBL_NODE_NUMBER || n->kind == WBL_NODE_TEXT) &&
			!wbl_decimal_canon(n->text.s, n->text.len, canon, &len))
			data_fn_text(ctx, canon, len);
		else
			data_fn_refuse(ctx, "what the JSON has there is no decimal number");
	} else if (n->kind == WBL_NODE_TEXT) {
		data_fn_text(ctx, n->text.s, n->text.len);
	} else if (n->kind == WBL_NODE_NUMBER) {
		give_number(ctx, n->text.s, n->text.len);
	} else if (n->kind == WBL_NODE_TRUE || n->kind == WBL_NODE_FALSE) {
		sqlite3_result_int(ctx, n->kind == WBL_NODE_TRUE);
	} else {
		write_json(&o, NULL, n);
		data_fn_text(ctx, o.s, o.len);
		wbl_out_clear(&o);
	}
}

static void json_at(sqlite3_context *ctx, sqlite3_value **v, int decimal)
{
	const char *text, *path;
	struct wbl_doc *d;
	const struct wbl_node *n;
	int bad = 0;

	if (data_fn_null(ctx, 2, v))
		return;
	text = (const char *)sqlite3_value_text(v[0]);
	d = text ? wbl_doc_parse(text, (size_t)sqlite3_value_bytes(v[0]), NULL) : NULL;
	if (!d) {
		data_fn_refuse(ctx, "no JSON where JSON should stand");
		return;
	}
	n = wbl_doc_root(d);
	path = (const char *)sqlite3_value_text(v[1]);
	if (sqlite3_value_type(v[1]) == SQLITE_INTEGER)
		n = element(n, sqlite3_value_int64(v[1]));
	else if (path && *path == '$')
		bad = walk(&n, path);
	else
		n = path ? member(n, path, strlen(path)) : NULL;
	if (bad)
		data_fn_refuse(ctx, "a path into JSON is written $.name[0]");
	else
		give_node(ctx, n, decimal);
	wbl_doc_free(d);
}

static void json_get(sqlite3_context *ctx, int n, sqlite3_value **v)
{
	json_at(ctx, v, 0);
}

static void json_decimal(sqlite3_context *ctx, int n, sqlite3_value **v)
{
	json_at(ctx, v, 1);
}

const struct data_fn data_fn_plain[] = {
	{ "op_add", 2, 2, 0, KIND_NUMBER, op_add, NULL, 1, 0 },
	{ "op_sub", 2, 2, 0, KIND_NUMBER, op_sub, NULL, 1, 0 },
	{ "op_mul", 2, 2, 0, KIND_NUMBER, op_mul, NULL, 1, 0 },
	{ "op_div", 2, 2, 0, KIND_NUMBER, op_div, NULL, 1, 0 },
	{ "op_mod", 2, 2, 0, KIND_NUMBER, op_mod, NULL, 1, 0 },
	{ "op_neg", 1, 1, 0, KIND_NUMBER, op_neg, NULL, 1, 0 },
	{ "op_number", 1, 1, 0, KIND_NUMBER, op_number, NULL, 1, 0 },
	{ "op_truth", 1, 1, 0, KIND_TRUTH, op_truth, NULL, 1, 0 },
	{ "op_not", 1, 1, 0, KIND_NUMBER, op_not, NULL, 1, 0 },
	{ "op_and", 2, 2, 0, KIND_NUMBER, op_and, NULL, 1, 0 },
	{ "op_or", 2, 2, 0, KIND_NUMBER, op_or, NULL, 1, 0 },
	{ "op_shl", 2, 2, 0, KIND_NUMBER, op_shl, NULL, 1, 0 },
	{ "op_shr", 2, 2, 0, KIND_NUMBER, op_shr, NULL, 1, 0 },
	{ "op_eq", 2, 2, 0, KIND_TRUTH, op_eq, NULL, 1, 0 },
	{ "op_ne", 2, 2, 0, KIND_TRUTH, op_ne, NULL, 1, 0 },
	{ "op_lt", 2, 2, 0, KIND_TRUTH, op_lt, NULL, 1, 0 },
	{ "op_le", 2, 2, 0, KIND_TRUTH, op_le, NULL, 1, 0 },
	{ "op_gt", 2, 2, 0, KIND_TRUTH, op_gt, NULL, 1, 0 },
	{ "op_ge", 2, 2, 0, KIND_TRUTH, op_ge, NULL, 1, 0 },
	{ "op_is", 2, 2, 0, KIND_TRUTH, op_is, NULL, 1, 0 },
	{ "op_isnot", 2, 2, 0, KIND_TRUTH, op_isnot, NULL, 1, 0 },
	{ "op_in", 1, 100, 0, KIND_TRUTH, op_in, NULL, 1, 0 },
	{ "op_between", 3, 3, 0, KIND_TRUTH, op_between, NULL, 1, 0 },
	{ "op_cast", 2, 2, 0, KIND_ANY, op_cast, NULL, 1, 0 },
	{ "op_text", 1, 1, 0, KIND_TEXT, op_text, NULL, 1, 0 },
	{ "op_join", 2, 2, 0, KIND_TEXT, op_join, NULL, 1, 0 },
	{ "op_json", 1, 1, 0, KIND_ANY, op_json, NULL, 1, 0 },
	{ "json_get", 2, 2, 0, KIND_ANY, json_get, NULL, 0, 0 },
	{ "json_extract", 2, 2, 0, KIND_ANY, json_get, NULL, 0, 0 },
	{ "json_decimal", 2, 2, 0, KIND_DECIMAL, json_decimal, NULL, 0, 0 },
	{ "nullif", 2, 2, FN_PASSES, KIND_ANY, nullif, NULL, 0, 0 },
	{ "max", 2, 100, 0, KIND_ANY, greatest, "dec_max(a, b)", 0, 0 },
	{ "min", 2, 100, 0, KIND_ANY, least, "dec_min(a, b)", 0, 0 },
	{ "concat", 1, 100, FN_TEXTS, KIND_TEXT, concat, NULL, 0, 0 },
	{ "concat_ws", 2, 100, FN_TEXTS, KIND_TEXT, concat_ws, NULL, 0, 0 },
	{ "part", 3, 3, FN_TEXTS, KIND_TEXT, part, NULL, 0, 0 },
	{ "source_table", 0, 0, FN_TEXTS, KIND_TEXT, NULL, NULL, 0, 0 },
	{ NULL, 0, 0, 0, KIND_ANY, NULL, NULL, 0, 0 },
};
