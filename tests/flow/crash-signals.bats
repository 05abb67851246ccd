#!/usr/bin/env bats
# The engine asked to end, Ctrl-C, a closed terminal, and helpers which hide from an engine that was killed.
# req: X9 X4 X7 H5 W2
# SPDX-License-Identifier: Apache-2.0
load functions

setup()
{
	local i
	flow_setup
	mkdir -p world/from world/edit
	for i in 1 2 3 4; do
		seq 1 $((i * 40)) >world/from/file$i
	done
	echo one >world/edit/a
	echo two >world/edit/b
	before=$(flow_digest world)
}

teardown() { flow_teardown; }

# spec MORE-OPTIONS: each file takes 150 ms, so that there is time to be hit.
spec()
{
	cat >"$T/spec.conf" <<-END
	migration: { name = "work"; handler = "workhorse"; backoff = "1ms"; grace = "5s"; attempts = 5;
		options = { from = "$T/world/from"; to = "$T/world/to"; edit = "$T/world/edit"; slow_ms = 150; $1 }; };
	END
	whimbrel plan -q spec.conf >/dev/null
}

as_before()
{
	[ "$(flow_digest world)" = "$before" ]
}

# In the background, until the first copy is there; signals as from a terminal.
begin()
{
	env --default-signal=INT,HUP whimbrel apply -q last >out 2>&1 3>&- &
	command=$!
	flow_until 20 test -e world/to/file1
}

@test "an engine asked to end leaves a run that recovery finishes" {
	spec
	begin
	engine=$(flow_engine)
	kill -TERM "$engine"
	flow_gone "$engine"
	ended=0
	wait "$command" || ended=$?
	[ "$ended" -eq 8 ]
	tr "\n" " " <out | grep -q "whimbrel *recover"
	[ "$(flow_state)" = executing ]
	whimbrel -o json status last | jq -e '.runs[0].live == false'
	whimbrel recover -q --strategy resume
	[ "$(flow_state)" = completed ]
	whimbrel rollback -q last
	as_before
}

@test "an engine that serves takes its runs up when it is started again" {
	spec
	begin
	flow_kill_engine
	whimbrel serve >serve.out 2>&1 3>&- &
	flow_until 20 flow_is completed
	run whimbrel rollback -q last
	[ "$status" -eq 0 ]
	as_before
}

@test "Ctrl-C cancels, and waits until everything is as before" {
	spec
	begin
	kill -INT "$command"
	ended=0
	wait "$command" || ended=$?
	[ "$ended" -eq 12 ]
	[ "$(flow_state)" = cancelled ]
	as_before
}

@test "a closed terminal loses nothing" {
	command -v script >/dev/null || skip "script is not installed"
	spec
	script -qfc "whimbrel apply last" typescript </dev/null >/dev/null 2>&1 3>&- &
	flow_until 20 test -e world/to/file1
	kill -9 $!
	flow_until 20 flow_is completed
	whimbrel rollback -q last
	as_before
}

still()
{
	local size
	size=$(stat -c %s world/helper)
	sleep 0.1
	[ "$(stat -c %s world/helper)" = "$size" ]
}

hide_and_recover()
{
	spec "helper = \"$T/world/helper\"; $1"
	begin
	flow_kill_engine
	! still
	whimbrel recover -q --strategy rollback
	[ "$(flow_state)" = rolled_back ]
	as_before
	sleep 0.1
	as_before
}

@test "a helper that left its session, descriptors and parent is ended before recovery begins" {
	hide_and_recover
	hide_and_recover "helper_execs = true;"
}

@test "the same when the run is resumed, and when only the host was killed" {
	spec "helper = \"$T/world/helper\";"
	begin
	flow_kill_engine
	! still
	whimbrel recover -q --strategy resume
	[ "$(flow_state)" = completed ]
	still
	whimbrel rollback -q last
	as_before
	flow_stop_engine
	whimbrel plan -q spec.conf >/dev/null
	flow_stop_engine
	WBL_TEST_FAULT=host:6 whimbrel apply -q last
	whimbrel -o json audit list --limit 100000 | jq -e '[.entries[] | select(.kind == "step.result" and .status < 0)] | length >= 1'
	flow_until 5 still
	whimbrel rollback -q last
	as_before
}

@test "an engine that is not root finds them too" {
	[ "$(id -u)" -eq 0 ] || skip "every other test has shown it: we are not root"
	chmod 755 "$T"
	setpriv --reuid=65534 --regid=65534 --clear-groups test -x "$WBL_BUILD/.libs/lt-whimbrel" -o -x "$WBL_BUILD/whimbrel" ||
		skip "the build cannot be reached by another user"
	chown -R 65534:65534 "$T"
	before=$(flow_digest world)
	whimbrel() { setpriv --reuid=65534 --regid=65534 --clear-groups env "${set:-A=B}" "$WBL_BUILD/whimbrel" "$@"; }
	spec "helper = \"$T/world/helper\";"
	begin() { whimbrel apply -q last >out 2>&1 3>&- & flow_until 20 test -e world/to/file1; }
	begin
	flow_kill_engine
	! still
	whimbrel recover -q --strategy rollback
	as_before
	sleep 0.1
	as_before
}
