#!/usr/bin/env bats
# A rehearsal really does a step on a copy and takes it back, where the handler offers it; strict validation wants that.
# req: P4 X1 X7 D8
# SPDX-License-Identifier: Apache-2.0
load functions
setup() { flow_setup; }
teardown() { flow_teardown; }

# spec NAME OPTIONS: a step "trial" on the file world/NAME
spec()
{
	mkdir -p world
	printf 'old' >"world/$1"
	cat >spec.conf <<-END
	migration: { name = "$1"; handler = "trial"; options = { path = "$T/world/$1"; $2 }; };
	END
	whimbrel plan -q spec.conf >/dev/null
}

rehearsed() { whimbrel -o json report "${1:-last}" | jq -c '.steps[0].rehearsed'; }

nothing_left()
{
	[ ! -e "$T/state/scratch" ] || { ls -lR "$T/state/scratch"; return 1; }
	[ -z "$(ls "$T/state/artefacts")" ]
}

@test "done on a copy, verified, taken back: told call by call; the world and the state folder are as before" {
	mkdir world
	printf 'old\n' >world/motd
	chmod 640 world/motd
	mkdir world/other
	printf 'another\n' >world/other/motd
	cat >spec.conf <<-END
	migrations = (
	  { name = "there"; handler = "put_file"; options = { path = "$T/world/motd"; content = "new\n"; }; },
	  { name = "other"; handler = "put_file"; options = { path = "$T/world/other/motd"; content = "new\n"; }; },
	  { name = "absent"; handler = "put_file"; options = { path = "$T/world/made"; content = "new\n"; }; } );
	END
	before=$(flow_digest world)
	whimbrel plan -q spec.conf >/dev/null
	run whimbrel rehearse last
	echo "$output"
	[ "$status" -eq 0 ]
	[ "$(flow_digest world)" = "$before" ]
	nothing_left
	whimbrel -o json report last | jq -e '.steps | length == 3 and all(.rehearsed.level == 4 and .rehearsed.tried ==
		["plan", "execute", "verify", "rollback", "verify as before", "dry run"])'
	whimbrel -o json report last | jq -e '.artefacts == []'
	run whimbrel report last
	echo "$output"
	[[ "$output" == *"done and undone"*"execute, verify, rollback"* ]]
	run whimbrel validate last --level strict
	echo "$output"
	[ "$status" -eq 0 ]
	[[ "$output" != *"not tried"* ]]
	whimbrel audit verify
	whimbrel apply -q last
	[ "$(cat world/motd world/other/motd world/made)" = "$(printf 'new\nnew\nnew')" ]
	whimbrel rollback -q last
	[ "$(flow_digest world)" = "$before" ]
}

@test "a way back that does not work fails the rehearsal, and strict; a plain run does not ask" {
	local wrong
	for wrong in execute verify rollback forget crash; do
		spec $wrong "wrong = \"$wrong\";"
		before=$(flow_digest world)
		run whimbrel rehearse last
		[ "$status" -eq 7 ]
		[[ "$output" == *"tried on a copy"* ]] || { echo "$wrong: $output"; false; }
		[ "$(flow_digest world)" = "$before" ]
		nothing_left
		run whimbrel validate last --level strict
		[ "$status" -ne 0 ]
		[[ "$output" == *"its way back was tried and failed"* ]] || { echo "$wrong: $output"; false; }
		echo "# $wrong: $(rehearsed)" >&3
	done
	[ "$(rehearsed | jq -r .failed)" = rollback ]
	[ "$(rehearsed | jq -c .tried)" = '["plan","execute","verify"]' ]
	whimbrel validate last
	whimbrel apply -q last
	[ "$(cat world/crash)" = new ]
}

@test "an older rehearsal that went well does not stand for a newer one that failed" {
	spec motd 'wrong = "hang"; go = "'"$T"'/go";'
	touch go
	whimbrel rehearse -q last
	whimbrel validate last --level strict
	rm go
	whimbrel rehearse -q --detach last
	flow_until 10 sh -c 'find state/scratch -type f | grep -q motd'
	flow_until 10 eval 'pkill -9 -P "$(flow_engine)"; flow_is rolled_back' # each call may have its own process
	nothing_left
	run whimbrel validate last --level strict
	echo "$output"
	[ "$status" -ne 0 ]
	[[ "$output" == *"went well"*"newest"*"failed: r-000002"* ]]
}

@test "an optional step may fail its trial: the rehearsal goes on, strict does not" {
	spec motd 'wrong = "forget"; optional = true;'
	run whimbrel rehearse last
	echo "$output"
	[ "$status" -eq 0 ]
	run whimbrel validate last --level strict
	echo "$output"
	[ "$status" -ne 0 ]
	[[ "$output" == *"motd/change"*"tried and failed"* ]]
	whimbrel validate last
}

@test "a handler that does not offer it: strict warns, names the steps, and passes" {
	spec motd 'offer = false;'
	whimbrel rehearse -q last
	[ "$(rehearsed | jq -c .tried)" = '["plan","dry run"]' ]
	run whimbrel validate last --level strict
	echo "$output"
	[ "$status" -eq 0 ]
	[[ "$output" == *"warning"*"not tried"*"motd/change"* ]]
	whimbrel -o json validate last --level strict |
		jq -e '.ok and ([.findings[] | select(.severity == "warning")] | length == 1 and .[0].tolerated)'
}

@test "the engine dies in a trial: nothing of it is left, the world is as before" {
	spec motd 'wrong = "hang"; go = "'"$T"'/go";'
	before=$(flow_digest world)
	whimbrel rehearse -q --detach last
	flow_until 10 sh -c 'find state/scratch -type f | grep -q motd'
	flow_kill_engine
	[ -d state/scratch ]
	whimbrel status last
	[ ! -e state/scratch ]
	run timeout 20 whimbrel recover last --strategy rollback
	echo "$output"
	flow_until 10 flow_is cancelled
	nothing_left
	[ "$(flow_digest world)" = "$before" ]
	touch go
	timeout 20 whimbrel rehearse -q last
	whimbrel validate last --level strict
}

@test "stopped in a trial, and taken up again: the trial begins anew" {
	spec motd 'wrong = "hang"; go = "'"$T"'/go";'
	whimbrel rehearse -q --detach last
	flow_until 10 sh -c 'find state/scratch -type f | grep -q motd'
	whimbrel pause last
	touch go
	flow_until 10 flow_is paused
	[ ! -e state/scratch/r-000001/1 ]
	whimbrel resume -q last
	flow_until 10 flow_is completed
	[ "$(rehearsed | jq .level)" = 4 ]
	[ "$(cat world/motd)" = old ]
}
