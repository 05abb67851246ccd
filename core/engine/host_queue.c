/* engine/host_queue.c - calls find a process: an idle one of their instance, a new one, or they wait for room.
 * SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "core/engine/host_inside.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/engine/run.h"

struct failed_start {
	struct wbl_call_request *call;
	struct wbl_error error;
};

static void on_failed_start(struct wbl_engine *e, void *ctx)
{
	struct failed_start *f = ctx;
	struct wbl_outcome_of_call o = { .status = f->error.code, .error = f->error };

	wbl_call_end(f->call, &o);
	free(f);
}

static void drop_failed_start(void *ctx)
{
	struct failed_start *f = ctx;

	wbl_call_free(f->call);
	free(f);
}

/* The call ends without ever having had a process; in a later turn, as calls do. */
static void end_unstarted(struct wbl_call_request *call, const struct wbl_error *error)
{
	struct failed_start *f = wbl_alloc(sizeof *f);

	f->call = call;
	f->error = *error;
	wbl_engine_after(call->engine, on_failed_start, f, drop_failed_start);
}

static void let_call_out(struct wbl_engine *e, void *ctx)
{
	struct wbl_host_process *h = wbl_host_by_id(e, *(int64_t *)ctx);

	free(ctx);
	if (h && h->call && h->state == IDLE)
		wbl_host_send_call(h);
}

bool wbl_host_free(const struct wbl_engine *e)
{
	return e->nhosts - e->nbackground < e->max_hosts;
}

static void start_on_idle(struct wbl_call_request *call)
{
	struct wbl_host_process *h = call->instance->idle;
	int64_t *id = wbl_alloc(sizeof *id);

	call->instance->idle = h->next_idle;
	h->call = call;
	call->host = h;
	wbl_buf_clear(&h->output);
	*id = h->id;
	wbl_engine_after(call->engine, let_call_out, id, free);
}

static void start_on_new(struct wbl_call_request *call)
{
	struct wbl_error error;
	int number = 0;
	struct wbl_host_process *h = wbl_host_start(call->engine, call->instance, &number);

	if (h) {
		h->call = call;
		call->host = h;
		wbl_host_arm_deadline(h);
		return;
	}
	wbl_fail(&error, number == ENOENT ? WBL_E_USAGE : WBL_E_RESOURCES,
		call->engine->options.host_program,
		"Install whimbrel-host, or raise the limits of processes and descriptors.",
		"the host program cannot be started: %s", strerror(number));
	end_unstarted(call, &error);
}

/* Idle processes of other instances may hold all the room there is: one of them goes. */
void wbl_hosts_make_room(struct wbl_engine *e)
{
	struct wbl_host_process *h, **p;

	for (h = e->hosts; h; h = h->next)
		if (h->state == ENDING && !h->reaped)
			return; /* room is on its way */
	for (h = e->hosts; h; h = h->next) {
		if (h->state != IDLE || h->call || h->instance->freed)
			continue;
		for (p = &h->instance->idle; *p && *p != h; p = &(*p)->next_idle)
			;
		if (!*p)
			continue;
		*p = h->next_idle;
		wbl_host_end(h);
		return;
	}
}

void wbl_call_start(struct wbl_call_request *call)
{
	struct wbl_call_request **p = &call->engine->waiting;

	if (!call->work)
		call->work = json_object();
	call->diagnostics = json_array();
	call->findings = json_array();
	if (!call->grace_ns)
		call->grace_ns = call->instance->grace_ns;
	if (call->step)
		wbl_step_call_began(call);
	if (call->instance->idle) {
		start_on_idle(call);
	} else if (call->background || wbl_host_free(call->engine)) {
		start_on_new(call);
	} else {
		while (*p)
			p = &(*p)->next;
		*p = call;
		wbl_hosts_make_room(call->engine);
	}
}

void wbl_calls_start_waiting(struct wbl_engine *e)
{
	while (e->waiting && wbl_host_free(e)) {
		struct wbl_call_request *call = e->waiting;

		e->waiting = call->next;
		start_on_new(call);
	}
	if (e->waiting)
		wbl_hosts_make_room(e);
}

/* A process of this instance has become idle: a call of the same instance need not wait for a new one. */
bool wbl_calls_serve(struct wbl_instance *i)
{
	struct wbl_call_request **p;

	for (p = i->idle ? &i->idle->engine->waiting : NULL; p && *p; p = &(*p)->next)
		if ((*p)->instance == i) {
			struct wbl_call_request *call = *p;

			*p = call->next;
			start_on_idle(call);
			return true;
		}
	return false;
}

/* Asked to stop before there was room for it. */
void wbl_call_leave_queue(struct wbl_call_request *call)
{
	struct wbl_call_request **p = &call->engine->waiting;
	struct wbl_error error;

	while (*p && *p != call)
		p = &(*p)->next;
	if (!*p)
		return;
	*p = call->next;
	wbl_fail(&error, WBL_E_CANCELLED, NULL, NULL, "stopped before it began");
	end_unstarted(call, &error);
}
