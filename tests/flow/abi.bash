# What the abi-*.bats share: a world that the handler "script" changes, and a control folder by which test and handler talk.
# SPDX-License-Identifier: Apache-2.0

abi_setup()
{
	flow_setup
	POLICY='backoff = "1ms"; grace = "300ms";'
	PLAN=
	mkdir "$T/world" "$T/ctl"
}

# One migration with the steps of standard input: abi_spec [NAME] <<END
abi_migration()
{
	printf '{ name = "%s"; handler = "script"; %s options = { dir = "%s/world"; ctl = "%s/ctl"; plan = "%s"; steps = (\n' \
		"${1:-m}" "$POLICY" "$T" "$T" "$PLAN"
	cat
	printf '); }; }'
}

abi_spec()
{
	{ printf 'migration: '; abi_migration "$@"; printf ';\n'; } >"$T/spec.conf"
}

# Applies the spec to its end; the run's state: abi_run
abi_run()
{
	local exit=0
	whimbrel -q run --yes "$T/spec.conf" >"$T/out" 2>&1 || exit=$?
	echo "$exit" >"$T/exit"
	flow_state
}

abi_start()
{
	whimbrel -q run --yes --detach "$T/spec.conf" >"$T/out" 2>&1 || { cat "$T/out"; return 1; }
}

# Until the handler waits for FILE (of `wait` and `block`).
abi_waits()
{
	flow_until 10 grep -qx -- "$1" "$T/ctl/waiting"
}

abi_go()
{
	local f
	for f in "$@"; do : >"$T/ctl/$f"; done
}

abi_until()
{
	flow_until "${3:-10}" flow_is "$1" "${2:-last}"
}

# Calls of one kind for a step that the handler saw: abi_calls CALL STEP
abi_calls()
{
	grep -c "^$1 $2 " "$T/ctl/trace" || true
}

abi_entries()
{
	whimbrel -o json audit list --limit 100000 | jq -c ".entries[] | select($1)"
}

# An engine that stays, for many runs in a row.
abi_serve()
{
	setsid whimbrel serve </dev/null >"$T/serve.log" 2>&1 3>&- &
	flow_until 10 test -S "$WHIMBREL_STATE/control.sock"
}
