/* tests of what stores of files share: encodings, compression, folders and patterns, new files and the way back, and the options
 * of csv with which every value that is written reads back as it was.
 * req: D9 D6 D7 X6 X9
 * SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include <whimbrel/sdk_files.h>

#include "bench_host.h"
#include "type_table.h"

static struct bench *b;

static int set_up(void **state)
{
	b = bench_new();
	return 0;
}

static int tear_down(void **state)
{
	bench_free(b);
	return 0;
}

static const char *at(const char *name)
{
	static char path[4][400];
	static int n;

	n = (n + 1) % 4;
	snprintf(path[n], sizeof path[n], "%s/%s", b->dir, name);
	return path[n];
}

static void put(const char *name, const void *text, size_t len)
{
	FILE *f = fopen(at(name), "w");

	assert_non_null(f);
	assert_int_equal(fwrite(text, 1, len, f), len);
	fclose(f);
}

static void shell(const char *command)
{
	char line[1000];

	snprintf(line, sizeof line, "cd '%s' && { %s; }", b->dir, command);
	assert_int_equal(system(line), 0);
}

static int32_t drain(struct bench_store *s, const struct wbl_scan *scan, struct wbl_out *o)
{
	struct wbl_batch batch = { .size = sizeof batch };
	char text[TYPE_TABLE_TEXT];
	struct wbl_row row;
	struct wbl_cell c;
	void *cursor;
	uint64_t from;
	int32_t rc = s->table->scan(s->self, s->call, scan, &cursor);

	if (rc)
		return rc;
	while (!(rc = s->table->read(cursor, s->call, &batch)))
		for (from = 0; wbl_batch_next(&batch, &from, &row) == 1; wbl_out_add(o, "\n", 1)) {
			if (row.kind == WBL_ROW_BAD)
				wbl_out_add(o, "bad", 3);
			while (wbl_cell_next(&row.cells, &c) == 1) {
				type_table_show(&c, text);
				wbl_out_fmt(o, "[%s]", text);
			}
		}
	s->table->scan_end(cursor);
	return rc == WBL_END ? WBL_OK : rc;
}

static int32_t opened(const char *store, const char *path, const char *extra, uint32_t flags,
	struct bench_store *s)
{
	char params[1200];

	snprintf(params, sizeof params, "{\"store\":\"%s\",\"path\":\"%s\"%s}", store, at(path),
		extra);
	b->nnotes = 0;
	return bench_open(b, params, flags, s);
}

static const char *noted(void)
{
	static char out[900];
	const char *where = strrchr(b->notes[0].where, '/');

	snprintf(out, sizeof out, "!%s: %s", where ? where + 1 : b->notes[0].where,
		b->notes[0].text);
	return out;
}

/* All rows with the kinds of their cells; after an error "!where: text". */
static const char *rows_of(
	const char *store, const char *path, const char *set, const char *extra, uint32_t flags)
{
	static char out[8192];
	struct bench_store s = { 0 };
	struct wbl_scan scan = { .size = sizeof scan, .range = WBL_RANGE_ALL, .set = set };
	struct wbl_out o = { 0 };
	int32_t rc = opened(store, path, extra, flags, &s);

	wbl_out_reset(&o);
	if (!rc) {
		rc = drain(&s, &scan, &o);
		bench_close(&s);
	}
	snprintf(out, sizeof out, "%s", rc ? noted() : o.s);
	wbl_out_clear(&o);
	return out;
}

static const char *csv(const char *text, size_t len, const char *extra)
{
	put("in.csv", text, len);
	return rows_of("csv", "in.csv", NULL, extra, WBL_OPEN_READ);
}

#define CSV(text, extra) csv(text, sizeof text - 1, extra)

/* ---- reading with options ---- */

static void test_csv_options(void **state)
{
	static const char one_two[] = "[text 1][text 2]\n";

	assert_string_equal(CSV("# about\nnothing\na,b\n1,2\n", ",\"skip_lines\":2"), one_two);
	assert_string_equal(CSV("#x,\"\na,b\n#y\n1,2\n#z", ",\"comment\":\"#\""), one_two);
	assert_string_equal(CSV("a,b,\n1,2,\n", ",\"trailing_separator\":true"), one_two);
	assert_string_equal(CSV("a,b\n\n1,2\n\r\n\n", ",\"blank_lines\":true"), one_two);
	assert_string_equal(
		CSV("a,b\n1\n1,2\n", ",\"ragged\":\"fill\""), "[text 1][NULL]\n[text 1][text 2]\n");
	assert_string_equal(
		CSV("a,b\n1,2,3\n", ",\"ragged\":\"fill\""), "!in.csv:2: 3 fields instead of 2");
	assert_string_equal(CSV("a,b\n1\n1,2,3\n1,2\n", ",\"ragged\":\"reject\""),
		"bad[text 1][NULL]\nbad[text 1][text 2]\n[text 1][text 2]\n");
	assert_string_equal(CSV("a,b\n\"x\\\"y\\\\\",l1\\\nl2\\,z\n\"\\N\",\\N\n",
				    ",\"escape\":\"backslash\",\"null\":\"\\\\N\""),
		"[text x\"y\\][text l1\nl2,z]\n[text N][NULL]\n");
	assert_string_equal(CSV("a,b\n1,\"2\"\n1.50,1.5\n007,1e3\n\\x00FF,NaN\n",
				    ",\"marks\":true,\"bytes\":\"hex\",\"nonfinite\":\"text\""),
		"[int 1][text 2]\n[text 1.50][decimal 1.5]\n[text 007][real 1000]\n"
		"[bytes x'00ff'][real nan]\n");
	assert_string_equal(
		CSV("a\n\\x0\n", ",\"bytes\":\"hex\""), "!in.csv:2: column \"a\" is not hex");
	assert_string_equal(CSV("a\nbase64:AP8=\nbase64\n", ",\"bytes\":\"base64\""),
		"[bytes x'00ff']\n[text base64]\n");
	assert_string_equal(CSV("a,b\n1,2\n", ",\"separator\":\"\\\\\",\"escape\":\"backslash\""),
		"!separator: fields cannot be told apart with this separator and quote");
}

/* Nothing that a file may hold makes us grow without end, or wait without end. */
static void test_hostile(void **state)
{
	struct wbl_out o = { 0 };
	struct rusage before, after;

	getrusage(RUSAGE_SELF, &before);
	for (int i = 0; i < 1000000; i++)
		wbl_out_add(&o, "c,", 2);
	assert_string_equal(csv(o.s, o.len, ""), "!in.csv:1: a record of more than 16384 fields");
	wbl_out_reset(&o);
	for (int i = 0; i < 16384; i++)
		wbl_out_fmt(&o, "%sc%d", i ? "," : "", i);
	wbl_out_fmt(&o, "\n1\n");
	assert_string_equal(csv(o.s, o.len, ""), "!in.csv:2: 1 fields instead of 16384");
	wbl_out_reset(&o);
	wbl_out_fmt(&o, "a\n\"");
	for (int i = 0; i < 40 << 16; i++)
		wbl_out_add(&o, "0123456789abcde\n", 16);
	assert_string_equal(
		csv(o.s, o.len, ""), "!in.csv:2: a record of more than 16 MiB begins here");
	shell("head -c 300000000 /dev/zero | gzip -1 >bomb.csv");
	assert_string_equal(rows_of("csv", "bomb.csv", NULL, "", WBL_OPEN_READ),
		"!bomb.csv:1: a record of more than 16 MiB begins here");
	getrusage(RUSAGE_SELF, &after);
#ifndef WBL_SANITIZERS
	assert_true(after.ru_maxrss - before.ru_maxrss < 120 << 10);
#endif
	assert_string_equal(CSV("a\nx\0y\n", ""), "!in.csv:2: column \"a\" is not UTF-8 text");
	assert_string_equal(CSV("a\n", ""), "");
	assert_string_equal(CSV("\n", ""), "!in.csv: column 1 has no usable name");
	wbl_out_clear(&o);
}

/* ---- encodings ---- */

static void test_encodings(void **state)
{
	static const char utf16le[] = "\xff\xfe"
				      "a\0\n\0\xe9\0\x3d\xd8\0\xde\n\0";
	static const char utf16be[] = "\xfe\xff\0a\0\n\0\xe9\xd8\x3d\xde\0\0\n";

	assert_string_equal(
		CSV(utf16le, ",\"encoding\":\"utf-16\""), "[text \xc3\xa9\xf0\x9f\x98\x80]\n");
	assert_string_equal(
		CSV(utf16be, ",\"encoding\":\"utf-16\""), "[text \xc3\xa9\xf0\x9f\x98\x80]\n");
	assert_string_equal(
		CSV(utf16le, ",\"encoding\":\"utf-16le\""), "[text \xc3\xa9\xf0\x9f\x98\x80]\n");
	assert_string_equal(CSV(utf16le, ""), "!in.csv: the file begins with the mark of UTF-16");
	assert_string_equal(CSV("a\0\n\0", ",\"encoding\":\"utf-16\""),
		"!in.csv: there is no byte order mark, at byte 0");
	assert_string_equal(CSV("a\n\x80\xe9\n", ",\"encoding\":\"windows-1252\""),
		"[text \xe2\x82\xac\xc3\xa9]\n");
	assert_string_equal(CSV("a\n\xe9\n", ",\"encoding\":\"iso-8859-1\""), "[text \xc3\xa9]\n");
	assert_string_equal(CSV("a\nx\ny\x81\n", ",\"encoding\":\"windows-1252\""),
		"!in.csv:3: bytes that are no character of the encoding");
	assert_string_equal(CSV("\xff\xfe"
				"a\0\n\0x",
				    ",\"encoding\":\"utf-16\""),
		"!in.csv:2: the file ends in the middle of a character");
	assert_string_equal(CSV("a\n\xff\n", ""), "!in.csv:2: column \"a\" is not UTF-8 text");
	assert_string_equal(CSV("a\n", ",\"encoding\":\"utf-7b\""),
		"!encoding: there is no encoding \"utf-7b\"");
	assert_string_equal(CSV("a\n", ",\"encoding\":\"ascii//translit\""),
		"!encoding: there is no encoding \"ascii//translit\"");
	put("in.jsonl", utf16le, 0);
	put("in.jsonl", "\xff\xfe{\0\"\0a\0\"\0:\0001\0}\0", 16);
	assert_string_equal(
		rows_of("jsonl", "in.jsonl", NULL, ",\"encoding\":\"utf-16\"", WBL_OPEN_READ),
		"[int 1]\n");
}

/* ---- compression ---- */

static void fill(const char *name, int n)
{
	struct wbl_out o = { 0 };

	wbl_out_fmt(&o, "a,b\n");
	for (int i = 0; i < n; i++)
		wbl_out_fmt(&o, i % 7 ? "%d,x\r\n" : "%d,\"two\n\n,lines\"\n", i);
	put(name, o.s, o.len);
	wbl_out_clear(&o);
}

static void same_in_ranges(const char *path, const char *extra, const char *want)
{
	static const char *const columns[] = { "#position", "b", "a", NULL };
	struct wbl_scan scan = { .size = sizeof scan, .range = WBL_RANGE_ALL, .columns = columns };
	struct wbl_out whole = { 0 }, parts = { 0 };
	struct bench_store s = { 0 };
	struct wbl_totals n = { .size = sizeof n };

	assert_int_equal(opened("csv", path, extra, WBL_OPEN_READ, &s), 0);
	assert_int_equal(drain(&s, &scan, &whole), 0);
	if (want)
		assert_string_equal(whole.s, want);
	assert_int_equal(s.table->count(s.self, s.call, &scan, 1, &n), 0);
	assert_int_equal(n.items, 20000);
	assert_int_equal(s.table->count(s.self, s.call, &scan, 0, &n), 0);
	assert_in_range(n.items, 18000, 22000);
	for (uint64_t each = 700; each < 30000; each *= 7) {
		struct wbl_scan last = scan, next = scan;
		int count = 0;

		wbl_out_reset(&parts);
		while (s.table->split(s.self, s.call, &scan, count++ ? &last : NULL, each, &next) ==
			WBL_OK) {
			last = next;
			assert_int_equal(drain(&s, &next, &parts), 0);
		}
		assert_string_equal(parts.s, whole.s);
	}
	bench_close(&s);
	wbl_out_clear(&whole);
	wbl_out_clear(&parts);
}

static void test_packed(void **state)
{
	static char want[900000];
	static const char *const columns[] = { "#position", "b", "a", NULL };
	struct wbl_scan scan = { .size = sizeof scan, .range = WBL_RANGE_ALL, .columns = columns };
	struct wbl_out o = { 0 };
	struct bench_store s = { 0 };

	fill("plain.csv", 20000);
	assert_int_equal(opened("csv", "plain.csv", "", WBL_OPEN_READ, &s), 0);
	assert_int_equal(drain(&s, &scan, &o), 0);
	bench_close(&s);
	snprintf(want, sizeof want, "%s", o.s);
	wbl_out_clear(&o);
	shell("gzip -c plain.csv >one.csv.gz; head -c 5000 plain.csv | gzip >two.gz; tail -c +5001 "
	      "plain.csv | gzip >>two.gz; head -c 512 /dev/zero >>two.gz; zstd -qc plain.csv "
	      ">z.zst; "
	      "head -c 9999 plain.csv | zstd -qc >y.zst; tail -c +10000 plain.csv | zstd -qc "
	      ">>y.zst; iconv -f utf-8 -t utf-16 plain.csv | gzip >wide.gz");
	same_in_ranges("plain.csv", "", want);
	same_in_ranges("one.csv.gz", "", want);
	same_in_ranges("two.gz", "", want);
	same_in_ranges("z.zst", "", want);
	same_in_ranges("y.zst", "", want);
	same_in_ranges("wide.gz", ",\"encoding\":\"utf-16\"", want);
	shell("head -c 20000 one.csv.gz >cut.gz; head -c 3000 z.zst >cut.zst; cp one.csv.gz "
	      "bad.gz; "
	      "printf x | dd of=bad.gz bs=1 seek=9000 conv=notrunc status=none; cp one.csv.gz "
	      "more.gz; echo more >>more.gz; zstd -q --ultra -22 --long=27 -c plain.csv >w.zst; "
	      "head "
	      "-c 40000000 /dev/zero | tr '\\0' x | zstd -q --long=27 -c >long.zst");
	assert_string_equal(rows_of("csv", "cut.gz", NULL, "", WBL_OPEN_READ),
		"!cut.gz: the compressed data ends too early, at byte 20000");
	assert_string_equal(rows_of("csv", "cut.zst", NULL, "", WBL_OPEN_READ),
		"!cut.zst: the compressed data ends too early, at byte 3000");
	assert_memory_equal(rows_of("csv", "bad.gz", NULL, "", WBL_OPEN_READ),
		"!bad.gz: the compressed data is damaged, at byte ", 48);
	assert_memory_equal(rows_of("csv", "more.gz", NULL, "", WBL_OPEN_READ),
		"!more.gz: something else stands behind the compressed data, at byte ", 68);
	assert_string_equal(rows_of("csv", "long.zst", NULL, "", WBL_OPEN_READ),
		"!long.zst: to decompress it more than 8 MiB of what came before must be kept, at "
		"byte 0");
	assert_memory_equal(
		rows_of("csv", "z.zst", NULL, ",\"compression\":\"none\"", WBL_OPEN_READ), "!", 1);
}

/* ---- folders and patterns ---- */

static void test_folders(void **state)
{
	static const char *const columns[] = { "#position", "#file", "b", NULL };
	struct wbl_scan scan = { .size = sizeof scan, .range = WBL_RANGE_ALL, .columns = columns };
	struct wbl_batch batch = { .size = sizeof batch };
	struct wbl_out o = { 0 };
	struct bench_store s = { 0 };
	const char *json;
	void *cursor;

	shell("mkdir -p in/deep; printf 'a,b\\n1,x\\n' >in/p2.csv; printf 'a,b\\n2,y\\n3,z' | gzip "
	      ">in/p1.csv.gz; "
	      "printf 'q\\n7\\n' >in/other.tsv; echo '{}' >in/notes.json; echo >in/.hidden.csv; cp "
	      "in/p2.csv in/deep/p9.csv");
	assert_string_equal(rows_of("csv", "in", "p1", "", WBL_OPEN_READ),
		"[text 2][text y]\n[text 3][text z]\n");
	assert_int_equal(opened("csv", "in", "", WBL_OPEN_READ, &s), 0);
	assert_int_equal(s.table->describe(s.self, s.call, NULL, &json), 0);
	assert_non_null(strstr(json, "\"name\":\"other\""));
	assert_non_null(strstr(json, "\"name\":\"p2\""));
	assert_null(strstr(json, "hidden"));
	assert_null(strstr(json, "p9"));
	bench_close(&s);
	assert_int_equal(
		opened("csv", "in/p*", ",\"as\":\"one\",\"table\":\"p\"", WBL_OPEN_READ, &s), 0);
	assert_int_equal(drain(&s, &scan, &o), 0);
	assert_string_equal(o.s, "[int 2][text p1.csv.gz][text y]\n[int 3][text p1.csv.gz][text "
				 "z]\n[int 5][text p2.csv][text x]\n");
	for (uint64_t each = 1; each < 4; each++) {
		struct wbl_scan last = scan, next = scan;
		struct wbl_out parts = { 0 };
		int n = 0;

		while (!s.table->split(s.self, s.call, &scan, n++ ? &last : NULL, each, &next)) {
			last = next;
			assert_int_equal(drain(&s, &next, &parts), 0);
		}
		assert_string_equal(parts.s, o.s);
		assert_int_equal(n - 1, (3 + each - 1) / each);
		wbl_out_clear(&parts);
	}
	assert_int_equal(s.table->describe(s.self, s.call, NULL, &json), 0);
	assert_non_null(strstr(json, "{\"name\":\"#file\",\"type\":\"text\""));
	/* What happens to one of the files while they are read is noticed, and it is named. */
	scan.batch_rows = 1;
	for (int how = 0; how < 3; how++) {
		static const char *const does[] = { "cp in/p2.csv in/p15.csv",
			"mv in/p2.csv in/deep", "echo 4,w >>in/p2.csv" };
		int32_t rc;

		b->nnotes = 0;
		assert_int_equal(s.table->scan(s.self, s.call, &scan, &cursor), 0);
		assert_int_equal(s.table->read(cursor, s.call, &batch), 0);
		shell(does[how]);
		while (!(rc = s.table->read(cursor, s.call, &batch)))
			;
		assert_int_equal(rc, WBL_E_STALE);
		s.table->scan_end(cursor);
		assert_memory_equal(noted(), how ? "!p2.csv: " : "!p15.csv: ", how ? 9 : 10);
		shell("rm -f in/p15.csv; mv in/deep/p2.csv in 2>/dev/null || true");
	}
	bench_close(&s);
	shell("printf 'a,c\\n1,x\\n' >in/p3.csv");
	assert_string_equal(rows_of("csv", "in/p*", NULL, ",\"as\":\"one\"", WBL_OPEN_READ),
		"!p3.csv:1: column 2 is called \"c\" and not \"b\"");
	shell("ln -s loop loop");
	assert_string_equal(rows_of("csv", "loop", NULL, ",\"as\":\"tables\"", WBL_OPEN_READ),
		"!.whimbrel: cannot open: Too many levels of symbolic links");
	assert_string_equal(rows_of("csv", "nowhere/x*", NULL, "", WBL_OPEN_READ),
		"!x*: there is no such file");
	shell("cp in/p2.csv in/p1.txt");
	assert_memory_equal(rows_of("csv", "in", NULL, "", WBL_OPEN_READ), "!p1.txt: ", 9);
	assert_non_null(strstr(noted(), "p1.csv.gz is a file of the table \"p1\" already"));
	wbl_out_clear(&o);
}

/* ---- JSON that is not lines ---- */

static const char *json(const char *text, const char *extra)
{
	put("in.json", text, strlen(text));
	return rows_of("jsonl", "in.json", NULL, extra, WBL_OPEN_READ);
}

static void test_json_forms(void **state)
{
	assert_string_equal(json("[{\"a\":1},\n {\"a\":[{}, \"]\\\"\"]} ,{\"a\":3}]\n", ""),
		"[int 1]\n[json [{},\"]\\\"\"]]\n[int 3]\n");
	assert_string_equal(json(" [ ] \n", ",\"columns\":[\"a\"]"), "");
	assert_string_equal(json("[{\"a\":1}\n{\"a\":2}]", ""),
		"!in.json:2: a comma was expected between two elements of the array");
	assert_string_equal(json("[{\"a\":1} {\"a\":2}]", ""),
		"!in.json:1: a comma was expected between two elements of the array");
	assert_string_equal(json("[{\"a\":1},\n", ""), "!in.json:2: the array is never closed");
	assert_string_equal(
		json("[{\"a\":1},\n\n]", ""), "!in.json:3: an element of the array is missing");
	assert_string_equal(json("[{\"a\":1}]\n{}", ""), "!in.json:2: text behind the array");
	assert_string_equal(json("[{\"a\":1},\n5]", ""), "!in.json:2: JSON, but not an object");
	assert_string_equal(
		json("{\"id\":1,\"p\":{\"x\":{\"y\":2},\"z\":3}}\n{\"p\":{\"z\":4},\"id\":5}\n",
			",\"nest\":true"),
		"[int 1][int 2][int 3]\n[int 5][NULL][int 4]\n");
	assert_string_equal(json("{\"a.b\":1,\"a\":{\"b\":2}}\n", ",\"nest\":true"),
		"!in.json:1: two values for \"a.b\"");
	assert_string_equal(
		json("{\"a\":{\"$base64\":\"AA==\"}}\n", ",\"nest\":true"), "[bytes x'00']\n");
}

/* ---- writing ---- */

static int32_t change(struct bench_store *s, const char *text, const char *key)
{
	struct wbl_receipt r = { .size = sizeof r, .epoch = 1, .key = key };
	struct wbl_schema schema = {
		.size = sizeof schema, .change_json = text, .receipt = key ? &r : NULL
	};
	const char *answer;

	return s->table->schema(s->self, s->call, &schema, &answer);
}

static const char *const names[] = { "i", "d", "r", "f", "t", "b", "o", "at", "local", "day", "u",
	"j", "x", NULL };
static const char *const types[] = { "int", "decimal", "real", "real32", "text", "bytes", "bool",
	"instant", "local", "date", "uuid", "json", "any" };

static void table_json(const char *name, struct wbl_out *o)
{
	wbl_out_reset(o);
	wbl_out_fmt(o, "{\"create_table\":{\"name\":\"%s\",\"origin\":\"r-1\",\"columns\":[", name);
	for (int i = 0; names[i]; i++)
		wbl_out_fmt(
			o, "%s{\"name\":\"%s\",\"type\":\"%s\"}", i ? "," : "", names[i], types[i]);
	wbl_out_fmt(o, "]}}");
}

static const char *const texts[] = { "", " ", "NULL", "5", "-0.5", "1e5", "1.50", "007", "a,b;c\td",
	"q\"q", "''", "l1\nl2\r\nl3\r", "\\x00", "\\", "#c", "base64:AA==", "NaN", "-Infinity",
	"é€", "\xf0\x9f\x98\x80", "true", "2026-11-21", "\\N", "x\\\"y" };

static void one_row(struct wbl_rows *r, int i, int narrow)
{
	static const double reals[] = { 0, 0.1, -1e300, 5e-324, 9007199254740993.0, 1e22,
		90071992547409920.0, 123456789.125 };
	static const char *const decimals[] = { "0.1", "-12345678901234567890.5",
		"98765432109876543210", "0.00000000001" };
	const char *t = texts[i % (int)(sizeof texts / sizeof *texts)];
	uint8_t raw[5] = { 0, 255, 34, 44, 10 };

	for (const char *p = t; narrow && *p; p++)
		if ((unsigned char)*p >= 0xe2)
			t = "plain";
	wbl_row_begin(r, WBL_ROW_PUT);
	wbl_cell_int(r, i % 3 ? INT64_MIN + i : INT64_MAX - i);
	wbl_cell_blob(r, WBL_CELL_DECIMAL, decimals[i % 4], strlen(decimals[i % 4]));
	wbl_cell_real(r, reals[i % 8]);
	wbl_cell_real32(r, (float)(i % 2 ? 0.1 : 1e-39) * (float)(i + 1));
	wbl_cell_text(r, t, strlen(t));
	wbl_cell_blob(r, WBL_CELL_BYTES, raw, (size_t)(i % 6));
	wbl_cell_int(r, i % 2);
	wbl_cell_time(r, WBL_CELL_INSTANT, INT64_C(1795259655120000000) + i, 9);
	wbl_cell_time(r, WBL_CELL_LOCAL, -1500000000, 1);
	wbl_cell_date(r, i - 10);
	wbl_cell_uuid(r, (const uint8_t *)"0123456789abcdef");
	wbl_cell_blob(r, WBL_CELL_JSON, i % 2 ? "{\"a\":[1,\"x\"]}" : "5", i % 2 ? 13 : 1);
	switch (i % 6) {
	case 0:
		wbl_cell_int(r, i);
		break;
	case 1:
		wbl_cell_real(r, i / 2);
		break;
	case 2:
		wbl_cell_blob(r, WBL_CELL_DECIMAL, "-0.25", 5);
		break;
	case 3:
		wbl_cell_text(r, t, strlen(t));
		break;
	case 4:
		wbl_cell_blob(r, WBL_CELL_BYTES, "ab", 2);
		break;
	default:
		wbl_cell_null(r);
	}
	wbl_row_end(r);
}

/* A row with nothing in it, and many with everything. */
static void all_rows(struct wbl_rows *r, int narrow)
{
	wbl_row_begin(r, WBL_ROW_PUT);
	for (int i = 0; names[i]; i++)
		wbl_cell_null(r);
	wbl_row_end(r);
	for (int i = 0; i < 96; i++)
		one_row(r, i, narrow);
}

static void append(
	struct bench_store *s, const char *set, const struct wbl_rows *r, const char *key)
{
	struct wbl_write w = { .size = sizeof w,
		.mode = WBL_MODE_INSERT,
		.epoch = 1,
		.set = set,
		.columns = names,
		.origin = "r-1" };
	struct wbl_receipt receipt = { .size = sizeof receipt, .epoch = 1, .key = key };
	struct wbl_outcome out = { .size = sizeof out };
	struct wbl_batch batch;
	uint64_t bad;
	void *writer;

	assert_int_equal(s->table->write(s->self, s->call, &w, &writer), 0);
	wbl_rows_batch(r, set, names, &batch);
	if (s->table->append(writer, s->call, &batch, &bad))
		fail_msg("row %d: %s", (int)bad, noted());
	assert_int_equal(s->table->commit(writer, s->call, &receipt, &out), 0);
	assert_int_equal(out.written, r->rows);
}

/* The rows of both chunks, brought to the types of the columns: what the handler makes of them when it reads the target back. */
static void reads_back(struct bench_store *s, const char *set, const struct wbl_rows *want)
{
	struct wbl_scan scan = { .size = sizeof scan,
		.range = WBL_RANGE_ALL,
		.set = set,
		.columns = names,
		.batch_rows = 1000 };
	struct wbl_batch batch = { .size = sizeof batch };
	struct wbl_rows got = { 0 };
	struct wbl_row row;
	struct wbl_cell c;
	uint64_t from = 0;
	const char *why;
	void *cursor;
	int32_t rc;

	rc = s->table->scan(s->self, s->call, &scan, &cursor);
	if (rc || s->table->read(cursor, s->call, &batch))
		fail_msg("%s", noted());
	while (wbl_batch_next(&batch, &from, &row) == 1) {
		wbl_row_begin(&got, WBL_ROW_PUT);
		for (int i = 0; wbl_cell_next(&row.cells, &c) == 1; i++)
			if (wbl_cell_cast(&got, &c, wbl_type_by_name(types[i]), &why))
				fail_msg("row %d, %s: %s", (int)got.rows, names[i], why);
		wbl_row_end(&got);
	}
	assert_int_equal(got.rows, 2 * want->rows);
	for (size_t i = 0; i < got.len; i++)
		if (got.data[i] != want->data[i % want->len])
			fail_msg("byte %zu of %zu differs", i, got.len);
	s->table->scan_end(cursor);
	wbl_rows_clear(&got);
}

static void round_trip(
	const char *store, const char *path, const char *set, const char *extra, int narrow)
{
	struct wbl_out table = { 0 };
	struct wbl_rows r = { 0 };
	struct bench_store s = { 0 };

	all_rows(&r, narrow);
	table_json(set, &table);
	assert_int_equal(opened(store, path, extra, WBL_OPEN_READ | WBL_OPEN_WRITE, &s), 0);
	assert_int_equal(change(&s, "{\"create_store\":{}}", NULL), 0);
	if (change(&s, table.s, "table"))
		fail_msg("%s: %s", extra, noted());
	append(&s, set, &r, "c1");
	append(&s, set, &r, "c2");
	reads_back(&s, set, &r);
	/* The journal gone, only the options know. */
	assert_int_equal(change(&s, "{\"drop_receipts\":{\"origin\":\"r-1\"}}", NULL), 0);
	bench_close(&s);
	assert_int_equal(opened(store, path, extra, WBL_OPEN_READ | WBL_OPEN_TARGET, &s), 0);
	reads_back(&s, set, &r);
	bench_close(&s);
	wbl_out_clear(&table);
	wbl_rows_clear(&r);
}

static void test_round_trips(void **state)
{
	static const char *const extras[] = { "", ",\"quoting\":\"all\"",
		",\"quoting\":\"nonnumeric\",\"line_end\":\"crlf\"",
		",\"separator\":\"tab\",\"null\":\"\\\\N\",\"comment\":\"#\",\"trailing_"
		"separator\":true",
		",\"escape\":\"backslash\",\"null\":\"NULL\",\"bytes\":\"base64\",\"blank_lines\":"
		"true",
		",\"separator\":\";\",\"quote\":\"'\",\"nonfinite\":\"text\",\"compression\":"
		"\"gzip\"",
		",\"compression\":\"zstd\",\"encoding\":\"utf-16\"",
		",\"escape\":\"backslash\",\"null\":\"\\\\N\",\"quoting\":\"all\"",
		",\"encoding\":\"gb18030\",\"compression\":\"gzip\"" };
	char path[40];

	for (size_t i = 0; i < sizeof extras / sizeof *extras; i++) {
		snprintf(path, sizeof path, "out%zu.csv", i);
		round_trip("csv", path, path, extras[i], 0);
	}
	round_trip("csv", "latin.csv", "latin.csv", ",\"encoding\":\"iso-8859-1\"", 1);
	round_trip("csv", "by.name.gz", "by.name.gz", "", 0);
	shell("gzip -t by.name.gz && zcat by.name.gz | head -1 | grep -q '^i,d,r' && [ ! -e "
	      "by.name.gz.whimbrel ]");
	shell("iconv -f utf-8 -t utf-8 out0.csv >/dev/null && zstd -qt <out6.csv && zstd -dc "
	      "<out6.csv | head -c 2 | od -An -tx1 | grep -q 'ff fe'");
	round_trip("jsonl", "out.jsonl", "out.jsonl", "", 0);
	round_trip("jsonl", "out.jsonl.zst", "out.jsonl.zst", ",\"encoding\":\"utf-16\"", 0);
	round_trip("csv", "folder/", "things", "", 0);
	shell("[ -e folder/things.csv ] && [ ! -e folder/.whimbrel ]");
}

static void test_nested(void **state)
{
	static const char table
		[] = "{\"create_table\":{\"name\":\"n.jsonl\",\"origin\":\"r-1\",\"columns\":["
		     "{\"name\":\"id\",\"type\":\"int\"},{\"name\":\"a.city\",\"type\":\"text\"},{"
		     "\"name\":\"j\",\"type\":\"json\"},"
		     "{\"name\":\"a.geo.lat\",\"type\":\"decimal\"}]}}",
	   clash[] = "{\"create_table\":{\"name\":\"n.jsonl\",\"columns\":[{\"name\":\"a\"},{"
		     "\"name\":\"a.b\"}]}}";
	static const char *const columns[] = { "id", "a.city", "j", "a.geo.lat", NULL };
	struct wbl_write w = { .size = sizeof w,
		.mode = WBL_MODE_INSERT,
		.set = "n.jsonl",
		.columns = columns,
		.origin = "r-1" };
	struct wbl_outcome out = { .size = sizeof out };
	struct wbl_rows r = { 0 };
	struct bench_store s = { 0 };
	struct wbl_batch batch;
	void *writer;

	assert_int_equal(
		opened("jsonl", "n.jsonl", ",\"nest\":true", WBL_OPEN_READ | WBL_OPEN_WRITE, &s),
		0);
	assert_int_equal(change(&s, "{\"create_store\":{}}", NULL), 0);
	assert_int_equal(change(&s, clash, NULL), WBL_E_PARAM);
	assert_int_equal(change(&s, table, NULL), 0);
	wbl_row_begin(&r, WBL_ROW_PUT);
	wbl_cell_int(&r, 1);
	wbl_cell_text(&r, "Ulm", 3);
	wbl_cell_blob(&r, WBL_CELL_JSON, "{\"x\":1}", 7);
	wbl_cell_blob(&r, WBL_CELL_DECIMAL, "48.4", 4);
	wbl_row_end(&r);
	assert_int_equal(s.table->write(s.self, s.call, &w, &writer), 0);
	wbl_rows_batch(&r, NULL, NULL, &batch);
	assert_int_equal(s.table->append(writer, s.call, &batch, NULL), 0);
	assert_int_equal(s.table->commit(writer, s.call, NULL, &out), 0);
	bench_close(&s);
	shell("[ \"$(cat n.jsonl)\" = "
	      "'{\"id\":1,\"a\":{\"city\":\"Ulm\",\"geo\":{\"lat\":48.4}},\"j\":{\"$json\":{\"x\":"
	      "1}}}' ]; rm n.jsonl.whimbrel");
	assert_string_equal(rows_of("jsonl", "n.jsonl", NULL, ",\"nest\":true", WBL_OPEN_READ),
		"[int 1][text Ulm][decimal 48.4][json {\"x\":1}]\n");
	wbl_rows_clear(&r);
}

/* Two tables in a folder, one of them begun and never made; what is taken away is what was made. */
static void test_folder_back(void **state)
{
	struct wbl_out table = { 0 };
	struct wbl_rows r = { 0 };
	struct bench_store s = { 0 };

	all_rows(&r, 0);
	assert_int_equal(opened("csv", "new/", "", WBL_OPEN_READ | WBL_OPEN_WRITE, &s), 0);
	assert_int_equal(change(&s, "{\"create_store\":{}}", NULL), 0);
	table_json("one", &table);
	assert_int_equal(change(&s, table.s, "t1"), 0);
	assert_int_equal(change(&s, table.s, "t1"), WBL_END);
	table_json("two", &table);
	assert_int_equal(change(&s, table.s, "t2"), 0);
	table_json("a/b", &table);
	assert_int_equal(change(&s, table.s, "t3"), WBL_E_PARAM);
	append(&s, "two", &r, "c1");
	shell("[ $(head -c 5 new/two.csv) = i,d,r ]; echo 9 >new/theirs.csv");
	table_json("theirs", &table);
	assert_int_equal(change(&s, table.s, "t4"), WBL_E_STALE);
	assert_int_equal(
		change(&s, "{\"empty_table\":{\"name\":\"two\",\"origin\":\"r-1\"}}", NULL), 0);
	shell("[ $(wc -l <new/two.csv) = 1 ] && cmp new/one.csv new/two.csv");
	assert_int_equal(change(&s, "{\"drop_table\":{\"name\":\"two\"}}", NULL), 0);
	assert_int_equal(change(&s, "{\"drop_table\":{\"name\":\"one\"}}", NULL), 0);
	assert_int_equal(change(&s, "{\"drop_receipts\":{\"origin\":\"r-1\"}}", NULL), 0);
	shell("[ \"$(ls -A new)\" = theirs.csv ]");
	assert_int_equal(change(&s, "{\"drop_store\":{}}", NULL), 0);
	shell("[ -d new ] && rm new/theirs.csv");
	assert_int_equal(change(&s, "{\"drop_store\":{}}", NULL), 0);
	shell("[ ! -e new ]");
	bench_close(&s);
	wbl_out_clear(&table);
	wbl_rows_clear(&r);
}

/* Rows that cannot be kept are refused by name, and the others are there. */
static void refused(const char *path, const char *extra, int column, struct wbl_rows *value)
{
	struct wbl_write w = { .size = sizeof w,
		.mode = WBL_MODE_INSERT,
		.epoch = 1,
		.set = path,
		.columns = names,
		.origin = "r-1" };
	struct wbl_out table = { 0 };
	struct wbl_rows r = { 0 };
	struct bench_store s = { 0 };
	struct wbl_batch batch;
	uint64_t bad = 77;
	void *writer;

	table_json(path, &table);
	assert_int_equal(opened("csv", path, extra, WBL_OPEN_READ | WBL_OPEN_WRITE, &s), 0);
	assert_int_equal(change(&s, "{\"create_store\":{}}", NULL), 0);
	assert_int_equal(change(&s, table.s, "t"), 0);
	for (int k = 0; k < 2; k++) {
		wbl_row_begin(&r, WBL_ROW_PUT);
		for (int i = 0; names[i]; i++)
			if (k && i == column)
				wbl_cell_copy(&r, value->data, value->len);
			else
				wbl_cell_null(&r);
		wbl_row_end(&r);
	}
	assert_int_equal(s.table->write(s.self, s.call, &w, &writer), 0);
	wbl_rows_batch(&r, path, names, &batch);
	assert_int_equal(s.table->append(writer, s.call, &batch, &bad), WBL_E_PARAM);
	assert_int_equal(bad, 1);
	s.table->abort(writer);
	bench_close(&s);
	wbl_out_clear(&table);
	wbl_rows_clear(&r);
	wbl_rows_reset(value);
}

static void test_refused(void **state)
{
	struct wbl_rows v = { 0 };

	wbl_cell_real(&v, __builtin_nan(""));
	refused("nan.csv", "", 2, &v);
	wbl_cell_text(&v, "\xe2\x82\xac", 3);
	refused("latin.csv", ",\"encoding\":\"iso-8859-1\"", 4, &v);
	wbl_cell_text(&v, "x\xff", 2);
	refused("raw.csv", "", 4, &v);
	wbl_cell_date(&v, 1);
	refused("any.csv", "", 12, &v);
	wbl_cell_int(&v, 5);
	refused("five.csv", ",\"null\":\"5\"", 0, &v);
	wbl_rows_clear(&v);
}

/* ---- the tables in the pages ---- */

static int32_t cast_of(const char *column)
{
	int32_t type = wbl_type_by_name(column);

	assert_true(type >= 0);
	return type;
}

/* written: a field or JSON value in a file of one column; read as: the cell under the column's type; written back: by the store. */
static void check_type(void *arg, const struct type_table_row *row)
{
	const char *store = arg;
	int is_csv = !strcmp(store, "csv");
	static int n;
	char path[40], table[400], line[600], shown[TYPE_TABLE_TEXT], got[600];
	static const char *const columns[] = { "v", NULL };
	struct wbl_scan scan = { .size = sizeof scan, .range = WBL_RANGE_ALL };
	struct wbl_write w = {
		.size = sizeof w, .mode = WBL_MODE_INSERT, .columns = columns, .origin = "r-1"
	};
	struct wbl_outcome out = { .size = sizeof out };
	struct wbl_batch batch = { .size = sizeof batch }, back;
	struct wbl_rows r = { 0 };
	struct wbl_row first;
	struct wbl_cell c;
	struct bench_store s = { 0 };
	const char *why = "";
	void *cursor, *writer;
	uint64_t from = 0;
	FILE *f;

	snprintf(line, sizeof line, is_csv ? "v\n%s\n" : "{\"v\":%s}\n", row->cell[0]);
	put("type.in", line, strlen(line));
	assert_int_equal(opened(store, "type.in", is_csv ? ",\"nonfinite\":\"text\"" : "",
				 WBL_OPEN_READ | WBL_OPEN_TARGET, &s),
		0);
	assert_int_equal(s.table->scan(s.self, s.call, &scan, &cursor), 0);
	if (s.table->read(cursor, s.call, &batch))
		fail_msg("%s.md:%d: %s", store, row->line, noted());
	assert_int_equal(wbl_batch_next(&batch, &from, &first), 1);
	assert_int_equal(wbl_cell_next(&first.cells, &c), 1);
	wbl_row_begin(&r, WBL_ROW_PUT);
	if (wbl_cell_cast(&r, &c, cast_of(row->cell[1]), &why))
		fail_msg("%s.md:%d: %s", store, row->line, why);
	first.cells = wbl_row_end(&r);
	wbl_cell_next(&first.cells, &c);
	type_table_show(&c, shown);
	if (c.len == 0 && strlen(shown) > 1)
		shown[strcspn(shown, " ")] = 0;
	if (strcmp(shown, row->cell[2]) != 0)
		fail_msg("%s.md:%d: read as %s", store, row->line, shown);
	s.table->scan_end(cursor);
	bench_close(&s);
	snprintf(path, sizeof path, "type%d", n++);
	snprintf(table, sizeof table,
		"{\"create_table\":{\"name\":\"%s\",\"columns\":[{\"name\":\"v\",\"type\":\"%s\"}]}"
		"}",
		path, row->cell[1]);
	w.set = path;
	assert_int_equal(opened(store, path, is_csv ? ",\"nonfinite\":\"text\"" : "",
				 WBL_OPEN_READ | WBL_OPEN_WRITE, &s),
		0);
	assert_int_equal(change(&s, "{\"create_store\":{}}", NULL), 0);
	assert_int_equal(change(&s, table, NULL), 0);
	assert_int_equal(s.table->write(s.self, s.call, &w, &writer), 0);
	wbl_rows_batch(&r, path, columns, &back);
	if (s.table->append(writer, s.call, &back, NULL))
		fail_msg("%s.md:%d: %s", store, row->line, noted());
	assert_int_equal(s.table->commit(writer, s.call, NULL, &out), 0);
	bench_close(&s);
	f = fopen(at(path), "r");
	assert_non_null(f);
	if (is_csv)
		assert_non_null(fgets(got, sizeof got, f));
	assert_non_null(fgets(got, sizeof got, f));
	fclose(f);
	snprintf(line, sizeof line, is_csv ? "%s\n" : "{\"v\":%s}\n", row->cell[3]);
	if (strcmp(got, line) != 0)
		fail_msg("%s.md:%d: written back as %s", store, row->line, got);
	wbl_rows_clear(&r);
}

static void test_type_tables(void **state)
{
	static char one[] = "csv", other[] = "jsonl";

	assert_true(type_table_read("plugins/stores/csv/csv.md", TYPE_TABLE_HEAD, check_type, one) >
		    20);
	assert_true(type_table_read("plugins/stores/jsonl/jsonl.md", TYPE_TABLE_HEAD, check_type,
			    other) > 20);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_csv_options, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_hostile, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_encodings, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_packed, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_folders, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_json_forms, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_round_trips, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_nested, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_folder_back, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_refused, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_type_tables, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
