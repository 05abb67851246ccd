/* tests of the store csv: what is a record, what is none, and where.
 * req: D9 X6 D6
 * SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include <whimbrel/sdk.h>

#include "bench_host.h"

static struct bench *b;
static char path[300];

static int set_up(void **state)
{
	b = bench_new();
	snprintf(path, sizeof path, "%s/in.csv", b->dir);
	return 0;
}

static int tear_down(void **state)
{
	bench_free(b);
	return 0;
}

static void put(const void *text, size_t len)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	assert_int_equal(fwrite(text, 1, len, f), len);
	fclose(f);
}

static int32_t drain(struct bench_store *s, const struct wbl_scan *scan, struct wbl_out *o)
{
	struct wbl_batch batch = { .size = sizeof batch };
	struct wbl_row row;
	struct wbl_cell c;
	void *cursor;
	uint64_t at;
	int32_t rc = s->table->scan(s->self, s->call, scan, &cursor);

	if (rc)
		return rc;
	while (!(rc = s->table->read(cursor, s->call, &batch)))
		for (at = 0; wbl_batch_next(&batch, &at, &row) == 1; wbl_out_add(o, "\n", 1))
			while (wbl_cell_next(&row.cells, &c) == 1) {
				wbl_out_add(o, "[", 1);
				wbl_cell_show(o, &c);
				wbl_out_add(o, "]", 1);
			}
	s->table->scan_end(cursor);
	return rc == WBL_END ? WBL_OK : rc;
}

/* All rows as text; after an error "!where: text". `extra`: options, beginning with a comma. */
static const char *rows(const char *text, size_t len, const char *extra)
{
	static char out[4096];
	char params[800];
	struct bench_store s = { 0 };
	struct wbl_scan scan = { .size = sizeof scan, .range = WBL_RANGE_ALL };
	struct wbl_out o = { 0 };
	int32_t rc;

	put(text, len);
	snprintf(params, sizeof params, "{\"store\":\"csv\",\"path\":\"%s\"%s}", path, extra);
	b->nnotes = 0;
	rc = bench_open(b, params, WBL_OPEN_READ, &s);
	wbl_out_reset(&o);
	if (!rc) {
		rc = drain(&s, &scan, &o);
		bench_close(&s);
	}
	if (rc) {
		const char *where = strrchr(b->notes[0].where, '/');

		snprintf(out, sizeof out, "!%s: %s", where ? where + 1 : b->notes[0].where,
			b->notes[0].text);
	} else {
		snprintf(out, sizeof out, "%s", o.s);
	}
	wbl_out_clear(&o);
	return out;
}

#define ROWS(text, extra) rows(text, sizeof text - 1, extra)

static void test_records(void **state)
{
	assert_string_equal(ROWS("a,b\n1,2\n", ""), "[1][2]\n");
	assert_string_equal(ROWS("\xef\xbb\xbf"
				 "a,b\r\n1,2\r\n3,4",
				    ""),
		"[1][2]\n[3][4]\n");
	assert_string_equal(
		ROWS("a,b\n\"x,\"\"y\"\"\",\"l1\nl2\"\r\n,\n", ""), "[x,\"y\"][l1\nl2]\n[][]\n");
	assert_string_equal(ROWS("a,b\n\"\",\n", ",\"null\":\"\""), "[][NULL]\n");
	assert_string_equal(ROWS("a\n\\N\n\"\\N\"\n", ",\"null\":\"\\\\N\""), "[NULL]\n[\\N]\n");
	assert_string_equal(
		ROWS("x;\"y\n", ",\"separator\":\";\",\"quote\":\"none\",\"header\":false"),
		"[x][\"y]\n");
	assert_string_equal(
		ROWS("1\t2\n", ",\"separator\":\"tab\",\"header\":false,\"columns\":[\"p\",\"q\"]"),
		"[1][2]\n");
	assert_string_equal(ROWS("a,b\n5\" disk,x\n", ""), "[5\" disk][x]\n");
	assert_string_equal(ROWS("a,b\n", ""), "");
	assert_string_equal(ROWS("a\n1\r2\n", ""), "[1\r2]\n");
}

static void test_no_records(void **state)
{
	assert_string_equal(ROWS("", ""), "!in.csv: the file is empty");
	assert_string_equal(ROWS("a,b\n1,2\n3\n", ""), "!in.csv:3: 1 fields instead of 2");
	assert_string_equal(
		ROWS("a,b\n\"1\n2\",2\n3,4,5\n", ""), "!in.csv:4: 3 fields instead of 2");
	assert_string_equal(ROWS("a,b\n1,2\n\n", ""), "!in.csv:3: an empty line");
	assert_string_equal(
		ROWS("a,b\n1,\"2\n", ""), "!in.csv:2: a quote is opened here and never closed");
	assert_string_equal(ROWS("a,b\n\"1\"x,2\n", ""), "!in.csv:2: text behind a closing quote");
	assert_string_equal(
		ROWS("a,b\n1,2\n1,\xff\n", ""), "!in.csv:3: column \"b\" is not UTF-8 text");
	assert_string_equal(ROWS("a,b\n1,\0\n", ""), "!in.csv:2: column \"b\" is not UTF-8 text");
	assert_string_equal(ROWS("a,a\n", ""), "!in.csv: two columns are called \"a\"");
	assert_string_equal(ROWS("a,\n", ""), "!in.csv: column 2 has no usable name");
	assert_string_equal(ROWS("a\n", ",\"separator\":\"ab\""),
		"!separator: one character was expected, found \"ab\"");
	assert_string_equal(
		ROWS("a,b\n1,2\n", ",\"columns\":[\"x\"]"), "!in.csv:1: 2 fields instead of 1");
}

/* Any number of rows in a range: the ranges together give the same rows, and their lines. */
static void test_split(void **state)
{
	struct wbl_out text = { 0 }, whole = { 0 }, parts = { 0 };
	struct bench_store s = { 0 };
	char params[400];
	static const char *const columns[] = { "#position", "b", "a", NULL };
	struct wbl_scan scan = { .size = sizeof scan, .range = WBL_RANGE_ALL, .columns = columns };

	wbl_out_fmt(&text, "a,b\n");
	for (int i = 0; i < 5000; i++)
		wbl_out_fmt(&text, i % 7 ? "%d,x\r\n" : "%d,\"two\n\n,lines\"\n", i);
	put(text.s, text.len);
	snprintf(params, sizeof params, "{\"store\":\"csv\",\"path\":\"%s\"}", path);
	assert_int_equal(bench_open(b, params, WBL_OPEN_READ, &s), 0);
	assert_int_equal(drain(&s, &scan, &whole), 0);
	assert_non_null(strstr(whole.s, "[2][two\n\n,lines][0]\n[5][x][1]\n"));
	for (uint64_t rows_each = 1; rows_each < 6000; rows_each = rows_each * 3 + 1) {
		struct wbl_scan last = scan, next = scan;
		uint64_t n = 0;

		wbl_out_reset(&parts);
		while (s.table->split(s.self, s.call, &scan, n ? &last : NULL, rows_each, &next) ==
			WBL_OK) {
			n++;
			last = next;
			assert_int_equal(drain(&s, &next, &parts), 0);
		}
		assert_int_equal(n, (5000 + rows_each - 1) / rows_each);
		assert_string_equal(parts.s, whole.s);
	}
	bench_close(&s);
	wbl_out_clear(&text);
	wbl_out_clear(&whole);
	wbl_out_clear(&parts);
}

static void changed(int how)
{
	struct wbl_out text = { 0 }, o = { 0 };
	struct bench_store s = { 0 };
	struct wbl_scan scan = { .size = sizeof scan, .range = WBL_RANGE_ALL, .batch_rows = 10 };
	struct wbl_batch batch = { .size = sizeof batch };
	char params[400], other[400];
	void *cursor;
	int32_t rc;

	wbl_out_fmt(&text, "a,b\n");
	for (int i = 0; i < 200000; i++)
		wbl_out_fmt(&text, "%d,x\n", i);
	put(text.s, text.len);
	snprintf(params, sizeof params, "{\"store\":\"csv\",\"path\":\"%s\"}", path);
	snprintf(other, sizeof other, "%s/other", b->dir);
	assert_int_equal(bench_open(b, params, WBL_OPEN_READ, &s), 0);
	assert_int_equal(s.table->scan(s.self, s.call, &scan, &cursor), 0);
	assert_int_equal(s.table->read(cursor, s.call, &batch), 0);
	if (how == 0)
		assert_int_equal(truncate(path, 600000), 0);
	else if (how == 1)
		put("a,b\n", 4);
	else
		assert_true(rename(path, other) == 0);
	while (!(rc = s.table->read(cursor, s.call, &batch)))
		;
	assert_int_equal(rc, WBL_E_STALE);
	s.table->scan_end(cursor);
	bench_close(&s);
	wbl_out_clear(&text);
	wbl_out_clear(&o);
}

static void test_changed_while_read(void **state)
{
	for (int how = 0; how < 3; how++)
		changed(how);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_records, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_no_records, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_split, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_changed_while_read, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
