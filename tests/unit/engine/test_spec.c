/* tests of core/engine/spec.c and its parts: every mistake is named with its place, what was expected and what to
 * do, all at once; good specs are filled in; hostile ones are refused.
 * req: H3 C6 U4 K1 P1 X1 E2
 * SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "core/engine/spec.h"
#include "tests/unit/engine/spec_world.h"

#define TEXT "handler = \"note\"; options = { text = \"x\"; };"
#define NOTE "migration: { " TEXT "\n "
#define WHOLE "migration: { " TEXT " };"
#define MOVER "migration: { handler = \"mover\"; source = \"@crm\"; target = \"@crm\"; options = {"

static struct world world;

static int32_t load_in(const struct wbl_environment *env, const char *text, size_t len,
	struct wbl_spec **ret, json_t **ret_errors, struct wbl_error *err)
{
	WBL_AUTOFREE char *dir = wbl_strf("%s/spec", world.dir);

	return wbl_spec_load("in/test.conf", dir, text, len, world.registry, env,
		WBL_PARAMS_FOR_RUN, ret, ret_errors, err);
}

static int32_t load(
	const char *text, struct wbl_spec **ret, json_t **ret_errors, struct wbl_error *err)
{
	return load_in(world.staging, text, strlen(text), ret, ret_errors, err);
}

/* Replaces the world's folder by DIR. The caller frees. */
static char *neutral(const char *s)
{
	struct wbl_buf out = { 0 };
	size_t n = strlen(world.dir);

	while (*s) {
		bool here = !strncmp(s, world.dir, n);

		wbl_buf_add(&out, here ? "DIR" : s, here ? 3 : 1);
		s += here ? n : 1;
	}
	return wbl_buf_take(&out);
}

/* "where | text | hint" of every error, a line each. The caller frees. */
static char *said(const json_t *errors)
{
	struct wbl_buf all = { 0 };
	WBL_AUTOFREE char *text = NULL;
	const char *hint;
	size_t i;
	json_t *j;

	json_array_foreach((json_t *)errors, i, j)
	{
		hint = wbl_json_str(j, "hint");
		wbl_buf_addf(&all, "%s%s | %s | %s", i ? "\n" : "", wbl_json_str(j, "where"),
			wbl_json_str(j, "text"), hint ? hint : "");
	}
	text = wbl_buf_take(&all);
	return neutral(text);
}

static const struct {
	const char *text, *said;
} bad[] = {
	/* syntax and scanner */
	{ "handler",
		"in/test.conf:1 | not valid libconfig text: syntax error | Look at this line and "
		"the one before it: a setting is name = value; and brackets come in pairs." },
	{ "migration: { handler = ; };",
		"in/test.conf:1 | not valid libconfig text: syntax error | Look at this line and "
		"the one before it: a setting is name = value; and brackets come in pairs." },
	{ "migration: { handler = \"note\"; handler = \"note\"; };",
		"in/test.conf:1 | a setting with this name stands here already | Keep one of "
		"them." },
	{ "migration: {\n  handler = \"note\";\n  options = { text = \"x\" };\n",
		"in/test.conf:3 | not valid libconfig text: syntax error | Look at this line and "
		"the one before it: a setting is name = value; and brackets come in pairs." },
	{ "migration: { attempts = 5000000000; };",
		"in/test.conf:1:25 | the integer 5000000000 does not fit into 32 bits and has no L "
		"behind it | Write an L behind it." },
	{ "migration: { attempts = 0x1ffffffff; };",
		"in/test.conf:1:25 | the integer 0x1ffffffff does not fit into 32 bits and has no "
		"L behind it | Write an L behind it." },
	{ "migration: { handler = \"note\\x00\"; };",
		"in/test.conf:1:29 | \\x00 would be dropped from the text | Texts cannot hold NUL "
		"bytes." },
	{ "migration: { description = \"\n\xe9\"; };",
		"in/test.conf:2:1 | a byte that is not UTF-8 | Save the file as UTF-8 text." },
	{ "migration: { /* never",
		"in/test.conf:1:14 | this comment is never closed | Close it with */." },
	{ "migration: { handler = \"never",
		"in/test.conf:1:24 | this string is never closed | Close it with a double quote." },
	{ "((((((((((((((((((((((((((((((((( )",
		"in/test.conf:1:33 | nested deeper than 32 | Make it flatter." },
	{ "\xef\xbb\xbfmigration: { };",
		"in/test.conf:1:1 | the file begins with a byte order mark | Save the file as "
		"UTF-8 without a byte order mark." },
	/* top level */
	{ "", "in/test.conf | there is no migration in it | Add migration: { handler = \"...\"; "
	      "... };" },
	{ "name = \"x\";", "in/test.conf | there is no migration in it | Add migration: { handler "
			   "= \"...\"; ... };" },
	{ "migraton: { };", "in/test.conf:1: migraton | \"migraton\" is not a setting of a spec | "
			    "Did you mean \"migration\"?\n"
			    "in/test.conf | there is no migration in it | Add migration: { handler "
			    "= \"...\"; ... };" },
	{ "migration: { handler = \"note\"; options = { text = \"x\"; }; }; colour = \"red\";",
		"in/test.conf:1: colour | \"colour\" is not a setting of a spec | Known: name, "
		"description, environment, barriers, migration, migrations." },
	{ "migration: { handler = \"note\"; options = { text = \"x\"; }; }; migrations = ( );",
		"in/test.conf:1: migrations | both \"migration\" and \"migrations\" are given | "
		"Put all of them into migrations = ( ... )." },
	{ "migration = 5;", "in/test.conf:1: migration | expected a group, found the number 5 | "
			    "Write { name = \"...\"; handler = \"...\"; ... }." },
	{ "migration = ( { } );", "in/test.conf:1: migration | expected a group, found a list | "
				  "Write { name = \"...\"; handler = \"...\"; ... }." },
	{ "migrations: { };",
		"in/test.conf:1: migrations | expected a list of groups, found a group | Write "
		"migrations = ( { ... }, { ... } ); or migration: { ... }; for a single one." },
	{ "migrations = ( );",
		"in/test.conf:1: migrations | the list is empty | Add a migration: { ... }." },
	{ "migrations = ( \"note\" );",
		"in/test.conf:1: migrations[0] | expected a group, found the text \"note\" | Write "
		"{ name = \"...\"; handler = \"...\"; ... }." },
	{ "name = \"Not A Name\";\n" WHOLE,
		"in/test.conf:1: name | expected a name, found the text \"Not A Name\" | Write up "
		"to 64 of a-z, 0-9, _ and -, beginning with a letter or digit: \"crm-to-new\"." },
	{ "name = [ \"x\" ];\n" WHOLE,
		"in/test.conf:1: name | expected a name, found a list | Write up to 64 of a-z, "
		"0-9, _ and -, beginning with a letter or digit: \"crm-to-new\"." },
	{ "name = \"-x\";\n" WHOLE,
		"in/test.conf:1: name | expected a name, found the text \"-x\" | Write up to 64 of "
		"a-z, 0-9, _ and -, beginning with a letter or digit: \"crm-to-new\"." },
	{ "description = 5;\n" WHOLE, "in/test.conf:1: description | expected a text, found the "
				      "number 5 | Put it in double quotes." },
	{ "environment = \"production\";\n" WHOLE,
		"in/test.conf:1: environment | the spec is for the environment \"production\", in "
		"use is \"staging\" | Add --env production, or change the spec." },
	{ "environment = 7;\n" WHOLE,
		"in/test.conf:1: environment | expected a name, found the number 7 | Write up to "
		"64 of a-z, 0-9, _ and -, beginning with a letter or digit: \"crm-to-new\"." },
	{ "barriers = \"fence\";\n" WHOLE,
		"in/test.conf:1: barriers | expected a list of names, found the text \"fence\" | "
		"Write [ \"first\", \"second\" ]." },
	{ "barriers = [ \"fence\", \"fence\" ];\n" WHOLE,
		"in/test.conf:1: barriers[1] | \"fence\" is named twice | Name it once." },
	{ "barriers = ( \"fence\", 5 );\n" WHOLE,
		"in/test.conf:1: barriers[1] | expected a name, found the number 5 | Write up to "
		"64 of a-z, 0-9, _ and -, beginning with a letter or digit: \"crm-to-new\"." },
	{ "barriers = [ \"Fence\" ];\n" WHOLE,
		"in/test.conf:1: barriers[0] | expected a name, found the text \"Fence\" | Write "
		"up to 64 of a-z, 0-9, _ and -, beginning with a letter or digit: "
		"\"crm-to-new\"." },
	/* migration */
	{ "migration: { };", "in/test.conf:1: migration | the setting \"handler\" is missing | "
			     "There are: mover (data), note (custom), grouped (session)." },
	{ "migration: {\n  handler = \"nott\"; };",
		"in/test.conf:2: migration.handler | there is no handler \"nott\" | Did you mean "
		"\"note\" (family custom)?" },
	{ "migration: { handler = \"zebra\"; };",
		"in/test.conf:1: migration.handler | there is no handler \"zebra\" | There are: "
		"mover (data), note (custom), grouped (session)." },
	{ "migration: { handler = \"mver\"; };",
		"in/test.conf:1: migration.handler | there is no handler \"mver\" | Did you mean "
		"\"mover\" (family data)?" },
	{ "migration: { handler = \"box\"; };",
		"in/test.conf:1: migration.handler | \"box\" is a store, not a handler | There "
		"are: mover (data), note (custom), grouped (session)." },
	{ "migration: { handler = \"upper\"; };",
		"in/test.conf:1: migration.handler | \"upper\" is a transform, not a handler | "
		"There are: mover (data), note (custom), grouped (session)." },
	{ "migration: { handler = \"gone\"; };",
		"in/test.conf:1: migration.handler | the handler \"gone\" of the module \"gone\" "
		"is disabled: it is old (DIR/handlers.d/gone.conf:1) | Write enabled = true; "
		"there, if it may be used." },
	{ "migration: { handler = \"ahead\"; };",
		"in/test.conf:1: migration.handler | the handler \"ahead\" is refused: is made for "
		"ABI 9, this engine has ABI 1 (DIR/modules/ahead.so) | Upgrade Whimbrel." },
	{ "migration: { handler = 5; };",
		"in/test.conf:1: migration.handler | expected the name of a handler, found the "
		"number 5 | There are: mover (data), note (custom), grouped (session)." },
	{ "migration: { handler = \"note\"; options = { text = \"x\"; };\n  optoins = 3; };",
		"in/test.conf:2: migration.optoins | \"optoins\" is not a setting of a migration | "
		"Did you mean \"options\"?" },
	{ "migration: { handler = \"note\"; options = { text = \"x\"; };\n  zebra = 3; };",
		"in/test.conf:2: migration.zebra | \"zebra\" is not a setting of a migration | "
		"Known: name, description, handler, source, target, options, after, validation, "
		"rollback, recovery, timeout, grace, backoff, attempts, processes." },
	{ "migration: { handler = \"note\"; options = \"x\"; };",
		"in/test.conf:1: migration.options | expected a group, found the text \"x\" | "
		"Write options = { name = value; ... };\n"
		"in/test.conf:1: migration.options | the parameter \"text\" (string) of handler "
		"note is missing | Add text = \"hello\";" },
	{ "migration: { handler = \"note\"; options = ( ); };",
		"in/test.conf:1: migration.options | expected a group, found a list | Write "
		"options = { name = value; ... };\n"
		"in/test.conf:1: migration.options | the parameter \"text\" (string) of handler "
		"note is missing | Add text = \"hello\";" },
	{ "migration: { handler = \"note\"; };",
		"in/test.conf:1: migration.options | the parameter \"text\" (string) of handler "
		"note is missing | Add text = \"hello\";" },
	{ "migration: { handler = \"note\";\n  options = { }; };",
		"in/test.conf:2: migration.options | the parameter \"text\" (string) of handler "
		"note is missing | Add text = \"hello\";" },
	{ "migration: { name = \"x y\"; handler = \"note\"; options = { text = \"x\"; }; };",
		"in/test.conf:1: migration.name | expected a name, found the text \"x y\" | Write "
		"up to 64 of a-z, 0-9, _ and -, beginning with a letter or digit: "
		"\"crm-to-new\"." },
	{ "migration: { name = 5; handler = \"note\"; options = { text = \"x\"; }; };",
		"in/test.conf:1: migration.name | expected a name, found the number 5 | Write up "
		"to 64 of a-z, 0-9, _ and -, beginning with a letter or digit: \"crm-to-new\"." },
	{ "migration: { description = [ ]; handler = \"note\"; options = { text = \"x\"; }; };",
		"in/test.conf:1: migration.description | expected a text, found a list | Put it in "
		"double quotes." },
	{ "migrations = ( { " TEXT " }, { " TEXT " } );",
		"in/test.conf:1: migrations[0] | the setting \"name\" is missing | Add name = "
		"\"...\"; where there are several, each has one.\n"
		"in/test.conf:1: migrations[1] | the setting \"name\" is missing | Add name = "
		"\"...\"; where there are several, each has one." },
	{ "migrations = ( { name = \"a\"; " TEXT " },\n{ name = \"a\"; " TEXT " } );",
		"in/test.conf:2: migrations[1].name | the name \"a\" is taken by the migration at "
		"in/test.conf:1 | Give each migration a name of its own." },
	/* policy */
	{ NOTE " validation = \"ful\"; };",
		"in/test.conf:2: migration.validation | expected \"basic\", \"full\", \"strict\", "
		"found \"ful\" | Did you mean \"full\"?" },
	{ NOTE " validation = \"paranoid\"; };",
		"in/test.conf:2: migration.validation | expected \"basic\", \"full\", \"strict\", "
		"found \"paranoid\" | Known: basic, full, strict." },
	{ NOTE " validation = true; };",
		"in/test.conf:2: migration.validation | expected \"basic\", \"full\", \"strict\", "
		"found true | Choose one of these texts." },
	{ NOTE " rollback = \"never\"; };",
		"in/test.conf:2: migration.rollback | expected \"auto\", \"manual\", found "
		"\"never\" | Known: auto, manual." },
	{ NOTE " recovery = \"retry\"; };",
		"in/test.conf:2: migration.recovery | expected \"resume\", \"rollback\", \"ask\", "
		"found \"retry\" | Known: resume, rollback, ask." },
	{ NOTE " timeout = \"soon\"; };",
		"in/test.conf:2: migration.timeout | expected a duration, found the text \"soon\" "
		"| Write seconds, or a text such as \"250ms\", \"90s\", \"2h\" or \"7d\"." },
	{ NOTE " timeout = \"-1s\"; };",
		"in/test.conf:2: migration.timeout | expected a duration, found the text \"-1s\" | "
		"Write seconds, or a text such as \"250ms\", \"90s\", \"2h\" or \"7d\"." },
	{ NOTE " timeout = 1.5; };",
		"in/test.conf:2: migration.timeout | expected a duration, found the number 1.5 | "
		"Write seconds, or a text such as \"250ms\", \"90s\", \"2h\" or \"7d\"." },
	{ NOTE " timeout = \"366d\"; };",
		"in/test.conf:2: migration.timeout | the duration is 31622400s, the largest "
		"allowed is 31536000s | Give a smaller one." },
	{ NOTE " grace = \"2h\"; };", "in/test.conf:2: migration.grace | the duration is 7200s, "
				      "the largest allowed is 3600s | Give a smaller one." },
	{ NOTE " backoff = \"61m\"; };",
		"in/test.conf:2: migration.backoff | the duration is 3660s, the largest allowed is "
		"3600s | Give a smaller one." },
	{ NOTE " attempts = 0; };", "in/test.conf:2: migration.attempts | the number is 0, the "
				    "smallest allowed is 1 | Give a larger one." },
	{ NOTE " attempts = 1001; };", "in/test.conf:2: migration.attempts | the number is 1001, "
				       "the largest allowed is 1000 | Give a smaller one." },
	{ NOTE " attempts = \"3\"; };", "in/test.conf:2: migration.attempts | expected a whole "
					"number, found the text \"3\" | Write it without quotes." },
	{ NOTE " processes = 0; };", "in/test.conf:2: migration.processes | the number is 0, the "
				     "smallest allowed is 1 | Give a larger one." },
	{ NOTE " processes = 1025L; };",
		"in/test.conf:2: migration.processes | the number is 1025, the largest allowed is "
		"1024 | Give a smaller one." },
	/* after */
	{ NOTE " after = [ \"x\" ]; };", "in/test.conf:2: migration.after | there is no migration "
					 "\"x\" in this spec | There are none." },
	{ NOTE " after = \"x\"; };", "in/test.conf:2: migration.after | expected a list of names, "
				     "found the text \"x\" | Write [ \"first\", \"second\" ]." },
	{ NOTE " after = [ 5 ]; };", "in/test.conf:2: migration.after[0] | expected a name, found "
				     "the number 5 | Write up to 64 of a-z, 0-9, _ and -, "
				     "beginning with a letter or digit: \"crm-to-new\"." },
	{ "migrations = ( { name = \"load\"; " TEXT " }, { name = \"b\"; " TEXT
	  " after = [ \"laod\" ]; } );",
		"in/test.conf:1: migrations[1].after | there is no migration \"laod\" in this spec "
		"| Did you mean \"load\"?" },
	{ "migrations = ( { name = \"a\"; " TEXT " after = [ \"a\" ]; } );",
		"in/test.conf:1: migrations[0].after | these migrations could never begin: a waits "
		"for a | Take one of them out of an after = [ ... ]." },
	{ "migrations = ( { name = \"a\"; " TEXT " after = [ \"c\" ]; },\n{ name = \"b\"; " TEXT
	  " after = [ \"a\" ]; },\n{ name = \"c\"; " TEXT " after = [ \"b\" ]; } );",
		"in/test.conf:2: migrations[1].after | these migrations could never begin: a waits "
		"for c waits for b waits for a | Take one of them out of an after = [ ... ]." },
	{ "migrations = ( { name = \"a\"; " TEXT
	  " after = [ \"b\", \"b\" ]; }, { name = \"b\"; " TEXT " } );",
		"in/test.conf:1: migrations[0].after[1] | \"b\" is named twice | Name it once." },
	{ "migrations = ( { name = \"x\"; " TEXT " after = [ \"a\" ]; }, { name = \"a\"; " TEXT
	  " after = [ \"b\" ]; }, { name = \"b\"; " TEXT " after = [ \"a\" ]; } );",
		"in/test.conf:1: migrations[2].after | these migrations could never begin: a waits "
		"for b waits for a | Take one of them out of an after = [ ... ]." },
	/* source, target, options */
	{ NOTE " source = \"@crm\"; };", "in/test.conf:2: migration.source | the handler \"note\" "
					 "takes no source | Its parameters: text." },
	{ NOTE " target = { store = \"box\"; }; };",
		"in/test.conf:2: migration.target | the handler \"note\" takes no target | Its "
		"parameters: text." },
	{ "migration: { handler = \"mover\"; source = \"@crm\"; };",
		"in/test.conf:1: migration | the parameter \"target\" (peer) of handler mover is "
		"missing | Add target = { ... };" },
	{ "migration: { handler = \"mover\"; target = \"@crm\"; options = { mode = \"fast\"; }; };",
		"in/test.conf:1: migration | the parameter \"source\" (peer) of handler mover is "
		"missing | Add source = { ... };" },
	{ "migration: { handler = \"mover\"; source = \"crm\"; target = \"@crm\"; };",
		"in/test.conf:1: migration.source | expected a group or the name of a connection, "
		"found the text \"crm\" | Write { store = \"...\"; ... } or \"@name\", a "
		"connection of the environment." },
	{ "migration: { handler = \"mover\"; source = [ ]; target = 5; };",
		"in/test.conf:1: migration.source | expected a group or the name of a connection, "
		"found a list | Write { store = \"...\"; ... } or \"@name\", a connection of the "
		"environment.\n"
		"in/test.conf:1: migration.target | expected a group or the name of a connection, "
		"found the number 5 | Write { store = \"...\"; ... } or \"@name\", a connection of "
		"the environment." },
	{ "migration: { handler = \"mover\"; source = \"@crn\"; target = \"@zebra\"; };",
		"in/test.conf:1: migration.source | the environment \"staging\" has no connection "
		"\"crn\" in DIR/environments.d/staging.conf | Did you mean \"crm\"?\n"
		"in/test.conf:1: migration.target | the environment \"staging\" has no connection "
		"\"zebra\" in DIR/environments.d/staging.conf | Known: crm, outer, ring, bad, "
		"edge." },
	{ "migration: { handler = \"mover\"; source = \"@\"; target = \"@crm\"; };",
		"in/test.conf:1: migration.source | the environment \"staging\" has no connection "
		"\"\" in DIR/environments.d/staging.conf | Known: crm, outer, ring, bad, edge." },
	{ "migration: { handler = \"mover\"; source = \"@edge\"; target = \"@crm\"; };",
		"DIR/environments.d/staging.conf:12: migration.source | the setting \"store\" is "
		"missing | Write { store = \"NAME\"; ... }; whimbrel handler list shows the "
		"names." },
	{ "migration: { handler = \"mover\"; source = \"@ring\"; target = \"@crm\"; };",
		"DIR/environments.d/staging.conf:10: "
		"migration.source.inner.inner.inner.inner.inner.inner.inner.inner | the "
		"connections refer to each other | Break the circle in the environment." },
	{ "migration: { handler = \"mover\"; target = \"@crm\";\n  source = \"@bad\"; };",
		"DIR/environments.d/staging.conf:11: migration.source.pth | \"pth\" is not a "
		"parameter of store box | Did you mean \"path\"?\n"
		"DIR/environments.d/staging.conf:11: migration.source | the parameter \"path\" "
		"(path) of store box is missing | Add path = \"/srv/a.db\";" },
	{ "migration: { handler = \"mover\"; source = \"@crm\"; target = { store = \"bx\"; }; };",
		"in/test.conf:1: migration.target.store | there is no store \"bx\" | Did you mean "
		"\"box\"?" },
	{ "migration: { handler = \"mover\"; source = \"@crm\"; target = { path = \"x\"; }; };",
		"in/test.conf:1: migration.target | the setting \"store\" is missing | Write { "
		"store = \"NAME\"; ... }; whimbrel handler list shows the names." },
	{ "migration: { handler = \"mover\"; source = \"@crm\"; target = { store = \"box\"; }; };",
		"in/test.conf:1: migration.target | the parameter \"path\" (path) of store box is "
		"missing | Add path = \"/srv/a.db\";" },
	{ "migration: { handler = \"mover\"; source = \"@crm\"; target = { store = \"box\"; path = "
	  "5; pasword = \"x\"; }; };",
		"in/test.conf:1: migration.target.pasword | \"pasword\" is not a parameter of "
		"store box | Did you mean \"password\"?\n"
		"in/test.conf:1: migration.target.path | expected a path, found the number 5 | Put "
		"it in double quotes." },
	{ "migration: { handler = \"mover\"; source = \"@crm\"; target = { store = \"box\"; path = "
	  "\"x\"; password = \"hunter2\"; }; };",
		"in/test.conf:1: migration.target.password | a secret must not stand in the text "
		"itself; expected \"file:/path\" or \"env:NAME\" | Put the secret into a file that "
		"only you can read and write \"file:/path\", or \"env:NAME\"." },
	{ MOVER " source = \"@crm\"; }; };",
		"in/test.conf:1: migration.options.source | \"source\" stands beside options "
		"already | Keep one of them." },
	{ MOVER " mode = \"fsat\"; }; };",
		"in/test.conf:1: migration.options.mode | expected \"fast\", \"safe\", found "
		"\"fsat\" | Did you mean \"fast\"?" },
	{ MOVER " batch = 0; }; };", "in/test.conf:1: migration.options.batch | the number is 0, "
				     "the smallest allowed is 1 | Give a larger one." },
	{ MOVER " batch = \"5\"; }; };",
		"in/test.conf:1: migration.options.batch | expected a whole number, found the text "
		"\"5\" | Write it without quotes." },
	{ MOVER " bach = 5; }; };", "in/test.conf:1: migration.options.bach | \"bach\" is not a "
				    "parameter of handler mover | Did you mean \"batch\"?" },
	{ MOVER " buffer = \"much\"; }; };",
		"in/test.conf:1: migration.options.buffer | expected a size, found the text "
		"\"much\" | Write bytes, or a text such as \"64M\" or \"2G\"." },
	{ MOVER " wait = \"soon\"; }; };", "in/test.conf:1: migration.options.wait | expected a "
					   "duration, found the text \"soon\" | Write seconds, or "
					   "a text such as \"250ms\", \"90s\", \"2h\" or \"7d\"." },
	{ MOVER " log = \"\"; }; };", "in/test.conf:1: migration.options.log | the path is empty | "
				      "Name a file or folder." },
	{ MOVER " key = \"hunter2\"; }; };",
		"in/test.conf:1: migration.options.key | a secret must not stand in the text "
		"itself; expected \"file:/path\" or \"env:NAME\" | Put the secret into a file that "
		"only you can read and write \"file:/path\", or \"env:NAME\"." },
	{ MOVER " route = \"@crn\"; }; };",
		"in/test.conf:1: migration.options.route | the environment \"staging\" has no "
		"connection \"crn\" in DIR/environments.d/staging.conf | Did you mean \"crm\"?" },
	{ MOVER " route = \"edge\"; }; };",
		"in/test.conf:1: migration.options.route | expected a group that names its kind, "
		"found the text \"edge\" | Write { router = \"NAME\"; ... }; whimbrel handler list "
		"shows the names." },
	{ MOVER "\n tables = ( { name = \"a\"; },\n { nam = \"b\"; lookup = \"@crn\"; } ); }; };",
		"in/test.conf:3: migration.options.tables[1].lookup | the environment \"staging\" "
		"has no connection \"crn\" in DIR/environments.d/staging.conf | Did you mean "
		"\"crm\"?\n"
		"in/test.conf:3: migration.options.tables[1].nam | \"nam\" is not a parameter of "
		"this group | Did you mean \"name\"?\n"
		"in/test.conf:3: migration.options.tables[1] | the parameter \"name\" (string) of "
		"this group is missing | Add name = \"...\";" },
	{ MOVER " steps = ( \"@edge\" ); }; };",
		"DIR/environments.d/staging.conf:12: migration.options.steps[0] | the setting "
		"\"transform\" is missing | Write { transform = \"NAME\"; ... }; whimbrel handler "
		"list shows the names." },
	{ MOVER " stores = { one = \"@crm\"; two = \"@tow\"; }; }; };",
		"in/test.conf:1: migration.options.stores.two | the environment \"staging\" has no "
		"connection \"tow\" in DIR/environments.d/staging.conf | Known: crm, outer, ring, "
		"bad, edge." },
	{ "migration: { handler = \"grouped\"; source = \"x\"; };",
		"in/test.conf:1: migration.source | expected a group or the name of a connection, "
		"found the text \"x\" | Write { store = \"...\"; ... } or \"@name\", a connection "
		"of the environment." },
	{ "migration: { handler = \"grouped\"; source = { prt = 5; }; target = 7; };",
		"in/test.conf:1: migration.source.prt | \"prt\" is not a parameter of this group | "
		"Did you mean \"path\"?\n"
		"in/test.conf:1: migration.target | expected a path, found the number 7 | Put it "
		"in double quotes." },
	/* several at once */
	{ "nme = \"x\"; migration: {\n  handlr = \"note\";\n  timeout = \"soon\";\n  after = [ "
	  "\"z\" ]; };",
		"in/test.conf:1: nme | \"nme\" is not a setting of a spec | Did you mean "
		"\"name\"?\n"
		"in/test.conf:2: migration.handlr | \"handlr\" is not a setting of a migration | "
		"Did you mean \"handler\"?\n"
		"in/test.conf:1: migration | the setting \"handler\" is missing | There are: mover "
		"(data), note (custom), grouped (session).\n"
		"in/test.conf:3: migration.timeout | expected a duration, found the text \"soon\" "
		"| Write seconds, or a text such as \"250ms\", \"90s\", \"2h\" or \"7d\".\n"
		"in/test.conf:4: migration.after | there is no migration \"z\" in this spec | "
		"There are none." },
	{ "migrations = ( { name = \"a\"; handler = \"note\"; },\n{ name = \"b\"; handler = "
	  "\"mover\"; source = \"@crm\"; options = { mode = 5; batch = 5000; }; } );",
		"in/test.conf:1: migrations[0].options | the parameter \"text\" (string) of "
		"handler note is missing | Add text = \"hello\";\n"
		"in/test.conf:2: migrations[1] | the parameter \"target\" (peer) of handler mover "
		"is missing | Add target = { ... };\n"
		"in/test.conf:2: migrations[1].options.mode | expected \"fast\", \"safe\", found "
		"the number 5 | Choose one of these texts.\n"
		"in/test.conf:2: migrations[1].options.batch | the number is 5000, the largest "
		"allowed is 1000 | Give a smaller one." },
	/* include */
	{ "migration: {\n @include \"nope.conf\"\n};",
		"in/test.conf:2:2 | @include \"nope.conf\": No such file or directory | Check the "
		"name; it is looked up in the folder of the spec." },
	{ "migration: {\n @include \"/etc/passwd\"\n};",
		"in/test.conf:2:2 | @include \"/etc/passwd\": an absolute path is not allowed | "
		"Name a file below the folder of the spec." },
	{ "migration: {\n @include \"../outside.conf\"\n};",
		"in/test.conf:2:2 | @include \"../outside.conf\": the file lies outside the folder "
		"of the spec | Name a file below the folder of the spec." },
	{ "migration: {\n @include \"../spec2/x.conf\"\n};",
		"in/test.conf:2:2 | @include \"../spec2/x.conf\": the file lies outside the folder "
		"of the spec | "
		"Name a file below the folder of the spec." },
	{ "migration: {\n @include \"sub/../../outside.conf\"\n};",
		"in/test.conf:2:2 | @include \"sub/../../outside.conf\": the file lies outside the "
		"folder of the spec | Name a file below the folder of the spec." },
	{ "migration: {\n @include \"passwd.conf\"\n};",
		"in/test.conf:2:2 | @include \"passwd.conf\": the file lies outside the folder of "
		"the spec | Name a file below the folder of the spec." },
	{ "migration: {\n @include \"out.conf\"\n};",
		"in/test.conf:2:2 | @include \"out.conf\": the file lies outside the folder of the "
		"spec | Name a file below the folder of the spec." },
	{ "migration: {\n @include \"zero.conf\"\n};",
		"in/test.conf:2:2 | @include \"zero.conf\": the file lies outside the folder of "
		"the spec | Name a file below the folder of the spec." },
	{ "migration: {\n @include \"/dev/zero\"\n};",
		"in/test.conf:2:2 | @include \"/dev/zero\": an absolute path is not allowed | Name "
		"a file below the folder of the spec." },
	{ "migration: {\n @include \"sub\"\n};", "in/test.conf:2:2 | @include \"sub\": is not a "
						 "regular file | Name a regular file." },
	{ "migration: {\n @include \".\"\n};",
		"in/test.conf:2:2 | @include \".\": the file lies outside the folder of the spec | "
		"Name a file below the folder of the spec." },
	{ "migration: {\n @include \"\"\n};", "in/test.conf:2:2 | the file name of @include is not "
					      "a plain one | Write @include \"file.conf\"." },
	{ "migration: {\n @include good.conf\n};",
		"in/test.conf:2:2 | @include needs a file name | Write @include \"file.conf\"." },
	{ "migration: {\n @include\n};",
		"in/test.conf:2:2 | @include needs a file name | Write @include \"file.conf\"." },
	{ "migration: {\n @include \"good.conf\n};",
		"in/test.conf:2:2 | the file name of @include is not a plain one | Write @include "
		"\"file.conf\"." },
	{ "migration: {\n @include \"a\\b.conf\"\n};",
		"in/test.conf:2:2 | the file name of @include is not a plain one | Write @include "
		"\"file.conf\"." },
	{ "migration: { @include \"good.conf\"\n};",
		"in/test.conf:1:14 | @include must begin its line | Put it on a line of its own." },
	{ "migration: {\n @include \"self.conf\"\n};",
		"in/self.conf:2:1 | @include \"self.conf\": the file includes itself | Break the "
		"circle: a file cannot hold itself." },
	{ "migration: {\n @include \"a.conf\"\n};",
		"in/b.conf:2:3 | @include \"a.conf\": the file includes itself, by way of others | "
		"Break the circle: a file cannot hold itself." },
	{ "migration: {\n @include \"test.conf\"\n};",
		"in/test.conf:2:2 | @include \"test.conf\": No such file or directory | Check the "
		"name; it is looked up in the folder of the spec." },
	{ "migration: {\n @include \"d1.conf\"\n};",
		"in/d8.conf:1:1 | @include \"good.conf\": files are included deeper than 8 | Put "
		"the settings into fewer files." },
	{ "migration: {\n @include \"open.conf\"\n};",
		"in/open.conf:2:1 | this comment is not closed in the included file | Close it "
		"with */." },
	{ "migration: {\n  handler = \"note\";\n@include \"good.conf\"\n@include "
	  "\"unknown.conf\"\n};",
		"in/unknown.conf:2: migration.optoins | \"optoins\" is not a setting of a "
		"migration | Did you mean \"options\"?" },
	{ "migration: {\n@include \"syntax.conf\"\n};",
		"in/syntax.conf:3 | not valid libconfig text: syntax error | Look at this line and "
		"the one before it: a setting is name = value; and brackets come in pairs." },
	{ "migration: {\n@include \"latin.conf\"\n};",
		"in/latin.conf:1:19 | a byte that is not UTF-8 | Save the file as UTF-8 text." },
	{ "migration: {\n  handler = \"note\";\n@include \"good.conf\" zebra = 1;\n};",
		"in/test.conf:3: migration.zebra | \"zebra\" is not a setting of a migration | "
		"Known: name, description, handler, source, target, options, after, validation, "
		"rollback, recovery, timeout, grace, backoff, attempts, processes." },
};

static void test_bad(void **state)
{
	size_t i, failed = 0;

	for (i = 0; i < WBL_COUNT(bad); i++) {
		struct wbl_error err = { 0 };
		struct wbl_spec *spec = NULL;
		json_t *errors = NULL;
		int32_t rc = load(bad[i].text, &spec, &errors, &err);
		WBL_AUTOFREE char *got = said(errors);

		assert_null(spec);
		assert_true(rc == WBL_E_USAGE || rc == WBL_E_PARAM);
		assert_int_equal(err.code, rc);
		assert_string_equal(err.text, wbl_json_str(json_array_get(errors, 0), "text"));
		if (strcmp(got, bad[i].said)) {
			print_message(
				"# %s\n# said\n%s\n# not\n%s\n", bad[i].text, got, bad[i].said);
			failed++;
		}
		json_decref(errors);
	}
	assert_int_equal(failed, 0);
}

static struct wbl_spec *good(const struct wbl_environment *env, const char *text)
{
	struct wbl_error err = { 0 };
	struct wbl_spec *spec = NULL;
	json_t *errors = NULL;

	if (load_in(env, text, strlen(text), &spec, &errors, &err))
		fail_msg("%s: %s", err.where, err.text);
	assert_int_equal(json_array_size(errors), 0);
	json_decref(errors);
	return spec;
}

static void assert_json(const json_t *j, const char *expected)
{
	WBL_AUTOFREE char *text = wbl_json_text(j), *got = neutral(text);

	assert_string_equal(got, expected);
}

static void test_smallest(void **state)
{
	static const char text[] =
		"migration: { handler = \"note\"; options = { text = \"x\"; }; };";
	struct wbl_spec *spec = good(NULL, text);
	const struct wbl_policy *p = &spec->migrations[0].policy;
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);
	char sum[65];

	wbl_sha256_hex(text, strlen(text), sum);
	assert_string_equal(spec->sha256, sum);
	assert_string_equal(spec->file, "in/test.conf");
	assert_string_equal(spec->environment, "default");
	assert_string_equal(spec->name, "test");
	assert_int_equal(spec->count, 1);
	assert_string_equal(spec->migrations[0].name, "test");
	assert_string_equal(spec->migrations[0].handler, "note");
	assert_string_equal(spec->migrations[0].provides->family, "custom");
	assert_string_equal(spec->migrations[0].module->name, "note");
	assert_json(spec->migrations[0].params, "{\"text\":\"x\"}");
	assert_json(spec->migrations[0].peers, "[]");
	assert_json(spec->migrations[0].connections, "{}");
	assert_null(spec->migrations[0].after[0]);
	assert_string_equal(p->validation, "full");
	assert_string_equal(p->rollback, "auto");
	assert_string_equal(p->recovery, "resume");
	assert_int_equal(p->timeout_ns, 0);
	assert_int_equal(p->grace_ns, INT64_C(10000000000));
	assert_int_equal(p->backoff_ns, 1000000000);
	assert_int_equal(p->attempts, 3);
	assert_int_equal(p->processes, cpus > 4 ? 4 : cpus);
	assert_string_equal(spec->barriers[0], "fence");
	assert_string_equal(spec->barriers[1], "drain");
	assert_string_equal(spec->barriers[2], "switch");
	assert_string_equal(spec->barriers[3], "unfence");
	assert_null(spec->barriers[4]);
	wbl_spec_free(spec);
}

static void test_everything(void **state)
{
	struct wbl_spec *spec = good(world.staging,
		"name = \"crm-move\"; description = \"all\" \" of it\"; environment = "
		"\"staging\";\n"
		"barriers = [ \"fence\", \"go\" ];\n"
		"migrations = (\n"
		"  { name = \"load\"; description = \"first\"; handler = \"mover\"; after = ( "
		"\"prepare\" );\n"
		"    source = \"@crm\"; target = { store = \"box\"; path = \"new.db\"; inner = "
		"\"@outer\"; };\n"
		"    options = { mode = \"fast\"; batch = 5; buffer = \"64M\"; wait = \"2h\"; log "
		"= \"../l\";\n"
		"      key = \"env:KEY\"; route = \"@edge\"; speed = 3;\n"
		"      tables = ( { name = \"a\"; }, { name = \"b\"; lookup = \"@crm\"; } );\n"
		"      steps = ( { transform = \"upper\"; column = \"c\"; } ); stores = { one = "
		"\"@crm\"; }; };\n"
		"    validation = \"basic\"; rollback = \"auto\"; recovery = \"ask\"; timeout = "
		"\"2h\"; grace = 5;\n"
		"    backoff = \"250ms\"; attempts = 7; processes = 2L; },\n"
		"  { name = \"prepare\"; handler = \"note\"; options = { text = \"@crm\"; }; } "
		");\n");
	const struct wbl_migration *m = &spec->migrations[0];

	assert_string_equal(spec->name, "crm-move");
	assert_string_equal(spec->environment, "staging");
	assert_string_equal(spec->barriers[1], "go");
	assert_null(spec->barriers[2]);
	assert_int_equal(spec->count, 2);
	assert_string_equal(m->after[0], "prepare");
	assert_null(m->after[1]);
	assert_string_equal(m->policy.validation, "basic");
	assert_string_equal(m->policy.rollback, "auto");
	assert_string_equal(m->policy.recovery, "ask");
	assert_int_equal(m->policy.timeout_ns, INT64_C(7200000000000));
	assert_int_equal(m->policy.grace_ns, INT64_C(5000000000));
	assert_int_equal(m->policy.backoff_ns, 250000000);
	assert_int_equal(m->policy.attempts, 7);
	assert_int_equal(m->policy.processes, 2);
	assert_json(m->connections, "{\"source\":\"@crm\",\"target.inner\":\"@outer\",\"route\":\"@"
				    "edge\",\"tables.1.lookup\":\"@crm\","
				    "\"stores.one\":\"@crm\"}");
	/* the environment's paths hang on its own folder, the spec's on its own */
	assert_json(json_object_get(m->params, "source"),
		"{\"path\":\"DIR/environments.d/crm.db\",\"password\":{\"$secret\":\"file:DIR/"
		"environments.d/crm.key\"},"
		"\"store\":\"box\"}");
	assert_json(json_object_get(m->params, "log"), "\"DIR/l\"");
	assert_json(json_object_get(m->params, "buffer"), "67108864");
	assert_json(json_object_get(m->params, "wait"), "7200000000000");
	assert_json(json_object_get(json_object_get(m->params, "target"), "path"),
		"\"DIR/spec/new.db\"");
	assert_string_equal(
		spec->migrations[1].policy.validation, "strict"); /* the environment's */
	assert_string_equal(spec->migrations[1].policy.rollback, "manual");
	assert_json(
		spec->migrations[1].params, "{\"text\":\"@crm\"}"); /* no peer is wanted there */
	assert_int_equal(json_array_size(spec->warnings), 1);
	assert_string_equal(wbl_json_str(json_array_get(spec->warnings, 0), "where"),
		"in/test.conf:7: migrations[0].options.speed");
	assert_string_equal(wbl_json_str(json_array_get(spec->warnings, 0), "hint"), "Use batch.");
	wbl_spec_free(spec);
}

static void test_peers(void **state)
{
	struct wbl_spec *spec = good(world.staging,
		"migration: { handler = \"mover\"; source = \"@outer\"; target = { store = "
		"\"box\"; path = \"/t\"; };\n"
		"  options = { tables = ( { name = \"a\"; }, { name = \"b\"; lookup = { store = "
		"\"box\"; path = \"/l\"; }; } );\n"
		"    steps = ( { transform = \"upper\"; } ); route = \"@edge\"; }; };");
	const json_t *peers = spec->migrations[0].peers, *inner, *module;
	static const char *const params[] = { "source", "target", "route", "tables.1.lookup",
		"steps.0" };
	size_t i;

	assert_int_equal(json_array_size(peers), WBL_COUNT(params));
	for (i = 0; i < WBL_COUNT(params); i++)
		assert_string_equal(wbl_json_str(json_array_get(peers, i), "param"), params[i]);
	assert_string_equal(wbl_json_str(json_array_get(peers, 2), "interface"), "wbl.router/1");
	assert_string_equal(wbl_json_str(json_array_get(peers, 4), "name"), "upper");
	assert_json(json_object_get(json_array_get(peers, 3), "params"),
		"{\"path\":\"/l\",\"store\":\"box\"}");
	module = json_object_get(json_array_get(peers, 0), "module");
	assert_string_equal(wbl_json_str(module, "name"), "box");
	assert_string_equal(wbl_json_str(module, "id"), "org.example.box");
	assert_string_equal(wbl_json_str(module, "version"), "1.2.3");
	assert_int_equal(strlen(wbl_json_str(module, "sha256")), 64);
	assert_true(*wbl_json_str(module, "path") == '/');
	inner = json_object_get(json_array_get(peers, 0), "peers");
	assert_int_equal(json_array_size(inner), 1);
	assert_string_equal(wbl_json_str(json_array_get(inner, 0), "param"), "inner");
	assert_json(json_object_get(json_object_get(json_array_get(inner, 0), "params"), "path"),
		"\"DIR/environments.d/crm.db\"");
	/* a connection within a connection is the environment's own business */
	assert_json(spec->migrations[0].connections, "{\"source\":\"@outer\",\"route\":\"@edge\"}");
	wbl_spec_free(spec);
}

static void test_grouped_source(void **state)
{
	struct wbl_spec *spec = good(world.staging,
		"migration: { handler = \"grouped\"; source = \"@crm\"; target = \"@t\"; };");

	assert_json(spec->migrations[0].params,
		"{\"source\":{\"store\":\"box\",\"path\":\"DIR/environments.d/crm.db\","
		"\"password\":{\"$secret\":\"file:DIR/environments.d/crm.key\"}},\"target\":\"DIR/"
		"spec/@t\"}");
	assert_json(spec->migrations[0].peers, "[]");
	wbl_spec_free(spec);
	spec = good(NULL, "migration: { handler = \"grouped\"; options = { source = { path = "
			  "\"p\"; }; target = \"t\"; }; };");
	assert_json(spec->migrations[0].params,
		"{\"source\":{\"path\":\"DIR/spec/p\"},\"target\":\"DIR/spec/t\"}");
	wbl_spec_free(spec);
}

static void test_without_environment(void **state)
{
	static const char text[] =
		"migration: { handler = \"mover\"; source = \"@crm\"; target = \"@crm\"; };";
	struct wbl_spec *spec = NULL;
	struct wbl_error err = { 0 };

	assert_int_equal(load_in(NULL, text, strlen(text), &spec, NULL, &err), WBL_E_PARAM);
	assert_string_equal(err.where, "in/test.conf:1: migration.source");
	assert_string_equal(err.text, "there is no environment to take connections from");
	assert_int_equal(load_in(world.empty, text, strlen(text), &spec, NULL, &err), WBL_E_PARAM);
	assert_string_equal(err.text, "the environment \"default\" has no connection \"crm\"");
	assert_string_equal(err.hint, "Define it in environments.d, or write the store here.");
}

static void test_bad_defaults(void **state)
{
	struct wbl_spec *spec = NULL;
	struct wbl_error err = { 0 };
	json_t *errors = NULL;
	WBL_AUTOFREE char *got = NULL;

	assert_int_equal(
		load_in(world.wrong, WHOLE, strlen(WHOLE), &spec, &errors, &err), WBL_E_PARAM);
	got = said(errors);
	assert_string_equal(got, "DIR/environments.d/wrong.conf:1: validation | expected "
				 "\"basic\", \"full\", \"strict\", found \"fulll\" | "
				 "Did you mean \"full\"?\n"
				 "DIR/environments.d/wrong.conf:2: rollback | expected \"auto\", "
				 "\"manual\", found \"never\" | "
				 "Known: auto, manual.");
	json_decref(errors);
}

static void test_included(void **state)
{
	static const char *const texts[] = {
		"migration: {\n handler = \"note\";\n@include \"good.conf\"\n};",
		"migration: {\n handler = \"note\";\n  @include \"sub/deep.conf\" // a word\n};",
		"migration: {\n handler = \"note\";\n\t@include\t\"within.conf\" timeout = 5; };",
		"migration: {\n handler = \"note\";\n@include \"d2.conf\"\n};",
		"migration: {\n handler = \"note\";\n@include \"./sub/../good.conf\"};",
		"# @include \"no\"\n/*\n@include \"no\"\n*/ migration: { handler = \"note\"; "
		"description = \"\n"
		"@include \\\" no\n\";\n@include \"good.conf\"\n};",
	};
	size_t i;

	for (i = 0; i < WBL_COUNT(texts); i++) {
		struct wbl_spec *spec = good(world.staging, texts[i]);

		assert_json(spec->migrations[0].params, "{\"text\":\"included\"}");
		wbl_spec_free(spec);
	}
}

/* Lines stay right behind an included file, within texts of several lines, and behind comments. */
static void test_lines(void **state)
{
	static const char text[] =
		"/* one\n two */ migration: {\n  description = \"three\nfour\";\n"
		"  handler = \"note\";\n@include \"good.conf\"\n  // seven\n  attempts = "
		"0;\n};\nzzz = 1;\n";
	struct wbl_spec *spec = NULL;
	struct wbl_error err = { 0 };
	json_t *errors = NULL;

	assert_int_equal(load(text, &spec, &errors, &err), WBL_E_USAGE);
	assert_int_equal(json_array_size(errors), 2);
	assert_string_equal(
		wbl_json_str(json_array_get(errors, 0), "where"), "in/test.conf:10: zzz");
	assert_string_equal(wbl_json_str(json_array_get(errors, 1), "where"),
		"in/test.conf:8: migration.attempts");
	assert_string_equal(wbl_json_str(json_array_get(errors, 1), "path"), "migration.attempts");
	json_decref(errors);
}

static void test_names_of_files(void **state)
{
	static const struct {
		const char *file, *name;
	} of[] = { { "a/Crm to New.conf", "crm-to-new" }, { "x.y.conf", "x-y" },
		{ ".conf", "conf" }, { "-_.conf", "migration" }, { "/", "migration" },
		{ "caf\xc3\xa9.conf", "caf" }, { "ab_1.conf", "ab_1" } };
	WBL_AUTOFREE char *dir = wbl_strf("%s/spec", world.dir);
	size_t i;

	for (i = 0; i < WBL_COUNT(of); i++) {
		struct wbl_spec *spec = NULL;

		assert_int_equal(
			wbl_spec_load(of[i].file, dir, WHOLE, strlen(WHOLE), world.registry, NULL,
				WBL_PARAMS_FOR_RUN, &spec, NULL, NULL),
			0);
		assert_string_equal(spec->migrations[0].name, of[i].name);
		assert_string_equal(spec->name, of[i].name);
		wbl_spec_free(spec);
	}
}

static void refused(const char *text, size_t len, const char *expected)
{
	struct wbl_spec *spec = NULL;
	struct wbl_error err = { 0 };
	json_t *errors = NULL;
	int64_t begin = wbl_now_mono();
	WBL_AUTOFREE char *got = NULL;

	assert_int_equal(load_in(world.staging, text, len, &spec, &errors, &err), WBL_E_USAGE);
	got = wbl_strf("%s | %s", err.where, err.text);
	assert_string_equal(got, expected);
	assert_true(json_array_size(errors) <= 1001);
	json_decref(errors);
	/* not a benchmark: what libconfig takes minutes for must not reach it */
	assert_true(wbl_now_mono() - begin < INT64_C(20000000000));
}

static void test_bytes(void **state)
{
	refused("name = \"x\";\n  a\0b", 16, "in/test.conf:2:4 | a NUL byte");
	refused("@include \"a\0.conf\"", 19,
		"in/test.conf:1:1 | the file name of @include is not a plain one");
	refused("@include \"good.conf\" \0", 23, "in/test.conf:1:22 | a NUL byte");
	refused("@include \"\xff\"", 12,
		"in/test.conf:1:1 | the file name of @include is not UTF-8");
	refused("", 0, "in/test.conf | there is no migration in it");
}

/* `count` times `unit`, its %zu being the number, between head and tail. The caller clears. */
static struct wbl_buf many(const char *head, const char *unit, size_t count, const char *tail)
{
	struct wbl_buf b = { 0 };
	size_t i;

	wbl_buf_adds(&b, head);
	for (i = 0; i < count; i++) {
		const char *mark = strchr(unit, '%');

		if (mark) {
			wbl_buf_add(&b, unit, (size_t)(mark - unit));
			wbl_buf_addf(&b, "%zu%s", i, mark + 1);
		} else {
			wbl_buf_adds(&b, unit);
		}
	}
	wbl_buf_adds(&b, tail);
	return b;
}

static void test_large(void **state)
{
	static const struct {
		const char *head, *unit;
		size_t count;
		const char *tail, *expected;
	} texts[] = {
		{ "#", "x", 1u << 20, "", "in/test.conf | the spec is larger than 1048576 bytes" },
		{ "a = \"", "x", 300000, "\";",
			"in/test.conf:1:5 | this string is longer than 262144 bytes" },
		{ "", "a%=1\n", 90000, "",
			"in/test.conf:2001:6 | more than 2000 settings in one group" },
		{ "a: {", "a%:{};", 90000, "};",
			"in/test.conf:1:16900 | more than 2000 settings in one group" },
		{ "a = ", "(", 100000, "", "in/test.conf:1:37 | nested deeper than 32" },
		{ "", "a: { b: { ", 100000, "", "in/test.conf:1:164 | nested deeper than 32" },
		{ "", "@include \"deep%\"\n", 1000, "",
			"in/test.conf:1:1 | @include \"deep0\": No such file or directory" },
		{ "migration: { };\n", "@include \"wide.conf\"\n", 1000, "",
			"in/wide.conf:11:1 | @include \"empty.conf\": more than 256 files are "
			"included" },
		{ "@include \"big.conf\"\n", "@include \"big.conf\"\n", 2, "",
			"in/big.conf:1:1 | the spec and its included files are larger than 1048576 "
			"bytes" },
		{ "@include \"huge.conf\"\n", "", 0, "",
			"in/test.conf:1:1 | @include \"huge.conf\": is larger than the 1048576 "
			"bytes that are allowed" },
		{ "migrations = (",
			"{ name = \"m%\"; handler = \"note\"; options = { text = \"\"; }; }, ", 257,
			"{ } );",
			"in/test.conf:1: migrations | 258 migrations, at most 256 are allowed" },
		{ "migration: { " TEXT " after = [", "\"a%\", ", 257, "\"z\" ]; };",
			"in/test.conf:1: migration.after | 258 names, at most 256 are allowed" },
	};
	struct wbl_buf text;
	size_t i;

	text = many("#", "x", 600000, "\n");
	world_write(&world, "spec/big.conf", text.data, text.len);
	wbl_buf_clear(&text);
	text = many("#", "x", 1u << 20, "\n");
	world_write(&world, "spec/huge.conf", text.data, text.len);
	wbl_buf_clear(&text);
	text = many("", "@include \"empty.conf\"\n", 48, "");
	world_write(&world, "spec/wide.conf", text.data, text.len);
	world_write(&world, "spec/empty.conf", "", 0);
	wbl_buf_clear(&text);
	for (i = 0; i < WBL_COUNT(texts); i++) {
		text = many(texts[i].head, texts[i].unit, texts[i].count, texts[i].tail);
		refused(text.data, text.len, texts[i].expected);
		wbl_buf_clear(&text);
	}
}

/* More mistakes than anybody reads: they are counted. */
static void test_many_mistakes(void **state)
{
	struct wbl_buf text = many(WHOLE, "a% = 1;", 1500, "");
	struct wbl_spec *spec = NULL;
	json_t *errors = NULL;

	assert_int_equal(load_in(NULL, text.data, text.len, &spec, &errors, NULL), WBL_E_USAGE);
	assert_int_equal(json_array_size(errors), 1001);
	assert_string_equal(wbl_json_str(json_array_get(errors, 1000), "text"),
		"500 more mistakes are not listed");
	json_decref(errors);
	wbl_buf_clear(&text);
}

/* A list of 100 000 connections that do not fit, and 250 migrations that all wait for 250 unknown ones. */
static void test_costly_mistakes(void **state)
{
	struct wbl_buf text = many(MOVER " steps = (", "\"@edge\",", 100000, "\"@edge\" ); }; };"),
		       after;
	struct wbl_spec *spec = NULL;
	int64_t begin = wbl_now_mono();

	assert_int_equal(load(text.data, &spec, NULL, NULL), WBL_E_PARAM);
	wbl_buf_clear(&text);
	after = many("after = [ ", "\"a-name-that-is-not-there-%\", ", 100, "\"a\" ]; },");
	text = many("migrations = (", "{ name = \"a-name-that-may-be-%\"; handler = \"note\"; ", 1,
		after.data);
	while (text.len < 1000000)
		wbl_buf_addf(
			&text, "{ name = \"a-name-that-may-be-%zu\"; %s", text.len, after.data);
	wbl_buf_adds(&text, "{ } );");
	assert_true(load(text.data, &spec, NULL, NULL) < 0);
	wbl_buf_clear(&text);
	wbl_buf_clear(&after);
	assert_true(wbl_now_mono() - begin < INT64_C(60000000000));
}

/* The limit is for one group: many groups are well. */
static void test_many_groups(void **state)
{
	struct wbl_buf text = many(
		MOVER " tables = (", "{ name = \"%\"; },\n", 5000, "{ name = \"z\"; } ); }; };");
	struct wbl_spec *spec = good(world.staging, text.data);

	assert_int_equal(
		json_array_size(json_object_get(spec->migrations[0].params, "tables")), 5001);
	wbl_spec_free(spec);
	wbl_buf_clear(&text);
}

/* Each prefix of a good spec is refused, or is good itself, and neither crashes nor leaks. */
static void test_prefixes(void **state)
{
	static const char text[] = "name = \"n\"; migrations = ( { name = \"a\"; handler = "
				   "\"mover\"; source = \"@crm\"; target = \"@outer\";\n"
				   "options = { tables = ( { name = \"t\"; lookup = \"@crm\"; } ); "
				   "mode = \"fast\"; };\n"
				   "@include \"empty.conf\"\n after = [ \"b\" ]; timeout = \"5s\"; "
				   "}, { name = \"b\"; " TEXT " } );\n";
	size_t n;

	for (n = 0; n <= strlen(text); n++) {
		struct wbl_spec *spec = NULL;
		int32_t rc = load_in(world.staging, text, n, &spec, NULL, NULL);

		assert_int_equal(rc == 0, spec != NULL);
		wbl_spec_free(spec);
	}
}

/* docs/spec.md tells of every setting. */
static void test_documented(void **state)
{
	static const char *const keys[] = {
#define WBL_SPEC_TOP(key) key,
#define WBL_SPEC_KEY(key) key,
#define WBL_SPEC_CHOICE(key, ...) key,
#define WBL_SPEC_TIME(key, ...) key,
#define WBL_SPEC_NUMBER(key, ...) key,
#include "core/engine/spec_keys.def"
	};
	const char *src = getenv("WBL_SRC");
	WBL_AUTOFREE char *path = wbl_strf("%s/docs/spec.md", src ? src : "..");
	struct wbl_buf text = { 0 };
	struct wbl_error err;
	size_t i;

	assert_int_equal(wbl_file_read(path, 1u << 20, &text, &err), 0);
	for (i = 0; i < WBL_COUNT(keys); i++) {
		WBL_AUTOFREE char *row = wbl_strf("| `%s` |", keys[i]);

		if (!strstr(text.data, row))
			fail_msg("%s has no row for %s", path, keys[i]);
	}
	wbl_buf_clear(&text);
}

static int make(void **state)
{
	world_make(&world);
	return 0;
}

static int end(void **state)
{
	world_end(&world);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bad),
		cmocka_unit_test(test_smallest),
		cmocka_unit_test(test_everything),
		cmocka_unit_test(test_peers),
		cmocka_unit_test(test_grouped_source),
		cmocka_unit_test(test_without_environment),
		cmocka_unit_test(test_bad_defaults),
		cmocka_unit_test(test_included),
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_names_of_files),
		cmocka_unit_test(test_bytes),
		cmocka_unit_test(test_large),
		cmocka_unit_test(test_many_mistakes),
		cmocka_unit_test(test_costly_mistakes),
		cmocka_unit_test(test_many_groups),
		cmocka_unit_test(test_prefixes),
		cmocka_unit_test(test_documented),
	};

	return cmocka_run_group_tests_name("engine/spec", tests, make, end);
}
