/* engine/host_keep.c - what a host asks to be kept, and gets back: values between runs, undo records, artefacts,
 * differences.
 * SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/engine/host_service.h"
#include "core/engine/names.h"
#include "core/engine/planner.h"
#include "core/engine/refs.h"
#include "core/engine/run.h"
#include "core/engine/values.h"
#include "core/state/artefact.h"

enum { DIFFERENCES_PER_STEP = 1000 };

/* --- state between runs --- */

static const json_t *plan_of(const struct wbl_call_request *call)
{
	const struct wbl_instance *i = call->instance;

	return i->run ? i->run->plan : i->planner ? wbl_planner_document(i->planner) : i->plan;
}

void wbl_serve_state_get(struct wbl_call_request *call, struct wbl_frame *f)
{
	struct wbl_buf value = { 0 };
	int32_t rc = wbl_value_get(call->engine, plan_of(call), call->instance->run,
		call->instance->name, wbl_serve_text(f, "name"), &value, NULL);

	if (!call->step)
		wbl_planner_saw_state(
			call, wbl_serve_text(f, "name"), rc == WBL_END ? NULL : &value);
	wbl_host_reply(call, f->seq, rc, NULL, value.data, value.len, -1);
	wbl_buf_clear(&value);
}

void wbl_serve_state_put(struct wbl_call_request *call, struct wbl_frame *f)
{
	WBL_AUTOFREE char *scope =
		wbl_value_scope(plan_of(call), call->instance->name, wbl_serve_text(f, "name"));

	wbl_serve_append(call, (struct wbl_entry){ .kind = WBL_KIND_STATE_PUT,
				       .name = scope,
				       .body = { f->blob.data, f->blob.len } });
	wbl_serve_reply(call, f, 0);
}

/* --- undo --- */

struct one_entry {
	bool found;
	int64_t seq, pass, attempt;
	int32_t status;
	char *name, *chunk;
	struct wbl_buf body;
};

static int32_t take_one(void *ctx, const struct wbl_entry *e)
{
	struct one_entry *one = ctx;

	one->found = true;
	one->seq = e->seq;
	one->status = e->status;
	one->pass = e->pass;
	one->attempt = e->attempt;
	free(one->name);
	free(one->chunk);
	one->name = wbl_strdup(e->name);
	one->chunk = wbl_strdup(e->chunk);
	wbl_buf_clear(&one->body);
	wbl_buf_add(&one->body, e->body.data, e->body.data ? e->body.len : 0);
	return 0;
}

static void clear_one(struct one_entry *one)
{
	free(one->name);
	free(one->chunk);
	wbl_buf_clear(&one->body);
	*one = (struct one_entry){ 0 };
}

/* The newest entry of this kind and name in this step and pass. */
static bool find_entry(struct wbl_call_request *call, enum wbl_kind kind, const char *name,
	int64_t before, struct one_entry *ret)
{
	struct wbl_query q = { .run = wbl_serve_owner(call),
		.step = wbl_serve_step_id(call),
		.kind = kind,
		.name = name,
		.pass = call->step ? call->step->pass : 0,
		.after = before,
		.newest_first = true,
		.limit = 1 };

	wbl_journal_each(call->engine->state, &q, take_one, ret, NULL);
	return ret->found;
}

void wbl_serve_undo_put(struct wbl_call_request *call, struct wbl_frame *f)
{
	const char *artefact = wbl_serve_text(f, "artefact");
	uint32_t len = (uint32_t)strlen(artefact);
	struct one_entry one = { 0 };
	struct wbl_buf b = { 0 };

	if (!*wbl_serve_text(f, "id")) {
		wbl_serve_reply(call, f, WBL_E_ABI);
		return;
	}
	if (find_entry(call, WBL_KIND_UNDO_PUT, wbl_serve_text(f, "id"), 0, &one)) {
		clear_one(&one);
		wbl_serve_reply(call, f, WBL_END);
		return;
	}
	wbl_buf_add(&b, &len, sizeof len);
	wbl_buf_add(&b, artefact, len);
	wbl_buf_add(&b, f->blob.data, f->blob.len);
	wbl_serve_append(call, (struct wbl_entry){ .kind = WBL_KIND_UNDO_PUT,
				       .name = wbl_serve_text(f, "id"),
				       .body = { b.data, b.len } });
	wbl_buf_clear(&b);
	wbl_serve_reply(call, f, 0);
}

/* By its upgraded form. */
static bool is_replaced(struct wbl_call_request *call, const struct one_entry *one)
{
	struct one_entry newest = { 0 };
	bool replaced = find_entry(call, WBL_KIND_UNDO_PUT, one->name, 0, &newest) &&
			newest.seq != one->seq;

	clear_one(&newest);
	return replaced;
}

void wbl_serve_undo_each(struct wbl_call_request *call, struct wbl_frame *f)
{
	struct one_entry one = { 0 }, reversed = { 0 };
	int64_t after = wbl_json_int(f->json, "after", 0);
	uint32_t len = 0;
	json_t *j;

	do {
		after = one.found ? one.seq : after;
		one.found = false;
		if (!find_entry(call, WBL_KIND_UNDO_PUT, NULL, after, &one)) {
			clear_one(&one);
			wbl_serve_reply(call, f, WBL_END);
			return;
		}
	} while (is_replaced(call, &one));
	find_entry(call, WBL_KIND_UNDO_DONE, one.name, 0, &reversed);
	if (one.body.len >= sizeof len)
		memcpy(&len, one.body.data, sizeof len);
	if (one.body.len < sizeof len || len > one.body.len - sizeof len) {
		struct wbl_error err;

		wbl_fail(&err, WBL_E_CORRUPT, one.name,
			"Take it back by hand; then whimbrel recover.",
			"the undo record is damaged or was purged");
		wbl_serve_refuse(call, f, WBL_E_CORRUPT, &err);
		clear_one(&one);
		clear_one(&reversed);
		return;
	}
	j = json_object();
	wbl_json_puti(j, "seq", one.seq);
	wbl_json_put(j, "id", one.name);
	if (len)
		json_object_set_new(j, "artefact", json_stringn(one.body.data + sizeof len, len));
	wbl_json_puti(j, "flags", reversed.found ? 1 : 0);
	wbl_host_reply(call, f->seq, 0, j, one.body.data + sizeof len + len,
		one.body.len - sizeof len - len, -1);
	clear_one(&one);
	clear_one(&reversed);
}

void wbl_serve_undo_done(struct wbl_call_request *call, struct wbl_frame *f)
{
	wbl_serve_append(call,
		(struct wbl_entry){ .kind = WBL_KIND_UNDO_DONE, .name = wbl_serve_text(f, "id") });
	wbl_serve_reply(call, f, 0);
}

/* --- artefacts --- */

void wbl_serve_art_create(struct wbl_call_request *call, struct wbl_frame *f)
{
	const char *name = wbl_serve_text(f, "name");
	struct one_entry one = { 0 };
	struct wbl_error err;
	char *file = NULL;
	int fd = -1;
	int32_t rc;

	if (find_entry(call, WBL_KIND_ARTEFACT_SEAL, name, 0, &one)) {
		clear_one(&one);
		wbl_serve_reply(call, f, WBL_END);
		return;
	}
	rc = wbl_artefact_create(call->engine->state, wbl_serve_owner(call),
		wbl_serve_step_id(call), call->step ? call->step->pass : 1, name, &file, &fd, &err);
	if (rc) {
		wbl_serve_refuse(call, f, rc, &err);
		return;
	}
	wbl_serve_append(call, (struct wbl_entry){ .kind = WBL_KIND_ARTEFACT_CREATE,
				       .name = name,
				       .body = { file, strlen(file) } });
	wbl_host_reply(call, f->seq, 0, NULL, NULL, 0, fd);
	free(file);
}

void wbl_serve_art_seal(struct wbl_call_request *call, struct wbl_frame *f)
{
	const char *name = wbl_serve_text(f, "name");
	struct one_entry one = { 0 };
	struct wbl_error err;
	json_t *body = NULL;
	int32_t rc = WBL_E_ABI;

	if (f->fd >= 0 && find_entry(call, WBL_KIND_ARTEFACT_CREATE, name, 0, &one)) {
		WBL_AUTOFREE char *file = wbl_strndup(one.body.data, one.body.len);

		rc = wbl_artefact_seal(
			call->engine->state, wbl_serve_owner(call), file, f->fd, &body, &err);
		if (rc)
			wbl_serve_refuse(call, f, rc, &err);
		else
			wbl_serve_append_text(call,
				(struct wbl_entry){ .kind = WBL_KIND_ARTEFACT_SEAL, .name = name },
				body);
	} else {
		wbl_serve_reply(call, f, WBL_E_ABI);
	}
	clear_one(&one);
	if (!rc)
		wbl_serve_reply(call, f, 0);
}

/* The step that a request names, else the caller's own; NULL: none of this run. */
static const struct wbl_run_step *step_asked(
	struct wbl_call_request *call, const struct wbl_frame *f)
{
	const char *name = wbl_json_str(f->json, "step");

	return name ? wbl_serve_step_named(call, name) : call->step;
}

void wbl_serve_art_each(struct wbl_call_request *call, struct wbl_frame *f)
{
	const struct wbl_run_step *s = step_asked(call, f);
	struct wbl_query q = { .run = wbl_serve_owner(call),
		.step = s ? s->id : NULL,
		.kind = WBL_KIND_ARTEFACT_SEAL,
		.pass = s ? s->pass : 0,
		.after = wbl_json_int(f->json, "after", 0),
		.limit = 1 };
	struct one_entry one = { 0 };
	json_t *j;

	if (!s) {
		wbl_serve_reply(call, f, WBL_E_ABI);
		return;
	}
	wbl_journal_each(call->engine->state, &q, take_one, &one, NULL);
	if (!one.found) {
		wbl_serve_reply(call, f, WBL_END);
		return;
	}
	j = json_object();
	wbl_json_puti(j, "seq", one.seq);
	wbl_json_put(j, "name", one.name);
	wbl_host_reply(call, f->seq, 0, j, NULL, 0, -1);
	clear_one(&one);
}

void wbl_serve_art_open(struct wbl_call_request *call, struct wbl_frame *f)
{
	const struct wbl_run_step *s = step_asked(call, f);
	struct wbl_query q = { .run = wbl_serve_owner(call),
		.step = s ? s->id : wbl_serve_step_id(call),
		.kind = WBL_KIND_ARTEFACT_SEAL,
		.name = wbl_serve_text(f, "name"),
		.pass = s ? s->pass : 0,
		.newest_first = true,
		.limit = 1 };
	struct one_entry one = { 0 };
	struct wbl_error err;
	json_t *sealed;
	int fd = -1;
	int32_t rc;

	if (!s && wbl_json_str(f->json, "step")) {
		wbl_serve_reply(call, f, WBL_E_ABI);
		return;
	}
	wbl_journal_each(call->engine->state, &q, take_one, &one, NULL);
	if (!one.found) {
		wbl_serve_reply(call, f, WBL_END);
		return;
	}
	sealed = wbl_json_parse(one.body.data, one.body.len, "artefact", &err);
	rc = sealed ? wbl_artefact_open(
			      call->engine->state, wbl_serve_owner(call), sealed, &fd, &err)
		    : WBL_E_CORRUPT;
	json_decref(sealed);
	clear_one(&one);
	if (rc)
		wbl_serve_refuse(call, f, rc, &err);
	else
		wbl_host_reply(call, f->seq, 0, NULL, NULL, 0, fd);
}

/* --- differences --- */

static int32_t difference_body(
	struct wbl_engine *e, const struct wbl_frame *f, struct wbl_buf *ret, struct wbl_error *err)
{
	WBL_AUTOFREE char *json = wbl_json_text(f->json);
	uint32_t len = (uint32_t)strlen(json);

	wbl_buf_add(ret, &len, sizeof len);
	wbl_buf_add(ret, json, len);
	return wbl_ref_seal(e, f->blob.data, f->blob.len, ret, err);
}

void wbl_serve_diff(struct wbl_call_request *call, struct wbl_frame *f)
{
	const char *kind = wbl_difference_name(wbl_json_int(f->json, "kind", 0));
	struct wbl_buf b = { 0 };
	struct wbl_error err;
	int32_t rc;

	if (!kind) {
		wbl_serve_reply(call, f, WBL_E_ABI);
		return;
	}
	if (call->kind == WBL_CALL_VERIFY &&
		wbl_json_int(f->json, "kind", 0) == WBL_DIFF_REJECTED) {
		wbl_serve_reply(call, f, 0); /* execute has told it */
		return;
	}
	if (call->step->differences >= DIFFERENCES_PER_STEP) {
		wbl_serve_reply(call, f, WBL_END);
		return;
	}
	rc = difference_body(call->engine, f, &b, &err);
	if (rc) {
		wbl_serve_refuse(call, f, rc, &err);
		wbl_buf_clear(&b);
		return;
	}
	wbl_serve_append(call, (struct wbl_entry){ .kind = WBL_KIND_DIFFERENCE,
				       .name = kind,
				       .attempt = call->attempt,
				       .status = call->kind == WBL_CALL_EXECUTE ? WBL_END : 0,
				       .body = { b.data, b.len } });
	wbl_buf_clear(&b);
	wbl_serve_reply(call, f, 0);
}

void wbl_serve_covered(struct wbl_call_request *call, struct wbl_frame *f)
{
	wbl_serve_append_text(call,
		(struct wbl_entry){ .kind = WBL_KIND_COVERED, .name = wbl_serve_text(f, "set") },
		json_incref(f->json));
	wbl_serve_reply(call, f, 0);
}

struct find_attempt {
	int64_t number;
	bool found;
};

static int32_t see_settled(void *ctx, const struct wbl_entry *e)
{
	struct find_attempt *a = ctx;

	a->found |= e->attempt == a->number;
	return 0;
}

struct attempt {
	const struct one_entry *difference;
	bool good;
};

static int32_t see_attempt(void *ctx, const struct wbl_entry *e)
{
	struct attempt *a = ctx;

	if ((e->kind == WBL_KIND_CHUNK_RESULT && !e->status) || e->kind == WBL_KIND_CHUNK_SPLIT ||
		(e->kind == WBL_KIND_STEP_RESULT && !e->status &&
			!strcmp(e->name, wbl_call_name(WBL_CALL_EXECUTE))))
		a->good = e->attempt == a->difference->attempt;
	return 0;
}

/* Is there an entry which says that this difference is settled? */
static bool is_settled(struct wbl_call_request *call, int64_t seq)
{
	struct wbl_query q = { .run = wbl_serve_owner(call),
		.step = wbl_serve_step_id(call),
		.kind = WBL_KIND_DIFFERENCE_DONE,
		.after = seq };
	struct find_attempt a = { seq, false };

	wbl_journal_each(call->engine->state, &q, see_settled, &a, NULL);
	return a.found;
}

/* Of the attempts of execute only the last one that ended well counts: it said all of it anew. Nor does what a
 * verify found, when a later one has looked; nor what was settled. */
static bool counts(struct wbl_call_request *call, const struct one_entry *one)
{
	struct wbl_query q = { .run = wbl_serve_owner(call),
		.step = wbl_serve_step_id(call),
		.chunk = one->chunk,
		.pass = one->pass,
		.after = one->seq };
	struct attempt a = { one, one->status != WBL_END };

	struct one_entry look = { 0 };
	bool good;

	if (is_settled(call, one->seq))
		return false;
	if (!a.good) {
		wbl_journal_each(call->engine->state, &q, see_attempt, &a, NULL);
		return a.good;
	}
	q.chunk = NULL;
	q.kind = WBL_KIND_STEP_INTENT;
	q.name = wbl_call_name(WBL_CALL_VERIFY);
	wbl_journal_each(call->engine->state, &q, take_one, &look, NULL);
	good = !look.found;
	clear_one(&look);
	return good;
}

void wbl_serve_diff_next(struct wbl_call_request *call, struct wbl_frame *f)
{
	struct wbl_query q = { .run = wbl_serve_owner(call),
		.step = wbl_serve_step_id(call),
		.kind = WBL_KIND_DIFFERENCE,
		.pass = call->step->pass,
		.after = wbl_json_int(f->json, "after", 0),
		.limit = 1 };
	struct one_entry one = { 0 };
	struct wbl_buf ref = { 0 };
	struct wbl_error err;
	uint32_t len = 0;
	json_t *j = NULL;

	do {
		q.after = one.found ? one.seq : q.after;
		clear_one(&one);
		wbl_journal_each(call->engine->state, &q, take_one, &one, NULL);
	} while (one.found && !counts(call, &one));
	if (one.found && one.body.len >= sizeof len) {
		memcpy(&len, one.body.data, sizeof len);
		if (len <= one.body.len - sizeof len)
			j = wbl_json_parse(one.body.data + sizeof len, len, NULL, NULL);
	}
	if (!j) {
		wbl_serve_reply(call, f, WBL_END);
	} else if (wbl_ref_open(call->engine, one.body.data + sizeof len + len,
			   one.body.len - sizeof len - len, &ref, &err)) {
		json_decref(j);
		wbl_serve_refuse(call, f, err.code, &err);
	} else {
		wbl_json_puti(j, "seq", one.seq);
		wbl_host_reply(call, f->seq, 0, j, ref.data, ref.len, -1);
	}
	wbl_buf_clear(&ref);
	clear_one(&one);
}

void wbl_serve_diff_done(struct wbl_call_request *call, struct wbl_frame *f)
{
	int64_t seq = wbl_json_int(f->json, "seq", 0);
	struct wbl_query q = { .run = wbl_serve_owner(call),
		.step = wbl_serve_step_id(call),
		.kind = WBL_KIND_DIFFERENCE,
		.after = seq - 1,
		.limit = 1 };
	struct one_entry one = { 0 };

	if (seq > 0)
		wbl_journal_each(call->engine->state, &q, take_one, &one, NULL);
	if (one.found && one.seq == seq && one.pass == call->step->pass && counts(call, &one)) {
		wbl_serve_append(call, (struct wbl_entry){ .kind = WBL_KIND_DIFFERENCE_DONE,
					       .name = one.name,
					       .chunk = one.chunk,
					       .attempt = seq,
					       .status = one.status });
		wbl_serve_reply(call, f, 0);
	} else {
		wbl_serve_reply(call, f, one.found && one.seq == seq ? 0 : WBL_E_ABI);
	}
	clear_one(&one);
}
