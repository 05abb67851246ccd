/* put_file.c - a whole handler: a file gets the given content, or stays as it was.
 * In: path, content.  Out: one step with its way back.  It needs no state of its own, so it has no create and destroy.
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include <whimbrel/sdk.h>

static int32_t pf_plan(void *self, struct wbl_call *call, const struct wbl_work *work)
{
	struct wbl_text path = wbl_param_text(call, "path");
	struct wbl_claim file = {
		.size = sizeof file, .mode = WBL_EXCLUSIVE, .kind = "path", .name = path.s
	};
	struct wbl_step put = {
		.size = sizeof put,
		.id = "put",
		.op = "put",
		.title = "Replace the file",
		.kind = WBL_KIND_MIGRATION,
		.inverse = WBL_INVERSE_ROLLBACK,
		/* `whimbrel verify`, long after, looks again; a rehearsal tries it on a copy. */
		.flags = WBL_STEP_LASTING | WBL_STEP_SCRATCH,
		.claims = (const struct wbl_claim *const[]){ &file, NULL },
	};
	int32_t rc = wbl_observe_file(call, path.s); /* digest of the content, rule equal */

	(void)self, (void)work;
	return rc ? rc : wbl_plan_step(call, &put);
}

static int32_t put(struct wbl_call *call, const char *path)
{
	struct wbl_text content = wbl_param_text(call, "content");
	int32_t rc =
		wbl_keep_file(call, "before", path); /* artefact and undo record, once, durable */

	if (rc)
		return rc;
	WBL_FAULT(call, "kept");
	return wbl_replace_file(
		call, path, content.s, content.len); /* temporary, fsync, rename, fsync folder */
}

static int32_t pf_execute(void *self, struct wbl_call *call, const struct wbl_work *work)
{
	struct wbl_text path = wbl_param_text(call, "path");
	char *file;
	int32_t rc;

	(void)self;
	if ((work->flags & WBL_WORK_REHEARSE) && !(WBL_HAS(work, scratch) && work->scratch))
		return wbl_rehearse_file(call, path.s); /* writable? room? says so */
	rc = wbl_scratch_file(call, work, path.s);
	if (rc)
		return rc;
	file = wbl_work_path(work, path.s);
	rc = put(call, file);
	free(file);
	return rc;
}

static int32_t pf_verify(void *self, struct wbl_call *call, const struct wbl_work *work)
{
	struct wbl_text content = wbl_param_text(call, "content");
	char *file = wbl_work_path(work, wbl_param_text(call, "path").s);
	int32_t rc = work->flags & WBL_WORK_BEFORE
			     ? wbl_check_kept(call, "before", file)
			     : wbl_check_file(call, file, content.s, content.len);

	(void)self;
	free(file);
	return rc;
}

static int32_t pf_rollback(void *self, struct wbl_call *call, const struct wbl_work *work)
{
	(void)self, (void)work;
	return wbl_restore_kept(call); /* newest undo record first, each marked done */
}

static const struct wbl_handler put_file = {
	.size = sizeof put_file,
	.revision = 1,
	.name = "put_file",
	.plan = pf_plan,
	.execute = pf_execute,
	.verify = pf_verify,
	.rollback = pf_rollback,
};
WBL_MODULE(put_file, "org.whimbrel.put_file", "0.1.0", WBL_HANDLER(&put_file))
