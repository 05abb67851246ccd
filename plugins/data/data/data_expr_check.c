/* data_expr_check.c - what an expression means: columns and functions found, kinds of values held against operators, and the statement
 * written that SQLite evaluates.
 * In: the tree.  Out: x->sql, x->used, x->plain, x->gives; or what would lose something, and what to write instead.
 * Functions are lines of the tables in data_expr_calc.c, data_decimal.c and data_expr_date.c, and of `own` here.
 * SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "data_expr.h"

/* SQLite's own that give the same for the same arguments on every machine. */
static const struct data_fn own[] = {
	{ "abs", 1, 1, FN_NUMBERS, KIND_NUMBER, NULL, "dec_abs(x)" },
	{ "ceil", 1, 1, FN_NUMBERS, KIND_NUMBER, NULL, "dec_round(x, 0, 'ceiling')" },
	{ "ceiling", 1, 1, FN_NUMBERS, KIND_NUMBER, NULL, "dec_round(x, 0, 'ceiling')" },
	{ "char", 1, 100, FN_NUMBERS, KIND_TEXT, NULL, NULL },
	{ "coalesce", 2, 100, FN_PASSES, KIND_ANY, NULL, NULL },
	{ "floor", 1, 1, FN_NUMBERS, KIND_NUMBER, NULL, "dec_round(x, 0, 'floor')" },
	{ "hex", 1, 1, FN_TEXTS, KIND_TEXT, NULL, NULL },
	{ "ifnull", 2, 2, FN_PASSES, KIND_ANY, NULL, NULL },
	{ "iif", 3, 3, FN_PASSES, KIND_ANY, NULL, NULL, 0, 1 },
	{ "instr", 2, 2, FN_TEXTS, KIND_NUMBER, NULL, NULL },
	{ "json", 1, 1, 0, KIND_TEXT, NULL, NULL },
	{ "json_array", 0, 100, FN_JSON, KIND_TEXT, NULL, NULL },
	{ "json_array_length", 1, 2, 0, KIND_NUMBER, NULL, NULL },
	{ "json_insert", 3, 51, FN_JSON, KIND_TEXT, NULL, NULL },
	{ "json_object", 0, 100, FN_JSON, KIND_TEXT, NULL, NULL },
	{ "json_patch", 2, 2, 0, KIND_TEXT, NULL, NULL },
	{ "json_quote", 1, 1, FN_JSON, KIND_TEXT, NULL, NULL },
	{ "json_remove", 2, 50, 0, KIND_TEXT, NULL, NULL },
	{ "json_replace", 3, 51, FN_JSON, KIND_TEXT, NULL, NULL },
	{ "json_set", 3, 51, FN_JSON, KIND_TEXT, NULL, NULL },
	{ "json_type", 1, 2, 0, KIND_TEXT, NULL, NULL },
	{ "json_valid", 1, 1, FN_TEXTS, KIND_TRUTH, NULL, NULL },
	{ "length", 1, 1, FN_TEXTS, KIND_NUMBER, NULL, NULL },
	{ "lower", 1, 1, FN_TEXTS, KIND_TEXT, NULL, NULL },
	{ "ltrim", 1, 2, FN_TEXTS, KIND_TEXT, NULL, NULL },
	{ "quote", 1, 1, FN_TEXTS, KIND_TEXT, NULL, NULL },
	{ "replace", 3, 3, FN_TEXTS, KIND_TEXT, NULL, NULL },
	{ "round", 1, 2, FN_NUMBERS, KIND_NUMBER, NULL, "dec_round(x, digits)" },
	{ "rtrim", 1, 2, FN_TEXTS, KIND_TEXT, NULL, NULL },
	{ "sign", 1, 1, FN_NUMBERS, KIND_NUMBER, NULL, "dec_cmp(x, 0)" },
	{ "sqrt", 1, 1, FN_NUMBERS, KIND_NUMBER, NULL, NULL },
	{ "substr", 2, 3, FN_TEXTS, KIND_TEXT, NULL, NULL },
	{ "substring", 2, 3, FN_TEXTS, KIND_TEXT, NULL, NULL },
	{ "trim", 1, 2, FN_TEXTS, KIND_TEXT, NULL, NULL },
	{ "trunc", 1, 1, FN_NUMBERS, KIND_NUMBER, NULL, "dec_round(x, 0, 'down')" },
	{ "typeof", 1, 1, FN_TEXTS, KIND_TEXT, NULL, NULL },
	{ "unicode", 1, 1, FN_TEXTS, KIND_NUMBER, NULL, NULL },
	{ "upper", 1, 1, FN_TEXTS, KIND_TEXT, NULL, NULL },
	{ NULL },
};
static const struct data_fn *const tables[] = { own, data_fn_plain, data_fn_decimal, data_fn_date };
static const struct {
	const char *name, *instead;
} refused[] = { { "date", "date_of, date_add or date_format" }, { "time", "date_format" },
	{ "datetime", "date_add or date_format" }, { "julianday", "date_diff" },
	{ "unixepoch", "date_diff" }, { "strftime", "date_format" }, { "printf", "concat" },
	{ "format", "concat" }, { "json_tree", "-> and ->>" }, { "json_each", "-> and ->>" },
	{ "sum", "+, or dec_sum" }, { "total", "+" }, { "count", NULL }, { "avg", NULL },
	{ "group_concat", "concat" } };

const struct data_fn *data_fn_find(const char *name, size_t len)
{
	for (size_t i = 0; i < sizeof tables / sizeof *tables; i++)
		for (const struct data_fn *f = tables[i]; f->name; f++)
			if (strlen(f->name) == len && !strncasecmp(f->name, name, len))
				return f;
	return NULL;
}

struct check {
	struct data_expr *x;
	struct data_expr_error *err;
	struct wbl_out o;
	int failed;
};

/* ---- names ---- */

static size_t distance(const char *a, const char *b)
{
	enum { MOST = 64 };
	size_t row[MOST + 1], n = strlen(b), diagonal, up;

	if (n > MOST || strlen(a) > MOST)
		return MOST;
	for (size_t k = 0; k <= n; k++)
		row[k] = k;
	for (size_t i = 0; a[i]; i++) {
		diagonal = row[0]++;
		for (size_t k = 0; k < n; k++) {
			up = row[k + 1];
			row[k + 1] = (a[i] | 32) == (b[k] | 32) ? diagonal : diagonal + 1;
			if (up + 1 < row[k + 1])
				row[k + 1] = up + 1;
			if (row[k] + 1 < row[k + 1])
				row[k + 1] = row[k] + 1;
			diagonal = up;
		}
	}
	return row[n];
}

const char *data_name_near(const char *name, const char *const *list, size_t n)
{
	size_t best = strlen(name) / 3 + 2, d;
	const char *ret = NULL;

	for (size_t i = 0; i < n; i++)
		if ((d = distance(name, list[i])) < best) {
			best = d;
			ret = list[i];
		}
	return ret;
}

static int fail(struct check *c)
{
	c->failed = 1;
	return -1;
}

static int no_column(struct check *c, const struct data_node *n)
{
	const struct data_names *names = &c->x->names;
	char name[100];
	const char *near;

	snprintf(name, sizeof name, "%.*s", (int)(n->len < 99 ? n->len : 99), n->s);
	near = data_name_near(name, names->names, names->n);
	data_expr_wrong(c->err,
		"Texts stand in single quotes, names of columns in double ones or none.",
		"at character %zu: the source has no column \"%s\"%s%s%s", n->at, name,
		near ? "; is it \"" : "", near ? near : "", near ? "\"" : "");
	return fail(c);
}

static int no_function(struct check *c, const struct data_node *n)
{
	const char *names[200], *near, *instead = NULL;
	char name[64];
	size_t count = 0;

	snprintf(name, sizeof name, "%.*s", (int)(n->len < 63 ? n->len : 63), n->s);
	for (size_t i = 0; i < sizeof refused / sizeof *refused; i++)
		if (!strcasecmp(refused[i].name, name))
			instead = refused[i].instead ? refused[i].instead : "";
	for (size_t i = 0; i < sizeof tables / sizeof *tables; i++)
		for (const struct data_fn *f = tables[i]; f->name && count < 200; f++)
			if (!f->hidden)
				names[count++] = f->name;
	near = instead ? NULL : data_name_near(name, names, count);
	data_expr_wrong(c->err, "docs/data.md lists the functions of expressions.",
		"at character %zu: there is no function \"%s\" in expressions%s%s", n->at, name,
		near                  ? "; is it "
		: instead && *instead ? "; use "
				      : "",
		near                  ? near
		: instead && *instead ? instead
				      : "");
	return fail(c);
}

static int find_column(struct check *c, struct data_node *n)
{
	struct data_expr *x = c->x;

	for (size_t i = 0; i < x->names.n; i++) {
		if (strlen(x->names.names[i]) != n->len ||
			strncasecmp(x->names.names[i], n->s, n->len) != 0)
			continue;
		for (size_t k = 0; k < x->nused; k++)
			if (x->used[k] == (int)i) {
				n->column = (int)k;
				return 0;
			}
		x->used = wbl_sdk_grow(x->used, (x->nused + 1) * sizeof *x->used);
		x->plain = wbl_sdk_grow(x->plain, x->nused + 1);
		x->plain[x->nused] = 0;
		n->column = (int)x->nused;
		x->used[x->nused++] = (int)i;
		return 0;
	}
	return no_column(c, n);
}

static size_t children(const struct data_node *n)
{
	size_t count = 0;

	for (n = n->child; n; n = n->next)
		count++;
	return count;
}

static int find_names(struct check *c, struct data_node *n)
{
	int args;

	if (n->kind == NODE_COLUMN && find_column(c, n))
		return -1;
	if (n->kind == NODE_CALL) {
		n->fn = data_fn_find(n->s, n->len);
		if (!n->fn || n->fn->hidden)
			return no_function(c, n);
		args = (int)children(n);
		if (args < n->fn->min || args > n->fn->max) {
			data_expr_wrong(c->err, "docs/data.md lists the functions of expressions.",
				"at character %zu: %s takes %d%s arguments, not %d", n->at,
				n->fn->name, n->fn->min, n->fn->max > n->fn->min ? " or more" : "",
				args);
			return fail(c);
		}
	}
	for (n = n->child; n; n = n->next)
		if (find_names(c, n))
			return -1;
	return 0;
}

/* ---- kinds ---- */

static enum data_kind kind_of_type(int32_t type)
{
	switch (type) {
	case WBL_TYPE_INT:
	case WBL_TYPE_REAL:
	case WBL_TYPE_REAL32:
	case WBL_TYPE_BOOL:
		return KIND_NUMBER;
	case WBL_TYPE_DECIMAL:
		return KIND_DECIMAL;
	case WBL_TYPE_BYTES:
		return KIND_BYTES;
	case WBL_TYPE_INSTANT:
	case WBL_TYPE_LOCAL:
		return KIND_TIME;
	case WBL_TYPE_TEXT:
	case WBL_TYPE_DATE:
	case WBL_TYPE_UUID:
	case WBL_TYPE_JSON:
		return KIND_TEXT;
	default:
		return KIND_ANY;
	}
}

static int32_t cast_type(const struct data_node *n)
{
	static const struct {
		const char *sql, *ours;
	} names[] = { { "integer", "int" }, { "bigint", "int" }, { "double", "real" },
		{ "float", "real" }, { "numeric", "decimal" }, { "blob", "bytes" },
		{ "varchar", "text" }, { "char", "text" }, { "boolean", "bool" },
		{ "timestamp", "local" } };
	char name[24];

	snprintf(name, sizeof name, "%.*s", (int)(n->len < 23 ? n->len : 23), n->s);
	for (char *p = name; *p; p++)
		if (*p >= 'A' && *p <= 'Z')
			*p = (char)(*p | 32);
	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if (!strcmp(names[i].sql, name))
			return wbl_type_by_name(names[i].ours);
	return wbl_type_by_name(name);
}

static enum data_kind kind_of(struct check *c, const struct data_node *n);

/* Of the values that may come out of it: one kind, or any. */
static enum data_kind common(enum data_kind a, enum data_kind b)
{
	if (a == KIND_NULL)
		return b;
	if (b == KIND_NULL || a == b)
		return a;
	if ((a == KIND_NUMBER || a == KIND_TRUTH) && (b == KIND_NUMBER || b == KIND_TRUTH))
		return KIND_NUMBER;
	return KIND_ANY;
}

/* Is this child of a CASE, at number i of `count`, a value of the CASE? */
static int is_value(const struct data_node *n, size_t i, size_t count)
{
	i -= (size_t)n->has_operand;
	count -= (size_t)n->has_operand;
	if (n->has_else && i + 1 == count)
		return 1;
	return i % 2 == 1;
}

static int passes(const struct data_node *n, size_t i, size_t count)
{
	if (n->kind == NODE_CASE)
		return (i || !n->has_operand) && is_value(n, i, count);
	return n->kind == NODE_CALL && (n->fn->flags & FN_PASSES) && (int)i >= n->fn->from &&
	       (i == 0 || strcmp(n->fn->name, "nullif") != 0);
}

static enum data_kind kind_of(struct check *c, const struct data_node *n)
{
	enum data_kind kind = KIND_NULL;
	size_t i = 0, count = children(n);

	switch (n->kind) {
	case NODE_NUMBER:
		return KIND_NUMBER;
	case NODE_TEXT:
		return KIND_TEXT;
	case NODE_BLOB:
		return KIND_BYTES;
	case NODE_NULL:
		return KIND_NULL;
	case NODE_COLUMN:
		return kind_of_type(c->x->names.types[c->x->used[n->column]]);
	case NODE_UNARY:
		return strcmp(n->op, "NOT") ? KIND_NUMBER : KIND_TRUTH;
	case NODE_BINARY:
		if (!strcmp(n->op, "||") || !strcmp(n->op, "->"))
			return KIND_TEXT;
		if (!strcmp(n->op, "->>"))
			return KIND_ANY;
		return strchr("+-*/%&|", *n->op) || !strcmp(n->op, "<<") || !strcmp(n->op, ">>")
			       ? KIND_NUMBER
			       : KIND_TRUTH;
	case NODE_CAST:
		return kind_of_type(cast_type(n));
	case NODE_CASE:
		break;
	case NODE_CALL:
		if (!(n->fn->flags & FN_PASSES))
			return n->fn->gives;
		break;
	default:
		return KIND_TRUTH;
	}
	for (const struct data_node *a = n->child; a; a = a->next, i++)
		if (passes(n, i, count))
			kind = common(kind, kind_of(c, a));
	return kind;
}

/* ---- where a decimal may not come ---- */

static int decimal_here(
	struct check *c, const struct data_node *n, const char *what, const char *instead)
{
	char name[100], hint[160];

	if (n->kind == NODE_COLUMN)
		snprintf(name, sizeof name, "column \"%.*s\"", (int)(n->len < 80 ? n->len : 80),
			n->s);
	else
		snprintf(name, sizeof name, "the result of %s",
			n->fn ? n->fn->name : "CAST AS DECIMAL");
	snprintf(hint, sizeof hint, "Use %s; or say CAST(... AS REAL) if a binary number will do.",
		instead ? instead : "CAST(... AS TEXT)");
	data_expr_wrong(c->err, hint,
		"at character %zu: %s is a decimal, which %s does not keep exact; use %s", n->at,
		name, what, instead ? instead : "CAST(... AS TEXT)");
	return fail(c);
}

/* The value of n goes to `what`: no decimal may be among what can come here. bits: of x->plain. */
static int plain(
	struct check *c, const struct data_node *n, int bits, const char *what, const char *instead)
{
	size_t i = 0, count = children(n);

	if (n->kind == NODE_COLUMN) {
		if ((bits & 1) && kind_of(c, n) == KIND_DECIMAL)
			return decimal_here(c, n, what, instead);
		c->x->plain[n->column] |= (uint8_t)bits;
		return 0;
	}
	if (n->kind == NODE_CASE || (n->kind == NODE_CALL && (n->fn->flags & FN_PASSES))) {
		for (const struct data_node *a = n->child; a; a = a->next, i++)
			if (passes(n, i, count) && plain(c, a, bits, what, instead))
				return -1;
		return 0;
	}
	if ((bits & 1) && (n->kind == NODE_CALL || n->kind == NODE_CAST) &&
		kind_of(c, n) == KIND_DECIMAL)
		return decimal_here(c, n, what, instead);
	return 0;
}

static const char *kind_name(enum data_kind k)
{
	return k == KIND_BYTES ? "bytes" : k == KIND_TIME ? "a time" : "a text";
}

static int number_here(
	struct check *c, const struct data_node *n, const char *what, const char *instead)
{
	enum data_kind k = kind_of(c, n);

	if (plain(c, n, 1, what, instead))
		return -1;
	if (k != KIND_TEXT && k != KIND_BYTES && k != KIND_TIME)
		return 0;
	data_expr_wrong(c->err,
		"Say CAST(... AS INT) or CAST(... AS REAL), or use the functions dec_.",
		"at character %zu: %s%.*s%s is %s, and %s takes numbers; say CAST(... AS INT)",
		n->at, n->kind == NODE_COLUMN ? "column \"" : "this",
		n->kind == NODE_COLUMN ? (int)(n->len < 80 ? n->len : 80) : 0, n->s,
		n->kind == NODE_COLUMN ? "\"" : "", kind_name(k), what);
	return fail(c);
}

static int comparable(
	struct check *c, const struct data_node *a, const struct data_node *b, const char *op)
{
	enum data_kind x, y;

	if (plain(c, a, 1, op, "dec_cmp(a, b)") || plain(c, b, 1, op, "dec_cmp(a, b)"))
		return -1;
	x = kind_of(c, a);
	y = kind_of(c, b);
	if (x == KIND_TRUTH)
		x = KIND_NUMBER;
	if (y == KIND_TRUTH)
		y = KIND_NUMBER;
	if (x == y || x == KIND_ANY || y == KIND_ANY || x == KIND_NULL || y == KIND_NULL ||
		(x + y == KIND_TEXT + KIND_TIME && (x == KIND_TEXT || y == KIND_TEXT)))
		return 0;
	data_expr_wrong(c->err, "Say CAST on one of them.",
		"at character %zu: %s compares %s with %s", a->at, op,
		x == KIND_NUMBER ? "a number" : kind_name(x),
		y == KIND_NUMBER ? "a number" : kind_name(y));
	return fail(c);
}

/* ---- the statement ---- */

static int emit(struct check *c, const struct data_node *n);

static int literal(struct check *c, const struct data_node *n, int decimal)
{
	char b[32];

	if (n->kind == NODE_NUMBER && decimal && memchr(n->s, '.', n->len) &&
		!memchr(n->s, 'e', n->len) && !memchr(n->s, 'E', n->len)) {
		wbl_out_fmt(&c->o, "'%.*s'", (int)n->len, n->s);
		return 0;
	}
	if (n->kind == NODE_NUMBER && !memchr(n->s, '.', n->len) && !memchr(n->s, 'e', n->len) &&
		!memchr(n->s, 'E', n->len)) {
		snprintf(b, sizeof b, "%.*s", (int)(n->len < 31 ? n->len : 31), n->s);
		errno = 0;
		(void)strtoll(b, NULL, 10);
		if (errno || n->len > 30) {
			data_expr_wrong(c->err, "Write it as a text and use the functions dec_.",
				"at character %zu: %.*s is no whole number of 64 bits", n->at,
				(int)(n->len < 60 ? n->len : 60), n->s);
			return fail(c);
		}
		wbl_out_fmt(&c->o, "(%.*s)", (int)n->len, n->s);
		return 0;
	}
	if (n->kind != NODE_TEXT) {
		wbl_out_add(&c->o, n->s, n->len);
		return 0;
	}
	wbl_out_add(&c->o, "'", 1);
	for (size_t i = 0; i < n->len; i++)
		wbl_out_add(&c->o, n->s[i] == '\'' ? "''" : n->s + i, n->s[i] == '\'' ? 2 : 1);
	wbl_out_add(&c->o, "'", 1);
	return 0;
}

static int call_of(struct check *c, const char *fn, const struct data_node *a, const char *more)
{
	const char *comma = "";

	wbl_out_fmt(&c->o, "%s(", fn);
	for (; a; a = a->next, comma = ",") {
		wbl_out_fmt(&c->o, "%s", comma);
		if (emit(c, a))
			return -1;
	}
	wbl_out_fmt(&c->o, "%s)", more);
	return 0;
}

static int truth(struct check *c, const struct data_node *n)
{
	if (kind_of(c, n) == KIND_TRUTH || n->kind == NODE_NULL)
		return emit(c, n);
	if (number_here(c, n, "a condition", "dec_cmp(x, 0) <> 0"))
		return -1;
	wbl_out_fmt(&c->o, "op_truth(");
	if (emit(c, n))
		return -1;
	wbl_out_fmt(&c->o, ")");
	return 0;
}

static const struct op {
	const char *op, *fn, *instead;
	int compares;
} ops[] = { { "+", "op_add", "dec_add(a, b)", 0 }, { "-", "op_sub", "dec_sub(a, b)", 0 },
	{ "*", "op_mul", "dec_mul(a, b)", 0 }, { "/", "op_div", "dec_div(a, b, digits)", 0 },
	{ "%", "op_mod", "dec_sub and dec_div", 0 }, { "&", "op_and", NULL, 0 },
	{ "|", "op_or", NULL, 0 }, { "<<", "op_shl", NULL, 0 }, { ">>", "op_shr", NULL, 0 },
	{ "=", "op_eq", NULL, 1 }, { "==", "op_eq", NULL, 1 }, { "<>", "op_ne", NULL, 1 },
	{ "!=", "op_ne", NULL, 1 }, { "<", "op_lt", NULL, 1 }, { "<=", "op_le", NULL, 1 },
	{ ">", "op_gt", NULL, 1 }, { ">=", "op_ge", NULL, 1 }, { "IS", "op_is", NULL, 1 },
	{ "IS NOT", "op_isnot", NULL, 1 } };

static int comparison(struct check *c, const struct data_node *n, const struct op *op)
{
	const struct data_node *a = n->child, *b = a->next;

	if (comparable(c, a, b, n->op))
		return -1;
	if (kind_of(c, a) != KIND_TIME && kind_of(c, b) != KIND_TIME)
		return call_of(c, op->fn, a, "");
	if (*n->op == 'I') {
		data_expr_wrong(c->err, "Use = or <>.",
			"at character %zu: %s does not compare times", n->at, n->op);
		return fail(c);
	}
	wbl_out_fmt(&c->o, "(");
	if (call_of(c, "op_time", a, ""))
		return -1;
	wbl_out_fmt(&c->o, "%s0)", n->op);
	return 0;
}

static int binary(struct check *c, const struct data_node *n)
{
	const struct data_node *a = n->child, *b = a->next;

	if (!strcmp(n->op, "AND") || !strcmp(n->op, "OR")) {
		wbl_out_fmt(&c->o, "(");
		if (truth(c, a))
			return -1;
		wbl_out_fmt(&c->o, " %s ", n->op);
		if (truth(c, b))
			return -1;
		wbl_out_fmt(&c->o, ")");
		return 0;
	}
	if (!strcmp(n->op, "||"))
		return call_of(c, "op_join", a, "");
	if (!strcmp(n->op, "->>"))
		return plain(c, a, 1, n->op, NULL) ? -1 : call_of(c, "json_get", a, "");
	if (!strcmp(n->op, "->")) {
		if (plain(c, a, 3, n->op, NULL))
			return -1;
		wbl_out_fmt(&c->o, "(");
		if (emit(c, a))
			return -1;
		wbl_out_fmt(&c->o, "->");
		if (emit(c, b))
			return -1;
		wbl_out_fmt(&c->o, ")");
		return 0;
	}
	for (size_t i = 0; i < sizeof ops / sizeof *ops; i++) {
		if (strcmp(ops[i].op, n->op) != 0)
			continue;
		if (ops[i].compares)
			return comparison(c, n, &ops[i]);
		if (number_here(c, a, n->op, ops[i].instead) ||
			number_here(c, b, n->op, ops[i].instead))
			return -1;
		return call_of(c, ops[i].fn, a, "");
	}
	return fail(c);
}

static int unary(struct check *c, const struct data_node *n)
{
	if (!strcmp(n->op, "NOT")) {
		wbl_out_fmt(&c->o, "(NOT ");
		if (truth(c, n->child))
			return -1;
		wbl_out_fmt(&c->o, ")");
		return 0;
	}
	if (number_here(c, n->child, n->op, "dec_neg(x)"))
		return -1;
	return call_of(c,
		*n->op == '-'   ? "op_neg"
		: *n->op == '+' ? "op_number"
				: "op_not",
		n->child, "");
}

static int case_of(struct check *c, const struct data_node *n)
{
	const struct data_node *a = n->child, *x = NULL;

	wbl_out_fmt(&c->o, "CASE");
	if (n->has_operand) {
		x = a;
		a = a->next;
	}
	while (a && a->next) {
		wbl_out_fmt(&c->o, " WHEN ");
		if (x) {
			if (comparable(c, x, a, "CASE"))
				return -1;
			wbl_out_fmt(&c->o, "op_eq(");
			if (emit(c, x))
				return -1;
			wbl_out_fmt(&c->o, ",");
			if (emit(c, a))
				return -1;
			wbl_out_fmt(&c->o, ")");
		} else if (truth(c, a)) {
			return -1;
		}
		wbl_out_fmt(&c->o, " THEN ");
		a = a->next;
		if (emit(c, a))
			return -1;
		a = a->next;
	}
	if (a) {
		wbl_out_fmt(&c->o, " ELSE ");
		if (emit(c, a))
			return -1;
	}
	wbl_out_fmt(&c->o, " END");
	return 0;
}

static int several(struct check *c, const struct data_node *n)
{
	const char *fn = n->kind == NODE_IN ? "op_in" : "op_between";

	for (const struct data_node *a = n->child->next; a; a = a->next)
		if (comparable(c, n->child, a, n->op))
			return -1;
	if (kind_of(c, n->child) == KIND_TIME) {
		data_expr_wrong(c->err, "Use =, <= and >=.",
			"at character %zu: %s does not compare times", n->at, n->op);
		return fail(c);
	}
	wbl_out_fmt(&c->o, "(%s", n->negated ? "NOT " : "");
	if (call_of(c, fn, n->child, ""))
		return -1;
	wbl_out_fmt(&c->o, ")");
	return 0;
}

static int like(struct check *c, const struct data_node *n)
{
	const struct data_node *a = n->child;

	wbl_out_fmt(&c->o, "(");
	for (int i = 0; a; a = a->next, i++) {
		if (plain(c, a, 3, n->op, NULL))
			return -1;
		if (i == 1)
			wbl_out_fmt(&c->o, "%s %s ", n->negated ? " NOT" : "", n->op);
		if (i == 2)
			wbl_out_fmt(&c->o, " ESCAPE ");
		wbl_out_fmt(&c->o, "op_text(");
		if (emit(c, a))
			return -1;
		wbl_out_fmt(&c->o, ")");
	}
	wbl_out_fmt(&c->o, ")");
	return 0;
}

static int cast(struct check *c, const struct data_node *n)
{
	int32_t type = cast_type(n);

	if (type <= WBL_TYPE_ANY) {
		data_expr_wrong(c->err, "Types are those of a column: int, decimal, real, text ...",
			"at character %zu: there is no type \"%.*s\"", n->at,
			(int)(n->len < 40 ? n->len : 40), n->s);
		return fail(c);
	}
	wbl_out_fmt(&c->o, "op_cast(");
	if (n->child->kind == NODE_NUMBER ? literal(c, n->child, type == WBL_TYPE_DECIMAL)
					  : emit(c, n->child))
		return -1;
	wbl_out_fmt(&c->o, ",%d)", (int)type);
	return 0;
}

static int call(struct check *c, const struct data_node *n)
{
	const struct data_fn *f = n->fn;
	const char *comma = "";

	if (!strcmp(f->name, "source_table")) {
		struct data_node name = { .kind = NODE_TEXT, .s = c->x->names.table };

		name.len = strlen(name.s ? name.s : "");
		return literal(c, &name, 0);
	}
	wbl_out_fmt(&c->o, "%s(", f->name);
	for (const struct data_node *a = n->child; a; a = a->next, comma = ",") {
		int bits = (f->call ? 0 : 2) |
			   (f->flags & (FN_TEXTS | FN_DECIMALS | FN_TIMES) ? 0 : 1);

		wbl_out_fmt(&c->o, "%s", comma);
		if (f->flags & FN_NUMBERS && number_here(c, a, f->name, f->instead))
			return -1;
		if (!(f->flags & FN_PASSES) && plain(c, a, bits, f->name, f->instead))
			return -1;
		if (f->flags & FN_DECIMALS && a->kind == NODE_NUMBER) {
			if (literal(c, a, 1))
				return -1;
			continue;
		}
		if (f->flags & (FN_NUMBERS | FN_JSON))
			wbl_out_fmt(&c->o, f->flags & FN_JSON ? "op_json(" : "op_number(");
		if (emit(c, a))
			return -1;
		if (f->flags & (FN_NUMBERS | FN_JSON))
			wbl_out_fmt(&c->o, ")");
	}
	wbl_out_fmt(&c->o, ")");
	return 0;
}

/* Conditions among the arguments, and arguments that are compared. */
static int call_checked(struct check *c, const struct data_node *n)
{
	if (!strcmp(n->fn->name, "iif") && kind_of(c, n->child) != KIND_TRUTH) {
		data_expr_wrong(c->err, "Compare it with something.",
			"at character %zu: the first argument of iif is no condition", n->at);
		return fail(c);
	}
	if (!strcmp(n->fn->name, "nullif") && comparable(c, n->child, n->child->next, "nullif"))
		return -1;
	return call(c, n);
}

static int emit(struct check *c, const struct data_node *n)
{
	switch (n->kind) {
	case NODE_COLUMN:
		wbl_out_fmt(&c->o, "?%d", n->column + 1);
		return 0;
	case NODE_UNARY:
		return unary(c, n);
	case NODE_BINARY:
		return binary(c, n);
	case NODE_BETWEEN:
	case NODE_IN:
		return several(c, n);
	case NODE_LIKE:
		return like(c, n);
	case NODE_IS_NULL:
		wbl_out_fmt(&c->o, "(");
		if (emit(c, n->child))
			return -1;
		wbl_out_fmt(&c->o, " IS %sNULL)", n->negated ? "NOT " : "");
		return 0;
	case NODE_CASE:
		return case_of(c, n);
	case NODE_CAST:
		return cast(c, n);
	case NODE_CALL:
		return call_checked(c, n);
	case NODE_NULL:
		wbl_out_fmt(&c->o, "NULL");
		return 0;
	default:
		return literal(c, n, 0);
	}
}

int data_expr_check(struct data_expr *x, struct data_expr_error *err)
{
	struct check c = { .x = x, .err = err };

	if (find_names(&c, x->root))
		return -1;
	wbl_out_fmt(&c.o, "SELECT ");
	if (x->condition ? truth(&c, x->root) : emit(&c, x->root)) {
		wbl_out_clear(&c.o);
		return -1;
	}
	x->sql = c.o.s;
	x->gives = kind_of(&c, x->root);
	return 0;
}

int data_expr_untyped(struct data_expr *x, struct data_expr_error *err)
{
	struct check c = { .x = x, .err = err };

	if (x->gives == KIND_DECIMAL)
		return 0;
	return plain(&c, x->root, 1, "a column without a type", "type = \"decimal\"");
}

struct data_expr *data_expr_new(const char *text, const struct data_names *names, int condition,
	struct data_expr_error *err)
{
	struct data_expr *x = wbl_sdk_alloc(sizeof *x);

	*err = (struct data_expr_error){ 0 };
	x->names = *names;
	x->condition = condition;
	x->text = wbl_sdk_strdup(text);
	if (strlen(text) > EXPR_TEXT_MAX)
		data_expr_wrong(err, NULL, "the expression is longer than %d bytes", EXPR_TEXT_MAX);
	else if (!wbl_utf8_ok(text, strlen(text)))
		data_expr_wrong(err, NULL, "the expression is no UTF-8 text");
	else
		x->root = data_expr_parse(x, err);
	if (x->root && !data_expr_check(x, err))
		return x;
	data_expr_free(x);
	return NULL;
}

void data_expr_free(struct data_expr *x)
{
	if (!x)
		return;
	for (size_t i = 0; i < x->nnodes; i++)
		free(x->nodes[i]);
	free(x->nodes);
	free(x->used);
	free(x->plain);
	free(x->sql);
	free(x->text);
	free(x);
}
