#!/usr/bin/env bats
# Strict validation: the change must have been rehearsed (what of it must have been tried: trial.bats).
# req: X1 P4
# SPDX-License-Identifier: Apache-2.0
load functions
setup() { flow_setup; }
teardown() { flow_teardown; }

@test "strict refuses a change that was not rehearsed, and changes nothing; a rehearsal opens the way" {
	printf 'old' >motd
	cat >"$T/spec.conf" <<-END
	migration: { name = "motd"; handler = "put_file"; validation = "strict";
	             options = { path = "$T/motd"; content = "new\n"; }; };
	END
	whimbrel plan spec.conf
	run whimbrel validate last --level strict
	echo "$output"
	[ "$status" -ne 0 ]
	[[ "$output" == *"rehearsed first"* ]]
	run whimbrel run spec.conf --yes
	echo "$output"
	[ "$status" -eq 7 ]
	[[ "$output" == *"rehearsed first"* ]]
	[ "$(cat motd)" = old ]

	whimbrel plan spec.conf
	whimbrel rehearse last
	[ "$(cat motd)" = old ]
	run whimbrel validate last --level strict
	echo "$output"
	[ "$status" -eq 0 ]
	[[ "$output" != *"way back was not tried"* ]]
	whimbrel apply last
	[ "$(cat motd)" = new ]
	[ "$(flow_state)" = completed ]
}

@test "the rehearsal of another change does not count" {
	for word in one two; do
		cat >"$T/$word.conf" <<-END
		migration: { name = "motd"; handler = "put_file"; options = { path = "$T/motd"; content = "$word\n"; }; };
		END
	done
	whimbrel plan one.conf
	whimbrel rehearse last
	whimbrel validate last --level strict
	whimbrel plan two.conf
	run whimbrel validate last --level strict
	[ "$status" -ne 0 ]
}

@test "a check may read what earlier runs have kept" {
	cat >"$T/spec.conf" <<-END
	migration: { name = "h"; handler = "hostile"; options = { path = "$T/out"; call = "check"; do = "recall"; }; };
	END
	whimbrel plan spec.conf
	pid=$(flow_engine)
	run whimbrel validate last
	echo "$output"
	[ "$status" -eq 0 ]
	[ "$(flow_engine)" = "$pid" ]
}
