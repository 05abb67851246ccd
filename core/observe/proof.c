/* observe/proof.c - is everything there? What verification has shown of a run, set by set, in words and figures.
 * In: the steps of a report (totals, what was covered, how the last verify ended).  Out: the report's member "verification".
 * It says complete only where every row was looked at and none was left out.
 * SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <inttypes.h>
#include <string.h>

#include "core/observe/summary.h"

static const json_t *named(const json_t *list, const char *set)
{
	const json_t *d;
	size_t i;

	json_array_foreach((json_t *)list, i, d)
	{
		const char *name = wbl_json_str(d, "set");

		if (name && !strcmp(name, set))
			return d;
	}
	return NULL;
}

static bool same_digest(const json_t *a, const json_t *b)
{
	static const char *const parts[] = { "row", "key" };
	size_t i;

	for (i = 0; i < WBL_COUNT(parts); i++) {
		const char *x = wbl_json_str(a, parts[i]), *y = wbl_json_str(b, parts[i]);

		if (!x || !y || strcmp(x, y))
			return false;
	}
	return wbl_json_int(a, "count", 0) == wbl_json_int(b, "count", 0);
}

static char *amount(int64_t n)
{
	char digits[32];
	struct wbl_buf b = { 0 };
	int len = snprintf(digits, sizeof digits, "%" PRId64, n < 0 ? 0 : n), i;

	for (i = 0; i < len; i++)
		wbl_buf_addf(&b, "%s%c", i && (len - i) % 3 == 0 ? "," : "", digits[i]);
	return b.data;
}

/* One sentence about one set. */
static char *say(const json_t *t, bool ok)
{
	int64_t rejected = wbl_json_int(t, "rejected", 0), of = wbl_json_int(t, "of", 0),
		compared = wbl_json_int(t, "compared", 0);
	WBL_AUTOFREE char *rows = amount(wbl_json_int(t, "rows_source", 0));
	WBL_AUTOFREE char *found = amount(wbl_json_int(t, "rows_target", of));
	WBL_AUTOFREE char *out = amount(rejected), *unseen = amount(of - compared);
	struct wbl_buf b = { 0 };

	wbl_buf_addf(&b, "%s row%s copied, %s found", rows, strcmp(rows, "1") ? "s" : "", found);
	if (!ok)
		wbl_buf_adds(&b, ", and they differ");
	else if (compared < of)
		wbl_buf_addf(&b, ", those that were compared equal; %s not looked at", unseen);
	else
		wbl_buf_adds(&b, ", every one equal");
	if (rejected > 0)
		wbl_buf_addf(&b, "; %s left out", out);
	return b.data;
}

static json_t *one_set(
	const struct wbl_run_step *s, const json_t *step, const json_t *copied, bool *ret_whole)
{
	const char *set = wbl_json_str(copied, "set");
	const json_t *verified = json_object_get(step, "verified"),
		     *found = named(json_object_get(verified, "digests"), set),
		     *covered = named(json_object_get(step, "covered"), set);
	int64_t rejected = s->sums.rejected - s->mended.items;
	bool ok = wbl_json_bool(verified, "ok", false) && (!found || same_digest(copied, found));
	WBL_AUTOFREE char *said = NULL;
	json_t *t = json_object();

	wbl_json_put(t, "step", s->id);
	wbl_json_put(t, "set", set);
	wbl_json_puti(t, "rows_source", wbl_json_int(copied, "count", 0));
	json_object_set(t, "digest_source", json_object_get(copied, "row"));
	json_object_set(t, "keys_source", json_object_get(copied, "key"));
	if (found) {
		wbl_json_puti(t, "rows_target", wbl_json_int(found, "count", 0));
		json_object_set(t, "digest_target", json_object_get(found, "row"));
		json_object_set(t, "keys_target", json_object_get(found, "key"));
	}
	wbl_json_puti(t, "compared", wbl_json_int(covered, "compared", 0));
	wbl_json_puti(t, "of", wbl_json_int(covered, "of", 0));
	json_object_set(t, "how", json_object_get(covered, "how"));
	wbl_json_puti(t, "rejected", rejected);
	json_object_set_new(t, "equal", json_boolean(ok));
	json_object_set(t, "at", json_object_get(verified, "at"));
	json_object_set(t, "by", json_object_get(verified, "by"));
	said = say(t, ok);
	wbl_json_put(t, "said", said);
	*ret_whole = ok && covered && rejected <= 0 &&
		     wbl_json_int(covered, "compared", 0) == wbl_json_int(covered, "of", 0);
	return t;
}

static const char *conclusion(bool rehearsed, bool whole, size_t sets, size_t omissions)
{
	if (rehearsed)
		return "a rehearsal moves nothing";
	if (!sets)
		return "no step of this run counts what it moves";
	if (!whole)
		return "not shown to be complete: see the tables that differ, were sampled, or had "
		       "rows left out";
	if (omissions)
		return "complete: every row that the plan takes is in the target, value by value; "
		       "what it leaves behind is listed as not migrated";
	return "complete: every row is in the target, value by value";
}

json_t *wbl_run_proof(const struct wbl_run *run, const json_t *steps)
{
	json_t *list = json_array(), *j = json_object();
	bool whole = !run->rehearse;
	size_t i, k;

	for (i = 0; !run->rehearse && i < run->nsteps; i++) {
		const struct wbl_run_step *s = &run->steps[run->order[i]];
		const json_t *copied;

		if (s->state != WBL_STEP_VERIFIED && s->state != WBL_STEP_FAILED)
			continue;
		json_array_foreach(s->sums.digests, k, copied)
		{
			bool good;

			json_array_append_new(
				list, one_set(s, json_object_get(steps, s->id), copied, &good));
			whole = whole && good && s->state == WBL_STEP_VERIFIED;
		}
	}
	whole = whole && json_array_size(list);
	json_object_set_new(j, "complete", json_boolean(whole));
	wbl_json_put(j, "said",
		conclusion(run->rehearse, whole, json_array_size(list),
			json_array_size(json_object_get(run->plan, "omissions"))));
	json_object_set_new(j, "sets", list);
	return j;
}
