/* cli/render_report.c - what a run did: its end in a few lines, and the whole report.
 * In: summary, report, explanation.  Out: pages. New parts of a report get a part_*() and a line in
 * wbl_render_report.
 * SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "core/cli/render.h"

#include <stdlib.h>
#include <string.h>

enum { TAIL_LINES = 12 };

static void error_lines(struct wbl_paper *p, int indent, const json_t *error)
{
	const char *where = wbl_value_str(error, "where"), *hint = wbl_value_str(error, "hint");

	wbl_paper_tint(p, WBL_TINT_RED);
	wbl_paper_wrap(
		p, indent, "%s%s%s", where, *where ? ": " : "", wbl_value_str(error, "text"));
	wbl_paper_tint(p, WBL_TINT_NONE);
	if (!*hint)
		hint = wbl_value_str(error, "actions");
	if (*hint)
		wbl_paper_wrap(p, indent + 4, "%s", hint);
}

static void headline(struct wbl_paper *p, const json_t *run)
{
	const char *state = wbl_value_str(run, "state"), *mode = wbl_value_str(run, "mode");
	WBL_AUTOFREE char *words = wbl_value_words(state);

	wbl_paper_tint(p, WBL_TINT_BOLD);
	wbl_paper_add(p, "Run %s  %s%s  ", wbl_value_str(run, "run"), wbl_value_str(run, "name"),
		strcmp(mode, "rehearse") ? "" : " (rehearsal)");
	wbl_paper_tint(p, WBL_TINT_NONE);
	wbl_paper_tint(p, wbl_value_tint(state));
	wbl_paper_add(p, "%s", words);
	wbl_paper_tint(p, WBL_TINT_NONE);
	wbl_paper_end(p);
}

static void effort(struct wbl_paper *p, const json_t *run)
{
	WBL_AUTOFREE char *amount = wbl_value_amount(run);
	WBL_AUTOFREE char *elapsed = wbl_value_span(run, "elapsed_ns");

	wbl_paper_line(p, "  %lld of %lld steps%s%s%s%s",
		(long long)wbl_json_int(run, "steps_done", 0),
		(long long)wbl_json_int(run, "steps_total", 0), *amount ? ", " : "", amount,
		*elapsed ? ", in " : "", elapsed);
}

/* The failed steps of a report: what they said and what was printed. */
static bool failures(struct wbl_paper *p, const json_t *report)
{
	const json_t *step, *d;
	bool any = false;
	size_t i, k;

	json_array_foreach(json_object_get(report, "steps"), i, step)
	{
		const char *state = wbl_value_str(step, "state"),
			   *output = wbl_value_str(step, "output");
		const json_t *all = json_object_get(step, "diagnostics"),
			     *error = json_object_get(step, "error");

		/* A step that was taken back keeps what made it fail. */
		if (strcmp(state, "failed") && strcmp(state, "undo_failed") &&
			!json_array_size(all) && !json_is_object(error))
			continue;
		if (!any)
			wbl_paper_head(p, "What went wrong");
		any = true;
		wbl_paper_line(p, "  step %zu %s", i + 1, wbl_value_str(step, "id"));
		json_array_foreach((json_t *)all, k, d) error_lines(p, 4, d);
		if (!json_array_size(all) && json_is_object(error))
			error_lines(p, 4, error);
		if (*output) {
			wbl_paper_line(p, "    it printed:");
			wbl_paper_output(p, 4, output, TAIL_LINES);
		}
	}
	return any;
}

static void next_commands(struct wbl_paper *p, const json_t *next)
{
	const json_t *n;
	size_t i;

	if (!json_array_size(next))
		return;
	wbl_paper_head(p, "Next");
	json_array_foreach((json_t *)next, i, n)
	{
		WBL_AUTOFREE char *text = wbl_value_text(n);

		wbl_paper_line(p, "  %s", text);
	}
}

static void causes(struct wbl_paper *p, const json_t *all)
{
	const json_t *c;
	size_t i;

	if (!json_array_size(all))
		return;
	wbl_paper_head(p, "Likely causes");
	json_array_foreach((json_t *)all, i, c)
	{
		wbl_paper_wrap(p, 2, "%zu. %s", i + 1, wbl_value_str(c, "text"));
		if (*wbl_value_str(c, "hint"))
			wbl_paper_wrap(p, 6, "%s", wbl_value_str(c, "hint"));
	}
}

void wbl_render_explained(struct wbl_paper *p, const json_t *e)
{
	WBL_AUTOFREE char *words = wbl_value_words(wbl_value_str(e, "state"));

	wbl_paper_tint(p, WBL_TINT_BOLD);
	wbl_paper_add(p, "Run %s  %s", wbl_value_str(e, "run"), words);
	wbl_paper_tint(p, WBL_TINT_NONE);
	wbl_paper_end(p);
	if (*wbl_value_str(e, "headline"))
		wbl_paper_wrap(p, 2, "%s", wbl_value_str(e, "headline"));
	causes(p, json_object_get(e, "causes"));
	next_commands(p, json_object_get(e, "next"));
}

void wbl_render_differences(struct wbl_paper *p, const json_t *d)
{
	const json_t *shown = json_object_get(d, "shown"), *x;
	int64_t total = wbl_json_int(d, "total", 0);
	char count[32];
	size_t i;

	if (!total && !json_array_size(shown))
		return;
	wbl_count_text((uint64_t)total, count);
	wbl_paper_head(p, "Differences");
	json_array_foreach((json_t *)shown, i, x)
	{
		WBL_AUTOFREE char *text = wbl_difference_text(x);

		wbl_paper_wrap(p, 2, "%s", text);
	}
	wbl_paper_line(p, "  %s in all, %zu shown", count, json_array_size(shown));
}

/* The end of a run that was followed. */
void wbl_render_end(
	struct wbl_paper *p, const json_t *run, const json_t *report, const json_t *explained)
{
	const char *state = wbl_value_str(run, "state");
	const json_t *error = json_object_get(run, "error");
	bool fine = !strcmp(state, "completed") || !strcmp(state, "reversible");

	headline(p, run);
	if (*wbl_value_str(report, "outcome"))
		wbl_paper_wrap(p, 2, "%s", wbl_value_str(report, "outcome"));
	else if (*wbl_value_str(run, "reason"))
		wbl_paper_wrap(p, 2, "%s", wbl_value_str(run, "reason"));
	effort(p, run);
	wbl_render_waiting(p, run);
	if (!fine && !failures(p, report) && json_is_object(error)) {
		wbl_paper_head(p, "What went wrong");
		error_lines(p, 2, error);
	}
	if (!fine)
		wbl_render_differences(p, json_object_get(report, "differences"));
	next_commands(p, json_object_get(explained, "next"));
	if (fine && *wbl_value_str(json_object_get(report, "rollback"), "how")) {
		wbl_paper_head(p, "How to go back");
		wbl_paper_wrap(
			p, 2, "%s", wbl_value_str(json_object_get(report, "rollback"), "how"));
	}
}

static void part_top(struct wbl_paper *p, const json_t *r)
{
	const json_t *run = json_object_get(r, "run"), *plan = json_object_get(r, "plan");
	WBL_AUTOFREE char *actor = wbl_value_text(json_object_get(r, "actor"));
	char from[32], to[32];

	headline(p, run);
	if (*wbl_value_str(r, "outcome"))
		wbl_paper_wrap(p, 0, "%s", wbl_value_str(r, "outcome"));
	wbl_value_when(json_object_get(run, "created"), from);
	wbl_value_when(json_object_get(run, "ended"), to);
	wbl_paper_add(p, "%s to %s", from, to);
	if (*actor)
		wbl_paper_add(p, ", asked for by %s", actor);
	if (*wbl_value_str(r, "environment"))
		wbl_paper_add(p, ", environment %s", wbl_value_str(r, "environment"));
	wbl_paper_end(p);
	if (*wbl_value_str(plan, "id"))
		wbl_paper_line(p, "plan %s from %s, digest %s", wbl_value_str(plan, "id"),
			wbl_value_str(json_object_get(r, "spec"), "name"),
			wbl_value_str(plan, "digest"));
	effort(p, run);
}

static void part_steps(struct wbl_paper *p, const json_t *r)
{
	static const char *const heads[] = { "", "step", "what", "state", "tries", "items", "size",
		"rejected", "time" };
	const json_t *step;
	struct wbl_table *t = wbl_table_new("rlLlrrrrr");
	size_t i;

	wbl_paper_head(p, "What was done");
	for (i = 0; i < WBL_COUNT(heads); i++)
		wbl_table_cell(t, WBL_TINT_DIM, "%s", heads[i]);
	json_array_foreach(json_object_get(r, "steps"), i, step)
	{
		const json_t *totals = json_object_get(step, "totals");
		const char *state = wbl_value_str(step, "state");
		WBL_AUTOFREE char *words = wbl_value_words(state);
		WBL_AUTOFREE char *items = wbl_value_some(totals, "items", wbl_value_count);
		WBL_AUTOFREE char *size = wbl_value_some(totals, "bytes", wbl_value_size);
		WBL_AUTOFREE char *elapsed = wbl_value_span(step, "elapsed_ns");
		WBL_AUTOFREE char *rejected = wbl_value_some(totals, "rejected", wbl_value_count);
		WBL_AUTOFREE char *attempts = wbl_value_some(step, "attempts", wbl_value_count);

		wbl_table_cell(t, WBL_TINT_NONE, "%zu", i + 1);
		wbl_table_cell(t, WBL_TINT_BOLD, "%s", wbl_value_str(step, "id"));
		wbl_table_cell(t, WBL_TINT_NONE, "%s", wbl_value_str(step, "title"));
		wbl_table_cell(t, wbl_value_tint(state), "%s", words);
		wbl_table_cell(t, WBL_TINT_NONE, "%s", attempts);
		wbl_table_cell(t, WBL_TINT_NONE, "%s", items);
		wbl_table_cell(t, WBL_TINT_NONE, "%s", size);
		wbl_table_cell(t, WBL_TINT_YELLOW, "%s", rejected);
		wbl_table_cell(t, WBL_TINT_NONE, "%s", elapsed);
	}
	wbl_table_print(t, p, 2);
}

static void rehearsed_line(struct wbl_paper *p, const char *id, const json_t *r)
{
	static const char *const levels[] = { "how far is not told", "listed only",
		"checked without the live systems", "checked against the live systems",
		"done and undone" };
	int64_t level = wbl_json_int(r, "level", 0);
	const char *what = wbl_value_str(r, "what");
	struct wbl_buf tried = { 0 };
	const json_t *t;
	size_t i;

	json_array_foreach(json_object_get(r, "tried"), i, t)
		wbl_buf_addf(&tried, "%s%s", i ? ", " : "", json_string_value(t));
	wbl_paper_wrap(p, 2, "%s: %s%s%s%s%s", id, levels[level < 0 || level > 4 ? 0 : level],
		*what ? ": " : "", what, tried.len ? "; tried: " : "", tried.len ? tried.data : "");
	wbl_buf_clear(&tried);
}

static void part_checked(struct wbl_paper *p, const json_t *r)
{
	const json_t *step, *c;
	bool any = false;
	size_t i, k;

	json_array_foreach(json_object_get(r, "steps"), i, step)
	{
		const json_t *rehearsed = json_object_get(step, "rehearsed");

		json_array_foreach(json_object_get(step, "covered"), k, c)
		{
			WBL_AUTOFREE char *compared = wbl_value_count(c, "compared");
			WBL_AUTOFREE char *of = wbl_value_count(c, "of");

			if (!any)
				wbl_paper_head(p, "What was checked");
			any = true;
			wbl_paper_wrap(p, 2, "%s: %s: %s of %s compared%s%s",
				wbl_value_str(step, "id"), wbl_value_str(c, "set"),
				*compared ? compared : "0", *of ? of : "0",
				*wbl_value_str(c, "how") ? ", " : "", wbl_value_str(c, "how"));
		}
		if (json_is_object(rehearsed)) {
			if (!any)
				wbl_paper_head(p, "What was checked");
			any = true;
			rehearsed_line(p, wbl_value_str(step, "id"), rehearsed);
		}
	}
}

static void part_omissions(struct wbl_paper *p, const json_t *r)
{
	const json_t *all = json_object_get(r, "omissions"), *o;
	size_t i;

	if (!json_array_size(all))
		return;
	wbl_paper_head(p, "What was not migrated");
	json_array_foreach((json_t *)all, i, o)
	{
		WBL_AUTOFREE char *count = wbl_value_some(o, "count", wbl_value_count);

		wbl_paper_wrap(p, 2, "%s%s%s%s%s", count, *count ? " " : "",
			wbl_value_str(o, "what"), *wbl_value_str(o, "why") ? ": " : "",
			wbl_value_str(o, "why"));
	}
}

/* Findings that are said in a sentence. */
static void part_found(struct wbl_paper *p, const json_t *r)
{
	const json_t *x;
	bool any = false;
	size_t i;

	json_array_foreach(json_object_get(r, "findings"), i, x)
	{
		if (!*wbl_value_str(x, "text"))
			continue;
		if (!any)
			wbl_paper_head(p, "What was found");
		any = true;
		wbl_paper_wrap(p, 2, "%s", wbl_value_str(x, "text"));
	}
}

static void part_recovery(struct wbl_paper *p, const json_t *r)
{
	const json_t *all = json_object_get(r, "recovery"), *x;
	size_t i;

	if (!json_array_size(all))
		return;
	wbl_paper_head(p, "What was decided on the way");
	json_array_foreach((json_t *)all, i, x)
	{
		char when[32];

		wbl_value_when(json_object_get(x, "time"), when);
		wbl_paper_wrap(p, 2, "%s %s: %s", when, wbl_value_str(x, "subject"),
			wbl_value_str(x, "text"));
	}
}

static void part_kept(struct wbl_paper *p, const json_t *r)
{
	const json_t *all = json_object_get(r, "artefacts"), *a;
	struct wbl_table *t;
	size_t i;

	if (!json_array_size(all))
		return;
	wbl_paper_head(p, "What was kept");
	t = wbl_table_new("llrL");
	json_array_foreach((json_t *)all, i, a)
	{
		WBL_AUTOFREE char *size = wbl_value_size(a, "bytes");

		wbl_table_cell(t, WBL_TINT_NONE, "%s", wbl_value_str(a, "step"));
		wbl_table_cell(t, WBL_TINT_NONE, "%s", wbl_value_str(a, "name"));
		wbl_table_cell(t, WBL_TINT_NONE, "%s", size);
		wbl_table_cell(t, WBL_TINT_NONE, "%s", wbl_value_str(a, "file"));
	}
	wbl_table_print(t, p, 2);
}

static void part_back(struct wbl_paper *p, const json_t *r)
{
	const json_t *back = json_object_get(r, "rollback"), *undo = json_object_get(r, "undo");
	int64_t records = wbl_json_int(undo, "records", 0);

	if (!json_is_object(back) && records <= 0)
		return;
	wbl_paper_head(p, "How to go back");
	if (json_is_object(back))
		wbl_paper_wrap(p, 2, "%s%s%s",
			wbl_json_bool(back, "possible", false) ? "possible" : "not possible",
			*wbl_value_str(back, "how") ? ": " : "", wbl_value_str(back, "how"));
	if (records > 0)
		wbl_paper_line(p, "  %lld undo record%s, %lld reversed", (long long)records,
			records == 1 ? "" : "s", (long long)wbl_json_int(undo, "reversed", 0));
}

void wbl_render_report(struct wbl_paper *p, const json_t *r)
{
	const json_t *audit = json_object_get(r, "audit"), *run = json_object_get(r, "run");

	part_top(p, r);
	part_steps(p, r);
	if (!failures(p, r) && json_is_object(json_object_get(run, "error"))) {
		wbl_paper_head(p, "What went wrong");
		error_lines(p, 2, json_object_get(run, "error"));
	}
	wbl_render_differences(p, json_object_get(r, "differences"));
	part_checked(p, r);
	wbl_render_proof(p, json_object_get(r, "verification"));
	part_omissions(p, r);
	part_found(p, r);
	part_recovery(p, r);
	part_kept(p, r);
	part_back(p, r);
	wbl_render_waiting(p, run);
	if (json_is_object(audit)) {
		wbl_paper_head(p, "Audit head");
		wbl_paper_line(p, "  %s (entry %lld)", wbl_value_str(audit, "head"),
			(long long)wbl_json_int(audit, "seq", 0));
	}
}

void wbl_render_verified(struct wbl_paper *p, const json_t *result)
{
	bool ok = wbl_json_bool(result, "ok", false);
	const json_t *d = json_object_get(result, "differences");

	wbl_paper_tint(p, ok ? WBL_TINT_GREEN : WBL_TINT_RED);
	if (ok && !wbl_json_int(result, "steps", 1))
		wbl_paper_line(p, "%s: no step of it claims to last; nothing was looked at",
			wbl_value_str(result, "run"));
	else if (ok)
		wbl_paper_line(
			p, "%s: all that it claims still holds", wbl_value_str(result, "run"));
	else if (json_is_integer(d))
		wbl_paper_line(p, "%s: %lld differences", wbl_value_str(result, "run"),
			(long long)json_integer_value(d));
	else
		wbl_paper_line(p, "%s: does not hold", wbl_value_str(result, "run"));
	wbl_paper_tint(p, WBL_TINT_NONE);
	wbl_render_findings(p, json_object_get(result, "findings"));
	if (!ok)
		wbl_paper_line(p, "  whimbrel repair %s", wbl_value_str(result, "run"));
}
