/* csv_scan.c - records as canonical rows, and the file cut into ranges of whole records.
 * In: struct wbl_scan, all or by bytes.  Out: batches of text cells; ranges which carry the line of their first record.  Where a record ends
 * can only be known by reading from the start (a line break may stand in quotes), so split reads the file once.
 * SPDX-License-Identifier: Apache-2.0 */
#include "csv_impl.h"

#include <stdlib.h>
#include <string.h>

enum { BATCH_ROWS = 8192, BATCH_BYTES = 1 << 19 };

struct csv_cursor {
	struct csv_reader r;
	struct wbl_rows rows;
	struct wbl_out halved;
	int *pick; /* field of each wanted column; -1 the line */
	size_t npick;
	uint64_t end, batch_rows, batch_bytes;
};

static void range_of(const struct csv_self *s, const struct wbl_scan *scan, uint64_t *from,
	uint64_t *line, uint64_t *end)
{
	*from = s->data_start;
	*line = s->data_line;
	*end = (uint64_t)s->seen.st_size;
	if (scan->range != WBL_RANGE_BYTES)
		return;
	if (scan->low.len >= 8)
		memcpy(from, scan->low.data, 8);
	if (scan->low.len >= 16)
		memcpy(line, (const char *)scan->low.data + 8, 8);
	if (scan->high.len >= 8)
		memcpy(end, scan->high.data, 8);
}

static int32_t pick(struct csv_self *s, struct wbl_call *call, const char *name, int *ret)
{
	if (!strcmp(name, "#position")) {
		*ret = -1;
		return WBL_OK;
	}
	for (size_t i = 0; i < s->ncols; i++)
		if (!strcmp(s->names[i], name)) {
			*ret = (int)i;
			return WBL_OK;
		}
	return wbl_error_report(call, WBL_E_PARAM, s->path, "Look at the header or `columns`.",
		"there is no column \"%s\"", name);
}

static int32_t usable(struct csv_self *s, struct wbl_call *call, const struct wbl_scan *scan)
{
	if (s->fd < 0)
		return wbl_error_report(call, WBL_E_UNAVAILABLE, s->path, "Check the path.",
			"there is no such file");
	if (scan->set && strcmp(scan->set, s->set) != 0)
		return wbl_error_report(call, WBL_E_PARAM, s->path, NULL,
			"the file's name as a table is \"%s\", not \"%s\"", s->set, scan->set);
	if ((scan->filter && *scan->filter) ||
		(scan->range != WBL_RANGE_ALL && scan->range != WBL_RANGE_BYTES))
		return wbl_error_report(call, WBL_E_UNSUPPORTED, s->path, NULL,
			"a file of records knows no filter and no key range");
	return WBL_OK;
}

int32_t csv_scan(void *self, struct wbl_call *call, const struct wbl_scan *scan, void **ret_cursor)
{
	struct csv_self *s = self;
	struct csv_cursor *c;
	uint64_t from, line;
	int32_t rc = usable(s, call, scan);

	if (rc)
		return rc;
	c = wbl_sdk_alloc(sizeof *c);
	range_of(s, scan, &from, &line, &c->end);
	csv_reader_init(&c->r, s, call, from, line);
	while (scan->columns && scan->columns[c->npick])
		c->npick++;
	c->npick = scan->columns ? c->npick : s->ncols;
	c->pick = wbl_sdk_alloc(c->npick * sizeof *c->pick);
	for (size_t i = 0; !rc && i < c->npick; i++) {
		c->pick[i] = (int)i;
		if (scan->columns)
			rc = pick(s, call, scan->columns[i], &c->pick[i]);
	}
	c->batch_rows = scan->batch_rows ? scan->batch_rows : BATCH_ROWS;
	c->batch_bytes = scan->batch_bytes ? scan->batch_bytes : BATCH_BYTES;
	if (rc)
		csv_scan_end(c);
	else
		*ret_cursor = c;
	return rc;
}

static int32_t not_text(struct csv_cursor *c, size_t at)
{
	struct wbl_out where = { 0 };
	const struct csv_field *f = &c->r.fields[at];
	uint64_t line = c->r.record_line;

	for (size_t i = 0; i < f->at; i++)
		line += c->r.record[i] == '\n';
	wbl_out_fmt(&where, "%s:%llu", c->r.self->path, (unsigned long long)line);
	wbl_error_report(c->r.call, WBL_E_PARAM, where.s,
		"Convert the file to UTF-8 first, for example with iconv.",
		"column \"%s\" is not UTF-8 text", c->r.self->names[at]);
	wbl_out_clear(&where);
	return WBL_E_PARAM;
}

static int32_t cell(struct csv_cursor *c, size_t at)
{
	const struct csv_field *f = &c->r.fields[at];
	const struct csv_self *s = c->r.self;
	const char *p = c->r.record + f->at;
	size_t len = f->len;

	if (s->null_text && !f->quoted && len == s->null_len && !memcmp(p, s->null_text, len)) {
		wbl_cell_null(&c->rows);
		return WBL_OK;
	}
	if (f->doubled) {
		wbl_out_reset(&c->halved);
		for (size_t i = 0, k; i < len; i = k + 2) {
			for (k = i; k < len && p[k] != (char)s->quote;)
				k++;
			wbl_out_add(&c->halved, p + i, k < len ? k + 1 - i : k - i);
		}
		p = c->halved.s;
		len = c->halved.len;
	}
	if (!wbl_utf8_ok(p, len))
		return not_text(c, at);
	wbl_cell_blob(&c->rows, WBL_CELL_TEXT, p, len);
	return WBL_OK;
}

int32_t csv_read(void *cursor, struct wbl_call *call, struct wbl_batch *ret)
{
	struct csv_cursor *c = cursor;
	int32_t rc = WBL_OK;

	c->r.call = call;
	wbl_rows_reset(&c->rows);
	while (c->rows.rows < c->batch_rows && c->rows.len < c->batch_bytes &&
		c->r.offset < c->end) {
		rc = csv_reader_next(&c->r);
		rc = rc ? rc : csv_ragged(&c->r);
		if (rc)
			break;
		wbl_row_begin(&c->rows, WBL_ROW_PUT);
		for (size_t i = 0; !rc && i < c->npick; i++) {
			if (c->pick[i] >= 0)
				rc = cell(c, (size_t)c->pick[i]);
			else
				wbl_cell_int(&c->rows, (int64_t)c->r.record_line);
		}
		if (rc)
			return rc;
		wbl_row_end(&c->rows);
	}
	if (rc < 0)
		return rc;
	if (c->rows.rows) {
		wbl_rows_batch(&c->rows, c->r.self->set, NULL, ret);
		return WBL_OK;
	}
	rc = csv_unchanged(c->r.self, call);
	return rc ? rc : WBL_END;
}

void csv_scan_end(void *cursor)
{
	struct csv_cursor *c = cursor;

	if (!c)
		return;
	csv_reader_clear(&c->r);
	wbl_rows_clear(&c->rows);
	wbl_out_clear(&c->halved);
	free(c->pick);
	free(c);
}

/* Without an exact answer wanted, the records of the first half MiB are counted and the size does the rest. */
int32_t csv_count(void *self, struct wbl_call *call, const struct wbl_scan *scan, int32_t exact,
	struct wbl_totals *ret)
{
	struct csv_self *s = self;
	struct csv_reader r;
	uint64_t from, line, end, n = 0, all;
	int32_t rc = usable(s, call, scan);

	if (rc)
		return rc;
	range_of(s, scan, &from, &line, &end);
	all = end - from;
	if (!exact && all > 1 << 19)
		end = from + (1 << 19);
	csv_reader_init(&r, s, call, from, line);
	while (r.offset < end && !(rc = csv_reader_next(&r)))
		n++;
	if (n && r.offset < from + all)
		n = (uint64_t)((double)n * (double)all / (double)(r.offset - from));
	csv_reader_clear(&r);
	if (rc < 0)
		return rc;
	ret->items = n;
	ret->bytes = all;
	return WBL_OK;
}

int32_t csv_split(void *self, struct wbl_call *call, const struct wbl_scan *whole,
	const struct wbl_scan *last, uint64_t rows, struct wbl_scan *ret_next)
{
	struct csv_self *s = self;
	struct csv_reader r;
	uint64_t bounds[4], from, line, end;
	int32_t rc = usable(s, call, whole);

	if (rc)
		return rc;
	range_of(s, whole, &from, &line, &end);
	if (last && last->high.len < 8)
		return WBL_END;
	if (last) {
		memcpy(&from, last->high.data, 8);
		memcpy(&line, (const char *)last->high.data + 8, 8);
	}
	if (from >= end)
		return WBL_END;
	csv_reader_init(&r, s, call, from, line);
	for (uint64_t n = 0; !rc && n < rows && r.offset < end; n++) {
		rc = csv_reader_next(&r);
		rc = rc ? rc : csv_ragged(&r);
	}
	bounds[0] = from;
	bounds[1] = line;
	bounds[2] = r.offset;
	bounds[3] = r.line;
	csv_reader_clear(&r);
	if (rc < 0)
		return rc;
	wbl_out_reset(&s->text);
	wbl_out_add(&s->text, bounds, sizeof bounds);
	*ret_next = *whole;
	ret_next->range = WBL_RANGE_BYTES;
	ret_next->low = (struct wbl_bytes){ s->text.s, 16 };
	ret_next->high = (struct wbl_bytes){ s->text.s + 16, 16 };
	return WBL_OK;
}
