/* module/note.c - finds the manifest in a shared object that nobody has any reason to trust yet.
 * In: a descriptor.  Out: the note's text, or what is wrong with the file.
 * Program headers first (they survive every strip), section headers when there is no note segment.
 * SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "core/module/note.h"

#include <elf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define HEADERS_MAX (1u << 20)
#define NOTES_MAX (1u << 20)

#if defined __x86_64__
#define MACHINE EM_X86_64
#elif defined __aarch64__
#define MACHINE EM_AARCH64
#elif defined __riscv && __riscv_xlen == 64
#define MACHINE EM_RISCV
#elif defined __powerpc64__
#define MACHINE EM_PPC64
#elif defined __loongarch64
#define MACHINE 258
#else
#error "name this machine's ELF number here"
#endif

static const struct {
	unsigned machine;
	const char *name;
} machines[] = {
	{ EM_386, "32-bit x86" },
	{ EM_X86_64, "x86-64" },
	{ EM_ARM, "32-bit ARM" },
	{ EM_AARCH64, "64-bit ARM" },
	{ EM_RISCV, "RISC-V" },
	{ EM_PPC, "32-bit PowerPC" },
	{ EM_PPC64, "64-bit PowerPC" },
	{ EM_S390, "IBM Z" },
	{ EM_MIPS, "MIPS" },
	{ EM_SPARCV9, "SPARC" },
	{ EM_IA_64, "Itanium" },
	{ 258, "LoongArch" },
};

struct elf {
	int fd;
	uint64_t size; /* of the file */
	const char *where;
	struct wbl_error *err;
	struct wbl_buf *ret;
	uint64_t notes; /* bytes of notes read so far */
	bool found;
};

static const char *machine_name(unsigned machine)
{
	size_t i;

	for (i = 0; i < WBL_COUNT(machines); i++)
		if (machines[i].machine == machine)
			return machines[i].name;
	return "an unknown machine";
}

static int32_t damaged(struct elf *e, const char *what)
{
	return wbl_fail(e->err, WBL_E_USAGE, e->where, "Build or install the module again.",
		"the shared object is damaged: %s", what);
}

/* Is [at, at+len) inside the file? */
static bool inside(const struct elf *e, uint64_t at, uint64_t len)
{
	return at <= e->size && len <= e->size - at;
}

static int32_t read_at(struct elf *e, uint64_t at, void *into, size_t len, const char *what)
{
	size_t done = 0;

	if (!inside(e, at, len))
		return damaged(e, what);
	while (done < len) {
		ssize_t n = pread(e->fd, (char *)into + done, len - done, (off_t)(at + done));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return wbl_fail_errno(
				e->err, WBL_E_UNAVAILABLE, e->where, NULL, "cannot be read");
		if (n == 0)
			return damaged(e, what);
		done += (size_t)n;
	}
	return 0;
}

static int32_t check_header(struct elf *e, const Elf64_Ehdr *h)
{
	const char *rebuild = "Build the module for this machine.";

	if (memcmp(h->e_ident, ELFMAG, SELFMAG))
		return wbl_fail(e->err, WBL_E_USAGE, e->where, "Put only modules into this folder.",
			"is not an ELF shared object");
	if (h->e_ident[EI_CLASS] != ELFCLASS64)
		return wbl_fail(e->err, WBL_E_USAGE, e->where, rebuild, "is a 32-bit object");
	if (h->e_ident[EI_DATA] != ELFDATA2LSB)
		return wbl_fail(e->err, WBL_E_USAGE, e->where, rebuild, "is a big-endian object");
	if (h->e_machine != MACHINE)
		return wbl_fail(e->err, WBL_E_USAGE, e->where, rebuild,
			"is built for %s, this machine is %s", machine_name(h->e_machine),
			machine_name(MACHINE));
	if (h->e_type != ET_DYN)
		return wbl_fail(e->err, WBL_E_USAGE, e->where, "Link it with -module -shared.",
			"is an ELF file of type %u, not a shared object", h->e_type);
	return 0;
}

static int32_t take_note(struct elf *e, const unsigned char *desc, size_t len)
{
	if (e->found)
		return wbl_fail(e->err, WBL_E_USAGE, e->where,
			"Use WBL_MODULE in one file of the module only.",
			"holds more than one manifest");
	while (len && !desc[len - 1])
		len--;
	e->found = true;
	wbl_buf_add(e->ret, desc, len);
	return 0;
}

static int32_t walk_notes(struct elf *e, const unsigned char *p, uint64_t len, uint64_t align)
{
	uint64_t at = 0;

	if (align != 8)
		align = 4;
	while (len - at >= sizeof(Elf64_Nhdr)) {
		Elf64_Nhdr n;
		uint64_t name = at + sizeof n, desc, end;

		memcpy(&n, p + at, sizeof n);
		desc = (name + n.n_namesz + align - 1) & ~(align - 1);
		end = desc + n.n_descsz;
		if (desc > len || end > len)
			return damaged(e, "a note reaches beyond its end");
		if (n.n_type == WBL_NOTE_MANIFEST && n.n_namesz == sizeof WBL_NOTE_OWNER &&
			!memcmp(p + name, WBL_NOTE_OWNER, sizeof WBL_NOTE_OWNER)) {
			int32_t rc = take_note(e, p + desc, n.n_descsz);

			if (rc)
				return rc;
		}
		at = (end + align - 1) & ~(align - 1);
		if (at >= len)
			break;
	}
	return 0;
}

static int32_t read_notes(struct elf *e, uint64_t at, uint64_t len, uint64_t align)
{
	WBL_AUTOFREE unsigned char *p = NULL;
	int32_t rc;

	if (!inside(e, at, len))
		return damaged(e, "its notes lie outside the file");
	if (len > NOTES_MAX - e->notes)
		return damaged(e, "its notes are larger than 1 MiB");
	e->notes += len;
	p = wbl_alloc(len);
	rc = read_at(e, at, p, len, "its notes are cut off");
	return rc ? rc : walk_notes(e, p, len, align);
}

static int32_t read_table(struct elf *e, uint64_t at, uint64_t count, uint64_t size, uint64_t want,
	const char *what, void **ret)
{
	int32_t rc;

	*ret = NULL;
	if (!count)
		return 0;
	if (size != want || count > HEADERS_MAX / want)
		return damaged(e, what);
	*ret = wbl_alloc(count * want);
	rc = read_at(e, at, *ret, count * want, what);
	if (rc) {
		free(*ret);
		*ret = NULL;
	}
	return rc;
}

static int32_t from_segments(struct elf *e, const Elf64_Ehdr *h, bool *ret_any)
{
	void *table;
	const Elf64_Phdr *p;
	int32_t rc = read_table(e, h->e_phoff, h->e_phnum, h->e_phentsize, sizeof *p,
		"its program headers cannot be read", &table);
	unsigned i;

	p = table;
	for (i = 0; p && !rc && i < h->e_phnum; i++)
		if (p[i].p_type == PT_NOTE) {
			*ret_any = true;
			rc = read_notes(e, p[i].p_offset, p[i].p_filesz, p[i].p_align);
		}
	free(table);
	return rc;
}

static int32_t from_sections(struct elf *e, const Elf64_Ehdr *h)
{
	Elf64_Shdr first = { 0 };
	uint64_t count = h->e_shnum, i;
	const Elf64_Shdr *s;
	void *table;
	int32_t rc = 0;

	if (!h->e_shoff)
		return 0;
	if (!count) { /* more than 65,279 sections: the number stands in the first header */
		rc = read_at(
			e, h->e_shoff, &first, sizeof first, "its section headers cannot be read");
		count = first.sh_size;
	}
	if (!rc)
		rc = read_table(e, h->e_shoff, count, h->e_shentsize, sizeof *s,
			"its section headers cannot be read", &table);
	if (rc)
		return rc;
	s = table;
	for (i = 0; s && !rc && i < count; i++)
		if (s[i].sh_type == SHT_NOTE)
			rc = read_notes(e, s[i].sh_offset, s[i].sh_size, s[i].sh_addralign);
	free(table);
	return rc;
}

int32_t wbl_note_read(int fd, const char *where, struct wbl_buf *ret, struct wbl_error *err)
{
	struct elf e = { .fd = fd, .where = where, .err = err, .ret = ret };
	bool any = false;
	Elf64_Ehdr h;
	struct stat st;
	int32_t rc;

	wbl_buf_clear(ret);
	if (fstat(fd, &st))
		return wbl_fail_errno(err, WBL_E_UNAVAILABLE, where, NULL, "cannot be read");
	if (!S_ISREG(st.st_mode))
		return wbl_fail(
			err, WBL_E_USAGE, where, "Name a regular file.", "is not a regular file");
	e.size = (uint64_t)st.st_size;
	if (e.size < sizeof h)
		return wbl_fail(err, WBL_E_USAGE, where, "Put only modules into this folder.",
			"is not an ELF shared object: only %llu bytes", (unsigned long long)e.size);
	rc = read_at(&e, 0, &h, sizeof h, "its header is cut off");
	if (!rc)
		rc = check_header(&e, &h);
	if (!rc)
		rc = from_segments(&e, &h, &any);
	if (!rc && !any)
		rc = from_sections(&e, &h);
	if (!rc && !e.found)
		rc = wbl_fail(err, WBL_E_USAGE, where,
			"Link an object with WBL_MODULE(...) into it; its manifest becomes the "
			"note.",
			"is a shared object without a Whimbrel manifest");
	if (rc)
		wbl_buf_clear(ret);
	return rc;
}
