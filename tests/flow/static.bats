#!/usr/bin/env bats
# A static build: every module of ours is inside the host program, and is found there by its name alone.
# req: H4 V3
# marks: static
# SPDX-License-Identifier: Apache-2.0

@test "the host program holds each module and runs its entry" {
	for conf in "$WBL_SRC"/plugins/*/*/*.conf; do
		name=$(basename "$conf" .conf)
		id=$(sed -n 's/^id *= *"\(.*\)";.*/\1/p' "$conf")
		run "$WBL_BUILD/whimbrel-host" --check "$name"
		echo "$name: $output"
		[ "$status" -eq 0 ]
		[[ "$output" == *'"ok":true'*"\"id\":\"$id\""* ]]
	done
}

@test "a module that is not inside is refused by name" {
	run "$WBL_BUILD/whimbrel-host" --check no_such_module
	echo "$output"
	[[ "$output" == *'"ok":false'*no_such_module* ]]
}

@test "nothing was built as a shared module" {
	run find "$WBL_BUILD/plugins" -name '*.so'
	[ -z "$output" ]
}
