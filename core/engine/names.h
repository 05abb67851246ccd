/* engine/names.h - the words of the plan document for the numbers of whimbrel/services.h.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef WBL_CORE_ENGINE_NAMES_H
#define WBL_CORE_ENGINE_NAMES_H
#include <jansson.h>
#include <stdint.h>

/* NULL for numbers that are not known, 0 for names that are not. */
const char *wbl_step_kind_name(int64_t kind);
int32_t wbl_step_kind_parse(const char *name);
const char *wbl_inverse_name(int64_t inverse);
int32_t wbl_inverse_parse(const char *name);
const char *wbl_claim_mode_name(int64_t mode);
const char *wbl_rule_name(int64_t rule);
int32_t wbl_rule_parse(const char *name);
const char *wbl_difference_name(int64_t kind);
json_t *wbl_step_flags_json(uint32_t flags, uint32_t *ret_unknown);
uint32_t wbl_step_flags_parse(const json_t *names);
#endif
