/* conform/hardening.h - level 4: a world that does not help.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef WBL_CORE_CONFORM_HARDENING_H
#define WBL_CORE_CONFORM_HARDENING_H
#include "core/conform/conform.h"

enum wbl_verdict wbl_hardening_full_disk(struct wbl_kit *k);
enum wbl_verdict wbl_hardening_bad_disk(struct wbl_kit *k);
enum wbl_verdict wbl_hardening_short(struct wbl_kit *k);
enum wbl_verdict wbl_hardening_interrupted(struct wbl_kit *k);
enum wbl_verdict wbl_hardening_leaks(struct wbl_kit *k);
enum wbl_verdict wbl_hardening_surroundings(struct wbl_kit *k);
enum wbl_verdict wbl_hardening_valgrind(struct wbl_kit *k);
#endif
