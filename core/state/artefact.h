/* state/artefact.h - files kept by the engine: back-ups, pre-images, reports. Written by a host to a descriptor
 * from here; trusted only by the digest that the journal holds.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef WBL_CORE_STATE_ARTEFACT_H
#define WBL_CORE_STATE_ARTEFACT_H
#include "core/state/journal.h"

/* artefacts/<run>/<file>, mode 0600, opened for reading and writing, emptied if it stood there unsealed.
 * `file` is a safe name made of `step`, pass and `name` (any text). *ret_file: caller frees. */
int32_t wbl_artefact_create(struct wbl_state *s, const char *run, const char *step, int64_t pass,
	const char *name, char **ret_file, int *ret_fd, struct wbl_error *err);
/* Syncs the file and its folder, takes size and digest (of the file in the folder, not of what the descriptor
 * claims to be: another file is refused). *ret_body: the body for the ARTEFACT_SEAL entry. */
int32_t wbl_artefact_seal(struct wbl_state *s, const char *run, const char *file, int fd,
	json_t **ret_body, struct wbl_error *err);
/* Checks size and digest against the seal's body, then opens for reading. WBL_E_CORRUPT names file and digests. */
int32_t wbl_artefact_open(struct wbl_state *s, const char *run, const json_t *sealed, int *ret_fd,
	struct wbl_error *err);
#endif
