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

@test "limits over the whole table: exactly reached is allowed, one more is not, also in percent and with parallel chunks" {
	rows 4000 100	# 40 bad ones in 4 chunks
	passes() { apply && flow_is completed && [ "$(sqlite3 new.db 'SELECT count(*) FROM t')" = 3960 ]; rm -f new.db; }
	fails()
	{
		run apply
		[ "$status" -ne 0 ] || return 1
		[[ "$output" == *"$1"* ]] || { echo "$output"; return 1; }
		[ ! -e new.db ]
	}
	spec 'reject_limit = 40;'
	passes
	spec 'reject_limit = 39;'
	fails 'table "t": 40 rows were rejected, at most 39 may be'
	spec 'reject_percent = 1.0;'
	passes
	spec 'reject_percent = 0.999;'
	fails '40 of at most 4000 rows were rejected, at most 0.999 % (39) may be'
	spec 'reject_limit = 40; reject_percent = 0.5;'
	fails '21 of at most 4000 rows were rejected, at most 0.5 % (20) may be'
	spec 'reject_limit = 0;'
	fails 'in.csv:101: the row cannot go to table "t": column "n": '
	# All of them, and as early as it can be known.
	rows 4000 1
	spec 'reject_percent = 100;'
	apply
	flow_is completed
	[ "$(sqlite3 new.db 'SELECT count(*) FROM t')" = 0 ]
	rm new.db
	spec 'reject_percent = 50;'
	fails '2001 of at most 4000 rows were rejected'
	[ "$(flow_count chunk.result)" -ge 2 ]
	# Refused by the target: two of each key.
	seq 3000 | awk 'BEGIN { print "id,n,s" } { print int(($1 + 1) / 2) "," $1 ",x" }' >in.csv
	spec 'reject_percent = 50; rejects = "twice.jsonl";'
	apply
	flow_is completed
	[ "$(sqlite3 new.db 'SELECT count(*), sum(n % 2) FROM t')" = "1500|1500" ]
	[ "$(jq -s 'length, all(.[]; .reason == "the target refuses it" and (.record.n | tonumber) % 2 == 0)' twice.jsonl | xargs)" = "1500 true" ]
}

@test "killed anywhere: every dead letter once, or nothing at all" {
	export WBL_TEST_FAULTS=$T/points
	rows 300 10
	spec 'chunk_rows = 100; reject_limit = 30; rejects = "rejects.jsonl";'
	sed -i 's/chunk_rows = 1000; //' spec.conf
	WBL_TEST_FAULT=count apply
	flow_is completed
	want=$(jq -cS . rejects.jsonl | sort | sha256sum)
	[ "$(wc -l <rejects.jsonl)" = 30 ]
	points=$(wc -l <points)
	unset WBL_TEST_FAULTS
	n=0
	for who in host engine; do
		for at in $(seq $((3 + n % 2)) 3 "$points"); do
			flow_stop_engine
			rm -rf state new.db rejects.jsonl
			WBL_TEST_FAULT=$who:$at apply >log 2>&1 || true
			if ! flow_is completed && [ $((n % 4)) -eq 1 ]; then
				whimbrel recover -q --strategy rollback >>log 2>&1 || true
				flow_is rolled_back || { cat log; echo "$who:$at back"; false; }
				[ ! -e new.db ] && [ "$(ls | grep -c rejects)" = 0 ] || { ls; echo "$who:$at back"; false; }
				n=$((n + 1))
				continue
			fi
			flow_is completed || whimbrel recover -q --strategy resume >>log 2>&1 || true
			flow_is completed || { cat log; flow_state; echo "$who:$at"; false; }
			[ "$(jq -cS . rejects.jsonl | sort | sha256sum)" = "$want" ] || { echo "$who:$at"; false; }
			[ "$(whimbrel -o json report last | jq .differences.total)" = 30 ] || { echo "$who:$at differences"; false; }
			n=$((n + 1))
			[ $((n % 3)) -ne 0 ] || { whimbrel rollback -q last && [ ! -e new.db ] && [ ! -e rejects.jsonl ]; }
		done
	done
	echo "# $n kills, every dead letter once" >&3
}

@test "a correction killed anywhere is there once, and can be handed in again" {
	rows 300 100
	n=0
	for how in host:1 host:2 engine:1 engine:2; do
		flow_stop_engine
		rm -rf state new.db rejects.jsonl
		spec 'reject_limit = 3; rejects = "rejects.jsonl";'
		apply >log 2>&1
		flow_stop_engine
		jq -c '.record.n = "7"' rejects.jsonl >mended.jsonl
		WBL_TEST_FAULT=$how whimbrel repair last --from mended.jsonl >log 2>&1 || true
		whimbrel repair -q last --from mended.jsonl
		[ "$(sqlite3 new.db 'SELECT count(*), sum(n = 7 AND id % 100 = 0) FROM t')" = "300|3" ]
		[ "$(whimbrel -o json report last | jq .differences.total)" = 0 ]
		whimbrel verify -q last
		n=$((n + 1))
	done
	whimbrel rollback -q last
	[ ! -e new.db ]
	echo "# $n corrections killed" >&3
}

@test "somebody else holds the database: the chunk is tried again with a delay, and the run goes through" {
	rows 50 1000
	sqlite3 new.db 'CREATE TABLE other(x)'
	spec '' 'attempts = 50;'
	sed -i 's/backoff = "1ms"/backoff = "100ms"/; s/new.db";/new.db"; busy_timeout = "10ms";/' spec.conf
	whimbrel plan -q spec.conf
	mkfifo hold
	sqlite3 new.db <hold &
	exec 9>hold
	echo 'BEGIN IMMEDIATE; INSERT INTO other VALUES(1);' >&9
	flow_until 5 sh -c '! sqlite3 new.db "BEGIN IMMEDIATE; COMMIT"'
	whimbrel apply -q p-000001 >log 2>&1 &
	run_pid=$!
	# Two attempts that met the lock, and came back for it.
	flow_until 20 sh -c 'whimbrel -o json audit list --limit 1000 | jq -e "[.entries[] | select(.status == -3)] | length >= 2"'
	echo 'COMMIT;' >&9
	exec 9>&-
	wait $run_pid
	flow_is completed
	[ "$(sqlite3 new.db 'SELECT (SELECT count(*) FROM t), (SELECT count(*) FROM other)')" = "50|1" ]
}

@test "the template: a list with mistakes, corrected and complete" {
	cp "$WBL_SRC/templates/specs/tolerant.conf" spec.conf
	seq 2000 | awk 'BEGIN { print "number,name,born,fee" } {
		print $1 ",Name " $1 "," ($1 == 7 ? "1999-02-30" : "2000-01-01") "," ($1 == 9 ? "12,5" : "12.50") }' | sed 's/"12,5"/x/' >members.csv
	sed -i 's/,12,5$/,"12,5"/; s/^13,/12,/' members.csv
	apply
	flow_is completed
	[ "$(jq -r '[.source, .column // "-", .reason] | @csv' rejects.jsonl | wc -l)" = 3 ]
	whimbrel report last | grep -q '3 rejected rows are kept in .*rejects.jsonl'
	sed -i 's/1999-02-30/1999-03-01/g; s/12,5/12.5/g; s/"number":"12"/"number":"13"/g' rejects.jsonl
	whimbrel repair last --from rejects.jsonl
	[ "$(sqlite3 members.db 'SELECT count(*), count(DISTINCT number) FROM member')" = "2000|2000" ]
	whimbrel verify -q last
	# What people have corrected in place is theirs: it stays.
	whimbrel rollback -q last
	[ ! -e members.db ]
	[ -e rejects.jsonl ]
}
