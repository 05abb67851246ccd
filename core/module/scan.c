/* module/scan.c - refuses libconfig text that libconfig would misread, before it reads it.
 * In: the text, which kind of file it is.  Out: 0, or the place and the reason.
 * The lexical rules are those of libconfig 1.5: comments, strings, words; the grammar is left to libconfig.
 * SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "core/module/scan.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/file.h"

#define MANIFEST_MAX (256u << 10)
#define SPEC_MAX (1u << 20)
#define STRING_MAX (256u << 10)
#define MANIFEST_DEPTH 16
#define SPEC_DEPTH 32
#define INCLUDE_DEPTH 4

struct scan {
	const char *s;
	size_t len, at, line_start;
	int line, depth, level; /* level: of includes */
	size_t string_len;      /* of adjacent strings, which libconfig joins */
	const char *where,
		*dir; /* dir: includes of every level are looked up in it, as libconfig does */
	unsigned flags;
	size_t *total;
	struct wbl_error *err;
};

static int32_t scan_text(struct scan *c);

static int32_t refuse(struct scan *c, size_t at, const char *hint, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

static int32_t refuse(struct scan *c, size_t at, const char *hint, const char *fmt, ...)
{
	char where[PATH_MAX + 32], text[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	snprintf(where, sizeof where, "%s:%d:%zu", c->where, c->line, at - c->line_start + 1);
	return wbl_fail(c->err, WBL_E_USAGE, where, hint, "%s", text);
}

static int peek(const struct scan *c, size_t ahead)
{
	return c->len - c->at > ahead ? (unsigned char)c->s[c->at + ahead] : -1;
}

static void step(struct scan *c)
{
	if (c->s[c->at++] == '\n') {
		c->line++;
		c->line_start = c->at;
	}
}

static void skip_line_comment(struct scan *c)
{
	while (c->at < c->len && c->s[c->at] != '\n')
		c->at++;
}

static int32_t skip_block_comment(struct scan *c)
{
	struct scan begin = *c;

	for (c->at += 2; c->at < c->len; step(c))
		if (peek(c, 0) == '*' && peek(c, 1) == '/') {
			c->at += 2;
			return 0;
		}
	return refuse(&begin, begin.at, "Close it with */.", "this comment is never closed");
}

static int32_t skip_string(struct scan *c)
{
	struct scan begin = *c;

	for (c->at++; c->at < c->len; step(c)) {
		if (peek(c, 0) == '"') {
			c->at++;
			return 0;
		}
		if (++c->string_len > STRING_MAX)
			return refuse(&begin, begin.at, "Put it into a file of its own.",
				"this string is longer than %u bytes", STRING_MAX);
		if (peek(c, 0) != '\\')
			continue;
		if ((peek(c, 1) == 'x' || peek(c, 1) == 'X') && peek(c, 2) == '0' &&
			peek(c, 3) == '0')
			return refuse(c, c->at, "Texts cannot hold NUL bytes.",
				"\\x00 would be dropped from the text");
		if (peek(c, 1) == '"' || peek(c, 1) == '\\')
			c->at++;
	}
	return refuse(
		&begin, begin.at, "Close it with a double quote.", "this string is never closed");
}

static bool is_word(int ch)
{
	return ch > 0 && (isalnum(ch) || strchr("_*.+-", ch));
}

static bool is_float(const char *word)
{
	char *end;

	if (!strpbrk(word, "0123456789"))
		return false;
	if (word[strspn(word, "0123456789.eE+-")])
		return false;
	errno = 0;
	if (!isfinite(strtod(word, &end)))
		return false;
	return !*end;
}

/* libconfig would take "5000000000b = 1" for two settings: a number must be a whole word. */
static int32_t check_number(struct scan *c, size_t at, const char *word)
{
	bool hex = word[0] == '0' && (word[1] == 'x' || word[1] == 'X');
	bool negative = word[0] == '-', wide;
	const char *digits = word + (*word == '-' || *word == '+') + (hex ? 2 : 0);
	unsigned long long n = 0, most;
	char *end = (char *)digits;

	errno = 0;
	if (hex ? isxdigit((unsigned char)*digits) : isdigit((unsigned char)*digits))
		n = strtoull(digits, &end, hex ? 16 : 10);
	wide = *end == 'L';
	if (end == digits || (*end && strcmp(end, "L") && strcmp(end, "LL"))) {
		if (is_float(word))
			return 0;
		return refuse(c, at, "Give a number, or put a text in double quotes.",
			"\"%s\" is not a number", word);
	}
	most = wide ? (unsigned long long)INT64_MAX + negative
		    : (unsigned long long)INT32_MAX + negative;
	if (!errno && n <= most)
		return 0;
	if (wide || errno || n > (unsigned long long)INT64_MAX + negative)
		return refuse(c, at, "Use a number that fits.",
			"the integer %s does not fit into 64 bits", word);
	return refuse(c, at, "Write an L behind it.",
		"the integer %s does not fit into 32 bits and has no L behind it", word);
}

static int32_t scan_word(struct scan *c)
{
	size_t at = c->at, n = 0;
	char word[64];

	while (is_word(peek(c, 0))) {
		if (n + 1 < sizeof word)
			word[n] = c->s[c->at];
		n++;
		c->at++;
	}
	if (isalpha((unsigned char)word[0]) || word[0] == '*' || word[0] == '_')
		return 0;
	if (n >= sizeof word)
		return refuse(c, at, "Shorten it.", "this number has %zu characters", n);
	word[n] = '\0';
	return check_number(c, at, word);
}

/* Is the file below the folder? Both as the file system knows them. */
static bool is_below(const char *dir, const char *file)
{
	size_t n = strlen(dir);

	return !strcmp(dir, "/") || (!strncmp(dir, file, n) && file[n] == '/');
}

static int32_t scan_file(struct scan *c, size_t at, const char *name)
{
	WBL_AUTOFREE char *file = wbl_strf("%s%s", c->dir, name);
	WBL_AUTOFREE char *real_dir = realpath(c->dir, NULL), *real = realpath(file, NULL);
	struct wbl_buf text = { 0 };
	struct wbl_error why;
	struct scan inner = *c;
	int32_t rc;

	if (!real || !real_dir)
		return refuse(c, at, "Check the name; it is looked up in the folder of the spec.",
			"@include \"%s\": %s", name, strerror(errno));
	if (!is_below(real_dir, real))
		return refuse(c, at, "Name a file below the folder of the spec.",
			"@include \"%s\": the file lies outside %s", name, real_dir);
	if (wbl_file_read(real, SPEC_MAX, &text, &why))
		return refuse(c, at, "Name a regular file that can be read.", "@include \"%s\": %s",
			name, why.text);
	inner.s = text.data;
	inner.len = text.len;
	inner.at = inner.line_start = inner.string_len = 0;
	inner.line = 1;
	inner.where = file;
	inner.level++;
	rc = scan_text(&inner);
	wbl_buf_clear(&text);
	return rc;
}

static int32_t scan_include(struct scan *c)
{
	size_t at = c->at, i;
	char name[256];
	size_t n = 0;

	if (c->len - at < 9 || strncmp(c->s + at, "@include", 8))
		return refuse(c, at, "Put texts in double quotes.", "unexpected \"@\"");
	if (!(c->flags & WBL_SCAN_INCLUDE))
		return refuse(
			c, at, "Put all settings into one file.", "@include is not allowed here");
	for (i = c->line_start; i < at; i++)
		if (c->s[i] != ' ' && c->s[i] != '\t')
			return refuse(c, at, "Put it on a line of its own.",
				"@include must begin its line");
	if (c->level >= INCLUDE_DEPTH)
		return refuse(c, at, "Does a file include itself?",
			"files are included deeper than %d", INCLUDE_DEPTH);
	for (c->at += 8; peek(c, 0) == ' ' || peek(c, 0) == '\t';)
		c->at++;
	if (peek(c, 0) != '"')
		return refuse(c, at, "Write @include \"file.conf\".", "@include needs a file name");
	for (c->at++; peek(c, 0) != '"'; c->at++) {
		if (peek(c, 0) < ' ' || peek(c, 0) == '\\' || n + 1 == sizeof name)
			return refuse(c, at, "Write @include \"file.conf\".",
				"the file name of @include is not a plain one");
		name[n++] = c->s[c->at];
	}
	c->at++;
	name[n] = '\0';
	if (*name == '/')
		return refuse(c, at, "Name a file below the folder of the spec.",
			"@include \"%s\": an absolute path is not allowed", name);
	return scan_file(c, at, name);
}

static int32_t scan_bracket(struct scan *c, int ch)
{
	int most = c->flags & WBL_SCAN_SPEC ? SPEC_DEPTH : MANIFEST_DEPTH;

	if (ch == ')' || ch == '}' || ch == ']') {
		c->depth -= c->depth > 0;
	} else if (++c->depth > most) {
		return refuse(c, c->at, "Make it flatter.", "nested deeper than %d", most);
	}
	c->at++;
	return 0;
}

static int32_t scan_token(struct scan *c)
{
	int ch = peek(c, 0);

	if (ch == '#' || (ch == '/' && peek(c, 1) == '/')) {
		skip_line_comment(c);
		return 0;
	}
	if (ch == '/' && peek(c, 1) == '*')
		return skip_block_comment(c);
	if (ch == '"')
		return skip_string(c);
	if (isspace(ch)) {
		step(c);
		return 0;
	}
	c->string_len = 0; /* anything else ends a run of adjacent strings */
	if (strchr("(){}[]", ch))
		return scan_bracket(c, ch);
	if (ch == '@')
		return scan_include(c);
	if (is_word(ch))
		return scan_word(c);
	c->at++;
	return 0;
}

static size_t first_bad_utf8(const char *s, size_t len)
{
	size_t good = 0, n;

	while (good < len) {
		for (n = 1; n <= 4 && good + n <= len; n++)
			if (wbl_utf8_valid(s + good, n))
				break;
		if (n > 4 || good + n > len)
			break;
		good += n;
	}
	return good;
}

static int32_t check_bytes(struct scan *c)
{
	size_t most = c->flags & WBL_SCAN_SPEC ? SPEC_MAX : MANIFEST_MAX, bad = c->len, i;
	const char *nul;

	if (c->len > most || *c->total > most - c->len)
		return wbl_fail(c->err, WBL_E_USAGE, c->where, "Make it smaller.",
			"is larger than the %zu bytes that are allowed", most);
	*c->total += c->len;
	nul = memchr(c->s, '\0', c->len);
	if (nul)
		bad = (size_t)(nul - c->s);
	else if (!wbl_utf8_valid(c->s, c->len))
		bad = first_bad_utf8(c->s, c->len);
	else
		return 0;
	for (i = 0; i < bad; i++)
		if (c->s[i] == '\n') {
			c->line++;
			c->line_start = i + 1;
		}
	return refuse(c, bad, "Save the file as UTF-8 text.",
		nul ? "a NUL byte" : "a byte that is not UTF-8");
}

static int32_t scan_text(struct scan *c)
{
	int32_t rc = check_bytes(c);

	while (!rc && c->at < c->len)
		rc = scan_token(c);
	return rc;
}

int32_t wbl_libconfig_scan(
	const char *text, size_t len, const char *where, unsigned flags, struct wbl_error *err)
{
	const char *slash = where ? strrchr(where, '/') : NULL;
	WBL_AUTOFREE char *dir =
		slash ? wbl_strndup(where, (size_t)(slash - where) + 1) : wbl_strdup("./");
	size_t total = 0;
	struct scan c = { .s = text,
		.len = len,
		.line = 1,
		.where = where ? where : "text",
		.dir = dir,
		.flags = flags,
		.total = &total,
		.err = err };

	return scan_text(&c);
}
