/* service/control.h - the control socket: connections, requests, answers, events (docs/control.md).
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef WBL_CORE_SERVICE_CONTROL_H
#define WBL_CORE_SERVICE_CONTROL_H
#include "core/engine/engine.h"

struct wbl_control;
struct wbl_connection;

struct wbl_control {
	struct wbl_engine *engine;
	struct wbl_connection *connections;
	struct evconnlistener *listener;
	char *path;
	bool on_demand, stopping;
	int64_t idle_since; /* monotonic ns */
};

/* One request under way. Outlives its connection: then what it says goes nowhere. */
struct wbl_control_request {
	struct wbl_control *control;
	int64_t connection; /* id, 0: it is gone */
	int64_t id;         /* the caller's */
	json_t *args;
	char actor[128], *verb;
	char *watched; /* run whose events are wanted; NULL */
	/* Nobody waits for the answer any more; may be NULL. It is given all the same. */
	void (*lost)(void *ctx);
	void *lost_ctx;
	int64_t after;
	struct wbl_control_request *next;
};

int32_t wbl_control_open(
	struct wbl_engine *e, bool on_demand, struct wbl_control **ret, struct wbl_error *err);
void wbl_control_close(struct wbl_control *c);
/* Every request that is open is refused with this, because the engine ends; sent by wbl_control_close. */
void wbl_control_tell_end(struct wbl_control *c, const struct wbl_error *err);
bool wbl_control_idle(const struct wbl_control *c);

/* Ends the request. `result` is stolen. Goes out after the commit. */
void wbl_control_answer(struct wbl_control_request *r, json_t *result);
void wbl_control_refuse(struct wbl_control_request *r, const struct wbl_error *err, json_t *errors);
/* An event for a request that goes on; `event` is stolen. */
void wbl_control_event(struct wbl_control_request *r, json_t *event);
/* Watches a run: events from now on, older entries first; ends when the run is at rest. */
void wbl_control_watch(struct wbl_control_request *r, struct wbl_run *run, int64_t after);
/* One line of a connection, for the fuzz target: parses, finds the verb, checks the arguments. 0 or WBL_E_USAGE. */
int32_t wbl_control_parse(const char *line, size_t len, json_t **ret, struct wbl_error *err);

/* verbs.c */
void wbl_verb_run(struct wbl_control_request *r);
#endif
