/* cli/client.c - JSON lines over the control socket.
 * The folder is opened first and the socket reached through its descriptor, as a socket's address
 * holds only 108 bytes and paths are longer.
 * SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "core/cli/client.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { MAX_LINE = 24 << 20 };

struct wbl_client {
	int fd;
	char *dir;
	struct wbl_buf in;
	size_t seen; /* bytes of `in` known to hold no line break */
	json_t *hello;
	int64_t last_id;
};

static int32_t connect_to(const char *dir, int *ret, struct wbl_error *err)
{
	int folder = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC), fd, saved;
	struct sockaddr_un sa = { .sun_family = AF_UNIX };

	if (folder < 0)
		return wbl_fail_errno(err, errno == ENOENT ? WBL_E_NOT_FOUND : WBL_E_USAGE, dir,
			"Name a folder with --state, or ask its owner.",
			"the state folder cannot be opened");
	snprintf(sa.sun_path, sizeof sa.sun_path, "/proc/self/fd/%d/control.sock", folder);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd >= 0 && !connect(fd, (struct sockaddr *)&sa, sizeof sa)) {
		close(folder);
		*ret = fd;
		return 0;
	}
	saved = errno;
	if (fd >= 0)
		close(fd);
	close(folder);
	errno = saved;
	if (saved == ENOENT || saved == ECONNREFUSED)
		return wbl_fail(
			err, WBL_E_UNAVAILABLE, dir, NULL, "no engine runs for this state folder");
	if (saved == EACCES || saved == EPERM)
		return wbl_fail(err, WBL_E_USAGE, dir,
			"Run whimbrel as the folder's owner or as root, or choose another folder "
			"with --state.",
			"the engine of this state folder belongs to another user");
	return wbl_fail_errno(err, WBL_E_UNAVAILABLE, dir, NULL, "the engine cannot be reached");
}

static int32_t greet(struct wbl_client *c, struct wbl_error *err)
{
	json_t *reply = NULL;
	int64_t id = wbl_client_send(c, "hello", NULL, err);
	int32_t rc = id < 0 ? (int32_t)id : wbl_client_next(c, true, &reply, err);

	if (!rc && !wbl_json_bool(reply, "ok", false))
		rc = wbl_fail(err, WBL_E_WIRE, c->dir, "Is it another program's socket?",
			"whatever answers on control.sock is not a whimbrel engine");
	if (!rc)
		c->hello = json_incref(json_object_get(reply, "result"));
	json_decref(reply);
	return rc;
}

int32_t wbl_client_open(const char *dir, struct wbl_client **ret, struct wbl_error *err)
{
	struct wbl_client *c;
	int fd = -1;
	int32_t rc = connect_to(dir, &fd, err);

	if (rc)
		return rc;
	c = wbl_alloc(sizeof *c);
	c->fd = fd;
	c->dir = wbl_strdup(dir);
	rc = greet(c, err);
	if (rc)
		wbl_client_free(c);
	else
		*ret = c;
	return rc;
}

void wbl_client_free(struct wbl_client *c)
{
	if (!c)
		return;
	close(c->fd);
	free(c->dir);
	wbl_buf_clear(&c->in);
	json_decref(c->hello);
	free(c);
}

const json_t *wbl_client_hello(const struct wbl_client *c)
{
	return c->hello;
}

int wbl_client_fd(const struct wbl_client *c)
{
	return c->fd;
}

static int32_t gone(const struct wbl_client *c, struct wbl_error *err)
{
	WBL_AUTOFREE char *hint =
		wbl_strf("A run that was under way goes on with: whimbrel recover\n"
			 "%s/engine.log says why.",
			c->dir);

	return wbl_fail(err, WBL_E_UNAVAILABLE, NULL, hint, "the engine has gone away");
}

int64_t wbl_client_send(struct wbl_client *c, const char *verb, json_t *args, struct wbl_error *err)
{
	json_t *j = json_pack(
		"{s:I, s:s, s:o*}", "id", (json_int_t)++c->last_id, "verb", verb, "args", args);
	WBL_AUTOFREE char *text = wbl_json_text(j);
	WBL_AUTOFREE char *line = wbl_strf("%s\n", text);
	size_t len = strlen(line), sent = 0;

	json_decref(j);
	if (len > MAX_LINE)
		return wbl_fail(err, WBL_E_USAGE, verb, "Make it smaller.",
			"the request is larger than the engine takes");
	while (sent < len) {
		ssize_t n = send(c->fd, line + sent, len - sent, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return gone(c, err);
		sent += (size_t)n;
	}
	return c->last_id;
}

/* Takes the first line out of the buffer; false when there is none yet. */
static bool take_line(struct wbl_client *c, json_t **ret, int32_t *rc, struct wbl_error *err)
{
	char *end = c->in.len ? memchr(c->in.data + c->seen, '\n', c->in.len - c->seen) : NULL;
	size_t len;

	if (!end) {
		c->seen = c->in.len;
		return false;
	}
	len = (size_t)(end - c->in.data);
	*ret = wbl_json_parse(c->in.data, len, NULL, NULL);
	*rc = 0;
	if (!json_is_object(*ret)) {
		json_decref(*ret);
		*ret = NULL;
		*rc = wbl_fail(err, WBL_E_WIRE, c->dir, NULL,
			"the engine sent a line that is no JSON object");
	}
	memmove(c->in.data, end + 1, c->in.len - len - 1);
	c->in.len -= len + 1;
	c->seen = 0;
	return true;
}

int32_t wbl_client_next(struct wbl_client *c, bool wait, json_t **ret, struct wbl_error *err)
{
	char part[65536];
	int32_t rc;

	*ret = NULL;
	while (!take_line(c, ret, &rc, err)) {
		ssize_t n;

		if (c->in.len > MAX_LINE)
			return wbl_fail(err, WBL_E_WIRE, c->dir, NULL,
				"the engine sent a line without end");
		n = recv(c->fd, part, sizeof part, wait ? 0 : MSG_DONTWAIT);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
			return 0;
		if (n <= 0)
			return gone(c, err);
		wbl_buf_add(&c->in, part, (size_t)n);
	}
	return rc;
}
