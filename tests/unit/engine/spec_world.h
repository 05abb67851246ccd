/* tests/unit/engine/spec_world.h - a folder with modules, an environment and included files, for specs to be read in.
 * The modules are manifests in small ELF files; no code of theirs exists.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef WBL_TESTS_ENGINE_SPEC_WORLD_H
#define WBL_TESTS_ENGINE_SPEC_WORLD_H
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/file.h"
#include "core/module/environment.h"
#include "core/module/registry.h"
#include "tests/unit/module/elf_write.h"

#define WORLD_HEAD(name)                                                                           \
	"manifest = 1; module = \"" name "\"; id = \"org.example." name "\"; version = \"1.2.3\";" \
	"abi = { major = 1; minor = 0; }; license = \"Apache-2.0\"; description = \"for tests\";"
#define WORLD_PARAM(name, type, more)                                                              \
	"{ name = \"" name "\"; type = \"" type "\"; description = \"a thing\"; " more "}"

static const struct {
	const char *name, *manifest;
} world_modules[] = {
	{ "mover",
		WORLD_HEAD(
			"mover") "handlers = ( { name = \"mover\"; family = \"data\"; description "
				 "= \"moves\";"
				 "ops = ( \"copy\" ); params = (" WORLD_PARAM("source", "peer",
					 "interface = \"wbl.store/1\"; required = true;") "," WORLD_PARAM("target",
					 "peer",
					 "interface = \"wbl.store/1\"; required = true;") "," WORLD_PARAM("mode",
					 "enum",
					 "values = ( \"fast\", \"safe\" ); default = \"safe\";") "," WORLD_PARAM("batch",
					 "int",
					 "min = 1; max = 1000; default = 100;") "," WORLD_PARAM("bu"
												"ff"
												"e"
												"r",
					 "size", "") "," WORLD_PARAM("wait", "duration",
					 "") "," WORLD_PARAM("log", "path",
					 "") "," WORLD_PARAM("key", "secret",
					 "") "," WORLD_PARAM("route", "peer",
					 "interface = \"wbl.router/1\";") "," WORLD_PARAM("tables",
					 "list",
					 "items = { type = \"group\"; params = (" WORLD_PARAM(
						 "name", "string",
						 "required = true;") "," WORLD_PARAM("lookup",
						 "peer",
						 "interface = \"wbl.store/1\";") "); };") "," WORLD_PARAM("steps",
					 "list",
					 "items = { type = \"peer\"; interface = "
					 "\"wbl.transform/1\"; };") "," WORLD_PARAM("stores", "map",
					 "items = { type = \"peer\"; interface = \"wbl.store/1\"; "
					 "};") "," WORLD_PARAM("speed", "int",
					 "deprecated = \"Use batch.\";") "); } );" },
	{ "note",
		WORLD_HEAD(
			"note") "handlers = ( { name = \"note\"; family = \"custom\"; description "
				"= \"notes\";"
				"ops = ( \"put\" ); params = (" WORLD_PARAM("text", "string",
					"required = true; example = \"hello\";") "); },"
										 "{ name = "
										 "\"grouped\"; "
										 "family = "
										 "\"session\"; "
										 "description = "
										 "\"groups\"; ops "
										 "= ( \"put\" ); "
										 "params = "
										 "(" WORLD_PARAM(
											 "source",
											 "group",
											 "params = "
											 "(" WORLD_PARAM(
												 "s"
												 "t"
												 "o"
												 "r"
												 "e",
												 "s"
												 "t"
												 "r"
												 "i"
												 "n"
												 "g",
												 "") "," WORLD_PARAM("path",
												 "p"
												 "a"
												 "t"
												 "h",
												 "") "," WORLD_PARAM("password",
												 "s"
												 "e"
												 "c"
												 "r"
												 "e"
												 "t",
												 "") ");") "," WORLD_PARAM("target",
											 "path",
											 "") "); } "
											     ");" },
	{ "box",
		WORLD_HEAD(
			"box") "stores = ( { name = \"box\"; description = \"a store\"; "
			       "capabilities = ( \"write\" );"
			       "params = (" WORLD_PARAM("path", "path",
				       "required = true; example = \"/srv/a.db\";") "," WORLD_PARAM("password",
				       "secret", "") "," WORLD_PARAM("inner", "peer",
				       "interface = \"wbl.store/1\";") "); } );"
								       "routers = ( { name = "
								       "\"way\"; description = \"a "
								       "router\"; params = "
								       "(" WORLD_PARAM("weight",
									       "int",
									       "") "); } );"
										   "transforms = ( "
										   "{ name = "
										   "\"upper\"; "
										   "description = "
										   "\"a "
										   "transform\"; "
										   "params = "
										   "(" WORLD_PARAM(
											   "column",
											   "string",
											   "") "); "
											       "} "
											       ")"
											       ";" },
	{ "gone", WORLD_HEAD("gone") "handlers = ( { name = \"gone\"; family = \"custom\"; "
				     "description = \"off\";"
				     "ops = ( \"put\" ); params = ( ); } );" },
	{ "ahead", "manifest = 1; module = \"ahead\"; id = \"org.example.ahead\"; version = \"1\";"
		   "abi = { major = 9; minor = 0; }; license = \"Apache-2.0\"; description = \"for "
		   "tests\";"
		   "handlers = ( { name = \"ahead\"; family = \"custom\"; description = \"of us\";"
		   "ops = ( \"put\" ); params = ( ); } );" },
};

static const struct {
	const char *path, *text;
} world_files[] = {
	{ "handlers.d/gone.conf", "module = \"gone\"; enabled = false; reason = \"it is old\";" },
	{ "environments.d/staging.conf",
		"profile = \"staging\";\nvalidation = \"strict\";\nrollback = "
		"\"manual\";\nconnections = {\n"
		"  crm = { store = \"box\"; path = \"crm.db\";\n    password = \"file:crm.key\"; "
		"};\n"
		"  outer = { store = \"box\"; path = \"/srv/o.db\";\n    inner = \"@crm\"; };\n"
		"  ring = { store = \"box\"; path = \"/r\";\n    inner = \"@ring\"; };\n"
		"  bad = { store = \"box\"; pth = \"/r\"; };\n"
		"  edge = { router = \"way\"; };\n};\n" },
	{ "environments.d/wrong.conf", "validation = \"fulll\";\nrollback = \"never\";\n" },
	{ "spec/good.conf", "options = {\n  text = \"included\"; };" },
	{ "spec/sub/deep.conf", "# one\n@include \"good.conf\"\n# three\n" },
	{ "spec/unknown.conf", "\n  optoins = { };\n" },
	{ "spec/syntax.conf", "\n\nhandler = = 3;\n" },
	{ "spec/open.conf", "options = { };\n/* never\n" },
	{ "spec/self.conf", "\n@include \"self.conf\"\n" },
	{ "spec/a.conf", "@include \"b.conf\"\n" },
	{ "spec/b.conf", "\n  @include \"a.conf\"\n" },
	{ "spec/d1.conf", "@include \"d2.conf\"\n" },
	{ "spec/d2.conf", "@include \"d3.conf\"\n" },
	{ "spec/d3.conf", "@include \"d4.conf\"\n" },
	{ "spec/d4.conf", "@include \"d5.conf\"\n" },
	{ "spec/d5.conf", "@include \"d6.conf\"\n" },
	{ "spec/d6.conf", "@include \"d7.conf\"\n" },
	{ "spec/d7.conf", "@include \"d8.conf\"\n" },
	{ "spec/d8.conf", "@include \"good.conf\"\n" },
	{ "spec/latin.conf", "description = \"caf\xe9\";\n" },
	{ "spec2/x.conf", "description = \"beside\";\n" },
	{ "outside.conf", "description = \"outside\";\n" },
};

struct world {
	char dir[64];
	struct wbl_registry *registry;
	struct wbl_environment *staging, *wrong, *empty;
};

static inline void world_write(
	const struct world *w, const char *path, const void *data, size_t len)
{
	WBL_AUTOFREE char *full = wbl_strf("%s/%s", w->dir, path);
	WBL_AUTOFREE char *dir = wbl_strdup(full);
	struct wbl_error err;

	*strrchr(dir, '/') = '\0';
	if (wbl_mkdirs(dir, 0755, &err) || wbl_file_replace(full, data, len, 0644, &err)) {
		fprintf(stderr, "%s: %s\n", err.where, err.text);
		abort();
	}
}

static inline void world_link(const struct world *w, const char *to, const char *name)
{
	WBL_AUTOFREE char *full = wbl_strf("%s/%s", w->dir, name);

	if (symlink(to, full))
		abort();
}

static inline void world_modules_write(const struct world *w)
{
	size_t i, len;

	for (i = 0; i < WBL_COUNT(world_modules); i++) {
		WBL_AUTOFREE char *path = wbl_strf("modules/%s.so", world_modules[i].name);
		unsigned char *elf = elf_write(world_modules[i].manifest, 0, &len);

		world_write(w, path, elf, len);
		free(elf);
	}
}

static inline void world_make(struct world *w)
{
	WBL_AUTOFREE char *modules = NULL, *conf = NULL, *envs = NULL;
	struct wbl_error err = { 0 };
	struct wbl_registry_options o = { .trust_any_owner = true };
	size_t i;

	snprintf(w->dir, sizeof w->dir, "/tmp/wbl-spec-XXXXXX");
	if (!mkdtemp(w->dir) || chmod(w->dir, 0755))
		abort();
	world_modules_write(w);
	for (i = 0; i < WBL_COUNT(world_files); i++)
		world_write(
			w, world_files[i].path, world_files[i].text, strlen(world_files[i].text));
	world_link(w, "/etc/passwd", "spec/passwd.conf");
	world_link(w, "../outside.conf", "spec/out.conf");
	world_link(w, "good.conf", "spec/within.conf");
	world_link(w, "/dev/zero", "spec/zero.conf");
	modules = wbl_strf("%s/modules", w->dir);
	conf = wbl_strf("%s/handlers.d", w->dir);
	envs = wbl_strf("%s/environments.d", w->dir);
	o.dirs = (const char *[]){ modules, NULL };
	o.conf_dirs = (const char *[]){ conf, NULL };
	if (wbl_registry_load(&o, &w->registry, &err) ||
		wbl_environment_load(envs, "staging", &w->staging, &err) ||
		wbl_environment_load(envs, "wrong", &w->wrong, &err) ||
		wbl_environment_load(envs, "default", &w->empty, &err)) {
		fprintf(stderr, "%s: %s\n", err.where, err.text);
		abort();
	}
	for (i = 0; i < w->registry->count; i++)
		if (w->registry->entries[i].refused.code &&
			strcmp(w->registry->entries[i].name, "ahead")) {
			fprintf(stderr, "%s: %s\n", w->registry->entries[i].refused.where,
				w->registry->entries[i].refused.text);
			abort();
		}
}

static inline void world_end(struct world *w)
{
	WBL_AUTOFREE char *command = wbl_strf("rm -rf '%s'", w->dir);

	wbl_registry_free(w->registry);
	wbl_environment_free(w->staging);
	wbl_environment_free(w->wrong);
	wbl_environment_free(w->empty);
	if (system(command))
		fprintf(stderr, "%s is left behind\n", w->dir);
}
#endif
