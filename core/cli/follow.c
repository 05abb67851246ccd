/* cli/follow.c - following what the engine does: events in, lines and bars out, Ctrl-C back.
 * In: a verb that answers with events.  Out: its result. Progress goes to standard error: moving
 * bars on a terminal, a line per event elsewhere; with --events the events go to standard output
 * as they are. Leaving never stops a run.
 * SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "core/cli/cli.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "core/cli/client.h"
#include "core/cli/render.h"

enum { TICK_MS = 250, MAX_ROWS = 12 };

struct follow {
	struct wbl_cli *cli;
	struct wbl_client *client;
	unsigned how;
	int64_t id, cancel_id; /* of our requests */
	char run[64];          /* "" until an event names it */
	bool cancel_wanted, live, lines;
	int64_t since; /* real ns; entries before it are not told */
	struct wbl_narrator narrator;
	struct wbl_buf
		lines_due;  /* of a terminal: drawn once for all messages that came together */
	bool stale;         /* the frame does not show the newest yet */
	json_t *summary;    /* the newest */
	int64_t summary_at; /* monotonic ns */
	int drawn[MAX_ROWS + 1],
		ndrawn; /* columns of each line of the frame that stands on the terminal */
};

static void window(int *ret_width, int *ret_rows)
{
	struct winsize ws = { 0 };

	ioctl(STDERR_FILENO, TIOCGWINSZ, &ws);
	*ret_width = ws.ws_col > 1 ? ws.ws_col : 80;
	*ret_rows = ws.ws_row > 1 ? ws.ws_row : 24;
}

/* Takes the frame off the terminal. A line that was wider than the terminal is now has been folded
 * by it. */
static void erase(struct follow *f, struct wbl_buf *out)
{
	int width, rows, up = 0, i;

	if (!f->ndrawn)
		return;
	window(&width, &rows);
	for (i = 0; i < f->ndrawn; i++)
		up += f->drawn[i] > width ? (f->drawn[i] + width - 1) / width : 1;
	wbl_buf_addf(out, "\r\033[%dA\033[J", up < rows ? up : rows);
	f->ndrawn = 0;
}

/* Widths of the lines just drawn, escape sequences left out. */
static void remember(struct follow *f, const struct wbl_paper *p)
{
	const char *s = p->buf.data, *end = s + p->buf.len;
	struct wbl_buf line = { 0 };

	for (; s < end && f->ndrawn < MAX_ROWS + 1; s++) {
		if (*s == '\033') {
			s = strchr(s, 'm');
		} else if (*s == '\n') {
			wbl_buf_add(&line, "", 0);
			f->drawn[f->ndrawn++] = wbl_text_width(line.data);
			line.len = 0;
		} else {
			wbl_buf_add(&line, s, 1);
		}
	}
	wbl_buf_clear(&line);
}

/* Lines that are due stay, the frame below them is drawn anew. */
static void draw(struct follow *f)
{
	struct wbl_paper p = wbl_cli_paper(stderr);
	struct wbl_buf out = { 0 };
	int rows;

	erase(f, &out);
	wbl_buf_add(&out, f->lines_due.data, f->lines_due.len);
	wbl_buf_clear(&f->lines_due);
	f->stale = false;
	if (f->summary) {
		window(&p.width, &rows);
		wbl_live_frame(&p, f->summary, rows - 1 < MAX_ROWS ? rows - 1 : MAX_ROWS,
			wbl_now_mono() - f->summary_at);
		remember(f, &p);
		wbl_buf_add(&out, p.buf.data, p.buf.len);
	}
	fwrite(out.data ? out.data : "", 1, out.len, stderr);
	fflush(stderr);
	wbl_buf_clear(&out);
	wbl_paper_clear(&p);
}

/* What is due is said, and no bars stay behind. */
static void end_frame(struct follow *f)
{
	json_decref(f->summary);
	f->summary = NULL;
	if (f->live)
		draw(f);
}

static void say(struct follow *f, const struct wbl_paper *p)
{
	if (f->live) {
		wbl_buf_add(&f->lines_due, p->buf.data, p->buf.len);
		f->stale = true;
	} else if (p->buf.len) {
		fwrite(p->buf.data, 1, p->buf.len, stderr);
		fflush(stderr);
	}
}

/* A line of our own, said also when progress is not shown. */
static void note(struct follow *f, const char *fmt, const char *run)
{
	struct wbl_paper p = wbl_cli_paper(stderr);

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
	wbl_paper_line(&p, fmt, run);
#pragma GCC diagnostic pop
	say(f, &p);
	wbl_paper_clear(&p);
}

static void print_event(const json_t *event)
{
	WBL_AUTOFREE char *text = wbl_json_text(event);
	struct wbl_buf safe = { 0 };

	wbl_text_safe_json(&safe, text);
	printf("%s\n", safe.data);
	fflush(stdout);
	wbl_buf_clear(&safe);
}

static void print_typed(const char *type, const char *key, const json_t *value)
{
	json_t *j = json_pack("{s:s, s:O}", "type", type, key, value);

	print_event(j);
	json_decref(j);
}

static void send_cancel(struct follow *f)
{
	struct wbl_error err;

	if (!f->cancel_wanted || f->cancel_id || !*f->run)
		return;
	f->cancel_id =
		wbl_client_send(f->client, "cancel", json_pack("{s:s}", "run", f->run), &err);
	note(f, "cancelling %s; waiting for its clean end (Ctrl-C again leaves without waiting)",
		f->run);
}

static void learn_run(struct follow *f, const json_t *event)
{
	const char *run = wbl_json_str(event, "run");

	if (!run)
		run = wbl_json_str(json_object_get(event, "run"), "run");
	if (!*f->run && run && *run) {
		snprintf(f->run, sizeof f->run, "%s", run);
		send_cancel(f);
	}
}

/* Summaries come four times a second, entries at once: a step that has ended needs no bar any
 * more. */
static void age_summary(struct follow *f, const json_t *entry)
{
	const char *id = wbl_value_str(entry, "step");
	json_t *state = json_object_get(f->narrator.states, id), *step;
	size_t i;

	json_array_foreach(json_object_get(f->summary, "steps"), i,
		step) if (state && !strcmp(wbl_value_str(step, "id"), id))
		json_object_set(step, "state", state);
}

static void take_event(struct follow *f, const json_t *event)
{
	const char *type = wbl_value_str(event, "type");
	int64_t time = 0;

	learn_run(f, event);
	if (f->cli->events) {
		print_event(event);
	} else if (!strcmp(type, "progress")) {
		json_decref(f->summary);
		f->summary = json_incref(json_object_get(event, "run"));
		f->summary_at = wbl_now_mono();
		f->stale = true;
	} else if (f->lines && !strcmp(type, "entry")) {
		struct wbl_paper p = wbl_cli_paper(stderr);

		if ((!wbl_value_ns(json_object_get(event, "time"), &time) || time >= f->since) &&
			wbl_narrate(&f->narrator, &p, event))
			say(f, &p);
		age_summary(f, event);
		wbl_paper_clear(&p);
	}
}

/* 1: the end, *ret holds the result or is NULL (reported); 0: goes on. */
static int take_reply(struct follow *f, json_t *reply, json_t **ret)
{
	int64_t id = wbl_json_int(reply, "id", 0);
	const json_t *event = json_object_get(reply, "event"),
		     *result = json_object_get(reply, "result");
	struct wbl_error err;

	if (event) {
		take_event(f, event);
		return 0;
	}
	if (id != f->id) {
		if (id == f->cancel_id && !wbl_json_bool(reply, "ok", false))
			note(f, "it cannot be cancelled: %s",
				wbl_value_str(json_object_get(reply, "error"), "text"));
		return 0;
	}
	end_frame(f);
	if (!wbl_json_bool(reply, "ok", false)) {
		wbl_cli_fail_json(
			f->cli, json_object_get(reply, "error"), json_object_get(reply, "errors"));
		return 1;
	}
	/* the verb was only begun: the rest is watched */
	if (json_is_string(json_object_get(result, "run")) && !json_object_get(result, "ok")) {
		learn_run(f, result);
		f->id = wbl_client_send(f->client, "watch",
			json_pack("{s:s, s:i}", "run", f->run, "after", 0), &err);
		if (f->id > 0)
			return 0;
		wbl_cli_fail(f->cli, &err);
		return 1;
	}
	*ret = result ? json_incref((json_t *)result) : json_object();
	return 1;
}

/* Whether to leave. */
static bool take_signal(struct follow *f, int fd)
{
	struct signalfd_siginfo si;

	if (read(fd, &si, sizeof si) != (ssize_t)sizeof si)
		return false;
	if (si.ssi_signo == SIGWINCH) {
		if (f->live)
			draw(f);
		return false;
	}
	if (si.ssi_signo == SIGINT && f->how & WBL_FOLLOW_MINE && !f->cancel_wanted) {
		f->cancel_wanted = true;
		send_cancel(f);
		return false;
	}
	f->cli->exit = 128 + (int)si.ssi_signo;
	if (si.ssi_signo == SIGHUP)
		return true;
	note(f,
		f->cancel_wanted ? "%s goes on being cancelled; whimbrel watch shows it"
				 : "%s goes on; whimbrel watch shows it, whimbrel cancel stops it",
		*f->run ? f->run : "the run");
	return true;
}

/* All that has arrived. True: the end, with *ret or an error that was reported. */
static bool take_all(struct follow *f, json_t **ret)
{
	struct wbl_error err = { 0 };
	json_t *reply;
	int32_t rc;
	int end;

	while (!(rc = wbl_client_next(f->client, false, &reply, &err)) && reply) {
		end = take_reply(f, reply, ret);
		json_decref(reply);
		if (end)
			return true;
	}
	if (!rc)
		return false;
	end_frame(f);
	wbl_cli_fail(f->cli, &err);
	return true;
}

static json_t *loop(struct follow *f, int signals)
{
	json_t *result = NULL;

	for (;;) {
		struct pollfd p[2] = { { .fd = wbl_client_fd(f->client), .events = POLLIN },
			{ .fd = signals, .events = POLLIN } };
		int n = poll(p, 2, f->live ? TICK_MS : -1);

		if (p[1].revents && take_signal(f, signals)) {
			end_frame(f);
			return NULL;
		}
		if (p[0].revents && take_all(f, &result))
			return result;
		if (f->live && (n == 0 || f->stale))
			draw(f);
	}
}

static json_t *follow_here(struct follow *f, const char *verb, json_t *args)
{
	struct wbl_error err = { 0 };
	sigset_t mine, before;
	json_t *result = NULL;
	int fd;

	sigemptyset(&mine);
	sigaddset(&mine, SIGINT);
	sigaddset(&mine, SIGTERM);
	sigaddset(&mine, SIGHUP);
	sigaddset(&mine, SIGWINCH);
	sigprocmask(SIG_BLOCK, &mine, &before);
	fd = signalfd(-1, &mine, SFD_CLOEXEC | SFD_NONBLOCK);
	f->id = wbl_client_send(f->client, verb, args, &err);
	if (f->id > 0)
		result = loop(f, fd);
	else
		wbl_cli_fail(f->cli, &err);
	if (fd >= 0)
		close(fd);
	sigprocmask(SIG_SETMASK, &before, NULL);
	return result;
}

/* The first line says what the others are. */
static void begin_events(struct wbl_cli *c)
{
	json_t *version = json_pack(
		"{s:s, s:s, s:s}", "type", "version", "format", "whimbrel.events", "v", "1.0");

	if (!c->events_begun)
		print_event(version);
	c->events_begun = true;
	json_decref(version);
}

int wbl_cli_print_events(struct wbl_cli *c, const json_t *result)
{
	begin_events(c);
	print_typed("result", "result", result);
	return ferror(stdout) ? 1 : 0;
}

json_t *wbl_cli_follow(struct wbl_cli *c, const char *verb, json_t *args, unsigned how)
{
	struct follow f = { .cli = c, .client = wbl_cli_client(c), .how = how };
	const char *run = wbl_json_str(args, "run");
	json_t *result;

	if (!f.client) {
		json_decref(args);
		return NULL;
	}
	if (run && strcmp(run, "last"))
		snprintf(f.run, sizeof f.run, "%s", run);
	f.lines = !c->quiet && !c->json && !c->events;
	f.live = f.lines && wbl_cli_rich(stderr);
	if (how & WBL_FOLLOW_NEW)
		f.since = wbl_now_real() - 1000000; /* times are written in whole milliseconds */
	if (c->events)
		begin_events(c);
	result = follow_here(&f, verb, args);
	wbl_narrator_clear(&f.narrator);
	wbl_buf_clear(&f.lines_due);
	json_decref(f.summary);
	return result;
}

int wbl_cli_end(struct wbl_cli *c, json_t *result, const char *goal)
{
	const json_t *run = json_object_get(result, "run");
	const char *state = wbl_value_str(run, "state"), *id = wbl_value_str(run, "run");
	int exit = (int)wbl_json_int(result, "exit", wbl_json_int(run, "exit", 0));

	if (goal && !strcmp(state, goal)) {
		exit = 0;
		wbl_json_puti(result, "exit", 0);
	}
	if (c->events) {
		print_typed("result", "result", result);
		exit = ferror(stdout) && !exit ? 1 : exit;
	} else if (c->json) {
		exit = wbl_cli_print_json(result, exit);
	} else {
		struct wbl_paper p = wbl_cli_paper(stdout);
		json_t *report = wbl_cli_try(c, "report", json_pack("{s:s}", "run", id));
		json_t *explained = wbl_cli_try(c, "explain", json_pack("{s:s}", "run", id));

		wbl_render_end(&p, run, report, explained);
		exit = wbl_cli_print(&p, stdout, exit);
		wbl_paper_clear(&p);
		json_decref(report);
		json_decref(explained);
	}
	json_decref(result);
	return exit;
}

int wbl_cli_follow_run(
	struct wbl_cli *c, const char *verb, json_t *args, unsigned how, const char *goal)
{
	json_t *result = wbl_cli_follow(c, verb, args, how);

	return result ? wbl_cli_end(c, result, goal) : c->exit;
}
