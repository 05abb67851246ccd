/* sdk/lib/plan.c - what a planner tells the engine: steps, observations, omissions.
 * SPDX-License-Identifier: Apache-2.0 */
#include <whimbrel/sdk.h>

static int32_t no_plan(struct wbl_call *call)
{
	return wbl_error_report(call, WBL_E_ABI, "wbl.plan/1", NULL,
		"the host does not offer the plan service in this call");
}

int32_t wbl_plan_step(struct wbl_call *call, const struct wbl_step *step)
{
	const struct wbl_plan_service *plan = wbl_service(call, "wbl.plan/1");

	return plan ? plan->step(call, step) : no_plan(call);
}

int32_t wbl_plan_observe(struct wbl_call *call, int32_t rule, int64_t tolerance, const char *key,
	const char *value, const char *meaning)
{
	const struct wbl_plan_service *plan = wbl_service(call, "wbl.plan/1");
	struct wbl_observation o = {
		.size = sizeof o,
		.rule = rule,
		.tolerance = tolerance,
		.key = key,
		.value = value,
		.meaning = meaning,
	};

	return plan ? plan->observe(call, &o) : no_plan(call);
}

int32_t wbl_plan_omit(struct wbl_call *call, const char *what, uint64_t count, const char *why)
{
	const struct wbl_plan_service *plan = wbl_service(call, "wbl.plan/1");

	return plan ? plan->omit(call, what, count, why) : no_plan(call);
}
