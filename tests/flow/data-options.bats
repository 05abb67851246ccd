#!/usr/bin/env bats
# Options that are wrong: each is refused while the plan is made, with its place, what was expected and what to do; nothing is there afterwards.
# docs/data.md and the stores' pages list every option of the manifests, and none that they have not.
# req: D5 D10 X1 P1
# SPDX-License-Identifier: Apache-2.0
load functions

setup()
{
	flow_setup
	printf 'id,name,born,fee\n1,Ada,1815-12-10,12.50\n2,Grace,1906-12-09,3\n' >a.csv
	sqlite3 s.db "CREATE TABLE m(id INTEGER PRIMARY KEY, name TEXT); INSERT INTO m VALUES (1, 'Ada'); CREATE TABLE n(id INTEGER PRIMARY KEY)"
}
teardown() { flow_teardown; }

# spec SOURCE TARGET OPTIONS
spec()
{
	printf 'migration: { name = "t"; handler = "data"; source = { %s }; target = { %s }; options = { %s }; };\n' "$@" >w.conf
}

# Each line: what the options are | what the message must say (a glob). $1: csv or sqlite, the source; $2: frame around them.
refused()
{
	local source='store = "csv"; path = "a.csv";' line text want n=0
	[ "$1" = csv ] || source='store = "sqlite"; path = "s.db";'
	while IFS= read -r line; do
		text=${line%% | *} want=${line##* | }
		spec "$source" 'store = "sqlite"; path = "new.db";' "${2/@/$text}"
		run whimbrel plan -q w.conf
		if [ "$status" -eq 0 ] || [[ "$output" != *$want* ]] || [ -e new.db ]; then
			echo "$text: $status: $output (expected: $want)"
			return 1
		fi
		n=$((n + 1))
	done
	[ "$n" -ge 3 ]
	echo "# $n refused" >&3
}

@test "a table: names, keys, conditions" {
	refused csv 'tables = ( { to = "m"; @ } );' <<-'END'
	frm = "x"; | tables\[0\].frm*Did you mean "from"
	from = "b.csv"; | tables.0: the source has no table "b.csv"*It has: "a.csv"
	from = "a.csv"; from_all = ( "a.csv" ); | only one of from and from_all*Leave one
	filter = "feee > 1"; | tables.0.filter*is it "fee"
	rest = "drop"; | `rest` needs a `filter`
	key = ( "nope" ); | the key names a column that is not mapped: "nope"
	key = ( "id", "id" ); | the key names a column twice
	where = "id = 1"; | the source evaluates no conditions*`filter`
	indexes = ( { name = "i"; columns = ( "nope" ); } ); | index "i" names no column of it: "nope"
	indexes = ( { name = "i"; columns = ( ); } ); | index "i" is of no column
	indexes = ( { name = "i"; columns = ( "id" ); }, { name = "I"; columns = ( "name" ); } ); | two indexes are called "I"
	foreign_keys = ( { columns = ( "id" ); to = "nope"; } ); | leads to no table: "nope"
	foreign_keys = ( { columns = ( "id", "name" ); to = "m"; to_columns = ( "id" ); } ); | not alike in number
	transform = { transform = "nope"; }; | transform.transform: there is no transform "nope"
	reject_percent = 101; | the largest allowed is 100
	END
	refused sqlite 'tables = ( { from = "m"; @ } );' <<-'END'
	where = "idd = 1"; | no such column: idd
	where = "1); DROP TABLE m; --"; | one SQL statement was expected
	columns = ( { name = "x"; expr = "nope + 1"; } ); | no such column: nope
	key = ( "id" ); changes = { by = "column"; column = "nope"; }; | no such column: nope
	key = ( "id" ); changes = { by = "column"; column = "id"; overlap = "5x"; }; | an overlap that is none*Write 90
	key = ( "id" ); changes = { by = "digest"; overlap = "5m"; }; | an overlap, and no column
	key = ( "id" ); changes = { by = "digest"; deletes = "mark"; }; | no column says where
	key = ( "id" ); changes = { by = "column"; column = "id"; deletes = "apply"; }; | a column cannot tell which rows of the source are gone
	END
	[ "$(sqlite3 s.db 'SELECT count(*) FROM m')" = 1 ]
}

@test "a column: where its value comes from, and what becomes of it" {
	refused csv 'tables = ( { to = "m"; columns = ( { name = "id"; type = "int"; }, { @ } ); } );' <<-'END'
	name = "ID"; from = "name"; | two columns of the target are called "ID"*another name
	name = "x"; from = "nam"; | the source has no column "nam"; is it "name"
	name = "x"; from = "id"; value = "1"; | only one of from, expr, compute, generate and value*Leave one
	name = "x"; expr = "1"; | the source evaluates no expressions*`compute`
	name = "x"; from = "id"; type = "integer"; | columns\[1\].type: expected "any"*Known:
	name = "x"; value = "abc"; type = "int"; | not a whole number of 64 bits "abc"*`value`
	name = "x"; compute = "nofn(id)"; | there is no function "nofn"
	name = "x"; compute = "fee + 1"; | + takes numbers
	name = "fee"; type = "decimal"; default = "abc"; | columns.1.default: not a decimal number "abc"
	name = "x"; generate = { kind = "uuid"; }; | name them by `of`
	name = "born"; type = "date"; format = ( "%d.%Q" ); | columns.1.format: the directives are
	name = "born"; type = "instant"; format = ( "%Y-%m-%d" ); | needs a `zone`
	name = "born"; type = "instant"; zone = "Mars/Base"; | no time zone is known here as "Mars/Base"
	name = "name"; map = ( { from = "Ada"; to = "A"; }, { from = "Ada"; to = "B"; } ); | two pairs begin with "Ada"
	name = "name"; otherwise = "keep"; | `otherwise` goes with `map`
	name = "name"; lookup = { in = { store = "csv"; path = "a.csv"; }; key = "a"; value = "name"; }; | has no column "a"
	name = "name"; mask = { how = "hash"; }; | it needs a secret `key`
	name = "name"; mask = { how = "hash"; key = "file:/nope"; }; | the key of the mask cannot be read*the file of the secret cannot be opened
	name = "name"; mask = { how = "hash"; key = "secret"; }; | a secret must not stand in the text itself
	name = "x"; trim = 1; | expected true or false, found the number 1*Write true or false
	END
}

@test "options of all tables; a file of one table has one name; a separator that was forgotten" {
	refused sqlite '@' <<-'END'
	existing = "yes"; | options.existing: expected "refuse", "empty", "append", "merge"
	changes = { by = "column"; }; | changes by a column, and no column
	rejects = "s.db"; reject_limit = 1; | is there already
	chunk_bytes = "8X"; | Write bytes, or a text
	verify = { memory = 1; }; | the smallest allowed is 65536
	tables = ( { from = "m"; }, { from = "m"; } ); | two tables go to "m"*from_all
	END
	spec 'store = "sqlite"; path = "s.db";' 'store = "jsonl"; path = "out.jsonl";' 'tables = ( { from = "m"; } );'
	run whimbrel plan -q w.conf
	[ "$status" -eq 2 ]
	[[ "$output" == *'the only table of the target is called "out.jsonl", not "m"'*'`table` of the target'* ]]
	for bad in 'as = "one";' 'skip_lines = 3;' 'encoding = "klingon";' 'separator = "\""; '; do
		spec 'store = "sqlite"; path = "s.db";' "store = \"csv\"; path = \"out.csv\"; table = \"m\"; $bad" 'tables = ( { from = "m"; } );'
		run whimbrel plan -q w.conf
		echo "$output"
		[ "$status" -eq 2 ]
	done
	spec 'store = "sqlite"; path = "s.db";' 'store = "jsonl"; path = "out-*.jsonl";' ''
	run whimbrel plan -q w.conf
	[ "$status" -eq 2 ]
	[[ "$output" == *'a target is one file, or a folder of tables'* ]]
	[ -z "$(ls out* 2>/dev/null)" ]
	printf 'a;b\n1;2\n' >semi.csv
	spec 'store = "csv"; path = "semi.csv"; skip_lines = 9;' 'store = "sqlite"; path = "new.db";' ''
	run whimbrel plan -q w.conf
	[[ "$output" == *'semi.csv: no record is left behind'* ]]
	spec 'store = "csv"; path = "semi.csv";' 'store = "sqlite"; path = "new.db";' ''
	whimbrel plan w.conf | tr -s ' \n' ' ' | grep -qF 'is its separator ";"?'
}

@test "a rejected row reads as one; the value of a computed column is told; a rehearsal says nothing of equality" {
	printf 'id,n\n1,x7\n2,8\n' >b.csv
	spec 'store = "csv"; path = "b.csv";' 'store = "sqlite"; path = "new.db";' 'tables = ( { to = "t"; columns = ( { name = "n"; type = "int"; compute = "upper(n)"; } ); } );'
	run whimbrel run -q --yes w.conf
	[ "$status" -ne 0 ]
	[[ "$output" == *'column "n": not a whole number of 64 bits: "X7"'* ]]
	sed -i 's/options = {/& reject_limit = 1; precheck = true;/' w.conf
	whimbrel plan -q w.conf
	whimbrel -o json show last | jq -e '[.findings[].text] | index("2 rows of b.csv looked at")'
	whimbrel rehearse -q last
	[ "$(whimbrel -o json report last | jq -c '.verification | [.complete, (.sets | length)]')" = '[false,0]' ]
	! whimbrel report last | grep 'they differ'
	whimbrel apply -q last
	whimbrel report last | grep -q '^  rejected t b.csv:2: n not a whole number of 64 bits: X7$'
	whimbrel report last --differences | grep -q '^rejected t b.csv:2: n not a whole number'
	whimbrel report last | grep -q 'those that were\|1 row copied, 1 found, every one equal; 1 left out'
}

# "GROUP OPTION DEFAULT VALUES" of all options that a manifest has, groups called by the option that holds them.
declared()
{
	whimbrel -o json handler info data | jq -r '
		def size: if . >= 1048576 and . % 1048576 == 0 then "\(. / 1048576)M" else tostring end;
		def told: if .default == null then "-" elif .type == "size" then .default | size
			elif .type == "duration" then "\(.default / 1000000000)s" else .default | tostring end;
		def walk(group): .params[] | "\(group)\t\(.name)\t\(told)\t\(if .type == "enum" then .values | join(", ") else "-" end)",
			(.name as $n | if .params then walk($n) elif .items.params? then .items | walk($n) else empty end);
		first(.. | objects | select(.params?)) | walk("options")' | grep -vP '^options\t(source|target)\t' | sort -u
}

# The same of the page: the tables below the headings that are names of options.
documented()
{
	awk -F ' *[|] *' -v OFS='\t' '
		/^## / { on = /^## Options/ }
		/^### / { group = $0; gsub(/[# `]/, "", group) }
		on && /^\| `/ {
			name = $2; gsub(/`/, "", name)
			values = $3 ~ /,/ ? $3 : "-"
			print group, name, $4 == "" ? "-" : $4, values }' "$WBL_SRC/docs/data.md" | sort -u
}

@test "docs/data.md has every option with its default and its values, and no other" {
	declared >a
	documented >b
	[ "$(wc -l <a)" -gt 80 ]
	diff a b
}

@test "the stores' pages have every parameter, and no other" {
	for store in csv jsonl sqlite; do
		whimbrel -o json handler info $store | jq -r 'first(.. | objects | select(.params?)) | .params[].name' | sort >a
		awk '/^\| parameter/ { on = 1 } /^$/ { on = 0 } on && /^\| `/ { sub(/^\| /, ""); sub(/ \|.*/, ""); gsub(/[`,]/, " "); print }' \
			"$WBL_SRC/plugins/stores/$store/$store.md" | tr -s ' ' '\n' | grep . | sort >b
		[ "$(wc -l <a)" -ge 2 ]
		diff a b
	done
}

@test "links within the page lead somewhere" {
	for page in data.md cookbook.md; do
		grep -o '](#[^)]*)' "$WBL_SRC/docs/$page" | tr -d '](#)' | sort -u | while read -r a; do
			sed -n 's/^##* //p' "$WBL_SRC/docs/$page" | tr 'A-Z ' 'a-z-' | tr -d '.,:`' | grep -qxF -- "$a" || { echo "$page: leads nowhere: $a"; exit 1; }
		done
		grep -o '](\.*[a-z][^)#]*' "$WBL_SRC/docs/$page" | sed 's/^](//' | sort -u | while read -r f; do
			[ -e "$WBL_SRC/docs/$f" ] || { echo "$page: is not there: $f"; exit 1; }
		done
	done
}
