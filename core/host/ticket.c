/* host/ticket.c - live calls, who may use which service when, breaches, and texts with a short life.
 * New functions of services go into services.def, new calls into statuses.def.
 * SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "core/host/ticket.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/host/link.h"
#include "core/host/mask.h"
#include "core/host/serve.h"

enum { RING = 256, MAX_BREACHES = 200, SLOTS_PER_FN = 6 };

#define C(symbol) (1u << WBL_CALL_##symbol)
#define S(symbol) (1u << -WBL_E_##symbol)

static const struct {
	const char *text;
	uint32_t calls;
} fns[WBL_FNS] = {
#define WBL_FN(symbol, service, function, calls) { service " " function, calls },
#include "core/host/services.def"
#undef WBL_FN
};

static const struct {
	const char *name;
	uint32_t statuses;
} calls[WBL_CALL_KINDS] = {
#define WBL_CALL(symbol, name, statuses) { name, statuses },
#include "core/host/statuses.def"
#undef WBL_CALL
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct wbl_ticket **known; /* every ticket that was ever given out, live or not */
static size_t nknown;
static struct wbl_ticket *ring[RING];
static unsigned next_in_ring;
static _Atomic(struct wbl_ticket *) running;
static atomic_uint breaches;

const char *wbl_fn_text(enum wbl_fn fn)
{
	return fns[fn].text;
}

const char *wbl_call_name(enum wbl_call_kind kind)
{
	return calls[kind].name;
}

bool wbl_call_may_return(enum wbl_call_kind kind, int32_t status)
{
	if (status == WBL_OK || status == WBL_E_ABI)
		return true;
	return status < 0 && status >= WBL_E_WAIT && calls[kind].statuses & 1u << -status;
}

void wbl_report(int32_t severity, int32_t code, uint32_t flags, const char *where, const char *text,
	const char *hint)
{
	WBL_AUTOFREE char *masked_where = wbl_mask_text(where), *masked = wbl_mask_text(text),
			  *masked_hint = wbl_mask_text(hint);
	json_t *j = json_object();

	wbl_json_puti(j, "severity", severity);
	wbl_json_puti(j, "code", code);
	wbl_json_puti(j, "flags", flags);
	wbl_json_put(j, "where", masked_where);
	wbl_json_put(j, "text", masked);
	wbl_json_put(j, "hint", masked_hint);
	wbl_link_post(WBL_WIRE_DIAG, j);
}

static int32_t breach(const char *where, const char *hint, const char *fmt, va_list ap)
{
	char text[1024];

	/* A module that does it in a loop must not drown everything else. */
	if (atomic_fetch_add(&breaches, 1) >= MAX_BREACHES)
		return WBL_E_ABI;
	vsnprintf(text, sizeof text, fmt, ap);
	wbl_report(1, WBL_E_ABI, 0, where, text, hint);
	return WBL_E_ABI;
}

int32_t wbl_misuse(enum wbl_fn fn, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	breach(fns[fn].text, "Tell the module's author.", fmt, ap);
	va_end(ap);
	return WBL_E_ABI;
}

int32_t wbl_breach(const char *where, const char *hint, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	breach(where, hint, fmt, ap);
	va_end(ap);
	return WBL_E_ABI;
}

static void remember(struct wbl_ticket *t)
{
	size_t i, at;

	pthread_mutex_lock(&lock);
	at = nknown;
	for (i = 0; i < nknown; i++) {
		if (known[i] == t)
			goto out;
		if (!known[i])
			at = i;
	}
	if (at == nknown) {
		known = wbl_grow(known, nknown, sizeof *known);
		nknown++;
	}
	known[at] = t;
out:
	pthread_mutex_unlock(&lock);
}

static void prepare(struct wbl_ticket *t, struct wbl_instance *instance, const char *module)
{
	t->call = (struct wbl_call){ .size = sizeof t->call, .host = wbl_service_host() };
	t->instance = instance;
	t->module = module;
	t->rehearse = false;
	t->work_flags = 0;
	atomic_store(&t->difference, 0);
	atomic_store(&t->live, true);
	remember(t);
}

void wbl_ticket_open(struct wbl_ticket *t, struct wbl_instance *instance, const char *module)
{
	t->own = true;
	t->kind = WBL_CALL_IDLE;
	prepare(t, instance, module);
}

struct wbl_ticket *wbl_ticket_begin(
	struct wbl_instance *instance, const char *module, enum wbl_call_kind kind)
{
	struct wbl_ticket **t = &ring[next_in_ring++ % RING];

	if (!*t)
		*t = wbl_alloc(sizeof **t);
	(*t)->kind = kind;
	(*t)->outer = atomic_load(&running);
	prepare(*t, instance, module);
	atomic_store(&running, *t);
	return *t;
}

bool wbl_ticket_end(struct wbl_ticket *t)
{
	atomic_store(&t->live, false);
	atomic_store(&running, t->outer);
	if (!t->outer)
		wbl_slot_drop_all();
	return !atomic_load(&t->inside);
}

void wbl_ticket_close(struct wbl_ticket *t)
{
	size_t i;

	atomic_store(&t->live, false);
	pthread_mutex_lock(&lock);
	for (i = 0; i < nknown; i++)
		if (known[i] == t)
			known[i] = NULL;
	pthread_mutex_unlock(&lock);
}

struct wbl_ticket *wbl_ticket_running(void)
{
	return atomic_load(&running);
}

enum wbl_call_kind wbl_ticket_kind(const struct wbl_ticket *t)
{
	const struct wbl_ticket *now = atomic_load(&running);

	return !t->own ? t->kind : now ? now->kind : WBL_CALL_IDLE;
}

/* Never looks into what the module passed before it is known to be ours. */
static struct wbl_ticket *find(const struct wbl_call *call)
{
	struct wbl_ticket *t = atomic_load(&running);
	size_t i;

	if (t && &t->call == call)
		return t;
	t = NULL;
	pthread_mutex_lock(&lock);
	for (i = 0; i < nknown && !t; i++)
		if (known[i] && &known[i]->call == call)
			t = known[i];
	pthread_mutex_unlock(&lock);
	return t;
}

struct wbl_ticket *wbl_ticket_enter(struct wbl_call *call, enum wbl_fn fn)
{
	struct wbl_ticket *t = call ? find(call) : NULL;
	enum wbl_call_kind kind;

	if (!t) {
		wbl_misuse(fn,
			call ? "the call which was passed is none of this host, or a copy of one"
			     : "the call is NULL");
		return NULL;
	}
	atomic_fetch_add(&t->inside, 1);
	kind = wbl_ticket_kind(t);
	if (!atomic_load(&t->live))
		wbl_misuse(fn, "used after %s had returned",
			t->own ? "destroy" : wbl_call_name(t->kind));
	else if (!(fns[fn].calls & 1u << kind))
		wbl_misuse(fn, "not allowed during %s", wbl_call_name(kind));
	else
		return t;
	atomic_fetch_sub(&t->inside, 1);
	return NULL;
}

int32_t wbl_ticket_leave(struct wbl_ticket *t, int32_t status)
{
	atomic_fetch_sub(&t->inside, 1);
	return status;
}

struct slot {
	char *data;
	size_t len;
};

static pthread_key_t slot_key;
static pthread_once_t slot_once = PTHREAD_ONCE_INIT;

void wbl_poison(void *p, size_t len)
{
	if (!p)
		return;
	memset(p, 0xdb, len);
	__asm__ volatile(""
			 :
			 : "r"(p)
			 : "memory"); /* keeps the compiler from dropping it before free */
}

static void drop(struct slot *s)
{
	wbl_poison(s->data, s->len);
	free(s->data);
	*s = (struct slot){ 0 };
}

static void drop_slots(void *p)
{
	struct slot *slots = p;
	size_t i;

	for (i = 0; i < WBL_FNS * SLOTS_PER_FN; i++)
		drop(&slots[i]);
	free(slots);
}

static void make_key(void)
{
	pthread_key_create(&slot_key, drop_slots);
}

static struct slot *slot(enum wbl_fn fn, unsigned nth)
{
	struct slot *slots;

	pthread_once(&slot_once, make_key);
	slots = pthread_getspecific(slot_key);
	if (!slots) {
		slots = wbl_alloc(sizeof *slots * WBL_FNS * SLOTS_PER_FN);
		pthread_setspecific(slot_key, slots);
	}
	return &slots[fn * SLOTS_PER_FN + nth];
}

struct wbl_bytes wbl_slot_bytes(enum wbl_fn fn, unsigned nth, const void *data, size_t len)
{
	struct slot *s = slot(fn, nth);

	drop(s);
	s->data = wbl_alloc(len + 1);
	s->len = len;
	if (len)
		memcpy(s->data, data, len);
	return (struct wbl_bytes){ s->data, len };
}

char *wbl_slot_text(enum wbl_fn fn, unsigned nth, const char *text)
{
	if (!text) {
		drop(slot(fn, nth));
		return NULL;
	}
	wbl_slot_bytes(fn, nth, text, strlen(text));
	return slot(fn, nth)->data;
}

void wbl_slot_drop(enum wbl_fn fn)
{
	unsigned i;

	for (i = 0; i < SLOTS_PER_FN; i++)
		drop(slot(fn, i));
}

void wbl_slot_drop_all(void)
{
	size_t i;

	for (i = 0; i < WBL_FNS * SLOTS_PER_FN; i++)
		drop(slot(0, 0) + i);
}
