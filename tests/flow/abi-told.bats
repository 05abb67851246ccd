#!/usr/bin/env bats
# What a handler says in passing arrives: findings of a check, limits of connections, the same risk of many steps, events
# of a plan.
# req: X1 P1 H5
# SPDX-License-Identifier: Apache-2.0
load functions
load abi
setup() { abi_setup; }
teardown() { flow_teardown; }

@test "a finding of a check stands in the validation, and in the report of the run" {
	abi_spec <<<'{ id = "s"; execute = "append a x"; }'
	sed -i 's/steps = (/check = "finding"; &/; s/handler = "script";/& validation = "full";/' spec.conf
	whimbrel plan spec.conf >/dev/null
	whimbrel -o json validate p-000001 --level full >v.json
	[ "$(jq -c '.findings[] | select(.finding) | [.severity, .where, .text, .finding.kind]' v.json)" = '["note","m","found","test"]' ]
	jq -e .ok v.json
	whimbrel validate p-000001 --level full | grep -q found
	whimbrel -q apply p-000001
	[ "$(whimbrel -o json report last | jq -c '[.findings[] | select(.finding) | .finding.text]')" = '["found"]' ]
}

@test "a step that may open so many connections has no more processes than that allows" {
	abi_spec <<<'{ id = "s"; flags = "partitioned"; processes = 6; connections = 1; chunks = "parts 6 1"; execute = "append log in; sleep 30; append log out"; }'
	[ "$(abi_run)" = completed ]
	# No store is opened here: nothing bounds it but `processes`.
	uniq -c world/log | awk '$1 > 1' | grep -q in
	rm -rf world/*
	sqlite3 x.db 'create table t (a)'
	sed -i "s|handler = \"script\";|& source = { store = \"sqlite\"; path = \"$T/x.db\"; };|" spec.conf
	[ "$(abi_run)" = completed ]
	[ "$(tr '\n' ' ' <world/log)" = "in out in out in out in out in out in out " ]
}

@test "the same risk of many steps is told once" {
	abi_spec <<-END
	$(for n in $(seq 20); do echo "{ id = \"s$n\"; risk = \"locks are taken\"; },"; done)
	{ id = "other"; risk = "disks may fill"; }
	END
	whimbrel plan spec.conf >plan.txt
	tr -s ' \n' ' ' <plan.txt >plan.line
	[ "$(grep -o 'locks are taken' plan.line | wc -l)" = 1 ]
	grep -q 'medium: m/s1, m/s2, .* and 8 more: locks are taken against it: take care' plan.line
	grep -q 'medium: m/other: disks may fill' plan.line
	# The document has them all.
	[ "$(whimbrel -o json show last | jq '[.steps[].risks[]] | length')" = 21 ]
}

@test "plan --events: events, as a run tells them" {
	abi_spec <<<'{ id = "s"; execute = "append a x"; }'
	whimbrel plan spec.conf --events >events
	[ "$(jq -r .type events | tr '\n' ' ')" = "version result " ]
	[ "$(jq -r 'select(.type == "result") | .result.plan' events)" = p-000001 ]
	[ "$(jq -r 'select(.type == "result") | .result.document' events | jq -r .format)" = whimbrel.plan ]
	run whimbrel plan nothing.conf --events
	[ "$status" -eq 2 ]
	[ "$(jq -r .type <<<"$output")" = error ]
}
