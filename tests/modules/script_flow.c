/* script_flow.c - words of "script" about chunks, background steps, what is handed on, asked, kept and found.
 * SPDX-License-Identifier: Apache-2.0 */
#include "script.h"

#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

extern char **environ;

static struct wbl_bytes bytes_of(const char *s)
{
	return (struct wbl_bytes){ s, strlen(s) };
}

static int32_t put_line(struct script_job *j, const char *name, const char *text, size_t len)
{
	char path[4096];
	FILE *f;

	script_path(j, name, path);
	f = fopen(path, "ae");
	if (!f)
		return WBL_E_FAILED;
	fprintf(f, "%.*s\n", (int)len, text);
	fclose(f);
	return WBL_OK;
}

static int32_t do_checkpoint(struct script_job *j, char **w, int n)
{
	(void)n;
	return j->run->checkpoint(j->call, bytes_of(w[1]), NULL);
}

/* resumed FILE: the checkpoint that came with the call; executed FILE: that of execute. */
static int32_t do_resumed(struct script_job *j, char **w, int n)
{
	struct wbl_bytes b = *w[0] == 'r' ? j->work->checkpoint : j->work->executed;

	(void)n;
	return b.len ? put_line(j, w[1], b.data, b.len) : put_line(j, w[1], "none", 4);
}

static int32_t do_output(struct script_job *j, char **w, int n)
{
	(void)n;
	return j->run->output(j->call, w[1], bytes_of(w[2]));
}

/* input STEP NAME FILE: value and generation, or "none". */
static int32_t do_input(struct script_job *j, char **w, int n)
{
	struct wbl_bytes b = { 0 };
	uint64_t generation = 0;
	int32_t rc = j->run->input(j->call, w[1], w[2], &b, &generation);
	char line[4096];
	int len;

	(void)n;
	if (rc == WBL_END)
		return put_line(j, w[3], "none", 4);
	if (rc)
		return rc;
	len = snprintf(
		line, sizeof line, "%.*s %" PRIu64, (int)b.len, (const char *)b.data, generation);
	return put_line(j, w[3], line, (size_t)len);
}

/* ---- chunks ---- */

static int32_t add_chunk(struct script_job *j, int from, int to)
{
	const struct wbl_chunk_service *c = wbl_service(j->call, "wbl.chunk/1");
	char id[64], body[64];
	struct wbl_chunk chunk = { .size = sizeof chunk, .id = id, .items = (uint64_t)(to - from) };

	snprintf(id, sizeof id, "%d-%d", from, to);
	snprintf(body, sizeof body, "%d %d", from, to);
	chunk.body = bytes_of(body);
	return c->add(j->call, &chunk);
}

/* parts N SIZE: N chunks of SIZE numbers. */
static int32_t do_parts(struct script_job *j, char **w, int n)
{
	int count = atoi(w[1]), size = atoi(w[2]);
	int32_t rc = WBL_OK;

	(void)n;
	for (int i = 0; i < count && !rc; i++) {
		rc = add_chunk(j, i * size, (i + 1) * size);
		if (i == 1)
			WBL_FAULT(j->call, "here");
	}
	return rc;
}

static int32_t split(struct script_job *j, int from, int to)
{
	int32_t rc = add_chunk(j, from, from + (to - from) / 2);

	WBL_FAULT(j->call, "here");
	if (!rc)
		rc = add_chunk(j, from + (to - from) / 2, to);
	return rc ? rc : WBL_E_SPLIT;
}

/* half FILE: the first time, the first half is named as a part, and the process dies before it says that it split. */
static int32_t do_half(struct script_job *j, char **w, int n)
{
	char body[64] = "", path[4096];
	int from = 0, to = 0, fd;

	(void)n;
	script_path(j, w[1], path);
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return WBL_OK;
	close(fd);
	memcpy(body, j->work->chunk.data, j->work->chunk.len < 63 ? j->work->chunk.len : 63);
	if (sscanf(body, "%d %d", &from, &to) != 2 || add_chunk(j, from, from + (to - from) / 2))
		return WBL_E_FAILED;
	poll(NULL, 0, 100); /* long enough for it to be taken for a chunk of its own */
	abort();
}

static int32_t tell_totals(struct script_job *j, int from, int to)
{
	struct wbl_sum sum = { 0 };
	struct wbl_digest digest;
	const struct wbl_digest *list[2] = { &digest, NULL };
	struct wbl_totals t = { .size = sizeof t, .items = (uint64_t)(to - from), .digests = list };

	for (int i = from; i < to; i++) {
		wbl_sum_row(&sum, &i, sizeof i);
		wbl_sum_key(&sum, &i, sizeof i);
	}
	wbl_sum_digest(&sum, "numbers", &digest);
	digest.size = sizeof digest;
	return j->run->result(j->call, &t);
}

/* items LARGEST: a file item.N for each number of the chunk; a chunk with more than LARGEST is split. */
static int32_t do_items(struct script_job *j, char **w, int n)
{
	char body[64] = "", name[64], text[64], path[4096];
	int from = 0, to = 0;
	int32_t rc = WBL_OK;

	(void)n;
	memcpy(body, j->work->chunk.data, j->work->chunk.len < 63 ? j->work->chunk.len : 63);
	if (sscanf(body, "%d %d", &from, &to) != 2)
		return wbl_error_report(j->call, WBL_E_CORRUPT, "chunk", NULL, "a strange body");
	if (to - from > atoi(w[1]))
		return split(j, from, to);
	for (int i = from; i < to && !rc; i++) {
		if (wbl_stop_asked(j->call))
			return WBL_E_CANCELLED;
		snprintf(name, sizeof name, "item.%d", i);
		snprintf(text, sizeof text, "%d\n", i);
		script_path(j, name, path);
		rc = wbl_keep_file(j->call, name, path);
		if (!rc)
			rc = wbl_replace_file(j->call, path, text, strlen(text));
		j->run->throttle(j->call, 1, 0);
		WBL_FAULT(j->call, "here");
	}
	return rc ? rc : tell_totals(j, from, to);
}

/* total N: verify of a partitioned step: so many items, and their digest. */
static int32_t do_total(struct script_job *j, char **w, int n)
{
	const struct wbl_totals *t = j->work->totals;
	struct wbl_sum sum = { 0 };
	int count = atoi(w[1]);

	(void)n;
	for (int i = 0; i < count; i++) {
		wbl_sum_row(&sum, &i, sizeof i);
		wbl_sum_key(&sum, &i, sizeof i);
	}
	if (!t || t->items != (uint64_t)count || !t->digests || !t->digests[0] ||
		t->digests[0]->count != sum.count || t->digests[0]->row_lo != sum.row_lo ||
		t->digests[0]->row_hi != sum.row_hi || t->digests[0]->key_hi != sum.key_hi)
		return wbl_error_report(j->call, WBL_E_MISMATCH, "totals", NULL,
			"%" PRIu64 " items of %d, or another digest", t ? t->items : 0, count);
	return WBL_OK;
}

/* ---- background ---- */

static int32_t do_ready(struct script_job *j, char **w, int n)
{
	(void)w, (void)n;
	return j->run->ready(j->call);
}

/* What OUT has not of IN is appended; OUT's length is the position. */
static int64_t mirror(struct script_job *j, const char *in, const char *out)
{
	char from[4096], to[4096], part[4096];
	int a, b;
	off_t at;
	ssize_t n;

	script_path(j, in, from);
	script_path(j, out, to);
	a = open(from, O_RDONLY | O_CLOEXEC);
	b = open(to, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	at = b < 0 ? 0 : lseek(b, 0, SEEK_END);
	while (a >= 0 && b >= 0 && (n = pread(a, part, sizeof part, at)) > 0)
		if (write(b, part, (size_t)n) == n)
			at += n;
	if (b >= 0)
		fsync(b);
	if (a >= 0)
		close(a);
	if (b >= 0)
		close(b);
	return at;
}

/* serve IN OUT [deaf]: mirrors until told to finish; answers demands, unless deaf. */
static int32_t do_serve(struct script_job *j, char **w, int n)
{
	struct wbl_signals sig = { .size = sizeof sig };
	uint64_t answered = 0;
	int32_t rc = j->run->ready(j->call);
	char pos[32];

	(void)n;
	while (!rc) {
		int64_t at = mirror(j, w[1], w[2]);
		struct wbl_lag lag = { .size = sizeof lag, .behind_bytes = 7 };

		snprintf(pos, sizeof pos, "%" PRId64, at);
		lag.position = pos;
		j->run->position(j->call, &lag);
		j->run->signals(j->call, &sig);
		if ((sig.set & WBL_SIGNAL_DRAIN) && sig.demand > answered && !*w[3] &&
			at >= (sig.position ? atoll(sig.position) : 0)) {
			mirror(j, w[1], w[2]);
			put_line(j, "@deadlines", sig.deadline_ns ? "some" : "none", 4);
			rc = j->run->drained(j->call, sig.demand, pos);
			answered = sig.demand;
		}
		if (!rc && (sig.set & WBL_SIGNAL_FINISH)) {
			mirror(j, w[1], w[2]);
			return WBL_OK;
		}
		if (sig.set & WBL_SIGNAL_STOP)
			return WBL_E_CANCELLED;
		if (!rc)
			poll(NULL, 0, 3);
	}
	return rc;
}

/* drain STEP POSITION MS; lag STEP FILE */
static int32_t do_drain(struct script_job *j, char **w, int n)
{
	(void)n;
	return j->run->drain(
		j->call, w[1], strcmp(w[2], "-") ? w[2] : NULL, strtoll(w[3], NULL, 10) * 1000000);
}

static int32_t do_lag(struct script_job *j, char **w, int n)
{
	struct wbl_lag lag = { .size = sizeof lag };
	int32_t rc = j->run->lag(j->call, w[1], &lag);

	(void)n;
	return rc ? rc : put_line(j, w[2], lag.behind_bytes == 7 ? "seven" : "other", 5);
}

/* ---- people, values, findings ---- */

/* ask ID FILE [STATUS]: the answer goes to the file; unanswered in execute: WAIT. */
static int32_t do_ask(struct script_job *j, char **w, int n)
{
	const struct wbl_ask_service *ask = wbl_service(j->call, "wbl.ask/1");
	struct wbl_question q = { .size = sizeof q,
		.id = w[1],
		.text = "Which one?",
		.choices_json = "[\"left\",\"right\"]",
		.proposal = "left" };
	struct wbl_bytes b = { 0 };
	int32_t rc = ask->answer(j->call, &q, &b);

	(void)n;
	if (rc == WBL_END)
		return j->work->step_id ? WBL_E_WAIT : WBL_OK;
	return rc ? rc : put_line(j, w[2], b.data, b.len);
}

/* value NAME FILE: what holds, or "none"; count NAME: one more. */
static int32_t do_value(struct script_job *j, char **w, int n)
{
	const struct wbl_state_service *s = wbl_service(j->call, "wbl.state/1");
	struct wbl_bytes b = { 0 };
	int32_t rc = s->get(j->call, w[1], &b);
	char text[64] = "0";

	(void)n;
	if (rc < 0)
		return rc;
	if (*w[0] == 'v')
		return rc ? put_line(j, w[2], "none", 4) : put_line(j, w[2], b.data, b.len);
	if (!rc)
		snprintf(text, sizeof text, "%.*s", (int)b.len, (const char *)b.data);
	snprintf(text, sizeof text, "%d", atoi(text) + 1);
	return s->put(j->call, w[1], bytes_of(text));
}

/* differs SET COUNT [reject]: so many differences, each with a ref; ends well when told "enough". */
static int32_t do_differs(struct script_job *j, char **w, int n)
{
	const struct wbl_check_service *c = wbl_service(j->call, "wbl.check/1");
	int count = atoi(w[2]);
	int32_t rc = WBL_OK;

	(void)n;
	for (int i = 0; i < count && !rc; i++) {
		char key[32], ref[64];
		struct wbl_difference d = { .size = sizeof d,
			.kind = *w[3] ? WBL_DIFF_REJECTED : WBL_DIFF_CHANGED,
			.set = w[1],
			.field = "content",
			.expected = "x",
			.found = "y",
			.key = key };

		snprintf(key, sizeof key, "[%d]", i);
		snprintf(ref, sizeof ref, "%s.%d", w[1], i);
		d.ref = bytes_of(ref);
		rc = c->difference(j->call, &d);
	}
	if (!rc || rc == WBL_END)
		rc = c->covered(j->call, w[1], (uint64_t)count, (uint64_t)count, "counted");
	return rc;
}

/* mend FILE: the ref of each recorded difference becomes a line of the file. */
static int32_t do_mend(struct script_job *j, char **w, int n)
{
	const struct wbl_check_service *c = wbl_service(j->call, "wbl.check/1");
	struct wbl_difference d = { .size = sizeof d };
	int32_t rc;

	(void)n;
	while (!(rc = c->next(j->call, &d)))
		put_line(j, w[1], d.ref.data, d.ref.len);
	return rc == WBL_END ? WBL_OK : rc;
}

static int32_t do_finding(struct script_job *j, char **w, int n)
{
	const struct wbl_plan_service *p = wbl_service(j->call, "wbl.plan/1");

	(void)w, (void)n;
	return p->finding(j->call, "{\"kind\":\"test\",\"text\":\"found\"}");
}

static int32_t do_rehearsed(struct script_job *j, char **w, int n)
{
	(void)n;
	return j->run->rehearsed(j->call, atoi(w[1]), w[2]);
}

/* throttle N: N items one after the other */
static int32_t do_throttle(struct script_job *j, char **w, int n)
{
	int count = atoi(w[1]);

	(void)n;
	for (int i = 0; i < count; i++) {
		j->run->throttle(j->call, 1, 0);
		if (wbl_stop_asked(j->call))
			return WBL_E_CANCELLED;
	}
	return WBL_OK;
}

/* ---- plan ---- */

/* observe NAME RULE TOLERANCE: the file's text */
static int32_t do_observe(struct script_job *j, char **w, int n)
{
	char path[4096], text[256] = "absent";
	ssize_t len;
	int fd;

	(void)n;
	script_path(j, w[1], path);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd >= 0) {
		len = read(fd, text, sizeof text - 1);
		text[len < 0 ? 0 : len] = '\0';
		text[strcspn(text, "\n")] = '\0';
		close(fd);
	}
	return wbl_plan_observe(j->call, atoi(w[2]), atoi(w[3]), w[1], text, "a file's text");
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* world: all that a plan must not depend on, as an observation: environment, working folder, mask, time zone. */
static int32_t do_world(struct script_job *j, char **w, int n)
{
	struct wbl_out o = { 0 };
	const char *vars[64];
	char cwd[4096] = "", digest[33];
	size_t count = 0;
	mode_t mask = umask(022);
	int32_t rc;

	(void)w, (void)n;
	umask(mask);
	for (char **e = environ; *e && count < 64; e++)
		if (strncmp(*e, "WBL_HOST=", 9))
			vars[count++] = *e;
	qsort(vars, count, sizeof *vars, by_name);
	for (size_t i = 0; i < count; i++)
		wbl_out_fmt(&o, "%s\n", vars[i]);
	wbl_out_fmt(&o, "%s %o %s\n", getcwd(cwd, sizeof cwd), (unsigned)mask, "end");
	wbl_digest_hex(o.s, o.len, digest);
	rc = wbl_plan_observe(
		j->call, WBL_RULE_EQUAL, 0, "process", digest, "the handler's process");
	wbl_out_clear(&o);
	return rc;
}

int32_t script_flow_word(struct script_job *j, char **w, int n)
{
	static const struct {
		const char *name;
		int32_t (*fn)(struct script_job *j, char **w, int n);
	} words[] = { { "checkpoint", do_checkpoint }, { "resumed", do_resumed },
		{ "executed", do_resumed }, { "output", do_output }, { "input", do_input },
		{ "parts", do_parts }, { "half", do_half }, { "items", do_items },
		{ "total", do_total }, { "ready", do_ready }, { "serve", do_serve },
		{ "drain", do_drain }, { "lag", do_lag }, { "ask", do_ask }, { "value", do_value },
		{ "count", do_value }, { "differs", do_differs }, { "mend", do_mend },
		{ "finding", do_finding }, { "rehearsed", do_rehearsed },
		{ "throttle", do_throttle }, { "observe", do_observe }, { "world", do_world } };

	for (size_t i = 0; i < sizeof words / sizeof *words; i++)
		if (!strcmp(words[i].name, w[0]))
			return words[i].fn(j, w, n);
	return -100;
}
