/* host/load.h - opens a module: vetted, digest compared, true error text, entry called, tables found by name.
 * Main thread or any thread of a handler (serialised here). Nothing that was opened is ever closed.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef WBL_CORE_HOST_LOAD_H
#define WBL_CORE_HOST_LOAD_H
#include "core/base/json.h"

struct wbl_loaded {
	char *path, *name;        /* name: of the file, without ".so" */
	struct wbl_module module; /* a copy, as far as we know it */
	struct wbl_loaded *next;
};

/* `spec`: {path, sha256, seen, id, version}; what is absent is not compared; the file that the engine has seen
 * (device, inode, size, mtime) is not digested again. Loading the same path again gives the same
 * object. Errors: WBL_E_UNAVAILABLE cannot be opened, WBL_E_STALE another file than the one expected,
 * WBL_E_ABI not what the ABI says, WBL_E_UNSUPPORTED it refused by itself. */
int32_t wbl_load(const json_t *spec, struct wbl_loaded **ret, struct wbl_error *err);
/* The table called `name`; size, revision and mandatory members are checked. */
int32_t wbl_load_table(const struct wbl_loaded *m, const char *interface, const char *name,
	const void **ret, struct wbl_error *err);
/* [{interface,name,revision}], for --check. */
int32_t wbl_load_tables(const struct wbl_loaded *m, json_t **ret, struct wbl_error *err);
/* Ids, and places behind the last table, which the module answers though it cannot know them; for --check. */
json_t *wbl_load_strange(const struct wbl_loaded *m);
#endif
