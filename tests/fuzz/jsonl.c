/* fuzz target: any bytes as a file of JSON objects, in lines or one array, compressed and encoded too, whole and in ranges.
 * In: a byte that chooses the options, then the file.
 * req: D7 D6
 * SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "tests/fuzz/files.h"

const void *jsonl_LTX_wbl_module_entry_v1(struct wbl_call *call);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const encodings[] = { "utf-8", "utf-8", "utf-16", "windows-1252" };
	const struct wbl_module *m = jsonl_LTX_wbl_module_entry_v1(NULL);
	const struct wbl_store *t = m->interface("wbl.store/1", 0);
	char options[300];
	unsigned a;

	if (size < 1)
		return 0;
	a = data[0];
	snprintf(options, sizeof options,
		",\"marks\":%s,\"nest\":%s,\"missing\":\"%s\",\"encoding\":\"%s\"%s",
		a & 1 ? "true" : "false", a & 2 ? "true" : "false", a & 4 ? "refuse" : "null",
		encodings[a >> 3 & 3], a & 32 ? ",\"columns\":[\"id\",\"a.b.0\"]" : "");
	fuzz_file(t, options, data + 1, size - 1, 1 + (a >> 5), a >> 7);
	return 0;
}
