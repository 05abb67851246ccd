/* conform/played.h - level 3: what can be seen only by who answers the handler's requests.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef WBL_CORE_CONFORM_PLAYED_H
#define WBL_CORE_CONFORM_PLAYED_H
#include "core/conform/conform.h"

enum wbl_verdict wbl_played_twice(struct wbl_kit *k);
enum wbl_verdict wbl_played_cancel(struct wbl_kit *k);
enum wbl_verdict wbl_played_progress(struct wbl_kit *k);
enum wbl_verdict wbl_played_claims(struct wbl_kit *k);
enum wbl_verdict wbl_played_confined(struct wbl_kit *k);
#endif
