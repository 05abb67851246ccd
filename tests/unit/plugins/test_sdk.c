/* tests of the SDK: JSON read and written, decimals, times, casts, rows, digests, the manifest's note.
 * req: H2 D5 D6 X6
 * SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <fcntl.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include <whimbrel/sdk.h>

#include "core/module/manifest.h"

static void test_json_reads(void **state)
{
	static const char text[] =
		" {\"a\":{\"b\":[1,2.50,-0,\"x\\u00e9\\ud83d\\ude00\\n\"]},\"t\":true,\"n\":null} ";
	struct wbl_doc *d = wbl_doc_parse(text, strlen(text), NULL);
	const struct wbl_node *r = wbl_doc_root(d);

	assert_non_null(r);
	assert_int_equal(wbl_node_int(r, "a.b.0", 7), 1);
	assert_int_equal(wbl_node_int(r, "a.b.1", 7), 7);
	assert_string_equal(wbl_node_at(r, "a.b.1")->text.s, "2.50");
	assert_string_equal(wbl_node_str(r, "a.b.3"), "x\xc3\xa9\xf0\x9f\x98\x80\n");
	assert_int_equal(wbl_node_bool(r, "t", 0), 1);
	assert_null(wbl_node_at(r, "a.c"));
	assert_null(wbl_node_str(r, "n"));
	assert_int_equal(wbl_node_at(r, "a.b")->count, 4);
	wbl_doc_free(d);
}

static void test_json_refuses(void **state)
{
	static const char *const bad[] = { "", "{", "[1,]", "{\"a\":1,}", "01", "1.", "-", "1e",
		"tru", "\"\\x\"", "\"\\u12\"", "\"\\ud800\"", "\"\\udc00\"", "\"a", "\"\x01\"",
		"\"\xff\"", "1 2", "{\"a\":1,\"a\":2}", "{a:1}", "[1 2]", "nul", "\"\\" };
	const char *why;
	char deep[200];

	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		why = NULL;
		if (wbl_doc_parse(bad[i], strlen(bad[i]), &why))
			fail_msg("taken: %s", bad[i]);
		assert_non_null(why);
	}
	memset(deep, '[', 100);
	memset(deep + 100, ']', 100);
	assert_null(wbl_doc_parse(deep, 200, NULL));
}

/* A hundred thousand members: told apart without comparing each with all, and a double one is found wherever it is. */
static void test_json_many_members(void **state)
{
	struct wbl_out o = { 0 };
	const char *why = NULL;
	struct wbl_doc *d;

	wbl_out_open(&o, NULL, '{');
	for (int i = 0; i < 100000; i++) {
		char key[16];

		snprintf(key, sizeof key, "k%d", i);
		wbl_out_int(&o, key, i);
	}
	wbl_out_add(&o, "}", 1);
	d = wbl_doc_parse(o.s, o.len, &why);
	assert_non_null(d);
	assert_int_equal(wbl_doc_root(d)->count, 100000);
	wbl_doc_free(d);
	o.len--;
	wbl_out_int(&o, "k50000", 1);
	wbl_out_close(&o, '}');
	assert_null(wbl_doc_parse(o.s, o.len, &why));
	assert_string_equal(why, "a key stands twice");
	wbl_out_clear(&o);
}

static void test_json_writes(void **state)
{
	struct wbl_out o = { 0 };

	wbl_out_open(&o, NULL, '{');
	wbl_out_text(&o, "a\"", "x\n\xff\\");
	wbl_out_open(&o, "l", '[');
	wbl_out_int(&o, NULL, -1);
	wbl_out_bool(&o, NULL, 1);
	wbl_out_text(&o, NULL, NULL);
	wbl_out_close(&o, ']');
	wbl_out_hex(&o, "h", "\x00\xab", 2);
	wbl_out_close(&o, '}');
	assert_string_equal(o.s,
		"{\"a\\\"\":\"x\\u000a\xef\xbf\xbd\\\\\",\"l\":[-1,true,null],\"h\":\"00ab\"}");
	wbl_out_clear(&o);
}

static void test_decimals(void **state)
{
	static const char *const pairs[][2] = { { "1.10", "1.1" }, { "-0.00", "0" },
		{ "+007", "7" }, { ".5", "0.5" }, { "5.", "5" }, { "100", "100" },
		{ "-00.050", "-0.05" }, { "0", "0" }, { "", NULL }, { ".", NULL }, { "-", NULL },
		{ "1e3", NULL }, { "1,5", NULL }, { " 1", NULL }, { "1.2.3", NULL } };
	char out[512];
	size_t n;

	for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
		int rc = wbl_decimal_canon(pairs[i][0], strlen(pairs[i][0]), out, &n);

		assert_int_equal(rc, pairs[i][1] ? 0 : -1);
		if (!rc)
			assert_string_equal(out, pairs[i][1]);
	}
}

static void time_is(const char *text, int zone, const char *want)
{
	char out[40];
	int64_t ns;
	int digits;

	if (wbl_time_parse(text, strlen(text), zone, &ns, &digits)) {
		if (want)
			fail_msg("not taken: %s", text);
		return;
	}
	if (!want)
		fail_msg("taken: %s", text);
	wbl_time_show(ns, digits, zone, out);
	assert_string_equal(out, want);
}

static void test_times(void **state)
{
	int32_t days;
	char out[16];

	time_is("2026-11-21T13:14:15Z", 1, "2026-11-21T13:14:15Z");
	time_is("2026-11-21 13:14:15.120+02:00", 1, "2026-11-21T11:14:15.120Z");
	time_is("1969-12-31T23:59:59.5Z", 1, "1969-12-31T23:59:59.5Z");
	time_is("2000-02-29T00:00:00", 0, "2000-02-29T00:00:00");
	time_is("1900-02-29T00:00:00", 0, NULL);
	time_is("2026-11-21T13:14:15", 1, NULL);
	time_is("2026-11-21T13:14:15Z", 0, NULL);
	time_is("2026-11-21T24:00:00Z", 1, NULL);
	time_is("2026-11-21T13:14:60Z", 1, NULL);
	time_is("9999-11-21T13:14:15Z", 1, NULL);
	time_is("2026-11-21T13:14:15.0123456789Z", 1, NULL);
	assert_int_equal(wbl_date_parse("1970-01-01", 10, &days), 0);
	assert_int_equal(days, 0);
	assert_int_equal(wbl_date_parse("2000-03-01", 10, &days), 0);
	assert_int_equal(days, 11017);
	wbl_date_show(-1, out);
	assert_string_equal(out, "1969-12-31");
	assert_int_equal(wbl_date_parse("2026-13-01", 10, &days), -1);
	assert_int_equal(wbl_date_parse("0000-00-00", 10, &days), -1);
}

/* Casts a text; the cell as it is shown, or "!reason". A second cast must change nothing. */
static const char *cast(const char *text, const char *type)
{
	static char out[300];
	struct wbl_rows a = { 0 }, r = { 0 }, again = { 0 };
	struct wbl_out o = { 0 };
	struct wbl_bytes cells;
	struct wbl_cell c;
	const char *why = "";

	wbl_cell_text(&a, text, strlen(text));
	cells = (struct wbl_bytes){ a.data, a.len };
	assert_int_equal(wbl_cell_next(&cells, &c), 1);
	if (wbl_cell_cast(&r, &c, wbl_type_by_name(type), &why)) {
		assert_int_equal(r.len, 0);
		snprintf(out, sizeof out, "!%s", why);
	} else {
		cells = (struct wbl_bytes){ r.data, r.len };
		assert_int_equal(wbl_cell_next(&cells, &c), 1);
		wbl_cell_show(&o, &c);
		snprintf(out, sizeof out, "%c %s", c.tag, o.s);
		assert_int_equal(wbl_cell_cast(&again, &c, wbl_type_by_name(type), &why), 0);
		assert_int_equal(again.len, r.len);
		assert_memory_equal(again.data, r.data, r.len);
	}
	wbl_rows_clear(&a);
	wbl_rows_clear(&r);
	wbl_rows_clear(&again);
	wbl_out_clear(&o);
	return out;
}

static void test_casts(void **state)
{
	assert_string_equal(cast("-12", "int"), "I -12");
	assert_string_equal(cast("9223372036854775808", "int"), "!not a whole number of 64 bits");
	assert_string_equal(cast("1.0", "int"), "!not a whole number of 64 bits");
	assert_string_equal(cast("9223372036854775808.50", "decimal"), "D 9223372036854775808.5");
	assert_string_equal(cast("7.00", "decimal"), "I 7");
	assert_string_equal(cast("0.1", "real"), "F 0.1");
	assert_string_equal(cast("1e999", "real"), "!not a number that binary64 can hold");
	assert_string_equal(cast("nan", "real"), "!not a number");
	assert_string_equal(cast("1e-400", "real"), "!not a number that binary64 can hold");
	assert_string_equal(cast("+", "real"), "!not a number that binary64 can hold");
	assert_string_equal(cast("0.1", "real32"), "f 0.1");
	assert_string_equal(cast("YES", "bool"), "I 1");
	assert_string_equal(cast("maybe", "bool"), "!neither true nor false");
	assert_string_equal(cast("2026-11-21", "date"), "d 2026-11-21");
	assert_string_equal(
		cast("2026-11-21T01:02:03.50Z", "instant"), "S 2026-11-21T01:02:03.50Z");
	assert_string_equal(cast("00112233-4455-6677-8899-AABBCCDDEEFF", "uuid"),
		"U 00112233-4455-6677-8899-aabbccddeeff");
	assert_string_equal(cast("00112233-4455-6677-8899-AABBCCDDEE", "uuid"), "!not a UUID");
	assert_string_equal(
		cast("{\"b\":1.50,\"a\":[true, null]}", "json"), "J {\"a\":[true,null],\"b\":1.5}");
	assert_string_equal(cast("{", "json"), "!not JSON");
	assert_string_equal(cast("a\xff", "text"), "t a\xff");
	assert_string_equal(cast("ab", "bytes"), "B x'6162'");
}

static void test_struct_give(void **state)
{
	const struct wbl_outcome own = {
		.size = sizeof own, .written = 1, .kept = 2, .refused = 3
	};
	struct wbl_outcome all = { .size = sizeof all },
			   few = { .size = offsetof(struct wbl_outcome, kept), .refused = 9 },
			   none = { .size = 0, .written = 9 };
	struct {
		struct wbl_outcome known;
		uint64_t newer;
	} more = { .known.size = sizeof more, .newer = 9 };

	wbl_struct_give(&all, &own);
	assert_memory_equal(&all, &own, sizeof all);
	wbl_struct_give(&few, &own);
	assert_int_equal(few.size, offsetof(struct wbl_outcome, kept));
	assert_int_equal(few.written, 1);
	assert_int_equal(few.kept, 0);
	assert_int_equal(few.refused, 9);
	wbl_struct_give(&none, &own);
	assert_int_equal(none.written, 9);
	wbl_struct_give(&more, &own);
	assert_int_equal(more.known.refused, 3);
	assert_int_equal(more.newer, 9);
	wbl_struct_give(NULL, &own);
}

static void test_rows(void **state)
{
	struct wbl_rows r = { 0 };
	struct wbl_batch b;
	struct wbl_row row;
	struct wbl_cell c;
	uint64_t at = 0;

	wbl_row_begin(&r, WBL_ROW_PUT);
	wbl_cell_int(&r, -5);
	wbl_cell_real(&r, -0.0);
	wbl_cell_real(&r, -NAN);
	wbl_cell_null(&r);
	wbl_row_end(&r);
	wbl_row_begin(&r, WBL_ROW_DELETE);
	wbl_cell_text(&r, "k", 1);
	wbl_row_drop(&r);
	wbl_row_begin(&r, WBL_ROW_DELETE);
	wbl_cell_text(&r, "k", 1);
	wbl_row_end(&r);
	wbl_rows_batch(&r, "s", NULL, &b);
	assert_int_equal(b.rows, 2);
	assert_int_equal(wbl_batch_next(&b, &at, &row), 1);
	assert_int_equal(wbl_cell_next(&row.cells, &c), 1);
	assert_int_equal(wbl_cell_get_int(&c), -5);
	assert_int_equal(wbl_cell_next(&row.cells, &c), 1);
	assert_memory_equal(c.data, "\0\0\0\0\0\0\0\0", 8);
	assert_int_equal(wbl_cell_next(&row.cells, &c), 1);
	assert_memory_equal(c.data, "\0\0\0\0\0\0\xf8\x7f", 8);
	assert_int_equal(wbl_cell_next(&row.cells, &c), 1);
	assert_int_equal(wbl_cell_next(&row.cells, &c), 0);
	assert_int_equal(wbl_batch_next(&b, &at, &row), 1);
	assert_int_equal(row.kind, WBL_ROW_DELETE);
	assert_int_equal(wbl_batch_next(&b, &at, &row), 0);
	/* Cut anywhere, a batch is damaged or ends; nothing is read behind its end. */
	for (uint64_t len = 0; len < r.len; len++) {
		uint8_t *copy = malloc(len ? len : 1);

		memcpy(copy, r.data, len);
		b.data = copy;
		b.len = len;
		at = 0;
		while (wbl_batch_next(&b, &at, &row) == 1)
			while (wbl_cell_next(&row.cells, &c) == 1)
				;
		free(copy);
	}
	wbl_rows_clear(&r);
}

static void test_sums_add(void **state)
{
	struct wbl_sum a = { 0 }, b = { 0 }, both = { 0 };

	for (int i = 0; i < 1000; i++) {
		wbl_sum_row(i % 3 ? &a : &b, &i, sizeof i);
		wbl_sum_key(i % 3 ? &a : &b, &i, sizeof i);
	}
	for (int i = 999; i >= 0; i--) {
		wbl_sum_row(&both, &i, sizeof i);
		wbl_sum_key(&both, &i, sizeof i);
	}
	assert_false(wbl_sum_equal(&a, &both));
	wbl_sum_add(&a, &b);
	assert_true(wbl_sum_equal(&a, &both));
	/* Fixed for ever: digests of different versions must compare. */
	both = (struct wbl_sum){ 0 };
	wbl_sum_row(&both, "I\1\0\0\0\0\0\0\0", 9);
	wbl_sum_key(&both, "I\1\0\0\0\0\0\0\0", 9);
	assert_true(both.row_hi == 0xd3c8864c8449ec40 && both.row_lo == 0x80e76ea1dccf6325);
	assert_true(both.key_hi == 0xf29809279e8b27c8 && both.key_lo == 0xecd6f3b578b0989a);
}

static void test_manifests(void **state)
{
	static const char *const modules[] = { "put_file", "sqlite", "csv", "data" };
	const char *build = getenv("WBL_BUILD");

	for (size_t i = 0; i < 4; i++) {
		struct wbl_manifest *m = NULL;
		struct wbl_error err = { 0 };
		char path[500];
		int fd;

		snprintf(path, sizeof path, "%s/plugins/mods/.libs/%s.so", build ? build : ".",
			modules[i]);
		fd = open(path, O_RDONLY);
		assert_true(fd >= 0);
		if (wbl_manifest_read(fd, path, &m, &err))
			fail_msg("%s: %s: %s", modules[i], err.where, err.text);
		assert_string_equal(m->module, modules[i]);
		for (size_t k = 0; k < m->provides[0].nparams; k++) {
			assert_non_null(m->provides[0].params[k].description);
			assert_non_null(m->provides[0].params[k].example);
		}
		wbl_manifest_free(m);
		close(fd);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_json_reads),
		cmocka_unit_test(test_json_refuses),
		cmocka_unit_test(test_json_many_members),
		cmocka_unit_test(test_json_writes),
		cmocka_unit_test(test_decimals),
		cmocka_unit_test(test_times),
		cmocka_unit_test(test_casts),
		cmocka_unit_test(test_struct_give),
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_sums_add),
		cmocka_unit_test(test_manifests),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
