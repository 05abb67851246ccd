#!/usr/bin/env bats
# A full disk below the state folder, and one that becomes read-only, in the middle of a run: the engine ends and says
# why; with room again, recovery finishes.
# req: X9 X6 Q1 T1
# SPDX-License-Identifier: Apache-2.0
load functions

setup()
{
	flow_setup
	unshare -m true 2>/dev/null || skip "needs the right to make a mount namespace"
}

teardown() { flow_teardown; }

# The script runs in a mount namespace of its own, with the state folder on a small tmpfs.
small_state()
{
	mkdir -p world/from world/edit state
	seq 1 40 >world/from/file1
	seq 1 20000 >world/edit/a
	seq 1 20000 >world/edit/b
	cat >spec.conf <<-END
	migration: { name = "work"; handler = "workhorse"; backoff = "1ms"; attempts = 2; rollback = "$1";
		options = { from = "$T/world/from"; to = "$T/world/to"; edit = "$T/world/edit"; slow_ms = 300; }; };
	END
	before=$(flow_digest world)
	export before
	cat >inside.sh <<-'END'
	set -eu
	. "$WBL_SRC/tests/flow/functions.bash"
	mount -t tmpfs -o size=72m,mode=700 none state
	trap 'flow_stop_engine; umount -l state' EXIT
	whimbrel plan -q spec.conf >/dev/null
	whimbrel apply -q last >out 2>&1 &
	command=$!
	flow_until 20 test -e world/edit/beacon
	END
	cat >>inside.sh
	unshare -m bash inside.sh
}

@test "a full disk: the engine ends with a clear message, and recovery finishes when there is room" {
	small_state auto <<-'END'
	engine=$(flow_engine)
	dd if=/dev/zero of=state/ballast bs=4k 2>/dev/null || :
	rc=0
	wait $command || rc=$?
	[ $rc -ne 0 ]
	cat out state/engine.log >said
	rm state/ballast
	if [ "$(whimbrel -o json status last | jq -r '.runs[0].live')" = false ]; then
		whimbrel recover -q --strategy resume >recovered
		[ "$(flow_state)" = completed ]
	fi
	END
	cat said
	grep -Eq "full|space|disk" said
}

@test "a state folder that becomes read-only: likewise" {
	small_state auto <<-'END'
	engine=$(flow_engine)
	mount -o remount,ro state || mount -o remount,ro,bind state
	rc=0
	wait $command || rc=$?
	[ $rc -ne 0 ]
	flow_gone "$engine"
	cat out state/engine.log >said
	mount -o remount,rw state
	whimbrel recover -q --strategy rollback
	[ "$(flow_state)" = rolled_back ]
	[ "$(flow_digest world)" = "$before" ]
	END
	cat said
	grep -Eq "read-only|readonly" said
}
