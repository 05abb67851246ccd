/* module/registry.c - looks into the module folders and decides, without running any of it, what is usable.
 * In: folders.  Out: entries in the order of the folders, then by name; each usable, disabled, or refused with why.
 * A further reason to refuse: a function in `checks`.
 * SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "core/module/registry.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/file.h"
#include "core/module/conf_json.h"
#include "core/module/module_conf.h"

static const char *const services[] = { "wbl.log/1", "wbl.diag/1", "wbl.params/1", "wbl.plan/1",
	"wbl.ask/1", "wbl.run/1", "wbl.chunk/1", "wbl.state/1", "wbl.undo/1", "wbl.artefact/1",
	"wbl.check/1", "wbl.clock/1", "wbl.fault/1", "wbl.peer/1", NULL };

/* "handler" of "wbl.handler/1" */
static const char *kind_of(const char *interface, char out[32])
{
	const char *dot = strchr(interface, '.');

	snprintf(out, 32, "%s", dot ? dot + 1 : interface);
	out[strcspn(out, "/")] = '\0';
	return out;
}

static bool usable(const struct wbl_module_entry *e)
{
	return e->enabled && !e->refused.code && e->manifest;
}

static const struct wbl_provides *find_in(
	const struct wbl_module_entry *e, const char *interface, const char *name)
{
	size_t i;

	for (i = 0; e->manifest && i < e->manifest->nprovides; i++) {
		const struct wbl_provides *p = &e->manifest->provides[i];

		if (!strcmp(p->interface, interface) && !strcmp(p->name, name))
			return p;
	}
	return NULL;
}

static bool ends_with(const char *s, const char *end)
{
	size_t n = strlen(s), m = strlen(end);

	return n > m && !strcmp(s + n - m, end);
}

static int is_module(const struct dirent *d)
{
	return d->d_name[0] != '.' && ends_with(d->d_name, ".so");
}

static int is_conf(const struct dirent *d)
{
	return d->d_name[0] != '.' && ends_with(d->d_name, ".conf");
}

static int by_bytes(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static struct wbl_error *add_problem(struct wbl_registry *r)
{
	r->problems = wbl_grow(r->problems, r->nproblems, sizeof *r->problems);
	r->problems[r->nproblems] = (struct wbl_error){ 0 };
	return &r->problems[r->nproblems++];
}

static void identify(const struct stat *st, uint64_t ret[5])
{
	ret[0] = st->st_dev;
	ret[1] = st->st_ino;
	ret[2] = (uint64_t)st->st_size;
	ret[3] = (uint64_t)st->st_mtim.tv_sec;
	ret[4] = (uint64_t)st->st_mtim.tv_nsec;
}

/* Hashing costs ten times what all the rest does, and few modules are used: it waits until somebody asks. */
static int32_t digest(struct wbl_module_entry *e, struct wbl_error *err)
{
	uint64_t now[5] = { 0 };
	struct stat st;
	int32_t rc = 0;
	int fd;

	if (*e->sha256)
		return 0;
	fd = open(e->path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd >= 0 && !fstat(fd, &st))
		identify(&st, now);
	if (memcmp(now, e->seen, sizeof now))
		rc = wbl_fail(err, WBL_E_UNAVAILABLE, e->path,
			"Reload the engine's modules, then plan again.",
			"the module file was replaced or removed after the engine had read it");
	else
		rc = wbl_sha256_fd(fd, e->sha256, err);
	if (rc)
		wbl_error_at(err, e->path);
	if (fd >= 0)
		close(fd);
	return rc;
}

static void read_entry(struct wbl_module_entry *e, bool trust_any_owner)
{
	struct stat st;
	int fd;

	if (wbl_module_vet(e->path, trust_any_owner, &e->refused))
		return;
	fd = open(e->path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd < 0) {
		wbl_fail_errno(&e->refused, WBL_E_UNAVAILABLE, e->path,
			"Make it readable for the engine's user.", "the module cannot be opened");
		return;
	}
	if (fstat(fd, &st))
		wbl_fail_errno(
			&e->refused, WBL_E_UNAVAILABLE, e->path, NULL, "the module cannot be read");
	else if (!wbl_manifest_read(fd, e->path, &e->manifest, &e->refused))
		identify(&st, e->seen);
	close(fd);
}

static void add_entry(
	struct wbl_registry *r, const char *dir, const char *file, bool trust_any_owner)
{
	struct wbl_module_entry *e;

	r->entries = wbl_grow(r->entries, r->count, sizeof *r->entries);
	e = &r->entries[r->count++];
	*e = (struct wbl_module_entry){ .enabled = true };
	e->path = wbl_strf("%s/%s", dir, file);
	e->name = wbl_strndup(file, strlen(file) - 3);
	read_entry(e, trust_any_owner);
}

static void read_folder(struct wbl_registry *r, const char *dir, bool trust_any_owner)
{
	struct dirent **list;
	int n = scandir(dir, &list, is_module, by_bytes), i;

	if (n < 0) {
		if (errno != ENOENT)
			wbl_fail_errno(add_problem(r), WBL_E_UNAVAILABLE, dir,
				"Make it readable for the engine's user.",
				"the module folder cannot be read");
		return;
	}
	for (i = 0; i < n; i++) {
		add_entry(r, dir, list[i]->d_name, trust_any_owner);
		free(list[i]);
	}
	free(list);
}

/* Files of handlers.d, by base name: a later folder's file takes the place of an earlier one's. */
struct conf_files {
	char **paths;
	size_t count;
};

static const char *base_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

static int by_base(const void *a, const void *b)
{
	return strcmp(base_of(*(char *const *)a), base_of(*(char *const *)b));
}

static void add_conf(struct conf_files *f, char *path)
{
	size_t i;

	for (i = 0; i < f->count; i++)
		if (!strcmp(base_of(f->paths[i]), base_of(path))) {
			free(f->paths[i]);
			f->paths[i] = path;
			return;
		}
	f->paths = wbl_grow(f->paths, f->count, sizeof *f->paths);
	f->paths[f->count++] = path;
}

static void list_confs(struct wbl_registry *r, const char *dir, struct conf_files *f)
{
	struct dirent **list;
	int n = scandir(dir, &list, is_conf, by_bytes), i;

	if (n < 0) {
		if (errno != ENOENT)
			wbl_fail_errno(add_problem(r), WBL_E_UNAVAILABLE, dir,
				"Make it readable for the engine's user.",
				"the folder of module settings cannot be read");
		return;
	}
	for (i = 0; i < n; i++) {
		add_conf(f, wbl_strf("%s/%s", dir, list[i]->d_name));
		free(list[i]);
	}
	free(list);
}

static void read_confs(
	struct wbl_registry *r, const struct wbl_registry_options *o, const char *here)
{
	struct conf_files f = { 0 };
	struct wbl_error why;
	size_t i;

	for (i = 0; o->conf_dirs && o->conf_dirs[i]; i++) {
		WBL_AUTOFREE char *dir = wbl_path_absolute(here, o->conf_dirs[i]);

		list_confs(r, dir, &f);
	}
	if (f.count)
		qsort(f.paths, f.count, sizeof *f.paths, by_base);
	for (i = 0; i < f.count; i++) {
		if (wbl_module_conf_apply(f.paths[i], r, o->trust_any_owner, &why))
			*add_problem(r) = why;
		free(f.paths[i]);
	}
	free(f.paths);
}

static int32_t check_name(
	const struct wbl_registry *r, const struct wbl_module_entry *e, struct wbl_error *err)
{
	if (!strcmp(e->manifest->module, e->name))
		return 0;
	return wbl_fail(err, WBL_E_USAGE, e->path, "Give file and module the same name.",
		"the file is named \"%s.so\", its manifest says module = \"%s\"", e->name,
		e->manifest->module);
}

static int32_t check_abi(
	const struct wbl_registry *r, const struct wbl_module_entry *e, struct wbl_error *err)
{
	if (e->manifest->abi_major == WBL_ABI_MAJOR)
		return 0;
	return wbl_fail(err, WBL_E_USAGE, e->path,
		e->manifest->abi_major > WBL_ABI_MAJOR ? "Upgrade Whimbrel."
						       : "Build the module anew.",
		"is made for ABI %lld, this engine has ABI %d", (long long)e->manifest->abi_major,
		WBL_ABI_MAJOR);
}

static int32_t check_needs(
	const struct wbl_registry *r, const struct wbl_module_entry *e, struct wbl_error *err)
{
	const char **need;
	const char *const *s;

	for (need = e->manifest->needs; *need; need++) {
		const char *near = wbl_nearest(*need, services);
		WBL_AUTOFREE char *hint = wbl_strf(
			"Upgrade Whimbrel; the nearest service here is \"%s\".", near ? near : "");

		for (s = services; *s && strcmp(*s, *need);)
			s++;
		if (!*s)
			return wbl_fail(err, WBL_E_USAGE, e->path,
				near ? hint : "Upgrade Whimbrel.",
				"needs the service \"%s\", which this engine does not offer",
				*need);
	}
	return 0;
}

static int32_t check_pin(
	const struct wbl_registry *r, const struct wbl_module_entry *e, struct wbl_error *err)
{
	if (!e->pin)
		return 0;
	if (digest((struct wbl_module_entry *)e, err))
		return err->code;
	if (!strcmp(e->pin, e->sha256))
		return 0;
	return wbl_fail(err, WBL_E_USAGE, e->path,
		"If the new file is right, write its digest there.",
		"is not the file that %s asks for: its SHA-256 is %s, asked for is %s",
		wbl_module_place(e, "sha256"), e->sha256, e->pin);
}

/* Nobody may take the place of a module that an earlier folder has, or of what it provides. */
static int32_t check_twins(
	const struct wbl_registry *r, const struct wbl_module_entry *e, struct wbl_error *err)
{
	const struct wbl_module_entry *other;
	char kind[32];
	size_t i;

	for (other = r->entries; other < e; other++) {
		if (!strcmp(other->name, e->name))
			return wbl_fail(err, WBL_E_USAGE, e->path,
				"Take one of the two files away.",
				"the module \"%s\" stands already in %s, which comes first",
				e->name, other->path);
		if (!usable(other))
			continue;
		for (i = 0; i < e->manifest->nprovides; i++) {
			const struct wbl_provides *p = &e->manifest->provides[i];

			if (find_in(other, p->interface, p->name))
				return wbl_fail(err, WBL_E_USAGE, e->path,
					"Disable one of the two modules.",
					"the %s \"%s\" is provided already by %s, which comes "
					"first",
					kind_of(p->interface, kind), p->name, other->path);
		}
	}
	return 0;
}

static void check_entries(struct wbl_registry *r)
{
	static int32_t (*const checks[])(const struct wbl_registry *,
		const struct wbl_module_entry *, struct wbl_error *) = { check_name, check_abi,
		check_needs, check_pin, check_twins };
	size_t i, k;

	for (i = 0; i < r->count; i++)
		for (k = 0; k < WBL_COUNT(checks); k++) {
			struct wbl_module_entry *e = &r->entries[i];

			if (usable(e))
				checks[k](r, e, &e->refused);
		}
}

int32_t wbl_registry_load(
	const struct wbl_registry_options *o, struct wbl_registry **ret, struct wbl_error *err)
{
	struct wbl_registry *r;
	char here[PATH_MAX];
	size_t i;

	if (!getcwd(here, sizeof here))
		return wbl_fail_errno(err, WBL_E_UNAVAILABLE, NULL, "Go to a folder that exists.",
			"the current folder is not known");
	r = wbl_alloc(sizeof *r);
	r->dirs = wbl_alloc(sizeof *r->dirs);
	for (i = 0; o->dirs && o->dirs[i]; i++) {
		r->dirs = wbl_realloc(r->dirs, (i + 2) * sizeof *r->dirs);
		r->dirs[i] = wbl_path_absolute(here, o->dirs[i]);
		r->dirs[i + 1] = NULL;
		read_folder(r, r->dirs[i], o->trust_any_owner);
	}
	read_confs(r, o, here);
	check_entries(r);
	*ret = r;
	return 0;
}

void wbl_registry_free(struct wbl_registry *r)
{
	size_t i;

	if (!r)
		return;
	for (i = 0; i < r->count; i++) {
		struct wbl_module_entry *e = &r->entries[i];

		free(e->path);
		free(e->name);
		wbl_manifest_free(e->manifest);
		free(e->set_by);
		json_decref(e->places);
		free(e->reason);
		free(e->pin);
		free(e->run_as);
	}
	for (i = 0; r->dirs && r->dirs[i]; i++)
		free(r->dirs[i]);
	free(r->dirs);
	free(r->entries);
	free(r->problems);
	free(r);
}

const char *wbl_module_place(const struct wbl_module_entry *e, const char *setting)
{
	return e->places ? wbl_json_str(e->places, setting) : NULL;
}

static int32_t unusable(
	const struct wbl_module_entry *e, const char *kind, const char *name, struct wbl_error *err)
{
	if (e->refused.code)
		return wbl_fail(err, WBL_E_NOT_FOUND, e->refused.where, e->refused.hint,
			"the %s \"%s\" is refused: %s", kind, name, e->refused.text);
	return wbl_fail(err, WBL_E_NOT_FOUND, wbl_module_place(e, "enabled"),
		"Write enabled = true; there, if it may be used.",
		"the %s \"%s\" of the module \"%s\" is disabled%s%s", kind, name, e->name,
		e->reason ? ": " : "", e->reason ? e->reason : "");
}

static int32_t unknown(const struct wbl_registry *r, const char *interface, const char *kind,
	const char *name, struct wbl_error *err)
{
	const char **names = NULL;
	char hint[400];
	size_t count = 0, i, k;

	for (i = 0; i < r->count; i++)
		for (k = 0; usable(&r->entries[i]) && k < r->entries[i].manifest->nprovides; k++) {
			const struct wbl_provides *p = &r->entries[i].manifest->provides[k];

			if (strcmp(p->interface, interface))
				continue;
			names = wbl_grow(names, count, sizeof *names);
			names[count++] = p->name;
		}
	names = wbl_grow(names, count, sizeof *names);
	names[count] = NULL;
	wbl_fail(err, WBL_E_NOT_FOUND, NULL, wbl_suggest(name, names, hint),
		"there is no %s \"%s\"", kind, name);
	free(names);
	return WBL_E_NOT_FOUND;
}

int32_t wbl_registry_find(const struct wbl_registry *r, const char *interface, const char *name,
	const struct wbl_provides **ret, const struct wbl_module_entry **ret_entry,
	struct wbl_error *err)
{
	struct wbl_module_entry *known = NULL;
	char kind[32];
	size_t i;

	kind_of(interface, kind);
	for (i = 0; i < r->count; i++) {
		struct wbl_module_entry *e = &r->entries[i];
		const struct wbl_provides *p = find_in(e, interface, name);

		if (p && usable(e)) {
			int32_t rc = ret_entry ? digest(e, err) : 0;

			if (rc)
				return rc;
			if (ret_entry)
				*ret_entry = e;
			*ret = p;
			return 0;
		}
		if (!known && (p || (!e->manifest && !strcmp(e->name, name))))
			known = e;
	}
	return known ? unusable(known, kind, name, err) : unknown(r, interface, kind, name, err);
}

static json_t *entry_json(struct wbl_module_entry *e)
{
	json_t *j = json_object();

	if (e->manifest)
		digest(e, NULL);
	wbl_json_put(j, "module", e->name);
	wbl_json_put(j, "path", e->path);
	wbl_json_put(j, "sha256", *e->sha256 ? e->sha256 : NULL);
	wbl_json_put(j, "status",
		e->refused.code ? "refused"
		: e->enabled    ? "enabled"
				: "disabled");
	wbl_json_put(j, "set_by", e->set_by);
	if (e->places)
		json_object_set(j, "places", e->places);
	wbl_json_put(j, "reason", e->reason);
	wbl_json_put(j, "pin", e->pin);
	if (e->memory_max)
		wbl_json_puti(j, "memory_max", (int64_t)e->memory_max);
	if (e->cpu_max_ns)
		wbl_json_puti(j, "cpu_max_ns", e->cpu_max_ns);
	if (e->processes_max)
		wbl_json_puti(j, "processes_max", e->processes_max);
	json_object_set_new(j, "allow_setuid", json_boolean(e->allow_setuid));
	wbl_json_put(j, "run_as", e->run_as);
	if (e->refused.code)
		json_object_set_new(j, "refused", wbl_json_error(&e->refused));
	if (e->manifest)
		json_object_set_new(j, "manifest", wbl_manifest_json(e->manifest));
	return j;
}

json_t *wbl_registry_json(const struct wbl_registry *r)
{
	json_t *j = json_object(), *modules = json_array(), *problems = json_array(),
	       *dirs = json_array();
	size_t i;

	for (i = 0; r->dirs[i]; i++)
		json_array_append_new(dirs, json_string(r->dirs[i]));
	for (i = 0; i < r->count; i++)
		json_array_append_new(modules, entry_json(&r->entries[i]));
	for (i = 0; i < r->nproblems; i++)
		json_array_append_new(problems, wbl_json_error(&r->problems[i]));
	json_object_set_new(j, "folders", dirs);
	json_object_set_new(j, "modules", modules);
	json_object_set_new(j, "problems", problems);
	return j;
}
