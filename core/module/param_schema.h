/* module/param_schema.h - the schema of parameters in a manifest: { name; type; required; ... } to struct wbl_param.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef WBL_CORE_MODULE_PARAM_SCHEMA_H
#define WBL_CORE_MODULE_PARAM_SCHEMA_H
#include "core/module/manifest.h"

struct wbl_conf;

/* Keeps what the schemas of one manifest consist of; texts are borrowed from `conf`. {0} with conf set is empty. */
struct wbl_schema {
	const struct wbl_conf *conf;
	void **blocks;
	size_t nblocks;
	json_t *values; /* an array: owns the defaults */
};
/* The texts of a JSON array, NULL-ended; an empty list for NULL. Borrowed. */
const char **wbl_schema_texts(struct wbl_schema *s, const json_t *list);
/* `reserved`: a name that no parameter may have ("store"), or NULL. WBL_E_USAGE with file, line, path. */
int32_t wbl_schema_params(struct wbl_schema *s, const json_t *list, const char *path,
	const char *reserved, struct wbl_param **ret, size_t *ret_count, struct wbl_error *err);
json_t *wbl_schema_json(const struct wbl_param *params, size_t count);
void wbl_schema_clear(struct wbl_schema *s);
#endif
