/* host/link.c - frames to and from the engine, waiting for replies, signals, throttle, joined progress.
 * In: what services and calls send.  Out: the engine's answers; calls for the main thread.
 * SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "core/host/link.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "whimbrel/services.h"

#define PROGRESS_NS (INT64_C(100) * 1000 * 1000)
#define LEAVE_NS (INT64_C(500) * 1000 * 1000)
#define READER_STACK (512u << 10)

struct waiter {
	struct waiter *next;
	uint32_t seq;
	bool done;
	struct wbl_frame reply;
};

struct queued {
	struct queued *next;
	struct wbl_frame frame;
};

static struct {
	int sock, signal_fd, wake_fd;
	pthread_mutex_t lock;
	pthread_cond_t changed; /* CLOCK_MONOTONIC; replies, calls, signals */
	struct waiter *waiters;
	struct queued *calls;
	uint32_t seq;
	bool called, busy, closed;
	atomic_bool fenced,
		parting; /* parting: idle when the engine closed, so destroy may still run */
	atomic_uint set;
	struct wbl_signals signals;
	char *position;
	int64_t items_per_s, bytes_per_s, next_free_ns;
	json_t *progress; /* not sent yet */
	int64_t progress_ns;
} link_ = { .sock = -1, .signal_fd = -1, .wake_fd = -1, .lock = PTHREAD_MUTEX_INITIALIZER };

/* The engine is gone: whatever this process would still do is nobody's. */
static void leave(void) __attribute__((noreturn));
static void leave(void)
{
	_exit(0);
}

static int32_t send_frame(enum wbl_wire_type type, uint32_t seq, json_t *json,
	struct wbl_bytes blob, int fd, struct wbl_error *err)
{
	int32_t rc;

	for (;;) {
		rc = wbl_wire_send(
			link_.sock, type, seq, json, blob.data, (size_t)blob.len, fd, err);
		if (rc != WBL_E_RETRY)
			break;
		poll(NULL, 0, 1);
	}
	if (rc == WBL_E_WIRE && !atomic_load(&link_.parting))
		leave();
	return rc;
}

void wbl_link_tell(
	enum wbl_wire_type type, uint32_t seq, json_t *json, const void *blob, size_t len)
{
	if (link_.sock >= 0)
		send_frame(type, seq, json, (struct wbl_bytes){ blob, len }, -1, NULL);
	json_decref(json);
}

void wbl_link_post(enum wbl_wire_type type, json_t *json)
{
	wbl_link_tell(type, 0, json, NULL, 0);
}

static void flush_progress(bool force)
{
	json_t *json = NULL;

	pthread_mutex_lock(&link_.lock);
	if (link_.progress && (force || wbl_now_mono() >= link_.progress_ns + PROGRESS_NS)) {
		json = link_.progress;
		link_.progress = NULL;
		link_.progress_ns = wbl_now_mono();
	}
	pthread_mutex_unlock(&link_.lock);
	if (json)
		wbl_link_post(WBL_WIRE_PROGRESS, json);
}

void wbl_link_progress_flush(void)
{
	flush_progress(true);
}

void wbl_link_progress(json_t *json)
{
	bool first;

	pthread_mutex_lock(&link_.lock);
	first = !link_.progress;
	json_decref(link_.progress);
	link_.progress = json;
	pthread_mutex_unlock(&link_.lock);
	flush_progress(false);
	if (first && link_.wake_fd >= 0)
		eventfd_write(link_.wake_fd, 1);
}

static void unlink_waiter(struct waiter *w)
{
	struct waiter **p;

	for (p = &link_.waiters; *p; p = &(*p)->next)
		if (*p == w) {
			*p = w->next;
			return;
		}
}

static bool stopped(void)
{
	return atomic_load(&link_.set) & (WBL_SIGNAL_STOP | WBL_SIGNAL_PAUSE);
}

int32_t wbl_link_ask(enum wbl_wire_type type, json_t *json, struct wbl_bytes blob, int fd,
	bool stoppable, struct wbl_frame *ret)
{
	struct waiter w = { .reply.fd = -1 };
	struct wbl_error err;
	int32_t rc;

	if (ret)
		*ret = (struct wbl_frame){ .fd = -1 };
	if (stoppable && stopped()) {
		json_decref(json);
		return WBL_E_CANCELLED;
	}
	pthread_mutex_lock(&link_.lock);
	w.seq = ++link_.seq ? link_.seq : ++link_.seq;
	w.next = link_.waiters;
	link_.waiters = &w;
	pthread_mutex_unlock(&link_.lock);
	rc = link_.sock < 0 || atomic_load(&link_.parting)
		     ? WBL_E_UNSUPPORTED
		     : send_frame(type, w.seq, json, blob, fd, &err);
	json_decref(json);
	pthread_mutex_lock(&link_.lock);
	while (!rc && !w.done && !(stoppable && stopped()))
		pthread_cond_wait(&link_.changed, &link_.lock);
	unlink_waiter(&w);
	pthread_mutex_unlock(&link_.lock);
	if (rc)
		return rc;
	if (!w.done)
		return WBL_E_CANCELLED;
	rc = (int32_t)wbl_json_int(w.reply.json, "status", 0);
	if (rc == WBL_E_FENCED)
		atomic_store(&link_.fenced, true);
	if (rc >= 0 && ret)
		*ret = w.reply;
	else
		wbl_frame_clear(&w.reply);
	return rc;
}

bool wbl_link_fenced(void)
{
	return atomic_load(&link_.fenced);
}

static void take_reply(struct wbl_frame *f)
{
	struct waiter *w;

	pthread_mutex_lock(&link_.lock);
	for (w = link_.waiters; w && w->seq != f->seq; w = w->next)
		;
	if (w && !w->done) {
		w->reply = *f;
		w->done = true;
		*f = (struct wbl_frame){ .fd = -1 };
	}
	pthread_cond_broadcast(&link_.changed);
	pthread_mutex_unlock(&link_.lock);
	wbl_frame_clear(f); /* of a wait that was given up */
}

static void set_throttle(const json_t *t)
{
	link_.items_per_s = wbl_json_int(t, "items_per_s", 0);
	link_.bytes_per_s = wbl_json_int(t, "bytes_per_s", 0);
}

static void set_signals(uint32_t set, int64_t demand, int64_t deadline_ns, const char *position)
{
	link_.signals.set = set;
	link_.signals.demand = (uint64_t)demand;
	link_.signals.deadline_ns = deadline_ns;
	free(link_.position);
	link_.position = wbl_strdup(position);
	atomic_store(&link_.set, set);
}

static void take_signal(const struct wbl_frame *f)
{
	const json_t *throttle = json_object_get(f->json, "throttle");

	pthread_mutex_lock(&link_.lock);
	set_signals((uint32_t)wbl_json_int(f->json, "set", 0), wbl_json_int(f->json, "demand", 0),
		wbl_json_int(f->json, "deadline_ns", 0), wbl_json_str(f->json, "position"));
	link_.signals.epoch =
		(uint64_t)wbl_json_int(f->json, "epoch", (int64_t)link_.signals.epoch);
	if (throttle)
		set_throttle(throttle);
	eventfd_write(link_.signal_fd, 1);
	pthread_cond_broadcast(&link_.changed);
	pthread_mutex_unlock(&link_.lock);
}

/* Signals start clean with each call: what was said before was meant for the former one. Only the first call has
 * none before it: a STOP that came while the module was being loaded is for it. */
static void take_call(const struct wbl_frame *f)
{
	struct queued *q = wbl_alloc(sizeof *q), **p;
	eventfd_t drop;

	q->frame = *f;
	pthread_mutex_lock(&link_.lock);
	if (link_.called) {
		set_signals(0, 0, 0, NULL);
		eventfd_read(link_.signal_fd, &drop);
	}
	link_.called = true;
	link_.signals.epoch = (uint64_t)wbl_json_int(
		json_object_get(f->json, "work"), "epoch", (int64_t)link_.signals.epoch);
	for (p = &link_.calls; *p; p = &(*p)->next)
		;
	*p = q;
	pthread_cond_broadcast(&link_.changed);
	pthread_mutex_unlock(&link_.lock);
}

static void closed(void)
{
	bool busy;

	pthread_mutex_lock(&link_.lock);
	busy = link_.busy || link_.calls;
	link_.closed = true;
	atomic_store(&link_.parting, !busy);
	pthread_cond_broadcast(&link_.changed);
	pthread_mutex_unlock(&link_.lock);
	if (!busy)
		poll(NULL, 0,
			(int)(LEAVE_NS /
				1000000)); /* the main thread says good-bye to the module */
	leave();
}

static int poll_timeout(void)
{
	int64_t left = 0;
	bool pending;

	pthread_mutex_lock(&link_.lock);
	pending = link_.progress;
	if (pending)
		left = link_.progress_ns + PROGRESS_NS - wbl_now_mono();
	pthread_mutex_unlock(&link_.lock);
	return !pending ? -1 : left < 0 ? 0 : (int)(left / 1000000) + 1;
}

static void read_one(void)
{
	struct wbl_frame f;

	if (wbl_wire_read(link_.sock, &f, NULL)) {
		wbl_frame_clear(&f);
		closed();
	}
	if (f.type == WBL_WIRE_REPLY) {
		take_reply(&f);
	} else if (f.type == WBL_WIRE_CALL) {
		take_call(&f);
	} else {
		if (f.type == WBL_WIRE_SIGNAL)
			take_signal(&f);
		wbl_frame_clear(&f);
	}
}

static void *reader(void *unused)
{
	struct pollfd fds[2] = { { .fd = link_.sock, .events = POLLIN },
		{ .fd = link_.wake_fd, .events = POLLIN } };
	eventfd_t drop;

	for (;;) {
		if (poll(fds, 2, poll_timeout()) < 0 && errno != EINTR)
			leave();
		if (fds[1].revents)
			eventfd_read(link_.wake_fd, &drop);
		flush_progress(false);
		if (fds[0].revents)
			read_one();
	}
	return unused;
}

int32_t wbl_link_start(int sock, const json_t *throttle, struct wbl_error *err)
{
	pthread_condattr_t mono;
	pthread_attr_t attr;
	pthread_t thread;
	int bad;

	pthread_condattr_init(&mono);
	pthread_condattr_setclock(&mono, CLOCK_MONOTONIC);
	pthread_cond_init(&link_.changed, &mono);
	pthread_condattr_destroy(&mono);
	link_.signal_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	link_.wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (link_.signal_fd < 0 || link_.wake_fd < 0)
		return wbl_fail_errno(err, WBL_E_RESOURCES, NULL, NULL, "no event descriptor");
	link_.sock = sock;
	set_throttle(throttle);
	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	pthread_attr_setstacksize(&attr, READER_STACK);
	bad = pthread_create(&thread, &attr, reader, NULL);
	pthread_attr_destroy(&attr);
	errno = bad;
	return bad ? wbl_fail_errno(err, WBL_E_RESOURCES, NULL, NULL,
			     "no thread for the engine's messages")
		   : 0;
}

bool wbl_link_next(struct wbl_frame *ret)
{
	struct queued *q;

	pthread_mutex_lock(&link_.lock);
	while (!link_.calls && !link_.closed)
		pthread_cond_wait(&link_.changed, &link_.lock);
	q = link_.calls;
	if (q) {
		link_.calls = q->next;
		link_.busy = true;
	}
	pthread_mutex_unlock(&link_.lock);
	if (!q)
		return false;
	*ret = q->frame;
	free(q);
	return true;
}

void wbl_link_idle(void)
{
	pthread_mutex_lock(&link_.lock);
	link_.busy = false;
	pthread_mutex_unlock(&link_.lock);
}

uint32_t wbl_link_signals(void)
{
	return atomic_load_explicit(&link_.set, memory_order_relaxed);
}

uint32_t wbl_link_signals_read(struct wbl_signals *ret, char **ret_position)
{
	eventfd_t drop;

	pthread_mutex_lock(&link_.lock);
	*ret = link_.signals;
	if (ret_position)
		*ret_position = wbl_strdup(link_.position);
	if (link_.signal_fd >= 0)
		eventfd_read(link_.signal_fd, &drop);
	pthread_mutex_unlock(&link_.lock);
	return ret->set;
}

int wbl_link_signal_fd(void)
{
	return link_.signal_fd;
}

static int64_t cost_ns(uint64_t n, int64_t per_s)
{
	return per_s > 0 ? (int64_t)((double)n * 1e9 / (double)per_s) : 0;
}

/* A clock that runs ahead by the price of what was let through; who comes too early waits for it. The limits
 * may change while somebody waits: then the rest of the wait is reckoned anew. */
int64_t wbl_link_throttle(uint64_t items, uint64_t bytes)
{
	int64_t began = wbl_now_mono(), now = began, a, b;

	pthread_mutex_lock(&link_.lock);
	while (now < link_.next_free_ns && (link_.items_per_s > 0 || link_.bytes_per_s > 0) &&
		!stopped()) {
		struct timespec until = { link_.next_free_ns / 1000000000,
			link_.next_free_ns % 1000000000 };
		int64_t old_items = link_.items_per_s, old_bytes = link_.bytes_per_s;

		pthread_cond_timedwait(&link_.changed, &link_.lock, &until);
		now = wbl_now_mono();
		if (old_items != link_.items_per_s || old_bytes != link_.bytes_per_s)
			link_.next_free_ns = now;
	}
	a = cost_ns(items, link_.items_per_s);
	b = cost_ns(bytes, link_.bytes_per_s);
	if (link_.next_free_ns < now)
		link_.next_free_ns = now;
	link_.next_free_ns += a > b ? a : b;
	pthread_mutex_unlock(&link_.lock);
	return now - began;
}
