/* property/mappings.c - mappings drawn at random, senseless ones too: each is refused, or is done and verified, or leaves nothing; and no
 * process of a handler ever dies of one.
 * In: WBL_PROPERTY_SEED (1), WBL_PROPERTY_MAPPINGS (60); WBL_BUILD.  Out: TAP; of a failure the spec, kept with the folder.
 * New options of columns and tables go into the lists below.
 * req: D5 D7 D8 H3
 * SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "property.h"

static const char *pick(struct draw *d, const char *const *list, size_t n)
{
	return list[draw_below(d, n)];
}

#define PICK(d, list) pick(d, list, WBL_COUNT(list))

static const char *const columns[] = { "id", "name", "born", "at", "price", "ratio", "doc", "kind",
	"raw", "gone", "nowhere" };
static const char *const tables[] = { "person", "person", "person", "person", "person", "person",
	"person", "person", "person", "person", "small", "empty", "absent" };
static const char *const expressions[] = { "id + 1", "concat(name, '-', kind)",
	"dec_mul(price, '1.19')", "dec_div(price, id - 3, 4)", "price + 1",
	"CASE kind WHEN 'a' THEN 1 ELSE 'x' END", "upper(nowhere)", "date_add(born, id, 'month')",
	"to_local(at, 'Europe/Berlin')", "json_extract(doc, '$.a[0]')", "part(name, ' ', -1)", "(",
	"1 / (id - 5)", "substr(raw, 2)", "CAST(ratio AS INT)", "NULL", "source_table()",
	"dec_sum(price, ratio)", "length(name) * 9223372036854775807",
	"coalesce(gone, name, 'none')", "name || char(0)", "-(-9223372036854775807 - id)" };
static const char *const sources[] = {
	"generate = { kind = \"sequence\"; start = 9223372036854775800L; step = 3; };",
	"generate = { kind = \"uuid\"; namespace = \"6ba7b810-9dad-11d1-80b4-00c04fd430c8\"; of = "
	"( \"id\", \"name\" ); };",
	"generate = { kind = \"hash\"; of = ( \"nowhere\" ); };", "value = \"7\";", "value = \"\";",
	"expr = \"name\";", "expr = \"count(*)\";", "expr = \"1); DROP TABLE person; --\";"
};
static const char *const options[] = { "trim = true;", "null_if = \"a\";", "null_if = \"\";",
	"not_null = true;", "default = \"1\";", "default = \"x\";",
	"map = ( { from = \"a\"; to = \"1\"; }, { from = \"b\"; to = \"\"; } );",
	"map = ( ); otherwise = \"null\";", "otherwise = \"keep\";",
	"map = ( { from = \"a\"; to = \"b\"; }, { from = \"a\"; to = \"c\"; } );",
	"map = ( { from = \"a\"; to = \"b\"; } ); otherwise = \"keep\";",
	"format = ( \"%d.%m.%Y\" );", "format = ( \"%Y-%m-%d\" ); zone = \"Europe/Berlin\";",
	"zone = \"Nowhere/At_All\";", "zone = \"Europe/Berlin\"; zone_change = \"earlier\";",
	"format = ( \"%q\" );", "mask = { how = \"null\"; };",
	"mask = { how = \"fixed\"; value = \"0\"; };",
	"mask = { how = \"hash\"; key = \"env:WBL_PROPERTY_KEY\"; };",
	"mask = { how = \"partial\"; keep = 2; };",
	"mask = { how = \"email\"; key = \"env:WBL_PROPERTY_KEY\"; };",
	"mask = { how = \"shift\"; days = 10; by = \"id\"; key = \"env:WBL_PROPERTY_KEY\"; };",
	"mask = { how = \"hash\"; key = \"short\"; };",
	"lookup = { table = \"small\"; key = \"k\"; value = \"v\"; missing = \"null\"; };",
	"lookup = { table = \"small\"; key = \"v\"; value = \"k\"; };",
	"lookup = { table = \"absent\"; key = \"k\"; value = \"v\"; };" };
static const char *const wheres[] = { "where = \"id < 20\";", "where = \"id <\";",
	"filter = \"id % 3 = 0\";", "filter = \"name\";", "filter = \"price > 1\";",
	"filter = \"kind = 'a'\"; rest = \"reject\";", "mode = \"merge\";", "mode = \"append\";",
	"mode = \"empty\";",
	"indexes = ( { name = \"i\"; columns = ( \"c0\" ); unique = true; } );",
	"indexes = ( { name = \"i\"; columns = ( \"zz\" ); } );",
	"foreign_keys = ( { columns = ( \"c0\" ); to = \"t0\"; } );",
	"changes = { by = \"digest\"; deletes = \"apply\"; };", "reject_percent = 100.0;" };
static const char *const overall[] = { "reject_percent = 100.0;",
	"reject_percent = 100.0; rejects = \"rejects.jsonl\";", "reject_limit = 3;", "",
	"chunk_rows = 7;", "verify = { mode = \"sample\"; percent = 30; };",
	"existing = \"merge\"; reject_percent = 100.0;", "precheck = true;", "tidy = false;",
	"chunk_rows = 5; reject_percent = 100.0;" };

static void add_column(struct draw *d, int i, struct wbl_buf *b)
{
	size_t how = draw_below(d, 8), k = draw_below(d, WBL_COUNT(options));

	wbl_buf_addf(b, "%s{ name = \"c%d\"; ", i ? ", " : "", draw_below(d, 60) ? i : 0);
	if (how < 2) {
		wbl_buf_adds(b, "compute = ");
		wbl_buf_quote(b, PICK(d, expressions));
		wbl_buf_adds(b, "; ");
	} else if (how < 3) {
		wbl_buf_addf(b, "%s ", PICK(d, sources));
	} else {
		wbl_buf_addf(b, "from = \"%s\"; ",
			columns[draw_below(d, WBL_COUNT(columns) - (draw_below(d, 12) ? 1 : 0))]);
	}
	if (!draw_below(d, 3))
		wbl_buf_addf(b, "type = \"%s\"; ", type_name((int)draw_below(d, TYPES)));
	if (!draw_below(d, 3))
		wbl_buf_addf(b, "%s ", options[k]);
	wbl_buf_adds(b, "}");
}

static void write_spec(struct draw *d, const char *dir)
{
	static const char *const targets[] = { "store = \"sqlite\"; path = \"new.db\";",
		"store = \"sqlite\"; path = \"new.db\";",
		"store = \"jsonl\"; path = \"out\"; as = \"tables\";",
		"store = \"csv\"; path = \"out\"; as = \"tables\";" };
	WBL_AUTOFREE char *path = wbl_strf("%s/spec.conf", dir);
	size_t ntables = 1 + draw_below(d, 2), t, ncols, i;
	struct wbl_buf b = { 0 };
	FILE *f = fopen(path, "we");

	wbl_buf_addf(&b,
		"migration: { name = \"drawn\"; handler = \"data\"; backoff = \"1ms\"; attempts = "
		"2;\nsource = { store = \"sqlite\"; path = \"old.db\"; };\n"
		"target = { %s };\noptions = { %s tables = (\n",
		PICK(d, targets), PICK(d, overall));
	for (t = 0; t < ntables; t++) {
		ncols = 1 + draw_below(d, 4);
		wbl_buf_addf(&b, "%s{ from = \"%s\"; to = \"t%zu\"; ", t ? ",\n" : "",
			PICK(d, tables), draw_below(d, 30) ? t : 0);
		if (!draw_below(d, 3))
			wbl_buf_addf(&b, "key = ( \"c%zu\" ); ",
				draw_below(d, 10) ? draw_below(d, ncols) : 9);
		if (!draw_below(d, 4))
			wbl_buf_addf(&b, "%s ", PICK(d, wheres));
		wbl_buf_adds(&b, "columns = ( ");
		for (i = 0; i < ncols; i++)
			add_column(d, (int)i, &b);
		wbl_buf_adds(&b, " ); }");
	}
	wbl_buf_adds(&b, " ); }; };\n");
	if (!f || fwrite(b.data, 1, b.len, f) != b.len || fclose(f))
		exit(2);
	wbl_buf_clear(&b);
}

static const char source[] =
	"CREATE TABLE person (id INTEGER PRIMARY KEY, name TEXT, born TEXT, at TEXT, price TEXT, "
	"ratio REAL, doc TEXT, kind TEXT, raw BLOB, gone);"
	"WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < 40) INSERT INTO "
	"person SELECT i, 'Name ' || i, "
	"date('1960-01-31', i || ' months'), strftime('%Y-%m-%dT%H:%M:%SZ', '2026-03-29', i || ' "
	"hours'), printf('%d.%02d', i, i * 7 % 100), i / 7.0, "
	"json_object('a', json_array(i, 'x')), substr('abcd', i % 4 + 1, 1), CASE WHEN i % 5 THEN "
	"zeroblob(i) END, NULL FROM c;"
	"INSERT INTO person (id, name, price, ratio, at) VALUES (100, '', '', 1e300, 'soon'), "
	"(101, char(233, 0, 10), '-0.00', 9e999, '2026-13-01'),"
	" (102, CAST(x'ff' AS TEXT), '1e5', -0.0, NULL), (9223372036854775807, 'last', "
	"'99999999999999999999', 0.1, '2026-01-01');"
	"CREATE TABLE small (k TEXT, v TEXT); INSERT INTO small VALUES ('a', 'one'), ('b', 'two'), "
	"('c', 'two'), (NULL, 'none');"
	"CREATE TABLE empty (id INTEGER, name TEXT);";

/* NULL when the end of the run is one that may be. */
static const char *one(const char *dir, int *ret_done)
{
	WBL_AUTOFREE char *run =
		wbl_strf("cd '%s' && rm -rf new.db* out out.whimbrel rejects.jsonl && timeout 60 "
			 "whimbrel run -q --yes spec.conf >log 2>&1",
			dir);
	WBL_AUTOFREE char *died = wbl_strf("grep -aEq \"handler's process|internal error|expected "
					   "this row|expected no such row\" '%s/log'",
		dir);
	WBL_AUTOFREE char *there = wbl_strf(
		"[ -n \"$(cd '%s' && ls -d new.db* out out.whimbrel rejects.jsonl 2>/dev/null)\" ]",
		dir);
	int status = system(run);

	*ret_done = status == 0;
	if (WIFEXITED(status) && WEXITSTATUS(status) == 124)
		return "it takes more than a minute";
	if (!system(died))
		return "a process died, or rows differ";
	if (status && !system(there))
		return "it failed, and something is left behind";
	return NULL;
}

int mappings(const char *dir, uint64_t seed, long count)
{
	WBL_AUTOFREE char *path = wbl_strf("%s/old.db", dir);
	struct draw d = { seed * 7919 };
	const char *why = NULL;
	sqlite3 *db;
	long i, completed = 0;
	int done;

	if (sqlite3_open(path, &db) || sqlite3_exec(db, source, NULL, NULL, NULL))
		exit(2);
	sqlite3_close(db);
	for (i = 0; i < count && !why; i++) {
		write_spec(&d, dir);
		why = one(dir, &done);
		completed += done;
	}
	if (why)
		printf("# seed %llu, mapping %ld: %s; kept: %s/spec.conf, log\n",
			(unsigned long long)seed, i - 1, why, dir);
	printf("%sok 2 - %ld drawn mappings: %ld done and verified, all others refused or taken "
	       "back (seed %llu)\n",
		why ? "not " : "", i, completed, (unsigned long long)seed);
	return why != NULL;
}
