#!/usr/bin/env bats
# A plan is applied only to the world that it was made for: else exit 4, with every reason at once, and nothing changed.
# req: P3 P1 X1 D10 H3
# SPDX-License-Identifier: Apache-2.0
load functions
setup() { flow_setup; }
teardown() { flow_teardown; }

two_files()
{
	echo old1 >one
	echo old2 >two
	cat >spec.conf <<-END
	migrations = (
	  { name = "one"; handler = "put_file"; options = { path = "$T/one"; content = "new\n"; }; },
	  { name = "two"; handler = "put_file"; options = { path = "$T/two"; content = "new\n"; }; } );
	END
	whimbrel plan -q spec.conf --out plan.json >/dev/null
}

# refused PLAN TEXT...: exit 4, each text is among the reasons, and neither file has the new content.
refused()
{
	local text
	run whimbrel -o json apply "$1"
	echo "$output"
	[ "$status" -eq 4 ]
	shift
	for text; do
		[[ "$output" == *"$text"* ]]
	done
	! grep -q new one two
	[ "$(whimbrel -o json history | jq '.runs | length')" -eq "${runs:-0}" ]
}

@test "files that were replaced since: each of them is named" {
	two_files
	echo other >one
	chmod 600 two
	refused last "$T/one" "$T/two"
}

@test "an edited plan, by one byte" {
	two_files
	sed -i 's/new/nEw/' plan.json
	refused plan.json "changed, if only by a byte"
}

@test "a plan of another state folder" {
	two_files
	WHIMBREL_STATE=$T/other whimbrel plan -q spec.conf --out other.json >/dev/null
	kill "$(tr -dc 0-9 <"$T/other/lock")"
	refused other.json "another state folder"
}

@test "a plan that was used, also when its run was taken back" {
	two_files
	whimbrel apply -q plan.json
	whimbrel rollback -q last
	runs=1 refused plan.json "used by r-000001"
	echo other >one
	runs=1 refused plan.json "used by r-000001" "$T/one"
}

@test "a module that was built anew, and the plan was used besides: both are told" {
	two_files
	flow_stop_engine
	mkdir -p mods
	cp "$WBL_BUILD"/plugins/mods/.libs/put_file.so mods/
	export WHIMBREL_HANDLERS=$T/mods
	whimbrel plan -q spec.conf >/dev/null
	whimbrel apply -q last
	whimbrel rollback -q last
	cp mods/put_file.so mods/new
	printf x >>mods/new
	mv mods/new mods/put_file.so
	runs=1 refused last "mods/put_file.so" "the module's file is another one" "used by r-000001"
	[ "$(jq '.errors | length' <<<"$output")" -eq 2 ]
	whimbrel plan -q spec.conf >/dev/null
	whimbrel apply -q last
	grep -q new two
}

table()
{
	sqlite3 old.db "CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT); WITH RECURSIVE n(i) AS (VALUES (1) UNION ALL
		SELECT i + 1 FROM n WHERE i < 100) INSERT INTO t SELECT i, 'row ' || i FROM n"
	sqlite3 new.db "CREATE TABLE mine (x)"
	cat >spec.conf <<-END
	migration: { name = "load"; handler = "data"; source = { store = "sqlite"; path = "$T/old.db"; };
		target = { store = "sqlite"; path = "$T/new.db"; }; options = { tables = ( { from = "t"; key = ( "id" ); } ); }; };
	END
	whimbrel plan -q spec.conf >/dev/null
}

stale_table()
{
	local target
	target=$(flow_db_digest new.db)
	run whimbrel apply -q last
	echo "$output"
	[ "$status" -eq 4 ]
	[[ "$output" == *"$1"* ]]
	[ "$(flow_db_digest new.db)" = "$target" ]
}

@test "a source whose schema changed" {
	table
	sqlite3 old.db "ALTER TABLE t ADD COLUMN w TEXT"
	stale_table "source.schema: tables, columns"
}

@test "a target that got the table meanwhile" {
	table
	sqlite3 new.db "CREATE TABLE t (other)"
	stale_table "target"
}

@test "a source that grew beyond the tolerance is stale; within it, it is not, and the report says so" {
	table
	sqlite3 old.db "INSERT INTO t SELECT i + 1000, v FROM (SELECT id AS i, v FROM t)"
	stale_table "was 100, is 1100"
	whimbrel plan -q spec.conf >/dev/null
	sqlite3 old.db "INSERT INTO t VALUES (1101, 'grown')"
	whimbrel apply -q last
	[ "$(sqlite3 new.db 'SELECT count(*) FROM t')" -eq 201 ]
	whimbrel -o json audit list --limit 100000 | jq -e '[.entries[] | select(.kind == "run.note" and .name == "bind")] | length >= 1'
}

@test "a module that was built anew, and a file that was replaced: both are told" {
	two_files
	flow_stop_engine
	mkdir -p mods
	cp "$WBL_BUILD"/plugins/mods/.libs/put_file.so mods/
	export WHIMBREL_HANDLERS=$T/mods
	whimbrel plan -q spec.conf >/dev/null
	cp mods/put_file.so mods/new
	printf x >>mods/new
	mv mods/new mods/put_file.so
	echo other >two
	refused last "the module's file is another one" "$T/two"
}
