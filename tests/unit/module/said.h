/* tests/unit/module/said.h - an error as one line, to be compared with what it should say.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef WBL_TESTS_MODULE_SAID_H
#define WBL_TESTS_MODULE_SAID_H
#include <stdio.h>
#include <string.h>

#include "core/base/error.h"

/* "where | text | hint"; each `dir` (NULL: none) reads DIR. Static storage. */
static inline const char *said(const struct wbl_error *err, const char *dir)
{
	static char out[4096];
	char line[4096];
	size_t n = 0, i, len = dir ? strlen(dir) : 0;

	snprintf(line, sizeof line, "%s | %s | %s", err->where, err->text, err->hint);
	for (i = 0; line[i] && n + 4 < sizeof out;) {
		if (len && !strncmp(line + i, dir, len)) {
			memcpy(out + n, "DIR", 3);
			n += 3;
			i += len;
		} else {
			out[n++] = line[i++];
		}
	}
	out[n] = '\0';
	return out;
}
#endif
