/* data_dead.c - the step "rejects": the dead letters of all chunks put together, for people.
 * In: the artefacts of the copies, the receipts that say which attempts count; `rejects`.  Out: one artefact with every line, and the file,
 * whole or not at all, never over another one; taken back it is gone, unless somebody has written to it.
 * SPDX-License-Identifier: Apache-2.0 */
#include "data_impl.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FOLDER "rejects/"

/* Kept as the checkpoint: what the file was made of. Append, never change. */
struct made {
	uint64_t lines;
	char digest[40];
};

static int32_t failed(struct wbl_call *call, const char *path, const char *what)
{
	int32_t code = errno == ENOSPC || errno == EDQUOT ? WBL_E_RESOURCES : WBL_E_UNAVAILABLE;

	return wbl_error_report(call, code, path, "Check the folder, its owner and its room.",
		"%s: %s", what, strerror(errno));
}

/* ---- plan ---- */

static int32_t check_path(struct wbl_call *call, const char *path)
{
	char *folder = wbl_sdk_strdup(path), *slash = strrchr(folder, '/');
	struct stat st;
	int32_t rc = WBL_OK;

	if (slash)
		slash[slash == folder] = 0;
	if (!lstat(path, &st))
		rc = wbl_error_report(call, WBL_E_PARAM, "rejects",
			"Move it away, or name another file.", "%s: is there already", path);
	else if (access(slash ? folder : ".", W_OK | X_OK))
		rc = failed(call, path, "the rejected rows cannot be written there");
	free(folder);
	return rc;
}

int32_t data_letters_plan(struct wbl_call *call, const struct data_map *m, char *const *copies,
	const struct wbl_claim *const *claims, int *ret_planned)
{
	const char *path = wbl_param_text(call, "rejects").s;
	struct wbl_claim file = {
		.size = sizeof file, .mode = WBL_EXCLUSIVE, .kind = "file", .name = path
	};
	const struct wbl_claim *all[8] = { NULL };
	struct wbl_out params = { 0 }, title = { 0 };
	struct wbl_step s = { .size = sizeof s,
		.id = "rejects",
		.op = "rejects",
		.kind = WBL_KIND_MIGRATION,
		.inverse = WBL_INVERSE_ROLLBACK,
		.after = (const char *const *)copies,
		.claims = all };
	size_t n = 0;
	int32_t rc;

	*ret_planned = *path != 0;
	for (size_t i = 0; i < m->ntables; i++) {
		struct data_limit l;

		data_limit_read(call, &m->tables[i], &l);
		*ret_planned |= data_limit_any(&l);
	}
	if (!*ret_planned)
		return WBL_OK;
	rc = *path ? check_path(call, path) : WBL_OK;
	for (; claims[n] && n < 6; n++)
		all[n] = claims[n];
	if (*path)
		all[n] = &file;
	wbl_out_open(&params, NULL, '{');
	wbl_out_open(&params, "copies", '[');
	for (size_t i = 0; copies[i]; i++)
		wbl_out_text(&params, NULL, copies[i]);
	wbl_out_close(&params, ']');
	if (*path)
		wbl_out_text(&params, "path", path);
	wbl_out_close(&params, '}');
	wbl_out_fmt(&title, "Put the rejected rows together%s%s", *path ? " in " : "", path);
	s.params = params.s;
	s.title = title.s;
	rc = rc ? rc : wbl_plan_step(call, &s);
	wbl_out_clear(&params);
	wbl_out_clear(&title);
	return rc;
}

/* ---- one artefact of all ---- */

struct gathering {
	struct wbl_call *call;
	struct data_ends *ends;
	const char *name;
	int to; /* -1: nothing was rejected so far */
	struct wbl_out out;
	uint64_t lines;
};

static int32_t put_out(struct gathering *g)
{
	for (size_t done = 0; done < g->out.len;) {
		ssize_t n = write(g->to, g->out.s + done, g->out.len - done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return failed(g->call, DATA_REJECTS, "cannot be written");
		done += (size_t)n;
	}
	wbl_out_reset(&g->out);
	return WBL_OK;
}

static int32_t take_line(void *arg, char *line, size_t len, uint64_t number)
{
	const struct wbl_artefact_service *artefact =
		wbl_service(((struct gathering *)arg)->call, "wbl.artefact/1");
	struct gathering *g = arg;
	int32_t rc = WBL_OK;

	if (number == 1) { /* whose it is */
		struct wbl_doc *doc = wbl_doc_parse(line, len, NULL);
		const struct wbl_node *n = wbl_doc_root(doc);
		const char *key = wbl_node_str(n, "key");
		uint64_t attempt = 0;

		rc = key ? data_receipt_attempt(g->ends, key, &attempt) : WBL_E_CORRUPT;
		if (!rc && attempt != (uint64_t)wbl_node_int(n, "attempt", -1))
			rc = WBL_END;
		wbl_doc_free(doc);
		return rc;
	}
	if (g->to < 0)
		rc = artefact->create(g->call, DATA_REJECTS, &g->to);
	if (rc)
		return rc;
	wbl_out_add(&g->out, line, len);
	wbl_out_add(&g->out, "\n", 1);
	g->lines++;
	return g->out.len > 1 << 16 ? put_out(g) : WBL_OK;
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static int32_t gather_copy(struct gathering *g, const char *step)
{
	const struct wbl_artefact_service *artefact = wbl_service(g->call, "wbl.artefact/1");
	const char *name;
	char **names = NULL;
	size_t n = 0;
	void *cursor = NULL;
	int32_t rc;

	while (!(rc = artefact->each(g->call, step, &cursor, &name)))
		if (!strncmp(name, FOLDER, strlen(FOLDER))) {
			names = wbl_sdk_grow(names, (n + 1) * sizeof *names);
			names[n++] = wbl_sdk_strdup(name);
		}
	rc = rc == WBL_END ? WBL_OK : rc;
	if (n)
		qsort(names, n, sizeof *names, by_text);
	for (size_t i = 0; i < n; i++) {
		int fd = -1;

		rc = rc ? rc : wbl_stop_asked(g->call);
		rc = rc ? rc : artefact->open_of(g->call, step, names[i], &fd);
		if (!rc) {
			rc = data_lines(g->call, fd, names[i], take_line, g);
			rc = rc == WBL_END ? WBL_OK : rc;
			close(fd);
		}
		free(names[i]);
	}
	free(names);
	return rc;
}

static int32_t gather(struct wbl_call *call, const struct wbl_node *copies)
{
	const struct wbl_artefact_service *artefact = wbl_service(call, "wbl.artefact/1");
	struct gathering g = { .call = call, .to = -1 };
	struct data_ends e;
	int32_t rc;

	if (!artefact || artefact->size < sizeof *artefact)
		return wbl_error_report(call, WBL_E_ABI, NULL, NULL,
			"the host does not show what other steps have kept");
	rc = data_open_target(call, WBL_OPEN_READ, &e);
	if (rc)
		return rc;
	g.ends = &e;
	wbl_out_reset(&g.out);
	for (const struct wbl_node *c = copies ? copies->child : NULL; !rc && c; c = c->next)
		rc = gather_copy(&g, c->text.s);
	if (!rc && g.to >= 0) {
		rc = put_out(&g);
		if (!rc) {
			rc = artefact->seal(call, DATA_REJECTS, g.to);
			g.to = -1;
		}
	}
	if (g.to >= 0)
		close(g.to);
	wbl_out_clear(&g.out);
	data_close(&e);
	return rc;
}

/* ---- the file ---- */

static int32_t count_line(void *arg, char *line, size_t len, uint64_t number)
{
	(void)line, (void)len;
	*(uint64_t *)arg = number;
	return WBL_OK;
}

/* END: nothing was rejected. */
static int32_t look(struct wbl_call *call, struct made *ret)
{
	const struct wbl_artefact_service *artefact = wbl_service(call, "wbl.artefact/1");
	int32_t rc, fd = -1;

	memset(ret, 0, sizeof *ret);
	rc = artefact ? artefact->open(call, DATA_REJECTS, &fd) : WBL_E_ABI;
	if (rc)
		return rc;
	rc = data_lines(call, fd, DATA_REJECTS, count_line, &ret->lines);
	if (!rc && wbl_digest_fd(fd, ret->digest))
		rc = failed(call, DATA_REJECTS, "cannot be read");
	close(fd);
	return rc;
}

static int sync_folder(const char *path)
{
	char *folder = wbl_sdk_strdup(path), *slash = strrchr(folder, '/');
	int fd, bad;

	if (slash)
		slash[slash == folder] = 0;
	fd = open(slash ? folder : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	bad = fd < 0 || fsync(fd);
	if (fd >= 0)
		close(fd);
	free(folder);
	return bad ? -1 : 0;
}

/* 1: the file has this content; 0: another, or is absent. */
static int is_ours(const char *path, const char *digest)
{
	char found[40] = "";
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW), same;

	same = fd >= 0 && !wbl_digest_fd(fd, found) && !strcmp(found, digest);
	if (fd >= 0)
		close(fd);
	return same;
}

static int32_t copy_bytes(struct wbl_call *call, int from, int to, const char *path)
{
	static char room[1 << 16];
	ssize_t n;

	while ((n = read(from, room, sizeof room)) > 0)
		for (ssize_t done = 0, w; done < n; done += w) {
			w = write(to, room + done, (size_t)(n - done));
			if (w <= 0)
				return failed(call, path, "the rejected rows cannot be written");
		}
	return n < 0 || fsync(to) ? failed(call, path, "the rejected rows cannot be written")
				  : WBL_OK;
}

static int32_t write_beside(struct wbl_call *call, const char *tmp)
{
	const struct wbl_artefact_service *artefact = wbl_service(call, "wbl.artefact/1");
	int from = -1, to;
	int32_t rc = artefact->open(call, DATA_REJECTS, &from);

	if (rc)
		return rc;
	unlink(tmp);
	to = open(tmp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	rc = to < 0 ? failed(call, tmp, "cannot be made") : copy_bytes(call, from, to, tmp);
	if (to >= 0)
		close(to);
	close(from);
	return rc;
}

static void beside(const char *path, const struct wbl_work *work, struct wbl_out *tmp)
{
	char hex[33];

	wbl_digest_hex(work->key, strlen(work->key), hex);
	wbl_out_fmt(tmp, "%s.%.12s", path, hex);
}

static int32_t write_file(
	struct wbl_call *call, const struct wbl_work *work, const char *path, const struct made *m)
{
	const struct wbl_run_service *run = wbl_service(call, "wbl.run/1");
	struct wbl_out tmp = { 0 };
	int32_t rc = data_undo_put(call, "file", path);

	rc = rc < 0 ? rc : run->checkpoint(call, (struct wbl_bytes){ m, sizeof *m }, NULL);
	WBL_FAULT(call, "rejects_recorded");
	beside(path, work, &tmp);
	if (!rc && !is_ours(path, m->digest)) {
		rc = write_beside(call, tmp.s);
		WBL_FAULT(call, "rejects_beside");
		/* Unlike a renaming it never replaces. */
		if (!rc && link(tmp.s, path))
			rc = errno == EEXIST ? wbl_error_report(call, WBL_E_STALE, path,
						       "Move it away, then start again.",
						       "the file has come into being since the "
						       "plan was made")
					     : failed(call, path, "cannot be made");
	}
	unlink(tmp.s);
	if (!rc && sync_folder(path))
		rc = failed(call, path, "its folder cannot be synced");
	WBL_FAULT(call, "rejects_written");
	wbl_out_clear(&tmp);
	return rc;
}

static int32_t tell(struct wbl_call *call, const char *path, uint64_t lines)
{
	const struct wbl_plan_service *plan = wbl_service(call, "wbl.plan/1");
	struct wbl_out o = { 0 }, text = { 0 };
	int32_t rc;

	wbl_out_fmt(&text,
		"%llu rejected %s kept%s%s. Corrected there or in a copy, they are taken by "
		"`whimbrel repair RUN --from FILE`.",
		(unsigned long long)lines, lines == 1 ? "row is" : "rows are",
		path ? " in "
		     : " as the artefact " DATA_REJECTS " of the step \"rejects\"; copy it "
		       "from where \"What was kept\" names it",
		path ? path : "");
	wbl_out_open(&o, NULL, '{');
	wbl_out_text(&o, "what", "rejects");
	wbl_out_int(&o, "rows", (int64_t)lines);
	wbl_out_text(&o, "file", path);
	wbl_out_text(&o, "text", text.s);
	wbl_out_close(&o, '}');
	rc = plan && plan->finding ? plan->finding(call, o.s) : WBL_OK;
	wbl_out_clear(&o);
	wbl_out_clear(&text);
	return rc;
}

int32_t data_letters_execute(struct wbl_call *call, const struct wbl_work *work)
{
	struct wbl_doc *doc = wbl_doc_parse(work->params, strlen(work->params), NULL);
	const char *path = wbl_node_str(wbl_doc_root(doc), "path");
	const struct wbl_run_service *run = wbl_service(call, "wbl.run/1");
	struct made m;
	int32_t rc;

	if (work->flags & WBL_WORK_REHEARSE) {
		rc = run ? run->rehearsed(call, 2,
				   "the rows that would be rejected are told by "
				   "the copies; nothing is written")
			 : WBL_OK;
		wbl_doc_free(doc);
		return rc;
	}
	rc = look(call, &m);
	if (rc == WBL_END) {
		rc = gather(call, wbl_node_at(wbl_doc_root(doc), "copies"));
		rc = rc ? rc : look(call, &m);
	}
	WBL_FAULT(call, "rejects_gathered");
	if (!rc && path)
		rc = write_file(call, work, path, &m);
	rc = rc ? rc : tell(call, path, m.lines);
	wbl_doc_free(doc);
	return rc == WBL_END ? WBL_OK : rc;
}

static int made_of(const struct wbl_work *work, struct made *ret)
{
	memset(ret, 0, sizeof *ret);
	if (work->executed.len < sizeof *ret)
		return 0;
	memcpy(ret, work->executed.data, sizeof *ret);
	ret->digest[sizeof ret->digest - 1] = 0;
	return 1;
}

int32_t data_letters_verify(struct wbl_call *call, const struct wbl_work *work)
{
	struct wbl_doc *doc = wbl_doc_parse(work->params, strlen(work->params), NULL);
	const char *path = wbl_node_str(wbl_doc_root(doc), "path");
	int before = (work->flags & WBL_WORK_BEFORE) != 0;
	struct made m;
	int32_t rc = WBL_OK;

	if (path && made_of(work, &m) && is_ours(path, m.digest) == before)
		rc = wbl_error_report(call, WBL_E_MISMATCH, path, NULL,
			before ? "the rejected rows are still there"
			       : "the rejected rows are not there as they were written");
	wbl_doc_free(doc);
	return rc;
}

int32_t data_letters_rollback(struct wbl_call *call, const struct wbl_work *work)
{
	const struct wbl_undo_service *undo = wbl_service(call, "wbl.undo/1");
	struct data_undo *list;
	struct wbl_out tmp = { 0 };
	struct made m;
	size_t n;
	int32_t rc = data_undo_list(call, &list, &n);

	if (!rc && n && !list[0].reversed) {
		const char *path = list[0].body ? list[0].body : "";

		beside(path, work, &tmp);
		unlink(tmp.s);
		if (made_of(work, &m) && is_ours(path, m.digest)) {
			if (unlink(path) || sync_folder(path))
				rc = failed(call, path, "cannot be removed");
		} else if (!access(path, F_OK)) {
			wbl_warning_report(call, path, "Remove it when nobody needs it any more.",
				"the file of rejected rows was written to since, and stays");
		}
		WBL_FAULT(call, "rejects_removed");
		rc = rc ? rc : undo->done(call, list[0].id);
	}
	wbl_out_clear(&tmp);
	data_undo_free(list, n);
	return rc;
}
