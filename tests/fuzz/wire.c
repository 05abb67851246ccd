/* fuzz target: bytes that claim to be a frame. What is taken must come out the same when it is sent again.
 * req: H5 U4
 * SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/module/wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void again(const struct wbl_frame *f)
{
	struct wbl_frame g = { .fd = -1 };
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair))
		abort();
	if (wbl_wire_send(pair[0], f->type, f->seq, f->json, f->blob.data, f->blob.len, -1, NULL) ||
		wbl_wire_read(pair[1], &g, NULL))
		abort();
	if (f->type != g.type || f->seq != g.seq || f->blob.len != g.blob.len ||
		!json_equal(f->json, g.json) ||
		(f->blob.len && memcmp(f->blob.data, g.blob.data, f->blob.len)))
		abort();
	wbl_frame_clear(&g);
	close(pair[0]);
	close(pair[1]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct wbl_frame f = { .fd = -1 };
	struct wbl_error err;

	if (!wbl_wire_parse(data, size, &f, &err))
		again(&f);
	wbl_frame_clear(&f);
	return 0;
}
