/* host/read.c - the smaller of both sizes; nothing that a module passes is believed.
 * SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "core/host/read.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "core/host/mask.h"
#include "core/module/wire.h"

enum { LARGEST_STRUCT = 65536, LONGEST_ARRAY = 65536 };

static bool size_ok(enum wbl_fn fn, const char *what, const void *p, size_t least, uint32_t *ret)
{
	if (!p) {
		wbl_misuse(fn, "%s is NULL", what);
		return false;
	}
	memcpy(ret, p, sizeof *ret);
	if (*ret < least)
		wbl_misuse(fn, "the size of %s is %" PRIu32 ", the first revision has %zu", what,
			*ret, least);
	else if (*ret > LARGEST_STRUCT)
		wbl_misuse(fn, "the size of %s is %" PRIu32 ", more than any revision can have",
			what, *ret);
	return *ret >= least && *ret <= LARGEST_STRUCT;
}

bool wbl_read_struct(
	enum wbl_fn fn, const char *what, const void *src, size_t least, void *dst, size_t size)
{
	uint32_t have;

	memset(dst, 0, size);
	if (!size_ok(fn, what, src, least, &have))
		return false;
	memcpy(dst, src, have < size ? have : size);
	return true;
}

bool wbl_write_struct(
	enum wbl_fn fn, const char *what, void *dst, size_t least, const void *src, size_t size)
{
	uint32_t have;

	if (!size_ok(fn, what, dst, least, &have))
		return false;
	memcpy(dst, src, have < size ? have : size);
	if (have > size)
		memset((char *)dst + size, 0, have - size);
	memcpy(dst, &have, sizeof have);
	return true;
}

bool wbl_read_text(enum wbl_fn fn, json_t *obj, const char *key, const char *text, bool mandatory)
{
	size_t len;

	if (!text) {
		if (mandatory)
			wbl_misuse(fn, "%s is NULL", key);
		return !mandatory;
	}
	len = strnlen(text, WBL_WIRE_SPILL);
	if (len == WBL_WIRE_SPILL) {
		wbl_misuse(fn, "%s is longer than 16 MiB", key);
		return false;
	}
	if (!wbl_utf8_valid(text, len)) {
		wbl_misuse(fn, "%s is not UTF-8", key);
		return false;
	}
	wbl_json_put(obj, key, text);
	return true;
}

bool wbl_read_masked(enum wbl_fn fn, json_t *obj, const char *key, const char *text, bool mandatory)
{
	WBL_AUTOFREE char *masked = NULL;

	if (!wbl_read_text(fn, obj, key, text, mandatory))
		return false;
	masked = wbl_mask_text(text);
	wbl_json_put(obj, key, masked);
	return true;
}

bool wbl_read_json(
	enum wbl_fn fn, json_t *obj, const char *key, const char *text, bool mandatory, bool object)
{
	struct wbl_error err;
	json_t *j;
	bool ok;

	if (!wbl_read_text(fn, obj, key, text, mandatory))
		return false;
	if (!text)
		return true;
	j = wbl_json_parse(text, strlen(text), key, &err);
	ok = j && (!object || json_is_object(j));
	if (!ok)
		wbl_misuse(fn, "%s is no JSON %s%s%s", key, object ? "object" : "text",
			j ? "" : ": ", j ? "" : err.text);
	json_decref(j);
	return ok;
}

bool wbl_read_count(enum wbl_fn fn, json_t *obj, const char *key, uint64_t n)
{
	if (n > INT64_MAX) {
		wbl_misuse(fn, "%s is %" PRIu64 ", beyond what can be counted", key, n);
		return false;
	}
	if (n)
		wbl_json_puti(obj, key, (int64_t)n);
	return true;
}

bool wbl_read_bytes(enum wbl_fn fn, const char *what, struct wbl_bytes b)
{
	if (b.len && !b.data)
		wbl_misuse(fn, "%s is NULL and has a length", what);
	else if (b.len > WBL_WIRE_SPILL)
		wbl_misuse(
			fn, "%s has %" PRIu64 " bytes; use an artefact beyond 16 MiB", what, b.len);
	else
		return true;
	return false;
}

bool wbl_read_enum(enum wbl_fn fn, json_t *obj, const char *key, int32_t value, int32_t max)
{
	if (value < 1 || value > max) {
		wbl_misuse(
			fn, "%s %" PRId32 " is not known; 1 to %" PRId32 " are", key, value, max);
		return false;
	}
	wbl_json_puti(obj, key, value);
	return true;
}

bool wbl_read_flags(enum wbl_fn fn, json_t *obj, const char *key, uint32_t flags, uint32_t known)
{
	uint32_t unknown = flags & ~known & 0xffff0000u;

	if (unknown) {
		wbl_misuse(fn, "%s has the critical flag 0x%" PRIx32 ", which is not known", key,
			unknown);
		return false;
	}
	if (flags & known)
		wbl_json_puti(obj, key, flags & known);
	return true;
}

static void put_hex(json_t *obj, const char *key, uint64_t high, uint64_t low)
{
	WBL_AUTOFREE char *hex = wbl_strf("%016" PRIx64 "%016" PRIx64, high, low);

	wbl_json_put(obj, key, hex);
}

static bool read_digest(enum wbl_fn fn, json_t *array, const struct wbl_digest *from)
{
	struct wbl_digest d;
	json_t *j = json_object();
	bool ok = wbl_read_struct(fn, "digest", from, WBL_END_OF(struct wbl_digest, key_hi), &d,
			  sizeof d) &&
		  wbl_read_flags(fn, j, "flags", d.flags, 0) &&
		  wbl_read_text(fn, j, "set", d.set, true) &&
		  wbl_read_count(fn, j, "count", d.count);

	put_hex(j, "row", d.row_hi, d.row_lo);
	put_hex(j, "key", d.key_hi, d.key_lo);
	json_array_append_new(array, j);
	return ok;
}

bool wbl_read_totals(enum wbl_fn fn, json_t *obj, const struct wbl_totals *from)
{
	struct wbl_totals t;
	json_t *digests = json_array();
	bool ok;
	size_t i;

	json_object_set_new(obj, "digests", digests);
	ok = wbl_read_struct(
		     fn, "totals", from, WBL_END_OF(struct wbl_totals, items), &t, sizeof t) &&
	     wbl_read_flags(fn, obj, "flags", t.flags, 0) &&
	     wbl_read_count(fn, obj, "items", t.items) &&
	     wbl_read_count(fn, obj, "bytes", t.bytes) &&
	     wbl_read_count(fn, obj, "rejected", t.rejected);
	for (i = 0; ok && t.digests && t.digests[i]; i++) {
		ok = read_digest(fn, digests, t.digests[i]);
		if (ok && i == LONGEST_ARRAY) {
			wbl_misuse(fn, "digests have no end");
			ok = false;
		}
	}
	return ok;
}

bool wbl_read_progress(enum wbl_fn fn, json_t *obj, const struct wbl_progress *from)
{
	struct wbl_progress p;

	return wbl_read_struct(fn, "progress", from, WBL_END_OF(struct wbl_progress, items), &p,
		       sizeof p) &&
	       wbl_read_flags(fn, obj, "flags", p.flags, 0) &&
	       wbl_read_count(fn, obj, "items", p.items) &&
	       wbl_read_count(fn, obj, "items_of", p.items_of) &&
	       wbl_read_count(fn, obj, "bytes", p.bytes) &&
	       wbl_read_count(fn, obj, "bytes_of", p.bytes_of) &&
	       wbl_read_masked(fn, obj, "phase", p.phase, false);
}
