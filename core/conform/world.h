/* conform/world.h - a scratch folder with an engine of its own: state, configuration, module, fixture; put back in a
 * moment. The first test that needs it makes it: plan and apply once, undisturbed, and keep the world before and after.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef WBL_CORE_CONFORM_WORLD_H
#define WBL_CORE_CONFORM_WORLD_H
#include "core/conform/conform.h"

struct wbl_world {
	struct wbl_buf before, after; /* looks at the fixture */
	json_t *plan;                 /* the plan document; the plan is p-000001 */
};

/* Runs a program with the kit's environment and `env` (may be NULL); stdout and stderr go to *out (may be NULL). The
 * exit status; 128 + signal; -1 when it could not be started. */
int wbl_world_spawn(const struct wbl_kit *k, const char *const *argv, const char *const *env,
	const char *folder, struct wbl_buf *out);
/* whimbrel WORDS...: one line, split at blanks. */
int wbl_world_command(struct wbl_kit *k, const char *const *env, struct wbl_buf *out,
	const char *words, ...) __attribute__((format(printf, 4, 5)));

/* The command of this test that took longest. */
const char *wbl_world_slowest(int64_t *ret_ns);

/* False: the test is over with *ret_verdict. */
bool wbl_world_open(struct wbl_kit *k, struct wbl_world *w, enum wbl_verdict *ret_verdict);
/* True: it could not be made; why. */
bool wbl_world_failed(struct wbl_kit *k, struct wbl_buf *ret);
void wbl_world_close(struct wbl_kit *k, struct wbl_world *w);
/* "planned": as before the first apply. "done": as after it. */
void wbl_world_reset(struct wbl_kit *k, const char *to);
/* The engine of our state folder dies at once, if there is one. */
void wbl_world_shoot(struct wbl_kit *k);
/* The last state of the run in the journal; "" when there is none. */
void wbl_world_state(struct wbl_kit *k, char out[64]);
/* NULL: the fixture looks as expected. Else what is different; the caller frees. */
char *wbl_world_differs(struct wbl_kit *k, const struct wbl_buf *expected);
/* What the last command said, for a reason: its last lines. */
const char *wbl_world_said(const struct wbl_buf *out);
#endif
