/* host/keyset.c - open addressing, linear probing; taking back the youngest first keeps every probe chain whole.
 * SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "core/host/keyset.h"

#include <stdlib.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "core/base/util.h"

enum { MOST = 1 << 19, FIRST = 1 << 10 }; /* 16 MiB of slots at most: half full */

static size_t place(const struct wbl_keyset *k, struct wbl_key key, bool *ret_there)
{
	size_t i = (size_t)key.low & (k->cap - 1);

	while (k->slots[i].low || k->slots[i].high) {
		if (k->slots[i].low == key.low && k->slots[i].high == key.high) {
			*ret_there = true;
			return i;
		}
		i = (i + 1) & (k->cap - 1);
	}
	*ret_there = false;
	return i;
}

static void resize(struct wbl_keyset *k, size_t cap)
{
	struct wbl_keyset bigger = { .slots = wbl_alloc(cap * sizeof *k->slots), .cap = cap };
	size_t i;
	bool there;

	for (i = 0; i < k->cap; i++)
		if (k->slots[i].low || k->slots[i].high)
			bigger.slots[place(&bigger, k->slots[i], &there)] = k->slots[i];
	free(k->slots);
	k->slots = bigger.slots;
	k->cap = cap;
}

bool wbl_keyset_mark(struct wbl_keyset *k, size_t n)
{
	size_t cap = k->cap ? k->cap : FIRST;

	k->nundo = 0;
	if (n > MOST || k->count + n > MOST)
		return false;
	while (cap < 2 * (k->count + n))
		cap *= 2;
	if (cap != k->cap)
		resize(k, cap);
	if (k->undo_cap < n) {
		k->undo = wbl_realloc(k->undo, n * sizeof *k->undo);
		k->undo_cap = n;
	}
	return true;
}

bool wbl_keyset_add(struct wbl_keyset *k, const void *key, size_t len)
{
	XXH128_hash_t h = XXH3_128bits(key, len);
	struct wbl_key digest = { h.low64, h.high64 ? h.high64 : 1 };
	bool there;
	size_t at = place(k, digest, &there);

	if (there)
		return false;
	k->slots[at] = digest;
	k->undo[k->nundo++] = at;
	k->count++;
	return true;
}

void wbl_keyset_take_back(struct wbl_keyset *k)
{
	while (k->nundo) {
		k->slots[k->undo[--k->nundo]] = (struct wbl_key){ 0 };
		k->count--;
	}
}

void wbl_keyset_clear(struct wbl_keyset *k)
{
	free(k->slots);
	free(k->undo);
	memset(k, 0, sizeof *k);
}
