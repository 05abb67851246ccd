#!/usr/bin/env bats
# A run that nobody can take back, or bring to its end: a person leaves it as it is, with a reason, and others may go on.
# req: X9 H5 U1
# SPDX-License-Identifier: Apache-2.0
load functions
load abi
setup() { abi_setup; }
teardown() { flow_teardown; }

no_hosts()
{
	! pgrep -f -- "--lock $WHIMBREL_STATE/"
}

accepted()
{
	[ "$(flow_state r-000001)" = accepted ]
	whimbrel -o json history | jq -r '.runs[] | select(.run == "r-000001") | .state + ": " + .reason' |
		grep -q '^accepted: .*the table was dropped by hand, ticket 7'
	whimbrel report r-000001 >report
	grep -q 'ticket 7' report
	! grep -q 'whimbrel recover' report
	[ "$(abi_entries '.kind == "run.request" and .name == "accept"' | jq -r '.actor + " " + .body.text' | grep -c "$(id -un).*ticket 7")" = 1 ]
	# What may not be touched any more.
	for verb in rollback "recover --strategy rollback" "recover --strategy accept --text again" cancel; do
		run whimbrel $verb r-000001
		[ "$status" -eq 5 ] || { echo "$verb: $status $output"; return 1; }
	done
	run whimbrel watch r-000001
	[ "$status" -eq 9 ]
}

@test "a rollback that failed is accepted as it is: recorded, over, and its claims are given up" {
	abi_spec <<-END
	{ id = "up"; flags = "background"; execute = "serve @in @out"; },
	{ id = "s"; after = "up"; claims = "exclusive:table:t"; execute = "append a x; wait @go; status FAILED"; rollback = "status CORRUPT"; }
	END
	abi_start
	abi_waits @go
	run whimbrel recover r-000001 --strategy accept --text "too early"
	[ "$status" -eq 5 ]
	abi_go go
	abi_until rollback_failed r-000001
	abi_spec second <<<'{ id = "s"; claims = "exclusive:table:t"; execute = "append b x"; }'
	abi_start
	abi_until waiting r-000002
	for args in "r-000001 --strategy accept" "--strategy accept --text why"; do
		run whimbrel recover $args
		[ "$status" -eq 2 ] || { echo "$args: $status $output"; return 1; }
	done
	[ "$(flow_state r-000001)" = rollback_failed ]
	whimbrel explain r-000001 | grep -q -- '--strategy accept'
	whimbrel recover r-000001 --strategy accept --text "the table was dropped by hand, ticket 7"
	accepted
	abi_until completed r-000002
	flow_until 5 no_hosts
	flow_kill_engine
	accepted
}

@test "past the point of no return, and no way on: accepted; where there is a way back it is refused" {
	abi_spec <<-END
	{ id = "point"; flags = "no_return"; execute = "append a x"; },
	{ id = "s"; after = "point"; execute = "status FAILED"; }
	END
	[ "$(abi_run)" = failed ]
	flow_kill_engine
	whimbrel recover r-000001 --strategy accept --text "the table was dropped by hand, ticket 7"
	accepted
	sed -i 's/flags = "no_return"; //; s/handler = "script";/handler = "script"; rollback = "manual";/' spec.conf
	[ "$(abi_run)" = failed ]
	run whimbrel recover r-000002 --strategy accept --text "no"
	[ "$status" -eq 5 ]
	[[ "$output" == *"whimbrel rollback"* ]]
	[ "$(flow_state r-000002)" = failed ]
}
