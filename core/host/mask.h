/* host/mask.h - values that must not appear in any text which leaves the host. Usable from any thread.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef WBL_CORE_HOST_MASK_H
#define WBL_CORE_HOST_MASK_H
#include <stddef.h>

/* Remembers a secret (copied). Empty ones are not remembered. */
void wbl_mask_add(const void *secret, size_t len);
/* A copy of `text` in which each secret is replaced by "****"; caller frees. NULL gives NULL. */
char *wbl_mask_text(const char *text);
#endif
