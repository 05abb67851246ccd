/* engine/names.c - words for numbers.
 * SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "core/engine/names.h"

#include <stddef.h>
#include <string.h>

#include "whimbrel/services.h"

struct word {
	uint32_t n;
	const char *name;
};

static const struct word kinds[] = { { WBL_KIND_PREPARATION, "preparation" },
	{ WBL_KIND_VALIDATION, "validation" }, { WBL_KIND_BACKUP, "backup" },
	{ WBL_KIND_MIGRATION, "migration" }, { WBL_KIND_VERIFICATION, "verification" },
	{ WBL_KIND_CLEANUP, "cleanup" }, { 0, NULL } };
static const struct word inverses[] = { { WBL_INVERSE_ROLLBACK, "rollback" },
	{ WBL_INVERSE_STEP, "step" }, { WBL_INVERSE_SNAPSHOT, "snapshot" },
	{ WBL_INVERSE_NONE, "none" }, { 0, NULL } };
static const struct word modes[] = { { WBL_SHARED, "shared" }, { WBL_EXCLUSIVE, "exclusive" },
	{ 0, NULL } };
static const struct word rules[] = { { WBL_RULE_EQUAL, "equal" }, { WBL_RULE_AT_LEAST, "at_least" },
	{ WBL_RULE_AT_MOST, "at_most" }, { WBL_RULE_WITHIN, "within" },
	{ WBL_RULE_ADVISORY, "advisory" }, { 0, NULL } };
static const struct word differences[] = { { WBL_DIFF_MISSING, "missing" },
	{ WBL_DIFF_EXTRA, "extra" }, { WBL_DIFF_CHANGED, "changed" },
	{ WBL_DIFF_UNREADABLE, "unreadable" }, { WBL_DIFF_ORDER, "order" },
	{ WBL_DIFF_REJECTED, "rejected" }, { WBL_DIFF_CONFLICT, "conflict" }, { 0, NULL } };
static const struct word flags[] = { { WBL_STEP_PARTITIONED, "partitioned" },
	{ WBL_STEP_BACKGROUND, "background" }, { WBL_STEP_OPTIONAL, "optional" },
	{ WBL_STEP_LASTING, "lasting" }, { WBL_STEP_SCRATCH, "scratch" },
	{ WBL_STEP_NO_RETURN, "no_return" }, { WBL_STEP_DOWNTIME, "downtime" },
	{ WBL_STEP_EXTERNAL, "external" }, { WBL_STEP_MANUAL, "manual" },
	{ WBL_STEP_FINALIZE, "finalize" }, { WBL_STEP_RETRY_FROM, "retry_from" }, { 0, NULL } };

static const char *name_of(const struct word *w, int64_t n)
{
	for (; w->name; w++)
		if (w->n == n)
			return w->name;
	return NULL;
}

static int32_t number_of(const struct word *w, const char *name)
{
	for (; name && w->name; w++)
		if (!strcmp(w->name, name))
			return (int32_t)w->n;
	return 0;
}

const char *wbl_step_kind_name(int64_t kind)
{
	return name_of(kinds, kind);
}

int32_t wbl_step_kind_parse(const char *name)
{
	return number_of(kinds, name);
}

const char *wbl_inverse_name(int64_t inverse)
{
	return name_of(inverses, inverse);
}

int32_t wbl_inverse_parse(const char *name)
{
	return number_of(inverses, name);
}

const char *wbl_claim_mode_name(int64_t mode)
{
	return name_of(modes, mode);
}

const char *wbl_rule_name(int64_t rule)
{
	return name_of(rules, rule);
}

int32_t wbl_rule_parse(const char *name)
{
	return number_of(rules, name);
}

const char *wbl_difference_name(int64_t kind)
{
	return name_of(differences, kind);
}

json_t *wbl_step_flags_json(uint32_t set, uint32_t *ret_unknown)
{
	json_t *j = json_array();
	const struct word *w;

	for (w = flags; w->name; w++)
		if (set & w->n) {
			json_array_append_new(j, json_string(w->name));
			set &= ~w->n;
		}
	*ret_unknown = set;
	return j;
}

uint32_t wbl_step_flags_parse(const json_t *names)
{
	uint32_t set = 0;
	json_t *name;
	size_t i;

	json_array_foreach(names, i, name) set |=
		(uint32_t)number_of(flags, json_string_value(name));
	return set;
}
