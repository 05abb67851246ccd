/* tests/fuzz/control.c - any bytes as a line of the control socket.
 * req: Q4
 * SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/service/control.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Half of the inputs are arguments of a request that is good otherwise. */
static char *as_line(const uint8_t *data, size_t size, size_t *ret_len)
{
	static const char head[] = "{\"id\":1,\"verb\":\"apply\",\"args\":";
	struct wbl_buf b = { 0 };

	if (size && data[0] & 1)
		wbl_buf_adds(&b, head);
	if (size)
		wbl_buf_add(&b, data + 1, size - 1);
	if (size && data[0] & 1)
		wbl_buf_adds(&b, "}");
	*ret_len = b.len;
	return wbl_buf_take(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct wbl_error err = { 0 };
	json_t *j = NULL, *id, *args;
	size_t len;
	WBL_AUTOFREE char *line = as_line(data, size, &len);
	int32_t rc = wbl_control_parse(line ? line : "", len, &j, &err);

	if ((rc == 0) != (j != NULL) || (rc && (err.code != rc || !*err.text)))
		abort();
	if (rc)
		return 0;
	id = json_object_get(j, "id");
	args = json_object_get(j, "args");
	if (!json_is_integer(id) || !wbl_json_str(j, "verb") || (args && !json_is_object(args)))
		abort();
	json_decref(j);
	return 0;
}
