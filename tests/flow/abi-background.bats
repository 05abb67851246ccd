#!/usr/bin/env bats
# Background steps: up, drained, finished, restarted, kept up during rollback until their own turn. The test is the
# application: it writes to `ctl/in` (or `new`) whenever it likes, and no line of it may be missing in `world/out` at the end.
# req: X3 X7 X9 Z4 V3 H5
# SPDX-License-Identifier: Apache-2.0
load functions
load abi
setup() { abi_setup; }
teardown() { flow_teardown; }

writes()
{
	local n
	for n in $(seq "$1" "$2"); do echo "line $n" >>ctl/in; done
}

complete()
{
	[ "$(sha256sum <ctl/in)" = "$(sha256sum <world/out)" ]
}

hosts_of()
{
	pgrep -P "$(flow_engine)" || true
}

@test "it starts, is drained twice to the output of another step, tells its lag, and is finished" {
	writes 1 3
	abi_spec <<-END
	{ id = "serve"; flags = "background"; execute = "serve @in out"; },
	{ id = "fence"; after = "serve"; execute = "output pos 14"; },
	{ id = "look"; after = "fence"; execute = "input fence pos @pos; drain serve 14 5000; lag serve @lag; wait @more; drain serve 28 5000; append log drained"; },
	{ id = "end"; after = "look"; finishes = "serve"; execute = ""; }
	END
	abi_start
	abi_waits @more
	[ "$(cat ctl/pos)" = "14 1" ]
	[ "$(cat ctl/lag)" = seven ]
	[ "$(flow_step last m/serve)" = up ]
	writes 4 6
	abi_go more
	abi_until completed
	complete
	[ "$(flow_step last m/serve)" = verified ]
	[ "$(flow_count drain.done)" -ge 2 ]
	# Who asked waited five seconds, and no longer; for the end there is no limit.
	[ "$(tr '\n' ' ' <ctl/deadlines)" = "some some none " ]
	[ "$(abi_calls execute serve)" = 1 ]
}

@test "one that nobody finishes ends with the run" {
	writes 1 2
	abi_spec <<-END
	{ id = "serve"; flags = "background"; execute = "serve @in out"; },
	{ id = "work"; after = "serve"; execute = "append log x"; }
	END
	[ "$(abi_run)" = completed ]
	complete
}

@test "a drain times out, or its background step is down: the step is told, the run goes back" {
	writes 1 2
	abi_spec <<-END
	{ id = "serve"; flags = "background"; execute = "serve @in @out deaf"; },
	{ id = "cut"; after = "serve"; execute = "keep a; put a x; drain serve - 100"; before = "kept a"; }
	END
	[ "$(abi_run)" = rolled_back ]
	[ ! -e world/a ]
	# It ends while somebody waits for it.
	rm -rf ctl/* world/*
	abi_spec <<-END
	{ id = "serve"; flags = "background"; execute = "ready; wait @asked; status OK"; },
	{ id = "cut"; after = "serve"; execute = "keep a; put a x; append @asked x; drain serve - 0"; before = "kept a"; }
	END
	[ "$(abi_run)" = rolled_back ]
	[ ! -e world/a ]
	abi_spec <<-END
	{ id = "serve"; flags = "background"; execute = "ready; wait @asked2; status FAILED"; },
	{ id = "cut"; after = "serve"; execute = "append @asked2 x; drain serve - 0"; }
	END
	[ "$(abi_run)" = rolled_back ]
}

@test "it dies: restarted with its checkpoint, its demand told again; beyond the limit the run fails" {
	writes 1 3
	abi_spec <<-END
	{ id = "serve"; flags = "background"; restarts = 3; execute = "resumed @ck; checkpoint at%a; times @n 1 crash; times @m 1 RETRY; serve @in out"; },
	{ id = "cut"; after = "serve"; execute = "wait @go; drain serve 21 5000; append log done"; }
	END
	abi_start
	abi_waits @go
	# Once more, while it is up.
	kill -9 $(hosts_of | head -1) 2>/dev/null || true
	abi_go go
	abi_until completed
	complete
	[ "$(head -3 ctl/ck)" = "$(printf 'none\nat1\nat2')" ]
	rm -rf ctl/* world/*
	abi_spec <<-END
	{ id = "serve"; flags = "background"; restarts = 2; execute = "ready; sleep 20; crash"; },
	{ id = "cut"; after = "serve"; execute = "keep a; put a x; wait @never"; before = "kept a"; }
	END
	[ "$(abi_run)" = rolled_back ]
	[ "$(abi_calls execute serve)" = 3 ]
	[ ! -e world/a ]
}

# The move with a reverse stream: `in` is the new store that the application writes to after the switch.
moved()
{
	abi_spec <<-END
	{ id = "switch"; execute = "keep route; put route new"; before = "kept route"; },
	{ id = "reverse"; after = "switch"; flags = "background"; restarts = 50; execute = "keep r; serve @in out"; before = "kept r"; rollback = "append @order reverse"; },
	{ id = "check"; after = "reverse"; execute = "append log x$1"; rollback = "append @order check; wait @written; sleep 60"; },
	{ id = "clean"; kind = 6; after = "check"; flags = "finalize"; execute = "append log clean"; }
	END
	sed -i 's/keep r; serve/serve/; s/before = "kept r"; //' spec.conf
}

@test "reverse writer: what is written after the switch is there after the rollback" {
	writes 1 5
	moved
	[ "$(abi_run)" = reversible ]
	[ "$(cat world/route)" = new ]
	writes 6 9
	flow_until 5 complete
	whimbrel rollback last --detach
	abi_waits @written
	[ "$(flow_step last m/reverse)" = up ]
	# The rollback is on its way, and the application still writes to the new side.
	writes 10 30
	abi_go written
	abi_until rolled_back
	complete
	[ ! -e world/route ]
	[ "$(cat ctl/order)" = "$(printf 'check\nreverse')" ]
}

@test "reverse writer: killed while it waits for finalize, it is restarted; without restarts the run says so" {
	writes 1 3
	moved
	[ "$(abi_run)" = reversible ]
	for n in 1 2 3; do
		kill -9 $(hosts_of)
		writes $((n * 10)) $((n * 10 + 2))
		flow_until 5 complete
	done
	[ "$(flow_state)" = reversible ]
	whimbrel finalize last
	[ "$(flow_state)" = completed ]
	complete
	rm -rf ctl/* world/*
	moved
	sed -i 's/restarts = 50; execute = "serve/restarts = 1; execute = "times @n 1 OK; ready; if @die FAILED; wait @die; status FAILED/; s/times @n 1 OK; //' spec.conf
	[ "$(abi_run)" = reversible ]
	abi_go die
	abi_until failed
	whimbrel explain last | grep -qi 'way back'
}

@test "reverse writer: processes and engine are killed again and again on the way back; no line is lost" {
	writes 1 5
	moved
	sed -i 's/wait @written; sleep 60/sleep 10/' spec.conf
	[ "$(abi_run)" = reversible ]
	flow_stop_engine
	verb="rollback r-000001" line=6 kills=0
	for n in $(seq 1 80); do
		writes $line $((line + 1))
		line=$((line + 2))
		WBL_TEST_KILL=engine:$((3 + n % 4)) timeout 20 whimbrel -q $verb >/dev/null 2>&1 || true
		flow_kill_engine
		[ "$(abi_entries '.name == "rollback" and .kind == "run.request"' | wc -l)" = 0 ] || verb="recover r-000001"
		! flow_is rolled_back r-000001 || break
		flow_kill_engine
		kills=$((kills + 1))
	done
	[ "$(flow_state)" = rolled_back ]
	[ ! -e world/route ]
	# All that was written before the stream was taken down.
	[ "$(cat world/out)" = "$(head -n "$(wc -l <world/out)" ctl/in)" ]
	[ "$(wc -l <world/out)" -ge 5 ]
	echo "# $kills rounds with a kill, all recovered" >&3
}

@test "paused, it stays up; cancelled, it goes at its turn; one that never comes up can be cancelled" {
	writes 1 3
	abi_spec <<-END
	{ id = "serve"; flags = "background"; execute = "serve @in out"; },
	{ id = "work"; after = "serve"; execute = "keep a; put a x; wait @go"; before = "kept a"; }
	END
	abi_start
	abi_waits @go
	whimbrel pause last
	abi_until paused
	writes 4 5
	flow_until 5 complete
	kill -9 $(hosts_of)
	writes 6 7
	flow_until 5 complete
	whimbrel resume last --detach
	abi_waits @go
	whimbrel cancel last || [ $? = 12 ]
	abi_until cancelled
	complete
	[ ! -e world/a ]
	rm -f ctl/waiting
	abi_spec <<-END
	{ id = "serve"; flags = "background"; execute = "wait @never"; },
	{ id = "work"; after = "serve"; execute = ""; }
	END
	abi_start
	abi_waits @never
	whimbrel cancel last || [ $? = 12 ]
	abi_until cancelled
}

@test "it hears nobody: finished within its time limit, else ended" {
	abi_spec <<-END
	{ id = "serve"; flags = "background"; timeout = "200ms"; restarts = 1; execute = "ready; block @never"; },
	{ id = "work"; after = "serve"; execute = "keep a; put a x; status FAILED"; before = "kept a"; }
	END
	[ "$(abi_run)" = rolled_back ]
	[ ! -e world/a ]
}

@test "one that never says ready has the time limit of its step for it, after each restart; then the run goes back" {
	abi_spec <<-END
	{ id = "one"; execute = "keep a; put a x"; before = "kept a"; },
	{ id = "serve"; after = "one"; flags = "background"; timeout = "150ms"; restarts = 2; execute = "block @never"; },
	{ id = "work"; after = "serve"; execute = ""; }
	END
	[ "$(abi_run)" = rolled_back ]
	[ ! -e world/a ]
	[ "$(abi_calls execute serve)" = 3 ]
	whimbrel report last | grep -q 'was not ready within 150 ms'
	# One that hears: the same. One that is ready in time may stay up longer than its limit.
	rm -rf ctl/* world/*
	sed -i 's/block @never/wait @never/' spec.conf
	[ "$(abi_run)" = rolled_back ]
	whimbrel report last | grep -q 'was not ready within 150 ms'
	rm -rf ctl/* world/*
	sed -i 's/wait @never/serve @in out/; s/execute = ""/execute = "sleep 400"/' spec.conf
	writes 1 2
	[ "$(abi_run)" = completed ]
	[ "$(abi_calls execute serve)" = 1 ]
	complete
}

@test "a new engine brings back those that serve a run at rest: paused, failed, reversible; not what is being taken back" {
	abi_spec <<-END
	{ id = "serve"; flags = "background"; execute = "serve @in out"; },
	{ id = "work"; after = "serve"; execute = "wait @go; unless @good FAILED"; },
	{ id = "late"; after = "work"; kind = 6; flags = "finalize"; execute = ""; }
	END
	whimbrel plan spec.conf >/dev/null
	whimbrel -q apply p-000001 --on-failure manual --detach >/dev/null
	line=1
	for state in paused failed reversible; do
		case $state in
		paused) abi_waits @go; whimbrel pause last ;;
		failed) abi_go go; whimbrel resume last --detach ;;
		reversible) abi_go good; whimbrel recover last --detach ;;
		esac
		abi_until $state
		flow_kill_engine
		writes $line $((line + 1))
		line=$((line + 2))
		# Looking is enough: the engine that answers has it up again, and stays for it.
		[ "$(flow_state)" = $state ]
		flow_until 5 complete || { echo "not back: $state"; return 1; }
		[ "$(flow_step last m/serve)" = up ]
		[ "$(flow_state)" = $state ]
	done
	[ "$(abi_entries '.kind == "run.note" and .name == "recovery"' | grep -c 'background steps')" = 3 ]
	whimbrel finalize last
	[ "$(flow_state)" = completed ]
	complete
	# Interrupted under way: looking does not touch it.
	rm -rf ctl/* world/*
	writes 1 2
	abi_start
	abi_waits @go
	rm -f ctl/trace
	flow_kill_engine
	[ "$(flow_state)" = executing ]
	sleep 0.1
	[ ! -e ctl/trace ]
	whimbrel recover last --strategy rollback || true
	abi_until rolled_back
}

@test "holder: its view is gone when it is started again; those that relied on it are taken back and begun anew" {
	writes 1 3
	abi_spec <<-END
	{ id = "hold"; flags = "background"; restarts = 3; execute = "if @gone STALE; serve @in out"; rollback = "remove @gone; restore"; },
	{ id = "copy"; after = "hold"; execute = "keep part; put part half; wait @go; put part whole"; },
	{ id = "end"; after = "copy"; finishes = "hold"; execute = ""; }
	END
	abi_start
	abi_waits @go
	: >ctl/gone
	kill -9 "$(hosts_of | head -1)"
	flow_until 10 test ! -e ctl/gone
	abi_go go
	abi_until completed
	[ "$(cat world/part)" = whole ]
	[ "$(whimbrel -o json status last | jq -c '[.runs[0].steps[] | .pass]')" = "[2,2,1]" ]
	complete
}
