/* engine/bind.c - is the world still the one that the plan was made for? All reasons at once.
 * In: the stored plan, and the one that would be made now.  Out: reasons for refusal, and growth worth a note.
 * SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <stdlib.h>
#include <string.h>

#include "core/engine/planner.h"

static void reason(json_t *list, const char *where, const char *hint, char *text)
{
	struct wbl_error err;

	wbl_fail(&err, WBL_E_OLD_PLAN, where, hint, "%s", text);
	json_array_append_new(list, wbl_json_error(&err));
	free(text);
}

static const json_t *same_observation(const json_t *list, const json_t *o)
{
	const json_t *other;
	size_t i;

	json_array_foreach(list, i, other) if (json_equal(json_object_get(o, "migration"),
						       json_object_get(other, "migration")) &&
					       json_equal(json_object_get(o, "key"),
						       json_object_get(other, "key"))) return other;
	return NULL;
}

static bool within(const char *before, const char *now, int64_t percent)
{
	long double b = strtold(before, NULL), n = strtold(now, NULL), off = n > b ? n - b : b - n;

	return off * 100 <= (b < 0 ? -b : b) * percent;
}

static bool rule_holds(const json_t *stored, const char *now)
{
	const char *rule = wbl_json_str(stored, "rule"), *before = wbl_json_str(stored, "value");

	if (!strcmp(before, now) || !strcmp(rule, "advisory"))
		return true;
	if (!strcmp(rule, "at_least"))
		return strtold(now, NULL) >= strtold(before, NULL);
	if (!strcmp(rule, "at_most"))
		return strtold(now, NULL) <= strtold(before, NULL);
	if (!strcmp(rule, "within"))
		return within(before, now, wbl_json_int(stored, "tolerance", 0));
	return false;
}

static void compare_observations(
	const json_t *stored, const json_t *fresh, json_t *reasons, json_t *notes)
{
	const json_t *o, *now;
	size_t i;

	json_array_foreach(json_object_get(stored, "observations"), i, o)
	{
		const char *meaning = wbl_json_str(o, "meaning") ? wbl_json_str(o, "meaning")
								 : "what the plan relies on";

		now = same_observation(json_object_get(fresh, "observations"), o);
		if (!now) {
			reason(reasons, wbl_json_str(o, "key"), "Plan again.",
				wbl_strf("%s: it is not there any more", meaning));
			continue;
		}
		if (json_equal(json_object_get(o, "value"), json_object_get(now, "value")))
			continue;
		if (rule_holds(o, wbl_json_str(now, "value")))
			reason(notes, wbl_json_str(o, "key"), NULL,
				wbl_strf("%s: was %s, is %s; allowed by the plan (%s)", meaning,
					wbl_json_str(o, "value"), wbl_json_str(now, "value"),
					wbl_json_str(o, "rule")));
		else
			reason(reasons, wbl_json_str(o, "key"),
				"Look at what changed, then plan again.",
				wbl_strf("%s: was %s, is %s", meaning, wbl_json_str(o, "value"),
					wbl_json_str(now, "value")));
	}
	json_array_foreach(json_object_get(fresh, "observations"), i,
		o) if (!same_observation(json_object_get(stored, "observations"), o))
		reason(reasons, wbl_json_str(o, "key"), "Plan again.",
			wbl_strf("%s: it is new since the plan was made",
				wbl_json_str(o, "meaning") ? wbl_json_str(o, "meaning")
							   : "what the plan relies on"));
}

static json_t *bare(const json_t *step)
{
	json_t *j = json_copy((json_t *)step);

	json_object_del(j, "estimate");
	json_object_del(j, "risks");
	return j;
}

/* id -> step */
static json_t *index_steps(const json_t *plan)
{
	json_t *index = json_object(), *s;
	size_t i;

	json_array_foreach(json_object_get(plan, "steps"), i, s)
		json_object_set(index, wbl_json_str(s, "id"), s);
	return index;
}

static void compare_steps(const json_t *stored, const json_t *fresh, json_t *reasons)
{
	json_t *then_index = index_steps(stored), *now_index = index_steps(fresh);
	const json_t *s, *now;
	size_t i;

	json_array_foreach(json_object_get(stored, "steps"), i, s)
	{
		const char *id = wbl_json_str(s, "id");

		now = json_object_get(now_index, id);
		if (!now) {
			reason(reasons, id, "Plan again.",
				wbl_strf("this step would not be planned now"));
		} else {
			json_t *a = bare(s), *b = bare(now);

			if (!json_equal(a, b))
				reason(reasons, id, "Plan again, and compare the two plans.",
					wbl_strf("this step would be planned differently now"));
			json_decref(a);
			json_decref(b);
		}
	}
	json_array_foreach(json_object_get(fresh, "steps"), i,
		s) if (!json_object_get(then_index, wbl_json_str(s, "id")))
		reason(reasons, wbl_json_str(s, "id"), "Plan again.",
			wbl_strf("this step would be planned now, and is not in the plan"));
	json_decref(then_index);
	json_decref(now_index);
}

json_t *wbl_plan_compare(const json_t *stored, const json_t *fresh, json_t **ret_notes)
{
	json_t *reasons = json_array();

	*ret_notes = json_array();
	compare_observations(stored, fresh, reasons, *ret_notes);
	compare_steps(stored, fresh, reasons);
	return reasons;
}
