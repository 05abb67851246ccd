/* data_ask.c - what the mapping asks of both ends, tried while the plan is made: a name or a condition that nobody knows is told now,
 * and not in the middle of the copy.
 * In: a mapping that is whole.  Out: PARAM, with what is wrong.
 * SPDX-License-Identifier: Apache-2.0 */
#include "data_sync.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

static int32_t refused(
	struct data_ends *e, const struct data_table *t, const char *hint, const char *text)
{
	return wbl_error_report(e->call, WBL_E_PARAM, t->to, hint, "table \"%s\": %s", t->to, text);
}

static int has_column(const struct data_table *t, const char *name)
{
	for (size_t i = 0; i < t->ncols; i++)
		if (!strcasecmp(t->cols[i].name, name))
			return 1;
	return 0;
}

/* A store of one table says how it is called. */
static int32_t ask_name(
	struct data_ends *e, const struct wbl_node *target, const struct data_table *t)
{
	const char *only = wbl_node_str(target, "limits.only");

	if (!only || !strcmp(only, t->to))
		return WBL_OK;
	return wbl_error_report(e->call, WBL_E_PARAM, t->to,
		"Set `to` of the mapping to that name, or `table` of the target to yours.",
		"the only table of the target is called \"%s\", not \"%s\"", only, t->to);
}

static int32_t ask_key(struct data_ends *e, const struct data_table *t)
{
	for (size_t i = 0; i < t->nkey; i++)
		for (size_t k = 0; k < i; k++)
			if (t->key[i] == t->key[k])
				return refused(e, t, "Name each column once.",
					"the key names a column twice");
	return WBL_OK;
}

/* ---- indexes: those of the options; what is taken from the source has a definition ---- */

static int32_t ask_index(
	struct data_ends *e, const struct data_table *t, const struct wbl_node *index)
{
	const char *name = wbl_node_str(index, "name");
	const struct wbl_node *c = wbl_node_at(index, "columns.0");
	struct wbl_out text = { 0 };
	int32_t rc = WBL_OK;

	for (const struct wbl_node *x = t->indexes->child; x != index; x = x->next)
		if (!strcasecmp(wbl_node_str(x, "name"), name))
			wbl_out_fmt(&text, "two indexes are called \"%s\"", name);
	if (!c)
		wbl_out_fmt(&text, "the index \"%s\" is of no column", name);
	while (c && has_column(t, c->text.s))
		c = c->next;
	if (c)
		wbl_out_fmt(
			&text, "the index \"%s\" names no column of it: \"%s\"", name, c->text.s);
	if (text.len)
		rc = refused(e, t, "Compare `indexes` with the columns of the table.", text.s);
	wbl_out_clear(&text);
	return rc;
}

static int32_t ask_indexes(struct data_ends *e, const struct data_table *t)
{
	int32_t rc = WBL_OK;

	for (const struct wbl_node *x = t->indexes ? t->indexes->child : NULL; !rc && x;
		x = x->next)
		if (wbl_node_str(x, "name") && !wbl_node_str(x, "definition"))
			rc = ask_index(e, t, x);
	return rc;
}

static int32_t ask_references(struct data_ends *e, const struct data_table *t)
{
	const struct wbl_node *f = t->foreign_keys ? t->foreign_keys->child : NULL;

	for (; f; f = f->next) {
		const struct wbl_node *from = wbl_node_at(f, "columns"),
				      *to = wbl_node_at(f, "to_columns");

		if (from && to && to->count && from->count != to->count)
			return refused(e, t, "Name as many columns on both sides.",
				"`columns` and `to_columns` of a foreign key are not alike in "
				"number");
	}
	return WBL_OK;
}

/* ---- the source's own language ---- */

static int asks(const struct data_table *t)
{
	if (t->where && *t->where)
		return 1;
	for (size_t i = 0; i < t->ncols; i++)
		if (t->cols[i].expr)
			return 1;
	return t->manner.by == DATA_BY_COLUMN;
}

/* Nothing is read: what it cannot understand it says when the scan is opened. */
static int32_t ask_source(struct data_ends *e, const struct data_table *t)
{
	struct wbl_out mark = { 0 };
	const char *columns[] = { NULL, NULL };
	struct wbl_scan scan = {
		.size = sizeof scan,
		.range = WBL_RANGE_ALL,
		.set = t->from,
		.columns = t->scan,
		.filter = t->where,
	};
	void *cursor = NULL;
	int32_t rc;

	if (!asks(t))
		return WBL_OK;
	rc = e->src->scan(e->source.self, e->call, &scan, &cursor);
	e->src->scan_end(cursor);
	if (!rc && t->manner.by == DATA_BY_COLUMN) {
		wbl_out_fmt(&mark, "=%s", t->manner.column);
		columns[0] = mark.s;
		scan.columns = columns;
		cursor = NULL;
		rc = e->src->scan(e->source.self, e->call, &scan, &cursor);
		e->src->scan_end(cursor);
	}
	wbl_out_clear(&mark);
	return rc;
}

/* The commonest mistake with files of records: read with another separator they have one column, with all names in its name. */
static int32_t ask_shape(struct data_ends *e, const struct data_table *t)
{
	const struct wbl_node *c = wbl_node_at(t->source, "columns.0");
	const char *name = c && !c->next ? wbl_node_str(c, "name") : NULL;
	const char *sign = name ? strpbrk(name, ",;\t|") : NULL;
	struct wbl_out text = { 0 };
	int32_t rc;

	if (!sign)
		return WBL_OK;
	wbl_out_fmt(&text, "the only column of %s is called \"%s\": is its separator \"%s\"?",
		t->from, name, *sign == '\t' ? "tab" : (char[]){ *sign, 0 });
	rc = data_finding(e->call, "shape", t->to, text.s);
	wbl_out_clear(&text);
	return rc;
}

int32_t data_ask(struct data_ends *e, const struct data_map *m, struct data_table *t)
{
	int32_t rc = ask_name(e, wbl_doc_root(m->target), t);

	rc = rc ? rc : ask_shape(e, t);
	rc = rc ? rc : ask_key(e, t);
	rc = rc ? rc : ask_indexes(e, t);
	rc = rc ? rc : ask_references(e, t);
	for (size_t i = 0; !rc && i < data_parts(t); i++)
		rc = ask_source(e, data_part(t, i));
	return rc;
}
