/* data_plan.c - the steps of a copy, and what the plan relies on.
 * In: the mapping and both ends.  Out: schema -> copy of each table -> indexes -> verify -> tidy; observations, claims, estimates,
 * risks, and what will not be migrated.  Read-only and deterministic.
 * SPDX-License-Identifier: Apache-2.0 */
#include "data_alter.h"
#include "data_sync.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

struct plan {
	struct wbl_call *call;
	struct data_ends ends;
	struct data_map map;
	struct wbl_claim source, target;
	const struct wbl_claim *claims[3];
	struct wbl_limits limits;
	char **ids; /* of the copies */
	uint64_t *rows;
	int misfits;
	struct wbl_out list; /* of them, in words */
};

static void claim_of(const struct wbl_doc *d, int32_t mode, struct wbl_claim *ret)
{
	const struct wbl_node *n = wbl_node_at(wbl_doc_root(d), "claims.0");

	*ret = (struct wbl_claim){ .size = sizeof *ret,
		.mode = mode,
		.kind = wbl_node_str(n, "kind"),
		.name = wbl_node_str(n, "name") };
}

static int32_t observe_source(struct plan *p)
{
	const struct wbl_node *s = wbl_doc_root(p->map.source);
	const char *digest = wbl_node_str(s, "schema_digest"),
		   *identity = wbl_node_str(s, "identity");
	int32_t rc = WBL_OK;

	if (digest)
		rc = wbl_plan_observe(p->call, WBL_RULE_EQUAL, 0, "source.schema", digest,
			"tables, columns, indexes and views of the source");
	if (!rc && identity)
		rc = wbl_plan_observe(p->call, digest ? WBL_RULE_ADVISORY : WBL_RULE_EQUAL, 0,
			"source.identity", identity,
			digest ? "has the source been written since?"
			       : "size, time and content of the file");
	return rc;
}

static int32_t observe_target(struct plan *p)
{
	const struct wbl_node *t = wbl_doc_root(p->map.target);
	const char *digest = wbl_node_str(t, "schema_digest");
	int exists = wbl_node_bool(t, "exists", 0);

	return wbl_plan_observe(p->call, WBL_RULE_EQUAL, 0, "target.schema",
		!exists  ? "absent"
		: digest ? digest
			 : "present",
		"tables, columns, indexes and views of the target");
}

static int32_t count_one(struct plan *p, size_t i, const struct data_table *t)
{
	struct wbl_scan all = { .size = sizeof all, .range = WBL_RANGE_ALL, .set = t->from };
	struct wbl_totals n = { .size = sizeof n };
	struct wbl_out key = { 0 }, meaning = { 0 };
	char value[24];
	int64_t tolerance = wbl_param_int(p->call, "row_tolerance", 10);
	int32_t rc = p->ends.src->count(p->ends.source.self, p->call, &all, 0, &n);

	if (rc)
		return rc;
	p->rows[i] += n.items;
	snprintf(value, sizeof value, "%llu", (unsigned long long)n.items);
	wbl_out_fmt(&key, "source.rows:%s", t->from);
	wbl_out_fmt(&meaning, "rows of %s, estimated", t->from);
	rc = wbl_plan_observe(p->call, t->manner.by ? WBL_RULE_ADVISORY : WBL_RULE_WITHIN,
		tolerance, key.s, value, meaning.s);
	wbl_out_clear(&key);
	wbl_out_clear(&meaning);
	return rc;
}

static int32_t count_table(struct plan *p, size_t i)
{
	struct data_table *t = &p->map.tables[i];
	int32_t rc = WBL_OK;

	for (size_t k = 0; !rc && k < data_parts(t); k++) {
		rc = count_one(p, i, data_part(t, k));
		rc = rc ? rc : data_alter_plan(&p->ends, data_part(t, k));
	}
	return rc;
}

static void differs(void *arg, int severity, const struct data_table *t, const char *column,
	const char *what, const char *expected, const char *found)
{
	static const char *const names[] = { "", "error", "warning", "note" };
	struct plan *p = arg;
	const struct wbl_plan_service *plan = wbl_service(p->call, "wbl.plan/1");
	struct wbl_out o = { 0 }, where = { 0 }, text = { 0 };

	wbl_out_fmt(&where, "%s%s%s", t->to, column ? "." : "", column ? column : "");
	wbl_out_fmt(
		&text, "%s of the table that stands: expected %s, found %s", what, expected, found);
	wbl_out_open(&o, NULL, '{');
	wbl_out_text(&o, "kind", "schema");
	wbl_out_text(&o, "severity", names[severity]);
	wbl_out_text(&o, "where", where.s);
	wbl_out_text(&o, "text", text.s);
	wbl_out_text(&o, "difference", what);
	wbl_out_text(&o, "expected", expected);
	wbl_out_text(&o, "found", found);
	wbl_out_close(&o, '}');
	if (severity == WBL_SEVERITY_ERROR) {
		wbl_out_fmt(&p->list, "%s%s: %s: expected %s, found %s", p->misfits++ ? "; " : "",
			where.s, what, expected, found);
		wbl_error_report(p->call, WBL_E_PARAM, where.s, "Mend the mapping or the table.",
			"%s: expected %s, found %s", what, expected, found);
	} else if (plan && plan->finding) {
		plan->finding(p->call, o.s);
	}
	wbl_out_clear(&o);
	wbl_out_clear(&where);
	wbl_out_clear(&text);
}

/* Every difference is told before the plan is refused. */
static int32_t check_shape(struct plan *p, struct data_table *t)
{
	p->misfits = 0;
	wbl_out_reset(&p->list);
	data_shape_compare(&p->map, t, differs, p);
	return !p->misfits ? WBL_OK
			   : wbl_error_report(p->call, WBL_E_PARAM, t->to,
				     "Mend the mapping or the table.",
				     "table \"%s\" of the target cannot take the rows: %s", t->to,
				     p->list.s);
}

static int has_column(const struct data_table *t, const char *name)
{
	for (size_t i = 0; i < t->ncols; i++)
		if (!strcasecmp(t->cols[i].name, name))
			return 1;
	return 0;
}

static int32_t check_references(struct plan *p, const struct data_table *t)
{
	const struct wbl_node *f = t->foreign_keys ? t->foreign_keys->child : NULL;

	for (; f; f = f->next) {
		const char *to = wbl_node_str(f, "to");
		const struct data_table *there = data_map_find(&p->map, to);

		for (const struct wbl_node *c = wbl_node_at(f, "columns.0"); c; c = c->next)
			if (!has_column(t, c->text.s))
				return wbl_error_report(p->call, WBL_E_PARAM, t->to,
					"Compare `foreign_keys` with the columns of the table.",
					"a foreign key of table \"%s\" names no column of it: "
					"\"%s\"",
					t->to, c->text.s);
		if (!there && !data_set(p->map.target, to))
			return wbl_error_report(p->call, WBL_E_PARAM, t->to,
				"Name a table of the target.",
				"a foreign key of table \"%s\" leads to no table: \"%s\"", t->to,
				to);
		for (const struct wbl_node *c = there ? wbl_node_at(f, "to_columns.0") : NULL; c;
			c = c->next)
			if (!has_column(there, c->text.s))
				return wbl_error_report(p->call, WBL_E_PARAM, t->to,
					"Compare `foreign_keys` with the columns of that table.",
					"a foreign key of table \"%s\" leads to no column of "
					"\"%s\": "
					"\"%s\"",
					t->to, to, c->text.s);
	}
	return WBL_OK;
}

static int32_t check_pair(struct plan *p, struct data_table *t)
{
	struct wbl_scan all = { .size = sizeof all, .range = WBL_RANGE_ALL, .set = t->to };
	struct wbl_totals n = { .size = sizeof n };
	const struct wbl_node *o = wbl_node_at(wbl_doc_root(p->map.target), "others.0");
	int merges = data_merges(t);
	int32_t rc = merges ? data_merge_check(&p->ends, t) : WBL_OK;

	if (!rc && t->manner.by)
		rc = data_marks_plan(&p->ends, &p->map, t);
	if (rc || !t->target)
		return rc;
	if (!merges && t->manner.mode != DATA_MODE_EMPTY)
		return wbl_error_report(p->call, WBL_E_PARAM, t->to,
			"Name another table, allow an empty one by `existing = \"empty\"`, or "
			"merge by "
			"`existing = \"merge\"`.",
			"the target has a table \"%s\" already", t->to);
	if (!merges)
		rc = p->ends.dst->count(p->ends.target.self, p->call, &all, 1, &n);
	if (rc)
		return rc;
	if (n.items)
		return wbl_error_report(p->call, WBL_E_PARAM, t->to,
			"Empty the table, or name another one.",
			"table \"%s\" of the target holds %llu rows; only absent or empty ones are "
			"filled",
			t->to, (unsigned long long)n.items);
	for (; o; o = o->next)
		if (!strcmp(wbl_node_str(o, "kind"), "trigger") &&
			!strcasecmp(wbl_node_str(o, "set"), t->to))
			return wbl_error_report(p->call, WBL_E_PARAM, t->to,
				"Drop the trigger for the time of the copy.",
				"trigger \"%s\" would run for every row that is copied",
				wbl_node_str(o, "name"));
	return check_shape(p, t);
}

/* ---- steps ---- */

static void schema_params(struct plan *p, struct wbl_out *o)
{
	enum { OBJECTS_ROOM = 24 << 10 }; /* parameters travel in one message */
	const struct wbl_node *t = wbl_doc_root(p->map.target);
	struct wbl_out objects = { 0 };

	wbl_out_open(o, NULL, '{');
	wbl_out_bool(o, "store", !wbl_node_bool(t, "exists", 0));
	wbl_out_text(o, "before", wbl_node_str(t, "schema_digest"));
	data_objects_tell(p->map.target, "objects", &objects);
	if (objects.len < OBJECTS_ROOM)
		data_objects_tell(p->map.target, "objects", o);
	wbl_out_clear(&objects);
	wbl_out_open(o, "create", '[');
	for (size_t i = 0; i < p->map.ntables; i++)
		if (!p->map.tables[i].target)
			wbl_out_text(o, NULL, p->map.tables[i].to);
	wbl_out_close(o, ']');
	wbl_out_close(o, '}');
}

static int32_t plan_schema(struct plan *p)
{
	struct wbl_out params = { 0 };
	struct wbl_step s = {
		.size = sizeof s,
		.id = "schema",
		.op = "schema",
		.title = "Make the target's tables",
		.kind = WBL_KIND_PREPARATION,
		.inverse = WBL_INVERSE_ROLLBACK,
		.claims = p->claims,
	};
	int32_t rc;

	schema_params(p, &params);
	s.params = params.s;
	rc = wbl_plan_step(p->call, &s);
	wbl_out_clear(&params);
	return rc;
}

/* Beyond it a store cannot be right, and times would overflow. */
#define MOST_RECKONED INT64_C(1000000000000)

static void estimate(struct plan *p, size_t i, struct wbl_estimate *e)
{
	const struct wbl_node *bytes = wbl_node_at(p->map.tables[i].source, "bytes");
	int64_t rows = p->rows[i] < MOST_RECKONED ? (int64_t)p->rows[i] : MOST_RECKONED;

	*e = (struct wbl_estimate){
		.size = sizeof *e,
		.items = p->rows[i],
		.bytes = (uint64_t)wbl_node_int(bytes, "", 0),
		.p50_ns = 50000000 + rows * 2000,
		.p90_ns = 200000000 + rows * 6000,
		.basis = "assumed: 500,000 rows a second with verification; rows by the source's "
			 "own estimate",
	};
}

static int32_t plan_copy(struct plan *p, size_t i)
{
	static const char *const after[] = { "schema", NULL };
	struct data_table *t = &p->map.tables[i];
	struct wbl_risk view = {
		.size = sizeof view,
		.level = 2,
		.why = "chunks read the source one after the other, and no view of it is shared "
		       "between them",
		.mitigation =
			"stop what writes to the source; a change is noticed and stops the copy",
	};
	struct wbl_out params = { 0 }, title = { 0 }, words = { 0 };
	struct wbl_risk sample = {
		.size = sizeof sample,
		.level = 2,
		.why = data_sample_risk(p->call, &words),
		.mitigation = "leave out `verify`, and every row is verified",
	};
	const struct wbl_risk *risks[3] = { NULL };
	size_t n = 0;
	struct wbl_estimate est;
	struct wbl_step s = {
		.size = sizeof s,
		.flags = WBL_STEP_PARTITIONED | WBL_STEP_LASTING,
		.id = p->ids[i],
		.op = "copy",
		.kind = WBL_KIND_MIGRATION,
		.inverse = WBL_INVERSE_ROLLBACK,
		.after = after,
		.claims = p->claims,
		.estimate = &est,
		.limits = &p->limits,
	};
	int32_t rc;

	if (!(p->ends.source.capabilities & WBL_CAN_SNAPSHOT))
		risks[n++] = &view;
	if (sample.why)
		risks[n++] = &sample;
	s.risks = n ? risks : NULL;
	estimate(p, i, &est);
	wbl_out_open(&params, NULL, '{');
	wbl_out_text(&params, "to", t->to);
	wbl_out_close(&params, '}');
	wbl_out_fmt(&title, "Copy %s", t->from);
	for (size_t k = 1; k < data_parts(t); k++)
		wbl_out_fmt(&title, ", %s", data_part(t, k)->from);
	wbl_out_fmt(&title, " to table %s and verify it", t->to);
	s.params = params.s;
	s.title = title.s;
	rc = data_merges(t) ? data_merge_steps(&p->ends, &p->map, t, &s)
			    : wbl_plan_step(p->call, &s);
	wbl_out_clear(&params);
	wbl_out_clear(&title);
	wbl_out_clear(&words);
	return rc;
}

static int has_indexes(const struct data_map *m)
{
	for (size_t i = 0; i < m->ntables; i++)
		if (m->tables[i].indexes && m->tables[i].indexes->count)
			return 1;
	return data_objects_follow(m);
}

static int32_t plan_rest(struct plan *p)
{
	static const char *const after_indexes[] = { "indexes", NULL },
				 *const after_verify_only[] = { "verify", NULL },
				 *const after_rejects[] = { "verify", "rejects", NULL },
				 *const after_tidy[] = { "tidy", NULL };
	const char *const *after_verify = after_verify_only;
	int rejects = 0;
	const char *const *after = (const char *const *)p->ids;
	struct wbl_out params = { 0 };
	struct wbl_step s = {
		.size = sizeof s,
		.inverse = WBL_INVERSE_ROLLBACK,
		.claims = p->claims,
		.params = "{}",
	};
	int32_t rc = WBL_OK;

	if (has_indexes(&p->map)) {
		s.id = s.op = "indexes";
		s.title = p->map.whole ? "Make indexes, views and triggers" : "Make indexes";
		s.kind = WBL_KIND_MIGRATION;
		s.after = after;
		rc = wbl_plan_step(p->call, &s);
		after = after_indexes;
	}
	s.id = s.op = "verify";
	s.title = "Check references between the tables";
	s.kind = WBL_KIND_VERIFICATION;
	s.after = after;
	data_verify_params(&p->map, (char *const *)p->ids, &params);
	s.params = params.s;
	rc = rc ? rc : wbl_plan_step(p->call, &s);
	wbl_out_clear(&params);
	s.params = "{}";
	rc = rc ? rc
		: data_letters_plan(p->call, &p->map, (char *const *)p->ids, p->claims, &rejects);
	if (rc)
		return rc;
	if (rejects) /* it asks the receipts */
		after_verify = after_rejects;
	if (!wbl_param_bool(p->call, "tidy", 1))
		return data_marks_step(
			&p->ends, &p->map, (char *const *)p->ids, after_verify, p->claims);
	s.id = s.op = "tidy";
	s.title = "Take this run's receipts out of the target";
	s.kind = WBL_KIND_CLEANUP;
	s.after = after_verify;
	rc = wbl_plan_step(p->call, &s);
	return rc ? rc
		  : data_marks_step(
			    &p->ends, &p->map, (char *const *)p->ids, after_tidy, p->claims);
}

/* A table may be called anything, a step's id has no blanks, control characters or slashes and ends at 200 bytes. */
static char *step_id(const char *table, size_t i)
{
	enum { ROOM = 150 };
	struct wbl_out id = { 0 };
	const char *s;

	wbl_out_fmt(&id, "copy:");
	for (s = table; *s && id.len < ROOM; s++) {
		unsigned char c = (unsigned char)*s;

		if (c <= ' ' || c == '/' || c == '%' || c == 127)
			wbl_out_fmt(&id, "%%%02X", c);
		else
			wbl_out_add(&id, s, 1);
	}
	for (; ((unsigned char)*s & 0xc0) == 0x80; s++)
		wbl_out_add(&id, s, 1);
	if (*s)
		wbl_out_fmt(&id, "%%~%zu", i + 1);
	return id.s;
}

static int32_t plan_all(struct plan *p)
{
	size_t n = p->map.ntables;
	int32_t rc = observe_source(p);

	p->ids = wbl_sdk_alloc((n + 1) * sizeof *p->ids);
	p->rows = wbl_sdk_alloc(n * sizeof *p->rows);
	claim_of(p->map.source, WBL_SHARED, &p->source);
	claim_of(p->map.target, WBL_EXCLUSIVE, &p->target);
	p->claims[0] = &p->source;
	p->claims[1] = &p->target;
	p->limits = (struct wbl_limits){
		.size = sizeof p->limits,
		.processes =
			(uint32_t)wbl_node_int(wbl_doc_root(p->map.target), "limits.writers", 0),
	};
	rc = rc ? rc : observe_target(p);
	for (size_t i = 0; !rc && i < n; i++) {
		p->ids[i] = step_id(p->map.tables[i].to, i);
		rc = data_ask(&p->ends, &p->map, &p->map.tables[i]);
		rc = rc ? rc : check_references(p, &p->map.tables[i]);
		rc = rc ? rc : check_pair(p, &p->map.tables[i]);
		rc = rc ? rc : count_table(p, i);
	}
	if (!rc && !data_nothing(&p->map)) {
		rc = plan_schema(p);
		for (size_t i = 0; !rc && i < n; i++)
			rc = plan_copy(p, i);
		rc = rc ? rc : plan_rest(p);
	} else if (!rc) {
		rc = data_finding(p->call, "nothing", NULL,
			"nothing to do: both sides are in step, and neither has changed since");
	}
	rc = rc ? rc : data_omit(p->call, &p->map);
	for (size_t i = 0; i < n; i++)
		free(p->ids[i]);
	free(p->ids);
	free(p->rows);
	return rc;
}

int32_t data_plan(void *self, struct wbl_call *call, const struct wbl_work *work)
{
	struct plan p = { .call = call };
	int32_t rc;

	data_call_begins(call, self, work);
	rc = data_open(call, WBL_OPEN_READ, &p.ends);
	if (rc)
		return rc;
	rc = data_map_build(&p.ends, &p.map);
	if (!rc && wbl_param_bool(call, "precheck", 0))
		rc = data_check_rows(&p.ends, &p.map, 1, 1);
	if (rc == WBL_E_MISMATCH)
		rc = WBL_E_PARAM; /* a plan knows no other */
	if (!rc)
		rc = plan_all(&p);
	wbl_out_clear(&p.list);
	data_map_clear(&p.map);
	data_close(&p.ends);
	return rc;
}
