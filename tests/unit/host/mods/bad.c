/* modules that cannot or will not be loaded; which one is said by -DBAD_...
 * SPDX-License-Identifier: Apache-2.0 */
#include "mod.h"

extern int32_t wbl_nobody_has_this(void *, struct wbl_call *, const struct wbl_work *);
EXPORTED const struct wbl_module *wbl_module_entry_v1(struct wbl_call *call);
EXPORTED const struct wbl_module *wbl_module_entry_v2(struct wbl_call *call);
EXPORTED int unrelated;
int unrelated;

static int32_t plain(void *self, struct wbl_call *call, const struct wbl_work *work)
{
	return WBL_OK;
}

static const struct wbl_handler handler = {
	.size = sizeof handler,
	.revision = 1,
	.name = "bad",
#ifdef BAD_UNDEFINED
	.plan = wbl_nobody_has_this,
#else
	.plan = plain,
#endif
	.execute = plain,
	.verify = plain,
	.rollback = plain,
};

static const void *interface(const char *id, uint32_t index)
{
	return strcmp(id, "wbl.handler/1") || index ? NULL : &handler;
}

#ifdef BAD_SHORT
static const struct wbl_module module = { 16, 0, "org.example.bad", "0.1.0", interface };
#else
static const struct wbl_module module = { sizeof module, 0, "org.example.bad", "0.1.0", interface };
#endif

#ifdef BAD_NEWER
const struct wbl_module *wbl_module_entry_v2(struct wbl_call *call)
{
	return &module;
}
#elif !defined BAD_NO_ENTRY
const struct wbl_module *wbl_module_entry_v1(struct wbl_call *call)
{
#ifdef BAD_REFUSES
	struct wbl_diag d = { .size = sizeof d,
		.severity = 1,
		.code = WBL_E_UNSUPPORTED,
		.text = "needs an engine of the year 2030" };

	DIAG(call)->report(call, &d);
	return NULL;
#else
	return &module;
#endif
}
#endif
