/* tests/unit/host/play.c - an engine of a few lines: canned answers for every request.
 * SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "play.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/base/file.h"

const char *play_module(const char *name)
{
	static char path[4096];
	char *real;

	snprintf(path, sizeof path, "%s/tests/bin/mods/.libs/%s.so", getenv("WBL_BUILD"), name);
	real = realpath(path, NULL);
	if (real)
		snprintf(path, sizeof path, "%s", real);
	free(real);
	return path;
}

static json_t *module_json(const char *module)
{
	char sha[WBL_SHA256_HEX] = "", *id = wbl_strf("org.example.%s", module);
	json_t *m = json_object();

	wbl_json_put(m, "path", play_module(module));
	if (!wbl_sha256_file(play_module(module), sha, NULL))
		wbl_json_put(m, "sha256", sha);
	wbl_json_put(m, "id", id);
	wbl_json_put(m, "version", "0.1.0");
	free(id);
	return m;
}

json_t *play_peer(const char *param, const char *interface, const char *module, const char *name)
{
	json_t *j = json_object();

	wbl_json_put(j, "param", param);
	wbl_json_put(j, "interface", interface);
	wbl_json_put(j, "name", name);
	json_object_set_new(j, "module", module_json(module));
	json_object_set_new(j, "params", json_object());
	json_object_set_new(j, "peers", json_array());
	return j;
}

json_t *play_hello(const char *module, const char *handler)
{
	json_t *j = play_peer("", "wbl.handler/1", module, handler);

	json_object_del(j, "param");
	wbl_json_put(j, "build", wbl_wire_build());
	wbl_json_put(j, "run", "r-1");
	json_object_set_new(j, "trust_any_owner", json_true());
	return j;
}

struct play *play_spawn(void)
{
	WBL_AUTOFREE char *host = wbl_strf("%s/whimbrel-host", getenv("WBL_BUILD"));
	char *argv[] = { (char *)"whimbrel-host", NULL };
	char *env[] = { (char *)"HOME=/root", (char *)"LTDL_LIBRARY_PATH=/nowhere",
		(char *)"SECRET=x", (char *)"LC_ALL=tr_TR.UTF-8", (char *)"WBL_TEST_DUMPABLE=1",
		(char *)"ASAN_OPTIONS=detect_leaks=1:handle_abort=0", NULL };
	struct play *p = wbl_alloc(sizeof *p);
	posix_spawn_file_actions_t fa;
	int pair[2], err[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) || pipe2(err, O_CLOEXEC))
		abort();
	p->lock_fd = memfd_create("lock", MFD_CLOEXEC);
	posix_spawn_file_actions_init(&fa);
	posix_spawn_file_actions_addopen(&fa, 0, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_adddup2(&fa, err[1], 1);
	posix_spawn_file_actions_adddup2(&fa, err[1], 2);
	posix_spawn_file_actions_adddup2(&fa, pair[1], WBL_WIRE_FD);
	posix_spawn_file_actions_adddup2(&fa, p->lock_fd, WBL_LOCK_FD);
	posix_spawn_file_actions_addclosefrom_np(&fa, 5);
	p->started_ns = wbl_now_mono();
	if (posix_spawn(&p->pid, host, &fa, NULL, argv, env))
		abort();
	posix_spawn_file_actions_destroy(&fa);
	close(pair[1]);
	close(err[1]);
	p->sock = pair[0];
	p->err_fd = err[0];
	p->artefact = -1;
	p->seen = json_array();
	p->back.fd = -1;
	return p;
}

static void answer_bytes(struct wbl_buf *b, const struct wbl_frame *f, json_t *r)
{
	const char *name = wbl_json_str(f->json, "name");

	if (f->type == WBL_WIRE_STATE_GET && name && strncmp(name, "echo", 4) == 0) {
		wbl_buf_adds(b, name);
	} else if (f->type == WBL_WIRE_STATE_GET && name && strlen(name) == 1) {
		while (b->len < 100)
			wbl_buf_adds(b, name);
	} else if (f->type == WBL_WIRE_STATE_GET) {
		wbl_buf_adds(b, "42");
	} else if (f->type == WBL_WIRE_INPUT && !strcmp(name, "big")) {
		b->data = wbl_alloc(1 << 20);
		memset(b->data, 3, 1 << 20);
		b->len = 1 << 20;
	} else if (f->type == WBL_WIRE_INPUT) {
		wbl_buf_adds(b, "s-1");
		wbl_json_puti(r, "generation", 2);
	} else if (f->type == WBL_WIRE_ASK) {
		wbl_buf_adds(b, "a");
	} else if (f->type == WBL_WIRE_SECRET) {
		const char *peer = wbl_json_str(f->json, "peer");

		wbl_buf_addf(b, "hunter2%s%s", peer ? "-" : "", peer ? peer : "");
	}
}

static int answer_rows(struct wbl_buf *b, const struct wbl_frame *f, json_t *r)
{
	int64_t after = wbl_json_int(f->json, "after", 0);
	char id[32];

	if (after == 2)
		return WBL_END;
	wbl_json_puti(r, "seq", after + 1);
	snprintf(id, sizeof id, "row %d", (int)after + 1);
	wbl_json_put(r, "id", id);
	wbl_json_puti(r, "flags", after ? 1 : 0);
	wbl_json_puti(r, "kind", 3);
	wbl_json_put(r, "set", "t");
	wbl_json_put(r, "key", id);
	wbl_json_put(r, "field", "v");
	wbl_buf_addf(b, "body %d", (int)after + 1);
	return WBL_OK;
}

static int answer_artefact(struct play *p, const struct wbl_frame *f)
{
	if (f->type == WBL_WIRE_ART_CREATE)
		p->artefact = memfd_create("artefact", MFD_CLOEXEC);
	return f->type == WBL_WIRE_ART_SEAL ? -1 : p->artefact;
}

static void answer(struct play *p, const struct wbl_frame *f)
{
	const char *name = wbl_json_str(f->json, "name");
	json_t *r = json_object();
	struct wbl_buf b = { 0 };
	int status = 0, fd = -1;

	if (f->type == WBL_WIRE_UNDO_EACH || f->type == WBL_WIRE_DIFF_NEXT)
		status = answer_rows(&b, f, r);
	else if (f->type == WBL_WIRE_ART_CREATE || f->type == WBL_WIRE_ART_OPEN ||
		 f->type == WBL_WIRE_ART_SEAL)
		fd = answer_artefact(p, f);
	else
		answer_bytes(&b, f, r);
	if (f->type == WBL_WIRE_OUTPUT && name && !strcmp(name, "fence me"))
		status = WBL_E_FENCED;
	if (f->type == WBL_WIRE_LAG) {
		wbl_json_puti(r, "behind_ns", 11);
		wbl_json_puti(r, "behind_bytes", 12);
		wbl_json_put(r, "position", "0/99");
	}
	wbl_json_puti(r, "status", status);
	wbl_wire_send(p->sock, WBL_WIRE_REPLY, f->seq, r, b.data, b.len, fd, NULL);
	wbl_buf_clear(&b);
	json_decref(r);
}

bool play_read(struct play *p, struct wbl_frame *f)
{
	struct pollfd fds = { .fd = p->sock, .events = POLLIN };
	json_t *one;

	if (poll(&fds, 1, 20000) <= 0 || wbl_wire_read(p->sock, f, NULL))
		return false;
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
static bool step(struct play *p)
{
	struct wbl_frame f = { .fd = -1 };

	if (!play_read(p, &f))
		return false;
	if (f.type == WBL_WIRE_RETURN || f.type == WBL_WIRE_REFUSED || f.type == WBL_WIRE_READY) {
		wbl_frame_clear(&p->back);
		p->back = f;
		return false;
	}
	if (is_request(f.type) && !(f.type == WBL_WIRE_DRAIN && p->silent_drain))
		answer(p, &f);
	if (p->signal && (play_count(p, "log") >= p->signal_after ||
				 (f.type == WBL_WIRE_DRAIN && p->silent_drain))) {
		wbl_wire_send(p->sock, WBL_WIRE_SIGNAL, 0, p->signal, NULL, 0, -1, NULL);
		json_decref(p->signal);
		p->signal = NULL;
	}
	wbl_frame_clear(&f);
	return true;
}

static void until_back(struct play *p)
{
	wbl_frame_clear(&p->back);
	while (step(p))
		;
}

struct play *play_start(json_t *hello)
{
	struct play *p = play_spawn();

	wbl_wire_send(p->sock, WBL_WIRE_HELLO, 1, hello, NULL, 0, -1, NULL);
	json_decref(hello);
	until_back(p);
	if (play_is_ready(p))
		p->ready = json_incref(p->back.json);
	return p;
}

bool play_is_ready(const struct play *p)
{
	return p->back.type == WBL_WIRE_READY || p->ready;
}

void play_begin(
	struct play *p, const char *call, const char *op, json_t *extra, const char *const *parts)
{
	json_t *j = json_object(), *work = extra ? extra : json_object(), *lens = json_array();
	struct wbl_buf b = { 0 };
	int i;

	json_array_clear(p->seen);
	wbl_json_put(j, "call", call);
	wbl_json_put(work, "op", op);
	json_object_set_new(j, "work", work);
	for (i = 0; i < 4; i++) {
		const char *s = parts && parts[i] ? parts[i] : "";

		json_array_append_new(lens, json_integer((json_int_t)strlen(s)));
		wbl_buf_adds(&b, s);
	}
	json_object_set_new(j, "parts", lens);
	wbl_json_puti(j, "level", wbl_json_int(work, "level", 0));
	wbl_json_puti(j, "what", wbl_json_int(work, "what", 0));
	wbl_json_put(j, "from", wbl_json_str(work, "from"));
	wbl_wire_send(p->sock, WBL_WIRE_CALL, ++p->seq, j, b.data, b.len, -1, NULL);
	wbl_buf_clear(&b);
	json_decref(j);
}

int32_t play_until_return(struct play *p)
{
	until_back(p);
	if (p->back.type != WBL_WIRE_RETURN || p->back.seq != p->seq)
		return -1000;
	return (int32_t)wbl_json_int(p->back.json, "status", -1001);
}

int32_t play_call(
	struct play *p, const char *call, const char *op, json_t *extra, const char *const *parts)
{
	play_begin(p, call, op, extra, parts);
	return play_until_return(p);
}

static const json_t *find(
	const struct play *p, const char *type, const char *key, const char *text, bool prefix)
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

const char *play_log(const struct play *p, const char *prefix)
{
	return wbl_json_str(json_object_get(find(p, "log", "text", prefix, true), "json"), "text");
}

const json_t *play_diag(const struct play *p, const char *word)
{
	const json_t *f = find(p, "diag", "text", word, false);

	if (!f)
		f = find(p, "diag", "where", word, false);
	return json_object_get(f, "json");
}

const json_t *play_frame(const struct play *p, const char *type)
{
	return find(p, type, NULL, NULL, false);
}

size_t play_count(const struct play *p, const char *type)
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

int play_stop(struct play *p, char **ret_err)
{
	struct wbl_buf b = { 0 };
	char part[4096];
	int status;
	ssize_t n;

	close(p->sock);
	status = wait_for(p->pid);
	while ((n = read(p->err_fd, part, sizeof part)) > 0)
		wbl_buf_add(&b, part, (size_t)n);
	if (ret_err)
		*ret_err = wbl_buf_take(&b);
	wbl_buf_clear(&b);
	close(p->err_fd);
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
