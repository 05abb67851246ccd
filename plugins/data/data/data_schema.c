/* data_schema.c - what is made around the rows: the store itself, tables, indexes, views, and taken away again.
 * In: the mapping, step parameters ({"create":[...],"objects":[...],"store":bool,"before":digest}).  Out: schema changes of the
 * target, each after its undo record.  Only what this run made is dropped: its receipt stands in the target.
 * SPDX-License-Identifier: Apache-2.0 */
#include "data_impl.h"

#include <stdlib.h>
#include <string.h>

int32_t data_with_map(
	struct wbl_call *call, uint32_t flags, struct data_ends *e, struct data_map *m)
{
	int32_t rc = data_open(call, flags, e);

	memset(m, 0, sizeof *m);
	if (rc)
		return rc;
	rc = data_map_build(e, m);
	if (rc)
		data_close(e);
	return rc;
}

/* ---- tables ---- */

static int planned(const struct wbl_node *create, const char *name)
{
	for (const struct wbl_node *c = create ? create->child : NULL; c; c = c->next)
		if (!strcmp(c->text.s, name))
			return 1;
	return 0;
}

static int32_t has_receipt(struct data_ends *e, const struct wbl_work *work, const char *part)
{
	struct wbl_out key = { 0 };
	struct wbl_bytes body;
	int32_t rc;

	wbl_out_fmt(&key, "%s/%s", work->key, part);
	rc = e->dst->receipt ? e->dst->receipt(e->target.self, e->call, key.s, &body) : WBL_END;
	wbl_out_clear(&key);
	return rc;
}

enum { MOST_AT_ONCE = 256 };

/* One transaction of the target makes several tables where the store can: each alone costs a sync or two. */
struct making {
	struct data_ends *e;
	struct data_map *m;
	const struct wbl_work *work;
	size_t at_once;
};

static void say_tables(
	const struct making *g, struct data_table **list, size_t n, struct wbl_out *change)
{
	if (g->at_once == 1) {
		data_table_json(g->m, list[0], "create_table", g->work->run_id, change);
		return;
	}
	wbl_out_open(change, NULL, '{');
	wbl_out_open(change, "create_tables", '{');
	wbl_out_text(change, "origin", g->work->run_id);
	wbl_out_open(change, "tables", '[');
	for (size_t i = 0; i < n; i++)
		data_table_json(g->m, list[i], NULL, NULL, change);
	wbl_out_close(change, ']');
	wbl_out_close(change, '}');
	wbl_out_close(change, '}');
}

static void say_undo(
	const struct making *g, struct data_table **list, size_t n, struct wbl_out *body)
{
	wbl_out_open(body, NULL, '{');
	wbl_out_open(body, "tables", '[');
	for (size_t i = 0; i < n; i++)
		wbl_out_text(body, NULL, list[i]->to);
	wbl_out_close(body, ']');
	wbl_out_text(body, "key", g->work->key);
	wbl_out_close(body, '}');
}

/* The same tables make the same group in every attempt: the receipt is that of the group. */
static int32_t make_group(const struct making *g, struct data_table **list, size_t n)
{
	struct wbl_out id = { 0 }, body = { 0 }, change = { 0 };
	struct data_table *there = NULL;
	int32_t rc = WBL_END;

	for (size_t i = 0; i < n && !there; i++)
		there = list[i]->target ? list[i] : NULL;
	wbl_out_fmt(&id, "table:%s", list[0]->to);
	if (there)
		rc = has_receipt(g->e, g->work, id.s);
	if (rc == WBL_END && there)
		rc = wbl_error_report(g->e->call, WBL_E_STALE, there->to, "Plan again.",
			"table \"%s\" has come into being since the plan was made", there->to);
	if (rc == WBL_END) {
		say_undo(g, list, n, &body);
		rc = data_undo_put(g->e->call, id.s, body.s);
		WBL_FAULT(g->e->call, "table_recorded");
		say_tables(g, list, n, &change);
		rc = rc < 0 ? rc : data_change(g->e, g->work, change.s, id.s);
		WBL_FAULT(g->e->call, "table_made");
	}
	wbl_out_clear(&id);
	wbl_out_clear(&body);
	wbl_out_clear(&change);
	return rc;
}

static int32_t make_tables(const struct making *g, const struct wbl_node *create)
{
	struct data_table *list[MOST_AT_ONCE];
	size_t n = 0;
	int32_t rc = WBL_OK;

	for (size_t i = 0; !rc && i < g->m->ntables; i++) {
		rc = wbl_stop_asked(g->e->call);
		if (rc || !planned(create, g->m->tables[i].to))
			continue;
		list[n++] = &g->m->tables[i];
		if (n < g->at_once)
			continue;
		rc = make_group(g, list, n);
		n = 0;
	}
	return rc || !n ? rc : make_group(g, list, n);
}

/* The counter of a table that stands moves with the rows; the way back sets it to what it was. */
static int32_t keep_counters(struct data_ends *e, const struct data_map *m)
{
	struct wbl_out id = { 0 }, back = { 0 };
	int32_t rc = WBL_OK;

	for (size_t i = 0; rc >= 0 && i < m->ntables; i++) {
		const struct data_table *t = &m->tables[i];
		const struct wbl_node *at = wbl_node_at(t->target, "sequence");

		if (!t->target || !wbl_node_bool(t->target, "autoincrement", 0))
			continue;
		wbl_out_reset(&id);
		wbl_out_reset(&back);
		wbl_out_fmt(&id, "sequence:%s", t->to);
		wbl_out_open(&back, NULL, '{');
		wbl_out_open(&back, "set_sequence", '{');
		wbl_out_text(&back, "name", t->to);
		wbl_out_bool(&back, "exact", 1);
		if (at)
			wbl_out_int(&back, "value", wbl_node_int(at, "", 0));
		wbl_out_close(&back, '}');
		wbl_out_close(&back, '}');
		rc = data_undo_put(e->call, id.s, back.s);
	}
	wbl_out_clear(&id);
	wbl_out_clear(&back);
	return rc < 0 ? rc : WBL_OK;
}

static int32_t make_store(struct data_ends *e, struct data_map *m)
{
	int32_t rc;

	if (wbl_node_bool(wbl_doc_root(m->target), "exists", 0))
		return WBL_OK;
	rc = data_undo_put(e->call, "store", "{}");
	WBL_FAULT(e->call, "store_recorded");
	rc = rc < 0 ? rc
		    : data_change_keyed(e, &(struct wbl_work){ 0 }, "{\"create_store\":{}}", NULL);
	WBL_FAULT(e->call, "store_made");
	return rc;
}

static int32_t rehearse_schema(struct data_ends *e, struct data_map *m)
{
	const struct wbl_run_service *run = wbl_service(e->call, "wbl.run/1");
	int exists = wbl_node_bool(wbl_doc_root(m->target), "exists", 0);
	struct wbl_schema say = { .size = sizeof say, .flags = 1 };
	struct wbl_out change = { 0 };
	const char *text;
	int32_t rc = WBL_OK;

	for (size_t i = 0; exists && !rc && i < m->ntables; i++) {
		wbl_out_reset(&change);
		data_table_json(m, &m->tables[i], "create_table", NULL, &change);
		say.change_json = change.s;
		rc = e->dst->schema(e->target.self, e->call, &say, &text);
	}
	wbl_out_clear(&change);
	if (rc || !run)
		return rc;
	return run->rehearsed(e->call, exists ? 2 : 1,
		exists ? "the tables' definitions were made and not run"
		       : "the target does not exist yet");
}

static size_t at_once(const struct data_map *m)
{
	int64_t n = wbl_node_int(wbl_doc_root(m->target), "limits.tables_at_once", 1);

	return n < 1 ? 1 : n > MOST_AT_ONCE ? MOST_AT_ONCE : (size_t)n;
}

int32_t data_schema_execute(struct wbl_call *call, const struct wbl_work *work)
{
	const struct wbl_run_service *run = wbl_service(call, "wbl.run/1");
	int rehearse = (work->flags & WBL_WORK_REHEARSE) != 0;
	struct wbl_doc *params = wbl_doc_parse(work->params, strlen(work->params), NULL);
	const struct wbl_node *create = wbl_node_at(wbl_doc_root(params), "create");
	struct wbl_out identity = { 0 };
	struct data_ends e;
	struct data_map m;
	struct making making = { &e, &m, work, 1 };
	int32_t rc = data_with_map(call, WBL_OPEN_WRITE, &e, &m);

	if (!rc && rehearse) {
		rc = rehearse_schema(&e, &m);
	} else if (!rc) {
		rc = data_identity(&e, m.tables[0].from, &identity);
		if (!rc && run)
			rc = run->output(
				call, "source", (struct wbl_bytes){ identity.s, identity.len });
		rc = rc ? rc : make_store(&e, &m);
		rc = rc ? rc : keep_counters(&e, &m);
		making.at_once = at_once(&m);
		rc = rc ? rc : make_tables(&making, create);
		rc = rc ? rc : data_find_by_hand(call, &m);
	}
	wbl_out_clear(&identity);
	data_map_clear(&m);
	data_close(&e);
	wbl_doc_free(params);
	return rc;
}

int32_t data_differs(struct wbl_call *call, int32_t kind, const char *set, const char *expected,
	const char *found)
{
	const struct wbl_check_service *check = wbl_service(call, "wbl.check/1");
	struct wbl_difference d = {
		.size = sizeof d,
		.kind = kind,
		.set = set,
		.expected = expected,
		.found = found,
	};

	if (check)
		check->difference(call, &d);
	return wbl_error_report(
		call, WBL_E_MISMATCH, set, NULL, "expected %s, found %s", expected, found);
}

static int32_t check_tables(struct data_ends *e, struct data_map *m)
{
	for (size_t i = 0; i < m->ntables; i++) {
		struct data_table *t = &m->tables[i];
		const struct wbl_node *cols = wbl_node_at(t->target, "columns");

		if (!t->target)
			return data_differs(e->call, WBL_DIFF_MISSING, t->to, "a table", "none");
		for (size_t k = 0; k < t->ncols; k++) {
			const struct wbl_node *c = cols ? cols->child : NULL;

			while (c && strcasecmp(wbl_node_str(c, "name"), t->cols[k].name) != 0)
				c = c->next;
			if (!c)
				return data_differs(e->call, WBL_DIFF_MISSING, t->to,
					t->cols[k].name, "no such column");
		}
	}
	return WBL_OK;
}

static void tell_object(const struct wbl_node *x, struct wbl_out *o)
{
	const char *definition = wbl_node_str(x, "definition");
	char hex[33];

	wbl_digest_hex(definition ? definition : "", definition ? strlen(definition) : 0, hex);
	wbl_out_text(o, NULL, wbl_node_str(x, "name"));
	wbl_out_textn(o, NULL, hex, 16);
}

void data_objects_tell(const struct wbl_doc *target, const char *key, struct wbl_out *o)
{
	const struct wbl_node *root = wbl_doc_root(target), *set, *x;

	wbl_out_open(o, key, '[');
	for (set = wbl_node_at(root, "sets.0"); set; set = set->next) {
		tell_object(set, o);
		for (x = wbl_node_at(set, "indexes.0"); x; x = x->next)
			tell_object(x, o);
	}
	for (x = wbl_node_at(root, "others.0"); x; x = x->next)
		tell_object(x, o);
	wbl_out_close(o, ']');
}

static const struct wbl_node *digest_of(const struct wbl_node *objects, const char *name)
{
	const struct wbl_node *x = objects->child;

	for (; x && x->next; x = x->next->next)
		if (!strcmp(x->text.s, name))
			return x->next;
	return NULL;
}

static int32_t compare_objects(
	struct data_ends *e, const struct wbl_node *was, const struct wbl_node *is)
{
	for (const struct wbl_node *x = was->child; x && x->next; x = x->next->next) {
		const struct wbl_node *now = digest_of(is, x->text.s);

		if (!now)
			return data_differs(e->call, WBL_DIFF_MISSING, x->text.s,
				"what was there before", "none");
		if (strcmp(now->text.s, x->next->text.s) != 0)
			return data_differs(e->call, WBL_DIFF_CHANGED, x->text.s,
				"the definition of before", "another one");
	}
	return WBL_OK;
}

/* A database that lives may have got other tables since; they cannot be taken back here, and must not keep the run from
 * its end. What was there before must be there, and what this run was to make must not. */
static int32_t other_schema(
	struct data_ends *e, const struct wbl_doc *target, const struct wbl_node *params)
{
	const struct wbl_node *create = wbl_node_at(params, "create"),
			      *was = wbl_node_at(params, "objects");
	struct wbl_out o = { 0 };
	struct wbl_doc *now;
	int32_t rc;

	if (!was)
		return data_differs(e->call, WBL_DIFF_CHANGED, "target",
			wbl_node_str(params, "before"), "another schema");
	for (const struct wbl_node *c = create ? create->child : NULL; c; c = c->next)
		if (data_set(target, c->text.s))
			return data_differs(e->call, WBL_DIFF_EXTRA, c->text.s, "no table", "one");
	data_objects_tell(target, NULL, &o);
	now = wbl_doc_parse(o.s, o.len, NULL);
	rc = now ? compare_objects(e, was, wbl_doc_root(now)) : WBL_E_ABI;
	wbl_doc_free(now);
	wbl_out_clear(&o);
	if (!rc)
		wbl_warning_report(e->call, "target", "Decide whether they are still wanted.",
			"others put tables, indexes or views into it; they stay");
	return rc;
}

/* After the rollback: the same objects, word for word, as when the plan was made, but for what others did. */
static int32_t compare_before(
	struct data_ends *e, const struct wbl_doc *target, const struct wbl_node *params)
{
	const struct wbl_node *now = wbl_doc_root(target);
	const char *was = wbl_node_str(params, "before"), *is = wbl_node_str(now, "schema_digest");
	int made = wbl_node_bool(params, "store", 0);

	if (made && !wbl_node_bool(now, "exists", 0))
		return WBL_OK;
	if (made && wbl_node_at(now, "sets.0"))
		wbl_warning_report(e->call, wbl_node_str(now, "claims.0.name"),
			"Decide whether the file is still wanted.",
			"others put something into the new target; it stays");
	else if (made)
		return data_differs(e->call, WBL_DIFF_EXTRA, "target", "no store", "an empty one");
	if (!made && was && is && strcmp(was, is) != 0)
		return other_schema(e, target, params);
	return WBL_OK;
}

static int32_t check_before(struct wbl_call *call, const struct wbl_node *params)
{
	struct wbl_doc *target = NULL;
	struct data_ends e;
	int32_t rc = data_open_target(call, WBL_OPEN_READ, &e);

	if (rc)
		return rc;
	rc = data_describe_target(&e, NULL, &target);
	rc = rc ? rc : compare_before(&e, target, params);
	wbl_doc_free(target);
	data_close(&e);
	return rc;
}

int32_t data_schema_verify(struct wbl_call *call, const struct wbl_work *work)
{
	struct wbl_doc *params = wbl_doc_parse(work->params, strlen(work->params), NULL);
	struct data_ends e;
	struct data_map m;
	int32_t rc;

	if (work->flags & WBL_WORK_BEFORE) {
		rc = check_before(call, wbl_doc_root(params));
		wbl_doc_free(params);
		return rc;
	}
	rc = data_with_map(call, WBL_OPEN_READ, &e, &m);
	if (!rc) {
		rc = check_tables(&e, &m);
		data_map_clear(&m);
		data_close(&e);
	}
	wbl_doc_free(params);
	return rc;
}

/* ---- back ---- */

static int32_t drop_tables(
	struct data_ends *e, const struct wbl_work *work, const struct wbl_node *list)
{
	struct wbl_out o = { 0 };
	int32_t rc = WBL_OK;

	if (list->count == 1)
		return data_change_named(e, work, "drop_table", list->child->text.s, NULL);
	wbl_out_open(&o, NULL, '{');
	wbl_out_open(&o, "drop_tables", '{');
	wbl_out_text(&o, "origin", work->run_id);
	wbl_out_open(&o, "names", '[');
	for (const struct wbl_node *t = list->child; t; t = t->next)
		wbl_out_text(&o, NULL, t->text.s);
	wbl_out_close(&o, ']');
	wbl_out_close(&o, '}');
	wbl_out_close(&o, '}');
	rc = data_change(e, work, o.s, NULL);
	wbl_out_clear(&o);
	return rc;
}

static int32_t drop_made(
	struct data_ends *e, const struct wbl_work *work, const struct data_undo *u)
{
	struct wbl_doc *doc = wbl_doc_parse(u->body, strlen(u->body), NULL);
	const struct wbl_node *list = wbl_node_at(wbl_doc_root(doc), "tables");
	const char *key = wbl_node_str(wbl_doc_root(doc), "key");
	struct wbl_out part = { 0 };
	struct wbl_bytes body;
	int32_t rc = WBL_E_CORRUPT;

	if (list && list->count && key) {
		wbl_out_fmt(&part, "%s/%s", key, u->id);
		rc = e->dst->receipt(e->target.self, e->call, part.s, &body);
		/* No receipt: the attempt died between record and change, and what bears the name is not ours. */
		if (rc == WBL_OK)
			rc = drop_tables(e, work, list);
	}
	wbl_out_clear(&part);
	wbl_doc_free(doc);
	return rc == WBL_END ? WBL_OK : rc;
}

static int32_t take_back(
	struct data_ends *e, const struct wbl_work *work, const struct data_undo *u)
{
	int32_t rc = strncmp(u->id, "sequence:", 9) ? drop_made(e, work, u)
						    : data_change(e, work, u->body, NULL);

	WBL_FAULT(e->call, "table_dropped");
	return rc;
}

int32_t data_schema_rollback(struct wbl_call *call, const struct wbl_work *work)
{
	const struct wbl_undo_service *undo = wbl_service(call, "wbl.undo/1");
	struct data_undo *list;
	struct data_ends e = { 0 };
	size_t n;
	int32_t rc = data_undo_list(call, &list, &n);

	rc = rc ? rc : data_open_target(call, WBL_OPEN_WRITE, &e);
	if (rc) {
		data_undo_free(list, n);
		return rc;
	}
	for (size_t i = 0; !rc && i < n; i++) {
		if (list[i].reversed || !strncmp(list[i].id, "store", 6))
			continue;
		rc = take_back(&e, work, &list[i]);
		rc = rc ? rc : undo->done(call, list[i].id);
	}
	/* Last, because the marks of the epoch stand there too. */
	rc = rc ? rc : data_change_named(&e, work, "drop_receipts", NULL, NULL);
	WBL_FAULT(call, "receipts_dropped");
	for (size_t i = 0; !rc && i < n; i++) {
		if (list[i].reversed || strncmp(list[i].id, "store", 6) != 0)
			continue;
		rc = data_change_keyed(&e, work, "{\"drop_store\":{}}", NULL);
		WBL_FAULT(call, "store_dropped");
		rc = rc ? rc : undo->done(call, list[i].id);
	}
	data_close(&e);
	data_undo_free(list, n);
	return rc;
}
