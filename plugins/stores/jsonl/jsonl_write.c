/* jsonl_write.c - rows appended as objects, a line each.
 * In: batches of canonical rows, columns with their types.  Out: lines which read back as the same cells: what JSON has no form for is an
 * object of one member, {"$base64":"..."}, {"$real":"..."}, {"$json":...}.  
 * SPDX-License-Identifier: Apache-2.0 */
#include "jsonl_impl.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- one value ---- */

static int clean_text(const struct wbl_cell *c)
{
	const uint8_t *p = c->data, *end = p + c->len, *nul;

	for (; (nul = memchr(p, 0, (size_t)(end - p))); p = nul + 1)
		if (!wbl_utf8_ok(p, (size_t)(nul - p)))
			return 0;
	return wbl_utf8_ok(p, (size_t)(end - p));
}

static const char *marked(struct wbl_out *o, const struct wbl_cell *c, int32_t type)
{
	struct wbl_out name = { 0 }, text = { 0 };

	wbl_out_fmt(&name, "$%s", wbl_type_name(type));
	wbl_cell_show(&text, c);
	wbl_out_open(o, NULL, '{');
	wbl_out_textn(o, name.s, text.s, text.len);
	wbl_out_close(o, '}');
	wbl_out_clear(&name);
	wbl_out_clear(&text);
	return NULL;
}

static const char *shown(struct wbl_out *o, const struct wbl_cell *c, int32_t type, int32_t own)
{
	struct wbl_out text = { 0 };

	if (type != own)
		return marked(o, c, own);
	wbl_cell_show(&text, c);
	wbl_out_textn(o, NULL, text.s, text.len);
	wbl_out_clear(&text);
	return NULL;
}

static const char *real(struct wbl_out *o, const struct wbl_cell *c, int32_t type)
{
	double d = wbl_cell_get_real(c);
	struct wbl_out text = { 0 };

	if (isnan(d) || isinf(d))
		return "JSON has no such number";
	if (type != WBL_TYPE_REAL || c->tag != WBL_CELL_REAL)
		return marked(o, c, c->tag == WBL_CELL_REAL ? WBL_TYPE_REAL : WBL_TYPE_REAL32);
	/* A whole number is read as one: every digit of those that 64 bits hold, not as few as tell it from its neighbours. */
	if (d == trunc(d) && fabs(d) > 9007199254740992.0 && fabs(d) <= 9223372036854775808.0)
		wbl_out_fmt(&text, "%.0f", d);
	else
		wbl_cell_show(&text, c);
	wbl_out_json(o, NULL, text.s);
	wbl_out_clear(&text);
	return NULL;
}

static const char *json(struct wbl_out *o, const struct wbl_cell *c, int nest)
{
	struct wbl_out text = { 0 };
	int object = c->len && c->data[0] == '{';
	int wrap = (!object && !(c->len && c->data[0] == '[')) || (object && nest) ||
		   (c->len > 2 && !memcmp(c->data, "{\"$", 3));

	wbl_out_add(&text, c->data, c->len);
	if (wrap)
		wbl_out_open(o, NULL, '{');
	wbl_out_json(o, wrap ? "$json" : NULL, text.s);
	if (wrap)
		wbl_out_close(o, '}');
	wbl_out_clear(&text);
	return NULL;
}

static const char *bytes(struct wbl_out *o, const struct wbl_cell *c)
{
	struct wbl_out text = { 0 };

	wbl_out_reset(&text);
	wbl_base64_put(&text, c->data, c->len);
	wbl_out_open(o, NULL, '{');
	wbl_out_textn(o, "$base64", text.len ? text.s : "", text.len);
	wbl_out_close(o, '}');
	wbl_out_clear(&text);
	return NULL;
}

/* NULL, or why the value cannot be kept. */
static const char *value(struct wbl_out *o, const struct wbl_cell *c, int32_t type, int nest)
{
	struct wbl_out text = { 0 };

	switch (c->tag) {
	case WBL_CELL_NULL:
		wbl_out_json(o, NULL, "null");
		return NULL;
	case WBL_CELL_INT:
		if (type == WBL_TYPE_BOOL && (uint64_t)wbl_cell_get_int(c) <= 1)
			wbl_out_bool(o, NULL, wbl_cell_get_int(c) != 0);
		else
			wbl_out_int(o, NULL, wbl_cell_get_int(c));
		return NULL;
	case WBL_CELL_DECIMAL:
		if (c->len > JSONL_MOST_DIGITS)
			return "a number of more than 398 digits";
		wbl_out_add(&text, c->data, c->len);
		wbl_out_json(o, NULL, text.s);
		wbl_out_clear(&text);
		return NULL;
	case WBL_CELL_REAL:
	case WBL_CELL_REAL32:
		return real(o, c, type);
	case WBL_CELL_TEXT:
	case WBL_CELL_RAW:
		if (c->tag == WBL_CELL_RAW && !clean_text(c))
			return "a text that is not UTF-8";
		wbl_out_textn(o, NULL, (const char *)c->data, c->len);
		return NULL;
	case WBL_CELL_BYTES:
		return bytes(o, c);
	case WBL_CELL_JSON:
		return json(o, c, nest);
	case WBL_CELL_INSTANT:
		return shown(o, c, type, WBL_TYPE_INSTANT);
	case WBL_CELL_LOCAL:
		return shown(o, c, type, WBL_TYPE_LOCAL);
	case WBL_CELL_DATE:
		return shown(o, c, type, WBL_TYPE_DATE);
	case WBL_CELL_UUID:
		return shown(o, c, type, WBL_TYPE_UUID);
	default:
		return "a list";
	}
}

/* ---- a line ---- */

static int begins(const char *name, const char *prefix, size_t len)
{
	return !strncmp(name, prefix, len);
}

/* Members whose paths begin with the prefix; those of one object stand together, where the first of them stands. */
static const char *members(const struct wbl_file_writer *w, const struct wbl_cell *cells,
	const char *prefix, size_t len, uint8_t *done, struct wbl_out *o)
{
	const char *why = NULL;

	wbl_out_open(o, NULL, '{');
	for (size_t i = 0; !why && i < w->ncols; i++) {
		const char *name = w->names[i], *rest = name + len, *dot;

		if (done[i] || !begins(name, prefix, len))
			continue;
		dot = strchr(rest, '.');
		wbl_out_textn(o, NULL, rest, dot ? (size_t)(dot - rest) : strlen(rest));
		wbl_out_add(o, ":", 1);
		o->comma = 0;
		done[i] = !dot;
		why = dot ? members(w, cells, name, (size_t)(dot + 1 - name), done, o)
			  : value(o, &cells[i], w->types[i], 1);
	}
	wbl_out_close(o, '}');
	return why;
}

static const char *flat(
	const struct wbl_file_writer *w, const struct wbl_cell *cells, struct wbl_out *o)
{
	const char *why = NULL;

	wbl_out_open(o, NULL, '{');
	for (size_t i = 0; !why && i < w->ncols; i++) {
		wbl_out_textn(o, NULL, w->names[i], strlen(w->names[i]));
		wbl_out_add(o, ":", 1);
		o->comma = 0;
		why = value(o, &cells[i], w->types[i], 0);
	}
	wbl_out_close(o, '}');
	return why;
}

const char *jsonl_line(
	const struct wbl_file_writer *w, const struct wbl_cell *cells, struct wbl_out *o)
{
	const struct jsonl_self *s = (const struct jsonl_self *)w->store;
	uint8_t *done;
	const char *why;

	o->comma = 0;
	if (s->nest) {
		done = wbl_sdk_alloc(w->ncols);
		why = members(w, cells, "", 0, done, o);
		free(done);
	} else {
		why = flat(w, cells, o);
	}
	wbl_out_add(o, "\n", 1);
	return why;
}

/* Parts of a path are objects, and one of them cannot be a value too. */
const char *jsonl_check(
	struct wbl_files *files, const char *const *names, const int32_t *types, size_t n)
{
	const struct jsonl_self *s = (const struct jsonl_self *)files;

	(void)types;
	for (size_t i = 0; i < n; i++) {
		size_t len = strlen(names[i]);

		if (!len || !wbl_utf8_ok(names[i], len))
			return "a column without a usable name";
		if (!s->nest)
			continue;
		if (names[i][0] == '.' || names[i][len - 1] == '.' || strstr(names[i], ".."))
			return "a path with an empty part in it";
		for (size_t k = 0; k < n; k++)
			if (k != i && begins(names[k], names[i], len) && names[k][len] == '.')
				return "a column that is a value and has parts, too";
	}
	return NULL;
}
