/* host/sink.c - what a store opened for writing is while rehearsing: rows are held against the description of
 * the target (columns, NULL, keys seen twice) and dropped; schema changes and SQL are told, not done.
 * Reading goes through. A set which is not there yet can only be checked for its form; that is said once.
 * SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "core/host/peer.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/json.h"
#include "core/host/keyset.h"
#include "core/host/row.h"
#include "core/host/ticket.h"

#define SQL_READ_ONLY 1u
#define SCHEMA_TEXT_ONLY 1u
#define MINE(self) ((struct wbl_sink *)(self))

/* A set of the target, as far as it is known. */
struct target {
	struct target *next;
	char *name;
	json_t *columns, *key; /* NULL: the set is not there yet */
	struct wbl_keyset seen;
	bool unchecked; /* said once */
};

struct wbl_sink {
	struct wbl_store table;
	const struct wbl_store *inner;
	void *self;
	struct target *targets;
	char *text; /* of the last schema or sql call */
};

struct writer {
	struct wbl_sink *sink;
	char *set;
	json_t *columns; /* names; NULL: each batch names them */
	int32_t mode;
	uint64_t rows;
};

static void complain(const char *set, uint64_t row, const char *what)
{
	WBL_AUTOFREE char *where =
		wbl_strf("%s, row %" PRIu64 " of the batch", set ? set : "?", row);

	wbl_report(
		1, WBL_E_PARAM, 0, where, what, "Correct the mapping, or the row in the source.");
}

static int32_t refuse(const char *set, const char *column, const char *what)
{
	WBL_AUTOFREE char *text =
		column ? wbl_strf("column \"%s\" %s", column, what) : wbl_strdup(what);

	wbl_report(1, WBL_E_PARAM, 0, set, text, "Correct the mapping, or the target's schema.");
	return WBL_E_PARAM;
}

static const json_t *column_of(const struct target *t, const char *name)
{
	const json_t *c;
	size_t i;

	json_array_foreach(t->columns, i, c)
	{
		const char *is = wbl_json_str(c, "name");

		if (is && !strcmp(is, name))
			return c;
	}
	return NULL;
}

static const json_t *set_of(const json_t *doc, const char *name)
{
	const json_t *s;
	size_t i;

	json_array_foreach(json_object_get(doc, "sets"), i, s)
	{
		const char *is = wbl_json_str(s, "name");

		if (is && !strcmp(is, name))
			return s;
	}
	return NULL;
}

static int32_t describe(struct wbl_sink *s, struct wbl_call *call, struct target *t)
{
	const char *text = NULL;
	struct wbl_error err;
	json_t *doc;
	const json_t *set;
	int32_t rc = s->inner->describe(s->self, call, t->name, &text);

	if (rc < 0 && rc != WBL_E_PARAM && rc != WBL_E_UNAVAILABLE)
		return rc;
	doc = rc || !text ? NULL : wbl_json_parse(text, strlen(text), t->name, &err);
	set = set_of(doc, t->name);
	t->columns = json_incref(json_object_get(set, "columns"));
	t->key = json_incref(json_object_get(set, "key"));
	json_decref(doc);
	return 0;
}

static int32_t target_get(
	struct wbl_sink *s, struct wbl_call *call, const char *name, struct target **ret)
{
	struct target *t;
	int32_t rc;

	for (t = s->targets; t && strcmp(t->name, name); t = t->next)
		;
	if (!t) {
		t = wbl_alloc(sizeof *t);
		t->name = wbl_strdup(name);
		t->next = s->targets;
		s->targets = t;
		rc = describe(s, call, t);
		if (rc)
			return rc;
	}
	*ret = t;
	return 0;
}

/* Said once for each set: a rehearsal never claims more than it did. */
static void say_unchecked(struct target *t, const char *what)
{
	if (!t->unchecked)
		wbl_report(3, WBL_OK, 0, t->name, what, NULL);
	t->unchecked = true;
}

static bool is_among(const json_t *names, const char *name)
{
	const json_t *n;
	size_t i;

	json_array_foreach(names, i, n) if (!strcmp(json_string_value(n), name)) return true;
	return false;
}

/* Names exist in the target; what must not be NULL and has no default is among them. */
static int32_t check_columns(const struct target *t, const json_t *names)
{
	const json_t *n, *c;
	size_t i;

	json_array_foreach(names, i, n) if (!column_of(t, json_string_value(n))) return refuse(
		t->name, json_string_value(n), "does not exist in the target");
	json_array_foreach(t->columns, i, c)
	{
		const char *name = wbl_json_str(c, "name");

		if (name && wbl_json_bool(c, "not_null", false) && !json_object_get(c, "default") &&
			!wbl_json_bool(c, "generated", false) && !is_among(t->key, name) &&
			!is_among(names, name))
			return refuse(
				t->name, name, "must not be NULL in the target and gets no value");
	}
	return 0;
}

static json_t *names_of(const char *const *columns)
{
	json_t *a = columns ? json_array() : NULL;

	for (; columns && *columns; columns++)
		json_array_append_new(a, json_string(*columns));
	return a;
}

static json_t *names_of_target(const struct target *t)
{
	json_t *a = json_array();
	const json_t *c;
	size_t i;

	json_array_foreach(t->columns, i, c) if (!wbl_json_bool(c, "generated", false))
		json_array_append(a, json_object_get(c, "name"));
	return a;
}

struct check {
	struct target *target;
	const json_t *names; /* NULL: not known */
	bool once;           /* a key may come only once */
	struct wbl_buf key;
};

static const char *check_cell(struct check *k, size_t nth, const struct wbl_cell *c)
{
	const char *name = json_string_value(json_array_get(k->names, nth));
	const json_t *column;

	if (!k->names)
		return NULL;
	if (!name)
		return "the row has more cells than columns";
	column = column_of(k->target, name);
	if (c->tag == WBL_CELL_NULL && column && wbl_json_bool(column, "not_null", false) &&
		!json_object_get(column, "default"))
		return "a cell is NULL where the target does not allow it";
	if (is_among(k->target->key, name))
		wbl_buf_add(&k->key, c->whole, c->whole_len);
	return NULL;
}

static const char *check_row(struct check *k, const struct wbl_row *row)
{
	const uint8_t *p = row->cells, *end = row->cells + row->len;
	const char *wrong = NULL;
	struct wbl_cell c;
	size_t n = 0;

	k->key.len = 0;
	for (; !wrong && p < end; n++) {
		wrong = wbl_canon_cell(&p, end, &c);
		if (!wrong && row->kind == WBL_ROW_PUT)
			wrong = check_cell(k, n, &c);
	}
	if (!wrong && row->kind == WBL_ROW_PUT && k->names && n < json_array_size(k->names))
		wrong = "the row has fewer cells than columns";
	if (!wrong && k->once && k->key.len &&
		!wbl_keyset_add(&k->target->seen, k->key.data, k->key.len))
		wrong = "its key has come before";
	return wrong;
}

static int32_t check_rows(struct check *k, const struct wbl_batch *b, uint64_t *ret_bad)
{
	const uint8_t *p = b->data, *end = b->data + b->len;
	const char *wrong = NULL;
	struct wbl_row row;
	uint64_t n = 0;

	while (!wrong && p < end) {
		wrong = wbl_canon_row(&p, end, &row);
		if (!wrong)
			wrong = check_row(k, &row);
		n += !wrong;
	}
	wbl_buf_clear(&k->key);
	if (!wrong && n != b->rows)
		wrong = "the batch has another number of rows than it says";
	if (!wrong)
		return 0;
	if (k->once)
		wbl_keyset_take_back(&k->target->seen);
	complain(k->target->name, n, wrong);
	if (ret_bad)
		*ret_bad = n;
	return WBL_E_PARAM;
}

static int32_t sink_append(
	void *writer, struct wbl_call *call, const struct wbl_batch *from, uint64_t *ret_bad)
{
	struct writer *w = writer;
	struct wbl_batch b = { 0 };
	struct check k = { 0 };
	json_t *names = NULL;
	int32_t rc;

	memcpy(&b, from, from->size < sizeof b ? from->size : sizeof b);
	if (!b.set)
		b.set = w->set;
	if (!b.set)
		return refuse(NULL, NULL, "neither the batch nor its writer names the set");
	rc = target_get(w->sink, call, b.set, &k.target);
	if (rc)
		return rc;
	if (b.lane) {
		w->rows += b.rows;
		say_unchecked(k.target, "rows of a lane pass unread and were not checked");
		return 0;
	}
	names = b.columns ? names_of(b.columns) : json_incref(w->columns);
	if (!k.target->columns) {
		say_unchecked(k.target,
			"the set is not there yet: only the form of its rows was checked");
	} else {
		names = names ? names : names_of_target(k.target);
		rc = b.columns ? check_columns(k.target, names) : 0;
		k.once = w->mode == WBL_MODE_INSERT;
		if (k.once && !wbl_keyset_mark(&k.target->seen, (size_t)b.rows)) {
			say_unchecked(k.target, "too many rows: keys were not compared to the end");
			k.once = false;
		}
	}
	k.names = names;
	if (!rc)
		rc = check_rows(&k, &b, ret_bad);
	if (!rc) /* of a refused batch nothing is kept */
		w->rows += b.rows;
	json_decref(names);
	return rc;
}

static int32_t sink_write(
	void *self, struct wbl_call *call, const struct wbl_write *from, void **ret_writer)
{
	struct wbl_sink *s = self;
	struct wbl_write wr = { 0 };
	struct target *t;
	struct writer *w;
	json_t *names;
	int32_t rc = 0;

	memcpy(&wr, from, from->size < sizeof wr ? from->size : sizeof wr);
	if (wr.flags & 0xffff0000u || wr.mode < WBL_MODE_INSERT || wr.mode > WBL_MODE_BY_KIND)
		return refuse(wr.set, NULL,
			"the mode of writing, or a critical flag of it, is not known");
	names = names_of(wr.columns);
	if (wr.set)
		rc = target_get(s, call, wr.set, &t);
	if (!rc && wr.set && names && t->columns && wr.mode != WBL_MODE_DELETE)
		rc = check_columns(t, names);
	if (rc) {
		json_decref(names);
		return rc;
	}
	w = wbl_alloc(sizeof *w);
	w->sink = s;
	w->set = wbl_strdup(wr.set);
	w->columns = names;
	w->mode = wr.mode;
	*ret_writer = w;
	return 0;
}

static void sink_abort(void *writer)
{
	struct writer *w = writer;

	if (!w)
		return;
	json_decref(w->columns);
	free(w->set);
	free(w);
}

static int32_t sink_commit(void *writer, struct wbl_call *call, const struct wbl_receipt *receipt,
	struct wbl_outcome *ret)
{
	struct writer *w = writer;

	if (ret && WBL_HAS(ret, refused)) {
		ret->flags = 0;
		ret->written = w->rows;
		ret->kept = ret->refused = 0;
	}
	sink_abort(w);
	return 0;
}

static const char *keep_text(struct wbl_sink *s, const char *text)
{
	json_t *j = json_object();

	wbl_json_put(j, "rehearsed", text);
	free(s->text);
	s->text = wbl_json_text(j);
	json_decref(j);
	return s->text;
}

static int32_t sink_schema(
	void *self, struct wbl_call *call, const struct wbl_schema *from, const char **ret_text)
{
	struct wbl_sink *s = self;
	struct wbl_schema change = { 0 };

	memcpy(&change, from, from->size < sizeof change ? from->size : sizeof change);
	change.size = sizeof change;
	change.flags |= SCHEMA_TEXT_ONLY;
	change.receipt = NULL;
	return s->inner->schema(s->self, call, &change, ret_text);
}

static int32_t sink_sql(
	void *self, struct wbl_call *call, const struct wbl_sql *sql, const char **ret_json)
{
	struct wbl_sink *s = self;

	if (sql->flags & SQL_READ_ONLY)
		return s->inner->sql(s->self, call, sql, ret_json);
	*ret_json = keep_text(s, sql->text);
	return 0;
}

static int32_t sink_describe(
	void *self, struct wbl_call *call, const char *set, const char **ret_json)
{
	return MINE(self)->inner->describe(MINE(self)->self, call, set, ret_json);
}

static int32_t sink_count(void *self, struct wbl_call *call, const struct wbl_scan *scan,
	int32_t exact, struct wbl_totals *ret)
{
	return MINE(self)->inner->count(MINE(self)->self, call, scan, exact, ret);
}

static int32_t sink_now(void *self, struct wbl_call *call, int64_t *ret_ns)
{
	return MINE(self)->inner->now(MINE(self)->self, call, ret_ns);
}

static int32_t sink_snapshot(
	void *self, struct wbl_call *call, const char **ret_name, const char **ret_position)
{
	return MINE(self)->inner->snapshot(MINE(self)->self, call, ret_name, ret_position);
}

static int32_t sink_split(void *self, struct wbl_call *call, const struct wbl_scan *whole,
	const struct wbl_scan *last, uint64_t rows, struct wbl_scan *ret_next)
{
	return MINE(self)->inner->split(MINE(self)->self, call, whole, last, rows, ret_next);
}

static int32_t sink_scan(
	void *self, struct wbl_call *call, const struct wbl_scan *scan, void **ret_cursor)
{
	return MINE(self)->inner->scan(MINE(self)->self, call, scan, ret_cursor);
}

static int32_t sink_fetch(
	void *self, struct wbl_call *call, const struct wbl_batch *keys, void **ret_cursor)
{
	return MINE(self)->inner->fetch(MINE(self)->self, call, keys, ret_cursor);
}

static int32_t sink_receipt(
	void *self, struct wbl_call *call, const char *key, struct wbl_bytes *ret)
{
	return MINE(self)->inner->receipt(MINE(self)->self, call, key, ret);
}

static int32_t sink_feed_make(void *self, struct wbl_call *call, const struct wbl_feed *feed,
	const char **ret_snapshot, const char **ret_position)
{
	wbl_report(3, WBL_OK, 0, feed->name, "the change feed was not made: this is a rehearsal",
		NULL);
	*ret_snapshot = *ret_position = NULL;
	return 0;
}

static int32_t sink_feed_drop(void *self, struct wbl_call *call, const char *name)
{
	return 0;
}

static int32_t sink_feed(
	void *self, struct wbl_call *call, const struct wbl_feed *feed, void **ret_feed)
{
	return MINE(self)->inner->feed(MINE(self)->self, call, feed, ret_feed);
}

static int32_t sink_feed_ack(
	void *feed, struct wbl_call *call, const char *position, uint64_t epoch)
{
	return 0;
}

static int32_t sink_fence(
	void *self, struct wbl_call *call, const struct wbl_fence *fence, const char **ret_position)
{
	*ret_position = NULL;
	return 0;
}

static int32_t sink_load(void *self, struct wbl_call *call, const char **ret_json)
{
	return MINE(self)->inner->load(MINE(self)->self, call, ret_json);
}

/* Cursors and feeds are the inner store's own: their functions stand in the table unchanged. */
struct wbl_sink *wbl_sink_new(const struct wbl_store *inner, void *self)
{
	struct wbl_sink *s = wbl_alloc(sizeof *s);
	struct wbl_store *t = &s->table;

	s->inner = inner;
	s->self = self;
	memcpy(t, inner, inner->size < sizeof *t ? inner->size : sizeof *t);
	t->size = sizeof *t;
	t->open = NULL;
	t->close = NULL;
	t->describe = sink_describe;
#define THROUGH(member)                                                                            \
	if (t->member)                                                                             \
	t->member = sink_##member
	THROUGH(count);
	THROUGH(now);
	THROUGH(snapshot);
	THROUGH(split);
	THROUGH(scan);
	THROUGH(fetch);
	THROUGH(write);
	THROUGH(append);
	THROUGH(commit);
	THROUGH(abort);
	THROUGH(receipt);
	THROUGH(schema);
	THROUGH(sql);
	THROUGH(feed_make);
	THROUGH(feed_drop);
	THROUGH(feed);
	THROUGH(feed_ack);
	THROUGH(fence);
	THROUGH(load);
#undef THROUGH
	return s;
}

const struct wbl_store *wbl_sink_table(const struct wbl_sink *s)
{
	return &s->table;
}

/* Opened for reading, a store does not say what it could do when opened for writing; its functions do. */
uint64_t wbl_sink_capabilities(const struct wbl_sink *s, uint64_t capabilities)
{
	if (s->table.write)
		capabilities |= WBL_CAN_WRITE | (s->table.receipt ? WBL_CAN_TRANSACTION : 0);
	return s->table.schema ? capabilities | WBL_CAN_SCHEMA : capabilities;
}

void wbl_sink_free(struct wbl_sink *s)
{
	struct target *t, *next;

	if (!s)
		return;
	for (t = s->targets; t; t = next) {
		next = t->next;
		json_decref(t->columns);
		json_decref(t->key);
		wbl_keyset_clear(&t->seen);
		free(t->name);
		free(t);
	}
	free(s->text);
	free(s);
}
