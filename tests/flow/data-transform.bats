#!/usr/bin/env bats
# Mapping and transformation through the real engine: columns computed, dated, mapped, looked up, generated and masked; tables merged
# and split; what cannot work is refused in the plan with its place in the options; masked values are nowhere.
# req: D5 D2 D6 X4 X9
# marks: sanitizers
# SPDX-License-Identifier: Apache-2.0
load functions
setup() { flow_setup; export MASK_KEY=a-long-and-random-key-of-tests; }
teardown() { flow_teardown; }

apply()
{
	whimbrel plan -q spec.conf && whimbrel apply -q "$(whimbrel -o json show last | jq -r .id)"
}

# $1 source, $2 options
spec()
{
	cat >spec.conf <<-END
	migration: { name = "t"; handler = "data"; backoff = "1ms"; source = { $1 };
		target = { store = "sqlite"; path = "$T/new.db"; }; options = { $2 }; };
	END
}

people()
{
	cat >people.csv <<-'END'
	id,host,name,email,born,seen,country,state,net,phone
	1,www.example.com,Ada Lovelace,ada@example.org,10.12.1815,2026-10-25 02:30,UK,A,10.50,+44 20 1234567
	2,b.example.com,Grace Hopper,grace@example.mil,12/9/1906,2026-03-29 12:00,US,S,0.10,+1 212 555 0199
	3,c.example.com,Linus,linus@example.fi,28.12.1969,2026-07-01 08:00,XX,A,1234567890123456789.01,0
	4,d.example.com,Nobody,,,2026-07-01 08:00,UK,D,1,1
	END
	printf 'code,title\nUK,United Kingdom\nUS,United States\nUK,United Kingdom\n' >country.csv
}

@test "the template: everything at once, verified, masked alike, and back" {
	people
	cp "$WBL_SRC/templates/specs/people.conf" spec.conf
	apply
	flow_is completed
	[ "$(sqlite3 people.db 'SELECT id, uid, family, seen, country, state, gross, phone FROM person ORDER BY id')" = \
'1|2ed6657d-e927-568b-95e1-2665a8aea6a2|Lovelace|2026-10-25T00:30:00Z|United Kingdom|active|12.5|***********567
2|'"$(sqlite3 people.db 'SELECT uid FROM person WHERE id = 2')"'|Hopper|2026-03-29T10:00:00Z|United States|asleep|0.12|************199
3|'"$(sqlite3 people.db 'SELECT uid FROM person WHERE id = 3')"'|Linus|2026-07-01T06:00:00Z|unknown|active|1469135789246913578.92|*' ]
	[ "$(sqlite3 people.db "SELECT count(*) FROM person WHERE email GLOB '????????????????@example.*' AND length(person) = 32
		AND abs(julianday(born) - julianday(CASE id WHEN 1 THEN '1815-12-10' WHEN 2 THEN '1906-12-09' ELSE '1969-12-28' END)) BETWEEN 1 AND 30")" = 3 ]
	whimbrel verify last
	whimbrel show p-000001 | grep -q 'masked (email)'
	whimbrel report last | grep -q 'person.email: masked (email)'
	whimbrel show p-000001 | tr -d '\n' | grep -q 'computed: coalesce'
	[ "$(grep -rlaE 'ada@|Countess|1234567890123' "$WHIMBREL_STATE" | wc -l)" = 0 ]
	sqlite3 people.db 'SELECT * FROM person' | sha256sum >first
	whimbrel rollback -q last
	[ ! -e people.db ]
	apply
	sqlite3 people.db 'SELECT * FROM person' | sha256sum | cmp - first
}

@test "a masked value is in no message, difference, dead letter or log" {
	printf 'id,who,n\n1,SECRETPERSON1,7\n2,SECRETPERSON2,8\n3,1999-01-01,9\n' >in.csv
	cols='{ name = "id"; type = "int"; }, { name = "who"; type = "date"; mask = { how = "shift"; key = "env:MASK_KEY"; }; },
		{ name = "again"; compute = "CAST(who AS DATE)"; }'
	spec "store = \"csv\"; path = \"$T/in.csv\";" "tables = ( { to = \"t\"; key = ( \"id\" ); columns = ( $cols ); } );"
	run apply
	[ "$status" -ne 0 ]
	[[ "$output" == *"in.csv:2"*"column \"who\": not a date"* ]]
	[[ "$output" != *SECRETPERSON* ]]
	spec "store = \"csv\"; path = \"$T/in.csv\";" "reject_limit = 5; rejects = \"$T/rejects.jsonl\"; tables = ( { to = \"t\"; key = ( \"id\" ); columns = ( $cols ); } );"
	apply
	flow_is completed
	[ "$(wc -l <rejects.jsonl)" = 2 ]
	jq -es '.[0].record.who == { "$masked": true } and .[0].record.id == "1"' rejects.jsonl
	whimbrel report last >report
	flow_stop_engine
	! grep -rla SECRETPERSON rejects.jsonl report new.db "$WHIMBREL_STATE"
	# The same through a computed column that comes first.
	cols='{ name = "id"; type = "int"; }, { name = "c"; compute = "part(who, '\''N'\'', 1)"; type = "int"; }, { name = "who"; mask = { how = "hash"; key = "env:MASK_KEY"; }; }'
	rm -rf new.db rejects.jsonl
	spec "store = \"csv\"; path = \"$T/in.csv\";" "tables = ( { to = \"t\"; columns = ( $cols ); } );"
	run apply
	[ "$status" -ne 0 ]
	[[ "$output" == *'column "c"'* ]]
	[[ "$output" != *SECRET* ]]
}

@test "what cannot work is refused in the plan, with its place in the options" {
	people
	n=0
	while IFS='~' read -r column where what; do
		spec "store = \"csv\"; path = \"$T/people.csv\";" "tables = ( { to = \"t\"; columns = ( { name = \"id\"; }, { $column } ); } );"
		run whimbrel plan -q spec.conf
		[ "$status" -ne 0 ] || { echo "planned: $column"; false; }
		[[ "$output" == *"$where"*"$what"* ]] || { echo "$column: $output"; false; }
		n=$((n + 1))
	done <<-'END'
	name = "x"; compute = "nam || 'x'";~tables.0.columns.1.compute~no column "nam"; is it "name"
	name = "x"; compute = "net * 2";~tables.0.columns.1.compute~column "net" is a text
	name = "x"; compute = "dec_mul(net, 2) + 1";~tables.0.columns.1.compute~the result of dec_mul is a decimal, which + does not keep exact; use dec_add
	name = "x"; compute = "random()";~tables.0.columns.1.compute~no function "random"
	name = "x"; compute = "(SELECT 1)";~tables.0.columns.1.compute~not for expressions here
	name = "x"; compute = "date('now')";~tables.0.columns.1.compute~use date_of
	name = "x"; compute = "id"; from = "id";~tables.0.columns.1~only one of from
	name = "nmae";~tables.0.columns.1~the source has no column "nmae"; is it "name"
	name = "born"; type = "date"; format = ( "%d.%m" );~tables.0.columns.1.format~without a year
	name = "born"; type = "date"; format = ( "%Q" );~tables.0.columns.1.format~the directives are
	name = "seen"; type = "instant"; format = ( "%Y-%m-%d %H:%M" );~tables.0.columns.1.format~needs a `zone`
	name = "seen"; type = "instant"; zone = "Europe/Berln";~tables.0.columns.1.zone~no time zone is known here as "Europe/Berln"
	name = "seen"; type = "int"; zone = "Europe/Berlin";~tables.0.columns.1.zone~goes with the types instant and local
	name = "state"; map = ( { from = "A"; to = "x"; }, { from = "A"; to = "y"; } );~tables.0.columns.1.map~two pairs begin with "A"
	name = "state"; type = "int"; map = ( { from = "A"; to = "x"; } );~tables.0.columns.1.map~not a whole number
	name = "state"; otherwise = "x";~tables.0.columns.1.otherwise~goes with `map`
	name = "state"; type = "int"; default = "x";~tables.0.columns.1.default~not a whole number
	name = "country"; lookup = { in = { store = "csv"; path = "country.csv"; }; key = "cod"; value = "title"; };~tables.0.columns.1.lookup~no column "cod"; is it "code"
	name = "country"; lookup = { in = { store = "csv"; path = "none.csv"; }; key = "code"; value = "title"; };~tables.0.columns.1.lookup~
	name = "name"; mask = { how = "hash"; };~tables.0.columns.1.mask~needs a secret `key`
	name = "name"; mask = { how = "null"; }; not_null = true;~tables.0.columns.1.mask~cannot be masked as "null"
	name = "name"; mask = { how = "shift"; key = "env:MASK_KEY"; };~tables.0.columns.1.mask~shift goes with
	name = "born"; type = "date"; mask = { how = "shift"; key = "env:MASK_KEY"; by = "idd"; };~tables.0.columns.1~no column "idd"; is it "id"
	name = "x"; generate = { kind = "uuid"; namespace = "x"; of = ( "id" ); };~tables.0.columns.1.generate~the namespace of UUIDs
	name = "x"; generate = { kind = "hash"; };~tables.0.columns.1.generate~name them by `of`
	END
	echo "# $n refused by name" >&3
	spec "store = \"csv\"; path = \"$T/people.csv\";" 'tables = ( { to = "t"; filter = "name"; } );'
	run whimbrel plan -q spec.conf
	[[ "$output" == *"tables.0.filter"*"a condition takes numbers"* ]]
	MASK_KEY=tiny
	flow_stop_engine
	cp "$WBL_SRC/templates/specs/people.conf" spec.conf
	run apply
	[[ "$output" == *"shorter than 16 bytes"* ]] || { echo "$output"; false; }
	[ ! -e people.db ]
}

orders()
{
	sqlite3 old.db "CREATE TABLE o2025 (id INTEGER PRIMARY KEY, kind TEXT, amount TEXT);
		CREATE TABLE o2026 (id INTEGER PRIMARY KEY, kind TEXT, amount TEXT); CREATE TABLE o2027 (id INTEGER PRIMARY KEY, kind TEXT, amount TEXT);
		WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c WHERE x < 2500)
		INSERT INTO o2025 SELECT x, CASE x % 3 WHEN 0 THEN 'a' WHEN 1 THEN 'b' ELSE 'c' END, x || '.10' FROM c;
		INSERT INTO o2026 SELECT id + 10000, kind, amount FROM o2025;"
}

@test "several tables become one: chunks, kills, a repeated key by name, verified and back" {
	orders
	tables='tables = ( { from_all = ( "o2025", "o2026", "o2027" ); to = "o"; key = ( "id" ); columns = ( { name = "id"; type = "int"; },
		{ name = "n"; generate = { kind = "sequence"; }; }, { name = "from_table"; compute = "source_table()"; },
		{ name = "amount"; compute = "dec_add(amount, 0.05)"; } ); } );'
	spec "store = \"sqlite\"; path = \"$T/old.db\";" "chunk_rows = 400; $tables"
	export WBL_TEST_FAULTS=$T/reached WBL_TEST_FAULT=count
	apply
	flow_is completed
	unset WBL_TEST_FAULTS WBL_TEST_FAULT
	flow_stop_engine
	is='SELECT count(*), count(DISTINCT n), min(n), sum(from_table = "o2026"), typeof(amount), min(amount) FROM o'
	[ "$(sqlite3 new.db "$is")" = '5000|5000|4|2500|text|1.15' ]
	want=$(flow_db_digest new.db)
	all=$(wc -l <reached)
	[ "$(grep -c '^committed' reached)" -ge 13 ]
	kills=0
	for i in $(seq 5 $((all / 6)) "$all"); do
		rm -rf "$WHIMBREL_STATE" new.db*
		WBL_TEST_FAULT=host:$i apply || whimbrel recover -q last || [ "$(flow_state)" = completed ]
		flow_stop_engine
		flow_is completed
		[ "$(flow_db_digest new.db)" = "$want" ]
		kills=$((kills + 1))
		flow_stop_engine
	done
	echo "# $kills kills, all the same table" >&3
	whimbrel verify last
	sqlite3 new.db "UPDATE o SET amount = '0' WHERE id = 10005; DELETE FROM o WHERE id = 7"
	run whimbrel verify last
	[ "$status" -ne 0 ]
	whimbrel -o json report last | jq -e '.differences | .total == 2 and ([.shown[] | .kind + .key] | sort) == ["changed{\"id\":\"10005\"}", "missing{\"id\":\"7\"}"]'
	whimbrel repair -q last
	[ "$(flow_db_digest new.db)" = "$want" ]
	whimbrel rollback -q last
	[ ! -e new.db ]
	sqlite3 old.db "INSERT INTO o2027 VALUES (7, 'a', '1')"
	run apply
	[ "$status" -ne 0 ]
	[[ "$output" == *"o2027"*"the target refuses it"*'"id":"7"'* ]]
	sqlite3 old.db "ALTER TABLE o2027 RENAME COLUMN kind TO sort"
	spec "store = \"sqlite\"; path = \"$T/old.db\";" 'tables = ( { from_all = ( "o2025", "o2027" ); to = "o"; } );'
	run whimbrel plan -q spec.conf
	[[ "$output" == *"tables.0"*"the first table is unlike"* ]]
}

@test "a row of a merged table is corrected: taken as one of the table that it came from" {
	orders
	sqlite3 old.db "UPDATE o2026 SET amount = 'much' WHERE id = 10009"
	spec "store = \"sqlite\"; path = \"$T/old.db\";" 'chunk_rows = 400; reject_limit = 1; rejects = "rejects.jsonl";
		tables = ( { from_all = ( "o2025", "o2026" ); to = "o"; key = ( "id" ); filter = "id <> 3"; columns = ( { name = "id"; type = "int"; },
		{ name = "n"; generate = { kind = "sequence"; }; }, { name = "t"; compute = "source_table()"; }, { name = "amount"; compute = "dec_add(amount, 0.05)"; } ); } );'
	apply
	[ "$(jq -r '.source, .column, .reason' rejects.jsonl | tr '\n' '|')" = 'o2026, rowid 10009|amount|a text that is no decimal number where one should stand|' ]
	jq -c '.record.amount = "9.95"' rejects.jsonl >mended.jsonl
	whimbrel repair -q last --from mended.jsonl
	[ "$(sqlite3 new.db 'SELECT count(*), (SELECT n || t || amount FROM o WHERE id = 10009) FROM o')" = '4999|20020o202610' ]
	whimbrel verify last
	whimbrel rollback -q last
	[ ! -e new.db ]
}

@test "one table becomes several: rows that no entry takes are counted, told, or rejected" {
	orders
	for rest in drop reject; do
		rm -rf "$WHIMBREL_STATE" new.db
		spec "store = \"sqlite\"; path = \"$T/old.db\";" "chunk_rows = 300; reject_limit = 1000; tables = (
			{ from = \"o2025\"; to = \"a\"; filter = \"kind = 'a'\"; rest = \"$rest\"; }, { from = \"o2025\"; to = \"b\"; filter = \"kind = 'b' AND id > 100\"; } );"
		apply
		flow_is completed
		[ "$(sqlite3 new.db 'SELECT count(*), min(kind), max(kind) FROM a UNION ALL SELECT count(*), min(kind), max(kind) FROM b')" = '833|a|a
800|b|b' ]
		whimbrel report last | tr -s ' \n' ' ' >report
		grep -q '867 rows are taken by no entry of `tables`' report
		[ "$rest" = drop ] || grep -q '867 rejected\|867 rows' report
		whimbrel verify last
		flow_stop_engine
	done
	spec "store = \"sqlite\"; path = \"$T/old.db\";" 'tables = ( { from = "o2025"; to = "a"; filter = "kind = '"'a'"'"; rest = "drop"; }, { from = "o2025"; to = "b"; } );'
	run whimbrel plan -q spec.conf
	[[ "$output" == *"tables.0.rest"*"takes every row"* ]]
}

@test "looking up: in the source, in a big file, with keys missing or twice, and a table that changed" {
	orders
	sqlite3 old.db "CREATE TABLE sort (k TEXT, title TEXT); INSERT INTO sort VALUES ('a', 'first'), ('b', 'second'), (NULL, 'none')"
	columns='columns = ( { name = "id"; type = "int"; }, { name = "t"; from = "kind"; lookup = { table = "sort"; key = "k"; value = "title"; missing = "?"; }; } );'
	spec "store = \"sqlite\"; path = \"$T/old.db\";" "tables = ( { from = \"o2025\"; to = \"o\"; $columns } );"
	apply
	[ "$(sqlite3 new.db 'SELECT t, count(*) FROM o GROUP BY 1 ORDER BY 1')" = '?|833
first|833
second|834' ]
	flow_stop_engine
	rm -rf "$WHIMBREL_STATE" new.db
	spec "store = \"sqlite\"; path = \"$T/old.db\";" "tables = ( { from = \"o2025\"; to = \"o\"; ${columns/missing = \"?\";/} } );"
	run apply
	[ "$status" -ne 0 ]
	[[ "$output" == *'column "t": a key that the table does not have'*'"c"'* ]]
	seq 200000 | sed 's/.*/&,"value of a long text that takes some room &"/' | sed '1i k,v' >big.csv
	spec "store = \"sqlite\"; path = \"$T/old.db\";" "chunk_rows = 300; tables = ( { from = \"o2025\"; to = \"o\"; columns = ( { name = \"id\"; type = \"int\"; },
		{ name = \"v\"; from = \"id\"; lookup = { in = { store = \"csv\"; path = \"$T/big.csv\"; }; key = \"k\"; value = \"v\"; }; type = \"text\"; } ); } );"
	whimbrel plan -q spec.conf
	p=$(whimbrel -o json show last | jq -r .id)
	sed -i 's/room 77"/room of another"/' big.csv
	run whimbrel apply -q "$p"
	[ "$status" -ne 0 ]
	[[ "$output" == *"looked up in"* ]]
	apply
	[ "$(sqlite3 new.db "SELECT count(*), sum(v = 'value of a long text that takes some room ' || id) FROM o")" = '2500|2499' ]
	rm new.db
	echo '1,other' >>big.csv
	run whimbrel plan -q spec.conf
	[[ "$output" == *'two values for one "k": "1"'* ]]
}
