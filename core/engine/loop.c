/* engine/loop.c - the turn: handle events, advance runs, commit once, let the effects out.
 * SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "core/engine/engine.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <event2/event.h>

#include "core/engine/faults.h"
#include "core/engine/host_process.h"
#include "core/engine/rehearse.h"
#include "core/engine/run.h"

struct wbl_effect {
	struct wbl_effect *next;
	void (*fn)(struct wbl_engine *e, void *ctx);
	void (*drop)(void *ctx);
	void *ctx;
};

void wbl_engine_after(struct wbl_engine *e, void (*fn)(struct wbl_engine *, void *), void *ctx,
	void (*drop)(void *))
{
	struct wbl_effect *f = wbl_alloc(sizeof *f);

	f->fn = fn;
	f->drop = drop;
	f->ctx = ctx;
	*e->last = f;
	e->last = &f->next;
	event_active(e->turn, EV_TIMEOUT, 0);
}

void wbl_engine_touch(struct wbl_engine *e, struct wbl_run *run)
{
	if (!run || run->touched)
		return;
	run->touched = true;
	run->next_touched = e->touched;
	e->touched = run;
	event_active(e->turn, EV_TIMEOUT, 0);
}

/* An entry that somebody watches, kept until it is durable. */
struct seen {
	struct wbl_run *run;
	json_t *entry;
};

static void show_entry(struct wbl_engine *e, void *ctx)
{
	struct seen *seen = ctx;

	if (e->on_entry)
		e->on_entry(e->observer, seen->run, seen->entry);
	json_decref(seen->entry);
	free(seen);
}

static void drop_entry(void *ctx)
{
	struct seen *seen = ctx;

	json_decref(seen->entry);
	free(seen);
}

void wbl_engine_append(struct wbl_engine *e, struct wbl_run *run, struct wbl_entry *entry)
{
	struct seen *seen;

	if (e->broken.code)
		return;
	if (run) {
		entry->run = run->id;
		if (!entry->epoch)
			entry->epoch = run->epoch;
	}
	if (wbl_journal_append(e->state, entry, &e->broken))
		return;
	event_active(e->turn, EV_TIMEOUT, 0);
	if (!run)
		return;
	wbl_run_fold(run, entry);
	wbl_engine_touch(e, run);
	if (e->wants_entries && e->wants_entries(e->observer, run)) {
		seen = wbl_alloc(sizeof *seen);
		seen->run = run;
		seen->entry = wbl_entry_json(entry);
		wbl_engine_after(e, show_entry, seen, drop_entry);
	}
}

static void advance_touched(struct wbl_engine *e)
{
	while (e->touched && !e->broken.code) {
		struct wbl_run *run = e->touched;

		e->touched = run->next_touched;
		run->touched = false;
		wbl_run_advance(e, run);
	}
}

static void let_out(struct wbl_engine *e)
{
	struct wbl_effect *f = e->first, *next;

	e->first = NULL;
	e->last = &e->first;
	for (; f; f = next) {
		next = f->next;
		if (!e->broken.code)
			f->fn(e, f->ctx);
		else if (f->drop)
			f->drop(f->ctx);
		free(f);
	}
}

static void find_standstill(struct wbl_engine *e)
{
	struct wbl_run *run;

	for (run = e->runs; run && !e->first && !e->touched; run = run->next)
		if (!wbl_run_moves(run))
			wbl_run_stand_still(run);
}

int32_t wbl_engine_turn(struct wbl_engine *e, struct wbl_error *err)
{
	event_base_loop(e->base, EVLOOP_ONCE);
	do {
		advance_touched(e);
		if (!e->broken.code && wbl_journal_dirty(e->state) &&
			!wbl_journal_commit(e->state, &e->broken))
			wbl_fault_commit(e);
		let_out(e);
		if (!e->broken.code)
			find_standstill(e);
	} while (!e->broken.code && (e->touched || wbl_journal_dirty(e->state)));
	if (!e->first)
		wbl_runs_forget(e);
	if (e->broken.code) {
		if (err)
			*err = e->broken;
		return e->broken.code;
	}
	return 0;
}

static void on_turn(evutil_socket_t fd, short what, void *ctx)
{
}

static void on_tick(evutil_socket_t fd, short what, void *ctx)
{
	struct wbl_engine *e = ctx;
	struct wbl_run *run;

	for (run = e->runs; run && e->on_progress; run = run->next)
		if (run->ncalls)
			e->on_progress(e->observer, run);
	if (!e->nhosts)
		event_del(e->ticker);
}

void wbl_engine_tick(struct wbl_engine *e)
{
	struct timeval quarter = { .tv_usec = 250000 };

	if (!event_pending(e->ticker, EV_TIMEOUT, NULL))
		event_add(e->ticker, &quarter);
}

static void on_children(evutil_socket_t fd, short what, void *ctx)
{
	wbl_host_reap(ctx);
}

static int32_t load_registry(struct wbl_engine *e, struct wbl_registry **ret, struct wbl_error *err)
{
	WBL_AUTOFREE char *vendor = wbl_strf("%s/whimbrel/handlers.d", WBL_DATADIR);
	WBL_AUTOFREE char *own = wbl_strf("%s/handlers.d", e->options.config_dir);
	const char *conf[] = { vendor, own, NULL };
	struct wbl_registry_options o = { e->options.module_dirs, conf,
		e->options.trust_any_owner };

	return wbl_registry_load(&o, ret, err);
}

static void keep_digests(struct wbl_registry *fresh, const struct wbl_registry *old)
{
	size_t i, k;

	for (i = 0; i < fresh->count; i++)
		for (k = 0; k < old->count; k++)
			if (!strcmp(fresh->entries[i].path, old->entries[k].path) &&
				!memcmp(fresh->entries[i].seen, old->entries[k].seen,
					sizeof old->entries[k].seen))
				memcpy(fresh->entries[i].sha256, old->entries[k].sha256,
					sizeof old->entries[k].sha256);
}

int32_t wbl_engine_reload(struct wbl_engine *e, struct wbl_error *err)
{
	struct wbl_registry *fresh;
	int32_t rc = load_registry(e, &fresh, err);

	if (rc)
		return rc;
	keep_digests(fresh, e->registry);
	wbl_registry_free(e->registry);
	e->registry = fresh;
	return 0;
}

/* Enough to keep every processor busy while others wait for disks; more would only get in each other's way. */
static int64_t default_hosts(void)
{
	int64_t n = 32 * (int64_t)sysconf(_SC_NPROCESSORS_ONLN);

	return n < 64 ? 64 : n;
}

int32_t wbl_engine_open(
	const struct wbl_engine_options *o, struct wbl_engine **ret, struct wbl_error *err)
{
	struct wbl_engine *e = wbl_alloc(sizeof *e);
	WBL_AUTOFREE char *boot = NULL;
	int32_t rc;

	e->options = *o;
	e->last = &e->first;
	e->max_hosts = o->max_hosts ? o->max_hosts : default_hosts();
	e->started = wbl_now_real();
	e->base = event_base_new();
	e->binding = json_object();
	e->turn = event_new(e->base, -1, EV_PERSIST, on_turn, e);
	e->children = evsignal_new(e->base, SIGCHLD, on_children, e);
	event_add(e->children, NULL);
	e->ticker = event_new(e->base, -1, EV_PERSIST, on_tick, e);
	signal(SIGPIPE, SIG_IGN);
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	rc = wbl_state_open(o->state_dir, 0, &e->state, err);
	if (!rc)
		rc = load_registry(e, &e->registry, err);
	if (!rc)
		rc = wbl_hosts_end_orphans(e, err);
	if (!rc)
		wbl_rehearsals_clean(e);
	if (!rc)
		rc = wbl_runs_load(e, err);
	if (rc) {
		wbl_engine_close(e);
		return rc;
	}
	boot = wbl_strf("{\"pid\":%ld}", (long)getpid());
	wbl_engine_append(e, NULL,
		&(struct wbl_entry){ .kind = WBL_KIND_ENGINE_START,
			.name = PACKAGE_VERSION,
			.body = { boot, strlen(boot) } });
	*ret = e;
	return 0;
}

void wbl_engine_close(struct wbl_engine *e)
{
	struct wbl_effect *f;

	if (!e)
		return;
	wbl_hosts_kill_all(e);
	while ((f = e->first)) {
		e->first = f->next;
		if (f->drop)
			f->drop(f->ctx);
		free(f);
	}
	wbl_runs_free(e);
	wbl_registry_free(e->registry);
	wbl_state_close(e->state);
	event_free(e->turn);
	event_free(e->children);
	event_free(e->ticker);
	event_base_free(e->base);
	json_decref(e->binding);
	free(e);
}

bool wbl_engine_busy(const struct wbl_engine *e)
{
	const struct wbl_run *run;

	for (run = e->runs; run; run = run->next)
		if (!run->held &&
			(!wbl_run_at_rest(run) || event_pending(run->timer, EV_TIMEOUT, NULL)))
			return true;
	return e->hosts != NULL;
}
