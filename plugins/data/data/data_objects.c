/* data_objects.c - what is made when the rows are there: indexes, counters, views and triggers; and taken away again.
 * In: the mapping; what of the source's own may go along (data_carry.c).  Out: schema changes of the target, each after its undo record.
 * SPDX-License-Identifier: Apache-2.0 */
#include "data_impl.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* ---- indexes, and views and triggers of a whole copy ---- */

/* columns: a JSON array in the names of the target; NULL: as the index says. */
static void index_json(const struct data_map *m, const struct data_table *t,
	const struct wbl_node *ix, const char *columns, const char *origin, struct wbl_out *o)
{
	const struct wbl_node *cols = wbl_node_at(ix, "columns");

	wbl_out_reset(o);
	wbl_out_open(o, NULL, '{');
	wbl_out_open(o, "create_index", '{');
	wbl_out_text(o, "name", wbl_node_str(ix, "name"));
	wbl_out_text(o, "origin", origin);
	wbl_out_text(o, "set", t->to);
	if (!columns && m->same_dialect && wbl_node_str(ix, "definition")) {
		wbl_out_text(o, "definition", wbl_node_str(ix, "definition"));
	} else {
		wbl_out_bool(o, "unique", wbl_node_bool(ix, "unique", 0));
		if (columns)
			wbl_out_json(o, "columns", columns);
		else
			wbl_out_open(o, "columns", '[');
		for (const struct wbl_node *c = !columns && cols ? cols->child : NULL; c;
			c = c->next)
			wbl_out_text(o, NULL, c->text.s);
		if (!columns)
			wbl_out_close(o, ']');
	}
	wbl_out_close(o, '}');
	wbl_out_close(o, '}');
}

static void object_json(const struct wbl_node *x, const char *origin, struct wbl_out *o)
{
	wbl_out_reset(o);
	wbl_out_open(o, NULL, '{');
	wbl_out_open(o, "create_object", '{');
	wbl_out_text(o, "name", wbl_node_str(x, "name"));
	wbl_out_text(o, "origin", origin);
	wbl_out_text(o, "definition", wbl_node_str(x, "definition"));
	wbl_out_close(o, '}');
	wbl_out_close(o, '}');
}

/* Where the target has an index, view or trigger of that name. */
const char *data_holder(const struct wbl_doc *target, const char *name)
{
	const struct wbl_node *set, *x;

	for (set = wbl_node_at(wbl_doc_root(target), "sets.0"); set; set = set->next)
		for (x = wbl_node_at(set, "indexes.0"); x; x = x->next)
			if (!strcasecmp(wbl_node_str(x, "name"), name))
				return wbl_node_str(set, "name");
	for (x = wbl_node_at(wbl_doc_root(target), "others.0"); x; x = x->next)
		if (!strcasecmp(wbl_node_str(x, "name"), name))
			return name;
	return NULL;
}

/* What is there already is left as it is, and stays on the way back: unless an earlier attempt recorded it, it is not ours.
 * The way back is written down with its kind: {"drop_index":{"name":...}}. */
static int32_t make_object(struct data_ends *e, const struct data_map *m,
	const struct wbl_work *work, const char *kind, const char *name, const char *change)
{
	struct wbl_out id = { 0 }, back = { 0 };
	int32_t rc;

	if (!name)
		return wbl_error_report(
			e->call, WBL_E_PARAM, "indexes", NULL, "an index without a name");
	wbl_out_fmt(&id, "%s:%s", kind, name);
	wbl_out_open(&back, NULL, '{');
	wbl_out_open(&back, !strcmp(kind, "index") ? "drop_index" : "drop_object", '{');
	wbl_out_text(&back, "name", name);
	wbl_out_text(&back, "kind", kind);
	wbl_out_close(&back, '}');
	wbl_out_close(&back, '}');
	rc = data_holder(m->target, name) ? WBL_OK : data_undo_put(e->call, id.s, back.s);
	WBL_FAULT(e->call, "index_recorded");
	rc = rc < 0 ? rc : data_change(e, work, change, id.s);
	WBL_FAULT(e->call, "index_made");
	wbl_out_clear(&id);
	wbl_out_clear(&back);
	return rc;
}

/* Indexes of one table: those of the options, the source's own word for word, or the source's in the names of the target. */
static int32_t make_indexes(struct data_ends *e, const struct data_map *m,
	const struct data_table *t, const struct wbl_work *work)
{
	const struct wbl_node *ix = t->indexes ? t->indexes->child : NULL;
	int own = ix == NULL && !t->definition;
	struct wbl_out change = { 0 }, columns = { 0 };
	int32_t rc = WBL_OK;

	for (ix = own ? wbl_node_at(t->source, "indexes.0") : ix; !rc && ix; ix = ix->next) {
		if (own && !data_index_goes(m, t, ix, &columns))
			continue;
		index_json(m, t, ix, own ? columns.s : NULL, work->run_id, &change);
		rc = wbl_stop_asked(e->call);
		rc = rc ? rc : make_object(e, m, work, "index", wbl_node_str(ix, "name"), change.s);
	}
	wbl_out_clear(&change);
	wbl_out_clear(&columns);
	return rc;
}

/* The counter goes on where the source's stands, also when its last rows were deleted. */
static int32_t set_counter(
	struct data_ends *e, const struct data_table *t, const struct wbl_work *work)
{
	int64_t want = wbl_node_int(t->source, "sequence", INT64_MIN);
	struct wbl_out change = { 0 }, part = { 0 };
	int32_t rc;

	if (want == INT64_MIN || !wbl_node_bool(t->target, "autoincrement", 0) ||
		wbl_node_int(t->target, "sequence", INT64_MIN) >= want)
		return WBL_OK;
	wbl_out_fmt(&part, "sequence:%s", t->to);
	wbl_out_open(&change, NULL, '{');
	wbl_out_open(&change, "set_sequence", '{');
	wbl_out_text(&change, "name", t->to);
	wbl_out_text(&change, "origin", work->run_id);
	wbl_out_int(&change, "value", want);
	wbl_out_close(&change, '}');
	wbl_out_close(&change, '}');
	rc = data_change(e, work, change.s, part.s);
	wbl_out_clear(&change);
	wbl_out_clear(&part);
	return rc;
}

static int32_t make_others(
	struct data_ends *e, const struct data_map *m, const struct wbl_work *work)
{
	struct wbl_out change = { 0 };
	int32_t rc = WBL_OK;

	for (const char *kind = "view"; !rc && kind;
		kind = !strcmp(kind, "view") ? "trigger" : NULL)
		for (const struct wbl_node *x = wbl_node_at(wbl_doc_root(m->source), "others.0");
			!rc && x; x = x->next) {
			if (strcmp(wbl_node_str(x, "kind"), kind) != 0 || !data_object_goes(m, x))
				continue;
			object_json(x, work->run_id, &change);
			rc = make_object(e, m, work, kind, wbl_node_str(x, "name"), change.s);
		}
	wbl_out_clear(&change);
	return rc;
}

int data_objects_follow(const struct data_map *m)
{
	struct wbl_out columns = { 0 };
	int some = 0;

	for (size_t i = 0; i < m->ntables && !some; i++) {
		const struct data_table *t = &m->tables[i];

		some = (t->indexes && t->indexes->count) || (t->autoincrement && m->same_dialect);
		for (const struct wbl_node *ix = wbl_node_at(t->source, "indexes.0"); ix && !some;
			ix = ix->next)
			some = !t->definition && data_index_goes(m, t, ix, &columns);
	}
	for (const struct wbl_node *x = wbl_node_at(wbl_doc_root(m->source), "others.0");
		x && !some; x = x->next)
		some = data_object_goes(m, x);
	wbl_out_clear(&columns);
	return some;
}

int32_t data_indexes_execute(struct wbl_call *call, const struct wbl_work *work)
{
	struct data_ends e;
	struct data_map m;
	int32_t rc;

	if (work->flags & WBL_WORK_REHEARSE)
		return WBL_OK;
	rc = data_with_map(call, WBL_OPEN_WRITE, &e, &m);
	if (rc)
		return rc;
	for (size_t i = 0; !rc && i < m.ntables; i++) {
		rc = make_indexes(&e, &m, &m.tables[i], work);
		rc = rc ? rc : set_counter(&e, &m.tables[i], work);
	}
	rc = rc ? rc : make_others(&e, &m, work);
	data_map_clear(&m);
	data_close(&e);
	return rc;
}

static int target_has_index(const struct data_table *t, const char *name)
{
	const struct wbl_node *ix = wbl_node_at(t->target, "indexes.0");

	while (ix && strcasecmp(wbl_node_str(ix, "name"), name) != 0)
		ix = ix->next;
	return ix != NULL;
}

/* The records say what was made; none of it may be left. */
static int32_t check_dropped(struct data_ends *e, const struct wbl_doc *target, const char *record)
{
	struct wbl_doc *doc = wbl_doc_parse(record, strlen(record), NULL);
	const char *index = wbl_node_str(wbl_doc_root(doc), "drop_index.name"),
		   *object = wbl_node_str(wbl_doc_root(doc), "drop_object.name"),
		   *left = index || object ? data_holder(target, index ? index : object) : NULL;

	wbl_doc_free(doc);
	return left ? data_differs(e->call, WBL_DIFF_EXTRA, left, "none of what was made", record)
		    : WBL_OK;
}

static int32_t check_no_indexes(struct wbl_call *call)
{
	struct wbl_doc *target = NULL;
	struct data_undo *list;
	struct data_ends e;
	size_t n;
	int32_t rc = data_undo_list(call, &list, &n);

	if (!rc && n) {
		rc = data_open_target(call, WBL_OPEN_READ, &e);
		rc = rc ? rc : data_describe_target(&e, NULL, &target);
		for (size_t i = 0; !rc && i < n; i++)
			rc = check_dropped(&e, target, list[i].body);
		wbl_doc_free(target);
		data_close(&e);
	}
	data_undo_free(list, n);
	return rc;
}

int32_t data_indexes_verify(struct wbl_call *call, const struct wbl_work *work)
{
	struct data_ends e;
	struct data_map m;
	int32_t rc;

	if (work->flags & WBL_WORK_BEFORE)
		return check_no_indexes(call);
	rc = data_with_map(call, WBL_OPEN_READ, &e, &m);
	if (rc)
		return rc;
	for (size_t i = 0; i < m.ntables; i++) {
		const struct data_table *t = &m.tables[i];
		const struct wbl_node *ix = t->indexes ? t->indexes->child : NULL;

		for (; !rc && ix; ix = ix->next)
			if (!t->target || !target_has_index(t, wbl_node_str(ix, "name")))
				rc = data_differs(call, WBL_DIFF_MISSING, t->to, "an index",
					wbl_node_str(ix, "name"));
		if (!rc && wbl_node_bool(t->target, "autoincrement", 0) &&
			wbl_node_int(t->target, "sequence", 0) <
				wbl_node_int(t->source, "sequence", 0))
			rc = data_differs(call, WBL_DIFF_CHANGED, t->to,
				"a counter as far as the source's", "one behind it");
	}
	data_map_clear(&m);
	data_close(&e);
	return rc;
}

int32_t data_indexes_rollback(struct wbl_call *call, const struct wbl_work *work)
{
	const struct wbl_undo_service *undo = wbl_service(call, "wbl.undo/1");
	struct data_undo *list;
	struct data_ends e = { 0 };
	size_t n;
	int32_t rc = data_undo_list(call, &list, &n);

	if (!rc && n)
		rc = data_open_target(call, WBL_OPEN_WRITE, &e);
	for (size_t i = 0; !rc && i < n; i++) {
		if (list[i].reversed)
			continue;
		rc = data_change(&e, work, list[i].body, NULL);
		WBL_FAULT(call, "index_dropped");
		rc = rc ? rc : undo->done(call, list[i].id);
	}
	data_close(&e);
	data_undo_free(list, n);
	return rc;
}
