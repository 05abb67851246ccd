/* host/serve_peer.c - wbl.peer/1: opens what a parameter names, each with an own call of its own.
 * A transform is opened by its user, who knows the columns: its table here carries an `open` that puts the right
 * own call in. While rehearsing, stores and routers opened for writing change nothing.
 * SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "core/host/peer.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "core/host/instance.h"
#include "core/host/load.h"
#include "core/host/read.h"
#include "core/host/serve.h"

enum peer_kind { PEER_STORE, PEER_ROUTER, PEER_TRANSFORM, PEER_KINDS };

struct opened {
	struct opened *next;
	enum peer_kind kind;
	struct wbl_instance *instance;
	const void *table; /* what was given out */
	void *self;
	struct wbl_sink *sink;
	struct wbl_still *still;
	struct wbl_transform transform;
};

static const char *const ids[PEER_KINDS] = { "wbl.store/1", "wbl.router/1", "wbl.transform/1" };
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct opened *all;

/* A module knows the codes of abi.h only. */
static int32_t tell(const struct wbl_error *err)
{
	int32_t code = err->code >= WBL_E_WAIT ? err->code : WBL_E_UNAVAILABLE;

	wbl_report(1, code, 0, err->where, err->text, err->hint);
	return code;
}

static int32_t check_status(const struct wbl_instance *i, int32_t rc)
{
	if (rc == WBL_OK || wbl_call_may_return(WBL_CALL_CREATE, rc) || rc == WBL_E_FENCED ||
		rc == WBL_E_CANCELLED || rc == WBL_E_STALE)
		return rc;
	return wbl_breach(i->name, "Tell the module's author.",
		"open returned %" PRId32 ", which it may not return", rc);
}

static int32_t open_store(struct opened *o, uint32_t flags, bool rehearse, uint64_t *ret_caps)
{
	const struct wbl_store *s = o->instance->table;
	bool sink = rehearse && flags & WBL_OPEN_WRITE;
	int32_t rc = s->open(s, &o->instance->own.call,
		sink ? (flags & ~WBL_OPEN_WRITE) | WBL_OPEN_READ : flags, &o->instance->self,
		ret_caps);

	o->table = s;
	o->self = o->instance->self;
	if (rc || !sink)
		return rc;
	o->sink = wbl_sink_new(s, o->instance->self);
	o->table = wbl_sink_table(o->sink);
	o->self = o->sink;
	*ret_caps = wbl_sink_capabilities(o->sink, *ret_caps);
	return rc;
}

static int32_t open_router(struct opened *o, uint32_t flags, bool rehearse)
{
	const struct wbl_router *r = o->instance->table;
	bool still = rehearse && flags & WBL_OPEN_WRITE;
	int32_t rc = r->open(
		r, &o->instance->own.call, still ? WBL_OPEN_READ : flags, &o->instance->self);

	o->table = r;
	o->self = o->instance->self;
	if (rc || !still)
		return rc;
	o->still = wbl_still_new(r, o->instance->self);
	o->table = wbl_still_table(o->still);
	o->self = o->still;
	return rc;
}

static int32_t transform_open(const struct wbl_transform *me, struct wbl_call *call,
	const char *columns_in, const char **ret_columns_out, void **ret_self)
{
	struct opened *o = (struct opened *)(void *)((char *)(uintptr_t)me -
						     offsetof(struct opened, transform));
	const struct wbl_transform *t = o->instance->table;

	(void)call;
	return t->open(t, &o->instance->own.call, columns_in, ret_columns_out, ret_self);
}

static int32_t open_transform(struct opened *o)
{
	const struct wbl_transform *t = o->instance->table;
	size_t n = t->size < sizeof o->transform ? t->size : sizeof o->transform;

	memcpy(&o->transform, t, n);
	o->transform.size = (uint32_t)n;
	o->transform.open = transform_open;
	o->table = &o->transform;
	return 0;
}

static void opened_free(struct opened *o)
{
	wbl_sink_free(o->sink);
	wbl_still_free(o->still);
	wbl_instance_free(o->instance);
	free(o);
}

static void opened_close(struct opened *o)
{
	const struct wbl_store *s = o->instance->table;
	const struct wbl_router *r = o->instance->table;

	if (o->kind == PEER_STORE)
		s->close(o->instance->self);
	else if (o->kind == PEER_ROUTER)
		r->close(o->instance->self);
	opened_free(o);
}

static const json_t *find_spec(const struct wbl_ticket *t, const char *param, const char *interface,
	enum peer_kind *ret_kind)
{
	const json_t *spec;
	const char *is;

	if (!param || !interface) {
		wbl_misuse(WBL_FN_PEER_OPEN, "param or interface is NULL");
		return NULL;
	}
	spec = wbl_instance_peer(t->instance, param);
	if (!spec) {
		wbl_misuse(WBL_FN_PEER_OPEN, "the parameter \"%s\" of %s names no peer", param,
			t->instance->name);
		return NULL;
	}
	is = wbl_json_str(spec, "interface");
	if (!is || strcmp(is, interface)) {
		wbl_misuse(WBL_FN_PEER_OPEN, "the parameter \"%s\" names a %s, not a %s", param,
			is ? is : "?", interface);
		return NULL;
	}
	for (*ret_kind = 0; *ret_kind < PEER_KINDS && strcmp(ids[*ret_kind], is); ++*ret_kind)
		;
	return *ret_kind < PEER_KINDS ? spec : NULL;
}

/* Only calls which change something may open for writing. */
static bool flags_ok(const struct wbl_ticket *t, uint32_t flags)
{
	enum wbl_call_kind kind = wbl_ticket_kind(t);

	if (flags & 0xffff0000u) {
		wbl_misuse(WBL_FN_PEER_OPEN, "the critical flag 0x%" PRIx32 " is not known",
			flags & 0xffff0000u);
		return false;
	}
	if (flags & WBL_OPEN_WRITE && kind != WBL_CALL_EXECUTE && kind != WBL_CALL_ROLLBACK &&
		kind != WBL_CALL_REPAIR) {
		wbl_misuse(WBL_FN_PEER_OPEN, "%s only reads, and opens nothing for writing",
			wbl_call_name(kind));
		return false;
	}
	return true;
}

static int32_t open_one(struct wbl_ticket *t, const json_t *spec, enum peer_kind kind,
	uint32_t flags, struct opened **ret, uint64_t *ret_caps)
{
	const struct wbl_ticket *now = wbl_ticket_running();
	bool rehearse = now && now->rehearse;
	struct opened *o = wbl_alloc(sizeof *o);
	struct wbl_error err;
	int32_t rc;

	o->kind = kind;
	rc = wbl_instance_new(spec, t->instance, &o->instance, &err);
	if (rc) {
		free(o);
		return tell(&err);
	}
	if (kind == PEER_STORE)
		rc = open_store(o, flags, rehearse, ret_caps);
	else
		rc = kind == PEER_ROUTER ? open_router(o, flags, rehearse) : open_transform(o);
	rc = check_status(o->instance, rc);
	if (rc)
		opened_free(o);
	else
		*ret = o;
	return rc;
}

static int32_t peer_open(struct wbl_call *call, const char *param, const char *interface,
	uint32_t flags, struct wbl_peer *ret)
{
	struct wbl_ticket *t = wbl_ticket_enter(call, WBL_FN_PEER_OPEN);
	struct wbl_peer peer = { 0 };
	struct opened *o = NULL;
	enum peer_kind kind;
	const json_t *spec;
	int32_t rc;

	if (!t)
		return WBL_E_ABI;
	spec = find_spec(t, param, interface, &kind);
	if (!spec || !flags_ok(t, flags) ||
		!wbl_write_struct(WBL_FN_PEER_OPEN, "peer", ret, sizeof peer, &peer, sizeof peer))
		return wbl_ticket_leave(t, WBL_E_ABI);
	rc = open_one(t, spec, kind, flags, &o, &peer.capabilities);
	if (rc)
		return wbl_ticket_leave(t, rc);
	peer.table = o->table;
	peer.self = o->self;
	pthread_mutex_lock(&lock);
	o->next = all;
	all = o;
	pthread_mutex_unlock(&lock);
	wbl_write_struct(WBL_FN_PEER_OPEN, "peer", ret, sizeof peer, &peer, sizeof peer);
	return wbl_ticket_leave(t, WBL_OK);
}

static struct opened *take(const void *table, const void *self)
{
	struct opened **p, *o;

	pthread_mutex_lock(&lock);
	for (p = &all; *p && ((*p)->table != table || (*p)->self != self); p = &(*p)->next)
		;
	o = *p;
	if (o)
		*p = o->next;
	pthread_mutex_unlock(&lock);
	return o;
}

static void peer_close(struct wbl_call *call, struct wbl_peer *peer)
{
	struct wbl_ticket *t = wbl_ticket_enter(call, WBL_FN_PEER_CLOSE);
	struct wbl_peer p;
	struct opened *o;

	if (!t)
		return;
	if (wbl_read_struct(WBL_FN_PEER_CLOSE, "peer", peer, sizeof p, &p, sizeof p)) {
		o = take(p.table, p.self);
		if (o)
			opened_close(o);
		else
			wbl_misuse(WBL_FN_PEER_CLOSE, "the peer is not open");
		peer->table = peer->self = NULL;
	}
	wbl_ticket_leave(t, 0);
}

void wbl_peers_close(void)
{
	struct opened *o;

	while ((o = all)) {
		all = o->next;
		opened_close(o);
	}
}

const struct wbl_peer_service wbl_service_peer = { sizeof wbl_service_peer, 1, peer_open,
	peer_close };
