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

/* Offsets in a file need not be aligned. */
static bool take(const struct wbl_elf *e, uint64_t at, void *into, size_t n)
{
	const void *from = look(e, at, n);

	if (from)
		memcpy(into, from, n);
	return from;
}

/* A text of a table of texts. */
static const char *text_of(const struct wbl_elf *e, const Elf64_Shdr *table, uint64_t nth)
{
	const char *all = look(e, table->sh_offset, table->sh_size);

	if (!all || nth >= table->sh_size || !memchr(all + nth, '\0', table->sh_size - nth))
		return NULL;
	return all + nth;
}

static void append(char ***list, size_t *n, const char *s)
{
	*list = wbl_realloc(*list, (*n + 2) * sizeof **list);
	(*list)[(*n)++] = wbl_strdup(s);
	(*list)[*n] = NULL;
}

static bool section(const struct wbl_elf *e, const Elf64_Ehdr *h, uint64_t nth, Elf64_Shdr *ret)
{
	return nth < h->e_shnum && take(e, h->e_shoff + nth * sizeof *ret, ret, sizeof *ret);
}

static bool is_seen(const Elf64_Sym *y)
{
	int visibility = ELF64_ST_VISIBILITY(y->st_other);

	return y->st_shndx != SHN_UNDEF && y->st_shndx != SHN_ABS &&
	       ELF64_ST_BIND(y->st_info) != STB_LOCAL && visibility != STV_HIDDEN &&
	       visibility != STV_INTERNAL;
}

static void read_symbols(struct wbl_elf *e, const Elf64_Ehdr *h, const Elf64_Shdr *s)
{
	uint64_t i, n = s->sh_size / sizeof(Elf64_Sym);
	Elf64_Shdr names;
	Elf64_Sym y;

	if (!section(e, h, s->sh_link, &names))
		return;
	for (i = 1; i < n && take(e, s->sh_offset + i * sizeof y, &y, sizeof y); i++) {
		const char *name = text_of(e, &names, y.st_name);

		if (name && is_seen(&y))
			append(&e->exports, &e->nexports, name);
	}
}

static void read_entry(struct wbl_elf *e, const Elf64_Dyn *d, const Elf64_Shdr *names)
{
	const char *name = d->d_tag == DT_NEEDED ? text_of(e, names, d->d_un.d_val) : NULL;

	if (d->d_tag == DT_BIND_NOW || (d->d_tag == DT_FLAGS && d->d_un.d_val & DF_BIND_NOW) ||
		(d->d_tag == DT_FLAGS_1 && d->d_un.d_val & DF_1_NOW))
		e->bind_now = true;
	if (d->d_tag == DT_TEXTREL || (d->d_tag == DT_FLAGS && d->d_un.d_val & DF_TEXTREL))
		e->text_relocations = true;
	if (name)
		append(&e->needed, &e->nneeded, name);
}

static void read_dynamic(struct wbl_elf *e, const Elf64_Ehdr *h, const Elf64_Shdr *s)
{
	uint64_t i, n = s->sh_size / sizeof(Elf64_Dyn);
	Elf64_Shdr names;
	Elf64_Dyn d;

	if (!section(e, h, s->sh_link, &names))
		return;
	for (i = 0; i < n && take(e, s->sh_offset + i * sizeof d, &d, sizeof d); i++) {
		if (d.d_tag == DT_NULL)
			return;
		read_entry(e, &d, &names);
	}
}

static bool is_note(const struct wbl_elf *e, const Elf64_Ehdr *h, const Elf64_Shdr *s)
{
	const char *name;
	Elf64_Shdr names;

	name = section(e, h, h->e_shstrndx, &names) ? text_of(e, &names, s->sh_name) : NULL;
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
	Elf64_Phdr p;
	uint64_t i;

	for (i = 0; i < h->e_phnum && take(e, h->e_phoff + i * sizeof p, &p, sizeof p); i++) {
		if (p.p_type == PT_GNU_STACK) {
			said = true;
			e->exec_stack = p.p_flags & PF_X;
		}
		if (p.p_type == PT_NOTE && has_note(e, &p))
			e->note_loaded = true;
	}
	/* Without the mark the kernel makes all stacks of the process executable. */
	if (!said)
		e->exec_stack = true;
}

static void read_sections(struct wbl_elf *e, const Elf64_Ehdr *h)
{
	Elf64_Shdr s;
	uint64_t i;

	for (i = 0; i < h->e_shnum && section(e, h, i, &s); i++) {
		if (s.sh_type == SHT_DYNSYM)
			read_symbols(e, h, &s);
		if (s.sh_type == SHT_DYNAMIC)
			read_dynamic(e, h, &s);
		if (is_note(e, h, &s))
			e->note = true;
	}
}

int32_t wbl_elf_read(const char *path, struct wbl_elf *ret, struct wbl_error *err)
{
	Elf64_Ehdr h;
	int32_t rc;

	*ret = (struct wbl_elf){ 0 };
	rc = wbl_file_read(path, FILE_MAX, &ret->file, err);
	if (rc)
		return rc;
	if (!take(ret, 0, &h, sizeof h) || memcmp(h.e_ident, ELFMAG, SELFMAG) ||
		h.e_ident[EI_CLASS] != ELFCLASS64 || h.e_ident[EI_DATA] != ELFDATA2LSB ||
		h.e_type != ET_DYN)
		return wbl_fail(err, WBL_E_USAGE, path, "Name the .so that was built.",
			"is no shared object of this machine");
	read_segments(ret, &h);
	read_sections(ret, &h);
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
