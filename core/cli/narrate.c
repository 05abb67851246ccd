/* cli/narrate.c - journal entries as lines for people.
 * In: entries, which are durable when they arrive: what is printed here has happened.  Out: at
 * most a line each.
 * New kinds of entry that people should see go into wbl_narrate.
 * SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "core/cli/render.h"

#include <string.h>

#include "core/base/error.h"

static const struct {
	const char *state, *text;
} step_texts[] = { { "up", "up and serving" }, { "suspended", "stopped at a checkpoint" },
	{ "waiting", "waits for a person" }, { "executed", "work done" },
	{ "verified", "done and verified" },
	{ "passed_over", "failed; passed over as it is optional" }, { "failed", "FAILED" },
	{ "undoing", "undoing" }, { "undone", "undone, as before" },
	{ "undo_failed", "COULD NOT BE UNDONE" } };

static void begin(struct wbl_paper *p, const json_t *e)
{
	const char *step = wbl_value_str(e, "step");
	char when[32];

	wbl_value_when(json_object_get(e, "time"), when);
	wbl_paper_tint(p, WBL_TINT_DIM);
	wbl_paper_add(p, "%s", strlen(when) > 11 ? when + 11 : when);
	wbl_paper_tint(p, WBL_TINT_NONE);
	wbl_paper_add(p, " ");
	wbl_paper_tint(p, WBL_TINT_BOLD);
	wbl_paper_add(p, "%s", *step ? step : wbl_value_str(e, "run"));
	wbl_paper_tint(p, WBL_TINT_NONE);
	wbl_paper_add(p, ": ");
}

static void tinted(struct wbl_paper *p, enum wbl_tint tint, const char *text)
{
	wbl_paper_tint(p, tint);
	wbl_paper_add(p, "%s", text);
	wbl_paper_tint(p, WBL_TINT_NONE);
}

/* ": " and the reason of a state, its error, or what its code means. */
static void because(struct wbl_paper *p, const json_t *e)
{
	const json_t *body = json_object_get(e, "body");
	const char *reason =
		json_is_string(body) ? json_string_value(body) : wbl_value_str(body, "reason");
	int32_t status = (int32_t)wbl_json_int(e, "status", 0);

	if (!*reason)
		reason = wbl_value_str(json_object_get(body, "error"), "text");
	if (*reason)
		wbl_paper_add(p, ": %s", reason);
	else if (status < 0)
		wbl_paper_add(p, ": %s", wbl_code_text(status));
}

static bool run_state(struct wbl_paper *p, const json_t *e)
{
	const char *state = wbl_value_str(e, "name");
	WBL_AUTOFREE char *words = wbl_value_words(state);

	begin(p, e);
	tinted(p, wbl_value_tint(state), words);
	because(p, e);
	wbl_paper_end(p);
	return true;
}

static void add_totals(struct wbl_paper *p, const json_t *result)
{
	WBL_AUTOFREE char *amount = wbl_value_amount(json_object_get(result, "totals"));
	WBL_AUTOFREE char *span = wbl_value_span(result, "ns");

	if (*amount)
		wbl_paper_add(p, ", %s", amount);
	if (*span)
		wbl_paper_add(p, ", %s", span);
}

/* What a step was last known to do, so that a good verification can be read. */
static void remember(struct wbl_narrator *n, const json_t *e, const char *state)
{
	if (!n->states)
		n->states = json_object();
	json_object_set_new(n->states, wbl_value_str(e, "step"), json_string(state));
}

static bool tell_state(
	struct wbl_paper *p, const json_t *e, const char *state, const json_t *result)
{
	const char *text = state;
	size_t i;

	begin(p, e);
	for (i = 0; i < WBL_COUNT(step_texts); i++)
		if (!strcmp(step_texts[i].state, state))
			text = step_texts[i].text;
	tinted(p, wbl_value_tint(state), text);
	if (result)
		add_totals(p, result);
	else
		because(p, e);
	wbl_paper_end(p);
	return true;
}

static bool step_state(struct wbl_narrator *n, struct wbl_paper *p, const json_t *e)
{
	const char *state = wbl_value_str(e, "name");

	remember(n, e, state);
	if (!strcmp(state, "pending") || !strcmp(state, "executing"))
		return false;
	return tell_state(p, e, state, NULL);
}

static bool step_intent(struct wbl_narrator *n, struct wbl_paper *p, const json_t *e)
{
	static const struct {
		const char *call, *text, *state;
	} calls[] = { { "execute", "begins", "executing" }, { "rollback", "undoing", "undoing" },
		{ "verify", "verifying", NULL }, { "repair", "repairing", NULL },
		{ "probe", "finding out what reached the target", NULL },
		{ "partition", "listing the parts of the work", "executing" } };
	const char *call = wbl_value_str(e, "name");
	int64_t attempt = wbl_json_int(e, "attempt", 1);
	size_t i;

	begin(p, e);
	for (i = 0; i < WBL_COUNT(calls); i++) {
		if (strcmp(calls[i].call, wbl_value_str(e, "name")))
			continue;
		call = calls[i].text;
		if (calls[i].state)
			remember(n, e, calls[i].state);
	}
	wbl_paper_add(p, "%s", call);
	if (attempt > 1)
		wbl_paper_add(p, " (attempt %lld)", (long long)attempt);
	wbl_paper_end(p);
	return true;
}

static bool good_result(struct wbl_narrator *n, struct wbl_paper *p, const json_t *e)
{
	const json_t *body = json_object_get(e, "body");
	const char *call = wbl_value_str(e, "name"),
		   *state = wbl_value_str(n->states, wbl_value_str(e, "step"));

	if (!strcmp(call, "execute")) {
		remember(n, e, "executed");
		return tell_state(p, e, "executed", body);
	}
	if (!strcmp(call, "verify") && (!strcmp(state, "executed") || !strcmp(state, "undoing"))) {
		const char *now = *state == 'e' ? "verified" : "undone";

		remember(n, e, now);
		return tell_state(p, e, now, body);
	}
	if (!strcmp(call, "verify.lasting") || !strcmp(call, "repair")) {
		begin(p, e);
		wbl_paper_line(p, *call == 'v' ? "still holds" : "repaired");
		return true;
	}
	return false;
}

/* A failed call: the engine's error, else what the handler said first, else what its code means. */
static bool bad_result(struct wbl_paper *p, const json_t *e)
{
	const json_t *body = json_object_get(e, "body"), *error = json_object_get(body, "error");
	const char *text = wbl_value_str(error, "text"), *where = wbl_value_str(error, "where");
	int32_t status = (int32_t)wbl_json_int(e, "status", 0);

	if (status >= 0 || status == WBL_E_WAIT || status == WBL_E_SPLIT)
		return false;
	if (!*text)
		text = wbl_value_str(
			json_array_get(json_object_get(body, "diagnostics"), 0), "text");
	begin(p, e);
	if (*wbl_value_str(e, "chunk"))
		wbl_paper_add(p, "part %s: ", wbl_value_str(e, "chunk"));
	wbl_paper_tint(p, WBL_TINT_RED);
	wbl_paper_add(p, "%s%s%s", where, *where ? ": " : "", *text ? text : wbl_code_text(status));
	wbl_paper_tint(p, WBL_TINT_NONE);
	wbl_paper_end(p);
	return true;
}

static bool request(struct wbl_paper *p, const json_t *e)
{
	WBL_AUTOFREE char *actor = wbl_value_text(json_object_get(e, "actor"));

	begin(p, e);
	wbl_paper_line(
		p, "%s was asked for%s%s", wbl_value_str(e, "name"), *actor ? " by " : "", actor);
	return true;
}

static bool question(struct wbl_paper *p, const json_t *e)
{
	const json_t *body = json_object_get(e, "body");

	begin(p, e);
	wbl_paper_line(p, "asks %s: %s", wbl_value_str(e, "name"), wbl_value_str(body, "text"));
	return true;
}

static bool named(struct wbl_paper *p, const json_t *e, const char *what)
{
	const json_t *body = json_object_get(e, "body");
	const char *text =
		json_is_string(body) ? json_string_value(body) : wbl_value_str(body, "text");

	begin(p, e);
	wbl_paper_line(p, "%s%s%s%s%s", what, *what ? " " : "", wbl_value_str(e, "name"),
		*text ? ": " : "", text);
	return true;
}

static bool diagnostic(struct wbl_paper *p, const json_t *e)
{
	const json_t *body = json_object_get(e, "body");
	const char *severity = wbl_value_str(body, "severity"), *where = wbl_value_str(e, "name");

	if (!strcmp(severity, "note") || !strcmp(severity, "info") || !strcmp(severity, "debug"))
		return false;
	begin(p, e);
	tinted(p, wbl_value_tint(severity), *severity ? severity : "says");
	wbl_paper_line(p, ": %s%s%s", where, *where ? ": " : "", wbl_value_str(body, "text"));
	return true;
}

static bool rehearsed(struct wbl_paper *p, const json_t *e)
{
	const char *failed = wbl_value_str(json_object_get(e, "body"), "failed");

	if (*failed) /* the step's own failure says it */
		return false;
	begin(p, e);
	wbl_paper_line(p, "%s", wbl_value_str(e, "name"));
	return true;
}

bool wbl_narrate(struct wbl_narrator *n, struct wbl_paper *p, const json_t *e)
{
	const char *kind = wbl_value_str(e, "kind");

	if (!strcmp(kind, "run.state"))
		return run_state(p, e);
	if (!strcmp(kind, "step.state"))
		return step_state(n, p, e);
	if (!strcmp(kind, "step.intent"))
		return step_intent(n, p, e);
	if (!strcmp(kind, "step.result"))
		return wbl_json_int(e, "status", 0) ? bad_result(p, e) : good_result(n, p, e);
	if (!strcmp(kind, "chunk.result"))
		return bad_result(p, e);
	if (!strcmp(kind, "run.request"))
		return request(p, e);
	if (!strcmp(kind, "run.note"))
		return named(p, e, "decided on");
	if (!strcmp(kind, "background.ready"))
		return named(p, e, "is up");
	if (!strcmp(kind, "barrier.open"))
		return named(p, e, "barrier opens:");
	if (!strcmp(kind, "drain.done"))
		return named(p, e, "drained to");
	if (!strcmp(kind, "question"))
		return question(p, e);
	if (!strcmp(kind, "answer"))
		return named(p, e, "answered:");
	if (!strcmp(kind, "confirm"))
		return named(p, e, "confirmed");
	if (!strcmp(kind, "rehearsed"))
		return rehearsed(p, e);
	if (!strcmp(kind, "diag"))
		return diagnostic(p, e);
	return false;
}

void wbl_narrator_clear(struct wbl_narrator *n)
{
	json_decref(n->states);
	n->states = NULL;
}
