/* host/load.c - the module's file, its entry, its tables.
 * libltdl says "file not found" for every failure and binds lazily: dlopen comes first, for its message and for
 * immediate binding; libltdl then finds the symbol in shared and static builds alike.
 * SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "core/host/load.h"

#include <dlfcn.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <ltdl.h>

#include "core/base/file.h"
#include "core/host/read.h"
#include "core/host/serve.h"
#include "core/module/registry.h"
#include "whimbrel/router.h"

#define ENTRY "wbl_module_entry_v1"
#define NEWER "wbl_module_entry_v2"
#define AUTHOR "Tell the module's author."
enum { MOST_TABLES = 1000, LARGEST_TABLE = 65536 };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct wbl_loaded *modules;

static char *name_of(const char *path)
{
	const char *base = strrchr(path, '/') ? strrchr(path, '/') + 1 : path;
	size_t len = strlen(base);

	return len > 3 && !strcmp(base + len - 3, ".so") ? wbl_strndup(base, len - 3)
							 : wbl_strdup(base);
}

/* Parts of the program itself (-dlpreopen) have no file: a bare name, only where they are linked in. */
static bool is_linked_in(const char *path)
{
#ifdef WBL_STATIC_MODULES
	return !strchr(path, '/');
#else
	(void)path;
	return false;
#endif
}

/* Is it, by inode, size and time, the very file that the engine has digested? */
static bool is_the_file(const char *path, const json_t *seen)
{
	struct stat st;

	return json_array_size(seen) == 5 && !lstat(path, &st) &&
	       (uint64_t)json_integer_value(json_array_get(seen, 0)) == st.st_dev &&
	       (uint64_t)json_integer_value(json_array_get(seen, 1)) == st.st_ino &&
	       json_integer_value(json_array_get(seen, 2)) == st.st_size &&
	       json_integer_value(json_array_get(seen, 3)) == st.st_mtim.tv_sec &&
	       json_integer_value(json_array_get(seen, 4)) == st.st_mtim.tv_nsec;
}

static int32_t check_file(const char *path, const json_t *spec, struct wbl_error *err)
{
	const char *expected = wbl_json_str(spec, "sha256");
	char found[WBL_SHA256_HEX];
	int32_t rc;

	if (*path != '/')
		return wbl_fail(err, WBL_E_UNAVAILABLE, path, "Name its absolute path.",
			"the path of a module must be absolute");
	rc = wbl_module_vet(path, wbl_service_options.trust_any_owner, err);
	if (!rc && expected && is_the_file(path, json_object_get(spec, "seen")))
		return 0;
	if (!rc && expected)
		rc = wbl_sha256_file(path, found, err);
	if (!rc && expected && strcasecmp(found, expected))
		rc = wbl_fail(err, WBL_E_STALE, path,
			"Plan again with the module as it is now, or put the former file back.",
			"is not the file that was expected: its SHA-256 is %s, expected %s", found,
			expected);
	return rc;
}

static int32_t open_shared(const char *path, void **ret, struct wbl_error *err)
{
	*ret = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	if (!*ret)
		return wbl_fail(err, WBL_E_UNAVAILABLE, path,
			"Install what is missing, or build the module again.",
			"cannot be loaded: %s", dlerror());
	return 0;
}

static lt_dlhandle open_ltdl(const char *path, bool linked_in)
{
	lt_dlhandle h = NULL;
	lt_dladvise advise;

	if (lt_dladvise_init(&advise))
		return NULL;
	lt_dladvise_local(&advise);
	lt_dladvise_resident(&advise);
	if (linked_in)
		lt_dladvise_ext(&advise);
	h = lt_dlopenadvise(path, advise);
	lt_dladvise_destroy(&advise);
	return h;
}

static wbl_module_entry *to_entry(void *symbol)
{
	wbl_module_entry *entry;

	memcpy(&entry, &symbol, sizeof entry);
	return entry;
}

/* Shared: `<name>_LTX_<symbol>`, else the bare one. */
static int32_t find_entry(
	const char *path, const char *name, wbl_module_entry **ret, struct wbl_error *err)
{
	bool linked_in = is_linked_in(path);
	void *shared = NULL, *symbol;
	lt_dlhandle h;
	int32_t rc;

	rc = linked_in ? 0 : open_shared(path, &shared, err);
	if (rc)
		return rc;
	h = open_ltdl(path, linked_in);
	if (!h && linked_in)
		return wbl_fail(err, WBL_E_UNAVAILABLE, path, "Name the absolute path of a file.",
			"no module of this name is linked into this program");
	if (!h)
		return wbl_fail(
			err, WBL_E_UNAVAILABLE, path, NULL, "cannot be loaded: %s", lt_dlerror());
	symbol = lt_dlsym(h, ENTRY);
	if (symbol) {
		*ret = to_entry(symbol);
		return 0;
	}
	if (lt_dlsym(h, NEWER))
		return wbl_fail(err, WBL_E_ABI, path,
			"Install a newer Whimbrel, or an older module.",
			"was made for a newer handler ABI than %d", WBL_ABI_MAJOR);
	return wbl_fail(err, WBL_E_ABI, path, "Build it with WBL_MODULE of whimbrel/sdk.h.",
		"has no entry: neither %s_LTX_" ENTRY " nor " ENTRY, name);
}

static int32_t wrong_size(
	const char *where, const char *what, uint32_t size, size_t least, struct wbl_error *err)
{
	return wbl_fail(err, WBL_E_ABI, where, AUTHOR,
		"the size of %s is %" PRIu32 ", expected at least %zu and at most %d", what, size,
		least, LARGEST_TABLE);
}

static int32_t same(const char *path, const char *what, const char *has, const char *wants,
	struct wbl_error *err)
{
	if (!has || !wbl_utf8_valid(has, strlen(has)))
		return wbl_fail(err, WBL_E_ABI, path, AUTHOR, "its %s is missing", what);
	if (wants && strcmp(has, wants))
		return wbl_fail(err, WBL_E_ABI, path, AUTHOR,
			"its %s is \"%s\", its manifest says \"%s\"", what, has, wants);
	return 0;
}

static int32_t call_entry(
	struct wbl_loaded *m, wbl_module_entry *entry, const json_t *spec, struct wbl_error *err)
{
	const size_t least = WBL_END_OF(struct wbl_module, interface);
	struct wbl_ticket *t = wbl_ticket_begin(NULL, m->name, WBL_CALL_ENTRY);
	const struct wbl_module *says = entry(&t->call);
	int32_t rc;

	wbl_ticket_end(t);
	if (!says)
		return wbl_fail(err, WBL_E_UNSUPPORTED, m->path,
			"Look at the module's diagnostics.", "the module refused to be loaded");
	if (says->size < least || says->size > LARGEST_TABLE)
		return wrong_size(m->path, "struct wbl_module", says->size, least, err);
	memcpy(&m->module, says, says->size < sizeof m->module ? says->size : sizeof m->module);
	if (!m->module.interface)
		return wbl_fail(err, WBL_E_ABI, m->path, AUTHOR, "its interface function is NULL");
	rc = same(m->path, "id", m->module.id, wbl_json_str(spec, "id"), err);
	return rc ? rc
		  : same(m->path, "version", m->module.version, wbl_json_str(spec, "version"), err);
}

static int32_t load(
	const char *path, const json_t *spec, struct wbl_loaded **ret, struct wbl_error *err)
{
	struct wbl_loaded *m;
	wbl_module_entry *entry = NULL;
	int32_t rc;

	rc = is_linked_in(path) ? 0 : check_file(path, spec, err);
	if (rc)
		return rc;
	m = wbl_alloc(sizeof *m);
	m->path = wbl_strdup(path);
	m->name = name_of(path);
	rc = find_entry(path, m->name, &entry, err);
	if (!rc)
		rc = call_entry(m, entry, spec, err);
	m->next = modules;
	modules = m;
	*ret = m;
	return rc;
}

int32_t wbl_load(const json_t *spec, struct wbl_loaded **ret, struct wbl_error *err)
{
	const char *path = wbl_json_str(spec, "path");
	struct wbl_loaded *m;
	int32_t rc = 0;

	if (!path)
		return wbl_fail(err, WBL_E_WIRE, "hello", NULL, "the module's path is missing");
	pthread_mutex_lock(&lock);
	for (m = modules; m && strcmp(m->path, path); m = m->next)
		;
	if (!m)
		rc = load(path, spec, &m, err);
	else if (!m->module.interface)
		rc = wbl_fail(err, WBL_E_UNAVAILABLE, path, NULL, "could not be loaded before");
	pthread_mutex_unlock(&lock);
	if (!rc)
		*ret = m;
	return rc;
}

/* What the first revision of each interface cannot do without. Every table begins with size, revision, name. */
static int32_t check_handler(const void *table, const char *where, struct wbl_error *err)
{
	const struct wbl_handler *h = table;
	static const char *const names[] = { "plan", "execute", "verify", "rollback" };
	const bool there[] = { h->plan, h->execute, h->verify, h->rollback };
	size_t i;

	for (i = 0; i < WBL_COUNT(names); i++)
		if (!there[i])
			return wbl_fail(
				err, WBL_E_ABI, where, AUTHOR, "the handler has no %s", names[i]);
	return 0;
}

static int32_t check_store(const void *table, const char *where, struct wbl_error *err)
{
	const struct wbl_store *s = table;

	if (!s->open || !s->close || !s->describe)
		return wbl_fail(
			err, WBL_E_ABI, where, AUTHOR, "the store has no open, close or describe");
	return 0;
}

static int32_t check_router(const void *table, const char *where, struct wbl_error *err)
{
	const struct wbl_router *r = table;

	if (!r->open || !r->close || !r->get || !r->set)
		return wbl_fail(
			err, WBL_E_ABI, where, AUTHOR, "the router has no open, close, get or set");
	return 0;
}

static int32_t check_transform(const void *table, const char *where, struct wbl_error *err)
{
	const struct wbl_transform *t = table;

	if (!t->open || !t->close || !t->apply)
		return wbl_fail(
			err, WBL_E_ABI, where, AUTHOR, "the transform has no open, close or apply");
	return 0;
}

static const struct {
	const char *id;
	size_t least;
	int32_t (*check)(const void *table, const char *where, struct wbl_error *err);
} interfaces[] = {
	{ "wbl.handler/1", WBL_END_OF(struct wbl_handler, rollback), check_handler },
	{ "wbl.store/1", WBL_END_OF(struct wbl_store, describe), check_store },
	{ "wbl.router/1", WBL_END_OF(struct wbl_router, set), check_router },
	{ "wbl.transform/1", WBL_END_OF(struct wbl_transform, apply), check_transform },
};

struct any_table {
	uint32_t size, revision;
	const char *name;
};

static int32_t check_table(
	size_t nth, const struct any_table *t, const char *where, struct wbl_error *err)
{
	if (t->size < interfaces[nth].least || t->size > LARGEST_TABLE)
		return wrong_size(where, interfaces[nth].id, t->size, interfaces[nth].least, err);
	if (!t->revision)
		return wbl_fail(err, WBL_E_ABI, where, AUTHOR, "the revision of %s is 0",
			interfaces[nth].id);
	if (!t->name)
		return wbl_fail(err, WBL_E_ABI, where, AUTHOR, "a table of %s has no name",
			interfaces[nth].id);
	return interfaces[nth].check(t, where, err);
}

int32_t wbl_load_table(const struct wbl_loaded *m, const char *interface, const char *name,
	const void **ret, struct wbl_error *err)
{
	const struct any_table *t;
	uint32_t i;
	size_t nth;
	int32_t rc;

	for (nth = 0; nth < WBL_COUNT(interfaces) && strcmp(interfaces[nth].id, interface); nth++)
		;
	if (nth == WBL_COUNT(interfaces))
		return wbl_fail(err, WBL_E_UNSUPPORTED, m->path, NULL,
			"interface \"%s\" is not known", interface);
	for (i = 0; i < MOST_TABLES; i++) {
		t = m->module.interface(interface, i);
		if (!t)
			break;
		if (t->size >= sizeof *t && t->name && strcmp(t->name, name))
			continue;
		rc = check_table(nth, t, m->path, err);
		if (!rc)
			*ret = t;
		return rc;
	}
	return wbl_fail(err, WBL_E_ABI, m->path, AUTHOR,
		"has no %s called \"%s\", though its manifest says so", interface, name);
}

int32_t wbl_load_tables(const struct wbl_loaded *m, json_t **ret, struct wbl_error *err)
{
	json_t *all = json_array();
	const struct any_table *t;
	int32_t rc = 0;
	uint32_t i;
	size_t nth;

	for (nth = 0; !rc && nth < WBL_COUNT(interfaces); nth++)
		for (i = 0; !rc && i < MOST_TABLES; i++) {
			json_t *j;

			t = m->module.interface(interfaces[nth].id, i);
			if (!t)
				break;
			rc = check_table(nth, t, m->path, err);
			if (rc)
				break;
			j = json_object();
			wbl_json_put(j, "interface", interfaces[nth].id);
			wbl_json_put(j, "name", t->name);
			wbl_json_puti(j, "revision", t->revision);
			json_array_append_new(all, j);
		}
	if (rc)
		json_decref(all);
	else
		*ret = all;
	return rc;
}

json_t *wbl_load_strange(const struct wbl_loaded *m)
{
	static const char *const ids[] = { "wbl.handler/10", "wbl.handler/1x", "wbl.handler/1 ",
		"wbl.handler/", "wbl.handler", "wbl.store/1.0", "wbl.router/11", "wbl.transform/1/",
		"wbl.nothing/1", "" };
	json_t *all = json_array();
	size_t i;

	for (i = 0; i < WBL_COUNT(ids); i++)
		if (m->module.interface(ids[i], 0))
			json_array_append_new(all, json_string(ids[i]));
	for (i = 0; i < WBL_COUNT(interfaces); i++)
		if (m->module.interface(interfaces[i].id, UINT32_MAX))
			json_array_append_new(all,
				json_sprintf("%s, number %" PRIu32, interfaces[i].id, UINT32_MAX));
	return all;
}
