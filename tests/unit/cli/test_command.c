/* tests of the command against an engine that is played by this program: what it sends, what it
 * makes of answers and of none, how it follows a run, what Ctrl-C does, exit codes, long folders,
 * JSON and events.
 * req: W2 M1 K5 X4 U4
 * SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/base/file.h"
#include "core/base/json.h"
#include "core/cli/input.h"

extern char **environ;

enum { WAIT_MS = 10000 };

/* The stage: a state folder with a socket, the command as a child, its connection and its output.
 */
struct stage {
	char *top, *dir, *out_path, *err_path;
	int listening, peer;
	struct wbl_buf in;
	pid_t pid;
	char *out, *err;
	int terminal; /* when it is open: the command's standard input and error */
	struct wbl_buf shown;
};

static void stage_open(struct stage *s)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	char top[] = "/tmp/wbl-cli-XXXXXX";
	struct wbl_error err;
	int folder;

	assert_non_null(mkdtemp(top));
	*s = (struct stage){ .top = wbl_strdup(top), .peer = -1, .terminal = -1 };
	/* longer than a socket's address can be */
	s->dir = wbl_strf("%s/%0100d/%0100d", top, 1, 2);
	s->out_path = wbl_strf("%s/out", top);
	s->err_path = wbl_strf("%s/err", top);
	assert_int_equal(wbl_mkdirs(s->dir, 0700, &err), 0);
	folder = open(s->dir, O_PATH | O_DIRECTORY);
	s->listening = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	snprintf(sa.sun_path, sizeof sa.sun_path, "/proc/self/fd/%d/control.sock", folder);
	assert_int_equal(bind(s->listening, (struct sockaddr *)&sa, sizeof sa), 0);
	assert_int_equal(listen(s->listening, 4), 0);
	close(folder);
}

static void stage_close(struct stage *s)
{
	WBL_AUTOFREE char *command = wbl_strf("rm -rf %s", s->top);

	close(s->listening);
	if (s->peer >= 0)
		close(s->peer);
	if (s->terminal >= 0)
		close(s->terminal);
	wbl_buf_clear(&s->shown);
	assert_int_equal(system(command), 0);
	free(s->top);
	free(s->dir);
	free(s->out_path);
	free(s->err_path);
	free(s->out);
	free(s->err);
	wbl_buf_clear(&s->in);
}

/* Starts `whimbrel --state DIR words...`. */
static void play(struct stage *s, const char *words)
{
	WBL_AUTOFREE char *copy = wbl_strdup(words);
	WBL_AUTOFREE char *program = wbl_strf("%s/whimbrel", getenv("WBL_BUILD"));
	char *argv[24] = { "whimbrel", "--state", s->dir }, *save = NULL, *w;
	posix_spawn_file_actions_t fa;
	int n = 3;

	for (w = strtok_r(copy, " ", &save); w && n < 23; w = strtok_r(NULL, " ", &save))
		argv[n++] = w;
	posix_spawn_file_actions_init(&fa);
	posix_spawn_file_actions_addopen(&fa, 0,
		s->terminal < 0 ? "/dev/null" : ptsname(s->terminal), O_RDONLY | O_NOCTTY, 0);
	posix_spawn_file_actions_addopen(&fa, 1, s->out_path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	posix_spawn_file_actions_addopen(&fa, 2,
		s->terminal < 0 ? s->err_path : ptsname(s->terminal),
		O_WRONLY | O_CREAT | O_TRUNC | O_NOCTTY, 0600);
	assert_int_equal(posix_spawn(&s->pid, program, &fa, NULL, argv, environ), 0);
	posix_spawn_file_actions_destroy(&fa);
}

static void await_readable(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	assert_int_equal(poll(&p, 1, WAIT_MS), 1);
}

/* The next request; the caller decrefs. */
static json_t *hear(struct stage *s)
{
	char part[4096], *end;
	struct wbl_error err;
	json_t *j;

	while (!s->in.len || !(end = memchr(s->in.data, '\n', s->in.len))) {
		ssize_t n;

		await_readable(s->peer);
		n = recv(s->peer, part, sizeof part, 0);
		assert_true(n > 0);
		wbl_buf_add(&s->in, part, (size_t)n);
	}
	j = wbl_json_parse(s->in.data, (size_t)(end - s->in.data), NULL, &err);
	assert_non_null(j);
	s->in.len -= (size_t)(end + 1 - s->in.data);
	memmove(s->in.data, end + 1, s->in.len);
	return j;
}

static void tell(struct stage *s, const char *line)
{
	WBL_AUTOFREE char *text = wbl_strf("%s\n", line);

	assert_int_equal(send(s->peer, text, strlen(text), MSG_NOSIGNAL), (ssize_t)strlen(text));
}

/* Takes the command's connection and its greeting. */
static void meet(struct stage *s)
{
	json_t *j;

	await_readable(s->listening);
	s->peer = accept4(s->listening, NULL, NULL, SOCK_CLOEXEC);
	assert_true(s->peer >= 0);
	j = hear(s);
	assert_string_equal(wbl_json_str(j, "verb"), "hello");
	json_decref(j);
	tell(s, "{\"id\":1,\"ok\":true,\"result\":{\"version\":\"0.1.0\"}}");
}

/* Hears a request of this verb whose arguments are exactly these (JSON). */
static void expect(struct stage *s, const char *verb, const char *args)
{
	json_t *j = hear(s), *want;
	struct wbl_error err;

	assert_string_equal(wbl_json_str(j, "verb"), verb);
	if (args) {
		want = wbl_json_parse(args, strlen(args), NULL, &err);
		if (!json_equal(want, json_object_get(j, "args"))) {
			WBL_AUTOFREE char *got = wbl_json_text(json_object_get(j, "args"));

			fail_msg("%s: expected %s, got %s", verb, args, got);
		}
		json_decref(want);
	}
	json_decref(j);
}

static char *slurp(const char *path)
{
	struct wbl_buf b = { 0 };
	struct wbl_error err;

	assert_int_equal(wbl_file_read(path, 1 << 20, &b, &err), 0);
	return wbl_buf_take(&b);
}

/* Waits for the command's end; its output is in s->out and s->err. */
static int finish(struct stage *s)
{
	int status, i;

	for (i = 0; waitpid(s->pid, &status, WNOHANG) == 0; i++) {
		if (i * 5 > WAIT_MS) {
			kill(s->pid, SIGKILL);
			waitpid(s->pid, &status, 0);
			fail_msg("the command did not end");
		}
		usleep(5000);
	}
	free(s->out);
	free(s->err);
	s->out = slurp(s->out_path);
	s->err = s->terminal < 0 ? slurp(s->err_path) : NULL;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

static void await_text(struct stage *s, const char *path, const char *text)
{
	int i;

	for (i = 0; i * 5 < WAIT_MS; i++) {
		WBL_AUTOFREE char *now = slurp(path);

		if (strstr(now, text))
			return;
		usleep(5000);
	}
	fail_msg("did not say: %s", text);
}

static void open_terminal(struct stage *s, unsigned short columns)
{
	struct winsize ws = { .ws_row = 24, .ws_col = columns };

	if (s->terminal < 0) {
		s->terminal = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
		assert_true(s->terminal >= 0);
		assert_int_equal(grantpt(s->terminal), 0);
		assert_int_equal(unlockpt(s->terminal), 0);
	}
	assert_int_equal(ioctl(s->terminal, TIOCSWINSZ, &ws), 0);
}

/* Reads the terminal until it has shown `text` behind position `from`; returns the position behind
 * that. */
static size_t await_shown(struct stage *s, size_t from, const char *text)
{
	int64_t until = wbl_now_mono() + WAIT_MS * INT64_C(1000000);
	char part[4096], *at;

	while (s->shown.len <= from || !(at = strstr(s->shown.data + from, text))) {
		struct pollfd p = { .fd = s->terminal, .events = POLLIN };
		ssize_t n = poll(&p, 1, WAIT_MS) == 1 ? read(s->terminal, part, sizeof part) : -1;

		if (n <= 0 || wbl_now_mono() > until) {
			print_message("shown: %s\n", s->shown.len ? s->shown.data : "nothing");
			fail_msg("the terminal did not show \"%s\"", text);
		}
		wbl_buf_add(&s->shown, part, (size_t)n);
	}
	return (size_t)(at - s->shown.data) + strlen(text);
}

#define SUMMARY(state, exit)                                                                       \
	"{\"run\":\"r-000001\",\"name\":\"load\",\"state\":\"" state                               \
	"\",\"steps_done\":1,\"steps_total\":1,\"elapsed_ns\":1500000000,\"exit\":" exit "}"

static void test_apply(void **state)
{
	struct stage s;

	stage_open(&s);
	play(&s, "apply p-000001");
	meet(&s);
	expect(&s, "apply", "{\"plan\":\"p-000001\",\"watch\":true}");
	tell(&s, "{\"id\":2,\"event\":{\"type\":\"entry\",\"time\":\"2026-11-21T13:14:11.000Z\","
		 "\"kind\":\"run.state\","
		 "\"run\":\"r-000001\",\"name\":\"executing\"}}");
	tell(&s, "{\"id\":2,\"event\":{\"type\":\"entry\",\"time\":\"2026-11-21T13:14:12.000Z\","
		 "\"kind\":\"step.state\","
		 "\"run\":\"r-000001\",\"step\":\"load/copy\",\"name\":\"verified\"}}");
	/* what is not durable yet is no line */
	tell(&s, "{\"id\":2,\"event\":{\"type\":\"progress\",\"run\":" SUMMARY(
			 "executing", "null") "}}");
	tell(&s, "{\"id\":2,\"ok\":true,\"result\":{\"run\":" SUMMARY(
			 "completed", "0") ",\"exit\":0}}");
	expect(&s, "report", "{\"run\":\"r-000001\"}");
	tell(&s, "{\"id\":3,\"ok\":true,\"result\":{\"outcome\":\"all is done\"}}");
	expect(&s, "explain", "{\"run\":\"r-000001\"}");
	tell(&s, "{\"id\":4,\"ok\":false,\"error\":{\"text\":\"nothing to explain\"}}");
	assert_int_equal(finish(&s), 0);
	assert_string_equal(
		s.err, "13:14:11Z r-000001: executing\n13:14:12Z load/copy: done and verified\n");
	assert_non_null(strstr(s.out, "Run r-000001  load  completed\n  all is done\n"));
	stage_close(&s);
}

static void test_events(void **state)
{
	struct stage s;

	stage_open(&s);
	play(&s, "watch --events");
	meet(&s);
	expect(&s, "watch", "{\"run\":\"last\",\"after\":0}");
	tell(&s, "{\"id\":2,\"event\":{\"type\":\"entry\",\"kind\":\"log\",\"run\":\"r-000001\","
		 "\"body\":\"\\u009b\"}}");
	tell(&s, "{\"id\":2,\"ok\":true,\"result\":{\"run\":" SUMMARY(
			 "failed", "8") ",\"exit\":8}}");
	assert_int_equal(finish(&s), 8);
	assert_string_equal(s.err, "");
	assert_non_null(strstr(s.out,
		"{\"type\":\"version\",\"format\":\"whimbrel.events\",\"v\":\"1.0\"}\n"
		"{\"type\":\"entry\",\"kind\":\"log\",\"run\":\"r-000001\",\"body\":\"\\u009b\"}\n"
		"{\"type\":\"result\","));
	stage_close(&s);
}

static void test_interrupt(void **state)
{
	struct stage s;

	stage_open(&s);
	play(&s, "apply p-000001 -o json");
	meet(&s);
	expect(&s, "apply", NULL);
	/* before the run has a name: the wish is kept */
	kill(s.pid, SIGINT);
	usleep(100000);
	tell(&s, "{\"id\":2,\"event\":{\"type\":\"entry\",\"kind\":\"run.created\",\"run\":\"r-"
		 "000001\"}}");
	expect(&s, "cancel", "{\"run\":\"r-000001\"}");
	tell(&s, "{\"id\":3,\"ok\":true,\"result\":{\"run\":" SUMMARY("rolling_back", "null") "}}");
	tell(&s, "{\"id\":2,\"ok\":true,\"result\":{\"run\":" SUMMARY(
			 "cancelled", "12") ",\"exit\":12}}");
	assert_int_equal(finish(&s), 12);
	assert_non_null(strstr(s.err, "cancelling r-000001"));
	assert_non_null(strstr(s.out, "\"state\": \"cancelled\""));
	stage_close(&s);
}

static void test_interrupt_twice(void **state)
{
	struct stage s;

	stage_open(&s);
	play(&s, "apply p-000001");
	meet(&s);
	expect(&s, "apply", NULL);
	tell(&s, "{\"id\":2,\"event\":{\"type\":\"entry\",\"kind\":\"run.created\",\"run\":\"r-"
		 "000001\"}}");
	kill(s.pid, SIGINT);
	await_text(&s, s.err_path, "cancelling r-000001");
	expect(&s, "cancel", NULL);
	kill(s.pid, SIGINT);
	assert_int_equal(finish(&s), 130);
	assert_non_null(strstr(s.err, "r-000001 goes on being cancelled"));
	stage_close(&s);
}

/* Neither a watcher's Ctrl-C nor a terminated command sends a cancel. */
static void test_leave(void **state)
{
	static const struct {
		const char *words;
		int signal, exit;
	} cases[] = { { "watch r-000001", SIGINT, 130 }, { "apply p-000001", SIGTERM, 143 },
		{ "apply p-000001", SIGHUP, 129 } };
	struct stage s;
	char byte;
	size_t i;

	for (i = 0; i < WBL_COUNT(cases); i++) {
		stage_open(&s);
		play(&s, cases[i].words);
		meet(&s);
		json_decref(hear(&s));
		tell(&s, "{\"id\":2,\"event\":{\"type\":\"entry\",\"time\":\"2026-11-21T13:14:11."
			 "000Z\","
			 "\"kind\":\"run.state\",\"run\":\"r-000001\",\"name\":\"executing\"}}");
		await_text(&s, s.err_path, "executing");
		kill(s.pid, cases[i].signal);
		assert_int_equal(finish(&s), cases[i].exit);
		assert_int_equal(recv(s.peer, &byte, 1, 0), 0);
		stage_close(&s);
	}
}

static void test_engine_gone(void **state)
{
	struct stage s;

	stage_open(&s);
	play(&s, "apply p-000001");
	meet(&s);
	expect(&s, "apply", NULL);
	close(s.peer);
	s.peer = -1;
	assert_int_equal(finish(&s), 8);
	assert_non_null(strstr(s.err, "the engine has gone away"));
	assert_non_null(strstr(s.err, "whimbrel recover"));
	stage_close(&s);
}

static void test_all_reasons(void **state)
{
	struct stage s;

	stage_open(&s);
	play(&s, "apply p-000001");
	meet(&s);
	expect(&s, "apply", NULL);
	tell(&s, "{\"id\":2,\"ok\":false,\"error\":{\"text\":\"one\",\"exit\":4},\"errors\":["
		 "{\"text\":\"the schema changed\",\"where\":\"orders\",\"exit\":4},"
		 "{\"text\":\"it has expired\",\"hint\":\"Plan again.\",\"exit\":4}]}");
	assert_int_equal(finish(&s), 4);
	assert_string_equal(s.err,
		"whimbrel: orders: the schema changed\nwhimbrel: it has expired\n  Plan again.\n");
	assert_string_equal(s.out, "");
	stage_close(&s);
}

static void test_json_error(void **state)
{
	struct wbl_error err;
	struct stage s;
	json_t *j;

	stage_open(&s);
	play(&s, "report r-000009 -o json");
	meet(&s);
	expect(&s, "report", "{\"run\":\"r-000009\"}");
	tell(&s, "{\"id\":2,\"ok\":false,\"error\":{\"name\":\"not_found\",\"text\":\"no such "
		 "run\",\"exit\":2}}");
	assert_int_equal(finish(&s), 2);
	j = wbl_json_parse(s.out, strlen(s.out), NULL, &err);
	assert_string_equal(wbl_json_str(json_object_get(j, "error"), "name"), "not_found");
	assert_string_equal(s.err, "");
	json_decref(j);
	stage_close(&s);
}

/* The plan's bytes leave the command exactly as they came: their digest is the plan's. */
static void test_exact_plan(void **state)
{
	static const char document[] =
		"{\n  \"format\": \"whimbrel.plan\",\n  \"name\": \"gr\xc3\xbc\xc3\x9f\"\n}\n";
	json_t *reply = json_pack("{s:i, s:b, s:{s:s, s:s, s:s, s:[]}}", "id", 2, "ok", 1, "result",
		"plan", "p-000001", "digest", "aa", "document", document, "warnings");
	WBL_AUTOFREE char *line = wbl_json_text(reply);
	WBL_AUTOFREE char *words = NULL;
	WBL_AUTOFREE char *spec = NULL;
	WBL_AUTOFREE char *file = NULL;
	WBL_AUTOFREE char *written = NULL;
	struct wbl_error err;
	struct stage s;
	json_t *j;

	json_decref(reply);
	stage_open(&s);
	spec = wbl_strf("%s/a.conf", s.top);
	file = wbl_strf("%s/plan.json", s.top);
	assert_int_equal(wbl_file_replace(spec, "migration: {};\n", 15, 0600, &err), 0);
	words = wbl_strf("plan %s -o %s -e staging", spec, file);
	play(&s, words);
	meet(&s);
	j = hear(&s);
	assert_string_equal(
		wbl_json_str(json_object_get(json_object_get(j, "args"), "spec"), "dir"), s.top);
	assert_string_equal(
		wbl_json_str(json_object_get(json_object_get(j, "args"), "spec"), "text"),
		"migration: {};\n");
	assert_string_equal(wbl_json_str(json_object_get(j, "args"), "env"), "staging");
	json_decref(j);
	tell(&s, line);
	assert_int_equal(finish(&s), 0);
	written = slurp(file);
	assert_string_equal(written, document);
	close(s.peer);
	s.in.len = 0;
	play(&s, "show last -o json");
	meet(&s);
	expect(&s, "show", "{\"plan\":\"last\"}");
	tell(&s, line);
	assert_int_equal(finish(&s), 0);
	assert_string_equal(s.out, document);
	stage_close(&s);
}

static void expect_refusal(struct stage *s, const char *words, const char *says)
{
	play(s, words);
	assert_int_equal(finish(s), 2);
	if (!strstr(s->err, says))
		fail_msg("%s: expected \"%s\" in: %s", words, says, s->err);
}

/* All refused before anything is sent. */
static void test_usage(void **state)
{
	static const struct {
		const char *words, *says;
	} cases[] = { { "aply p-000001", "Did you mean \"whimbrel apply\"?" },
		{ "apply", "wants an argument" }, { "apply a b", "one argument too many" },
		{ "apply p-000001 --detatch", "Did you mean --detach?" },
		{ "history --limit -1", "not a number" },
		{ "throttle r-000001", "no limit was given" },
		{ "throttle r-000001 --bytes 3Q", "not a size" },
		{ "status -o xml", "not a format" },
		{ "audit verfy", "Did you mean \"whimbrel audit verify\"?" },
		{ "handler info", "wants a name" },
		{ "plan /nonexistent/a.conf", "/nonexistent/a.conf" },
		{ "run x.conf", "no terminal to ask on" },
		{ "apply p-000001 --quiet=1", "takes no value" },
		{ "plan x --env", "wants a value: NAME" },
		{ "--stat x status", "Did you mean --state?" } };
	struct stage s;
	size_t i;

	stage_open(&s);
	for (i = 0; i < WBL_COUNT(cases); i++)
		expect_refusal(&s, cases[i].words, cases[i].says);
	stage_close(&s);
}

static void test_input(void **state)
{
	static const struct {
		const char *text;
		size_t len;
		const char *says;
	} cases[] = { { "a = 1;\nb\xfc = 2;\n", 15, ":2:2" }, { "a\0b", 3, ":1:2" },
		{ "{\"format\": \"other\"}", 19, "no plan" }, { "{", 1, "not valid JSON" } };
	struct wbl_input in = { 0 };
	struct wbl_error err;
	struct stage s;
	size_t i;

	stage_open(&s);
	for (i = 0; i < WBL_COUNT(cases); i++) {
		assert_int_equal(
			wbl_file_replace(s.out_path, cases[i].text, cases[i].len, 0600, &err), 0);
		assert_int_equal(wbl_input_read(s.out_path, &in, &err), WBL_E_USAGE);
		assert_true(strstr(err.where, cases[i].says) || strstr(err.text, cases[i].says));
		wbl_input_clear(&in);
	}
	assert_true(wbl_input_is_plan_id("p-000001"));
	assert_true(wbl_input_is_plan_id("294a43f9"));
	assert_false(wbl_input_is_plan_id("294a43f"));
	assert_false(wbl_input_is_plan_id("plan.json"));
	assert_false(wbl_input_is_plan_id("./last"));
	stage_close(&s);
}

static void test_no_state(void **state)
{
	struct stage s;

	stage_open(&s);
	play(&s, "--state /nonexistent/wbl status");
	assert_int_equal(finish(&s), 2);
	assert_non_null(strstr(
		s.err, "there is no state folder at /nonexistent/wbl yet; whimbrel plan makes it"));
	play(&s, "--state /nonexistent/wbl stop");
	assert_int_equal(finish(&s), 0);
	stage_close(&s);
}

/* A name that is wrong in the middle of a stream: the connection is given up, nothing else
 * happens. */
static void test_rubbish(void **state)
{
	struct stage s;

	stage_open(&s);
	play(&s, "status");
	meet(&s);
	expect(&s, "status", NULL);
	tell(&s, "[]");
	assert_int_equal(finish(&s), 7);
	assert_non_null(strstr(s.err, "no JSON object"));
	stage_close(&s);
}

static void test_rollback_is_the_goal(void **state)
{
	struct stage s;

	stage_open(&s);
	play(&s, "rollback r-000001 --to load/prepare -o json");
	meet(&s);
	expect(&s, "rollback", "{\"run\":\"r-000001\",\"to\":\"load/prepare\",\"watch\":true}");
	tell(&s, "{\"id\":2,\"ok\":true,\"result\":{\"run\":" SUMMARY(
			 "rolled_back", "7") ",\"exit\":7}}");
	assert_int_equal(finish(&s), 0);
	stage_close(&s);
}

#define WORKING(done)                                                                              \
	"{\"id\":2,\"event\":{\"type\":\"progress\",\"run\":{\"run\":\"r-000001\",\"state\":"      \
	"\"executing\",\"percent\":25,"                                                            \
	"\"eta_ns\":90000000000,\"steps_total\":2,\"elapsed_ns\":30000000000,\"steps\":[{\"id\":"  \
	"\"load/copy\","                                                                           \
	"\"state\":\"executing\",\"items\":" done ",\"items_of\":2000}]}}}"

/* Bars are drawn over, lines of durable entries stay above them; a terminal made narrow folds what
 * stands there. */
static void test_terminal(void **state)
{
	struct stage s;
	size_t at;

	stage_open(&s);
	open_terminal(&s, 100);
	play(&s, "apply p-000001");
	meet(&s);
	expect(&s, "apply", NULL);
	tell(&s, WORKING("500"));
	at = await_shown(&s, 0, "so far, 25 %, 1m 29s left");
	at = await_shown(&s, at, "500 of 2,000 items");
	at = await_shown(&s, at, "\033[2A\033[J"); /* the clock draws it again */
	tell(&s, "{\"id\":2,\"event\":{\"type\":\"entry\",\"time\":\"2026-11-21T13:14:12.000Z\","
		 "\"kind\":\"step.state\","
		 "\"run\":\"r-000001\",\"step\":\"load/prepare\",\"name\":\"verified\"}}");
	at = await_shown(&s, at, "load/prepare");
	at = await_shown(&s, at, "500 of 2,000 items");
	open_terminal(&s, 40);
	kill(s.pid, SIGWINCH);
	at = await_shown(&s, at, "\033[5A\033[J");
	tell(&s, "{\"id\":2,\"ok\":true,\"result\":{\"run\":" SUMMARY(
			 "completed", "0") ",\"exit\":0}}");
	json_decref(hear(&s));
	tell(&s, "{\"id\":3,\"ok\":true,\"result\":{}}");
	json_decref(hear(&s));
	tell(&s, "{\"id\":4,\"ok\":true,\"result\":{}}");
	await_shown(&s, at, "\033[2A\033[J");
	assert_int_equal(finish(&s), 0);
	assert_null(strstr(s.out, "\033"));
	stage_close(&s);
}

static const char *const asking = "{\"id\":2,\"ok\":true,\"result\":{\"plan\":\"p-000001\","
				  "\"digest\":\"aa\",\"document\":\"{\\\"id\\\":\\\"p-000001\\\","
				  "\\\"questions\\\":[{\\\"id\\\":\\\"dup\\\",\\\"text\\\":"
				  "\\\"Which?\\\",\\\"proposal\\\":\\\"last\\\","
				  "\\\"answer\\\":null}],\\\"applyable\\\":false}\"}}";

/* plan, show, ask what the plan asks, ask whether, apply. */
static void test_run(void **state)
{
	WBL_AUTOFREE char *spec = NULL;
	WBL_AUTOFREE char *words = NULL;
	struct wbl_error err;
	struct stage s;
	size_t at;

	stage_open(&s);
	open_terminal(&s, 100);
	spec = wbl_strf("%s/a.conf", s.top);
	words = wbl_strf("run %s", spec);
	assert_int_equal(wbl_file_replace(spec, "migration: {};\n", 15, 0600, &err), 0);
	play(&s, words);
	meet(&s);
	expect(&s, "plan", NULL);
	tell(&s, asking);
	at = await_shown(&s, 0, "dup [last]:");
	assert_int_equal(write(s.terminal, "\n", 1), 1);
	expect(&s, "answer", "{\"plan\":\"p-000001\",\"question\":\"dup\",\"answer\":\"last\"}");
	tell(&s, "{\"id\":3,\"ok\":true,\"result\":{}}");
	expect(&s, "show", "{\"plan\":\"p-000001\"}");
	tell(&s, "{\"id\":4,\"ok\":true,\"result\":{\"plan\":\"p-000001\",\"document\":\"{"
		 "\\\"id\\\":\\\"p-000001\\\"}\"}}");
	await_shown(&s, at, "Apply p-000001? [y/N]");
	assert_int_equal(write(s.terminal, "n\n", 2), 2);
	assert_int_equal(finish(&s), 12);
	stage_close(&s);
}

static bool word_in(const char *text, const char *word)
{
	WBL_AUTOFREE char *plain = wbl_strdup(text);
	char *r = plain, *w = plain;

	for (; *r; r++)
		if (*r != '\\')
			*w++ = *r;
	*w = '\0';
	return strstr(plain, word);
}

/* The manual page knows every verb and every option that is for people. */
static void test_manual(void **state)
{
	WBL_AUTOFREE char *path = wbl_strf("%s/docs/man/whimbrel.1", getenv("WBL_SRC"));
	WBL_AUTOFREE char *page = slurp(path);
	WBL_AUTOFREE char *verbs = NULL;
	char *save = NULL, *inner = NULL, *word;
	struct stage s;

	stage_open(&s);
	play(&s, "help --words");
	assert_int_equal(finish(&s), 0);
	verbs = wbl_strdup(s.out);
	for (word = strtok_r(verbs, "\n", &save); word; word = strtok_r(NULL, "\n", &save)) {
		WBL_AUTOFREE char *words = wbl_strf("help --words %s", word);
		WBL_AUTOFREE char *bold = wbl_strf(".B %s", word);
		WBL_AUTOFREE char *mixed = wbl_strf(".BI %s ", word);
		WBL_AUTOFREE char *quoted = wbl_strf(".BI \"%s ", word);
		WBL_AUTOFREE char *options = NULL;
		char *option;

		if (!strncmp(word, "--", 2))
			continue;
		if (!word_in(page, bold) && !word_in(page, mixed) && !word_in(page, quoted))
			fail_msg("the manual page does not have the verb %s", word);
		play(&s, words);
		assert_int_equal(finish(&s), 0);
		options = wbl_strdup(s.out);
		inner = NULL;
		for (option = strtok_r(options, "\n", &inner); option;
			option = strtok_r(NULL, "\n", &inner))
			if (strcmp(option, "--words") && strcmp(option, "--on-demand") &&
				strcmp(option, "--ready-fd") && !word_in(page, option))
				fail_msg("the manual page does not have the option %s", option);
	}
	stage_close(&s);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_apply),
		cmocka_unit_test(test_events),
		cmocka_unit_test(test_interrupt),
		cmocka_unit_test(test_interrupt_twice),
		cmocka_unit_test(test_leave),
		cmocka_unit_test(test_engine_gone),
		cmocka_unit_test(test_all_reasons),
		cmocka_unit_test(test_json_error),
		cmocka_unit_test(test_exact_plan),
		cmocka_unit_test(test_usage),
		cmocka_unit_test(test_input),
		cmocka_unit_test(test_no_state),
		cmocka_unit_test(test_rubbish),
		cmocka_unit_test(test_rollback_is_the_goal),
		cmocka_unit_test(test_terminal),
		cmocka_unit_test(test_run),
		cmocka_unit_test(test_manual),
	};

	signal(SIGPIPE, SIG_IGN);
	setenv("TERM", "xterm", 1);
	setenv("LC_ALL", "C.UTF-8", 1);
	unsetenv("NO_COLOR");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
