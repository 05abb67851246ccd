/* tests/unit/module/elf_write.h - a small shared object with a manifest in it, made of bytes.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef WBL_TESTS_MODULE_ELF_WRITE_H
#define WBL_TESTS_MODULE_ELF_WRITE_H
#include <elf.h>
#include <stdlib.h>
#include <string.h>

#define ELF_BY_SECTIONS 1u /* no program headers */
#define ELF_TWICE 2u       /* two notes */
#define ELF_NO_NOTE 4u

#if defined __x86_64__
#define ELF_HERE EM_X86_64
#elif defined __aarch64__
#define ELF_HERE EM_AARCH64
#elif defined __riscv
#define ELF_HERE EM_RISCV
#elif defined __powerpc64__
#define ELF_HERE EM_PPC64
#else
#define ELF_HERE 258
#endif

static inline size_t elf_note(unsigned char *at, const char *owner, const char *text, size_t len)
{
	Elf64_Nhdr n = {
		.n_namesz = (Elf64_Word)strlen(owner) + 1, .n_descsz = (Elf64_Word)len, .n_type = 1
	};
	size_t name = (n.n_namesz + 3u) & ~3u;

	memcpy(at, &n, sizeof n);
	memcpy(at + sizeof n, owner, n.n_namesz);
	memcpy(at + sizeof n + name, text, len);
	return sizeof n + name + ((len + 3) & ~(size_t)3);
}

/* The caller frees. A foreign note stands before ours. */
static inline unsigned char *elf_write(const char *text, unsigned how, size_t *ret_len)
{
	size_t len = strlen(text), notes = 0, begin = sizeof(Elf64_Ehdr) + sizeof(Elf64_Phdr);
	unsigned char *p = calloc(1, begin + 2 * len + 4096);
	Elf64_Ehdr h = {
		.e_type = ET_DYN, .e_machine = ELF_HERE, .e_version = 1, .e_ehsize = sizeof h
	};
	Elf64_Phdr ph = { .p_type = PT_NOTE, .p_offset = begin, .p_align = 4 };
	Elf64_Shdr sh = { .sh_type = SHT_NOTE, .sh_offset = begin, .sh_addralign = 4 };

	memcpy(h.e_ident, ELFMAG, SELFMAG);
	h.e_ident[EI_CLASS] = ELFCLASS64;
	h.e_ident[EI_DATA] = ELFDATA2LSB;
	h.e_ident[EI_VERSION] = EV_CURRENT;
	notes += elf_note(p + begin, "Elsewhere", "x", 1);
	if (!(how & ELF_NO_NOTE))
		notes += elf_note(p + begin + notes, "Whimbrel", text, len);
	if (how & ELF_TWICE)
		notes += elf_note(p + begin + notes, "Whimbrel", text, len);
	ph.p_filesz = sh.sh_size = notes;
	if (how & ELF_BY_SECTIONS) {
		h.e_shoff = begin + notes;
		h.e_shentsize = sizeof sh;
		h.e_shnum = 2; /* the first is the null section */
		memcpy(p + h.e_shoff + sizeof sh, &sh, sizeof sh);
		notes += 2 * sizeof sh;
	} else {
		h.e_phoff = sizeof h;
		h.e_phentsize = sizeof ph;
		h.e_phnum = 1;
		memcpy(p + sizeof h, &ph, sizeof ph);
	}
	memcpy(p, &h, sizeof h);
	*ret_len = begin + notes;
	return p;
}
#endif
