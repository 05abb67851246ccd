/* engine/claims.c - what steps hold while they run, and runs until they are over.
 * In: the claims of a plan's steps.  Out: who is in whose way. Names are numbered once, when a run is made: a plan of thousands
 * of steps asks this for each of them in each turn.
 * SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "core/engine/claims.h"

#include <stdlib.h>
#include <string.h>

static size_t number_of(struct wbl_run *run, const json_t *claim)
{
	WBL_AUTOFREE char *key =
		wbl_strf("%s\n%s", wbl_json_str(claim, "kind"), wbl_json_str(claim, "name"));
	const json_t *known = json_object_get(run->claim_index, key);
	size_t n = run->nclaims;

	if (known)
		return (size_t)json_integer_value(known);
	run->claims = wbl_grow(run->claims, n, sizeof *run->claims);
	run->claims[n] = (struct wbl_run_claim){ .def = claim };
	json_object_set_new(run->claim_index, key, json_integer((json_int_t)n));
	run->nclaims++;
	return n;
}

void wbl_claims_make(struct wbl_run *run)
{
	const json_t *claim;
	size_t i, k;

	run->claim_index = json_object();
	for (i = 0; i < run->nsteps; i++) {
		struct wbl_run_step *s = &run->steps[i];

		json_array_foreach(json_object_get(s->def, "claims"), k, claim)
		{
			struct wbl_step_claim c = { .number = number_of(run, claim),
				.sole = strcmp(wbl_json_str(claim, "mode"), "shared") != 0 };

			run->claims[c.number].sole |= c.sole;
			s->claims = wbl_grow(s->claims, s->nclaims, sizeof *s->claims);
			s->claims[s->nclaims++] = c;
		}
	}
}

void wbl_claims_clear(struct wbl_run *run)
{
	size_t i;

	for (i = 0; i < run->nsteps; i++)
		free(run->steps[i].claims);
	free(run->claims);
	json_decref(run->claim_index);
}

static bool is_running(const struct wbl_run_step *s)
{
	return (s->state == WBL_STEP_EXECUTING || s->state == WBL_STEP_EXECUTED ||
		       s->state == WBL_STEP_UP) &&
	       !(s->flags & WBL_STEP_BACKGROUND);
}

/* Anew after each entry that moved the run. */
static void count_running(struct wbl_run *run)
{
	size_t i, k;

	if (run->running_known)
		return;
	run->running = 0;
	for (i = 0; i < run->nclaims; i++)
		run->claims[i].holders = run->claims[i].sole_holders = 0;
	for (i = 0; i < run->nsteps; i++) {
		const struct wbl_run_step *s = &run->steps[i];

		if (!is_running(s))
			continue;
		run->running++;
		for (k = 0; k < s->nclaims; k++) {
			run->claims[s->claims[k].number].holders++;
			run->claims[s->claims[k].number].sole_holders += s->claims[k].sole;
		}
	}
	run->running_known = true;
}

size_t wbl_claims_running(struct wbl_run *run)
{
	count_running(run);
	return run->running;
}

bool wbl_claims_taken(const struct wbl_run_step *s)
{
	size_t k;

	count_running(s->run);
	for (k = 0; k < s->nclaims; k++) {
		const struct wbl_run_claim *c = &s->run->claims[s->claims[k].number];

		if (s->claims[k].sole ? c->holders : c->sole_holders)
			return true;
	}
	return false;
}

bool wbl_claims_clash(const struct wbl_run *a, const struct wbl_run *b, char **ret_what)
{
	const json_t *theirs;
	const char *key;
	json_t *ours;

	json_object_foreach(a->claim_index, key, ours)
	{
		const struct wbl_run_claim *c = &a->claims[json_integer_value(ours)];

		theirs = json_object_get(b->claim_index, key);
		if (!theirs || (!c->sole && !b->claims[json_integer_value(theirs)].sole))
			continue;
		*ret_what = wbl_strf("%s %s is held by %s (%s)", wbl_json_str(c->def, "kind"),
			wbl_json_str(c->def, "name"), b->id, wbl_run_state_name(b->state));
		return true;
	}
	return false;
}
