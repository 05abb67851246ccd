/* host/peer.h - stores, routers and transforms which instances have opened in this process.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef WBL_CORE_HOST_PEER_H
#define WBL_CORE_HOST_PEER_H
#include "whimbrel/router.h"

/* Closes what is still open, the youngest first: at the end of the process. */
void wbl_peers_close(void);

/* A table like `inner` which reads through it, checks what is written, and drops it. `inner` and `self` must
 * outlive it. wbl_sink_free also takes NULL. The caller of append, commit and abort gives its writers back. */
struct wbl_sink;
struct wbl_sink *wbl_sink_new(const struct wbl_store *inner, void *self);
const struct wbl_store *wbl_sink_table(const struct wbl_sink *sink);
uint64_t wbl_sink_capabilities(const struct wbl_sink *sink, uint64_t capabilities);
void wbl_sink_free(struct wbl_sink *sink);

/* A router that tells how things are and changes nothing. */
struct wbl_still;
struct wbl_still *wbl_still_new(const struct wbl_router *inner, void *self);
const struct wbl_router *wbl_still_table(const struct wbl_still *still);
void wbl_still_free(struct wbl_still *still);
#endif
