/* bench/limit.c - what the machine allows: the shortest programs that only move rows, and a clock with memory for others.
 * In: limit csv FILE DB [ROWS]     a CSV file with seven plain columns into the table big, a durable commit for each ROWS rows (0: one in all)
 *     limit rows DB NEWDB          the table big row by row through a program
 *     limit attach DB NEWDB        the same by INSERT ... SELECT
 *     limit make FILE ROWS MB      such a CSV file, of so many rows or megabytes, the greater
 *     limit hash FILE              XXH3-128 of each line, one-shot: ns a row
 *     limit run NAME COMMAND...    runs it; appends "wall-ms cpu-ms peak-kB" to NAME.times
 *     limit watch NAME LOCK        until it is ended: "greatest-peak-kB cpu-ms" of the engine that has this lock, and of its hosts, to NAME.peak
 * Out: the new database, or a line.  Nothing is verified and no column is cast but the numbers.
 * SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <sqlite3.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

enum { COLUMNS = 7 };
static const char definition[] =
	"CREATE TABLE big (id INTEGER PRIMARY KEY, grp INTEGER, name TEXT, city TEXT, "
	"note TEXT, tag TEXT, amount TEXT)";

static void stop(const char *what)
{
	fprintf(stderr, "limit: %s\n", what);
	exit(1);
}

static sqlite3 *open_db(const char *path)
{
	sqlite3 *db;

	if (sqlite3_open(path, &db))
		stop(path);
	return db;
}

static void sql(sqlite3 *db, const char *text)
{
	if (sqlite3_exec(db, text, NULL, NULL, NULL))
		stop(sqlite3_errmsg(db));
}

static sqlite3_stmt *prepare(sqlite3 *db, const char *text)
{
	sqlite3_stmt *s;

	if (sqlite3_prepare_v2(db, text, -1, &s, NULL))
		stop(sqlite3_errmsg(db));
	return s;
}

static const char *map(const char *path, size_t *ret_len)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;
	const char *p;

	if (fd < 0 || fstat(fd, &st))
		stop(path);
	*ret_len = (size_t)st.st_size;
	p = mmap(NULL, *ret_len, PROT_READ, MAP_PRIVATE, fd, 0);
	close(fd);
	if (p == MAP_FAILED)
		stop(path);
	madvise((void *)(uintptr_t)p, *ret_len, MADV_SEQUENTIAL);
	return p;
}

/* Fields without quotes, as the bench makes them; a line with a quote would have to be read more slowly. */
static void load_csv(const char *file, const char *to, long every)
{
	sqlite3 *db = open_db(to);
	sqlite3_stmt *s;
	size_t len;
	const char *p = map(file, &len), *end = p + len;
	long rows = 0;

	sql(db, definition);
	sql(db, "CREATE TABLE receipt (n INTEGER)");
	s = prepare(db, "INSERT INTO big VALUES (?, ?, ?, ?, ?, ?, ?)");
	sql(db, "BEGIN");
	p = memchr(p, '\n', len) + 1;
	while (p < end) {
		for (int i = 0; i < COLUMNS; i++) {
			const char *stop_at =
				memchr(p, i < COLUMNS - 1 ? ',' : '\n', (size_t)(end - p));

			if (i < 2)
				sqlite3_bind_int64(s, i + 1, strtoll(p, NULL, 10));
			else
				sqlite3_bind_text(s, i + 1, p, (int)(stop_at - p), SQLITE_STATIC);
			p = stop_at + 1;
		}
		if (sqlite3_step(s) != SQLITE_DONE || sqlite3_reset(s))
			stop(sqlite3_errmsg(db));
		if (every && ++rows % every == 0)
			sql(db, "INSERT INTO receipt VALUES (1); COMMIT; BEGIN");
	}
	sql(db, "COMMIT");
	sqlite3_finalize(s);
	sqlite3_close(db);
}

static void copy_rows(const char *from, const char *to)
{
	sqlite3 *a = open_db(from), *b = open_db(to);
	sqlite3_stmt *r, *w;

	sql(b, definition);
	r = prepare(a, "SELECT * FROM big ORDER BY rowid");
	w = prepare(b, "INSERT INTO big VALUES (?, ?, ?, ?, ?, ?, ?)");
	sql(b, "BEGIN");
	while (sqlite3_step(r) == SQLITE_ROW) {
		for (int i = 0; i < COLUMNS; i++)
			sqlite3_bind_value(w, i + 1, sqlite3_column_value(r, i));
		if (sqlite3_step(w) != SQLITE_DONE || sqlite3_reset(w))
			stop(sqlite3_errmsg(b));
	}
	sql(b, "COMMIT");
	sqlite3_finalize(r);
	sqlite3_finalize(w);
	sqlite3_close(a);
	sqlite3_close(b);
}

static void copy_attached(const char *from, const char *to)
{
	sqlite3 *db = open_db(to);
	char *attach = sqlite3_mprintf("ATTACH %Q AS o", from);

	sql(db, definition);
	sql(db, attach);
	sql(db, "INSERT INTO big SELECT * FROM o.big");
	sqlite3_free(attach);
	sqlite3_close(db);
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static void make(const char *file, long rows, long mb)
{
	FILE *f = fopen(file, "we");
	unsigned long long r = 1, bytes = 0;
	long i;

	if (!f)
		stop(file);
	fputs("id,grp,name,city,note,tag,amount\n", f);
	for (i = 1; i <= rows || bytes >> 20 < (unsigned long long)mb; i++) {
		int n;

		r = r * 6364136223846793005u + 1442695040888963407u;
		n = fprintf(f,
			"%ld,%u,person %ld of many,city-%u,a note of some length about nothing in "
			"particular: %ld and "
			"some more of it,tag%u,%u.%02u\n",
			i, (unsigned)(r >> 33) % 1000, i, (unsigned)(r >> 40) % 9999, i,
			(unsigned)(r >> 50) % 9, (unsigned)(r >> 35) % 10000,
			(unsigned)(r >> 45) % 100);
		bytes += n > 0 ? (unsigned)n : 0;
	}
	if (fclose(f))
		stop(file);
	printf("%ld\n", i - 1);
}

static void hash(const char *file)
{
	size_t len;
	const char *p = map(file, &len), *end = p + len, *q;
	XXH128_hash_t sum = { 0, 0 };
	double began;
	long rows = 0;

	/* Once to have it in memory, and to count. */
	for (q = p; q < end; q = (const char *)memchr(q, '\n', (size_t)(end - q)) + 1)
		rows++;
	began = now();
	for (q = p; q < end;) {
		const char *to = (const char *)memchr(q, '\n', (size_t)(end - q)) + 1;
		XXH128_hash_t h = XXH3_128bits(q, (size_t)(to - q));

		sum.low64 += h.low64;
		sum.high64 += h.high64;
		q = to;
	}
	printf("%.1f ns a row of %.0f bytes, with the search for its end (%llx)\n",
		(now() - began) / (double)rows, (double)len / (double)rows,
		(unsigned long long)(sum.low64 ^ sum.high64));
}

static int run(const char *name, char **argv)
{
	char path[512];
	struct rusage use;
	double began = now();
	pid_t pid = fork();
	int status, fd;
	FILE *f;

	if (!pid) {
		fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
		dup2(fd, 1);
		dup2(fd, 2);
		execvp(argv[0], argv);
		_exit(127);
	}
	if (wait4(pid, &status, 0, &use) < 0)
		stop("wait");
	snprintf(path, sizeof path, "%s.times", name);
	f = fopen(path, "ae");
	fprintf(f, "%.0f %.0f %ld\n", (now() - began) / 1e6,
		(double)(use.ru_utime.tv_sec + use.ru_stime.tv_sec) * 1e3 +
			(double)(use.ru_utime.tv_usec + use.ru_stime.tv_usec) / 1e3,
		use.ru_maxrss);
	fclose(f);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

static long field(long pid, const char *key)
{
	char path[64], line[256];
	long v = 0;
	FILE *f;

	snprintf(path, sizeof path, "/proc/%ld/status", pid);
	f = fopen(path, "re");
	while (f && fgets(line, sizeof line, f))
		if (!strncmp(line, key, strlen(key)))
			v = strtol(line + strlen(key), NULL, 10);
	if (f)
		fclose(f);
	return v;
}

static long cpu_ms(long pid)
{
	unsigned long long user = 0, sys = 0;
	char path[64];
	FILE *f;

	snprintf(path, sizeof path, "/proc/%ld/stat", pid);
	f = fopen(path, "re");
	if (f && fscanf(f, "%*d (%*[^)]) %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %llu %llu",
			 &user, &sys) != 2)
		user = sys = 0;
	if (f)
		fclose(f);
	return (long)((user + sys) * 1000 / (unsigned long long)sysconf(_SC_CLK_TCK));
}

struct seen {
	long pid, cpu;
};

static void look_at(long pid, struct seen *seen, long *peak)
{
	long v = field(pid, "VmHWM:"), i = 0;

	*peak = v > *peak ? v : *peak;
	while (i < 255 && seen[i].pid && seen[i].pid != pid)
		i++;
	seen[i].pid = pid;
	v = cpu_ms(pid);
	seen[i].cpu = v > seen[i].cpu ? v : seen[i].cpu;
}

/* Both only grow, so a look now and then is enough. */
static void watch(const char *name, const char *lock)
{
	struct seen seen[256] = { { 0 } };
	long peak = 0, engine, sum, i;
	char path[512], other[520];
	FILE *f;

	snprintf(path, sizeof path, "%s.peak", name);
	snprintf(other, sizeof other, "%s.new", path);
	for (;; usleep(20000)) {
		DIR *d = opendir("/proc");
		struct dirent *e;

		f = fopen(lock, "re");
		if (!f || fscanf(f, "%ld", &engine) != 1)
			engine = -1;
		if (f)
			fclose(f);
		while (d && engine > 1 && (e = readdir(d))) {
			long pid = strtol(e->d_name, NULL, 10);

			if (pid > 1 && (pid == engine || field(pid, "PPid:") == engine))
				look_at(pid, seen, &peak);
		}
		if (d)
			closedir(d);
		for (sum = i = 0; i < 256; i++)
			sum += seen[i].cpu;
		f = fopen(other, "we");
		fprintf(f, "%ld %ld\n", peak, sum);
		fclose(f);
		rename(other, path);
	}
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";

	if (!strcmp(what, "csv") && argc > 3)
		load_csv(argv[2], argv[3], argc > 4 ? atol(argv[4]) : 0);
	else if (!strcmp(what, "rows") && argc > 3)
		copy_rows(argv[2], argv[3]);
	else if (!strcmp(what, "attach") && argc > 3)
		copy_attached(argv[2], argv[3]);
	else if (!strcmp(what, "make") && argc > 4)
		make(argv[2], atol(argv[3]), atol(argv[4]));
	else if (!strcmp(what, "hash") && argc > 2)
		hash(argv[2]);
	else if (!strcmp(what, "run") && argc > 3)
		return run(argv[2], argv + 3);
	else if (!strcmp(what, "watch") && argc > 3)
		watch(argv[2], argv[3]);
	else
		stop("see the head of its source");
	return 0;
}
