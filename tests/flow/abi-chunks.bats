#!/usr/bin/env bats
# Partitioned steps: chunks in several processes, split, killed, paused, throttled, taken back; each number exactly once.
# req: X3 X4 X9 D2 D7 O1 H5
# SPDX-License-Identifier: Apache-2.0
load functions
load abi
setup() { abi_setup; }
teardown() { flow_teardown; }

# parts SIZE LARGEST: a partitioned step, and its world as it must be
parts()
{
	abi_spec <<-END
	{ id = "p"; flags = "partitioned"; processes = 3; attempts = 4; chunks = "parts $1 $2"; execute = "$4 items $3"; verify = "total $(($1 * $2))"; }
	END
	expected=$(seq 0 $(($1 * $2 - 1)) | sha256sum)
}

all_there()
{
	[ "$(cat world/item.* | sort -n | sha256sum)" = "$expected" ]
}

@test "many chunks in several processes, totals and digests added once; all is taken back" {
	parts 12 3 9
	[ "$(abi_run)" = completed ]
	all_there
	[ "$(abi_calls execute p)" = 12 ]
	[ "$(whimbrel -o json report last | jq '.steps[0].totals.chunks')" = 12 ]
	whimbrel rollback last
	[ -z "$(ls world)" ]
}

@test "chunks split, again and again; an attempt that dies before it has said so leaves no part behind" {
	parts 2 8 2
	[ "$(abi_run)" = completed ]
	all_there
	[ "$(flow_count chunk.split)" = 6 ]
	rm -rf world/* ctl/*
	# The first three attempts die between the first part and the second.
	sed -i 's/ items 2/ times @n 3 crash; items 2/' spec.conf
	[ "$(abi_run)" = completed ]
	all_there
	rm -rf world/* ctl/*
	# One that began to split and then does it all itself: the part that it had named is nobody's.
	rm -rf world/* ctl/*
	parts 2 8 9 "half @once;"
	[ "$(abi_run)" = completed ]
	all_there
	[ "$(abi_calls execute p)" = 3 ]
	deaths=0
	for n in 2 5 8; do
		flow_stop_engine
		rm -rf world/* ctl/* "$WHIMBREL_STATE"
		parts 2 8 2
		export WBL_TEST_FAULT=host:$n WBL_TEST_FAULTS=$T/faults
		[ "$(abi_run)" = completed ]
		unset WBL_TEST_FAULT
		all_there
		deaths=$((deaths + 1))
	done
	echo "# $deaths deaths while splitting" >&3
}

@test "killed in the middle: the list begins anew, finished chunks are not done again" {
	parts 3 2 9
	sed -i 's/chunks = "parts/chunks = "times @n 1 crash; parts/' spec.conf
	[ "$(abi_run)" = completed ]
	all_there
	rm -rf world/* ctl/*
	parts 6 1 9 "wait @go%c;"
	sed -i 's/processes = 3/processes = 1/' spec.conf
	abi_go go0-1 go1-2 go2-3
	abi_start
	abi_waits @go3-4
	flow_kill_engine
	[ "$(ls world | wc -l)" = 3 ]
	before=$(abi_calls execute p)
	abi_go go3-4 go4-5 go5-6
	whimbrel recover last
	[ "$(flow_state)" = completed ]
	all_there
	[ $(($(abi_calls execute p) - before)) = 3 ]
	whimbrel rollback last
	[ -z "$(ls world)" ]
}

@test "paused three times and resumed, with chunks under way" {
	parts 6 1 9 "wait @go%c;"
	abi_start
	for n in 1 2 3; do
		abi_waits @go0-1
		whimbrel pause last
		abi_until paused
		[ -z "$(hosts)" ]
		rm ctl/waiting
		whimbrel resume last --detach
	done
	for c in 0-1 1-2 2-3 3-4 4-5 5-6; do abi_go go$c; done
	abi_until completed
	all_there
	# A pause is no attempt that failed.
	grep -q 'flags=4 ' ctl/trace
}

hosts()
{
	pgrep -P "$(flow_engine)" || true
}

@test "one chunk fails: the others stop, all is taken back; cancelled: the same" {
	parts 6 2 9 "if @bad%c FAILED; wait @go;"
	abi_go bad2-4
	abi_start
	abi_until rolled_back
	[ -z "$(ls world)" ]
	rm -rf ctl/*
	abi_start
	abi_waits @go
	whimbrel cancel last || [ $? = 12 ]
	abi_until cancelled
	[ -z "$(ls world)" ]
}

@test "throttled while it runs" {
	abi_spec <<<'{ id = "s"; execute = "wait @go; throttle 12; append log done"; }'
	abi_start
	abi_waits @go
	whimbrel throttle last --items 40
	start=$(date +%s%N)
	abi_go go
	abi_until completed
	took=$((($(date +%s%N) - start) / 1000000))
	[ "$took" -ge 200 ]
	# Lifted while somebody waits: the rest goes at once.
	rm ctl/go ctl/waiting
	abi_start
	abi_waits @go
	whimbrel throttle last --items 1
	abi_go go
	sleep 0.1
	[ "$(flow_state)" = executing ]
	whimbrel throttle last --items 0
	flow_until 3 flow_is completed
	# A limit does not keep a run from being stopped.
	rm ctl/go ctl/waiting
	abi_start
	abi_waits @go
	whimbrel throttle last --items 1
	abi_go go
	whimbrel cancel last || [ $? = 12 ]
	flow_until 3 flow_is cancelled
}

@test "a limit holds for the run, not for each of its processes" {
	parts 4 5 9
	sed -i 's/execute = " items/execute = "wait @go; items/; s/processes = 3/processes = 2/' spec.conf
	abi_start
	abi_waits @go
	whimbrel throttle last --items 40
	start=$(date +%s%N)
	abi_go go
	abi_until completed
	took=$((($(date +%s%N) - start) / 1000000))
	all_there
	[ "$took" -ge 350 ]
}
