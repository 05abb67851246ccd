/* tests/unit/host/play.h - plays the engine for one host process over a real socket pair.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef WBL_TESTS_PLAY_H
#define WBL_TESTS_PLAY_H
#include <sys/types.h>

#include "core/module/wire.h"

struct play {
	int sock, err_fd, lock_fd, artefact;
	pid_t pid;
	uint32_t seq;
	json_t *seen; /* of the present call: [{type, json, blob}] */
	json_t *ready;
	struct wbl_frame back; /* the last RETURN, or REFUSED */
	bool silent_drain;     /* DRAIN gets no answer */
	int64_t started_ns;
	unsigned signal_after; /* send `signal` when so many logs were seen */
	json_t *signal;
};

/* BUILD/tests/bin/mods/.libs/NAME.so; static storage. */
const char *play_module(const char *name);
/* {build, interface, name, module:{path,sha256,id,version}, params:{}, peers:[]}, to be changed by the test. */
json_t *play_hello(const char *module, const char *handler);
json_t *play_peer(const char *param, const char *interface, const char *module, const char *name);
struct play *play_spawn(void);
/* Spawns, sends HELLO (takes it), answers until READY or REFUSED. */
struct play *play_start(json_t *hello);
bool play_is_ready(const struct play *p);
/* Sends a CALL, answers all requests, returns the status of its RETURN; -1000 when the host died. `extra`: members
 * of work (taken); parts: NULL or four texts. */
int32_t play_call(
	struct play *p, const char *call, const char *op, json_t *extra, const char *const *parts);
void play_begin(
	struct play *p, const char *call, const char *op, json_t *extra, const char *const *parts);
int32_t play_until_return(struct play *p);
bool play_read(struct play *p,
	struct wbl_frame *f); /* one frame, kept in `seen`; false: the host is gone */
/* The text of a log line of the present call that begins with `prefix`; NULL. */
const char *play_log(const struct play *p, const char *prefix);
const json_t *play_diag(const struct play *p, const char *word); /* whose where or text has it */
const json_t *play_frame(const struct play *p, const char *type);
size_t play_count(const struct play *p, const char *type);
/* Closes the socket, waits (at most 5 s), gives back the wait status; *ret_err: what it wrote. */
int play_stop(struct play *p, char **ret_err);
#endif
