/* conform/confine.c - Landlock by its system calls; the C library has no functions for it.
 * SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "core/conform/confine.h"

#include <fcntl.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <linux/landlock.h>

#define WRITES                                                                                     \
	(LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_REMOVE_DIR |                           \
		LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_MAKE_CHAR |                    \
		LANDLOCK_ACCESS_FS_MAKE_DIR | LANDLOCK_ACCESS_FS_MAKE_REG |                        \
		LANDLOCK_ACCESS_FS_MAKE_SOCK | LANDLOCK_ACCESS_FS_MAKE_FIFO |                      \
		LANDLOCK_ACCESS_FS_MAKE_BLOCK | LANDLOCK_ACCESS_FS_MAKE_SYM)
#define REFER (1ULL << 13)    /* since version 2; without it nothing is moved between folders */
#define TRUNCATE (1ULL << 14) /* since version 3 */

static long version(void)
{
	return syscall(
		SYS_landlock_create_ruleset, NULL, (size_t)0, LANDLOCK_CREATE_RULESET_VERSION);
}

static uint64_t known(void)
{
	long v = version();

	return WRITES | (v >= 2 ? REFER : 0) | (v >= 3 ? TRUNCATE : 0);
}

bool wbl_confine_possible(void)
{
	return version() >= 1;
}

static void allow(int rules, const char *folder, uint64_t access)
{
	struct landlock_path_beneath_attr below = { .allowed_access = access };

	below.parent_fd = open(folder, O_PATH | O_CLOEXEC);
	if (below.parent_fd < 0)
		return;
	syscall(SYS_landlock_add_rule, rules, LANDLOCK_RULE_PATH_BENEATH, &below, 0);
	close(below.parent_fd);
}

int wbl_confine(const char *const *folders)
{
	/* Not /dev as a whole: /dev/shm is there. */
	static const char *const devices[] = { "/dev/null", "/dev/zero", "/dev/full", "/dev/tty",
		"/proc" };
	struct landlock_ruleset_attr attr = { .handled_access_fs = known() };
	int rules = (int)syscall(SYS_landlock_create_ruleset, &attr, sizeof attr, 0), rc;
	size_t i;

	if (rules < 0)
		return -1;
	for (; *folders; folders++)
		allow(rules, *folders, known());
	for (i = 0; i < sizeof devices / sizeof *devices; i++)
		allow(rules, devices[i], LANDLOCK_ACCESS_FS_WRITE_FILE);
	rc = prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	if (!rc)
		rc = (int)syscall(SYS_landlock_restrict_self, rules, 0);
	close(rules);
	return rc;
}
