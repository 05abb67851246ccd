/* abi/minor.c - a small handler which is built against headers of another minor version of the ABI (layout.sh turned), and
 * run by the engine as it is: `later` fills every struct with members and flags that this engine cannot know, and looks
 * whether what comes back reads as absent; `earlier` knows the first revision's members only.
 * In: path, the file that it writes; found, where it notes what was not as the ABI says. Without the SDK: that is of today.
 * SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <whimbrel/sdk.h>

#ifdef LATER
#define SIZED(s) .size = sizeof s, .later_number = 0xdeadbeef
#define OPTIONAL_FLAG 0x8000u
#else
#define SIZED(s) .size = sizeof s
#define OPTIONAL_FLAG 0u
#endif

static char path[4096], found[4096];

static void note(const char *fmt, ...)
{
	FILE *f = fopen(found, "a");
	va_list ap;

	if (!f)
		return;
	va_start(ap, fmt);
	vfprintf(f, fmt, ap);
	va_end(ap);
	fputc('\n', f);
	fclose(f);
}

/* The parameters are two texts without anything to unescape. */
static void param(const char *json, const char *name, char ret[4096])
{
	const char *at = strstr(json, name);

	at = at ? strchr(at + strlen(name), '"') : NULL;
	if (at)
		sscanf(at + 1, "%4000[^\"]", ret);
}

static const void *service(struct wbl_call *call, const char *id)
{
	const void *table = call->host->service(call->host, id);

	if (!table)
		note("%s is not offered", id);
	return table;
}

/* What came from this engine must end where it ends. */
#ifdef LATER
#define NOT_LATER(p)                                                                               \
	do {                                                                                       \
		if (WBL_HAS(p, later_number) || WBL_HAS(p, later_call))                            \
			note(#p " has members of the future: size %u", (p)->size);                 \
	} while (0)
#else
#define NOT_LATER(p) (void)(p)
#endif

static const struct wbl_run_service *run_of(struct wbl_call *call)
{
	const struct wbl_run_service *run = service(call, "wbl.run/1");

	NOT_LATER(run);
	return run;
}

static int32_t create(const struct wbl_handler *me, struct wbl_call *own, void **ret_self)
{
	const struct wbl_params_service *params = service(own, "wbl.params/1");
	const char *json = params->json(own);

	*ret_self = NULL;
	param(json, "\"path\":", path);
	param(json, "\"found\":", found);
	NOT_LATER(params);
	NOT_LATER(own);
	NOT_LATER(own->host);
	if (own->host->service(own->host, "wbl.later/1"))
		note("a service of the future is offered");
	if (me->size != sizeof *me)
		note("the table has another size: %u", me->size);
	return WBL_OK;
}

static int32_t plan(void *self, struct wbl_call *call, const struct wbl_work *work)
{
	const struct wbl_plan_service *p = service(call, "wbl.plan/1");
	const struct wbl_claim claim = { SIZED(claim), .mode = WBL_EXCLUSIVE, .kind = "path",
		.name = path };
	const struct wbl_observation seen = { SIZED(seen), .rule = WBL_RULE_EQUAL, .key = "k",
		.value = "v" };
	struct wbl_step step = { SIZED(step), .flags = OPTIONAL_FLAG, .kind = WBL_KIND_MIGRATION,
		.inverse = WBL_INVERSE_ROLLBACK, .id = "write", .op = "write",
		.title = "Write the file" };
	int32_t rc;
#ifndef EARLIER
	const struct wbl_risk risk = { SIZED(risk), .level = 1, .why = "a test" };
	const struct wbl_estimate estimate = { SIZED(estimate), .flags = OPTIONAL_FLAG,
		.items = 1 };
	const struct wbl_limits limits = { SIZED(limits), .attempts = 2 };

	step.claims = (const struct wbl_claim *const[]){ &claim, NULL };
	step.risks = (const struct wbl_risk *const[]){ &risk, NULL };
	step.estimate = &estimate;
	step.limits = &limits;
#else
	(void)claim;
#endif
	(void)self;
	NOT_LATER(p);
	NOT_LATER(work);
	rc = p->observe(call, &seen);
	return rc ? rc : p->step(call, &step);
}

static void ask_signals(struct wbl_call *call)
{
	struct wbl_signals now = { SIZED(now), .set = ~0u };

	run_of(call)->signals(call, &now);
	if (now.set || now.size != sizeof now)
		note("signals: set %x size %u", now.set, now.size);
#ifdef LATER
	if (now.later_number)
		note("what the host does not know is not zero behind its members");
#endif
}

static int32_t tell(struct wbl_call *call)
{
	const struct wbl_digest digest = { SIZED(digest), .flags = OPTIONAL_FLAG, .set = "files",
		.count = 1, .row_lo = 1 };
	const struct wbl_totals totals = { SIZED(totals), .flags = OPTIONAL_FLAG, .items = 1
#ifndef EARLIER
		,
		.digests = (const struct wbl_digest *const[]){ &digest, NULL }
#endif
	};
	const struct wbl_progress progress = { SIZED(progress), .flags = OPTIONAL_FLAG,
		.items = 1 };
	const struct wbl_run_service *run = run_of(call);
	int32_t rc;

	(void)digest;
	run->progress(call, &progress);
	rc = run->checkpoint(call, (struct wbl_bytes){ "one", 3 }, &progress);
	return rc ? rc : run->result(call, &totals);
}

static int32_t execute(void *self, struct wbl_call *call, const struct wbl_work *work)
{
	const struct wbl_undo_service *undo = service(call, "wbl.undo/1");
	const struct wbl_undo made = { SIZED(made), .flags = OPTIONAL_FLAG, .id = "made",
		.body = { path, strlen(path) } };
	int32_t rc = undo->put(call, &made);
	FILE *f;

	(void)self;
	NOT_LATER(undo);
	NOT_LATER(work);
	ask_signals(call);
	if (rc != WBL_OK && rc != WBL_END)
		return rc;
	if (work->flags & WBL_WORK_REHEARSE)
		return WBL_OK;
	f = fopen(path, "w");
	if (!f || fputs("written\n", f) < 0 || fclose(f))
		return WBL_E_FAILED;
	return tell(call);
}

static int32_t differs(struct wbl_call *call, int32_t kind)
{
	const struct wbl_check_service *check = service(call, "wbl.check/1");
	const struct wbl_difference d = { SIZED(d), .kind = kind, .set = "files", .key = "\"it\"" };
	int32_t rc = check->difference(call, &d);

	NOT_LATER(check);
	return rc ? rc : WBL_E_MISMATCH;
}

static int32_t verify(void *self, struct wbl_call *call, const struct wbl_work *work)
{
	bool there = access(path, F_OK) == 0, wanted = !(work->flags & WBL_WORK_BEFORE);

	(void)self;
	if (!wanted && work->executed.len != 3)
		note("the checkpoint came back with %d bytes", (int)work->executed.len);
	return there == wanted ? WBL_OK : differs(call, wanted ? WBL_DIFF_MISSING : WBL_DIFF_EXTRA);
}

static int32_t rollback(void *self, struct wbl_call *call, const struct wbl_work *work)
{
	const struct wbl_undo_service *undo = service(call, "wbl.undo/1");
	struct wbl_undo u = { SIZED(u) };
	void *cursor = NULL;
	int32_t rc;

	(void)self, (void)work;
	while ((rc = undo->each(call, &cursor, &u)) == WBL_OK) {
		if (u.size != sizeof u)
			note("each has changed the size to %u", u.size);
#ifdef LATER
		if (u.later_number)
			note("each has left what it does not know");
#endif
		if (!(u.flags & 1) && u.body.len)
			unlink(path);
		rc = undo->done(call, u.id);
		if (rc)
			return rc;
	}
	return rc == WBL_END ? WBL_OK : rc;
}

static const struct wbl_handler minor = { SIZED(minor), .revision = 1, .name = "minor",
	.create = create, .plan = plan, .execute = execute, .verify = verify,
	.rollback = rollback };

static const void *interface(const char *id, uint32_t index)
{
	return !strcmp(id, "wbl.handler/1") && index == 0 ? &minor : NULL;
}

static const struct wbl_module module = { SIZED(module), .abi_minor = WBL_ABI_MINOR,
	.id = "org.example.minor", .version = "0.1.0", .interface = interface };

WBL_MANIFEST_NOTE
#ifdef NEXT_MAJOR
#define minor_LTX_wbl_module_entry_v1 minor_LTX_wbl_module_entry_v2
#endif
__attribute__((visibility("default"))) const struct wbl_module *minor_LTX_wbl_module_entry_v1(
	struct wbl_call *call);
const struct wbl_module *minor_LTX_wbl_module_entry_v1(struct wbl_call *call)
{
	(void)call;
	return &module;
}
