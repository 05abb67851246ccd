#!/usr/bin/env bats
# A process that holds the lock of a dead host and cannot be ended: the run stops beside nobody, the engine serves others
# meanwhile, and when it is gone the run goes on. The engine has no right to kill here, and the holder is another user's.
# req: X9 H5 V3
# SPDX-License-Identifier: Apache-2.0
load functions
load abi
setup() { abi_setup; HOLDER=; }
teardown()
{
	[ -z "$HOLDER" ] || kill -9 "$HOLDER" 2>/dev/null || true
	flow_teardown
}

serve_without_kill()
{
	rm -f "$WHIMBREL_STATE/control.sock"
	setsid setpriv --bounding-set -kill whimbrel serve </dev/null >>"$T/serve.log" 2>&1 3>&- &
	flow_until 10 test -S "$WHIMBREL_STATE/control.sock"
}

# Somebody who holds the lock of the run's host.
hold()
{
	local lock
	lock=$(grep -l r-000001 "$WHIMBREL_STATE"/locks/*)
	(
		flock -s 9
		exec setpriv --reuid=65534 --regid=65534 --clear-groups sleep 300 3>&-
	) 9<"$lock" &
	HOLDER=$!
	flow_until 5 grep -q '^sleep$' "/proc/$HOLDER/comm"
}

host_of()
{
	pgrep -f -- "--lock $(grep -l r-000001 "$WHIMBREL_STATE"/locks/*)"
}

recovers_when_it_is_gone()
{
	run whimbrel recover r-000001
	[ "$status" -eq 6 ] || { echo "$status $output"; return 1; }
	[[ "$output" == *"$HOLDER (sleep 300)"*"kill -9 $HOLDER"* ]]
	[ "$(abi_calls execute s)" = 1 ]
	kill -9 "$HOLDER"
	HOLDER=
	whimbrel recover r-000001
	[ "$(flow_state r-000001)" = completed ]
	[ "$(cat world/a)" = x ]
}

@test "a helper that cannot be ended: nothing goes on beside it, and nobody else waits for it" {
	serve_without_kill
	abi_spec <<<'{ id = "s"; execute = "keep a; append a x; wait @go"; before = "kept a"; probe = "state 2"; }'
	sed -i 's/append a x; wait @go/wait @go; put a x/' spec.conf
	abi_start
	abi_waits @go
	hold
	kill -9 "$(host_of)"
	longest=0
	for n in $(seq 40); do
		from=$(date +%s%N)
		whimbrel history >/dev/null
		took=$((($(date +%s%N) - from) / 1000000))
		[ $took -le $longest ] || longest=$took
		! flow_is failed r-000001 || break
	done
	[ $longest -lt 700 ]
	abi_until failed r-000001
	whimbrel -o json status r-000001 | jq -r '.runs[0].error.text' | grep -q "process $HOLDER (sleep 300)"
	whimbrel explain r-000001 | grep -q "kill -9 $HOLDER"
	# It is not taken back either.
	run whimbrel rollback r-000001
	[ "$status" -eq 6 ]
	# Others run.
	rm spec.conf
	abi_spec other <<<'{ id = "o"; execute = "append o x"; }'
	[ "$(abi_run)" = completed ]
	abi_go go
	recovers_when_it_is_gone
}

@test "found at the engine's start: the engine works, that run does not" {
	serve_without_kill
	abi_spec <<<'{ id = "s"; execute = "keep a; wait @go; put a x"; before = "kept a"; probe = "state 2"; }'
	abi_start
	abi_waits @go
	hold
	flow_kill_engine
	serve_without_kill
	[ "$(flow_state r-000001)" = executing ]
	abi_go go
	recovers_when_it_is_gone
}
