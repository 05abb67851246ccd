/* base/error.c - filling errors, and the table of codes.
 * New codes go into errors.def.
 * SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "core/base/error.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static const struct {
	int32_t code;
	const char *name;
	int exit;
	const char *text, *actions;
} codes[] = {
#define WBL_ERROR(code, name, exit, text, actions) { code, name, exit, text, actions },
#include "core/base/errors.def"
#undef WBL_ERROR
};

static void fill(struct wbl_error *err, int32_t code, const char *where, const char *hint,
	const char *fmt, va_list ap)
{
	err->code = code;
	snprintf(err->where, sizeof err->where, "%s", where ? where : "");
	snprintf(err->hint, sizeof err->hint, "%s", hint ? hint : "");
	vsnprintf(err->text, sizeof err->text, fmt, ap);
}

int32_t wbl_fail(struct wbl_error *err, int32_t code, const char *where, const char *hint,
	const char *fmt, ...)
{
	va_list ap;

	if (!err)
		return code;
	va_start(ap, fmt);
	fill(err, code, where, hint, fmt, ap);
	va_end(ap);
	return code;
}

int32_t wbl_fail_errno(struct wbl_error *err, int32_t code, const char *where, const char *hint,
	const char *fmt, ...)
{
	int saved = errno;
	size_t len;
	va_list ap;

	if (!err)
		return code;
	va_start(ap, fmt);
	fill(err, code, where, hint, fmt, ap);
	va_end(ap);
	len = strlen(err->text);
	snprintf(err->text + len, sizeof err->text - len, ": %s", strerror(saved));
	return code;
}

void wbl_error_at(struct wbl_error *err, const char *where)
{
	if (err && !err->where[0] && where)
		snprintf(err->where, sizeof err->where, "%s", where);
}

static size_t find(int32_t code)
{
	size_t i;

	for (i = 0; i < sizeof codes / sizeof *codes; i++)
		if (codes[i].code == code)
			break;
	return i;
}

const char *wbl_code_name(int32_t code)
{
	size_t i = find(code);

	if (code == WBL_OK || code == WBL_END)
		return "ok";
	return i < sizeof codes / sizeof *codes ? codes[i].name : "unknown";
}

const char *wbl_code_text(int32_t code)
{
	size_t i = find(code);

	return i < sizeof codes / sizeof *codes ? codes[i].text : "unknown code";
}

const char *wbl_code_actions(int32_t code)
{
	size_t i = find(code);

	return i < sizeof codes / sizeof *codes ? codes[i].actions : "";
}

int wbl_code_exit(int32_t code)
{
	size_t i = find(code);

	if (code >= 0)
		return 0;
	return i < sizeof codes / sizeof *codes ? codes[i].exit : 1;
}
