/* conform/elf.h - what a shared object says of itself to the loader; read, never mapped for running.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef WBL_CORE_CONFORM_ELF_H
#define WBL_CORE_CONFORM_ELF_H
#include <stdbool.h>

#include "core/base/error.h"
#include "core/base/util.h"

struct wbl_elf {
	char **exports, **needed; /* names; NULL-ended */
	size_t nexports, nneeded;
	bool bind_now, exec_stack, text_relocations;
	bool note;        /* there is a section .note.whimbrel */
	bool note_loaded; /* a note of ours lies in a segment, so that strip leaves it alone */
	struct wbl_buf file;
};

/* 64-bit little-endian shared objects; every offset is checked. WBL_E_USAGE. */
int32_t wbl_elf_read(const char *path, struct wbl_elf *ret, struct wbl_error *err);
void wbl_elf_clear(struct wbl_elf *e);
#endif
