#!/usr/bin/env bats
# Ways that a run once went, or could have gone, without an end or to the wrong one; each was found by reading.
# req: X3 X7 X9 Z4 H5
# SPDX-License-Identifier: Apache-2.0
load functions
load abi
setup() { abi_setup; }
teardown() { flow_teardown; }

# A run that nobody moves on is a failure of the test, not of the whole suite.
ends()
{
	abi_start
	abi_until "$1" last "${2:-60}"
}

@test "a compensating step that dies each time ends the rollback, and is not begun for ever" {
	abi_spec <<-END
	{ id = "add"; execute = "append log add"; inverse = 2; arg = "sub"; },
	{ id = "sub"; execute = "crash"; inverse = 4; arg = "is itself a way back"; attempts = 2; },
	{ id = "end"; after = "add"; execute = "status FAILED"; }
	END
	ends rollback_failed
	[ "$(abi_calls execute sub)" -le 2 ]
	[ "$(abi_calls rollback add)" = 0 ]
	# Taken up again, it is the compensating step that is tried again, not a rollback that there is none of.
	sed -i 's/^execute sub/was sub/' ctl/trace
	whimbrel recover last || true
	abi_until rollback_failed
	[ "$(abi_calls execute sub)" -ge 1 ]
	[ "$(abi_calls rollback add)" = 0 ]
}

@test "a compensating step that failed once is tried again by recover, and the rollback ends" {
	abi_spec <<-END
	{ id = "add"; execute = "append log add"; inverse = 2; arg = "sub"; },
	{ id = "sub"; execute = "unless @mended FAILED; append log sub"; inverse = 4; arg = "is itself a way back"; },
	{ id = "end"; after = "add"; execute = "status FAILED"; }
	END
	ends rollback_failed
	abi_go mended
	whimbrel recover last || true
	abi_until rolled_back
	[ "$(cat world/log)" = "$(printf 'add\nsub')" ]
	[ "$(abi_calls rollback add)" = 0 ]
}

@test "a compensating step in chunks, by a person, or that asks" {
	abi_spec <<-END
	{ id = "add"; execute = "append log add"; inverse = 2; arg = "sub"; },
	{ id = "sub"; flags = "partitioned"; chunks = "parts 3 2"; execute = "append log %c"; inverse = 4; arg = "is itself a way back"; },
	{ id = "end"; after = "add"; execute = "status FAILED"; }
	END
	ends rolled_back
	[ "$(abi_calls partition sub)" = 1 ]
	[ "$(abi_calls execute sub)" = 3 ]
	abi_spec <<-END
	{ id = "add"; execute = "append log add"; inverse = 2; arg = "sub"; },
	{ id = "sub"; flags = "manual"; inverse = 4; arg = "is itself a way back"; },
	{ id = "end"; after = "add"; execute = "status FAILED"; }
	END
	ends waiting
	flow_kill_engine
	whimbrel confirm last m/sub --text done
	abi_until rolled_back
	rm ctl/trace
	abi_spec <<-END
	{ id = "add"; execute = "append log add"; inverse = 2; arg = "sub"; },
	{ id = "sub"; execute = "ask which @answer; append log sub"; inverse = 4; arg = "is itself a way back"; },
	{ id = "end"; after = "add"; execute = "status FAILED"; }
	END
	ends waiting
	[ "$(abi_calls execute sub)" = 1 ]
	whimbrel answer last which left
	abi_until rolled_back
	[ "$(abi_calls execute sub)" = 2 ]
}

@test "nobody waits for a compensating step on the way forward" {
	{
		printf 'migrations: ( '
		abi_migration one <<-END
		{ id = "add"; execute = "append log add"; inverse = 2; arg = "sub"; },
		{ id = "sub"; execute = "append log sub"; inverse = 4; arg = "is itself a way back"; }
		END
		printf ', '
		abi_migration two <<<'{ id = "next"; execute = "append log next"; }' | sed 's/handler = "script";/& after = ("one");/'
		printf ' );\n'
	} >spec.conf
	ends completed
	[ "$(cat world/log)" = "$(printf 'add\nnext')" ]
}

@test "a background step whose finisher was passed over is finished all the same" {
	abi_spec <<-END
	{ id = "serve"; flags = "background"; execute = "serve @in out"; },
	{ id = "end"; flags = "optional"; after = "serve"; finishes = "serve"; execute = "status FAILED"; }
	END
	ends completed
	[ "$(flow_step last m/serve)" = verified ]
}

@test "a background step that is down when the rollback begins comes up for those that drain it" {
	abi_spec <<-END
	{ id = "serve"; flags = "background"; restarts = 5; execute = "serve @in out"; rollback = ""; },
	{ id = "work"; after = "serve"; execute = "append log x; wait @never"; rollback = "drain serve - 0; append @order work"; }
	END
	abi_start
	abi_waits @never
	echo "line 1" >>ctl/in
	flow_kill_engine
	whimbrel recover last --strategy rollback --detach || true
	abi_until rolled_back
	[ "$(cat world/out)" = "line 1" ]
}

@test "what a failure leads to, by the operator's word, is not forgotten by the next engine" {
	abi_spec <<<'{ id = "s"; execute = "append log x; wait @go; status FAILED"; }'
	whimbrel plan spec.conf >plan.out
	whimbrel -q apply --detach --on-failure manual last
	abi_waits @go
	flow_kill_engine
	abi_go go
	whimbrel recover last --detach || true
	abi_until failed
}

@test "resumed while it stops for a pause, it goes on; the next pause is heard" {
	abi_spec <<<'{ id = "s"; attempts = 2; execute = "block @one; wait @two; append log x"; }'
	sed -i 's/grace = "300ms"/grace = "5s"/' spec.conf
	abi_start
	abi_waits @one
	whimbrel pause last >/dev/null || true
	whimbrel resume last --detach >/dev/null || true
	abi_go one
	flow_until 10 test "$(grep -c '^execute s' ctl/trace)" -ge 1
	flow_until 10 sh -c '[ "$(grep -c "^execute s" ctl/trace)" = 2 ]'
	abi_waits @two
	whimbrel pause last >/dev/null || true
	abi_until paused
	abi_go two
	whimbrel resume last --detach >/dev/null || true
	abi_until completed
}

@test "recover of a paused run, with resume, resumes it" {
	abi_spec <<<'{ id = "s"; execute = "wait @go; append log x"; }'
	abi_start
	abi_waits @go
	whimbrel pause last >/dev/null || true
	abi_until paused
	abi_go go
	whimbrel recover last --strategy resume --detach || true
	abi_until completed
}

@test "cancelled after it stopped part-way: the epoch rises when the way back begins" {
	abi_spec <<<'{ id = "s"; execute = "append @epochs %e; keep a; put a x; status FAILED"; rollback = "append @epochs %e; restore"; }'
	sed -i 's/backoff/rollback = "manual"; backoff/' spec.conf
	ends failed
	whimbrel cancel last >/dev/null || true
	abi_until cancelled
	[ "$(cat ctl/epochs)" = "$(printf '1\n2')" ]
}

@test "while chunks wait for their next attempt nobody else is waited for" {
	abi_spec <<-END
	{ id = "ask"; execute = "ask which @answer"; },
	{ id = "p"; flags = "partitioned"; attempts = 3; chunks = "parts 1 1"; execute = "times @n 1 RETRY; append log %c"; }
	END
	sed -i 's/backoff = "1ms"/backoff = "400ms"/' spec.conf
	ends waiting
	[ "$(wc -l <world/log)" = 1 ]
}

@test "a run that waits for another's claim goes on with the next engine too" {
	abi_spec <<<'{ id = "s"; claims = "exclusive:table:t"; execute = "append log a; wait @go"; }'
	abi_start
	abi_waits @go
	abi_spec <<<'{ id = "s"; claims = "exclusive:table:t"; execute = "append log b"; }'
	abi_start
	abi_until waiting r-000002
	flow_kill_engine
	abi_go go
	whimbrel recover --detach || true
	abi_until completed r-000001
	abi_until completed r-000002
}

@test "a manual step that is done anew asks anew" {
	abi_spec <<-END
	{ id = "hand"; flags = "manual"; },
	{ id = "s"; flags = "retry"; retry_from = "hand"; after = "hand"; execute = "times @n 1 FAILED; append log x"; }
	END
	ends waiting
	whimbrel confirm last m/hand --text done
	flow_until 10 sh -c '[ "$(whimbrel -o json status last | jq -r .runs[0].steps[0].state)" = undoing ]'
	whimbrel confirm last m/hand --text "taken back"
	flow_until 10 sh -c '[ "$(whimbrel -o json status last | jq -r .runs[0].steps[0].state)" = waiting ]'
	abi_until waiting
	whimbrel confirm last m/hand --text "done again"
	abi_until completed
}

@test "as many processes as there may be: the chunks that are left go to those that are idle" {
	abi_spec <<<'{ id = "p"; flags = "partitioned"; processes = 200; chunks = "parts 150 1"; execute = "sleep 300; append log %c"; }'
	ends completed 30
	[ "$(wc -l <world/log)" = 150 ]
}

@test "a background step between two lives keeps the engine up while its run rests" {
	abi_spec <<-END
	{ id = "serve"; flags = "background"; execute = "append @lives x; ready; if @now FAILED; wait @die; crash"; },
	{ id = "clean"; flags = "finalize"; after = "serve"; execute = ""; }
	END
	sed -i 's/backoff = "1ms"/backoff = "4s"/' spec.conf
	ends reversible
	abi_go die
	flow_until 8 sh -c '[ "$(wc -l <ctl/lives)" = 2 ]'
}

@test "cancelled while its module is being replaced by one that cannot take over: what runs goes on" {
	mkdir mods
	WHIMBREL_HANDLERS=$T/mods
	printf old >world/a
	printf 'migration: { name = "m"; handler = "moved"; backoff = "1ms"; grace = "300ms"; options = { path = "%s"; ctl = "%s"; }; };\n' \
		"$T/world/a" "$T/ctl" >spec.conf
	cp "$WBL_BUILD/tests/mods/v1/.libs/moved.so" mods/ && chmod 644 mods/moved.so
	abi_start
	flow_until 10 grep -q half ctl/trace
	rm mods/moved.so
	cp "$WBL_BUILD/tests/mods/v2/.libs/moved.so" mods/ && chmod 644 mods/moved.so
	whimbrel cancel last || [ $? = 12 ]
	abi_until cancelled
	[ "$(cat world/a)" = old ]
	[ "$(abi_entries '.kind == "upgrade"' | wc -l)" = 0 ]
}

@test "what failed attempts said leaves room for what the good one says" {
	abi_spec <<-END
	{ id = "s"; execute = "differs set 1500 reject; times @n 2 RETRY"; },
	{ id = "p"; flags = "partitioned"; after = "s"; chunks = "parts 1 1"; execute = "differs set 1500 reject; times @m 2 RETRY"; }
	END
	ends completed
	[ "$(whimbrel -o json report last | jq .differences.total)" = 2000 ]
}

@test "a repair that failed is recorded once" {
	abi_spec <<<'{ id = "s"; flags = "lasting"; execute = "append a x"; lasting = "differs set 1; status MISMATCH"; repair = "status FAILED"; }'
	ends completed
	whimbrel verify last || [ $? = 10 ]
	whimbrel repair last || true
	[ "$(abi_entries '.kind == "step.result" and .name == "repair"' | wc -l)" = 1 ]
}

@test "a rehearsal that was interrupted has nothing to be taken back" {
	abi_spec <<<'{ id = "s"; execute = "append log x"; rehearse = "wait @go"; rollback = "append log undone"; }'
	whimbrel plan spec.conf >/dev/null
	setsid whimbrel rehearse last >rehearse.out 2>&1 3>&- &
	abi_waits @go
	flow_kill_engine
	whimbrel recover last --strategy rollback --detach || true
	abi_until cancelled
	[ "$(abi_calls rollback s)" = 0 ]
	[ ! -e world/log ]
}
