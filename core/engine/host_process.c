/* engine/host_process.c - starting, talking to, timing out and burying whimbrel-host processes.
 * In: call requests.  Out: exactly one outcome for each.  What a host asks for: host_services.c.
 * SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "core/engine/host_process.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <event2/event.h>

#include "core/engine/orphans.h"
#include "core/engine/run.h"

enum {
	OUTPUT_TAIL = 65536,
	FLOOD = 4 << 20, /* printed beyond this is read slowly, so that the writer waits, not we */
	FIRST_FREE_FD = 10, /* ours stay clear of the numbers that a host gets */
	STRAYS_MAX = 1000,  /* frames outside of calls: some progress may be late, a flood is not */
	QUEUE_MAX =
		64, /* frames that a host does not take: until it does, nothing is read from it */
};
#define START_TIMEOUT INT64_C(30000000000)
#define EXIT_TIMEOUT INT64_C(2000000000)

enum host_state { STARTING, IDLE, BUSY, ENDING };

struct out_frame {
	struct out_frame *next;
	enum wbl_wire_type type;
	uint32_t seq;
	json_t *json;
	struct wbl_buf blob;
	int fd;
};

struct wbl_host_process {
	struct wbl_host_process *next, *next_idle;
	struct wbl_engine *engine;
	struct wbl_instance *instance;
	struct wbl_call_request *call;
	int64_t id;
	pid_t pid;
	int sock;
	enum host_state state;
	bool refused, reaped, eof;
	int status;    /* of waitpid */
	char why[200]; /* why we killed it */
	int32_t why_code;
	struct wbl_error error; /* REFUSED, or broken protocol */
	char *lock_path;
	struct event *readable, *writable, *timer;
	struct {
		int fd;
		struct event *ev, *slow;
	} out[2];
	struct wbl_buf output; /* tail of both */
	int64_t printed;
	struct out_frame *queue, **queue_last;
	size_t queued, strays;
	uint32_t calls;                 /* made so far: a return names its own, not the next one */
	int64_t told_items, told_bytes; /* the throttle that it knows */
};

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

static void arm(struct wbl_host_process *h, int64_t ns)
{
	struct timeval tv = to_timeval(ns);

	event_del(h->timer);
	if (ns > 0)
		event_add(h->timer, &tv);
}

static void kill_host(struct wbl_host_process *h, int32_t code, const char *why)
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

/* --- frames out --- */

static void free_out(struct out_frame *f)
{
	json_decref(f->json);
	wbl_buf_clear(&f->blob);
	if (f->fd >= 0)
		close(f->fd);
	free(f);
}

static void flush_queue(struct wbl_host_process *h)
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
			kill_host(h, WBL_E_RESOURCES, err.text);
		h->queue = f->next;
		if (!h->queue)
			h->queue_last = &h->queue;
		if (h->queued-- == QUEUE_MAX && !h->eof)
			event_add(h->readable, NULL);
		free_out(f);
	}
}

static void on_writable(evutil_socket_t fd, short what, void *ctx)
{
	flush_queue(ctx);
}

/* json is stolen, fd is taken */
static void send_frame(struct wbl_host_process *h, enum wbl_wire_type type, uint32_t seq,
	json_t *json, const struct wbl_buf *parts, size_t nparts, int fd)
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
	if (++h->queued == QUEUE_MAX)
		event_del(h->readable);
	flush_queue(h);
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

static void send_hello(struct wbl_host_process *h)
{
	json_t *j = json_copy(h->instance->hello);

	wbl_json_put(j, "build", wbl_wire_build());
	wbl_json_put(j, "engine", PACKAGE_VERSION);
	wbl_json_puti(j, "epoch", h->instance->run ? h->instance->run->epoch : 0);
	json_object_set_new(j, "throttle", throttle_json(h));
	json_object_set_new(j, "trust_any_owner", json_boolean(h->engine->options.trust_any_owner));
	json_object_set_new(j, "fault", json_boolean(secure_getenv("WBL_TEST_FAULT") != NULL));
	send_frame(h, WBL_WIRE_HELLO, 0, j, NULL, 0, -1);
}

static int64_t start_timeout(const struct wbl_call_request *call)
{
	return call->timeout_ns > 0 && call->timeout_ns < START_TIMEOUT ? call->timeout_ns
									: START_TIMEOUT;
}

static void arm_deadline(struct wbl_host_process *h)
{
	struct wbl_call_request *call = h->call;

	if (h->state == STARTING)
		arm(h, call->stopping ? h->instance->grace_ns + 1 : start_timeout(call));
	else if (call->stopping)
		arm(h, h->instance->grace_ns + 1);
	else if (call->timeout_ns && (!call->background || (call->signals & WBL_SIGNAL_FINISH)))
		arm(h, call->timeout_ns);
	else
		event_del(h->timer);
}

/* The whole set each time: the last one counts. */
static void send_signal(struct wbl_call_request *call)
{
	json_t *j = json_object();

	wbl_json_puti(j, "set", call->signals);
	wbl_json_puti(j, "epoch", call->epoch);
	wbl_json_puti(j, "demand", call->background ? call->step->demand : 0);
	wbl_json_put(j, "position", call->background ? call->step->demand_position : NULL);
	json_object_set_new(j, "throttle", throttle_json(call->host));
	send_frame(call->host, WBL_WIRE_SIGNAL, 0, j, NULL, 0, -1);
}

static void send_call(struct wbl_host_process *h)
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
	send_frame(h, WBL_WIRE_CALL, ++h->calls, j, call->parts, WBL_COUNT(call->parts), -1);
	if (call->signals || throttle_is_news(h))
		send_signal(call); /* what was said before the call began, the host has forgotten */
	arm_deadline(h);
}

static void leave_queue(struct wbl_call_request *call);

void wbl_call_signal(struct wbl_call_request *call, uint32_t bits)
{
	call->signals |= bits;
	if (!call->host) {
		if (bits & (WBL_SIGNAL_STOP | WBL_SIGNAL_PAUSE))
			leave_queue(call);
		return;
	}
	send_signal(call);
	if ((bits & (WBL_SIGNAL_STOP | WBL_SIGNAL_PAUSE)) && !call->stopping) {
		call->stopping = true;
		if (call->host->state == BUSY || call->host->state == STARTING)
			arm_deadline(call->host);
	} else if ((bits & WBL_SIGNAL_FINISH) && !call->stopping && call->host->state == BUSY) {
		arm_deadline(call->host);
	}
}

void wbl_call_send_epoch(struct wbl_call_request *call, int64_t epoch)
{
	call->epoch = epoch;
	if (call->host)
		send_signal(call);
}

void wbl_call_kill(struct wbl_call_request *call, const char *why)
{
	if (call->host)
		kill_host(call->host, WBL_E_CRASHED, why);
}

struct reply {
	int64_t host;
	uint32_t seq;
	json_t *json;
	struct wbl_buf blob;
	int fd;
};

static struct wbl_host_process *host_by_id(struct wbl_engine *e, int64_t id)
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
	struct wbl_host_process *h = host_by_id(e, r->host);

	if (!h || h->sock < 0) {
		drop_reply(r);
		return;
	}
	send_frame(h, WBL_WIRE_REPLY, r->seq, r->json, &r->blob, 1, r->fd);
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

/* --- the end of a call --- */

static void free_call(struct wbl_call_request *call)
{
	size_t i;

	json_decref(call->work);
	json_decref(call->extra);
	json_decref(call->diagnostics);
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

static void end_call(struct wbl_call_request *call, struct wbl_outcome_of_call *o)
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
	free_call(call);
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

static void free_host(struct wbl_host_process *h)
{
	int i;

	while (h->queue) {
		struct out_frame *f = h->queue;

		h->queue = f->next;
		free_out(f);
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

static bool serve_waiting(struct wbl_instance *i);
static void start_waiting(struct wbl_engine *e);

static void free_instance_if_unused(struct wbl_instance *i)
{
	if (!i->freed || i->nhosts)
		return;
	json_decref(i->hello);
	wbl_secrets_clear(&i->secrets);
	free(i->owner);
	free(i->name);
	free(i);
}

static void bury(struct wbl_host_process *h)
{
	struct wbl_outcome_of_call o = { 0 };
	struct wbl_engine *e = h->engine;
	struct wbl_call_request *call = h->call;

	while (read_output(h, 0) || read_output(h, 1))
		if (h->printed > FLOOD)
			break;
	remove_host(h);
	wbl_orphans_end(e, h->lock_path);
	if (call) {
		describe_end(h, &o);
		end_call(call, &o);
	}
	h->instance->nhosts--;
	free_instance_if_unused(h->instance);
	free_host(h);
	start_waiting(e);
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
		if (h->pid == pid)
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
		for (h = e->hosts; h && h->pid != pid; h = h->next)
			;
		if (!h)
			continue;
		kill(-pid, SIGKILL);
		h->reaped = true;
		h->status = status;
		maybe_bury(h);
	}
}

static void end_host(struct wbl_host_process *h)
{
	h->state = ENDING;
	shutdown(h->sock, SHUT_WR);
	arm(h, EXIT_TIMEOUT);
}

static void go_idle(struct wbl_host_process *h)
{
	if (h->instance->freed) {
		end_host(h);
		return;
	}
	h->state = IDLE;
	h->next_idle = h->instance->idle;
	h->instance->idle = h;
	if (!serve_waiting(h->instance))
		wbl_hosts_wake_waiting(h->engine);
}

static void on_return(struct wbl_host_process *h, struct wbl_frame *f)
{
	struct wbl_outcome_of_call o = { 0 };

	if (!h->call || h->state != BUSY || f->seq != h->calls) {
		wbl_fail(&h->error, WBL_E_WIRE, NULL, NULL,
			"the host process returned from a call that was not made");
		kill_host(h, WBL_E_WIRE, "broken protocol");
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
		end_host(h);
	else
		h->state = IDLE;
	end_call(h->call, &o);
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
	end_host(h);
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
			send_call(h);
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
	kill_host(h, WBL_E_WIRE, "broken protocol");
}

static void read_frames(struct wbl_host_process *h)
{
	struct wbl_frame f;
	int i;

	for (i = 0; i < 64 && !h->eof && h->queued < QUEUE_MAX; i++) {
		struct wbl_error err;
		int32_t rc = wbl_wire_read(h->sock, &f, &err);

		if (rc == WBL_E_RETRY)
			return;
		if (rc) {
			h->eof = true;
			event_del(h->readable);
			if (rc == WBL_END && h->state != ENDING && !h->reaped)
				arm(h, EXIT_TIMEOUT);
			if (rc != WBL_END && !h->error.code && !h->why_code) {
				wbl_fail(&h->error, WBL_E_WIRE, NULL,
					"The handler wrote to a descriptor that is not its own.",
					"what came from the handler's process is not the protocol: "
					"%s",
					err.text);
				kill_host(h, WBL_E_WIRE, "broken protocol");
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

	if (h->state == STARTING) {
		wbl_duration_text(h->call ? start_timeout(h->call) : START_TIMEOUT, limit);
		snprintf(
			why, sizeof why, "the handler was not ready within %s of its start", limit);
		kill_host(h, WBL_E_TIMEOUT,
			h->call && h->call->stopping ? "it was stopped while it started" : why);
	} else if (h->state == BUSY && !h->eof && !h->call->stopping) {
		h->call->stopping = true;
		h->call->signals |= WBL_SIGNAL_STOP;
		wbl_duration_text(h->call->timeout_ns, limit);
		snprintf(h->why, sizeof h->why, "%s did not end within its time limit of %s",
			wbl_call_name(h->call->kind), limit);
		h->why_code = WBL_E_TIMEOUT;
		send_signal(h->call);
		arm(h, h->instance->grace_ns + 1);
	} else if (h->state == BUSY && !h->eof) {
		wbl_duration_text(h->instance->grace_ns, limit);
		snprintf(why, sizeof why, "%s did not stop within %s of being asked to",
			wbl_call_name(h->call->kind), limit);
		kill_host(h, WBL_E_TIMEOUT, why);
	} else {
		kill_host(h, h->eof && h->state == BUSY ? WBL_E_WIRE : WBL_E_TIMEOUT,
			h->eof ? "the handler's process closed its connection and went on"
			       : "did not end when told to");
	}
}

static int high_fd(int fd)
{
	int up = fcntl(fd, F_DUPFD_CLOEXEC, FIRST_FREE_FD);

	close(fd);
	return up;
}

static int make_lock(struct wbl_host_process *h)
{
	int fd;

	h->lock_path = wbl_strf("%s/locks/%s.%ld.%lld", wbl_state_dir(h->engine->state),
		h->instance->owner, (long)getpid(), (long long)h->id);
	fd = open(h->lock_path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return -1;
	fd = high_fd(fd);
	flock(fd, LOCK_SH);
	return fd;
}

static int spawn(struct wbl_host_process *h, int sock, int lock, int out, int errfd)
{
	posix_spawn_file_actions_t fa;
	posix_spawnattr_t at;
	sigset_t all, none;
	char *argv[] = { (char *)h->engine->options.host_program, "--lock", h->lock_path, NULL };
	WBL_AUTOFREE char *mark = wbl_strf("WBL_HOST=%s", h->lock_path);
	char *envp[16] = { "PATH=/usr/local/bin:/usr/bin:/bin", "LANG=C.UTF-8", "TZ=UTC", "HOME=/",
		mark };
	/* For builds with sanitizers, and for tests of power loss, which record what hosts write. */
	static const char *const passed[][2] = { { "ASAN_OPTIONS", "ASAN_OPTIONS" },
		{ "UBSAN_OPTIONS", "UBSAN_OPTIONS" }, { "WBL_TEST_PRELOAD", "LD_PRELOAD" },
		{ "WBL_POWER_ROOT", "WBL_POWER_ROOT" }, { "WBL_POWER_LOG", "WBL_POWER_LOG" } };
	int rc, n = 5;
	size_t i;

	for (i = 0; i < WBL_COUNT(passed); i++)
		if (secure_getenv(passed[i][0]))
			envp[n++] = wbl_strf("%s=%s", passed[i][1], getenv(passed[i][0]));
	posix_spawn_file_actions_init(&fa);
	posix_spawnattr_init(&at);
	posix_spawn_file_actions_addopen(&fa, 0, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_adddup2(&fa, out, 1);
	posix_spawn_file_actions_adddup2(&fa, errfd, 2);
	posix_spawn_file_actions_adddup2(&fa, sock, WBL_WIRE_FD);
	posix_spawn_file_actions_adddup2(&fa, lock, WBL_LOCK_FD);
	posix_spawn_file_actions_addclosefrom_np(&fa, WBL_LOCK_FD + 1);
	sigfillset(&all);
	sigemptyset(&none);
	posix_spawnattr_setsigdefault(&at, &all);
	posix_spawnattr_setsigmask(&at, &none);
	posix_spawnattr_setpgroup(&at, 0);
	posix_spawnattr_setflags(
		&at, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK);
	rc = posix_spawn(&h->pid, h->engine->options.host_program, &fa, &at, argv, envp);
	while (n > 5)
		free(envp[--n]);
	posix_spawn_file_actions_destroy(&fa);
	posix_spawnattr_destroy(&at);
	return rc;
}

static void make_events(struct wbl_host_process *h)
{
	struct event_base *base = h->engine->base;
	int i;

	h->readable = event_new(base, h->sock, EV_READ | EV_PERSIST, on_readable, h);
	h->writable = event_new(base, h->sock, EV_WRITE, on_writable, h);
	h->timer = event_new(base, -1, 0, on_timer, h);
	event_add(h->readable, NULL);
	for (i = 0; i < 2; i++) {
		h->out[i].ev = event_new(base, h->out[i].fd, EV_READ | EV_PERSIST, on_output, h);
		h->out[i].slow = event_new(base, -1, 0, i ? on_slow1 : on_slow0, h);
		event_add(h->out[i].ev, NULL);
	}
}

static void set_nonblocking(int fd)
{
	fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
}

/* NULL with errno in *ret_errno */
static struct wbl_host_process *start_host(
	struct wbl_engine *e, struct wbl_instance *instance, int *ret_errno)
{
	struct wbl_host_process *h = wbl_alloc(sizeof *h);
	int sv[2] = { -1, -1 }, p[2][2] = { { -1, -1 }, { -1, -1 } }, lock, i, rc = 0;

	h->engine = e;
	h->instance = instance;
	h->id = ++e->next_host;
	h->queue_last = &h->queue;
	h->out[0].fd = h->out[1].fd = h->sock = -1;
	lock = make_lock(h);
	if (lock < 0 || socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sv) ||
		pipe2(p[0], O_CLOEXEC) || pipe2(p[1], O_CLOEXEC))
		rc = errno;
	for (i = 0; i < 2 && !rc; i++) {
		sv[i] = high_fd(sv[i]);
		p[i][0] = high_fd(p[i][0]);
		p[i][1] = high_fd(p[i][1]);
		if (sv[i] < 0 || p[i][0] < 0 || p[i][1] < 0)
			rc = EMFILE;
	}
	if (!rc)
		rc = spawn(h, sv[1], lock, p[0][1], p[1][1]);
	for (i = 0; i < 2; i++) {
		h->out[i].fd = p[i][0];
		if (p[i][1] >= 0)
			close(p[i][1]);
	}
	if (sv[1] >= 0)
		close(sv[1]);
	if (lock >= 0)
		close(lock);
	h->sock = sv[0];
	if (rc) {
		*ret_errno = rc;
		free_host(h);
		return NULL;
	}
	for (i = 0; i < 2; i++)
		set_nonblocking(h->out[i].fd);
	set_nonblocking(h->sock);
	make_events(h);
	h->next = e->hosts;
	e->hosts = h;
	e->nhosts++;
	instance->nhosts++;
	wbl_engine_tick(e);
	arm(h, START_TIMEOUT);
	send_hello(h);
	return h;
}

struct failed_start {
	struct wbl_call_request *call;
	struct wbl_error error;
};

static void on_failed_start(struct wbl_engine *e, void *ctx)
{
	struct failed_start *f = ctx;
	struct wbl_outcome_of_call o = { .status = f->error.code, .error = f->error };

	end_call(f->call, &o);
	free(f);
}

static void drop_failed_start(void *ctx)
{
	struct failed_start *f = ctx;

	free_call(f->call);
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
	struct wbl_host_process *h = host_by_id(e, *(int64_t *)ctx);

	free(ctx);
	if (h && h->call && h->state == IDLE)
		send_call(h);
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
	struct wbl_host_process *h = start_host(call->engine, call->instance, &number);

	if (h) {
		h->call = call;
		call->host = h;
		arm_deadline(h);
		return;
	}
	wbl_fail(&error, number == ENOENT ? WBL_E_USAGE : WBL_E_RESOURCES,
		call->engine->options.host_program,
		"Install whimbrel-host, or raise the limits of processes and descriptors.",
		"the host program cannot be started: %s", strerror(number));
	end_unstarted(call, &error);
}

void wbl_call_start(struct wbl_call_request *call)
{
	struct wbl_call_request **p = &call->engine->waiting;

	if (!call->work)
		call->work = json_object();
	call->diagnostics = json_array();
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
	}
}

static void start_waiting(struct wbl_engine *e)
{
	while (e->waiting && wbl_host_free(e)) {
		struct wbl_call_request *call = e->waiting;

		e->waiting = call->next;
		start_on_new(call);
	}
}

/* A process of this instance has become idle: a call of the same instance need not wait for a new one. */
static bool serve_waiting(struct wbl_instance *i)
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
static void leave_queue(struct wbl_call_request *call)
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

void wbl_instance_rest(struct wbl_engine *e, struct wbl_instance *i)
{
	while (i->idle) {
		struct wbl_host_process *h = i->idle;

		i->idle = h->next_idle;
		end_host(h);
	}
}

void wbl_instance_adopt(struct wbl_engine *e, struct wbl_instance *to, struct wbl_instance *from)
{
	struct wbl_host_process *h;
	size_t k;

	for (h = e->hosts; h; h = h->next) {
		if (h->instance != from || h->state == ENDING)
			continue;
		h->instance = to;
		from->nhosts--;
		to->nhosts++;
	}
	to->idle = from->idle;
	from->idle = NULL;
	for (k = 0; k < from->secrets.count; k++)
		wbl_secrets_add(
			&to->secrets, from->secrets.values[k].data, from->secrets.values[k].len);
}

void wbl_instance_free(struct wbl_engine *e, struct wbl_instance *i)
{
	if (!i)
		return;
	wbl_instance_rest(e, i);
	i->freed = true;
	i->run = NULL;
	i->planner = NULL;
	free_instance_if_unused(i);
}

static json_t *limits_of(const struct wbl_module_entry *m)
{
	json_t *j = json_object();

	wbl_json_puti(j, "nofile", 1024);
	wbl_json_puti(j, "core", 0);
#ifndef WBL_SANITIZERS
	wbl_json_puti(j, "as", m && m->memory_max ? (int64_t)m->memory_max : INT64_C(4) << 30);
#endif
	if (m && m->cpu_max_ns)
		wbl_json_puti(j, "cpu_s", m->cpu_max_ns / 1000000000);
	if (m && m->processes_max)
		wbl_json_puti(j, "nproc", m->processes_max);
	if (m && m->allow_setuid)
		json_object_set_new(j, "allow_setuid", json_true());
	wbl_json_put(j, "run_as", m ? m->run_as : NULL);
	return j;
}

/* The host need not digest again what the registry has digested. */
static void add_seen(json_t *provider, const char *interface, const struct wbl_registry *registry)
{
	const char *name = wbl_json_str(provider, "name");
	json_t *module = json_copy(json_object_get(provider, "module")), *seen = json_array(),
	       *peers = json_array(), *p;
	const struct wbl_provides *provides;
	const struct wbl_module_entry *entry;
	size_t i;

	if (name && !wbl_registry_find(registry, interface, name, &provides, &entry, NULL) &&
		!strcmp(entry->sha256, wbl_json_str(module, "sha256")))
		for (i = 0; i < WBL_COUNT(entry->seen); i++)
			json_array_append_new(seen, json_integer((json_int_t)entry->seen[i]));
	json_object_set_new(module, "seen", seen);
	json_object_set_new(provider, "module", module);
	json_array_foreach(json_object_get(provider, "peers"), i, p)
	{
		json_t *own = json_copy(p);

		add_seen(own, wbl_json_str(own, "interface"), registry);
		json_array_append_new(peers, own);
	}
	json_object_set_new(provider, "peers", peers);
}

struct wbl_instance *wbl_instance_new(const char *owner, const json_t *migration,
	const struct wbl_registry *registry, bool rehearse)
{
	static const char *const copied[] = { "module", "peers", "params" };
	struct wbl_instance *i = wbl_alloc(sizeof *i);
	const struct wbl_module_entry *entry = NULL;
	const struct wbl_provides *provides;
	size_t n;

	i->owner = wbl_strdup(owner);
	i->name = wbl_strdup(wbl_json_str(migration, "name"));
	i->grace_ns = wbl_json_int(
		json_object_get(migration, "policy"), "grace_ns", INT64_C(10000000000));
	i->hello = json_object();
	wbl_json_put(i->hello, "run", owner);
	wbl_json_put(i->hello, "migration", i->name);
	wbl_json_put(i->hello, "interface", "wbl.handler/1");
	wbl_json_put(i->hello, "name", wbl_json_str(migration, "handler"));
	json_object_set_new(i->hello, "rehearse", json_boolean(rehearse));
	for (n = 0; n < WBL_COUNT(copied); n++)
		json_object_set(i->hello, copied[n], json_object_get(migration, copied[n]));
	wbl_registry_find(registry, "wbl.handler/1", wbl_json_str(migration, "handler"), &provides,
		&entry, NULL);
	json_object_set_new(i->hello, "limits", limits_of(entry));
	add_seen(i->hello, "wbl.handler/1", registry);
	return i;
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
	struct wbl_host_process *h;
	struct wbl_call_request *call;

	while ((call = e->waiting)) {
		e->waiting = call->next;
		free_call(call);
	}
	for (h = e->hosts; h; h = h->next)
		kill_host(h, WBL_E_CRASHED, "the engine ended");
	while ((h = e->hosts)) {
		e->hosts = h->next;
		if (!h->reaped)
			waitpid(h->pid, &h->status, 0);
		h->reaped = true;
		wbl_orphans_end(e, h->lock_path);
		if (h->call)
			free_call(h->call);
		h->instance->idle = NULL;
		h->instance->nhosts--;
		free_instance_if_unused(h->instance);
		free_host(h);
	}
}
