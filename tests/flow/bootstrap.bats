#!/usr/bin/env bats
# The verdict of ./bootstrap check: nothing that failed, broke or tested nothing may end green. A pretended tree
# stands in for ours: its configure writes a Makefile whose results are given by files.
# req: H4
# SPDX-License-Identifier: Apache-2.0

setup() {
	unset WBL_STAGES WBL_JOBS FUZZ_SECONDS
	tree=$BATS_TEST_TMPDIR/tree
	mkdir -p "$tree/tests" "$tree/bin"
	cd "$tree" || return 1
	cp "$WBL_SRC/bootstrap" .
	chmod u+w bootstrap
	touch configure.ac Makefile.in config.h.in
	cat >configure <<-'SH'
		#!/bin/sh
		cat >Makefile <<'MK'
		.RECIPEPREFIX = >
		all:
		list-tests:
		>@echo tests/bin/test_a tests/flow/b.bats | tr ' ' '\n'
		check check-TESTS:
		>@cp ../../trs a.trs; touch a.log; ! grep -qE 'FAIL|ERROR' a.trs
		check-headers:
		>@echo ok 1 - headers
		fuzz:
		>@cat ../../fuzz
		distcheck:
		>@test ! -e ../../dist-broken
		MK
	SH
	printf '#!/bin/sh\necho "ok 1 - format"\n' >tests/check-format
	cp tests/check-format tests/requirements.sh
	printf '#!/bin/sh\nprintf "${DPKG:-installed}"\n' >bin/dpkg-query
	printf '#!/bin/sh\n[ "$1" = -u ] && echo 1000\n' >bin/id
	chmod +x configure tests/check-format tests/requirements.sh bin/*
	printf ':test-result: PASS one\n:test-result: PASS two\n:test-result: SKIP three\n' >trs
	printf 'ok 1 - fuzz\n' >fuzz
	PATH=$tree/bin:$PATH
}

last() { printf '%s\n' "${lines[$((${#lines[@]} - 1))]}"; }

@test "all green: every stage is counted" {
	run ./bootstrap check
	echo "$output"
	[ "$status" -eq 0 ]
	[ "$(last)" = "11 passed, 0 failed, 3 skipped" ]
}

@test "repeated, it counts the same" {
	./bootstrap check
	run ./bootstrap check
	[ "$(last)" = "11 passed, 0 failed, 3 skipped" ]
}

@test "a failing test, an error and an unexpected pass are failures" {
	printf ':test-result: PASS one\n:test-result: FAIL two\n:test-result: ERROR - exited\n:test-result: XPASS x\n' >trs
	WBL_STAGES=developer run ./bootstrap check
	echo "$output"
	[ "$status" -ne 0 ]
	[ "$(last)" = "1 passed, 3 failed, 0 skipped" ]
	[[ "$output" == *"FAIL two"* ]]
}

@test "a stage that breaks is a failure, and the others still run" {
	touch dist-broken
	run ./bootstrap check
	[ "$status" -ne 0 ]
	[ "$(last)" = "10 passed, 1 failed, 3 skipped" ]
	[[ "$output" == *"distcheck: 0 passed, 1 failed"* ]]
}

@test "a stage that tests nothing is a failure" {
	: >fuzz
	WBL_STAGES=fuzz run ./bootstrap check
	[ "$status" -ne 0 ]
	[ "$(last)" = "0 passed, 1 failed, 0 skipped" ]
}

@test "not ok in TAP is a failure even when its program ends well" {
	printf 'ok 1 - a\nnot ok 2 - b\n# why\n' >fuzz
	WBL_STAGES=fuzz run ./bootstrap check
	echo "$output"
	[ "$status" -ne 0 ]
	[ "$(last)" = "1 passed, 1 failed, 0 skipped" ]
	[[ "$output" == *"# why"* ]]
}

@test "packages are missing and nobody is root: the command to type is named" {
	DPKG=absent run ./bootstrap check
	[ "$status" -ne 0 ]
	[[ "$output" == *"as root type: apt-get install build-essential "* ]]
	[ ! -e build/check ]
}

@test "run without a main job says what is missing" {
	sed -i 's/^all:/all install:/' configure
	run ./bootstrap run
	echo "$output"
	[ "$status" -ne 0 ]
	[[ "$output" == *"templates/main-job/main-job.sh"* ]]
}
