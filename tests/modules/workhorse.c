/* tests/modules/workhorse.c - all that a kill can hit, in one small migration.
 * In: folders of files.  Out: steps beacon (background), folder, edit (undo and checkpoint for each file; what is written
 * depends on the kept content, so a wrong one shows), copy (a chunk for each file), close (drains and ends the beacon).
 * SPDX-License-Identifier: Apache-2.0 */
#include <whimbrel/sdk.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static const char added[] = "one line more\n", beacon_up[] = "up\n", beacon_down[] = "finished\n";

struct names {
	struct dirent **list;
	int count;
};

static int wanted(const struct dirent *d)
{
	return d->d_name[0] != '.' && strcmp(d->d_name, "beacon");
}

static int by_bytes(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static int32_t names_of(struct wbl_call *call, const char *folder, struct names *ret)
{
	ret->count = scandir(folder, &ret->list, wanted, by_bytes);
	if (ret->count >= 0)
		return WBL_OK;
	ret->count = 0;
	ret->list = NULL;
	return wbl_error_report(
		call, WBL_E_UNAVAILABLE, folder, NULL, "cannot list: %s", strerror(errno));
}

static void names_clear(struct names *n)
{
	while (n->count > 0)
		free(n->list[--n->count]);
	free(n->list);
}

static const char *param(struct wbl_call *call, const char *name)
{
	return wbl_param_text(call, name).s;
}

static void join(char out[PATH_MAX], const char *folder, const char *name)
{
	snprintf(out, PATH_MAX, "%s/%s", folder, name);
}

static int is_op(const struct wbl_work *work, const char *op)
{
	return work->op && !strcmp(work->op, op);
}

static const struct wbl_run_service *run_of(struct wbl_call *call)
{
	return wbl_service(call, "wbl.run/1");
}

/* The whole of a file, or of an artefact's descriptor (taken). */
static int32_t slurp(struct wbl_call *call, int fd, const char *what, struct wbl_out *ret)
{
	char part[4096];
	ssize_t n = fd < 0 ? -1 : 0;

	if (fd >= 0)
		lseek(fd, 0, SEEK_SET);
	while (fd >= 0 && (n = read(fd, part, sizeof part)) > 0)
		wbl_out_add(ret, part, (size_t)n);
	if (fd >= 0)
		close(fd);
	return n < 0 ? wbl_error_report(call, WBL_E_UNAVAILABLE, what, NULL, "cannot read: %s",
			       strerror(errno))
		     : WBL_OK;
}

static int32_t slurp_file(struct wbl_call *call, const char *path, struct wbl_out *ret)
{
	return slurp(call, open(path, O_RDONLY | O_CLOEXEC), path, ret);
}

static const char *text_of(const struct wbl_out *o)
{
	return o->s ? o->s : "";
}

/* --- plan --- */

static int32_t observe_names(struct wbl_call *call, const char *folder)
{
	struct wbl_out value = { 0 };
	struct names n;
	int32_t rc = names_of(call, folder, &n);
	int i;

	for (i = 0; i < n.count; i++)
		wbl_out_fmt(&value, "%s ", n.list[i]->d_name);
	if (!rc)
		rc = wbl_plan_observe(call, WBL_RULE_EQUAL, 0, folder, text_of(&value),
			"the files of the folder");
	names_clear(&n);
	wbl_out_clear(&value);
	return rc;
}

static int32_t wh_plan(void *self, struct wbl_call *call, const struct wbl_work *work)
{
	struct wbl_limits limits = { .size = sizeof limits,
		.processes = (uint32_t)wbl_param_int(call, "processes", 3) };
	struct wbl_claim to = {
		.size = sizeof to, .mode = WBL_EXCLUSIVE, .kind = "path", .name = param(call, "to")
	};
	const struct wbl_step steps[] = {
		{ .size = sizeof *steps,
			.flags = WBL_STEP_BACKGROUND,
			.kind = WBL_KIND_PREPARATION,
			.inverse = WBL_INVERSE_ROLLBACK,
			.id = "beacon",
			.op = "beacon",
			.title = "Hold a beacon" },
		{ .size = sizeof *steps,
			.kind = WBL_KIND_PREPARATION,
			.inverse = WBL_INVERSE_ROLLBACK,
			.id = "folder",
			.op = "folder",
			.title = "Make the folder",
			.after = (const char *const[]){ "beacon", NULL },
			.claims = (const struct wbl_claim *const[]){ &to, NULL } },
		{ .size = sizeof *steps,
			.kind = WBL_KIND_MIGRATION,
			.inverse = WBL_INVERSE_ROLLBACK,
			.id = "edit",
			.op = "edit",
			.title = "Add the line",
			.after = (const char *const[]){ "beacon", NULL } },
		{ .size = sizeof *steps,
			.flags = WBL_STEP_PARTITIONED,
			.kind = WBL_KIND_MIGRATION,
			.inverse = WBL_INVERSE_ROLLBACK,
			.id = "copy",
			.op = "copy",
			.title = "Copy the files",
			.after = (const char *const[]){ "folder", NULL },
			.limits = &limits },
		{ .size = sizeof *steps,
			.flags = WBL_STEP_LASTING,
			.kind = WBL_KIND_MIGRATION,
			.inverse = WBL_INVERSE_ROLLBACK,
			.id = "close",
			.op = "close",
			.title = "Drain, list what was copied",
			.after = (const char *const[]){ "edit", "copy", NULL },
			.finishes = "beacon" },
	};
	int32_t rc = observe_names(call, param(call, "from"));
	size_t i;

	(void)self, (void)work;
	if (!rc)
		rc = observe_names(call, param(call, "edit"));
	for (i = 0; i < sizeof steps / sizeof *steps && !rc; i++)
		rc = wbl_plan_step(call, &steps[i]);
	return rc;
}

/* --- beacon --- */

static int32_t tell_demand(struct wbl_call *call, const char *path, const struct wbl_signals *s)
{
	const struct wbl_run_service *run = run_of(call);
	char text[64];
	int n = snprintf(text, sizeof text, "drained %llu\n", (unsigned long long)s->demand);
	int32_t rc = wbl_replace_file(call, path, text, (uint64_t)n);

	WBL_FAULT(call, "beacon_told");
	return rc ? rc : run->drained(call, s->demand, s->position);
}

static int32_t hold_beacon(struct wbl_call *call, const char *path)
{
	const struct wbl_run_service *run = run_of(call);
	struct wbl_signals s = { .size = sizeof s };
	struct pollfd p = { .fd = run->signal_fd(call), .events = POLLIN };
	uint64_t told = 0;
	int32_t rc;

	for (;;) {
		uint32_t set = run->signals(call, &s);

		if (set & WBL_SIGNAL_STOP)
			return WBL_E_CANCELLED;
		if ((set & WBL_SIGNAL_DRAIN) && s.demand > told) {
			rc = tell_demand(call, path, &s);
			if (rc)
				return rc;
			told = s.demand;
		}
		if (set & WBL_SIGNAL_FINISH)
			return wbl_replace_file(call, path, beacon_down, sizeof beacon_down - 1);
		poll(&p, 1, 1000);
	}
}

/* Leaves its session, its descriptors and its parent, and goes on writing. */
static void leave_helper(const char *path, int other_program)
{
	struct timespec wait = { .tv_nsec = 3000000 };
	int i, fd;

	if (fork())
		return;
	setsid();
	for (i = 0; i < 1024; i++)
		close(i);
	if (fork())
		_exit(0);
	if (other_program)
		execl("/bin/sh", "sh", "-c", "while echo still here >>\"$0\"; do sleep 0.01; done",
			path, (char *)NULL);
	for (i = 0; i < 20000; i++) {
		fd = open(path, O_WRONLY | O_CREAT | O_APPEND, 0644);
		if (fd >= 0 && write(fd, "still here\n", 11) != 11)
			_exit(1);
		close(fd);
		nanosleep(&wait, NULL);
	}
	_exit(0);
}

static int32_t beacon(struct wbl_call *call, const char *path)
{
	const char *helper = param(call, "helper");
	int32_t rc = wbl_keep_file(call, "beacon", path);

	if (*helper && !rc)
		rc = wbl_keep_file(call, "helper", helper);
	if (rc)
		return rc;
	if (*helper && access(helper, F_OK))
		leave_helper(helper, wbl_param_bool(call, "helper_execs", 0));
	rc = wbl_replace_file(call, path, beacon_up, sizeof beacon_up - 1);
	WBL_FAULT(call, "beacon_lit");
	if (!rc)
		rc = run_of(call)->ready(call);
	return rc ? rc : hold_beacon(call, path);
}

/* --- folder --- */

static int32_t make_folder(struct wbl_call *call, const char *path)
{
	const struct wbl_undo_service *undo = wbl_service(call, "wbl.undo/1");
	struct wbl_undo u = { .size = sizeof u, .id = "folder", .body = { "x", 1 } };
	int32_t rc = undo->put(call, &u);

	if (rc < 0)
		return rc;
	WBL_FAULT(call, "folder_noted");
	if (mkdir(path, 0755) && errno != EEXIST)
		return wbl_error_report(
			call, WBL_E_UNAVAILABLE, path, NULL, "cannot make: %s", strerror(errno));
	WBL_FAULT(call, "folder_made");
	return WBL_OK;
}

static int32_t remove_folder(struct wbl_call *call, const char *path)
{
	const struct wbl_undo_service *undo = wbl_service(call, "wbl.undo/1");
	struct wbl_undo u = { .size = sizeof u };
	void *cursor = NULL;

	if (undo->each(call, &cursor, &u))
		return WBL_OK;
	if (rmdir(path) && errno != ENOENT)
		return wbl_error_report(
			call, WBL_E_CORRUPT, path, NULL, "cannot remove: %s", strerror(errno));
	WBL_FAULT(call, "folder_gone");
	return undo->done(call, "folder");
}

/* --- edit --- */

/* What the file shall be: the kept content and the line. */
static int32_t edited(struct wbl_call *call, const char *name, struct wbl_out *ret)
{
	const struct wbl_artefact_service *art = wbl_service(call, "wbl.artefact/1");
	int32_t fd = -1, rc = art->open(call, name, &fd);

	if (rc)
		return rc;
	rc = slurp(call, fd, name, ret);
	wbl_out_add(ret, added, sizeof added - 1);
	return rc;
}

static void take_time(struct wbl_call *call)
{
	int64_t ms = wbl_param_int(call, "slow_ms", 0);
	struct timespec wait = { .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000 };

	if (ms)
		nanosleep(&wait, NULL);
}

static int32_t edit_one(struct wbl_call *call, const char *folder, const char *name)
{
	struct wbl_out want = { 0 };
	char path[PATH_MAX];
	int32_t rc;

	join(path, folder, name);
	rc = wbl_keep_file(call, name, path);
	if (!rc)
		rc = edited(call, name, &want);
	if (!rc)
		rc = wbl_replace_file(call, path, text_of(&want), want.len);
	wbl_out_clear(&want);
	WBL_FAULT(call, "edit_changed");
	take_time(call);
	return rc;
}

static int32_t check_edited(struct wbl_call *call, const char *folder, const char *name)
{
	struct wbl_out want = { 0 };
	char path[PATH_MAX];
	int32_t rc = edited(call, name, &want);

	join(path, folder, name);
	if (rc == WBL_END)
		rc = wbl_error_report(call, WBL_E_MISMATCH, path, NULL, "was never kept");
	else if (!rc)
		rc = wbl_check_file(call, path, text_of(&want), want.len);
	wbl_out_clear(&want);
	return rc;
}

static int32_t edit(struct wbl_call *call, const struct wbl_work *work)
{
	const struct wbl_run_service *run = run_of(call);
	const char *folder = param(call, "edit");
	struct names n;
	int32_t rc = names_of(call, folder, &n), i, from = 0;

	if (work->checkpoint.len == sizeof from)
		memcpy(&from, work->checkpoint.data, sizeof from);
	for (i = 0; i < n.count && !rc; i++) {
		int32_t next = i + 1;

		if (i < from) { /* a checkpoint never runs ahead of the world */
			rc = check_edited(call, folder, n.list[i]->d_name);
			continue;
		}
		rc = wbl_stop_asked(call);
		if (!rc)
			rc = edit_one(call, folder, n.list[i]->d_name);
		if (!rc)
			rc = run->checkpoint(call, (struct wbl_bytes){ &next, sizeof next }, NULL);
	}
	names_clear(&n);
	return rc;
}

static int32_t verify_edit(struct wbl_call *call, const struct wbl_work *work)
{
	const char *folder = param(call, "edit");
	char path[PATH_MAX];
	struct names n;
	int32_t rc = names_of(call, folder, &n), i;

	for (i = 0; i < n.count && !rc; i++) {
		join(path, folder, n.list[i]->d_name);
		rc = work->flags & WBL_WORK_BEFORE ? wbl_check_kept(call, n.list[i]->d_name, path)
						   : check_edited(call, folder, n.list[i]->d_name);
	}
	names_clear(&n);
	return rc;
}

/* --- copy --- */

static int32_t wh_partition(void *self, struct wbl_call *call, const struct wbl_work *work)
{
	const struct wbl_chunk_service *chunks = wbl_service(call, "wbl.chunk/1");
	struct names n;
	int32_t rc = names_of(call, param(call, "from"), &n), i;

	(void)self, (void)work;
	for (i = 0; i < n.count && !rc; i++) {
		const char *name = n.list[i]->d_name;
		struct wbl_chunk c = {
			.size = sizeof c, .id = name, .body = { name, strlen(name) }, .items = 1
		};

		rc = chunks->add(call, &c);
	}
	names_clear(&n);
	return rc;
}

static int32_t copy_one(struct wbl_call *call, const struct wbl_work *work)
{
	const struct wbl_run_service *run = run_of(call);
	struct wbl_totals totals = { .size = sizeof totals, .items = 1 };
	char from[PATH_MAX], to[PATH_MAX];
	struct wbl_out content = { 0 };
	int32_t rc;

	join(from, param(call, "from"), work->chunk_id);
	join(to, param(call, "to"), work->chunk_id);
	take_time(call);
	rc = wbl_stop_asked(call);
	if (!rc)
		rc = wbl_keep_file(call, work->chunk_id, to);
	if (!rc)
		rc = slurp_file(call, from, &content);
	if (!rc)
		rc = wbl_replace_file(call, to, text_of(&content), content.len);
	WBL_FAULT(call, "copy_made");
	totals.bytes = content.len;
	if (!rc)
		rc = run->result(call, &totals);
	wbl_out_clear(&content);
	return rc;
}

static int32_t check_copy(struct wbl_call *call, const char *name, uint64_t *bytes)
{
	char from[PATH_MAX], to[PATH_MAX];
	struct wbl_out content = { 0 };
	int32_t rc;

	join(from, param(call, "from"), name);
	join(to, param(call, "to"), name);
	rc = slurp_file(call, from, &content);
	if (!rc)
		rc = wbl_check_file(call, to, text_of(&content), content.len);
	*bytes += content.len;
	wbl_out_clear(&content);
	return rc;
}

/* Every file, and the sums which the engine made of the chunks: each counted once, whatever was killed. */
static int32_t verify_copy(struct wbl_call *call, const struct wbl_work *work)
{
	struct names n;
	int32_t rc = names_of(call, param(call, "from"), &n), i;
	uint64_t bytes = 0;
	char to[PATH_MAX];

	for (i = 0; i < n.count && !rc; i++) {
		join(to, param(call, "to"), n.list[i]->d_name);
		rc = work->flags & WBL_WORK_BEFORE ? wbl_check_kept(call, n.list[i]->d_name, to)
						   : check_copy(call, n.list[i]->d_name, &bytes);
	}
	if (!rc && !(work->flags & WBL_WORK_BEFORE) &&
		(!work->totals || work->totals->items != (uint64_t)n.count ||
			work->totals->bytes != bytes))
		rc = wbl_error_report(call, WBL_E_MISMATCH, "totals", NULL,
			"%llu files and %llu bytes, but %d and %llu were told",
			(unsigned long long)n.count, (unsigned long long)bytes,
			work->totals ? (int)work->totals->items : -1,
			(unsigned long long)(work->totals ? work->totals->bytes : 0));
	names_clear(&n);
	return rc;
}

/* --- close --- */

static int32_t listing(struct wbl_call *call, struct wbl_out *ret)
{
	struct names n;
	int32_t rc = names_of(call, param(call, "from"), &n), i;

	for (i = 0; i < n.count; i++)
		wbl_out_fmt(ret, "%s\n", n.list[i]->d_name);
	names_clear(&n);
	return rc;
}

static int32_t close_up(struct wbl_call *call, const char *path, int check)
{
	struct wbl_out want = { 0 };
	int32_t rc = listing(call, &want);

	if (!rc && !check)
		rc = run_of(call)->drain(call, "beacon", "end", INT64_C(20000000000));
	if (!rc && !check)
		rc = wbl_keep_file(call, "list", path);
	if (!rc)
		rc = check ? wbl_check_file(call, path, text_of(&want), want.len)
			   : wbl_replace_file(call, path, text_of(&want), want.len);
	wbl_out_clear(&want);
	return rc;
}

/* --- the calls --- */

static int32_t wh_execute(void *self, struct wbl_call *call, const struct wbl_work *work)
{
	char path[PATH_MAX];

	(void)self;
	if (work->flags & WBL_WORK_REHEARSE)
		return run_of(call)->rehearsed(call, 2, "nothing but the names was looked at");
	if (is_op(work, "beacon")) {
		join(path, param(call, "edit"), "beacon");
		return beacon(call, path);
	}
	if (is_op(work, "folder"))
		return make_folder(call, param(call, "to"));
	if (is_op(work, "edit"))
		return edit(call, work);
	if (is_op(work, "copy"))
		return copy_one(call, work);
	join(path, param(call, "to"), ".list");
	return close_up(call, path, 0);
}

static int32_t verify_beacon(struct wbl_call *call, const struct wbl_work *work)
{
	char path[PATH_MAX];
	int32_t rc;

	join(path, param(call, "edit"), "beacon");
	if (!(work->flags & WBL_WORK_BEFORE))
		return wbl_check_file(call, path, beacon_down, sizeof beacon_down - 1);
	rc = wbl_check_kept(call, "beacon", path);
	return rc || !*param(call, "helper")
		       ? rc
		       : wbl_check_kept(call, "helper", param(call, "helper"));
}

static int32_t wh_verify(void *self, struct wbl_call *call, const struct wbl_work *work)
{
	const char *to = param(call, "to");
	int before = (work->flags & WBL_WORK_BEFORE) != 0;
	char path[PATH_MAX];

	(void)self;
	if (is_op(work, "beacon"))
		return verify_beacon(call, work);
	if (is_op(work, "folder"))
		return access(to, F_OK) ? (before ? WBL_OK : WBL_E_MISMATCH)
					: (before ? WBL_E_MISMATCH : WBL_OK);
	if (is_op(work, "edit"))
		return verify_edit(call, work);
	if (is_op(work, "copy"))
		return verify_copy(call, work);
	join(path, to, ".list");
	return before ? wbl_check_kept(call, "list", path) : close_up(call, path, 1);
}

static int32_t wh_rollback(void *self, struct wbl_call *call, const struct wbl_work *work)
{
	(void)self;
	return is_op(work, "folder") ? remove_folder(call, param(call, "to"))
				     : wbl_restore_kept(call);
}

/* Only for edit: the other steps show what the engine does without an answer. */
static int32_t wh_probe(
	void *self, struct wbl_call *call, const struct wbl_work *work, int32_t *ret_state)
{
	const char *folder = param(call, "edit");
	struct wbl_out want = { 0 }, found = { 0 };
	int32_t rc, i, done = 0;
	char path[PATH_MAX];
	struct names n;

	(void)self;
	if (!is_op(work, "edit"))
		return WBL_E_UNSUPPORTED;
	rc = names_of(call, folder, &n);
	for (i = 0; i < n.count && !rc; i++) {
		wbl_out_reset(&want);
		wbl_out_reset(&found);
		join(path, folder, n.list[i]->d_name);
		rc = slurp_file(call, path, &found);
		if (!rc && !edited(call, n.list[i]->d_name, &want))
			done += want.len == found.len &&
				!memcmp(text_of(&want), text_of(&found), want.len);
	}
	*ret_state = done == n.count ? WBL_PROBE_DONE
		     : done          ? WBL_PROBE_PARTLY
				     : WBL_PROBE_NOT_STARTED;
	names_clear(&n);
	wbl_out_clear(&want);
	wbl_out_clear(&found);
	return rc;
}

static const struct wbl_handler workhorse = {
	.size = sizeof workhorse,
	.revision = 1,
	.name = "workhorse",
	.plan = wh_plan,
	.execute = wh_execute,
	.verify = wh_verify,
	.rollback = wh_rollback,
	.partition = wh_partition,
	.probe = wh_probe,
};
WBL_MODULE(workhorse, "org.whimbrel.test.workhorse", "1.0.0", WBL_HANDLER(&workhorse))
