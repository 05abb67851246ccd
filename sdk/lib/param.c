/* sdk/lib/param.c - the parameters of a call, parsed once for each distinct text.
 * In: wbl.params/1.  Out: nodes and values.  A process holds a handful of instances (handler, stores), each with its
 * own text; the last SLOTS of them stay parsed, so pointers outlive the call that asked.
 * SPDX-License-Identifier: Apache-2.0 */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include <whimbrel/sdk.h>

enum { SLOTS = 32 };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct slot {
	char *text;
	struct wbl_doc *doc;
} slots[SLOTS];
static unsigned next_slot;

static const struct wbl_node *parsed(const char *text)
{
	struct slot *s;

	for (unsigned i = 0; i < SLOTS; i++)
		if (slots[i].text && !strcmp(slots[i].text, text))
			return wbl_doc_root(slots[i].doc);
	s = &slots[next_slot++ % SLOTS];
	free(s->text);
	wbl_doc_free(s->doc);
	s->text = wbl_sdk_strdup(text);
	s->doc = wbl_doc_parse(text, strlen(text), NULL);
	return wbl_doc_root(s->doc);
}

const struct wbl_node *wbl_param_json(struct wbl_call *call, const char *path)
{
	const struct wbl_params_service *params = wbl_service(call, "wbl.params/1");
	const char *text = params ? params->json(call) : NULL;
	const struct wbl_node *root;

	if (!text)
		return NULL;
	pthread_mutex_lock(&lock);
	root = parsed(text);
	pthread_mutex_unlock(&lock);
	return wbl_node_at(root, path);
}

struct wbl_text wbl_param_text(struct wbl_call *call, const char *path)
{
	const struct wbl_node *n = wbl_param_json(call, path);

	if (n && n->kind == WBL_NODE_TEXT)
		return n->text;
	return (struct wbl_text){ "", 0 };
}

int64_t wbl_param_int(struct wbl_call *call, const char *path, int64_t otherwise)
{
	return wbl_node_int(wbl_param_json(call, path), "", otherwise);
}

int wbl_param_bool(struct wbl_call *call, const char *path, int otherwise)
{
	return wbl_node_bool(wbl_param_json(call, path), "", otherwise);
}
