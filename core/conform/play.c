/* conform/play.c - an engine of a few lines: starts a host, makes calls, passes requests on to who answers them.
 * SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "core/conform/play.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/base/file.h"

/* Descriptors as the engine gives them; everything else is closed. */
static void be_the_host(const struct wbl_play *p, int sock, int out)
{
	const char *argv[16] = { "whimbrel-host" }, *program = p->o.host;
	size_t n;
	int lock = fcntl(p->lock_fd, F_DUPFD, 20), in = open("/dev/null", O_RDONLY);

	sock = fcntl(sock, F_DUPFD, 20);
	out = fcntl(out, F_DUPFD, 20);
	dup2(in, 0);
	if (!p->o.swap)
		dup2(out, 1);
	if (!p->o.swap)
		dup2(out, 2);
	dup2(sock, WBL_WIRE_FD);
	dup2(lock, WBL_LOCK_FD);
	close_range(WBL_LOCK_FD + 1, ~0u, 0);
	if (p->o.before)
		p->o.before(p->o.ctx);
	if (p->o.wrap) {
		for (n = 0; n < WBL_COUNT(argv) - 2 && p->o.wrap[n]; n++)
			argv[n] = p->o.wrap[n];
		argv[n] = p->o.host;
		program = argv[0];
	}
	execve(program, (char *const *)argv, (char *const *)p->o.env);
	_exit(127);
}

struct wbl_play *wbl_play_spawn(const struct wbl_play_options *o)
{
	struct wbl_play *p = wbl_alloc(sizeof *p);
	int pair[2], err[2];

	p->o = *o;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) || pipe2(err, O_CLOEXEC))
		abort();
	p->lock_fd = memfd_create("lock", MFD_CLOEXEC);
	p->started_ns = wbl_now_mono();
	fflush(NULL);
	p->pid = fork();
	if (p->pid < 0)
		abort();
	if (o->swap ? p->pid > 0 : !p->pid)
		be_the_host(p, pair[1], err[1]);
	if (o->swap)
		p->pid = getppid();
	p->pidfd = pidfd_open(p->pid, 0);
	close(pair[1]);
	close(err[1]);
	p->sock = pair[0];
	p->err_fd = err[0];
	fcntl(p->err_fd, F_SETFL, O_NONBLOCK);
	p->artefact = -1;
	p->seen = json_array();
	p->back.fd = -1;
	return p;
}

/* Without waiting: a process that the host has left behind may keep the pipe open. */
static void take_output(struct wbl_play *p)
{
	char part[4096];
	ssize_t n;

	while ((n = read(p->err_fd, part, sizeof part)) > 0)
		wbl_buf_add(&p->said, part, (size_t)n);
}

/* True when a frame can be read. */
static bool wait_for_frame(struct wbl_play *p)
{
	int64_t until = wbl_now_mono() + INT64_C(1000000) * (p->o.wait_ms ? p->o.wait_ms : 20000);
	struct pollfd fds[3] = { { .fd = p->sock, .events = POLLIN },
		{ .fd = p->err_fd, .events = POLLIN }, { .fd = p->pidfd, .events = POLLIN } };
	int64_t left;

	while ((left = (until - wbl_now_mono()) / 1000000) > 0) {
		if (poll(fds, 3, (int)left) <= 0)
			continue;
		if (fds[1].revents)
			take_output(p);
		if (fds[1].revents & POLLHUP)
			fds[1].fd = -1;
		if (fds[0].revents)
			return true;
		/* Dead, though a child which it has left may hold the socket. */
		if (fds[2].revents)
			return poll(fds, 1, 0) > 0;
	}
	p->late = true;
	return false;
}

bool wbl_play_read(struct wbl_play *p, struct wbl_frame *f)
{
	json_t *one;

	if (!wait_for_frame(p) || wbl_wire_read(p->sock, f, NULL))
		return false;
	if (p->o.see)
		p->o.see(p, f);
	one = json_object();
	wbl_json_put(one, "type", wbl_wire_name(f->type));
	json_object_set(one, "json", f->json);
	if (f->blob.len && f->blob.len < 4096)
		wbl_json_put(one, "blob", f->blob.data);
	wbl_json_puti(one, "len", (int64_t)f->blob.len);
	json_array_append_new(p->seen, one);
	return true;
}

static bool is_request(enum wbl_wire_type t)
{
	return t == WBL_WIRE_FAULT || t >= WBL_WIRE_STEP;
}

/* true: go on. */
static bool step(struct wbl_play *p)
{
	struct wbl_frame f = { .fd = -1 };

	if (!wbl_play_read(p, &f))
		return false;
	if (f.type == WBL_WIRE_RETURN || f.type == WBL_WIRE_REFUSED || f.type == WBL_WIRE_READY) {
		wbl_frame_clear(&p->back);
		p->back = f;
		return false;
	}
	if (is_request(f.type) && !(f.type == WBL_WIRE_DRAIN && p->silent_drain))
		p->o.answer(p, &f);
	if (p->signal && (wbl_play_count(p, "log") >= p->signal_after ||
				 (f.type == WBL_WIRE_DRAIN && p->silent_drain))) {
		wbl_wire_send(p->sock, WBL_WIRE_SIGNAL, 0, p->signal, NULL, 0, -1, NULL);
		json_decref(p->signal);
		p->signal = NULL;
	}
	wbl_frame_clear(&f);
	return true;
}

static void until_back(struct wbl_play *p)
{
	wbl_frame_clear(&p->back);
	while (step(p))
		;
}

struct wbl_play *wbl_play_start(const struct wbl_play_options *o, json_t *hello)
{
	struct wbl_play *p = wbl_play_spawn(o);

	wbl_wire_send(p->sock, WBL_WIRE_HELLO, 1, hello, NULL, 0, -1, NULL);
	json_decref(hello);
	until_back(p);
	if (wbl_play_is_ready(p))
		p->ready = json_incref(p->back.json);
	return p;
}

bool wbl_play_is_ready(const struct wbl_play *p)
{
	return p->back.type == WBL_WIRE_READY || p->ready;
}

void wbl_play_begin(struct wbl_play *p, const char *call, const char *op, json_t *extra,
	const struct wbl_bytes *parts)
{
	json_t *j = json_object(), *work = extra ? extra : json_object(), *lens = json_array();
	struct wbl_buf b = { 0 };
	int i;

	json_array_clear(p->seen);
	wbl_json_put(j, "call", call);
	wbl_json_put(work, "op", op);
	json_object_set_new(j, "work", work);
	for (i = 0; i < 4; i++) {
		uint64_t len = parts ? parts[i].len : 0;

		json_array_append_new(lens, json_integer((json_int_t)len));
		if (len)
			wbl_buf_add(&b, parts[i].data, len);
	}
	json_object_set_new(j, "parts", lens);
	wbl_json_puti(j, "level", wbl_json_int(work, "level", 0));
	wbl_json_puti(j, "what", wbl_json_int(work, "what", 0));
	wbl_json_put(j, "from", wbl_json_str(work, "from"));
	wbl_wire_send(p->sock, WBL_WIRE_CALL, ++p->seq, j, b.data, b.len, -1, NULL);
	wbl_buf_clear(&b);
	json_decref(j);
}

int32_t wbl_play_until_return(struct wbl_play *p)
{
	until_back(p);
	if (p->back.type != WBL_WIRE_RETURN || p->back.seq != p->seq)
		return -1000;
	return (int32_t)wbl_json_int(p->back.json, "status", -1001);
}

int32_t wbl_play_call(struct wbl_play *p, const char *call, const char *op, json_t *extra,
	const struct wbl_bytes *parts)
{
	wbl_play_begin(p, call, op, extra, parts);
	return wbl_play_until_return(p);
}

static const json_t *find(
	const struct wbl_play *p, const char *type, const char *key, const char *text, bool prefix)
{
	const json_t *f;
	size_t i;

	json_array_foreach(p->seen, i, f)
	{
		const char *s = key ? wbl_json_str(json_object_get(f, "json"), key) : "";

		if (strcmp(wbl_json_str(f, "type"), type))
			continue;
		if (!key ||
			(s && (prefix ? !strncmp(s, text, strlen(text)) : strstr(s, text) != NULL)))
			return f;
	}
	return NULL;
}

const char *wbl_play_log(const struct wbl_play *p, const char *prefix)
{
	return wbl_json_str(json_object_get(find(p, "log", "text", prefix, true), "json"), "text");
}

const json_t *wbl_play_diag(const struct wbl_play *p, const char *word)
{
	const json_t *f = find(p, "diag", "text", word, false);

	if (!f)
		f = find(p, "diag", "where", word, false);
	return json_object_get(f, "json");
}

const json_t *wbl_play_frame(const struct wbl_play *p, const char *type)
{
	return find(p, type, NULL, NULL, false);
}

size_t wbl_play_count(const struct wbl_play *p, const char *type)
{
	const json_t *f;
	size_t i, n = 0;

	json_array_foreach(p->seen, i, f) n += !strcmp(wbl_json_str(f, "type"), type);
	return n;
}

static int wait_for(pid_t pid)
{
	int64_t until = wbl_now_mono() + INT64_C(5000000000);
	int status = 0;

	while (waitpid(pid, &status, WNOHANG) != pid) {
		if (wbl_now_mono() > until) {
			kill(pid, SIGKILL);
			waitpid(pid, &status, 0);
			return -1;
		}
		poll(NULL, 0, 1);
	}
	return status;
}

int wbl_play_stop(struct wbl_play *p, char **ret_err)
{
	int status;

	close(p->sock);
	status = p->o.swap ? 0 : wait_for(p->pid);
	take_output(p);
	if (ret_err)
		*ret_err = wbl_buf_take(&p->said);
	wbl_buf_clear(&p->said);
	close(p->err_fd);
	close(p->pidfd);
	close(p->lock_fd);
	if (p->artefact >= 0)
		close(p->artefact);
	json_decref(p->seen);
	json_decref(p->ready);
	json_decref(p->signal);
	wbl_frame_clear(&p->back);
	free(p);
	return status;
}
