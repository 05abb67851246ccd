/* engine/host_services.c - what a host asks for during a call: each request becomes an entry and, once that is durable,
 * an answer. A host is not trusted: every member is checked, what is not allowed in this call is refused.
 * New services go into the table at the end.
 * SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/engine/faults.h"
#include "core/engine/host_service.h"
#include "core/engine/names.h"
#include "core/engine/planner.h"
#include "core/engine/run.h"
#include "core/module/params.h"

enum {
	LOGS_PER_CALL = 200,
	DIAGNOSTICS_PER_CALL = 100,
	TEXT_MAX = 32768,     /* of a log line or diagnostic */
	QUESTIONS_MAX = 1000, /* of one run */
	SAID_MAX = 100000,    /* steps, chunks, outputs, findings ... of one call */
	SAID_BYTES_MAX = 64 << 20,
	SAID_BYTES_MAX_IN_PLAN = 8 << 20,
};

#define IN(kind) (1u << WBL_CALL_##kind)
#define ANYWHERE (~0u)

void wbl_serve_reply(struct wbl_call_request *call, const struct wbl_frame *f, int32_t status)
{
	wbl_host_reply(call, f->seq, status, NULL, NULL, 0, -1);
}

const char *wbl_serve_text(const struct wbl_frame *f, const char *key)
{
	const char *s = wbl_json_str(f->json, key);

	return s ? s : "";
}

/* A text of the frame, without secrets, cut at a whole character. */
static json_t *short_text(
	const struct wbl_call_request *call, const struct wbl_frame *f, const char *key)
{
	const char *s = wbl_json_str(f->json, key);
	size_t n = s ? strnlen(s, TEXT_MAX) : 0;
	WBL_AUTOFREE char *copy = NULL;

	if (!s)
		return NULL;
	if (n == TEXT_MAX)
		while (n && ((unsigned char)s[n] & 0xc0) == 0x80)
			n--;
	copy = wbl_strndup(s, n);
	wbl_secrets_blot(&call->instance->secrets, copy, n);
	return json_stringn(copy, n);
}

static const char *chunk_id(const struct wbl_call_request *call)
{
	return call->chunk ? call->chunk->id : NULL;
}

void wbl_serve_append(struct wbl_call_request *call, struct wbl_entry e)
{
	if (call->step) {
		e.chunk = e.chunk ? e.chunk : chunk_id(call);
		wbl_step_append(call->step, &e);
	}
}

void wbl_serve_append_text(struct wbl_call_request *call, struct wbl_entry e, json_t *body)
{
	WBL_AUTOFREE char *s = wbl_json_text(body);

	e.body = (struct wbl_bytes){ s, strlen(s) };
	wbl_serve_append(call, e);
	json_decref(body);
}

const char *wbl_serve_owner(const struct wbl_call_request *call)
{
	return call->instance->owner;
}

const char *wbl_serve_step_id(const struct wbl_call_request *call)
{
	return call->step ? call->step->id : call->instance->name;
}

void wbl_serve_keep_diagnostic(struct wbl_call_request *call, json_t *d)
{
	if (json_array_size(call->diagnostics) < DIAGNOSTICS_PER_CALL)
		json_array_append_new(call->diagnostics, d);
	else
		json_array_set_new(call->diagnostics, DIAGNOSTICS_PER_CALL - 1, d);
}

/* Says why; the reply carries the code. */
void wbl_serve_refuse(struct wbl_call_request *call, const struct wbl_frame *f, int32_t rc,
	const struct wbl_error *err)
{
	json_t *d = json_object();

	wbl_json_puti(d, "severity", 1);
	wbl_json_puti(d, "code", rc);
	wbl_json_put(d, "where", err->where);
	wbl_json_put(d, "text", err->text);
	wbl_json_put(d, "hint", err->hint);
	wbl_serve_keep_diagnostic(call, d);
	/* The engine's own codes mean nothing to a module. */
	wbl_serve_reply(call, f,
		rc == WBL_E_DISK       ? WBL_E_RESOURCES
		: rc <= WBL_E_INTERNAL ? WBL_E_FAILED
				       : rc);
}

/* --- one way --- */

static void on_log(struct wbl_call_request *call, struct wbl_frame *f)
{
	json_t *said = NULL;
	char level[24];

	if (!call->step || ++call->logs > LOGS_PER_CALL)
		return;
	snprintf(level, sizeof level, "%d", (int)wbl_json_int(f->json, "level", 0));
	if (call->logs == LOGS_PER_CALL)
		wbl_serve_append(call, (struct wbl_entry){ .kind = WBL_KIND_LOG,
					       .name = level,
					       .body = { "(more was said, and left out)", 29 } });
	else if ((said = short_text(call, f, "text")))
		wbl_serve_append(call,
			(struct wbl_entry){ .kind = WBL_KIND_LOG,
				.name = level,
				.body = { json_string_value(said), json_string_length(said) } });
	json_decref(said);
}

static void on_diag(struct wbl_call_request *call, struct wbl_frame *f)
{
	static const char *const texts[] = { "where", "text", "hint" };
	json_t *d = json_object();
	size_t i;

	wbl_json_puti(d, "severity", wbl_json_int(f->json, "severity", 1));
	wbl_json_puti(d, "code", wbl_json_int(f->json, "code", WBL_E_FAILED));
	wbl_json_puti(d, "flags", wbl_json_int(f->json, "flags", 0));
	for (i = 0; i < WBL_COUNT(texts); i++)
		json_object_set_new(d, texts[i], short_text(call, f, texts[i]));
	wbl_serve_keep_diagnostic(call, d);
}

int64_t wbl_serve_not_negative(const struct wbl_frame *f, const char *key)
{
	int64_t n = wbl_json_int(f->json, key, 0);

	return n < 0 ? 0 : n;
}

static void take_progress(struct wbl_call_request *call, const struct wbl_frame *f)
{
	call->progress.items = wbl_serve_not_negative(f, "items");
	call->progress.items_of = wbl_serve_not_negative(f, "items_of");
	call->progress.bytes = wbl_serve_not_negative(f, "bytes");
	call->progress.bytes_of = wbl_serve_not_negative(f, "bytes_of");
	snprintf(call->progress.phase, sizeof call->progress.phase, "%s",
		wbl_serve_text(f, "phase"));
}

static void on_progress(struct wbl_call_request *call, struct wbl_frame *f)
{
	take_progress(call, f);
}

static void on_position(struct wbl_call_request *call, struct wbl_frame *f)
{
	call->lag.behind_ns = wbl_json_int(f->json, "behind_ns", 0);
	call->lag.behind_bytes = wbl_serve_not_negative(f, "behind_bytes");
	snprintf(
		call->lag.position, sizeof call->lag.position, "%s", wbl_serve_text(f, "position"));
}

static void on_fault(struct wbl_call_request *call, struct wbl_frame *f)
{
	if (wbl_fault_point(call->engine, wbl_serve_text(f, "name")))
		wbl_call_kill(call, "killed at a fault point, as the test asked");
	else
		wbl_serve_reply(call, f, 0);
}

/* --- plan --- */

static void on_planner(struct wbl_call_request *call, struct wbl_frame *f)
{
	wbl_serve_reply(call, f, wbl_planner_frame(call, f));
}

static void on_finding(struct wbl_call_request *call, struct wbl_frame *f)
{
	const char *json = wbl_serve_text(f, "json");

	if (!call->step) {
		wbl_serve_reply(call, f, wbl_planner_frame(call, f));
		return;
	}
	wbl_serve_append(call, (struct wbl_entry){ .kind = WBL_KIND_FINDING,
				       .name = "handler",
				       .body = { json, strlen(json) } });
	wbl_serve_reply(call, f, 0);
}

static void on_ask(struct wbl_call_request *call, struct wbl_frame *f)
{
	const char *id = wbl_serve_text(f, "id"), *answer = NULL;
	struct wbl_run *run = call->instance->run;
	bool asked = false;
	size_t i;

	if (!run || !call->step) {
		answer = wbl_planner_ask(call, f);
	} else {
		for (i = 0; i < run->nquestions; i++)
			if (!strcmp(run->questions[i].step, call->step->id) &&
				!strcmp(run->questions[i].id, id)) {
				asked = true;
				answer = run->questions[i].answer;
			}
		if (!asked)
			wbl_serve_append_text(call,
				(struct wbl_entry){ .kind = WBL_KIND_QUESTION, .name = id },
				json_incref(f->json));
	}
	call->asked |= !answer;
	wbl_host_reply(call, f->seq, answer ? WBL_OK : WBL_END, NULL, answer,
		answer ? strlen(answer) : 0, -1);
}

/* --- progress that lasts --- */

static void on_checkpoint(struct wbl_call_request *call, struct wbl_frame *f)
{
	take_progress(call, f);
	wbl_serve_append(call, (struct wbl_entry){ .kind = WBL_KIND_CHECKPOINT,
				       .name = wbl_call_name(call->kind),
				       .body = { f->blob.data, f->blob.len } });
	wbl_serve_reply(call, f, 0);
}

static void on_result(struct wbl_call_request *call, struct wbl_frame *f)
{
	json_decref(call->totals);
	call->totals = json_incref(f->json);
	wbl_serve_reply(call, f, 0);
}

static struct wbl_output_value *output_of(struct wbl_run_step *s, const char *name)
{
	size_t i;

	for (i = 0; s && i < s->noutputs; i++)
		if (!strcmp(s->outputs[i].name, name))
			return &s->outputs[i];
	return NULL;
}

static void on_output(struct wbl_call_request *call, struct wbl_frame *f)
{
	const struct wbl_output_value *o = output_of(call->step, wbl_serve_text(f, "name"));

	wbl_serve_append(call, (struct wbl_entry){ .kind = WBL_KIND_OUTPUT,
				       .name = wbl_serve_text(f, "name"),
				       .attempt = (o ? o->generation : 0) + 1,
				       .body = { f->blob.data, f->blob.len } });
	wbl_serve_reply(call, f, 0);
}

/* A step by its own id in this migration, or by its whole id. */
struct wbl_run_step *wbl_serve_step_named(struct wbl_call_request *call, const char *name)
{
	WBL_AUTOFREE char *own = wbl_strf("%s/%s", call->instance->name, name);
	struct wbl_run *run = call->instance->run;
	struct wbl_run_step *s;

	if (!run)
		return NULL;
	s = wbl_run_step(run, own);
	return s ? s : wbl_run_step(run, name);
}

static void on_input(struct wbl_call_request *call, struct wbl_frame *f)
{
	const struct wbl_output_value *o = output_of(
		wbl_serve_step_named(call, wbl_serve_text(f, "step")), wbl_serve_text(f, "name"));
	json_t *j;

	if (!o) {
		wbl_serve_reply(call, f, WBL_END);
		return;
	}
	j = json_object();
	wbl_json_puti(j, "generation", o->generation);
	wbl_host_reply(call, f->seq, 0, j, o->value.data, o->value.len, -1);
}

static void on_rehearsed(struct wbl_call_request *call, struct wbl_frame *f)
{
	int64_t level = wbl_json_int(f->json, "level", 0);

	if (level < 1 || level > 4) {
		wbl_serve_reply(call, f, WBL_E_ABI);
		return;
	}
	wbl_serve_append(call, (struct wbl_entry){ .kind = WBL_KIND_REHEARSED,
				       .status = (int32_t)level,
				       .name = wbl_serve_text(f, "what") });
	wbl_serve_reply(call, f, 0);
}

static void put_little(unsigned char *p, uint64_t n)
{
	int i;

	for (i = 0; i < 8; i++)
		p[i] = (unsigned char)(n >> (8 * i));
}

static void on_chunk_add(struct wbl_call_request *call, struct wbl_frame *f)
{
	struct wbl_buf b = { 0 };
	unsigned char head[16];

	if (!*wbl_serve_text(f, "id") || !(call->step->flags & WBL_STEP_PARTITIONED)) {
		wbl_serve_reply(call, f, WBL_E_ABI);
		return;
	}
	call->added = true;
	put_little(head, (uint64_t)wbl_serve_not_negative(f, "items"));
	put_little(head + 8, (uint64_t)wbl_serve_not_negative(f, "bytes"));
	wbl_buf_add(&b, head, sizeof head);
	wbl_buf_add(&b, f->blob.data, f->blob.len);
	wbl_serve_append(call, (struct wbl_entry){ .kind = WBL_KIND_CHUNK_ADD,
				       .chunk = wbl_serve_text(f, "id"),
				       .name = chunk_id(call),
				       .body = { b.data, b.len } });
	wbl_buf_clear(&b);
	wbl_serve_reply(call, f, 0);
}

/* --- secrets --- */

static const json_t *params_of_peer(const json_t *peers, const char *param)
{
	const json_t *p, *deeper;
	size_t i;

	json_array_foreach(peers, i, p)
	{
		const char *own = wbl_json_str(p, "param");
		size_t n = own ? strlen(own) : 0;

		if (own && !strcmp(own, param))
			return json_object_get(p, "params");
		if (own && !strncmp(own, param, n) && param[n] == '.') {
			deeper = params_of_peer(json_object_get(p, "peers"), param + n + 1);
			if (deeper)
				return deeper;
		}
	}
	return NULL;
}

static const json_t *at_path(const json_t *j, const char *path)
{
	WBL_AUTOFREE char *copy = wbl_strdup(path);
	char *save, *part;

	for (part = strtok_r(copy, ".", &save); part && j; part = strtok_r(NULL, ".", &save))
		j = json_is_array(j) ? json_array_get(j, strtoul(part, NULL, 10))
				     : json_object_get(j, part);
	return j;
}

static void on_secret(struct wbl_call_request *call, struct wbl_frame *f)
{
	const char *peer = wbl_json_str(f->json, "peer");
	const json_t *params =
		peer ? params_of_peer(json_object_get(call->instance->hello, "peers"), peer)
		     : json_object_get(call->instance->hello, "params");
	const char *reference =
		wbl_json_str(at_path(params, wbl_serve_text(f, "param")), "$secret");
	struct wbl_buf value = { 0 };
	struct wbl_error err;
	int32_t rc = WBL_E_PARAM;

	if (reference)
		rc = wbl_secret_read(reference, &value, &err);
	if (!rc)
		wbl_secrets_add(&call->instance->secrets, value.data, value.len);
	if (rc && reference)
		wbl_serve_refuse(call, f, rc, &err);
	else
		wbl_host_reply(call, f->seq, rc, NULL, value.data, value.len, -1);
	if (value.data)
		explicit_bzero(value.data, value.len);
	wbl_buf_clear(&value);
}

static const struct service {
	enum wbl_wire_type type;
	unsigned in; /* calls in which it is allowed */
	bool one_way;
	void (*fn)(struct wbl_call_request *call, struct wbl_frame *f);
} services[] = {
	{ WBL_WIRE_LOG, ANYWHERE, true, on_log },
	{ WBL_WIRE_DIAG, ANYWHERE, true, on_diag },
	{ WBL_WIRE_PROGRESS, ANYWHERE, true, on_progress },
	{ WBL_WIRE_POSITION, IN(EXECUTE), true, on_position },
	{ WBL_WIRE_FAULT, ANYWHERE, false, on_fault },
	{ WBL_WIRE_STEP, IN(PLAN), false, on_planner },
	{ WBL_WIRE_OBSERVE, IN(PLAN), false, on_planner },
	{ WBL_WIRE_OMIT, IN(PLAN), false, on_planner },
	{ WBL_WIRE_FINDING, IN(PLAN) | IN(ASSESS) | IN(CHECK) | IN(EXECUTE) | IN(VERIFY), false,
		on_finding },
	{ WBL_WIRE_ASK, IN(PLAN) | IN(EXECUTE), false, on_ask },
	{ WBL_WIRE_CHECKPOINT, IN(EXECUTE) | IN(VERIFY) | IN(ROLLBACK) | IN(REPAIR) | IN(PARTITION),
		false, on_checkpoint },
	{ WBL_WIRE_RESULT, IN(EXECUTE) | IN(VERIFY) | IN(REPAIR), false, on_result },
	{ WBL_WIRE_OUTPUT, IN(EXECUTE), false, on_output },
	{ WBL_WIRE_INPUT,
		IN(EXECUTE) | IN(VERIFY) | IN(ROLLBACK) | IN(PARTITION) | IN(PROBE) | IN(REPAIR),
		false, on_input },
	{ WBL_WIRE_BG_READY, IN(EXECUTE), false, wbl_serve_bg_ready },
	{ WBL_WIRE_DRAINED, IN(EXECUTE), false, wbl_serve_drained },
	{ WBL_WIRE_DRAIN, IN(EXECUTE) | IN(ROLLBACK), false, wbl_serve_drain },
	{ WBL_WIRE_LAG, IN(EXECUTE) | IN(VERIFY) | IN(ROLLBACK), false, wbl_serve_lag },
	{ WBL_WIRE_REHEARSED, IN(EXECUTE), false, on_rehearsed },
	{ WBL_WIRE_CHUNK_ADD, IN(PARTITION) | IN(EXECUTE), false, on_chunk_add },
	{ WBL_WIRE_STATE_GET, ANYWHERE, false, wbl_serve_state_get },
	{ WBL_WIRE_STATE_PUT, IN(EXECUTE), false, wbl_serve_state_put },
	{ WBL_WIRE_UNDO_PUT, IN(EXECUTE) | IN(REPAIR), false, wbl_serve_undo_put },
	{ WBL_WIRE_UNDO_EACH, IN(VERIFY) | IN(PROBE) | IN(ROLLBACK), false, wbl_serve_undo_each },
	{ WBL_WIRE_UNDO_DONE, IN(ROLLBACK), false, wbl_serve_undo_done },
	{ WBL_WIRE_ART_CREATE, IN(EXECUTE) | IN(PLAN) | IN(ASSESS) | IN(REPAIR), false,
		wbl_serve_art_create },
	{ WBL_WIRE_ART_SEAL, IN(EXECUTE) | IN(PLAN) | IN(ASSESS) | IN(REPAIR), false,
		wbl_serve_art_seal },
	{ WBL_WIRE_ART_OPEN, ANYWHERE, false, wbl_serve_art_open },
	{ WBL_WIRE_ART_EACH,
		IN(EXECUTE) | IN(VERIFY) | IN(ROLLBACK) | IN(PARTITION) | IN(PROBE) | IN(REPAIR),
		false, wbl_serve_art_each },
	{ WBL_WIRE_DIFF, IN(VERIFY) | IN(EXECUTE), false, wbl_serve_diff },
	{ WBL_WIRE_COVERED, IN(VERIFY) | IN(EXECUTE), false, wbl_serve_covered },
	{ WBL_WIRE_DIFF_NEXT, IN(REPAIR), false, wbl_serve_diff_next },
	{ WBL_WIRE_DIFF_DONE, IN(REPAIR), false, wbl_serve_diff_done },
	{ WBL_WIRE_SECRET, ANYWHERE, false, on_secret },
};

/* What is kept for the run or plan, and in our memory, is not without limit. */
static bool too_much(struct wbl_call_request *call, const struct wbl_frame *f)
{
	static const enum wbl_wire_type kept[] = { WBL_WIRE_STEP, WBL_WIRE_OBSERVE, WBL_WIRE_OMIT,
		WBL_WIRE_FINDING, WBL_WIRE_ASK, WBL_WIRE_OUTPUT, WBL_WIRE_CHUNK_ADD,
		WBL_WIRE_COVERED, WBL_WIRE_REHEARSED };
	int64_t most = call->instance->run ? SAID_BYTES_MAX : SAID_BYTES_MAX_IN_PLAN;
	size_t i;

	for (i = 0; i < WBL_COUNT(kept) && kept[i] != f->type; i++)
		;
	if (i == WBL_COUNT(kept))
		return false;
	if (f->type == WBL_WIRE_ASK && call->instance->run &&
		call->instance->run->nquestions >= QUESTIONS_MAX)
		return true;
	call->said++;
	call->said_bytes += (int64_t)(f->blob.len + json_dumpb(f->json, NULL, 0, JSON_COMPACT));
	return call->said > SAID_MAX || call->said_bytes > most;
}

static void refuse_more(struct wbl_call_request *call, const struct wbl_frame *f)
{
	struct wbl_error err;

	wbl_fail(&err, WBL_E_RESOURCES, wbl_serve_step_id(call),
		"Tell the handler's author; larger things belong into artefacts.",
		"%s hands over more than the engine keeps for one call", wbl_call_name(call->kind));
	wbl_serve_refuse(call, f, WBL_E_RESOURCES, &err);
}

void wbl_host_frame(struct wbl_call_request *call, struct wbl_frame *f)
{
	const struct wbl_run *run = call->instance->run;
	/* Before the call has begun it is create() that speaks. */
	unsigned now = call->started ? 1u << call->kind : IN(NONE);
	const struct service *s = NULL;
	size_t i;

	for (i = 0; i < WBL_COUNT(services) && !s; i++)
		if (services[i].type == f->type)
			s = &services[i];
	if (!s) {
		wbl_call_kill(call, "the host process sent a message that only the engine sends");
		return;
	}
	if (!s->one_way && run && call->epoch < run->epoch)
		wbl_serve_reply(call, f, WBL_E_FENCED);
	else if (s->in & now && too_much(call, f))
		refuse_more(call, f);
	else if (s->in & now)
		s->fn(call, f);
	else if (!s->one_way)
		wbl_serve_reply(call, f, WBL_E_ABI);
}
