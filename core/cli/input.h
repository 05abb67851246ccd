/* cli/input.h - files that the operator names: specs and plans.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef WBL_CORE_CLI_INPUT_H
#define WBL_CORE_CLI_INPUT_H
#include "core/base/json.h"

enum wbl_input_kind { WBL_INPUT_PLAN_ID, WBL_INPUT_PLAN_FILE, WBL_INPUT_SPEC };

struct wbl_input {
	enum wbl_input_kind kind;
	const char *name;    /* as given; borrowed */
	struct wbl_buf text; /* of a file */
	char *dir;           /* absolute folder of a spec */
	json_t *document;    /* of a plan file */
	char digest[65];     /* of a plan file's bytes */
};

/* p-000001, 8 to 64 hexadecimal digits, "last" are ids; all else is a file ("-": standard input),
 * a plan when it is JSON that says so, else a spec. Refuses what is no UTF-8 with its line and
 * column. WBL_E_USAGE. */
int32_t wbl_input_read(const char *name, struct wbl_input *ret, struct wbl_error *err);
/* As above, never an id and always a spec. */
int32_t wbl_input_spec(const char *name, struct wbl_input *ret, struct wbl_error *err);
void wbl_input_clear(struct wbl_input *in);
json_t *wbl_input_spec_args(const struct wbl_input *in, const char *env); /* {spec: {...}, env} */
bool wbl_input_is_plan_id(const char *name);
bool wbl_input_is_run_id(const char *name);
#endif
