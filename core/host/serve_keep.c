/* host/serve_keep.c - what the engine keeps for a handler: wbl.state/1, wbl.undo/1, wbl.artefact/1, wbl.check/1.
 * SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/host/instance.h"
#include "core/host/link.h"
#include "core/host/read.h"
#include "core/host/serve.h"

static const struct wbl_bytes none;

static int32_t ask(
	struct wbl_ticket *t, bool ok, enum wbl_wire_type type, json_t *j, struct wbl_bytes b)
{
	if (!ok) {
		json_decref(j);
		return wbl_ticket_leave(t, WBL_E_ABI);
	}
	return wbl_ticket_leave(t, wbl_link_ask(type, j, b, -1, false, NULL));
}

/* {name} or NULL, which was reported. */
static json_t *named(enum wbl_fn fn, const char *key, const char *name)
{
	json_t *j = json_object();

	if (wbl_read_text(fn, j, key, name, true))
		return j;
	json_decref(j);
	return NULL;
}

static int32_t state_get(struct wbl_call *call, const char *name, struct wbl_bytes *ret)
{
	struct wbl_ticket *t = wbl_ticket_enter(call, WBL_FN_STATE_GET);
	struct wbl_frame f;
	json_t *j;
	int32_t rc;

	if (!t)
		return WBL_E_ABI;
	if (!ret)
		return wbl_ticket_leave(t, wbl_misuse(WBL_FN_STATE_GET, "ret is NULL"));
	j = named(WBL_FN_STATE_GET, "name", name);
	if (!j)
		return wbl_ticket_leave(t, WBL_E_ABI);
	rc = wbl_link_ask(WBL_WIRE_STATE_GET, j, none, -1, false, &f);
	if (rc == WBL_OK)
		*ret = wbl_slot_bytes(WBL_FN_STATE_GET, 0, f.blob.data, f.blob.len);
	wbl_frame_clear(&f);
	return wbl_ticket_leave(t, rc);
}

static int32_t state_put(struct wbl_call *call, const char *name, struct wbl_bytes b)
{
	struct wbl_ticket *t = wbl_ticket_enter(call, WBL_FN_STATE_PUT);
	json_t *j;
	bool ok;

	if (!t)
		return WBL_E_ABI;
	j = json_object();
	ok = wbl_read_text(WBL_FN_STATE_PUT, j, "name", name, true) &&
	     wbl_read_bytes(WBL_FN_STATE_PUT, "the value", b);
	return ask(t, ok, WBL_WIRE_STATE_PUT, j, b);
}

static int32_t undo_put(struct wbl_call *call, const struct wbl_undo *from)
{
	struct wbl_ticket *t = wbl_ticket_enter(call, WBL_FN_UNDO_PUT);
	struct wbl_undo u;
	json_t *j;
	bool ok;

	if (!t)
		return WBL_E_ABI;
	j = json_object();
	ok = wbl_read_struct(WBL_FN_UNDO_PUT, "undo", from, WBL_END_OF(struct wbl_undo, body), &u,
		     sizeof u) &&
	     wbl_read_flags(WBL_FN_UNDO_PUT, j, "flags", u.flags, 0) &&
	     wbl_read_text(WBL_FN_UNDO_PUT, j, "id", u.id, true) &&
	     wbl_read_bytes(WBL_FN_UNDO_PUT, "body", u.body) &&
	     wbl_read_text(WBL_FN_UNDO_PUT, j, "artefact", u.artefact, false);
	return ask(t, ok, WBL_WIRE_UNDO_PUT, j, ok ? u.body : none);
}

/* The cursor is the number of the record that was given last. */
static int32_t undo_each(struct wbl_call *call, void **cursor, struct wbl_undo *ret)
{
	struct wbl_ticket *t = wbl_ticket_enter(call, WBL_FN_UNDO_EACH);
	struct wbl_undo u = { 0 };
	struct wbl_frame f;
	json_t *j;
	int32_t rc;

	if (!t)
		return WBL_E_ABI;
	if (!cursor || !ret)
		return wbl_ticket_leave(t, wbl_misuse(WBL_FN_UNDO_EACH, "cursor or ret is NULL"));
	j = json_object();
	wbl_json_puti(j, "after", (int64_t)(intptr_t)*cursor);
	rc = wbl_link_ask(WBL_WIRE_UNDO_EACH, j, none, -1, false, &f);
	if (rc == WBL_OK) {
		u.flags = (uint32_t)wbl_json_int(f.json, "flags", 0);
		u.id = wbl_slot_text(WBL_FN_UNDO_EACH, 0, wbl_json_str(f.json, "id"));
		u.artefact = wbl_slot_text(WBL_FN_UNDO_EACH, 1, wbl_json_str(f.json, "artefact"));
		u.body = wbl_slot_bytes(WBL_FN_UNDO_EACH, 2, f.blob.data, f.blob.len);
		*cursor = (void *)(intptr_t)wbl_json_int(f.json, "seq", 0);
		if (!wbl_write_struct(WBL_FN_UNDO_EACH, "undo", ret,
			    WBL_END_OF(struct wbl_undo, body), &u, sizeof u))
			rc = WBL_E_ABI;
	}
	wbl_frame_clear(&f);
	return wbl_ticket_leave(t, rc);
}

static int32_t undo_done(struct wbl_call *call, const char *id)
{
	struct wbl_ticket *t = wbl_ticket_enter(call, WBL_FN_UNDO_DONE);
	json_t *j;

	if (!t)
		return WBL_E_ABI;
	j = named(WBL_FN_UNDO_DONE, "id", id);
	return ask(t, j, WBL_WIRE_UNDO_DONE, j, none);
}

static int32_t descriptor(struct wbl_call *call, enum wbl_fn fn, enum wbl_wire_type type,
	const char *step, const char *name, int32_t *ret_fd)
{
	struct wbl_ticket *t = wbl_ticket_enter(call, fn);
	struct wbl_frame f;
	json_t *j;
	int32_t rc;

	if (!t)
		return WBL_E_ABI;
	if (!ret_fd)
		return wbl_ticket_leave(t, wbl_misuse(fn, "ret_fd is NULL"));
	j = named(fn, "name", name);
	if (!j || !wbl_read_text(fn, j, "step", step, false)) {
		json_decref(j);
		return wbl_ticket_leave(t, WBL_E_ABI);
	}
	rc = wbl_link_ask(type, j, none, -1, false, &f);
	if (rc == WBL_OK && f.fd < 0)
		rc = WBL_E_RESOURCES;
	if (rc == WBL_OK) {
		*ret_fd = f.fd;
		f.fd = -1;
	}
	wbl_frame_clear(&f);
	return wbl_ticket_leave(t, rc);
}

static int32_t artefact_create(struct wbl_call *call, const char *name, int32_t *ret_fd)
{
	return descriptor(call, WBL_FN_ART_CREATE, WBL_WIRE_ART_CREATE, NULL, name, ret_fd);
}

static int32_t artefact_open(struct wbl_call *call, const char *name, int32_t *ret_fd)
{
	return descriptor(call, WBL_FN_ART_OPEN, WBL_WIRE_ART_OPEN, NULL, name, ret_fd);
}

static int32_t artefact_open_of(
	struct wbl_call *call, const char *step, const char *name, int32_t *ret_fd)
{
	return descriptor(call, WBL_FN_ART_OPEN_OF, WBL_WIRE_ART_OPEN, step, name, ret_fd);
}

/* The cursor is the number of the entry that was given last. */
static int32_t artefact_each(
	struct wbl_call *call, const char *step, void **cursor, const char **ret_name)
{
	struct wbl_ticket *t = wbl_ticket_enter(call, WBL_FN_ART_EACH);
	struct wbl_frame f;
	json_t *j;
	int32_t rc;

	if (!t)
		return WBL_E_ABI;
	if (!cursor || !ret_name)
		return wbl_ticket_leave(
			t, wbl_misuse(WBL_FN_ART_EACH, "cursor or ret_name is NULL"));
	j = json_object();
	wbl_json_puti(j, "after", (int64_t)(intptr_t)*cursor);
	if (!wbl_read_text(WBL_FN_ART_EACH, j, "step", step, false)) {
		json_decref(j);
		return wbl_ticket_leave(t, WBL_E_ABI);
	}
	rc = wbl_link_ask(WBL_WIRE_ART_EACH, j, none, -1, false, &f);
	if (rc == WBL_OK) {
		*ret_name = wbl_slot_text(WBL_FN_ART_EACH, 0, wbl_json_str(f.json, "name"));
		*cursor = (void *)(intptr_t)wbl_json_int(f.json, "seq", 0);
	}
	wbl_frame_clear(&f);
	return wbl_ticket_leave(t, rc);
}

/* The descriptor is taken, also when the call is refused: but never one that the host itself lives by. */
static int32_t artefact_seal(struct wbl_call *call, const char *name, int32_t fd)
{
	struct wbl_ticket *t = wbl_ticket_enter(call, WBL_FN_ART_SEAL);
	bool foreign = fd > WBL_LOCK_FD && fcntl(fd, F_GETFD) >= 0;
	int32_t rc = WBL_E_ABI;
	json_t *j = NULL;

	if (t && !foreign)
		wbl_misuse(WBL_FN_ART_SEAL, "descriptor %d is not one of an artefact", fd);
	else if (t)
		j = named(WBL_FN_ART_SEAL, "name", name);
	if (j)
		rc = wbl_link_ask(WBL_WIRE_ART_SEAL, j, none, fd, false, NULL);
	if (foreign)
		close(fd);
	return t ? wbl_ticket_leave(t, rc) : rc;
}

static int32_t check_difference(struct wbl_call *call, const struct wbl_difference *from)
{
	struct wbl_ticket *t = wbl_ticket_enter(call, WBL_FN_DIFF);
	const struct wbl_ticket *now = wbl_ticket_running();
	struct wbl_difference d;
	json_t *j;
	bool ok;

	if (!t)
		return WBL_E_ABI;
	j = json_object();
	ok = wbl_read_struct(WBL_FN_DIFF, "difference", from,
		     WBL_END_OF(struct wbl_difference, key), &d, sizeof d) &&
	     wbl_read_enum(WBL_FN_DIFF, j, "kind", d.kind, WBL_DIFF_CONFLICT) &&
	     wbl_read_text(WBL_FN_DIFF, j, "set", d.set, true) &&
	     wbl_read_masked(WBL_FN_DIFF, j, "key", d.key, false) &&
	     wbl_read_text(WBL_FN_DIFF, j, "field", d.field, false) &&
	     wbl_read_masked(WBL_FN_DIFF, j, "expected", d.expected, false) &&
	     wbl_read_masked(WBL_FN_DIFF, j, "found", d.found, false) &&
	     wbl_read_bytes(WBL_FN_DIFF, "ref", d.ref);
	if (ok && now && now->kind == WBL_CALL_EXECUTE && d.kind < WBL_DIFF_REJECTED) {
		wbl_misuse(WBL_FN_DIFF, "in execute only rejects and conflicts are reported");
		ok = false;
	}
	return ask(t, ok, WBL_WIRE_DIFF, j, ok ? d.ref : none);
}

static int32_t check_covered(
	struct wbl_call *call, const char *set, uint64_t compared, uint64_t of, const char *how)
{
	struct wbl_ticket *t = wbl_ticket_enter(call, WBL_FN_COVERED);
	json_t *j;
	bool ok;

	if (!t)
		return WBL_E_ABI;
	j = json_object();
	ok = wbl_read_text(WBL_FN_COVERED, j, "set", set, true) &&
	     wbl_read_count(WBL_FN_COVERED, j, "compared", compared) &&
	     wbl_read_count(WBL_FN_COVERED, j, "of", of) &&
	     wbl_read_text(WBL_FN_COVERED, j, "how", how, false);
	return ask(t, ok, WBL_WIRE_COVERED, j, none);
}

static struct wbl_difference difference_of(const struct wbl_frame *f)
{
	static const char *const keys[] = { "set", "key", "field", "expected", "found" };
	const char *texts[WBL_COUNT(keys)];
	unsigned i;

	for (i = 0; i < WBL_COUNT(keys); i++)
		texts[i] = wbl_slot_text(WBL_FN_DIFF_NEXT, i, wbl_json_str(f->json, keys[i]));
	return (struct wbl_difference){
		.kind = (int32_t)wbl_json_int(f->json, "kind", 0),
		.set = texts[0],
		.key = texts[1],
		.field = texts[2],
		.expected = texts[3],
		.found = texts[4],
		.ref = wbl_slot_bytes(WBL_FN_DIFF_NEXT, 5, f->blob.data, f->blob.len),
	};
}

static int32_t check_next(struct wbl_call *call, struct wbl_difference *ret)
{
	struct wbl_ticket *t = wbl_ticket_enter(call, WBL_FN_DIFF_NEXT),
			  *now = wbl_ticket_running();
	struct wbl_difference d;
	struct wbl_frame f;
	json_t *j;
	int32_t rc;

	if (!t)
		return WBL_E_ABI;
	j = json_object();
	wbl_json_puti(j, "after", (int64_t)atomic_load(&now->difference));
	rc = wbl_link_ask(WBL_WIRE_DIFF_NEXT, j, none, -1, false, &f);
	if (rc == WBL_OK) {
		d = difference_of(&f);
		atomic_store(&now->difference, (uint64_t)wbl_json_int(f.json, "seq", 0));
		if (!wbl_write_struct(WBL_FN_DIFF_NEXT, "difference", ret,
			    WBL_END_OF(struct wbl_difference, key), &d, sizeof d))
			rc = WBL_E_ABI;
	}
	wbl_frame_clear(&f);
	return wbl_ticket_leave(t, rc);
}

static int32_t check_settled(struct wbl_call *call)
{
	struct wbl_ticket *t = wbl_ticket_enter(call, WBL_FN_DIFF_SETTLED),
			  *now = wbl_ticket_running();
	int64_t seq = now ? (int64_t)atomic_load(&now->difference) : 0;
	json_t *j;

	if (!t)
		return WBL_E_ABI;
	if (!seq)
		return wbl_ticket_leave(t, wbl_misuse(WBL_FN_DIFF_SETTLED, "next gave none yet"));
	j = json_object();
	wbl_json_puti(j, "seq", seq);
	return ask(t, true, WBL_WIRE_DIFF_DONE, j, none);
}

const struct wbl_state_service wbl_service_state = { sizeof wbl_service_state, 1, state_get,
	state_put };
const struct wbl_undo_service wbl_service_undo = { sizeof wbl_service_undo, 1, undo_put, undo_each,
	undo_done };
const struct wbl_artefact_service wbl_service_artefact = { sizeof wbl_service_artefact, 1,
	artefact_create, artefact_seal, artefact_open, artefact_each, artefact_open_of };
const struct wbl_check_service wbl_service_check = { sizeof wbl_service_check, 1, check_difference,
	check_covered, check_next, check_settled };
