#!/usr/bin/env bats
# What was changed in the history behind our back is found by the command, up to the anchor; the tail after it is named.
# req: U1 T1
# SPDX-License-Identifier: Apache-2.0
load functions

setup()
{
	flow_setup
	echo old >motd
	echo 'migration: { name = "motd"; handler = "put_file"; options = { path = "'"$T"'/motd"; content = "new\n"; }; };' >spec.conf
	whimbrel plan -q spec.conf >/dev/null
	cp -a state early
	whimbrel apply -q last
	flow_stop_engine
	head=$(whimbrel -o json audit head | jq -r .head)
	flow_stop_engine
}

teardown() { flow_teardown; }

edit()
{
	flow_stop_engine
	local t
	for t in $(sqlite3 state/history.db "SELECT name FROM sqlite_master WHERE type = 'trigger'"); do
		sqlite3 state/history.db "DROP TRIGGER $t"
	done
	sqlite3 state/history.db "$1"
}

found()
{
	run whimbrel audit verify
	echo "$output"
	[ "$status" -eq 11 ]
	[[ "$output" == *"$1"* ]]
	flow_stop_engine
	run whimbrel audit verify --anchor "$head"
	[ "$status" -eq 11 ]
	flow_stop_engine
}

@test "an untouched chain is whole, with the anchor and without" {
	run whimbrel audit verify
	[ "$status" -eq 0 ]
	[[ "$output" == *"no anchor"* ]]
	run whimbrel audit verify --anchor "$head"
	[ "$status" -eq 0 ]
	whimbrel -o json audit verify --anchor "$head" | jq -e '.ok and .anchored and .unanchored >= 1'
}

@test "one byte of a body" {
	edit "UPDATE entry SET body = CAST(replace(CAST(body AS TEXT), 'motd', 'mote') AS BLOB) WHERE seq = 2"
	found 2
}

@test "an actor, a time, a status" {
	cp -a state kept
	for change in "actor = 'nobody'" "at = at + 1" "status = 1" "kind = 38"; do
		flow_stop_engine
		rm -rf state
		cp -a kept state
		edit "UPDATE entry SET $change WHERE seq = 4"
		found 4
	done
}

@test "an entry taken out of the middle" {
	edit "DELETE FROM entry WHERE seq = 5"
	found 5
}

@test "an entry put in" {
	edit "UPDATE entry SET seq = -seq WHERE seq > 4; UPDATE entry SET seq = -seq + 1 WHERE seq < 0"
	edit "INSERT INTO entry SELECT 5, at, kind, run, step, chunk, name, actor, pass, attempt, epoch, status, len, body, sum, hash
		FROM entry WHERE seq = 4"
	found "was changed"
}

@test "the tail cut off: found with the anchor, without it the entries are named as unanchored" {
	edit "DELETE FROM entry WHERE seq > 6"
	run whimbrel audit verify
	[ "$status" -eq 0 ]
	[[ "$output" == *"no anchor"* ]]
	flow_stop_engine
	run whimbrel audit verify --anchor "$head"
	[ "$status" -eq 11 ]
	[[ "$output" == *"anchor"* ]]
}

@test "a history that was told anew from an early copy, every digest right: only the anchor knows" {
	rm -rf state
	mv early state
	echo old >motd
	whimbrel apply -q last
	run whimbrel audit verify
	[ "$status" -eq 0 ]
	run whimbrel audit verify --anchor "$head"
	[ "$status" -eq 11 ]
}

@test "no run goes on upon a history that was tampered with in its plan" {
	edit "UPDATE entry SET body = CAST(replace(CAST(body AS TEXT), '$T/motd', '$T/evil') AS BLOB) WHERE seq = 2"
	run whimbrel apply -q p-000001
	[ "$status" -ne 0 ]
	[ ! -e evil ]
}

@test "the newest entry changed: no engine starts on it, and audit verify still names it" {
	newest=$(sqlite3 state/history.db 'SELECT max(seq) FROM entry')
	edit "UPDATE entry SET actor = 'nobody' WHERE seq = $newest"
	run whimbrel status
	[ "$status" -eq 11 ]
	run whimbrel audit verify
	echo "$output"
	[ "$status" -eq 11 ]
	[[ "$output" == *"$newest"* ]]
}
