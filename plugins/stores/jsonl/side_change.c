/* side_change.c - changes of the schema of a store that is one file: made, emptied, taken away; receipts likewise.
 * In: {"verb":{...}} of docs/data.md.  Out: records of the journal.  The journal goes when it has no receipt to keep any more.
 * SPDX-License-Identifier: Apache-2.0 */
#include "side.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct change {
	struct side *s;
	struct wbl_call *call;
	const struct wbl_node *n;
	const struct wbl_schema *in;
	const char *set, *origin;
	struct wbl_out *text;
};

static int32_t sync_folder(struct change *c)
{
	const char *slash = strrchr(c->s->path, '/');
	struct wbl_out folder = { 0 };
	int fd, bad;

	wbl_out_fmt(&folder, "%.*s", slash ? (int)(slash - c->s->path + 1) : 1,
		slash ? c->s->path : ".");
	fd = open(folder.s, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	bad = fd < 0 || fsync(fd);
	if (fd >= 0)
		close(fd);
	if (bad)
		wbl_error_report(c->call, WBL_E_FAILED, folder.s, NULL,
			"cannot sync the folder: %s", strerror(errno));
	wbl_out_clear(&folder);
	return bad ? WBL_E_FAILED : WBL_OK;
}

static int32_t create_store(struct change *c)
{
	struct stat st;
	int fd;

	if (!stat(c->s->path, &st) && access(c->s->log, F_OK))
		return wbl_error_report(c->call, WBL_E_STALE, c->s->path, "Plan again.",
			"the file has come into being since the plan was made");
	fd = open(c->s->log, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0666);
	if (fd < 0 && errno != EEXIST)
		return wbl_error_report(c->call, WBL_E_UNAVAILABLE, c->s->log,
			"Check the folder's mode and the engine's user.", "cannot create: %s",
			strerror(errno));
	if (fd >= 0)
		close(fd);
	return sync_folder(c);
}

static int32_t create_table(struct change *c)
{
	const char *name = wbl_node_str(c->n, "name");
	const struct wbl_node *columns = wbl_node_at(c->n, "columns");
	struct wbl_out o = { 0 };
	struct stat st;
	int32_t rc;

	if (!name || strcmp(name, c->set) != 0)
		return wbl_error_report(c->call, WBL_E_PARAM, c->s->path,
			"Set `to` of the mapping to that name, or `table` of the store to yours.",
			"the one table of this file is called \"%s\", not \"%s\"", c->set,
			name ? name : "");
	if (!columns || !columns->count)
		return wbl_error_report(
			c->call, WBL_E_PARAM, c->s->path, NULL, "a table without columns");
	rc = side_open_file(c->s, c->call, O_CREAT);
	if (rc)
		return rc;
	if (fstat(c->s->file, &st) || st.st_size || c->s->table)
		return wbl_error_report(c->call, WBL_E_STALE, c->s->path,
			"Move the file away, then plan again.", "the file is not new");
	if (fsync(c->s->file))
		return wbl_error_report(c->call, WBL_E_FAILED, c->s->path, NULL, "cannot sync: %s",
			strerror(errno));
	rc = sync_folder(c);
	wbl_out_open(&o, NULL, '{');
	wbl_out_open(&o, "table", '[');
	for (const struct wbl_node *x = columns->child; x; x = x->next) {
		wbl_out_open(&o, NULL, '{');
		wbl_out_text(&o, "name", wbl_node_str(x, "name"));
		wbl_out_text(&o, "type", wbl_node_str(x, "type"));
		wbl_out_close(&o, '}');
	}
	wbl_out_close(&o, ']');
	wbl_out_int(&o, "length", 0);
	side_tell_receipt(&o, c->in->receipt, c->origin, NULL, 0);
	wbl_out_close(&o, '}');
	rc = rc ? rc : side_add(c->s, c->call, o.s);
	wbl_out_clear(&o);
	return rc;
}

/* More bytes than count, and no writer of ours that could have left them. */
static int32_t only_ours(struct change *c)
{
	struct stat st;

	if (stat(c->s->path, &st) || c->s->open || (uint64_t)st.st_size == c->s->length)
		return WBL_OK;
	return wbl_error_report(c->call, WBL_E_FAILED, c->s->path,
		"Decide about what others wrote, then roll back again.",
		"the file has %lld bytes and this run wrote %llu: they are not all its own",
		(long long)st.st_size, (unsigned long long)c->s->length);
}

static int32_t empty_table(struct change *c)
{
	struct wbl_out o = { 0 };
	int32_t rc;

	if (!c->s->table || access(c->s->path, F_OK))
		return WBL_OK;
	rc = only_ours(c);
	rc = rc ? rc : side_open_file(c->s, c->call, 0);
	wbl_out_open(&o, NULL, '{');
	wbl_out_int(&o, "length", 0);
	wbl_out_bool(&o, "open", 1);
	wbl_out_text(&o, "emptied", c->origin ? c->origin : "");
	wbl_out_close(&o, '}');
	/* First on record: a death before the cut leaves a tail that counts for nothing. */
	rc = rc ? rc : side_add(c->s, c->call, o.s);
	if (!rc && (ftruncate(c->s->file, 0) || fdatasync(c->s->file)))
		rc = wbl_error_report(
			c->call, WBL_E_FAILED, c->s->path, NULL, "cannot cut: %s", strerror(errno));
	rc = rc ? rc : side_add(c->s, c->call, "{\"open\":false}");
	wbl_out_clear(&o);
	return rc;
}

static int32_t drop_table(struct change *c)
{
	int32_t rc;

	if (!c->s->table)
		return WBL_OK;
	rc = only_ours(c);
	rc = rc ? rc : wbl_remove_file(c->call, c->s->path);
	return rc ? rc : side_add(c->s, c->call, "{\"drop\":true,\"length\":0}");
}

static int32_t raise_epoch(struct change *c)
{
	struct wbl_receipt mark = {
		.size = sizeof mark,
		.epoch = (uint64_t)wbl_node_int(c->n, "epoch", 0),
	};
	struct wbl_out key = { 0 }, o = { 0 };
	int32_t rc = side_fenced(c->s, c->call, c->origin, mark.epoch);

	wbl_out_fmt(
		&key, "%s#epoch#%llu", c->origin ? c->origin : "", (unsigned long long)mark.epoch);
	mark.key = key.s;
	wbl_out_open(&o, NULL, '{');
	wbl_out_bool(&o, "open", c->s->open);
	side_tell_receipt(&o, &mark, c->origin, NULL, 0);
	wbl_out_close(&o, '}');
	if (!rc && !side_find(c->s, key.s))
		rc = side_add(c->s, c->call, o.s);
	wbl_out_clear(&key);
	wbl_out_clear(&o);
	return rc;
}

static void say_receipts(struct change *c)
{
	struct wbl_out *o = c->text;
	uint64_t written = 0;

	wbl_out_open(o, NULL, '{');
	wbl_out_open(o, "restore_receipts", '{');
	wbl_out_text(o, "origin", c->origin);
	wbl_out_json(o, "columns", c->s->columns.len ? c->s->columns.s : "[]");
	wbl_out_int(o, "length", (int64_t)c->s->length);
	wbl_out_open(o, "keys", '[');
	for (size_t i = 0; i < c->s->nreceipts; i++) {
		const struct side_receipt *r = &c->s->receipts[i];

		if (r->set)
			written += r->written;
		else
			wbl_out_text(o, NULL, r->key);
	}
	wbl_out_close(o, ']');
	wbl_out_int(o, "written", (int64_t)written);
	wbl_out_close(o, '}');
	wbl_out_close(o, '}');
}

static int32_t drop_receipts(struct change *c)
{
	struct wbl_out o = { 0 };
	int32_t rc;

	if (c->in->flags & 1) {
		say_receipts(c);
		return WBL_OK;
	}
	wbl_out_open(&o, NULL, '{');
	wbl_out_bool(&o, "open", c->s->open);
	wbl_out_text(&o, "forget", c->origin ? c->origin : "");
	wbl_out_close(&o, '}');
	rc = side_add(c->s, c->call, o.s);
	wbl_out_clear(&o);
	if (!rc && !c->s->nreceipts && c->s->table && !c->s->open)
		rc = wbl_remove_file(c->call, c->s->log);
	return rc;
}

/* Whether they were dropped or a death came before that: afterwards they are there once. */
static int32_t restore_receipts(struct change *c)
{
	const struct wbl_node *k = wbl_node_at(c->n, "keys.0"), *x;
	struct wbl_out o = { 0 };
	int32_t rc;

	wbl_out_open(&o, NULL, '{');
	wbl_out_text(&o, "forget", c->origin);
	wbl_out_open(&o, "table", '[');
	for (x = wbl_node_at(c->n, "columns.0"); x; x = x->next) {
		wbl_out_open(&o, NULL, '{');
		wbl_out_text(&o, "name", wbl_node_str(x, "name"));
		wbl_out_text(&o, "type", wbl_node_str(x, "type"));
		wbl_out_close(&o, '}');
	}
	wbl_out_close(&o, ']');
	wbl_out_int(&o, "length", wbl_node_int(c->n, "length", 0));
	wbl_out_open(&o, "receipts", '[');
	for (; k; k = k->next) {
		wbl_out_open(&o, NULL, '{');
		wbl_out_text(&o, "key", k->text.s);
		wbl_out_text(&o, "origin", c->origin);
		wbl_out_close(&o, '}');
	}
	wbl_out_open(&o, NULL, '{');
	wbl_out_text(&o, "key", "rows");
	wbl_out_text(&o, "origin", c->origin);
	wbl_out_text(&o, "set", c->set);
	wbl_out_int(&o, "written", wbl_node_int(c->n, "written", 0));
	wbl_out_close(&o, '}');
	wbl_out_close(&o, ']');
	wbl_out_close(&o, '}');
	rc = side_add(c->s, c->call, o.s);
	wbl_out_clear(&o);
	return rc;
}

/* Only when it holds nothing. An empty file that is on no record is of a process that died while it made the table. */
static int32_t drop_store(struct change *c)
{
	struct stat st;
	int32_t rc = WBL_OK;

	if (c->s->table)
		return WBL_OK;
	if (!stat(c->s->path, &st) && !st.st_size)
		rc = wbl_remove_file(c->call, c->s->path);
	return rc ? rc : wbl_remove_file(c->call, c->s->log);
}

static const struct {
	const char *name;
	int32_t (*make)(struct change *);
	int says; /* also when it is only to say what it would do */
} changes[] = {
	{ "create_table", create_table, 0 },
	{ "drop_table", drop_table, 0 },
	{ "empty_table", empty_table, 0 },
	{ "raise_epoch", raise_epoch, 0 },
	{ "drop_receipts", drop_receipts, 1 },
	{ "restore_receipts", restore_receipts, 0 },
	{ "drop_store", drop_store, 0 },
};

static int32_t run(struct change *c, const char *verb)
{
	size_t i = 0, n = sizeof changes / sizeof *changes;
	const struct wbl_receipt *r = c->in->receipt;
	int32_t rc;

	while (i < n && strcmp(changes[i].name, verb) != 0)
		i++;
	if (i == n)
		return wbl_error_report(
			c->call, WBL_E_UNSUPPORTED, c->s->path, NULL, "a file has no \"%s\"", verb);
	if ((c->in->flags & 1) && !changes[i].says)
		return WBL_OK;
	if (!strcmp(verb, "restore_receipts") && access(c->s->log, F_OK)) {
		int fd = open(c->s->log, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0666);

		if (fd >= 0)
			close(fd);
	}
	rc = side_lock(c->s, c->call);
	if (rc == WBL_END && !strcmp(verb, "create_table"))
		return wbl_error_report(c->call, WBL_E_UNSUPPORTED, c->s->path,
			"Move the file away, or choose another path.",
			"only a new file is written");
	if (rc)
		return rc == WBL_END ? WBL_OK : rc;
	rc = r ? side_fenced(c->s, c->call, c->origin, r->epoch) : WBL_OK;
	if (!rc && r && side_find(c->s, r->key))
		rc = WBL_END;
	rc = rc ? rc : changes[i].make(c);
	side_unlock(c->s);
	return rc;
}

int32_t side_change(struct side *s, struct wbl_call *call, const char *set,
	const struct wbl_schema *in, struct wbl_out *text)
{
	struct wbl_doc *doc = wbl_doc_parse(in->change_json, strlen(in->change_json), NULL);
	const struct wbl_node *root = wbl_doc_root(doc);
	struct change c = { .s = s, .call = call, .in = in, .set = set, .text = text };
	int32_t rc;

	wbl_out_reset(text);
	if (!root || root->kind != WBL_NODE_OBJECT || root->count != 1) {
		wbl_doc_free(doc);
		return wbl_error_report(call, WBL_E_PARAM, s->path, NULL,
			"a schema change is an object with one member");
	}
	c.n = root->child;
	c.origin = wbl_node_str(c.n, "origin");
	if (!strcmp(c.n->key.s, "create_store"))
		rc = in->flags & 1 ? WBL_OK : create_store(&c);
	else
		rc = run(&c, c.n->key.s);
	wbl_doc_free(doc);
	return rc;
}
