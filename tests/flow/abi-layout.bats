#!/usr/bin/env bats
# The layout of the handler ABI is the committed one, every change of it has its line, and what breaks is told from what is
# only added. The headers of this test are copies, turned on purpose.
# req: H4 V3
# marks: quick
# SPDX-License-Identifier: Apache-2.0
setup()
{
	[ "$(getconf LONG_BIT)" = 64 ] || skip "the table is that of machines with 64-bit pointers"
	T=$(mktemp -d "${BATS_TMPDIR:-/tmp}/wbl.XXXXXX")
	layout=$WBL_SRC/tests/abi/layout.sh
	mkdir -p "$T/include"
	cp -r "$WBL_SRC/include/whimbrel" "$T/include/"
	chmod -R u+w "$T/include"
}
teardown() { rm -rf "$T"; }

# differs STATUS LINE: the turned copy, compared with ours
differs()
{
	local rc=0
	sh "$layout" print "$T/include" >"$T/new"
	sh "$layout" compare "$WBL_SRC/tests/abi/layout.txt" "$T/new" >"$T/what" || rc=$?
	grep -qxF -- "$2" "$T/what" || { echo "expected: $2"; cat "$T/what"; return 1; }
	[ $rc = "$1" ]
}

@test "the headers are as the committed table says, and every change has its line" {
	run sh "$layout" check
	echo "$output"
	[ "$status" = 0 ]
	[ "${lines[-1]}" = "1..5" ]
}

@test "what is appended is an addition" {
	sed -i 's|^\(\tconst char \*scratch;\)|\1\n\tuint64_t more;|' "$T/include/whimbrel/handler.h"
	sed -i 's|^#define WBL_E_WAIT .*|&\n#define WBL_E_NEW (-16)|' "$T/include/whimbrel/abi.h"
	differs 1 "adds: struct wbl_work grew from 160 to 168 bytes"
	differs 1 "adds: member wbl_work.more"
	differs 1 "adds: constant WBL_E_NEW"
}

@test "what moves, goes, changes its type or value, or cannot grow, breaks" {
	sed -i 's|uint64_t attempt; /\* from 1|uint64_t more, attempt; /* from 1|' "$T/include/whimbrel/handler.h"
	differs 2 "breaks: member wbl_work.attempt was 48 8 uint64_t, is 56 8 uint64_t"
	differs 2 "breaks: member wbl_work.more stands before the end of the former struct"
	sed -i 's/^#define WBL_END 1/#define WBL_END 2/; s/^\tuint64_t len;/&\n\tuint64_t cap;/' "$T/include/whimbrel/abi.h"
	differs 2 "breaks: constant WBL_END was 1, is 2"
	differs 2 "breaks: struct wbl_bytes has no size, and grew from 16 to 24 bytes"
	sed -i 's/int32_t (\*output)(struct wbl_call \*, const char \*name,/int32_t (*output)(struct wbl_call *, char *name,/' \
		"$T/include/whimbrel/services.h"
	differs 2 "breaks: member wbl_run_service.output was 48 8 int32_t (*)(struct wbl_call *, const char *, struct wbl_bytes), is 48 8 int32_t (*)(struct wbl_call *, char *, struct wbl_bytes)"
	sed -i '/^\tuint32_t (\*signals)/d' "$T/include/whimbrel/services.h"
	differs 2 "breaks: member wbl_run_service.signals is gone"
}

@test "a new name of a parameter is no change; padding at a struct's end is found" {
	sed -i 's/struct wbl_bytes old, struct wbl_bytes \*ret);/struct wbl_bytes former, struct wbl_bytes *ret);/' \
		"$T/include/whimbrel/handler.h"
	sh "$layout" print "$T/include" | cmp - "$WBL_SRC/tests/abi/layout.txt"
	sed -i 's|^\tuint64_t rows, len;.*|&\n\tuint32_t odd;|; s|^\tconst char \*const \*columns;\n};|&|' "$T/include/whimbrel/store.h"
	sed -i 's|^\tuint64_t epoch;\n||; s|^\tint64_t ttl_ns;|&\n\tint32_t odd;|' "$T/include/whimbrel/store.h"
	differs 2 "breaks: struct wbl_fence ends in padding"
}

@test "a changed table wants its line, and says which" {
	cp "$WBL_SRC/tests/abi/layout.txt" "$T/golden"
	sed -i '/WBL_OPEN_TARGET/d' "$T/golden"
	WBL_LAYOUT=$T/golden run sh "$layout" check
	[ "$status" = 1 ]
	[[ "$output" == *"# adds: constant WBL_OPEN_TARGET"*"add a line to docs/abi-changes.md"*"- **"*"** (layout "* ]]
	[[ "$output" == *"the table changed without a line in docs/abi-changes.md"* ]]
	next=$(($(grep -c '^- \*\*' "$WBL_SRC/docs/abi-changes.md") + 1))
	{ cat "$WBL_SRC/docs/abi-changes.md"; echo "- **$next** (layout $(sha256sum "$T/golden" | cut -c1-8)) a test"; } >"$T/changes"
	WBL_LAYOUT=$T/golden WBL_ABI_CHANGES=$T/changes run sh "$layout" check
	[[ "$output" == *"ok 3 - the last change of the layout has its line"* ]]
	sed -i '$d' "$T/changes"
	echo "- **$((next + 1))** somebody forgot the number" >>"$T/changes"
	WBL_ABI_CHANGES=$T/changes run sh "$layout" check
	[ "$status" = 1 ]
	[[ "$output" == *"has a line of another form"*"somebody forgot"* ]]
}

@test "once frozen, additions pass and breaks do not" {
	sed '/WBL_OPEN_TARGET/d' "$WBL_SRC/tests/abi/layout.txt" >"$T/frozen"
	WBL_FROZEN=$T/frozen sh "$layout" check
	sed -i 's/^constant WBL_END = 1/constant WBL_END = 3/' "$T/frozen"
	WBL_FROZEN=$T/frozen run sh "$layout" check
	[ "$status" = 1 ]
	[[ "$output" == *"the frozen ABI is broken"*"constant WBL_END was 3, is 1"* ]]
}
