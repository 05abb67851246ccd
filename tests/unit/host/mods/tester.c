/* a handler that does what `op` says: uses every service, breaks every rule, crashes, hangs, chatters.
 * What it sees it writes to the log, where the test reads it.
 * SPDX-License-Identifier: Apache-2.0 */
#include "mod.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <unistd.h>

EXPORTED const struct wbl_module *tester_LTX_wbl_module_entry_v1(struct wbl_call *call);

struct self {
	struct wbl_call *own, *late;
	int calls;
};

static int32_t create(const struct wbl_handler *me, struct wbl_call *own, void **ret_self)
{
	struct self *s = calloc(1, sizeof *s);
	const char *params = PARAMS(own)->json(own);

	s->own = own;
	*ret_self = s;
	say(own, "create %s %s", me->name, params);
	if (strstr(params, "\"refuse\"")) {
		free(s);
		*ret_self = NULL;
		return WBL_E_UNAVAILABLE;
	}
	if (strstr(params, "\"oddly\"")) {
		free(s);
		*ret_self = NULL;
		return 77;
	}
	return WBL_OK;
}

static void destroy(void *self)
{
	struct self *s = self;

	say(s->own, "destroy after %d", s->calls);
	fprintf(stderr, "destroyed\n");
	free(s);
}

static struct wbl_bytes text(const char *s)
{
	return (struct wbl_bytes){ s, strlen(s) };
}

static void use_run(struct wbl_call *c)
{
	const struct wbl_run_service *run = RUN(c);
	struct wbl_progress p = {
		.size = sizeof p, .items = 5, .items_of = 10, .phase = "copying hunter2"
	};
	struct wbl_digest d = { sizeof d, 0, "t", 3, 0x1122, 0xffeeddccbbaa9988, 7, 9 };
	const struct wbl_digest *const digests[] = { &d, NULL };
	struct wbl_totals totals = {
		.size = sizeof totals, .items = 3, .bytes = 99, .digests = digests
	};
	struct wbl_lag lag = { .size = sizeof lag, .behind_ns = 4, .position = "0/16" };
	struct wbl_bytes in = { 0 };
	uint64_t generation = 0;

	say(c, "checkpoint %d", run->checkpoint(c, text("here"), &p));
	say(c, "result %d", run->result(c, &totals));
	say(c, "output %d", run->output(c, "snapshot", text("s-1")));
	say(c, "input %d", run->input(c, "hold", "snapshot", &in, &generation));
	say(c, "input is %.*s of %d", (int)in.len, (const char *)in.data, (int)generation);
	say(c, "ready %d", run->ready(c));
	say(c, "position %d", run->position(c, &lag));
	say(c, "drained %d", run->drained(c, 7, "0/17"));
	say(c, "drain %d", run->drain(c, "bg", "0/17", 1000));
	memset(&lag, 0, sizeof lag);
	lag.size = sizeof lag;
	say(c, "lag %d", run->lag(c, "bg", &lag));
	say(c, "lag is %d %d %s", (int)lag.behind_ns, (int)lag.behind_bytes, lag.position);
	say(c, "rehearsed %d", run->rehearsed(c, 2, "looked"));
}

static void use_keep(struct wbl_call *c)
{
	struct wbl_bytes b = { 0 };
	struct wbl_undo u = {
		.size = sizeof u, .id = "row 1", .body = text("old"), .artefact = "before"
	};
	struct wbl_difference d = { .size = sizeof d,
		.kind = WBL_DIFF_REJECTED,
		.set = "t",
		.key = "[1]",
		.found = "x",
		.ref = text("ref") };
	char read_back[16] = { 0 };
	int32_t fd = -1;

	say(c, "state get %d", STATE(c)->get(c, "cursor", &b));
	say(c, "state is %.*s", (int)b.len, (const char *)b.data);
	say(c, "state put %d", STATE(c)->put(c, "cursor", text("43")));
	say(c, "undo put %d", UNDO(c)->put(c, &u));
	say(c, "artefact create %d", ARTEFACT(c)->create(c, "before", &fd));
	say(c, "artefact written %d", (int)write(fd, "kept", 4));
	say(c, "artefact seal %d", ARTEFACT(c)->seal(c, "before", fd));
	say(c, "closed by seal %d", write(fd, "x", 1) < 0 && errno == EBADF);
	say(c, "artefact open %d", ARTEFACT(c)->open(c, "before", &fd));
	say(c, "artefact read %d", (int)pread(fd, read_back, 15, 0));
	say(c, "artefact is %s", read_back);
	close(fd);
	say(c, "difference %d", CHECK(c)->difference(c, &d));
	say(c, "covered %d", CHECK(c)->covered(c, "t", 5, 10, "every second"));
}

static void use_rest(struct wbl_call *c)
{
	struct wbl_question q = {
		.size = sizeof q, .id = "q1", .text = "which?", .choices_json = "[\"a\"]"
	};
	struct wbl_diag d = { .size = sizeof d,
		.severity = 2,
		.code = WBL_E_RETRY,
		.flags = 1,
		.where = "t",
		.text = "hunter2 was refused",
		.hint = "Ask again." };
	struct wbl_bytes b = { 0 };
	char secret[32] = { 0 }, small[3];
	uint64_t len = 0;

	say(c, "secret %d", PARAMS(c)->secret(c, "target.password", secret, sizeof secret, &len));
	say(c, "secret has %d", (int)len);
	say(c, "the password is %s", secret);
	say(c, "small %d", PARAMS(c)->secret(c, "target.password", small, sizeof small, &len));
	DIAG(c)->report(c, &d);
	say(c, "ask %d", ASK(c)->answer(c, &q, &b));
	say(c, "answer is %.*s", (int)b.len, (const char *)b.data);
	say(c, "finding %d", PLAN(c)->finding(c, "{\"kind\":\"size\"}"));
	say(c, "clock %d", CLOCK(c)->now(c, 1) > 0 && CLOCK(c)->now(c, 2) > 0);
	say(c, "fault %d", FAULT(c) != NULL);
	if (FAULT(c))
		FAULT(c)->point(c, "kept");
	say(c, "unknown %d",
		!c->host->service(c->host, "wbl.log/1x") && !c->host->service(c->host, "wbl.log") &&
			!c->host->service(c->host, "") && !c->host->service(c->host, NULL));
	say(c, "params %s", PARAMS(c)->json(c));
}

static void ex_services(struct self *s, struct wbl_call *c)
{
	use_rest(c);
	use_run(c);
	use_keep(c);
}

/* Everything here must be refused. */
static void ex_misuse(struct self *s, struct wbl_call *c)
{
	struct wbl_step st = {
		.size = sizeof st, .id = "a", .op = "b", .title = "c", .kind = 1, .inverse = 1
	};
	struct wbl_undo u = { .size = sizeof u, .id = "x" };
	struct wbl_difference d = { .size = sizeof d, .kind = WBL_DIFF_MISSING, .set = "t" };
	struct wbl_chunk ch = { .size = sizeof ch, .id = "c" };
	struct wbl_call copy = *c;
	struct wbl_signals sig = { .size = 4 };
	uint64_t len;
	void *cursor = NULL;
	int32_t n = 0;

	n += PLAN(c)->step(c, &st) == WBL_E_ABI;
	n += UNDO(c)->each(c, &cursor, &u) == WBL_E_ABI;
	n += UNDO(c)->done(c, "x") == WBL_E_ABI;
	n += CHECK(c)->next(c, &d) == WBL_E_ABI;
	n += CHECK(c)->difference(c, &d) == WBL_E_ABI;
	n += CHUNK(c)->add(c, &ch) == WBL_E_ABI;
	n += RUN(c)->rehearsed(c, 1, "no rehearsal") == WBL_E_ABI;
	n += RUN(c)->ready(NULL) == WBL_E_ABI;
	n += RUN(c)->ready(&copy) == WBL_E_ABI;
	n += STATE(c)->put(c, NULL, text("x")) == WBL_E_ABI;
	n += STATE(c)->put(c, "\xff\xfe", text("x")) == WBL_E_ABI;
	n += STATE(c)->put(c, "x", (struct wbl_bytes){ NULL, 5 }) == WBL_E_ABI;
	n += STATE(c)->put(c, "x", (struct wbl_bytes){ "x", UINT64_MAX }) == WBL_E_ABI;
	n += STATE(c)->get(c, "x", NULL) == WBL_E_ABI;
	n += ARTEFACT(c)->seal(c, "x", 3) == WBL_E_ABI;
	n += ARTEFACT(c)->seal(c, "x", 1) == WBL_E_ABI;
	n += PARAMS(c)->secret(c, "x", NULL, 9, &len) == WBL_E_ABI;
	n += PLAN(c)->finding(c, "{not json") == WBL_E_ABI;
	n += RUN(c)->result(c, NULL) == WBL_E_ABI;
	LOG(c)->write(c, 1, NULL);
	DIAG(c)->report(c, NULL);
	RUN(c)->signals(c, &sig);
	CLOCK(c)->now(c, 9);
	say(c, "refused %d of 19", n);
}

static void say_size(struct wbl_call *c, const char *what, size_t size, int32_t rc)
{
	say(c, "%s %zu %d", what, size, rc);
}

/* Structs shortened byte by byte, future ones, and ones that claim too much. */
static void pl_sizes(struct self *s, struct wbl_call *c)
{
	struct {
		struct wbl_step step;
		char future[64];
	} big = { { .id = "a", .op = "put", .title = "t", .kind = 1, .inverse = 1 }, { 1, 2, 3 } };
	size_t min = offsetof(struct wbl_step, title) + sizeof(char *), n;
	struct wbl_observation o = { .rule = 1, .key = "k", .value = "v" };
	int ok = 0, refused = 0;

	for (n = 0; n <= sizeof big; n++) {
		big.step.size = (uint32_t)n;
		if (PLAN(c)->step(c, &big.step) == WBL_OK)
			ok++;
		else
			refused++;
	}
	say(c, "step: refused %d, expected %d; taken %d", refused, (int)min, ok);

	big.step.size = 65537;
	say_size(c, "step", 65537, PLAN(c)->step(c, &big.step));
	o.size = 4;
	say_size(c, "observation", 4, PLAN(c)->observe(c, &o));
	o.size = sizeof o;
	say_size(c, "observation", 0, PLAN(c)->observe(c, &o));
}

static void pl_future(struct self *s, struct wbl_call *c)
{
	struct wbl_step st = {
		.size = sizeof st, .id = "a", .op = "b", .title = "c", .kind = 1, .inverse = 1
	};
	struct wbl_claim claim = { sizeof claim, 9, "path", "/x" };
	const struct wbl_claim *const claims[] = { &claim, NULL };
	struct wbl_observation o = { sizeof o, 9, 0, "k", "v", NULL };

	st.flags = 1u << 31;
	say(c, "critical flag %d", PLAN(c)->step(c, &st));
	st.flags = 1u << 15;
	say(c, "other flag %d", PLAN(c)->step(c, &st));
	st.flags = 0;
	st.kind = 77;
	say(c, "kind %d", PLAN(c)->step(c, &st));
	st.kind = 1;
	st.inverse = 0;
	say(c, "inverse %d", PLAN(c)->step(c, &st));
	st.inverse = WBL_INVERSE_NONE;
	say(c, "no reason %d", PLAN(c)->step(c, &st));
	st.inverse = 1;
	st.claims = claims;
	say(c, "mode %d", PLAN(c)->step(c, &st));
	st.claims = NULL;
	st.flags = WBL_STEP_MANUAL;
	say(c, "manual %d", PLAN(c)->step(c, &st));
	st.flags = 0;
	st.title = NULL;
	say(c, "title %d", PLAN(c)->step(c, &st));
	st.title = "\xc3\x28";
	say(c, "utf8 %d", PLAN(c)->step(c, &st));
	st.title = "t";
	st.params = "[1]";
	say(c, "params %d", PLAN(c)->step(c, &st));
	say(c, "rule %d", PLAN(c)->observe(c, &o));
	say(c, "checkpoint %d", RUN(c)->checkpoint(c, text("x"), NULL));
	say(c, "result %d", RUN(c)->output(c, "x", text("x")));
}

static void pl_whole(struct self *s, struct wbl_call *c)
{
	struct wbl_claim claim = { sizeof claim, WBL_EXCLUSIVE, "path", "/x" };
	struct wbl_risk risk = { sizeof risk, 2, "it is big", "watch it" };
	struct wbl_estimate est = { sizeof est, 0, 10, 1000, 5, 9, "measured" };
	struct wbl_limits lim = { sizeof lim, 3, 2, 4, 5, 0, 100, 200, 300 };
	struct wbl_manual man = { sizeof man, 0, "Press it.", "ops", "a photo" };
	struct wbl_observation o = { sizeof o, WBL_RULE_WITHIN, 5, "rows", "10", "about so many" };
	struct wbl_step st = {
		.size = sizeof st,
		.flags = WBL_STEP_MANUAL | WBL_STEP_RETRY_FROM,
		.kind = WBL_KIND_MIGRATION,
		.inverse = WBL_INVERSE_NONE,
		.id = "press",
		.op = "press",
		.title = "Press the button",
		.inverse_arg = "it is pressed",
		.after = (const char *const[]){ "x", "y", NULL },
		.claims = (const struct wbl_claim *const[]){ &claim, NULL },
		.risks = (const struct wbl_risk *const[]){ &risk, NULL },
		.estimate = &est,
		.limits = &lim,
		.manual = &man,
		.params = "{\"a\":1}",
		.barrier = "switch",
		.finishes = "bg",
		.retry_from = "x",
	};

	say(c, "step %d", PLAN(c)->step(c, &st));
	say(c, "observe %d", PLAN(c)->observe(c, &o));
	say(c, "omit %d", PLAN(c)->omit(c, "views", 3, "not supported"));
}

static void ve_undo(struct self *s, struct wbl_call *c)
{
	struct wbl_undo u = { .size = sizeof u };
	void *cursor = NULL;
	int32_t rc;

	while ((rc = UNDO(c)->each(c, &cursor, &u)) == WBL_OK)
		say(c, "undo %s %u %.*s %s", u.id, u.flags, (int)u.body.len,
			(const char *)u.body.data, u.artefact ? u.artefact : "-");
	say(c, "undo end %d", rc);
}

static void re_differences(struct self *s, struct wbl_call *c)
{
	struct wbl_difference d = { .size = sizeof d };
	int32_t rc;

	while ((rc = CHECK(c)->next(c, &d)) == WBL_OK)
		say(c, "difference %d %s %s %s %.*s", d.kind, d.set, d.key, d.field, (int)d.ref.len,
			(const char *)d.ref.data);
	say(c, "difference end %d", rc);
}

static void ex_signals(struct self *s, struct wbl_call *c)
{
	struct pollfd p = { .fd = RUN(c)->signal_fd(c), .events = POLLIN };
	struct wbl_signals sig = { .size = sizeof sig };

	say(c, "before %u", RUN(c)->signals(c, &sig));
	say(c, "readable %d", poll(&p, 1, 5000));
	say(c, "after %u", RUN(c)->signals(c, &sig));
	say(c, "told %u %d %d %d %s", sig.set, (int)sig.epoch, (int)sig.demand,
		(int)sig.deadline_ns, sig.position);
	say(c, "quiet %d", poll(&p, 1, 0));
}

static void ex_drain_wait(struct self *s, struct wbl_call *c)
{
	say(c, "drain %d", RUN(c)->drain(c, "bg", "never", 0));
}

static void ex_throttle(struct self *s, struct wbl_call *c)
{
	int64_t waited = 0;
	int i;

	for (i = 0; i < 4; i++)
		waited += RUN(c)->throttle(c, 100, 0);
	say(c, "waited %d ms", (int)(waited / 1000000));
}

static void ex_progress(struct self *s, struct wbl_call *c)
{
	struct wbl_progress p = { .size = sizeof p };
	int i;

	for (i = 1; i <= 10000; i++) {
		p.items = (uint64_t)i;
		RUN(c)->progress(c, &p);
	}
}

static void ex_slow_progress(struct self *s, struct wbl_call *c)
{
	struct wbl_progress p = { .size = sizeof p, .items = 1 };

	RUN(c)->progress(c, &p);
	p.items = 2;
	RUN(c)->progress(c, &p);
	poll(NULL, 0, 400);
	say(c, "woke");
}

static void ex_spill(struct self *s, struct wbl_call *c)
{
	size_t n = 1 << 20, i;
	unsigned char *big = malloc(n);
	struct wbl_bytes in = { 0 };
	uint64_t sum = 0;

	for (i = 0; i < n; i++)
		big[i] = (unsigned char)(i * 7);
	say(c, "checkpoint %d", RUN(c)->checkpoint(c, (struct wbl_bytes){ big, n }, NULL));
	say(c, "input %d", RUN(c)->input(c, "s", "big", &in, NULL));
	for (i = 0; i < in.len; i++)
		sum += ((const unsigned char *)in.data)[i];
	say(c, "input has %d sum %d", (int)in.len, (int)sum);
	free(big);
}

static void ex_poison(struct self *s, struct wbl_call *c)
{
	struct wbl_bytes a = { 0 }, b = { 0 };
	const volatile unsigned char *old;

	STATE(c)->get(c, "a", &a);
	old = a.data;
	say(c, "fresh %02x", old[40]);
	STATE(c)->get(c, "b", &b);
	say(c, "stale %02x", old[40]); /* wrong on purpose */
}

struct talk {
	struct wbl_call *call;
	int nth, bad;
};

static void *talk(void *p)
{
	struct talk *t = p;
	struct wbl_progress pr = { .size = sizeof pr };
	struct wbl_bytes b;
	char name[32];
	int i;

	for (i = 0; i < 200; i++) {
		snprintf(name, sizeof name, "echo %d.%d", t->nth, i);
		pr.items = (uint64_t)i;
		RUN(t->call)->progress(t->call, &pr);
		RUN(t->call)->signals(t->call, NULL);
		t->bad += STATE(t->call)->get(t->call, name, &b) != WBL_OK ||
			  b.len != strlen(name) || memcmp(b.data, name, b.len);
		t->bad += RUN(t->call)->checkpoint(t->call, text(name), NULL) != WBL_OK;
	}
	return NULL;
}

static void ex_chatter(struct self *s, struct wbl_call *c)
{
	pthread_t threads[8];
	struct talk talks[8];
	int i, bad = 0;

	for (i = 0; i < 8; i++) {
		talks[i] = (struct talk){ c, i, 0 };
		pthread_create(&threads[i], NULL, talk, &talks[i]);
	}
	for (i = 0; i < 8; i++) {
		pthread_join(threads[i], NULL);
		bad += talks[i].bad;
	}
	say(c, "bad %d", bad);
}

static void *drain_alone(void *call)
{
	RUN((struct wbl_call *)call)->drain(call, "bg", "never", 0);
	return NULL;
}

static void ex_left_behind(struct self *s, struct wbl_call *c)
{
	pthread_t t;

	pthread_create(&t, NULL, drain_alone, c);
	pthread_detach(t);
	poll(NULL, 0, 100);
}

static void ex_keep(struct self *s, struct wbl_call *c)
{
	s->late = c;
}

static void ex_late(struct self *s, struct wbl_call *c)
{
	say(c, "late %d", RUN(s->late)->checkpoint(s->late, text("x"), NULL));
	say(s->late, "never seen");
	say(s->own, "own is fine");
}

static int deeper(volatile char *p)
{
	volatile char room[4096];

	room[0] = p ? *p : 1;
	return room[0] == 2 ? 0 : deeper(room) + room[0];
}

static void ex_overflow(struct self *s, struct wbl_call *c)
{
	say(c, "%d", deeper(NULL));
}

static void ex_segv(struct self *s, struct wbl_call *c)
{
	volatile uintptr_t nowhere = 64;

	*(volatile int *)nowhere = 1;
}

static void ex_abort(struct self *s, struct wbl_call *c)
{
	printf("words of the dying\n");
	abort();
}

static void ex_hang(struct self *s, struct wbl_call *c)
{
	say(c, "hanging");
	for (;;)
		pause();
}

static void ex_surroundings(struct self *s, struct wbl_call *c)
{
	extern char **environ;
	char **e;
	int fd, open_fds = 0;

	for (e = environ; *e; e++)
		say(c, "env %s", *e);
	for (fd = 0; fd < 64; fd++)
		open_fds += dup2(fd, fd) == fd && fd <= 4;
	say(c, "fds %d", open_fds);
	say(c, "helper %d", system("test ! -e /proc/self/fd/3 && test -e /proc/self/fd/4"));
	say(c, "sigpipe %d", signal(SIGPIPE, SIG_IGN) == SIG_IGN);
}

static void ex_work(struct self *s, struct wbl_call *c, const struct wbl_work *w)
{
	say(c, "work %s %s %s %s %s", w->run_id, w->step_id, w->params, w->key,
		w->chunk_id ? w->chunk_id : "-");
	say(c, "numbers %d %d %d %d", (int)w->attempt, (int)w->pass, (int)w->epoch,
		(int)w->deadline_ns);
	say(c, "parts %.*s|%.*s|%.*s", (int)w->checkpoint.len, (const char *)w->checkpoint.data,
		(int)w->executed.len, (const char *)w->executed.data, (int)w->chunk.len,
		(const char *)w->chunk.data);
	if (w->totals)
		say(c, "totals %d %d %d %s %llx %llx", (int)w->totals->items,
			(int)w->totals->chunks, (int)w->totals->digests[0]->count,
			w->totals->digests[0]->set,
			(unsigned long long)w->totals->digests[0]->row_hi,
			(unsigned long long)w->totals->digests[0]->row_lo);
}

static void ex_split(struct self *s, struct wbl_call *c)
{
	struct wbl_chunk ch = { .size = sizeof ch, .id = "c1", .body = text("1-5"), .items = 5 };

	say(c, "chunk %d", CHUNK(c)->add(c, &ch));
}

static void ex_fenced(struct self *s, struct wbl_call *c)
{
	say(c, "output %d", RUN(c)->output(c, "fence me", text("x")));
}

static void ex_rehearse(struct self *s, struct wbl_call *c)
{
	say(c, "rehearsed %d", RUN(c)->rehearsed(c, 3, "read all"));
	say(c, "rehearsed %d", RUN(c)->rehearsed(c, 5, "more than there is"));
}

static void ex_flood(struct self *s, struct wbl_call *c)
{
	int i;

	for (i = 0; i < 5000; i++)
		RUN(c)->ready(NULL);
	say(c, "flooded");
}

static const struct {
	const char *op;
	void (*run)(struct self *, struct wbl_call *);
} ops[] = {
	{ "services", ex_services },
	{ "misuse", ex_misuse },
	{ "sizes", pl_sizes },
	{ "future", pl_future },
	{ "whole", pl_whole },
	{ "undo", ve_undo },
	{ "differences", re_differences },
	{ "signals", ex_signals },
	{ "drain wait", ex_drain_wait },
	{ "throttle", ex_throttle },
	{ "progress", ex_progress },
	{ "slow progress", ex_slow_progress },
	{ "spill", ex_spill },
	{ "poison", ex_poison },
	{ "chatter", ex_chatter },
	{ "left behind", ex_left_behind },
	{ "keep", ex_keep },
	{ "late", ex_late },
	{ "overflow", ex_overflow },
	{ "segv", ex_segv },
	{ "abort", ex_abort },
	{ "hang", ex_hang },
	{ "surroundings", ex_surroundings },
	{ "split", ex_split },
	{ "fenced", ex_fenced },
	{ "rehearse", ex_rehearse },
	{ "flood", ex_flood },
};

static int32_t any(void *self, struct wbl_call *call, const struct wbl_work *work)
{
	struct self *s = self;
	size_t i;

	s->calls++;
	if (!work->op)
		return WBL_OK;
	if (!strncmp(work->op, "status ", 7))
		return atoi(work->op + 7);
	if (!strcmp(work->op, "work"))
		ex_work(s, call, work);
	for (i = 0; i < sizeof ops / sizeof *ops; i++)
		if (!strcmp(ops[i].op, work->op))
			ops[i].run(s, call);
	return !strcmp(work->op, "split") ? WBL_E_SPLIT : WBL_OK;
}

static int32_t check(void *self, struct wbl_call *call, const struct wbl_work *work, int32_t level)
{
	say(call, "check level %d", level);
	return any(self, call, work);
}

static int32_t probe(
	void *self, struct wbl_call *call, const struct wbl_work *work, int32_t *ret_state)
{
	*ret_state = work->op && !strcmp(work->op, "odd state") ? 9 : WBL_PROBE_PARTLY;
	return any(self, call, work);
}

static int32_t upgrade(void *self, struct wbl_call *call, int32_t what, const char *from,
	struct wbl_bytes old, struct wbl_bytes *ret)
{
	static char made[256];

	if (what == 9)
		return WBL_E_MISMATCH;
	snprintf(made, sizeof made, "%d from %s: %.*s", what, from, (int)old.len,
		(const char *)old.data);
	*ret = text(made);
	return RUN(call)->checkpoint(call, old, NULL) == WBL_E_ABI ? WBL_OK : WBL_E_FAILED;
}

static const struct wbl_handler tester = {
	.size = sizeof tester,
	.revision = 1,
	.name = "tester",
	.create = create,
	.destroy = destroy,
	.plan = any,
	.execute = any,
	.verify = any,
	.rollback = any,
	.check = check,
	.assess = any,
	.partition = any,
	.probe = probe,
	.repair = any,
	.upgrade = upgrade,
};

static int32_t old_call(void *self, struct wbl_call *call, const struct wbl_work *work)
{
	say(call, "old handler");
	return WBL_OK;
}

/* Of the first revision, without anything optional. */
static const struct wbl_handler old = {
	.size = offsetof(struct wbl_handler, check),
	.revision = 1,
	.name = "old",
	.plan = old_call,
	.execute = old_call,
	.verify = old_call,
	.rollback = old_call,
	.check = check,
};

/* Of a time to come: longer than what this host knows. */
static const struct {
	struct wbl_handler table;
	void *future[4];
} young = { { .size = sizeof young,
		    .revision = 3,
		    .name = "young",
		    .plan = old_call,
		    .execute = old_call,
		    .verify = old_call,
		    .rollback = old_call },
	{ (void *)1 } };

static const struct wbl_handler lame = {
	.size = sizeof lame,
	.revision = 1,
	.name = "lame",
	.plan = old_call,
	.verify = old_call,
	.rollback = old_call,
};
static const struct wbl_handler stub = { .size = 40, .revision = 1, .name = "stub" };
static const struct wbl_handler huge = { .size = 1u << 20, .revision = 1, .name = "huge" };

static const void *interface(const char *id, uint32_t index)
{
	static const void *const handlers[] = { &tester, &old, &young, &lame, &stub, &huge };

	return !strcmp(id, "wbl.handler/1") && index < 6 ? handlers[index] : NULL;
}

static const struct wbl_module module = { sizeof module, 0, "org.example.tester", "0.1.0",
	interface };

const struct wbl_module *tester_LTX_wbl_module_entry_v1(struct wbl_call *call)
{
	say(call, "entry %s", call->host->engine_version);
	if (PARAMS(call)->json(call))
		return NULL;
	return &module;
}
