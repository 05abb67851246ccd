/* engine/host_drains.c - background steps at the wire: ready, drained, and who waits for a drain.
 * SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <stdlib.h>
#include <string.h>

#include <event2/event.h>

#include "core/engine/host_inside.h"
#include "core/engine/host_service.h"
#include "core/engine/run.h"

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

void wbl_serve_bg_ready(struct wbl_call_request *call, struct wbl_frame *f)
{
	if (!call->background) {
		wbl_serve_reply(call, f,
			call->instance->run && call->instance->run->rehearse ? 0 : WBL_E_ABI);
		return;
	}
	wbl_serve_append(call, (struct wbl_entry){ .kind = WBL_KIND_BG_READY });
	call->ready = true;
	wbl_host_arm_deadline(call->host);
	wbl_serve_reply(call, f, 0);
}

void wbl_serve_drained(struct wbl_call_request *call, struct wbl_frame *f)
{
	int64_t demand = wbl_json_int(f->json, "demand", 0);

	if (!call->background || demand > call->step->demand) {
		wbl_serve_reply(call, f, WBL_E_ABI);
		return;
	}
	if (demand > call->step->demand_done)
		wbl_serve_append(call, (struct wbl_entry){ .kind = WBL_KIND_DRAINED,
					       .attempt = demand,
					       .name = wbl_serve_text(f, "position") });
	wbl_serve_reply(call, f, 0);
	wbl_step_answer_drains(call->step);
}

void wbl_serve_drain(struct wbl_call_request *call, struct wbl_frame *f)
{
	struct wbl_run_step *b = wbl_serve_step_named(call, wbl_serve_text(f, "background"));
	int64_t timeout = wbl_json_int(f->json, "timeout_ns", 0);
	struct wbl_drain_waiter *w;

	if (!b || !(b->flags & WBL_STEP_BACKGROUND) || b == call->step) {
		wbl_serve_reply(call, f, WBL_E_ABI);
		return;
	}
	if (is_down(b)) {
		wbl_serve_reply(call, f, WBL_E_UNAVAILABLE);
		return;
	}
	wbl_step_append(b, &(struct wbl_entry){ .kind = WBL_KIND_DEMAND,
				   .attempt = b->demand + 1,
				   .name = wbl_serve_text(f, "position") });
	b->demand_deadline = wbl_deadline(timeout);
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

void wbl_serve_lag(struct wbl_call_request *call, struct wbl_frame *f)
{
	const struct wbl_run_step *b = wbl_serve_step_named(call, wbl_serve_text(f, "background"));
	json_t *j;

	if (!b || !b->call) {
		wbl_serve_reply(call, f, b ? WBL_E_UNAVAILABLE : WBL_E_ABI);
		return;
	}
	j = json_object();
	wbl_json_puti(j, "behind_ns", b->call->lag.behind_ns);
	wbl_json_puti(j, "behind_bytes", b->call->lag.behind_bytes);
	wbl_json_put(j, "position", b->call->lag.position);
	wbl_host_reply(call, f->seq, 0, j, NULL, 0, -1);
}
