# What the tests of crashes share: scenarios, a world that is put back in a moment, deaths, and the judgement by digests
# of our own. Use: crash_begin SCENARIO, then crash_world and the rest as often as wanted, then crash_end.
# SPDX-License-Identifier: Apache-2.0

crash_begin()
{
	scenario=$1
	local base=${CRASH_DIR:-/dev/shm}
	[ -w "$base" ] || base=${TMPDIR:-/tmp}
	C=$(mktemp -d "$base/wblcrash.XXXXXX")
	export WHIMBREL_STATE=$C/state WHIMBREL_CONFIG=$C/config NO_COLOR=1 LC_ALL=C.UTF-8
	export WHIMBREL_HANDLERS=$WBL_BUILD/plugins/mods/.libs:$WBL_BUILD/tests/mods/.libs
	export WHIMBREL_HOST=$WBL_BUILD/whimbrel-host
	PATH=$WBL_BUILD:$PATH
	unset WBL_TEST_KILL WBL_TEST_FAULT WBL_TEST_FAULTS WBL_TEST_COMMITS
	mkdir -p "$C/config" "$C/world" "$C/fresh"
	kills=0 bad=0 migrated=0 restored=0
	"scenario_$scenario" || return 1
	cp -a "$C/world" "$C/fresh/world"
	whimbrel plan -q "$C/spec.conf" >"$C/plan.txt" || return 1
	crash_shoot
	cp -a "$C/state" "$C/fresh/state"
	before=$(crash_digest)
	whimbrel apply -q p-000001 >"$C/log" 2>&1 || { cat "$C/log"; return 1; }
	after=$(crash_digest)
	crash_shoot
	[ "$before" != "$after" ]
}

crash_end()
{
	crash_shoot
	if [ "$bad" -eq 0 ]; then
		rm -rf "$C"
	else
		echo "# kept: $C" >&2
	fi
}

# The engine of our state folder, if any, dies at once; returns when it is dead.
crash_shoot()
{
	local pid i
	[ -e "$C/state/lock" ] || return 0
	read -r pid <"$C/state/lock" || :
	pid=${pid//[^0-9]/}
	[ -n "$pid" ] && kill -9 "$pid" 2>/dev/null || return 0
	for i in {1..2000}; do
		# A zombie waits for its parent only.
		[ -d "/proc/$pid" ] && ! grep -q '^State:.Z' "/proc/$pid/status" 2>/dev/null || return 0
	done
	sleep 0.2
}

crash_world()
{
	crash_shoot
	rm -rf "$C/state" "$C/world"
	cp -a "$C/fresh/state" "$C/fresh/world" "$C/"
}

# Names, modes and contents of the world; databases by schema and rows, a written file by its lines: a chunk that is done
# again comes later.
crash_digest()
{
	local db file
	{
		cd "$C/world" && find . ! -name '*.db' ! -name '*.db-*' -printf '%p %m %y %l\n' ! -name '*.db' ! -name out.jsonl ! -path './out/*' -type f -exec sha256sum {} + | sort
		[ ! -e out.jsonl ] || sort out.jsonl
		for file in out/*; do
			[ ! -e "$file" ] || { echo "$file"; zcat -f "$file" | sort; }
		done
		for db in "$C"/world/*.db; do
			[ ! -e "$db" ] || { echo "$db"; sqlite3 "$db" .dump | sort; }
		done
	} | sha256sum | cut -d' ' -f1
}

# The last state of the run in the journal, read beside the engine: "" when there is none.
crash_state()
{
	sqlite3 -readonly "$C/state/history.db" \
		"SELECT name FROM entry WHERE kind = 5 ORDER BY seq DESC LIMIT 1" 2>/dev/null
}

crash_dump()
{
	echo "--- $1"
	cat "$C/log"
	whimbrel audit list --limit 100000 2>/dev/null | tail -60
}

# crash_judge WHAT: fully migrated and verified, or as before, and the chain whole.
crash_judge()
{
	local state now
	kills=$((kills + 1))
	state=$(crash_state)
	now=$(crash_digest)
	case $state in
	completed)
		[ "$now" = "$after" ] && { migrated=$((migrated + 1)); return 0; };;
	rolled_back | cancelled | "")
		[ "$now" = "$before" ] && { restored=$((restored + 1)); return 0; };;
	esac
	bad=$((bad + 1))
	{ crash_dump "$scenario: $1: state \"$state\", digest $now (before $before, after $after)"; } >&2
	[ "$bad" -gt 1 ] || cp -a "$C" "$C.first"
	return 1
}

crash_recover()
{
	timeout 60 whimbrel recover -q --strategy "$1" >>"$C/log" 2>&1
}

# crash_once WHAT STRATEGY VARIABLE=VALUE: apply with a death, recover, judge. A run that ended well in spite of it is
# rolled back when the strategy says so.
crash_once()
{
	crash_world
	env "$3" timeout 60 whimbrel apply -q p-000001 >"$C/log" 2>&1
	if [ "$2" = rollback ] && [ "$(crash_state)" = completed ]; then
		timeout 60 whimbrel rollback -q last >>"$C/log" 2>&1
		crash_recover resume
	else
		crash_recover "$2"
	fi
	crash_judge "$1, $2"
}

# --- scenarios: each makes $C/world and $C/spec.conf ---

scenario_put_file()
{
	printf 'old\n' >"$C/world/motd"
	chmod 640 "$C/world/motd"
	cat >"$C/spec.conf" <<-END
	migration: { name = "motd"; handler = "put_file"; backoff = "1ms"; options = { path = "$C/world/motd"; content = "new\n"; }; };
	END
}

scenario_workhorse()
{
	local i
	mkdir -p "$C/world/from" "$C/world/edit"
	for i in 1 2 3 4; do
		seq 1 $((i * 40)) >"$C/world/from/file$i"
	done
	echo one >"$C/world/edit/a"
	echo two >"$C/world/edit/b"
	chmod 600 "$C/world/edit/b"
	cat >"$C/spec.conf" <<-END
	migration: { name = "work"; handler = "workhorse"; backoff = "1ms"; grace = "5s"; attempts = 5;
		options = { from = "$C/world/from"; to = "$C/world/to"; edit = "$C/world/edit"; }; };
	END
}

# Rows of a real table where it is installed, else of the same form.
crash_rows()
{
	if [ -r /usr/share/unicode/UnicodeData.txt ]; then
		head -n "$1" /usr/share/unicode/UnicodeData.txt
	else
		seq 1 "$1" | awk '{ printf "%04X;NAME NUMBER %d;Lu;0;L;;;;;N;;;;%04X;\n", $1, $1, $1 + 32 }'
	fi
}

scenario_csv()
{
	crash_rows "${CRASH_ROWS:-2000}" >"$C/world/unicode.txt"
	cat >"$C/spec.conf" <<-END
	migration: { name = "load"; handler = "data"; backoff = "1ms"; processes = 2; attempts = 5;
		source = { store = "csv"; path = "$C/world/unicode.txt"; separator = ";"; quote = "none"; header = false; };
		target = { store = "sqlite"; path = "$C/world/new.db"; };
		options = { chunk_rows = 500; tables = ( { to = "chars"; key = ( "code" ); columns = (
			{ name = "code"; from = "c1"; type = "text"; }, { name = "name"; from = "c2"; type = "text"; },
			{ name = "class"; from = "c3"; type = "text"; } );
			indexes = ( { name = "by_name"; columns = ( "name" ); } ); } ); }; };
	END
}

scenario_jsonl()
{
	crash_rows "${CRASH_ROWS:-2000}" | awk -F';' '{ printf "{\"code\":\"%s\",\"more\":{\"name\":\"%s\",\"big\":900719925474%06d}}\n", $1, $2, NR }' >"$C/world/in.jsonl"
	cat >"$C/spec.conf" <<-END
	migration: { name = "load"; handler = "data"; backoff = "1ms"; processes = 2; attempts = 5;
		source = { store = "jsonl"; path = "$C/world/in.jsonl"; columns = ( "code", "more.name", "more.big" ); };
		target = { store = "sqlite"; path = "$C/world/new.db"; };
		options = { chunk_rows = 500; tables = ( { to = "chars"; key = ( "code" ); columns = (
			{ name = "code"; type = "text"; }, { name = "name"; from = "more.name"; type = "text"; },
			{ name = "big"; from = "more.big"; type = "int"; } );
			indexes = ( { name = "by_name"; columns = ( "name" ); } ); } ); }; };
	END
}

# Into a file, which has no transactions.
scenario_lines()
{
	scenario_sqlite
	rm "$C/world/new.db"
	cat >"$C/spec.conf" <<-END
	migration: { name = "unload"; handler = "data"; backoff = "1ms"; processes = 2; attempts = 5;
		source = { store = "sqlite"; path = "$C/world/old.db"; };
		target = { store = "jsonl"; path = "$C/world/out.jsonl"; table = "chars"; };
		options = { chunk_rows = 500; }; };
	END
}

# Into a folder of compressed files, two tables at a time.
scenario_records()
{
	scenario_sqlite
	rm "$C/world/new.db"
	sqlite3 "$C/world/old.db" "CREATE TABLE classes AS SELECT class, count(*) AS n, zeroblob(3) AS b FROM chars GROUP BY class"
	cat >"$C/spec.conf" <<-END
	migration: { name = "unload"; handler = "data"; backoff = "1ms"; processes = 2; attempts = 5;
		source = { store = "sqlite"; path = "$C/world/old.db"; };
		target = { store = "csv"; path = "$C/world/out"; as = "tables"; compression = "gzip"; };
		options = { chunk_rows = 500; }; };
	END
}

# Into a database that holds something already.
scenario_sqlite()
{
	crash_rows "${CRASH_ROWS:-2000}" | awk -F';' 'BEGIN { print "CREATE TABLE chars (code TEXT PRIMARY KEY, name TEXT, class TEXT); BEGIN;" }
		{ gsub(/\047/, "&&"); printf "INSERT INTO chars VALUES (\047%s\047, \047%s\047, \047%s\047);\n", $1, $2, $3 }
		END { print "COMMIT;" }' | sqlite3 "$C/world/old.db"
	sqlite3 "$C/world/new.db" "CREATE TABLE mine (id INTEGER PRIMARY KEY, t TEXT); INSERT INTO mine VALUES (1, 'stays')"
	cat >"$C/spec.conf" <<-END
	migration: { name = "load"; handler = "data"; backoff = "1ms"; processes = 2; attempts = 5;
		source = { store = "sqlite"; path = "$C/world/old.db"; };
		target = { store = "sqlite"; path = "$C/world/new.db"; };
		options = { chunk_rows = 500; tables = ( { from = "chars"; to = "letters"; key = ( "code" ); columns = (
			{ name = "code"; type = "text"; }, { name = "title"; from = "name"; type = "text"; } ); } ); }; };
	END
}

# All of a database as it is: rows go by the lane, then indexes, a counter, a view and a trigger follow.
scenario_whole()
{
	scenario_sqlite
	# Once there, SQLite's table of counters stays: so it is there before, too.
	sqlite3 "$C/world/new.db" "CREATE TABLE counted (id INTEGER PRIMARY KEY AUTOINCREMENT); INSERT INTO counted VALUES (7)"
	sqlite3 "$C/world/old.db" "CREATE TABLE class (id INTEGER PRIMARY KEY AUTOINCREMENT, class TEXT UNIQUE); INSERT INTO class (class) SELECT DISTINCT class FROM chars;
		INSERT INTO class VALUES (999, 'gone'); DELETE FROM class WHERE id = 999; CREATE INDEX by_class ON chars (class);
		CREATE VIEW letters AS SELECT * FROM chars WHERE class LIKE 'L%'; CREATE TRIGGER classes AFTER INSERT ON chars BEGIN INSERT OR IGNORE INTO class (class) VALUES (NEW.class); END"
	cat >"$C/spec.conf" <<-END
	migration: { name = "load"; handler = "data"; backoff = "1ms"; processes = 2; attempts = 5;
		source = { store = "sqlite"; path = "$C/world/old.db"; };
		target = { store = "sqlite"; path = "$C/world/new.db"; };
		options = { chunk_rows = 500; }; };
	END
}

# Rows merged into a table that holds others; the ledger and the mark are kept from run to run.
# The world begins as it is after a first run: what is killed is the second one.
scenario_merge()
{
	scenario_sqlite
	sqlite3 "$C/world/new.db" "CREATE TABLE letters (code TEXT PRIMARY KEY, title TEXT, note TEXT DEFAULT 'made');
		INSERT INTO letters VALUES ('own 1', 'stays', 'x'), ('own 2', NULL, 'y');
		ATTACH '$C/world/old.db' AS o; INSERT INTO letters SELECT code, CASE rowid % 3 WHEN 0 THEN 'other' ELSE name END, 'mine' FROM o.chars WHERE rowid % 2"
	sed -i 's/chunk_rows = 500;/chunk_rows = 500; existing = "merge";/' "$C/spec.conf"
}

scenario_sync()
{
	scenario_merge
	sed -i 's/existing = "merge";/changes = { by = "digest"; deletes = "apply"; conflicts = "source"; };/' "$C/spec.conf"
	whimbrel run -q --yes "$C/spec.conf" >"$C/log" 2>&1 || return 1
	crash_shoot
	rm -rf "$C/state"
	sqlite3 "$C/world/old.db" "UPDATE chars SET name = name || ' 2' WHERE rowid % 7 = 0; DELETE FROM chars WHERE rowid % 11 = 0;
		INSERT INTO chars SELECT code || '+', name, class FROM chars WHERE rowid % 13 = 0"
	sqlite3 "$C/world/new.db" "UPDATE letters SET title = 'edited' WHERE rowid % 140 = 0; UPDATE letters SET note = 'theirs' WHERE rowid % 5 = 0"
}
