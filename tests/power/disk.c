/* tests/power/disk.c - the model of a folder on a disk that may lose its power.
 * In: records of recorder.c.  Out: folders as they could be found afterwards.
 * A new kind of record gets a case in apply(); a new way of losing things a case in pick().
 * SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "disk.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/file.h"
#include "powerlog.h"

enum { SECTOR = 512 };

struct node;

struct names { /* of a folder: which name leads to which node */
	struct {
		char *name;
		struct node *node;
	} * list;
	size_t count;
};

struct change { /* of a file's content, not synced yet; the bytes stand in the log */
	bool truncate;
	uint64_t at, len;
	const char *data;
};

struct content {
	char *data;
	uint64_t len;
};

struct node {
	enum { FILE_NODE, FOLDER_NODE, LINK_NODE } kind;
	uint64_t ino;
	struct content seen, synced;
	struct change *changes;
	size_t change_count;
	struct names names, synced_names;
	struct node *next; /* of all nodes */
};

struct rename { /* of names, not synced yet: `node` gets the name `to`, `from` goes away; either may be absent */
	struct node *from_dir, *to_dir, *node;
	char *from, *to;
};

struct disk {
	struct wbl_buf log;
	const struct power_record **records;
	int64_t count, at;
	struct node *root, *all;
	struct rename *renames;
	size_t rename_count;
};

/* --- small parts --- */

static uint64_t next_random(uint64_t *seed)
{
	uint64_t z = (*seed += 0x9e3779b97f4a7c15u);

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return z ^ z >> 31;
}

static void content_resize(struct content *c, uint64_t len)
{
	if (len > c->len) {
		c->data = wbl_realloc(c->data, len);
		memset(c->data + c->len, 0, len - c->len);
	}
	c->len = len;
}

static void content_put(struct content *c, uint64_t at, const char *data, uint64_t len)
{
	if (!len)
		return;
	if (at + len > c->len)
		content_resize(c, at + len);
	memcpy(c->data + at, data, len);
}

static void content_copy(struct content *to, const struct content *from)
{
	to->len = 0;
	content_put(to, 0, from->data, from->len);
}

static void content_change(struct content *c, const struct change *g)
{
	if (g->truncate)
		content_resize(c, g->at);
	else
		content_put(c, g->at, g->data, g->len);
}

static struct node *names_get(const struct names *n, const char *name)
{
	size_t i;

	for (i = 0; i < n->count; i++)
		if (!strcmp(n->list[i].name, name))
			return n->list[i].node;
	return NULL;
}

/* node NULL: takes the name away */
static void names_set(struct names *n, const char *name, struct node *node)
{
	size_t i = 0;

	while (i < n->count && strcmp(n->list[i].name, name))
		i++;
	if (node && i == n->count) {
		n->list = wbl_grow(n->list, n->count, sizeof *n->list);
		n->list[n->count++].name = wbl_strdup(name);
	}
	if (node) {
		n->list[i].node = node;
	} else if (i < n->count) {
		free(n->list[i].name);
		n->list[i] = n->list[--n->count];
	}
}

static void names_clear(struct names *n)
{
	while (n->count)
		free(n->list[--n->count].name);
	free(n->list);
	*n = (struct names){ 0 };
}

static struct node *make_node(struct disk *d, int kind, uint64_t ino)
{
	struct node *n = wbl_alloc(sizeof *n);

	n->kind = kind;
	n->ino = ino;
	n->next = d->all;
	d->all = n;
	return n;
}

/* The newest node with this number: numbers are used again after a file is gone. */
static struct node *node_by_ino(const struct disk *d, uint64_t ino)
{
	struct node *n;

	for (n = d->all; n; n = n->next)
		if (n->kind == FILE_NODE && n->ino == ino)
			return n;
	return NULL;
}

/* Walks to the folder of `path` as programs see it; *ret_name is the last part. */
static struct node *walk(const struct disk *d, char *path, char **ret_name)
{
	struct node *at = d->root;
	char *slash;

	while (at && (slash = strchr(path, '/'))) {
		*slash = '\0';
		at = names_get(&at->names, path);
		path = slash + 1;
	}
	*ret_name = path;
	return at;
}

/* --- names --- */

static void rename_apply_synced(const struct rename *r)
{
	if (r->from)
		names_set(&r->from_dir->synced_names, r->from, NULL);
	if (r->to)
		names_set(&r->to_dir->synced_names, r->to, r->node);
}

static void rename_free(struct rename *r)
{
	free(r->from);
	free(r->to);
}

static void add_rename(struct disk *d, struct node *from_dir, const char *from, struct node *to_dir,
	const char *to, struct node *node)
{
	struct rename r = { .from_dir = from_dir,
		.to_dir = to_dir,
		.node = node,
		.from = wbl_strdup(from),
		.to = wbl_strdup(to) };

	if (from)
		names_set(&from_dir->names, from, NULL);
	if (to)
		names_set(&to_dir->names, to, node);
	d->renames = wbl_grow(d->renames, d->rename_count, sizeof *d->renames);
	d->renames[d->rename_count++] = r;
}

static bool uses_name(const struct rename *r, const struct node *dir, const char *name)
{
	return name && ((r->from && r->from_dir == dir && !strcmp(r->from, name)) ||
			       (r->to && r->to_dir == dir && !strcmp(r->to, name)));
}

/* An fsync of a folder takes all changes of its names, and with each one those that it stands on. */
static void sync_names(struct disk *d, const struct node *dir)
{
	bool *due = wbl_alloc(d->rename_count * sizeof *due + 1);
	size_t i, j, kept = 0;

	for (i = d->rename_count; i-- > 0;) {
		const struct rename *r = &d->renames[i];

		due[i] = (r->from && r->from_dir == dir) || (r->to && r->to_dir == dir);
		for (j = i + 1; j < d->rename_count && !due[i]; j++)
			due[i] = due[j] &&
				 (uses_name(r, d->renames[j].from_dir, d->renames[j].from) ||
					 uses_name(r, d->renames[j].to_dir, d->renames[j].to));
	}
	for (i = 0; i < d->rename_count; i++)
		if (due[i]) {
			rename_apply_synced(&d->renames[i]);
			rename_free(&d->renames[i]);
		} else {
			d->renames[kept++] = d->renames[i];
		}
	d->rename_count = kept;
	free(due);
}

/* --- records --- */

static void add_change(struct node *n, struct change g)
{
	content_change(&n->seen, &g);
	n->changes = wbl_grow(n->changes, n->change_count, sizeof *n->changes);
	n->changes[n->change_count++] = g;
}

static void sync_content(struct node *n)
{
	size_t i;

	for (i = 0; i < n->change_count; i++)
		content_change(&n->synced, &n->changes[i]);
	free(n->changes);
	n->changes = NULL;
	n->change_count = 0;
}

static const char *paths_of(const struct power_record *r)
{
	return (const char *)(r + 1);
}

static const char *data_of(const struct power_record *r)
{
	return paths_of(r) + r->path_len + r->path2_len;
}

static bool apply_names(struct disk *d, const struct power_record *r, char *path, char *path2)
{
	char *name, *name2;
	struct node *dir = walk(d, path, &name), *dir2 = NULL, *node;

	if (!dir)
		return false;
	node = names_get(&dir->names, name);
	if (r->op == POWER_RENAME || r->op == POWER_LINK)
		dir2 = walk(d, path2, &name2);
	switch (r->op) {
	case POWER_CREATE:
		add_rename(d, NULL, NULL, dir, name, make_node(d, FILE_NODE, r->ino));
		return true;
	case POWER_MKDIR:
		add_rename(d, NULL, NULL, dir, name, make_node(d, FOLDER_NODE, 0));
		return true;
	case POWER_SYMLINK:
		add_rename(d, NULL, NULL, dir, name, make_node(d, LINK_NODE, 0));
		content_put(&d->all->seen, 0, data_of(r), r->data_len);
		content_put(&d->all->synced, 0, data_of(r), r->data_len);
		return true;
	case POWER_UNLINK:
		if (node)
			add_rename(d, dir, name, NULL, NULL, NULL);
		return node;
	case POWER_RENAME:
		if (node && dir2)
			add_rename(d, dir, name, dir2, name2, node);
		return node && dir2;
	case POWER_LINK:
		if (node && dir2)
			add_rename(d, NULL, NULL, dir2, name2, node);
		return node && dir2;
	case POWER_SYNC:
		node = strcmp(name, ".") ? node : d->root;
		if (node)
			sync_names(d, node);
		return node;
	default:
		return false;
	}
}

static bool apply_content(struct disk *d, const struct power_record *r)
{
	struct node *n = node_by_ino(d, r->ino);

	if (!n)
		return false;
	if (r->op == POWER_SYNC)
		sync_content(n);
	else if (r->op == POWER_TRUNCATE)
		add_change(n, (struct change){ .truncate = true, .at = r->at });
	else
		add_change(
			n, (struct change){ .at = r->at, .len = r->data_len, .data = data_of(r) });
	return true;
}

static bool apply(struct disk *d, const struct power_record *r)
{
	WBL_AUTOFREE char *path = wbl_strndup(paths_of(r), r->path_len);
	WBL_AUTOFREE char *path2 = wbl_strndup(paths_of(r) + r->path_len, r->path2_len);

	return r->path_len ? apply_names(d, r, path, path2) : apply_content(d, r);
}

int32_t disk_advance(struct disk *d, int64_t n, struct wbl_error *err)
{
	for (; d->at < n && d->at < d->count; d->at++) {
		const struct power_record *r = d->records[d->at];

		if (!apply(d, r))
			return wbl_fail(err, WBL_E_CORRUPT, NULL,
				"Start with an empty folder, and change it by recorded calls only.",
				"record %lld (operation %u on \"%.*s\", inode %llu) is about "
				"something the "
				"log does not know",
				(long long)d->at + 1, r->op, (int)r->path_len, paths_of(r),
				(unsigned long long)r->ino);
	}
	return 0;
}

static int32_t index_log(struct disk *d, const char *log, struct wbl_error *err)
{
	size_t at = 0;

	while (at < d->log.len) {
		const struct power_record *r = (const void *)(d->log.data + at);
		size_t left = d->log.len - at, len;

		if (left < sizeof *r || r->magic != POWER_MAGIC)
			return wbl_fail(err, WBL_E_CORRUPT, log, NULL,
				"is no recorder's log at byte %zu", at);
		len = POWER_PADDED(sizeof *r + r->path_len + r->path2_len + r->data_len);
		if (left < len)
			return wbl_fail(err, WBL_E_CORRUPT, log, NULL, "ends inside a record");
		d->records = wbl_grow(d->records, (size_t)d->count, sizeof *d->records);
		d->records[d->count++] = r;
		at += len;
	}
	return 0;
}

int32_t disk_open(const char *log, struct disk **ret, struct wbl_error *err)
{
	struct disk *d = wbl_alloc(sizeof *d);
	int32_t rc = wbl_file_read(log, (size_t)1 << 31, &d->log, err);

	d->root = make_node(d, FOLDER_NODE, 0);
	if (!rc)
		rc = index_log(d, log, err);
	if (rc)
		disk_free(d);
	else
		*ret = d;
	return rc;
}

void disk_free(struct disk *d)
{
	struct node *n, *next;

	if (!d)
		return;
	while (d->rename_count)
		rename_free(&d->renames[--d->rename_count]);
	for (n = d->all; n; n = next) {
		next = n->next;
		names_clear(&n->names);
		names_clear(&n->synced_names);
		free(n->seen.data);
		free(n->synced.data);
		free(n->changes);
		free(n);
	}
	free(d->renames);
	free(d->records);
	wbl_buf_clear(&d->log);
	free(d);
}

int64_t disk_count(const struct disk *d)
{
	return d->count;
}

uint64_t disk_position(const struct disk *d, int64_t n)
{
	return n < d->count ? (uint64_t)((const char *)d->records[n] - d->log.data) : d->log.len;
}

bool disk_is_sync(const struct disk *d, int64_t n)
{
	return d->records[n - 1]->op == POWER_SYNC;
}

/* --- after the loss --- */

/* A write that was under way: some of its sectors arrived. */
static void tear(struct content *c, const struct change *g, uint64_t *seed)
{
	uint64_t done = 0;

	while (done < g->len) {
		uint64_t step = SECTOR - (g->at + done) % SECTOR;

		if (step > g->len - done)
			step = g->len - done;
		if (next_random(seed) & 1)
			content_put(c, g->at + done, g->data + done, step);
		done += step;
	}
}

static void pick(const struct node *n, struct content *c, uint64_t *seed)
{
	size_t i, whole = n->change_count ? next_random(seed) % (n->change_count + 1) : 0;
	bool prefix = next_random(seed) & 1;

	for (i = 0; i < n->change_count; i++) {
		const struct change *g = &n->changes[i];

		if (prefix ? i < whole : next_random(seed) & 1)
			content_change(c, g);
		else if (!g->truncate && (prefix ? i == whole : !(next_random(seed) & 3)))
			tear(c, g, seed);
	}
}

static int32_t write_file(const struct node *n, const char *path, enum disk_variant how,
	uint64_t *seed, struct wbl_error *err)
{
	struct content c = { 0 };
	int32_t rc = 0;
	int fd;

	content_copy(&c, how == DISK_KEEP ? &n->seen : &n->synced);
	if (how == DISK_SOME)
		pick(n, &c, seed);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0 || wbl_write_all(fd, c.data, c.len))
		rc = wbl_fail_errno(err, WBL_E_DISK, path, NULL, "cannot be written");
	if (fd >= 0)
		close(fd);
	free(c.data);
	return rc;
}

/* The names of every folder after the loss: those that were synced, and of the others by seed a prefix of their
 * order (a journaling file system) or any part. */
struct outcome {
	enum disk_variant how;
	uint64_t seed;
	const struct disk *disk;
	bool *arrived; /* per rename */
};

static void outcome_names(const struct outcome *o, const struct node *dir, struct names *ret)
{
	const struct names *from = o->how == DISK_KEEP ? &dir->names : &dir->synced_names;
	size_t i;

	for (i = 0; i < from->count; i++)
		names_set(ret, from->list[i].name, from->list[i].node);
	for (i = 0; i < o->disk->rename_count && o->how == DISK_SOME; i++) {
		const struct rename *r = &o->disk->renames[i];

		if (!o->arrived[i])
			continue;
		if (r->from && r->from_dir == dir)
			names_set(ret, r->from, NULL);
		if (r->to && r->to_dir == dir)
			names_set(ret, r->to, r->node);
	}
}

static int32_t write_node(
	struct outcome *o, const struct node *n, const char *path, struct wbl_error *err);

static int32_t write_folder(
	struct outcome *o, const struct node *n, const char *path, struct wbl_error *err)
{
	struct names names = { 0 };
	int32_t rc = 0;
	size_t i;

	if (mkdir(path, 0700))
		return wbl_fail_errno(err, WBL_E_DISK, path, "Name a folder that is not there yet.",
			"cannot be made");
	outcome_names(o, n, &names);
	for (i = 0; i < names.count && !rc; i++) {
		WBL_AUTOFREE char *sub = wbl_strf("%s/%s", path, names.list[i].name);

		rc = write_node(o, names.list[i].node, sub, err);
	}
	names_clear(&names);
	return rc;
}

static int32_t write_node(
	struct outcome *o, const struct node *n, const char *path, struct wbl_error *err)
{
	WBL_AUTOFREE char *target = NULL;

	switch (n->kind) {
	case FOLDER_NODE:
		return write_folder(o, n, path, err);
	case LINK_NODE:
		target = wbl_strndup(n->seen.data ? n->seen.data : "", n->seen.len);
		return symlink(target, path)
			       ? wbl_fail_errno(err, WBL_E_DISK, path, NULL, "cannot be linked")
			       : 0;
	default:
		return write_file(n, path, o->how, &o->seed, err);
	}
}

int32_t disk_write(const struct disk *d, const char *out, enum disk_variant how, uint64_t seed,
	struct wbl_error *err)
{
	struct outcome o = {
		.how = how, .seed = seed, .disk = d, .arrived = wbl_alloc(d->rename_count + 1)
	};
	size_t i, whole = d->rename_count ? next_random(&o.seed) % (d->rename_count + 1) : 0;
	bool prefix = next_random(&o.seed) & 1;
	int32_t rc;

	for (i = 0; i < d->rename_count; i++)
		o.arrived[i] = prefix ? i < whole : next_random(&o.seed) & 1;
	rc = write_node(&o, d->root, out, err);
	free(o.arrived);
	return rc;
}
