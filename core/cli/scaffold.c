/* cli/scaffold.c - `whimbrel handler new`: templates copied, with the names filled in.
 * In: templates/handler: `common`, `build-autotools` or `build-make`, and FAMILY-bare or FAMILY-example; a file of a later
 * one replaces that of an earlier. In names NAME, and in files that end in ".in" @NAME@, @ID@ and @FAMILY@ are filled in.
 * Out: a folder that appears whole or not at all.
 * SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "core/cli/scaffold.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/file.h"

enum { MOST_BYTES = 1 << 20 };

struct making {
	const struct wbl_scaffold *what;
	char name[33]; /* of the module: the last part of its id */
	char *templates, *temporary;
	json_t *files;
	struct wbl_error *err;
};

static const char *const families[] = { "adapter", "session", "config", "data", "custom", "store",
	"router", "transform", NULL };

static int32_t check_family(struct making *m)
{
	const char *near;
	size_t i;

	for (i = 0; families[i]; i++)
		if (!strcmp(families[i], m->what->family))
			return 0;
	near = wbl_nearest(m->what->family, families);
	return wbl_fail(m->err, WBL_E_USAGE, m->what->family,
		"They are: adapter, session, config, data, custom, store, router, transform.",
		"is not a family%s%s", near ? "; did you mean " : "", near ? near : "");
}

/* "org.example.my-copy" -> "my_copy" */
static int32_t read_id(struct making *m)
{
	const char *id = m->what->id, *last = strrchr(id, '.'), *s;
	size_t n;

	for (s = id; *s; s++)
		if (!strchr("abcdefghijklmnopqrstuvwxyz0123456789._-", *s))
			break;
	n = last ? strlen(last + 1) : 0;
	if (*s || !n || n > 32 || id[0] < 'a' || id[0] > 'z' || strstr(id, ".."))
		return wbl_fail(m->err, WBL_E_USAGE, id,
			"Take a domain of yours, turned around, and a name: org.example.tidy_up.",
			"is not an id: expected small letters, digits, _ and -, with dots between, "
			"the last "
			"part of at most 32");
	memcpy(m->name, last + 1, n + 1);
	for (n = 0; m->name[n]; n++)
		if (m->name[n] == '-')
			m->name[n] = '_';
	if (!wbl_name_valid(m->name))
		return wbl_fail(m->err, WBL_E_USAGE, id, "Begin its last part with a small letter.",
			"\"%s\" cannot be the name of a module", m->name);
	return 0;
}

static const char *family_folder(const char *family)
{
	size_t i;

	/* All kinds of handlers begin alike; what they do differs. */
	for (i = 5; families[i]; i++)
		if (!strcmp(families[i], family))
			return families[i];
	return "handler";
}

static void fill(const struct making *m, const char *text, size_t len, struct wbl_buf *out)
{
	const struct {
		const char *mark, *value;
	} marks[] = { { "@NAME@", m->name }, { "@ID@", m->what->id },
		{ "@FAMILY@", m->what->family } };
	size_t i = 0, k;

	while (i < len) {
		for (k = 0; k < WBL_COUNT(marks); k++)
			if (len - i >= strlen(marks[k].mark) &&
				!memcmp(text + i, marks[k].mark, strlen(marks[k].mark)))
				break;
		if (k == WBL_COUNT(marks)) {
			wbl_buf_add(out, text + i++, 1);
			continue;
		}
		wbl_buf_adds(out, marks[k].value);
		i += strlen(marks[k].mark);
	}
}

/* "NAME.c.in" -> "tidy_up.c", "dot-gitignore" -> ".gitignore" */
static char *file_name(const struct making *m, const char *from, bool *ret_fill)
{
	size_t len = strlen(from);
	const char *at = strstr(from, "NAME");
	struct wbl_buf b = { 0 };

	*ret_fill = len > 3 && !strcmp(from + len - 3, ".in");
	if (*ret_fill)
		len -= 3;
	if (!strncmp(from, "dot-", 4)) {
		wbl_buf_adds(&b, ".");
		wbl_buf_add(&b, from + 4, len - 4);
	} else if (at) {
		wbl_buf_add(&b, from, (size_t)(at - from));
		wbl_buf_adds(&b, m->name);
		wbl_buf_add(&b, at + 4, len - (size_t)(at - from) - 4);
	} else {
		wbl_buf_add(&b, from, len);
	}
	return wbl_buf_take(&b);
}

static int32_t copy_file(struct making *m, const char *path, const char *from, unsigned mode)
{
	bool filled;
	WBL_AUTOFREE char *name = file_name(m, from, &filled);
	WBL_AUTOFREE char *to = wbl_strf("%s/%s", m->temporary, name);
	struct wbl_buf text = { 0 }, out = { 0 };
	int32_t rc = wbl_file_read(path, MOST_BYTES, &text, m->err);
	json_t *listed;
	bool known = false;
	size_t i;

	if (!rc && filled)
		fill(m, text.data ? text.data : "", text.len, &out);
	else if (!rc)
		wbl_buf_add(&out, text.data, text.len);
	if (!rc)
		rc = wbl_file_replace(to, out.data ? out.data : "", out.len, mode, m->err);
	json_array_foreach(m->files, i, listed) known |= !strcmp(json_string_value(listed), name);
	if (!rc && !known)
		json_array_append_new(m->files, json_string(name));
	wbl_buf_clear(&text);
	wbl_buf_clear(&out);
	return rc;
}

static int visible(const struct dirent *d)
{
	return d->d_name[0] != '.';
}

static int by_bytes(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static int32_t copy_folder(struct making *m, const char *folder, bool must)
{
	WBL_AUTOFREE char *path = wbl_strf("%s/%s", m->templates, folder);
	struct dirent **list = NULL;
	int n = scandir(path, &list, visible, by_bytes), i;
	int32_t rc = 0;

	if (n < 0 && !must)
		return 0;
	if (n < 0)
		return wbl_fail(m->err, WBL_E_NOT_FOUND, path,
			"Leave --example away, or install the package with the templates; "
			"$WHIMBREL_TEMPLATES "
			"names another place.",
			"there is no such template: %s", strerror(errno));
	for (i = 0; i < n; i++) {
		WBL_AUTOFREE char *from = wbl_strf("%s/%s", path, list[i]->d_name);
		struct stat st;

		if (!rc && !stat(from, &st) && S_ISREG(st.st_mode))
			rc = copy_file(m, from, list[i]->d_name, st.st_mode & 0100 ? 0755 : 0644);
		free(list[i]);
	}
	free(list);
	return rc;
}

static void remove_temporary(const struct making *m)
{
	const json_t *name;
	size_t i;

	json_array_foreach(m->files, i, name)
	{
		WBL_AUTOFREE char *path = wbl_strf("%s/%s", m->temporary, json_string_value(name));

		unlink(path);
	}
	rmdir(m->temporary);
}

/* rename() takes the place of an empty folder, and of nothing else. */
static int32_t fill_folder(struct making *m, const char *dir)
{
	WBL_AUTOFREE char *build = wbl_strf("build-%s", m->what->build);
	WBL_AUTOFREE char *flavour = wbl_strf(
		"%s-%s", family_folder(m->what->family), m->what->example ? "example" : "bare");
	WBL_AUTOFREE char *own =
		wbl_strf("%s-%s", m->what->family, m->what->example ? "example" : "bare");
	int32_t rc = copy_folder(m, "common", true);
	bool special = strcmp(own, flavour) != 0;

	if (!rc)
		rc = copy_folder(m, build, true);
	/* A family of handlers may have an example of its own. */
	if (!rc && special && m->what->example)
		rc = copy_folder(m, own, true);
	else if (!rc)
		rc = copy_folder(m, flavour, true);
	if (!rc && rename(m->temporary, dir))
		rc = wbl_fail(m->err, WBL_E_USAGE, dir, "Name another folder.",
			errno == ENOTEMPTY || errno == EEXIST ? "is there already, and not empty"
			: errno == ENOTDIR                    ? "is there already, and no folder"
							      : "cannot be made");
	return rc;
}

int32_t wbl_scaffold_make(
	const struct wbl_scaffold *s, char **ret_dir, json_t **ret_files, struct wbl_error *err)
{
	const char *templates = getenv("WHIMBREL_TEMPLATES");
	struct making m = { .what = s, .err = err };
	WBL_AUTOFREE char *dir = NULL;
	int32_t rc = check_family(&m);

	rc = rc ? rc : read_id(&m);
	if (rc)
		return rc;
	if (strcmp(s->build, "autotools") && strcmp(s->build, "make"))
		return wbl_fail(err, WBL_E_USAGE, s->build, "--build autotools, or --build make.",
			"is not a way to build");
	dir = wbl_strdup(s->dir ? s->dir : m.name);
	m.templates = wbl_strdup(templates ? templates : WBL_DATADIR "/whimbrel/templates/handler");
	m.temporary = wbl_strf("%s.XXXXXX", dir);
	m.files = json_array();
	if (!mkdtemp(m.temporary))
		rc = wbl_fail(err, WBL_E_UNAVAILABLE, dir, "Check the folder above it.",
			"cannot be made: %s", strerror(errno));
	else
		chmod(m.temporary, 0755);
	if (!rc) {
		rc = fill_folder(&m, dir);
		if (rc)
			remove_temporary(&m);
	}
	free(m.templates);
	free(m.temporary);
	if (rc) {
		json_decref(m.files);
		return rc;
	}
	*ret_files = m.files;
	*ret_dir = wbl_strdup(dir);
	return 0;
}
