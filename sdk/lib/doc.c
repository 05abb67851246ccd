/* sdk/lib/doc.c - JSON read into a small tree whose numbers stay as they were written.
 * In: a text.  Out: nodes, all of them owned by the document.
 * SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <whimbrel/sdk.h>

enum { DEEPEST = 64, BLOCK = 8192, MANY = 16 };

struct block {
	struct block *next;
	size_t used, size;
	_Alignas(16) char data[];
};

struct wbl_doc {
	struct block *blocks;
	struct wbl_node root;
	const char *p, *end, *why;
};

static void *take(struct wbl_doc *d, size_t n)
{
	struct block *b = d->blocks;
	size_t size = n > BLOCK ? n : BLOCK;
	void *p;

	n = (n + 15) & ~(size_t)15;
	size = size < n ? n : size;
	if (!b || b->size - b->used < n) {
		b = wbl_sdk_alloc(sizeof *b + size);
		b->size = size;
		b->next = d->blocks;
		d->blocks = b;
	}
	p = b->data + b->used;
	b->used += n;
	return p;
}

static int bad(struct wbl_doc *d, const char *why)
{
	if (!d->why)
		d->why = why;
	return -1;
}

static void blanks(struct wbl_doc *d)
{
	while (d->p < d->end && (*d->p == ' ' || *d->p == '\t' || *d->p == '\n' || *d->p == '\r'))
		d->p++;
}

static int hex4(struct wbl_doc *d, uint32_t *ret)
{
	uint32_t v = 0;

	if (d->end - d->p < 4)
		return bad(d, "a \\u escape is cut off");
	for (int i = 0; i < 4; i++) {
		char c = *d->p++;

		if (c >= '0' && c <= '9')
			v = v << 4 | (uint32_t)(c - '0');
		else if ((c | 32) >= 'a' && (c | 32) <= 'f')
			v = v << 4 | (uint32_t)((c | 32) - 'a' + 10);
		else
			return bad(d, "a \\u escape needs four hex digits");
	}
	*ret = v;
	return 0;
}

static int unicode(struct wbl_doc *d, char **to)
{
	uint32_t c, low;
	char *t = *to;

	if (hex4(d, &c))
		return -1;
	if (c >= 0xd800 && c <= 0xdbff) {
		if (d->end - d->p < 2 || d->p[0] != '\\' || d->p[1] != 'u')
			return bad(d, "half of a surrogate pair");
		d->p += 2;
		if (hex4(d, &low))
			return -1;
		if (low < 0xdc00 || low > 0xdfff)
			return bad(d, "half of a surrogate pair");
		c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
	} else if (c >= 0xdc00 && c <= 0xdfff) {
		return bad(d, "half of a surrogate pair");
	}
	if (c < 0x80) {
		*t++ = (char)c;
	} else if (c < 0x800) {
		*t++ = (char)(0xc0 | c >> 6);
		*t++ = (char)(0x80 | (c & 63));
	} else if (c < 0x10000) {
		*t++ = (char)(0xe0 | c >> 12);
		*t++ = (char)(0x80 | (c >> 6 & 63));
		*t++ = (char)(0x80 | (c & 63));
	} else {
		*t++ = (char)(0xf0 | c >> 18);
		*t++ = (char)(0x80 | (c >> 12 & 63));
		*t++ = (char)(0x80 | (c >> 6 & 63));
		*t++ = (char)(0x80 | (c & 63));
	}
	*to = t;
	return 0;
}

static int escape(struct wbl_doc *d, char **to)
{
	static const char from[] = "\"\\/bfnrt", into[] = "\"\\/\b\f\n\r\t";
	const char *at;

	if (d->p >= d->end)
		return bad(d, "a text is cut off");
	if (*d->p == 'u') {
		d->p++;
		return unicode(d, to);
	}
	at = *d->p ? strchr(from, *d->p) : NULL;
	if (!at)
		return bad(d, "an unknown escape");
	d->p++;
	*(*to)++ = into[at - from];
	return 0;
}

static int text(struct wbl_doc *d, struct wbl_text *ret)
{
	const char *q = ++d->p;
	char *to, *start;

	while (q < d->end && *q != '"')
		q += *q == '\\' && q + 1 < d->end ? 2 : 1;
	if (q >= d->end)
		return bad(d, "a text is cut off");
	to = start = take(d, (size_t)(q - d->p) + 1);
	while (d->p < d->end && *d->p != '"') {
		if ((unsigned char)*d->p < 0x20)
			return bad(d, "a control character in a text");
		if (*d->p != '\\') {
			*to++ = *d->p++;
			continue;
		}
		d->p++;
		if (escape(d, &to))
			return -1;
	}
	d->p++;
	*to = 0;
	*ret = (struct wbl_text){ start, (uint64_t)(to - start) };
	return 0;
}

static int digits(struct wbl_doc *d)
{
	const char *from = d->p;

	while (d->p < d->end && *d->p >= '0' && *d->p <= '9')
		d->p++;
	return d->p > from ? 0 : bad(d, "a number without digits");
}

static int number(struct wbl_doc *d, struct wbl_node *n)
{
	const char *from = d->p;
	char *copy;
	size_t len;

	if (*d->p == '-')
		d->p++;
	if (d->p < d->end && *d->p == '0')
		d->p++;
	else if (digits(d))
		return -1;
	if (d->p < d->end && *d->p == '.' && (d->p++, digits(d)))
		return -1;
	if (d->p < d->end && (*d->p | 32) == 'e') {
		d->p++;
		if (d->p < d->end && (*d->p == '+' || *d->p == '-'))
			d->p++;
		if (digits(d))
			return -1;
	}
	len = (size_t)(d->p - from);
	copy = take(d, len + 1);
	memcpy(copy, from, len);
	copy[len] = 0;
	n->kind = WBL_NODE_NUMBER;
	n->text = (struct wbl_text){ copy, len };
	return 0;
}

static int word(struct wbl_doc *d, struct wbl_node *n)
{
	static const struct {
		const char *s;
		int32_t kind;
	} words[] = { { "null", WBL_NODE_NULL }, { "false", WBL_NODE_FALSE },
		{ "true", WBL_NODE_TRUE } };

	for (size_t i = 0; i < 3; i++) {
		size_t len = strlen(words[i].s);

		if ((size_t)(d->end - d->p) >= len && !memcmp(d->p, words[i].s, len)) {
			d->p += len;
			n->kind = words[i].kind;
			return 0;
		}
	}
	return bad(d, "something that is no JSON value");
}

static int value(struct wbl_doc *d, struct wbl_node *n, int depth);

static int member_key(struct wbl_doc *d, const struct wbl_node *parent, struct wbl_node *n)
{
	blanks(d);
	if (d->p >= d->end || *d->p != '"')
		return bad(d, "a key was expected");
	if (text(d, &n->key))
		return -1;
	for (const struct wbl_node *s = parent->child; s && parent->count < MANY; s = s->next)
		if (s->key.len == n->key.len && !memcmp(s->key.s, n->key.s, n->key.len))
			return bad(d, "a key stands twice");
	blanks(d);
	if (d->p >= d->end || *d->p++ != ':')
		return bad(d, "a colon was expected");
	return 0;
}

static int by_key(const void *a, const void *b)
{
	const struct wbl_text *x = &(*(const struct wbl_node *const *)a)->key,
			      *y = &(*(const struct wbl_node *const *)b)->key;

	if (x->len != y->len)
		return x->len < y->len ? -1 : 1;
	return memcmp(x->s, y->s, x->len);
}

/* Of a few members each is compared with all before it as it comes; of many, all at the end, by a sort. */
static int keys_differ(struct wbl_doc *d, const struct wbl_node *n)
{
	const struct wbl_node **all;
	size_t k = 0;
	int rc = 0;

	if (n->kind != WBL_NODE_OBJECT || n->count <= MANY)
		return 0;
	all = wbl_sdk_alloc(n->count * sizeof *all);
	for (const struct wbl_node *c = n->child; c; c = c->next)
		all[k++] = c;
	qsort(all, k, sizeof *all, by_key);
	for (size_t i = 1; i < k && !rc; i++)
		if (!by_key(&all[i - 1], &all[i]))
			rc = bad(d, "a key stands twice");
	free(all);
	return rc;
}

static int children(struct wbl_doc *d, struct wbl_node *n, int depth)
{
	char close = *d->p == '{' ? '}' : ']';
	const struct wbl_node **tail = &n->child;
	struct wbl_node *c;

	n->kind = close == '}' ? WBL_NODE_OBJECT : WBL_NODE_ARRAY;
	d->p++;
	if (depth >= DEEPEST)
		return bad(d, "it is nested too deeply");
	blanks(d);
	if (d->p < d->end && *d->p == close)
		return d->p++, 0;
	for (;;) {
		c = take(d, sizeof *c);
		c->key.s = c->text.s = "";
		if (close == '}' && member_key(d, n, c))
			return -1;
		if (value(d, c, depth + 1))
			return -1;
		*tail = c;
		tail = &c->next;
		n->count++;
		blanks(d);
		if (d->p < d->end && *d->p == ',') {
			d->p++;
			continue;
		}
		if (d->p < d->end && *d->p == close)
			return d->p++, keys_differ(d, n);
		return bad(d, "a comma or a closing bracket was expected");
	}
}

static int value(struct wbl_doc *d, struct wbl_node *n, int depth)
{
	blanks(d);
	if (d->p >= d->end)
		return bad(d, "the text ends early");
	if (*d->p == '{' || *d->p == '[')
		return children(d, n, depth);
	if (*d->p == '"') {
		n->kind = WBL_NODE_TEXT;
		return text(d, &n->text);
	}
	if (*d->p == '-' || (*d->p >= '0' && *d->p <= '9'))
		return number(d, n);
	return word(d, n);
}

struct wbl_doc *wbl_doc_parse(const char *s, uint64_t len, const char **ret_why)
{
	struct wbl_doc *d = wbl_sdk_alloc(sizeof *d);

	d->root.key.s = d->root.text.s = "";
	d->p = s;
	d->end = s + len;
	if (!wbl_utf8_ok(s, len))
		bad(d, "it is not UTF-8");
	else if (!value(d, &d->root, 0)) {
		blanks(d);
		if (d->p != d->end)
			bad(d, "text behind the value");
	}
	if (!d->why)
		return d;
	if (ret_why)
		*ret_why = d->why;
	wbl_doc_free(d);
	return NULL;
}

const struct wbl_node *wbl_doc_root(const struct wbl_doc *doc)
{
	return doc ? &doc->root : NULL;
}

void wbl_doc_free(struct wbl_doc *doc)
{
	struct block *b, *next;

	if (!doc)
		return;
	for (b = doc->blocks; b; b = next) {
		next = b->next;
		free(b);
	}
	free(doc);
}

static const struct wbl_node *step(const struct wbl_node *n, const char *part, size_t len)
{
	const struct wbl_node *c = n->child;
	uint32_t index = 0;

	if (n->kind == WBL_NODE_OBJECT) {
		while (c && (c->key.len != len || memcmp(c->key.s, part, len)))
			c = c->next;
		return c;
	}
	if (n->kind != WBL_NODE_ARRAY || !len || len > 9)
		return NULL;
	for (size_t i = 0; i < len; i++) {
		if (part[i] < '0' || part[i] > '9')
			return NULL;
		index = index * 10 + (uint32_t)(part[i] - '0');
	}
	while (c && index--)
		c = c->next;
	return c;
}

const struct wbl_node *wbl_node_at(const struct wbl_node *from, const char *path)
{
	while (from && *path) {
		size_t len = strcspn(path, ".");

		from = step(from, path, len);
		path += len;
		if (*path == '.')
			path++;
	}
	return from;
}

const char *wbl_node_str(const struct wbl_node *from, const char *path)
{
	const struct wbl_node *n = wbl_node_at(from, path);

	return n && n->kind == WBL_NODE_TEXT ? n->text.s : NULL;
}

int64_t wbl_node_int(const struct wbl_node *from, const char *path, int64_t otherwise)
{
	const struct wbl_node *n = wbl_node_at(from, path);
	char *end;
	long long v;

	if (!n || n->kind != WBL_NODE_NUMBER)
		return otherwise;
	errno = 0;
	v = strtoll(n->text.s, &end, 10);
	return *end || errno ? otherwise : v;
}

int wbl_node_bool(const struct wbl_node *from, const char *path, int otherwise)
{
	const struct wbl_node *n = wbl_node_at(from, path);

	if (!n || (n->kind != WBL_NODE_TRUE && n->kind != WBL_NODE_FALSE))
		return otherwise;
	return n->kind == WBL_NODE_TRUE;
}
