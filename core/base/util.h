/* base/util.h - memory, growing buffers, time, text, ids: what every file needs.
 * Allocation never fails from the caller's view: without memory the process ends (and is recovered as
 * after any crash). All functions are free of shared state, usable from any thread.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef WBL_CORE_BASE_UTIL_H
#define WBL_CORE_BASE_UTIL_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WBL_COUNT(a) (sizeof(a) / sizeof *(a))

void *wbl_alloc(size_t n); /* zeroed; ends the process when there is none */
void *wbl_realloc(void *p, size_t n);
char *wbl_strdup(const char *s); /* NULL gives NULL */
char *wbl_strndup(const char *s, size_t n);
char *wbl_strf(const char *fmt, ...) __attribute__((format(printf, 1, 2))); /* caller frees */
void wbl_freep(void *p); /* for the cleanup attribute */
#define WBL_AUTOFREE __attribute__((cleanup(wbl_freep)))
/* Room for one more element: grows *array (element size n) when count is a power of two or zero. */
void *wbl_grow(void *array, size_t count, size_t n);

/* A growing buffer; always NUL-terminated behind len when not empty. {0} is an empty one. */
struct wbl_buf {
	char *data;
	size_t len, cap;
};
void wbl_buf_add(struct wbl_buf *b, const void *data, size_t len);
void wbl_buf_adds(struct wbl_buf *b, const char *s);
void wbl_buf_addf(struct wbl_buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void wbl_buf_quote(struct wbl_buf *b, const char *s); /* as a text of libconfig */
void wbl_buf_clear(struct wbl_buf *b);                /* frees */
char *wbl_buf_take(struct wbl_buf *b);                /* caller frees; "" when empty */

int64_t wbl_now_real(void);                        /* ns since 1970 UTC */
int64_t wbl_now_mono(void);                        /* ns, CLOCK_MONOTONIC */
void wbl_time_text(int64_t real_ns, char out[32]); /* 2026-11-21T13:14:11.123Z */
/* "90s" "15m" "2h" "7d" "250ms" or a bare number of seconds -> ns; false when it is none of these */
bool wbl_duration_parse(const char *s, int64_t *ret_ns);
void wbl_duration_text(int64_t ns, char out[24]); /* "1m 20s", "350 ms" */
/* "64M" "2G" "4096" (binary multiples) -> bytes */
bool wbl_size_parse(const char *s, uint64_t *ret);
void wbl_size_text(uint64_t bytes, char out[24]); /* "9.1 MB" (decimal) */
void wbl_count_text(uint64_t n, char out[32]);    /* 4,812,733 */

bool wbl_utf8_valid(
	const char *s, size_t len); /* strict: no overlong form, surrogate, beyond 10FFFF */
/* The name of the NULL-ended list nearest to `name`, NULL when none is near enough to suggest. */
const char *wbl_nearest(const char *name, const char *const *list);
bool wbl_name_valid(const char *s); /* ^[a-z][a-z0-9_]{0,31}$ */
void wbl_uuid(char out[37]);        /* random, version 4 */
#endif
