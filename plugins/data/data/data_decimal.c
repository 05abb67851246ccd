/* data_decimal.c - exact decimals in expressions: dec_add and the like.
 * In: whole numbers and decimal texts of up to 400 digits (binary numbers are refused).  Out: the canonical text of a decimal.
 * A number is an integer of any size and how many of its digits stand behind the point.
 * SPDX-License-Identifier: Apache-2.0 */
#include <gmp.h>
#include <stdlib.h>
#include <string.h>

#include "data_expr.h"

enum { DIGITS_MAX = 400 };
struct dec {
	mpz_t n;
	int scale;
};

static int dec_of(sqlite3_context *ctx, sqlite3_value *v, struct dec *ret)
{
	char canon[512], digits[512], *point;
	size_t len, n = 0;
	const unsigned char *s;

	if (sqlite3_value_type(v) == SQLITE_FLOAT || sqlite3_value_type(v) == SQLITE_BLOB) {
		data_fn_refuse(ctx, "a binary number or bytes where a decimal should stand");
		return -1;
	}
	s = sqlite3_value_text(v);
	if (!s || wbl_decimal_canon((const char *)s, (size_t)sqlite3_value_bytes(v), canon, &len)) {
		data_fn_refuse(ctx, "a text that is no decimal number where one should stand");
		return -1;
	}
	for (const char *p = canon; *p; p++)
		if (*p != '.')
			digits[n++] = *p;
	digits[n] = 0;
	point = strchr(canon, '.');
	ret->scale = point ? (int)strlen(point + 1) : 0;
	mpz_set_str(ret->n, digits, 10);
	return 0;
}

static void give(sqlite3_context *ctx, const struct dec *d)
{
	char canon[512], *s, *text;
	size_t n, len;
	int minus = mpz_sgn(d->n) < 0;

	if (mpz_sizeinbase(d->n, 10) > DIGITS_MAX || d->scale > DIGITS_MAX) {
		data_fn_refuse(ctx, "the result has more than %d digits", DIGITS_MAX);
		return;
	}
	s = mpz_get_str(NULL, 10, d->n);
	n = strlen(s + minus);
	text = wbl_sdk_alloc(n + (size_t)d->scale + 4);
	len = 0;
	if (minus)
		text[len++] = '-';
	for (int zeros = d->scale - (int)n + 1; zeros > 0; zeros--)
		text[len++] = '0';
	memcpy(text + len, s + minus, n);
	len += n;
	if (d->scale) {
		memmove(text + len - d->scale + 1, text + len - d->scale, (size_t)d->scale);
		text[len - (size_t)d->scale] = '.';
		len++;
	}
	if (wbl_decimal_canon(text, len, canon, &n))
		data_fn_refuse(ctx, "the result has more than %d digits", DIGITS_MAX);
	else
		data_fn_text(ctx, canon, n);
	free(text);
	free(s);
}

static void scale_to(struct dec *d, int scale)
{
	mpz_t p;

	if (scale <= d->scale)
		return;
	mpz_init(p);
	mpz_ui_pow_ui(p, 10, (unsigned long)(scale - d->scale));
	mpz_mul(d->n, d->n, p);
	mpz_clear(p);
	d->scale = scale;
}

static void align(struct dec *a, struct dec *b)
{
	scale_to(a, b->scale);
	scale_to(b, a->scale);
}

static int two(sqlite3_context *ctx, sqlite3_value **v, struct dec *a, struct dec *b)
{
	if (data_fn_null(ctx, 2, v))
		return -1;
	mpz_init(a->n);
	mpz_init(b->n);
	if (!dec_of(ctx, v[0], a) && !dec_of(ctx, v[1], b))
		return 0;
	mpz_clear(a->n);
	mpz_clear(b->n);
	return -1;
}

static void done(struct dec *a, struct dec *b)
{
	mpz_clear(a->n);
	mpz_clear(b->n);
}

static void dec_add(sqlite3_context *ctx, int n, sqlite3_value **v)
{
	struct dec a, b;

	if (two(ctx, v, &a, &b))
		return;
	align(&a, &b);
	mpz_add(a.n, a.n, b.n);
	give(ctx, &a);
	done(&a, &b);
}

static void dec_sub(sqlite3_context *ctx, int n, sqlite3_value **v)
{
	struct dec a, b;

	if (two(ctx, v, &a, &b))
		return;
	align(&a, &b);
	mpz_sub(a.n, a.n, b.n);
	give(ctx, &a);
	done(&a, &b);
}

static void dec_mul(sqlite3_context *ctx, int n, sqlite3_value **v)
{
	struct dec a, b;

	if (two(ctx, v, &a, &b))
		return;
	mpz_mul(a.n, a.n, b.n);
	a.scale += b.scale;
	give(ctx, &a);
	done(&a, &b);
}

static void dec_cmp(sqlite3_context *ctx, int n, sqlite3_value **v)
{
	struct dec a, b;
	int d;

	if (two(ctx, v, &a, &b))
		return;
	align(&a, &b);
	d = mpz_cmp(a.n, b.n);
	sqlite3_result_int(ctx, d < 0 ? -1 : d > 0);
	done(&a, &b);
}

/* ---- rounding ---- */

static const char *const roundings[] = { "half_up", "half_even", "half_down", "up", "down",
	"ceiling", "floor" };
enum rounding { HALF_UP, HALF_EVEN, HALF_DOWN, UP, DOWN, CEILING, FLOOR };

static int rounding_of(sqlite3_context *ctx, int n, sqlite3_value **v, int at)
{
	const unsigned char *s =
		n > at ? sqlite3_value_text(v[at]) : (const unsigned char *)"half_up";

	for (size_t i = 0; s && i < sizeof roundings / sizeof *roundings; i++)
		if (!strcmp((const char *)s, roundings[i]))
			return (int)i;
	data_fn_refuse(ctx,
		"the rounding is one of half_up, half_even, half_down, up, down, ceiling, floor");
	return -1;
}

static int scale_of(sqlite3_context *ctx, sqlite3_value *v)
{
	int64_t scale = sqlite3_value_int64(v);

	if (sqlite3_value_type(v) == SQLITE_INTEGER && scale >= 0 && scale <= DIGITS_MAX)
		return (int)scale;
	data_fn_refuse(ctx, "the number of digits behind the point is a whole number from 0 to %d",
		DIGITS_MAX);
	return -1;
}

/* n / by, rounded: n becomes the quotient. by is not 0. */
static void divide(mpz_t n, const mpz_t by, enum rounding how)
{
	mpz_t rest, twice;
	int sign = mpz_sgn(n) * mpz_sgn(by), half, away;

	mpz_init(rest);
	mpz_init(twice);
	mpz_tdiv_qr(n, rest, n, by);
	mpz_mul_ui(twice, rest, 2);
	half = mpz_cmpabs(twice, by);
	away = how == UP || (how == CEILING && sign > 0) || (how == FLOOR && sign < 0) ||
	       (how <= HALF_DOWN &&
		       (half > 0 ||
			       (!half && (how == HALF_UP || (how == HALF_EVEN && mpz_odd_p(n))))));
	if (mpz_sgn(rest) && away) {
		if (sign > 0)
			mpz_add_ui(n, n, 1);
		else
			mpz_sub_ui(n, n, 1);
	}
	mpz_clear(rest);
	mpz_clear(twice);
}

static void dec_div(sqlite3_context *ctx, int n, sqlite3_value **v)
{
	struct dec a, b;
	int scale, how;

	if (data_fn_null(ctx, n, v) || (scale = scale_of(ctx, v[2])) < 0 ||
		(how = rounding_of(ctx, n, v, 3)) < 0 || two(ctx, v, &a, &b))
		return;
	if (!mpz_sgn(b.n)) {
		data_fn_refuse(ctx, "a division by zero");
	} else {
		align(&a, &b);
		a.scale = 0;
		scale_to(&a, scale);
		divide(a.n, b.n, (enum rounding)how);
		a.scale = scale;
		give(ctx, &a);
	}
	done(&a, &b);
}

static void dec_round(sqlite3_context *ctx, int n, sqlite3_value **v)
{
	struct dec a;
	int scale, how;
	mpz_t by;

	if (data_fn_null(ctx, n, v) || (scale = scale_of(ctx, v[1])) < 0 ||
		(how = rounding_of(ctx, n, v, 2)) < 0)
		return;
	mpz_init(a.n);
	mpz_init(by);
	if (!dec_of(ctx, v[0], &a)) {
		if (a.scale > scale) {
			mpz_ui_pow_ui(by, 10, (unsigned long)(a.scale - scale));
			divide(a.n, by, (enum rounding)how);
			a.scale = scale;
		}
		give(ctx, &a);
	}
	mpz_clear(by);
	mpz_clear(a.n);
}

/* ---- one and many ---- */

static void one(sqlite3_context *ctx, sqlite3_value **v, int negate)
{
	struct dec a;

	if (data_fn_null(ctx, 1, v))
		return;
	mpz_init(a.n);
	if (!dec_of(ctx, v[0], &a)) {
		if (negate)
			mpz_neg(a.n, a.n);
		else
			mpz_abs(a.n, a.n);
		give(ctx, &a);
	}
	mpz_clear(a.n);
}

static void dec_neg(sqlite3_context *ctx, int n, sqlite3_value **v)
{
	one(ctx, v, 1);
}

static void dec_abs(sqlite3_context *ctx, int n, sqlite3_value **v)
{
	one(ctx, v, 0);
}

/* What: 0 the sum, 1 the greatest, -1 the least, of those that are not NULL; NULL when all are. */
static void many(sqlite3_context *ctx, int n, sqlite3_value **v, int what)
{
	struct dec all = { .scale = 0 }, d = { .scale = 0 };
	int any = 0, bad = 0;

	mpz_init(all.n);
	mpz_init(d.n);
	for (int i = 0; i < n && !bad; i++) {
		if (sqlite3_value_type(v[i]) == SQLITE_NULL)
			continue;
		bad = dec_of(ctx, v[i], &d);
		if (bad)
			break;
		align(&all, &d);
		if (!what)
			mpz_add(all.n, all.n, d.n);
		else if (!any || mpz_cmp(d.n, all.n) * what > 0)
			mpz_set(all.n, d.n);
		any = 1;
	}
	if (any && !bad)
		give(ctx, &all);
	mpz_clear(all.n);
	mpz_clear(d.n);
}

static void dec_sum(sqlite3_context *ctx, int n, sqlite3_value **v)
{
	many(ctx, n, v, 0);
}

static void dec_max(sqlite3_context *ctx, int n, sqlite3_value **v)
{
	many(ctx, n, v, 1);
}

static void dec_min(sqlite3_context *ctx, int n, sqlite3_value **v)
{
	many(ctx, n, v, -1);
}

const struct data_fn data_fn_decimal[] = {
	{ "dec_add", 2, 2, FN_DECIMALS, KIND_DECIMAL, dec_add, NULL, 0, 0 },
	{ "dec_sub", 2, 2, FN_DECIMALS, KIND_DECIMAL, dec_sub, NULL, 0, 0 },
	{ "dec_mul", 2, 2, FN_DECIMALS, KIND_DECIMAL, dec_mul, NULL, 0, 0 },
	{ "dec_div", 3, 4, FN_DECIMALS, KIND_DECIMAL, dec_div, NULL, 0, 0 },
	{ "dec_round", 2, 3, FN_DECIMALS, KIND_DECIMAL, dec_round, NULL, 0, 0 },
	{ "dec_cmp", 2, 2, FN_DECIMALS, KIND_NUMBER, dec_cmp, NULL, 0, 0 },
	{ "dec_neg", 1, 1, FN_DECIMALS, KIND_DECIMAL, dec_neg, NULL, 0, 0 },
	{ "dec_abs", 1, 1, FN_DECIMALS, KIND_DECIMAL, dec_abs, NULL, 0, 0 },
	{ "dec_sum", 1, 100, FN_DECIMALS, KIND_DECIMAL, dec_sum, NULL, 0, 0 },
	{ "dec_max", 2, 100, FN_DECIMALS, KIND_DECIMAL, dec_max, NULL, 0, 0 },
	{ "dec_min", 2, 100, FN_DECIMALS, KIND_DECIMAL, dec_min, NULL, 0, 0 },
	{ NULL, 0, 0, 0, KIND_ANY, NULL, NULL, 0, 0 },
};
