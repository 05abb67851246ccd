/* sdk/lib/digest.c - XXH3-128 over cells, files and short texts; sums of them mod 2^128.
 * In: encoded cells.  Out: struct wbl_sum.  The profile (seeds, order) is fixed in whimbrel/store.h.
 * SPDX-License-Identifier: Apache-2.0 */
#define XXH_INLINE_ALL
#include <xxhash.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <whimbrel/sdk.h>

static void add(uint64_t *lo, uint64_t *hi, uint64_t more_lo, uint64_t more_hi)
{
	*lo += more_lo;
	*hi += more_hi + (*lo < more_lo);
}

void wbl_sum_row(struct wbl_sum *s, const void *cells, size_t len)
{
	XXH128_hash_t h = XXH3_128bits(cells, len);

	s->count++;
	add(&s->row_lo, &s->row_hi, h.low64, h.high64);
}

void wbl_sum_key(struct wbl_sum *s, const void *cells, size_t len)
{
	XXH128_hash_t h = XXH3_128bits_withSeed(cells, len, WBL_KEY_SEED);

	add(&s->key_lo, &s->key_hi, h.low64, h.high64);
}

void wbl_sum_add(struct wbl_sum *s, const struct wbl_sum *more)
{
	s->count += more->count;
	add(&s->row_lo, &s->row_hi, more->row_lo, more->row_hi);
	add(&s->key_lo, &s->key_hi, more->key_lo, more->key_hi);
}

int wbl_sum_equal(const struct wbl_sum *a, const struct wbl_sum *b)
{
	return a->count == b->count && a->row_lo == b->row_lo && a->row_hi == b->row_hi &&
	       a->key_lo == b->key_lo && a->key_hi == b->key_hi;
}

void wbl_sum_digest(const struct wbl_sum *s, const char *set, struct wbl_digest *ret)
{
	*ret = (struct wbl_digest){
		.size = sizeof *ret,
		.set = set,
		.count = s->count,
		.row_lo = s->row_lo,
		.row_hi = s->row_hi,
		.key_lo = s->key_lo,
		.key_hi = s->key_hi,
	};
}

void wbl_digest_128(const void *data, size_t len, uint64_t seed, uint64_t *ret_lo, uint64_t *ret_hi)
{
	XXH128_hash_t h = XXH3_128bits_withSeed(data, len, seed);

	*ret_lo = h.low64;
	*ret_hi = h.high64;
}

static void hex(XXH128_hash_t h, char out[33])
{
	snprintf(out, 33, "%016llx%016llx", (unsigned long long)h.high64,
		(unsigned long long)h.low64);
}

void wbl_digest_hex(const void *data, size_t len, char out[33])
{
	hex(XXH3_128bits(data, len), out);
}

int32_t wbl_digest_fd(int fd, char out[33])
{
	enum { PIECE = 1 << 18 };
	XXH3_state_t *st = XXH3_createState();
	char *buf = wbl_sdk_alloc(PIECE);
	off_t at = 0;
	ssize_t n = -1;

	if (st) {
		XXH3_128bits_reset(st);
		while ((n = pread(fd, buf, PIECE, at)) > 0 || (n < 0 && errno == EINTR)) {
			if (n > 0) {
				XXH3_128bits_update(st, buf, (size_t)n);
				at += n;
			}
		}
		hex(XXH3_128bits_digest(st), out);
		XXH3_freeState(st);
	}
	free(buf);
	return n < 0 ? -1 : 0;
}
