/* side.h - the journal beside a file that is being written, PATH.whimbrel: its columns, receipts, and how much of it counts.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef WBL_STORE_SIDE_H
#define WBL_STORE_SIDE_H
#include <whimbrel/sdk.h>

struct side_receipt {
	char *key, *origin, *set;
	uint64_t epoch, attempt, written;
	struct wbl_out body;
};
struct side {
	char *path, *log; /* the file and its journal */
	int fd, file;     /* the journal, locked while it is changed, and the file; -1 */
	int exists, table,
		open; /* open: what stands behind `length` is a writer's that has not committed */
	uint64_t length;        /* bytes of the file that count */
	uint64_t end;           /* of the journal's whole records */
	struct wbl_out columns; /* as in create_table, an array */
	struct side_receipt *receipts;
	size_t nreceipts;
};
void side_init(struct side *s, const char *path);
void side_clear(struct side *s);
/* Reads the journal; absent is OK. CORRUPT. */
int32_t side_load(struct side *s, struct wbl_call *call);
/* The same, alone; WBL_END when there is no journal. Until side_unlock. */
int32_t side_lock(struct side *s, struct wbl_call *call);
void side_unlock(struct side *s);
/* Durable on return. */
int32_t side_add(struct side *s, struct wbl_call *call, const char *record);
const struct side_receipt *side_find(const struct side *s, const char *key);
int32_t side_fenced(
	const struct side *s, struct wbl_call *call, const char *origin, uint64_t epoch);
void side_tell_receipt(struct wbl_out *o, const struct wbl_receipt *r, const char *origin,
	const char *set, uint64_t written);
int32_t side_open_file(struct side *s, struct wbl_call *call, int flags);
/* One change of the schema, as docs/data.md has them. `create` appends what a new file begins with. */
int32_t side_change(struct side *s, struct wbl_call *call, const char *set,
	const struct wbl_schema *in, struct wbl_out *ret_text);
#endif
