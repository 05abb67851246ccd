/* jsonl_impl.h - what the options of a file of JSON objects say, and the reader that finds them.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef WBL_STORE_JSONL_IMPL_H
#define WBL_STORE_JSONL_IMPL_H
#include <whimbrel/sdk_files.h>

enum { JSONL_SAMPLE_LINES = 1000, JSONL_SAMPLE_BYTES = 1 << 20, JSONL_MOST_DIGITS = 398 };
/* What was seen in a column. */
enum jsonl_kind {
	JSONL_INT = 1,
	JSONL_DECIMAL = 2,
	JSONL_BOOL = 4,
	JSONL_TEXT = 8,
	JSONL_JSON = 16,
	JSONL_BYTES = 32,
	JSONL_MARKED = 64, /* any other value with a mark */
};

struct jsonl_self {
	struct wbl_files files;
	int given; /* the columns were named: other keys are left out */
	int refuse_missing;
	int marks; /* objects like {"$base64":"..."} are values */
	int nest;  /* the members of an object are columns, "address.city" */
	char **names;
	size_t nnames;
};
enum jsonl_form { JSONL_UNKNOWN, JSONL_LINES, JSONL_ARRAY };
struct jsonl_reader {
	struct wbl_reader r;
	enum jsonl_form form;
	int first, closed; /* of an array: nothing was read yet; its end was */
	const struct wbl_node **values;
	size_t nvalues;
	struct wbl_out path;
};

int32_t jsonl_begin(struct wbl_reader *r);
void jsonl_recall(struct wbl_reader *r, const char *p, size_t n);
int jsonl_find(struct wbl_reader *r, const char *p, size_t n, struct wbl_found *ret);
size_t jsonl_plain(const struct wbl_reader *r, const char *p, size_t n);
void jsonl_reader_clear(struct wbl_reader *r);
/* The current record as an object, to be freed; PARAM with file:line. */
int32_t jsonl_object(struct wbl_reader *r, struct wbl_doc **ret);

/* Is the object one value, {"$base64":"..."}? */
int jsonl_is_mark(const struct wbl_node *n);
/* Places the members of an object by column: r->values[i] is that of column i, NULL when it is missing. */
int32_t jsonl_place(struct jsonl_reader *r, const struct wbl_node *object);
/* Appends the value as a cell; -1 and a static reason when it cannot be one. */
int jsonl_cell(
	struct wbl_rows *rows, const struct wbl_node *value, int marks, const char **ret_why);
int32_t jsonl_row(struct wbl_reader *r, struct wbl_rows *rows, const int *pick, size_t npick,
	int64_t position);

const char *jsonl_check(
	struct wbl_files *files, const char *const *names, const int32_t *types, size_t n);
const char *jsonl_line(
	const struct wbl_file_writer *w, const struct wbl_cell *cells, struct wbl_out *o);
#endif
