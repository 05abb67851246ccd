/* engine/learn.c - how long steps took, for the estimates of later plans.
 * In: a step that was verified at its first attempt.  Out: an entry of its duration; later the estimate of a step of the
 * same operation, with its basis in words. A handler's own guess stays where nothing was learnt.
 * SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "core/engine/learn.h"

#include <stdlib.h>
#include <string.h>

enum { MOST_READ = 200, MOST_SEEN = 20 };

static char *name_of(const char *handler, const char *op)
{
	return wbl_strf("%s/%s", handler, op);
}

static const char *handler_of(const json_t *migrations, const char *name)
{
	const json_t *m;
	size_t i;

	json_array_foreach((json_t *)migrations, i, m)
	{
		const char *have = wbl_json_str(m, "name");

		if (have && name && !strcmp(have, name))
			return wbl_json_str(m, "handler");
	}
	return NULL;
}

static int64_t items_of(const struct wbl_run_step *s)
{
	return s->flags & WBL_STEP_PARTITIONED ? s->so_far.items : s->sums.items;
}

void wbl_learn_step(struct wbl_run_step *s)
{
	const char *op = wbl_json_str(s->def, "op"),
		   *handler = handler_of(json_object_get(s->run->plan, "migrations"),
			   wbl_json_str(s->def, "migration"));
	WBL_AUTOFREE char *name = op && handler ? name_of(handler, op) : NULL;
	WBL_AUTOFREE char *text = NULL;
	json_t *body;

	if (!name || s->run->rehearse || s->state != WBL_STEP_VERIFIED || s->attempt > 1 ||
		s->pass != 1 || !s->began || s->ended <= s->began ||
		s->flags & (WBL_STEP_BACKGROUND | WBL_STEP_MANUAL))
		return;
	body = json_pack("{s:I, s:I}", "items", (json_int_t)items_of(s), "ns",
		(json_int_t)(s->ended - s->began));
	text = wbl_json_text(body);
	json_decref(body);
	wbl_step_append(
		s, &(struct wbl_entry){
			   .kind = WBL_KIND_LEARNT, .name = name, .body = { text, strlen(text) } });
}

/* --- later --- */

struct lesson {
	int64_t items, ns;
};
struct lessons {
	struct lesson list[MOST_SEEN];
	size_t count;
};
struct seeing {
	const char *step;
	struct lessons same, like; /* of the very same step, which says more; of any of its kind */
};

static void add(struct lessons *l, const json_t *body)
{
	if (l->count < MOST_SEEN)
		l->list[l->count++] = (struct lesson){ wbl_json_int(body, "items", 0),
			wbl_json_int(body, "ns", 0) };
}

static int32_t see(void *ctx, const struct wbl_entry *e)
{
	struct seeing *s = ctx;
	json_t *body = e->body.data ? wbl_json_parse(e->body.data, e->body.len, NULL, NULL) : NULL;

	if (body && e->step && !strcmp(e->step, s->step))
		add(&s->same, body);
	if (body)
		add(&s->like, body);
	json_decref(body);
	return 0;
}

static int64_t scaled(const struct lesson *l, int64_t items)
{
	/* What takes no time by the item, or is small, takes at least as long as it did. */
	if (items <= 0 || l->items <= 0)
		return l->ns;
	return (int64_t)((double)l->ns * (double)items / (double)l->items);
}

static int by_size(const void *a, const void *b)
{
	const int64_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

static void put_estimate(json_t *step, const struct lessons *l)
{
	json_t *estimate = json_object_get(step, "estimate");
	int64_t items = wbl_json_int(estimate, "items", 0), ns[MOST_SEEN], likely, most;
	WBL_AUTOFREE char *basis = NULL;
	size_t i;

	for (i = 0; i < l->count; i++)
		ns[i] = scaled(&l->list[i], items);
	qsort(ns, l->count, sizeof *ns, by_size);
	likely = ns[l->count / 2];
	most = ns[l->count - 1];
	/* Few have not seen much. */
	if (most < likely + likely / (int64_t)l->count)
		most = likely + likely / (int64_t)l->count;
	basis = wbl_strf("learnt: %zu earlier %s of this kind in this state folder", l->count,
		l->count == 1 ? "step" : "steps");
	if (!estimate) {
		estimate = json_object();
		json_object_set_new(step, "estimate", estimate);
	}
	wbl_json_puti(estimate, "p50_ns", likely);
	wbl_json_puti(estimate, "p90_ns", most);
	wbl_json_put(estimate, "basis", basis);
}

void wbl_learn_apply(struct wbl_engine *e, json_t *plan)
{
	json_t *step;
	size_t i;

	json_array_foreach(json_object_get(plan, "steps"), i, step)
	{
		const char *op = wbl_json_str(step, "op"),
			   *handler = handler_of(json_object_get(plan, "migrations"),
				   wbl_json_str(step, "migration"));
		WBL_AUTOFREE char *name = op && handler ? name_of(handler, op) : NULL;
		struct wbl_query q = { .kind = WBL_KIND_LEARNT,
			.name = name,
			.newest_first = true,
			.limit = MOST_READ };
		struct seeing l = { .step = wbl_json_str(step, "id") };

		if (!name || json_object_get(step, "manual"))
			continue;
		wbl_journal_each(e->state, &q, see, &l, NULL);
		if (l.like.count)
			put_estimate(step, l.same.count ? &l.same : &l.like);
	}
}
