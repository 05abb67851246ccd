#!/usr/bin/env bats
# The store jsonl through the real engine: what another program wrote arrives with every digit, what is written can be read
# back, a line that does not fit is named and leaves nothing, and a copy that is killed ends migrated or as before.
# req: D9 D6 D7 D2 X9 X7
# SPDX-License-Identifier: Apache-2.0
load functions
setup() { flow_setup; }
teardown() { flow_teardown; }

# $1 options of the source, $2 the list of tables
spec()
{
	cat >spec.conf <<-END
	migration: { name = "lines"; handler = "data"; backoff = "1ms";
		source = { store = "jsonl"; path = "$T/in.jsonl"; $1 };
		target = { store = "sqlite"; path = "$T/new.db"; };
		options = { chunk_rows = 1000; tables = ( $2 ); }; };
	END
}

apply()
{
	whimbrel plan -q spec.conf
	whimbrel apply -q "$(whimbrel -o json show last | jq -r .id)"
}

@test "SQLite writes JSON, we read it back into SQLite: the same rows" {
	sqlite3 old.db "CREATE TABLE t (n INTEGER, s TEXT, gone TEXT);
		WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c WHERE x < 5000)
		INSERT INTO t SELECT CASE x % 3 WHEN 0 THEN 9223372036854775807 - x WHEN 1 THEN -x ELSE 9007199254740992 + x END,
			'line ' || char(10, 34, 92, 233, 128512, 9) || x, CASE x % 2 WHEN 0 THEN 'here' END FROM c;"
	sqlite3 old.db "SELECT json_object('n', n, 's', s, 'gone', gone) FROM t ORDER BY rowid" >in.jsonl
	spec "" '{ to = "t"; }'
	apply
	flow_is completed
	for db in old new; do
		sqlite3 $db.db "SELECT quote(n), quote(s), quote(gone) FROM t ORDER BY rowid" | sha256sum >$db.sum
	done
	cmp old.sum new.sum
	[ "$(sqlite3 new.db 'SELECT count(*), sum(typeof(n) <> "integer") FROM t')" = "5000|0" ]
	whimbrel rollback -q last
	[ ! -e new.db ]
}

@test "paths, types of the mapping, and numbers that no binary one can hold" {
	cat >in.jsonl <<-'END'
	{"id":1,"price":{"net":0.10},"tags":["a","b"],"at":"2026-11-21T13:14:15Z","ok":true}
	{"id":2,"price":{"net":12345678901234567890.123456789},"tags":[],"at":"2026-11-21T13:14:15.5+02:00","ok":false}
	END
	spec 'columns = ( "id", "price.net", "tags.0", "tags", "at", "ok" );' '{ to = "t"; key = ( "id" ); columns = (
		{ name = "id"; type = "int"; }, { name = "net"; from = "price.net"; type = "decimal"; },
		{ name = "first"; from = "tags.0"; type = "text"; }, { name = "tags"; type = "json"; },
		{ name = "at"; type = "instant"; }, { name = "ok"; type = "bool"; } ); }'
	apply
	flow_is completed
	[ "$(sqlite3 new.db 'SELECT id, net, first, tags, at, ok FROM t ORDER BY id')" = '1|0.1|a|["a","b"]|2026-11-21T13:14:15Z|1
2|12345678901234567890.123456789||[]|2026-11-21T11:14:15.5Z|0' ]
}

@test "a line that does not fit is named, and nothing is left" {
	seq 1 3000 | sed 's/.*/{"a":&}/' >good
	for line in '{"a":1e400}' '{"a":' '[]' '' '{"a":1,"b":2}' $'{"a":"\xff"}'; do
		rm -rf "$WHIMBREL_STATE"
		{ cat good; printf '%s\n' "$line"; } >in.jsonl
		spec "" '{ to = "t"; }'
		run apply
		[ "$status" -ne 0 ]
		[[ "$output" == *"in.jsonl:3001"* ]] || { echo "$line: $output"; whimbrel report last; false; }
		flow_state | grep -q rolled_back || whimbrel rollback -q last || whimbrel recover -q --strategy rollback
		[ ! -e new.db ]
		flow_stop_engine
	done
}

# $1 source store and file, $2 target store and file, $3 tables
move()
{
	cat >spec.conf <<-END
	migration: { name = "move"; handler = "data"; backoff = "1ms"; source = { $1 }; target = { $2 };
		options = { chunk_rows = 700; $3 }; };
	END
	apply
	flow_is completed
}

@test "SQLite to lines and back: every class of value, and the way back" {
	sqlite3 old.db "CREATE TABLE t (n INTEGER, r REAL, s TEXT, b BLOB, x);
		WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < 3000)
		INSERT INTO t SELECT 9223372036854775807 - i, i / 7.0 * (1 - 2 * (i % 2)), char(i, 10, 34, 92) || 'x', CASE i % 5 WHEN 0 THEN NULL ELSE randomblob(i % 50) END,
		CASE i % 5 WHEN 0 THEN i WHEN 1 THEN i / 3.0 WHEN 2 THEN 'text' WHEN 3 THEN x'00ff' END FROM c;
		INSERT INTO t VALUES (0, 1e300, '', x'', 1e-300), (-1, 5.0, '{}', NULL, 5.0), (1, 0.1, 'null', NULL, '5');"
	move "store = \"sqlite\"; path = \"$T/old.db\";" "store = \"jsonl\"; path = \"$T/lines.jsonl\"; table = \"t\";" ""
	[ "$(wc -l <lines.jsonl)" = 3003 ]
	jq -e . lines.jsonl >/dev/null
	[ ! -e lines.jsonl.whimbrel ]
	whimbrel verify last
	move "store = \"jsonl\"; path = \"$T/lines.jsonl\"; table = \"t\";" "store = \"sqlite\"; path = \"$T/new.db\";" 'tables = ( { columns = (
		{ name = "n"; type = "int"; }, { name = "r"; type = "real"; }, { name = "s"; type = "text"; }, { name = "b"; type = "bytes"; }, { name = "x"; } ); } );'
	for db in old new; do
		sqlite3 $db.db "SELECT quote(n), quote(r), quote(s), quote(b), typeof(x), quote(x) FROM t ORDER BY rowid" | sha256sum >$db.sum
	done
	cmp old.sum new.sum
	whimbrel rollback -q r-000002
	[ ! -e new.db ]
	# What others wrote into the file is not thrown away.
	echo '{"n":1}' >>lines.jsonl
	run whimbrel rollback -q r-000001
	[ "$status" -ne 0 ]
	[ "$(wc -l <lines.jsonl)" = 3004 ]
	sed -i '$d' lines.jsonl
	whimbrel recover -q r-000001 || [ $? = 7 ]
	[ ! -e lines.jsonl ]
	[ ! -e lines.jsonl.whimbrel ]
}

@test "the template: records of CSV to lines, and these to the same table as the records themselves" {
	cp "$WBL_SRC/templates/specs/unload.conf" spec.conf
	apply
	flow_is completed
	[ "$(sqlite3 :memory: '.import --csv /usr/share/ieee-data/oui.csv oui' 'SELECT count(*) FROM oui')" = "$(wc -l <vendors.jsonl)" ]
	columns='columns = ( { name = "prefix"; type = "text"; }, { name = "owner"; type = "text"; }, { name = "address"; type = "text"; } );'
	move "store = \"jsonl\"; path = \"$T/vendors.jsonl\";" "store = \"sqlite\"; path = \"$T/lines.db\";" "tables = ( { to = \"vendor\"; $columns } );"
	sed 's/store = "jsonl"; path = "vendors.jsonl"; table = "vendor"/store = "sqlite"; path = "records.db"/' "$WBL_SRC/templates/specs/unload.conf" >spec.conf
	apply
	flow_is completed
	for db in lines records; do
		sqlite3 $db.db "SELECT quote(prefix), quote(owner), quote(address) FROM vendor ORDER BY rowid" | sha256sum >$db.sum
	done
	cmp lines.sum records.sum
}

@test "a file that is there already is not written" {
	printf 'a\n1\n' >in.csv
	for text in '{"a":1}' ''; do
		printf %s "$text" >out.jsonl
		cat >spec.conf <<-END
		migration: { name = "move"; handler = "data"; source = { store = "csv"; path = "$T/in.csv"; };
			target = { store = "jsonl"; path = "$T/out.jsonl"; }; options = { tables = ( { to = "out.jsonl"; } ); }; };
		END
		run whimbrel plan -q spec.conf
		[ "$status" -ne 0 ]
		[ "$(cat out.jsonl)" = "$text" ]
		[ ! -e out.jsonl.whimbrel ]
	done
	rm out.jsonl
	apply
	[ "$(cat out.jsonl)" = '{"a":"1"}' ]
}

@test "killed at commits and fault points: migrated or as before" {
	out=$(STRIDE=9 SHIFT=2 ALTERNATE=1 "$WBL_SRC/tests/crash/kill-loop" jsonl faults 2>"$T/why") || { echo "$out"; head -200 "$T/why"; false; }
	echo "# $out" >&3
	out=$(STRIDE=3 SHIFT=1 ALTERNATE=1 "$WBL_SRC/tests/crash/kill-loop" lines faults 2>"$T/why") || { echo "$out"; head -200 "$T/why"; false; }
	echo "# $out" >&3
	out=$("$WBL_SRC/tests/crash/kill-loop" lines random 10 5 2>"$T/why") || { echo "$out"; head -200 "$T/why"; false; }
	echo "# $out" >&3
	out=$("$WBL_SRC/tests/crash/kill-loop" jsonl random 10 11 2>"$T/why") || { echo "$out"; head -200 "$T/why"; false; }
	echo "# $out" >&3
}
