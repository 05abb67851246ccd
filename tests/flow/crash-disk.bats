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

# small_state HOW ROLLBACK <script: in a mount namespace of its own, where state/ is a small disk (tmpfs, or ext4 on
# which an error can be made to happen), a run has begun and each of its files takes a while.
small_state()
{
	mkdir -p world/from world/edit state
	seq 1 40 >world/from/file1
	seq 1 20000 >world/edit/a
	seq 1 20000 >world/edit/b
	cat >spec.conf <<-END
	migration: { name = "work"; handler = "workhorse"; backoff = "1ms"; attempts = 2;
		options = { from = "$T/world/from"; to = "$T/world/to"; edit = "$T/world/edit"; slow_ms = 300; }; };
	END
	before=$(flow_digest world)
	export before how=$1
	cat >inside.sh <<-'END'
	set -eu
	. "$WBL_SRC/tests/flow/functions.bash"
	attach() {
		if [ $how = tmpfs ]; then
			mount -t tmpfs -o size=72m,mode=700 none state
		else
			mount -o rw,loop,errors=remount-ro disk state && rmdir state/lost+found 2>/dev/null || :
		fi
		chmod 700 state
	}
	[ $how = tmpfs ] || { truncate -s 96M disk && mkfs.ext4 -q disk; }
	attach || exit 77
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
	small_state tmpfs <<-'END'
	engine=$(flow_engine)
	dd if=/dev/zero of=state/ballast bs=4k 2>/dev/null || :
	rc=0
	wait $command || rc=$?
	[ $rc -ne 0 ]
	flow_gone "$engine"
	rm state/ballast
	whimbrel recover -q --strategy resume
	[ "$(flow_state)" = completed ]
	whimbrel rollback -q last
	[ "$(flow_digest world)" = "$before" ]
	whimbrel audit verify
	END
	cat out
	grep -Eq "full" out
}

@test "a state folder that becomes read-only: likewise" {
	command -v mkfs.ext4 >/dev/null && [ -e /dev/loop-control ] || skip "needs mkfs.ext4 and loop devices"
	small_state ext4 <<-'END' || { [ $? -eq 77 ] && skip "no loop device can be had"; }
	engine=$(flow_engine)
	echo 1 >/sys/fs/ext4/$(basename "$(findmnt -no SOURCE state)")/trigger_fs_error
	rc=0
	wait $command || rc=$?
	[ $rc -ne 0 ]
	flow_gone "$engine"
	umount state
	e2fsck -fy disk >/dev/null 2>&1 || :
	attach
	whimbrel recover -q --strategy rollback
	[ "$(flow_state)" = rolled_back ]
	[ "$(flow_digest world)" = "$before" ]
	whimbrel audit verify
	END
	cat out
	grep -Eq "history.db: what was done cannot be recorded" out
}
