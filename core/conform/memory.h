/* conform/memory.h - what the stage remembers for a handler, and the answers that it gives from it.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef WBL_CORE_CONFORM_MEMORY_H
#define WBL_CORE_CONFORM_MEMORY_H
#include "core/conform/stage.h"

struct wbl_stage_record *wbl_memory_find(const struct wbl_stage_list *l, const char *name);
void wbl_memory_clear(struct wbl_stage_list *l);
void wbl_memory_clear_chunk(struct wbl_stage_chunk *c);
void wbl_memory_drop_added(struct wbl_stage_step *t); /* chunks of a call that did not end well */
/* The chunks that are done, together. */
json_t *wbl_memory_sum(const struct wbl_stage_step *t, bool digests);
/* wbl_play_options.answer of a stage. */
void wbl_memory_answer(struct wbl_play *p, struct wbl_frame *f);
#endif
