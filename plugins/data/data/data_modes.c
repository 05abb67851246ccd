/* data_modes.c - how rows come into a table that may hold some: appended, merged, brought into step; read from the options and checked.
 * In: `existing`, `mode`, `changes`, both descriptions.  Out: table->manner, or the place in the options; the steps of a merge in the plan.
 * SPDX-License-Identifier: Apache-2.0 */
#include "data_sync.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

static int one_of(const char *text, const char *const *list, int otherwise)
{
	for (int i = 0; text && list[i]; i++)
		if (!strcmp(text, list[i]))
			return i;
	return otherwise;
}

static const char *const modes[] = { "refuse", "empty", "append", "merge", NULL };
static const char *const bys[] = { "none", "column", "digest", NULL };
static const char *const deletes[] = { "keep", "apply", "mark", NULL };
static const char *const policies[] = { "none", "source", "target", "manual", NULL };
static const char *const whether_others[] = { "auto", "digest", "none", NULL };

static int32_t wrong(struct data_ends *e, const char *path, const char *hint, const char *text)
{
	return wbl_error_report(e->call, WBL_E_PARAM, path, hint, "%s", text);
}

/* A mark of former runs holds for this mapping only. */
static void digest_node(const struct wbl_node *n, struct wbl_out *o)
{
	if (!n)
		return;
	wbl_out_fmt(o, "%d %s=%s(", n->kind, n->key.s, n->text.s ? n->text.s : "");
	for (const struct wbl_node *c = n->child; c; c = c->next)
		digest_node(c, o);
	wbl_out_fmt(o, ")");
}

static void condition(struct data_map *m, struct data_table *t, const char *deleted)
{
	struct wbl_out live = { 0 }, gone = { 0 };
	const char *base = t->where && *t->where ? t->where : NULL;

	t->manner.base = base;
	if (!deleted || !*deleted)
		return;
	if (base)
		wbl_out_fmt(&live, "(%s\n) AND ", base);
	wbl_out_fmt(&gone, "%s", live.s ? live.s : "");
	wbl_out_fmt(&live, "CASE WHEN (%s\n) THEN 0 ELSE 1 END = 1", deleted);
	wbl_out_fmt(&gone, "CASE WHEN (%s\n) THEN 1 ELSE 0 END = 1", deleted);
	t->where = data_map_own(m, live.s);
	t->manner.gone = data_map_own(m, gone.s);
}

static int32_t check_changes(struct data_ends *e, const struct data_table *t, const char *path)
{
	const struct data_manner *n = &t->manner;

	if (n->by == DATA_BY_COLUMN && (!n->column || !*n->column))
		return wrong(e, path, "Name it: column = \"updated_at\".",
			"changes by a column, and no column");
	if (n->by != DATA_BY_COLUMN && n->overlap && *n->overlap)
		return wrong(e, path, "Take it out, or set by = \"column\".",
			"an overlap, and no column whose marks it could be behind");
	if (n->overlap && *n->overlap && data_overlap_check(n->overlap))
		return wrong(e, path, "Write 90, 30s, 5m, 36h or 2d.", "an overlap that is none");
	if ((n->by == DATA_BY_COLUMN || n->gone) && !(e->source.capabilities & WBL_CAN_SQL))
		return wrong(e, path, "Use by = \"digest\".",
			"the source evaluates no conditions, so a column cannot tell its changes");
	if (n->by == DATA_BY_COLUMN && n->deletes != DATA_DELETES_KEEP && !n->gone)
		return wrong(e, path,
			"Give deleted_when, use by = \"digest\", or set deletes = \"keep\".",
			"a column cannot tell which rows of the source are gone");
	if (n->deletes == DATA_DELETES_MARK && !n->mark)
		return wrong(e, path, "Name the column: mark = \"deleted_at\".",
			"rows that are gone are to be marked, and no column says where");
	if (n->mark && n->deletes != DATA_DELETES_MARK)
		return wrong(e, path, "Set deletes = \"mark\".",
			"a column for the mark, and deletes are not marked");
	for (size_t i = 0; n->mark && i < t->ncols; i++)
		if (!strcasecmp(t->cols[i].name, n->mark))
			return wrong(e, path, "Take it out of the mapping, or choose another.",
				"the column for the mark is filled from the source");
	return WBL_OK;
}

static int32_t read_changes(struct data_ends *e, struct data_map *m, struct data_table *t,
	const struct wbl_node *spec, const struct wbl_node *c, const char *path)
{
	struct data_manner *n = &t->manner;

	n->by = one_of(wbl_node_str(c, "by"), bys, DATA_BY_DIGEST);
	n->column = wbl_node_str(c, "column");
	n->overlap = wbl_node_str(c, "overlap");
	n->deletes = one_of(wbl_node_str(c, "deletes"), deletes, DATA_DELETES_KEEP);
	n->conflicts = one_of(wbl_node_str(c, "conflicts"), policies, DATA_CONFLICTS_NONE);
	n->decisions = wbl_node_str(c, "decisions");
	n->mark = wbl_node_str(c, "mark");
	n->mark_value = wbl_node_str(c, "mark_value");
	n->mark_value = n->mark_value ? n->mark_value : "1";
	condition(m, t, wbl_node_str(c, "deleted_when"));
	if (n->by == DATA_BY_COLUMN && wbl_node_at(spec, "from_all.1"))
		return wrong(e, path, "Use by = \"digest\".",
			"a column tells the changes of one table of the source only");
	return check_changes(e, t, path);
}

/* The target finds rows by its own key: ours must be that one, and is taken in its order. */
static int32_t match_key(struct data_ends *e, struct data_table *t, const char *path)
{
	const struct wbl_node *k = wbl_node_at(t->target, "key.0");
	size_t *key = wbl_sdk_alloc((t->nkey + 1) * sizeof *key), n = 0;

	for (; k && n < t->nkey; k = k->next, n++) {
		size_t i = 0;

		while (i < t->nkey && strcasecmp(t->cols[t->key[i]].name, k->text.s) != 0)
			i++;
		if (i == t->nkey)
			break;
		key[n] = t->key[i];
	}
	if (k || n < t->nkey) {
		free(key);
		return wrong(e, path, "Map all columns of its key, and name them as `key`.",
			"the key of the mapping is not the key of the target's table");
	}
	memcpy(t->key, key, t->nkey * sizeof *key);
	free(key);
	return WBL_OK;
}

int32_t data_manner_read(struct data_ends *e, struct data_map *m, struct data_table *t,
	const struct wbl_node *spec, const char *path)
{
	struct data_manner *n = &t->manner;
	const struct wbl_node *changes = wbl_node_at(spec, "changes");
	const char *mode = wbl_node_str(spec, "mode");
	struct wbl_out text = { 0 };
	uint64_t hi;
	int32_t rc = WBL_OK;

	if (!changes || changes->kind != WBL_NODE_OBJECT)
		changes = wbl_param_json(e->call, "changes");
	if (changes && changes->kind != WBL_NODE_OBJECT)
		changes = NULL;
	n->base = t->where;
	n->mode = one_of(mode ? mode : wbl_param_text(e->call, "existing").s, modes, 0);
	n->others = one_of(wbl_param_text(e->call, "others").s, whether_others, DATA_OTHERS_AUTO);
	digest_node(spec, &text);
	digest_node(changes, &text);
	wbl_digest_128(text.s ? text.s : "", text.len, 0, &n->definition, &hi);
	wbl_out_clear(&text);
	if (changes) {
		if (mode && n->mode != DATA_MODE_MERGE)
			return wrong(e, path, "Leave the mode out.",
				"a table that is brought into step is merged");
		n->mode = DATA_MODE_MERGE;
		rc = read_changes(e, m, t, spec, changes, path);
	}
	if (!rc && n->mode >= DATA_MODE_APPEND && !t->nkey)
		rc = wrong(e, path, "Name the columns that tell rows apart: key = ( \"id\" ).",
			"rows can only be added to others, and taken back, by a key");
	if (!rc && n->mode >= DATA_MODE_APPEND && t->target && e->dst->fetch)
		rc = match_key(e, t, path);
	return rc;
}

int data_merges(const struct data_table *t)
{
	return t->manner.mode >= DATA_MODE_APPEND && (t->target || t->manner.by);
}

int data_keeps_ledger(const struct data_table *t)
{
	return t->manner.by && (t->manner.conflicts || t->manner.deletes);
}

int32_t data_finding(struct wbl_call *call, const char *what, const char *set, const char *text)
{
	const struct wbl_plan_service *plan = wbl_service(call, "wbl.plan/1");
	struct wbl_out o = { 0 };
	int32_t rc;

	wbl_out_open(&o, NULL, '{');
	wbl_out_text(&o, "what", what);
	wbl_out_text(&o, "set", set);
	wbl_out_text(&o, "text", text);
	wbl_out_close(&o, '}');
	rc = plan && plan->finding ? plan->finding(call, o.s) : WBL_OK;
	wbl_out_clear(&o);
	return rc;
}

int data_nothing(const struct data_map *m)
{
	for (size_t i = 0; i < m->ntables; i++)
		if (!m->tables[i].manner.nothing)
			return 0;
	return m->ntables > 0;
}

static const struct wbl_node *column_of(const struct wbl_node *set, const char *name)
{
	const struct wbl_node *c = wbl_node_at(set, "columns.0");

	while (c && strcasecmp(wbl_node_str(c, "name"), name) != 0)
		c = c->next;
	return c;
}

/* At plan: what the target must be able to do. */
int32_t data_merge_check(struct data_ends *e, const struct data_table *t)
{
	const struct wbl_store *s = e->dst;

	if (!s->fetch || !s->append || !s->schema)
		return wbl_error_report(e->call, WBL_E_UNSUPPORTED, t->to,
			"Choose a store that finds rows by key, or a table that is absent.",
			"this store only takes whole new tables: rows cannot be %s one that is "
			"there",
			t->manner.mode == DATA_MODE_APPEND ? "appended to" : "merged into");
	if (t->manner.mark && t->target && !column_of(t->target, t->manner.mark))
		return wbl_error_report(e->call, WBL_E_PARAM, t->to,
			"Add the column to the table, or set deletes = \"apply\".",
			"table \"%s\" of the target has no column \"%s\" for the mark", t->to,
			t->manner.mark);
	if (t->manner.mark && !t->target)
		return wbl_error_report(e->call, WBL_E_PARAM, t->to,
			"Make the table before, or set deletes = \"apply\".",
			"table \"%s\" would be made without the column \"%s\" for the mark", t->to,
			t->manner.mark);
	return WBL_OK;
}

/* ---- steps ---- */

char *data_ledger_name(const struct data_table *t)
{
	struct wbl_out o = { 0 };

	wbl_out_fmt(&o, "_whimbrel_ledger_%s", t->to);
	return o.s;
}

static void step_params(struct data_map *m, const struct data_table *t, const char *look, int first,
	struct wbl_out *o)
{
	wbl_out_open(o, NULL, '{');
	wbl_out_text(o, "to", t->to);
	wbl_out_text(o, "look", look);
	wbl_out_bool(o, "fresh", !t->target);
	wbl_out_bool(o, "first", first);
	wbl_out_bool(o, "nothing", t->manner.nothing);
	if (data_keeps_ledger(t)) {
		char *ledger = data_ledger_name(t);

		wbl_out_text(o, "ledger", ledger);
		wbl_out_bool(o, "ledger_new", !data_set(m->target, ledger));
		free(ledger);
	}
	wbl_out_close(o, '}');
}

/* A look at both sides, then the merge itself; `merge` has all but op, params, title, after. */
int32_t data_merge_steps(
	struct data_ends *e, struct data_map *m, const struct data_table *t, struct wbl_step *merge)
{
	struct wbl_out id = { 0 }, params = { 0 }, title = { 0 };
	const char *after_look[2] = { NULL, NULL };
	static const struct wbl_risk live = {
		.size = sizeof live,
		.level = 1,
		.why = "the source may be written while it is read",
		.mitigation = "a row that changes meanwhile is met by the next run",
	};
	static const struct wbl_risk *const risks[] = { &live, NULL };
	struct wbl_step look = {
		.size = sizeof look,
		.op = "look",
		.kind = WBL_KIND_PREPARATION,
		.inverse = WBL_INVERSE_ROLLBACK,
		.after = merge->after,
		.claims = merge->claims,
	};
	int first = 1;
	int32_t rc;

	wbl_out_fmt(&id, "look%s", strchr(merge->id, ':'));
	for (size_t i = 0; i < m->ntables && &m->tables[i] != t; i++)
		first &= !data_merges(&m->tables[i]) || m->tables[i].manner.nothing;
	step_params(m, t, id.s, first, &params);
	wbl_out_fmt(&title, "Look what is to be done in table %s", t->to);
	look.id = after_look[0] = id.s;
	look.params = params.s;
	look.title = title.s;
	rc = wbl_plan_step(e->call, &look);
	wbl_out_reset(&title);
	wbl_out_fmt(&title, "%s %s %s table %s and verify it",
		t->manner.mode == DATA_MODE_APPEND ? "Append" : "Merge", t->from,
		t->manner.mode == DATA_MODE_APPEND ? "to" : "into", t->to);
	if (t->manner.by)
		merge->risks = risks;
	merge->op = "merge";
	merge->after = after_look;
	merge->params = params.s;
	merge->title = title.s;
	rc = rc ? rc : wbl_plan_step(e->call, merge);
	wbl_out_clear(&id);
	wbl_out_clear(&params);
	wbl_out_clear(&title);
	return rc;
}

/* References that were broken before a merge are not its fault: the first look has counted them. */
void data_verify_params(const struct data_map *m, char *const *ids, struct wbl_out *o)
{
	wbl_out_open(o, NULL, '{');
	for (size_t i = 0; i < m->ntables; i++)
		if (data_merges(&m->tables[i]) && !m->tables[i].manner.nothing) {
			struct wbl_out id = { 0 };

			wbl_out_fmt(&id, "look%s", strchr(ids[i], ':'));
			wbl_out_text(o, "look", id.s);
			wbl_out_clear(&id);
			break;
		}
	wbl_out_close(o, '}');
}

int32_t data_marks_step(struct data_ends *e, const struct data_map *m, char *const *ids,
	const char *const *after, const struct wbl_claim *const *claims)
{
	struct wbl_out params = { 0 };
	struct wbl_step s = {
		.size = sizeof s,
		.id = "marks",
		.op = "marks",
		.title = "Note how far source and target are in step",
		.kind = WBL_KIND_CLEANUP,
		.inverse = WBL_INVERSE_ROLLBACK,
		.after = after,
		.claims = claims,
	};
	int32_t rc = WBL_OK;
	size_t n = 0;

	wbl_out_open(&params, NULL, '{');
	wbl_out_open(&params, "tables", '[');
	for (size_t i = 0; i < m->ntables; i++)
		if (m->tables[i].manner.by && !m->tables[i].manner.nothing && ++n) {
			wbl_out_open(&params, NULL, '{');
			wbl_out_text(&params, "to", m->tables[i].to);
			wbl_out_text(&params, "merge", ids[i]);
			wbl_out_close(&params, '}');
		}
	wbl_out_close(&params, ']');
	wbl_out_close(&params, '}');
	s.params = params.s;
	if (n)
		rc = wbl_plan_step(e->call, &s);
	wbl_out_clear(&params);
	return rc;
}
