/* jsonl_cell.c - members of an object as columns, JSON values as canonical cells.
 * In: nodes whose numbers are as they were written.  Out: cells: whole numbers of 64 bits INT, all other numbers DECIMAL with every
 * digit, true and false 1 and 0, objects and arrays JSON.  No number goes through a binary one.
 * SPDX-License-Identifier: Apache-2.0 */
#include "jsonl_impl.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int is_named(const struct jsonl_self *s, size_t i, const struct wbl_text *key)
{
	return i < s->ncols && strlen(s->cols[i].name) == key->len &&
	       !memcmp(s->cols[i].name, key->s, key->len);
}

int32_t jsonl_place(
	struct jsonl_lines *r, const struct wbl_node *object, const struct wbl_node **values)
{
	struct jsonl_self *s = r->self;
	size_t guess = 0, i;

	memset(values, 0, s->ncols * sizeof *values);
	/* Lines have their keys in one order as a rule: the next column is the first guess. */
	for (const struct wbl_node *c = object->child; c; c = c->next) {
		for (i = guess; i < s->ncols && !is_named(s, i, &c->key);)
			i++;
		if (i == s->ncols)
			for (i = 0; i < guess && !is_named(s, i, &c->key);)
				i++;
		if (is_named(s, i, &c->key)) {
			values[i] = c;
			guess = i + 1;
		} else if (!s->given) {
			return jsonl_bad(r, "Name the columns to be taken by `columns`.",
				"the key \"%.100s\" is none of the columns", c->key.s);
		}
	}
	for (i = 0; i < s->ncols; i++) {
		if (!values[i] && s->given && strchr(s->cols[i].name, '.'))
			values[i] = wbl_node_at(object, s->cols[i].name);
		if (!values[i] && s->refuse_missing)
			return jsonl_bad(r, "Mend the line, or set `missing = \"null\"`.",
				"there is no \"%s\"", s->cols[i].name);
	}
	return WBL_OK;
}

/* 12.5e1 without its exponent: 125. -1 when that is too long. */
static int plain(const struct wbl_text *t, char out[JSONL_MOST_DIGITS + 8], size_t *ret_len)
{
	const char *e = t->s + strcspn(t->s, "eE"), *p = t->s;
	char digits[JSONL_MOST_DIGITS + 1], *end;
	size_t n = 0, len = 0;
	long point = 0, shift = *e ? strtol(e + 1, &end, 10) : 0;
	int behind = 0;

	if (*p == '-')
		out[len++] = *p++;
	for (; p < e; p++) {
		if (*p == '.') {
			behind = 1;
			continue;
		}
		if (!n && *p == '0') {
			point -= behind;
			continue;
		}
		if (n == JSONL_MOST_DIGITS)
			return -1;
		digits[n++] = *p;
		point += !behind;
	}
	while (n && digits[n - 1] == '0')
		n--;
	if (!n) {
		out[0] = '0';
		*ret_len = 1;
		return 0;
	}
	if (shift > 2 * JSONL_MOST_DIGITS || shift < -2 * JSONL_MOST_DIGITS)
		return -1;
	point += shift;
	if (point > JSONL_MOST_DIGITS || (long)n - point > JSONL_MOST_DIGITS)
		return -1;
	if (point <= 0) {
		out[len++] = '0';
		out[len++] = '.';
		for (long i = point; i < 0; i++)
			out[len++] = '0';
	}
	for (size_t i = 0; i < n; i++) {
		if (point > 0 && (long)i == point)
			out[len++] = '.';
		out[len++] = digits[i];
	}
	for (long i = (long)n; i < point; i++)
		out[len++] = '0';
	*ret_len = len;
	return 0;
}

static int number(struct wbl_rows *rows, const struct wbl_text *t, const char **ret_why)
{
	char text[JSONL_MOST_DIGITS + 8];
	struct wbl_cell c = { .tag = WBL_CELL_TEXT, .data = (const uint8_t *)text };
	size_t len;

	if (plain(t, text, &len)) {
		*ret_why = "a number of more than 398 digits";
		return -1;
	}
	c.len = (uint32_t)len;
	return wbl_cell_cast(rows, &c, WBL_TYPE_DECIMAL, ret_why);
}

static void write_key(struct wbl_out *o, const struct wbl_text *key)
{
	wbl_out_textn(o, NULL, key->s, key->len);
	wbl_out_add(o, ":", 1);
	o->comma = 0;
}

static void write_node(struct wbl_out *o, const struct wbl_node *n)
{
	switch (n->kind) {
	case WBL_NODE_OBJECT:
	case WBL_NODE_ARRAY:
		wbl_out_open(o, NULL, n->kind == WBL_NODE_OBJECT ? '{' : '[');
		for (const struct wbl_node *c = n->child; c; c = c->next) {
			if (n->kind == WBL_NODE_OBJECT)
				write_key(o, &c->key);
			write_node(o, c);
		}
		wbl_out_close(o, n->kind == WBL_NODE_OBJECT ? '}' : ']');
		break;
	case WBL_NODE_TEXT:
		wbl_out_textn(o, NULL, n->text.s, n->text.len);
		break;
	case WBL_NODE_NUMBER:
		wbl_out_json(o, NULL, n->text.s);
		break;
	default:
		wbl_out_json(o, NULL,
			n->kind == WBL_NODE_NULL   ? "null"
			: n->kind == WBL_NODE_TRUE ? "true"
						   : "false");
	}
}

static int nested(struct wbl_rows *rows, const struct wbl_node *n, const char **ret_why)
{
	struct wbl_out o = { 0 };
	struct wbl_cell c = { .tag = WBL_CELL_TEXT };
	int bad;

	write_node(&o, n);
	c.data = (const uint8_t *)o.s;
	c.len = (uint32_t)o.len;
	bad = wbl_cell_cast(rows, &c, WBL_TYPE_JSON, ret_why);
	wbl_out_clear(&o);
	return bad;
}

static int digit(char c)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	const char *at = c ? strchr(digits, c) : NULL;

	return at ? (int)(at - digits) : -1;
}

static int base64(struct wbl_rows *rows, const struct wbl_text *t, const char **ret_why)
{
	struct wbl_out o = { 0 };
	size_t pad = t->len && t->s[t->len - 1] == '=' ? 1 + (t->s[t->len - 2] == '=') : 0;
	int bad = t->len % 4 != 0;

	wbl_out_reset(&o);
	for (size_t i = 0; !bad && i < t->len; i += 4) {
		size_t missing = i + 4 == t->len ? pad : 0;
		uint32_t v = 0;
		char three[3];

		for (size_t k = 0; k < 4; k++) {
			int d = k < 4 - missing ? digit(t->s[i + k]) : 0;

			bad |= d < 0;
			v = v << 6 | (uint32_t)(d & 63);
		}
		three[0] = (char)(v >> 16);
		three[1] = (char)(v >> 8);
		three[2] = (char)v;
		wbl_out_add(&o, three, 3 - missing);
	}
	if (bad)
		*ret_why = "not base64";
	else
		wbl_cell_blob(rows, WBL_CELL_BYTES, o.len ? o.s : "", o.len);
	wbl_out_clear(&o);
	return bad ? -1 : 0;
}

/* 1: the object is none of the marked values; else as jsonl_cell. */
static int marked(struct wbl_rows *rows, const struct wbl_node *n, const char **ret_why)
{
	static const int32_t types[] = { WBL_TYPE_REAL, WBL_TYPE_REAL32, WBL_TYPE_INSTANT,
		WBL_TYPE_LOCAL, WBL_TYPE_DATE, WBL_TYPE_UUID };
	const struct wbl_node *m = n->child;
	struct wbl_cell c = { .tag = WBL_CELL_TEXT };

	if (n->kind != WBL_NODE_OBJECT || n->count != 1 || m->key.s[0] != '$')
		return 1;
	if (!strcmp(m->key.s, "$json"))
		return nested(rows, m, ret_why);
	if (m->kind != WBL_NODE_TEXT)
		return 1;
	if (!strcmp(m->key.s, "$base64"))
		return base64(rows, &m->text, ret_why);
	c.data = (const uint8_t *)m->text.s;
	c.len = (uint32_t)m->text.len;
	for (size_t i = 0; i < sizeof types / sizeof *types; i++)
		if (!strcmp(m->key.s + 1, wbl_type_name(types[i])))
			return wbl_cell_cast(rows, &c, types[i], ret_why);
	return 1;
}

int jsonl_cell(struct wbl_rows *rows, const struct wbl_node *n, int marks, const char **ret_why)
{
	int other;

	switch (n ? n->kind : WBL_NODE_NULL) {
	case WBL_NODE_NULL:
		wbl_cell_null(rows);
		return 0;
	case WBL_NODE_FALSE:
	case WBL_NODE_TRUE:
		wbl_cell_int(rows, n->kind == WBL_NODE_TRUE);
		return 0;
	case WBL_NODE_NUMBER:
		return number(rows, &n->text, ret_why);
	case WBL_NODE_TEXT:
		wbl_cell_text(rows, n->text.s, n->text.len);
		return 0;
	default:
		other = marks ? marked(rows, n, ret_why) : 1;
		return other == 1 ? nested(rows, n, ret_why) : other;
	}
}
