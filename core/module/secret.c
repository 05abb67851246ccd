/* module/secret.c - from a reference to the secret itself, as late as possible.
 * In: "file:/path" or "env:NAME".  Out: the bytes, in a buffer which the caller wipes. No message holds any of them.
 * SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <sodium.h>

#include "core/module/params.h"

#define SECRET_MAX 65536

static int32_t check_file(int fd, const char *path, struct wbl_error *err)
{
	struct stat st;

	if (fstat(fd, &st) || !S_ISREG(st.st_mode))
		return wbl_fail(err, WBL_E_PARAM, path, "Name a regular file.",
			"the file of the secret is not a regular file");
	if (st.st_mode & (S_IROTH | S_IWOTH))
		return wbl_fail(err, WBL_E_PARAM, path,
			"Take the rights of others away: chmod o-rwx.",
			"the file of the secret can be read or written by anybody");
	return 0;
}

/* One line break at the end is the editor's, not the secret's. */
static size_t without_line_break(const char *data, size_t len)
{
	if (len && data[len - 1] == '\n')
		len--;
	if (len && data[len - 1] == '\r')
		len--;
	return len;
}

static int32_t read_file(int fd, const char *path, struct wbl_buf *ret, struct wbl_error *err)
{
	char data[SECRET_MAX + 1];
	size_t len = 0;
	ssize_t n = 1;
	int32_t rc = 0;

	while (n && len < sizeof data) {
		n = read(fd, data + len, sizeof data - len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			rc = wbl_fail_errno(err, WBL_E_UNAVAILABLE, path, NULL,
				"the file of the secret cannot be read");
			break;
		}
		len += (size_t)n;
	}
	if (!rc && len > SECRET_MAX)
		rc = wbl_fail(err, WBL_E_PARAM, path, "Name the right file.",
			"the file of the secret is larger than %d bytes", SECRET_MAX);
	if (!rc)
		wbl_buf_add(ret, data, without_line_break(data, len));
	sodium_memzero(data, sizeof data);
	return rc;
}

static int32_t from_file(const char *path, struct wbl_buf *ret, struct wbl_error *err)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	int32_t rc;

	if (fd < 0)
		return wbl_fail_errno(err, WBL_E_UNAVAILABLE, path,
			"Make the file, readable by the user who runs Whimbrel.",
			"the file of the secret cannot be opened");
	rc = check_file(fd, path, err);
	if (!rc)
		rc = read_file(fd, path, ret, err);
	close(fd);
	return rc;
}

int32_t wbl_secret_read(const char *reference, struct wbl_buf *ret, struct wbl_error *err)
{
	const char *value;

	wbl_buf_clear(ret);
	if (!strncmp(reference, "file:/", 6))
		return from_file(reference + 5, ret, err);
	if (strncmp(reference, "env:", 4))
		return wbl_fail(err, WBL_E_PARAM, NULL, "Write \"file:/path\" or \"env:NAME\".",
			"not a reference to a secret");
	value = getenv(reference + 4);
	if (!value)
		return wbl_fail(err, WBL_E_UNAVAILABLE, reference,
			"Set it where the engine is started.",
			"the environment variable of the secret is not set");
	wbl_buf_adds(ret, value);
	return 0;
}
