/* jsonl.c - the store "jsonl": options, columns learned from the first records, and the table of functions.
 * In: columns, missing, marks, nest and the rest of jsonl.conf.  Out: struct jsonl_self. What all files of records have in common is in
 * whimbrel/sdk_files.h. Columns and their types are those of the first records, unless columns are named; a record that does not fit them
 * later is an error with its line, never half a row.
 * SPDX-License-Identifier: Apache-2.0 */
#include "jsonl_impl.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int usable_name(const struct wbl_text *name)
{
	static const char *const taken[] = { "#position", "#file" };

	for (size_t i = 0; i < sizeof taken / sizeof *taken; i++)
		if (name->len == strlen(taken[i]) && !memcmp(name->s, taken[i], name->len))
			return 0;
	return name->len && name->s[0] != '=' && wbl_utf8_ok(name->s, name->len);
}

static unsigned kind_of(const struct wbl_node *n)
{
	switch (n->kind) {
	case WBL_NODE_NULL:
		return 0;
	case WBL_NODE_FALSE:
	case WBL_NODE_TRUE:
		return JSONL_BOOL;
	case WBL_NODE_NUMBER:
		return strpbrk(n->text.s, ".eE") ? JSONL_DECIMAL : JSONL_INT;
	case WBL_NODE_TEXT:
		return JSONL_TEXT;
	default:
		return JSONL_JSON;
	}
}

/* A whole number of more than 64 bits is a decimal. */
static unsigned kind_exact(const struct wbl_node *n, int marks)
{
	unsigned kind = kind_of(n);
	char *end;

	if (marks && kind == JSONL_JSON && jsonl_is_mark(n)) {
		if (!strcmp(n->child->key.s, "$json"))
			return JSONL_JSON;
		return !strcmp(n->child->key.s, "$base64") ? JSONL_BYTES : JSONL_MARKED;
	}
	if (kind != JSONL_INT)
		return kind;
	errno = 0;
	(void)!strtoll(n->text.s, &end, 10);
	return errno ? JSONL_DECIMAL : JSONL_INT;
}

/* Where the lines have values of several kinds, only "any" keeps a number and its text apart. */
static const char *type_of(unsigned kinds)
{
	switch (kinds) {
	case JSONL_INT:
		return "int";
	case JSONL_DECIMAL:
	case JSONL_DECIMAL | JSONL_INT:
		return "decimal";
	case JSONL_BOOL:
		return "bool";
	case JSONL_TEXT:
		return "text";
	case JSONL_JSON:
		return "json";
	case JSONL_BYTES:
		return "bytes";
	default:
		return "any";
	}
}

static int32_t learn_name(struct jsonl_reader *r, const char *name, size_t len)
{
	struct wbl_text t = { name, len };

	if (wbl_file_column_find(r->r.set, name, len) >= 0)
		return WBL_OK;
	if (!usable_name(&t))
		return wbl_reader_bad(&r->r, r->r.number,
			"Name the columns to be taken by `columns`.",
			"the key \"%.100s\" cannot be the name of a column", name);
	wbl_file_column_add(r->r.set, name, len);
	return WBL_OK;
}

static int32_t learn_names(struct jsonl_reader *r, const struct wbl_node *o, int nest)
{
	size_t before = r->path.len;
	int32_t rc = WBL_OK;

	for (const struct wbl_node *c = o->child; !rc && c; c = c->next) {
		if (before)
			wbl_out_add(&r->path, ".", 1);
		wbl_out_add(&r->path, c->key.s, c->key.len);
		if (nest && c->kind == WBL_NODE_OBJECT && c->count && !jsonl_is_mark(c))
			rc = learn_names(r, c, nest);
		else
			rc = learn_name(r, r->path.s, r->path.len);
		r->path.len = before;
		r->path.s[before] = 0;
	}
	return rc;
}

static int32_t learn_record(struct jsonl_reader *r)
{
	const struct jsonl_self *s = (const struct jsonl_self *)r->r.set->store;
	struct wbl_doc *d = NULL;
	int32_t rc = jsonl_object(&r->r, &d);

	wbl_out_reset(&r->path);
	if (!rc && !s->given)
		rc = learn_names(r, wbl_doc_root(d), s->nest);
	rc = rc ? rc : jsonl_place(r, wbl_doc_root(d));
	for (size_t i = 0; !rc && i < r->r.set->ncols; i++)
		if (r->values[i])
			r->r.set->cols[i].kinds |= kind_exact(r->values[i], s->marks);
	wbl_doc_free(d);
	return rc;
}

static int32_t learn_file(
	struct wbl_file_set *set, size_t file, struct wbl_call *call, int *n, uint64_t *bytes)
{
	struct wbl_reader *r = NULL;
	int32_t rc = wbl_reader_open(set, file, call, 0, 1, &r);

	while (!rc && *n < JSONL_SAMPLE_LINES && *bytes < JSONL_SAMPLE_BYTES) {
		rc = wbl_reader_next(r);
		rc = rc ? rc : learn_record((struct jsonl_reader *)r);
		*bytes += rc ? 0 : r->len;
		++*n;
	}
	wbl_reader_close(r);
	return rc;
}

static int32_t learn(struct wbl_file_set *set, struct wbl_call *call)
{
	const struct jsonl_self *s = (const struct jsonl_self *)set->store;
	uint64_t bytes = 0;
	int32_t rc = WBL_END;
	int n = 0;

	for (size_t i = 0; i < s->nnames; i++)
		wbl_file_column_add(set, s->names[i], strlen(s->names[i]));
	for (size_t i = 0; rc == WBL_END && i < set->nfiles; i++)
		rc = learn_file(set, i, call, &n, &bytes);
	for (size_t i = 0; i < set->ncols; i++)
		set->cols[i].type = wbl_sdk_strdup(type_of(set->cols[i].kinds));
	/* What is written here may hold no row yet. */
	if (rc >= 0 && !set->ncols && !s->files.target)
		return wbl_error_report(call, WBL_E_PARAM, set->files[0].path,
			"Check the path, or name the columns by `columns`.",
			"no line of the file has a key");
	return rc == WBL_END ? WBL_OK : rc;
}

static int32_t options(struct wbl_files *files, struct wbl_call *own)
{
	const struct wbl_node *list = wbl_param_json(own, "columns");
	struct jsonl_self *s = (struct jsonl_self *)files;

	s->marks = wbl_param_bool(own, "marks", 1);
	s->nest = wbl_param_bool(own, "nest", 0);
	s->refuse_missing = !strcmp(wbl_param_text(own, "missing").s, "refuse");
	s->names = wbl_sdk_alloc((list ? list->count + 1 : 1) * sizeof *s->names);
	for (const struct wbl_node *c = list ? list->child : NULL; c; c = c->next) {
		size_t i = 0;

		while (i < s->nnames && strcmp(s->names[i], c->text.s) != 0)
			i++;
		if (!usable_name(&c->text) || i < s->nnames)
			return wbl_error_report(own, WBL_E_PARAM, "columns",
				"Give names that differ and do not begin with =.",
				"\"%s\" cannot be the name of a column here", c->text.s);
		s->names[s->nnames++] = wbl_sdk_strdup(c->text.s);
		s->given = 1;
	}
	return WBL_OK;
}

static void self_clear(struct wbl_files *files)
{
	struct jsonl_self *s = (struct jsonl_self *)files;

	while (s->nnames)
		free(s->names[--s->nnames]);
	free(s->names);
}

static const char *const endings[] = { ".jsonl", ".ndjson", ".json", NULL };
static const struct wbl_files_format jsonl_format = {
	.name = "jsonl",
	.endings = endings,
	.self_size = sizeof(struct jsonl_self),
	.reader_size = sizeof(struct jsonl_reader),
	.options = options,
	.clear = self_clear,
	.reader_clear = jsonl_reader_clear,
	.learn = learn,
	.begin = jsonl_begin,
	.recall = jsonl_recall,
	.find = jsonl_find,
	.plain = jsonl_plain,
	.row = jsonl_row,
	.check = jsonl_check,
	.line = jsonl_line,
};

static int32_t store_open(const struct wbl_store *me, struct wbl_call *own, uint32_t flags,
	void **ret_self, uint64_t *ret_capabilities)
{
	(void)me;
	return wbl_files_open(&jsonl_format, own, flags, ret_self, ret_capabilities);
}

static const struct wbl_store jsonl_store = {
	.size = sizeof jsonl_store,
	.revision = 1,
	.name = "jsonl",
	.open = store_open,
	WBL_FILES_STORE,
};
WBL_MODULE(jsonl, "org.whimbrel.store.jsonl", "0.2.0", WBL_STORE(&jsonl_store))
