/* host/serve_text.c - wbl.log/1, wbl.diag/1, wbl.params/1, wbl.clock/1, wbl.fault/1.
 * SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/host/instance.h"
#include "core/host/link.h"
#include "core/host/mask.h"
#include "core/host/read.h"
#include "core/host/serve.h"

#define DIAG_RECOVERED 1u
enum { LONGEST_LOG = 32768 };

/* Cut at a whole character. */
static char *cut(const char *text)
{
	size_t n = strnlen(text, LONGEST_LOG);

	if (n == LONGEST_LOG)
		while (n && ((unsigned char)text[n] & 0xc0) == 0x80)
			n--;
	return wbl_strndup(text, n);
}

static void log_write(struct wbl_call *call, int32_t level, const char *text)
{
	struct wbl_ticket *t = wbl_ticket_enter(call, WBL_FN_LOG);
	WBL_AUTOFREE char *shown = NULL, *masked = NULL;
	json_t *j;

	if (!t)
		return;
	if (!text) {
		wbl_ticket_leave(t, wbl_misuse(WBL_FN_LOG, "text is NULL"));
		return;
	}
	shown = cut(text);
	masked = wbl_mask_text(shown);
	j = json_object();
	wbl_json_puti(j, "level", level);
	wbl_json_put(j, "text", masked);
	wbl_link_post(WBL_WIRE_LOG, j);
	wbl_ticket_leave(t, 0);
}

/* A text that is not UTF-8 is reported, and passed on with its bad bytes replaced: the finding must not be lost. */
static bool diag_text(const char *what, const char *text, bool mandatory)
{
	if (!text && mandatory)
		wbl_misuse(WBL_FN_DIAG, "%s is NULL", what);
	if (text && !wbl_utf8_valid(text, strlen(text)))
		wbl_misuse(WBL_FN_DIAG, "%s is not UTF-8", what);
	return text || !mandatory;
}

static void diag_report(struct wbl_call *call, const struct wbl_diag *from)
{
	struct wbl_ticket *t = wbl_ticket_enter(call, WBL_FN_DIAG);
	struct wbl_diag d;

	if (!t)
		return;
	if (!wbl_read_struct(
		    WBL_FN_DIAG, "diag", from, WBL_END_OF(struct wbl_diag, text), &d, sizeof d))
		goto out;
	if (d.severity < 1 || d.severity > 3) {
		wbl_misuse(WBL_FN_DIAG, "severity %d is not known; 1 to 3 are", d.severity);
		d.severity = 1;
	}
	if (d.code > WBL_END || d.code < WBL_E_WAIT) {
		wbl_misuse(WBL_FN_DIAG, "code %d is not known", d.code);
		d.code = WBL_E_FAILED;
	}
	if (d.flags & 0xffff0000u)
		wbl_misuse(WBL_FN_DIAG, "flags has the critical flag 0x%x, which is not known",
			d.flags & 0xffff0000u);
	if (diag_text("text", d.text, true) && diag_text("where", d.where, false) &&
		diag_text("hint", d.hint, false))
		wbl_report(d.severity, d.code, d.flags & DIAG_RECOVERED, d.where, d.text, d.hint);
out:
	wbl_ticket_leave(t, 0);
}

static const char *params_json(struct wbl_call *call)
{
	struct wbl_ticket *t = wbl_ticket_enter(call, WBL_FN_PARAMS);
	const char *text;

	if (!t)
		return NULL;
	text = t->instance->params;
	wbl_ticket_leave(t, 0);
	return text;
}

static int32_t give_secret(const struct wbl_frame *f, char *buf, uint64_t cap, uint64_t *ret_len)
{
	wbl_mask_add(f->blob.data, f->blob.len);
	*ret_len = f->blob.len;
	if (f->blob.len > cap)
		return WBL_E_RESOURCES;
	if (f->blob.len)
		memcpy(buf, f->blob.data, f->blob.len);
	if (f->blob.len < cap)
		buf[f->blob.len] = '\0';
	return 0;
}

static int32_t params_secret(
	struct wbl_call *call, const char *path, char *buf, uint64_t cap, uint64_t *ret_len)
{
	struct wbl_ticket *t = wbl_ticket_enter(call, WBL_FN_SECRET);
	struct wbl_frame f;
	json_t *j;
	int32_t rc;

	if (!t)
		return WBL_E_ABI;
	if (!ret_len || (cap && !buf))
		return wbl_ticket_leave(t, wbl_misuse(WBL_FN_SECRET, "ret_len or buf is NULL"));
	j = json_object();
	if (!wbl_read_text(WBL_FN_SECRET, j, "param", path, true)) {
		json_decref(j);
		return wbl_ticket_leave(t, WBL_E_ABI);
	}
	wbl_json_put(j, "peer", t->instance->path);
	rc = wbl_link_ask(WBL_WIRE_SECRET, j, (struct wbl_bytes){ 0 }, -1, false, &f);
	if (rc >= 0) {
		rc = rc == WBL_END ? WBL_END : give_secret(&f, buf, cap, ret_len);
		wbl_poison(f.blob.data, f.blob.len);
		wbl_frame_clear(&f);
	}
	return wbl_ticket_leave(t, rc);
}

static int64_t clock_now(struct wbl_call *call, int32_t which)
{
	struct wbl_ticket *t = wbl_ticket_enter(call, WBL_FN_CLOCK);
	int64_t ns = 0;

	if (!t)
		return 0;
	if (which == 1)
		ns = wbl_now_real() + wbl_service_options.clock_offset_ns;
	else if (which == 2)
		ns = wbl_now_mono();
	else
		wbl_misuse(WBL_FN_CLOCK, "clock %d is not known; 1 and 2 are", which);
	wbl_ticket_leave(t, 0);
	return ns;
}

static void fault_point(struct wbl_call *call, const char *name)
{
	struct wbl_ticket *t = wbl_ticket_enter(call, WBL_FN_FAULT);
	json_t *j;

	if (!t)
		return;
	j = json_object();
	if (wbl_read_text(WBL_FN_FAULT, j, "name", name, true))
		wbl_link_ask(WBL_WIRE_FAULT, j, (struct wbl_bytes){ 0 }, -1, false, NULL);
	else
		json_decref(j);
	wbl_ticket_leave(t, 0);
}

const struct wbl_log_service wbl_service_log = { sizeof wbl_service_log, 1, log_write };
const struct wbl_diag_service wbl_service_diag = { sizeof wbl_service_diag, 1, diag_report };
const struct wbl_params_service wbl_service_params = { sizeof wbl_service_params, 1, params_json,
	params_secret };
const struct wbl_clock_service wbl_service_clock = { sizeof wbl_service_clock, 1, clock_now };
const struct wbl_fault_service wbl_service_fault = { sizeof wbl_service_fault, 1, fault_point };
