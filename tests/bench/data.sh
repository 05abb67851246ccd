#!/bin/bash
# tests/bench/data.sh BUILD - CSV to SQLite and SQLite to SQLite, verified, beside sqlite3's .import, .dump and ATTACH, and beside the
# shortest programs that only move the rows (limit.c); and what hashing is of it.
# Makes its own data (BENCH_ROWS, 2,000,000), runs product and peers in turn on the same input (BENCH_ROUNDS, 3), prints medians of wall
# and of processor time, ratios, and peak memory: of the product that of its greatest process.
# SPDX-License-Identifier: Apache-2.0
set -eu
build=$(cd "$1" && pwd)
rows=${BENCH_ROWS:-2000000} rounds=${BENCH_ROUNDS:-3}
limit=$build/tests/bin/bench_limit
dir=$(mktemp -d)
watcher=
trap '[ -z "$watcher" ] || kill $watcher 2>/dev/null; rm -rf "$dir"' EXIT
export WHIMBREL_HANDLERS=$build/plugins/mods/.libs WHIMBREL_HOST=$build/whimbrel-host
export WHIMBREL_STATE=$dir/state WHIMBREL_CONFIG=$dir/config NO_COLOR=1
cd "$dir"
"$limit" make big.csv "$rows" 0 >/dev/null

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

# timed NAME COMMAND...: one more line of NAME.times
timed()
{
	"$limit" run "$@" || { echo "$1 failed"; exit 1; }
}

# As timed, for the product, with a new engine: wall time from plan to verified, processor time of engine and hosts, memory of the greatest of
# them; and the wall time of the copies alone, as the journal has it, to NAME-alone.times.
ours()
{
	local name=$1 wall peak cpu
	rm -rf state
	"$limit" watch "$name" "$dir/state/lock" &
	watcher=$!
	timed "$name-run" "$build/whimbrel" -q run "$name.conf" --yes
	sleep 0.1
	kill $watcher
	wait $watcher 2>/dev/null || :
	watcher=
	sqlite3 -readonly state/history.db "SELECT ((max(CASE name WHEN 'execute' THEN at END) - min(CASE name WHEN 'partition' THEN at END)) / 1000000) || ' - -'
		FROM entry WHERE step LIKE '%/copy:%' AND (kind = 10 AND name = 'execute' OR kind = 9 AND name = 'partition')" >>"$name-alone.times"
	kill "$(tr -dc 0-9 <state/lock)"
	flow_ended
	read -r peak cpu <"$name.peak"
	wall=$(tail -1 "$name-run.times" | cut -d' ' -f1)
	echo "$wall $cpu $peak" >>"$name.times"
}

flow_ended()
{
	local pid
	pid=$(tr -dc 0-9 <state/lock)
	while [ -n "$pid" ] && [ -d "/proc/$pid" ]; do sleep 0.02; done
}

# median NAME FIELD
median()
{
	cut -d' ' -f"$2" "$1.times" | sort -n | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'
}

ratio()
{
	awk "BEGIN { printf \"%.2f\", $(median "$1" 1) / $(median "$2" 1) }"
}

# row NAME BESIDE...: one line of the table
row()
{
	local name=$1 what=$2 beside text=
	shift 2
	for beside in "$@"; do
		text="$text $(ratio "$name" "$beside") of $beside"
	done
	printf '%-52s %8d %9s %10s  %s\n' "$what" "$(median "$name" 1)" "$(median "$name" 2)" "$(median "$name" 3)" "$text"
}

# Peers that are scripts of sqlite3.
table='create table big(id integer primary key, grp int, name text, city text, note text, tag text, amount text)'
cat >import.sh <<END
exec sqlite3 peer.db '$table' '.import --csv --skip 1 big.csv big'
END
echo "sqlite3 load.db .dump | sqlite3 peer2.db" >dump.sh

# All of a database as it is: the lane from file to file, beside INSERT ... SELECT from an attached database.
sqlite3 plain.db "$table" '.import --csv --skip 1 big.csv big'
printf 'migration: { name = "lane"; handler = "data"; source = { store = "sqlite"; path = "%s"; }; target = { store = "sqlite"; path = "%s"; }; };\n' \
	"$dir/plain.db" "$dir/lane.db" >lane.conf
# Many small tables: what a step costs must not grow with their number.
many=${BENCH_TABLES:-1000}
{ echo 'BEGIN;'; for i in $(seq "$many"); do
	echo "CREATE TABLE table_$i (id INTEGER PRIMARY KEY, name TEXT NOT NULL, amount REAL); CREATE INDEX by_$i ON table_$i (name);
		WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c WHERE x < 10) INSERT INTO table_$i SELECT x, 'n' || x, x / 3.0 FROM c;"
done; echo 'COMMIT;'; } | sqlite3 many.db
printf 'migration: { name = "many"; handler = "data"; source = { store = "sqlite"; path = "%s"; }; target = { store = "sqlite"; path = "%s"; }; };\n' \
	"$dir/many.db" "$dir/many2.db" >many.conf

for _ in $(seq "$rounds"); do
	rm -f load.db copy.db lane.db many2.db peer*.db limit*.db
	ours load
	timed csv-one "$limit" csv big.csv limit1.db 0
	timed csv-receipts "$limit" csv big.csv limit2.db 10000
	timed import bash import.sh
	rm -f limit*.db
	ours copy
	timed rows "$limit" rows load.db limit3.db
	timed dump bash dump.sh
	rm -f limit*.db
	ours lane
	timed attach "$limit" attach plain.db limit4.db
	ours many
done
[ "$(sqlite3 copy.db 'select count(*) from big')" = "$rows" ] || { echo "the copy is not whole"; exit 1; }
[ "$(sqlite3 lane.db 'select count(*) from big')" = "$rows" ] || { echo "the lane's copy is not whole"; exit 1; }

echo "$rows rows, $(stat -c %s big.csv) bytes of CSV; medians of $rounds rounds; $(nproc) processors, $(sed -n 's/^model name.*: //p' /proc/cpuinfo | head -1)"
printf '%-52s %8s %9s %10s  %s\n' '' 'wall ms' 'cpu ms' 'peak kB' 'ratios of wall time'
row csv-one 'CSV to SQLite, limit: one transaction'
row csv-receipts 'CSV to SQLite, limit: a commit per 10,000 rows' csv-one
row import 'CSV to SQLite, sqlite3 .import'
row load-alone 'CSV to SQLite, whimbrel, the copy in it' csv-one
row load 'CSV to SQLite, whimbrel, plan to verified' import
row rows 'SQLite to SQLite, limit: row by row'
row dump 'SQLite to SQLite, .dump | sqlite3'
row copy-alone 'SQLite to SQLite with casts, whimbrel, the copy in it' rows
row copy 'SQLite to SQLite with casts, whimbrel, to verified' dump
row attach 'SQLite to SQLite, limit: ATTACH + INSERT SELECT'
row lane-alone 'SQLite to SQLite as it is, whimbrel, the copy in it' attach
row lane 'SQLite to SQLite as it is, whimbrel, to verified' attach
row many "$many tables of 10 rows, whimbrel, to verified"
echo "hashing, XXH3-128 one-shot: $("$limit" hash big.csv)"
