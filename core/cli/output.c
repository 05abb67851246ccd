/* cli/output.c - all output of the command: papers, JSON documents, errors.
 * In: papers and JSON.  Out: standard output for results, standard error for complaints.
 * SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "core/cli/cli.h"

#include <errno.h>
#include <langinfo.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

static int terminal_width(FILE *stream)
{
	struct winsize ws;

	if (isatty(fileno(stream)) && !ioctl(fileno(stream), TIOCGWINSZ, &ws) && ws.ws_col)
		return ws.ws_col < 40 ? 40 : ws.ws_col > 140 ? 140 : ws.ws_col;
	return 100;
}

bool wbl_cli_rich(FILE *stream)
{
	const char *term = getenv("TERM");

	return isatty(fileno(stream)) && term && *term && strcmp(term, "dumb");
}

static bool utf8_terminal(void)
{
	locale_t mine = newlocale(LC_CTYPE_MASK, "", 0);
	bool is = mine && !strcmp(nl_langinfo_l(CODESET, mine), "UTF-8");

	if (mine)
		freelocale(mine);
	return is;
}

struct wbl_paper wbl_cli_paper(FILE *stream)
{
	const char *no = getenv("NO_COLOR");

	return (struct wbl_paper){
		.colour = wbl_cli_rich(stream) && !(no && *no),
		.utf8 = utf8_terminal(),
		.width = terminal_width(stream),
		.now = wbl_now_real(),
	};
}

static int written(FILE *out, int exit)
{
	if (!fflush(out) && !ferror(out))
		return exit;
	if (errno != EPIPE)
		fprintf(stderr, "whimbrel: the output cannot be written: %s\n", strerror(errno));
	return exit ? exit : 1;
}

int wbl_cli_print(const struct wbl_paper *p, FILE *out, int exit)
{
	if (p->buf.len)
		fwrite(p->buf.data, 1, p->buf.len, out);
	return written(out, exit);
}

int wbl_cli_print_json(const json_t *j, int exit)
{
	WBL_AUTOFREE char *text = wbl_json_pretty(j);
	struct wbl_buf safe = { 0 };

	wbl_text_safe_json(&safe, text);
	fwrite(safe.data, 1, safe.len, stdout);
	wbl_buf_clear(&safe);
	return written(stdout, exit);
}

void wbl_render_error(struct wbl_paper *p, const json_t *error)
{
	const char *where = wbl_json_str(error, "where"), *text = wbl_json_str(error, "text"),
		   *hint = wbl_json_str(error, "hint"), *name = wbl_json_str(error, "name"), *lines;

	wbl_paper_add(p, "whimbrel: ");
	wbl_paper_tint(p, WBL_TINT_RED);
	if (where && *where)
		wbl_paper_add(p, "%s: ", where);
	if (!text || !*text)
		text = name ? name : "the engine gave no reason";
	lines = strchr(text, '\n');
	wbl_paper_add(p, "%.*s", lines ? (int)(lines - text) : (int)strlen(text), text);
	wbl_paper_tint(p, WBL_TINT_NONE);
	wbl_paper_end(p);
	if (lines)
		wbl_paper_output(p, 2, lines + 1, 12);
	if (!hint || !*hint)
		hint = wbl_json_str(error, "actions");
	if (hint && *hint)
		wbl_paper_wrap(p, 2, "%s", hint);
}

int wbl_cli_fail_json(struct wbl_cli *c, const json_t *error, const json_t *errors)
{
	struct wbl_paper p = wbl_cli_paper(stderr);
	json_t *e;
	size_t i;

	c->exit = (int)wbl_json_int(error, "exit", 1);
	if (c->events || c->json) {
		json_t *doc = json_pack("{s:O, s:O*}", "error", error, "errors", errors);
		WBL_AUTOFREE char *line = NULL;

		if (c->json && !c->events) {
			wbl_cli_print_json(doc, c->exit);
		} else {
			struct wbl_buf safe = { 0 };

			json_object_set_new(doc, "type", json_string("error"));
			line = wbl_json_text(doc);
			wbl_text_safe_json(&safe, line);
			printf("%s\n", safe.data);
			fflush(stdout);
			wbl_buf_clear(&safe);
		}
		json_decref(doc);
		return c->exit;
	}
	if (json_array_size(errors) > 1)
		json_array_foreach((json_t *)errors, i, e) wbl_render_error(&p, e);
	else
		wbl_render_error(&p, error);
	wbl_cli_print(&p, stderr, 0);
	wbl_paper_clear(&p);
	return c->exit;
}

int wbl_cli_fail(struct wbl_cli *c, const struct wbl_error *err)
{
	json_t *e = wbl_json_error(err);
	int exit = wbl_cli_fail_json(c, e, NULL);

	json_decref(e);
	return exit;
}
