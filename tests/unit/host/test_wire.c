/* tests of core/module/wire.c: what is sent arrives, what is no frame is refused.
 * req: H5 U4
 * SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/module/wire.h"

static int pair[2];

static int open_pair(void **state)
{
	return socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair);
}

static int close_pair(void **state)
{
	close(pair[0]);
	if (pair[1] >= 0)
		close(pair[1]);
	return 0;
}

static void round_trip(size_t len, int fd)
{
	struct wbl_frame f;
	char *blob = malloc(len + 1);
	json_t *j = json_pack("{s:s}", "text", "gr\xc3\xbc\xc3\x9f");
	size_t i;

	for (i = 0; i < len; i++)
		blob[i] = (char)(i * 31);
	assert_int_equal(wbl_wire_send(pair[0], WBL_WIRE_LOG, 77, j, blob, len, fd, NULL), 0);
	assert_int_equal(wbl_wire_read(pair[1], &f, NULL), 0);
	assert_int_equal(f.type, WBL_WIRE_LOG);
	assert_int_equal(f.seq, 77);
	assert_true(json_equal(f.json, j));
	assert_int_equal(f.blob.len, len);
	if (len)
		assert_memory_equal(f.blob.data, blob, len);
	assert_int_equal(f.fd >= 0, fd >= 0);
	if (f.fd >= 0)
		assert_true(fcntl(f.fd, F_GETFD) & FD_CLOEXEC);
	wbl_frame_clear(&f);
	assert_int_equal(f.fd, -1);
	json_decref(j);
	free(blob);
}

static void test_sizes(void **state)
{
	size_t n;

	round_trip(0, -1);
	round_trip(0, 1);
	for (n = 65480; n < 65540; n++)
		round_trip(n, n & 1 ? 1 : -1);
	round_trip(1 << 20, -1);
	round_trip((16 << 20) - 100, 1);
}

static void test_too_large(void **state)
{
	struct wbl_error err;
	char *blob = calloc(1, WBL_WIRE_SPILL);

	assert_int_equal(
		wbl_wire_send(pair[0], WBL_WIRE_LOG, 1, NULL, blob, WBL_WIRE_SPILL, -1, &err),
		WBL_E_PARAM);
	assert_non_null(strstr(err.text, "beyond the limit"));
	free(blob);
}

static void test_no_descriptor_leaks(void **state)
{
	int before = dup(0), after, i;

	close(before);
	for (i = 0; i < 50; i++)
		round_trip(100000, 1);
	after = dup(0);
	close(after);
	assert_int_equal(before, after);
}

static void test_end_and_full(void **state)
{
	struct wbl_error err;
	struct wbl_frame f;
	int i, rc = 0;

	fcntl(pair[0], F_SETFL, O_NONBLOCK);
	assert_int_equal(wbl_wire_read(pair[0], &f, &err), WBL_E_RETRY);
	for (i = 0; !rc && i < 10000; i++)
		rc = wbl_wire_send(pair[0], WBL_WIRE_LOG, 1, NULL, NULL, 0, -1, &err);
	assert_int_equal(rc, WBL_E_RETRY);
	fcntl(pair[1], F_SETFL, O_NONBLOCK);
	while (!wbl_wire_read(pair[1], &f, NULL))
		wbl_frame_clear(&f);
	wbl_frame_clear(&f);
	close(pair[1]);
	pair[1] = -1;
	assert_int_equal(wbl_wire_read(pair[0], &f, &err), WBL_END);
	assert_int_equal(
		wbl_wire_send(pair[0], WBL_WIRE_LOG, 1, NULL, NULL, 0, -1, &err), WBL_E_WIRE);
}

struct raw_head {
	uint32_t magic;
	uint16_t type, flags;
	uint32_t seq, json_len;
	uint64_t blob_len;
};

static void refused(const void *data, size_t len, int fd, const char *why)
{
	struct iovec iov = { (void *)(uintptr_t)data, len };
	union {
		char room[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control = { { 0 } };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1 };
	struct wbl_error err = { 0 };
	struct wbl_frame f;

	if (fd >= 0) {
		struct cmsghdr *c;

		m.msg_control = control.room;
		m.msg_controllen = sizeof control.room;
		c = CMSG_FIRSTHDR(&m);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof fd);
		memcpy(CMSG_DATA(c), &fd, sizeof fd);
	}
	assert_int_equal(sendmsg(pair[0], &m, 0), len);
	assert_int_equal(wbl_wire_read(pair[1], &f, &err), WBL_E_WIRE);
	if (!strstr(err.text, why))
		fail_msg("%s: %s", why, err.text);
	wbl_frame_clear(&f);
}

static void refused_body(struct raw_head h, const char *body, int fd, const char *why)
{
	char data[256];

	memcpy(data, &h, sizeof h);
	memcpy(data + sizeof h, body, strlen(body));
	refused(data, sizeof h + strlen(body), fd, why);
}

static void test_refused(void **state)
{
	const struct raw_head good = { 0x31574257, WBL_WIRE_LOG, 0, 1, 2, 0 };
	struct raw_head h = good;
	int loose = memfd_create("x", MFD_CLOEXEC),
	    sealed = memfd_create("x", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	char *much = calloc(1, 70000);

	refused("x", 1, -1, "shorter than a head");
	refused(much, 70000, -1, "larger than a frame");
	h.magic++;
	refused_body(h, "{}", -1, "mark of a frame");
	h = good, h.type = 999;
	refused_body(h, "{}", -1, "message type 999");
	h = good, h.type = 0;
	refused_body(h, "{}", -1, "message type 0");
	h = good, h.flags = 4;
	refused_body(h, "{}", -1, "unknown flags");
	h = good, h.json_len = 3;
	refused_body(h, "{}", -1, "do not fit");
	h = good, h.blob_len = UINT64_MAX;
	refused_body(h, "{}", -1, "beyond the limit");
	h = good, h.json_len = UINT32_MAX, h.blob_len = 3;
	refused_body(h, "{}", -1, "beyond the limit");
	refused_body(good, "[]", -1, "not a JSON object");
	refused_body(good, "{]", -1, "not valid JSON");
	refused_body(good, "{}", loose, "number of its descriptors");
	h = good, h.flags = 2;
	refused_body(h, "{}", -1, "number of its descriptors");
	h = good, h.flags = 1;
	refused_body(h, "", loose, "not sealed");
	assert_int_equal(fcntl(sealed, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE), 0);
	refused_body(h, "", sealed, "another length");
	refused_body(h, "{}", sealed, "do not fit");
	free(much);
	close(loose);
	close(sealed);
}

static void test_names(void **state)
{
	assert_string_equal(wbl_wire_name(WBL_WIRE_UNDO_PUT), "undo put");
	assert_string_equal(wbl_wire_name(WBL_WIRE_TYPES), "unknown");
	assert_non_null(strstr(wbl_wire_build(), PACKAGE_VERSION));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_sizes, open_pair, close_pair),
		cmocka_unit_test_setup_teardown(test_too_large, open_pair, close_pair),
		cmocka_unit_test_setup_teardown(test_no_descriptor_leaks, open_pair, close_pair),
		cmocka_unit_test_setup_teardown(test_end_and_full, open_pair, close_pair),
		cmocka_unit_test_setup_teardown(test_refused, open_pair, close_pair),
		cmocka_unit_test(test_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
