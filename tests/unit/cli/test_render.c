/* tests of core/cli's pages: a plan, a report, a status as people see them, and that no text of
 * others can reach the terminal as a command. The expected pages are golden/NAME.txt;
 * WBL_GOLDEN=write makes them anew.
 * req: P1 X5 M1 M5 W2 W3 H5
 * SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <locale.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/base/file.h"
#include "core/cli/render.h"

static struct wbl_paper paper(int width)
{
	return (struct wbl_paper){ .width = width, .now = INT64_C(1795273200000000000) };
}

static char *golden(const char *name, const char *end)
{
	return wbl_strf("%s/tests/unit/cli/golden/%s.%s", getenv("WBL_SRC"), name, end);
}

static json_t *load(const char *name)
{
	WBL_AUTOFREE char *path = golden(name, "json");
	struct wbl_buf b = { 0 };
	struct wbl_error err = { 0 };
	json_t *j;

	assert_int_equal(wbl_file_read(path, 1 << 20, &b, &err), 0);
	j = wbl_json_parse(b.data, b.len, path, &err);
	if (!j)
		print_message("%s: %s\n", path, err.text);
	assert_non_null(j);
	wbl_buf_clear(&b);
	return j;
}

static void expect_page(struct wbl_paper *p, const char *name)
{
	WBL_AUTOFREE char *path = golden(name, "txt");
	struct wbl_buf b = { 0 };
	struct wbl_error err;

	if (getenv("WBL_GOLDEN"))
		assert_int_equal(wbl_file_replace(path, p->buf.data, p->buf.len, 0644, &err), 0);
	assert_int_equal(wbl_file_read(path, 1 << 20, &b, &err), 0);
	assert_string_equal(p->buf.data, b.data);
	wbl_buf_clear(&b);
	wbl_paper_clear(p);
}

static void test_plan(void **state)
{
	struct wbl_paper p = paper(100);
	json_t *plan = load("plan");

	wbl_render_plan(&p, plan, "294a43f9a344", NULL, true);
	expect_page(&p, "plan");
	json_decref(plan);
}

static void test_plan_narrow(void **state)
{
	struct wbl_paper p = paper(60);
	json_t *plan = load("plan"), *used = json_string("r-000001");

	wbl_render_plan(&p, plan, NULL, used, true);
	assert_null(strstr(p.buf.data, "whimbrel apply"));
	expect_page(&p, "plan-narrow");
	json_decref(plan);
	json_decref(used);
}

static void test_plan_blocked(void **state)
{
	struct wbl_paper p = paper(100);
	json_t *plan = load("plan");

	json_object_set_new(plan, "applyable", json_false());
	json_object_set_new(plan, "blockers", json_pack("[s]", "question dup is not answered"));
	json_object_set_new(plan, "expires", json_string("2026-11-20T00:00:00.000Z"));
	json_object_set_new(
		json_array_get(json_object_get(plan, "questions"), 0), "answer", json_null());
	wbl_render_plan(&p, plan, NULL, NULL, true);
	assert_non_null(strstr(p.buf.data, "Cannot be applied\n  question dup is not answered\n"));
	assert_non_null(strstr(p.buf.data, "whimbrel answer p-000007 dup ANSWER"));
	assert_non_null(strstr(p.buf.data, "expired 2026-11-20"));
	assert_null(strstr(p.buf.data, "whimbrel apply"));
	wbl_paper_clear(&p);
	json_decref(plan);
}

static void test_report(void **state)
{
	struct wbl_paper p = paper(100);
	json_t *report = load("report");

	wbl_render_report(&p, report);
	expect_page(&p, "report");
	json_decref(report);
}

static void test_end(void **state)
{
	struct wbl_paper p = paper(100);
	json_t *report = load("report"),
	       *next = json_pack(
		       "{s:[s,s]}", "next", "whimbrel report r-000003", "whimbrel plan crm.conf");

	wbl_render_end(&p, json_object_get(report, "run"), report, next);
	expect_page(&p, "end");
	json_decref(report);
	json_decref(next);
}

/* No byte below 0x20 but line breaks, no DEL, none of the C1 controls, no mark of direction. */
static void expect_harmless(const char *s)
{
	const unsigned char *u = (const unsigned char *)s;

	for (; *u; u++) {
		assert_true(*u >= 0x20 || *u == '\n');
		assert_int_not_equal(*u, 0x7f);
		assert_false(u[0] == 0xc2 && u[1] < 0xa0);
		assert_false(u[0] == 0xe2 && u[1] == 0x80 && u[2] >= 0xa8 && u[2] <= 0xae);
		assert_false(u[0] == 0xe2 && u[1] == 0x81 && u[2] >= 0xa6 && u[2] <= 0xa9);
		assert_false(u[0] == 0xef && u[1] == 0xbb && u[2] == 0xbf);
		assert_false(u[0] == 0xf3 && u[1] == 0xa0);
	}
}

static void test_hostile(void **state)
{
	struct wbl_paper p = paper(100);
	json_t *report = load("hostile");

	wbl_render_report(&p, report);
	expect_harmless(p.buf.data);
	assert_null(strstr(p.buf.data, "\nwhimbrel: all is well"));
	assert_null(strstr(p.buf.data, "\n13:00:00Z"));
	assert_null(strstr(p.buf.data, "\nRun r-000004 completed"));
	expect_page(&p, "hostile");
	wbl_live_frame(&p, json_object_get(report, "run"), 5, 0);
	expect_harmless(p.buf.data);
	wbl_paper_clear(&p);
	json_decref(report);
}

/* Nothing but the type of a member may make a page fail: each is replaced by each other type. */
static void test_any_type(void **state)
{
	static const char *const docs[] = { "plan", "report" };
	json_t *others[] = { json_null(), json_integer(-5), json_string("x"), json_object(),
		json_array(), json_pack("[i]", 1), json_pack("[s]", "x"), json_pack("[{}]"),
		json_pack("[[]]"), json_true() };
	const char *key;
	json_t *doc, *v;
	size_t d, i;

	for (d = 0; d < WBL_COUNT(docs); d++) {
		doc = load(docs[d]);
		json_object_foreach(doc, key, v)
		{
			for (i = 0; i < WBL_COUNT(others); i++) {
				json_t *copy = json_deep_copy(doc);
				struct wbl_paper p = paper(80);

				json_object_set(copy, key, others[i]);
				wbl_render_plan(&p, copy, NULL, NULL, true);
				wbl_render_report(&p, copy);
				wbl_render_status(&p, copy);
				wbl_render_end(&p, copy, copy, copy);
				wbl_render_handlers(&p, copy);
				wbl_render_manifest(&p, copy);
				wbl_live_frame(&p, copy, 5, 0);
				wbl_paper_clear(&p);
				json_decref(copy);
			}
		}
		json_decref(doc);
	}
	for (i = 0; i < WBL_COUNT(others); i++)
		json_decref(others[i]);
}

static void test_live(void **state)
{
	struct wbl_paper p = paper(100);
	json_t *s = json_pack("{s:s, s:s, s:i, s:i, s:i, s:I, s:I, s:I, s:I, s:["
			      "{s:s, s:s}, {s:s, s:s, s:I, s:I, s:i, s:i}, {s:s, s:s, s:s}]}",
		"run", "r-000001", "state", "executing", "percent", 42, "steps_done", 1,
		"steps_total", 3, "rate_items", (json_int_t)1200, "rate_bytes", (json_int_t)2500000,
		"eta_ns", (json_int_t)80000000000, "elapsed_ns", (json_int_t)30000000000, "steps",
		"id", "a", "state", "verified", "id", "b", "state", "executing", "items",
		(json_int_t)500, "items_of", (json_int_t)2000, "chunks_done", 2, "chunks", 8, "id",
		"c", "state", "up", "phase", "lag 3");

	assert_non_null(s);
	wbl_live_frame(&p, s, 5, 10000000000);
	expect_page(&p, "live");
	/* a narrow terminal: no line is wider, or drawing over it would leave traces */
	p.width = 30;
	p.utf8 = true;
	wbl_live_frame(&p, s, 5, 0);
	for (char *line = strtok(p.buf.data, "\n"); line; line = strtok(NULL, "\n"))
		assert_true(wbl_text_width(line) < 30);
	wbl_paper_clear(&p);
	/* a low one */
	wbl_live_frame(&p, s, 2, 0);
	assert_non_null(strstr(p.buf.data, "and 2 more"));
	wbl_paper_clear(&p);
	json_decref(s);
}

static char *narrate(struct wbl_narrator *n, const char *json)
{
	struct wbl_paper p = paper(100);
	struct wbl_error err;
	json_t *e = wbl_json_parse(json, strlen(json), NULL, &err);
	bool told;

	assert_non_null(e);
	told = wbl_narrate(n, &p, e);
	json_decref(e);
	if (!told)
		wbl_paper_clear(&p);
	return wbl_buf_take(&p.buf);
}

static void expect_line(struct wbl_narrator *n, const char *json, const char *line)
{
	WBL_AUTOFREE char *got = narrate(n, json);

	assert_string_equal(got, line);
}

static void test_narrate(void **state)
{
	struct wbl_narrator n = { 0 };

	expect_line(&n,
		"{\"type\":\"entry\",\"time\":\"2026-11-21T13:14:11.123Z\",\"kind\":\"run.state\","
		"\"run\":\"r-000001\","
		"\"name\":\"rolling_back\",\"body\":{\"reason\":\"load/copy failed\"}}",
		"13:14:11Z r-000001: rolling back: load/copy failed\n");
	expect_line(&n,
		"{\"time\":\"2026-11-21T13:14:11Z\",\"kind\":\"step.intent\",\"run\":\"r-000001\","
		"\"step\":\"a\","
		"\"name\":\"execute\",\"attempt\":2}",
		"13:14:11Z a: begins (attempt 2)\n");
	expect_line(&n,
		"{\"time\":\"2026-11-21T13:14:12Z\",\"kind\":\"step.result\",\"step\":\"a\","
		"\"name\":\"execute\","
		"\"body\":{\"totals\":{\"items\":1200},\"ns\":3200000000}}",
		"13:14:12Z a: work done, 1,200 items, 3.2 s\n");
	expect_line(&n,
		"{\"time\":\"2026-11-21T13:14:13Z\",\"kind\":\"step.result\",\"step\":\"a\","
		"\"name\":\"verify\","
		"\"body\":{\"ns\":5000000}}",
		"13:14:13Z a: done and verified, 5 ms\n");
	/* the same words after a rollback mean the opposite */
	expect_line(&n,
		"{\"time\":\"2026-11-21T13:14:14Z\",\"kind\":\"step.intent\",\"step\":\"a\","
		"\"name\":\"rollback\"}",
		"13:14:14Z a: undoing\n");
	expect_line(&n,
		"{\"kind\":\"step.result\",\"step\":\"a\",\"name\":\"rollback\",\"body\":{\"ns\":1}"
		"}",
		"");
	expect_line(&n,
		"{\"time\":\"2026-11-21T13:14:14Z\",\"kind\":\"step.result\",\"step\":\"a\","
		"\"name\":\"verify\",\"body\":{}}",
		"13:14:14Z a: undone, as before\n");
	expect_line(&n,
		"{\"time\":\"2026-11-21T13:14:13Z\",\"kind\":\"step.result\",\"step\":\"b\","
		"\"name\":\"execute\","
		"\"status\":-1,\"body\":{\"error\":{\"where\":\"w\",\"text\":\"x\\ny: done and "
		"verified\"}}}",
		"13:14:13Z b: w: x\\ny: done and verified\n");
	expect_line(&n,
		"{\"time\":\"2026-11-21T13:14:13Z\",\"kind\":\"step.state\",\"step\":\"b\","
		"\"name\":\"failed\","
		"\"status\":-1,\"body\":{\"error\":{\"text\":\"broken\"}}}",
		"13:14:13Z b: FAILED: broken\n");
	/* a verification that follows nothing says nothing */
	expect_line(&n, "{\"kind\":\"step.result\",\"step\":\"c\",\"name\":\"verify\",\"body\":{}}",
		"");
	expect_line(&n, "{\"kind\":\"chunk.result\",\"step\":\"a\"}", "");
	wbl_narrator_clear(&n);
}

static void test_safe_json(void **state)
{
	struct wbl_buf b = { 0 };
	struct wbl_error err;
	json_t *j;

	wbl_text_safe_json(&b, "[\"\xc2\x9b"
			       "31m \xe2\x80\xae \x7f \xf3\xa0\x81\x81 gr\xc3\xbc\xc3\x9f\"]");
	assert_string_equal(
		b.data, "[\"\\u009b31m \\u202e \\u007f \\udb40\\udc41 gr\xc3\xbc\xc3\x9f\"]");
	j = wbl_json_parse(b.data, b.len, NULL, &err);
	assert_string_equal(json_string_value(json_array_get(j, 0)),
		"\xc2\x9b"
		"31m \xe2\x80\xae \x7f \xf3\xa0\x81\x81 gr\xc3\xbc\xc3\x9f");
	json_decref(j);
	wbl_buf_clear(&b);
}

static void test_table(void **state)
{
	struct wbl_table *t = wbl_table_new("rlLl");
	struct wbl_paper p = paper(40);

	wbl_table_cell(t, 0, "1");
	wbl_table_cell(t, 0, "gr\xc3\xbc\xc3\x9f");
	wbl_table_cell(t, 0, "a text of several words that wraps");
	wbl_table_cell(t, 0, "end");
	wbl_table_cell(t, 0, "12");
	wbl_table_cell(t, 0, "\xe4\xb8\xad\xe6\x96\x87");
	wbl_table_cell(t, 0, "averyveryverylongwordthatmustbebrokenup");
	wbl_table_cell(t, 0, "%s", "");
	wbl_table_print(t, &p, 2);
	assert_string_equal(p.buf.data, "   1  gr\xc3\xbc\xc3\x9f  a text of several words  end\n"
					"            that wraps\n"
					"  12  \xe4\xb8\xad\xe6\x96\x87  averyveryverylongwordth\n"
					"            atmustbebrokenup\n");
	wbl_paper_clear(&p);
}

static void test_output(void **state)
{
	struct wbl_paper p = paper(40);

	wbl_paper_output(&p, 2, "one\ntwo\nthree\n\n", 2);
	assert_string_equal(p.buf.data, "  | two\n  | three\n");
	wbl_paper_clear(&p);
	wbl_paper_output(&p, 0, "", 2);
	assert_null(p.buf.data);
	p.colour = true;
	wbl_paper_tint(&p, WBL_TINT_RED);
	assert_string_equal(p.buf.data, "\033[1;31m");
	wbl_paper_clear(&p);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_plan),
		cmocka_unit_test(test_plan_narrow),
		cmocka_unit_test(test_plan_blocked),
		cmocka_unit_test(test_report),
		cmocka_unit_test(test_end),
		cmocka_unit_test(test_hostile),
		cmocka_unit_test(test_any_type),
		cmocka_unit_test(test_live),
		cmocka_unit_test(test_narrate),
		cmocka_unit_test(test_safe_json),
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_output),
	};

	setlocale(LC_CTYPE, "C.UTF-8");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
