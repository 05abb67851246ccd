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
