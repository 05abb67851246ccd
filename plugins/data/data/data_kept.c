/* data_kept.c - what a chunk is about to change, row by row, in an artefact that is durable before the change is.
 * In: keys, digests of what is written, whole rows as they were.  Out: a file that needs neither mapping nor source to be read, and an
 * undo record by its name.  Each attempt of a chunk has its own: the world may have moved between two of them.
 * SPDX-License-Identifier: Apache-2.0 */
#include "data_sync.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MAGIC "wbl-kept-1\n"
enum { ROOM = 1 << 16, NAMES = 0x40000000, MOST_RECORD = 1 << 30 };

/* A record: `len` bytes follow: flags, then by flags. NAMES: the names of whole rows, each ended by NUL. */
struct record {
	uint32_t len, flags;
	struct data_key key, now, old, noted;
	uint32_t key_len, raw_len;
};

/* ---- written ---- */

struct data_keep {
	struct wbl_call *call;
	char *name, *ledger;
	struct wbl_out buf;
	int32_t fd, failed, named;
	uint64_t rows;
};

static void flush(struct data_keep *k)
{
	size_t at = 0;

	while (!k->failed && at < k->buf.len) {
		ssize_t n = write(k->fd, k->buf.s + at, k->buf.len - at);

		if (n < 0 && errno != EINTR)
			k->failed = errno;
		at += n > 0 ? (size_t)n : 0;
	}
	wbl_out_reset(&k->buf);
}

static void put(struct data_keep *k, const void *data, size_t len)
{
	wbl_out_add(&k->buf, data, len);
	if (k->buf.len >= ROOM)
		flush(k);
}

static void tell_names(struct wbl_out *o, const char *key, const char *const *names)
{
	wbl_out_open(o, key, '[');
	for (size_t i = 0; names[i]; i++)
		wbl_out_text(o, NULL, names[i]);
	wbl_out_close(o, ']');
}

static void put_head(struct data_keep *k, const struct data_shape *s)
{
	struct wbl_out o = { 0 };
	uint32_t len;

	wbl_out_open(&o, NULL, '{');
	wbl_out_text(&o, "set", s->set);
	wbl_out_text(&o, "mark", s->mark);
	wbl_out_text(&o, "ledger", k->ledger);
	tell_names(&o, "key", s->key);
	tell_names(&o, "mapped", s->mapped);
	wbl_out_open(&o, "types", '[');
	for (size_t i = 0; i < s->nmapped; i++) {
		wbl_out_text(&o, NULL, wbl_type_name(s->cols[i].type));
		wbl_out_text(&o, NULL, wbl_type_name(s->cols[i].held));
	}
	wbl_out_close(&o, ']');
	wbl_out_close(&o, '}');
	len = (uint32_t)o.len;
	put(k, MAGIC, strlen(MAGIC));
	put(k, &len, sizeof len);
	put(k, o.s, o.len);
	wbl_out_clear(&o);
}

/* A name that no earlier attempt has sealed. */
static int32_t create(struct data_keep *k, const struct wbl_work *work)
{
	const struct wbl_artefact_service *art = wbl_service(k->call, "wbl.artefact/1");
	struct wbl_out name = { 0 };
	int32_t rc = WBL_END;

	if (!art)
		return wbl_error_report(
			k->call, WBL_E_ABI, NULL, NULL, "the host keeps no artefacts here");
	for (int again = 0; rc == WBL_END; again++) {
		wbl_out_reset(&name);
		wbl_out_fmt(&name, "rows-%s-%llu", work->chunk_id ? work->chunk_id : "all",
			(unsigned long long)work->attempt);
		if (again)
			wbl_out_fmt(&name, ".%d", again);
		rc = art->create(k->call, name.s, &k->fd);
	}
	k->name = name.s;
	return rc;
}

int32_t data_keep_begin(struct wbl_call *call, const struct wbl_work *work,
	const struct data_finder *f, const char *ledger, struct data_keep **ret)
{
	struct data_keep *k = wbl_sdk_alloc(sizeof *k);
	int32_t rc;

	*k = (struct data_keep){
		.call = call, .ledger = ledger ? wbl_sdk_strdup(ledger) : NULL, .fd = -1
	};
	rc = create(k, work);
	if (rc) {
		data_keep_drop(k);
		return rc;
	}
	put_head(k, &f->shape);
	*ret = k;
	return WBL_OK;
}

static void put_names(struct data_keep *k, const struct data_finder *f)
{
	struct wbl_out o = { 0 };
	uint32_t head[2] = { 0, NAMES };

	for (size_t i = 0; i < f->nwhole; i++)
		wbl_out_add(&o, f->whole[i], strlen(f->whole[i]) + 1);
	head[0] = (uint32_t)(o.len + sizeof head[1]);
	put(k, head, sizeof head);
	put(k, o.s, o.len);
	wbl_out_clear(&o);
	k->named = 1;
}

void data_keep_add(struct data_keep *k, const struct data_finder *f, const struct data_kept *row)
{
	struct record r = {
		.flags = row->flags,
		.key = row->key,
		.now = row->now,
		.old = row->old,
		.noted = row->noted,
		.key_len = (uint32_t)row->key_cells.len,
		.raw_len = (uint32_t)row->raw.len,
	};

	if (f->whole && !k->named)
		put_names(k, f);
	r.len = (uint32_t)(sizeof r - sizeof r.len) + r.key_len + r.raw_len;
	put(k, &r, sizeof r);
	put(k, row->key_cells.data, row->key_cells.len);
	put(k, row->raw.data, row->raw.len);
	k->rows++;
}

uint64_t data_keep_rows(const struct data_keep *k)
{
	return k->rows;
}

const char *data_keep_name(const struct data_keep *k)
{
	return k->name;
}

void data_keep_drop(struct data_keep *k)
{
	if (!k)
		return;
	if (k->fd >= 0)
		close(k->fd);
	wbl_out_clear(&k->buf);
	free(k->name);
	free(k->ledger);
	free(k);
}

static int32_t record(struct data_keep *k, const struct wbl_work *work)
{
	const struct wbl_undo_service *undo = wbl_service(k->call, "wbl.undo/1");
	struct wbl_out body = { 0 };
	struct wbl_undo u = { .size = sizeof u, .id = k->name, .artefact = k->name };
	int32_t rc;

	wbl_out_open(&body, NULL, '{');
	wbl_out_text(&body, "key", work->key);
	wbl_out_close(&body, '}');
	u.body = (struct wbl_bytes){ body.s, body.len };
	rc = undo ? undo->put(k->call, &u) : WBL_E_ABI;
	wbl_out_clear(&body);
	return rc < 0 ? rc : WBL_OK;
}

int32_t data_keep_seal(struct data_keep *k, const struct wbl_work *work)
{
	const struct wbl_artefact_service *art = wbl_service(k->call, "wbl.artefact/1");
	int32_t fd = k->fd, rc;

	flush(k);
	if (k->failed) {
		rc = wbl_error_report(k->call, WBL_E_RESOURCES, k->name,
			"Make room where the engine keeps its state.",
			"what was there before cannot be kept: %s", strerror(k->failed));
	} else {
		k->fd = -1;
		rc = art->seal(k->call, k->name, fd);
	}
	rc = rc ? rc : record(k, work);
	data_keep_drop(k);
	return rc;
}

/* ---- read ---- */

struct data_reader {
	struct wbl_call *call;
	int32_t fd;
	char *name;
	struct wbl_doc *head;
	const char **key, **mapped, **whole;
	struct data_column *cols;
	size_t *keyat;
	uint8_t *buf;
	size_t at, have, cap;
	char *names;
};

static int32_t damaged(struct data_reader *r)
{
	return wbl_error_report(r->call, WBL_E_CORRUPT, r->name, NULL,
		"what was kept of the rows that were there cannot be read");
}

/* At least n bytes behind r->at, or as many as there are. */
static int fill(struct data_reader *r, size_t n)
{
	if (r->have - r->at >= n)
		return 1;
	if (r->have > r->at)
		memmove(r->buf, r->buf + r->at, r->have - r->at);
	r->have -= r->at;
	r->at = 0;
	if (n + ROOM > r->cap) {
		r->cap = n + ROOM;
		r->buf = wbl_sdk_grow(r->buf, r->cap);
	}
	while (r->have < n) {
		ssize_t got = read(r->fd, r->buf + r->have, r->cap - r->have);

		if (got <= 0 && !(got < 0 && errno == EINTR))
			break;
		r->have += got > 0 ? (size_t)got : 0;
	}
	return r->have >= n;
}

static const char **list_of(const struct wbl_node *list)
{
	const char **names = wbl_sdk_alloc(((list ? list->count : 0) + 1) * sizeof *names);
	size_t n = 0;

	for (const struct wbl_node *x = list ? list->child : NULL; x; x = x->next)
		names[n++] = x->text.s;
	return names;
}

static int32_t read_head(struct data_reader *r)
{
	uint32_t len = 0;

	if (fill(r, strlen(MAGIC) + sizeof len) && !memcmp(r->buf, MAGIC, strlen(MAGIC))) {
		memcpy(&len, r->buf + strlen(MAGIC), sizeof len);
		r->at = strlen(MAGIC) + sizeof len;
	}
	if (!len || len > MOST_RECORD || !fill(r, len))
		return damaged(r);
	r->head = wbl_doc_parse((const char *)r->buf + r->at, len, NULL);
	r->at += len;
	return r->head ? WBL_OK : damaged(r);
}

static void shape_of(struct data_reader *r, struct data_shape *s)
{
	const struct wbl_node *root = wbl_doc_root(r->head), *types = wbl_node_at(root, "types");
	size_t n = 0;

	*s = (struct data_shape){ .set = wbl_node_str(root, "set"),
		.mark = wbl_node_str(root, "mark") };
	s->key = r->key = list_of(wbl_node_at(root, "key"));
	s->mapped = r->mapped = list_of(wbl_node_at(root, "mapped"));
	while (s->key[s->nkey])
		s->nkey++;
	while (s->mapped[s->nmapped])
		s->nmapped++;
	s->cols = r->cols = wbl_sdk_alloc((s->nmapped + 1) * sizeof *s->cols);
	for (const struct wbl_node *t = types ? types->child : NULL; t && t->next && n < s->nmapped;
		t = t->next->next, n++) {
		s->cols[n].type = wbl_type_by_name(t->text.s);
		s->cols[n].held = wbl_type_by_name(t->next->text.s);
	}
	s->keyat = r->keyat = wbl_sdk_alloc((s->nkey + 1) * sizeof *s->keyat);
	for (size_t k = 0; k < s->nkey; k++)
		for (size_t i = 0; i < s->nmapped; i++)
			if (!strcmp(s->key[k], s->mapped[i]))
				s->keyat[k] = i;
}

int32_t data_reader_begin(struct wbl_call *call, const char *name, struct data_reader **ret,
	struct data_shape *ret_shape, const char **ret_ledger)
{
	const struct wbl_artefact_service *art = wbl_service(call, "wbl.artefact/1");
	struct data_reader *r = wbl_sdk_alloc(sizeof *r);
	int32_t rc;

	*r = (struct data_reader){ .call = call, .fd = -1, .name = wbl_sdk_strdup(name) };
	rc = art ? art->open(call, name, &r->fd) : WBL_E_ABI;
	rc = rc ? rc : read_head(r);
	if (rc) {
		data_reader_end(r);
		return rc;
	}
	shape_of(r, ret_shape);
	*ret_ledger = wbl_node_str(wbl_doc_root(r->head), "ledger");
	*ret = r;
	return WBL_OK;
}

static void take_names(struct data_reader *r, size_t len)
{
	size_t n = 0;

	free(r->names);
	free(r->whole);
	r->names = wbl_sdk_alloc(len + 1);
	memcpy(r->names, r->buf + r->at, len);
	r->whole = wbl_sdk_alloc((len + 1) * sizeof *r->whole);
	for (size_t at = 0; at < len; at += strlen(r->names + at) + 1)
		r->whole[n++] = r->names + at;
	r->at += len;
}

const char *const *data_reader_names(const struct data_reader *r)
{
	return r->whole;
}

static int32_t take_record(struct data_reader *r, uint32_t len, struct data_kept *ret)
{
	struct record rec;

	if (len < sizeof rec - sizeof rec.len)
		return damaged(r);
	memcpy((char *)&rec + sizeof rec.len, r->buf + r->at, sizeof rec - sizeof rec.len);
	if (len != sizeof rec - sizeof rec.len + (uint64_t)rec.key_len + rec.raw_len)
		return damaged(r);
	r->at += sizeof rec - sizeof rec.len;
	*ret = (struct data_kept){
		.flags = rec.flags,
		.key = rec.key,
		.now = rec.now,
		.old = rec.old,
		.noted = rec.noted,
		.key_cells = { r->buf + r->at, rec.key_len },
		.raw = { r->buf + r->at + rec.key_len, rec.raw_len },
	};
	r->at += rec.key_len + rec.raw_len;
	return 1;
}

int32_t data_reader_next(struct data_reader *r, struct data_kept *ret)
{
	uint32_t len, flags;

	for (;;) {
		if (!fill(r, 1))
			return 0;
		if (!fill(r, sizeof len))
			return damaged(r);
		memcpy(&len, r->buf + r->at, sizeof len);
		r->at += sizeof len;
		if (len < sizeof flags || len > MOST_RECORD || !fill(r, len))
			return damaged(r);
		memcpy(&flags, r->buf + r->at, sizeof flags);
		if (flags != NAMES)
			return take_record(r, len, ret);
		r->at += sizeof flags;
		take_names(r, len - sizeof flags);
	}
}

void data_reader_end(struct data_reader *r)
{
	if (!r)
		return;
	if (r->fd >= 0)
		close(r->fd);
	wbl_doc_free(r->head);
	free(r->key);
	free(r->mapped);
	free(r->cols);
	free(r->keyat);
	free(r->whole);
	free(r->names);
	free(r->buf);
	free(r->name);
	free(r);
}
