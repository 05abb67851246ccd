/* tests of peers: each with its own parameters and secrets, a store in a store, and what is written in a rehearsal.
 * req: P4 U5 D5 H5
 * SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

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

static void add_peer(json_t *hello, json_t *peer, json_t *params)
{
	if (params)
		json_object_set_new(peer, "params", params);
	json_array_append_new(json_object_get(hello, "peers"), peer);
}

static struct wbl_play *start(void)
{
	json_t *hello = play_hello("twins", "opener");
	json_t *nested = play_peer("target", "wbl.store/1", "twins", "pollux");
	json_t *gone = play_peer("missing", "wbl.store/1", "twins", "castor");
	struct wbl_play *p;

	wbl_json_put(json_object_get(gone, "module"), "path", "/nowhere/twins.so");
	add_peer(hello, play_peer("source", "wbl.store/1", "twins", "castor"),
		json_pack("{s:s}", "path", "/a"));
	add_peer(nested, play_peer("inner", "wbl.store/1", "twins", "castor"),
		json_pack("{s:s}", "path", "/c"));
	add_peer(hello, nested, json_pack("{s:s, s:{}}", "path", "/b", "inner"));
	add_peer(hello, play_peer("router", "wbl.router/1", "twins", "turn"), NULL);
	add_peer(hello, play_peer("transform", "wbl.transform/1", "twins", "same"),
		json_pack("{s:i}", "n", 1));
	add_peer(hello, play_peer("broken", "wbl.store/1", "twins", "castor"),
		json_pack("{s:b}", "broken", 1));
	add_peer(hello, gone, NULL);
	p = play_start(hello);
	if (!wbl_play_is_ready(p))
		fail_msg("%s", wbl_json_str(p->back.json, "text"));
	return p;
}

static void stop(struct wbl_play *p)
{
	char *err;
	int status = wbl_play_stop(p, &err);

	if (status)
		fail_msg("status %x: %s", status, err);
	free(err);
}

/* The store says its secret with the lowest bit of each letter turned. */
static char *turned(const char *secret)
{
	char *s = wbl_strdup(secret), *c;

	for (c = s; *c; c++)
		*c ^= 1;
	return s;
}

static void assert_opened(const struct wbl_play *p, const char *name, int flags, const char *secret,
	const char *params)
{
	WBL_AUTOFREE char *changed = turned(secret);
	WBL_AUTOFREE char *line =
		wbl_strf("open %s flags %d secret 0 %s params %s", name, flags, changed, params);

	assert_log(p, line, line);
}

static void test_own_secrets(void **state)
{
	struct wbl_play *p = start();

	assert_int_equal(play_call(p, "execute", "write", NULL, NULL), 0);
	assert_log(p, "source", "source 0");
	assert_log(p, "target", "target 0");
	assert_log(p, "shared", "shared 1");
	assert_opened(p, "castor", 1, "hunter2-source", "{\"path\":\"/a\"}");
	assert_opened(p, "pollux", 3, "hunter2-target", "{\"path\":\"/b\",\"inner\":{}}");
	assert_opened(p, "castor", 1, "hunter2-target.inner", "{\"path\":\"/c\"}");
	assert_log(p, "inner", "inner 0");
	assert_log(p, "router", "router flags 3");
	assert_log(p, "router says", "router says {\"set\":1}");
	assert_log(p, "transform open", "transform open 0");
	assert_log(p, "transform of", "transform of [\"id\"] with {\"n\":1}");
	assert_log(p, "transform says", "transform says [\"x\"]");
	assert_log(p, "nobody", "nobody -13");
	assert_log(p, "wrong interface", "wrong interface -13");
	assert_log(p, "critical flag", "critical flag -13");
	assert_log(p, "broken", "broken -13");
	assert_non_null(wbl_play_diag(p, "open returned -12"));
	assert_log(p, "missing", "missing -8");
	assert_non_null(wbl_play_diag(p, "/nowhere/twins.so"));
	assert_log(p, "close castor", "close castor written 0");
	assert_log(p, "closed", "closed 1");
	assert_non_null(wbl_play_diag(p, "the peer is not open"));
	stop(p);
}

static void test_plan_opens_nothing_for_writing(void **state)
{
	struct wbl_play *p = start();

	assert_int_equal(play_call(p, "plan", NULL, NULL, NULL), 0);
	assert_log(p, "plan writes", "plan writes -13");
	assert_log(p, "plan reads", "plan reads 0");
	assert_log(p, "small peer", "small peer -13");
	assert_non_null(wbl_play_diag(p, "plan only reads"));
	stop(p);
}

static void test_rehearsal(void **state)
{
	static const char *const lines[] = { "sink can write 1", "sink wrong column -2",
		"sink missing column -2", "sink write 0", "sink good 0", "sink null -2 at 1",
		"sink twice -2 at 1", "sink three 0", "sink utf8 -2 at 0", "sink cut -2 at 0",
		"sink count -2 at 1", "sink commit 0 3", "schema flags 1 receipt 0",
		"sink schema 0 CREATE TABLE t", "sink sql 0 {\"rehearsed\":\"DELETE FROM t\"}",
		"sink now 0 42", "sink new 0", "sink new row 0", "router flags 1",
		"router says {\"set\":0}" };
	static const char *const named[] = { "column \"nix\" does not exist",
		"must not be NULL in the target", "its key has come before", "a cell is NULL",
		"not UTF-8", "does not fit the batch", "another number of rows",
		"the set is not there yet", "the weights were not set" };
	struct wbl_play *p = start();
	size_t i;

	assert_int_equal(play_call(p, "execute", "write",
				 json_pack("{s:i}", "flags", WBL_WORK_REHEARSE), NULL),
		0);
	for (i = 0; i < WBL_COUNT(lines); i++)
		assert_log(p, lines[i], lines[i]);
	for (i = 0; i < WBL_COUNT(named); i++)
		if (!wbl_play_diag(p, named[i]))
			fail_msg("no diagnostic has: %s", named[i]);
	assert_null(wbl_play_log(p, "sql flags"));
	assert_opened(p, "pollux", 1, "hunter2-target", "{\"path\":\"/b\",\"inner\":{}}");
	assert_string_equal(wbl_json_str(wbl_play_diag(p, "its key has come"), "where"),
		"t, row 1 of the batch");
	stop(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_own_secrets),
		cmocka_unit_test(test_plan_opens_nothing_for_writing),
		cmocka_unit_test(test_rehearsal),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
