/* module/wire.h - frames between the engine and a host process, over one SOCK_SEQPACKET pair (fd 3 in the host).
 * A frame is one datagram of at most 64 KiB: a fixed head, JSON text, then raw bytes ("blob"). What is larger
 * travels in a sealed memfd attached to the head (at most 16 MiB), unseen by the callers. A frame can carry one
 * more descriptor of its own (artefacts). Private to one build: HELLO names it, another build is refused.
 * Messages and their members: wire.def.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef WBL_CORE_MODULE_WIRE_H
#define WBL_CORE_MODULE_WIRE_H
#include "core/base/json.h"

/* Raised when a message keeps its name and changes its meaning. */
#define WBL_WIRE_REVISION 1
#define WBL_WIRE_MAX 65536u
#define WBL_WIRE_SPILL (16u << 20)
#define WBL_WIRE_FD 3 /* in the host */
#define WBL_LOCK_FD 4 /* in the host and its helpers: the shared lock that proves they live */

enum wbl_wire_type {
	WBL_WIRE_NONE,
#define WBL_WIRE(symbol, name) WBL_WIRE_##symbol,
#include "core/module/wire.def"
#undef WBL_WIRE
	WBL_WIRE_TYPES
};

struct wbl_frame {
	enum wbl_wire_type type;
	uint32_t seq; /* of a request; its REPLY carries the same */
	json_t *json; /* an object; owned by the frame; never NULL after wbl_wire_read */
	struct wbl_buf blob;
	int fd; /* -1: none; closed by wbl_frame_clear unless taken (set to -1) */
};

/* Version, revision and a digest over the messages: what HELLO and READY compare. Valid for ever. */
const char *wbl_wire_build(void);
const char *wbl_wire_name(enum wbl_wire_type type);
void wbl_frame_clear(struct wbl_frame *f);

/* Sends one frame. `json` may be NULL (empty object); `attached` is -1 or a descriptor to pass (stays the caller's).
 * Blocks unless the socket is non-blocking: then WBL_E_RETRY when its buffer is full, nothing sent.
 * WBL_E_WIRE when the other side is gone, WBL_E_PARAM when larger than the spill limit. */
int32_t wbl_wire_send(int sock, enum wbl_wire_type type, uint32_t seq, const json_t *json,
	const void *blob, size_t len, int attached, struct wbl_error *err);
/* Reads one frame. WBL_END: the other side has closed. WBL_E_RETRY: nothing there now (non-blocking).
 * WBL_E_WIRE: what came is no frame (the reason says why); every length is checked before use. */
int32_t wbl_wire_read(int sock, struct wbl_frame *ret, struct wbl_error *err);
/* The same from bytes in memory, without descriptors: for the fuzz target. */
int32_t wbl_wire_parse(const void *data, size_t len, struct wbl_frame *ret, struct wbl_error *err);
#endif
