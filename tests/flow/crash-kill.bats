#!/usr/bin/env bats
# Killed at every commit of the journal and at every fault point, the engine and the hosts; then recovered, resumed and
# rolled back. Every end is "verified as migrated" or "as before", by digests which are not Whimbrel's.
# req: X9 X7 X1 D7 D8 A7 H5 Q1
# SPDX-License-Identifier: Apache-2.0
load functions
setup() { flow_setup; }
teardown() { flow_teardown; }

loop()
{
	local out
	out=$("$WBL_SRC/tests/crash/kill-loop" "$@" 2>"$T/why") || { echo "$out"; head -200 "$T/why"; return 1; }
	echo "# $out" >&3
}

@test "a file put in place: every commit and fault point" {
	loop put_file engine
	loop put_file hosts
	loop put_file faults
}

@test "chunks in parallel, undo, checkpoints, a background step: the engine at every commit" {
	ALTERNATE=1 loop workhorse engine
}

@test "chunks in parallel, undo, checkpoints, a background step: the hosts after every commit" {
	ALTERNATE=1 loop workhorse hosts
}

@test "chunks in parallel, undo, checkpoints, a background step: every fault point" {
	ALTERNATE=1 loop workhorse faults
}

@test "rows from csv to sqlite, and from sqlite into a database that lives" {
	STRIDE=7 SHIFT=3 loop csv engine
	STRIDE=5 SHIFT=1 ALTERNATE=1 loop csv faults
	STRIDE=7 SHIFT=5 loop sqlite engine
	STRIDE=5 SHIFT=4 ALTERNATE=1 loop sqlite faults
}

@test "two deaths in a row, in the run, its recovery, its rollback" {
	loop workhorse random 20 7
}

@test "the work that is killed has two chunks open at once" {
	. "$WBL_SRC/tests/crash/functions.bash"
	crash_begin workhorse
	crash_world
	whimbrel apply -q p-000001
	most=$(whimbrel -o json audit list --limit 100000 | jq '[.entries[] | select(.kind | startswith("chunk.")) |
		if .kind == "chunk.intent" then 1 elif .kind == "chunk.result" then -1 else 0 end] |
		reduce .[] as $d ([0, 0]; [.[0] + $d, ([.[1], .[0] + $d] | max)]) | .[1]')
	crash_end
	[ "$most" -ge 2 ]
}
