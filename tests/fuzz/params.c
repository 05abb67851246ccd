/* fuzz: parameters of every type and shape against a schema that has all types, by way of JSON built from the input.
 * What is accepted is accepted again as JSON text, and never holds a literal secret.
 * req: H5 Q4 U5
 * SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <stdlib.h>
#include <string.h>

#include "core/module/params.h"
#include "core/module/registry.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char schema[] =
	"manifest = 1; module = \"m\"; id = \"org.example.m\"; version = \"1\"; abi = { major = 1; "
	"};\n"
	"handlers = ( { name = \"h\"; params = ( { name = \"a\"; type = \"path\"; }, { name = "
	"\"b\"; type = \"enum\"; values = ( \"x\", "
	"\"yes\" ); default = \"x\"; }, { name = \"c\"; type = \"size\"; min = \"1K\"; }, { name = "
	"\"d\"; type = \"duration\"; max = \"2h\"; },\n"
	"{ name = \"e\"; type = \"string\"; pattern = \"^[a-z]{1,9}$\"; max = 5; }, { name = "
	"\"f\"; type = \"list\"; items = { type = "
	"\"group\"; params = ( { name = \"a\"; type = \"float\"; default = 1.5; max = 3; }, { name "
	"= \"f\"; type = \"list\"; items = { type = "
	"\"path\"; }; default = ( \"p\" ); } ); }; },\n"
	"{ name = \"g\"; type = \"map\"; items = { type = \"url\"; }; }, { name = \"i\"; type = "
	"\"peer\"; interface = \"wbl.store/1\"; },\n"
	"{ name = \"j\"; type = \"secret\"; }, { name = \"k\"; type = \"int\"; min = -5; max = 5; "
	"deprecated = \"no\"; }, { name = \"l\"; "
	"type = \"bool\"; } ); } );\n"
	"stores = ( { name = \"s\"; params = ( { name = \"a\"; type = \"path\"; required = true; "
	"}, { name = \"i\"; type = \"peer\"; interface "
	"= \"wbl.store/1\"; }, { name = \"j\"; type = \"string\"; secret = true; } ); } );\n";

struct input {
	const uint8_t *p;
	size_t size;
};

static unsigned take(struct input *in)
{
	return in->size ? (in->size--, *in->p++) : 0;
}

static json_t *text(struct input *in)
{
	static const char *const known[] = { "", "x", "yes", "s", "/a/../b", "64M", "2h",
		"http://u:p@h/", "https://h/", "file:/k", "file:k", "env:K", "~", "abc", "..",
		"@crm" };
	unsigned n = take(in);
	char own[16];
	size_t i;

	if (n < 128)
		return json_string(known[n % WBL_COUNT(known)]);
	for (i = 0; i < n % sizeof own; i++)
		own[i] = (char)take(in);
	json_t *j = json_stringn(own, i);
	return j && !memchr(own, '\0', i) ? j : (json_decref(j), json_string("z"));
}

static json_t *build(struct input *in, int depth)
{
	static const char *const names[] = { "a", "b", "c", "d", "e", "f", "g", "i", "j", "k", "l",
		"store", "$secret", "zz" };
	unsigned kind = take(in) % 10, n = take(in), i;
	json_t *j;

	if (kind < 3 && depth < 6) {
		j = json_object();
		for (i = 0; i < n % 8; i++)
			json_object_set_new(
				j, names[take(in) % WBL_COUNT(names)], build(in, depth + 1));
		return j;
	}
	if (kind == 3 && depth < 6) {
		j = json_array();
		for (i = 0; i < n % 5; i++)
			json_array_append_new(j, build(in, depth + 1));
		return j;
	}
	if (kind == 4)
		return json_integer(n & 1 ? INT64_MAX - (int)n : (int)n - 128);
	if (kind == 5)
		return json_real((n - 128.0) / 7);
	if (kind == 6)
		return n & 1 ? json_true() : n & 2 ? json_false() : json_null();
	return text(in);
}

static struct wbl_registry *modules(void)
{
	static struct wbl_module_entry entry = {
		.name = (char *)"m", .path = (char *)"/m.so", .enabled = true
	};
	static struct wbl_registry r = { .entries = &entry, .count = 1 };
	struct wbl_error err;

	if (!entry.manifest &&
		wbl_manifest_parse(schema, sizeof schema - 1, "schema", &entry.manifest, &err)) {
		fprintf(stderr, "%s: %s\n", err.where, err.text);
		abort();
	}
	return &r;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct wbl_places places = { .dir = "/d" };
	struct input in = { data, size };
	struct wbl_registry *r = modules();
	json_t *given = build(&in, 0), *ret = NULL, *errors = NULL, *warnings = NULL;
	struct wbl_error err = { 0 };
	int32_t rc = wbl_params_check(&r->entries[0].manifest->provides[take(&in) & 1], r,
		take(&in) & 1 ? WBL_PARAMS_FOR_ASSESS : WBL_PARAMS_FOR_RUN, given, "o", &places,
		&ret, &errors, &warnings, &err);

	if ((rc == 0) != (json_array_size(errors) == 0) || (rc && !err.text[0]) || (!rc && !ret))
		abort();
	if (ret && json_object_get(ret, "j") && !wbl_json_str(json_object_get(ret, "j"), "$secret"))
		abort();
	json_decref(given);
	json_decref(ret);
	json_decref(errors);
	json_decref(warnings);
	return 0;
}
