/* engine/run.c - making a run from its plan document, loading runs from the journal, finding them.
 * SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "core/engine/claims.h"
#include "core/engine/run.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <event2/event.h>

#include "core/engine/names.h"
#include "core/engine/plan.h"
#include "core/engine/upgrade.h"

static const struct {
	const char *name;
	int rest, exit;
	const char *text;
} run_states[] = {
	{ "none", 0, 1, "" },
#define WBL_RUN(symbol, name, rest, exit, text) { name, rest, exit, text },
#define WBL_RUN_CHANGE(from, to)
#include "core/engine/run_states.def"
#undef WBL_RUN
#undef WBL_RUN_CHANGE
};

static const char *const step_states[] = {
#define WBL_STEP(symbol, name, text) name,
#include "core/engine/step_states.def"
#undef WBL_STEP
};

const char *wbl_run_state_name(enum wbl_run_state s)
{
	return run_states[s].name;
}

const char *wbl_run_state_text(enum wbl_run_state s)
{
	return run_states[s].text;
}

int wbl_run_exit(const struct wbl_run *run)
{
	bool mismatch = run->status == WBL_E_MISMATCH;

	if (run->held && !run_states[run->state].rest)
		return 8;
	if (run->state == WBL_RUN_FAILED && mismatch)
		return wbl_code_exit(WBL_E_MISMATCH);
	return run_states[run->state].exit;
}

enum wbl_run_state wbl_run_state_parse(const char *name)
{
	size_t i;

	for (i = 0; name && i < WBL_COUNT(run_states); i++)
		if (!strcmp(run_states[i].name, name))
			return (enum wbl_run_state)i;
	return WBL_RUN_NONE;
}

const char *wbl_step_state_name(enum wbl_step_state s)
{
	return step_states[s];
}

enum wbl_step_state wbl_step_state_parse(const char *name)
{
	size_t i;

	for (i = 0; name && i < WBL_COUNT(step_states); i++)
		if (!strcmp(step_states[i], name))
			return (enum wbl_step_state)i;
	return WBL_STEP_PENDING;
}

bool wbl_run_at_rest(const struct wbl_run *run)
{
	return run_states[run->state].rest > 0;
}

bool wbl_run_is_over(const struct wbl_run *run)
{
	return run_states[run->state].rest == 2;
}

bool wbl_run_change_legal(enum wbl_run_state from, enum wbl_run_state to)
{
#define WBL_RUN(symbol, name, rest, exit, text)
#define WBL_RUN_CHANGE(a, b)                                                                       \
	if (from == WBL_RUN_##a && to == WBL_RUN_##b)                                              \
		return true;
#include "core/engine/run_states.def"
#undef WBL_RUN
#undef WBL_RUN_CHANGE
	return false;
}

/* --- sums --- */

static void add128(char out[33], const char *a, const char *b)
{
	unsigned __int128 x = 0, y = 0;
	int i;

	for (i = 0; a && a[i] && i < 32; i++)
		x = x << 4 | (unsigned)(a[i] <= '9' ? a[i] - '0' : (a[i] | 32) - 'a' + 10);
	for (i = 0; b && b[i] && i < 32; i++)
		y = y << 4 | (unsigned)(b[i] <= '9' ? b[i] - '0' : (b[i] | 32) - 'a' + 10);
	x += y;
	snprintf(out, 33, "%016llx%016llx", (unsigned long long)(x >> 64), (unsigned long long)x);
}

static void add_digest(json_t *sums, const json_t *d)
{
	const char *set = wbl_json_str(d, "set");
	char hex[33];
	json_t *own;
	size_t i;

	json_array_foreach(sums, i, own)
	{
		const char *name = wbl_json_str(own, "set");

		if (!set || !name || strcmp(set, name))
			continue;
		wbl_json_puti(
			own, "count", wbl_json_int(own, "count", 0) + wbl_json_int(d, "count", 0));
		add128(hex, wbl_json_str(own, "row"), wbl_json_str(d, "row"));
		wbl_json_put(own, "row", hex);
		add128(hex, wbl_json_str(own, "key"), wbl_json_str(d, "key"));
		wbl_json_put(own, "key", hex);
		return;
	}
	json_array_append_new(sums, json_deep_copy(d));
}

static void add_digests(struct wbl_sums *sums, const json_t *digests)
{
	json_t *d;
	size_t i;

	if (!json_array_size(digests))
		return;
	if (!sums->digests)
		sums->digests = json_array();
	json_array_foreach(digests, i, d) add_digest(sums->digests, d);
}

void wbl_sums_add(struct wbl_sums *sums, const struct wbl_sums *more)
{
	sums->items += more->items;
	sums->bytes += more->bytes;
	sums->rejected += more->rejected;
	sums->chunks += more->chunks;
	add_digests(sums, more->digests);
}

void wbl_sums_from_json(struct wbl_sums *sums, const json_t *t)
{
	if (!t)
		return;
	sums->items = wbl_json_int(t, "items", 0);
	sums->bytes = wbl_json_int(t, "bytes", 0);
	sums->rejected = wbl_json_int(t, "rejected", 0);
	sums->chunks = wbl_json_int(t, "chunks", 0);
	json_decref(sums->digests);
	sums->digests = json_deep_copy(json_object_get(t, "digests"));
}

json_t *wbl_sums_json(const struct wbl_sums *sums)
{
	json_t *j = json_object();

	wbl_json_puti(j, "items", sums->items);
	wbl_json_puti(j, "bytes", sums->bytes);
	wbl_json_puti(j, "rejected", sums->rejected);
	wbl_json_puti(j, "chunks", sums->chunks);
	if (sums->digests)
		json_object_set(j, "digests", sums->digests);
	return j;
}

void wbl_sums_clear(struct wbl_sums *sums)
{
	json_decref(sums->digests);
	*sums = (struct wbl_sums){ 0 };
}

/* --- making --- */

struct wbl_run_step *wbl_run_step(struct wbl_run *run, const char *id)
{
	const json_t *n = json_object_get(run->index, id);

	return n ? &run->steps[json_integer_value(n)] : NULL;
}

static struct wbl_instance *instance(struct wbl_run *run, const char *name)
{
	size_t i;

	for (i = 0; i < run->ninstances; i++)
		if (!strcmp(run->instances[i]->name, name))
			return run->instances[i];
	return NULL;
}

static const json_t *migration_of(const struct wbl_run *run, const char *name)
{
	const json_t *m;
	size_t i;

	json_array_foreach(json_object_get(run->plan, "migrations"), i,
		m) if (!strcmp(wbl_json_str(m, "name"), name)) return m;
	return NULL;
}

#define HOUR INT64_C(3600000000000)
#define YEAR (INT64_C(8784) * HOUR)

/* The step's own, else the policy's; kept within what can be reckoned with. */
static int64_t limit(const json_t *limits, const json_t *policy, const char *key, int64_t most,
	int64_t otherwise)
{
	int64_t n = wbl_json_int(limits, key, 0);

	if (n <= 0)
		n = wbl_json_int(policy, key, otherwise);
	return n < 0 ? otherwise : n > most ? most : n;
}

/* Each process that works on chunks opens the stores and routers of its migration: together no more than allowed. */
static int64_t processes_for(int64_t processes, int64_t connections, const json_t *migration)
{
	int64_t each = 0;
	const json_t *p;
	size_t i;

	json_array_foreach(json_object_get(migration, "peers"), i, p)
	{
		const char *interface = wbl_json_str(p, "interface");

		each += interface &&
			(!strcmp(interface, "wbl.store/1") || !strcmp(interface, "wbl.router/1"));
	}
	if (connections <= 0 || !each || processes * each <= connections)
		return processes;
	return connections < each ? 1 : connections / each;
}

static void make_step(struct wbl_run *run, struct wbl_run_step *s, const json_t *def)
{
	const json_t *limits = json_object_get(def, "limits");
	const char *migration = wbl_json_str(def, "migration");
	const json_t *policy = json_object_get(migration_of(run, migration), "policy");

	s->run = run;
	s->def = def;
	s->instance = instance(run, migration);
	s->id = wbl_json_str(def, "id");
	s->own_id = wbl_json_str(def, "step");
	s->title = wbl_json_str(def, "title");
	s->op = wbl_json_str(def, "op");
	s->barrier = wbl_json_str(def, "barrier");
	s->params = wbl_json_str(def, "params");
	s->kind = wbl_step_kind_parse(wbl_json_str(def, "kind"));
	s->inverse = wbl_inverse_parse(wbl_json_str(def, "inverse"));
	s->flags = wbl_step_flags_parse(json_object_get(def, "flags"));
	s->attempts_max = limit(limits, policy, "attempts", 1000, 3);
	s->restarts_max = limit(limits, NULL, "restarts", 1000000, 3);
	s->processes_max = processes_for(limit(limits, policy, "processes", 1024, 2),
		wbl_json_int(limits, "connections", 0), migration_of(run, migration));
	s->grace_ns = limit(limits, NULL, "grace_ns", HOUR, 0);
	s->timeout_ns = limit(limits, policy, "timeout_ns", YEAR, 0);
	s->backoff_ns = limit(limits, policy, "backoff_ns", HOUR, INT64_C(1000000000));
	s->retries_max = limit(limits, policy, "attempts", 1000, 3);
}

static int32_t refer(struct wbl_run *run, struct wbl_run_step *s, const char *key,
	struct wbl_run_step **ret, struct wbl_error *err)
{
	const char *id = wbl_json_str(s->def, key);

	*ret = id ? wbl_run_step(run, id) : NULL;
	if (id && !*ret)
		return wbl_fail(err, WBL_E_OLD_PLAN, s->id, "Tell the handler's author.",
			"%s names no step: %s", key, id);
	return 0;
}

enum { STEPS_MAX = 10000, EDGES_MAX = 4000000 };

/* seen[to]: the step (its number + 1) that was last found to wait for `to`. */
static void add_edge(struct wbl_run_step *s, size_t to, size_t *seen)
{
	if (seen[to] == s->index + 1)
		return;
	seen[to] = s->index + 1;
	s->after = wbl_grow(s->after, s->nafter, sizeof *s->after);
	s->after[s->nafter++] = to;
}

static int barrier_rank(const struct wbl_run *run, const char *name)
{
	const json_t *b;
	size_t i;

	if (!name)
		return -1;
	json_array_foreach(json_object_get(run->plan, "barriers"), i,
		b) if (json_is_string(b) && !strcmp(json_string_value(b), name)) return (int)i;
	return -1;
}

static int32_t resolve(struct wbl_run *run, struct wbl_run_step *s, const int *rank, size_t *seen,
	struct wbl_error *err)
{
	const json_t *dep;
	size_t i;

	json_array_foreach(json_object_get(s->def, "after"), i, dep)
	{
		const char *id = json_string_value(dep);
		struct wbl_run_step *to = id ? wbl_run_step(run, id) : NULL;

		if (!to)
			return wbl_fail(err, WBL_E_OLD_PLAN, s->id, "Tell the handler's author.",
				"after names no step: %s",
				id ? id : "what stands there is no text");
		add_edge(s, to->index, seen);
	}
	for (i = 0; i < run->nsteps; i++)
		if (rank[s->index] > rank[i] && rank[i] >= 0)
			add_edge(s, i, seen);
	if (refer(run, s, "finishes", &s->finishes, err) ||
		refer(run, s, "retry_from", &s->retry_from, err))
		return err->code;
	if (s->finishes) {
		s->finishes->finished_by = s;
		add_edge(s, s->finishes->index, seen);
	}
	if (s->inverse == WBL_INVERSE_STEP) {
		s->compensation = NULL;
		if (refer(run, s, "inverse_arg", &s->compensation, err))
			return err->code;
		if (s->compensation)
			s->compensation->is_compensation = true;
		if (s->compensation && (s->compensation->flags & WBL_STEP_BACKGROUND))
			return wbl_fail(err, WBL_E_PARAM, s->compensation->id,
				"Tell the handler's author.",
				"a background step cannot take another one back: it would never "
				"end");
	}
	return 0;
}

static int32_t resolve_all(struct wbl_run *run, struct wbl_error *err)
{
	WBL_AUTOFREE int *rank = wbl_alloc((run->nsteps + 1) * sizeof *rank);
	WBL_AUTOFREE size_t *seen = wbl_alloc((run->nsteps + 1) * sizeof *seen);
	size_t i, edges = 0;
	int32_t rc = 0;

	for (i = 0; i < run->nsteps; i++)
		rank[i] = barrier_rank(run, run->steps[i].barrier);
	for (i = 0; i < run->nsteps && !rc; i++) {
		rc = resolve(run, &run->steps[i], rank, seen, err);
		edges += run->steps[i].nafter;
		if (!rc && edges > EDGES_MAX)
			rc = wbl_fail(err, WBL_E_PARAM, run->steps[i].id,
				"Use fewer steps: one step can have many chunks.",
				"the steps wait for each other in more than %d ways", EDGES_MAX);
	}
	return rc;
}

static int32_t sort_steps(struct wbl_run *run, struct wbl_error *err)
{
	WBL_AUTOFREE char *placed = wbl_alloc(run->nsteps + 1);
	size_t n = 0, i, j;

	run->order = wbl_alloc((run->nsteps + 1) * sizeof *run->order);
	while (n < run->nsteps) {
		size_t before = n;

		for (i = 0; i < run->nsteps; i++) {
			if (placed[i])
				continue;
			for (j = 0; j < run->steps[i].nafter && placed[run->steps[i].after[j]]; j++)
				;
			if (j < run->steps[i].nafter)
				continue;
			placed[i] = 1;
			run->order[n++] = i;
		}
		if (n == before) {
			for (i = 0; placed[i]; i++)
				;
			return wbl_fail(err, WBL_E_PARAM, run->steps[i].id,
				"Tell the handler's author; if the spec orders migrations or "
				"barriers, change that.",
				"the steps wait for each other in a circle");
		}
	}
	return 0;
}

static void free_step(struct wbl_run_step *s)
{
	size_t i;

	for (i = 0; i < WBL_COUNT(s->checkpoint); i++)
		wbl_buf_clear(&s->checkpoint[i]);
	for (i = 0; i < s->nchunks; i++) {
		free(s->chunks[i].id);
		free(s->chunks[i].parent);
		wbl_buf_clear(&s->chunks[i].body);
		wbl_buf_clear(&s->chunks[i].checkpoint);
		wbl_sums_clear(&s->chunks[i].sums);
	}
	for (i = 0; i < s->noutputs; i++) {
		free(s->outputs[i].name);
		wbl_buf_clear(&s->outputs[i].value);
	}
	json_decref(s->chunk_index);
	free(s->chunks);
	free(s->own_params);
	free(s->outputs);
	free(s->after);
	free(s->demand_position);
	wbl_sums_clear(&s->sums);
	wbl_sums_clear(&s->mended);
	json_decref(s->error);
}

void wbl_run_free(struct wbl_engine *e, struct wbl_run *run)
{
	size_t i;

	if (!run)
		return;
	wbl_upgrade_free(run->upgrade);
	wbl_claims_clear(run);
	for (i = 0; i < run->nsteps; i++)
		free_step(&run->steps[i]);
	for (i = 0; i < run->ninstances; i++)
		wbl_instance_free(e, run->instances[i]);
	for (i = 0; i < run->nbarriers; i++)
		free(run->barriers[i]);
	for (i = 0; i < run->nquestions; i++) {
		free(run->questions[i].step);
		free(run->questions[i].id);
		free(run->questions[i].answer);
		json_decref(run->questions[i].body);
	}
	if (run->timer)
		event_free(run->timer);
	json_decref(run->index);
	free(run->steps);
	free(run->order);
	free(run->instances);
	free(run->barriers);
	free(run->questions);
	free(run->id);
	free(run->plan_id);
	free(run->name);
	free(run->actor);
	free(run->reason);
	free(run->rollback_to);
	json_decref(run->error);
	json_decref(run->validation_error);
	json_decref(run->plan);
	free(run);
}

static void make_instances(struct wbl_run *run)
{
	json_t *migrations = json_object_get(run->plan, "migrations"), *m;
	size_t i;

	run->instances = wbl_alloc((json_array_size(migrations) + 1) * sizeof *run->instances);
	json_array_foreach(migrations, i, m)
	{
		struct wbl_instance *in =
			wbl_instance_new(run->id, m, run->engine->registry, run->rehearse);

		in->run = run;
		run->instances[run->ninstances++] = in;
	}
}

static void on_timer(evutil_socket_t fd, short what, void *ctx)
{
	struct wbl_run *run = ctx;

	wbl_engine_touch(run->engine, run);
}

/* What the rest of the engine relies on. */
static int32_t check_steps(const struct wbl_run *run, struct wbl_error *err)
{
	static const char hint[] = "Plan again.";
	size_t i;

	if (run->nsteps > STEPS_MAX)
		return wbl_fail(err, WBL_E_PARAM, run->id,
			"Use fewer steps: one step can have many chunks.",
			"the plan has %zu steps, more than %d", run->nsteps, STEPS_MAX);
	for (i = 0; i < run->nsteps; i++) {
		const struct wbl_run_step *s = &run->steps[i];

		if (!s->instance)
			return wbl_fail(err, WBL_E_OLD_PLAN, s->id, hint,
				"the step belongs to no migration of the plan");
		if (!s->kind || !s->inverse)
			return wbl_fail(err, WBL_E_OLD_PLAN, s->id, hint,
				"the step has no known kind or inverse");
		if (wbl_run_step((struct wbl_run *)run, s->id) != s)
			return wbl_fail(err, WBL_E_OLD_PLAN, s->id, hint,
				"the plan has two steps of this id");
	}
	return 0;
}

struct wbl_run *wbl_run_new(
	struct wbl_engine *e, const char *id, json_t *plan, struct wbl_error *err)
{
	struct wbl_run *run = wbl_alloc(sizeof *run);
	json_t *steps = json_object_get(plan, "steps"), *def;
	int32_t rc = 0;
	size_t i;

	run->engine = e;
	run->id = wbl_strdup(id);
	run->plan = json_incref(plan);
	run->plan_id = wbl_strdup(wbl_json_str(plan, "id"));
	run->name = wbl_strdup(wbl_json_str(plan, "name"));
	run->epoch = 1;
	run->began_live = wbl_now_mono();
	make_instances(run);
	run->index = json_object();
	run->steps = wbl_alloc((json_array_size(steps) + 1) * sizeof *run->steps);
	json_array_foreach(steps, i, def)
	{
		make_step(run, &run->steps[i], def);
		run->steps[i].index = run->nsteps++;
		wbl_json_puti(run->index, run->steps[i].id, (int64_t)i);
	}
	wbl_claims_make(run);
	rc = check_steps(run, err);
	if (!rc)
		rc = resolve_all(run, err);
	if (!rc)
		rc = sort_steps(run, err);
	if (rc) {
		wbl_run_free(e, run);
		return NULL;
	}
	run->timer = event_new(e->base, -1, 0, on_timer, run);
	return run;
}

/* --- loading --- */

struct loading {
	struct wbl_engine *e;
	struct wbl_run *run;
	struct wbl_error *err;
	const char *only;
	int32_t rc;
};

static int32_t fold_one(void *ctx, const struct wbl_entry *entry)
{
	struct loading *l = ctx;

	wbl_run_fold(l->run, entry);
	return 0;
}

/* What an interrupted run may still have to take back is not for others to change. */
static bool keeps_claims(const struct wbl_run *run)
{
	return !run->rehearse && !wbl_run_is_over(run) && run->state != WBL_RUN_VALIDATING &&
	       !wbl_run_waits_for_claims(run);
}

static int32_t load_run(void *ctx, const struct wbl_entry *created)
{
	struct loading *l = ctx;
	struct wbl_query q = { .run = created->run };
	json_t *plan, *body = wbl_json_parse(created->body.data ? created->body.data : "{}",
			      created->body.data ? created->body.len : 2, NULL, NULL);
	struct wbl_run *run;

	plan = wbl_plan_load(l->e->state, created->name, NULL, l->err);
	if (!plan) {
		json_decref(body);
		return l->err->code;
	}
	wbl_plan_override(plan, json_object_get(body, "args"));
	run = wbl_run_new(l->e, created->run, plan, l->err);
	json_decref(plan);
	if (run) {
		run->rehearse = wbl_json_bool(body, "rehearse", false);
		run->held = true;
		l->run = run;
		l->rc = wbl_journal_each(l->e->state, &q, fold_one, l, l->err);
	}
	json_decref(body);
	if (!run)
		return l->err->code;
	if (l->rc) { /* half of it would be taken for all of it */
		wbl_run_free(l->e, run);
		l->run = NULL;
		return l->rc;
	}
	run->has_claims = keeps_claims(run);
	run->next = l->e->runs;
	l->e->runs = run;
	return 0;
}

struct unfinished {
	json_t *states; /* run -> last state */
	int64_t last_run, last_plan;
};

static int32_t see_state(void *ctx, const struct wbl_entry *entry)
{
	struct unfinished *u = ctx;
	enum wbl_run_state s = wbl_run_state_parse(entry->name);

	if (run_states[s].rest == 2)
		json_object_del(u->states, entry->run);
	else
		json_object_set_new(u->states, entry->run, json_true());
	return 0;
}

static int32_t see_number(void *ctx, const struct wbl_entry *entry)
{
	int64_t *last = ctx,
		n = strtoll((entry->kind == WBL_KIND_PLAN_MADE ? entry->name : entry->run) + 2,
			NULL, 10);

	if (n > *last)
		*last = n;
	return 0;
}

int32_t wbl_runs_load(struct wbl_engine *e, struct wbl_error *err)
{
	struct unfinished u = { json_object(), 0, 0 };
	struct loading l = { e, NULL, err, NULL, 0 };
	struct wbl_query states = { .kind = WBL_KIND_RUN_STATE };
	struct wbl_query newest = {
		.kind = WBL_KIND_RUN_CREATED, .newest_first = true, .limit = 1
	};
	const char *id;
	json_t *yes;
	int32_t rc = wbl_journal_each(e->state, &states, see_state, &u, err);

	if (!rc)
		rc = wbl_journal_each(e->state, &newest, see_number, &e->next_run, err);
	newest.kind = WBL_KIND_PLAN_MADE;
	if (!rc)
		rc = wbl_journal_each(e->state, &newest, see_number, &e->next_plan, err);
	json_object_foreach(u.states, id, yes)
	{
		struct wbl_query q = { .run = id, .kind = WBL_KIND_RUN_CREATED, .limit = 1 };

		if (!rc)
			rc = wbl_journal_each(e->state, &q, load_run, &l, err);
	}
	json_decref(u.states);
	return rc;
}

struct wbl_run *wbl_run_find(struct wbl_engine *e, const char *id)
{
	struct wbl_error err;
	struct loading l = { e, NULL, &err, NULL, 0 };
	struct wbl_query q = { .run = id, .kind = WBL_KIND_RUN_CREATED, .limit = 1 };
	struct wbl_run *run;
	char last[32];

	if (!id)
		return NULL;
	if (!strcmp(id, "last")) {
		snprintf(last, sizeof last, "r-%06lld", (long long)e->next_run);
		q.run = id = last;
	}
	for (run = e->runs; run; run = run->next)
		if (!strcmp(run->id, id))
			return run;
	if (wbl_journal_each(e->state, &q, load_run, &l, &err))
		return NULL;
	return l.run;
}

void wbl_run_plan_digest(struct wbl_run *run, char out[WBL_SHA256_HEX])
{
	char *text = NULL;
	json_t *plan = wbl_plan_load(run->engine->state, run->plan_id, &text, NULL);

	out[0] = '\0';
	if (text)
		wbl_sha256_hex(text, strlen(text), out);
	json_decref(plan);
	free(text);
}

enum { FINISHED_KEPT = 64 };

void wbl_runs_forget(struct wbl_engine *e)
{
	struct wbl_run **p = &e->runs;
	size_t kept = 0;

	while (*p) {
		struct wbl_run *run = *p;
		bool idle = wbl_run_is_over(run) && !run->ncalls && !run->touched &&
			    !run->verifying && !run->check;

		if (!idle || ++kept <= FINISHED_KEPT) {
			p = &run->next;
			continue;
		}
		*p = run->next;
		wbl_run_free(e, run);
	}
}

void wbl_runs_free(struct wbl_engine *e)
{
	struct wbl_run *run;

	while ((run = e->runs)) {
		e->runs = run->next;
		wbl_run_free(e, run);
	}
}
