/* base/error.h - how a failure travels: a code, where, what, and what to do.
 * Functions that can fail return 0 or a negative code (WBL_E_* of whimbrel/abi.h, or the engine's own
 * below) and fill a struct wbl_error that the caller owns; a NULL error is allowed.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef WBL_CORE_BASE_ERROR_H
#define WBL_CORE_BASE_ERROR_H
#include <stdarg.h>
#include <stdint.h>

#include "whimbrel/abi.h"

/* The engine's own codes, beyond those a module can return. Names and exit codes: errors.def. */
enum wbl_engine_code {
	WBL_E_INTERNAL = -100,  /* our bug, or the operating system refused something basic */
	WBL_E_USAGE = -101,     /* usage, spec or configuration is wrong */
	WBL_E_NOT_FOUND = -102, /* no such run, plan, step, handler */
	WBL_E_OLD_PLAN = -103,  /* stale, used, expired or foreign plan */
	WBL_E_BLOCKED = -104,   /* approval, policy, window, question, pause */
	WBL_E_LOCKED = -105,    /* another engine or run holds it */
	WBL_E_DAMAGED = -106,   /* state, history or audit chain is damaged */
	WBL_E_STATE = -107,     /* not allowed in the present state of the run */
	WBL_E_TIMEOUT = -108,   /* a deadline passed */
	WBL_E_CRASHED = -109,   /* a process of a step died */
	WBL_E_WIRE = -110,      /* the peer broke the protocol */
	WBL_E_DISK = -111,      /* the state folder cannot be written */
};

struct wbl_error {
	int32_t code;
	char where
		[512]; /* path, file:line:column, parameter, step: what the text is about; may be empty */
	char text[1024]; /* lower case, no full stop */
	char hint[512];  /* a sentence that says what to do; may be empty */
};

/* Fills *err (when not NULL) and returns `code`. `where` and `hint` may be NULL. Never allocates. */
int32_t wbl_fail(struct wbl_error *err, int32_t code, const char *where, const char *hint,
	const char *fmt, ...) __attribute__((format(printf, 5, 6)));
/* The same with errno's text appended to the message (": No such file or directory"). */
int32_t wbl_fail_errno(struct wbl_error *err, int32_t code, const char *where, const char *hint,
	const char *fmt, ...) __attribute__((format(printf, 5, 6)));
/* Sets `where` if it is still empty. */
void wbl_error_at(struct wbl_error *err, const char *where);

const char *wbl_code_name(int32_t code); /* "stale_plan"; "unknown" for codes outside the table */
const char *wbl_code_text(int32_t code); /* one line for people */
const char *wbl_code_actions(int32_t code); /* recovery actions, one sentence */
int wbl_code_exit(int32_t code);            /* exit code of the command */
#endif
