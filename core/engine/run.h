/* engine/run.h - one execution of a plan: what the journal says of it, and what is going on just now.
 * The first part of each struct is the fold of the journal (wbl_run_fold, fold.c) and can be rebuilt from it at any
 * time; members under "live" are lost with the process and mean nothing to recovery.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef WBL_CORE_ENGINE_RUN_H
#define WBL_CORE_ENGINE_RUN_H
#include "core/engine/engine.h"
#include "core/engine/host_process.h"
#include "core/engine/orphans.h"
#include "whimbrel/services.h"

enum wbl_run_state {
	WBL_RUN_NONE,
#define WBL_RUN(symbol, name, rest, exit, text) WBL_RUN_##symbol,
#define WBL_RUN_CHANGE(from, to)
#include "core/engine/run_states.def"
#undef WBL_RUN
#undef WBL_RUN_CHANGE
};

enum wbl_step_state {
#define WBL_STEP(symbol, name, text) WBL_STEP_##symbol,
#include "core/engine/step_states.def"
#undef WBL_STEP
};

/* STAGED: named by a chunk that is being split, and dropped unless that one says so in the end. */
enum wbl_chunk_phase {
	WBL_CHUNK_READY,
	WBL_CHUNK_OPEN,
	WBL_CHUNK_DONE,
	WBL_CHUNK_SPLIT,
	WBL_CHUNK_STAGED
};

struct wbl_sums { /* struct wbl_totals with owned JSON digests */
	int64_t items, bytes, rejected, chunks;
	json_t *digests; /* array of {set, count, row, key}; sums mod 2^128 as hex */
};

struct wbl_upgrade;
struct wbl_drain_waiter; /* host_services.c: who waits for a background step */

struct wbl_chunk_state {
	char *id;
	struct wbl_buf body;
	int64_t items, bytes, attempt, rejects; /* rejects: of the present attempt */
	enum wbl_chunk_phase phase;
	char *parent; /* of a staged one */
	struct wbl_sums sums;
	struct wbl_buf checkpoint;
	/* live */
	struct wbl_call_request *call;
	int64_t not_before, tries; /* monotonic ns; attempts made by this engine */
};

struct wbl_output_value {
	char *name;
	struct wbl_buf value;
	int64_t generation;
};

struct wbl_step_claim {
	size_t number; /* in the run's claims */
	bool sole;     /* exclusive */
};
struct wbl_run_claim {
	const json_t *def; /* the first that names it */
	bool sole;         /* for one step at least */
	size_t holders, sole_holders;
};

struct wbl_run_step {
	struct wbl_run *run;
	struct wbl_instance *instance;
	const json_t *def; /* in the plan */
	size_t index;
	const char *id, *own_id, *title, *op, *barrier, *params;
	char *own_params; /* folded: in place of the plan's, after an upgrade */
	int32_t kind, inverse;
	uint32_t flags;
	size_t *after, nafter; /* indexes, barriers included */
	struct wbl_step_claim *claims;
	size_t nclaims;
	struct wbl_run_step *finishes, *finished_by, *retry_from, *compensation;
	bool is_compensation; /* never executed on the way forward */
	int64_t grace_ns;     /* 0: the migration's */
	int64_t attempts_max, restarts_max, processes_max, timeout_ns, backoff_ns, retries_max;

	/* folded */
	enum wbl_step_state state;
	int64_t pass, attempt; /* of execute in this pass */
	int64_t undo_attempt;
	bool touched; /* an execute began in this pass and was not undone */
	bool open;    /* an intent without a result */
	bool was_up;  /* a background step served in this pass */
	enum wbl_call_kind open_call;
	bool confirmed, listed;
	int32_t status;
	struct wbl_buf checkpoint[WBL_CALL_UPGRADE + 1];
	struct wbl_sums sums, mended; /* mended: what repairs have added */
	struct wbl_sums so_far;       /* of the chunks that are done, without digests */
	struct wbl_chunk_state *chunks;
	json_t *chunk_index; /* id -> number of the chunk */
	size_t nchunks, chunks_done;
	struct wbl_output_value *outputs;
	size_t noutputs;
	int64_t demand, demand_done;
	char *demand_position;
	json_t *error;        /* of the last failure */
	int64_t began, ended; /* real ns */
	int64_t rehearsed;
	int64_t differences,
		rejects; /* in this pass: of the last look and of execute; of execute */

	/* live */
	struct wbl_call_request *call;       /* not of a chunk */
	size_t ncalls;                       /* with those of chunks */
	int64_t not_before;                  /* back-off until, monotonic ns */
	int64_t tries, undo_tries, restarts; /* attempts made by this engine */
	bool probed;
	bool tried;   /* rehearse.c: on a copy, or it was found that it cannot be */
	size_t trial; /* which of its calls is under way */
	int64_t trial_pass;
	int64_t demand_deadline; /* monotonic ns: who asked waits no longer; 0: no limit */
	struct wbl_drain_waiter *waiters;
};

struct wbl_question_state {
	char *step, *id, *answer;
	json_t *body;
};

struct wbl_run {
	struct wbl_run *next, *next_touched;
	char *id, *plan_id, *name, *actor;
	json_t *plan; /* the document */
	bool rehearse;

	/* folded */
	enum wbl_run_state state;
	int64_t epoch, created, ended;
	char *reason;
	int32_t status; /* code of the failure that decides the exit code */
	json_t *error;  /* headline */
	bool cancelled, finalized, pause_asked, rollback_asked;
	char *rollback_to; /* step that stays; NULL: everything goes */
	bool retrying;     /* rolling back only to try again */
	char **barriers;   /* opened ones */
	size_t nbarriers;
	struct wbl_question_state *questions;
	size_t nquestions;

	struct wbl_run_step *steps;
	json_t *index;         /* id -> number of the step */
	size_t nsteps, *order; /* topological */
	struct wbl_instance **instances;
	size_t ninstances;
	struct wbl_run_claim *claims; /* different ones of all steps */
	json_t *claim_index;          /* kind and name -> number */
	size_t nclaims, running;      /* running: claims.c, valid when running_known */
	bool running_known;

	/* live */
	bool touched, held;          /* held: found at the engine's start, not yet taken up */
	bool stopping;               /* stop signals are out: nothing new begins */
	struct wbl_orphan beside;    /* cannot be ended: nothing goes on beside it */
	struct wbl_upgrade *upgrade; /* what an older module left is being taken over */
	bool has_claims, wants_host, checking;
	bool verifying;          /* whimbrel verify or repair is under way */
	struct wbl_check *check; /* validate.c */
	json_t *validation_error;
	size_t ncalls;
	int64_t throttle_items, throttle_bytes;
	struct event *timer;
	int64_t began_live; /* monotonic: when this engine took it up */
	int64_t items_at_start, bytes_at_start;
	struct wbl_engine *engine;
};

const char *wbl_run_state_name(enum wbl_run_state s);
enum wbl_run_state wbl_run_state_parse(const char *name);
int wbl_run_exit(const struct wbl_run *run); /* the command's exit code for a run found at rest */
const char *wbl_run_state_text(enum wbl_run_state s);
const char *wbl_step_state_name(enum wbl_step_state s);
enum wbl_step_state wbl_step_state_parse(const char *name);
bool wbl_run_at_rest(const struct wbl_run *run); /* nothing goes on until somebody asks, or over */
bool wbl_run_is_over(const struct wbl_run *run);
bool wbl_run_change_legal(enum wbl_run_state from, enum wbl_run_state to);

/* run.c: life. The document's references are resolved and its graph sorted; a bad one is WBL_E_OLD_PLAN. */
struct wbl_run *wbl_run_new(
	struct wbl_engine *e, const char *id, json_t *plan, struct wbl_error *err);
void wbl_run_free(struct wbl_engine *e, struct wbl_run *run);
int32_t wbl_runs_load(struct wbl_engine *e, struct wbl_error *err);
void wbl_runs_free(struct wbl_engine *e);
void wbl_runs_forget(
	struct wbl_engine *e); /* finished ones beyond the newest few; the journal has them */
struct wbl_run *wbl_run_find(
	struct wbl_engine *e, const char *id); /* loads finished ones too; NULL */
void wbl_run_plan_digest(struct wbl_run *run, char out[WBL_SHA256_HEX]);
struct wbl_run_step *wbl_run_step(struct wbl_run *run, const char *id);
void wbl_sums_add(struct wbl_sums *sums, const struct wbl_sums *more);
void wbl_sums_from_json(struct wbl_sums *sums, const json_t *totals);
json_t *wbl_sums_json(const struct wbl_sums *sums);
void wbl_sums_clear(struct wbl_sums *sums);

/* fold.c */
void wbl_run_fold(struct wbl_run *run, const struct wbl_entry *e);

/* advance.c: looks at the picture and does what is due; called at the end of a turn for runs that were touched. */
void wbl_run_advance(struct wbl_engine *e, struct wbl_run *run);
void wbl_run_set_state(
	struct wbl_run *run, enum wbl_run_state to, int32_t status, const char *reason);
void wbl_run_note(struct wbl_run *run, const char *step, const char *subject, const char *text);
void wbl_run_raise_epoch(struct wbl_run *run, const char *why);
void wbl_run_fail(
	struct wbl_run *run, struct wbl_run_step *step, int32_t status, const json_t *error);
void wbl_run_wake_at(struct wbl_run *run, int64_t mono_ns);
bool wbl_run_waits_for_claims(const struct wbl_run *run); /* it has done nothing yet */
bool wbl_run_take_claims(struct wbl_run *run, char **ret_holder);
void wbl_run_keep_background_up(struct wbl_run *run);
void wbl_hosts_wake_waiting(struct wbl_engine *e);

/* Between two turns: a run that is not at rest must have something that will wake it. Else it is stopped, loudly. */
bool wbl_run_moves(const struct wbl_run *run);
void wbl_run_stand_still(struct wbl_run *run);

/* step.c: the calls of one step */
bool wbl_step_idle(const struct wbl_run_step *s);
void wbl_step_call_began(struct wbl_call_request *call);
void wbl_step_call_ended(struct wbl_call_request *call);
bool wbl_step_is_answered(const struct wbl_run_step *s); /* by the person that it waits for */
bool wbl_step_wants_probe(
	const struct wbl_run_step *s);       /* nobody knows how its last attempt ended */
void wbl_step_start(struct wbl_run_step *s); /* execute: first attempt, next attempt, or new pass */
void wbl_step_look_anew(
	struct wbl_run_step *s); /* what an earlier verify found does not count any more */
void wbl_step_verify(struct wbl_run_step *s, uint32_t flags);
void wbl_step_probe(struct wbl_run_step *s);
void wbl_step_feed_chunks(struct wbl_run_step *s); /* partitioned: as many as limits allow */
void wbl_step_set_state(
	struct wbl_run_step *s, enum wbl_step_state state, int32_t status, const json_t *error);
int64_t wbl_deadline(int64_t wait_ns); /* monotonic ns; 0: none */
void wbl_step_finish_background(struct wbl_run_step *s);
void wbl_step_answer_drains(struct wbl_run_step *background); /* those whose demand is met */
void wbl_step_refuse_drains(struct wbl_run_step *background); /* it is down: nobody will drain */
void wbl_call_forget_drains(
	struct wbl_call_request *call); /* the call ends: nobody is left to be told */
void wbl_step_append(struct wbl_run_step *s, struct wbl_entry *e);
struct wbl_call_request *wbl_step_call_new(
	struct wbl_run_step *s, enum wbl_call_kind kind, uint32_t flags);
json_t *wbl_step_error_json(const struct wbl_outcome_of_call *o);
void wbl_step_result(struct wbl_run_step *s, const struct wbl_call_request *call,
	const struct wbl_outcome_of_call *o);

/* rollback.c */
void wbl_run_advance_rollback(struct wbl_run *run);
/* The point of no return that would be crossed by taking back all, or all but what `to` stands on; NULL: none. */
const struct wbl_run_step *wbl_run_no_way_back(struct wbl_run *run, const char *to);
/* recover.c */
/* A run that was found in the journal becomes this engine's: higher epoch, what was open is of unknown outcome. */
void wbl_run_take_up(struct wbl_run *run);
/* At the engine's start: background steps of runs that are paused, wait, failed or are reversible serve on. */
void wbl_runs_bring_back(struct wbl_engine *e);
/* A person leaves a run as it is that can be taken neither back nor on: it is over, its claims are given up. */
int32_t wbl_run_accept(
	struct wbl_run *run, const char *actor, const char *why, struct wbl_error *err);
int32_t wbl_run_recover(
	struct wbl_run *run, const char *strategy, char **ret_decision, struct wbl_error *err);
#endif
