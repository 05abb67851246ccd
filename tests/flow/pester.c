/* pester.c - a client of the control socket that keeps no rules.
 * In: a state folder, what to do, how often.  Out: one line of counts; status 1 when the engine did not behave.
 * SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum { PATIENCE_MS = 15000 };

static const char *dir;

static void nap(long ms)
{
	nanosleep(&(struct timespec){ ms / 1000, ms % 1000 * 1000000 }, NULL);
}

static void fail(const char *what)
{
	printf("%s (%s)\n", what, strerror(errno));
	exit(1);
}

static int meet(void)
{
	int folder = open(dir, O_PATH | O_DIRECTORY), fd = socket(AF_UNIX, SOCK_STREAM, 0), i;
	struct sockaddr_un sa = { .sun_family = AF_UNIX };

	snprintf(sa.sun_path, sizeof sa.sun_path, "/proc/self/fd/%d/control.sock", folder);
	for (i = 0; connect(fd, (struct sockaddr *)&sa, sizeof sa); i++) {
		if (i > 100)
			fail("no connection");
		nap(20);
	}
	close(folder);
	return fd;
}

/* What the engine does not take within a moment is left unsaid. */
static size_t say(int fd, const char *data, size_t len)
{
	size_t sent = 0;

	while (sent < len) {
		struct pollfd p = { .fd = fd, .events = POLLOUT };
		ssize_t n;

		if (poll(&p, 1, 300) <= 0)
			break;
		n = send(fd, data + sent, len - sent, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n <= 0)
			break;
		sent += (size_t)n;
	}
	return sent;
}

/* One line, at most `cap`; -1: closed; -2: nothing came in time. */
static int hear(int fd, char *buf, size_t cap)
{
	size_t n = 0;

	for (;;) {
		struct pollfd p = { .fd = fd, .events = POLLIN };
		ssize_t r;

		if (poll(&p, 1, PATIENCE_MS) <= 0)
			return -2;
		r = recv(fd, buf + (n < cap - 1 ? n : cap - 2), 1, 0);
		if (r <= 0)
			return -1;
		if (buf[n < cap - 1 ? n : cap - 2] == '\n')
			break;
		n++;
	}
	buf[n < cap - 1 ? n : cap - 2] = '\0';
	return (int)n;
}

/* A well-behaved client is still served; milliseconds that it took. */
static long served(void)
{
	static const char hello[] = "{\"id\":1,\"verb\":\"hello\"}\n";
	struct timespec a, b;
	char buf[4096];
	int fd;

	clock_gettime(CLOCK_MONOTONIC, &a);
	fd = meet();
	say(fd, hello, sizeof hello - 1);
	if (hear(fd, buf, sizeof buf) <= 0 || !strstr(buf, "\"ok\":true"))
		fail("others are not served");
	close(fd);
	clock_gettime(CLOCK_MONOTONIC, &b);
	return (b.tv_sec - a.tv_sec) * 1000 + (b.tv_nsec - a.tv_nsec) / 1000000;
}

static unsigned long long seed = 88172645463325252ull;

static unsigned rnd(unsigned n)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (unsigned)(seed >> 20) % n;
}

static void do_garbage(int n)
{
	char buf[5000];
	int i, k;

	for (i = 0; i < n; i++) {
		int fd = meet();
		size_t len = 1 + rnd(sizeof buf);

		for (k = 0; k < (int)len; k++)
			buf[k] = (char)rnd(256);
		buf[len - 1] = '\n';
		say(fd, buf, len);
		close(fd);
	}
	printf("%d connections of garbage, others served in %ld ms\n", n, served());
}

/* Each is one line and is answered, with a refusal. */
static void do_lines(int n)
{
	static const char *const lines[] = { "", "{", "[]", "7", "\"x\"", "null", "{}",
		"{\"id\":1}", "{\"verb\":\"hello\"}", "{\"id\":\"1\",\"verb\":\"hello\"}",
		"{\"id\":1,\"verb\":7}", "{\"id\":1.5,\"verb\":\"hello\"}",
		"{\"id\":1,\"verb\":\"hello\",\"args\":[]}", "{\"id\":1,\"verb\":\"no such\"}",
		"{\"id\":1,\"id\":2,\"verb\":\"hello\"}", "{\"id\":1,\"verb\":\"hel\\u0000lo\"}",
		"{\"id\":1,\"verb\":\"\xff\xfe\"}",
		"{\"id\":99999999999999999999,\"verb\":\"hello\"}",
		"{\"id\":1,\"verb\":\"status\",\"args\":{\"run\":\"../../etc\"}}",
		"{\"id\":1,\"verb\":\"report\",\"args\":{\"run\":7}}",
		"{\"id\":1,\"verb\":\"rollback\",\"args\":{\"run\":\"last\",\"to\":\"nowhere\"}}",
		"{\"id\":1,\"verb\":\"plan\",\"args\":{\"spec\":\"x\"}}",
		"{\"id\":1,\"verb\":\"plan\",\"args\":{\"spec\":{\"name\":1,\"dir\":2,\"text\":3}}"
		"}",
		"{\"id\":1,\"verb\":\"plan\",\"args\":{\"spec\":{\"name\":\"x\",\"dir\":\"/"
		"\",\"text\":\"@\"}}}",
		"{\"id\":1,\"verb\":\"apply\",\"args\":{\"document\":\"{}\"}}",
		"{\"id\":1,\"verb\":\"apply\",\"args\":{\"document\":7,\"plan\":\"\"}}",
		"{\"id\":1,\"verb\":\"apply\",\"args\":{\"plan\":\"p-999999\"}}",
		"{\"id\":1,\"verb\":\"validate\",\"args\":{\"plan\":\"last\",\"level\":\"no\"}}",
		"{\"id\":1,\"verb\":\"recover\",\"args\":{\"strategy\":\"no\"}}",
		"{\"id\":1,\"verb\":\"audit\",\"args\":{\"op\":\"no\"}}",
		"{\"id\":1,\"verb\":\"audit\",\"args\":{\"anchor\":\"no\"}}",
		"{\"id\":1,\"verb\":\"handler\",\"args\":{\"op\":\"no\"}}",
		"{\"id\":1,\"verb\":\"handler\",\"args\":{\"op\":\"info\",\"name\":{}}}" };
	char buf[65536], *deep = calloc(1, 300000);
	size_t i, count = sizeof lines / sizeof *lines, k;
	int fd = meet(), round;

	for (round = 0; round < n; round++)
		for (i = 0; i < count; i++) {
			if (say(fd, lines[i], strlen(lines[i])) != strlen(lines[i]) ||
				say(fd, "\n", 1) != 1)
				fail(lines[i]);
			if (hear(fd, buf, sizeof buf) <= 0 || !strstr(buf, "\"ok\":false"))
				fail(lines[i]);
		}
	for (k = 0; k < 299998; k++)
		deep[k] = '[';
	deep[k] = '\n';
	say(fd, deep, k + 1);
	if (hear(fd, buf, sizeof buf) <= 0 || !strstr(buf, "\"ok\":false"))
		fail("deep nesting");
	close(fd);
	free(deep);
	printf("%zu bad lines refused, others served in %ld ms\n", count * (size_t)n + 1, served());
}

/* Megabytes without an end of line: closed, and the memory is given back. */
static void do_long(int n)
{
	size_t len = (size_t)n << 20, sent;
	char *page = malloc(len), one;
	int fd = meet();

	memset(page, 'x', len);
	sent = say(fd, page, len);
	if (sent == len && recv(fd, &one, 1, 0) > 0)
		fail("it was answered");
	close(fd);
	free(page);
	printf("a line of %zu MiB was cut off, others served in %ld ms\n", sent >> 20, served());
}

static void do_many(int n)
{
	struct rlimit r = { (rlim_t)n + 64, (rlim_t)n + 64 };
	int i, *fds = calloc((size_t)n, sizeof *fds);
	long ms = 0;

	setrlimit(RLIMIT_NOFILE, &r);
	for (i = 0; i < n; i++) {
		fds[i] = meet();
		say(fds[i], "{\"id\":1,\"verb\":\"he", 18);
		if (i % 250 == 249) {
			long now = served();

			ms = now > ms ? now : ms;
		}
	}
	printf("%d half lines open, others served in %ld ms at most\n", n, ms);
	free(fds);
}

/* Asks for much and reads none of it. */
static void do_slow(int n)
{
	static const char *const asks[] = {
		"{\"id\":1,\"verb\":\"watch\",\"args\":{\"run\":\"last\"}}\n",
		"{\"id\":2,\"verb\":\"audit\",\"args\":{\"op\":\"list\",\"limit\":100000}}\n",
		"{\"id\":3,\"verb\":\"report\",\"args\":{\"run\":\"last\"}}\n",
		"{\"id\":4,\"verb\":\"history\",\"args\":{\"limit\":100000}}\n"
	};
	int i, k, fds[8], small = 4096;
	size_t taken = 0;

	for (k = 0; k < 8; k++) {
		fds[k] = meet();
		setsockopt(fds[k], SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
		for (i = 0; i < n; i++) {
			const char *ask = asks[rnd(4)];
			size_t sent = say(fds[k], ask, strlen(ask));

			taken += sent == strlen(ask);
			if (sent != strlen(ask))
				break;
		}
	}
	printf("%zu requests of clients that read nothing, others served in %ld ms\n", taken,
		served());
}

/* Every verb on everything, well formed. */
static void do_verbs(int n)
{
	static const char *const verbs[] = { "show", "validate", "rehearse", "apply", "watch",
		"status", "pause", "resume", "cancel", "finalize", "rollback", "recover", "verify",
		"repair", "confirm", "answer", "history", "report", "explain", "audit", "handler",
		"doctor", "throttle", "hello" };
	static const char *const runs[] = { "last", "r-000001", "r-000002", "r-000003", "r-000004",
		"r-999999", "" };
	static const char *const plans[] = { "last", "p-000001", "p-000002", "00000000", "p-", "" };
	static const char *const words[] = { "h/evil0", "h/evil1", "", "resume", "rollback", "ask",
		"list", "head", "q0" };
	char line[1024], buf[65536];
	int i, answered = 0;

	for (i = 0; i < n; i++) {
		int fd = meet(), len;

		len = snprintf(line, sizeof line,
			"{\"id\":%d,\"verb\":\"%s\",\"args\":{\"run\":\"%s\",\"plan\":\"%s\",\"%"
			"s\":\"%s\",\"step\":\"%s\","
			"\"question\":\"%s\",\"strategy\":\"%s\",\"items_per_s\":%d,\"text\":\"t\"%"
			"s}}\n",
			i, verbs[rnd(sizeof verbs / sizeof *verbs)], runs[rnd(7)], plans[rnd(6)],
			rnd(2) ? "to" : "op", words[rnd(9)], words[rnd(9)], words[rnd(9)],
			words[3 + rnd(3)], (int)rnd(3) * 1000 - 1000,
			rnd(4) ? "" : ",\"watch\":true");
		say(fd, line, (size_t)len);
		if (rnd(3)) {
			if (hear(fd, buf, sizeof buf) < 0)
				fail(line);
			answered++;
		}
		close(fd);
	}
	printf("%d verbs on everything, %d answered, others served in %ld ms\n", n, answered,
		served());
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		void (*fn)(int n);
	} ways[] = { { "garbage", do_garbage }, { "lines", do_lines }, { "long", do_long },
		{ "many", do_many }, { "slow", do_slow }, { "verbs", do_verbs } };
	size_t i;

	if (argc < 4)
		return 2;
	dir = argv[1];
	if (argc > 4)
		seed += strtoull(argv[4], NULL, 10) * 7919;
	signal(SIGPIPE, SIG_IGN);
	for (i = 0; i < sizeof ways / sizeof *ways; i++)
		if (!strcmp(argv[2], ways[i].name)) {
			ways[i].fn(atoi(argv[3]));
			return 0;
		}
	return 2;
}
