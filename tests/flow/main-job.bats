#!/usr/bin/env bats
# The main job does what it tells, and leaves what it says; the tutorial's commands work as they stand.
# req: D7 D8 P1 X9 X7 M2
# SPDX-License-Identifier: Apache-2.0
load functions
setup() { flow_setup; }
teardown()
{
	[ ! -e "$T/play/state" ] || WHIMBREL_STATE=$T/play/state flow_stop_engine
	flow_teardown
}

top=$BATS_TEST_DIRNAME/../..

main_job() { WHIMBREL_PLAY=$T/play run "$top/templates/main-job/main-job.sh"; }

# Counted by another reader of CSV than ours.
vendors() { sqlite3 :memory: ".import --csv /usr/share/ieee-data/oui.csv oui" "SELECT count(*) FROM oui"; }

@test "the main job: two kills survived, one rollback, and every count is true" {
	main_job
	echo "$output"
	[ "$status" -eq 0 ]
	echo "# $(grep '^Done in' <<<"$output")" >&3
	. play/env
	[ "$WHIMBREL_STATE" = "$T/play/state" ]
	states=$(whimbrel -o json history | jq -r '[.runs[].state] | join(" ")')
	[ "$states" = "completed rolled_back completed rolled_back" ]
	# The rejected load named the line, and that line has a prefix that stands elsewhere, too.
	line=$(grep -ho 'oui.csv:[0-9]*' play/output/*-apply.txt | head -n 1 | cut -d: -f2)
	prefix=$(sed -n "${line}p" /usr/share/ieee-data/oui.csv | cut -d, -f2)
	[ "$(grep -c ",$prefix," /usr/share/ieee-data/oui.csv)" -gt 1 ]
	# It was really killed: another engine took over (epoch 2), and a process died by signal 9.
	[ "$(whimbrel -o json status r-000003 | jq '.runs[0].epoch')" -ge 2 ]
	whimbrel -o json report r-000003 | jq -e '[.recovery[].text] | any(test("killed by signal 9"))'
	grep -q 'interrupted' play/output/*-status.txt
	# What stands there now, counted without us.
	[ "$(sqlite3 play/raw.db 'SELECT count(*) FROM unicode')" = "$(wc -l </usr/share/unicode/UnicodeData.txt)" ]
	[ "$(sqlite3 play/raw.db 'SELECT count(*) FROM vendor')" = "$(vendors)" ]
	[ "$(sqlite3 play/catalogue.db 'SELECT count(*) FROM prefix')" = "$(vendors)" ]
	[ "$(sqlite3 play/catalogue.db 'SELECT text FROM note')" = "this was here before" ]
	[ "$(sqlite3 play/catalogue.db "SELECT digit, mirrored, typeof(digit) FROM character WHERE code = '0037'")" = "7|0|integer" ]
	[ "$(sqlite3 play/catalogue.db "SELECT name FROM character WHERE code = '000A'")" = "LINE FEED (LF)" ]
	[ "$(sqlite3 play/catalogue.db "SELECT count(*) FROM letter_pair")" = \
		"$(awk -F';' '($3 == "Lu" || $3 == "Ll") && $13 $14 != ""' /usr/share/unicode/UnicodeData.txt | wc -l)" ]
	[ "$(sqlite3 play/catalogue.db "SELECT owner FROM shared_prefix WHERE prefix = '$prefix'" | wc -l)" = \
		"$(grep -c ",$prefix," /usr/share/ieee-data/oui.csv)" ]
	[ -z "$(sqlite3 play/catalogue.db "SELECT name FROM sqlite_schema WHERE name LIKE '%whimbrel%'")" ]
	# Planned side by side, shown in the order of the spec.
	[ "$(whimbrel -o json show p-000002 | jq -r '.steps[].id | split("/")[0]' | uniq | paste -sd' ')" = "characters vendors" ]
	whimbrel verify last
	whimbrel audit verify
}

@test "the main job can be run again, and takes no folder that is not its own" {
	mkdir play
	echo mine >play/file
	main_job
	[ "$status" -eq 1 ]
	[[ "$output" == *"is not ours"* ]]
	[ "$(cat play/file)" = mine ]
	[ -z "${WBL_QUICK:-}" ] || skip "once is enough here"
	: >play/.main-job
	main_job
	[ "$status" -eq 0 ]
	[ ! -e play/file ]
}

@test "the tutorial's commands work, one after the other" {
	mkdir tour
	awk '/^```sh$/ { on = 1; next } /^```$/ { on = 0 } on' "$top/docs/tutorial.md" >tour.sh
	[ "$(grep -c '^whimbrel' tour.sh)" -ge 15 ]
	cd tour
	export WHIMBREL_STATE=$T/tour/state
	run bash -euo pipefail ../tour.sh
	echo "$output"
	[ "$status" -eq 0 ]
	[[ "$output" == *"it ended with 7"* ]]
	[[ "$output" == *"interrupted"* ]]
	[ ! -e catalogue.db ]
	[ "$(sqlite3 network.db 'SELECT count(*) FROM vendor')" = "$(vendors)" ]
	[ "$(whimbrel -o json history | jq -r '[.runs[].state] | join(" ")')" = "rolled_back completed rolled_back" ]
	flow_stop_engine
}
