#!/usr/bin/env bats
# The first migration of README.md: its commands are taken from the page and typed as they stand there.
# req: T1 P1 D5 X7 W2
# SPDX-License-Identifier: Apache-2.0
load functions

setup() {
	flow_setup
	mkdir -p build/run/prefix/bin
	ln -s "$WBL_BUILD/whimbrel" build/run/prefix/bin/whimbrel
	export WHIMBREL_STATE=$T/play/state
}
teardown() { flow_teardown; }

# The indented lines of the section, up to the first that begins with the words $1.
typed() {
	echo 'set -e'
	awk -v stop="${1:-}" '
		/^## / { on = /by hand/ }
		on && sub(/^    /, "") { if (stop && index($0, stop) == 1) exit; print }' "$WBL_SRC/README.md"
}

@test "the commands of the page work, in their order" {
	typed >page
	[ "$(grep -c '^whimbrel ' page)" -ge 6 ]
	run bash page
	echo "$output"
	[ "$status" -eq 0 ]
	[[ "$output" == *"How to go back"*"completed"*"1|Ada|1843"*"2|Grace|1952"*"3|Edsger|1959"* ]]
	[[ "$output" == *"rolled back"*"the chain is whole"* ]]
	[ ! -e play/people.db ]
	[ -e play/people.csv ]
}

@test "before the plan is applied nothing is there, afterwards the index too" {
	typed 'whimbrel apply' >page
	bash page
	[ ! -e play/people.db ]
	whimbrel apply last
	[ "$(sqlite3 play/people.db "SELECT count(*) FROM sqlite_schema WHERE name = 'person_by_name'")" = 1 ]
}
