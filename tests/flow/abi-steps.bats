#!/usr/bin/env bats
# How steps hand on, wait for each other, go back in part, and are done again: after each case the world is held against
# a digest of our own.
# req: X3 X5 X7 X8 P1 V3 K1
# SPDX-License-Identifier: Apache-2.0
load functions
load abi
setup() { abi_setup; }
teardown() { flow_teardown; }

@test "outputs are handed on, with a generation that rises when they are made anew" {
	abi_spec <<-END
	{ id = "make"; execute = "output pos p%p; output pos q%p; output other x"; },
	{ id = "use"; after = "make"; retry_from = "make"; flags = "retry";
	  execute = "input make pos @got; input make none @got; input m/make other @got; times @n 1 FAILED"; }
	END
	[ "$(abi_run)" = completed ]
	[ "$(cat ctl/got)" = "$(printf 'q1 2\nnone\nx 1\nq2 4\nnone\nx 2')" ]
}

@test "undo records, artefacts and checkpoints: the first wins within a pass, a new pass begins anew, each is reversed once" {
	abi_spec <<-END
	{ id = "one"; retry_from = "one"; flags = "retry"; attempts = 3; before = "executed @ck";
	  execute = "resumed @ck; checkpoint c%p.%a; undo r pass%p.%a; undo q%p.%a x; artefact art kept%p.%a; open art @art; open none @art; times @n 1 RETRY; times @m 1 FAILED";
	  rollback = "records @rec done; records @after" }
	END
	[ "$(abi_run)" = completed ]
	[ "$(cat ctl/art)" = kept1.1nonekept1.1nonekept2.1none ]
	[ "$(cat ctl/rec)" = "$(printf 'q1.2 0 x\nq1.1 0 x\nr 0 pass1.1')" ]
	[ "$(cat ctl/after)" = "$(printf 'q1.2 1 x\nq1.1 1 x\nr 1 pass1.1')" ]
	# No checkpoint; that of the first attempt; after the rollback that of the second; none in the second pass.
	[ "$(cat ctl/ck)" = "$(printf 'none\nc1.1\nc1.2\nnone')" ]
	# A rollback that is killed after each reversal goes on where it was.
	rm -rf ctl/*
	sed -i 's/times @m 1 FAILED/status FAILED/; s/flags = "retry"; //; s/records @rec done; /times @k 1 crash; records @rec done; /' spec.conf
	[ "$(abi_run)" = rolled_back ]
	[ "$(wc -l <ctl/rec)" = 3 ]
}

@test "again: taken back to a step, edited meanwhile, done again, and all taken back" {
	echo first >world/a
	echo b >world/b
	abi_spec <<-END
	{ id = "base"; execute = "keep b; put b new"; verify = "file b new"; before = "kept b"; },
	{ id = "one"; after = "base"; execute = "keep a; append a new%p"; before = "kept a"; },
	{ id = "two"; after = "one"; execute = "unless @go FAILED"; }
	END
	whimbrel plan spec.conf >/dev/null
	whimbrel -q apply p-000001 --on-failure manual || true
	[ "$(flow_state)" = failed ]
	[ "$(cat world/a)" = "$(printf 'first\nnew1')" ]
	whimbrel rollback last --to m/base || true
	[ "$(flow_state)" = failed ]
	[ "$(flow_step last m/one)" = undone ]
	[ "$(flow_step last m/base)" = verified ]
	[ "$(cat world/a world/b)" = "$(printf 'first\nnew')" ]
	echo edited >world/a
	whimbrel recover last || true
	[ "$(cat world/a)" = "$(printf 'edited\nnew2')" ]
	[ "$(flow_state)" = failed ]
	abi_go go
	whimbrel recover last
	[ "$(flow_state)" = completed ]
	whimbrel rollback last
	[ "$(cat world/a world/b)" = "$(printf 'edited\nb')" ]
	grep -q 'execute one pass=2 attempt=1' ctl/trace
}

@test "retry_from: a part is done again in a new pass, within limits, and not the rest" {
	before=$(flow_digest world)
	abi_spec <<-END
	{ id = "copy"; execute = "keep a; put a copied"; before = "kept a"; verify = "file a copied"; },
	{ id = "fence"; after = "copy"; execute = "keep f; put f %p"; before = "kept f"; },
	{ id = "switch"; after = "fence"; flags = "retry"; retry_from = "fence"; attempts = 3;
	  execute = "keep s; put s %p; times @n 2 FAILED"; before = "kept s"; }
	END
	[ "$(abi_run)" = completed ]
	[ "$(abi_calls execute copy)" = 1 ]
	[ "$(abi_calls execute fence)" = 3 ]
	[ "$(cat world/f world/s)" = "33" ]
	whimbrel rollback last
	[ "$(flow_digest world)" = "$before" ]
	rm -rf ctl/*
	sed -i 's/@n 2/@n 9/' spec.conf
	[ "$(abi_run)" = rolled_back ]
	[ "$(abi_calls execute switch)" = 3 ]
	[ "$(flow_digest world)" = "$before" ]
}

@test "optional steps: their failure is recorded and passed over" {
	abi_spec <<-END
	{ id = "may"; flags = "optional"; execute = "status FAILED"; },
	{ id = "parts"; flags = "optional partitioned"; processes = 2; chunks = "parts 4 1"; execute = "unless @x FAILED; wait @never"; },
	{ id = "must"; after = "may parts"; execute = "keep a; put a x"; }
	END
	[ "$(abi_run)" = completed ]
	[ "$(flow_step last m/may)" = passed_over ]
	[ "$(flow_step last m/parts)" = passed_over ]
	[ "$(cat world/a)" = x ]
	whimbrel report last | grep -q 'told to return FAILED'
}

@test "compensation: another step takes it back, also in a second pass; it is never done on the way forward" {
	abi_spec <<-END
	{ id = "add"; execute = "append log add"; inverse = 2; arg = "sub"; },
	{ id = "sub"; execute = "append log sub"; inverse = 4; arg = "is itself a way back"; verify = "unless log FAILED"; },
	{ id = "end"; after = "add"; flags = "retry"; retry_from = "add"; attempts = 2; execute = "status FAILED"; }
	END
	[ "$(abi_run)" = rolled_back ]
	[ "$(tr '\n' ' ' <world/log)" = "add sub add sub " ]
	rm -rf world/* ctl/*
	sed -i 's/append log sub/append log sub; status FAILED/' spec.conf
	[ "$(abi_run)" = rollback_failed ]
}

@test "the point of no return: before it back, after it no way back by itself" {
	abi_spec <<-END
	{ id = "one"; execute = "keep a; put a x"; before = "kept a"; },
	{ id = "point"; after = "one"; flags = "no_return"; execute = "if @fail FAILED"; },
	{ id = "three"; after = "point"; execute = "status FAILED"; }
	END
	[ "$(abi_run)" = failed ]
	[ "$(cat world/a)" = x ]
	[ "$(whimbrel -o json show last | jq -r .rollback.point_of_no_return)" = m/point ]
	for verb in rollback cancel; do
		run whimbrel $verb last
		[ "$status" -eq 5 ]
		[[ "$output" == *"point of no return"* ]]
	done
	[ "$(flow_state)" = failed ]
	[ "$(cat world/a)" = x ]
	rm -rf "$WHIMBREL_STATE" world/a
	flow_stop_engine
	abi_go fail
	[ "$(abi_run)" = rolled_back ]
	[ ! -e world/a ]
}

@test "the point of no return: no part that would take it back goes, and no recovery crosses it; what stands after it may go" {
	abi_spec <<-END
	{ id = "one"; execute = "keep a; put a x"; before = "kept a"; },
	{ id = "point"; after = "one"; flags = "no_return"; execute = ""; },
	{ id = "three"; after = "point"; execute = "keep c; put c x"; before = "kept c"; },
	{ id = "beside"; after = "one"; execute = "keep d; put d x"; before = "kept d"; },
	{ id = "four"; after = "three beside"; execute = "keep e; put e x; unless @go FAILED"; before = "kept e"; }
	END
	[ "$(abi_run)" = failed ]
	# "beside" may stand after the point in time: staying there would still take the point back.
	for to in m/one m/beside; do
		run whimbrel rollback last --to $to
		[ "$status" -eq 5 ] || { echo "$to: $output"; return 1; }
		[[ "$output" == *"point of no return"*m/point* ]]
	done
	run whimbrel recover last --strategy rollback
	[ "$status" -eq 5 ]
	[[ "$output" == *"point of no return"*m/point* ]]
	[ "$(flow_state)" = failed ]
	[ "$(cat world/a world/c world/d world/e)" = xxxx ]
	[ "$(flow_step last m/point)" = verified ]
	run whimbrel rollback last --to m/three
	[ "$(flow_state)" = failed ]
	[ "$(flow_step last m/point) $(flow_step last m/three) $(flow_step last m/four)" = "verified verified undone" ]
	[ ! -e world/d ]
	[ "$(cat world/a world/c)" = xx ]
	abi_go go
	whimbrel recover last
	[ "$(flow_state)" = completed ]
}

@test "the point of no return: passed while a cancellation is on its way, or when the engine dies, there is no way back" {
	abi_spec <<-END
	{ id = "one"; execute = "keep a; put a x"; before = "kept a"; },
	{ id = "point"; after = "one"; flags = "no_return"; execute = "block @go; put b x"; verify = "file b x"; probe = "as b"; },
	{ id = "three"; after = "point"; execute = "block @on"; }
	END
	abi_start
	abi_waits @go
	whimbrel cancel last --detach || true
	abi_go go
	abi_until failed
	[ "$(cat world/a world/b)" = xx ]
	whimbrel explain last | grep -q "point of no return"
	[ "$(whimbrel -o json report last | jq -r '.rollback | "\(.possible) \(.how)"')" = \
		"false it is past m/point, the point of no return: it can only go on" ]
	! whimbrel explain last | grep -q "whimbrel rollback"
	# The engine dies right after: by policy it would go back, but it goes on.
	rm -rf world/* ctl/*
	sed -i 's/handler = "script";/handler = "script"; recovery = "rollback";/' spec.conf
	abi_start
	abi_waits @go
	abi_go go
	abi_waits @on
	flow_kill_engine
	run whimbrel recover last --strategy rollback
	[ "$status" -eq 5 ]
	[[ "$output" == *"point of no return"*m/point* ]]
	abi_go on
	whimbrel recover last
	[ "$(flow_state)" = completed ]
	# It dies in the midst of it: who knows whether it was passed?
	rm -rf world/* ctl/*
	abi_start
	abi_waits @go
	flow_kill_engine
	run whimbrel recover last --strategy rollback
	[ "$status" -eq 5 ]
	abi_go go on
	whimbrel recover last
	[ "$(flow_state)" = completed ]
}

@test "finalize: what follows waits, and until then all can be taken back" {
	before=$(flow_digest world)
	abi_spec <<-END
	{ id = "one"; execute = "keep a; put a x"; before = "kept a"; },
	{ id = "clean"; kind = 6; after = "one"; flags = "finalize"; execute = "keep c; put c x"; before = "kept c"; },
	{ id = "last"; after = "clean"; execute = "keep d; put d x"; before = "kept d"; }
	END
	[ "$(abi_run)" = reversible ]
	[ "$(cat exit)" = 0 ]
	[ ! -e world/c ]
	flow_kill_engine
	[ "$(flow_state)" = reversible ]
	whimbrel finalize last
	[ "$(flow_state)" = completed ]
	[ "$(cat world/d)" = x ]
	whimbrel rollback last
	[ "$(flow_digest world)" = "$before" ]
}

@test "claims: runs that want the same wait for each other, shared ones do not" {
	abi_spec a <<<'{ id = "s"; claims = "exclusive:table:t"; execute = "wait @one"; }'
	abi_start
	abi_waits @one
	abi_spec b <<<'{ id = "s"; claims = "shared:table:t"; execute = "wait @two"; }'
	abi_start
	abi_until waiting r-000002
	whimbrel status r-000002 | grep -q 'table t is held by r-000001'
	abi_spec c <<<'{ id = "s"; claims = "shared:table:u"; execute = ""; }'
	[ "$(abi_run)" = completed ]
	abi_go one
	abi_until completed r-000001
	abi_waits @two
	abi_spec d <<<'{ id = "s"; claims = "shared:table:t"; execute = ""; }'
	[ "$(abi_run)" = completed ]
	abi_go two
	abi_until completed r-000002
	# In one run: one after the other.
	abi_spec e <<-END
	{ id = "x"; claims = "exclusive:table:t"; execute = "append log x; sleep 30; append log x"; },
	{ id = "y"; claims = "exclusive:table:t"; execute = "append log y; sleep 30; append log y"; }
	END
	[ "$(abi_run)" = completed ]
	[ "$(tr -d '\n' <world/log)" = xxyy ]
}

# Three migrations in one spec.
three()
{
	{
		printf 'migrations: ('
		for m in a b c; do
			[ $m = a ] || printf ', '
			abi_migration $m <<-END
			{ id = "fence"; barrier = "fence"; execute = "append @log fence; keep $m.f; put $m.f x"; before = "kept $m.f"; },
			{ id = "drain"; barrier = "drain"; execute = "append @log drain; if @$m.drain UNAVAILABLE"; },
			{ id = "switch"; barrier = "switch"; execute = "append @log switch; if @$m.fail FAILED; keep $m.s; put $m.s %e"; before = "kept $m.s"; },
			{ id = "unfence"; barrier = "unfence"; execute = "append @log unfence; keep $m.u; remove $m.f"; }
			END
		done
		printf ');\n'
	} >spec.conf
	sed -i 's/keep a.u; //; s/keep [bc].u; //; s/; remove [abc].f"/"/; s/append @log fence; keep b.f/append @log fence; sleep 80; keep b.f/' spec.conf
}

order()
{
	uniq ctl/log | tr '\n' ' '
}

@test "three migrations are fenced, drained, switched and unfenced together" {
	three
	[ "$(abi_run)" = completed ]
	[ "$(order)" = "fence drain switch unfence " ]
	[ "$(wc -l <ctl/log)" = 12 ]
	# All were switched under the epoch of the cut-over.
	[ "$(cat world/?.s)" = 222 ]
	[ "$(flow_count barrier.open)" = 4 ]
}

@test "chunks that are under way when another migration is cut over go on under the new epoch" {
	{
		printf 'migrations: ('
		abi_migration a <<<'{ id = "p"; flags = "partitioned"; processes = 2; attempts = 1; chunks = "parts 2 2"; execute = "wait @go; checkpoint x; items 9"; verify = "total 4"; }'
		printf ', '
		abi_migration b <<<'{ id = "first"; execute = "wait @cut"; }, { id = "switch"; after = "first"; barrier = "switch"; execute = "append log x"; }'
		printf ');\n'
	} >spec.conf
	abi_start
	abi_waits @go
	abi_waits @cut
	abi_go cut
	flow_until 10 test -e world/log
	abi_go go
	abi_until completed
	[ "$(abi_calls execute p)" = 2 ]
}

@test "one fails after the switch has opened: all go back, in reverse" {
	before=$(flow_digest world)
	three
	abi_go b.fail
	[ "$(abi_run)" = rolled_back ]
	[ "$(flow_digest world)" = "$before" ]
	! grep -q unfence ctl/log
	grep '^rollback' ctl/trace | awk '{ print $2 }' | uniq >order
	[ "$(tr '\n' ' ' <order)" = "switch drain fence " ]
}

@test "a drain fails: nothing is switched" {
	before=$(flow_digest world)
	three
	abi_go c.drain
	[ "$(abi_run)" = rolled_back ]
	! grep -q switch ctl/log
	[ "$(flow_digest world)" = "$before" ]
}

@test "a drain fails, the cut-over is tried again: barriers stand again before the second pass" {
	{
		printf 'migrations: ('
		abi_migration a <<-END
		{ id = "copy"; execute = "keep copy; put copy x"; before = "kept copy"; },
		{ id = "fence"; after = "copy"; barrier = "fence"; execute = "append @log fence"; },
		{ id = "drain"; barrier = "drain"; after = "fence"; flags = "retry"; retry_from = "fence"; execute = "append @log drain; times @n 1 FAILED"; },
		{ id = "switch"; barrier = "switch"; execute = "append @log switch"; }
		END
		printf ', '
		abi_migration b <<-END
		{ id = "fence"; barrier = "fence"; execute = "append @log fence"; },
		{ id = "switch"; barrier = "switch"; execute = "append @log switch"; }
		END
		printf ');\n'
	} >spec.conf
	[ "$(abi_run)" = completed ]
	[ "$(abi_calls execute copy)" = 1 ]
	[ "$(order)" = "fence drain fence drain switch " ]
	[ "$(abi_entries '.kind == "barrier.open" and .name == "fence"' | wc -l)" = 2 ]
}

@test "steps that wait for each other, name nobody, or carry a flag that is not known are refused" {
	for bad in '{ id = "a"; after = "b"; }, { id = "b"; after = "a"; }' '{ id = "a"; after = "x"; }' \
		'{ id = "a"; flags = "unknown_high"; }' '{ id = "a"; }, { id = "a"; }' '{ id = "a"; inverse = 4; }' \
		'{ id = "a"; finishes = "x"; }' '{ id = "a"; inverse = 2; arg = "x"; }' '{ id = "a/b"; }' '{ id = "a"; kind = 9; }'; do
		abi_spec <<<"$bad"
		run whimbrel plan spec.conf
		[ "$status" -ne 0 ] || { echo "$bad"; return 1; }
	done
	abi_spec <<<'{ id = "a"; flags = "unknown_low"; }'
	[ "$(abi_run)" = completed ]
}
