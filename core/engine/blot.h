/* engine/blot.h - secrets that a handler fetched, blotted out of what it prints and says.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef WBL_CORE_ENGINE_BLOT_H
#define WBL_CORE_ENGINE_BLOT_H
#include "core/base/util.h"

struct wbl_secrets {
	struct wbl_buf *values;
	size_t count;
};

void wbl_secrets_add(struct wbl_secrets *s, const void *data, size_t len); /* copied; once each */
void wbl_secrets_clear(struct wbl_secrets *s);                             /* overwritten, freed */
/* Overwrites with '*' what stands in the text of any secret: all of a short one, of a longer one every piece
 * of at least 16 bytes, as streams that are cut and mixed show it. */
void wbl_secrets_blot(const struct wbl_secrets *s, char *text, size_t len);
#endif
