/* tests/bench/engine.c - what the control plane costs: a migration of three steps from plan to verified, alone and a
 * thousand at once, beside the three writes that are its only work.
 * In: the built command (argv[1]: folder of the build).  Out: medians, ratios and peak memory; no verdict.
 * SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/base/file.h"
#include "core/base/json.h"

extern char **environ;

static char root[256];
static int sock;
static pid_t engine;
static struct wbl_buf in;
static int64_t ids;

static void fatal(const char *what)
{
	perror(what);
	exit(1);
}

static void start_engine(const char *build, const char *name)
{
	WBL_AUTOFREE char *cmd = wbl_strf("%s/whimbrel", build),
			  *state = wbl_strf("%s/%s", root, name);
	WBL_AUTOFREE char *mods = wbl_strf("%s/plugins/mods/.libs", build),
			  *host = wbl_strf("%s/whimbrel-host", build);
	WBL_AUTOFREE char *config = wbl_strf("%s/config", root);
	char *argv[] = { cmd, "serve", "--state", state, "--config", config, NULL };
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	int i;

	setenv("WHIMBREL_HANDLERS", mods, 1);
	setenv("WHIMBREL_HOST", host, 1);
	if (posix_spawn(&engine, cmd, NULL, NULL, argv, environ))
		fatal(cmd);
	snprintf(sa.sun_path, sizeof sa.sun_path, "%s/control.sock", state);
	for (i = 0; i < 500; i++) {
		sock = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
		if (!connect(sock, (struct sockaddr *)&sa, sizeof sa))
			return;
		close(sock);
		usleep(10000);
	}
	fatal(sa.sun_path);
}

static void stop_engine(void)
{
	close(sock);
	kill(engine, SIGTERM);
	waitpid(engine, NULL, 0);
	wbl_buf_clear(&in);
}

static void request(const char *verb, json_t *args)
{
	json_t *j =
		json_pack("{s:I, s:s, s:o}", "id", (json_int_t)++ids, "verb", verb, "args", args);
	WBL_AUTOFREE char *text = wbl_json_text(j);

	if (wbl_write_all(sock, text, strlen(text)) || wbl_write_all(sock, "\n", 1))
		fatal("write");
	json_decref(j);
}

/* The next line that ends a request; events are passed over. */
static json_t *answer(void)
{
	for (;;) {
		char part[65536], *end = in.len ? memchr(in.data, '\n', in.len) : NULL;
		struct wbl_error err;
		ssize_t n;
		json_t *j;

		if (!end) {
			n = read(sock, part, sizeof part);
			if (n <= 0)
				fatal("the engine ended");
			wbl_buf_add(&in, part, (size_t)n);
			continue;
		}
		j = wbl_json_parse(in.data, (size_t)(end - in.data), "answer", &err);
		in.len -= (size_t)(end + 1 - in.data);
		memmove(in.data, end + 1, in.len);
		if (json_object_get(j, "ok"))
			return j;
		json_decref(j);
	}
}

static json_t *spec_args(int n)
{
	struct wbl_buf b = { 0 };
	json_t *args;
	int i;

	wbl_buf_addf(&b, "name = \"n%d\"; migrations: (", n);
	for (i = 0; i < 3; i++)
		wbl_buf_addf(&b,
			"%s{ name = \"m%d\"; handler = \"put_file\"; validation = \"basic\"; %s"
			"options = { path = \"%s/out/%d.%d\"; content = \"some words\\n\"; }; }",
			i ? ", " : "", i,
			i == 1   ? "after = [\"m0\"]; "
			: i == 2 ? "after = [\"m1\"]; "
				 : "",
			root, n, i);
	wbl_buf_adds(&b, ");");
	args = json_pack(
		"{s:{s:s, s:s, s:s}}", "spec", "name", "bench.conf", "dir", root, "text", b.data);
	wbl_buf_clear(&b);
	return args;
}

static double cpu_of(const char *pid)
{
	WBL_AUTOFREE char *path = wbl_strf("/proc/%s/stat", pid);
	unsigned long long t[4] = { 0 };
	FILE *f = fopen(path, "re");

	if (!f)
		return 0;
	if (fscanf(f, "%*d %*s %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %llu %llu %llu %llu",
		    &t[0], &t[1], &t[2], &t[3]) != 4)
		t[0] = 0;
	fclose(f);
	return (double)(t[0] + t[1] + t[2] + t[3]) / (double)sysconf(_SC_CLK_TCK);
}

static double engine_cpu(void)
{
	char pid[24];

	snprintf(pid, sizeof pid, "%ld", (long)engine);
	return cpu_of(pid);
}

static long field_of(const char *pid, const char *file, const char *key)
{
	WBL_AUTOFREE char *path = wbl_strf("/proc/%s/%s", pid, file);
	FILE *f = fopen(path, "re");
	char line[256];
	long kb = 0;

	while (f && fgets(line, sizeof line, f))
		if (!strncmp(line, key, strlen(key)))
			kb = strtol(line + strlen(key), NULL, 10);
	if (f)
		fclose(f);
	return kb;
}

/* Proportional memory of the engine and all of its hosts, kB. */
static long memory(int *ret_hosts)
{
	DIR *d = opendir("/proc");
	struct dirent *de;
	long sum = 0;

	*ret_hosts = 0;
	while (d && (de = readdir(d))) {
		long pid = strtol(de->d_name, NULL, 10);

		if (pid <= 0 ||
			(pid != engine && field_of(de->d_name, "status", "PPid:") != engine))
			continue;
		sum += field_of(de->d_name, "smaps_rollup", "Pss:");
		*ret_hosts += pid != engine;
	}
	if (d)
		closedir(d);
	return sum;
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double median(double *v, size_t n)
{
	qsort(v, n, sizeof *v, compare);
	return v[n / 2];
}

static double three_writes(int n)
{
	int64_t began = wbl_now_mono();
	struct wbl_error err;
	int i;

	for (i = 0; i < 3; i++) {
		WBL_AUTOFREE char *path = wbl_strf("%s/out/plain.%d.%d", root, n, i);

		wbl_file_replace(path, "some words\n", 11, 0644, &err);
	}
	return (double)(wbl_now_mono() - began) / 1e6;
}

static void one_by_one(const char *build)
{
	enum { ROUNDS = 41 };
	double wall[ROUNDS], plain[ROUNDS], cpu;
	int i;

	start_engine(build, "alone");
	cpu = engine_cpu();
	for (i = 0; i < ROUNDS; i++) {
		int64_t began = wbl_now_mono();
		json_t *a, *args;

		request("plan", spec_args(i));
		a = answer();
		args = json_pack("{s:O, s:b}", "plan",
			json_object_get(json_object_get(a, "result"), "plan"), "watch", 1);
		json_decref(a);
		request("apply", args);
		a = answer();
		if (strcmp(wbl_json_str(
				   json_object_get(json_object_get(a, "result"), "run"), "state"),
			    "completed"))
			puts("a run did not complete");
		json_decref(a);
		wall[i] = (double)(wbl_now_mono() - began) / 1e6;
		plain[i] = three_writes(i);
	}
	sleep(1);
	cpu = (engine_cpu() - cpu) * 1000 / ROUNDS;
	printf("three steps, plan to verified: %.1f ms wall (median of %d), %.1f ms CPU of engine "
	       "and hosts (goal: under 25)\n",
		median(wall, ROUNDS), ROUNDS, cpu);
	printf("  the three durable writes alone: %.2f ms\n", median(plain, ROUNDS));
	stop_engine();
}

static void many_at_once(const char *build, int runs)
{
	char(*plans)[32] = wbl_alloc((size_t)runs * sizeof *plans);
	int64_t began;
	long peak = 0;
	int i, hosts, most = 0, done = 0;
	double cpu;
	json_t *a;

	start_engine(build, "many");
	for (i = 0; i < runs; i++) {
		request("plan", spec_args(100000 + i));
		a = answer();
		snprintf(plans[i], sizeof *plans, "%s",
			wbl_json_str(json_object_get(a, "result"), "plan"));
		json_decref(a);
	}
	cpu = engine_cpu();
	began = wbl_now_mono();
	for (i = 0; i < runs; i++)
		request("apply", json_pack("{s:s, s:b}", "plan", plans[i], "watch", 1));
	while (done < runs) {
		struct pollfd p = { .fd = sock, .events = POLLIN };

		if (done % 50 == 0) {
			long now = memory(&hosts);

			peak = now > peak ? now : peak;
			most = hosts > most ? hosts : most;
		}
		poll(&p, 1, 1000);
		a = answer();
		if (strcmp(wbl_json_str(
				   json_object_get(json_object_get(a, "result"), "run"), "state"),
			    "completed"))
			puts("a run did not complete");
		json_decref(a);
		done++;
	}
	printf("%d runs at once: %.1f s wall, %.1f ms CPU each, up to %d hosts, %.0f MB in all "
	       "(limit: 512)\n",
		runs, (double)(wbl_now_mono() - began) / 1e9, (engine_cpu() - cpu) * 1000 / runs,
		most, (double)peak / 1024);
	stop_engine();
	free(plans);
}

int main(int argc, char **argv)
{
	WBL_AUTOFREE char *out = NULL, *cleaning = NULL;
	struct wbl_error err;

	snprintf(root, sizeof root, "%s/wbl-bench-XXXXXX",
		getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp");
	if (!mkdtemp(root))
		fatal(root);
	out = wbl_strf("%s/out", root);
	wbl_mkdirs(out, 0755, &err);
	one_by_one(argc > 1 ? argv[1] : ".");
	if (argc < 3)
		many_at_once(argc > 1 ? argv[1] : ".", 1000);
	cleaning = wbl_strf("rm -rf '%s'", root);
	return system(cleaning) != 0;
}
