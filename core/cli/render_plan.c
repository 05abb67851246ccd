/* cli/render_plan.c - a plan for the person who decides: what happens, what it costs, what can go
 * wrong, the way back.
 * In: the plan document.  Out: a page. New parts of a plan get a part_*() and a line in
 * wbl_render_plan.
 * SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "core/cli/render.h"

#include <stdlib.h>
#include <string.h>

static const char *const risk_words[] = { "", "low", "medium", "high" };
static const enum wbl_tint risk_tints[] = { WBL_TINT_NONE, WBL_TINT_NONE, WBL_TINT_YELLOW,
	WBL_TINT_RED };

static int risk_level(const char *word)
{
	int i;

	for (i = 3; i > 0; i--)
		if (!strcmp(word, risk_words[i]))
			return i;
	return 0;
}

/* A step's number on the page; 0 when there is none of that id. */
static size_t number_of(const json_t *steps, const char *id)
{
	const json_t *s;
	size_t i;

	json_array_foreach(
		(json_t *)steps, i, s) if (!strcmp(wbl_value_str(s, "id"), id)) return i +
		1;
	return 0;
}

static bool has_flag(const json_t *step, const char *flag)
{
	const json_t *f;
	size_t i;

	json_array_foreach(json_object_get(step, "flags"), i,
		f) if (json_is_string(f) && !strcmp(json_string_value(f), flag)) return true;
	return false;
}

static void part_validity(struct wbl_paper *p, const json_t *plan, const json_t *used_by)
{
	int64_t until = 0;
	char made[32], expires[32], span[24];
	const char *run = json_is_string(used_by) ? json_string_value(used_by)
						  : wbl_value_str(used_by, "run");

	wbl_value_when(json_object_get(plan, "made"), made);
	wbl_value_when(json_object_get(plan, "expires"), expires);
	wbl_paper_add(p, "made %s", made);
	if (*wbl_value_str(plan, "author"))
		wbl_paper_add(p, " by %s", wbl_value_str(plan, "author"));
	if (used_by && run && *run) {
		wbl_paper_add(p, ", ");
		wbl_paper_tint(p, WBL_TINT_YELLOW);
		wbl_paper_add(p, "already applied as %s", run);
		wbl_paper_tint(p, WBL_TINT_NONE);
	} else if (wbl_value_ns(json_object_get(plan, "expires"), &until) && until <= p->now) {
		wbl_paper_tint(p, WBL_TINT_RED);
		wbl_paper_add(p, ", expired %s", expires);
		wbl_paper_tint(p, WBL_TINT_NONE);
	} else if (until) {
		wbl_duration_text(until - p->now, span);
		wbl_paper_add(p, ", can be applied once within %s (until %s)", span, expires);
	}
	wbl_paper_end(p);
}

static void part_top(
	struct wbl_paper *p, const json_t *plan, const char *digest, const json_t *used_by)
{
	const char *risk = wbl_value_str(plan, "risk"), *env = wbl_value_str(plan, "environment"),
		   *profile = wbl_value_str(plan, "profile");
	const json_t *spec = json_object_get(plan, "spec");

	wbl_paper_tint(p, WBL_TINT_BOLD);
	wbl_paper_add(p, "Plan %s  %s", wbl_value_str(plan, "id"), wbl_value_str(plan, "name"));
	wbl_paper_tint(p, WBL_TINT_NONE);
	if (*risk) {
		wbl_paper_add(p, "  ");
		wbl_paper_tint(p, risk_tints[risk_level(risk)]);
		wbl_paper_add(p, "%s risk", risk);
		wbl_paper_tint(p, WBL_TINT_NONE);
	}
	wbl_paper_end(p);
	wbl_paper_add(p, "from %s", wbl_value_str(spec, "name"));
	if (*env)
		wbl_paper_add(p, ", environment %s%s%s%s", env, *profile ? " (" : "", profile,
			*profile ? ")" : "");
	wbl_paper_end(p);
	part_validity(p, plan, used_by);
	if (digest)
		wbl_paper_line(p, "digest %s", digest);
}

static void part_blockers(struct wbl_paper *p, const json_t *plan)
{
	const json_t *b;
	size_t i;

	if (wbl_json_bool(plan, "applyable", true))
		return;
	wbl_paper_head(p, "Cannot be applied");
	json_array_foreach(json_object_get(plan, "blockers"), i, b)
	{
		WBL_AUTOFREE char *text = wbl_value_text(b);

		wbl_paper_tint(p, WBL_TINT_RED);
		wbl_paper_wrap(p, 2, "%s", text);
		wbl_paper_tint(p, WBL_TINT_NONE);
	}
}

/* The step which this one undoes; 0 when it is one of the way forward. */
static size_t undoes(const json_t *step, const json_t *steps)
{
	const char *id = wbl_value_str(step, "id");
	const json_t *s;
	size_t i;

	json_array_foreach(
		(json_t *)steps, i, s) if (!strcmp(wbl_value_str(s, "inverse"), "step") &&
					   !strcmp(wbl_value_str(s, "inverse_arg"), id)) return i +
		1;
	return 0;
}

static char *notes_of(const json_t *step, const json_t *steps)
{
	static const struct {
		const char *flag, *text;
	} words[] = { { "no_return", "NO WAY BACK after it" }, { "downtime", "service is down" },
		{ "external", "acts outside" }, { "manual", "a person does it" },
		{ "background", "stays up" }, { "optional", "may fail" },
		{ "finalize", "waits for finalize" }, { "partitioned", "in parallel" } };
	const char *barrier = wbl_value_str(step, "barrier"),
		   *finishes = wbl_value_str(step, "finishes"),
		   *retry = wbl_value_str(step, "retry_from");
	struct wbl_buf b = { 0 };
	size_t i, undone = undoes(step, steps);

	if (undone)
		wbl_buf_addf(&b, "only to undo %zu", undone);
	for (i = 0; i < WBL_COUNT(words); i++)
		if (has_flag(step, words[i].flag))
			wbl_buf_addf(&b, "%s%s", b.len ? "; " : "", words[i].text);
	if (*barrier)
		wbl_buf_addf(&b, "%sbarrier %s", b.len ? "; " : "", barrier);
	if (*finishes)
		wbl_buf_addf(&b, "%sends %zu", b.len ? "; " : "", number_of(steps, finishes));
	if (*retry)
		wbl_buf_addf(&b, "%sa failure repeats from %zu", b.len ? "; " : "",
			number_of(steps, retry));
	return wbl_buf_take(&b);
}

static char *undo_of(const json_t *step, const json_t *steps)
{
	const char *inverse = wbl_value_str(step, "inverse"),
		   *arg = wbl_value_str(step, "inverse_arg");
	size_t n = number_of(steps, arg);

	if (undoes(step, steps))
		return wbl_strdup("");
	if (!strcmp(inverse, "rollback"))
		return wbl_strdup("yes");
	if (!strcmp(inverse, "snapshot"))
		return wbl_strdup("from backup");
	if (!strcmp(inverse, "step"))
		return n ? wbl_strf("by step %zu", n) : wbl_strf("by %s", arg);
	if (!strcmp(inverse, "none"))
		return wbl_strdup("NO");
	return wbl_strdup(inverse);
}

static char *time_of(const json_t *estimate)
{
	WBL_AUTOFREE char *p50 = wbl_value_some(estimate, "p50_ns", wbl_value_span);
	WBL_AUTOFREE char *p90 = wbl_value_some(estimate, "p90_ns", wbl_value_span);

	if (!*p50 || !*p90 || !strcmp(p50, p90))
		return wbl_strdup(*p50 ? p50 : p90);
	return wbl_strf("%s to %s", p50, p90);
}

static void step_row(struct wbl_table *t, const json_t *step, const json_t *steps, size_t i)
{
	const json_t *estimate = json_object_get(step, "estimate");
	const char *title = wbl_value_str(step, "title");
	WBL_AUTOFREE char *time = time_of(estimate);
	WBL_AUTOFREE char *items = wbl_value_some(estimate, "items", wbl_value_count);
	WBL_AUTOFREE char *size = wbl_value_some(estimate, "bytes", wbl_value_size);
	WBL_AUTOFREE char *notes = notes_of(step, steps);
	WBL_AUTOFREE char *undo = undo_of(step, steps);
	bool severe = has_flag(step, "no_return") || has_flag(step, "downtime");

	wbl_table_cell(t, WBL_TINT_NONE, "%zu", i + 1);
	wbl_table_cell(t, WBL_TINT_BOLD, "%s", wbl_value_str(step, "id"));
	wbl_table_cell(t, severe ? WBL_TINT_YELLOW : WBL_TINT_NONE, "%s%s%s%s",
		*title ? title : wbl_value_str(step, "op"), *notes ? " [" : "", notes,
		*notes ? "]" : "");
	wbl_table_cell(t, WBL_TINT_NONE, "%s", items);
	wbl_table_cell(t, WBL_TINT_NONE, "%s", size);
	wbl_table_cell(t, WBL_TINT_NONE, "%s", time);
	wbl_table_cell(t, strcmp(undo, "NO") ? WBL_TINT_NONE : WBL_TINT_RED, "%s", undo);
}

static void part_steps(struct wbl_paper *p, const json_t *plan)
{
	static const char *const heads[] = { "", "step", "what", "items", "size", "time", "undo" };
	const json_t *steps = json_object_get(plan, "steps"), *step;
	struct wbl_table *t = wbl_table_new("rlLrrll");
	size_t i;

	wbl_paper_head(p, "What will happen");
	if (!json_array_size(steps))
		wbl_paper_line(p, "  nothing: there is nothing to do");
	else
		for (i = 0; i < WBL_COUNT(heads); i++)
			wbl_table_cell(t, WBL_TINT_DIM, "%s", heads[i]);
	json_array_foreach((json_t *)steps, i, step) step_row(t, step, steps, i);
	wbl_table_print(t, p, 2);
}

static void part_manual(struct wbl_paper *p, const json_t *plan)
{
	const json_t *step, *manual;
	bool first = true;
	size_t i;

	json_array_foreach(json_object_get(plan, "steps"), i, step)
	{
		manual = json_object_get(step, "manual");
		if (!json_is_object(manual))
			continue;
		if (first)
			wbl_paper_head(p, "What people do");
		first = false;
		wbl_paper_add(p, "  %zu %s", i + 1, wbl_value_str(step, "id"));
		if (*wbl_value_str(manual, "assignee"))
			wbl_paper_add(p, ", %s", wbl_value_str(manual, "assignee"));
		wbl_paper_end(p);
		wbl_paper_wrap(p, 6, "%s", wbl_value_str(manual, "instructions"));
		if (*wbl_value_str(manual, "deliverable"))
			wbl_paper_wrap(p, 6, "gives: %s", wbl_value_str(manual, "deliverable"));
	}
}

/* How the estimate came about, in words. */
static char *basis_of(const json_t *estimate)
{
	const char *basis = wbl_value_str(estimate, "basis");
	long n = strchr(basis, ':') ? strtol(strchr(basis, ':') + 1, NULL, 10) : 0;

	if (!strncmp(basis, "history:", 8))
		return wbl_strf("measured in %ld earlier run%s", n, n == 1 ? "" : "s");
	if (!strncmp(basis, "sample:", 7))
		return wbl_strf("from a sample of %ld", n);
	if (!strcmp(basis, "declared"))
		return wbl_strdup("as the handlers declare");
	if (!strcmp(basis, "unknown"))
		return wbl_strdup("a guess");
	return wbl_strdup(basis);
}

static void downtime_line(struct wbl_paper *p, const json_t *steps)
{
	struct wbl_buf b = { 0 };
	const json_t *step;
	int64_t p50 = 0;
	char span[24];
	size_t i;

	json_array_foreach((json_t *)steps, i, step)
	{
		if (!has_flag(step, "downtime"))
			continue;
		wbl_buf_addf(&b, "%s%zu", b.len ? ", " : "", i + 1);
		if (__builtin_add_overflow(p50,
			    wbl_json_int(json_object_get(step, "estimate"), "p50_ns", 0), &p50))
			p50 = 0;
	}
	wbl_duration_text(p50, span);
	if (!b.len)
		wbl_paper_line(p, "  downtime: none is planned");
	else
		wbl_paper_line(p, "  downtime: %s%s (step %s)", p50 ? "about " : "",
			p50 ? span : "not known", b.data);
	wbl_buf_clear(&b);
}

/* What the steps claim, each once. */
static void claims_line(struct wbl_paper *p, const json_t *steps)
{
	struct wbl_buf b = { 0 };
	json_t *seen = json_object();
	const json_t *step, *claim;
	size_t i, k;

	json_array_foreach((json_t *)steps, i, step)
	{
		json_array_foreach(json_object_get(step, "claims"), k, claim)
		{
			WBL_AUTOFREE char *text =
				wbl_strf("%s %s (%s)", wbl_value_str(claim, "kind"),
					wbl_value_str(claim, "name"), wbl_value_str(claim, "mode"));

			if (json_object_get(seen, text))
				continue;
			json_object_set_new(seen, text, json_true());
			wbl_buf_addf(&b, "%s%s", b.len ? ", " : "", text);
		}
	}
	if (b.len)
		wbl_paper_wrap(p, 2, "holds: %s", b.data);
	json_decref(seen);
	wbl_buf_clear(&b);
}

static void part_cost(struct wbl_paper *p, const json_t *plan)
{
	const json_t *timeline = json_object_get(plan, "timeline"),
		     *r = json_object_get(plan, "resources");
	WBL_AUTOFREE char *time = time_of(timeline);
	WBL_AUTOFREE char *basis = basis_of(timeline);
	int64_t processes = wbl_json_int(r, "processes", 0);

	wbl_paper_head(p, "What it costs");
	wbl_paper_line(p, "  time: %s%s%s%s", *time ? time : "not known", *basis ? " (" : "", basis,
		*basis ? ")" : "");
	downtime_line(p, json_object_get(plan, "steps"));
	if (processes > 0)
		wbl_paper_line(p, "  at most %lld process%s at a time", (long long)processes,
			processes == 1 ? "" : "es");
	claims_line(p, json_object_get(plan, "steps"));
}

/* The risks of one level: [why, mitigation, steps...], the same one of many steps together. */
static json_t *group_risks(const json_t *plan, int level)
{
	json_t *groups = json_object(), *group;
	const json_t *step, *r;
	size_t i, k;

	json_array_foreach(json_object_get(plan, "steps"), i, step)
		json_array_foreach(json_object_get(step, "risks"), k, r)
	{
		WBL_AUTOFREE char *key = wbl_strf(
			"%s\x1f%s", wbl_value_str(r, "why"), wbl_value_str(r, "mitigation"));

		if (wbl_json_int(r, "level", 1) != level)
			continue;
		group = json_object_get(groups, key);
		if (!group) {
			group = json_pack(
				"[s, s]", wbl_value_str(r, "why"), wbl_value_str(r, "mitigation"));
			json_object_set_new(groups, key, group);
		}
		json_array_append_new(group, json_string(wbl_value_str(step, "id")));
	}
	return groups;
}

static char *steps_of_group(const json_t *group)
{
	enum { NAMED = 12 };
	size_t n = json_array_size(group) - 2, i;
	struct wbl_buf b = { 0 };

	for (i = 0; i < n && i < NAMED; i++)
		wbl_buf_addf(
			&b, "%s%s", i ? ", " : "", json_string_value(json_array_get(group, i + 2)));
	if (n > NAMED)
		wbl_buf_addf(&b, " and %zu more", n - NAMED);
	return b.data;
}

static size_t risks_of_level(struct wbl_paper *p, const json_t *plan, int level)
{
	json_t *groups = group_risks(plan, level), *group;
	size_t n = json_object_size(groups);
	const char *key, *against;

	json_object_foreach(groups, key, group)
	{
		WBL_AUTOFREE char *steps = steps_of_group(group);

		against = json_string_value(json_array_get(group, 1));
		wbl_paper_tint(p, risk_tints[level]);
		wbl_paper_wrap(p, 2, "%s: %s: %s", risk_words[level], steps,
			json_string_value(json_array_get(group, 0)));
		wbl_paper_tint(p, WBL_TINT_NONE);
		if (*against)
			wbl_paper_wrap(p, 6, "against it: %s", against);
	}
	json_decref(groups);
	return n;
}

static void part_risks(struct wbl_paper *p, const json_t *plan)
{
	const json_t *warnings = json_object_get(plan, "warnings"), *w;
	size_t i, n = 0;
	int level;

	wbl_paper_head(p, "What can go wrong");
	for (level = 3; level > 0; level--)
		n += risks_of_level(p, plan, level);
	json_array_foreach((json_t *)warnings, i, w)
	{
		WBL_AUTOFREE char *text = json_is_object(w)
						  ? wbl_strf("%s%s%s", wbl_value_str(w, "where"),
							    *wbl_value_str(w, "where") ? ": " : "",
							    wbl_value_str(w, "text"))
						  : wbl_value_text(w);

		wbl_paper_tint(p, WBL_TINT_YELLOW);
		wbl_paper_wrap(p, 2, "warning: %s", text);
		wbl_paper_tint(p, WBL_TINT_NONE);
		n++;
	}
	if (!n)
		wbl_paper_line(p, "  no risk is known beyond what every step has");
}

static void part_omissions(struct wbl_paper *p, const json_t *plan)
{
	const json_t *o, *all = json_object_get(plan, "omissions");
	size_t i;

	if (!json_array_size(all))
		return;
	wbl_paper_head(p, "What is not migrated");
	json_array_foreach((json_t *)all, i, o)
	{
		WBL_AUTOFREE char *count = wbl_value_some(o, "count", wbl_value_count);

		wbl_paper_wrap(p, 2, "%s%s%s%s%s", count, *count ? " " : "",
			wbl_value_str(o, "what"), *wbl_value_str(o, "why") ? ": " : "",
			wbl_value_str(o, "why"));
	}
}

static char *order_of(const json_t *order, const json_t *steps)
{
	struct wbl_buf b = { 0 };
	const json_t *id;
	size_t i;

	json_array_foreach((json_t *)order, i, id)
	{
		size_t n = json_is_string(id) ? number_of(steps, json_string_value(id)) : 0;

		if (n)
			wbl_buf_addf(&b, "%s%zu", b.len ? ", " : "", n);
	}
	return wbl_buf_take(&b);
}

static void part_back(struct wbl_paper *p, const json_t *plan)
{
	const json_t *back = json_object_get(plan, "rollback"),
		     *steps = json_object_get(plan, "steps"), *x;
	WBL_AUTOFREE char *order = order_of(json_object_get(back, "order"), steps);
	const char *point = wbl_value_str(back, "point_of_no_return");
	size_t i;

	wbl_paper_head(p, "How to go back");
	if (wbl_json_bool(back, "automatic", true))
		wbl_paper_wrap(p, 2, "by itself, when a step or its verification fails%s%s",
			*order ? (strchr(order, ',') ? ": steps " : ": step ") : "", order);
	else
		wbl_paper_wrap(p, 2,
			"not by itself: a failure stops the run and a person decides%s%s",
			*order ? (strchr(order, ',') ? "; then steps " : "; then step ") : "",
			order);
	wbl_paper_line(p, "  by hand, also when it is done: whimbrel rollback RUN");
	if (*point) {
		wbl_paper_tint(p, WBL_TINT_RED);
		wbl_paper_wrap(p, 2, "there is no way back once step %zu %s has begun",
			number_of(steps, point), point);
		wbl_paper_tint(p, WBL_TINT_NONE);
	}
	json_array_foreach(json_object_get(back, "irreversible"), i, x)
	{
		wbl_paper_tint(p, WBL_TINT_YELLOW);
		wbl_paper_wrap(p, 2, "step %zu %s cannot be undone: %s",
			number_of(steps, wbl_value_str(x, "step")), wbl_value_str(x, "step"),
			wbl_value_str(x, "why"));
		wbl_paper_tint(p, WBL_TINT_NONE);
	}
}

static void part_observations(struct wbl_paper *p, const json_t *plan)
{
	static const struct {
		const char *rule, *text;
	} rules[] = { { "equal", "must not change" }, { "at_least", "must not shrink" },
		{ "at_most", "must not grow" }, { "within", "may change a little" },
		{ "advisory", "a change is only reported" } };
	const json_t *all = json_object_get(plan, "observations"), *o;
	size_t i, r;

	if (!json_array_size(all))
		return;
	wbl_paper_head(p, "What it relies on (read again before it begins)");
	json_array_foreach((json_t *)all, i, o)
	{
		WBL_AUTOFREE char *value = wbl_value_text(json_object_get(o, "value"));
		const char *meaning = wbl_value_str(o, "meaning"), *rule = wbl_value_str(o, "rule");

		if (i == 12) {
			wbl_paper_line(p, "  and %zu more", json_array_size(all) - i);
			break;
		}
		for (r = 0; r < WBL_COUNT(rules); r++)
			if (!strcmp(rules[r].rule, rule))
				rule = rules[r].text;
		wbl_paper_wrap(p, 2, "%s: %.*s%s (%s)",
			*meaning ? meaning : wbl_value_str(o, "key"), (int)wbl_text_fit(value, 40),
			value, strlen(value) > 40 ? "..." : "", rule);
	}
}

void wbl_render_questions(struct wbl_paper *p, const json_t *questions, const char *subject)
{
	const json_t *q;
	size_t i;

	json_array_foreach((json_t *)questions, i, q)
	{
		WBL_AUTOFREE char *choices = wbl_value_list(json_object_get(q, "choices"), "");
		const char *answer = wbl_json_str(q, "answer"), *id = wbl_value_str(q, "id");

		wbl_paper_wrap(p, 2, "%s: %s", id, wbl_value_str(q, "text"));
		if (answer) {
			wbl_paper_line(p, "      answered: %s", answer);
			continue;
		}
		if (*choices)
			wbl_paper_wrap(p, 6, "choices: %s", choices);
		if (*wbl_value_str(q, "proposal"))
			wbl_paper_wrap(p, 6, "proposal: %s", wbl_value_str(q, "proposal"));
		wbl_paper_line(p, "      whimbrel answer %s %s ANSWER", subject, id);
	}
}

static void part_questions(struct wbl_paper *p, const json_t *plan)
{
	const json_t *questions = json_object_get(plan, "questions");

	if (!json_array_size(questions))
		return;
	wbl_paper_head(p, "What it asks");
	wbl_render_questions(p, questions, wbl_value_str(plan, "id"));
}

void wbl_render_findings(struct wbl_paper *p, const json_t *findings)
{
	const json_t *f;
	size_t i;

	json_array_foreach((json_t *)findings, i, f)
	{
		const char *severity = wbl_value_str(f, "severity"),
			   *step = wbl_value_str(f, "step"), *where = wbl_value_str(f, "where"),
			   *hint = wbl_value_str(f, "hint");

		wbl_paper_tint(p, wbl_value_tint(severity));
		wbl_paper_wrap(p, 2, "%s%s%s%s%s%s%s", severity, *severity ? ": " : "", step,
			*step ? ": " : "", where, *where ? ": " : "", wbl_value_str(f, "text"));
		wbl_paper_tint(p, WBL_TINT_NONE);
		if (*hint)
			wbl_paper_wrap(p, 6, "%s", hint);
	}
}

static void part_findings(struct wbl_paper *p, const json_t *plan)
{
	const json_t *findings = json_object_get(plan, "findings");

	if (!json_array_size(findings))
		return;
	wbl_paper_head(p, "What was found while planning");
	wbl_render_findings(p, findings);
}

static void part_success(struct wbl_paper *p, const json_t *plan)
{
	const json_t *all = json_object_get(plan, "success"), *s;
	size_t i;

	if (!json_array_size(all))
		return;
	wbl_paper_head(p, "It has succeeded when");
	json_array_foreach((json_t *)all, i, s)
	{
		WBL_AUTOFREE char *text = wbl_value_text(s);

		wbl_paper_wrap(p, 2, "%s", text);
	}
}

void wbl_render_plan(struct wbl_paper *p, const json_t *plan, const char *digest,
	const json_t *used_by, bool next)
{
	part_top(p, plan, digest, used_by);
	part_steps(p, plan);
	part_manual(p, plan);
	part_omissions(p, plan);
	part_cost(p, plan);
	part_risks(p, plan);
	part_back(p, plan);
	part_observations(p, plan);
	part_findings(p, plan);
	part_success(p, plan);
	part_questions(p, plan);
	part_blockers(p, plan);
	if (next && wbl_json_bool(plan, "applyable", true) && (!used_by || json_is_null(used_by))) {
		wbl_paper_head(p, "Next");
		wbl_paper_line(p, "  whimbrel apply %s", wbl_value_str(plan, "id"));
	}
}
