#!/usr/bin/env bats
# Loss of power in a whole run: all that the engine and its hosts wrote is recorded, cut off at many places, and what was
# not synced is forgotten; then the engine recovers in the folder as it is. Migrated and verified, or as before.
# req: X9 X7 D7 D8 Q1 A7
# SPDX-License-Identifier: Apache-2.0
load functions

setup()
{
	flow_setup
	[ -w /dev/shm ] && T2=$(mktemp -d /dev/shm/wblpower.XXXXXX) || T2=$T
	disk=$T2/disk
	export WHIMBREL_STATE=$disk/state
	mkdir -p "$disk"
	recorder=$WBL_BUILD/tests/bin/.libs/recorder.so
	[ -e "$recorder" ] || skip "the recorder was not built"
}

teardown()
{
	flow_teardown
	[ "$T2" = "$T" ] || rm -rf "$T2"
}

recorded()
{
	LD_PRELOAD=$recorder WBL_TEST_PRELOAD=$recorder WBL_POWER_ROOT=$disk WBL_POWER_LOG=$T2/log "$@"
}

# Names and contents; databases by schema and rows.
digest()
{
	local db
	{
		cd "$disk/world" 2>/dev/null && find . ! -name '*.db' ! -name '*.db-*' -printf '%p %y\n' ! -name '*.db' -type f -exec sha256sum {} + | sort
		for db in "$disk"/world/*.db; do
			[ ! -s "$db" ] || { echo "$db"; sqlite3 "$db" .dump | sort; }
		done
	} | sha256sum
}

last_state()
{
	sqlite3 -readonly "$disk/state/history.db" "SELECT name FROM entry WHERE kind = 5 ORDER BY seq DESC LIMIT 1" 2>/dev/null || :
}

# The world that the shell function `world` makes is synced, planned for, and migrated; every change is recorded.
record()
{
	export -f world
	recorded bash -c "mkdir $disk/world; cd $disk/world; world; sync -- * . .."
	before=$(digest)
	recorded whimbrel plan -q spec.conf >/dev/null
	first=$("$WBL_BUILD/tests/bin/replay" "$T2/log" --count)
	recorded whimbrel apply -q last
	flow_kill_engine
	after=$(digest)
	count=$("$WBL_BUILD/tests/bin/replay" "$T2/log" --count)
	[ "$before" != "$after" ]
}

# cut N VARIANT STRATEGY: 0 when the end is known.
cut()
{
	local now state
	flow_kill_engine
	rm -rf "$disk"
	"$WBL_BUILD/tests/bin/replay" "$T2/log" "$disk" --cut "$1" --variant "$2" --seed "$1" || return 1
	[ ! -d "$disk/state" ] || chmod -R go-rwx "$disk/state"
	timeout 60 whimbrel recover -q --strategy "$3" >"$T/out" 2>&1 || :
	state=$(last_state)
	now=$(digest)
	tried=$((tried + 1))
	case $state in
	completed) [ "$now" = "$after" ] && { migrated=$((migrated + 1)); return 0; };;
	rolled_back | "") [ "$now" = "$before" ] && { restored=$((restored + 1)); return 0; };;
	esac
	violations=$((violations + 1))
	[ -n "${quiet:-}" ] || { echo "cut $1 of $count, $2, $3: $state, digest $now, before $before, after $after"; cat "$T/out"; }
	return 0
}

# cuts NAME STRIDE
cuts()
{
	local n variant
	tried=0 migrated=0 restored=0 violations=0
	for n in $(seq "$first" "$2" "$count") "$count"; do
		way=rollback
		[ $((n / $2 % 2)) -eq 0 ] || way=resume
		for variant in drop some; do
			cut "$n" $variant $way
		done
	done
	echo "# $1: $tried cuts in $((count - first)) records: $migrated migrated and verified, $restored as before, $violations bad" >&3
}

motd()
{
	world() { printf 'old\n' >motd; }
	echo 'migration: { name = "motd"; handler = "put_file"; options = { path = "'"$disk"'/world/motd"; content = "new\n"; }; };' >spec.conf
}

@test "a file put in place" {
	motd
	record
	cuts put_file 2
	[ $violations -eq 0 ]
	[ $migrated -gt 0 ] && [ $restored -gt 0 ]
	# What was called completed is completed.
	cut "$count" drop resume
	[ "$(last_state)" = completed ]
}

@test "the same without a sync in the journal: the test sees it" {
	motd
	export WBL_TEST_SYNC_OFF=1
	record
	quiet=1 cuts "put_file without syncs" 5
	[ $violations -gt 0 ]
}

@test "rows into a database that lives" {
	world() {
		sqlite3 old.db "CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT); WITH RECURSIVE n(i) AS (VALUES (1) UNION ALL
			SELECT i + 1 FROM n WHERE i < 300) INSERT INTO t SELECT i, 'row ' || i FROM n"
		sqlite3 new.db "CREATE TABLE mine (x); INSERT INTO mine VALUES ('stays')"
	}
	cat >spec.conf <<-END
	migration: { name = "load"; handler = "data"; backoff = "1ms"; attempts = 5;
		source = { store = "sqlite"; path = "$disk/world/old.db"; };
		target = { store = "sqlite"; path = "$disk/world/new.db"; };
		options = { chunk_rows = 150; tables = ( { from = "t"; to = "u"; key = ( "id" ); } ); }; };
	END
	record
	cuts "sqlite to sqlite" $(((count - first) / 25 + 1))
	[ $violations -eq 0 ]
	[ $migrated -gt 0 ] && [ $restored -gt 0 ]
}
