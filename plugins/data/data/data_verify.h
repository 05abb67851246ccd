/* data_verify.h - two sides of one table held against each other in bounded memory: what differs, counted and named.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef WBL_DATA_VERIFY_H
#define WBL_DATA_VERIFY_H
#include "data_impl.h"

/* ---- data_sample.c: which rows are looked at ---- */

struct data_sample {
	uint64_t seed, below; /* a row is taken when the seeded digest of its key is below */
	uint64_t percent, rows;
	int on;
	size_t memory; /* about what one comparison may use */
};
/* From the options. `total`: rows of the table, for `verify.rows`. */
void data_sample_read(struct wbl_call *call, uint64_t total, struct data_sample *ret);
int data_sample_takes(const struct data_sample *s, uint64_t key_lo, uint64_t key_hi);
/* What it has not seen, in words; `seen` of `of` rows. */
void data_sample_tell(const struct data_sample *s, uint64_t seen, uint64_t of, struct wbl_out *ret);
/* Why the plan names it as a risk; NULL: everything is looked at. The text lives in *o. */
const char *data_sample_risk(struct wbl_call *call, struct wbl_out *o);

/* ---- data_keys.c: a set of rows known by the digests of their keys ---- */

struct data_key {
	uint64_t lo, hi;
};
struct data_keys {
	struct data_key *list;
	size_t n, cap;
	uint64_t filter[1024]; /* most rows are not in it: told without a search */
	int sorted;
};
void data_keys_add(struct data_keys *k, uint64_t lo, uint64_t hi);
void data_keys_sort(struct data_keys *k); /* before the first question; equal ones become one */
/* Its place, -1: not in it. */
ptrdiff_t data_keys_find(const struct data_keys *k, uint64_t lo, uint64_t hi);
void data_keys_clear(struct data_keys *k);
/* Of a row in target form; the whole row is its key when the mapping names none. */
void data_key_digest(const struct data_table *t, struct wbl_bytes cells, struct wbl_rows *scratch,
	uint64_t *lo, uint64_t *hi);
/* What the source was when the rows were compared. */
struct data_seen {
	uint32_t moved,
		whole; /* moved: it is not what was copied. whole: the sum is over all rows */
	uint64_t row_lo, row_hi;
};
/* A reference to a row, as repair gets it back: digests, nothing of its content. */
struct data_ref {
	uint32_t version, reserved;
	struct data_key key;
	struct data_seen seen;
};

/* ---- data_compare.c: buckets ---- */

struct data_counts {
	uint64_t missing, extra, changed; /* rows */
};
struct data_compare {
	struct data_ends *ends;
	struct data_table *table;
	const struct data_sample *sample;
	uint64_t rows;             /* about how many, for the number of buckets */
	size_t cells_room;         /* for cells of rows that may differ; 0: none are kept */
	struct wbl_sum looked[2];  /* out: of the rows looked at, source and target */
	uint64_t all[2];           /* out: rows there, looked at or not */
	struct data_counts counts; /* out: exact */
	uint64_t windows;          /* out: how often both sides were read again */
	struct bucket *buckets;
	size_t nbuckets;
};
/* A row of a key that differs. more: how many more of it the source has; less than 0: the target. */
struct data_bad_row {
	struct wbl_bytes cells; /* long ones as struct data_long */
	int64_t more;
};
struct data_bad {
	struct data_key key;
	struct data_counts n;
	int whole; /* all cells of its rows were kept */
	struct data_bad_row *rows;
	size_t nrows;
};
typedef int32_t data_bad_key(void *arg, const struct data_bad *bad);
void data_compare_begin(struct data_compare *c);
/* Reads one side into the buckets. */
int32_t data_compare_side(struct data_compare *c, int target);
/* After both sides: every key whose rows differ, each once. */
int32_t data_compare_rows(struct data_compare *c, data_bad_key *each, void *arg);
/* The same for these keys only, with all cells. */
int32_t data_compare_keys(
	struct data_compare *c, struct data_keys *keys, data_bad_key *each, void *arg);
void data_compare_end(struct data_compare *c);
int32_t data_compare_run(struct data_compare *c, data_bad_key *each, void *arg); /* all of it */

/* ---- data_name.c ---- */

struct data_namer {
	struct wbl_call *call;
	struct data_table *table;
	struct data_seen seen;
	uint64_t told;
	int enough; /* no more are kept */
};
/* Tells what differs: a row that is missing or too many, a column that is changed. */
void data_name_key(struct data_namer *n, const struct data_bad *bad);

/* ---- data_show.c ---- */

enum { DATA_HEAD = 512 };
/* What is kept of a long value, as the content of a LIST cell. */
struct data_long {
	uint64_t lo, hi;
	uint32_t len, tag;
	uint8_t head[DATA_HEAD];
};
/* Two values that differ, so that people see in what. */
void data_show_pair(const struct wbl_cell *want, const struct wbl_cell *have, struct wbl_out *x,
	struct wbl_out *y);

/* The words "2 missing, 1 changed". */
void data_counts_tell(const struct data_counts *n, struct wbl_out *o);
void data_count_text(uint64_t n, struct wbl_out *o); /* 300,000 */

int32_t data_copy_repair(struct wbl_call *call, const struct wbl_work *work);
#endif
