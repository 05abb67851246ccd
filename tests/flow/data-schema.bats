#!/usr/bin/env bats
# What is around the rows: keys, rules, references, counters, views and triggers go along or are named with their text; a table
# that stands is held against the mapping; what the target would refuse is found before anything is copied.
# req: D10 D5 D6 X6 P4
# SPDX-License-Identifier: Apache-2.0
load functions
setup() { flow_setup; }
teardown() { flow_teardown; }

# $1: options, $2: source (old.db)
spec()
{
	cat >spec.conf <<-END
	migration: { name = "schema"; handler = "data"; backoff = "1ms";
		source = { store = "sqlite"; path = "$T/${2:-old.db}"; };
		target = { store = "sqlite"; path = "$T/new.db"; };
		options = { $1 }; };
	END
}

old()
{
	sqlite3 old.db "CREATE TABLE person (id INTEGER PRIMARY KEY AUTOINCREMENT, email TEXT COLLATE NOCASE UNIQUE, name TEXT NOT NULL DEFAULT 'nobody',
			born INT, age AS (2026 - born /* years, about */) STORED, CHECK (length(name) < 50));
		CREATE TABLE thing (id INTEGER PRIMARY KEY, owner INT REFERENCES person (id) ON DELETE CASCADE, label TEXT);
		CREATE TABLE word (w TEXT PRIMARY KEY, n ANY) STRICT, WITHOUT ROWID;
		CREATE TABLE rest (a);
		CREATE INDEX by_label ON thing (label);
		CREATE UNIQUE INDEX by_part ON thing (label) WHERE label > 'm';
		CREATE INDEX by_low ON thing (lower(label));
		CREATE VIEW owners AS SELECT p.name, t.label FROM person p JOIN thing t ON t.owner = p.id;
		CREATE VIEW leftovers AS SELECT * FROM rest;
		CREATE TRIGGER thing_touched AFTER INSERT ON thing BEGIN UPDATE person SET name = name WHERE id = NEW.owner; END;
		INSERT INTO person (id, email, name, born) VALUES (1, 'a@x', 'ann', 1990), (2, 'b@x', 'bob', 1980), (9, 'z', 'zoe', 2000);
		DELETE FROM person WHERE id = 9;
		INSERT INTO thing VALUES (1, 1, 'one'), (2, 2, 'two'), (3, 1, 'zed');
		INSERT INTO word VALUES ('x', 1), ('y', '2');
		INSERT INTO rest VALUES (1);"
}

@test "single tables take along what is about them alone; the rest is told with its text" {
	old
	spec 'tables = ( { from = "person"; }, { from = "thing"; }, { from = "word"; to = "vocabulary"; } );'
	whimbrel plan spec.conf >plan.txt
	tr -s ' \n' ' ' <plan.txt | grep -q 'view leftovers: .* by hand: CREATE VIEW leftovers AS SELECT \* FROM rest'
	whimbrel apply -q p-000001
	flow_is completed
	[ "$(sqlite3 new.db "SELECT group_concat(name, ' ') FROM (SELECT name FROM sqlite_schema WHERE name NOT LIKE 'sqlite%' ORDER BY name)")" = \
		"by_label by_low by_part owners person thing thing_touched vocabulary" ]
	[ "$(sqlite3 new.db "SELECT seq FROM sqlite_sequence WHERE name = 'person'")" = 9 ]
	[ "$(sqlite3 new.db "SELECT wr || strict FROM pragma_table_list('vocabulary')")" = 11 ]
	[ "$(sqlite3 new.db 'SELECT group_concat(age) FROM person')" = 36,46 ]
	whimbrel -o json report last | jq -e '.findings | map(select(.kind == "manual")) | length == 1 and .[0].definition == "CREATE VIEW leftovers AS SELECT * FROM rest"'
	whimbrel verify last
	whimbrel rollback -q last
	[ ! -e new.db ]
}

@test "other names: keys, uniques, references, generated columns and counters in the names of the target" {
	old
	spec 'tables = ( { from = "person"; to = "human"; },
		{ from = "thing"; to = "item"; columns = ( { name = "id"; }, { name = "who"; from = "owner"; }, { name = "title"; from = "label"; } ); key = ( "id" ); },
		{ from = "rest"; to = "leaf"; columns = ( { name = "a"; } ); foreign_keys = ( { columns = ( "a" ); to = "item"; on_delete = "SET NULL"; } ); } );'
	whimbrel plan spec.conf >plan.txt
	whimbrel apply -q p-000001
	flow_is completed
	[ "$(sqlite3 new.db "SELECT \"table\" || \"from\" || on_delete FROM pragma_foreign_key_list('item')")" = humanwhoCASCADE ]
	[ "$(sqlite3 new.db "SELECT \"table\" || \"from\" || on_delete FROM pragma_foreign_key_list('leaf')")" = "itemaSET NULL" ]
	[ "$(sqlite3 new.db "SELECT group_concat(name) FROM pragma_index_info('by_label')")" = title ]
	[ "$(sqlite3 new.db "SELECT seq FROM sqlite_sequence WHERE name = 'human'")" = 9 ]
	[ "$(sqlite3 new.db 'SELECT group_concat(age) FROM human')" = 36,46 ]
	run sqlite3 new.db "INSERT INTO human (email, name) VALUES ('A@X', 'twin')"
	[[ "$output" == *UNIQUE* ]]
	run sqlite3 new.db "INSERT INTO human (name) VALUES ('$(printf 'x%.0s' {1..60})')"
	[[ "$output" == *CHECK* ]]
	tr -s ' \n' ' ' <plan.txt | grep -q "index by_part of item: .* by hand: CREATE UNIQUE INDEX by_part ON thing (label) WHERE label > 'm'"
}

@test "a table that stands: every difference at once, and its counter as before on the way back" {
	old
	sqlite3 new.db "CREATE TABLE person (id INTEGER PRIMARY KEY AUTOINCREMENT, email BLOB, name TEXT, born INT NOT NULL, more TEXT NOT NULL, age)"
	spec 'existing = "empty"; tables = ( { from = "person"; columns = ( { name = "id"; }, { name = "email"; }, { name = "name"; }, { name = "gone"; from = "born"; } ); } );'
	run whimbrel plan spec.conf
	[ "$status" -ne 0 ]
	[[ "$output" == *person.gone* && "$output" == *person.born* && "$output" == *person.more* ]] || { echo "$output"; false; }
	rm new.db
	sqlite3 new.db "CREATE TABLE person (id INTEGER PRIMARY KEY AUTOINCREMENT, email BLOB, name TEXT, born INT NOT NULL);
		INSERT INTO person VALUES (4, 'x', 'y', 1); DELETE FROM person"
	before=$(sqlite3 new.db .dump | sort | sha256sum)
	spec 'existing = "empty"; tables = ( { from = "person"; } );'
	whimbrel plan spec.conf >plan.txt
	whimbrel -o json show last | jq -r '.findings[] | select(.kind == "schema") | .severity + " " + .where + " " + .difference' | sort >found
	diff - found <<-END
	note person.name default
	note person.name nullability
	warning person unique
	warning person.age generated
	warning person.born nullability
	warning person.email collation
	warning person.email type
	END
	grep -q 'expected TEXT, found BLOB' plan.txt
	whimbrel apply -q "$(whimbrel -o json show last | jq -r .id)"
	flow_is completed
	[ "$(sqlite3 new.db 'SELECT seq FROM sqlite_sequence')" = 9 ]
	whimbrel rollback -q last
	[ "$(sqlite3 new.db .dump | sort | sha256sum)" = "$before" ]
}

@test "found before the copy: keys twice in the target's eyes, NULL, types, references, conditions" {
	sqlite3 old.db "CREATE TABLE person (id INT, email TEXT, name TEXT, score);
		CREATE TABLE thing (id INT, owner INT);
		WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c WHERE x < 3000)
		INSERT INTO person SELECT x, 'p' || x, 'n', x FROM c;
		INSERT INTO thing SELECT id, id FROM person;
		UPDATE person SET email = 'P7' WHERE id = 2000; UPDATE person SET name = NULL WHERE id = 5;
		UPDATE person SET score = -1 WHERE id = 6; UPDATE thing SET owner = 4711 WHERE id = 8;"
	sqlite3 new.db "CREATE TABLE person (id INTEGER PRIMARY KEY, email TEXT COLLATE NOCASE UNIQUE, name TEXT NOT NULL, score CHECK (score > 0));
		CREATE TABLE thing (id INTEGER PRIMARY KEY, owner INT REFERENCES person)"
	before=$(sha256sum old.db new.db)
	spec 'existing = "empty"; tables = ( { from = "person"; }, { from = "thing"; } );'
	for level in full strict; do
		run whimbrel validate --level $level spec.conf
		[ "$level" = full ] || [ "$status" -ne 0 ]
		for text in "without case" "NULL in column" "leads to no row" "score > 0" "3000 rows of person looked at" "refuse 4 row"; do
			[[ "$(tr -s ' \n' ' ' <<<"$output")" == *"$text"* ]] || { echo "no $text in $output"; false; }
		done
	done
	spec 'existing = "empty"; precheck = true; tables = ( { from = "person"; }, { from = "thing"; } );'
	run whimbrel plan spec.conf
	[ "$status" -ne 0 ]
	[[ "$output" == *"refuse 4 rows"* ]]
	[ "$(sha256sum old.db new.db)" = "$before" ]
	sqlite3 old.db "UPDATE person SET email = 'q7' WHERE id = 2000; UPDATE person SET name = 'm' WHERE id = 5; UPDATE person SET score = 1 WHERE id = 6;
		UPDATE thing SET owner = 9 WHERE id = 8"
	whimbrel plan -q spec.conf
}

@test "hundreds of tables: what a step costs does not grow with their number" {
	for n in 20 200; do
		rm -rf old.db new.db state
		for i in $(seq $n); do
			echo "CREATE TABLE t$i (id INTEGER PRIMARY KEY, v TEXT); INSERT INTO t$i VALUES (1, 'a'), (2, 'b');"
		done | { echo 'BEGIN;'; cat; echo 'COMMIT;'; } | sqlite3 old.db
		spec ''
		whimbrel run -q spec.conf --yes >/dev/null
		flow_is completed
		whimbrel -o json status last | jq '[.runs[0].steps[] | select(.id | test("copy:"))] | length' | grep -qx $n
		[ "$(sqlite3 old.db .dump | sort | sha256sum)" = "$(sqlite3 new.db .dump | sort | sha256sum)" ]
		flow_stop_engine
	done
}

@test "the template: tables moved into a database that stands, checked before" {
	cp "$WBL_SRC/templates/specs/move-tables.conf" spec.conf
	sqlite3 shop.db "CREATE TABLE customer (id INTEGER PRIMARY KEY, name TEXT NOT NULL); CREATE TABLE purchase (id INTEGER PRIMARY KEY, customer INT, amount TEXT);
		INSERT INTO customer VALUES (1, 'ann'), (2, 'bob'); INSERT INTO purchase VALUES (10, 1, '1.50'), (11, 3, '2.00')"
	sqlite3 archive.db "CREATE TABLE customer (id INTEGER PRIMARY KEY, name TEXT NOT NULL)"
	run whimbrel plan -q spec.conf
	[ "$status" -ne 0 ]
	[[ "$output" == *"leads to no row"* ]]
	sqlite3 shop.db "UPDATE purchase SET customer = 2 WHERE id = 11"
	whimbrel run -q spec.conf --yes
	whimbrel -o json show last | jq -e '.findings | any(.kind == "precheck" and .text == "2 rows of purchase looked at")'
	[ "$(sqlite3 archive.db "SELECT sum(amount) FROM sale JOIN customer c ON c.id = sale.customer")" = 3.5 ]
	run sqlite3 archive.db "PRAGMA foreign_keys = ON; DELETE FROM customer"
	[[ "$output" == *"FOREIGN KEY constraint failed"* ]]
}

@test "killed at fault points: all of a database as it is, or as before" {
	out=$(STRIDE=5 SHIFT=2 ALTERNATE=1 "$WBL_SRC/tests/crash/kill-loop" whole faults 2>"$T/why") || { echo "$out"; head -200 "$T/why"; false; }
	echo "# $out" >&3
	out=$("$WBL_SRC/tests/crash/kill-loop" whole random 6 3 2>"$T/why") || { echo "$out"; head -200 "$T/why"; false; }
	echo "# $out" >&3
}
