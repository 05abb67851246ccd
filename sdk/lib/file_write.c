/* sdk/lib/file_write.c - rows appended to a new file as text.
 * In: batches of canonical rows.  Out: text that reads back as the same cells, encoded and compressed. Rows are made durable, then the
 * receipt in the journal, by which they count; what each commit adds to a compressed file stands by itself.
 * SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "file_pack.h"
#include "file_side.h"

struct writer {
	struct wbl_file_writer w;
	struct wbl_encoder *encoder;
	struct wbl_cell *cells;
	struct wbl_out line, bytes, packed;
	char *origin, *set, *path;
	uint64_t epoch, at, written;
	int fd;
};

int32_t wbl_files_open_data(
	const struct wbl_files *s, const char *set, struct wbl_call *call, int flags, int *ret_fd)
{
	char *path = wbl_files_path(s, set);
	int32_t rc = WBL_OK;

	*ret_fd = open(path, O_RDWR | O_CLOEXEC | flags, 0666);
	if (*ret_fd < 0)
		rc = wbl_error_report(call, WBL_E_UNAVAILABLE, path,
			"Check the folder's mode and the engine's user.",
			"cannot open for writing: %s", strerror(errno));
	free(path);
	return rc;
}

int32_t wbl_files_write_all(
	const char *path, int fd, struct wbl_call *call, const char *p, size_t left, uint64_t *at)
{
	while (left) {
		ssize_t n = pwrite(fd, p, left, (off_t)*at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return wbl_error_report(call, WBL_E_RESOURCES, path,
				"Make room on the disk.", "cannot write: %s", strerror(errno));
		p += n;
		left -= (size_t)n;
		*at += (uint64_t)n;
	}
	return WBL_OK;
}

static void writer_free(struct writer *w)
{
	for (size_t i = 0; i < w->w.ncols; i++)
		free(w->w.names[i]);
	free(w->w.names);
	free(w->w.types);
	free(w->cells);
	free(w->origin);
	free(w->set);
	free(w->path);
	wbl_encoder_free(w->encoder);
	wbl_out_clear(&w->line);
	wbl_out_clear(&w->bytes);
	wbl_out_clear(&w->packed);
	if (w->fd >= 0)
		close(w->fd);
	wbl_side_unlock(w->w.store->side);
	free(w);
}

static int32_t take_columns(struct writer *w, const struct wbl_side_table *t, struct wbl_call *call,
	const char *const *columns)
{
	struct wbl_doc *d = wbl_doc_parse(t->columns.s, t->columns.len, NULL);
	const struct wbl_node *c = wbl_doc_root(d);
	size_t n = c ? c->count + 1 : 1;
	int32_t rc = WBL_OK;

	w->w.names = wbl_sdk_alloc(n * sizeof *w->w.names);
	w->w.types = wbl_sdk_alloc(n * sizeof *w->w.types);
	w->cells = wbl_sdk_alloc(n * sizeof *w->cells);
	for (c = c ? c->child : NULL; c; c = c->next) {
		const char *type = wbl_node_str(c, "type");

		w->w.names[w->w.ncols] = wbl_sdk_strdup(wbl_node_str(c, "name"));
		w->w.types[w->w.ncols++] = type ? wbl_type_by_name(type) : WBL_TYPE_ANY;
	}
	for (size_t i = 0; !rc && i <= w->w.ncols; i++)
		if ((i == w->w.ncols) != !columns[i] ||
			(columns[i] && strcmp(columns[i], w->w.names[i]) != 0))
			rc = wbl_error_report(call, WBL_E_PARAM, w->path, NULL,
				"the columns are not those with which the file was made");
	wbl_doc_free(d);
	return rc;
}

static int32_t say_open(struct writer *w, struct wbl_call *call, int open)
{
	struct wbl_out o = { 0 };
	int32_t rc;

	wbl_side_record(&o, w->set);
	wbl_out_bool(&o, "open", open);
	wbl_side_record_end(&o, NULL, NULL, NULL, 0);
	rc = wbl_side_add(w->w.store->side, call, o.s);
	wbl_out_clear(&o);
	return rc;
}

/* What a dead writer left behind what counts is cut off; until the commit, the tail is on record as ours. */
static int32_t begin(struct writer *w, const struct wbl_side_table *t, struct wbl_call *call)
{
	uint64_t length = t->length;
	struct stat st;
	int32_t rc = wbl_files_open_data(w->w.store, w->set, call, 0, &w->fd);

	if (rc)
		return rc;
	if (fstat(w->fd, &st) || (uint64_t)st.st_size < length ||
		(!t->open && (uint64_t)st.st_size != length))
		return wbl_error_report(call, WBL_E_STALE, w->path,
			"Let nobody else write to the file.",
			"the file is not as this run left it");
	rc = say_open(w, call, 1);
	if (!rc && ftruncate(w->fd, (off_t)length))
		rc = wbl_error_report(
			call, WBL_E_FAILED, w->path, NULL, "cannot cut: %s", strerror(errno));
	w->at = length;
	return rc;
}

static int32_t lock_table(struct wbl_files *s, struct wbl_call *call, const char *set,
	const struct wbl_side_table **ret)
{
	int32_t rc = wbl_side_lock(s->side, call);

	*ret = rc ? NULL : wbl_side_table(s->side, set);
	if (*ret && (*ret)->made)
		return WBL_OK;
	wbl_side_unlock(s->side);
	return rc < 0 ? rc
		      : wbl_error_report(call, WBL_E_UNSUPPORTED, s->path,
				"Move the file away, or choose another path.",
				"only a new file is written");
}

int32_t wbl_files_write(
	void *self, struct wbl_call *call, const struct wbl_write *write, void **ret_writer)
{
	struct wbl_files *s = self;
	const struct wbl_side_table *t;
	struct writer *w;
	int32_t rc;

	if (!s->write || write->mode != WBL_MODE_INSERT || !write->set || !write->columns)
		return wbl_error_report(call, WBL_E_UNSUPPORTED, s->path, NULL,
			s->write ? "rows are only added to a file" : "opened for reading");
	rc = lock_table(s, call, write->set, &t);
	if (rc)
		return rc;
	w = wbl_sdk_alloc(sizeof *w);
	w->fd = -1;
	w->w.store = s;
	w->epoch = write->epoch;
	w->origin = write->origin ? wbl_sdk_strdup(write->origin) : NULL;
	w->set = wbl_sdk_strdup(write->set);
	w->path = wbl_files_path(s, write->set);
	w->encoder = wbl_encoder_new((enum wbl_packing)s->packing, s->encoding);
	rc = wbl_side_fenced(s->side, call, w->origin, w->epoch);
	rc = rc ? rc : take_columns(w, t, call, write->columns);
	rc = rc ? rc : begin(w, t, call);
	if (rc)
		writer_free(w);
	else
		*ret_writer = w;
	return rc;
}

static const char *one_row(struct writer *w, const struct wbl_row *row)
{
	struct wbl_bytes cells = row->cells;
	const char *why;

	if (row->kind != WBL_ROW_PUT)
		return "only rows to be put are taken";
	for (size_t i = 0; i < w->w.ncols; i++)
		if (wbl_cell_next(&cells, &w->cells[i]) != 1)
			return "it has too few cells";
	if (cells.len)
		return "it has too many cells";
	if (!w->w.store->encoding)
		return w->w.store->format->line(&w->w, w->cells, &w->bytes);
	wbl_out_reset(&w->line);
	why = w->w.store->format->line(&w->w, w->cells, &w->line);
	if (!why && wbl_encoder_text(w->encoder, w->line.s, w->line.len, &w->bytes))
		why = "it has a character that the encoding of the file has not";
	return why;
}

int32_t wbl_files_append(
	void *writer, struct wbl_call *call, const struct wbl_batch *batch, uint64_t *ret_bad)
{
	struct writer *w = writer;
	uint64_t at = 0, n = 0;
	const char *why = NULL;
	struct wbl_row row;
	int32_t rc;
	int more;

	wbl_out_reset(&w->bytes);
	for (; !why && (more = wbl_batch_next(batch, &at, &row)) != 0; n++)
		why = more < 0 ? "the batch is damaged" : one_row(w, &row);
	if (why) {
		if (ret_bad)
			*ret_bad = n - 1;
		return wbl_error_report(call, WBL_E_PARAM, w->path, NULL,
			"table \"%s\", row %llu of the batch: %s", w->set,
			(unsigned long long)(n - 1), why);
	}
	wbl_out_reset(&w->packed);
	if (wbl_encoder_pack(w->encoder, w->bytes.s, w->bytes.len, 0, &w->packed))
		return wbl_error_report(call, WBL_E_RESOURCES, w->path, NULL, "cannot compress");
	rc = wbl_files_write_all(w->path, w->fd, call, w->packed.s, w->packed.len, &w->at);
	w->written += rc ? 0 : n;
	return rc;
}

static int32_t finish(struct writer *w, struct wbl_call *call)
{
	int32_t rc = WBL_OK;

	wbl_out_reset(&w->packed);
	if (w->written && wbl_encoder_pack(w->encoder, "", 0, 1, &w->packed))
		rc = wbl_error_report(call, WBL_E_RESOURCES, w->path, NULL, "cannot compress");
	rc = rc ? rc
		: wbl_files_write_all(w->path, w->fd, call, w->packed.s, w->packed.len, &w->at);
	if (!rc && fdatasync(w->fd))
		rc = wbl_error_report(
			call, WBL_E_RESOURCES, w->path, NULL, "cannot sync: %s", strerror(errno));
	return rc;
}

int32_t wbl_files_commit(void *writer, struct wbl_call *call, const struct wbl_receipt *receipt,
	struct wbl_outcome *ret)
{
	struct writer *w = writer;
	struct wbl_out o = { 0 };
	int32_t rc = finish(w, call);

	WBL_FAULT(call, "rows_written");
	wbl_side_record(&o, w->set);
	wbl_out_bool(&o, "open", 0);
	wbl_out_int(&o, "length", (int64_t)w->at);
	wbl_side_record_end(&o, receipt, w->origin, w->set, w->written);
	rc = rc ? rc : wbl_side_add(w->w.store->side, call, o.s);
	wbl_out_clear(&o);
	if (rc) {
		wbl_files_abort(w);
		return rc;
	}
	*ret = (struct wbl_outcome){ .size = sizeof *ret, .written = w->written };
	writer_free(w);
	return WBL_OK;
}

void wbl_files_abort(void *writer)
{
	struct writer *w = writer;
	const struct wbl_side_table *t;

	if (!w)
		return;
	t = wbl_side_table(w->w.store->side, w->set);
	/* If this fails, the tail stays on record as one that does not count. */
	if (t && !ftruncate(w->fd, (off_t)t->length))
		say_open(w, NULL, 0);
	writer_free(w);
}

int32_t wbl_files_receipt(void *self, struct wbl_call *call, const char *key, struct wbl_bytes *ret)
{
	struct wbl_files *s = self;
	const struct wbl_side_receipt *r;
	int32_t rc = wbl_side_load(s->side, call);

	if (rc)
		return rc;
	r = wbl_side_find(s->side, key);
	if (!r)
		return WBL_END;
	*ret = (struct wbl_bytes){ r->body.s, r->body.len };
	return WBL_OK;
}
