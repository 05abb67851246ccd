#!/usr/bin/env bats
# A source looked at before anything is planned: each trouble that was planted is found and none is invented, nothing is
# changed, a look is kept and used again, and the next one tells what has grown.
# req: D1 P5 U1
# marks: sanitizers
# SPDX-License-Identifier: Apache-2.0
load functions
setup() { flow_setup; }
teardown() { flow_teardown; }

# One line for each trouble: severity, place, beginning of the text.
troubles()
{
	jq -r '.subjects[].findings[] | select(.kind == "trouble")
		| "\(.severity) \(.set)\(if .column then "." + .column else "" end): \(.text)"' "$1"
}

sound()
{
	sqlite3 "$1" "CREATE TABLE customer (id INTEGER PRIMARY KEY, name TEXT NOT NULL, born TEXT, worth REAL);
		CREATE TABLE bill (id INTEGER PRIMARY KEY, customer_id INTEGER REFERENCES customer(id), amount INTEGER);
		CREATE INDEX bill_customer ON bill (customer_id);
		WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c WHERE x < 3000)
		INSERT INTO customer SELECT x, 'customer ' || x, 'in spring ' || x, x / 8.0 FROM c;
		INSERT INTO bill SELECT id * 2, id, id * 7 FROM customer;"
}

@test "a database without faults gives no trouble, and what it holds is told right" {
	sound good.db
	before=$(sha256sum good.db)
	whimbrel -o json assess good.db >a.json
	[ "$(troubles a.json)" = "" ]
	[ "$(sha256sum good.db)" = "$before" ]
	[ "$(jq -c '[.subjects[0].findings[] | select(.kind == "set") | [.set, .rows, .columns, .key]]' a.json)" = \
		'[["bill",3000,3,["id"]],["customer",3000,4,["id"]]]' ]
	column=$(jq -c '.subjects[0].findings[] | select(.kind == "column" and .set == "customer" and .column == "worth")' a.json)
	[ "$(echo "$column" | jq -c '[.declared, .found, .nulls, .least, .greatest]')" = \
		'["REAL",{"real":3000},0,"0.125","375"]' ]
	distinct=$(echo "$column" | jq .distinct)
	[ "$distinct" -ge 2850 ] && [ "$distinct" -le 3150 ]
	[ "$(jq -r '.subjects[0].findings[] | select(.kind == "complexity") | .level' a.json)" = low ]
	jq -e '.subjects[0].findings[] | select(.kind == "estimate") | .p50_ns > 0 and (.basis | length > 0)' a.json
}

@test "each planted trouble is found, named by table and column" {
	sound bad.db
	sqlite3 bad.db "CREATE TABLE odd (code TEXT, price TEXT, day TEXT, de TEXT, us TEXT, comma TEXT, gap TEXT, none TEXT, many INT,
			big INTEGER, blank TEXT, never TEXT);
		WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c WHERE x < 40)
		INSERT INTO odd SELECT printf('%05d', x), x || '.50', date('2026-01-01', x || ' days'), (x % 28 + 1) || '.2.2026',
			(x % 12 + 1) || '/13/2026', x || ',25', CASE x % 3 WHEN 0 THEN '' WHEN 1 THEN NULL ELSE 'w' || x END,
			CASE x % 4 WHEN 0 THEN 'N/A' ELSE 'v' || x END, CASE x WHEN 7 THEN 'seven' ELSE x END, 9007199254740992 + x,
			CASE x WHEN 9 THEN ' z' ELSE 'z' || x END, NULL FROM c;
		INSERT INTO odd SELECT * FROM odd LIMIT 2;
		CREATE TABLE raw (id INTEGER PRIMARY KEY, t TEXT);
		INSERT INTO raw VALUES (1, 'fine'), (2, CAST(x'ff41' AS TEXT));
		CREATE TABLE remark (id INTEGER PRIMARY KEY, customer_id INTEGER);
		INSERT INTO bill VALUES (1, 99999, 0), (3, 99998, 0);
		CREATE TABLE stray (id INTEGER PRIMARY KEY, c INTEGER REFERENCES customer(id));
		CREATE VIEW rich AS SELECT * FROM customer WHERE worth > 100;
		CREATE TRIGGER log AFTER INSERT ON bill BEGIN SELECT 1; END;"
	whimbrel -o json assess bad.db >a.json
	troubles a.json | sort >found
	cat >want <<-'END'
	error bill: rows that refer to rows of customer which are not there: 2
	error raw.t: not UTF-8, or with a NUL inside: 1 of 2 texts
	note bill: trigger log
	note odd.big: whole numbers beyond 2^53: 42 of the values
	note odd.blank: blanks at an end: 1 of the values
	note odd.code: digits with zeros in front: 42 of the values
	note odd.day: kept as text, and all of them are dates as 2026-11-21
	note odd.gap: both NULL (15) and empty text (13)
	note odd.never: never filled
	note odd.none: a word for nothing: 10 of the values
	note odd.price: kept as text, and all of them are decimal numbers
	note remark.customer_id: looks like a reference to customer, but none is declared
	note rich: view rich
	note stray.c: refers to customer, and no index begins with it
	warning odd.comma: numbers with a decimal comma
	warning odd.de: dates as 21.11.2026, in text
	warning odd.many: declared INT, but 1 of 42 values are of another kind
	warning odd.us: dates as 11/21/2026 or 21/11/2026, in text
	warning odd: rows that are there already: 2
	warning odd: the table has no key, and no single column could be one
	END
	sort want | diff - found
	# people see the errors first
	whimbrel assess bad.db >a.txt
	[ "$(grep -nE '^  (error|warning|note) ' a.txt | head -2 | grep -c error)" = 2 ]
}

@test "a look is kept for an hour, the next one tells what has grown, and the clock decides" {
	sound crm.db
	whimbrel -o json assess crm.db >1.json
	sqlite3 crm.db "INSERT INTO customer SELECT id + 10000, name, born, worth FROM customer WHERE id <= 50; CREATE TABLE fresh (id INTEGER PRIMARY KEY)"
	whimbrel -o json assess crm.db >2.json
	[ "$(jq -r .assessment 2.json)" = "$(jq -r .assessment 1.json)" ]
	[ "$(jq .reused 2.json)" = true ]
	whimbrel -o json assess crm.db --anew >3.json
	[ "$(jq .reused 3.json)" = false ]
	[ "$(jq -c '.subjects[0].before.sets.customer.rows' 3.json)" = 3000 ]
	whimbrel assess last >3.txt
	grep -qE '^ +customer +3,050 .*\+50$' 3.txt
	grep -qE '^ +bill +3,000 .*as before$' 3.txt
	grep -qE '^ +fresh +0 .*new$' 3.txt
	[ "$(whimbrel -o json assess --list | jq -c '[.assessments[].assessment]')" = '["a-000002","a-000001"]' ]
	whimbrel assess a-000001 | grep -qE '^ +customer +3,000'
	[ "$(flow_count assessed)" = 2 ]
	whimbrel audit verify
}

@test "a folder of files: each by the store that knows it, the spec that is proposed is planned and applied as it is" {
	mkdir in
	sound in/crm.db
	printf 'id,when,amount,code\n1,2026-01-02,1.50,001\n2,2026-02-03,,002\n' >in/sales.csv
	printf '{"a":1,"b":"x"}\n{"a":2,"b":"y"}\n' >in/lines.jsonl
	echo hello >in/notes
	before=$(flow_digest in)
	whimbrel assess in --spec move.conf --html page.html >a.txt
	[ "$(flow_digest in)" = "$before" ]
	grep -q notes a.txt
	whimbrel run -q --yes move.conf
	flow_is completed
	[ "$(sqlite3 sales-csv-new.db 'SELECT id, "when", amount, code, typeof(id), typeof(amount) FROM sales')" = \
		'1|2026-01-02|1.5|001|integer|text
2|2026-02-03||002|integer|null' ]
	[ "$(sqlite3 crm-db-new.db 'SELECT count(*) FROM customer')" = 3000 ]
}

@test "what cannot be looked at is said, and what is called hostile stays text" {
	run whimbrel assess nowhere.db
	[ $status = 2 ]
	[[ "$output" == *"no such file or folder"* ]]
	echo hi >readme.txt
	run whimbrel assess readme.txt
	[ $status = 2 ]
	[[ "$output" == *"no store knows this file"*"begins with"*"--store"* ]]
	head -c 4096 /dev/zero >zero.db
	printf 'SQLite format 3' | dd of=zero.db conv=notrunc 2>/dev/null
	run whimbrel assess zero.db
	[ $status != 0 ]
	[[ "$output" == *zero.db* ]]
	: >empty.csv
	run whimbrel assess empty.csv
	[[ "$output" == *empty.csv* ]]
	sqlite3 evil.db "CREATE TABLE \"<script>alert(1)</script>\" (\"a&b\" TEXT, \"\"\"q\"\"\" TEXT);
		INSERT INTO \"<script>alert(1)</script>\" VALUES ('<img src=x onerror=y>', char(27) || '[2J')"
	whimbrel assess evil.db --html evil.html >evil.txt
	! grep -q $'\033' evil.txt
	! grep -qE '<script|<img' evil.html
	grep -q '&lt;script&gt;' evil.html
}

@test "two thousand columns, a million rows in little memory, and a look that nobody waits for ends" {
	columns=$(seq -f 'c%g' -s, 2000)
	sqlite3 -cmd '.limit column 2000' wide.db "CREATE TABLE wide ($columns); INSERT INTO wide VALUES ($(seq -s, 2000))"
	whimbrel -o json assess wide.db >wide.json
	[ "$(jq '[.subjects[0].findings[] | select(.kind == "column")] | length' wide.json)" = 2000 ]
	sqlite3 long.db "CREATE TABLE long (id INTEGER PRIMARY KEY, a TEXT, b INTEGER);
		WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c WHERE x < 1000000)
		INSERT INTO long SELECT x, 'text ' || x, x * 3 FROM c"
	whimbrel -o json assess long.db >long.json &
	asking=$!
	most=0
	while flow_lives $asking; do
		for pid in $(pgrep -x whimbrel-host -P "$(flow_engine)" || true); do
			kb=$(sed -n 's/^VmHWM:[^0-9]*\([0-9]*\).*/\1/p' /proc/$pid/status 2>/dev/null || echo 0)
			[ "${kb:-0}" -le $most ] || most=$kb
		done
		sleep 0.05
	done
	wait $asking
	[ "$(jq '.subjects[0].findings[] | select(.kind == "set") | .rows' long.json)" = 1000000 ]
	echo "# 1,000,000 rows looked at in $((most / 1024)) MB" >&3
	ldd "$WHIMBREL_HOST" | grep -q libasan || [ $most -lt 65536 ]
	timeout -s INT 0.3 whimbrel assess long.db --anew >/dev/null 2>&1 || true
	flow_until 5 sh -c '! pgrep -x whimbrel-host -P $(tr -dc 0-9 <"$WHIMBREL_STATE/lock")'
	[ "$(flow_count assessed)" -le 3 ]
}

@test "a plan's estimate is learnt from what such steps took here, and says so" {
	sound crm.db
	cat >spec.conf <<-END
	migration: { name = "move"; handler = "data"; source = { store = "sqlite"; path = "$T/crm.db"; };
		target = { store = "sqlite"; path = "$T/new.db"; }; };
	END
	whimbrel plan -q spec.conf
	whimbrel -o json show last | jq -e '[.steps[] | select(.op == "copy") | .estimate.basis | startswith("assumed")] | all'
	whimbrel apply -q last
	took=$(whimbrel -o json report last | jq '.steps[] | select(.id == "move/copy:customer") | .elapsed_ns')
	whimbrel rollback -q last
	whimbrel plan -q spec.conf
	whimbrel -o json show last >plan.json
	jq -e '[.steps[] | select(.op == "copy") | .estimate.basis | startswith("learnt: 1 earlier step")] | all' plan.json
	jq -e --argjson t "$took" '.steps[] | select(.id == "move/copy:customer") | .estimate | .p50_ns == $t and .p90_ns >= .p50_ns' plan.json
	# four times the rows take four times as long, and a plan that was learnt is the same change
	digest=$(jq -r .change_digest plan.json)
	sqlite3 crm.db "INSERT INTO customer SELECT id + 3000 * n, name, born, worth FROM customer, (SELECT 1 AS n UNION SELECT 2 UNION SELECT 3)"
	whimbrel plan -q spec.conf
	whimbrel -o json show last >plan.json
	jq -e --argjson t "$took" '.steps[] | select(.id == "move/copy:customer") | .estimate.p50_ns | . > 3.9 * $t and . < 4.1 * $t' plan.json
	[ "$(jq -r .change_digest plan.json)" = "$digest" ]
}
