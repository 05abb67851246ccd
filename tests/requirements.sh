#!/bin/sh
# requirements.sh - which tests prove which requirement: writes docs/requirements.md from the `req:` lines of
# the tests; with --check only compares (TAP on standard output).
# A test names what it proves near its top, in a comment: `req: X9 H5.a`.
# SPDX-License-Identifier: Apache-2.0
set -u
LC_ALL=C
export LC_ALL
cd "$(dirname "$0")/.." || exit 1
out=docs/requirements.md

sources() {
	{ git ls-files --cached --others --exclude-standard tests 2>/dev/null || find tests -type f; } | grep -Ev '^tests/(bin|out)/' |
		grep -E '\.(c|bats|sh)$' | grep -v '^tests/requirements.sh$' | sort
}

# ID TAB FILE, one line per pair
pairs() {
	sources | while read -r file; do
		[ -e "$file" ] || continue
		grep -E '^[[:space:]]*([*#]|//|/\*)+[[:space:]]*req:' "$file" |
			sed -e 's/.*req://' -e 's/\*\/.*//' -e 's/,/ /g' | tr -s ' \t' '\n\n' |
			grep -E '^[A-Z][0-9]+(\.[a-z0-9]+)?$' |
			while read -r id; do printf '%s\t%s\n' "$id" "$file"; done
	done
}

families() {
	cat <<-TXT
		A	Adapter migration
		S	Session-store migration
		C	Configuration migration
		D	Data migration
		V	Version upgrade and custom procedures
		P	Planning
		X	Validation, execution, rollback, recovery
		Z	Zero downtime and traffic
		M	Monitoring
		E	Environments
		K	Concurrency and automation
		U	Audit, compliance, security
		O	Performance and resources
		W	Service interface
		Q	Quality tools
		H	Handlers and packaging
		T	Operating
	TXT
}

generate() {
	cat <<-TXT
		# Requirements and the tests that prove them

		Made by \`tests/requirements.sh\` from the \`req:\` line near the top of each test; not edited by hand. An id
		that is not listed has no test yet. A test named here proves clauses of that requirement, not always the
		whole of it.
	TXT
	families | while IFS="$(printf '\t')" read -r letter title; do
		rows=$(printf '%s\n' "$all" | grep "^$letter[0-9]" | sort -u -k1.2,1n -k1,1 -k2,2)
		[ -n "$rows" ] || continue
		printf '\n## %s · %s\n\n| id | tests |\n| --- | --- |\n' "$letter" "$title"
		printf '%s\n' "$rows" | awk -F '\t' '
			$1 != id { if (id) print "| " id " | " list " |"; id = $1; list = "" }
			{ list = list (list ? ", " : "") "[" name($2) "](../" $2 ")" }
			END { if (id) print "| " id " | " list " |" }
			function name(path) { sub(/.*\//, "", path); return path }'
	done
}

all=$(pairs)
tmp=$(mktemp) || exit 1
trap 'rm -f "$tmp"' EXIT
generate >"$tmp"
if [ "${1:-}" != --check ]; then
	cp "$tmp" $out
	echo "$out: $(printf '%s\n' "$all" | cut -f 1 | sort -u | grep -c .) requirements have tests"
	exit 0
fi
echo "1..2"
bad=0
if diff -u $out "$tmp" >"$tmp.diff"; then
	echo "ok 1 - docs/requirements.md is what the tests say"
else
	bad=1
	echo "not ok 1 - docs/requirements.md is out of date; type: tests/requirements.sh"
	grep '^[-+]' "$tmp.diff" | cut -c1-100 | head -n 12 | sed 's/^/# /'
fi
rm -f "$tmp.diff"
silent=$(sources | grep -E '(^|/)test_[a-z0-9_]*\.c$|\.bats$|^tests/fuzz/[a-z0-9_]*\.c$' | while read -r file; do
	[ ! -e "$file" ] || printf '%s\n' "$all" | grep -q "	$file\$" || echo "$file"
done)
if [ -z "$silent" ]; then
	echo "ok 2 - every test names what it proves"
else
	bad=1
	echo "not ok 2 - every test names what it proves: a req: line is missing"
	printf '%s\n' "$silent" | sed 's/^/# /'
fi
exit $bad
