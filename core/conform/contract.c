/* conform/contract.c - level 2: loaded by the real host, played by the kit.
 * SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "core/conform/contract.h"

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <sodium.h>

#include "core/base/file.h"
#include "core/conform/cast.h"
#include "core/conform/fixture.h"

enum { LOAD_SLOW_MS = 200, LOAD_TRIES = 3, QUICK_MS = 5000, LEAVE_MS = 450 };

/* --- loaded by whimbrel-host --check --- */

/* *ret: what it says; NULL with a verdict. */
static enum wbl_verdict load(struct wbl_kit *k, json_t **ret)
{
	const char *const argv[] = { k->host, "--check", k->copy, NULL };
	struct wbl_buf out = { 0 };
	enum wbl_verdict v = WBL_PASS;
	const char *line;
	int status;

	wbl_kit_doing(k, "whimbrel-host --check");
	status = wbl_world_spawn(k, argv, NULL, k->scratch, &out);
	/* What the module prints comes before it. */
	line = out.len ? memrchr(out.data, '{', out.len) : NULL;
	while (line && line > out.data && line[-1] != '\n')
		line--;
	*ret = line ? wbl_json_parse(line, strcspn(line, "\n"), "--check", NULL) : NULL;
	if (status > 128) {
		v = wbl_kit_fail(k, "the host was killed by signal %d while it loaded the module",
			status - 128);
		v = WBL_CRASH;
	} else if (status || !*ret) {
		const json_t *e = json_object_get(*ret, "error");

		v = wbl_kit_fail(k, "it cannot be loaded: %s",
			wbl_json_str(e, "text") ? wbl_json_str(e, "text") : wbl_world_said(&out));
	}
	if (v != WBL_PASS) {
		json_decref(*ret);
		*ret = NULL;
	}
	wbl_buf_clear(&out);
	return v;
}

enum wbl_verdict wbl_contract_loads(struct wbl_kit *k)
{
	json_t *says;
	enum wbl_verdict v = load(k, &says);

	json_decref(says);
	return v;
}

enum wbl_verdict wbl_contract_load_time(struct wbl_kit *k)
{
	int64_t best = INT64_MAX, began;
	enum wbl_verdict v;
	json_t *says;
	int i;

	for (i = 0; i < LOAD_TRIES; i++) {
		began = wbl_now_mono();
		v = load(k, &says);
		json_decref(says);
		if (v != WBL_PASS)
			return wbl_kit_skip(k, "it cannot be loaded");
		if (wbl_now_mono() - began < best)
			best = wbl_now_mono() - began;
	}
	if (best / 1000000 > LOAD_SLOW_MS)
		return wbl_kit_warn(k, "loading takes %lld ms; every process of every step does it",
			(long long)(best / 1000000));
	return wbl_kit_pass(k, "%lld.%lld ms with the start of a process",
		(long long)(best / 1000000), (long long)(best / 100000 % 10));
}

static bool has_table(const json_t *tables, const char *interface, const char *name)
{
	const json_t *t;
	size_t i;

	json_array_foreach(tables, i, t) if (!strcmp(wbl_json_str(t, "interface"), interface) &&
					     !strcmp(wbl_json_str(t, "name"), name)) return true;
	return false;
}

enum wbl_verdict wbl_contract_tables(struct wbl_kit *k)
{
	const struct wbl_manifest *m = k->manifest;
	enum wbl_verdict v;
	const json_t *tables;
	json_t *says;
	size_t i;

	if (!m)
		return wbl_kit_skip(k, "it has no manifest");
	v = load(k, &says);
	if (v != WBL_PASS)
		return wbl_kit_skip(k, "it cannot be loaded");
	tables = json_object_get(says, "interfaces");
	if (strcmp(wbl_json_str(says, "id"), m->id))
		v = wbl_kit_fail(k, "the entry says id \"%s\", the manifest \"%s\"",
			wbl_json_str(says, "id"), m->id);
	else if (strcmp(wbl_json_str(says, "version"), m->version))
		v = wbl_kit_fail(k, "the entry says version \"%s\", the manifest \"%s\"",
			wbl_json_str(says, "version"), m->version);
	for (i = 0; i < m->nprovides && v == WBL_PASS; i++)
		if (!has_table(tables, m->provides[i].interface, m->provides[i].name))
			v = wbl_kit_fail(k,
				"the manifest names %s \"%s\", the module has no such table",
				m->provides[i].interface, m->provides[i].name);
	if (v == WBL_PASS && json_array_size(tables) != m->nprovides)
		v = wbl_kit_fail(k, "the module has %zu tables, its manifest names %zu",
			json_array_size(tables), m->nprovides);
	json_decref(says);
	return v;
}

enum wbl_verdict wbl_contract_unknown(struct wbl_kit *k)
{
	json_t *says;
	enum wbl_verdict v = load(k, &says);
	const json_t *strange = json_object_get(says, "strange");

	if (v != WBL_PASS)
		return wbl_kit_skip(k, "it cannot be loaded");
	if (json_array_size(strange))
		v = wbl_kit_fail(k,
			"its interface() knows \"%s\", which nobody has defined; compare the "
			"whole id, and answer NULL behind the last table",
			json_string_value(json_array_get(strange, 0)));
	json_decref(says);
	return v;
}

/* --- what is left behind by loading --- */

static void read_proc(pid_t pid, const char *file, char *out, size_t room)
{
	WBL_AUTOFREE char *path = wbl_strf("/proc/%ld/%s", (long)pid, file);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, out, room - 1);

	out[n > 0 ? n : 0] = '\0';
	if (fd >= 0)
		close(fd);
}

static void status_line(pid_t pid, const char *key, char out[64])
{
	char all[4096];
	const char *at;

	read_proc(pid, "status", all, sizeof all);
	at = strstr(all, key);
	snprintf(out, 64, "%.*s", at ? (int)strcspn(at + strlen(key), "\n") : 0,
		at ? at + strlen(key) : "");
}

/* Without those of the C library's own (32, 33), which come with the first thread. */
static uint64_t caught(pid_t pid)
{
	char text[64];

	status_line(pid, "SigCgt:", text);
	return strtoull(text, NULL, 16) & ~(UINT64_C(3) << 31);
}

/* Handlers that the host has set before it loads anything. */
static uint64_t caught_before(struct wbl_kit *k)
{
	static const char *const env[] = { "HOME=/", "WBL_TEST_DUMPABLE=1", NULL };
	struct wbl_play_options o = { .host = k->host, .env = env };
	struct wbl_play *p = wbl_play_spawn(&o);
	uint64_t before = 0, now = 0;
	int i;

	/* It blocks in its first read when nothing changes any more. */
	for (i = 0; i < 200; i++) {
		char name[64];

		status_line(p->pid, "Name:", name);
		now = caught(p->pid);
		if (strstr(name, "whimbrel-host") && now && before == now)
			break;
		before = now;
		poll(NULL, 0, 5);
	}
	wbl_play_stop(p, NULL);
	return now;
}

/* Descriptors that are not the host's own: 0 to 4, and two eventfds. */
static int strange_descriptors(pid_t pid, char *out, size_t room)
{
	int fd, events = 0, found = 0;

	*out = '\0';
	for (fd = 5; fd < 1024; fd++) {
		WBL_AUTOFREE char *path = wbl_strf("/proc/%ld/fd/%d", (long)pid, fd);
		char to[512];
		ssize_t n = readlink(path, to, sizeof to - 1);

		if (n < 0)
			continue;
		to[n] = '\0';
		if (!strcmp(to, "anon_inode:[eventfd]") && ++events <= 2)
			continue;
		snprintf(out, room, "%s", to);
		found++;
	}
	return found;
}

static enum wbl_verdict traces_of(struct wbl_kit *k, pid_t pid, uint64_t before)
{
	char text[512], now[64], *task = NULL;
	int n = strange_descriptors(pid, text, sizeof text);

	if (n)
		return wbl_kit_fail(k, "loading has left %d descriptors open, one to %s", n, text);
	status_line(pid, "Threads:", now);
	if (atoi(now) != 2) /* the host's own, and its reader */
		return wbl_kit_fail(k, "loading has left %d threads running", atoi(now) - 2);
	task = wbl_strf("task/%ld/children", (long)pid);
	read_proc(pid, task, text, sizeof text);
	free(task);
	if (*text)
		return wbl_kit_fail(k, "loading has left child processes: %s", text);
	if (caught(pid) != before)
		return wbl_kit_fail(k,
			"loading has changed signal handlers: mask %llx before, %llx after",
			(unsigned long long)before, (unsigned long long)caught(pid));
	status_line(pid, "Umask:", now);
	if (*now && !strstr(now, "0022"))
		return wbl_kit_fail(k, "loading has changed the umask to %s", now);
	return WBL_PASS;
}

enum wbl_verdict wbl_contract_traces(struct wbl_kit *k)
{
	enum wbl_verdict v;
	uint64_t before;
	struct wbl_stage s;
	struct wbl_world w;
	int32_t status;

	if (!wbl_cast_open(k, &s, &w, &v))
		return v;
	before = caught_before(k);
	status = wbl_stage_host(&s);
	v = status ? wbl_cast_failed(k, &s, "it cannot be loaded", status)
		   : traces_of(k, s.p->pid, before);
	wbl_cast_close(k, &s, &w);
	return v;
}

/* --- plan --- */

enum wbl_verdict wbl_contract_plan(struct wbl_kit *k)
{
	enum wbl_verdict v = WBL_PASS;
	struct wbl_stage s;
	struct wbl_world w;
	int32_t status;

	if (!wbl_cast_open(k, &s, &w, &v))
		return v;
	v = WBL_PASS;
	status = wbl_stage_plan(&s);
	if (status == WBL_STAGE_DEAD || status == WBL_STAGE_REFUSED || status == WBL_E_ABI)
		v = wbl_cast_failed(k, &s, "plan", status);
	else if (status && !*s.why)
		v = wbl_kit_fail(
			k, "plan returned \"%s\" without a diagnostic", wbl_code_name(status));
	else if (status && w.plan)
		v = wbl_cast_failed(k, &s, "plan", status);
	else if (!status && !s.nsteps)
		v = wbl_kit_warn(k, "the plan has no step");
	wbl_cast_close(k, &s, &w);
	return v;
}

/* Parameters as nobody should give them; the engine would have refused most of these, a wrong engine would not. */
static json_t *odd(const struct wbl_param *p, int nth)
{
	static const struct wbl_param none;
	WBL_AUTOFREE char *text = NULL;

	p = p ? p : &none;
	switch (nth) {
	case 0:
		return NULL; /* missing */
	case 1:
		return json_string("");
	case 2:
		return json_integer(p->has_min ? p->min : -1);
	case 3:
		return json_integer(p->has_max ? p->max : INT64_MAX);
	case 4:
		return json_array();
	case 5:
		return json_object();
	case 6:
		text = wbl_alloc(20001);
		memset(text, 'a', 20000);
		return json_string(text);
	case 7:
		return json_string("../\xc3\xa9 \"'`;$(x)\n\t\x01");
	case 8:
		return json_null();
	case 9:
		return json_false();
	default:
		return json_real(-1.5e300);
	}
}
enum { ODD = 11 };

static enum wbl_verdict try_odd(
	struct wbl_kit *k, struct wbl_stage *s, const char *name, int nth, int *ret_tried)
{
	static const char *const what[ODD] = { "missing", "an empty text", "the least number",
		"the largest number", "an empty list", "an empty group", "20,000 characters",
		"characters of every kind", "null", "false", "a huge negative number" };
	int32_t status;

	wbl_stage_end(s);
	++*ret_tried;
	status = wbl_stage_plan(s);
	if (status == WBL_STAGE_DEAD) {
		WBL_AUTOFREE char *text = wbl_strf("with \"%s\" %s", name, what[nth]);

		return wbl_cast_failed(k, s, text, status);
	}
	if (status && !*s->why)
		return wbl_kit_fail(k, "with \"%s\" %s plan returned \"%s\" without a diagnostic",
			name, what[nth], wbl_code_name(status));
	return WBL_PASS;
}

static enum wbl_verdict try_all_odd(struct wbl_kit *k, struct wbl_stage *s, int *ret_tried)
{
	json_t *given = json_incref(json_object_get(s->hello, "params"));
	const struct wbl_provides *h = wbl_kit_handler(k);
	enum wbl_verdict v = WBL_PASS;
	size_t i;
	int n;

	for (i = 0; h && i < h->nparams && v == WBL_PASS; i++)
		for (n = (int)i % k->stride; n < ODD && v == WBL_PASS; n += k->stride) {
			json_t *params = json_copy(given), *value = odd(&h->params[i], n);

			if (value)
				json_object_set_new(params, h->params[i].name, value);
			else
				json_object_del(params, h->params[i].name);
			json_object_set_new(s->hello, "params", params);
			v = try_odd(k, s, h->params[i].name, n, ret_tried);
		}
	if (v == WBL_PASS) {
		json_object_set_new(s->hello, "params", json_object());
		v = try_odd(k, s, "everything", 0, ret_tried);
	}
	json_decref(given);
	return v;
}

enum wbl_verdict wbl_contract_params(struct wbl_kit *k)
{
	const struct wbl_provides *h = wbl_kit_handler(k);
	enum wbl_verdict v;
	struct wbl_stage s;
	struct wbl_world w;
	char *how = NULL;
	int tried = 0;

	if (!wbl_cast_open(k, &s, &w, &v))
		return v;
	if (!h || strcmp(h->name, wbl_json_str(s.hello, "name"))) {
		wbl_cast_close(k, &s, &w);
		return wbl_kit_skip(k, "it provides no handler");
	}
	s.wait_ms = QUICK_MS;
	v = try_all_odd(k, &s, &tried);
	wbl_stage_end(&s);
	if (v == WBL_PASS && w.plan)
		how = wbl_world_differs(k, &w.before);
	wbl_cast_close(k, &s, &w);
	if (how)
		v = wbl_kit_fail(
			k, "planning with odd parameters has changed the fixture: %s", how);
	free(how);
	return v == WBL_PASS ? wbl_kit_pass(k, "%d odd sets of parameters", tried) : v;
}

/* --- services --- */

static void add_needs(const char *path, json_t *services)
{
	struct wbl_manifest *m = NULL;
	int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
	size_t i;

	if (fd >= 0 && !wbl_manifest_read(fd, path, &m, NULL))
		for (i = 0; m->needs && m->needs[i]; i++)
			json_array_append_new(services, json_string(m->needs[i]));
	if (fd >= 0) {
		close(fd);
		wbl_manifest_free(m);
	}
}

static void add_needs_of(const json_t *provider, json_t *services)
{
	const json_t *peer;
	size_t i;

	add_needs(wbl_json_str(json_object_get(provider, "module"), "path"), services);
	json_array_foreach(json_object_get(provider, "peers"), i, peer)
		add_needs_of(peer, services);
}

/* Plan, and the whole way there and back where there is a world. */
static int32_t play_all(struct wbl_stage *s, const struct wbl_world *w)
{
	const char *why;
	int32_t status = wbl_stage_plan(s);

	if (status || !w->plan || !wbl_stage_can(s, &why))
		return status;
	status = wbl_stage_do(s);
	return status ? status : wbl_stage_undo(s);
}

enum wbl_verdict wbl_contract_needs(struct wbl_kit *k)
{
	json_t *services;
	enum wbl_verdict v;
	struct wbl_stage s;
	struct wbl_world w;
	int32_t all, only;

	if (!wbl_cast_open(k, &s, &w, &v))
		return v;
	all = play_all(&s, &w);
	wbl_cast_reset(&s);
	services = json_array();
	add_needs_of(s.hello, services);
	json_object_set_new(s.hello, "services", services);
	only = play_all(&s, &w);
	if (only != all)
		v = wbl_cast_failed(k, &s, "with the services alone that its manifest needs", only);
	else
		v = WBL_PASS;
	wbl_cast_close(k, &s, &w);
	return v;
}

/* What is said on the wire, by all hosts of a test. */
struct heard {
	char misuse[512];
	const char *needles[4];
	char found[256];
	bool masked;
};

static void hear_misuse(struct wbl_play *p, const struct wbl_frame *f)
{
	const struct wbl_stage *s = p->o.stage;
	struct heard *h = s->see_ctx;

	if (f->type == WBL_WIRE_DIAG && wbl_json_int(f->json, "code", 0) == WBL_E_ABI &&
		!*h->misuse)
		snprintf(h->misuse, sizeof h->misuse, "%s: %s: %s", s->call ? s->call : "",
			wbl_json_str(f->json, "where") ? wbl_json_str(f->json, "where") : "",
			wbl_json_str(f->json, "text") ? wbl_json_str(f->json, "text") : "");
}

enum wbl_verdict wbl_contract_services(struct wbl_kit *k)
{
	struct heard h = { 0 };
	enum wbl_verdict v;
	struct wbl_stage s;
	struct wbl_world w;

	if (!wbl_cast_open(k, &s, &w, &v))
		return v;
	s.see = hear_misuse;
	s.see_ctx = &h;
	play_all(&s, &w);
	wbl_cast_close(k, &s, &w);
	if (*h.misuse)
		return wbl_kit_fail(k, "%s", h.misuse);
	return WBL_PASS;
}

enum wbl_verdict wbl_contract_quiet(struct wbl_kit *k)
{
	enum wbl_verdict v;
	struct wbl_stage s;
	struct wbl_world w;

	if (!wbl_cast_open(k, &s, &w, &v))
		return v;
	play_all(&s, &w);
	wbl_stage_end(&s);
	if (s.output.len)
		v = wbl_kit_fail(k,
			"it writes to the standard output or error of its host; use wbl.log/1: "
			"\"%.200s\"",
			s.output.data);
	else
		v = WBL_PASS;
	wbl_cast_close(k, &s, &w);
	return v;
}

enum wbl_verdict wbl_contract_ends(struct wbl_kit *k)
{
	enum wbl_verdict v = WBL_PASS;
	struct wbl_stage s;
	struct wbl_world w;
	int64_t began, took;
	char how[128];
	int status;

	if (!wbl_cast_open(k, &s, &w, &v))
		return v;
	v = WBL_PASS;
	play_all(&s, &w);
	if (!wbl_stage_host(&s)) {
		began = wbl_now_mono();
		status = wbl_stage_end(&s);
		took = (wbl_now_mono() - began) / 1000000;
		if (status == -1 || !WIFEXITED(status) || WEXITSTATUS(status))
			v = wbl_kit_fail(k, "when the engine has closed, its host %s",
				wbl_stage_death(&s, how));
		else if (took >= LEAVE_MS) /* the host has ended itself then */
			v = wbl_kit_fail(k,
				"destroy had not returned %lld ms after the engine closed",
				(long long)took);
	}
	wbl_cast_close(k, &s, &w);
	return v;
}

/* --- secrets --- */

static bool any_secret(const struct wbl_param *p, size_t n, const char **ret_top)
{
	size_t i;

	for (i = 0; i < n; i++) {
		const char *inner = NULL;

		if (p[i].secret || p[i].type == WBL_PARAM_SECRET) {
			*ret_top = p[i].name;
			return true;
		}
		if (any_secret(p[i].params, p[i].nparams, &inner) ||
			(p[i].items && any_secret(p[i].items, 1, &inner)))
			return true;
	}
	return false;
}

static bool refers(const json_t *j)
{
	const char *key;
	const json_t *v;
	size_t i;

	if (wbl_json_str(j, "$secret"))
		return true;
	json_object_foreach((json_t *)j, key, v) if (refers(v)) return true;
	json_array_foreach(j, i, v) if (refers(v)) return true;
	return false;
}

static void hear_secret(struct wbl_play *p, const struct wbl_frame *f)
{
	const struct wbl_stage *s = p->o.stage;
	struct heard *h = s->see_ctx;
	WBL_AUTOFREE char *text = wbl_json_text(f->json);
	size_t i;

	for (i = 0; i < WBL_COUNT(h->needles) && !*h->found; i++)
		if (h->needles[i] &&
			(strstr(text, h->needles[i]) ||
				(f->blob.len && memmem(f->blob.data, f->blob.len, h->needles[i],
							strlen(h->needles[i])))))
			snprintf(h->found, sizeof h->found, "\"%s\" in %s", wbl_wire_name(f->type),
				s->call ? s->call : "");
	if ((f->type == WBL_WIRE_LOG || f->type == WBL_WIRE_DIAG) && strstr(text, "****"))
		h->masked = true;
}

enum wbl_verdict wbl_contract_secret(struct wbl_kit *k)
{
	static const char canary[] = "kA7-canary-uQ2xW9";
	const struct wbl_provides *p = wbl_kit_handler(k);
	char base64[64], hex[64], backwards[64];
	struct heard h = { .needles = { canary, base64, hex, backwards } };
	const char *top = NULL;
	enum wbl_verdict v;
	struct wbl_stage s;
	struct wbl_world w;
	size_t i, n = sizeof canary - 1;

	if (!p || !any_secret(p->params, p->nparams, &top))
		return wbl_kit_skip(k, "it has no secret parameter");
	if (!wbl_cast_open(k, &s, &w, &v))
		return v;
	if (!refers(json_object_get(s.hello, "params"))) {
		if (!top) {
			wbl_cast_close(k, &s, &w);
			return wbl_kit_skip(k, "the fixture gives no secret");
		}
		json_object_set_new(json_object_get(s.hello, "params"), top,
			json_pack("{s:s}", "$secret", "env:WBL_CONFORM_SECRET"));
	}
	sodium_bin2base64(base64, sizeof base64, (const unsigned char *)canary, n,
		sodium_base64_VARIANT_ORIGINAL_NO_PADDING);
	sodium_bin2hex(hex, sizeof hex, (const unsigned char *)canary, n);
	for (i = 0; i < n; i++)
		backwards[i] = canary[n - 1 - i];
	backwards[n] = '\0';
	s.secret = canary;
	s.see = hear_secret;
	s.see_ctx = &h;
	play_all(&s, &w);
	wbl_stage_end(&s);
	v = WBL_PASS;
	if (*h.found)
		v = wbl_kit_fail(k, "the secret leaves the process with %s", h.found);
	else if (h.masked)
		v = wbl_kit_fail(
			k, "the secret is in a log line or diagnostic; the host has masked it");
	else if (s.output.len && strstr(s.output.data, canary))
		v = wbl_kit_fail(k, "the secret is printed");
	wbl_cast_close(k, &s, &w);
	return v;
}
