/* data_mask.c - values of people made unreadable on their way, alike for alike so that joins go on working.
 * In: a value in the form of its column, a secret key.  Out: a value of the same type.  Keyed BLAKE2b of libsodium.
 * A new way is a line in mask_ways of data_alter.c and a function here.
 * SPDX-License-Identifier: Apache-2.0 */
#include <sodium.h>
#include <string.h>

#include "data_alter.h"

int32_t data_mask_key(struct wbl_call *call, const char *path, uint8_t key[MASK_KEY])
{
	enum { SHORTEST = 16 };
	const struct wbl_params_service *params = wbl_service(call, "wbl.params/1");
	struct wbl_out at = { 0 };
	char secret[4096];
	uint64_t len = 0;
	int32_t rc = WBL_E_ABI;

	wbl_out_fmt(&at, "%s.key", path);
	if (params)
		rc = params->secret(call, at.s, secret, sizeof secret, &len);
	if (rc)
		rc = wbl_error_report(call, rc < 0 ? rc : WBL_E_PARAM, at.s,
			"Set it where the engine runs (a running one keeps its environment: "
			"whimbrel stop), "
			"or name a file.",
			"the key of the mask cannot be read");
	else if (len < SHORTEST)
		rc = wbl_error_report(call, WBL_E_PARAM, at.s,
			"Take a long random text as the key.",
			"the key of the mask is shorter than %d bytes", SHORTEST);
	else
		crypto_generichash(key, MASK_KEY, (const uint8_t *)secret, len,
			(const uint8_t *)"whimbrel mask 16", 16);
	sodium_memzero(secret, sizeof secret);
	wbl_out_clear(&at);
	return rc;
}

static void digest(const uint8_t key[MASK_KEY], const char *what, const void *data, size_t len,
	uint8_t out[16])
{
	crypto_generichash_state st;

	crypto_generichash_init(&st, key, MASK_KEY, 16);
	crypto_generichash_update(&st, (const uint8_t *)what, strlen(what) + 1);
	crypto_generichash_update(&st, data, len);
	crypto_generichash_final(&st, out, 16);
}

static void hashed(
	int32_t type, const uint8_t key[MASK_KEY], const struct wbl_out *text, struct wbl_rows *r)
{
	uint8_t out[16];
	char hex[33];
	uint64_t n;

	digest(key, "value", text->s, text->len, out);
	if (type == WBL_TYPE_INT) {
		memcpy(&n, out, sizeof n);
		wbl_cell_int(r, (int64_t)(n >> 1));
	} else if (type == WBL_TYPE_UUID) {
		out[6] = (uint8_t)((out[6] & 0x0f) | 0x80);
		out[8] = (uint8_t)((out[8] & 0x3f) | 0x80);
		wbl_cell_uuid(r, out);
	} else if (type == WBL_TYPE_BYTES) {
		wbl_cell_blob(r, WBL_CELL_BYTES, out, 16);
	} else {
		sodium_bin2hex(hex, sizeof hex, out, 16);
		wbl_cell_text(r, hex, 32);
	}
}

static int starts(uint8_t c)
{
	return (c & 0xc0) != 0x80;
}

/* The last characters stay, unless there are no others. */
static void partial(int64_t keep, const struct wbl_out *text, struct wbl_rows *r)
{
	struct wbl_out o = { 0 };
	int64_t n = 0, i = 0;

	for (size_t k = 0; k < text->len; k++)
		n += starts((uint8_t)text->s[k]);
	if (n <= keep)
		keep = 0;
	for (size_t k = 0; k < text->len; k++) {
		i += starts((uint8_t)text->s[k]);
		if (i > n - keep)
			wbl_out_add(&o, &text->s[k], 1);
		else if (starts((uint8_t)text->s[k]))
			wbl_out_add(&o, "*", 1);
	}
	wbl_cell_text(r, o.s ? o.s : "", o.len);
	wbl_out_clear(&o);
}

/* Another name at the same domain. */
static void email(const uint8_t key[MASK_KEY], const struct wbl_out *text, struct wbl_rows *r)
{
	const char *at = text->len ? memrchr(text->s, '@', text->len) : NULL;
	size_t name = at ? (size_t)(at - text->s) : text->len;
	struct wbl_out o = { 0 };
	uint8_t out[16];
	char hex[33];

	digest(key, "email", text->s, name, out);
	sodium_bin2hex(hex, sizeof hex, out, 16);
	wbl_out_fmt(&o, "%.16s", hex);
	if (at)
		wbl_out_add(&o, at, text->len - name);
	else
		wbl_out_fmt(&o, "@masked.invalid");
	wbl_cell_text(r, o.s, o.len);
	wbl_out_clear(&o);
}

static int shift(const struct data_alter *a, const uint8_t key[MASK_KEY], const struct wbl_cell *in,
	const struct wbl_cell *by, struct wbl_rows *r, const char **why)
{
	struct wbl_out text = { 0 };
	uint8_t out[16];
	uint64_t n;
	int64_t days, v = wbl_cell_get_int(in), ns;

	wbl_cell_show(&text, by);
	digest(key, "shift", text.s, text.len, out);
	wbl_out_clear(&text);
	memcpy(&n, out, sizeof n);
	days = (int64_t)(n % (uint64_t)(a->days * 2)) - a->days;
	days += days >= 0; /* never by none */
	*why = "a date that cannot be shifted within the years 1678 to 2261";
	if (in->tag == WBL_CELL_DATE) {
		v += days;
		if (v > 2932896 || v < -719162)
			return -1;
		wbl_cell_date(r, (int32_t)v);
		return 0;
	}
	if (__builtin_mul_overflow(days, INT64_C(86400000000000), &ns) ||
		__builtin_add_overflow(v, ns, &v))
		return -1;
	wbl_cell_time(r, in->tag, v, in->data[8]);
	return 0;
}

int data_mask_cell(const struct data_alter *a, int32_t type, const uint8_t key[MASK_KEY],
	const struct wbl_cell *in, const struct wbl_cell *cells, struct wbl_rows *r,
	const char **why)
{
	struct wbl_out text = { 0 };

	switch (a->mask) {
	case MASK_NULL:
		wbl_cell_null(r);
		return 0;
	case MASK_FIXED:
		wbl_cell_copy(r, a->fixed.data, a->fixed.len);
		return 0;
	case MASK_SHIFT:
		return shift(a, key, in, a->by >= 0 ? &cells[a->by] : in, r, why);
	default:
		break;
	}
	wbl_cell_show(&text, in);
	if (a->mask == MASK_HASH)
		hashed(type, key, &text, r);
	else if (a->mask == MASK_PARTIAL)
		partial(a->keep, &text, r);
	else
		email(key, &text, r);
	wbl_out_clear(&text);
	return 0;
}
