#!/usr/bin/env bats
# Clients of the control socket that keep no rules, and plan files that nobody made: the engine stays as it was, others
# are served meanwhile.
# req: H5 P3 W2
# SPDX-License-Identifier: Apache-2.0
load functions
load hostile
setup() { hostile_setup; }
teardown() { hostile_teardown; }

pester()
{
	run timeout 60 "$WBL_BUILD/tests/bin/pester" "$WHIMBREL_STATE" "$@"
	[ "$status" -eq 0 ] || { echo "$*: $output"; return 1; }
	echo "# $output" >&3
}

@test "garbage, bad, long, half and unread lines, a thousand connections" {
	attack none none 0 0 0
	attack execute segv 0 7 0 "killed by signal 11"
	begin_beside
	pester garbage 300
	pester lines 3
	pester long 30
	pester many 1000
	pester slow 2000
	end_beside
	same_engine
	[ "$(peak)" -lt 300 ]
}

@test "every verb on everything, from several clients at once" {
	attack none none 0 0 0
	attack execute segv 0 7 0 "killed by signal 11"
	attack rollback status -12 9 0 .
	spec none none 0 0
	whimbrel plan spec.conf
	flags=16
	pids=
	for i in 1 2 3; do
		timeout 100 "$WBL_BUILD/tests/bin/pester" "$WHIMBREL_STATE" verbs 150 "$i" >"pester.$i" &
		pids="$pids $!"
	done
	for i in $pids; do
		wait "$i" || { cat pester.*; return 1; }
	done
	echo "# $(cat pester.* | tr '\n' ';')" >&3
	same_engine
	whimbrel audit verify
}

@test "plan files that nobody made are refused, each with a reason" {
	spec none none 0 0
	whimbrel plan spec.conf --out plan.json
	measure
	size=$(stat -c %s plan.json)
	n=0
	refuse_file()
	{
		run whimbrel apply bad.json
		[ "$status" -eq 4 ] || [ "$status" -eq 2 ] || { echo "$1: $status $output"; return 1; }
		[ -n "$output" ]
		n=$((n + 1))
	}
	for at in 0 1 100 $((size / 2)) $((size - 2)) $((size - 1)); do
		head -c "$at" plan.json >bad.json
		refuse_file "cut at $at"
	done
	for edit in 's/hostile/put_file/' 's/"evil0"/"evil1"/' 's/"version": 1/"version": 2/' 's/}$/},/' 's/{/[/' 's/0/1/' \
		's/whimbrel.plan/something/' 's/$/ /'; do
		sed "$edit" plan.json >bad.json
		refuse_file "$edit"
	done
	for text in '' '{}' '[]' 'null' '7' '"x"' '{"format":"whimbrel.plan","version":1}' '{"format":"whimbrel.plan","version":9}'; do
		printf '%s' "$text" >bad.json
		refuse_file "$text"
	done
	head -c 100000 /dev/urandom >bad.json
	refuse_file random
	head -c 200000 /dev/zero | tr '\0' '[' >bad.json
	refuse_file deep
	jq -c 'del(.steps)' plan.json >bad.json
	refuse_file "without steps"
	jq '.steps[0].after = [7, null, {}]' plan.json >bad.json
	refuse_file "after of no texts"
	jq '.barriers = [1]' plan.json >bad.json
	refuse_file "barriers of no texts"
	mkfifo bad.fifo
	run timeout 10 whimbrel apply ./bad.fifo
	[ "$status" -ne 0 ] && [ "$status" -ne 124 ]
	run whimbrel apply /
	[ "$status" -ne 0 ]
	same_engine
	whimbrel apply plan.json
	echo "# $n files refused, the true one applied" >&3
}

# folder_refused NAME EXIT TEXT: no engine stays there, and TEXT says why.
folder_refused()
{
	run timeout 20 whimbrel --state "$T/$1" plan "$T/spec.conf"
	[ "$status" -eq "$2" ] && [[ "$output" == *"$3"* ]] || { echo "$1: $status $output"; return 1; }
	! pgrep -f "serve --on-demand --state $T/$1" || { echo "$1: an engine is left"; return 1; }
}

@test "a state folder that others could write, or that holds what is no state, is refused" {
	spec none none 0 0
	mkdir -m 777 open
	folder_refused open 2 "written by others"
	[ "$(stat -c %a open)" = 777 ]
	: >file
	folder_refused file 2 "Not a directory"
	mkdir -m 700 junk fifo sock
	head -c 9000 /dev/urandom >junk/history.db
	before=$(sha256sum junk/history.db)
	folder_refused junk 11 "not a database"
	[ "$(sha256sum junk/history.db)" = "$before" ]
	mkfifo fifo/lock
	folder_refused fifo 1 "fifo/lock"
	mkdir sock/control.sock
	folder_refused sock 1 "control socket"
	[ ! -e "$T/out.evil0" ]
}
