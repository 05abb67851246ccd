/* engine/host_process.h - whimbrel-host processes as the engine sees them, and the calls made to them.
 * An instance is one handler with one set of parameters (of a plan being made, or of a run); it has as many host
 * processes as calls are under way at once, and keeps idle ones for the next call. A call ends exactly once: by
 * the handler's return, or by the end of its process (crash, deadline, kill).
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef WBL_CORE_ENGINE_HOST_PROCESS_H
#define WBL_CORE_ENGINE_HOST_PROCESS_H
#include <sys/types.h>

#include "core/engine/blot.h"
#include "core/engine/engine.h"
#include "core/module/wire.h"

struct wbl_call_request;
struct wbl_run_step;
struct wbl_chunk_state;
struct wbl_planner;

struct wbl_instance {
	struct wbl_run *run;         /* NULL while planning */
	struct wbl_planner *planner; /* NULL in a run */
	char *owner;                 /* "r-000001" or "p-000001" */
	char *name;                  /* the migration's */
	json_t *hello;               /* what HELLO carries, without epoch and throttle */
	int64_t grace_ns;
	json_t *plan;   /* of a check: whose values between runs it may read; NULL in others */
	int64_t nhosts; /* living processes; the instance outlives them */
	bool freed;
	struct wbl_host_process *idle;
	struct wbl_secrets secrets; /* which its hosts have fetched */
};

/* For a background step that declares no time limit (include/whimbrel/services.h). */
#define WBL_READY_TIMEOUT INT64_C(600000000000)

enum wbl_call_kind {
	WBL_CALL_NONE,
	WBL_CALL_PLAN,
	WBL_CALL_EXECUTE,
	WBL_CALL_VERIFY,
	WBL_CALL_ROLLBACK,
	WBL_CALL_CHECK,
	WBL_CALL_ASSESS,
	WBL_CALL_PARTITION,
	WBL_CALL_PROBE,
	WBL_CALL_REPAIR,
	WBL_CALL_UPGRADE,
};
const char *wbl_call_name(enum wbl_call_kind kind);

/* What came of a call. Texts and JSON are the call's, valid during `done`. */
struct wbl_outcome_of_call {
	int32_t status; /* WBL_*; for a process that died: WBL_E_CRASHED, WBL_E_TIMEOUT, WBL_E_WIRE */
	bool died;      /* nothing is known of what it did since its last durable word */
	int32_t probe;          /* WBL_PROBE_* */
	struct wbl_error error; /* headline when status < 0 */
	json_t *diagnostics;    /* array of {severity, code, flags, where, text, hint} */
	const char *output;     /* tail of what it printed, NULL: nothing */
	const void *blob;       /* upgrade: the new object */
	size_t blob_len;
	int64_t elapsed_ns;
};

struct wbl_call_request {
	struct wbl_engine *engine;
	struct wbl_instance *instance;
	enum wbl_call_kind kind;
	struct wbl_run_step *step;     /* NULL in plan, assess */
	struct wbl_chunk_state *chunk; /* NULL: the step itself */
	json_t *work;                  /* members of `work` in CALL; owned */
	json_t *extra;                 /* level, what, from */
	struct wbl_buf parts[4];       /* checkpoint, executed, chunk, old */
	int64_t grace_ns;              /* 0: the instance's */
	int64_t timeout_ns, started;
	uint32_t signals; /* the present set */
	bool background, stopping;
	bool ready, late;  /* background: it has said so; it did not in time */
	bool told_to_stop; /* by the run: what comes of it is no failure */
	int64_t epoch, pass, attempt;
	struct wbl_host_process *host;
	json_t *diagnostics;
	json_t *findings;         /* what assess and check say in "wbl.plan/1" finding */
	int64_t logs;             /* entries of kind log made so far */
	int64_t said, said_bytes; /* of what is kept for the run or plan */
	bool asked;               /* a question that has no answer yet */
	bool added;               /* chunks */
	json_t *totals;           /* of RESULT */
	json_t *staged;           /* planner: steps; verify: differences held back until the end */
	void (*done)(struct wbl_call_request *call, const struct wbl_outcome_of_call *outcome);
	void *ctx;
	struct {
		int64_t items, items_of, bytes, bytes_of;
		char phase[64];
	} progress;
	struct {
		int64_t behind_ns, behind_bytes;
		char position[256];
	} lag;
	struct wbl_call_request *next; /* of those that wait for room */
};

/* Starts the call in an idle host of the instance, or in a new one. The CALL frame leaves after this turn's commit.
 * The request is owned by the host layer from now on and freed after `done`. A host that cannot be started ends
 * the call through `done` in a later turn. */
void wbl_call_start(struct wbl_call_request *call);
/* How long it may take from now on, by what it has been told and has said; 0: no limit. */
int64_t wbl_call_limit(const struct wbl_call_request *call);
bool wbl_host_free(const struct wbl_engine *e); /* is there room for one more process? */
void wbl_hosts_make_room(
	struct wbl_engine *e); /* if not: an idle one goes, who waits is woken then */
/* Sets signal bits of a call under way (WBL_SIGNAL_*); STOP and PAUSE start the grace time after which the
 * process is killed. DRAIN carries the step's newest demand. */
void wbl_call_signal(struct wbl_call_request *call, uint32_t bits);
void wbl_call_kill(struct wbl_call_request *call, const char *why);
void wbl_call_send_epoch(struct wbl_call_request *call, int64_t epoch);

struct wbl_instance *wbl_instance_new(const char *owner, const json_t *migration,
	const struct wbl_registry *registry, bool rehearse);
/* The living processes of one instance become another's, which has the same handler and parameters. */
void wbl_instance_adopt(struct wbl_engine *e, struct wbl_instance *to, struct wbl_instance *from);
void wbl_instance_free(struct wbl_engine *e, struct wbl_instance *i); /* ends its idle hosts */
void wbl_instance_rest(
	struct wbl_engine *e, struct wbl_instance *i); /* ends its idle hosts, keeps the instance */

bool wbl_host_is(const struct wbl_engine *e, pid_t pid);
/* Is the process a helper of a living host, by its lock? */
bool wbl_host_owns(const struct wbl_engine *e, const char *pid,
	bool (*marked)(const char *pid, const char *lock));
void wbl_host_reap(struct wbl_engine *e);
void wbl_hosts_kill_all(struct wbl_engine *e);
void wbl_hosts_shoot(struct wbl_engine *e); /* SIGKILL to all, as a test asks; buried as usual */
/* At start: processes left over from an engine that died are found by the locks they hold, and ended. */
int32_t wbl_hosts_end_orphans(struct wbl_engine *e, struct wbl_error *err);

/* host_services.c: one frame from a host during a call. */
void wbl_host_frame(struct wbl_call_request *call, struct wbl_frame *frame);
/* Answers a request after this turn's commit; json is stolen, blob copied. fd -1 or taken. */
void wbl_host_reply(struct wbl_call_request *call, uint32_t seq, int32_t status, json_t *json,
	const void *blob, size_t len, int fd);
#endif
