/* data_ends.c - both stores opened and described, and kept open from one call to the next where they say that they bear it.
 * In: the parameters `source` and `target`.  Out: struct data_ends, descriptions (of one table where that is enough: a step must not cost
 * as much as the database has tables).  What a step asks of a store as a whole belongs here.
 * SPDX-License-Identifier: Apache-2.0 */
#include "data_alter.h"

#include <string.h>
#include <strings.h>

/* Of this process: calls come one at a time. Opening a store may mean to read the definitions of a thousand tables. */
static struct {
	const void *self; /* whose peers these are */
	struct wbl_peer source, target;
	uint32_t flags; /* the target was opened with */
	int bears;      /* this call may keep and take them */
} kept;

static void drop_kept(struct wbl_call *call, struct wbl_peer *p)
{
	const struct wbl_peer_service *peers = wbl_service(call, "wbl.peer/1");

	if (p->table && peers)
		peers->close(call, p);
	p->table = NULL;
}

void data_call_begins(struct wbl_call *call, const void *self, const struct wbl_work *work)
{
	/* While rehearsing, what is opened for writing is a stand-in of the host. */
	kept.bears = !(work->flags & WBL_WORK_REHEARSE);
	if (kept.self != self || !kept.bears) {
		drop_kept(call, &kept.source);
		drop_kept(call, &kept.target);
	}
	kept.self = self;
}

void data_instance_ends(const void *self)
{
	if (kept.self == self)
		memset(&kept, 0, sizeof kept);
}

static int32_t take_or_open(
	struct data_ends *e, const char *param, uint32_t flags, struct wbl_peer *ret)
{
	int target = !strcmp(param, "target");
	struct wbl_peer *k = target ? &kept.target : &kept.source;

	if (k->table && (!target || kept.flags == flags || (kept.flags & WBL_OPEN_WRITE))) {
		*ret = *k;
		k->table = NULL;
		return WBL_OK;
	}
	drop_kept(e->call, k);
	if (target)
		kept.flags = flags;
	return e->peers->open(
		e->call, param, "wbl.store/1", target ? flags | WBL_OPEN_TARGET : flags, ret);
}

static int32_t open_target(struct wbl_call *call, uint32_t flags, struct data_ends *e)
{
	int32_t rc = take_or_open(e, "target", flags, &e->target);

	if (rc) {
		data_close(e);
		return rc;
	}
	e->dst = e->target.table;
	if (!(flags & WBL_OPEN_WRITE) || (e->target.capabilities & WBL_CAN_WRITE))
		return WBL_OK;
	data_close(e);
	return wbl_error_report(call, WBL_E_UNSUPPORTED, "target",
		"Choose a store that can be written.", "this store cannot be written");
}

static int32_t begin(struct wbl_call *call, struct data_ends *e)
{
	*e = (struct data_ends){ .call = call, .peers = wbl_service(call, "wbl.peer/1") };
	e->source.size = e->target.size = sizeof e->source;
	return e->peers ? WBL_OK
			: wbl_error_report(
				  call, WBL_E_ABI, NULL, NULL, "the host opens no stores here");
}

int32_t data_open(struct wbl_call *call, uint32_t target_flags, struct data_ends *e)
{
	int32_t rc = begin(call, e);

	rc = rc ? rc : take_or_open(e, "source", WBL_OPEN_READ, &e->source);
	if (rc)
		return rc;
	e->src = e->source.table;
	return open_target(call, target_flags, e);
}

int32_t data_open_target(struct wbl_call *call, uint32_t target_flags, struct data_ends *e)
{
	int32_t rc = begin(call, e);

	return rc ? rc : open_target(call, target_flags, e);
}

static void keep_or_close(struct data_ends *e, struct wbl_peer *p, struct wbl_peer *k, int bears)
{
	if (bears && kept.bears && !k->table)
		*k = *p;
	else
		e->peers->close(e->call, p);
}

void data_close(struct data_ends *e)
{
	if (e->dst)
		keep_or_close(e, &e->target, &kept.target, e->target_stays);
	if (e->src)
		keep_or_close(e, &e->source, &kept.source, e->source_stays);
	e->src = e->dst = NULL;
}

/* ---- descriptions ---- */

static int32_t describe(struct data_ends *e, int target, const char *set, struct wbl_doc **ret)
{
	const struct wbl_store *store = target ? e->dst : e->src;
	const char *json = NULL, *why = "";
	int32_t rc = store->describe(target ? e->target.self : e->source.self, e->call, set, &json);

	/* Without the table the store still has to say what it is. */
	if (rc == WBL_END && set)
		return describe(e, target, NULL, ret);
	if (rc)
		return rc;
	*ret = wbl_doc_parse(json, strlen(json), &why);
	if (!*ret)
		return wbl_error_report(e->call, WBL_E_ABI, store->name, NULL,
			"the store's description cannot be read: %s", why);
	if (wbl_node_bool(wbl_doc_root(*ret), "stays_open", 0))
		*(target ? &e->target_stays : &e->source_stays) = 1;
	return WBL_OK;
}

int32_t data_describe_source(struct data_ends *e, const char *set, struct wbl_doc **ret)
{
	return describe(e, 0, set, ret);
}

int32_t data_describe_target(struct data_ends *e, const char *set, struct wbl_doc **ret)
{
	return describe(e, 1, set, ret);
}

const struct wbl_node *data_set(const struct wbl_doc *description, const char *name)
{
	const struct wbl_node *sets = wbl_node_at(wbl_doc_root(description), "sets");

	for (const struct wbl_node *s = sets ? sets->child : NULL; s; s = s->next)
		if (!strcasecmp(wbl_node_str(s, "name"), name))
			return s;
	return NULL;
}

/* ---- has the source changed? ---- */

int32_t data_identity(struct data_ends *e, const char *set, struct wbl_out *ret)
{
	struct wbl_doc *doc = NULL;
	const char *id;
	int32_t rc = describe(e, 0, set, &doc);

	if (rc)
		return rc;
	id = wbl_node_str(wbl_doc_root(doc), "identity");
	wbl_out_reset(ret);
	wbl_out_fmt(ret, "%s", id ? id : "");
	wbl_doc_free(doc);
	return data_lookups_identify(e, ret);
}

static int32_t changed(struct data_ends *e, const char *set)
{
	struct wbl_doc *doc = NULL;
	const char *name =
		describe(e, 0, set, &doc) ? NULL : wbl_node_str(wbl_doc_root(doc), "claims.0.name");
	int32_t rc = wbl_error_report(e->call, WBL_E_STALE, name ? name : "source",
		"Stop what writes to the source for the time of the copy, then start again.",
		"the source has changed since the copy began");

	wbl_doc_free(doc);
	return rc;
}

int32_t data_source_same(struct data_ends *e, const char *set)
{
	const struct wbl_run_service *run = wbl_service(e->call, "wbl.run/1");
	struct wbl_bytes seen = { 0 };
	struct wbl_out now = { 0 };
	uint64_t generation;
	int32_t rc = run ? run->input(e->call, "schema", "source", &seen, &generation) : WBL_END;

	if (rc)
		return rc == WBL_END ? WBL_OK : rc;
	rc = data_identity(e, set, &now);
	if (!rc && (now.len != seen.len || memcmp(now.s, seen.data, seen.len) != 0))
		rc = changed(e, set);
	wbl_out_clear(&now);
	return rc;
}
