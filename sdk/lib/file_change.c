/* sdk/lib/file_change.c - changes of the schema where tables are files: made, emptied, taken away; receipts likewise.
 * In: {"verb":{...}} of docs/data.md.  Out: files, and records of the journal. The journal goes when it has no receipt to keep any more.
 * SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "file_pack.h"
#include "file_side.h"
#include "put.h"

struct change {
	struct wbl_files *f;
	struct wbl_side *s;
	struct wbl_call *call;
	const struct wbl_node *n;
	const struct wbl_schema *in;
	const char *set, *origin; /* set: the table that is meant */
	char *path;               /* its file */
};

static int32_t create_store(struct change *c)
{
	const char *path = c->f->path;
	struct stat st;
	int32_t rc;

	if (c->f->as == WBL_AS_TABLES) {
		if (mkdir(path, 0777) && errno != EEXIST)
			return wbl_error_report(c->call, WBL_E_UNAVAILABLE, path,
				"Check the mode of the folder around it and the engine's user.",
				"cannot make the folder: %s", strerror(errno));
		rc = wbl_sdk_sync_folder(c->call, path);
	} else {
		if (!stat(path, &st) && access(c->s->log, F_OK))
			return wbl_error_report(c->call, WBL_E_STALE, path, "Plan again.",
				"the file has come into being since the plan was made");
		rc = WBL_OK;
	}
	rc = rc ? rc : wbl_side_create(c->s, c->call);
	return rc ? rc : wbl_sdk_sync_folder(c->call, c->s->log);
}

/* ---- one table ---- */

static int32_t usable_name(struct change *c, const char *name)
{
	size_t len = strlen(name);

	if (c->f->as == WBL_AS_FILE && strcmp(name, c->f->table) != 0)
		return wbl_error_report(c->call, WBL_E_PARAM, c->f->path,
			"Set `to` of the mapping to that name, or `table` of the store to yours.",
			"the one table of this file is called \"%s\", not \"%s\"", c->f->table,
			name);
	if (c->f->as == WBL_AS_TABLES &&
		(!len || len > 200 || *name == '.' || strpbrk(name, "/\n\r")))
		return wbl_error_report(c->call, WBL_E_PARAM, c->f->path,
			"Give the table another name by `to` of the mapping.",
			"no file can be called \"%s\"", name);
	return WBL_OK;
}

struct list {
	const char **names;
	int32_t *types;
	size_t n;
};

static void list_columns(const struct wbl_node *columns, struct list *ret)
{
	ret->n = 0;
	ret->names = wbl_sdk_alloc((columns->count + 1) * sizeof *ret->names);
	ret->types = wbl_sdk_alloc((columns->count + 1) * sizeof *ret->types);
	for (const struct wbl_node *x = columns->child; x; x = x->next) {
		const char *name = wbl_node_str(x, "name"), *type = wbl_node_str(x, "type");

		ret->names[ret->n] = name ? name : "";
		ret->types[ret->n++] = type ? wbl_type_by_name(type) : WBL_TYPE_ANY;
	}
}

static void list_free(struct list *l)
{
	free(l->names);
	free(l->types);
}

static int32_t write_head(struct change *c, const struct list *l, int fd, uint64_t *ret_len)
{
	const struct wbl_files_format *format = c->f->format;
	struct wbl_encoder *e = wbl_encoder_new((enum wbl_packing)c->f->packing, c->f->encoding);
	struct wbl_out text = { 0 }, bytes = { 0 }, packed = { 0 };
	int32_t rc = WBL_OK;

	*ret_len = 0;
	wbl_encoder_mark(e, &bytes);
	if (format->head)
		format->head(c->f, l->names, l->n, &text);
	if (text.len && wbl_encoder_text(e, text.s, text.len, &bytes))
		rc = wbl_error_report(c->call, WBL_E_PARAM, c->path,
			"Choose an encoding that has them, for example utf-8.",
			"names of columns have characters that %s has not", c->f->encoding);
	if (!rc && bytes.len && wbl_encoder_pack(e, bytes.s, bytes.len, 1, &packed))
		rc = wbl_error_report(c->call, WBL_E_RESOURCES, c->path, NULL, "cannot compress");
	if (!rc && packed.len)
		rc = wbl_files_write_all(c->path, fd, c->call, packed.s, packed.len, ret_len);
	if (!rc && fsync(fd))
		rc = wbl_error_report(c->call, WBL_E_RESOURCES, c->path, NULL, "cannot sync: %s",
			strerror(errno));
	wbl_encoder_free(e);
	wbl_out_clear(&text);
	wbl_out_clear(&bytes);
	wbl_out_clear(&packed);
	return rc;
}

/* That the file will be ours is on record before it is there, so that what a dead process left of it is known. */
static int32_t new_file(struct change *c, int *ret_fd)
{
	const struct wbl_side_table *t = wbl_side_table(c->s, c->set);
	int again = t && t->making;
	struct wbl_out o = { 0 };
	int32_t rc = WBL_OK;

	if (t && t->made)
		return wbl_error_report(
			c->call, WBL_E_STALE, c->path, "Plan again.", "the table is there already");
	if (!again && !access(c->path, F_OK))
		return wbl_error_report(c->call, WBL_E_STALE, c->path,
			"Move the file away, then plan again.", "the file is not new");
	if (!again) {
		wbl_side_record(&o, c->set);
		wbl_out_bool(&o, "making", 1);
		wbl_side_record_end(&o, NULL, NULL, NULL, 0);
		rc = wbl_side_add(c->s, c->call, o.s);
	}
	rc = rc ? rc : wbl_files_open_data(c->f, c->set, c->call, O_CREAT, ret_fd);
	if (!rc && ftruncate(*ret_fd, 0))
		rc = wbl_error_report(
			c->call, WBL_E_FAILED, c->path, NULL, "cannot cut: %s", strerror(errno));
	wbl_out_clear(&o);
	return rc;
}

static int32_t make_table(struct change *c, const struct wbl_node *columns, const struct list *l)
{
	struct wbl_out o = { 0 };
	uint64_t head = 0;
	int fd = -1;
	int32_t rc = new_file(c, &fd);

	rc = rc ? rc : write_head(c, l, fd, &head);
	rc = rc ? rc : wbl_sdk_sync_folder(c->call, c->path);
	WBL_FAULT(c->call, "head_written");
	wbl_side_record(&o, c->set);
	wbl_out_text(&o, "by", c->origin);
	wbl_side_tell_columns(&o, "table", columns);
	wbl_out_int(&o, "length", (int64_t)head);
	wbl_out_int(&o, "head", (int64_t)head);
	wbl_side_record_end(&o, c->in->receipt, c->origin, NULL, 0);
	rc = rc ? rc : wbl_side_add(c->s, c->call, o.s);
	if (fd >= 0)
		close(fd);
	wbl_out_clear(&o);
	return rc;
}

static int32_t create_table(struct change *c)
{
	const struct wbl_node *columns = wbl_node_at(c->n, "columns");
	const char *why;
	struct list l;
	int32_t rc = usable_name(c, c->set);

	if (rc)
		return rc;
	if (!columns || !columns->count)
		return wbl_error_report(
			c->call, WBL_E_PARAM, c->path, NULL, "a table without columns");
	list_columns(columns, &l);
	why = c->f->format->check(c->f, l.names, l.types, l.n);
	rc = why ? wbl_error_report(c->call, WBL_E_PARAM, c->path,
			   "Mend the mapping, or the options of the store.",
			   "table \"%s\" cannot be written: %s", c->set, why)
		 : make_table(c, columns, &l);
	list_free(&l);
	return rc;
}

/* More bytes than count, and no writer of ours that could have left them. */
static int32_t only_ours(struct change *c, const struct wbl_side_table *t)
{
	struct stat st;

	if (stat(c->path, &st) || t->open || (uint64_t)st.st_size == t->length)
		return WBL_OK;
	return wbl_error_report(c->call, WBL_E_FAILED, c->path,
		"Decide about what others wrote, then roll back again.",
		"the file has %lld bytes and this run wrote %llu: they are not all its own",
		(long long)st.st_size, (unsigned long long)t->length);
}

static int32_t cut(struct change *c, uint64_t length)
{
	int fd = -1;
	int32_t rc = wbl_files_open_data(c->f, c->set, c->call, 0, &fd);

	if (!rc && (ftruncate(fd, (off_t)length) || fdatasync(fd)))
		rc = wbl_error_report(
			c->call, WBL_E_FAILED, c->path, NULL, "cannot cut: %s", strerror(errno));
	if (fd >= 0)
		close(fd);
	return rc;
}

static int32_t empty_table(struct change *c)
{
	struct wbl_side_table *t = wbl_side_table(c->s, c->set);
	struct wbl_out o = { 0 };
	int32_t rc;

	if (!t || !t->made || access(c->path, F_OK))
		return WBL_OK;
	rc = only_ours(c, t);
	wbl_side_record(&o, c->set);
	wbl_out_int(&o, "length", (int64_t)t->head);
	wbl_out_bool(&o, "open", 1);
	wbl_out_text(&o, "emptied", c->origin ? c->origin : "");
	wbl_side_record_end(&o, NULL, NULL, NULL, 0);
	/* First on record: a death before the cut leaves a tail that counts for nothing. */
	rc = rc ? rc : wbl_side_add(c->s, c->call, o.s);
	rc = rc ? rc : cut(c, wbl_side_table(c->s, c->set)->head);
	wbl_side_record(&o, c->set);
	wbl_out_bool(&o, "open", 0);
	wbl_side_record_end(&o, NULL, NULL, NULL, 0);
	rc = rc ? rc : wbl_side_add(c->s, c->call, o.s);
	wbl_out_clear(&o);
	return rc;
}

static int32_t drop_table(struct change *c)
{
	const struct wbl_side_table *t = wbl_side_table(c->s, c->set);
	struct wbl_out o = { 0 };
	int32_t rc;

	if (!t || !t->made)
		return WBL_OK;
	rc = only_ours(c, t);
	rc = rc ? rc : wbl_remove_file(c->call, c->path);
	wbl_side_record(&o, c->set);
	wbl_out_bool(&o, "drop", 1);
	wbl_out_int(&o, "length", 0);
	wbl_side_record_end(&o, NULL, NULL, NULL, 0);
	rc = rc ? rc : wbl_side_add(c->s, c->call, o.s);
	wbl_out_clear(&o);
	return rc;
}

/* ---- receipts ---- */

static int32_t raise_epoch(struct change *c)
{
	struct wbl_receipt mark = {
		.size = sizeof mark,
		.epoch = (uint64_t)wbl_node_int(c->n, "epoch", 0),
	};
	struct wbl_out key = { 0 }, o = { 0 };
	int32_t rc = wbl_side_fenced(c->s, c->call, c->origin, mark.epoch);

	wbl_out_fmt(
		&key, "%s#epoch#%llu", c->origin ? c->origin : "", (unsigned long long)mark.epoch);
	mark.key = key.s;
	wbl_out_open(&o, NULL, '{');
	wbl_side_tell_receipt(&o, &mark, c->origin, NULL, 0);
	wbl_out_close(&o, '}');
	if (!rc && !wbl_side_find(c->s, key.s))
		rc = wbl_side_add(c->s, c->call, o.s);
	wbl_out_clear(&key);
	wbl_out_clear(&o);
	return rc;
}

static int by(const char *whose, const char *origin)
{
	return whose && origin && !strcmp(whose, origin);
}

static uint64_t written(const struct change *c, const char *set)
{
	uint64_t n = 0;

	for (size_t i = 0; i < c->s->nreceipts; i++) {
		const struct wbl_side_receipt *r = &c->s->receipts[i];

		if (r->set && by(r->origin, c->origin) && !strcmp(r->set, set))
			n += r->written;
	}
	return n;
}

static void say_receipts(struct change *c)
{
	struct wbl_out *o = &c->f->text;

	wbl_out_open(o, NULL, '{');
	wbl_out_open(o, "restore_receipts", '{');
	wbl_out_text(o, "origin", c->origin);
	wbl_out_open(o, "tables", '[');
	for (size_t i = 0; i < c->s->ntables; i++) {
		const struct wbl_side_table *t = &c->s->tables[i];

		if (!t->made || !by(t->by, c->origin))
			continue;
		wbl_out_open(o, NULL, '{');
		wbl_out_text(o, "set", t->set);
		wbl_out_text(o, "by", t->by);
		wbl_out_json(o, "table", t->columns.s);
		wbl_out_int(o, "length", (int64_t)t->length);
		wbl_out_int(o, "head", (int64_t)t->head);
		wbl_out_int(o, "written", (int64_t)written(c, t->set));
		wbl_out_close(o, '}');
	}
	wbl_out_close(o, ']');
	wbl_out_open(o, "keys", '[');
	for (size_t i = 0; i < c->s->nreceipts; i++)
		if (!c->s->receipts[i].set && by(c->s->receipts[i].origin, c->origin))
			wbl_out_text(o, NULL, c->s->receipts[i].key);
	wbl_out_close(o, ']');
	wbl_out_close(o, '}');
	wbl_out_close(o, '}');
}

/* Files that were begun and never became tables, and the journal behind them. */
static int32_t remove_journal(struct change *c)
{
	int32_t rc = WBL_OK;

	for (size_t i = 0; !rc && i < c->s->ntables; i++) {
		char *path = wbl_files_path(c->f, c->s->tables[i].set);

		if (c->s->tables[i].making && !c->s->tables[i].made)
			rc = wbl_remove_file(c->call, path);
		free(path);
	}
	return rc ? rc : wbl_remove_file(c->call, c->s->log);
}

static int tables_made(const struct wbl_side *s, int *ret_open)
{
	int made = 0;

	*ret_open = 0;
	for (size_t i = 0; i < s->ntables; i++) {
		made |= s->tables[i].made;
		*ret_open |= s->tables[i].open;
	}
	return made;
}

static int32_t drop_receipts(struct change *c)
{
	struct wbl_out o = { 0 };
	int32_t rc;
	int open, made;

	if (c->in->flags & 1) {
		say_receipts(c);
		return WBL_OK;
	}
	wbl_out_open(&o, NULL, '{');
	wbl_out_text(&o, "forget", c->origin ? c->origin : "");
	wbl_out_close(&o, '}');
	rc = wbl_side_add(c->s, c->call, o.s);
	wbl_out_clear(&o);
	made = tables_made(c->s, &open);
	if (!rc && !c->s->nreceipts && !open && (made || c->f->as == WBL_AS_TABLES))
		rc = remove_journal(c);
	return rc;
}

static void tell_again(struct change *c, struct wbl_out *o)
{
	const struct wbl_node *t;

	wbl_out_open(o, "tables", '[');
	for (t = wbl_node_at(c->n, "tables.0"); t; t = t->next) {
		wbl_out_open(o, NULL, '{');
		wbl_out_text(o, "set", wbl_node_str(t, "set"));
		wbl_out_text(o, "by", wbl_node_str(t, "by"));
		wbl_side_tell_columns(o, "table", wbl_node_at(t, "table"));
		wbl_out_int(o, "length", wbl_node_int(t, "length", 0));
		wbl_out_int(o, "head", wbl_node_int(t, "head", 0));
		wbl_out_close(o, '}');
	}
	wbl_out_close(o, ']');
	wbl_out_open(o, "receipts", '[');
	for (const struct wbl_node *k = wbl_node_at(c->n, "keys.0"); k; k = k->next) {
		wbl_out_open(o, NULL, '{');
		wbl_out_text(o, "key", k->text.s);
		wbl_out_text(o, "origin", c->origin);
		wbl_out_close(o, '}');
	}
	for (t = wbl_node_at(c->n, "tables.0"); t; t = t->next) {
		wbl_out_open(o, NULL, '{');
		wbl_out_text(o, "key", "rows");
		wbl_out_text(o, "origin", c->origin);
		wbl_out_text(o, "set", wbl_node_str(t, "set"));
		wbl_out_int(o, "written", wbl_node_int(t, "written", 0));
		wbl_out_close(o, '}');
	}
	wbl_out_close(o, ']');
}

/* Whether they were dropped or a death came before that: afterwards they are there once. */
static int32_t restore_receipts(struct change *c)
{
	struct wbl_out o = { 0 };
	int32_t rc;

	wbl_out_open(&o, NULL, '{');
	wbl_out_text(&o, "forget", c->origin);
	tell_again(c, &o);
	wbl_out_close(&o, '}');
	rc = wbl_side_add(c->s, c->call, o.s);
	wbl_out_clear(&o);
	return rc;
}

/* ---- away with all ---- */

static int32_t drop_folder(struct change *c)
{
	if (rmdir(c->f->path) && errno != ENOTEMPTY && errno != EEXIST && errno != ENOENT)
		return wbl_error_report(c->call, WBL_E_FAILED, c->f->path, NULL,
			"cannot remove the folder: %s", strerror(errno));
	return wbl_sdk_sync_folder(c->call, c->f->path);
}

/* Only when it holds nothing. An empty file that is on no record is of a process that died while it made the table. */
static int32_t drop_store(struct change *c)
{
	struct stat st;
	int32_t rc = WBL_OK;
	int open;

	if (tables_made(c->s, &open))
		return WBL_OK;
	if (c->f->as == WBL_AS_FILE && !stat(c->f->path, &st) && !st.st_size)
		rc = wbl_remove_file(c->call, c->f->path);
	rc = rc ? rc : remove_journal(c);
	return rc || c->f->as != WBL_AS_TABLES ? rc : drop_folder(c);
}

static const struct {
	const char *name;
	int32_t (*make)(struct change *);
	int says;  /* also when it is only to say what it would do */
	int needs; /* a journal, and makes it */
	int alone; /* without a journal there is nothing to do */
} changes[] = {
	{ "create_table", create_table, 0, 0, 0 },
	{ "drop_table", drop_table, 0, 0, 1 },
	{ "empty_table", empty_table, 0, 0, 1 },
	{ "raise_epoch", raise_epoch, 0, 0, 1 },
	{ "drop_receipts", drop_receipts, 1, 0, 1 },
	{ "restore_receipts", restore_receipts, 0, 1, 0 },
	{ "drop_store", drop_store, 0, 0, 1 },
};

static int32_t without_journal(struct change *c, size_t i)
{
	if (changes[i].make == drop_store && c->f->as == WBL_AS_TABLES)
		return drop_folder(c);
	if (changes[i].alone)
		return WBL_OK;
	return wbl_error_report(c->call, WBL_E_UNSUPPORTED, c->f->path,
		"Move the file away, or choose another path.", "only a new file is written");
}

static int32_t run(struct change *c, const char *verb)
{
	size_t i = 0, n = sizeof changes / sizeof *changes;
	const struct wbl_receipt *r = c->in->receipt;
	int32_t rc = WBL_OK;

	if (!strcmp(verb, "drop_index")) /* there is none, so it is gone */
		return WBL_OK;
	while (i < n && strcmp(changes[i].name, verb) != 0)
		i++;
	if (i == n)
		return wbl_error_report(
			c->call, WBL_E_UNSUPPORTED, c->f->path, NULL, "a file has no \"%s\"", verb);
	if ((c->in->flags & 1) && !changes[i].says)
		return WBL_OK;
	if (changes[i].needs ||
		(changes[i].make == create_table && c->f->as == WBL_AS_TABLES && c->f->exists))
		rc = wbl_side_create(c->s, c->call);
	rc = rc ? rc : wbl_side_lock(c->s, c->call);
	if (rc)
		return rc == WBL_END ? without_journal(c, i) : rc;
	rc = r ? wbl_side_fenced(c->s, c->call, c->origin, r->epoch) : WBL_OK;
	if (!rc && r && wbl_side_find(c->s, r->key))
		rc = WBL_END;
	rc = rc ? rc : changes[i].make(c);
	wbl_side_unlock(c->s);
	return rc;
}

static int32_t change(struct wbl_files *f, struct wbl_call *call, const struct wbl_schema *in)
{
	struct wbl_doc *doc = wbl_doc_parse(in->change_json, strlen(in->change_json), NULL);
	const struct wbl_node *root = wbl_doc_root(doc);
	struct change c = { .f = f, .s = f->side, .call = call, .in = in };
	int32_t rc;

	if (!root || root->kind != WBL_NODE_OBJECT || root->count != 1) {
		wbl_doc_free(doc);
		return wbl_error_report(call, WBL_E_PARAM, f->path, NULL,
			"a schema change is an object with one member");
	}
	c.n = root->child;
	c.origin = wbl_node_str(c.n, "origin");
	c.set = wbl_node_str(c.n, "name");
	if (!c.set)
		c.set = f->table ? f->table : "";
	c.path = wbl_files_path(f, c.set);
	if (!strcmp(c.n->key.s, "create_store"))
		rc = in->flags & 1 ? WBL_OK : create_store(&c);
	else
		rc = run(&c, c.n->key.s);
	free(c.path);
	wbl_doc_free(doc);
	return rc;
}

int32_t wbl_files_schema(
	void *self, struct wbl_call *call, const struct wbl_schema *in, const char **ret_text)
{
	struct wbl_files *f = self;
	int32_t rc;

	wbl_out_reset(&f->text);
	if (!f->write && !(in->flags & 1))
		return wbl_error_report(
			call, WBL_E_UNSUPPORTED, f->path, NULL, "opened for reading");
	rc = change(f, call, in);
	if (ret_text)
		*ret_text = f->text.s;
	return rc;
}
