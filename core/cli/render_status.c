/* cli/render_status.c - runs at a glance: status, history, what is waited for.
 * In: summaries.  Out: tables.
 * SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "core/cli/render.h"

#include <stdlib.h>
#include <string.h>

char *wbl_render_pace(const json_t *s)
{
	int64_t percent = wbl_json_int(s, "percent", -1), items = wbl_json_int(s, "rate_items", 0),
		bytes = wbl_json_int(s, "rate_bytes", 0);
	WBL_AUTOFREE char *count = wbl_value_count(s, "rate_items");
	WBL_AUTOFREE char *size = wbl_value_size(s, "rate_bytes");
	WBL_AUTOFREE char *eta = wbl_value_span(s, "eta_ns");
	struct wbl_buf b = { 0 };

	if (percent >= 0)
		wbl_buf_addf(&b, "%lld %%", (long long)percent);
	if (*eta)
		wbl_buf_addf(&b, "%s%s left", b.len ? ", " : "", eta);
	if (items > 0)
		wbl_buf_addf(&b, "%s%s items/s", b.len ? ", " : "", count);
	if (bytes > 0)
		wbl_buf_addf(&b, "%s%s/s", b.len ? ", " : "", size);
	return wbl_buf_take(&b);
}

void wbl_render_waiting(struct wbl_paper *p, const json_t *s)
{
	const json_t *all = json_object_get(s, "waiting_for"), *w;
	size_t i;

	if (!json_array_size(all))
		return;
	wbl_paper_head(p, "Waiting for");
	json_array_foreach((json_t *)all, i, w)
	{
		WBL_AUTOFREE char *choices = wbl_value_list(json_object_get(w, "choices"), "");
		const char *step = wbl_value_str(w, "step"), *kind = wbl_value_str(w, "kind");

		wbl_paper_tint(p, WBL_TINT_YELLOW);
		wbl_paper_wrap(p, 2, "%s%s%s%s%s", kind, *step ? " " : "", step,
			*wbl_value_str(w, "text") ? ": " : "", wbl_value_str(w, "text"));
		wbl_paper_tint(p, WBL_TINT_NONE);
		if (*wbl_value_str(w, "assignee"))
			wbl_paper_wrap(p, 6, "who: %s", wbl_value_str(w, "assignee"));
		if (*wbl_value_str(w, "deliverable"))
			wbl_paper_wrap(p, 6, "gives: %s", wbl_value_str(w, "deliverable"));
		if (*choices)
			wbl_paper_wrap(p, 6, "choices: %s", choices);
		if (*wbl_value_str(w, "proposal"))
			wbl_paper_wrap(p, 6, "proposal: %s", wbl_value_str(w, "proposal"));
		if (*wbl_value_str(w, "next"))
			wbl_paper_line(p, "      %s", wbl_value_str(w, "next"));
	}
}

static void run_cells(struct wbl_table *t, const json_t *s)
{
	const char *state = wbl_value_str(s, "state");
	WBL_AUTOFREE char *words = wbl_value_words(state);
	WBL_AUTOFREE char *amount = wbl_value_amount(s);
	WBL_AUTOFREE char *elapsed = wbl_value_span(s, "elapsed_ns");
	bool orphan = !wbl_json_bool(s, "live", true) &&
		      !json_is_string(json_object_get(s, "ended")) &&
		      (!strcmp(state, "executing") || !strcmp(state, "rolling_back") ||
			      !strcmp(state, "validating"));
	char created[32];

	wbl_value_when(json_object_get(s, "created"), created);
	wbl_table_cell(t, WBL_TINT_BOLD, "%s", wbl_value_str(s, "run"));
	wbl_table_cell(t, WBL_TINT_NONE, "%s", wbl_value_str(s, "name"));
	wbl_table_cell(t, orphan ? WBL_TINT_RED : wbl_value_tint(state), "%s%s",
		orphan ? "interrupted while " : "", words);
	wbl_table_cell(t, WBL_TINT_NONE, "%s%s", created,
		strcmp(wbl_value_str(s, "mode"), "rehearse") ? "" : " (rehearsal)");
	wbl_table_cell(t, WBL_TINT_NONE, "%s", elapsed);
	wbl_table_cell(t, WBL_TINT_NONE, "%lld/%lld steps",
		(long long)wbl_json_int(s, "steps_done", 0),
		(long long)wbl_json_int(s, "steps_total", 0));
	wbl_table_cell(t, WBL_TINT_NONE, "%s", amount);
}

static void run_table(struct wbl_paper *p, const json_t *runs)
{
	static const char *const heads[] = { "run", "name", "state", "begun", "took", "done", "" };
	struct wbl_table *t = wbl_table_new("llLlrrr");
	const json_t *s;
	size_t i;

	for (i = 0; i < WBL_COUNT(heads); i++)
		wbl_table_cell(t, WBL_TINT_DIM, "%s", heads[i]);
	json_array_foreach((json_t *)runs, i, s) run_cells(t, s);
	wbl_table_print(t, p, 0);
}

static void step_table(struct wbl_paper *p, const json_t *steps)
{
	struct wbl_table *t = wbl_table_new("rlllrL");
	const json_t *s;
	size_t i;

	json_array_foreach((json_t *)steps, i, s)
	{
		const char *state = wbl_value_str(s, "state");
		WBL_AUTOFREE char *words = wbl_value_words(state);
		WBL_AUTOFREE char *amount = wbl_value_amount(s);
		WBL_AUTOFREE char *elapsed = wbl_value_span(s, "elapsed_ns");
		const json_t *error = json_object_get(s, "error");

		wbl_table_cell(t, WBL_TINT_NONE, "%zu", i + 1);
		wbl_table_cell(t, WBL_TINT_BOLD, "%s", wbl_value_str(s, "id"));
		wbl_table_cell(t, wbl_value_tint(state), "%s", words);
		wbl_table_cell(t, WBL_TINT_NONE, "%s", amount);
		wbl_table_cell(t, WBL_TINT_NONE, "%s", strcmp(state, "pending") ? elapsed : "");
		wbl_table_cell(t, WBL_TINT_NONE, "%s",
			json_is_object(error)        ? wbl_value_str(error, "text")
			: *wbl_value_str(s, "phase") ? wbl_value_str(s, "phase")
						     : wbl_value_str(s, "title"));
	}
	wbl_table_print(t, p, 2);
}

static void one_run(struct wbl_paper *p, const json_t *s)
{
	WBL_AUTOFREE char *pace = wbl_render_pace(s);
	const json_t *error = json_object_get(s, "error");
	int64_t exit = wbl_json_int(s, "exit", -1);
	struct wbl_table *t = wbl_table_new("llLlrrr");

	run_cells(t, s);
	wbl_table_print(t, p, 0);
	if (*pace && exit < 0)
		wbl_paper_line(p, "  %s", pace);
	if (*wbl_value_str(s, "reason"))
		wbl_paper_wrap(p, 2, "%s", wbl_value_str(s, "reason"));
	step_table(p, json_object_get(s, "steps"));
	if (json_is_object(error)) {
		wbl_paper_head(p, "What went wrong");
		wbl_paper_wrap(p, 2, "%s%s%s", wbl_value_str(error, "where"),
			*wbl_value_str(error, "where") ? ": " : "", wbl_value_str(error, "text"));
		if (*wbl_value_str(error, "hint"))
			wbl_paper_wrap(p, 6, "%s", wbl_value_str(error, "hint"));
	}
	wbl_render_waiting(p, s);
}

void wbl_render_status(struct wbl_paper *p, const json_t *result)
{
	const json_t *runs = json_object_get(result, "runs"),
		     *engine = json_object_get(result, "engine"), *s;
	size_t i, interrupted = 0;

	if (json_array_size(runs) == 1 &&
		json_is_array(json_object_get(json_array_get(runs, 0), "steps"))) {
		one_run(p, json_array_get(runs, 0));
		return;
	}
	if (!json_array_size(runs))
		wbl_paper_line(p, "nothing is going on; whimbrel history shows what was");
	else
		run_table(p, runs);
	json_array_foreach((json_t *)runs, i, s) interrupted +=
		!wbl_json_bool(s, "live", true) && !json_is_integer(json_object_get(s, "exit"));
	if (interrupted)
		wbl_paper_line(p, "interrupted runs go on or back with: whimbrel recover");
	if (json_is_object(engine)) {
		wbl_paper_tint(p, WBL_TINT_DIM);
		wbl_paper_line(p, "engine %s, process %lld, %s", wbl_value_str(engine, "version"),
			(long long)wbl_json_int(engine, "pid", 0), wbl_value_str(engine, "dir"));
		wbl_paper_tint(p, WBL_TINT_NONE);
	}
}

void wbl_render_history(struct wbl_paper *p, const json_t *result)
{
	const json_t *runs = json_object_get(result, "runs");

	if (json_array_size(runs))
		run_table(p, runs);
	else
		wbl_paper_line(p, "nothing was done yet");
}
