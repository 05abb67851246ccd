/* bench_host.c - see bench_host.h. The rules of the ABI that handlers lean on are kept to: first record wins within a pass, chunks
 * count when partition has returned, differences of a failed attempt stay here for the test to look at.
 * SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "bench_host.h"

#include <assert.h>
#include <dlfcn.h>
#include <dirent.h>
#include <fcntl.h>
#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

struct frame {
	struct wbl_call call;
	struct bench *b;
	char *params;
	const char *step;
	struct frame *peers[8];
	size_t npeers;
	const struct wbl_store *opened; /* of a peer, until it is closed */
	void *self;
};

static struct frame *frame_of(struct wbl_call *c)
{
	return (struct frame *)c;
}

static void put(char *to, size_t cap, const char *from)
{
	snprintf(to, cap, "%s", from ? from : "");
}

/* ---- services ---- */

static void log_write(struct wbl_call *c, int32_t level, const char *text)
{
}

static void diag_report(struct wbl_call *c, const struct wbl_diag *d)
{
	struct bench *b = frame_of(c)->b;
	struct bench_note *n = &b->notes[b->nnotes < 63 ? b->nnotes++ : 63];

	n->code = d->code;
	n->severity = d->severity;
	put(n->where, sizeof n->where, d->where);
	put(n->text, sizeof n->text, d->text);
	put(n->hint, sizeof n->hint, d->hint);
	if (getenv("BENCH_VERBOSE"))
		fprintf(stderr, "# diag %d %s: %s\n", d->code, n->where, n->text);
}

static const char *params_json(struct wbl_call *c)
{
	return frame_of(c)->params;
}

static int32_t plan_step(struct wbl_call *c, const struct wbl_step *s)
{
	struct bench *b = frame_of(c)->b;
	struct bench_step *to = &b->steps[b->nsteps++];

	assert(b->nsteps < 24 && s->size >= sizeof *s);
	memset(to, 0, sizeof *to);
	put(to->id, sizeof to->id, s->id);
	put(to->op, sizeof to->op, s->op);
	put(to->params, sizeof to->params, s->params ? s->params : "{}");
	for (size_t i = 0; s->after && s->after[i] && i < 4; i++)
		put(to->after[i], 64, s->after[i]);
	to->flags = s->flags;
	to->kind = s->kind;
	return WBL_OK;
}

static void pair(struct bench_pair *list, size_t *n, const char *key, const void *value, size_t len)
{
	size_t i = 0;

	while (i < *n && strcmp(list[i].key, key) != 0)
		i++;
	assert(i < 24 && len < BENCH_TEXT);
	*n = i == *n ? i + 1 : *n;
	put(list[i].key, sizeof list[i].key, key);
	memcpy(list[i].value, value, len);
	list[i].value[len] = 0;
	list[i].len = len;
}

static int32_t plan_observe(struct wbl_call *c, const struct wbl_observation *o)
{
	struct bench *b = frame_of(c)->b;

	pair(b->observed, &b->nobserved, o->key, o->value, strlen(o->value));
	return WBL_OK;
}

static int32_t plan_omit(struct wbl_call *c, const char *what, uint64_t count, const char *why)
{
	struct bench *b = frame_of(c)->b;

	pair(b->omitted, &b->nomitted, what, why, strlen(why));
	return WBL_OK;
}

static uint32_t run_signals(struct wbl_call *c, struct wbl_signals *s)
{
	s->set = frame_of(c)->b->signals;
	return s->set;
}

static void run_progress(struct wbl_call *c, const struct wbl_progress *p)
{
}

static int32_t run_result(struct wbl_call *c, const struct wbl_totals *t)
{
	struct bench *b = frame_of(c)->b;

	for (size_t i = 0; i < b->nchunks; i++) {
		struct bench_chunk *k = &b->chunks[i];

		if (k->done || strcmp(k->step, frame_of(c)->step) != 0)
			continue;
		k->count = t->items;
		k->rejected = t->rejected;
		k->sum = *t->digests[0];
		put(k->set, sizeof k->set, t->digests[0]->set);
		k->sum.set = k->set;
		k->done = true;
		return WBL_OK;
	}
	return WBL_OK;
}

static int32_t run_output(struct wbl_call *c, const char *name, struct wbl_bytes v)
{
	struct bench *b = frame_of(c)->b;
	char key[96];

	snprintf(key, sizeof key, "%s/%s", frame_of(c)->step, name);
	pair(b->outputs, &b->noutputs, key, v.data, v.len);
	return WBL_OK;
}

static int32_t run_input(struct wbl_call *c, const char *step, const char *name,
	struct wbl_bytes *ret, uint64_t *gen)
{
	struct bench *b = frame_of(c)->b;
	char key[96];

	snprintf(key, sizeof key, "%s/%s", step, name);
	for (size_t i = 0; i < b->noutputs; i++)
		if (!strcmp(b->outputs[i].key, key)) {
			*ret = (struct wbl_bytes){ b->outputs[i].value, b->outputs[i].len };
			return WBL_OK;
		}
	return WBL_END;
}

static int32_t run_rehearsed(struct wbl_call *c, int32_t level, const char *what)
{
	frame_of(c)->b->level = level;
	return WBL_OK;
}

static int64_t run_throttle(struct wbl_call *c, uint64_t items, uint64_t bytes)
{
	return 0;
}

static int32_t chunk_add(struct wbl_call *c, const struct wbl_chunk *k)
{
	struct bench *b = frame_of(c)->b;
	struct bench_chunk *to = &b->chunks[b->nchunks++];

	assert(b->nchunks < 600 && k->body.len <= sizeof to->body);
	memset(to, 0, sizeof *to);
	put(to->step, sizeof to->step, frame_of(c)->step);
	put(to->id, sizeof to->id, k->id);
	memcpy(to->body, k->body.data, k->body.len);
	to->len = k->body.len;
	to->items = k->items;
	return WBL_OK;
}

static int32_t undo_put(struct wbl_call *c, const struct wbl_undo *u)
{
	struct bench *b = frame_of(c)->b;
	struct bench_undo *to = &b->undo[b->nundo];

	for (size_t i = 0; i < b->nundo; i++)
		if (!strcmp(b->undo[i].id, u->id) && !strcmp(b->undo[i].step, frame_of(c)->step) &&
			b->undo[i].pass == b->pass)
			return WBL_END;
	assert(b->nundo < 95 && u->body.len < sizeof to->body);
	memset(to, 0, sizeof *to);
	put(to->step, sizeof to->step, frame_of(c)->step);
	put(to->id, sizeof to->id, u->id);
	put(to->artefact, sizeof to->artefact, u->artefact);
	memcpy(to->body, u->body.data, u->body.len);
	to->len = u->body.len;
	to->pass = b->pass;
	b->nundo++;
	return WBL_OK;
}

static int32_t undo_each(struct wbl_call *c, void **cursor, struct wbl_undo *ret)
{
	struct bench *b = frame_of(c)->b;
	size_t i = *cursor ? (size_t)(uintptr_t)*cursor - 1 : b->nundo;

	while (i > 0) {
		struct bench_undo *u = &b->undo[--i];

		if (strcmp(u->step, frame_of(c)->step) != 0 || u->pass != b->pass)
			continue;
		*cursor = (void *)(uintptr_t)(i + 1);
		ret->flags = u->reversed;
		ret->id = u->id;
		ret->body = (struct wbl_bytes){ u->body, u->len };
		ret->artefact = *u->artefact ? u->artefact : NULL;
		return WBL_OK;
	}
	*cursor = (void *)(uintptr_t)1;
	return WBL_END;
}

static int32_t undo_done(struct wbl_call *c, const char *id)
{
	struct bench *b = frame_of(c)->b;

	for (size_t i = 0; i < b->nundo; i++)
		if (!strcmp(b->undo[i].id, id) && !strcmp(b->undo[i].step, frame_of(c)->step) &&
			b->undo[i].pass == b->pass) {
			b->undo[i].reversed = true;
			return WBL_OK;
		}
	return WBL_E_ABI;
}

/* Names may have slashes. */
static void artefact_file(
	struct wbl_call *c, const char *step, const char *name, const char *end, char out[400])
{
	int n = snprintf(
		out, 400, "%s/art-%s-%d-", frame_of(c)->b->dir, step, (int)frame_of(c)->b->pass);

	for (; *name && n < 390; name++)
		out[n++] = *name == '/' ? '|' : *name;
	snprintf(out + n, (size_t)(400 - n), "%s", end);
}

static void artefact_path(struct wbl_call *c, const char *name, const char *end, char out[400])
{
	artefact_file(c, frame_of(c)->step, name, end, out);
}

static int32_t artefact_open_of(
	struct wbl_call *c, const char *step, const char *name, int32_t *ret_fd)
{
	char path[400];

	artefact_file(c, step ? step : frame_of(c)->step, name, "", path);
	*ret_fd = open(path, O_RDONLY);
	return *ret_fd < 0 ? WBL_END : WBL_OK;
}

/* In the order of their names; the cursor counts. */
static int32_t artefact_each(
	struct wbl_call *c, const char *step, void **cursor, const char **ret_name)
{
	static char found[400];
	intptr_t n = (intptr_t)*cursor, i = 0;
	struct dirent **list = NULL;
	char start[400];
	int all = scandir(frame_of(c)->b->dir, &list, NULL, alphasort);
	size_t len;
	int32_t rc = WBL_END;

	artefact_file(c, step ? step : frame_of(c)->step, "", "", start);
	memmove(start, strrchr(start, '/') + 1, strlen(strrchr(start, '/')));
	len = strlen(start);
	for (int k = 0; k < all; k++) {
		const char *name = list[k]->d_name;

		if (rc && !strncmp(name, start, len) && !strstr(name, ".open") && i++ == n) {
			put(found, sizeof found, name + len);
			for (char *p = found; *p; p++)
				*p = *p == '|' ? '/' : *p;
			*ret_name = found;
			*cursor = (void *)(n + 1);
			rc = WBL_OK;
		}
		free(list[k]);
	}
	free(list);
	return rc;
}

static int32_t artefact_create(struct wbl_call *c, const char *name, int32_t *ret_fd)
{
	char path[400];

	artefact_path(c, name, "", path);
	if (!access(path, F_OK))
		return WBL_END;
	artefact_path(c, name, ".open", path);
	*ret_fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
	return *ret_fd < 0 ? WBL_E_RESOURCES : WBL_OK;
}

static int32_t artefact_seal(struct wbl_call *c, const char *name, int32_t fd)
{
	char from[400], to[400];

	close(fd);
	artefact_path(c, name, ".open", from);
	artefact_path(c, name, "", to);
	return rename(from, to) ? WBL_E_RESOURCES : WBL_OK;
}

static int32_t artefact_open(struct wbl_call *c, const char *name, int32_t *ret_fd)
{
	char path[400];

	artefact_path(c, name, "", path);
	*ret_fd = open(path, O_RDONLY);
	return *ret_fd < 0 ? WBL_END : WBL_OK;
}

static int32_t check_difference(struct wbl_call *c, const struct wbl_difference *d)
{
	struct bench *b = frame_of(c)->b;
	struct bench_diff *to = &b->diffs[b->ndiffs];

	if (b->ndiffs == 1000)
		return WBL_END;
	b->ndiffs++;
	to->kind = d->kind;
	put(to->set, sizeof to->set, d->set);
	put(to->key, sizeof to->key, d->key);
	put(to->field, sizeof to->field, d->field);
	put(to->expected, sizeof to->expected, d->expected);
	put(to->found, sizeof to->found, d->found);
	assert(d->ref.len <= sizeof to->ref);
	if (d->ref.len)
		memcpy(to->ref, d->ref.data, d->ref.len);
	to->len = d->ref.len;
	return WBL_OK;
}

static int32_t check_next(struct wbl_call *c, struct wbl_difference *ret)
{
	struct bench *b = frame_of(c)->b;
	struct bench_diff *from = &b->diffs[b->nnext];

	if (b->nnext == b->ndiffs)
		return WBL_END;
	b->nnext++;
	*ret = (struct wbl_difference){ .size = sizeof *ret,
		.kind = from->kind,
		.set = from->set,
		.key = from->key,
		.field = from->field,
		.ref = { from->ref, from->len } };
	return WBL_OK;
}

static int32_t check_covered(
	struct wbl_call *c, const char *set, uint64_t compared, uint64_t of, const char *how)
{
	struct bench *b = frame_of(c)->b;

	put(b->covered, sizeof b->covered, how);
	b->compared = compared;
	b->of = of;
	return WBL_OK;
}

static void fault_point(struct wbl_call *c, const char *name)
{
	struct bench *b = frame_of(c)->b;

	if (++b->faults != b->kill_at)
		return;
	put(b->killed_at, sizeof b->killed_at, name);
	kill(getpid(), SIGKILL);
}

static struct frame *frame_new(struct bench *b, const char *params, const char *step);

static void frame_free(struct frame *f)
{
	for (size_t i = 0; i < f->npeers; i++)
		frame_free(f->peers[i]);
	if (f->opened)
		f->opened->close(f->self);
	free(f->params);
	free(f);
}

static int32_t peer_open(struct wbl_call *c, const char *param, const char *interface,
	uint32_t flags, struct wbl_peer *ret)
{
	struct frame *f = frame_of(c), *own;
	json_t *all = json_loads(f->params, 0, NULL), *one = json_object_get(all, param);
	char *text = one ? json_dumps(one, JSON_COMPACT) : NULL;
	const char *name = json_string_value(json_object_get(one, "store"));
	const struct wbl_store *table = name ? bench_table(name, interface) : NULL;
	int32_t rc;

	assert(table && f->npeers < 8);
	own = frame_new(f->b, text, f->step);
	f->peers[f->npeers++] = own;
	free(text);
	json_decref(all);
	rc = table->open(table, &own->call, flags, &ret->self, &ret->capabilities);
	ret->table = table;
	if (!rc) {
		own->opened = table;
		own->self = ret->self;
	}
	return rc;
}

static void peer_close(struct wbl_call *c, struct wbl_peer *p)
{
	struct frame *f = frame_of(c);

	for (size_t i = 0; i < f->npeers; i++)
		if (f->peers[i]->opened && f->peers[i]->self == p->self)
			f->peers[i]->opened = NULL;
	((const struct wbl_store *)p->table)->close(p->self);
	p->table = p->self = NULL;
}

static const struct wbl_log_service log_service = { sizeof log_service, 1, log_write };
static const struct wbl_diag_service diag_service = { sizeof diag_service, 1, diag_report };
static const struct wbl_params_service params_service = { sizeof params_service, 1, params_json,
	NULL };
static const struct wbl_plan_service plan_service = { sizeof plan_service, 1, plan_step,
	plan_observe, plan_omit, NULL };
static const struct wbl_run_service run_service = { .size = sizeof run_service,
	.revision = 1,
	.signals = run_signals,
	.progress = run_progress,
	.result = run_result,
	.output = run_output,
	.input = run_input,
	.rehearsed = run_rehearsed,
	.throttle = run_throttle };
static const struct wbl_chunk_service chunk_service = { sizeof chunk_service, 1, chunk_add };
static const struct wbl_undo_service undo_service = { sizeof undo_service, 1, undo_put, undo_each,
	undo_done };
static const struct wbl_artefact_service artefact_service = { sizeof artefact_service, 1,
	artefact_create, artefact_seal, artefact_open, artefact_each, artefact_open_of };
static const struct wbl_check_service check_service = { sizeof check_service, 1, check_difference,
	check_covered, check_next, NULL };
static const struct wbl_fault_service fault_service = { sizeof fault_service, 1, fault_point };
static const struct wbl_peer_service peer_service = { sizeof peer_service, 1, peer_open,
	peer_close };

static const void *find_service(const struct wbl_host *host, const char *id)
{
	static const struct {
		const char *id;
		const void *table;
	} list[] = {
		{ "wbl.log/1", &log_service },
		{ "wbl.diag/1", &diag_service },
		{ "wbl.params/1", &params_service },
		{ "wbl.plan/1", &plan_service },
		{ "wbl.run/1", &run_service },
		{ "wbl.chunk/1", &chunk_service },
		{ "wbl.undo/1", &undo_service },
		{ "wbl.artefact/1", &artefact_service },
		{ "wbl.check/1", &check_service },
		{ "wbl.fault/1", &fault_service },
		{ "wbl.peer/1", &peer_service },
	};

	for (size_t i = 0; i < sizeof list / sizeof *list; i++)
		if (!strcmp(list[i].id, id))
			return list[i].table;
	return NULL;
}

static const struct wbl_host host = { sizeof host, WBL_ABI_MINOR, "0.1.0", find_service };

static struct frame *frame_new(struct bench *b, const char *params, const char *step)
{
	struct frame *f = calloc(1, sizeof *f);

	f->call = (struct wbl_call){ sizeof f->call, 0, &host };
	f->b = b;
	f->params = strdup(params);
	f->step = step ? step : "";
	return f;
}

/* ---- the bench itself ---- */

struct bench *bench_new(void)
{
	struct bench *b =
		mmap(NULL, sizeof *b, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	assert(b != MAP_FAILED);
	strcpy(b->dir, "/tmp/wbl-bench-XXXXXX");
	assert(mkdtemp(b->dir));
	b->pass = b->epoch = 1;
	return b;
}

void bench_reset(struct bench *b)
{
	char dir[sizeof b->dir], cmd[200];

	memcpy(dir, b->dir, sizeof dir);
	memset(b, 0, sizeof *b);
	memcpy(b->dir, dir, sizeof dir);
	b->pass = b->epoch = 1;
	snprintf(cmd, sizeof cmd, "rm -f %s/art-*", dir);
	assert(system(cmd) == 0);
}

void bench_free(struct bench *b)
{
	char cmd[200];

	snprintf(cmd, sizeof cmd, "rm -rf %s", b->dir);
	assert(system(cmd) == 0);
	munmap(b, sizeof *b);
}

const void *bench_table(const char *module, const char *interface)
{
	const char *build = getenv("WBL_BUILD");
	char path[600], symbol[100], other[100];
	wbl_module_entry *entry;
	void *lib;

	snprintf(path, sizeof path, "%s/plugins/mods/.libs/%s.so", build ? build : ".", module);
	/* Another build of it, for tests of tests. */
	snprintf(other, sizeof other, "WBL_MODULE_%s", module);
	if (getenv(other))
		snprintf(path, sizeof path, "%s", getenv(other));
	lib = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	if (!lib)
		fprintf(stderr, "# %s\n", dlerror());
	assert(lib);
	snprintf(symbol, sizeof symbol, "%s_LTX_wbl_module_entry_v1", module);
	*(void **)&entry = dlsym(lib, symbol);
	assert(entry);
	return entry(NULL)->interface(interface, 0);
}

const struct bench_step *bench_find(const struct bench *b, const char *id)
{
	for (size_t i = 0; i < b->nsteps; i++)
		if (!strcmp(b->steps[i].id, id))
			return &b->steps[i];
	return NULL;
}

const char *bench_value(const struct bench_pair *list, size_t n, const char *key)
{
	for (size_t i = 0; i < n; i++)
		if (!strcmp(list[i].key, key))
			return list[i].value;
	return NULL;
}

int32_t bench_open(struct bench *b, const char *params, uint32_t flags, struct bench_store *ret)
{
	json_t *j = json_loads(params, 0, NULL);
	struct frame *f = frame_new(b, params, "");
	int32_t rc;

	assert(j);
	ret->table = bench_table(json_string_value(json_object_get(j, "store")), "wbl.store/1");
	json_decref(j);
	ret->call = &f->call;
	ret->self = NULL;
	rc = ret->table->open(ret->table, &f->call, flags, &ret->self, &ret->capabilities);
	if (rc)
		bench_close(ret);
	return rc;
}

void bench_close(struct bench_store *s)
{
	if (s->self)
		s->table->close(s->self);
	if (s->call)
		frame_free(frame_of(s->call));
	s->self = NULL;
	s->call = NULL;
}

static int32_t one_call(struct bench *b, const char *handler, const char *params, const char *step,
	const char *what, const struct wbl_work *work)
{
	const struct wbl_handler *h = bench_table(handler, "wbl.handler/1");
	struct frame *f = frame_new(b, params, step);
	void *self = NULL;
	int32_t rc = h->create ? h->create(h, &f->call, &self) : WBL_OK;

	if (!rc && !strcmp(what, "plan"))
		rc = h->plan(self, &f->call, work);
	else if (!rc && !strcmp(what, "execute"))
		rc = h->execute(self, &f->call, work);
	else if (!rc && !strcmp(what, "verify"))
		rc = h->verify(self, &f->call, work);
	else if (!rc && !strcmp(what, "rollback"))
		rc = h->rollback(self, &f->call, work);
	else if (!rc && !strcmp(what, "repair")) {
		b->nnext = 0;
		rc = h->repair(self, &f->call, work);
	} else if (!rc && !strcmp(what, "partition"))
		rc = h->partition(self, &f->call, work);
	if (h->destroy)
		h->destroy(self);
	frame_free(f);
	return rc;
}

/* A status, or 1000 when the process was killed. */
static int32_t in_child(struct bench *b, const char *handler, const char *params, const char *step,
	const char *what, const struct wbl_work *work)
{
	int status;
	pid_t pid;

	if (!b->fork)
		return one_call(b, handler, params, step, what, work);
	pid = fork();
	assert(pid >= 0);
	if (!pid)
		_exit(-one_call(b, handler, params, step, what, work) & 0xff);
	assert(waitpid(pid, &status, 0) == pid);
	if (WIFSIGNALED(status))
		return 1000;
	return -WEXITSTATUS(status);
}

static void sum_up(struct bench *b, const char *step, struct wbl_digest *d, struct wbl_totals *t)
{
	for (size_t i = 0; i < b->nchunks; i++) {
		const struct bench_chunk *k = &b->chunks[i];
		uint64_t before;

		if (!k->done || strcmp(k->step, step) != 0)
			continue;
		d->size = sizeof *d;
		d->set = k->set;
		d->count += k->sum.count;
		before = d->row_lo;
		d->row_lo += k->sum.row_lo;
		d->row_hi += k->sum.row_hi + (d->row_lo < before);
		before = d->key_lo;
		d->key_lo += k->sum.key_lo;
		d->key_hi += k->sum.key_hi + (d->key_lo < before);
		t->rejected += k->rejected;
		t->chunks++;
	}
	t->items = d->count;
}

int32_t bench_call(struct bench *b, const char *handler, const char *params, const char *step,
	const char *what, uint32_t flags, const struct bench_chunk *chunk)
{
	const struct bench_step *s = bench_find(b, step);
	struct wbl_digest d = { 0 };
	const struct wbl_digest *list[2] = { &d, NULL };
	struct wbl_totals t = { .size = sizeof t, .digests = list };
	char key[200];
	struct wbl_work w = {
		.size = sizeof w,
		.flags = flags,
		.run_id = "run-1",
		.step_id = step,
		.op = s ? s->op : NULL,
		.params = s ? s->params : NULL,
		.key = key,
		.attempt = 1 + b->attempts,
		.pass = b->pass,
		.epoch = b->epoch,
	};

	snprintf(key, sizeof key, "run-1/%s/%s/%d", step, chunk ? chunk->id : "", (int)b->pass);
	if (chunk) {
		w.flags |= WBL_WORK_CHUNK;
		w.chunk_id = chunk->id;
		w.chunk = (struct wbl_bytes){ chunk->body, chunk->len };
	}
	sum_up(b, step, &d, &t);
	if (!strcmp(what, "verify") && t.chunks && !(flags & WBL_WORK_BEFORE))
		w.totals = &t;
	return in_child(b, handler, params, step, what, &w);
}

int32_t bench_plan(struct bench *b, const char *handler, const char *params)
{
	struct wbl_work w = { .size = sizeof w };

	b->nsteps = b->nobserved = b->nomitted = 0;
	return in_child(b, handler, params, "", "plan", &w);
}

/* Called again after a kill, with RESUME. */
static int32_t again(struct bench *b, const char *handler, const char *params, const char *step,
	const char *what, uint32_t flags, const struct bench_chunk *chunk)
{
	int32_t rc = bench_call(b, handler, params, step, what, flags, chunk);

	for (int tries = 0; rc == 1000 && tries < 3; tries++) {
		b->attempts++;
		if (!strcmp(what, "partition")) {
			for (size_t i = 0; i < b->nchunks; i++)
				if (!strcmp(b->chunks[i].step, step))
					b->chunks[i].step[0] = 0;
		}
		rc = bench_call(b, handler, params, step, what, flags | WBL_WORK_RESUME, chunk);
	}
	return rc;
}

static int32_t apply_step(
	struct bench *b, const char *handler, const char *params, struct bench_step *s)
{
	int32_t rc = WBL_OK;

	if (!(s->flags & WBL_STEP_PARTITIONED))
		rc = again(b, handler, params, s->id, "execute", 0, NULL);
	else
		rc = again(b, handler, params, s->id, "partition", 0, NULL);
	for (size_t i = 0; !rc && (s->flags & WBL_STEP_PARTITIONED) && i < b->nchunks; i++) {
		if (strcmp(b->chunks[i].step, s->id) != 0 || b->chunks[i].done)
			continue;
		rc = again(b, handler, params, s->id, "execute", 0, &b->chunks[i]);
	}
	if (!rc)
		rc = again(b, handler, params, s->id, "verify", 0, NULL);
	s->done = !rc;
	return rc;
}

int32_t bench_apply(struct bench *b, const char *handler, const char *params)
{
	int32_t rc = WBL_OK;

	for (size_t i = 0; !rc && i < b->nsteps; i++)
		if (!b->steps[i].done)
			rc = apply_step(b, handler, params, &b->steps[i]);
	return rc;
}

int32_t bench_rollback(struct bench *b, const char *handler, const char *params)
{
	int32_t rc = WBL_OK;

	b->epoch++;
	for (size_t i = b->nsteps; !rc && i > 0; i--) {
		rc = again(b, handler, params, b->steps[i - 1].id, "rollback", 0, NULL);
		if (!rc)
			rc = again(b, handler, params, b->steps[i - 1].id, "verify",
				WBL_WORK_BEFORE, NULL);
	}
	return rc;
}
