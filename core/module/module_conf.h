/* module/module_conf.h - one file of handlers.d: what the operator or a package says about one module.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef WBL_CORE_MODULE_MODULE_CONF_H
#define WBL_CORE_MODULE_MODULE_CONF_H
#include "core/module/registry.h"

/* Reads the file and sets what it says in the entry with the name it gives. Unknown modules are WBL_E_NOT_FOUND
 * unless the file disables them. A wrong file is WBL_E_USAGE, and the module that it is about - by its `module`,
 * else by its file name without leading digits - is refused: else a typing mistake would lift a pin or a ban. */
int32_t wbl_module_conf_apply(
	const char *path, struct wbl_registry *r, bool trust_any_owner, struct wbl_error *err);
#endif
