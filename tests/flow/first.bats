#!/usr/bin/env bats
# The shortest whole way: plan, show, apply, report, roll back, history, audit.
# req: P1 P3 X2 X5 X7 U1 W2 M2
# marks: sanitizers quick
# SPDX-License-Identifier: Apache-2.0
load functions
setup() { flow_setup; }
teardown() { flow_teardown; }

spec()
{
	cat >"$T/spec.conf" <<-END
	migration: { name = "motd"; handler = "put_file"; options = { path = "$T/motd"; content = "new\n"; }; };
	END
}

@test "a file is put in place, shown, reported, and taken back byte for byte" {
	spec
	printf 'old' >motd
	chmod 640 motd
	before=$(sha256sum motd; stat -c '%a %u %g' motd)
	run whimbrel plan spec.conf
	[ "$status" -eq 0 ]
	[[ "$output" == *"p-000001"*"How to go back"* ]]
	[ "$(cat motd)" = old ]
	run whimbrel apply p-000001
	[ "$status" -eq 0 ]
	[ "$(cat motd)" = new ]
	[ "$(flow_state)" = completed ]
	run whimbrel rollback last
	[ "$status" -eq 0 ]
	[ "$(sha256sum motd; stat -c '%a %u %g' motd)" = "$before" ]
	[ "$(flow_state)" = rolled_back ]
	run whimbrel audit verify
	[ "$status" -eq 0 ]
}

@test "a plan is used once" {
	spec
	whimbrel plan spec.conf --out plan.json
	whimbrel apply plan.json
	run whimbrel apply plan.json
	[ "$status" -eq 4 ]
	[[ "$output" == *"used by r-000001"* ]]
}

@test "the engine goes when nothing is left to do" {
	spec
	whimbrel plan spec.conf
	pid=$(flow_engine)
	[ -n "$pid" ]
	flow_gone "$pid"
	[ -z "$(flow_engine)" ]
}
