/* host/serve_plan.c - wbl.plan/1 and wbl.ask/1: steps, observations, omissions, findings, questions.
 * SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <stdlib.h>
#include <string.h>

#include "core/host/instance.h"
#include "core/host/link.h"
#include "core/host/read.h"
#include "core/host/serve.h"

#define STEP_FLAGS                                                                                 \
	(WBL_STEP_PARTITIONED | WBL_STEP_BACKGROUND | WBL_STEP_OPTIONAL | WBL_STEP_LASTING |       \
		WBL_STEP_SCRATCH | WBL_STEP_NO_RETURN | WBL_STEP_DOWNTIME | WBL_STEP_EXTERNAL |    \
		WBL_STEP_MANUAL | WBL_STEP_FINALIZE | WBL_STEP_RETRY_FROM)
#define STEP WBL_FN_STEP
enum { MOST = 65536 };

static bool read_claim(json_t *array, const void *from)
{
	struct wbl_claim c;
	json_t *j = json_object();
	bool ok = wbl_read_struct(
			  STEP, "claim", from, WBL_END_OF(struct wbl_claim, name), &c, sizeof c) &&
		  wbl_read_enum(STEP, j, "mode", c.mode, WBL_EXCLUSIVE) &&
		  wbl_read_text(STEP, j, "kind", c.kind, true) &&
		  wbl_read_text(STEP, j, "name", c.name, true);

	json_array_append_new(array, j);
	return ok;
}

static bool read_risk(json_t *array, const void *from)
{
	struct wbl_risk r;
	json_t *j = json_object();
	bool ok = wbl_read_struct(
			  STEP, "risk", from, WBL_END_OF(struct wbl_risk, why), &r, sizeof r) &&
		  wbl_read_text(STEP, j, "why", r.why, true) &&
		  wbl_read_text(STEP, j, "mitigation", r.mitigation, false);

	wbl_json_puti(j, "level", r.level);
	json_array_append_new(array, j);
	return ok;
}

static bool read_id(json_t *array, const void *from)
{
	json_t *j = json_object();
	bool ok = wbl_read_text(STEP, j, "after", from, true);

	json_array_append(array, json_object_get(j, "after"));
	json_decref(j);
	return ok;
}

/* `list` is an array of pointers which ends with NULL, or NULL. */
static bool read_list(
	json_t *obj, const char *key, const void *list, bool (*one)(json_t *, const void *))
{
	const void *const *p = list;
	json_t *array;
	size_t i;

	if (!p || !*p)
		return true;
	array = json_array();
	json_object_set_new(obj, key, array);
	for (i = 0; p[i]; i++) {
		if (i == MOST) {
			wbl_misuse(STEP, "%s has no end", key);
			return false;
		}
		if (!one(array, p[i]))
			return false;
	}
	return true;
}

static bool read_estimate(json_t *obj, const struct wbl_estimate *from)
{
	struct wbl_estimate e;
	json_t *j;

	if (!from)
		return true;
	j = json_object();
	json_object_set_new(obj, "estimate", j);
	if (!wbl_read_struct(
		    STEP, "estimate", from, WBL_END_OF(struct wbl_estimate, p90_ns), &e, sizeof e))
		return false;
	wbl_json_puti(j, "p50_ns", e.p50_ns);
	wbl_json_puti(j, "p90_ns", e.p90_ns);
	return wbl_read_flags(STEP, j, "flags", e.flags, 0) &&
	       wbl_read_count(STEP, j, "items", e.items) &&
	       wbl_read_count(STEP, j, "bytes", e.bytes) &&
	       wbl_read_text(STEP, j, "basis", e.basis, false);
}

static bool read_limits(json_t *obj, const struct wbl_limits *from)
{
	struct wbl_limits l;
	json_t *j;

	if (!from)
		return true;
	j = json_object();
	json_object_set_new(obj, "limits", j);
	if (!wbl_read_struct(
		    STEP, "limits", from, WBL_END_OF(struct wbl_limits, connections), &l, sizeof l))
		return false;
	wbl_json_puti(j, "attempts", l.attempts);
	wbl_json_puti(j, "restarts", l.restarts);
	wbl_json_puti(j, "processes", l.processes);
	wbl_json_puti(j, "connections", l.connections);
	wbl_json_puti(j, "timeout_ns", l.timeout_ns);
	wbl_json_puti(j, "grace_ns", l.grace_ns);
	wbl_json_puti(j, "backoff_ns", l.backoff_ns);
	return true;
}

static bool read_manual(json_t *obj, const struct wbl_manual *from)
{
	struct wbl_manual m;
	json_t *j;

	if (!from)
		return true;
	j = json_object();
	json_object_set_new(obj, "manual", j);
	return wbl_read_struct(STEP, "manual", from, WBL_END_OF(struct wbl_manual, instructions),
		       &m, sizeof m) &&
	       wbl_read_flags(STEP, j, "flags", m.flags, 0) &&
	       wbl_read_text(STEP, j, "instructions", m.instructions, true) &&
	       wbl_read_text(STEP, j, "assignee", m.assignee, false) &&
	       wbl_read_text(STEP, j, "deliverable", m.deliverable, false);
}

static bool read_step(json_t *j, const struct wbl_step *from)
{
	struct wbl_step s;

	return wbl_read_struct(
		       STEP, "step", from, WBL_END_OF(struct wbl_step, title), &s, sizeof s) &&
	       wbl_read_flags(STEP, j, "flags", s.flags, STEP_FLAGS) &&
	       wbl_read_enum(STEP, j, "kind", s.kind, WBL_KIND_CLEANUP) &&
	       wbl_read_enum(STEP, j, "inverse", s.inverse, WBL_INVERSE_NONE) &&
	       wbl_read_text(STEP, j, "id", s.id, true) &&
	       wbl_read_text(STEP, j, "op", s.op, true) &&
	       wbl_read_text(STEP, j, "title", s.title, true) &&
	       wbl_read_text(STEP, j, "inverse_arg", s.inverse_arg,
		       s.inverse == WBL_INVERSE_STEP || s.inverse == WBL_INVERSE_NONE) &&
	       read_list(j, "after", s.after, read_id) &&
	       read_list(j, "claims", s.claims, read_claim) &&
	       read_list(j, "risks", s.risks, read_risk) && read_estimate(j, s.estimate) &&
	       read_limits(j, s.limits) && read_manual(j, s.manual) &&
	       wbl_read_json(STEP, j, "params", s.params, false, true) &&
	       wbl_read_text(STEP, j, "barrier", s.barrier, false) &&
	       wbl_read_text(STEP, j, "finishes", s.finishes, false) &&
	       wbl_read_text(STEP, j, "retry_from", s.retry_from, s.flags & WBL_STEP_RETRY_FROM) &&
	       (s.manual || !(s.flags & WBL_STEP_MANUAL) ||
		       !wbl_misuse(STEP, "manual is NULL in a manual step"));
}

/* Sends what was read, or drops it when it was refused. */
static int32_t ask(struct wbl_ticket *t, bool ok, enum wbl_wire_type type, json_t *j)
{
	if (!ok) {
		json_decref(j);
		return wbl_ticket_leave(t, WBL_E_ABI);
	}
	return wbl_ticket_leave(t, wbl_link_ask(type, j, (struct wbl_bytes){ 0 }, -1, false, NULL));
}

static int32_t plan_step(struct wbl_call *call, const struct wbl_step *step)
{
	struct wbl_ticket *t = wbl_ticket_enter(call, WBL_FN_STEP);
	json_t *j;

	if (!t)
		return WBL_E_ABI;
	j = json_object();
	return ask(t, read_step(j, step), WBL_WIRE_STEP, j);
}

static int32_t plan_observe(struct wbl_call *call, const struct wbl_observation *from)
{
	struct wbl_ticket *t = wbl_ticket_enter(call, WBL_FN_OBSERVE);
	struct wbl_observation o;
	json_t *j;
	bool ok;

	if (!t)
		return WBL_E_ABI;
	j = json_object();
	ok = wbl_read_struct(WBL_FN_OBSERVE, "observation", from,
		     WBL_END_OF(struct wbl_observation, value), &o, sizeof o) &&
	     wbl_read_enum(WBL_FN_OBSERVE, j, "rule", o.rule, WBL_RULE_ADVISORY) &&
	     wbl_read_text(WBL_FN_OBSERVE, j, "key", o.key, true) &&
	     wbl_read_text(WBL_FN_OBSERVE, j, "value", o.value, true) &&
	     wbl_read_text(WBL_FN_OBSERVE, j, "meaning", o.meaning, false);
	if (ok)
		wbl_json_puti(j, "tolerance", o.tolerance);
	return ask(t, ok, WBL_WIRE_OBSERVE, j);
}

static int32_t plan_omit(struct wbl_call *call, const char *what, uint64_t count, const char *why)
{
	struct wbl_ticket *t = wbl_ticket_enter(call, WBL_FN_OMIT);
	json_t *j;
	bool ok;

	if (!t)
		return WBL_E_ABI;
	j = json_object();
	ok = wbl_read_text(WBL_FN_OMIT, j, "what", what, true) &&
	     wbl_read_count(WBL_FN_OMIT, j, "count", count) &&
	     wbl_read_text(WBL_FN_OMIT, j, "why", why, true);
	return ask(t, ok, WBL_WIRE_OMIT, j);
}

static int32_t plan_finding(struct wbl_call *call, const char *json)
{
	struct wbl_ticket *t = wbl_ticket_enter(call, WBL_FN_FINDING);
	json_t *j;
	bool ok;

	if (!t)
		return WBL_E_ABI;
	j = json_object();
	ok = wbl_read_json(WBL_FN_FINDING, j, "json", json, true, true) &&
	     wbl_read_masked(WBL_FN_FINDING, j, "json", json, true);
	return ask(t, ok, WBL_WIRE_FINDING, j);
}

static int32_t ask_answer(
	struct wbl_call *call, const struct wbl_question *from, struct wbl_bytes *ret)
{
	struct wbl_ticket *t = wbl_ticket_enter(call, WBL_FN_ASK);
	struct wbl_question q;
	struct wbl_frame f;
	json_t *j;
	int32_t rc;

	if (!t)
		return WBL_E_ABI;
	j = json_object();
	if (!ret ||
		!wbl_read_struct(WBL_FN_ASK, "question", from,
			WBL_END_OF(struct wbl_question, text), &q, sizeof q) ||
		!wbl_read_flags(WBL_FN_ASK, j, "flags", q.flags, 0) ||
		!wbl_read_text(WBL_FN_ASK, j, "id", q.id, true) ||
		!wbl_read_text(WBL_FN_ASK, j, "text", q.text, true) ||
		!wbl_read_json(WBL_FN_ASK, j, "choices", q.choices_json, false, false) ||
		!wbl_read_text(WBL_FN_ASK, j, "proposal", q.proposal, false)) {
		json_decref(j);
		return wbl_ticket_leave(t, ret ? WBL_E_ABI : wbl_misuse(WBL_FN_ASK, "ret is NULL"));
	}
	rc = wbl_link_ask(WBL_WIRE_ASK, j, (struct wbl_bytes){ 0 }, -1, false, &f);
	if (rc == WBL_OK)
		*ret = wbl_slot_bytes(WBL_FN_ASK, 0, f.blob.data, f.blob.len);
	wbl_frame_clear(&f);
	return wbl_ticket_leave(t, rc);
}

const struct wbl_plan_service wbl_service_plan = { sizeof wbl_service_plan, 1, plan_step,
	plan_observe, plan_omit, plan_finding };
const struct wbl_ask_service wbl_service_ask = { sizeof wbl_service_ask, 1, ask_answer };
