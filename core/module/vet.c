/* module/vet.c - who else could have written this file?
 * SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "core/module/vet.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/module/registry.h"

static int32_t check_owner(const char *path, const struct stat *st, struct wbl_error *err)
{
	if (st->st_uid == 0 || st->st_uid == geteuid())
		return 0;
	return wbl_fail(err, WBL_E_USAGE, path,
		"Give it to root, or to the user who runs the engine: chown.",
		"belongs to the user %ld, neither to root nor to the engine's user %ld",
		(long)st->st_uid, (long)geteuid());
}

static int32_t check_mode(const char *path, const struct stat *st, struct wbl_error *err)
{
	bool sticky = S_ISDIR(st->st_mode) && (st->st_mode & S_ISVTX) && st->st_uid == 0;

	if (!(st->st_mode & (S_IWGRP | S_IWOTH)) || sticky)
		return 0;
	return wbl_fail(err, WBL_E_USAGE, path, "Take the right away: chmod go-w.",
		"%s can be written by %s (mode %04o)",
		S_ISDIR(st->st_mode) ? "the folder" : "the file",
		st->st_mode & S_IWOTH ? "anybody" : "its group", (unsigned)st->st_mode & 07777);
}

/* Each folder of an absolute path, from the root down; the links in it by their owner. */
static int32_t check_folders(const char *path, struct wbl_error *err)
{
	WBL_AUTOFREE char *p = wbl_strdup(path);
	size_t i;

	for (i = 0; p[i]; i++) {
		struct stat st;
		char kept;
		int32_t rc;

		if (p[i] != '/')
			continue;
		kept = p[i + 1];
		p[i ? i : 1] = '\0';
		if (lstat(p, &st))
			return wbl_fail_errno(
				err, WBL_E_UNAVAILABLE, p, NULL, "the folder cannot be looked at");
		rc = check_owner(p, &st, err);
		if (!rc && !S_ISLNK(st.st_mode))
			rc = check_mode(p, &st, err);
		if (rc)
			return rc;
		p[i ? i : 1] = i ? '/' : kept;
	}
	return 0;
}

int32_t wbl_file_vet(const char *path, bool trust_any_owner, struct wbl_error *err)
{
	WBL_AUTOFREE char *real = NULL;
	struct stat st;
	int32_t rc;

	if (lstat(path, &st))
		return wbl_fail_errno(
			err, WBL_E_UNAVAILABLE, path, NULL, "the file cannot be looked at");
	if (!S_ISREG(st.st_mode))
		return wbl_fail(err, WBL_E_USAGE, path, "Put the file itself there.",
			"is %s, not a regular file",
			S_ISLNK(st.st_mode)   ? "a link"
			: S_ISDIR(st.st_mode) ? "a folder"
					      : "something else");
	if (trust_any_owner)
		return 0;
	rc = check_owner(path, &st, err);
	if (!rc)
		rc = check_mode(path, &st, err);
	if (!rc)
		rc = check_folders(path, err);
	real = rc ? NULL : realpath(path, NULL);
	if (real && strcmp(real, path))
		rc = check_folders(real, err);
	return rc;
}

int32_t wbl_module_vet(const char *path, bool trust_any_owner, struct wbl_error *err)
{
	const char *base = strrchr(path, '/') ? strrchr(path, '/') + 1 : path;
	size_t len = strlen(base);
	WBL_AUTOFREE char *stem = wbl_strndup(base, len > 3 ? len - 3 : 0);

	if (len <= 3 || strcmp(base + len - 3, ".so") || !wbl_name_valid(stem))
		return wbl_fail(err, WBL_E_USAGE, path,
			"Name it with a small letter, then up to 31 of a-z, 0-9 and _, then .so.",
			"\"%s\" is not the name of a module file", base);
	return wbl_file_vet(path, trust_any_owner, err);
}
