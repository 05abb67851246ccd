/* base/json.h - jansson with the two or three idioms that we use everywhere.
 * Digests and unsigned 64-bit sums are hex text in JSON: jansson integers are signed 64-bit.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef WBL_CORE_BASE_JSON_H
#define WBL_CORE_BASE_JSON_H
#include <jansson.h>

#include "core/base/error.h"
#include "core/base/util.h"

/* Strict: UTF-8, no trailing text, no duplicate keys, depth at most 64. NULL and err on failure. */
json_t *wbl_json_parse(const char *text, size_t len, const char *where, struct wbl_error *err);
char *wbl_json_text(const json_t *j);   /* compact, insertion order; caller frees */
char *wbl_json_pretty(const json_t *j); /* indented by 2, trailing line break; caller frees */
const char *wbl_json_str(
	const json_t *obj, const char *key); /* NULL if absent or no string; borrowed */
int64_t wbl_json_int(const json_t *obj, const char *key, int64_t otherwise);
bool wbl_json_bool(const json_t *obj, const char *key, bool otherwise);
/* Sets key to a text (bytes that are not UTF-8 become U+FFFD); NULL leaves the key out. */
void wbl_json_put(json_t *obj, const char *key, const char *text);
void wbl_json_puti(json_t *obj, const char *key, int64_t n);
json_t *wbl_json_error(const struct wbl_error *err); /* {code,name,where,text,hint,actions,exit} */
#endif
