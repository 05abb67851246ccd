/* cli/paper.c - the gate through which all text for people goes.
 * In: text of any origin.  Out: harmless text in the paper's buffer.
 * Characters that must not reach a terminal are listed in harmful().
 * SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "core/cli/paper.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

static bool harmful(uint32_t c)
{
	return c < 0x20 || (c >= 0x7f && c < 0xa0) || c == 0x61c || c == 0x200b || c == 0x200e ||
	       c == 0x200f || (c >= 0x2028 && c <= 0x202e) || (c >= 0x2060 && c <= 0x206f) ||
	       c == 0xfeff || (c >= 0xfff9 && c <= 0xfffb) || (c >= 0xe0000 && c <= 0xe0fff);
}

/* The character at s and how many bytes it has; 0 bytes when they are not UTF-8. */
static uint32_t decode(const char *s, size_t *ret_n)
{
	const unsigned char *u = (const unsigned char *)s;
	size_t n = *u < 0x80 ? 1 : *u < 0xe0 ? 2 : *u < 0xf0 ? 3 : 4, i;
	uint32_t c = n == 1 ? *u : *u & (0x7f >> n);

	for (i = 1; i < n; i++) {
		if (!u[i])
			break;
		c = c << 6 | (u[i] & 0x3f);
	}
	*ret_n = i == n && wbl_utf8_valid(s, n) ? n : 0;
	return c;
}

void wbl_text_safe(struct wbl_buf *b, const char *s)
{
	size_t n;

	for (; *s; s += n ? n : 1) {
		uint32_t c = decode(s, &n);

		if (!n)
			wbl_buf_addf(b, "\\x%02x", (unsigned char)*s);
		else if (c == '\n')
			wbl_buf_adds(b, "\\n");
		else if (c == '\t')
			wbl_buf_adds(b, " ");
		else if (!harmful(c))
			wbl_buf_add(b, s, n);
		else if (c < 0x80)
			wbl_buf_addf(b, "\\x%02x", (unsigned)c);
		else
			wbl_buf_addf(b, "<U+%04X>", (unsigned)c);
	}
}

void wbl_text_safe_json(struct wbl_buf *b, const char *s)
{
	size_t n;

	for (; *s; s += n ? n : 1) {
		uint32_t c = decode(s, &n);

		if (c < 0x20 || !n || !harmful(c))
			wbl_buf_add(b, s, n ? n : 1);
		else if (c < 0x10000)
			wbl_buf_addf(b, "\\u%04x", (unsigned)c);
		else
			wbl_buf_addf(b, "\\u%04x\\u%04x",
				(unsigned)(0xd800 + ((c - 0x10000) >> 10)),
				(unsigned)(0xdc00 + ((c - 0x10000) & 0x3ff)));
	}
}

int wbl_text_width(const char *s)
{
	int width = 0;
	size_t n;

	for (; *s; s += n ? n : 1) {
		uint32_t c = decode(s, &n);
		int w = c < 0x80 ? 1 : wcwidth((wchar_t)c);

		width += w < 0 ? 1 : w;
	}
	return width;
}

void wbl_paper_clear(struct wbl_paper *p)
{
	wbl_buf_clear(&p->buf);
}

void wbl_paper_tint(struct wbl_paper *p, enum wbl_tint tint)
{
	static const char *const codes[] = { "0", "1", "2", "1;31", "32", "33" };

	if (p->colour)
		wbl_buf_addf(&p->buf, "\033[%sm", codes[tint]);
}

static void add(struct wbl_paper *p, const char *fmt, va_list ap)
{
	WBL_AUTOFREE char *s = NULL;

	if (vasprintf(&s, fmt, ap) < 0)
		abort();
	wbl_text_safe(&p->buf, s);
}

void wbl_paper_add(struct wbl_paper *p, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	add(p, fmt, ap);
	va_end(ap);
}

void wbl_paper_line(struct wbl_paper *p, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	add(p, fmt, ap);
	va_end(ap);
	wbl_paper_end(p);
}

void wbl_paper_end(struct wbl_paper *p)
{
	wbl_buf_adds(&p->buf, "\n");
}

void wbl_paper_head(struct wbl_paper *p, const char *title)
{
	wbl_paper_end(p);
	wbl_paper_tint(p, WBL_TINT_BOLD);
	wbl_paper_add(p, "%s", title);
	wbl_paper_tint(p, WBL_TINT_NONE);
	wbl_paper_end(p);
}

/* One paragraph; words longer than a line stand alone on theirs. */
static void wrap_line(struct wbl_paper *p, int indent, const char *text)
{
	struct wbl_buf safe = { 0 };
	char *save = NULL, *word;
	int column = 0;

	wbl_text_safe(&safe, text);
	wbl_buf_add(&safe, "", 0);
	for (word = strtok_r(safe.data, " ", &save); word; word = strtok_r(NULL, " ", &save)) {
		int w = wbl_text_width(word);

		if (column && indent + column + 1 + w > p->width) {
			wbl_paper_end(p);
			column = 0;
		}
		wbl_buf_addf(&p->buf, "%*s", column ? 1 : indent, "");
		column += w + (column > 0);
		wbl_buf_adds(&p->buf, word);
	}
	wbl_paper_end(p);
	wbl_buf_clear(&safe);
}

void wbl_paper_wrap(struct wbl_paper *p, int indent, const char *fmt, ...)
{
	WBL_AUTOFREE char *text = NULL;
	char *line, *next;
	va_list ap;

	va_start(ap, fmt);
	if (vasprintf(&text, fmt, ap) < 0)
		abort();
	va_end(ap);
	for (line = text; line && *line; line = next) {
		next = strchr(line, '\n');
		if (next)
			*next++ = '\0';
		wrap_line(p, indent, line);
	}
}

size_t wbl_text_fit(const char *s, int room)
{
	size_t i, n;

	for (i = 0; s[i]; i += n ? n : 1) {
		uint32_t c = decode(s + i, &n);
		int w = c < 0x80 ? 1 : wcwidth((wchar_t)c);

		room -= w < 0 ? 1 : w;
		if (room < 0)
			break;
	}
	return i;
}

void wbl_paper_output(struct wbl_paper *p, int indent, const char *text, int lines)
{
	size_t len = strlen(text);
	const char *from = text + len, *next;

	while (len && text[len - 1] == '\n')
		len--;
	for (from = text + len; from > text; from--)
		if (from[-1] == '\n' && --lines == 0)
			break;
	for (; from < text + len; from = next + 1) {
		struct wbl_buf safe = { 0 };
		WBL_AUTOFREE char *line = NULL;

		next = memchr(from, '\n', (size_t)(text + len - from));
		if (!next)
			next = text + len;
		line = wbl_strndup(from, (size_t)(next - from));
		wbl_text_safe(&safe, line);
		wbl_buf_add(&safe, "", 0);
		wbl_buf_addf(&p->buf, "%*s| %.*s\n", indent, "",
			(int)wbl_text_fit(safe.data, p->width - indent - 2), safe.data);
		wbl_buf_clear(&safe);
	}
}
