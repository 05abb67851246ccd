#!/usr/bin/env bats
# Handlers that crash, hang, lie, flood and leave things behind: each is a failed step with a reason, taken back by
# policy, while a run beside it finishes and the engine stays as it was.
# req: H5 X4 X6 X7 X8 U5
# SPDX-License-Identifier: Apache-2.0
load functions
load hostile
setup() { hostile_setup; }
teardown() { hostile_teardown; }

@test "crashes, hangs and lies in every call" {
	begin_beside
	while read -r call act n exit flags what; do
		[ -n "$call" ] || continue
		attack "$call" "$act" "$n" "$exit" "$flags" "$what"
	done <<-END
	execute segv 0 7 0 killed by signal 11
	execute abort 0 7 0 killed by signal 6
	execute exit 0 7 0 exit status 0
	execute _exit 3 7 0 exit status 3
	execute kill 9 7 0 killed by signal 9
	execute kill 19 7 0 within its time limit
	execute stack 0 7 0 killed by signal 11
	execute hang 0 7 0 within its time limit
	execute spin 0 7 0 within its time limit
	execute close 3 7 0 within its time limit
	execute close 4 7 0 within its time limit
	execute close -1 7 0 within its time limit
	execute garbage 0 7 0 not the protocol
	execute files 100000 7 0 files could be opened
	execute limits 3 7 0 not whole
	execute surroundings 0 0 0
	execute return_twice 0 7 0 a call that was not made
	execute forge 2 7 0 out of turn
	execute forge 3 7 0 out of turn
	execute forge 7 7 0 only the engine sends
	execute forge 99 7 0 not the protocol
	execute storm 1 7 0 the storm is over
	verify storm 2 7 0 the storm is over
	partition storm 3 7 1 the storm is over
	execute nulls 0 7 0 not allowed
	execute threads 4 any 0
	execute status 12345 7 0 returned 12345
	execute status 1 7 0 returned 1,
	execute status -4 7 0 nobody asked it to stop
	execute status -12 7 0 no chunk
	execute status -15 7 0 asked nothing
	execute status -12 7 1 no smaller ones
	verify segv 0 7 0 killed by signal 11
	verify hang 0 7 0 within its time limit
	verify status -12 7 0 returned -12
	verify status -15 7 0 returned -15
	rollback segv 0 9 0 .
	rollback hang 0 9 0 .
	rollback status -12 9 0 .
	probe segv 0 7 0 .
	probe hang 0 7 0 .
	probe status 77 7 0 .
	check segv 0 7 0 killed by signal 11
	check hang 0 7 0 within its time limit
	check status -1 7 0 without saying why
	partition segv 0 7 1 killed by signal 11
	partition hang 0 7 1 within its time limit
	partition status 5 7 1 returned 5
	destroy segv 0 0 0
	destroy exit 0 0 0
	END
	end_beside
	same_engine
	echo "# $attacks attacks, $besides runs beside them undisturbed" >&3
}

@test "plans of nonsense are refused, and create may fail in every way" {
	while read -r call act n what; do
		[ -n "$call" ] || continue
		refused "$call" "$act" "$n" "$what"
	done <<-END
	create segv 0 killed by signal 11
	create hang 0 not ready within
	create status -9 could not be created
	create status 12345 may not return
	create children 1 killed by signal 11
	plan segv 0 killed by signal 11
	plan exit 0 exit status 0
	plan hang 0 within its time limit
	plan status 3 returned 3
	plan storm 4 .
	plan plan_null 2 id is NULL
	plan plan_slash 2 without "/"
	plan plan_same 2 two steps of this id
	plan plan_circle 2 in a circle
	plan plan_finishes 2 in a circle
	plan plan_nowhere 2 names no step
	plan plan_flags 2 critical flag
	plan plan_kind 2 kind 99
	plan plan_inverse 2 inverse -7
	plan plan_params 2 no JSON object
	plan plan_latin 2 not UTF-8
	plan plan_size 2 the size of step is 3
	plan plan_huge 10000 more than the engine keeps
	END
	# A crazy limit is kept within bounds; ten thousand steps are planned or refused, and not for ever.
	attack plan plan_limits 2 0 0
	spec plan plan_many 11000 0
	run timeout 60 whimbrel plan "$T/spec.conf"
	[ "$status" -ne 0 ]
	[[ "$output" == *"more than 10000"* ]]
	same_engine
}

@test "what is left behind is ended, and what floods is bounded" {
	begin_beside
	while read -r call act n exit flags what; do
		[ -n "$call" ] || continue
		attack "$call" "$act" "$n" "$exit" "$flags" "$what"
		nobody_left
	done <<-END
	execute children 0 7 0 left children behind
	execute children 1 7 0 killed by signal 11
	execute children 2 7 0 within its time limit
	execute children 3 0 0
	verify children 1 7 0 killed by signal 11
	check children 1 7 0 killed by signal 11
	execute rabbit 5000 7 0 killed by signal 11
	execute bomb 60 7 0 60 processes
	execute flood 0 7 0 within its time limit
	execute deaf 200000 7 0 within its time limit
	execute queue 20000 7 0 said 20000 things
	execute chunks 1000000 7 1 .
	execute outputs 1000000 7 0 .
	execute ask 1000000 7 0 .
	END
	end_beside
	same_engine
	echo "# $attacks attacks, $besides runs beside them undisturbed; the engine's memory at most $(peak) MiB" >&3
	[ "$(peak)" -lt 300 ]
}

@test "memory without end is denied to the handler alone" {
	printf 'module = "hostile"; limits = { memory = "300M"; };\n' >"$T/config/handlers.d/hostile.conf"
	attack execute alloc 3000 7 0 "no memory after"
	same_engine
	[ "$(peak)" -lt 200 ]
}

@test "what it printed is attached, whatever its bytes" {
	attack execute shout 0 7 0 "killed by signal 11"
	whimbrel -o json report last >report.json
	jq -e '[.. | strings | select(contains("last words of a faulty handler"))] | length > 0' report.json
	jq -e '[.. | strings | select(contains("second"))] | length > 0' report.json
}

@test "a secret that is told stays a secret" {
	head -c 49152 /dev/urandom | base64 -w0 | head -c 65536 >key
	chmod 600 key
	extra="key = \"file:$T/key\";"
	attack execute tell_secret 0 7 0 .
	whimbrel -o json report last >report.json
	whimbrel -o json audit list --limit 10000 >audit.json
	flow_stop_engine
	part=$(head -c 2000 key | tail -c 64)
	[ "$(grep -cF "$part" report.json)" -eq 0 ]
	[ "$(grep -cF "$part" audit.json)" -eq 0 ]
	[ "$(find state -type f -exec grep -alF "$part" {} + | wc -l)" -eq 0 ]
}
