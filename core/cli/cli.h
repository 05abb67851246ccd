/* cli/cli.h - one invocation of the command: its verb, arguments, options; and what every verb
 * uses. A verb's function returns the exit code. Text for people goes through a paper (paper.h),
 * requests through wbl_cli_call, which reports errors itself.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef WBL_CORE_CLI_CLI_H
#define WBL_CORE_CLI_CLI_H
#include <stdio.h>

#include "core/base/json.h"
#include "core/cli/paper.h"

enum wbl_option {
#define WBL_OPT(symbol, name, letter, arg, everywhere, help) WBL_OPT_##symbol,
#include "core/cli/options.def"
#undef WBL_OPT
	WBL_OPT_COUNT
};

enum wbl_needs { WBL_STATE_NONE, WBL_STATE_NEEDS, WBL_STATE_MAKES };

struct wbl_cli;

struct wbl_verb {
	const char *group; /* the group's title, else NULL */
	const char *name;
	int (*run)(struct wbl_cli *c);
	int least, most;
	enum wbl_needs state;
	uint64_t options; /* bit n: option n */
	const char *args, *summary, *more, *examples;
};

struct wbl_cli {
	const struct wbl_verb *verb;
	const char *args[4]; /* NULL behind the last */
	int nargs;
	const char *opt[WBL_OPT_COUNT]; /* NULL: not given; "" for those without argument */
	bool json, events, quiet;
	char *state, *config;      /* absolute */
	bool config_named;         /* by option or environment, not just the usual place */
	struct wbl_client *client; /* the connection, made at the first request */
	bool events_begun;         /* the first line of --events is out */
	int exit;                  /* of the last error that was reported */
};

extern const struct wbl_verb wbl_verbs[]; /* groups and verbs; a NULL name ends it */
const struct wbl_verb *wbl_verb_find(const char *name);
int32_t wbl_verb_unknown(
	const char *name, struct wbl_error *err); /* names the nearest; WBL_E_USAGE */

/* args.c. WBL_E_USAGE and err on a wrong command line; the verb may be NULL (help, version). */
int32_t wbl_cli_parse(struct wbl_cli *c, int argc, char **argv, struct wbl_error *err);
/* The number in an option; `otherwise` when it was not given. WBL_E_USAGE. */
int32_t wbl_cli_number(const struct wbl_cli *c, enum wbl_option o, int64_t otherwise, int64_t *ret,
	struct wbl_error *err);

/* help.c */
void wbl_help_all(struct wbl_paper *p);
void wbl_help_verb(struct wbl_paper *p, const struct wbl_verb *v);
void wbl_help_words(FILE *out, const char *verb);

/* output.c. All output is made here; each returns the exit code that is right after it. */
struct wbl_paper wbl_cli_paper(FILE *stream); /* of the terminal's width, colour when it is one */
int wbl_cli_print(const struct wbl_paper *p, FILE *out, int exit); /* 1 when it cannot be written */
int wbl_cli_print_json(const json_t *j, int exit); /* one document on standard output */
int wbl_cli_fail(struct wbl_cli *c,
	const struct wbl_error *err); /* says it; returns and keeps its exit code */
int wbl_cli_fail_json(struct wbl_cli *c, const json_t *error, const json_t *errors);
void wbl_render_error(struct wbl_paper *p, const json_t *error);
bool wbl_cli_rich(FILE *stream); /* a terminal that can move its cursor */

/* request.c. Sends a verb to the engine (starts one when none runs) and waits for the answer.
 * `args` is taken. NULL: it failed, was reported, and c->exit says how. The caller decrefs. */
json_t *wbl_cli_call(struct wbl_cli *c, const char *verb, json_t *args);
/* The connection, or NULL: reported. */
struct wbl_client *wbl_cli_client(struct wbl_cli *c);

json_t *wbl_cli_try(struct wbl_cli *c, const char *verb,
	json_t *args); /* NULL on failure, which is not reported */

/* follow.c */
enum wbl_follow {
	WBL_FOLLOW_MINE = 1, /* Ctrl-C cancels the run; otherwise it only stops watching */
	WBL_FOLLOW_NEW = 2,  /* leave out what happened before this command */
};
/* Sends a verb that answers with events, shows them, and returns its result (as wbl_cli_call).
 * `args` is taken. */
json_t *wbl_cli_follow(struct wbl_cli *c, const char *verb, json_t *args, unsigned how);
/* The same for verbs whose result is a run at rest: shows how it ended, too. Returns the exit
 * code. `goal`: a state which this verb is meant to lead to, so that reaching it is success; or
 * NULL. */
int wbl_cli_follow_run(
	struct wbl_cli *c, const char *verb, json_t *args, unsigned how, const char *goal);
/* With --events, of a verb that tells nothing on its way: the first line, and the result. The exit code. */
int wbl_cli_print_events(struct wbl_cli *c, const json_t *result);
/* The end of a run that was followed, as the invocation wants it. Takes `result`. */
int wbl_cli_end(struct wbl_cli *c, json_t *result, const char *goal);

/* --items and --bytes into `args`. */
int32_t wbl_cli_limits(const struct wbl_cli *c, json_t *args, struct wbl_error *err);

/* The verbs, cmd_*.c */
#define WBL_VERB_GROUP(title)
#define WBL_VERB(name, fn, least, most, state, options, args, summary, more, examples)             \
	int fn(struct wbl_cli *c);
#include "core/cli/verbs.def"
#undef WBL_VERB
#undef WBL_VERB_GROUP
#endif
