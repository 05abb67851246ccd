/* tests/unit/host/play.h - the kit's player, with modules of the build and canned answers.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef WBL_TESTS_PLAY_H
#define WBL_TESTS_PLAY_H
#include "core/conform/play.h"

/* BUILD/tests/bin/mods/.libs/NAME.so; static storage. */
const char *play_module(const char *name);
/* {build, interface, name, module:{path,sha256,id,version}, params:{}, peers:[]}, to be changed by the test. */
json_t *play_hello(const char *module, const char *handler);
json_t *play_peer(const char *param, const char *interface, const char *module, const char *name);
struct wbl_play *play_spawn(void);
struct wbl_play *play_start(json_t *hello);
/* As wbl_play_call and wbl_play_begin; parts: NULL or four texts. */
int32_t play_call(struct wbl_play *p, const char *call, const char *op, json_t *extra,
	const char *const *parts);
void play_begin(struct wbl_play *p, const char *call, const char *op, json_t *extra,
	const char *const *parts);
#endif
