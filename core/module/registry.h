/* module/registry.h - which modules there are: found in the module folders, vetted, read, enabled or refused.
 * In: module folders; the .conf files of handlers.d (vendor's below the data folder, the operator's below the
 * configuration folder; same base name: the operator's wins).
 * Out: what each provides, or the reason why it is refused.
 * No module code runs. One object, used by one thread.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef WBL_CORE_MODULE_REGISTRY_H
#define WBL_CORE_MODULE_REGISTRY_H
#include "core/module/manifest.h"

struct wbl_module_entry {
	char *path;                    /* absolute path of the .so */
	char *name;                    /* from the file's name */
	struct wbl_manifest *manifest; /* NULL when it could not be read */
	char sha256[65];  /* of the file; "" until it is asked for: by a pin, find, json */
	uint64_t seen[5]; /* device, inode, size, mtime s and ns of the file that was read */
	bool enabled;
	char *set_by;          /* file:line of the last file about it; NULL */
	json_t *places;        /* of each setting: "sha256", "limits.memory"; file:line; NULL */
	char *reason;          /* why the operator disabled it, in his words; NULL */
	char *pin;             /* NULL or the SHA-256 asked for */
	uint64_t memory_max;   /* bytes, 0: default */
	int64_t cpu_max_ns;    /* 0: default */
	int64_t processes_max; /* 0: default */
	bool allow_setuid;
	char *run_as;             /* user, NULL: the engine's */
	struct wbl_error refused; /* code 0: usable; else why not */
};

struct wbl_registry {
	struct wbl_module_entry *entries;
	size_t count;
	char **dirs; /* NULL-ended */
	struct wbl_error
		*problems; /* bad handlers.d files: refused with file and line, the rest goes on */
	size_t nproblems;
};

struct wbl_registry_options {
	const char *const *dirs; /* module folders, first wins; NULL-ended */
	const char *const
		*conf_dirs;   /* handlers.d folders, later ones win; NULL-ended; may be absent */
	bool trust_any_owner; /* tests of an uninstalled tree only */
};
int32_t wbl_registry_load(
	const struct wbl_registry_options *o, struct wbl_registry **ret, struct wbl_error *err);
void wbl_registry_free(struct wbl_registry *r);

/* The usable provider of an interface by name; refused or disabled ones give an error that says why and what
 * to do, unknown names suggest the nearest (WBL_E_NOT_FOUND). *ret_entry may be NULL. */
int32_t wbl_registry_find(const struct wbl_registry *r, const char *interface, const char *name,
	const struct wbl_provides **ret, const struct wbl_module_entry **ret_entry,
	struct wbl_error *err);
/* Vetting of one file, also just before it is loaded: the name; a regular file, no link; owner root or us; not
 * writable by others, nor any folder above it (root's sticky ones excepted). The pin is compared by
 * wbl_registry_load; who loads later compares entry->sha256. WBL_E_USAGE, WBL_E_UNAVAILABLE. */
int32_t wbl_module_vet(const char *path, bool trust_any_owner, struct wbl_error *err);
/* file:line which has set this setting of handlers.d last; NULL: nobody did. */
const char *wbl_module_place(const struct wbl_module_entry *e, const char *setting);
json_t *wbl_registry_json(const struct wbl_registry *r); /* for handler list */
#endif
