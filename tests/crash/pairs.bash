# Copies from each store to each: two tables of which one is changed on its way and loses rows by the rules, in many chunks, two
# processes. Into SQLite half of the rows are there already and are merged with.
# Use: after functions.bash; crash_begin from_csv_to_jsonl and so on.
# SPDX-License-Identifier: Apache-2.0

for source in sqlite csv jsonl; do
	for target in sqlite csv jsonl; do
		eval "scenario_from_${source}_to_$target() { crash_pair $source $target; }"
	done
done

crash_pair_rows()
{
	seq "${CRASH_ROWS:-1200}" | awk '{ printf "%d\tname %d, \"%s\"\t%s\t%d.%02d\n", $1, $1, $1 % 50 ? "\303\251" : "",
		$1 % 97 ? substr("abc", $1 % 3 + 1, 1) : "z", $1 * 37, $1 % 100 }'
}

# $1 store
crash_pair_source()
{
	case $1 in
	sqlite)
		crash_pair_rows >"$C/rows"
		sqlite3 "$C/world/in.db" 'CREATE TABLE item (id TEXT, name TEXT, kind TEXT, price TEXT)' '.mode tabs' \
			".import \"|sed 's/\\\"/\\\"\\\"/g; s/[^\\t]*/\\\"&\\\"/g' $C/rows\" item" \
			"CREATE TABLE plain AS SELECT id, name FROM item WHERE rowid % 2"
		rm "$C/rows"
		echo "store = \"sqlite\"; path = \"$C/world/in.db\";";;
	csv)
		mkdir "$C/world/in"
		{ echo id,name,kind,price; crash_pair_rows | awk -F'\t' '{ gsub(/"/, "\"\"", $2); printf "%s,\"%s\",%s,%s\n", $1, $2, $3, $4 }'; } | gzip >"$C/world/in/item.csv.gz"
		{ echo id,name; crash_pair_rows | awk -F'\t' 'NR % 2 { gsub(/"/, "\"\"", $2); printf "%s,\"%s\"\n", $1, $2 }'; } >"$C/world/in/plain.csv"
		echo "store = \"csv\"; path = \"$C/world/in\";";;
	jsonl)
		mkdir "$C/world/in"
		crash_pair_rows | awk -F'\t' '{ gsub(/"/, "\\\"", $2); printf "{\"id\":\"%s\",\"name\":\"%s\",\"kind\":\"%s\",\"price\":\"%s\"}\n", $1, $2, $3, $4 }' >"$C/world/in/item.jsonl"
		crash_pair_rows | awk -F'\t' 'NR % 2 { gsub(/"/, "\\\"", $2); printf "{\"id\":\"%s\",\"name\":\"%s\"}\n", $1, $2 }' | gzip >"$C/world/in/plain.jsonl.gz"
		echo "store = \"jsonl\"; path = \"$C/world/in\";";;
	esac
}

crash_pair_target()
{
	if [ "$1" = sqlite ]; then
		sqlite3 "$C/world/new.db" "CREATE TABLE mine (id INTEGER PRIMARY KEY, t TEXT); INSERT INTO mine VALUES (1, 'stays');
			CREATE TABLE plain (id INTEGER PRIMARY KEY, name TEXT, note TEXT DEFAULT 'made');
			WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 2 FROM c WHERE i < 600) INSERT INTO plain SELECT i, 'other', 'mine' FROM c;
			INSERT INTO plain VALUES (1000000, 'own', 'mine')"
		echo "store = \"sqlite\"; path = \"$C/world/new.db\";"
	else
		echo "store = \"$1\"; path = \"$C/world/out\"; as = \"tables\"; compression = \"gzip\";"
	fi
}

crash_pair()
{
	local source target mode=
	source=$(crash_pair_source "$1") && target=$(crash_pair_target "$2") || return 1
	[ "$2" != sqlite ] || mode='mode = "merge";'
	cat >"$C/spec.conf" <<-END
	migration: { name = "pair"; handler = "data"; backoff = "1ms"; processes = 2; attempts = 5;
		source = { $source }; target = { $target };
		options = { chunk_rows = 250; reject_percent = 10.0; rejects = "$C/world/rejects.jsonl"; tables = (
			{ from = "item"; to = "goods"; key = ( "id" ); filter = "CAST(id AS INT) % 10 <> 3"; columns = ( { name = "id"; type = "int"; },
				{ name = "title"; compute = "concat(upper(name), ' / ', kind)"; },
				{ name = "kind"; map = ( { from = "a"; to = "1"; }, { from = "b"; to = "2"; }, { from = "c"; to = "3"; } ); type = "int"; },
				{ name = "price"; compute = "dec_mul(price, '1.19')"; type = "decimal"; } ); },
			{ from = "plain"; to = "plain"; key = ( "id" ); $mode columns = ( { name = "id"; type = "int"; }, { name = "name"; type = "text"; } ); } ); }; };
	END
}
