/* engine/refs.h - what repair needs to find a row again, kept so that who reads the journal does not read it.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef WBL_CORE_ENGINE_REFS_H
#define WBL_CORE_ENGINE_REFS_H
#include "core/engine/engine.h"

/* Appends the encrypted ref to `to`; nothing for an empty one. The key is made at the first use. WBL_E_DISK. */
int32_t wbl_ref_seal(struct wbl_engine *e, const void *ref, size_t len, struct wbl_buf *to,
	struct wbl_error *err);
/* Appends the ref itself. One that an older engine kept as it was comes back as it is. WBL_E_CORRUPT: damaged, or
 * another key. */
int32_t wbl_ref_open(struct wbl_engine *e, const void *sealed, size_t len, struct wbl_buf *to,
	struct wbl_error *err);
#endif
