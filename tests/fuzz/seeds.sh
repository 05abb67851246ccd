#!/bin/sh
# fuzz/seeds.sh NAME FOLDER - small inputs that a target begins with, so that it is behind the first gate at once; and a dictionary.
# In: the target's name without "fuzz_".  Out: files in FOLDER, FOLDER.dict; nothing for a target that needs none.
# SPDX-License-Identifier: Apache-2.0
set -eu
name=$1 to=$2
seed() { cat >"$to/seed$(ls "$to" | wc -l)"; }

# Behind expression and format seven values: a kind (0 int, 1 real, 2 decimal, 3 instant, 4 date, 5 json, 7 text, 8 NULL), a length, the text.
data_map() {
	while IFS=';' read -r expression format; do
		{ printf '%s\000%s\000' "$expression" "$format"; printf '\000\0015\001\0031.5\002\00512.50\003\0242026-11-21T13:14:15Z\004\0122024-02-29\005\017{"k":[1,{"m":2}]}\007\005a-b-c'; } | seed
	done <<-'TXT'
	dec_add(d, '1.5');%Y-%m-%d
	dec_mul(dec_sub(d, 3), dec_neg(d));%Y-%m-%dT%H:%M:%S.%f%z
	dec_div(d, '0.07', 20, 'half_even');%d.%m.%y %I:%M %p
	dec_round(d, 1, 'ceiling') || dec_round(d, 0, 'down');%j %Y
	dec_cmp(d, dec_max(d, 1, '2.25')) = dec_sum(dec_abs(d), NULL);%s
	dec_min(d, a) <> 12.5 OR d IS NULL;%e %b %Y
	date_add(day, 1, 'month');%A, %d %B %Y
	date_diff(at, '2020-01-01T00:00:00Z', 'day');%a %-d %h
	date_part(at, 'weekday') + date_part(day, 'week');%T %F %%
	date_format(at, '%d.%m.%Y %H:%M');%m/%d/%y
	date_parse("x y", '%Y-%m');%Y%m%d
	to_local(at, 'Europe/Berlin');%Y-%m-%d %H:%M:%S %z
	to_instant('2026-03-29T02:30:00', 'Europe/Berlin', 'later');%Y
	date_of(at) = day;%H%M%S
	concat_ws('-', part("x y", '-', -1), upper("x y"), NULL);%Y
	CASE WHEN a IN (1, 2, 5) THEN 'one' WHEN a BETWEEN 3 AND 4 THEN b ELSE CAST("x y" AS TEXT) END;%Y
	CAST(d AS INT) % 3 = 0 AND NOT "x y" LIKE '%b_';%Y
	coalesce(nullif(a, 5), iif(a > 3, b, NULL), max(a, 1), min(a, b));%Y
	json_extract(j, '$.k[1].m') + length(j->>'$.k');%Y
	json_decimal(j, '$.k[0]');%Y
	json_set(json_object('a', json_array(a, "x y")), '$.b', json(j));%Y
	replace(substr("x y", 2, 3), '-', char(33)) GLOB '*!*';%Y
	abs(a) << 2 | 1 & ~ 7 - -a * 3 / 2;%Y
	round(b, 1) + floor(b) * ceil(b) - sqrt(4.0) / sign(b);%Y
	hex("x y") || quote(a) || typeof(b) || source_table();%Y
	TXT
	for word in dec_add dec_sub dec_mul dec_div dec_round dec_cmp dec_neg dec_abs dec_sum dec_max dec_min date_add date_diff date_part \
		date_of date_format date_parse to_instant to_local concat concat_ws part substr replace trim coalesce nullif iif json_extract \
		json_decimal json_object json_array CASE WHEN THEN ELSE END CAST AS BETWEEN LIKE GLOB 'IS NULL' half_up Europe/Berlin month; do
		echo "\"$word\""
	done >"$to.dict"
}

# `tables` as an operator's spec has them.
data_options() {
	seed <<-'TXT'
	[{"from":"t","to":"x","key":["id"],"columns":[{"name":"id","type":"int"},{"name":"n","from":"name","trim":true,"null_if":""},{"name":"p","compute":"dec_add(price, '1.5')","type":"decimal"},{"name":"d","from":"at","type":"text","format":["%d.%m.%Y"],"zone":"Europe/Berlin"}],"indexes":[{"name":"i","columns":["n"]}]}]
	TXT
	seed <<-'TXT'
	[{"from_all":["t","u"],"to":"x","filter":"id > 3","columns":[{"name":"id"},{"name":"k","value":"5","type":"int"},{"name":"g","generate":{"kind":"uuid","of":["id"]}}]},{"from":"t","to":"y","where":"id < 3","rest":"reject","reject_limit":5}]
	TXT
	seed <<-'TXT'
	[{"from":"t","key":["id"],"mode":"merge","columns":[{"name":"id"},{"name":"m","from":"name","map":[{"from":"a","to":"b"}],"otherwise":"keep"},{"name":"z","from":"name","mask":{"how":"partial","keep":2}}],"foreign_keys":[{"columns":["id"],"to":"u","to_columns":["id"]}]}]
	TXT
	for word in from to from_all key columns name type compute expr value filter where rest map otherwise lookup mask generate format zone default \
		indexes foreign_keys unique to_columns mode not_null trim null_if decimal instant text int any; do
		echo "\"\\\"$word\\\"\""
	done >"$to.dict"
}

csv_rows() {
	printf '\020\004id,name\n1,"a ""b"",\n c"\n-2.50,x\n' | seed
	printf '\020\074id,b\n1,\\x00ff\n#no\n,NULL\n1e300,"5"\n' | seed
	printf '\000\103a;b;\n1;2;\n3;4;5\n' | seed
	printf '\061\000\377\376i\000d\000\n\0001\000\n\000' | seed
	printf '\030\000id,t\n1,"a\\"b\\\\"\n2,\r\n' | seed
	printf '\020\000id\n1\n2\n' | gzip -n | { printf '\020\000'; cat; } | seed
	printf '%s\n' '"\""' '"\\\\x"' '","' '"\x0a"' '"NaN"' '"e5"' >"$to.dict"
}

jsonl() {
	printf '\001{"id":1,"s":"a\\u00e9\\ud83d\\ude00","n":null,"o":{"x":[1.50,true]}}\n{"id":9007199254740993,"s":""}\n' | seed
	printf '\001[{"id":{"$base64":"AAE="}},{"id":{"$real":"0.5"}},{"id":{"$json":null}}]' | seed
	printf '\002{"a.b":1,"a":{"b":2}}\r\n{"a":{"b":-0.0e1}}' | seed
	printf '\001{"t":{"$instant":"2026-11-21T13:14:15.120Z"},"d":{"$date":"2026-11-21"}}\n' | seed
	printf '%s\n' '"{\"$base64\":"' '"{\"$real\":"' '"{\"$json\":"' '"\\ud83d"' '"null"' '"e400"' >"$to.dict"
}

case $name in
data_map | data_options | csv_rows | jsonl) "$name" ;;
esac
