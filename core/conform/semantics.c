/* conform/semantics.c - level 3 without deaths: plan, rehearse, execute, verify, roll back, again.
 * Judged by the fixture's own looks, never by what the handler says of itself.
 * SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "core/conform/semantics.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "core/conform/fixture.h"
#include "core/conform/world.h"

/* Closes the world and ends the test with what `how` says, if anything; takes `how`. */
static enum wbl_verdict judge(struct wbl_kit *k, struct wbl_world *w, const char *what, char *how)
{
	enum wbl_verdict v = how ? wbl_kit_fail(k, "%s: %s", what, how) : WBL_PASS;

	free(how);
	wbl_world_close(k, w);
	return v;
}

static enum wbl_verdict bad_end(
	struct wbl_kit *k, struct wbl_world *w, struct wbl_buf *out, const char *what, int status)
{
	enum wbl_verdict v =
		wbl_kit_fail(k, "%s ended with status %d: %s", what, status, wbl_world_said(out));

	wbl_buf_clear(out);
	wbl_world_close(k, w);
	return v;
}

enum wbl_verdict wbl_semantics_execute(struct wbl_kit *k)
{
	struct wbl_buf why = { 0 };
	enum wbl_verdict v;
	struct wbl_world w;

	/* An earlier test may have been the first to try. */
	if (!wbl_world_open(k, &w, &v)) {
		if (wbl_world_failed(k, &why))
			v = wbl_kit_fail(k, "%s", why.data ? why.data : "it cannot be tried");
		wbl_buf_clear(&why);
		return v;
	}
	wbl_world_close(k, &w);
	return WBL_PASS;
}

enum wbl_verdict wbl_semantics_plan_pure(struct wbl_kit *k)
{
	struct wbl_buf out = { 0 };
	enum wbl_verdict v;
	struct wbl_world w;
	int status;

	if (!wbl_world_open(k, &w, &v))
		return v;
	status = wbl_world_command(k, NULL, &out, "plan -q spec.conf");
	if (status)
		return bad_end(k, &w, &out, "the second plan", status);
	wbl_buf_clear(&out);
	return judge(k, &w, "planning has changed the fixture", wbl_world_differs(k, &w.before));
}

/* The first member in which two plans differ, but for those that say when and which; the caller frees. */
static char *plans_differ(const json_t *a, const json_t *b)
{
	static const char *const own[] = { "id", "made", "expires", "state" };
	const json_t *value;
	const char *key;
	size_t i;

	json_object_foreach((json_t *)a, key, value)
	{
		for (i = 0; i < WBL_COUNT(own) && strcmp(own[i], key); i++)
			;
		if (i == WBL_COUNT(own) && !json_equal(value, json_object_get(b, key))) {
			char *x = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY),
			     *y = json_dumps(
				     json_object_get(b, key), JSON_COMPACT | JSON_ENCODE_ANY);
			size_t n = 0;
			char *how;

			while (x && y && x[n] && x[n] == y[n])
				n++;
			n = n > 30 ? n - 30 : 0;
			how = wbl_strf("\"%s\": ...%.80s against ...%.80s", key, x ? x + n : "",
				y && strlen(y) > n ? y + n : "");
			free(x);
			free(y);
			return how;
		}
	}
	return NULL;
}

/* NULL: the verdict was said. */
static json_t *plan_again(struct wbl_kit *k, const char *const *env, const char *plan)
{
	struct wbl_buf out = { 0 };
	json_t *p = NULL;
	int status;

	wbl_world_shoot(k); /* the engine takes its surroundings from who starts it */
	status = wbl_world_command(k, env, &out, "plan -q spec.conf");
	if (!status)
		status = wbl_world_command(k, env, &out, "show %s -o json", plan);
	if (!status)
		p = wbl_json_parse(out.data, out.len, plan, NULL);
	if (!p)
		wbl_kit_fail(k, "it cannot be planned again: %s", wbl_world_said(&out));
	wbl_buf_clear(&out);
	return p;
}

enum wbl_verdict wbl_semantics_plan_same(struct wbl_kit *k)
{
	static const char *const other[] = { "LC_ALL=C", "TZ=Pacific/Chatham", "LANG=tr_TR.UTF-8",
		"WBL_TEST_CLOCK=86400000000000", NULL };
	static const char *const names[] = { "p-000002", "p-000003", "p-000004" };
	json_t *plans[3] = { NULL };
	enum wbl_verdict v;
	struct wbl_world w;
	mode_t mask;
	size_t i;

	if (!wbl_world_open(k, &w, &v))
		return v;
	v = WBL_PASS;
	for (i = 0; i < WBL_COUNT(plans) && v == WBL_PASS; i++) {
		char *how = NULL;

		mask = umask(i == 2 ? 0 : 022);
		plans[i] = plan_again(k, i == 2 ? other : NULL, names[i]);
		umask(mask);
		if (plans[i] && i)
			how = plans_differ(plans[0], plans[i]);
		if (!plans[i])
			v = WBL_FAIL;
		else if (how)
			v = wbl_kit_fail(k, "the plan of the same world is another one%s: %s",
				i == 2 ? " with another clock, locale and umask" : "", how);
		free(how);
	}
	for (i = 0; i < WBL_COUNT(plans); i++)
		json_decref(plans[i]);
	wbl_world_close(k, &w);
	return v;
}

enum wbl_verdict wbl_semantics_rehearse(struct wbl_kit *k)
{
	struct wbl_buf out = { 0 };
	enum wbl_verdict v;
	struct wbl_world w;
	int status;

	if (!wbl_world_open(k, &w, &v))
		return v;
	status = wbl_world_command(k, NULL, &out, "rehearse -q p-000001");
	if (status)
		return bad_end(k, &w, &out, "the rehearsal", status);
	wbl_buf_clear(&out);
	return judge(
		k, &w, "the rehearsal has changed the fixture", wbl_world_differs(k, &w.before));
}

static bool any_lasting(const json_t *plan)
{
	const json_t *step, *flag;
	size_t i, n;

	json_array_foreach(json_object_get(plan, "steps"), i, step)
		json_array_foreach(json_object_get(step, "flags"), n,
			flag) if (!strcmp(json_string_value(flag), "lasting")) return true;
	return false;
}

static bool open_done(struct wbl_kit *k, struct wbl_world *w, enum wbl_verdict *ret)
{
	if (!wbl_world_open(k, w, ret))
		return false;
	if (!any_lasting(w->plan)) {
		*ret = wbl_kit_warn(k, "no step is flagged WBL_STEP_LASTING: `whimbrel verify` has "
				       "nothing to ask");
		wbl_world_close(k, w);
		return false;
	}
	wbl_world_reset(k, "done");
	return true;
}

enum wbl_verdict wbl_semantics_verify_pure(struct wbl_kit *k)
{
	struct wbl_buf out = { 0 };
	enum wbl_verdict v;
	struct wbl_world w;
	int status;

	if (!open_done(k, &w, &v))
		return v;
	status = wbl_world_command(k, NULL, &out, "verify -q last");
	if (status)
		return bad_end(k, &w, &out, "verify of a world that nobody touched", status);
	wbl_buf_clear(&out);
	return judge(k, &w, "verify has changed the fixture", wbl_world_differs(k, &w.after));
}

enum wbl_verdict wbl_semantics_tamper(struct wbl_kit *k)
{
	struct wbl_buf out = { 0 };
	struct wbl_error err = { 0 };
	enum wbl_verdict v;
	struct wbl_world w;
	char *how;
	int status;

	if (!open_done(k, &w, &v))
		return v;
	if (!k->fixture->tamper) {
		wbl_world_close(k, &w);
		return wbl_kit_skip(k, "the fixture has no command \"tamper\"");
	}
	if (wbl_fixture_command(k, k->fixture->tamper, NULL, &err)) {
		wbl_world_close(k, &w);
		return wbl_kit_fail(k, "%s: %s", err.where, err.text);
	}
	how = wbl_world_differs(k, &w.after);
	if (!how) {
		wbl_world_close(k, &w);
		return wbl_kit_fail(
			k, "the fixture's command \"tamper\" changes nothing that its digest sees");
	}
	free(how);
	status = wbl_world_command(k, NULL, &out, "verify -q last");
	wbl_world_close(k, &w);
	if (!status)
		v = wbl_kit_fail(k, "verify saw nothing after the fixture was tampered with");
	else if (status != 10)
		v = wbl_kit_fail(k,
			"verify ended with status %d instead of naming a difference: %s", status,
			wbl_world_said(&out));
	else
		v = WBL_PASS;
	wbl_buf_clear(&out);
	return v;
}

/* Back from "done" to the beginning. */
static bool roll_back(struct wbl_kit *k, struct wbl_world *w, enum wbl_verdict *ret)
{
	struct wbl_buf out = { 0 };
	char state[64], *how;
	int status;

	wbl_world_reset(k, "done");
	status = wbl_world_command(k, NULL, &out, "rollback -q last");
	wbl_world_state(k, state);
	if (strcmp(state, "rolled_back")) {
		*ret = wbl_kit_fail(k, "rollback ended with status %d, the run is %s: %s", status,
			state, wbl_world_said(&out));
		wbl_buf_clear(&out);
		return false;
	}
	wbl_buf_clear(&out);
	how = wbl_world_differs(k, &w->before);
	if (!how)
		return true;
	*ret = wbl_kit_fail(k, "it is not as it was before: %s", how);
	free(how);
	return false;
}

enum wbl_verdict wbl_semantics_rollback(struct wbl_kit *k)
{
	enum wbl_verdict v;
	struct wbl_world w;

	if (!wbl_world_open(k, &w, &v))
		return v;
	if (roll_back(k, &w, &v))
		v = WBL_PASS;
	wbl_world_close(k, &w);
	return v;
}

/* A process or a timer that was left behind does the work once more. */
enum wbl_verdict wbl_semantics_rollback_stays(struct wbl_kit *k)
{
	enum wbl_verdict v;
	struct wbl_world w;

	if (!wbl_world_open(k, &w, &v))
		return v;
	if (!roll_back(k, &w, &v)) {
		wbl_world_close(k, &w);
		return wbl_kit_skip(k, "rollback does not work");
	}
	wbl_kit_doing(k, "waiting whether something comes back");
	poll(NULL, 0, 700);
	return judge(k, &w, "a moment after the rollback the world has changed again",
		wbl_world_differs(k, &w.before));
}

enum wbl_verdict wbl_semantics_again(struct wbl_kit *k)
{
	struct wbl_buf out = { 0 };
	enum wbl_verdict v;
	struct wbl_world w;
	char *how;
	int status;

	if (!wbl_world_open(k, &w, &v))
		return v;
	if (!roll_back(k, &w, &v)) {
		wbl_world_close(k, &w);
		return wbl_kit_skip(k, "rollback does not work");
	}
	status = wbl_world_command(k, NULL, &out, "run -q --yes spec.conf");
	if (status)
		return bad_end(k, &w, &out, "the run after a rollback", status);
	how = wbl_world_differs(k, &w.after);
	if (how)
		return judge(k, &w, "done once more after a rollback it is not the same", how);
	status = wbl_world_command(k, NULL, &out, "rollback -q last");
	if (status)
		return bad_end(k, &w, &out, "the second rollback", status);
	wbl_buf_clear(&out);
	return judge(k, &w, "after the second rollback it is not as before",
		wbl_world_differs(k, &w.before));
}
