/* script.c - a handler that does what its parameters say: one list of steps, each with a script for every call.
 * In: parameters (script.conf).  Out: a line in ctl/trace for each call, and whatever the words do.
 * New words go into script_words.c or script_flow.c.
 * SPDX-License-Identifier: Apache-2.0 */
#include "script.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { WORDS = 16, LIST = 16, TEXT = 8192 };

void script_path(struct script_job *j, const char *name, char out[4096])
{
	const char *folder = *name == '@' ? "ctl" : "dir";

	snprintf(out, 4096, "%s/%s", wbl_param_text(j->call, folder).s, name + (*name == '@'));
}

static size_t expand(const struct script_job *j, char what, char *out, size_t room)
{
	const struct wbl_work *w = j->work;

	switch (what) {
	case 'p':
		return (size_t)snprintf(out, room, "%" PRIu64, w->pass);
	case 'a':
		return (size_t)snprintf(out, room, "%" PRIu64, w->attempt);
	case 'e':
		return (size_t)snprintf(out, room, "%" PRIu64, w->epoch);
	case 'c':
		return (size_t)snprintf(out, room, "%s", w->chunk_id ? w->chunk_id : "-");
	case 'k':
		return (size_t)snprintf(out, room, "%s", w->key ? w->key : "-");
	default:
		return (size_t)snprintf(out, room, "%%%c", what);
	}
}

static void expand_all(const struct script_job *j, const char *text, char out[TEXT])
{
	size_t at = 0;

	for (; *text && at + 512 < TEXT; text++)
		if (*text == '%' && text[1])
			at += expand(j, *++text, out + at, TEXT - at);
		else
			out[at++] = *text;
	out[at] = '\0';
}

static int32_t command(struct script_job *j, char *text)
{
	char *w[WORDS], *save, *part;
	int32_t rc;
	int n = 0;

	for (part = strtok_r(text, " \t\n", &save); part && n < WORDS;
		part = strtok_r(NULL, " \t\n", &save))
		w[n++] = part;
	if (!n)
		return WBL_OK;
	for (int i = n; i < WORDS; i++)
		w[i] = "";
	rc = script_word(j, w, n);
	if (rc == -100)
		rc = script_flow_word(j, w, n);
	if (rc == -100)
		return wbl_error_report(
			j->call, WBL_E_PARAM, "script", NULL, "no such word: %s", w[0]);
	return rc;
}

int32_t script_play(struct script_job *j, const char *script)
{
	char *copy = wbl_sdk_strdup(script), *save, *part, line[TEXT];
	int32_t rc = WBL_OK;

	for (part = strtok_r(copy, ";", &save); part && rc == WBL_OK;
		part = strtok_r(NULL, ";", &save)) {
		expand_all(j, part, line);
		rc = command(j, line);
	}
	free(copy);
	return rc == SCRIPT_DONE ? WBL_OK : rc;
}

static void trace(struct script_job *j, const char *call)
{
	const struct wbl_work *w = j->work;
	char path[4096], line[1024];
	int n, fd;

	script_path(j, "@trace", path);
	n = snprintf(line, sizeof line,
		"%s %s pass=%" PRIu64 " attempt=%" PRIu64 " epoch=%" PRIu64 " flags=%u chunk=%s\n",
		call, w->step_id ? w->step_id : "-", w->pass, w->attempt, w->epoch, w->flags,
		w->chunk_id ? w->chunk_id : "-");
	fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	if (fd < 0 || write(fd, line, (size_t)n) != n)
		wbl_warning_report(j->call, path, NULL, "no trace");
	if (fd >= 0)
		close(fd);
}

static const char *script_of(struct wbl_call *call, const char *step, const char *name)
{
	const struct wbl_node *s = wbl_param_json(call, "steps");

	for (s = s ? s->child : NULL; s; s = s->next)
		if (step && !strcmp(wbl_node_str(s, "id"), step))
			return wbl_node_str(s, name);
	return "";
}

static int32_t play(
	struct wbl_call *call, const struct wbl_work *work, const char *name, const char *as)
{
	struct script_job j = { call, work, wbl_service(call, "wbl.run/1"), 0 };

	trace(&j, as);
	return script_play(&j, script_of(call, work->step_id, name));
}

/* ---- plan ---- */

struct words {
	char *copy;
	const char *list[LIST + 1];
};

static struct words split(const char *text)
{
	struct words w = { wbl_sdk_strdup(text), { NULL } };
	char *save, *part;
	int n = 0;

	for (part = strtok_r(w.copy, " ", &save); part && n < LIST;
		part = strtok_r(NULL, " ", &save))
		w.list[n++] = part;
	return w;
}

static uint32_t flags_of(const char *text)
{
	static const struct {
		const char *name;
		uint32_t bit;
	} known[] = { { "partitioned", WBL_STEP_PARTITIONED },
		{ "background", WBL_STEP_BACKGROUND }, { "optional", WBL_STEP_OPTIONAL },
		{ "lasting", WBL_STEP_LASTING }, { "no_return", WBL_STEP_NO_RETURN },
		{ "manual", WBL_STEP_MANUAL }, { "finalize", WBL_STEP_FINALIZE },
		{ "retry", WBL_STEP_RETRY_FROM }, { "downtime", WBL_STEP_DOWNTIME },
		{ "external", WBL_STEP_EXTERNAL }, { "unknown_low", 1u << 14 },
		{ "unknown_high", 1u << 30 } };
	struct words w = split(text);
	uint32_t flags = 0;

	for (int i = 0; w.list[i]; i++)
		for (size_t k = 0; k < sizeof known / sizeof *known; k++)
			if (!strcmp(w.list[i], known[k].name))
				flags |= known[k].bit;
	free(w.copy);
	return flags;
}

/* "shared:path:/x exclusive:table:t" */
static int claims_of(struct words *w, struct wbl_claim *claims, const struct wbl_claim **list)
{
	int n = 0;

	for (; w->list[n]; n++) {
		char *s = (char *)w->list[n], *kind = strchr(s, ':'), *name = strchr(kind + 1, ':');

		*kind = *name = '\0';
		claims[n] = (struct wbl_claim){ .size = sizeof *claims,
			.mode = !strcmp(s, "shared") ? WBL_SHARED : WBL_EXCLUSIVE,
			.kind = kind + 1,
			.name = name + 1 };
		list[n] = &claims[n];
	}
	list[n] = NULL;
	return n;
}

static const char *text_or_null(const struct wbl_node *s, const char *name)
{
	const char *text = wbl_node_str(s, name);

	return text && *text ? text : NULL;
}

static int32_t plan_step(struct wbl_call *call, const struct wbl_node *s)
{
	struct words after = split(wbl_node_str(s, "after")),
		     claimed = split(wbl_node_str(s, "claims"));
	struct wbl_claim claims[LIST];
	const struct wbl_claim *list[LIST + 1];
	struct wbl_manual manual = { .size = sizeof manual,
		.instructions = "Do it by hand.",
		.assignee = "operations",
		.deliverable = "a file" };
	struct wbl_limits limits = { .size = sizeof limits,
		.attempts = (uint32_t)wbl_node_int(s, "attempts", 0),
		.restarts = (uint32_t)wbl_node_int(s, "restarts", 0),
		.processes = (uint32_t)wbl_node_int(s, "processes", 0),
		.connections = (uint32_t)wbl_node_int(s, "connections", 0),
		.timeout_ns = wbl_node_int(s, "timeout", 0) };
	struct wbl_step step = { .size = sizeof step,
		.flags = flags_of(wbl_node_str(s, "flags")),
		.id = wbl_node_str(s, "id"),
		.op = "play",
		.title = wbl_node_str(s, "id"),
		.kind = (int32_t)wbl_node_int(s, "kind", 4),
		.inverse = (int32_t)wbl_node_int(s, "inverse", 1),
		.inverse_arg = text_or_null(s, "arg"),
		.after = after.list,
		.limits = &limits,
		.barrier = text_or_null(s, "barrier"),
		.finishes = text_or_null(s, "finishes"),
		.retry_from = text_or_null(s, "retry_from") };
	struct wbl_risk risk = { .size = sizeof risk,
		.level = 2,
		.why = text_or_null(s, "risk"),
		.mitigation = "take care" };
	const struct wbl_risk *risks[] = { risk.why ? &risk : NULL, NULL };
	int32_t rc;

	claims_of(&claimed, claims, list);
	step.risks = risks;
	step.claims = list;
	if (step.flags & WBL_STEP_MANUAL)
		step.manual = &manual;
	rc = wbl_plan_step(call, &step);
	free(after.copy);
	free(claimed.copy);
	return rc;
}

static int32_t s_plan(void *self, struct wbl_call *call, const struct wbl_work *work)
{
	struct script_job j = { call, work, wbl_service(call, "wbl.run/1"), 0 };
	const struct wbl_node *s = wbl_param_json(call, "steps");
	int32_t rc;

	(void)self;
	trace(&j, "plan");
	rc = script_play(&j, wbl_param_text(call, "plan").s);
	for (s = s ? s->child : NULL; s && !rc; s = s->next)
		rc = plan_step(call, s);
	return rc;
}

/* ---- the other calls ---- */

static int32_t s_execute(void *self, struct wbl_call *call, const struct wbl_work *work)
{
	(void)self;
	return play(
		call, work, work->flags & WBL_WORK_REHEARSE ? "rehearse" : "execute", "execute");
}

static int32_t s_verify(void *self, struct wbl_call *call, const struct wbl_work *work)
{
	const char *which = work->flags & WBL_WORK_BEFORE    ? "before"
			    : work->flags & WBL_WORK_LASTING ? "lasting"
							     : "verify";

	(void)self;
	return play(call, work, which, which);
}

static int32_t s_rollback(void *self, struct wbl_call *call, const struct wbl_work *work)
{
	(void)self;
	return play(call, work, "rollback", "rollback");
}

static int32_t s_partition(void *self, struct wbl_call *call, const struct wbl_work *work)
{
	(void)self;
	return play(call, work, "chunks", "partition");
}

static int32_t s_probe(
	void *self, struct wbl_call *call, const struct wbl_work *work, int32_t *ret_state)
{
	struct script_job j = { call, work, wbl_service(call, "wbl.run/1"), 0 };
	int32_t rc;

	(void)self;
	trace(&j, "probe");
	rc = script_play(&j, script_of(call, work->step_id, "probe"));
	*ret_state = j.probe;
	return rc;
}

/* check of the migration: the parameter `check` */
static int32_t s_check(
	void *self, struct wbl_call *call, const struct wbl_work *work, int32_t level)
{
	struct script_job j = { call, work, wbl_service(call, "wbl.run/1"), 0 };
	const char *script = wbl_param_text(call, "check").s;

	(void)self, (void)level;
	return script && *script ? script_play(&j, script) : WBL_E_UNSUPPORTED;
}

static int32_t s_repair(void *self, struct wbl_call *call, const struct wbl_work *work)
{
	(void)self;
	return play(call, work, "repair", "repair");
}

static const struct wbl_handler script = {
	.size = sizeof script,
	.revision = 1,
	.name = "script",
	.plan = s_plan,
	.execute = s_execute,
	.verify = s_verify,
	.rollback = s_rollback,
	.partition = s_partition,
	.probe = s_probe,
	.repair = s_repair,
	.check = s_check,
};
WBL_MODULE(script, "org.whimbrel.test.script", "1.0.0", WBL_HANDLER(&script))
