/* tests of core/state: what they share.
 * SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "kit.h"

#include <ftw.h>
#include <stdio.h>
#include <unistd.h>

#include <sqlite3.h>

int kit_setup(void **state)
{
	const char *tmp = getenv("TMPDIR");
	struct kit *k = wbl_alloc(sizeof *k);

	snprintf(k->root, sizeof k->root, "%.40s/wbl-state-XXXXXX", tmp ? tmp : "/tmp");
	if (!mkdtemp(k->root))
		return -1;
	snprintf(k->dir, sizeof k->dir, "%s/state", k->root);
	snprintf(k->db, sizeof k->db, "%s/history.db", k->dir);
	*state = k;
	return 0;
}

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *at)
{
	return remove(path);
}

int kit_teardown(void **state)
{
	struct kit *k = *state;
	int rc = nftw(k->root, remove_one, 16, FTW_DEPTH | FTW_PHYS);

	free(k);
	return rc;
}

struct wbl_state *kit_open(struct kit *k, unsigned flags)
{
	struct wbl_state *s = NULL;

	if (wbl_state_open(k->dir, flags, &s, &k->err))
		fail_msg("%s: %s", k->err.where, k->err.text);
	return s;
}

void kit_refused(struct kit *k, unsigned flags, int32_t code, const char *text)
{
	struct wbl_state *s = NULL;

	k->err = (struct wbl_error){ 0 };
	if (wbl_state_open(k->dir, flags, &s, &k->err) != code)
		fail_msg("expected code %d, got %d %s: %s", code, k->err.code, k->err.where,
			k->err.text);
	assert_null(s);
	if (!strstr(k->err.text, text))
		fail_msg("expected \"%s\" in: %s", text, k->err.text);
	assert_int_equal(k->err.code, code);
	assert_non_null(strstr(k->err.where, k->dir));
	assert_true(k->err.hint[0]);
}

void kit_put(struct wbl_state *s, enum wbl_kind kind, const char *run, const char *name,
	const char *body)
{
	struct wbl_entry e = { .kind = kind, .run = run, .name = name, .actor = "uid:0" };
	struct wbl_error err;

	e.body.data = body;
	e.body.len = body ? strlen(body) : 0;
	if (wbl_journal_append(s, &e, &err))
		fail_msg("%s: %s", err.where, err.text);
}

void kit_fill(struct kit *k, int entries, char head[WBL_SHA256_HEX])
{
	struct wbl_state *s = kit_open(k, 0);
	char name[24], body[48];
	int i;

	for (i = 0; i < entries; i++) {
		struct wbl_entry e = { .kind = WBL_KIND_CHUNK_RESULT,
			.run = "run-1",
			.step = "copy",
			.chunk = "c1",
			.name = name,
			.actor = "uid:0",
			.pass = 1,
			.attempt = 2,
			.epoch = 3,
			.status = -7 };

		snprintf(name, sizeof name, "entry %d", i);
		snprintf(body, sizeof body, "{\"rows\":%d}", i);
		e.body.data = body;
		e.body.len = strlen(body);
		assert_int_equal(wbl_journal_append(s, &e, &k->err), 0);
	}
	assert_int_equal(wbl_journal_commit(s, &k->err), 0);
	if (head)
		wbl_journal_head(s, head);
	wbl_state_close(s);
}

void kit_sql(struct kit *k, const char *sql)
{
	char *text = NULL;
	sqlite3 *db;

	assert_int_equal(sqlite3_open(k->db, &db), SQLITE_OK);
	if (sqlite3_exec(db, sql, NULL, NULL, &text))
		fail_msg("%s: %s", sql, text);
	sqlite3_close(db);
}

int64_t kit_ask(struct kit *k, const char *sql)
{
	sqlite3_stmt *q;
	sqlite3 *db;
	int64_t n;

	assert_int_equal(sqlite3_open(k->db, &db), SQLITE_OK);
	assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &q, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_step(q), SQLITE_ROW);
	n = sqlite3_column_int64(q, 0);
	sqlite3_finalize(q);
	sqlite3_close(db);
	return n;
}
