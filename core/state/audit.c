/* state/audit.c - is the history still what was written?
 * In: an open state, perhaps an anchor noted earlier.  Out: how far the chain holds, and the first entry that
 * does not fit, and how. Everything is recomputed from the rows; no index is trusted.
 * SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "core/state/db.h"

#include <stdlib.h>
#include <string.h>

#include <sodium.h>

enum { SUM = WBL_ENTRY_COLUMN_COUNT, HASH, COLUMNS };

struct walk {
	struct wbl_state *s;
	struct wbl_audit_report *report;
	unsigned char head[WBL_CHAIN_LEN], anchor[WBL_CHAIN_LEN];
	bool has_anchor;
};

static int32_t parse_anchor(struct walk *w, const char *anchor, struct wbl_error *err)
{
	size_t len = 0;

	if (!anchor)
		return 0;
	w->has_anchor = true;
	if (strlen(anchor) != 2 * WBL_CHAIN_LEN ||
		sodium_hex2bin(
			w->anchor, WBL_CHAIN_LEN, anchor, 2 * WBL_CHAIN_LEN, NULL, &len, NULL) ||
		len != WBL_CHAIN_LEN)
		return wbl_fail(err, WBL_E_USAGE, anchor,
			"Give the chain head as a report or event printed it.",
			"an anchor is 64 hexadecimal digits");
	return 0;
}

static void note_anchor(struct walk *w, int64_t seq)
{
	if (w->has_anchor && !memcmp(w->head, w->anchor, WBL_CHAIN_LEN)) {
		w->report->anchored = true;
		w->report->anchor_seq = seq;
	}
}

/* Texts are hashed up to their NUL, so nothing may stand behind it. */
static bool shape_fits(sqlite3_stmt *row)
{
	int i;

	for (i = 3; i <= 7; i++) {
		const char *text = (const char *)sqlite3_column_text(row, i);

		if (text && strlen(text) != (size_t)sqlite3_column_bytes(row, i))
			return false;
	}
	return sqlite3_column_bytes(row, SUM) == WBL_CHAIN_LEN &&
	       sqlite3_column_bytes(row, HASH) == WBL_CHAIN_LEN &&
	       sqlite3_column_int64(row, 2) == (int)sqlite3_column_int64(row, 2) &&
	       sqlite3_column_int64(row, 11) == (int)sqlite3_column_int64(row, 11);
}

static bool body_fits(sqlite3_stmt *row, const struct wbl_entry *e, struct wbl_audit_report *report)
{
	unsigned char sum[WBL_CHAIN_LEN];
	int bytes = sqlite3_column_bytes(row, 13);

	if (sqlite3_column_type(row, 13) == SQLITE_NULL && e->body.len) {
		report->purged++;
		return true;
	}
	crypto_hash_sha256(sum, sqlite3_column_blob(row, 13), (unsigned long long)bytes);
	return (uint64_t)bytes == e->body.len &&
	       !memcmp(sum, sqlite3_column_blob(row, SUM), WBL_CHAIN_LEN);
}

static bool link_fits(const unsigned char *prev, const struct wbl_entry *e, sqlite3_stmt *row)
{
	unsigned char link[WBL_CHAIN_LEN];

	if (!shape_fits(row))
		return false;
	wbl_chain_link(prev, e, sqlite3_column_blob(row, SUM), link);
	return !memcmp(link, sqlite3_column_blob(row, HASH), WBL_CHAIN_LEN);
}

/* Of a row that does not fit: would the next one fit in its place (this one was put in), or on it (only this
 * one was changed)? */
static const char *explain(struct walk *w, sqlite3_stmt *row, const unsigned char *hash)
{
	int64_t seq = sqlite3_column_int64(row, 0);
	struct wbl_entry e;

	if (sqlite3_step(row) == SQLITE_ROW) {
		wbl_entry_read(row, &e);
		if (link_fits(hash, &e, row))
			return "was changed";
		e.seq = seq;
		if (link_fits(w->head, &e, row))
			return "was inserted, or changed places with the next one";
	}
	return "was changed, or an entry was inserted, swapped or removed here";
}

static int32_t fail_at(struct walk *w, int64_t seq, struct wbl_error *err, const char *how)
{
	w->report->bad_seq = seq;
	return wbl_db_damaged(w->s, err, "entry %lld %s", (long long)seq, how);
}

static int32_t check_row(struct walk *w, sqlite3_stmt *row, struct wbl_error *err)
{
	struct wbl_audit_report *r = w->report;
	unsigned char hash[WBL_CHAIN_LEN];
	struct wbl_entry e;

	wbl_entry_read(row, &e);
	if (e.seq != r->checked_to + 1)
		return fail_at(w, r->checked_to + 1, err, "is missing");
	if (!shape_fits(row))
		return fail_at(w, e.seq, err, "was changed");
	memcpy(hash, sqlite3_column_blob(row, HASH), WBL_CHAIN_LEN);
	if (!link_fits(w->head, &e, row))
		return fail_at(w, e.seq, err, explain(w, row, hash));
	if (!body_fits(row, &e, r))
		return fail_at(w, e.seq, err, "has another body than the one that was recorded");
	memcpy(w->head, hash, WBL_CHAIN_LEN);
	r->entries++;
	r->checked_to = e.seq;
	note_anchor(w, e.seq);
	return 0;
}

static int32_t check_rows(struct walk *w, struct wbl_error *err)
{
	sqlite3_stmt *q = NULL;
	int32_t rc = wbl_db_prepare(w->s,
		"SELECT " WBL_ENTRY_COLUMNS ", sum, hash FROM entry NOT INDEXED"
		" ORDER BY seq",
		&q, err);
	int step = SQLITE_DONE;

	while (!rc && (step = sqlite3_step(q)) == SQLITE_ROW)
		rc = check_row(w, q, err);
	if (!rc && step != SQLITE_DONE)
		rc = wbl_db_fail(w->s, err, "the history cannot be read");
	sqlite3_finalize(q);
	return rc;
}

/* A row that is in the table but not in an index would be hidden from history. */
static int32_t check_indexes(struct wbl_state *s, struct wbl_error *err)
{
	sqlite3_stmt *q = NULL;
	int32_t rc = wbl_db_prepare(s, "PRAGMA integrity_check(1)", &q, err);

	if (rc)
		return rc;
	if (sqlite3_step(q) != SQLITE_ROW)
		rc = wbl_db_fail(s, err, "the history cannot be read");
	else if (strcmp((const char *)sqlite3_column_text(q, 0), "ok"))
		rc = wbl_db_damaged(
			s, err, "is damaged: %s", (const char *)sqlite3_column_text(q, 0));
	sqlite3_finalize(q);
	return rc;
}

int32_t wbl_audit_verify(struct wbl_state *s, const char *anchor, struct wbl_audit_report *ret,
	struct wbl_error *err)
{
	struct wbl_audit_report report = { 0 };
	struct walk w = { .s = s, .report = &report };
	int32_t rc = wbl_state_usable(s, err);

	if (!rc)
		rc = parse_anchor(&w, anchor, err);
	if (rc)
		return rc;
	wbl_chain_start(s->uuid, w.head);
	note_anchor(&w, 0);
	rc = check_rows(&w, err);
	report.unanchored = report.entries - report.anchor_seq;
	if (!rc && w.has_anchor && !report.anchored)
		rc = wbl_fail(err, WBL_E_DAMAGED, s->path,
			"Compare with a backup, or with exports that were made after the anchor.",
			"the anchor is not in the chain of %lld entries: its tail was cut or "
			"rewritten",
			(long long)report.entries);
	if (!rc)
		rc = check_indexes(s, err);
	*ret = report; /* on damage too: it says how far the chain holds */
	return rc;
}
