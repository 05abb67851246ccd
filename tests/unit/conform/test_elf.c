/* conform/elf.c: what is read of a real module, and that no damaged one is read beyond its end.
 * req: H5 Q3
 * SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/base/file.h"
#include "core/conform/elf.h"

#define MAGIC "\177ELF\2\1"

static char *module(void)
{
	return wbl_strf("%s/plugins/mods/.libs/put_file.so", getenv("WBL_BUILD"));
}

static void test_module(void **state)
{
	WBL_AUTOFREE char *path = module();
	struct wbl_error err = { 0 };
	struct wbl_elf e;

	assert_int_equal(wbl_elf_read(path, &e, &err), 0);
	assert_int_equal(e.nexports, 1);
	assert_string_equal(e.exports[0], "put_file_LTX_wbl_module_entry_v1");
	assert_true(e.bind_now && e.note && e.note_loaded);
	assert_false(e.exec_stack || e.text_relocations);
	assert_true(e.nneeded >= 1);
	wbl_elf_clear(&e);
}

static void test_others(void **state)
{
	struct wbl_error err = { 0 };
	struct wbl_elf e;

	assert_int_equal(wbl_elf_read("/etc/passwd", &e, &err), WBL_E_USAGE);
	wbl_elf_clear(&e);
	assert_true(wbl_elf_read("/nonexistent", &e, &err) < 0);
	wbl_elf_clear(&e);
}

/* Headers hit often, the rest now and then; each ends in a verdict, and sanitizers look on. */
static void test_damaged(void **state)
{
	WBL_AUTOFREE char *path = module();
	char name[] = "/tmp/test_elf.XXXXXX";
	struct wbl_buf good = { 0 };
	struct wbl_elf e;
	unsigned seed = 1;
	int fd = mkstemp(name), i, n;

	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(wbl_file_read(path, 64 << 20, &good, NULL), 0);
	for (i = 0; i < 600; i++) {
		WBL_AUTOFREE char *bad = wbl_strndup("", 0);
		size_t len = i % 5 ? good.len : (size_t)rand_r(&seed) % good.len;

		bad = wbl_realloc(bad, good.len + 1);
		memcpy(bad, good.data, good.len);
		for (n = 0; n < 4; n++) {
			size_t at = (size_t)rand_r(&seed) % (n ? 64 : good.len);

			if (n == 3) /* the section headers stand at the end */
				at = good.len - 1 - (size_t)rand_r(&seed) % 1800;
			bad[at] = (char)rand_r(&seed);
		}
		memcpy(bad, MAGIC, sizeof MAGIC - 1);
		bad[16] = 3; /* ET_DYN */
		bad[17] = 0;
		assert_int_equal(wbl_file_replace(name, bad, len, 0600, NULL), 0);
		wbl_elf_read(name, &e, NULL);
		wbl_elf_clear(&e);
	}
	unlink(name);
	wbl_buf_clear(&good);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_module),
		cmocka_unit_test(test_others), cmocka_unit_test(test_damaged) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
