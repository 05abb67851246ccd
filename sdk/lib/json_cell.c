/* sdk/lib/json_cell.c - a canonical cell as a JSON value that reads back as the same cell, and back.
 * In: any cell.  Out: numbers with every digit, texts, null; what JSON has no form for as an object of one member, as the store jsonl
 * writes it ({"$base64":...}, {"$instant":...}), and for what that store refuses {"$raw":...}, {"$bits":...}, {"$list":[...]}.
 * SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <whimbrel/sdk.h>

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void wbl_base64_put(struct wbl_out *o, const void *data, size_t len)
{
	const uint8_t *p = data;

	for (size_t i = 0; i < len; i += 3) {
		uint32_t v = (uint32_t)p[i] << 16 | (uint32_t)(i + 1 < len ? p[i + 1] : 0) << 8 |
			     (i + 2 < len ? p[i + 2] : 0);
		char four[4] = { digits[v >> 18], digits[v >> 12 & 63],
			i + 1 < len ? digits[v >> 6 & 63] : '=',
			i + 2 < len ? digits[v & 63] : '=' };

		wbl_out_add(o, four, 4);
	}
}

int wbl_base64_get(const char *s, size_t len, struct wbl_out *ret)
{
	size_t pad = len && s[len - 1] == '=' ? 1 + (len > 1 && s[len - 2] == '=') : 0;

	wbl_out_reset(ret);
	if (len % 4)
		return -1;
	for (size_t i = 0; i < len; i += 4) {
		size_t missing = i + 4 == len ? pad : 0;
		uint32_t v = 0;
		char three[3];

		for (size_t k = 0; k < 4; k++) {
			char c = k < 4 - missing ? s[i + k] : 'A';
			const char *at = c ? strchr(digits, c) : NULL;

			if (!at)
				return -1;
			v = v << 6 | (uint32_t)(at - digits);
		}
		if (v & ((1u << 8 * missing) - 1))
			return -1;
		three[0] = (char)(v >> 16);
		three[1] = (char)(v >> 8);
		three[2] = (char)v;
		wbl_out_add(ret, three, 3 - missing);
	}
	return 0;
}

/* ---- writing ---- */

static void mark(struct wbl_out *o, const char *key, const char *name, const char *text, size_t len)
{
	wbl_out_open(o, key, '{');
	wbl_out_textn(o, name, text, len);
	wbl_out_close(o, '}');
}

static void put_base64(
	struct wbl_out *o, const char *key, const char *name, const struct wbl_cell *c)
{
	struct wbl_out text = { 0 };

	wbl_out_reset(&text);
	wbl_base64_put(&text, c->data, c->len);
	mark(o, key, name, text.s, text.len);
	wbl_out_clear(&text);
}

static void put_shown(struct wbl_out *o, const char *key, int32_t type, const struct wbl_cell *c)
{
	struct wbl_out text = { 0 }, name = { 0 };

	wbl_out_fmt(&name, "$%s", wbl_type_name(type));
	wbl_cell_show(&text, c);
	mark(o, key, name.s, text.s, text.len);
	wbl_out_clear(&text);
	wbl_out_clear(&name);
}

static void put_real(struct wbl_out *o, const char *key, const struct wbl_cell *c)
{
	double d = wbl_cell_get_real(c);
	uint64_t bits;
	char hex[20];

	if (c->tag == WBL_CELL_REAL32 && isfinite(d) && fpclassify((float)d) != FP_SUBNORMAL) {
		put_shown(o, key, WBL_TYPE_REAL32, c);
	} else if (c->tag == WBL_CELL_REAL && isfinite(d) && fpclassify(d) != FP_SUBNORMAL) {
		put_shown(o, key, WBL_TYPE_REAL, c);
	} else {
		memcpy(&bits, &d, sizeof bits);
		snprintf(hex, sizeof hex, "%c%016" PRIx64, c->tag == WBL_CELL_REAL32 ? 'f' : 'F',
			bits);
		mark(o, key, "$bits", hex, strlen(hex));
	}
}

/* JSON of a document's own stands in {"$json":...} where it could be taken for something else. */
static void put_json(struct wbl_out *o, const char *key, const struct wbl_cell *c)
{
	struct wbl_out text = { 0 };

	wbl_out_add(&text, c->data, c->len);
	wbl_out_open(o, key, '{');
	wbl_out_json(o, "$json", text.s);
	wbl_out_close(o, '}');
	wbl_out_clear(&text);
}

static void put_list(struct wbl_out *o, const char *key, const struct wbl_cell *c)
{
	struct wbl_bytes rest = { c->data, c->len };
	struct wbl_cell item;

	wbl_out_open(o, key, '{');
	wbl_out_open(o, "$list", '[');
	while (wbl_cell_next(&rest, &item) == 1)
		wbl_json_put_cell(o, NULL, &item);
	wbl_out_close(o, ']');
	wbl_out_close(o, '}');
}

/* As JSON text can have a NUL in it, what is kept from being clean may be that alone. */
static int clean(const struct wbl_cell *c)
{
	const uint8_t *p = c->data, *end = p + c->len, *nul;

	for (; p < end && (nul = memchr(p, 0, (size_t)(end - p))); p = nul + 1)
		if (!wbl_utf8_ok(p, (size_t)(nul - p)))
			return 0;
	return p >= end || wbl_utf8_ok(p, (size_t)(end - p));
}

void wbl_json_put_cell(struct wbl_out *o, const char *key, const struct wbl_cell *c)
{
	struct wbl_out text = { 0 };

	switch (c->tag) {
	case WBL_CELL_INT:
		wbl_out_int(o, key, wbl_cell_get_int(c));
		break;
	case WBL_CELL_DECIMAL:
		wbl_out_add(&text, c->data, c->len);
		wbl_out_json(o, key, text.s);
		wbl_out_clear(&text);
		break;
	case WBL_CELL_REAL:
	case WBL_CELL_REAL32:
		put_real(o, key, c);
		break;
	case WBL_CELL_TEXT:
	case WBL_CELL_RAW:
		if (c->tag == WBL_CELL_TEXT || clean(c))
			wbl_out_textn(o, key, (const char *)c->data, c->len);
		else
			put_base64(o, key, "$raw", c);
		break;
	case WBL_CELL_BYTES:
		put_base64(o, key, "$base64", c);
		break;
	case WBL_CELL_INSTANT:
		put_shown(o, key, WBL_TYPE_INSTANT, c);
		break;
	case WBL_CELL_LOCAL:
		put_shown(o, key, WBL_TYPE_LOCAL, c);
		break;
	case WBL_CELL_DATE:
		put_shown(o, key, WBL_TYPE_DATE, c);
		break;
	case WBL_CELL_UUID:
		put_shown(o, key, WBL_TYPE_UUID, c);
		break;
	case WBL_CELL_JSON:
		put_json(o, key, c);
		break;
	case WBL_CELL_LIST:
		put_list(o, key, c);
		break;
	default:
		wbl_out_json(o, key, "null");
	}
}

/* ---- reading ---- */

static int cast(struct wbl_rows *r, const char *s, size_t len, int32_t type, const char **why)
{
	struct wbl_cell c = {
		.tag = WBL_CELL_TEXT, .data = (const uint8_t *)s, .len = (uint32_t)len
	};

	return wbl_cell_cast(r, &c, type, why);
}

void wbl_out_node(struct wbl_out *o, const char *key, const struct wbl_node *n)
{
	switch (n->kind) {
	case WBL_NODE_OBJECT:
	case WBL_NODE_ARRAY:
		wbl_out_open(o, key, n->kind == WBL_NODE_OBJECT ? '{' : '[');
		for (const struct wbl_node *c = n->child; c; c = c->next)
			wbl_out_node(o, n->kind == WBL_NODE_OBJECT ? c->key.s : NULL, c);
		wbl_out_close(o, n->kind == WBL_NODE_OBJECT ? '}' : ']');
		break;
	case WBL_NODE_TEXT:
		wbl_out_textn(o, key, n->text.s, n->text.len);
		break;
	case WBL_NODE_NUMBER:
		wbl_out_json(o, key, n->text.s);
		break;
	default:
		wbl_out_json(o, key,
			n->kind == WBL_NODE_NULL   ? "null"
			: n->kind == WBL_NODE_TRUE ? "true"
						   : "false");
	}
}

static int get_json(struct wbl_rows *r, const struct wbl_node *n, const char **why)
{
	struct wbl_out o = { 0 };
	int bad;

	wbl_out_node(&o, NULL, n);
	bad = cast(r, o.s, o.len, WBL_TYPE_JSON, why);
	wbl_out_clear(&o);
	return bad;
}

static int get_base64(struct wbl_rows *r, int tag, const struct wbl_text *t, const char **why)
{
	struct wbl_out o = { 0 };
	int bad = wbl_base64_get(t->s, t->len, &o);

	if (bad)
		*why = "not base64";
	else if (tag == WBL_CELL_RAW)
		wbl_cell_text(r, o.s, o.len);
	else
		wbl_cell_blob(r, tag, o.s, o.len);
	wbl_out_clear(&o);
	return bad;
}

static int get_bits(struct wbl_rows *r, const struct wbl_text *t, const char **why)
{
	uint64_t bits = 0;
	double d;

	*why = "$bits is F or f and 16 hex digits";
	if (t->len != 17 || (t->s[0] != 'F' && t->s[0] != 'f') ||
		strspn(t->s + 1, "0123456789abcdef") != 16)
		return -1;
	bits = strtoull(t->s + 1, NULL, 16);
	memcpy(&d, &bits, sizeof d);
	if (t->s[0] == 'F')
		wbl_cell_real(r, d);
	else
		wbl_cell_real32(r, (float)d);
	return 0;
}

static int get_list(struct wbl_rows *r, const struct wbl_node *list, const char **why)
{
	struct wbl_rows items = { 0 };
	struct wbl_bytes cells = { 0 };
	int bad = 0;

	*why = "$list is an array";
	if (list->kind != WBL_NODE_ARRAY)
		return -1;
	wbl_row_begin(&items, WBL_ROW_PUT);
	for (const struct wbl_node *n = list->child; !bad && n; n = n->next)
		bad = wbl_json_get_cell(&items, n, why);
	if (!bad) {
		cells = wbl_row_end(&items);
		wbl_cell_blob(r, WBL_CELL_LIST, cells.data, cells.len);
	}
	wbl_rows_clear(&items);
	return bad;
}

static int get_marked(struct wbl_rows *r, const struct wbl_node *m, const char **why)
{
	static const int32_t types[] = { WBL_TYPE_REAL, WBL_TYPE_REAL32, WBL_TYPE_INSTANT,
		WBL_TYPE_LOCAL, WBL_TYPE_DATE, WBL_TYPE_UUID };
	const char *name = m->key.s + 1;

	if (!strcmp(name, "json"))
		return get_json(r, m, why);
	if (!strcmp(name, "list"))
		return get_list(r, m, why);
	*why = "no value is marked like that";
	if (m->kind != WBL_NODE_TEXT)
		return -1;
	if (!strcmp(name, "base64"))
		return get_base64(r, WBL_CELL_BYTES, &m->text, why);
	if (!strcmp(name, "raw"))
		return get_base64(r, WBL_CELL_RAW, &m->text, why);
	if (!strcmp(name, "bits"))
		return get_bits(r, &m->text, why);
	for (size_t i = 0; i < sizeof types / sizeof *types; i++)
		if (!strcmp(name, wbl_type_name(types[i])))
			return cast(r, m->text.s, m->text.len, types[i], why);
	return -1;
}

int wbl_json_get_cell(struct wbl_rows *r, const struct wbl_node *n, const char **ret_why)
{
	switch (n->kind) {
	case WBL_NODE_NULL:
		wbl_cell_null(r);
		return 0;
	case WBL_NODE_FALSE:
	case WBL_NODE_TRUE:
		wbl_cell_int(r, n->kind == WBL_NODE_TRUE);
		return 0;
	case WBL_NODE_NUMBER:
		return cast(r, n->text.s, n->text.len, WBL_TYPE_DECIMAL, ret_why);
	case WBL_NODE_TEXT:
		wbl_cell_text(r, n->text.s, n->text.len);
		return 0;
	default:
		if (n->kind == WBL_NODE_OBJECT && n->count == 1 && n->child->key.s[0] == '$')
			return get_marked(r, n->child, ret_why);
		return get_json(r, n, ret_why);
	}
}
