#!/usr/bin/env bats
# The conformance kit: each test has a module with one fault which it catches; a good one and our own pass.
# req: H1 H2 H3 H5 V3 Q1 Q2
# SPDX-License-Identifier: Apache-2.0
load functions

setup_file()
{
	export BAD=$BATS_FILE_TMPDIR/bad
	mkdir -p "$BAD"
	"$WBL_SRC/tests/conform/make-bad" "$BAD"
}
setup() { flow_setup; }
teardown() { flow_teardown; }

kit() { whimbrel-conform --limit 100 "$@"; }
rows() { grep -v '^#' "$WBL_SRC/tests/conform/bad.table"; }

@test "a module without a fault passes all four levels" {
	run kit --level 4 --kills 4 --stride 2 --fixture "$BAD/good.conf" "$BAD/good.so"
	echo "$output"
	[ "$status" -eq 0 ]
	[[ "$output" == *"conforms handler-abi 1.0 level 4"* ]]
	! grep -q '^warn' <<<"$output"
	echo "# a good module: $(tail -2 <<<"$output" | head -1)" >&3
}

@test "every module with a fault is caught by the test that is meant for it" {
	run "$WBL_SRC/tests/conform/check-bad" "$BAD" quick
	echo "$output"
	[ "$status" -eq 0 ]
	n=$(grep -c '^ok' <<<"$output")
	[ "$n" -eq "$(rows | wc -l)" ]
	[ "$n" -ge 40 ]
	echo "# $n modules with one fault each, all caught" >&3
}

@test "every test of the kit catches some module" {
	whimbrel-conform --list | awk '{ print $2 }' | sort >all
	rows | awk '{ print $2; n = split($3, o, ","); for (i = 1; i <= n; i++) print o[i] }' | sort -u >caught
	run comm -23 all caught
	echo "$output"
	[ -z "$output" ]
}

@test "every test of the kit is explained" {
	for name in $(whimbrel-conform --list | awk '{ print $2 }'); do
		grep -q "\`$name\`" "$WBL_SRC/docs/conformance.md" || { echo "$name"; false; }
	done
}

# Every point, and the stores at all levels: `make soak`.
@test "our handlers pass all four levels, our stores what is theirs" {
	mods=$WBL_BUILD/plugins/mods/.libs
	while read -r fixture module stride level; do
		run kit --level "$level" --kills 2 --stride "$stride" --fixture "$WBL_SRC/tests/conform/$fixture.conf" "$mods/$module.so"
		echo "$output"
		[ "$status" -eq 0 ]
		echo "# $module in $fixture: $(tail -2 <<<"$output" | head -1)" >&3
	done <<-END
	put_file put_file 3 4
	data_sqlite data 37 4
	data_sqlite sqlite 1 2
	data_csv csv 1 2
	data_jsonl jsonl 1 2
	END
}

@test "what it says: text, TAP, JSON, statuses" {
	run kit --level 2 -o tap "$BAD/good.so"
	[ "$status" -eq 0 ]
	[[ "${lines[0]}" =~ ^1\.\.[0-9]+$ ]]
	[ "$(grep -c '^ok ' <<<"$output")" -eq "${lines[0]#1..}" ]
	run kit -o tap "$BAD/good.so"
	[[ "$output" == *"# SKIP no fixture was given"* ]]
	[[ "$output" == *"level 2 (kit"* ]]
	run kit --only contract.quiet -o tap "$BAD/prints_early.so"
	[ "$status" -eq 1 ]
	[[ "$output" == *"not ok 1 - contract.quiet"* ]]
	kit --level 1 -o json "$BAD/good.so" | jq -e '.reached == 1 and .counts.fail == 0 and (.tests | length) > 5 and .conforms != null'
	kit --only static -o json "$BAD/good.so" | jq -e '.conforms == null'
	run kit --only no_such_test "$BAD/good.so"
	[ "$status" -eq 2 ]
	run kit "$BAD/absent.so"
	[ "$status" -eq 2 ]
	echo 'migration: { };' >empty.conf
	run kit --fixture empty.conf "$BAD/good.so"
	[ "$status" -eq 2 ]
	[[ "$output" == *'no group "fixture"'* ]]
}

@test "a seed draws the same deaths; nothing is left behind" {
	export TMPDIR=$T/scratch
	mkdir "$TMPDIR"
	kit --only kill.random --kills 6 --reproduce 99 -o json --fixture "$BAD/undo_late.conf" "$BAD/undo_late.so" | jq -r '.tests[0].why' >one || true
	kit --only kill.random --kills 6 --reproduce 99 -o json --fixture "$BAD/undo_late.conf" "$BAD/undo_late.so" | jq -r '.tests[0].why' >two || true
	sed -i 's/seq [0-9]*//; s/[0-9]* bytes.*//' one two
	cmp one two
	[ -s one ]
	kit --only load_thread --fixture "$BAD/child.conf" "$BAD/child.so" || true
	run ls -A "$TMPDIR"
	[ -z "$output" ]
}

@test "this very process becomes the module's host, for a debugger" {
	command -v gdb >/dev/null || skip "no gdb"
	run timeout 60 gdb -q -batch -ex 'set breakpoint pending on' -ex 'set debuginfod enabled off' -ex 'break good_plan' -ex run -ex bt -ex kill \
		--args whimbrel-conform --in-process --only '^contract.plan$' "$BAD/good.so"
	echo "$output"
	[[ "$output" == *"good_plan"*"wbl_call_run"* ]]
}

@test "whimbrel handler check is the same" {
	run whimbrel handler check "$BAD/good.so"
	echo "$output"
	[ "$status" -eq 0 ]
	[[ "$output" == *"static.exports"* ]]
	run whimbrel handler check "$BAD/licence.so"
	[ "$status" -eq 1 ]
}
