#!/usr/bin/env bats
# A module of somebody's own changes the rows: more or fewer of them, other columns; and one that lies is named, with the place in
# the spec, and leaves nothing.
# req: D5 H5 D6 X4
# SPDX-License-Identifier: Apache-2.0
load functions
setup() { flow_setup; }
teardown() { flow_teardown; }

# $1 transform, $2 columns, $3 properties of the migration, $4 options
spec()
{
	cat >spec.conf <<-END
	migration: { name = "load"; handler = "data"; backoff = "1ms"; $3
		source = { store = "csv"; path = "$T/in.csv"; };
		target = { store = "sqlite"; path = "$T/new.db"; };
		options = { chunk_rows = 1000; $4 tables = ( { to = "t"; transform = { $1 }; columns = ( $2 ); } ); }; };
	END
}

apply()
{
	whimbrel plan -q spec.conf && whimbrel apply -q "$(whimbrel -o json show last | jq -r .id)"
}

@test "a list becomes rows, parts become one column: verified, taken back, and wrong names refused in the plan" {
	seq 3000 | awk 'BEGIN { print "id,tags,street,city" }
		{ print $1 ",\"" ($1 % 3 ? "a" $1 ",b" $1 : "") ($1 % 5 ? "" : ",c") "\",Road " $1 "," ($1 % 2 ? "Town" : "") }' >in.csv
	want=$(awk -F'"' 'NR > 1 { n += split($2, p, ",") - ($2 ~ /^$/ ? 0 : 0) } END { print n }' in.csv)
	spec 'transform = "unfold"; column = "tags"' '{ name = "id"; type = "int"; }, { name = "n"; from = "part"; type = "int"; }, { name = "tag"; from = "tags"; type = "text"; }'
	apply
	flow_is completed
	[ "$(sqlite3 new.db 'SELECT count(*) FROM t')" = "$want" ]
	[ "$(sqlite3 new.db "SELECT group_concat(n || '=' || tag) FROM t WHERE id = 5")" = "1=a5,2=b5,3=c" ]
	whimbrel verify -q last
	sqlite3 new.db "UPDATE t SET tag = 'other' WHERE id = 7 AND n = 2"
	run whimbrel verify last
	[ "$status" -eq 10 ]
	sqlite3 new.db "UPDATE t SET tag = 'b7' WHERE id = 7 AND n = 2"
	whimbrel verify -q last
	whimbrel rollback -q last
	[ ! -e new.db ]
	spec 'transform = "address"; parts = ( "street", "city" )' '{ name = "id"; type = "int"; }, { name = "address"; type = "text"; }'
	apply
	[ "$(sqlite3 new.db 'SELECT group_concat(address, "; ") FROM t WHERE id < 3')" = "Road 1, Town; Road 2" ]
	rm new.db
	spec 'transform = "unfold"; column = "tags"' '{ name = "id"; from = "ident"; }'
	run whimbrel plan spec.conf
	[ "$status" -ne 0 ]
	[[ "$output" == *'the source has no column "ident"'* ]]
	spec 'transform = "unfold"; column = "lists"' '{ name = "id"; }'
	run whimbrel plan spec.conf
	[ "$status" -ne 0 ]
	[[ "$output" == *'there is no column "lists"'* ]]
	spec 'transform = "unfold"' '{ name = "id"; }'
	run whimbrel plan spec.conf
	[ "$status" -ne 0 ]
	[[ "$output" == *column* ]]
}

@test "what a transform made and nobody can take is kept as it was made, and taken when corrected" {
	printf 'id,tags\n1,"1,x,3"\n2,"4"\n' >in.csv
	spec 'transform = "unfold"; column = "tags"' '{ name = "id"; type = "int"; }, { name = "v"; from = "tags"; type = "int"; }' '' \
		'rejects = "rejects.jsonl"; reject_percent = 25;'
	apply
	[ "$(jq -c '[.source, .position, .record]' rejects.jsonl)" = '["in.csv:2",2,{"id":"1","tags":"x"}]' ]
	jq -c '.record.tags = "2"' rejects.jsonl >mended.jsonl
	whimbrel repair -q last --from mended.jsonl
	[ "$(sqlite3 new.db 'SELECT group_concat(v) FROM t')" = 1,3,4,2 ]
	whimbrel verify -q last
}

@test "transforms that lie are found out, and nothing is left" {
	printf 'id,s\n1,x\n' >in.csv
	while IFS='|' read -r act says; do
		rm -rf "$WHIMBREL_STATE"
		spec "transform = \"odd\"; act = \"$act\"" '{ name = "id"; type = "int"; }, { name = "s"; type = "text"; }'
		run apply
		[ "$status" -ne 0 ] || { echo "$act passed"; false; }
		[[ "$output" == *"$says"* ]] || { echo "$act: $output"; false; }
		[ ! -e new.db ]
		flow_stop_engine
	done <<-END
		no json|names its columns in no JSON
		none|names no columns
		no list|names no columns
		silent|names its columns in no JSON
		nameless|makes a column that cannot be called
		twice|makes two columns called "ID"
		bad type|makes a column of the unknown type "number"
		open status|nonsense
		few|makes a row with too few columns
		many|makes a row with too many columns
		miscounts|miscounts its rows
		lane|makes rows in the encoding "own.binary"
		nothing|makes a batch of nothing
		garbage|makes a batch that cannot be read
		huge|makes more than 1,000,000 rows
		deletes|makes a row that is to be deleted
		not utf-8|makes a value that is none of its kind
		no decimal|makes a value that is none of its kind
		status|answers with nonsense
		end|answers with nonsense
		dies|killed by signal 6
	END
}

@test "a transform that never ends: its chunk is stopped in time, tried again with a delay, and the run goes back" {
	printf 'id,s\n1,x\n' >in.csv
	spec 'transform = "odd"; act = "never ends"' '{ name = "id"; type = "int"; }, { name = "s"; type = "text"; }' \
		'timeout = "300ms"; grace = "100ms"; attempts = 2; validation = "basic";'
	run apply
	[ "$status" -ne 0 ]
	flow_is rolled_back
	[[ "$output" == *"time limit"* ]] || { echo "$output"; false; }
	[ "$(flow_count chunk.intent)" = 2 ]
	[ ! -e new.db ]
}
