/* csv_impl.h - an open file of records, and the reader that walks over it.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef WBL_STORE_CSV_IMPL_H
#define WBL_STORE_CSV_IMPL_H
#include <sys/stat.h>

#include <whimbrel/sdk.h>

struct csv_self {
	char *path, *real, *set; /* set: the one name that the file has as a table */
	int fd;                  /* -1: there is no such file */
	struct stat seen;        /* when it was opened */
	int sep, quote;          /* quote -1: none */
	char *null_text;         /* an unquoted field with this text is NULL; NULL: no field is */
	size_t null_len;
	char **names;
	size_t ncols;
	uint64_t data_start, data_line; /* behind byte order mark and header */
	struct wbl_out text;
};

struct csv_field {
	uint32_t at, len;        /* in the record, without the outer quotes */
	uint8_t quoted, doubled; /* doubled: has quotes to be halved */
};

/* Walks records from an offset. The whole record lies in the buffer while it is looked at. */
struct csv_reader {
	struct csv_self *self;
	struct wbl_call *call;
	char *buf;
	size_t from, to, cap;  /* unread bytes in buf */
	uint64_t offset, line; /* of buf + from */
	int eof;
	struct csv_field *fields;
	size_t nfields, fields_cap;
	const char *record;
	size_t record_len;
	uint64_t record_offset, record_line;
};
void csv_reader_init(struct csv_reader *r, struct csv_self *self, struct wbl_call *call,
	uint64_t offset, uint64_t line);
void csv_reader_clear(struct csv_reader *r);
/* END; PARAM with file:line; STALE when the file shrank. The fields are those of r->record. */
int32_t csv_reader_next(struct csv_reader *r);
int32_t csv_ragged(
	struct csv_reader *r); /* error unless it has as many fields as the file has columns */
int32_t csv_unchanged(struct csv_self *self, struct wbl_call *call);

int32_t csv_scan(void *self, struct wbl_call *call, const struct wbl_scan *scan, void **ret_cursor);
int32_t csv_read(void *cursor, struct wbl_call *call, struct wbl_batch *ret);
void csv_scan_end(void *cursor);
int32_t csv_count(void *self, struct wbl_call *call, const struct wbl_scan *scan, int32_t exact,
	struct wbl_totals *ret);
int32_t csv_split(void *self, struct wbl_call *call, const struct wbl_scan *whole,
	const struct wbl_scan *last, uint64_t rows, struct wbl_scan *ret_next);
#endif
