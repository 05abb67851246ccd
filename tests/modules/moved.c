/* moved.c - a handler in three versions, each of which writes its own form into everything that it leaves behind and
 * reads no other: 2.0.0 takes over from 1.0.0, 3.0.0 from nobody.
 * In: path, ctl.  Out: a file with new content, half of it before the test says go.
 * SPDX-License-Identifier: Apache-2.0 */
#include <whimbrel/sdk.h>

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TEXT(x) #x
#define WORD(x) TEXT(x)
#define MINE "v" WORD(MOVED_VERSION)

static void trace(struct wbl_call *call, const char *line)
{
	char path[4096];
	FILE *f;

	snprintf(path, sizeof path, "%s/trace", wbl_param_text(call, "ctl").s);
	f = fopen(path, "ae");
	if (!f)
		return;
	fprintf(f, MINE " %s\n", line);
	fclose(f);
}

static int32_t check_form(struct wbl_call *call, const char *what, struct wbl_bytes b)
{
	if (b.len >= 3 && !memcmp(b.data, MINE, 2) && ((const char *)b.data)[2] == '|')
		return WBL_OK;
	return wbl_error_report(call, WBL_E_CORRUPT, what, NULL, "of another version: \"%.*s\"",
		(int)b.len, b.data ? (const char *)b.data : "");
}

static struct wbl_bytes bytes_of(const char *s)
{
	return (struct wbl_bytes){ s, strlen(s) };
}

static int32_t read_file(struct wbl_call *call, char out[256])
{
	int fd = open(wbl_param_text(call, "path").s, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, out, 255);

	if (fd >= 0)
		close(fd);
	out[n < 0 ? 0 : n] = '\0';
	return n < 0 ? WBL_E_UNAVAILABLE : WBL_OK;
}

static int32_t write_file(struct wbl_call *call, const char *text)
{
	return wbl_replace_file(call, wbl_param_text(call, "path").s, text, strlen(text));
}

static int there(struct wbl_call *call, const char *name)
{
	char path[4096];

	snprintf(path, sizeof path, "%s/%s", wbl_param_text(call, "ctl").s, name);
	return !access(path, F_OK);
}

static int32_t m_plan(void *self, struct wbl_call *call, const struct wbl_work *work)
{
	struct wbl_step step = { .size = sizeof step,
		.id = "put",
		.op = "put",
		.title = "Put it",
		.kind = WBL_KIND_MIGRATION,
		.inverse = WBL_INVERSE_ROLLBACK,
		.params = "{\"form\": \"" MINE "|\"}" };

	(void)self, (void)work;
	if (there(call, "background"))
		step.flags = WBL_STEP_BACKGROUND;
	return wbl_plan_step(call, &step);
}

static int32_t form_of_params(struct wbl_call *call, const struct wbl_work *work)
{
	const char *why;
	struct wbl_doc *doc = wbl_doc_parse(work->params, strlen(work->params), &why);
	const char *form = doc ? wbl_node_str(wbl_doc_root(doc), "form") : NULL;
	int32_t rc = check_form(call, "params", bytes_of(form ? form : ""));

	wbl_doc_free(doc);
	return rc;
}

static int32_t keep(struct wbl_call *call)
{
	const struct wbl_undo_service *undo = wbl_service(call, "wbl.undo/1");
	struct wbl_undo u = { .size = sizeof u, .id = "was" };
	char old[256], body[300];
	int32_t rc = read_file(call, old);

	snprintf(body, sizeof body, MINE "|%s", old);
	u.body = bytes_of(body);
	if (!rc)
		rc = undo->put(call, &u);
	return rc == WBL_END ? WBL_OK : rc;
}

static int32_t wait_for(struct wbl_call *call)
{
	const struct wbl_run_service *run = wbl_service(call, "wbl.run/1");

	if (there(call, "background") && run->ready(call))
		return WBL_E_FAILED;
	while (!there(call, "go") && !(run->signals(call, NULL) & WBL_SIGNAL_FINISH)) {
		if (wbl_stop_asked(call))
			return WBL_E_CANCELLED;
		poll(NULL, 0, 3);
	}
	return WBL_OK;
}

static int32_t m_execute(void *self, struct wbl_call *call, const struct wbl_work *work)
{
	const struct wbl_run_service *run = wbl_service(call, "wbl.run/1");
	const struct wbl_state_service *state = wbl_service(call, "wbl.state/1");
	struct wbl_bytes b = { 0 };
	int32_t rc = form_of_params(call, work);

	(void)self;
	trace(call, "execute");
	if (!rc && work->checkpoint.len)
		rc = check_form(call, "checkpoint", work->checkpoint);
	if (!rc && !state->get(call, "cursor", &b) && b.len)
		rc = check_form(call, "value", b);
	if (!rc)
		rc = keep(call);
	if (!rc)
		rc = state->put(call, "cursor", bytes_of(MINE "|1"));
	if (!rc)
		rc = run->checkpoint(call, bytes_of(MINE "|half"), NULL);
	if (!rc)
		rc = write_file(call, "half");
	trace(call, "half");
	if (!rc)
		rc = wait_for(call);
	return rc ? rc : write_file(call, "new by " MINE);
}

static int32_t old_content(struct wbl_call *call, char out[300])
{
	const struct wbl_undo_service *undo = wbl_service(call, "wbl.undo/1");
	struct wbl_undo u = { .size = sizeof u };
	void *cursor = NULL;
	int32_t rc, n = 0;

	while (!(rc = undo->each(call, &cursor, &u))) {
		rc = check_form(call, "undo", u.body);
		if (rc)
			return rc;
		snprintf(out, 300, "%.*s", (int)u.body.len - 3, (const char *)u.body.data + 3);
		n++;
	}
	if (rc == WBL_END && n > 1)
		return wbl_error_report(call, WBL_E_CORRUPT, "undo", NULL, "%d records", n);
	return rc == WBL_END ? (n ? WBL_OK : WBL_END) : rc;
}

static int32_t m_rollback(void *self, struct wbl_call *call, const struct wbl_work *work)
{
	const struct wbl_undo_service *undo = wbl_service(call, "wbl.undo/1");
	char old[300];
	int32_t rc = old_content(call, old);

	(void)self;
	trace(call, "rollback");
	if (rc == WBL_END)
		return WBL_OK;
	if (!rc && work->executed.len)
		rc = check_form(call, "executed", work->executed);
	if (!rc)
		rc = write_file(call, old);
	return rc ? rc : undo->done(call, "was");
}

static int32_t m_verify(void *self, struct wbl_call *call, const struct wbl_work *work)
{
	char now[256], old[300] = "";
	int32_t rc = read_file(call, now);

	(void)self;
	if (!rc && work->flags & WBL_WORK_BEFORE) {
		rc = old_content(call, old);
		return rc == WBL_END || (!rc && !strcmp(now, old)) ? WBL_OK : WBL_E_MISMATCH;
	}
	return !rc && !strncmp(now, "new by", 6) ? WBL_OK : WBL_E_MISMATCH;
}

static int32_t m_probe(
	void *self, struct wbl_call *call, const struct wbl_work *work, int32_t *ret_state)
{
	(void)self, (void)call, (void)work;
	*ret_state = WBL_PROBE_PARTLY;
	return WBL_OK;
}

#if MOVED_VERSION > 1
static int32_t m_upgrade(void *self, struct wbl_call *call, int32_t what, const char *from,
	struct wbl_bytes old, struct wbl_bytes *ret)
{
	static char out[512];
	char *at;
	char line[64], refuse[4096];

	(void)self;
	snprintf(line, sizeof line, "upgrade %d from %s", what, from);
	trace(call, line);
	if (old.len >= sizeof out)
		return WBL_E_PARAM;
	memcpy(out, old.data, old.len);
	out[old.len] = '\0';
	at = strstr(out, "v1|");
	snprintf(refuse, sizeof refuse, "%s/refuse", wbl_param_text(call, "ctl").s);
	if (!at || !access(refuse, F_OK))
		return wbl_error_report(
			call, WBL_E_CORRUPT, "upgrade", NULL, "cannot be read: %s", out);
	at[1] = '2';
	*ret = (struct wbl_bytes){ out, old.len };
	return WBL_OK;
}
#endif

static const struct wbl_handler moved = {
	.size = sizeof moved,
	.revision = 1,
	.name = "moved",
	.plan = m_plan,
	.execute = m_execute,
	.verify = m_verify,
	.rollback = m_rollback,
	.probe = m_probe,
#if MOVED_VERSION > 1
	.upgrade = m_upgrade,
#endif
};
WBL_MODULE(moved, "org.whimbrel.test.moved", WORD(MOVED_VERSION) ".0.0", WBL_HANDLER(&moved))
