/* fuzz target: any bytes as a file of separated fields, with any options, compressed and encoded too, whole and in ranges.
 * In: two bytes that choose the options, then the file.
 * req: D7 D6
 * SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "tests/fuzz/files.h"

const void *csv_LTX_wbl_module_entry_v1(struct wbl_call *call);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const separators[] = { ",", ";", "tab", "|" },
				 *const encodings[] = { "utf-8", "utf-8", "utf-8", "utf-16",
					 "utf-16le", "windows-1252", "iso-2022-jp", "gb18030" },
				 *const ragged[] = { "error", "fill", "reject", "error" };
	const struct wbl_module *m = csv_LTX_wbl_module_entry_v1(NULL);
	const struct wbl_store *t = m->interface("wbl.store/1", 0);
	char options[600];
	unsigned a, b;

	if (size < 2)
		return 0;
	a = data[0];
	b = data[1];
	snprintf(options, sizeof options,
		",\"separator\":\"%s\",\"quote\":\"%s\",\"escape\":\"%s\",\"header\":%s,"
		"\"encoding\":\"%s\",\"ragged\":\"%s\",\"marks\":%s,\"bytes\":\"%s\","
		"\"blank_lines\":%s%s%s",
		separators[a & 3], a & 4 ? "\\\"" : "'", a & 8 ? "backslash" : "doubled",
		a & 16 ? "true" : "false", encodings[a >> 5], ragged[b & 3],
		b & 4 ? "true" : "false", b & 8 ? "hex" : "refuse", b & 16 ? "true" : "false",
		b & 32 ? ",\"null\":\"\",\"comment\":\"#\"" : "",
		b & 64 ? ",\"trailing_separator\":true,\"nonfinite\":\"text\"" : "");
	fuzz_file(t, options, data + 2, size - 2, 1 + (b >> 5), b >> 7);
	return 0;
}
