# What the scripts against hostile handlers share: attacks, a run beside them, and that the engine stays as it was.
# SPDX-License-Identifier: Apache-2.0

hostile_setup()
{
	flow_setup
	mkdir -p "$T/config/handlers.d"
	attacks=0 besides=0 limit=20s extra=
}

hostile_teardown()
{
	[ -z "${beside:-}" ] || kill "$beside" 2>/dev/null
	flow_teardown
}

# spec CALL ACT N FLAGS: the hostile migration.
spec()
{
	local limit=$limit
	case "$2$3" in hang*|spin*|close*|kill19|deaf*|flood*|children2) limit=${short:-250ms} ;; esac
	cat >"$T/spec.conf" <<-END
	migration: {
	  name = "h"; handler = "hostile"; attempts = 1; grace = "50ms"; timeout = "$limit"; backoff = "10ms";
	  options = { path = "$T/out"; call = "$1"; do = "$2"; n = $3; flags = $4; $extra };
	};
	END
}

engine_fds()
{
	ls "/proc/$engine/fd" | wc -l
}

peak()
{
	awk '/^VmHWM/ { print int($2 / 1024) }' "/proc/$engine/status"
}

# Takes the engine as it is now for the measure.
measure()
{
	mkdir -p -m 700 "$WHIMBREL_STATE"
	# one that stays: on demand it would end when a busy machine is slow to ask again
	[ -n "$(flow_engine)" ] || whimbrel serve >"$T/serve.log" 2>&1 </dev/null 3>&- &
	flow_until 30 test -S "$WHIMBREL_STATE/control.sock"
	whimbrel history >/dev/null
	engine=$(flow_engine)
	[ -n "${fds:-}" ] || fds=$(engine_fds)
}

# attack CALL ACT N EXIT FLAGS TEXT: applied, it ends with EXIT; the reason has TEXT; nothing is left of it.
attack()
{
	local state=rolled_back
	[ "$4" != 9 ] || state=rollback_failed
	[ "$4" != 0 ] || state=completed
	rm -f "$T"/out*
	spec "$1" "$2" "$3" "$5"
	attacks=$((attacks + 1))
	[ -n "${engine:-}" ] || measure
	whimbrel plan "$T/spec.conf" >"$T/plan.out" 2>&1 || { echo "$*: not planned"; cat "$T/plan.out"; return 1; }
	id=$(sed -n 's/.*\(p-[0-9]\{6\}\).*/\1/p' "$T/plan.out" | head -1)
	code=0
	timeout 20 whimbrel -o json apply "$id" >"$T/end.json" 2>"$T/apply.err" </dev/null || code=$?
	if [ "$4" != any ]; then
		[ "$code" = "$4" ] || { echo "$*: ended with $code"; cat "$T/apply.err"; jq -c . "$T/end.json"; return 1; }
		[ "$(jq -r .run.state "$T/end.json")" = "$state" ] || { echo "$*:"; jq -c . "$T/end.json"; return 1; }
	fi
	if [ -n "${6:-}" ] && ! jq -r '.run | .. | strings' "$T/end.json" | grep -q -e "$6"; then
		echo "$*: the reason is another one"
		jq -c .run "$T/end.json"
		return 1
	fi
	[ "$state" != rolled_back ] || [ "$4" = any ] || ! compgen -G "$T/out.evil*" || { echo "$*: something is left"; return 1; }
}

# refused CALL ACT N TEXT: no plan comes of it, and TEXT says why.
refused()
{
	spec "$1" "$2" "$3" 0
	[ -n "${engine:-}" ] || measure
	run timeout 30 whimbrel plan "$T/spec.conf"
	[ "$status" -ne 0 ] && [ "$status" -ne 124 ] && grep -q -e "$4" <<<"$output" || { echo "$*: $status $output"; return 1; }
}

# Runs of a good migration, one after the other, with helpers that daemonise, until `stop` is there.
begin_beside()
{
	mkdir -p "$T/beside"
	cat >"$T/beside.conf" <<-END
	migration: {
	  name = "good"; handler = "hostile"; rollback = "auto";
	  options = { path = "$T/beside/out"; call = "execute"; do = "helper"; n = 120; steps = 8; };
	};
	END
	measure
	(
		exec 3>&-
		while [ ! -e "$T/beside/stop" ]; do
			whimbrel -o json run "$T/beside.conf" --yes </dev/null >"$T/beside/end.json" 2>"$T/beside/err" ||
				{ echo "ended with $?" >"$T/beside/bad"; exit 1; }
			echo >>"$T/beside/done"
		done
	) &
	beside=$!
}

end_beside()
{
	touch "$T/beside/stop"
	wait "$beside" || { cat "$T/beside/bad" "$T/beside/err"; jq -c '.run' "$T/beside/end.json"; return 1; }
	beside=
	besides=$(wc -l <"$T/beside/done")
	[ "$besides" -ge 1 ]
}

# Nobody carries the mark of a host of ours, and nobody whose number was written down lives.
nobody_left()
{
	local pid
	for pid in $(cat "$T"/out.pids 2>/dev/null); do
		flow_until 3 gone "$pid" || { echo "process $pid is left: $(tr '\0' ' ' <"/proc/$pid/cmdline")"; return 1; }
	done
	rm -f "$T"/out.pids
}

gone()
{
	[ ! -d "/proc/$1" ] || grep -q '^State:.Z' "/proc/$1/status" 2>/dev/null
}

marked()
{
	local f
	for f in /proc/[0-9]*/environ; do
		tr '\0' '\n' <"$f" 2>/dev/null | grep -q "^WBL_HOST=$WHIMBREL_STATE/" && echo "${f%/environ}"
	done
	return 0
}

no_marks()
{
	[ -z "$(marked)" ]
}

few_fds()
{
	[ "$(engine_fds)" -le "$fds" ]
}

# The same process, with no more descriptors than before, and no host that belongs to nobody.
same_engine()
{
	[ "$(flow_engine)" = "$engine" ] || { echo "the engine was $engine, is $(flow_engine)"; tail -20 "$WHIMBREL_STATE/engine.log"; return 1; }
	nobody_left
	flow_until 4 no_marks || { marked; return 1; }
	flow_until 4 few_fds || { ls -l "/proc/$engine/fd"; return 1; }
}
