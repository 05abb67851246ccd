/* conform/played.c - done twice, stopped, watched, confined: migrations played by the kit.
 * SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "core/conform/played.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/base/file.h"
#include "core/conform/cast.h"
#include "core/conform/confine.h"
#include "core/conform/fixture.h"

enum { STOP_MS = 2000, STOP_WAIT_MS = 10000, STOPS = 60 };

enum wbl_verdict wbl_played_twice(struct wbl_kit *k)
{
	enum wbl_verdict v;
	struct wbl_stage s;
	struct wbl_world w;
	int32_t status;
	char *how;

	if (!wbl_cast_open_world(k, &s, &w, &v))
		return v;
	s.twice = true;
	status = wbl_stage_do(&s);
	how = status ? NULL : wbl_world_differs(k, &w.after);
	if (status)
		v = wbl_cast_failed(k, &s, "executed twice", status);
	else if (how)
		v = wbl_kit_fail(k, "executed twice it is not the same as once: %s", how);
	else
		status = wbl_stage_undo(&s);
	if (!how && !status)
		return wbl_cast_judge(k, &s, &w, "rolled back twice it is not as it was before",
			wbl_world_differs(k, &w.before));
	if (!how && !strcmp(s.call, "rollback"))
		v = wbl_cast_failed(k, &s, "rolled back twice", status);
	free(how);
	wbl_cast_close(k, &s, &w);
	return v;
}

/* --- stop --- */

static enum wbl_verdict stop_once(
	struct wbl_kit *k, struct wbl_stage *s, struct wbl_world *w, const char *when)
{
	int32_t status = wbl_stage_do(s);
	enum wbl_verdict v = WBL_PASS;
	char *how;

	if (status && status != WBL_E_CANCELLED)
		return wbl_cast_failed(k, s, when, status);
	if (s->late_ns / 1000000 > STOP_MS)
		return wbl_kit_fail(k,
			"%s: it took %lld ms until the call was back; ask signals() in "
			"every loop",
			when, (long long)(s->late_ns / 1000000));
	if (!status)
		return WBL_PASS;
	s->stop_at = 0;
	s->stop_first = false;
	status = wbl_stage_undo(s);
	if (status)
		return wbl_cast_failed(k, s, "rolled back after it was stopped", status);
	how = wbl_world_differs(k, &w->before);
	if (how)
		v = wbl_kit_fail(k, "%s and rolled back it is not as before: %s", when, how);
	free(how);
	return v;
}

enum wbl_verdict wbl_played_cancel(struct wbl_kit *k)
{
	int64_t requests, n, step, stops = 1;
	enum wbl_verdict v;
	struct wbl_stage s;
	struct wbl_world w;
	int32_t status;

	if (!wbl_cast_open_world(k, &s, &w, &v))
		return v;
	s.wait_ms = STOP_WAIT_MS;
	s.stop_first = true;
	v = stop_once(k, &s, &w, "stopped at the beginning");
	s.stop_first = false;
	wbl_cast_reset(&s);
	status = v == WBL_PASS ? wbl_stage_do(&s) : 0;
	if (status)
		v = wbl_kit_skip(k, "undisturbed it does not come to its end");
	requests = s.requests;
	step = k->stride > requests / STOPS + 1 ? k->stride : requests / STOPS + 1;
	for (n = 1; n <= requests && v == WBL_PASS; n += step, stops++) {
		char when[64];

		wbl_cast_reset(&s);
		s.stop_at = n;
		snprintf(when, sizeof when, "stopped at request %" PRId64, n);
		v = stop_once(k, &s, &w, when);
	}
	wbl_cast_close(k, &s, &w);
	return v == WBL_PASS ? wbl_kit_pass(k, "%" PRId64 " stops", stops) : v;
}

/* --- progress --- */

static void hear_progress(struct wbl_play *p, const struct wbl_frame *f)
{
	const struct wbl_stage *s = p->o.stage;
	char *found = s->see_ctx;
	static const char *const keys[][2] = { { "items", "items_of" }, { "bytes", "bytes_of" } };
	size_t i;

	if (f->type != WBL_WIRE_PROGRESS && f->type != WBL_WIRE_CHECKPOINT)
		return;
	for (i = 0; i < WBL_COUNT(keys) && !*found; i++) {
		int64_t done = wbl_json_int(f->json, keys[i][0], 0),
			of = wbl_json_int(f->json, keys[i][1], 0);

		if (done < 0 || of < 0 || (of && done > of))
			snprintf(found, 256, "%s of %s: %" PRId64 " of %" PRId64 " %s", s->call,
				s->step ? s->step->id : "", done, of, keys[i][0]);
	}
}

enum wbl_verdict wbl_played_progress(struct wbl_kit *k)
{
	char found[256] = "";
	enum wbl_verdict v;
	struct wbl_stage s;
	struct wbl_world w;
	int32_t status;

	if (!wbl_cast_open_world(k, &s, &w, &v))
		return v;
	wbl_stage_end(&s);
	s.see = hear_progress;
	s.see_ctx = found;
	status = wbl_stage_do(&s);
	if (!status)
		status = wbl_stage_undo(&s);
	v = status   ? wbl_kit_skip(k, "undisturbed it does not come to its end")
	    : *found ? wbl_kit_fail(k, "%s", found)
		     : WBL_PASS;
	wbl_cast_close(k, &s, &w);
	return v;
}

/* --- claims --- */

struct claims {
	char **paths; /* absolute names of claims; NULL-ended */
	size_t count, others;
};

static void claims_of(const struct wbl_stage *s, struct claims *c)
{
	const json_t *claim;
	size_t i, n;

	*c = (struct claims){ .paths = wbl_alloc(sizeof *c->paths) };
	for (i = 0; i < s->nsteps; i++)
		json_array_foreach(json_object_get(s->steps[i].said, "claims"), n, claim)
		{
			const char *name = wbl_json_str(claim, "name");

			if (!name || *name != '/') {
				c->others++;
				continue;
			}
			c->paths = wbl_realloc(c->paths, (c->count + 2) * sizeof *c->paths);
			c->paths[c->count++] = wbl_strdup(name);
			c->paths[c->count] = NULL;
		}
}

static void drop_claims(struct claims *c)
{
	while (c->count)
		free(c->paths[--c->count]);
	free(c->paths);
}

/* Itself, what lies below, files beside it that carry its name (journals, temporaries), folders on the way to it. */
static bool is_claimed(const struct claims *c, const char *path)
{
	size_t i, n, p = strlen(path);

	for (i = 0; i < c->count; i++) {
		n = strlen(c->paths[i]);
		if (!strncmp(path, c->paths[i], n) && (!path[n] || strchr("/-.", path[n])))
			return true;
		if (!strncmp(path, c->paths[i], p) && c->paths[i][p] == '/')
			return true;
	}
	return false;
}

static char *name_in(const char *line, size_t len)
{
	static const char *const marks[] = { " file 0", " folder 0", " link ", " special " };
	WBL_AUTOFREE char *copy = wbl_strndup(line, len);
	size_t i;

	for (i = 0; i < WBL_COUNT(marks); i++) {
		char *at = strstr(copy, marks[i]);

		if (at)
			return wbl_strndup(copy, (size_t)(at - copy));
	}
	return wbl_strdup(copy);
}

static bool has_line(const char *text, const char *line, size_t len)
{
	const char *at = text;

	while ((at = memmem(at, strlen(at), line, len))) {
		if ((at == text || at[-1] == '\n') && (at[len] == '\n' || !at[len]))
			return true;
		at++;
	}
	return false;
}

/* The first thing in `a`, not so in `b`, that nobody has claimed; the caller frees. */
static char *unclaimed(
	const struct wbl_kit *k, const struct claims *c, const char *a, const char *b)
{
	while (a && *a) {
		size_t len = strcspn(a, "\n");

		if (!has_line(b ? b : "", a, len)) {
			char *name = name_in(a, len);
			char *path = wbl_strf("%s/fixture%s%s", k->scratch,
				strcmp(name, ".") ? "/" : "", strcmp(name, ".") ? name : "");
			bool fine = is_claimed(c, path);

			free(path);
			if (!fine)
				return name;
			free(name);
		}
		a += len + (a[len] == '\n');
	}
	return NULL;
}

enum wbl_verdict wbl_played_claims(struct wbl_kit *k)
{
	struct wbl_buf before = { 0 }, after = { 0 };
	WBL_AUTOFREE char *folder = wbl_fixture_folder(k), *name = NULL;
	enum wbl_verdict v;
	struct wbl_stage s;
	struct wbl_world w;
	struct claims c;

	if (!wbl_cast_open_world(k, &s, &w, &v))
		return v;
	claims_of(&s, &c);
	wbl_fixture_list(folder, &before, NULL);
	if (wbl_stage_do(&s)) {
		v = wbl_kit_skip(k, "undisturbed it does not come to its end");
	} else {
		wbl_stage_end(&s);
		wbl_fixture_list(folder, &after, NULL);
		name = unclaimed(k, &c, after.data, before.data);
		if (!name)
			name = unclaimed(k, &c, before.data, after.data);
		v = !name      ? WBL_PASS
		    : c.others ? wbl_kit_skip(
					 k, "its claims are no paths, so %s cannot be judged", name)
			       : wbl_kit_fail(k,
					 "it has changed \"%s\", which no step claims: another "
					 "migration could work on it at the same time",
					 name);
	}
	drop_claims(&c);
	wbl_buf_clear(&before);
	wbl_buf_clear(&after);
	wbl_cast_close(k, &s, &w);
	return v;
}

static void enter(void *ctx)
{
	const char *const *folders = ctx;

	if (wbl_confine(folders))
		_exit(126);
}

/* The folders of what is claimed (a file is replaced by a new one beside it), and the fixture's. */
static const char **folders_of(const struct claims *c, const char *fixture)
{
	const char **list = wbl_alloc((c->count + 2) * sizeof *list);
	size_t i, n = 0;

	list[n++] = fixture;
	for (i = 0; i < c->count; i++) {
		char *slash = strrchr(c->paths[i], '/');

		if (slash > c->paths[i] && access(c->paths[i], F_OK)) {
			*slash = '\0';
		} else if (slash > c->paths[i]) {
			WBL_AUTOFREE char *inside = wbl_strf("%s/.", c->paths[i]);

			if (access(inside, F_OK))
				*slash = '\0';
		}
		list[n++] = c->paths[i];
	}
	return list;
}

enum wbl_verdict wbl_played_confined(struct wbl_kit *k)
{
	WBL_AUTOFREE char *folder = wbl_fixture_folder(k);
	const char **folders;
	enum wbl_verdict v;
	struct wbl_stage s;
	struct wbl_world w;
	struct claims c;
	int32_t status;
	char *how = NULL;

	if (!wbl_confine_possible())
		return wbl_kit_skip(k, "this kernel has no Landlock");
	if (!wbl_cast_open_world(k, &s, &w, &v))
		return v;
	wbl_stage_end(&s);
	claims_of(&s, &c);
	folders = folders_of(&c, folder);
	s.before = enter;
	s.before_ctx = folders;
	status = wbl_stage_do(&s);
	if (status)
		v = wbl_cast_failed(k, &s, "it may write below its claims only", status);
	else
		how = wbl_world_differs(k, &w.after);
	if (!status) {
		v = how ? wbl_kit_fail(k,
				  "when it may write below its claims only, its work differs: %s",
				  how)
			: WBL_PASS;
		free(how);
	}
	free(folders);
	drop_claims(&c);
	wbl_cast_close(k, &s, &w);
	return v;
}
