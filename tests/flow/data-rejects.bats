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
