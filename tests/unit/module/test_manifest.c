/* tests of core/module/manifest.c, param_schema.c and note.c: a manifest is read from text and from a shared object;
 * wrong ones are refused with line, path, expectation and a suggestion; hostile objects never do harm.
 * req: H3 H5 V3 U4
 * SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/base/file.h"
#include "core/module/manifest.h"
#include "tests/unit/module/elf_write.h"
#include "tests/unit/module/said.h"

#define HEAD                                                                                       \
	"manifest = 1; module = \"m\"; id = \"org.example.m\"; version = \"1.0\"; abi = { major "  \
	"= 1; minor = 0; };\n"
#define HANDLER "handlers = ( { name = \"h\"; } );\n"
#define PARAM(p) HEAD "handlers = ( { name = \"h\"; params = (\n{ " p " } ); } );\n"
#define P0 "f:3: handlers[0].params[0]"
#define NAMES "Use a small letter, then up to 31 of a-z, 0-9 and _."

static const char whole[] =
	"manifest = 1;\nmodule = \"put_file\"; id = \"org.example.put_file\"; version = "
	"\"0.1.0\";\n"
	"abi = { major = 1; minor = 3; }; license = \"Apache-2.0\"; vendor = \"V\"; homepage = "
	"\"https://example.org\";\n"
	"description = \"Puts.\"; needs = ( \"wbl.plan/1\", \"wbl.run/1\" ); wants = [ "
	"\"wbl.fault/1\" ];\n"
	"handlers = ( { name = \"put_file\"; family = \"data\"; description = \"D\"; ops = ( "
	"\"put\" );\n"
	"  fault_points = [ \"kept\" ]; upgrades_from = ( \"0.0.9\" );\n"
	"  params = ( { name = \"path\"; type = \"path\"; required = true; description = "
	"\"Where\"; example = \"/etc/motd\"; },\n"
	"    { name = \"mode\"; type = \"enum\"; values = ( \"a\", \"b\" ); default = \"b\"; since "
	"= \"0.1\"; },\n"
	"    { name = \"room\"; type = \"size\"; default = \"64M\"; min = \"1K\"; max = "
	"1099511627776L; },\n"
	"    { name = \"wait\"; type = \"duration\"; default = 90; min = \"1s\"; max = 7200; },\n"
	"    { name = \"rate\"; type = \"float\"; default = 1; min = 0; max = 2; },\n"
	"    { name = \"source\"; type = \"peer\"; interface = \"wbl.store/1\"; required = true; "
	"},\n"
	"    { name = \"key\"; type = \"secret\"; deprecated = \"Use token.\"; },\n"
	"    { name = \"tables\"; type = \"list\"; min = 1; items = { type = \"group\"; params = "
	"(\n"
	"      { name = \"name\"; type = \"string\"; required = true; pattern = \"^[a-z]{1,9}$\"; "
	"} ); }; },\n"
	"    { name = \"labels\"; type = \"map\"; items = { type = \"string\"; }; },\n"
	"    { name = \"n\"; type = \"int\"; example = 5; } ); } );\n"
	"stores = ( { name = \"sqlite\"; capabilities = ( \"write\", \"sql\" ); params = ( { name "
	"= \"path\"; type = \"path\"; } ); } );\n"
	"routers = ( { name = \"put_file\"; } ); transforms = ( { name = \"t\"; } );\n";

static void test_whole(void **state)
{
	struct wbl_manifest *m;
	struct wbl_error err = { 0 };
	const struct wbl_param *p;
	json_t *j;

	if (wbl_manifest_parse(whole, sizeof whole - 1, "f", &m, &err))
		fail_msg("%s", said(&err, NULL));
	assert_string_equal(m->module, "put_file");
	assert_string_equal(m->license, "Apache-2.0");
	assert_int_equal(m->abi_minor, 3);
	assert_string_equal(m->needs[1], "wbl.run/1");
	assert_null(m->needs[2]);
	assert_string_equal(m->wants[0], "wbl.fault/1");
	assert_int_equal(m->nprovides, 4);
	assert_string_equal(m->provides[0].interface, "wbl.handler/1");
	assert_string_equal(m->provides[0].family, "data");
	assert_string_equal(m->provides[0].upgrades_from[0], "0.0.9");
	assert_string_equal(m->provides[1].capabilities[1], "sql");
	assert_null(m->provides[1].ops[0]);
	assert_string_equal(m->provides[2].interface, "wbl.router/1");
	assert_string_equal(m->provides[3].interface, "wbl.transform/1");
	assert_int_equal(m->provides[0].nparams, 10);
	p = m->provides[0].params;
	assert_true(p[0].required && p[0].type == WBL_PARAM_PATH);
	assert_string_equal(p[1].values[1], "b");
	assert_string_equal(json_string_value(p[1].fallback), "b");
	assert_int_equal(json_integer_value(p[2].fallback), 64 << 20);
	assert_true(p[2].has_min && p[2].min == 1024 && p[2].max == INT64_C(1) << 40);
	assert_int_equal(json_integer_value(p[3].fallback), INT64_C(90000000000));
	assert_true(p[3].min == INT64_C(1000000000) && p[3].max == INT64_C(7200000000000));
	assert_true(json_is_real(p[4].fallback));
	assert_string_equal(p[5].interface, "wbl.store/1");
	assert_true(p[6].secret);
	assert_string_equal(p[6].deprecated, "Use token.");
	assert_true(p[7].items->type == WBL_PARAM_GROUP && p[7].items->params[0].required);
	assert_string_equal(p[7].items->name, "");
	assert_string_equal(p[9].example, "5");
	j = wbl_manifest_json(m);
	assert_string_equal(wbl_json_str(json_array_get(json_object_get(j, "provides"), 0), "name"),
		"put_file");
	assert_int_equal(json_array_size(json_object_get(
				 json_array_get(json_object_get(j, "provides"), 0), "params")),
		10);
	json_decref(j);
	wbl_manifest_free(m);
}

static const struct {
	const char *text, *said;
} bad[] = {
	{ "", "f | the setting \"manifest\" is missing | Add manifest = 1;" },
	{ "manifest = 2;" HEAD,
		"f:1 | a setting with this name stands here already | Keep one of them." },
	{ "manifest = 2; module = \"m\"; id = \"a.b\"; version = \"1\"; abi = { major = 1; };",
		"f:1: manifest | grammar 2 is not known; this engine reads grammar 1 | Use a newer "
		"Whimbrel, or write manifest = 1;" },
	{ "manifest = \"1\";", "f:1: manifest | expected a whole number, found the text \"1\" | "
			       "Write manifest = 1;" },
	{ "manifest = 1;\nmodul = \"m\";",
		"f:2: modul | the setting \"modul\" is not known here | Did you mean \"module\"?" },
	{ "manifest = 1; module = \"m\"; id = \"a.b\"; abi = { major = 1; };",
		"f | the setting \"version\" is missing | Add version = \"...\";" },
	{ "manifest = 1; module = \"put-file\"; id = \"a.b\"; version = \"1\"; abi = { major = 1; "
	  "};" HANDLER,
		"f:1: module | \"put-file\" is not the name of a module | " NAMES },
	{ "manifest = 1; module = \"m\";\nid = \"m\"; version = \"1\"; abi = { major = 1; };",
		"f:2: id | \"m\" is not a reverse domain name | Turn a domain of yours around: "
		"\"org.example.copy\"." },
	{ "manifest = 1; module = \"m\"; id = \"a.b\";\n\nversion = \"v1\"; abi = { major = 1; };",
		"f:3: version | \"v1\" is not a version | Write a version such as \"1.2.0\"." },
	{ "manifest = 1; module = \"m\"; id = \"a.b\"; version = \"1\"; abi = 1;",
		"f:1: abi | expected a group, found the number 1 | Write abi = { ... };" },
	{ "manifest = 1; module = \"m\"; id = \"a.b\"; version = \"1\"; abi = { minor = 1; };",
		"f:1: abi | the setting \"major\" is missing | Add major = 1;" },
	{ "manifest = 1; module = \"m\"; id = \"a.b\"; version = \"1\"; abi = { major = 0; };",
		"f:1: abi.major | the ABI's major version cannot be 0 | Write abi = { major = 1; "
		"minor = 0; };" },
	{ HEAD, "f | the module provides nothing | Add handlers, stores, routers or transforms." },
	{ HEAD HANDLER "needs = ( \"plan\" );",
		"f:3: needs[0] | \"plan\" is not the id of a service | Write a service and its "
		"revision: \"wbl.plan/1\"." },
	{ HEAD HANDLER "needs = \"wbl.plan/1\";",
		"f:3: needs | expected a list of texts, found the text \"wbl.plan/1\" | Write "
		"needs = ( \"...\" );" },
	{ HEAD HANDLER "wants = ( \"wbl.plan/1\", 2 );",
		"f:3: wants | expected a list of texts, found the number 2 | Write wants = ( "
		"\"...\" );" },
	{ HEAD "handlers = { name = \"h\"; };", "f:2: handlers | expected a list of groups, found "
						"a group | Write handlers = ( { ... } );" },
	{ HEAD "handlers = ( { family = \"data\"; } );",
		"f:2: handlers[0] | the setting \"name\" is missing | Add name = \"...\";" },
	{ HEAD "handlers = ( { name = \"H\"; } );",
		"f:2: handlers[0].name | \"H\" is not a valid name | " NAMES },
	{ HEAD "handlers = ( { name = \"h\"; },\n { name = \"h\"; } );",
		"f:3: handlers[1].name | \"h\" is provided twice | Give each its own name." },
	{ HEAD "handlers = ( { name = \"h\"; parms = ( ); } );",
		"f:2: handlers[0].parms | the setting \"parms\" is not known here | Did you mean "
		"\"params\"?" },
	{ PARAM("type = \"string\";"),
		P0 " | the setting \"name\" is missing | Add name = \"...\";" },
	{ PARAM("name = \"p\";"), P0 " | the setting \"type\" is missing | Add type = \"...\";" },
	{ PARAM("name = \"p\"; type = \"strng\";"),
		P0 ".type | \"strng\" is not a type | Did you mean \"string\"?" },
	{ PARAM("name = \"p\"; type = \"object\";"),
		P0 ".type | \"object\" is not a type | Known: string, int, float, bool, enum, "
		   "size, duration, path, url, secret, "
		   "list, group, map, peer." },
	{ PARAM("name = \"p-q\"; type = \"int\";"),
		P0 ".name | \"p-q\" is not a valid name | " NAMES },
	{ PARAM("name = \"p\"; type = \"int\"; }, { name = \"p\"; type = \"int\";"),
		"f:3: handlers[0].params[1].name | there are two parameters \"p\" | Give each its "
		"own name." },
	{ PARAM("name = \"p\"; type = \"int\"; requird = true;"),
		P0 ".requird | the setting \"requird\" is not known here | Did you mean "
		   "\"required\"?" },
	{ PARAM("name = \"p\"; type = \"int\"; required = 1;"), P0
		".required | expected true or false, found the number 1 | Write required = true;" },
	{ PARAM("name = \"p\"; type = \"int\"; required = true; default = 1;"),
		P0 ".default | a required parameter cannot have a default | Keep one of them." },
	{ PARAM("name = \"p\"; type = \"int\"; required = true; deprecated = \"x\";"),
		P0 ".deprecated | a required parameter cannot be deprecated | Make it optional "
		   "first." },
	{ PARAM("name = \"p\"; type = \"bool\"; min = 1;"),
		P0 ".min | a parameter of type bool has no \"min\" | Take it away, or choose "
		   "another type." },
	{ PARAM("name = \"p\"; type = \"int\"; pattern = \"x\";"),
		P0 ".pattern | a parameter of type int has no \"pattern\" | Take it away, or "
		   "choose another type." },
	{ PARAM("name = \"p\"; type = \"path\"; secret = true;"),
		P0 ".secret | a parameter of type path has no \"secret\" | Take it away, or choose "
		   "another type." },
	{ PARAM("name = \"p\"; type = \"string\"; values = ( \"a\" );"),
		P0 ".values | a parameter of type string has no \"values\" | Take it away, or "
		   "choose another type." },
	{ PARAM("name = \"p\"; type = \"enum\";"),
		P0 " | a parameter of type enum needs \"values\" | docs/manifest.md lists what "
		   "each type needs." },
	{ PARAM("name = \"p\"; type = \"enum\"; values = ( );"),
		P0 ".values | there are no values | Write values = ( \"a\", \"b\" );" },
	{ PARAM("name = \"p\"; type = \"enum\"; values = ( \"on\", \"off\" ); default = \"offf\";"),
		P0 ".default | the default does not fit: expected \"on\", \"off\", found \"offf\" "
		   "| Did you mean \"off\"?" },
	{ PARAM("name = \"p\"; type = \"int\"; min = 5; max = 4;"),
		P0 ".max | \"max\" is smaller than \"min\" | Exchange them." },
	{ PARAM("name = \"p\"; type = \"int\"; min = 1.5;"),
		P0 ".min | expected a bound of type int, found the number 1.5 | Write a whole "
		   "number; for sizes and durations also "
		   "\"64M\" or \"2h\"." },
	{ PARAM("name = \"p\"; type = \"int\"; max = 3; default = 4;"),
		P0 ".default | the default does not fit: the number is 4, the largest allowed is 3 "
		   "| Give a smaller one." },
	{ PARAM("name = \"p\"; type = \"string\"; pattern = \"[a\";"),
		P0 ".pattern | the pattern cannot be read: Unmatched [, [^, [:, [., or [= | Write "
		   "a POSIX extended regular "
		   "expression." },
	{ PARAM("name = \"p\"; type = \"string\"; pattern = \"((a{99}){99}){99}\";"),
		P0 ".pattern | the pattern repeats more than 1000 times, or has a back-reference | "
		   "Make it simpler." },
	{ PARAM("name = \"p\"; type = \"secret\"; default = \"file:/x\";"),
		P0 ".default | a parameter of type secret has no \"default\" | Take it away, or "
		   "choose another type." },
	{ PARAM("name = \"p\"; type = \"string\"; secret = true; default = \"env:X\";"),
		P0 ".default | a secret cannot have a default | Take it away." },
	{ PARAM("name = \"p\"; type = \"peer\"; interface = \"wbl.stor/1\";"),
		P0 ".interface | \"wbl.stor/1\" is not an interface that a parameter can name | "
		   "Did you mean \"wbl.store/1\"?" },
	{ PARAM("name = \"p\"; type = \"list\"; items = { name = \"x\"; type = \"int\"; };"),
		P0 ".items | elements have no name | Take the name away." },
	{ PARAM("name = \"p\"; type = \"list\"; items = { type = \"group\"; };"),
		P0 ".items | a parameter of type group needs \"params\" | docs/manifest.md lists "
		   "what each type needs." },
	{ HEAD "stores = ( { name = \"s\"; params = (\n{ name = \"store\"; type = \"int\"; } ); } "
	       ");",
		"f:3: stores[0].params[0].name | the name \"store\" is taken: with it a spec says "
		"what to open | Choose another "
		"name." },
	{ HEAD "handlers = ( { name = \"h\"; } );\n@include \"x\"",
		"f:3:1 | @include is not allowed here | Put all settings into one file." },
};

static void test_refused(void **state)
{
	struct wbl_manifest *m;
	struct wbl_error err;
	size_t i;

	for (i = 0; i < WBL_COUNT(bad); i++) {
		int32_t rc = wbl_manifest_parse(bad[i].text, strlen(bad[i].text), "f", &m, &err);

		if (!rc)
			fail_msg("accepted: %s", bad[i].text);
		assert_int_equal(rc, WBL_E_USAGE);
		assert_string_equal(said(&err, NULL), bad[i].said);
	}
}

static int in_memory(const unsigned char *p, size_t len)
{
	int fd = memfd_create("elf", MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(wbl_write_all(fd, p, len), 0);
	return fd;
}

static int32_t read_elf(const unsigned char *p, size_t len, struct wbl_error *err)
{
	struct wbl_manifest *m = NULL;
	int fd = in_memory(p, len);
	int32_t rc = wbl_manifest_read(fd, "m.so", &m, err);

	if (!rc)
		assert_string_equal(m->module, "m");
	wbl_manifest_free(m);
	close(fd);
	return rc;
}

static void test_note(void **state)
{
	static const unsigned ways[] = { 0, ELF_BY_SECTIONS };
	struct wbl_error err = { 0 };
	unsigned char *p;
	size_t i, len;

	for (i = 0; i < WBL_COUNT(ways); i++) {
		p = elf_write(HEAD HANDLER, ways[i], &len);
		if (read_elf(p, len, &err))
			fail_msg("%s", said(&err, NULL));
		free(p);
	}
	p = elf_write("manifest = 1;\nmodule = 5;", 0, &len);
	assert_int_equal(read_elf(p, len, &err), WBL_E_USAGE);
	assert_string_equal(said(&err, NULL), "m.so(manifest):2: module | expected a text, found "
					      "the number 5 | Write module = \"...\";");
	free(p);
}

struct elf_row {
	unsigned how;
	size_t at; /* of the 8 bytes that are replaced; 0: none */
	uint64_t value;
	size_t bytes;
	const char *said;
};

#define EH(member) offsetof(Elf64_Ehdr, member),
#define PH(member) (sizeof(Elf64_Ehdr) + offsetof(Elf64_Phdr, member)),
#define DAMAGED " | Build or install the module again."
#define REBUILD " | Build the module for this machine."

static const struct elf_row elves[] = {
	{ 0, 0, 0x20202020, 4,
		"m.so | is not an ELF shared object | Put only modules into this folder." },
	{ 0, EI_CLASS, ELFCLASS32, 1, "m.so | is a 32-bit object" REBUILD },
	{ 0, EI_DATA, ELFDATA2MSB, 1, "m.so | is a big-endian object" REBUILD },
	{ 0, EH(e_machine) EM_SPARCV9, 2, NULL },
	{ 0, EH(e_type) ET_REL, 2,
		"m.so | is an ELF file of type 1, not a shared object | Link it with -module "
		"-shared." },
	{ 0, EH(e_phoff) UINT64_MAX, 8,
		"m.so | the shared object is damaged: its program headers cannot be read" DAMAGED },
	{ 0, EH(e_phoff) UINT64_MAX - 55, 8,
		"m.so | the shared object is damaged: its program headers cannot be read" DAMAGED },
	{ 0, EH(e_phnum) 0xffff, 2,
		"m.so | the shared object is damaged: its program headers cannot be read" DAMAGED },
	{ 0, EH(e_phentsize) 1, 2,
		"m.so | the shared object is damaged: its program headers cannot be read" DAMAGED },
	{ 0, PH(p_offset) UINT64_MAX - 8, 8,
		"m.so | the shared object is damaged: its notes lie outside the file" DAMAGED },
	{ 0, PH(p_filesz) UINT64_MAX - 8, 8,
		"m.so | the shared object is damaged: its notes lie outside the file" DAMAGED },
	{ 0, PH(p_filesz) 40, 8,
		"m.so | the shared object is damaged: a note reaches beyond its end" DAMAGED },
	{ 0, 120, 0xffffffff, 4,
		"m.so | the shared object is damaged: a note reaches beyond its end" DAMAGED },
	{ 0, 124, 0xffffffff, 4,
		"m.so | the shared object is damaged: a note reaches beyond its end" DAMAGED },
	{ ELF_BY_SECTIONS, EH(e_shoff) UINT64_MAX - 3, 8,
		"m.so | the shared object is damaged: its section headers cannot be read" DAMAGED },
	{ ELF_BY_SECTIONS, EH(e_shnum) 0xfff0, 2,
		"m.so | the shared object is damaged: its section headers cannot be read" DAMAGED },
	{ ELF_TWICE, EH(e_version) 1, 4,
		"m.so | holds more than one manifest | Use WBL_MODULE in one file of the module "
		"only." },
	{ ELF_NO_NOTE, EH(e_version) 1, 4,
		"m.so | is a shared object without a Whimbrel manifest | Link an object with "
		"WBL_MODULE(...) into it; its "
		"manifest becomes the note." },
	{ ELF_BY_SECTIONS | ELF_NO_NOTE, EH(e_shoff) 0, 8,
		"m.so | is a shared object without a Whimbrel manifest | Link an object with "
		"WBL_MODULE(...) into it; its "
		"manifest becomes the note." },
};

static void test_bad_objects(void **state)
{
	struct wbl_error err;
	size_t i, len;

	for (i = 0; i < WBL_COUNT(elves); i++) {
		unsigned char *p = elf_write(HEAD HANDLER, elves[i].how, &len);

		memcpy(p + elves[i].at, &elves[i].value,
			elves[i].bytes); /* little-endian, as all that we read */
		assert_int_equal(read_elf(p, len, &err), WBL_E_USAGE);
		if (elves[i].said)
			assert_string_equal(said(&err, NULL), elves[i].said);
		else
			assert_non_null(strstr(err.text, "is built for SPARC, this machine is "));
		free(p);
	}
	assert_int_equal(read_elf((const unsigned char *)"short", 5, &err), WBL_E_USAGE);
	assert_string_equal(said(&err, NULL), "m.so | is not an ELF shared object: only 5 bytes | "
					      "Put only modules into this folder.");
}

/* A number of sections in the first header, as large objects have it, must not make us read gigabytes. */
static void test_many_sections(void **state)
{
	struct wbl_error err;
	size_t len;
	unsigned char *p = elf_write(HEAD HANDLER, ELF_BY_SECTIONS, &len);
	Elf64_Ehdr h;
	uint64_t count = UINT64_MAX / 64 + 2;

	memcpy(&h, p, sizeof h);
	h.e_shnum = 0;
	memcpy(p, &h, sizeof h);
	memcpy(p + h.e_shoff + offsetof(Elf64_Shdr, sh_size), &count, sizeof count);
	assert_int_equal(read_elf(p, len, &err), WBL_E_USAGE);
	assert_string_equal(
		err.text, "the shared object is damaged: its section headers cannot be read");
	count = 2;
	memcpy(p + h.e_shoff + offsetof(Elf64_Shdr, sh_size), &count, sizeof count);
	assert_int_equal(read_elf(p, len, &err), 0);
	free(p);
}

#ifdef WBL_SHARED
/* The linker's own object: cut at every byte of its headers and notes, then every byte there turned around. */
static void test_real_object_mutilated(void **state)
{
	const char *build = getenv("WBL_BUILD");
	char path[1024];
	struct wbl_buf so = { 0 };
	struct wbl_error err = { 0 };
	struct wbl_manifest *m;
	size_t i, all;
	int fd;

	snprintf(path, sizeof path, "%s/tests/bin/.libs/note_module.so", build ? build : ".");
	if (wbl_file_read(path, 1u << 22, &so, &err))
		fail_msg("%s", said(&err, NULL));
	fd = in_memory((unsigned char *)so.data, so.len);
	if (wbl_manifest_read(fd, "m.so", &m, &err))
		fail_msg("%s", said(&err, NULL));
	assert_string_equal(m->module, "note_module");
	wbl_manifest_free(m);
	all = so.len < 4096 ? so.len : 4096;
	for (i = 0; i < all; i++) {
		unsigned char other = (unsigned char)so.data[i] ^ 0xff;

		assert_int_equal(pwrite(fd, &other, 1, (off_t)i), 1);
		if (!wbl_manifest_read(fd, "m.so", &m, &err))
			wbl_manifest_free(m);
		assert_int_equal(pwrite(fd, so.data + i, 1, (off_t)i), 1);
	}
	for (i = all; i-- > 0;) {
		assert_int_equal(ftruncate(fd, (off_t)i), 0);
		if (!wbl_manifest_read(fd, "m.so", &m, &err))
			wbl_manifest_free(m);
		else
			assert_true(err.text[0]);
	}
	close(fd);
	wbl_buf_clear(&so);
}
#endif

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_whole),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_note),
		cmocka_unit_test(test_bad_objects),
		cmocka_unit_test(test_many_sections),
#ifdef WBL_SHARED
		cmocka_unit_test(test_real_object_mutilated),
#endif
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
