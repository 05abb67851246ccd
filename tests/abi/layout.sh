#!/bin/sh
# layout.sh - the golden table of the handler ABI: what stands where in every struct, and the value of every constant.
#   layout.sh print [INCLUDE]      the table of the headers in INCLUDE (ours)
#   layout.sh check                is it the committed one (layout.txt), and has docs/abi-changes.md a line for it? TAP
#   layout.sh compare OLD NEW      what is added, what breaks; exit status 0 the same, 1 only additions, 2 something breaks
#   layout.sh write                layout.txt anew, after a change that was meant
#   layout.sh turned later|earlier OUT   headers of a synthetic minor version, in OUT/whimbrel
# When the ABI is frozen, layout.txt is copied to frozen.txt: from then on nothing that breaks passes.
# In: $CC. The table is that of machines with 64-bit pointers, little-endian.
# SPDX-License-Identifier: Apache-2.0
set -eu
here=$(cd "$(dirname "$0")" && pwd)
src=$(cd "$here/../.." && pwd)
golden=${WBL_LAYOUT:-$here/layout.txt}
frozen=${WBL_FROZEN:-$here/frozen.txt}
changes=${WBL_ABI_CHANGES:-$src/docs/abi-changes.md}
headers="abi handler services store router"
CC=${CC:-cc}

print_table() {
	include=${1:-$src/include}
	tmp=$(mktemp -d)
	for h in $headers; do cat "$include/whimbrel/$h.h"; done | awk -v mode=probe -f "$here/headers.awk" >"$tmp/probe.c"
	$CC -std=c11 -I"$include" -o "$tmp/probe" "$tmp/probe.c" 1>&2 && "$tmp/probe" | LC_ALL=C sort
	rc=$?
	rm -rf "$tmp"
	return $rc
}

compare() {
	awk -v old="$1" -v new="$2" '
	function key(line) { sub(/^#.*/, "", line); sub(/ = .*/, "", line); return line }
	function value(line) { return index(line, " = ") ? substr(line, index(line, " = ") + 3) : "" }
	function says(how, text) { print how ": " text; if (how == "breaks") worst = 2; else if (!worst) worst = 1 }
	BEGIN {
		while ((getline line <old) > 0) if (key(line) != "") { was[key(line)] = value(line); order[++n] = key(line) }
		while ((getline line <new) > 0) if (key(line) != "") { is[key(line)] = value(line); norder[++m] = key(line) }
		for (i = 1; i <= n; i++) {
			k = order[i]
			if (!(k in is)) says("breaks", k " is gone")
			else if (is[k] == was[k]) continue
			else if (k ~ /^struct / && is[k] + 0 > was[k] + 0) {
				name = substr(k, 8)
				if (("member " name ".size") in was) says("adds", k " grew from " was[k] " to " is[k] " bytes")
				else says("breaks", k " has no size, and grew from " was[k] " to " is[k] " bytes")
			} else if (k == "constant WBL_ABI_MINOR" && is[k] + 0 > was[k] + 0) says("adds", k " is " is[k])
			else says("breaks", k " was " was[k] ", is " is[k])
		}
		for (i = 1; i <= m; i++) {
			k = norder[i]
			if (k in was) continue
			if (k ~ /^padding /) { says("breaks", "struct " substr(k, 9) " ends in padding"); continue }
			name = k; sub(/^member /, "", name); sub(/\..*/, "", name)
			if (k ~ /^member / && (("struct " name) in was) && is[k] + 0 < was["struct " name] + 0)
				says("breaks", k " stands before the end of the former struct")
			else says("adds", k)
		}
		exit worst
	}'
}

digest() { sha256sum "$1" | cut -c1-8; }

failed=0 number=0
ok() { number=$((number + 1)) && echo "ok $number - $1"; }
not_ok() {
	number=$((number + 1)) failed=1
	echo "not ok $number - $1"
	shift
	for line; do echo "# $line"; done
}

check_table() {
	print_table >"$dir/now"
	if cmp -s "$golden" "$dir/now"; then
		ok "the headers are as the committed table says"
	else
		compare "$golden" "$dir/now" >"$dir/what" || :
		not_ok "the headers differ from $golden" "$(sed '2,$s/^/# /' "$dir/what")" \
			"If this was meant: add a line to docs/abi-changes.md that says what changed and for whom," \
			"  - **$(next_number)** (layout $(digest "$dir/now")) ..." \
			"then: tests/abi/layout.sh write. If not: put the header back."
	fi
	if grep -q '^padding' "$dir/now"; then
		not_ok "a struct ends in padding: a member appended there would read as present" \
			"$(grep '^padding' "$dir/now")"
	else
		ok "no struct ends in padding"
	fi
}

next_number() { echo $(($(sed -n 's/^- \*\*\([0-9]*\)\*\* .*/\1/p' "$changes" | tail -n 1) + 1)); }

check_changes() {
	said=$(sed -n 's/^- \*\*[0-9]*\*\* (layout \([0-9a-f]*\)).*/\1/p' "$changes" | tail -n 1)
	if [ "$said" = "$(digest "$golden")" ]; then
		ok "the last change of the layout has its line in docs/abi-changes.md"
	else
		not_ok "the table changed without a line in docs/abi-changes.md" "Add one at the end of the list:" \
			"  - **$(next_number)** (layout $(digest "$golden")) what changed, and who must do something"
	fi
	sed -n 's/^- \*\*\([0-9]*\)\*\* .*/\1/p' "$changes" >"$dir/numbers"
	bad=$(grep -n "^- \*\*" "$changes" | grep -Ev '^[0-9]+:- \*\*[0-9]+\*\* \((layout [0-9a-f]{8}|meaning)\) .{10,}' || :)
	if [ -z "$bad" ] && [ "$(cat "$dir/numbers")" = "$(seq "$(wc -l <"$dir/numbers")")" ]; then
		ok "its lines are numbered, and each says whether the layout or a meaning changed"
	else
		not_ok "docs/abi-changes.md has a line of another form" \
			"expected: - **N** (layout 8 digits of SHA-256 | meaning) text; N one more each" "$bad"
	fi
}

check_frozen() {
	if [ ! -e "$frozen" ]; then
		ok "the ABI is a draft: nothing is frozen yet"
	elif compare "$frozen" "$golden" >"$dir/what" || [ $? = 1 ]; then
		ok "nothing of the frozen ABI is broken"
	else
		not_ok "the frozen ABI is broken" "$(grep '^breaks' "$dir/what" | sed '2,$s/^/# /')" \
			"Append instead, or make a new interface beside the old one (\"wbl.x/2\")."
	fi
}

turned() {
	mkdir -p "$2/whimbrel"
	cuts=$(grep -rhoE 'WBL_END_OF\(struct wbl_[a-z_]+, [a-z_0-9]+\)' "$src/core/host" |
		sed -E 's/.*struct (wbl_[a-z_]+), ([a-z_0-9]+).*/\1 \2/' | sort -u)
	for h in $headers; do
		awk -v mode="$1" -v cuts="$cuts" -f "$here/headers.awk" "$src/include/whimbrel/$h.h" >"$2/whimbrel/$h.h"
	done
	[ "$1" != later ] || sed -i 's/^#define WBL_ABI_MINOR .*/#define WBL_ABI_MINOR 7/' "$2/whimbrel/abi.h"
	for h in sdk sdk_files; do cp "$src/include/whimbrel/$h.h" "$2/whimbrel/"; done
}

case ${1:-} in
print) print_table "${2:-}" ;;
compare) compare "$2" "$3" ;;
write) print_table >"$golden.new" && mv "$golden.new" "$golden" ;;
turned) turned "$2" "$3" ;;
check)
	dir=$(mktemp -d)
	trap 'rm -rf "$dir"' EXIT
	check_table
	check_changes
	check_frozen
	echo "1..$number"
	exit $failed
	;;
*)
	sed -n '3,8s/^# *//p' "$0" >&2
	exit 2
	;;
esac
