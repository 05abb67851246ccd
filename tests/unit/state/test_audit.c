/* tests of core/state/audit.c: every way to alter a history is found, or named as not anchored.
 * req: U1 U3 T2
 * SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "kit.h"

#include <stdio.h>

#include <sodium.h>

#include "core/state/db.h"

enum { ENTRIES = 10 };

static int32_t verify(struct kit *k, const char *anchor, struct wbl_audit_report *r)
{
	struct wbl_state *s = kit_open(k, WBL_STATE_READ_ONLY);
	int32_t rc;

	*r = (struct wbl_audit_report){ 0 };
	k->err = (struct wbl_error){ 0 };
	rc = wbl_audit_verify(s, anchor, r, &k->err);
	wbl_state_close(s);
	return rc;
}

static void expect_bad(struct kit *k, int64_t seq, const char *text)
{
	struct wbl_audit_report r;

	if (verify(k, NULL, &r) != WBL_E_DAMAGED)
		fail_msg("not found: %s", text);
	if (!strstr(k->err.text, text))
		fail_msg("expected \"%s\" in: %s", text, k->err.text);
	assert_int_equal(r.bad_seq, seq);
	assert_int_equal(r.checked_to, seq - 1);
	assert_string_equal(k->err.where, k->db);
}

static void test_whole(void **state)
{
	struct kit *k = *state;
	struct wbl_audit_report r;
	char first[WBL_SHA256_HEX], head[WBL_SHA256_HEX];
	struct wbl_state *s = kit_open(k, 0);

	wbl_journal_head(s, first); /* of an empty history */
	wbl_state_close(s);
	assert_int_equal(verify(k, first, &r), 0);
	assert_true(r.anchored && r.anchor_seq == 0 && r.entries == 0 && r.unanchored == 0);
	kit_fill(k, ENTRIES, head);
	kit_fill(k, 3, NULL);
	assert_int_equal(verify(k, NULL, &r), 0);
	assert_true(r.entries == 13 && r.checked_to == 13 && !r.anchored && r.unanchored == 13);
	assert_true(r.bad_seq == 0 && r.purged == 0);
	assert_int_equal(verify(k, head, &r), 0);
	assert_true(r.anchored && r.anchor_seq == ENTRIES && r.unanchored == 3);
	assert_int_equal(verify(k, first, &r), 0);
	assert_true(r.anchored && r.anchor_seq == 0 && r.unanchored == 13);
}

static void test_bad_anchor_text(void **state)
{
	struct kit *k = *state;
	struct wbl_audit_report r;
	char zeros[WBL_SHA256_HEX + 1];

	kit_fill(k, 1, NULL);
	memset(zeros, '0', sizeof zeros);
	zeros[63] = '\0';
	assert_int_equal(verify(k, zeros, &r), WBL_E_USAGE);
	zeros[63] = 'x';
	zeros[64] = '\0';
	assert_int_equal(verify(k, zeros, &r), WBL_E_USAGE);
	zeros[63] = '0';
	assert_int_equal(verify(k, zeros, &r), WBL_E_DAMAGED);
}

/* one byte of each column of entry 5 */
static void test_each_column(void **state)
{
	static const char *const edits[] = {
		"at = at + 1",
		"kind = kind + 1",
		"run = 'run-2'",
		"step = 'copz'",
		"chunk = 'c2'",
		"name = 'entry 5'",
		"actor = 'uid:1'",
		"pass = 0",
		"attempt = 3",
		"epoch = 4",
		"status = -8",
		"len = len + 1",
		"sum = zeroblob(32)",
		"hash = zeroblob(32)",
		"sum = x'00'",
		"hash = x''",
		"actor = NULL",
		"actor = ''",
		"step = 'copyc', chunk = '1'",
		"name = name || char(0) || 'x'",
		"kind = kind + 4294967296",
		"status = status + 4294967296",
		"at = -at",
		"pass = pass - 4294967296",
	};
	struct kit *k = *state;
	size_t i;

	kit_fill(k, ENTRIES, NULL);
	kit_sql(k, "CREATE TABLE copy AS SELECT * FROM entry");
	for (i = 0; i < WBL_COUNT(edits); i++) {
		WBL_AUTOFREE char *sql = wbl_strf("UPDATE entry SET %s WHERE seq = 5", edits[i]);

		kit_sql(k, sql);
		expect_bad(k, 5, "entry 5 was changed");
		kit_sql(k, "DELETE FROM entry; INSERT INTO entry SELECT * FROM copy");
	}
}

static void test_body(void **state)
{
	struct kit *k = *state;
	struct wbl_audit_report r;
	struct wbl_state *s;

	kit_fill(k, ENTRIES, NULL);
	kit_sql(k, "UPDATE entry SET body = CAST('{\"rows\":7}' AS BLOB) WHERE seq = 5");
	expect_bad(k, 5, "entry 5 has another body");
	kit_sql(k, "UPDATE entry SET body = CAST('{\"rows\":4}0' AS BLOB) WHERE seq = 5");
	expect_bad(k, 5, "entry 5 has another body");
	kit_sql(k, "UPDATE entry SET body = NULL WHERE seq IN (5, 7)");
	assert_int_equal(verify(k, NULL, &r), 0);
	assert_true(r.purged == 2 && r.entries == ENTRIES);
	s = kit_open(k, 0);
	kit_put(s, WBL_KIND_BG_READY, "run-1", NULL, NULL);
	assert_int_equal(wbl_journal_commit(s, &k->err), 0);
	wbl_state_close(s);
	assert_int_equal(verify(k, NULL, &r), 0);
	assert_int_equal(r.purged, 2);
	kit_sql(k, "UPDATE entry SET body = x'41' WHERE seq = 11");
	expect_bad(k, 11, "entry 11 has another body");
}

static void test_identity(void **state)
{
	struct kit *k = *state;

	kit_fill(k, ENTRIES, NULL);
	kit_sql(k, "UPDATE meta SET value = '00000000-0000-4000-8000-000000000000' WHERE key = "
		   "'uuid'");
	expect_bad(k, 1, "entry 1");
}

static void test_removed(void **state)
{
	struct kit *k = *state;

	kit_fill(k, ENTRIES, NULL);
	kit_sql(k, "DELETE FROM entry WHERE seq = 5");
	expect_bad(k, 5, "entry 5 is missing");
	kit_sql(k, "UPDATE entry SET seq = seq - 1 WHERE seq > 5");
	expect_bad(k, 5, "removed here");
	kit_refused(k, 0, WBL_E_DAMAGED, "the newest entry 9 was changed");
	kit_sql(k, "DELETE FROM entry WHERE seq = 1");
	expect_bad(k, 1, "entry 1 is missing");
}

static void test_inserted(void **state)
{
	struct kit *k = *state;

	kit_fill(k, ENTRIES, NULL);
	kit_sql(k, "UPDATE entry SET seq = -seq - 1 WHERE seq >= 5;"
		   "UPDATE entry SET seq = -seq WHERE seq < 0;"
		   "CREATE TEMP TABLE t AS SELECT * FROM entry WHERE seq = 4; UPDATE t SET seq = 5;"
		   "INSERT INTO entry SELECT * FROM t");
	expect_bad(k, 5, "entry 5 was inserted");
}

static void test_appended(void **state)
{
	struct kit *k = *state;

	kit_fill(k, ENTRIES, NULL);
	kit_sql(k,
		"CREATE TEMP TABLE t AS SELECT * FROM entry WHERE seq = 10; UPDATE t SET seq = 11;"
		"INSERT INTO entry SELECT * FROM t");
	expect_bad(k, 11, "entry 11 was changed");
	kit_refused(k, 0, WBL_E_DAMAGED, "the newest entry 11 was changed");
}

static void test_swapped(void **state)
{
	struct kit *k = *state;

	kit_fill(k, ENTRIES, NULL);
	kit_sql(k,
		"UPDATE entry SET seq = -5 WHERE seq = 5; UPDATE entry SET seq = 5 WHERE seq = 6;"
		"UPDATE entry SET seq = 6 WHERE seq = -5");
	expect_bad(k, 5, "changed places");
}

/* The attacker knows how the chain is made: changes entry 5 and makes all that follows fit again. */
static void rewrite_from(struct kit *k, int64_t from)
{
	struct wbl_state *s = kit_open(k, WBL_STATE_READ_ONLY);
	unsigned char head[WBL_CHAIN_LEN], sum[WBL_CHAIN_LEN];
	sqlite3_stmt *get, *set;
	sqlite3 *db;

	wbl_chain_start(wbl_state_uuid(s), head);
	wbl_state_close(s);
	assert_int_equal(sqlite3_open(k->db, &db), SQLITE_OK);
	assert_int_equal(
		sqlite3_exec(db, "BEGIN; CREATE TABLE t AS SELECT * FROM entry", NULL, NULL, NULL),
		0);
	assert_int_equal(sqlite3_prepare_v2(db,
				 "SELECT " WBL_ENTRY_COLUMNS ", sum, hash FROM t ORDER BY seq", -1,
				 &get, NULL),
		0);
	assert_int_equal(sqlite3_prepare_v2(db, "UPDATE entry SET name=?1, hash=?2 WHERE seq=?3",
				 -1, &set, NULL),
		0);
	while (sqlite3_step(get) == SQLITE_ROW) {
		struct wbl_entry e;

		wbl_entry_read(get, &e);
		memcpy(sum, sqlite3_column_blob(get, 14), sizeof sum);
		if (e.seq == from)
			e.name = "forged";
		wbl_chain_link(head, &e, sum, head);
		sqlite3_bind_text(set, 1, e.name, -1, SQLITE_STATIC);
		sqlite3_bind_blob(set, 2, head, sizeof head, SQLITE_STATIC);
		sqlite3_bind_int64(set, 3, e.seq);
		assert_int_equal(sqlite3_step(set), SQLITE_DONE);
		sqlite3_reset(set);
	}
	sqlite3_finalize(get);
	sqlite3_finalize(set);
	assert_int_equal(sqlite3_exec(db, "DROP TABLE t; COMMIT", NULL, NULL, NULL), 0);
	sqlite3_close(db);
}

static void test_rewritten(void **state)
{
	struct kit *k = *state;
	char early[WBL_SHA256_HEX], late[WBL_SHA256_HEX];
	struct wbl_audit_report r;

	kit_fill(k, 4, early);
	kit_fill(k, 6, late);
	rewrite_from(k, 5);
	assert_int_equal(kit_ask(k, "SELECT name = 'forged' FROM entry WHERE seq = 5"), 1);
	assert_int_equal(verify(k, NULL, &r), 0); /* cannot be known, and says so */
	assert_int_equal(r.unanchored, ENTRIES);
	assert_int_equal(verify(k, early, &r), 0);
	assert_true(r.anchored && r.anchor_seq == 4 && r.unanchored == 6);
	assert_int_equal(verify(k, late, &r), WBL_E_DAMAGED);
	assert_non_null(strstr(k->err.text, "cut or rewritten"));
	assert_false(r.anchored);
}

static void test_tail_cut(void **state)
{
	struct kit *k = *state;
	char early[WBL_SHA256_HEX], late[WBL_SHA256_HEX];
	struct wbl_audit_report r;

	kit_fill(k, 4, early);
	kit_fill(k, 6, late);
	kit_sql(k, "DELETE FROM entry WHERE seq > 7");
	assert_int_equal(verify(k, NULL, &r), 0);
	assert_true(r.entries == 7 && r.unanchored == 7);
	assert_int_equal(verify(k, early, &r), 0);
	assert_int_equal(r.unanchored, 3);
	assert_int_equal(verify(k, late, &r), WBL_E_DAMAGED);
	assert_non_null(strstr(k->err.text, "the chain of 7 entries"));
}

/* a row that is in the table but not in the index that history uses */
static void test_hidden_by_index(void **state)
{
	struct kit *k = *state;
	struct wbl_audit_report r;

	kit_fill(k, ENTRIES, NULL);
	kit_sql(k, "CREATE TEMP TABLE t AS SELECT sql FROM sqlite_schema WHERE name = 'by_run';"
		   "DROP INDEX by_run;"
		   "CREATE INDEX by_run ON entry (run) WHERE run IS NOT NULL AND seq <> 5;"
		   "PRAGMA writable_schema = ON;"
		   "UPDATE sqlite_schema SET sql = (SELECT sql FROM t) WHERE name = 'by_run'");
	assert_int_equal(verify(k, NULL, &r), WBL_E_DAMAGED);
	assert_non_null(strstr(k->err.text, "by_run"));
	assert_int_equal(r.entries, ENTRIES);
}

static void test_beside_an_engine(void **state)
{
	struct kit *k = *state;
	struct wbl_audit_report r;
	struct wbl_state *s;

	kit_fill(k, ENTRIES, NULL);
	s = kit_open(k, 0);
	kit_put(s, WBL_KIND_LOG, "r", "info", "not committed");
	assert_int_equal(verify(k, NULL, &r), 0);
	assert_int_equal(r.entries, ENTRIES);
	assert_int_equal(wbl_journal_commit(s, &k->err), 0);
	assert_int_equal(verify(k, NULL, &r), 0);
	assert_int_equal(r.entries, ENTRIES + 1);
	assert_int_equal(wbl_audit_verify(s, NULL, &r, &k->err), 0);
	assert_int_equal(r.entries, ENTRIES + 1);
	wbl_state_close(s);
}

#define T(f) cmocka_unit_test_setup_teardown(f, kit_setup, kit_teardown)
int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_whole),
		T(test_bad_anchor_text),
		T(test_each_column),
		T(test_body),
		T(test_identity),
		T(test_removed),
		T(test_inserted),
		T(test_appended),
		T(test_swapped),
		T(test_rewritten),
		T(test_tail_cut),
		T(test_hidden_by_index),
		T(test_beside_an_engine),
	};

	return cmocka_run_group_tests_name("audit", tests, NULL, NULL);
}
