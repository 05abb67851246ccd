#!/usr/bin/env bats
# docs/operator.md: its commands are taken from the page and typed as they stand there.
# req: T1 H3 U6 X7
# SPDX-License-Identifier: Apache-2.0
load functions
setup()
{
	flow_setup
	# settings and modules as a package would install them
	mkdir mods
	cp "$WBL_BUILD"/plugins/mods/.libs/*.so mods/
	export WHIMBREL_HANDLERS=$T/mods
}
teardown() { flow_teardown; }

@test "the commands of the page work, in their order" {
	{ echo 'set -e'; awk '/^```sh/ { on = 1; next } /^```/ { on = 0 } on' "$WBL_SRC/docs/operator.md"; } >page
	[ "$(grep -c '^whimbrel ' page)" -ge 15 ]
	run bash page
	echo "$output"
	[ "$status" = 0 ]
	flat=$(tr -s ' \n' ' ' <<<"$output")
	[[ "$flat" == *"limits.cpu 4h"*"20-limits.conf:2"*"as it should be: it is disabled"* ]]
	[[ "$flat" == *"completed"*"proved by the anchor"*"rolled back"*"proved by the anchor"* ]]
	[ -z "$(sqlite3 new.db .dump 2>/dev/null | grep 'TABLE')" ]
	# every state and status that an operator can meet has its line
	sed -n 's/^WBL_RUN([A-Z_]*, "\([a-z_]*\)", 1, .*/\1/p' "$WBL_SRC/core/engine/run_states.def" | grep -v reversible >states
	while read -r state; do
		grep -q "\`$state\`" "$WBL_SRC/docs/operator.md" || { echo "the page does not know: $state"; false; }
	done <states
}
