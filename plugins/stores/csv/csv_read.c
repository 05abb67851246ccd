/* csv_read.c - records found in a file: quotes, line breaks within them, line numbers.
 * In: a descriptor and an offset at which a record begins.  Out: one record and its fields at a time.  A record is first found as a
 * whole, then taken apart: so no field is ever cut by the end of a buffer.
 * SPDX-License-Identifier: Apache-2.0 */
#include "csv_impl.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { BLOCK = 1 << 18, LONGEST = 16 << 20 };

void csv_reader_init(struct csv_reader *r, struct csv_self *self, struct wbl_call *call,
	uint64_t offset, uint64_t line)
{
	memset(r, 0, sizeof *r);
	r->self = self;
	r->call = call;
	r->offset = offset;
	r->line = line;
}

void csv_reader_clear(struct csv_reader *r)
{
	free(r->buf);
	free(r->fields);
	memset(r, 0, sizeof *r);
}

static int32_t bad_at(struct csv_reader *r, uint64_t line, const char *hint, const char *text)
{
	struct wbl_out where = { 0 };

	wbl_out_fmt(&where, "%s:%llu", r->self->path, (unsigned long long)line);
	wbl_error_report(r->call, WBL_E_PARAM, where.s, hint, "%s", text);
	wbl_out_clear(&where);
	return WBL_E_PARAM;
}

int32_t csv_unchanged(struct csv_self *s, struct wbl_call *call)
{
	struct stat st;

	if (!fstat(s->fd, &st) && st.st_size == s->seen.st_size &&
		st.st_mtim.tv_sec == s->seen.st_mtim.tv_sec &&
		st.st_mtim.tv_nsec == s->seen.st_mtim.tv_nsec && !stat(s->path, &st) &&
		st.st_ino == s->seen.st_ino && st.st_dev == s->seen.st_dev)
		return WBL_OK;
	return wbl_error_report(call, WBL_E_STALE, s->path,
		"Let nobody write to the file, then plan again.",
		"the file was changed or replaced while it was read");
}

static int32_t more(struct csv_reader *r)
{
	struct csv_self *s = r->self;
	uint64_t at = r->offset + (r->to - r->from);
	ssize_t n;

	if (r->from) {
		memmove(r->buf, r->buf + r->from, r->to - r->from);
		r->to -= r->from;
		r->from = 0;
	}
	if (r->to >= LONGEST)
		return bad_at(r, r->line, "Look for a quote that is never closed.",
			"a record of more than 16 MiB begins here");
	if (r->cap - r->to < BLOCK) {
		r->cap = r->to * 2 + BLOCK;
		r->buf = wbl_sdk_grow(r->buf, r->cap);
	}
	do
		n = pread(s->fd, r->buf + r->to, r->cap - r->to, (off_t)at);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return wbl_error_report(r->call, WBL_E_UNAVAILABLE, s->path, NULL,
			"cannot read: %s", strerror(errno));
	if (at > (uint64_t)s->seen.st_size || (!n && at < (uint64_t)s->seen.st_size))
		return csv_unchanged(s, r->call)
			       ? WBL_E_STALE
			       : wbl_error_report(r->call, WBL_E_STALE, s->path, NULL,
					 "the file ends before byte %llu", (unsigned long long)at);
	/* What was appended after the opening is not part of what was planned. */
	if (at + (uint64_t)n >= (uint64_t)s->seen.st_size) {
		n = (ssize_t)((uint64_t)s->seen.st_size - at);
		r->eof = 1;
	}
	r->to += (size_t)n;
	return WBL_OK;
}

static void field(struct csv_reader *r, size_t at, size_t end, int quoted, int doubled)
{
	struct csv_field *f;

	if (r->nfields == r->fields_cap) {
		r->fields_cap = r->fields_cap * 2 + 16;
		r->fields = wbl_sdk_grow(r->fields, r->fields_cap * sizeof *r->fields);
	}
	f = &r->fields[r->nfields++];
	f->at = (uint32_t)at;
	f->len = (uint32_t)(end - at);
	f->quoted = (uint8_t)quoted;
	f->doubled = (uint8_t)doubled;
}

struct find {
	const char *p; /* the record's first byte */
	size_t i, n;
	uint64_t lines; /* line breaks inside quotes */
	size_t end;     /* length of the record without its line end */
};

/* 1 the record is complete, behind it *f->i; 0 more bytes are needed; -1 wrong. */
static int quoted_field(struct csv_reader *r, struct find *f, int *ret_last, const char **why)
{
	size_t start = ++f->i;
	int doubled = 0;
	char q = (char)r->self->quote;

	for (;; f->i++) {
		const char *hit = memchr(f->p + f->i, q, f->n - f->i);

		if (!hit)
			return r->eof ? (*why = "a quote is opened here and never closed", -1) : 0;
		for (const char *nl = f->p + f->i; (nl = memchr(nl, '\n', (size_t)(hit - nl)));
			nl++)
			f->lines++;
		f->i = (size_t)(hit - f->p) + 1;
		if (f->i == f->n) {
			if (!r->eof)
				return 0;
			break;
		}
		if (f->p[f->i] != q)
			break;
		doubled = 1;
	}
	field(r, start, f->i - 1, 1, doubled);
	f->end = f->i;
	if (f->i < f->n && f->p[f->i] == '\r') {
		if (f->i + 1 == f->n && !r->eof)
			return 0;
		f->i++;
	}
	*ret_last = f->i == f->n || f->p[f->i] == '\n';
	if (!*ret_last && (f->p[f->i] != (char)r->self->sep || f->i != f->end)) {
		*why = "text behind a closing quote";
		return -1;
	}
	f->i++;
	return 1;
}

static int plain_field(struct csv_reader *r, struct find *f, int *ret_last)
{
	size_t start = f->i, end;
	char sep = (char)r->self->sep;
	const char *p = f->p;

	while (f->i < f->n && p[f->i] != sep && p[f->i] != '\n')
		f->i++;
	if (f->i == f->n && !r->eof)
		return 0;
	end = f->i;
	*ret_last = f->i == f->n || p[f->i] == '\n';
	if (*ret_last && f->i < f->n && end > start && p[end - 1] == '\r')
		end--;
	field(r, start, end, 0, 0);
	f->end = end;
	f->i++;
	return 1;
}

static int find_record(struct csv_reader *r, struct find *f, const char **why)
{
	int last = 0, got;

	r->nfields = 0;
	f->i = 0;
	f->lines = 0;
	while (!last) {
		if (f->i < f->n && f->p[f->i] == (char)r->self->quote && r->self->quote >= 0)
			got = quoted_field(r, f, &last, why);
		else
			got = plain_field(r, f, &last);
		if (got != 1)
			return got;
	}
	return 1;
}

int32_t csv_reader_next(struct csv_reader *r)
{
	struct find f;
	const char *why = "";
	int got = 0;
	int32_t rc;

	for (;;) {
		f.p = r->buf ? r->buf + r->from : NULL;
		f.n = r->to - r->from;
		if (!f.n && r->eof)
			return WBL_END;
		got = f.n ? find_record(r, &f, &why) : 0;
		if (got)
			break;
		rc = more(r);
		if (rc)
			return rc;
	}
	if (got < 0)
		return bad_at(
			r, r->line + f.lines, "See RFC 4180, or set `quote` and `separator`.", why);
	r->record = f.p;
	r->record_len = f.end;
	r->record_offset = r->offset;
	r->record_line = r->line;
	if (f.i > f.n)
		f.i = f.n;
	r->from += f.i;
	r->offset += f.i;
	r->line += f.lines + 1;
	return WBL_OK;
}

int32_t csv_ragged(struct csv_reader *r)
{
	struct wbl_out text = { 0 };

	if (r->nfields == r->self->ncols)
		return WBL_OK;
	wbl_out_fmt(&text, "%zu fields instead of %zu", r->nfields, r->self->ncols);
	bad_at(r, r->record_line,
		"Mend the line, or check `separator` and `quote`; a field that holds either must "
		"be quoted.",
		r->record_len ? text.s : "an empty line");
	wbl_out_clear(&text);
	return WBL_E_PARAM;
}
