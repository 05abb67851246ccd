/* data_copy.c - the table cut into chunks, and one chunk copied: rows, sums and receipt in one transaction of the target.
 * In: a chunk (a range of the source).  Out: its rows in the target, a receipt under work->key that holds the sums, totals.
 * A chunk whose receipt stands tells the totals kept there and writes nothing.
 * SPDX-License-Identifier: Apache-2.0 */
#include "data_look.h"
#include "data_pace.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct receipt_body { /* stored in targets: append, never change */
	uint32_t version, reserved;
	struct wbl_sum sum;
	uint64_t rejected, bytes;
	uint64_t attempt; /* whose rejects count; not in the oldest ones */
	uint64_t rest;    /* rows that no entry of `tables` takes */
};
enum { FIRST_BODY = offsetof(struct receipt_body, attempt) };

struct copy {
	struct wbl_call *call;
	const struct wbl_work *work;
	struct data_ends ends;
	struct data_map map;
	struct data_table *table, *part; /* part: the source of this chunk */
	struct wbl_scan scan;
	struct data_flow flow;
	struct data_pace pace;
	void *cursor, *writer;
	const char *lane; /* NULL: rows */
	struct wbl_batch batch;
	uint64_t rows; /* of the whole table, when a limit in percent asks for it */
};

int32_t data_open_table(struct wbl_call *call, const struct wbl_work *work, uint32_t flags,
	struct data_ends *e, struct data_map *m, struct data_table **ret)
{
	struct wbl_doc *doc = wbl_doc_parse(work->params, strlen(work->params), NULL);
	const char *to = wbl_node_str(wbl_doc_root(doc), "to");
	int32_t rc = data_open(call, flags, e);

	memset(m, 0, sizeof *m);
	rc = rc ? rc : data_map_build_one(e, m, to);
	if (!rc && !(*ret = data_map_find(m, to)))
		rc = wbl_error_report(
			call, WBL_E_STALE, to, NULL, "the mapping has no such table any more");
	wbl_doc_free(doc);
	if (rc) {
		data_map_clear(m);
		data_close(e);
	}
	return rc;
}

/* ---- chunks ---- */

static void encode_range(const struct wbl_scan *s, uint64_t rows, uint64_t part, struct wbl_out *o)
{
	uint32_t head[4] = { (uint32_t)s->range, (uint32_t)s->low_open, (uint32_t)s->low.len,
		(uint32_t)s->high.len };

	wbl_out_reset(o);
	wbl_out_add(o, head, sizeof head);
	wbl_out_add(o, s->low.data, s->low.len);
	wbl_out_add(o, s->high.data, s->high.len);
	wbl_out_add(o, &rows, sizeof rows);
	if (part)
		wbl_out_add(o, &part, sizeof part);
}

/* part: number of the source among those of the table. */
static int decode_range(struct wbl_bytes body, struct wbl_scan *s, uint64_t *rows, uint64_t *part)
{
	uint32_t head[4];
	uint64_t ends;

	*rows = *part = 0;
	if (body.len < sizeof head)
		return -1;
	memcpy(head, body.data, sizeof head);
	ends = sizeof head + (uint64_t)head[2] + head[3];
	if (body.len == ends + sizeof *rows || body.len == ends + sizeof *rows + sizeof *part)
		memcpy(rows, (const char *)body.data + ends, sizeof *rows);
	else if (body.len != ends)
		return -1;
	if (body.len == ends + sizeof *rows + sizeof *part)
		memcpy(part, (const char *)body.data + ends + sizeof *rows, sizeof *part);
	s->range = (int32_t)head[0];
	s->low_open = (int32_t)head[1];
	s->low = (struct wbl_bytes){ (const char *)body.data + sizeof head, head[2] };
	s->high = (struct wbl_bytes){ (const char *)s->low.data + head[2], head[3] };
	return 0;
}

enum { PAGE = 1000 }; /* instead of a range: a part of the buckets, its number in low_open */

int data_range_decode(struct wbl_bytes body, struct wbl_scan *s, uint64_t *ret_rows,
	uint64_t *ret_part, int32_t *ret_page)
{
	int bad = decode_range(body, s, ret_rows, ret_part);

	*ret_page = -1;
	if (!bad && s->range == PAGE) {
		*ret_page = s->low_open;
		s->range = WBL_RANGE_ALL;
	}
	return bad;
}

/* Bytes of a row, by the first batch; 0: not known. */
static uint64_t glance(struct data_ends *e, const struct data_table *t)
{
	struct wbl_scan scan = {
		.size = sizeof scan,
		.range = WBL_RANGE_ALL,
		.set = t->from,
		.columns = t->scan,
		.batch_bytes = 1 << 18,
		.batch_rows = 1000,
	};
	struct wbl_batch batch = { .size = sizeof batch };
	void *cursor = NULL;
	uint64_t each = 0;

	if (!e->src->scan(e->source.self, e->call, &scan, &cursor) &&
		!e->src->read(cursor, e->call, &batch) && batch.rows)
		each = batch.len / batch.rows;
	e->src->scan_end(cursor);
	return each;
}

/* As many rows as make about chunk_bytes, by the average of the whole; at least 1,000, at most 100,000. */
static uint64_t rows_in_chunk(struct data_ends *e, const struct data_table *t)
{
	struct wbl_scan all = { .size = sizeof all, .range = WBL_RANGE_ALL, .set = t->from };
	struct wbl_totals n = { .size = sizeof n };
	int64_t asked = wbl_param_int(e->call, "chunk_rows", 0);
	uint64_t bytes = (uint64_t)wbl_param_int(e->call, "chunk_bytes", 8 << 20), rows = 65536;

	if (asked > 0)
		return (uint64_t)asked;
	if (!e->src->count(e->source.self, e->call, &all, 0, &n) && n.items && n.bytes)
		rows = bytes / (n.bytes / n.items + 1);
	else if (n.items)
		rows = bytes / (glance(e, t) + 1);
	return rows < 1000 ? 1000 : rows > 100000 ? 100000 : rows;
}

int32_t data_chunk_add(struct wbl_call *call, const char *id, const struct wbl_scan *s,
	uint64_t rows, uint64_t all, int part)
{
	const struct wbl_chunk_service *chunks = wbl_service(call, "wbl.chunk/1");
	struct wbl_out body = { 0 };
	struct wbl_chunk c = { .size = sizeof c, .id = id, .items = rows };
	int32_t rc;

	if (!chunks)
		return wbl_error_report(
			call, WBL_E_ABI, NULL, NULL, "the host takes no chunks here");
	encode_range(s, all, (uint64_t)part, &body);
	c.body = (struct wbl_bytes){ body.s, body.len };
	rc = chunks->add(call, &c);
	wbl_out_clear(&body);
	return rc;
}

static int32_t add_chunk(struct wbl_call *call, unsigned number, const struct wbl_scan *s,
	uint64_t rows, uint64_t all, int part)
{
	char id[16];

	snprintf(id, sizeof id, "%06u", number);
	return data_chunk_add(call, id, s, rows, all, part);
}

/* Chunks of one source of the table; *n counts those of all. */
static int32_t cut(
	struct data_ends *e, const struct data_table *t, const struct data_table *part, unsigned *n)
{
	struct wbl_scan whole = { .size = sizeof whole, .range = WBL_RANGE_ALL, .set = part->from },
			last = whole, next = whole;
	uint64_t rows = rows_in_chunk(e, part), all = data_limit_rows(e, t);
	unsigned before = *n;
	int32_t rc = WBL_OK;

	while (e->src->split && !rc) {
		rc = wbl_stop_asked(e->call);
		rc = rc ? rc
			: e->src->split(e->source.self, e->call, &whole, *n > before ? &last : NULL,
				  rows, &next);
		if (rc)
			break;
		rc = add_chunk(e->call, ++*n, &next, rows, all, part->part);
		last = next;
	}
	/* An empty table is a chunk too: it leaves its receipt, and the sums of nothing. */
	if (*n == before && rc >= 0)
		rc = add_chunk(e->call, ++*n, &whole, 0, all, part->part);
	return rc == WBL_END ? WBL_OK : rc;
}

int32_t data_partition(void *self, struct wbl_call *call, const struct wbl_work *work)
{
	struct data_ends e;
	struct data_map m;
	struct data_table *t;
	struct data_look look = { 0 };
	struct wbl_scan page = { .size = sizeof page, .range = PAGE };
	unsigned n = 0;
	int32_t rc;

	data_call_begins(call, self, work);
	rc = data_open_table(call, work, WBL_OPEN_READ, &e, &m, &t);
	if (rc)
		return rc;
	if (!strcmp(work->op, "merge"))
		rc = data_look_read(call, work, &look);
	for (size_t i = 0; !rc && !look.nothing && i < data_parts(t); i++)
		rc = cut(&e, t, data_part(t, i), &n);
	for (; !rc && page.low_open < look.pages; page.low_open++)
		rc = add_chunk(call, ++n, &page, 0, 0, 0);
	data_look_clear(&look);
	data_map_clear(&m);
	data_close(&e);
	return rc;
}

/* ---- one chunk ---- */

static int32_t tell_totals(struct copy *c, const struct receipt_body *b)
{
	const struct wbl_run_service *run = wbl_service(c->call, "wbl.run/1");
	struct wbl_digest digest, rest;
	const struct wbl_digest *list[] = { &digest, b->rest ? &rest : NULL, NULL };
	struct wbl_totals t = {
		.size = sizeof t,
		.items = b->sum.count,
		.bytes = b->bytes,
		.rejected = b->rejected,
		.chunks = 1,
		.digests = list,
	};

	wbl_sum_digest(&b->sum, c->table->to, &digest);
	wbl_sum_digest(&(struct wbl_sum){ .count = b->rest }, DATA_REST, &rest);
	return run ? run->result(c->call, &t) : WBL_OK;
}

static int read_body(struct wbl_bytes body, struct receipt_body *ret)
{
	*ret = (struct receipt_body){ 0 };
	if (body.len < FIRST_BODY)
		return -1;
	memcpy(ret, body.data, body.len < sizeof *ret ? body.len : sizeof *ret);
	return ret->version == 1 ? 0 : -1;
}

void data_receipt_body(const struct wbl_sum *sum, struct wbl_out *ret)
{
	struct receipt_body b = { .version = 1, .sum = *sum };

	wbl_out_reset(ret);
	wbl_out_add(ret, &b, sizeof b);
}

int32_t data_receipt_attempt(struct data_ends *e, const char *key, uint64_t *ret)
{
	struct wbl_bytes body = { 0 };
	struct receipt_body b;
	int32_t rc = e->dst->receipt ? e->dst->receipt(e->target.self, e->call, key, &body)
				     : WBL_E_UNSUPPORTED;

	*ret = 0;
	if (rc)
		return rc == WBL_END ? WBL_OK : rc;
	if (read_body(body, &b))
		return wbl_error_report(
			e->call, WBL_E_CORRUPT, key, NULL, "the receipt of a chunk cannot be read");
	*ret = b.attempt;
	return WBL_OK;
}

/* END: no receipt, the chunk is to be copied. */
static int32_t already_there(struct copy *c)
{
	struct wbl_bytes body = { 0 };
	struct receipt_body b = { 0 };
	int32_t rc;

	if (!c->ends.dst->receipt)
		return WBL_END;
	rc = c->ends.dst->receipt(c->ends.target.self, c->call, c->work->key, &body);
	if (rc)
		return rc;
	if (read_body(body, &b))
		return wbl_error_report(c->call, WBL_E_CORRUPT, c->work->key, NULL,
			"the receipt of this chunk cannot be read");
	rc = b.rejected ? data_letters_retell(c->call, c->work, c->part, b.attempt) : WBL_OK;
	return rc ? rc : tell_totals(c, &b);
}

/* Which rows of which source. */
static int32_t find_range(struct copy *c)
{
	uint64_t part = 0;

	c->scan = (struct wbl_scan){ .size = sizeof c->scan, .range = WBL_RANGE_ALL };
	if ((c->work->flags & WBL_WORK_CHUNK) &&
		(decode_range(c->work->chunk, &c->scan, &c->rows, &part) ||
			part >= data_parts(c->table)))
		return wbl_error_report(c->call, WBL_E_ABI, c->work->chunk_id, NULL,
			"the chunk's range cannot be read");
	c->part = data_part(c->table, part);
	return WBL_OK;
}

static int32_t start(struct copy *c)
{
	struct wbl_write write = {
		.size = sizeof write,
		.mode = WBL_MODE_INSERT,
		.epoch = c->work->epoch,
		.attempt = c->work->attempt,
		.set = c->table->to,
		.columns = c->table->names,
		.origin = c->work->run_id,
		.lane = c->lane,
	};
	const char **key = c->lane ? data_lane_key(c->table) : NULL;
	int32_t rc = data_limit_begin(&c->flow, c->work, c->rows);

	if (rc)
		return rc;
	if (!(c->work->flags & WBL_WORK_REHEARSE))
		c->flow.letters = data_letters_new(c->work);
	c->scan.set = c->part->from;
	c->scan.columns = data_scan_columns(c->part);
	c->scan.filter = c->part->where;
	c->scan.batch_bytes = 1 << 18;
	c->scan.lane = c->lane;
	write.key = c->table->nkey ? key : NULL;
	rc = c->ends.src->scan(c->ends.source.self, c->call, &c->scan, &c->cursor);
	/* Rehearsing, the host's store checks rows and drops them; it needs the table's description for that. */
	if (!rc && (!(c->work->flags & WBL_WORK_REHEARSE) || c->table->target))
		rc = c->ends.dst->write(c->ends.target.self, c->call, &write, &c->writer);
	free(key);
	return rc;
}

static void stop_both(struct copy *c)
{
	if (c->writer)
		c->ends.dst->abort(c->writer);
	if (c->cursor)
		c->ends.src->scan_end(c->cursor);
	c->writer = c->cursor = NULL;
}

static int32_t pump(struct copy *c);

/* Through a lane where there is one; else, or when it does not bear these rows, row by row. */
static int32_t move(struct copy *c)
{
	int32_t rc;

	c->lane =
		c->work->flags & WBL_WORK_REHEARSE ? NULL : data_lane(&c->ends, c->table, c->part);
	rc = start(c);
	WBL_FAULT(c->call, "chunk_open");
	if (rc || !c->lane)
		rc = rc ? rc : pump(c);
	else
		rc = data_lane_pass(&c->flow, &c->ends, c->writer, c->cursor);
	if (!c->lane || (rc != WBL_E_UNSUPPORTED && rc != WBL_E_PARAM)) {
		if (!rc && c->lane)
			WBL_FAULT(c->call, "batch_written");
		return rc;
	}
	stop_both(c);
	data_letters_free(c->flow.letters);
	c->flow.letters = NULL;
	c->lane = NULL;
	rc = start(c);
	return rc ? rc : pump(c);
}

static int32_t pump(struct copy *c)
{
	const struct wbl_run_service *run = wbl_service(c->call, "wbl.run/1");
	struct wbl_batch in = { .size = sizeof in }, out;
	int64_t waited;
	int32_t rc;

	data_pace_begin(&c->pace, c->call, c->work);
	for (;;) {
		rc = wbl_stop_asked(c->call);
		if (rc)
			return rc;
		rc = c->ends.src->read(c->cursor, c->call, &in);
		if (rc)
			return rc == WBL_END ? WBL_OK : rc;
		rc = data_flow_convert(&c->flow, &in, &out);
		if (!rc && c->writer && out.rows)
			rc = data_flow_append(&c->flow, &c->ends, c->writer, &out);
		rc = rc ? rc : data_flow_sum(&c->flow, &out);
		if (rc)
			return rc;
		WBL_FAULT(c->call, "batch_written");
		wbl_progress_tell(c->call, c->table->to, c->flow.sum.count, 0, c->flow.bytes);
		waited = run ? run->throttle(c->call, in.rows, in.len) : 0;
		/* What was told of this chunk would be told again by its parts. */
		if (data_pace_step(&c->pace, in.rows, in.len, waited) && !c->flow.rejected)
			rc = data_pace_split(
				&c->pace, &c->ends, c->work, c->part, &c->scan, c->rows);
		if (rc)
			return rc;
	}
}

static int32_t finish(struct copy *c)
{
	struct receipt_body body = {
		.version = 1,
		.sum = c->flow.sum,
		.rejected = c->flow.rejected,
		.bytes = c->flow.bytes,
		.attempt = c->work->attempt,
		.rest = c->flow.rest,
	};
	struct wbl_receipt receipt = {
		.size = sizeof receipt,
		.epoch = c->work->epoch,
		.attempt = c->work->attempt,
		.key = c->work->key,
		.body = { &body, sizeof body },
	};
	struct wbl_outcome outcome = { .size = sizeof outcome };
	void *writer = c->writer;
	int32_t rc = data_source_same(&c->ends, c->table->from);

	if (!rc && c->flow.letters)
		rc = data_letters_seal(c->flow.letters, c->call);
	if (rc)
		return rc;
	c->writer = NULL;
	WBL_FAULT(c->call, "before_commit");
	rc = c->ends.dst->commit(writer, c->call, &receipt, &outcome);
	if (rc)
		return rc;
	WBL_FAULT(c->call, "committed");
	return tell_totals(c, &body);
}

static int32_t say_rehearsed(struct copy *c)
{
	const struct wbl_run_service *run = wbl_service(c->call, "wbl.run/1");
	char text[200];
	struct receipt_body body = {
		.sum = c->flow.sum,
		.rejected = c->flow.rejected,
		.bytes = c->flow.bytes,
		.rest = c->flow.rest,
	};
	int32_t rc;

	snprintf(text, sizeof text,
		"%llu rows read and brought into the target's form, %llu rejected, none written",
		(unsigned long long)c->flow.sum.count, (unsigned long long)c->flow.rejected);
	rc = run ? run->rehearsed(c->call, 3, text) : WBL_OK;
	return rc ? rc : tell_totals(c, &body);
}

int32_t data_copy_execute(struct wbl_call *call, const struct wbl_work *work)
{
	int rehearse = (work->flags & WBL_WORK_REHEARSE) != 0;
	struct copy c = { .call = call, .work = work };
	int32_t rc = data_open_table(call, work, WBL_OPEN_WRITE, &c.ends, &c.map, &c.table);

	if (rc)
		return rc;
	rc = find_range(&c);
	data_flow_init(&c.flow, call, rc ? c.table : c.part, 0);
	rc = rc ? rc : rehearse ? WBL_END : already_there(&c);
	if (rc == WBL_END) {
		rc = rehearse ? WBL_OK : data_source_same(&c.ends, c.table->from);
		/* For rollback: that rows of ours may be in there is known before the first of them is. */
		if (!rc && !rehearse)
			rc = data_undo_put(call, "rows", "{}");
		rc = rc < 0 ? rc : move(&c);
		if (!rc)
			rc = rehearse ? say_rehearsed(&c) : finish(&c);
	}
	stop_both(&c);
	data_letters_free(c.flow.letters);
	data_flow_clear(&c.flow);
	data_map_clear(&c.map);
	data_close(&c.ends);
	return rc;
}

int32_t data_copy_rollback(struct wbl_call *call, const struct wbl_work *work)
{
	const struct wbl_undo_service *undo = wbl_service(call, "wbl.undo/1");
	struct wbl_doc *doc = wbl_doc_parse(work->params, strlen(work->params), NULL);
	const char *to = wbl_node_str(wbl_doc_root(doc), "to");
	struct data_undo *list;
	struct data_ends e;
	size_t n;
	int32_t rc = data_undo_list(call, &list, &n);

	if (!rc && n && !list[0].reversed) {
		rc = data_open_target(call, WBL_OPEN_WRITE, &e);
		if (!rc) {
			rc = data_change_named(&e, work, "raise_epoch", NULL, NULL);
			WBL_FAULT(call, "epoch_raised");
			rc = rc ? rc : data_change_named(&e, work, "empty_table", to, NULL);
			WBL_FAULT(call, "table_emptied");
			data_close(&e);
		}
		rc = rc ? rc : undo->done(call, list[0].id);
	}
	data_undo_free(list, n);
	wbl_doc_free(doc);
	return rc;
}
