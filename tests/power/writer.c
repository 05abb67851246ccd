/* tests/power/writer.c - what is run below the recorder.
 *   writer journal STATE ACKS   a history that is opened, filled, checkpointed, closed, left open, recovered; after
 *                               each commit a line "seq log-length head" goes to ACKS, which is outside the root
 *   writer calls DIR            one of each call that the recorder knows
 *   writer synced DIR           some of it synced, some not: the names say which
 * SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <sqlite3.h>

#include "core/state/artefact.h"

#define MUST(x)                                                                                    \
	do {                                                                                       \
		if (!(x)) {                                                                        \
			fprintf(stderr, "writer: line %d: %s\n", __LINE__, #x);                    \
			_exit(1);                                                                  \
		}                                                                                  \
	} while (0)

static int acks = -1;

static void commit(struct wbl_state *s)
{
	const char *log = getenv("WBL_POWER_LOG");
	char line[160], head[WBL_SHA256_HEX];
	struct stat st = { 0 };

	MUST(!wbl_journal_commit(s, NULL));
	wbl_journal_head(s, head);
	if (log)
		MUST(!stat(log, &st));
	snprintf(line, sizeof line, "%lld %lld %s\n", (long long)wbl_journal_last(s),
		(long long)st.st_size, head);
	MUST(!wbl_write_all(acks, line, strlen(line)));
}

static void add(struct wbl_state *s, int commits, int per_commit)
{
	static char body[1500];
	int i, j;

	memset(body, 'b', sizeof body);
	for (i = 0; i < commits; i++) {
		for (j = 0; j < per_commit; j++) {
			struct wbl_entry e = { .kind = WBL_KIND_CHUNK_RESULT,
				.run = "r",
				.step = "copy",
				.body = { body, sizeof body } };

			MUST(!wbl_journal_append(s, &e, NULL));
		}
		commit(s);
	}
}

static void keep_artefact(struct wbl_state *s, const char *name)
{
	struct wbl_entry e = {
		.kind = WBL_KIND_ARTEFACT_SEAL, .run = "r", .step = "backup", .name = name
	};
	char *file, *text;
	json_t *body;
	int fd;

	MUST(!wbl_artefact_create(s, "r", "backup", 1, name, &file, &fd, NULL));
	MUST(!wbl_write_all(fd, "before image of ", 16) && !wbl_write_all(fd, name, strlen(name)));
	MUST(!wbl_artefact_seal(s, "r", file, fd, &body, NULL));
	text = wbl_json_text(body);
	e.body = (struct wbl_bytes){ text, strlen(text) };
	MUST(!wbl_journal_append(s, &e, NULL));
	commit(s);
	free(text);
	json_decref(body);
	free(file);
	close(fd);
}

/* moves the log into the database, so that the next commits write over it */
static void checkpoint(struct wbl_state *s)
{
	WBL_AUTOFREE char *path = wbl_strf("%s/history.db", wbl_state_dir(s));
	sqlite3 *db;

	MUST(!sqlite3_open(path, &db));
	MUST(!sqlite3_exec(
		db, "PRAGMA synchronous=FULL; PRAGMA wal_checkpoint(FULL)", NULL, NULL, NULL));
	sqlite3_close(db);
}

static struct wbl_state *begin(const char *dir)
{
	struct wbl_state *s = NULL;

	MUST(!wbl_state_open(dir, 0, &s, NULL));
	return s;
}

static int write_journal(const char *dir)
{
	struct wbl_state *s = begin(dir);
	int status;
	pid_t pid;

	add(s, 3, 1);
	keep_artefact(s, "one");
	add(s, 2, 4);
	checkpoint(s);
	add(s, 4, 1);
	keep_artefact(s, "two");
	wbl_state_close(s);
	pid = fork(); /* dies with an open transaction */
	if (!pid) {
		s = begin(dir);
		add(s, 3, 2);
		MUST(!wbl_journal_append(s, &(struct wbl_entry){ .kind = WBL_KIND_LOG }, NULL));
		_exit(0);
	}
	MUST(waitpid(pid, &status, 0) == pid && !status);
	s = begin(dir);
	add(s, 3, 1);
	wbl_state_close(s);
	return 0;
}

static int file_of(const char *name, const char *text)
{
	int fd = open(name, O_RDWR | O_CREAT, 0600);

	MUST(fd >= 0 && !wbl_write_all(fd, text, strlen(text)));
	return fd;
}

static void change_contents(void)
{
	struct iovec v[] = { { "vec", 3 }, { "tor", 3 } };
	int fd = file_of("a", "0123456789"), other = open("b", O_RDWR | O_CREAT | O_APPEND, 0600);
	off64_t from = 2, to = 4;

	MUST(pwrite(fd, "AB", 2, 20) == 2 && pwrite64(fd, "CD", 2, 1) == 2);
	MUST(lseek(fd, 5, SEEK_SET) == 5 && writev(fd, v, 2) == 6 && pwritev(fd, v, 2, 30) == 6);
	MUST(!ftruncate(fd, 33) && !ftruncate(fd, 60) && !fallocate(fd, 0, 0, 100));
	MUST(!posix_fallocate(fd, 0, 120) && !fallocate(fd, 3, 0, 4));
	MUST(write(other, "append", 6) == 6 && pwrite(other, "ed", 2, 0) == 2);
	close(other);
	MUST((other = open("b", O_RDWR)) >= 0 && lseek(other, 8, SEEK_SET) == 8);
	MUST(sendfile(other, fd, NULL, 3) >= 0);
	MUST(copy_file_range(fd, &from, other, &to, 3, 0) == 3);
	close(other);
	MUST(!truncate("b", 9) && !close(creat("c", 0600)) && !close(open("a", O_RDWR | O_TRUNC)));
	MUST(pwrite(fd, "after", 5, 3) == 5);
	close(fd);
}

static void change_names(void)
{
	char file[] = "tmp-XXXXXX", folder[] = "dir-XXXXXX";
	int dir, fd;

	MUST(!mkdir("d", 0700) && !mkdir("d/e", 0700) && !mkdir("gone", 0700) && !rmdir("gone"));
	MUST((dir = open("d", O_RDONLY | O_DIRECTORY)) >= 0);
	MUST((fd = openat(dir, "x", O_WRONLY | O_CREAT, 0600)) >= 0 && write(fd, "x", 1) == 1);
	MUST(!renameat(dir, "x", AT_FDCWD, "d/e/y") && write(fd, "y", 1) == 1);
	MUST(!rename("d/e", "f") && !link("f/y", "f/z") && !linkat(dir, "../f/y", dir, "z2", 0));
	MUST(!symlink("f/y", "s") && !unlink("f/y") && write(fd, "z", 1) == 1);
	close(fd);
	close(file_of("old", "old"));
	close(file_of("new", "new"));
	MUST(!rename("new", "old") && !mkdirat(dir, "m", 0700) &&
		!unlinkat(dir, "m", AT_REMOVEDIR));
	MUST((fd = mkstemp(file)) >= 0 && write(fd, "t", 1) == 1 && mkdtemp(folder));
	close(fd);
	close(file_of("r", "r"));
	MUST(!remove("r") && !remove(folder));
	close(dir);
}

static void change_streams(void)
{
	FILE *f = fopen("stream", "we");

	MUST(f && fprintf(f, "a line %d\n", 1) > 0 && !fflush(f) && fputs("and more", f) >= 0 &&
		!fclose(f));
	f = fopen("stream", "a");
	MUST(f && fputs(" and more", f) >= 0 && !fclose(f));
}

static void sync_name(const char *name)
{
	int fd = open(name, O_RDONLY);

	MUST(fd >= 0 && !fsync(fd));
	close(fd);
}

static int write_synced(void)
{
	int fd;

	close(file_of("content-synced-name-not", "text"));
	sync_name("content-synced-name-not");
	MUST(!mkdir("folder-synced", 0700));
	close(file_of("folder-synced/file", "text"));
	sync_name("folder-synced/file");
	sync_name("folder-synced");
	close(file_of("name-synced-content-not", "text"));
	fd = file_of("both", "text");
	MUST(!fdatasync(fd));
	close(file_of("moved", "text"));
	sync_name("moved");
	close(file_of("kept", "text"));
	sync_name("kept");
	MUST(!rename("content-synced-name-not", "renamed-after"));
	sync_name(".");
	MUST(!rename("moved", "moved-away") && !unlink("kept"));
	MUST(!mkdir("late", 0700) && write(fd, " and more", 9) == 9 && !ftruncate(fd, 2));
	close(fd);
	return 0;
}

int main(int argc, char **argv)
{
	MUST(argc > 2);
	if (!strcmp(argv[1], "journal")) {
		MUST(argc > 3 && (acks = open(argv[3], O_WRONLY | O_CREAT | O_APPEND, 0600)) >= 0);
		return write_journal(argv[2]);
	}
	MUST(!chdir(argv[2]));
	if (!strcmp(argv[1], "synced"))
		return write_synced();
	change_contents();
	change_names();
	change_streams();
	return 0;
}
