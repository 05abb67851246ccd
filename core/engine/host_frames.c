/* engine/host_frames.c - frames to a host: hello, calls, signals, answers; queued while it does not read.
 * SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "core/engine/host_inside.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include <event2/event.h>

#include "core/engine/run.h"

void wbl_host_drop_frame(struct out_frame *f)
{
	json_decref(f->json);
	wbl_buf_clear(&f->blob);
	if (f->fd >= 0)
		close(f->fd);
	free(f);
}

void wbl_host_flush(struct wbl_host_process *h)
{
	struct wbl_error err;

	while (h->queue && h->sock >= 0) {
		struct out_frame *f = h->queue;
		int32_t rc = wbl_wire_send(
			h->sock, f->type, f->seq, f->json, f->blob.data, f->blob.len, f->fd, &err);

		if (rc == WBL_E_RETRY) {
			event_add(h->writable, NULL);
			return;
		}
		if (rc == WBL_E_PARAM)
			wbl_host_end_by_force(h, WBL_E_RESOURCES, err.text);
		h->queue = f->next;
		if (!h->queue)
			h->queue_last = &h->queue;
		if (h->queued-- == WBL_HOST_QUEUE_MAX && !h->eof)
			event_add(h->readable, NULL);
		wbl_host_drop_frame(f);
	}
}

void wbl_host_on_writable(int fd, short what, void *ctx)
{
	wbl_host_flush(ctx);
}

/* json is stolen, fd is taken */
void wbl_host_send(struct wbl_host_process *h, enum wbl_wire_type type, uint32_t seq, json_t *json,
	const struct wbl_buf *parts, size_t nparts, int fd)
{
	struct out_frame *f = wbl_alloc(sizeof *f);
	size_t i;

	f->type = type;
	f->seq = seq;
	f->json = json;
	f->fd = fd;
	for (i = 0; i < nparts; i++)
		if (parts[i].len)
			wbl_buf_add(&f->blob, parts[i].data, parts[i].len);
	*h->queue_last = f;
	h->queue_last = &f->next;
	if (++h->queued == WBL_HOST_QUEUE_MAX)
		event_del(h->readable);
	wbl_host_flush(h);
}

/* A limit is the run's: processes that work on chunks of one step share it. */
static int64_t share(const struct wbl_host_process *h, int64_t limit)
{
	const struct wbl_call_request *call = h->call;
	int64_t n = 1;

	if (call && call->chunk)
		n = call->step->processes_max < (int64_t)call->step->nchunks
			    ? call->step->processes_max
			    : (int64_t)call->step->nchunks;
	return limit > 0 && limit < n ? 1 : limit / n;
}

static json_t *throttle_json(struct wbl_host_process *h)
{
	const struct wbl_run *run = h->instance->run;
	json_t *j = json_object();

	h->told_items = run ? share(h, run->throttle_items) : 0;
	h->told_bytes = run ? share(h, run->throttle_bytes) : 0;
	wbl_json_puti(j, "items_per_s", h->told_items);
	wbl_json_puti(j, "bytes_per_s", h->told_bytes);
	return j;
}

/* It may have been idle when the throttle changed, or have been started for the plan. */
static bool throttle_is_news(const struct wbl_host_process *h)
{
	const struct wbl_run *run = h->instance->run;

	return run && (h->told_items != share(h, run->throttle_items) ||
			      h->told_bytes != share(h, run->throttle_bytes));
}

void wbl_host_say_hello(struct wbl_host_process *h)
{
	json_t *j = json_copy(h->instance->hello);

	wbl_json_put(j, "build", wbl_wire_build());
	wbl_json_put(j, "engine", PACKAGE_VERSION);
	wbl_json_puti(j, "epoch", h->instance->run ? h->instance->run->epoch : 0);
	json_object_set_new(j, "throttle", throttle_json(h));
	json_object_set_new(j, "trust_any_owner", json_boolean(h->engine->options.trust_any_owner));
	if (secure_getenv("WBL_TEST_CLOCK"))
		wbl_json_puti(j, "clock_offset", strtoll(getenv("WBL_TEST_CLOCK"), NULL, 10));
	json_object_set_new(j, "fault", json_boolean(secure_getenv("WBL_TEST_FAULT") != NULL));
	wbl_host_send(h, WBL_WIRE_HELLO, 0, j, NULL, 0, -1);
}

int64_t wbl_host_start_timeout(const struct wbl_call_request *call)
{
	return call->timeout_ns > 0 && call->timeout_ns < WBL_HOST_START_TIMEOUT
		       ? call->timeout_ns
		       : WBL_HOST_START_TIMEOUT;
}

/* A background step must be up in time, and down in time; in between it serves as long as it is wanted. */
int64_t wbl_call_limit(const struct wbl_call_request *call)
{
	if (!call->background || (call->signals & WBL_SIGNAL_FINISH))
		return call->timeout_ns;
	return call->ready ? 0 : call->timeout_ns ? call->timeout_ns : WBL_READY_TIMEOUT;
}

void wbl_host_arm_deadline(struct wbl_host_process *h)
{
	struct wbl_call_request *call = h->call;

	if (h->state == STARTING)
		wbl_host_arm(
			h, call->stopping ? h->call->grace_ns + 1 : wbl_host_start_timeout(call));
	else if (call->stopping)
		wbl_host_arm(h, h->call->grace_ns + 1);
	else
		wbl_host_arm(h, wbl_call_limit(call));
}

/* The whole set each time: the last one counts. */
void wbl_host_send_signal(struct wbl_call_request *call)
{
	json_t *j = json_object();

	wbl_json_puti(j, "set", call->signals);
	wbl_json_puti(j, "epoch", call->epoch);
	wbl_json_puti(j, "demand", call->background ? call->step->demand : 0);
	wbl_json_puti(j, "deadline_ns", call->background ? call->step->demand_deadline : 0);
	wbl_json_put(j, "position", call->background ? call->step->demand_position : NULL);
	json_object_set_new(j, "throttle", throttle_json(call->host));
	wbl_host_send(call->host, WBL_WIRE_SIGNAL, 0, j, NULL, 0, -1);
}

void wbl_host_send_call(struct wbl_host_process *h)
{
	struct wbl_call_request *call = h->call;
	json_t *j = call->extra ? json_copy(call->extra) : json_object(), *parts = json_array();
	size_t i;

	for (i = 0; i < WBL_COUNT(call->parts); i++)
		json_array_append_new(parts, json_integer((json_int_t)call->parts[i].len));
	wbl_json_put(j, "call", wbl_call_name(call->kind));
	json_object_set_new(j, "parts", parts);
	if (call->timeout_ns && !call->background)
		wbl_json_puti(call->work, "deadline_ns", wbl_now_mono() + call->timeout_ns);
	json_object_set(j, "work", call->work);
	h->state = BUSY;
	call->started = wbl_now_mono();
	wbl_host_send(h, WBL_WIRE_CALL, ++h->calls, j, call->parts, WBL_COUNT(call->parts), -1);
	if (call->signals || throttle_is_news(h))
		wbl_host_send_signal(
			call); /* what was said before the call began, the host has forgotten */
	wbl_host_arm_deadline(h);
}

void wbl_call_signal(struct wbl_call_request *call, uint32_t bits)
{
	call->signals |= bits;
	if (!call->host) {
		if (bits & (WBL_SIGNAL_STOP | WBL_SIGNAL_PAUSE))
			wbl_call_leave_queue(call);
		return;
	}
	wbl_host_send_signal(call);
	if ((bits & (WBL_SIGNAL_STOP | WBL_SIGNAL_PAUSE)) && !call->stopping) {
		call->stopping = true;
		if (call->host->state == BUSY || call->host->state == STARTING)
			wbl_host_arm_deadline(call->host);
	} else if ((bits & WBL_SIGNAL_FINISH) && !call->stopping && call->host->state == BUSY) {
		wbl_host_arm_deadline(call->host);
	}
}

void wbl_call_send_epoch(struct wbl_call_request *call, int64_t epoch)
{
	call->epoch = epoch;
	if (call->host)
		wbl_host_send_signal(call);
}

void wbl_call_kill(struct wbl_call_request *call, const char *why)
{
	if (call->host)
		wbl_host_end_by_force(call->host, WBL_E_CRASHED, why);
}

struct reply {
	int64_t host;
	uint32_t seq;
	json_t *json;
	struct wbl_buf blob;
	int fd;
};

struct wbl_host_process *wbl_host_by_id(struct wbl_engine *e, int64_t id)
{
	struct wbl_host_process *h;

	for (h = e->hosts; h; h = h->next)
		if (h->id == id)
			return h;
	return NULL;
}

static void drop_reply(void *ctx)
{
	struct reply *r = ctx;

	json_decref(r->json);
	wbl_buf_clear(&r->blob);
	if (r->fd >= 0)
		close(r->fd);
	free(r);
}

static void let_reply_out(struct wbl_engine *e, void *ctx)
{
	struct reply *r = ctx;
	struct wbl_host_process *h = wbl_host_by_id(e, r->host);

	if (!h || h->sock < 0) {
		drop_reply(r);
		return;
	}
	wbl_host_send(h, WBL_WIRE_REPLY, r->seq, r->json, &r->blob, 1, r->fd);
	wbl_buf_clear(&r->blob);
	free(r);
}

void wbl_host_reply(struct wbl_call_request *call, uint32_t seq, int32_t status, json_t *json,
	const void *blob, size_t len, int fd)
{
	struct reply *r = wbl_alloc(sizeof *r);

	r->host = call->host ? call->host->id : 0;
	r->seq = seq;
	r->json = json ? json : json_object();
	r->fd = fd;
	wbl_json_puti(r->json, "status", status);
	if (len)
		wbl_buf_add(&r->blob, blob, len);
	wbl_engine_after(call->engine, let_reply_out, r, drop_reply);
}
