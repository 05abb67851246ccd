/* module/wire.c - frames over a SOCK_SEQPACKET pair: pack, send, receive, take apart.
 * In: a message, JSON and bytes.  Out: the same on the other side, or the reason why it is no frame.
 * A body beyond one datagram goes into a sealed memfd. New messages go into wire.def, not here.
 * SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "core/module/wire.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/file.h"

enum {
	MAGIC = 0x31574257, /* "WBW1" */
	HAS_SPILL = 1,      /* JSON and bytes are in the first descriptor */
	HAS_FD = 2,         /* the last descriptor is the frame's own */
	MAX_FDS = 2,
	SEALS = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE,
};

struct head {
	uint32_t magic;
	uint16_t type, flags;
	uint32_t seq, json_len;
	uint64_t blob_len;
};

static const char *const names[WBL_WIRE_TYPES] = {
	"none",
#define WBL_WIRE(symbol, name) name,
#include "core/module/wire.def"
#undef WBL_WIRE
};

const char *wbl_wire_name(enum wbl_wire_type type)
{
	return type < WBL_WIRE_TYPES ? names[type] : "unknown";
}

static char build_id[64];

static void make_build_id(void)
{
	static const char symbols[] =
#define WBL_WIRE(symbol, name) #symbol " "
#include "core/module/wire.def"
#undef WBL_WIRE
		;
	char hex[WBL_SHA256_HEX];

	wbl_sha256_hex(symbols, sizeof symbols, hex);
	snprintf(build_id, sizeof build_id, "%s/%d/%.16s", PACKAGE_VERSION, WBL_WIRE_REVISION, hex);
}

const char *wbl_wire_build(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, make_build_id);
	return build_id;
}

void wbl_frame_clear(struct wbl_frame *f)
{
	json_decref(f->json);
	wbl_buf_clear(&f->blob);
	if (f->fd >= 0)
		close(f->fd);
	memset(f, 0, sizeof *f);
	f->fd = -1;
}

static int32_t spill(const char *json, size_t json_len, const void *blob, size_t len, int *ret_fd,
	struct wbl_error *err)
{
	int fd = memfd_create("whimbrel-frame", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (fd < 0 || wbl_write_all(fd, json, json_len) || wbl_write_all(fd, blob, len) ||
		fcntl(fd, F_ADD_SEALS, SEALS | F_SEAL_SEAL)) {
		wbl_fail_errno(err, WBL_E_RESOURCES, NULL,
			"Free memory or raise the limit of open files.",
			"no memory file for a message of %zu bytes", json_len + len);
		if (fd >= 0)
			close(fd);
		return WBL_E_RESOURCES;
	}
	*ret_fd = fd;
	return 0;
}

static void attach(struct msghdr *m, const int *fds, size_t n)
{
	struct cmsghdr *c;

	if (!n) {
		m->msg_control = NULL;
		m->msg_controllen = 0;
		return;
	}
	m->msg_controllen = CMSG_SPACE(n * sizeof(int));
	c = CMSG_FIRSTHDR(m);
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(n * sizeof(int));
	memcpy(CMSG_DATA(c), fds, n * sizeof(int));
}

static int32_t push(int sock, struct msghdr *m, enum wbl_wire_type type, struct wbl_error *err)
{
	ssize_t n;

	do
		n = sendmsg(sock, m, MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	if (n >= 0)
		return 0;
	if (errno == EAGAIN || errno == ENOBUFS || errno == ETOOMANYREFS)
		return wbl_fail_errno(
			err, WBL_E_RETRY, wbl_wire_name(type), NULL, "the socket is full");
	return wbl_fail_errno(
		err, WBL_E_WIRE, wbl_wire_name(type), NULL, "the message cannot be sent");
}

int32_t wbl_wire_send(int sock, enum wbl_wire_type type, uint32_t seq, const json_t *json,
	const void *blob, size_t len, int attached, struct wbl_error *err)
{
	WBL_AUTOFREE char *text = json ? wbl_json_text(json) : wbl_strdup("{}");
	struct head h = { MAGIC, (uint16_t)type, 0, seq, 0, len };
	struct iovec iov[3] = { { &h, sizeof h } };
	union {
		char room[CMSG_SPACE(MAX_FDS * sizeof(int))];
		struct cmsghdr align;
	} control = { { 0 } };
	struct msghdr m = { .msg_iov = iov, .msg_iovlen = 1, .msg_control = control.room };
	size_t json_len = strlen(text), nfds = 0;
	int fds[MAX_FDS], memory = -1;
	int32_t rc;

	if (json_len > WBL_WIRE_SPILL || len > WBL_WIRE_SPILL - json_len)
		return wbl_fail(err, WBL_E_PARAM, wbl_wire_name(type),
			"Use an artefact for what is larger.",
			"a message of %zu bytes is beyond the limit of %u", json_len + len,
			WBL_WIRE_SPILL);
	h.json_len = (uint32_t)json_len;
	if (sizeof h + json_len + len > WBL_WIRE_MAX) {
		rc = spill(text, json_len, blob, len, &memory, err);
		if (rc)
			return rc;
		h.flags |= HAS_SPILL;
		fds[nfds++] = memory;
	} else {
		iov[1] = (struct iovec){ text, json_len };
		iov[2] = (struct iovec){ (void *)(uintptr_t)blob, len };
		m.msg_iovlen = len ? 3 : 2;
	}
	if (attached >= 0) {
		h.flags |= HAS_FD;
		fds[nfds++] = attached;
	}
	attach(&m, fds, nfds);
	rc = push(sock, &m, type, err);
	if (memory >= 0)
		close(memory);
	return rc;
}

static int32_t bad(struct wbl_error *err, const char *what)
{
	return wbl_fail(err, WBL_E_WIRE, "frame", NULL, "%s", what);
}

/* What the head says must be exactly what came. */
static int32_t check_head(const struct head *h, size_t rest, struct wbl_error *err)
{
	if (h->magic != MAGIC)
		return bad(err, "it does not begin with the mark of a frame");
	if (h->type == WBL_WIRE_NONE || h->type >= WBL_WIRE_TYPES)
		return wbl_fail(
			err, WBL_E_WIRE, "frame", NULL, "message type %u is not known", h->type);
	if (h->flags & ~(HAS_SPILL | HAS_FD))
		return bad(err, "it has unknown flags");
	if (h->json_len > WBL_WIRE_SPILL || h->blob_len > WBL_WIRE_SPILL - h->json_len)
		return bad(err, "its lengths are beyond the limit");
	if (h->flags & HAS_SPILL ? rest != 0 : rest != h->json_len + h->blob_len)
		return bad(err, "its lengths do not fit what came");
	return 0;
}

static int32_t fill(
	const struct head *h, const char *body, struct wbl_frame *ret, struct wbl_error *err)
{
	json_t *j = wbl_json_parse(body, h->json_len, wbl_wire_name(h->type), err);

	if (!json_is_object(j)) {
		if (j)
			bad(err, "its text is not a JSON object");
		json_decref(j);
		if (err)
			err->code = WBL_E_WIRE;
		return WBL_E_WIRE;
	}
	*ret = (struct wbl_frame){ .type = h->type, .seq = h->seq, .json = j, .fd = -1 };
	if (h->blob_len)
		wbl_buf_add(&ret->blob, body + h->json_len, (size_t)h->blob_len);
	return 0;
}

int32_t wbl_wire_parse(const void *data, size_t len, struct wbl_frame *ret, struct wbl_error *err)
{
	struct head h;
	int32_t rc;

	if (len < sizeof h)
		return bad(err, "it is shorter than a head");
	memcpy(&h, data, sizeof h);
	rc = check_head(&h, len - sizeof h, err);
	if (!rc && h.flags)
		rc = bad(err, "its descriptors are missing");
	return rc ? rc : fill(&h, (const char *)data + sizeof h, ret, err);
}

static int32_t fill_from_memory(
	int fd, const struct head *h, struct wbl_frame *ret, struct wbl_error *err)
{
	size_t len = (size_t)(h->json_len + h->blob_len), got = 0;
	WBL_AUTOFREE char *body = NULL;
	struct stat st;
	int seals = fcntl(fd, F_GET_SEALS);

	if (seals < 0 || (seals & SEALS) != SEALS)
		return bad(err, "its memory file is not sealed");
	if (fstat(fd, &st) || (uint64_t)st.st_size != len)
		return bad(err, "its memory file has another length");
	body = wbl_alloc(len + 1);
	while (got < len) {
		ssize_t n = pread(fd, body + got, len - got, (off_t)got);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return bad(err, "its memory file cannot be read");
		got += (size_t)n;
	}
	return fill(h, body, ret, err);
}

/* Descriptors beyond MAX_FDS are closed by the kernel (MSG_CTRUNC). */
static size_t take_fds(struct msghdr *m, int fds[MAX_FDS])
{
	struct cmsghdr *c;
	size_t n = 0, i;

	for (c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
		size_t count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);

		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		for (i = 0; i < count; i++) {
			int fd;

			memcpy(&fd, CMSG_DATA(c) + i * sizeof fd, sizeof fd);
			if (n < MAX_FDS)
				fds[n++] = fd;
			else
				close(fd);
		}
	}
	return n;
}

/* *ret_own: the last descriptor belongs to the frame. */
static int32_t take_apart(const char *data, size_t len, const struct msghdr *m, const int *fds,
	size_t nfds, struct wbl_frame *ret, bool *ret_own, struct wbl_error *err)
{
	struct head h;
	int32_t rc;

	if (m->msg_flags & (MSG_TRUNC | MSG_CTRUNC))
		return bad(err, "it is larger than a frame can be");
	if (len < sizeof h)
		return bad(err, "it is shorter than a head");
	memcpy(&h, data, sizeof h);
	rc = check_head(&h, len - sizeof h, err);
	if (rc)
		return rc;
	if (nfds != (size_t) !!(h.flags & HAS_SPILL) + !!(h.flags & HAS_FD))
		return bad(err, "the number of its descriptors is wrong");
	*ret_own = h.flags & HAS_FD;
	return h.flags & HAS_SPILL ? fill_from_memory(fds[0], &h, ret, err)
				   : fill(&h, data + sizeof h, ret, err);
}

int32_t wbl_wire_read(int sock, struct wbl_frame *ret, struct wbl_error *err)
{
	char data[WBL_WIRE_MAX];
	union {
		char room[CMSG_SPACE(MAX_FDS * sizeof(int))];
		struct cmsghdr align;
	} control;
	struct iovec iov = { data, sizeof data };
	struct msghdr m = { .msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.room,
		.msg_controllen = sizeof control.room };
	int fds[MAX_FDS];
	size_t nfds, i;
	bool own = false;
	int32_t rc;
	ssize_t n;

	*ret = (struct wbl_frame){ .fd = -1 };
	do
		n = recvmsg(sock, &m, MSG_CMSG_CLOEXEC);
	while (n < 0 && errno == EINTR);
	if (n < 0 && errno == EAGAIN)
		return wbl_fail(err, WBL_E_RETRY, "frame", NULL, "nothing has come yet");
	if (n == 0 || (n < 0 && errno == ECONNRESET))
		return WBL_END;
	if (n < 0)
		return wbl_fail_errno(err, WBL_E_WIRE, "frame", NULL, "the socket cannot be read");
	nfds = take_fds(&m, fds);
	rc = take_apart(data, (size_t)n, &m, fds, nfds, ret, &own, err);
	if (!rc && own)
		ret->fd = fds[--nfds];
	for (i = 0; i < nfds; i++)
		close(fds[i]);
	return rc;
}
