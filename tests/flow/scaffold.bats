#!/usr/bin/env bats
# A new module in a minute: what `whimbrel handler new` writes builds without an edit, is loaded, and does its work; wrong names
# are refused and leave nothing.
# req: H5 V3
# SPDX-License-Identifier: Apache-2.0
load functions
setup()
{
	flow_setup
	export WHIMBREL_TEMPLATES=$WBL_SRC/templates/handler PKG_CONFIG_PATH=$WBL_BUILD/sdk
}
teardown() { flow_teardown; }

@test "each family: the bare module builds with a plain make, without a warning" {
	for family in adapter session config data custom store router transform; do
		whimbrel handler new --family $family --id org.example.my-$family >said
		grep -q "make check" said
		make -C my_$family CFLAGS='-O1 -Wall -Wextra -Werror' >log 2>&1 || { cat log; false; }
		export WHIMBREL_HANDLERS=$WHIMBREL_HANDLERS:$T/my_$family
	done
	whimbrel -o json handler list >list.json
	[ "$(jq '[.modules[] | select((.path | contains("/my_")) and .status == "enabled")] | length' list.json)" = 8 ]
	whimbrel handler doctor ./my_store/my_store.so
	[ "$(jq .problems list.json)" = '[]' ]
}

@test "the bare handler migrates, and goes back" {
	whimbrel handler new --family config --id org.example.note
	make -C note >/dev/null 2>&1
	export WHIMBREL_HANDLERS=$T/note
	printf 'as it was\n' >file
	chmod 640 file
	before=$(flow_digest . | head -c 0; stat -c '%a %s' file; sha256sum file)
	cat >spec.conf <<-END
	migration: { handler = "note"; options = { path = "$T/file"; text = "as it shall be\n"; }; };
	END
	whimbrel rehearse -q spec.conf
	whimbrel run -q --yes spec.conf
	[ "$(cat file)" = "as it shall be" ]
	whimbrel verify -q last
	whimbrel rollback -q last
	[ "$(stat -c '%a %s' file; sha256sum file)" = "$before" ]
}

@test "its own make check runs the conformance kit and passes, killed where it hurts" {
	for family in custom router store transform; do
		whimbrel handler new --family $family --id org.example.my-$family >/dev/null
		level=
		# the migrations of a store or transform are those of the data handler, which has checks of its own
		case $family in store | transform) level="CONFORM=$WBL_BUILD/whimbrel-conform --level 2" ;; esac
		make -C my_$family ${level:+"$level"} check >log 2>&1 || { cat log; false; }
		grep -qE '^my_.*: [0-9]+ passed, 0 failed, 0 crashed' log || { cat log; false; }
		[ $family != custom ] || grep -qx 'conforms handler-abi 1.0 level 3 (kit .*)' log
	done
}

@test "the bare store is read by the data handler, the bare transform changes its rows" {
	whimbrel handler new --family store --id org.example.lines
	whimbrel handler new --family transform --id org.example.capitals
	make -C lines >/dev/null 2>&1
	make -C capitals >/dev/null 2>&1
	export WHIMBREL_HANDLERS=$WHIMBREL_HANDLERS:$T/lines:$T/capitals
	printf 'one\ntwo\n\nthree' >words.txt
	cat >spec.conf <<-END
	migration: { handler = "data"; source = { store = "lines"; path = "$T/words.txt"; };
		target = { store = "sqlite"; path = "$T/new.db"; };
		options = { tables = ( { from = "lines"; to = "words"; transform = { transform = "capitals"; column = "line"; }; } ); }; };
	END
	whimbrel run -q --yes spec.conf
	[ "$(sqlite3 new.db 'SELECT group_concat(line, "|") FROM words')" = 'ONE|TWO||THREE' ]
	whimbrel verify -q last
}

@test "with autotools: built out of its tree, installed where Whimbrel looks, and the tarball is whole" {
	whimbrel handler new --family custom --id org.example.note --build autotools
	cd note
	./bootstrap >log 2>&1 || { cat log; false; }
	./configure --prefix="$T/prefix" >log 2>&1 || { cat log; false; }
	make >log 2>&1 || { cat log; false; }
	make install >log 2>&1
	[ "$(cd "$T/prefix" && find . -type f)" = ./lib/whimbrel/handlers/1/note.so ]
	WHIMBREL_HANDLERS=$T/prefix/lib/whimbrel/handlers/1 whimbrel handler info note | grep -q org.example.note
	make dist >log 2>&1
	tar -tf note-0.1.0.tar.xz | grep -q note-0.1.0/note.conf
}

@test "a wrong name is refused with the nearest right one, and nothing is made" {
	run whimbrel handler new --family costum --id org.example.x
	[ $status = 2 ]
	[[ "$output" == *"costum"*"custom"* ]]
	run whimbrel handler new --family custom --id "Not an id"
	[ $status = 2 ]
	[[ "$output" == *"is not an id"*"org.example"* ]]
	run whimbrel handler new --family custom
	[ $status = 2 ]
	[[ "$output" == *"--id is missing"* ]]
	run whimbrel handler new --family custom --id org.example.x --build ninja
	[ $status = 2 ]
	mkdir full && touch full/file
	run whimbrel handler new --family custom --id org.example.x full
	[ $status = 2 ]
	[[ "$output" == *"full"*"not empty"* ]]
	[ "$(ls -A)" = "$(printf 'config\nfull')" ] || [ "$(ls -A | grep -v state)" = "$(printf 'config\nfull')" ]
	[ "$(ls -A full)" = file ]
	mkdir empty
	whimbrel handler new --family custom --id org.example.x empty >/dev/null
	[ -e empty/x.c ]
}
