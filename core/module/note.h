/* module/note.h - the text in the ELF note ".note.whimbrel" of a shared object.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef WBL_CORE_MODULE_NOTE_H
#define WBL_CORE_MODULE_NOTE_H
#include "core/base/error.h"
#include "core/base/util.h"

#define WBL_NOTE_OWNER "Whimbrel" /* with its NUL: namesz 9 */
#define WBL_NOTE_MANIFEST 1

/* Reads with pread only, never maps or runs the file, never more than 1 MiB of headers and 1 MiB of notes.
 * 64-bit little-endian shared objects of this machine; all else is WBL_E_USAGE and says what it is instead.
 * *ret is cleared first; NULs at the end of the note are dropped. */
int32_t wbl_note_read(int fd, const char *where, struct wbl_buf *ret, struct wbl_error *err);
#endif
