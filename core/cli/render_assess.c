/* cli/render_assess.c - an assessment as text: troubles first, then what is there, how long it will take, what to do.
 * In: docs/control.md, "An assessment".  Out: a page. A new kind of finding gets a part_*() here and in html_assess.c.
 * SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "core/cli/cli.h"
#include "core/cli/render.h"

#include <stdlib.h>
#include <string.h>

#define DAY INT64_C(86400000000000)

enum { SETS_SHOWN = 40, TROUBLES_SHOWN = 60 };

bool wbl_assess_kind(const json_t *finding, const char *kind)
{
	return !strcmp(wbl_value_str(finding, "kind"), kind);
}

char *wbl_assess_growth(const json_t *doc, const json_t *subject, const json_t *set)
{
	const json_t *before = json_object_get(subject, "before"),
		     *then = json_object_get(
			     json_object_get(before, "sets"), wbl_value_str(set, "set"));
	int64_t rows = wbl_json_int(set, "rows", 0) - wbl_json_int(then, "rows", 0), from, to;
	char count[32];

	if (!json_is_object(before))
		return wbl_strdup("");
	if (!json_is_object(then))
		return wbl_strdup("new");
	if (!rows)
		return wbl_strdup("as before");
	wbl_count_text((uint64_t)(rows < 0 ? -rows : rows), count);
	if (!wbl_value_ns(json_object_get(before, "made"), &from) ||
		!wbl_value_ns(json_object_get(doc, "made"), &to) || to - from < DAY / 24)
		return wbl_strf("%c%s", rows < 0 ? '-' : '+', count);
	rows = (int64_t)((double)rows * (double)DAY / (double)(to - from));
	wbl_count_text((uint64_t)(rows < 0 ? -rows : rows), count);
	return wbl_strf("%c%s a day", rows < 0 ? '-' : '+', count);
}

void wbl_assess_sum(const json_t *subject, int64_t *ret_sets, int64_t *ret_rows, int64_t *ret_bytes)
{
	const json_t *f;
	size_t i;

	*ret_sets = *ret_rows = *ret_bytes = 0;
	json_array_foreach(json_object_get(subject, "findings"), i, f)
	{
		if (!wbl_assess_kind(f, "set"))
			continue;
		*ret_sets += 1;
		*ret_rows += wbl_json_int(f, "rows", 0);
		*ret_bytes += wbl_json_int(f, "bytes", 0);
	}
}

static void part_sum(struct wbl_paper *p, const json_t *subject)
{
	int64_t sets, rows, bytes;
	char a[32], b[32], c[24];

	wbl_assess_sum(subject, &sets, &rows, &bytes);
	wbl_count_text((uint64_t)sets, a);
	wbl_count_text((uint64_t)rows, b);
	wbl_size_text((uint64_t)bytes, c);
	wbl_paper_line(p, "  %s %s, %s rows%s%s", a, sets == 1 ? "table" : "tables", b,
		bytes ? ", " : "", bytes ? c : "");
}

static void one_trouble(struct wbl_paper *p, const json_t *f)
{
	const char *severity = wbl_value_str(f, "severity"), *set = wbl_value_str(f, "set"),
		   *column = wbl_value_str(f, "column");
	WBL_AUTOFREE char *examples = wbl_value_list(json_object_get(f, "examples"), "");

	wbl_paper_tint(p, !strcmp(severity, "error")  ? WBL_TINT_RED
			  : !strcmp(severity, "note") ? WBL_TINT_DIM
						      : WBL_TINT_YELLOW);
	wbl_paper_add(p, "  %-8s", severity);
	wbl_paper_tint(p, WBL_TINT_NONE);
	wbl_paper_line(p, "%s%s%s", set, *column ? "." : "", column);
	wbl_paper_wrap(p, 10, "%s", wbl_value_str(f, "text"));
	if (*examples)
		wbl_paper_wrap(p, 10, "for example: %s", examples);
	if (*wbl_value_str(f, "advice"))
		wbl_paper_wrap(p, 10, "-> %s", wbl_value_str(f, "advice"));
}

static void part_troubles(struct wbl_paper *p, const json_t *findings)
{
	static const char *const order[] = { "error", "warning", "note" };
	size_t n = 0, i, k;
	const json_t *f;

	for (k = 0; k < WBL_COUNT(order); k++)
		json_array_foreach((json_t *)findings, i, f)
		{
			if (!wbl_assess_kind(f, "trouble") ||
				strcmp(wbl_value_str(f, "severity"), order[k]))
				continue;
			if (!n++)
				wbl_paper_head(p, "Look at these first");
			if (n <= TROUBLES_SHOWN)
				one_trouble(p, f);
		}
	if (n > TROUBLES_SHOWN)
		wbl_paper_line(
			p, "  and %zu more: -o json or --html shows all", n - TROUBLES_SHOWN);
}

static void part_sets(struct wbl_paper *p, const json_t *doc, const json_t *subject)
{
	struct wbl_table *t = wbl_table_new("Lrrrll");
	const json_t *f;
	size_t n = 0, i;

	json_array_foreach(json_object_get(subject, "findings"), i, f)
	{
		WBL_AUTOFREE char *rows = wbl_value_count(f, "rows");
		WBL_AUTOFREE char *bytes = wbl_value_some(f, "bytes", wbl_value_size);
		WBL_AUTOFREE char *columns = wbl_value_count(f, "columns");
		WBL_AUTOFREE char *key = wbl_value_list(json_object_get(f, "key"), "none");
		WBL_AUTOFREE char *growth = wbl_assess_growth(doc, subject, f);

		if (!wbl_assess_kind(f, "set") || ++n > SETS_SHOWN)
			continue;
		if (n == 1) {
			wbl_table_cell(t, WBL_TINT_DIM, "table");
			wbl_table_cell(t, WBL_TINT_DIM, "rows");
			wbl_table_cell(t, WBL_TINT_DIM, "size");
			wbl_table_cell(t, WBL_TINT_DIM, "columns");
			wbl_table_cell(t, WBL_TINT_DIM, "key");
			wbl_table_cell(t, WBL_TINT_DIM,
				json_object_get(subject, "before") ? "since then" : "");
		}
		wbl_table_cell(t, WBL_TINT_NONE, "%s", wbl_value_str(f, "set"));
		wbl_table_cell(t, WBL_TINT_NONE, "%s", rows);
		wbl_table_cell(t, WBL_TINT_NONE, "%s", bytes);
		wbl_table_cell(t, WBL_TINT_NONE, "%s", columns);
		wbl_table_cell(t, WBL_TINT_NONE, "%s", key);
		wbl_table_cell(t, WBL_TINT_NONE, "%s", growth);
	}
	if (n)
		wbl_paper_head(p, "What is there");
	wbl_table_print(t, p, 2);
	if (n > SETS_SHOWN)
		wbl_paper_line(p, "  and %zu more: -o json or --html shows all", n - SETS_SHOWN);
}

static void part_cost(struct wbl_paper *p, const json_t *findings)
{
	const json_t *f, *r;
	size_t i, k;

	json_array_foreach((json_t *)findings, i, f)
	{
		WBL_AUTOFREE char *likely = wbl_value_span(f, "p50_ns");
		WBL_AUTOFREE char *most = wbl_value_span(f, "p90_ns");

		if (wbl_assess_kind(f, "estimate")) {
			wbl_paper_head(p, "How long it will take");
			wbl_paper_wrap(p, 2, "about %s, hardly more than %s (%s)", likely, most,
				wbl_value_str(f, "basis"));
			wbl_paper_wrap(p, 2, "downtime: %s%s%s",
				wbl_json_bool(f, "downtime", false) ? "needed" : "not needed",
				*wbl_value_str(f, "why") ? "; " : "", wbl_value_str(f, "why"));
		} else if (wbl_assess_kind(f, "complexity")) {
			wbl_paper_head(p, "How hard it will be");
			wbl_paper_line(p, "  %s (%lld points)", wbl_value_str(f, "level"),
				(long long)wbl_json_int(f, "score", 0));
			json_array_foreach(json_object_get(f, "reasons"), k, r) wbl_paper_wrap(p, 4,
				"%lld  %s", (long long)wbl_json_int(r, "points", 0),
				wbl_value_str(r, "text"));
		}
	}
}

static void part_advice(struct wbl_paper *p, const json_t *findings)
{
	const json_t *f;
	size_t n = 0, i;

	json_array_foreach((json_t *)findings, i, f)
	{
		if (!wbl_assess_kind(f, "advice"))
			continue;
		if (!n++)
			wbl_paper_head(p, "Advice");
		wbl_paper_wrap(p, 2, "%zu. %s", n, wbl_value_str(f, "text"));
	}
}

static void one_subject(struct wbl_paper *p, const json_t *doc, const json_t *subject)
{
	const json_t *findings = json_object_get(subject, "findings"),
		     *before = json_object_get(subject, "before"),
		     *error = json_object_get(subject, "error"), *d;
	char when[32];
	size_t i;

	wbl_paper_end(p);
	wbl_paper_tint(p, WBL_TINT_BOLD);
	wbl_paper_line(p, "%s", wbl_value_str(subject, "source"));
	wbl_paper_tint(p, WBL_TINT_NONE);
	if (json_is_object(error)) {
		wbl_render_error(p, error);
		return;
	}
	part_sum(p, subject);
	if (json_is_object(before)) {
		wbl_value_when(json_object_get(before, "made"), when);
		wbl_paper_line(
			p, "  looked at before: %s, %s", wbl_value_str(before, "assessment"), when);
	}
	json_array_foreach(json_object_get(subject, "diagnostics"), i, d)
	{
		wbl_paper_tint(p, WBL_TINT_YELLOW);
		wbl_paper_wrap(p, 2, "%s%s%s", wbl_value_str(d, "where"),
			*wbl_value_str(d, "where") ? ": " : "", wbl_value_str(d, "text"));
		wbl_paper_tint(p, WBL_TINT_NONE);
	}
	part_troubles(p, findings);
	part_sets(p, doc, subject);
	part_cost(p, findings);
	part_advice(p, findings);
}

void wbl_render_assessment(struct wbl_paper *p, const json_t *doc)
{
	WBL_AUTOFREE char *passed = wbl_value_list(json_object_get(doc, "passed_over"), "");
	const json_t *subject;
	char when[32];
	size_t i;

	wbl_value_when(json_object_get(doc, "made"), when);
	wbl_paper_line(p, "Assessment %s, made %s%s", wbl_value_str(doc, "assessment"), when,
		wbl_json_bool(doc, "reused", false) ? " (kept; --anew looks again)" : "");
	json_array_foreach(json_object_get(doc, "subjects"), i, subject)
		one_subject(p, doc, subject);
	if (*passed) {
		wbl_paper_head(p, "Passed over, as no store knows them");
		wbl_paper_wrap(p, 2, "%s", passed);
	}
}

void wbl_render_assessments(struct wbl_paper *p, const json_t *result)
{
	const json_t *all = json_object_get(result, "assessments"), *a;
	struct wbl_table *t = wbl_table_new("llL");
	size_t i;

	if (!json_array_size(all))
		wbl_paper_line(p, "nothing has been assessed here yet");
	json_array_foreach((json_t *)all, i, a)
	{
		WBL_AUTOFREE char *sources = wbl_value_list(json_object_get(a, "sources"), "");
		char when[32];

		wbl_value_when(json_object_get(a, "made"), when);
		wbl_table_cell(t, WBL_TINT_BOLD, "%s", wbl_value_str(a, "assessment"));
		wbl_table_cell(t, WBL_TINT_NONE, "%s", when);
		wbl_table_cell(t, WBL_TINT_NONE, "%s", sources);
	}
	wbl_table_print(t, p, 0);
}
