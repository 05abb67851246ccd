/* service/service.c - the engine's process: its options, signals, loop and end.
 * SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "core/service/service.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <event2/event.h>
#include <sodium.h>

#include "core/engine/run.h"
#include "core/service/control.h"

#define IDLE_LIMIT INT64_C(3000000000)

static void say_ready(int fd, const struct wbl_error *err)
{
	json_t *j;

	if (fd < 0)
		return;
	if (!err) {
		wbl_write_all(fd, "ok\n", 3);
	} else {
		WBL_AUTOFREE char *text = NULL;

		j = json_pack("{s:o}", "error", wbl_json_error(err));
		text = wbl_json_text(j);
		wbl_write_all(fd, text, strlen(text));
		wbl_write_all(fd, "\n", 1);
		json_decref(j);
	}
	close(fd);
}

static const char **split_dirs(const char *list)
{
	const char **dirs = wbl_alloc(64 * sizeof *dirs);
	char *copy = wbl_strdup(list), *save, *part;
	size_t n = 0;

	for (part = strtok_r(copy, ":", &save); part && n < 63; part = strtok_r(NULL, ":", &save))
		dirs[n++] = wbl_strdup(part);
	free(copy);
	return dirs;
}

static void free_dirs(const char **dirs)
{
	size_t i;

	for (i = 0; dirs[i]; i++)
		free((char *)dirs[i]);
	free(dirs);
}

static void on_end_signal(evutil_socket_t fd, short what, void *ctx)
{
	struct wbl_control *c = ctx;

	c->stopping = true;
}

static void on_second(evutil_socket_t fd, short what, void *ctx)
{
}

static bool is_done(const struct wbl_control *c)
{
	if (c->stopping)
		return true;
	return c->on_demand && wbl_control_idle(c) && !wbl_engine_busy(c->engine) &&
	       wbl_now_mono() - c->idle_since > IDLE_LIMIT;
}

/* A background step of a run at rest keeps the engine up; asked to end all the same, everything is stopped as after
 * a crash, which recovery knows. */
static int32_t loop(struct wbl_control *c, struct wbl_error *err)
{
	struct timeval second = { .tv_sec = 1 };
	struct event *term = evsignal_new(c->engine->base, SIGTERM, on_end_signal, c);
	struct event *intr = evsignal_new(c->engine->base, SIGINT, on_end_signal, c);
	struct event *tick = event_new(c->engine->base, -1, EV_PERSIST, on_second, NULL);
	int32_t rc = 0;

	event_add(term, NULL);
	event_add(intr, NULL);
	event_add(tick, &second);
	while (!rc && !is_done(c))
		rc = wbl_engine_turn(c->engine, err);
	event_free(term);
	event_free(intr);
	event_free(tick);
	return rc;
}

/* Whoever waits for a run hears why nothing more comes: engine.log may stand on the very disk that is full. */
static void tell_end(struct wbl_control *c, int32_t rc, const struct wbl_error *err)
{
	struct wbl_error asked;

	if (!rc)
		wbl_fail(&asked, WBL_E_UNAVAILABLE, NULL,
			"A run that was under way goes on with: whimbrel recover.",
			"the engine was asked to end");
	wbl_control_tell_end(c, rc ? err : &asked);
}

static void note_stop(struct wbl_engine *e)
{
	wbl_engine_append(e, NULL,
		&(struct wbl_entry){
			.kind = WBL_KIND_ENGINE_STOP, .name = "asked, or nothing to do" });
	if (!e->broken.code)
		wbl_journal_commit(e->state, &e->broken);
}

static void recover_all(struct wbl_engine *e)
{
	struct wbl_run *run;
	struct wbl_error err;

	for (run = e->runs; run; run = run->next) {
		char *decision = NULL;

		if (run->held && (!wbl_run_at_rest(run) || run->state == WBL_RUN_REVERSIBLE ||
					 wbl_run_waits_for_claims(run)))
			wbl_run_recover(run, "auto", &decision, &err);
		free(decision);
	}
}

static void raise_limits(void)
{
	struct rlimit r;

	if (!getrlimit(RLIMIT_NOFILE, &r) && r.rlim_cur < r.rlim_max) {
		r.rlim_cur = r.rlim_max < 65536 ? r.rlim_max : 65536;
		setrlimit(RLIMIT_NOFILE, &r);
	}
}

static int32_t serve(const struct wbl_service_options *o, const struct wbl_engine_options *eo,
	struct wbl_error *err)
{
	struct wbl_engine *e = NULL;
	struct wbl_control *c = NULL;
	int32_t rc = wbl_engine_open(eo, &e, err);

	if (!rc)
		rc = wbl_control_open(e, o->on_demand, &c, err);
	if (!rc)
		wbl_runs_bring_back(e);
	if (!rc && !o->on_demand)
		recover_all(e);
	say_ready(o->ready_fd, rc ? err : NULL);
	if (!rc) {
		rc = loop(c, err);
		tell_end(c, rc, err);
		if (!rc)
			note_stop(e);
	}
	wbl_control_close(c);
	wbl_engine_close(e);
	return rc;
}

int wbl_service_main(const struct wbl_service_options *o)
{
	const char *handlers = secure_getenv("WHIMBREL_HANDLERS"),
		   *host = secure_getenv("WHIMBREL_HOST");
	const char **dirs = split_dirs(handlers ? handlers : WBL_MODULEDIR);
	struct wbl_engine_options eo = { .config_dir = o->config,
		.module_dirs = dirs,
		.host_program = host ? host : WBL_HOSTDIR "/whimbrel-host",
		.trust_any_owner = handlers != NULL };
	struct wbl_error err = { 0 };
	char real[PATH_MAX];
	int32_t rc = sodium_init() < 0 ? wbl_fail(&err, WBL_E_INTERNAL, NULL, NULL,
						 "libsodium cannot be started")
				       : 0;

	umask(077);
	raise_limits();
	if (!rc)
		rc = wbl_mkdirs(o->state, 0700, &err);
	if (!rc && !realpath(o->state, real))
		rc = wbl_fail_errno(
			&err, WBL_E_USAGE, o->state, NULL, "the state folder cannot be found");
	if (rc) {
		say_ready(o->ready_fd, &err);
	} else {
		eo.state_dir = real;
		rc = serve(o, &eo, &err);
	}
	free_dirs(dirs);
	if (rc)
		fprintf(stderr, "whimbrel serve: %s%s%s\n%s\n", err.where, err.where[0] ? ": " : "",
			err.text, err.hint);
	return rc ? wbl_code_exit(rc) : 0;
}
