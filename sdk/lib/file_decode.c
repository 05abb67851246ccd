/* sdk/lib/file_decode.c - text out of a file: decompressed, then brought into UTF-8.
 * In: bytes of a file, a piece at a time.  Out: the text from its beginning on.  Memory does not depend on what a compressed file claims to
 * become. gzip may have several members, zstd several frames.
 * SPDX-License-Identifier: Apache-2.0 */
#include "file_pack.h"

#include <errno.h>
#include <iconv.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>
#include <zstd_errors.h>

enum { PIECE = 1 << 16, ZSTD_WINDOW = 23 };

struct wbl_decoder {
	enum wbl_packing packing;
	z_stream z;
	int z_open, between; /* between: at the end of a member or frame */
	ZSTD_DStream *zstd;
	char *encoding;
	iconv_t cd;
	int has_cd, mid_end;
	uint64_t at; /* of the file: bytes read */
	size_t raw_from, raw_to, mid_from, mid_to;
	uint8_t raw[PIECE];
	char mid[PIECE];
};

enum wbl_packing wbl_packing_of(const void *head, size_t len)
{
	static const uint8_t gzip[] = { 0x1f, 0x8b, 8 }, zstd[] = { 0x28, 0xb5, 0x2f, 0xfd };

	if (len >= sizeof gzip && !memcmp(head, gzip, sizeof gzip))
		return WBL_PACK_GZIP;
	if (len >= sizeof zstd && !memcmp(head, zstd, sizeof zstd))
		return WBL_PACK_ZSTD;
	return WBL_PACK_NONE;
}

static int marked(const char *encoding)
{
	return !strcasecmp(encoding, "utf-16") || !strcasecmp(encoding, "utf-32");
}

int wbl_encoding_check(const char *name)
{
	iconv_t cd;

	if (!*name || strpbrk(name, "/,"))
		return -1;
	cd = iconv_open("UTF-8", name);
	if (cd == (iconv_t)-1)
		return -1;
	iconv_close(cd);
	cd = iconv_open(name, "UTF-8");
	if (cd == (iconv_t)-1)
		return -1;
	iconv_close(cd);
	return 0;
}

struct wbl_decoder *wbl_decoder_new(enum wbl_packing packing, const char *encoding)
{
	struct wbl_decoder *d = wbl_sdk_alloc(sizeof *d);

	d->packing = packing;
	d->encoding = encoding ? wbl_sdk_strdup(encoding) : NULL;
	if (packing == WBL_PACK_ZSTD) {
		d->zstd = ZSTD_createDStream();
		if (!d->zstd)
			abort();
		ZSTD_DCtx_setParameter(d->zstd, ZSTD_d_windowLogMax, ZSTD_WINDOW);
	}
	return d;
}

void wbl_decoder_free(struct wbl_decoder *d)
{
	if (!d)
		return;
	if (d->z_open)
		inflateEnd(&d->z);
	ZSTD_freeDStream(d->zstd);
	if (d->has_cd)
		iconv_close(d->cd);
	free(d->encoding);
	free(d);
}

uint64_t wbl_decoder_taken(const struct wbl_decoder *d)
{
	return d->at - (d->raw_to - d->raw_from);
}

static int32_t no(
	struct wbl_undecoded *n, int32_t code, uint64_t at, const char *why, const char *hint)
{
	*n = (struct wbl_undecoded){ .why = why, .hint = hint, .at = at };
	return code;
}

static int32_t fill_raw(
	struct wbl_decoder *d, int fd, const struct wbl_file *f, struct wbl_call *call)
{
	int32_t rc;

	if (d->raw_from < d->raw_to)
		return WBL_OK;
	d->raw_from = d->raw_to = 0;
	rc = wbl_file_read_at(fd, f, call, d->raw, sizeof d->raw, d->at, &d->raw_to);
	if (!rc)
		d->at += d->raw_to;
	return rc;
}

static int32_t truncated(struct wbl_decoder *d, struct wbl_undecoded *n)
{
	return no(n, WBL_E_CORRUPT, d->at, "the compressed data ends too early",
		"Fetch the whole file again.");
}

/* Behind a member another one may follow, or the zeros with which tapes are filled up. */
static int32_t next_member(struct wbl_decoder *d, struct wbl_undecoded *n)
{
	while (d->raw_from < d->raw_to && !d->raw[d->raw_from])
		d->raw_from++;
	if (d->raw_from == d->raw_to)
		return WBL_OK;
	if (d->raw[d->raw_from] != 0x1f)
		return no(n, WBL_E_CORRUPT, wbl_decoder_taken(d),
			"something else stands behind the compressed data",
			"Take it off, or fetch the file again.");
	d->between = 0;
	inflateReset(&d->z);
	return WBL_OK;
}

static int32_t ungzip(
	struct wbl_decoder *d, char *buf, size_t cap, size_t *ret_n, struct wbl_undecoded *n)
{
	int32_t rc;
	int got;

	if (!d->z_open) {
		if (inflateInit2(&d->z, 15 + 16) != Z_OK)
			abort();
		d->z_open = 1;
	}
	if (d->between) {
		rc = next_member(d, n);
		if (rc || d->between)
			return rc;
	}
	d->z.next_in = d->raw + d->raw_from;
	d->z.avail_in = (uInt)(d->raw_to - d->raw_from);
	d->z.next_out = (Bytef *)buf;
	d->z.avail_out = (uInt)(cap > 1u << 30 ? 1u << 30 : cap);
	got = inflate(&d->z, Z_NO_FLUSH);
	*ret_n = (size_t)((char *)d->z.next_out - buf);
	d->raw_from = d->raw_to - d->z.avail_in;
	if (got == Z_STREAM_END)
		d->between = 1;
	else if (got != Z_OK && got != Z_BUF_ERROR)
		return no(n, WBL_E_CORRUPT, wbl_decoder_taken(d), "the compressed data is damaged",
			"Fetch the file again.");
	return WBL_OK;
}

static int32_t unzstd(
	struct wbl_decoder *d, char *buf, size_t cap, size_t *ret_n, struct wbl_undecoded *n)
{
	ZSTD_inBuffer in = { d->raw, d->raw_to, d->raw_from };
	ZSTD_outBuffer out = { buf, cap, 0 };
	size_t got = ZSTD_decompressStream(d->zstd, &out, &in);

	d->raw_from = in.pos;
	*ret_n = out.pos;
	if (!ZSTD_isError(got)) {
		d->between = !got;
		return WBL_OK;
	}
	if (ZSTD_getErrorCode(got) == ZSTD_error_frameParameter_windowTooLarge)
		return no(n, WBL_E_CORRUPT, wbl_decoder_taken(d),
			"to decompress it more than 8 MiB of what came before must be kept",
			"Compress it again without --ultra and --long.");
	return no(n, WBL_E_CORRUPT, wbl_decoder_taken(d), "the compressed data is damaged",
		"Fetch the file again.");
}

static int32_t unpack(struct wbl_decoder *d, int fd, const struct wbl_file *f,
	struct wbl_call *call, char *buf, size_t cap, size_t *ret_n, struct wbl_undecoded *n)
{
	int32_t rc;

	*ret_n = 0;
	if (d->packing == WBL_PACK_NONE) {
		rc = wbl_file_read_at(fd, f, call, buf, cap, d->at, ret_n);
		d->at += *ret_n;
		return rc;
	}
	while (!*ret_n) {
		rc = fill_raw(d, fd, f, call);
		if (rc == WBL_END && !d->between) {
			/* It may hold back what it has got no room for. */
			rc = d->packing == WBL_PACK_GZIP ? ungzip(d, buf, cap, ret_n, n)
							 : unzstd(d, buf, cap, ret_n, n);
			return rc || *ret_n ? rc : truncated(d, n);
		}
		if (rc)
			return rc;
		rc = d->packing == WBL_PACK_GZIP ? ungzip(d, buf, cap, ret_n, n)
						 : unzstd(d, buf, cap, ret_n, n);
		if (rc)
			return rc;
	}
	return WBL_OK;
}

/* Which order the bytes of UTF-16 have, is said by the mark in front. */
static int32_t open_encoding(struct wbl_decoder *d, struct wbl_undecoded *n)
{
	const uint8_t *p = (const uint8_t *)d->mid;
	const char *name = d->encoding;
	char exact[16];
	int wide = !strcasecmp(name, "utf-32"), little;

	if (marked(name)) {
		little = d->mid_to >= 2 && p[0] == 0xff && p[1] == 0xfe;
		if (!little && !(d->mid_to >= 2 + 2 * (size_t)wide && p[2 * wide] == 0xfe &&
				       p[2 * wide + 1] == 0xff))
			return no(n, WBL_E_PARAM, 0, "there is no byte order mark",
				"Say which order the bytes have: utf-16le, utf-16be.");
		strcpy(exact, wide ? "UTF-32" : "UTF-16");
		strcat(exact, little ? "LE" : "BE");
		name = exact;
	}
	d->cd = iconv_open("UTF-8", name);
	if (d->cd == (iconv_t)-1)
		return no(n, WBL_E_PARAM, 0, "there is no such encoding", NULL);
	d->has_cd = 1;
	return WBL_OK;
}

static int32_t fill_mid(struct wbl_decoder *d, int fd, const struct wbl_file *f,
	struct wbl_call *call, struct wbl_undecoded *n)
{
	size_t got, left = d->mid_to - d->mid_from;
	int32_t rc = WBL_OK;

	memmove(d->mid, d->mid + d->mid_from, left);
	d->mid_from = 0;
	d->mid_to = left;
	do {
		rc = unpack(d, fd, f, call, d->mid + d->mid_to, sizeof d->mid - d->mid_to, &got, n);
		d->mid_to += got;
	} while (!rc && d->mid_to < 4);
	if (rc == WBL_END) {
		d->mid_end = 1;
		rc = WBL_OK;
	}
	return rc || d->has_cd || !d->mid_to ? rc : open_encoding(d, n);
}

static int32_t convert(
	struct wbl_decoder *d, char *buf, size_t cap, size_t *ret_n, struct wbl_undecoded *n)
{
	char *in = d->mid + d->mid_from, *out = buf;
	size_t left = d->mid_to - d->mid_from, room = cap;
	size_t got = iconv(d->cd, &in, &left, &out, &room);
	int why = got == (size_t)-1 ? errno : 0;

	d->mid_from = d->mid_to - left;
	*ret_n = cap - room;
	if (*ret_n || !why || why == E2BIG || (why == EINVAL && !d->mid_end))
		return WBL_OK;
	*n = (struct wbl_undecoded){ .of_text = 1,
		.why = why == EINVAL ? "the file ends in the middle of a character"
				     : "bytes that are no character of the encoding",
		.hint = "Mend the bytes, or set the `encoding` that the file has." };
	return WBL_E_PARAM;
}

int32_t wbl_decoder_read(struct wbl_decoder *d, int fd, const struct wbl_file *f,
	struct wbl_call *call, char *buf, size_t cap, size_t *ret_n, struct wbl_undecoded *n)
{
	int32_t rc = WBL_OK;

	*n = (struct wbl_undecoded){ 0 };
	*ret_n = 0;
	if (!d->encoding)
		return unpack(d, fd, f, call, buf, cap, ret_n, n);
	while (!rc && !*ret_n) {
		size_t had = d->mid_to - d->mid_from;

		if (!d->mid_end && had < sizeof d->mid / 2)
			rc = fill_mid(d, fd, f, call, n);
		if (!rc && d->mid_from == d->mid_to)
			return WBL_END;
		rc = rc ? rc : convert(d, buf, cap, ret_n, n);
	}
	return rc;
}
