/* jsonl_impl.h - an open file of JSON objects, and the reader that walks over its lines.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef WBL_STORE_JSONL_IMPL_H
#define WBL_STORE_JSONL_IMPL_H
#include <sys/stat.h>

#include <whimbrel/sdk.h>

#include "side.h"

enum { JSONL_SAMPLE_LINES = 1000, JSONL_SAMPLE_BYTES = 1 << 20, JSONL_MOST_DIGITS = 398 };

struct jsonl_column {
	char *name;
	char *type;     /* of a file that is written here; else NULL */
	unsigned kinds; /* seen in the sample: bits of enum jsonl_kind */
};
enum jsonl_kind {
	JSONL_INT = 1,
	JSONL_DECIMAL = 2,
	JSONL_BOOL = 4,
	JSONL_TEXT = 8,
	JSONL_JSON = 16,
};

struct jsonl_self {
	char *path, *real, *set; /* set: the one name that the file has as a table */
	int fd;                  /* -1: there is no such file */
	struct stat seen;        /* when it was opened */
	struct jsonl_column *cols;
	size_t ncols;
	int given; /* the columns were named: other keys are left out */
	int refuse_missing;
	uint64_t data_start; /* behind a byte order mark */
	uint64_t size;       /* bytes of the file that count */
	struct side side;
	int write, marks; /* marks: objects like {"$base64":"..."} are values */
	struct wbl_out text;
};

/* Walks lines from an offset. The whole line lies in the buffer while it is looked at. */
struct jsonl_lines {
	struct jsonl_self *self;
	struct wbl_call *call;
	char *buf;
	size_t from, to, cap;  /* unread bytes in buf */
	uint64_t offset, line; /* of buf + from */
	int eof;
	const char *text; /* of the current line, without its end */
	size_t len;
	uint64_t number;
};
void jsonl_lines_init(struct jsonl_lines *r, struct jsonl_self *self, struct wbl_call *call,
	uint64_t offset, uint64_t line);
void jsonl_lines_clear(struct jsonl_lines *r);
/* END; PARAM with file:line; STALE when the file shrank. */
int32_t jsonl_lines_next(struct jsonl_lines *r);
/* PARAM at the current line. */
int32_t jsonl_bad(struct jsonl_lines *r, const char *hint, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* The current line as an object, to be freed; PARAM with file:line. */
int32_t jsonl_object(struct jsonl_lines *r, struct wbl_doc **ret);
int32_t jsonl_unchanged(struct jsonl_self *self, struct wbl_call *call);

/* Places the members of an object by column: values[i] is that of column i, NULL when it is missing. */
int32_t jsonl_place(
	struct jsonl_lines *r, const struct wbl_node *object, const struct wbl_node **values);
/* Appends the value as a cell; -1 and a static reason when it cannot be one. */
int jsonl_cell(
	struct wbl_rows *rows, const struct wbl_node *value, int marks, const char **ret_why);

int32_t jsonl_scan(
	void *self, struct wbl_call *call, const struct wbl_scan *scan, void **ret_cursor);
int32_t jsonl_read(void *cursor, struct wbl_call *call, struct wbl_batch *ret);
void jsonl_scan_end(void *cursor);
int32_t jsonl_count(void *self, struct wbl_call *call, const struct wbl_scan *scan, int32_t exact,
	struct wbl_totals *ret);
int32_t jsonl_split(void *self, struct wbl_call *call, const struct wbl_scan *whole,
	const struct wbl_scan *last, uint64_t rows, struct wbl_scan *ret_next);

int32_t jsonl_write(
	void *self, struct wbl_call *call, const struct wbl_write *write, void **ret_writer);
int32_t jsonl_append(
	void *writer, struct wbl_call *call, const struct wbl_batch *batch, uint64_t *ret_bad);
int32_t jsonl_commit(void *writer, struct wbl_call *call, const struct wbl_receipt *receipt,
	struct wbl_outcome *ret);
void jsonl_abort(void *writer);
int32_t jsonl_receipt(void *self, struct wbl_call *call, const char *key, struct wbl_bytes *ret);
int32_t jsonl_schema(
	void *self, struct wbl_call *call, const struct wbl_schema *in, const char **ret_text);
#endif
