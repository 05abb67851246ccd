#!/usr/bin/env bats
# Help, completion and wrong command lines: nothing of it needs an engine or makes a folder.
# req: W2 W3
# marks: quick
# SPDX-License-Identifier: Apache-2.0
load functions
setup() { flow_setup; }
teardown()
{
	[ ! -e "$T/state" ]
	flow_teardown
}

verbs() { whimbrel help --words | grep -v ^--; }

@test "every verb is in the overview and has help with an example of itself" {
	whimbrel help >all
	for verb in $(verbs); do
		grep -q "^  $verb " all
		whimbrel help "$verb" >one
		grep -q "^  whimbrel $verb" one
		grep -A1 '^Examples' one | grep -q "whimbrel $verb"
		whimbrel "$verb" --help | cmp - one
	done
	[ "$(verbs | wc -l)" -ge 28 ]
}

@test "the examples are command lines that are understood" {
	for verb in $(verbs); do
		case $verb in serve | run | plan | version | help) continue ;; esac
		whimbrel help "$verb" | sed -n '/^Examples/,/^Options/p' | grep "^  whimbrel $verb" | sed 's/ > .*//' >lines
		while read -r line; do
			run bash -c "$line </dev/null"
			case $output in
			*"is not an option"* | *"is not a verb"* | *"wants"* | *"too many"*) echo "$line: $output"; return 1 ;;
			esac
			rm -rf state
		done <lines
	done
	flow_stop_engine
	rm -rf state
}

@test "a wrong word is answered with the nearest right one, exit 2, and as JSON where that is asked for" {
	run whimbrel aply p-000001
	[ "$status" -eq 2 ]
	[[ "$output" == *'Did you mean "whimbrel apply"?'* ]]
	run whimbrel
	[ "$status" -eq 2 ]
	[[ "$output" == *"For example"* ]]
	run whimbrel bogus -o json
	[ "$status" -eq 2 ]
	[ "$(echo "$output" | jq -r '.error.where')" = bogus ]
	run whimbrel apply --bogus -o json
	[ "$(echo "$output" | jq -r '.error.name')" = usage ]
	run whimbrel -o json version
	[ "$(echo "$output" | jq -r .version)" != null ]
}

@test "completion knows verbs, options, and words of options" {
	cat >c.bash <<-'END'
		. "$WBL_SRC/core/cli/whimbrel.bash-completion"
		complete_words() { COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _whimbrel; echo "${COMPREPLY[*]}"; }
		complete_words whimbrel app
		complete_words whimbrel apply --det
		complete_words whimbrel --state x validate --level s
		complete_words whimbrel audit v
		complete_words whimbrel help roll
	END
	run bash c.bash
	[ "$output" = $'apply\n--detach\nstrict\nverify\nrollback' ]
}

@test "the manual pages have no mistakes of form" {
	command -v nroff >/dev/null || skip "nroff is missing"
	for page in "$WBL_SRC"/docs/man/*; do
		run bash -c "nroff -t -man -ww '$page' 2>&1 >/dev/null"
		[ -z "$output" ] || { echo "$output"; return 1; }
	done
}

@test "nobody reads the output: that is an error" {
	run bash -c 'whimbrel help >/dev/full'
	[ "$status" -eq 1 ]
	[[ "$output" == *"cannot be written"* ]]
}
