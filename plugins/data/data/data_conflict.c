/* data_conflict.c - around conflicts: decisions of people read and found, both sides told, the ledger of what both sides had.
 * In: lines of JSON, rows of both sides.  Out: differences, look-ups.  Who wins is in data_decide.c.
 * SPDX-License-Identifier: Apache-2.0 */
#include "data_conflict.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- decisions ---- */

struct decision {
	char *id, *found; /* set and key; found NULL: whatever it is */
	int take;
};
struct data_decisions {
	struct decision *list;
	size_t n;
};

static int by_id(const void *a, const void *b)
{
	const struct decision *x = a, *y = b;

	return strcmp(x->id, y->id);
}

static void id_of(const char *set, const struct wbl_node *key, struct wbl_out *o)
{
	wbl_out_reset(o);
	wbl_out_fmt(o, "%s", set);
	for (const struct wbl_node *k = key ? key->child : NULL; k; k = k->next)
		wbl_out_fmt(o, "\x1f%s\x1f%s", k->key.s, k->text.s);
}

static int32_t take_line(struct wbl_call *call, const char *path, size_t number, const char *line,
	size_t len, struct data_decisions *d)
{
	const char *why = "", *take, *set, *found;
	struct wbl_doc *doc = wbl_doc_parse(line, len, &why);
	const struct wbl_node *root = wbl_doc_root(doc), *key = wbl_node_at(root, "key");
	struct wbl_out id = { 0 }, where = { 0 };
	int32_t rc = WBL_OK;

	set = wbl_node_str(root, "set");
	take = wbl_node_str(root, "take");
	found = wbl_node_str(root, "found");
	if (!doc || !set || !key || key->kind != WBL_NODE_OBJECT || !take ||
		(strcmp(take, "source") != 0 && strcmp(take, "target") != 0)) {
		wbl_out_fmt(&where, "%s:%zu", path, number);
		rc = wbl_error_report(call, WBL_E_PARAM, where.s,
			"Write lines like "
			"{\"set\":\"t\",\"key\":{\"id\":\"1\"},\"take\":\"source\"}.",
			"expected set, key, and take (source or target)%s%s", *why ? ": " : "",
			why);
		wbl_out_clear(&where);
	} else {
		id_of(set, key, &id);
		d->list = wbl_sdk_grow(d->list, (d->n + 1) * sizeof *d->list);
		d->list[d->n++] = (struct decision){ id.s, found ? wbl_sdk_strdup(found) : NULL,
			!strcmp(take, "source") ? DATA_CONFLICTS_SOURCE : DATA_CONFLICTS_TARGET };
	}
	wbl_doc_free(doc);
	return rc;
}

static int32_t read_all(struct wbl_call *call, const char *path, struct wbl_out *o)
{
	enum { MOST = 64 << 20 };
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	char buf[1 << 14];
	ssize_t n = -1;

	while (fd >= 0 && (n = read(fd, buf, sizeof buf)) > 0 && o->len < MOST)
		wbl_out_add(o, buf, (size_t)n);
	if (fd >= 0)
		close(fd);
	if (n == 0 || (fd < 0 && errno == ENOENT)) /* nobody has decided anything yet */
		return WBL_OK;
	return wbl_error_report(call, WBL_E_UNAVAILABLE, path,
		"Check the path; a file of decisions has at most 64 MiB.",
		"the decisions cannot be read: %s", n > 0 ? "too long" : strerror(errno));
}

int32_t data_decisions_read(struct wbl_call *call, const char *path, struct data_decisions **ret)
{
	struct data_decisions *d = wbl_sdk_alloc(sizeof *d);
	struct wbl_out text = { 0 };
	int32_t rc = path && *path ? read_all(call, path, &text) : WBL_OK;
	size_t number = 0;

	for (size_t at = 0; !rc && at < text.len;) {
		char *end = memchr(text.s + at, '\n', text.len - at);
		size_t len = end ? (size_t)(end - text.s) - at : text.len - at;

		number++;
		if (strspn(text.s + at, " \t\r") < len)
			rc = take_line(call, path, number, text.s + at, len, d);
		at += len + 1;
	}
	wbl_out_clear(&text);
	if (rc) {
		data_decisions_free(d);
		return rc;
	}
	if (d->n)
		qsort(d->list, d->n, sizeof *d->list, by_id);
	*ret = d;
	return WBL_OK;
}

int data_decisions_find(
	const struct data_decisions *d, const char *set, const char *key, const char *found)
{
	struct wbl_doc *doc;
	struct wbl_out id = { 0 };
	struct decision want, *hit = NULL;
	int take = 0;

	if (!d || !d->n)
		return 0;
	doc = wbl_doc_parse(key, strlen(key), NULL);
	id_of(set, wbl_doc_root(doc), &id);
	want.id = id.s;
	hit = bsearch(&want, d->list, d->n, sizeof want, by_id);
	if (hit && (!hit->found || !strcmp(hit->found, found)))
		take = hit->take;
	wbl_out_clear(&id);
	wbl_doc_free(doc);
	return take;
}

void data_decisions_free(struct data_decisions *d)
{
	for (size_t i = 0; d && i < d->n; i++) {
		free(d->list[i].id);
		free(d->list[i].found);
	}
	if (d)
		free(d->list);
	free(d);
}

/* ---- telling ---- */

void data_row_json(const struct data_table *t, struct wbl_bytes cells, struct wbl_out *o)
{
	enum { VALUE = 100, ALL = 1500 };
	struct wbl_out text = { 0 };
	struct wbl_cell c;

	wbl_out_reset(o);
	wbl_out_open(o, NULL, '{');
	for (size_t i = 0; i < t->ncols && o->len < ALL && wbl_cell_next(&cells, &c) == 1; i++) {
		wbl_out_reset(&text);
		wbl_cell_show(&text, &c);
		if (c.tag == WBL_CELL_NULL)
			wbl_out_text(o, t->cols[i].name, NULL);
		else
			wbl_out_textn(
				o, t->cols[i].name, text.s, text.len > VALUE ? VALUE : text.len);
	}
	wbl_out_close(o, '}');
	wbl_out_clear(&text);
}

void data_conflict_tell(struct wbl_call *call, const struct data_table *t, const char *key,
	const char *source, const char *target, struct wbl_bytes ref)
{
	const struct wbl_check_service *check = wbl_service(call, "wbl.check/1");
	struct wbl_difference d = {
		.size = sizeof d,
		.kind = WBL_DIFF_CONFLICT,
		.set = t->to,
		.key = key,
		.expected = source,
		.found = target,
		.ref = ref,
	};

	if (d.ref.len > 32768)
		d.ref.len = 0;
	if (check)
		check->difference(call, &d);
}

/* ---- ledger ---- */

const char *const data_ledger_columns[] = { "key", "row", NULL };

void data_ledger_init(struct data_ledger *l, struct data_ends *e, const char *name)
{
	static const char *key[] = { "key", NULL }, *mapped[] = { "key", "row", NULL };
	static struct data_column cols[2];
	static size_t keyat[1];
	struct data_shape shape = {
		.set = name,
		.key = key,
		.mapped = mapped,
		.cols = cols,
		.nkey = 1,
		.nmapped = 2,
		.keyat = keyat,
	};

	memset(l, 0, sizeof *l);
	l->name = name;
	if (name)
		data_finder_init(&l->finder, e->call, e->dst, e->target.self, &shape);
}

void data_ledger_clear(struct data_ledger *l)
{
	data_finder_clear(&l->finder);
	memset(l, 0, sizeof *l);
}

static struct wbl_bytes key_cell(struct wbl_rows *scratch, struct wbl_bytes key)
{
	wbl_rows_reset(scratch);
	wbl_row_begin(scratch, WBL_ROW_DELETE);
	wbl_cell_blob(scratch, WBL_CELL_BYTES, key.data, key.len);
	return wbl_row_end(scratch);
}

int32_t data_ledger_find(struct data_ledger *l, const struct wbl_rows *keys)
{
	struct wbl_rows wrapped = { 0 };
	struct wbl_batch all;
	struct wbl_row row;
	uint64_t at = 0;
	int64_t strange;
	int32_t rc;

	wbl_rows_batch(keys, NULL, NULL, &all);
	while (wbl_batch_next(&all, &at, &row) == 1)
		data_ledger_drop(&wrapped, row.cells);
	rc = data_find(&l->finder, &wrapped, &strange);
	wbl_rows_clear(&wrapped);
	return rc;
}

int data_ledger_get(const struct data_ledger *l, struct wbl_bytes key, struct data_key *ret)
{
	struct wbl_rows scratch = { 0 };
	const struct data_row *r;
	struct wbl_bytes raw;
	struct wbl_cell c;
	int found = 0;

	if (!l->name)
		return 0;
	r = data_found_row(&l->finder, data_digest_of_key(key_cell(&scratch, key)));
	if (r) {
		raw = (struct wbl_bytes){ l->finder.found.raw.data + r->at, r->len };
		if (wbl_cell_next(&raw, &c) == 1 && wbl_cell_next(&raw, &c) == 1 &&
			c.len == sizeof *ret) {
			memcpy(ret, c.data, sizeof *ret);
			found = 1;
		}
	}
	wbl_rows_clear(&scratch);
	return found;
}

void data_ledger_put(struct wbl_rows *to, struct wbl_bytes key, const struct data_key *digest)
{
	wbl_row_begin(to, WBL_ROW_PUT);
	wbl_cell_blob(to, WBL_CELL_BYTES, key.data, key.len);
	wbl_cell_blob(to, WBL_CELL_BYTES, digest, sizeof *digest);
	wbl_row_end(to);
}

void data_ledger_drop(struct wbl_rows *to, struct wbl_bytes key)
{
	wbl_row_begin(to, WBL_ROW_DELETE);
	wbl_cell_blob(to, WBL_CELL_BYTES, key.data, key.len);
	wbl_row_end(to);
}

void data_ledger_json(const char *name, const char *origin, struct wbl_out *o)
{
	wbl_out_open(o, NULL, '{');
	wbl_out_open(o, "create_table", '{');
	wbl_out_text(o, "name", name);
	wbl_out_text(o, "origin", origin);
	wbl_out_json(o, "columns",
		"[{\"name\":\"key\",\"type\":\"bytes\",\"not_null\":true},"
		"{\"name\":\"row\",\"type\":\"bytes\",\"not_null\":true}]");
	wbl_out_json(o, "key", "[\"key\"]");
	wbl_out_close(o, '}');
	wbl_out_close(o, '}');
}
