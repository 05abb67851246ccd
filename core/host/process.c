/* host/process.c - the same surroundings for every handler, whatever the operator's shell looked like.
 * SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "core/host/process.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <locale.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "core/module/wire.h"

static void scrub_environment(void)
{
	WBL_AUTOFREE char *home = wbl_strdup(getenv("HOME")),
			  *mark = wbl_strdup(getenv("WBL_HOST"));

	clearenv();
	setenv("PATH", "/usr/bin:/bin", 1);
	setenv("HOME", home ? home : "/", 1);
	setenv("LANG", "C.UTF-8", 1);
	setenv("TZ", "UTC", 1);
	/* The engine's mark stays: helpers that we start are found by it. */
	setenv("WBL_HOST", mark ? mark : PACKAGE_VERSION, 1);
	setlocale(LC_ALL, "C.UTF-8");
	tzset();
}

void wbl_process_scrub(void)
{
	bool dumpable = getenv("WBL_TEST_DUMPABLE");

	scrub_environment();
	umask(022);
	setvbuf(stdout, NULL, _IOLBF, 0); /* what a handler prints must survive its crash */
	signal(SIGPIPE, SIG_IGN);
	if (!dumpable)
		prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	/* A helper of the handler must not hold the socket: it would keep a dead host's run alive. */
	fcntl(WBL_WIRE_FD, F_SETFD, FD_CLOEXEC);
}

static int32_t limit(const json_t *limits, const char *key, int resource, struct wbl_error *err)
{
	int64_t n = wbl_json_int(limits, key, -1);
	struct rlimit r;
	rlim_t most;

	if (n < 0)
		return 0;
	if (getrlimit(resource, &r))
		return wbl_fail_errno(err, WBL_E_RESOURCES, key, NULL, "the limit cannot be read");
	most = r.rlim_max;
	if (most != RLIM_INFINITY && (rlim_t)n > most)
		n = (int64_t)most;
	r = (struct rlimit){ (rlim_t)n, (rlim_t)n };
	/* Two seconds more until the end without a word: SIGXCPU says which limit it was. */
	if (resource == RLIMIT_CPU && (most == RLIM_INFINITY || (rlim_t)n + 2 <= most))
		r.rlim_max += 2;
	if (setrlimit(resource, &r))
		return wbl_fail_errno(err, WBL_E_RESOURCES, key, "Raise the limit in handlers.d.",
			"the limit of %lld cannot be set", (long long)n);
	return 0;
}

static int32_t become(const char *user, struct wbl_error *err)
{
	const struct passwd *p = getpwnam(user);

	if (!p)
		return wbl_fail(err, WBL_E_USAGE, "run_as", "Name a user of this machine.",
			"there is no user \"%s\"", user);
	if (p->pw_uid == geteuid() && p->pw_uid == getuid())
		return 0;
	if (setgroups(0, NULL) || setgid(p->pw_gid) || setuid(p->pw_uid))
		return wbl_fail_errno(err, WBL_E_UNAVAILABLE, "run_as",
			"Run the engine as root, or take run_as away.",
			"cannot become the user \"%s\"", user);
	if (p->pw_uid && !setuid(0))
		return wbl_fail(err, WBL_E_INTERNAL, "run_as", NULL,
			"root came back after it was given up");
	setenv("HOME", p->pw_dir, 1);
	return 0;
}

int32_t wbl_process_limit(const json_t *limits, struct wbl_error *err)
{
	const char *user = wbl_json_str(limits, "run_as");
	int32_t rc = limit(limits, "nofile", RLIMIT_NOFILE, err);

#ifndef WBL_SANITIZERS /* their shadow memory is address space */
	rc = rc ? rc : limit(limits, "as", RLIMIT_AS, err);
#endif
	rc = rc ? rc : limit(limits, "fsize", RLIMIT_FSIZE, err);
	rc = rc ? rc : limit(limits, "cpu_s", RLIMIT_CPU, err);
	rc = rc ? rc : limit(limits, "core", RLIMIT_CORE, err);
	rc = rc ? rc : limit(limits, "nproc", RLIMIT_NPROC, err);
	if (rc)
		return rc;
	if (!wbl_json_bool(limits, "allow_setuid", false) && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		return wbl_fail_errno(
			err, WBL_E_INTERNAL, NULL, NULL, "no_new_privs cannot be set");
	return user ? become(user, err) : 0;
}
