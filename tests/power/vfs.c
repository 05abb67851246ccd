/* tests/power/vfs.c - files in two states: as programs see them, and as a disk without power would have them.
 * In: calls of SQLite and of the state folder's own code.  Out: folders as they could be found.
 * SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "vfs.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <sqlite3.h>

#include "core/base/file.h"

/* A change of contents under way. */
struct change {
	uint64_t at, len;
	bool cut; /* the file ends at `at` from now on */
	char *data;
};

/* One name below the root. */
struct entry {
	char *name; /* relative */
	bool folder,
		ours; /* ours: its contents come through SQLite; else they are read when power fails */
	struct wbl_buf now, durable;
	struct change *changes; /* from durable to now */
	size_t count;
};

enum act { MADE, RENAMED, REMOVED };

/* A change of names under way. */
struct naming {
	enum act act;
	char *from, *to;   /* RENAMED: both; else `to` */
	struct entry lost; /* what stood at `to` before, when its name is set */
};

struct file { /* what SQLite holds; the real VFS's file stands behind it */
	sqlite3_file base;
	char *name; /* its entry is looked up: renames move it */
	sqlite3_file *real;
};

static struct vfs_disk *disk;
static sqlite3_vfs *real, ours;
static struct entry *entries;
static struct naming *namings;
static size_t nentries, nnamings;
static bool away; /* inside `moment`, or in a helper of ours */

static _Noreturn void broken(const char *what)
{
	fprintf(stderr, "vfs: %s\n", what);
	abort();
}

/* --- what is known --- */

static const char *below(const char *path)
{
	size_t n = disk ? strlen(disk->root) : 0;

	return n && path && !strncmp(path, disk->root, n) && path[n] == '/' ? path + n + 1 : NULL;
}

static bool is_index(const char *name)
{
	size_t n = strlen(name);

	return n > 4 && !strcmp(name + n - 4, "-shm");
}

static struct entry *entry_of(const char *name)
{
	size_t i;

	for (i = 0; name && i < nentries; i++)
		if (!strcmp(entries[i].name, name))
			return &entries[i];
	return NULL;
}

static struct naming *add_naming(enum act act, const char *from, const char *to)
{
	struct naming *n;

	namings = wbl_grow(namings, nnamings, sizeof *namings);
	n = &namings[nnamings++];
	*n = (struct naming){ .act = act, .from = wbl_strdup(from), .to = wbl_strdup(to) };
	return n;
}

static struct entry *add_entry(const char *name, bool folder)
{
	entries = wbl_grow(entries, nentries, sizeof *entries);
	entries[nentries] = (struct entry){ .name = wbl_strdup(name), .folder = folder };
	add_naming(MADE, NULL, name);
	return &entries[nentries++];
}

static void drop_changes(struct entry *e)
{
	while (e->count)
		free(e->changes[--e->count].data);
	free(e->changes);
	e->changes = NULL;
}

static void clear_entry(struct entry *e)
{
	drop_changes(e);
	wbl_buf_clear(&e->now);
	wbl_buf_clear(&e->durable);
	free(e->name);
	*e = (struct entry){ 0 };
}

static char *path_of(const char *name)
{
	return wbl_strf("%s/%s", disk->root, name);
}

static void read_now(struct entry *e)
{
	WBL_AUTOFREE char *path = path_of(e->name);

	if (!e->ours && !e->folder && wbl_file_read(path, 64 << 20, &e->now, NULL))
		broken("a file cannot be read");
}

/* Names that nobody told of: files made by open, folders. */
static void scan(const char *folder)
{
	WBL_AUTOFREE char *path = *folder ? path_of(folder) : wbl_strdup(disk->root);
	DIR *d = opendir(path);
	struct dirent *de;

	while (d && (de = readdir(d))) {
		WBL_AUTOFREE char *name =
			wbl_strf("%s%s%s", folder, *folder ? "/" : "", de->d_name);

		if (*de->d_name == '.' || is_index(name) || de->d_type == DT_SOCK)
			continue;
		if (!entry_of(name))
			add_entry(name, de->d_type == DT_DIR);
		if (de->d_type == DT_DIR)
			scan(name);
	}
	if (d)
		closedir(d);
}

static void moment(void)
{
	if (away)
		return;
	away = true;
	scan("");
	if (disk->moment)
		disk->moment(disk->ctx);
	away = false;
}

/* --- contents --- */

static void resize(struct wbl_buf *b, uint64_t len)
{
	static const char zeros[4096];

	while (b->len < len)
		wbl_buf_add(b, zeros, len - b->len < sizeof zeros ? len - b->len : sizeof zeros);
	b->len = len;
}

static void put(struct wbl_buf *b, uint64_t at, const char *data, uint64_t len)
{
	if (b->len < at + len)
		resize(b, at + len);
	memcpy(b->data + at, data, len);
}

static void apply(struct wbl_buf *b, const struct change *c)
{
	if (c->cut)
		resize(b, c->at);
	else
		put(b, c->at, c->data, c->len);
}

static void add_change(struct entry *e, struct change c)
{
	e->changes = wbl_grow(e->changes, e->count, sizeof *e->changes);
	e->changes[e->count++] = c;
	apply(&e->now, &c);
}

static void copy(struct wbl_buf *to, const struct wbl_buf *from)
{
	to->len = 0;
	if (from->len)
		wbl_buf_add(to, from->data, from->len);
}

/* From here on the disk has it. */
static void make_durable(struct entry *e)
{
	WBL_AUTOFREE char *path = path_of(e->name);
	int fd;

	read_now(e);
	if (e->ours && e->count) {
		fd = open(path, O_WRONLY | O_CLOEXEC);
		if (fd < 0 || wbl_write_all(fd, e->now.data, e->now.len) ||
			ftruncate(fd, (off_t)e->now.len))
			broken("a file cannot be written");
		close(fd);
	}
	drop_changes(e);
	copy(&e->durable, &e->now);
}

static void forget(struct naming *n)
{
	free(n->from);
	free(n->to);
	clear_entry(&n->lost);
}

static void make_names_durable(const char *folder)
{
	size_t i, kept = 0, n = strlen(folder);

	for (i = 0; i < nnamings; i++) {
		const char *slash = strrchr(namings[i].to, '/');
		size_t len = slash ? (size_t)(slash - namings[i].to) : 0;

		if (len == n && !strncmp(namings[i].to, folder, n))
			forget(&namings[i]);
		else
			namings[kept++] = namings[i];
	}
	nnamings = kept;
}

static void sync_fd(int fd)
{
	WBL_AUTOFREE char *link = wbl_strf("/proc/self/fd/%d", fd);
	char path[4096];
	ssize_t n = disk && !away ? readlink(link, path, sizeof path - 1) : -1;
	const char *name;
	struct stat st;

	if (n < 0)
		return;
	path[n] = '\0';
	name = strcmp(path, disk->root) ? below(path) : "";
	if (!name || is_index(name) || fstat(fd, &st))
		return;
	moment();
	disk->syncs++;
	if (S_ISDIR(st.st_mode))
		make_names_durable(name);
	else if (entry_of(name) && !disk->lies)
		make_durable(entry_of(name));
}

/* --- in place of the system's --- */

#define IN_PLACE __attribute__((visibility("default"))) /* SQLite's library calls them too */

IN_PLACE int fsync(int fd)
{
	sync_fd(fd);
	return 0;
}

IN_PLACE int fdatasync(int fd)
{
	sync_fd(fd);
	return 0;
}

static void keep_lost(struct naming *n, struct entry *e)
{
	read_now(e);
	n->lost = *e;
	*e = entries[--nentries];
}

IN_PLACE int rename(const char *from, const char *to)
{
	const char *a = below(from), *b = below(to);
	struct naming *n;
	int rc;

	if (a && b)
		moment();
	if (a && b && entry_of(b)) /* while it can be read */
		read_now(entry_of(b));
	rc = renameat(AT_FDCWD, from, AT_FDCWD, to);
	if (rc || away || !a || !b)
		return rc;
	disk->names++;
	n = add_naming(RENAMED, a, b);
	if (entry_of(b)) {
		n->lost = *entry_of(b);
		*entry_of(b) = entries[--nentries];
	}
	if (entry_of(a)) {
		struct entry *e = entry_of(a);

		free(e->name);
		e->name = wbl_strdup(b);
	}
	return 0;
}

IN_PLACE int unlink(const char *path)
{
	const char *name = below(path);
	bool told = name && !is_index(name);

	if (told && !access(path, F_OK)) {
		moment();
		if (!away && entry_of(name)) {
			disk->names++;
			keep_lost(add_naming(REMOVED, NULL, name), entry_of(name));
		}
	}
	return unlinkat(AT_FDCWD, path, 0);
}

/* --- the VFS --- */

static struct file *F(sqlite3_file *f)
{
	return (struct file *)f;
}

static struct entry *E(sqlite3_file *f)
{
	struct entry *e = entry_of(F(f)->name);

	if (!e)
		broken("a file was taken from under SQLite");
	return e;
}

#define REAL(f) (F(f)->real->pMethods)

static int v_close(sqlite3_file *f)
{
	int rc = REAL(f)->xClose(F(f)->real);

	free(F(f)->name);
	return rc;
}

static int v_read(sqlite3_file *f, void *to, int n, sqlite3_int64 at)
{
	const struct wbl_buf *b = &E(f)->now;
	uint64_t have = b->len > (uint64_t)at ? b->len - (uint64_t)at : 0;

	if (have >= (uint64_t)n) {
		memcpy(to, b->data + at, (size_t)n);
		return SQLITE_OK;
	}
	memset(to, 0, (size_t)n);
	if (have)
		memcpy(to, b->data + at, have);
	return SQLITE_IOERR_SHORT_READ;
}

static int v_write(sqlite3_file *f, const void *from, int n, sqlite3_int64 at)
{
	struct change c = { .at = (uint64_t)at, .len = (uint64_t)n };

	moment();
	disk->writes++;
	c.data = wbl_alloc((size_t)n);
	memcpy(c.data, from, (size_t)n);
	add_change(E(f), c);
	return SQLITE_OK;
}

static int v_truncate(sqlite3_file *f, sqlite3_int64 size)
{
	moment();
	disk->writes++;
	add_change(E(f), (struct change){ .at = (uint64_t)size, .cut = true });
	return SQLITE_OK;
}

/* The real one ends in fdatasync and, for a new log, in fsync of the folder: ours. */
static int v_sync(sqlite3_file *f, int flags)
{
	return REAL(f)->xSync(F(f)->real, flags);
}

static int v_size(sqlite3_file *f, sqlite3_int64 *ret)
{
	*ret = (sqlite3_int64)E(f)->now.len;
	return SQLITE_OK;
}

static int v_lock(sqlite3_file *f, int level)
{
	return REAL(f)->xLock(F(f)->real, level);
}

static int v_unlock(sqlite3_file *f, int level)
{
	return REAL(f)->xUnlock(F(f)->real, level);
}

static int v_reserved(sqlite3_file *f, int *ret)
{
	return REAL(f)->xCheckReservedLock(F(f)->real, ret);
}

static int v_control(sqlite3_file *f, int op, void *arg)
{
	if (op == SQLITE_FCNTL_SIZE_HINT || op == SQLITE_FCNTL_CHUNK_SIZE)
		return SQLITE_OK;
	return REAL(f)->xFileControl(F(f)->real, op, arg);
}

static int v_sector(sqlite3_file *f)
{
	return (int)disk->sector;
}

static int v_character(sqlite3_file *f)
{
	return disk->safe_overwrite ? SQLITE_IOCAP_POWERSAFE_OVERWRITE : 0;
}

static int v_shm_map(sqlite3_file *f, int n, int size, int extend, void volatile **ret)
{
	return REAL(f)->xShmMap(F(f)->real, n, size, extend, ret);
}

static int v_shm_lock(sqlite3_file *f, int offset, int n, int flags)
{
	return REAL(f)->xShmLock(F(f)->real, offset, n, flags);
}

static void v_shm_barrier(sqlite3_file *f)
{
	REAL(f)->xShmBarrier(F(f)->real);
}

static int v_shm_unmap(sqlite3_file *f, int remove)
{
	return REAL(f)->xShmUnmap(F(f)->real, remove);
}

static const sqlite3_io_methods methods = { 2, v_close, v_read, v_write, v_truncate, v_sync, v_size,
	v_lock, v_unlock, v_reserved, v_control, v_sector, v_character, v_shm_map, v_shm_lock,
	v_shm_barrier, v_shm_unmap, NULL, NULL };

static int v_open(sqlite3_vfs *v, sqlite3_filename path, sqlite3_file *f, int flags, int *ret)
{
	const char *name = away ? NULL : below(path);
	struct entry *e;
	int rc;

	if (!name)
		return real->xOpen(real, path, f, flags, ret);
	*F(f) = (struct file){ .real = (sqlite3_file *)(F(f) + 1) };
	rc = real->xOpen(real, path, F(f)->real, flags, ret);
	if (rc)
		return rc;
	e = entry_of(name);
	if (!e)
		e = add_entry(name, false);
	if (!e->ours) {
		read_now(e);
		e->ours = true;
		if (e->now.len != e->durable.len)
			broken("a database was not made by SQLite");
	}
	F(f)->name = wbl_strdup(name);
	F(f)->base.pMethods = &methods;
	return SQLITE_OK;
}

static int v_delete(sqlite3_vfs *v, const char *path, int sync)
{
	return real->xDelete(real, path, sync);
}

static int v_access(sqlite3_vfs *v, const char *path, int flags, int *ret)
{
	const struct entry *e = away ? NULL : entry_of(below(path));
	int rc = real->xAccess(real, path, flags, ret);

	if (!rc && e && e->ours && flags == SQLITE_ACCESS_EXISTS)
		*ret = e->now.len > 0;
	return rc;
}

static int v_full(sqlite3_vfs *v, const char *path, int n, char *out)
{
	return real->xFullPathname(real, path, n, out);
}

static int v_random(sqlite3_vfs *v, int n, char *out)
{
	return real->xRandomness(real, n, out);
}

static int v_sleep(sqlite3_vfs *v, int us)
{
	return real->xSleep(real, us);
}

static int v_time(sqlite3_vfs *v, double *ret)
{
	return real->xCurrentTime(real, ret);
}

static int v_error(sqlite3_vfs *v, int n, char *text)
{
	return real->xGetLastError(real, n, text);
}

static int v_time64(sqlite3_vfs *v, sqlite3_int64 *ret)
{
	return real->xCurrentTimeInt64(real, ret);
}

void vfs_install(struct vfs_disk *d)
{
	disk = d;
	real = sqlite3_vfs_find("unix");
	ours = (sqlite3_vfs){
		.iVersion = 2,
		.szOsFile = (int)sizeof(struct file) + real->szOsFile,
		.mxPathname = real->mxPathname,
		.zName = "power",
		.xOpen = v_open,
		.xDelete = v_delete,
		.xAccess = v_access,
		.xFullPathname = v_full,
		.xRandomness = v_random,
		.xSleep = v_sleep,
		.xCurrentTime = v_time,
		.xGetLastError = v_error,
		.xCurrentTimeInt64 = v_time64,
	};
	sqlite3_vfs_register(&ours, 1);
}

void vfs_remove(void)
{
	sqlite3_vfs_unregister(&ours);
	sqlite3_vfs_register(real, 1);
	disk = NULL;
	while (nentries)
		clear_entry(&entries[--nentries]);
	while (nnamings)
		forget(&namings[--nnamings]);
	free(entries);
	free(namings);
	entries = NULL;
	namings = NULL;
}

/* --- without power --- */

struct loss {
	enum vfs_loss how;
	uint64_t seed;
};

static uint64_t draw(struct loss *l)
{
	uint64_t z = l->seed += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

/* A disk that harms what stands beside a torn write harms the whole sector. */
static void spoil(struct loss *l, struct wbl_buf *b, uint64_t at, uint64_t len)
{
	uint64_t end = at + len, i;

	if (!disk->safe_overwrite) {
		at -= at % disk->sector;
		end += disk->sector - 1 - (end - 1) % disk->sector;
		end = end < b->len ? end : b->len;
	}
	if (b->len < end)
		resize(b, end);
	for (i = at; i < end; i++)
		b->data[i] = (char)draw(l);
}

/* Of one write those sectors that had the luck. */
static void arrive(struct loss *l, struct wbl_buf *b, const struct change *c)
{
	uint64_t done, n;

	if (c->cut) {
		if (draw(l) & 1)
			resize(b, c->at);
		return;
	}
	for (done = 0; done < c->len; done += n) {
		uint64_t luck = draw(l) % 8;

		n = disk->sector - (c->at + done) % disk->sector;
		n = n < c->len - done ? n : c->len - done;
		if (luck < 4)
			put(b, c->at + done, c->data + done, n);
		else if (luck == 4 && l->how == VFS_JUNK)
			spoil(l, b, c->at + done, n);
	}
}

static void tear(struct loss *l, struct wbl_buf *b, const struct change *c)
{
	struct change first = *c;

	if (c->cut)
		return;
	first.len = draw(l) % (c->len / disk->sector + 1) * disk->sector;
	if (first.len)
		apply(b, &first);
}

/* A file that SQLite does not write: each sector that differs is the old or the new one. */
static void mix(struct loss *l, struct wbl_buf *b, const struct wbl_buf *now)
{
	uint64_t at, n;

	if (now->len < b->len && draw(l) & 1)
		resize(b, now->len);
	for (at = 0; at < now->len; at += n) {
		n = now->len - at < disk->sector ? now->len - at : disk->sector;
		if (at + n > b->len || memcmp(b->data + at, now->data + at, n))
			arrive(l, b,
				&(struct change){ .at = at, .len = n, .data = now->data + at });
	}
}

static void contents(struct loss *l, const struct entry *e, struct wbl_buf *b)
{
	size_t i;

	copy(b, l->how == VFS_KEEP ? &e->now : &e->durable);
	if (l->how == VFS_DROP || l->how == VFS_KEEP)
		return;
	if (!e->ours) {
		mix(l, b, &e->now);
		return;
	}
	for (i = 0; i < e->count; i++)
		if (l->how != VFS_TORN)
			arrive(l, b, &e->changes[i]);
		else if (i + 1 < e->count)
			apply(b, &e->changes[i]);
		else
			tear(l, b, &e->changes[i]);
}

/* What the names were before the changes that were lost. */
struct found {
	char *name; /* NULL: not there */
	const struct entry *entry;
};

static void take_back(struct found *list, size_t *n, const struct naming *c)
{
	size_t i;

	for (i = 0; i < *n; i++)
		if (list[i].name && !strcmp(list[i].name, c->to) && c->act != REMOVED) {
			free(list[i].name);
			list[i].name = c->act == RENAMED ? wbl_strdup(c->from) : NULL;
		}
	if (c->lost.name)
		list[(*n)++] = (struct found){ wbl_strdup(c->to), &c->lost };
}

/* Folders stand before what is in them. */
static int by_name(const void *a, const void *b)
{
	const struct found *x = a, *y = b;

	return strcmp(x->name ? x->name : "", y->name ? y->name : "");
}

static void write_one(struct loss *l, const char *out, const struct found *f)
{
	WBL_AUTOFREE char *path = wbl_strf("%s/%s", out, f->name), *dir = wbl_strdup(path);
	struct wbl_buf b = { 0 };
	int fd;

	*strrchr(dir, '/') = '\0';
	if (access(dir, F_OK)) /* its folder never had a durable name */
		return;
	if (f->entry->folder) {
		if (mkdir(path, 0700))
			broken("a folder cannot be made");
		return;
	}
	contents(l, f->entry, &b);
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0 || wbl_write_all(fd, b.data, b.len))
		broken("a file cannot be made");
	close(fd);
	wbl_buf_clear(&b);
}

void vfs_lose_power(const char *out, enum vfs_loss how, uint64_t seed)
{
	struct loss l = { how, seed };
	struct found *list = wbl_alloc((nentries + nnamings + 1) * sizeof *list);
	size_t n = 0, i, kept;

	kept = how == VFS_DROP ? 0 : how < VFS_SOME ? nnamings : draw(&l) % (nnamings + 1);
	for (i = 0; i < nentries; i++) {
		read_now(&entries[i]);
		list[n++] = (struct found){ wbl_strdup(entries[i].name), &entries[i] };
	}
	for (i = nnamings; i > kept; i--)
		take_back(list, &n, &namings[i - 1]);
	qsort(list, n, sizeof *list, by_name);
	if (mkdir(out, 0700))
		broken("the folder stands already");
	for (i = 0; i < n; i++) {
		if (list[i].name)
			write_one(&l, out, &list[i]);
		free(list[i].name);
	}
	free(list);
}
