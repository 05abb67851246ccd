/* cli/cmd_assess.c - the verb assess: a look at a source, shown, and written as a page or a spec where wanted.
 * SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "core/cli/cli.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/file.h"
#include "core/cli/input.h"
#include "core/cli/render.h"

static bool is_id(const char *s)
{
	return !strcmp(s, "last") ||
	       (!strncmp(s, "a-", 2) && s[2] && strspn(s + 2, "0123456789") == strlen(s + 2));
}

static bool is_spec(const char *s)
{
	size_t n = strlen(s);

	return !strcmp(s, "-") || (n > 5 && !strcmp(s + n - 5, ".conf"));
}

static json_t *source_args(struct wbl_cli *c, const char *what)
{
	WBL_AUTOFREE char *cwd = getcwd(NULL, 0);
	WBL_AUTOFREE char *path = wbl_path_absolute(cwd ? cwd : "/", what);
	json_t *source = json_object();

	if (*what == '@')
		wbl_json_put(source, "connection", what);
	else
		wbl_json_put(source, "path", path);
	wbl_json_put(source, "store", c->opt[WBL_OPT_STORE]);
	wbl_json_put(source, "handler", c->opt[WBL_OPT_HANDLER]);
	return json_pack("{s:o, s:s*}", "source", source, "env", c->opt[WBL_OPT_ENV]);
}

/* NULL: reported. */
static json_t *request_args(struct wbl_cli *c, const char *what)
{
	struct wbl_input in = { 0 };
	struct wbl_error err = { 0 };
	json_t *args = NULL;

	if (is_id(what))
		return json_pack("{s:s, s:s}", "op", "show", "assessment", what);
	if (!is_spec(what) || c->opt[WBL_OPT_STORE]) {
		args = source_args(c, what);
	} else if (wbl_input_spec(what, &in, &err)) {
		wbl_cli_fail(c, &err);
	} else {
		args = wbl_input_spec_args(&in, c->opt[WBL_OPT_ENV]);
	}
	wbl_input_clear(&in);
	if (args && c->opt[WBL_OPT_ANEW])
		json_object_set_new(args, "anew", json_true());
	return args;
}

static int32_t write_file(const char *file, const struct wbl_buf *b, struct wbl_error *err)
{
	mode_t mask = umask(0);
	int32_t rc;

	umask(mask);
	rc = wbl_file_replace(file, b->data ? b->data : "", b->len, 0644 & ~mask, err);
	if (rc)
		err->code = WBL_E_USAGE;
	return rc;
}

static void spec_source(const json_t *subject, struct wbl_buf *b)
{
	const char *source = wbl_value_str(subject, "source"),
		   *store = wbl_value_str(subject, "store");

	if (*source != '@' && *store)
		wbl_buf_addf(b, "{ store = \"%s\"; path = ", store);
	wbl_buf_quote(b, source);
	wbl_buf_adds(b, *source != '@' && *store ? "; }" : "");
}

/* One migration for each subject whose handler proposed one. */
static size_t spec_text(const json_t *doc, struct wbl_buf *b)
{
	const json_t *subject, *f;
	size_t n = 0, i, k;

	wbl_buf_addf(b,
		"# Made by `whimbrel assess` (%s): read it, complete it, then whimbrel plan.\n",
		wbl_value_str(doc, "assessment"));
	json_array_foreach(json_object_get(doc, "subjects"), i, subject)
		json_array_foreach(json_object_get(subject, "findings"), k, f)
	{
		if (!wbl_assess_kind(f, "spec"))
			continue;
		wbl_buf_addf(b,
			"%s  {\n    name = \"move-%zu\";\n    handler = \"%s\";\n    source = ",
			n ? ",\n" : "migrations: (\n", n + 1, wbl_value_str(subject, "handler"));
		n++;
		spec_source(subject, b);
		wbl_buf_addf(b, ";\n    %s  }", wbl_value_str(f, "text"));
	}
	wbl_buf_adds(b, n ? "\n);\n" : "");
	return n;
}

static int32_t write_extras(struct wbl_cli *c, const json_t *doc, struct wbl_error *err)
{
	const char *html = c->opt[WBL_OPT_HTML], *spec = c->opt[WBL_OPT_SPEC];
	struct wbl_buf b = { 0 };
	int32_t rc = 0;

	if (html) {
		wbl_html_assessment(&b, doc);
		rc = write_file(html, &b, err);
		wbl_buf_clear(&b);
	}
	if (!rc && spec && !spec_text(doc, &b))
		rc = wbl_fail(err, WBL_E_USAGE, spec, "Write one by hand: docs/spec.md.",
			"the handler proposes no spec for this source");
	else if (!rc && spec)
		rc = write_file(spec, &b, err);
	wbl_buf_clear(&b);
	return rc;
}

static int print(
	struct wbl_cli *c, const json_t *result, void (*render)(struct wbl_paper *, const json_t *))
{
	struct wbl_paper p = wbl_cli_paper(stdout);
	int exit;

	if (c->json || c->events)
		return wbl_cli_print_json(result, 0);
	render(&p, result);
	exit = wbl_cli_print(&p, stdout, 0);
	wbl_paper_clear(&p);
	return exit;
}

static int list(struct wbl_cli *c)
{
	struct wbl_error err = { 0 };
	json_t *result;
	int64_t limit;
	int exit;

	if (wbl_cli_number(c, WBL_OPT_LIMIT, 50, &limit, &err))
		return wbl_cli_fail(c, &err);
	result = wbl_cli_call(c, "assess", json_pack("{s:s, s:I}", "op", "list", "limit", limit));
	exit = result ? print(c, result, wbl_render_assessments) : c->exit;
	json_decref(result);
	return exit;
}

int wbl_cmd_assess(struct wbl_cli *c)
{
	struct wbl_error err = { 0 };
	json_t *args, *result;
	int exit;

	if (c->opt[WBL_OPT_LIST])
		return list(c);
	if (!c->args[0]) {
		wbl_fail(&err, WBL_E_USAGE, NULL, "Type: whimbrel assess /srv/crm.db",
			"what is to be assessed? expected a path, @connection, a spec or an id");
		return wbl_cli_fail(c, &err);
	}
	args = request_args(c, c->args[0]);
	result = args ? wbl_cli_call(c, "assess", args) : NULL;
	if (!result)
		return c->exit;
	exit = write_extras(c, result, &err) ? wbl_cli_fail(c, &err)
					     : print(c, result, wbl_render_assessment);
	json_decref(result);
	return exit;
}
