/* host/still.c - what a router opened for writing is while rehearsing: it tells how things are and moves nothing.
 * SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "core/host/peer.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/util.h"
#include "core/host/ticket.h"

struct wbl_still {
	struct wbl_router table;
	const struct wbl_router *inner;
	void *self;
};

static int32_t still_get(void *self, struct wbl_call *call, const char **ret_json)
{
	struct wbl_still *s = self;

	return s->inner->get(s->self, call, ret_json);
}

static int32_t still_set(
	void *self, struct wbl_call *call, const struct wbl_weight *const *weights, uint64_t epoch)
{
	struct wbl_still *s = self;

	wbl_report(3, WBL_OK, 0, s->inner->name, "the weights were not set: this is a rehearsal",
		NULL);
	return 0;
}

static int32_t still_drain(
	void *self, struct wbl_call *call, const char *backend, uint64_t epoch, int64_t timeout_ns)
{
	return 0;
}

static int32_t still_health(
	void *self, struct wbl_call *call, const char *backend, const char **ret_json)
{
	struct wbl_still *s = self;

	return s->inner->health(s->self, call, backend, ret_json);
}

struct wbl_still *wbl_still_new(const struct wbl_router *inner, void *self)
{
	struct wbl_still *s = wbl_alloc(sizeof *s);
	struct wbl_router *t = &s->table;

	s->inner = inner;
	s->self = self;
	memcpy(t, inner, inner->size < sizeof *t ? inner->size : sizeof *t);
	t->size = sizeof *t;
	t->open = NULL;
	t->close = NULL;
	t->get = still_get;
	t->set = still_set;
	if (t->drain)
		t->drain = still_drain;
	if (t->health)
		t->health = still_health;
	return s;
}

const struct wbl_router *wbl_still_table(const struct wbl_still *s)
{
	return &s->table;
}

void wbl_still_free(struct wbl_still *s)
{
	free(s);
}
