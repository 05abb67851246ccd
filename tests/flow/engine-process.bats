#!/usr/bin/env bats
# The engine's process: started by whoever comes first, one for a folder, outliving terminals and commands, steered
# from a second command, ended in the middle without harm.
# req: X4 X9 M1 W2 H5
# SPDX-License-Identifier: Apache-2.0
load functions
load hostile
setup() { hostile_setup; }
teardown() { hostile_teardown; }

# A run of N steps of MS milliseconds each, planned.
slow_plan()
{
	cat >"$T/spec.conf" <<-END
	migration: { name = "slow"; handler = "hostile"; grace = "2s";
	  options = { path = "$T/out"; steps = $1; pace = $2; $extra }; };
	END
	whimbrel -q plan "$T/spec.conf" >/dev/null
}

is_executing()
{
	flow_is executing && [ "$(whimbrel -o json status last | jq '.runs[0].steps_done')" -ge 1 ]
}

files()
{
	find "$T" -maxdepth 1 -name 'out.evil*' | wc -l
}

@test "many commands at once start one engine, which nobody joins" {
	spec none none 0 0
	pids=
	for i in $(seq 8); do
		whimbrel -o json plan spec.conf </dev/null >"cmd.$i" 2>&1 3>&- &
		pids="$pids $!"
	done
	for i in $pids; do
		wait "$i" || { cat cmd.*; return 1; }
	done
	engine=$(flow_engine)
	[ -n "$engine" ]
	[ "$(flow_count engine.start)" -eq 1 ]
	run whimbrel serve
	[ "$status" -eq 6 ]
	[[ "$output" == *"$engine"* ]]
	[ "$(flow_engine)" = "$engine" ]
	# A session of its own, no terminal, no descriptor of ours.
	[ "$(ps -o sid= -p "$engine" | tr -d ' ')" = "$engine" ]
	[ "$(ps -o tty= -p "$engine" | tr -d ' ')" = "?" ]
}

@test "a run outlives the terminal that it was started from" {
	slow_plan 12 40
	script -qfc "whimbrel apply last" typescript </dev/null >/dev/null 2>&1 3>&- &
	terminal=$!
	flow_until 10 is_executing
	kill -9 "$terminal"
	flow_until 20 flow_is completed
	[ "$(files)" -eq 12 ]
}

@test "a command that is ended by SIGHUP or SIGTERM leaves its run going" {
	for signal in HUP TERM; do
		rm -f "$T"/out*
		slow_plan 8 40
		env --default-signal=HUP,TERM,INT whimbrel apply last </dev/null >"$T/said" 2>&1 3>&- &
		command=$!
		flow_until 10 is_executing
		kill -s "$signal" "$command"
		code=0
		wait "$command" || code=$?
		[ "$code" -gt 128 ]
		flow_until 20 flow_is completed
		[ "$(files)" -eq 8 ]
	done
}

@test "Ctrl-C on a run cancels it and waits for its clean end" {
	slow_plan 30 40
	env --default-signal=INT whimbrel run "$T/spec.conf" --yes </dev/null >"$T/said" 2>&1 3>&- &
	command=$!
	flow_until 10 is_executing
	kill -INT "$command"
	code=0
	wait "$command" || code=$?
	[ "$code" -eq 12 ]
	flow_is cancelled
	[ "$(files)" -eq 0 ]
}

@test "pause, resume, throttle, status, watch and cancel from a second command" {
	slow_plan 25 40
	whimbrel apply last --detach
	flow_until 10 is_executing
	whimbrel pause last
	flow_until 10 flow_is paused
	done_then=$(whimbrel -o json status last | jq '.runs[0].steps_done')
	[ "$done_then" -lt 25 ]
	run whimbrel pause last
	[ "$status" -ne 0 ]
	run whimbrel stop
	[ "$status" -eq 0 ]
	engine=$(flow_engine)
	# The engine is gone; what was paused is taken up by the next one.
	whimbrel resume last --detach
	whimbrel throttle last --items 1000
	flow_until 10 is_executing
	run whimbrel stop
	[ "$status" -ne 0 ]
	timeout 20 whimbrel --events watch last </dev/null >events 3>&- &
	watcher=$!
	flow_until 10 test -s events
	whimbrel cancel last
	wait "$watcher" || true
	flow_until 10 flow_is cancelled
	[ "$(files)" -eq 0 ]
	head -1 events | jq -e '.type == "version"'
	grep -q '"cancelled"' events
	[ "$(jq -c . events | wc -l)" -gt 3 ]
}

@test "SIGTERM to the engine in the middle of a run leaves a state that recovers" {
	n=0
	for signal in TERM INT TERM KILL; do
		rm -f "$T"/out*
		# Hidden in every way; but one that hides from /proc altogether is the child of a living engine only.
		extra='call = "execute"; do = "children"; n = 3;'
		[ "$signal" != KILL ] || extra='call = "execute"; do = "children"; n = 4;'
		slow_plan 6 60
		whimbrel apply last --detach
		flow_until 10 is_executing
		engine=$(flow_engine)
		kill -s "$signal" "$engine"
		flow_gone "$engine"
		[ "$signal" = KILL ] || flow_until 3 no_marks
		[ "$signal" = KILL ] || nobody_left
		# Nothing is begun by looking; a leftover of a killed engine is ended by the next one.
		[ "$(whimbrel -o json status last | jq -c '[.runs[0].state, .runs[0].live]')" = '["executing",false]' ]
		flow_until 5 no_marks || { marked; false; }
		nobody_left
		if [ $((n % 2)) -eq 0 ]; then
			whimbrel recover last
			flow_is completed
			[ "$(files)" -eq 6 ]
		else
			whimbrel recover last --strategy rollback || [ $? -eq 7 ]
			flow_is rolled_back
			[ "$(files)" -eq 0 ]
		fi
		n=$((n + 1))
	done
	echo "# $n ends of an engine, all recovered" >&3
	whimbrel audit verify
}
