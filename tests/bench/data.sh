#!/bin/bash
# tests/bench/data.sh BUILD - CSV to SQLite and SQLite to SQLite, verified, beside sqlite3's own .import and .dump.
# Makes its own data (BENCH_ROWS, 1,000,000), runs product and peer in turn, prints medians, ratios and peak memory.
# SPDX-License-Identifier: Apache-2.0
set -eu
build=$(cd "$1" && pwd)
rows=${BENCH_ROWS:-1000000} rounds=${BENCH_ROUNDS:-3}
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
export WHIMBREL_HANDLERS=$build/plugins/mods/.libs WHIMBREL_HOST=$build/whimbrel-host
export WHIMBREL_STATE=$dir/state WHIMBREL_CONFIG=$dir/config NO_COLOR=1
cd "$dir"
awk -v n="$rows" 'BEGIN { srand(1); print "id,grp,name,city,note,tag,amount";
	for (i = 1; i <= n; i++) printf "%d,%d,person %d of many,city-%d,%s %d %s,tag%d,%.2f\n", i, rand() * 1000, i,
		rand() * 9999, "a note of some length about nothing in particular:", i, "and some more of it", rand() * 9, rand() * 10000 }' >big.csv

columns='{ name = "id"; type = "int"; }, { name = "grp"; type = "int"; }, { name = "name"; type = "text"; },
	{ name = "city"; type = "text"; }, { name = "note"; type = "text"; }, { name = "tag"; type = "text"; },
	{ name = "amount"; type = "decimal"; }'
spec()
{
	printf 'migration: { name = "%s"; handler = "data"; source = %s; target = { store = "sqlite"; path = "%s"; };
		options = { tables = ( { from = "%s"; to = "big"; key = ( "id" ); columns = ( %s ); } ); }; };\n' "$@" "$columns" >"$1.conf"
}
spec load "{ store = \"csv\"; path = \"$dir/big.csv\"; }" "$dir/load.db" big.csv
spec copy "{ store = \"sqlite\"; path = \"$dir/load.db\"; }" "$dir/copy.db" big

# timed NAME COMMAND...: wall seconds are appended to NAME.times
timed()
{
	local name=$1 began end
	shift
	began=$(date +%s%N)
	"$@" >/dev/null 2>&1
	end=$(date +%s%N)
	echo $(((end - began) / 1000000)) >>"$name.times"
}
median()
{
	sort -n "$1.times" | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'
}
import()
{
	sqlite3 peer.db -cmd 'create table big(id integer primary key, grp int, name text, city text, note text, tag text, amount num)' \
		'.import --csv --skip 1 big.csv big'
}
pipe()
{
	sqlite3 load.db .dump | sqlite3 peer2.db
}

# All of a database as it is: the lane from file to file, beside INSERT ... SELECT from an attached database.
sqlite3 plain.db "CREATE TABLE big (id INTEGER PRIMARY KEY, grp INT, name TEXT, city TEXT, note TEXT, tag TEXT, amount REAL)" '.import --csv --skip 1 big.csv big'
printf 'migration: { name = "lane"; handler = "data"; source = { store = "sqlite"; path = "%s"; }; target = { store = "sqlite"; path = "%s"; }; };\n' \
	"$dir/plain.db" "$dir/lane.db" >lane.conf
attach()
{
	sqlite3 peer3.db "CREATE TABLE big (id INTEGER PRIMARY KEY, grp INT, name TEXT, city TEXT, note TEXT, tag TEXT, amount REAL);
		ATTACH 'plain.db' AS o; INSERT INTO big SELECT * FROM o.big"
}
# Many small tables: what a step costs must not grow with their number.
many=${BENCH_TABLES:-1000}
{ echo 'BEGIN;'; for i in $(seq "$many"); do
	echo "CREATE TABLE table_$i (id INTEGER PRIMARY KEY, name TEXT NOT NULL, amount REAL); CREATE INDEX by_$i ON table_$i (name);
		WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c WHERE x < 10) INSERT INTO table_$i SELECT x, 'n' || x, x / 3.0 FROM c;"
done; echo 'COMMIT;'; } | sqlite3 many.db
printf 'migration: { name = "many"; handler = "data"; source = { store = "sqlite"; path = "%s"; }; target = { store = "sqlite"; path = "%s"; }; };\n' \
	"$dir/many.db" "$dir/many2.db" >many.conf

for _ in $(seq "$rounds"); do
	rm -f load.db copy.db peer.db peer2.db peer3.db lane.db many2.db
	timed load "$build/whimbrel" -q run load.conf --yes
	timed import import
	timed copy "$build/whimbrel" -q run copy.conf --yes
	timed dump pipe
	timed lane "$build/whimbrel" -q run lane.conf --yes
	timed attach attach
	timed many "$build/whimbrel" -q run many.conf --yes
done
[ "$(sqlite3 copy.db 'select count(*) from big')" = "$rows" ] || { echo "the copy is not whole"; exit 1; }
l=$(median load) i=$(median import) c=$(median copy) d=$(median dump)
echo "$rows rows, $(stat -c %s big.csv) bytes of CSV; medians of $rounds rounds, ms wall"
echo "CSV to SQLite, verified: $l; sqlite3 .import, unverified: $i; ratio $(awk "BEGIN { printf \"%.2f\", $l / $i }") (goal: not slower)"
echo "SQLite to SQLite, verified: $c; .dump | sqlite3, unverified: $d; ratio $(awk "BEGIN { printf \"%.2f\", $c / $d }")"
echo "SQLite to SQLite as it is, verified: $(median lane); ATTACH + INSERT SELECT, unverified: $(median attach); ratio $(awk "BEGIN { printf \"%.2f\", $(median lane) / $(median attach) }") (goal for the copy alone: 1.3)"
echo "$many tables of 10 rows, plan to verified: $(median many) ms (goal: 15,000)"
