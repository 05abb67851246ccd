#!/usr/bin/env bats
# An engine on demand: started by whoever comes first, tied to nobody, and clear words when it cannot start.
# req: W2 X9 U4
# marks: sanitizers
# SPDX-License-Identifier: Apache-2.0
load functions
setup()
{
	flow_setup
	echo "migration: { name = \"motd\"; handler = \"put_file\"; options = { path = \"$T/motd\"; content = \"new\n\"; }; };" >spec.conf
}
teardown() { flow_teardown; }

@test "many commands at once: one engine, all succeed" {
	for i in $(seq 8); do
		(whimbrel -o json plan spec.conf >"out.$i" 2>"err.$i" 3>&- || touch "failed.$i") &
		pids="${pids:-} $!"
	done
	wait $pids
	cat err.*
	[ -z "$(ls failed.* 2>/dev/null)" ]
	[ "$(cat out.* | jq -r .plan | sort -u | wc -l)" -eq 8 ]
	[ "$(flow_count engine.start)" -eq 1 ]
}

@test "the engine keeps nothing of whoever started it" {
	exec 7>held 8<spec.conf
	mkdir here
	out=$(cd here && whimbrel -o json plan ../spec.conf)
	exec 7>&- 8<&-
	[ -n "$out" ]
	pid=$(flow_engine)
	rmdir here
	[ "$(readlink "/proc/$pid/cwd")" = / ]
	[ "$(readlink "/proc/$pid/fd/0")" = /dev/null ]
	[ "$(readlink "/proc/$pid/fd/1")" = "$T/state/engine.log" ]
	! ls -l "/proc/$pid/fd" | grep -E "$T/(held|spec.conf)"
	[ "$(ps -o sid= -p "$pid" | tr -d ' ')" = "$pid" ]
}

@test "folder, log and socket are for their owner only" {
	umask 000
	whimbrel plan spec.conf
	[ "$(stat -c %a state state/engine.log state/control.sock | tr '\n' ' ')" = "700 600 600 " ]
}

@test "it works in a folder with a long name, and relative paths mean the caller's folder" {
	long=$(printf 'x%.0s' $(seq 200))
	mkdir -p "$long/$long"
	cd "$long/$long"
	cp ../../spec.conf .
	run whimbrel --state rel/state plan spec.conf
	[ "$status" -eq 0 ]
	[ -S rel/state/control.sock ]
	run whimbrel --state "$PWD/rel/state" stop
	[ "$status" -eq 0 ]
}

@test "an engine that cannot start says why" {
	echo plain >state
	run whimbrel plan spec.conf
	[ "$status" -eq 2 ]
	[[ "$output" == *"$T/state"* ]]
	rm state
	mkdir -m 700 state
	head -c 100000 /dev/urandom >state/history.db
	run whimbrel plan spec.conf
	[ "$status" -eq 11 ]
	[[ "$output" == *"$T/state"* ]]
	run whimbrel -o json status
	[ "$status" -eq 11 ]
	[ "$(echo "$output" | jq -r .error.name)" = state_damaged ]
}

@test "an engine that dies while it starts: its last words are shown" {
	run bash -c 'ulimit -f 0; exec whimbrel plan spec.conf'
	[ "$status" -ne 0 ]
	[[ "$output" == *"engine"* ]] || { echo "$output"; return 1; }
}

@test "a second engine is refused; commands go on with the first" {
	whimbrel plan spec.conf
	run timeout 20 whimbrel serve
	[ "$status" -eq 6 ]
	[[ "$output" == *lock* || "$output" == *engine* ]]
	run whimbrel status
	[ "$status" -eq 0 ]
}

@test "looking does not make a state folder" {
	for verb in status history "show last" "report last" "audit head" "apply last"; do
		run whimbrel $verb
		[ "$status" -eq 2 ]
		[[ "$output" == *"there is no state folder at $T/state yet; whimbrel plan makes it"* ]]
	done
	[ ! -e state ]
	run whimbrel stop
	[ "$status" -eq 0 ]
}

@test "reading starts an engine where history is" {
	whimbrel -q run --yes spec.conf
	flow_stop_engine
	[ -z "$(flow_engine)" ]
	run whimbrel history
	[ "$status" -eq 0 ]
	[[ "$output" == *"r-000001"*"completed"* ]]
	[ -n "$(flow_engine)" ]
}
