/* test_runs.c - runs as the engine holds them: read whole or not at all, never without something that moves them; and
 * the refs of differences.
 * In: journals written here, a journal that stops being readable on demand.
 * req: X9 H5 U5
 * SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <sodium.h>

#include "core/base/file.h"
#include "core/engine/refs.h"
#include "core/engine/run.h"

static const char plan[] = "{\"id\": \"p-000001\", \"name\": \"x\", \"migrations\": [{\"name\": "
			   "\"m\", \"handler\": \"none\", "
			   "\"policy\": {}}], \"steps\": [{\"id\": \"m/s\", \"step\": \"s\", "
			   "\"migration\": \"m\", \"op\": \"o\", "
			   "\"title\": \"t\", \"kind\": \"migration\", \"inverse\": \"rollback\", "
			   "\"flags\": [], \"after\": []}]}";

struct world {
	char dir[64];
	struct wbl_engine *e;
};

/* The journal itself, but for reads of a whole run that are to fail after some entries. */
static int fail_after = -1;

int32_t __real_wbl_journal_each(struct wbl_state *s, const struct wbl_query *q,
	int32_t (*each)(void *, const struct wbl_entry *), void *ctx, struct wbl_error *err);
int32_t __wrap_wbl_journal_each(struct wbl_state *s, const struct wbl_query *q,
	int32_t (*each)(void *, const struct wbl_entry *), void *ctx, struct wbl_error *err);

struct cut {
	int32_t (*each)(void *, const struct wbl_entry *);
	void *ctx;
	int left;
};

static int32_t until_cut(void *ctx, const struct wbl_entry *e)
{
	struct cut *c = ctx;

	return c->left-- > 0 ? c->each(c->ctx, e) : WBL_E_DAMAGED;
}

int32_t __wrap_wbl_journal_each(struct wbl_state *s, const struct wbl_query *q,
	int32_t (*each)(void *, const struct wbl_entry *), void *ctx, struct wbl_error *err)
{
	struct cut c = { each, ctx, fail_after };
	int32_t rc;

	if (fail_after < 0 || !q->run || q->kind)
		return __real_wbl_journal_each(s, q, each, ctx, err);
	rc = __real_wbl_journal_each(s, q, until_cut, &c, err);
	return rc ? wbl_fail(err, rc, "history.db", NULL, "it cannot be read on") : 0;
}

static void append(struct world *w, struct wbl_entry e)
{
	wbl_engine_append(w->e, NULL, &e);
}

static void append_state(struct world *w, const char *state)
{
	append(w,
		(struct wbl_entry){ .kind = WBL_KIND_RUN_STATE, .run = "r-000001", .name = state });
}

static void open_engine(struct world *w)
{
	static const char *const none[] = { NULL };
	struct wbl_engine_options o = { .state_dir = w->dir,
		.config_dir = w->dir,
		.module_dirs = none,
		.host_program = "none" };
	struct wbl_error err;

	assert_int_equal(wbl_engine_open(&o, &w->e, &err), 0);
}

static int setup(void **state)
{
	struct world *w = wbl_alloc(sizeof *w);

	snprintf(w->dir, sizeof w->dir, "/tmp/wbl-runs.XXXXXX");
	assert_non_null(mkdtemp(w->dir));
	assert_true(sodium_init() >= 0);
	open_engine(w);
	append(w, (struct wbl_entry){ .kind = WBL_KIND_PLAN_MADE,
			  .name = "p-000001",
			  .body = { plan, sizeof plan - 1 } });
	append(w, (struct wbl_entry){ .kind = WBL_KIND_RUN_CREATED,
			  .run = "r-000001",
			  .name = "p-000001",
			  .body = { "{}", 2 } });
	append_state(w, "validating");
	append_state(w, "executing");
	append(w, (struct wbl_entry){ .kind = WBL_KIND_STEP_INTENT,
			  .run = "r-000001",
			  .step = "m/s",
			  .name = "execute",
			  .pass = 1,
			  .attempt = 1 });
	*state = w;
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;
	WBL_AUTOFREE char *clean = wbl_strf("rm -rf %s", w->dir);

	wbl_engine_close(w->e);
	assert_int_equal(system(clean), 0);
	free(w);
	return 0;
}

static void a_run_that_cannot_be_read_to_its_end_is_not_held(void **state)
{
	struct world *w = *state;

	append_state(w, "failed");
	for (fail_after = 0; fail_after < 4; fail_after++) {
		assert_null(wbl_run_find(w->e, "r-000001"));
		assert_null(w->e->runs);
	}
	fail_after = -1;
	assert_non_null(wbl_run_find(w->e, "r-000001"));
	assert_int_equal(w->e->runs->state, WBL_RUN_FAILED);
}

static void a_run_that_nothing_moves_is_stopped(void **state)
{
	struct world *w = *state;
	struct wbl_run *run = wbl_run_find(w->e, "r-000001");
	struct wbl_error err;

	/* Held, it waits for somebody. Taken up, its step is under way, but nobody works on it. */
	assert_int_equal(run->state, WBL_RUN_EXECUTING);
	assert_true(wbl_run_moves(run));
	run->held = false;
	assert_false(wbl_run_moves(run));
	wbl_engine_touch(w->e, run);
	assert_int_equal(wbl_engine_turn(w->e, &err), 0);
	assert_int_equal(run->state, WBL_RUN_FAILED);
	assert_int_equal(run->status, WBL_E_INTERNAL);
	assert_non_null(strstr(wbl_json_str(run->error, "text"), "m/s executing"));
	assert_true(wbl_run_moves(run));
}

static void refs_are_encrypted_and_come_back(void **state)
{
	struct world *w = *state;
	struct wbl_buf sealed = { 0 }, again = { 0 }, open = { 0 };
	struct wbl_error err;

	assert_int_equal(wbl_ref_seal(w->e, "customer 4711", 13, &sealed, &err), 0);
	assert_int_equal(wbl_ref_seal(w->e, "customer 4711", 13, &again, &err), 0);
	assert_null(memmem(sealed.data, sealed.len, "4711", 4));
	assert_memory_not_equal(sealed.data, again.data, sealed.len);
	w->e->has_ref_key = false; /* another engine reads it from its file */
	assert_int_equal(wbl_ref_open(w->e, sealed.data, sealed.len, &open, &err), 0);
	assert_int_equal(open.len, 13);
	assert_memory_equal(open.data, "customer 4711", 13);
	wbl_buf_clear(&open);
	sealed.data[sealed.len - 1] ^= 1;
	assert_int_equal(wbl_ref_open(w->e, sealed.data, sealed.len, &open, &err), WBL_E_CORRUPT);
	assert_int_equal(open.len, 0);
	/* As older engines kept them. */
	assert_int_equal(wbl_ref_open(w->e, "old one", 7, &open, &err), 0);
	assert_int_equal(open.len, 7);
	wbl_buf_clear(&sealed);
	wbl_buf_clear(&again);
	wbl_buf_clear(&open);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			a_run_that_cannot_be_read_to_its_end_is_not_held, setup, teardown),
		cmocka_unit_test_setup_teardown(
			a_run_that_nothing_moves_is_stopped, setup, teardown),
		cmocka_unit_test_setup_teardown(refs_are_encrypted_and_come_back, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
