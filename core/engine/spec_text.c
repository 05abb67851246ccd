/* engine/spec_text.c - @include done here, because libconfig's own ends the process on a folder and reads
 * whatever it is pointed at.
 * In: the spec's text and folder.  Out: one text, and the file and line of each of its lines.
 * SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "core/engine/spec_text.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "core/base/file.h"

enum { INCLUDE_DEPTH = 8, INCLUDE_FILES = 256, GROUP_SETTINGS = 2000, LEVELS = 64 };
enum lexis { PLAIN, COMMENT, TEXT };

struct expansion {
	struct wbl_spec_text *t;
	const char *dir;
	char *real_dir;
	enum lexis state;
	size_t level;              /* of brackets */
	unsigned settings[LEVELS]; /* so far, in each of the open groups */
	struct wbl_error *err;
};

struct source {
	const struct source *outer;
	const char *real; /* as the file system knows it; NULL when it is no file */
	uint32_t file;
	int depth;
	const char *text;
	size_t len;
	/* where the comment or text began that is still open */
	uint32_t open_line, open_column;
};

static int32_t refuse(struct expansion *e, const struct source *s, uint32_t line, size_t column,
	const char *hint, const char *fmt, ...) __attribute__((format(printf, 6, 7)));

static int32_t refuse(struct expansion *e, const struct source *s, uint32_t line, size_t column,
	const char *hint, const char *fmt, ...)
{
	WBL_AUTOFREE char *where =
		wbl_strf("%s:%u:%zu", e->t->files[s->file], (unsigned)line, column);
	char text[PATH_MAX + 128];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	return wbl_fail(e->err, WBL_E_USAGE, where, hint, "%s", text);
}

static uint32_t add_file(struct wbl_spec_text *t, char *take)
{
	t->files = wbl_grow(t->files, t->nfiles, sizeof *t->files);
	t->files[t->nfiles] = take;
	return (uint32_t)t->nfiles++;
}

static int32_t add_line(
	struct expansion *e, const struct source *s, uint32_t line, const char *text, size_t len)
{
	struct wbl_spec_text *t = e->t;

	if (t->flat.len > WBL_SPEC_MAX || len > WBL_SPEC_MAX - t->flat.len)
		return refuse(e, s, line, 1, "Make it smaller, or make several specs of it.",
			"the spec and its included files are larger than %u bytes", WBL_SPEC_MAX);
	wbl_buf_add(&t->flat, text, len);
	t->lines = wbl_grow(t->lines, t->nlines, sizeof *t->lines);
	t->lines[t->nlines++] = (struct wbl_spec_line){ s->file, line };
	return 0;
}

static size_t blanks(const char *s, size_t len)
{
	size_t n = 0;

	while (n < len && (s[n] == ' ' || s[n] == '\t'))
		n++;
	return n;
}

static bool begins(const char *s, size_t len, const char *word)
{
	size_t n = strlen(word);

	return len >= n && !memcmp(s, word, n);
}

/* Duplicate names cost libconfig a search of the group for every setting: 77 s for a flat file of 1 MiB.
 * What is nested deeper than LEVELS is refused later. */
static int32_t count_setting(
	struct expansion *e, const struct source *s, uint32_t line, size_t column)
{
	if (e->level < LEVELS && ++e->settings[e->level] > GROUP_SETTINGS)
		return refuse(e, s, line, column, "Make several groups, or several specs, of it.",
			"more than %d settings in one group", GROUP_SETTINGS);
	return 0;
}

static int32_t lex_plain(struct expansion *e, struct source *s, uint32_t line, const char *text,
	size_t len, size_t *at)
{
	size_t i = *at;

	if (text[i] == '#' || begins(text + i, len - i, "//")) {
		*at = len;
	} else if (text[i] == '"' || begins(text + i, len - i, "/*")) {
		e->state = text[i] == '"' ? TEXT : COMMENT;
		s->open_line = line;
		s->open_column = (uint32_t)i + 1;
		*at += text[i] == '"' ? 1 : 2;
	} else if (begins(text + i, len - i, "@include")) {
		return refuse(e, s, line, i + 1, "Put it on a line of its own.",
			"@include must begin its line");
	} else {
		++*at;
		if (strchr("{([", text[i]) && text[i]) {
			if (++e->level < LEVELS)
				e->settings[e->level] = 0;
		} else if (strchr("})]", text[i]) && text[i]) {
			e->level -= e->level > 0;
		} else if (text[i] == '=' || text[i] == ':') {
			return count_setting(e, s, line, i + 1);
		}
	}
	return 0;
}

/* Follows comments and texts through one line, so that the next @include is known for one. */
static int32_t lex(
	struct expansion *e, struct source *s, uint32_t line, const char *text, size_t len)
{
	size_t i = 0;
	int32_t rc = 0;

	while (i < len && !rc)
		if (e->state == PLAIN) {
			rc = lex_plain(e, s, line, text, len, &i);
		} else if (e->state == COMMENT && begins(text + i, len - i, "*/")) {
			e->state = PLAIN;
			i += 2;
		} else if (e->state == TEXT && text[i] == '"') {
			e->state = PLAIN;
			i++;
		} else {
			i += e->state == TEXT && text[i] == '\\' ? 2 : 1;
		}
	return rc;
}

static bool is_below(const char *dir, const char *file)
{
	size_t n = strlen(dir);

	return !strcmp(dir, "/") || (!strncmp(dir, file, n) && file[n] == '/');
}

static int32_t expand(struct expansion *e, struct source *s);

static int32_t check_chain(struct expansion *e, const struct source *s, uint32_t line,
	size_t column, const char *name, const char *real)
{
	const struct source *o;

	for (o = s; o; o = o->outer)
		if (o->real && !strcmp(o->real, real))
			return refuse(e, s, line, column,
				"Break the circle: a file cannot hold itself.",
				"@include \"%s\": the file includes itself%s", name,
				o == s ? "" : ", by way of others");
	if (s->depth >= INCLUDE_DEPTH)
		return refuse(e, s, line, column, "Put the settings into fewer files.",
			"@include \"%s\": files are included deeper than %d", name, INCLUDE_DEPTH);
	if (e->t->nfiles > INCLUDE_FILES)
		return refuse(e, s, line, column, "Put the settings into fewer files.",
			"@include \"%s\": more than %d files are included", name, INCLUDE_FILES);
	return 0;
}

static char *shown_name(const struct wbl_spec_text *t, const char *name)
{
	const char *slash = strrchr(t->files[0], '/');

	return wbl_strf("%.*s%s", slash ? (int)(slash - t->files[0] + 1) : 0, t->files[0], name);
}

static int32_t include(
	struct expansion *e, const struct source *s, uint32_t line, size_t column, const char *name)
{
	WBL_AUTOFREE char *path = wbl_strf("%s/%s", e->dir, name);
	WBL_AUTOFREE char *real = realpath(path, NULL);
	struct source inner = { .outer = s, .real = real, .depth = s->depth + 1 };
	struct wbl_buf text = { 0 };
	struct wbl_error why;
	int32_t rc;

	if (!real || !e->real_dir)
		return refuse(e, s, line, column,
			"Check the name; it is looked up in the folder of the spec.",
			"@include \"%s\": %s", name, strerror(errno));
	if (!is_below(e->real_dir, real))
		return refuse(e, s, line, column, "Name a file below the folder of the spec.",
			"@include \"%s\": the file lies outside the folder of the spec", name);
	rc = check_chain(e, s, line, column, name, real);
	if (rc)
		return rc;
	if (wbl_file_read(real, WBL_SPEC_MAX, &text, &why)) {
		wbl_buf_clear(&text);
		return refuse(e, s, line, column, why.hint, "@include \"%s\": %s", name, why.text);
	}
	inner.file = add_file(e->t, shown_name(e->t, name));
	inner.text = text.data;
	inner.len = text.len;
	rc = expand(e, &inner);
	if (!rc && e->state != PLAIN)
		rc = refuse(e, &inner, inner.open_line, inner.open_column,
			e->state == TEXT ? "Close it with a double quote." : "Close it with */.",
			"this %s is not closed in the included file",
			e->state == TEXT ? "text" : "comment");
	if (!rc && e->t->flat.len && e->t->flat.data[e->t->flat.len - 1] != '\n')
		wbl_buf_adds(&e->t->flat, "\n");
	wbl_buf_clear(&text);
	return rc;
}

/* The line has been found to begin with @include at `at`. What follows the name goes on as a line, in its columns. */
static int32_t directive(struct expansion *e, struct source *s, uint32_t line, const char *text,
	size_t len, size_t at)
{
	size_t i = at + strlen("@include"), from, n;
	WBL_AUTOFREE char *name = NULL, *rest = NULL;
	int32_t rc;

	i += blanks(text + i, len - i);
	if (i == len || text[i] != '"')
		return refuse(e, s, line, at + 1, "Write @include \"file.conf\".",
			"@include needs a file name");
	for (from = ++i; i < len && text[i] != '"'; i++)
		if ((unsigned char)text[i] < ' ' || text[i] == '\\')
			break;
	if (i == len || text[i] != '"' || i == from || i - from > NAME_MAX)
		return refuse(e, s, line, at + 1, "Write @include \"file.conf\".",
			"the file name of @include is not a plain one");
	name = wbl_strndup(text + from, i - from);
	if (!wbl_utf8_valid(name, i - from))
		return refuse(e, s, line, at + 1, "Write @include \"file.conf\".",
			"the file name of @include is not UTF-8");
	if (*name == '/')
		return refuse(e, s, line, at + 1, "Name a file below the folder of the spec.",
			"@include \"%s\": an absolute path is not allowed", name);
	rc = include(e, s, line, at + 1, name);
	n = i + 1;
	rest = wbl_alloc(len + 1);
	memset(rest, ' ', n);
	memcpy(rest + n, text + n, len - n);
	if (!rc)
		rc = lex(e, s, line, rest, len);
	return rc ? rc : add_line(e, s, line, rest, len);
}

static int32_t expand(struct expansion *e, struct source *s)
{
	size_t at = 0, len, indent;
	uint32_t line;
	int32_t rc = 0;

	for (line = 1; at < s->len && !rc; line++, at += len) {
		const char *text = s->text + at, *end = memchr(text, '\n', s->len - at);

		len = end ? (size_t)(end - text) + 1 : s->len - at;
		indent = blanks(text, len);
		if (e->state == PLAIN && begins(text + indent, len - indent, "@include")) {
			rc = directive(e, s, line, text, len, indent);
			continue;
		}
		rc = lex(e, s, line, text, len);
		if (!rc)
			rc = add_line(e, s, line, text, len);
	}
	return rc;
}

int32_t wbl_spec_text_expand(const char *name, const char *dir, const char *text, size_t len,
	struct wbl_spec_text *ret, struct wbl_error *err)
{
	const char *slash = strrchr(name, '/');
	WBL_AUTOFREE char *path = wbl_strf("%s/%s", dir, slash ? slash + 1 : name);
	WBL_AUTOFREE char *real = realpath(path, NULL);
	struct wbl_spec_text t = { 0 };
	struct expansion e = { .t = &t, .dir = dir, .real_dir = realpath(dir, NULL), .err = err };
	struct source s = { .real = real, .text = text, .len = len };
	int32_t rc;

	s.file = add_file(&t, wbl_strdup(name));
	if (len > WBL_SPEC_MAX)
		rc = wbl_fail(err, WBL_E_USAGE, name, "Make several specs of it.",
			"the spec is larger than %u bytes", WBL_SPEC_MAX);
	else if (begins(text, len, "\xef\xbb\xbf"))
		rc = refuse(&e, &s, 1, 1, "Save the file as UTF-8 without a byte order mark.",
			"the file begins with a byte order mark");
	else
		rc = expand(&e, &s);
	free(e.real_dir);
	if (rc)
		wbl_spec_text_clear(&t);
	else
		*ret = t;
	return rc;
}

void wbl_spec_text_clear(struct wbl_spec_text *t)
{
	size_t i;

	for (i = 0; i < t->nfiles; i++)
		free(t->files[i]);
	free(t->files);
	free(t->lines);
	wbl_buf_clear(&t->flat);
	*t = (struct wbl_spec_text){ 0 };
}

char *wbl_spec_text_place(const struct wbl_spec_text *t, const char *flat)
{
	const char *colon = strchr(flat, ':');
	char *end;
	unsigned long line;

	line = colon ? strtoul(colon + 1, &end, 10) : 0;
	if (!line || !t->nlines)
		return wbl_strdup(t->files[0]);
	if (line > t->nlines) /* libconfig names the line behind the last one */
		line = t->nlines;
	return wbl_strf("%s:%u%s", t->files[t->lines[line - 1].file],
		(unsigned)t->lines[line - 1].line, end);
}
