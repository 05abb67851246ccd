/* data.c - the handler "data": rows of one store into another, with a mapping.
 * In: source, target, tables.  Out: the steps of data_plan.c, each carried out by one file.  A new operation is a line in `ops`.
 * SPDX-License-Identifier: Apache-2.0 */
#include "data_assess.h"
#include "data_sync.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

static int32_t nothing(struct wbl_call *call, const struct wbl_work *work)
{
	(void)call, (void)work;
	return WBL_OK;
}

typedef int32_t operation(struct wbl_call *call, const struct wbl_work *work);

static const struct op {
	const char *name;
	operation *execute, *verify, *rollback, *repair; /* repair may be NULL */
} ops[] = {
	{ "schema", data_schema_execute, data_schema_verify, data_schema_rollback, NULL },
	{ "copy", data_copy_execute, data_copy_verify, data_copy_rollback, data_copy_repair },
	{ "look", data_look_execute, nothing, data_look_rollback, NULL },
	{ "merge", data_merge_execute, data_merge_verify, data_merge_rollback, NULL },
	{ "indexes", data_indexes_execute, data_indexes_verify, data_indexes_rollback, NULL },
	{ "verify", data_verify_execute, nothing, nothing, NULL },
	{ "rejects", data_letters_execute, data_letters_verify, data_letters_rollback, NULL },
	{ "tidy", data_tidy_execute, nothing, data_tidy_rollback, NULL },
	{ "marks", data_marks_execute, nothing, nothing, NULL },
};

static const struct op *op_of(struct wbl_call *call, const struct wbl_work *work)
{
	for (size_t i = 0; work->op && i < sizeof ops / sizeof *ops; i++)
		if (!strcmp(ops[i].name, work->op))
			return &ops[i];
	wbl_error_report(call, WBL_E_ABI, work->step_id, NULL, "no operation is called \"%s\"",
		work->op ? work->op : "");
	return NULL;
}

static int32_t data_execute(void *self, struct wbl_call *call, const struct wbl_work *work)
{
	const struct op *op = op_of(call, work);

	data_call_begins(call, self, work);
	return op ? op->execute(call, work) : WBL_E_ABI;
}

static int32_t data_verify(void *self, struct wbl_call *call, const struct wbl_work *work)
{
	const struct op *op = op_of(call, work);

	data_call_begins(call, self, work);
	return op ? op->verify(call, work) : WBL_E_ABI;
}

static int32_t data_rollback(void *self, struct wbl_call *call, const struct wbl_work *work)
{
	const struct op *op = op_of(call, work);

	data_call_begins(call, self, work);
	return op ? op->rollback(call, work) : WBL_E_ABI;
}

/* Only copies have differences that a repair could take away. */
static int32_t data_repair(void *self, struct wbl_call *call, const struct wbl_work *work)
{
	const struct op *op = op_of(call, work);

	data_call_begins(call, self, work);
	if (!op)
		return WBL_E_ABI;
	if (work->size > offsetof(struct wbl_work, file) && work->file)
		return op->repair
			       ? data_resubmit(call, work)
			       : wbl_error_report(call, WBL_E_UNSUPPORTED, work->step_id,
					 "Correct the rows in the source: the next run takes them.",
					 "only a copy takes corrected rows");
	return op->repair ? op->repair(call, work) : WBL_OK;
}

/* Operations whose verify has nothing to look at are done again after a death, never taken for done; so are the dead letters, which
 * verify knows by the checkpoint only. */
static int32_t data_probe(
	void *self, struct wbl_call *call, const struct wbl_work *work, int32_t *ret_state)
{
	const struct op *op = op_of(call, work);

	data_call_begins(call, self, work);
	if (!op)
		return WBL_E_ABI;
	if (op->verify != nothing && op->execute != data_letters_execute)
		return WBL_E_UNSUPPORTED;
	*ret_state = WBL_PROBE_PARTLY;
	return WBL_OK;
}

static int32_t data_create(const struct wbl_handler *me, struct wbl_call *own, void **ret_self)
{
	(void)me, (void)own;
	*ret_self = wbl_sdk_alloc(1); /* only to be told from others */
	return WBL_OK;
}

static void data_destroy(void *self)
{
	data_instance_ends(self);
	free(self);
}

static const struct wbl_handler data_handler = {
	.size = sizeof data_handler,
	.revision = 1,
	.name = "data",
	.create = data_create,
	.destroy = data_destroy,
	.plan = data_plan,
	.execute = data_execute,
	.verify = data_verify,
	.rollback = data_rollback,
	.assess = data_assess,
	.probe = data_probe,
	.partition = data_partition,
	.check = data_check,
	.repair = data_repair,
};
WBL_MODULE(data, "org.whimbrel.data", "0.1.0", WBL_HANDLER(&data_handler))
