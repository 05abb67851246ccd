/* csv_write.c - rows as records of separated fields.
 * In: canonical cells, with the types of their columns.  Out: fields which read back as the same cells: with the options they were written with
 * by themselves, without them under the types of the columns. What is not text is never quoted; a text that could be taken for
 * something else always is.
 * SPDX-License-Identifier: Apache-2.0 */
#include "csv_impl.h"

#include <math.h>
#include <string.h>

#define SELF(files) ((const struct csv_self *)(files))

const char *csv_bytes_mark(const struct csv_self *s)
{
	return s->bytes == CSV_HEX ? "\\x" : s->bytes == CSV_BASE64 ? "base64:" : NULL;
}

static int is_nonfinite(const char *p, size_t len)
{
	return (len == 3 && !memcmp(p, "NaN", 3)) || (len == 8 && !memcmp(p, "Infinity", 8)) ||
	       (len == 9 && !memcmp(p, "-Infinity", 9));
}

/* NULL: not finite. Decimals are those in canonical form only, so that no text that looks nearly like one is changed; reals have an exponent. */
int csv_number_tag(const struct csv_self *s, const char *p, size_t len)
{
	size_t i = len && p[0] == '-', whole = i, point = 0, n;
	char canon[512];

	if (s->nonfinite && is_nonfinite(p, len))
		return WBL_CELL_NULL;
	if (!s->marks || i >= len || len > 400 || p[i] < '0' || p[i] > '9')
		return WBL_CELL_TEXT;
	for (; i < len && ((p[i] >= '0' && p[i] <= '9') || (p[i] == '.' && !point)); i++)
		if (p[i] == '.')
			point = i;
	if (i < len) {
		if (p[i] != 'e' || p[i - 1] == '.' || i - whole > 40)
			return WBL_CELL_TEXT;
		i += 1 + (i + 1 < len && (p[i + 1] == '-' || p[i + 1] == '+'));
		if (i == len || len - i > 3)
			return WBL_CELL_TEXT;
		for (; i < len; i++)
			if (p[i] < '0' || p[i] > '9')
				return WBL_CELL_TEXT;
		return WBL_CELL_REAL;
	}
	if (wbl_decimal_canon(p, len, canon, &n) || n != len || memcmp(canon, p, n) != 0)
		return WBL_CELL_TEXT;
	return WBL_CELL_DECIMAL;
}

const char *csv_check(
	struct wbl_files *files, const char *const *names, const int32_t *types, size_t n)
{
	const struct csv_self *s = SELF(files);

	if (n > CSV_MOST_COLUMNS)
		return "more than 16384 columns";
	for (size_t i = 0; i < n; i++) {
		if (!*names[i] || !wbl_utf8_ok(names[i], strlen(names[i])))
			return "a column without a usable name";
		if (types[i] == WBL_TYPE_ANY && !s->marks)
			return "a column has values of any kind, and `marks = false` lets nobody "
			       "tell "
			       "them apart; give it a type";
		if (types[i] == WBL_TYPE_BYTES && !s->bytes)
			return "a column of bytes, and `bytes = \"refuse\"`";
	}
	if (s->null_text &&
		(strpbrk(s->null_text, "\r\n") || memchr(s->null_text, s->sep, s->null_len) ||
			(s->quote >= 0 && memchr(s->null_text, s->quote, s->null_len)) ||
			(s->null_len && s->comment == s->null_text[0])))
		return "the text of `null` has a separator, a quote, a line break or begins a "
		       "comment";
	if (s->quote < 0 && s->header && n &&
		((s->comment >= 0 && names[0][0] == (char)s->comment) ||
			!strncmp(names[0], "\xef\xbb\xbf", 3)))
		return "the first column's name begins like a comment or a byte order mark, and "
		       "there is no quote";
	if (s->quote < 0 && s->escape < 0)
		return "without `quote` and `escape` a text with a separator cannot be written";
	return NULL;
}

/* ---- fields ---- */

static int must_quote(const struct csv_self *s, const char *p, size_t len, int first)
{
	const char *mark = csv_bytes_mark(s);

	if (s->null_text && len == s->null_len && !memcmp(p, s->null_text, len))
		return 1;
	/* At the beginning of a file a byte order mark is passed over; in quotes it stays. */
	if (first && len &&
		((s->comment >= 0 && p[0] == (char)s->comment) ||
			(len > 2 && !memcmp(p, "\xef\xbb\xbf", 3))))
		return 1;
	if (mark && len >= strlen(mark) && !memcmp(p, mark, strlen(mark)))
		return 1;
	return csv_number_tag(s, p, len) != WBL_CELL_TEXT;
}

static int special(const struct csv_self *s, char c)
{
	return c == (char)s->sep || c == '\n' || c == '\r' || c == '"' ||
	       (s->quote >= 0 && c == (char)s->quote) || (s->escape >= 0 && c == (char)s->escape);
}

static void add_quoted(const struct csv_self *s, const char *p, size_t len, struct wbl_out *o)
{
	char quote = (char)s->quote, before = s->escape >= 0 ? (char)s->escape : quote;
	size_t from = 0;

	wbl_out_add(o, &quote, 1);
	for (size_t i = 0; i < len; i++) {
		if (p[i] != quote && (s->escape < 0 || p[i] != (char)s->escape))
			continue;
		wbl_out_add(o, p + from, i - from);
		wbl_out_add(o, &before, 1);
		from = i;
	}
	wbl_out_add(o, p + from, len - from);
	wbl_out_add(o, &quote, 1);
}

static void add_escaped(const struct csv_self *s, const char *p, size_t len, struct wbl_out *o)
{
	char escape = (char)s->escape;

	for (size_t i = 0; i < len; i++) {
		if (special(s, p[i]))
			wbl_out_add(o, &escape, 1);
		wbl_out_add(o, p + i, 1);
	}
}

/* number: 0 a text; 1 a number that may be quoted, because its column has a type; 2 one that may not. */
static const char *text(const struct csv_self *s, const char *p, size_t len, int first, int number,
	struct wbl_out *o)
{
	int quote, hard = 0;

	for (size_t i = 0; !hard && i < len; i++)
		hard = special(s, p[i]);
	if (number)
		quote = number == 1 && s->quoting == CSV_ALL;
	else
		quote = s->quoting != CSV_MINIMAL || must_quote(s, p, len, first) ||
			/* Blanks at the ends are kept here, and taken off by many others. */
			(len && (p[0] == ' ' || p[0] == '\t' || p[len - 1] == ' '));
	if (number && first && len && s->comment >= 0 && p[0] == (char)s->comment)
		quote = 1;
	if (s->quote >= 0 && (quote || hard)) {
		add_quoted(s, p, len, o);
		return NULL;
	}
	if (s->quote < 0 && !number && must_quote(s, p, len, first))
		return "a text that would be read as something else, and there is no quote";
	if (s->escape >= 0)
		add_escaped(s, p, len, o);
	else
		wbl_out_add(o, p, len);
	return NULL;
}

/* In a column of any kind only the exponent tells a real from a decimal; in one of reals a whole number might be too large for an
 * integer that becomes one. */
static void real_text(const struct wbl_cell *c, int32_t type, char out[48])
{
	size_t n = wbl_real_show(c, out);

	if (!strpbrk(out, "e") && (type == WBL_TYPE_ANY || !strpbrk(out, ".")))
		memcpy(out + n, type == WBL_TYPE_ANY ? "e0" : ".0", 3);
}

static const char *real(
	const struct csv_self *s, const struct wbl_cell *c, int32_t type, struct wbl_out *o)
{
	double d = wbl_cell_get_real(c);
	char out[48];

	if (isnan(d) || isinf(d)) {
		if (!s->nonfinite || c->tag == WBL_CELL_REAL32)
			return "a number that is not finite";
		wbl_out_fmt(o, "%s", isnan(d) ? "NaN" : d < 0 ? "-Infinity" : "Infinity");
		return NULL;
	}
	real_text(c, type, out);
	/* What is neither text nor a binary32 never becomes one: so it is a text. */
	if (c->tag == WBL_CELL_REAL32 && s->marks && s->quote >= 0) {
		add_quoted(s, out, strlen(out), o);
		return NULL;
	}
	return text(s, out, strlen(out), 0, type == WBL_TYPE_ANY ? 2 : 1, o);
}

static void bytes(const struct csv_self *s, const struct wbl_cell *c, struct wbl_out *o)
{
	const char *mark = csv_bytes_mark(s);

	wbl_out_add(o, mark, strlen(mark));
	if (s->bytes == CSV_HEX)
		wbl_hex_write(o, c->data, c->len);
	else
		wbl_base64_put(o, c->data, c->len);
}

static const char *shown(const struct csv_self *s, const struct wbl_cell *c, int32_t type,
	int first, struct wbl_out *o)
{
	struct wbl_out t = { 0 };
	int number = c->tag != WBL_CELL_INT && c->tag != WBL_CELL_DECIMAL ? 0
		     : type == WBL_TYPE_ANY                               ? 2
									  : 1;
	const char *why;

	if (c->tag == WBL_CELL_INT && type == WBL_TYPE_BOOL && (uint64_t)wbl_cell_get_int(c) <= 1)
		wbl_out_fmt(&t, "%s", wbl_cell_get_int(c) ? "true" : "false");
	else
		wbl_cell_show(&t, c);
	why = text(s, t.s, t.len, first, number, o);
	wbl_out_clear(&t);
	return why;
}

static int is_own(const struct wbl_cell *c, int32_t type)
{
	switch (c->tag) {
	case WBL_CELL_REAL32:
		return type == WBL_TYPE_REAL32;
	case WBL_CELL_JSON:
		return type == WBL_TYPE_JSON;
	case WBL_CELL_INSTANT:
		return type == WBL_TYPE_INSTANT;
	case WBL_CELL_LOCAL:
		return type == WBL_TYPE_LOCAL;
	case WBL_CELL_DATE:
		return type == WBL_TYPE_DATE;
	case WBL_CELL_UUID:
		return type == WBL_TYPE_UUID;
	default:
		return 1;
	}
}

static const char *value(const struct csv_self *s, const struct wbl_cell *c, int32_t type,
	int first, struct wbl_out *o)
{
	switch (c->tag) {
	case WBL_CELL_TEXT:
		return text(s, (const char *)c->data, c->len, first, 0, o);
	case WBL_CELL_REAL:
	case WBL_CELL_REAL32:
		return real(s, c, type, o);
	case WBL_CELL_BYTES:
		if (!s->bytes)
			return "bytes, and `bytes = \"refuse\"`";
		bytes(s, c, o);
		return NULL;
	case WBL_CELL_RAW:
		return "a text that is not UTF-8 or has a NUL";
	case WBL_CELL_LIST:
		return "a list";
	case WBL_CELL_DECIMAL:
		if (c->len > 398)
			return "a number of more than 398 digits";
		return shown(s, c, type, first, o);
	default:
		return shown(s, c, type, first, o);
	}
}

static const char *one_field(const struct csv_self *s, const struct wbl_cell *c, int32_t type,
	int first, struct wbl_out *o)
{
	size_t from = o->len;
	const char *why;

	if (!is_own(c, type))
		return "a value of a type that its column has not; give the column the type";
	if (c->tag == WBL_CELL_NULL) {
		if (!s->null_text)
			return "NULL, and there is no text for it";
		wbl_out_add(o, s->null_text, s->null_len);
		return NULL;
	}
	why = value(s, c, type, first, o);
	if (!why && s->null_text && o->len - from == s->null_len &&
		!memcmp(o->s + from, s->null_text, s->null_len))
		return "a value that is written like NULL";
	return why;
}

static void end_line(const struct csv_self *s, struct wbl_out *o)
{
	wbl_out_add(o, s->crlf ? "\r\n" : "\n", s->crlf ? 2 : 1);
}

void csv_head(struct wbl_files *files, const char *const *names, size_t n, struct wbl_out *o)
{
	const struct csv_self *s = SELF(files);
	char sep = (char)s->sep;

	if (!s->header)
		return;
	for (size_t i = 0; i < n; i++) {
		if (i)
			wbl_out_add(o, &sep, 1);
		/* A name is never NULL, a number or bytes. */
		if (s->quote < 0)
			add_escaped(s, names[i], strlen(names[i]), o);
		else
			text(s, names[i], strlen(names[i]), i == 0, 0, o);
	}
	if (s->trailing)
		wbl_out_add(o, &sep, 1);
	end_line(s, o);
}

const char *csv_line(
	const struct wbl_file_writer *w, const struct wbl_cell *cells, struct wbl_out *o)
{
	const struct csv_self *s = SELF(w->store);
	const char *why = NULL;
	char sep = (char)s->sep;
	size_t from = o->len;

	for (size_t i = 0; !why && i < w->ncols; i++) {
		if (i)
			wbl_out_add(o, &sep, 1);
		why = one_field(s, &cells[i], w->types[i], i == 0, o);
	}
	if (s->trailing)
		wbl_out_add(o, &sep, 1);
	if (o->len == from && s->blank_lines)
		return "an empty line, and `blank_lines` passes over them";
	end_line(s, o);
	return why;
}
