/* tests/unit/host/scene.c - what the tests of the host play: modules of the build, canned answers for every request.
 * SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "play.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "core/base/file.h"

const char *play_module(const char *name)
{
	static char path[4096];
	char *real;

	snprintf(path, sizeof path, "%s/tests/bin/mods/.libs/%s.so", getenv("WBL_BUILD"), name);
	real = realpath(path, NULL);
	if (real)
		snprintf(path, sizeof path, "%s", real);
	free(real);
	return path;
}

static json_t *module_json(const char *module)
{
	char sha[WBL_SHA256_HEX] = "", *id = wbl_strf("org.example.%s", module);
	json_t *m = json_object();

	wbl_json_put(m, "path", play_module(module));
	if (!wbl_sha256_file(play_module(module), sha, NULL))
		wbl_json_put(m, "sha256", sha);
	wbl_json_put(m, "id", id);
	wbl_json_put(m, "version", "0.1.0");
	free(id);
	return m;
}

json_t *play_peer(const char *param, const char *interface, const char *module, const char *name)
{
	json_t *j = json_object();

	wbl_json_put(j, "param", param);
	wbl_json_put(j, "interface", interface);
	wbl_json_put(j, "name", name);
	json_object_set_new(j, "module", module_json(module));
	json_object_set_new(j, "params", json_object());
	json_object_set_new(j, "peers", json_array());
	return j;
}

json_t *play_hello(const char *module, const char *handler)
{
	json_t *j = play_peer("", "wbl.handler/1", module, handler);

	json_object_del(j, "param");
	wbl_json_put(j, "build", wbl_wire_build());
	wbl_json_put(j, "run", "r-1");
	json_object_set_new(j, "trust_any_owner", json_true());
	return j;
}

static void answer_bytes(struct wbl_buf *b, const struct wbl_frame *f, json_t *r)
{
	const char *name = wbl_json_str(f->json, "name");

	if (f->type == WBL_WIRE_STATE_GET && name && strncmp(name, "echo", 4) == 0) {
		wbl_buf_adds(b, name);
	} else if (f->type == WBL_WIRE_STATE_GET && name && strlen(name) == 1) {
		while (b->len < 100)
			wbl_buf_adds(b, name);
	} else if (f->type == WBL_WIRE_STATE_GET) {
		wbl_buf_adds(b, "42");
	} else if (f->type == WBL_WIRE_INPUT && !strcmp(name, "big")) {
		b->data = wbl_alloc(1 << 20);
		memset(b->data, 3, 1 << 20);
		b->len = 1 << 20;
	} else if (f->type == WBL_WIRE_INPUT) {
		wbl_buf_adds(b, "s-1");
		wbl_json_puti(r, "generation", 2);
	} else if (f->type == WBL_WIRE_ASK) {
		wbl_buf_adds(b, "a");
	} else if (f->type == WBL_WIRE_SECRET) {
		const char *peer = wbl_json_str(f->json, "peer");

		wbl_buf_addf(b, "hunter2%s%s", peer ? "-" : "", peer ? peer : "");
	}
}

static int answer_rows(struct wbl_buf *b, const struct wbl_frame *f, json_t *r)
{
	int64_t after = wbl_json_int(f->json, "after", 0);
	char id[32];

	if (after == 2)
		return WBL_END;
	wbl_json_puti(r, "seq", after + 1);
	snprintf(id, sizeof id, "row %d", (int)after + 1);
	wbl_json_put(r, "id", id);
	wbl_json_puti(r, "flags", after ? 1 : 0);
	wbl_json_puti(r, "kind", 3);
	wbl_json_put(r, "set", "t");
	wbl_json_put(r, "key", id);
	wbl_json_put(r, "field", "v");
	wbl_buf_addf(b, "body %d", (int)after + 1);
	return WBL_OK;
}

static int answer_artefact(struct wbl_play *p, const struct wbl_frame *f)
{
	if (f->type == WBL_WIRE_ART_CREATE)
		p->artefact = memfd_create("artefact", MFD_CLOEXEC);
	return f->type == WBL_WIRE_ART_SEAL ? -1 : p->artefact;
}

static void answer(struct wbl_play *p, struct wbl_frame *f)
{
	const char *name = wbl_json_str(f->json, "name");
	json_t *r = json_object();
	struct wbl_buf b = { 0 };
	int status = 0, fd = -1;

	if (f->type == WBL_WIRE_UNDO_EACH || f->type == WBL_WIRE_DIFF_NEXT)
		status = answer_rows(&b, f, r);
	else if (f->type == WBL_WIRE_ART_CREATE || f->type == WBL_WIRE_ART_OPEN ||
		 f->type == WBL_WIRE_ART_SEAL)
		fd = answer_artefact(p, f);
	else
		answer_bytes(&b, f, r);
	if (f->type == WBL_WIRE_OUTPUT && name && !strcmp(name, "fence me"))
		status = WBL_E_FENCED;
	if (f->type == WBL_WIRE_LAG) {
		wbl_json_puti(r, "behind_ns", 11);
		wbl_json_puti(r, "behind_bytes", 12);
		wbl_json_put(r, "position", "0/99");
	}
	wbl_json_puti(r, "status", status);
	wbl_wire_send(p->sock, WBL_WIRE_REPLY, f->seq, r, b.data, b.len, fd, NULL);
	wbl_buf_clear(&b);
	json_decref(r);
}

static struct wbl_play_options options(void)
{
	static char host[4096];
	static const char *const env[] = { "HOME=/root", "LTDL_LIBRARY_PATH=/nowhere", "SECRET=x",
		"LC_ALL=tr_TR.UTF-8", "WBL_TEST_DUMPABLE=1",
		"ASAN_OPTIONS=detect_leaks=1:handle_abort=0", NULL };

	snprintf(host, sizeof host, "%s/whimbrel-host", getenv("WBL_BUILD"));
	return (struct wbl_play_options){ .host = host, .env = env, .answer = answer };
}

struct wbl_play *play_spawn(void)
{
	const struct wbl_play_options o = options();

	return wbl_play_spawn(&o);
}

struct wbl_play *play_start(json_t *hello)
{
	const struct wbl_play_options o = options();

	return wbl_play_start(&o, hello);
}

static const struct wbl_bytes *to_parts(const char *const *texts, struct wbl_bytes parts[4])
{
	int i;

	for (i = 0; i < 4; i++)
		parts[i] = (struct wbl_bytes){ texts && texts[i] ? texts[i] : "",
			texts && texts[i] ? strlen(texts[i]) : 0 };
	return parts;
}

void play_begin(struct wbl_play *p, const char *call, const char *op, json_t *extra,
	const char *const *parts)
{
	struct wbl_bytes b[4];

	wbl_play_begin(p, call, op, extra, to_parts(parts, b));
}

int32_t play_call(struct wbl_play *p, const char *call, const char *op, json_t *extra,
	const char *const *parts)
{
	struct wbl_bytes b[4];

	return wbl_play_call(p, call, op, extra, to_parts(parts, b));
}
