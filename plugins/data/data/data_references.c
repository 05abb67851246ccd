/* data_references.c - the step that looks at the whole once everything is there: do the references between tables hold?
 * In: the store's own question for broken ones.  Out: MISMATCH that names the first, or a warning when the source has them too.
 * SPDX-License-Identifier: Apache-2.0 */
#include "data_look.h"

#include <string.h>

static int32_t ask(struct data_ends *e, int target, const char *before, const char *check,
	const char *behind, struct wbl_doc **ret)
{
	struct wbl_out text = { 0 };
	struct wbl_sql sql = { .size = sizeof sql, .flags = 1 };
	const struct wbl_store *store = target ? e->dst : e->src;
	const char *json;
	int32_t rc;

	wbl_out_fmt(&text, "%s%s%s", before, check, behind);
	sql.text = text.s;
	rc = store->sql(target ? e->target.self : e->source.self, e->call, &sql, &json);
	if (!rc)
		*ret = wbl_doc_parse(json, strlen(json), NULL);
	wbl_out_clear(&text);
	return rc;
}

static int32_t count_of(struct data_ends *e, int target, const char *check, uint64_t *ret)
{
	struct wbl_doc *doc;
	int32_t rc = ask(e, target, "SELECT count(*) FROM (", check, ")", &doc);

	if (rc)
		return rc;
	*ret = (uint64_t)wbl_node_int(wbl_doc_root(doc), "rows.0.0", 0);
	wbl_doc_free(doc);
	return WBL_OK;
}

int32_t data_references_broken(struct data_ends *e, const struct data_map *m, uint64_t *ret)
{
	const char *check = wbl_node_str(wbl_doc_root(m->target), "reference_check");

	*ret = 0;
	return check && e->dst->sql ? count_of(e, 1, check, ret) : WBL_OK;
}

/* After the run has been taken back nobody can look any more: so one of them is named. */
static int32_t tell_broken(struct data_ends *e, const char *check, uint64_t broken)
{
	struct wbl_doc *doc;
	const struct wbl_node *n;
	const char *table, *parent;
	int32_t rc = ask(e, 1, "", check, " LIMIT 1", &doc);

	if (rc)
		return rc;
	n = wbl_doc_root(doc);
	table = wbl_node_str(n, "rows.0.0");
	parent = wbl_node_str(n, "rows.0.2");
	rc = wbl_error_report(e->call, WBL_E_MISMATCH, "target",
		"Copy the table that they lead to as well, or leave their rows out by `where`.",
		"%llu reference%s nowhere, the first from table \"%s\" (row %lld) to table \"%s\"",
		(unsigned long long)broken, broken == 1 ? " leads" : "s lead", table ? table : "?",
		(long long)wbl_node_int(n, "rows.0.1", -1), parent ? parent : "?");
	wbl_doc_free(doc);
	return rc;
}

/* What the first look at the target has counted; 0 where there was none. */
static uint64_t broken_before(struct wbl_call *call, const struct wbl_work *work)
{
	struct data_look l;
	uint64_t n = 0;

	if (!data_look_params(work, &l) && l.step && !data_look_read(call, work, &l))
		n = (uint64_t)wbl_node_int(wbl_doc_root(l.doc), "broken", 0);
	data_look_clear(&l);
	return n;
}

/* References are checked once everything is there. Those that were broken before are told and not blamed on the copy. */
static int32_t check_references(
	struct data_ends *e, const struct data_map *m, const struct wbl_work *work)
{
	const char *check = wbl_node_str(wbl_doc_root(m->target), "reference_check");
	uint64_t broken = 0, before = 0;
	int32_t rc;

	if (!check || !e->dst->sql)
		return WBL_OK;
	rc = count_of(e, 1, check, &broken);
	if (!rc && broken && m->whole && m->same_dialect)
		rc = count_of(e, 0, check, &before);
	else if (!rc && broken)
		before = broken_before(e->call, work);
	if (rc || !broken)
		return rc;
	if (broken <= before) {
		wbl_warning_report(e->call, "target", "Mend them in the source some day.",
			"%llu references lead nowhere, as they did before",
			(unsigned long long)broken);
		return WBL_OK;
	}
	return tell_broken(e, check, broken);
}

int32_t data_verify_execute(struct wbl_call *call, const struct wbl_work *work)
{
	struct data_ends e;
	struct data_map m;
	int32_t rc;

	if (work->flags & WBL_WORK_REHEARSE)
		return WBL_OK;
	rc = data_open(call, WBL_OPEN_READ, &e);
	if (rc)
		return rc;
	rc = data_map_build(&e, &m);
	if (!rc)
		rc = check_references(&e, &m, work);
	data_map_clear(&m);
	data_close(&e);
	return rc;
}
