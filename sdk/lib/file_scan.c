/* sdk/lib/file_scan.c - records as canonical rows, and tables cut into ranges of whole records.
 * In: struct wbl_scan, all or a range.  Out: batches; ranges which carry the line of their first record. Where a record ends can only be
 * known by reading from the start, so split reads all once.
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "file_pack.h"
#include "file_side.h"

enum { BATCH_ROWS = 8192, BATCH_BYTES = 1 << 19, GLANCE = 1 << 19 };

/* As it stands in ranges; of a table that is one file only the first two. */
struct place {
	uint64_t offset, line, file, base; /* base: lines of all files before this one */
};

/* Records over all files of a table, between two places. */
struct walk {
	struct wbl_files *store;
	struct wbl_file_set *set;
	struct wbl_call *call;
	struct wbl_reader *reader;
	struct place at, end; /* at: where the next reader begins */
};

static struct place place_now(const struct walk *w)
{
	struct place p = w->at;

	if (w->reader) {
		p.offset = w->reader->offset;
		p.line = w->reader->line;
	}
	return p;
}

static void leave_file(struct walk *w)
{
	wbl_reader_close(w->reader);
	w->reader = NULL;
}

static void walk_end(struct walk *w)
{
	leave_file(w);
	if (w->store)
		w->store->walks--;
	w->store = NULL;
}

/* END: nothing has been changed meanwhile, as far as it was read. */
static int32_t walk_done(struct walk *w)
{
	int32_t rc = WBL_OK;

	if (w->reader)
		rc = wbl_file_unchanged(w->reader->fd, w->reader->file, w->call);
	rc = rc ? rc : wbl_files_complete(w->set, w->call);
	return rc ? rc : WBL_END;
}

static int32_t next_file(struct walk *w)
{
	int32_t rc = wbl_file_unchanged(w->reader->fd, w->reader->file, w->call);

	w->at = (struct place){ 0, 1, w->at.file + 1, w->at.base + w->reader->line - 1 };
	leave_file(w);
	return rc;
}

static int32_t walk_next(struct walk *w)
{
	int32_t rc;

	for (;;) {
		if (w->at.file > w->end.file || w->at.file >= w->set->nfiles ||
			(w->at.file == w->end.file && place_now(w).offset >= w->end.offset))
			return walk_done(w);
		if (!w->reader) {
			rc = wbl_reader_open(w->set, (size_t)w->at.file, w->call, w->at.offset,
				w->at.line, &w->reader);
			if (rc)
				return rc;
		}
		w->reader->call = w->call;
		rc = wbl_reader_next(w->reader);
		if (rc != WBL_END)
			return rc;
		/* The only file stays: where it ends is a place of it. */
		if (w->set->nfiles == 1)
			return walk_done(w);
		rc = next_file(w);
		if (rc)
			return rc;
	}
}

/* Passes over records that need no look, at most so many, as far as they lie in the buffer. */
static uint64_t walk_pass(struct walk *w, uint64_t most)
{
	struct wbl_reader *r = w->reader;
	const struct wbl_files_format *format = w->set->store->format;
	const char *p = r->buf + r->from, *end, *to;
	uint64_t n = 0;

	if (!format->plain || w->end.offset != UINT64_MAX)
		return 0;
	end = p + format->plain(r, p, r->to - r->from);
	while (n < most && (to = memchr(p, '\n', (size_t)(end - p)))) {
		p = to + 1;
		n++;
	}
	r->offset += (uint64_t)(p - (r->buf + r->from));
	r->from = (size_t)(p - r->buf);
	r->line += n;
	return n;
}

static void take_place(struct wbl_bytes b, struct place *p)
{
	if (b.len >= 8)
		memcpy(&p->offset, b.data, 8);
	if (b.len >= 16)
		memcpy(&p->line, (const char *)b.data + 8, 8);
	if (b.len >= 32)
		memcpy(&p->file, (const char *)b.data + 16, 16);
}

static int32_t walk_begin(
	struct walk *w, struct wbl_files *s, struct wbl_call *call, const struct wbl_scan *scan)
{
	int32_t rc = wbl_files_refresh(s, call);

	*w = (struct walk){ .store = s, .call = call, .at = { .line = 1 } };
	s->walks++;
	if (rc)
		return rc;
	w->set = wbl_files_set(s, scan->set);
	if (!w->set && scan->set && s->nsets && s->as != WBL_AS_TABLES)
		return wbl_error_report(call, WBL_E_PARAM, s->path, NULL,
			"the file's name as a table is \"%s\", not \"%s\"", s->sets[0].name,
			scan->set);
	if (!w->set)
		return wbl_error_report(call, WBL_E_UNAVAILABLE, s->path, "Check the path.",
			"there is no such file");
	if ((scan->filter && *scan->filter) ||
		(scan->range != WBL_RANGE_ALL && scan->range != WBL_RANGE_BYTES &&
			scan->range != WBL_RANGE_BUCKET))
		return wbl_error_report(call, WBL_E_UNSUPPORTED, s->path, NULL,
			"a file of records knows no filter and no key range");
	w->end = (struct place){ .offset = UINT64_MAX, .file = w->set->nfiles - 1 };
	if (scan->range != WBL_RANGE_ALL) {
		take_place(scan->low, &w->at);
		take_place(scan->high, &w->end);
	}
	return wbl_files_know(w->set, call);
}

/* ---- rows ---- */

struct cursor {
	struct walk w;
	struct wbl_rows rows;
	int *pick;
	size_t npick;
	uint64_t batch_rows, batch_bytes;
};

static int32_t pick(struct walk *w, const char *name, int *ret)
{
	*ret = !strcmp(name, "#position") ? -1
	       : w->set->store->as == WBL_AS_ONE && !strcmp(name, "#file")
		       ? -2
		       : wbl_file_column_find(w->set, name, strlen(name));
	if (*ret >= 0 || *name == '#')
		return WBL_OK;
	return wbl_error_report(w->call, WBL_E_PARAM, w->set->files[0].path,
		"Look at the head of the file, or name it by `columns` of the store.",
		"there is no column \"%s\"", name);
}

static int32_t pick_all(struct cursor *c, const char *const *columns)
{
	int one = c->w.set->store->as == WBL_AS_ONE;
	int32_t rc = WBL_OK;

	while (columns && columns[c->npick])
		c->npick++;
	c->npick = columns ? c->npick : c->w.set->ncols + (size_t)one;
	c->pick = wbl_sdk_alloc((c->npick + 1) * sizeof *c->pick);
	for (size_t i = 0; !rc && i < c->npick; i++) {
		c->pick[i] = i < c->w.set->ncols ? (int)i : -2;
		if (columns)
			rc = pick(&c->w, columns[i], &c->pick[i]);
	}
	return rc;
}

int32_t wbl_files_scan(
	void *self, struct wbl_call *call, const struct wbl_scan *scan, void **ret_cursor)
{
	struct cursor *c = wbl_sdk_alloc(sizeof *c);
	int32_t rc = walk_begin(&c->w, self, call, scan);

	rc = rc ? rc : pick_all(c, scan->columns);
	c->batch_rows = scan->batch_rows ? scan->batch_rows : BATCH_ROWS;
	c->batch_bytes = scan->batch_bytes ? scan->batch_bytes : BATCH_BYTES;
	if (rc)
		wbl_files_scan_end(c);
	else
		*ret_cursor = c;
	return rc;
}

void wbl_reader_about(const struct wbl_reader *r, struct wbl_rows *rows, int what, int64_t position)
{
	if (what == -1)
		wbl_cell_int(rows, position);
	else
		wbl_cell_text(rows, r->file->name, strlen(r->file->name));
}

void wbl_reader_cast(struct wbl_reader *r, struct wbl_rows *rows, size_t from, int32_t type)
{
	struct wbl_bytes bytes;
	struct wbl_cell c;
	const char *why;

	wbl_rows_reset(&r->cell);
	wbl_cell_copy(&r->cell, rows->data + from, rows->len - from);
	bytes = (struct wbl_bytes){ r->cell.data, r->cell.len };
	rows->len = from;
	if (wbl_cell_next(&bytes, &c) != 1 || wbl_cell_cast(rows, &c, type, &why))
		wbl_cell_copy(rows, r->cell.data, r->cell.len);
}

static int32_t add_row(struct cursor *c)
{
	struct wbl_reader *r = c->w.reader;
	int32_t rc;

	wbl_row_begin(&c->rows, WBL_ROW_PUT);
	rc = r->set->store->format->row(
		r, &c->rows, c->pick, c->npick, (int64_t)(c->w.at.base + r->number));
	if (rc)
		wbl_row_drop(&c->rows);
	else
		wbl_row_end(&c->rows);
	return rc;
}

int32_t wbl_files_read(void *cursor, struct wbl_call *call, struct wbl_batch *ret)
{
	struct cursor *c = cursor;
	struct wbl_batch b;
	int32_t rc = WBL_OK;

	c->w.call = call;
	wbl_rows_reset(&c->rows);
	while (!rc && c->rows.rows < c->batch_rows && c->rows.len < c->batch_bytes) {
		rc = walk_next(&c->w);
		rc = rc ? rc : add_row(c);
	}
	if (rc < 0)
		return rc;
	if (!c->rows.rows)
		return WBL_END;
	wbl_rows_batch(&c->rows, c->w.set->name, NULL, &b);
	wbl_struct_give(ret, &b);
	return WBL_OK;
}

void wbl_files_scan_end(void *cursor)
{
	struct cursor *c = cursor;

	if (!c)
		return;
	walk_end(&c->w);
	wbl_rows_clear(&c->rows);
	free(c->pick);
	free(c);
}

/* ---- counted ---- */

/* Bytes of the current file that its records so far take. */
static uint64_t file_bytes(const struct wbl_reader *r)
{
	double text = (double)r->offset, ahead = (double)(r->to - r->from);

	if (!r->decoder)
		return r->offset;
	return (uint64_t)((double)wbl_decoder_taken(r->decoder) * text / (text + ahead + 1)) + 1;
}

/* Without an exact answer wanted, the records of the first half MiB are counted and the sizes do the rest. */
int32_t wbl_files_count(void *self, struct wbl_call *call, const struct wbl_scan *scan,
	int32_t exact, struct wbl_totals *ret)
{
	uint64_t n = 0, whole = 0, seen = 0, text = 0;
	double scale = 1;
	struct walk w;
	int32_t rc = walk_begin(&w, self, call, scan);

	while (!rc && (exact || text < GLANCE)) {
		rc = walk_next(&w);
		n += !rc;
		text += rc ? 0 : w.reader->len + 1;
		n += rc || !exact ? 0 : walk_pass(&w, UINT64_MAX);
	}
	for (size_t i = 0; w.set && i < w.set->nfiles; i++) {
		whole += w.set->files[i].size;
		seen += i < w.at.file ? w.set->files[i].size : 0;
	}
	seen += w.reader ? file_bytes(w.reader) : 0;
	walk_end(&w);
	if (rc < 0)
		return rc;
	if (!rc && seen)
		scale = (double)whole / (double)seen;
	ret->items = (uint64_t)((double)n * scale);
	ret->bytes = exact ? whole : (uint64_t)((double)text * scale);
	return WBL_OK;
}

/* ---- cut into ranges ---- */

int32_t wbl_files_split(void *self, struct wbl_call *call, const struct wbl_scan *whole,
	const struct wbl_scan *last, uint64_t rows, struct wbl_scan *ret_next)
{
	struct wbl_files *s = self;
	struct place bounds[2];
	size_t one;
	struct walk w;
	uint64_t n = 0;
	int32_t rc = walk_begin(&w, s, call, whole);

	if (last)
		take_place(last->high, &w.at);
	bounds[0] = w.at;
	while (!rc && n < rows) {
		rc = walk_next(&w);
		n += !rc;
		n += rc ? 0 : walk_pass(&w, rows - n);
	}
	bounds[1] = place_now(&w);
	walk_end(&w);
	if (rc < 0 || !n)
		return rc;
	one = w.set->nfiles == 1 ? 16 : sizeof bounds[0];
	wbl_out_reset(&s->text);
	wbl_out_add(&s->text, &bounds[0], one);
	wbl_out_add(&s->text, &bounds[1], one);
	*ret_next = *whole;
	ret_next->range = one == 16 ? WBL_RANGE_BYTES : WBL_RANGE_BUCKET;
	ret_next->low = (struct wbl_bytes){ s->text.s, one };
	ret_next->high = (struct wbl_bytes){ s->text.s + one, one };
	return WBL_OK;
}
