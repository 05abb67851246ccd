/* data_transform.c - a table's rows through a module of somebody's own ("wbl.transform/1") before the mapping sees them.
 * In: all columns of the source's table, one row at a time, so that each row that comes out has a place in the source and cannot depend
 * on its neighbours.  Out: rows in the columns that the module says it makes; these are what `from` means in the mapping.
 * What the module gives is checked, as far as memory that can be read allows.
 * SPDX-License-Identifier: Apache-2.0 */
#include "data_impl.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { MOST_COLUMNS = 10000, MOST_ROWS = 1000000, MOST_BYTES = 64 << 20 };

struct data_transform {
	struct wbl_call *call;
	const struct wbl_peer_service *peers;
	struct wbl_peer peer;
	const struct wbl_transform *table;
	void *self;
	const char *name; /* as the spec calls it */
	char *path;       /* in the options */
	struct wbl_doc *set;
	const char **asks; /* of the source, "#position" last; NULL-ended */
	size_t nasks, nout;
	size_t *pick; /* of each column of the mapping's scan: the one made; nout: the position */
	struct wbl_rows one, out;
	struct wbl_cell *cells;
};

static int32_t refuse(struct data_transform *x, int32_t code, const char *what, const char *name)
{
	return wbl_error_report(x->call, code, x->path, "Tell the author of the transform.",
		"the transform \"%s\" %s%s%s%s", x->name, what, name ? " \"" : "", name ? name : "",
		name ? "\"" : "");
}

/* ---- what it makes ---- */

static int32_t check_columns(struct data_transform *x, const struct wbl_node *list)
{
	if (!list || list->kind != WBL_NODE_ARRAY || !list->count)
		return refuse(x, WBL_E_ABI, "names no columns", NULL);
	if (list->count > MOST_COLUMNS)
		return refuse(x, WBL_E_ABI, "names more than 10,000 columns", NULL);
	for (const struct wbl_node *c = list->child; c; c = c->next) {
		const char *name = wbl_node_str(c, "name"), *type = wbl_node_str(c, "type");

		if (!name || !*name || *name == '#' || *name == '=')
			return refuse(x, WBL_E_ABI, "makes a column that cannot be called", name);
		if (type && wbl_type_by_name(type) < 0)
			return refuse(x, WBL_E_ABI, "makes a column of the unknown type", type);
		for (const struct wbl_node *d = list->child; d != c; d = d->next)
			if (!strcasecmp(wbl_node_str(d, "name"), name))
				return refuse(x, WBL_E_ABI, "makes two columns called", name);
	}
	x->nout = list->count;
	return WBL_OK;
}

/* The source's table as it is behind the transform: without keys, indexes and definition. */
static int32_t take_columns(
	struct data_transform *x, const struct wbl_node *source, const char *columns)
{
	static const char *const kept[] = { "name", "kind", "position" };
	const char *why = "";
	struct wbl_doc *doc = columns ? wbl_doc_parse(columns, strlen(columns), &why) : NULL;
	struct wbl_out o = { 0 };
	int32_t rc = doc ? check_columns(x, wbl_doc_root(doc))
			 : refuse(x, WBL_E_ABI, "names its columns in no JSON:", why);

	wbl_out_open(&o, NULL, '{');
	for (size_t i = 0; i < sizeof kept / sizeof *kept; i++)
		wbl_out_text(&o, kept[i], wbl_node_str(source, kept[i]));
	if (!rc)
		wbl_out_node(&o, "columns", wbl_doc_root(doc));
	wbl_out_close(&o, '}');
	if (!rc)
		x->set = wbl_doc_parse(o.s, o.len, NULL);
	wbl_out_clear(&o);
	wbl_doc_free(doc);
	return rc;
}

static void ask_all(struct data_transform *x, const struct wbl_node *source)
{
	const struct wbl_node *list = wbl_node_at(source, "columns");

	x->asks = wbl_sdk_alloc(((list ? list->count : 0) + 2) * sizeof *x->asks);
	for (const struct wbl_node *c = list ? list->child : NULL; c; c = c->next)
		x->asks[x->nasks++] = wbl_node_str(c, "name");
	x->asks[x->nasks++] = "#position";
}

int32_t data_transform_open(
	struct data_ends *e, struct data_table *t, const struct wbl_node *spec, const char *path)
{
	const struct wbl_node *named = wbl_node_at(spec, "transform");
	struct data_transform *x;
	struct wbl_out at = { 0 }, in = { 0 };
	const char *columns = NULL;
	int32_t rc;

	if (!named || named->kind != WBL_NODE_OBJECT)
		return WBL_OK;
	x = t->transform = wbl_sdk_alloc(sizeof *x);
	wbl_out_fmt(&at, "%s.transform", path);
	x->call = e->call;
	x->peers = e->peers;
	x->path = at.s;
	x->name = wbl_node_str(named, "transform") ? wbl_node_str(named, "transform") : "?";
	x->peer.size = sizeof x->peer;
	rc = e->peers->open(e->call, x->path, "wbl.transform/1", WBL_OPEN_READ, &x->peer);
	if (rc)
		return rc;
	x->table = x->peer.table;
	wbl_out_node(&in, NULL, wbl_node_at(t->source, "columns"));
	rc = x->table->open(x->table, e->call, in.s, &columns, &x->self);
	if (rc) {
		x->self = NULL;
		rc = rc < 0 ? rc : refuse(x, WBL_E_ABI, "answers its opening with nonsense", NULL);
	} else {
		rc = take_columns(x, t->source, columns);
	}
	wbl_out_clear(&in);
	if (rc)
		return rc;
	ask_all(x, t->source);
	t->source = wbl_doc_root(x->set);
	return WBL_OK;
}

int32_t data_transform_ready(struct data_table *t)
{
	struct data_transform *x = t->transform;
	const struct wbl_node *made;
	size_t n;

	if (!x)
		return WBL_OK;
	x->pick = wbl_sdk_alloc((t->nscan + 1) * sizeof *x->pick);
	x->cells = wbl_sdk_alloc((x->nout + 1) * sizeof *x->cells);
	for (size_t i = 0; i < t->nscan; i++) {
		if (t->scan[i][0] == '=')
			return wbl_error_report(x->call, WBL_E_PARAM, x->path,
				"Compute it in the transform, or by `compute`.",
				"the source's own SQL (%s) knows nothing of what the transform "
				"makes",
				t->scan[i] + 1);
		made = wbl_node_at(t->source, "columns.0");
		for (n = 0; made && strcasecmp(wbl_node_str(made, "name"), t->scan[i]) != 0; n++)
			made = made->next;
		x->pick[i] = n; /* "#position" is none of them: nout */
	}
	return WBL_OK;
}

void data_transform_close(struct data_table *t)
{
	struct data_transform *x = t->transform;

	if (!x)
		return;
	if (x->table && x->self)
		x->table->close(x->self);
	if (x->table)
		x->peers->close(x->call, &x->peer);
	wbl_rows_clear(&x->one);
	wbl_rows_clear(&x->out);
	wbl_doc_free(x->set);
	free(x->asks);
	free(x->pick);
	free(x->cells);
	free(x->path);
	free(x);
	t->transform = NULL;
}

const char *const *data_scan_columns(const struct data_table *t)
{
	return t->transform ? t->transform->asks : t->scan;
}

/* ---- rows ---- */

static int valid(const struct wbl_cell *c)
{
	char canon[512];
	size_t n;

	switch (c->tag) {
	case WBL_CELL_TEXT:
		return wbl_utf8_ok(c->data, c->len);
	case WBL_CELL_DECIMAL:
		return !wbl_decimal_canon((const char *)c->data, c->len, canon, &n) &&
		       n == c->len && !memcmp(canon, c->data, n);
	case WBL_CELL_INSTANT:
	case WBL_CELL_LOCAL:
		return c->data[8] <= 9;
	default:
		return 1;
	}
}

/* One row that was made, in the order of the mapping's scan. */
static int32_t take_row(struct data_transform *x, const struct data_table *t,
	const struct wbl_row *row, const struct wbl_cell *position)
{
	struct wbl_bytes cells = row->cells;

	if (row->kind != WBL_ROW_PUT)
		return refuse(x, WBL_E_ABI, "makes a row that is to be deleted", NULL);
	for (size_t i = 0; i < x->nout; i++) {
		if (wbl_cell_next(&cells, &x->cells[i]) != 1)
			return refuse(x, WBL_E_ABI, "makes a row with too few columns", NULL);
		if (!valid(&x->cells[i]))
			return refuse(x, WBL_E_ABI, "makes a value that is none of its kind", NULL);
	}
	if (cells.len)
		return refuse(x, WBL_E_ABI, "makes a row with too many columns", NULL);
	x->cells[x->nout] = *position;
	wbl_row_begin(&x->out, WBL_ROW_PUT);
	for (size_t i = 0; i < t->nscan; i++) {
		const struct wbl_cell *c = &x->cells[x->pick[i]];

		wbl_cell_copy(&x->out, c->at, c->whole);
	}
	wbl_row_end(&x->out);
	return WBL_OK;
}

static int32_t take_batch(struct data_transform *x, const struct data_table *t,
	const struct wbl_batch *made, const struct wbl_cell *position)
{
	uint64_t at = 0, n = 0;
	struct wbl_row row;
	int32_t rc = WBL_OK;
	int more;

	if (made->lane)
		return refuse(x, WBL_E_ABI, "makes rows in the encoding", made->lane);
	if (made->rows > MOST_ROWS || made->len > MOST_BYTES)
		return refuse(x, WBL_E_RESOURCES,
			"makes more than 1,000,000 rows or 64 MiB of one row", NULL);
	if (made->len && !made->data)
		return refuse(x, WBL_E_ABI, "makes a batch of nothing", NULL);
	while (!rc && (more = wbl_batch_next(made, &at, &row)) != 0) {
		if (more < 0)
			return refuse(x, WBL_E_ABI, "makes a batch that cannot be read", NULL);
		rc = take_row(x, t, &row, position);
		n++;
	}
	if (!rc && n != made->rows)
		rc = refuse(x, WBL_E_ABI, "miscounts its rows", NULL);
	return rc;
}

/* The row without its position, which is not the transform's. */
static int split_row(struct data_transform *x, const struct wbl_row *row, struct wbl_cell *position)
{
	struct wbl_bytes cells = row->cells;

	for (size_t i = 0; i < x->nasks; i++)
		if (wbl_cell_next(&cells, position) != 1)
			return -1;
	if (cells.len)
		return -1;
	wbl_rows_reset(&x->one);
	wbl_row_begin(&x->one, WBL_ROW_PUT);
	wbl_cell_copy(&x->one, row->cells.data, row->cells.len - position->whole);
	wbl_row_end(&x->one);
	return 0;
}

int32_t data_transform_batch(struct data_flow *f, const struct wbl_batch *in, struct wbl_batch *ret)
{
	struct data_table *t = f->table;
	struct data_transform *x = t->transform;
	struct wbl_cell position;
	struct wbl_batch one;
	struct wbl_row row;
	uint64_t at = 0;
	int32_t rc = WBL_OK;
	int more;

	wbl_rows_reset(&x->out);
	while (!rc && (more = wbl_batch_next(in, &at, &row)) != 0) {
		struct wbl_batch made = { .size = sizeof made };

		if (more < 0 || split_row(x, &row, &position))
			return wbl_error_report(f->call, WBL_E_ABI, t->from, NULL,
				"the store gave a batch that cannot be read");
		wbl_rows_batch(&x->one, t->from, x->asks, &one);
		one.columns = NULL;
		rc = x->table->apply(x->self, f->call, &one, &made);
		if (rc > 0)
			rc = refuse(x, WBL_E_ABI, "answers with nonsense", NULL);
		rc = rc ? rc : take_batch(x, t, &made, &position);
	}
	if (!rc)
		wbl_rows_batch(&x->out, t->from, t->scan, ret);
	return rc;
}
