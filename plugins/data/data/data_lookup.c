/* data_lookup.c - a table of any store, read once, in which values are looked up.
 * In: `lookup` of a column: in (a store; without it the source), table, key, value.  Out: the value for a key.
 * It lies in a temporary SQLite database with a small cache, so it may be greater than memory; a process keeps the last ones, because
 * each chunk asks for them again.
 * SPDX-License-Identifier: Apache-2.0 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "data_alter.h"

enum { KEPT = 8 };

struct data_lookup {
	char *name; /* options, place and identity */
	sqlite3 *db;
	sqlite3_stmt *get, *put;
	struct wbl_sum sum;
	char digest[80];
	pthread_mutex_t lock;
	int users;
	uint64_t used; /* when, by a counter */
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct data_lookup *kept[KEPT];
static uint64_t clock_of_uses;

static void lookup_free(struct data_lookup *l)
{
	if (!l)
		return;
	sqlite3_finalize(l->get);
	sqlite3_finalize(l->put);
	sqlite3_close_v2(l->db);
	pthread_mutex_destroy(&l->lock);
	free(l->name);
	free(l);
}

__attribute__((destructor)) static void forget(void)
{
	for (int i = 0; i < KEPT; i++)
		lookup_free(kept[i]);
}

/* Numbers, texts and dates that are written alike are alike, whatever the store calls them. */
void data_key_of_value(const struct wbl_cell *c, struct wbl_out *o)
{
	wbl_out_reset(o);
	wbl_out_add(o, c->tag == WBL_CELL_BYTES ? "B" : "T", 1);
	if (c->tag == WBL_CELL_BYTES)
		wbl_out_add(o, c->data, c->len);
	else
		wbl_cell_show(o, c);
}

/* ---- the store ---- */

struct from {
	struct data_ends *e;
	struct wbl_peer peer;
	const struct wbl_store *store;
	const char *path, *table;
	const char *columns[3];
	struct wbl_doc *doc;
};

static int32_t wrong(struct from *f, const char *what, const char *name)
{
	return wbl_error_report(f->e->call, WBL_E_PARAM, f->path,
		"Compare it with the tables and columns of the store that is looked up in.",
		"%s \"%s\"", what, name);
}

static void from_close(struct from *f)
{
	if (f->store)
		f->e->peers->close(f->e->call, &f->peer);
	wbl_doc_free(f->doc);
	f->store = NULL;
	f->doc = NULL;
}

static int32_t check_columns(struct from *f, const struct wbl_node *set)
{
	for (int i = 0; i < 2; i++) {
		const struct wbl_node *c = wbl_node_at(set, "columns.0");
		const char *names[256];
		size_t n = 0;

		for (; c && strcasecmp(wbl_node_str(c, "name"), f->columns[i]) != 0; c = c->next)
			if (n < 256)
				names[n++] = wbl_node_str(c, "name");
		if (!c) {
			const char *near = data_name_near(f->columns[i], names, n);

			return wbl_error_report(f->e->call, WBL_E_PARAM, f->path,
				"Compare it with the columns of the table that is looked up in.",
				"table \"%s\" has no column \"%s\"%s%s%s", f->table, f->columns[i],
				near ? "; is it \"" : "", near ? near : "", near ? "\"" : "");
		}
	}
	return WBL_OK;
}

static int32_t from_open(struct data_ends *e, const char *path, struct from *f)
{
	const struct wbl_node *spec = wbl_param_json(e->call, path), *set;
	struct wbl_out peer = { 0 };
	const char *json = NULL;
	int32_t rc;

	*f = (struct from){ .e = e, .path = path, .peer = { .size = sizeof f->peer } };
	f->table = wbl_node_str(spec, "table");
	f->columns[0] = wbl_node_str(spec, "key");
	f->columns[1] = wbl_node_str(spec, "value");
	if (!f->columns[0] || !f->columns[1])
		return wrong(f, "a lookup needs", "key and value");
	wbl_out_fmt(&peer, "%s.in", path);
	rc = e->peers->open(e->call,
		wbl_node_at(spec, "in") && wbl_node_at(spec, "in")->kind == WBL_NODE_OBJECT
			? peer.s
			: "source",
		"wbl.store/1", WBL_OPEN_READ, &f->peer);
	wbl_out_clear(&peer);
	if (rc)
		return rc;
	f->store = f->peer.table;
	rc = f->store->describe(f->peer.self, e->call, f->table, &json);
	if (rc == WBL_END)
		return wrong(f, "there is no table", f->table ? f->table : "");
	if (rc)
		return rc;
	f->doc = wbl_doc_parse(json, strlen(json), NULL);
	if (!wbl_node_bool(wbl_doc_root(f->doc), "exists", 0))
		return wrong(f, "there is no such store:",
			wbl_node_str(wbl_doc_root(f->doc), "claims.0.name"));
	set = f->table ? data_set(f->doc, f->table) : wbl_node_at(wbl_doc_root(f->doc), "sets.0");
	if (!set)
		return wrong(f, "there is no table", f->table ? f->table : "");
	f->table = wbl_node_str(set, "name");
	return check_columns(f, set);
}

int32_t data_lookup_check(struct data_ends *e, const char *path)
{
	struct from f;
	int32_t rc = from_open(e, path, &f);

	from_close(&f);
	return rc;
}

int32_t data_lookups_identify(struct data_ends *e, struct wbl_out *o)
{
	const struct wbl_node *tables = wbl_param_json(e->call, "tables"), *t, *c;
	struct wbl_out path = { 0 };
	const char *id;
	struct from f;
	int32_t rc = WBL_OK;
	int i = 0, k;

	for (t = tables ? tables->child : NULL; !rc && t; t = t->next, i++)
		for (k = 0, c = wbl_node_at(t, "columns.0"); !rc && c; c = c->next, k++) {
			if (!wbl_node_at(c, "lookup.in.store"))
				continue;
			wbl_out_reset(&path);
			wbl_out_fmt(&path, "tables.%d.columns.%d.lookup", i, k);
			rc = from_open(e, path.s, &f);
			id = rc ? NULL : wbl_node_str(wbl_doc_root(f.doc), "identity");
			wbl_out_fmt(o, " %s", id ? id : "");
			from_close(&f);
		}
	wbl_out_clear(&path);
	return rc;
}

/* ---- loading ---- */

static int32_t disk(struct data_ends *e, struct data_lookup *l, const char *path)
{
	int code = sqlite3_extended_errcode(l->db) & 0xff;

	return wbl_error_report(e->call, code == SQLITE_FULL ? WBL_E_RESOURCES : WBL_E_FAILED, path,
		"Make room in the folder for temporary files (TMPDIR), or look up in a smaller "
		"table.",
		"the table that is looked up in cannot be kept: %s", sqlite3_errmsg(l->db));
}

static int32_t make(struct data_ends *e, struct data_lookup *l, const char *path)
{
	/* A database without a name is a temporary file of SQLite's own, gone with the connection. */
	if (sqlite3_open_v2("", &l->db,
		    SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, NULL) ||
		sqlite3_exec(l->db,
			"PRAGMA cache_size=-8192; PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF;"
			"CREATE TABLE t(k BLOB PRIMARY KEY, v BLOB) WITHOUT ROWID; BEGIN",
			NULL, NULL, NULL) ||
		sqlite3_prepare_v2(
			l->db, "INSERT OR IGNORE INTO t VALUES(?,?)", -1, &l->put, NULL) ||
		sqlite3_prepare_v2(l->db, "SELECT v FROM t WHERE k=?", -1, &l->get, NULL))
		return disk(e, l, path);
	return WBL_OK;
}

static int32_t twice(struct data_ends *e, struct data_lookup *l, const struct from *f,
	const struct wbl_out *key, const struct wbl_cell *value, int veiled)
{
	int same;

	sqlite3_reset(l->get);
	sqlite3_bind_blob(l->get, 1, key->s, (int)key->len, SQLITE_STATIC);
	same = sqlite3_step(l->get) == SQLITE_ROW &&
	       sqlite3_column_bytes(l->get, 0) == (int)value->whole &&
	       !memcmp(sqlite3_column_blob(l->get, 0), value->at, value->whole);
	sqlite3_reset(l->get);
	if (same)
		return WBL_OK;
	return wbl_error_report(e->call, WBL_E_PARAM, f->path,
		"Look up by a column that has each value once.",
		"table \"%s\" has two values for one \"%s\"%s%.*s%s", f->table, f->columns[0],
		veiled ? "" : ": \"", veiled ? 0 : (int)(key->len < 200 ? key->len - 1 : 199),
		key->s + 1, veiled ? "" : "\"");
}

static int32_t put_row(struct data_ends *e, struct data_lookup *l, const struct from *f,
	const struct wbl_row *row, int veiled)
{
	struct wbl_bytes cells = row->cells;
	struct wbl_cell k, v;
	struct wbl_out key = { 0 };
	int32_t rc = WBL_OK;
	int step;

	if (wbl_cell_next(&cells, &k) != 1 || wbl_cell_next(&cells, &v) != 1)
		return wbl_error_report(e->call, WBL_E_ABI, f->table, NULL,
			"the store gave a batch that cannot be read");
	if (k.tag == WBL_CELL_NULL)
		return WBL_OK;
	data_key_of_value(&k, &key);
	sqlite3_bind_blob(l->put, 1, key.s, (int)key.len, SQLITE_STATIC);
	sqlite3_bind_blob(l->put, 2, v.at, (int)v.whole, SQLITE_STATIC);
	step = sqlite3_step(l->put);
	if (step != SQLITE_DONE)
		rc = disk(e, l, f->path);
	else if (!sqlite3_changes(l->db))
		rc = twice(e, l, f, &key, &v, veiled);
	else
		wbl_sum_row(&l->sum, row->cells.data, row->cells.len);
	sqlite3_reset(l->put);
	wbl_out_clear(&key);
	return rc;
}

static int32_t fill(struct data_ends *e, struct data_lookup *l, struct from *f, int veiled)
{
	struct wbl_scan scan = {
		.size = sizeof scan, .range = WBL_RANGE_ALL, .set = f->table, .columns = f->columns
	};
	struct wbl_batch in = { .size = sizeof in };
	struct wbl_row row;
	void *cursor = NULL;
	uint64_t at;
	int more;
	int32_t rc = f->store->scan(f->peer.self, e->call, &scan, &cursor);

	while (!rc && !(rc = wbl_stop_asked(e->call)) &&
		!(rc = f->store->read(cursor, e->call, &in)))
		for (at = 0; !rc && (more = wbl_batch_next(&in, &at, &row)) != 0;)
			rc = more < 0 ? wbl_error_report(e->call, WBL_E_ABI, f->table, NULL,
						"the store gave a batch that cannot be read")
				      : put_row(e, l, f, &row, veiled);
	f->store->scan_end(cursor);
	if (rc != WBL_END)
		return rc;
	snprintf(l->digest, sizeof l->digest, "%llu rows, %016llx%016llx",
		(unsigned long long)l->sum.count, (unsigned long long)l->sum.row_hi,
		(unsigned long long)l->sum.row_lo);
	return sqlite3_exec(l->db, "COMMIT", NULL, NULL, NULL) ? disk(e, l, f->path) : WBL_OK;
}

static struct data_lookup *find(const char *name)
{
	struct data_lookup *ret = NULL;

	pthread_mutex_lock(&lock);
	for (int i = 0; i < KEPT && !ret; i++)
		if (kept[i] && !strcmp(kept[i]->name, name))
			ret = kept[i];
	if (ret) {
		ret->users++;
		ret->used = ++clock_of_uses;
	}
	pthread_mutex_unlock(&lock);
	return ret;
}

/* Takes the place of the one that was not used for the longest time; without a place it goes when its user does. */
static void keep(struct data_lookup *l)
{
	int at = -1;

	pthread_mutex_lock(&lock);
	for (int i = 0; i < KEPT; i++)
		if (!kept[i] || (!kept[i]->users &&
					(at < 0 || (kept[at] && kept[i]->used < kept[at]->used))))
			at = i;
	if (at >= 0) {
		lookup_free(kept[at]);
		kept[at] = l;
	}
	l->used = ++clock_of_uses;
	pthread_mutex_unlock(&lock);
}

static void name_of(struct from *f, struct wbl_out *o)
{
	const struct wbl_params_service *params = wbl_service(f->e->call, "wbl.params/1");
	const char *json = params ? params->json(f->e->call) : "",
		   *id = wbl_node_str(wbl_doc_root(f->doc), "identity");
	char hex[33];

	wbl_digest_hex(json, strlen(json), hex);
	wbl_out_fmt(o, "%s %s %s %s", hex, f->path, f->table, id ? id : "");
}

int32_t data_lookup_open(
	struct data_ends *e, const char *path, int veiled, struct data_lookup **ret)
{
	struct from f;
	struct wbl_out name = { 0 };
	struct data_lookup *l = NULL;
	int32_t rc = from_open(e, path, &f);

	if (!rc) {
		name_of(&f, &name);
		l = find(name.s);
	}
	if (!rc && !l) {
		l = wbl_sdk_alloc(sizeof *l);
		pthread_mutex_init(&l->lock, NULL);
		l->name = wbl_sdk_strdup(name.s);
		l->users = 1;
		rc = make(e, l, path);
		rc = rc ? rc : fill(e, l, &f, veiled);
		if (rc)
			lookup_free(l);
		else
			keep(l);
	}
	from_close(&f);
	wbl_out_clear(&name);
	if (!rc)
		*ret = l;
	return rc;
}

void data_lookup_close(struct data_lookup *l)
{
	int there = 0;

	if (!l)
		return;
	pthread_mutex_lock(&lock);
	l->users--;
	for (int i = 0; i < KEPT; i++)
		there |= kept[i] == l;
	pthread_mutex_unlock(&lock);
	if (!there)
		lookup_free(l);
}

int32_t data_lookup_get(struct data_lookup *l, const struct wbl_cell *key, struct wbl_rows *r)
{
	struct wbl_out o = { 0 };
	int step;

	data_key_of_value(key, &o);
	pthread_mutex_lock(&l->lock);
	sqlite3_bind_blob(l->get, 1, o.s, (int)o.len, SQLITE_STATIC);
	step = sqlite3_step(l->get);
	if (step == SQLITE_ROW)
		wbl_cell_copy(
			r, sqlite3_column_blob(l->get, 0), (size_t)sqlite3_column_bytes(l->get, 0));
	sqlite3_reset(l->get);
	pthread_mutex_unlock(&l->lock);
	wbl_out_clear(&o);
	return step == SQLITE_ROW ? WBL_OK : step == SQLITE_DONE ? WBL_END : WBL_E_FAILED;
}

const char *data_lookup_digest(const struct data_lookup *l)
{
	return l->digest;
}
