/* tests of core/module/registry.c, vet.c and module_conf.c: what may be loaded, by whose word, and why the rest is
 * refused - by name, with the place - while everything else goes on.
 * req: H3 U6 V3 H5
 * SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/base/file.h"
#include "core/module/registry.h"
#include "tests/unit/module/elf_write.h"
#include "tests/unit/module/said.h"

static char dir[64];
static struct wbl_registry *registry;

static char *below(const char *name)
{
	static char path[16][256];
	static unsigned turn;

	turn = (turn + 1) % 16;
	snprintf(path[turn], sizeof path[turn], "%s/%s", dir, name);
	return path[turn];
}

static int set_up(void **state)
{
	strcpy(dir, "/tmp/wbl-registry-XXXXXX");
	return mkdtemp(dir) && !mkdir(below("a"), 0755) && !mkdir(below("b"), 0755) &&
			       !mkdir(below("vendor.d"), 0755) && !mkdir(below("handlers.d"), 0755)
		       ? 0
		       : -1;
}

static int tear_down(void **state)
{
	char command[128];

	wbl_registry_free(registry);
	registry = NULL;
	snprintf(command, sizeof command, "rm -rf %s", dir);
	return system(command);
}

static void put(const char *name, const void *data, size_t len)
{
	struct wbl_error err;

	if (wbl_file_replace(below(name), data, len, 0644, &err))
		fail_msg("%s", said(&err, NULL));
	assert_int_equal(chmod(below(name), 0644), 0);
}

static void put_conf(const char *name, const char *text)
{
	put(name, text, strlen(text));
}

/* A module file whose manifest names `module` and holds `rest`. */
static void put_module(const char *name, const char *module, const char *rest)
{
	char *text = wbl_strf(
		"manifest = 1; module = \"%s\"; id = \"org.example.%s\"; version = \"1.0\";\n%s",
		module, module, rest);
	size_t len;
	unsigned char *so = elf_write(text, 0, &len);

	put(name, so, len);
	free(so);
	free(text);
}

#define ABI "abi = { major = 1; minor = 0; };\n"

static void put_handler(const char *name, const char *module)
{
	char *rest = wbl_strf(ABI "handlers = ( { name = \"%s\"; } );", module);

	put_module(name, module, rest);
	free(rest);
}

static void load(void)
{
	const char *const dirs[] = { below("a"), below("absent"), below("b"), NULL };
	const char *const confs[] = { below("vendor.d"), below("handlers.d"), below("absent"),
		NULL };
	const struct wbl_registry_options o = { .dirs = dirs, .conf_dirs = confs };
	struct wbl_error err;

	wbl_registry_free(registry);
	registry = NULL;
	assert_int_equal(wbl_registry_load(&o, &registry, &err), 0);
}

static const struct wbl_module_entry *entry(const char *name)
{
	size_t i;

	for (i = 0; i < registry->count; i++)
		if (strstr(registry->entries[i].path, name))
			return &registry->entries[i];
	fail_msg("no entry %s", name);
	return NULL;
}

static void expect_refused(const char *name, const char *text)
{
	const struct wbl_module_entry *e = entry(name);

	assert_true(e->refused.code < 0);
	assert_string_equal(said(&e->refused, dir), text);
}

static void expect_usable(const char *name)
{
	const struct wbl_module_entry *e = entry(name);

	if (e->refused.code)
		fail_msg("%s", said(&e->refused, dir));
	assert_true(e->enabled);
	assert_non_null(e->manifest);
}

static void expect_missing(const char *name, const char *text)
{
	const struct wbl_provides *p;
	struct wbl_error err;

	assert_int_equal(wbl_registry_find(registry, "wbl.handler/1", name, &p, NULL, &err),
		WBL_E_NOT_FOUND);
	assert_string_equal(said(&err, dir), text);
}

static void test_found(void **state)
{
	const struct wbl_module_entry *e;
	const struct wbl_provides *p;
	char sum[WBL_SHA256_HEX];
	struct wbl_error err;
	json_t *j;

	put_handler("a/copy.so", "copy");
	put_handler("b/move.so", "move");
	put_conf("a/readme.txt", "no module");
	put_conf("a/.hidden.so", "no module");
	put_module("b/newer.so", "newer",
		"abi = { major = 1; minor = 99; }; needs = ( \"wbl.plan/1\" ); wants = ( "
		"\"wbl.dream/7\" ); stores = ( { name = \"copy\"; } );");
	load();
	assert_int_equal(registry->count, 3);
	assert_int_equal(registry->nproblems, 0);
	assert_int_equal(wbl_registry_find(registry, "wbl.handler/1", "move", &p, &e, &err), 0);
	assert_string_equal(p->name, "move");
	assert_string_equal(e->name, "move");
	assert_string_equal(e->path, below("b/move.so"));
	assert_int_equal(wbl_sha256_file(e->path, sum, &err), 0);
	assert_string_equal(e->sha256, sum);
	assert_int_equal(wbl_registry_find(registry, "wbl.store/1", "copy", &p, NULL, &err), 0);
	expect_missing("mvoe", " | there is no handler \"mvoe\" | Did you mean \"move\"?");
	expect_missing("zebra", " | there is no handler \"zebra\" | Known: copy, move.");
	j = wbl_registry_json(registry);
	assert_int_equal(json_array_size(json_object_get(j, "modules")), 3);
	assert_string_equal(
		wbl_json_str(json_array_get(json_object_get(j, "modules"), 0), "status"),
		"enabled");
	json_decref(j);
}

static void test_refused(void **state)
{
	put_handler("a/good.so", "good");
	put_handler("a/put-file.so", "put_file");
	put_handler("a/other.so", "another");
	put_conf("a/text.so",
		"This is a text of more than sixty-four bytes, and by no means a shared object.");
	put_module("a/old.so", "old", "abi = { major = 2; }; handlers = ( { name = \"old\"; } );");
	put_module("a/needy.so", "needy",
		ABI "needs = ( \"wbl.plan/1\", \"wbl.plan/2\" ); handlers = ( { name = \"needy\"; "
		    "} );");
	put_module("a/wrong.so", "wrong", ABI "handlers = (\n{ name = \"wrong\"; params = 1; } );");
	assert_int_equal(symlink(below("a/good.so"), below("a/link.so")), 0);
	assert_int_equal(mkdir(below("a/folder.so"), 0755), 0);
	put_handler("b/good.so", "good");
	put_module("b/twin.so", "twin",
		ABI "stores = ( { name = \"x\"; } ); handlers = ( { name = \"good\"; } );");
	load();
	expect_usable("a/good.so");
	expect_refused("put-file", "DIR/a/put-file.so | \"put-file.so\" is not the name of a "
				   "module file | Name it with a small "
				   "letter, then up to 31 of a-z, 0-9 and _, then .so.");
	expect_refused("other", "DIR/a/other.so | the file is named \"other.so\", its manifest "
				"says module = \"another\" | Give file "
				"and module the same name.");
	expect_refused("text",
		"DIR/a/text.so | is not an ELF shared object | Put only modules into this folder.");
	expect_refused("a/old.so",
		"DIR/a/old.so | is made for ABI 2, this engine has ABI 1 | Upgrade Whimbrel.");
	expect_refused("needy", "DIR/a/needy.so | needs the service \"wbl.plan/2\", which this "
				"engine does not offer | Upgrade "
				"Whimbrel; the nearest service here is \"wbl.plan/1\".");
	expect_refused("wrong", "DIR/a/wrong.so(manifest):4: handlers[0].params | expected a list "
				"of groups, found the number 1 | "
				"Write params = ( { ... } );");
	expect_refused("link",
		"DIR/a/link.so | is a link, not a regular file | Put the file itself there.");
	expect_refused("folder",
		"DIR/a/folder.so | is a folder, not a regular file | Put the file itself there.");
	expect_refused("b/good", "DIR/b/good.so | the module \"good\" stands already in "
				 "DIR/a/good.so, which comes first | Take one "
				 "of the two files away.");
	expect_refused("twin", "DIR/b/twin.so | the handler \"good\" is provided already by "
			       "DIR/a/good.so, which comes first | "
			       "Disable one of the two modules.");
	expect_missing("needy", "DIR/a/needy.so | the handler \"needy\" is refused: needs the "
				"service \"wbl.plan/2\", which this "
				"engine does not offer | Upgrade Whimbrel; the nearest service "
				"here is \"wbl.plan/1\".");
	expect_missing("text", "DIR/a/text.so | the handler \"text\" is refused: is not an ELF "
			       "shared object | Put only modules into "
			       "this folder.");
}

static void test_rights(void **state)
{
	struct wbl_error err;

	put_handler("a/group.so", "group");
	put_handler("a/anybody.so", "anybody");
	put_handler("b/below.so", "below");
	assert_int_equal(chmod(below("a/group.so"), 0664), 0);
	assert_int_equal(chmod(below("a/anybody.so"), 0646), 0);
	assert_int_equal(chmod(below("b"), 0775), 0);
	load();
	expect_refused("group", "DIR/a/group.so | the file can be written by its group (mode 0664) "
				"| Take the right away: chmod go-w.");
	expect_refused("anybody", "DIR/a/anybody.so | the file can be written by anybody (mode "
				  "0646) | Take the right away: chmod go-w.");
	expect_refused("below", "DIR/b | the folder can be written by its group (mode 0775) | Take "
				"the right away: chmod go-w.");
	assert_int_equal(wbl_module_vet(below("a/group.so"), true, &err), 0);
	assert_int_equal(chmod(below("b"), 0755), 0);
	load();
	expect_usable("below");
	assert_int_equal(chmod(dir, 0777), 0); /* a folder further up */
	load();
	expect_refused("below", "DIR | the folder can be written by anybody (mode 0777) | Take the "
				"right away: chmod go-w.");
	assert_int_equal(chmod(dir, 0700), 0);
}

/* A path through a link: the link's own folder counts too, and what it leads to. */
static void test_rights_behind_link(void **state)
{
	const char *const dirs[] = { below("link"), NULL };
	const struct wbl_registry_options o = { .dirs = dirs };
	struct wbl_error err;

	put_handler("b/below.so", "below");
	assert_int_equal(symlink(below("b"), below("link")), 0);
	assert_int_equal(wbl_registry_load(&o, &registry, &err), 0);
	expect_usable("below");
	wbl_registry_free(registry);
	registry = NULL;
	assert_int_equal(chmod(below("b"), 0777), 0);
	assert_int_equal(wbl_registry_load(&o, &registry, &err), 0);
	expect_refused("below", "DIR/b | the folder can be written by anybody (mode 0777) | Take "
				"the right away: chmod go-w.");
}

/* Only root can give files away: elsewhere there is nobody to take them from. */
static void test_foreign_owner(void **state)
{
	char text[256];

	put_handler("a/foreign.so", "foreign");
	put_handler("b/foreign_folder.so", "foreign_folder");
	if (geteuid()) {
		load();
		expect_usable("foreign.so");
		return;
	}
	assert_int_equal(chown(below("a/foreign.so"), 4711, 4711), 0);
	assert_int_equal(chown(below("b"), 4711, 4711), 0);
	load();
	snprintf(text, sizeof text,
		"DIR/%s | belongs to the user 4711, neither to root nor to the engine's user 0 | "
		"Give it to root, "
		"or to the user who runs the engine: chown.",
		"a/foreign.so");
	expect_refused("foreign.so", text);
	snprintf(text, sizeof text,
		"DIR/%s | belongs to the user 4711, neither to root nor to the engine's user 0 | "
		"Give it to root, "
		"or to the user who runs the engine: chown.",
		"b");
	expect_refused("foreign_folder.so", text);
}

static void test_settings(void **state)
{
	const struct wbl_module_entry *e;
	char *pin, sum[WBL_SHA256_HEX];
	struct wbl_error err;

	put_handler("a/copy.so", "copy");
	put_handler("a/move.so", "move");
	put_conf("vendor.d/copy.conf", "module = \"copy\";\nenabled = false;\n");
	put_conf("vendor.d/move.conf", "module = \"move\"; limits = { memory = \"256M\"; cpu = "
				       "\"10m\"; processes = 16; };\n"
				       "allow_setuid = true; run_as = \"root\";");
	put_conf("vendor.d/gone.conf", "module = \"gone\"; enabled = false;");
	load();
	assert_int_equal(registry->nproblems, 0);
	assert_string_equal(entry("copy")->set_by, below("vendor.d/copy.conf:2"));
	expect_missing("copy", "DIR/vendor.d/copy.conf:2 | the handler \"copy\" of the module "
			       "\"copy\" is disabled | Write enabled = "
			       "true; there, if it may be used.");
	e = entry("move");
	assert_true(e->memory_max == 256u << 20 && e->cpu_max_ns == INT64_C(600000000000) &&
		    e->processes_max == 16);
	assert_true(e->allow_setuid);
	assert_string_equal(e->run_as, "root");
	/* the operator's file of the same name takes the vendor's place as a whole */
	put_conf("handlers.d/copy.conf", "module = \"copy\";");
	put_conf("handlers.d/zz.conf",
		"module = \"move\"; enabled = false; reason = \"see ticket 12\";");
	load();
	expect_usable("copy");
	assert_true(entry("move")->memory_max == 256u << 20);
	expect_missing("move", "DIR/handlers.d/zz.conf:1 | the handler \"move\" of the module "
			       "\"move\" is disabled: see ticket 12 | "
			       "Write enabled = true; there, if it may be used.");
	/* pins */
	assert_int_equal(wbl_sha256_file(below("a/copy.so"), sum, &err), 0);
	pin = wbl_strf("module = \"copy\"; sha256 = \"%s\";", sum);
	put_conf("handlers.d/copy.conf", pin);
	free(pin);
	load();
	expect_usable("copy");
	put_module("a/copy.so", "copy",
		ABI "handlers = ( { name = \"copy\"; description = \"changed\"; } );");
	load();
	assert_true(entry("copy")->refused.code < 0);
	assert_non_null(strstr(entry("copy")->refused.text, "is not the file that "));
}

static const struct {
	const char *file, *text, *said;
} bad[] = {
	{ "copy.conf", "module = \"copy\";\nenable = true;",
		"DIR/handlers.d/copy.conf:2: enable | the setting \"enable\" is not known here | "
		"Did you mean \"enabled\"?" },
	{ "x.conf", "enabled = true;",
		"DIR/handlers.d/x.conf | the setting \"module\" is missing | Add module = "
		"\"...\";" },
	{ "copy.conf", "module = \"copy\"; enabled = \"yes\";",
		"DIR/handlers.d/copy.conf:1: enabled | expected true or false, found the text "
		"\"yes\" | Write enabled = true;" },
	{ "copy.conf", "module = \"copy\"; sha256 = \"ABC\";",
		"DIR/handlers.d/copy.conf:1: sha256 | expected 64 of 0-9 and a-f | Copy it from: "
		"sha256sum FILE." },
	{ "copy.conf", "module = \"copy\"; limits = {\n memory = \"12 elephants\"; };",
		"DIR/handlers.d/copy.conf:2: limits.memory | expected a size, found the text \"12 "
		"elephants\" | Write bytes, or a text "
		"such as \"64M\" or \"2G\"." },
	{ "copy.conf", "module = \"copy\"; limits = { memory = 4096; };",
		"DIR/handlers.d/copy.conf:1: limits.memory | the size is 4096, the smallest "
		"allowed is 1048576 | Give a larger one." },
	{ "copy.conf", "module = \"copy\"; limits = { cpu = \"1ms\"; };",
		"DIR/handlers.d/copy.conf:1: limits.cpu | the duration is 1000000ns, the smallest "
		"allowed is 1s | Give a larger one." },
	{ "copy.conf", "module = \"copy\"; limits = { disk = 1; };",
		"DIR/handlers.d/copy.conf:1: limits.disk | the setting \"disk\" is not known here "
		"| Known: memory, cpu, processes." },
	{ "copy.conf", "module = \"copy\"; run_as = \"no such user\";",
		"DIR/handlers.d/copy.conf:1: run_as | there is no user \"no such user\" on this "
		"machine | Make the user first, or name "
		"another." },
	{ "x.conf", "module = \"cpoy\";",
		"DIR/handlers.d/x.conf:1: module | there is no module \"cpoy\" in the module "
		"folders | Did you mean \"copy\"?" },
	{ "x.conf", "module = \"a/b\";",
		"DIR/handlers.d/x.conf:1: module | \"a/b\" is not the name of a module | Give the "
		"file name of the module without .so." },
	{ "20-copy.conf", "module = ",
		"DIR/handlers.d/20-copy.conf:1 | not valid libconfig text: syntax error | Look at "
		"this line and the one before it: a "
		"setting is name = value; and brackets come in pairs." },
	{ "copy.conf", "module = \"copy\";\n@include \"/etc/passwd\"",
		"DIR/handlers.d/copy.conf:2:1 | @include is not allowed here | Put all settings "
		"into one file." },
};

static void test_bad_settings(void **state)
{
	size_t i;

	put_handler("a/copy.so", "copy");
	put_handler("a/move.so", "move");
	for (i = 0; i < WBL_COUNT(bad); i++) {
		char name[64];

		snprintf(name, sizeof name, "handlers.d/%s", bad[i].file);
		put_conf(name, bad[i].text);
		load();
		assert_int_equal(registry->nproblems, 1);
		assert_string_equal(said(&registry->problems[0], dir), bad[i].said);
		expect_usable("move");
		if (strstr(bad[i].file,
			    "copy")) { /* else a typing mistake would lift a ban or a pin */
			assert_true(entry("copy")->refused.code < 0);
			assert_non_null(strstr(entry("copy")->refused.text,
				"the settings of this module are wrong, so it is not used: "));
		} else {
			expect_usable("copy");
		}
		unlink(below(name));
	}
	put_conf("handlers.d/copy.conf", "module = \"copy\";");
	assert_int_equal(chmod(below("handlers.d/copy.conf"), 0666), 0);
	load();
	assert_string_equal(said(&registry->problems[0], dir),
		"DIR/handlers.d/copy.conf | the file can be written by anybody (mode 0666) | Take "
		"the right away: chmod go-w.");
}

/* A package that was upgraded under a running engine: the manifest we know is not that of the file which stands there. */
static void test_replaced(void **state)
{
	const struct wbl_module_entry *e;
	const struct wbl_provides *p;
	struct wbl_error err;

	put_handler("a/copy.so", "copy");
	load();
	put_module("a/copy.so", "copy",
		ABI "handlers = ( { name = \"copy\"; description = \"new\"; } );");
	assert_int_equal(wbl_registry_find(registry, "wbl.handler/1", "copy", &p, &e, &err),
		WBL_E_UNAVAILABLE);
	assert_string_equal(said(&err, dir),
		"DIR/a/copy.so | the module file was replaced or removed after the engine had read "
		"it | Reload the engine's "
		"modules, then plan again.");
	load();
	assert_int_equal(wbl_registry_find(registry, "wbl.handler/1", "copy", &p, &e, &err), 0);
	assert_int_equal(strlen(e->sha256), 64);
}

/* The second of two providers of a name serves as soon as the first is disabled. */
static void test_disabled_makes_room(void **state)
{
	const struct wbl_module_entry *e;
	const struct wbl_provides *p;
	struct wbl_error err;

	put_handler("a/copy.so", "copy");
	put_module("b/copy_two.so", "copy_two", ABI "handlers = ( { name = \"copy\"; } );");
	put_conf("handlers.d/copy.conf", "module = \"copy\"; enabled = false;");
	load();
	assert_int_equal(wbl_registry_find(registry, "wbl.handler/1", "copy", &p, &e, &err), 0);
	assert_string_equal(e->name, "copy_two");
}

#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_found),
		T(test_refused),
		T(test_rights),
		T(test_rights_behind_link),
		T(test_foreign_owner),
		T(test_settings),
		T(test_bad_settings),
		T(test_replaced),
		T(test_disabled_makes_room),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
