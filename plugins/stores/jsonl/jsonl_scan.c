/* jsonl_scan.c - lines as canonical rows, and the file cut into ranges of whole lines.
 * In: struct wbl_scan, all or by bytes.  Out: batches; ranges which carry the number of their first line, for which split counts the line
 * breaks once from the start.
 * SPDX-License-Identifier: Apache-2.0 */
#include "jsonl_impl.h"

#include <stdlib.h>
#include <string.h>

enum { BATCH_ROWS = 8192, BATCH_BYTES = 1 << 19 };

struct jsonl_cursor {
	struct jsonl_lines r;
	struct wbl_rows rows;
	const struct wbl_node **values; /* of the current line, one for each column of the file */
	int *pick;                      /* column of each wanted one; -1 the line */
	size_t npick;
	uint64_t end, batch_rows, batch_bytes;
};

static void range_of(const struct jsonl_self *s, const struct wbl_scan *scan, uint64_t *from,
	uint64_t *line, uint64_t *end)
{
	*from = s->data_start;
	*line = 1;
	*end = s->size;
	if (scan->range != WBL_RANGE_BYTES)
		return;
	if (scan->low.len >= 8)
		memcpy(from, scan->low.data, 8);
	if (scan->low.len >= 16)
		memcpy(line, (const char *)scan->low.data + 8, 8);
	if (scan->high.len >= 8)
		memcpy(end, scan->high.data, 8);
}

static int32_t pick(struct jsonl_self *s, struct wbl_call *call, const char *name, int *ret)
{
	if (!strcmp(name, "#position")) {
		*ret = -1;
		return WBL_OK;
	}
	for (size_t i = 0; i < s->ncols; i++)
		if (!strcmp(s->cols[i].name, name)) {
			*ret = (int)i;
			return WBL_OK;
		}
	return wbl_error_report(call, WBL_E_PARAM, s->path,
		"Name it by `columns` of the store; a path looks like \"a.b.0\".",
		"there is no column \"%s\"", name);
}

static int32_t usable(struct jsonl_self *s, struct wbl_call *call, const struct wbl_scan *scan)
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
			"a file of lines knows no filter and no key range");
	return WBL_OK;
}

int32_t jsonl_scan(
	void *self, struct wbl_call *call, const struct wbl_scan *scan, void **ret_cursor)
{
	struct jsonl_self *s = self;
	struct jsonl_cursor *c;
	uint64_t from, line;
	int32_t rc = usable(s, call, scan);

	if (rc)
		return rc;
	c = wbl_sdk_alloc(sizeof *c);
	range_of(s, scan, &from, &line, &c->end);
	jsonl_lines_init(&c->r, s, call, from, line);
	while (scan->columns && scan->columns[c->npick])
		c->npick++;
	c->npick = scan->columns ? c->npick : s->ncols;
	c->pick = wbl_sdk_alloc((c->npick + 1) * sizeof *c->pick);
	c->values = wbl_sdk_alloc((s->ncols + 1) * sizeof(*c->values));
	for (size_t i = 0; !rc && i < c->npick; i++) {
		c->pick[i] = (int)i;
		if (scan->columns)
			rc = pick(s, call, scan->columns[i], &c->pick[i]);
	}
	c->batch_rows = scan->batch_rows ? scan->batch_rows : BATCH_ROWS;
	c->batch_bytes = scan->batch_bytes ? scan->batch_bytes : BATCH_BYTES;
	if (rc)
		jsonl_scan_end(c);
	else
		*ret_cursor = c;
	return rc;
}

static int32_t add_row(struct jsonl_cursor *c, const struct wbl_doc *d)
{
	int32_t rc = jsonl_place(&c->r, wbl_doc_root(d), c->values);
	const char *why = "";

	if (rc)
		return rc;
	wbl_row_begin(&c->rows, WBL_ROW_PUT);
	for (size_t i = 0; i < c->npick; i++) {
		if (c->pick[i] < 0)
			wbl_cell_int(&c->rows, (int64_t)c->r.number);
		else if (jsonl_cell(&c->rows, c->values[c->pick[i]], c->r.self->marks, &why))
			return jsonl_bad(&c->r, "Mend the value, or quote it as a text.",
				"column \"%s\": %s", c->r.self->cols[c->pick[i]].name, why);
	}
	wbl_row_end(&c->rows);
	return WBL_OK;
}

int32_t jsonl_read(void *cursor, struct wbl_call *call, struct wbl_batch *ret)
{
	struct jsonl_cursor *c = cursor;
	struct wbl_doc *d = NULL;
	int32_t rc = WBL_OK;

	c->r.call = call;
	wbl_rows_reset(&c->rows);
	while (!rc && c->rows.rows < c->batch_rows && c->rows.len < c->batch_bytes &&
		c->r.offset < c->end) {
		rc = jsonl_lines_next(&c->r);
		rc = rc ? rc : jsonl_object(&c->r, &d);
		if (rc)
			break;
		rc = add_row(c, d);
		wbl_doc_free(d);
	}
	if (rc < 0)
		return rc;
	if (c->rows.rows) {
		wbl_rows_batch(&c->rows, c->r.self->set, NULL, ret);
		return WBL_OK;
	}
	rc = jsonl_unchanged(c->r.self, call);
	return rc ? rc : WBL_END;
}

void jsonl_scan_end(void *cursor)
{
	struct jsonl_cursor *c = cursor;

	if (!c)
		return;
	jsonl_lines_clear(&c->r);
	wbl_rows_clear(&c->rows);
	free(c->values);
	free(c->pick);
	free(c);
}

/* Without an exact answer wanted, the lines of the first half MiB are counted and the size does the rest. */
int32_t jsonl_count(void *self, struct wbl_call *call, const struct wbl_scan *scan, int32_t exact,
	struct wbl_totals *ret)
{
	struct jsonl_self *s = self;
	struct jsonl_lines r;
	uint64_t from, line, end, n = 0, all;
	int32_t rc = usable(s, call, scan);

	if (rc)
		return rc;
	range_of(s, scan, &from, &line, &end);
	all = end - from;
	if (!exact && all > 1 << 19)
		end = from + (1 << 19);
	jsonl_lines_init(&r, s, call, from, line);
	while (r.offset < end && !(rc = jsonl_lines_next(&r)))
		n++;
	if (n && r.offset < from + all)
		n = (uint64_t)((double)n * (double)all / (double)(r.offset - from));
	jsonl_lines_clear(&r);
	if (rc < 0)
		return rc;
	ret->items = n;
	ret->bytes = all;
	return WBL_OK;
}

int32_t jsonl_split(void *self, struct wbl_call *call, const struct wbl_scan *whole,
	const struct wbl_scan *last, uint64_t rows, struct wbl_scan *ret_next)
{
	struct jsonl_self *s = self;
	struct jsonl_lines r;
	uint64_t bounds[4], from, line, end;
	int32_t rc = usable(s, call, whole);

	if (rc)
		return rc;
	range_of(s, whole, &from, &line, &end);
	if (last && last->high.len < 16)
		return WBL_END;
	if (last) {
		memcpy(&from, last->high.data, 8);
		memcpy(&line, (const char *)last->high.data + 8, 8);
	}
	if (from >= end)
		return WBL_END;
	jsonl_lines_init(&r, s, call, from, line);
	for (uint64_t n = 0; !rc && n < rows && r.offset < end; n++)
		rc = jsonl_lines_next(&r);
	bounds[0] = from;
	bounds[1] = line;
	bounds[2] = r.offset;
	bounds[3] = r.line;
	jsonl_lines_clear(&r);
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
