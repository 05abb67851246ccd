/* conform/static.h - level 1: what can be said of the file without running its code.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef WBL_CORE_CONFORM_STATIC_H
#define WBL_CORE_CONFORM_STATIC_H
#include "core/conform/conform.h"

enum wbl_verdict wbl_static_exports(struct wbl_kit *k);
enum wbl_verdict wbl_static_binding(struct wbl_kit *k);
enum wbl_verdict wbl_static_stack(struct wbl_kit *k);
enum wbl_verdict wbl_static_text(struct wbl_kit *k);
enum wbl_verdict wbl_static_needed(struct wbl_kit *k);
enum wbl_verdict wbl_static_manifest(struct wbl_kit *k);
enum wbl_verdict wbl_static_strip(struct wbl_kit *k);
enum wbl_verdict wbl_static_name(struct wbl_kit *k);
enum wbl_verdict wbl_static_id(struct wbl_kit *k);
enum wbl_verdict wbl_static_license(struct wbl_kit *k);
enum wbl_verdict wbl_static_documented(struct wbl_kit *k);
#endif
