/* cli/html_assess.c - an assessment as one page that needs nothing else: no script, no other file.
 * In: docs/control.md, "An assessment".  Out: HTML in UTF-8; whatever a data set is called is text, never mark-up.
 * SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "core/cli/render.h"

#include <stdlib.h>
#include <string.h>

static const char style[] =
	":root{color-scheme:light "
	"dark;--line:#8884;--dim:#777;--bad:#b3261e;--warn:#8a6100;--card:#8881}"
	"@media(prefers-color-scheme:dark){:root{--bad:#ff8a80;--warn:#ffcf66;--dim:#aaa}}"
	"body{font:16px/1.5 system-ui,sans-serif;max-width:70rem;margin:2rem auto;padding:0 1rem}"
	"h1{font-size:1.6rem}h2{font-size:1.25rem;margin-top:2.5rem;overflow-wrap:anywhere}h3{font-"
	"size:1rem;margin-top:1.5rem}"
	"table{border-collapse:collapse;width:100%;font-size:.92rem}th,td{padding:.3rem "
	".6rem;border-bottom:1px solid var(--line);"
	"text-align:left;vertical-align:top;overflow-wrap:anywhere}th{color:var(--dim);font-weight:"
	"500}"
	".n{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}.dim{color:var(--"
	"dim)}"
	".error{color:var(--bad)}.warning{color:var(--warn)}.wide{overflow-x:auto}"
	"pre{background:var(--card);padding:1rem;overflow-x:auto;font-size:.85rem}summary{cursor:"
	"pointer;padding:.3rem 0}"
	"@media print{body{margin:0;max-width:none}details>*{display:block}}";

static void line(struct wbl_buf *b, const char *s)
{
	struct wbl_buf safe = { 0 };
	size_t i;

	wbl_text_safe(&safe, s);
	for (i = 0; i < safe.len; i++)
		switch (safe.data[i]) {
		case '&':
			wbl_buf_adds(b, "&amp;");
			break;
		case '<':
			wbl_buf_adds(b, "&lt;");
			break;
		case '>':
			wbl_buf_adds(b, "&gt;");
			break;
		case '"':
			wbl_buf_adds(b, "&quot;");
			break;
		default:
			wbl_buf_add(b, &safe.data[i], 1);
		}
	wbl_buf_clear(&safe);
}

/* Line breaks are kept; all else that is not for eyes is made visible. */
static void text(struct wbl_buf *b, const char *s)
{
	for (;;) {
		size_t n = strcspn(s, "\n");
		WBL_AUTOFREE char *one = wbl_strndup(s, n);

		line(b, one);
		if (!s[n])
			return;
		wbl_buf_adds(b, "\n");
		s += n + 1;
	}
}

static void element(struct wbl_buf *b, const char *name, const char *class, const char *s)
{
	wbl_buf_addf(b, *class ? "<%s class=\"%s\">" : "<%s>", name, class);
	text(b, s);
	wbl_buf_addf(b, "</%s>", name);
}

static void cell(struct wbl_buf *b, const char *class, char *s)
{
	element(b, "td", class, s);
	free(s);
}

static void heads(struct wbl_buf *b, const char *const *names)
{
	wbl_buf_adds(b, "<div class=\"wide\"><table><thead><tr>");
	for (; *names; names++)
		element(b, "th", "", *names);
	wbl_buf_adds(b, "</tr></thead><tbody>\n");
}

static void table_end(struct wbl_buf *b)
{
	wbl_buf_adds(b, "</tbody></table></div>\n");
}

static size_t count(const json_t *findings, const char *kind)
{
	const json_t *f;
	size_t n = 0, i;

	json_array_foreach((json_t *)findings, i, f) n += wbl_assess_kind(f, kind);
	return n;
}

static const char *severity_of(const json_t *f)
{
	const char *s = wbl_value_str(f, "severity");

	return !strcmp(s, "error") ? "error" : !strcmp(s, "note") ? "dim" : "warning";
}

static void part_troubles(struct wbl_buf *b, const json_t *findings)
{
	static const char *const names[] = { "", "where", "what", "examples", "what to do", NULL };
	const json_t *f;
	size_t i;

	element(b, "h3", "", "Troubles");
	if (!count(findings, "trouble")) {
		element(b, "p", "dim", "None were found.");
		return;
	}
	heads(b, names);
	json_array_foreach((json_t *)findings, i, f)
	{
		const char *column = wbl_value_str(f, "column");

		if (!wbl_assess_kind(f, "trouble"))
			continue;
		wbl_buf_adds(b, "<tr>");
		element(b, "td", severity_of(f), wbl_value_str(f, "severity"));
		cell(b, "",
			wbl_strf("%s%s%s", wbl_value_str(f, "set"), *column ? "." : "", column));
		element(b, "td", "", wbl_value_str(f, "text"));
		cell(b, "dim", wbl_value_list(json_object_get(f, "examples"), ""));
		element(b, "td", "", wbl_value_str(f, "advice"));
		wbl_buf_adds(b, "</tr>\n");
	}
	table_end(b);
}

static void part_columns(struct wbl_buf *b, const json_t *findings, const char *set)
{
	static const char *const names[] = { "column", "declared", "found", "NULL", "different",
		"least", "greatest", "longest", NULL };
	const json_t *f;
	size_t i;

	heads(b, names);
	json_array_foreach((json_t *)findings, i, f)
	{
		if (!wbl_assess_kind(f, "column") || strcmp(wbl_value_str(f, "set"), set))
			continue;
		wbl_buf_adds(b, "<tr>");
		element(b, "td", "", wbl_value_str(f, "column"));
		element(b, "td", "", wbl_value_str(f, "declared"));
		cell(b, "", wbl_value_text(json_object_get(f, "found")));
		cell(b, "n", wbl_value_count(f, "nulls"));
		cell(b, "n", wbl_value_count(f, "distinct"));
		cell(b, "", wbl_value_text(json_object_get(f, "least")));
		cell(b, "", wbl_value_text(json_object_get(f, "greatest")));
		cell(b, "n", wbl_value_count(f, "longest"));
		wbl_buf_adds(b, "</tr>\n");
	}
	table_end(b);
}

static void one_set(struct wbl_buf *b, const json_t *doc, const json_t *subject, const json_t *f)
{
	WBL_AUTOFREE char *rows = wbl_value_count(f, "rows");
	WBL_AUTOFREE char *bytes = wbl_value_some(f, "bytes", wbl_value_size);
	WBL_AUTOFREE char *key = wbl_value_list(json_object_get(f, "key"), "none");
	WBL_AUTOFREE char *growth = wbl_assess_growth(doc, subject, f);
	WBL_AUTOFREE char *words = wbl_strf(" %s rows%s%s, key: %s%s%s", rows, *bytes ? ", " : "",
		bytes, key, *growth ? ", " : "", growth);

	wbl_buf_adds(b, "<details><summary>");
	element(b, "b", "", wbl_value_str(f, "set"));
	element(b, "span", "dim", words);
	wbl_buf_adds(b, "</summary>\n");
	part_columns(b, json_object_get(subject, "findings"), wbl_value_str(f, "set"));
	wbl_buf_adds(b, "</details>\n");
}

static void part_cost(struct wbl_buf *b, const json_t *findings)
{
	const json_t *f, *r;
	size_t i, k;

	json_array_foreach((json_t *)findings, i, f)
	{
		if (wbl_assess_kind(f, "estimate")) {
			WBL_AUTOFREE char *likely = wbl_value_span(f, "p50_ns");
			WBL_AUTOFREE char *most = wbl_value_span(f, "p90_ns");
			WBL_AUTOFREE char *words = wbl_strf("About %s, hardly more than %s (%s).",
				likely, most, wbl_value_str(f, "basis"));
			WBL_AUTOFREE char *down = wbl_strf("Downtime: %s. %s",
				wbl_json_bool(f, "downtime", false) ? "needed" : "not needed",
				wbl_value_str(f, "why"));

			element(b, "h3", "", "How long it will take");
			element(b, "p", "", words);
			element(b, "p", "", down);
		} else if (wbl_assess_kind(f, "complexity")) {
			WBL_AUTOFREE char *words = wbl_strf("%s (%lld points)",
				wbl_value_str(f, "level"), (long long)wbl_json_int(f, "score", 0));

			element(b, "h3", "", "How hard it will be");
			element(b, "p", "", words);
			wbl_buf_adds(b, "<ul>");
			json_array_foreach(json_object_get(f, "reasons"), k, r)
			{
				WBL_AUTOFREE char *reason = wbl_strf("%lld: %s",
					(long long)wbl_json_int(r, "points", 0),
					wbl_value_str(r, "text"));

				element(b, "li", "", reason);
			}
			wbl_buf_adds(b, "</ul>\n");
		}
	}
}

static void part_texts(struct wbl_buf *b, const json_t *findings, const char *kind,
	const char *title, const char *name)
{
	const json_t *f;
	size_t i;

	if (!count(findings, kind))
		return;
	element(b, "h3", "", title);
	json_array_foreach((json_t *)findings, i, f)
	{
		if (!wbl_assess_kind(f, kind))
			continue;
		wbl_buf_addf(b, "<%s>", name);
		text(b, wbl_value_str(f, "text"));
		wbl_buf_addf(b, "</%s>\n", name);
	}
}

static void one_subject(struct wbl_buf *b, const json_t *doc, const json_t *subject)
{
	const json_t *findings = json_object_get(subject, "findings"),
		     *error = json_object_get(subject, "error"), *f;
	int64_t sets, rows, bytes;
	char n[32], m[32], size[24];
	size_t i;

	element(b, "h2", "", wbl_value_str(subject, "source"));
	if (json_is_object(error)) {
		element(b, "p", "error", wbl_value_str(error, "text"));
		return;
	}
	wbl_assess_sum(subject, &sets, &rows, &bytes);
	wbl_count_text((uint64_t)sets, n);
	wbl_count_text((uint64_t)rows, m);
	wbl_size_text((uint64_t)bytes, size);
	wbl_buf_addf(b, "<p>%s %s, %s rows%s%s</p>\n", n, sets == 1 ? "table" : "tables", m,
		bytes ? ", " : "", bytes ? size : "");
	part_troubles(b, findings);
	element(b, "h3", "", "What is there");
	json_array_foreach((json_t *)findings, i, f) if (wbl_assess_kind(f, "set"))
		one_set(b, doc, subject, f);
	part_cost(b, findings);
	part_texts(b, findings, "advice", "Advice", "p");
	part_texts(b, findings, "spec", "A spec to begin with", "pre");
}

void wbl_html_assessment(struct wbl_buf *b, const json_t *doc)
{
	WBL_AUTOFREE char *passed = wbl_value_list(json_object_get(doc, "passed_over"), "");
	const json_t *subject;
	char when[32];
	size_t i;

	wbl_value_when(json_object_get(doc, "made"), when);
	wbl_buf_adds(b, "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"/>"
			"<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>"
			"<title>Assessment ");
	text(b, wbl_value_str(doc, "assessment"));
	wbl_buf_addf(b, "</title><style>%s</style></head><body>\n<h1>Assessment ", style);
	text(b, wbl_value_str(doc, "assessment"));
	wbl_buf_addf(b, "</h1>\n<p class=\"dim\">made %s</p>\n", when);
	json_array_foreach(json_object_get(doc, "subjects"), i, subject)
		one_subject(b, doc, subject);
	if (*passed) {
		element(b, "h2", "", "Passed over, as no store knows them");
		element(b, "p", "", passed);
	}
	wbl_buf_adds(b, "</body></html>\n");
}
