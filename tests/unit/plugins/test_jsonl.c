/* tests of the store jsonl: what is a line, what is none, and every digit of a number.
 * req: D9 X6 D6 D7
 * SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include <whimbrel/sdk.h>

#include "bench_host.h"

static struct bench *b;
static char path[300];

static int set_up(void **state)
{
	b = bench_new();
	snprintf(path, sizeof path, "%s/in.jsonl", b->dir);
	return 0;
}

static int tear_down(void **state)
{
	bench_free(b);
	return 0;
}

static void put(const void *text, size_t len)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	assert_int_equal(fwrite(text, 1, len, f), len);
	fclose(f);
}

static int32_t drain(struct bench_store *s, const struct wbl_scan *scan, struct wbl_out *o)
{
	struct wbl_batch batch = { .size = sizeof batch };
	struct wbl_row row;
	struct wbl_cell c;
	void *cursor;
	uint64_t at;
	int32_t rc = s->table->scan(s->self, s->call, scan, &cursor);

	if (rc)
		return rc;
	while (!(rc = s->table->read(cursor, s->call, &batch)))
		for (at = 0; wbl_batch_next(&batch, &at, &row) == 1; wbl_out_add(o, "\n", 1))
			while (wbl_cell_next(&row.cells, &c) == 1) {
				wbl_out_fmt(o, "[%c:", c.tag);
				wbl_cell_show(o, &c);
				wbl_out_add(o, "]", 1);
			}
	s->table->scan_end(cursor);
	return rc == WBL_END ? WBL_OK : rc;
}

static int32_t opened(const char *extra, struct bench_store *s)
{
	char params[800];

	snprintf(params, sizeof params, "{\"store\":\"jsonl\",\"path\":\"%s\"%s}", path, extra);
	b->nnotes = 0;
	return bench_open(b, params, WBL_OPEN_READ, s);
}

/* All rows, each cell with its tag; after an error "!where: text". `extra`: options, beginning with a comma. */
static const char *rows(const char *text, size_t len, const char *extra)
{
	static char out[4096];
	struct bench_store s = { 0 };
	struct wbl_scan scan = { .size = sizeof scan, .range = WBL_RANGE_ALL };
	struct wbl_out o = { 0 };
	int32_t rc;

	put(text, len);
	rc = opened(extra, &s);
	wbl_out_reset(&o);
	if (!rc) {
		rc = drain(&s, &scan, &o);
		bench_close(&s);
	}
	if (rc) {
		const char *where = strrchr(b->notes[0].where, '/');

		snprintf(out, sizeof out, "!%s: %s", where ? where + 1 : b->notes[0].where,
			b->notes[0].text);
	} else {
		snprintf(out, sizeof out, "%.*s", (int)o.len, o.len ? o.s : "");
	}
	wbl_out_clear(&o);
	return out;
}

#define ROWS(text, extra) rows(text, sizeof text - 1, extra)

static void test_lines(void **state)
{
	assert_string_equal(ROWS("{\"a\":1,\"b\":\"x\"}\n{\"b\":\"y\",\"a\":2}\n", ""),
		"[I:1][T:x]\n[I:2][T:y]\n");
	assert_string_equal(ROWS("\xef\xbb\xbf{\"a\":1}\r\n {\"a\" : 2 } \r\n{\"a\":3}", ""),
		"[I:1]\n[I:2]\n[I:3]\n");
	assert_string_equal(ROWS("{\"a\":null}\n{}\n{\"a\":true}\n{\"a\":false}\n", ""),
		"[N:NULL]\n[N:NULL]\n[I:1]\n[I:0]\n");
	assert_string_equal(ROWS("{\"a\":\"l1\\nl2\\u00e9\\ud83d\\ude00\"}\n", ""),
		"[T:l1\nl2\xc3\xa9\xf0\x9f\x98\x80]\n");
	assert_string_equal(ROWS("{\"a\":{\"z\":[1.50,\"x\"],\"b\":null}}\n{\"a\":[]}\n", ""),
		"[J:{\"b\":null,\"z\":[1.5,\"x\"]}]\n[J:[]]\n");
	assert_string_equal(ROWS("{\"a\":\"x\\u0000\"}\n", "") + 3, "x");
	assert_memory_equal(ROWS("{\"a\":\"x\\u0000\"}\n", ""), "[t:x", 4);
}

static void test_paths(void **state)
{
	static const char extra[] = ",\"columns\":[\"a.b.1.c\",\"id\",\"d.e\"]";

	assert_string_equal(
		ROWS("{\"id\":7,\"x\":1,\"a\":{\"b\":[0,{\"c\":\"deep\"}]},\"d\":{\"e\":1}}\n"
		     "{\"d.e\":\"key\",\"d\":{\"e\":1}}\n",
			extra),
		"[T:deep][I:7][I:1]\n[N:NULL][N:NULL][T:key]\n");
	assert_string_equal(ROWS("{\"id\":7}\n{\"id\":null}\n{\"x\":1}\n",
				    ",\"columns\":[\"id\"],\"missing\":\"refuse\""),
		"!in.jsonl:3: there is no \"id\"");
	assert_string_equal(ROWS("", ",\"columns\":[\"id\"]"), "");
	assert_string_equal(ROWS("{}\n", ",\"columns\":[\"id\",\"id\"]"),
		"!columns: \"id\" cannot be the name of a column here");
}

static void test_numbers(void **state)
{
	assert_string_equal(ROWS("{\"a\":9007199254740993}\n{\"a\":9223372036854775807}\n"
				 "{\"a\":-9223372036854775808}\n{\"a\":9223372036854775808}\n"
				 "{\"a\":123456789012345678901234567890}\n",
				    ""),
		"[I:9007199254740993]\n[I:9223372036854775807]\n[I:-9223372036854775808]\n"
		"[D:9223372036854775808]\n[D:123456789012345678901234567890]\n");
	assert_string_equal(
		ROWS("{\"a\":-0}\n{\"a\":-0.0e5}\n{\"a\":1.50}\n{\"a\":0.1000000000000000055511}\n",
			""),
		"[I:0]\n[I:0]\n[D:1.5]\n[D:0.1000000000000000055511]\n");
	assert_string_equal(ROWS("{\"a\":1e3}\n{\"a\":-15e-1}\n{\"a\":12.5E+1}\n{\"a\":1e-5}\n{"
				 "\"a\":0e999999999999}\n"
				 "{\"a\":100e-2}\n{\"a\":0.00123e2}\n{\"a\":1234.5e-3}\n{\"a\":9."
				 "223372036854775807e18}\n",
				    ""),
		"[I:1000]\n[D:-1.5]\n[I:125]\n[D:0.00001]\n[I:0]\n[I:1]\n[D:0.123]\n[D:1.2345]\n"
		"[I:9223372036854775807]\n");
	assert_non_null(strstr(ROWS("{\"a\":1e308}\n", ""), "[D:1000000"));
	assert_non_null(strstr(ROWS("{\"a\":-5e-324}\n", ""), "0005]"));
	assert_string_equal(ROWS("{\"a\":1e397}\n{\"a\":1e400}\n", ""),
		"!in.jsonl:2: column \"a\": a number of more than 398 digits");
	assert_string_equal(ROWS("{\"a\":1e-400}\n", ""),
		"!in.jsonl:1: column \"a\": a number of more than 398 digits");
	assert_string_equal(ROWS("{\"a\":1e99999999999999999999}\n", ""),
		"!in.jsonl:1: column \"a\": a number of more than 398 digits");
}

static void test_no_lines(void **state)
{
	static const struct {
		const char *line, *why;
	} bad[] = {
		{ "", "an empty line" },
		{ " \t\r", "an empty line" },
		{ "[1]", "JSON, but not an object" },
		{ "{\"a\":1", "not a JSON object: a comma or a closing bracket was expected" },
		{ "{\"a\":1}{\"a\":2}", "not a JSON object: text behind the value" },
		{ "{\"a\":1,\"a\":2}", "not a JSON object: a key stands twice" },
		{ "{\"a\":01}", "not a JSON object: a comma or a closing bracket was expected" },
		{ "{\"a\":+1}", "not a JSON object: something that is no JSON value" },
		{ "{\"a\":NaN}", "not a JSON object: something that is no JSON value" },
		{ "{\"a\":1.}", "not a JSON object: a number without digits" },
		{ "{\"a\":\"\xff\"}", "not a JSON object: it is not UTF-8" },
		{ "{\"a\":\"\xed\xa0\x80\"}", "not a JSON object: it is not UTF-8" },
		{ "{\"a\":\"\\ud800\"}", "not a JSON object: half of a surrogate pair" },
		{ "{\"a\":\"\t\"}", "not a JSON object: a control character in a text" },
		{ "\xef\xbb\xbf{\"a\":1}", "not a JSON object: something that is no JSON value" },
	};
	char text[200], expected[200];

	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		snprintf(text, sizeof text, "{\"a\":5}\n%s\n{\"a\":6}\n", bad[i].line);
		snprintf(expected, sizeof expected, "!in.jsonl:2: %s", bad[i].why);
		assert_string_equal(rows(text, strlen(text), ""), expected);
	}
	assert_string_equal(ROWS("", ""), "!in.jsonl: no line of the file has a key");
	assert_string_equal(
		ROWS("{\"a\":1}\n\0\n", ""), "!in.jsonl:2: not a JSON object: it is not UTF-8");
	assert_string_equal(
		ROWS("{\"\":1}\n", ""), "!in.jsonl:1: the key \"\" cannot be the name of a column");
}

/* Behind the lines from which the columns were learned. */
static void test_late_surprises(void **state)
{
	struct wbl_out text = { 0 };

	for (int i = 0; i < 1500; i++)
		wbl_out_fmt(&text, "{\"a\":%d}\n", i);
	wbl_out_fmt(&text, "{\"a\":1,\"late\":2}\n");
	assert_string_equal(rows(text.s, text.len, ""),
		"!in.jsonl:1501: the key \"late\" is none of the columns");
	assert_memory_equal(rows(text.s, text.len, ",\"columns\":[\"a\"]"), "[I:0]\n", 6);
	wbl_out_clear(&text);
}

static void test_long_line(void **state)
{
	struct wbl_out text = { 0 }, o = { 0 };
	struct bench_store s = { 0 };
	struct wbl_scan scan = { .size = sizeof scan, .range = WBL_RANGE_ALL };

	wbl_out_fmt(&text, "{\"a\":\"");
	for (int i = 0; i < 1 << 16; i++)
		wbl_out_add(&text, "0123456789abcdef", 16);
	wbl_out_fmt(&text, "\"}\n{\"a\":\"end\"}\n");
	put(text.s, text.len);
	assert_int_equal(opened("", &s), 0);
	assert_int_equal(drain(&s, &scan, &o), 0);
	assert_int_equal(o.len, (1 << 20) + 5 + 8);
	assert_string_equal(o.s + (1 << 20) + 5, "[T:end]\n");
	bench_close(&s);
	wbl_out_reset(&o);
	wbl_out_fmt(&o, "{\"a\":\"");
	for (int i = 0; i < 30000; i++)
		wbl_out_fmt(&o, "\\\":");
	wbl_out_fmt(&o, "\"}\n{\"k\" :1");
	for (int i = 0; i < 10000; i++)
		wbl_out_fmt(&o, ",\"k%d\" :1", i);
	wbl_out_fmt(&o, "}\n");
	assert_string_equal(rows(o.s, o.len, ",\"columns\":[\"a\"]"),
		"!in.jsonl:2: an object of more than 10000 members");
	wbl_out_reset(&o);
	for (int i = 0; i < 1 << 20; i++)
		wbl_out_add(&o, "0123456789abcdef", 16);
	assert_string_equal(
		rows(o.s, o.len, ""), "!in.jsonl:1: not a JSON object: text behind the value");
	wbl_out_add(&o, "\n", 1);
	o.s[16 << 20] = ' ';
	wbl_out_add(&o, "{}\n", 3);
	assert_string_equal(
		rows(o.s, o.len, ""), "!in.jsonl:1: a record of more than 16 MiB begins here");
	wbl_out_clear(&text);
	wbl_out_clear(&o);
}

/* Any number of rows in a range: the ranges together give the same rows, and their lines. */
static void test_split(void **state)
{
	struct wbl_out text = { 0 }, whole = { 0 }, parts = { 0 };
	struct bench_store s = { 0 };
	static const char *const columns[] = { "#position", "b", "a", NULL };
	struct wbl_scan scan = { .size = sizeof scan, .range = WBL_RANGE_ALL, .columns = columns };
	struct wbl_totals n = { .size = sizeof n };

	for (int i = 0; i < 5000; i++)
		wbl_out_fmt(&text,
			i % 7 ? "{\"a\":%d,\"b\":\"x\"}\r\n" : "{\"b\":\"\\n\",\"a\":%d}\n", i);
	put(text.s, text.len);
	assert_int_equal(opened("", &s), 0);
	assert_int_equal(drain(&s, &scan, &whole), 0);
	assert_non_null(strstr(whole.s, "[I:1][T:\n][I:0]\n[I:2][T:x][I:1]\n"));
	assert_int_equal(s.table->count(s.self, s.call, &scan, 1, &n), 0);
	assert_int_equal(n.items, 5000);
	for (uint64_t rows_each = 1; rows_each < 6000; rows_each = rows_each * 3 + 1) {
		struct wbl_scan last = scan, next = scan;
		uint64_t count = 0;

		wbl_out_reset(&parts);
		while (s.table->split(s.self, s.call, &scan, count ? &last : NULL, rows_each,
			       &next) == WBL_OK) {
			count++;
			last = next;
			assert_int_equal(drain(&s, &next, &parts), 0);
		}
		assert_int_equal(count, (5000 + rows_each - 1) / rows_each);
		assert_string_equal(parts.s, whole.s);
	}
	bench_close(&s);
	wbl_out_clear(&text);
	wbl_out_clear(&whole);
	wbl_out_clear(&parts);
}

static void changed(int how)
{
	struct wbl_out text = { 0 };
	struct bench_store s = { 0 };
	struct wbl_scan scan = { .size = sizeof scan, .range = WBL_RANGE_ALL, .batch_rows = 10 };
	struct wbl_batch batch = { .size = sizeof batch };
	char other[400];
	void *cursor;
	int32_t rc;

	for (int i = 0; i < 60000; i++)
		wbl_out_fmt(&text, "{\"a\":%d,\"b\":\"x\"}\n", i);
	put(text.s, text.len);
	snprintf(other, sizeof other, "%s/other", b->dir);
	assert_int_equal(opened("", &s), 0);
	assert_int_equal(s.table->scan(s.self, s.call, &scan, &cursor), 0);
	assert_int_equal(s.table->read(cursor, s.call, &batch), 0);
	if (how == 0)
		assert_int_equal(truncate(path, 600000), 0);
	else if (how == 1)
		put("{}\n", 3);
	else
		assert_true(rename(path, other) == 0);
	while (!(rc = s.table->read(cursor, s.call, &batch)))
		;
	assert_int_equal(rc, WBL_E_STALE);
	assert_string_equal(b->notes[0].where, path);
	s.table->scan_end(cursor);
	bench_close(&s);
	wbl_out_clear(&text);
}

static void test_changed_while_read(void **state)
{
	for (int how = 0; how < 3; how++)
		changed(how);
}

static void test_types(void **state)
{
	static const char *const types[] = { "int", "decimal", "decimal", "bool", "text", "json",
		"any", "any" };
	struct bench_store s = { 0 };
	const char *json;
	struct wbl_doc *d;
	static const char text[] = "{\"i\":1,\"d\":1,\"big\":9223372036854775808,\"b\":true,\"t\":"
				   "\"x\",\"j\":{},\"mixed\":1,"
				   "\"none\":null}\n{\"i\":null,\"d\":1.5,\"mixed\":\"1\"}\n";
	char at[40];

	put(text, sizeof text - 1);
	assert_int_equal(opened("", &s), 0);
	assert_int_equal(s.table->describe(s.self, s.call, NULL, &json), 0);
	d = wbl_doc_parse(json, strlen(json), NULL);
	assert_non_null(d);
	for (int i = 0; i < 8; i++) {
		snprintf(at, sizeof at, "sets.0.columns.%d.type", i);
		assert_string_equal(wbl_node_str(wbl_doc_root(d), at), types[i]);
	}
	wbl_doc_free(d);
	bench_close(&s);
}

/* ---- writing ---- */

static int32_t change(struct bench_store *s, const char *json, const struct wbl_receipt *r,
	uint32_t flags, const char **ret_text)
{
	struct wbl_schema schema = {
		.size = sizeof schema, .flags = flags, .change_json = json, .receipt = r
	};
	const char *text;

	return s->table->schema(s->self, s->call, &schema, ret_text ? ret_text : &text);
}

static const char *const abc[] = { "a", "b", NULL };

static int32_t writer(struct bench_store *s, uint64_t epoch, void **ret)
{
	struct wbl_write w = { .size = sizeof w,
		.mode = WBL_MODE_INSERT,
		.epoch = epoch,
		.set = "in.jsonl",
		.columns = abc,
		.origin = "r-1" };

	return s->table->write(s->self, s->call, &w, ret);
}

static int32_t commit(struct bench_store *s, void *w, uint64_t epoch, const char *key)
{
	struct wbl_receipt r = {
		.size = sizeof r, .epoch = epoch, .key = key, .body = { "sum", 3 }
	};
	struct wbl_outcome out = { .size = sizeof out };

	return s->table->commit(w, s->call, &r, &out);
}

static void made(struct bench_store *s)
{
	struct wbl_receipt r = { .size = sizeof r, .epoch = 1, .key = "table" };
	static const char table[] =
		"{\"create_table\":{\"name\":\"in.jsonl\",\"origin\":\"r-1\",\"columns\":["
		"{\"name\":\"a\",\"type\":\"any\"},{\"name\":\"b\",\"type\":\"bool\"}]}}";
	char params[400];

	snprintf(params, sizeof params, "{\"store\":\"jsonl\",\"path\":\"%s\"}", path);
	assert_int_equal(bench_open(b, params, WBL_OPEN_WRITE, s), 0);
	assert_int_equal(change(s, "{\"create_store\":{}}", NULL, 0, NULL), 0);
	assert_int_equal(change(s, table, &r, 0, NULL), 0);
	assert_int_equal(change(s, table, &r, 0, NULL), WBL_END);
}

static int32_t add(struct bench_store *s, void *w, const struct wbl_rows *r)
{
	struct wbl_batch batch;
	uint64_t bad;

	wbl_rows_batch(r, "in.jsonl", abc, &batch);
	return s->table->append(w, s->call, &batch, &bad) == WBL_E_PARAM ? (int32_t)bad + 1000 : 0;
}

static const char *content(void)
{
	static char text[4096];
	FILE *f = fopen(path, "r");
	size_t n = f ? fread(text, 1, sizeof text - 1, f) : 0;

	if (f)
		fclose(f);
	text[n] = 0;
	return text;
}

/* Every class of value, written, read back: the same bytes. */
static void test_write_values(void **state)
{
	static const struct {
		int tag;
		const char *bytes;
		size_t len;
	} blobs[] = { { WBL_CELL_TEXT, "", 0 }, { WBL_CELL_TEXT, "{\"$json\":1}", 11 },
		{ WBL_CELL_DECIMAL, "-0.1", 4 }, { WBL_CELL_BYTES, "", 0 },
		{ WBL_CELL_BYTES, "\0", 1 }, { WBL_CELL_BYTES, "\0\xff", 2 },
		{ WBL_CELL_BYTES, "abc", 3 }, { WBL_CELL_JSON, "{\"$base64\":\"!\"}", 15 },
		{ WBL_CELL_JSON, "null", 4 }, { WBL_CELL_JSON, "\"x\"", 3 },
		{ WBL_CELL_JSON, "[1,{}]", 6 }, { WBL_CELL_JSON, "{\"$a\":1,\"b\":2}", 14 },
		{ WBL_CELL_RAW, "x\0y", 3 } };
	struct wbl_scan scan = { .size = sizeof scan, .range = WBL_RANGE_ALL };
	struct wbl_batch batch = { .size = sizeof batch };
	struct wbl_rows r = { 0 };
	struct bench_store s = { 0 };
	void *w, *cursor;

	made(&s);
	for (size_t i = 0; i < sizeof blobs / sizeof *blobs + 6; i++) {
		wbl_row_begin(&r, WBL_ROW_PUT);
		switch (i) {
		case 0:
			wbl_cell_int(&r, INT64_MIN);
			break;
		case 1:
			wbl_cell_real(&r, 0.1);
			break;
		case 2:
			wbl_cell_real32(&r, 0.1f);
			break;
		case 3:
			wbl_cell_date(&r, -1);
			break;
		case 4:
			wbl_cell_time(&r, WBL_CELL_INSTANT, 1500000000, 3);
			break;
		case 5:
			wbl_cell_uuid(&r, (const uint8_t *)"0123456789abcdef");
			break;
		default:
			wbl_cell_blob(&r, blobs[i - 6].tag, blobs[i - 6].bytes, blobs[i - 6].len);
		}
		wbl_cell_int(&r, i % 2);
		wbl_row_end(&r);
	}
	assert_int_equal(writer(&s, 1, &w), 0);
	assert_int_equal(add(&s, w, &r), 0);
	assert_int_equal(commit(&s, w, 1, "c1"), 0);
	bench_close(&s);
	assert_non_null(strstr(content(), "{\"a\":{\"$base64\":\"AP8=\"},\"b\":true}\n"));
	assert_int_equal(opened("", &s), 0);
	assert_int_equal(s.table->scan(s.self, s.call, &scan, &cursor), 0);
	assert_int_equal(s.table->read(cursor, s.call, &batch), 0);
	assert_int_equal(batch.rows, r.rows);
	assert_int_equal(batch.len, r.len);
	assert_memory_equal(batch.data, r.data, r.len);
	s.table->scan_end(cursor);
	bench_close(&s);
	wbl_rows_clear(&r);
}

/* A writer that dies or gives up leaves nothing that counts; an older epoch gets in no more. */
static void test_write_torn(void **state)
{
	struct wbl_rows r = { 0 };
	struct bench_store s = { 0 };
	struct wbl_bytes body;
	void *w;
	FILE *f;
	char log[320], before[4096];

	made(&s);
	wbl_row_begin(&r, WBL_ROW_PUT);
	wbl_cell_int(&r, 1);
	wbl_cell_null(&r);
	wbl_row_end(&r);
	assert_int_equal(writer(&s, 2, &w), 0);
	assert_int_equal(add(&s, w, &r), 0);
	assert_int_equal(commit(&s, w, 2, "c1"), 0);
	snprintf(before, sizeof before, "%s", content());
	assert_string_equal(before, "{\"a\":1,\"b\":null}\n");
	assert_int_equal(writer(&s, 1, &w), WBL_E_FENCED);
	assert_int_equal(writer(&s, 2, &w), 0);
	assert_int_equal(add(&s, w, &r), 0);
	s.table->abort(w);
	assert_string_equal(content(), before);
	/* Not a number: the row is named, and nothing of the batch is kept. */
	wbl_row_begin(&r, WBL_ROW_PUT);
	wbl_cell_real(&r, 0.0 / 0.0);
	wbl_cell_null(&r);
	wbl_row_end(&r);
	assert_int_equal(writer(&s, 2, &w), 0);
	assert_int_equal(add(&s, w, &r), 1001);
	assert_int_equal(commit(&s, w, 2, "c2"), 0);
	assert_string_equal(content(), before);
	/* A tail of the journal that is torn never was; damage before it is told. */
	snprintf(log, sizeof log, "%s.whimbrel", path);
	f = fopen(log, "a");
	fputs("0123456789abcdef0123456789abcdef {\"length\":0}", f);
	fclose(f);
	assert_int_equal(s.table->receipt(s.self, s.call, "c1", &body), 0);
	assert_memory_equal(body.data, "sum", 3);
	assert_int_equal(s.table->receipt(s.self, s.call, "c3", &body), WBL_END);
	f = fopen(log, "r+");
	fputs("x", f);
	fclose(f);
	assert_int_equal(s.table->receipt(s.self, s.call, "c1", &body), WBL_E_CORRUPT);
	bench_close(&s);
	wbl_rows_clear(&r);
}

/* What others wrote into the file is neither emptied nor dropped; what is ours is, and its receipts can come back. */
static void test_write_back(void **state)
{
	static const char empty[] = "{\"empty_table\":{\"name\":\"in.jsonl\",\"origin\":\"r-1\"}}",
			  drop[] = "{\"drop_table\":{\"name\":\"in.jsonl\",\"origin\":\"r-1\"}}",
			  tidy[] = "{\"drop_receipts\":{\"origin\":\"r-1\"}}";
	struct wbl_rows r = { 0 };
	struct bench_store s = { 0 };
	struct wbl_bytes body;
	char log[320], back[2000];
	const char *text;
	void *w;
	FILE *f;

	made(&s);
	snprintf(log, sizeof log, "%s.whimbrel", path);
	wbl_row_begin(&r, WBL_ROW_PUT);
	wbl_cell_int(&r, 1);
	wbl_cell_null(&r);
	wbl_row_end(&r);
	assert_int_equal(writer(&s, 2, &w), 0);
	assert_int_equal(add(&s, w, &r), 0);
	assert_int_equal(commit(&s, w, 2, "c1"), 0);
	assert_int_equal(change(&s, tidy, NULL, 1, &text), 0);
	snprintf(back, sizeof back, "%s", text);
	assert_int_equal(change(&s, tidy, NULL, 0, NULL), 0);
	assert_int_equal(access(log, F_OK), -1);
	for (int i = 0; i < 2; i++)
		assert_int_equal(change(&s, back, NULL, 0, NULL), 0);
	assert_int_equal(s.table->receipt(s.self, s.call, "table", &body), 0);
	f = fopen(path, "a");
	fputs("{}\n", f);
	fclose(f);
	assert_int_equal(change(&s, empty, NULL, 0, NULL), WBL_E_FAILED);
	assert_int_equal(change(&s, drop, NULL, 0, NULL), WBL_E_FAILED);
	assert_int_equal(writer(&s, 2, &w), WBL_E_STALE);
	assert_int_equal(truncate(path, 17), 0);
	assert_int_equal(change(&s, empty, NULL, 0, NULL), 0);
	assert_string_equal(content(), "");
	assert_int_equal(change(&s, drop, NULL, 0, NULL), 0);
	assert_int_equal(access(path, F_OK), -1);
	assert_int_equal(change(&s, tidy, NULL, 0, NULL), 0);
	/* As if a process had died between the file and the record of its table. */
	put("", 0);
	assert_int_equal(change(&s, "{\"drop_store\":{}}", NULL, 0, NULL), 0);
	assert_int_equal(access(path, F_OK), -1);
	assert_int_equal(access(log, F_OK), -1);
	bench_close(&s);
	wbl_rows_clear(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_lines, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_paths, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_numbers, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_no_lines, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_late_surprises, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_long_line, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_split, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_changed_while_read, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_types, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_write_values, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_write_torn, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_write_back, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
