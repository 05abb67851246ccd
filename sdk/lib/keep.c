/* sdk/lib/keep.c - a file is kept before its change, and put back: artefact and undo record first, then the change.
 * In: a path.  Out: an artefact `id` (the content), an undo record `id` ({"path","absent"} or {"path","mode","uid","gid","size",
 * "digest"}).  Symbolic links are resolved once and stay as they are; what is replaced is the file they name.
 * SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "put.h"

static int32_t artefact_of(struct wbl_call *call, const char *id, const char *path, int fd)
{
	const struct wbl_artefact_service *art = wbl_service(call, "wbl.artefact/1");
	int32_t out = -1, rc;

	if (!art)
		return wbl_error_report(
			call, WBL_E_ABI, path, NULL, "the host keeps no artefacts here");
	rc = art->create(call, id, &out);
	if (rc == WBL_END)
		return WBL_OK; /* an earlier attempt sealed it, and changed nothing before that */
	if (rc)
		return rc;
	if (wbl_sdk_copy_fd(fd, out)) {
		rc = wbl_error_report(call, WBL_E_RESOURCES, path,
			"Make room where the engine keeps its state.", "cannot keep a copy: %s",
			strerror(errno));
		close(out);
		return rc;
	}
	WBL_FAULT(call, "sdk_keep_copied");
	return art->seal(call, id, out);
}

int32_t wbl_keep_file(struct wbl_call *call, const char *id, const char *path)
{
	const struct wbl_undo_service *undo = wbl_service(call, "wbl.undo/1");
	struct wbl_sdk_file f;
	struct wbl_out body = { 0 };
	struct wbl_undo u = { .size = sizeof u, .id = id };
	int32_t rc = wbl_sdk_file_open(call, path, &f);

	if (rc)
		return rc;
	if (!undo) {
		wbl_sdk_file_close(&f);
		return wbl_error_report(
			call, WBL_E_ABI, path, NULL, "the host keeps no undo records here");
	}
	wbl_sdk_file_json(&f, &body);
	if (!f.absent)
		rc = artefact_of(call, id, path, f.fd);
	if (!rc) {
		u.body = (struct wbl_bytes){ body.s, body.len };
		u.artefact = f.absent ? NULL : id;
		WBL_FAULT(call, "sdk_keep_sealed");
		rc = undo->put(call, &u);
	}
	wbl_out_clear(&body);
	wbl_sdk_file_close(&f);
	return rc == WBL_END ? WBL_OK : rc;
}

int32_t wbl_replace_file(struct wbl_call *call, const char *path, const char *data, uint64_t len)
{
	struct wbl_sdk_file f;
	int32_t rc = wbl_sdk_file_open(call, path, &f);

	if (rc)
		return rc;
	if (f.links > 1)
		wbl_warning_report(call, path, "Check the other names of this file.",
			"it has %llu names; only this one gets the new content",
			(unsigned long long)f.links);
	rc = wbl_sdk_put(call, &f, -1, data, len);
	wbl_sdk_file_close(&f);
	return rc;
}

int32_t wbl_remove_file(struct wbl_call *call, const char *path)
{
	struct stat st;

	/* Never there, or gone with its folder: nothing to do, and no folder to sync. */
	if (lstat(path, &st) && (errno == ENOENT || errno == ENOTDIR)) {
		char *folder = wbl_sdk_strdup(path);
		int no_folder = access(dirname(folder), F_OK) != 0;

		free(folder);
		return no_folder ? WBL_OK : wbl_sdk_sync_folder(call, path);
	}
	if (unlink(path) && errno != ENOENT)
		return wbl_error_report(call, WBL_E_UNAVAILABLE, path,
			"Give the engine's user the right to remove files from this folder.",
			"cannot remove: %s", strerror(errno));
	return wbl_sdk_sync_folder(call, path);
}

/* ---- back again ---- */

struct record {
	char *id, *artefact;
	struct wbl_doc *doc;
	int reversed;
};

static void record_clear(struct record *r)
{
	free(r->id);
	free(r->artefact);
	wbl_doc_free(r->doc);
}

/* All of them at once: what each() returns does not outlive the next call of the same service. */
static int32_t records(struct wbl_call *call, struct record **ret, size_t *ret_n)
{
	const struct wbl_undo_service *undo = wbl_service(call, "wbl.undo/1");
	struct wbl_undo u = { .size = sizeof u };
	void *cursor = NULL;
	int32_t rc = WBL_END;

	*ret = NULL;
	*ret_n = 0;
	while (undo && !(rc = undo->each(call, &cursor, &u))) {
		struct record *r;

		*ret = wbl_sdk_grow(*ret, (*ret_n + 1) * sizeof **ret);
		r = &(*ret)[(*ret_n)++];
		r->id = wbl_sdk_strdup(u.id);
		r->artefact = u.artefact ? wbl_sdk_strdup(u.artefact) : NULL;
		r->doc = wbl_doc_parse(u.body.data, u.body.len, NULL);
		r->reversed = (u.flags & 1) != 0;
	}
	return rc == WBL_END ? WBL_OK : rc;
}

static void records_free(struct record *list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		record_clear(&list[i]);
	free(list);
}

static int32_t kept_fd(struct wbl_call *call, const struct record *r, const char *path, int *ret)
{
	const struct wbl_artefact_service *art = wbl_service(call, "wbl.artefact/1");
	int32_t fd = -1, rc;

	rc = art && r->artefact ? art->open(call, r->artefact, &fd) : WBL_END;
	if (rc == WBL_END)
		return wbl_error_report(call, WBL_E_CORRUPT, path,
			"Put the file back from a backup of your own.",
			"the kept content \"%s\" is gone", r->artefact ? r->artefact : r->id);
	*ret = fd;
	return rc;
}

static int32_t restore(struct wbl_call *call, const struct record *r)
{
	const struct wbl_node *n = wbl_doc_root(r->doc);
	const char *path = wbl_node_str(n, "path");
	struct wbl_sdk_file f;
	int fd = -1;
	int32_t rc;

	if (!path)
		return wbl_error_report(
			call, WBL_E_CORRUPT, r->id, NULL, "an undo record cannot be read");
	wbl_sdk_remove_leftover(path);
	if (wbl_node_bool(n, "absent", 0))
		return wbl_remove_file(call, path);
	rc = kept_fd(call, r, path, &fd);
	if (rc)
		return rc;
	f = wbl_sdk_file_kept(n, path);
	rc = wbl_sdk_put(call, &f, fd, NULL, 0);
	close(fd);
	return rc;
}

int32_t wbl_restore_kept(struct wbl_call *call)
{
	const struct wbl_undo_service *undo = wbl_service(call, "wbl.undo/1");
	struct record *list;
	size_t n;
	int32_t rc = records(call, &list, &n);

	for (size_t i = 0; !rc && i < n; i++) {
		if (list[i].reversed)
			continue;
		rc = restore(call, &list[i]);
		WBL_FAULT(call, "sdk_restored");
		if (!rc)
			rc = undo->done(call, list[i].id);
	}
	records_free(list, n);
	return rc;
}

/* ---- checks ---- */

static int32_t differs(struct wbl_call *call, int32_t kind, const char *path, const char *expected,
	const char *found)
{
	const struct wbl_check_service *check = wbl_service(call, "wbl.check/1");
	struct wbl_difference d = {
		.size = sizeof d,
		.kind = kind,
		.set = path,
		.field = "content",
		.expected = expected,
		.found = found,
	};

	if (check)
		check->difference(call, &d);
	return wbl_error_report(
		call, WBL_E_MISMATCH, path, NULL, "expected %s, found %s", expected, found);
}

int32_t wbl_check_file(struct wbl_call *call, const char *path, const char *data, uint64_t len)
{
	struct wbl_sdk_file f;
	char want[33], found[33];
	int32_t rc = wbl_sdk_file_open(call, path, &f);

	if (rc)
		return rc;
	wbl_digest_hex(data, len, want);
	if (f.absent)
		rc = differs(call, WBL_DIFF_MISSING, path, "a file", "none");
	else if (wbl_digest_fd(f.fd, found))
		rc = wbl_error_report(
			call, WBL_E_UNAVAILABLE, path, NULL, "cannot read: %s", strerror(errno));
	else if (f.size != len || strcmp(want, found) != 0)
		rc = differs(call, WBL_DIFF_CHANGED, path, want, found);
	wbl_sdk_file_close(&f);
	return rc;
}

static int32_t as_kept(struct wbl_call *call, const struct record *r, const char *path)
{
	const struct wbl_node *n = wbl_doc_root(r->doc);
	struct wbl_sdk_file f, want;
	char found[33] = "";
	const char *digest = wbl_node_str(n, "digest");
	int32_t rc = wbl_sdk_file_open(call, path, &f);

	if (rc)
		return rc;
	want = wbl_sdk_file_kept(n, path);
	if (want.absent || f.absent) {
		if (want.absent != f.absent)
			rc = differs(call, want.absent ? WBL_DIFF_EXTRA : WBL_DIFF_MISSING, path,
				want.absent ? "no file" : "a file", f.absent ? "none" : "one");
	} else if (wbl_digest_fd(f.fd, found)) {
		rc = wbl_error_report(
			call, WBL_E_UNAVAILABLE, path, NULL, "cannot read: %s", strerror(errno));
	} else if (!digest || strcmp(found, digest) != 0) {
		rc = differs(call, WBL_DIFF_CHANGED, path, digest ? digest : "?", found);
	} else if (f.mode != want.mode || f.uid != want.uid || f.gid != want.gid) {
		rc = differs(call, WBL_DIFF_CHANGED, path, "the mode and owner that were kept",
			"others");
	}
	wbl_sdk_file_close(&f);
	return rc;
}

int32_t wbl_check_kept(struct wbl_call *call, const char *id, const char *path)
{
	struct record *list;
	size_t n;
	int32_t rc = records(call, &list, &n);

	for (size_t i = 0; !rc && i < n; i++)
		if (!strcmp(list[i].id, id))
			rc = as_kept(call, &list[i], path);
	records_free(list, n);
	return rc;
}
