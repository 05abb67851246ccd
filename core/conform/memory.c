/* conform/memory.c - answers to what a handler asks: the engine's promises, in memory.
 * First wins within a pass; nothing is forgotten when a host dies.
 * SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "core/conform/memory.h"

#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "core/module/params.h"
#include "whimbrel/services.h"

struct wbl_stage_record *wbl_memory_find(const struct wbl_stage_list *l, const char *name)
{
	size_t i = l->count;

	while (name && i--)
		if (!strcmp(l->at[i].name, name))
			return &l->at[i];
	return NULL;
}

void wbl_memory_clear(struct wbl_stage_list *l)
{
	size_t i;

	for (i = 0; i < l->count; i++) {
		free(l->at[i].name);
		free(l->at[i].artefact);
		wbl_buf_clear(&l->at[i].body);
		if (l->at[i].fd > 0)
			close(l->at[i].fd);
	}
	free(l->at);
	*l = (struct wbl_stage_list){ 0 };
}

void wbl_memory_clear_chunk(struct wbl_stage_chunk *c)
{
	free(c->id);
	wbl_buf_clear(&c->body);
	json_decref(c->totals);
	wbl_memory_clear(&c->checkpoints);
}

void wbl_memory_drop_added(struct wbl_stage_step *t)
{
	while (t->nadded)
		wbl_memory_clear_chunk(&t->chunks[t->nchunks + --t->nadded]);
}

static struct wbl_stage_record *add(
	struct wbl_stage *s, struct wbl_stage_list *l, const char *name, const struct wbl_buf *body)
{
	struct wbl_stage_record *r;

	l->at = wbl_grow(l->at, l->count, sizeof *l->at);
	r = &l->at[l->count++];
	*r = (struct wbl_stage_record){ .name = wbl_strdup(name ? name : ""), .seq = ++s->seq };
	if (body && body->len)
		wbl_buf_add(&r->body, body->data, body->len);
	return r;
}

/* The last one wins. */
static struct wbl_stage_record *put(
	struct wbl_stage *s, struct wbl_stage_list *l, const char *name, const struct wbl_buf *body)
{
	struct wbl_stage_record *r = wbl_memory_find(l, name);

	if (!r)
		return add(s, l, name, body);
	wbl_buf_clear(&r->body);
	wbl_buf_add(&r->body, body->data ? body->data : "", body->len);
	return r;
}

/* --- sums --- */

static void add_half(const char *hex, uint64_t *high, uint64_t *low)
{
	char part[17] = { 0 };
	uint64_t h, l;

	if (!hex || strlen(hex) != 32)
		return;
	memcpy(part, hex, 16);
	h = strtoull(part, NULL, 16);
	l = strtoull(hex + 16, NULL, 16);
	*low += l;
	*high += h + (*low < l);
}

static void add_hex(json_t *to, const json_t *from, const char *key)
{
	uint64_t high = 0, low = 0;
	char hex[33];

	add_half(wbl_json_str(to, key), &high, &low);
	add_half(wbl_json_str(from, key), &high, &low);
	snprintf(hex, sizeof hex, "%016" PRIx64 "%016" PRIx64, high, low);
	wbl_json_put(to, key, hex);
}

static void add_number(json_t *to, const json_t *from, const char *key)
{
	wbl_json_puti(to, key, wbl_json_int(to, key, 0) + wbl_json_int(from, key, 0));
}

static void add_digests(json_t *to, const json_t *from)
{
	json_t *mine, *d, *found;
	size_t i, n;

	json_array_foreach(json_object_get(from, "digests"), i, d)
	{
		found = NULL;
		json_array_foreach(json_object_get(to, "digests"), n,
			mine) if (!strcmp(wbl_json_str(mine, "set"), wbl_json_str(d, "set")))
			found = mine;
		if (!found) {
			json_array_append_new(json_object_get(to, "digests"), json_deep_copy(d));
			continue;
		}
		add_number(found, d, "count");
		add_hex(found, d, "row");
		add_hex(found, d, "key");
	}
}

json_t *wbl_memory_sum(const struct wbl_stage_step *t, bool digests)
{
	json_t *sum = json_object();
	size_t i;

	json_object_set_new(sum, "digests", json_array());
	wbl_json_puti(sum, "chunks", 0);
	for (i = 0; i < t->nchunks; i++) {
		const json_t *one = t->chunks[i].totals;

		if (!t->chunks[i].done)
			continue;
		add_number(sum, one, "items");
		add_number(sum, one, "bytes");
		add_number(sum, one, "rejected");
		wbl_json_puti(sum, "chunks", wbl_json_int(sum, "chunks", 0) + 1);
		if (digests)
			add_digests(sum, one);
	}
	return sum;
}

/* --- answers --- */

struct answer {
	int32_t status;
	json_t *json;
	const struct wbl_buf *blob;
	struct wbl_buf own;
	int fd;
};

static const char *name_of(const struct wbl_frame *f)
{
	const char *name = wbl_json_str(f->json, "name");

	return name ? name : wbl_json_str(f->json, "id");
}

static void undo_put(struct wbl_stage *s, struct wbl_frame *f, struct answer *a)
{
	struct wbl_stage_record *r;

	if (wbl_memory_find(&s->step->undo, name_of(f))) {
		a->status = WBL_END;
		return;
	}
	r = add(s, &s->step->undo, name_of(f), &f->blob);
	r->artefact = wbl_strdup(wbl_json_str(f->json, "artefact"));
}

static void undo_each(struct wbl_stage *s, struct wbl_frame *f, struct answer *a)
{
	int64_t after = wbl_json_int(f->json, "after", 0);
	const struct wbl_stage_list *l = &s->step->undo;
	size_t i = l->count;

	while (i--)
		if (!after || l->at[i].seq < after) {
			wbl_json_puti(a->json, "seq", l->at[i].seq);
			wbl_json_put(a->json, "id", l->at[i].name);
			wbl_json_put(a->json, "artefact", l->at[i].artefact);
			wbl_json_puti(a->json, "flags", l->at[i].done);
			a->blob = &l->at[i].body;
			return;
		}
	a->status = WBL_END;
}

static void undo_done(struct wbl_stage *s, struct wbl_frame *f)
{
	struct wbl_stage_record *r = wbl_memory_find(&s->step->undo, name_of(f));

	if (r)
		r->done = true;
}

static struct wbl_stage_list *artefacts(struct wbl_stage *s)
{
	return s->step ? &s->step->artefacts : &s->state;
}

static void art_create(struct wbl_stage *s, struct wbl_frame *f, struct answer *a)
{
	struct wbl_stage_record *r = wbl_memory_find(artefacts(s), name_of(f));

	if (r && r->done) {
		a->status = WBL_END;
		return;
	}
	if (!r)
		r = add(s, artefacts(s), name_of(f), NULL);
	if (r->fd > 0)
		close(r->fd);
	r->fd = open(s->k->scratch, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (r->fd < 0)
		r->fd = memfd_create("artefact", MFD_CLOEXEC);
	a->fd = r->fd;
}

static void art_seal(struct wbl_stage *s, struct wbl_frame *f, struct answer *a)
{
	struct wbl_stage_record *r = wbl_memory_find(artefacts(s), name_of(f));

	if (r)
		r->done = true;
	else
		a->status = WBL_E_ABI;
}

static struct wbl_stage_step *step_called(struct wbl_stage *s, const char *id)
{
	const char *slash = id ? strrchr(id, '/') : NULL;
	size_t i;

	for (i = 0; id && i < s->nsteps; i++)
		if (!strcmp(s->steps[i].id, id) || (slash && !strcmp(s->steps[i].id, slash + 1)))
			return &s->steps[i];
	return id ? NULL : s->step;
}

static void art_open(struct wbl_stage *s, struct wbl_frame *f, struct answer *a)
{
	struct wbl_stage_step *t = step_called(s, wbl_json_str(f->json, "step"));
	struct wbl_stage_record *r = t ? wbl_memory_find(&t->artefacts, name_of(f)) : NULL;
	char path[64];

	if (!r || !r->done) {
		a->status = t ? WBL_END : WBL_E_ABI;
		return;
	}
	snprintf(path, sizeof path, "/proc/self/fd/%d", r->fd);
	a->fd = open(path, O_RDONLY | O_CLOEXEC);
}

static void art_each(struct wbl_stage *s, struct wbl_frame *f, struct answer *a)
{
	struct wbl_stage_step *t = step_called(s, wbl_json_str(f->json, "step"));
	int64_t after = wbl_json_int(f->json, "after", 0);
	size_t i;

	for (i = 0; t && i < t->artefacts.count; i++)
		if (t->artefacts.at[i].done && t->artefacts.at[i].seq > after) {
			wbl_json_puti(a->json, "seq", t->artefacts.at[i].seq);
			wbl_json_put(a->json, "name", t->artefacts.at[i].name);
			return;
		}
	a->status = t ? WBL_END : WBL_E_ABI;
}

static void get(const struct wbl_stage_record *r, struct answer *a)
{
	a->status = r ? 0 : WBL_END;
	a->blob = r ? &r->body : NULL;
	wbl_json_puti(a->json, "generation", 1);
}

static void chunk_add(struct wbl_stage *s, struct wbl_frame *f)
{
	struct wbl_stage_step *t = s->step;
	size_t now = s->chunk ? (size_t)(s->chunk - t->chunks) : 0;
	struct wbl_stage_chunk *c;

	t->chunks = wbl_grow(t->chunks, t->nchunks + t->nadded, sizeof *t->chunks);
	c = &t->chunks[t->nchunks + t->nadded++];
	*c = (struct wbl_stage_chunk){ .id = wbl_strdup(name_of(f)) };
	if (f->blob.len)
		wbl_buf_add(&c->body, f->blob.data, f->blob.len);
	if (s->chunk) /* the list has moved */
		s->chunk = &t->chunks[now];
}

static void result(struct wbl_stage *s, struct wbl_frame *f)
{
	json_t **to = s->chunk ? &s->chunk->totals : &s->step->totals;

	json_decref(*to);
	*to = json_incref(f->json);
}

/* The reference stands in the parameters, the value where it says. */
static void secret(struct wbl_stage *s, struct wbl_frame *f, struct answer *a)
{
	const char *param = wbl_json_str(f->json, "param"), *peer = wbl_json_str(f->json, "peer"),
		   *at;
	const json_t *j = json_object_get(s->hello, "params");
	WBL_AUTOFREE char *path = peer ? wbl_strf("%s.%s", peer, param) : wbl_strdup(param);
	char *save = NULL, *word;

	a->blob = &a->own;
	if (s->secret) {
		wbl_buf_adds(&a->own, s->secret);
		return;
	}
	for (word = path ? strtok_r(path, ".", &save) : NULL; word;
		word = strtok_r(NULL, ".", &save))
		j = json_is_array(j) ? json_array_get(j, strtoul(word, NULL, 10))
				     : json_object_get(j, word);
	at = wbl_json_str(j, "$secret");
	a->status = at ? wbl_secret_read(at, &a->own, NULL) : WBL_E_PARAM;
}

static void record(struct wbl_stage *s, struct wbl_frame *f, struct answer *a)
{
	struct wbl_stage_step *t = s->step;

	switch (f->type) {
	case WBL_WIRE_UNDO_PUT:
		undo_put(s, f, a);
		break;
	case WBL_WIRE_UNDO_EACH:
		undo_each(s, f, a);
		break;
	case WBL_WIRE_UNDO_DONE:
		undo_done(s, f);
		break;
	case WBL_WIRE_ART_CREATE:
		art_create(s, f, a);
		break;
	case WBL_WIRE_ART_SEAL:
		art_seal(s, f, a);
		break;
	case WBL_WIRE_ART_OPEN:
		art_open(s, f, a);
		break;
	case WBL_WIRE_ART_EACH:
		art_each(s, f, a);
		break;
	case WBL_WIRE_CHECKPOINT:
		put(s, s->chunk ? &s->chunk->checkpoints : &t->checkpoints, s->call, &f->blob);
		break;
	case WBL_WIRE_OUTPUT:
		put(s, &t->outputs, name_of(f), &f->blob);
		break;
	case WBL_WIRE_INPUT:
		t = step_called(s, wbl_json_str(f->json, "step"));
		get(t ? wbl_memory_find(&t->outputs, wbl_json_str(f->json, "name")) : NULL, a);
		break;
	case WBL_WIRE_STATE_PUT:
		put(s, &s->state, name_of(f), &f->blob);
		break;
	case WBL_WIRE_STATE_GET:
		get(wbl_memory_find(&s->state, name_of(f)), a);
		break;
	case WBL_WIRE_CHUNK_ADD:
		chunk_add(s, f);
		break;
	case WBL_WIRE_RESULT:
		result(s, f);
		break;
	case WBL_WIRE_SECRET:
		secret(s, f, a);
		break;
	case WBL_WIRE_ASK:
	case WBL_WIRE_DIFF_NEXT:
		a->status = WBL_END;
		break;
	case WBL_WIRE_DRAIN:
	case WBL_WIRE_LAG:
		a->status = WBL_E_UNAVAILABLE;
		break;
	default:
		break;
	}
}

/* What needs a step is misuse in plan, and so refused by the host; a hostile one may still send it. */
static bool needs_step(enum wbl_wire_type type)
{
	return type == WBL_WIRE_UNDO_PUT || type == WBL_WIRE_UNDO_EACH ||
	       type == WBL_WIRE_UNDO_DONE || type == WBL_WIRE_CHECKPOINT ||
	       type == WBL_WIRE_OUTPUT || type == WBL_WIRE_CHUNK_ADD || type == WBL_WIRE_RESULT;
}

void wbl_memory_answer(struct wbl_play *p, struct wbl_frame *f)
{
	struct wbl_stage *s = p->o.stage;
	struct answer a = { .json = json_object(), .fd = -1 };
	bool dies = ++s->requests == s->kill_at;

	if (dies && !s->kill_after) {
		kill(p->pid, SIGKILL);
	} else if (needs_step(f->type) && !s->step) {
		a.status = WBL_E_ABI;
	} else {
		record(s, f, &a);
	}
	if (dies && s->kill_after)
		kill(p->pid, SIGKILL);
	if (s->requests == s->stop_at && s->p)
		wbl_stage_stop(s);
	wbl_json_puti(a.json, "status", a.status);
	if (!dies)
		wbl_wire_send(p->sock, WBL_WIRE_REPLY, f->seq, a.json, a.blob ? a.blob->data : NULL,
			a.blob ? a.blob->len : 0, a.fd, NULL);
	if (f->type == WBL_WIRE_ART_OPEN && a.fd >= 0)
		close(a.fd);
	wbl_buf_clear(&a.own);
	json_decref(a.json);
}
