/* two stores that share all their functions, a router, a transform, and a handler which opens them.
 * SPDX-License-Identifier: Apache-2.0 */
#include "mod.h"

EXPORTED const struct wbl_module *twins_LTX_wbl_module_entry_v1(struct wbl_call *call);

struct store {
	const struct wbl_store *me;
	struct wbl_call *own;
	struct wbl_peer inner;
	uint32_t flags;
	int written;
};

static int32_t store_open(const struct wbl_store *me, struct wbl_call *own, uint32_t flags,
	void **ret_self, uint64_t *ret_capabilities)
{
	struct store *s = calloc(1, sizeof *s);
	char secret[32] = { 0 };
	uint64_t len = 0;
	int32_t rc = PARAMS(own)->secret(own, "password", secret, sizeof secret, &len);
	int i;

	s->me = me;
	s->own = own;
	s->flags = flags;
	*ret_self = s;
	*ret_capabilities = WBL_CAN_RANGES;
	for (i = 0; secret[i]; i++)
		secret[i] ^= 1; /* the log masks the secret itself */
	say(own, "open %s flags %u secret %d %s params %s", me->name, flags, rc, secret,
		PARAMS(own)->json(own));
	if (strstr(PARAMS(own)->json(own), "\"inner\"")) {
		s->inner.size = sizeof s->inner;
		say(own, "inner %d",
			PEER(own)->open(own, "inner", "wbl.store/1", WBL_OPEN_READ, &s->inner));
	}
	if (!strstr(PARAMS(own)->json(own), "\"broken\""))
		return WBL_OK;
	free(s);
	return WBL_E_SPLIT;
}

static void store_close(void *self)
{
	struct store *s = self;

	say(s->own, "close %s written %d", s->me->name, s->written);
	if (s->inner.self)
		PEER(s->own)->close(s->own, &s->inner);
	free(s);
}

static int32_t store_describe(
	void *self, struct wbl_call *call, const char *set, const char **ret_json)
{
	if (strcmp(set, "t"))
		return WBL_END;
	*ret_json = "{\"sets\":[{\"name\":\"t\",\"columns\":[{\"name\":\"id\",\"type\":\"int\","
		    "\"not_null\":true},"
		    "{\"name\":\"v\",\"type\":\"text\",\"not_null\":true},{\"name\":\"w\",\"type\":"
		    "\"text\","
		    "\"not_null\":false}],\"key\":[\"id\"]}]}";
	return WBL_OK;
}

static int32_t store_write(
	void *self, struct wbl_call *call, const struct wbl_write *w, void **ret_writer)
{
	((struct store *)self)->written++;
	*ret_writer = self;
	return WBL_OK;
}

static int32_t store_append(
	void *writer, struct wbl_call *call, const struct wbl_batch *b, uint64_t *ret_bad)
{
	return WBL_OK;
}

static int32_t store_commit(
	void *writer, struct wbl_call *call, const struct wbl_receipt *r, struct wbl_outcome *ret)
{
	return WBL_OK;
}

static void store_abort(void *writer)
{
}

static int32_t store_receipt(
	void *self, struct wbl_call *call, const char *key, struct wbl_bytes *ret)
{
	return WBL_END;
}

static int32_t store_schema(
	void *self, struct wbl_call *call, const struct wbl_schema *change, const char **ret_text)
{
	say(call, "schema flags %u receipt %d", change->flags, change->receipt != NULL);
	*ret_text = "CREATE TABLE t";
	return WBL_OK;
}

static int32_t store_sql(
	void *self, struct wbl_call *call, const struct wbl_sql *sql, const char **ret_json)
{
	say(call, "sql flags %u", sql->flags);
	*ret_json = "[]";
	return WBL_OK;
}

static int32_t store_now(void *self, struct wbl_call *call, int64_t *ret_ns)
{
	*ret_ns = 42;
	return WBL_OK;
}

#define STORE(id)                                                                                  \
	{                                                                                          \
		.size = sizeof(struct wbl_store), .revision = 1, .name = id, .open = store_open,   \
		.close = store_close, .describe = store_describe, .now = store_now,                \
		.write = store_write, .append = store_append, .commit = store_commit,              \
		.abort = store_abort, .receipt = store_receipt, .schema = store_schema,            \
		.sql = store_sql,                                                                  \
	}
static const struct wbl_store stores[] = { STORE("castor"), STORE("pollux") };

static int weights_set;

static int32_t router_open(
	const struct wbl_router *me, struct wbl_call *own, uint32_t flags, void **ret_self)
{
	say(own, "router flags %u", flags);
	*ret_self = &weights_set;
	return WBL_OK;
}

static void router_close(void *self)
{
}

static int32_t router_get(void *self, struct wbl_call *call, const char **ret_json)
{
	*ret_json = weights_set ? "{\"set\":1}" : "{\"set\":0}";
	return WBL_OK;
}

static int32_t router_set(
	void *self, struct wbl_call *call, const struct wbl_weight *const *w, uint64_t epoch)
{
	++*(int *)self;
	return WBL_OK;
}

static const struct wbl_router router = { sizeof router, 1, "turn", router_open, router_close,
	router_get, router_set, NULL, NULL };

static int32_t transform_open(const struct wbl_transform *me, struct wbl_call *own,
	const char *columns_in, const char **ret_columns_out, void **ret_self)
{
	static struct wbl_call *kept;

	kept = own;
	say(own, "transform of %s with %s", columns_in, PARAMS(own)->json(own));
	*ret_columns_out = "[\"x\"]";
	*ret_self = &kept;
	return WBL_OK;
}

static void transform_close(void *self)
{
}

static int32_t transform_apply(
	void *self, struct wbl_call *call, const struct wbl_batch *in, struct wbl_batch *ret_out)
{
	*ret_out = *in;
	return WBL_OK;
}

static const struct wbl_transform transform = { sizeof transform, 1, "same", transform_open,
	transform_close, transform_apply };

/* A batch of rows (id, v) in canonical form; v NULL when `v` is. */
static uint64_t put_row(uint8_t *p, int64_t id, const char *v)
{
	uint32_t len = 2 + 9 + (v ? 5 + (uint32_t)strlen(v) : 1),
		 vlen = v ? (uint32_t)strlen(v) : 0;

	memcpy(p, &len, 4);
	p[4] = p[5] = 0;
	p[6] = WBL_CELL_INT;
	memcpy(p + 7, &id, 8);
	p[15] = v ? WBL_CELL_TEXT : WBL_CELL_NULL;
	if (v) {
		memcpy(p + 16, &vlen, 4);
		memcpy(p + 20, v, vlen);
	}
	return 4 + len;
}

static int32_t append(const struct wbl_store *s, void *w, struct wbl_call *c, uint8_t *data,
	uint64_t len, uint64_t rows, uint64_t *bad)
{
	struct wbl_batch b = { .size = sizeof b, .rows = rows, .len = len, .data = data };

	*bad = 999;
	return s->append(w, c, &b, bad);
}

static void use_sink(struct wbl_call *c, const struct wbl_peer *p)
{
	static const char *const columns[] = { "id", "v", NULL },
				 *const wrong[] = { "id", "nix", NULL },
				 *const few[] = { "id", NULL };
	const struct wbl_store *s = p->table;
	struct wbl_write w = {
		.size = sizeof w, .mode = WBL_MODE_INSERT, .set = "t", .columns = columns
	};
	struct wbl_outcome out = { .size = sizeof out };
	struct wbl_schema change = {
		.size = sizeof change, .change_json = "{}", .receipt = &(struct wbl_receipt){ 0 }
	};
	struct wbl_sql sql = { .size = sizeof sql, .text = "DELETE FROM t" };
	uint8_t data[256];
	uint64_t n, bad;
	int64_t now = 0;
	const char *answer = NULL;
	void *writer = NULL;
	int32_t rc;

	say(c, "sink can write %d", (p->capabilities & WBL_CAN_WRITE) != 0);
	w.columns = wrong;
	say(c, "sink wrong column %d", s->write(p->self, c, &w, &writer));
	w.columns = few;
	say(c, "sink missing column %d", s->write(p->self, c, &w, &writer));
	w.columns = columns;
	say(c, "sink write %d", s->write(p->self, c, &w, &writer));
	n = put_row(data, 1, "a");
	n += put_row(data + n, 2, "b");
	say(c, "sink good %d", append(s, writer, c, data, n, 2, &bad));
	n = put_row(data, 3, "c");
	n += put_row(data + n, 4, NULL);
	rc = append(s, writer, c, data, n, 2, &bad);
	say(c, "sink null %d at %d", rc, (int)bad);
	n = put_row(data, 3, "c");
	n += put_row(data + n, 2, "again");
	rc = append(s, writer, c, data, n, 2, &bad);
	say(c, "sink twice %d at %d", rc, (int)bad);
	n = put_row(data, 3, "c");
	say(c, "sink three %d", append(s, writer, c, data, n, 1, &bad));
	n = put_row(data, 5, "\xff");
	rc = append(s, writer, c, data, n, 1, &bad);
	say(c, "sink utf8 %d at %d", rc, (int)bad);
	n = put_row(data, 5, "x");
	rc = append(s, writer, c, data, n - 1, 1, &bad);
	say(c, "sink cut %d at %d", rc, (int)bad);
	rc = append(s, writer, c, data, n, 2, &bad);
	say(c, "sink count %d at %d", rc, (int)bad);
	rc = s->commit(writer, c, NULL, &out);
	say(c, "sink commit %d %d", rc, (int)out.written);
	rc = s->schema(p->self, c, &change, &answer);
	say(c, "sink schema %d %s", rc, answer);
	rc = s->sql(p->self, c, &sql, &answer);
	say(c, "sink sql %d %s", rc, answer);
	rc = s->now(p->self, c, &now);
	say(c, "sink now %d %d", rc, (int)now);
	w.set = "new";
	w.columns = NULL;
	say(c, "sink new %d", s->write(p->self, c, &w, &writer));
	n = put_row(data, 5, "x");
	say(c, "sink new row %d", append(s, writer, c, data, n, 1, &bad));
	s->abort(writer);
}

static int32_t execute(void *self, struct wbl_call *c, const struct wbl_work *work)
{
	struct wbl_peer a = { .size = sizeof a }, b = { .size = sizeof b },
			r = { .size = sizeof r }, t = { .size = sizeof t },
			broken = { .size = sizeof broken };
	const struct wbl_router *router_table;
	const struct wbl_transform *transform_table;
	const char *text = NULL;
	void *transform_self = NULL;
	uint32_t write = strstr(work->op, "write") ? WBL_OPEN_READ | WBL_OPEN_WRITE : WBL_OPEN_READ;

	say(c, "source %d", PEER(c)->open(c, "source", "wbl.store/1", WBL_OPEN_READ, &a));
	say(c, "target %d", PEER(c)->open(c, "target", "wbl.store/1", write, &b));
	if (!a.table || !b.table)
		return WBL_OK;
	say(c, "shared %d",
		((const struct wbl_store *)a.table)->describe ==
			((const struct wbl_store *)b.table)->describe);
	if (work->flags & WBL_WORK_REHEARSE)
		use_sink(c, &b);
	say(c, "router %d", PEER(c)->open(c, "router", "wbl.router/1", write, &r));
	router_table = r.table;
	router_table->set(r.self, c, NULL, 1);
	router_table->get(r.self, c, &text);
	say(c, "router says %s", text);
	say(c, "transform %d", PEER(c)->open(c, "transform", "wbl.transform/1", 0, &t));
	transform_table = t.table;
	say(c, "transform open %d",
		transform_table->open(transform_table, c, "[\"id\"]", &text, &transform_self));
	say(c, "transform says %s", text);
	say(c, "nobody %d", PEER(c)->open(c, "nobody", "wbl.store/1", WBL_OPEN_READ, &broken));
	say(c, "wrong interface %d",
		PEER(c)->open(c, "source", "wbl.router/1", WBL_OPEN_READ, &broken));
	say(c, "critical flag %d", PEER(c)->open(c, "source", "wbl.store/1", 1u << 30, &broken));
	say(c, "broken %d", PEER(c)->open(c, "broken", "wbl.store/1", WBL_OPEN_READ, &broken));
	say(c, "missing %d", PEER(c)->open(c, "missing", "wbl.store/1", WBL_OPEN_READ, &broken));
	PEER(c)->close(c, &a);
	say(c, "closed %d", a.table == NULL);
	PEER(c)->close(c, &a);
	return WBL_OK;
}

static int32_t plan(void *self, struct wbl_call *c, const struct wbl_work *work)
{
	struct wbl_peer p = { .size = sizeof p };

	say(c, "plan writes %d", PEER(c)->open(c, "target", "wbl.store/1", WBL_OPEN_WRITE, &p));
	say(c, "plan reads %d", PEER(c)->open(c, "target", "wbl.store/1", WBL_OPEN_READ, &p));
	p.size = 8;
	say(c, "small peer %d", PEER(c)->open(c, "target", "wbl.store/1", WBL_OPEN_READ, &p));
	return WBL_OK;
}

static int32_t nothing(void *self, struct wbl_call *c, const struct wbl_work *work)
{
	return WBL_OK;
}

static const struct wbl_handler opener = { .size = sizeof opener,
	.revision = 1,
	.name = "opener",
	.plan = plan,
	.execute = execute,
	.verify = nothing,
	.rollback = nothing };

static const void *interface(const char *id, uint32_t index)
{
	if (!strcmp(id, "wbl.handler/1") && !index)
		return &opener;
	if (!strcmp(id, "wbl.store/1") && index < 2)
		return &stores[index];
	if (!strcmp(id, "wbl.router/1") && !index)
		return &router;
	return strcmp(id, "wbl.transform/1") || index ? NULL : &transform;
}

static const struct wbl_module module = { sizeof module, 0, "org.example.twins", "0.1.0",
	interface };

const struct wbl_module *twins_LTX_wbl_module_entry_v1(struct wbl_call *call)
{
	return &module;
}
