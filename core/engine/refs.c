/* engine/refs.c - refs of differences: a mark, a nonce, and the text under a key which lies beside the journal, not in
 * it, so that an exported or copied journal does not name rows whose keys are masked.
 * SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "core/engine/refs.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sodium.h>

#include "core/base/file.h"

static const char mark[8] = "wbl.ref";

enum { NONCE = crypto_secretbox_NONCEBYTES, MORE = crypto_secretbox_MACBYTES };

_Static_assert(sizeof((struct wbl_engine *)0)->ref_key == crypto_secretbox_KEYBYTES, "key");

static int32_t fetch_key(struct wbl_engine *e, bool make, struct wbl_error *err)
{
	WBL_AUTOFREE char *path = wbl_strf("%s/ref.key", wbl_state_dir(e->state));
	struct wbl_buf b = { 0 };
	int32_t rc = 0;

	if (e->has_ref_key)
		return 0;
	if (access(path, F_OK) && make) {
		randombytes_buf(e->ref_key, sizeof e->ref_key);
		rc = wbl_file_replace(path, e->ref_key, sizeof e->ref_key, 0600, err);
	} else {
		rc = wbl_file_read(path, sizeof e->ref_key, &b, err);
		if (!rc && b.len != sizeof e->ref_key)
			rc = wbl_fail(err, WBL_E_CORRUPT, path,
				"Put the state folder's own file back.",
				"the key of the refs has another length than %zu bytes",
				sizeof e->ref_key);
		if (!rc)
			memcpy(e->ref_key, b.data, sizeof e->ref_key);
		if (b.data)
			sodium_memzero(b.data, b.len);
		wbl_buf_clear(&b);
	}
	e->has_ref_key = !rc;
	return rc;
}

int32_t wbl_ref_seal(struct wbl_engine *e, const void *ref, size_t len, struct wbl_buf *to,
	struct wbl_error *err)
{
	int32_t rc = len ? fetch_key(e, true, err) : 0;
	unsigned char nonce[NONCE], *sealed;

	if (rc || !len)
		return rc;
	sealed = wbl_alloc(len + MORE);
	randombytes_buf(nonce, sizeof nonce);
	crypto_secretbox_easy(sealed, ref, len, nonce, e->ref_key);
	wbl_buf_add(to, mark, sizeof mark);
	wbl_buf_add(to, nonce, sizeof nonce);
	wbl_buf_add(to, sealed, len + MORE);
	free(sealed);
	return 0;
}

int32_t wbl_ref_open(struct wbl_engine *e, const void *sealed, size_t len, struct wbl_buf *to,
	struct wbl_error *err)
{
	const unsigned char *nonce = (const unsigned char *)sealed + sizeof mark;
	struct wbl_error why;
	unsigned char *ref;
	size_t n;
	int bad;

	if (len < sizeof mark + NONCE + MORE || memcmp(sealed, mark, sizeof mark)) {
		wbl_buf_add(to, sealed, len);
		return 0;
	}
	n = len - sizeof mark - NONCE;
	ref = wbl_alloc(n);
	bad = fetch_key(e, false, &why) ||
	      crypto_secretbox_open_easy(ref, nonce + NONCE, n, nonce, e->ref_key);
	if (!bad)
		wbl_buf_add(to, ref, n - MORE);
	sodium_memzero(ref, n);
	free(ref);
	return bad ? wbl_fail(err, WBL_E_CORRUPT, "ref.key",
			     "Put the state folder's own ref.key back, or verify again: whimbrel "
			     "verify RUN.",
			     "what repair needs to find the row cannot be decrypted")
		   : 0;
}
