/* sdk/lib/file_pack.h - text out of a file that is compressed or encoded, and into one.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef WBL_SDK_FILE_PACK_H
#define WBL_SDK_FILE_PACK_H
#include <whimbrel/sdk_files.h>

enum wbl_packing { WBL_PACK_NONE, WBL_PACK_GZIP, WBL_PACK_ZSTD };

enum wbl_packing wbl_packing_of(const void *head, size_t len);
/* 0 when there is such an encoding. */
int wbl_encoding_check(const char *name);

/* Bytes of the file at an offset; END behind its last. STALE when it has become shorter than it was. */
int32_t wbl_file_read_at(int fd, const struct wbl_file *f, struct wbl_call *call, void *buf,
	size_t cap, uint64_t at, size_t *ret_n);
int32_t wbl_file_unchanged(int fd, const struct wbl_file *f, struct wbl_call *call);

/* Why nothing more can be decoded: at byte `at` of the file. of_text: an invalid character; its line is the reader's to find. */
struct wbl_undecoded {
	const char *why, *hint;
	uint64_t at;
	int of_text;
};
struct wbl_decoder;
struct wbl_decoder *wbl_decoder_new(enum wbl_packing packing, const char *encoding);
void wbl_decoder_free(struct wbl_decoder *d);
/* The next bytes of the text, at least one; END. CORRUPT or PARAM: *ret_not says why, and nothing was reported; else it was. */
int32_t wbl_decoder_read(struct wbl_decoder *d, int fd, const struct wbl_file *f,
	struct wbl_call *call, char *buf, size_t cap, size_t *ret_n, struct wbl_undecoded *ret_not);
/* Bytes of the file that were taken for what was decoded. */
uint64_t wbl_decoder_taken(const struct wbl_decoder *d);

struct wbl_encoder;
struct wbl_encoder *wbl_encoder_new(enum wbl_packing packing, const char *encoding);
void wbl_encoder_free(struct wbl_encoder *e);
/* Appends what a new file begins with. */
void wbl_encoder_mark(struct wbl_encoder *e, struct wbl_out *out);
/* UTF-8 into the encoding; -1: it has no such character. */
int wbl_encoder_text(struct wbl_encoder *e, const char *text, size_t len, struct wbl_out *out);
/* Compresses; with `last` what follows stands by itself. -1: out of memory. */
int wbl_encoder_pack(
	struct wbl_encoder *e, const char *data, size_t len, int last, struct wbl_out *out);
#endif
