/* data_keys.c - rows known by the digests of their keys: a set of them, asked once for every row that is read.
 * In: digests.  Out: in it or not.  16 bytes each, whatever the keys are.
 * SPDX-License-Identifier: Apache-2.0 */
#include "data_verify.h"

#include <stdlib.h>
#include <string.h>

static size_t filter_bit(uint64_t lo)
{
	return (size_t)(lo >> 48); /* 65,536 bits */
}

void data_keys_add(struct data_keys *k, uint64_t lo, uint64_t hi)
{
	if (k->n == k->cap) {
		k->cap = k->cap * 2 + 64;
		k->list = wbl_sdk_grow(k->list, k->cap * sizeof *k->list);
	}
	k->list[k->n++] = (struct data_key){ lo, hi };
	k->filter[filter_bit(lo) / 64] |= UINT64_C(1) << filter_bit(lo) % 64;
	k->sorted = 0;
}

static int by_digest(const void *a, const void *b)
{
	const struct data_key *x = a, *y = b;

	if (x->hi != y->hi)
		return x->hi < y->hi ? -1 : 1;
	return (x->lo > y->lo) - (x->lo < y->lo);
}

void data_keys_sort(struct data_keys *k)
{
	size_t n = 0;

	if (k->n)
		qsort(k->list, k->n, sizeof *k->list, by_digest);
	for (size_t i = 0; i < k->n; i++)
		if (!n || by_digest(&k->list[n - 1], &k->list[i]) != 0)
			k->list[n++] = k->list[i];
	k->n = n;
	k->sorted = 1;
}

ptrdiff_t data_keys_find(const struct data_keys *k, uint64_t lo, uint64_t hi)
{
	struct data_key key = { lo, hi };
	const struct data_key *at;

	if (!(k->filter[filter_bit(lo) / 64] >> filter_bit(lo) % 64 & 1))
		return -1;
	at = bsearch(&key, k->list, k->n, sizeof *k->list, by_digest);
	return at ? at - k->list : -1;
}

void data_keys_clear(struct data_keys *k)
{
	free(k->list);
	memset(k, 0, sizeof *k);
}

void data_key_digest(const struct data_table *t, struct wbl_bytes cells, struct wbl_rows *scratch,
	uint64_t *lo, uint64_t *hi)
{
	struct wbl_bytes key = data_key_cells(t, cells, scratch);

	wbl_digest_128(key.data, key.len, WBL_KEY_SEED, lo, hi);
}
