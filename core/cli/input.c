/* cli/input.c - reading specs and plan files; telling ids from files.
 * SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "core/cli/input.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/base/file.h"

enum { MAX_SPEC = 1 << 20, MAX_PLAN = 16 << 20 };

static bool id_like(const char *s, const char *prefix)
{
	size_t n = strlen(prefix);

	return !strncmp(s, prefix, n) && s[n] && !s[n + strspn(s + n, "0123456789")];
}

bool wbl_input_is_plan_id(const char *s)
{
	size_t n = strlen(s);

	return id_like(s, "p-") || !strcmp(s, "last") ||
	       (n >= 8 && n <= 64 && strspn(s, "0123456789abcdef") == n);
}

bool wbl_input_is_run_id(const char *s)
{
	return id_like(s, "r-");
}

static int32_t read_stdin(struct wbl_buf *b, struct wbl_error *err)
{
	char part[16384];
	ssize_t n;

	while ((n = read(0, part, sizeof part)) != 0) {
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return wbl_fail_errno(
				err, WBL_E_USAGE, "-", NULL, "standard input cannot be read");
		if (b->len + (size_t)n > MAX_PLAN)
			return wbl_fail(err, WBL_E_USAGE, "-", "Make it smaller.", "is too large");
		wbl_buf_add(b, part, (size_t)n);
	}
	wbl_buf_add(b, "", 0);
	return 0;
}

/* JSON, and so the control socket, carries UTF-8 only. */
static int32_t check_text(const char *name, const struct wbl_buf *b, struct wbl_error *err)
{
	size_t i = 0, n, line = 1, column = 1;
	WBL_AUTOFREE char *where = NULL;
	unsigned char bad;

	for (; i < b->len; i += n) {
		for (n = 1; n <= 4 && i + n <= b->len; n++)
			if (wbl_utf8_valid(b->data + i, n))
				break;
		if (n > 4 || i + n > b->len || !b->data[i])
			break;
		column = b->data[i] == '\n' ? 1 : column + 1;
		line += b->data[i] == '\n';
	}
	if (i >= b->len)
		return 0;
	bad = (unsigned char)b->data[i];
	where = wbl_strf("%s:%zu:%zu", name, line, column);
	return wbl_fail(err, WBL_E_USAGE, where,
		bad ? "Save the file as UTF-8; iconv -f latin1 -t utf8 converts an old one."
		    : "Remove it; a text file has none.",
		"expected UTF-8 text, found byte 0x%02x", bad);
}

static int32_t set_folder(struct wbl_input *in, struct wbl_error *err)
{
	WBL_AUTOFREE char *cwd = getcwd(NULL, 0);
	char *slash;

	if (!cwd)
		return wbl_fail_errno(err, WBL_E_USAGE, ".", "Change to a folder that exists.",
			"the working folder cannot be read");
	if (!strcmp(in->name, "-")) {
		in->dir = wbl_strdup(cwd);
	} else {
		in->dir = wbl_path_absolute(cwd, in->name);
		slash = strrchr(in->dir, '/');
		slash[slash == in->dir] = '\0';
	}
	if (!wbl_utf8_valid(in->dir, strlen(in->dir)))
		return wbl_fail(err, WBL_E_USAGE, in->dir,
			"Move it to a folder whose name is UTF-8.",
			"the name of the spec's folder is not UTF-8");
	return 0;
}

static int32_t read_file(const char *name, struct wbl_input *ret, struct wbl_error *err)
{
	int32_t rc;

	ret->name = name;
	ret->kind = WBL_INPUT_SPEC;
	rc = strcmp(name, "-") ? wbl_file_read(name, MAX_PLAN, &ret->text, err)
			       : read_stdin(&ret->text, err);
	return rc;
}

static int32_t finish_spec(struct wbl_input *ret, struct wbl_error *err)
{
	int32_t rc = check_text(ret->name, &ret->text, err);

	if (!rc && ret->text.len > MAX_SPEC)
		rc = wbl_fail(err, WBL_E_USAGE, ret->name, "Split it into several migrations.",
			"the spec is larger than 1 MiB");
	return rc ? rc : set_folder(ret, err);
}

int32_t wbl_input_spec(const char *name, struct wbl_input *ret, struct wbl_error *err)
{
	int32_t rc = read_file(name, ret, err);

	return rc ? rc : finish_spec(ret, err);
}

int32_t wbl_input_read(const char *name, struct wbl_input *ret, struct wbl_error *err)
{
	const char *format;
	int32_t rc;

	if (wbl_input_is_plan_id(name)) {
		*ret = (struct wbl_input){ .kind = WBL_INPUT_PLAN_ID, .name = name };
		return 0;
	}
	rc = read_file(name, ret, err);
	if (rc)
		return rc;
	if (ret->text.data[strspn(ret->text.data, " \t\r\n")] != '{')
		return finish_spec(ret, err);
	ret->document = wbl_json_parse(ret->text.data, ret->text.len, name, err);
	if (!ret->document)
		return err->code;
	format = wbl_json_str(ret->document, "format");
	if (!format || strcmp(format, "whimbrel.plan"))
		return wbl_fail(err, WBL_E_USAGE, name,
			"A plan file is made by: whimbrel plan SPEC --out FILE.",
			"is JSON, but no plan: expected \"format\": \"whimbrel.plan\"");
	ret->kind = WBL_INPUT_PLAN_FILE;
	wbl_sha256_hex(ret->text.data, ret->text.len, ret->digest);
	return 0;
}

void wbl_input_clear(struct wbl_input *in)
{
	wbl_buf_clear(&in->text);
	free(in->dir);
	json_decref(in->document);
	*in = (struct wbl_input){ 0 };
}

json_t *wbl_input_spec_args(const struct wbl_input *in, const char *env)
{
	return json_pack("{s:{s:s, s:s, s:s%}, s:s*}", "spec", "name", in->name, "dir", in->dir,
		"text", in->text.data, in->text.len, "env", env);
}
