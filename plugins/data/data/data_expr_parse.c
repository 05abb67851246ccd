/* data_expr_parse.c - the text of an expression becomes a tree.
 * In: SQLite's expression language without statements, sub-selects, aggregates, windows, variables and COLLATE.  Out: nodes, or the place
 * that was not understood.  A new operator is a line in `levels`, or a case in special().
 * SPDX-License-Identifier: Apache-2.0 */
#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "data_expr.h"

enum token_kind {
	TOKEN_END,
	TOKEN_NUMBER,
	TOKEN_TEXT,
	TOKEN_BLOB,
	TOKEN_NAME,
	TOKEN_QUOTED,
	TOKEN_OP
};
struct token {
	enum token_kind kind;
	const char *s, *op;
	size_t len;
};
struct parse {
	struct data_expr *x;
	struct data_expr_error *err;
	const char *s; /* behind the token */
	struct token t;
	int depth, failed;
};

int data_expr_wrong(struct data_expr_error *err, const char *hint, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(err->text, sizeof err->text, fmt, ap);
	va_end(ap);
	snprintf(err->hint, sizeof err->hint, "%s", hint ? hint : "");
	return -1;
}

static struct data_node *fail(struct parse *p, const char *what)
{
	if (!p->failed)
		data_expr_wrong(p->err, "Expressions are those of SQLite, without SELECT.",
			"at character %zu of the expression: %s%s%.*s%s",
			(size_t)(p->t.s - p->x->text) + 1, what, p->t.len ? " \"" : "",
			(int)(p->t.len < 40 ? p->t.len : 40), p->t.s, p->t.len ? "\"" : "");
	p->failed = 1;
	return NULL;
}

static const char *const operators[] = { "->>", "||", "->", "<<", ">>", "<=", ">=", "<>",
	"!=", "==", "=", "<", ">", "+", "-", "*", "/", "%", "&", "|", "~", "(", ")", "," };

static size_t quoted(const char *s, char end)
{
	size_t n = 1;

	for (; s[n]; n++)
		if (s[n] == end && s[n + 1] == end && end != ']')
			n++;
		else if (s[n] == end)
			return n + 1;
	return 0;
}

static size_t number(const char *s)
{
	size_t n = strspn(s, "0123456789"), e;

	if (s[n] == '.')
		n += 1 + strspn(s + n + 1, "0123456789");
	if ((s[n] | 32) == 'e') {
		e = n + 1 + (s[n + 1] == '+' || s[n + 1] == '-');
		if (isdigit((unsigned char)s[e]))
			n = e + strspn(s + e, "0123456789");
	}
	return n;
}

static int is_name(char c)
{
	return isalnum((unsigned char)c) || c == '_' || c == '$' || (unsigned char)c >= 0x80;
}

static void operator_token(struct parse *p)
{
	p->t.kind = TOKEN_OP;
	for (size_t i = 0; i < sizeof operators / sizeof *operators; i++)
		if (!strncmp(p->s, operators[i], strlen(operators[i]))) {
			p->t.op = operators[i];
			p->t.len = strlen(operators[i]);
			return;
		}
	p->t.len = *p->s ? 1 : 0;
	fail(p, "this is not understood:");
}

static void next(struct parse *p)
{
	char c;

	p->s += strspn(p->s, " \t\r\n");
	c = *p->s;
	p->t = (struct token){ .s = p->s, .op = "" };
	if (!c) {
		p->t.kind = TOKEN_END;
	} else if (isdigit((unsigned char)c) || (c == '.' && isdigit((unsigned char)p->s[1]))) {
		p->t.kind = TOKEN_NUMBER;
		p->t.len = number(p->s);
		if (is_name(p->s[p->t.len]))
			fail(p, "a number with letters behind it:");
	} else if (c == '\'' || c == '"' || c == '`' || c == '[') {
		p->t.kind = c == '\'' ? TOKEN_TEXT : TOKEN_QUOTED;
		p->t.len = quoted(p->s, c == '[' ? ']' : c);
		if (!p->t.len)
			fail(p, "a quote that does not end");
	} else if ((c | 32) == 'x' && p->s[1] == '\'') {
		p->t.kind = TOKEN_BLOB;
		p->t.len = 1 + quoted(p->s + 1, '\'');
		if (strspn(p->s + 2, "0123456789abcdefABCDEF") != p->t.len - 3 || p->t.len % 2 == 0)
			fail(p, "bytes are written x'00ff':");
	} else if (is_name(c)) {
		p->t.kind = TOKEN_NAME;
		while (is_name(p->s[p->t.len]))
			p->t.len++;
	} else {
		operator_token(p);
	}
	if (p->failed)
		p->t.kind = TOKEN_END;
	p->s += p->t.len;
}

static int word(const struct parse *p, const char *w)
{
	return p->t.kind == TOKEN_NAME && p->t.len == strlen(w) &&
	       !strncasecmp(p->t.s, w, p->t.len);
}

static int take_word(struct parse *p, const char *w)
{
	if (!word(p, w))
		return 0;
	next(p);
	return 1;
}

static int is_op(const struct parse *p, const char *op)
{
	return p->t.kind == TOKEN_OP && !strcmp(p->t.op, op);
}

static int take_op(struct parse *p, const char *op)
{
	if (!is_op(p, op))
		return 0;
	next(p);
	return 1;
}

static int need_op(struct parse *p, const char *op)
{
	char what[24];

	if (take_op(p, op))
		return 1;
	snprintf(what, sizeof what, "\"%s\" is missing before", op);
	fail(p, what);
	return 0;
}

static struct data_node *node(struct parse *p, enum data_node_kind kind)
{
	struct data_expr *x = p->x;
	struct data_node *n;

	if (x->nnodes >= EXPR_NODES_MAX)
		return fail(p, "the expression has too many parts");
	if ((x->nnodes & (x->nnodes + 1)) == 0)
		x->nodes = wbl_sdk_grow(x->nodes, (x->nnodes * 2 + 2) * sizeof *x->nodes);
	n = x->nodes[x->nnodes++] = wbl_sdk_alloc(sizeof *n);
	n->kind = kind;
	n->at = (size_t)(p->t.s - x->text) + 1;
	n->op = p->t.op ? p->t.op : "";
	n->s = p->t.s;
	n->len = p->t.len;
	n->column = -1;
	return n;
}

/* Takes quotes off, in the expression's own copy of the text. */
static void unquote(struct data_node *n)
{
	char *to = (char *)(uintptr_t)n->s + 1, *w = to;
	char end = n->s[n->len - 1];

	for (size_t i = 1; i + 1 < n->len; i++) {
		*w++ = n->s[i];
		if (n->s[i] == end && end != ']')
			i++;
	}
	n->s = to;
	n->len = (size_t)(w - to);
}

static struct data_node *add(struct data_node *to, struct data_node *child)
{
	struct data_node **at = &to->child;

	while (*at)
		at = &(*at)->next;
	*at = child;
	return child ? to : NULL;
}

static struct data_node *expression(struct parse *p, int level);

static struct data_node *list(struct parse *p, struct data_node *n)
{
	if (take_op(p, ")"))
		return n;
	do {
		if (!add(n, expression(p, 1)))
			return NULL;
	} while (take_op(p, ","));
	return need_op(p, ")") ? n : NULL;
}

static struct data_node *case_of(struct parse *p)
{
	struct data_node *n = node(p, NODE_CASE);
	int any = 0;

	if (!n)
		return NULL;
	next(p);
	if (!word(p, "WHEN")) {
		n->has_operand = 1;
		if (!add(n, expression(p, 1)))
			return NULL;
	}
	for (; take_word(p, "WHEN"); any = 1) {
		if (!add(n, expression(p, 1)))
			return NULL;
		if (!take_word(p, "THEN"))
			return fail(p, "THEN is missing before");
		if (!add(n, expression(p, 1)))
			return NULL;
	}
	if (!any)
		return fail(p, "WHEN is missing before");
	if (take_word(p, "ELSE")) {
		n->has_else = 1;
		if (!add(n, expression(p, 1)))
			return NULL;
	}
	return take_word(p, "END") ? n : fail(p, "END is missing before");
}

static struct data_node *cast_of(struct parse *p)
{
	struct data_node *n = node(p, NODE_CAST);

	next(p);
	if (!n || !need_op(p, "(") || !add(n, expression(p, 1)))
		return NULL;
	if (!take_word(p, "AS") || p->t.kind != TOKEN_NAME)
		return fail(p, "AS and a type are missing before");
	n->s = p->t.s;
	n->len = p->t.len;
	next(p);
	return need_op(p, ")") ? n : NULL;
}

static struct data_node *name_of(struct parse *p)
{
	static const char *const reserved[] = { "SELECT", "WHEN", "THEN", "ELSE", "END", "AND",
		"OR", "IN", "LIKE", "GLOB", "BETWEEN", "IS", "ISNULL", "NOTNULL", "AS", "EXISTS",
		"COLLATE", "OVER", "FILTER", "CURRENT_TIME", "CURRENT_DATE", "CURRENT_TIMESTAMP",
		"RAISE", "ESCAPE", "REGEXP", "MATCH" };
	int bare = p->t.kind == TOKEN_NAME;
	struct data_node *n;

	for (size_t i = 0; bare && i < sizeof reserved / sizeof *reserved; i++)
		if (word(p, reserved[i]))
			return fail(p, "a value is missing, or this is not for expressions here:");
	n = node(p, NODE_COLUMN);
	if (!n)
		return NULL;
	if (!bare)
		unquote(n);
	next(p);
	if (!bare || !is_op(p, "("))
		return n;
	next(p);
	n->kind = NODE_CALL;
	return list(p, n);
}

static struct data_node *literal(struct parse *p, enum data_node_kind kind)
{
	struct data_node *n = node(p, kind);

	if (n && kind == NODE_TEXT)
		unquote(n);
	next(p);
	return n;
}

static struct data_node *unary(struct parse *p)
{
	struct data_node *n = node(p, NODE_UNARY);
	const char *minus = p->t.s;

	next(p);
	/* -9223372036854775808 is one number. */
	if (n && !strcmp(n->op, "-") && p->t.kind == TOKEN_NUMBER && p->t.s == minus + 1) {
		n = literal(p, NODE_NUMBER);
		if (n) {
			n->s--;
			n->len++;
		}
		return n;
	}
	return n ? add(n, expression(p, 10)) : NULL;
}

static struct data_node *prefix(struct parse *p)
{
	struct data_node *n;

	switch (p->t.kind) {
	case TOKEN_NUMBER:
		return literal(p, NODE_NUMBER);
	case TOKEN_TEXT:
		return literal(p, NODE_TEXT);
	case TOKEN_BLOB:
		return literal(p, NODE_BLOB);
	case TOKEN_OP:
		if (take_op(p, "(")) {
			n = expression(p, 1);
			return n && need_op(p, ")") ? n : NULL;
		}
		if (is_op(p, "-") || is_op(p, "+") || is_op(p, "~"))
			return unary(p);
		return fail(p, "a value is missing before");
	case TOKEN_NAME:
		if (word(p, "NULL"))
			return literal(p, NODE_NULL);
		if (word(p, "TRUE") || word(p, "FALSE")) {
			n = literal(p, NODE_NUMBER);
			if (n) {
				n->s = n->len == 4 ? "1" : "0";
				n->len = 1;
			}
			return n;
		}
		if (word(p, "CASE"))
			return case_of(p);
		if (word(p, "CAST"))
			return cast_of(p);
		if (word(p, "NOT")) {
			n = node(p, NODE_UNARY);
			next(p);
			if (!n)
				return NULL;
			n->op = "NOT";
			return add(n, expression(p, 4));
		}
		return name_of(p);
	case TOKEN_QUOTED:
		return name_of(p);
	default:
		return fail(p, "the expression ends where a value should stand");
	}
}

static const struct level {
	const char *op;
	int level;
} levels[] = { { "||", 9 }, { "->", 9 }, { "->>", 9 }, { "*", 8 }, { "/", 8 }, { "%", 8 },
	{ "+", 7 }, { "-", 7 }, { "&", 6 }, { "|", 6 }, { "<<", 6 }, { ">>", 6 }, { "<", 5 },
	{ "<=", 5 }, { ">", 5 }, { ">=", 5 }, { "=", 4 }, { "==", 4 }, { "<>", 4 }, { "!=", 4 } };
static const char *const at_four[] = { "IS", "IN", "LIKE", "GLOB", "BETWEEN", "ISNULL", "NOTNULL",
	"NOT" };

static int level_of(const struct parse *p)
{
	if (word(p, "OR"))
		return 1;
	if (word(p, "AND"))
		return 2;
	for (size_t i = 0; i < sizeof at_four / sizeof *at_four; i++)
		if (word(p, at_four[i]))
			return 4;
	for (size_t i = 0; p->t.kind == TOKEN_OP && i < sizeof levels / sizeof *levels; i++)
		if (!strcmp(levels[i].op, p->t.op))
			return levels[i].level;
	return 0;
}

static struct data_node *made(struct parse *p, enum data_node_kind kind, struct data_node *left,
	const char *op, int negated)
{
	struct data_node *n = node(p, kind);

	if (!n)
		return NULL;
	n->op = op;
	n->negated = negated;
	return add(n, left);
}

static struct data_node *is_of(struct parse *p, struct data_node *left)
{
	int negated = take_word(p, "NOT");
	struct data_node *n;

	if (take_word(p, "NULL"))
		return made(p, NODE_IS_NULL, left, "IS NULL", negated);
	n = made(p, NODE_BINARY, left, negated ? "IS NOT" : "IS", 0);
	return n ? add(n, expression(p, 5)) : NULL;
}

/* Behind the left side, at a word. */
static struct data_node *special(struct parse *p, struct data_node *left)
{
	struct data_node *n;
	int negated;

	if (take_word(p, "IS"))
		return is_of(p, left);
	if (take_word(p, "ISNULL"))
		return made(p, NODE_IS_NULL, left, "IS NULL", 0);
	if (take_word(p, "NOTNULL"))
		return made(p, NODE_IS_NULL, left, "IS NULL", 1);
	negated = take_word(p, "NOT");
	if (negated && take_word(p, "NULL"))
		return made(p, NODE_IS_NULL, left, "IS NULL", 1);
	if (take_word(p, "IN")) {
		n = made(p, NODE_IN, left, "IN", negated);
		return n && need_op(p, "(") ? list(p, n) : NULL;
	}
	if (take_word(p, "BETWEEN")) {
		n = made(p, NODE_BETWEEN, left, "BETWEEN", negated);
		if (!n || !add(n, expression(p, 5)))
			return NULL;
		return take_word(p, "AND") ? add(n, expression(p, 5))
					   : fail(p, "AND is missing before");
	}
	if (word(p, "LIKE") || word(p, "GLOB")) {
		n = made(p, NODE_LIKE, left, word(p, "LIKE") ? "LIKE" : "GLOB", negated);
		next(p);
		if (!n || !add(n, expression(p, 5)))
			return NULL;
		return take_word(p, "ESCAPE") ? add(n, expression(p, 5)) : n;
	}
	return fail(p, "this is not understood:");
}

static struct data_node *binary(struct parse *p, struct data_node *left, int level)
{
	struct data_node *n;
	const char *op = level == 1 ? "OR" : level == 2 ? "AND" : p->t.op;

	if (level == 4 && p->t.kind == TOKEN_NAME)
		return special(p, left);
	n = node(p, NODE_BINARY);
	if (!n)
		return NULL;
	n->op = op;
	next(p);
	add(n, left);
	return add(n, expression(p, level + 1));
}

static struct data_node *expression(struct parse *p, int level)
{
	struct data_node *left;
	int l;

	if (++p->depth > EXPR_DEPTH_MAX)
		left = fail(p, "the expression is nested too deep");
	else
		left = prefix(p);
	while (left && !p->failed && (l = level_of(p)) >= level && l)
		left = binary(p, left, l);
	p->depth--;
	return p->failed ? NULL : left;
}

/* A long chain of operators is a deep tree, too: what walks it later is recursive. */
static int too_deep(const struct data_node *n, int depth)
{
	if (depth > EXPR_DEPTH_MAX * 4)
		return 1;
	for (n = n->child; n; n = n->next)
		if (too_deep(n, depth + 1))
			return 1;
	return 0;
}

struct data_node *data_expr_parse(struct data_expr *x, struct data_expr_error *err)
{
	struct parse p = { .x = x, .err = err, .s = x->text };
	struct data_node *n;

	p.t.s = x->text;
	next(&p);
	n = p.failed ? NULL : expression(&p, 1);
	if (n && p.t.kind != TOKEN_END)
		n = fail(&p, "the expression should end before");
	if (n && too_deep(n, 0))
		n = fail(&p, "the expression is nested too deep");
	return n;
}
