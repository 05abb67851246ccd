/* conform/kit.c - one test in a process of its own: its verdict, its limit, and an end to all that it leaves behind.
 * SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "core/conform/conform.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/base/file.h"

static enum wbl_verdict say(
	struct wbl_kit *k, enum wbl_verdict verdict, const char *fmt, va_list ap)
{
	char text[4096];

	vsnprintf(text, sizeof text, fmt, ap);
	wbl_buf_clear(&k->why);
	wbl_buf_adds(&k->why, text);
	return verdict;
}

#define SAYS(name, verdict)                                                                        \
	enum wbl_verdict name(struct wbl_kit *k, const char *fmt, ...)                             \
	{                                                                                          \
		enum wbl_verdict v;                                                                \
		va_list ap;                                                                        \
                                                                                                   \
		va_start(ap, fmt);                                                                 \
		v = say(k, verdict, fmt, ap);                                                      \
		va_end(ap);                                                                        \
		return v;                                                                          \
	}
SAYS(wbl_kit_pass, WBL_PASS)
SAYS(wbl_kit_fail, WBL_FAIL)
SAYS(wbl_kit_warn, WBL_WARN)
SAYS(wbl_kit_skip, WBL_SKIP)

void wbl_kit_doing(struct wbl_kit *k, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(k->doing, WBL_KIT_DOING, fmt, ap);
	va_end(ap);
}

const char *wbl_verdict_name(enum wbl_verdict v)
{
	static const char *const names[] = { "pass", "fail", "warn", "skip", "crash" };

	return names[v];
}

/* What became an orphan below us has become our child (subreaper): engines, hosts, what these have started. */
static void end_children(void)
{
	WBL_AUTOFREE char *path = wbl_strf("/proc/self/task/%ld/children", (long)getpid());
	int round;

	for (round = 0; round < 1000; round++) {
		FILE *f = fopen(path, "re");
		long pid;

		while (f && fscanf(f, "%ld", &pid) == 1)
			kill((pid_t)pid, SIGKILL);
		if (f)
			fclose(f);
		while (waitpid(-1, NULL, WNOHANG) > 0)
			;
		if (waitpid(-1, NULL, WNOHANG) < 0 && errno == ECHILD)
			return;
		poll(NULL, 0, 2);
	}
}

static volatile sig_atomic_t interrupted;

static void interrupt(int sig)
{
	interrupted = sig;
}

/* Ctrl-C, and a reader that goes away, must not leave engines and scratch folders behind. */
void wbl_kit_catch(void)
{
	const struct sigaction act = { .sa_handler = interrupt };

	sigaction(SIGINT, &act, NULL);
	sigaction(SIGTERM, &act, NULL);
	sigaction(SIGHUP, &act, NULL);
	signal(SIGPIPE, SIG_IGN);
}

bool wbl_kit_interrupted(void)
{
	return interrupted;
}

static void be_the_test(struct wbl_kit *k, const struct wbl_kit_test *t, int out)
{
	char verdict;

	setpgid(0, 0);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	signal(SIGINT, SIG_DFL);
	signal(SIGTERM, SIG_DFL);
	signal(SIGHUP, SIG_DFL);
	signal(SIGPIPE, SIG_DFL);
	verdict = (char)('0' + t->run(k));
	if (write(out, &verdict, 1) == 1 && k->why.len)
		wbl_write_all(out, k->why.data, k->why.len);
	_exit(0);
}

/* True when it ended by itself. */
static bool listen_to(int in, pid_t pid, int64_t limit_ns, struct wbl_buf *said)
{
	int64_t until = wbl_now_mono() + limit_ns;
	struct pollfd fds[2] = { { .fd = in, .events = POLLIN },
		{ .fd = pidfd_open(pid, 0), .events = POLLIN } };
	bool over = false;
	char part[4096];
	ssize_t n;

	fcntl(in, F_SETFL, O_NONBLOCK);
	while (!over && !interrupted) {
		int64_t left = (until - wbl_now_mono()) / 1000000;

		int ready = left > 0 ? poll(fds, 2, (int)left) : 0;

		if (!ready)
			break;
		if (ready < 0)
			continue;
		over = fds[1].revents;
		while ((n = read(in, part, sizeof part)) > 0)
			wbl_buf_add(said, part, (size_t)n);
		if (n == 0)
			fds[0].fd = -1;
	}
	close(fds[1].fd);
	return over;
}

static char *why_it_died(const struct wbl_kit *k, int status)
{
	const char *at = *k->doing ? k->doing : "its test";

	if (WIFSIGNALED(status))
		return wbl_strf("the kit itself was killed by signal %d (%s) in %s",
			WTERMSIG(status), strsignal(WTERMSIG(status)), at);
	return wbl_strf("the kit itself ended with status %d in %s", WEXITSTATUS(status), at);
}

/* For a debugger: nothing is forked before the module's host is there, and then this process becomes it. */
static void run_here(struct wbl_kit *k, const struct wbl_kit_test *t, struct wbl_kit_result *ret)
{
	int64_t began = wbl_now_mono();

	ret->test = t;
	ret->verdict = t->run(k);
	ret->why = wbl_strdup(k->why.data ? k->why.data : "");
	ret->elapsed_ns = wbl_now_mono() - began;
	wbl_buf_clear(&k->why);
}

void wbl_kit_run(struct wbl_kit *k, const struct wbl_kit_test *t, struct wbl_kit_result *ret)
{
	int64_t began = wbl_now_mono();
	struct wbl_buf said = { 0 };
	int p[2], status = 0;
	bool over;
	pid_t pid;

	*ret = (struct wbl_kit_result){ .test = t, .verdict = WBL_CRASH };
	if (k->in_process) {
		run_here(k, t, ret);
		return;
	}
	*k->doing = '\0';
	fflush(NULL);
	if (pipe2(p, O_CLOEXEC) || (pid = fork()) < 0) {
		ret->why = wbl_strf("no process could be started: %s", strerror(errno));
		return;
	}
	if (!pid)
		be_the_test(k, t, p[1]);
	close(p[1]);
	over = listen_to(p[0], pid, k->limit_ns, &said);
	close(p[0]);
	if (!over)
		kill(-pid, SIGKILL);
	waitpid(pid, &status, 0);
	end_children();
	if (interrupted) {
		ret->verdict = WBL_SKIP;
		ret->why = wbl_strdup("interrupted");
	} else if (!over) {
		ret->verdict = WBL_FAIL;
		ret->why = wbl_strf("not over after %lld s; it was at: %s",
			(long long)(k->limit_ns / 1000000000), *k->doing ? k->doing : "its start");
	} else if (said.len && said.data[0] >= '0' && said.data[0] <= '0' + WBL_CRASH) {
		ret->verdict = (enum wbl_verdict)(said.data[0] - '0');
		ret->why = wbl_strdup(said.data + 1);
	} else {
		ret->why = why_it_died(k, status);
	}
	wbl_buf_clear(&said);
	ret->elapsed_ns = wbl_now_mono() - began;
}

const struct wbl_provides *wbl_kit_handler(const struct wbl_kit *k)
{
	size_t i;

	for (i = 0; k->manifest && i < k->manifest->nprovides; i++)
		if (!strcmp(k->manifest->provides[i].interface, "wbl.handler/1"))
			return &k->manifest->provides[i];
	return NULL;
}
