/* tests of core/state: a scratch folder, a filled history, direct edits of a closed database.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef WBL_TESTS_STATE_KIT_H
#define WBL_TESTS_STATE_KIT_H
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/state/journal.h"

struct kit {
	char root[64]; /* removed at the end */
	char dir[80];  /* the state folder in it, not made yet */
	char db[96];
	struct wbl_error err;
};

int kit_setup(void **state);
int kit_teardown(void **state);
struct wbl_state *kit_open(struct kit *k, unsigned flags); /* asserts */
void kit_refused(
	struct kit *k, unsigned flags, int32_t code, const char *text); /* opening fails so */
void kit_put(struct wbl_state *s, enum wbl_kind kind, const char *run, const char *name,
	const char *body);
void kit_fill(struct kit *k, int entries,
	char head[WBL_SHA256_HEX]);           /* opens, appends, commits, closes */
void kit_sql(struct kit *k, const char *sql); /* on the closed database */
int64_t kit_ask(struct kit *k, const char *sql);
#endif
