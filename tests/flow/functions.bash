# What the flow tests share: a state folder of their own, the built command, and waiting without guessing.
# Use: `load functions`, then setup() { flow_setup; } and teardown() { flow_teardown; }.
# SPDX-License-Identifier: Apache-2.0

flow_setup()
{
	T=$(mktemp -d "${BATS_TMPDIR:-/tmp}/wbl.XXXXXX")
	export T WHIMBREL_STATE=$T/state WHIMBREL_CONFIG=$T/config NO_COLOR=1 LC_ALL=C.UTF-8
	export WHIMBREL_HANDLERS=$WBL_BUILD/plugins/mods/.libs:$WBL_BUILD/tests/mods/.libs
	export WHIMBREL_HOST=$WBL_BUILD/whimbrel-host
	PATH=$WBL_BUILD:$PATH
	mkdir -p "$T/config"
	cd "$T" || return 1
}

flow_teardown()
{
	flow_stop_engine
	cd /
	if [ -n "${BATS_TEST_COMPLETED:-}" ]; then
		rm -rf "$T"
	else
		echo "kept: $T"
		tail -5 "$T/state/engine.log" 2>/dev/null
	fi
	return 0
}

# The pid of the engine of this test's state folder, empty when none runs.
flow_engine()
{
	local pid
	[ -e "$WHIMBREL_STATE/lock" ] || return 0
	pid=$(tr -dc 0-9 <"$WHIMBREL_STATE/lock")
	[ -n "$pid" ] && flow_lives "$pid" && echo "$pid"
	return 0
}

# A zombie waits for its parent only: it does not live.
flow_lives()
{
	[ -d "/proc/$1" ] && ! grep -q '^State:.Z' "/proc/$1/status" 2>/dev/null
}

flow_gone()
{
	local i
	for i in $(seq 500); do
		flow_lives "$1" || return 0
		sleep 0.02
	done
	return 1
}

flow_stop_engine()
{
	local pid
	pid=$(flow_engine)
	[ -z "$pid" ] || { kill "$pid" 2>/dev/null; flow_gone "$pid" || kill -9 "$pid"; }
	return 0
}

flow_kill_engine()
{
	local pid
	pid=$(flow_engine)
	[ -z "$pid" ] || { kill -9 "$pid" && flow_gone "$pid"; }
}

# flow_until SECONDS COMMAND...: until it succeeds; fails after that time.
flow_until()
{
	local end=$((SECONDS + $1))
	shift
	until "$@" >/dev/null 2>&1; do
		[ $SECONDS -lt $end ] || { echo "never true: $*"; return 1; }
		sleep 0.03
	done
}

# The state of a run ("last" by default); a step's state: flow_step RUN STEP.
flow_state()
{
	whimbrel -o json status "${1:-last}" | jq -r '.runs[0].state'
}

flow_step()
{
	whimbrel -o json status "$1" | jq -r --arg s "$2" '.runs[0].steps[] | select(.id == $s) | .state'
}

flow_is()
{
	[ "$(flow_state "${2:-last}")" = "$1" ]
}

# Entries of the journal of one kind: flow_count KIND.
flow_count()
{
	whimbrel -o json audit list --limit 100000 | jq --arg k "$1" '[.entries[] | select(.kind == $k)] | length'
}

# One digest of all below a folder: names, modes, contents.
flow_digest()
{
	(cd "$1" && find . -printf '%p %m %y %l\n' -type f -exec sha256sum {} + | sort | sha256sum | cut -d' ' -f1)
}

# Schema and rows of an SQLite database, without its side files.
flow_db_digest()
{
	[ -e "$1" ] || { echo absent; return 0; }
	sqlite3 "$1" .dump | sha256sum | cut -d' ' -f1
}
