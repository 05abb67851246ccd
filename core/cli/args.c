/* cli/args.c - the command line held against verbs.def and options.def.
 * In: argv.  Out: struct wbl_cli, or an error that names the nearest right word.
 * SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "core/cli/cli.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define O(symbol) (UINT64_C(1) << WBL_OPT_##symbol)

const struct wbl_verb wbl_verbs[] = {
#define WBL_VERB_GROUP(title) { .group = title, .name = "" },
#define WBL_VERB(name, fn, least, most, state, options, args, summary, more, examples)             \
	{ NULL, name, fn, least, most, WBL_STATE_##state, options, args, summary, more, examples },
#include "core/cli/verbs.def"
#undef WBL_VERB
#undef WBL_VERB_GROUP
	{ .name = NULL },
};

static const struct {
	const char *name, *arg;
	char letter;
	bool everywhere;
} options[] = {
#define WBL_OPT(symbol, name, letter, arg, everywhere, help) { name, arg, letter, everywhere },
#include "core/cli/options.def"
#undef WBL_OPT
};

const struct wbl_verb *wbl_verb_find(const char *name)
{
	const struct wbl_verb *v;

	for (v = wbl_verbs; v->name; v++)
		if (*v->name && !strcmp(v->name, name))
			return v;
	return NULL;
}

int32_t wbl_verb_unknown(const char *name, struct wbl_error *err)
{
	const char *names[64] = { NULL }, *near;
	const struct wbl_verb *v;
	size_t n = 0;
	char hint[128];

	for (v = wbl_verbs; v->name && n + 1 < WBL_COUNT(names); v++)
		if (*v->name)
			names[n++] = v->name;
	near = wbl_nearest(name, names);
	snprintf(hint, sizeof hint, near ? "Did you mean \"whimbrel %s\"?" : "See whimbrel help.",
		near);
	return wbl_fail(err, WBL_E_USAGE, name, hint, "is not a verb of whimbrel");
}

static bool allowed(const struct wbl_verb *v, int o)
{
	return options[o].everywhere || (v && (v->options >> o & 1));
}

static int32_t unknown_option(const struct wbl_verb *v, const char *given, struct wbl_error *err)
{
	const char *names[WBL_OPT_COUNT + 1] = { NULL }, *near;
	WBL_AUTOFREE char *name = wbl_strdup(given + strspn(given, "-"));
	char hint[160];
	size_t n = 0;
	int i;

	name[strcspn(name, "=")] = '\0';
	for (i = 0; i < WBL_OPT_COUNT; i++)
		if (allowed(v, i))
			names[n++] = options[i].name;
	near = wbl_nearest(name, names);
	if (near && strcmp(near, name))
		snprintf(hint, sizeof hint, "Did you mean --%s?", near);
	else
		snprintf(hint, sizeof hint, "See whimbrel help%s%s.", v ? " " : "",
			v ? v->name : "");
	return wbl_fail(err, WBL_E_USAGE, given, hint, "is not an option of whimbrel%s%s",
		v ? " " : "", v ? v->name : "");
}

/* -o is the format, and for a plan also its file. */
static int32_t take_output(struct wbl_cli *c, const char *value, struct wbl_error *err)
{
	if (!strcmp(value, "json") || !strcmp(value, "text")) {
		c->json = *value == 'j';
		return 0;
	}
	if (c->verb && c->verb->options & O(OUT)) {
		c->opt[WBL_OPT_OUT] = value;
		return 0;
	}
	return wbl_fail(err, WBL_E_USAGE, "-o", "Say -o json or -o text.",
		"\"%s\" is not a format of output", value);
}

static int32_t take_option(struct wbl_cli *c, int o, const char *value, struct wbl_error *err)
{
	if (o == WBL_OPT_OUTPUT)
		return take_output(c, value, err);
	c->opt[o] = value ? value : "";
	return 0;
}

static int find_option(const char *name, size_t len, char letter)
{
	int i;

	for (i = 0; i < WBL_OPT_COUNT; i++)
		if (letter ? options[i].letter == letter
			   : strlen(options[i].name) == len && !strncmp(options[i].name, name, len))
			return i;
	return -1;
}

static int32_t missing(const char *option, int o, struct wbl_error *err)
{
	return wbl_fail(err, WBL_E_USAGE, option, NULL, "wants a value: %s", options[o].arg);
}

/* One word that begins with "-"; *i moves on when the next word is its value. */
static int32_t parse_option(struct wbl_cli *c, char **argv, int *i, struct wbl_error *err)
{
	const char *word = argv[*i], *value = NULL;
	int o;

	if (word[1] == '-') {
		size_t len = strcspn(word + 2, "=");

		o = find_option(word + 2, len, 0);
		if (o < 0 || !allowed(c->verb, o))
			return unknown_option(c->verb, word, err);
		if (word[2 + len])
			value = word + 2 + len + 1;
		if (value && !options[o].arg)
			return wbl_fail(err, WBL_E_USAGE, word, NULL, "takes no value");
		if (!value && options[o].arg && !(value = argv[++*i]))
			return missing(word, o, err);
		return take_option(c, o, value, err);
	}
	for (word++; *word; word++) {
		int32_t rc;

		o = find_option(NULL, 0, *word);
		if (o < 0 || !allowed(c->verb, o))
			return unknown_option(c->verb, argv[*i], err);
		if (options[o].arg) {
			value = word[1] ? word + 1 : argv[++*i];
			return value ? take_option(c, o, value, err)
				     : missing(argv[*i - 1], o, err);
		}
		rc = take_option(c, o, NULL, err);
		if (rc)
			return rc;
	}
	return 0;
}

/* The verb is found first, as it decides which options there are: the first word that is neither
 * an option nor the value of one. */
static int find_verb(int argc, char **argv)
{
	int i;

	for (i = 1; i < argc; i++) {
		int o;

		if (argv[i][0] != '-' || !argv[i][1])
			return i;
		if (!strcmp(argv[i], "--"))
			return i + 1 < argc ? i + 1 : 0;
		if (strchr(argv[i], '='))
			continue;
		o = argv[i][1] == '-' ? find_option(argv[i] + 2, strlen(argv[i] + 2), 0)
		    : argv[i][2]      ? -1
				      : find_option(NULL, 0, argv[i][1]);
		if (o >= 0 && options[o].arg)
			i++;
	}
	return 0;
}

static int32_t check_count(const struct wbl_cli *c, struct wbl_error *err)
{
	const struct wbl_verb *v = c->verb;
	WBL_AUTOFREE char *usage = wbl_strf("Usage: whimbrel %s %s", v->name, v->args);

	if (c->opt[WBL_OPT_HELP] || c->opt[WBL_OPT_VERSION])
		return 0;
	if (c->nargs < v->least)
		return wbl_fail(err, WBL_E_USAGE, NULL, usage, "whimbrel %s wants %s", v->name,
			v->least == 1 ? "an argument" : "more arguments");
	if (c->nargs > v->most)
		return wbl_fail(err, WBL_E_USAGE, v->most ? c->args[v->most] : c->args[0], usage,
			"is one argument too many");
	return 0;
}

/* What goes into a request must be UTF-8; paths that stay here need not. */
static int32_t check_text(const struct wbl_cli *c, struct wbl_error *err)
{
	const char *s;
	int i;

	for (i = 0; i < c->nargs + WBL_OPT_COUNT; i++) {
		s = i < c->nargs ? c->args[i] : c->opt[i - c->nargs];
		if (i - c->nargs == WBL_OPT_STATE || i - c->nargs == WBL_OPT_CONFIG ||
			i - c->nargs == WBL_OPT_OUT)
			continue;
		if (s && !wbl_utf8_valid(s, strlen(s)))
			return wbl_fail(err, WBL_E_USAGE, s,
				"Rename the file, or change the locale to UTF-8.", "is not UTF-8");
	}
	return 0;
}

/* Also a wrong command line is answered in the form that it asks for. */
static void guess_form(struct wbl_cli *c, int argc, char **argv)
{
	int i;

	for (i = 1; i < argc; i++) {
		c->events |= !strcmp(argv[i], "--events");
		c->json |= !strcmp(argv[i], "--output=json") || !strcmp(argv[i], "-ojson");
		c->json |= i + 1 < argc && !strcmp(argv[i + 1], "json") &&
			   (!strcmp(argv[i], "-o") || !strcmp(argv[i], "--output"));
	}
}

int32_t wbl_cli_parse(struct wbl_cli *c, int argc, char **argv, struct wbl_error *err)
{
	int at = find_verb(argc, argv), i;
	bool plain = false;
	int32_t rc;

	guess_form(c, argc, argv);
	if (at) {
		c->verb = wbl_verb_find(argv[at]);
		/* the value of an option that does not exist looks like a verb */
		for (i = 1; i < at && !c->verb; i++)
			if (!strncmp(argv[i], "--", 2) &&
				find_option(argv[i] + 2, strcspn(argv[i] + 2, "="), 0) < 0)
				return unknown_option(NULL, argv[i], err);
		if (!c->verb)
			return wbl_verb_unknown(argv[at], err);
	}
	for (i = 1; i < argc; i++) {
		if (i == at)
			continue;
		if (!plain && !strcmp(argv[i], "--")) {
			plain = true;
		} else if (!plain && argv[i][0] == '-' && argv[i][1]) {
			rc = parse_option(c, argv, &i, err);
			if (rc)
				return rc;
		} else if (c->nargs + 1 < (int)WBL_COUNT(c->args)) {
			c->args[c->nargs++] = argv[i];
		} else {
			return wbl_fail(
				err, WBL_E_USAGE, argv[i], NULL, "is one argument too many");
		}
	}
	c->events = c->opt[WBL_OPT_EVENTS];
	c->quiet = c->opt[WBL_OPT_QUIET];
	rc = check_text(c, err);
	return rc || !c->verb ? rc : check_count(c, err);
}

int32_t wbl_cli_number(const struct wbl_cli *c, enum wbl_option o, int64_t otherwise, int64_t *ret,
	struct wbl_error *err)
{
	const char *s = c->opt[o];
	long long n;
	char *end;

	if (!s) {
		*ret = otherwise;
		return 0;
	}
	errno = 0;
	n = strtoll(s, &end, 10);
	if (errno || end == s || *end || n < 0)
		return wbl_fail(err, WBL_E_USAGE, options[o].name, NULL,
			"\"%s\" is not a number of 0 or more", s);
	*ret = n;
	return 0;
}
