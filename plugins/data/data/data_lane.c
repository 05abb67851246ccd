/* data_lane.c - the lane of one chunk: rows pass from store to store in an encoding of theirs, and the target tells the sums.
 * In: a table whose rows need nothing done to them, and a lane that both stores list for it.  Out: the lane's name; one batch passed on.
 * What does not go in the lane goes as rows: the caller begins anew.
 * SPDX-License-Identifier: Apache-2.0 */
#include "data_impl.h"

#include <stddef.h>
#include <string.h>

static int sums_there(const struct data_ends *e)
{
	return e->dst->size >= offsetof(struct wbl_store, sums) + sizeof e->dst->sums &&
	       e->dst->sums;
}

const char *data_lane(
	const struct data_ends *e, const struct data_table *t, const struct data_table *part)
{
	const struct wbl_node *mine = wbl_node_at(part->source, "lanes.0"), *theirs;

	if (!part->straight || t->transform || t->filters || t->veiled || !sums_there(e))
		return NULL;
	for (; mine; mine = mine->next)
		for (theirs = wbl_node_at(t->target, "lanes.0"); theirs; theirs = theirs->next)
			if (!strcmp(mine->text.s, theirs->text.s))
				return mine->text.s;
	return NULL;
}

const char **data_lane_key(const struct data_table *t)
{
	const char **key = wbl_sdk_alloc((t->nkey + 1) * sizeof *key);

	for (size_t k = 0; k < t->nkey; k++)
		key[k] = t->cols[t->key[k]].name;
	return key;
}

int32_t data_lane_pass(struct data_flow *f, struct data_ends *e, void *writer, void *cursor)
{
	struct wbl_batch in = { .size = sizeof in };
	struct wbl_digest d = { .size = sizeof d };
	uint64_t bytes = 0;
	int32_t rc = e->src->read(cursor, e->call, &in);

	for (; !rc; rc = e->src->read(cursor, e->call, &in)) {
		rc = e->dst->append(writer, e->call, &in, NULL);
		if (rc)
			return rc;
	}
	if (rc != WBL_END)
		return rc;
	rc = e->dst->sums(writer, e->call, &d, &bytes);
	if (rc)
		return rc;
	f->sum = (struct wbl_sum){ d.count, d.row_lo, d.row_hi, d.key_lo, d.key_hi };
	f->bytes = bytes;
	wbl_progress_tell(e->call, f->table->to, f->sum.count, 0, f->bytes);
	return WBL_OK;
}
