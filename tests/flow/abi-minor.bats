#!/usr/bin/env bats
# Modules of another minor version of the ABI, newer and older, run by this engine as it is; another major version is refused in
# words. The other versions are made from our headers: every struct longer, or as short as the engine accepts.
# req: H4 H5 V3
# SPDX-License-Identifier: Apache-2.0
load functions
setup() { flow_setup; CC=${CC:-cc}; }
teardown() { flow_teardown; }

# minor NAME MINOR CFLAGS...: tests/abi/minor.c against the headers in $T/NAME, into $T/NAME.d/minor.so
minor()
{
	local name=$1 number=$2
	shift 2
	mkdir -p "$T/$name.d"
	sed "s/@MINOR@/$number/" "$WBL_SRC/tests/abi/minor.conf" >"$T/$name.conf"
	$CC -Wall -Wextra -Werror -D_GNU_SOURCE "$@" -DWBL_MANIFEST_FILE="\"$T/$name.conf\"" -fPIC -shared -Wl,-z,now -Wl,-z,defs \
		-o "$T/$name.d/minor.so" "$WBL_SRC/tests/abi/minor.c"
	export WHIMBREL_HANDLERS=$T/$name.d
	cat >spec.conf <<-END
	migration: { handler = "minor"; options = { path = "$T/it"; found = "$T/found"; }; };
	END
}

there_and_back()
{
	whimbrel run -q --yes spec.conf
	[ "$(cat it)" = written ]
	whimbrel rollback -q last
	[ ! -e it ]
	[ "$(flow_state last)" = rolled_back ]
	whimbrel run -q --yes spec.conf
	rm it
	run whimbrel verify last
	[ ! -e found ] || { cat found; false; }
}

@test "a handler built for a later minor version: longer structs, flags and services that nobody here knows" {
	sh "$WBL_SRC/tests/abi/layout.sh" turned later "$T/later"
	minor later 7 -DLATER -I"$T/later"
	there_and_back
	[ "$(whimbrel -o json handler list | jq -c '[.modules[] | .status, .manifest.abi.minor]')" = '["enabled",7]' ]
}

@test "a handler built for an earlier minor version: every struct ends with what the first revision must have" {
	sh "$WBL_SRC/tests/abi/layout.sh" turned earlier "$T/earlier"
	minor earlier 0 -DEARLIER -I"$T/earlier"
	there_and_back
}

@test "today's modules, built against later headers: files and rows go through them as before" {
	sh "$WBL_SRC/tests/abi/layout.sh" turned later "$T/later"
	mkdir lib mods
	for f in call out doc param plan put keep rows json_cell times cast digest; do
		$CC -D_GNU_SOURCE -I"$T/later" -fPIC -c -o "lib/$f.o" "$WBL_SRC/sdk/lib/$f.c"
	done
	for m in custom/put_file stores/sqlite; do
		name=${m#*/}
		$CC -D_GNU_SOURCE -I"$T/later" -DWBL_MANIFEST_FILE="\"$WBL_SRC/plugins/$m/$name.conf\"" -fPIC -shared -Wl,-z,now \
			-o "mods/$name.so" "$WBL_SRC/plugins/$m"/*.c lib/*.o -lsqlite3 -lm
	done
	cp "$WBL_BUILD/plugins/mods/.libs/data.so" mods/
	export WHIMBREL_HANDLERS=$T/mods
	sqlite3 old.db 'CREATE TABLE t (id INTEGER PRIMARY KEY, x TEXT); INSERT INTO t VALUES (1, "a"), (2, NULL), (3, "c")'
	cat >spec.conf <<-END
	migrations: (
	{ name = "file"; handler = "put_file"; options = { path = "$T/motd"; content = "new\n"; }; },
	{ name = "rows"; handler = "data"; source = { store = "sqlite"; path = "$T/old.db"; };
		target = { store = "sqlite"; path = "$T/new.db"; }; options = { tables = ( { from = "t"; } ); }; } );
	END
	echo old >motd
	whimbrel run -q --yes spec.conf
	[ "$(cat motd)" = new ]
	[ "$(sqlite3 new.db 'SELECT count(*), count(x) FROM t')" = "3|2" ]
	whimbrel verify -q last
	whimbrel rollback -q last
	[ "$(cat motd)" = old ]
	[ ! -e new.db ] || [ -z "$(sqlite3 new.db .dump | grep 'TABLE t')" ]
}

@test "another major version is refused in words: by its manifest before any code runs, and by its entry" {
	minor next 0 -DNEXT_MAJOR -I"$WBL_SRC/include"
	run whimbrel plan spec.conf
	[ "$status" != 0 ]
	[[ "$output" == *"newer handler ABI than 1"*"Install a newer Whimbrel"* ]]
	sed 's/@MINOR@/0/; s/major = 1/major = 2/' "$WBL_SRC/tests/abi/minor.conf" >two.conf
	mkdir two
	$CC -D_GNU_SOURCE -I"$WBL_SRC/include" -DWBL_MANIFEST_FILE="\"$T/two.conf\"" -fPIC -shared -o two/minor.so \
		"$WBL_SRC/tests/abi/minor.c"
	export WHIMBREL_HANDLERS=$T/two
	flow_stop_engine
	run whimbrel plan spec.conf
	[ "$status" != 0 ]
	[[ "$output" == *"is made for ABI 2, this engine has ABI 1"*"two/minor.so"*"Upgrade Whimbrel."* ]]
}
