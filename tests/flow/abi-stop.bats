#!/usr/bin/env bats
# Handlers that wait or block in each of their calls, under pause, cancel, and deadlines: a run always comes to an end that is
# known, and the world is as it was or as it should be.
# req: X4 X6 X7 X8 H5
# SPDX-License-Identifier: Apache-2.0
load functions
load abi
setup() { abi_setup; abi_serve; }
teardown() { flow_teardown; }

fresh()
{
	rm -rf ctl world
	mkdir ctl world
	echo before >world/a
	before=$(flow_digest world)
	abi_spec <<<"{ id = \"s\"; attempts = 2; $1 }"
}

back()
{
	[ "$(flow_digest world)" = "$before" ]
}

cancel()
{
	whimbrel cancel last >/dev/null 2>&1 || [ $? = 12 ]
}

@test "cancelled in execute and verify, whether they listen or not" {
	for word in wait block; do
		fresh "execute = \"keep a; put a x; $word @never\"; before = \"kept a\"; probe = \"state 2\";"
		abi_start
		abi_waits @never
		cancel
		abi_until cancelled
		back
		fresh "execute = \"keep a; put a x\"; verify = \"$word @never\"; before = \"kept a\";"
		abi_start
		abi_waits @never
		cancel
		abi_until cancelled
		back
	done
}

@test "paused in execute, whether it listens or not, and resumed where it was" {
	for word in wait block; do
		fresh "execute = \"keep a; put a x; checkpoint here; resumed @ck; $word @go\"; verify = \"file a x\"; before = \"kept a\"; probe = \"state 2\";"
		abi_start
		abi_waits @go
		whimbrel pause last
		abi_until paused
		[ "$(cat world/a)" = x ]
		abi_go go
		whimbrel resume last
		abi_until completed
		[ "$(tail -1 ctl/ck)" = here ]
		[ "$(abi_calls execute s)" = 2 ]
	done
}

@test "paused between attempts, and with a step that asks to be called again" {
	fresh 'execute = "keep a; put a x; wait @go; if @retry RETRY; if @retry RETRY"; verify = "file a x"; before = "kept a";'
	sed -i 's/wait @go; if @retry RETRY; if @retry RETRY/if @retry RETRY; unless @never RETRY/; s/attempts = 2/attempts = 1000/; s/backoff = "1ms"/backoff = "40ms"/' spec.conf
	abi_start
	flow_until 5 test -e ctl/trace
	flow_until 5 grep -q 'attempt=2' ctl/trace
	whimbrel pause last
	abi_until paused
	n=$(abi_calls execute s)
	sleep 0.2
	[ "$(abi_calls execute s)" = "$n" ]
	abi_go never
	whimbrel resume last
	abi_until completed
}

@test "deadlines of each call" {
	for word in wait block; do
		fresh "timeout = \"120ms\"; execute = \"keep a; put a x; times @n 1 OK; $word @never\"; before = \"kept a\"; probe = \"state 2\";"
		[ "$(abi_run)" = completed ]
		fresh "timeout = \"120ms\"; execute = \"keep a; put a x; $word @never\"; before = \"kept a\"; probe = \"state 2\";"
		[ "$(abi_run)" = rolled_back ]
		back
		[ "$(abi_calls execute s)" = 2 ]
		fresh "timeout = \"120ms\"; execute = \"keep a; put a x\"; verify = \"$word @never\"; before = \"kept a\";"
		[ "$(abi_run)" = rolled_back ]
		back
		fresh "timeout = \"120ms\"; execute = \"keep a; put a x; status FAILED\"; rollback = \"$word @never\"; before = \"kept a\";"
		[ "$(abi_run)" = rollback_failed ]
		[ "$(cat exit)" = 9 ]
		fresh "timeout = \"120ms\"; execute = \"keep a; put a x; status INDETERMINATE\"; probe = \"$word @never\"; before = \"kept a\";"
		[ "$(abi_run)" = rolled_back ]
		back
		fresh "timeout = \"120ms\"; flags = \"partitioned\"; chunks = \"$word @never\"; execute = \"items 9\";"
		[ "$(abi_run)" = rolled_back ]
		back
		fresh "timeout = \"120ms\"; flags = \"partitioned\"; chunks = \"parts 2 2\"; execute = \"items 9; $word @never\";"
		[ "$(abi_run)" = rolled_back ]
		back
	done
}

@test "cancelled, and the look at what is left does not end: a person is needed, soon" {
	fresh 'timeout = "600ms"; execute = "keep a; put a x; wait @never"; before = "wait @never"; probe = "state 2";'
	abi_start
	abi_waits @never
	whimbrel cancel last --detach
	abi_until rollback_failed
	[ "$(abi_calls before s)" -le 3 ]
}

@test "rollback fails, is mended by hand, and taken up again" {
	fresh 'execute = "keep a; put a x; status FAILED"; rollback = "unless @mended FAILED; restore"; before = "kept a";'
	[ "$(abi_run)" = rollback_failed ]
	whimbrel explain last | grep -q recover
	abi_go mended
	whimbrel recover last || [ $? = 7 ]
	[ "$(flow_state)" = rolled_back ]
	back
}

@test "cancelled while it rolls back: it goes on; a second rollback is refused" {
	fresh 'execute = "keep a; put a x; status FAILED"; rollback = "wait @go; restore"; before = "kept a";'
	abi_start
	abi_waits @go
	run whimbrel cancel last
	[ "$status" -ne 0 ]
	run whimbrel rollback last
	[ "$status" -ne 0 ]
	abi_go go
	abi_until rolled_back
	back
}
