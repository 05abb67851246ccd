/* tests of the data handler on real stores: real tables from the system, kills at every fault point, the way back.
 * req: D2 D5 D6 D7 D8 D9 D10 P1 P4 X7 X9
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

static void write_file(const char *name, const char *text)
{
	FILE *f = fopen(file(name), "w");

	assert_non_null(f);
	fputs(text, f);
	fclose(f);
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

/* The answer of a query as text, lines and bars. */
static const char *ask(const char *name, const char *text)
{
	static char out[65536];
	size_t n = 0;
	sqlite3 *db;
	sqlite3_stmt *st;

	assert_int_equal(sqlite3_open_v2(file(name), &db, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
	if (sqlite3_prepare_v2(db, text, -1, &st, NULL))
		fail_msg("%s: %s", text, sqlite3_errmsg(db));
	out[0] = 0;
	while (sqlite3_step(st) == SQLITE_ROW) {
		for (int i = 0; i < sqlite3_column_count(st); i++) {
			const char *v = (const char *)sqlite3_column_text(st, i);

			n += (size_t)snprintf(
				out + n, sizeof out - n, "%s%s", i ? "|" : "", v ? v : "NULL");
		}
		n += (size_t)snprintf(out + n, sizeof out - n, "\n");
		assert_true(n < sizeof out);
	}
	sqlite3_finalize(st);
	sqlite3_close(db);
	return out;
}

static void fails_with(int32_t rc, int32_t want, const char *text)
{
	const char *found = b->nnotes ? b->notes[b->nnotes - 1].text : "";

	assert_int_equal(rc, want);
	if (!strstr(found, text) && !(b->nnotes && strstr(b->notes[b->nnotes - 1].where, text)))
		fail_msg(
			"\"%s\" is not in \"%s\" (%s)", text, found, b->notes[b->nnotes - 1].where);
}

static void good(int32_t rc)
{
	if (rc)
		fail_msg("status %d: %s: %s", rc, b->nnotes ? b->notes[b->nnotes - 1].where : "",
			b->nnotes ? b->notes[b->nnotes - 1].text : "");
}

static const char *oui_params(const char *extra)
{
	static char p[2000];

	snprintf(p, sizeof p,
		"{\"source\":{\"store\":\"csv\",\"path\":\"/usr/share/ieee-data/oui.csv\"},"
		"\"target\":{\"store\":\"sqlite\",\"path\":\"%s\"},\"existing\":\"refuse\","
		"\"tables\":[{\"to\":\"vendor\",\"columns\":[{\"name\":\"assignment\",\"from\":"
		"\"Assignment\","
		"\"type\":\"text\"},{\"name\":\"registry\",\"from\":\"Registry\",\"type\":\"text\"}"
		","
		"{\"name\":\"name\",\"from\":\"Organization "
		"Name\",\"type\":\"text\",\"trim\":true},"
		"{\"name\":\"address\",\"from\":\"Organization "
		"Address\",\"type\":\"text\",\"trim\":true,"
		"\"null_if\":\"\"}],\"indexes\":[{\"name\":\"vendor_name\",\"columns\":[\"name\"]}]"
		"}]%s}",
		file("new.db"), extra);
	return p;
}

static void test_oui(void **state)
{
	const char *p = oui_params("");

	good(bench_plan(b, "data", p));
	assert_int_equal(b->nsteps, 5);
	assert_string_equal(bench_find(b, "indexes")->after[0], "copy:vendor");
	assert_string_equal(bench_value(b->observed, b->nobserved, "target.schema"), "absent");
	assert_int_equal(access(file("new.db"), F_OK), -1);
	good(bench_apply(b, "data", p));
	assert_string_equal(
		ask("new.db",
			"SELECT count(*)>30000, count(DISTINCT assignment)>30000 FROM vendor"),
		"1|1\n");
	assert_string_equal(ask("new.db", "SELECT name FROM vendor WHERE assignment='002272'"),
		"American Micro-Fuel Device Corp.\n");
	assert_string_equal(ask("new.db", "SELECT name FROM sqlite_schema ORDER BY 1"),
		"vendor\nvendor_name\n");
	good(bench_rollback(b, "data", p));
	assert_int_equal(access(file("new.db"), F_OK), -1);
}

static void test_unicode_data(void **state)
{
	char p[3000];

	snprintf(p, sizeof p,
		"{\"source\":{\"store\":\"csv\",\"path\":\"/usr/share/unicode/"
		"UnicodeData.txt\",\"separator\":\";\","
		"\"quote\":\"none\",\"header\":false,\"null\":\"\"},\"target\":{\"store\":"
		"\"sqlite\",\"path\":\"%s\"},"
		"\"chunk_rows\":5000,\"tables\":[{\"to\":\"character\",\"key\":[\"code\"],"
		"\"columns\":["
		"{\"name\":\"code\",\"from\":\"c1\",\"type\":\"text\"},{\"name\":\"name\",\"from\":"
		"\"c2\",\"type\":\"text\"},"
		"{\"name\":\"combining\",\"from\":\"c4\",\"type\":\"int\"},{\"name\":\"digit\","
		"\"from\":\"c8\",\"type\":\"int\"},"
		"{\"name\":\"source\",\"value\":\"UCD\",\"type\":\"text\"}]}]}",
		file("u.db"));
	good(bench_plan(b, "data", p));
	assert_non_null(bench_value(b->omitted, b->nomitted, "columns of UnicodeData.txt"));
	good(bench_apply(b, "data", p));
	assert_true(b->nchunks >= 6);
	assert_string_equal(ask("u.db", "SELECT name,combining,digit,source,typeof(combining) FROM "
					"character WHERE code='0037'"),
		"DIGIT SEVEN|0|7|UCD|integer\n");
	assert_string_equal(
		ask("u.db", "SELECT count(*) FROM character WHERE digit IS NULL AND code='0041'"),
		"1\n");
	good(bench_rollback(b, "data", p));
	assert_int_equal(access(file("u.db"), F_OK), -1);
}

static const char *small_params(const char *extra)
{
	static char p[1000];

	snprintf(p, sizeof p,
		"{\"source\":{\"store\":\"sqlite\",\"path\":\"%s\"},\"target\":{\"store\":"
		"\"sqlite\",\"path\":\"%s\"},"
		"\"chunk_rows\":4%s}",
		file("old.db"), file("new.db"), extra);
	return p;
}

static void make_old(void)
{
	sql("old.db", "CREATE TABLE person(id INTEGER PRIMARY KEY, name TEXT NOT NULL, born DATE, "
		      "photo BLOB);"
		      "CREATE TABLE \"odd \"\"name\"(k TEXT, n INT, v, g AS (n+1), PRIMARY "
		      "KEY(k,n)) WITHOUT ROWID;"
		      "CREATE TABLE nokey(a,b);"
		      "CREATE INDEX by_born ON person(born);"
		      "CREATE VIEW grown AS SELECT * FROM person WHERE born<'2000';"
		      "CREATE TRIGGER no_x AFTER INSERT ON nokey WHEN new.a='x' BEGIN SELECT "
		      "RAISE(ABORT,'x'); END;"
		      "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<10) "
		      "INSERT INTO person SELECT i*i, 'name '||i, date('1990-01-01','+'||i||' "
		      "years'), randomblob(i) FROM n;"
		      "INSERT INTO \"odd \"\"name\"(k,n,v) "
		      "VALUES('a',1,1.5),('a',2,x'00ff'),('b',-1,NULL),('ab',0,'1.50');"
		      "INSERT INTO nokey VALUES(NULL,NULL),(NULL,NULL),(CAST(x'c328' AS TEXT),'bad "
		      "utf-8'),"
		      "(CAST(x'610062' AS TEXT),'with a "
		      "NUL'),('',x''),(9223372036854775807,-0.0),(1e308*10,0.1)");
}

static const char *everything(const char *name)
{
	static char all[3][65536];
	static int n;

	n = (n + 1) % 3;
	snprintf(all[n], sizeof all[n], "%s",
		ask(name, "SELECT type,name,sql FROM sqlite_schema ORDER BY 1,2"));
	strcat(all[n], ask(name, "SELECT id,typeof(name),name,typeof(born),born,hex(photo) FROM "
				 "person ORDER BY 1"));
	strcat(all[n],
		ask(name, "SELECT k,n,typeof(v),quote(v),g FROM \"odd \"\"name\" ORDER BY 1,2"));
	strcat(all[n], ask(name, "SELECT typeof(a),hex(CAST(a AS BLOB)),typeof(b),hex(CAST(b AS "
				 "BLOB)) FROM nokey ORDER BY 2,4"));
	return all[n];
}

static void test_whole_database(void **state)
{
	const char *p = small_params("");

	make_old();
	good(bench_plan(b, "data", p));
	good(bench_apply(b, "data", p));
	assert_string_equal(everything("new.db"), everything("old.db"));
	good(bench_rollback(b, "data", p));
	assert_int_equal(access(file("new.db"), F_OK), -1);
}

/* Any kill, then on: the same target as without one. Any kill, then back: no target. */
static void test_kill_everywhere(void **state)
{
	const char *p = small_params("");
	char want[65536];
	long n = 0;

	make_old();
	strcpy(want, everything("old.db"));
	for (n = 1;; n++) {
		unlink(file("new.db"));
		bench_reset(b);
		b->fork = true;
		good(bench_plan(b, "data", p));
		b->kill_at = n;
		good(bench_apply(b, "data", p));
		if (!*b->killed_at)
			break;
		assert_string_equal(everything("new.db"), want);
		b->faults = 0;
		b->kill_at = 1 + n % 7;
		good(bench_rollback(b, "data", p));
		assert_int_equal(access(file("new.db"), F_OK), -1);
	}
	assert_true(n > 30);
	print_message("# %ld kills, each resumed, then rolled back with another kill\n", n - 1);
}

/* Killed and never resumed: rolled back from wherever it stood. */
static void test_kill_and_back(void **state)
{
	const char *p = small_params(",\"existing\":\"empty\"");
	char before[65536];
	long n = 0;

	make_old();
	sql("keep.db",
		"CREATE TABLE nokey(a,b); CREATE TABLE other(x); INSERT INTO other VALUES(1)");
	for (n = 1;; n += 3) {
		char cmd[700];

		snprintf(cmd, sizeof cmd, "cp %s %s", file("keep.db"), file("new.db"));
		assert_int_equal(system(cmd), 0);
		bench_reset(b);
		b->fork = true;
		good(bench_plan(b, "data", p));
		strcpy(before,
			ask("new.db", "SELECT type,name,sql FROM sqlite_schema ORDER BY 1,2"));
		b->kill_at = n;
		for (size_t i = 0; i < b->nsteps && !*b->killed_at; i++) {
			struct bench_step *s = &b->steps[i];

			if (!(s->flags & WBL_STEP_PARTITIONED))
				bench_call(b, "data", p, s->id, "execute", 0, NULL);
			else if (bench_call(b, "data", p, s->id, "partition", 0, NULL) == 0)
				for (size_t k = 0; k < b->nchunks && !*b->killed_at; k++)
					if (!strcmp(b->chunks[k].step, s->id))
						bench_call(b, "data", p, s->id, "execute", 0,
							&b->chunks[k]);
		}
		if (!*b->killed_at)
			break;
		good(bench_rollback(b, "data", p));
		assert_string_equal(
			ask("new.db", "SELECT type,name,sql FROM sqlite_schema ORDER BY 1,2"),
			before);
		assert_string_equal(
			ask("new.db", "SELECT (SELECT count(*) FROM nokey),(SELECT x FROM other)"),
			"0|1\n");
	}
	assert_true(n > 30);
}

static void test_receipt_stands(void **state)
{
	const char *p = small_params(",\"tidy\":false");
	struct bench_chunk *first;

	make_old();
	good(bench_plan(b, "data", p));
	good(bench_apply(b, "data", p));
	first = &b->chunks[0];
	first->done = false;
	first->count = 0;
	good(bench_call(b, "data", p, first->step, "execute", WBL_WORK_RESUME, first));
	assert_true(first->done && first->count > 0);
	good(bench_call(b, "data", p, first->step, "verify", 0, NULL));
	assert_string_equal(
		everything("new.db") ? ask("new.db", "SELECT count(*) FROM nokey") : "", "7\n");
	/* An older epoch wakes up late. */
	b->epoch = 3;
	good(bench_call(b, "data", p, first->step, "rollback", 0, NULL));
	b->epoch = 2;
	first->id[0] = 'z';
	assert_int_equal(bench_call(b, "data", p, first->step, "execute", 0, first), WBL_E_FENCED);
}

static void test_tampered(void **state)
{
	const char *p = small_params("");

	make_old();
	good(bench_plan(b, "data", p));
	good(bench_apply(b, "data", p));
	sql("new.db", "UPDATE person SET name='somebody else' WHERE id=49; DELETE FROM person "
		      "WHERE id=64;"
		      "INSERT INTO person VALUES(7,'one more',NULL,NULL)");
	fails_with(bench_call(b, "data", p, "copy:person", "verify", 0, NULL), WBL_E_MISMATCH,
		"10 rows copied, 10 found");
	assert_int_equal(b->ndiffs, 3);
	for (size_t i = 0; i < 3; i++) {
		struct bench_diff *d = &b->diffs[i];

		if (d->kind == WBL_DIFF_CHANGED) {
			assert_string_equal(d->key, "{\"id\":\"49\"}");
			assert_string_equal(d->field, "name");
			assert_string_equal(d->expected, "name 7");
			assert_string_equal(d->found, "somebody else");
		} else {
			assert_string_equal(d->key,
				d->kind == WBL_DIFF_MISSING ? "{\"id\":\"64\"}" : "{\"id\":\"7\"}");
		}
	}
	/* Damaged, it is rolled back; with a row of somebody else in it, a person decides. */
	sql("new.db", "INSERT INTO person VALUES(8,'and more',NULL,NULL)");
	fails_with(
		bench_rollback(b, "data", p), WBL_E_FAILED, "holds 11 rows and this run wrote 10");
	sql("new.db", "DELETE FROM person WHERE id<9");
	good(bench_rollback(b, "data", p));
	assert_int_equal(access(file("new.db"), F_OK), -1);
}

/* Of each class of damage one; none may pass. */
static void test_every_damage_is_seen(void **state)
{
	static const char *const damage[] = {
		"UPDATE nokey SET b=NULL WHERE b=x''",
		"UPDATE nokey SET a=NULL WHERE a=''",
		"UPDATE nokey SET a='a' WHERE b='with a NUL'",
		"UPDATE nokey SET a=9223372036854775806 WHERE a=9223372036854775807",
		"UPDATE nokey SET a=9.223372036854775807e18 WHERE a=9223372036854775807",
		"UPDATE nokey SET b=0.1000000000000000056 + 1e-16 WHERE b=0.1",
		"DELETE FROM nokey WHERE rowid=(SELECT min(rowid) FROM nokey WHERE a IS NULL)",
		"INSERT INTO nokey VALUES(NULL,NULL)",
		"UPDATE nokey SET a=b,b=a WHERE a=''",
	};
	const char *p = small_params("");

	make_old();
	for (size_t i = 0; i < sizeof damage / sizeof *damage; i++) {
		unlink(file("new.db"));
		bench_reset(b);
		good(bench_plan(b, "data", p));
		good(bench_apply(b, "data", p));
		sql("new.db", damage[i]);
		if (bench_call(b, "data", p, "copy:nokey", "verify", 0, NULL) != WBL_E_MISMATCH ||
			!b->ndiffs)
			fail_msg("not seen: %s", damage[i]);
	}
}

static void test_source_changes(void **state)
{
	const char *p = small_params("");

	make_old();
	good(bench_plan(b, "data", p));
	good(bench_call(b, "data", p, "schema", "execute", 0, NULL));
	good(bench_call(b, "data", p, "copy:nokey", "partition", 0, NULL));
	sql("old.db", "INSERT INTO nokey VALUES('y','y')");
	fails_with(bench_call(b, "data", p, "copy:nokey", "execute", 0, &b->chunks[0]), WBL_E_STALE,
		"changed");
	assert_string_equal(ask("new.db", "SELECT count(*) FROM nokey"), "0\n");
}

static void test_restructure(void **state)
{
	char p[2000];

	make_old();
	snprintf(p, sizeof p,
		"{\"source\":{\"store\":\"sqlite\",\"path\":\"%s\"},\"target\":{\"store\":"
		"\"sqlite\",\"path\":\"%s\"},"
		"\"tables\":[{\"from\":\"person\",\"to\":\"people\",\"key\":[\"nr\"],\"where\":"
		"\"id < 50 -- young\","
		"\"columns\":[{\"name\":\"nr\",\"from\":\"id\",\"type\":\"int\"},"
		"{\"name\":\"label\",\"expr\":\"upper(name)||'/'||id\",\"type\":\"text\"},"
		"{\"name\":\"born\",\"type\":\"date\"},{\"name\":\"size\",\"expr\":\"length(photo)*"
		"1.5\",\"type\":\"real\"}]}]}",
		file("old.db"), file("new.db"));
	good(bench_plan(b, "data", p));
	assert_non_null(bench_value(b->omitted, b->nomitted, "table nokey"));
	assert_non_null(bench_value(b->omitted, b->nomitted, "columns of person"));
	good(bench_apply(b, "data", p));
	assert_string_equal(ask("new.db", "SELECT * FROM people ORDER BY nr LIMIT 2"),
		"1|NAME 1/1|1991-01-01|1.5\n4|NAME 2/4|1992-01-01|3.0\n");
	assert_string_equal(ask("new.db", "SELECT count(*) FROM people"), "7\n");
}

static const char *csv_params(const char *columns, const char *extra)
{
	static char p[2000];

	snprintf(p, sizeof p,
		"{\"source\":{\"store\":\"csv\",\"path\":\"%s\"},\"target\":{\"store\":\"sqlite\","
		"\"path\":\"%s\"},"
		"\"tables\":[{\"to\":\"t\",\"key\":[\"id\"],\"columns\":[%s]}]%s}",
		file("in.csv"), file("new.db"), columns, extra);
	return p;
}

static const char *const typed =
	"{\"name\":\"id\",\"type\":\"int\"},{\"name\":\"v\",\"type\":\"decimal\"}";

static void test_reject_fails(void **state)
{
	const char *p = csv_params(typed, "");

	write_file("in.csv", "id,v\n1,1.10\n2,\"two\nlines\"\n3,3\n");
	good(bench_plan(b, "data", p));
	fails_with(bench_apply(b, "data", p), WBL_E_PARAM, "not a decimal number: \"two\nlines\"");
	assert_string_equal(b->notes[b->nnotes - 1].where, "in.csv:3");
	assert_string_equal(ask("new.db", "SELECT count(*) FROM t"), "0\n");
	good(bench_rollback(b, "data", p));
	assert_int_equal(access(file("new.db"), F_OK), -1);
}

static void test_reject_limit(void **state)
{
	const char *p = csv_params(typed, ",\"reject_limit\":3");

	write_file("in.csv", "id,v\n1,1.10\n2,two\n3,3\n1,again\n1,5\n,6\n");
	good(bench_plan(b, "data", p));
	fails_with(bench_apply(b, "data", p), WBL_E_PARAM, "in.csv:6");
	bench_reset(b);
	unlink(file("new.db"));
	p = csv_params(typed, ",\"reject_limit\":4");
	good(bench_plan(b, "data", p));
	good(bench_apply(b, "data", p));
	assert_string_equal(ask("new.db", "SELECT id,v,typeof(v) FROM t ORDER BY id"),
		"1|1.1|text\n3|3|text\n");
	assert_int_equal(b->ndiffs, 4);
	assert_int_equal(b->diffs[0].kind, WBL_DIFF_REJECTED);
	assert_string_equal(b->diffs[0].key, "{\"source\":\"in.csv:3\"}");
}

static void test_rehearse_changes_nothing(void **state)
{
	const char *p = csv_params(typed, "");

	write_file("in.csv", "id,v\n1,1\n");
	good(bench_plan(b, "data", p));
	good(bench_call(b, "data", p, "schema", "execute", WBL_WORK_REHEARSE, NULL));
	assert_int_equal(b->level, 1);
	good(bench_call(b, "data", p, "copy:t", "execute", WBL_WORK_REHEARSE, NULL));
	assert_int_equal(b->level, 3);
	assert_int_equal(access(file("new.db"), F_OK), -1);
	assert_int_equal(b->nundo, 0);
	write_file("in.csv", "id,v\nx,1\n");
	fails_with(bench_call(b, "data", p, "copy:t", "execute", WBL_WORK_REHEARSE, NULL),
		WBL_E_PARAM, "not a whole number");
}

static void test_stop(void **state)
{
	const char *p = csv_params(typed, "");

	write_file("in.csv", "id,v\n1,1\n");
	good(bench_plan(b, "data", p));
	good(bench_call(b, "data", p, "schema", "execute", 0, NULL));
	good(bench_call(b, "data", p, "copy:t", "partition", 0, NULL));
	b->signals = WBL_SIGNAL_PAUSE;
	assert_int_equal(
		bench_call(b, "data", p, "copy:t", "execute", 0, &b->chunks[0]), WBL_E_CANCELLED);
	b->signals = 0;
	b->nchunks = 0;
	good(bench_apply(b, "data", p));
	assert_string_equal(ask("new.db", "SELECT * FROM t"), "1|1\n");
}

static void test_plan_refuses(void **state)
{
	static const struct {
		const char *columns, *extra, *text;
	} bad[] = {
		{ "{\"name\":\"id\",\"from\":\"idd\"}", "", "no column \"idd\"" },
		{ "{\"name\":\"id\",\"type\":\"integer\"}", "", "no type \"integer\"" },
		{ "{\"name\":\"id\",\"expr\":\"1\"}", "", "no expressions" },
		{ "{\"name\":\"id\",\"from\":\"id\",\"value\":\"1\"}", "", "only one of" },
		{ "{\"name\":\"id\"},{\"name\":\"ID\",\"from\":\"v\"}", "", "two columns" },
		{ "{\"name\":\"x\",\"from\":\"id\"}", "", "the key names" },
	};

	write_file("in.csv", "id,v\n1,1\n");
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		fails_with(bench_plan(b, "data", csv_params(bad[i].columns, bad[i].extra)),
			WBL_E_PARAM, bad[i].text);
	sql("new.db", "CREATE TABLE t(id,v); INSERT INTO t VALUES(1,1)");
	fails_with(bench_plan(b, "data", csv_params(typed, "")), WBL_E_PARAM,
		"has a table \"t\" already");
	fails_with(bench_plan(b, "data", csv_params(typed, ",\"existing\":\"empty\"")), WBL_E_PARAM,
		"holds 1 rows");
	unlink(file("in.csv"));
	fails_with(
		bench_plan(b, "data", csv_params(typed, "")), WBL_E_UNAVAILABLE, "does not exist");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_oui, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_unicode_data, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_whole_database, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_kill_everywhere, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_kill_and_back, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_receipt_stands, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_tampered, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_every_damage_is_seen, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_source_changes, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_restructure, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_reject_fails, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_reject_limit, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_rehearse_changes_nothing, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_stop, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_plan_refuses, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
