/* host/call.c - from a CALL frame to a function of the handler and back; statuses held against statuses.def.
 * In: the frame.  Out: RETURN. New calls: statuses.def, one line in `parse_kind`'s table by that, one in `invoke`.
 * SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "core/host/call.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "core/host/crash.h"
#include "core/host/link.h"
#include "core/host/load.h"
#include "core/host/serve.h"

enum part { CHECKPOINT, EXECUTED, CHUNK, OLD, PARTS };

/* A CALL taken apart; everything a struct wbl_work points to lives here until the call has returned. */
struct job {
	enum wbl_call_kind kind;
	struct wbl_work work;
	struct wbl_totals totals;
	struct wbl_digest *digests;
	const struct wbl_digest **list;
	struct wbl_bytes parts[PARTS];
	int32_t level, what;
	const char *from;
};

static bool parse_kind(const char *name, enum wbl_call_kind *ret)
{
	enum wbl_call_kind k;

	for (k = WBL_CALL_PLAN; name && k < WBL_CALL_KINDS; k++)
		if (!strcmp(name, wbl_call_name(k))) {
			*ret = k;
			return true;
		}
	return false;
}

/* 32 hex digits, the high half first. */
static void parse_hex(const char *hex, uint64_t *high, uint64_t *low)
{
	char half[17] = { 0 };

	*high = *low = 0;
	if (!hex || strlen(hex) != 32)
		return;
	memcpy(half, hex, 16);
	*high = strtoull(half, NULL, 16);
	*low = strtoull(hex + 16, NULL, 16);
}

static void parse_digest(const json_t *j, struct wbl_digest *d)
{
	d->size = sizeof *d;
	d->set = wbl_json_str(j, "set");
	d->count = (uint64_t)wbl_json_int(j, "count", 0);
	parse_hex(wbl_json_str(j, "row"), &d->row_hi, &d->row_lo);
	parse_hex(wbl_json_str(j, "key"), &d->key_hi, &d->key_lo);
}

static void parse_totals(const json_t *j, struct job *job)
{
	const json_t *digests = json_object_get(j, "digests"), *d;
	size_t n = json_array_size(digests), i;

	job->totals = (struct wbl_totals){
		.size = sizeof job->totals,
		.items = (uint64_t)wbl_json_int(j, "items", 0),
		.bytes = (uint64_t)wbl_json_int(j, "bytes", 0),
		.rejected = (uint64_t)wbl_json_int(j, "rejected", 0),
		.chunks = (uint64_t)wbl_json_int(j, "chunks", 0),
	};
	job->digests = wbl_alloc((n + 1) * sizeof *job->digests);
	job->list = wbl_alloc((n + 1) * sizeof *job->list);
	json_array_foreach(digests, i, d)
	{
		parse_digest(d, &job->digests[i]);
		job->list[i] = &job->digests[i];
	}
	job->totals.digests = job->list;
	job->work.totals = &job->totals;
}

static bool parse_parts(const struct wbl_frame *f, struct job *job)
{
	const json_t *parts = json_object_get(f->json, "parts"), *p;
	size_t at = 0, i;

	json_array_foreach(parts, i, p)
	{
		json_int_t len = json_integer_value(p);

		if (i >= PARTS || len < 0 || (uint64_t)len > f->blob.len - at)
			return false;
		job->parts[i] = (struct wbl_bytes){ len ? f->blob.data + at : NULL, (uint64_t)len };
		at += (size_t)len;
	}
	return at == f->blob.len;
}

static bool parse(const struct wbl_frame *f, struct job *job)
{
	const json_t *w = json_object_get(f->json, "work"), *totals = json_object_get(w, "totals");

	if (!parse_kind(wbl_json_str(f->json, "call"), &job->kind) || !parse_parts(f, job))
		return false;
	job->level = (int32_t)wbl_json_int(f->json, "level", 0);
	job->what = (int32_t)wbl_json_int(f->json, "what", 0);
	job->from = wbl_json_str(f->json, "from");
	job->work = (struct wbl_work){
		.size = sizeof job->work,
		.flags = (uint32_t)wbl_json_int(w, "flags", 0),
		.run_id = wbl_json_str(w, "run_id"),
		.step_id = wbl_json_str(w, "step_id"),
		.op = wbl_json_str(w, "op"),
		.params = wbl_json_str(w, "params"),
		.key = wbl_json_str(w, "key"),
		.attempt = (uint64_t)wbl_json_int(w, "attempt", 0),
		.pass = (uint64_t)wbl_json_int(w, "pass", 0),
		.epoch = (uint64_t)wbl_json_int(w, "epoch", 0),
		.deadline_ns = wbl_json_int(w, "deadline_ns", 0),
		.checkpoint = job->parts[CHECKPOINT],
		.executed = job->parts[EXECUTED],
		.chunk_id = wbl_json_str(w, "chunk_id"),
		.chunk = job->parts[CHUNK],
		.file = wbl_json_str(w, "file"),
		.scratch = wbl_json_str(w, "scratch"),
	};
	if (json_is_object(totals))
		parse_totals(totals, job);
	return true;
}

/* Also what was only lent for the call is overwritten before it is freed. */
static void job_clear(struct job *job, struct wbl_frame *f)
{
	wbl_poison(f->blob.data, f->blob.len);
	if (job->digests)
		wbl_poison(job->digests, (job->totals.digests ? 1 : 0) * sizeof *job->digests);
	free(job->digests);
	free(job->list);
	wbl_poison(job, sizeof *job);
	wbl_frame_clear(f);
}

typedef int32_t plain_call(void *self, struct wbl_call *call, const struct wbl_work *work);

#define MEMBER(h, m) (WBL_HAS(h, m) ? (h)->m : NULL)

static plain_call *plain(const struct wbl_handler *h, enum wbl_call_kind kind)
{
	switch (kind) {
	case WBL_CALL_PLAN:
		return h->plan;
	case WBL_CALL_EXECUTE:
		return h->execute;
	case WBL_CALL_VERIFY:
		return h->verify;
	case WBL_CALL_ROLLBACK:
		return h->rollback;
	case WBL_CALL_ASSESS:
		return MEMBER(h, assess);
	case WBL_CALL_PARTITION:
		return MEMBER(h, partition);
	case WBL_CALL_REPAIR:
		return MEMBER(h, repair);
	default:
		return NULL;
	}
}

static bool offers(const struct wbl_handler *h, enum wbl_call_kind kind)
{
	switch (kind) {
	case WBL_CALL_CHECK:
		return MEMBER(h, check);
	case WBL_CALL_PROBE:
		return MEMBER(h, probe);
	case WBL_CALL_UPGRADE:
		return MEMBER(h, upgrade);
	default:
		return plain(h, kind);
	}
}

static int32_t invoke(struct wbl_instance *i, struct wbl_ticket *t, const struct job *job,
	int32_t *ret_state, struct wbl_bytes *ret)
{
	const struct wbl_handler *h = i->table;

	switch (job->kind) {
	case WBL_CALL_CHECK:
		return h->check(i->self, &t->call, &job->work, job->level);
	case WBL_CALL_PROBE:
		return h->probe(i->self, &t->call, &job->work, ret_state);
	case WBL_CALL_UPGRADE:
		return h->upgrade(i->self, &t->call, job->what, job->from, job->parts[OLD], ret);
	default:
		return plain(h, job->kind)(i->self, &t->call, &job->work);
	}
}

/* The status as it goes to the engine, with what the handler returned beside it held against the ABI. */
static int32_t judge(const struct wbl_instance *i, const struct job *job, int32_t status,
	int32_t state, struct wbl_bytes upgraded)
{
	WBL_AUTOFREE char *where = wbl_strf("%s of %s", wbl_call_name(job->kind), i->name);
	static const char hint[] = "Tell the module's author.";

	if (!wbl_call_may_return(job->kind, status))
		return wbl_breach(where, hint,
			"returned %" PRId32 ", which this call may not return", status);
	if (status == WBL_E_SPLIT && !(job->work.flags & WBL_WORK_CHUNK))
		return wbl_breach(where, hint, "returned WBL_E_SPLIT, though it had no chunk");
	if (status == WBL_OK && job->kind == WBL_CALL_PROBE &&
		(state < WBL_PROBE_NOT_STARTED || state > WBL_PROBE_UNKNOWN))
		return wbl_breach(
			where, hint, "told the state %" PRId32 "; 1 to 4 are known", state);
	if (status == WBL_OK && job->kind == WBL_CALL_UPGRADE &&
		((upgraded.len && !upgraded.data) || upgraded.len > WBL_WIRE_SPILL / 2))
		return wbl_breach(where, hint, "gave an object without data, or beyond 8 MiB");
	return status;
}

static void answer(uint32_t seq, const struct job *job, int32_t status, int32_t state,
	struct wbl_bytes upgraded)
{
	json_t *j = json_object(), *parts = json_array();
	bool with = status == WBL_OK && job->kind == WBL_CALL_UPGRADE;

	wbl_json_puti(j, "status", status);
	if (status == WBL_OK && job->kind == WBL_CALL_PROBE)
		wbl_json_puti(j, "state", state);
	json_array_append_new(parts, json_integer(with ? (json_int_t)upgraded.len : 0));
	json_object_set_new(j, "parts", parts);
	wbl_link_progress_flush();
	wbl_link_tell(WBL_WIRE_RETURN, seq, j, with ? upgraded.data : NULL,
		with ? (size_t)upgraded.len : 0);
}

static int32_t run(struct wbl_instance *handler, const struct job *job, int32_t *ret_state,
	struct wbl_bytes *ret)
{
	struct wbl_ticket *t = wbl_ticket_begin(handler, handler->module->name, job->kind);
	int32_t status;

	t->rehearse = wbl_service_options.rehearse || job->work.flags & WBL_WORK_REHEARSE;
	t->work_flags = job->work.flags;
	wbl_crash_note(wbl_call_name(job->kind), handler->name);
	status = invoke(handler, t, job, ret_state, ret);
	wbl_crash_note("no call", handler->name);
	status = judge(handler, job, status, *ret_state, *ret);
	if (!wbl_ticket_end(t))
		status = wbl_breach(handler->name, "Join all threads before the call returns.",
			"%s returned while a thread of it was still in a service",
			wbl_call_name(job->kind));
	return wbl_link_fenced() ? WBL_E_FENCED : status;
}

bool wbl_call_run(struct wbl_instance *handler, struct wbl_frame *f)
{
	struct wbl_bytes upgraded = { 0 };
	struct job job = { 0 };
	int32_t status, state = 0;
	uint32_t seq = f->seq;

	if (!parse(f, &job))
		status = wbl_breach("host",
			"The engine and its host do not fit: install both from one package.",
			"a call could not be read");
	else if (!offers(handler->table, job.kind))
		status = WBL_E_UNSUPPORTED;
	else
		status = run(handler, &job, &state, &upgraded);
	wbl_link_idle();
	answer(seq, &job, status, state, upgraded);
	job_clear(&job, f);
	return status != WBL_E_FENCED;
}

int32_t wbl_call_create(struct wbl_instance *handler, struct wbl_error *err)
{
	const struct wbl_handler *h = handler->table;
	struct wbl_ticket *t;
	int32_t rc;

	if (!h->create)
		return 0;
	t = wbl_ticket_begin(handler, handler->module->name, WBL_CALL_CREATE);
	wbl_crash_note("create", handler->name);
	rc = h->create(h, &handler->own.call, &handler->self);
	wbl_crash_note("no call", handler->name);
	wbl_ticket_end(t);
	if (!wbl_call_may_return(WBL_CALL_CREATE, rc))
		return wbl_fail(err, WBL_E_ABI, handler->name, "Tell the module's author.",
			"create returned %" PRId32 ", which it may not return", rc);
	if (rc)
		return wbl_fail(err, rc, handler->name, "Look at its diagnostics.",
			"the handler could not be created: %s", wbl_code_text(rc));
	return 0;
}

void wbl_call_destroy(struct wbl_instance *handler)
{
	const struct wbl_handler *h = handler->table;

	wbl_crash_note("destroy", handler->name);
	if (h->destroy)
		h->destroy(handler->self);
}

json_t *wbl_call_optional(const struct wbl_instance *handler)
{
	json_t *a = json_array();
	enum wbl_call_kind k;

	for (k = WBL_CALL_CHECK; k < WBL_CALL_KINDS; k++)
		if (offers(handler->table, k))
			json_array_append_new(a, json_string(wbl_call_name(k)));
	return a;
}
