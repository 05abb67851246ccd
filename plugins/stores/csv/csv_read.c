/* csv_read.c - records found in text: quotes, line breaks within them, escapes; and their fields as cells.
 * In: text in which a record begins.  Out: one record and its fields at a time.  A record is first found as a whole, then taken apart: so no
 * field is ever cut by the end of a buffer.
 * SPDX-License-Identifier: Apache-2.0 */
#include "csv_impl.h"

#include <stdlib.h>
#include <string.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

#define SELF(r) ((const struct csv_self *)(r)->set->store)
static const char see[] = "See RFC 4180, or set `quote`, `separator` and `escape`.";

void csv_reader_clear(struct wbl_reader *reader)
{
	struct csv_reader *r = (struct csv_reader *)reader;

	free(r->fields);
	wbl_out_clear(&r->plain);
}

/* ---- one record ---- */

struct find {
	struct csv_reader *r;
	const struct csv_self *s;
	const char *p; /* the record's first byte */
	size_t i, n;
	uint64_t lines; /* line breaks inside fields */
	size_t end;     /* length of the record without its line end */
	int last, eof;
	const char *why;
};

static int field(struct find *f, size_t at, size_t end, int quoted, int escaped)
{
	struct csv_reader *r = f->r;

	if (r->nfields == r->cap) {
		if (r->nfields > CSV_MOST_COLUMNS) {
			f->why = "a record of more than 16384 fields";
			return -1;
		}
		r->cap = r->cap * 2 + 16;
		r->fields = wbl_sdk_grow(r->fields, r->cap * sizeof *r->fields);
	}
	r->fields[r->nfields++] = (struct csv_field){ (uint32_t)at, (uint32_t)(end - at),
		(uint8_t)quoted, (uint8_t)escaped };
	return 1;
}

/* Where the quote is that ends the field; 0 when more bytes are needed. */
static size_t closing_quote(struct find *f, int *ret_escaped)
{
	char q = (char)f->s->quote;
	size_t i = f->i;

	for (;;) {
		const char *hit = memchr(f->p + i, q, f->n - i), *back;

		if (f->s->escape >= 0 && (back = memchr(f->p + i, f->s->escape,
						  (hit ? (size_t)(hit - f->p) : f->n) - i))) {
			*ret_escaped = 1;
			i = (size_t)(back - f->p) + 2;
			if (i <= f->n)
				continue;
			hit = NULL;
		}
		if (!hit)
			return 0;
		i = (size_t)(hit - f->p) + 1;
		if (f->s->escape >= 0 || i == f->n || f->p[i] != q)
			return i;
		*ret_escaped = 1;
		i++;
	}
}

/* 1 the field is complete, behind it f->i; 0 more bytes are needed; -1 wrong. */
static int quoted_field(struct find *f)
{
	size_t start = ++f->i, close;
	int escaped = 0;

	close = closing_quote(f, &escaped);
	if (!close) {
		f->why = "a quote is opened here and never closed";
		return f->eof ? -1 : 0;
	}
	for (const char *nl = f->p + start; (nl = memchr(nl, '\n', (size_t)(f->p + close - nl)));)
		f->lines++, nl++;
	f->i = close;
	if (f->i == f->n && !f->eof)
		return 0;
	f->end = f->i;
	if (f->i < f->n && f->p[f->i] == '\r') {
		if (f->i + 1 == f->n && !f->eof)
			return 0;
		f->i++;
	}
	f->last = f->i == f->n || f->p[f->i] == '\n';
	if (!f->last && (f->p[f->i] != (char)f->s->sep || f->i != f->end)) {
		f->why = "text behind a closing quote";
		return -1;
	}
	f->i++;
	return field(f, start, close - 1, 1, escaped);
}

/* The next separator or line break. */
static size_t plain_end(const char *p, size_t i, size_t n, char sep)
{
#ifdef __SSE2__
	const __m128i seps = _mm_set1_epi8(sep), ends = _mm_set1_epi8('\n');

	for (; n - i >= 16; i += 16) {
		__m128i v = _mm_loadu_si128((const __m128i *)(const void *)(p + i));
		int hit = _mm_movemask_epi8(
			_mm_or_si128(_mm_cmpeq_epi8(v, seps), _mm_cmpeq_epi8(v, ends)));

		if (hit)
			return i + (size_t)__builtin_ctz((unsigned)hit);
	}
#endif
	while (i < n && p[i] != sep && p[i] != '\n')
		i++;
	return i;
}

static int plain_field(struct find *f)
{
	size_t start = f->i, end;
	int escaped = 0;
	const char *p = f->p;

	if (f->s->escape >= 0) {
		for (; f->i < f->n && p[f->i] != (char)f->s->sep && p[f->i] != '\n'; f->i++)
			if (p[f->i] == (char)f->s->escape) {
				escaped = 1;
				f->i++;
				f->lines += f->i < f->n && p[f->i] == '\n';
			}
		if (f->i > f->n)
			f->i = f->n;
	} else {
		f->i = plain_end(p, f->i, f->n, (char)f->s->sep);
	}
	if (f->i == f->n && !f->eof)
		return 0;
	end = f->i;
	f->last = f->i == f->n || p[f->i] == '\n';
	if (f->last && f->i < f->n && end > start && p[end - 1] == '\r')
		end--;
	f->end = end;
	f->i++;
	return field(f, start, end, 0, escaped);
}

/* A line which is no record: a comment, or an empty one where they are allowed. */
static int skipped(struct find *f, struct wbl_found *ret)
{
	const char *end = memchr(f->p, '\n', f->n);
	size_t len = end ? (size_t)(end - f->p) : f->n;

	if (f->s->comment >= 0 && f->p[0] == (char)f->s->comment) {
		if (!end && !f->eof)
			return WBL_FIND_MORE;
	} else if (!f->s->blank_lines || len > 1 || (len && f->p[0] != '\r')) {
		return WBL_FIND_RECORD;
	} else if (!end && !f->eof) {
		return WBL_FIND_MORE;
	}
	*ret = (struct wbl_found){ .used = end ? len + 1 : len, .lines = 1 };
	return WBL_FIND_SKIP;
}

int csv_find(struct wbl_reader *reader, const char *p, size_t n, struct wbl_found *ret)
{
	struct find f = { .r = (struct csv_reader *)reader,
		.s = SELF(reader),
		.p = p,
		.n = n,
		.eof = reader->eof };
	int got = WBL_FIND_RECORD;

	if (!n)
		return WBL_FIND_END;
	if (f.s->comment >= 0 || f.s->blank_lines)
		got = skipped(&f, ret);
	if (got != WBL_FIND_RECORD)
		return got;
	f.r->nfields = 0;
	while (!f.last) {
		if (f.i < f.n && f.s->quote >= 0 && f.p[f.i] == (char)f.s->quote)
			got = quoted_field(&f);
		else
			got = plain_field(&f);
		if (got != 1)
			break;
	}
	if (f.i > f.n)
		f.i = f.n;
	*ret = (struct wbl_found){
		.len = f.end, .used = f.i, .lines = f.lines + (got == 1), .why = f.why, .hint = see
	};
	return got == 1 ? WBL_FIND_RECORD : got ? WBL_FIND_WRONG : WBL_FIND_MORE;
}

/* Up to the next quote, where only quotes can hide a line break. */
size_t csv_plain(const struct wbl_reader *r, const char *p, size_t n)
{
	const struct csv_self *s = SELF(r);
	const char *quote;

	if (s->escape >= 0 || s->comment >= 0 || s->blank_lines)
		return 0;
	quote = s->quote >= 0 ? memchr(p, s->quote, n) : NULL;
	return quote ? (size_t)(quote - p) : n;
}

/* ---- its fields ---- */

static void halve(struct wbl_out *o, const char *p, size_t len, char quote)
{
	for (size_t i = 0, k; i < len; i = k + 2) {
		for (k = i; k < len && p[k] != quote;)
			k++;
		wbl_out_add(o, p + i, k < len ? k + 1 - i : k - i);
	}
}

static void unescape(struct wbl_out *o, const char *p, size_t len, char escape)
{
	for (size_t i = 0; i < len; i++) {
		i += p[i] == escape && i + 1 < len;
		wbl_out_add(o, p + i, 1);
	}
}

struct wbl_text csv_field_text(struct csv_reader *r, const struct csv_field *f)
{
	const struct csv_self *s = SELF(&r->r);
	const char *p = r->r.record + f->at;

	if (!f->escaped)
		return (struct wbl_text){ p, f->len };
	wbl_out_reset(&r->plain);
	if (s->escape >= 0)
		unescape(&r->plain, p, f->len, (char)s->escape);
	else
		halve(&r->plain, p, f->len, (char)s->quote);
	return (struct wbl_text){ r->plain.s, r->plain.len };
}

void csv_trailing(struct csv_reader *r)
{
	const struct csv_field *last = &r->fields[r->nfields - 1];

	if (SELF(&r->r)->trailing && r->nfields > 1 && !last->len && !last->quoted)
		r->nfields--;
}

int32_t csv_wrong_count(struct csv_reader *r)
{
	static const char hint[] = "Mend the line, or check `separator` and `quote`; a field that "
				   "holds either must be quoted.";

	if (!r->r.len)
		return wbl_reader_bad(&r->r, r->r.number, hint, "an empty line");
	return wbl_reader_bad(
		&r->r, r->r.number, hint, "%zu fields instead of %zu", r->nfields, r->r.set->ncols);
}

static int32_t not_text(struct csv_reader *r, size_t at)
{
	const struct csv_field *f = &r->fields[at];
	uint64_t line = r->r.number;

	for (size_t i = 0; i < f->at; i++)
		line += r->r.record[i] == '\n';
	return wbl_reader_bad(&r->r, line,
		"Set the `encoding` that the file has, or convert it to UTF-8 first.",
		"column \"%s\" is not UTF-8 text", r->r.set->cols[at].name);
}

static int32_t bad_bytes(struct csv_reader *r, size_t at, const char *how)
{
	return wbl_reader_bad(&r->r, r->r.number,
		"Quote the field when it is a text, or set `bytes` to what is written there.",
		"column \"%s\" is not %s", r->r.set->cols[at].name, how);
}

/* An unquoted field that says by its form that it is no text: 0 it is one, 1 appended, below 0 wrong. */
static int32_t marked(struct csv_reader *r, struct wbl_rows *rows, size_t at, struct wbl_text t)
{
	const struct csv_self *s = SELF(&r->r);
	const struct csv_field *f = &r->fields[at];
	const char *mark = csv_bytes_mark(s), *raw = r->r.record + f->at, *why = "";
	size_t n = mark ? strlen(mark) : 0;
	struct wbl_cell c = {
		.tag = WBL_CELL_TEXT, .data = (const uint8_t *)t.s, .len = (uint32_t)t.len
	};
	struct wbl_out o = { 0 };
	int tag, bad;

	/* As it stands: a backslash of the mark escapes nothing. */
	if (mark && f->len >= n && !memcmp(raw, mark, n)) {
		wbl_out_reset(&o);
		bad = s->bytes == CSV_HEX ? wbl_hex_read(&o, raw + n, f->len - n)
					  : wbl_base64_get(raw + n, f->len - n, &o);
		if (!bad)
			wbl_cell_blob(rows, WBL_CELL_BYTES, o.s, o.len);
		wbl_out_clear(&o);
		return bad ? bad_bytes(r, at, s->bytes == CSV_HEX ? "hex" : "base64") : 1;
	}
	tag = csv_number_tag(s, t.s, t.len);
	if (tag == WBL_CELL_TEXT)
		return 0;
	if (tag == WBL_CELL_NULL)
		wbl_cell_real(rows, *t.s == 'N'   ? __builtin_nan("")
				    : *t.s == '-' ? -__builtin_inf()
						  : __builtin_inf());
	else if (wbl_cell_cast(
			 rows, &c, tag == WBL_CELL_REAL ? WBL_TYPE_REAL : WBL_TYPE_DECIMAL, &why))
		return 0;
	return 1;
}

static int32_t cell(struct csv_reader *r, struct wbl_rows *rows, size_t at, int clean)
{
	const struct csv_self *s = SELF(&r->r);
	const struct csv_field *f = &r->fields[at];
	const char *p = r->r.record + f->at;
	struct wbl_text t;
	int32_t got;

	if (s->null_text && !f->quoted && f->len == s->null_len &&
		!memcmp(p, s->null_text, f->len)) {
		wbl_cell_null(rows);
		return WBL_OK;
	}
	t = csv_field_text(r, f);
	if (!clean && !wbl_utf8_ok(t.s, t.len))
		return not_text(r, at);
	if (!f->quoted && (s->marks || s->bytes || s->nonfinite)) {
		got = marked(r, rows, at, t);
		if (got)
			return got < 0 ? got : WBL_OK;
	}
	wbl_cell_blob(rows, WBL_CELL_TEXT, t.s, t.len);
	return WBL_OK;
}

int32_t csv_row(struct wbl_reader *reader, struct wbl_rows *rows, const int *pick, size_t npick,
	int64_t position)
{
	struct csv_reader *r = (struct csv_reader *)reader;
	const struct csv_self *s = SELF(reader);
	size_t ncols = reader->set->ncols;
	int clean = wbl_utf8_ok(reader->record, reader->len);
	int32_t rc = WBL_OK, type;
	size_t from;

	csv_trailing(r);
	if (r->nfields != ncols && s->ragged == CSV_RAGGED_REJECT)
		rows->data[rows->row + 4] = WBL_ROW_BAD;
	else if (r->nfields != ncols && (s->ragged != CSV_RAGGED_FILL || r->nfields > ncols))
		return csv_wrong_count(r);
	for (size_t i = 0; !rc && i < npick; i++) {
		from = rows->len;
		if (pick[i] < 0)
			wbl_reader_about(reader, rows, pick[i], position);
		else if ((size_t)pick[i] < r->nfields)
			rc = cell(r, rows, (size_t)pick[i], clean);
		else
			wbl_cell_null(rows);
		type = pick[i] < 0 ? WBL_TYPE_ANY : reader->set->cols[pick[i]].cast;
		if (!rc && type != WBL_TYPE_ANY)
			wbl_reader_cast(reader, rows, from, type);
	}
	return rc;
}
