#!/usr/bin/env bats
# Questions, manual steps, values between runs, and what a plan relies on.
# req: P1 P2 P3 X10 C5 D4 V2 V3
# SPDX-License-Identifier: Apache-2.0
load functions
load abi
setup() { abi_setup; }
teardown() { flow_teardown; }

@test "a question in plan: it is shown, cannot be applied, an answer makes a new plan" {
	PLAN="ask side @seen"
	abi_spec <<<'{ id = "s"; execute = "append log x"; }'
	run whimbrel plan spec.conf
	[ "$status" -eq 0 ]
	[[ "$output" == *"Which one?"* ]]
	run whimbrel -q apply p-000001
	[ "$status" -eq 5 ]
	[ ! -e world/log ]
	whimbrel answer p-000001 side right
	[ "$(cat ctl/seen)" = right ]
	run whimbrel -q apply p-000002
	[ "$status" -eq 0 ]
	# Asked again at apply, and answered by itself.
	[ "$(cat ctl/seen)" = "$(printf 'right\nright')" ]
	# The question goes into what was approved: another answer is another change.
	whimbrel answer p-000001 side left
	[ "$(whimbrel -o json show p-000002 | jq -r .change_digest)" != "$(whimbrel -o json show p-000003 | jq -r .change_digest)" ]
}

@test "a late conflict: the process ends, the run waits, the answer resumes it; also after a crash of the engine" {
	abi_spec <<-END
	{ id = "one"; execute = "keep a; put a x; ask which @seen; append log %a"; before = "kept a"; },
	{ id = "other"; execute = "append other x"; }
	END
	abi_run >/dev/null
	[ "$(flow_state)" = waiting ]
	[ "$(cat exit)" = 5 ]
	[ -z "$(pgrep -P "$(flow_engine)")" ]
	[ "$(cat world/other)" = x ]
	flow_kill_engine
	[ "$(flow_state)" = waiting ]
	[ "$(whimbrel -o json status last | jq -r '.runs[0].waiting_for[0].question')" = which ]
	run whimbrel answer last nothing right
	[ "$status" -ne 0 ]
	whimbrel answer last which right
	abi_until completed
	[ "$(cat ctl/seen)" = right ]
	[ "$(cat world/log)" = 2 ]
	run whimbrel answer last which left
	[ "$status" -ne 0 ]
}

@test "waiting for an answer, it can be cancelled" {
	abi_spec <<<'{ id = "one"; execute = "keep a; put a x; ask which @seen"; before = "kept a"; }'
	abi_run >/dev/null
	[ "$(flow_state)" = waiting ]
	whimbrel cancel last || [ $? = 12 ]
	abi_until cancelled
	[ ! -e world/a ]
}

@test "a manual step: instructions, confirmation, verification; taken back by a person too" {
	abi_spec <<-END
	{ id = "before"; execute = "keep a; put a x"; before = "kept a"; },
	{ id = "hand"; after = "before"; flags = "manual"; verify = "unless byhand MISMATCH"; before = "if byhand MISMATCH"; rollback = ""; },
	{ id = "after"; after = "hand"; execute = "append log x"; }
	END
	abi_run >/dev/null
	[ "$(flow_state)" = waiting ]
	whimbrel status last | grep -q 'operations'
	run whimbrel confirm last m/before
	[ "$status" -ne 0 ]
	echo x >world/byhand
	whimbrel confirm last m/hand --text "done by me"
	abi_until completed
	[ "$(abi_calls execute hand)" = 0 ]
	[ "$(abi_calls verify hand)" = 1 ]
	whimbrel rollback last --detach
	abi_until waiting
	flow_kill_engine
	[ "$(flow_state)" = waiting ]
	rm world/byhand
	whimbrel confirm last m/hand --text "taken back"
	abi_until rolled_back
	[ ! -e world/a ]
	[ "$(flow_count confirm)" = 2 ]
}

@test "a confirmation that is not true is found out" {
	abi_spec <<<'{ id = "hand"; flags = "manual"; verify = "unless byhand MISMATCH"; rollback = ""; }'
	abi_run >/dev/null
	whimbrel confirm last m/hand || true
	abi_until waiting
	whimbrel confirm last m/hand || true
	abi_until rolled_back
}

@test "values between runs: staged, held when it completes, gone with its rollback" {
	PLAN="value n @plan"
	abi_spec <<<'{ id = "s"; execute = "count n; value n @in; if @fail FAILED"; }'
	abi_run >/dev/null
	abi_run >/dev/null
	[ "$(cat ctl/in)" = "$(printf '1\n2')" ]
	abi_go fail
	[ "$(abi_run)" = rolled_back ]
	rm ctl/fail
	[ "$(abi_run)" = completed ]
	[ "$(tail -2 ctl/in)" = "$(printf '3\n3')" ]
	whimbrel rollback last
	flow_stop_engine
	abi_run >/dev/null
	[ "$(tail -1 ctl/in)" = 3 ]
	# An observation: a plan made before another run changed the value is stale.
	whimbrel plan spec.conf >/dev/null
	stale=$(whimbrel -o json history --limit 1 | jq -r '.runs[0].plan')
	abi_run >/dev/null
	run whimbrel -q apply "p-$(printf %06d $((10#${stale#p-} + 1)))"
	[ "$status" -eq 4 ]
	# Another spec has values of its own.
	abi_spec other <<<'{ id = "s"; execute = "count n; value n @mine"; }'
	abi_run >/dev/null
	[ "$(cat ctl/mine)" = 1 ]
}

# observe RULE TOLERANCE, value then, value now
bound()
{
	echo "$3" >world/o
	PLAN="observe o $1 $2"
	abi_spec <<<'{ id = "s"; execute = "append log x"; }'
	whimbrel -o json plan spec.conf | jq -r .plan >plan
	echo "$4" >world/o
	run whimbrel -q apply "$(cat plan)"
}

@test "observations are held against their rules when the plan is bound" {
	abi_serve
	while read -r rule tolerance then now exit; do
		bound "$rule" "$tolerance" "$then" "$now"
		[ "$status" -eq "$exit" ] || { echo "$rule $tolerance $then $now: $status"; return 1; }
	done <<-END
	1 0 5 5 0
	1 0 5 6 4
	2 0 5 9 0
	2 0 5 4 4
	3 0 5 4 0
	3 0 5 6 4
	4 10 100 110 0
	4 10 100 111 4
	4 10 100 90 0
	4 10 100 89 4
	5 0 5 77 0
	END
	# Another plan than before is stale too, in words.
	abi_spec <<<'{ id = "s"; execute = "append log x"; }'
	PLAN=
	whimbrel -o json plan spec.conf | jq -r .plan >plan
	[ "$(abi_entries '.kind == "run.note" and .name == "bind"' | wc -l)" -ge 3 ]
}

@test "plans under another clock, locale, mask, folder and environment are equal" {
	PLAN="world; observe o 1 0"
	abi_spec <<<'{ id = "a"; execute = ""; }, { id = "b"; after = "a"; execute = ""; }'
	whimbrel -o json plan spec.conf >one.json
	flow_stop_engine
	mkdir elsewhere
	(cd elsewhere && umask 077 && TZ=Asia/Tokyo LC_ALL=tr_TR.UTF-8 LANG=de_DE FOO=bar RANDOM_SEED=7 MALLOC_PERTURB_=3 \
		whimbrel -o json plan "$T/spec.conf" >"$T/two.json")
	for f in one two; do
		jq -S '.document | fromjson? // . | del(.id, .made, .expires, .spec.name)' $f.json >$f.plain
	done
	cmp one.plain two.plain
	grep -q process one.plain
	[ "$(jq -r .change_digest one.plain)" = "$(jq -r .change_digest two.plain)" ]
}
