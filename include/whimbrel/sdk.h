/* whimbrel/sdk.h - helpers for authors of modules, in libwhimbrel-sdk.a: entry and manifest, parameters, diagnostics,
 * plan steps, files kept and restored, canonical rows and digests, JSON.
 * Nothing here is part of the ABI: a module carries its own copy. All functions may be called from any thread of a call
 * unless said otherwise; those that return int32_t return a WBL_* status and have reported the diagnostic themselves.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef WHIMBREL_SDK_H
#define WHIMBREL_SDK_H
#include <whimbrel/handler.h>
#include <whimbrel/router.h>
#include <whimbrel/services.h>
#include <whimbrel/store.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- the module ------------------------------------------------------------------------------------------------- */

struct wbl_provided {
	const char *interface;
	const void *table;
};
#define WBL_HANDLER(table)                                                                         \
	{                                                                                          \
		"wbl.handler/1", (table)                                                           \
	}
#define WBL_STORE(table)                                                                           \
	{                                                                                          \
		"wbl.store/1", (table)                                                             \
	}
#define WBL_ROUTER(table)                                                                          \
	{                                                                                          \
		"wbl.router/1", (table)                                                            \
	}
#define WBL_TRANSFORM(table)                                                                       \
	{                                                                                          \
		"wbl.transform/1", (table)                                                         \
	}

/* The manifest's text becomes an ELF note in the object of the entry, so that no link drops it. The build says where the
 * text is: -DWBL_MANIFEST_FILE='"/path/name.conf"'. Without it the module has no manifest and is refused. */
#ifdef WBL_MANIFEST_FILE
#define WBL_MANIFEST_NOTE                                                                          \
	__asm__(".pushsection .note.whimbrel,\"a\",%note\n"                                        \
		".balign 4\n"                                                                      \
		".long 9\n"                                                                        \
		".long 7702f - 7701f\n"                                                            \
		".long 1\n"                                                                        \
		".asciz \"Whimbrel\"\n"                                                            \
		".balign 4\n"                                                                      \
		"7701:\n"                                                                          \
		".incbin \"" WBL_MANIFEST_FILE "\"\n"                                              \
		"7702:\n"                                                                          \
		".balign 4\n"                                                                      \
		".popsection\n");
#else
#define WBL_MANIFEST_NOTE
#endif

#ifdef __cplusplus
#define WBL_ENTRY_LINKAGE extern "C"
#else
#define WBL_ENTRY_LINKAGE extern
#endif

/* WBL_MODULE(name, "id", "version", WBL_HANDLER(&h), WBL_STORE(&s) ...), once in a module, at file scope; id and version
 * equal to the manifest, `name` to the file's name. */
#define WBL_MODULE(name, id, version, ...)                                                         \
	WBL_MANIFEST_NOTE                                                                          \
	static const struct wbl_provided name##_provided[] = { __VA_ARGS__ };                      \
	static const void *name##_interface(const char *interface_id, uint32_t index)              \
	{                                                                                          \
		return wbl_provided_find(name##_provided,                                          \
			sizeof name##_provided / sizeof *name##_provided, interface_id, index);    \
	}                                                                                          \
	static const struct wbl_module name##_module = { sizeof(struct wbl_module), WBL_ABI_MINOR, \
		id, version, name##_interface };                                                   \
	WBL_ENTRY_LINKAGE __attribute__((visibility("default")))                                   \
	const struct wbl_module *name##_LTX_wbl_module_entry_v1(struct wbl_call *call);            \
	const struct wbl_module *name##_LTX_wbl_module_entry_v1(struct wbl_call *call)             \
	{                                                                                          \
		(void)call;                                                                        \
		return &name##_module;                                                             \
	}
const void *wbl_provided_find(
	const struct wbl_provided *list, size_t count, const char *interface_id, uint32_t index);

/* ---- services and diagnostics ----------------------------------------------------------------------------------- */

/* NULL when the host does not offer it. */
const void *wbl_service(struct wbl_call *call, const char *id);
/* Does nothing outside tests. The name stands in the manifest's fault_points. */
void wbl_fault(struct wbl_call *call, const char *name);
#define WBL_FAULT(call, name) wbl_fault((call), (name))

/* Report and return `code`. where (may be NULL): file:line, parameter path, table. hint (may be NULL): a sentence that says what to
 * do. The text: lower case, no full stop. */
int32_t wbl_error_report(struct wbl_call *call, int32_t code, const char *where, const char *hint,
	const char *fmt, ...) __attribute__((format(printf, 5, 6)));
void wbl_warning_report(struct wbl_call *call, const char *where, const char *hint, const char *fmt,
	...) __attribute__((format(printf, 4, 5)));
void wbl_log_text(struct wbl_call *call, int32_t level, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* WBL_OK, or WBL_E_CANCELLED when STOP or PAUSE is asked for. No round trip: call it between batches. */
int32_t wbl_stop_asked(struct wbl_call *call);
void wbl_progress_tell(struct wbl_call *call, const char *phase, uint64_t items, uint64_t items_of,
	uint64_t bytes);

/* ---- JSON ------------------------------------------------------------------------------------------------------- */

struct wbl_text {
	const char *s; /* never NULL, ends with NUL behind len */
	uint64_t len;
};

#define WBL_NODE_NULL 0
#define WBL_NODE_FALSE 1
#define WBL_NODE_TRUE 2
#define WBL_NODE_NUMBER 3
#define WBL_NODE_TEXT 4
#define WBL_NODE_ARRAY 5
#define WBL_NODE_OBJECT 6
struct wbl_node {
	int32_t kind;
	uint32_t count;       /* of children */
	struct wbl_text key;  /* in an object; else "" */
	struct wbl_text text; /* TEXT: unescaped; NUMBER: as it was written */
	const struct wbl_node *child, *next;
};
struct wbl_doc;
/* Strict JSON, depth at most 64; duplicate keys are refused. NULL and a reason in *ret_why (static text) else. */
struct wbl_doc *wbl_doc_parse(const char *text, uint64_t len, const char **ret_why);
const struct wbl_node *wbl_doc_root(const struct wbl_doc *doc);
void wbl_doc_free(struct wbl_doc *doc);
/* "target.path", "tables.0.to"; NULL when it is not there. */
const struct wbl_node *wbl_node_at(const struct wbl_node *from, const char *path);
/* NULL when absent, null or no text. */
const char *wbl_node_str(const struct wbl_node *from, const char *path);
int64_t wbl_node_int(const struct wbl_node *from, const char *path, int64_t otherwise);
int wbl_node_bool(const struct wbl_node *from, const char *path, int otherwise);

/* A growing text. Without memory the process ends: the engine sees a dead host and takes it up again. */
struct wbl_out {
	char *s; /* NUL-terminated once something was added */
	size_t len, cap;
	int comma;
};
void wbl_out_clear(struct wbl_out *o);
void wbl_out_reset(struct wbl_out *o);
void wbl_out_add(struct wbl_out *o, const void *data, size_t len);
void wbl_out_fmt(struct wbl_out *o, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* JSON: '{' '[' open, '}' ']' close; a NULL key inside arrays and at the top. Bytes that are not UTF-8 become U+FFFD. */
void wbl_out_open(struct wbl_out *o, const char *key, char bracket);
void wbl_out_close(struct wbl_out *o, char bracket);
void wbl_out_text(struct wbl_out *o, const char *key, const char *s); /* NULL: null */
void wbl_out_textn(struct wbl_out *o, const char *key, const char *s, size_t len);
void wbl_out_int(struct wbl_out *o, const char *key, int64_t n);
void wbl_out_bool(struct wbl_out *o, const char *key, int yes);
void wbl_out_hex(struct wbl_out *o, const char *key, const void *data, size_t len);
void wbl_out_json(struct wbl_out *o, const char *key, const char *json); /* as it stands */
void wbl_out_node(struct wbl_out *o, const char *key, const struct wbl_node *n);

void *wbl_sdk_alloc(size_t n); /* zeroed; ends the process when there is none */
void *wbl_sdk_grow(void *p, size_t n);
char *wbl_sdk_strdup(const char *s);
int wbl_utf8_ok(const void *s, size_t len); /* strict, and without NUL */

/* ---- parameters ------------------------------------------------------------------------------------------------- */

/* Of the instance that owns the call, validated by the engine, defaults filled in. Paths as in wbl_node_at; what is returned is valid
 * until the call returns. Absent: "", `otherwise`, NULL. */
const struct wbl_node *wbl_param_json(struct wbl_call *call, const char *path);
struct wbl_text wbl_param_text(struct wbl_call *call, const char *path);
int64_t wbl_param_int(struct wbl_call *call, const char *path, int64_t otherwise);
int wbl_param_bool(struct wbl_call *call, const char *path, int otherwise);

/* ---- planning --------------------------------------------------------------------------------------------------- */

int32_t wbl_plan_step(struct wbl_call *call, const struct wbl_step *step);
int32_t wbl_plan_observe(struct wbl_call *call, int32_t rule, int64_t tolerance, const char *key,
	const char *value, const char *meaning);
int32_t wbl_plan_omit(struct wbl_call *call, const char *what, uint64_t count, const char *why);
/* Presence, content, mode and owner of a file, rule equal. */
int32_t wbl_observe_file(struct wbl_call *call, const char *path);

/* ---- files: keep, replace, check, restore ----------------------------------------------------------------------- */

/* Symbolic links are followed and stay; a file's mode and owner stay. Keep before the first change: content to the artefact `id`,
 * sealed, then the undo record `id` (that the file was absent is recorded too). An earlier attempt's record stands.
 * FAILED, UNAVAILABLE, RESOURCES. */
int32_t wbl_keep_file(struct wbl_call *call, const char *id, const char *path);
/* Temporary file beside it, fsync, rename, fsync of the folder. */
int32_t wbl_replace_file(struct wbl_call *call, const char *path, const char *data, uint64_t len);
/* Removes it durably; absent is OK. */
int32_t wbl_remove_file(struct wbl_call *call, const char *path);
/* MISMATCH with a difference when the content is another. */
int32_t wbl_check_file(struct wbl_call *call, const char *path, const char *data, uint64_t len);
/* After a rollback: is the file as it was kept? OK too when nothing was kept, because then nothing was changed. */
int32_t wbl_check_kept(struct wbl_call *call, const char *id, const char *path);
/* In rollback: everything kept by wbl_keep_file, newest first, each marked done. CORRUPT when a kept content is damaged. */
int32_t wbl_restore_kept(struct wbl_call *call);
/* Could it be replaced? Folder writable, room; tells the level that the rehearsal reached. */
int32_t wbl_rehearse_file(struct wbl_call *call, const char *path);
/* The path to work on: `path`, or in a trial (work->scratch) that of its copy. The caller frees it. */
char *wbl_work_path(const struct wbl_work *work, const char *path);
/* In execute: makes that copy, with mode and owner (none of an absent file); not in a trial: OK, nothing is done. */
int32_t wbl_scratch_file(struct wbl_call *call, const struct wbl_work *work, const char *path);

/* ---- canonical rows --------------------------------------------------------------------------------------------- */

/* A batch under construction; {0} is an empty one. Not for several threads at once. */
struct wbl_rows {
	uint8_t *data;
	size_t len, cap, row; /* row: where the open one begins */
	uint64_t rows;
};
void wbl_rows_reset(struct wbl_rows *r);
void wbl_rows_clear(struct wbl_rows *r);
void wbl_row_begin(struct wbl_rows *r, int kind);
void wbl_row_drop(struct wbl_rows *r); /* the open row is forgotten */
/* Closes the row; its cells are returned (valid until the next change of *r). */
struct wbl_bytes wbl_row_end(struct wbl_rows *r);
/* Gives a sized struct to a caller who has set the size of his own (stores: batches, outcomes): as much as both have,
 * and his size stays. NULL is nobody. */
void wbl_struct_give(void *ret, const void *own);
void wbl_rows_batch(const struct wbl_rows *r, const char *set, const char *const *columns,
	struct wbl_batch *ret);

void wbl_cell_null(struct wbl_rows *r);
void wbl_cell_int(struct wbl_rows *r, int64_t v);
void wbl_cell_real(struct wbl_rows *r, double v);
void wbl_cell_real32(struct wbl_rows *r, float v);
void wbl_cell_date(struct wbl_rows *r, int32_t days);
void wbl_cell_time(struct wbl_rows *r, int tag, int64_t ns, int digits); /* INSTANT or LOCAL */
void wbl_cell_uuid(struct wbl_rows *r, const uint8_t uuid[16]);
/* TEXT, RAW, BYTES, LIST; canonical DECIMAL and JSON. The caller answers for the content. */
void wbl_cell_blob(struct wbl_rows *r, int tag, const void *data, size_t len);
/* TEXT when it is clean UTF-8, else RAW. */
void wbl_cell_text(struct wbl_rows *r, const void *data, size_t len);
void wbl_cell_copy(
	struct wbl_rows *r, const void *cells, size_t len); /* encoded cells, as they stand */

struct wbl_row {
	uint8_t kind, bits;
	int64_t version, deadline_ns;
	struct wbl_bytes cells;
};
struct wbl_cell {
	int32_t tag;
	uint32_t len;        /* of data */
	const uint8_t *data; /* payload without the length; not NUL-terminated */
	const uint8_t *at;   /* the whole cell */
	uint32_t whole;
};
/* 1: *ret is the row at *at, which moves on; 0: no more; -1: damaged. *at begins with 0. */
int wbl_batch_next(const struct wbl_batch *batch, uint64_t *at, struct wbl_row *ret);
int wbl_cell_next(struct wbl_bytes *cells,
	struct wbl_cell *ret);                      /* takes it off the front; the same answers */
int64_t wbl_cell_get_int(const struct wbl_cell *c); /* INT, INSTANT, LOCAL, DATE */
double wbl_cell_get_real(const struct wbl_cell *c); /* REAL, REAL32, INT */
/* As people and text columns write it: numbers, ISO dates, hex of bytes ("x'00ff'"). NULL is "NULL". */
void wbl_cell_show(struct wbl_out *o, const struct wbl_cell *c);

/* Logical types of a mapping. */
#define WBL_TYPE_ANY 0 /* as the store gives it */
#define WBL_TYPE_INT 1
#define WBL_TYPE_DECIMAL 2
#define WBL_TYPE_REAL 3
#define WBL_TYPE_REAL32 4
#define WBL_TYPE_TEXT 5
#define WBL_TYPE_BYTES 6
#define WBL_TYPE_BOOL 7
#define WBL_TYPE_INSTANT 8
#define WBL_TYPE_LOCAL 9
#define WBL_TYPE_DATE 10
#define WBL_TYPE_UUID 11
#define WBL_TYPE_JSON 12
int32_t wbl_type_by_name(const char *name); /* "int" ... -1: none */
const char *wbl_type_name(int32_t type);
/* Appends `c` as a value of `type`; NULL stays NULL. Never loses anything in silence: 0, or -1 with a static reason and nothing appended. */
int wbl_cell_cast(struct wbl_rows *r, const struct wbl_cell *c, int32_t type, const char **ret_why);
/* Text forms: 0 or -1. Decimals of up to 400 digits; out has room for 512. */
int wbl_decimal_canon(const char *s, size_t len, char out[512], size_t *ret_len);
int wbl_date_parse(const char *s, size_t len, int32_t *ret_days);
int wbl_time_parse(const char *s, size_t len, int zone, int64_t *ret_ns, int *ret_digits);
size_t wbl_date_show(int32_t days, char out[16]);
size_t wbl_time_show(int64_t ns, int digits, int zone, char out[40]);

/* A cell as a JSON value that reads back as the same cell. What JSON has no form for is an object of one member: {"$base64":"..."}
 * for bytes, {"$real":"0.5"}, {"$instant":...}, {"$json":...}, {"$raw":base64} for a text that is not UTF-8, ... */
void wbl_json_put_cell(struct wbl_out *o, const char *key, const struct wbl_cell *c);
/* Appends the cell: 0, or -1 with a static reason and nothing appended. */
int wbl_json_get_cell(struct wbl_rows *r, const struct wbl_node *n, const char **ret_why);
void wbl_base64_put(struct wbl_out *o, const void *data, size_t len); /* appends */
int wbl_base64_get(const char *s, size_t len, struct wbl_out *ret);   /* replaces; 0 or -1 */

/* ---- digests ---------------------------------------------------------------------------------------------------- */

struct wbl_sum {
	uint64_t count, row_lo, row_hi, key_lo, key_hi;
};
void wbl_sum_row(
	struct wbl_sum *s, const void *cells, size_t len); /* counts it and adds its digest */
void wbl_sum_key(struct wbl_sum *s, const void *cells, size_t len); /* adds the digest of its key */
void wbl_sum_add(struct wbl_sum *s, const struct wbl_sum *more);
int wbl_sum_equal(const struct wbl_sum *a, const struct wbl_sum *b);
void wbl_sum_digest(const struct wbl_sum *s, const char *set, struct wbl_digest *ret);
void wbl_digest_128(
	const void *data, size_t len, uint64_t seed, uint64_t *ret_lo, uint64_t *ret_hi);
/* XXH3-128 as 32 hex digits: a short name for changed content, no protection against a forger. */
void wbl_digest_hex(const void *data, size_t len, char out[33]);
int32_t wbl_digest_fd(int fd, char out[33]); /* from offset 0 to the end; 0 or -1 with errno */

#ifdef __cplusplus
}
#endif
#endif
