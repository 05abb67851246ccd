/* engine/host_instance.c - instances: one handler with one set of parameters, and the processes that serve it.
 * SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "core/engine/host_inside.h"

#include <errno.h>
#include <string.h>

#include "core/engine/run.h"

void wbl_instance_rest(struct wbl_engine *e, struct wbl_instance *i)
{
	while (i->idle) {
		struct wbl_host_process *h = i->idle;

		i->idle = h->next_idle;
		wbl_host_end(h);
	}
}

void wbl_instance_adopt(struct wbl_engine *e, struct wbl_instance *to, struct wbl_instance *from)
{
	struct wbl_host_process *h;
	size_t k;

	for (h = e->hosts; h; h = h->next) {
		if (h->instance != from || h->state == ENDING)
			continue;
		h->instance = to;
		wbl_host_sign_lock(h);
		from->nhosts--;
		to->nhosts++;
	}
	to->idle = from->idle;
	from->idle = NULL;
	for (k = 0; k < from->secrets.count; k++)
		wbl_secrets_add(
			&to->secrets, from->secrets.values[k].data, from->secrets.values[k].len);
}

void wbl_instance_free(struct wbl_engine *e, struct wbl_instance *i)
{
	if (!i)
		return;
	wbl_instance_rest(e, i);
	i->freed = true;
	i->run = NULL;
	i->planner = NULL;
	wbl_instance_release(i);
}

static json_t *limits_of(const struct wbl_module_entry *m)
{
	json_t *j = json_object();

	wbl_json_puti(j, "nofile", 1024);
	wbl_json_puti(j, "core", 0);
#ifndef WBL_SANITIZERS
	wbl_json_puti(j, "as", m && m->memory_max ? (int64_t)m->memory_max : INT64_C(4) << 30);
#endif
	if (m && m->cpu_max_ns)
		wbl_json_puti(j, "cpu_s", m->cpu_max_ns / 1000000000);
	if (m && m->processes_max)
		wbl_json_puti(j, "nproc", m->processes_max);
	if (m && m->allow_setuid)
		json_object_set_new(j, "allow_setuid", json_true());
	wbl_json_put(j, "run_as", m ? m->run_as : NULL);
	return j;
}

/* The host need not digest again what the registry has digested. */
static void add_seen(json_t *provider, const char *interface, const struct wbl_registry *registry)
{
	const char *name = wbl_json_str(provider, "name");
	json_t *module = json_copy(json_object_get(provider, "module")), *seen = json_array(),
	       *peers = json_array(), *p;
	const struct wbl_provides *provides;
	const struct wbl_module_entry *entry;
	size_t i;

	if (name && !wbl_registry_find(registry, interface, name, &provides, &entry, NULL) &&
		!strcmp(entry->sha256, wbl_json_str(module, "sha256")))
		for (i = 0; i < WBL_COUNT(entry->seen); i++)
			json_array_append_new(seen, json_integer((json_int_t)entry->seen[i]));
	json_object_set_new(module, "seen", seen);
	json_object_set_new(provider, "module", module);
	json_array_foreach(json_object_get(provider, "peers"), i, p)
	{
		json_t *own = json_copy(p);

		add_seen(own, wbl_json_str(own, "interface"), registry);
		json_array_append_new(peers, own);
	}
	json_object_set_new(provider, "peers", peers);
}

struct wbl_instance *wbl_instance_new(const char *owner, const json_t *migration,
	const struct wbl_registry *registry, bool rehearse)
{
	static const char *const copied[] = { "module", "peers", "params" };
	struct wbl_instance *i = wbl_alloc(sizeof *i);
	const struct wbl_module_entry *entry = NULL;
	const struct wbl_provides *provides;
	size_t n;

	i->owner = wbl_strdup(owner);
	i->name = wbl_strdup(wbl_json_str(migration, "name"));
	i->grace_ns = wbl_json_int(
		json_object_get(migration, "policy"), "grace_ns", INT64_C(10000000000));
	i->hello = json_object();
	wbl_json_put(i->hello, "run", owner);
	wbl_json_put(i->hello, "migration", i->name);
	wbl_json_put(i->hello, "interface", "wbl.handler/1");
	wbl_json_put(i->hello, "name", wbl_json_str(migration, "handler"));
	json_object_set_new(i->hello, "rehearse", json_boolean(rehearse));
	for (n = 0; n < WBL_COUNT(copied); n++)
		json_object_set(i->hello, copied[n], json_object_get(migration, copied[n]));
	wbl_registry_find(registry, "wbl.handler/1", wbl_json_str(migration, "handler"), &provides,
		&entry, NULL);
	json_object_set_new(i->hello, "limits", limits_of(entry));
	add_seen(i->hello, "wbl.handler/1", registry);
	return i;
}
