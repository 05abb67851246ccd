/* cli/live.c - the moving part of a followed run: its total, and a bar for each step that works.
 * In: the newest summary.  Out: a frame of lines, none wider than the paper, so that it can be
 * drawn over.
 * SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "core/cli/render.h"

#include <stdlib.h>
#include <string.h>

enum { BAR = 16, NAME = 24 };

static void bar(struct wbl_buf *b, int64_t percent, int width, bool utf8)
{
	int full = (int)(percent < 0 ? 0 : percent > 100 ? width : percent * width / 100), i;

	if (!utf8)
		wbl_buf_adds(b, "[");
	for (i = 0; i < width; i++)
		wbl_buf_adds(b, utf8 ? (i < full ? "\u2501" : "\u2500") : (i < full ? "#" : "."));
	if (!utf8)
		wbl_buf_adds(b, "]");
}

/* Everything goes through one cut, so that no line can wrap. */
static void put(struct wbl_paper *p, enum wbl_tint tint, struct wbl_buf *line)
{
	struct wbl_buf safe = { 0 };

	wbl_text_safe(&safe, line->data ? line->data : "");
	wbl_buf_add(&safe, "", 0);
	wbl_paper_tint(p, tint);
	wbl_buf_add(&p->buf, safe.data, wbl_text_fit(safe.data, p->width - 1));
	wbl_paper_tint(p, WBL_TINT_NONE);
	wbl_paper_end(p);
	wbl_buf_clear(&safe);
	wbl_buf_clear(line);
}

static void total_line(struct wbl_paper *p, const json_t *s, int64_t since_ns)
{
	WBL_AUTOFREE char *words = wbl_value_words(wbl_value_str(s, "state"));
	WBL_AUTOFREE char *pace = NULL;
	int64_t eta = wbl_json_int(s, "eta_ns", -1);
	json_t *aged = json_copy((json_t *)s);
	struct wbl_buf b = { 0 };
	char span[24];

	/* between two summaries time goes on */
	if (eta >= 0)
		wbl_json_puti(aged, "eta_ns", eta > since_ns ? eta - since_ns : 0);
	pace = wbl_render_pace(aged);
	json_decref(aged);
	if (__builtin_add_overflow(since_ns, wbl_json_int(s, "elapsed_ns", 0), &since_ns))
		since_ns = 0;
	wbl_duration_text(since_ns, span);
	wbl_buf_addf(&b, "%s %s: ", wbl_value_str(s, "run"), words);
	if (p->width >= 60)
		bar(&b, wbl_json_int(s, "percent", 0), BAR, p->utf8);
	wbl_buf_addf(&b, " step %lld of %lld, %s so far%s%s",
		(long long)wbl_json_int(s, "steps_done", 0),
		(long long)wbl_json_int(s, "steps_total", 0), span, *pace ? ", " : "", pace);
	put(p, WBL_TINT_BOLD, &b);
}

static bool works(const char *state)
{
	return !strcmp(state, "executing") || !strcmp(state, "up") || !strcmp(state, "undoing") ||
	       !strcmp(state, "executed") || !strcmp(state, "waiting") ||
	       !strcmp(state, "suspended");
}

static void amounts(struct wbl_buf *b, const json_t *s)
{
	WBL_AUTOFREE char *items = wbl_value_count(s, "items");
	WBL_AUTOFREE char *items_of = wbl_value_count(s, "items_of");
	WBL_AUTOFREE char *bytes = wbl_value_size(s, "bytes");
	int64_t chunks = wbl_json_int(s, "chunks", 0);

	if (wbl_json_int(s, "items", 0) > 0)
		wbl_buf_addf(b, " %s%s%s items", items,
			wbl_json_int(s, "items_of", 0) > 0 ? " of " : "",
			wbl_json_int(s, "items_of", 0) > 0 ? items_of : "");
	if (wbl_json_int(s, "bytes", 0) > 0)
		wbl_buf_addf(b, " %s", bytes);
	if (chunks > 0)
		wbl_buf_addf(b, " chunk %lld/%lld", (long long)wbl_json_int(s, "chunks_done", 0),
			(long long)chunks);
}

static void step_line(struct wbl_paper *p, const json_t *s)
{
	int64_t done = wbl_json_int(s, "items", 0), of = wbl_json_int(s, "items_of", 0);
	const char *state = wbl_value_str(s, "state"), *phase = wbl_value_str(s, "phase");
	struct wbl_buf b = { 0 };
	int64_t percent;

	if (of <= 0) {
		done = wbl_json_int(s, "bytes", 0);
		of = wbl_json_int(s, "bytes_of", 0);
	}
	wbl_buf_addf(&b, "  %-*s ", NAME, wbl_value_str(s, "id"));
	if (of > 0 && done >= 0) {
		percent = done >= of ? 100 : (int64_t)((double)done * 100 / (double)of);
		bar(&b, percent, BAR, p->utf8);
		wbl_buf_addf(&b, " %3lld %%", (long long)percent);
	} else {
		WBL_AUTOFREE char *words = wbl_value_words(state);

		wbl_buf_addf(&b, "%s", words);
	}
	amounts(&b, s);
	if (*phase)
		wbl_buf_addf(&b, " %s", phase);
	put(p, strcmp(state, "undoing") ? WBL_TINT_NONE : WBL_TINT_YELLOW, &b);
}

void wbl_live_frame(struct wbl_paper *p, const json_t *s, int rows, int64_t since_ns)
{
	const json_t *step, *steps = json_object_get(s, "steps");
	struct wbl_buf b = { 0 };
	int left = rows - 2, hidden = 0;
	size_t i;

	total_line(p, s, since_ns);
	json_array_foreach((json_t *)steps, i, step)
	{
		if (!works(wbl_value_str(step, "state")))
			continue;
		if (left-- > 0)
			step_line(p, step);
		else
			hidden++;
	}
	if (hidden && rows > 1) {
		wbl_buf_addf(&b, "  and %d more", hidden);
		put(p, WBL_TINT_NONE, &b);
	}
}
