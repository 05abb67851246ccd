/* conform/contract.h - level 2: what the loader and the host see of a module.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef WBL_CORE_CONFORM_CONTRACT_H
#define WBL_CORE_CONFORM_CONTRACT_H
#include "core/conform/conform.h"

enum wbl_verdict wbl_contract_loads(struct wbl_kit *k);
enum wbl_verdict wbl_contract_load_time(struct wbl_kit *k);
enum wbl_verdict wbl_contract_tables(struct wbl_kit *k);
enum wbl_verdict wbl_contract_unknown(struct wbl_kit *k);
enum wbl_verdict wbl_contract_traces(struct wbl_kit *k);
enum wbl_verdict wbl_contract_plan(struct wbl_kit *k);
enum wbl_verdict wbl_contract_params(struct wbl_kit *k);
enum wbl_verdict wbl_contract_needs(struct wbl_kit *k);
enum wbl_verdict wbl_contract_services(struct wbl_kit *k);
enum wbl_verdict wbl_contract_quiet(struct wbl_kit *k);
enum wbl_verdict wbl_contract_secret(struct wbl_kit *k);
enum wbl_verdict wbl_contract_ends(struct wbl_kit *k);
#endif
