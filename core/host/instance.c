/* host/instance.c - made from the engine's description: module loaded, table found, parameters at hand.
 * SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "core/host/instance.h"

#include <stdlib.h>
#include <string.h>

#include "core/host/load.h"

const json_t *wbl_instance_peer(const struct wbl_instance *i, const char *param)
{
	const json_t *p;
	size_t n;

	json_array_foreach(i->peers, n, p)
	{
		const char *name = wbl_json_str(p, "param");

		if (name && !strcmp(name, param))
			return p;
	}
	return NULL;
}

static char *params_of(const json_t *spec)
{
	const json_t *params = json_object_get(spec, "params");

	return params ? wbl_json_text(params) : wbl_strdup("{}");
}

int32_t wbl_instance_new(const json_t *spec, struct wbl_instance *parent, struct wbl_instance **ret,
	struct wbl_error *err)
{
	const char *interface = wbl_json_str(spec, "interface"), *name = wbl_json_str(spec, "name");
	const char *param = wbl_json_str(spec, "param");
	struct wbl_loaded *module;
	struct wbl_instance *i;
	const void *table;
	int32_t rc;

	if (!interface || !name)
		return wbl_fail(err, WBL_E_WIRE, "hello", NULL, "interface or name is missing");
	rc = wbl_load(json_object_get(spec, "module"), &module, err);
	if (!rc)
		rc = wbl_load_table(module, interface, name, &table, err);
	if (rc)
		return rc;
	i = wbl_alloc(sizeof *i);
	i->parent = parent;
	i->name = name;
	i->module = module;
	i->table = table;
	i->params = params_of(spec);
	i->peers = json_object_get(spec, "peers");
	if (parent)
		i->path = parent->path ? wbl_strf("%s.%s", parent->path, param) : wbl_strdup(param);
	wbl_ticket_open(&i->own, i, module->name);
	*ret = i;
	return 0;
}

void wbl_instance_free(struct wbl_instance *i)
{
	if (!i)
		return;
	wbl_ticket_close(&i->own);
	wbl_poison(i->params, i->params ? strlen(i->params) : 0);
	free(i->params);
	free(i->path);
	free(i);
}
