/* property/property.c - drawn tables with values at every edge, through every pair of stores and back: nothing is changed, and what
 * a store cannot hold is refused row by row.
 * In: WBL_PROPERTY_SEED (1), WBL_PROPERTY_CASES (40), WBL_PROPERTY_SECONDS (no end by time); WBL_BUILD, or whimbrel in PATH.  Out: TAP; of a failure
 * the least table that still fails, its seed, and the folder.
 * req: D9 D6 D5 D7
 * SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "property.h"

enum { AT_ONCE = 20 };

static char dir[256];

static void prepare(void)
{
	const char *build = getenv("WBL_BUILD"), *tmp = getenv("TMPDIR");

	snprintf(dir, sizeof dir, "%s/wblproperty.XXXXXX",
		access("/dev/shm", W_OK) ? tmp ? tmp : "/tmp" : "/dev/shm");
	if (!mkdtemp(dir)) {
		perror(dir);
		exit(2);
	}
	if (build) {
		WBL_AUTOFREE char *path = wbl_strf("%s:%s", build, getenv("PATH"));
		WBL_AUTOFREE char *mods = wbl_strf("%s/plugins/mods/.libs", build);
		WBL_AUTOFREE char *host = wbl_strf("%s/whimbrel-host", build);

		setenv("PATH", path, 1);
		setenv("WHIMBREL_HANDLERS", mods, 1);
		setenv("WHIMBREL_HOST", host, 1);
	}
	WBL_AUTOFREE char *state = wbl_strf("%s/state", dir);
	WBL_AUTOFREE char *config = wbl_strf("%s/config", dir);

	setenv("WHIMBREL_STATE", state, 1);
	setenv("WHIMBREL_CONFIG", config, 1);
	setenv("NO_COLOR", "1", 1);
	setenv("WBL_PROPERTY_KEY", "0123456789abcdef0123", 1); /* of masks */
	setenv("LC_ALL", "C.UTF-8", 1);
}

static void remove_folder(void)
{
	WBL_AUTOFREE char *cmd = wbl_strf("rm -rf '%s'", dir);

	if (system(cmd))
		fprintf(stderr, "%s stays\n", dir);
}

/* Two orders of the nine moves are taken in turn, so an even number of batches sees both. */
static bool one_batch(uint64_t seed, int batch, size_t n, size_t *ret_rows)
{
	struct draw d = { seed * 1000003 + (uint64_t)batch };
	const struct table *list[AT_ONCE];
	struct table t[AT_ONCE];
	struct walk w;
	int hop = 0, table = -1;
	char *why;
	bool good;
	size_t i;

	walk_draw(&d, batch, &w);
	for (i = 0; i < n; i++) {
		/* Lines that hold whole numbers only give their column that type, and then its numbers may be quoted. */
		table_draw(&d, (int)i, strcmp(w.quoting, "all") != 0, &t[i]);
		list[i] = &t[i];
		*ret_rows += t[i].nrows;
	}
	why = walk_go(&w, list, n, dir, HOPS, &hop, &table);
	if (why) {
		printf("# seed %llu, batch %d: move %d (%c to %c)%s%s: %s\n",
			(unsigned long long)seed, batch, hop, w.order[hop], w.order[hop + 1],
			table >= 0 ? ", table " : "", table >= 0 ? t[table].name : "", why);
		printf("# again: WBL_PROPERTY_SEED=%llu WBL_PROPERTY_BATCH=%d tests/bin/property\n",
			(unsigned long long)seed, batch);
		fflush(stdout);
		shrink(&w, t, n, dir, hop, table);
	}
	good = !why;
	draw_forget();
	free(why);
	return good;
}

static long number(const char *name, long other)
{
	const char *s = getenv(name);

	return s && *s ? strtol(s, NULL, 10) : other;
}

int main(void)
{
	uint64_t seed = (uint64_t)number("WBL_PROPERTY_SEED", 1);
	long cases = number("WBL_PROPERTY_CASES", 40), seconds = number("WBL_PROPERTY_SECONDS", 0),
	     only = number("WBL_PROPERTY_BATCH", -1), batch = only >= 0 ? only : 0, done = 0;
	time_t began = time(NULL);
	size_t rows = 0;
	bool good = true;

	puts("1..2");
	prepare();
	while (good && (only >= 0        ? batch == only
			       : seconds ? time(NULL) - began < seconds
					 : done < cases)) {
		size_t n = seconds || cases - done > AT_ONCE || only >= 0 ? AT_ONCE
									  : (size_t)(cases - done);

		good = one_batch(seed, (int)batch++, n, &rows);
		done += (long)n;
	}
	printf("%sok 1 - %ld drawn tables, %zu rows, through nine pairs of stores and back (seed "
	       "%llu, %ld s)\n",
		good ? "" : "not ", done, rows, (unsigned long long)seed,
		(long)(time(NULL) - began));
	fflush(stdout);
	if (good)
		good = !mappings(dir, seed, number("WBL_PROPERTY_MAPPINGS", 60));
	else
		puts("ok 2 # SKIP the first has failed");
	walk_end(dir);
	if (good)
		remove_folder();
	return !good;
}
