/* conform/fixture.h - the world in which a module is tried: made by the author's command, looked at by a digest.
 * A fixture file is a spec with one more group, `fixture`; "$FIXTURE" in it is the folder of that world, "$DIR" the
 * folder of the file.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef WBL_CORE_CONFORM_FIXTURE_H
#define WBL_CORE_CONFORM_FIXTURE_H
#include "core/conform/conform.h"

struct wbl_fixture {
	char *file, *dir;
	char *kind; /* "files", "directory", "sqlite": how it is looked at; "none": there is no world */
	char *make, *digest, *tamper; /* commands; NULL: none */
	char *spec;                   /* without the group `fixture`; folders not yet filled in */
};

int32_t wbl_fixture_load(const char *path, struct wbl_fixture **ret, struct wbl_error *err);
void wbl_fixture_free(struct wbl_fixture *f);

/* What there is in the folder, as sorted lines: equal worlds give equal texts. */
int32_t wbl_fixture_look(const struct wbl_kit *k, struct wbl_buf *ret, struct wbl_error *err);
/* The same, always by names, modes and contents. */
int32_t wbl_fixture_list(const char *folder, struct wbl_buf *ret, struct wbl_error *err);
/* What is different, for people; NULL: nothing. The caller frees. */
char *wbl_fixture_difference(const char *before, const char *now);
/* A command of the fixture, in its folder. */
int32_t wbl_fixture_command(
	const struct wbl_kit *k, const char *command, struct wbl_buf *out, struct wbl_error *err);
/* The folder; the spec with folders filled in. The caller frees. */
char *wbl_fixture_folder(const struct wbl_kit *k);
char *wbl_fixture_spec(const struct wbl_kit *k);
#endif
