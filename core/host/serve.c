/* host/serve.c - services by id.
 * A new service: its table in a serve_*.c, its functions in services.def, one line here.
 * SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "core/host/serve.h"

#include <string.h>

#include "core/base/util.h"

struct wbl_service_options wbl_service_options;

static const struct {
	const char *id;
	const void *table;
} services[] = {
	{ "wbl.log/1", &wbl_service_log },
	{ "wbl.diag/1", &wbl_service_diag },
	{ "wbl.params/1", &wbl_service_params },
	{ "wbl.plan/1", &wbl_service_plan },
	{ "wbl.ask/1", &wbl_service_ask },
	{ "wbl.run/1", &wbl_service_run },
	{ "wbl.chunk/1", &wbl_service_chunk },
	{ "wbl.state/1", &wbl_service_state },
	{ "wbl.undo/1", &wbl_service_undo },
	{ "wbl.artefact/1", &wbl_service_artefact },
	{ "wbl.check/1", &wbl_service_check },
	{ "wbl.clock/1", &wbl_service_clock },
	{ "wbl.fault/1", &wbl_service_fault },
	{ "wbl.peer/1", &wbl_service_peer },
};

/* The kit tries a module with what its manifest needs, and nothing else. */
static bool is_offered(const char *id)
{
	const json_t *one;
	size_t i;

	if (!wbl_service_options.only)
		return true;
	json_array_foreach(wbl_service_options.only, i,
		one) if (!strcmp(json_string_value(one), id)) return true;
	return false;
}

/* Anything behind a known id makes it unknown: "wbl.log/1x", "wbl.log/10". */
static const void *by_id(const struct wbl_host *host, const char *id)
{
	size_t i;

	if (!id || !is_offered(id))
		return NULL;
	for (i = 0; i < WBL_COUNT(services); i++)
		if (!strcmp(id, services[i].id))
			return services[i].table == &wbl_service_fault && !wbl_service_options.fault
				       ? NULL
				       : services[i].table;
	return NULL;
}

const struct wbl_host *wbl_service_host(void)
{
	static const struct wbl_host host = {
		.size = sizeof host,
		.abi_minor = WBL_ABI_MINOR,
		.engine_version = PACKAGE_VERSION,
		.service = by_id,
	};

	return &host;
}
