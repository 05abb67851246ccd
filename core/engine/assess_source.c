/* engine/assess_source.c - `whimbrel assess PATH` without a spec: which handler looks, and which store can read what
 * is there.
 * In: a path or the name of a connection; the manifests.  Out: the text of a spec with one migration for each source.
 * SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/engine/assess.h"
#include "core/module/params.h"
#include "core/module/registry.h"

enum { MOST_FILES = 256, HEAD = 64 };

struct looking {
	const struct wbl_registry *registry;
	const struct wbl_provides *handler;
	const char *param, *store; /* store: asked for by name, or NULL */
	struct wbl_buf *text;
	json_t *passed;
	size_t found;
	struct wbl_error *err;
};

static const struct wbl_provides *each_usable(
	const struct wbl_registry *r, const char *interface, size_t *entry, size_t *at)
{
	for (; *entry < r->count; (*entry)++, *at = 0) {
		const struct wbl_module_entry *e = &r->entries[*entry];

		while (e->manifest && e->enabled && !e->refused.code &&
			*at < e->manifest->nprovides) {
			const struct wbl_provides *p = &e->manifest->provides[(*at)++];

			if (!strcmp(p->interface, interface))
				return p;
		}
	}
	return NULL;
}

/* The parameter that names a store, among those which its assess reads. */
static const char *store_param(const struct wbl_provides *p)
{
	size_t i, k;

	for (i = 0; p->assess[i]; i++)
		for (k = 0; k < p->nparams; k++)
			if (!strcmp(p->params[k].name, p->assess[i]) &&
				p->params[k].type == WBL_PARAM_PEER &&
				!strcmp(p->params[k].interface, "wbl.store/1"))
				return p->params[k].name;
	return NULL;
}

static int32_t choose_handler(struct looking *l, const char *wanted)
{
	const struct wbl_provides *p;
	struct wbl_buf names = { 0 };
	size_t entry = 0, at = 0, n = 0;
	int32_t rc = 0;

	while ((p = each_usable(l->registry, "wbl.handler/1", &entry, &at))) {
		if (!store_param(p) || (wanted && strcmp(wanted, p->name)))
			continue;
		wbl_buf_addf(&names, "%s%s", n++ ? ", " : "", p->name);
		l->handler = p;
	}
	if (!n)
		rc = wbl_fail(l->err, WBL_E_NOT_FOUND, wanted,
			"whimbrel handler list shows what is installed; a handler which assesses "
			"says so "
			"in its manifest.",
			wanted ? "this handler assesses no stores"
			       : "no handler that is installed assesses stores");
	else if (n > 1)
		rc = wbl_fail(l->err, WBL_E_USAGE, NULL, "Choose one by --handler NAME.",
			"several handlers can assess this: %s", names.data);
	else
		l->param = store_param(l->handler);
	wbl_buf_clear(&names);
	return rc;
}

/* --- which store --- */

static bool ends_with(const char *name, const char *end)
{
	size_t n = strlen(name), k = strlen(end);

	return n > k && !strcasecmp(name + n - k, end);
}

static size_t longest_suffix(const struct wbl_provides *p, const char *path)
{
	size_t best = 0, i;

	for (i = 0; p->suffixes[i]; i++)
		if (ends_with(path, p->suffixes[i]) && strlen(p->suffixes[i]) > best)
			best = strlen(p->suffixes[i]);
	return best;
}

static bool begins_with_magic(const struct wbl_provides *p, const char *head, size_t len)
{
	size_t i;

	for (i = 0; p->magic[i]; i++)
		if (strlen(p->magic[i]) <= len && !memcmp(head, p->magic[i], strlen(p->magic[i])))
			return true;
	return false;
}

static int32_t read_head(struct looking *l, const char *path, char head[HEAD], size_t *ret)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	ssize_t n = fd < 0 ? -1 : read(fd, head, HEAD);
	int saved = errno;

	if (fd >= 0)
		close(fd);
	if (n < 0)
		return wbl_fail(l->err, WBL_E_UNAVAILABLE, path,
			"Check the path and the rights of the user that the engine runs as.",
			"cannot be read: %s", strerror(saved));
	*ret = (size_t)n;
	return 0;
}

/* Its first bytes decide; where no store knows them, the longest end of the name. NULL: none, or two. */
static const char *store_for(
	struct looking *l, const char *path, const char *head, size_t len, bool *ret_twice)
{
	const struct wbl_provides *p, *by_name = NULL;
	size_t entry = 0, at = 0, best = 0;

	*ret_twice = false;
	while ((p = each_usable(l->registry, "wbl.store/1", &entry, &at))) {
		size_t n = longest_suffix(p, path);

		if (begins_with_magic(p, head, len))
			return p->name;
		if (n && n == best)
			*ret_twice = true;
		if (n > best) {
			*ret_twice = false;
			best = n;
			by_name = p;
		}
	}
	return by_name && !*ret_twice ? by_name->name : NULL;
}

static int32_t nobody(struct looking *l, const char *path, bool twice)
{
	const struct wbl_provides *p;
	struct wbl_buf tried = { 0 };
	size_t entry = 0, at = 0, i;
	int32_t rc;

	while ((p = each_usable(l->registry, "wbl.store/1", &entry, &at))) {
		wbl_buf_addf(&tried, "%s%s (", tried.len ? "; " : "", p->name);
		for (i = 0; p->magic[i]; i++)
			wbl_buf_addf(&tried, "%sbegins with \"%s\"", i ? ", " : "", p->magic[i]);
		for (i = 0; p->suffixes[i]; i++)
			wbl_buf_addf(&tried, "%s%s", i || p->magic[0] ? ", " : "", p->suffixes[i]);
		wbl_buf_addf(&tried, "%s)",
			p->magic[0] || p->suffixes[0] ? "" : "has no files of its own");
	}
	rc = wbl_fail(l->err, WBL_E_USAGE, path,
		"Name the store: --store NAME; or write a spec and assess that.",
		twice ? "more than one store takes a file of this name; tried: %s"
		      : "no store knows this file by its first bytes or its name; tried: %s",
		tried.data ? tried.data : "no store is installed");
	wbl_buf_clear(&tried);
	return rc;
}

/* --- the text --- */

static void add_head(struct looking *l)
{
	wbl_buf_addf(l->text, "%s\n  { name = \"source-%zu\"; handler = \"%s\"; options = { %s = ",
		l->found ? "," : "", l->found + 1, l->handler->name, l->param);
	l->found++;
}

static void add_path(struct looking *l, const char *path, const char *store)
{
	add_head(l);
	wbl_buf_addf(l->text, "{ store = \"%s\"; path = ", store);
	wbl_buf_quote(l->text, path);
	wbl_buf_adds(l->text, "; }; }; }");
}

static int32_t add_file(struct looking *l, const char *path, bool may_pass)
{
	char head[HEAD];
	const char *store = l->store;
	size_t len = 0;
	bool twice = false;
	int32_t rc = read_head(l, path, head, &len);

	if (rc)
		return rc;
	if (!wbl_utf8_valid(path, strlen(path)))
		return wbl_fail(l->err, WBL_E_USAGE, path, "Give it another name.",
			"the name is not UTF-8");
	if (!store)
		store = store_for(l, path, head, len, &twice);
	if (store)
		add_path(l, path, store);
	else if (may_pass)
		json_array_append_new(l->passed, json_string(strrchr(path, '/') + 1));
	else
		rc = nobody(l, path, twice);
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

static int32_t add_folder(struct looking *l, const char *path)
{
	struct dirent **list = NULL;
	int n = scandir(path, &list, visible, by_bytes), i;
	int32_t rc = 0;

	if (n < 0)
		return wbl_fail(l->err, WBL_E_UNAVAILABLE, path,
			"Check the rights of the user that the engine runs as.",
			"the folder cannot be read: %s", strerror(errno));
	for (i = 0; i < n; i++) {
		WBL_AUTOFREE char *file = wbl_strf("%s/%s", path, list[i]->d_name);
		struct stat st;

		free(list[i]);
		if (rc || stat(file, &st) || !S_ISREG(st.st_mode))
			continue;
		rc = add_file(l, file, true);
		if (!rc && l->found > MOST_FILES)
			rc = wbl_fail(l->err, WBL_E_USAGE, path,
				"Assess a part of it, or write a spec with the tables in question.",
				"more than %d files of the folder can be assessed: too many at "
				"once",
				MOST_FILES);
	}
	free(list);
	if (!rc && !l->found)
		rc = wbl_fail(l->err, WBL_E_NOT_FOUND, path,
			"Name a file, or the store by --store NAME.",
			"no file of the folder is one that a store knows");
	return rc;
}

static int32_t add_source(struct looking *l, const char *path)
{
	struct stat st;

	if (path[0] != '/')
		return wbl_fail(l->err, WBL_E_USAGE, path, NULL, "expected an absolute path");
	if (stat(path, &st))
		return wbl_fail(l->err, WBL_E_NOT_FOUND, path, "Check the path.",
			"there is no such file or folder: %s", strerror(errno));
	if (S_ISDIR(st.st_mode) && l->store) {
		add_path(l, path, l->store);
		return 0;
	}
	if (S_ISDIR(st.st_mode))
		return add_folder(l, path);
	if (!S_ISREG(st.st_mode))
		return wbl_fail(l->err, WBL_E_USAGE, path, NULL, "is neither a file nor a folder");
	return add_file(l, path, false);
}

int32_t wbl_assess_spec_text(const struct wbl_registry *registry, const json_t *source,
	struct wbl_buf *ret, json_t **ret_passed, struct wbl_error *err)
{
	const char *path = wbl_json_str(source, "path"),
		   *connection = wbl_json_str(source, "connection");
	struct looking l = { .registry = registry,
		.store = wbl_json_str(source, "store"),
		.text = ret,
		.passed = json_array(),
		.err = err };
	int32_t rc = choose_handler(&l, wbl_json_str(source, "handler"));

	*ret_passed = l.passed;
	wbl_buf_adds(ret, "name = \"assess\"; migrations: (");
	if (!rc && connection) {
		add_head(&l);
		wbl_buf_quote(ret, connection);
		wbl_buf_adds(ret, "; }; }");
	} else if (!rc && path) {
		rc = add_source(&l, path);
	} else if (!rc) {
		rc = wbl_fail(err, WBL_E_USAGE, "source", NULL,
			"expected a path or the name of a connection");
	}
	wbl_buf_adds(ret, " );\n");
	return rc;
}
