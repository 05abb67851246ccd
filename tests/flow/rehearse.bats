#!/usr/bin/env bats
# A rehearsal changes nothing, and says how far it went; a rollback leaves what was there before, and nothing else.
# req: P4 X7 D8 C7
# SPDX-License-Identifier: Apache-2.0
load functions
setup() { flow_setup; }
teardown() { flow_teardown; }

files()
{
	mkdir world
	printf 'old\n' >world/motd
	chmod 640 world/motd
	ln -s motd world/link
	cat >spec.conf <<-END
	migrations = (
	  { name = "there"; handler = "put_file"; options = { path = "$T/world/link"; content = "new\n"; }; },
	  { name = "absent"; handler = "put_file"; options = { path = "$T/world/made"; content = "new\n"; }; } );
	END
}

# Names, modes, owners, times, contents.
exact()
{
	(cd world && find . -printf '%p %m %y %l %U %G %i %T@\n' | sort && cat motd) | sha256sum
}

@test "plain files: not a byte, not a time, not an inode" {
	files
	before=$(exact)
	whimbrel plan -q spec.conf >/dev/null
	[ "$(exact)" = "$before" ]
	whimbrel rehearse -q last
	[ "$(exact)" = "$before" ]
	whimbrel -o json report last | jq -e '.run.mode == "rehearse" and (.steps | all(.rehearsed.level >= 2))'
	whimbrel apply -q last
	[ "$(cat world/motd world/made)" = "$(printf 'new\nnew')" ]
}

@test "rolled back: contents and modes as before, what was made is gone" {
	files
	before=$(flow_digest world)
	whimbrel plan -q spec.conf >/dev/null
	whimbrel apply -q last
	[ "$(flow_digest world)" != "$before" ]
	run whimbrel rollback -q last
	[ "$status" -eq 0 ]
	[ "$(flow_digest world)" = "$before" ]
	[ ! -e world/made ]
}

database()
{
	mkdir world
	sqlite3 world/old.db "CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT); WITH RECURSIVE n(i) AS (VALUES (1) UNION ALL
		SELECT i + 1 FROM n WHERE i < 500) INSERT INTO t SELECT i, 'row ' || i FROM n"
	cat >spec.conf <<-END
	migration: { name = "load"; handler = "data"; source = { store = "sqlite"; path = "$T/world/old.db"; };
		target = { store = "sqlite"; path = "$T/world/new.db"; };
		options = { chunk_rows = 100; tables = ( { from = "t"; to = "u"; key = ( "id" );
			indexes = ( { name = "by_v"; columns = ( "v" ); } ); } ); }; };
	END
}

databases()
{
	flow_db_digest world/old.db
	flow_db_digest world/new.db
	find world -type f | sort
}

@test "databases: schema and rows, a target that is absent stays absent" {
	database
	before=$(databases)
	whimbrel plan -q spec.conf >/dev/null
	whimbrel rehearse -q last
	[ "$(databases)" = "$before" ]
	whimbrel apply -q last
	[ "$(sqlite3 world/new.db 'SELECT count(*) FROM u')" -eq 500 ]
	whimbrel rollback -q last
	[ "$(databases)" = "$before" ]
}

@test "databases: a target that lives keeps its own tables, rows and indexes" {
	database
	sqlite3 world/new.db "CREATE TABLE mine (a, b); CREATE INDEX mine_a ON mine (a); INSERT INTO mine VALUES (1, 'x'), (2, 'y')"
	before=$(databases)
	whimbrel plan -q spec.conf >/dev/null
	whimbrel rehearse -q last
	[ "$(databases)" = "$before" ]
	whimbrel apply -q last
	whimbrel rollback -q last
	[ "$(databases)" = "$before" ]
}

@test "a failed rehearsal says so, and changes nothing either" {
	files
	whimbrel plan -q spec.conf >/dev/null
	chattr +i world 2>/dev/null || skip "needs chattr"
	run whimbrel rehearse -q last
	chattr -i world
	[ "$status" -ne 0 ]
	before=$(flow_digest world)
	[ "$(cat world/motd)" = old ]
}
