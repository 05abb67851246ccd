/* conform/main.c - whimbrel-conform: does a module keep what the handler ABI promises?
 * In: options, a module, maybe a fixture.  Out: a line for each test; exit 0 when none is bad, 1 when one is, 2 when it
 * was asked wrongly.
 * SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <limits.h>
#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/file.h"
#include "core/conform/conform.h"
#include "core/conform/contract.h"
#include "core/conform/fixture.h"
#include "core/conform/hardening.h"
#include "core/conform/kills.h"
#include "core/conform/played.h"
#include "core/conform/semantics.h"
#include "core/conform/static.h"
#include "core/conform/world.h"

#define WBL_KIT_TEST(level, name, function, what) { level, name, what, function },
const struct wbl_kit_test wbl_kit_tests[] = {
#include "core/conform/tests.def"
};
#undef WBL_KIT_TEST
const size_t wbl_kit_ntests = WBL_COUNT(wbl_kit_tests);

static const char usage[] =
	"usage: whimbrel-conform [options] MODULE.so [--fixture FILE.conf]\n"
	"Tries a module at the levels 1 static, 2 contract, 3 migration, 4 hardening.\n"
	"\n"
	"  --level N         up to this level (default 3)\n"
	"  --fixture FILE    a spec with a group \"fixture\": the world to try it in\n"
	"  --handlers DIR    more modules, as stores that the fixture names (more than once)\n"
	"  --only REGEX      only tests whose name matches\n"
	"  --list            the tests, and no more\n"
	"  --reproduce SEED  the same random kills once more\n"
	"  --stride N        only each N-th point of the kill tests\n"
	"  --kills N         so many random kills (default 40)\n"
	"  --limit SECONDS   of each test (default 120)\n"
	"  --in-process      levels 1 and 2, one test: this very process becomes the module's\n"
	"                    host, for a debugger\n"
	"  --keep            leave the scratch folder, and say where it is\n"
	"  -o, --output F    text (default), tap or json\n"
	"  --version, --help\n";

enum {
	OPT_LEVEL = 256,
	OPT_FIXTURE,
	OPT_HANDLERS,
	OPT_ONLY,
	OPT_LIST,
	OPT_SEED,
	OPT_STRIDE,
	OPT_KILLS,
	OPT_LIMIT,
	OPT_IN_PROCESS,
	OPT_KEEP,
	OPT_VERSION,
	OPT_HELP
};

static const struct option options[] = { { "level", 1, NULL, OPT_LEVEL },
	{ "fixture", 1, NULL, OPT_FIXTURE }, { "handlers", 1, NULL, OPT_HANDLERS },
	{ "only", 1, NULL, OPT_ONLY }, { "list", 0, NULL, OPT_LIST },
	{ "reproduce", 1, NULL, OPT_SEED }, { "stride", 1, NULL, OPT_STRIDE },
	{ "kills", 1, NULL, OPT_KILLS }, { "limit", 1, NULL, OPT_LIMIT },
	{ "in-process", 0, NULL, OPT_IN_PROCESS }, { "keep", 0, NULL, OPT_KEEP },
	{ "output", 1, NULL, 'o' }, { "version", 0, NULL, OPT_VERSION },
	{ "help", 0, NULL, OPT_HELP }, { NULL, 0, NULL, 0 } };

struct asked {
	struct wbl_kit kit;
	struct wbl_buf handlers;
	bool list;
};

static int wrong(const char *what, const char *value)
{
	fprintf(stderr, "whimbrel-conform: %s: %s\n%s", value, what,
		"Look at whimbrel-conform --help.\n");
	return 2;
}

static bool number(const char *text, int64_t least, int64_t most, int64_t *ret)
{
	char *end;

	*ret = strtoll(text, &end, 10);
	return *text && !*end && *ret >= least && *ret <= most;
}

static int take_number(struct asked *a, int opt, const char *text)
{
	static const struct {
		int opt;
		int64_t least, most;
	} bounds[] = { { OPT_LEVEL, 1, 4 }, { OPT_STRIDE, 1, 1000000 }, { OPT_KILLS, 0, 1000000 },
		{ OPT_LIMIT, 1, 86400 }, { OPT_SEED, 0, INT64_MAX } };
	int64_t n = 0;
	size_t i;

	for (i = 0; bounds[i].opt != opt; i++)
		;
	if (!number(text, bounds[i].least, bounds[i].most, &n))
		return wrong("is no number that is allowed here", text);
	if (opt == OPT_LEVEL)
		a->kit.level = (int)n;
	else if (opt == OPT_STRIDE)
		a->kit.stride = (int)n;
	else if (opt == OPT_KILLS)
		a->kit.kills = (int)n;
	else if (opt == OPT_LIMIT)
		a->kit.limit_ns = n * 1000000000;
	else
		a->kit.seed = (uint64_t)n;
	return 0;
}

static int take_folder(struct asked *a, const char *folder)
{
	char real[PATH_MAX];

	if (!realpath(folder, real))
		return wrong("there is no such folder", folder);
	wbl_buf_addf(&a->handlers, "%s%s", a->handlers.len ? ":" : "", real);
	return 0;
}

static int take(struct asked *a, int opt)
{
	struct wbl_kit *k = &a->kit;

	switch (opt) {
	case OPT_HANDLERS:
		return take_folder(a, optarg);
	case OPT_FIXTURE:
		k->fixture_file = optarg;
		return 0;
	case OPT_ONLY:
		k->only = optarg;
		return 0;
	case OPT_LIST:
		a->list = true;
		return 0;
	case OPT_IN_PROCESS:
		k->in_process = true;
		return 0;
	case OPT_KEEP:
		k->keep = true;
		return 0;
	case 'o':
		k->format = optarg;
		return strcmp(optarg, "text") && strcmp(optarg, "tap") && strcmp(optarg, "json")
			       ? wrong("is no form of output: text, tap or json", optarg)
			       : 0;
	default:
		return take_number(a, opt, optarg);
	}
}

/* A program of ours: beside this one (a build tree), else where it is installed. */
static char *program(const char *name, const char *installed)
{
	char self[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
	char *beside;

	if (n > 0) {
		self[n] = '\0';
		*strrchr(self, '/') = '\0';
		beside = wbl_strf("%s/%s", self, name);
		if (!access(beside, X_OK))
			return beside;
		free(beside);
	}
	return wbl_strf("%s/%s", installed, name);
}

static int find_module(struct wbl_kit *k, const char *given)
{
	char real[PATH_MAX];
	char *base;
	size_t n;
	int fd;

	if (!realpath(given, real))
		return wrong("there is no such file", given);
	k->path = wbl_strdup(real);
	base = strrchr(k->path, '/') + 1;
	n = strlen(base);
	if (n <= 3 || strcmp(base + n - 3, ".so"))
		return wrong("is not called NAME.so", given);
	k->name = wbl_strndup(base, n - 3);
	fd = open(k->path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return wrong("cannot be read", given);
	if (wbl_manifest_read(fd, given, &k->manifest, &k->unread))
		k->manifest = NULL;
	close(fd);
	return 0;
}

static int make_scratch(struct wbl_kit *k)
{
	const char *tmp = getenv("TMPDIR");
	const char *base = tmp && *tmp ? tmp : access("/dev/shm", W_OK) ? "/tmp" : "/dev/shm";
	char *folder = wbl_strf("%s/wblconform.XXXXXX", base);
	static const char *const parts[] = { "handlers", "config" };
	struct wbl_error err = { 0 };
	struct wbl_buf module = { 0 };
	char real[PATH_MAX];
	size_t i;
	int32_t rc = 0;

	if (!mkdtemp(folder) || !realpath(folder, real))
		return wrong("no scratch folder can be made here", base);
	free(folder);
	k->scratch = wbl_strdup(real);
	for (i = 0; i < WBL_COUNT(parts) && !rc; i++) {
		WBL_AUTOFREE char *part = wbl_strf("%s/%s", k->scratch, parts[i]);

		rc = wbl_mkdirs(part, 0755, &err);
	}
	/* A copy, so that the file can be built again meanwhile. */
	k->copy = wbl_strf("%s/handlers/%s.so", k->scratch, k->name);
	rc = rc ? rc : wbl_file_read(k->path, 256 << 20, &module, &err);
	rc = rc ? rc : wbl_file_replace(k->copy, module.data, module.len, 0755, &err);
	wbl_buf_clear(&module);
	return rc ? wrong(err.text, err.where) : 0;
}

/* Those of the tree in which this program was built, else the installed ones. */
static void add_modules(struct wbl_buf *b)
{
	char *built = program("plugins/mods/.libs", "");

	if (!access(built, R_OK))
		wbl_buf_addf(b, ":%s", built);
	else if (!access(WBL_MODULEDIR, R_OK))
		wbl_buf_addf(b, ":%s", WBL_MODULEDIR);
	free(built);
}

static void find_programs(struct asked *a)
{
	struct wbl_kit *k = &a->kit;
	const char *host = getenv("WHIMBREL_HOST"), *more = getenv("WHIMBREL_HANDLERS");
	struct wbl_buf b = { 0 };

	k->preload = program(".libs/whimbrel-conform-faults.so", "");
	if (access(k->preload, R_OK)) {
		free(k->preload);
		k->preload = wbl_strdup(WBL_HOSTDIR "/whimbrel-conform-faults.so");
	}
	if (access(k->preload, R_OK)) {
		free(k->preload);
		k->preload = NULL;
	}
	k->command = program("whimbrel", WBL_BINDIR);
	k->host = host ? wbl_strdup(host) : program("whimbrel-host", WBL_HOSTDIR);
	wbl_buf_addf(&b, "%s/handlers", k->scratch);
	if (a->handlers.len)
		wbl_buf_addf(&b, ":%s", a->handlers.data);
	if (more && *more)
		wbl_buf_addf(&b, ":%s", more);
	else
		add_modules(&b);
	k->handlers = wbl_buf_take(&b);
}

static void remove_scratch(const struct wbl_kit *k)
{
	const char *const argv[] = { "/bin/rm", "-rf", k->scratch, NULL };

	if (k->keep)
		fprintf(stderr, "kept: %s\n", k->scratch);
	else
		wbl_world_spawn(k, argv, NULL, "/", NULL);
}

static size_t choose(const struct wbl_kit *k, const struct wbl_kit_test **ret)
{
	size_t i, n = 0;
	regex_t re;

	if (k->only && regcomp(&re, k->only, REG_EXTENDED | REG_NOSUB)) {
		wrong("is no regular expression", k->only);
		return 0;
	}
	for (i = 0; i < wbl_kit_ntests; i++) {
		const struct wbl_kit_test *t = &wbl_kit_tests[i];

		if ((k->only ? !regexec(&re, t->name, 0, NULL, 0) : t->level <= k->level) &&
			!(k->in_process && t->level > 2))
			ret[n++] = t;
	}
	if (k->only)
		regfree(&re);
	return n;
}

static int run_all(struct wbl_kit *k, const struct wbl_kit_test **tests, size_t n)
{
	struct wbl_kit_result *results = wbl_alloc((n + 1) * sizeof *results);
	size_t i;
	int bad = 0;

	wbl_kit_tell_begin(k, n);
	for (i = 0; i < n && !wbl_kit_interrupted(); i++) {
		wbl_kit_run(k, tests[i], &results[i]);
		wbl_kit_tell(k, i + 1, &results[i]);
		bad |= results[i].verdict == WBL_FAIL || results[i].verdict == WBL_CRASH;
	}
	if (wbl_kit_interrupted())
		bad = 130;
	else
		wbl_kit_tell_end(k, results, n);
	for (i = 0; i < n; i++)
		free(results[i].why);
	free(results);
	return bad;
}

static int list(void)
{
	size_t i;

	for (i = 0; i < wbl_kit_ntests; i++)
		printf("%d  %-28s  %s\n", wbl_kit_tests[i].level, wbl_kit_tests[i].name,
			wbl_kit_tests[i].what);
	return 0;
}

static int run(struct asked *a, const char *module)
{
	const struct wbl_kit_test **tests = wbl_alloc((wbl_kit_ntests + 1) * sizeof *tests);
	struct wbl_error err = { 0 };
	struct wbl_kit *k = &a->kit;
	int status = find_module(k, module);
	size_t n;

	k->doing = mmap(
		NULL, WBL_KIT_DOING, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (!status && k->fixture_file && wbl_fixture_load(k->fixture_file, &k->fixture, &err))
		status = wrong(err.text, err.where);
	if (k->fixture && !strcmp(k->fixture->kind, "none")) {
		wbl_fixture_free(k->fixture);
		k->fixture = NULL;
	}
	n = status ? 0 : choose(k, tests);
	if (!status && !n)
		status = wrong("no test is called so", k->only ? k->only : "--level");
	if (!status)
		status = make_scratch(k);
	if (!status) {
		find_programs(a);
		prctl(PR_SET_CHILD_SUBREAPER, 1);
		if (!k->in_process)
			wbl_kit_catch();
		status = run_all(k, tests, n);
	}
	if (k->scratch)
		remove_scratch(k);
	free(tests);
	wbl_fixture_free(k->fixture);
	wbl_manifest_free(k->manifest);
	free(k->path);
	free(k->name);
	free(k->scratch);
	free(k->copy);
	free(k->handlers);
	free(k->command);
	free(k->host);
	free(k->preload);
	wbl_buf_clear(&a->handlers);
	return status;
}

int main(int argc, char **argv)
{
	struct asked a = { .kit = { .level = 3,
				   .format = "text",
				   .stride = 1,
				   .kills = 40,
				   .limit_ns = INT64_C(120000000000) } };
	int opt, status = 0;

	a.kit.seed = (uint64_t)wbl_now_real() / 1000 % 1000000;
	while (!status && (opt = getopt_long(argc, argv, "o:", options, NULL)) >= 0) {
		if (opt == '?')
			return 2;
		if (opt == OPT_HELP)
			return fputs(usage, stdout) < 0;
		if (opt == OPT_VERSION)
			return puts("whimbrel-conform " PACKAGE_VERSION) < 0;
		status = take(&a, opt);
	}
	if (status)
		return status;
	if (a.list)
		return list();
	if (optind + 1 != argc)
		return wrong("one module is wanted",
			optind < argc ? argv[optind + 1] : "whimbrel-conform");
	return run(&a, argv[optind]);
}
