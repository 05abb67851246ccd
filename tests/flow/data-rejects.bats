#!/usr/bin/env bats
# Rows that cannot be taken: kept whole in a dead-letter file, once, whatever was killed; limits over the whole table, exact at
# their border; corrected and taken after all.
# req: D2 D5 D8 X6 X9
# SPDX-License-Identifier: Apache-2.0
load functions
setup() { flow_setup; }
teardown() { flow_teardown; }

# $1 options, $2 properties of the migration
spec()
{
	cat >spec.conf <<-END
	migration: { name = "load"; handler = "data"; backoff = "1ms"; $2
		source = { store = "csv"; path = "$T/in.csv"; };
		target = { store = "sqlite"; path = "$T/new.db"; };
		options = { chunk_rows = 1000; $1
			tables = ( { to = "t"; key = ( "id" ); columns = ( { name = "id"; type = "int"; }, { name = "n"; type = "int"; },
				{ name = "s"; type = "text"; } ); } ); }; };
	END
}

# $1 rows, $2 every how many is bad
rows()
{
	seq "$1" | awk -v bad="$2" 'BEGIN { print "id,n,s" } { print $1 "," ($1 % bad ? $1 : "bad") ",text " $1 }' >in.csv
}

apply()
{
	whimbrel plan -q spec.conf && whimbrel apply -q "$(whimbrel -o json show last | jq -r .id)"
}

@test "dead letters: each once, with place, key, column, reason and the whole record" {
	rows 5000 3
	spec 'reject_limit = 2000; rejects = "rejects.jsonl";'
	apply
	flow_is completed
	[ "$(sqlite3 new.db 'SELECT count(*) FROM t')" = 3334 ]
	[ "$(wc -l <rejects.jsonl)" = 1666 ]
	[ "$(jq -r .record.id rejects.jsonl | sort -n | uniq | wc -l)" = 1666 ]
	[ "$(jq -r .id rejects.jsonl | sort | uniq | wc -l)" = 1666 ]
	jq -es '.[0] | .source == "in.csv:4" and .position == 4 and .to == "t" and .key == { id: "3" } and .column == "n" and .value == "bad"
		and (.reason | length > 0) and .record == { id: "3", n: "bad", s: "text 3" }' rejects.jsonl
	[ "$(stat -c %a rejects.jsonl)" = 600 ]
	whimbrel -o json report last | jq -e '.differences.total == 1000 and (.findings[0].text | test("1666 rejected rows"))'
	whimbrel report last | grep -q 'rejects.jsonl'
	# The file is there: nothing is written over it.
	mv new.db other.db
	run apply
	[ "$status" -ne 0 ]
	[[ "$output" == *"rejects.jsonl: is there already"* ]]
	mv other.db new.db
	whimbrel rollback -q r-000001
	[ ! -e rejects.jsonl ]
	[ ! -e new.db ]
}

@test "corrected and handed in: taken once, the list shrinks, verify counts them, the way back takes them too" {
	rows 3000 1000
	spec 'reject_limit = 3; rejects = "rejects.jsonl";'
	apply
	flow_is completed
	[ "$(whimbrel -o json report last | jq .differences.total)" = 3 ]
	# Two of three corrected, in a copy.
	jq -c 'select(.record.id != "2000") | .record.n = "7"' rejects.jsonl >mended.jsonl
	before=$(flow_db_digest new.db)
	# What is wrong in the file is named by its line, and nothing is written.
	bad()
	{
		run whimbrel repair last --from bad.jsonl
		[ "$status" -ne 0 ] || { echo "taken: $output"; return 1; }
		[[ "$output" == *"$1"* ]] || { echo "$output"; return 1; }
		[ "$(flow_db_digest new.db)" = "$before" ]
	}
	cat mended.jsonl rejects.jsonl >bad.jsonl
	bad 'bad.jsonl:3: the same "id" stood there before'
	{ head -1 mended.jsonl; echo; echo '{"id":'; } >bad.jsonl
	bad 'bad.jsonl:3: '
	{ head -1 mended.jsonl; tail -1 rejects.jsonl; } >bad.jsonl
	bad 'bad.jsonl:2: the row cannot go to table "t": column "n"'
	sed '2s!"id":"[^"]*"!"id":"copy:t/000001/77"!' mended.jsonl >bad.jsonl
	bad 'bad.jsonl:2: the run has left out no row with this "id"'
	jq -c '.record |= del(.s)' mended.jsonl >bad.jsonl
	bad 'the record has no "s"'
	jq -c '.record.id = "5"' mended.jsonl >bad.jsonl
	bad 'bad.jsonl:1: the target refuses the row'
	run whimbrel repair last --from nowhere.jsonl
	[ "$status" -ne 0 ]
	whimbrel verify -q last

	run whimbrel repair last --from mended.jsonl
	[ "$status" -eq 0 ] || { echo "$output"; false; }
	[[ "$output" == *"2 rows corrected and taken, 1 are still left out"* ]] || { echo "$output"; false; }
	[ "$(sqlite3 new.db 'SELECT count(*), (SELECT group_concat(n) FROM t WHERE id % 1000 = 0) FROM t')" = "2999|7,7" ]
	[ "$(whimbrel -o json report last | jq -c '[.differences.total, ([.steps[].mended.items] | add)]')" = "[1,2]" ]
	after=$(flow_db_digest new.db)
	# Once more, the whole file now: only the third is new.
	whimbrel -o json repair last --from mended.jsonl | jq -e '.corrected == 0 and .rejected == 1'
	[ "$(flow_db_digest new.db)" = "$after" ]
	jq -c '.record.n = "7"' rejects.jsonl >whole.jsonl
	whimbrel -o json repair last --from whole.jsonl | jq -e '.corrected == 1 and .rejected == 0'
	[ "$(sqlite3 new.db 'SELECT count(*), sum(n = 7) FROM t')" = "3000|4" ]
	whimbrel verify -q last
	[ "$(whimbrel -o json report last | jq .differences.total)" = 0 ]
	flow_stop_engine
	whimbrel verify -q last
	# A row that was corrected is watched like any other, and mended without the others.
	sqlite3 new.db "UPDATE t SET s = 'other' WHERE id = 1000"
	run whimbrel verify last
	[ "$status" -eq 10 ]
	whimbrel -o json report last | jq -e '.differences.total == 1 and (.differences.shown[0].key | test("1000"))'
	whimbrel repair last
	[ "$(sqlite3 new.db 'SELECT s FROM t WHERE id = 1000')" = "text 1000" ]
	whimbrel rollback -q last
	[ ! -e new.db ]
}
