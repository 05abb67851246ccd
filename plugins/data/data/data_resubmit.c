/* data_resubmit.c - rejected rows, corrected by people, are taken after all: `whimbrel repair RUN --from FILE`.
 * In: lines of the run's dead letters with other values in `record`.  Out: their rows in the target, by the same mapping, in one transaction
 * with a receipt; what was written is kept in an artefact that counts when its receipt stands, so that verify knows of it.
 * One line that does not fit, and nothing is written.  A line that was taken before is passed over.
 * SPDX-License-Identifier: Apache-2.0 */
#include "data_verify.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FOLDER "corrections/"

struct entry { /* a line of the file for this table */
	uint64_t lo, hi, line;
	int known, taken;
};
struct resubmit {
	struct wbl_call *call;
	const struct wbl_work *work;
	struct data_ends ends;
	struct data_map map;
	struct data_table *table;
	struct data_flow flow;
	int fd;
	struct entry *entries;
	size_t nentries, fresh;
	struct data_keys corrected; /* ids of all that are in the target */
	struct wbl_sum sum;         /* of all corrections */
	struct wbl_sum added;       /* of this one */
	uint64_t lo, hi;            /* digest of what is added: its name */
	void *writer;
	int artefact;
	struct wbl_out kept, place;
	struct wbl_rows record;
};

static void id_digest(const char *id, uint64_t *lo, uint64_t *hi)
{
	wbl_digest_128(id, strlen(id), 0, lo, hi);
}

/* ---- what was corrected before ---- */

struct correction {
	struct data_ends *ends;
	struct data_table *table;
	data_each *each;
	void *arg;
	struct data_keys *ids;
	struct wbl_rows rows;
};

static int32_t hand_on(struct correction *c)
{
	struct wbl_batch b;
	int32_t rc = WBL_OK;

	if (!c->rows.rows)
		return WBL_OK;
	wbl_rows_batch(&c->rows, c->table->to, c->table->names, &b);
	if (c->each)
		rc = c->each(c->arg, &b);
	wbl_rows_reset(&c->rows);
	return rc;
}

static int32_t take_correction(void *arg, char *line, size_t len, uint64_t number)
{
	struct correction *c = arg;
	struct wbl_doc *doc = wbl_doc_parse(line, len, NULL);
	const struct wbl_node *n = wbl_doc_root(doc);
	const char *id = wbl_node_str(n, "id"), *key = wbl_node_str(n, "receipt");
	struct wbl_text row = { "", 0 };
	struct wbl_out cells = { 0 };
	struct wbl_bytes body;
	uint64_t lo, hi;
	int32_t rc = WBL_OK;

	if (wbl_node_at(n, "row"))
		row = wbl_node_at(n, "row")->text;
	if (number == 1) { /* does it count? */
		rc = key && c->ends->dst->receipt ? c->ends->dst->receipt(c->ends->target.self,
							    c->ends->call, key, &body)
						  : WBL_E_CORRUPT;
	} else if (!id || wbl_base64_get(row.s, row.len, &cells)) {
		rc = wbl_error_report(c->ends->call, WBL_E_CORRUPT, FOLDER, NULL,
			"what was corrected cannot be read");
	} else {
		id_digest(id, &lo, &hi);
		if (c->ids)
			data_keys_add(c->ids, lo, hi);
		wbl_row_begin(&c->rows, WBL_ROW_PUT);
		wbl_cell_copy(&c->rows, cells.s, cells.len);
		wbl_row_end(&c->rows);
		rc = c->rows.len > 1 << 18 ? hand_on(c) : WBL_OK;
	}
	wbl_out_clear(&cells);
	wbl_doc_free(doc);
	return rc;
}

static int32_t each_correction(struct data_ends *e, struct data_table *t, data_each *each,
	void *arg, struct data_keys *ids)
{
	const struct wbl_artefact_service *artefact = wbl_service(e->call, "wbl.artefact/1");
	struct correction c = { .ends = e, .table = t, .each = each, .arg = arg, .ids = ids };
	void *cursor = NULL;
	const char *name;
	int32_t rc = WBL_OK;

	if (!artefact || artefact->size < sizeof *artefact)
		return WBL_OK;
	while (!rc && !(rc = artefact->each(e->call, NULL, &cursor, &name))) {
		int fd = -1;

		if (strncmp(name, FOLDER, strlen(FOLDER)) != 0)
			continue;
		rc = artefact->open(e->call, name, &fd);
		if (rc)
			break;
		rc = data_lines(e->call, fd, FOLDER, take_correction, &c);
		close(fd);
		rc = rc == WBL_END ? WBL_OK : rc; /* not committed: it does not count */
		rc = rc ? rc : hand_on(&c);
	}
	wbl_rows_clear(&c.rows);
	return rc == WBL_END ? WBL_OK : rc;
}

int32_t data_corrections_each(struct data_ends *e, struct data_table *t, data_each *each, void *arg)
{
	return each_correction(e, t, each, arg, NULL);
}

/* ---- the file ---- */

static int32_t wrong(
	struct resubmit *r, uint64_t line, const char *hint, const char *what, const char *name)
{
	wbl_out_reset(&r->place);
	wbl_out_fmt(&r->place, "%s:%llu", r->work->file, (unsigned long long)line);
	return wbl_error_report(r->call, WBL_E_PARAM, r->place.s, hint, "%s%s%s%s", what,
		name ? " \"" : "", name ? name : "", name ? "\"" : "");
}

static int blank(const char *line)
{
	return !line[strspn(line, " \t\r")];
}

static const char *const whole_lines =
	"Hand in lines of the run's dead-letter file, with other values in \"record\" only.";

/* END: a line of another table. */
static int32_t read_line(struct resubmit *r, char *line, size_t len, uint64_t number,
	struct wbl_doc **ret, const char **ret_id)
{
	const char *why = "", *to;
	struct wbl_doc *doc = wbl_doc_parse(line, len, &why);
	const struct wbl_node *n = wbl_doc_root(doc), *record = wbl_node_at(n, "record");
	int32_t rc = WBL_OK;

	to = wbl_node_str(n, "to");
	*ret_id = wbl_node_str(n, "id");
	if (!doc)
		rc = wrong(r, number, whole_lines, why, NULL);
	else if (!*ret_id || !to || !record || record->kind != WBL_NODE_OBJECT)
		rc = wrong(r, number, whole_lines,
			!*ret_id ? "there is no \"id\""
			: !to    ? "there is no \"to\""
				 : "there is no \"record\"",
			NULL);
	else if (!data_map_find(&r->map, to))
		rc = wrong(r, number, whole_lines, "the run fills no table", to);
	else if (strcmp(to, r->table->to) != 0)
		rc = WBL_END;
	if (rc)
		wbl_doc_free(doc);
	else
		*ret = doc;
	return rc;
}

static int32_t list_line(void *arg, char *line, size_t len, uint64_t number)
{
	struct resubmit *r = arg;
	struct wbl_doc *doc;
	const char *id;
	int32_t rc = blank(line) ? WBL_END : read_line(r, line, len, number, &doc, &id);

	if (rc)
		return rc == WBL_END ? WBL_OK : rc;
	if ((r->nentries & (r->nentries + 1)) == 0)
		r->entries = wbl_sdk_grow(r->entries, (r->nentries * 2 + 2) * sizeof *r->entries);
	r->entries[r->nentries] = (struct entry){ .line = number };
	id_digest(id, &r->entries[r->nentries].lo, &r->entries[r->nentries].hi);
	r->nentries++;
	wbl_doc_free(doc);
	return WBL_OK;
}

static int by_id(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;

	if (x->lo != y->lo)
		return x->lo < y->lo ? -1 : 1;
	if (x->hi != y->hi)
		return x->hi < y->hi ? -1 : 1;
	return x->line < y->line ? -1 : x->line > y->line;
}

static struct entry *entry_of(struct resubmit *r, const char *id)
{
	size_t lo = 0, hi = r->nentries;
	struct entry want = { 0 };

	id_digest(id, &want.lo, &want.hi);
	while (lo < hi) {
		size_t mid = (lo + hi) / 2;

		if (by_id(&r->entries[mid], &want) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < r->nentries && r->entries[lo].lo == want.lo && r->entries[lo].hi == want.hi
		       ? &r->entries[lo]
		       : NULL;
}

static int32_t know_line(void *arg, char *line, size_t len, uint64_t number)
{
	struct resubmit *r = arg;
	struct wbl_doc *doc = wbl_doc_parse(line, len, NULL);
	const char *id = wbl_node_str(wbl_doc_root(doc), "id"),
		   *to = wbl_node_str(wbl_doc_root(doc), "to");
	struct entry *e = id ? entry_of(r, id) : NULL;

	(void)number;
	if (e && to && !strcmp(to, r->table->to))
		e->known = 1;
	wbl_doc_free(doc);
	return WBL_OK;
}

/* The first line whose id stood there before; 0: none. */
static uint64_t first_again(const struct resubmit *r)
{
	uint64_t first = 0;

	for (size_t i = 1; i < r->nentries; i++) {
		const struct entry *a = &r->entries[i - 1], *b = &r->entries[i];

		if (a->lo == b->lo && a->hi == b->hi && (!first || b->line < first))
			first = b->line;
	}
	return first;
}

/* Every line must be of a row that this run has left out, and stand there once. */
static int32_t check_ids(struct resubmit *r)
{
	const struct wbl_artefact_service *artefact = wbl_service(r->call, "wbl.artefact/1");
	int32_t rc, fd = -1;
	uint64_t again;

	rc = data_lines(r->call, r->fd, r->work->file, list_line, r);
	if (rc || !r->nentries)
		return rc;
	if (r->nentries)
		qsort(r->entries, r->nentries, sizeof *r->entries, by_id);
	again = first_again(r);
	if (again)
		return wrong(r, again, "Take one of them away.",
			"the same \"id\" stood there before", NULL);
	rc = artefact->open_of(r->call, "rejects", DATA_REJECTS, &fd);
	if (!rc) {
		rc = data_lines(r->call, fd, DATA_REJECTS, know_line, r);
		close(fd);
	}
	rc = rc == WBL_END ? WBL_OK : rc;
	for (size_t i = 0; !rc && i < r->nentries; i++) {
		struct entry *e = &r->entries[i];

		if (!e->known)
			return wrong(r, e->line, whole_lines,
				"the run has left out no row with this \"id\"", NULL);
		e->taken = data_keys_find(&r->corrected, e->lo, e->hi) >= 0;
		r->fresh += !e->taken;
	}
	return rc;
}

/* ---- one row ---- */

static const struct wbl_node *member(const struct wbl_node *record, const char *name)
{
	const struct wbl_node *n = record->child;

	while (n && strcmp(n->key.s, name) != 0)
		n = n->next;
	return n;
}

static int32_t put_cell(
	struct resubmit *r, const struct wbl_node *record, const char *name, uint64_t line)
{
	const struct wbl_node *n = member(record, name);
	const char *why = "";
	struct wbl_out text = { 0 };
	int32_t rc;

	if (!n)
		return wrong(
			r, line, "Write null where there is no value.", "the record has no", name);
	if (n->kind == WBL_NODE_OBJECT && n->count == 1 && !strcmp(n->child->key.s, "$masked"))
		return wrong(r, line, "Write its value instead.",
			"nobody could read here what is in", name);
	if (!wbl_json_get_cell(&r->record, n, &why))
		return WBL_OK;
	wbl_out_fmt(&text, "%s: column", why);
	rc = wrong(r, line, "Write the value as the dead-letter file has others like it.", text.s,
		name);
	wbl_out_clear(&text);
	return rc;
}

static int32_t no_other(struct resubmit *r, const struct wbl_node *record, uint64_t line)
{
	const struct data_table *t = r->flow.table;

	for (const struct wbl_node *n = record->child; n; n = n->next) {
		size_t i = 0;

		while (i < t->nscan && strcmp(t->scan[i], n->key.s) != 0)
			i++;
		if (i == t->nscan)
			return wrong(r, line, whole_lines,
				"the mapping takes nothing from a column", n->key.s);
	}
	return WBL_OK;
}

/* Of several sources of one table each has its own columns. */
static int32_t choose_part(struct resubmit *r, const struct wbl_node *letter, uint64_t line)
{
	int64_t part = wbl_node_int(letter, "part", 0);

	if (part < 0 || (size_t)part >= data_parts(r->table))
		return wrong(r, line, whole_lines, "there is no such \"part\"", NULL);
	if (r->flow.table == data_part(r->table, (size_t)part))
		return WBL_OK;
	data_flow_clear(&r->flow);
	data_flow_init(&r->flow, r->call, data_part(r->table, (size_t)part), 0);
	r->flow.ready = 1;
	return WBL_OK;
}

/* *ret: the row in target form, valid until the next one. */
static int32_t convert(
	struct resubmit *r, const struct wbl_node *letter, uint64_t line, struct wbl_batch *ret)
{
	const struct wbl_node *record = wbl_node_at(letter, "record"),
			      *position = wbl_node_at(letter, "position");
	const struct data_table *t;
	struct wbl_batch in;
	int32_t rc = choose_part(r, letter, line);

	t = r->flow.table;
	rc = rc ? rc : no_other(r, record, line);

	wbl_rows_reset(&r->record);
	wbl_row_begin(&r->record, WBL_ROW_PUT);
	for (size_t i = 0; !rc && i < t->nscan; i++) {
		if ((int)i != t->position)
			rc = put_cell(r, record, t->scan[i], line);
		else if (position && position->kind == WBL_NODE_NUMBER)
			wbl_cell_int(&r->record, strtoll(position->text.s, NULL, 10));
		else
			wbl_cell_null(&r->record);
	}
	wbl_row_end(&r->record);
	if (rc)
		return rc;
	wbl_out_reset(&r->place);
	wbl_out_fmt(&r->place, "%s:%llu", r->work->file, (unsigned long long)line);
	r->flow.place = r->place.s;
	wbl_rows_batch(&r->record, t->from, t->scan, &in);
	return data_flow_convert(&r->flow, &in, ret);
}

static void into_digest(struct resubmit *r, const char *id, struct wbl_bytes cells)
{
	struct wbl_out o = { 0 };

	wbl_out_add(&o, &r->lo, sizeof r->lo);
	wbl_out_add(&o, &r->hi, sizeof r->hi);
	wbl_out_add(&o, id, strlen(id) + 1);
	wbl_out_add(&o, cells.data, cells.len);
	wbl_digest_128(o.s, o.len, 0, &r->lo, &r->hi);
	wbl_out_clear(&o);
}

static int32_t write_row(
	struct resubmit *r, const char *id, struct wbl_batch *b, struct wbl_bytes cells)
{
	struct wbl_out row = { 0 };
	uint64_t bad = b->rows;
	int32_t rc = r->ends.dst->append(r->writer, r->call, b, &bad);

	if (rc == WBL_E_PARAM && bad < b->rows)
		return wbl_error_report(r->call, WBL_E_PARAM, r->place.s,
			"Correct the row; nothing was written.",
			"the target refuses the row for table \"%s\"", r->table->to);
	if (rc || r->artefact < 0)
		return rc;
	wbl_out_reset(&row);
	wbl_base64_put(&row, cells.data, cells.len);
	r->kept.comma = 0;
	wbl_out_open(&r->kept, NULL, '{');
	wbl_out_text(&r->kept, "id", id);
	wbl_out_textn(&r->kept, "row", row.s, row.len);
	wbl_out_close(&r->kept, '}');
	wbl_out_add(&r->kept, "\n", 1);
	wbl_out_clear(&row);
	return r->kept.len > 1 << 16 ? data_write_all(r->call, r->artefact, FOLDER, &r->kept)
				     : WBL_OK;
}

static int32_t take_line(void *arg, char *line, size_t len, uint64_t number)
{
	struct resubmit *r = arg;
	struct wbl_batch b = { 0 };
	struct wbl_doc *doc = NULL;
	struct wbl_row row;
	uint64_t at = 0;
	const char *id;
	int32_t rc = blank(line) ? WBL_END : read_line(r, line, len, number, &doc, &id);
	struct entry *e;

	if (rc)
		return rc == WBL_END ? WBL_OK : rc;
	e = entry_of(r, id);
	if (!e || !e->taken) {
		rc = convert(r, wbl_doc_root(doc), number, &b);
		if (!rc && wbl_batch_next(&b, &at, &row) != 1)
			rc = wrong(r, number, "Take the line away.",
				"the mapping does not take this row", NULL);
		if (!rc)
			into_digest(r, id, row.cells);
		if (!rc && r->writer)
			rc = write_row(r, id, &b, row.cells);
		if (!rc && r->writer) {
			struct data_flow *f = &r->flow;

			f->sum = (struct wbl_sum){ 0 };
			rc = data_flow_sum(f, &b);
			wbl_sum_add(&r->added, &f->sum);
		}
	}
	wbl_doc_free(doc);
	return rc;
}

static int32_t over_file(struct resubmit *r)
{
	r->lo = r->hi = 0;
	if (lseek(r->fd, 0, SEEK_SET) < 0)
		return wbl_error_report(r->call, WBL_E_UNAVAILABLE, r->work->file, NULL,
			"cannot be read: %s", strerror(errno));
	return data_lines(r->call, r->fd, r->work->file, take_line, r);
}

/* ---- into the target ---- */

static int32_t keep_begin(struct resubmit *r, const char *name, const char *receipt)
{
	const struct wbl_artefact_service *artefact = wbl_service(r->call, "wbl.artefact/1");
	int32_t rc = artefact->create(r->call, name, &r->artefact);

	if (rc) /* END: an attempt that was killed before its commit has kept the same */
		r->artefact = -1;
	wbl_out_reset(&r->kept);
	wbl_out_open(&r->kept, NULL, '{');
	wbl_out_text(&r->kept, "receipt", receipt);
	wbl_out_close(&r->kept, '}');
	wbl_out_add(&r->kept, "\n", 1);
	return rc == WBL_END ? WBL_OK : rc;
}

static int32_t keep_end(struct resubmit *r, const char *name)
{
	const struct wbl_artefact_service *artefact = wbl_service(r->call, "wbl.artefact/1");
	int32_t rc, fd = r->artefact;

	if (fd < 0)
		return WBL_OK;
	rc = data_write_all(r->call, fd, FOLDER, &r->kept);
	if (rc)
		return rc;
	r->artefact = -1;
	return artefact->seal(r->call, name, fd);
}

static int32_t commit(struct resubmit *r, const char *key)
{
	struct wbl_out body = { 0 };
	struct wbl_receipt receipt = { .size = sizeof receipt,
		.epoch = r->work->epoch,
		.attempt = r->work->attempt,
		.key = key };
	struct wbl_outcome outcome = { .size = sizeof outcome };
	void *writer = r->writer;
	int32_t rc;

	data_receipt_body(&r->added, &body);
	receipt.body = (struct wbl_bytes){ body.s, body.len };
	r->writer = NULL;
	WBL_FAULT(r->call, "corrected_kept");
	rc = r->ends.dst->commit(writer, r->call, &receipt, &outcome);
	WBL_FAULT(r->call, "corrected");
	wbl_out_clear(&body);
	return rc;
}

static int32_t write_all(struct resubmit *r)
{
	struct wbl_write write = {
		.size = sizeof write,
		.mode = WBL_MODE_INSERT,
		.epoch = r->work->epoch,
		.attempt = r->work->attempt,
		.set = r->table->to,
		.columns = r->table->names,
		.origin = r->work->run_id,
	};
	uint64_t lo = r->lo, hi = r->hi;
	struct wbl_out name = { 0 }, key = { 0 };
	int32_t rc;

	wbl_out_fmt(&name, FOLDER "%016llx%016llx", (unsigned long long)hi, (unsigned long long)lo);
	wbl_out_fmt(&key, "%s/%s", r->work->key, name.s);
	rc = keep_begin(r, name.s, key.s);
	rc = rc ? rc : r->ends.dst->write(r->ends.target.self, r->call, &write, &r->writer);
	rc = rc ? rc : over_file(r);
	if (!rc && (lo != r->lo || hi != r->hi))
		rc = wbl_error_report(r->call, WBL_E_STALE, r->work->file, "Start again.",
			"the file has changed while it was read");
	rc = rc ? rc : keep_end(r, name.s);
	rc = rc ? rc : commit(r, key.s);
	wbl_out_clear(&name);
	wbl_out_clear(&key);
	return rc;
}

/* ---- what is told ---- */

static int32_t add_up(void *arg, const struct wbl_batch *b)
{
	return data_flow_sum(arg, b);
}

static int32_t look(struct resubmit *r)
{
	struct data_flow f;
	int32_t rc;

	data_keys_clear(&r->corrected);
	data_flow_init(&f, r->call, r->table, 0);
	rc = each_correction(&r->ends, r->table, add_up, &f, &r->corrected);
	r->sum = f.sum;
	data_flow_clear(&f);
	data_keys_sort(&r->corrected);
	return rc;
}

static int32_t tell(struct resubmit *r)
{
	const struct wbl_run_service *run = wbl_service(r->call, "wbl.run/1");
	struct wbl_digest digest;
	const struct wbl_digest *list[] = { &digest, NULL };
	struct wbl_totals t = { .size = sizeof t, .items = r->sum.count, .digests = list };

	wbl_sum_digest(&r->sum, r->table->to, &digest);
	return run ? run->result(r->call, &t) : WBL_OK;
}

/* The rejects that are in the target now leave the list of differences. */
static int32_t settle(struct resubmit *r)
{
	const struct wbl_check_service *check = wbl_service(r->call, "wbl.check/1");
	struct wbl_difference d = { .size = sizeof d };
	int32_t rc = check && check->size >= sizeof *check ? WBL_OK : WBL_END;
	char id[DATA_ID];

	while (!rc && !(rc = check->next(r->call, &d))) {
		uint64_t lo, hi;

		if (d.kind != WBL_DIFF_REJECTED || !d.ref.len || d.ref.len >= sizeof id)
			continue;
		memcpy(id, d.ref.data, d.ref.len);
		id[d.ref.len] = 0;
		id_digest(id, &lo, &hi);
		if (data_keys_find(&r->corrected, lo, hi) >= 0)
			rc = check->settled(r->call);
	}
	return rc == WBL_END ? WBL_OK : rc;
}

static int32_t resubmit(struct resubmit *r)
{
	int32_t rc = look(r);

	rc = rc ? rc : check_ids(r);
	if (!rc && r->fresh)
		rc = over_file(r); /* everything is looked at before anything is written */
	if (!rc && r->fresh)
		rc = write_all(r);
	rc = rc ? rc : look(r);
	rc = rc ? rc : tell(r);
	return rc ? rc : settle(r);
}

int32_t data_resubmit(struct wbl_call *call, const struct wbl_work *work)
{
	struct resubmit r = { .call = call, .work = work, .artefact = -1 };
	struct wbl_doc *doc = wbl_doc_parse(work->params, strlen(work->params), NULL);
	const char *to = wbl_node_str(wbl_doc_root(doc), "to");
	int32_t rc = WBL_OK;

	r.fd = open(work->file, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (r.fd < 0)
		rc = wbl_error_report(call, WBL_E_PARAM, work->file,
			"Name the file with the corrected rejects.", "%s", strerror(errno));
	rc = rc ? rc : data_open(call, WBL_OPEN_WRITE, &r.ends);
	if (!rc) {
		rc = data_map_build(&r.ends, &r.map);
		if (!rc && !(r.table = data_map_find(&r.map, to)))
			rc = wbl_error_report(call, WBL_E_STALE, to, NULL,
				"the mapping has no such table any more");
		if (!rc) {
			data_flow_init(&r.flow, call, r.table, 0);
			r.flow.ready = 1;
			rc = resubmit(&r);
		}
		if (r.writer)
			r.ends.dst->abort(r.writer);
		if (r.table)
			data_flow_clear(&r.flow);
		data_map_clear(&r.map);
		data_close(&r.ends);
	}
	if (r.artefact >= 0)
		close(r.artefact);
	if (r.fd >= 0)
		close(r.fd);
	free(r.entries);
	data_keys_clear(&r.corrected);
	wbl_out_clear(&r.kept);
	wbl_out_clear(&r.place);
	wbl_rows_clear(&r.record);
	wbl_doc_free(doc);
	return rc;
}
