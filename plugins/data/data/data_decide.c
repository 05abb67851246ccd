/* data_decide.c - who wins: three states of one row (source, target, both after the last run) and the operator's policy.
 * In: digests of a row on both sides and in the ledger, a decision of people.  Out: what is to be done.  Pure.
 * The table of cases stands in docs/data.md; a change here is a change there.
 * SPDX-License-Identifier: Apache-2.0 */
#include "data_conflict.h"

static int same(const struct data_key *a, const struct data_key *b)
{
	return a->lo == b->lo && a->hi == b->hi;
}

/* Both have changed: by decision, else by policy. */
static struct data_verdict conflict(
	const struct data_manner *n, const struct data_case *c, enum data_act write)
{
	int policy = c->decided ? c->decided : n->conflicts;
	struct data_verdict v = { .act = write, .conflict = n->conflicts != DATA_CONFLICTS_NONE };

	if (policy == DATA_CONFLICTS_TARGET) {
		v.act = DATA_NOTE;
		v.settle = c->here;
		v.forget = !c->here;
	} else if (policy == DATA_CONFLICTS_MANUAL) {
		v.act = DATA_HELD;
	}
	return v;
}

/* The row is gone in the source. */
static struct data_verdict decide_gone(
	const struct data_manner *n, int ledger, const struct data_case *c)
{
	struct data_verdict v = { .act = DATA_SAME };

	/* Not brought here by us, or left to the target before. */
	if (ledger && !c->base)
		return v;
	if (!c->now || c->now->marked) {
		v.forget = ledger;
		v.act = v.forget ? DATA_NOTE : DATA_SAME;
		return v;
	}
	if (ledger && !same(c->base, &c->now->digest))
		return conflict(n, c, DATA_REMOVE);
	v.act = DATA_REMOVE;
	return v;
}

struct data_verdict data_decide(const struct data_manner *n, int ledger, const struct data_case *c)
{
	struct data_verdict v = { .act = DATA_SAME };
	enum data_act write = c->now ? DATA_CHANGE : DATA_ADD;
	int moved;

	if (!c->here)
		return decide_gone(n, ledger, c);
	if (c->now && !c->now->marked && same(&c->now->digest, &c->digest)) {
		v.settle = ledger && (!c->base || !same(c->base, &c->digest));
		v.act = n->mode == DATA_MODE_APPEND ? DATA_REFUSE
			: v.settle                  ? DATA_NOTE
						    : DATA_SAME;
		return v;
	}
	if (n->mode == DATA_MODE_APPEND && c->now) {
		v.act = DATA_REFUSE;
		return v;
	}
	v.act = write;
	if (!ledger || n->conflicts == DATA_CONFLICTS_NONE)
		return v;
	if (!c->base)
		return c->now && !c->now->marked ? conflict(n, c, write) : v;
	moved = !c->now || c->now->marked || !same(&c->now->digest, c->base);
	if (!moved)
		return v;
	if (!same(&c->digest, c->base))
		return conflict(n, c, write);
	/* Only the target has changed it. */
	if (n->conflicts == DATA_CONFLICTS_SOURCE)
		v.conflict = 1;
	else
		v.act = DATA_SAME;
	return v;
}
