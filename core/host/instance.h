/* host/instance.h - one handler, store, router or transform at work: its table, its parameters, its own call.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef WBL_CORE_HOST_INSTANCE_H
#define WBL_CORE_HOST_INSTANCE_H
#include "core/base/json.h"
#include "core/host/ticket.h"

struct wbl_loaded;

struct wbl_instance {
	struct wbl_ticket own;
	struct wbl_instance *parent; /* NULL: the handler */
	char *path; /* dotted path of the parameter from the root; NULL: the handler */
	const char *name;
	char *params;        /* JSON text; lives as long as the instance */
	const json_t *peers; /* what it may open; HELLO's */
	const struct wbl_loaded *module;
	const void *table; /* the module's own */
	void *self;
};

/* `spec` is HELLO, or one of its peers: {interface, name, module, params, peers}; it must outlive the instance. */
int32_t wbl_instance_new(const json_t *spec, struct wbl_instance *parent, struct wbl_instance **ret,
	struct wbl_error *err);
void wbl_instance_free(struct wbl_instance *i);
/* The peer that parameter `param` of `i` names; NULL: there is none. */
const json_t *wbl_instance_peer(const struct wbl_instance *i, const char *param);
#endif
