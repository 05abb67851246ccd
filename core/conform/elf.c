/* conform/elf.c - the dynamic section, the symbols and the notes of a shared object.
 * SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "core/conform/elf.h"

#include <elf.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/file.h"
#include "core/module/note.h"

enum { FILE_MAX = 256 << 20 };

/* `n` bytes at `at`; NULL when the file has not so many. */
static const void *look(const struct wbl_elf *e, uint64_t at, uint64_t n)
{
	if (at > e->file.len || n > e->file.len - at)
		return NULL;
	return e->file.data + at;
}

static const char *text_at(const struct wbl_elf *e, uint64_t at, uint64_t end)
{
	const char *s = look(e, at, 1);

	if (!s || at >= end || end > e->file.len || !memchr(s, '\0', end - at))
		return NULL;
	return s;
}

static void append(char ***list, size_t *n, const char *s)
{
	*list = wbl_realloc(*list, (*n + 2) * sizeof **list);
	(*list)[(*n)++] = wbl_strdup(s);
	(*list)[*n] = NULL;
}

static const Elf64_Shdr *section(const struct wbl_elf *e, const Elf64_Ehdr *h, uint64_t nth)
{
	return nth < h->e_shnum ? look(e, h->e_shoff + nth * sizeof(Elf64_Shdr), sizeof(Elf64_Shdr))
				: NULL;
}

static void read_symbols(struct wbl_elf *e, const Elf64_Ehdr *h, const Elf64_Shdr *s)
{
	const Elf64_Shdr *strings = section(e, h, s->sh_link);
	uint64_t i, n = s->sh_size / sizeof(Elf64_Sym);

	for (i = 1; strings && i < n; i++) {
		const Elf64_Sym *y = look(e, s->sh_offset + i * sizeof *y, sizeof *y);
		const char *name = y ? text_at(e, strings->sh_offset + y->st_name,
					       strings->sh_offset + strings->sh_size)
				     : NULL;

		if (!y || !name)
			return;
		if (y->st_shndx == SHN_UNDEF || y->st_shndx == SHN_ABS ||
			ELF64_ST_BIND(y->st_info) == STB_LOCAL ||
			ELF64_ST_VISIBILITY(y->st_other) == STV_HIDDEN ||
			ELF64_ST_VISIBILITY(y->st_other) == STV_INTERNAL)
			continue;
		append(&e->exports, &e->nexports, name);
	}
}

static void read_dynamic(struct wbl_elf *e, const Elf64_Ehdr *h, const Elf64_Shdr *s)
{
	const Elf64_Shdr *strings = section(e, h, s->sh_link);
	uint64_t i, n = s->sh_size / sizeof(Elf64_Dyn);

	for (i = 0; i < n; i++) {
		const Elf64_Dyn *d = look(e, s->sh_offset + i * sizeof *d, sizeof *d);
		const char *name;

		if (!d || d->d_tag == DT_NULL)
			return;
		if (d->d_tag == DT_BIND_NOW ||
			(d->d_tag == DT_FLAGS && d->d_un.d_val & DF_BIND_NOW) ||
			(d->d_tag == DT_FLAGS_1 && d->d_un.d_val & DF_1_NOW))
			e->bind_now = true;
		if (d->d_tag == DT_TEXTREL || (d->d_tag == DT_FLAGS && d->d_un.d_val & DF_TEXTREL))
			e->text_relocations = true;
		if (d->d_tag != DT_NEEDED || !strings)
			continue;
		name = text_at(e, strings->sh_offset + d->d_un.d_val,
			strings->sh_offset + strings->sh_size);
		if (name)
			append(&e->needed, &e->nneeded, name);
	}
}

static bool is_note(const struct wbl_elf *e, const Elf64_Ehdr *h, const Elf64_Shdr *s)
{
	const Elf64_Shdr *names = section(e, h, h->e_shstrndx);
	const char *name =
		names ? text_at(e, names->sh_offset + s->sh_name, names->sh_offset + names->sh_size)
		      : NULL;

	return name && !strcmp(name, ".note.whimbrel");
}

static bool has_note(const struct wbl_elf *e, const Elf64_Phdr *p)
{
	const char *notes = look(e, p->p_offset, p->p_filesz);

	return notes && memmem(notes, p->p_filesz, WBL_NOTE_OWNER, sizeof WBL_NOTE_OWNER);
}

static void read_segments(struct wbl_elf *e, const Elf64_Ehdr *h)
{
	bool said = false;
	uint64_t i;

	for (i = 0; i < h->e_phnum; i++) {
		const Elf64_Phdr *p = look(e, h->e_phoff + i * sizeof *p, sizeof *p);

		if (!p)
			return;
		if (p->p_type == PT_GNU_STACK) {
			said = true;
			e->exec_stack = p->p_flags & PF_X;
		}
		if (p->p_type == PT_NOTE && has_note(e, p))
			e->note_loaded = true;
	}
	/* Without the mark the kernel makes all stacks of the process executable. */
	if (!said)
		e->exec_stack = true;
}

int32_t wbl_elf_read(const char *path, struct wbl_elf *ret, struct wbl_error *err)
{
	const Elf64_Ehdr *h;
	uint64_t i;
	int32_t rc;

	*ret = (struct wbl_elf){ 0 };
	rc = wbl_file_read(path, FILE_MAX, &ret->file, err);
	if (rc)
		return rc;
	h = look(ret, 0, sizeof *h);
	if (!h || memcmp(h->e_ident, ELFMAG, SELFMAG) || h->e_ident[EI_CLASS] != ELFCLASS64 ||
		h->e_ident[EI_DATA] != ELFDATA2LSB || h->e_type != ET_DYN)
		return wbl_fail(err, WBL_E_USAGE, path, "Name the .so that was built.",
			"is no shared object of this machine");
	read_segments(ret, h);
	for (i = 0; i < h->e_shnum; i++) {
		const Elf64_Shdr *s = section(ret, h, i);

		if (s && s->sh_type == SHT_DYNSYM)
			read_symbols(ret, h, s);
		if (s && s->sh_type == SHT_DYNAMIC)
			read_dynamic(ret, h, s);
		if (s && is_note(ret, h, s))
			ret->note = true;
	}
	return 0;
}

void wbl_elf_clear(struct wbl_elf *e)
{
	size_t i;

	for (i = 0; i < e->nexports; i++)
		free(e->exports[i]);
	for (i = 0; i < e->nneeded; i++)
		free(e->needed[i]);
	free(e->exports);
	free(e->needed);
	wbl_buf_clear(&e->file);
}
