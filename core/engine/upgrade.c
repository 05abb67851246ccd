/* engine/upgrade.c - a run goes on with another module file than the one it was bound to.
 * In: a run that is taken up.  Out: yes, when the files are the same; yes, after everything that the old version left
 * behind (step parameters, checkpoints, undo records, staged values) went through `upgrade` of the new one, once, and
 * the replacement was recorded; no, with a reason, when the new manifest does not list the old version.
 * All is recorded in one commit: a crash before it begins anew, for `upgrade` does nothing else.
 * SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "core/engine/upgrade.h"

#include <stdlib.h>
#include <string.h>

#include "core/engine/run.h"

#define UPGRADE_TIMEOUT INT64_C(60000000000)

/* One object of the old version; `head` is the engine's own part of the entry, which stays. */
struct object {
	int32_t what;
	enum wbl_kind kind;
	struct wbl_run_step *step;
	char *chunk, *name;
	struct wbl_buf head, old, new;
	int64_t seq;
};

struct wbl_upgrade {
	struct wbl_run *run;
	size_t instance;           /* the one under way */
	struct wbl_instance *with; /* the same handler, of the new file */
	json_t *module;
	struct object *objects;
	size_t count, at;
	struct wbl_call_request *call;
};

/* --- may it? --- */

static const json_t *migration_of(const struct wbl_run *run, const char *name)
{
	const json_t *m;
	size_t i;

	json_array_foreach(json_object_get(run->plan, "migrations"), i,
		m) if (!strcmp(wbl_json_str(m, "name"), name)) return m;
	return NULL;
}

static bool lists(const char *const *versions, const char *version)
{
	for (; *versions; versions++)
		if (!strcmp(*versions, version))
			return true;
	return false;
}

static int32_t find(const struct wbl_run *run, const char *interface, const char *name,
	const struct wbl_provides **provides, const struct wbl_module_entry **entry,
	struct wbl_error *err)
{
	struct wbl_error why;

	if (!wbl_registry_find(run->engine->registry, interface, name, provides, entry, &why))
		return 0;
	return wbl_fail(err, WBL_E_OLD_PLAN, run->id, why.hint,
		"the module of \"%s\" is not usable any more: %s", name, why.text);
}

static int32_t peers_fit(const struct wbl_run *run, const json_t *peers, struct wbl_error *err)
{
	const struct wbl_module_entry *entry;
	const struct wbl_provides *provides;
	const json_t *p;
	int32_t rc = 0;
	size_t i;

	json_array_foreach(peers, i, p)
	{
		const json_t *module = json_object_get(p, "module");

		rc = find(run, wbl_json_str(p, "interface"), wbl_json_str(p, "name"), &provides,
			&entry, err);
		if (!rc && strcmp(entry->sha256, wbl_json_str(module, "sha256")))
			rc = wbl_fail(err, WBL_E_OLD_PLAN, run->id,
				"Put the old file back; then whimbrel recover.",
				"the file of \"%s\" is another one than the run began with (%s, "
				"version %s)",
				wbl_json_str(p, "name"), entry->path, entry->manifest->version);
		if (!rc)
			rc = peers_fit(run, json_object_get(p, "peers"), err);
		if (rc)
			return rc;
	}
	return 0;
}

static int32_t instance_fits(const struct wbl_run *run, const struct wbl_instance *in,
	bool *ret_same, const struct wbl_module_entry **ret_entry, struct wbl_error *err)
{
	const json_t *m = migration_of(run, in->name),
		     *module = json_object_get(in->hello, "module");
	const char *handler = wbl_json_str(m, "handler"),
		   *version = wbl_json_str(module, "version");
	const struct wbl_provides *provides;
	int32_t rc = find(run, "wbl.handler/1", handler, &provides, ret_entry, err);

	if (rc)
		return rc;
	*ret_same = !strcmp((*ret_entry)->sha256, wbl_json_str(module, "sha256"));
	if (!*ret_same && !lists(provides->upgrades_from, version))
		return wbl_fail(err, WBL_E_OLD_PLAN, run->id,
			"Put the old file back, or install a version that can take over from it; "
			"then whimbrel recover.",
			"it began with version %s of \"%s\", and %s is version %s, which does not "
			"say that it can take over",
			version, handler, (*ret_entry)->path, (*ret_entry)->manifest->version);
	return peers_fit(run, json_object_get(m, "peers"), err);
}

/* A background step of the old file serves on, also while its run is at rest. What it writes down, the new file
 * would not read; what the new one took over, it would overwrite. */
static int32_t is_not_served(
	const struct wbl_run *run, const struct wbl_instance *in, struct wbl_error *err)
{
	size_t i;

	for (i = 0; i < run->nsteps; i++) {
		const struct wbl_run_step *s = &run->steps[i];

		if (s->instance == in && s->ncalls)
			return wbl_fail(err, WBL_E_OLD_PLAN, run->id,
				"Put the old file back; or stop the engine, which ends that step "
				"at "
				"its checkpoint, and then ask again (whimbrel resume, recover): "
				"the "
				"new file takes over.",
				"the module file was replaced, and step %s of the old one is up",
				s->id);
	}
	return 0;
}

int32_t wbl_run_fits(struct wbl_run *run, struct wbl_error *err)
{
	const struct wbl_module_entry *entry;
	int32_t rc = wbl_engine_reload(run->engine, err);
	bool same;
	size_t i;

	for (i = 0; i < run->ninstances && !rc; i++) {
		rc = instance_fits(run, run->instances[i], &same, &entry, err);
		if (!rc && !same)
			rc = is_not_served(run, run->instances[i], err);
	}
	return rc;
}

/* --- what the old version left --- */

static struct object *add(struct wbl_upgrade *u, int32_t what, enum wbl_kind kind,
	struct wbl_run_step *s, const char *chunk, const char *name, const void *data, size_t len)
{
	struct object *o;

	u->objects = wbl_grow(u->objects, u->count, sizeof *u->objects);
	o = &u->objects[u->count++];
	*o = (struct object){ .what = what,
		.kind = kind,
		.step = s,
		.chunk = wbl_strdup(chunk),
		.name = wbl_strdup(name) };
	if (len)
		wbl_buf_add(&o->old, data, len);
	return o;
}

static void clear_object(struct object *o)
{
	free(o->chunk);
	free(o->name);
	wbl_buf_clear(&o->head);
	wbl_buf_clear(&o->old);
	wbl_buf_clear(&o->new);
}

struct walk {
	struct wbl_upgrade *u;
	struct wbl_run_step *step;
	int32_t what;
};

/* A newer entry of the name takes the place of an older one. */
static void forget_older(
	struct wbl_upgrade *u, enum wbl_kind kind, const struct wbl_run_step *s, const char *name)
{
	size_t i;

	for (i = 0; i < u->count; i++) {
		struct object *o = &u->objects[i];

		if (o->kind != kind || o->step != s || strcmp(o->name, name))
			continue;
		clear_object(o);
		memmove(o, o + 1, (u->count - i - 1) * sizeof *o);
		u->count--;
		return;
	}
}

static int32_t take_entry(void *ctx, const struct wbl_entry *e)
{
	struct walk *w = ctx;
	const char *body = e->body.data;
	uint32_t artefact = 0;
	size_t head = 0;
	struct object *o;

	if (!body && e->body.len)
		return 0; /* purged */
	if (e->kind == WBL_KIND_UNDO_PUT && e->body.len >= sizeof artefact) {
		memcpy(&artefact, body, sizeof artefact);
		head = sizeof artefact + artefact;
	}
	if (head > e->body.len)
		return 0;
	forget_older(w->u, e->kind, w->step, e->name);
	o = add(w->u, w->what, e->kind, w->step, e->chunk, e->name, body + head,
		e->body.len - head);
	if (head)
		wbl_buf_add(&o->head, body, head);
	return 0;
}

static void collect_entries(
	struct wbl_upgrade *u, struct wbl_run_step *s, enum wbl_kind kind, int32_t what)
{
	struct wbl_query q = { .run = u->run->id, .step = s->id, .kind = kind, .pass = s->pass };
	struct walk w = { u, s, what };

	wbl_journal_each(u->run->engine->state, &q, take_entry, &w, NULL);
}

static void collect_step(struct wbl_upgrade *u, struct wbl_run_step *s)
{
	enum wbl_call_kind k;
	size_t i;

	if (s->params)
		add(u, WBL_OLD_STEP_PARAMS, WBL_KIND_UPGRADE, s, NULL, "params", s->params,
			strlen(s->params));
	for (k = WBL_CALL_PLAN; k <= WBL_CALL_UPGRADE; k++)
		if (s->checkpoint[k].len)
			add(u, WBL_OLD_CHECKPOINT, WBL_KIND_CHECKPOINT, s, NULL, wbl_call_name(k),
				s->checkpoint[k].data, s->checkpoint[k].len);
	for (i = 0; i < s->nchunks; i++)
		if (s->chunks[i].checkpoint.len)
			add(u, WBL_OLD_CHECKPOINT, WBL_KIND_CHECKPOINT, s, s->chunks[i].id,
				wbl_call_name(WBL_CALL_EXECUTE), s->chunks[i].checkpoint.data,
				s->chunks[i].checkpoint.len);
	if (!s->pass)
		return;
	collect_entries(u, s, WBL_KIND_UNDO_PUT, WBL_OLD_UNDO);
	collect_entries(u, s, WBL_KIND_STATE_PUT, WBL_OLD_STATE);
}

/* --- one instance after the other --- */

static void next_instance(struct wbl_upgrade *u);

static void drop_instance(struct wbl_upgrade *u)
{
	size_t i;

	for (i = 0; i < u->count; i++)
		clear_object(&u->objects[i]);
	u->count = u->at = 0;
	wbl_instance_free(u->run->engine, u->with);
	u->with = NULL;
	json_decref(u->module);
	u->module = NULL;
}

void wbl_upgrade_free(struct wbl_upgrade *u)
{
	if (!u)
		return;
	drop_instance(u);
	free(u->objects);
	free(u);
}

static void finish(struct wbl_upgrade *u)
{
	struct wbl_run *run = u->run;

	run->upgrade = NULL;
	wbl_upgrade_free(u);
	wbl_engine_touch(run->engine, run);
}

/* The run waits for a person, or for another file. */
static void give_up(struct wbl_upgrade *u, const struct wbl_error *why)
{
	WBL_AUTOFREE char *text = wbl_strf(
		"what version %s left behind could not be taken over: %s",
		wbl_json_str(json_object_get(u->run->instances[u->instance]->hello, "module"),
			"version"),
		why->text);

	wbl_run_note(u->run, NULL, "upgrade", text);
	u->run->held = true;
	finish(u);
}

static void record_object(struct object *o)
{
	struct wbl_buf body = { 0 };

	wbl_buf_add(&body, o->head.data, o->head.len);
	wbl_buf_add(&body, o->new.data, o->new.len);
	wbl_step_append(o->step, &(struct wbl_entry){ .kind = o->kind,
					 .chunk = o->chunk,
					 .name = o->name,
					 .body = { body.data, body.len } });
	wbl_buf_clear(&body);
}

static void record(struct wbl_upgrade *u)
{
	struct wbl_instance *in = u->run->instances[u->instance];
	const json_t *old = json_object_get(in->hello, "module");
	json_t *body = json_pack(
		"{s:s, s:O, s:O}", "migration", in->name, "from", old, "module", u->module);
	WBL_AUTOFREE char *text = wbl_json_text(body),
			  *said = wbl_strf("%s goes on with version %s instead of %s (%s)",
				  in->name, wbl_json_str(u->module, "version"),
				  wbl_json_str(old, "version"), wbl_json_str(u->module, "path"));
	size_t i;

	for (i = 0; i < u->count; i++)
		if (u->objects[i].new.data || !u->objects[i].old.len)
			record_object(&u->objects[i]);
	wbl_run_note(u->run, NULL, "upgrade", said);
	wbl_engine_append(u->run->engine, u->run,
		&(struct wbl_entry){ .kind = WBL_KIND_UPGRADE,
			.name = "module",
			.body = { text, strlen(text) } });
	json_decref(body);
	wbl_instance_rest(u->run->engine, in);
}

static void call_next(struct wbl_upgrade *u);

static bool params_are_bad(const struct object *o, const void *data, size_t len)
{
	json_t *j = o->what == WBL_OLD_STEP_PARAMS ? wbl_json_parse(data, len, NULL, NULL) : NULL;
	bool bad = o->what == WBL_OLD_STEP_PARAMS && !json_is_object(j);

	json_decref(j);
	return bad;
}

static void on_upgraded(struct wbl_call_request *call, const struct wbl_outcome_of_call *o)
{
	struct wbl_upgrade *u = call->ctx;
	struct object *object = &u->objects[u->at];
	struct wbl_error err = o->error;

	u->call = NULL;
	if (o->status == WBL_E_UNSUPPORTED && !o->died) {
		u->at = u->count; /* it reads the old ones as they are */
	} else if (o->status) {
		give_up(u, &err);
		return;
	} else if (params_are_bad(object, o->blob, o->blob_len)) {
		wbl_fail(&err, WBL_E_ABI, object->step->id, NULL,
			"upgrade made step parameters that are no JSON object");
		give_up(u, &err);
		return;
	} else {
		wbl_buf_add(&object->new, o->blob_len ? o->blob : "", o->blob_len);
		u->at++;
	}
	call_next(u);
}

static void call_next(struct wbl_upgrade *u)
{
	const json_t *old = json_object_get(u->run->instances[u->instance]->hello, "module");
	struct wbl_call_request *call;

	if (u->at >= u->count) {
		record(u);
		drop_instance(u);
		u->instance++;
		next_instance(u);
		return;
	}
	call = wbl_alloc(sizeof *call);
	call->engine = u->run->engine;
	call->instance = u->with;
	call->kind = WBL_CALL_UPGRADE;
	call->extra = json_pack(
		"{s:i, s:s}", "what", u->objects[u->at].what, "from", wbl_json_str(old, "version"));
	wbl_buf_add(&call->parts[3], u->objects[u->at].old.data, u->objects[u->at].old.len);
	call->timeout_ns = UPGRADE_TIMEOUT;
	call->epoch = u->run->epoch;
	call->done = on_upgraded;
	call->ctx = u;
	u->call = call;
	wbl_call_start(call);
}

static void begin(struct wbl_upgrade *u, const struct wbl_module_entry *entry)
{
	struct wbl_run *run = u->run;
	struct wbl_instance *in = run->instances[u->instance];
	json_t *m = json_copy((json_t *)migration_of(run, in->name));
	size_t i;

	u->module = json_pack("{s:s, s:s, s:s, s:s, s:s}", "name", entry->name, "path", entry->path,
		"sha256", entry->sha256, "id", entry->manifest->id, "version",
		entry->manifest->version);
	json_object_set(m, "module", u->module);
	u->with = wbl_instance_new(run->id, m, run->engine->registry, run->rehearse);
	u->with->run = run;
	json_decref(m);
	for (i = 0; i < run->nsteps; i++)
		if (run->steps[i].instance == in)
			collect_step(u, &run->steps[i]);
	call_next(u);
}

static void next_instance(struct wbl_upgrade *u)
{
	const struct wbl_module_entry *entry;
	struct wbl_error err;
	bool same;

	for (; u->instance < u->run->ninstances; u->instance++) {
		if (instance_fits(u->run, u->run->instances[u->instance], &same, &entry, &err)) {
			give_up(u, &err);
			return;
		}
		if (!same) {
			begin(u, entry);
			return;
		}
	}
	finish(u);
}

void wbl_run_upgrade(struct wbl_run *run)
{
	if (run->upgrade)
		return;
	run->upgrade = wbl_alloc(sizeof *run->upgrade);
	run->upgrade->run = run;
	next_instance(run->upgrade);
}

void wbl_upgrade_tell_epoch(struct wbl_upgrade *u, int64_t epoch)
{
	if (u && u->call)
		wbl_call_send_epoch(u->call, epoch);
}
