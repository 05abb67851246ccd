/* conform/play.h - plays the engine for one host process over a real socket pair; requests are answered by a function
 * of the caller. For the kit and for the tests of the host.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef WBL_CORE_CONFORM_PLAY_H
#define WBL_CORE_CONFORM_PLAY_H
#include <sys/types.h>

#include "core/module/wire.h"

struct wbl_play;

struct wbl_play_options {
	const char *host;        /* path of whimbrel-host */
	const char *const *env;  /* of the host; NULL-ended */
	const char *const *wrap; /* a command that runs it, as valgrind; NULL-ended; or NULL */
	/* In the child, before the host is there: limits, locks. May be NULL. */
	void (*before)(void *ctx);
	void *ctx;
	/* This process becomes the host, and the player goes on in a child: for a debugger. */
	bool swap;
	/* Answers a request (is_request); may take f->fd. May kill the host instead. */
	void (*answer)(struct wbl_play *p, struct wbl_frame *f);
	void (*see)(struct wbl_play *p, const struct wbl_frame *f); /* every frame; may be NULL */
	void *stage;                                                /* the answerer's */
	int wait_ms;                                                /* for a frame; 0: 20 s */
};

struct wbl_play {
	struct wbl_play_options o;
	int sock, err_fd, lock_fd, pidfd, artefact;
	pid_t pid;
	uint32_t seq;
	json_t *seen; /* of the present call: [{type, json, blob}] */
	json_t *ready;
	struct wbl_buf said;   /* what the host has written so far */
	struct wbl_frame back; /* the last RETURN, or REFUSED */
	bool silent_drain;     /* DRAIN gets no answer */
	bool late;             /* no frame came in time */
	int64_t started_ns;
	unsigned signal_after; /* send `signal` when so many logs were seen */
	json_t *signal;
};

struct wbl_play *wbl_play_spawn(const struct wbl_play_options *o);
/* Spawns, sends HELLO (takes it), answers until READY or REFUSED. */
struct wbl_play *wbl_play_start(const struct wbl_play_options *o, json_t *hello);
bool wbl_play_is_ready(const struct wbl_play *p);
/* Sends a CALL, answers all requests, returns the status of its RETURN; -1000 when the host died or was late.
 * `extra`: members of work (taken); parts: NULL or four, in the order of wire.def. */
int32_t wbl_play_call(struct wbl_play *p, const char *call, const char *op, json_t *extra,
	const struct wbl_bytes *parts);
void wbl_play_begin(struct wbl_play *p, const char *call, const char *op, json_t *extra,
	const struct wbl_bytes *parts);
int32_t wbl_play_until_return(struct wbl_play *p);
/* One frame, kept in `seen`; false: the host is gone. */
bool wbl_play_read(struct wbl_play *p, struct wbl_frame *f);
/* The text of a log line of the present call that begins with `prefix`; NULL. */
const char *wbl_play_log(const struct wbl_play *p, const char *prefix);
/* Whose text or where has the word. */
const json_t *wbl_play_diag(const struct wbl_play *p, const char *word);
const json_t *wbl_play_frame(const struct wbl_play *p, const char *type);
size_t wbl_play_count(const struct wbl_play *p, const char *type);
/* Closes the socket, waits (at most 5 s), gives back the wait status, -1 when it had to be killed; *ret_err: what it
 * wrote. */
int wbl_play_stop(struct wbl_play *p, char **ret_err);
#endif
