/* engine/fold.c - the picture of a run from its journal: one entry at a time, live and at recovery alike.
 * Nothing else writes the folded members. No decision is made here.
 * SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <stdlib.h>
#include <string.h>

#include "core/engine/host_process.h"
#include "core/engine/run.h"

static void set_text(char **where, const char *text)
{
	free(*where);
	*where = wbl_strdup(text);
}

static json_t *body_json(const struct wbl_entry *e)
{
	return e->body.len ? wbl_json_parse(e->body.data, e->body.len, NULL, NULL) : NULL;
}

static void set_buf(struct wbl_buf *b, const void *data, size_t len)
{
	wbl_buf_clear(b);
	if (len)
		wbl_buf_add(b, data, len);
}

static enum wbl_call_kind call_by_name(const char *name)
{
	enum wbl_call_kind k;

	for (k = WBL_CALL_PLAN; k <= WBL_CALL_UPGRADE; k++)
		if (name && !strcmp(name, wbl_call_name(k)))
			return k;
	return WBL_CALL_NONE;
}

/* --- the run --- */

static void set_throttle(struct wbl_run *run, const json_t *limits)
{
	run->throttle_items = wbl_json_int(limits, "items_per_s", 0);
	run->throttle_bytes = wbl_json_int(limits, "bytes_per_s", 0);
}

static void fold_created(struct wbl_run *run, const struct wbl_entry *e)
{
	json_t *body = body_json(e);

	run->created = e->at;
	set_text(&run->actor, e->actor);
	set_throttle(run, json_object_get(body, "args"));
	json_decref(body);
}

static void fold_run_state(struct wbl_run *run, const struct wbl_entry *e)
{
	json_t *body = body_json(e);

	run->state = wbl_run_state_parse(e->name);
	set_text(&run->reason, wbl_json_str(body, "reason"));
	if (json_object_get(body, "error")) {
		json_decref(run->error);
		run->error = json_incref(json_object_get(body, "error"));
	}
	if (e->status)
		run->status = e->status;
	run->ended = wbl_run_at_rest(run) ? e->at : 0;
	if (run->state == WBL_RUN_PAUSED)
		run->pause_asked = false;
	if (run->state == WBL_RUN_FAILED)
		run->cancelled = false;
	if (run->state == WBL_RUN_EXECUTING) {
		run->rollback_asked = run->retrying = false;
		set_text(&run->rollback_to, NULL);
		json_decref(run->error);
		run->error = NULL;
		run->status = 0;
	}
	json_decref(body);
}

static void fold_request(struct wbl_run *run, const struct wbl_entry *e)
{
	json_t *body = body_json(e);

	if (!strcmp(e->name, "cancel")) {
		run->cancelled = true;
		run->retrying = false;
		set_text(&run->rollback_to, NULL); /* everything goes */
	} else if (!strcmp(e->name, "pause"))
		run->pause_asked = true;
	else if (!strcmp(e->name, "resume"))
		run->pause_asked = false;
	else if (!strcmp(e->name, "finalize"))
		run->finalized = true;
	else if (!strcmp(e->name, "rollback") || !strcmp(e->name, "retry_from")) {
		run->rollback_asked = true;
		run->retrying = !strcmp(e->name, "retry_from");
		set_text(&run->rollback_to, wbl_json_str(body, "to"));
	} else if (!strcmp(e->name, "throttle")) {
		set_throttle(run, body);
	}
	json_decref(body);
}

static struct wbl_question_state *question(struct wbl_run *run, const char *step, const char *id)
{
	size_t i;

	for (i = 0; i < run->nquestions; i++)
		if (!strcmp(run->questions[i].id, id) && !strcmp(run->questions[i].step, step))
			return &run->questions[i];
	run->questions = wbl_grow(run->questions, run->nquestions, sizeof *run->questions);
	run->questions[run->nquestions] =
		(struct wbl_question_state){ .step = wbl_strdup(step), .id = wbl_strdup(id) };
	return &run->questions[run->nquestions++];
}

static void fold_question(struct wbl_run *run, const struct wbl_entry *e)
{
	struct wbl_question_state *q = question(run, e->step ? e->step : "", e->name);

	if (e->kind == WBL_KIND_QUESTION) {
		json_decref(q->body);
		q->body = body_json(e);
	} else {
		free(q->answer);
		q->answer = wbl_strndup(e->body.len ? e->body.data : "", e->body.len);
	}
}

/* --- a step --- */

static void drop_chunks(struct wbl_run_step *s)
{
	size_t i;

	for (i = 0; i < s->nchunks; i++) {
		free(s->chunks[i].id);
		free(s->chunks[i].parent);
		wbl_buf_clear(&s->chunks[i].body);
		wbl_buf_clear(&s->chunks[i].checkpoint);
		wbl_sums_clear(&s->chunks[i].sums);
	}
	json_decref(s->chunk_index);
	s->chunk_index = NULL;
	s->nchunks = s->chunks_done = 0;
	s->so_far = (struct wbl_sums){ 0 };
}

static void new_pass(struct wbl_run_step *s, int64_t pass)
{
	size_t i;

	s->pass = pass;
	s->attempt = s->undo_attempt = 0;
	s->touched = s->open = s->listed = s->was_up = s->confirmed = false;
	s->demand = s->demand_done = 0;
	s->differences = s->rejects = s->rehearsed = 0;
	s->status = 0;
	json_decref(s->error);
	s->error = NULL;
	for (i = 0; i < WBL_COUNT(s->checkpoint); i++)
		wbl_buf_clear(&s->checkpoint[i]);
	wbl_sums_clear(&s->sums);
	wbl_sums_clear(&s->mended);
	drop_chunks(s);
}

static void fold_intent(struct wbl_run_step *s, const struct wbl_entry *e)
{
	if (call_by_name(e->name) == WBL_CALL_VERIFY) {
		s->differences = s->rejects;
		return;
	}
	s->open = true;
	s->open_call = call_by_name(e->name);
	if (s->open_call == WBL_CALL_EXECUTE || s->open_call == WBL_CALL_PARTITION) {
		if (e->pass != s->pass)
			new_pass(s, e->pass);
		s->open = true;
		if (!s->attempt)
			s->began = e->at;
		if (s->open_call == WBL_CALL_EXECUTE)
			s->attempt = e->attempt;
		else
			drop_chunks(s);
		s->differences = s->rejects = 0; /* this attempt says its own */
		s->touched = true;
		s->state = WBL_STEP_EXECUTING;
		s->ended = 0;
	} else if (s->open_call == WBL_CALL_ROLLBACK) {
		s->undo_attempt = e->attempt;
		s->confirmed = false;
		s->state = WBL_STEP_UNDOING;
	}
}

/* What is undone stands before its barrier again. */
static void close_barrier(struct wbl_run *run, const char *name)
{
	size_t i;

	for (i = 0; name && i < run->nbarriers; i++)
		if (!strcmp(run->barriers[i], name)) {
			free(run->barriers[i]);
			run->barriers[i--] = run->barriers[--run->nbarriers];
		}
}

static void set_undone(struct wbl_run_step *s)
{
	s->state = WBL_STEP_UNDONE;
	s->touched = false;
	close_barrier(s->run, s->barrier);
}

/* What a good result means needs no decision. */
static void fold_success(struct wbl_run_step *s, enum wbl_call_kind call)
{
	if (call == WBL_CALL_EXECUTE)
		s->state = s->run->rehearse ? WBL_STEP_VERIFIED : WBL_STEP_EXECUTED;
	else if (call == WBL_CALL_VERIFY && s->state == WBL_STEP_EXECUTED)
		s->state = WBL_STEP_VERIFIED;
	else if (call == WBL_CALL_VERIFY && s->state == WBL_STEP_UNDOING)
		set_undone(s);
}

static void fold_result(struct wbl_run_step *s, const struct wbl_entry *e)
{
	json_t *body = body_json(e), *totals = json_object_get(body, "totals");

	s->open = false;
	if (!e->status)
		fold_success(s, call_by_name(e->name));
	s->status = e->status;
	if (s->state != WBL_STEP_UNDOING && s->state != WBL_STEP_UNDONE)
		s->ended = e->at; /* how long the work took, not how long until it was taken back */
	if (totals && call_by_name(e->name) == WBL_CALL_EXECUTE) {
		wbl_sums_clear(&s->sums);
		wbl_sums_from_json(&s->sums, totals);
	}
	if (totals && !e->status && call_by_name(e->name) == WBL_CALL_REPAIR) {
		wbl_sums_clear(&s->mended);
		wbl_sums_from_json(&s->mended, totals);
	}
	if (e->status < 0 && json_object_get(body, "error")) {
		json_decref(s->error);
		s->error = json_incref(json_object_get(body, "error"));
	}
	json_decref(body);
}

static void fold_step_state(struct wbl_run_step *s, const struct wbl_entry *e)
{
	json_t *body = body_json(e);

	s->state = wbl_step_state_parse(e->name);
	s->open = false;
	s->ended = e->at;
	if (s->state == WBL_STEP_UNDONE)
		set_undone(s);
	if (json_object_get(body, "error")) {
		json_decref(s->error);
		s->error = json_incref(json_object_get(body, "error"));
	}
	json_decref(body);
}

static struct wbl_chunk_state *chunk(struct wbl_run_step *s, const char *id)
{
	const json_t *n = json_object_get(s->chunk_index, id);

	return n ? &s->chunks[json_integer_value(n)] : NULL;
}

static int64_t little(const unsigned char *p)
{
	uint64_t n = 0;
	int i;

	for (i = 7; i >= 0; i--)
		n = n << 8 | p[i];
	return (int64_t)n;
}

/* The list may have moved when it grew; calls under way point into it. */
static void repoint_calls(struct wbl_run_step *s)
{
	size_t i;

	for (i = 0; i < s->nchunks; i++)
		if (s->chunks[i].call)
			s->chunks[i].call->chunk = &s->chunks[i];
}

static void fold_chunk_add(struct wbl_run_step *s, const struct wbl_entry *e)
{
	struct wbl_chunk_state *c = chunk(s, e->chunk);
	const unsigned char *p = e->body.data;

	if (e->body.len < 16)
		return;
	if (!c) {
		s->chunks = wbl_grow(s->chunks, s->nchunks, sizeof *s->chunks);
		repoint_calls(s);
		if (!s->chunk_index)
			s->chunk_index = json_object();
		wbl_json_puti(s->chunk_index, e->chunk, (int64_t)s->nchunks);
		c = &s->chunks[s->nchunks++];
		*c = (struct wbl_chunk_state){ .id = wbl_strdup(e->chunk) };
	}
	if (e->name && c->phase == WBL_CHUNK_READY && !c->attempt) {
		c->phase = WBL_CHUNK_STAGED;
		set_text(&c->parent, e->name);
	}
	c->items = little(p);
	c->bytes = little(p + 8);
	set_buf(&c->body, p + 16, e->body.len - 16);
}

static void fold_chunk_result(struct wbl_run_step *s, const struct wbl_entry *e)
{
	struct wbl_chunk_state *c = chunk(s, e->chunk);
	json_t *body = body_json(e);

	if (c && e->status == 0 && c->phase != WBL_CHUNK_DONE) {
		c->phase = WBL_CHUNK_DONE;
		s->chunks_done++;
		wbl_sums_from_json(&c->sums, json_object_get(body, "totals"));
		c->sums.chunks = 1;
		s->so_far.items += c->sums.items;
		s->so_far.bytes += c->sums.bytes;
		s->so_far.rejected += c->sums.rejected;
		s->so_far.chunks++;
	} else if (c && e->status) {
		c->phase = WBL_CHUNK_READY;
	}
	json_decref(body);
}

/* The parts that this one named count from now on. Those that an attempt left staged are named again by the next. */
static void fold_split(struct wbl_run_step *s, const char *parent)
{
	size_t i;

	s->chunks_done++;
	for (i = 0; i < s->nchunks; i++)
		if (s->chunks[i].phase == WBL_CHUNK_STAGED && !strcmp(s->chunks[i].parent, parent))
			s->chunks[i].phase = WBL_CHUNK_READY;
}

/* What earlier attempts rejected, this one rejects anew. */
static void begin_chunk(struct wbl_run_step *s, struct wbl_chunk_state *c, int64_t attempt)
{
	c->attempt = attempt;
	s->rejects -= c->rejects;
	s->differences -= c->rejects;
	c->rejects = 0;
}

static void fold_difference(struct wbl_run_step *s, const struct wbl_entry *e)
{
	struct wbl_chunk_state *c = e->chunk ? chunk(s, e->chunk) : NULL;
	bool reject = e->status == WBL_END;

	s->differences++;
	s->rejects += reject;
	if (c)
		c->rejects += reject;
}

static void fold_difference_done(struct wbl_run_step *s, const struct wbl_entry *e)
{
	struct wbl_chunk_state *c = e->chunk ? chunk(s, e->chunk) : NULL;
	bool reject = e->status == WBL_END;

	s->differences--;
	s->rejects -= reject;
	if (c)
		c->rejects -= reject;
}

static void fold_chunk(struct wbl_run_step *s, const struct wbl_entry *e)
{
	struct wbl_chunk_state *c;

	switch (e->kind) {
	case WBL_KIND_CHUNK_ADD:
		fold_chunk_add(s, e);
		break;
	case WBL_KIND_CHUNK_LIST:
		s->listed = true;
		s->open = false;
		break;
	case WBL_KIND_CHUNK_RESULT:
		fold_chunk_result(s, e);
		break;
	default:
		c = chunk(s, e->chunk);
		if (!c)
			break;
		c->phase = e->kind == WBL_KIND_CHUNK_SPLIT ? WBL_CHUNK_SPLIT : WBL_CHUNK_OPEN;
		if (e->kind == WBL_KIND_CHUNK_SPLIT)
			fold_split(s, e->chunk);
		else
			begin_chunk(s, c, e->attempt);
	}
}

static void fold_output(struct wbl_run_step *s, const struct wbl_entry *e)
{
	struct wbl_output_value *o = NULL;
	size_t i;

	for (i = 0; i < s->noutputs; i++)
		if (!strcmp(s->outputs[i].name, e->name))
			o = &s->outputs[i];
	if (!o) {
		s->outputs = wbl_grow(s->outputs, s->noutputs, sizeof *s->outputs);
		o = &s->outputs[s->noutputs++];
		*o = (struct wbl_output_value){ .name = wbl_strdup(e->name) };
	}
	set_buf(&o->value, e->body.data, e->body.len);
	o->generation = e->attempt;
}

static void fold_checkpoint(struct wbl_run_step *s, const struct wbl_entry *e)
{
	struct wbl_chunk_state *c = e->chunk ? chunk(s, e->chunk) : NULL;

	if (!e->chunk)
		set_buf(&s->checkpoint[call_by_name(e->name)], e->body.data, e->body.len);
	else if (c)
		set_buf(&c->checkpoint, e->body.data, e->body.len);
}

static void fold_step(struct wbl_run_step *s, const struct wbl_entry *e)
{
	switch (e->kind) {
	case WBL_KIND_STEP_INTENT:
		fold_intent(s, e);
		break;
	case WBL_KIND_STEP_RESULT:
		fold_result(s, e);
		break;
	case WBL_KIND_STEP_STATE:
		fold_step_state(s, e);
		break;
	case WBL_KIND_CHUNK_ADD:
	case WBL_KIND_CHUNK_LIST:
	case WBL_KIND_CHUNK_INTENT:
	case WBL_KIND_CHUNK_RESULT:
	case WBL_KIND_CHUNK_SPLIT:
		fold_chunk(s, e);
		break;
	case WBL_KIND_CHECKPOINT:
		fold_checkpoint(s, e);
		break;
	case WBL_KIND_OUTPUT:
		fold_output(s, e);
		break;
	case WBL_KIND_BG_READY:
		s->state = WBL_STEP_UP;
		s->was_up = true;
		break;
	case WBL_KIND_DEMAND:
		s->demand = e->attempt;
		set_text(&s->demand_position, e->name);
		break;
	case WBL_KIND_DRAINED:
		s->demand_done = e->attempt;
		break;
	case WBL_KIND_CONFIRM:
		s->confirmed = true;
		break;
	case WBL_KIND_REHEARSED:
		s->rehearsed = e->status;
		break;
	case WBL_KIND_DIFFERENCE:
		fold_difference(s, e);
		break;
	case WBL_KIND_DIFFERENCE_DONE:
		fold_difference_done(s, e);
		break;
	default:
		break;
	}
}

static void fold_upgrade(struct wbl_run *run, struct wbl_run_step *s, const struct wbl_entry *e)
{
	json_t *body = s ? NULL : body_json(e);
	const char *name = wbl_json_str(body, "migration");
	size_t i;

	if (s) {
		free(s->own_params);
		s->params = s->own_params = wbl_strndup(e->body.data, e->body.len);
	}
	for (i = 0; name && i < run->ninstances; i++)
		if (!strcmp(run->instances[i]->name, name))
			json_object_set(run->instances[i]->hello, "module",
				json_object_get(body, "module"));
	json_decref(body);
}

void wbl_run_fold(struct wbl_run *run, const struct wbl_entry *e)
{
	struct wbl_run_step *s = e->step ? wbl_run_step(run, e->step) : NULL;

	run->running_known = false;
	if (e->epoch > run->epoch)
		run->epoch = e->epoch;
	switch (e->kind) {
	case WBL_KIND_RUN_CREATED:
		fold_created(run, e);
		break;
	case WBL_KIND_RUN_STATE:
		fold_run_state(run, e);
		break;
	case WBL_KIND_RUN_EPOCH:
		break;
	case WBL_KIND_RUN_REQUEST:
		fold_request(run, e);
		break;
	case WBL_KIND_QUESTION:
	case WBL_KIND_ANSWER:
		fold_question(run, e);
		break;
	case WBL_KIND_UPGRADE:
		fold_upgrade(run, s, e);
		break;
	case WBL_KIND_BARRIER:
		run->barriers = wbl_grow(run->barriers, run->nbarriers, sizeof *run->barriers);
		run->barriers[run->nbarriers++] = wbl_strdup(e->name);
		break;
	default:
		if (s)
			fold_step(s, e);
	}
}
