/* jsonl_read.c - JSON objects found in text: one on each line, or the elements of one array.
 * In: text in which a record begins.  Out: a record at a time, with its line.  A raw line break cannot stand inside a text of JSON, so that of a
 * file of lines every one of them ends a record.
 * SPDX-License-Identifier: Apache-2.0 */
#include "jsonl_impl.h"

#include <stdlib.h>
#include <string.h>

enum { MOST_MEMBERS = 10000 };

#define SELF(r) ((const struct jsonl_self *)(r)->set->store)

void jsonl_reader_clear(struct wbl_reader *reader)
{
	struct jsonl_reader *r = (struct jsonl_reader *)reader;

	free(r->values);
	wbl_out_clear(&r->path);
}

static size_t blanks(const char *p, size_t i, size_t n, uint64_t *lines)
{
	for (; i < n && (p[i] == ' ' || p[i] == '\t' || p[i] == '\n' || p[i] == '\r'); i++)
		*lines += p[i] == '\n';
	return i;
}

static int wrong(struct wbl_found *f, const char *why)
{
	f->why = why;
	f->hint = "The file must be one JSON array of objects, or have an object on each line.";
	return WBL_FIND_WRONG;
}

static int find_line(const char *p, size_t n, int eof, struct wbl_found *f)
{
	const char *end = n ? memchr(p, '\n', n) : NULL;

	if (!n)
		return WBL_FIND_END;
	if (!end && !eof)
		return WBL_FIND_MORE;
	f->len = end ? (size_t)(end - p) : n;
	f->used = f->len + (end != NULL);
	f->lines = 1;
	return WBL_FIND_RECORD;
}

/* Behind the element that begins at i; n + 1 when it goes on behind the text. */
static size_t element(const char *p, size_t i, size_t n, uint64_t *lines)
{
	int depth = 0, quoted = 0;

	for (; i < n; i++) {
		char c = p[i];

		*lines += c == '\n';
		if (quoted) {
			i += c == '\\';
			quoted = c != '"';
		} else if (c == '"') {
			quoted = 1;
		} else if (c == '{' || c == '[') {
			depth++;
		} else if (c == '}' || c == ']') {
			if (!depth--)
				return i;
			if (!depth)
				return i + 1;
		} else if (c == ',' && !depth) {
			return i;
		}
	}
	return n + 1;
}

static int behind_array(
	struct jsonl_reader *r, const char *p, size_t i, size_t n, struct wbl_found *f)
{
	i = blanks(p, i, n, &f->lines);
	if (i < n)
		return wrong(f, "text behind the array");
	r->closed = r->r.eof;
	return r->r.eof ? WBL_FIND_END : WBL_FIND_MORE;
}

static int find_element(struct jsonl_reader *r, const char *p, size_t n, struct wbl_found *f)
{
	size_t i = blanks(p, 0, n, &f->lines), end;

	if (i < n && p[i] == ']')
		return behind_array(r, p, i + 1, n, f);
	if (i < n && !r->first) {
		if (p[i] != ',')
			return wrong(f, "a comma was expected between two elements of the array");
		i = blanks(p, i + 1, n, &f->lines);
	}
	if (i >= n)
		return r->r.eof && !r->closed ? wrong(f, "the array is never closed")
		       : r->r.eof             ? WBL_FIND_END
					      : WBL_FIND_MORE;
	if (p[i] == ']' || p[i] == ',')
		return wrong(f, "an element of the array is missing");
	f->before = f->lines;
	end = element(p, i, n, &f->lines);
	if (end > n)
		return r->r.eof ? wrong(f, "the array is never closed") : WBL_FIND_MORE;
	f->at = i;
	f->len = end - i;
	f->used = end;
	r->first = 0;
	return WBL_FIND_RECORD;
}

int32_t jsonl_begin(struct wbl_reader *reader)
{
	((struct jsonl_reader *)reader)->form = JSONL_UNKNOWN;
	((struct jsonl_reader *)reader)->first = 1;
	return WBL_OK;
}

void jsonl_recall(struct wbl_reader *reader, const char *p, size_t n)
{
	uint64_t lines = 0;
	size_t i = blanks(p, 0, n, &lines);

	((struct jsonl_reader *)reader)->form = i < n && p[i] == '[' ? JSONL_ARRAY : JSONL_LINES;
}

int jsonl_find(struct wbl_reader *reader, const char *p, size_t n, struct wbl_found *f)
{
	struct jsonl_reader *r = (struct jsonl_reader *)reader;
	uint64_t lines = 0;

	if (r->form == JSONL_UNKNOWN) {
		size_t i = blanks(p, 0, n, &lines);

		if (i == n && !reader->eof)
			return WBL_FIND_MORE;
		r->form = JSONL_LINES;
		if (i < n && p[i] == '[') {
			r->form = JSONL_ARRAY;
			*f = (struct wbl_found){ .used = i + 1, .lines = lines };
			return WBL_FIND_SKIP;
		}
	}
	return r->form == JSONL_ARRAY ? find_element(r, p, n, f) : find_line(p, n, reader->eof, f);
}

size_t jsonl_plain(const struct wbl_reader *r, const char *p, size_t n)
{
	(void)p;
	return ((const struct jsonl_reader *)r)->form == JSONL_LINES ? n : 0;
}

static int empty(const struct wbl_reader *r)
{
	uint64_t lines = 0;

	return blanks(r->record, 0, r->len, &lines) == r->len;
}

static int too_many(const struct wbl_reader *r)
{
	size_t members = 0;
	int quoted = 0;

	if (r->len < 4 * MOST_MEMBERS)
		return 0;
	for (size_t i = 0; i < r->len; i++) {
		if (quoted && r->record[i] == '\\')
			i++;
		else if (r->record[i] == '"')
			quoted = !quoted;
		else if (!quoted && r->record[i] == ':')
			members++;
	}
	return members > MOST_MEMBERS;
}

int32_t jsonl_object(struct wbl_reader *r, struct wbl_doc **ret)
{
	const char *why = "";
	struct wbl_doc *d;

	if (empty(r))
		return wbl_reader_bad(r, r->number, "Take the line out.", "an empty line");
	if (too_many(r))
		return wbl_reader_bad(r, r->number, "Each line must hold one object of a table.",
			"an object of more than 10000 members");
	d = wbl_doc_parse(r->record, r->len, &why);
	if (!d)
		return wbl_reader_bad(r, r->number, "Each record must be one JSON object in UTF-8.",
			"not a JSON object: %s", why);
	if (wbl_doc_root(d)->kind != WBL_NODE_OBJECT) {
		wbl_doc_free(d);
		return wbl_reader_bad(r, r->number, "Each record must be one JSON object in UTF-8.",
			"JSON, but not an object");
	}
	*ret = d;
	return WBL_OK;
}
