/* tests of what dead letters are made of: every kind of cell as JSON and back, the same bytes; and what is not a cell is refused.
 * req: D5 D2
 * SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <whimbrel/sdk.h>

/* The cells of `r` through JSON: the same bytes, and the text is `want` where it is given. */
static void round_trip(struct wbl_rows *r, const char *want)
{
	struct wbl_rows back = { 0 };
	struct wbl_out o = { 0 };
	struct wbl_bytes cells = wbl_row_end(r), rest = cells, other;
	struct wbl_cell c;
	struct wbl_doc *doc;
	const char *why = "";

	assert_int_equal(wbl_cell_next(&rest, &c), 1);
	wbl_json_put_cell(&o, NULL, &c);
	if (want)
		assert_string_equal(o.s, want);
	doc = wbl_doc_parse(o.s, o.len, &why);
	if (!doc)
		fail_msg("%s: %s", o.s, why);
	wbl_row_begin(&back, WBL_ROW_PUT);
	if (wbl_json_get_cell(&back, wbl_doc_root(doc), &why))
		fail_msg("%s: %s", o.s, why);
	other = wbl_row_end(&back);
	if (other.len != cells.len || memcmp(other.data, cells.data, cells.len) != 0)
		fail_msg("%s does not read back as the same cell", o.s);
	wbl_doc_free(doc);
	wbl_out_clear(&o);
	wbl_rows_clear(&back);
	wbl_rows_reset(r);
	wbl_row_begin(r, WBL_ROW_PUT);
}

static void test_cells(void **state)
{
	static const double reals[] = { 0.5, -1e300, 5e-324, 2.2250738585072014e-308, 1e15, 3 };
	static const uint8_t id[16] = { 1, 2, 3, 255 };
	struct wbl_rows r = { 0 };
	char all[256];

	(void)state;
	wbl_row_begin(&r, WBL_ROW_PUT);
	wbl_cell_null(&r);
	round_trip(&r, "null");
	wbl_cell_int(&r, INT64_MIN);
	round_trip(&r, "-9223372036854775808");
	wbl_cell_blob(&r, WBL_CELL_DECIMAL, "-12345678901234567890.5", 23);
	round_trip(&r, "-12345678901234567890.5");
	for (size_t i = 0; i < sizeof reals / sizeof *reals; i++) {
		wbl_cell_real(&r, reals[i]);
		round_trip(&r, i ? NULL : "{\"$real\":\"0.5\"}");
		wbl_cell_real32(&r, (float)reals[i]);
		round_trip(&r, NULL);
	}
	wbl_cell_real(&r, (double)NAN);
	round_trip(&r, NULL);
	wbl_cell_real(&r, -(double)INFINITY);
	round_trip(&r, "{\"$bits\":\"Ffff0000000000000\"}");
	wbl_cell_text(&r, "a \"quoted\"\nline", 15);
	round_trip(&r, "\"a \\\"quoted\\\"\\u000aline\"");
	wbl_cell_text(&r, "a\0b", 3);
	round_trip(&r, NULL);
	wbl_cell_text(&r, "\xc3\x28", 2);
	round_trip(&r, "{\"$raw\":\"wyg=\"}");
	for (size_t n = 0; n < sizeof all; n++) {
		all[n] = (char)n;
		wbl_cell_blob(&r, WBL_CELL_BYTES, all, n);
		round_trip(&r, n ? NULL : "{\"$base64\":\"\"}");
	}
	wbl_cell_time(&r, WBL_CELL_INSTANT, INT64_C(1700000000123456789), 9);
	round_trip(&r, "{\"$instant\":\"2023-11-14T22:13:20.123456789Z\"}");
	wbl_cell_time(&r, WBL_CELL_LOCAL, 0, 0);
	round_trip(&r, NULL);
	wbl_cell_date(&r, -1);
	round_trip(&r, "{\"$date\":\"1969-12-31\"}");
	wbl_cell_uuid(&r, id);
	round_trip(&r, NULL);
	wbl_cell_blob(&r, WBL_CELL_JSON, "{\"$base64\":\"x\"}", 15);
	round_trip(&r, "{\"$json\":{\"$base64\":\"x\"}}");
	wbl_cell_blob(&r, WBL_CELL_LIST, "N", 1);
	round_trip(&r, "{\"$list\":[null]}");
	wbl_rows_clear(&r);
}

static void test_refused(void **state)
{
	static const char *const bad[] = { "{\"$base64\":\"a\"}", "{\"$base64\":\"ab=c\"}",
		"{\"$base64\":\"a===\"}", "{\"$base64\":\"YQ=*\"}", "{\"$base64\":\"YR==\"}",
		"{\"$bits\":\"F0\"}", "{\"$bits\":\"Xfff0000000000000\"}", "{\"$real\":\"x\"}",
		"{\"$real\":1}", "{\"$date\":\"2026-02-30\"}", "{\"$masked\":true}",
		"{\"$what\":\"x\"}", "{\"$list\":{}}", "{\"$list\":[{\"$uuid\":\"1\"}]}",
		"1e400000" };
	struct wbl_rows r = { 0 };

	(void)state;
	wbl_row_begin(&r, WBL_ROW_PUT);
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		struct wbl_doc *doc = wbl_doc_parse(bad[i], strlen(bad[i]), NULL);
		const char *why = NULL;
		size_t len = r.len;

		assert_non_null(doc);
		if (!wbl_json_get_cell(&r, wbl_doc_root(doc), &why))
			fail_msg("%s was taken", bad[i]);
		assert_true(why && *why);
		assert_int_equal(r.len, len);
		wbl_doc_free(doc);
	}
	wbl_rows_clear(&r);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cells),
		cmocka_unit_test(test_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
