/* module/environment.h - what a place of work knows that a spec does not: connections by name, profile, defaults.
 * In: environments.d/NAME.conf.  Out: the parameters of a connection, with the place where each was written.
 * One object, used by one thread; all is the object's until it is freed.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef WBL_CORE_MODULE_ENVIRONMENT_H
#define WBL_CORE_MODULE_ENVIRONMENT_H
#include "core/base/json.h"
#include "core/module/params.h"

struct wbl_environment {
	const char *name, *file;           /* file: NULL when there is none */
	const char *profile;               /* "production"; NULL unless given */
	const char *rollback, *validation; /* defaults for specs; NULL unless given */
	const json_t *connections;         /* object: name -> parameters */
	const struct wbl_places
		*places; /* of "connections.NAME..."; NULL without a file. dir: the file's folder */
};

/* `dir` is the folder environments.d. The environment "default" may be absent, and is empty then; any other is
 * WBL_E_NOT_FOUND, with those that there are. WBL_E_USAGE names file, line and path. */
int32_t wbl_environment_load(
	const char *dir, const char *name, struct wbl_environment **ret, struct wbl_error *err);
void wbl_environment_free(struct wbl_environment *e);
/* The parameters of a connection ({"store":"sqlite", ...}); `name` without the "@". NULL and WBL_E_NOT_FOUND
 * with the nearest name. Borrowed. */
const json_t *wbl_environment_connection(
	const struct wbl_environment *e, const char *name, struct wbl_error *err);
/* "file:line" of a value that came from a connection: of ("crm", "path"); NULL when it is not from here. `path`
 * may be "" or NULL for the connection itself. Borrowed until the next call. */
const char *wbl_environment_place(
	const struct wbl_environment *e, const char *connection, const char *path);
#endif
