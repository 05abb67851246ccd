/* data_letters.c - dead letters: what was rejected, kept so that it can be corrected and handed in again.
 * In: rejected rows of a chunk.  Out: lines of JSON in an artefact of the chunk's attempt, sealed before its receipt; at the end the step
 * "rejects" puts those together whose attempt the receipts name: in one artefact, and in the file `rejects`.  A line: id, source,
 * position, to, key, column, reason, value, record.
 * SPDX-License-Identifier: Apache-2.0 */
#include "data_impl.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { ROOM = 1 << 16, LONGEST = 64 << 20, MOST_TOLD = 1000 };
#define FOLDER "rejects/"

struct data_letters {
	const char *key, *step, *chunk;
	uint64_t attempt, n;
	int fd;
	struct wbl_out name, out;
	unsigned char *again; /* columns of the scan that stand there before */
};

struct data_letters *data_letters_new(const struct wbl_work *work)
{
	struct data_letters *l = wbl_sdk_alloc(sizeof *l);

	l->key = work->key;
	l->step = work->step_id;
	l->chunk = work->chunk_id ? work->chunk_id : "0";
	l->attempt = work->attempt;
	l->fd = -1;
	wbl_out_fmt(&l->name, FOLDER "%s/%llu", l->chunk, (unsigned long long)work->attempt);
	return l;
}

void data_letters_free(struct data_letters *l)
{
	if (!l)
		return;
	if (l->fd >= 0)
		close(l->fd);
	wbl_out_clear(&l->name);
	wbl_out_clear(&l->out);
	free(l->again);
	free(l);
}

int32_t data_write_all(struct wbl_call *call, int fd, const char *name, struct wbl_out *o)
{
	size_t done = 0;

	while (done < o->len) {
		ssize_t n = write(fd, o->s + done, o->len - done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return wbl_error_report(call, WBL_E_RESOURCES, name,
				"Make room on the disk.", "cannot write rejected rows: %s",
				strerror(errno));
		done += (size_t)n;
	}
	wbl_out_reset(o);
	return WBL_OK;
}

static int32_t begin(struct data_letters *l, struct wbl_call *call)
{
	const struct wbl_artefact_service *artefact = wbl_service(call, "wbl.artefact/1");
	int32_t rc = artefact ? artefact->create(call, l->name.s, &l->fd) : WBL_E_ABI;

	if (rc)
		return wbl_error_report(call, rc < 0 ? rc : WBL_E_ABI, l->name.s, NULL,
			"nothing can be kept for the rejected rows");
	wbl_out_reset(&l->out);
	wbl_out_open(&l->out, NULL, '{');
	wbl_out_text(&l->out, "key", l->key);
	wbl_out_int(&l->out, "attempt", (int64_t)l->attempt);
	wbl_out_close(&l->out, '}');
	wbl_out_add(&l->out, "\n", 1);
	return WBL_OK;
}

/* ---- one line ---- */

static int by_name(const void *a, const void *b, void *arg)
{
	const char *const *names = arg;
	const size_t *x = a, *y = b;
	int d = strcmp(names[*x], names[*y]);

	return d ? d : *x < *y ? -1 : *x > *y;
}

static void find_again(struct data_letters *l, const struct data_table *t)
{
	size_t *order = wbl_sdk_alloc((t->nscan + 1) * sizeof *order);

	l->again = wbl_sdk_alloc(t->nscan + 1);
	for (size_t i = 0; i < t->nscan; i++)
		order[i] = i;
	if (t->nscan)
		qsort_r(order, t->nscan, sizeof *order, by_name, (void *)t->scan);
	for (size_t i = 1; i < t->nscan; i++)
		l->again[order[i]] = !strcmp(t->scan[order[i]], t->scan[order[i - 1]]);
	free(order);
}

/* Is what this column of the scan holds masked on its way? Then nobody reads it here either. */
static int data_scan_masked(const struct data_table *t, size_t at)
{
	return t->veiled && t->veiled[at];
}

static void put_cell(const struct data_table *t, size_t at, const char *key,
	const struct wbl_cell *c, struct wbl_out *o)
{
	if (!data_scan_masked(t, at)) {
		wbl_json_put_cell(o, key, c);
		return;
	}
	wbl_out_open(o, key, '{');
	wbl_out_bool(o, "$masked", 1);
	wbl_out_close(o, '}');
}

static void put_key(const struct data_table *t, const struct wbl_cell *cells, struct wbl_out *o)
{
	wbl_out_open(o, "key", '{');
	for (size_t i = 0; i < t->nkey; i++) {
		const struct data_column *c = &t->cols[t->key[i]];

		if (c->at >= 0)
			put_cell(t, (size_t)c->at, c->name, &cells[c->at], o);
	}
	wbl_out_close(o, '}');
}

static void put_record(struct data_letters *l, const struct data_table *t,
	const struct wbl_cell *cells, struct wbl_out *o)
{
	wbl_out_open(o, "record", '{');
	for (size_t i = 0; i < t->nscan; i++)
		if ((int)i != t->position && !l->again[i])
			put_cell(t, i, t->scan[i], &cells[i], o);
	wbl_out_close(o, '}');
}

int32_t data_letters_add(struct data_letters *l, struct data_flow *f, int64_t position,
	const char *where, const char *column, const char *why, const char *value, char *id)
{
	const struct data_table *t = f->table;
	struct wbl_cell *cells = wbl_sdk_alloc((t->nscan + 1) * sizeof *cells);
	uint64_t at = f->row_at;
	struct wbl_out *o = &l->out;
	struct wbl_row row;
	int32_t rc = l->fd < 0 ? begin(l, f->call) : WBL_OK;
	int bad = wbl_batch_next(&f->in, &at, &row) != 1;

	if (!l->again)
		find_again(l, t);
	for (size_t i = 0; !bad && i < t->nscan; i++)
		bad = wbl_cell_next(&row.cells, &cells[i]) != 1;
	if (!rc && bad)
		rc = wbl_error_report(f->call, WBL_E_ABI, t->from, NULL,
			"a rejected row cannot be found in its batch");
	if (!rc) {
		snprintf(id, DATA_ID, "%s/%s/%llu", l->step, l->chunk, (unsigned long long)++l->n);
		o->comma = 0;
		wbl_out_open(o, NULL, '{');
		wbl_out_text(o, "id", id);
		wbl_out_text(o, "source", where);
		if (position >= 0)
			wbl_out_int(o, "position", position);
		wbl_out_text(o, "to", t->to);
		if (t->of_parts > 1)
			wbl_out_int(o, "part", t->part);
		if (t->nkey)
			put_key(t, cells, o);
		if (column && column[0] != '(')
			wbl_out_text(o, "column", column);
		wbl_out_text(o, "reason", why);
		if (value)
			wbl_out_text(o, "value", value);
		put_record(l, t, cells, o);
		wbl_out_close(o, '}');
		wbl_out_add(o, "\n", 1);
		if (o->len > ROOM)
			rc = data_write_all(f->call, l->fd, l->name.s, o);
	}
	free(cells);
	return rc;
}

int32_t data_letters_seal(struct data_letters *l, struct wbl_call *call)
{
	const struct wbl_artefact_service *artefact = wbl_service(call, "wbl.artefact/1");
	int32_t rc;
	int fd = l->fd;

	if (fd < 0)
		return WBL_OK;
	rc = data_write_all(call, fd, l->name.s, &l->out);
	if (rc)
		return rc;
	l->fd = -1;
	rc = artefact->seal(call, l->name.s, fd);
	WBL_FAULT(call, "rejects_kept");
	return rc;
}

/* ---- reading ---- */

int32_t data_lines(struct wbl_call *call, int fd, const char *name, data_line *each, void *arg)
{
	struct wbl_out o = { 0 };
	uint64_t number = 0;
	size_t from = 0;
	int32_t rc = WBL_OK;
	ssize_t n = 1;

	wbl_out_reset(&o);
	while (!rc && n) {
		static const char room[ROOM];
		char *end;

		memmove(o.s, o.s + from, o.len - from);
		o.len -= from;
		from = 0;
		if (o.len > LONGEST) {
			rc = wbl_error_report(call, WBL_E_PARAM, name, NULL,
				"line %llu is longer than 64 MiB", (unsigned long long)number + 1);
			break;
		}
		wbl_out_add(&o, room, sizeof room);
		o.len -= sizeof room;
		n = read(fd, o.s + o.len, sizeof room);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			rc = wbl_error_report(call, WBL_E_UNAVAILABLE, name, NULL,
				"cannot be read: %s", strerror(errno));
		o.len += n > 0 ? (size_t)n : 0;
		if (n == 0 && o.len && o.s[o.len - 1] != '\n')
			o.s[o.len++] = '\n'; /* the last line may lack its end */
		while (!rc && (end = memchr(o.s + from, '\n', o.len - from))) {
			size_t len = (size_t)(end - (o.s + from));

			*end = 0;
			rc = each(arg, o.s + from, len, ++number);
			from = (size_t)(end - o.s) + 1;
		}
	}
	wbl_out_clear(&o);
	return rc;
}

struct retelling {
	struct wbl_call *call;
	const struct data_table *table;
	uint64_t told;
};

static int32_t retell(void *arg, char *line, size_t len, uint64_t number)
{
	struct retelling *r = arg;
	struct wbl_doc *doc;
	const struct wbl_node *n;
	int32_t rc;

	if (number == 1)
		return WBL_OK;
	doc = wbl_doc_parse(line, len, NULL);
	n = wbl_doc_root(doc);
	if (!doc || r->told++ >= MOST_TOLD) {
		wbl_doc_free(doc);
		return WBL_END;
	}
	rc = data_reject_tell(r->call, r->table, wbl_node_str(n, "source"),
		wbl_node_str(n, "column"), wbl_node_str(n, "reason"), wbl_node_str(n, "value"),
		wbl_node_str(n, "id"));
	wbl_doc_free(doc);
	return rc;
}

int32_t data_letters_retell(struct wbl_call *call, const struct wbl_work *work,
	const struct data_table *t, uint64_t attempt)
{
	const struct wbl_artefact_service *artefact = wbl_service(call, "wbl.artefact/1");
	struct retelling r = { .call = call, .table = t };
	struct wbl_out name = { 0 };
	int32_t rc, fd = -1;

	if (!attempt || !artefact)
		return WBL_OK;
	wbl_out_fmt(&name, FOLDER "%s/%llu", work->chunk_id ? work->chunk_id : "0",
		(unsigned long long)attempt);
	rc = artefact->open(call, name.s, &fd);
	if (!rc) {
		rc = data_lines(call, fd, name.s, retell, &r);
		close(fd);
	}
	wbl_out_clear(&name);
	return rc < 0 ? rc : WBL_OK;
}
