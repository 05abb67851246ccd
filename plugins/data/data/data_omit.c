/* data_omit.c - what will not be in the target: tables, columns and rows left out, and what people have to make by hand, with its text.
 * In: the mapping.  Out: omissions of the plan, findings of the report.
 * SPDX-License-Identifier: Apache-2.0 */
#include "data_impl.h"

#include <string.h>
#include <strings.h>

static int mapped_from(const struct data_map *m, const char *set)
{
	for (size_t i = 0; i < m->ntables; i++)
		for (size_t k = 0; k < data_parts(&m->tables[i]); k++)
			if (!strcasecmp(data_part(&m->tables[i], k)->from, set))
				return 1;
	return 0;
}

/* 2: a column of the mapping takes it; 1: an expression has its name in it, perhaps uses it; 0: neither. */
static int taken(const struct data_table *t, const char *name)
{
	int how = 0;

	for (size_t i = 0; i < t->ncols; i++)
		if (t->cols[i].from && !strcasecmp(t->cols[i].from, name))
			return 2;
		else if (data_names_word(t->cols[i].expr, name))
			how = 1;
	for (size_t i = 0; t->veiled && i < t->nscan; i++)
		if (!strcasecmp(t->scan[i], name))
			how = 1;
	return how;
}

static uint64_t list_columns(
	const struct data_table *t, int how, const char *head, struct wbl_out *out)
{
	const struct wbl_node *c = wbl_node_at(t->source, "columns.0");
	uint64_t n = 0;

	for (; c; c = c->next) {
		const char *name = wbl_node_str(c, "name");

		if (!wbl_node_bool(c, "generated", 0) && taken(t, name) == how)
			wbl_out_fmt(out, "%s%s", n++ ? ", " : head, name);
	}
	return n;
}

static int32_t omit_columns(struct wbl_call *call, const struct data_table *t)
{
	struct wbl_out what = { 0 }, why = { 0 };
	int32_t rc = WBL_OK;
	uint64_t n;

	wbl_out_fmt(&why, "table %s: ", t->to);
	n = list_columns(t, 0, "not taken: ", &why);
	n += list_columns(
		t, 1, n ? "; only within expressions: " : "only within expressions: ", &why);
	if (n) {
		wbl_out_fmt(&what, "%s of %s", n == 1 ? "column" : "columns", t->from);
		rc = wbl_plan_omit(call, what.s, n, why.s);
	}
	if (!rc && t->where && *t->where) {
		wbl_out_reset(&what);
		wbl_out_reset(&why);
		wbl_out_fmt(&what, "rows of %s", t->from);
		wbl_out_fmt(&why, "table %s takes those where %s", t->to, t->where);
		rc = wbl_plan_omit(call, what.s, 0, why.s);
	}
	wbl_out_clear(&what);
	wbl_out_clear(&why);
	return rc;
}

static int32_t omit_by_hand(void *arg, const char *kind, const char *name, const char *of,
	const char *why, const char *text)
{
	struct wbl_out what = { 0 }, reason = { 0 };
	int32_t rc;

	if (of && (!*of || !strcmp(of, name)))
		of = NULL;
	wbl_out_fmt(
		&what, "%s%s%s%s%s", kind, *name ? " " : "", name, of ? " of " : "", of ? of : "");
	wbl_out_fmt(&reason, "%s; by hand: %s", why, text ? text : "");
	rc = wbl_plan_omit(arg, what.s, 1, reason.s);
	wbl_out_clear(&what);
	wbl_out_clear(&reason);
	return rc;
}

static int32_t omit_tables(struct wbl_call *call, const struct data_map *m)
{
	const struct wbl_node *s = wbl_node_at(wbl_doc_root(m->source), "sets.0");
	struct wbl_out what = { 0 };
	int32_t rc = WBL_OK;

	for (; !rc && s; s = s->next) {
		if (mapped_from(m, wbl_node_str(s, "name")) ||
			!strcmp(wbl_node_str(s, "kind"), "virtual"))
			continue;
		wbl_out_reset(&what);
		wbl_out_fmt(&what, "table %s", wbl_node_str(s, "name"));
		rc = wbl_plan_omit(call, what.s, 1, "the mapping does not name it");
	}
	wbl_out_clear(&what);
	return rc;
}

int32_t data_omit(struct wbl_call *call, const struct data_map *m)
{
	struct wbl_out what = { 0 };
	int32_t rc = omit_tables(call, m);

	rc = rc ? rc : data_by_hand_tell(m, omit_by_hand, call);
	for (size_t i = 0; !rc && i < m->ntables; i++) {
		rc = omit_columns(call, &m->tables[i]);
		if (!rc && m->tables[i].autoincrement && !m->same_dialect) {
			wbl_out_reset(&what);
			wbl_out_fmt(&what, "AUTOINCREMENT counter of %s", m->tables[i].from);
			rc = wbl_plan_omit(call, what.s, 1,
				"it goes on from the greatest key that was copied");
		}
	}
	wbl_out_clear(&what);
	return rc;
}

/* ---- for the report ---- */

static int32_t find_by_hand(void *arg, const char *kind, const char *name, const char *of,
	const char *why, const char *text)
{
	const struct wbl_plan_service *plan = wbl_service(arg, "wbl.plan/1");
	struct wbl_out o = { 0 }, line = { 0 };
	int32_t rc = WBL_OK;

	wbl_out_fmt(&line, "%s%s%s is to be made by hand (%s): %s", kind, *name ? " " : "", name,
		why, text ? text : "");
	wbl_out_open(&o, NULL, '{');
	wbl_out_text(&o, "kind", "manual");
	wbl_out_text(&o, "severity", "warning");
	wbl_out_text(&o, "where", of && *of ? of : name);
	wbl_out_text(&o, "text", line.s);
	wbl_out_text(&o, "object", kind);
	wbl_out_text(&o, "name", name);
	wbl_out_text(&o, "definition", text);
	wbl_out_close(&o, '}');
	if (plan && plan->finding)
		rc = plan->finding(arg, o.s);
	wbl_out_clear(&o);
	wbl_out_clear(&line);
	return rc;
}

int32_t data_find_by_hand(struct wbl_call *call, const struct data_map *m)
{
	return data_by_hand_tell(m, find_by_hand, call);
}
