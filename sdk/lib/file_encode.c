/* sdk/lib/file_encode.c - text on its way into a file: brought into an encoding, then compressed.
 * In: UTF-8.  Out: bytes; a part that was closed with `last` stands by itself (a gzip member, a zstd frame), so that a file may be cut
 * off behind it.
 * SPDX-License-Identifier: Apache-2.0 */
#include "file_pack.h"

#include <errno.h>
#include <iconv.h>
#include <stdlib.h>
#include <strings.h>
#include <zlib.h>
#include <zstd.h>

enum { PIECE = 1 << 16, GZIP_LEVEL = 6, ZSTD_LEVEL = 3 };

struct wbl_encoder {
	enum wbl_packing packing;
	z_stream z;
	int z_open, has_cd, wide;
	ZSTD_CStream *zstd;
	iconv_t cd;
	char piece[PIECE];
};

/* Marked encodings are written little-endian, with the mark once at the file's beginning. */
struct wbl_encoder *wbl_encoder_new(enum wbl_packing packing, const char *encoding)
{
	struct wbl_encoder *e = wbl_sdk_alloc(sizeof *e);

	e->packing = packing;
	if (encoding) {
		e->wide = !strcasecmp(encoding, "utf-16")   ? 2
			  : !strcasecmp(encoding, "utf-32") ? 4
							    : 0;
		e->cd = iconv_open(e->wide == 2 ? "UTF-16LE"
				   : e->wide    ? "UTF-32LE"
						: encoding,
			"UTF-8");
		if (e->cd == (iconv_t)-1)
			abort(); /* it was there when the store was opened */
		e->has_cd = 1;
	}
	return e;
}

void wbl_encoder_free(struct wbl_encoder *e)
{
	if (!e)
		return;
	if (e->z_open)
		deflateEnd(&e->z);
	ZSTD_freeCStream(e->zstd);
	if (e->has_cd)
		iconv_close(e->cd);
	free(e);
}

void wbl_encoder_mark(struct wbl_encoder *e, struct wbl_out *out)
{
	if (e->wide)
		wbl_out_add(out, "\xff\xfe\0\0", (size_t)e->wide);
}

int wbl_encoder_text(struct wbl_encoder *e, const char *text, size_t len, struct wbl_out *out)
{
	char *in = (char *)(uintptr_t)text, *to;
	size_t room;

	if (!e->has_cd) {
		wbl_out_add(out, text, len);
		return 0;
	}
	iconv(e->cd, NULL, NULL, NULL, NULL);
	for (int flush = 0; flush < 2;) {
		size_t got;

		to = e->piece;
		room = sizeof e->piece;
		got = flush ? iconv(e->cd, NULL, NULL, &to, &room)
			    : iconv(e->cd, &in, &len, &to, &room);
		/* A number above 0: what it wrote is not what was asked for. */
		if (got == (size_t)-1 ? errno != E2BIG : got > 0)
			return -1;
		wbl_out_add(out, e->piece, sizeof e->piece - room);
		flush += got != (size_t)-1;
	}
	return 0;
}

static int gzip(struct wbl_encoder *e, const char *data, size_t len, int last, struct wbl_out *out)
{
	int got;

	if (!e->z_open) {
		if (deflateInit2(&e->z, GZIP_LEVEL, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) !=
			Z_OK)
			return -1;
		e->z_open = 1;
	}
	e->z.next_in = (Bytef *)(uintptr_t)data;
	e->z.avail_in = (uInt)len;
	do {
		e->z.next_out = (Bytef *)e->piece;
		e->z.avail_out = sizeof e->piece;
		got = deflate(&e->z, last ? Z_FINISH : Z_NO_FLUSH);
		if (got == Z_STREAM_ERROR)
			return -1;
		wbl_out_add(out, e->piece, sizeof e->piece - e->z.avail_out);
	} while (last ? got != Z_STREAM_END : !e->z.avail_out);
	if (last)
		deflateReset(&e->z);
	return 0;
}

static int zstd(struct wbl_encoder *e, const char *data, size_t len, int last, struct wbl_out *out)
{
	ZSTD_inBuffer in = { data, len, 0 };
	size_t left;

	if (!e->zstd) {
		e->zstd = ZSTD_createCStream();
		if (!e->zstd)
			return -1;
		ZSTD_CCtx_setParameter(e->zstd, ZSTD_c_compressionLevel, ZSTD_LEVEL);
		ZSTD_CCtx_setParameter(e->zstd, ZSTD_c_checksumFlag, 1);
	}
	do {
		ZSTD_outBuffer o = { e->piece, sizeof e->piece, 0 };

		left = ZSTD_compressStream2(e->zstd, &o, &in, last ? ZSTD_e_end : ZSTD_e_continue);
		if (ZSTD_isError(left))
			return -1;
		wbl_out_add(out, e->piece, o.pos);
	} while (last ? left != 0 : in.pos < in.size);
	return 0;
}

int wbl_encoder_pack(
	struct wbl_encoder *e, const char *data, size_t len, int last, struct wbl_out *out)
{
	switch (e->packing) {
	case WBL_PACK_GZIP:
		return gzip(e, data, len, last, out);
	case WBL_PACK_ZSTD:
		return zstd(e, data, len, last, out);
	default:
		wbl_out_add(out, data, len);
		return 0;
	}
}
