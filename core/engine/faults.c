/* engine/faults.c - deaths on demand.
 * SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "core/engine/faults.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool is_due(const char *what, int64_t *count)
{
	const char *ask = secure_getenv("WBL_TEST_FAULT");
	size_t n = strlen(what);

	if (!ask || strncmp(ask, what, n) || ask[n] != ':')
		return false;
	return ++*count == strtoll(ask + n + 1, NULL, 10);
}

bool wbl_fault_point(struct wbl_engine *e, const char *name)
{
	static int64_t hosts, engines;
	const char *file = secure_getenv("WBL_TEST_FAULTS");
	FILE *f = file ? fopen(file, "ae") : NULL;

	if (f) {
		fprintf(f, "%s\n", name);
		fclose(f);
	}
	if (is_due("engine", &engines))
		kill(getpid(), SIGKILL);
	return is_due("host", &hosts);
}

void wbl_fault_commit(struct wbl_engine *e)
{
	static int64_t commits;

	if (is_due("commit-host", &commits))
		wbl_hosts_shoot(e);
}
