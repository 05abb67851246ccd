/* engine/host_process.c - the life of a whimbrel-host process: what it sends, prints, how long it may take, how it ends.
 * In: frames, output, signals.  Out: exactly one outcome for each call. What it asks for: host_services.c.
 * SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "core/engine/host_inside.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <event2/event.h>

#include "core/engine/orphans.h"
#include "core/engine/run.h"

enum {
	OUTPUT_TAIL = 65536,
	FLOOD = 4 << 20, /* printed beyond this is read slowly, so that the writer waits, not we */
	STRAYS_MAX = 1000, /* frames outside of calls: some progress may be late, a flood is not */
};
#define EXIT_TIMEOUT INT64_C(2000000000)
#define LEAVE_TIMEOUT INT64_C(2000000000) /* for what a host leaves behind, after SIGKILL */

static const char *const call_names[] = { "", "plan", "execute", "verify", "rollback", "check",
	"assess", "partition", "probe", "repair", "upgrade" };

const char *wbl_call_name(enum wbl_call_kind kind)
{
	return call_names[kind];
}

static struct timeval to_timeval(int64_t ns)
{
	return (struct timeval){ .tv_sec = ns / 1000000000, .tv_usec = ns % 1000000000 / 1000 };
}

void wbl_host_arm(struct wbl_host_process *h, int64_t ns)
{
	struct timeval tv = to_timeval(ns);

	event_del(h->timer);
	if (ns > 0)
		event_add(h->timer, &tv);
}

void wbl_host_end_by_force(struct wbl_host_process *h, int32_t code, const char *why)
{
	if (!h->why_code) {
		h->why_code = code;
		snprintf(h->why, sizeof h->why, "%s", why);
	}
	if (!h->reaped && h->pid > 0) {
		kill(-h->pid, SIGKILL);
		kill(h->pid, SIGKILL);
	}
}

/* --- the end of a call --- */

void wbl_call_free(struct wbl_call_request *call)
{
	size_t i;

	json_decref(call->work);
	json_decref(call->extra);
	json_decref(call->diagnostics);
	json_decref(call->findings);
	json_decref(call->totals);
	json_decref(call->staged);
	for (i = 0; i < WBL_COUNT(call->parts); i++)
		wbl_buf_clear(&call->parts[i]);
	free(call);
}

/* The last error that was not recovered from is the headline. */
static void headline(const struct wbl_call_request *call, struct wbl_outcome_of_call *o)
{
	size_t i = json_array_size(call->diagnostics);

	if (o->status >= 0 || o->error.code)
		return;
	while (i--) {
		const json_t *d = json_array_get(call->diagnostics, i);

		if (wbl_json_int(d, "severity", 1) == 1 && !(wbl_json_int(d, "flags", 0) & 1)) {
			wbl_fail(&o->error, o->status, wbl_json_str(d, "where"),
				wbl_json_str(d, "hint"), "%s",
				wbl_json_str(d, "text") ? wbl_json_str(d, "text") : "");
			return;
		}
	}
	wbl_fail(&o->error, o->status, NULL,
		"Ask the handler's author: every failure should carry a diagnostic.",
		"%s returned \"%s\" without saying why", wbl_call_name(call->kind),
		wbl_code_name(o->status));
}

void wbl_call_end(struct wbl_call_request *call, struct wbl_outcome_of_call *o)
{
	struct wbl_host_process *h = call->host;

	if (h) {
		h->call = NULL;
		event_del(h->timer);
		wbl_secrets_blot(&h->instance->secrets, h->output.data, h->output.len);
		o->output = h->output.len ? h->output.data : NULL;
	}
	o->diagnostics = call->diagnostics;
	o->elapsed_ns = call->started ? wbl_now_mono() - call->started : 0;
	headline(call, o);
	if (call->step)
		wbl_step_call_ended(call);
	call->done(call, o);
	if (h)
		wbl_buf_clear(&h->output);
	wbl_call_free(call);
}

/* --- the process --- */

static void remove_host(struct wbl_host_process *h)
{
	struct wbl_host_process **p;

	for (p = &h->engine->hosts; *p != h; p = &(*p)->next)
		;
	*p = h->next;
	h->engine->nhosts--;
	for (p = &h->instance->idle; *p && *p != h; p = &(*p)->next_idle)
		;
	if (*p)
		*p = h->next_idle;
}

void wbl_host_discard(struct wbl_host_process *h)
{
	int i;

	while (h->queue) {
		struct out_frame *f = h->queue;

		h->queue = f->next;
		wbl_host_drop_frame(f);
	}
	if (h->readable)
		event_free(h->readable);
	if (h->writable)
		event_free(h->writable);
	if (h->timer)
		event_free(h->timer);
	for (i = 0; i < 2; i++) {
		if (h->out[i].ev)
			event_free(h->out[i].ev);
		if (h->out[i].slow)
			event_free(h->out[i].slow);
		if (h->out[i].fd >= 0)
			close(h->out[i].fd);
	}
	if (h->sock >= 0)
		close(h->sock);
	if (h->lock_path) {
		unlink(h->lock_path);
		free(h->lock_path);
	}
	wbl_buf_clear(&h->output);
	free(h);
}

static void keep_output(struct wbl_host_process *h, const char *data, size_t n)
{
	size_t i = h->output.len;

	h->printed += (int64_t)n;
	wbl_buf_add(&h->output, data, n);
	for (; i < h->output.len; i++)
		if (!h->output.data[i])
			h->output.data[i] = '?'; /* the rest is not to be lost behind it */
	if (h->output.len > 2 * OUTPUT_TAIL) {
		memmove(h->output.data, h->output.data + h->output.len - OUTPUT_TAIL,
			OUTPUT_TAIL + 1);
		h->output.len = OUTPUT_TAIL;
	}
}

static bool read_output(struct wbl_host_process *h, int i)
{
	char part[16384];
	ssize_t n = read(h->out[i].fd, part, sizeof part);

	if (n > 0)
		keep_output(h, part, (size_t)n);
	return n > 0;
}

static void on_output(evutil_socket_t fd, short what, void *ctx)
{
	struct wbl_host_process *h = ctx;
	int i = fd == h->out[1].fd;

	if (!read_output(h, i) && errno != EAGAIN && errno != EINTR) {
		event_del(h->out[i].ev);
	} else if (h->printed > FLOOD) {
		struct timeval tv = { .tv_usec = 20000 };

		event_del(h->out[i].ev);
		event_add(h->out[i].slow, &tv);
	}
}

static void on_slow0(evutil_socket_t fd, short what, void *ctx)
{
	struct wbl_host_process *h = ctx;

	event_add(h->out[0].ev, NULL);
}

static void on_slow1(evutil_socket_t fd, short what, void *ctx)
{
	struct wbl_host_process *h = ctx;

	event_add(h->out[1].ev, NULL);
}

static void describe_end(struct wbl_host_process *h, struct wbl_outcome_of_call *o)
{
	o->died = true;
	if (h->error.code) {
		o->error = h->error;
		o->status = h->error.code;
		o->died = !h->refused;
	} else if (h->why_code) {
		o->status = h->why_code;
		wbl_fail(&o->error, o->status, NULL, wbl_code_actions(o->status), "%s", h->why);
	} else if (WIFSIGNALED(h->status) && WTERMSIG(h->status) == SIGXCPU) {
		o->status = WBL_E_CRASHED;
		wbl_fail(&o->error, o->status, NULL,
			"whimbrel handler list shows which file of handlers.d sets it; raise it "
			"there.",
			"the handler's process has used up its CPU time (limits.cpu)");
	} else if (WIFSIGNALED(h->status)) {
		o->status = WBL_E_CRASHED;
		wbl_fail(&o->error, o->status, NULL,
			"What it printed is in the report; tell the handler's author.",
			"the handler's process was killed by signal %d (%s)", WTERMSIG(h->status),
			strsignal(WTERMSIG(h->status)));
	} else {
		o->status = WBL_E_CRASHED;
		wbl_fail(&o->error, o->status, NULL, "A handler must return from a call, not exit.",
			"the handler's process ended by itself with exit status %d",
			WEXITSTATUS(h->status));
	}
}

void wbl_instance_release(struct wbl_instance *i)
{
	if (!i->freed || i->nhosts)
		return;
	json_decref(i->hello);
	json_decref(i->plan);
	wbl_secrets_clear(&i->secrets);
	free(i->owner);
	free(i->name);
	free(i);
}

/* What it started works on, and cannot be ended. Its lock stays: by that it is found again. */
static void stop_beside(struct wbl_host_process *h, const struct wbl_orphan *orphan)
{
	struct wbl_run *run = h->instance->run;

	free(h->lock_path);
	h->lock_path = NULL;
	if (!run)
		return;
	run->beside = *orphan;
	wbl_engine_touch(h->engine, run);
}

/* The loop goes on meanwhile. */
static bool is_left(struct wbl_host_process *h)
{
	struct wbl_orphan orphan = { 0 };

	if (wbl_orphans_end(h->engine, h->lock_path, &orphan))
		return true;
	if (!h->left)
		h->left = wbl_now_mono();
	h->state = LEAVING;
	if (wbl_now_mono() - h->left > LEAVE_TIMEOUT) {
		stop_beside(h, &orphan);
		return true;
	}
	wbl_host_arm(h, wbl_now_mono() - h->left < 20000000 ? 3000000 : 50000000);
	return false;
}

static void bury(struct wbl_host_process *h)
{
	struct wbl_outcome_of_call o = { 0 };
	struct wbl_engine *e = h->engine;
	struct wbl_call_request *call = h->call;

	while (read_output(h, 0) || read_output(h, 1))
		if (h->printed > FLOOD)
			break;
	if (!is_left(h))
		return;
	remove_host(h);
	if (call) {
		describe_end(h, &o);
		wbl_call_end(call, &o);
	}
	h->instance->nhosts--;
	wbl_instance_release(h->instance);
	wbl_host_discard(h);
	wbl_calls_start_waiting(e);
	wbl_hosts_wake_waiting(e);
}

static void read_frames(struct wbl_host_process *h);

static void maybe_bury(struct wbl_host_process *h)
{
	if (!h->reaped)
		return;
	if (!h->eof)
		read_frames(h);
	bury(h);
}

bool wbl_host_is(const struct wbl_engine *e, pid_t pid)
{
	const struct wbl_host_process *h;

	for (h = e->hosts; h; h = h->next)
		if (h->pid == pid && !h->reaped)
			return true;
	return false;
}

bool wbl_host_owns(const struct wbl_engine *e, const char *pid,
	bool (*marked)(const char *pid, const char *lock))
{
	const struct wbl_host_process *h;

	for (h = e->hosts; h; h = h->next)
		if (!h->reaped && marked(pid, h->lock_path))
			return true;
	return false;
}

void wbl_host_reap(struct wbl_engine *e)
{
	struct wbl_host_process *h;
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		for (h = e->hosts; h && (h->pid != pid || h->reaped); h = h->next)
			;
		if (!h)
			continue;
		kill(-pid, SIGKILL);
		h->reaped = true;
		h->status = status;
		maybe_bury(h);
	}
}

void wbl_host_end(struct wbl_host_process *h)
{
	h->state = ENDING;
	shutdown(h->sock, SHUT_WR);
	wbl_host_arm(h, EXIT_TIMEOUT);
}

static void go_idle(struct wbl_host_process *h)
{
	if (h->instance->freed) {
		wbl_host_end(h);
		return;
	}
	h->state = IDLE;
	h->next_idle = h->instance->idle;
	h->instance->idle = h;
	if (wbl_calls_serve(h->instance))
		return;
	wbl_calls_start_waiting(h->engine);
	wbl_hosts_wake_waiting(h->engine);
}

static void on_return(struct wbl_host_process *h, struct wbl_frame *f)
{
	struct wbl_outcome_of_call o = { 0 };

	if (!h->call || h->state != BUSY || f->seq != h->calls) {
		wbl_fail(&h->error, WBL_E_WIRE, NULL, NULL,
			"the host process returned from a call that was not made");
		wbl_host_end_by_force(h, WBL_E_WIRE, "broken protocol");
		return;
	}
	h->why_code = 0; /* a deadline that it overstepped was this call's */
	o.status = (int32_t)wbl_json_int(f->json, "status", WBL_E_ABI);
	if (o.status > WBL_OK || o.status < WBL_E_WAIT)
		o.status = WBL_E_ABI;
	o.probe = (int32_t)wbl_json_int(f->json, "state", 0);
	o.blob = f->blob.data;
	o.blob_len = f->blob.len;
	read_output(h, 0);
	read_output(h, 1);
	if (o.status == WBL_E_FENCED)
		wbl_host_end(h);
	else
		h->state = IDLE;
	wbl_call_end(h->call, &o);
	if (h->state == IDLE && !h->call)
		go_idle(h);
}

static void on_refused(struct wbl_host_process *h, const struct wbl_frame *f)
{
	h->refused = true;
	wbl_fail(&h->error, (int32_t)wbl_json_int(f->json, "code", WBL_E_ABI),
		wbl_json_str(f->json, "where"), wbl_json_str(f->json, "hint"), "%s",
		wbl_json_str(f->json, "text") ? wbl_json_str(f->json, "text")
					      : "the handler could not be loaded");
	wbl_host_end(h);
}

static void on_frame(struct wbl_host_process *h, struct wbl_frame *f)
{
	switch (f->type) {
	case WBL_WIRE_READY:
		if (h->state != STARTING)
			break;
		event_del(h->timer);
		h->state = IDLE;
		if (h->call)
			wbl_host_send_call(h);
		else
			go_idle(h);
		return;
	case WBL_WIRE_REFUSED:
		if (h->state != STARTING)
			break;
		on_refused(h, f);
		return;
	case WBL_WIRE_RETURN:
		on_return(h, f);
		return;
	default:
		if (h->call)
			wbl_host_frame(h->call, f);
		else if (++h->strays > STRAYS_MAX)
			break;
		return;
	}
	wbl_fail(&h->error, WBL_E_WIRE, NULL, NULL, "the host process sent \"%s\" out of turn",
		wbl_wire_name(f->type));
	wbl_host_end_by_force(h, WBL_E_WIRE, "broken protocol");
}

static void read_frames(struct wbl_host_process *h)
{
	struct wbl_frame f;
	int i;

	for (i = 0; i < 64 && !h->eof && h->queued < WBL_HOST_QUEUE_MAX; i++) {
		struct wbl_error err;
		int32_t rc = wbl_wire_read(h->sock, &f, &err);

		if (rc == WBL_E_RETRY)
			return;
		if (rc) {
			h->eof = true;
			event_del(h->readable);
			if (rc == WBL_END && h->state != ENDING && !h->reaped)
				wbl_host_arm(h, EXIT_TIMEOUT);
			if (rc != WBL_END && !h->error.code && !h->why_code) {
				wbl_fail(&h->error, WBL_E_WIRE, NULL,
					"The handler wrote to a descriptor that is not its own.",
					"what came from the handler's process is not the protocol: "
					"%s",
					err.text);
				wbl_host_end_by_force(h, WBL_E_WIRE, "broken protocol");
			}
			return;
		}
		on_frame(h, &f);
		wbl_frame_clear(&f);
	}
}

static void on_readable(evutil_socket_t fd, short what, void *ctx)
{
	read_frames(ctx);
}

static void on_timer(evutil_socket_t fd, short what, void *ctx)
{
	struct wbl_host_process *h = ctx;
	char limit[24], why[160];

	if (h->state == LEAVING) {
		bury(h);
	} else if (h->state == STARTING) {
		wbl_duration_text(
			h->call ? wbl_host_start_timeout(h->call) : WBL_HOST_START_TIMEOUT, limit);
		snprintf(
			why, sizeof why, "the handler was not ready within %s of its start", limit);
		wbl_host_end_by_force(h, WBL_E_TIMEOUT,
			h->call && h->call->stopping ? "it was stopped while it started" : why);
	} else if (h->state == BUSY && !h->eof && !h->call->stopping) {
		h->call->stopping = true;
		h->call->signals |= WBL_SIGNAL_STOP;
		wbl_duration_text(wbl_call_limit(h->call), limit);
		h->call->late = h->call->background && !(h->call->signals & WBL_SIGNAL_FINISH);
		if (h->call->late)
			snprintf(h->why, sizeof h->why,
				"the background step was not ready within %s", limit);
		else
			snprintf(h->why, sizeof h->why,
				"%s did not end within its time limit of %s",
				wbl_call_name(h->call->kind), limit);
		h->why_code = WBL_E_TIMEOUT;
		wbl_host_send_signal(h->call);
		wbl_host_arm(h, h->call->grace_ns + 1);
	} else if (h->state == BUSY && !h->eof) {
		wbl_duration_text(h->call->grace_ns, limit);
		snprintf(why, sizeof why, "%s did not stop within %s of being asked to",
			wbl_call_name(h->call->kind), limit);
		wbl_host_end_by_force(h, WBL_E_TIMEOUT, why);
	} else {
		wbl_host_end_by_force(h, h->eof && h->state == BUSY ? WBL_E_WIRE : WBL_E_TIMEOUT,
			h->eof ? "the handler's process closed its connection and went on"
			       : "did not end when told to");
	}
}

void wbl_host_watch(struct wbl_host_process *h)
{
	struct event_base *base = h->engine->base;
	int i;

	h->readable = event_new(base, h->sock, EV_READ | EV_PERSIST, on_readable, h);
	h->writable = event_new(base, h->sock, EV_WRITE, wbl_host_on_writable, h);
	h->timer = event_new(base, -1, 0, on_timer, h);
	event_add(h->readable, NULL);
	for (i = 0; i < 2; i++) {
		h->out[i].ev = event_new(base, h->out[i].fd, EV_READ | EV_PERSIST, on_output, h);
		h->out[i].slow = event_new(base, -1, 0, i ? on_slow1 : on_slow0, h);
		event_add(h->out[i].ev, NULL);
	}
}

void wbl_hosts_shoot(struct wbl_engine *e)
{
	struct wbl_host_process *h;

	for (h = e->hosts; h; h = h->next)
		if (!h->reaped)
			kill(h->pid, SIGKILL);
}

void wbl_hosts_kill_all(struct wbl_engine *e)
{
	int64_t until = wbl_now_mono() + LEAVE_TIMEOUT;
	struct wbl_host_process *h;
	struct wbl_call_request *call;
	struct wbl_orphan orphan;

	while ((call = e->waiting)) {
		e->waiting = call->next;
		wbl_call_free(call);
	}
	for (h = e->hosts; h; h = h->next)
		wbl_host_end_by_force(h, WBL_E_CRASHED, "the engine ended");
	while ((h = e->hosts)) {
		e->hosts = h->next;
		if (!h->reaped)
			waitpid(h->pid, &h->status, 0);
		h->reaped = true;
		if (!wbl_orphans_end_within(e, h->lock_path, until - wbl_now_mono(), &orphan)) {
			free(h->lock_path);
			h->lock_path = NULL;
		}
		if (h->call && h->call->step)
			wbl_call_forget_drains(h->call);
		if (h->call)
			wbl_call_free(h->call);
		h->instance->idle = NULL;
		h->instance->nhosts--;
		wbl_instance_release(h->instance);
		wbl_host_discard(h);
	}
}
