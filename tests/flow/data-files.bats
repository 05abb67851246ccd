#!/usr/bin/env bats
# Files of records through the real engine: a database into a folder of files and back, deliveries of many files as one table,
# what has no room or changes under the copy, and death at any point.
# req: D9 D6 D7 D2 X9 X7 X6
# marks: sanitizers
# SPDX-License-Identifier: Apache-2.0
load functions
setup() { flow_setup; }
teardown() { flow_teardown; }

apply()
{
	whimbrel plan -q spec.conf
	whimbrel apply -q "$(whimbrel -o json show last | jq -r .id)"
}

# $1 source, $2 target, $3 options
spec()
{
	printf 'migration: { name = "move"; handler = "data"; backoff = "1ms"; source = { %s }; target = { %s }; options = { chunk_rows = 700; %s }; };\n' "$@" >spec.conf
}

database()
{
	sqlite3 "$1" "CREATE TABLE maker (id INTEGER PRIMARY KEY, name TEXT, logo BLOB);
		CREATE TABLE product (id INTEGER PRIMARY KEY, maker INTEGER, price TEXT, weight REAL, note TEXT);
		INSERT INTO maker VALUES (1, 'a,b \"c\"', x'00ff22'), (2, '', NULL), (9223372036854775807, NULL, x'');
		WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < 3000)
		INSERT INTO product SELECT i, i % 3, printf('%d.%02d', i, i % 100), i / 7.0, CASE i % 6 WHEN 0 THEN NULL WHEN 1 THEN '' WHEN 2 THEN char(10, 13, 34, 44, 233, 128512, i)
			WHEN 3 THEN '00' || i WHEN 4 THEN ' blank ' WHEN 5 THEN '\\x' || i END FROM c;
		INSERT INTO product VALUES (-1, NULL, '1e5', 1e300, 'NULL'), (0, 0, '-0', 4.9e-324, '#'), (9007199254740993, 1, '', 1e22, 'NaN');"
}

digest()
{
	for t in maker product; do
		sqlite3 "$1" "SELECT * FROM (SELECT quote(id) || '|' || $([ $t = maker ] && echo "quote(name) || '|' || quote(logo)" ||
			echo "quote(maker) || '|' || quote(price) || '|' || quote(weight) || '|' || quote(note)") AS x FROM $t) ORDER BY x"
	done | sha256sum
}

@test "the template: a database into a folder of compressed files, and back" {
	database catalogue.db
	cp "$WBL_SRC/templates/specs/archive.conf" spec.conf
	sed -i '/name = "back"/,$d' spec.conf
	sed -i '$d' spec.conf
	echo ');' >>spec.conf
	sed -i 's/^  },$/  }/' spec.conf
	apply
	flow_is completed
	[ "$(ls -A archive)" = "$(printf 'maker.csv.gz\nproduct.csv.gz')" ]
	[ "$(zcat archive/product.csv.gz | head -2 | tail -1)" = '-1,,"1e5",1e+300,NULL' ] || { zcat archive/product.csv.gz | head -3; false; }
	whimbrel verify last
	{ echo 'name = "again"; migrations = ('; sed -n '/name = "back"/,$p' "$WBL_SRC/templates/specs/archive.conf" | sed '1s/^/{/; /after =/d'; } >spec.conf
	apply
	flow_is completed
	[ "$(digest catalogue.db)" = "$(digest again.db)" ]
	whimbrel rollback -q r-000002
	[ ! -e again.db ]
	whimbrel rollback -q r-000001
	[ ! -e archive ]
}

@test "the template: deliveries in many files are one table, and broken records are named" {
	mkdir in
	printf '# of Monday\nNummer;Ort;Betrag\n1;K\xf6ln;12,5\n2;Ulm;0.10\n' | sed 's/12,5/12.5/' >in/delivery-1.csv
	printf 'Nummer;Ort;Betrag\r\n3;"Gera; Ost";\r\n4;Mainz\r\n5;Trier;99999999999999999999.99' | gzip >in/delivery-2.csv.gz
	cp "$WBL_SRC/templates/specs/deliveries.conf" spec.conf
	apply
	flow_is completed
	[ "$(sqlite3 deliveries.db 'SELECT * FROM delivery ORDER BY number')" = 'delivery-1.csv|1|Köln|12.5
delivery-1.csv|2|Ulm|0.1
delivery-2.csv.gz|3|Gera; Ost|
delivery-2.csv.gz|5|Trier|99999999999999999999.99' ]
	whimbrel report last --differences | grep -q 'no whole record'
	# One more file: the plan of yesterday does not know it.
	whimbrel rollback -q last
	whimbrel plan -q spec.conf
	cp in/delivery-1.csv in/delivery-3.csv
	run whimbrel apply -q last
	[ "$status" -ne 0 ]
	[ ! -e deliveries.db ]
}

@test "any to any: lines, records, packed, encoded, and the same rows at the end" {
	database old.db
	spec "store = \"sqlite\"; path = \"$T/old.db\";" "store = \"jsonl\"; path = \"$T/lines\"; as = \"tables\"; compression = \"zstd\"; encoding = \"utf-16\";" ""
	apply
	spec "store = \"jsonl\"; path = \"$T/lines\"; encoding = \"utf-16\";" "store = \"csv\"; path = \"$T/records\"; as = \"tables\"; escape = \"backslash\"; null = \"\\\\N\"; quoting = \"all\"; line_end = \"crlf\"; separator = \"tab\";" ""
	apply
	spec "store = \"csv\"; path = \"$T/records\"; escape = \"backslash\"; null = \"\\\\N\"; separator = \"tab\"; marks = true; bytes = \"hex\";" "store = \"sqlite\"; path = \"$T/new.db\";" \
		'tables = ( { from = "maker"; to = "maker"; columns = ( { name = "id"; type = "int"; }, { name = "name"; type = "text"; }, { name = "logo"; type = "bytes"; } ); },
		{ from = "product"; to = "product"; columns = ( { name = "id"; type = "int"; }, { name = "maker"; type = "int"; }, { name = "price"; type = "text"; }, { name = "weight"; type = "real"; }, { name = "note"; type = "text"; } ); } );'
	apply
	flow_is completed
	[ "$(digest old.db)" = "$(digest new.db)" ]
	[ ! -e records/.whimbrel ]
	[ ! -e lines/.whimbrel ]
}

@test "a disk that is full while it is written: said, and nothing is left" {
	unshare -m true 2>/dev/null || skip "needs the right to make a mount namespace"
	database old.db
	spec "store = \"sqlite\"; path = \"$T/old.db\";" "store = \"csv\"; path = \"$T/small/out\"; as = \"tables\";" ""
	cat >inside.sh <<-'END'
	. "$WBL_SRC/tests/flow/functions.bash"
	mkdir small && mount -t tmpfs -o size=64k none small || exit 77
	trap 'flow_stop_engine; umount -l small' EXIT
	whimbrel plan -q spec.conf >/dev/null
	whimbrel apply -q last >out 2>&1 && exit 1
	grep -q 'No space left on device' out && flow_is rolled_back && [ -z "$(ls -A small)" ] || { cat out; ls -lA small; exit 1; }
	END
	run unshare -m bash inside.sh
	[ "$status" -ne 77 ] || skip "no tmpfs here"
	echo "$output"
	[ "$status" -eq 0 ]
}

@test "killed at commits and fault points while a folder is written: migrated or as before" {
	out=$(STRIDE=7 SHIFT=2 ALTERNATE=1 "$WBL_SRC/tests/crash/kill-loop" records faults 2>"$T/why") || { echo "$out"; head -200 "$T/why"; false; }
	echo "# $out" >&3
	out=$("$WBL_SRC/tests/crash/kill-loop" records random 8 5 2>"$T/why") || { echo "$out"; head -200 "$T/why"; false; }
	echo "# $out" >&3
}
