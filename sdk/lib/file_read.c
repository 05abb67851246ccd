/* sdk/lib/file_read.c - records found in a file, one after the other, with their lines.
 * In: a file, an offset at which a record begins, a format that knows one when it sees it.  Out: whole records in a buffer.  A file that
 * is another one than when the store was opened, or becomes one while it is read, is STALE.
 * SPDX-License-Identifier: Apache-2.0 */
#include "file_pack.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { BLOCK = 1 << 18, PARKED = 2 };

/* ---- the file ---- */

static int same(const struct stat *a, const struct stat *b)
{
	return a->st_size == b->st_size && a->st_mtim.tv_sec == b->st_mtim.tv_sec &&
	       a->st_mtim.tv_nsec == b->st_mtim.tv_nsec && a->st_ino == b->st_ino &&
	       a->st_dev == b->st_dev;
}

int32_t wbl_file_unchanged(int fd, const struct wbl_file *f, struct wbl_call *call)
{
	struct stat st;
	int gone;

	if (!fstat(fd, &st) && same(&st, &f->seen) && !stat(f->path, &st) && same(&st, &f->seen))
		return WBL_OK;
	gone = stat(f->path, &st) && errno == ENOENT;
	return wbl_error_report(call, WBL_E_STALE, f->path,
		"Let nobody write to the file, then plan again.",
		gone ? "the file was taken away while it was read"
		     : "the file was changed or replaced while it was read");
}

int32_t wbl_file_read_at(int fd, const struct wbl_file *f, struct wbl_call *call, void *buf,
	size_t cap, uint64_t at, size_t *ret_n)
{
	ssize_t n;

	*ret_n = 0;
	if (at >= f->size)
		return WBL_END;
	/* What was appended after the opening is not part of what was planned. */
	if (cap > f->size - at)
		cap = (size_t)(f->size - at);
	do
		n = pread(fd, buf, cap, (off_t)at);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return wbl_error_report(
			call, WBL_E_UNAVAILABLE, f->path, NULL, "cannot read: %s", strerror(errno));
	*ret_n = (size_t)n;
	if (n)
		return WBL_OK;
	return wbl_file_unchanged(fd, f, call)
		       ? WBL_E_STALE
		       : wbl_error_report(call, WBL_E_STALE, f->path, NULL,
				 "the file ends before byte %llu", (unsigned long long)at);
}

/* ---- what a reader says ---- */

int32_t wbl_reader_bad(struct wbl_reader *r, uint64_t line, const char *hint, const char *fmt, ...)
{
	struct wbl_out where = { 0 };
	char text[400];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	wbl_out_fmt(&where, "%s:%llu", r->file->path, (unsigned long long)line);
	wbl_error_report(r->call, WBL_E_PARAM, where.s, hint, "%s", text);
	wbl_out_clear(&where);
	return WBL_E_PARAM;
}

static int32_t undecoded(struct wbl_reader *r, int32_t code, const struct wbl_undecoded *n)
{
	uint64_t line = r->line;

	if (!n->why)
		return code;
	if (!n->of_text)
		return wbl_error_report(r->call, code, r->file->path, n->hint, "%s, at byte %llu",
			n->why, (unsigned long long)n->at);
	for (size_t i = r->from; i < r->to; i++)
		line += r->buf[i] == '\n';
	return wbl_reader_bad(r, line, n->hint, "%s", n->why);
}

static int32_t decode(struct wbl_reader *r, char *buf, size_t cap, size_t *ret_n)
{
	struct wbl_undecoded not ;
	int32_t rc = wbl_decoder_read(r->decoder, r->fd, r->file, r->call, buf, cap, ret_n, &not );

	return rc < 0 ? undecoded(r, rc, &not ) : rc;
}

static int32_t more(struct wbl_reader *r)
{
	uint64_t at = r->offset + (r->to - r->from);
	size_t n = 0;
	int32_t rc;

	if (r->from) {
		memmove(r->buf, r->buf + r->from, r->to - r->from);
		r->to -= r->from;
		r->from = 0;
	}
	if (r->to > WBL_RECORD_LONGEST)
		return wbl_reader_bad(r, r->line,
			"Look for a quote that is never closed, or another end of the lines.",
			"a record of more than 16 MiB begins here");
	if (r->cap - r->to < BLOCK) {
		r->cap = r->to * 2 + BLOCK;
		r->buf = wbl_sdk_grow(r->buf, r->cap);
	}
	rc = r->decoder ? decode(r, r->buf + r->to, r->cap - r->to, &n)
			: wbl_file_read_at(
				  r->fd, r->file, r->call, r->buf + r->to, r->cap - r->to, at, &n);
	if (rc < 0)
		return rc;
	r->to += n;
	if (rc == WBL_END || (!r->decoder && at + n >= r->file->size))
		r->eof = 1;
	return WBL_OK;
}

/* ---- records ---- */

static void take(struct wbl_reader *r, const struct wbl_found *f)
{
	r->record = r->buf + r->from + f->at;
	r->len = f->len;
	r->number = r->line + f->before;
	r->from += f->used;
	r->offset += f->used;
	r->line += f->lines;
}

int32_t wbl_reader_next(struct wbl_reader *r)
{
	const struct wbl_files_format *format = r->set->store->format;
	struct wbl_found f;
	int32_t rc;
	int got;

	for (;;) {
		size_t n = r->to - r->from;

		f = (struct wbl_found){ 0 };
		got = n || r->eof ? format->find(r, r->buf + r->from, n, &f) : WBL_FIND_MORE;
		if (got == WBL_FIND_SKIP) {
			take(r, &f);
			continue;
		}
		if (got != WBL_FIND_MORE)
			break;
		rc = more(r);
		if (rc)
			return rc;
	}
	if (got == WBL_FIND_WRONG)
		return wbl_reader_bad(r, r->line + f.lines, f.hint, "%s", f.why);
	if (got == WBL_FIND_END)
		return WBL_END;
	if (f.len > WBL_RECORD_LONGEST)
		return wbl_reader_bad(r, r->line + f.before,
			"Look for a quote that is never closed, or another end of the lines.",
			"a record of more than 16 MiB begins here");
	take(r, &f);
	return WBL_OK;
}

int32_t wbl_reader_line(struct wbl_reader *r)
{
	const char *end;
	int32_t rc;

	for (;;) {
		size_t n = r->to - r->from;

		end = n ? memchr(r->buf + r->from, '\n', n) : NULL;
		if (end || r->eof)
			break;
		rc = more(r);
		if (rc)
			return rc;
	}
	if (r->from == r->to)
		return WBL_END;
	take(r, &(struct wbl_found){
			.len = (size_t)((end ? end : r->buf + r->to) - (r->buf + r->from)),
			.used = end ? (size_t)(end + 1 - (r->buf + r->from)) : r->to - r->from,
			.lines = 1 });
	return WBL_OK;
}

/* ---- opened, kept, closed ---- */

static void reader_free(struct wbl_reader *r, void (*clear)(struct wbl_reader *))
{
	if (clear)
		clear(r);
	if (r->fd >= 0)
		close(r->fd);
	wbl_decoder_free(r->decoder);
	free(r->kept.path);
	wbl_rows_clear(&r->cell);
	free(r->buf);
	free(r);
}

/* Readers of files that can only be read from the start, where they stopped: of this process. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct {
	struct wbl_reader *reader;
	const struct wbl_files_format *format;
	char *encoding;
} parked[PARKED];

static void drop(size_t i)
{
	if (parked[i].reader)
		reader_free(parked[i].reader, parked[i].format->reader_clear);
	free(parked[i].encoding);
	parked[i].reader = NULL;
	parked[i].encoding = NULL;
}

__attribute__((destructor)) static void drop_all(void)
{
	for (size_t i = 0; i < PARKED; i++)
		drop(i);
}

static int same_text(const char *a, const char *b)
{
	return a && b ? !strcmp(a, b) : a == b;
}

/* The one that stopped nearest before the offset. */
static struct wbl_reader *unpark(
	const struct wbl_file_set *set, const struct wbl_file *f, uint64_t offset)
{
	struct wbl_reader *r = NULL;
	size_t best = PARKED;

	pthread_mutex_lock(&lock);
	for (size_t i = 0; i < PARKED; i++) {
		const struct wbl_reader *p = parked[i].reader;

		if (p && parked[i].format == set->store->format &&
			same_text(parked[i].encoding, set->store->encoding) &&
			!strcmp(p->kept.path, f->path) && p->kept.size == f->size &&
			same(&p->kept.seen, &f->seen) && p->offset <= offset &&
			(best == PARKED || p->offset > parked[best].reader->offset))
			best = i;
	}
	if (best < PARKED) {
		r = parked[best].reader;
		parked[best].reader = NULL;
		drop(best);
		free(r->kept.path);
		r->kept.path = NULL;
	}
	pthread_mutex_unlock(&lock);
	return r;
}

static void park(struct wbl_reader *r)
{
	pthread_mutex_lock(&lock);
	drop(PARKED - 1);
	memmove(&parked[1], &parked[0], (PARKED - 1) * sizeof parked[0]);
	parked[0].reader = r;
	parked[0].format = r->set->store->format;
	parked[0].encoding =
		r->set->store->encoding ? wbl_sdk_strdup(r->set->store->encoding) : NULL;
	r->kept = *r->file;
	r->kept.name = NULL;
	r->kept.path = wbl_sdk_strdup(r->file->path);
	r->set = NULL;
	r->file = NULL;
	r->call = NULL;
	pthread_mutex_unlock(&lock);
}

void wbl_reader_close(struct wbl_reader *r)
{
	if (!r)
		return;
	if (r->decoder && r->offset && r->set->store->format->find)
		park(r);
	else
		reader_free(r, r->set->store->format->reader_clear);
}

static int32_t open_fd(struct wbl_reader *r)
{
	const char *path = r->file->path;
	struct stat st;

	r->fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (r->fd < 0 && errno == ENOENT)
		return wbl_error_report(
			r->call, WBL_E_STALE, path, "Plan again.", "the file is no longer there");
	if (r->fd < 0 || fstat(r->fd, &st))
		return wbl_error_report(r->call, WBL_E_UNAVAILABLE, path,
			"Check the file's mode and the engine's user.", "cannot read: %s",
			strerror(errno));
	if (!same(&st, &r->file->seen))
		return wbl_file_unchanged(r->fd, r->file, r->call);
	posix_fadvise(r->fd, 0, 0, POSIX_FADV_SEQUENTIAL);
	return WBL_OK;
}

static int32_t choose_decoder(struct wbl_reader *r)
{
	const struct wbl_files *s = r->set->store;
	uint8_t head[4] = { 0 };
	enum wbl_packing packing = WBL_PACK_NONE;
	size_t n = 0;
	int32_t rc = wbl_file_read_at(r->fd, r->file, r->call, head, sizeof head, 0, &n);

	if (rc < 0)
		return rc;
	if (!s->packing_off)
		packing = wbl_packing_of(head, n);
	if (packing == WBL_PACK_NONE && !s->encoding && n >= 2 &&
		((head[0] == 0xff && head[1] == 0xfe) || (head[0] == 0xfe && head[1] == 0xff)))
		return wbl_error_report(r->call, WBL_E_PARAM, r->file->path,
			"Set `encoding = \"utf-16\"`.", "the file begins with the mark of UTF-16");
	if (packing != WBL_PACK_NONE || s->encoding)
		r->decoder = wbl_decoder_new(packing, s->encoding);
	return WBL_OK;
}

static int32_t first_bytes(struct wbl_reader *r)
{
	int32_t rc = WBL_OK;

	r->line = 1;
	while (!rc && r->to - r->from < 3 && !r->eof)
		rc = more(r);
	if (!rc && r->to - r->from >= 3 && !memcmp(r->buf + r->from, "\xef\xbb\xbf", 3)) {
		r->from += 3;
		r->offset += 3;
	}
	return rc;
}

static int32_t recall(struct wbl_reader *r)
{
	const struct wbl_files_format *format = r->set->store->format;
	int32_t rc = format->recall ? first_bytes(r) : WBL_OK;

	if (!rc && format->recall)
		format->recall(r, r->buf + r->from, r->to - r->from);
	return rc;
}

/* Decodes what stands before the offset and drops it. */
static int32_t skip_to(struct wbl_reader *r, uint64_t offset)
{
	int32_t rc = WBL_OK;

	while (!rc && r->offset < offset) {
		uint64_t step = offset - r->offset;

		if (step > r->to - r->from)
			step = r->to - r->from;
		r->from += (size_t)step;
		r->offset += step;
		if (r->offset < offset && r->eof)
			return wbl_file_unchanged(r->fd, r->file, r->call)
				       ? WBL_E_STALE
				       : wbl_error_report(r->call, WBL_E_STALE, r->file->path,
						 "Plan again.", "its text ends before byte %llu",
						 (unsigned long long)offset);
		if (r->offset < offset)
			rc = wbl_stop_asked(r->call);
		if (!rc && r->offset < offset)
			rc = more(r);
	}
	return rc;
}

static int32_t start(struct wbl_reader *r, uint64_t offset)
{
	int32_t rc = open_fd(r);

	rc = rc ? rc : choose_decoder(r);
	if (rc)
		return rc;
	if (!offset) {
		rc = first_bytes(r);
		return rc ? rc : r->set->store->format->begin(r);
	}
	rc = recall(r);
	if (rc || r->decoder)
		return rc ? rc : skip_to(r, offset);
	r->from = r->to = 0;
	r->eof = 0;
	r->offset = offset;
	return WBL_OK;
}

int32_t wbl_reader_open(struct wbl_file_set *set, size_t file, struct wbl_call *call,
	uint64_t offset, uint64_t line, struct wbl_reader **ret)
{
	const struct wbl_file *f = &set->files[file];
	struct wbl_reader *r = offset ? unpark(set, f, offset) : NULL;
	int old = r != NULL;
	int32_t rc;

	if (!r) {
		r = wbl_sdk_alloc(set->store->format->reader_size);
		r->fd = -1;
	}
	r->set = set;
	r->file = f;
	r->call = call;
	rc = old ? skip_to(r, offset) : start(r, offset);
	if (offset)
		r->line = line;
	if (rc)
		reader_free(r, set->store->format->reader_clear);
	else
		*ret = r;
	return rc;
}
