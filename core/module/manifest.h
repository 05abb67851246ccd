/* module/manifest.h - what a module says of itself, read from its ELF note without running its code.
 * The manifest is libconfig text in the note ".note.whimbrel" (owner "Whimbrel", type 1); its grammar is
 * docs/manifest.md. Everything in here is the manifest's until wbl_manifest_free. Not thread-safe per object.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef WBL_CORE_MODULE_MANIFEST_H
#define WBL_CORE_MODULE_MANIFEST_H
#include "core/base/json.h"

enum wbl_param_type {
	WBL_PARAM_STRING,
	WBL_PARAM_INT,
	WBL_PARAM_FLOAT,
	WBL_PARAM_BOOL,
	WBL_PARAM_ENUM,
	WBL_PARAM_SIZE,
	WBL_PARAM_DURATION,
	WBL_PARAM_PATH,
	WBL_PARAM_URL,
	WBL_PARAM_SECRET,
	WBL_PARAM_LIST,
	WBL_PARAM_GROUP,
	WBL_PARAM_MAP, /* any keys, values by `items` */
	WBL_PARAM_PEER, /* names a store, router or transform: { store = "sqlite"; its own parameters } */
};

struct wbl_param {
	const char *name; /* "" in `items` */
	enum wbl_param_type type;
	bool required, secret;
	const char *description, *example, *deprecated, *pattern, *since;
	json_t *fallback; /* default, already of the canonical type; NULL none */
	bool has_min, has_max;
	int64_t min, max;         /* of numbers, sizes, durations (ns); length of texts and lists */
	const char **values;      /* enum; NULL-ended */
	const char *interface;    /* peer: "wbl.store/1" "wbl.router/1" "wbl.transform/1" */
	struct wbl_param *items;  /* list, map: what the elements are */
	struct wbl_param *params; /* group: members */
	size_t nparams;
};

struct wbl_provides {          /* one handler, store, router or transform */
	const char *interface; /* "wbl.handler/1" ... */
	const char *name, *family, *description;
	/* NULL-ended, never NULL. assess: of a handler, the parameters that its assess reads (none: it offers
	 * none). magic, suffixes: of a store, how its files begin, and how their names end. */
	const char **ops, **fault_points, **capabilities, **upgrades_from, **assess, **magic,
		**suffixes;
	struct wbl_param *params;
	size_t nparams;
};

struct wbl_manifest {
	const char *module, *id, *version, *license, *vendor, *homepage, *description;
	int64_t abi_major, abi_minor;
	const char **needs, **wants;
	struct wbl_provides *provides;
	size_t nprovides;
	char *text; /* the note's text */
};

/* `text` need not be NUL-terminated; `where` (the file) goes into errors, which carry line and path in the
 * manifest, what was expected, and the nearest right name. WBL_E_USAGE. Bounded: 256 KiB, depth 8. */
int32_t wbl_manifest_parse(const char *text, size_t len, const char *where,
	struct wbl_manifest **ret, struct wbl_error *err);
/* Reads the note of an ELF shared object: bounded, never maps or runs it. 64-bit little-endian ELF of this
 * machine; others, truncated and hostile ones are refused with the reason (WBL_E_USAGE). */
int32_t wbl_manifest_read(
	int fd, const char *where, struct wbl_manifest **ret, struct wbl_error *err);
void wbl_manifest_free(struct wbl_manifest *m);
json_t *wbl_manifest_json(const struct wbl_manifest *m);
const char *wbl_param_type_name(enum wbl_param_type type);
#endif
