/* state/journal.c - append, commit, walk.
 * In: entries of the engine.  Out: rows of history.db that are durable when commit returns, and walks over them.
 * A new way to ask is a bit of the query's shape, with an index in db.c.
 * SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "core/state/db.h"

#include <assert.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sodium.h>

static const char *const kind_names[] = {
	"none",
#define WBL_KIND(symbol, name, meaning) name,
#include "core/state/kinds.def"
#undef WBL_KIND
};

const char *wbl_kind_name(enum wbl_kind kind)
{
	return (size_t)kind < WBL_COUNT(kind_names) ? kind_names[kind] : "unknown";
}

/* Tests ask for the death of this process at the N-th commit of its life, and for one line per commit. */
static struct {
	pid_t pid;
	bool kill_after;
	long kill_at, commits;
	int lines_fd;
} hooks = { .lines_fd = -1 };

void wbl_journal_hooks(void)
{
	const char *death = secure_getenv("WBL_TEST_KILL"),
		   *lines = secure_getenv("WBL_TEST_COMMITS");
	char *end;

	if (hooks.pid == getpid())
		return;
	hooks.pid = getpid();
	hooks.commits = hooks.kill_at = 0;
	if (death && !strncmp(death, "engine:", 7)) {
		hooks.kill_at = strtol(death + 7, &end, 10);
		hooks.kill_after = *end == '+';
	}
	if (lines)
		hooks.lines_fd = open(lines, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
}

static void hook_before_commit(void)
{
	if (++hooks.commits == hooks.kill_at && !hooks.kill_after)
		kill(getpid(), SIGKILL);
}

static void hook_after_commit(struct wbl_state *s)
{
	if (hooks.lines_fd >= 0) {
		WBL_AUTOFREE char *line =
			wbl_strf("%ld%s\n", hooks.commits, s->kinds.data ? s->kinds.data : "");

		wbl_write_all(hooks.lines_fd, line, strlen(line));
		wbl_buf_clear(&s->kinds);
	}
	if (hooks.commits == hooks.kill_at && hooks.kill_after)
		kill(getpid(), SIGKILL);
}

/* Keeps the first failure: what came after it in this process cannot be trusted to be on the disk. */
static int32_t give_up(struct wbl_state *s, struct wbl_error *err, const char *doing)
{
	wbl_db_fail(s, &s->failed, doing);
	return wbl_state_usable(s, err);
}

static int32_t begin(struct wbl_state *s, struct wbl_error *err)
{
	int rc;

	if (s->dirty)
		return 0;
	rc = sqlite3_step(s->begin);
	sqlite3_reset(s->begin);
	if (rc != SQLITE_DONE)
		return give_up(s, err, "the history cannot be written");
	s->dirty = true;
	return 0;
}

static int bind_text(sqlite3_stmt *q, int at, const char *s)
{
	return s ? sqlite3_bind_text(q, at, s, -1, SQLITE_STATIC) : sqlite3_bind_null(q, at);
}

static int bind_entry(sqlite3_stmt *q, const struct wbl_entry *e, const unsigned char *sum,
	const unsigned char *hash)
{
	int bad = 0;

	bad |= sqlite3_bind_int64(q, 1, e->seq);
	bad |= sqlite3_bind_int64(q, 2, e->at);
	bad |= sqlite3_bind_int64(q, 3, e->kind);
	bad |= bind_text(q, 4, e->run);
	bad |= bind_text(q, 5, e->step);
	bad |= bind_text(q, 6, e->chunk);
	bad |= bind_text(q, 7, e->name);
	bad |= bind_text(q, 8, e->actor);
	bad |= sqlite3_bind_int64(q, 9, e->pass);
	bad |= sqlite3_bind_int64(q, 10, e->attempt);
	bad |= sqlite3_bind_int64(q, 11, e->epoch);
	bad |= sqlite3_bind_int64(q, 12, e->status);
	bad |= sqlite3_bind_int64(q, 13, (int64_t)e->body.len);
	bad |= e->body.len ? sqlite3_bind_blob64(q, 14, e->body.data, e->body.len, SQLITE_STATIC)
			   : sqlite3_bind_null(q, 14);
	bad |= sqlite3_bind_blob(q, 15, sum, WBL_CHAIN_LEN, SQLITE_STATIC);
	bad |= sqlite3_bind_blob(q, 16, hash, WBL_CHAIN_LEN, SQLITE_STATIC);
	return bad;
}

int32_t wbl_journal_append(struct wbl_state *s, struct wbl_entry *e, struct wbl_error *err)
{
	unsigned char sum[WBL_CHAIN_LEN], hash[WBL_CHAIN_LEN];
	int32_t rc = wbl_state_usable(s, err);
	int bad;

	assert(!s->read_only && e->kind > WBL_KIND_NONE && e->kind < WBL_KINDS);
	assert(e->body.data || !e->body.len);
	if (!rc)
		rc = begin(s, err);
	if (rc)
		return rc;
	e->seq = s->last + 1;
	e->at = wbl_now_real();
	crypto_hash_sha256(sum, e->body.data, e->body.len);
	wbl_chain_link(s->head, e, sum, hash);
	bad = bind_entry(s->insert, e, sum, hash);
	if (!bad)
		bad = sqlite3_step(s->insert) != SQLITE_DONE;
	if (bad)
		give_up(s, err, "the entry cannot be written");
	sqlite3_reset(s->insert);
	if (bad)
		return s->failed.code;
	s->last = e->seq;
	memcpy(s->head, hash, WBL_CHAIN_LEN);
	if (hooks.lines_fd >= 0)
		wbl_buf_addf(&s->kinds, " %s", wbl_kind_name(e->kind));
	return 0;
}

bool wbl_journal_dirty(const struct wbl_state *s)
{
	return s->dirty;
}

int32_t wbl_journal_commit(struct wbl_state *s, struct wbl_error *err)
{
	int32_t rc = wbl_state_usable(s, err);

	if (rc || !s->dirty)
		return rc;
	hook_before_commit();
	if (sqlite3_step(s->commit) != SQLITE_DONE)
		give_up(s, err, "what was done cannot be recorded");
	sqlite3_reset(s->commit);
	if (s->failed.code)
		return s->failed.code;
	s->dirty = false;
	hook_after_commit(s);
	return 0;
}

int64_t wbl_journal_last(const struct wbl_state *s)
{
	return s->last;
}

void wbl_journal_head(const struct wbl_state *s, char out[WBL_SHA256_HEX])
{
	sodium_bin2hex(out, WBL_SHA256_HEX, s->head, WBL_CHAIN_LEN);
}

void wbl_entry_read(sqlite3_stmt *row, struct wbl_entry *e)
{
	*e = (struct wbl_entry){
		.seq = sqlite3_column_int64(row, 0),
		.at = sqlite3_column_int64(row, 1),
		.kind = (enum wbl_kind)sqlite3_column_int64(row, 2),
		.run = (const char *)sqlite3_column_text(row, 3),
		.step = (const char *)sqlite3_column_text(row, 4),
		.chunk = (const char *)sqlite3_column_text(row, 5),
		.name = (const char *)sqlite3_column_text(row, 6),
		.actor = (const char *)sqlite3_column_text(row, 7),
		.pass = sqlite3_column_int64(row, 8),
		.attempt = sqlite3_column_int64(row, 9),
		.epoch = sqlite3_column_int64(row, 10),
		.status = (int32_t)sqlite3_column_int64(row, 11),
		.body.len = (uint64_t)sqlite3_column_int64(row, 12),
		.body.data = sqlite3_column_blob(row, 13),
	};
	/* Purged, or never there; a body of another length than was recorded must not be read past its end. */
	if ((uint64_t)sqlite3_column_bytes(row, 13) < e->body.len)
		e->body.data = NULL;
}

enum shape { RUN = 1, STEP = 2, CHUNK = 4, NAME = 8, KIND = 16, PASS = 32, NEWEST = 64 };

static unsigned shape_of(const struct wbl_query *q)
{
	return (q->run ? RUN : 0u) | (q->step ? STEP : 0u) | (q->chunk ? CHUNK : 0u) |
	       (q->name ? NAME : 0u) | (q->kind ? KIND : 0u) | (q->pass ? PASS : 0u) |
	       (q->newest_first ? NEWEST : 0u);
}

/* Named, so that a query which an index cannot serve fails in a test instead of being slow in a large history. */
static const char *index_of(unsigned shape)
{
	if ((shape & (KIND | RUN)) == (KIND | RUN))
		return " INDEXED BY by_kind";
	if ((shape & (KIND | NAME)) == (KIND | NAME))
		return " INDEXED BY by_name";
	if (shape & RUN)
		return " INDEXED BY by_run";
	return shape & KIND ? " INDEXED BY by_kind" : "";
}

static int32_t prepare_query(
	struct wbl_state *s, unsigned shape, sqlite3_stmt **ret, struct wbl_error *err)
{
	struct wbl_buf sql = { 0 };
	int32_t rc;

	wbl_buf_addf(&sql, "SELECT " WBL_ENTRY_COLUMNS " FROM entry%s WHERE seq > ?1 AND seq < ?2",
		index_of(shape));
	if (shape & RUN)
		wbl_buf_adds(&sql, " AND run = ?3");
	if (shape & STEP)
		wbl_buf_adds(&sql, " AND step = ?4");
	if (shape & CHUNK)
		wbl_buf_adds(&sql, " AND chunk = ?5");
	if (shape & NAME)
		wbl_buf_adds(&sql, " AND name = ?6");
	if (shape & KIND)
		wbl_buf_adds(&sql, " AND kind = ?7");
	if (shape & PASS)
		wbl_buf_adds(&sql, " AND pass = ?8");
	wbl_buf_addf(&sql, " ORDER BY seq%s LIMIT ?9", shape & NEWEST ? " DESC" : "");
	rc = wbl_db_prepare(s, sql.data, ret, err);
	wbl_buf_clear(&sql);
	return rc;
}

/* An engine walks over what stood when it asked, though it may append on the way; a reader sees whatever the
 * engine beside it has committed. */
static void bind_query(const struct wbl_state *s, sqlite3_stmt *stmt, const struct wbl_query *q)
{
	int64_t end = s->read_only ? INT64_MAX : s->last + 1;

	sqlite3_bind_int64(stmt, 1, q->newest_first ? 0 : q->after);
	sqlite3_bind_int64(stmt, 2, q->newest_first && q->after && q->after < end ? q->after : end);
	bind_text(stmt, 3, q->run);
	bind_text(stmt, 4, q->step);
	bind_text(stmt, 5, q->chunk);
	bind_text(stmt, 6, q->name);
	sqlite3_bind_int64(stmt, 7, q->kind);
	sqlite3_bind_int64(stmt, 8, q->pass);
	sqlite3_bind_int64(stmt, 9, q->limit ? q->limit : -1);
}

/* The caller's function may walk too: the statement is its own while it is in use. */
int32_t wbl_journal_each(struct wbl_state *s, const struct wbl_query *q,
	int32_t (*each)(void *ctx, const struct wbl_entry *e), void *ctx, struct wbl_error *err)
{
	unsigned shape = shape_of(q);
	sqlite3_stmt *stmt = s->queries[shape];
	int32_t rc = wbl_state_usable(s, err);
	struct wbl_entry e;
	int step;

	if (rc)
		return rc;
	s->queries[shape] = NULL;
	if (!stmt)
		rc = prepare_query(s, shape, &stmt, err);
	if (rc)
		return rc;
	bind_query(s, stmt, q);
	while (!rc && (step = sqlite3_step(stmt)) != SQLITE_DONE) {
		if (step != SQLITE_ROW) {
			rc = wbl_db_fail(s, err, "the history cannot be read");
			break;
		}
		wbl_entry_read(stmt, &e);
		rc = each(ctx, &e);
	}
	sqlite3_reset(stmt);
	sqlite3_clear_bindings(stmt);
	sqlite3_finalize(s->queries[shape]);
	s->queries[shape] = stmt;
	return rc;
}
