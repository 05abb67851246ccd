/* sdk/lib/file_list.c - a file, a folder or a pattern opened as a store: which tables there are, what they look like, who they are.
 * In: `path`, `as`, `table`, `encoding`, `compression`.  Out: struct wbl_files, and the description of docs/data.md. Files are in the
 * order of their names, whatever the folder's order is.
 * SPDX-License-Identifier: Apache-2.0 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "file_pack.h"
#include "file_side.h"

enum { MOST_FILES = 100000 };

/* ---- closing ---- */

static void columns_clear(struct wbl_file_set *set)
{
	while (set->ncols) {
		free(set->cols[--set->ncols].name);
		free(set->cols[set->ncols].type);
	}
	free(set->cols);
	set->cols = NULL;
}

static void set_clear(struct wbl_file_set *set)
{
	columns_clear(set);
	for (size_t i = 0; i < set->nfiles; i++) {
		free(set->files[i].path);
		free(set->files[i].name);
	}
	free(set->files);
	free(set->name);
}

void wbl_files_close(void *self)
{
	struct wbl_files *s = self;

	if (!s)
		return;
	if (s->format->clear)
		s->format->clear(s);
	for (size_t i = 0; i < s->nsets; i++)
		set_clear(&s->sets[i]);
	free(s->sets);
	wbl_side_free(s->side);
	free(s->path);
	free(s->real);
	free(s->table);
	free(s->encoding);
	wbl_out_clear(&s->text);
	free(s);
}

/* ---- columns ---- */

struct wbl_file_column *wbl_file_column_add(struct wbl_file_set *set, const char *name, size_t len)
{
	struct wbl_file_column *c;

	if ((set->ncols & (set->ncols + 1)) == 0)
		set->cols = wbl_sdk_grow(set->cols, (set->ncols * 2 + 2) * sizeof *set->cols);
	c = &set->cols[set->ncols++];
	*c = (struct wbl_file_column){ .name = wbl_sdk_alloc(len + 1) };
	memcpy(c->name, name, len);
	return c;
}

int wbl_file_column_find(const struct wbl_file_set *set, const char *name, size_t len)
{
	for (size_t i = 0; i < set->ncols; i++)
		if (!strncmp(set->cols[i].name, name, len) && !set->cols[i].name[len])
			return (int)i;
	return -1;
}

/* A file that is being written knows its columns from the journal beside it. */
static void columns_written(struct wbl_file_set *set, const struct wbl_side_table *t)
{
	struct wbl_doc *d = wbl_doc_parse(t->columns.s, t->columns.len, NULL);

	for (const struct wbl_node *c = d ? wbl_doc_root(d)->child : NULL; c; c = c->next) {
		const struct wbl_node *name = wbl_node_at(c, "name");
		const char *type = wbl_node_str(c, "type");
		struct wbl_file_column *col;

		col = wbl_file_column_add(set, name->text.s, name->text.len);
		col->type = wbl_sdk_strdup(type ? type : "any");
		col->cast = wbl_type_by_name(col->type);
		if (col->cast < 0)
			col->cast = WBL_TYPE_ANY;
	}
	set->known = set->written = 1;
	wbl_doc_free(d);
}

int32_t wbl_files_know(struct wbl_file_set *set, struct wbl_call *call)
{
	int32_t rc;

	if (set->known)
		return WBL_OK;
	rc = set->store->format->learn(set, call);
	if (rc)
		columns_clear(set);
	else
		set->known = 1;
	return rc;
}

struct wbl_file_set *wbl_files_set(const struct wbl_files *s, const char *name)
{
	for (size_t i = 0; i < s->nsets; i++)
		if (!name || !strcmp(s->sets[i].name, name))
			return &s->sets[i];
	return NULL;
}

/* ---- names ---- */

static const char *const packings[] = { "", ".gz", ".zst" };

char *wbl_files_path(const struct wbl_files *s, const char *set)
{
	const struct wbl_file_set *known = wbl_files_set(s, set);
	struct wbl_out o = { 0 };

	if (s->as != WBL_AS_TABLES)
		return wbl_sdk_strdup(s->path);
	if (known && known->nfiles)
		return wbl_sdk_strdup(known->files[0].path);
	wbl_out_fmt(&o, "%s%s%s%s%s", s->path, s->path[strlen(s->path) - 1] == '/' ? "" : "/", set,
		s->format->endings[0], packings[s->packing]);
	return o.s;
}

/* Length of the name without its ending; 0 when the format has no such. */
static size_t stem(const struct wbl_files *s, const char *name)
{
	size_t len = strlen(name);

	for (size_t p = 1; p < 3; p++)
		if (len > strlen(packings[p]) &&
			!strcmp(name + len - strlen(packings[p]), packings[p])) {
			len -= strlen(packings[p]);
			break;
		}
	for (const char *const *e = s->format->endings; *e; e++) {
		size_t n = strlen(*e);

		if (len > n && !memcmp(name + len - n, *e, n))
			return len - n;
	}
	return 0;
}

static const char *base_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

/* ---- files found ---- */

static int32_t look_at(struct wbl_call *own, struct wbl_file *f)
{
	if (stat(f->path, &f->seen))
		return wbl_error_report(own, errno == ENOENT ? WBL_E_STALE : WBL_E_UNAVAILABLE,
			f->path, "Check the file's mode and the engine's user.", "cannot read: %s",
			strerror(errno));
	if (!S_ISREG(f->seen.st_mode))
		return wbl_error_report(own, WBL_E_PARAM, f->path, NULL, "not a regular file");
	f->size = (uint64_t)f->seen.st_size;
	return WBL_OK;
}

static struct wbl_file_set *add_set(struct wbl_files *s, const char *name, size_t len)
{
	struct wbl_file_set *set;

	if ((s->nsets & (s->nsets + 1)) == 0)
		s->sets = wbl_sdk_grow(s->sets, (s->nsets * 2 + 2) * sizeof *s->sets);
	set = &s->sets[s->nsets++];
	*set = (struct wbl_file_set){ .store = s, .name = wbl_sdk_alloc(len + 1) };
	memcpy(set->name, name, len);
	return set;
}

static void add_file(struct wbl_file_set *set, const char *path, const char *name)
{
	if ((set->nfiles & (set->nfiles + 1)) == 0)
		set->files = wbl_sdk_grow(set->files, (set->nfiles * 2 + 2) * sizeof *set->files);
	set->files[set->nfiles++] =
		(struct wbl_file){ .path = wbl_sdk_strdup(path), .name = wbl_sdk_strdup(name) };
}

struct names {
	char **list;
	size_t n;
};

static void names_add(struct names *l, const char *name)
{
	if ((l->n & (l->n + 1)) == 0)
		l->list = wbl_sdk_grow(l->list, (l->n * 2 + 2) * sizeof *l->list);
	l->list[l->n++] = wbl_sdk_strdup(name);
}

static void names_free(struct names *l)
{
	while (l->n)
		free(l->list[--l->n]);
	free(l->list);
}

static int by_bytes(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static int32_t names_of_folder(const struct wbl_files *s, struct wbl_call *call, struct names *ret)
{
	DIR *d = opendir(s->path);
	const struct dirent *e;
	struct wbl_out path = { 0 };
	struct stat st;
	int why = 0;

	while (d && ret->n <= MOST_FILES && (errno = 0, e = readdir(d))) {
		if (e->d_name[0] == '.' || !stem(s, e->d_name))
			continue;
		wbl_out_reset(&path);
		wbl_out_fmt(&path, "%s%s%s", s->path,
			s->path[strlen(s->path) - 1] == '/' ? "" : "/", e->d_name);
		if (stat(path.s, &st) || S_ISREG(st.st_mode))
			names_add(ret, path.s);
	}
	why = errno;
	wbl_out_clear(&path);
	if (d)
		closedir(d);
	if (!d || (why && ret->n <= MOST_FILES))
		return wbl_error_report(call, WBL_E_UNAVAILABLE, s->path,
			why == ENOTDIR
				? "It is a file: leave `as` out, or name a folder or a pattern."
				: "Check the folder's mode and the engine's user.",
			"cannot read the folder: %s", strerror(why));
	return WBL_OK;
}

static int glob_failed(const char *path, int why)
{
	(void)path;
	return why != ENOENT && why != ENOTDIR;
}

static int32_t names_of_pattern(const struct wbl_files *s, struct wbl_call *call, struct names *ret)
{
	glob_t g = { 0 };
	int got = glob(s->path, GLOB_NOSORT, glob_failed, &g);
	struct stat st;

	for (size_t i = 0; !got && i < g.gl_pathc; i++)
		if (stat(g.gl_pathv[i], &st) || S_ISREG(st.st_mode))
			names_add(ret, g.gl_pathv[i]);
	globfree(&g);
	if (got && got != GLOB_NOMATCH)
		return wbl_error_report(call, WBL_E_UNAVAILABLE, s->path,
			"Check the folders' mode and the engine's user.",
			"cannot read the folders of the pattern");
	return WBL_OK;
}

static int is_pattern(const char *path)
{
	return strpbrk(path, "*?[") && access(path, F_OK);
}

static int32_t names_of(const struct wbl_files *s, struct wbl_call *call, struct names *ret)
{
	int32_t rc = is_pattern(s->path) ? names_of_pattern(s, call, ret)
					 : names_of_folder(s, call, ret);

	if (!rc && ret->n > MOST_FILES)
		rc = wbl_error_report(call, WBL_E_PARAM, s->path,
			"Give a narrower pattern, or split the migration.", "more than %d files",
			MOST_FILES);
	if (!rc && ret->n)
		qsort(ret->list, ret->n, sizeof *ret->list, by_bytes);
	return rc;
}

/* What stands behind the part of the path in which nothing is a pattern. */
static const char *shown(const struct wbl_files *s, const char *path)
{
	size_t fixed = is_pattern(s->path) ? strcspn(s->path, "*?[") : strlen(s->path);

	while (fixed && s->path[fixed - 1] != '/')
		fixed--;
	if (is_pattern(s->path))
		return path + fixed;
	return base_of(path);
}

static int32_t as_tables(struct wbl_files *s, struct wbl_call *own, const struct names *l)
{
	for (size_t i = 0; i < l->n; i++) {
		const char *base = base_of(l->list[i]);
		size_t len = stem(s, base);
		struct wbl_file_set *set;

		len = len ? len : strlen(base);
		for (size_t k = 0; k < s->nsets; k++)
			if (!strncmp(s->sets[k].name, base, len) && !s->sets[k].name[len])
				return wbl_error_report(own, WBL_E_PARAM, l->list[i],
					"Take one of them away, or narrow the pattern.",
					"%s is a file of the table \"%s\" already",
					s->sets[k].files[0].path, s->sets[k].name);
		set = add_set(s, base, len);
		add_file(set, l->list[i], base);
	}
	return WBL_OK;
}

static int32_t list(struct wbl_files *s, struct wbl_call *own)
{
	struct names l = { 0 };
	int32_t rc = names_of(s, own, &l);

	if (!rc && s->as == WBL_AS_TABLES) {
		rc = as_tables(s, own, &l);
	} else if (!rc && l.n) {
		struct wbl_file_set *set = add_set(s, s->table, strlen(s->table));

		for (size_t i = 0; i < l.n; i++)
			add_file(set, l.list[i], shown(s, l.list[i]));
	}
	names_free(&l);
	return rc;
}

int32_t wbl_files_complete(const struct wbl_file_set *set, struct wbl_call *call)
{
	struct names l = { 0 };
	const char *other = NULL;
	int32_t rc = WBL_OK;
	size_t i = 0;

	if (set->store->as != WBL_AS_ONE)
		return WBL_OK;
	rc = names_of(set->store, call, &l);
	while (!rc && i < l.n && i < set->nfiles && !strcmp(l.list[i], set->files[i].path))
		i++;
	if (!rc && i < l.n && (i == set->nfiles || strcmp(l.list[i], set->files[i].path) < 0))
		other = l.list[i];
	if (other)
		rc = wbl_error_report(call, WBL_E_STALE, other,
			"Let nobody write into the folder, then plan again.",
			"the file was added while the others were read");
	else if (!rc && i < set->nfiles)
		rc = wbl_error_report(call, WBL_E_STALE, set->files[i].path,
			"Let nobody write into the folder, then plan again.",
			"the file was taken away while the others were read");
	names_free(&l);
	return rc;
}

/* ---- opening ---- */

/* What the journal says of the table's file: how much of it counts, or that it is not there yet. */
static void as_written(struct wbl_files *s)
{
	for (size_t i = 0; i < s->side->ntables; i++) {
		const struct wbl_side_table *t = &s->side->tables[i];
		struct wbl_file_set *set = wbl_files_set(s, t->set);

		if (!set)
			continue;
		if (!t->made) {
			set_clear(set);
			*set = s->sets[--s->nsets];
			continue;
		}
		columns_written(set, t);
		if (t->open && set->files[0].size > t->length)
			set->files[0].size = t->length;
	}
}

static int32_t find_files(struct wbl_files *s, struct wbl_call *own)
{
	struct stat st;
	int32_t rc = WBL_OK;

	if (s->as == WBL_AS_FILE) {
		/* Without a table on record the file is not there yet, whatever a dead process left. */
		if (s->side->exists && !s->side->ntables)
			return WBL_OK;
		if (stat(s->path, &st) && (errno == ENOENT || errno == ENOTDIR))
			return WBL_OK;
		add_file(add_set(s, s->table, strlen(s->table)), s->path, base_of(s->path));
	} else if (is_pattern(s->path) || !stat(s->path, &st)) {
		s->exists = 1;
		rc = list(s, own);
	} else if (errno != ENOENT && errno != ENOTDIR) {
		return wbl_error_report(own, WBL_E_UNAVAILABLE, s->path,
			"Check the folders' mode and the engine's user.", "cannot read: %s",
			strerror(errno));
	}
	for (size_t i = 0; !rc && i < s->nsets; i++)
		for (size_t k = 0; !rc && k < s->sets[i].nfiles; k++)
			rc = look_at(own, &s->sets[i].files[k]);
	if (!rc && s->as != WBL_AS_ONE)
		as_written(s);
	if (s->as == WBL_AS_FILE)
		s->exists = s->nsets > 0 || s->side->exists;
	return rc;
}

static int same_file(const struct wbl_file *a, const struct wbl_file *b)
{
	return !strcmp(a->path, b->path) && a->size == b->size &&
	       a->seen.st_ino == b->seen.st_ino && a->seen.st_size == b->seen.st_size &&
	       a->seen.st_mtim.tv_sec == b->seen.st_mtim.tv_sec &&
	       a->seen.st_mtim.tv_nsec == b->seen.st_mtim.tv_nsec;
}

/* Columns that were read are those of the same files still. */
static void keep_columns(struct wbl_files *s, struct wbl_file_set *old)
{
	struct wbl_file_set *set = wbl_files_set(s, old->name);
	size_t i = 0;

	if (!set || set->known || !old->known || old->written || set->nfiles != old->nfiles)
		return;
	while (i < set->nfiles && same_file(&set->files[i], &old->files[i]))
		i++;
	if (i < set->nfiles)
		return;
	set->cols = old->cols;
	set->ncols = old->ncols;
	set->known = 1;
	old->cols = NULL;
	old->ncols = 0;
}

int32_t wbl_files_refresh(struct wbl_files *s, struct wbl_call *call)
{
	struct wbl_file_set *old = s->sets;
	size_t n = s->nsets;
	int32_t rc;

	if (s->walks)
		return WBL_OK;
	s->sets = NULL;
	s->nsets = 0;
	s->exists = 0;
	rc = wbl_side_load(s->side, call);
	rc = rc ? rc : find_files(s, call);
	for (size_t i = 0; i < n; i++) {
		if (!rc)
			keep_columns(s, &old[i]);
		set_clear(&old[i]);
	}
	free(old);
	return rc;
}

static int form_of(const struct wbl_files *s, const char *as)
{
	struct stat st;
	size_t len = strlen(s->path);

	if (!strcmp(as, "file"))
		return WBL_AS_FILE;
	if (!strcmp(as, "one"))
		return WBL_AS_ONE;
	if (!strcmp(as, "tables") || (len && s->path[len - 1] == '/') || is_pattern(s->path) ||
		(!stat(s->path, &st) && S_ISDIR(st.st_mode)))
		return WBL_AS_TABLES;
	return WBL_AS_FILE;
}

static int32_t options(struct wbl_files *s, struct wbl_call *own)
{
	const char *table = wbl_param_text(own, "table").s,
		   *encoding = wbl_param_text(own, "encoding").s,
		   *packing = wbl_param_text(own, "compression").s;

	s->as = form_of(s, wbl_param_text(own, "as").s);
	if (s->target && (s->as == WBL_AS_ONE || (s->as == WBL_AS_TABLES && is_pattern(s->path))))
		return wbl_error_report(own, WBL_E_PARAM, "as",
			"Name a file, or a folder with as = \"tables\".",
			"a target is one file, or a folder of tables");
	if (*table && s->as == WBL_AS_TABLES)
		return wbl_error_report(own, WBL_E_PARAM, "table",
			"Leave it out: each file gives its table a name.",
			"a folder of tables has no one name");
	if (s->as != WBL_AS_TABLES)
		s->table = wbl_sdk_strdup(*table              ? table
					  : *base_of(s->path) ? base_of(s->path)
							      : s->path);
	if (*encoding && strcasecmp(encoding, "utf-8") != 0 && strcasecmp(encoding, "utf8") != 0) {
		if (wbl_encoding_check(encoding))
			return wbl_error_report(own, WBL_E_PARAM, "encoding",
				"Look at iconv -l for the names that there are.",
				"there is no encoding \"%s\"", encoding);
		s->encoding = wbl_sdk_strdup(encoding);
	}
	s->packing = !strcmp(packing, "gzip")   ? WBL_PACK_GZIP
		     : !strcmp(packing, "zstd") ? WBL_PACK_ZSTD
						: WBL_PACK_NONE;
	s->packing_off = !strcmp(packing, "none");
	return WBL_OK;
}

/* Without `compression` the ending of the name says how a new file is packed. */
static void packing_by_name(struct wbl_files *s)
{
	size_t len = strlen(s->path);

	for (size_t p = 1; p < 3 && s->as == WBL_AS_FILE && !s->packing && !s->packing_off; p++)
		if (len > strlen(packings[p]) &&
			!strcmp(s->path + len - strlen(packings[p]), packings[p]))
			s->packing = (int)p;
}

static struct wbl_side *side_of(const struct wbl_files *s)
{
	struct wbl_side *side;
	struct wbl_out log = { 0 };

	if (s->as == WBL_AS_TABLES)
		wbl_out_fmt(&log, "%s%s.whimbrel", s->path,
			s->path[strlen(s->path) - 1] == '/' ? "" : "/");
	else
		wbl_out_fmt(&log, "%s.whimbrel", s->path);
	side = wbl_side_new(log.s);
	wbl_out_clear(&log);
	return side;
}

int32_t wbl_files_open(const struct wbl_files_format *format, struct wbl_call *own, uint32_t flags,
	void **ret_self, uint64_t *ret_capabilities)
{
	struct wbl_files *s = wbl_sdk_alloc(format->self_size);
	int32_t rc;

	s->format = format;
	s->path = wbl_sdk_strdup(wbl_param_text(own, "path").s);
	s->real = realpath(s->path, NULL);
	s->write = (flags & WBL_OPEN_WRITE) != 0;
	s->target = s->write || (flags & WBL_OPEN_TARGET);
	rc = *s->path ? options(s, own)
		      : wbl_error_report(own, WBL_E_PARAM, "path", NULL, "the path is empty");
	packing_by_name(s);
	s->side = side_of(s);
	rc = rc ? rc : format->options(s, own);
	rc = rc ? rc : wbl_side_load(s->side, own);
	rc = rc ? rc : find_files(s, own);
	if (rc) {
		wbl_files_close(s);
		return rc;
	}
	*ret_self = s;
	*ret_capabilities = WBL_CAN_BYTES;
	if (s->as == WBL_AS_FILE || (s->as == WBL_AS_TABLES && !is_pattern(s->path)))
		*ret_capabilities |= WBL_CAN_WRITE | WBL_CAN_SCHEMA;
	return WBL_OK;
}

/* ---- described ---- */

/* Size, time, and what stands at the beginning, in the middle and at the end. */
static void identity_of(const struct wbl_file *f, char *buf, struct wbl_out *o)
{
	enum { SAMPLE = 1 << 16 };
	off_t size = f->seen.st_size, at[3] = { 0, size / 2, size > SAMPLE ? size - SAMPLE : 0 };
	int fd = open(f->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat now = f->seen;
	char hex[33];
	size_t n = 0;

	/* It may be asked for while the file is read. */
	if (fd < 0 || fstat(fd, &now))
		now.st_size = -1;
	for (int i = 0; i < 3; i++) {
		ssize_t got = pread(fd, buf + n, SAMPLE, at[i]);

		n += got > 0 ? (size_t)got : 0;
	}
	if (fd >= 0)
		close(fd);
	wbl_digest_hex(buf, n, hex);
	wbl_out_fmt(o, "%lld:%lld.%09ld:%s", (long long)now.st_size, (long long)now.st_mtim.tv_sec,
		now.st_mtim.tv_nsec, hex);
}

static void identity(const struct wbl_files *s, struct wbl_out *o)
{
	char *buf = wbl_sdk_alloc(3 << 16), hex[33];
	struct wbl_out id = { 0 };

	wbl_out_reset(&id);
	for (size_t i = 0; i < s->nsets; i++)
		for (size_t k = 0; k < s->sets[i].nfiles; k++) {
			if (s->as != WBL_AS_FILE)
				wbl_out_fmt(&id, "%s:", s->sets[i].files[k].path);
			identity_of(&s->sets[i].files[k], buf, &id);
		}
	if (s->as != WBL_AS_FILE) {
		wbl_digest_hex(id.s, id.len, hex);
		wbl_out_reset(&id);
		wbl_out_fmt(&id, "%s", hex);
	}
	wbl_out_text(o, "identity", id.s);
	wbl_out_clear(&id);
	free(buf);
}

static void tell_column(const struct wbl_file_column *c, struct wbl_out *o)
{
	wbl_out_open(o, NULL, '{');
	wbl_out_text(o, "name", c->name);
	wbl_out_text(o, "type", c->type ? c->type : "text");
	wbl_out_bool(o, "not_null", c->not_null);
	wbl_out_close(o, '}');
}

static void tell_set(const struct wbl_file_set *set, struct wbl_out *o)
{
	static const char *const none[] = { "key", "indexes" };
	static char file[] = "#file", text[] = "text";
	int one = set->store->as == WBL_AS_ONE;
	int64_t bytes = 0;

	for (size_t i = 0; i < set->nfiles; i++)
		bytes += (int64_t)set->files[i].size;
	wbl_out_open(o, NULL, '{');
	wbl_out_text(o, "name", set->name);
	wbl_out_text(o, "kind", "file");
	wbl_out_text(o, "position", one ? "line of all files together" : "line");
	wbl_out_int(o, "bytes", bytes);
	wbl_out_open(o, "columns", '[');
	for (size_t i = 0; i < set->ncols; i++)
		tell_column(&set->cols[i], o);
	if (one)
		tell_column(
			&(struct wbl_file_column){ .name = file, .type = text, .not_null = 1 }, o);
	wbl_out_close(o, ']');
	for (int i = 0; i < 2; i++) {
		wbl_out_open(o, none[i], '[');
		wbl_out_close(o, ']');
	}
	wbl_out_close(o, '}');
}

static void tell_store(const struct wbl_files *s, struct wbl_out *o)
{
	wbl_out_text(o, "store", s->format->name);
	wbl_out_text(o, "dialect", s->format->name);
	wbl_out_bool(o, "exists", s->exists);
	wbl_out_open(o, "limits", '{');
	wbl_out_bool(o, "indexes", 0);
	wbl_out_int(o, "writers", 1);
	if (s->as == WBL_AS_FILE)
		wbl_out_text(o, "only", s->table);
	wbl_out_close(o, '}');
	wbl_out_open(o, "claims", '[');
	wbl_out_open(o, NULL, '{');
	wbl_out_text(o, "kind", "path");
	wbl_out_text(o, "name", s->real ? s->real : s->path);
	wbl_out_close(o, '}');
	wbl_out_close(o, ']');
	if (s->nsets)
		identity(s, o);
}

int32_t wbl_files_describe(
	void *self, struct wbl_call *call, const char *set, const char **ret_json)
{
	struct wbl_files *s = self;
	struct wbl_out *o = &s->text;
	int32_t rc = wbl_files_refresh(s, call);

	if (!rc && set && !wbl_files_set(s, set))
		return WBL_END;
	for (size_t i = 0; !rc && i < s->nsets; i++)
		if (!set || !strcmp(s->sets[i].name, set))
			rc = wbl_files_know(&s->sets[i], call);
	if (rc)
		return rc;
	wbl_out_reset(o);
	wbl_out_open(o, NULL, '{');
	tell_store(s, o);
	wbl_out_open(o, "sets", '[');
	for (size_t i = 0; i < s->nsets; i++)
		if (!set || !strcmp(s->sets[i].name, set))
			tell_set(&s->sets[i], o);
	wbl_out_close(o, ']');
	wbl_out_close(o, '}');
	*ret_json = o->s;
	return WBL_OK;
}
