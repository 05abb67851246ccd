/* data_schema.c - what is made around the rows: the store itself, tables, indexes, views, and taken away again.
 * In: the mapping, step parameters ({"create":[...],"objects":[...],"store":bool,"before":digest}).  Out: schema changes of the
 * target, each after its undo record.  Only what this run made is dropped: its receipt stands in the target.
 * SPDX-License-Identifier: Apache-2.0 */
#include "data_impl.h"

#include <stdlib.h>
#include <string.h>

/* ---- undo records ---- */

int32_t data_undo_list(struct wbl_call *call, struct data_undo **ret, size_t *ret_n)
{
	const struct wbl_undo_service *undo = wbl_service(call, "wbl.undo/1");
	struct wbl_undo u = { .size = sizeof u };
	void *cursor = NULL;
	int32_t rc = WBL_END;

	*ret = NULL;
	*ret_n = 0;
	while (undo && !(rc = undo->each(call, &cursor, &u))) {
		struct wbl_out body = { 0 };

		*ret = wbl_sdk_grow(*ret, (*ret_n + 1) * sizeof **ret);
		wbl_out_add(&body, u.body.data, u.body.len);
		(*ret)[(*ret_n)++] =
			(struct data_undo){ wbl_sdk_strdup(u.id), body.s, (u.flags & 1) != 0 };
	}
	return rc == WBL_END ? WBL_OK : rc;
}

void data_undo_free(struct data_undo *list, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		free(list[i].id);
		free(list[i].body);
	}
	free(list);
}

int32_t data_undo_put(struct wbl_call *call, const char *id, const char *body)
{
	const struct wbl_undo_service *undo = wbl_service(call, "wbl.undo/1");
	struct wbl_undo u = { .size = sizeof u, .id = id, .body = { body, strlen(body) } };

	if (!undo)
		return wbl_error_report(
			call, WBL_E_ABI, id, NULL, "the host keeps no undo records here");
	return undo->put(call, &u);
}

/* ---- one change ---- */

static int32_t change_keyed(
	struct data_ends *e, const struct wbl_work *work, const char *change, const char *key)
{
	struct wbl_receipt receipt = {
		.size = sizeof receipt,
		.epoch = work->epoch,
		.attempt = work->attempt,
		.key = key,
	};
	struct wbl_schema schema = {
		.size = sizeof schema,
		.change_json = change,
		.receipt = key ? &receipt : NULL,
	};
	const char *text;
	int32_t rc;

	if (!e->dst->schema)
		return wbl_error_report(
			e->call, WBL_E_UNSUPPORTED, "target", NULL, "this store changes no schema");
	rc = e->dst->schema(e->target.self, e->call, &schema, &text);
	return rc == WBL_END ? WBL_OK : rc;
}

int32_t data_change(
	struct data_ends *e, const struct wbl_work *work, const char *change, const char *part)
{
	struct wbl_out key = { 0 };
	int32_t rc;

	if (part)
		wbl_out_fmt(&key, "%s/%s", work->key, part);
	rc = change_keyed(e, work, change, key.s);
	wbl_out_clear(&key);
	return rc;
}

int32_t data_change_named(struct data_ends *e, const struct wbl_work *work, const char *verb,
	const char *name, const char *part)
{
	struct wbl_out o = { 0 };
	int32_t rc;

	wbl_out_open(&o, NULL, '{');
	wbl_out_open(&o, verb, '{');
	if (name)
		wbl_out_text(&o, "name", name);
	wbl_out_text(&o, "origin", work->run_id);
	wbl_out_int(&o, "epoch", (int64_t)work->epoch);
	wbl_out_close(&o, '}');
	wbl_out_close(&o, '}');
	rc = data_change(e, work, o.s, part);
	wbl_out_clear(&o);
	return rc;
}

static int32_t with_map(
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

static int32_t make_table(
	struct data_ends *e, struct data_map *m, struct data_table *t, const struct wbl_work *work)
{
	struct wbl_out id = { 0 }, body = { 0 }, change = { 0 };
	int32_t rc;

	wbl_out_fmt(&id, "table:%s", t->to);
	rc = t->target ? has_receipt(e, work, id.s) : WBL_END;
	if (rc == WBL_END && t->target)
		rc = wbl_error_report(e->call, WBL_E_STALE, t->to, "Plan again.",
			"table \"%s\" has come into being since the plan was made", t->to);
	if (rc == WBL_END) {
		wbl_out_open(&body, NULL, '{');
		wbl_out_text(&body, "table", t->to);
		wbl_out_text(&body, "key", work->key);
		wbl_out_close(&body, '}');
		rc = data_undo_put(e->call, id.s, body.s);
		WBL_FAULT(e->call, "table_recorded");
		data_table_json(t, m->same_dialect, work->run_id, &change);
		rc = rc < 0 ? rc : data_change(e, work, change.s, id.s);
		WBL_FAULT(e->call, "table_made");
	}
	wbl_out_clear(&id);
	wbl_out_clear(&body);
	wbl_out_clear(&change);
	return rc;
}

static int32_t make_store(struct data_ends *e, struct data_map *m)
{
	int32_t rc;

	if (wbl_node_bool(wbl_doc_root(m->target), "exists", 0))
		return WBL_OK;
	rc = data_undo_put(e->call, "store", "{}");
	WBL_FAULT(e->call, "store_recorded");
	rc = rc < 0 ? rc : change_keyed(e, &(struct wbl_work){ 0 }, "{\"create_store\":{}}", NULL);
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
		data_table_json(&m->tables[i], m->same_dialect, NULL, &change);
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

int32_t data_schema_execute(struct wbl_call *call, const struct wbl_work *work)
{
	const struct wbl_run_service *run = wbl_service(call, "wbl.run/1");
	int rehearse = (work->flags & WBL_WORK_REHEARSE) != 0;
	struct wbl_doc *params = wbl_doc_parse(work->params, strlen(work->params), NULL);
	const struct wbl_node *create = wbl_node_at(wbl_doc_root(params), "create");
	struct wbl_out identity = { 0 };
	struct data_ends e;
	struct data_map m;
	int32_t rc = with_map(call, WBL_OPEN_WRITE, &e, &m);

	if (!rc && rehearse) {
		rc = rehearse_schema(&e, &m);
	} else if (!rc) {
		rc = data_identity(&e, m.tables[0].from, &identity);
		if (!rc && run)
			rc = run->output(
				call, "source", (struct wbl_bytes){ identity.s, identity.len });
		rc = rc ? rc : make_store(&e, &m);
		for (size_t i = 0; !rc && i < m.ntables; i++) {
			rc = wbl_stop_asked(call);
			if (!rc && planned(create, m.tables[i].to))
				rc = make_table(&e, &m, &m.tables[i], work);
		}
	}
	wbl_out_clear(&identity);
	data_map_clear(&m);
	data_close(&e);
	wbl_doc_free(params);
	return rc;
}

static int32_t differs(struct wbl_call *call, int32_t kind, const char *set, const char *expected,
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
			return differs(e->call, WBL_DIFF_MISSING, t->to, "a table", "none");
		for (size_t k = 0; k < t->ncols; k++) {
			const struct wbl_node *c = cols ? cols->child : NULL;

			while (c && strcasecmp(wbl_node_str(c, "name"), t->cols[k].name) != 0)
				c = c->next;
			if (!c)
				return differs(e->call, WBL_DIFF_MISSING, t->to, t->cols[k].name,
					"no such column");
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
			return differs(e->call, WBL_DIFF_MISSING, x->text.s,
				"what was there before", "none");
		if (strcmp(now->text.s, x->next->text.s) != 0)
			return differs(e->call, WBL_DIFF_CHANGED, x->text.s,
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
		return differs(e->call, WBL_DIFF_CHANGED, "target", wbl_node_str(params, "before"),
			"another schema");
	for (const struct wbl_node *c = create ? create->child : NULL; c; c = c->next)
		if (data_set(target, c->text.s))
			return differs(e->call, WBL_DIFF_EXTRA, c->text.s, "no table", "one");
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
		return differs(e->call, WBL_DIFF_EXTRA, "target", "no store", "an empty one");
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
	rc = with_map(call, WBL_OPEN_READ, &e, &m);
	if (!rc) {
		rc = check_tables(&e, &m);
		data_map_clear(&m);
		data_close(&e);
	}
	wbl_doc_free(params);
	return rc;
}

/* ---- back ---- */

static int32_t drop_made_table(
	struct data_ends *e, const struct wbl_work *work, const struct data_undo *u)
{
	struct wbl_doc *doc = wbl_doc_parse(u->body, strlen(u->body), NULL);
	const char *name = wbl_node_str(wbl_doc_root(doc), "table"),
		   *key = wbl_node_str(wbl_doc_root(doc), "key");
	struct wbl_out part = { 0 };
	struct wbl_bytes body;
	int32_t rc = WBL_E_CORRUPT;

	if (name && key) {
		wbl_out_fmt(&part, "%s/table:%s", key, name);
		rc = e->dst->receipt(e->target.self, e->call, part.s, &body);
		/* No receipt: the attempt died between record and change, and what bears the name is not ours. */
		if (rc == WBL_OK)
			rc = data_change_named(e, work, "drop_table", name, NULL);
	}
	wbl_out_clear(&part);
	wbl_doc_free(doc);
	return rc == WBL_END ? WBL_OK : rc;
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
		rc = drop_made_table(&e, work, &list[i]);
		WBL_FAULT(call, "table_dropped");
		rc = rc ? rc : undo->done(call, list[i].id);
	}
	/* Last, because the marks of the epoch stand there too. */
	rc = rc ? rc : data_change_named(&e, work, "drop_receipts", NULL, NULL);
	WBL_FAULT(call, "receipts_dropped");
	for (size_t i = 0; !rc && i < n; i++) {
		if (list[i].reversed || strncmp(list[i].id, "store", 6) != 0)
			continue;
		rc = change_keyed(&e, work, "{\"drop_store\":{}}", NULL);
		WBL_FAULT(call, "store_dropped");
		rc = rc ? rc : undo->done(call, list[i].id);
	}
	data_close(&e);
	data_undo_free(list, n);
	return rc;
}

/* ---- indexes, and views and triggers of a whole copy ---- */

static void index_json(const struct data_map *m, const struct data_table *t,
	const struct wbl_node *ix, const char *origin, struct wbl_out *o)
{
	const struct wbl_node *cols = wbl_node_at(ix, "columns");

	wbl_out_reset(o);
	wbl_out_open(o, NULL, '{');
	wbl_out_open(o, "create_index", '{');
	wbl_out_text(o, "name", wbl_node_str(ix, "name"));
	wbl_out_text(o, "origin", origin);
	wbl_out_text(o, "set", t->to);
	if (m->same_dialect && wbl_node_str(ix, "definition")) {
		wbl_out_text(o, "definition", wbl_node_str(ix, "definition"));
	} else {
		wbl_out_bool(o, "unique", wbl_node_bool(ix, "unique", 0));
		wbl_out_open(o, "columns", '[');
		for (const struct wbl_node *c = cols ? cols->child : NULL; c; c = c->next)
			wbl_out_text(o, NULL, c->text.s);
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
static const char *holder(const struct wbl_doc *target, const char *name)
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
	rc = holder(m->target, name) ? WBL_OK : data_undo_put(e->call, id.s, back.s);
	WBL_FAULT(e->call, "index_recorded");
	rc = rc < 0 ? rc : data_change(e, work, change, id.s);
	WBL_FAULT(e->call, "index_made");
	wbl_out_clear(&id);
	wbl_out_clear(&back);
	return rc;
}

int32_t data_indexes_execute(struct wbl_call *call, const struct wbl_work *work)
{
	struct data_ends e;
	struct data_map m;
	struct wbl_out change = { 0 };
	const struct wbl_node *others;
	int32_t rc;

	if (work->flags & WBL_WORK_REHEARSE)
		return WBL_OK;
	rc = with_map(call, WBL_OPEN_WRITE, &e, &m);
	if (rc)
		return rc;
	for (size_t i = 0; i < m.ntables; i++) {
		const struct wbl_node *ix = m.tables[i].indexes ? m.tables[i].indexes->child : NULL;

		for (; !rc && ix; ix = ix->next) {
			index_json(&m, &m.tables[i], ix, work->run_id, &change);
			rc = wbl_stop_asked(call);
			rc = rc ? rc
				: make_object(&e, &m, work, "index", wbl_node_str(ix, "name"),
					  change.s);
		}
	}
	others = m.whole && m.same_dialect ? wbl_node_at(wbl_doc_root(m.source), "others.0") : NULL;
	for (const char *kind = "view"; !rc && kind;
		kind = !strcmp(kind, "view") ? "trigger" : NULL)
		for (const struct wbl_node *x = others; !rc && x; x = x->next) {
			if (strcmp(wbl_node_str(x, "kind"), kind) != 0)
				continue;
			object_json(x, work->run_id, &change);
			rc = make_object(&e, &m, work, kind, wbl_node_str(x, "name"), change.s);
		}
	wbl_out_clear(&change);
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
		   *left = index || object ? holder(target, index ? index : object) : NULL;

	wbl_doc_free(doc);
	return left ? differs(e->call, WBL_DIFF_EXTRA, left, "none of what was made", record)
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
	rc = with_map(call, WBL_OPEN_READ, &e, &m);
	if (rc)
		return rc;
	for (size_t i = 0; i < m.ntables; i++) {
		const struct data_table *t = &m.tables[i];
		const struct wbl_node *ix = t->indexes ? t->indexes->child : NULL;

		for (; !rc && ix; ix = ix->next)
			if (!t->target || !target_has_index(t, wbl_node_str(ix, "name")))
				rc = differs(call, WBL_DIFF_MISSING, t->to, "an index",
					wbl_node_str(ix, "name"));
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

/* ---- receipts away, and back when the run is rolled back after that ---- */

int32_t data_tidy_execute(struct wbl_call *call, const struct wbl_work *work)
{
	struct wbl_out change = { 0 };
	struct wbl_schema say = { .size = sizeof say, .flags = 1 };
	const char *back = NULL;
	struct data_ends e;
	int32_t rc;

	if (work->flags & WBL_WORK_REHEARSE)
		return WBL_OK;
	rc = data_open_target(call, WBL_OPEN_WRITE, &e);
	if (rc)
		return rc;
	wbl_out_fmt(&change, "{\"drop_receipts\":{\"origin\":");
	wbl_out_text(&change, NULL, work->run_id);
	wbl_out_fmt(&change, "}}");
	say.change_json = change.s;
	rc = e.dst->schema(e.target.self, call, &say, &back);
	if (!rc && back && *back)
		rc = data_undo_put(call, "receipts", back);
	WBL_FAULT(call, "receipts_recorded");
	rc = rc < 0 ? rc : data_change(&e, work, change.s, NULL);
	WBL_FAULT(call, "receipts_dropped");
	if (!rc) /* whatever stands there from now on came later */
		rc = data_undo_put(call, "dropped", "{}");
	rc = rc < 0 ? rc : WBL_OK;
	wbl_out_clear(&change);
	data_close(&e);
	return rc;
}

/* Receipts of repairs, which came after the others were dropped, stay beside those. */
static int32_t restore(
	struct data_ends *e, const struct wbl_work *work, const char *change, int later)
{
	static const char head[] = "{\"restore_receipts\":{";
	struct wbl_out o = { 0 };
	int32_t rc;

	if (later && !strncmp(change, head, sizeof head - 1))
		wbl_out_fmt(&o, "%s\"later\":true,%s", head, change + sizeof head - 1);
	rc = data_change(e, work, o.s ? o.s : change, NULL);
	wbl_out_clear(&o);
	return rc;
}

int32_t data_tidy_rollback(struct wbl_call *call, const struct wbl_work *work)
{
	const struct wbl_undo_service *undo = wbl_service(call, "wbl.undo/1");
	struct data_undo *list;
	struct data_ends e;
	size_t n, at = 0;
	int later = 0;
	int32_t rc = data_undo_list(call, &list, &n);

	for (size_t i = 0; !rc && i < n; i++)
		if (!strcmp(list[i].id, "dropped"))
			later = 1;
		else
			at = i;
	if (!rc && n > (size_t)later && !list[at].reversed) {
		rc = data_open_target(call, WBL_OPEN_WRITE, &e);
		if (!rc) {
			rc = restore(&e, work, list[at].body, later);
			WBL_FAULT(call, "receipts_restored");
			rc = rc ? rc : undo->done(call, list[at].id);
			rc = rc || !later ? rc : undo->done(call, "dropped");
			data_close(&e);
		}
	}
	data_undo_free(list, n);
	return rc;
}
