/* state/journal.h - the one append-only journal: history, audit trail and the engine's memory.
 * A state folder holds history.db (SQLite, WAL, synchronous=FULL), artefacts/, locks/, control.sock and `lock`.
 * Entries are appended in a transaction that the caller ends with wbl_journal_commit: whoever has something to
 * say to the world about an entry says it after that. One thread.
 * Each entry's hash is SHA-256 over a tag, the hash before it, all of its members (length-prefixed) and the
 * SHA-256 of its body: so a change, a removal or an insertion is found, and bodies can be purged.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef WBL_CORE_STATE_JOURNAL_H
#define WBL_CORE_STATE_JOURNAL_H
#include "core/base/file.h"
#include "core/base/json.h"

enum wbl_kind {
	WBL_KIND_NONE,
#define WBL_KIND(symbol, name, meaning) WBL_KIND_##symbol,
#include "core/state/kinds.def"
#undef WBL_KIND
	WBL_KINDS
};
const char *wbl_kind_name(enum wbl_kind kind);

struct wbl_entry {
	int64_t seq, at; /* set by append: from 1 without a gap; ns since 1970 */
	enum wbl_kind kind;
	const char *run, *step, *chunk, *name, *actor; /* NULL: none */
	int64_t pass, attempt, epoch;
	int32_t status;
	struct wbl_bytes body; /* data NULL and len > 0 when it was purged */
};

struct wbl_state; /* one open state folder */

#define WBL_STATE_READ_ONLY (1u << 0) /* no lock is taken, nothing is written */

/* Opens (and makes, unless READ_ONLY) the folder, takes its lock for this process, checks and upgrades the schema.
 * Refused with the next thing to do: held by another engine (WBL_E_LOCKED, names its pid), from the future or
 * damaged (WBL_E_DAMAGED), not writable or full (WBL_E_DISK), modes open to others (WBL_E_USAGE). */
int32_t wbl_state_open(
	const char *dir, unsigned flags, struct wbl_state **ret, struct wbl_error *err);
void wbl_state_close(struct wbl_state *s);
const char *wbl_state_dir(const struct wbl_state *s);
const char *wbl_state_uuid(const struct wbl_state *s);

/* Appends in the open transaction (begun as needed). Sets seq and at. Nothing is durable yet. After an error the
 * state refuses everything: the process must end and be recovered. */
int32_t wbl_journal_append(struct wbl_state *s, struct wbl_entry *e, struct wbl_error *err);
bool wbl_journal_dirty(const struct wbl_state *s); /* appended since the last commit? */
int32_t wbl_journal_commit(
	struct wbl_state *s, struct wbl_error *err); /* durable when it returns 0 */
int64_t wbl_journal_last(const struct wbl_state *s); /* seq of the newest entry, 0: none */
void wbl_journal_head(const struct wbl_state *s,
	char out[WBL_SHA256_HEX]); /* hash of the newest entry: the anchor */

struct wbl_query {
	const char *run, *step, *chunk, *name; /* NULL: any */
	enum wbl_kind kind;                    /* NONE: any */
	int64_t pass;                          /* 0: any */
	int64_t after; /* only seq greater than this (smaller, when newest_first and not 0) */
	bool newest_first;
	int64_t limit; /* 0: all */
};
/* Calls `each` per entry, valid during the call; non-zero from it ends the walk and is returned. Sees entries
 * of the open transaction too. Uses an index for every combination that names run, or kind, or kind+name. */
int32_t wbl_journal_each(struct wbl_state *s, const struct wbl_query *q,
	int32_t (*each)(void *ctx, const struct wbl_entry *e), void *ctx, struct wbl_error *err);
/* The event form of an entry, the same in the event stream, history and export:
 * {"seq","time","kind","run","step",...,"body"}: a body that is JSON text stands as JSON, other bodies by length. */
json_t *wbl_entry_json(const struct wbl_entry *e);

struct wbl_audit_report {
	int64_t entries, checked_to, purged; /* purged: bodies that are gone (allowed, counted) */
	bool anchored;                       /* the anchor was found in the chain */
	int64_t anchor_seq;
	int64_t unanchored; /* entries after the anchor; all when none was given */
	int64_t bad_seq;    /* 0: none */
};
/* Walks the whole chain. `anchor` is a head noted earlier (64 hex digits), or NULL. WBL_E_DAMAGED names the first
 * entry that does not fit and how (changed, missing, inserted, cut tail: the anchor is not in the chain). */
int32_t wbl_audit_verify(struct wbl_state *s, const char *anchor, struct wbl_audit_report *ret,
	struct wbl_error *err);
#endif
