/* conform/stage.h - a whole migration played by the kit itself: one host, and a memory that outlives its deaths.
 * In: HELLO's description of the handler.  Out: the steps of its plan done, or taken back, call by call, with the host
 * killed wherever the caller wants. Much faster than an engine, and everything that is said can be looked at.
 * It knows steps in order, chunks one after the other, undo records, artefacts, checkpoints, outputs, state, signals. It
 * does not know background steps and steps of people: wbl_stage_can says so.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef WBL_CORE_CONFORM_STAGE_H
#define WBL_CORE_CONFORM_STAGE_H
#include "core/conform/conform.h"
#include "core/conform/play.h"

#define WBL_STAGE_DEAD (-1000) /* the host died, or was late */
#define WBL_STAGE_REFUSED (-1001)

struct wbl_stage_record { /* undo record, artefact, checkpoint, output or value, by name */
	char *name, *artefact;
	struct wbl_buf body;
	int64_t seq;
	int fd;
	bool done; /* reversed; sealed */
};
struct wbl_stage_list {
	struct wbl_stage_record *at;
	size_t count;
};
struct wbl_stage_chunk {
	char *id;
	struct wbl_buf body;
	bool begun, done, replaced;
	json_t *totals;
	struct wbl_stage_list checkpoints;
};
struct wbl_stage_step {
	char *id;
	json_t *said; /* what plan said of it */
	uint32_t flags;
	int32_t inverse;
	bool begun, done, verified, undone, undoing;
	struct wbl_stage_list undo, artefacts, checkpoints, outputs;
	struct wbl_stage_chunk *chunks;
	size_t nchunks, nadded; /* nadded: behind nchunks, of the call that runs */
	bool listed;
	json_t *totals;
};

struct wbl_stage {
	struct wbl_kit *k;
	json_t *hello; /* without what differs from host to host */
	struct wbl_play *p;
	struct wbl_stage_step *steps;
	size_t nsteps;
	struct wbl_stage_list state;
	/* The call that runs. */
	struct wbl_stage_step *step;
	struct wbl_stage_chunk *chunk;
	const char *call;
	int64_t seq;
	/* Requests so far, over all hosts; the host dies at number kill_at (0: never): before it is recorded, or after that
	 * and before its answer. */
	int64_t requests, kill_at;
	bool kill_after;
	/* STOP is sent when that many requests were answered; 0: never. */
	int64_t stop_at;
	bool stop_first;             /* at once in each execute */
	int64_t stopped_ns, late_ns; /* when; the longest time until the call was back */
	bool twice; /* each execute and rollback that went well is called once more */
	/* The surroundings of its hosts. */
	const char *const *env;
	const char *const *wrap; /* a command that runs the host; NULL-ended; or NULL */
	void (*before)(void *ctx);
	void *before_ctx;
	void (*see)(struct wbl_play *p, const struct wbl_frame *f);
	void *see_ctx;
	const char *secret; /* answer for every secret; NULL: what its reference names */
	int wait_ms;
	bool no_faults;
	struct wbl_buf output; /* what all hosts wrote */
	int wait_status;       /* of the last host that ended */
	/* The last call that failed, for people. */
	char where[128], why[1024];
};

/* `hello` is taken; from a plan document: wbl_stage_hello. */
void wbl_stage_open(struct wbl_stage *s, struct wbl_kit *k, json_t *hello);
void wbl_stage_close(struct wbl_stage *s);
/* Forgets the steps' past, not the steps; ends the host. */
void wbl_stage_forget(struct wbl_stage *s);
/* The same without ending the host. */
void wbl_stage_forget_steps(struct wbl_stage *s);
void wbl_stage_stop(struct wbl_stage *s); /* sends STOP */
json_t *wbl_stage_hello(const json_t *plan);

/* Each starts a host when there is none. The status of the first call that was not OK; 0 when all was. */
int32_t wbl_stage_plan(struct wbl_stage *s);
int32_t wbl_stage_do(struct wbl_stage *s);   /* goes on where it was */
int32_t wbl_stage_undo(struct wbl_stage *s); /* what has begun, newest first */
/* One call of one step, nothing remembered of its outcome. flags: WBL_WORK_ */
int32_t wbl_stage_call(struct wbl_stage *s, struct wbl_stage_step *step,
	struct wbl_stage_chunk *chunk, const char *call, uint32_t flags);
bool wbl_stage_can(const struct wbl_stage *s, const char **ret_why);
int32_t wbl_stage_host(struct wbl_stage *s);
/* Ends the host; its wait status. */
int wbl_stage_end(struct wbl_stage *s);
/* How the last host ended, for people: "was killed by signal 11 (Segmentation fault)". */
const char *wbl_stage_death(const struct wbl_stage *s, char out[128]);
#endif
