/* host/keyset.h - keys that were seen, as 128-bit digests; a batch can be taken back. Bounded.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef WBL_CORE_HOST_KEYSET_H
#define WBL_CORE_HOST_KEYSET_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct wbl_keyset {
	struct wbl_key {
		uint64_t low, high;
	} * slots;
	size_t count, cap;
	size_t *undo, nundo, undo_cap; /* slots filled since the last mark */
};

/* Room for `n` more; false: beyond the bound, nothing is checked any longer. Forgets what could be taken back. */
bool wbl_keyset_mark(struct wbl_keyset *k, size_t n);
/* false: it was there already. */
bool wbl_keyset_add(struct wbl_keyset *k, const void *key, size_t len);
void wbl_keyset_take_back(struct wbl_keyset *k);
void wbl_keyset_clear(struct wbl_keyset *k);
#endif
