/* conform/static.c - level 1: the file and its manifest. No code of the module runs here.
 * SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "core/conform/static.h"

#include <ctype.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/conform/elf.h"

#define ENTRY "wbl_module_entry_v"

static enum wbl_verdict not_read(struct wbl_kit *k, struct wbl_elf *e, const struct wbl_error *err)
{
	wbl_elf_clear(e);
	return wbl_kit_fail(k, "%s: %s", err->where, err->text);
}

/* wbl_module_entry_v1 and later ones, bare or behind the module's name. */
static bool is_entry(const struct wbl_kit *k, const char *symbol)
{
	size_t n = strlen(k->name);

	if (!strncmp(symbol, k->name, n) && !strncmp(symbol + n, "_LTX_", 5))
		symbol += n + 5;
	return !strncmp(symbol, ENTRY, strlen(ENTRY));
}

enum wbl_verdict wbl_static_exports(struct wbl_kit *k)
{
	size_t i, entries = 0, others = 0;
	struct wbl_buf more = { 0 };
	struct wbl_error err = { 0 };
	enum wbl_verdict v;
	struct wbl_elf e;

	if (wbl_elf_read(k->path, &e, &err))
		return not_read(k, &e, &err);
	for (i = 0; i < e.nexports; i++) {
		if (is_entry(k, e.exports[i]))
			entries++;
		else if (++others <= 5)
			wbl_buf_addf(&more, "%s%s", more.len ? ", " : "", e.exports[i]);
	}
	if (others)
		v = wbl_kit_fail(k, "%zu symbols besides its entry can be seen: %s%s", others,
			more.data, others > 5 ? ", ..." : "");
	else if (!entries)
		v = wbl_kit_fail(k, "there is no %s_LTX_" ENTRY "%d", k->name, WBL_ABI_MAJOR);
	else
		v = WBL_PASS;
	wbl_buf_clear(&more);
	wbl_elf_clear(&e);
	return v;
}

enum wbl_verdict wbl_static_binding(struct wbl_kit *k)
{
	struct wbl_error err = { 0 };
	struct wbl_elf e;
	bool now;

	if (wbl_elf_read(k->path, &e, &err))
		return not_read(k, &e, &err);
	now = e.bind_now;
	wbl_elf_clear(&e);
	if (!now)
		return wbl_kit_fail(k,
			"it is bound lazily: a missing function would end the process in "
			"the middle of a migration; link it with -Wl,-z,now");
	return WBL_PASS;
}

enum wbl_verdict wbl_static_stack(struct wbl_kit *k)
{
	struct wbl_error err = { 0 };
	struct wbl_elf e;
	bool exec;

	if (wbl_elf_read(k->path, &e, &err))
		return not_read(k, &e, &err);
	exec = e.exec_stack;
	wbl_elf_clear(&e);
	if (exec)
		return wbl_kit_fail(k,
			"it asks for an executable stack; link it with -Wl,-z,noexecstack "
			"and look for nested functions and assembler without a mark");
	return WBL_PASS;
}

enum wbl_verdict wbl_static_text(struct wbl_kit *k)
{
	struct wbl_error err = { 0 };
	struct wbl_elf e;
	bool relocations;

	if (wbl_elf_read(k->path, &e, &err))
		return not_read(k, &e, &err);
	relocations = e.text_relocations;
	wbl_elf_clear(&e);
	if (relocations)
		return wbl_kit_fail(
			k, "its code is changed while it is loaded; compile it with -fPIC");
	return WBL_PASS;
}

enum wbl_verdict wbl_static_needed(struct wbl_kit *k)
{
	enum wbl_verdict v = WBL_PASS;
	struct wbl_error err = { 0 };
	struct wbl_elf e;
	size_t i;

	if (wbl_elf_read(k->path, &e, &err))
		return not_read(k, &e, &err);
	for (i = 0; i < e.nneeded; i++)
		if (!strncmp(e.needed[i], "libwhimbrel", 11))
			v = wbl_kit_fail(k,
				"it needs %s when it runs; link libwhimbrel-sdk.a instead",
				e.needed[i]);
	wbl_elf_clear(&e);
	return v;
}

enum wbl_verdict wbl_static_manifest(struct wbl_kit *k)
{
	if (k->manifest)
		return WBL_PASS;
	return wbl_kit_fail(k, "%s: %s", k->unread.where, k->unread.text);
}

static enum wbl_verdict no_manifest(struct wbl_kit *k)
{
	return wbl_kit_skip(k, "it has no manifest");
}

enum wbl_verdict wbl_static_strip(struct wbl_kit *k)
{
	struct wbl_error err = { 0 };
	struct wbl_elf e;
	bool there, loaded;

	if (wbl_elf_read(k->path, &e, &err))
		return not_read(k, &e, &err);
	there = e.note;
	loaded = e.note_loaded;
	wbl_elf_clear(&e);
	if (!there && !loaded)
		return no_manifest(k);
	if (!loaded)
		return wbl_kit_fail(k,
			"the section .note.whimbrel is in no segment: strip would take it "
			"away; make it with WBL_MODULE, or flag it allocated (\"a\")");
	return WBL_PASS;
}

enum wbl_verdict wbl_static_name(struct wbl_kit *k)
{
	if (!k->manifest)
		return no_manifest(k);
	if (!wbl_name_valid(k->name))
		return wbl_kit_fail(k,
			"\"%s\" is no name of a module: a small letter, then up to 31 of a-z, 0-9 "
			"and _",
			k->name);
	if (strcmp(k->name, k->manifest->module))
		return wbl_kit_fail(k, "the file is %s.so, its manifest says module = \"%s\"",
			k->name, k->manifest->module);
	return WBL_PASS;
}

/* At least two parts, of small letters, digits, _ and -, each beginning with a letter. */
static bool is_reversed_domain(const char *id)
{
	int parts = 1;

	for (; *id; id++) {
		if (!islower((unsigned char)*id))
			return false;
		while (islower((unsigned char)*id) || isdigit((unsigned char)*id) || *id == '_' ||
			*id == '-')
			id++;
		if (!*id)
			return parts >= 2;
		if (*id != '.')
			return false;
		parts++;
	}
	return false;
}

enum wbl_verdict wbl_static_id(struct wbl_kit *k)
{
	const char *v;

	if (!k->manifest)
		return no_manifest(k);
	if (!is_reversed_domain(k->manifest->id))
		return wbl_kit_fail(k, "id = \"%s\" is no domain turned around, as org.example.%s",
			k->manifest->id, k->name);
	v = k->manifest->version;
	if (!isdigit((unsigned char)*v) || !strchr(v, '.'))
		return wbl_kit_fail(k, "version = \"%s\" is no version, as 0.1.0", v);
	return WBL_PASS;
}

static const char *const licences[] = { "0BSD", "AFL-3.0", "AGPL-3.0-only", "AGPL-3.0-or-later",
	"Apache-2.0", "Artistic-2.0", "BSD-1-Clause", "BSD-2-Clause", "BSD-3-Clause",
	"BSD-3-Clause-Clear", "BSL-1.0", "CC0-1.0", "CDDL-1.0", "CDDL-1.1", "ECL-2.0", "EPL-1.0",
	"EPL-2.0", "EUPL-1.1", "EUPL-1.2", "GPL-2.0-only", "GPL-2.0-or-later", "GPL-3.0-only",
	"GPL-3.0-or-later", "ISC", "LGPL-2.1-only", "LGPL-2.1-or-later", "LGPL-3.0-only",
	"LGPL-3.0-or-later", "MIT", "MIT-0", "MPL-1.1", "MPL-2.0", "MS-PL", "MulanPSL-2.0", "NCSA",
	"OpenSSL", "PostgreSQL", "PSF-2.0", "Python-2.0", "Ruby", "UPL-1.0", "Unlicense", "Vim",
	"W3C", "WTFPL", "X11", "Zlib", "curl", "blessing", NULL };

static bool is_licence(const char *word)
{
	size_t i;

	if (!strncmp(word, "LicenseRef-", 11))
		return word[11];
	for (i = 0; licences[i]; i++)
		if (!strcmp(word, licences[i]))
			return true;
	return false;
}

static enum wbl_verdict unknown_licence(struct wbl_kit *k, const char *word)
{
	const char *near = wbl_nearest(word, licences);

	if (near)
		return wbl_kit_fail(k, "\"%s\" is no SPDX licence; \"%s\" is one", word, near);
	/* The list of SPDX is longer than ours. */
	return wbl_kit_warn(k, "\"%s\" is not among the SPDX licences known here", word);
}

enum wbl_verdict wbl_static_license(struct wbl_kit *k)
{
	WBL_AUTOFREE char *text = NULL;
	char *word, *save = NULL;
	bool after_with = false;
	int words = 0;

	if (!k->manifest)
		return no_manifest(k);
	text = wbl_strdup(k->manifest->license);
	for (word = text ? strtok_r(text, " ()", &save) : NULL; word;
		word = strtok_r(NULL, " ()", &save)) {
		if (words++ % 2) {
			if (strcmp(word, "AND") && strcmp(word, "OR") && strcmp(word, "WITH"))
				return wbl_kit_fail(k,
					"\"%s\" is no SPDX expression: \"%s\" stands where AND, OR "
					"or WITH should",
					k->manifest->license, word);
			after_with = !strcmp(word, "WITH");
		} else if (!after_with && !is_licence(word)) {
			return unknown_licence(k, word);
		}
	}
	if (words % 2 == 0)
		return wbl_kit_fail(k, "the manifest has no license, or half of an expression");
	return WBL_PASS;
}

/* What an operator cannot guess: a value that must be there and is neither one of a list nor a structure. */
static bool wants_example(const struct wbl_param *p)
{
	return p->required && p->type != WBL_PARAM_ENUM && p->type != WBL_PARAM_BOOL &&
	       p->type != WBL_PARAM_GROUP;
}

static bool is_documented(struct wbl_kit *k, const struct wbl_param *p, const char *path)
{
	WBL_AUTOFREE char *here =
		*p->name ? wbl_strf("%s%s%s", path, *path ? "." : "", p->name) : wbl_strdup(path);
	size_t i;

	if (*p->name && (!p->description || !*p->description)) {
		wbl_kit_fail(k, "the parameter \"%s\" has no description", here);
		return false;
	}
	if (*p->name && wants_example(p) && (!p->example || !*p->example)) {
		wbl_kit_fail(k, "the parameter \"%s\" is required and has no example", here);
		return false;
	}
	if (p->items && !is_documented(k, p->items, here))
		return false;
	for (i = 0; i < p->nparams; i++)
		if (!is_documented(k, &p->params[i], here))
			return false;
	return true;
}

enum wbl_verdict wbl_static_documented(struct wbl_kit *k)
{
	size_t i, n;

	if (!k->manifest)
		return no_manifest(k);
	if (!k->manifest->description || !*k->manifest->description)
		return wbl_kit_fail(k, "the module has no description");
	for (i = 0; i < k->manifest->nprovides; i++) {
		const struct wbl_provides *p = &k->manifest->provides[i];

		for (n = 0; n < p->nparams; n++)
			if (!is_documented(k, &p->params[n], p->name))
				return WBL_FAIL;
	}
	return WBL_PASS;
}
