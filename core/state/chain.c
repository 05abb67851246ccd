/* state/chain.c - the hash that ties an entry to the one before it.
 * In: the hash before, the members of an entry, the digest of its body.  Out: its hash. Every member goes in with
 * its length, so that nothing can move from one member to its neighbour. A new member of entries is added at the
 * end under a new tag; chains that were written stay readable.
 * SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "core/state/db.h"

#include <string.h>

#include <sodium.h>

static const char tag[] = "WBL-AUDIT1"; /* hashed with its NUL */

static void put_int(unsigned char **at, uint64_t n, int bytes)
{
	while (bytes--) {
		*(*at)++ = (unsigned char)n;
		n >>= 8;
	}
}

static void add_text(crypto_hash_sha256_state *h, const char *s)
{
	size_t len = s ? strlen(s) : 0;
	unsigned char prefix[8], *at = prefix;

	/* none differs from empty */
	put_int(&at, s ? len : UINT64_MAX, 8);
	crypto_hash_sha256_update(h, prefix, sizeof prefix);
	if (len)
		crypto_hash_sha256_update(h, (const unsigned char *)s, len);
}

void wbl_chain_start(const char *uuid, unsigned char out[WBL_CHAIN_LEN])
{
	crypto_hash_sha256_state h;

	crypto_hash_sha256_init(&h);
	crypto_hash_sha256_update(&h, (const unsigned char *)tag, sizeof tag);
	add_text(&h, uuid);
	crypto_hash_sha256_final(&h, out);
}

void wbl_chain_link(const unsigned char prev[WBL_CHAIN_LEN], const struct wbl_entry *e,
	const unsigned char sum[WBL_CHAIN_LEN], unsigned char out[WBL_CHAIN_LEN])
{
	unsigned char part[sizeof tag + WBL_CHAIN_LEN + 6 * 8 + 2 * 4 + WBL_CHAIN_LEN], *at = part;
	crypto_hash_sha256_state h;

	memcpy(at, tag, sizeof tag);
	at += sizeof tag;
	memcpy(at, prev, WBL_CHAIN_LEN);
	at += WBL_CHAIN_LEN;
	put_int(&at, (uint64_t)e->seq, 8);
	put_int(&at, (uint64_t)e->at, 8);
	put_int(&at, (uint32_t)e->kind, 4);
	put_int(&at, (uint64_t)e->pass, 8);
	put_int(&at, (uint64_t)e->attempt, 8);
	put_int(&at, (uint64_t)e->epoch, 8);
	put_int(&at, (uint32_t)e->status, 4);
	put_int(&at, e->body.len, 8);
	memcpy(at, sum, WBL_CHAIN_LEN);
	crypto_hash_sha256_init(&h);
	crypto_hash_sha256_update(&h, part, sizeof part);
	add_text(&h, e->run);
	add_text(&h, e->step);
	add_text(&h, e->chunk);
	add_text(&h, e->name);
	add_text(&h, e->actor);
	crypto_hash_sha256_final(&h, out);
}
