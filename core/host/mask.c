/* host/mask.c - secrets fetched in this process, blotted out in logs, diagnostics and reports.
 * SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "core/host/mask.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/util.h"

struct secret {
	char *data;
	size_t len;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct secret *secrets; /* the longest first: one may contain another */
static size_t nsecrets;

void wbl_mask_add(const void *data, size_t len)
{
	size_t i, at = 0;

	if (!len)
		return;
	pthread_mutex_lock(&lock);
	for (i = 0; i < nsecrets; i++) {
		if (secrets[i].len == len && !memcmp(secrets[i].data, data, len))
			goto out;
		if (secrets[i].len >= len)
			at = i + 1;
	}
	secrets = wbl_grow(secrets, nsecrets, sizeof *secrets);
	memmove(secrets + at + 1, secrets + at, (nsecrets - at) * sizeof *secrets);
	secrets[at] = (struct secret){ wbl_strndup(data, len), len };
	nsecrets++;
out:
	pthread_mutex_unlock(&lock);
}

static const struct secret *at(const char *s, size_t left)
{
	size_t i;

	for (i = 0; i < nsecrets; i++)
		if (secrets[i].len <= left && !memcmp(s, secrets[i].data, secrets[i].len))
			return &secrets[i];
	return NULL;
}

char *wbl_mask_text(const char *text)
{
	struct wbl_buf b = { 0 };
	size_t i = 0, len;

	if (!text)
		return NULL;
	len = strlen(text);
	pthread_mutex_lock(&lock);
	while (nsecrets && i < len) {
		const struct secret *s = at(text + i, len - i);

		if (s)
			wbl_buf_adds(&b, "****");
		else
			wbl_buf_add(&b, text + i, 1);
		i += s ? s->len : 1;
	}
	if (i < len)
		wbl_buf_adds(&b, text + i);
	pthread_mutex_unlock(&lock);
	return wbl_buf_take(&b);
}
