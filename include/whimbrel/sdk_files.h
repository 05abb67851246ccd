/* whimbrel/sdk_files.h - for stores whose tables are files of records: what all of them do alike.
 * In: a format, which finds records in text, makes rows of them and text of rows.  Out: the functions of a wbl.store/1: files and folders
 * listed and described, decompressed and decoded, cut into ranges that carry line numbers, watched for changes, written as new files
 * with a journal beside them. A module that uses it links zlib and libzstd. The same rules as in whimbrel/sdk.h.
 *
 * Parameters that every such store has (its manifest declares them): `path`, `as`, `table`, `encoding`, `compression`.
 *
 * Offsets and lines are those of the decoded text: of a file that is neither compressed nor in another encoding than UTF-8, its own.
 * To begin a compressed or encoded file at an offset, all before it is decoded and dropped, unless the same process has just read it
 * up to there: the last readers of such files are kept, so that ranges read one after the other cost what the whole costs.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef WHIMBREL_SDK_FILES_H
#define WHIMBREL_SDK_FILES_H
#include <sys/stat.h>

#include <whimbrel/sdk.h>

#ifdef __cplusplus
extern "C" {
#endif

#define WBL_RECORD_LONGEST (16u << 20) /* bytes of one record */

struct wbl_files;
struct wbl_file_set;
struct wbl_reader;

struct wbl_file_column {
	char *name, *type;      /* type: logical; NULL: text. Both allocated */
	uint32_t kinds;         /* the format's own, while it learns */
	int32_t not_null, cast; /* cast: type to which cells are brought, WBL_TYPE_ANY none */
};
struct wbl_file {
	char *path, *name; /* name: what "#file" says */
	struct stat seen;  /* when the store looked for its files */
	uint64_t size;     /* bytes of it that count */
};
/* A table: one file, or all of a pattern. */
struct wbl_file_set {
	struct wbl_files *store;
	char *name;
	struct wbl_file *files; /* sorted by name */
	size_t nfiles;
	struct wbl_file_column *cols;
	size_t ncols;
	int known;   /* the columns are */
	int written; /* they come from the journal of what is written here */
};
#define WBL_AS_FILE 0   /* one file, one table */
#define WBL_AS_TABLES 1 /* a folder or a pattern: each file is a table */
#define WBL_AS_ONE 2    /* all files are one table, with the column "#file" */

/* What open gives; a format's own struct begins with it. */
struct wbl_files {
	const struct wbl_files_format *format;
	char *path, *real; /* real: NULL when it is not there */
	char *table;       /* name of the one table, of WBL_AS_FILE and WBL_AS_ONE */
	char *encoding;    /* NULL: UTF-8 */
	int as, exists, write;
	int target;  /* opened as what this run's handler writes, or wrote */
	int packing; /* of new files; read ones tell by themselves */
	int packing_off;
	struct wbl_file_set *sets;
	size_t nsets;
	size_t walks;          /* cursors that are open */
	struct wbl_side *side; /* the journal */
	struct wbl_out text;   /* of the last describe, split, schema */
};

/* What find has to say of the bytes it was shown. */
struct wbl_found {
	size_t at, len;  /* the record, without its end */
	size_t used;     /* up to the next one */
	uint64_t lines;  /* line breaks in `used`, or up to what is wrong */
	uint64_t before; /* line breaks before the record */
	const char *why, *hint;
};
#define WBL_FIND_MORE 0 /* more bytes are needed */
#define WBL_FIND_RECORD 1
#define WBL_FIND_SKIP 2     /* `used` bytes are no record: a comment */
#define WBL_FIND_END 3      /* nothing but blanks follows */
#define WBL_FIND_WRONG (-1) /* why, hint (may be NULL) */

/* Walks records. The whole record lies in the buffer while it is looked at. A format's own struct begins with it. */
struct wbl_reader {
	struct wbl_file_set *set;
	const struct wbl_file *file;
	struct wbl_call *call;
	char *buf;
	size_t from, to, cap;  /* unread bytes in buf */
	uint64_t offset, line; /* of buf + from */
	int eof, fd;
	struct wbl_decoder *decoder; /* NULL: the bytes are the text */
	const char *record;          /* the current one */
	size_t len;
	uint64_t number;      /* its first line */
	struct wbl_file kept; /* of a reader without a store */
	struct wbl_rows cell;
};

/* A file that is being written. */
struct wbl_file_writer {
	struct wbl_files *store;
	char **names;
	int32_t *types;
	size_t ncols;
};

/* All functions are of the format, and called with its own structs. Those that return int32_t report by themselves. */
struct wbl_files_format {
	const char *name;           /* of the store, and dialect */
	const char *const *endings; /* of its files in a folder; the first is that of new ones */
	size_t self_size, reader_size;
	int32_t (*options)(struct wbl_files *, struct wbl_call *own);
	void (*clear)(struct wbl_files *);
	void (*reader_clear)(struct wbl_reader *); /* may be NULL */
	/* Adds the columns of a set. */
	int32_t (*learn)(struct wbl_file_set *, struct wbl_call *);
	/* At the beginning of a file, behind a byte order mark: reads what stands before the records, holds it against the columns
	 * when they are known, and adds them else. */
	int32_t (*begin)(struct wbl_reader *);
	/* The same bytes, when it goes on further back: what has to be known of the beginning. May be NULL. */
	void (*recall)(struct wbl_reader *, const char *p, size_t n);
	/* Looks for a record at p; r->eof: nothing follows p + n. n may be 0 with r->eof only. */
	int (*find)(struct wbl_reader *r, const char *p, size_t n, struct wbl_found *ret);
	/* How many bytes at p hold nothing but records which end at each line break; 0: not known. May be NULL. */
	size_t (*plain)(const struct wbl_reader *, const char *p, size_t n);
	/* Appends the cells of the current record. pick: columns; below 0: what wbl_reader_about appends. */
	int32_t (*row)(struct wbl_reader *r, struct wbl_rows *rows, const int *pick, size_t npick,
		int64_t position);
	/* NULL, or why a table with these columns cannot be written. */
	const char *(*check)(
		struct wbl_files *, const char *const *names, const int32_t *types, size_t n);
	/* What a new file begins with, in UTF-8. May be NULL. */
	void (*head)(struct wbl_files *, const char *const *names, size_t n, struct wbl_out *);
	/* Appends one row as text; NULL, or why not (then what was appended is dropped). */
	const char *(*line)(
		const struct wbl_file_writer *, const struct wbl_cell *cells, struct wbl_out *);
};

/* ---- for formats ---- */

struct wbl_file_column *wbl_file_column_add(struct wbl_file_set *, const char *name, size_t len);
/* -1 none */
int wbl_file_column_find(const struct wbl_file_set *, const char *name, size_t len);
/* PARAM at a line of the file. */
int32_t wbl_reader_bad(struct wbl_reader *, uint64_t line, const char *hint, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));
/* offset 0: the beginning, head and all; else a place that a reader has told. */
int32_t wbl_reader_open(struct wbl_file_set *, size_t file, struct wbl_call *, uint64_t offset,
	uint64_t line, struct wbl_reader **ret);
void wbl_reader_close(struct wbl_reader *);
/* The next record; END. */
int32_t wbl_reader_next(struct wbl_reader *);
/* The next line as it stands, whatever the format calls a record; END. */
int32_t wbl_reader_line(struct wbl_reader *);

/* Of a file that is written here the type of a column is known: brings the last cell, which begins at `from`, into its form. */
void wbl_reader_cast(struct wbl_reader *, struct wbl_rows *, size_t from, int32_t type);
/* The cell of a column that is none of the file's: its position, its file. */
void wbl_reader_about(const struct wbl_reader *, struct wbl_rows *, int pick, int64_t position);

/* Hex digits without blanks; 0 or -1. */
void wbl_hex_write(struct wbl_out *, const void *data, size_t len);
int wbl_hex_read(struct wbl_out *, const char *text, size_t len);
/* The shortest text that reads back as this number, also through binary64 when it is a binary32. Not of NaN and infinity. */
size_t wbl_real_show(const struct wbl_cell *, char out[40]);

/* ---- the functions of the store, as in whimbrel/store.h ---- */

int32_t wbl_files_open(const struct wbl_files_format *, struct wbl_call *own, uint32_t flags,
	void **ret_self, uint64_t *ret_capabilities);
void wbl_files_close(void *self);
int32_t wbl_files_describe(void *self, struct wbl_call *, const char *set, const char **ret_json);
int32_t wbl_files_count(void *self, struct wbl_call *, const struct wbl_scan *, int32_t exact,
	struct wbl_totals *ret);
int32_t wbl_files_split(void *self, struct wbl_call *, const struct wbl_scan *whole,
	const struct wbl_scan *last, uint64_t rows, struct wbl_scan *ret_next);
int32_t wbl_files_scan(void *self, struct wbl_call *, const struct wbl_scan *, void **ret_cursor);
int32_t wbl_files_read(void *cursor, struct wbl_call *, struct wbl_batch *ret);
void wbl_files_scan_end(void *cursor);
int32_t wbl_files_write(void *self, struct wbl_call *, const struct wbl_write *, void **ret_writer);
int32_t wbl_files_append(
	void *writer, struct wbl_call *, const struct wbl_batch *, uint64_t *ret_bad);
int32_t wbl_files_commit(
	void *writer, struct wbl_call *, const struct wbl_receipt *, struct wbl_outcome *ret);
void wbl_files_abort(void *writer);
int32_t wbl_files_receipt(void *self, struct wbl_call *, const char *key, struct wbl_bytes *ret);
int32_t wbl_files_schema(
	void *self, struct wbl_call *, const struct wbl_schema *, const char **ret_text);

/* All of them but open, for the initializer of a struct wbl_store. */
#define WBL_FILES_STORE                                                                            \
	.close = wbl_files_close, .describe = wbl_files_describe, .count = wbl_files_count,        \
	.split = wbl_files_split, .scan = wbl_files_scan, .read = wbl_files_read,                  \
	.scan_end = wbl_files_scan_end, .write = wbl_files_write, .append = wbl_files_append,      \
	.commit = wbl_files_commit, .abort = wbl_files_abort, .receipt = wbl_files_receipt,        \
	.schema = wbl_files_schema

#ifdef __cplusplus
}
#endif
#endif
