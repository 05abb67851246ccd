/* tests/fuzz/spec.c - any bytes as an operator's spec, among a few modules, connections and files to include.
 * req: H3 P1
 * SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <stddef.h>
#include <stdint.h>

#include "core/engine/spec.h"
#include "tests/unit/engine/spec_world.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
const char *__lsan_default_suppressions(void);

/* libconfig 1.5 forgets the text it holds when the grammar refuses what stands around it. */
const char *__lsan_default_suppressions(void)
{
	return "leak:libconfig.so\n";
}

static struct world world;

static void end(void)
{
	world_end(&world);
}

/* What was accepted must be whole; what was refused must say why. */
static void check(
	int32_t rc, const struct wbl_spec *spec, const json_t *errors, const struct wbl_error *err)
{
	size_t i;

	if ((rc == 0) != (spec != NULL) || (rc == 0) != (json_array_size(errors) == 0))
		abort();
	if (rc && (err->code != rc || !*err->text || !*err->where))
		abort();
	if (rc)
		return;
	if (!spec->name || !spec->count || !spec->barriers)
		abort();
	for (i = 0; i < spec->count; i++)
		if (!spec->migrations[i].name || !spec->migrations[i].provides ||
			!spec->migrations[i].module ||
			!json_is_object(spec->migrations[i].params) ||
			!json_is_array(spec->migrations[i].peers) || !spec->migrations[i].after ||
			!spec->migrations[i].policy.validation)
			abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static char *dir;
	struct wbl_spec *spec = NULL;
	json_t *errors = NULL;
	struct wbl_error err = { 0 };
	int32_t rc;

	if (!dir) {
		world_make(&world);
		dir = wbl_strf("%s/spec", world.dir);
		atexit(end);
	}
	rc = wbl_spec_load("in/test.conf", dir, (const char *)data, size, world.registry,
		world.staging, WBL_PARAMS_FOR_RUN, &spec, &errors, &err);
	check(rc, spec, errors, &err);
	wbl_spec_free(spec);
	json_decref(errors);
	return 0;
}
