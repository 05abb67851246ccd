#!/usr/bin/env bats
# What an operator says in handlers.d acts, and whoever asks is told which file and line said it.
# req: H3 U6 H5
# SPDX-License-Identifier: Apache-2.0
load functions
load hostile
setup() { hostile_setup; }
teardown() { hostile_teardown; }

conf() { cat >"$T/config/handlers.d/$1.conf"; }

@test "CPU time: who turns in circles is ended, and told which limit it was" {
	conf hostile <<-END
	module = "hostile";
	limits = { cpu = "1s"; };
	END
	short=30s
	SECONDS=0
	attack execute spin 0 7 0 "has used up its CPU time (limits.cpu)"
	[ $SECONDS -lt 25 ]
	same_engine
}

@test "processes: no more of the user than asked for, whoever forks" {
	[ "$(id -u)" = 0 ] || skip "needs root for run_as"
	user=$(awk -F: '$3 > 0 && $1 == "games" { print $1 }' /etc/passwd)
	[ -n "$user" ] || user=nobody
	before=$(ps -o pid= -u "$user" -L | wc -l)
	conf hostile <<-END
	module = "hostile"; run_as = "$user";
	limits = { processes = $((before + 9)); };
	END
	chmod 755 "$T"
	attack execute bomb 60 7 0 '^[1-9] processes$'
	same_engine
	run whimbrel handler doctor hostile
	[ "$status" = 0 ]
	[[ "$output" == *"ok   processes: at most $((before + 9)) of the user $user"* ]]
}

@test "a limit that cannot hold is told: the kernel does not count root's processes" {
	[ "$(id -u)" = 0 ] || skip "only for root"
	printf 'module = "hostile"; limits = { processes = 9; };\n' | conf hostile
	run whimbrel handler doctor hostile
	[ "$status" = 2 ]
	[[ "$output" == *"BAD  processes: limits.processes does not hold"*"run_as"* ]]
}

@test "the list says what came from where, and by whose word it is as it is" {
	mkdir mods
	cp "$WBL_BUILD/plugins/mods/.libs/"*.so mods/
	export WHIMBREL_HANDLERS=$T/mods:$WBL_BUILD/plugins/mods/.libs
	sum=$(sha256sum mods/csv.so | cut -d' ' -f1)
	conf 10-csv <<-END
	module = "csv";
	sha256 = "$sum";
	limits = { memory = "256M"; };
	END
	conf 20-csv <<-END
	module = "csv";
	limits = { cpu = "10m"; };
	END
	conf jsonl <<-END
	module = "jsonl";
	enabled = false;
	reason = "see ticket 12";
	END
	conf sqlite <<-END
	module = "sqlite";
	sha256 = "$(printf x | sha256sum | cut -d' ' -f1)";
	END
	printf 'module = "put_file"; enabeld = false;\n' | conf wrong
	whimbrel handler list | tr -s ' \n' ' ' >list
	cat list
	grep -q "sha256 $sum, by $T/config/handlers.d/10-csv.conf:2" list
	grep -q "limits.memory .*, by $T/config/handlers.d/10-csv.conf:3" list
	grep -q "limits.cpu 10m.*, by $T/config/handlers.d/20-csv.conf:2" list
	grep -q "enabled false, by $T/config/handlers.d/jsonl.conf:2" list
	grep -q "reason see ticket 12, by $T/config/handlers.d/jsonl.conf:3" list
	grep -q "refused: is not the file that $T/config/handlers.d/sqlite.conf:2 asks for" list
	grep -q 'wrong.conf:1.*"enabeld"' list
	# where the same stands in two folders, the first counts, and the second is named
	grep -q 'refused: the module "data" stands already in '"$T/mods/data.so" list
	printf 'module = "jsonl"; limits = { cpu = "1m"; };\n' | conf zz
	run whimbrel handler doctor jsonl
	[ "$status" = 2 ]
	[[ "$output" == *"BAD  enabled: $T/config/handlers.d/jsonl.conf:2"* ]]
	[ "$(whimbrel -o json handler info csv | jq -r '.places["limits.memory"]')" = "$T/config/handlers.d/10-csv.conf:3" ]
	# a later file that does not mention the pin does not take the blame for it
	printf 'x' >>mods/csv.so
	run whimbrel handler doctor csv
	[ "$status" = 2 ]
	[[ "$(tr -s ' \n' ' ' <<<"$output")" == *"10-csv.conf:2 asks for"* ]]
}
