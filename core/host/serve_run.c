/* host/serve_run.c - wbl.run/1 and wbl.chunk/1: signals, progress, checkpoints, results, hand-over, throttle.
 * SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <stdlib.h>
#include <string.h>

#include "core/host/instance.h"
#include "core/host/link.h"
#include "core/host/read.h"
#include "core/host/serve.h"

static const struct wbl_bytes none;

static int32_t ask(
	struct wbl_ticket *t, bool ok, enum wbl_wire_type type, json_t *j, struct wbl_bytes b)
{
	if (!ok) {
		json_decref(j);
		return wbl_ticket_leave(t, WBL_E_ABI);
	}
	return wbl_ticket_leave(t, wbl_link_ask(type, j, b, -1, false, NULL));
}

static uint32_t run_signals(struct wbl_call *call, struct wbl_signals *ret)
{
	struct wbl_ticket *t = wbl_ticket_enter(call, WBL_FN_SIGNALS);
	WBL_AUTOFREE char *position = NULL;
	struct wbl_signals now;
	uint32_t set;

	if (!t)
		return 0;
	set = wbl_link_signals_read(&now, ret ? &position : NULL);
	if (ret) {
		now.position = wbl_slot_text(WBL_FN_SIGNALS, 0, position);
		wbl_write_struct(WBL_FN_SIGNALS, "signals", ret,
			WBL_END_OF(struct wbl_signals, set), &now, sizeof now);
	}
	wbl_ticket_leave(t, 0);
	return set;
}

static int32_t run_signal_fd(struct wbl_call *call)
{
	struct wbl_ticket *t = wbl_ticket_enter(call, WBL_FN_SIGNAL_FD);

	return t ? wbl_ticket_leave(t, wbl_link_signal_fd()) : WBL_E_ABI;
}

static void run_progress(struct wbl_call *call, const struct wbl_progress *p)
{
	struct wbl_ticket *t = wbl_ticket_enter(call, WBL_FN_PROGRESS);
	json_t *j;

	if (!t)
		return;
	j = json_object();
	if (wbl_read_progress(WBL_FN_PROGRESS, j, p))
		wbl_link_progress(j);
	else
		json_decref(j);
	wbl_ticket_leave(t, 0);
}

static int32_t run_checkpoint(
	struct wbl_call *call, struct wbl_bytes b, const struct wbl_progress *p)
{
	struct wbl_ticket *t = wbl_ticket_enter(call, WBL_FN_CHECKPOINT);
	json_t *j;
	bool ok;

	if (!t)
		return WBL_E_ABI;
	j = json_object();
	ok = wbl_read_bytes(WBL_FN_CHECKPOINT, "the checkpoint", b) &&
	     (!p || wbl_read_progress(WBL_FN_CHECKPOINT, j, p));
	return ask(t, ok, WBL_WIRE_CHECKPOINT, j, b);
}

static int32_t run_result(struct wbl_call *call, const struct wbl_totals *totals)
{
	struct wbl_ticket *t = wbl_ticket_enter(call, WBL_FN_RESULT);
	json_t *j;

	if (!t)
		return WBL_E_ABI;
	j = json_object();
	return ask(t, wbl_read_totals(WBL_FN_RESULT, j, totals), WBL_WIRE_RESULT, j, none);
}

static int32_t run_output(struct wbl_call *call, const char *name, struct wbl_bytes b)
{
	struct wbl_ticket *t = wbl_ticket_enter(call, WBL_FN_OUTPUT);
	json_t *j;
	bool ok;

	if (!t)
		return WBL_E_ABI;
	j = json_object();
	ok = wbl_read_text(WBL_FN_OUTPUT, j, "name", name, true) &&
	     wbl_read_bytes(WBL_FN_OUTPUT, "the output", b);
	return ask(t, ok, WBL_WIRE_OUTPUT, j, b);
}

static int32_t run_input(struct wbl_call *call, const char *step, const char *name,
	struct wbl_bytes *ret, uint64_t *ret_generation)
{
	struct wbl_ticket *t = wbl_ticket_enter(call, WBL_FN_INPUT);
	struct wbl_frame f;
	json_t *j;
	int32_t rc;

	if (!t)
		return WBL_E_ABI;
	j = json_object();
	if (!wbl_read_text(WBL_FN_INPUT, j, "step", step, true) ||
		!wbl_read_text(WBL_FN_INPUT, j, "name", name, true) || !ret) {
		json_decref(j);
		return wbl_ticket_leave(
			t, ret ? WBL_E_ABI : wbl_misuse(WBL_FN_INPUT, "ret is NULL"));
	}
	rc = wbl_link_ask(WBL_WIRE_INPUT, j, none, -1, false, &f);
	if (rc == WBL_OK) {
		*ret = wbl_slot_bytes(WBL_FN_INPUT, 0, f.blob.data, f.blob.len);
		if (ret_generation)
			*ret_generation = (uint64_t)wbl_json_int(f.json, "generation", 0);
	}
	wbl_frame_clear(&f);
	return wbl_ticket_leave(t, rc);
}

static int32_t run_ready(struct wbl_call *call)
{
	struct wbl_ticket *t = wbl_ticket_enter(call, WBL_FN_READY);

	return t ? ask(t, true, WBL_WIRE_BG_READY, json_object(), none) : WBL_E_ABI;
}

static int32_t run_position(struct wbl_call *call, const struct wbl_lag *from)
{
	struct wbl_ticket *t = wbl_ticket_enter(call, WBL_FN_POSITION);
	struct wbl_lag lag;
	json_t *j;

	if (!t)
		return WBL_E_ABI;
	j = json_object();
	if (!wbl_read_struct(WBL_FN_POSITION, "lag", from, WBL_END_OF(struct wbl_lag, behind_ns),
		    &lag, sizeof lag) ||
		!wbl_read_flags(WBL_FN_POSITION, j, "flags", lag.flags, 0) ||
		!wbl_read_count(WBL_FN_POSITION, j, "behind_bytes", lag.behind_bytes) ||
		!wbl_read_text(WBL_FN_POSITION, j, "position", lag.position, false)) {
		json_decref(j);
		return wbl_ticket_leave(t, WBL_E_ABI);
	}
	wbl_json_puti(j, "behind_ns", lag.behind_ns);
	wbl_link_post(WBL_WIRE_POSITION, j);
	return wbl_ticket_leave(t, WBL_OK);
}

static int32_t run_drained(struct wbl_call *call, uint64_t demand, const char *position)
{
	struct wbl_ticket *t = wbl_ticket_enter(call, WBL_FN_DRAINED);
	json_t *j;
	bool ok;

	if (!t)
		return WBL_E_ABI;
	j = json_object();
	ok = wbl_read_count(WBL_FN_DRAINED, j, "demand", demand) &&
	     wbl_read_text(WBL_FN_DRAINED, j, "position", position, false);
	return ask(t, ok, WBL_WIRE_DRAINED, j, none);
}

static int32_t run_drain(
	struct wbl_call *call, const char *background, const char *position, int64_t timeout_ns)
{
	struct wbl_ticket *t = wbl_ticket_enter(call, WBL_FN_DRAIN);
	json_t *j;

	if (!t)
		return WBL_E_ABI;
	j = json_object();
	if (!wbl_read_text(WBL_FN_DRAIN, j, "background", background, true) ||
		!wbl_read_text(WBL_FN_DRAIN, j, "position", position, false)) {
		json_decref(j);
		return wbl_ticket_leave(t, WBL_E_ABI);
	}
	wbl_json_puti(j, "timeout_ns", timeout_ns);
	return wbl_ticket_leave(t, wbl_link_ask(WBL_WIRE_DRAIN, j, none, -1, true, NULL));
}

static int32_t run_lag(struct wbl_call *call, const char *background, struct wbl_lag *ret)
{
	struct wbl_ticket *t = wbl_ticket_enter(call, WBL_FN_LAG);
	struct wbl_lag lag = { 0 };
	struct wbl_frame f;
	json_t *j;
	int32_t rc;

	if (!t)
		return WBL_E_ABI;
	j = json_object();
	if (!wbl_read_text(WBL_FN_LAG, j, "background", background, true)) {
		json_decref(j);
		return wbl_ticket_leave(t, WBL_E_ABI);
	}
	rc = wbl_link_ask(WBL_WIRE_LAG, j, none, -1, true, &f);
	if (rc == WBL_OK) {
		lag.behind_ns = wbl_json_int(f.json, "behind_ns", 0);
		lag.behind_bytes = (uint64_t)wbl_json_int(f.json, "behind_bytes", 0);
		lag.position = wbl_slot_text(WBL_FN_LAG, 0, wbl_json_str(f.json, "position"));
		if (!wbl_write_struct(WBL_FN_LAG, "lag", ret, WBL_END_OF(struct wbl_lag, behind_ns),
			    &lag, sizeof lag))
			rc = WBL_E_ABI;
	}
	wbl_frame_clear(&f);
	return wbl_ticket_leave(t, rc);
}

static int32_t run_rehearsed(struct wbl_call *call, int32_t level, const char *what)
{
	struct wbl_ticket *t = wbl_ticket_enter(call, WBL_FN_REHEARSED);
	const struct wbl_ticket *now = wbl_ticket_running();
	json_t *j;
	bool ok;

	if (!t)
		return WBL_E_ABI;
	if (!now || !now->rehearse)
		return wbl_ticket_leave(
			t, wbl_misuse(WBL_FN_REHEARSED, "this call is no rehearsal"));
	j = json_object();
	ok = wbl_read_enum(WBL_FN_REHEARSED, j, "level", level, 4) &&
	     wbl_read_masked(WBL_FN_REHEARSED, j, "what", what, true);
	return ask(t, ok, WBL_WIRE_REHEARSED, j, none);
}

static int64_t run_throttle(struct wbl_call *call, uint64_t items, uint64_t bytes)
{
	struct wbl_ticket *t = wbl_ticket_enter(call, WBL_FN_THROTTLE);
	int64_t waited;

	if (!t)
		return 0;
	waited = wbl_link_throttle(items, bytes);
	wbl_ticket_leave(t, 0);
	return waited;
}

static int32_t chunk_add(struct wbl_call *call, const struct wbl_chunk *from)
{
	struct wbl_ticket *t = wbl_ticket_enter(call, WBL_FN_CHUNK_ADD);
	struct wbl_chunk c;
	json_t *j;
	bool ok;

	if (!t)
		return WBL_E_ABI;
	if (!t->own && t->kind == WBL_CALL_EXECUTE && !(t->work_flags & WBL_WORK_CHUNK))
		return wbl_ticket_leave(
			t, wbl_misuse(WBL_FN_CHUNK_ADD, "in execute only a chunk can be split"));
	j = json_object();
	ok = wbl_read_struct(WBL_FN_CHUNK_ADD, "chunk", from, WBL_END_OF(struct wbl_chunk, body),
		     &c, sizeof c) &&
	     wbl_read_flags(WBL_FN_CHUNK_ADD, j, "flags", c.flags, 0) &&
	     wbl_read_text(WBL_FN_CHUNK_ADD, j, "id", c.id, true) &&
	     wbl_read_bytes(WBL_FN_CHUNK_ADD, "body", c.body) &&
	     wbl_read_count(WBL_FN_CHUNK_ADD, j, "items", c.items) &&
	     wbl_read_count(WBL_FN_CHUNK_ADD, j, "bytes", c.bytes);
	return ask(t, ok, WBL_WIRE_CHUNK_ADD, j, ok ? c.body : none);
}

const struct wbl_run_service wbl_service_run = {
	.size = sizeof wbl_service_run,
	.revision = 1,
	.signals = run_signals,
	.signal_fd = run_signal_fd,
	.progress = run_progress,
	.checkpoint = run_checkpoint,
	.result = run_result,
	.output = run_output,
	.input = run_input,
	.ready = run_ready,
	.position = run_position,
	.drained = run_drained,
	.drain = run_drain,
	.lag = run_lag,
	.rehearsed = run_rehearsed,
	.throttle = run_throttle,
};
const struct wbl_chunk_service wbl_service_chunk = { sizeof wbl_service_chunk, 1, chunk_add };
