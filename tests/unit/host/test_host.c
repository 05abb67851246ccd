/* tests of whimbrel-host with a handler that uses every service, and one that breaks every rule.
 * req: H1 H5 U5 X4 X6 X9 M1 O1
 * SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "play.h"
#include "whimbrel/services.h"

#define assert_log(p, prefix, text)                                                                \
	do {                                                                                       \
		const char *log_ = wbl_play_log(p, prefix);                                        \
		if (!log_)                                                                         \
			fail_msg("no log line begins with: %s", prefix);                           \
		assert_string_equal(log_, text);                                                   \
	} while (0)
#define assert_diag(p, word)                                                                       \
	do {                                                                                       \
		if (!wbl_play_diag(p, word))                                                       \
			fail_msg("no diagnostic has: %s", word);                                   \
	} while (0)

static struct wbl_play *start(void)
{
	json_t *hello = play_hello("tester", "tester");
	struct wbl_play *p;

	json_object_set_new(hello, "params", json_pack("{s:s}", "a", "b"));
	json_object_set_new(hello, "fault", json_true());
	p = play_start(hello);
	if (!wbl_play_is_ready(p))
		fail_msg("%s: %s", wbl_json_str(p->back.json, "where"),
			wbl_json_str(p->back.json, "text"));
	return p;
}

/* Ends well: destroy was called, nothing leaked (with sanitizers the exit status says so). */
static void stop(struct wbl_play *p)
{
	char *err;
	int status = wbl_play_stop(p, &err);

	if (status)
		fail_msg("status %x: %s", status, err);
	assert_non_null(strstr(err, "destroyed"));
	free(err);
}

static void test_ready(void **state)
{
	int64_t fastest = INT64_MAX;
	int i;

	for (i = 0; i < 20; i++) {
		struct wbl_play *p = start();
		int64_t took = wbl_now_mono() - p->started_ns;

		if (took < fastest)
			fastest = took;
		if (!i) {
			const json_t *r = p->ready;

			assert_string_equal(wbl_json_str(r, "build"), wbl_wire_build());
			assert_int_equal(wbl_json_int(r, "pid", 0), p->pid);
			assert_string_equal(
				wbl_json_str(json_object_get(r, "handler"), "name"), "tester");
			assert_int_equal(json_array_size(json_object_get(r, "optional")), 6);
			assert_log(p, "create", "create tester {\"a\":\"b\"}");
			assert_log(p, "entry", "entry " PACKAGE_VERSION);
			assert_diag(p, "wbl.params/1 json");
		}
		stop(p);
	}
	print_message("# ready after %.2f ms (the best of 20)\n", (double)fastest / 1e6);
}

static void test_services(void **state)
{
	static const char *const fine[] = { "checkpoint", "result", "output", "input", "ready",
		"position", "drained", "drain", "lag", "state get", "state put", "undo put",
		"artefact create", "artefact seal", "artefact open", "difference", "covered",
		"secret", "ask", "finding" };
	struct wbl_play *p = start();
	const json_t *f;
	size_t i;

	assert_int_equal(play_call(p, "execute", "services", NULL, NULL), 0);
	for (i = 0; i < WBL_COUNT(fine); i++) {
		char line[64];

		snprintf(line, sizeof line, "%s 0", fine[i]);
		assert_log(p, line, line);
	}
	assert_log(p, "input is", "input is s-1 of 2");
	assert_log(p, "lag is", "lag is 11 12 0/99");
	assert_log(p, "rehearsed", "rehearsed -13");
	assert_log(p, "state is", "state is 42");
	assert_log(p, "artefact is", "artefact is kept");
	assert_log(p, "closed", "closed by seal 1");
	assert_log(p, "answer is", "answer is a");
	assert_log(p, "secret has", "secret has 7");
	assert_log(p, "small", "small -9");
	assert_log(p, "the password", "the password is ****");
	assert_log(p, "clock", "clock 1");
	assert_log(p, "fault", "fault 1");
	assert_log(p, "unknown", "unknown 1");
	assert_log(p, "params", "params {\"a\":\"b\"}");
	assert_string_equal(
		wbl_json_str(wbl_play_diag(p, "was refused"), "text"), "**** was refused");
	assert_string_equal(
		wbl_json_str(json_object_get(wbl_play_frame(p, "progress"), "json")
				     ? json_object_get(wbl_play_frame(p, "progress"), "json")
				     : json_object_get(wbl_play_frame(p, "checkpoint"), "json"),
			"phase"),
		"copying ****");
	f = wbl_play_frame(p, "checkpoint");
	assert_string_equal(wbl_json_str(f, "blob"), "here");
	assert_int_equal(wbl_json_int(json_object_get(f, "json"), "items_of", 0), 10);
	f = json_array_get(
		json_object_get(json_object_get(wbl_play_frame(p, "result"), "json"), "digests"),
		0);
	assert_string_equal(wbl_json_str(f, "row"), "ffeeddccbbaa99880000000000001122");
	assert_string_equal(wbl_json_str(f, "key"), "00000000000000090000000000000007");
	assert_string_equal(wbl_json_str(wbl_play_frame(p, "difference"), "blob"), "ref");
	assert_string_equal(
		wbl_json_str(json_object_get(wbl_play_frame(p, "fault"), "json"), "name"), "kept");
	stop(p);
}

static void test_work(void **state)
{
	static const char *const parts[] = { "check", "exec", "chunk", NULL };
	struct wbl_play *p = start();
	json_t *work = json_pack("{s:s, s:s, s:s, s:s, s:s, s:i, s:i, s:i, s:i, s:{s:i, s:i, "
				 "s:[{s:s, s:i, s:s, s:s}]}}",
		"run_id", "r-1", "step_id", "put", "params", "{}", "key", "k", "chunk_id", "c-1",
		"attempt", 2, "pass", 3, "epoch", 4, "deadline_ns", 5, "totals", "items", 6,
		"chunks", 7, "digests", "set", "t", "count", 8, "row",
		"00000000000000ab00000000000000cd", "key", "00000000000000000000000000000000");

	assert_int_equal(play_call(p, "verify", "work", work, parts), 0);
	assert_log(p, "work", "work r-1 put {} k c-1");
	assert_log(p, "numbers", "numbers 2 3 4 5");
	assert_log(p, "parts", "parts check|exec|chunk");
	assert_log(p, "totals", "totals 6 7 8 t ab cd");
	stop(p);
}

static void test_misuse(void **state)
{
	static const char *const named[] = { "wbl.plan/1 step", "not allowed during execute",
		"wbl.undo/1 each", "wbl.undo/1 done", "wbl.check/1 next",
		"only rejects and conflicts", "only a chunk can be split", "no rehearsal",
		"the call is NULL", "none of this host", "name is NULL", "name is not UTF-8",
		"is NULL and has a length", "beyond 16 MiB", "ret is NULL", "descriptor 3 is not",
		"descriptor 1 is not", "json is no JSON", "totals is NULL", "wbl.log/1 write",
		"diag is NULL", "the size of signals is 4", "clock 9 is not known" };
	struct wbl_play *p = start();
	size_t i;

	assert_int_equal(play_call(p, "execute", "misuse", NULL, NULL), 0);
	assert_log(p, "refused", "refused 19 of 19");
	for (i = 0; i < WBL_COUNT(named); i++)
		assert_diag(p, named[i]);
	assert_int_equal(wbl_play_count(p, "step") + wbl_play_count(p, "state put"), 0);
	stop(p);
}

static void test_flood_of_misuse(void **state)
{
	struct wbl_play *p = start();

	assert_int_equal(play_call(p, "execute", "flood", NULL, NULL), 0);
	assert_log(p, "flooded", "flooded");
	assert_in_range(wbl_play_count(p, "diag"), 100, 300);
	stop(p);
}

static void test_sizes(void **state)
{
	struct wbl_play *p = start();
	size_t min = offsetof(struct wbl_step, title) + sizeof(char *);
	char line[128];

	assert_int_equal(play_call(p, "plan", "sizes", NULL, NULL), 0);
	snprintf(line, sizeof line, "step: refused %zu, expected %zu; taken %zu", min, min,
		sizeof(struct wbl_step) + 64 - min + 1);
	assert_log(p, "step: refused", line);
	assert_log(p, "step 65537", "step 65537 -13");
	assert_log(p, "observation 4", "observation 4 -13");
	assert_log(p, "observation 0", "observation 0 0");
	assert_diag(p, "the size of step is 0");
	assert_diag(p, "more than any revision");
	stop(p);
}

static void test_future(void **state)
{
	static const char *const refused[] = { "critical flag -13", "other flag 0", "kind -13",
		"inverse -13", "no reason -13", "mode -13", "manual -13", "title -13", "utf8 -13",
		"params -13", "rule -13", "checkpoint -13", "result -13" };
	static const char *const named[] = { "critical flag 0x80000000", "kind 77 is not known",
		"inverse 0 is not known", "inverse_arg is NULL", "mode 9 is not known",
		"manual is NULL in a manual step", "title is NULL", "title is not UTF-8",
		"params is no JSON object", "rule 9 is not known", "not allowed during plan" };
	struct wbl_play *p = start();
	size_t i;

	assert_int_equal(play_call(p, "plan", "future", NULL, NULL), 0);
	for (i = 0; i < WBL_COUNT(refused); i++)
		assert_log(p, refused[i], refused[i]);
	for (i = 0; i < WBL_COUNT(named); i++)
		assert_diag(p, named[i]);
	assert_int_equal(wbl_play_count(p, "step"), 1);
	stop(p);
}

static void test_plan(void **state)
{
	static const char expected[] =
		"{\"flags\":2621440,\"kind\":4,\"inverse\":4,\"id\":\"press\",\"op\":\"press\","
		"\"title\":\"Press the "
		"button\",\"inverse_arg\":\"it is "
		"pressed\",\"after\":[\"x\",\"y\"],\"claims\":[{\"mode\":2,\"kind\":"
		"\"path\",\"name\":\"/x\"}],\"risks\":[{\"why\":\"it is "
		"big\",\"mitigation\":\"watch it\",\"level\":2}],"
		"\"estimate\":{\"p50_ns\":5,\"p90_ns\":9,\"items\":10,\"bytes\":1000,\"basis\":"
		"\"measured\"},\"limits\":"
		"{\"attempts\":3,\"restarts\":2,\"processes\":4,\"connections\":5,\"timeout_ns\":"
		"100,\"grace_ns\":200,"
		"\"backoff_ns\":300},\"manual\":{\"instructions\":\"Press "
		"it.\",\"assignee\":\"ops\",\"deliverable\":"
		"\"a "
		"photo\"},\"params\":\"{\\\"a\\\":1}\",\"barrier\":\"switch\",\"finishes\":\"bg\","
		"\"retry_from\":"
		"\"x\"}";
	struct wbl_play *p = start();
	char *text;

	assert_int_equal(play_call(p, "plan", "whole", NULL, NULL), 0);
	assert_log(p, "step", "step 0");
	assert_log(p, "observe", "observe 0");
	assert_log(p, "omit", "omit 0");
	text = wbl_json_text(json_object_get(wbl_play_frame(p, "step"), "json"));
	assert_string_equal(text, expected);
	free(text);
	assert_int_equal(
		wbl_json_int(json_object_get(wbl_play_frame(p, "observe"), "json"), "tolerance", 0),
		5);
	assert_int_equal(
		wbl_json_int(json_object_get(wbl_play_frame(p, "omit"), "json"), "count", 0), 3);
	stop(p);
}

static void test_iterations(void **state)
{
	struct wbl_play *p = start();

	assert_int_equal(play_call(p, "rollback", "undo", NULL, NULL), 0);
	assert_log(p, "undo row 1", "undo row 1 0 body 1 -");
	assert_log(p, "undo row 2", "undo row 2 1 body 2 -");
	assert_log(p, "undo end", "undo end 1");
	assert_int_equal(play_call(p, "repair", "differences", NULL, NULL), 0);
	assert_log(p, "difference 3 t row 2", "difference 3 t row 2 v body 2");
	assert_log(p, "difference end", "difference end 1");
	stop(p);
}

/* Every status from every call: what is in statuses.def passes, all else becomes WBL_E_ABI and is named. */
static void test_statuses(void **state)
{
	static const struct {
		const char *call;
		int allowed[20];
	} table[] = {
		{ "plan", { 0, -1, -2, -3, -4, -7, -8, -9, -10, -11, -13, -14 } },
		{ "execute", { 0, -1, -2, -3, -4, -5, -6, -7, -8, -9, -10, -11, -13, -14, -15 } },
		{ "verify", { 0, -1, -2, -3, -4, -6, -7, -8, -9, -10, -11, -13, -14 } },
		{ "rollback", { 0, -1, -2, -3, -4, -5, -6, -7, -8, -9, -10, -11, -13, -14 } },
		{ "check", { 0, -1, -2, -3, -4, -6, -7, -8, -9, -10, -11, -13, -14 } },
		{ "assess", { 0, -1, -2, -3, -4, -7, -8, -9, -10, -11, -13, -14 } },
		{ "partition", { 0, -1, -2, -3, -4, -7, -8, -9, -10, -11, -13, -14 } },
		{ "probe", { 0, -1, -2, -3, -4, -7, -8, -9, -10, -11, -13, -14 } },
		{ "repair", { 0, -1, -2, -3, -4, -5, -6, -7, -8, -9, -10, -11, -13, -14 } },
	};
	struct wbl_play *p = start();
	size_t i, k;
	int s;

	for (i = 0; i < WBL_COUNT(table); i++)
		for (s = -20; s <= 3; s++) {
			bool allowed = s == 0;
			char op[32];
			int32_t got;

			for (k = 0; k < 20; k++)
				allowed = allowed || (table[i].allowed[k] == s && s);
			snprintf(op, sizeof op, "status %d", s);
			got = play_call(p, table[i].call, op, NULL, NULL);
			if (got != (allowed ? s : WBL_E_ABI))
				fail_msg("%s returned %d, which became %d", table[i].call, s, got);
			if (!allowed) {
				const json_t *d = wbl_play_diag(p, table[i].call);

				snprintf(op, sizeof op, " %d,", s);
				assert_true(d && (s == -12 || strstr(wbl_json_str(d, "text"), op)));
			}
			if (s == WBL_E_FENCED) { /* that process ends */
				assert_int_equal(wbl_play_stop(p, NULL), 0);
				p = start();
			}
		}
	stop(p);
}

static void test_optional_calls(void **state)
{
	static const char *const old_bytes[] = { NULL, NULL, NULL, "ancient" };
	struct wbl_play *p = start();

	assert_int_equal(play_call(p, "check", NULL, json_pack("{s:i}", "level", 2), NULL), 0);
	assert_log(p, "check", "check level 2");
	assert_int_equal(play_call(p, "probe", NULL, NULL, NULL), 0);
	assert_int_equal(wbl_json_int(p->back.json, "state", 0), WBL_PROBE_PARTLY);
	assert_int_equal(play_call(p, "probe", "odd state", NULL, NULL), WBL_E_ABI);
	assert_diag(p, "told the state 9");
	assert_int_equal(play_call(p, "upgrade", NULL,
				 json_pack("{s:i, s:s}", "what", 2, "from", "0.0.9"), old_bytes),
		0);
	assert_string_equal(p->back.blob.data, "2 from 0.0.9: ancient");
	assert_diag(p, "not allowed during upgrade");
	assert_int_equal(
		play_call(p, "upgrade", NULL, json_pack("{s:i}", "what", 9), NULL), WBL_E_ABI);
	assert_int_equal(play_call(p, "dance", NULL, NULL, NULL), WBL_E_ABI);
	stop(p);
}

static void test_old_and_young_handlers(void **state)
{
	static const char *const names[] = { "old", "young" };
	size_t i;

	for (i = 0; i < WBL_COUNT(names); i++) {
		struct wbl_play *p = play_start(play_hello("tester", names[i]));

		assert_true(wbl_play_is_ready(p));
		assert_int_equal(json_array_size(json_object_get(p->ready, "optional")), 0);
		assert_int_equal(play_call(p, "execute", NULL, NULL, NULL), 0);
		assert_log(p, "old", "old handler");
		assert_int_equal(play_call(p, "check", NULL, NULL, NULL), WBL_E_UNSUPPORTED);
		assert_int_equal(play_call(p, "repair", NULL, NULL, NULL), WBL_E_UNSUPPORTED);
		assert_int_equal(wbl_play_stop(p, NULL), 0);
	}
}

static void test_signals(void **state)
{
	struct wbl_play *p = start();

	p->signal_after = 1;
	p->signal = json_pack("{s:i, s:i, s:i, s:i, s:s}", "set", 5, "epoch", 6, "demand", 7,
		"deadline_ns", 8, "position", "0/42");
	assert_int_equal(play_call(p, "execute", "signals", NULL, NULL), 0);
	assert_log(p, "before", "before 0");
	assert_log(p, "readable", "readable 1");
	assert_log(p, "after", "after 5");
	assert_log(p, "told", "told 5 6 7 8 0/42");
	assert_log(p, "quiet", "quiet 0");
	/* The next call starts clean. */
	p->signal_after = 1;
	p->signal = json_pack("{s:i, s:s}", "set", 1, "position", "x");
	assert_int_equal(play_call(p, "rollback", "signals", NULL, NULL), 0);
	assert_log(p, "before", "before 0");
	stop(p);
}

/* A cancel that comes while the module is being loaded must not be lost. */
static void test_a_signal_before_the_first_call(void **state)
{
	struct wbl_play *p = start();
	json_t *signal = json_pack("{s:i}", "set", WBL_SIGNAL_STOP);

	wbl_wire_send(p->sock, WBL_WIRE_SIGNAL, 0, signal, NULL, 0, -1, NULL);
	json_decref(signal);
	assert_int_equal(play_call(p, "execute", "drain wait", NULL, NULL), 0);
	assert_log(p, "drain", "drain -4");
	stop(p);
}

static void test_drain_honours_stop(void **state)
{
	struct wbl_play *p = start();

	p->silent_drain = true;
	p->signal_after = 999;
	p->signal = json_pack("{s:i}", "set", WBL_SIGNAL_STOP);
	assert_int_equal(play_call(p, "execute", "drain wait", NULL, NULL), 0);
	assert_log(p, "drain", "drain -4");
	stop(p);
}

static void test_throttle(void **state)
{
	json_t *hello = play_hello("tester", "tester");
	struct wbl_play *p = start();
	int ms = -1;

	assert_int_equal(play_call(p, "execute", "throttle", NULL, NULL), 0);
	assert_log(p, "waited", "waited 0 ms");
	stop(p);
	json_object_set_new(hello, "throttle", json_pack("{s:i}", "items_per_s", 1000));
	p = play_start(hello);
	assert_int_equal(play_call(p, "execute", "throttle", NULL, NULL), 0);
	assert_int_equal(sscanf(wbl_play_log(p, "waited"), "waited %d", &ms), 1);
	assert_in_range(ms, 290, 2000); /* 400 at 1000/s, of which the first 100 are free */
	stop(p);
}

static void test_progress_is_joined(void **state)
{
	struct wbl_play *p = start();
	size_t n;

	assert_int_equal(play_call(p, "execute", "progress", NULL, NULL), 0);
	n = wbl_play_count(p, "progress");
	assert_in_range(n, 2, 60);
	assert_int_equal(
		wbl_json_int(json_object_get(
				     json_array_get(p->seen, json_array_size(p->seen) - 2), "json"),
			"items", 0),
		10000);
	/* The newest is not kept back when nothing follows it. */
	poll(NULL, 0, 120);
	assert_int_equal(play_call(p, "execute", "slow progress", NULL, NULL), 0);
	n = wbl_play_count(p, "progress");
	assert_int_equal(n, 2);
	assert_string_equal(wbl_json_str(json_array_get(p->seen, 2), "type"), "log");
	stop(p);
}

static void test_spill(void **state)
{
	struct wbl_play *p = start();

	assert_int_equal(play_call(p, "execute", "spill", NULL, NULL), 0);
	assert_log(p, "checkpoint", "checkpoint 0");
	assert_int_equal(wbl_json_int(wbl_play_frame(p, "checkpoint"), "len", 0), 1 << 20);
	assert_log(p, "input has", "input has 1048576 sum 3145728");
	stop(p);
}

static void test_chatter(void **state)
{
	struct wbl_play *p = start();

	assert_int_equal(play_call(p, "execute", "chatter", NULL, NULL), 0);
	assert_log(p, "bad", "bad 0");
	assert_int_equal(wbl_play_count(p, "checkpoint"), 1600);
	stop(p);
}

static void test_texts_are_poisoned(void **state)
{
	struct wbl_play *p = start();
	int32_t rc = play_call(p, "execute", "poison", NULL, NULL);
	char *err = NULL;

	assert_log(p, "fresh", "fresh 61");
#ifdef WBL_SANITIZERS
	assert_int_equal(rc, -1000);
	wbl_play_stop(p, &err);
	assert_non_null(strstr(err, "heap-use-after-free"));
#else
	assert_int_equal(rc, 0);
	assert_string_not_equal(wbl_play_log(p, "stale"), "stale 61");
	wbl_play_stop(p, &err);
#endif
	free(err);
}

static void test_late_use(void **state)
{
	struct wbl_play *p = start();

	assert_int_equal(play_call(p, "execute", "keep", NULL, NULL), 0);
	assert_int_equal(play_call(p, "execute", "late", NULL, NULL), 0);
	assert_log(p, "late", "late -13");
	assert_null(wbl_play_log(p, "never seen"));
	assert_log(p, "own", "own is fine");
	assert_diag(p, "used after execute had returned");
	stop(p);
}

static void test_thread_left_behind(void **state)
{
	struct wbl_play *p = start();

	p->silent_drain = true;
	assert_int_equal(play_call(p, "execute", "left behind", NULL, NULL), WBL_E_ABI);
	assert_diag(p, "while a thread of it was still in a service");
	wbl_play_stop(p, NULL);
}

static void test_fenced(void **state)
{
	struct wbl_play *p = start();
	char *err;

	assert_int_equal(play_call(p, "execute", "fenced", NULL, NULL), WBL_E_FENCED);
	assert_log(p, "output", "output -14");
	assert_int_equal(
		waitpid(p->pid, NULL, 0), p->pid); /* it ends by itself, the socket is still open */
	wbl_play_stop(p, &err);
	assert_null(strstr(err, "destroyed"));
	free(err);
}

static void test_split_and_rehearsal(void **state)
{
	struct wbl_play *p = start();

	assert_int_equal(
		play_call(p, "execute", "split", json_pack("{s:i}", "flags", WBL_WORK_CHUNK), NULL),
		WBL_E_SPLIT);
	assert_log(p, "chunk", "chunk 0");
	assert_string_equal(wbl_json_str(wbl_play_frame(p, "chunk"), "blob"), "1-5");
	assert_int_equal(play_call(p, "execute", "split", NULL, NULL), WBL_E_ABI);
	assert_diag(p, "though it had no chunk");
	assert_int_equal(play_call(p, "execute", "rehearse",
				 json_pack("{s:i}", "flags", WBL_WORK_REHEARSE), NULL),
		0);
	assert_log(p, "rehearsed 0", "rehearsed 0");
	assert_diag(p, "level 5 is not known");
	stop(p);
}

static void crash(const char *op, int sig, const char *says)
{
	struct wbl_play *p = start();
	char *err;
	int status;

	assert_int_equal(play_call(p, "execute", op, NULL, NULL), -1000);
	status = wbl_play_stop(p, &err);
	if (!strstr(err, says))
		fail_msg("%s", err);
	assert_non_null(strstr(err, "tester.so")); /* the backtrace */
	assert_true(sig != SIGABRT || strstr(err, "words of the dying\n"));
#ifndef WBL_SANITIZERS
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), sig);
#else
	assert_true(status);
#endif
	free(err);
}

static void test_crashes(void **state)
{
	crash("segv", SIGSEGV, "whimbrel-host: SIGSEGV in execute of tester\n");
	crash("abort", SIGABRT, "whimbrel-host: SIGABRT in execute of tester\n");
	crash("overflow", SIGSEGV, "whimbrel-host: SIGSEGV in execute of tester\n");
}

static void test_end_of_the_engine(void **state)
{
	struct wbl_play *p = start();
	struct wbl_frame f = { .fd = -1 };
	int64_t began;

	play_begin(p, "execute", "hang", NULL, NULL);
	assert_true(wbl_play_read(p, &f));
	wbl_frame_clear(&f);
	began = wbl_now_mono();
	assert_int_equal(wbl_play_stop(p, NULL), 0);
	assert_true(wbl_now_mono() - began < INT64_C(1000000000));
}

static void test_surroundings(void **state)
{
	struct wbl_play *p = start();

	assert_int_equal(play_call(p, "execute", "surroundings", NULL, NULL), 0);
	assert_log(p, "env PATH", "env PATH=/usr/bin:/bin");
	assert_log(p, "env HOME", "env HOME=/root");
	assert_log(p, "env LANG", "env LANG=C.UTF-8");
	assert_log(p, "env TZ", "env TZ=UTC");
	assert_null(wbl_play_log(p, "env SECRET"));
	assert_null(wbl_play_log(p, "env LTDL"));
	assert_null(wbl_play_log(p, "env LC_ALL"));
	assert_log(p, "fds", "fds 5");
	assert_log(p, "helper", "helper 0");
	assert_log(p, "sigpipe", "sigpipe 1");
	stop(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ready),
		cmocka_unit_test(test_services),
		cmocka_unit_test(test_work),
		cmocka_unit_test(test_misuse),
		cmocka_unit_test(test_flood_of_misuse),
		cmocka_unit_test(test_sizes),
		cmocka_unit_test(test_future),
		cmocka_unit_test(test_plan),
		cmocka_unit_test(test_iterations),
		cmocka_unit_test(test_statuses),
		cmocka_unit_test(test_optional_calls),
		cmocka_unit_test(test_old_and_young_handlers),
		cmocka_unit_test(test_signals),
		cmocka_unit_test(test_a_signal_before_the_first_call),
		cmocka_unit_test(test_drain_honours_stop),
		cmocka_unit_test(test_throttle),
		cmocka_unit_test(test_progress_is_joined),
		cmocka_unit_test(test_spill),
		cmocka_unit_test(test_chatter),
		cmocka_unit_test(test_texts_are_poisoned),
		cmocka_unit_test(test_late_use),
		cmocka_unit_test(test_thread_left_behind),
		cmocka_unit_test(test_fenced),
		cmocka_unit_test(test_split_and_rehearsal),
		cmocka_unit_test(test_crashes),
		cmocka_unit_test(test_end_of_the_engine),
		cmocka_unit_test(test_surroundings),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
