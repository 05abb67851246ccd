#!/usr/bin/env bats
# The module's file is another one when a run is taken up: a version that says so takes over what the old one left, once,
# and it is recorded; any other leaves the run waiting, with a reason.
# req: H1 V3 X9 P3
# SPDX-License-Identifier: Apache-2.0
load functions
load abi
setup()
{
	abi_setup
	mkdir mods
	WHIMBREL_HANDLERS=$T/mods
	printf old >world/a
	printf 'migration: { name = "m"; handler = "moved"; backoff = "1ms"; grace = "300ms"; options = { path = "%s"; ctl = "%s"; }; };\n' \
		"$T/world/a" "$T/ctl" >spec.conf
	version 1
}
teardown() { flow_teardown; }

version()
{
	rm -f mods/moved.so
	cp "$WBL_BUILD/tests/mods/v$1/.libs/moved.so" mods/
	chmod 644 mods/moved.so
}

half()
{
	abi_start
	flow_until 10 grep -q half ctl/trace
	grep -q half ctl/trace
}

@test "swapped between crash and resume: everything is taken over once, and recorded" {
	half
	flow_kill_engine
	version 2
	abi_go go
	whimbrel recover last
	[ "$(flow_state)" = completed ]
	[ "$(cat world/a)" = "new by v2" ]
	# Step parameters, checkpoint, undo record, value: each once.
	[ "$(grep -c 'v2 upgrade' ctl/trace)" = 4 ]
	[ "$(grep 'v2 upgrade' ctl/trace | sort -u | wc -l)" = 4 ]
	[ "$(abi_entries '.kind == "upgrade" and .name == "module"' | wc -l)" = 1 ]
	[ "$(abi_entries '.kind == "upgrade"' | jq -r 'select(.name == "module") | .body.from.version + " " + .body.module.version')" = "1.0.0 2.0.0" ]
	flow_kill_engine
	whimbrel rollback last
	[ "$(cat world/a)" = old ]
	[ "$(grep -c 'v2 upgrade' ctl/trace)" = 4 ]
	# The value of the run that was rolled back is gone, so a new run begins with none.
	[ "$(abi_run)" = completed ]
}

@test "swapped, and rolled back by the new version" {
	half
	flow_kill_engine
	version 3
	flow_state >/dev/null
	version 2
	whimbrel recover last --strategy rollback || [ $? = 7 ]
	abi_until rolled_back
	[ "$(cat world/a)" = old ]
	grep -q 'v2 rollback' ctl/trace
}

@test "a version that cannot take over is refused with a reason; the old file goes on" {
	half
	flow_kill_engine
	version 3
	abi_go go
	run whimbrel recover last
	[ "$status" -ne 0 ]
	[[ "$output" == *"version 1.0.0"*"3.0.0"*"does not say that it can take over"*"old file"* ]]
	for verb in rollback cancel; do
		run whimbrel $verb last
		[ "$status" -ne 0 ]
	done
	[ "$(cat world/a)" = half ]
	! grep -q v3 ctl/trace
	version 1
	whimbrel recover last
	[ "$(flow_state)" = completed ]
	[ "$(cat world/a)" = "new by v1" ]
}

@test "what cannot be taken over leaves the run waiting, with a reason" {
	half
	flow_kill_engine
	version 2
	abi_go go refuse
	whimbrel recover last || true
	[ "$(cat world/a)" = half ]
	[ "$(abi_entries '.kind == "upgrade"' | wc -l)" = 0 ]
	abi_entries '.name == "upgrade"' | grep -q 'cannot be read'
	! grep -q 'v2 execute' ctl/trace
	rm ctl/refuse
	whimbrel recover last
	[ "$(flow_state)" = completed ]
	whimbrel rollback last
	[ "$(cat world/a)" = old ]
}

@test "completed long ago, taken back by a newer version; by one that cannot: refused" {
	abi_go go
	[ "$(abi_run)" = completed ]
	version 3
	run whimbrel rollback last
	[ "$status" -ne 0 ]
	[[ "$output" == *"take over"* ]]
	[ "$(cat world/a)" = "new by v1" ]
	version 2
	whimbrel rollback last
	[ "$(flow_state)" = rolled_back ]
	[ "$(cat world/a)" = old ]
}

@test "killed while it is being taken over: begun anew, recorded once" {
	kills=0
	for n in 2 3 4; do
		flow_stop_engine
		rm -rf "$WHIMBREL_STATE" ctl/*
		printf old >world/a
		version 1
		half
		flow_kill_engine
		version 2
		abi_go go
		WBL_TEST_KILL=engine:$n whimbrel recover last >/dev/null 2>&1 || true
		flow_kill_engine
		flow_is completed || whimbrel recover last
		kills=$((kills + 1))
		[ "$(cat world/a)" = "new by v2" ]
		[ "$(abi_entries '.kind == "upgrade" and .name == "module"' | wc -l)" = 1 ]
		whimbrel rollback last
		[ "$(cat world/a)" = old ]
	done
	echo "# $kills kills, all recovered" >&3
}

@test "resumed while a background step of the old file is up: not before that has ended" {
	abi_go background
	cp "$WBL_BUILD/tests/mods/.libs/script.so" mods/
	{
		printf 'migrations: ('
		sed 's/^migration: //; s/;$//' spec.conf
		printf ', '
		abi_migration w <<<'{ id = "work"; execute = "wait @on"; }'
		printf ');\n'
	} >two.conf
	mv two.conf spec.conf
	half
	abi_waits @on
	whimbrel pause last
	abi_until paused
	[ "$(flow_step last m/put)" = up ]
	version 2
	run timeout 5 whimbrel resume last
	[ "$status" -eq 4 ]
	[[ "$output" == *m/put*"is up"*"whimbrel resume"* ]]
	[ "$(flow_step last m/put)" = up ]
	! grep -q v2 ctl/trace
	# The old one goes on with what it had; once it has ended, the new one takes over.
	flow_kill_engine
	abi_go on
	whimbrel resume last
	[ "$(flow_state)" = completed ]
	[ "$(grep -c 'v2 upgrade' ctl/trace)" = 4 ]
	[ "$(cat world/a)" = "new by v2" ]
}

@test "a plan that was made with the old file is stale" {
	whimbrel plan spec.conf >/dev/null
	version 2
	run whimbrel -q apply p-000001
	[ "$status" -eq 4 ]
	[ "$(cat world/a)" = old ]
}
