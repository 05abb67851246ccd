/* cli/render.h - results of the engine as text for people.
 * Every function takes what docs/control.md describes, tolerates members that are missing or of
 * another type, and writes to the paper only. Nothing in here talks to the engine.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef WBL_CORE_CLI_RENDER_H
#define WBL_CORE_CLI_RENDER_H
#include "core/base/json.h"
#include "core/cli/paper.h"

/* amounts.c: one value each. Texts that come back are to be freed. */
void wbl_value_when(const json_t *time, char out[32]);  /* "2026-11-21 13:14:11Z"; "-" */
bool wbl_value_ns(const json_t *time, int64_t *ret_ns); /* RFC 3339 text or ns -> ns since 1970 */
char *wbl_value_list(const json_t *array, const char *none); /* "a, b, c" */
char *wbl_value_amount(const json_t *obj); /* "4,812,733 items, 9.1 GB" of items and bytes */
char *wbl_value_count(
	const json_t *obj, const char *key); /* "4,812,733"; "" when absent or negative */
char *wbl_value_size(const json_t *obj, const char *key);
char *wbl_value_span(const json_t *obj, const char *key); /* ns -> "6m 50s"; "" when absent */
/* By one of the two above, but "" also for 0. */
char *wbl_value_some(
	const json_t *obj, const char *key, char *(*value)(const json_t *, const char *));
char *wbl_value_text(const json_t *v); /* any scalar; JSON for the rest; "" for null */
const char *wbl_value_str(const json_t *obj, const char *key); /* "" when absent or no text */
enum wbl_tint wbl_value_tint(const char *state);               /* of a run's or step's state */
char *wbl_value_words(const char *state);                      /* "rolled_back" -> "rolled back" */

/* render_plan.c. digest and used_by may be NULL. next: say what to type. */
void wbl_render_plan(struct wbl_paper *p, const json_t *plan, const char *digest,
	const json_t *used_by, bool next);
void wbl_render_questions(struct wbl_paper *p, const json_t *questions, const char *subject);
void wbl_render_findings(struct wbl_paper *p, const json_t *findings);

/* render_report.c */
void wbl_render_report(struct wbl_paper *p, const json_t *report);
void wbl_render_end(
	struct wbl_paper *p, const json_t *summary, const json_t *report, const json_t *explained);
void wbl_render_explained(struct wbl_paper *p, const json_t *explained);
void wbl_render_verified(struct wbl_paper *p, const json_t *result);
void wbl_render_differences(struct wbl_paper *p, const json_t *differences);

/* render_proof.c */
void wbl_render_proof(struct wbl_paper *p, const json_t *verification);
/* One difference as a line of text, to be freed. */
char *wbl_difference_text(const json_t *difference);
void wbl_render_difference_list(struct wbl_paper *p, const json_t *page);

/* render_assess.c, html_assess.c */
void wbl_render_assessment(struct wbl_paper *p, const json_t *doc);
void wbl_render_assessments(struct wbl_paper *p, const json_t *result);
void wbl_html_assessment(struct wbl_buf *b, const json_t *doc);
bool wbl_assess_kind(const json_t *finding, const char *kind);
/* "+1,200 a day", "+12", "new", "as before"; "" when it was not looked at before. */
char *wbl_assess_growth(const json_t *doc, const json_t *subject, const json_t *set);
void wbl_assess_sum(
	const json_t *subject, int64_t *ret_sets, int64_t *ret_rows, int64_t *ret_bytes);

/* render_status.c */
void wbl_render_status(struct wbl_paper *p, const json_t *result);
void wbl_render_history(struct wbl_paper *p, const json_t *result);
void wbl_render_waiting(struct wbl_paper *p, const json_t *summary);
char *wbl_render_pace(const json_t *summary); /* "42 %, 1,200 items/s, 1m 20s left"; free */

/* render_setup.c */
void wbl_render_checks(struct wbl_paper *p, const json_t *checks);
void wbl_render_handlers(struct wbl_paper *p, const json_t *result);
void wbl_render_manifest(struct wbl_paper *p, const json_t *manifest);
void wbl_render_audit_verify(struct wbl_paper *p, const json_t *result);
void wbl_render_audit_list(struct wbl_paper *p, const json_t *result);

/* narrate.c: events as lines. One narrator follows one stream. */
struct wbl_narrator {
	json_t *states; /* step -> what it was last known to do */
};
/* Writes the line of an entry; false when it says nothing that a person wants to see. */
bool wbl_narrate(struct wbl_narrator *n, struct wbl_paper *p, const json_t *entry);
void wbl_narrator_clear(struct wbl_narrator *n);

/* live.c: what is going on, as bars. `rows`: at most so many lines. elapsed_ns: since the summary
 * was made. */
void wbl_live_frame(struct wbl_paper *p, const json_t *summary, int rows, int64_t since_ns);
#endif
