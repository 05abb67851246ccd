/* conform/world.c - engines in scratch folders.
 * SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "core/conform/world.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/base/file.h"
#include "core/conform/fixture.h"
#include "core/conform/put_back.h"
#include "core/state/journal.h"

enum { ENV = 48, OUT_MAX = 16 << 20 };

struct env {
	char *list[ENV];
	int n;
};

static void set(struct env *e, const char *name, const char *value)
{
	if (value && e->n < ENV - 1)
		e->list[e->n++] = wbl_strf("%s=%s", name, value);
}

static void make_env(const struct wbl_kit *k, const char *const *more, struct env *e)
{
	static const char *const passed[] = { "PATH", "HOME", "USER", "ASAN_OPTIONS",
		"UBSAN_OPTIONS" };
	WBL_AUTOFREE char *state = wbl_strf("%s/state", k->scratch);
	WBL_AUTOFREE char *config = wbl_strf("%s/config", k->scratch);
	size_t i;

	for (i = 0; more && more[i]; i++)
		e->list[e->n++] = wbl_strdup(more[i]);
	for (i = 0; i < WBL_COUNT(passed); i++)
		set(e, passed[i], getenv(passed[i]));
	set(e, "WHIMBREL_STATE", state);
	set(e, "WHIMBREL_CONFIG", config);
	set(e, "WHIMBREL_HANDLERS", k->handlers);
	set(e, "WHIMBREL_HOST", k->host);
	set(e, "NO_COLOR", "1");
	/* Nobody cuts the power here; processes are killed, and that needs no fsync. */
	set(e, "WBL_TEST_SYNC_OFF", "1");
	if (!more || !*more || strncmp(*more, "LC_ALL=", 7))
		set(e, "LC_ALL", "C.UTF-8");
}

static int wait_for(pid_t pid)
{
	int status;
	pid_t got;

	/* Engines and hosts that died have become our children: they are taken too. */
	while ((got = waitpid(-1, &status, 0)) != pid)
		if (got < 0 && errno != EINTR)
			return -1;
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

int wbl_world_spawn(const struct wbl_kit *k, const char *const *argv, const char *const *env,
	const char *folder, struct wbl_buf *out)
{
	WBL_AUTOFREE char *log = wbl_strf("%s/said", k->scratch);
	posix_spawn_file_actions_t fa;
	struct env e = { 0 };
	int rc, status = -1;
	pid_t pid;

	prctl(PR_SET_CHILD_SUBREAPER, 1);
	make_env(k, env, &e);
	posix_spawn_file_actions_init(&fa);
	posix_spawn_file_actions_addopen(&fa, 0, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_addopen(
		&fa, 1, log, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND, 0600);
	posix_spawn_file_actions_adddup2(&fa, 1, 2);
	posix_spawn_file_actions_addclosefrom_np(&fa, 3);
	if (folder)
		posix_spawn_file_actions_addchdir_np(&fa, folder);
	rc = posix_spawnp(&pid, argv[0], &fa, NULL, (char *const *)argv, e.list);
	posix_spawn_file_actions_destroy(&fa);
	while (e.n)
		free(e.list[--e.n]);
	if (!rc)
		status = wait_for(pid);
	if (out) {
		wbl_buf_clear(out);
		if (rc)
			wbl_buf_addf(out, "%s: %s", argv[0], strerror(rc));
		else
			wbl_file_read(log, OUT_MAX, out, NULL);
	}
	return status;
}

static struct {
	int64_t ns;
	char what[WBL_KIT_DOING];
} slowest;

const char *wbl_world_slowest(int64_t *ret_ns)
{
	*ret_ns = slowest.ns;
	return slowest.what;
}

int wbl_world_command(
	struct wbl_kit *k, const char *const *env, struct wbl_buf *out, const char *words, ...)
{
	const char *argv[16] = { k->command };
	int64_t began = wbl_now_mono();
	char line[512], *word, *save = NULL;
	size_t n = 1;
	va_list ap;
	int status;

	va_start(ap, words);
	vsnprintf(line, sizeof line, words, ap);
	va_end(ap);
	wbl_kit_doing(
		k, "whimbrel %s%s%s", line, env && *env ? " with " : "", env && *env ? *env : "");
	for (word = strtok_r(line, " ", &save); word && n + 1 < WBL_COUNT(argv);
		word = strtok_r(NULL, " ", &save))
		argv[n++] = word;
	status = wbl_world_spawn(k, argv, env, k->scratch, out);
	if (wbl_now_mono() - began > slowest.ns) {
		slowest.ns = wbl_now_mono() - began;
		snprintf(slowest.what, sizeof slowest.what, "%s", k->doing);
	}
	return status;
}

const char *wbl_world_said(const struct wbl_buf *out)
{
	size_t at = out->len, lines = 0;

	if (!out->len)
		return "it said nothing";
	while (at && lines < 6) {
		at--;
		lines += out->data[at] == '\n' && at + 1 < out->len;
	}
	return out->data + at + (out->data[at] == '\n');
}

void wbl_world_shoot(struct wbl_kit *k)
{
	WBL_AUTOFREE char *path = wbl_strf("%s/state/lock", k->scratch);
	struct wbl_buf b = { 0 };
	long pid = 0;
	int i;

	if (!wbl_file_read(path, 64, &b, NULL) && b.len)
		pid = strtol(b.data + strcspn(b.data, "0123456789"), NULL, 10);
	wbl_buf_clear(&b);
	if (pid <= 1 || kill((pid_t)pid, SIGKILL))
		return;
	for (i = 0; i < 2000; i++) {
		if (waitpid((pid_t)pid, NULL, WNOHANG) == pid || kill((pid_t)pid, 0))
			break;
		poll(NULL, 0, 1);
	}
	while (waitpid(-1, NULL, WNOHANG) > 0)
		;
}

static void shell(const struct wbl_kit *k, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

static void shell(const struct wbl_kit *k, const char *fmt, ...)
{
	const char *argv[] = { "/bin/sh", "-c", NULL, NULL };
	char line[4096];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(line, sizeof line, fmt, ap);
	va_end(ap);
	argv[2] = line;
	wbl_world_spawn(k, argv, NULL, k->scratch, NULL);
}

static void keep(struct wbl_kit *k, const char *as)
{
	wbl_world_shoot(k);
	shell(k, "mkdir -p '%s' && cp -a state fixture '%s/'", as, as);
}

static bool has_been(const struct wbl_kit *k, const char *as)
{
	WBL_AUTOFREE char *folder = wbl_strf("%s/%s/fixture", k->scratch, as);

	return !access(folder, F_OK);
}

void wbl_world_reset(struct wbl_kit *k, const char *to)
{
	static const char *const parts[] = { "state", "fixture" };
	bool good = true;
	size_t i;

	wbl_world_shoot(k);
	if (!has_been(k, to))
		return;
	for (i = 0; i < WBL_COUNT(parts) && good; i++) {
		WBL_AUTOFREE char *kept = wbl_strf("%s/%s/%s", k->scratch, to, parts[i]);
		WBL_AUTOFREE char *place = wbl_strf("%s/%s", k->scratch, parts[i]);

		good = wbl_put_back(kept, place);
	}
	if (!good)
		shell(k,
			"chmod -R u+rwX fixture; rm -rf state fixture; cp -a '%s/state' "
			"'%s/fixture' .",
			to, to);
}

static int32_t put_text(const struct wbl_kit *k, const char *name, const char *text, size_t len)
{
	WBL_AUTOFREE char *path = wbl_strf("%s/%s", k->scratch, name);

	return wbl_file_replace(path, text ? text : "", len, 0600, NULL);
}

static bool get_text(const struct wbl_kit *k, const char *name, struct wbl_buf *ret)
{
	WBL_AUTOFREE char *path = wbl_strf("%s/%s", k->scratch, name);

	return !wbl_file_read(path, OUT_MAX, ret, NULL);
}

char *wbl_world_differs(struct wbl_kit *k, const struct wbl_buf *expected)
{
	struct wbl_error err = { 0 };
	struct wbl_buf now = { 0 };
	char *how;

	if (wbl_fixture_look(k, &now, &err))
		how = wbl_strf("%s: %s", err.where, err.text);
	else
		how = wbl_fixture_difference(expected->data, now.data);
	wbl_buf_clear(&now);
	return how;
}

static int32_t note_state(void *ctx, const struct wbl_entry *e)
{
	snprintf(ctx, 64, "%s", e->name ? e->name : "");
	return 1;
}

void wbl_world_state(struct wbl_kit *k, char out[64])
{
	WBL_AUTOFREE char *dir = wbl_strf("%s/state", k->scratch);
	const struct wbl_query q = { .kind = WBL_KIND_RUN_STATE, .newest_first = true, .limit = 1 };
	struct wbl_state *s = NULL;

	*out = '\0';
	if (wbl_state_open(dir, WBL_STATE_READ_ONLY, &s, NULL))
		return;
	wbl_journal_each(s, &q, note_state, out, NULL);
	wbl_state_close(s);
}

/* --- made once --- */

static enum wbl_verdict make_fixture(struct wbl_kit *k, struct wbl_world *w)
{
	WBL_AUTOFREE char *spec = wbl_fixture_spec(k), *folder = wbl_fixture_folder(k);
	struct wbl_error err = { 0 };

	wbl_kit_doing(k, "the fixture's make");
	if (wbl_mkdirs(folder, 0755, &err) || put_text(k, "spec.conf", spec, strlen(spec)))
		return wbl_kit_fail(k, "%s: %s", err.where, err.text);
	if (k->fixture->make && wbl_fixture_command(k, k->fixture->make, NULL, &err))
		return wbl_kit_fail(k, "%s: %s", err.where, err.text);
	if (wbl_fixture_look(k, &w->before, &err))
		return wbl_kit_fail(k, "%s: %s", err.where, err.text);
	return WBL_PASS;
}

static enum wbl_verdict make_plan(struct wbl_kit *k)
{
	struct wbl_buf out = { 0 };
	enum wbl_verdict v = WBL_PASS;

	if (wbl_world_command(k, NULL, &out, "plan -q spec.conf"))
		v = wbl_kit_fail(k, "it cannot be planned: %s", wbl_world_said(&out));
	else if (wbl_world_command(k, NULL, &out, "show p-000001 -o json"))
		v = wbl_kit_fail(k, "its plan cannot be shown: %s", wbl_world_said(&out));
	else
		put_text(k, "plan.json", out.data, out.len);
	if (v == WBL_PASS)
		keep(k, "planned");
	wbl_buf_clear(&out);
	return v;
}

static enum wbl_verdict make_done(struct wbl_kit *k, struct wbl_world *w)
{
	struct wbl_buf out = { 0 };
	struct wbl_error err = { 0 };
	enum wbl_verdict v = WBL_PASS;
	int status = wbl_world_command(k, NULL, &out, "apply -q p-000001");

	if (status)
		v = wbl_kit_fail(k, "apply ended with status %d: %s", status, wbl_world_said(&out));
	else if (wbl_fixture_look(k, &w->after, &err))
		v = wbl_kit_fail(k, "%s: %s", err.where, err.text);
	else if (w->before.len == w->after.len &&
		 !memcmp(w->before.data ? w->before.data : "", w->after.data ? w->after.data : "",
			 w->before.len))
		v = wbl_kit_fail(k,
			"the fixture looks the same after it as before: nothing was done, "
			"or the fixture's digest does not see it");
	wbl_buf_clear(&out);
	if (v != WBL_PASS)
		return v;
	keep(k, "done");
	put_text(k, "before", w->before.data, w->before.len);
	put_text(k, "after", w->after.data, w->after.len);
	return put_text(k, "ready", "1", 1) ? WBL_FAIL : WBL_PASS;
}

static bool load(struct wbl_kit *k, struct wbl_world *w)
{
	struct wbl_buf plan = { 0 };
	bool good = get_text(k, "before", &w->before) && get_text(k, "after", &w->after) &&
		    get_text(k, "plan.json", &plan);

	if (good)
		w->plan = wbl_json_parse(plan.data, plan.len, "plan.json", NULL);
	wbl_buf_clear(&plan);
	return good && w->plan;
}

bool wbl_world_open(struct wbl_kit *k, struct wbl_world *w, enum wbl_verdict *ret_verdict)
{
	struct wbl_buf mark = { 0 };
	enum wbl_verdict v;

	*w = (struct wbl_world){ 0 };
	if (!k->fixture) {
		*ret_verdict = wbl_kit_skip(k, "no fixture was given (--fixture FILE)");
		return false;
	}
	if (get_text(k, "failed", &mark)) {
		*ret_verdict = wbl_kit_skip(k, "the migration does not work undisturbed");
		wbl_buf_clear(&mark);
		return false;
	}
	if (!get_text(k, "ready", &mark)) {
		v = make_fixture(k, w);
		v = v == WBL_PASS ? make_plan(k) : v;
		v = v == WBL_PASS ? make_done(k, w) : v;
		if (v != WBL_PASS) {
			put_text(k, "failed", k->why.data, k->why.len);
			wbl_world_close(k, w);
			*ret_verdict = v;
			return false;
		}
		wbl_buf_clear(&w->before);
		wbl_buf_clear(&w->after);
	}
	wbl_buf_clear(&mark);
	if (!load(k, w)) {
		*ret_verdict = wbl_kit_fail(k, "%s cannot be read again", k->scratch);
		return false;
	}
	wbl_world_reset(k, "planned");
	return true;
}

bool wbl_world_failed(struct wbl_kit *k, struct wbl_buf *ret)
{
	return get_text(k, "failed", ret);
}

void wbl_world_close(struct wbl_kit *k, struct wbl_world *w)
{
	wbl_world_shoot(k);
	wbl_buf_clear(&w->before);
	wbl_buf_clear(&w->after);
	json_decref(w->plan);
	w->plan = NULL;
}
