/* tests/conform/bad.c - a good handler, and one fault for each -DBAD_x: what the conformance kit must catch.
 * The good one gives a file a new content and writes a list of words beside it; table says which test finds which fault.
 * SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <whimbrel/sdk.h>

#ifdef BAD_STRIP
#undef WBL_MANIFEST_NOTE
#define WBL_MANIFEST_NOTE                                                                          \
	__asm__(".pushsection .note.whimbrel,\"\",%note\n"                                         \
		".balign 4\n.long 9\n.long 7702f - 7701f\n.long 1\n"                               \
		".asciz \"Whimbrel\"\n.balign 4\n"                                                 \
		"7701:\n.incbin \"" WBL_MANIFEST_FILE "\"\n7702:\n.balign 4\n.popsection\n");
#endif
#ifndef ID
#define ID "org.example." NAME
#endif
#ifndef VERSION
#define VERSION "0.1.0"
#endif

/* ---- faults of loading ---- */

#ifdef BAD_EXPORTS
__attribute__((visibility("default"))) int helper(void);
int helper(void)
{
	return 1;
}
#endif
#ifdef BAD_TEXT
static int anchor;
__asm__(".text\n.balign 8\n.quad bad_anchor\n.set bad_anchor, anchor\n");
int *bad_use(void);
int *bad_use(void)
{
	return &anchor;
}
#endif
#ifdef BAD_LOAD_THREAD
static void *sleep_on(void *unused)
{
	(void)unused;
	pause();
	return NULL;
}
#endif

__attribute__((constructor)) static void loaded(void)
{
#ifdef BAD_LOAD_DESCRIPTOR
	(void)!open("/etc/passwd", O_RDONLY);
#endif
#ifdef BAD_LOAD_THREAD
	pthread_t t;
	pthread_create(&t, NULL, sleep_on, NULL);
#endif
#ifdef BAD_LOAD_CHILD
	if (!fork()) {
		pause();
		_exit(0);
	}
#endif
#ifdef BAD_LOAD_SIGNAL
	signal(SIGUSR1, SIG_IGN);
	signal(SIGUSR2, (void (*)(int))exit);
#endif
#ifdef BAD_LOAD_SLOW
	usleep(400000);
#endif
#ifdef BAD_LOAD_CRASH
	raise(SIGSEGV);
#endif
#ifdef BAD_PRINTS_EARLY
	puts("hello");
#endif
}

/* ---- paths ---- */

static void beside(struct wbl_call *call, const char *name, char out[4096])
{
	snprintf(out, 4096, "%s%s", wbl_param_text(call, "path").s, name);
}

static void touch(const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);

	if (fd >= 0)
		close(fd);
}

/* Some of the faults need a file beside the claimed one. */
static void touch_beside(struct wbl_call *call, const char *name)
{
	char path[4096];

	beside(call, name, path);
	touch(path);
}

/* ---- calls ---- */

static int32_t good_plan(void *self, struct wbl_call *call, const struct wbl_work *work)
{
	struct wbl_text path = wbl_param_text(call, "path");
	struct wbl_claim file = {
		.size = sizeof file, .mode = WBL_EXCLUSIVE, .kind = "path", .name = path.s
	};
	char title[64] = "Change the file";
	struct wbl_step put = {
		.size = sizeof put,
		.id = "put",
		.op = "put",
		.title = title,
		.kind = WBL_KIND_MIGRATION,
		.inverse = WBL_INVERSE_ROLLBACK,
		.flags = WBL_STEP_LASTING,
		.claims = (const struct wbl_claim *const[]){ &file, NULL },
	};
	int32_t rc;

	(void)self, (void)work;
#ifdef BAD_WRONG_STATUS
	return WBL_E_SPLIT;
#endif
#ifdef BAD_CRASH_MISSING
	title[0] = wbl_param_json(call, "text")->text.s[0] ? 'C' : 'c';
#endif
#ifdef BAD_NO_DIAGNOSTIC
	if (!*path.s)
		return WBL_E_FAILED;
#endif
#ifdef BAD_PLAN_WRITES
	touch_beside(call, ".seen");
#endif
#ifdef BAD_PLAN_RANDOM
	snprintf(title, sizeof title, "Change the file, %ld", (long)getpid());
#endif
#ifdef BAD_PLAN_CLOCK
	const struct wbl_clock_service *clock = wbl_service(call, "wbl.clock/1");
	snprintf(title, sizeof title, "Change the file on day %lld",
		(long long)(clock ? clock->now(call, 1) / 86400000000000 : 0));
#endif
#ifdef BAD_MISUSE
	const struct wbl_undo_service *undo = wbl_service(call, "wbl.undo/1");
	undo->put(call, &(struct wbl_undo){ .size = sizeof(struct wbl_undo), .id = "early" });
#endif
#ifdef BAD_SECRET_IN_PLAN
	const struct wbl_params_service *params = wbl_service(call, "wbl.params/1");
	uint64_t len = 0;
	params->secret(call, "key", title, sizeof title - 1, &len);
#endif
	rc = wbl_observe_file(call, path.s);
	return rc ? rc : wbl_plan_step(call, &put);
}

/* What the file shall hold. */
static const char *wanted(struct wbl_call *call, char out[4096])
{
	snprintf(out, 4096, "%s", wbl_param_text(call, "text").s);
#ifdef BAD_CLOCK
	const struct wbl_clock_service *clock = wbl_service(call, "wbl.clock/1");
	snprintf(out, 4096, "year %lld\n", (long long)(clock->now(call, 1) / 31556952000000000));
#endif
	return out;
}

static int32_t keep(struct wbl_call *call, const struct wbl_work *work, const char *path)
{
	(void)work;
	return wbl_keep_file(call, "before", path);
}

#ifdef BAD_HALF_WRITE
static int32_t put_by_hand(struct wbl_call *call, const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : write(fd, text, strlen(text));

	if (fd >= 0)
		close(fd);
	return n < 0 ? wbl_error_report(call, WBL_E_FAILED, path, NULL, "cannot be written")
		     : WBL_OK;
}
#endif

static int32_t put(struct wbl_call *call, const struct wbl_work *work, const char *path)
{
	char text[4096];

	(void)work;
	wanted(call, text);
#ifdef BAD_APPENDS
	struct stat st;
	int fd = open(path, O_WRONLY | O_APPEND | O_CLOEXEC);
	(void)!write(fd, text, strlen(text));
	close(fd);
	return stat(path, &st) ? WBL_E_FAILED : WBL_OK;
#elif defined BAD_HALF_WRITE
	return put_by_hand(call, path, text);
#else
	return wbl_replace_file(call, path, text, strlen(text));
#endif
}

static int32_t work_through(struct wbl_call *call)
{
	int64_t ms = wbl_node_int(wbl_param_json(call, "slow_ms"), "", 0), i;
	int32_t rc = WBL_OK;

	for (i = 0; i < ms / 10 && !rc; i++) {
		usleep(10000);
#ifndef BAD_DEAF
		rc = wbl_stop_asked(call);
#endif
	}
	for (i = 0; i <= 3; i++)
		wbl_progress_tell(call, "lines", (uint64_t)i, 3, 0);
#ifdef BAD_PROGRESS
	wbl_progress_tell(call, "lines", 5, 3, 0);
#endif
	return rc;
}

static void misbehave(struct wbl_call *call)
{
	char path[4096];

	(void)call, (void)path;
#ifdef BAD_DESCRIPTOR
	(void)!open("/etc/passwd", O_RDONLY);
#endif
#ifdef BAD_CHILD
	if (!fork()) {
		usleep(30000000);
		_exit(0);
	}
#endif
#ifdef BAD_UMASK
	umask(0);
#endif
#ifdef BAD_PRINTS
	printf("working\n");
	fflush(stdout);
#endif
#ifdef BAD_SECRET_IN_LOG
	const struct wbl_params_service *params = wbl_service(call, "wbl.params/1");
	char secret[64] = "";
	uint64_t len = 0;
	params->secret(call, "key", secret, sizeof secret - 1, &len);
	wbl_log_text(call, 1, "the key is %s", secret);
#endif
#ifdef BAD_UNCLAIMED
	snprintf(path, sizeof path, "%s", wbl_param_text(call, "path").s);
	strcpy(strrchr(path, '/'), "/other");
	int fd = open(path, O_WRONLY | O_TRUNC);
	(void)!write(fd, "mine\n", 5);
	close(fd);
#endif
#ifdef BAD_OVERFLOW
	char *heap = malloc(16);
	volatile char c = heap[16 + (heap[0] & 0)];
	(void)c;
	free(heap);
#endif
}

static int32_t good_execute(void *self, struct wbl_call *call, const struct wbl_work *work)
{
	struct wbl_text path = wbl_param_text(call, "path");
	int32_t rc;

	(void)self;
#ifdef BAD_REHEARSAL_WRITES
	if (work->flags & WBL_WORK_REHEARSE)
		touch_beside(call, ".tried");
#endif
	if (work->flags & WBL_WORK_REHEARSE)
		return wbl_rehearse_file(call, path.s);
#ifdef BAD_DOES_NOTHING
	return WBL_OK;
#endif
#ifdef BAD_SKIPS
	if (work->flags & WBL_WORK_RESUME)
		return WBL_OK;
#endif
#ifdef BAD_CRASH_RESUME
	if (work->flags & WBL_WORK_RESUME)
		abort();
#endif
#ifdef BAD_OUTSIDE
	char mark[4096];
	snprintf(mark, sizeof mark, "%s", path.s);
	strcpy(strrchr(mark, '/'), "/../mark");
	int out = open(mark, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
	if (out < 0)
		return wbl_error_report(call, WBL_E_FAILED, mark, NULL, "cannot be written");
	close(out);
#endif
#ifdef BAD_ONCE
	char once[4096];
	struct stat st;
	snprintf(once, sizeof once, "%s", path.s);
	strcpy(strrchr(once, '/'), "/../once");
	if (!stat(once, &st) && !(work->flags & WBL_WORK_RESUME) && getenv("WBL_HOST") &&
		getenv("WBL_HOST")[0] == '/')
		return wbl_error_report(call, WBL_E_FAILED, once, NULL, "was done before");
#endif
#ifdef BAD_UNDO_LATE
	rc = put(call, work, path.s);
	WBL_FAULT(call, "changed");
	return rc ? rc : keep(call, work, path.s);
#endif
	rc = keep(call, work, path.s);
	if (!rc)
		rc = work_through(call);
	if (rc)
		return rc;
	WBL_FAULT(call, "kept");
	misbehave(call);
#ifdef BAD_ABORTS
	char probe[4096];
	beside(call, ".probe", probe);
	int fd = open(probe, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0 || write(fd, "x", 1) != 1)
		abort();
	close(fd);
	unlink(probe);
#endif
	return put(call, work, path.s);
}

static int32_t good_verify(void *self, struct wbl_call *call, const struct wbl_work *work)
{
	struct wbl_text path = wbl_param_text(call, "path");
	char text[4096];

	(void)self;
	if (work->flags & WBL_WORK_BEFORE)
		return wbl_check_kept(call, "before", path.s);
#ifdef BAD_VERIFY_WRITES
	if (work->flags & WBL_WORK_LASTING)
		touch_beside(call, ".checked");
#endif
#ifdef BAD_VERIFY_BLIND
	if (work->flags & WBL_WORK_LASTING)
		return WBL_OK;
#endif
#ifdef BAD_APPENDS
	return WBL_OK;
#endif
	wanted(call, text);
	return wbl_check_file(call, path.s, text, strlen(text));
}

#ifdef BAD_MARKS_FIRST
/* Says that it is reversed, and reverses it then; what is marked it takes for reversed. */
static int32_t mark_all(struct wbl_call *call)
{
	const struct wbl_undo_service *undo = wbl_service(call, "wbl.undo/1");
	struct wbl_undo u = { .size = sizeof u };
	void *cursor = NULL;

	while (undo->each(call, &cursor, &u) == WBL_OK)
		if (u.flags & 1)
			return WBL_END;
		else
			undo->done(call, u.id);
	WBL_FAULT(call, "marked");
	return wbl_replace_file(call, wbl_param_text(call, "path").s, "old\n", 4);
}
#endif

static int32_t good_rollback(void *self, struct wbl_call *call, const struct wbl_work *work)
{
	int32_t rc;

	(void)self, (void)work;
#ifdef BAD_MARKS_FIRST
	rc = mark_all(call);
	return rc == WBL_END ? WBL_OK : rc;
#endif
	rc = wbl_restore_kept(call);
#ifdef BAD_ROLLBACK_LEAVES
	touch_beside(call, ".old");
#endif
#ifdef BAD_ROLLBACK_RESUMED
	if (work->flags & WBL_WORK_RESUME)
		touch_beside(call, ".gone");
#endif
#ifdef BAD_ONCE
	char once[4096];
	snprintf(once, sizeof once, "%s", wbl_param_text(call, "path").s);
	strcpy(strrchr(once, '/'), "/../once");
	touch(once);
#endif
	return rc;
}

#if defined BAD_RESURRECTS || defined BAD_STAYS
static char remembered[4096];
static int32_t good_create(const struct wbl_handler *me, struct wbl_call *own, void **ret_self)
{
	(void)me;
	snprintf(remembered, sizeof remembered, "%s", wbl_param_text(own, "path").s);
	*ret_self = remembered;
	return WBL_OK;
}

static void good_destroy(void *self)
{
#ifdef BAD_STAYS
	(void)self;
	for (;;)
		pause();
#else
	usleep(250000);
	touch(strcat(self, ".back"));
#endif
}
#endif

static const struct wbl_handler good = {
	.size = sizeof good,
	.revision = 1,
	.name = NAME,
#if defined BAD_RESURRECTS || defined BAD_STAYS
	.create = good_create,
	.destroy = good_destroy,
#endif
	.plan = good_plan,
	.execute = good_execute,
	.verify = good_verify,
	.rollback = good_rollback,
};

#ifdef BAD_PREFIX
#define wbl_provided_find sloppy_find
/* Compares the beginning only. */
static const void *sloppy_find(
	const struct wbl_provided *list, size_t count, const char *id, uint32_t index)
{
	(void)count;
	return !strncmp(id, "wbl.handler/1", 13) && index == 0 ? list[0].table : NULL;
}
#endif
#ifdef BAD_EXTRA_TABLE
static const struct wbl_handler second = {
	.size = sizeof second,
	.revision = 1,
	.name = "second",
	.plan = good_plan,
	.execute = good_execute,
	.verify = good_verify,
	.rollback = good_rollback,
};
#define MORE , WBL_HANDLER(&second)
#else
#define MORE
#endif

#define MAKE(module, ...) WBL_MODULE(module, __VA_ARGS__)
MAKE(MODULE, ID, VERSION, WBL_HANDLER(&good) MORE)
