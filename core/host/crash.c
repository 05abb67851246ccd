/* host/crash.c - one line and a backtrace on standard error, then the signal's own way.
 * SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "core/host/crash.h"

#include <execinfo.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

#include "core/base/util.h"

enum { STACK = 64 << 10, FRAMES = 64 };

static const struct {
	int signal;
	const char *name;
} crashes[] = {
	{ SIGSEGV, "SIGSEGV" },
	{ SIGABRT, "SIGABRT" },
	{ SIGBUS, "SIGBUS" },
	{ SIGFPE, "SIGFPE" },
	{ SIGILL, "SIGILL" },
};

static _Atomic(const char *) now_call, now_handler;

void wbl_crash_note(const char *call, const char *handler)
{
	atomic_store(&now_call, call);
	atomic_store(&now_handler, handler);
}

static size_t put(char *line, size_t at, size_t cap, const char *s)
{
	while (s && *s && at < cap)
		line[at++] = *s++;
	return at;
}

/* Only what may be called in a signal handler; backtrace has loaded its library before. */
static void crashed(int sig)
{
	const char *name = "a signal";
	char line[256];
	void *frames[FRAMES];
	size_t at = 0, i;
	ssize_t unused;

	for (i = 0; i < WBL_COUNT(crashes); i++)
		if (crashes[i].signal == sig)
			name = crashes[i].name;
	at = put(line, at, sizeof line - 1, "whimbrel-host: ");
	at = put(line, at, sizeof line - 1, name);
	at = put(line, at, sizeof line - 1, " in ");
	at = put(line, at, sizeof line - 1, atomic_load(&now_call));
	at = put(line, at, sizeof line - 1, " of ");
	at = put(line, at, sizeof line - 1, atomic_load(&now_handler));
	line[at++] = '\n';
	unused = write(STDERR_FILENO, line, at);
	(void)unused;
	backtrace_symbols_fd(frames, backtrace(frames, FRAMES), STDERR_FILENO);
	raise(sig); /* the disposition is the default one again */
}

void wbl_crash_install(void)
{
	struct sigaction action = { .sa_handler = crashed,
		.sa_flags = (int)(SA_ONSTACK | SA_RESETHAND | SA_NODEFER) };
	static char room[STACK];
	stack_t stack = { .ss_sp = room, .ss_size = STACK };
	void *frame;
	size_t i;

	wbl_crash_note("start", "no handler");
	backtrace(&frame, 1);
	sigaltstack(&stack, NULL);
	sigemptyset(&action.sa_mask);
	for (i = 0; i < WBL_COUNT(crashes); i++)
		sigaction(crashes[i].signal, &action, NULL);
}
