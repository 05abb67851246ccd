/* tests of core/state/journal.c: append, commit, walks, the event form, a writer that dies.
 * req: X9 U1 M2 H5
 * SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "kit.h"

#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

struct seen {
	int64_t seq[64];
	int count;
};

static int32_t see(void *ctx, const struct wbl_entry *e)
{
	struct seen *seen = ctx;

	seen->seq[seen->count++] = e->seq;
	return 0;
}

/* "3 4 5": the walk gives exactly these, in this order */
static void expect(struct wbl_state *s, struct wbl_query q, const char *want)
{
	struct seen seen = { .count = 0 };
	struct wbl_buf got = { 0 };
	struct wbl_error err;
	int i;

	if (wbl_journal_each(s, &q, see, &seen, &err))
		fail_msg("%s", err.text);
	wbl_buf_adds(&got, "");
	for (i = 0; i < seen.count; i++)
		wbl_buf_addf(&got, "%s%lld", i ? " " : "", (long long)seen.seq[i]);
	assert_string_equal(got.data, want);
	wbl_buf_clear(&got);
}

static int32_t check_members(void *ctx, const struct wbl_entry *e)
{
	const struct wbl_entry *want = ctx;

	assert_int_equal(e->seq, want->seq);
	assert_true(e->at == want->at && e->at > INT64_C(1600000000) * 1000000000);
	assert_int_equal(e->kind, want->kind);
	assert_string_equal(e->run, want->run);
	assert_string_equal(e->step, want->step);
	assert_string_equal(e->chunk, want->chunk);
	assert_string_equal(e->name, "");
	assert_null(e->actor);
	assert_true(
		e->pass == want->pass && e->attempt == want->attempt && e->epoch == want->epoch);
	assert_int_equal(e->status, want->status);
	assert_int_equal(e->body.len, want->body.len);
	assert_memory_equal(e->body.data, want->body.data, want->body.len);
	return 4242;
}

static void test_members(void **state)
{
	struct kit *k = *state;
	struct wbl_state *s = kit_open(k, 0);
	struct wbl_entry e = { .kind = WBL_KIND_CHECKPOINT,
		.run = "r",
		.step = "s",
		.chunk = "c",
		.name = "",
		.pass = INT64_MIN,
		.attempt = INT64_MAX,
		.epoch = 9,
		.status = INT32_MIN,
		.body = { "a\0b", 3 } };
	struct wbl_query all = { 0 };
	int pass;

	assert_false(wbl_journal_dirty(s));
	assert_int_equal(wbl_journal_append(s, &e, &k->err), 0);
	assert_true(wbl_journal_dirty(s));
	for (pass = 0; pass < 2; pass++) {
		assert_int_equal(wbl_journal_last(s), 1);
		assert_int_equal(wbl_journal_each(s, &all, check_members, &e, &k->err), 4242);
		assert_int_equal(wbl_journal_commit(s, &k->err), 0);
		assert_false(wbl_journal_dirty(s));
		wbl_state_close(s);
		s = kit_open(k, 0);
	}
	wbl_state_close(s);
}

static void fill_for_queries(struct wbl_state *s)
{
	static const struct wbl_entry list[] = {
		{ .kind = WBL_KIND_RUN_CREATED, .run = "a", .name = "p1" },            /* 1 */
		{ .kind = WBL_KIND_RUN_CREATED, .run = "b", .name = "p2" },            /* 2 */
		{ .kind = WBL_KIND_STEP_INTENT, .run = "a", .step = "s1", .pass = 1 }, /* 3 */
		{ .kind = WBL_KIND_STEP_INTENT, .run = "b", .step = "s1", .pass = 1 }, /* 4 */
		{ .kind = WBL_KIND_CHUNK_INTENT,
			.run = "a",
			.step = "s1",
			.chunk = "x",
			.pass = 1 }, /* 5 */
		{ .kind = WBL_KIND_CHUNK_INTENT,
			.run = "a",
			.step = "s1",
			.chunk = "y",
			.pass = 2 },                                           /* 6 */
		{ .kind = WBL_KIND_STATE_HOLD, .name = "cursor" },             /* 7 */
		{ .kind = WBL_KIND_STATE_HOLD, .name = "other" },              /* 8 */
		{ .kind = WBL_KIND_STATE_HOLD, .run = "a", .name = "cursor" }, /* 9 */
	};
	struct wbl_error err;
	size_t i;

	for (i = 0; i < WBL_COUNT(list); i++) {
		struct wbl_entry e = list[i];

		assert_int_equal(wbl_journal_append(s, &e, &err), 0);
		assert_int_equal(e.seq, i + 1);
	}
}

#define Q(...)                                                                                     \
	(struct wbl_query)                                                                         \
	{                                                                                          \
		__VA_ARGS__                                                                        \
	}
static void test_queries(void **state)
{
	struct kit *k = *state;
	struct wbl_state *s = kit_open(k, 0), *reader = NULL;

	fill_for_queries(
		s); /* all of it must hold in the open transaction, after it, and for a reader */
	for (;;) {
		struct wbl_state *r = reader ? reader : s;

		expect(r, Q(.kind = 0), "1 2 3 4 5 6 7 8 9");
		expect(r, Q(.run = "a"), "1 3 5 6 9");
		expect(r, Q(.run = "a", .newest_first = true), "9 6 5 3 1");
		expect(r, Q(.run = "a", .newest_first = true, .after = 6), "5 3 1");
		expect(r, Q(.run = "a", .newest_first = true, .limit = 2), "9 6");
		expect(r, Q(.run = "a", .after = 3, .limit = 2), "5 6");
		expect(r, Q(.run = "nobody"), "");
		expect(r, Q(.run = "a", .step = "s1"), "3 5 6");
		expect(r, Q(.run = "a", .step = "s1", .chunk = "y"), "6");
		expect(r, Q(.run = "a", .step = "s1", .pass = 1), "3 5");
		expect(r, Q(.run = "a", .kind = WBL_KIND_CHUNK_INTENT), "5 6");
		expect(r,
			Q(.run = "a", .kind = WBL_KIND_CHUNK_INTENT, .newest_first = true,
				.limit = 1),
			"6");
		expect(r, Q(.kind = WBL_KIND_RUN_CREATED), "1 2");
		expect(r, Q(.kind = WBL_KIND_RUN_CREATED, .newest_first = true), "2 1");
		expect(r, Q(.kind = WBL_KIND_STATE_HOLD, .name = "cursor"), "7 9");
		expect(r,
			Q(.kind = WBL_KIND_STATE_HOLD, .name = "cursor", .newest_first = true,
				.limit = 1),
			"9");
		expect(r, Q(.kind = WBL_KIND_STATE_HOLD, .name = "cursor", .run = "a"), "9");
		expect(r, Q(.name = "cursor"), "7 9");
		expect(r, Q(.step = "s1", .pass = 2), "6");
		expect(r, Q(.after = 100), "");
		expect(r, Q(.after = 100, .newest_first = true, .limit = 1), "9");
		if (reader)
			break;
		if (wbl_journal_dirty(s))
			assert_int_equal(wbl_journal_commit(s, &k->err), 0);
		else
			reader = kit_open(k, WBL_STATE_READ_ONLY);
	}
	kit_put(s, WBL_KIND_LOG, "b", "info", "seen by a reader once committed");
	expect(reader, Q(.run = "b"), "2 4");
	assert_int_equal(wbl_journal_commit(s, &k->err), 0);
	expect(reader, Q(.run = "b"), "2 4 10");
	wbl_state_close(reader);
	wbl_state_close(s);
}

/* every shape of a query must find an index that can serve it */
static void test_all_shapes(void **state)
{
	struct kit *k = *state;
	struct wbl_state *s = kit_open(k, 0);
	unsigned i;

	fill_for_queries(s);
	for (i = 0; i < 128; i++)
		expect(s,
			Q(.run = i & 1 ? "-" : NULL, .step = i & 2 ? "-" : NULL,
				.chunk = i & 4 ? "-" : NULL, .name = i & 8 ? "-" : NULL,
				.kind = i & 16 ? WBL_KIND_LOG : WBL_KIND_NONE,
				.pass = i & 32 ? 77 : 0, .newest_first = i & 64, .after = 1,
				.limit = 1),
			i & 63   ? ""
			: i & 64 ? ""
				 : "2");
	wbl_state_close(s);
}

static int32_t append_while_walking(void *ctx, const struct wbl_entry *e)
{
	struct wbl_error err;

	kit_put(ctx, WBL_KIND_LOG, "a", e->name, "more");
	expect(ctx, Q(.run = "b"), "2 4");
	assert_string_equal(e->run, "a");
	return wbl_journal_commit(ctx, &err);
}

static void test_append_inside_walk(void **state)
{
	struct kit *k = *state;
	struct wbl_state *s = kit_open(k, 0);
	struct wbl_query q = { .run = "a" };

	fill_for_queries(s);
	assert_int_equal(wbl_journal_each(s, &q, append_while_walking, s, &k->err), 0);
	assert_int_equal(wbl_journal_last(s), 9 + 5);
	expect(s, q, "1 3 5 6 9 10 11 12 13 14");
	wbl_state_close(s);
}

static void test_entry_json(void **state)
{
	struct wbl_entry e = { .seq = 7,
		.at = INT64_C(1700000000123456789),
		.kind = WBL_KIND_STEP_RESULT,
		.run = "r",
		.step = "\xff",
		.attempt = 2,
		.status = -1,
		.body = { "{\"ms\":[1,2]}", 12 } };
	json_t *j = wbl_entry_json(&e);
	char *text = wbl_json_text(j);

	assert_string_equal(text,
		"{\"seq\":7,\"time\":\"2023-11-14T22:13:20.123Z\",\"kind\":\"step.result\","
		"\"run\":\"r\",\"step\":\"\xef\xbf\xbd\",\"attempt\":2,\"status\":-1,"
		"\"body\":{\"ms\":[1,2]}}");
	free(text);
	json_decref(j);
	e.body = (struct wbl_bytes){ "\x01\x02{}", 4 };
	j = wbl_entry_json(&e);
	assert_int_equal(wbl_json_int(j, "body_bytes", 0), 4);
	assert_null(json_object_get(j, "body"));
	json_decref(j);
	e.body.data = NULL;
	j = wbl_entry_json(&e);
	assert_true(wbl_json_bool(j, "purged", false));
	assert_int_equal(wbl_json_int(j, "body_bytes", 0), 4);
	json_decref(j);
	e.kind = WBL_KIND_LOG;
	e.body = (struct wbl_bytes){ "12 rows", 7 };
	j = wbl_entry_json(&e);
	assert_string_equal(wbl_json_str(j, "body"), "12 rows");
	json_decref(j);
}

/* req: X9 - what was committed is there, what was not is not, and the number goes on from there */
static void test_writer_dies(void **state)
{
	struct kit *k = *state;
	struct wbl_state *s;
	int status, i;
	pid_t pid = fork();

	if (!pid) {
		if (wbl_state_open(k->dir, 0, &s, NULL))
			_exit(1);
		for (i = 0; i < 6; i++) {
			struct wbl_entry e = {
				.kind = WBL_KIND_LOG, .run = "r", .body = { "x", 1 }
			};

			if (wbl_journal_append(s, &e, NULL) ||
				(i == 3 && wbl_journal_commit(s, NULL)))
				_exit(2);
		}
		kill(getpid(), SIGKILL);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	s = kit_open(k, 0);
	assert_int_equal(wbl_journal_last(s), 4);
	expect(s, Q(.run = "r"), "1 2 3 4");
	kit_put(s, WBL_KIND_LOG, "r", NULL, "y");
	assert_int_equal(wbl_journal_commit(s, &k->err), 0);
	expect(s, Q(.run = "r"), "1 2 3 4 5");
	wbl_state_close(s);
}

static int run_with_hooks(struct kit *k, const char *death, const char *lines)
{
	int status, i;
	pid_t pid = fork();

	if (!pid) {
		struct wbl_state *s;

		setenv("WBL_TEST_KILL", death, 1);
		setenv("WBL_TEST_COMMITS", lines, 1);
		if (wbl_state_open(k->dir, 0, &s, NULL))
			_exit(1);
		for (i = 0; i < 5; i++) {
			struct wbl_entry e = { .kind = i & 1 ? WBL_KIND_LOG : WBL_KIND_DIAG };

			if (wbl_journal_append(s, &e, NULL) || wbl_journal_append(s, &e, NULL) ||
				wbl_journal_commit(s, NULL) || wbl_journal_commit(s, NULL))
				_exit(2);
		}
		wbl_state_close(s);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

static void test_hooks(void **state)
{
	struct kit *k = *state;
	struct wbl_buf text = { 0 };
	struct wbl_state *s;
	char lines[96];

	snprintf(lines, sizeof lines, "%s/lines", k->root);
	assert_int_equal(run_with_hooks(k, "engine:3", lines), -SIGKILL);
	s = kit_open(k, 0);
	assert_int_equal(wbl_journal_last(s), 4);
	wbl_state_close(s);
	assert_int_equal(wbl_file_read(lines, 4096, &text, &k->err), 0);
	assert_string_equal(text.data, "1 diag diag\n2 log log\n");
	unlink(lines);
	assert_int_equal(run_with_hooks(k, "engine:3+", lines), -SIGKILL);
	s = kit_open(k, 0);
	assert_int_equal(wbl_journal_last(s), 4 + 6);
	wbl_state_close(s);
	assert_int_equal(wbl_file_read(lines, 4096, &text, &k->err), 0);
	assert_string_equal(text.data, "1 diag diag\n2 log log\n3 diag diag\n");
	assert_int_equal(run_with_hooks(k, "host:3", lines), 0);
	wbl_buf_clear(&text);
}

static void test_kind_names(void **state)
{
	assert_string_equal(wbl_kind_name(WBL_KIND_ENGINE_START), "engine.start");
	assert_string_equal(wbl_kind_name(WBL_KIND_PURGE), "purge");
	assert_string_equal(wbl_kind_name((enum wbl_kind)999), "unknown");
}

#define T(f) cmocka_unit_test_setup_teardown(f, kit_setup, kit_teardown)
int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_members),
		T(test_queries),
		T(test_all_shapes),
		T(test_append_inside_walk),
		T(test_entry_json),
		T(test_writer_dies),
		T(test_hooks),
		T(test_kind_names),
	};

	return cmocka_run_group_tests_name("journal", tests, NULL, NULL);
}
