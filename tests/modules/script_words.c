/* script_words.c - words of "script" about files, statuses, time and death.
 * SPDX-License-Identifier: Apache-2.0 */
#include "script.h"

#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int32_t status_named(const char *s)
{
	static const char *const names[] = { "OK", "FAILED", "PARAM", "RETRY", "CANCELLED",
		"INDETERMINATE", "MISMATCH", "STALE", "UNAVAILABLE", "RESOURCES", "CORRUPT",
		"UNSUPPORTED", "SPLIT", "ABI", "FENCED", "WAIT" };

	for (int i = 0; i < 16; i++)
		if (!strcmp(s, names[i]))
			return -i;
	return (int32_t)strtol(s, NULL, 10);
}

static int32_t say(struct script_job *j, const char *name)
{
	int32_t status = status_named(name);

	if (!status)
		return SCRIPT_DONE;
	return wbl_error_report(
		j->call, status, "script", "This was asked for.", "told to return %s", name);
}

static int append(struct script_job *j, const char *name, const char *text, size_t len)
{
	char path[4096];
	int fd, bad;

	script_path(j, name, path);
	fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	bad = fd < 0 || write(fd, text, len) != (ssize_t)len || fsync(fd);
	if (fd >= 0)
		close(fd);
	return bad ? -1 : 0;
}

static size_t join(char **w, int from, int n, char out[4096])
{
	size_t at = 0;

	for (int i = from; i < n && at < 4000; i++)
		at += (size_t)snprintf(out + at, 4096 - at, "%s%s", i > from ? " " : "", w[i]);
	return at;
}

static int32_t do_append(struct script_job *j, char **w, int n)
{
	char line[4096];
	size_t len = join(w, 2, n, line);

	line[len++] = '\n';
	return append(j, w[1], line, len) ? say(j, "FAILED") : WBL_OK;
}

static int32_t do_put(struct script_job *j, char **w, int n)
{
	char path[4096], text[4096];
	size_t len = join(w, 2, n, text);

	script_path(j, w[1], path);
	return wbl_replace_file(j->call, path, text, len);
}

static int32_t do_keep(struct script_job *j, char **w, int n)
{
	char path[4096];

	(void)n;
	script_path(j, w[1], path);
	return wbl_keep_file(j->call, w[1], path);
}

static int32_t do_remove(struct script_job *j, char **w, int n)
{
	char path[4096];

	(void)n;
	script_path(j, w[1], path);
	return wbl_remove_file(j->call, path);
}

static int32_t do_file(struct script_job *j, char **w, int n)
{
	char path[4096], text[4096];
	size_t len = join(w, 2, n, text);

	script_path(j, w[1], path);
	return wbl_check_file(j->call, path, text, len);
}

static int32_t do_kept(struct script_job *j, char **w, int n)
{
	char path[4096];

	(void)n;
	script_path(j, w[1], path);
	return wbl_check_kept(j->call, w[1], path);
}

static int32_t do_restore(struct script_job *j, char **w, int n)
{
	(void)w, (void)n;
	return wbl_restore_kept(j->call);
}

static int there(struct script_job *j, const char *name)
{
	char path[4096];

	script_path(j, name, path);
	return !access(path, F_OK);
}

/* if FILE STATUS: returns it when the file is there; unless: when it is not. */
static int32_t do_if(struct script_job *j, char **w, int n)
{
	(void)n;
	return there(j, w[1]) == !strcmp(w[0], "if") ? say(j, w[2]) : WBL_OK;
}

/* times FILE N STATUS: so for the first N times. */
static int32_t do_times(struct script_job *j, char **w, int n)
{
	struct stat st;
	char path[4096];

	(void)n;
	script_path(j, w[1], path);
	if (stat(path, &st))
		st.st_size = 0;
	if (st.st_size >= strtol(w[2], NULL, 10))
		return WBL_OK;
	if (append(j, w[1], "x", 1))
		return say(j, "FAILED");
	if (!strcmp(w[3], "crash"))
		abort();
	return say(j, w[3]);
}

static int32_t do_status(struct script_job *j, char **w, int n)
{
	(void)n;
	return say(j, w[1]);
}

static int32_t do_crash(struct script_job *j, char **w, int n)
{
	(void)j, (void)w, (void)n;
	abort();
}

static int32_t do_print(struct script_job *j, char **w, int n)
{
	char text[4096];

	(void)j;
	join(w, 1, n, text);
	puts(text);
	fflush(stdout);
	return WBL_OK;
}

static int32_t do_fault(struct script_job *j, char **w, int n)
{
	(void)w, (void)n;
	WBL_FAULT(j->call, "here");
	return WBL_OK;
}

/* wait FILE: until it is there, or somebody wants the call to stop; block FILE: hears nobody. */
static int32_t do_wait(struct script_job *j, char **w, int n)
{
	char line[256];

	(void)n;
	append(j, "@waiting", line, (size_t)snprintf(line, sizeof line, "%s\n", w[1]));
	while (!there(j, w[1])) {
		if (*w[0] == 'w' && wbl_stop_asked(j->call))
			return WBL_E_CANCELLED;
		poll(NULL, 0, 3);
	}
	return WBL_OK;
}

static int32_t do_sleep(struct script_job *j, char **w, int n)
{
	(void)j, (void)n;
	poll(NULL, 0, atoi(w[1]));
	return WBL_OK;
}

static int32_t do_state(struct script_job *j, char **w, int n)
{
	(void)n;
	j->probe = atoi(w[1]);
	return WBL_OK;
}

/* as FILE: done when it is there, else not begun. What a receipt in the target would tell. */
static int32_t do_as(struct script_job *j, char **w, int n)
{
	(void)n;
	j->probe = there(j, w[1]) ? WBL_PROBE_DONE : WBL_PROBE_NOT_STARTED;
	return WBL_OK;
}

static int32_t do_undo(struct script_job *j, char **w, int n)
{
	const struct wbl_undo_service *undo = wbl_service(j->call, "wbl.undo/1");
	struct wbl_undo u = { .size = sizeof u, .id = w[1] };
	char text[4096];
	int32_t rc;

	u.body = (struct wbl_bytes){ text, join(w, 2, n, text) };
	rc = undo->put(j->call, &u);
	return rc < 0 ? rc : WBL_OK;
}

/* records FILE: a line for each undo record; with "done", those not yet reversed are. */
static int32_t do_records(struct script_job *j, char **w, int n)
{
	const struct wbl_undo_service *undo = wbl_service(j->call, "wbl.undo/1");
	struct wbl_undo u = { .size = sizeof u };
	void *cursor = NULL;
	int32_t rc;

	(void)n;
	while (!(rc = undo->each(j->call, &cursor, &u))) {
		char line[4096];
		int len = snprintf(line, sizeof line, "%s %u %.*s\n", u.id, u.flags,
			(int)u.body.len, u.body.data ? (const char *)u.body.data : "");

		append(j, w[1], line, (size_t)len);
		if (*w[2] && !u.flags) {
			rc = undo->done(j->call, u.id);
			WBL_FAULT(j->call, "here");
		}
		if (rc)
			return rc;
	}
	return rc == WBL_END ? WBL_OK : rc;
}

/* artefact NAME TEXT: sealed; one of an earlier attempt stands. */
static int32_t do_artefact(struct script_job *j, char **w, int n)
{
	const struct wbl_artefact_service *a = wbl_service(j->call, "wbl.artefact/1");
	int32_t fd = -1, rc = a->create(j->call, w[1], &fd);
	char text[4096];
	size_t len = join(w, 2, n, text);

	if (rc)
		return rc == WBL_END ? WBL_OK : rc;
	if (write(fd, text, len) != (ssize_t)len)
		return say(j, "RESOURCES");
	WBL_FAULT(j->call, "here");
	return a->seal(j->call, w[1], fd);
}

/* open NAME FILE: the artefact's content is appended to the file, or "none". */
static int32_t do_open(struct script_job *j, char **w, int n)
{
	const struct wbl_artefact_service *a = wbl_service(j->call, "wbl.artefact/1");
	int32_t fd = -1, rc = a->open(j->call, w[1], &fd);
	char text[4096] = "none";
	ssize_t len = 4;

	(void)n;
	if (rc && rc != WBL_END)
		return rc;
	if (!rc) {
		len = read(fd, text, sizeof text);
		close(fd);
	}
	return append(j, w[2], text, len < 0 ? 0 : (size_t)len) ? say(j, "FAILED") : WBL_OK;
}

int32_t script_word(struct script_job *j, char **w, int n)
{
	static const struct {
		const char *name;
		int32_t (*fn)(struct script_job *j, char **w, int n);
	} words[] = { { "append", do_append }, { "put", do_put }, { "keep", do_keep },
		{ "remove", do_remove }, { "file", do_file }, { "kept", do_kept },
		{ "restore", do_restore }, { "if", do_if }, { "unless", do_if },
		{ "times", do_times }, { "status", do_status }, { "crash", do_crash },
		{ "print", do_print }, { "fault", do_fault }, { "wait", do_wait },
		{ "block", do_wait }, { "sleep", do_sleep }, { "state", do_state }, { "as", do_as },
		{ "undo", do_undo }, { "records", do_records }, { "artefact", do_artefact },
		{ "open", do_open } };

	for (size_t i = 0; i < sizeof words / sizeof *words; i++)
		if (!strcmp(words[i].name, w[0]))
			return words[i].fn(j, w, n);
	return -100;
}
