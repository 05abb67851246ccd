/* hostile.h - what hostile.c and hostile_acts.c share.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef WBL_TESTS_MODULES_HOSTILE_H
#define WBL_TESTS_MODULES_HOSTILE_H
#include <whimbrel/sdk.h>

/* Does it; what comes back (if anything does) is the status to return, WBL_OK to go on as if nothing had been. */
int32_t hostile_act(struct wbl_call *call, const char *what, int64_t n);
/* Plans that are nonsense: 1 when `what` is one of them; *ret_status is what plan returns then. */
int hostile_plans(struct wbl_call *call, const char *what, int64_t n, int32_t *ret_status);
#endif
