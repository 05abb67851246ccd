/* hostile_acts.c - the harm that hostile.c does. New kinds: a function and a line in the table at the end.
 * SPDX-License-Identifier: Apache-2.0 */
#include "hostile.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { LAST_FD = 1024 };

static void nap(long ms)
{
	struct timespec t = { ms / 1000, ms % 1000 * 1000000 };

	nanosleep(&t, NULL);
}

static void say(int fd, const void *data, size_t len)
{
	ssize_t unused = write(fd, data, len);

	(void)unused;
}

/* --- the end of the process --- */

static int32_t do_segv(struct wbl_call *call, int64_t n)
{
	static volatile int *volatile nowhere;

	(void)call, (void)n;
	*nowhere = 1;
	return WBL_OK;
}

static int32_t do_abort(struct wbl_call *call, int64_t n)
{
	(void)call, (void)n;
	abort();
}

static int32_t do_exit(struct wbl_call *call, int64_t n)
{
	(void)call;
	exit((int)n);
}

static int32_t do__exit(struct wbl_call *call, int64_t n)
{
	(void)call;
	_exit((int)n);
}

static int32_t do_kill(struct wbl_call *call, int64_t n)
{
	(void)call;
	kill(getpid(), (int)n);
	nap(60000);
	return WBL_OK;
}

static int deeper(volatile char *from, int64_t n)
{
	volatile char room[16384];

	room[0] = from[0];
	room[n % 16384] = (char)n;
	return n < 0 ? room[0] : deeper(room, n + 1) + room[1];
}

static int32_t do_stack(struct wbl_call *call, int64_t n)
{
	volatile char c = 0;

	(void)call;
	return deeper(&c, n) == 12345 ? WBL_E_FAILED : WBL_OK;
}

static int32_t do_shout(struct wbl_call *call, int64_t n)
{
	static const char words[] =
		"first\0second \xff\xfe third\nlast words of a faulty handler\n";

	say(1, words, sizeof words - 1);
	return do_segv(call, n);
}

/* --- no end --- */

static int32_t do_hang(struct wbl_call *call, int64_t n)
{
	sigset_t all;

	(void)call, (void)n;
	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, NULL);
	for (;;)
		nap(60000);
	return WBL_OK;
}

static int32_t do_spin(struct wbl_call *call, int64_t n)
{
	volatile int64_t i = n;

	(void)call;
	for (;;)
		i = i + 1;
	return WBL_OK;
}

static int32_t do_flood(struct wbl_call *call, int64_t n)
{
	static char page[65536];
	int64_t i;

	memset(page, 'x', sizeof page);
	for (i = 0; !n || i < n; i++)
		say(1 + (int)(i & 1), page, sizeof page);
	return wbl_error_report(call, WBL_E_FAILED, NULL, NULL, "printed a lot");
}

static int32_t do_alloc(struct wbl_call *call, int64_t n)
{
	int64_t i;

	for (i = 0; !n || i < n; i++) {
		char *p = malloc(1 << 20);

		if (!p)
			return wbl_error_report(call, WBL_E_RESOURCES, NULL, NULL,
				"no memory after %lld MiB", (long long)i);
		memset(p, 1, 1 << 20);
	}
	return WBL_OK;
}

/* --- descriptors --- */

static int32_t do_close(struct wbl_call *call, int64_t n)
{
	int fd;

	(void)call;
	if (n >= 0) {
		close((int)n);
		nap(60000);
	}
	for (fd = 0; fd < LAST_FD; fd++)
		close(fd);
	nap(60000);
	return WBL_OK;
}

static int32_t do_garbage(struct wbl_call *call, int64_t n)
{
	static unsigned char page[70000];
	static const size_t lengths[] = { 1, 24, 4096, 65536, 70000 };
	size_t i;
	int fd;

	(void)call;
	for (i = 0; i < sizeof page; i++)
		page[i] = (unsigned char)(i * 31 + (size_t)n);
	for (fd = 3; fd < LAST_FD; fd++)
		for (i = 0; i < sizeof lengths / sizeof *lengths; i++)
			say(fd, page, lengths[i]);
	nap(60000);
	return WBL_OK;
}

static int32_t do_files(struct wbl_call *call, int64_t n)
{
	int64_t i, open_ones = 0;

	for (i = 0; i < n; i++)
		open_ones += open("/dev/null", O_RDONLY | O_CLOEXEC) >= 0;
	return wbl_error_report(call, WBL_E_RESOURCES, NULL, NULL,
		"only %lld of %lld files could be opened", (long long)open_ones, (long long)n);
}

/* --- forged frames: what only host and engine should write --- */

struct head {
	uint32_t magic;
	uint16_t type, flags;
	uint32_t seq, json_len;
	uint64_t blob_len;
};

static void forge(unsigned type, uint32_t seq, const char *json, int flags)
{
	static char frame[65536];
	struct head h = { 0x31574257, (uint16_t)type, 0, seq, (uint32_t)strlen(json), 0 };

	if (sizeof h + h.json_len > sizeof frame)
		return;
	memcpy(frame, &h, sizeof h);
	memcpy(frame + sizeof h, json, h.json_len);
	send(3, frame, sizeof h + h.json_len, flags | MSG_NOSIGNAL);
}

static int32_t do_return_twice(struct wbl_call *call, int64_t n)
{
	(void)call, (void)n;
	forge(5, 1, "{\"status\":0}", 0);
	forge(5, 1, "{\"status\":0}", 0);
	nap(60000);
	return WBL_OK;
}

static int32_t do_forge(struct wbl_call *call, int64_t n)
{
	(void)call;
	forge((unsigned)n, 7, "{\"status\":12345,\"text\":\"forged\"}", 0);
	nap(60000);
	return WBL_OK;
}

/* Every message that a host may send, with members of every wrong kind. */
static int32_t do_storm(struct wbl_call *call, int64_t n)
{
	static const char *const members[] = { "id", "name", "text", "level", "severity", "code",
		"flags", "where", "hint", "items", "bytes", "phase", "json", "key", "value", "rule",
		"tolerance", "what", "count", "why", "step", "demand", "position", "background",
		"timeout_ns", "after", "artefact", "kind", "set", "of", "how", "param", "peer",
		"digests", "rejected", "claims", "risks", "estimate", "limits", "manual", "barrier",
		"finishes", "retry_from", "params", "inverse", "inverse_arg", "title", "op" };
	static const char *const values[] = { "null", "-1", "9223372036854775807", "\"\"",
		"\"../../etc/passwd\"", "[]", "{}", "[[[[null]]]]", "true", "1", "\"x\"", "2",
		"[{\"set\":3,\"row\":\"zz\"},null]", "\"evil0\"", "-9223372036854775808" };
	uint64_t seed = (uint64_t)n * 2654435761u + 1;
	char json[8192];
	int i, k;

	for (i = 0; i < 3000; i++) {
		unsigned type;
		size_t at = 1;

		json[0] = '{';
		for (k = 0; k < (int)(sizeof members / sizeof *members); k++) {
			seed = seed * 6364136223846793005u + 1442695040888963407u;
			at += (size_t)snprintf(json + at, sizeof json - at, "%s\"%s\":%s",
				k ? "," : "", members[k],
				values[(seed >> 33) % (sizeof values / sizeof *values)]);
		}
		snprintf(json + at, sizeof json - at, "}");
		type = 8 + (unsigned)(seed >> 40) % 32;
		forge(type, 1000000 + (uint32_t)i, json, 0);
	}
	return wbl_error_report(call, WBL_E_FAILED, NULL, NULL, "the storm is over");
}

/* Asks and asks, and never takes an answer. */
static int32_t do_deaf(struct wbl_call *call, int64_t n)
{
	pid_t pid = fork();

	(void)call;
	if (!pid) {
		int64_t i;

		for (i = 0; i < n; i++)
			forge(28, 1000000, "{\"name\":\"x\"}", 0);
		nap(60000);
		_exit(0);
	}
	kill(getpid(), SIGSTOP);
	return WBL_OK;
}

/* --- processes left behind --- */

static void record_pid(struct wbl_call *call)
{
	char name[4200], line[32];
	int fd;

	snprintf(name, sizeof name, "%s.pids", wbl_param_text(call, "path").s);
	fd = open(name, O_WRONLY | O_CREAT | O_APPEND, 0644);
	snprintf(line, sizeof line, "%d\n", (int)getpid());
	say(fd, line, strlen(line));
	close(fd);
}

static void deafen(void)
{
	signal(SIGTERM, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	signal(SIGINT, SIG_IGN);
}

static void child(struct wbl_call *call, int way)
{
	static char *const sleeper[] = { "sleep", "120", NULL }, *const nothing[] = { NULL };
	int fd;

	if (way >= 1)
		setsid();
	if (way >= 2 && fork())
		_exit(0);
	record_pid(call);
	deafen();
	if (way >= 3)
		for (fd = 0; fd < LAST_FD; fd++)
			close(fd);
	if (way >= 4)
		execve("/bin/sleep", sleeper, nothing);
	nap(120000);
	_exit(0);
}

static void leave_children(struct wbl_call *call, int ways)
{
	int way;

	for (way = 0; way < ways; way++)
		if (!fork())
			child(call, way);
	nap(60);
}

static int32_t do_children(struct wbl_call *call, int64_t n)
{
	leave_children(call, n == 4 ? 4 : 5);
	if (n == 1)
		return do_segv(call, n);
	if (n == 2)
		return do_hang(call, n);
	return n >= 3 ? WBL_OK
		      : wbl_error_report(call, WBL_E_FAILED, NULL, NULL, "left children behind");
}

/* Each generation is gone before it can be looked at. */
static int32_t do_rabbit(struct wbl_call *call, int64_t n)
{
	int64_t i;

	if (!fork()) {
		setsid();
		for (i = 0; i < n; i++)
			if (fork())
				_exit(0);
		record_pid(call);
		nap(60000);
		_exit(0);
	}
	nap(5);
	return do_segv(call, n);
}

static int32_t do_bomb(struct wbl_call *call, int64_t n)
{
	int64_t i, made = 0;

	for (i = 0; i < n; i++) {
		pid_t pid = fork();

		if (!pid) {
			if (i & 1)
				setsid();
			record_pid(call);
			nap(60000);
			_exit(0);
		}
		made += pid > 0;
	}
	return wbl_error_report(
		call, WBL_E_RESOURCES, NULL, NULL, "%lld processes", (long long)made);
}

/* A helper that outlives its parent, as daemons do, and is needed: it does the work of the step. */
static int32_t do_helper(struct wbl_call *call, int64_t n)
{
	char name[4200];
	int i;

	snprintf(name, sizeof name, "%s.helped", wbl_param_text(call, "path").s);
	unlink(name);
	if (!fork()) {
		setsid();
		if (fork())
			_exit(0);
		nap((long)n);
		close(open(name, O_WRONLY | O_CREAT, 0644));
		_exit(0);
	}
	for (i = 0; i < 400 && access(name, F_OK); i++)
		nap(10);
	return access(name, F_OK)
		       ? wbl_error_report(call, WBL_E_FAILED, name, NULL, "the helper is gone")
		       : WBL_OK;
}

/* --- surroundings --- */

static int32_t do_surroundings(struct wbl_call *call, int64_t n)
{
	sigset_t all;

	(void)call, (void)n;
	if (chdir("/"))
		return WBL_E_FAILED;
	umask(0777);
	deafen();
	signal(SIGCHLD, SIG_IGN);
	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, NULL);
	setenv("LD_PRELOAD", "/nowhere.so", 1);
	setenv("WBL_HOST", "nobody", 1);
	umask(022);
	return WBL_OK;
}

static int32_t do_limits(struct wbl_call *call, int64_t n)
{
	struct rlimit r = { (rlim_t)n, (rlim_t)n };

	(void)call;
	setrlimit(RLIMIT_NOFILE, &r);
	setrlimit(RLIMIT_FSIZE, &r);
	return WBL_OK;
}

/* --- misuse of services --- */

static struct wbl_call *late_call;

static void *late(void *unused)
{
	const struct wbl_run_service *run = wbl_service(late_call, "wbl.run/1");
	int i;

	for (i = 0; i < 200; i++) {
		struct wbl_progress p = { .size = sizeof p, .items = (uint64_t)i, .phase = "late" };

		nap(1);
		wbl_log_text(late_call, 1, "late %d", i);
		run->progress(late_call, &p);
		run->checkpoint(late_call, (struct wbl_bytes){ "late", 4 }, &p);
	}
	return unused;
}

static int32_t do_threads(struct wbl_call *call, int64_t n)
{
	pthread_t t;
	int64_t i;

	late_call = call;
	for (i = 0; i < n; i++)
		if (!pthread_create(&t, NULL, late, NULL))
			pthread_detach(t);
	return WBL_OK;
}

static int32_t do_queue(struct wbl_call *call, int64_t n)
{
	const struct wbl_run_service *run = wbl_service(call, "wbl.run/1");
	int64_t i;

	for (i = 0; i < n; i++) {
		struct wbl_progress p = { .size = sizeof p,
			.items = (uint64_t)i,
			.items_of = (uint64_t)n,
			.phase = "queueing" };

		run->progress(call, &p);
		wbl_log_text(call, 1, "line %lld", (long long)i);
		wbl_warning_report(call, NULL, NULL, "warning %lld", (long long)i);
	}
	return wbl_error_report(call, WBL_E_FAILED, NULL, NULL, "said %lld things", (long long)n);
}

/* A value between runs, which nobody has put. */
static int32_t do_recall(struct wbl_call *call, int64_t n)
{
	const struct wbl_state_service *state = wbl_service(call, "wbl.state/1");
	struct wbl_bytes value;
	int32_t rc = state->get(call, "position", &value);

	(void)n;
	return rc == WBL_END
		       ? WBL_OK
		       : wbl_error_report(call, WBL_E_FAILED, NULL, NULL, "recall gave %d", rc);
}

static int32_t do_nulls(struct wbl_call *call, int64_t n)
{
	const struct wbl_run_service *run = wbl_service(call, "wbl.run/1");
	const struct wbl_undo_service *undo = wbl_service(call, "wbl.undo/1");
	const struct wbl_state_service *state = wbl_service(call, "wbl.state/1");
	const struct wbl_artefact_service *art = wbl_service(call, "wbl.artefact/1");
	const struct wbl_check_service *check = wbl_service(call, "wbl.check/1");
	const struct wbl_diag_service *diag = wbl_service(call, "wbl.diag/1");
	const struct wbl_log_service *log = wbl_service(call, "wbl.log/1");
	struct wbl_bytes none = { NULL, 100 };
	struct wbl_call mine = { sizeof mine, 0, NULL };

	(void)n;
	log->write(call, 1, NULL);
	log->write(NULL, 1, "x");
	log->write(&mine, 1, "x");
	diag->report(call, NULL);
	run->progress(call, NULL);
	run->checkpoint(call, none, NULL);
	run->result(call, NULL);
	run->output(call, NULL, none);
	run->input(call, NULL, NULL, NULL, NULL);
	run->drain(call, "nobody", NULL, -1);
	run->drained(call, 99, NULL);
	run->rehearsed(call, 99, NULL);
	undo->put(call, NULL);
	undo->done(call, NULL);
	state->get(call, NULL, NULL);
	state->put(call, "\xff\xfe", none);
	art->create(call, "../../x", NULL);
	art->create(call, NULL, NULL);
	art->seal(call, "never made", 1);
	art->open(call, "\n", NULL);
	check->difference(call, NULL);
	check->covered(call, NULL, 1, 0, NULL);
	check->next(call, NULL);
	return WBL_E_FAILED;
}

static int32_t do_tell_secret(struct wbl_call *call, int64_t n)
{
	const struct wbl_params_service *params = wbl_service(call, "wbl.params/1");
	const struct wbl_log_service *log = wbl_service(call, "wbl.log/1");
	const struct wbl_run_service *run = wbl_service(call, "wbl.run/1");
	static char buf[65537];
	struct wbl_progress p = { .size = sizeof p, .phase = buf };
	uint64_t len = 0;
	int32_t rc = params->secret(call, "key", buf, sizeof buf - 1, &len);

	(void)n;
	if (rc)
		return rc;
	buf[len] = '\0';
	log->write(call, 1, buf);
	run->progress(call, &p);
	run->output(call, "key", (struct wbl_bytes){ "no secret", 9 });
	say(1, buf, len);
	say(2, buf, len);
	return wbl_error_report(call, WBL_E_FAILED, buf, buf, "the key is %s", buf);
}

static int32_t do_status(struct wbl_call *call, int64_t n)
{
	(void)call;
	return (int32_t)n;
}

static int32_t do_chunks(struct wbl_call *call, int64_t n)
{
	const struct wbl_chunk_service *chunks = wbl_service(call, "wbl.chunk/1");
	static char body[32768];
	int64_t i;
	int32_t rc = 0;

	for (i = 0; !rc && i < n; i++) {
		char id[32];
		struct wbl_chunk c = { .size = sizeof c,
			.id = id,
			.items = UINT64_MAX,
			.body = { body, sizeof body } };

		snprintf(id, sizeof id, "more%lld", (long long)i);
		rc = chunks->add(call, &c);
	}
	return rc ? rc : WBL_E_FAILED;
}

static int32_t do_outputs(struct wbl_call *call, int64_t n)
{
	const struct wbl_run_service *run = wbl_service(call, "wbl.run/1");
	static char body[32768];
	int64_t i;
	int32_t rc = 0;

	for (i = 0; !rc && i < n; i++) {
		char id[32];

		snprintf(id, sizeof id, "o%lld", (long long)i);
		rc = run->output(call, id, (struct wbl_bytes){ body, sizeof body });
	}
	return rc ? rc : WBL_E_FAILED;
}

static int32_t do_ask(struct wbl_call *call, int64_t n)
{
	const struct wbl_ask_service *ask = wbl_service(call, "wbl.ask/1");
	int64_t i;

	for (i = 0; i < n; i++) {
		char id[32];
		struct wbl_question q = { .size = sizeof q, .id = id, .text = "why?" };
		struct wbl_bytes answer;
		int32_t rc;

		snprintf(id, sizeof id, "q%lld", (long long)i);
		rc = ask->answer(call, &q, &answer);
		if (rc < 0)
			return rc;
	}
	return WBL_E_FAILED;
}

/* --- plans --- */

static int32_t bad_step(struct wbl_call *call, const char *what, int64_t i)
{
	static char huge[60001];
	const char *const circle[] = { i ? "bad0" : "bad1", NULL }, *const nowhere[] = { "nobody",
		NULL };
	char id[300], own[32];
	struct wbl_limits limits = { .size = sizeof limits,
		.attempts = 0xffffffffu,
		.restarts = 0xffffffffu,
		.processes = 0xffffffffu,
		.timeout_ns = INT64_MIN,
		.grace_ns = INT64_MAX,
		.backoff_ns = INT64_MAX };
	struct wbl_step s = { .size = sizeof s,
		.id = id,
		.op = "x",
		.title = "x",
		.kind = WBL_KIND_MIGRATION,
		.inverse = WBL_INVERSE_ROLLBACK };

	snprintf(id, sizeof id, "bad%lld", (long long)i);
	snprintf(own, sizeof own, "b%lld", (long long)i);
	memset(huge, 'h', sizeof huge - 1);
	if (!strcmp(what, "plan_null"))
		s.id = NULL;
	else if (!strcmp(what, "plan_slash"))
		s.id = "../../etc/passwd";
	else if (!strcmp(what, "plan_same"))
		s.id = "same";
	else if (!strcmp(what, "plan_circle"))
		s.after = circle;
	else if (!strcmp(what, "plan_nowhere"))
		s.after = nowhere;
	else if (!strcmp(what, "plan_flags"))
		s.flags = 1u << 30;
	else if (!strcmp(what, "plan_kind"))
		s.kind = 99;
	else if (!strcmp(what, "plan_inverse"))
		s.inverse = -7;
	else if (!strcmp(what, "plan_params"))
		s.params = "this is no JSON";
	else if (!strcmp(what, "plan_latin"))
		s.title = "\xe9t\xe9 \xff";
	else if (!strcmp(what, "plan_huge"))
		s.title = huge;
	else if (!strcmp(what, "plan_barriers"))
		s.barrier = own;
	else if (!strcmp(what, "plan_limits"))
		s.limits = &limits;
	else if (!strcmp(what, "plan_finishes"))
		s.finishes = id;
	else if (!strcmp(what, "plan_size"))
		s.size = 3;
	else if (strcmp(what, "plan_many"))
		return WBL_E_PARAM;
	return wbl_plan_step(call, &s);
}

int hostile_plans(struct wbl_call *call, const char *what, int64_t n, int32_t *ret_status)
{
	int64_t i;

	if (strncmp(what, "plan_", 5))
		return 0;
	*ret_status = WBL_OK;
	for (i = 0; i < n && !*ret_status; i++)
		*ret_status = bad_step(call, what, i);
	return 1;
}

static const struct {
	const char *name;
	int32_t (*fn)(struct wbl_call *call, int64_t n);
} acts[] = { { "segv", do_segv }, { "abort", do_abort }, { "exit", do_exit }, { "_exit", do__exit },
	{ "kill", do_kill }, { "stack", do_stack }, { "shout", do_shout }, { "hang", do_hang },
	{ "spin", do_spin }, { "flood", do_flood }, { "alloc", do_alloc }, { "close", do_close },
	{ "garbage", do_garbage }, { "files", do_files }, { "return_twice", do_return_twice },
	{ "forge", do_forge }, { "storm", do_storm }, { "deaf", do_deaf },
	{ "children", do_children }, { "rabbit", do_rabbit }, { "bomb", do_bomb },
	{ "helper", do_helper }, { "surroundings", do_surroundings }, { "limits", do_limits },
	{ "threads", do_threads }, { "queue", do_queue }, { "nulls", do_nulls },
	{ "recall", do_recall }, { "tell_secret", do_tell_secret }, { "status", do_status },
	{ "chunks", do_chunks }, { "outputs", do_outputs }, { "ask", do_ask } };

int32_t hostile_act(struct wbl_call *call, const char *what, int64_t n)
{
	size_t i;

	for (i = 0; i < sizeof acts / sizeof *acts; i++)
		if (!strcmp(acts[i].name, what))
			return acts[i].fn(call, n);
	return WBL_OK;
}
