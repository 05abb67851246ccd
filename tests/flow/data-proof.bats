#!/usr/bin/env bats
# The data handler as an unfriendly outsider meets it: names that mean something, sources that change, vanish or break while they
# are read, chunks counted by their receipts under deaths; and copies between each two stores.
# req: D9 D6 D7 D2 X9 X7 X6 H3
# SPDX-License-Identifier: Apache-2.0
load functions
setup() { flow_setup; }
teardown() { flow_teardown; }

# $1 source, $2 target, $3 options, $4 properties of the migration
spec()
{
	printf 'migration: { name = "move"; handler = "data"; backoff = "1ms"; %s source = { %s }; target = { %s }; options = { %s }; };\n' "${4:-}" "$1" "$2" "$3" >spec.conf
}

apply()
{
	whimbrel plan -q spec.conf && whimbrel apply -q "$(whimbrel -o json show last | jq -r .id)"
}

@test "a column that is called like an expression, or like a place, is refused in the plan and never asked for" {
	for name in '=1+1' '#position'; do
		rm -f old.db
		sqlite3 old.db "CREATE TABLE t (id INTEGER PRIMARY KEY, \"$name\"); INSERT INTO t VALUES (1, 5)"
		printf 'id,%s\n1,5\n' "$name" >in.csv
		for source in "store = \"sqlite\"; path = \"$T/old.db\";" "store = \"csv\"; path = \"$T/in.csv\"; table = \"t\";"; do
			spec "$source" "store = \"sqlite\"; path = \"$T/new.db\";" 'tables = ( { from = "t"; to = "t"; } );'
			run whimbrel plan -q spec.conf
			[ "$status" -ne 0 ]
			[[ "$output" == *"\"$name\" cannot be the name of a column here"* ]] || { echo "$output"; false; }
			[ ! -e new.db ]
		done
	done
	# The way out that it names.
	spec "store = \"sqlite\"; path = \"$T/old.db\";" "store = \"sqlite\"; path = \"$T/new.db\";" \
		'tables = ( { from = "t"; to = "t"; columns = ( { name = "id"; }, { name = "place"; expr = "\"#position\""; } ); } );'
	apply
	[ "$(sqlite3 new.db 'SELECT * FROM t')" = '1|5' ]
}

@test "an index or a reference in a file is refused in the plan" {
	printf 'id,n\n1,2\n' >in.csv
	for store in csv jsonl; do
		for rule in 'indexes = ( { name = "i"; columns = ( "id" ); } );' 'foreign_keys = ( { columns = ( "n" ); to = "t"; } );'; do
			spec "store = \"csv\"; path = \"$T/in.csv\"; table = \"t\";" "store = \"$store\"; path = \"$T/out\"; as = \"tables\";" \
				"tables = ( { from = \"t\"; to = \"t\"; key = ( \"id\" ); $rule columns = ( { name = \"id\"; type = \"int\"; }, { name = \"n\"; type = \"int\"; } ); } );"
			run whimbrel plan -q spec.conf
			[ "$status" -ne 0 ]
			[[ "$output" == *'neither indexes nor references'* ]] || { echo "$output"; false; }
		done
	done
}

# $1 rows: in.db, in.csv, in.jsonl, a folder of packed files
sources()
{
	mkdir -p packed
	seq "$1" | awk 'BEGIN { print "id,s" } { print $1 ",text number " $1 }' >in.csv
	gzip -c in.csv >packed/t.csv.gz
	seq "$1" | awk '{ print "{\"id\":" $1 ",\"s\":\"text number " $1 "\"}" }' >in.jsonl
	sqlite3 in.db "CREATE TABLE t (id INTEGER PRIMARY KEY, s TEXT); WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < $1)
		INSERT INTO t SELECT i, 'text number ' || i FROM c"
}

# $1: are so many chunks done?  $2: number of the run
chunks_done()
{
	[ "$(sqlite3 -readonly state/history.db "SELECT count(*) FROM entry WHERE kind = 15 AND run = printf('r-%06d', $2)")" -ge "$1" ]
}

# $1 source, $2 file, $3 target, $4 what happens to the file while it is read
changed()
{
	rm -rf in.* packed
	sources 8000
	spec "$1" "$3" 'chunk_rows = 50; tables = ( { from = "t"; to = "t"; columns = ( { name = "id"; type = "int"; }, { name = "s"; type = "text"; } ); } );'
	whimbrel plan -q spec.conf >/dev/null
	whimbrel apply -q last >out.log 2>&1 &
	run_pid=$!
	flow_until 20 chunks_done 3 $((n + 1))
	eval "$4"
	! wait $run_pid || { echo "not noticed: $4"; whimbrel report last; return 1; }
	grep -Eq "$2" out.log && grep -Eqi 'changed|another|does not exist|no such file|no longer|has no table|ends before|taken away' out.log || { echo "not named: $4"; cat out.log; return 1; }
	flow_is rolled_back || { cat out.log; return 1; }
	[ ! -e new.db ] && [ ! -e out ] || { echo "left behind: $4"; return 1; }
}

@test "a source that changes, shrinks, vanishes or is another one while it is read: noticed, named, nothing left" {
	db="store = \"sqlite\"; path = \"$T/in.db\";"
	csv="store = \"csv\"; path = \"$T/in.csv\"; table = \"t\";"
	lines="store = \"jsonl\"; path = \"$T/in.jsonl\"; table = \"t\";"
	packed="store = \"csv\"; path = \"$T/packed\";"
	new="store = \"sqlite\"; path = \"$T/new.db\";"
	n=0
	while IFS=';' read -r store file target what; do
		[ "$target" = new ] && to=$new || to="store = \"$target\"; path = \"$T/out\"; as = \"tables\";"
		changed "${!store}" "$file" "$to" "$what"
		n=$((n + 1))
	done <<-'END'
	db;in.db;new;sqlite3 in.db "UPDATE t SET s = 'other' WHERE id = 7900"
	db;in.db;csv;cp in.db copy.db && mv copy.db in.db
	db;in.db;jsonl;rm in.db
	csv;in.csv;new;truncate -s 100000 in.csv
	csv;in.csv;jsonl;rm in.csv
	csv;in.csv;csv;echo '8001,more' >>in.csv
	lines;in.jsonl;new;printf 9 | dd of=in.jsonl bs=1 seek=250000 conv=notrunc 2>/dev/null
	lines;in.jsonl;csv;cp in.jsonl copy && mv copy in.jsonl
	lines;in.jsonl;jsonl;truncate -s 250000 in.jsonl
	packed;packed;new;truncate -s 12000 packed/t.csv.gz
	packed;packed|has no table;csv;rm packed/t.csv.gz
	END
	echo "# $n sources changed while they were read, all noticed" >&3
}

@test "a page or a line in the middle that cannot be read: named, nothing left, whatever may be rejected" {
	sources 8000
	n=0
	damaged()
	{
		spec "$1" "store = \"sqlite\"; path = \"$T/new.db\";" 'chunk_rows = 500; reject_percent = 100.0; tables = ( { from = "t"; to = "t"; columns = (
			{ name = "id"; type = "int"; }, { name = "s"; type = "text"; } ); } );'
		run apply
		[ "$status" -ne 0 ] || { echo "not noticed: $1"; return 1; }
		[[ "$output" == *"$2"* ]] || { echo "not named, $2: $output"; return 1; }
		[ ! -e new.db ]
		n=$((n + 1))
	}
	# A leaf of the table, which looks like nothing.
	page=$(sqlite3 in.db "SELECT pageno FROM dbstat WHERE name = 't' AND pagetype = 'leaf' ORDER BY pageno LIMIT 1 OFFSET 30" 2>/dev/null || echo 40)
	head -c 4096 /dev/urandom | sed 's/^/\xff/' | head -c 4096 | dd of=in.db bs=4096 seek=$((page - 1)) conv=notrunc 2>/dev/null
	damaged "store = \"sqlite\"; path = \"$T/in.db\";" in.db
	sed -i '5000s/text/te\xffxt/' in.csv
	damaged "store = \"csv\"; path = \"$T/in.csv\"; table = \"t\";" in.csv:5000
	sed -i '5000s/text/te\xffxt/' in.jsonl
	damaged "store = \"jsonl\"; path = \"$T/in.jsonl\"; table = \"t\";" in.jsonl:5000
	# The packed bytes of the middle, with the size and all else as it was.
	printf 'damaged' | dd of=packed/t.csv.gz bs=1 seek=15000 conv=notrunc 2>/dev/null
	damaged "store = \"csv\"; path = \"$T/packed\";" t.csv.gz
	echo "# $n sources with a damage in the middle" >&3
}

@test "a target's disk that is full: said, taken back, and done when there is room" {
	unshare -m true 2>/dev/null || skip "needs the right to make a mount namespace"
	sources 8000
	cat >inside.sh <<-'END'
	. "$WBL_SRC/tests/flow/functions.bash"
	mkdir small && mount -t tmpfs -o size=160k none small || exit 77
	trap 'flow_stop_engine; umount -l small' EXIT
	for to in 'store = "sqlite"; path = "small/new.db";' 'store = "jsonl"; path = "small/out.jsonl"; table = "t";'; do
		printf 'migration: { name = "move"; handler = "data"; backoff = "1ms"; source = { store = "sqlite"; path = "in.db"; }; target = { %s };
			options = { chunk_rows = 500; tables = ( { from = "t"; to = "t"; } ); }; };\n' "$to" >spec.conf
		whimbrel plan -q spec.conf >/dev/null || exit 1
		whimbrel apply -q last >out 2>&1 && exit 1
		grep -Eqi 'no space left|full' out && flow_is rolled_back && [ -z "$(ls -A small)" ] || { cat out; ls -lA small; exit 1; }
		mount -o remount,size=4m small
		whimbrel plan -q spec.conf >/dev/null && whimbrel apply -q last >out 2>&1 && flow_is completed || { cat out; exit 1; }
		rm -rf small/*
		mount -o remount,size=160k small
	done
	END
	run unshare -m bash inside.sh
	[ "$status" -ne 77 ] || skip "no tmpfs here"
	echo "$output"
	[ "$status" -eq 0 ]
}

@test "killed in copies between each two stores: migrated or as before, and no chunk twice" {
	out=$("$WBL_SRC/tests/crash/kill-pairs" 6 11 2>"$T/why") || { echo "$out"; head -200 "$T/why"; false; }
	echo "# $(tail -1 <<<"$out")" >&3
}
