#!/usr/bin/env bats
# The verifier is verified: bugs planted into it are caught by its tests (all of them: make mutants).
# req: D6 X11
# SPDX-License-Identifier: Apache-2.0

@test "bugs planted into the verifier are caught" {
	[ -e "$WBL_BUILD/sdk/.libs/libsdk.a" ] && [ -e "$WBL_BUILD/plugins/mods/.libs/data.so" ] || skip "a static build has no modules to exchange"
	[ -x "$WBL_BUILD/tests/bin/test_data_verify" ] || skip "no cmocka"
	run "$WBL_SRC/tests/mutants/run" quick
	[ "$status" -eq 0 ] || { echo "$output"; false; }
	echo "# ${lines[-1]}" >&3
}
