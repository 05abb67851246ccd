/* host/read.h - what a module passes, held against the ABI and put into JSON: sizes, texts, bytes, enums, flags.
 * All return false after they have reported the breach under the name of the function. NULL-safe.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef WBL_CORE_HOST_READ_H
#define WBL_CORE_HOST_READ_H
#include "core/base/json.h"
#include "core/host/ticket.h"

#define WBL_END_OF(type, member) (offsetof(type, member) + sizeof(((type *)0)->member))

/* Copies the smaller of both sizes to *dst, the rest is zero. `least`: the size that the first revision needs. */
bool wbl_read_struct(
	enum wbl_fn fn, const char *what, const void *src, size_t least, void *dst, size_t size);
/* `src` has the members of a struct up to size `size`; *dst says how much of it its reader knows. */
bool wbl_write_struct(
	enum wbl_fn fn, const char *what, void *dst, size_t least, const void *src, size_t size);
/* A text that must be UTF-8; NULL is refused when `mandatory`, else the member is left out. */
bool wbl_read_text(enum wbl_fn fn, json_t *obj, const char *key, const char *text, bool mandatory);
bool wbl_read_masked(
	enum wbl_fn fn, json_t *obj, const char *key, const char *text, bool mandatory);
/* A JSON text; an object when `object`. */
bool wbl_read_json(enum wbl_fn fn, json_t *obj, const char *key, const char *text, bool mandatory,
	bool object);
bool wbl_read_count(enum wbl_fn fn, json_t *obj, const char *key, uint64_t n);
bool wbl_read_bytes(enum wbl_fn fn, const char *what, struct wbl_bytes b);
/* One of 1..max. */
bool wbl_read_enum(enum wbl_fn fn, json_t *obj, const char *key, int32_t value, int32_t max);
/* Refuses unknown critical flags (high half), drops unknown others. */
bool wbl_read_flags(enum wbl_fn fn, json_t *obj, const char *key, uint32_t flags, uint32_t known);
/* {items,bytes,rejected,digests:[...]} */
bool wbl_read_totals(enum wbl_fn fn, json_t *obj, const struct wbl_totals *totals);
bool wbl_read_progress(enum wbl_fn fn, json_t *obj, const struct wbl_progress *p);
#endif
