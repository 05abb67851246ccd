/* data_conflict.h - one key on both sides, and what both had after the last run: what is to be done with it.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef WBL_DATA_CONFLICT_H
#define WBL_DATA_CONFLICT_H
#include "data_look.h"

enum data_act {
	DATA_SAME,   /* nothing */
	DATA_ADD,    /* a new row */
	DATA_CHANGE, /* its mapped columns */
	DATA_REMOVE, /* taken away, or marked as gone */
	DATA_NOTE,   /* the ledger alone */
	DATA_HELD,   /* a conflict that waits for somebody */
	DATA_REFUSE  /* the key is there already, and rows are appended only */
};
/* One key. now NULL: the target has no such row. base NULL: the ledger knows nothing of it. */
struct data_case {
	int here; /* does the source have it? */
	struct data_key digest;
	const struct data_row *now;
	const struct data_key *base;
	int decided; /* 0: nobody has; DATA_CONFLICTS_SOURCE, _TARGET */
};
struct data_verdict {
	enum data_act act;
	int conflict; /* both sides have changed: to be told */
	int forget,
		settle; /* ledger: drop the key; note the source's digest although it was not written */
};
struct data_verdict data_decide(const struct data_manner *n, int ledger, const struct data_case *c);

/* ---- decisions of people: lines {"set","key","take":"source"|"target","found"?} ---- */

struct data_decisions;
int32_t data_decisions_read(struct wbl_call *call, const char *path, struct data_decisions **ret);
/* 0: none; else DATA_CONFLICTS_SOURCE or _TARGET. found: what the target has, as it was told. */
int data_decisions_find(
	const struct data_decisions *d, const char *set, const char *key, const char *found);
void data_decisions_free(struct data_decisions *d);

/* ---- how it is told ---- */

/* Mapped cells as {"column":"value"}, cut to what fits a difference. */
void data_row_json(const struct data_table *t, struct wbl_bytes cells, struct wbl_out *o);
void data_conflict_tell(struct wbl_call *call, const struct data_table *t, const char *key,
	const char *source, const char *target, struct wbl_bytes ref);

/* ---- the ledger: key cells -> digest of the row that both sides had ---- */

struct data_ledger {
	struct data_finder finder;
	const char *name; /* NULL: none is kept */
};
void data_ledger_init(struct data_ledger *l, struct data_ends *e, const char *name);
void data_ledger_clear(struct data_ledger *l);
/* What it says of these keys (rows of key cells). */
int32_t data_ledger_find(struct data_ledger *l, const struct wbl_rows *keys);
/* 1: *ret is set. */
int data_ledger_get(const struct data_ledger *l, struct wbl_bytes key, struct data_key *ret);
void data_ledger_put(struct wbl_rows *to, struct wbl_bytes key, const struct data_key *digest);
void data_ledger_drop(struct wbl_rows *to, struct wbl_bytes key);
extern const char *const data_ledger_columns[];
/* {"create_table":...} */
void data_ledger_json(const char *name, const char *origin, struct wbl_out *o);
#endif
