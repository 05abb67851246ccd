#!/usr/bin/env bats
# Verification through the real engine: classes of fault planted into a verified target of 300,000 rows are each found and named by
# key, column and kind, none is invented, and a repair brings back exactly those rows; samples and reports say what was seen.
# req: D6 D8 X7 X9 X11 M1
# SPDX-License-Identifier: Apache-2.0
load functions
setup() { flow_setup; }
teardown() { flow_teardown; }

apply()
{
	whimbrel plan -q spec.conf
	whimbrel apply -q "$(whimbrel -o json show last | jq -r .id)"
}

# $1 rows
make_source()
{
	sqlite3 old.db "CREATE TABLE t(id INTEGER PRIMARY KEY, name TEXT, other TEXT, n INTEGER, r REAL, at TEXT, b BLOB, amount TEXT, x);
		WITH RECURSIVE i(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM i WHERE i < $1)
		INSERT INTO t SELECT i, 'näme ' || i, 'other ' || i, 9007199254740992 + i, i / 10.0, strftime('%Y-%m-%dT%H:%M:%SZ', 1700000000 + i, 'unixepoch'),
			CAST('b' || i AS BLOB), (i / 100) || '.' || substr('0' || i % 100, -2), i FROM i;
		UPDATE t SET name = '' WHERE id = 20; UPDATE t SET name = NULL WHERE id = 21; UPDATE t SET r = 0.0 WHERE id = 22; UPDATE t SET r = 0.3 WHERE id = 23;
		CREATE TABLE k(a, b); INSERT INTO k SELECT id % 500, 'v' || id % 500 FROM t WHERE id <= 1500;"
}

# $1 more options
spec()
{
	cat >spec.conf <<-END
	migration: { name = "move"; handler = "data"; backoff = "1ms";
		source = { store = "sqlite"; path = "$T/old.db"; }; target = { store = "sqlite"; path = "$T/new.db"; };
		options = { tables = ( { from = "t"; to = "t"; key = ( "id" ); columns = (
			{ name = "id"; type = "int"; }, { name = "name"; type = "text"; }, { name = "other"; type = "text"; }, { name = "n"; type = "int"; },
			{ name = "r"; type = "real"; }, { name = "at"; type = "instant"; }, { name = "b"; type = "bytes"; }, { name = "amount"; type = "decimal"; },
			{ name = "x"; } ); }, { from = "k"; to = "k"; } ); $1 }; };
	END
}

dump()
{
	sqlite3 "$1" "SELECT id, quote(name), quote(other), n, quote(r), at, quote(b), quote(amount), typeof(x), x FROM t; SELECT quote(a), quote(b) FROM k ORDER BY 1, 2" | sha256sum
}

# What the last verification told: "kind set key field", one a line, sorted.
told()
{
	whimbrel -o json report last --differences | jq -r '.shown[] | (.key | if type == "string" then fromjson else . end) as $k
		| "\(.kind) \(.set) \($k.id // $k.a)\(if .field then " " + .field else "" end)"' | sort
}

# $1 what, $2 SQL that plants it, $3 what is to be told of it, lines. Planted with others by the next `look`: each has rows of its own.
fault()
{
	plant+="$2; "
	[ -z "$3" ] || want+="$3"$'\n'
	faults=$((faults + 1))
}

# Plants, verifies, compares what is told to the line, and mends ("stays": a repair refuses).
look()
{
	cp clean.db new.db
	sqlite3 new.db "$plant"
	run whimbrel -o json verify last
	[ "$status" -eq "${2:-10}" ] || { echo "$1: status $status: $output"; return 1; }
	told >told
	printf %s "$want" | sort | cmp - told || { echo "$1: $want"; head -30 told; return 1; }
	plant= want=
	case "$1" in
	mended)
		whimbrel repair -q last >/dev/null
		[ "$(dump new.db)" = "$clean" ] || { echo "mended into something else"; return 1; } ;;
	stays)
		run whimbrel repair -q last
		[ "$status" -ne 0 ]
		[[ "$output" == *"has no key"* ]] ;;
	esac
}

@test "faults in 300,000 rows: each is found and named, none is invented, and mended" {
	faults=0 plant= want=
	make_source 300000
	spec
	apply
	flow_is completed
	whimbrel -o json report last | jq -e '.verification | .complete and (.sets | length == 2) and (.sets[0] | .rows_source == 300000 and .rows_target == 300000
		and .digest_source == .digest_target and .keys_source == .keys_target and .compared == 300000 and .equal)'
	whimbrel report last >report
	grep "300,000 rows copied, 300,000 found, every one equal" report
	grep "complete: every row is in the target, value by value" report
	cp new.db clean.db
	clean=$(dump clean.db)
	fault "sign of zero: one value" "UPDATE t SET r = -0.0 WHERE id = 22" ""
	fault "a decimal with a zero more: one value" "UPDATE t SET amount = amount || '0' WHERE id = 172" ""
	fault "order only" "CREATE TABLE z AS SELECT * FROM k ORDER BY rowid DESC; DELETE FROM k; INSERT INTO k SELECT * FROM z; DROP TABLE z" ""
	look unharmed 0
	fault "missing" "DELETE FROM t WHERE id = 117" "missing t 117"
	fault "swapped between rows" "UPDATE t SET other = 'other ' || (35 - id) WHERE id IN (17, 18)" $'changed t 17 other\nchanged t 18 other'
	fault "NULL for empty" "UPDATE t SET name = NULL WHERE id = 20" "changed t 20 name"
	fault "trailing blank" "UPDATE t SET other = other || ' ' WHERE id = 299999" "changed t 299999 other"
	fault "case" "UPDATE t SET other = upper(other) WHERE id = 150001" "changed t 150001 other"
	fault "rounding in the last digit" "UPDATE t SET r = 0.30000000000000004 WHERE id = 23" "changed t 23 r"
	fault "time zone" "UPDATE t SET at = replace(at, 'Z', '+01:00') WHERE id = 1017" "changed t 1017 at"
	fault "text for a number" "UPDATE t SET x = '2017' WHERE id = 2017" "changed t 2017 x"
	look mended
	fault "extra" "INSERT INTO t SELECT 1000000, name, other, n, r, at, b, amount, x FROM t WHERE id = 17" "extra t 1000000"
	fault "changed" "UPDATE t SET other = 'x' WHERE id = 150000" "changed t 150000 other"
	fault "swapped between columns" "UPDATE t SET name = other, other = name WHERE id = 17" $'changed t 17 name\nchanged t 17 other'
	fault "empty for NULL" "UPDATE t SET name = '' WHERE id = 21" "changed t 21 name"
	fault "Unicode form" "UPDATE t SET name = 'na' || char(776) || 'me 317' WHERE id = 317" "changed t 317 name"
	fault "rounded decimal" "UPDATE t SET amount = '1.7' WHERE id = 172" "changed t 172 amount"
	fault "truncated" "UPDATE t SET other = substr(other, 1, 7) WHERE id = 417" "changed t 417 other"
	fault "2^53 + 1 through binary64" "UPDATE t SET n = CAST(CAST(n AS REAL) AS INTEGER) WHERE id = 1" "changed t 1 n"
	fault "text for bytes" "UPDATE t SET b = CAST(b AS TEXT) WHERE id = 517" "changed t 517 b"
	fault "key changed" "UPDATE t SET id = 1000617 WHERE id = 617" $'extra t 1000617\nmissing t 617'
	fault "byte order mark" "UPDATE t SET other = char(65279) || other WHERE id = 717" "changed t 717 other"
	look mended
	fault "missing without a key, two of three" "DELETE FROM k WHERE rowid IN (7, 507)" $'missing k 7\nmissing k 7'
	look mended
	fault "duplicated" "INSERT INTO k SELECT * FROM k WHERE rowid = 5" "extra k 5"
	fault "changed without a key" "UPDATE k SET b = 'w' WHERE rowid = 6" $'extra k 6\nmissing k 6'
	look stays
	# All of it: counted to the row, 1,000 named, and mended at once.
	cp clean.db new.db
	sqlite3 new.db "DELETE FROM k; UPDATE t SET n = n + 1; DELETE FROM t WHERE id <= 1000; INSERT INTO t(id) VALUES(-1), (-2)"
	run whimbrel verify last
	[ "$status" -eq 10 ]
	output=$(tr -s '\n ' ' ' <<<"$output")
	[[ "$output" == *"1,500 missing, 0 extra, 0 changed"* ]] || { echo "$output"; false; }
	[[ "$output" == *"1,000 missing, 2 extra, 299,000 changed; 1,000 differences are named"* ]] || { echo "$output"; false; }
	whimbrel -o json report last | jq -e '.differences.total == 2000 and (.differences.shown | length == 100) and (.verification.complete | not)'
	whimbrel -o json report last --differences --after 1900 --limit 60 | jq -e '(.shown | length == 60) and .next == 1960'
	[ "$(whimbrel report last --differences | wc -l)" = 2001 ]
	whimbrel repair -q last
	[ "$(dump new.db)" = "$clean" ]
	whimbrel -o json report last | jq -e .verification.complete
	faults=$((faults + 2))
	echo "# $faults classes of fault in 300,000 rows found and named, none invented" >&3
}

@test "a sample says in words and figures what it has not seen, and the plan names it as a risk" {
	make_source 20000
	spec 'verify = { mode = "sample"; percent = 10; seed = 3; };'
	whimbrel plan -q spec.conf
	whimbrel show last | grep "only about 10 % of the rows are verified"
	apply
	flow_is completed
	whimbrel report last | tr -s "\n " " " | grep "rows were not looked at"
	whimbrel -o json report last | jq -e '.verification | (.complete | not) and (.sets[0] | .of == 20000 and .compared > 1500 and .compared < 2500)'
	sqlite3 new.db "UPDATE t SET n = 1"
	run whimbrel verify last
	[ "$status" -eq 10 ]
	sqlite3 new.db "DELETE FROM t WHERE id = 5"
	run whimbrel verify last
	[ "$status" -eq 10 ]
}

@test "a repair killed anywhere, again, and the target is as it was copied" {
	make_source 3000
	spec
	apply
	cp new.db clean.db
	clean=$(dump clean.db)
	kills=0
	while :; do
		flow_stop_engine
		cp clean.db new.db
		sqlite3 new.db "DELETE FROM t WHERE id < 50; UPDATE t SET other = name WHERE id > 2900; INSERT INTO t(id) VALUES(-7)"
		whimbrel verify -q last || [ $? = 10 ]
		flow_stop_engine
		WBL_TEST_FAULT="host:$((kills + 1))" whimbrel repair -q last && break
		flow_stop_engine
		whimbrel repair -q last
		[ "$(dump new.db)" = "$clean" ]
		kills=$((kills + 1))
	done
	[ "$kills" -ge 3 ]
	echo "# $kills repairs killed, all mended" >&3
}

@test "the template: one row in ten is looked at, and the rest is said not to be" {
	cp "$WBL_SRC/templates/specs/spot-check.conf" spec.conf
	apply
	flow_is completed
	whimbrel -o json report last | jq -e '.verification | (.complete | not) and (.sets[0] | .equal and .compared > .of / 20 and .compared < .of / 5)'
	sed -i '/verify = /d' spec.conf
	rm vendors.db
	apply
	whimbrel -o json report last | jq -e '.verification.complete'
}

# $1 what, $2 sed expression for the target file, $3 what is to be told ("" and status 0: nothing)
file_fault()
{
	cp "clean.$kind" "new.$kind"
	sed -i "$2" "new.$kind"
	run whimbrel -o json verify last
	told >told
	[ "$(cat told)" = "$3" ] && [ "$status" -eq $([ -z "$3" ] && echo 0 || echo 10) ] || { echo "$kind, $1: $status: $(head -5 told): $output"; return 1; }
	faults=$((faults + 1))
}

@test "faults in files: found and named, and that single rows of them cannot be mended is said" {
	make_source 3000
	for kind in csv jsonl; do
		faults=0
		spec
		sed -i "s/target = .*/target = { store = \"$kind\"; path = \"\$T\/new.$kind\"; }; /; s/, { from = \"k\"; to = \"k\"; }//" spec.conf
		sed -i "s#\$T#$T#; s/to = \"t\";/to = \"new.$kind\";/" spec.conf
		apply
		flow_is completed
		mv "new.$kind" "clean.$kind"
		head=$([ $kind = csv ] && echo 1 || echo 0)
		file_fault none "s/^//" ""
		file_fault "order only" "$((head + 1)){h;d}; \${p;x}" ""
		file_fault missing "$((head + 17))d" "missing new.$kind 17"
		file_fault twice "$((head + 17))p" "extra new.$kind 17"
		file_fault changed "$((head + 17))s/other 17/other 71/" "changed new.$kind 17 other"
		file_fault case "$((head + 17))s/other 17/Other 17/" "changed new.$kind 17 other"
		file_fault "trailing blank" "$((head + 17))s/other 17/other 17 /" "changed new.$kind 17 other"
		file_fault "one more in a big number" "$((head + 17))s/9007199254741009/9007199254741010/" "changed new.$kind 17 n"
		file_fault "another key" "$((head + 17))s/17/999917/" "$(printf 'extra new.%s 999917\nmissing new.%s 17' $kind $kind)"
		run whimbrel repair last
		[ "$status" -ne 0 ]
		[[ "$output" == *"new.$kind"* ]]
		echo "# $faults classes of fault in a file of $kind found and named" >&3
	done
}
