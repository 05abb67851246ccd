/* engine/spec_text.h - a spec's text with its included files in their place, and where each line came from.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef WBL_CORE_ENGINE_SPEC_TEXT_H
#define WBL_CORE_ENGINE_SPEC_TEXT_H
#include "core/base/util.h"

struct wbl_error;

#define WBL_SPEC_MAX (1u << 20) /* bytes of one file, and of all of them together */

struct wbl_spec_line {
	uint32_t file; /* index into files */
	uint32_t line; /* from 1 */
};

struct wbl_spec_text {
	struct wbl_buf
		flat; /* without @include; equal to the given text when nothing was included */
	struct wbl_spec_line *lines;
	size_t nlines;
	char **files; /* as the operator would type them; the first is the spec itself */
	size_t nfiles;
};

/* @include "x.conf" on a line of its own, relative to `dir`, the absolute folder of the spec: regular files below
 * that folder only, to a depth of 8. `name` is the spec as it was typed. WBL_E_USAGE with file:line:column; *ret is
 * then empty. Comments and texts are understood, nothing else is judged; one limit of libconfig's is kept: it
 * needs quadratic time for many settings in one group. */
int32_t wbl_spec_text_expand(const char *name, const char *dir, const char *text, size_t len,
	struct wbl_spec_text *ret, struct wbl_error *err);
void wbl_spec_text_clear(struct wbl_spec_text *t);
/* "PREFIX:12" or "PREFIX:12:5" of the flat text -> "file.conf:3" or "file.conf:3:5". Without a line: the spec's
 * name. The caller frees. */
char *wbl_spec_text_place(const struct wbl_spec_text *t, const char *flat);
#endif
