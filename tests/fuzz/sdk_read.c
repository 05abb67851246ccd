/* fuzz target: what the SDK reads from elsewhere: JSON, batches of rows, casts of their cells. A cast of its own result changes nothing.
 * req: D6 H2
 * SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <stdlib.h>
#include <string.h>

#include <whimbrel/sdk.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void casts(const struct wbl_cell *c)
{
	struct wbl_rows first = { 0 }, again = { 0 };
	struct wbl_out shown = { 0 };
	const char *why;

	wbl_cell_show(&shown, c);
	for (int32_t type = 0; type <= WBL_TYPE_JSON; type++) {
		struct wbl_bytes cells;
		struct wbl_cell made;

		wbl_rows_reset(&first);
		wbl_rows_reset(&again);
		if (wbl_cell_cast(&first, c, type, &why))
			continue;
		cells = (struct wbl_bytes){ first.data, first.len };
		if (wbl_cell_next(&cells, &made) != 1 || cells.len)
			abort();
		if (wbl_cell_cast(&again, &made, type, &why) || again.len != first.len ||
			memcmp(again.data, first.data, first.len) != 0)
			abort();
	}
	wbl_rows_clear(&first);
	wbl_rows_clear(&again);
	wbl_out_clear(&shown);
}

static void batch(const uint8_t *data, size_t size)
{
	struct wbl_batch b = { .size = sizeof b, .data = data, .len = size };
	struct wbl_row row;
	struct wbl_cell c;
	uint64_t at = 0;

	while (wbl_batch_next(&b, &at, &row) == 1)
		while (wbl_cell_next(&row.cells, &c) == 1)
			casts(&c);
}

static void text(const uint8_t *data, size_t size)
{
	struct wbl_rows r = { 0 };
	struct wbl_bytes cells;
	struct wbl_cell c;
	struct wbl_doc *d = wbl_doc_parse((const char *)data, size, NULL);

	wbl_node_str(wbl_doc_root(d), "a.0.b");
	wbl_doc_free(d);
	wbl_cell_text(&r, data, size);
	cells = (struct wbl_bytes){ r.data, r.len };
	if (wbl_cell_next(&cells, &c) == 1)
		casts(&c);
	wbl_rows_clear(&r);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (!size)
		return 0;
	if (data[0] & 1)
		batch(data + 1, size - 1);
	else
		text(data + 1, size - 1);
	return 0;
}
