/* host/link.h - the host's end of the socket to the engine: one reader thread, any number of asking threads.
 * One link per process. When the engine is gone the process ends: nothing in here returns that as an error.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef WBL_CORE_HOST_LINK_H
#define WBL_CORE_HOST_LINK_H
#include "core/module/wire.h"

struct wbl_signals;

/* Starts the reader. After the end of the socket the process ends at once while a call runs; when idle,
 * wbl_link_next returns false and the process has half a second to leave by itself. */
int32_t wbl_link_start(int sock, const json_t *throttle, struct wbl_error *err);

/* Sends one way. Takes `json`. Nothing happens without a link (--check). */
void wbl_link_post(enum wbl_wire_type type, json_t *json);
/* The answer of a call, or READY or REFUSED: one way, with seq and bytes. Takes `json`. */
void wbl_link_tell(
	enum wbl_wire_type type, uint32_t seq, json_t *json, const void *blob, size_t len);
/* Asks and waits for the REPLY, whose status is returned. Takes `json`; `fd` (or -1) stays the caller's.
 * `ret` may be NULL; else filled when the status is not negative, and to be cleared by the caller.
 * `stoppable`: returns WBL_E_CANCELLED when STOP or PAUSE comes. */
int32_t wbl_link_ask(enum wbl_wire_type type, json_t *json, struct wbl_bytes blob, int fd,
	bool stoppable, struct wbl_frame *ret);
bool wbl_link_fenced(void); /* some REPLY said FENCED */

/* [main thread] The next CALL. false: the engine has closed. */
bool wbl_link_next(struct wbl_frame *ret);
void wbl_link_idle(void); /* the call is over */

/* What the engine asks for at the moment; a load. */
uint32_t wbl_link_signals(void);
/* All of it; *ret_position (may be NULL) is the caller's to free. Clears the descriptor. */
uint32_t wbl_link_signals_read(struct wbl_signals *ret, char **ret_position);
int wbl_link_signal_fd(void);
/* Waits until the limits allow so much; STOP and PAUSE end the wait. ns waited. */
int64_t wbl_link_throttle(uint64_t items, uint64_t bytes);

/* Keeps the newest and sends at most one in 100 ms. Takes `json`. */
void wbl_link_progress(json_t *json);
void wbl_link_progress_flush(void);
#endif
