#!/usr/bin/env bash
# main-job.sh - a real migration from beginning to end, told as it happens.
# In: whimbrel in PATH, and the files of the Debian packages unicode-data and ieee-data.
# Out: the folder $WHIMBREL_PLAY (default: ./play) with specs, databases, state folder, and everything that was
# printed.  It can be run again: what an earlier one left is replaced.
# SPDX-License-Identifier: Apache-2.0
set -euo pipefail
export LC_ALL=C.UTF-8 COLUMNS=92

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
play=${WHIMBREL_PLAY:-$PWD/play}
unicode=/usr/share/unicode/UnicodeData.txt
oui=/usr/share/ieee-data/oui.csv

bold= dim= off=
if [ -t 1 ] && [ -z "${NO_COLOR:-}" ]; then
	bold=$'\e[1m' dim=$'\e[2m' off=$'\e[0m'
fi

# --- telling ----------------------------------------------------------------------------------------------------

chapter() { printf '\n%s%s%s\n' "$bold" "$*" "$off"; }
say() { printf '%s\n' "$*" | fold -s -w 92 | sed 's/ *$//; s/^/  /'; }
excerpt() { sed 's/^/    | /'; }
die() {
	printf 'main-job: %s\n' "$*" >&2
	exit 1
}

count=0
# try STATUS WORD ARGUMENT...: runs whimbrel; all it prints goes to a file of its own, $out.
try() {
	local want=$1 word=$2 rc=0
	shift 2
	count=$((count + 1))
	out=$play/output/$(printf '%02d-%s.txt' $count "$word")
	printf '    %s$ whimbrel %s%s\n' "$dim" "$*" "$off"
	whimbrel "$@" >"$out" 2>&1 </dev/null || rc=$?
	[ $rc = "$want" ] && return 0
	tail -n 30 "$out" >&2
	die "whimbrel $* ended with status $rc, not $want; all it said is in $out"
}
# part FROM [TO]: the lines of $out from one heading up to the next empty line, or to TO.
part() { sed -En "/$1/,/${2:-^\$}/p" "$out" | sed '/^$/d' | excerpt; }
lines() { grep -E "$1" "$out" | excerpt; }

is() { # is WHAT EXPECTED FOUND
	[ "$2" = "$3" ] || die "$1: expected $2, found $3"
}

# --- looking, without whimbrel -----------------------------------------------------------------------------------

ask() { sqlite3 -readonly "$@"; }
digest() { sqlite3 -readonly "$1" .dump | sha256sum | cut -c1-16; }
records() { # of oui.csv; line breaks stand in its quotes, so that lines are not records
	sqlite3 :memory: ".import --csv $oui oui" "SELECT count(*) FROM oui" 2>/dev/null
}
number() { printf "%d" "$1" | sed -E ':a; s/^([0-9]+)([0-9]{3})/\1,\2/; ta'; }
of_run() { whimbrel -o json status last | jq -r ".runs[0] | $1"; }
engine() { whimbrel -o json status | jq -r .engine.pid; }
hosts() { # of the engine with this pid
	local file stat
	for file in /proc/[0-9]*/stat; do
		{ read -r stat <"$file"; } 2>/dev/null || continue
		case ${stat#*\(}:${stat##*) } in
		whimbrel-host*:?" $1 "*) echo "${stat%% *}" ;;
		esac
	done
}
gone() { # waits until these processes have ended
	local pid
	for pid in "$@"; do
		while [ -d "/proc/$pid" ] && ! grep -q '^State:.Z' "/proc/$pid/status" 2>/dev/null; do
			sleep 0.01
		done
	done
}
kill_hosts() {
	local victims=
	until [ -n "$victims" ]; do
		victims=$(hosts "$(engine)")
	done
	kill -9 $victims
}
# The run is throttled: this moment comes, however fast the machine is.
until_copied() { # until_copied ROWS
	until [ "$(of_run .items)" -ge "$1" ]; do
		case $(of_run .state) in
		validating | executing) ;;
		*) die "the copy was over before it could be killed: $(of_run .state)" ;;
		esac
		sleep 0.02
	done
}

# --- the folder ---------------------------------------------------------------------------------------------------

stop_engine() {
	local pid
	[ -e "$play/state/lock" ] || return 0
	pid=$(tr -dc 0-9 <"$play/state/lock")
	[ -n "$pid" ] && [ "$(cat "/proc/$pid/comm" 2>/dev/null)" = whimbrel ] || return 0
	kill "$pid" 2>/dev/null || return 0
	gone "$pid"
}

make_folder() {
	local spec
	if [ -e "$play" ]; then
		[ -e "$play/.main-job" ] || die "$play exists and is not ours; name another folder: WHIMBREL_PLAY=DIR"
		stop_engine
		rm -rf "$play"
	fi
	mkdir -p "$play/output" "$play/config"
	play=$(cd "$play" && pwd)
	: >"$play/.main-job"
	for spec in load-by-prefix load restructure; do
		cp "$here/../specs/$spec.conf" "$play/"
	done
	{
		echo "# . $play/env   and whimbrel works on what the main job left."
		echo "export PATH='$(dirname "$(command -v whimbrel)")':\$PATH"
		echo "export WHIMBREL_STATE='$play/state' WHIMBREL_CONFIG='$play/config'"
		[ -z "${WHIMBREL_HANDLERS:-}" ] || echo "export WHIMBREL_HANDLERS='$WHIMBREL_HANDLERS'"
		[ -z "${WHIMBREL_HOST:-}" ] || echo "export WHIMBREL_HOST='$WHIMBREL_HOST'"
	} >"$play/env"
	. "$play/env"
	cd "$play"
}

# --- the journey --------------------------------------------------------------------------------------------------

for file in $unicode $oui; do
	[ -r "$file" ] || die "$file is missing; it is in the Debian package $(basename "$(dirname "$file")" | sed 's/^unicode$/unicode-data/')"
done
for tool in whimbrel sqlite3 jq awk; do
	command -v $tool >/dev/null || die "$tool is not in PATH"
done
began=$(date +%s%N)
make_folder
characters=$(wc -l <$unicode)
vendors=$(records)

chapter "1. What goes where"
say "Two files of this machine: $(number "$characters") characters of Unicode in $unicode," \
	"and $(number "$vendors") owners of network prefixes in $oui."
say "They go into an SQLite database as they are, and from there, in another shape, into a second one." \
	"Everything happens in $play."

chapter "2. A plan first, and a try that fails"
say "The spec load-by-prefix.conf takes each prefix for the key of its owner. What would happen?"
try 0 plan plan load-by-prefix.conf
part '^What will happen'
part '^How to go back'
say "Nothing was changed so far. Now in earnest:"
try 7 apply apply last
part '^What went wrong' 'Mend the source'
place=$(grep -o 'oui.csv:[0-9]*' "$out" | head -n 1)
say "Here is line ${place#*:} of the file, and who has that prefix already:"
prefix=$(sed -n "${place#*:}p" $oui | cut -d, -f2)
grep -n ",$prefix," $oui | tr -d '\r' | cut -c1-88 | excerpt
is "database after the failed load" absent "$([ -e raw.db ] && echo there || echo absent)"
say "The run was taken back by itself; there is no raw.db, not even an empty one."

chapter "3. The right mapping"
say "In load.conf the key is prefix and owner, and the characters come first:"
try 0 plan plan load.conf
try 0 apply apply last
lines 'copy:.*done and verified|Run |steps,'
is "characters in raw.db" "$characters" "$(ask raw.db 'SELECT count(*) FROM unicode')"
is "vendors in raw.db" "$vendors" "$(ask raw.db 'SELECT count(*) FROM vendor')"
say "sqlite3 counts the same as wc and its own reader of CSV: $(number "$characters") and $(number "$vendors")."

chapter "4. Another shape, and kill -9 in the middle"
sqlite3 catalogue.db "CREATE TABLE note (text TEXT); INSERT INTO note VALUES ('this was here before');"
before=$(digest catalogue.db)
say "restructure.conf makes four tables out of two: renamed, cast, computed, chosen. Its target holds a table already," \
	"which must stay as it is (digest of the whole database: $before). What stays behind is said in the plan:"
try 0 plan plan restructure.conf
part '^What is not migrated'
say "The copy is held at 20,000 rows a second, to have time to do harm."
try 0 apply apply last --detach --items 20000
until_copied 6000
rows=$(of_run .items)
kill_hosts
say "kill -9 of the process that copies, after $(number "$rows") rows. The engine sees it and starts another."
until_copied 14000
rows=$(of_run .items)
pid=$(engine)
victims=$(hosts "$pid")
kill -9 "$pid" $victims 2>/dev/null || true
gone "$pid" $victims
say "And kill -9 of the engine itself with its new host, after $(number "$rows") rows. Nothing goes on behind one's" \
	"back: first one looks, then one decides."
try 0 status status
lines interrupted
try 0 throttle throttle last --items 0
try 0 recover recover
lines 'resume:|copy:.*verified|Run |steps'
try 0 report report last
part '^What was (decided|checked)'
try 0 verify verify last
cat "$out" | excerpt
killed=$(of_run .run)

chapter "5. Is it true? SQL of our own, not Whimbrel's"
differ=$(ask catalogue.db "ATTACH 'raw.db' AS raw;
	SELECT count(*) FROM (
		SELECT code, CAST(combining AS INTEGER), mirrored = 'Y' FROM raw.unicode
		EXCEPT SELECT code, combining, mirrored FROM character);
	SELECT count(*) FROM (
		SELECT replace(prefix, ':', ''), owner, address FROM prefix
		EXCEPT SELECT assignment, name, address FROM raw.vendor);" | paste -sd' ')
is "rows that differ" "0 0" "$differ"
is "characters" "$characters" "$(ask catalogue.db 'SELECT count(*) FROM character')"
is "prefixes" "$vendors" "$(ask catalogue.db 'SELECT count(*) FROM prefix')"
say "$(number "$characters") characters and $(number "$vendors") prefixes, each once, none different, through two kills." \
	"And who shares a prefix?"
ask catalogue.db "SELECT prefix || '  ' || group_concat(owner, ', ') FROM (SELECT * FROM shared_prefix ORDER BY 1, 2)
	GROUP BY prefix" | excerpt

chapter "6. And all of it back"
try 0 rollback rollback last
lines 'rolled back|as it was'
after=$(digest catalogue.db)
is "digest of the target after the rollback" "$before" "$after"
say "catalogue.db before: $before, after: $after. The note in it says: $(ask catalogue.db 'SELECT text FROM note')."

chapter "7. Once more, so that you have something to look at"
try 0 run run restructure.conf --yes
lines 'steps, '
try 0 history history
cat "$out" | excerpt
try 0 audit audit verify
lines 'chain'

took=$((($(date +%s%N) - began) / 100000000))
chapter "Done in $((took / 10)).$((took % 10)) s"
cat <<-TXT
	  Look around:       . $play/env
	                     whimbrel report          what the last run did
	                     whimbrel report $killed the one that was killed twice
	                     whimbrel show last       its plan
	                     sqlite3 $play/catalogue.db
	  What was printed:  $play/output
	  By hand:           docs/tutorial.md
TXT
