/* jsonl_cell.c - members of an object as columns, JSON values as canonical cells.
 * In: nodes whose numbers are as they were written.  Out: cells: whole numbers of 64 bits INT, all other numbers DECIMAL with every
 * digit, true and false 1 and 0, objects and arrays JSON.  No number goes through a binary one.
 * SPDX-License-Identifier: Apache-2.0 */
#include "jsonl_impl.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SELF(r) ((const struct jsonl_self *)(r)->set->store)

int jsonl_is_mark(const struct wbl_node *n)
{
	static const char *const marks[] = { "$base64", "$json", "$real", "$real32", "$instant",
		"$local", "$date", "$uuid" };

	if (n->kind != WBL_NODE_OBJECT || n->count != 1)
		return 0;
	for (size_t i = 0; i < sizeof marks / sizeof *marks; i++)
		if (!strcmp(n->child->key.s, marks[i]))
			return i == 1 || n->child->kind == WBL_NODE_TEXT;
	return 0;
}

/* Records have their keys in one order as a rule: the next column is the first guess. */
static int column_of(const struct wbl_file_set *set, const char *name, size_t len, size_t *guess)
{
	int i;

	if (*guess < set->ncols && !strncmp(set->cols[*guess].name, name, len) &&
		!set->cols[*guess].name[len])
		return (int)(*guess)++;
	i = wbl_file_column_find(set, name, len);
	if (i >= 0)
		*guess = (size_t)i + 1;
	return i;
}

static int32_t place_members(struct jsonl_reader *r, const struct wbl_node *object, size_t *guess)
{
	const struct jsonl_self *s = SELF(&r->r);
	size_t before = r->path.len;
	int32_t rc = WBL_OK;

	for (const struct wbl_node *c = object->child; !rc && c; c = c->next) {
		struct wbl_text name = c->key;
		int i;

		if (s->nest) {
			if (before)
				wbl_out_add(&r->path, ".", 1);
			wbl_out_add(&r->path, c->key.s, c->key.len);
			name = (struct wbl_text){ r->path.s, r->path.len };
		}
		i = column_of(r->r.set, name.s, name.len, guess);
		if (i >= 0 && r->values[i])
			rc = wbl_reader_bad(&r->r, r->r.number, "Take one of them away.",
				"two values for \"%.100s\"", name.s);
		else if (i >= 0)
			r->values[i] = c;
		else if (s->nest && c->kind == WBL_NODE_OBJECT && c->count && !jsonl_is_mark(c))
			rc = place_members(r, c, guess);
		else if (!s->given)
			rc = wbl_reader_bad(&r->r, r->r.number,
				"Name the columns to be taken by `columns`.",
				"the key \"%.100s\" is none of the columns", name.s);
		if (s->nest) {
			r->path.len = before;
			r->path.s[before] = 0;
		}
	}
	return rc;
}

int32_t jsonl_place(struct jsonl_reader *r, const struct wbl_node *object)
{
	const struct jsonl_self *s = SELF(&r->r);
	const struct wbl_file_set *set = r->r.set;
	size_t guess = 0;
	int32_t rc;

	if (!r->values || r->nvalues < set->ncols) {
		r->nvalues = set->ncols + 1;
		r->values = wbl_sdk_grow(r->values, r->nvalues * sizeof(*r->values));
	}
	memset(r->values, 0, set->ncols * sizeof(*r->values));
	wbl_out_reset(&r->path);
	rc = place_members(r, object, &guess);
	for (size_t i = 0; !rc && i < set->ncols; i++) {
		if (!r->values[i] && s->given && strchr(set->cols[i].name, '.'))
			r->values[i] = wbl_node_at(object, set->cols[i].name);
		if (!r->values[i] && s->refuse_missing && set->known)
			rc = wbl_reader_bad(&r->r, r->r.number,
				"Mend the line, or set `missing = \"null\"`.", "there is no \"%s\"",
				set->cols[i].name);
	}
	return rc;
}

int32_t jsonl_row(struct wbl_reader *reader, struct wbl_rows *rows, const int *pick, size_t npick,
	int64_t position)
{
	struct jsonl_reader *r = (struct jsonl_reader *)reader;
	struct wbl_doc *d = NULL;
	const char *why = "";
	int32_t rc = jsonl_object(reader, &d);

	rc = rc ? rc : jsonl_place(r, wbl_doc_root(d));
	for (size_t i = 0; !rc && i < npick; i++) {
		int32_t type = pick[i] < 0 ? WBL_TYPE_ANY : reader->set->cols[pick[i]].cast;
		size_t from = rows->len;

		if (pick[i] < 0)
			wbl_reader_about(reader, rows, pick[i], position);
		else if (jsonl_cell(rows, r->values[pick[i]], SELF(reader)->marks, &why))
			rc = wbl_reader_bad(reader, reader->number,
				"Mend the value, or quote it as a text.", "column \"%s\": %s",
				reader->set->cols[pick[i]].name, why);
		else if (type != WBL_TYPE_ANY)
			wbl_reader_cast(reader, rows, from, type);
	}
	wbl_doc_free(d);
	return rc;
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

static int base64(struct wbl_rows *rows, const struct wbl_text *t, const char **ret_why)
{
	struct wbl_out o = { 0 };
	int bad;

	wbl_out_reset(&o);
	bad = wbl_base64_get(t->s, t->len, &o);
	if (bad)
		*ret_why = "not base64";
	else
		wbl_cell_blob(rows, WBL_CELL_BYTES, o.s, o.len);
	wbl_out_clear(&o);
	return bad;
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
