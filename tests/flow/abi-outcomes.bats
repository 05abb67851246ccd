#!/usr/bin/env bats
# Each status from each call: what becomes of the run, and whether the world is as it was.
# req: X5 X6 X8 H5
# SPDX-License-Identifier: Apache-2.0
load functions
load abi
setup() { abi_setup; abi_serve; }
teardown() { flow_teardown; }

ALL="FAILED PARAM RETRY CANCELLED INDETERMINATE MISMATCH STALE UNAVAILABLE RESOURCES CORRUPT UNSUPPORTED SPLIT ABI FENCED WAIT 1 7 -99"
SOME="FAILED RETRY CANCELLED MISMATCH UNSUPPORTED FENCED WAIT -99"

# One run after the other in one state folder; each step has changed the file "a" when the status comes.
one()
{
	rm -rf ctl world
	mkdir ctl world
	echo before >world/a
	before=$(flow_digest world)
	abi_spec <<<"{ id = \"s\"; $1 }"
	state=$(abi_run)
	count=$((${count:-0} + 1))
}

expect()
{
	[ "$state" = "$2" ] || { echo "$1: $state instead of $2"; cat out; return 1; }
	[ "$2" != rolled_back ] || [ "$(flow_digest world)" = "$before" ] || { echo "$1: not as before"; return 1; }
}

@test "execute" {
	for status in $ALL; do
		one "execute = \"keep a; put a new; status $status\"; verify = \"file a new\"; before = \"kept a\";"
		expect "execute $status" rolled_back
		[ "$(cat exit)" = 7 ]
		case $status in
		RETRY | INDETERMINATE) [ "$(abi_calls execute s)" = 3 ] ;;
		*) [ "$(abi_calls execute s)" = 1 ] ;;
		esac
		grep -q . out
	done
	one 'execute = "keep a; put a new"; verify = "file a new"; before = "kept a";'
	expect OK completed
	echo "# $count statuses of execute" >&3
}

@test "verify" {
	for status in $SOME; do
		one "execute = \"keep a; put a new\"; verify = \"status $status\"; before = \"kept a\";"
		expect "verify $status" rolled_back
		[ "$status" != RETRY ] || [ "$(abi_calls verify s)" -ge 2 ]
	done
	echo "# $count statuses of verify" >&3
}

@test "rollback, and verify after it" {
	for status in $SOME; do
		one "execute = \"keep a; put a new; status FAILED\"; rollback = \"status $status\"; before = \"kept a\";"
		expect "rollback $status" rollback_failed
		[ "$(cat exit)" = 9 ]
		case $status in
		RETRY | UNAVAILABLE) [ "$(abi_calls rollback s)" = 3 ] ;;
		*) [ "$(abi_calls rollback s)" = 1 ] ;;
		esac
	done
	for status in $SOME; do
		one "execute = \"keep a; put a new; status FAILED\"; before = \"status $status\";"
		expect "before $status" rollback_failed
	done
	one 'execute = "keep a; put a new; status FAILED"; rollback = "times @n 2 RETRY; restore"; before = "kept a";'
	expect "rollback RETRY twice" rolled_back
	echo "# $count statuses of rollback" >&3
}

@test "probe" {
	for status in $SOME; do
		one "execute = \"keep a; put a new; times @n 1 INDETERMINATE\"; probe = \"status $status\"; before = \"kept a\"; verify = \"file a new\";"
		# Without a probe, verify is asked, and finds the work done.
		[ "$status" = UNSUPPORTED ] && expect "probe $status" completed || expect "probe $status" rolled_back
		[ "$(abi_calls execute s)" = 1 ]
	done
	for state in 1 2; do
		one "execute = \"keep a; times @n 1 INDETERMINATE; put a new\"; probe = \"state $state\"; before = \"kept a\"; verify = \"file a new\";"
		expect "probe told $state" completed
		[ "$(abi_calls execute s)" = 2 ]
	done
	one 'execute = "keep a; put a new; status INDETERMINATE"; probe = "state 3"; before = "kept a"; verify = "file a new";'
	expect "probe told done" completed
	for state in 4 5 0; do
		one "execute = \"keep a; put a new; status INDETERMINATE\"; probe = \"state $state\"; before = \"kept a\";"
		expect "probe told $state" rolled_back
	done
	one 'execute = "keep a; times @n 1 crash; put a new"; probe = "crash"; before = "kept a";'
	expect "probe crashes" rolled_back
	echo "# $count answers of probe" >&3
}

@test "partition, and a chunk" {
	for status in $SOME; do
		one "flags = \"partitioned\"; chunks = \"parts 2 2; status $status\"; execute = \"items 9\"; verify = \"total 4\";"
		expect "partition $status" rolled_back
		[ "$(abi_calls execute s)" = 0 ]
	done
	for status in $SOME; do
		one "flags = \"partitioned\"; chunks = \"parts 2 2\"; execute = \"items 9; status $status\"; verify = \"total 4\";"
		expect "chunk $status" rolled_back
	done
	echo "# $count statuses of partition and chunks" >&3
}

@test "plan: an error is told, and nothing can be applied" {
	for status in $ALL; do
		PLAN="status $status"
		abi_spec <<<'{ id = "s"; }'
		run whimbrel plan spec.conf
		[ "$status" -ne 0 ]
	done
	run whimbrel -o json history
	[ "$(jq '.runs | length' <<<"$output")" = 0 ]
}

@test "a handler that dies, prints, or hangs hurts its own step only" {
	one 'execute = "keep a; put a new; print words of the dying; crash"; before = "kept a";'
	expect crash rolled_back
	[ "$(abi_calls execute s)" = 3 ]
	whimbrel -o json report last | grep -q "words of the dying"
	one 'timeout = "150ms"; attempts = 1; execute = "keep a; put a new; block never"; before = "kept a";'
	expect hang rolled_back
	one 'timeout = "150ms"; attempts = 2; execute = "keep a; put a new; wait @x"; before = "kept a"; probe = "state 2";'
	expect "stopped at its deadline" rolled_back
	[ "$(abi_calls execute s)" = 2 ]
	one 'execute = "keep a; put a new; status FAILED"; rollback = "times @n 2 crash; restore"; before = "kept a";'
	expect "rollback dies twice" rolled_back
	one 'timeout = "150ms"; execute = "keep a; put a new; status FAILED"; rollback = "times @n 1 RETRY; times @m 1 OK; restore"; before = "kept a";'
	expect "rollback that says it is done and is not" rollback_failed
	one 'timeout = "150ms"; execute = "keep a; put a new; status FAILED"; rollback = "if @late OK; append @late x; restore; wait @never"; before = "kept a";'
	expect "rollback beyond its deadline is called again" rolled_back
}
