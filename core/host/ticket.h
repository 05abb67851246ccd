/* host/ticket.h - what stands behind a struct wbl_call: whose it is, which call runs, whether it still counts.
 * Each service function enters with the caller's struct and leaves with its status; misuse is named in a
 * diagnostic and answered WBL_E_ABI. Tickets can be entered from any thread.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef WBL_CORE_HOST_TICKET_H
#define WBL_CORE_HOST_TICKET_H
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#include "whimbrel/services.h"

struct wbl_instance;

enum wbl_call_kind {
#define WBL_CALL(symbol, name, statuses) WBL_CALL_##symbol,
#include "core/host/statuses.def"
#undef WBL_CALL
	WBL_CALL_KINDS
};

enum wbl_fn {
#define WBL_FN(symbol, service, function, calls) WBL_FN_##symbol,
#include "core/host/services.def"
#undef WBL_FN
	WBL_FNS
};

struct wbl_ticket {
	struct wbl_call call;          /* first: what the module holds */
	struct wbl_instance *instance; /* NULL in entry */
	const char *module;            /* for texts */
	enum wbl_call_kind kind;       /* of an own call: what runs is asked with wbl_ticket_kind */
	bool own, rehearse;
	struct wbl_ticket *outer; /* entry of a peer's module, while a call runs */
	uint32_t work_flags;
	atomic_bool live;
	atomic_uint inside;              /* threads in a service */
	atomic_uint_fast64_t difference; /* last one that check.next gave */
};

void wbl_ticket_open(struct wbl_ticket *t, struct wbl_instance *instance, const char *module);
/* One for a call of the handler; never freed, used again after many others, so that a late user is found out. */
struct wbl_ticket *wbl_ticket_begin(
	struct wbl_instance *instance, const char *module, enum wbl_call_kind kind);
/* Ends it. false: a thread was still inside a service. */
bool wbl_ticket_end(struct wbl_ticket *t);
void wbl_ticket_close(struct wbl_ticket *t); /* of an instance: its own call */
enum wbl_call_kind wbl_ticket_kind(const struct wbl_ticket *t);
const char *wbl_call_name(enum wbl_call_kind kind);
/* May `kind` return `status`? */
bool wbl_call_may_return(enum wbl_call_kind kind, int32_t status);
struct wbl_ticket *wbl_ticket_running(void); /* the call that runs; NULL when none does */

/* NULL: refused and reported. */
struct wbl_ticket *wbl_ticket_enter(struct wbl_call *call, enum wbl_fn fn);
int32_t wbl_ticket_leave(struct wbl_ticket *t, int32_t status);
/* Reports a breach of the ABI in `fn`; always WBL_E_ABI. */
int32_t wbl_misuse(enum wbl_fn fn, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* The same about a call or a table: `where` names it. */
int32_t wbl_breach(const char *where, const char *hint, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* A diagnostic of the host itself, masked. */
void wbl_report(int32_t severity, int32_t code, uint32_t flags, const char *where, const char *text,
	const char *hint);
const char *wbl_fn_text(enum wbl_fn fn); /* "wbl.plan/1 step" */

/* What a service returns to this thread: valid until the same function is called again in it, or the call is
 * over; then it is overwritten and freed, so that a late reader is found out. */
char *wbl_slot_text(enum wbl_fn fn, unsigned nth, const char *text);
struct wbl_bytes wbl_slot_bytes(enum wbl_fn fn, unsigned nth, const void *data, size_t len);
void wbl_slot_drop(enum wbl_fn fn);
void wbl_slot_drop_all(void); /* of this thread */
void wbl_poison(void *p, size_t len);
#endif
