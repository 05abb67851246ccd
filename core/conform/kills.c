/* conform/kills.c - deaths: played by the kit at every request of the handler, and in a real engine at fault points,
 * commits and random places. After each the world must be as migrated or as before.
 * SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "core/conform/kills.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/file.h"
#include "core/conform/cast.h"
#include "core/conform/fixture.h"

enum { ATTEMPTS = 5 };
#define SLOW_NS INT64_C(5000000000)

/* --- played by the kit --- */

/* Points: one before and one after each request. True: the death was reached. */
static void aim(struct wbl_stage *s, int64_t point)
{
	s->kill_at = s->requests + (point + 1) / 2;
	s->kill_after = point % 2 == 0;
}

static bool was_hit(const struct wbl_stage *s)
{
	return s->requests >= s->kill_at;
}

static enum wbl_verdict bad_point(struct wbl_kit *k, const struct wbl_stage *s, int64_t point,
	const char *then, int32_t status)
{
	WBL_AUTOFREE char *what = wbl_strf("killed %s request %" PRId64 ", then %s",
		point % 2 ? "before" : "after", (point + 1) / 2, then);

	return wbl_cast_failed(k, s, what, status);
}

static enum wbl_verdict differs(struct wbl_kit *k, int64_t point, const char *then, char *how)
{
	enum wbl_verdict v = wbl_kit_fail(k, "killed %s request %" PRId64 ", then %s: %s",
		point % 2 ? "before" : "after", (point + 1) / 2, then, how);

	free(how);
	return v;
}

static int32_t insist(struct wbl_stage *s, int32_t (*way)(struct wbl_stage *))
{
	int32_t status = 0;
	int i;

	for (i = 0; i < ATTEMPTS; i++) {
		status = way(s);
		if (status != WBL_E_RETRY)
			break;
	}
	return status;
}

/* `first` is done with a death at `point`, then `second` to its end; it must look like `expected`. *ret_end: `first`
 * came to its end before the point was reached. */
static enum wbl_verdict one_point(struct wbl_kit *k, struct wbl_stage *s,
	int32_t (*first)(struct wbl_stage *), int32_t (*second)(struct wbl_stage *), int64_t point,
	const char *then, const struct wbl_buf *expected, bool *ret_end)
{
	int32_t status;
	char *how;

	aim(s, point);
	status = first(s);
	*ret_end = !was_hit(s);
	s->kill_at = 0;
	if (*ret_end)
		return status ? wbl_cast_failed(k, s, "undisturbed", status) : WBL_PASS;
	if (status && status != WBL_STAGE_DEAD)
		return bad_point(k, s, point, "at once", status);
	wbl_kit_doing(k, "request %" PRId64 ", %s", (point + 1) / 2, then);
	status = insist(s, second);
	if (status)
		return bad_point(k, s, point, then, status);
	wbl_stage_end(s);
	how = wbl_world_differs(k, expected);
	return how ? differs(k, point, then, how) : WBL_PASS;
}

static enum wbl_verdict played(struct wbl_kit *k, int32_t (*second)(struct wbl_stage *),
	const char *then, bool back, bool from_done)
{
	enum wbl_verdict v;
	struct wbl_stage s;
	struct wbl_world w;
	int64_t point, kills = 0;
	bool end = false;

	if (!wbl_cast_open_world(k, &s, &w, &v))
		return v;
	v = WBL_PASS;
	for (point = 1; v == WBL_PASS && !end; point += k->stride) {
		wbl_cast_reset(&s);
		if (from_done && wbl_stage_do(&s)) {
			v = wbl_kit_skip(k, "undisturbed it does not come to its end");
			break;
		}
		v = one_point(k, &s, from_done ? wbl_stage_undo : wbl_stage_do, second, point, then,
			back ? &w.before : &w.after, &end);
		kills += !end;
	}
	wbl_cast_close(k, &s, &w);
	return v == WBL_PASS ? wbl_kit_pass(k, "%" PRId64 " kills", kills) : v;
}

enum wbl_verdict wbl_kills_resume(struct wbl_kit *k)
{
	return played(k, wbl_stage_do, "resumed", false, false);
}

enum wbl_verdict wbl_kills_rollback(struct wbl_kit *k)
{
	return played(k, wbl_stage_undo, "rolled back", true, false);
}

enum wbl_verdict wbl_kills_in_rollback(struct wbl_kit *k)
{
	return played(k, wbl_stage_undo, "rolled back again", true, true);
}

/* --- in a real engine --- */

struct engine {
	struct wbl_kit *k;
	struct wbl_world w;
	int64_t points, commits, kills, migrated, restored;
};

static int64_t lines_of(struct wbl_kit *k, const char *name)
{
	WBL_AUTOFREE char *path = wbl_strf("%s/%s", k->scratch, name);
	struct wbl_buf b = { 0 };
	int64_t n = 0;
	size_t i;

	wbl_file_read(path, 64 << 20, &b, NULL);
	for (i = 0; i < b.len; i++)
		n += b.data[i] == '\n';
	wbl_buf_clear(&b);
	return n;
}

/* How many commits and fault points an undisturbed run has. */
static enum wbl_verdict measure(struct engine *e)
{
	struct wbl_kit *k = e->k;
	WBL_AUTOFREE char *commits = wbl_strf("WBL_TEST_COMMITS=%s/commits", k->scratch);
	WBL_AUTOFREE char *faults = wbl_strf("WBL_TEST_FAULTS=%s/faults", k->scratch);
	WBL_AUTOFREE char *old = wbl_strf("%s/commits", k->scratch);
	WBL_AUTOFREE char *older = wbl_strf("%s/faults", k->scratch);
	const char *const env[] = { commits, faults, "WBL_TEST_FAULT=count", NULL };
	struct wbl_buf out = { 0 };
	enum wbl_verdict v = WBL_PASS;

	remove(old);
	remove(older);
	wbl_world_reset(k, "planned");
	if (wbl_world_command(k, env, &out, "apply -q p-000001"))
		v = wbl_kit_fail(
			k, "undisturbed it does not come to its end: %s", wbl_world_said(&out));
	wbl_buf_clear(&out);
	e->commits = lines_of(k, "commits");
	e->points = lines_of(k, "faults");
	return v;
}

static bool open_engine(struct wbl_kit *k, struct engine *e, enum wbl_verdict *ret)
{
	*e = (struct engine){ .k = k };
	if (!wbl_world_open(k, &e->w, ret))
		return false;
	*ret = measure(e);
	if (*ret == WBL_PASS)
		return true;
	wbl_world_close(k, &e->w);
	return false;
}

/* As migrated, or as before; anything else is a failure. */
static enum wbl_verdict judge(struct engine *e, const char *story)
{
	struct wbl_kit *k = e->k;
	enum wbl_verdict v;
	struct wbl_buf out = { 0 };
	char state[64], *how;

	e->kills++;
	wbl_world_state(k, state);
	if (!strcmp(state, "completed")) {
		e->migrated++;
		how = wbl_world_differs(k, &e->w.after);
	} else if (!*state || !strcmp(state, "rolled_back") || !strcmp(state, "cancelled")) {
		e->restored++;
		how = wbl_world_differs(k, &e->w.before);
	} else {
		wbl_world_command(k, NULL, &out, "explain last");
		v = wbl_kit_fail(
			k, "%s: the run is %s: %.600s", story, state, out.data ? out.data : "");
		wbl_buf_clear(&out);
		return v;
	}
	v = how ? wbl_kit_fail(
			  k, "%s: the run is %s, but %s", story, *state ? state : "not begun", how)
		: WBL_PASS;
	free(how);
	return v;
}

static void recover(struct engine *e, const char *way)
{
	char state[64];

	wbl_world_shoot(e->k);
	wbl_world_state(e->k, state);
	if (!strcmp(way, "rollback") && !strcmp(state, "completed"))
		wbl_world_command(e->k, NULL, NULL, "rollback -q last");
	else
		wbl_world_command(e->k, NULL, NULL, "recover -q --strategy %s", way);
}

static enum wbl_verdict one_death(struct engine *e, const char *death, const char *way)
{
	const char *const env[] = { death, NULL };
	WBL_AUTOFREE char *story = wbl_strf("apply with %s, then %s", death, way);

	wbl_world_reset(e->k, "planned");
	wbl_world_command(e->k, env, NULL, "apply -q p-000001");
	recover(e, way);
	return judge(e, story);
}

static enum wbl_verdict told(struct engine *e, enum wbl_verdict v, const char *of)
{
	WBL_AUTOFREE char *slow = NULL;
	const char *what;
	int64_t ns;

	wbl_world_close(e->k, &e->w);
	if (v != WBL_PASS)
		return v;
	what = wbl_world_slowest(&ns);
	if (ns > SLOW_NS)
		slow = wbl_strf("; %" PRId64 " s for %s", ns / 1000000000, what);
	return wbl_kit_pass(e->k,
		"%" PRId64 " kills, %s: %" PRId64 " migrated, %" PRId64 " as before%s", e->kills,
		of, e->migrated, e->restored, slow ? slow : "");
}

enum wbl_verdict wbl_kills_faults(struct wbl_kit *k)
{
	static const char *const who[] = { "engine", "host" };
	static const char *const ways[] = { "resume", "rollback" };
	enum wbl_verdict v;
	struct engine e;
	int64_t n;
	size_t i;

	if (!open_engine(k, &e, &v))
		return v;
	if (!e.points) {
		wbl_world_close(k, &e.w);
		return wbl_kit_warn(
			k, "it has no fault points: mark the moments that matter with WBL_FAULT");
	}
	for (n = 1; n <= e.points && v == WBL_PASS; n += k->stride)
		for (i = 0; i < 4 && v == WBL_PASS; i++) {
			WBL_AUTOFREE char *death =
				wbl_strf("WBL_TEST_FAULT=%s:%" PRId64, who[i / 2], n);

			v = one_death(&e, death, ways[i % 2]);
		}
	return told(&e, v, "at fault points");
}

enum wbl_verdict wbl_kills_commits(struct wbl_kit *k)
{
	static const struct {
		const char *how, *end;
	} deaths[] = { { "KILL=engine", "" }, { "KILL=engine", "+" }, { "FAULT=commit-host", "" } };
	enum wbl_verdict v;
	struct engine e;
	int64_t n;
	size_t i;

	if (!open_engine(k, &e, &v))
		return v;
	for (n = 1; n <= e.commits && v == WBL_PASS; n += k->stride)
		for (i = 0; i < WBL_COUNT(deaths) && v == WBL_PASS; i++) {
			char death[64];

			snprintf(death, sizeof death, "WBL_TEST_%s:%" PRId64 "%s", deaths[i].how, n,
				deaths[i].end);
			v = one_death(&e, death, (n + (int64_t)i) % 2 ? "resume" : "rollback");
		}
	return told(&e, v, "at commits");
}

/* --- random --- */

static int64_t draw(uint64_t *state, int64_t most)
{
	*state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return most < 1 ? 1 : 1 + (int64_t)(*state >> 33) % most;
}

static void draw_death(const struct engine *e, uint64_t *state, char out[64])
{
	switch (draw(state, 5)) {
	case 1:
		snprintf(out, 64, "WBL_TEST_KILL=engine:%" PRId64, draw(state, e->commits));
		break;
	case 2:
		snprintf(out, 64, "WBL_TEST_KILL=engine:%" PRId64 "+", draw(state, e->commits));
		break;
	case 3:
		snprintf(out, 64, "WBL_TEST_FAULT=commit-host:%" PRId64, draw(state, e->commits));
		break;
	case 4:
		snprintf(out, 64, "WBL_TEST_FAULT=engine:%" PRId64, draw(state, e->points));
		break;
	default:
		snprintf(out, 64, "WBL_TEST_FAULT=host:%" PRId64, draw(state, e->points));
		break;
	}
}

/* A run, maybe its rollback, then its recovery; deaths in any of them. */
static enum wbl_verdict one_story(struct engine *e, int number, uint64_t *state)
{
	const char *env[] = { NULL, NULL };
	struct wbl_buf story = { 0 };
	enum wbl_verdict v;
	char death[64], now[64];

	wbl_buf_addf(&story, "random number %d:", number);
	wbl_world_reset(e->k, "planned");
	draw_death(e, state, death);
	env[0] = draw(state, 3) > 1 ? death : NULL;
	wbl_buf_addf(&story, " apply with %s", env[0] ? death : "no death");
	wbl_world_command(e->k, env, NULL, "apply -q p-000001");
	wbl_world_state(e->k, now);
	if (draw(state, 2) == 1 && !strcmp(now, "completed")) {
		draw_death(e, state, death);
		env[0] = death;
		wbl_buf_addf(&story, ", rollback with %s", death);
		wbl_world_shoot(e->k);
		wbl_world_command(e->k, env, NULL, "rollback -q last");
	}
	if (draw(state, 2) == 1) {
		draw_death(e, state, death);
		env[0] = death;
		wbl_buf_addf(&story, ", recovery with %s", death);
		wbl_world_shoot(e->k);
		wbl_world_command(e->k, env, NULL, "recover -q --strategy %s",
			draw(state, 2) == 1 ? "resume" : "rollback");
	}
	wbl_world_shoot(e->k);
	wbl_world_command(e->k, NULL, NULL, "recover -q --strategy %s",
		draw(state, 2) == 1 ? "resume" : "rollback");
	v = judge(e, story.data);
	wbl_buf_clear(&story);
	return v;
}

enum wbl_verdict wbl_kills_random(struct wbl_kit *k)
{
	uint64_t state = k->seed;
	enum wbl_verdict v;
	struct engine e;
	char of[64];
	int i;

	if (!open_engine(k, &e, &v))
		return v;
	for (i = 1; i <= k->kills && v == WBL_PASS; i++)
		v = one_story(&e, i, &state);
	snprintf(of, sizeof of, "random from seed %" PRIu64, k->seed);
	return told(&e, v, of);
}
