/* data_look.h - what a look at both sides has found out, for the chunks of the merge and for the mark at the end.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef WBL_DATA_LOOK_H
#define WBL_DATA_LOOK_H
#include "data_sync.h"

/* Of the output "look" of a look step; the bitmap is its output "buckets". */
struct data_look {
	struct wbl_doc *doc;
	uint8_t *bits; /* NULL: all rows are looked at */
	uint64_t buckets;
	int nothing, pages, ledger_new;
	const char *ledger;     /* NULL: none is kept */
	const char *where;      /* condition for live rows, NULL none */
	const char *gone;       /* condition for rows that are gone, NULL none */
	const char *step;       /* its id */
	struct wbl_doc *params; /* of the step that asked */
};
/* In a step that follows a look: `work` is its own. */
int32_t data_look_read(struct wbl_call *call, const struct wbl_work *work, struct data_look *ret);
int32_t data_look_params(const struct wbl_work *work, struct data_look *ret);
void data_look_clear(struct data_look *l);
static inline int data_look_takes(const struct data_look *l, uint64_t key_lo)
{
	uint64_t b = l->buckets ? key_lo % l->buckets : 0;

	return !l->bits || (l->bits[b >> 3] >> (b & 7) & 1);
}

/* ---- data_marks.c: by a column ---- */

struct data_window {
	int any; /* is there a mark? */
	struct wbl_out mark,
		low; /* literals of the source's language: the mark, and less by the overlap */
	struct wbl_sum sum; /* of the rows from low on, up to the mark */
};
void data_window_clear(struct data_window *w);
/* The greatest value there is now. */
int32_t data_window_now(struct data_ends *e, struct data_table *t, struct data_window *ret);
/* Sums the rows from `low` on; up: up to `mark` only. */
int32_t data_window_sum(struct data_ends *e, struct data_table *t, const char *low, const char *up,
	struct wbl_sum *ret);
/* The mark of former runs, NULL none that holds. *ret: what was kept, or NULL. */
const char *data_marks_low(struct data_ends *e, const struct data_table *t, struct wbl_doc **ret);
#endif
