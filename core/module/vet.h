/* module/vet.h - may this file be trusted as much as the engine itself?
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef WBL_CORE_MODULE_VET_H
#define WBL_CORE_MODULE_VET_H
#include "core/base/error.h"
#include "core/base/util.h"

/* Regular, owner root or us, writable by nobody else; the same for each folder above it, as it is written and as
 * it really is; root's sticky folders (/tmp) pass. WBL_E_USAGE or WBL_E_UNAVAILABLE, saying which file or folder.
 * trust_any_owner: only that it is a regular file. `path` is absolute. */
int32_t wbl_file_vet(const char *path, bool trust_any_owner, struct wbl_error *err);
#endif
