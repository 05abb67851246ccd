#!/usr/bin/env bats
# The arrows of the house: which folder may include which; plug-ins live on include/ and sdk/ alone.
# req: H2 H4
# marks: quick
# SPDX-License-Identifier: Apache-2.0

# FOLDER: what its files may include besides themselves and the system, as beginnings of the path.
allowed() {
	case $1 in
	core/base) echo "whimbrel/" ;;
	core/module | core/state) echo "whimbrel/ core/base/" ;;
	core/host) echo "whimbrel/ core/base/ core/module/" ;;
	core/conform) echo "whimbrel/ core/base/ core/module/ core/state/" ;;
	core/engine) echo "whimbrel/ core/base/ core/module/ core/state/" ;;
	core/control) echo "whimbrel/ core/base/ core/module/ core/state/ core/engine/" ;;
	core/observe) echo "whimbrel/ core/base/ core/module/ core/state/ core/engine/ core/control/" ;;
	core/service | core/cli)
		echo "whimbrel/ core/base/ core/module/ core/state/ core/engine/ core/control/ core/observe/ core/service/"
		;;
	include/whimbrel | sdk/* | plugins/*) echo "whimbrel/" ;;
	*) return 1 ;;
	esac
}

# Every include of ours which is not allowed, below the folder $1: "FILE includes PATH".
violations() {
	local file folder line path start ok
	cd "$1" || return 1
	find core include sdk plugins -name '*.[ch]' -o -name '*.def' | sort | while read -r file; do
		folder=$(dirname "$file")
		case $folder in core/*) folder=$(echo "$folder" | cut -d/ -f1-2) ;; esac
		if ! allowed "$folder" >/dev/null; then
			echo "$file stands in a folder without a rule here"
			continue
		fi
		sed -nE 's/^[[:space:]]*#[[:space:]]*include[[:space:]]*["<]([^">]*)[">].*/\1/p' "$file" |
			while read -r path; do
				ok=
				case $path in
				core/* | whimbrel/* | sdk/* | plugins/* | ../*)
					for start in "$folder/" $(allowed "$folder"); do
						case $path in "$start"*) ok=yes ;; esac
					done
					case $folder:$path in sdk/*:sdk/* | plugins/*:"$folder"/*) ok=yes ;; esac
					case $path in *../*) ok= ;; esac
					;;
				config.h)
					case $folder in include/* | plugins/*) ;; *) ok=yes ;; esac
					;;
				*) ok=yes ;; # the system's, or beside the file
				esac
				[ -n "$ok" ] || echo "$file includes $path"
			done
	done
}

@test "includes follow the arrows" {
	run violations "$WBL_SRC"
	echo "$output"
	[ "$status" -eq 0 ]
	[ -z "$output" ]
}

@test "files of core name each other by their full path" {
	run bash -c "cd '$WBL_SRC' && grep -nE '^#include \"' -r core --include='*.[ch]' | grep -vE '\"(core|whimbrel)/'"
	echo "$output"
	[ -z "$output" ]
}

@test "no header of ours is called config.h, and base names are unique in core" {
	run bash -c "cd '$WBL_SRC' && find core include sdk -name config.h"
	[ -z "$output" ]
	run bash -c "cd '$WBL_SRC' && find core -name '*.c' ! -name main.c -printf '%f\n' | sort | uniq -d"
	echo "$output"
	[ -z "$output" ]
}

@test "a wrong arrow is found" {
	mkdir -p "$BATS_TEST_TMPDIR/t/core/base" "$BATS_TEST_TMPDIR/t/core/host" "$BATS_TEST_TMPDIR/t/include/whimbrel"
	mkdir -p "$BATS_TEST_TMPDIR/t/plugins/data/data" "$BATS_TEST_TMPDIR/t/sdk/lib"
	cd "$BATS_TEST_TMPDIR/t"
	echo '#include "core/state/journal.h"' >core/base/up.c
	echo '#include "core/base/json.h"' >core/host/fine.c
	echo '# include  <core/base/json.h>' >plugins/data/data/deep.c
	echo '#include "../../../core/base/json.h"' >plugins/data/data/dots.c
	echo '#include "core/base/util.h"' >sdk/lib/borrowed.c
	echo '#include "core/base/util.h"' >include/whimbrel/leak.h
	run violations "$PWD"
	echo "$output"
	[ "${#lines[@]}" -eq 5 ]
	[[ "$output" != *fine.c* ]]
}
