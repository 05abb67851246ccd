/* engine/host_inside.h - a host process from within: for the files that make, feed, hear and bury it.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef WBL_CORE_ENGINE_HOST_INSIDE_H
#define WBL_CORE_ENGINE_HOST_INSIDE_H
#include <sys/types.h>

#include "core/engine/host_process.h"

struct event;

/* Frames that a host does not take: until it does, nothing is read from it. */
#define WBL_HOST_QUEUE_MAX 64
#define WBL_HOST_START_TIMEOUT INT64_C(30000000000)

/* LEAVING: it has ended, but something that it started has not yet. */
enum host_state { STARTING, IDLE, BUSY, ENDING, LEAVING };

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
	int64_t left; /* when it ended */
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

/* host_process.c: its life */
void wbl_host_arm(struct wbl_host_process *h, int64_t ns);
void wbl_host_end_by_force(struct wbl_host_process *h, int32_t code, const char *why);
void wbl_host_end(struct wbl_host_process *h);
void wbl_host_discard(struct wbl_host_process *h);
void wbl_host_watch(struct wbl_host_process *h);
void wbl_call_free(struct wbl_call_request *call);
void wbl_call_end(struct wbl_call_request *call, struct wbl_outcome_of_call *o);

/* host_frames.c: what goes out to it */
void wbl_host_send(struct wbl_host_process *h, enum wbl_wire_type type, uint32_t seq, json_t *json,
	const struct wbl_buf *parts, size_t nparts, int fd);
void wbl_host_say_hello(struct wbl_host_process *h);
void wbl_host_send_call(struct wbl_host_process *h);
void wbl_host_send_signal(struct wbl_call_request *call);
int64_t wbl_host_start_timeout(const struct wbl_call_request *call);
void wbl_host_arm_deadline(struct wbl_host_process *h);
struct wbl_host_process *wbl_host_by_id(struct wbl_engine *e, int64_t id);
void wbl_host_flush(struct wbl_host_process *h);
void wbl_host_drop_frame(struct out_frame *f);
void wbl_host_on_writable(int fd, short what, void *ctx);

/* host_spawn.c: its start; NULL with the number of the error */
struct wbl_host_process *wbl_host_start(
	struct wbl_engine *e, struct wbl_instance *instance, int *ret_errno);

/* Whose it is now, for who finds it after us. */
void wbl_host_sign_lock(const struct wbl_host_process *h);

/* host_queue.c: calls and the room for them */
void wbl_calls_start_waiting(struct wbl_engine *e);
bool wbl_calls_serve(struct wbl_instance *i);
void wbl_call_leave_queue(struct wbl_call_request *call);

/* host_instance.c: frees an instance that nobody wants and nothing lives of */
void wbl_instance_release(struct wbl_instance *i);
#endif
