/* state/artefact.c - files of a run: made for a host, sealed by digest, checked before they are trusted.
 * In: texts that name the artefact.  Out: a descriptor, the body of the seal's entry, a checked descriptor.
 * SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "core/state/artefact.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/state/db.h"

enum { PART = 60 }; /* how much of a name is kept readable */

#define HINT_DISK "Free space or make it writable, then whimbrel recover."

static void closep(int *fd)
{
	if (*fd >= 0)
		close(*fd);
}
#define AUTOCLOSE __attribute__((cleanup(closep)))

static bool plain(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '_' || c == '-' || c == '.';
}

static bool safe_name(const char *s)
{
	size_t i;

	for (i = 0; s[i]; i++)
		if (!plain(s[i]))
			return false;
	return i > 0 && i <= 200 && s[0] != '.';
}

static void add_readable(struct wbl_buf *b, const char *s)
{
	size_t i;

	for (i = 0; s[i] && i < PART; i++)
		wbl_buf_add(b, plain(s[i]) && (i || s[i] != '.') ? &s[i] : "_", 1);
}

/* Readable as far as it goes; the digest keeps names apart that look alike after that. */
static char *file_name(const char *step, int64_t pass, const char *name)
{
	struct wbl_buf exact = { 0 }, file = { 0 };
	char sum[WBL_SHA256_HEX];

	wbl_buf_addf(&exact, "%zu:%s %lld %s", strlen(step), step, (long long)pass, name);
	wbl_sha256_hex(exact.data, exact.len, sum);
	wbl_buf_clear(&exact);
	add_readable(&file, step);
	wbl_buf_addf(&file, "-%lld-", (long long)pass);
	add_readable(&file, name);
	wbl_buf_addf(&file, "-%.16s", sum);
	return wbl_buf_take(&file);
}

static char *run_folder(struct wbl_state *s, const char *run)
{
	return wbl_strf("%s/artefacts/%s", s->dir, run);
}

static int32_t check_names(const char *run, const char *file, struct wbl_error *err)
{
	const char *bad = !safe_name(run) ? run : file && !safe_name(file) ? file : NULL;

	return bad ? wbl_fail(err, WBL_E_CORRUPT, bad, NULL, "is not the name of a run or artefact")
		   : 0;
}

static int32_t is_sealed(void *ctx, const struct wbl_entry *e)
{
	json_t *body = e->body.data ? wbl_json_parse(e->body.data, e->body.len, NULL, NULL) : NULL;
	const char *file = wbl_json_str(body, "file");
	bool same = file && !strcmp(file, ctx);

	json_decref(body);
	return same ? WBL_END : 0;
}

static int32_t refuse_sealed(
	struct wbl_state *s, const char *run, char *file, struct wbl_error *err)
{
	struct wbl_query q = { .run = run, .kind = WBL_KIND_ARTEFACT_SEAL };
	int32_t rc = wbl_journal_each(s, &q, is_sealed, file, err);

	if (rc == WBL_END)
		return wbl_fail(err, WBL_E_STATE, file, "Use another name, or a new pass.",
			"the artefact was sealed already");
	return rc;
}

/* A new file, never the old one emptied: a process that outlived its step may still hold that. */
int32_t wbl_artefact_create(struct wbl_state *s, const char *run, const char *step, int64_t pass,
	const char *name, char **ret_file, int *ret_fd, struct wbl_error *err)
{
	WBL_AUTOFREE char *file = file_name(step, pass, name), *dir = run_folder(s, run),
			  *path = NULL;
	int32_t rc = check_names(run, file, err);
	int fd;

	if (!rc)
		rc = refuse_sealed(s, run, file, err);
	if (!rc)
		rc = wbl_folder_make(dir, err);
	if (rc)
		return rc;
	path = wbl_strf("%s/%s", dir, file);
	if (unlink(path) && errno != ENOENT)
		return wbl_fail_errno(err, WBL_E_DISK, path, HINT_DISK, "cannot be made anew");
	fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return wbl_fail_errno(err, WBL_E_DISK, path, HINT_DISK, "cannot be made");
	*ret_file = wbl_strdup(file);
	*ret_fd = fd;
	return 0;
}

static int open_regular(const char *path, struct stat *st)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);

	if (fd >= 0 && (fstat(fd, st) || !S_ISREG(st->st_mode))) {
		close(fd);
		errno = EINVAL;
		return -1;
	}
	return fd;
}

static bool same_file(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

static bool same_content(const struct stat *a, const struct stat *b)
{
	return a->st_size == b->st_size && a->st_mtim.tv_sec == b->st_mtim.tv_sec &&
	       a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

static int32_t digest_settled(
	int fd, const char *path, struct stat *st, char sum[WBL_SHA256_HEX], struct wbl_error *err)
{
	struct stat after;
	int32_t rc;

	if (fsync(fd) || fstat(fd, st))
		return wbl_fail_errno(
			err, WBL_E_DISK, path, HINT_DISK, "the artefact cannot be synced");
	rc = wbl_sha256_fd(fd, sum, err);
	wbl_error_at(err, path);
	if (rc)
		return rc;
	if (fstat(fd, &after) || !same_content(st, &after))
		return wbl_fail(err, WBL_E_CORRUPT, path,
			"Write all of an artefact before it is sealed.",
			"the artefact was written to while it was sealed");
	return 0;
}

int32_t wbl_artefact_seal(struct wbl_state *s, const char *run, const char *file, int fd,
	json_t **ret_body, struct wbl_error *err)
{
	WBL_AUTOFREE char *dir = run_folder(s, run), *path = wbl_strf("%s/%s", dir, file);
	char sum[WBL_SHA256_HEX];
	int32_t rc = wbl_state_usable(s, err);
	struct stat held, there;
	AUTOCLOSE int own = -1;

	if (!rc)
		rc = check_names(run, file, err);
	if (rc)
		return rc;
	own = open_regular(path, &there);
	if (own < 0 || fstat(fd, &held) || !same_file(&held, &there))
		return wbl_fail(err, WBL_E_CORRUPT, path,
			"Write to the descriptor that was given out.",
			"the artefact is not the file that was made for it");
	rc = digest_settled(own, path, &there, sum, err);
	if (!rc)
		rc = wbl_sync_parent(path, err);
	if (!rc)
		rc = wbl_sync_parent(dir, err);
	if (rc)
		return rc;
	fchmod(own, 0400);
	*ret_body = json_pack(
		"{s:s,s:s,s:I}", "file", file, "sha256", sum, "bytes", (json_int_t)there.st_size);
	return 0;
}

int32_t wbl_artefact_open(struct wbl_state *s, const char *run, const json_t *sealed, int *ret_fd,
	struct wbl_error *err)
{
	const char *file = wbl_json_str(sealed, "file"), *want = wbl_json_str(sealed, "sha256");
	static const char hint[] = "Restore the file from a backup of the state folder.";
	WBL_AUTOFREE char *path = NULL;
	char sum[WBL_SHA256_HEX];
	AUTOCLOSE int fd = -1;
	struct stat st;
	int32_t rc;

	if (!file || !want)
		return wbl_fail(err, WBL_E_CORRUPT, run, NULL,
			"the seal of an artefact names no file or digest");
	rc = check_names(run, file, err);
	if (rc)
		return rc;
	path = wbl_strf("%s/artefacts/%s/%s", s->dir, run, file);
	fd = open_regular(path, &st);
	if (fd < 0)
		return wbl_fail_errno(err, WBL_E_CORRUPT, path, hint,
			"the artefact sealed with sha256 %s cannot be opened", want);
	rc = wbl_sha256_fd(fd, sum, err);
	wbl_error_at(err, path);
	if (rc)
		return rc;
	if (st.st_size != wbl_json_int(sealed, "bytes", -1) || strcmp(sum, want))
		return wbl_fail(err, WBL_E_CORRUPT, path, hint,
			"the artefact has %lld bytes and sha256 %s, but was sealed with %lld bytes "
			"and %s",
			(long long)st.st_size, sum, (long long)wbl_json_int(sealed, "bytes", -1),
			want);
	*ret_fd = fd;
	fd = -1;
	return 0;
}
