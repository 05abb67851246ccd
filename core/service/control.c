/* service/control.c - connections to the engine: lines in, lines out, and who watches which run.
 * SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "core/service/control.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/listener.h>

#include "core/engine/run.h"
#include "core/observe/summary.h"

enum {
	LINE_MAX_BYTES = 24 << 20,
	BACKLOG_MAX = 64 << 20,   /* a watcher that reads nothing is dropped */
	BACKLOGS_MAX = 256 << 20, /* all of them together */
	CONNECTIONS_MAX = 256,
	PIPELINE_MAX = 8, /* requests and answers under way; the next ones wait in the socket */
	ANSWERS_MAX = 1 << 20, /* bytes that the client has yet to read before it is heard again */
};

/* A client that has just been answered may be about to ask the next thing. */
#define BETWEEN_REQUESTS INT64_C(2000000000)

struct wbl_connection {
	struct wbl_connection *next;
	struct wbl_control *control;
	int64_t id;
	struct bufferevent *bev;
	char actor[128];
	struct wbl_control_request *requests;
	size_t searched; /* bytes of the input that are known to hold no line's end */
	size_t unsent;   /* lines on their way out of this turn */
	int64_t heard;   /* monotonic ns of its last good request; 0: it has made none */
};

static struct wbl_connection *find(struct wbl_control *c, int64_t id)
{
	struct wbl_connection *k;

	for (k = c->connections; k && k->id != id; k = k->next)
		;
	return k;
}

bool wbl_control_idle(const struct wbl_control *c)
{
	return !c->connections;
}

/* --- out --- */

struct line {
	struct wbl_control *control;
	int64_t connection;
	char *text;
};

static void drop_line(void *ctx)
{
	struct line *l = ctx;

	free(l->text);
	free(l);
}

static void close_connection(struct wbl_connection *k);

static size_t backlog(const struct wbl_connection *k)
{
	return evbuffer_get_length(bufferevent_get_output(k->bev));
}

static bool reads_nothing(const struct wbl_connection *k)
{
	const struct wbl_connection *o;
	size_t all = 0;

	if (backlog(k) <= ANSWERS_MAX)
		return false;
	for (o = k->control->connections; o; o = o->next)
		all += backlog(o);
	return backlog(k) > BACKLOG_MAX || all > BACKLOGS_MAX;
}

static void let_line_out(struct wbl_engine *e, void *ctx)
{
	struct line *l = ctx;
	struct wbl_connection *k = find(l->control, l->connection);

	if (k) {
		bufferevent_write(k->bev, l->text, strlen(l->text));
		bufferevent_write(k->bev, "\n", 1);
		k->unsent--;
		if (reads_nothing(k))
			close_connection(k);
	}
	drop_line(l);
}

static void send_line(struct wbl_control_request *r, json_t *object)
{
	struct line *l = wbl_alloc(sizeof *l);
	struct wbl_connection *k = find(r->control, r->connection);

	if (k)
		k->unsent++;
	json_object_set_new(object, "id", json_integer(r->id));
	l->control = r->control;
	l->connection = r->connection;
	l->text = wbl_json_text(object);
	json_decref(object);
	wbl_engine_after(r->control->engine, let_line_out, l, drop_line);
}

static void end_request(struct wbl_control_request *r)
{
	struct wbl_connection *k = find(r->control, r->connection);
	struct wbl_control_request **p;

	for (p = k ? &k->requests : NULL; p && *p; p = &(*p)->next)
		if (*p == r) {
			*p = r->next;
			break;
		}
	json_decref(r->args);
	free(r->verb);
	free(r->watched);
	free(r);
}

void wbl_control_answer(struct wbl_control_request *r, json_t *result)
{
	send_line(r, json_pack("{s:b, s:o}", "ok", 1, "result", result ? result : json_object()));
	end_request(r);
}

void wbl_control_refuse(struct wbl_control_request *r, const struct wbl_error *err, json_t *errors)
{
	json_t *j = json_pack("{s:b, s:o}", "ok", 0, "error", wbl_json_error(err));

	if (json_array_size(errors))
		json_object_set(j, "errors", errors);
	send_line(r, j);
	end_request(r);
}

void wbl_control_event(struct wbl_control_request *r, json_t *event)
{
	send_line(r, json_pack("{s:o}", "event", event));
}

/* --- watching --- */

static bool watches(const struct wbl_control_request *r, const struct wbl_run *run)
{
	return r->watched && !strcmp(r->watched, run->id);
}

static bool wants(void *ctx, struct wbl_run *run)
{
	struct wbl_control *c = ctx;
	struct wbl_connection *k;
	struct wbl_control_request *r;

	for (k = c->connections; k; k = k->next)
		for (r = k->requests; r; r = r->next)
			if (watches(r, run))
				return true;
	return false;
}

static void end_watch_at_rest(struct wbl_control_request *r, struct wbl_run *run)
{
	if (!wbl_run_at_rest(run) && !run->held)
		return;
	wbl_control_answer(r, json_pack("{s:s, s:o, s:i}", "id", run->id, "run",
				      wbl_run_summary(run, true), "exit", wbl_run_exit(run)));
}

static void on_entry(void *ctx, struct wbl_run *run, json_t *entry)
{
	struct wbl_control *c = ctx;
	struct wbl_connection *k;
	struct wbl_control_request *r, *next;
	const char *kind = wbl_json_str(entry, "kind");

	json_object_set_new(entry, "type", json_string("entry"));
	for (k = c->connections; k; k = k->next)
		for (r = k->requests; r; r = next) {
			next = r->next;
			if (!watches(r, run))
				continue;
			wbl_control_event(r, json_copy(entry));
			if (run->held || (kind && !strcmp(kind, "run.state")))
				end_watch_at_rest(r, run);
		}
}

static void on_progress(void *ctx, struct wbl_run *run)
{
	struct wbl_control *c = ctx;
	struct wbl_connection *k;
	struct wbl_control_request *r;
	char at[32];

	if (!wants(ctx, run))
		return;
	wbl_time_text(wbl_now_real(), at);
	for (k = c->connections; k; k = k->next)
		for (r = k->requests; r; r = r->next)
			if (watches(r, run))
				wbl_control_event(
					r, json_pack("{s:s, s:s, s:o}", "type", "progress", "time",
						   at, "run", wbl_run_summary(run, true)));
}

static int32_t send_old(void *ctx, const struct wbl_entry *e)
{
	json_t *j = wbl_entry_json(e);

	json_object_set_new(j, "type", json_string("entry"));
	wbl_control_event(ctx, j);
	return 0;
}

void wbl_control_watch(struct wbl_control_request *r, struct wbl_run *run, int64_t after)
{
	struct wbl_query q = { .run = run->id, .after = after };
	struct wbl_error err;

	if (wbl_journal_each(r->control->engine->state, &q, send_old, r, &err) < 0) {
		wbl_control_refuse(r, &err, NULL);
		return;
	}
	if (!find(r->control, r->connection)) {
		end_request(r); /* nobody is left to be told of the end */
		return;
	}
	r->watched = wbl_strdup(run->id);
	end_watch_at_rest(r, run);
}

/* --- in --- */

int32_t wbl_control_parse(const char *line, size_t len, json_t **ret, struct wbl_error *err)
{
	json_t *j = wbl_json_parse(line, len, "request", err);

	if (!j)
		return err->code;
	if (!json_is_object(j) || !json_is_integer(json_object_get(j, "id")) ||
		!wbl_json_str(j, "verb") ||
		(json_object_get(j, "args") && !json_is_object(json_object_get(j, "args")))) {
		json_decref(j);
		return wbl_fail(err, WBL_E_USAGE, "request", NULL,
			"a request is {\"id\": number, \"verb\": text, \"args\": object}");
	}
	*ret = j;
	return 0;
}

static void on_line(struct wbl_connection *k, const char *line, size_t len)
{
	struct wbl_control_request *r = wbl_alloc(sizeof *r);
	json_t *j = NULL;
	struct wbl_error err;

	r->control = k->control;
	r->connection = k->id;
	r->next = k->requests;
	k->requests = r;
	snprintf(r->actor, sizeof r->actor, "%s", k->actor);
	if (wbl_control_parse(line, len, &j, &err)) {
		wbl_control_refuse(r, &err, NULL);
		return;
	}
	r->id = wbl_json_int(j, "id", 0);
	k->heard = wbl_now_mono();
	r->verb = wbl_strdup(wbl_json_str(j, "verb"));
	r->args = json_object_get(j, "args") ? json_incref(json_object_get(j, "args"))
					     : json_object();
	json_decref(j);
	wbl_verb_run(r);
}

static void close_connection(struct wbl_connection *k)
{
	struct wbl_control *c = k->control;
	struct wbl_connection **p;
	struct wbl_control_request *r, *next;

	for (p = &c->connections; *p != k; p = &(*p)->next)
		;
	*p = k->next;
	for (r = k->requests; r; r = next) {
		next = r->next;
		r->connection = 0;
		r->next = NULL;
		if (r->lost)
			r->lost(r->lost_ctx);
		if (r->watched)
			end_request(r);
	}
	bufferevent_free(k->bev);
	free(k);
	c->idle_since = wbl_now_mono();
}

/* NULL: none is complete. What was looked through once is not looked through again. */
static char *next_line(struct wbl_connection *k, size_t *ret_len)
{
	struct evbuffer *in = bufferevent_get_input(k->bev);
	struct evbuffer_ptr from, end = { .pos = -1 };
	char *line;

	if (k->searched < evbuffer_get_length(in) &&
		!evbuffer_ptr_set(in, &from, k->searched, EVBUFFER_PTR_SET))
		end = evbuffer_search_eol(in, &from, NULL, EVBUFFER_EOL_LF);
	if (end.pos < 0) {
		k->searched = evbuffer_get_length(in);
		return NULL;
	}
	k->searched = 0;
	*ret_len = (size_t)end.pos;
	line = wbl_alloc(*ret_len + 1);
	evbuffer_remove(in, line, *ret_len);
	evbuffer_drain(in, 1);
	return line;
}

/* Who asks faster than he takes the answers waits. */
static bool may_ask(const struct wbl_connection *k)
{
	const struct wbl_control_request *r;
	size_t n = k->unsent;

	for (r = k->requests; r; r = r->next)
		n++;
	return n < PIPELINE_MAX && backlog(k) < ANSWERS_MAX;
}

/* Also when all that was written has gone. */
static void on_read(struct bufferevent *bev, void *ctx)
{
	struct wbl_connection *k = ctx;
	struct evbuffer *in = bufferevent_get_input(bev);
	struct wbl_control *c = k->control;
	int64_t id = k->id;
	size_t len;
	char *line;

	while (find(c, id) && may_ask(k) && (line = next_line(k, &len))) {
		on_line(k, line, len);
		free(line);
	}
	if (find(c, id) && !may_ask(k))
		return;
	if (find(c, id) && evbuffer_get_length(in) > LINE_MAX_BYTES)
		close_connection(k);
}

static void on_event(struct bufferevent *bev, short what, void *ctx)
{
	if (what & (BEV_EVENT_EOF | BEV_EVENT_ERROR))
		close_connection(ctx);
}

static void name_actor(struct wbl_connection *k, int fd)
{
	struct ucred peer = { .uid = (uid_t)-1 };
	socklen_t len = sizeof peer;
	struct passwd *pw;

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len))
		peer.uid = (uid_t)-1;
	pw = getpwuid(peer.uid);
	snprintf(k->actor, sizeof k->actor, "%s (uid %ld) through the socket",
		pw ? pw->pw_name : "?", (long)peer.uid);
}

/* One that asks nothing goes: first those that never made a good request, then the one not heard for longest. */
static bool make_room(struct wbl_control *c)
{
	int64_t recently = wbl_now_mono() - BETWEEN_REQUESTS;
	struct wbl_connection *k, *idle = NULL;
	size_t n = 0;

	for (k = c->connections; k; k = k->next) {
		n++;
		if (!k->requests && !k->unsent && !backlog(k) &&
			(!k->heard || k->heard < recently) && (!idle || k->heard <= idle->heard))
			idle = k;
	}
	if (n < CONNECTIONS_MAX)
		return true;
	if (idle)
		close_connection(idle);
	return idle != NULL;
}

static void on_accept(
	struct evconnlistener *l, evutil_socket_t fd, struct sockaddr *sa, int len, void *ctx)
{
	static int64_t ids;
	struct wbl_control *c = ctx;
	struct wbl_connection *k;

	if (!make_room(c)) {
		close(fd);
		return;
	}
	k = wbl_alloc(sizeof *k);
	k->control = c;
	k->id = ++ids;
	name_actor(k, fd);
	fcntl(fd, F_SETFD, FD_CLOEXEC);
	k->bev = bufferevent_socket_new(c->engine->base, fd, BEV_OPT_CLOSE_ON_FREE);
	bufferevent_setcb(k->bev, on_read, on_read, on_event, k);
	bufferevent_setwatermark(k->bev, EV_READ, 0, LINE_MAX_BYTES + 1);
	bufferevent_enable(k->bev, EV_READ | EV_WRITE);
	k->next = c->connections;
	c->connections = k;
}

/* The path goes through the folder's descriptor: a socket address holds 107 bytes only. */
static int listen_at(const char *dir, struct wbl_error *err)
{
	int folder = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC), fd;
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	mode_t mask;

	snprintf(sa.sun_path, sizeof sa.sun_path, "/proc/self/fd/%d/control.sock", folder);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	unlinkat(folder, "control.sock", 0);
	mask = umask(0177);
	if (folder < 0 || fd < 0 || bind(fd, (struct sockaddr *)&sa, sizeof sa) || listen(fd, 64)) {
		wbl_fail_errno(err, WBL_E_DISK, dir,
			"Make the folder writable, or name another with --state.",
			"the control socket cannot be made");
		if (fd >= 0)
			close(fd);
		fd = -1;
	}
	umask(mask);
	if (folder >= 0)
		close(folder);
	return fd;
}

int32_t wbl_control_open(
	struct wbl_engine *e, bool on_demand, struct wbl_control **ret, struct wbl_error *err)
{
	struct wbl_control *c;
	int fd = listen_at(wbl_state_dir(e->state), err);

	if (fd < 0)
		return err->code;
	c = wbl_alloc(sizeof *c);
	c->engine = e;
	c->on_demand = on_demand;
	c->idle_since = wbl_now_mono();
	c->path = wbl_strf("%s/control.sock", wbl_state_dir(e->state));
	c->listener = evconnlistener_new(
		e->base, on_accept, c, LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC, 0, fd);
	e->observer = c;
	e->on_entry = on_entry;
	e->on_progress = on_progress;
	e->wants_entries = wants;
	*ret = c;
	return 0;
}

/* What stands in the buffer, as far as the socket takes it: the loop does not come round any more. */
static void send_now(struct wbl_connection *k)
{
	struct evbuffer *out = bufferevent_get_output(k->bev);

	evbuffer_unfreeze(out, 1);
	while (evbuffer_get_length(out) && evbuffer_write(out, bufferevent_getfd(k->bev)) > 0)
		;
}

/* Not by way of wbl_engine_after: nothing is committed any more, and this tells of nothing that was. */
void wbl_control_tell_end(struct wbl_control *c, const struct wbl_error *err)
{
	const struct wbl_control_request *r;
	struct wbl_connection *k;

	for (k = c->connections; k; k = k->next)
		for (r = k->requests; r; r = r->next) {
			json_t *j = json_pack("{s:I, s:b, s:o}", "id", (json_int_t)r->id, "ok", 0,
				"error", wbl_json_error(err));
			WBL_AUTOFREE char *text = wbl_json_text(j);

			bufferevent_write(k->bev, text, strlen(text));
			bufferevent_write(k->bev, "\n", 1);
			json_decref(j);
		}
}

void wbl_control_close(struct wbl_control *c)
{
	if (!c)
		return;
	unlink(c->path);
	while (c->connections) {
		send_now(c->connections);
		close_connection(c->connections);
	}
	evconnlistener_free(c->listener);
	c->engine->on_entry = NULL;
	c->engine->on_progress = NULL;
	c->engine->wants_entries = NULL;
	free(c->path);
	free(c);
}
