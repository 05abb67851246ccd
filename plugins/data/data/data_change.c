/* data_change.c - one change of the target after its undo record; receipts taken away at the end.
 * In: a change as docs/data.md lists them.  Out: the change, once, by its receipt.
 * SPDX-License-Identifier: Apache-2.0 */
#include "data_impl.h"

#include <stdlib.h>
#include <string.h>

/* ---- undo records ---- */

int32_t data_undo_list(struct wbl_call *call, struct data_undo **ret, size_t *ret_n)
{
	const struct wbl_undo_service *undo = wbl_service(call, "wbl.undo/1");
	struct wbl_undo u = { .size = sizeof u };
	void *cursor = NULL;
	int32_t rc = WBL_END;

	*ret = NULL;
	*ret_n = 0;
	while (undo && !(rc = undo->each(call, &cursor, &u))) {
		struct wbl_out body = { 0 };

		*ret = wbl_sdk_grow(*ret, (*ret_n + 1) * sizeof **ret);
		wbl_out_add(&body, u.body.data, u.body.len);
		(*ret)[(*ret_n)++] =
			(struct data_undo){ wbl_sdk_strdup(u.id), body.s, (u.flags & 1) != 0 };
	}
	return rc == WBL_END ? WBL_OK : rc;
}

void data_undo_free(struct data_undo *list, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		free(list[i].id);
		free(list[i].body);
	}
	free(list);
}

int32_t data_undo_put(struct wbl_call *call, const char *id, const char *body)
{
	const struct wbl_undo_service *undo = wbl_service(call, "wbl.undo/1");
	struct wbl_undo u = { .size = sizeof u, .id = id, .body = { body, strlen(body) } };

	if (!undo)
		return wbl_error_report(
			call, WBL_E_ABI, id, NULL, "the host keeps no undo records here");
	return undo->put(call, &u);
}

/* ---- one change ---- */

int32_t data_change_keyed(
	struct data_ends *e, const struct wbl_work *work, const char *change, const char *key)
{
	struct wbl_receipt receipt = {
		.size = sizeof receipt,
		.epoch = work->epoch,
		.attempt = work->attempt,
		.key = key,
	};
	struct wbl_schema schema = {
		.size = sizeof schema,
		.change_json = change,
		.receipt = key ? &receipt : NULL,
	};
	const char *text;
	int32_t rc;

	if (!e->dst->schema)
		return wbl_error_report(
			e->call, WBL_E_UNSUPPORTED, "target", NULL, "this store changes no schema");
	rc = e->dst->schema(e->target.self, e->call, &schema, &text);
	return rc == WBL_END ? WBL_OK : rc;
}

int32_t data_change(
	struct data_ends *e, const struct wbl_work *work, const char *change, const char *part)
{
	struct wbl_out key = { 0 };
	int32_t rc;

	if (part)
		wbl_out_fmt(&key, "%s/%s", work->key, part);
	rc = data_change_keyed(e, work, change, key.s);
	wbl_out_clear(&key);
	return rc;
}

int32_t data_change_named(struct data_ends *e, const struct wbl_work *work, const char *verb,
	const char *name, const char *part)
{
	struct wbl_out o = { 0 };
	int32_t rc;

	wbl_out_open(&o, NULL, '{');
	wbl_out_open(&o, verb, '{');
	if (name)
		wbl_out_text(&o, "name", name);
	wbl_out_text(&o, "origin", work->run_id);
	wbl_out_int(&o, "epoch", (int64_t)work->epoch);
	wbl_out_close(&o, '}');
	wbl_out_close(&o, '}');
	rc = data_change(e, work, o.s, part);
	wbl_out_clear(&o);
	return rc;
}

/* ---- receipts away, and back when the run is rolled back after that ---- */

int32_t data_tidy_execute(struct wbl_call *call, const struct wbl_work *work)
{
	struct wbl_out change = { 0 };
	struct wbl_schema say = { .size = sizeof say, .flags = 1 };
	const char *back = NULL;
	struct data_ends e;
	int32_t rc;

	if (work->flags & WBL_WORK_REHEARSE)
		return WBL_OK;
	rc = data_open_target(call, WBL_OPEN_WRITE, &e);
	if (rc)
		return rc;
	wbl_out_fmt(&change, "{\"drop_receipts\":{\"origin\":");
	wbl_out_text(&change, NULL, work->run_id);
	wbl_out_fmt(&change, "}}");
	say.change_json = change.s;
	rc = e.dst->schema(e.target.self, call, &say, &back);
	if (!rc && back && *back)
		rc = data_undo_put(call, "receipts", back);
	WBL_FAULT(call, "receipts_recorded");
	rc = rc < 0 ? rc : data_change(&e, work, change.s, NULL);
	WBL_FAULT(call, "receipts_dropped");
	if (!rc) /* whatever stands there from now on came later */
		rc = data_undo_put(call, "dropped", "{}");
	rc = rc < 0 ? rc : WBL_OK;
	wbl_out_clear(&change);
	data_close(&e);
	return rc;
}

/* Receipts of repairs, which came after the others were dropped, stay beside those. */
static int32_t restore(
	struct data_ends *e, const struct wbl_work *work, const char *change, int later)
{
	static const char head[] = "{\"restore_receipts\":{";
	struct wbl_out o = { 0 };
	int32_t rc;

	if (later && !strncmp(change, head, sizeof head - 1))
		wbl_out_fmt(&o, "%s\"later\":true,%s", head, change + sizeof head - 1);
	rc = data_change(e, work, o.s ? o.s : change, NULL);
	wbl_out_clear(&o);
	return rc;
}

int32_t data_tidy_rollback(struct wbl_call *call, const struct wbl_work *work)
{
	const struct wbl_undo_service *undo = wbl_service(call, "wbl.undo/1");
	struct data_undo *list;
	struct data_ends e;
	size_t n, at = 0;
	int later = 0;
	int32_t rc = data_undo_list(call, &list, &n);

	for (size_t i = 0; !rc && i < n; i++)
		if (!strcmp(list[i].id, "dropped"))
			later = 1;
		else
			at = i;
	if (!rc && n > (size_t)later && !list[at].reversed) {
		rc = data_open_target(call, WBL_OPEN_WRITE, &e);
		if (!rc) {
			rc = restore(&e, work, list[at].body, later);
			WBL_FAULT(call, "receipts_restored");
			rc = rc ? rc : undo->done(call, list[at].id);
			rc = rc || !later ? rc : undo->done(call, "dropped");
			data_close(&e);
		}
	}
	data_undo_free(list, n);
	return rc;
}
