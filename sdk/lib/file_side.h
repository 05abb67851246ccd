/* sdk/lib/file_side.h - the journal beside files that are being written: their columns, receipts, and how much of each counts.
 * It is PATH.whimbrel beside one file, and .whimbrel in a folder.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef WBL_SDK_FILE_SIDE_H
#define WBL_SDK_FILE_SIDE_H
#include <whimbrel/sdk_files.h>

struct wbl_side_receipt {
	char *key, *origin, *set;
	uint64_t epoch, attempt, written;
	struct wbl_out body;
};
struct wbl_side_table {
	char *set, *by; /* by: the run that made it */
	int making;     /* its file may be there, and counts for nothing */
	int made;       /* it is a table */
	int open;       /* what stands behind `length` is a writer's that has not committed */
	uint64_t length, head;  /* bytes of the file that count; those in front of the first row */
	struct wbl_out columns; /* as in create_table, an array */
};
struct wbl_side {
	char *log;
	int fd; /* locked while it is changed; -1 */
	int exists;
	uint64_t end; /* of the journal's whole records */
	struct wbl_side_table *tables;
	size_t ntables;
	struct wbl_side_receipt *receipts;
	size_t nreceipts;
};
struct wbl_side *wbl_side_new(const char *log);
void wbl_side_free(struct wbl_side *s);
/* Reads the journal; absent is OK. CORRUPT. */
int32_t wbl_side_load(struct wbl_side *s, struct wbl_call *call);
/* The same, alone; WBL_END when there is no journal. Until wbl_side_unlock. */
int32_t wbl_side_lock(struct wbl_side *s, struct wbl_call *call);
void wbl_side_unlock(struct wbl_side *s);
/* Makes an empty one unless it is there. The caller syncs the folder. */
int32_t wbl_side_create(struct wbl_side *s, struct wbl_call *call);
/* Durable on return. A record: {"tables":[{"set", "table", "making", "open", "length", "head", "drop", "emptied"}], "forget", "receipts"},
 * what is not named stays. */
int32_t wbl_side_add(struct wbl_side *s, struct wbl_call *call, const char *record);
const struct wbl_side_receipt *wbl_side_find(const struct wbl_side *s, const char *key);
struct wbl_side_table *wbl_side_table(const struct wbl_side *s, const char *set);
int32_t wbl_side_fenced(
	const struct wbl_side *s, struct wbl_call *call, const char *origin, uint64_t epoch);
/* Opens {"tables":[{"set":...; to be closed by wbl_side_record_end, which adds the receipt. */
void wbl_side_record(struct wbl_out *o, const char *set);
void wbl_side_record_end(struct wbl_out *o, const struct wbl_receipt *r, const char *origin,
	const char *set, uint64_t written);
void wbl_side_tell_receipt(struct wbl_out *o, const struct wbl_receipt *r, const char *origin,
	const char *set, uint64_t written);
void wbl_side_tell_columns(struct wbl_out *o, const char *key, const struct wbl_node *list);

/* ---- of file_list.c, file_change.c, file_write.c ---- */

/* The file that the table has or would get; allocated. */
char *wbl_files_path(const struct wbl_files *s, const char *set);
int32_t wbl_files_open_data(
	const struct wbl_files *s, const char *set, struct wbl_call *call, int flags, int *ret_fd);
int32_t wbl_files_write_all(const char *path, int fd, struct wbl_call *call, const char *data,
	size_t len, uint64_t *at);
struct wbl_file_set *wbl_files_set(const struct wbl_files *s, const char *name);
/* A store may stay open while files come, grow and go: looks again, unless one of them is being read. */
int32_t wbl_files_refresh(struct wbl_files *s, struct wbl_call *call);
/* Reads the columns, if they are not known yet. */
int32_t wbl_files_know(struct wbl_file_set *set, struct wbl_call *call);
/* WBL_AS_ONE: has a file come or gone? STALE names it. */
int32_t wbl_files_complete(const struct wbl_file_set *set, struct wbl_call *call);
#endif
