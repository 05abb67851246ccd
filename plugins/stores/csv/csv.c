/* csv.c - the store "csv": options, names of columns, and the table of functions.
 * In: separator, quote, header, null and the rest of csv.conf.  Out: struct csv_self. What all files of records have in common is in
 * whimbrel/sdk_files.h; every cell is text or NULL, the mapping says what it means, unless the options say that it shows.
 * SPDX-License-Identifier: Apache-2.0 */
#include "csv_impl.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- options ---- */

static int32_t one_char(struct wbl_call *own, const char *param, int otherwise, int *ret)
{
	struct wbl_text t = wbl_param_text(own, param);

	*ret = otherwise;
	if (!wbl_param_json(own, param))
		return WBL_OK;
	if (t.len == 1 && *t.s > 0 && !strchr("\r\n", *t.s)) {
		*ret = *t.s;
		return WBL_OK;
	}
	if (!strcmp(t.s, "tab") || !strcmp(t.s, "none")) {
		*ret = *t.s == 't' ? '\t' : -1;
		return WBL_OK;
	}
	return wbl_error_report(own, WBL_E_PARAM, param,
		"Give one ASCII character, or \"tab\" or \"none\".",
		"one character was expected, found \"%s\"", t.s);
}

static int32_t characters(struct csv_self *s, struct wbl_call *own)
{
	int32_t rc = one_char(own, "separator", ',', &s->sep);

	rc = rc ? rc : one_char(own, "quote", '"', &s->quote);
	rc = rc ? rc : one_char(own, "comment", -1, &s->comment);
	if (rc)
		return rc;
	s->escape = !strcmp(wbl_param_text(own, "escape").s, "backslash") ? '\\' : -1;
	if (s->sep < 0 || s->sep == s->quote || s->sep == s->comment || s->sep == s->escape ||
		(s->quote >= 0 && (s->quote == s->escape || s->quote == s->comment)))
		return wbl_error_report(own, WBL_E_PARAM, "separator",
			"Choose different characters.",
			"fields cannot be told apart with this separator and quote");
	return WBL_OK;
}

static int choice(struct wbl_call *own, const char *param, const char *const *words)
{
	struct wbl_text t = wbl_param_text(own, param);

	for (int i = 1; words[i]; i++)
		if (!strcmp(t.s, words[i]))
			return i;
	return 0;
}

static void null_text(struct csv_self *s, struct wbl_call *own)
{
	const struct wbl_node *given = wbl_param_json(own, "null");

	if (given && given->kind == WBL_NODE_TEXT) {
		s->null_text = wbl_sdk_strdup(given->text.s);
		s->null_len = given->text.len;
	} else if (s->files.target) {
		s->null_text = wbl_sdk_strdup("");
	}
}

static int32_t names(struct csv_self *s, struct wbl_call *own)
{
	const struct wbl_node *list = wbl_param_json(own, "columns");

	s->given = wbl_sdk_alloc((list ? list->count + 1 : 1) * sizeof *s->given);
	for (const struct wbl_node *c = list ? list->child : NULL; c; c = c->next)
		s->given[s->ngiven++] = wbl_sdk_strdup(c->text.s);
	if (s->ngiven <= CSV_MOST_COLUMNS)
		return WBL_OK;
	return wbl_error_report(
		own, WBL_E_PARAM, "columns", NULL, "more than %d columns", CSV_MOST_COLUMNS);
}

static int32_t options(struct wbl_files *files, struct wbl_call *own)
{
	static const char *const ragged[] = { "error", "fill", "reject", NULL },
				 *const quoting[] = { "minimal", "all", "nonnumeric", NULL },
				 *const bytes[] = { "refuse", "hex", "base64", NULL },
				 *const ends[] = { "lf", "crlf", NULL },
				 *const nonfinite[] = { "refuse", "text", NULL };
	struct csv_self *s = (struct csv_self *)files;
	int32_t rc = characters(s, own);

	rc = rc ? rc : names(s, own);
	null_text(s, own);
	s->marks = wbl_param_bool(own, "marks", files->target);
	s->ragged = (enum csv_ragged)choice(own, "ragged", ragged);
	s->quoting = (enum csv_quoting)choice(own, "quoting", quoting);
	s->bytes = files->target && !wbl_param_json(own, "bytes")
			   ? CSV_HEX
			   : (enum csv_bytes)choice(own, "bytes", bytes);
	s->nonfinite = choice(own, "nonfinite", nonfinite);
	s->crlf = choice(own, "line_end", ends);
	s->header = wbl_param_bool(own, "header", 1);
	s->trailing = wbl_param_bool(own, "trailing_separator", 0);
	s->blank_lines = wbl_param_bool(own, "blank_lines", 0);
	s->skip_lines = (uint64_t)wbl_param_int(own, "skip_lines", 0);
	if (!rc && s->skip_lines && files->target)
		rc = wbl_error_report(own, WBL_E_PARAM, "skip_lines", "Leave it out.",
			"a target has no lines before its header");
	return rc;
}

static void self_clear(struct wbl_files *files)
{
	struct csv_self *s = (struct csv_self *)files;

	while (s->ngiven)
		free(s->given[--s->ngiven]);
	free(s->given);
	free(s->null_text);
}

/* ---- names of columns ---- */

static int by_name(const void *a, const void *b)
{
	return strcmp((*(const struct wbl_file_column *const *)a)->name,
		(*(const struct wbl_file_column *const *)b)->name);
}

static int32_t check_names(struct wbl_file_set *set, const char *path, struct wbl_call *call)
{
	const struct wbl_file_column **sorted = wbl_sdk_alloc((set->ncols + 1) * sizeof(*sorted));
	int32_t rc = WBL_OK;

	for (size_t i = 0; !rc && i < set->ncols; i++) {
		const char *name = set->cols[i].name;

		sorted[i] = &set->cols[i];
		if (!*name || !wbl_utf8_ok(name, strlen(name)))
			rc = wbl_error_report(call, WBL_E_PARAM, path,
				"Give the names by `columns` and set `header = false`, or mend the "
				"header.",
				"column %zu has no usable name", i + 1);
	}
	if (!rc && set->ncols)
		qsort(sorted, set->ncols, sizeof *sorted, by_name);
	for (size_t i = 1; !rc && i < set->ncols; i++)
		if (!strcmp(sorted[i - 1]->name, sorted[i]->name))
			rc = wbl_error_report(call, WBL_E_PARAM, path, "Give names that differ.",
				"two columns are called \"%s\"", sorted[i]->name);
	free(sorted);
	return rc;
}

static int32_t empty(struct wbl_reader *r)
{
	const struct csv_self *s = (const struct csv_self *)r->set->store;

	if (s->skip_lines || s->comment >= 0)
		return wbl_error_report(r->call, WBL_E_PARAM, r->file->path,
			"Check `skip_lines` and `comment`.",
			"no record is left behind the lines that are passed over");
	return wbl_error_report(
		r->call, WBL_E_PARAM, r->file->path, "Check the path.", "the file is empty");
}

/* The header's names are the columns, or have to be those of the files before. */
static int32_t take_header(struct csv_reader *r)
{
	const struct csv_self *s = (const struct csv_self *)r->r.set->store;
	struct wbl_file_set *set = r->r.set;

	csv_trailing(r);
	if (set->known && r->nfields != set->ncols)
		return csv_wrong_count(r);
	for (size_t i = 0; i < r->nfields; i++) {
		struct wbl_text name = csv_field_text(r, &r->fields[i]);

		if (!set->known && !s->ngiven)
			wbl_file_column_add(set, name.s, name.len);
		else if (!s->ngiven && (strncmp(set->cols[i].name, name.s, name.len) != 0 ||
					       set->cols[i].name[name.len]))
			return wbl_reader_bad(&r->r, r->r.number,
				"Bring the files into one form, or give the names by `columns`.",
				"column %zu is called \"%.*s\" and not \"%s\"", i + 1,
				(int)(name.len < 100 ? name.len : 100), name.s, set->cols[i].name);
	}
	return WBL_OK;
}

static int32_t begin(struct wbl_reader *reader)
{
	struct csv_reader *r = (struct csv_reader *)reader;
	const struct csv_self *s = (const struct csv_self *)reader->set->store;
	int32_t rc = WBL_OK;

	for (uint64_t i = 0; !rc && i < s->skip_lines; i++)
		rc = wbl_reader_line(reader);
	if (!rc && s->header)
		rc = wbl_reader_next(reader);
	if (rc == WBL_END)
		return empty(reader);
	return rc || !s->header ? rc : take_header(r);
}

static int32_t number_columns(struct csv_reader *r)
{
	char name[32];
	int32_t rc = wbl_reader_next(&r->r);

	if (rc)
		return rc == WBL_END ? empty(&r->r) : rc;
	csv_trailing(r);
	for (size_t i = 0; i < r->nfields; i++)
		wbl_file_column_add(
			r->r.set, name, (size_t)snprintf(name, sizeof name, "c%zu", i + 1));
	return WBL_OK;
}

/* Column names: from `columns`, else the header, else c1, c2 ... */
static int32_t learn(struct wbl_file_set *set, struct wbl_call *call)
{
	const struct csv_self *s = (const struct csv_self *)set->store;
	struct wbl_reader *r = NULL;
	int32_t rc = WBL_OK;

	for (size_t i = 0; i < s->ngiven; i++)
		wbl_file_column_add(set, s->given[i], strlen(s->given[i]));
	set->known = s->ngiven > 0;
	if (s->header || !s->ngiven) {
		rc = wbl_reader_open(set, 0, call, 0, 1, &r);
		if (!rc && !set->ncols)
			rc = number_columns((struct csv_reader *)r);
		wbl_reader_close(r);
	}
	set->known = 0;
	rc = rc ? rc : check_names(set, set->files[0].path, call);
	for (size_t i = 0; i < set->ncols; i++) {
		set->cols[i].not_null = !s->null_text && s->ragged != CSV_RAGGED_FILL;
		if (s->marks || s->bytes || s->nonfinite)
			set->cols[i].type = wbl_sdk_strdup("any");
	}
	return rc;
}

static const char *const endings[] = { ".csv", ".tsv", ".tab", ".txt", NULL };
static const struct wbl_files_format csv_format = {
	.name = "csv",
	.endings = endings,
	.self_size = sizeof(struct csv_self),
	.reader_size = sizeof(struct csv_reader),
	.options = options,
	.clear = self_clear,
	.reader_clear = csv_reader_clear,
	.learn = learn,
	.begin = begin,
	.find = csv_find,
	.plain = csv_plain,
	.row = csv_row,
	.check = csv_check,
	.head = csv_head,
	.line = csv_line,
};

static int32_t csv_open(const struct wbl_store *me, struct wbl_call *own, uint32_t flags,
	void **ret_self, uint64_t *ret_capabilities)
{
	(void)me;
	return wbl_files_open(&csv_format, own, flags, ret_self, ret_capabilities);
}

static const struct wbl_store csv_store = {
	.size = sizeof csv_store,
	.revision = 1,
	.name = "csv",
	.open = csv_open,
	WBL_FILES_STORE,
};
WBL_MODULE(csv, "org.whimbrel.store.csv", "0.2.0", WBL_STORE(&csv_store))
