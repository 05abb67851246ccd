/* tests/power/replay.c - from a recorder's log, the folder as it could be found after a loss of power.
 *   replay LOG --count                                     how many records
 *   replay LOG --syncs                                     the records that end a sync, one number a line
 *   replay LOG OUTDIR --cut N --variant drop|keep|some --seed S
 *   replay LOG --compare ROOT                              does the log tell all that was done to ROOT?
 * SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/file.h"
#include "disk.h"

struct options {
	const char *log, *out, *compare, *variant;
	bool count, syncs;
	int64_t cut;
	uint64_t seed;
};

static int usage(void)
{
	fputs("usage: replay LOG OUTDIR --cut N [--variant drop|keep|some] [--seed S]\n"
	      "       replay LOG --count | --syncs | --compare ROOT\n",
		stderr);
	return 2;
}

static bool parse(int argc, char **argv, struct options *o)
{
	int i;

	*o = (struct options){ .variant = "drop", .cut = INT64_MAX };
	for (i = 1; i < argc; i++) {
		const char *value = i + 1 < argc ? argv[i + 1] : NULL;

		if (!strcmp(argv[i], "--count"))
			o->count = true;
		else if (!strcmp(argv[i], "--syncs"))
			o->syncs = true;
		else if (argv[i][0] != '-' && !o->log)
			o->log = argv[i];
		else if (argv[i][0] != '-' && !o->out)
			o->out = argv[i];
		else if (!value)
			return false;
		else if (i++, !strcmp(argv[i - 1], "--cut"))
			o->cut = strtoll(value, NULL, 10);
		else if (!strcmp(argv[i - 1], "--variant"))
			o->variant = value;
		else if (!strcmp(argv[i - 1], "--seed"))
			o->seed = strtoull(value, NULL, 10);
		else if (!strcmp(argv[i - 1], "--compare"))
			o->compare = value;
		else
			return false;
	}
	return o->log && (o->count || o->syncs || o->compare || o->out);
}

static int32_t rebuild(struct disk *d, const struct options *o, struct wbl_error *err)
{
	static const char *const names[] = { "drop", "keep", "some" };
	size_t how;
	int32_t rc;

	for (how = 0; how < WBL_COUNT(names) && strcmp(names[how], o->variant); how++)
		;
	if (how == WBL_COUNT(names))
		return wbl_fail(err, WBL_E_USAGE, "--variant", "Use drop, keep or some.",
			"there is no variant %s", o->variant);
	rc = disk_advance(d, o->cut, err);
	return rc ? rc : disk_write(d, o->out, (enum disk_variant)how, o->seed, err);
}

/* SQLite's -shm is changed through a mapping: nobody's memory of it counts after a loss. */
static int32_t compare(struct disk *d, const char *root, struct wbl_error *err)
{
	char dir[] = "/tmp/wbl-replay-XXXXXX";
	WBL_AUTOFREE char *out = NULL, *diff = NULL, *clean = NULL;
	int32_t rc = disk_advance(d, INT64_MAX, err);

	if (rc)
		return rc;
	if (!mkdtemp(dir))
		return wbl_fail_errno(err, WBL_E_DISK, dir, NULL, "cannot be made");
	out = wbl_strf("%s/out", dir);
	diff = wbl_strf("diff -r --no-dereference -x '*-shm' '%s' '%s'", root, out);
	clean = wbl_strf("rm -rf '%s'", dir);
	rc = disk_write(d, out, DISK_KEEP, 0, err);
	if (!rc && system(diff))
		rc = wbl_fail(err, WBL_E_MISMATCH, root,
			"Wrap the call that the recorder did not see.",
			"holds what the log does not tell");
	if (system(clean))
		fprintf(stderr, "%s stays\n", dir);
	return rc;
}

int main(int argc, char **argv)
{
	struct wbl_error err = { 0 };
	struct disk *d = NULL;
	struct options o;
	int64_t i;
	int32_t rc;

	if (!parse(argc, argv, &o))
		return usage();
	rc = disk_open(o.log, &d, &err);
	if (!rc && o.count)
		printf("%lld\n", (long long)disk_count(d));
	for (i = 1; !rc && o.syncs && i <= disk_count(d); i++)
		if (disk_is_sync(d, i))
			printf("%lld\n", (long long)i);
	if (!rc && o.out)
		rc = rebuild(d, &o, &err);
	if (!rc && o.compare)
		rc = compare(d, o.compare, &err);
	disk_free(d);
	if (rc)
		fprintf(stderr, "replay: %s: %s\n", err.where, err.text);
	return rc ? 1 : 0;
}
