/* conform/semantics.h - level 3: what a migration promises, tried with a real engine on the fixture.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef WBL_CORE_CONFORM_SEMANTICS_H
#define WBL_CORE_CONFORM_SEMANTICS_H
#include "core/conform/conform.h"

enum wbl_verdict wbl_semantics_execute(struct wbl_kit *k);
enum wbl_verdict wbl_semantics_plan_pure(struct wbl_kit *k);
enum wbl_verdict wbl_semantics_plan_same(struct wbl_kit *k);
enum wbl_verdict wbl_semantics_rehearse(struct wbl_kit *k);
enum wbl_verdict wbl_semantics_verify_pure(struct wbl_kit *k);
enum wbl_verdict wbl_semantics_tamper(struct wbl_kit *k);
enum wbl_verdict wbl_semantics_rollback(struct wbl_kit *k);
enum wbl_verdict wbl_semantics_rollback_stays(struct wbl_kit *k);
enum wbl_verdict wbl_semantics_again(struct wbl_kit *k);
#endif
