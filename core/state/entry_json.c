/* state/entry_json.c - the event form of an entry.
 * In: an entry.  Out: the JSON object that event stream, history and export show.
 * SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "core/state/journal.h"

#include <string.h>

static void put_some(json_t *j, const char *key, int64_t n)
{
	if (n)
		wbl_json_puti(j, key, n);
}

static bool is_prose(enum wbl_kind kind)
{
	return kind == WBL_KIND_LOG || kind == WBL_KIND_RUN_NOTE;
}

/* JSON stands as it is; the two kinds whose body is prose show it; of anything else only the length is shown. */
static void put_body(json_t *j, const struct wbl_entry *e)
{
	const char *text = e->body.data;
	json_t *body = NULL;

	if (!e->body.len)
		return;
	if (text && is_prose(e->kind) && wbl_utf8_valid(text, e->body.len))
		body = json_stringn(text, e->body.len);
	else if (text)
		body = wbl_json_parse(text, e->body.len, NULL, NULL);
	if (body)
		json_object_set_new(j, "body", body);
	else
		wbl_json_puti(j, "body_bytes", (int64_t)e->body.len);
	if (!text)
		json_object_set_new(j, "purged", json_true());
}

json_t *wbl_entry_json(const struct wbl_entry *e)
{
	json_t *j = json_object();
	char time[32];

	wbl_time_text(e->at, time);
	wbl_json_puti(j, "seq", e->seq);
	wbl_json_put(j, "time", time);
	wbl_json_put(j, "kind", wbl_kind_name(e->kind));
	wbl_json_put(j, "run", e->run);
	wbl_json_put(j, "step", e->step);
	wbl_json_put(j, "chunk", e->chunk);
	put_some(j, "pass", e->pass);
	put_some(j, "attempt", e->attempt);
	put_some(j, "epoch", e->epoch);
	wbl_json_put(j, "name", e->name);
	wbl_json_put(j, "actor", e->actor);
	put_some(j, "status", e->status);
	put_body(j, e);
	return j;
}
