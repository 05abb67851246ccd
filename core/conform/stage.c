/* conform/stage.c - the steps of a plan, played call by call.
 * SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "core/conform/stage.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/base/file.h"
#include "core/conform/memory.h"
#include "whimbrel/services.h"

json_t *wbl_stage_hello(const json_t *plan)
{
	const json_t *m = json_array_get(json_object_get(plan, "migrations"), 0);
	json_t *j = json_object();

	wbl_json_put(j, "migration", wbl_json_str(m, "name"));
	wbl_json_put(j, "interface", "wbl.handler/1");
	wbl_json_put(j, "name", wbl_json_str(m, "handler"));
	json_object_set(j, "module", json_object_get(m, "module"));
	json_object_set(j, "params", json_object_get(m, "params"));
	json_object_set(j, "peers", json_object_get(m, "peers"));
	return j;
}

void wbl_stage_open(struct wbl_stage *s, struct wbl_kit *k, json_t *hello)
{
	*s = (struct wbl_stage){ .k = k, .hello = hello };
}

static void forget_step(struct wbl_stage_step *t)
{
	size_t i;

	wbl_memory_clear(&t->undo);
	wbl_memory_clear(&t->artefacts);
	wbl_memory_clear(&t->checkpoints);
	wbl_memory_clear(&t->outputs);
	for (i = 0; i < t->nchunks + t->nadded; i++)
		wbl_memory_clear_chunk(&t->chunks[i]);
	free(t->chunks);
	t->chunks = NULL;
	t->nchunks = t->nadded = 0;
	json_decref(t->totals);
	t->totals = NULL;
	t->begun = t->done = t->verified = t->undone = t->undoing = t->listed = false;
}

void wbl_stage_forget(struct wbl_stage *s)
{
	wbl_stage_end(s);
	wbl_stage_forget_steps(s);
	wbl_buf_clear(&s->output);
}

void wbl_stage_forget_steps(struct wbl_stage *s)
{
	size_t i;

	for (i = 0; i < s->nsteps; i++)
		forget_step(&s->steps[i]);
	wbl_memory_clear(&s->state);
	s->requests = s->kill_at = s->stop_at = s->stopped_ns = s->late_ns = 0;
	s->kill_after = false;
}

static void drop_steps(struct wbl_stage *s)
{
	size_t i;

	for (i = 0; i < s->nsteps; i++) {
		free(s->steps[i].id);
		json_decref(s->steps[i].said);
	}
	free(s->steps);
	s->steps = NULL;
	s->nsteps = 0;
}

void wbl_stage_close(struct wbl_stage *s)
{
	wbl_stage_forget(s);
	drop_steps(s);
	json_decref(s->hello);
	s->hello = NULL;
}

/* --- the host --- */

int wbl_stage_end(struct wbl_stage *s)
{
	char *said = NULL;

	if (!s->p)
		return s->wait_status;
	s->wait_status = wbl_play_stop(s->p, &said);
	wbl_buf_adds(&s->output, said ? said : "");
	free(said);
	s->p = NULL;
	return s->wait_status;
}

const char *wbl_stage_death(const struct wbl_stage *s, char out[128])
{
	int w = s->wait_status;

	if (w == -1)
		snprintf(out, 128, "hung and had to be killed");
	else if (WIFSIGNALED(w))
		snprintf(out, 128, "was killed by signal %d (%s)", WTERMSIG(w),
			strsignal(WTERMSIG(w)));
	else
		snprintf(out, 128, "ended with status %d", WEXITSTATUS(w));
	return out;
}

static int32_t failed(struct wbl_stage *s, int32_t status)
{
	const struct wbl_play *p = s->p;
	const json_t *f;
	size_t i;

	snprintf(s->where, sizeof s->where, "%s%s%s%s%s", s->call, s->step ? " of " : "",
		s->step ? s->step->id : "", s->chunk ? ", chunk " : "",
		s->chunk ? s->chunk->id : "");
	s->why[0] = '\0';
	i = p ? json_array_size(p->seen) : 0;
	while (i--) {
		f = json_array_get(p->seen, i);
		if (strcmp(wbl_json_str(f, "type"), "diag"))
			continue;
		f = json_object_get(f, "json");
		if (wbl_json_int(f, "severity", 1) != 1)
			continue;
		snprintf(s->why, sizeof s->why, "%s%s%s",
			wbl_json_str(f, "where") ? wbl_json_str(f, "where") : "",
			wbl_json_str(f, "where") ? ": " : "",
			wbl_json_str(f, "text") ? wbl_json_str(f, "text") : "");
		break;
	}
	if (status == WBL_STAGE_DEAD && p) {
		bool late = p->late;
		char how[128];

		if (late)
			kill(p->pid, 9);
		wbl_stage_end(s);
		snprintf(s->why, sizeof s->why, "its host %s",
			late ? "did not answer in time" : wbl_stage_death(s, how));
	}
	return status;
}

static const char *const plain_env[] = { "HOME=/", "WBL_TEST_DUMPABLE=1",
	"ASAN_OPTIONS=detect_leaks=0:handle_abort=0", NULL };

int32_t wbl_stage_host(struct wbl_stage *s)
{
	struct wbl_play_options o = { .host = s->k->host,
		.env = s->env ? s->env : plain_env,
		.wrap = s->wrap,
		.before = s->before,
		.ctx = s->before_ctx,
		.answer = wbl_memory_answer,
		.see = s->see,
		.stage = s,
		.swap = s->k->in_process,
		/* Who holds it in a debugger has time. */
		.wait_ms = s->k->in_process ? 86400000 : s->wait_ms };
	json_t *j;

	if (s->p)
		return 0;
	s->k->in_process = false; /* only the first host can be this process */
	j = json_deep_copy(s->hello);
	wbl_json_put(j, "build", wbl_wire_build());
	wbl_json_put(j, "engine", PACKAGE_VERSION);
	wbl_json_put(j, "run", "r-conform");
	wbl_json_puti(j, "epoch", 1);
	json_object_set_new(j, "trust_any_owner", json_true());
	json_object_set_new(j, "fault", json_boolean(!s->no_faults));
	s->call = "create";
	s->step = NULL;
	s->chunk = NULL;
	s->p = wbl_play_start(&o, j);
	if (wbl_play_is_ready(s->p))
		return 0;
	if (s->p->back.type == WBL_WIRE_REFUSED) {
		failed(s, WBL_STAGE_REFUSED);
		snprintf(s->why, sizeof s->why, "%s: %s", wbl_json_str(s->p->back.json, "where"),
			wbl_json_str(s->p->back.json, "text"));
		wbl_stage_end(s);
		return WBL_STAGE_REFUSED;
	}
	return failed(s, WBL_STAGE_DEAD);
}

/* --- calls --- */

void wbl_stage_stop(struct wbl_stage *s)
{
	json_t *j = json_object();

	wbl_json_puti(j, "set", WBL_SIGNAL_STOP);
	wbl_json_puti(j, "epoch", 1);
	wbl_wire_send(s->p->sock, WBL_WIRE_SIGNAL, 0, j, NULL, 0, -1, NULL);
	json_decref(j);
	s->stopped_ns = wbl_now_mono();
}

static struct wbl_bytes last_checkpoint(const struct wbl_stage_list *l, const char *call)
{
	const struct wbl_stage_record *r = wbl_memory_find(l, call);

	return r ? (struct wbl_bytes){ r->body.data, r->body.len } : (struct wbl_bytes){ NULL, 0 };
}

static json_t *work_of(struct wbl_stage *s, const char *call, uint32_t flags)
{
	const struct wbl_stage_step *t = s->step;
	const struct wbl_stage_chunk *c = s->chunk;
	json_t *w = json_object();
	WBL_AUTOFREE char *key = NULL;

	wbl_json_puti(w, "flags", flags | (c ? WBL_WORK_CHUNK : 0));
	wbl_json_puti(w, "attempt", 1);
	if (!t)
		return w;
	key = wbl_strf("r-conform/%s/%s/1", t->id, c ? c->id : "-");
	wbl_json_put(w, "run_id", "r-conform");
	wbl_json_put(w, "step_id", t->id);
	wbl_json_put(w, "params",
		wbl_json_str(t->said, "params") ? wbl_json_str(t->said, "params") : "{}");
	wbl_json_put(w, "key", key);
	wbl_json_puti(w, "pass", 1);
	wbl_json_puti(w, "epoch", 1);
	if (c)
		wbl_json_put(w, "chunk_id", c->id);
	if (t->listed && (!strcmp(call, "verify") || c)) {
		json_t *sum = wbl_memory_sum(t, !c);

		json_object_set_new(w, "totals", sum);
	}
	return w;
}

int32_t wbl_stage_call(struct wbl_stage *s, struct wbl_stage_step *step,
	struct wbl_stage_chunk *chunk, const char *call, uint32_t flags)
{
	int32_t status = wbl_stage_host(s);
	const struct wbl_stage_list *l;
	struct wbl_bytes parts[4] = { { NULL, 0 } };

	if (status)
		return status;
	s->step = step;
	s->chunk = chunk;
	s->call = call;
	s->stopped_ns = 0;
	wbl_kit_doing(s->k, "%s of %s, played by the kit", call, step ? step->id : "the migration");
	if (step) {
		l = chunk ? &chunk->checkpoints : &step->checkpoints;
		parts[0] = last_checkpoint(l, call);
		parts[1] = last_checkpoint(l, "execute");
	}
	if (chunk)
		parts[2] = (struct wbl_bytes){ chunk->body.data, chunk->body.len };
	wbl_play_begin(s->p, call, step ? wbl_json_str(step->said, "op") : NULL,
		work_of(s, call, flags), parts);
	if (s->stop_first && !strcmp(call, "execute"))
		wbl_stage_stop(s);
	status = wbl_play_until_return(s->p);
	if (s->stopped_ns && wbl_now_mono() - s->stopped_ns > s->late_ns)
		s->late_ns = wbl_now_mono() - s->stopped_ns;
	if (status < 0)
		return failed(s, status);
	return status;
}

/* --- plan --- */

static void take_steps(struct wbl_stage *s)
{
	const json_t *f, *said;
	size_t i;

	json_array_foreach(s->p->seen, i, f)
	{
		struct wbl_stage_step *t;

		if (strcmp(wbl_json_str(f, "type"), "step"))
			continue;
		said = json_object_get(f, "json");
		s->steps = wbl_grow(s->steps, s->nsteps, sizeof *s->steps);
		t = &s->steps[s->nsteps++];
		*t = (struct wbl_stage_step){ .said = json_deep_copy(said),
			.id = wbl_strdup(wbl_json_str(said, "id")),
			.flags = (uint32_t)wbl_json_int(said, "flags", 0),
			.inverse = (int32_t)wbl_json_int(said, "inverse", 0) };
	}
}

static bool is_after(const struct wbl_stage_step *t, const char *id)
{
	const json_t *a;
	size_t i;

	json_array_foreach(json_object_get(t->said, "after"), i,
		a) if (!strcmp(json_string_value(a), id)) return true;
	return false;
}

/* Each step behind all that it comes after; plans are small. */
static void sort_steps(struct wbl_stage *s)
{
	size_t i, n, rounds;

	for (rounds = 0; rounds < s->nsteps; rounds++)
		for (i = 0; i < s->nsteps; i++)
			for (n = i + 1; n < s->nsteps; n++)
				if (is_after(&s->steps[i], s->steps[n].id)) {
					struct wbl_stage_step swap = s->steps[i];

					s->steps[i] = s->steps[n];
					s->steps[n] = swap;
				}
}

int32_t wbl_stage_plan(struct wbl_stage *s)
{
	int32_t status;

	wbl_stage_forget(s);
	drop_steps(s);
	status = wbl_stage_call(s, NULL, NULL, "plan", 0);
	if (status)
		return status;
	take_steps(s);
	sort_steps(s);
	return 0;
}

bool wbl_stage_can(const struct wbl_stage *s, const char **ret_why)
{
	size_t i;

	for (i = 0; i < s->nsteps; i++) {
		*ret_why = s->steps[i].flags & WBL_STEP_BACKGROUND
				   ? "a step stays in the background"
			   : s->steps[i].flags & WBL_STEP_MANUAL ? "a person does a step"
			   : s->steps[i].inverse == WBL_INVERSE_STEP
				   ? "a step is taken back by another one"
				   : NULL;
		if (*ret_why)
			return false;
	}
	return true;
}

/* --- forth --- */

static bool offers(const struct wbl_stage *s, const char *call)
{
	const json_t *name;
	size_t i;

	json_array_foreach(
		json_object_get(s->p->back.type == WBL_WIRE_READY ? s->p->back.json : s->p->ready,
			"optional"),
		i, name) if (!strcmp(json_string_value(name), call)) return true;
	return false;
}

/* What the engine does after an execute whose end nobody saw: probe, without it verify. True: it was all done. */
static bool was_done(struct wbl_stage *s, struct wbl_stage_step *t, int32_t *ret_status)
{
	int32_t status;

	*ret_status = wbl_stage_host(s);
	if (*ret_status)
		return false;
	if (offers(s, "probe")) {
		status = wbl_stage_call(s, t, NULL, "probe", WBL_WORK_RESUME);
		if (status == WBL_STAGE_DEAD)
			*ret_status = status;
		if (!status)
			return wbl_json_int(s->p->back.json, "state", 0) == WBL_PROBE_DONE;
		if (status != WBL_E_UNSUPPORTED)
			return false;
	}
	status = wbl_stage_call(s, t, NULL, "verify", WBL_WORK_RESUME);
	if (status == WBL_STAGE_DEAD)
		*ret_status = status;
	return !status;
}

static int32_t do_plain(struct wbl_stage *s, struct wbl_stage_step *t)
{
	uint32_t flags = t->begun ? WBL_WORK_RESUME : 0;
	int32_t status = 0;

	if (t->begun && was_done(s, t, &status)) {
		t->done = true;
		return 0;
	}
	if (status)
		return status;
	t->begun = true;
	status = wbl_stage_call(s, t, NULL, "execute", flags);
	if (!status && s->twice)
		status = wbl_stage_call(s, t, NULL, "execute", WBL_WORK_RESUME);
	t->done = !status;
	return status;
}

static int32_t do_chunk(struct wbl_stage *s, struct wbl_stage_step *t, size_t nth)
{
	struct wbl_stage_chunk *c = &t->chunks[nth];
	uint32_t flags = c->begun ? WBL_WORK_RESUME : 0;
	int32_t status;

	c->begun = t->begun = true;
	status = wbl_stage_call(s, t, c, "execute", flags);
	if (!status && s->twice)
		status = wbl_stage_call(s, t, &t->chunks[nth], "execute", WBL_WORK_RESUME);
	c = &t->chunks[nth]; /* the list may have grown */
	if (status == WBL_E_SPLIT) {
		c->replaced = true;
		t->nchunks += t->nadded;
		t->nadded = 0;
		return 0;
	}
	wbl_memory_drop_added(t);
	c->done = !status;
	return status;
}

static int32_t do_chunks(struct wbl_stage *s, struct wbl_stage_step *t)
{
	int32_t status = 0;
	size_t i;

	if (!t->listed) {
		wbl_memory_drop_added(t);
		status = wbl_stage_call(s, t, NULL, "partition", 0);
		if (status)
			return status;
		t->nchunks += t->nadded;
		t->nadded = 0;
		t->listed = true;
	}
	for (i = 0; i < t->nchunks && !status; i++)
		if (!t->chunks[i].done && !t->chunks[i].replaced)
			status = do_chunk(s, t, i);
	t->done = !status;
	return status;
}

int32_t wbl_stage_do(struct wbl_stage *s)
{
	int32_t status = 0;
	size_t i;

	for (i = 0; i < s->nsteps && !status; i++) {
		struct wbl_stage_step *t = &s->steps[i];

		if (t->verified)
			continue;
		if (!t->done)
			status = t->flags & WBL_STEP_PARTITIONED ? do_chunks(s, t) : do_plain(s, t);
		if (!status)
			status = wbl_stage_call(s, t, NULL, "verify", 0);
		t->verified = !status;
	}
	return status;
}

/* --- back --- */

static int32_t undo_one(struct wbl_stage *s, struct wbl_stage_step *t)
{
	uint32_t flags = t->undoing ? WBL_WORK_RESUME : 0;
	int32_t status;

	t->undoing = true;
	status = wbl_stage_call(s, t, NULL, "rollback", flags);
	if (!status && s->twice)
		status = wbl_stage_call(s, t, NULL, "rollback", WBL_WORK_RESUME);
	if (!status)
		status = wbl_stage_call(s, t, NULL, "verify", WBL_WORK_BEFORE);
	t->undone = !status;
	return status;
}

int32_t wbl_stage_undo(struct wbl_stage *s)
{
	int32_t status = 0;
	size_t i = s->nsteps;

	while (i-- && !status) {
		struct wbl_stage_step *t = &s->steps[i];

		if (t->begun && !t->undone && t->inverse != WBL_INVERSE_NONE)
			status = undo_one(s, t);
	}
	return status;
}
