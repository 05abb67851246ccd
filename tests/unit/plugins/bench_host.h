/* bench_host.h - a host for tests of modules: services in memory that survives a killed child, modules loaded from the build tree.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef WBL_TEST_BENCH_HOST_H
#define WBL_TEST_BENCH_HOST_H
#include <stdbool.h>

#include <whimbrel/handler.h>
#include <whimbrel/services.h>
#include <whimbrel/store.h>

enum { BENCH_TEXT = 512 };

struct bench_step {
	char id[64], op[32], params[1024], after[4][64];
	uint32_t flags;
	int32_t kind;
	bool done;
};
struct bench_undo {
	char step[64], id[96], body[2048], artefact[96];
	size_t len;
	uint64_t pass;
	bool reversed;
};
struct bench_chunk {
	char step[64], id[16];
	uint8_t body[256];
	size_t len;
	uint64_t items, count, rejected, pass;
	struct wbl_digest sum;
	char set[64];
	bool done;
};
struct bench_diff {
	int32_t kind;
	char set[64], key[BENCH_TEXT], field[64], expected[BENCH_TEXT], found[BENCH_TEXT];
	uint8_t ref[96];
	size_t len;
};
struct bench_note {
	int32_t code, severity;
	char where[256], text[BENCH_TEXT], hint[256];
};
struct bench_pair {
	char key[96], value[BENCH_TEXT];
	int32_t rule;
	size_t len;
};

/* Everything an engine would keep. In shared memory: a child that dies has not taken it along. */
struct bench {
	char dir[128];
	struct bench_step steps[24];
	struct bench_undo undo[96];
	struct bench_chunk chunks[600];
	struct bench_diff diffs[1001];
	struct bench_note notes[64];
	struct bench_pair observed[24], omitted[24], outputs[8];
	size_t nsteps, nundo, nchunks, ndiffs, nnotes, nobserved, nomitted, noutputs, nnext;
	char covered[BENCH_TEXT]; /* how, of the last one */
	uint64_t compared, of;
	uint64_t pass, epoch, attempts;
	uint32_t signals;
	int32_t level;        /* of rehearsal */
	long faults, kill_at; /* kill at fault number kill_at, 0 never */
	char killed_at[64];
	bool fork; /* every call in a child of its own */
};

struct bench *bench_new(void);     /* with a temporary folder */
void bench_free(struct bench *b);  /* folder too */
void bench_reset(struct bench *b); /* forgets the run, keeps the folder */
const void *bench_table(const char *module, const char *interface);
const struct bench_step *bench_find(const struct bench *b, const char *id);
const char *bench_value(const struct bench_pair *list, size_t n, const char *key);

/* A store, opened as a host would. */
struct bench_store {
	const struct wbl_store *table;
	void *self;
	uint64_t capabilities;
	struct wbl_call *call;
};
int32_t bench_open(struct bench *b, const char *params, uint32_t flags, struct bench_store *ret);
void bench_close(struct bench_store *s);

/* A handler: plan, then all steps with their verification, again and again after kills; and back. */
int32_t bench_plan(struct bench *b, const char *handler, const char *params);
int32_t bench_apply(struct bench *b, const char *handler, const char *params);
int32_t bench_rollback(struct bench *b, const char *handler, const char *params);
/* One call of one step, for what the two above do not do. */
int32_t bench_call(struct bench *b, const char *handler, const char *params, const char *step,
	const char *what, uint32_t flags, const struct bench_chunk *chunk);
#endif
