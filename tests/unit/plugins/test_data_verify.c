/* tests of the verification of the data handler: each class of fault is found and named, none is invented, counts are exact in little
 * memory, samples say what they have not seen, and a repair brings back exactly what was named.
 * req: D6 D8 X7 X9 X11
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
#include <sqlite3.h>

#include "bench_host.h"

enum { ROWS = 300 };

static struct bench *b;

static int set_up(void **state)
{
	b = bench_new();
	return 0;
}

static int tear_down(void **state)
{
	bench_free(b);
	return 0;
}

static const char *file(const char *name)
{
	static char path[4][300];
	static int n;

	n = (n + 1) % 4;
	snprintf(path[n], sizeof path[n], "%s/%s", b->dir, name);
	return path[n];
}

static void sql(const char *name, const char *text)
{
	sqlite3 *db;
	char *why = NULL;

	assert_int_equal(sqlite3_open(file(name), &db), SQLITE_OK);
	if (sqlite3_exec(db, text, NULL, NULL, &why))
		fail_msg("%s: %s", text, why);
	sqlite3_close(db);
}

static void copy_file(const char *from, const char *to)
{
	char cmd[700];

	snprintf(cmd, sizeof cmd, "cp %s %s", file(from), file(to));
	assert_int_equal(system(cmd), 0);
}

/* All rows with the classes of their values, as one text. */
static char *rows_of(const char *name)
{
	static const char *const ask =
		"SELECT 't', quote(id), quote(name), quote(other), quote(n), quote(r), quote(at), "
		"quote(b), typeof(x), quote(x), '' FROM t UNION ALL SELECT 'k', quote(a), "
		"quote(b), "
		"'', '', '', '', '', '', '', '' FROM k ORDER BY 1, 2, 3";
	size_t cap = 1 << 22, n = 0;
	char *out = malloc(cap);
	sqlite3_stmt *st;
	sqlite3 *db;

	assert_non_null(out);
	assert_int_equal(sqlite3_open_v2(file(name), &db, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_prepare_v2(db, ask, -1, &st, NULL), SQLITE_OK);
	while (sqlite3_step(st) == SQLITE_ROW)
		for (int i = 0; i < 10; i++)
			n += (size_t)snprintf(out + n, cap - n, "%s%s", i ? "|" : "\n",
				(const char *)sqlite3_column_text(st, i));
	out[n] = 0;
	sqlite3_finalize(st);
	sqlite3_close(db);
	return out;
}

static void good(int32_t rc)
{
	if (rc)
		fail_msg("status %d: %s: %s", rc, b->nnotes ? b->notes[b->nnotes - 1].where : "",
			b->nnotes ? b->notes[b->nnotes - 1].text : "");
}

/* t has a key and a value of every kind in each row, k has no key and some rows twice. */
static void make_old(int rows)
{
	char text[2000];

	snprintf(text, sizeof text,
		"CREATE TABLE t(id INTEGER PRIMARY KEY, name TEXT, other TEXT, n INTEGER, r REAL, "
		"at "
		"TEXT, b BLOB, x);"
		"WITH RECURSIVE i(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM i WHERE i < %d) "
		"INSERT "
		"INTO t SELECT i, 'n\xc3\xa4me ' || i, 'other ' || i, 9007199254740993 + i, i / "
		"10.0,"
		"strftime('%%Y-%%m-%%dT%%H:%%M:%%SZ', 1700000000 + i * 60, 'unixepoch'), CAST('b' "
		"|| i "
		"AS BLOB), i FROM i;"
		"UPDATE t SET name = '' WHERE id = 20; UPDATE t SET name = NULL WHERE id = 21;"
		"UPDATE t SET r = 0.0 WHERE id = 22; UPDATE t SET r = 0.3 WHERE id = 23;"
		"CREATE TABLE k(a, b); INSERT INTO k SELECT i.id %% 100, 'v' || i.id %% 100 FROM t "
		"i "
		"WHERE id <= 300",
		rows);
	sql("old.db", text);
}

static const char *params(const char *tables, const char *verify)
{
	static char p[3000];

	snprintf(p, sizeof p,
		"{\"source\":{\"store\":\"sqlite\",\"path\":\"%s\"},\"target\":{\"store\":"
		"\"sqlite\","
		"\"path\":\"%s\"},\"existing\":\"refuse\"%s,\"verify\":{%s}}",
		file("old.db"), file("new.db"), tables, verify);
	return p;
}

static const char *const typed =
	",\"tables\":[{\"from\":\"t\",\"to\":\"t\",\"key\":[\"id\"],\"columns\":["
	"{\"name\":\"id\",\"type\":\"int\"},{\"name\":\"name\",\"type\":\"text\"},{\"name\":"
	"\"other\","
	"\"type\":\"text\"},{\"name\":\"n\",\"type\":\"int\"},{\"name\":\"r\",\"type\":\"real\"},"
	"{\"name\":\"at\",\"type\":\"instant\"},{\"name\":\"b\",\"type\":\"bytes\"},{\"name\":"
	"\"x\","
	"\"type\":\"any\"}]},{\"from\":\"k\",\"to\":\"k\"}]";

static const struct fault {
	const char *what, *plant,
		*told; /* told: "kind key column;" of each, sorted; table t unless k */
	int repair;    /* 0: cannot be mended */
} faults[] = {
	{ "no fault", "SELECT 1", "", 1 },
	{ "missing", "DELETE FROM t WHERE id = 17", "missing 17 ;", 1 },
	{ "extra", "INSERT INTO t SELECT 1000, name, other, n, r, at, b, x FROM t WHERE id = 17",
		"extra 1000 ;", 1 },
	{ "changed", "UPDATE t SET other = 'x' WHERE id = 17", "changed 17 other;", 1 },
	{ "swapped between rows", "UPDATE t SET other = 'other ' || (35 - id) WHERE id IN (17, 18)",
		"changed 17 other;changed 18 other;", 1 },
	{ "swapped between columns", "UPDATE t SET name = other, other = name WHERE id = 17",
		"changed 17 name;changed 17 other;", 1 },
	{ "duplicated", "INSERT INTO k SELECT * FROM k WHERE rowid = 5", "extra 5 ;", 0 },
	{ "two of three equal rows", "DELETE FROM k WHERE rowid IN (5, 105)",
		"missing 5 ;missing 5 ;", 1 },
	{ "changed without a key", "UPDATE k SET b = 'w' WHERE rowid = 5", "extra 5 ;missing 5 ;",
		0 },
	{ "NULL for empty", "UPDATE t SET name = NULL WHERE id = 20", "changed 20 name;", 1 },
	{ "empty for NULL", "UPDATE t SET name = '' WHERE id = 21", "changed 21 name;", 1 },
	{ "trailing blank", "UPDATE t SET other = other || ' ' WHERE id = 17", "changed 17 other;",
		1 },
	{ "case", "UPDATE t SET other = upper(other) WHERE id = 17", "changed 17 other;", 1 },
	{ "Unicode form", "UPDATE t SET name = 'na\xcc\x88me 17' WHERE id = 17", "changed 17 name;",
		1 },
	{ "sign of zero: equal values", "UPDATE t SET r = -0.0 WHERE id = 22", "", 1 },
	{ "last digit", "UPDATE t SET r = 0.30000000000000004 WHERE id = 23", "changed 23 r;", 1 },
	{ "time zone", "UPDATE t SET at = replace(at, 'Z', '+01:00') WHERE id = 17",
		"changed 17 at;", 1 },
	{ "truncated", "UPDATE t SET other = substr(other, 1, 7) WHERE id = 17",
		"changed 17 other;", 1 },
	{ "text for a number", "UPDATE t SET x = '17' WHERE id = 17", "changed 17 x;", 1 },
	{ "one more in a big number", "UPDATE t SET n = n + 1 WHERE id = 17", "changed 17 n;", 1 },
	{ "one less in a big number", "UPDATE t SET n = n - 1 WHERE id = 17", "changed 17 n;", 1 },
	{ "text for bytes", "UPDATE t SET b = CAST(b AS TEXT) WHERE id = 17", "changed 17 b;", 1 },
	{ "bytes for text", "UPDATE t SET other = CAST(other AS BLOB) WHERE id = 17",
		"changed 17 other;", 1 },
	{ "key changed", "UPDATE t SET id = 1017 WHERE id = 17", "extra 1017 ;missing 17 ;", 1 },
	{ "byte order mark", "UPDATE t SET other = char(65279) || other WHERE id = 17",
		"changed 17 other;", 1 },
	{ "soft hyphen", "UPDATE t SET other = other || char(173) WHERE id = 17",
		"changed 17 other;", 1 },
	{ "order only",
		"CREATE TABLE z AS SELECT * FROM k ORDER BY rowid DESC; DELETE FROM k; INSERT INTO "
		"k SELECT * FROM z; DROP TABLE z",
		"", 1 },
	{ "several at once",
		"DELETE FROM t WHERE id = 1; UPDATE t SET n = 0, r = 0 WHERE id = 300; DELETE FROM "
		"k "
		"WHERE rowid = 1",
		"changed 300 n;changed 300 r;missing 1 ;missing 1 ;", 1 },
};

static int by_text(const void *x, const void *y)
{
	return strcmp(x, y);
}

enum { TOLD = 1 << 16 };

static void told(char out[TOLD])
{
	static const char *const kinds[] = { "?", "missing", "extra", "changed", "unreadable",
		"order", "rejected" };
	static char lines[1001][100];
	size_t n = b->ndiffs;

	for (size_t i = 0; i < n; i++) {
		const struct bench_diff *d = &b->diffs[i];
		const char *key = strstr(d->key, "\":\"");
		int len = key ? (int)strcspn(key + 3, "\"") : 0;

		snprintf(lines[i], sizeof lines[i], "%s %.*s %s;", kinds[d->kind], len,
			key ? key + 3 : "", d->field);
	}
	qsort(lines, n, sizeof *lines, by_text);
	*out = 0;
	for (size_t i = 0; i < n; i++)
		strcat(out, lines[i]);
}

static int32_t verify_both(const char *p)
{
	int32_t t, k;

	b->ndiffs = b->nnotes = 0;
	t = bench_call(b, "data", p, "copy:t", "verify", WBL_WORK_LASTING, NULL);
	k = bench_call(b, "data", p, "copy:k", "verify", WBL_WORK_LASTING, NULL);
	return t ? t : k;
}

static void one_fault(const char *p, const struct fault *f, const char *want)
{
	const char *step = strstr(f->plant, " k ") ? "copy:k" : "copy:t";
	char found[TOLD], *rows;
	int32_t rc;

	copy_file("clean.db", "new.db");
	sql("new.db", f->plant);
	rc = verify_both(p);
	told(found);
	if (strcmp(found, f->told) != 0 || (rc != WBL_OK) != (*f->told != 0))
		fail_msg("%s: status %d, \"%s\" told for \"%s\"", f->what, rc, found, f->told);
	for (size_t i = 0; i < b->ndiffs; i++)
		if (!strcmp(b->diffs[i].expected, b->diffs[i].found))
			fail_msg("%s: \"%s\" twice", f->what, b->diffs[i].found);
	if (!strcmp(f->what, "several at once")) {
		good(bench_call(b, "data", p, "copy:k", "repair", 0, NULL));
		step = "copy:t";
	}
	rc = bench_call(b, "data", p, step, "repair", 0, NULL);
	if (!f->repair) {
		assert_int_equal(rc, WBL_E_UNSUPPORTED);
		return;
	}
	good(rc);
	good(verify_both(p));
	rows = rows_of("new.db");
	if (strcmp(f->what, "sign of zero: equal values") != 0)
		assert_string_equal(rows, want);
	free(rows);
}

static void all_faults(const char *p)
{
	char *want;

	make_old(ROWS);
	good(bench_plan(b, "data", p));
	good(bench_apply(b, "data", p));
	copy_file("new.db", "clean.db");
	want = rows_of("clean.db");
	for (size_t i = 0; i < sizeof faults / sizeof *faults; i++)
		one_fault(p, &faults[i], want);
	free(want);
}

static void test_faults_as_they_are(void **state)
{
	all_faults(params("", ""));
}

static void test_faults_with_types(void **state)
{
	all_faults(params(typed, ""));
}

static void test_faults_in_little_memory(void **state)
{
	all_faults(params(typed, "\"memory\":65536"));
}

static void has(const char *text, const char *part)
{
	if (!strstr(text, part))
		fail_msg("\"%s\" is not in \"%s\"", part, text);
}

static const char *last_note(void)
{
	return b->nnotes ? b->notes[b->nnotes - 1].text : "";
}

/* More than anybody names are still counted, row by row, in windows of some hundred rows; and mended. */
static void test_counts_are_exact(void **state)
{
	const char *p = params(typed, "\"memory\":65536");
	char *want, *rows;

	make_old(6000);
	good(bench_plan(b, "data", p));
	good(bench_apply(b, "data", p));
	want = rows_of("new.db");
	sql("new.db", "UPDATE t SET n = n + 1 WHERE id > 1000; DELETE FROM t WHERE id <= 500; "
		      "INSERT INTO "
		      "t(id) SELECT id + 10000 FROM t WHERE id <= 777");
	assert_int_equal(verify_both(p), WBL_E_MISMATCH);
	has(last_note(), "6,000 rows copied, 5,777 found");
	has(last_note(), "500 missing, 277 extra, 5,000 changed; 1,000 differences are named");
	assert_int_equal(b->ndiffs, 1000);
	/* There are more than are recorded: all of them are mended. */
	good(bench_call(b, "data", p, "copy:t", "repair", 0, NULL));
	good(verify_both(p));
	rows = rows_of("new.db");
	assert_string_equal(rows, want);
	free(rows);
	free(want);
}

static void test_nothing_but_equal_rows(void **state)
{
	const char *p = params("", "\"memory\":65536");

	sql("old.db",
		"CREATE TABLE t(a); CREATE TABLE k(a); WITH RECURSIVE i(i) AS (SELECT 1 UNION ALL "
		"SELECT i + 1 FROM i WHERE i < 20000) INSERT INTO t SELECT 'same' FROM i");
	good(bench_plan(b, "data", p));
	good(bench_apply(b, "data", p));
	sql("new.db", "DELETE FROM t WHERE rowid <= 3; INSERT INTO k VALUES('x'), ('x')");
	assert_int_equal(verify_both(p), WBL_E_MISMATCH);
	assert_int_equal(b->ndiffs, 5);
	has(b->notes[0].text, "3 missing, 0 extra, 0 changed");
	has(b->notes[1].text, "0 missing, 2 extra, 0 changed");
}

static void test_values_can_be_told_apart(void **state)
{
	static const struct {
		const char *plant, *expected, *found;
	} list[] = {
		{ "other = other || ' '", "\"other 17\"", "\"other 17 \"" },
		{ "name = 'na\xcc\x88me 17'", "\"n\\u00e4me 17\"", "\"na\\u0308me 17\"" },
		{ "other = char(8203) || other", "\"other 17\"", "\"\\u200bother 17\"" },
		{ "other = NULL", "other 17", "NULL" },
		{ "other = ''", "other 17", "\"\"" },
		{ "x = '17'", "17 (whole number)", "17 (text)" },
		{ "other = 'Other 17'", "other 17", "Other 17" },
		{ "other = CAST(other AS BLOB)", "other 17", "x'6f74686572203137'" },
	};
	const char *p = params(typed, "");

	make_old(ROWS);
	good(bench_plan(b, "data", p));
	good(bench_apply(b, "data", p));
	copy_file("new.db", "clean.db");
	for (size_t i = 0; i < sizeof list / sizeof *list; i++) {
		char text[200];

		copy_file("clean.db", "new.db");
		snprintf(text, sizeof text, "UPDATE t SET %s WHERE id = 17", list[i].plant);
		sql("new.db", text);
		assert_int_equal(verify_both(p), WBL_E_MISMATCH);
		assert_string_equal(b->diffs[0].expected, list[i].expected);
		assert_string_equal(b->diffs[0].found, list[i].found);
	}
}

static void test_long_values(void **state)
{
	const char *p = params("", "\"memory\":65536");

	sql("old.db",
		"CREATE TABLE t(id INTEGER PRIMARY KEY, v); CREATE TABLE k(a); WITH RECURSIVE i(i) "
		"AS (SELECT 1 UNION ALL SELECT i + 1 FROM i WHERE i < 60) INSERT INTO t SELECT "
		"i, replace(hex(zeroblob(20000)), '0', 'l') || i FROM i");
	good(bench_plan(b, "data", p));
	good(bench_apply(b, "data", p));
	sql("new.db", "UPDATE t SET v = substr(v, 1, length(v) - 1) || 'x'; UPDATE t SET v = 'k' "
		      "|| substr(v, 2) WHERE id = 7");
	assert_int_equal(verify_both(p), WBL_E_MISMATCH);
	assert_int_equal(b->ndiffs, 60);
	for (int i = 0; i < 60; i++) {
		assert_int_equal(b->diffs[i].kind, WBL_DIFF_CHANGED);
		assert_string_not_equal(b->diffs[i].expected, b->diffs[i].found);
		has(b->diffs[i].found, " bytes)");
	}
}

/* ---- samples ---- */

static void test_sample(void **state)
{
	const char *p = params(typed, "\"mode\":\"sample\",\"percent\":20,\"seed\":7");
	char first[TOLD], again[TOLD];

	make_old(3000);
	good(bench_plan(b, "data", p));
	good(bench_apply(b, "data", p));
	good(bench_call(b, "data", p, "copy:t", "verify", 0, NULL));
	assert_int_equal(b->of, 3000);
	assert_in_range(b->compared, 450, 750);
	has(b->covered, "a sample by key (seed 7, 20 % wanted)");
	has(b->covered, "rows were not looked at; 1 bad row is missed with a chance of 80 %, 10 "
			"with 10.7 %, "
			"100 with less than 0.1 %");
	/* All rows are bad: those of the sample are named, and always the same. */
	sql("new.db", "UPDATE t SET n = n + 1");
	b->ndiffs = 0;
	assert_int_equal(bench_call(b, "data", p, "copy:t", "verify", 0, NULL), WBL_E_MISMATCH);
	told(first);
	snprintf(again, sizeof again, "%llu changed", (unsigned long long)b->compared);
	has(last_note(), again);
	b->ndiffs = 0;
	assert_int_equal(bench_call(b, "data", p, "copy:t", "verify", 0, NULL), WBL_E_MISMATCH);
	told(again);
	assert_string_equal(first, again);
	p = params(typed, "\"mode\":\"sample\",\"percent\":20,\"seed\":8");
	b->ndiffs = 0;
	assert_int_equal(bench_call(b, "data", p, "copy:t", "verify", 0, NULL), WBL_E_MISMATCH);
	told(again);
	assert_string_not_equal(first, again);
}

/* A row more or less is seen by any sample. */
static void test_sample_counts_rows(void **state)
{
	const char *p = params(typed, "\"mode\":\"sample\",\"rows\":10");

	make_old(3000);
	good(bench_plan(b, "data", p));
	good(bench_apply(b, "data", p));
	sql("new.db", "DELETE FROM t WHERE id = 2000");
	b->nnotes = 0;
	assert_int_equal(bench_call(b, "data", p, "copy:t", "verify", 0, NULL), WBL_E_MISMATCH);
	has(last_note(), "3000 rows copied, 2999 found");
	assert_true(b->compared < 40);
}

/* ---- repair ---- */

static void test_repair_killed_anywhere(void **state)
{
	const char *p = params(typed, "\"memory\":65536");
	char *want, *rows;
	long kills = 0;

	make_old(ROWS);
	good(bench_plan(b, "data", p));
	good(bench_apply(b, "data", p));
	want = rows_of("new.db");
	copy_file("new.db", "clean.db");
	for (;; kills++) {
		copy_file("clean.db", "new.db");
		sql("new.db", "DELETE FROM t WHERE id < 5; UPDATE t SET n = 1 WHERE id > 290; "
			      "INSERT INTO "
			      "t(id) VALUES(-1), (5000)");
		b->fork = false;
		assert_int_equal(verify_both(p), WBL_E_MISMATCH);
		b->fork = true;
		b->faults = 0;
		b->kill_at = kills + 1;
		*b->killed_at = 0;
		if (bench_call(b, "data", p, "copy:t", "repair", 0, NULL) != 1000)
			break;
		good(bench_call(b, "data", p, "copy:t", "repair", 0, NULL));
		good(verify_both(p));
		rows = rows_of("new.db");
		assert_string_equal(rows, want);
		free(rows);
	}
	assert_true(kills >= 3);
	free(want);
}

/* Rows that were not named stay: also those that somebody has changed since. */
static void test_repair_mends_only_what_was_named(void **state)
{
	const char *p = params(typed, "");

	make_old(ROWS);
	good(bench_plan(b, "data", p));
	good(bench_apply(b, "data", p));
	sql("new.db", "UPDATE t SET other = 'x' WHERE id = 17");
	assert_int_equal(verify_both(p), WBL_E_MISMATCH);
	sql("new.db", "UPDATE t SET other = 'y' WHERE id = 18");
	good(bench_call(b, "data", p, "copy:t", "repair", 0, NULL));
	assert_int_equal(verify_both(p), WBL_E_MISMATCH);
	assert_int_equal(b->ndiffs, 1);
	has(b->diffs[0].key, "18");
}

static void test_unique_values_that_moved(void **state)
{
	const char *p = params("", "");

	sql("old.db", "CREATE TABLE t(id INTEGER PRIMARY KEY, v UNIQUE); CREATE TABLE k(a); INSERT "
		      "INTO t "
		      "VALUES(1, 'a'), (2, 'b'), (3, 'c')");
	good(bench_plan(b, "data", p));
	good(bench_apply(b, "data", p));
	sql("new.db", "DELETE FROM t; INSERT INTO t VALUES(1, 'b'), (2, 'c'), (3, 'a')");
	assert_int_equal(verify_both(p), WBL_E_MISMATCH);
	good(bench_call(b, "data", p, "copy:t", "repair", 0, NULL));
	good(verify_both(p));
}

static void test_repair_refuses(void **state)
{
	const char *p = params(typed, "");

	make_old(ROWS);
	good(bench_plan(b, "data", p));
	good(bench_apply(b, "data", p));
	sql("new.db",
		"UPDATE t SET other = 'x' WHERE id = 17; CREATE TRIGGER g AFTER UPDATE ON t BEGIN "
		"DELETE FROM k; END");
	assert_int_equal(verify_both(p), WBL_E_MISMATCH);
	assert_int_equal(bench_call(b, "data", p, "copy:t", "repair", 0, NULL), WBL_E_UNSUPPORTED);
	has(last_note(), "a trigger of table \"t\"");
	sql("new.db", "DROP TRIGGER g");
	/* The source has moved since the rows were compared, or since they were copied. */
	sql("old.db", "UPDATE t SET other = 'new' WHERE id = 200");
	assert_int_equal(bench_call(b, "data", p, "copy:t", "repair", 0, NULL), WBL_E_STALE);
	assert_int_equal(verify_both(p), WBL_E_MISMATCH);
	has(b->notes[0].text, "the source is not what was copied any more");
	assert_int_equal(bench_call(b, "data", p, "copy:t", "repair", 0, NULL), WBL_E_STALE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_faults_as_they_are, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_faults_with_types, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_faults_in_little_memory, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_counts_are_exact, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_nothing_but_equal_rows, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_values_can_be_told_apart, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_long_values, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_sample, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_sample_counts_rows, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_repair_killed_anywhere, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			test_repair_mends_only_what_was_named, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_unique_values_that_moved, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_repair_refuses, set_up, tear_down),
	};

	/* One class of tests is enough for some of the mutants (tests/mutants). */
	if (getenv("WBL_TESTS"))
		cmocka_set_test_filter(getenv("WBL_TESTS"));
	return cmocka_run_group_tests(tests, NULL, NULL);
}
