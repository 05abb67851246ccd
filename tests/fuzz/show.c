/* fuzz/show.c - documents of anybody, shown: plans, reports, events. Nothing that reaches the terminal may be a control
 * character, and escaping JSON for a terminal must not change what it says.
 * req: P3 H5 Q4
 * SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <locale.h>
#include <stdlib.h>
#include <string.h>

#include "core/cli/render.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(struct wbl_paper *p)
{
	const unsigned char *u = (const unsigned char *)p->buf.data;

	for (; u && *u; u++)
		if ((*u < 0x20 && *u != '\n') || *u == 0x7f || (u[0] == 0xc2 && u[1] < 0xa0))
			abort();
	if (p->buf.len && !wbl_utf8_valid(p->buf.data, p->buf.len))
		abort();
	wbl_paper_clear(p);
}

static void show_all(const json_t *j, int width)
{
	static void (*const pages[])(struct wbl_paper *, const json_t *) = { wbl_render_report,
		wbl_render_status, wbl_render_history, wbl_render_waiting, wbl_render_explained,
		wbl_render_verified, wbl_render_differences, wbl_render_findings, wbl_render_checks,
		wbl_render_handlers, wbl_render_manifest, wbl_render_audit_verify,
		wbl_render_audit_list };
	struct wbl_paper p = { .width = width };
	struct wbl_narrator n = { 0 };
	size_t i;

	for (i = 0; i < WBL_COUNT(pages); i++) {
		pages[i](&p, j);
		check(&p);
	}
	wbl_render_plan(&p, j, "digest", json_object_get(j, "used_by"), true);
	check(&p);
	wbl_render_end(&p, json_object_get(j, "run"), j, j);
	check(&p);
	wbl_live_frame(&p, j, width % 9, 1);
	check(&p);
	wbl_narrate(&n, &p, j);
	wbl_narrate(&n, &p, json_object_get(j, "run"));
	check(&p);
	wbl_narrator_clear(&n);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct wbl_buf safe = { 0 };
	struct wbl_error err;
	WBL_AUTOFREE char *text = NULL;
	json_t *j, *again;

	setlocale(LC_CTYPE, "C.UTF-8");
	if (!size)
		return 0;
	j = wbl_json_parse((const char *)data + 1, size - 1, "fuzz", &err);
	if (!j)
		return 0;
	show_all(j, 40 + data[0] % 100);
	text = wbl_json_text(j);
	wbl_text_safe_json(&safe, text);
	again = wbl_json_parse(safe.data, safe.len, "again", &err);
	if (!again || !json_equal(j, again))
		abort();
	json_decref(again);
	json_decref(j);
	wbl_buf_clear(&safe);
	return 0;
}
