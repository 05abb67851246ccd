#!/usr/bin/env bats
# The recipes of docs/cookbook.md: the commands of each are taken from the page and typed in a folder of their own, then sqlite3 and jq judge
# what came out. Excerpts of specs on the page are those of the installed files.
# req: D1 D2 D4 D5 D6 X7 W2
# SPDX-License-Identifier: Apache-2.0
load functions
setup() { flow_setup; export SPECS=$WBL_SRC/templates/specs; }
teardown()
{
	local d
	for d in "$T"/[0-9]*; do
		[ ! -d "$d/state" ] || whimbrel --state "$d/state" stop || true
	done
	flow_teardown
}

page() { cat "$WBL_SRC/docs/cookbook.md"; }

# recipe N: the commands of section N, after those that set up all of them.
recipe()
{
	{
		echo 'set -e'
		page | awk '/^```sh setup$/ { on = 1; next } /^```$/ { on = 0 } on'
		page | awk -v n="## $1. " '/^## / { here = index($0, n) == 1 } /^```sh$/ { on = here; next } /^```$/ { on = 0 } on'
	} >recipe.sh
	[ "$(wc -l <recipe.sh)" -gt 5 ]
	export WHIMBREL_STATE=$PWD/state
	run bash recipe.sh
	echo "$output"
	[ "$status" -eq 0 ]
}

rows() { sqlite3 "$1" "$2"; }

@test "the page: every recipe is tested here, every spec that it names is there, excerpts are exact" {
	[ "$(page | grep -c '^## [0-9]*\. ')" -eq 15 ]
	[ "$(grep -c '^	recipe [0-9]' "$BATS_TEST_FILENAME")" -eq 15 ]
	page | grep -o '\$SPECS/[a-z-]*\.conf' | sort -u | while read -r f; do
		[ -e "$WBL_SRC/templates/specs/${f#*/}" ]
	done
	page | grep -o '(../templates/specs/[a-z-]*\.conf)' | tr -d '()' | sort -u | while read -r f; do
		[ -e "$WBL_SRC/docs/$f" ]
	done
	cat "$WBL_SRC"/templates/specs/*.conf | tr -s ' \t' ' ' >all
	page | awk '/^```conf$/ { on = 1; next } /^```$/ { on = 0 } on' | tr -s ' \t' ' ' | while IFS= read -r line; do
		grep -qF -- "$line" all || { echo "in no spec: $line"; exit 1; }
	done
	# Each link of the table leads to a heading.
	page | grep -o '](#[^)]*)' | tr -d '](#)' | sort -u | while read -r a; do
		page | sed -n 's/^## //p' | tr 'A-Z ' 'a-z-' | tr -d '.,' | grep -qxF -- "$a" || { echo "leads nowhere: $a"; exit 1; }
	done
}

@test "load, rename, split, merge" {
	mkdir 1 2 3 4
	cd "$T/1"
	recipe 1
	[[ "$output" == *"3 rows copied, 3 found, every one equal"* ]]
	[ "$(rows orders.db 'SELECT * FROM orders ORDER BY 1')" = "1|Ada|2026-11-02|12.5
2|Grace|2026-11-03|1234567890123456.78
3|Turing, Alan|2026-11-03|0.1" ]
	cd "$T/2"
	recipe 2
	[ "$(rows new.db 'SELECT *, typeof(id), typeof(weight) FROM article ORDER BY 1')" = "7|Lamp|19.9|1|1.25|TBL_ART|integer|real
8|Chair|120|0||TBL_ART|integer|null" ]
	cd "$T/3"
	recipe 3
	[ "$(rows people.db "SELECT id, family, coalesce(given, 'none'), address FROM person ORDER BY 1")" = \
"1|Lovelace|Ada King|12 St James's Square, SW1Y 4JH London
2|Hopper|Grace|22211 Arlington
3|Voltaire|none|" ]
	cd "$T/4"
	recipe 4
	[ "$(rows all.db 'SELECT * FROM sale ORDER BY 1, 2')" = "2025|1|10
2025|2|20.5
2026|1|7.25" ]
}

@test "look up, read German, mask" {
	mkdir 5 6 7
	cd "$T/5"
	recipe 5
	[ "$(rows visits.db 'SELECT * FROM visit ORDER BY 1')" = "1|Germany|arrived
2|Poland|cancelled
3|Germany|unknown" ]
	cd "$T/6"
	recipe 6
	[ "$(rows export.db "SELECT number, coalesce(text, 'NULL'), day, booked, amount FROM booking ORDER BY 1")" = \
"1|Löwenbräu für Gäste|2026-11-21|2026-11-21T12:14:00Z|1234.5
2|Nachzahlung; zweite Rate|2026-03-01|2026-10-25T00:30:00Z|-12
3|NULL|2026-12-31|2026-12-31T22:59:00Z|0.1" ]
	cd "$T/7"
	recipe 7
	[ "$(rows test.db 'SELECT count(*) FROM customer JOIN login USING (email)')" -eq 2 ]
	[ "$(rows test.db "SELECT count(*) FROM customer WHERE length(name) = 32 AND note IS NULL AND phone GLOB '[*]*[0-9][0-9][0-9]'
		AND born NOT IN ('1815-12-10', '1906-12-09')")" -eq 2 ]
	! grep -rlaE 'Lovelace|Hopper|ada@|grace@|owes' test.db state
}

@test "correct rejects, keep in step, export" {
	mkdir 8 9 10
	cd "$T/8"
	recipe 8
	[ "$(wc -l <rejects.jsonl)" -eq 2 ]
	[ "$(rows members.db 'SELECT count(*), sum(number), max(CASE number WHEN 400 THEN name END) FROM member')" = "400|80200|Grace" ]
	[ "$(rows members.db 'SELECT born FROM member WHERE number = 399')" = 1815-12-10 ]
	cd "$T/9"
	recipe 9
	[[ "$output" == *"1 difference is told: whimbrel report r-000004"* ]]
	[ "$(rows reports.db 'SELECT * FROM product ORDER BY 1')" = "1|Lamp|18
3|Desk|310
4|Shelf|80" ]
	[ "$(wc -l <decisions.jsonl)" -eq 1 ]
	whimbrel verify last
	cd "$T/10"
	recipe 10
	zcat product.jsonl.gz >out
	[ "$(wc -l <out)" -eq 2 ]
	grep -q '"id": *9007199254740993' out
	jq -es 'sort_by(.id) | .[0].name == "Desk \"big\"" and .[0].tags == {} and .[1].tags == ["light", "home"]' out
}

@test "folders, copies of others, the way back" {
	mkdir 11 12 13
	cd "$T/11"
	recipe 11
	[[ "$output" == *"Ada|2"*"Grace|1"* ]]
	[ "$(rows delivery.db 'SELECT id, customer, total FROM invoice ORDER BY 1')" = "10|1|99.9
11|2|5
12|1|0.5" ]
	cd "$T/12"
	recipe 12
	[[ "$output" == *"1 added, 1 changed, 1 as they were"* ]]
	[ "$(rows copy.db 'SELECT * FROM product ORDER BY 1')" = "1|Lamp|19.9
2|Chair|120
4|Shelf|80" ]
	whimbrel apply -q last
	[ "$(rows copy.db 'SELECT * FROM product ORDER BY 1')" = "1|Lamp|19.90
2|Chair|120
3|Desk|300
4|Shelf|80" ]
	cd "$T/13"
	recipe 13
	[ "$(rows shop.db 'SELECT * FROM product ORDER BY 1')" = "1|Lamp|19.9|7
2|Chair|120|1
3|Desk|300|1" ]
	rows shop.db 'UPDATE product SET stock = 2 WHERE id = 2'
	rows shop.db .dump | cmp - before.sql
}

@test "assess, append" {
	mkdir 14 15
	cd "$T/14"
	recipe 14
	grep -q '</html>' crm.html
	whimbrel -o json assess last >a.json
	jq -e '[.subjects[].findings[] | select(.kind == "trouble") | .set + "." + (.column // "")] | index("bill.customer_id") and index("customer.rating")' a.json
	whimbrel -o json show last | jq -e '.steps | length > 3'
	cd "$T/15"
	recipe 15
	[ "$(rows log.db 'SELECT * FROM event ORDER BY 1')" = "1|start
2|stop
3|start
4|stop" ]
	jq -es 'length == 1 and .[0].record.id == "2"' not-taken.jsonl
}
