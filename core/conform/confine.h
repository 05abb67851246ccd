/* conform/confine.h - a process that may write below some folders only (Landlock), for the rest of its life.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef WBL_CORE_CONFORM_CONFINE_H
#define WBL_CORE_CONFORM_CONFINE_H
#include <stdbool.h>

/* Has the kernel Landlock, and may it be used? */
bool wbl_confine_possible(void);
/* NULL-ended; what is not there is passed over. Devices can be written as before. */
int wbl_confine(const char *const *folders);
#endif
