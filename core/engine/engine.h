/* engine/engine.h - the engine process: one thread, one event loop, one journal.
 * The rule of the house: nothing is said to the world (a call to a host, an answer to a client) before what it
 * rests on is durable. So work is done in turns: entries are appended while events are handled, the turn ends
 * with one commit for all runs, and then the effects that were queued go out (loop.c).
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef WBL_CORE_ENGINE_ENGINE_H
#define WBL_CORE_ENGINE_ENGINE_H
#include "core/module/registry.h"
#include "core/state/journal.h"

struct event;
struct event_base;
struct wbl_host_process;
struct wbl_run;
struct wbl_instance;

struct wbl_engine_options {
	const char *state_dir;
	const char *config_dir;         /* handlers.d, environments.d */
	const char *const *module_dirs; /* NULL-ended */
	const char *host_program;       /* path of whimbrel-host */
	bool trust_any_owner;           /* modules of an uninstalled tree */
	int64_t max_hosts;              /* processes at once over all runs; 0: default */
};

struct wbl_effect;

struct wbl_engine {
	struct event_base *base;
	struct wbl_state *state;
	struct wbl_registry *registry;
	struct wbl_engine_options options;
	struct wbl_run *runs; /* those that are not over, and those touched since */
	struct wbl_host_process *hosts;
	int64_t nhosts, nbackground,
		max_hosts;                /* the limit is for those that are not background steps */
	struct wbl_call_request *waiting; /* calls for which there is no room yet, oldest first */
	int64_t next_host, next_run, next_plan;
	int64_t started;
	struct wbl_effect *first, **last; /* go out after the commit */
	struct wbl_run *touched;          /* runs to be advanced before the commit */
	struct event *turn;               /* makes the loop come round when something was queued */
	struct event *children;           /* SIGCHLD */
	struct event *ticker;             /* progress, while hosts live */
	/* Called after a commit for every entry that it made durable. */
	void (*on_entry)(void *ctx, struct wbl_run *run, json_t *entry);
	void (*on_progress)(void *ctx, struct wbl_run *run);
	bool (*wants_entries)(void *ctx, struct wbl_run *run);
	void *observer;
	unsigned char ref_key[32]; /* refs.c */
	bool has_ref_key;
	json_t *binding;         /* ids of plans that are being applied just now */
	struct wbl_error broken; /* code != 0: the state cannot be written, the process must end */
};

/* Opens the state, loads modules and the runs that are not over (held until recovered). */
int32_t wbl_engine_open(
	const struct wbl_engine_options *o, struct wbl_engine **ret, struct wbl_error *err);
void wbl_engine_close(struct wbl_engine *e);
int32_t wbl_engine_reload(
	struct wbl_engine *e, struct wbl_error *err); /* modules and configuration again */
/* One round of the loop: waits for events, handles them, commits, lets effects out. WBL_E_DISK: end now. */
int32_t wbl_engine_turn(struct wbl_engine *e, struct wbl_error *err);
void wbl_engine_tick(
	struct wbl_engine *e); /* progress is reported from now on, until no host is left */
bool wbl_engine_busy(const struct wbl_engine *e); /* a host lives or a run moves */

/* Appends an entry of a run (NULL: none) and folds it into the picture of that run. After a failure the engine is
 * `broken`; callers need not look, nothing that was queued goes out any more. */
void wbl_engine_append(struct wbl_engine *e, struct wbl_run *run, struct wbl_entry *entry);
/* `fn` is called with ctx after the commit of this turn; drop (may be NULL) when it never comes to that. */
void wbl_engine_after(struct wbl_engine *e, void (*fn)(struct wbl_engine *, void *ctx), void *ctx,
	void (*drop)(void *ctx));
void wbl_engine_touch(
	struct wbl_engine *e, struct wbl_run *run); /* will be advanced in this turn */
#endif
