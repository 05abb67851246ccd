/* tests of who wins: every case of source, target and ledger under every policy, done and looked at again.
 * req: D4 D8
 * SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "../../../plugins/data/data/data_conflict.h"

enum { NONE, A, B, C, MARKED, STATES }; /* of a row: not there, three contents, marked as gone */

struct world {
	int source, target, base, policy, ledger, decided, deletes;
};

static struct data_key key_of(int content)
{
	return (struct data_key){ (uint64_t)content * 77, (uint64_t)content };
}

static struct data_verdict ask(const struct world *w)
{
	struct data_manner n = {
		.mode = DATA_MODE_MERGE,
		.by = DATA_BY_DIGEST,
		.conflicts = w->policy,
		.deletes = w->deletes,
	};
	struct data_row now = { .digest = key_of(w->target == MARKED ? A : w->target),
		.marked = w->target == MARKED };
	struct data_key base = key_of(w->base);
	struct data_case c = {
		.here = w->source != NONE,
		.digest = key_of(w->source),
		.now = w->target == NONE ? NULL : &now,
		.base = w->base == NONE ? NULL : &base,
		.decided = w->decided,
	};

	return data_decide(&n, w->ledger, &c);
}

/* What the verdict leaves behind. */
static struct world apply(struct world w, struct data_verdict v)
{
	int wrote = v.act == DATA_ADD || v.act == DATA_CHANGE;

	if (wrote)
		w.target = w.source;
	if (v.act == DATA_REMOVE)
		w.target = w.deletes == DATA_DELETES_MARK ? MARKED : NONE;
	if (w.ledger && (wrote || v.settle))
		w.base = w.source;
	if (w.ledger && (v.forget || v.act == DATA_REMOVE))
		w.base = NONE;
	return w;
}

static int moved(const struct world *w)
{
	return w->base != NONE && w->target != w->base;
}

static void check(const struct world *w)
{
	struct data_verdict v = ask(w), again;
	struct world after = apply(*w, v);
	int writes = v.act == DATA_ADD || v.act == DATA_CHANGE || v.act == DATA_REMOVE;

	/* What is to be written exists, or does not. */
	if (v.act == DATA_ADD)
		assert_int_equal(w->target, NONE);
	if (v.act == DATA_CHANGE || v.act == DATA_REMOVE)
		assert_int_not_equal(w->target, NONE);
	/* Equal rows are never written. */
	if (w->source == w->target)
		assert_false(writes);
	/* The target's own change is never overwritten unless the policy or somebody says so. */
	if (writes && w->ledger && moved(w) && !w->decided)
		assert_true(w->policy == DATA_CONFLICTS_SOURCE ||
			    w->policy == DATA_CONFLICTS_NONE || w->target == MARKED);
	/* Whoever asks to be told is told. */
	if (w->ledger && w->policy != DATA_CONFLICTS_NONE && w->base != NONE &&
		w->target != MARKED && moved(w) && w->source != w->base && w->source != w->target &&
		!(w->source == NONE && w->target == NONE))
		assert_true(v.conflict);
	/* Without a policy, and where the source wins, the target becomes like the source. */
	if (w->source != NONE && !w->decided && w->policy <= DATA_CONFLICTS_SOURCE)
		assert_int_equal(after.target, w->source);
	/* Manual: a conflict touches nothing. */
	if (v.conflict && w->policy == DATA_CONFLICTS_MANUAL && !w->decided)
		assert_int_equal(v.act, DATA_HELD);
	if (v.act == DATA_HELD)
		return;
	/* Once done, there is nothing more to do. */
	again = ask(&after);
	assert_int_equal(again.act, DATA_SAME);
	if (again.conflict)
		assert_true(w->policy == DATA_CONFLICTS_SOURCE);
	assert_memory_equal(&after.target, &(int){ apply(after, again).target }, sizeof(int));
}

static void test_all_cases(void **state)
{
	struct world w;
	int n = 0;

	(void)state;
	for (w.source = NONE; w.source <= C; w.source++)
		for (w.target = NONE; w.target < STATES; w.target++)
			for (w.base = NONE; w.base <= C; w.base++)
				for (w.policy = DATA_CONFLICTS_NONE;
					w.policy <= DATA_CONFLICTS_MANUAL; w.policy++)
					for (w.decided = 0; w.decided <= DATA_CONFLICTS_TARGET;
						w.decided++)
						for (w.deletes = DATA_DELETES_APPLY;
							w.deletes <= DATA_DELETES_MARK;
							w.deletes++) {
							w.ledger = 1;
							if (w.decided &&
								w.policy != DATA_CONFLICTS_MANUAL)
								continue;
							check(&w);
							n++;
						}
	print_message("# %d cases\n", n);
	assert_true(n > 400);
}

static void test_no_ledger(void **state)
{
	struct world w = { .deletes = DATA_DELETES_APPLY };

	(void)state;
	for (w.source = NONE; w.source <= C; w.source++)
		for (w.target = NONE; w.target < STATES; w.target++)
			check(&w);
}

static void test_append(void **state)
{
	struct data_manner n = { .mode = DATA_MODE_APPEND };
	struct data_row now = { .digest = key_of(A) };
	struct data_case c = { .here = 1, .digest = key_of(A), .now = &now };

	(void)state;
	assert_int_equal(data_decide(&n, 0, &c).act, DATA_REFUSE);
	c.digest = key_of(B);
	assert_int_equal(data_decide(&n, 0, &c).act, DATA_REFUSE);
	c.now = NULL;
	assert_int_equal(data_decide(&n, 0, &c).act, DATA_ADD);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_all_cases),
		cmocka_unit_test(test_no_ledger),
		cmocka_unit_test(test_append),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
