/* jsonl_lines.c - lines found in a file, each read as one JSON object.
 * In: a descriptor and an offset at which a line begins.  Out: a line at a time, with its number.  A raw line break cannot stand inside a
 * JSON text, so that every one of them ends a line.
 * SPDX-License-Identifier: Apache-2.0 */
#include "jsonl_impl.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The search for a key that stands twice takes the square of their number. */
enum { BLOCK = 1 << 18, LONGEST = 16 << 20, MOST_MEMBERS = 10000 };

void jsonl_lines_init(struct jsonl_lines *r, struct jsonl_self *self, struct wbl_call *call,
	uint64_t offset, uint64_t line)
{
	memset(r, 0, sizeof *r);
	r->self = self;
	r->call = call;
	r->offset = offset;
	r->line = r->number = line;
}

void jsonl_lines_clear(struct jsonl_lines *r)
{
	free(r->buf);
	memset(r, 0, sizeof *r);
}

int32_t jsonl_bad(struct jsonl_lines *r, const char *hint, const char *fmt, ...)
{
	struct wbl_out where = { 0 };
	char text[400];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	wbl_out_fmt(&where, "%s:%llu", r->self->path, (unsigned long long)r->number);
	wbl_error_report(r->call, WBL_E_PARAM, where.s, hint, "%s", text);
	wbl_out_clear(&where);
	return WBL_E_PARAM;
}

int32_t jsonl_unchanged(struct jsonl_self *s, struct wbl_call *call)
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

static int32_t shrunk(struct jsonl_lines *r, uint64_t at)
{
	if (jsonl_unchanged(r->self, r->call))
		return WBL_E_STALE;
	return wbl_error_report(r->call, WBL_E_STALE, r->self->path,
		"Let nobody write to the file, then plan again.", "the file ends before byte %llu",
		(unsigned long long)at);
}

static int32_t too_long(struct jsonl_lines *r)
{
	r->number = r->line;
	return jsonl_bad(
		r, "Each line must hold one object.", "a line of more than 16 MiB begins here");
}

static int32_t more(struct jsonl_lines *r)
{
	uint64_t at = r->offset + (r->to - r->from), size = r->self->size;
	ssize_t n;

	if (r->from) {
		memmove(r->buf, r->buf + r->from, r->to - r->from);
		r->to -= r->from;
		r->from = 0;
	}
	if (r->to > LONGEST)
		return too_long(r);
	if (r->cap - r->to < BLOCK) {
		r->cap = r->to * 2 + BLOCK;
		r->buf = wbl_sdk_grow(r->buf, r->cap);
	}
	do
		n = pread(r->self->fd, r->buf + r->to, r->cap - r->to, (off_t)at);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return wbl_error_report(r->call, WBL_E_UNAVAILABLE, r->self->path, NULL,
			"cannot read: %s", strerror(errno));
	if (at > size || (!n && at < size))
		return shrunk(r, at);
	/* What was appended after the opening is not part of what was planned. */
	if (at + (uint64_t)n >= size) {
		n = (ssize_t)(size - at);
		r->eof = 1;
	}
	r->to += (size_t)n;
	return WBL_OK;
}

int32_t jsonl_lines_next(struct jsonl_lines *r)
{
	size_t seen = 0, have;
	const char *end = NULL;
	int32_t rc;

	for (;;) {
		have = r->to - r->from;
		if (have > seen)
			end = memchr(r->buf + r->from + seen, '\n', have - seen);
		if (end || r->eof)
			break;
		seen = have;
		rc = more(r);
		if (rc)
			return rc;
	}
	if (!end && !have)
		return WBL_END;
	r->text = r->buf + r->from;
	r->len = end ? (size_t)(end - r->text) : have;
	if (r->len > LONGEST)
		return too_long(r);
	r->number = r->line++;
	have = r->len + (end != NULL);
	r->from += have;
	r->offset += have;
	return WBL_OK;
}

static int empty(const struct jsonl_lines *r)
{
	for (size_t i = 0; i < r->len; i++)
		if (!strchr(" \t\r", r->text[i]) || !r->text[i])
			return 0;
	return 1;
}

static int too_many(const struct jsonl_lines *r)
{
	size_t members = 0;
	int quoted = 0;

	if (r->len < 4 * MOST_MEMBERS)
		return 0;
	for (size_t i = 0; i < r->len; i++) {
		if (quoted && r->text[i] == '\\')
			i++;
		else if (r->text[i] == '"')
			quoted = !quoted;
		else if (!quoted && r->text[i] == ':')
			members++;
	}
	return members > MOST_MEMBERS;
}

int32_t jsonl_object(struct jsonl_lines *r, struct wbl_doc **ret)
{
	const char *why = "";
	struct wbl_doc *d;

	if (empty(r))
		return jsonl_bad(r, "Take the line out.", "an empty line");
	if (too_many(r))
		return jsonl_bad(r, "Each line must hold one object of a table.",
			"an object of more than 10000 members");
	d = wbl_doc_parse(r->text, r->len, &why);
	if (!d)
		return jsonl_bad(r, "Each line must hold one JSON object in UTF-8.",
			"not a JSON object: %s", why);
	if (wbl_doc_root(d)->kind != WBL_NODE_OBJECT) {
		wbl_doc_free(d);
		return jsonl_bad(r, "Each line must hold one JSON object in UTF-8.",
			"JSON, but not an object");
	}
	*ret = d;
	return WBL_OK;
}
