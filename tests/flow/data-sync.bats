#!/usr/bin/env bats
# Tables that hold rows already: appended to, merged into, brought into step again and again with a source that lives; who wins
# when both sides change; what is gone; nothing to do; and the way back, row by row, killed anywhere.
# req: D4 D6 D7 D8 X7 X9
# marks: sanitizers
# SPDX-License-Identifier: Apache-2.0
load functions
setup() { flow_setup; }
teardown() { flow_teardown; }

# $1: options
spec()
{
	cat >spec.conf <<-END
	migration: { name = "step"; handler = "data"; backoff = "1ms";
		source = { store = "sqlite"; path = "$T/old.db"; }; target = { store = "sqlite"; path = "$T/new.db"; };
		options = { chunk_rows = 300; $1 tables = ( { from = "t"; to = "t"; key = ( "id" ); $2 columns = (
			{ name = "id"; type = "int"; }, { name = "v"; type = "text"; }, { name = "n"; } ); } ); }; };
	END
}

old() { sqlite3 old.db "$1"; }
new() { sqlite3 new.db "$1"; }
# Our own judge: rows of both sides, in order.
rows() { sqlite3 "$1.db" "SELECT quote(id), quote(v), quote(n) FROM t ORDER BY id"; }
whole() { sqlite3 new.db .dump | sort | sha256sum; }
go() { whimbrel run -q --yes spec.conf >out 2>&1 || { cat out; return 1; }; }

source_rows()
{
	old "CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT, n, up TEXT, gone INT DEFAULT 0);
		WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c WHERE x < $1)
		INSERT INTO t (id, v, n, up) SELECT x, 'v' || x, CASE x % 4 WHEN 0 THEN NULL WHEN 1 THEN x / 3.0 ELSE x END,
			datetime('2026-01-01', x || ' seconds') FROM c"
}

target_rows()
{
	new "CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT, n, mine NOT NULL DEFAULT 'd', removed TEXT);
		ATTACH '$T/old.db' AS o; INSERT INTO t SELECT id, CASE WHEN id % 5 = 0 THEN 'theirs' ELSE v END, n, 'note ' || id, NULL FROM o.t WHERE id % 2;
		INSERT INTO t VALUES (100000, 'not ours', 1, 'x', NULL), (100001, NULL, NULL, 'y', NULL)"
}

@test "merged: rows added and changed by key, all others as they were, and back to the byte" {
	source_rows 1000; target_rows
	before=$(whole)
	spec 'existing = "merge";'
	whimbrel plan -q spec.conf
	whimbrel rehearse -q p-000001
	[ "$(whole)" = "$before" ]
	whimbrel -o json report last | jq -r '.steps[].rehearsed.what' | grep 'as they were; held against the target, none written'
	go
	[ "$(new 'SELECT count(*) FROM t')" = 1002 ]
	[ "$(new "ATTACH '$T/old.db' AS o; SELECT count(*) FROM (SELECT id, v, n FROM o.t EXCEPT SELECT id, v, n FROM t)")" = 0 ]
	[ "$(new "SELECT count(*) FROM t WHERE mine = 'note ' || id")" = 500 ]
	whimbrel -o json report last | jq -r '.findings[].text' | grep 'table t: 500 added, 100 changed'
	whimbrel verify -q last
	whimbrel rollback -q last
	[ "$(whole)" = "$before" ]
}

@test "on the way back what others have changed since is told and stays" {
	source_rows 200; target_rows
	spec 'existing = "merge";'
	go
	new "UPDATE t SET v = 'after us' WHERE id IN (5, 8); DELETE FROM t WHERE id = 10; UPDATE t SET mine = 'kept' WHERE id = 15"
	whimbrel rollback -q last || { whimbrel report last; false; }
	flow_is rolled_back
	[ "$(new 'SELECT v FROM t WHERE id IN (5, 8) ORDER BY id' | paste -sd ,)" = 'after us,after us' ]
	[ "$(new 'SELECT v, mine FROM t WHERE id = 15')" = 'theirs|kept' ]
	[ "$(new 'SELECT count(*) FROM t WHERE id % 2 = 0 AND id NOT IN (8, 100000)')" = 0 ]
	whimbrel report last | tr -s '\n ' ' ' | grep 'row {"id":"8"} was changed by others since and stays as it is'
}

@test "appended: only new keys; one that is there is named, rejected or fatal" {
	source_rows 400
	new "CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT, n); INSERT INTO t VALUES (100000, 'x', 1)"
	before=$(whole)
	spec 'existing = "append";'
	go
	[ "$(new 'SELECT count(*) FROM t')" = 401 ]
	whimbrel rollback -q last
	[ "$(whole)" = "$before" ]
	new "INSERT INTO t VALUES (7, 'mine', 7)"
	before=$(whole)
	run whimbrel run -q --yes spec.conf
	[ "$status" -ne 0 ]
	[[ "$output" == *'has a row of this key already'* ]]
	[ "$(whole)" = "$before" ]
	spec 'existing = "append"; reject_limit = 1;'
	go
	[ "$(new 'SELECT count(*), (SELECT v FROM t WHERE id = 7) FROM t')" = '401|mine' ]
	[ "$(whimbrel -o json report last | jq .differences.total)" = 1 ]
	# A table may have a mode of its own.
	spec 'existing = "refuse";' 'mode = "merge";'
	go
	[ "$(rows old | sha256sum)" = "$(new 'DELETE FROM t WHERE id = 100000'; rows new | sha256sum)" ]
}

@test "what cannot be done is refused in the plan, with the way out" {
	source_rows 10
	printf 'id,v,n\n' >out.csv
	for store in 'csv' 'jsonl'; do
		printf '{"id":1}\n' >out.jsonl
		spec 'existing = "merge";'
		sed -i "s/store = \"sqlite\"; path = \"$(echo "$T" | sed 's/\//\\\//g')\/new.db\"/store = \"$store\"; path = \"$(echo "$T" | sed 's/\//\\\//g')\/out.$store\"/; s/to = \"t\"/to = \"out.$store\"/" spec.conf
		run whimbrel plan -q spec.conf
		[ "$status" -ne 0 ]
		[[ "$output" == *'merged into'* || "$output" == *'cannot'* ]] || { echo "$output"; false; }
	done
	new "CREATE TABLE t (id INTEGER, v TEXT PRIMARY KEY, n)"
	spec 'existing = "merge";'
	run whimbrel plan -q spec.conf
	[[ "$output" == *'the key of the mapping is not the key of the target'* ]]
	rm new.db
	spec 'changes = { by = "column"; column = "up"; deletes = "apply"; };'
	run whimbrel plan -q spec.conf
	[[ "$output" == *'a column cannot tell which rows of the source are gone'* ]]
	old "UPDATE t SET up = NULL WHERE id = 3"
	spec 'changes = { by = "column"; column = "up"; };'
	run whimbrel run -q --yes spec.conf
	[ "$status" -ne 0 ]
	[[ "$output" == *'rows have no value there and would never be seen: 1'* ]]
	[ ! -e new.db ]
}

@test "by digest, five rounds: changes, deletes, conflicts by policy and by hand, nothing to do" {
	source_rows 2000
	spec "changes = { by = \"digest\"; deletes = \"apply\"; conflicts = \"manual\"; decisions = \"$T/decisions.jsonl\"; };"
	touch decisions.jsonl
	go
	[ "$(rows old | sha256sum)" = "$(rows new | sha256sum)" ]
	# 2: nothing has changed: both sides are read, neither is written.
	cp new.db was.db
	go
	cmp new.db was.db
	whimbrel -o json report last | jq -r '.findings[].text' | grep 'nothing to do'
	# 3: and now not even read.
	whimbrel run -q --yes spec.conf >out
	cmp new.db was.db
	[ "$(whimbrel -o json report last | jq '.steps | length')" = 0 ]
	whimbrel report last | grep 'nothing to do'
	# 4: rows of the target's own, changes on either side and on both.
	old "UPDATE t SET v = 'S' || id WHERE id IN (1, 2, 3, 500, 1999); DELETE FROM t WHERE id IN (10, 11, 12, 1000); INSERT INTO t (id, v) VALUES (5000, 'new')"
	new "UPDATE t SET v = 'T' || id WHERE id IN (2, 11, 20); DELETE FROM t WHERE id = 3; INSERT INTO t VALUES (9999, 'own', 1)"
	before=$(whole)
	go
	[ "$(new 'SELECT id, v FROM t WHERE id IN (1, 2, 3, 10, 11, 12, 20, 500, 1000, 1999, 5000, 9999)' | paste -sd ' ')" = \
		'1|S1 2|T2 11|T11 20|T20 500|S500 1999|S1999 5000|new 9999|own' ]
	whimbrel -o json report last >report.json
	[ "$(jq -r '.differences.shown[] | select(.kind == "conflict") | "\(.key) \(.expected) \(.found)"' report.json | sort | cut -d' ' -f1 | paste -sd ' ')" = \
		'{"id":"11"} {"id":"2"} {"id":"3"}' ]
	[ "$(jq .verification.complete report.json)" = false ]
	# They are met again, until somebody decides; a decision for something else does not count.
	jq -c '.differences.shown[] | select(.kind == "conflict") | {set, key: (.key | fromjson), take: (if (.key | fromjson | .id) == "3" then "target" else "source" end), found}' report.json >decided
	sed 's/"T2"/"T2x"/; s/\\"T2\\"/\\"T2x\\"/' decided >decisions.jsonl
	go
	[ "$(new 'SELECT v FROM t WHERE id IN (2, 11)')" = T2 ]
	cp decided decisions.jsonl
	go
	[ "$(new 'SELECT id, v FROM t WHERE id IN (2, 3, 11)')" = '2|S2' ]
	go
	[ "$(whimbrel -o json report last | jq .differences.total)" = 0 ]
	whimbrel verify -q last
	echo '{"set":"t","key":{"id":"2"},"take":"both"}' >decisions.jsonl
	old "UPDATE t SET v = 'again' WHERE id = 9"
	run whimbrel run -q --yes spec.conf
	[[ "$output" == *'decisions.jsonl:1'* ]]
	# All the way back, newest first, each to what was there before it.
	for r in r-000007 r-000006 r-000005 r-000004; do
		whimbrel rollback -q $r || { whimbrel report $r; false; }
	done
	[ "$(whole)" = "$before" ]
	# The ledger and the mark went back as well: the same round again.
	: >decisions.jsonl
	go
	[ "$(whimbrel -o json report last | jq .differences.total)" = 3 ]
}

@test "who wins: source, target" {
	for policy in source target; do
		rm -rf old.db new.db; flow_stop_engine; rm -rf "$WHIMBREL_STATE"
		source_rows 300
		spec "changes = { by = \"digest\"; deletes = \"apply\"; conflicts = \"$policy\"; };"
		go
		old "UPDATE t SET v = 'S' || id WHERE id IN (1, 2); DELETE FROM t WHERE id = 4"
		new "UPDATE t SET v = 'T' || id WHERE id IN (2, 3, 4)"
		go
		got=$(new 'SELECT v FROM t WHERE id < 5' | paste -sd ' ')
		[ $policy = source ] && want='S1 S2 v3' || want='S1 T2 T3 T4'
		[ "$got" = "$want" ] || { echo "$policy: $got"; false; }
		# What has been settled is no conflict the next time.
		go
		[ "$(whimbrel -o json report last | jq .differences.total)" = 0 ]
		whimbrel verify -q last
	done
}

@test "by column, a source that lives: written while it is read, late rows, tombstones, marks" {
	source_rows 3000
	new "CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT, n, removed TEXT)"
	spec 'changes = { by = "column"; column = "up"; overlap = "5m"; deletes = "mark"; mark = "removed"; mark_value = "yes"; deleted_when = "gone = 1"; };'
	( for i in $(seq 25); do
		sqlite3 -cmd '.timeout 2000' old.db "UPDATE t SET v = 'w$i', up = datetime('2026-02-01', '$i seconds') WHERE id % 31 = $i;
			INSERT INTO t (v, n, up) VALUES ('born $i', $i, datetime('2026-02-01', '$i seconds'))"
	done ) 3>&- &
	writer=$!
	for round in 1 2 3; do
		go
	done
	wait $writer
	go
	[ "$(rows old | sha256sum)" = "$(rows new | sha256sum)" ]
	cp new.db was.db
	# Nothing, by one question; also after somebody wrote elsewhere in the source.
	old "CREATE TABLE elsewhere (a)"; old "INSERT INTO elsewhere VALUES (1)"
	go
	cmp new.db was.db
	[ "$(whimbrel -o json report last | jq '.steps | length')" = 0 ]
	# Late: below the mark, within the overlap; a tombstone; a row that comes back.
	old "INSERT INTO t (id, v, up) VALUES (7000, 'late', datetime('2026-02-01', '-2 minutes')); UPDATE t SET gone = 1, up = datetime('2026-02-01', '1 hour') WHERE id IN (5, 6)"
	go
	[ "$(new "SELECT group_concat(id) FROM (SELECT id FROM t WHERE removed = 'yes' ORDER BY id)")" = 5,6 ]
	[ "$(new 'SELECT v FROM t WHERE id = 7000')" = late ]
	before=$(whole)
	old "UPDATE t SET gone = 0, up = datetime('2026-02-01', '2 hours') WHERE id = 5; UPDATE t SET v = 'equal mark', up = datetime('2026-02-01', '1 hour') WHERE id = 100"
	go
	[ "$(new "SELECT group_concat(id) FROM t WHERE removed = 'yes'")" = 6 ]
	[ "$(new 'SELECT v FROM t WHERE id = 100')" = 'equal mark' ]
	whimbrel verify -q last
	whimbrel rollback -q last
	[ "$(whole)" = "$before" ]
	# The mark went back too: what was taken back comes again.
	go
	[ "$(new 'SELECT v FROM t WHERE id = 100')" = 'equal mark' ]
	# The consistency check sees a row that somebody changed here.
	new "UPDATE t SET v = 'drift' WHERE id = 200"
	run whimbrel verify -q last
	[ "$status" -eq 10 ]
}

@test "chunks that turn out too long, in bytes or in time, are cut; nothing comes twice" {
	old "CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT, n);
		WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c WHERE x < 6000) INSERT INTO t SELECT x, CASE WHEN x > 5000 THEN hex(randomblob(2000)) ELSE 'v' END, x FROM c"
	for how in '' 'existing = "merge";'; do
		rm -f new.db
		[ -z "$how" ] || new "CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT, n); INSERT INTO t VALUES (9999, 'x', 1)"
		for size in 'chunk_bytes = "512K"; chunk_time = "0s";' 'chunk_time = "1ms"; chunk_rows = 3000;'; do
			spec "$how $size"
			sed -i 's/options = { chunk_rows = 300;/options = {/; s/name = "v"; type = "text";/& trim = true;/' spec.conf # no lane takes that
			before=$(whole)
			go
			parts=$(whimbrel -o json audit list --limit 100000 | jq '[.entries[] | select(.kind == "chunk.split")] | length')
			echo "# ${how:-copied}, $size $parts chunks were cut" >&3
			[ "$parts" -gt 0 ]
			[ "$(rows old | sha256sum)" = "$(new 'DELETE FROM t WHERE id = 9999'; rows new | sha256sum)" ]
			[ -z "$how" ] || new "INSERT INTO t VALUES (9999, 'x', 1)"
			whimbrel rollback -q last
			[ "$(whole)" = "$before" ] || [ ! -e new.db ]
		done
	done
}

@test "the template, run again and again" {
	sqlite3 customers.db "CREATE TABLE customer (id INTEGER PRIMARY KEY, name TEXT NOT NULL, city TEXT, updated_at TEXT NOT NULL, deleted_at TEXT);
		WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c WHERE x < 500)
		INSERT INTO customer SELECT x, 'Name ' || x, 'City ' || x % 7, '2026-01-01 08:00:00', NULL FROM c"
	cp "$WBL_SRC/templates/specs/keep-in-step.conf" spec.conf
	go
	[ "$(sqlite3 copy.db 'SELECT count(*) FROM customer')" = 500 ]
	sqlite3 customers.db "UPDATE customer SET city = 'Moved', updated_at = '2026-01-02 08:00:00' WHERE id = 3;
		UPDATE customer SET deleted_at = '2026-01-02 08:00:00', updated_at = '2026-01-02 08:00:00' WHERE id = 4"
	go
	[ "$(sqlite3 copy.db 'SELECT count(*), (SELECT city FROM customer WHERE id = 3) FROM customer')" = '499|Moved' ]
	go
	[ "$(whimbrel -o json report last | jq '.steps | length')" = 0 ]
}

@test "killed at commits and fault points, there and back: in step and verified, or as before" {
	for what in 'merge faults' 'sync faults' 'sync random 8 5'; do
		out=$(STRIDE=5 SHIFT=1 ALTERNATE=1 "$WBL_SRC"/tests/crash/kill-loop $what 2>"$T/why") || { echo "$out"; head -200 "$T/why"; false; }
		echo "# $out" >&3
	done
}

@test "killed at each fault point of the way back, and taken back again" {
	out=$("$WBL_SRC"/tests/crash/kill-back sync 2>"$T/why") || { echo "$out"; head -200 "$T/why"; false; }
	echo "# $out" >&3
}
