/* engine/blot.c - secrets that a handler fetched, blotted out of what it prints and says.
 * The host does the same for what goes through its services; what a handler prints goes past the host, and is cut
 * and mixed with another stream on its way.
 * SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "core/engine/blot.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { LEAST = 4, PIECE = 16, BITS = 1 << 20 };

void wbl_secrets_add(struct wbl_secrets *s, const void *data, size_t len)
{
	size_t i;

	if (len < LEAST)
		return;
	for (i = 0; i < s->count; i++)
		if (s->values[i].len == len && !memcmp(s->values[i].data, data, len))
			return;
	s->values = wbl_grow(s->values, s->count, sizeof *s->values);
	s->values[s->count] = (struct wbl_buf){ 0 };
	wbl_buf_add(&s->values[s->count++], data, len);
}

void wbl_secrets_clear(struct wbl_secrets *s)
{
	size_t i;

	for (i = 0; i < s->count; i++) {
		explicit_bzero(s->values[i].data, s->values[i].len);
		wbl_buf_clear(&s->values[i]);
	}
	free(s->values);
	*s = (struct wbl_secrets){ 0 };
}

static void blot_whole(const struct wbl_buf *secret, char *text, size_t len)
{
	char *at = text;

	while ((at = memmem(at, len - (size_t)(at - text), secret->data, secret->len)))
		memset(at, '*', secret->len);
}

/* Where in the filter a piece has its bit. */
static uint32_t bit_of(const char *piece)
{
	uint64_t a, b;

	memcpy(&a, piece, sizeof a);
	memcpy(&b, piece + sizeof a, sizeof b);
	return (uint32_t)((a * UINT64_C(0x9e3779b97f4a7c15) ^ b * UINT64_C(0xc2b2ae3d27d4eb4f)) >>
			  44);
}

static size_t length_of_match(const struct wbl_buf *secret, const char *text, size_t len)
{
	const char *at = memmem(secret->data, secret->len, text, PIECE);
	size_t n = PIECE, left = at ? secret->len - (size_t)(at - secret->data) : 0;

	if (!at)
		return 0;
	while (n < left && n < len && at[n] == text[n])
		n++;
	return n;
}

/* A filter says quickly where no piece can begin. */
static void blot_pieces(const struct wbl_buf *secret, char *text, size_t len)
{
	WBL_AUTOFREE unsigned char *filter = wbl_alloc(BITS / 8);
	size_t i, n;

	for (i = 0; i + PIECE <= secret->len; i++) {
		uint32_t bit = bit_of(secret->data + i);

		filter[bit / 8] |= (unsigned char)(1u << bit % 8);
	}
	for (i = 0; i + PIECE <= len; i += n ? n : 1) {
		uint32_t bit = bit_of(text + i);

		n = filter[bit / 8] & 1u << bit % 8 ? length_of_match(secret, text + i, len - i)
						    : 0;
		memset(text + i, '*', n);
	}
}

void wbl_secrets_blot(const struct wbl_secrets *s, char *text, size_t len)
{
	size_t i;

	/* An empty text may be no text at all. */
	for (i = 0; len && i < s->count; i++)
		if (s->values[i].len < PIECE)
			blot_whole(&s->values[i], text, len);
		else
			blot_pieces(&s->values[i], text, len);
}
