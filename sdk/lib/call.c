/* sdk/lib/call.c - what a module says to its host: services found, faults, diagnostics, progress.
 * In: the call that the host made.  Out: messages.  New one-line wrappers of a service go here.
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <whimbrel/sdk.h>

const void *wbl_provided_find(
	const struct wbl_provided *list, size_t count, const char *interface_id, uint32_t index)
{
	for (size_t i = 0; i < count; i++)
		if (!strcmp(list[i].interface, interface_id) && !index--)
			return list[i].table;
	return NULL;
}

/* The host's own look-up is a list of names; signals() is asked for at every batch, so the answer is kept. */
const void *wbl_service(struct wbl_call *call, const char *id)
{
	static _Thread_local struct {
		const struct wbl_host *host;
		const void *table;
		char id[32];
	} seen[32];
	size_t n = strlen(id), at = (n + (unsigned char)id[n > 5 ? 5 : 0]) % 32;

	if (!call || !call->host || !call->host->service)
		return NULL;
	if (n >= sizeof seen->id)
		return call->host->service(call->host, id);
	if (seen[at].host != call->host || strcmp(seen[at].id, id) != 0) {
		seen[at].table = call->host->service(call->host, id);
		seen[at].host = call->host;
		memcpy(seen[at].id, id, n + 1);
	}
	return seen[at].table;
}

void wbl_fault(struct wbl_call *call, const char *name)
{
	const struct wbl_fault_service *fault = wbl_service(call, "wbl.fault/1");

	if (fault)
		fault->point(call, name);
}

__attribute__((format(printf, 6, 0))) static void report(struct wbl_call *call, int32_t severity,
	int32_t code, const char *where, const char *hint, const char *fmt, va_list ap)
{
	const struct wbl_diag_service *diag = wbl_service(call, "wbl.diag/1");
	char text[2048];
	struct wbl_diag d = {
		.size = sizeof d,
		.severity = severity,
		.code = code,
		.where = where,
		.text = text,
		.hint = hint,
	};

	if (!diag)
		return;
	vsnprintf(text, sizeof text, fmt, ap);
	diag->report(call, &d);
}

int32_t wbl_error_report(struct wbl_call *call, int32_t code, const char *where, const char *hint,
	const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	report(call, 1, code, where, hint, fmt, ap);
	va_end(ap);
	return code;
}

void wbl_warning_report(
	struct wbl_call *call, const char *where, const char *hint, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	report(call, 2, WBL_OK, where, hint, fmt, ap);
	va_end(ap);
}

void wbl_log_text(struct wbl_call *call, int32_t level, const char *fmt, ...)
{
	const struct wbl_log_service *log = wbl_service(call, "wbl.log/1");
	char text[2048];
	va_list ap;

	if (!log)
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	log->write(call, level, text);
}

int32_t wbl_stop_asked(struct wbl_call *call)
{
	const struct wbl_run_service *run = wbl_service(call, "wbl.run/1");
	struct wbl_signals s = { .size = sizeof s };

	if (run && (run->signals(call, &s) & (WBL_SIGNAL_STOP | WBL_SIGNAL_PAUSE)))
		return WBL_E_CANCELLED;
	return WBL_OK;
}

void wbl_progress_tell(
	struct wbl_call *call, const char *phase, uint64_t items, uint64_t items_of, uint64_t bytes)
{
	const struct wbl_run_service *run = wbl_service(call, "wbl.run/1");
	struct wbl_progress p = {
		.size = sizeof p,
		.items = items,
		.items_of = items_of,
		.bytes = bytes,
		.phase = phase,
	};

	if (run)
		run->progress(call, &p);
}
