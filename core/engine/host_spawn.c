/* engine/host_spawn.c - starting whimbrel-host: descriptors, lock, environment, process group.
 * SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "core/engine/host_inside.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/engine/run.h"

enum {
	FIRST_FREE_FD = 10, /* ours stay clear of the numbers that a host gets */
};

static int high_fd(int fd)
{
	int up = fcntl(fd, F_DUPFD_CLOEXEC, FIRST_FREE_FD);

	close(fd);
	return up;
}

void wbl_host_sign_lock(const struct wbl_host_process *h)
{
	int fd = open(h->lock_path, O_WRONLY | O_TRUNC | O_CLOEXEC);

	if (fd < 0)
		return;
	wbl_write_all(fd, h->instance->owner, strlen(h->instance->owner));
	close(fd);
}

static int make_lock(struct wbl_host_process *h)
{
	int fd;

	h->lock_path = wbl_strf("%s/locks/%s.%ld.%lld", wbl_state_dir(h->engine->state),
		h->instance->owner, (long)getpid(), (long long)h->id);
	fd = open(h->lock_path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return -1;
	fd = high_fd(fd);
	flock(fd, LOCK_SH);
	wbl_host_sign_lock(h);
	return fd;
}

static int spawn(struct wbl_host_process *h, int sock, int lock, int out, int errfd)
{
	posix_spawn_file_actions_t fa;
	posix_spawnattr_t at;
	sigset_t all, none;
	char *argv[] = { (char *)h->engine->options.host_program, "--lock", h->lock_path, NULL };
	WBL_AUTOFREE char *mark = wbl_strf("WBL_HOST=%s", h->lock_path);
	char *envp[16] = { "PATH=/usr/local/bin:/usr/bin:/bin", "LANG=C.UTF-8", "TZ=UTC", "HOME=/",
		mark };
	/* For builds with sanitizers, and for tests of power loss, which record what hosts write. */
	static const char *const passed[][2] = { { "ASAN_OPTIONS", "ASAN_OPTIONS" },
		{ "UBSAN_OPTIONS", "UBSAN_OPTIONS" }, { "WBL_TEST_PRELOAD", "LD_PRELOAD" },
		{ "WBL_POWER_ROOT", "WBL_POWER_ROOT" }, { "WBL_POWER_LOG", "WBL_POWER_LOG" } };
	int rc, n = 5;
	size_t i;

	for (i = 0; i < WBL_COUNT(passed); i++)
		if (secure_getenv(passed[i][0]))
			envp[n++] = wbl_strf("%s=%s", passed[i][1], getenv(passed[i][0]));
	posix_spawn_file_actions_init(&fa);
	posix_spawnattr_init(&at);
	posix_spawn_file_actions_addopen(&fa, 0, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_adddup2(&fa, out, 1);
	posix_spawn_file_actions_adddup2(&fa, errfd, 2);
	posix_spawn_file_actions_adddup2(&fa, sock, WBL_WIRE_FD);
	posix_spawn_file_actions_adddup2(&fa, lock, WBL_LOCK_FD);
	posix_spawn_file_actions_addclosefrom_np(&fa, WBL_LOCK_FD + 1);
	sigfillset(&all);
	sigemptyset(&none);
	posix_spawnattr_setsigdefault(&at, &all);
	posix_spawnattr_setsigmask(&at, &none);
	posix_spawnattr_setpgroup(&at, 0);
	posix_spawnattr_setflags(
		&at, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK);
	rc = posix_spawn(&h->pid, h->engine->options.host_program, &fa, &at, argv, envp);
	while (n > 5)
		free(envp[--n]);
	posix_spawn_file_actions_destroy(&fa);
	posix_spawnattr_destroy(&at);
	return rc;
}

static void set_nonblocking(int fd)
{
	fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
}

/* NULL with errno in *ret_errno */
struct wbl_host_process *wbl_host_start(
	struct wbl_engine *e, struct wbl_instance *instance, int *ret_errno)
{
	struct wbl_host_process *h = wbl_alloc(sizeof *h);
	int sv[2] = { -1, -1 }, p[2][2] = { { -1, -1 }, { -1, -1 } }, lock, i, rc = 0;

	h->engine = e;
	h->instance = instance;
	h->id = ++e->next_host;
	h->queue_last = &h->queue;
	h->out[0].fd = h->out[1].fd = h->sock = -1;
	lock = make_lock(h);
	if (lock < 0 || socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sv) ||
		pipe2(p[0], O_CLOEXEC) || pipe2(p[1], O_CLOEXEC))
		rc = errno;
	for (i = 0; i < 2 && !rc; i++) {
		sv[i] = high_fd(sv[i]);
		p[i][0] = high_fd(p[i][0]);
		p[i][1] = high_fd(p[i][1]);
		if (sv[i] < 0 || p[i][0] < 0 || p[i][1] < 0)
			rc = EMFILE;
	}
	if (!rc)
		rc = spawn(h, sv[1], lock, p[0][1], p[1][1]);
	for (i = 0; i < 2; i++) {
		h->out[i].fd = p[i][0];
		if (p[i][1] >= 0)
			close(p[i][1]);
	}
	if (sv[1] >= 0)
		close(sv[1]);
	if (lock >= 0)
		close(lock);
	h->sock = sv[0];
	if (rc) {
		*ret_errno = rc;
		wbl_host_discard(h);
		return NULL;
	}
	for (i = 0; i < 2; i++)
		set_nonblocking(h->out[i].fd);
	set_nonblocking(h->sock);
	wbl_host_watch(h);
	h->next = e->hosts;
	e->hosts = h;
	e->nhosts++;
	instance->nhosts++;
	wbl_engine_tick(e);
	wbl_host_arm(h, WBL_HOST_START_TIMEOUT);
	wbl_host_say_hello(h);
	return h;
}
