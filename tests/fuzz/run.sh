#!/bin/sh
# Runs each fuzz target for FUZZ_SECONDS; TAP on standard output; the crashing input is kept and named.
set -u
echo "1..$#"
n=0 bad=0
for target in "$@"; do
	n=$((n + 1))
	name=$(basename "$target")
	work=$(mktemp -d)
	mkdir "$work/corpus"
	"$(dirname "$0")/seeds.sh" "${name#fuzz_}" "$work/corpus"
	if "./$target" $([ ! -e "$work/corpus.dict" ] || echo "-dict=$work/corpus.dict") -max_total_time="${FUZZ_SECONDS:-8}" -max_len=70000 -rss_limit_mb=1024 -timeout=10 \
		-artifact_prefix="$work/" "$work/corpus" >"$work/log" 2>&1; then
		echo "ok $n - fuzz $name: $(grep -c . "$work/log") log lines, $(sed -n 's/^Done \([0-9]*\) runs.*/\1/p' "$work/log") inputs"
		rm -rf "$work"
	else
		bad=1
		echo "not ok $n - fuzz $name: see $work"
		tail -20 "$work/log" | sed 's/^/# /'
	fi
done
exit $bad
