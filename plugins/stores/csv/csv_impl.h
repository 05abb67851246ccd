/* csv_impl.h - what the options of a file of separated fields say, and the reader that finds its records.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef WBL_STORE_CSV_IMPL_H
#define WBL_STORE_CSV_IMPL_H
#include <whimbrel/sdk_files.h>

enum { CSV_MOST_COLUMNS = 16384 };
enum csv_ragged { CSV_RAGGED_ERROR, CSV_RAGGED_FILL, CSV_RAGGED_REJECT };
enum csv_quoting { CSV_MINIMAL, CSV_ALL, CSV_NONNUMERIC };
enum csv_bytes { CSV_BYTES_REFUSED, CSV_HEX, CSV_BASE64 };

struct csv_self {
	struct wbl_files files;
	int sep, quote;  /* quote -1: none */
	int escape;      /* a backslash, or -1: quotes are doubled */
	int comment;     /* -1: none */
	char *null_text; /* an unquoted field with this text is NULL; NULL: no field is */
	size_t null_len;
	int marks;     /* unquoted numbers are numbers, all else is text */
	int nonfinite; /* NaN, Infinity and -Infinity are numbers, when they are not quoted */
	enum csv_bytes bytes;
	enum csv_ragged ragged;
	int header, trailing, blank_lines;
	uint64_t skip_lines;
	char **given; /* names of the columns, instead of the header's */
	size_t ngiven;
	enum csv_quoting quoting;
	int crlf;
};

struct csv_field {
	uint32_t at, len;        /* in the record, without the outer quotes */
	uint8_t quoted, escaped; /* escaped: there is something to be taken off */
};
struct csv_reader {
	struct wbl_reader r;
	struct csv_field *fields;
	size_t nfields, cap;
	struct wbl_out plain; /* a field without its escapes */
};

int csv_find(struct wbl_reader *r, const char *p, size_t n, struct wbl_found *ret);
size_t csv_plain(const struct wbl_reader *r, const char *p, size_t n);
void csv_reader_clear(struct wbl_reader *r);
int32_t csv_row(struct wbl_reader *r, struct wbl_rows *rows, const int *pick, size_t npick,
	int64_t position);
/* The text that a field of the current record stands for; valid until the next such call. */
struct wbl_text csv_field_text(struct csv_reader *r, const struct csv_field *f);
/* Takes off an empty field at the end, where there is one behind every record. */
void csv_trailing(struct csv_reader *r);
int32_t csv_wrong_count(struct csv_reader *r);

/* What an unquoted text stands for where marks are on; WBL_CELL_TEXT: a text. */
int csv_number_tag(const struct csv_self *s, const char *p, size_t len);
const char *csv_bytes_mark(const struct csv_self *s);

const char *csv_check(
	struct wbl_files *files, const char *const *names, const int32_t *types, size_t n);
void csv_head(struct wbl_files *files, const char *const *names, size_t n, struct wbl_out *o);
const char *csv_line(
	const struct wbl_file_writer *w, const struct wbl_cell *cells, struct wbl_out *o);
#endif
