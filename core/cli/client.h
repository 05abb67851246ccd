/* cli/client.h - the control socket from the command's side: JSON lines there and back.
 * One thread. A client that met an error of the connection is only good for wbl_client_free.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef WBL_CORE_CLI_CLIENT_H
#define WBL_CORE_CLI_CLIENT_H
#include "core/base/json.h"

struct wbl_client;

/* Connects to the engine of the state folder and greets it. No engine there: WBL_E_UNAVAILABLE.
 * `dir` of any length. */
int32_t wbl_client_open(const char *dir, struct wbl_client **ret, struct wbl_error *err);
void wbl_client_free(struct wbl_client *c);
const json_t *wbl_client_hello(
	const struct wbl_client *c); /* what the engine said of itself; borrowed */
int wbl_client_fd(const struct wbl_client *c);

/* Sends a request; `args` is taken, NULL means none. Its id: > 0, or a negative code. */
int64_t wbl_client_send(
	struct wbl_client *c, const char *verb, json_t *args, struct wbl_error *err);
/* The next line as an object, which the caller decrefs; *ret NULL when none is there yet and wait
 * is false. WBL_E_UNAVAILABLE when the engine closed the connection, WBL_E_WIRE when it sent what
 * is no answer. */
int32_t wbl_client_next(struct wbl_client *c, bool wait, json_t **ret, struct wbl_error *err);

/* start.c. As wbl_client_open, and starts an engine when none runs. make: the folder, too, if it
 * is missing. */
int32_t wbl_client_start(const char *dir, const char *config, bool make, struct wbl_client **ret,
	struct wbl_error *err);
#endif
