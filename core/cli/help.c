/* cli/help.c - help made from verbs.def and options.def.
 * SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "core/cli/cli.h"

#include <string.h>

static const struct {
	const char *name, *arg, *help;
	char letter;
	bool everywhere;
} options[] = {
#define WBL_OPT(symbol, name, letter, arg, everywhere, help)                                       \
	{ name, arg, help, letter, everywhere },
#include "core/cli/options.def"
#undef WBL_OPT
};

static void lines(struct wbl_paper *p, int indent, const char *text)
{
	while (*text) {
		size_t n = strcspn(text, "\n");

		wbl_paper_line(p, "%*s%.*s", indent, "", (int)n, text);
		text += n + (text[n] == '\n');
	}
}

static void option_table(struct wbl_paper *p, uint64_t which)
{
	struct wbl_table *t = wbl_table_new("llL");
	int i;

	for (i = 0; i < WBL_OPT_COUNT; i++) {
		if (!(which >> i & 1))
			continue;
		if (options[i].letter)
			wbl_table_cell(t, 0, "-%c,", options[i].letter);
		else
			wbl_table_cell(t, 0, "   ");
		wbl_table_cell(t, 0, "--%s%s%s", options[i].name, options[i].arg ? " " : "",
			options[i].arg ? options[i].arg : "");
		wbl_table_cell(t, 0, "%s", options[i].help);
	}
	wbl_table_print(t, p, 2);
}

static uint64_t everywhere(void)
{
	uint64_t which = 0;
	int i;

	for (i = 0; i < WBL_OPT_COUNT; i++)
		which |= (uint64_t)options[i].everywhere << i;
	return which;
}

static void print_group(struct wbl_table *t, struct wbl_paper *p)
{
	if (t)
		wbl_table_print(t, p, 2);
}

void wbl_help_all(struct wbl_paper *p)
{
	const struct wbl_verb *v;
	struct wbl_table *t = NULL;

	wbl_paper_line(p, "whimbrel moves running systems from one state to another, and can "
			  "always go back.");
	wbl_paper_head(p, "For example");
	lines(p, 2,
		"whimbrel plan crm.conf        work out what would happen, and show it\n"
		"whimbrel apply p-000001       do it, and follow it\n"
		"whimbrel rollback r-000001    undo it\n"
		"whimbrel run crm.conf         all in one: plan, show, ask, apply\n");
	for (v = wbl_verbs; v->name; v++) {
		if (v->group) {
			print_group(t, p);
			wbl_paper_head(p, v->group);
			t = wbl_table_new("lL");
			continue;
		}
		wbl_table_cell(t, WBL_TINT_BOLD, "%-9s", v->name);
		wbl_table_cell(t, 0, "%s", v->summary);
	}
	print_group(t, p);
	wbl_paper_head(p, "Options everywhere");
	option_table(p, everywhere());
	wbl_paper_end(p);
	wbl_paper_line(p, "whimbrel help VERB tells more. Exit codes and files: man whimbrel.");
}

void wbl_help_verb(struct wbl_paper *p, const struct wbl_verb *v)
{
	wbl_paper_line(p, "whimbrel %s: %s", v->name, v->summary);
	wbl_paper_head(p, "Usage");
	wbl_paper_line(p, "  whimbrel %s%s%s%s", v->name, *v->args ? " " : "", v->args,
		v->options ? " [options]" : "");
	if (*v->more) {
		wbl_paper_end(p);
		lines(p, 2, v->more);
	}
	wbl_paper_head(p, "Examples");
	lines(p, 2, v->examples);
	if (v->options) {
		wbl_paper_head(p, "Options");
		option_table(p, v->options);
	}
	wbl_paper_head(p, "Options everywhere");
	option_table(p, everywhere());
}

/* The verbs, or the options of one of them; completion asks for these. */
void wbl_help_words(FILE *out, const char *verb)
{
	const struct wbl_verb *v = verb ? wbl_verb_find(verb) : NULL;
	uint64_t which = everywhere() | (v ? v->options : 0);
	int i;

	if (!verb)
		for (v = wbl_verbs; v->name; v++)
			if (*v->name)
				fprintf(out, "%s\n", v->name);
	for (i = 0; i < WBL_OPT_COUNT; i++)
		if (which >> i & 1)
			fprintf(out, "--%s\n", options[i].name);
}
