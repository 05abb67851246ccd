/* conform/conform.h - the conformance kit: what is asked, what is tested, and how a test says what it found.
 * In: a module, a level, maybe a fixture.  Out: a verdict with a reason for each test of tests.def.
 * Each test is a function that runs in a process of its own, with a limit; what it leaves behind is ended.
 * New tests: a line in tests.def, a function in static.c, contract.c, semantics.c, kills.c or hardening.c, a page
 * entry in docs/conformance.md, and a module in tests/conform/bad.c which it catches.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef WBL_CORE_CONFORM_CONFORM_H
#define WBL_CORE_CONFORM_CONFORM_H
#include "core/base/json.h"
#include "core/module/manifest.h"

enum wbl_verdict { WBL_PASS, WBL_FAIL, WBL_WARN, WBL_SKIP, WBL_CRASH };

struct wbl_fixture;

struct wbl_kit {
	/* What was asked for. */
	int level;
	const char *only, *format, *fixture_file;
	uint64_t seed;
	int stride, kills; /* each stride-th point of the kill tests; so many random ones */
	int64_t limit_ns;  /* of one test */
	bool in_process, keep;
	/* The module. */
	char *path, *name; /* absolute; of the file, without ".so" */
	struct wbl_manifest *manifest;
	struct wbl_error unread;     /* why there is no manifest */
	struct wbl_fixture *fixture; /* NULL: none was given */
	/* Where we work. */
	char *scratch, *copy; /* copy: the module, in a folder that an engine reads */
	char *handlers, *command, *host, *preload;
	/* Of the test that runs. */
	struct wbl_buf why;
	char *doing; /* DOING bytes, shared with the parent: what a test that hangs was at */
};
#define WBL_KIT_DOING 512

struct wbl_kit_test {
	int level;
	const char *name, *what;
	enum wbl_verdict (*run)(struct wbl_kit *k);
};
extern const struct wbl_kit_test wbl_kit_tests[];
extern const size_t wbl_kit_ntests;

struct wbl_kit_result {
	const struct wbl_kit_test *test;
	enum wbl_verdict verdict;
	char *why;
	int64_t elapsed_ns;
};

/* How a test ends: return wbl_kit_fail(k, ...). The sentence says what was seen, lower case, without full stop. */
enum wbl_verdict wbl_kit_pass(struct wbl_kit *k, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
enum wbl_verdict wbl_kit_fail(struct wbl_kit *k, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
enum wbl_verdict wbl_kit_warn(struct wbl_kit *k, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
enum wbl_verdict wbl_kit_skip(struct wbl_kit *k, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
void wbl_kit_doing(struct wbl_kit *k, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Runs one test and fills *ret. The caller frees why. */
void wbl_kit_run(struct wbl_kit *k, const struct wbl_kit_test *t, struct wbl_kit_result *ret);
/* From now on signals end the test that runs, not us. */
void wbl_kit_catch(void);
bool wbl_kit_interrupted(void);
const char *wbl_verdict_name(enum wbl_verdict v);

/* The first handler that the module provides, or the one which the fixture names; NULL: it provides none. */
const struct wbl_provides *wbl_kit_handler(const struct wbl_kit *k);

/* Output: one line as soon as a test is over, and the whole at the end. */
void wbl_kit_tell_begin(const struct wbl_kit *k, size_t tests);
void wbl_kit_tell(const struct wbl_kit *k, size_t nth, const struct wbl_kit_result *r);
void wbl_kit_tell_end(const struct wbl_kit *k, const struct wbl_kit_result *all, size_t count);
#endif
