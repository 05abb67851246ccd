/* module/scan.h - libconfig text is looked at before libconfig sees it.
 * libconfig 1.5 cuts integers to 32 bits, ends the process on some includes, stops at NUL bytes, and needs
 * quadratic time for long strings; what would meet one of these is refused here, with line and column.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef WBL_CORE_MODULE_SCAN_H
#define WBL_CORE_MODULE_SCAN_H
#include <stddef.h>

#include "core/base/error.h"

#define WBL_SCAN_SPEC                                                                              \
	1u /* an operator's spec: 1 MiB and depth 32, instead of 256 KiB and depth 16 */
#define WBL_SCAN_INCLUDE                                                                           \
	2u /* @include of a regular file below the folder of `where`, by relative path */

/* 0, or WBL_E_USAGE with "where:line:column". Included files are read and scanned too, to a depth of 4; the
 * limit of size holds for all of them together. `text` need not be NUL-terminated. Syntax is not judged. */
int32_t wbl_libconfig_scan(
	const char *text, size_t len, const char *where, unsigned flags, struct wbl_error *err);
#endif
