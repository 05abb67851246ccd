/* fuzz target: any list of tables that the manifest lets through, planned against a source of two tables.
 * In: `tables` as JSON.  What the schema of the parameters refuses the handler never meets; all else is planned or refused with
 * a place in the options.
 * req: D5 X4 H5
 * SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/file.h"
#include "core/module/manifest.h"
#include "core/module/params.h"
#include "plugins/data/data/data_impl.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct wbl_manifest *manifest;
static const struct wbl_param *tables_param;
static char *params_text;
static int told; /* errors of this call */

/* --- a store that has two tables and no rows --- */

static const char source_json[] =
	"{\"store\":\"s\",\"dialect\":\"one\",\"exists\":true,\"claims\":[{\"kind\":\"path\","
	"\"name\":\"/old\"}],"
	"\"identity\":\"1\",\"schema_digest\":\"d\",\"sets\":[{\"name\":\"t\",\"kind\":\"table\","
	"\"position\":\"rowid\","
	"\"columns\":[{\"name\":\"id\",\"type\":\"int\",\"declared\":\"INTEGER\",\"not_null\":true}"
	","
	"{\"name\":\"name\",\"type\":\"text\",\"declared\":\"TEXT\"},{\"name\":\"price\",\"type\":"
	"\"decimal\"},"
	"{\"name\":\"at\",\"type\":\"instant\"},{\"name\":\"any\",\"type\":\"any\"}],\"key\":["
	"\"id\"],"
	"\"indexes\":[{\"name\":\"i\",\"unique\":false,\"columns\":[\"name\"]}]},"
	"{\"name\":\"u\",\"kind\":\"table\",\"columns\":[{\"name\":\"id\",\"type\":\"int\"},{"
	"\"name\":\"j\",\"type\":\"json\"}],"
	"\"key\":[]}],\"others\":[{\"kind\":\"view\",\"name\":\"v\",\"set\":\"v\",\"definition\":"
	"\"x\"}]}";
static const char target_json[] = "{\"store\":\"s\",\"dialect\":\"two\",\"exists\":false,"
				  "\"claims\":[{\"kind\":\"path\",\"name\":\"/new\"}],"
				  "\"sets\":[]}";

static int32_t store_describe(
	void *self, struct wbl_call *call, const char *set, const char **ret_json)
{
	*ret_json = self ? target_json : source_json;
	return set && (self || (strcmp(set, "t") && strcmp(set, "u"))) ? WBL_END : WBL_OK;
}

static int32_t store_count(void *self, struct wbl_call *call, const struct wbl_scan *scan,
	int32_t exact, struct wbl_totals *ret)
{
	ret->items = 10;
	return WBL_OK;
}

static int32_t store_scan(
	void *self, struct wbl_call *call, const struct wbl_scan *scan, void **ret_cursor)
{
	*ret_cursor = &told;
	return WBL_OK;
}

static int32_t store_read(void *cursor, struct wbl_call *call, struct wbl_batch *ret)
{
	return WBL_END;
}

static void store_end(void *cursor)
{
}

static const struct wbl_store store = { .size = sizeof store,
	.revision = 1,
	.name = "s",
	.describe = store_describe,
	.count = store_count,
	.scan = store_scan,
	.read = store_read,
	.scan_end = store_end };

/* --- a host --- */

static int32_t peer_open(struct wbl_call *call, const char *param, const char *interface,
	uint32_t flags, struct wbl_peer *ret)
{
	if (strcmp(param, "source") && strcmp(param, "target"))
		return wbl_error_report(
			call, WBL_E_UNAVAILABLE, param, NULL, "there is no other store");
	ret->table = &store;
	ret->self = *param == 't' ? &told : NULL;
	ret->capabilities = WBL_CAN_SQL | WBL_CAN_SCHEMA;
	return WBL_OK;
}

static void peer_close(struct wbl_call *call, struct wbl_peer *peer)
{
	peer->table = NULL;
}

static const char *params_json(struct wbl_call *call)
{
	return params_text;
}

static int32_t params_secret(
	struct wbl_call *call, const char *path, char *buf, uint64_t cap, uint64_t *ret_len)
{
	*ret_len = 0;
	return WBL_E_PARAM;
}

static void report(struct wbl_call *call, const struct wbl_diag *d)
{
	told += d->severity == 1;
}

static int32_t take_step(struct wbl_call *call, const struct wbl_step *s)
{
	if (!s->id || !*s->id)
		abort();
	return WBL_OK;
}

static int32_t take_observation(struct wbl_call *call, const struct wbl_observation *o)
{
	return WBL_OK;
}

static int32_t take_omission(struct wbl_call *call, const char *what, uint64_t n, const char *why)
{
	return WBL_OK;
}

static int32_t take_finding(struct wbl_call *call, const char *json)
{
	return WBL_OK;
}

static const void *service(const struct wbl_host *host, const char *id)
{
	static const struct wbl_peer_service peers = { sizeof peers, 1, peer_open, peer_close };
	static const struct wbl_params_service params = { sizeof params, 1, params_json,
		params_secret };
	static const struct wbl_diag_service diag = { sizeof diag, 1, report };
	static const struct wbl_plan_service plan = { sizeof plan, 1, take_step, take_observation,
		take_omission, take_finding };

	return !strcmp(id, "wbl.peer/1")     ? (const void *)&peers
	       : !strcmp(id, "wbl.params/1") ? (const void *)&params
	       : !strcmp(id, "wbl.diag/1")   ? (const void *)&diag
	       : !strcmp(id, "wbl.plan/1")   ? (const void *)&plan
					     : NULL;
}

static void read_manifest(void)
{
	struct wbl_buf text = { 0 };
	struct wbl_error err;
	size_t i;

	if (wbl_file_read(DATA_MANIFEST, 1 << 20, &text, &err) ||
		wbl_manifest_parse(text.data, text.len, DATA_MANIFEST, &manifest, &err)) {
		fprintf(stderr, "%s: %s\n", err.where, err.text);
		abort();
	}
	wbl_buf_clear(&text);
	for (i = 0; i < manifest->provides[0].nparams; i++)
		if (!strcmp(manifest->provides[0].params[i].name, "tables"))
			tables_param = &manifest->provides[0].params[i];
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct wbl_host host = { sizeof host, 0, "fuzz", service };
	struct wbl_call call = { sizeof call, 0, &host };
	struct wbl_work work = { .size = sizeof work, .attempt = 1 };
	struct wbl_error err = { 0 };
	json_t *given, *tables = NULL;

	if (!manifest)
		read_manifest();
	given = wbl_json_parse((const char *)data, size, NULL, NULL);
	if (given && !wbl_param_value(tables_param, given, "tables", NULL, &tables, &err)) {
		json_t *all = json_pack("{s:s, s:o}", "existing", "refuse", "tables", tables);

		params_text = wbl_json_text(all);
		told = 0;
		/* A refusal says why. */
		if (data_plan(NULL, &call, &work) < 0 && !told)
			abort();
		free(params_text);
		json_decref(all);
	}
	json_decref(given);
	return 0;
}
