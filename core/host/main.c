/* host/main.c - whimbrel-host, the small program that loads one handler and does what the engine asks.
 * In: HELLO on descriptor 3, then calls.  Out: READY or REFUSED, then what the handler says. It is started by the
 * engine; `whimbrel-host --check MODULE.so` loads a module, tells what it offers, and ends.
 * SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <ltdl.h>
#include <sodium.h>

#include "core/host/call.h"
#include "core/host/crash.h"
#include "core/host/instance.h"
#include "core/host/link.h"
#include "core/host/load.h"
#include "core/host/peer.h"
#include "core/host/process.h"
#include "core/host/serve.h"
#include "core/module/wire.h"

static int32_t start_libraries(struct wbl_error *err)
{
	if (sodium_init() < 0)
		return wbl_fail(err, WBL_E_INTERNAL, "libsodium", NULL, "cannot be started");
#ifdef WBL_STATIC_MODULES
	LTDL_SET_PRELOADED_SYMBOLS();
#endif
	if (lt_dlinit())
		return wbl_fail(err, WBL_E_INTERNAL, "libltdl", NULL, "cannot be started: %s",
			lt_dlerror());
	return 0;
}

static void refuse(const struct wbl_error *err)
{
	json_t *j = json_object();

	wbl_json_puti(j, "code", err->code);
	wbl_json_put(j, "where", err->where);
	wbl_json_put(j, "text", err->text);
	wbl_json_put(j, "hint", err->hint);
	wbl_wire_send(WBL_WIRE_FD, WBL_WIRE_REFUSED, 0, j, NULL, 0, -1, NULL);
	json_decref(j);
}

static int32_t read_hello(struct wbl_frame *f, struct wbl_error *err)
{
	int32_t rc = wbl_wire_read(WBL_WIRE_FD, f, err);
	const char *build;

	if (rc == WBL_END)
		exit(0);
	if (rc)
		return rc;
	build = wbl_json_str(f->json, "build");
	if (f->type != WBL_WIRE_HELLO)
		return wbl_fail(err, WBL_E_WIRE, "hello", NULL, "the engine began with \"%s\"",
			wbl_wire_name(f->type));
	if (!build || strcmp(build, wbl_wire_build()))
		return wbl_fail(err, WBL_E_WIRE, "hello",
			"Install the engine and whimbrel-host from one package, then restart the "
			"engine.",
			"the engine is of build \"%s\", this host of \"%s\"",
			build ? build : "unknown", wbl_wire_build());
	return 0;
}

static int32_t set_up(const json_t *hello, struct wbl_instance **ret, struct wbl_error *err)
{
	int32_t rc;

	wbl_service_options = (struct wbl_service_options){
		.fault = wbl_json_bool(hello, "fault", false),
		.rehearse = wbl_json_bool(hello, "rehearse", false),
		.trust_any_owner = wbl_json_bool(hello, "trust_any_owner", false),
		.clock_offset_ns = wbl_json_int(hello, "clock_offset", 0),
		.only = json_object_get(hello, "services"),
	};
	rc = wbl_process_limit(json_object_get(hello, "limits"), err);
	rc = rc ? rc : start_libraries(err);
	rc = rc ? rc : wbl_link_start(WBL_WIRE_FD, json_object_get(hello, "throttle"), err);
	rc = rc ? rc : wbl_instance_new(hello, NULL, ret, err);
	return rc ? rc : wbl_call_create(*ret, err);
}

static void tell_ready(const struct wbl_instance *handler)
{
	const struct wbl_handler *table = handler->table;
	json_t *j = json_object(), *h = json_object();

	wbl_json_put(j, "build", wbl_wire_build());
	wbl_json_puti(j, "pid", getpid());
	wbl_json_put(h, "name", table->name);
	wbl_json_puti(h, "revision", table->revision);
	json_object_set_new(j, "handler", h);
	json_object_set_new(j, "optional", wbl_call_optional(handler));
	wbl_link_tell(WBL_WIRE_READY, 0, j, NULL, 0);
}

static int serve(void)
{
	struct wbl_frame hello = { .fd = -1 }, call;
	struct wbl_instance *handler = NULL;
	struct wbl_error err = { 0 };
	bool go_on = true;

	if (read_hello(&hello, &err) || set_up(hello.json, &handler, &err)) {
		refuse(&err);
	} else {
		tell_ready(handler);
		while (go_on && wbl_link_next(&call))
			go_on = wbl_call_run(handler, &call);
		if (!go_on)
			_exit(0); /* fenced: nothing may be touched any more, not even to tidy up */
		wbl_call_destroy(handler);
	}
	wbl_peers_close();
	wbl_instance_free(handler);
	wbl_frame_clear(&hello);
	return 0;
}

static int check(const char *path)
{
	json_t *j = json_object(), *spec = json_object(), *tables = NULL;
	struct wbl_loaded *m = NULL;
	struct wbl_error err = { 0 };
	WBL_AUTOFREE char *text = NULL;
	int32_t rc;

	wbl_service_options.trust_any_owner = true;
	wbl_json_put(spec, "path", path);
	wbl_crash_note("entry", path);
	rc = start_libraries(&err);
	rc = rc ? rc : wbl_load(spec, &m, &err);
	rc = rc ? rc : wbl_load_tables(m, &tables, &err);
	json_object_set_new(j, "ok", json_boolean(!rc));
	if (rc)
		json_object_set_new(j, "error", wbl_json_error(&err));
	if (m) {
		wbl_json_put(j, "id", m->module.id);
		wbl_json_put(j, "version", m->module.version);
	}
	if (tables) {
		json_object_set_new(j, "interfaces", tables);
		json_object_set_new(j, "strange", wbl_load_strange(m));
	}
	text = wbl_json_text(j);
	puts(text);
	json_decref(j);
	json_decref(spec);
	return rc ? 1 : 0;
}

int main(int argc, char **argv)
{
	if (argc == 2 && !strcmp(argv[1], "--version")) {
		puts("whimbrel-host " PACKAGE_VERSION);
		return 0;
	}
	wbl_process_scrub();
	wbl_crash_install();
	if (argc == 3 && !strcmp(argv[1], "--check"))
		return check(argv[2]);
	/* --lock FILE says nothing to us: it is there for the engine to find us, and what we fork, in /proc. */
	if (argc != 1 && !(argc == 3 && !strcmp(argv[1], "--lock"))) {
		fputs("whimbrel-host: started by the engine; by hand: whimbrel-host --check "
		      "/path/module.so\n",
			stderr);
		return 2;
	}
	return serve();
}
