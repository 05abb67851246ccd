/* engine/host_services.c - what a host asks for during a call: each request becomes an entry and, once that is durable,
 * an answer. A host is not trusted: every member is checked, what is not allowed in this call is refused.
 * New services go into the table at the end.
 * SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <event2/event.h>

#include "core/engine/faults.h"
#include "core/engine/host_process.h"
#include "core/engine/names.h"
#include "core/engine/planner.h"
#include "core/engine/run.h"
#include "core/engine/values.h"
#include "core/module/params.h"
#include "core/state/artefact.h"

enum {
	LOGS_PER_CALL = 200,
	DIAGNOSTICS_PER_CALL = 100,
	DIFFERENCES_PER_STEP = 1000,
	TEXT_MAX = 32768,     /* of a log line or diagnostic */
	QUESTIONS_MAX = 1000, /* of one run */
	SAID_MAX = 100000,    /* steps, chunks, outputs, findings ... of one call */
	SAID_BYTES_MAX = 64 << 20,
	SAID_BYTES_MAX_IN_PLAN = 8 << 20,
};

#define IN(kind) (1u << WBL_CALL_##kind)
#define ANYWHERE (~0u)

static void reply(struct wbl_call_request *call, const struct wbl_frame *f, int32_t status)
{
	wbl_host_reply(call, f->seq, status, NULL, NULL, 0, -1);
}

static const char *text(const struct wbl_frame *f, const char *key)
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

static void append(struct wbl_call_request *call, struct wbl_entry e)
{
	if (call->step) {
		e.chunk = e.chunk ? e.chunk : chunk_id(call);
		wbl_step_append(call->step, &e);
	}
}

static void append_text(struct wbl_call_request *call, struct wbl_entry e, json_t *body)
{
	WBL_AUTOFREE char *s = wbl_json_text(body);

	e.body = (struct wbl_bytes){ s, strlen(s) };
	append(call, e);
	json_decref(body);
}

static const char *owner(const struct wbl_call_request *call)
{
	return call->instance->owner;
}

static const char *step_id(const struct wbl_call_request *call)
{
	return call->step ? call->step->id : call->instance->name;
}

/* Says why; the reply carries the code. */
static void refuse(struct wbl_call_request *call, const struct wbl_frame *f, int32_t rc,
	const struct wbl_error *err)
{
	json_t *d = json_object();

	wbl_json_puti(d, "severity", 1);
	wbl_json_puti(d, "code", rc);
	wbl_json_put(d, "where", err->where);
	wbl_json_put(d, "text", err->text);
	wbl_json_put(d, "hint", err->hint);
	json_array_append_new(call->diagnostics, d);
	reply(call, f, rc == WBL_E_DISK ? WBL_E_RESOURCES : rc);
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
		append(call, (struct wbl_entry){ .kind = WBL_KIND_LOG,
				     .name = level,
				     .body = { "(more was said, and left out)", 29 } });
	else if ((said = short_text(call, f, "text")))
		append(call,
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
	if (json_array_size(call->diagnostics) < DIAGNOSTICS_PER_CALL)
		json_array_append_new(call->diagnostics, d);
	else
		json_array_set_new(call->diagnostics, DIAGNOSTICS_PER_CALL - 1, d);
}

static int64_t not_negative(const struct wbl_frame *f, const char *key)
{
	int64_t n = wbl_json_int(f->json, key, 0);

	return n < 0 ? 0 : n;
}

static void take_progress(struct wbl_call_request *call, const struct wbl_frame *f)
{
	call->progress.items = not_negative(f, "items");
	call->progress.items_of = not_negative(f, "items_of");
	call->progress.bytes = not_negative(f, "bytes");
	call->progress.bytes_of = not_negative(f, "bytes_of");
	snprintf(call->progress.phase, sizeof call->progress.phase, "%s", text(f, "phase"));
}

static void on_progress(struct wbl_call_request *call, struct wbl_frame *f)
{
	take_progress(call, f);
}

static void on_position(struct wbl_call_request *call, struct wbl_frame *f)
{
	call->lag.behind_ns = wbl_json_int(f->json, "behind_ns", 0);
	call->lag.behind_bytes = not_negative(f, "behind_bytes");
	snprintf(call->lag.position, sizeof call->lag.position, "%s", text(f, "position"));
}

static void on_fault(struct wbl_call_request *call, struct wbl_frame *f)
{
	if (wbl_fault_point(call->engine, text(f, "name")))
		wbl_call_kill(call, "killed at a fault point, as the test asked");
	else
		reply(call, f, 0);
}

/* --- plan --- */

static void on_planner(struct wbl_call_request *call, struct wbl_frame *f)
{
	reply(call, f, wbl_planner_frame(call, f));
}

static void on_finding(struct wbl_call_request *call, struct wbl_frame *f)
{
	const char *json = text(f, "json");

	if (!call->step) {
		reply(call, f, wbl_planner_frame(call, f));
		return;
	}
	append(call, (struct wbl_entry){ .kind = WBL_KIND_FINDING,
			     .name = "handler",
			     .body = { json, strlen(json) } });
	reply(call, f, 0);
}

static void on_ask(struct wbl_call_request *call, struct wbl_frame *f)
{
	const char *id = text(f, "id"), *answer = NULL;
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
			append_text(call,
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
	append(call, (struct wbl_entry){ .kind = WBL_KIND_CHECKPOINT,
			     .name = wbl_call_name(call->kind),
			     .body = { f->blob.data, f->blob.len } });
	reply(call, f, 0);
}

static void on_result(struct wbl_call_request *call, struct wbl_frame *f)
{
	json_decref(call->totals);
	call->totals = json_incref(f->json);
	reply(call, f, 0);
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
	const struct wbl_output_value *o = output_of(call->step, text(f, "name"));

	append(call, (struct wbl_entry){ .kind = WBL_KIND_OUTPUT,
			     .name = text(f, "name"),
			     .attempt = (o ? o->generation : 0) + 1,
			     .body = { f->blob.data, f->blob.len } });
	reply(call, f, 0);
}

/* A step by its own id in this migration, or by its whole id. */
static struct wbl_run_step *step_named(struct wbl_call_request *call, const char *name)
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
	const struct wbl_output_value *o =
		output_of(step_named(call, text(f, "step")), text(f, "name"));
	json_t *j;

	if (!o) {
		reply(call, f, WBL_END);
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
		reply(call, f, WBL_E_ABI);
		return;
	}
	append(call, (struct wbl_entry){ .kind = WBL_KIND_REHEARSED,
			     .status = (int32_t)level,
			     .name = text(f, "what") });
	reply(call, f, 0);
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

	if (!*text(f, "id") || !(call->step->flags & WBL_STEP_PARTITIONED)) {
		reply(call, f, WBL_E_ABI);
		return;
	}
	call->added = true;
	put_little(head, (uint64_t)not_negative(f, "items"));
	put_little(head + 8, (uint64_t)not_negative(f, "bytes"));
	wbl_buf_add(&b, head, sizeof head);
	wbl_buf_add(&b, f->blob.data, f->blob.len);
	append(call, (struct wbl_entry){ .kind = WBL_KIND_CHUNK_ADD,
			     .chunk = text(f, "id"),
			     .name = chunk_id(call),
			     .body = { b.data, b.len } });
	wbl_buf_clear(&b);
	reply(call, f, 0);
}

/* --- background steps --- */

struct wbl_drain_waiter {
	struct wbl_drain_waiter *next;
	int64_t demand;
	struct wbl_run_step *background;
	struct wbl_call_request *call;
	uint32_t seq;
	struct event *timer;
};

static void free_waiter(struct wbl_drain_waiter *w)
{
	struct wbl_drain_waiter **p;

	for (p = &w->background->waiters; *p != w; p = &(*p)->next)
		;
	*p = w->next;
	event_free(w->timer);
	free(w);
}

void wbl_step_answer_drains(struct wbl_run_step *s)
{
	struct wbl_drain_waiter *w, *next;

	for (w = s->waiters; w; w = next) {
		next = w->next;
		if (s->demand_done >= w->demand) {
			wbl_host_reply(w->call, w->seq, 0, NULL, NULL, 0, -1);
			free_waiter(w);
		}
	}
}

void wbl_step_refuse_drains(struct wbl_run_step *s)
{
	while (s->waiters) {
		wbl_host_reply(
			s->waiters->call, s->waiters->seq, WBL_E_UNAVAILABLE, NULL, NULL, 0, -1);
		free_waiter(s->waiters);
	}
}

static bool is_down(const struct wbl_run_step *s)
{
	return s->state != WBL_STEP_EXECUTING && s->state != WBL_STEP_UP &&
	       s->state != WBL_STEP_SUSPENDED;
}

void wbl_call_forget_drains(struct wbl_call_request *call)
{
	struct wbl_run *run = call->step->run;
	struct wbl_drain_waiter *w, *next;
	size_t i;

	for (i = 0; i < run->nsteps; i++)
		for (w = run->steps[i].waiters; w; w = next) {
			next = w->next;
			if (w->call == call)
				free_waiter(w);
		}
}

static void on_drain_late(evutil_socket_t fd, short what, void *ctx)
{
	struct wbl_drain_waiter *w = ctx;

	wbl_host_reply(w->call, w->seq, WBL_E_UNAVAILABLE, NULL, NULL, 0, -1);
	free_waiter(w);
}

static void on_bg_ready(struct wbl_call_request *call, struct wbl_frame *f)
{
	if (!call->background) {
		reply(call, f,
			call->instance->run && call->instance->run->rehearse ? 0 : WBL_E_ABI);
		return;
	}
	append(call, (struct wbl_entry){ .kind = WBL_KIND_BG_READY });
	reply(call, f, 0);
}

static void on_drained(struct wbl_call_request *call, struct wbl_frame *f)
{
	int64_t demand = wbl_json_int(f->json, "demand", 0);

	if (!call->background || demand > call->step->demand) {
		reply(call, f, WBL_E_ABI);
		return;
	}
	if (demand > call->step->demand_done)
		append(call, (struct wbl_entry){ .kind = WBL_KIND_DRAINED,
				     .attempt = demand,
				     .name = text(f, "position") });
	reply(call, f, 0);
	wbl_step_answer_drains(call->step);
}

static void on_drain(struct wbl_call_request *call, struct wbl_frame *f)
{
	struct wbl_run_step *b = step_named(call, text(f, "background"));
	int64_t timeout = wbl_json_int(f->json, "timeout_ns", 0);
	struct wbl_drain_waiter *w;

	if (!b || !(b->flags & WBL_STEP_BACKGROUND) || b == call->step) {
		reply(call, f, WBL_E_ABI);
		return;
	}
	if (is_down(b)) {
		reply(call, f, WBL_E_UNAVAILABLE);
		return;
	}
	wbl_step_append(b, &(struct wbl_entry){ .kind = WBL_KIND_DEMAND,
				   .attempt = b->demand + 1,
				   .name = text(f, "position") });
	w = wbl_alloc(sizeof *w);
	w->demand = b->demand;
	w->background = b;
	w->call = call;
	w->seq = f->seq;
	w->timer = event_new(call->engine->base, -1, 0, on_drain_late, w);
	if (timeout > 0) {
		struct timeval tv = { .tv_sec = timeout / 1000000000,
			.tv_usec = timeout % 1000000000 / 1000 };

		event_add(w->timer, &tv);
	}
	w->next = b->waiters;
	b->waiters = w;
	if (b->call)
		wbl_call_signal(b->call, WBL_SIGNAL_DRAIN);
}

static void on_lag(struct wbl_call_request *call, struct wbl_frame *f)
{
	const struct wbl_run_step *b = step_named(call, text(f, "background"));
	json_t *j;

	if (!b || !b->call) {
		reply(call, f, b ? WBL_E_UNAVAILABLE : WBL_E_ABI);
		return;
	}
	j = json_object();
	wbl_json_puti(j, "behind_ns", b->call->lag.behind_ns);
	wbl_json_puti(j, "behind_bytes", b->call->lag.behind_bytes);
	wbl_json_put(j, "position", b->call->lag.position);
	wbl_host_reply(call, f->seq, 0, j, NULL, 0, -1);
}

/* --- state between runs --- */

static const json_t *plan_of(const struct wbl_call_request *call)
{
	return call->instance->run ? call->instance->run->plan
				   : wbl_planner_document(call->instance->planner);
}

static void on_state_get(struct wbl_call_request *call, struct wbl_frame *f)
{
	struct wbl_buf value = { 0 };
	int32_t rc = wbl_value_get(call->engine, plan_of(call), call->instance->run,
		call->instance->name, text(f, "name"), &value, NULL);

	if (!call->step)
		wbl_planner_saw_state(call, text(f, "name"), rc == WBL_END ? NULL : &value);
	wbl_host_reply(call, f->seq, rc, NULL, value.data, value.len, -1);
	wbl_buf_clear(&value);
}

static void on_state_put(struct wbl_call_request *call, struct wbl_frame *f)
{
	WBL_AUTOFREE char *scope =
		wbl_value_scope(plan_of(call), call->instance->name, text(f, "name"));

	append(call, (struct wbl_entry){ .kind = WBL_KIND_STATE_PUT,
			     .name = scope,
			     .body = { f->blob.data, f->blob.len } });
	reply(call, f, 0);
}

/* --- undo --- */

struct one_entry {
	bool found;
	int64_t seq, pass, attempt;
	int32_t status;
	char *name, *chunk;
	struct wbl_buf body;
};

static int32_t take_one(void *ctx, const struct wbl_entry *e)
{
	struct one_entry *one = ctx;

	one->found = true;
	one->seq = e->seq;
	one->status = e->status;
	one->pass = e->pass;
	one->attempt = e->attempt;
	free(one->name);
	free(one->chunk);
	one->name = wbl_strdup(e->name);
	one->chunk = wbl_strdup(e->chunk);
	wbl_buf_clear(&one->body);
	wbl_buf_add(&one->body, e->body.data, e->body.data ? e->body.len : 0);
	return 0;
}

static void clear_one(struct one_entry *one)
{
	free(one->name);
	free(one->chunk);
	wbl_buf_clear(&one->body);
	*one = (struct one_entry){ 0 };
}

/* The newest entry of this kind and name in this step and pass. */
static bool find_entry(struct wbl_call_request *call, enum wbl_kind kind, const char *name,
	int64_t before, struct one_entry *ret)
{
	struct wbl_query q = { .run = owner(call),
		.step = step_id(call),
		.kind = kind,
		.name = name,
		.pass = call->step ? call->step->pass : 0,
		.after = before,
		.newest_first = true,
		.limit = 1 };

	wbl_journal_each(call->engine->state, &q, take_one, ret, NULL);
	return ret->found;
}

static void on_undo_put(struct wbl_call_request *call, struct wbl_frame *f)
{
	const char *artefact = text(f, "artefact");
	uint32_t len = (uint32_t)strlen(artefact);
	struct one_entry one = { 0 };
	struct wbl_buf b = { 0 };

	if (!*text(f, "id")) {
		reply(call, f, WBL_E_ABI);
		return;
	}
	if (find_entry(call, WBL_KIND_UNDO_PUT, text(f, "id"), 0, &one)) {
		clear_one(&one);
		reply(call, f, WBL_END);
		return;
	}
	wbl_buf_add(&b, &len, sizeof len);
	wbl_buf_add(&b, artefact, len);
	wbl_buf_add(&b, f->blob.data, f->blob.len);
	append(call, (struct wbl_entry){ .kind = WBL_KIND_UNDO_PUT,
			     .name = text(f, "id"),
			     .body = { b.data, b.len } });
	wbl_buf_clear(&b);
	reply(call, f, 0);
}

/* By its upgraded form. */
static bool is_replaced(struct wbl_call_request *call, const struct one_entry *one)
{
	struct one_entry newest = { 0 };
	bool replaced = find_entry(call, WBL_KIND_UNDO_PUT, one->name, 0, &newest) &&
			newest.seq != one->seq;

	clear_one(&newest);
	return replaced;
}

static void on_undo_each(struct wbl_call_request *call, struct wbl_frame *f)
{
	struct one_entry one = { 0 }, reversed = { 0 };
	int64_t after = wbl_json_int(f->json, "after", 0);
	uint32_t len = 0;
	json_t *j;

	do {
		after = one.found ? one.seq : after;
		one.found = false;
		if (!find_entry(call, WBL_KIND_UNDO_PUT, NULL, after, &one)) {
			clear_one(&one);
			reply(call, f, WBL_END);
			return;
		}
	} while (is_replaced(call, &one));
	find_entry(call, WBL_KIND_UNDO_DONE, one.name, 0, &reversed);
	if (one.body.len >= sizeof len)
		memcpy(&len, one.body.data, sizeof len);
	if (one.body.len < sizeof len || len > one.body.len - sizeof len) {
		struct wbl_error err;

		wbl_fail(&err, WBL_E_CORRUPT, one.name,
			"Take it back by hand; then whimbrel recover.",
			"the undo record is damaged or was purged");
		refuse(call, f, WBL_E_CORRUPT, &err);
		clear_one(&one);
		clear_one(&reversed);
		return;
	}
	j = json_object();
	wbl_json_puti(j, "seq", one.seq);
	wbl_json_put(j, "id", one.name);
	if (len)
		json_object_set_new(j, "artefact", json_stringn(one.body.data + sizeof len, len));
	wbl_json_puti(j, "flags", reversed.found ? 1 : 0);
	wbl_host_reply(call, f->seq, 0, j, one.body.data + sizeof len + len,
		one.body.len - sizeof len - len, -1);
	clear_one(&one);
	clear_one(&reversed);
}

static void on_undo_done(struct wbl_call_request *call, struct wbl_frame *f)
{
	append(call, (struct wbl_entry){ .kind = WBL_KIND_UNDO_DONE, .name = text(f, "id") });
	reply(call, f, 0);
}

/* --- artefacts --- */

static void on_art_create(struct wbl_call_request *call, struct wbl_frame *f)
{
	const char *name = text(f, "name");
	struct one_entry one = { 0 };
	struct wbl_error err;
	char *file = NULL;
	int fd = -1;
	int32_t rc;

	if (find_entry(call, WBL_KIND_ARTEFACT_SEAL, name, 0, &one)) {
		clear_one(&one);
		reply(call, f, WBL_END);
		return;
	}
	rc = wbl_artefact_create(call->engine->state, owner(call), step_id(call),
		call->step ? call->step->pass : 1, name, &file, &fd, &err);
	if (rc) {
		refuse(call, f, rc, &err);
		return;
	}
	append(call, (struct wbl_entry){ .kind = WBL_KIND_ARTEFACT_CREATE,
			     .name = name,
			     .body = { file, strlen(file) } });
	wbl_host_reply(call, f->seq, 0, NULL, NULL, 0, fd);
	free(file);
}

static void on_art_seal(struct wbl_call_request *call, struct wbl_frame *f)
{
	const char *name = text(f, "name");
	struct one_entry one = { 0 };
	struct wbl_error err;
	json_t *body = NULL;
	int32_t rc = WBL_E_ABI;

	if (f->fd >= 0 && find_entry(call, WBL_KIND_ARTEFACT_CREATE, name, 0, &one)) {
		WBL_AUTOFREE char *file = wbl_strndup(one.body.data, one.body.len);

		rc = wbl_artefact_seal(call->engine->state, owner(call), file, f->fd, &body, &err);
		if (rc)
			refuse(call, f, rc, &err);
		else
			append_text(call,
				(struct wbl_entry){ .kind = WBL_KIND_ARTEFACT_SEAL, .name = name },
				body);
	} else {
		reply(call, f, WBL_E_ABI);
	}
	clear_one(&one);
	if (!rc)
		reply(call, f, 0);
}

static void on_art_open(struct wbl_call_request *call, struct wbl_frame *f)
{
	struct one_entry one = { 0 };
	struct wbl_error err;
	json_t *sealed;
	int fd = -1;
	int32_t rc;

	if (!find_entry(call, WBL_KIND_ARTEFACT_SEAL, text(f, "name"), 0, &one)) {
		reply(call, f, WBL_END);
		return;
	}
	sealed = wbl_json_parse(one.body.data, one.body.len, "artefact", &err);
	rc = sealed ? wbl_artefact_open(call->engine->state, owner(call), sealed, &fd, &err)
		    : WBL_E_CORRUPT;
	json_decref(sealed);
	clear_one(&one);
	if (rc)
		refuse(call, f, rc, &err);
	else
		wbl_host_reply(call, f->seq, 0, NULL, NULL, 0, fd);
}

/* --- differences --- */

static struct wbl_buf difference_body(const struct wbl_frame *f)
{
	WBL_AUTOFREE char *json = wbl_json_text(f->json);
	uint32_t len = (uint32_t)strlen(json);
	struct wbl_buf b = { 0 };

	wbl_buf_add(&b, &len, sizeof len);
	wbl_buf_add(&b, json, len);
	wbl_buf_add(&b, f->blob.data, f->blob.len);
	return b;
}

static void on_diff(struct wbl_call_request *call, struct wbl_frame *f)
{
	const char *kind = wbl_difference_name(wbl_json_int(f->json, "kind", 0));
	struct wbl_buf b;

	if (!kind) {
		reply(call, f, WBL_E_ABI);
		return;
	}
	if (call->step->differences >= DIFFERENCES_PER_STEP) {
		reply(call, f, WBL_END);
		return;
	}
	b = difference_body(f);
	append(call, (struct wbl_entry){ .kind = WBL_KIND_DIFFERENCE,
			     .name = kind,
			     .attempt = call->attempt,
			     .status = call->kind == WBL_CALL_EXECUTE ? WBL_END : 0,
			     .body = { b.data, b.len } });
	wbl_buf_clear(&b);
	reply(call, f, 0);
}

static void on_covered(struct wbl_call_request *call, struct wbl_frame *f)
{
	append_text(call, (struct wbl_entry){ .kind = WBL_KIND_COVERED, .name = text(f, "set") },
		json_incref(f->json));
	reply(call, f, 0);
}

struct attempt {
	const struct one_entry *difference;
	bool good;
};

static int32_t see_attempt(void *ctx, const struct wbl_entry *e)
{
	struct attempt *a = ctx;

	a->good |= e->attempt == a->difference->attempt &&
		   ((e->kind == WBL_KIND_CHUNK_RESULT && !e->status) ||
			   e->kind == WBL_KIND_CHUNK_SPLIT ||
			   (e->kind == WBL_KIND_STEP_RESULT && !e->status &&
				   !strcmp(e->name, wbl_call_name(WBL_CALL_EXECUTE))));
	return 0;
}

/* What an attempt of execute said that did not end well does not count: a later one said it anew. Nor does what a
 * verify found, when a later one has looked. */
static bool counts(struct wbl_call_request *call, const struct one_entry *one)
{
	struct wbl_query q = { .run = owner(call),
		.step = step_id(call),
		.chunk = one->chunk,
		.pass = one->pass,
		.after = one->seq };
	struct attempt a = { one, one->status != WBL_END };

	struct one_entry look = { 0 };
	bool good;

	if (!a.good) {
		wbl_journal_each(call->engine->state, &q, see_attempt, &a, NULL);
		return a.good;
	}
	q.chunk = NULL;
	q.kind = WBL_KIND_STEP_INTENT;
	q.name = wbl_call_name(WBL_CALL_VERIFY);
	wbl_journal_each(call->engine->state, &q, take_one, &look, NULL);
	good = !look.found;
	clear_one(&look);
	return good;
}

static void on_diff_next(struct wbl_call_request *call, struct wbl_frame *f)
{
	struct wbl_query q = { .run = owner(call),
		.step = step_id(call),
		.kind = WBL_KIND_DIFFERENCE,
		.pass = call->step->pass,
		.after = wbl_json_int(f->json, "after", 0),
		.limit = 1 };
	struct one_entry one = { 0 };
	uint32_t len = 0;
	json_t *j = NULL;

	do {
		q.after = one.found ? one.seq : q.after;
		clear_one(&one);
		wbl_journal_each(call->engine->state, &q, take_one, &one, NULL);
	} while (one.found && !counts(call, &one));
	if (one.found && one.body.len >= sizeof len) {
		memcpy(&len, one.body.data, sizeof len);
		if (len <= one.body.len - sizeof len)
			j = wbl_json_parse(one.body.data + sizeof len, len, NULL, NULL);
	}
	if (!j) {
		reply(call, f, WBL_END);
	} else {
		wbl_json_puti(j, "seq", one.seq);
		wbl_host_reply(call, f->seq, 0, j, one.body.data + sizeof len + len,
			one.body.len - sizeof len - len, -1);
	}
	clear_one(&one);
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
	const char *reference = wbl_json_str(at_path(params, text(f, "param")), "$secret");
	struct wbl_buf value = { 0 };
	struct wbl_error err;
	int32_t rc = WBL_E_PARAM;

	if (reference)
		rc = wbl_secret_read(reference, &value, &err);
	if (!rc)
		wbl_secrets_add(&call->instance->secrets, value.data, value.len);
	if (rc && reference)
		refuse(call, f, rc, &err);
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
	{ WBL_WIRE_BG_READY, IN(EXECUTE), false, on_bg_ready },
	{ WBL_WIRE_DRAINED, IN(EXECUTE), false, on_drained },
	{ WBL_WIRE_DRAIN, IN(EXECUTE) | IN(ROLLBACK), false, on_drain },
	{ WBL_WIRE_LAG, IN(EXECUTE) | IN(VERIFY) | IN(ROLLBACK), false, on_lag },
	{ WBL_WIRE_REHEARSED, IN(EXECUTE), false, on_rehearsed },
	{ WBL_WIRE_CHUNK_ADD, IN(PARTITION) | IN(EXECUTE), false, on_chunk_add },
	{ WBL_WIRE_STATE_GET, ANYWHERE, false, on_state_get },
	{ WBL_WIRE_STATE_PUT, IN(EXECUTE), false, on_state_put },
	{ WBL_WIRE_UNDO_PUT, IN(EXECUTE) | IN(REPAIR), false, on_undo_put },
	{ WBL_WIRE_UNDO_EACH, IN(VERIFY) | IN(PROBE) | IN(ROLLBACK), false, on_undo_each },
	{ WBL_WIRE_UNDO_DONE, IN(ROLLBACK), false, on_undo_done },
	{ WBL_WIRE_ART_CREATE, IN(EXECUTE) | IN(PLAN) | IN(ASSESS) | IN(REPAIR), false,
		on_art_create },
	{ WBL_WIRE_ART_SEAL, IN(EXECUTE) | IN(PLAN) | IN(ASSESS) | IN(REPAIR), false, on_art_seal },
	{ WBL_WIRE_ART_OPEN, ANYWHERE, false, on_art_open },
	{ WBL_WIRE_DIFF, IN(VERIFY) | IN(EXECUTE), false, on_diff },
	{ WBL_WIRE_COVERED, IN(VERIFY) | IN(EXECUTE), false, on_covered },
	{ WBL_WIRE_DIFF_NEXT, IN(REPAIR), false, on_diff_next },
	{ WBL_WIRE_SECRET, ANYWHERE, false, on_secret },
};

/* What is kept for the run or plan, and in our memory, is not without limit. */
static bool too_much(struct wbl_call_request *call, const struct wbl_frame *f)
{
	static const enum wbl_wire_type kept[] = { WBL_WIRE_STEP, WBL_WIRE_OBSERVE, WBL_WIRE_OMIT,
		WBL_WIRE_FINDING, WBL_WIRE_ASK, WBL_WIRE_OUTPUT, WBL_WIRE_CHUNK_ADD,
		WBL_WIRE_COVERED, WBL_WIRE_REHEARSED };
	int64_t most = call->kind == WBL_CALL_PLAN ? SAID_BYTES_MAX_IN_PLAN : SAID_BYTES_MAX;
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

	wbl_fail(&err, WBL_E_RESOURCES, step_id(call),
		"Tell the handler's author; larger things belong into artefacts.",
		"%s hands over more than the engine keeps for one call", wbl_call_name(call->kind));
	refuse(call, f, WBL_E_RESOURCES, &err);
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
		reply(call, f, WBL_E_FENCED);
	else if (s->in & now && too_much(call, f))
		refuse_more(call, f);
	else if (s->in & now)
		s->fn(call, f);
	else if (!s->one_way)
		reply(call, f, WBL_E_ABI);
}
