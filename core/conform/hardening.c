/* conform/hardening.c - level 4: disks that fail, many calls in one process, other surroundings, memory.
 * SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "core/conform/hardening.h"

#include <fcntl.h>
#include <glob.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/file.h"
#include "core/conform/cast.h"
#include "core/conform/fixture.h"

enum {
	FEW_FAULTS = 20,
	MOST_FAULTS = 150,
	CYCLES = 50,
	WARM = 5,
	GROWTH_KB = 4096,
	VALGRIND_WAIT_MS = 90000
};

/* --- disks that fail --- */

struct disk {
	char *fault, *count, *preload, *file;
	const char *env[7];
};

static void fault_at(const struct wbl_kit *k, const char *kind, int64_t nth, struct disk *d)
{
	d->file = wbl_strf("%s/count", k->scratch);
	d->fault = wbl_strf("WBL_CONFORM_FAULT=%s:%" PRId64, kind, nth);
	d->count = wbl_strf("WBL_CONFORM_COUNT=%s", d->file);
	d->preload = wbl_strf("LD_PRELOAD=%s", k->preload);
	d->env[0] = "HOME=/";
	d->env[1] = "WBL_TEST_DUMPABLE=1";
	d->env[2] = d->fault;
	d->env[3] = d->count;
	d->env[4] = d->preload;
	/* In a build with sanitizers their library would want to come first. */
	d->env[5] = "ASAN_OPTIONS=verify_asan_link_order=0:detect_leaks=0:handle_abort=0";
	d->env[6] = NULL;
	wbl_file_replace(d->file, "\0\0\0\0\0\0\0\0", 8, 0600, NULL);
}

static int64_t clear_fault(struct disk *d)
{
	struct wbl_buf b = { 0 };
	int64_t n = 0;

	if (!wbl_file_read(d->file, 8, &b, NULL) && b.len == 8)
		memcpy(&n, b.data, 8);
	wbl_buf_clear(&b);
	free(d->fault);
	free(d->count);
	free(d->preload);
	free(d->file);
	return n;
}

/* Done with the fault; then, in a host without it, resumed or taken back. */
static enum wbl_verdict after_fault(struct wbl_kit *k, struct wbl_stage *s, struct wbl_world *w,
	const char *what, bool harmless, bool resume)
{
	int32_t status = wbl_stage_do(s);
	enum wbl_verdict v = WBL_PASS;
	bool done = !status;
	char *how;

	if (status == WBL_STAGE_DEAD || (status && harmless))
		return wbl_cast_failed(k, s, what, status);
	if (status && !*s->why)
		return wbl_kit_fail(k, "%s: %s returned \"%s\" without a diagnostic", what,
			s->where, wbl_code_name(status));
	wbl_stage_end(s);
	s->env = NULL;
	if (!done) {
		status = resume ? wbl_stage_do(s) : wbl_stage_undo(s);
		if (status)
			return wbl_cast_failed(k, s,
				resume ? "resumed after the fault" : "rolled back after the fault",
				status);
	}
	how = wbl_world_differs(k, done || resume ? &w->after : &w->before);
	if (how)
		v = wbl_kit_fail(k, "%s, then %s: %s", what,
			done     ? "it said that all was well"
			: resume ? "resumed"
				 : "rolled back",
			how);
	free(how);
	return v;
}

/* harmless: the call has to be done again, and all goes well. */
static enum wbl_verdict failing_disk(struct wbl_kit *k, const char *kind, bool harmless)
{
	int64_t n, calls, step, tried = 0;
	enum wbl_verdict v;
	struct wbl_stage s;
	struct wbl_world w;
	struct disk d;

	if (!k->preload)
		return wbl_kit_skip(k, "the library that makes calls fail is not installed");
	if (!wbl_cast_open_world(k, &s, &w, &v))
		return v;
	wbl_stage_end(&s);
	fault_at(k, kind, 0, &d);
	s.env = d.env;
	if (wbl_stage_do(&s))
		v = wbl_kit_skip(k, "undisturbed it does not come to its end");
	else
		v = WBL_PASS;
	wbl_stage_end(&s);
	s.env = NULL;
	calls = clear_fault(&d);
	step = calls <= FEW_FAULTS ? 1 : k->stride;
	if (step <= calls / MOST_FAULTS)
		step = calls / MOST_FAULTS + 1;
	for (n = 1; n <= calls && v == WBL_PASS; n += step, tried++) {
		WBL_AUTOFREE char *what = wbl_strf("%s at change %" PRId64 " of a file", kind, n);

		wbl_cast_reset(&s);
		fault_at(k, kind, n, &d);
		s.env = d.env;
		v = after_fault(k, &s, &w, what, harmless, n % 2);
		s.env = NULL;
		clear_fault(&d);
	}
	wbl_cast_close(k, &s, &w);
	return v == WBL_PASS ? wbl_kit_pass(k, "%" PRId64 " faults", tried) : v;
}

enum wbl_verdict wbl_hardening_full_disk(struct wbl_kit *k)
{
	return failing_disk(k, "enospc", false);
}

enum wbl_verdict wbl_hardening_bad_disk(struct wbl_kit *k)
{
	return failing_disk(k, "eio", false);
}

enum wbl_verdict wbl_hardening_short(struct wbl_kit *k)
{
	return failing_disk(k, "short", true);
}

enum wbl_verdict wbl_hardening_interrupted(struct wbl_kit *k)
{
	return failing_disk(k, "eintr", false);
}

/* --- many calls --- */

struct usage {
	int descriptors, threads, children;
	long rss_kb;
	char mask[16], cwd[512];
};

static void read_text(pid_t pid, const char *file, char *out, size_t room)
{
	WBL_AUTOFREE char *path = wbl_strf("/proc/%ld/%s", (long)pid, file);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, out, room - 1);

	out[n > 0 ? n : 0] = '\0';
	if (fd >= 0)
		close(fd);
}

static long number_of(const char *text, const char *key)
{
	const char *at = strstr(text, key);

	return at ? strtol(at + strlen(key), NULL, 10) : -1;
}

/* Members of its process group or children of its own: what it has forked and left. */
static int others_of(pid_t pid)
{
	glob_t g;
	size_t i;
	int n = 0;

	if (glob("/proc/[0-9]*/stat", 0, NULL, &g))
		return 0;
	for (i = 0; i < g.gl_pathc; i++) {
		struct wbl_buf b = { 0 };
		const char *end;
		long parent = 0;
		char state;

		if (!wbl_file_read(g.gl_pathv[i], 4096, &b, NULL) && b.len &&
			(end = strrchr(b.data, ')')) &&
			sscanf(end + 1, " %c %ld", &state, &parent) == 2 && parent == pid)
			n++;
		wbl_buf_clear(&b);
	}
	globfree(&g);
	return n;
}

static void measure(pid_t pid, struct usage *u)
{
	WBL_AUTOFREE char *fds = wbl_strf("/proc/%ld/fd/*", (long)pid);
	WBL_AUTOFREE char *cwd = wbl_strf("/proc/%ld/cwd", (long)pid);
	char status[4096];
	const char *mask;
	ssize_t n;
	glob_t g;

	*u = (struct usage){ 0 };
	if (!glob(fds, 0, NULL, &g)) {
		u->descriptors = (int)g.gl_pathc;
		globfree(&g);
	}
	read_text(pid, "status", status, sizeof status);
	u->threads = (int)number_of(status, "Threads:");
	u->rss_kb = number_of(status, "RssAnon:");
	mask = strstr(status, "Umask:");
	snprintf(u->mask, sizeof u->mask, "%.*s", mask ? (int)strcspn(mask, "\n") : 0,
		mask ? mask : "");
	n = readlink(cwd, u->cwd, sizeof u->cwd - 1);
	u->cwd[n > 0 ? n : 0] = '\0';
	u->children = others_of(pid);
}

static enum wbl_verdict compare(struct wbl_kit *k, const struct usage *fresh, const struct usage *a,
	const struct usage *b, int cycles)
{
	if (b->descriptors > a->descriptors)
		return wbl_kit_fail(k, "%d descriptors more after %d times there and back",
			b->descriptors - a->descriptors, cycles);
	if (b->threads > a->threads || b->threads > 2)
		return wbl_kit_fail(k,
			"%d threads are left after its calls; join them before a call returns",
			b->threads - 2);
	if (b->children)
		return wbl_kit_fail(k, "%d child processes are left after its calls", b->children);
	if (strcmp(fresh->mask, b->mask) || strcmp(fresh->cwd, b->cwd))
		return wbl_kit_fail(k, "it has changed %s of its process",
			strcmp(fresh->cwd, b->cwd) ? "the folder" : "the umask");
#ifndef WBL_SANITIZERS /* they keep what was freed for a while */
	if (b->rss_kb - a->rss_kb > GROWTH_KB)
		return wbl_kit_warn(k, "memory has grown by %ld kB in %d times there and back",
			b->rss_kb - a->rss_kb, cycles);
#endif
	return wbl_kit_pass(k, "%d times there and back in one process, %ld kB more", cycles,
		b->rss_kb - a->rss_kb);
}

enum wbl_verdict wbl_hardening_leaks(struct wbl_kit *k)
{
	int cycles = CYCLES / k->stride > 10 ? CYCLES / k->stride : 10, i;
	struct usage fresh, first = { 0 }, now;
	enum wbl_verdict v;
	struct wbl_stage s;
	struct wbl_world w;
	int32_t status = 0;

	if (!wbl_cast_open_world(k, &s, &w, &v))
		return v;
	measure(s.p->pid, &fresh);
	for (i = 0; i < cycles && !status; i++) {
		wbl_stage_forget_steps(&s);
		status = wbl_stage_do(&s);
		status = status ? status : wbl_stage_undo(&s);
		if (i == WARM && !status)
			measure(s.p->pid, &first);
	}
	if (status) {
		v = wbl_cast_failed(
			k, &s, "done and taken back again and again in one process", status);
	} else {
		measure(s.p->pid, &now);
		v = compare(k, &fresh, &first, &now, cycles);
	}
	wbl_cast_close(k, &s, &w);
	return v;
}

/* --- surroundings --- */

enum wbl_verdict wbl_hardening_surroundings(struct wbl_kit *k)
{
	static const char *const env[] = { "LC_ALL=tr_TR.UTF-8", "TZ=Pacific/Chatham",
		"HOME=/nonexistent", "TMPDIR=/nonexistent", "WBL_TEST_CLOCK=-31536000000000000",
		NULL };
	struct wbl_buf out = { 0 };
	enum wbl_verdict v = WBL_PASS;
	struct wbl_world w;
	char state[64], *how;
	mode_t mask;
	int status;

	if (!wbl_world_open(k, &w, &v))
		return v;
	mask = umask(077);
	status = wbl_world_command(k, env, &out, "apply -q p-000001");
	umask(mask);
	how = status ? wbl_strdup(wbl_world_said(&out)) : wbl_world_differs(k, &w.after);
	if (how) {
		v = wbl_kit_fail(k, "with another locale, zone, umask and clock: %s", how);
	} else {
		status = wbl_world_command(k, env, &out, "rollback -q last");
		wbl_world_state(k, state);
		how = wbl_world_differs(k, &w.before);
		v = how ? wbl_kit_fail(k,
				  "rolled back with another locale, zone, umask and clock (%s): %s",
				  state, how)
			: WBL_PASS;
	}
	free(how);
	wbl_buf_clear(&out);
	wbl_world_close(k, &w);
	return v;
}

/* --- memory --- */

static const char *find_valgrind(void)
{
	static const char *const places[] = { "/usr/bin/valgrind", "/usr/local/bin/valgrind" };
	size_t i;

	for (i = 0; i < WBL_COUNT(places); i++)
		if (!access(places[i], X_OK))
			return places[i];
	return NULL;
}

/* The first report in any of its logs. */
static bool first_report(const struct wbl_kit *k, char *out, size_t room)
{
	WBL_AUTOFREE char *pattern = wbl_strf("%s/valgrind.*", k->scratch);
	bool found = false;
	glob_t g;
	size_t i;

	if (glob(pattern, 0, NULL, &g))
		return false;
	for (i = 0; i < g.gl_pathc; i++) {
		struct wbl_buf b = { 0 };

		if (!found && !wbl_file_read(g.gl_pathv[i], 1 << 20, &b, NULL) && b.len) {
			snprintf(out, room, "%s", b.data);
			found = true;
		}
		unlink(g.gl_pathv[i]);
		wbl_buf_clear(&b);
	}
	globfree(&g);
	return found;
}

enum wbl_verdict wbl_hardening_valgrind(struct wbl_kit *k)
{
	const char *valgrind = find_valgrind();
	WBL_AUTOFREE char *log = wbl_strf("--log-file=%s/valgrind.%%p", k->scratch);
	const char *wrap[] = { valgrind, "-q", "--num-callers=12", log, NULL };
	enum wbl_verdict v;
	struct wbl_stage s;
	struct wbl_world w;
	char report[900];
	int32_t status;

#ifdef WBL_SANITIZERS
	valgrind = NULL;
#endif
	if (!valgrind)
		return wbl_kit_skip(k, "there is no valgrind");
	if (!wbl_cast_open_world(k, &s, &w, &v))
		return v;
	wbl_stage_end(&s);
	s.wrap = wrap;
	s.wait_ms = VALGRIND_WAIT_MS;
	status = wbl_stage_do(&s);
	status = status ? status : wbl_stage_undo(&s);
	wbl_stage_end(&s);
	if (first_report(k, report, sizeof report))
		v = wbl_kit_fail(k, "%s", report);
	else if (status)
		v = wbl_cast_failed(k, &s, "under valgrind", status);
	else
		v = WBL_PASS;
	wbl_cast_close(k, &s, &w);
	return v;
}
