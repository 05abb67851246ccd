/* cli/scaffold.h - a new module's folder from the installed templates.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef WBL_CORE_CLI_SCAFFOLD_H
#define WBL_CORE_CLI_SCAFFOLD_H
#include "core/base/json.h"

struct wbl_scaffold {
	const char
		*family; /* adapter session config data custom: handlers; store router transform */
	const char *id;  /* org.example.name */
	const char *build; /* "autotools" or "make" */
	bool example;      /* the worked one instead of the bare one */
	const char *dir;   /* NULL: the name */
};

/* Makes the folder with all of its files, or nothing. *ret_dir: the caller's; *ret_files: names, in order.
 * WBL_E_USAGE (a name, or a folder that is not empty), WBL_E_NOT_FOUND (no such template), WBL_E_UNAVAILABLE. */
int32_t wbl_scaffold_make(
	const struct wbl_scaffold *s, char **ret_dir, json_t **ret_files, struct wbl_error *err);
#endif
