/* conform/kills.h - level 3: deaths everywhere, each followed by an end that must be known.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef WBL_CORE_CONFORM_KILLS_H
#define WBL_CORE_CONFORM_KILLS_H
#include "core/conform/conform.h"

enum wbl_verdict wbl_kills_resume(struct wbl_kit *k);
enum wbl_verdict wbl_kills_rollback(struct wbl_kit *k);
enum wbl_verdict wbl_kills_in_rollback(struct wbl_kit *k);
enum wbl_verdict wbl_kills_faults(struct wbl_kit *k);
enum wbl_verdict wbl_kills_commits(struct wbl_kit *k);
enum wbl_verdict wbl_kills_random(struct wbl_kit *k);
#endif
