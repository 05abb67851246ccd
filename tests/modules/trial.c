/* trial.c - a test's handler: changes a file to "new", tried on a copy in rehearsals, wrong where its parameters say.
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <whimbrel/sdk.h>

static int told(struct wbl_call *call, const struct wbl_work *work, const char *wrong)
{
	return work->scratch && !strcmp(wbl_param_text(call, "wrong").s, wrong);
}

static int32_t tr_plan(void *self, struct wbl_call *call, const struct wbl_work *work)
{
	struct wbl_step put = {
		.size = sizeof put,
		.id = "change",
		.op = "change",
		.title = "Change the file",
		.kind = WBL_KIND_MIGRATION,
		.inverse = WBL_INVERSE_ROLLBACK,
	};

	if (wbl_param_bool(call, "offer", 0))
		put.flags |= WBL_STEP_SCRATCH;
	if (wbl_param_bool(call, "optional", 0))
		put.flags |= WBL_STEP_OPTIONAL;
	return wbl_plan_step(call, &put);
}

static int32_t tr_execute(void *self, struct wbl_call *call, const struct wbl_work *work)
{
	const struct wbl_run_service *run = wbl_service(call, "wbl.run/1");
	const char *path = wbl_param_text(call, "path").s;
	char *file;
	int32_t rc;

	if ((work->flags & WBL_WORK_REHEARSE) && !work->scratch)
		return run->rehearsed(call, 2, "nothing was looked at");
	if (told(call, work, "execute"))
		return wbl_error_report(call, WBL_E_FAILED, path, NULL, "execute was told to fail");
	rc = wbl_scratch_file(call, work, path);
	if (rc)
		return rc;
	file = wbl_work_path(work, path);
	rc = wbl_keep_file(call, "before", file);
	if (!rc)
		rc = wbl_replace_file(call, file, "new", 3);
	free(file);
	return rc;
}

static int32_t tr_verify(void *self, struct wbl_call *call, const struct wbl_work *work)
{
	char *file = wbl_work_path(work, wbl_param_text(call, "path").s);
	const char *go = wbl_param_text(call, "go").s;
	int32_t rc;

	if (told(call, work, "verify"))
		rc = wbl_error_report(call, WBL_E_MISMATCH, file, NULL, "verify was told to fail");
	else if (work->flags & WBL_WORK_BEFORE)
		rc = wbl_check_kept(call, "before", file);
	else
		rc = wbl_check_file(call, file, "new", 3);
	while (told(call, work, "hang") && access(go, F_OK))
		usleep(10000);
	free(file);
	return rc;
}

static int32_t tr_rollback(void *self, struct wbl_call *call, const struct wbl_work *work)
{
	if (told(call, work, "rollback"))
		return wbl_error_report(
			call, WBL_E_FAILED, work->scratch, NULL, "rollback was told to fail");
	if (told(call, work, "crash"))
		abort();
	return told(call, work, "forget") ? WBL_OK : wbl_restore_kept(call);
}

static const struct wbl_handler trial = {
	.size = sizeof trial,
	.revision = 1,
	.name = "trial",
	.plan = tr_plan,
	.execute = tr_execute,
	.verify = tr_verify,
	.rollback = tr_rollback,
};
WBL_MODULE(trial, "org.whimbrel.tests.trial", "0.1.0", WBL_HANDLER(&trial))
