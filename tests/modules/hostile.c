/* hostile.c - a handler that does harm, in the call and in the way that its parameters name.
 * In: path (a file which a good run makes), call, do, n.  Out: a step "evil" that leaves half a file, misbehaves, and
 * would then finish; without misbehaviour it is a plain good handler of `steps` steps. The harm itself: hostile_acts.c.
 * SPDX-License-Identifier: Apache-2.0 */
#include "hostile.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { CHUNKS = 4 };

static const char *path_of(
	struct wbl_call *call, const struct wbl_work *work, char *buf, size_t cap)
{
	struct wbl_text path = wbl_param_text(call, "path");

	if (work->chunk_id)
		snprintf(buf, cap, "%s.%s.%s", path.s, work->step_id, work->chunk_id);
	else
		snprintf(buf, cap, "%s.%s", path.s, work->step_id ? work->step_id : "none");
	return buf;
}

static void put(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	ssize_t unused;

	if (fd < 0)
		return;
	unused = write(fd, text, strlen(text));
	(void)unused;
	close(fd);
}

static int holds(const char *path, const char *text)
{
	char buf[64] = "";
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return 0;
	n = read(fd, buf, sizeof buf - 1);
	close(fd);
	return n >= 0 && !strcmp(buf, text);
}

static int32_t harm(struct wbl_call *call, const char *now)
{
	struct wbl_text when = wbl_param_text(call, "call"), what = wbl_param_text(call, "do");

	return strcmp(when.s, now) ? WBL_OK
				   : hostile_act(call, what.s, wbl_param_int(call, "n", 0));
}

static int32_t hostile_create(const struct wbl_handler *me, struct wbl_call *own, void **ret_self)
{
	(void)me;
	*ret_self = own;
	return harm(own, "create");
}

static void hostile_destroy(void *self)
{
	harm(self, "destroy");
}

static int32_t plan_good(struct wbl_call *call)
{
	int64_t i, n = wbl_param_int(call, "steps", 1);
	uint32_t flags = (uint32_t)wbl_param_int(call, "flags", 0);
	char id[32], before[32];
	int32_t rc = 0;

	for (i = 0; i < n && !rc; i++) {
		const char *after[] = { before, NULL };
		struct wbl_step step = { .size = sizeof step,
			.id = id,
			.op = "harm",
			.title = "Does what it should not",
			.kind = WBL_KIND_MIGRATION,
			.inverse = WBL_INVERSE_ROLLBACK,
			.flags = flags,
			.after = i ? after : NULL };

		snprintf(id, sizeof id, "evil%lld", (long long)i);
		snprintf(before, sizeof before, "evil%lld", (long long)i - 1);
		rc = wbl_plan_step(call, &step);
	}
	return rc;
}

static int32_t hostile_plan(void *self, struct wbl_call *call, const struct wbl_work *work)
{
	struct wbl_text when = wbl_param_text(call, "call"), what = wbl_param_text(call, "do");
	int32_t rc;

	(void)self, (void)work;
	if (!strcmp(when.s, "plan") &&
		hostile_plans(call, what.s, wbl_param_int(call, "n", 0), &rc))
		return rc;
	rc = harm(call, "plan");
	return rc ? rc : plan_good(call);
}

static int32_t keep(struct wbl_call *call)
{
	const struct wbl_undo_service *undo = wbl_service(call, "wbl.undo/1");
	struct wbl_undo u = { .size = sizeof u, .id = "made" };
	int32_t rc = undo->put(call, &u);

	return rc > 0 ? WBL_OK : rc;
}

/* Half, harm, whole: an attempt that was cut short is found by verify. */
static int32_t hostile_execute(void *self, struct wbl_call *call, const struct wbl_work *work)
{
	struct timespec pace = { .tv_nsec = 1000000 * wbl_param_int(call, "pace", 0) };
	struct wbl_text when = wbl_param_text(call, "call");
	char buf[4200];
	int32_t rc;

	(void)self;
	if (work->flags & WBL_WORK_REHEARSE)
		return WBL_OK;
	rc = keep(call);
	if (rc)
		return rc;
	put(path_of(call, work, buf, sizeof buf), "half");
	nanosleep(&pace, NULL);
	rc = harm(call, "execute");
	if (rc)
		return rc;
	if (!strcmp(when.s, "rollback"))
		return wbl_error_report(
			call, WBL_E_FAILED, "execute", NULL, "fails so that it is rolled back");
	if (!strcmp(when.s, "probe") && work->attempt == 1)
		return WBL_E_INDETERMINATE;
	if (wbl_stop_asked(call))
		return WBL_E_CANCELLED;
	put(path_of(call, work, buf, sizeof buf), "whole");
	return WBL_OK;
}

static int32_t hostile_verify(void *self, struct wbl_call *call, const struct wbl_work *work)
{
	char buf[4200];
	int32_t rc;

	(void)self;
	path_of(call, work, buf, sizeof buf);
	if (work->flags & WBL_WORK_BEFORE)
		return access(buf, F_OK) ? WBL_OK : WBL_E_MISMATCH;
	rc = harm(call, "verify");
	if (rc)
		return rc;
	if (work->totals || holds(buf, "whole"))
		return WBL_OK;
	return wbl_error_report(call, WBL_E_MISMATCH, buf, NULL, "is not whole");
}

static int32_t hostile_rollback(void *self, struct wbl_call *call, const struct wbl_work *work)
{
	char buf[4200];
	int32_t rc = harm(call, "rollback");
	int i;

	(void)self;
	if (rc)
		return rc;
	path_of(call, work, buf, sizeof buf);
	unlink(buf);
	for (i = 0; i < CHUNKS; i++) {
		char chunk[4300];

		snprintf(chunk, sizeof chunk, "%s.c%d", buf, i);
		unlink(chunk);
	}
	return WBL_OK;
}

static int32_t hostile_check(
	void *self, struct wbl_call *call, const struct wbl_work *work, int32_t level)
{
	(void)self, (void)work, (void)level;
	return harm(call, "check");
}

static int32_t hostile_partition(void *self, struct wbl_call *call, const struct wbl_work *work)
{
	const struct wbl_chunk_service *chunks = wbl_service(call, "wbl.chunk/1");
	int32_t rc = harm(call, "partition");
	char id[16];
	int i;

	(void)self, (void)work;
	for (i = 0; i < CHUNKS && !rc; i++) {
		struct wbl_chunk c = { .size = sizeof c, .id = id, .items = 1 };

		snprintf(id, sizeof id, "c%d", i);
		rc = chunks->add(call, &c);
	}
	return rc;
}

static int32_t hostile_probe(
	void *self, struct wbl_call *call, const struct wbl_work *work, int32_t *ret_state)
{
	char buf[4200];
	int32_t rc = harm(call, "probe");

	(void)self;
	if (rc)
		return rc;
	*ret_state = holds(path_of(call, work, buf, sizeof buf), "whole") ? WBL_PROBE_DONE
									  : WBL_PROBE_PARTLY;
	return WBL_OK;
}

static const struct wbl_handler hostile = {
	.size = sizeof hostile,
	.revision = 1,
	.name = "hostile",
	.create = hostile_create,
	.destroy = hostile_destroy,
	.plan = hostile_plan,
	.execute = hostile_execute,
	.verify = hostile_verify,
	.rollback = hostile_rollback,
	.check = hostile_check,
	.partition = hostile_partition,
	.probe = hostile_probe,
};
WBL_MODULE(hostile, "org.whimbrel.tests.hostile", "0.1.0", WBL_HANDLER(&hostile))
