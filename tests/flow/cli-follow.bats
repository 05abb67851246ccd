#!/usr/bin/env bats
# Following runs of the real engine: lines, events, JSON, Ctrl-C, lost terminals, exit codes.
# req: W2 M1 K5 X2 X4 X5
# marks: sanitizers
# SPDX-License-Identifier: Apache-2.0
load functions
load abi
setup()
{
	abi_setup
	echo before >world/a
	before=$(flow_digest world)
}
teardown() { flow_teardown; }

waiting_spec()
{
	abi_spec <<<'{ id = "s"; flags = "lasting"; execute = "keep a; put a new; wait @go"; verify = "file a new"; before = "kept a"; }'
}

# Starts `whimbrel WORDS...` with its own process group, so that it can be sent what a terminal sends; pid in $P.
start()
{
	whimbrel "$@" >"$T/o" 2>"$T/e" 3>&- &
	P=$!
}

ends_with()
{
	local status=0
	wait "$P" || status=$?
	[ "$status" -eq "$1" ] || { echo "exit $status instead of $1"; cat "$T/o" "$T/e"; return 1; }
}

@test "a run is told line by line, and its end" {
	abi_spec <<<'{ id = "s"; execute = "keep a; put a new"; verify = "file a new"; before = "kept a"; }'
	whimbrel plan spec.conf >/dev/null
	start apply last
	ends_with 0
	grep -q 'm/s: begins$' e
	grep -q 'm/s: done and verified' e
	grep -q 'r-000001: completed' e
	grep -q '^Run r-000001 .*completed$' o
	! grep -q $'\033' o e
}

@test "Ctrl-C cancels, waits for the clean end, and exits 12" {
	waiting_spec
	whimbrel plan spec.conf >/dev/null
	# a shell makes background commands deaf to SIGINT
	env --default-signal=INT whimbrel apply last >o 2>e 3>&- &
	P=$!
	abi_waits @go
	kill -INT "$P"
	ends_with 12
	grep -q 'cancelling r-000001' e
	flow_is cancelled
	[ "$(flow_digest world)" = "$before" ]
}

@test "a lost terminal leaves the run alone" {
	waiting_spec
	whimbrel plan spec.conf >/dev/null
	start apply last
	abi_waits @go
	kill -HUP "$P"
	ends_with 129
	flow_is executing
	abi_go go
	abi_until completed
}

@test "who only watches cancels nothing" {
	waiting_spec
	abi_start
	abi_waits @go
	env --default-signal=INT whimbrel watch >o 2>e 3>&- &
	P=$!
	flow_until 10 grep -q begins e
	kill -INT "$P"
	ends_with 130
	flow_is executing
	start watch r-000001
	flow_until 10 grep -q begins e
	abi_go go
	ends_with 0
}

@test "a failure: headline, what was printed, the next command, exit 7" {
	abi_spec <<<'{ id = "s"; execute = "keep a; put a new; print the cable is loose; status FAILED"; before = "kept a"; }'
	whimbrel plan spec.conf >/dev/null
	start apply last
	ends_with 7
	cat o
	grep -q 'rolled back' o
	grep -q '| the cable is loose' o
	grep -q '^  whimbrel ' o
	[ "$(flow_digest world)" = "$before" ]
}

@test "escape sequences of a handler reach no terminal" {
	abi_spec <<<'{ id = "s"; execute = "print \x1b[2J\x1b]0;x\x07done; status FAILED"; }'
	whimbrel plan spec.conf >/dev/null
	start apply last
	ends_with 7
	whimbrel report >>o
	whimbrel explain >>o
	! grep -q $'[\033\007]' o e
	grep -q '| \\x1b\[2J\\x1b\]0' o
}

@test "events: a version line, entries in order, a result" {
	abi_spec <<<'{ id = "s"; execute = "put b new"; verify = "file b new"; rollback = "remove b"; }'
	whimbrel plan spec.conf >/dev/null
	start apply last --events
	ends_with 0
	[ "$(head -1 o)" = '{"type":"version","format":"whimbrel.events","v":"1.0"}' ]
	[ "$(tail -1 o | jq -r '.type + " " + .result.run.state')" = "result completed" ]
	[ "$(jq -r 'select(.type == "entry") | .seq' o)" = "$(jq -r 'select(.type == "entry") | .seq' o | sort -n)" ]
	[ ! -s e ]
}

@test "JSON: one document, whatever happens" {
	waiting_spec
	abi_go go
	start -o json run spec.conf --yes
	ends_with 0
	[ "$(jq -r .run.state o)" = completed ]
	start -o json rollback last
	ends_with 0
	[ "$(jq -r .run.state o)" = rolled_back ]
	start -o json apply last
	ends_with 4
	[ "$(jq -r .error.name o)" = stale_plan ]
	[ ! -s e ]
}

@test "pause and resume, each saying what became of it" {
	abi_spec <<<'{ id = "a"; execute = "wait @one"; }, { id = "b"; after = "a"; execute = "wait @two"; }'
	abi_start
	abi_waits @one
	run whimbrel pause last
	[ "$status" -eq 0 ]
	abi_go one
	abi_until paused
	start resume last
	abi_waits @two
	abi_go two
	ends_with 0
	grep -q 'completed$' o
	! grep -q 'm/a: begins' e
}

@test "cancel waits for the end and succeeds" {
	waiting_spec
	abi_start
	abi_waits @go
	run whimbrel cancel last
	[ "$status" -eq 0 ]
	[[ "$output" == *cancelled* ]]
	[ "$(flow_digest world)" = "$before" ]
}

@test "a killed engine: the follower says so; recover goes on" {
	waiting_spec
	whimbrel plan spec.conf >/dev/null
	start apply last
	abi_waits @go
	flow_kill_engine
	ends_with 8
	grep -q 'whimbrel recover' e
	abi_go go
	start recover
	ends_with 0
	grep -q '^r-000001: ' o
	flow_is completed
}

@test "a manual step is shown with its command, and confirmed" {
	abi_spec <<<'{ id = "s"; flags = "manual"; inverse = 4; arg = "a person"; }'
	whimbrel plan spec.conf >o
	grep -q 'What people do' o
	start apply last
	ends_with 5
	cat o e
	grep -q 'whimbrel confirm r-000001 m/s' o
	run whimbrel confirm r-000001 m/s --text done
	[ "$status" -eq 0 ]
	abi_until completed
}

@test "a plan's file is its exact bytes, and is taken back" {
	waiting_spec
	abi_go go
	whimbrel plan spec.conf --out plan.json >o
	[ "$(sha256sum <plan.json | cut -d' ' -f1)" = "$(sed -n 's/^digest //p' o)" ]
	whimbrel show last -o json | cmp - plan.json
	whimbrel show plan.json | head -4 | diff - <(whimbrel show last | head -4)
	sed 's/"m"/"n"/' plan.json >changed.json
	run whimbrel apply changed.json
	[ "$status" -eq 4 ]
	run whimbrel -q apply plan.json
	[ "$status" -eq 0 ]
}

@test "a spec that is not UTF-8 is refused with its place" {
	printf 'migration: {\n  name = "gr\374n";\n};\n' >spec.conf
	run whimbrel plan spec.conf
	[ "$status" -eq 2 ]
	[[ "$output" == *"spec.conf:2:13: expected UTF-8 text, found byte 0xfc"* ]]
	[ ! -e state ]
}
