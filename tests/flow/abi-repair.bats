#!/usr/bin/env bats
# What verify finds: paged, counted, shown; asked again long after; mended, the recorded differences only.
# req: X3 X11 S6 D6 D8 M5
# SPDX-License-Identifier: Apache-2.0
load functions
load abi
setup() { abi_setup; }
teardown() { flow_teardown; }

again()
{
	abi_spec <<-END
	{ id = "s"; flags = "lasting"; execute = "append a x"; verify = ""; lasting = "if @broken5 OK; unless @broken3 OK; differs set 3; status MISMATCH"; repair = "mend @mended; remove @broken3"; },
	{ id = "t"; execute = "append b x"; lasting = "crash"; }
	END
}

@test "differences of a verify are counted, with what was covered; the run goes back" {
	abi_spec <<<'{ id = "s"; execute = "append a x"; verify = "differs set 3; status MISMATCH"; rollback = ""; }'
	[ "$(abi_run)" = rolled_back ]
	whimbrel -o json report last >report.json
	[ "$(jq .differences.total report.json)" = 3 ]
	[ "$(jq -r '.steps[0].covered[0] | "\(.compared) \(.of) \(.how)"' report.json)" = "3 3 counted" ]
	# What repair needs to find them is never shown.
	! grep -q 'set\.[0-9]' report.json
}

@test "more differences than anybody reads: enough is said, and the report says so" {
	abi_spec <<<'{ id = "s"; execute = "append a x"; verify = "differs set 1500; status MISMATCH"; rollback = ""; }'
	[ "$(abi_run)" = rolled_back ]
	[ "$(whimbrel -o json report last | jq .differences.total)" = 1000 ]
}

@test "verify long after, repair of what it found, and verify again" {
	again
	[ "$(abi_run)" = completed ]
	whimbrel verify last
	abi_go broken3
	run whimbrel verify last
	[ "$status" -eq 10 ] || { echo "$output"; return 1; }
	[ "$(abi_calls lasting t)" = 0 ]
	# What repair needs to find them stands nowhere in the clear, and is not lost with the engine.
	! grep -aq 'set\.[0-9]' state/history.db*
	[ "$(stat -c %a state/ref.key)" = 600 ]
	flow_kill_engine
	whimbrel repair last
	[ "$(sort ctl/mended)" = "$(printf 'set.0\nset.1\nset.2')" ]
	whimbrel verify last
	# Other differences later: only those are mended.
	abi_go broken3
	whimbrel verify last || [ $? = 10 ]
	rm ctl/mended
	flow_stop_engine
	mv state/ref.key other.key
	run whimbrel repair last
	[ "$status" -ne 0 ]
	[[ "$output" == *"cannot be decrypted"* ]]
	flow_stop_engine
	mv other.key state/ref.key
	whimbrel repair last
	[ "$(wc -l <ctl/mended)" = 3 ]
}

@test "a repair that does not help, or dies, is told" {
	again
	sed -i 's/; remove @broken3//' spec.conf
	[ "$(abi_run)" = completed ]
	abi_go broken3
	whimbrel verify last || [ $? = 10 ]
	run whimbrel repair last
	[ "$status" -ne 0 ]
	flow_kill_engine
	run whimbrel repair last
	[ "$status" -ne 0 ]
	[ "$(flow_state)" = completed ]
}

@test "rejects of attempts that did not end well do not count" {
	abi_spec <<<'{ id = "s"; execute = "differs set 2 reject; times @n 2 RETRY"; }'
	[ "$(abi_run)" = completed ]
	[ "$(abi_calls execute s)" = 3 ]
	[ "$(whimbrel -o json report last | jq .differences.total)" = 2 ]
}

@test "rejects of a good attempt do not count when a later one of the pass has ended well, too" {
	abi_spec <<-END
	{ id = "s"; execute = "differs set 2 reject"; verify = "unless @go MISMATCH"; repair = "mend @mended"; },
	{ id = "p"; flags = "partitioned"; chunks = "parts 2 2"; execute = "differs part%c 1 reject"; verify = "unless @go MISMATCH"; repair = "mend @mended"; }
	END
	whimbrel plan spec.conf >/dev/null
	whimbrel -q apply p-000001 --on-failure manual || true
	[ "$(flow_state)" = failed ]
	abi_go go
	whimbrel recover last
	[ "$(flow_state)" = completed ]
	[ "$(abi_calls execute s)" = 2 ]
	[ "$(whimbrel -o json report last | jq .differences.total)" = 4 ]
	whimbrel repair last
	[ "$(sort ctl/mended | uniq -c | awk '{ print $1 $2 }' | tr '\n' ' ')" = "1part0-2.0 1part2-4.0 1set.0 1set.1 " ]
}

@test "a rehearsal changes nothing, says how far it went, and nothing is left to take back" {
	before=$(flow_digest world)
	abi_spec <<-END
	{ id = "s"; execute = "keep a; put a x"; rehearse = "rehearsed 3 live"; },
	{ id = "p"; after = "s"; flags = "partitioned"; chunks = "parts 2 2"; execute = "items 9"; rehearse = "rehearsed 2 static"; }
	END
	whimbrel plan spec.conf >/dev/null
	whimbrel rehearse p-000001
	[ "$(flow_digest world)" = "$before" ]
	run whimbrel rollback last
	[ "$status" -ne 0 ]
	[ "$(whimbrel -o json report last | jq -r '.steps[0].rehearsed.level')" = 3 ]
	whimbrel -q apply p-000001
	[ "$(cat world/a)" = x ]
}
