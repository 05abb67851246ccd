/* sqlite_text.c - what only the text of a CREATE TABLE says: expressions of generated columns, CHECK conditions.
 * In: sqlite_schema.sql, whose syntax the library has accepted.  Out: ranges of that text.  Names and types come from pragmas, never from here.
 * SPDX-License-Identifier: Apache-2.0 */
#include "sqlite_impl.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

struct token {
	const char *at;
	size_t len;
	int word; /* not quoted */
};

static const char *behind_quotes(const char *p)
{
	char end = *p == '[' ? ']' : *p;

	for (p++; *p; p++)
		if (*p == end) {
			if (end == ']' || p[1] != end)
				return p + 1;
			p++;
		}
	return p;
}

static const char *behind_blanks(const char *p)
{
	for (;;) {
		while (isspace((unsigned char)*p))
			p++;
		if (p[0] == '-' && p[1] == '-') {
			p += strcspn(p, "\n");
		} else if (p[0] == '/' && p[1] == '*') {
			const char *end = strstr(p + 2, "*/");

			p = end ? end + 2 : p + strlen(p);
		} else {
			return p;
		}
	}
}

static int is_word(char c)
{
	return isalnum((unsigned char)c) || c == '_' || c == '$' || (unsigned char)c >= 0x80;
}

/* The next one of `text`; len 0 at its end. */
static struct token next_token(const char *text)
{
	struct token t = { .at = behind_blanks(text) };
	const char *p = t.at;

	if (*p == '\'' || *p == '"' || *p == '`' || *p == '[') {
		p = behind_quotes(p);
	} else if (is_word(*p)) {
		while (is_word(*p))
			p++;
		t.word = 1;
	} else if (*p) {
		p++;
	}
	t.len = (size_t)(p - t.at);
	return t;
}

static int is(const struct token *t, const char *word)
{
	return t->word && t->len == strlen(word) && !strncasecmp(t->at, word, t->len);
}

/* `t` is an opening bracket: the token that closes it. */
static struct token closing(struct token t)
{
	for (int depth = 1; depth && t.len;) {
		t = next_token(t.at + t.len);
		if (t.len == 1 && *t.at == '(')
			depth++;
		else if (t.len == 1 && *t.at == ')')
			depth--;
	}
	return t;
}

/* What stands between the brackets that open at `open`; *t becomes the closing one. */
static struct wbl_bytes inside(struct token *t)
{
	const char *from = t->at + 1;

	*t = closing(*t);
	return (struct wbl_bytes){ from, (uint64_t)(t->at - from) };
}

/* One definition of a column or a rule of the table, up to its comma or the last bracket. Returns the token that ends it. */
static struct token piece(struct token t, int column, sqlite_text_found *found, void *arg)
{
	int constraint = is(&t, "CONSTRAINT") || is(&t, "PRIMARY") || is(&t, "UNIQUE") ||
			 is(&t, "CHECK") || is(&t, "FOREIGN");
	struct token last = { 0 };

	for (; t.len; last = t, t = next_token(t.at + t.len)) {
		if (t.len == 1 && (*t.at == ',' || *t.at == ')'))
			break;
		if (t.len != 1 || *t.at != '(')
			continue;
		if (last.len && is(&last, "CHECK"))
			found(arg, -1, inside(&t));
		else if (last.len && !constraint && is(&last, "AS"))
			found(arg, column, inside(&t));
		else
			t = closing(t);
	}
	return t;
}

void sqlite_text_read(const char *sql, sqlite_text_found *found, void *arg)
{
	struct token t = next_token(sql);
	int column = 0;

	while (t.len && (t.len != 1 || *t.at != '('))
		t = next_token(t.at + t.len);
	while (t.len && *t.at != ')') {
		t = next_token(t.at + t.len);
		t = piece(t, column++, found, arg);
	}
}
