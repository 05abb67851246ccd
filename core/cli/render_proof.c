/* cli/render_proof.c - is everything there, and what is not: verification and differences as text.
 * SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "core/cli/render.h"

#include <string.h>

static void one_set(struct wbl_paper *p, const json_t *set)
{
	const char *row = wbl_value_str(set, "digest_target");
	char when[32];

	if (!*row)
		row = wbl_value_str(set, "digest_source");
	wbl_value_when(json_object_get(set, "at"), when);
	wbl_paper_wrap(p, 2, "%s: %s", wbl_value_str(set, "set"), wbl_value_str(set, "said"));
	wbl_paper_line(p, "    digest %s, keys %s", row, wbl_value_str(set, "keys_source"));
	if (*wbl_value_str(set, "at"))
		wbl_paper_line(p, "    %s by %s", when, wbl_value_str(set, "by"));
}

void wbl_render_proof(struct wbl_paper *p, const json_t *v)
{
	const json_t *sets = json_object_get(v, "sets"), *set;
	size_t i;

	if (!json_array_size(sets))
		return;
	wbl_paper_head(p, "Is everything there?");
	json_array_foreach((json_t *)sets, i, set) one_set(p, set);
	wbl_paper_tint(p, wbl_json_bool(v, "complete", false) ? WBL_TINT_GREEN : WBL_TINT_YELLOW);
	wbl_paper_wrap(p, 2, "%s", wbl_value_str(v, "said"));
	wbl_paper_tint(p, WBL_TINT_NONE);
}

/* A rejected row has no other side: its place, and why it was left out. */
static char *rejected_text(const json_t *d)
{
	WBL_AUTOFREE char *key = wbl_value_text(json_object_get(d, "key"));
	WBL_AUTOFREE char *why = wbl_value_text(json_object_get(d, "expected"));
	WBL_AUTOFREE char *value = wbl_value_text(json_object_get(d, "found"));
	json_t *place = json_loads(key, 0, NULL);
	const char *source = wbl_json_str(place, "source"), *field = wbl_value_str(d, "field");
	struct wbl_buf b = { 0 };

	wbl_buf_addf(&b, "rejected %s %s:%s%s %s%s%s", wbl_value_str(d, "set"),
		source ? source : key, *field ? " " : "", field, why, *value ? ": " : "", value);
	json_decref(place);
	return b.data;
}

char *wbl_difference_text(const json_t *d)
{
	WBL_AUTOFREE char *key = wbl_value_text(json_object_get(d, "key"));
	WBL_AUTOFREE char *expected = wbl_value_text(json_object_get(d, "expected"));
	WBL_AUTOFREE char *found = wbl_value_text(json_object_get(d, "found"));
	const char *kind = wbl_value_str(d, "kind"), *field = wbl_value_str(d, "field");
	struct wbl_buf b = { 0 };

	if (!strcmp(kind, "rejected"))
		return rejected_text(d);
	wbl_buf_addf(&b,
		strcmp(kind, "conflict") ? "%s %s %s%s%s: expected %s, found %s"
					 : "%s %s %s%s%s: source %s, target %s",
		kind, wbl_value_str(d, "set"), key, *field ? " " : "", field,
		*expected ? expected : "nothing", *found ? found : "nothing");
	return b.data;
}

void wbl_render_difference_list(struct wbl_paper *p, const json_t *page)
{
	const json_t *kinds = json_object_get(page, "kinds"), *n, *d;
	const char *kind;
	size_t i;

	json_array_foreach(json_object_get(page, "shown"), i, d)
	{
		WBL_AUTOFREE char *text = wbl_difference_text(d);

		wbl_paper_line(p, "%s", text);
	}
	wbl_paper_add(p, "%lld in all", (long long)wbl_json_int(page, "total", 0));
	json_object_foreach((json_t *)kinds, kind, n)
		wbl_paper_add(p, ", %lld %s", (long long)json_integer_value(n), kind);
	if (json_is_integer(json_object_get(page, "next")))
		wbl_paper_add(p, "; more: --after %lld", (long long)wbl_json_int(page, "next", 0));
	wbl_paper_end(p);
}
